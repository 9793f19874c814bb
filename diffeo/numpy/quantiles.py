"""Quantiles, percentiles and medians."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..primitives.core import describe, with_user_line
from ..primitives.identity import stop_gradient
from ..primitives.operators import broadcast_to, to_inexact
from ..primitives.sort import sort as sort_p
from ..primitives.sort import take_along_axis as take_places
from ..primitives.structural import broadcast_in_dim, convert_element_type, reshape
from ..primitives.types import is_complex
from .common import arr, axes_of, is_nan, no_out, no_such
from .creation import asarray
from .cumulative import cumsum
from .reductions import any as any_
from .reductions import sum as sum_
from .shaping import moveaxis
from .ufuncs import clip, floor, where

#: Hyndman and Fan 1996, Sample quantiles in statistical packages: a method's alpha and beta.
_CONTINUOUS = {
    "linear": (1.0, 1.0), "interpolated_inverted_cdf": (0.0, 1.0), "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0), "median_unbiased": (1 / 3, 1 / 3), "normal_unbiased": (3 / 8, 3 / 8),
}
_METHODS = (*_CONTINUOUS, "lower", "higher", "midpoint", "nearest", "inverted_cdf",
            "averaged_inverted_cdf", "closest_observation")


def _place(q: Any, count: Any, method: str) -> Any:
    """Where among `count` sorted elements the quantile lies, counted from 0."""
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        return q * count + (alpha + q * (1.0 - alpha - beta)) - 1.0
    if method.endswith("inverted_cdf"):
        return q * count - 1.0
    return q * count - 1.5 if method == "closest_observation" else q * (count - 1.0)


def _weight(weight: Any, low: Any, method: str) -> Any:
    """The weight of the element above, given the fraction of the way to it."""
    odd = low - 2 * floor(low / 2) > 0
    if method == "higher":
        return where(weight > 0, 1.0, weight)
    if method == "lower":
        return where(weight > 0, 0.0, weight)
    if method == "midpoint":
        return where(weight > 0, 0.5, weight)
    if method == "nearest":
        return where((weight > 0.5) | ((weight == 0.5) & odd), 1.0, weight * 0.0)
    if method == "inverted_cdf":
        return where(weight == 0, weight, 1.0)
    if method == "averaged_inverted_cdf":
        return where(weight == 0, 0.5, weight * 0.0 + 1.0)
    if method == "closest_observation":
        return where((weight == 0) & odd, weight, 1.0)
    return weight


def _quantile(name: str, a: Any, q: Any, axis: Any, method: str, keepdims: bool,
              skip_nan: bool, weights: Any = None) -> Any:
    if method not in _METHODS:
        raise no_such(name, "method", method, _METHODS)
    a, q = arr(to_inexact(arr(a))), asarray(q)
    if is_complex(a.dtype):
        raise with_user_line(TypeError(
            f"{name}: complex numbers have no order, got {describe(a)}"))
    q = convert_element_type(q, a.dtype)
    axes = axes_of(axis, a.ndim, name)
    kept = [i for i in range(a.ndim) if i not in axes]
    n = math.prod([a.shape[i] for i in axes])

    def as_lines(x: Any) -> Any:
        x = moveaxis(x, axes, tuple(range(len(kept), a.ndim)))
        return reshape(x, (*x.shape[:len(kept)], n))

    lines = as_lines(a)
    if weights is not None:
        weights = as_lines(_like(name, weights, a, axes, method))
    lines, *rest = sort_p([lines] if weights is None else [lines, weights], lines.ndim - 1)
    missing = is_nan(lines)
    bad = any_(missing, -1, keepdims=True)
    count = convert_element_type(sum_(~missing, -1, keepdims=True), q.dtype) if skip_nan else None
    shape = (*lines.shape[:-1], q.size)
    parts = broadcast_to(reshape(q, (1,) * len(kept) + (q.size,)), shape)
    if weights is None:
        out = _interpolated(lines, parts, float(n) if count is None else count, method)
    else:
        out, wrong = _by_weight(lines, rest[0], missing, parts)
        bad = wrong if skip_nan else bad | wrong
    if skip_nan:
        bad = (count == 0) if weights is None else bad | (count == 0)
    out = where(bad, np.nan, out)
    out = reshape(moveaxis(out, -1, 0), q.shape + lines.shape[:-1])
    if not keepdims:
        return out
    return reshape(out, q.shape + tuple([1 if i in axes else m for i, m in enumerate(a.shape)]))


def _like(name: str, weights: Any, a: Any, axes: tuple[int, ...], method: str) -> Any:
    """The weights in the shape and dtype of `a`."""
    weights = arr(weights)
    if method != "inverted_cdf" or is_complex(weights.dtype):
        raise with_user_line(ValueError(
            f"{name}: weights must be real and need method='inverted_cdf', got {method!r} and "
            f"{describe(weights)}"))
    if weights.shape not in (a.shape, tuple([a.shape[i] for i in axes])):
        raise with_user_line(ValueError(
            f"{name}: weights of shape {weights.shape} fit neither {describe(a)} nor its axes "
            f"{axes}"))
    weights = convert_element_type(weights, a.dtype)
    return weights if weights.shape == a.shape else broadcast_in_dim(weights, a.shape, axes)


def _interpolated(lines: Any, parts: Any, count: Any, method: str) -> Any:
    last = count - 1.0
    place = _place(parts, count, method)
    low = floor(place)
    weight = _weight(place - low, low, method)
    below, above = (_at_places(lines, clip(p, 0.0, last)) for p in (low, low + 1.0))
    # An infinite neighbour has no part in a result that is one of the elements.
    at_low, at_high = weight == 0, weight == 1
    mixed = where(at_high, 0.0, below) * (1.0 - weight) + where(at_low, 0.0, above) * weight
    return where(at_low, below, where(at_high, above, mixed))


def _by_weight(lines: Any, weights: Any, missing: Any, parts: Any) -> tuple[Any, Any]:
    """The first element at which the sum of weights reaches its part of all; and which lines have
    weights that are none.
    """
    wrong = (weights < 0) | is_nan(weights)
    weights = where(wrong | missing, 0.0, weights)
    total = cumsum(weights, -1)
    goal = parts * total[..., -1:]
    shape = (*parts.shape, lines.shape[-1])
    reached = broadcast_in_dim(total, shape, (*range(total.ndim - 1), total.ndim))
    goal = broadcast_in_dim(goal, shape, range(parts.ndim))
    place = sum_((reached < goal) | (reached == 0), -1)
    kept = sum_(~missing, -1, keepdims=True) - 1
    place = where(place > kept, kept, place)
    return _at_places(lines, where(place < 0, 0, place)), any_(wrong, -1, keepdims=True)


def _at_places(lines: Any, places: Any) -> Any:
    index = convert_element_type(stop_gradient(places), np.int64)
    return take_places(lines, index, lines.ndim - 1)


def quantile(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
             method: str = "linear", keepdims: bool = False, *, weights: Any = None) -> Any:
    """The value below which the fraction `q` of the elements lies; nan if there is a nan.

    Args:
        a: An array.
        q: Fractions in [0, 1], traced or not; their axes come first in the result.
        axis: The axes over which to look, all by default.
        out: None, as arrays never change.
        overwrite_input: Without meaning here.
        method: One of NumPy's: 'linear', 'lower', 'higher', 'midpoint', 'nearest',
            'inverted_cdf', 'averaged_inverted_cdf', 'closest_observation',
            'interpolated_inverted_cdf', 'hazen', 'weibull', 'median_unbiased' or
            'normal_unbiased'.
        keepdims: Keep the axes with size 1.
        weights: How often each element counts, in the shape of `a` or of its axes; for
            'inverted_cdf'. Where one is negative or nan, the result is nan.

    Raises:
        TypeError: for complex numbers, or if `out` is given.
        ValueError: for an unknown method, or weights that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> quantile(dx.numpy.arange(5.0), 0.3)
        Array(1.2)
    """
    if out is not None:
        raise no_out("quantile")
    return _quantile("quantile", a, q, axis, method, keepdims, False, weights)


def percentile(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
               method: str = "linear", keepdims: bool = False, *, weights: Any = None) -> Any:
    """`quantile` with `q` in percent."""
    return quantile(a, asarray(q) / 100, axis, out, overwrite_input, method, keepdims,
                    weights=weights)


def median(a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
           keepdims: bool = False) -> Any:
    """The middle element of the sorted ones; nan if there is a nan."""
    return quantile(a, 0.5, axis, out, overwrite_input, "midpoint", keepdims)


def nanquantile(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
                method: str = "linear", keepdims: bool = False, *, weights: Any = None) -> Any:
    """`quantile` of all elements but nan."""
    if out is not None:
        raise no_out("nanquantile")
    return _quantile("nanquantile", a, q, axis, method, keepdims, True, weights)


def nanpercentile(a: Any, q: Any, axis: Any = None, out: None = None,
                  overwrite_input: bool = False, method: str = "linear", keepdims: bool = False,
                  *, weights: Any = None) -> Any:
    """`percentile` of all elements but nan."""
    return nanquantile(a, asarray(q) / 100, axis, out, overwrite_input, method, keepdims,
                       weights=weights)


def nanmedian(a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
              keepdims: bool = False) -> Any:
    """`median` of all elements but nan."""
    return nanquantile(a, 0.5, axis, out, overwrite_input, "midpoint", keepdims)
