"""Operands brought together: values from anything array-like, of one dtype and one shape."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from ..array import as_value
from ..config import task_settings
from ..constants import full_like
from ..core import Value, describe, typeof, user_source, with_user_line
from ..support.settings import process
from ..support.sources import show_source
from ..types import (
    KEYS,
    KIND_RANK,
    SCALARS,
    ShapedArray,
    default_dtype,
    int8,
    is_inexact,
    is_integer,
    is_storage,
    kind_of,
    limits_of,
    promote_types,
    scalar_aval,
)
from . import elementwise as e
from .structural import BroadcastInDim, convert_element_type


def to_value(x: Any) -> Any:
    """Return Python scalars as they are, and anything else array-like as an Array or tracer.

    Lists are refused, as in JAX.
    """
    if type(x) in SCALARS or isinstance(x, Value):
        return x
    if isinstance(x, (list, tuple)):
        raise with_user_line(
            TypeError(
                f"expected an array or a number, got {describe(x)}; make it an array first: "
                f"dx.numpy.array({type(x).__name__})"
            ),
            x,
        )
    try:
        return as_value(x)
    except TypeError as error:
        raise with_user_line(error, x) from None


def cast(x: Any, dtype: np.dtype, weak: bool) -> Any:
    """Return a value in `dtype`; for a Python scalar, the scalar of that kind, checked for
    overflow.
    """
    if type(x) not in SCALARS:
        return x if x.aval.dtype == dtype else convert_element_type(x, dtype, weak)
    kind = KIND_RANK.get(dtype.kind, 2)
    if kind == 1:
        low, high = limits_of(dtype)
        if not low <= x <= high:
            raise with_user_line(OverflowError(f"the Python integer {x} does not fit into {dtype}"))
    return (bool, int, float, complex)[kind](x)


def promote(*xs: Any) -> list[Any]:
    """Return values brought to one dtype by the lattice (see `types.py`).

    Python scalars stay scalars, of the kind of that dtype.

    Raises:
        TypeError: for operands that are no arrays or have no common dtype.
        OverflowError: for a Python integer that does not fit into the arrays' dtype.
    """
    values = [to_value(x) for x in xs]
    avals = [scalar_aval(type(v)) if type(v) in SCALARS else v.aval for v in values]
    first = avals[0]
    if all([a.dtype is first.dtype and a.weak_type == first.weak_type for a in avals]):
        return values
    try:
        dtype, weak = promote_types(*avals)
    except TypeError as error:
        raise with_user_line(error) from None
    return [cast(v, dtype, weak) for v in values]


@lru_cache(maxsize=4096)
def _common_shape(shapes: tuple[tuple[int, ...], ...]) -> tuple[int, ...] | None:
    """Return the shape to which shapes broadcast, or None."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return None


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape to which shapes broadcast by NumPy's rules.

    Raises:
        ValueError: if they do not, with the user's line.
    """
    shape = _common_shape(shapes)
    if shape is None:
        for each in shapes:  # NumPy says the same of sizes that do not fit and that nothing has
            ShapedArray(each, bool)
        listed = " and ".join(map(str, shapes))
        raise with_user_line(
            ValueError(
                f"shapes {listed} do not broadcast: aligned at the right, sizes must be equal or 1"
            )
        )
    return shape


@lru_cache(maxsize=4096)
def _stretching(shape: tuple[int, ...], ndim: int) -> BroadcastInDim:
    """Return the primitive that stretches an array of `ndim` axes to `shape`."""
    return BroadcastInDim(shape, tuple(range(len(shape) - ndim, len(shape))))


@lru_cache(maxsize=4096)
def stretches(x: tuple[int, ...], y: tuple[int, ...]) -> list[BroadcastInDim | None]:
    """Return the primitives that stretch arrays of two shapes to their common one; None for an
    array that has it.
    """
    shape = broadcast_shapes(x, y)
    return [None if old == shape else _stretching(shape, len(old)) for old in (x, y)]


def check_ranks(*shapes: tuple[int, ...]) -> None:
    """Warn, or raise ValueError, where arrays with axes get more of them, if the task asks to be
    told (`dx.config.numpy_rank_promotion`).
    """
    mode = task_settings().numpy_rank_promotion
    if mode == "allow" or len({len(s) for s in shapes if s}) < 2:
        return
    listed = " and ".join(map(str, shapes))
    message = f"arrays of shapes {listed} meet, and one of them gets more axes"
    message += f": dx.config.numpy_rank_promotion is {mode!r}; x[None] gives x a further axis"
    if mode == "raise":
        raise with_user_line(ValueError(f"{message}, 'allow' allows it"))
    warnings.warn(f"{message}\n  at {show_source(user_source())}", stacklevel=2)


def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Return `x` stretched to `shape` by NumPy's rules."""
    old = x.shape
    if old == shape:
        return x
    if broadcast_shapes(old, shape) != shape:
        raise with_user_line(ValueError(f"an array of shape {old} does not broadcast to {shape}"))
    return _stretching(shape, len(old)).bind(x)


