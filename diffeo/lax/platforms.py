"""Functions that a platform may compute in its own way: platform_dependent, composite."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..api.control_flow.conditionals import switch
from ..api.jit import jit
from ..numpy.common import static_int
from ..operations.platform import PlatformIndex
from ..primitives.core import Tracer, describe, with_user_line
from ..primitives.support.errors import UnexpectedTracerError
from ..trees import tree
from ..trees.arguments import check_callable


def platform_dependent(
    *args: Any, default: Callable | None = None, **per_platform: Callable
) -> Any:
    """Apply the function that is meant for the platform on which the program runs.

    All functions are traced; which one runs is decided when the program is compiled for a platform.
    Under transformations it is a `switch`.

    Args:
        *args: arrays or trees of them.
        default: a function of them for all other platforms.
        **per_platform: functions by the names of platforms: cpu, cuda, rocm, tpu.

    Returns:
        What that function returns; all have results of one structure and types.

    Raises:
        TypeError: for what is no function, and results that differ in type.
        ValueError: for 'gpu', which stands for several platforms, and without any function.
        NotImplementedError: if there is no function for the platform.

    Examples:
        >>> import diffeo as dx
        >>> platform_dependent(2.0, cpu=lambda x: x + 1, default=lambda x: x - 1)
        Array(3.)
    """
    if "gpu" in per_platform:
        raise with_user_line(
            ValueError("platform_dependent: name the platform 'cuda' or 'rocm', in place of 'gpu'")
        )
    functions: dict[Callable, list[str]] = {}
    for name, function in per_platform.items():
        check_callable(function, f"platform_dependent: {name}")
        functions.setdefault(function, []).append(name)
    groups: list[Any] = [tuple(names) for names in functions.values()]
    branches = list(functions)
    if default is not None:
        check_callable(default, "platform_dependent: default")
        groups.append(None)
        branches.append(default)
    if not branches:
        raise with_user_line(ValueError("platform_dependent: expects at least one function"))
    index = PlatformIndex(tuple(groups))

    def chosen(*args: Any) -> Any:
        return switch(index.bind(), branches, *args)

    # A compiled program runs where its operands are, while evaluation is on the CPU.
    return jit(chosen)(*args)


def composite(decomposition: Callable, name: str, version: int = 0) -> Callable:
    """Name a function that a compiler may know.

    XLA as it is here knows none of them, so the function itself is what runs: the name and the
    version change nothing. Other than jax's, it has derivatives.

    Args:
        decomposition: a function of arrays, whose keywords are static.
        name: the name of the operation.
        version: of its meaning.

    Raises:
        UnexpectedTracerError: for a traced value as a keyword.

    Examples:
        >>> import diffeo as dx
        >>> tangent = composite(lambda x: dx.lax.sin(x) / dx.lax.cos(x), "my.tangent")
        >>> tangent(0.0)
        Array(0.)
    """
    check_callable(decomposition, "composite")
    if not isinstance(name, str):
        raise with_user_line(TypeError(f"composite: name must be a text, got {describe(name)}"))
    static_int(version, "composite", "version")

    @wraps(decomposition)
    def named(*args: Any, **kwargs: Any) -> Any:
        for keyword, value in kwargs.items():
            if any([isinstance(leaf, Tracer) for leaf in tree.leaves(value)]):
                raise with_user_line(
                    UnexpectedTracerError(
                        f"composite: keywords of '{name}' are static, and {keyword} is traced; "
                        "pass it as a positional argument"
                    )
                )
        return decomposition(*args, **kwargs)

    return named
