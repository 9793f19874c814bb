"""Reductions that skip nan: each nan becomes a number that does not change the result."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...primitives.array import Array, known
from ...primitives.core import with_user_line
from ...primitives.types import is_inexact
from ...primitives.words import elementwise as e
from ...typing import ArrayLike
from ..choosing import where
from ..common import arr, axis_of, by_numpy, is_nan, is_of_number, no_out, safe_sqrt, to_bool
from ..ufuncs import isnan
from .comparing import argmax, argmin
from .cumulative import cumprod, cumsum
from .reductions import all, max, mean, min, prod, sum
from .spread import var

_where = where  # several functions have a parameter of that name


def _without_nan(a: Any, value: Any) -> tuple[Any, Any]:
    """Return the array with `value` in place of nan, and where nan was (None for integers)."""
    a = arr(a)
    return (e.select(is_nan(a), value, a), is_nan(a)) if is_inexact(a.aval.dtype) else (a, None)


def _axis(a: Any, axis: int | None) -> Any:
    """Return an axis, or None for the axis 0 that a number without axes has here, as in NumPy."""
    return None if is_of_number(axis, a.ndim) else axis


def nansum(
    a: ArrayLike,
    axis: Any = None,
    dtype: Any = None,
    out: ArrayLike | None = None,
    keepdims: bool = False,
    initial: Any = None,
    where: ArrayLike | None = None,
) -> Any:
    """Return the sum of all elements but nan, and of `initial`; see `sum`."""
    return sum(_without_nan(a, 0.0)[0], axis, dtype, out, keepdims, initial, where)


def nanprod(
    a: ArrayLike,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: ArrayLike | None = None,
) -> Any:
    """Return the product of all elements but nan, and of `initial`; see `prod`."""
    return prod(_without_nan(a, 1.0)[0], axis, dtype, out, keepdims, initial, where)


def _counting(a: Any, where: Any) -> Any:
    """Return where elements are no nan, and `where` does not leave them out."""
    return ~isnan(a) if where is None else ~isnan(a) & to_bool(where)


def nanmean(
    a: ArrayLike,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    where: ArrayLike | None = None,
) -> Any:
    """Return the mean of all elements but nan; nan if there is none."""
    a = arr(a)
    return mean(a, _axis(a, axis), dtype, out, keepdims, where=_counting(a, where))


def nanvar(
    a: ArrayLike,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: bool = False,
    where: ArrayLike | None = None,
    mean: ArrayLike | None = None,
) -> Any:
    """Return the variance of all elements but nan, around their mean or a `mean` that is given."""
    a = arr(a)
    finite, counting = _without_nan(a, 0.0)[0], _counting(a, where)
    return var(finite, _axis(a, axis), dtype, out, ddof, keepdims, where=counting, mean=mean)


def nanstd(
    a: ArrayLike,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: bool = False,
    where: ArrayLike | None = None,
    mean: Any = None,
) -> Any:
    """Return the standard deviation of all elements but nan, the root of `nanvar`."""
    return safe_sqrt(nanvar(a, axis, dtype, out, ddof, keepdims, where, mean))


def _neutral(a: Any, value: float) -> Any:
    """Return an infinity that loses against every number of the dtype of `a`.

    Of complex numbers, the imaginary parts are compared, too, so both parts are infinite.
    """
    return complex(value, value) if arr(a).aval.dtype.kind == "c" else value


def _nan_extremum(
    function: Callable,
    a: Any,
    axis: Any,
    out: Any,
    keepdims: bool,
    initial: Any,
    where: Any,
    neutral: float,
) -> Any:
    """Compute an extremum with `neutral`, an infinity, in place of nan."""
    name = f"nan{function.__name__}"
    if out is not None:
        raise no_out(name)
    a = arr(a)
    plain = initial is None and where is None
    if plain and a.size and not (keepdims or isinstance(axis, tuple)):
        # `np.fmax` and `np.fmin` skip nan themselves; where there is nothing else, they return it.
        over = np.fmax if neutral < 0 else np.fmin
        axis = axis if axis is None or not a.ndim else axis_of(axis, a.ndim, name)
        quick = by_numpy(lambda v: over.reduce(v, axis), a)
        if quick is not None:
            return quick
    filled, missing = _without_nan(a, _neutral(a, neutral))
    if missing is None:
        return function(filled, axis, None, keepdims, initial, where)
    # A nan as `initial` is skipped, too, unless nothing else is there.
    first = None if initial is None else _without_nan(initial, _neutral(a, neutral))[0]
    result = function(filled, axis, None, keepdims, first, where)
    missing = missing if where is None else missing | ~to_bool(where)
    nothing = all(missing, axis, keepdims=keepdims)
    return _where(nothing, math.nan if initial is None else initial, result)


def nanmax(
    a: ArrayLike,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: ArrayLike | None = None,
) -> Any:
    """Return the largest of `initial` and all elements but nan; nan if there is none.

    Raises:
        ValueError: with `where`, or for an empty array, without `initial`.
    """
    return _nan_extremum(max, a, axis, out, keepdims, initial, where, -math.inf)


def nanmin(
    a: ArrayLike,
    axis: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: ArrayLike | None = None,
) -> Any:
    """Return the smallest of `initial` and all elements but nan; nan if there is none.

    Raises:
        ValueError: with `where`, or for an empty array, without `initial`.
    """
    return _nan_extremum(min, a, axis, out, keepdims, initial, where, math.inf)


def _nan_place(
    name: str, function: Callable, a: Any, axis: int | None, keepdims: bool, neutral: float
) -> Any:
    """Compute the position of an extremum with `neutral`, an infinity, in place of nan."""
    a = arr(a)
    filled, missing = _without_nan(a, neutral)
    out = function(filled, axis, keepdims=keepdims)
    if missing is None:
        return out
    none = all(missing, axis, keepdims=keepdims)
    # While a program is traced, `none` is a part of the program, even if `a` is an Array whose
    # numbers are known. So NumPy is asked about an Array.
    value = known(none) if type(a) is not Array else np.isnan(np.asarray(a)).all(axis)
    if value is None:
        return _where(none, -1, out)
    if value.any():
        raise with_user_line(
            ValueError(f"{name}: there are only nan, along axis {axis} of shape {missing.shape}")
        )
    return out


def nanargmax(
    a: ArrayLike,
    axis: int | None = None,
    out: ArrayLike | None = None,
    keepdims: bool | None = None,
) -> Any:
    """Return the position of the largest of all elements but nan.

    Raises:
        ValueError: where there are only nan; in a program that is traced, the position is -1.
    """
    if out is not None:
        raise no_out("nanargmax")
    return _nan_place("nanargmax", argmax, a, axis, bool(keepdims), _neutral(a, -math.inf))


def nanargmin(
    a: ArrayLike, axis: int | None = None, out: Any = None, keepdims: bool | None = None
) -> Any:
    """Return the position of the smallest of all elements but nan; see `nanargmax`."""
    if out is not None:
        raise no_out("nanargmin")
    return _nan_place("nanargmin", argmin, a, axis, bool(keepdims), _neutral(a, math.inf))


def nancumsum(a: ArrayLike, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """Return the running sum, where nan counts as 0."""
    return cumsum(_without_nan(a, 0.0)[0], axis, dtype, out)


def nancumprod(a: ArrayLike, axis: int | None = None, dtype: Any = None, out: Any = None) -> Any:
    """Return the running product, where nan counts as 1."""
    return cumprod(_without_nan(a, 1.0)[0], axis, dtype, out)
