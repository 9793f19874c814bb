"""What the public transformations share: names of functions, checks of arguments and results."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection, Sequence
from types import MethodType
from typing import Any

import numpy as np

from ..primitives.array import as_value
from ..primitives.core import Value, describe, expected, with_user_line
from ..primitives.support.foreign import taken_in
from ..primitives.support.frozen import OwnCopy
from ..primitives.types import SCALARS, is_inexact
from . import tree

#: What a transformed function takes over from the user's.
WRAPPED = ("__name__", "__qualname__", "__doc__", "__module__")


def name_of(fun: Callable) -> str:
    """Return how messages and programs call a user's function."""
    name = getattr(fun, "__name__", None)
    if name is None:
        inner = getattr(fun, "func", None)
        name = name_of(inner) if callable(inner) else type(fun).__name__
    return name


class Transformed(OwnCopy):
    """A function that a transformation made of another.

    As any function, it is its own copy, and it is pickled by its name where that leads to it; else
    by what it was made of.

    Args:
        fun: the function that it was made of.
        run: what it does when it is called.
        make, args: what makes it anew.
    """

    def __init__(self, fun: Callable, run: Callable, make: Callable, *args: Any):
        functools.update_wrapper(self, fun, WRAPPED)
        self._run, self._made_by = run, (make, args)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> Any:
        return global_name(self) or self._made_by

    def __repr__(self) -> str:
        return f"<{name_of(self._made_by[0]).strip('_')} of {name_of(self)}>"


def global_name(x: Any) -> str | None:
    """Return the name by which an object with a module is found there, or None.

    Pickle finds functions by this name. None if the module has another object of this name, as
    where a decorator has replaced the function.
    """
    name = getattr(x, "__qualname__", None)
    value: Any = sys.modules.get(getattr(x, "__module__", None) or "")
    if name is None or value is None:
        return None
    for part in name.split("."):
        value = getattr(value, part, None)
    return name if value is x else None


def other_positions(count: int, taken: Collection[Any]) -> list[int]:
    """Return the positions of arguments that are left, if others are taken: static ones, say.

    Args:
        count: how many positional arguments are left.
        taken: the positions of the others; names of keyword arguments among them do not count.

    Examples:
        >>> other_positions(2, [1, "axis"])
        [0, 2]
    """
    taken_positions = {n for n in taken if isinstance(n, int)}
    return [n for n in range(count + len(taken_positions)) if n not in taken_positions]


def check_callable(fun: Any, transformation: str) -> None:
    """Raise a TypeError unless `fun` can be called."""
    if not callable(fun):
        raise with_user_line(TypeError(f"{transformation} expects a function, got {describe(fun)}"))


def argument(arguments: tuple, index: int, numbers: Sequence[int] | None = None) -> str:
    """Return how messages call leaf `index` of a tuple of arguments: `argument 1['b']`.

    `numbers` are the positions of the arguments, if they are not 0, 1, 2 ...
    """
    first, *path = tree.leaves_with_path(arguments)[index][0]
    return f"argument {numbers[first.idx] if numbers else first.idx}{tree.keystr(path)}"


def argument_or_keyword(
    full: tuple[tuple, dict], index: int, numbers: Sequence[int] | None = None
) -> str:
    """Return how messages call leaf `index` of `(args, kwargs)`."""
    kind, first, *path = tree.leaves_with_path(full)[index][0]
    if kind.idx == 0:
        return argument(full[0], index, numbers)
    return f"keyword argument {first.key}{tree.keystr(path)}"


def flat_arguments(
    what: str, args: tuple, kwargs: dict | None = None, numbers: Sequence[int] | None = None
) -> tuple[list[Any], Any]:
    """Return the leaves of a tuple of arguments, and their structure.

    If `kwargs` are given, the tree is `(args, kwargs)`.

    Raises:
        RecursionError: names the argument which is nested too deeply.
    """
    try:
        return tree.flatten(args if kwargs is None else (args, kwargs))
    except RecursionError as error:
        named = {f"argument {n}": x for n, x in zip(numbers or range(len(args)), args)}
        named |= {f"keyword argument {name}": x for name, x in (kwargs or {}).items()}
        where = next((f"{name} is too deep: " for name, x in named.items() if _is_deep(x)), "")
        raise with_user_line(RecursionError(f"{what}: {where}{error}")) from None


