"""What the public transformations share: names of functions, checks of arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..primitives.core import describe, with_user_line

#: What a transformed function takes over from the user's.
WRAPPED = ("__name__", "__qualname__", "__doc__", "__module__")


def name_of(fun: Callable) -> str:
    """How messages and programs call a user's function."""
    name = getattr(fun, "__name__", None)
    if name is None:
        inner = getattr(fun, "func", None)
        name = name_of(inner) if callable(inner) else type(fun).__name__
    return name


def check_callable(fun: Any, transformation: str) -> None:
    """TypeError unless `fun` can be called."""
    if not callable(fun):
        raise with_user_line(TypeError(f"{transformation} expects a function, got {describe(fun)}"))


def check_argnums(argnums: int | Sequence[int], count: int, what: str) -> tuple[int, ...]:
    """Positions of arguments, negative ones from the end; TypeError or ValueError if they do not
    exist.
    """
    if type(argnums) is int and 0 <= argnums < count:
        return (argnums,)
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if not all([isinstance(n, int) and not isinstance(n, bool) for n in numbers]):
        raise with_user_line(
            TypeError(f"{what}: argnums must be an integer or a tuple of integers, got {argnums!r}")
        )
    if any([not -count <= n < count for n in numbers]):
        raise with_user_line(
            ValueError(
                f"{what}: argnums={argnums!r}, but the function was called with {count} "
                "positional arguments"
            )
        )
    resolved = tuple([n % count for n in numbers])
    if len(set(resolved)) != len(resolved):
        raise with_user_line(ValueError(f"{what}: argnums={argnums!r} names an argument twice"))
    return resolved
