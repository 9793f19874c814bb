"""Functions of flat lists of arrays, with the names of `jax.extend.linear_util` and `jax.api_util`
that libraries use.

diffeo's own transformations do without: `trees/functions.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..trees import tree

__all__ = ["WrappedFun", "debug_info", "flatten_fun", "flatten_fun_nokwargs", "wrap_init"]


class WrappedFun:
    """A function of positional arguments, with keyword arguments that are fixed.

    Args:
        f: the function.
        params: the keyword arguments.
    """

    def __init__(self, f: Callable, params: dict[str, Any] | None = None, debug_info: Any = None):
        self.f, self.params, self.debug_info = f, params or {}, debug_info

    def call_wrapped(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.f(*args, **{**self.params, **kwargs})

    __call__ = call_wrapped

    @property
    def __name__(self) -> str:
        return getattr(self.f, "__name__", "<function>")


def wrap_init(
    f: Callable, params: dict[str, Any] | None = None, *, debug_info: Any = None
) -> WrappedFun:
    """Return a function as a `WrappedFun`."""
    return WrappedFun(f, params, debug_info)


def debug_info(*args: Any, **kwargs: Any) -> None:
    """Return nothing: programs know their functions and lines by themselves."""


def flatten_fun(f: WrappedFun, in_tree: Any) -> tuple[WrappedFun, Callable[[], Any]]:
    """Return a function of leaves that returns leaves, and what returns the structure of the result
    of its last call.

    Args:
        f: a function.
        in_tree: the structure of (arguments, keyword arguments).

    Examples:
        >>> import diffeo as dx
        >>> leaves, structure = dx.tree.flatten((({"a": 1.0, "b": 2.0},), {}))
        >>> flat, out_tree = flatten_fun(wrap_init(lambda d: (d["a"], [d["b"]])), structure)
        >>> flat.call_wrapped(*leaves), out_tree()
        ([1.0, 2.0], PyTreeDef((*, [*])))
    """
    structures: list[Any] = []

    def flat(*leaves: Any) -> list[Any]:
        args, kwargs = tree.unflatten(in_tree, leaves)
        out, structure = tree.flatten(f.call_wrapped(*args, **kwargs))
        structures[:] = [structure]
        return out

    return WrappedFun(flat), lambda: structures[0]


def flatten_fun_nokwargs(f: WrappedFun, in_tree: Any) -> tuple[WrappedFun, Callable[[], Any]]:
    """Do as `flatten_fun`, for the structure of the arguments alone."""
    structure = tree.treedef_tuple((in_tree, tree.structure({})))
    return flatten_fun(f, structure)