def flat_result(result: Any, name: str) -> tuple[list[Any], Any]:
    """Return the leaves of a function's result, and its structure."""
    try:
        return tree.flatten(result)
    except RecursionError as error:
        raise with_user_line(RecursionError(f"the result of {name}: {error}")) from None


def _is_deep(x: Any) -> bool:
    try:
        tree.flatten(((x,),))
    except RecursionError:
        return True
    return False


#: The types of leaves that need no look at what they have.
_USUAL = SCALARS | {np.ndarray}


def all_taken_in(leaves: Sequence[Any]) -> list[Any]:
    """Return leaves with the arrays of other libraries as NumPy's."""
    return [x if type(x) in _USUAL or isinstance(x, Value) else taken_in(x) for x in leaves]


def as_values(
    leaves: Sequence[Any], what: str, arguments: tuple, numbers: Sequence[int] | None = None
) -> list[Any]:
    """Return leaves of a tuple of arguments as arrays or tracers.

    Raises:
        TypeError: names the argument that has another leaf.
    """
    values = []
    for i, x in enumerate(leaves):
        try:
            values.append(x if isinstance(x, Value) else as_value(x))
        except TypeError as error:
            where = argument(arguments, i, numbers)
            raise with_user_line(TypeError(f"{what}: {where}: {error}")) from None
    return values


def check_outputs(outs: Sequence[Any], result: Any, name: str) -> list[Any]:
    """Return a result's leaves as arrays or tracers.

    Raises:
        TypeError: names the leaf that is neither, nor can be made into one.
    """
    return [o if isinstance(o, Value) else _output(o, i, result, name) for i, o in enumerate(outs)]


def _output(out: Any, index: int, result: Any, name: str) -> Any:
    try:
        return as_value(out)
    except TypeError:
        path = tree.keystr(tree.leaves_with_path(result)[index][0])
        raise with_user_line(
            TypeError(
                f"{name} returned {describe(out)}{f' at {path}' if path else ''}; "
                + expected(out, "a transformed function returns arrays, numbers, or trees of them")
            )
        ) from None


def check_argnums(argnums: int | Sequence[int], count: int, what: str) -> tuple[int, ...]:
    """Return the positions of arguments, negative ones counted from the end.

    Raises:
        TypeError: if they are no integers.
        ValueError: if the function was not called with such arguments, or an argument is named
            twice.
    """
    if type(argnums) is int and 0 <= argnums < count:
        return (argnums,)
    several = isinstance(argnums, Sequence) and not isinstance(argnums, (str, bytes))
    numbers: tuple[Any, ...] = tuple(argnums) if several else (argnums,)  # type: ignore[arg-type]
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


def check_differentiable(
    what: str,
    values: Sequence[Any],
    chosen: tuple,
    numbers: Sequence[int],
    holomorphic: bool = False,
    allow_int: bool = False,
    instead: str = "choose other arguments with argnums",
) -> None:
    """Raise a TypeError unless the chosen arguments' leaves have dtypes to differentiate by."""
    for i, v in enumerate(values):
        dtype = v.dtype
        if dtype.kind == "f" and not holomorphic:
            continue
        if dtype.kind == "c" if holomorphic else is_inexact(dtype) or allow_int:
            continue
        where = argument(chosen, i, numbers)
        if holomorphic:
            raise with_user_line(
                TypeError(
                    f"{what}: with holomorphic=True all inputs must be complex, {where} is "
                    f"{describe(v)}"
                )
            )
        raise with_user_line(
            TypeError(
                f"{what}: {where} is {describe(v)}, but derivatives are taken with respect to "
                "floating-point or complex numbers. Pass a float (1.0 instead of 1, "
                f"x.astype(float)), or {instead}"
            )
        )