def align(*xs: Any) -> list[Any]:
    """Promote and broadcast: return the operands that a strict elementwise primitive takes.

    At least one of the results is an array; Python scalars among others stay scalars.
    """
    values = promote(*xs)
    avals = [v.aval for v in values if type(v) not in SCALARS]
    if not avals:
        values[0] = as_value(values[0])
        return values
    if is_storage(avals[0].dtype):
        why = KEYS if kind_of(avals[0].dtype) == "k" else e.STORAGE
        raise with_user_line(TypeError(f"no arithmetic on {avals[0]}: {why}"))
    shapes = [a.shape for a in avals]
    if all([s == shapes[0] for s in shapes]):
        return values
    shape = broadcast_shapes(*shapes)
    if process.ranks:
        check_ranks(*shapes)
    return [v if type(v) in SCALARS else broadcast_to(v, shape) for v in values]


def to_inexact(x: Any) -> Any:
    """Return integers and booleans as floats of the default dtype (weak ones stay weak)."""
    if type(x) in SCALARS:
        return x if type(x) in (float, complex) else float(x)
    x = to_value(x)
    return (
        x
        if is_inexact(x.aval.dtype)
        else convert_element_type(x, default_dtype(float), x.aval.weak_type)
    )


def align_inexact(*xs: Any) -> list[Any]:
    """Promote and broadcast, then integers become floats: an int64 with a float32 is a float32."""
    # A Python integer becomes a float anyway: it need not fit into the dtype of integers beside it.
    if int in [type(x) for x in xs]:
        values = [to_value(x) for x in xs]
        if not any([type(v) not in SCALARS and is_inexact(v.aval.dtype) for v in values]):
            xs = tuple([to_inexact(v) for v in values])
    return [to_inexact(v) for v in align(*xs)]


def align_numbers(*xs: Any) -> list[Any]:
    """Promote and broadcast; booleans become int8, as NumPy has it."""
    values = align(*xs)
    if any([type(v) is not bool and typeof(v).dtype.kind != "b" for v in values]):
        return values
    return [int(v) if type(v) is bool else convert_element_type(v, int8) for v in values]


def align_compared(x: Any, y: Any, /) -> list[Any]:
    """Promote and broadcast two operands that are to be compared.

    Integers compare as the numbers that they are, whatever their dtypes hold: -1 of int64 is less
    than any uint64, and 300 is more than any uint8. The results compare as the operands do, but
    need not be the same numbers.
    """
    x, y = to_value(x), to_value(y)
    if type(x) in SCALARS:
        return align_compared(y, x)[::-1] if type(y) not in SCALARS else align(x, y)
    dtype = x.aval.dtype
    if dtype.kind == "k" and type(y) not in SCALARS and y.aval.dtype is dtype:  # type: ignore
        return [broadcast_to(v, broadcast_shapes(x.shape, y.shape)) for v in (x, y)]  # type: ignore
    if type(y) is int and is_integer(dtype):
        low, high = limits_of(dtype)
        number: int = y
        if not low <= number <= high:  # less, or more, than all that the dtype holds
            return [full_like(x, 0), 1] if number > 0 else [full_like(x, 1), 0]
    if type(y) in SCALARS or not is_integer(dtype):
        return align(x, y)
    other: Any = y
    if dtype is other.aval.dtype or not is_integer(other.aval.dtype):
        return align(x, y)
    wide = np.promote_types(dtype, other.aval.dtype)
    if is_integer(wide):
        return align(convert_element_type(x, wide), convert_element_type(y, wide))
    if dtype.kind == "u":
        return align_compared(y, x)[::-1]
    # Signed integers beside uint64, which no integer dtype holds both: negative ones become 0, and
    # what they are compared with 1.
    shape = broadcast_shapes(x.aval.shape, other.aval.shape)
    x, y = broadcast_to(x, shape), broadcast_to(y, shape)
    negative = e.lt.bind(x, 0)
    x = e.select(negative, 0, convert_element_type(x, other.aval.dtype))
    return [x, e.select(negative, 1, y)]
