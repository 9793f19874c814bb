"""How diffeo.lax applies primitives: nothing is promoted, only scalars join arrays.

`apply` is for primitives of any kind, `apply_joined` for elementwise ones, whose operands may be
scalars. Both check the operands by the primitive's own type rule first.
"""

from __future__ import annotations

from typing import Any

from ..primitives.array import as_value
from ..primitives.core import Primitive, describe, typeof, with_user_line
from ..primitives.jaxpr import apply_type_rule
from ..primitives.types import SCALARS, STORAGE, is_storage
from ..primitives.words.elementwise import KINDS, kind_of
from ..primitives.words.promotion import broadcast_to, cast, to_value

#: For each type of Python scalars, the letters of the kinds of dtypes that can hold one.
_HELD_BY = {bool: "b", int: "iufc", float: "fc", complex: "c"}


def check(primitive: Primitive, *args: Any) -> None:
    """Raise a TypeError, with the user's line, unless the operands fit the primitive.

    In eager mode NumPy would broadcast and promote instead.
    """
    try:
        apply_type_rule(primitive, [a if type(a) in SCALARS else typeof(a).strong for a in args])
    except (TypeError, ValueError) as error:
        raise with_user_line(error) from None


def apply(primitive: Primitive, *args: Any) -> Any:
    """Apply a primitive to array-like operands, after checks."""
    values = [as_value(to_value(a)) for a in args]
    check(primitive, *values)
    return primitive.bind(*values)


def join(name: str, *args: Any) -> list[Any]:
    """Return the operands of an elementwise primitive, where scalars among arrays get their type.

    Python scalars must be of a kind that the arrays' dtype holds; arrays without axes are
    broadcast, if they have the same dtype. For example, [2, f32[3]] becomes [2.0, f32[3]], and
    [f32[], f32[3]] becomes two arrays f32[3].

    Raises:
        TypeError: for a scalar that the arrays' dtype does not hold.
    """
    values = [to_value(a) for a in args]
    arrays = [v for v in values if type(v) not in SCALARS]
    if not arrays:
        return [as_value(v) for v in values]
    like = next((a for a in arrays if a.ndim), arrays[0])
    for i, v in enumerate(values):
        if type(v) in SCALARS:
            if kind_of(like.dtype) not in _HELD_BY[type(v)]:
                raise with_user_line(
                    TypeError(
                        f"{name}: the {type(v).__name__} {v} does not join {describe(like)}, "
                        "an array "
                        f"of {KINDS[kind_of(like.dtype)]}s; convert one of them"
                    )
                )
            values[i] = cast(v, like.dtype, False)
        elif not v.ndim and v.dtype == like.dtype:
            values[i] = broadcast_to(v, like.shape)
    return values


def stretched(values: list[Any]) -> list[Any]:
    """Return arrays of one number of axes in one shape, if they differ by sizes of 1 alone; others,
    and Python's numbers, as they are.
    """
    shapes = [() if type(v) in SCALARS else v.shape for v in values]
    if len({len(s) for s in shapes}) > 1:
        return values
    sizes = [{n for n in ns if n != 1} for ns in zip(*shapes)]
    if any([len(s) > 1 for s in sizes]):
        return values
    shape = tuple([s.pop() if s else 1 for s in sizes])
    return [broadcast_to(v, shape) for v in values]


def apply_joined(primitive: Primitive, *args: Any, stretch: bool = True) -> Any:
    """Apply an elementwise primitive to operands, after `join` and checks.

    Axes of size 1 are stretched to those of the other operands, unless `stretch` is False.
    """
    values = join(primitive.name, *args)
    for v in values:
        if type(v) not in SCALARS and is_storage(v.dtype):
            raise with_user_line(TypeError(f"{primitive.name} of {describe(v)}: {STORAGE}"))
    try:
        check(primitive, *values)
    except TypeError:  # where shapes differ
        if not stretch:
            raise
        values = stretched(values)
        check(primitive, *values)
    return primitive.bind(*values)
