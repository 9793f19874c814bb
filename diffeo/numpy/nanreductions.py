"""Reductions that skip nan."""

from __future__ import annotations

import math
from typing import Any

from ..primitives import elementwise as e
from ..primitives.types import is_inexact
from .common import arr, is_nan, safe_sqrt
from .cumulative import cumprod, cumsum
from .reductions import all, argmax, argmin, max, mean, min, prod, sum, var
from .ufuncs import isnan, where


def _without_nan(a: Any, value: Any) -> tuple[Any, Any]:
    a = arr(a)
    return (e.select(is_nan(a), value, a), is_nan(a)) if is_inexact(a.aval.dtype) else (a, None)


def nansum(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """The sum of all elements but nan."""
    return sum(_without_nan(a, 0.0)[0], axis, dtype, keepdims=keepdims)


def nanprod(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """The product of all elements but nan."""
    return prod(_without_nan(a, 1.0)[0], axis, dtype, keepdims=keepdims)


def nanmean(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """The mean of all elements but nan; nan if there is none."""
    a = arr(a)
    return mean(a, axis, dtype, keepdims=keepdims, where=~isnan(a))


def nanvar(a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0,
           keepdims: bool = False) -> Any:
    """The variance of all elements but nan."""
    a = arr(a)
    return var(_without_nan(a, 0.0)[0], axis, dtype, None, ddof, keepdims, where=~isnan(a))


def nanstd(a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0,
           keepdims: bool = False) -> Any:
    """The standard deviation of all elements but nan."""
    return safe_sqrt(nanvar(a, axis, dtype, ddof, keepdims))


def _nan_extremum(function: Any, a: Any, axis: Any, keepdims: bool, neutral: float) -> Any:
    filled, missing = _without_nan(a, neutral)
    out = function(filled, axis, keepdims=keepdims)
    return out if missing is None else where(all(missing, axis, keepdims=keepdims), math.nan, out)


def nanmax(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest of all elements but nan; nan if there is none."""
    return _nan_extremum(max, a, axis, keepdims, -math.inf)


def nanmin(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest of all elements but nan; nan if there is none."""
    return _nan_extremum(min, a, axis, keepdims, math.inf)


def nanargmax(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The place of the largest of all elements but nan."""
    return argmax(_without_nan(a, -math.inf)[0], axis, keepdims=keepdims)


def nanargmin(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The place of the smallest of all elements but nan."""
    return argmin(_without_nan(a, math.inf)[0], axis, keepdims=keepdims)


def nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running sum, nan counted as 0."""
    return cumsum(_without_nan(a, 0.0)[0], axis, dtype)


def nancumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running product, nan counted as 1."""
    return cumprod(_without_nan(a, 1.0)[0], axis, dtype)
