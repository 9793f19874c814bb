"""Statistics of samples: modes, ranks, standard errors."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...lax.cumulative import cummax, cummin
from ...numpy.choosing import where
from ...numpy.common import arr, axis_of, holds_floats, no_such, real_only, safe_sqrt, static_int
from ...numpy.joining import concatenate
from ...numpy.places.selecting import take_along_axis
from ...numpy.reducing.comparing import argmax
from ...numpy.reducing.cumulative import cumsum
from ...numpy.reducing.nanreductions import nanvar
from ...numpy.reducing.reductions import any as any_of
from ...numpy.reducing.reductions import sum as sum_of
from ...numpy.reducing.sorting import argsort, sort
from ...numpy.reducing.spread import var
from ...numpy.shaping import expand_dims, moveaxis
from ...operations.identity import stop_gradient
from ...primitives.array import Array, known
from ...primitives.core import Value, with_user_line
from ...primitives.support.errors import ConcretizationTypeError
from ...primitives.types import default_dtype
from ...primitives.words import elementwise as e
from ...primitives.words.promotion import to_inexact
from ...primitives.words.structural import convert_element_type
from ...typing import ArrayLike

_POLICIES = ("propagate", "omit", "raise")
_METHODS = ("average", "min", "max", "dense", "ordinal")


class ModeResult(NamedTuple):
    """The most common values, and how often they occur."""

    mode: Any
    count: Any


def _checked(name: str, a: Any, nan_policy: str) -> Any:
    """Return a sample as an array; with the policy "raise", a ValueError if it holds a nan."""
    if nan_policy not in _POLICIES:
        raise no_such(name, "nan_policy", nan_policy, _POLICIES)
    a = real_only(name, arr(a))
    if nan_policy == "raise" and holds_floats(a):
        values = known(a)
        if values is None:
            raise with_user_line(
                ConcretizationTypeError(
                    f"{name}: nan_policy='raise' needs known numbers, but this {a.aval} is traced; "
                    "use 'propagate' or 'omit'"
                )
            )
        if np.isnan(values).any():
            raise with_user_line(ValueError(f"{name}: the input holds nan, and nan_policy='raise'"))
    return a


def _is_nan(x: Value) -> Any:
    return e.ne.bind(x, x)


def _runs(x: Value) -> tuple[Any, Any, Any]:
    """Return, for sorted numbers along the last axis, where runs of equal ones begin.

    These are booleans, and for each element the index of the first and of the last of its run. All
    nans are equal.
    """
    before, after = x[..., :-1], x[..., 1:]
    differs = (before != after) & ~(_is_nan(before) & _is_nan(after))
    edge = x[..., :1] == x[..., :1]
    edge = edge | ~edge
    begins, ends = concatenate([edge, differs], -1), concatenate([differs, edge], -1)
    n, axis = x.shape[-1], x.ndim - 1
    index = Array(np.arange(n)) + convert_element_type(begins, np.int64) * 0
    first = cummax(where(begins, index, 0), axis)
    return begins, first, cummin(where(ends, index, n - 1), axis, reverse=True)


def _to_last(a: Any, axis: int | None, name: str) -> tuple[Any, int]:
    """Return the array with an axis moved to the end; None flattens."""
    a = a.reshape((-1,)) if axis is None or not a.ndim else a
    place = axis_of(0 if axis is None else axis, a.ndim, name)
    return moveaxis(a, place, -1), place


def mode(
    a: Any, axis: int | None = 0, nan_policy: str = "propagate", keepdims: bool = False
) -> ModeResult:
    """Find the most common values along an axis; the smallest one of several.

    Args:
        a: real numbers.
        axis: None for all elements.
        nan_policy: "propagate" counts nan as a value, "omit" leaves it out, "raise" is an error
            for nan, where the numbers are known.
        keepdims: keep the axis, with size 1.

    Returns:
        `(mode, count)`; nan and 0 if there is nothing to count.

    Raises:
        ValueError: for another policy or axis, or for nan with "raise".

    Examples:
        >>> import diffeo as dx
        >>> mode(dx.numpy.array([2, 4, 1, 1, 4]))
        ModeResult(mode=Array(1), count=Array(2))
    """
    a = _checked("mode", a, nan_policy)
    shape = a.shape
    x, place = _to_last(a, axis, "mode")
    if not x.shape[-1]:
        values = Array(np.full(x.shape[:-1], math.nan, default_dtype(float)))
        counts = Array(np.zeros(x.shape[:-1], np.int64))
    else:
        x = sort(x, -1)
        _, first, last = _runs(x)
        sizes = last - first + 1
        if nan_policy == "omit" and holds_floats(x):
            sizes = where(_is_nan(x), 0, sizes)
        best = expand_dims(argmax(sizes, -1), -1)
        values, counts = (take_along_axis(v, best, -1)[..., 0] for v in (x, sizes))
        if nan_policy == "omit" and holds_floats(x):
            values = where(counts == 0, math.nan, values)
    if keepdims:
        full = (1,) * len(shape) if axis is None else tuple(
            [1 if i == place else n for i, n in enumerate(shape)])  # fmt: skip
        values, counts = values.reshape(full), counts.reshape(full)
    return ModeResult(values, counts)


def rankdata(
    a: ArrayLike, method: str = "average", *, axis: int | None = None, nan_policy: str = "propagate"
) -> Any:
    """Compute the ranks of elements, which begin with 1.

    Args:
        a: real numbers.
        method: what equal elements get: the "average" of their ranks, their "min" or "max", the
            same rank without gaps ("dense"), or different ranks in their order ("ordinal").
        axis: along which; None for all elements.
        nan_policy: with "propagate" all ranks are nan where one element is; with "omit" only its
            own; "raise" is an error for nan, where the numbers are known.

    Returns:
        An array of floats of the shape of `a`, or flat for `axis=None`.

    Raises:
        ValueError: for another method, policy or axis, or for nan with "raise".

    Examples:
        >>> import diffeo as dx
        >>> rankdata(dx.numpy.array([1, 3, 2, 3]))
        Array([1. , 3.5, 2. , 3.5])
    """
    if method not in _METHODS:
        raise no_such("rankdata", "method", method, _METHODS)
    a = stop_gradient(_checked("rankdata", a, nan_policy))
    x, place = _to_last(a, axis, "rankdata")
    dtype = default_dtype(float)
    if not x.size:
        return moveaxis(convert_element_type(x, dtype), -1, place)
    order = argsort(x, -1)
    begins, first, last = _runs(take_along_axis(x, order, -1))
    index = first * 0 + Array(np.arange(x.shape[-1]))
    ranks = {
        "average": lambda: 0.5 * convert_element_type(first + last, dtype) + 1.0,
        "min": lambda: first + 1,
        "max": lambda: last + 1,
        "dense": lambda: cumsum(convert_element_type(begins, np.int64), -1),
        "ordinal": lambda: index + 1,
    }[method]()
    out = convert_element_type(take_along_axis(ranks, argsort(order, -1), -1), dtype)
    if holds_floats(x):
        nan = _is_nan(x)
        if nan_policy != "omit":
            nan = any_of(nan, -1, keepdims=True)
        out = where(nan, math.nan, out)
    return moveaxis(out, -1, place)


def sem(
    a: ArrayLike, axis: int | None = 0, ddof: int = 1, nan_policy: str = "propagate", *,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    """Compute the standard error of the mean along an axis.

    Args:
        a: real numbers.
        axis: None for all elements.
        ddof: what is subtracted from the number of elements, for the variance.
        nan_policy: "propagate", "omit" leaves nan out, "raise" is an error for nan, where the
            numbers are known.
        keepdims: keep the axis, with size 1.

    Raises:
        ValueError: for another policy or axis, or for nan with "raise".

    Examples:
        >>> import diffeo as dx
        >>> sem(dx.numpy.array([1.0, 2.0, 3.0, 6.0]))
        Array(1.08012345)
    """
    x = arr(to_inexact(_checked("sem", a, nan_policy)))
    ddof = static_int(ddof, "sem", "ddof")
    if nan_policy == "omit":
        count = convert_element_type(sum_of(~_is_nan(x), axis, keepdims=keepdims), x.dtype)
        spread = nanvar(x, axis, ddof=ddof, keepdims=keepdims)
    else:
        count = x.size if axis is None else x.shape[axis_of(axis, x.ndim, "sem")]
        spread = var(x, axis, ddof=ddof, keepdims=keepdims)
    return safe_sqrt(arr(spread / count))
