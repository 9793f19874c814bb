"""Reductions, which combine the elements along axes: sums, products, means, extrema, logic.

Most functions have two ways. `at_once` takes the short way: NumPy reduces a host Array, where the
result is that of diffeo's primitive. Otherwise elements that `where` leaves out become the neutral
element, a primitive reduces, and `_finish` puts axes back for `keepdims`. Start with `sum`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ...operations import extrema
from ...primitives.array import Array
from ...primitives.core import Value, describe, state, with_user_line
from ...primitives.types import STORAGE, default_dtype, is_storage, real_dtype
from ...primitives.words import reduction as r
from ...primitives.words.promotion import broadcast_to, to_inexact
from ...primitives.words.slicing import concatenate
from ...primitives.words.structural import (
    ReduceSum,
    convert_element_type,
    reduce_sum,
    reshape,
    transpose,
)
from ...typing import ArrayLike, DTypeLike
from ..choosing import where
from ..common import (
    NUMBERS,
    arr,
    axes_of,
    by_numpy,
    dtype_of,
    is_of_number,
    keep_axes,
    narrow,
    no_out,
    to_bool,
)
from ..methods import _load
from ..ufuncs import maximum, minimum

_where = where  # several functions have a parameter of that name
# NumPy's reductions, which `at_once` calls: the keys of `_SAME`.
_sum, _prod = np.add.reduce, np.multiply.reduce
_max, _min = np.maximum.reduce, np.minimum.reduce
_all, _any = np.logical_and.reduce, np.logical_or.reduce
_FLOATS = frozenset(map(np.dtype, ("f4", "f8", "c8", "c16")))
_WIDE = _FLOATS | frozenset(map(np.dtype, ("i8", "u8")))
_REAL = frozenset(map(np.dtype, ("f4", "f8", "i8", "u8", "i4", "u4")))
#: NumPy's reduction -> the dtypes in which its result is that of diffeo's.
_SAME = {
    _sum: _WIDE,
    _prod: _WIDE,
    np.cumsum: _WIDE,
    np.cumprod: _WIDE,
    _max: _REAL,
    _min: _REAL,
    np.var: _FLOATS,
    np.std: _FLOATS,
    _all: _WIDE | {np.dtype(bool)},
    _any: _WIDE | {np.dtype(bool)},
}


def at_once(reduce: Callable, a: Array, axis: Any) -> Any:
    """Reduce a host Array with NumPy, the short way.

    None is returned where the long way is needed: under a transformation, for other dtypes, for
    several axes, and for arrays without elements.
    """
    host = a._np
    if host is None or not state.trace.eager or host.dtype not in _SAME[reduce] or not host.size:
        return None
    if axis is None or (type(axis) is int and -host.ndim <= axis < host.ndim):
        return Array(reduce(host, axis), a.weak_type)
    return None


def _axes(axis: Any, ndim: int, name: str) -> tuple[int, ...]:
    """Return the axes to reduce. A number without axes has an axis 0 here, as in NumPy."""
    return () if is_of_number(axis, ndim) else axes_of(axis, ndim, name)


def _total(a: Value, axes: tuple[int, ...]) -> Any:
    """Sum over axes; narrower floats are summed in float32, and the sum is converted back."""
    dtype = a.aval.dtype
    if is_storage(dtype):
        raise with_user_line(TypeError(f"no sums of {describe(a)}: {STORAGE}"))
    if not narrow(dtype):
        return reduce_sum(a, axes)
    return convert_element_type(reduce_sum(convert_element_type(a, np.float32), axes), dtype)


def widened(a: Value, dtype: DTypeLike | None, promote_integers: bool = True) -> Any:
    """Convert an operand to the dtype of its sum or product.

    That is `dtype` if it is given. Otherwise booleans and short integers become 64 bits wide, with
    `promote_integers`.
    """
    if dtype is not None:
        wide = dtype_of(dtype)
    else:
        wide = a.aval.dtype
        if not promote_integers:
            pass
        elif wide.kind in "bi" and wide.itemsize < 8:
            wide = np.promote_types(wide, default_dtype(int))
        elif wide.kind == "u" and wide.itemsize < 8:
            wide = np.promote_types(wide, f"u{default_dtype(int).itemsize}")
    return convert_element_type(a, wide) if wide != a.aval.dtype else a


def _masked(a: Any, where: Any, neutral: Any) -> Any:
    return a if where is None else _where(_condition(where), a, neutral)


def _condition(where: Any) -> Any:
    """Return `where` of a reduction, which must be an array of booleans, as it is in NumPy."""
    if arr(where).dtype.kind != "b":
        raise with_user_line(
            ValueError(f"where must be None or an array of booleans, got {describe(where)}")
        )
    return where


def _first(initial: Any, name: str) -> Any:
    """Return `initial` of a reduction as an array, which must have no axes."""
    first = arr(initial)
    if first.ndim:
        raise with_user_line(
            ValueError(f"{name}: initial must be a scalar, got {describe(initial)}")
        )
    return first


def _finish(out: Value, a: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    return keep_axes(out, a.shape, axes) if keepdims else out


@lru_cache(maxsize=64)
def _sum_over_all(ndim: int) -> ReduceSum:
    return ReduceSum(tuple(range(ndim)))


def sum(
    a: Any,
    axis: Any = None,
    dtype: DTypeLike | None = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
    promote_integers: bool = True,
) -> Any:
    """Sum over axes (all by default). Booleans and short integers are summed in 64 bits, but in
    their own dtype if not `promote_integers`.

    Examples:
        >>> import diffeo as dx
        >>> sum(dx.numpy.ones((2, 3)), axis=0)
        Array([2., 2., 2.])
    """
    if out is not None:
        raise no_out("sum")
    if dtype is None and not keepdims and initial is None and where is None and promote_integers:
        if type(a) is Array:
            quick = at_once(_sum, a, axis)
            if quick is not None:
                return quick
        elif axis is None and isinstance(a, Value) and a.aval.dtype in _FLOATS:
            return _sum_over_all(a.aval.ndim).bind(a)  # what a traced loss ends with
    a = _masked(widened(arr(a), dtype, promote_integers), where, 0)
    axes = _axes(axis, a.ndim, "sum")
    # The sum of booleans, which stay such for dtype=bool alone, is `or`.
    reduced = r.reduce_or(a, axes) if a.aval.dtype.kind == "b" else _total(a, axes)
    total = _finish(reduced, a, axes, keepdims)
    return total if initial is None else total + _first(initial, "sum")


def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
    promote_integers: bool = True,
) -> Any:
    """Multiply over axes (all by default); the derivative is right where factors are 0. Dtypes are
    those of `sum`.
    """
    if out is not None:
        raise no_out("prod")
    if type(a) is Array and dtype is None and not keepdims and initial is None and where is None:
        quick = at_once(_prod, a, axis)
        if quick is not None:
            return quick
    a = _masked(widened(arr(a), dtype, promote_integers), where, 1)
    axes = _axes(axis, a.ndim, "prod")
    total = _finish(
        r.reduce_and(a, axes) if a.aval.dtype.kind == "b" else r.reduce_prod(a, axes),
        a,
        axes,
        keepdims,
    )
    return total if initial is None else total * _first(initial, "prod")


def _extremum(name: str, a: Any, axis: Any, keepdims: bool, initial: Any, where: Any) -> Any:
    """Compute the largest or smallest element by a primitive; `name` is "max" or "min"."""
    a = arr(a)
    largest = name == "max"
    dtype = a.aval.dtype
    axes = _axes(axis, a.ndim, name)
    if initial is None and (where is not None or 0 in [a.shape[i] for i in axes]):
        what = "with `where`" if where is not None else f"of shape {a.shape} along axis {axis}"
        raise with_user_line(
            ValueError(f"{name}: an array {what} may have no elements: give `initial`")
        )
    if initial is not None:
        _first(initial, name)
    if dtype.kind == "c":
        a = _masked(a, where, initial)
        return _finish(_complex_extremum(a, axes, initial, largest), a, axes, keepdims)
    if where is not None:
        a = _masked(a, where, r.extreme(dtype, not largest))
    out = (r.reduce_max if largest else r.reduce_min)(a, axes) if axes else a
    out = _finish(out, a, axes, keepdims)
    return out if initial is None else (maximum if largest else minimum)(out, initial)


def _complex_extremum(a: Value, axes: tuple[int, ...], initial: Any, largest: bool) -> Any:
    """Return the first of the extremal complex numbers, or the first nan.

    This element alone gets the derivative, as the result takes it from its position.
    """
    kept = [i for i in range(a.ndim) if i not in axes]
    sizes = tuple([a.shape[i] for i in kept])
    lines = reshape(transpose(a, (*kept, *axes)), (*sizes, _size(a, axes)))
    if initial is not None:
        first = convert_element_type(arr(initial), a.aval.dtype)
        lines = concatenate([broadcast_to(first, (*sizes, 1)), lines], len(sizes))
    position = (extrema.argmax if largest else extrema.argmin)(
        lines, len(sizes), np.dtype(np.int64)
    )
    # The module of sorting and gathering is loaded with the first maximum of complex numbers.
    take = _load(".operations.sort", "take_along_axis")
    return reshape(take(lines, reshape(position, (*sizes, 1)), len(sizes)), sizes)


def max(
    a: ArrayLike,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: ArrayLike | None = None,
) -> Any:
    """Return the largest element over axes; nan if there is one. Equal ones share the derivative.

    Raises:
        ValueError: for an empty array without `initial`.
    """
    if out is not None:
        raise no_out("max")
    if type(a) is Array and not keepdims and initial is None and where is None:
        quick = at_once(_max, a, axis)
        if quick is not None:
            return quick
    return _extremum("max", a, axis, keepdims, initial, where)


def min(
    a: ArrayLike,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: ArrayLike | None = None,
    where: Any = None,
) -> Any:
    """Return the smallest element over axes; nan if there is one; see `max`."""
    if out is not None:
        raise no_out("min")
    if type(a) is Array and not keepdims and initial is None and where is None:
        quick = at_once(_min, a, axis)
        if quick is not None:
            return quick
    return _extremum("min", a, axis, keepdims, initial, where)


amax, amin = max, min


def ptp(a: ArrayLike, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """Return the largest minus the smallest element."""
    if out is not None:
        raise no_out("ptp")
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


def _logical(
    name: str,
    ufunc: Callable,
    reduce: Callable,
    neutral: bool,
    a: Any,
    axis: Any,
    out: Any,
    keepdims: bool,
    where: Any,
) -> Any:
    """Reduce truth values: by NumPy's `ufunc` on the short way, else by `reduce`."""
    if out is not None:
        raise no_out(name)
    if type(a) is Array and not keepdims and where is None:
        quick = at_once(ufunc, a, axis)
        if quick is not None:
            return quick
    a = _masked(to_bool(a), where, neutral)
    axes = _axes(axis, a.ndim, name)
    return _finish(reduce(a, axes), a, axes, keepdims)


