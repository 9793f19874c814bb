"""Reductions that skip nan: each nan becomes a number that does not change the result."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.core import known, with_user_line
from ...primitives.types import is_inexact
from ...primitives.words import elementwise as e
from ..choosing import where
from ..common import arr, axis_of, by_numpy, is_nan, is_of_number, safe_sqrt
from ..ufuncs import isnan
from .comparing import argmax, argmin
from .cumulative import cumprod, cumsum
from .reductions import all, max, mean, min, prod, sum, var


def _without_nan(a: Any, value: Any) -> tuple[Any, Any]:
    """Return the array with `value` in place of nan, and where nan was (None for integers)."""
    a = arr(a)
    return (e.select(is_nan(a), value, a), is_nan(a)) if is_inexact(a.aval.dtype) else (a, None)


def _axis(a: Any, axis: Any) -> Any:
    """Return an axis, or None for the axis 0 that a number without axes has here, as in NumPy."""
    return None if is_of_number(axis, a.ndim) else axis


def nansum(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """Return the sum of all elements but nan."""
    return sum(_without_nan(a, 0.0)[0], axis, dtype, keepdims=keepdims)


def nanprod(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """Return the product of all elements but nan."""
    return prod(_without_nan(a, 1.0)[0], axis, dtype, keepdims=keepdims)


def nanmean(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """Return the mean of all elements but nan; nan if there is none."""
    a = arr(a)
    return mean(a, _axis(a, axis), dtype, keepdims=keepdims, where=~isnan(a))


def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0, keepdims: bool = False
) -> Any:
    """Return the variance of all elements but nan."""
    a = arr(a)
    finite = _without_nan(a, 0.0)[0]
    return var(finite, _axis(a, axis), dtype, None, ddof, keepdims, where=~isnan(a))


def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0, keepdims: bool = False
) -> Any:
    """Return the standard deviation of all elements but nan."""
    return safe_sqrt(nanvar(a, axis, dtype, ddof, keepdims))


def _neutral(a: Any, value: float) -> Any:
    """Return an infinity that loses against every number of the dtype of `a`.

    Of complex numbers, the imaginary parts are compared, too, so both parts are infinite.
    """
    return complex(value, value) if arr(a).aval.dtype.kind == "c" else value


def _nan_extremum(function: Any, a: Any, axis: Any, keepdims: bool, neutral: float) -> Any:
    """Compute an extremum with `neutral`, an infinity, in place of nan."""
    a = arr(a)
    if a.size and not (keepdims or isinstance(axis, tuple)):
        # `np.fmax` and `np.fmin` skip nan themselves; where there is nothing else, they return it.
        over = np.fmax if neutral < 0 else np.fmin
        name = f"nan{function.__name__}"
        axis = axis if axis is None or not a.ndim else axis_of(axis, a.ndim, name)
        quick = by_numpy(lambda v: over.reduce(v, axis), a)
        if quick is not None:
            return quick
    filled, missing = _without_nan(a, _neutral(a, neutral))
    out = function(filled, axis, keepdims=keepdims)
    return out if missing is None else where(all(missing, axis, keepdims=keepdims), math.nan, out)


def nanmax(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the largest of all elements but nan; nan if there is none."""
    return _nan_extremum(max, a, axis, keepdims, -math.inf)


def nanmin(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the smallest of all elements but nan; nan if there is none."""
    return _nan_extremum(min, a, axis, keepdims, math.inf)


def _nan_place(name: str, function: Any, a: Any, axis: Any, keepdims: bool, neutral: float) -> Any:
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
        return where(none, -1, out)
    if value.any():
        raise with_user_line(
            ValueError(f"{name}: there are only nan, along axis {axis} of shape {missing.shape}")
        )
    return out


def nanargmax(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return the position of the largest of all elements but nan.

    Raises:
        ValueError: where there are only nan; in a program that is traced, the position is -1.
    """
    return _nan_place("nanargmax", argmax, a, axis, keepdims, _neutral(a, -math.inf))


def nanargmin(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Return the position of the smallest of all elements but nan; see `nanargmax`."""
    return _nan_place("nanargmin", argmin, a, axis, keepdims, _neutral(a, math.inf))


def nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the running sum, where nan counts as 0."""
    return cumsum(_without_nan(a, 0.0)[0], axis, dtype)


def nancumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the running product, where nan counts as 1."""
    return cumprod(_without_nan(a, 1.0)[0], axis, dtype)
