"""Running sums and products, differences of neighbours, the trapezoidal rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...operations import cumulative as c
from ...primitives.array import Array
from ...primitives.core import Primitive, Value, with_user_line
from ...primitives.words.promotion import broadcast_to, to_inexact
from ...primitives.words.slicing import concatenate as join
from ...primitives.words.slicing import pad, slice_in_dim
from ...primitives.words.structural import convert_element_type, reshape
from ...typing import ArrayLike, DTypeLike
from ..common import arr, axis_of, is_of_number, no_out, same_dtype, static_int
from ..making.creation import asarray
from .reductions import at_once, sum, widened


def _flat_axis(a: Value, axis: int | None, name: str) -> tuple[Any, int]:
    """Return the array and an axis counted from the front; without one, the flat array and 0."""
    if axis is None or is_of_number(axis, a.ndim):
        return reshape(a, (a.size,)), 0
    return a, axis_of(axis, a.ndim, name)


def _of_booleans(primitive: Primitive, a: Any) -> Any:
    """Apply a running extremum, which takes numbers, to booleans."""
    return convert_element_type(
        primitive.bind(convert_element_type(a, np.int8)), np.dtype(np.bool_)
    )


def cumsum(a: Any, axis: int | None = None, dtype: DTypeLike | None = None, out: Any = None) -> Any:
    """Return the running sum along an axis, of the flat array without one."""
    if out is not None:
        raise no_out("cumsum")
    if type(a) is Array and dtype is None:
        quick = at_once(np.cumsum, a, axis)
        if quick is not None:
            return quick
    a, axis = _flat_axis(widened(arr(a), dtype), axis, "cumsum")
    if a.dtype.kind == "b":  # the sum of booleans is `or`
        return _of_booleans(c.CumMax(axis), a)
    return c.cumsum(a, axis)


def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """Return the running product along an axis; its derivative is right where factors are 0."""
    if out is not None:
        raise no_out("cumprod")
    if type(a) is Array and dtype is None:
        quick = at_once(np.cumprod, a, axis)
        if quick is not None:
            return quick
    a, axis = _flat_axis(widened(arr(a), dtype), axis, "cumprod")
    if a.dtype.kind == "b":  # the product of booleans is `and`
        return _of_booleans(c.CumMin(axis), a)
    return c.CumProd(axis).bind(a)


def cummax(a: ArrayLike, axis: int = 0) -> Any:
    """Return the running maximum along an axis: `np.maximum.accumulate`."""
    a, axis = _flat_axis(arr(a), axis, "maximum.accumulate")
    return c.CumMax(axis).bind(a)


def cummin(a: ArrayLike, axis: int = 0) -> Any:
    """Return the running minimum along an axis: `np.minimum.accumulate`."""
    a, axis = _flat_axis(arr(a), axis, "minimum.accumulate")
    return c.CumMin(axis).bind(a)


def _cumulative(
    function: Callable, neutral: int, x: Any, axis: int | None, dtype: Any, include_initial: bool
) -> Any:
    """Return a running sum or product, with `neutral` in front if `include_initial`."""
    x = arr(x)
    if axis is None:
        if x.ndim != 1:
            raise with_user_line(ValueError(f"cumulative_*: give the axis for shape {x.shape}"))
        axis = 0
    axis = axis_of(axis, x.ndim, "cumulative")
    out = function(x, axis, dtype)
    low = [int(i == axis and include_initial) for i in range(x.ndim)]
    return pad(out, low, [0] * x.ndim, value=neutral)


def cumulative_sum(
    x: ArrayLike, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Return `cumsum` of the array API standard; it begins with 0 if `include_initial`."""
    return _cumulative(cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Return `cumprod` of the array API standard; it begins with 1 if `include_initial`."""
    return _cumulative(cumprod, 1, x, axis, dtype, include_initial)


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Return the `n`-th difference of neighbours along an axis.

    `prepend` and `append` are joined to the ends of the axis before.
    """
    a, n = arr(a), static_int(n, "diff", "n")
    if n < 0:
        raise with_user_line(ValueError(f"diff: n must not be negative, got {n}"))
    if n == 0:
        return a
    axis = axis_of(axis, a.ndim, "diff")
    parts = [
        p if p is a else _as_end(asarray(p), a, axis) for p in (prepend, a, append) if p is not None
    ]
    a = join(same_dtype(*parts), axis)
    for _ in range(n):
        size = a.shape[axis]
        if size == 0:
            break
        later = slice_in_dim(a, 1, size, 1, axis)
        before = slice_in_dim(a, 0, size - 1, 1, axis)
        a = later != before if a.aval.dtype.kind == "b" else later - before
    return a


def _as_end(end: Value, a: Any, axis: int) -> Any:
    """Return an end that can be joined to `a`: a number becomes one layer of `a`."""
    shape = tuple([1 if i == axis else n for i, n in enumerate(a.shape)])
    return broadcast_to(end, shape) if end.ndim == 0 else end


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integrate by the trapezoidal rule, at the points `x` or at distances `dx`."""
    y = arr(to_inexact(arr(y)))
    axis = axis_of(axis, y.ndim, "trapezoid")
    if x is not None:
        x = arr(x)
        dx = diff(x) if x.ndim == 1 else diff(x, axis=axis)
        if x.ndim == 1:
            dx = reshape(dx, tuple([dx.size if i == axis else 1 for i in range(y.ndim)]))
    n = y.shape[axis]
    if not n:
        return sum(y, axis)
    pairs = slice_in_dim(y, 1, n, 1, axis) + slice_in_dim(y, 0, n - 1, 1, axis)
    return sum(pairs * dx, axis) * 0.5