def all(
    a: ArrayLike,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: ArrayLike | None = None,
) -> Any:
    """Whether all elements over axes are true (not 0)."""
    return _logical("all", _all, r.reduce_and, True, a, axis, out, keepdims, where)


def any(
    a: ArrayLike, axis: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = None
) -> Any:
    """Whether any element over axes is true (not 0)."""
    return _logical("any", _any, r.reduce_or, False, a, axis, out, keepdims, where)


def count_nonzero(a: ArrayLike, axis: Any = None, keepdims: bool = False) -> Any:
    """Count the elements that are not 0."""
    if axis is None and not keepdims:
        quick = by_numpy(np.count_nonzero, a, dtypes=NUMBERS)
        if quick is not None:
            return Array(np.asarray(quick._np, default_dtype(int)))
    return sum(to_bool(a), axis, keepdims=keepdims)


def _size(a: Value, axes: tuple[int, ...]) -> int:
    return math.prod([a.shape[i] for i in axes])


def mean(
    a: Any,
    axis: Any = None,
    dtype: DTypeLike | None = None,
    out: Any = None,
    keepdims: bool = False,
    *,
    where: Any = None,
) -> Any:
    """Return the mean over axes, in floating point.

    Examples:
        >>> import diffeo as dx
        >>> mean(dx.numpy.arange(4))
        Array(1.5)
    """
    if out is not None:
        raise no_out("mean")
    if type(a) is Array and axis is None and dtype is None and not keepdims and state.trace.eager:
        host = a._np
        if host is not None and where is None and host.dtype in _FLOATS and host.size:
            return Array(_sum(host, None) / host.dtype.type(host.size), a.weak_type)
    a = arr(to_inexact(arr(a))) if dtype is None else convert_element_type(arr(a), dtype_of(dtype))
    axes = axes_of(axis, a.ndim, "mean")
    if narrow(a.dtype):
        wide = mean(a.astype(np.float32), axes, keepdims=keepdims, where=where)
        return convert_element_type(wide, a.dtype)
    total = _finish(_total(_masked(a, where, 0), axes), a, axes, keepdims)
    return total / counted(a, axes, keepdims, where, total.dtype)


def counted(
    a: Any, axes: tuple[int, ...], keepdims: bool, where: Value | None, dtype: np.dtype
) -> Any:
    """Return how many elements are combined: a number, or with `where` an array of real numbers."""
    if where is None:
        return _size(a, axes)
    count = sum(broadcast_to(to_bool(where), a.shape), axes, keepdims=keepdims)
    return convert_element_type(count, real_dtype(dtype))
