"""The stages of compiled functions, for annotations and `isinstance`; `jit` makes them."""

from typing import Any, Protocol, TypeAlias, runtime_checkable

from .engine.stages import ArgInfo, Compiled, Lowered, Traced

__all__ = ["ArgInfo", "Compiled", "CompilerOptions", "Lowered", "Traced", "Wrapped"]

#: XLA's flags and their values.
CompilerOptions: TypeAlias = dict[str, str | bool | int | float]


@runtime_checkable
class Wrapped(Protocol):
    """A function that can be traced, lowered and compiled ahead of its calls, as `jit` makes them.

    Examples:
        >>> import diffeo as dx
        >>> isinstance(dx.jit(dx.numpy.sin), dx.stages.Wrapped)
        True
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        ...

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """Trace it for arguments like these."""
        ...

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Trace and lower it for arguments like these."""
        ...
