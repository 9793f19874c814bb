"""Calls of jitted functions that read or write refs: as pure functions of what the refs hold.

`call` serves a call with refs among the arguments, `call_touched` one of a function that touches
refs from outside. Each makes a jitted function of the values once, calls it, and writes its results
back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..primitives.core import Value, with_user_line
from ..trees import tree
from .refs import Ref, bound, read, write
from .signatures import NO_STATIC, join, split


def call(jitted: Any, args: tuple, kwargs: dict) -> Any:
    """Call a jitted function that has refs among its arguments.

    Raises:
        ValueError: if one ref is there twice, or is also used from outside.
    """
    static = NO_STATIC
    if jitted.static:
        args, kwargs, static = split(jitted.static, args, kwargs)
    leaves, structure = tree.flatten((args, kwargs))
    refs = [x for x in leaves if type(x) is Ref]
    if len(set(refs)) < len(refs):
        raise with_user_line(
            ValueError(f"jit of {jitted.name}: a Ref is passed twice; pass it once")
        )
    is_place = tuple([type(x) is Ref for x in leaves])
    key = (structure, is_place, static)
    pure = jitted.pure.get(key)
    if pure is None:
        pure = jitted.pure[key] = jitted.like(_of_values(jitted, structure, is_place, static))
    values = [read(r) for r in refs]
    for ref in refs:
        ref._passed = True
    try:
        out, values = pure(values, [x for x in leaves if type(x) is not Ref])
    finally:
        for ref in refs:
            ref._passed = False
    _write_back(refs, values)
    return out


def _of_values(jitted: Any, structure: Any, is_place: Sequence[bool], static: tuple) -> Any:
    """Return `(values of the refs, other leaves) -> (result, values of the refs that changed)`."""

    def pure(values: Sequence[Any], others: Sequence[Any]) -> Any:
        # Refs of the function's own: those that are passed may differ in the next call.
        refs = [Ref(v, born=None) for v in values]
        places, rest = iter(refs), iter(others)
        leaves = [next(places if flag else rest) for flag in is_place]
        args, kwargs = tree.unflatten(structure, leaves)
        args, kwargs = join(args, kwargs, static)
        out = jitted.fun(*args, **kwargs)
        return out, [_changed(r, v) for r, v in zip(refs, values)]

    pure.__name__ = jitted.name
    return pure


def call_touched(jitted: Any, traced: Any, leaves: Sequence[Any]) -> Any:
    """Call a jitted function, traced already, that touches the refs `traced.touched`."""
    refs = list(traced.touched)
    out, values = _of_touched(jitted, traced)([read(r) for r in refs], leaves)
    _write_back(refs, values)
    return out


def traced(jitted: Any, traced: Any, leaves: Sequence[Any]) -> Any:
    """Return the pure function that `call_touched` calls, traced."""
    return _of_touched(jitted, traced).trace([read(r) for r in traced.touched], leaves)


def _of_touched(jitted: Any, traced: Any) -> Any:
    """Return the jitted `(values of the refs, leaves) -> (result, values that changed)`."""
    if traced.pure is not None:
        return traced.pure
    refs = list(traced.touched)

    def pure(values: Sequence[Any], leaves: Sequence[Any]) -> Any:
        with bound(refs, values):
            args, kwargs = tree.unflatten(traced.in_tree, leaves)
            args, kwargs = join(args, kwargs, traced.static)
            out = jitted.fun(*args, **kwargs)
            return out, [_changed(r, v) for r, v in zip(refs, values)]

    pure.__name__ = jitted.name
    traced.pure = jitted.like(pure)
    return traced.pure


def _changed(ref: Ref, before: Value) -> Any:
    """Return what a ref holds, or None if that is what it held before."""
    return None if ref._value is before else ref._value


def _write_back(refs: Sequence[Ref], values: Sequence[Any]) -> None:
    for ref, value in zip(refs, values):
        if value is not None:
            write(ref, value)
