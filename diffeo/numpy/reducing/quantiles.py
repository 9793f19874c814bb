"""Quantiles, percentiles and medians, also without nan and with weights.

All functions call `_quantile`. It moves the reduced axes to the end as one axis: each *line* along
that axis gives one result for each fraction in `q`. The quantile of a sorted line lies at a real
position (`_place`), between the elements below and above; `_weight` says how much of the element
above the result takes. Of the elements 10, 20, 30 and q = 0.75, the method 'linear' finds the
position 1.5, so the result is half of 20 and half of 30.

There are three ways: known fractions without weights, whose positions are numbers (`_of_known`);
traced fractions, or a count of elements that depends on nan (`_interpolated`); and weights
(`_by_weight`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...operations.identity import stop_gradient
from ...operations.sort import sort as sort_p
from ...operations.sort import take_along_axis as take_places
from ...primitives.array import Array
from ...primitives.core import Tracer, Value, describe, with_user_line
from ...primitives.types import is_complex
from ...primitives.words.promotion import broadcast_to, to_inexact
from ...primitives.words.structural import broadcast_in_dim, convert_element_type, reshape
from ...typing import ArrayLike
from ..choosing import where
from ..common import arr, axes_of, by_numpy, is_nan, no_out, no_sharding, no_such, quotient, rounded
from ..limiting import clip
from ..making.creation import asarray, full
from ..places.indexing import getitem
from ..shaping import moveaxis
from ..ufuncs import floor
from .cumulative import cumsum
from .reductions import any as any_
from .reductions import sum as sum_

#: The methods that interpolate -> (alpha, beta), the parameters of Hyndman and Fan 1996, Sample
#: quantiles in statistical packages.
_CONTINUOUS = {
    "linear": (1.0, 1.0),
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
_METHODS = (
    *_CONTINUOUS,
    "lower",
    "higher",
    "midpoint",
    "nearest",
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
)


def _place(q: Any, count: Any, method: str, product: Callable) -> Any:
    """Return the real position of a quantile among `count` sorted elements, counted from 0.

    The formulas are NumPy's. `product` multiplies two numbers and rounds the result.
    """
    if method in _CONTINUOUS and method != "linear":
        alpha, beta = _CONTINUOUS[method]
        return product(q, count) + (alpha + product(q, 1.0 - alpha - beta)) - 1.0
    if method.endswith("inverted_cdf"):
        return product(q, count) - 1.0
    if method == "closest_observation":
        return product(q, count) - 1.0 - 0.5
    return product(q, count - 1.0)


def _rounded_product(q: Value, count: Any) -> Any:
    """Multiply a fraction and a count so that XLA rounds the product before it is used further."""
    return rounded(q * count, 2.0 * count + 2.0)


def _weight(weight: Any, low: Any, method: str, where: Callable) -> Any:
    """Return the weight of the element above, given the fraction of the way to it.

    `low` is the position of the element below. `where` is NumPy's, or diffeo's for traced numbers.
    """
    odd = low % 2.0 == 1.0
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


def _quantile(
    name: str,
    a: Any,
    q: Any,
    axis: Any,
    method: str,
    keepdims: bool,
    skip_nan: bool,
    weights: Any = None,
) -> Any:
    """Compute quantiles for all functions of this file; `name` is the function, for messages."""
    if method not in _METHODS:
        raise no_such(name, "method", method, _METHODS)
    a, q = arr(to_inexact(asarray(a))), _parts(name, q)
    if is_complex(a.dtype) and not name.endswith("median"):  # as in NumPy
        raise with_user_line(
            TypeError(
                f"{name}: expects real numbers, got {describe(a)}; complex ones have a median"
            )
        )
    axes = axes_of(axis, a.ndim, name)
    kept = [i for i in range(a.ndim) if i not in axes]
    n = math.prod([a.shape[i] for i in axes])

    def as_lines(x: Value) -> Any:
        x = moveaxis(x, axes, tuple(range(len(kept), a.ndim)))
        return reshape(x, (*x.shape[: len(kept)], n))

    lines = as_lines(a)
    if not lines.size or not q.size:
        return _of_none(name, lines, q, a, axes, keepdims)
    if weights is not None:
        weights = as_lines(_like(name, weights, a, axes, method))
    if weights is None and not skip_nan and isinstance(q, np.ndarray):
        return _of_known(lines, q, a, axes, method, keepdims)
    # Sorting puts nan at the end of a line, and takes the weights with their elements.
    lines, *sorted_weights = sort_p(
        [lines] if weights is None else [lines, weights], lines.ndim - 1
    )
    missing = is_nan(lines)
    bad = any_(missing, -1, keepdims=True)
    count = sum_(~missing, -1, keepdims=True) if skip_nan else None
    shape = (*lines.shape[:-1], q.size)
    parts = broadcast_to(reshape(asarray(q), (1,) * len(kept) + (q.size,)), shape)
    if weights is None:
        many = float(n) if count is None else convert_element_type(count, q.dtype)
        out = _interpolated(lines, parts, many, method)
    else:
        parts = convert_element_type(parts, a.dtype)
        out, wrong = _by_weight(lines, sorted_weights[0], missing, parts)
        bad = wrong if skip_nan else bad | wrong
    # With `skip_nan`, nan in a line is no reason for a nan result, unless nothing else is left.
    if skip_nan:
        bad = (count == 0) if weights is None else bad | (count == 0)
    out = where(bad, np.nan, out)
    return _shaped(out, q, a, axes, keepdims)


def _shaped(out: Value, q: Any, a: Value, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Return a result in the shape that NumPy gives it: the axes of `q` first.

    `out` has one axis for all of `q`, at its end. `a` is the array that was reduced over `axes`.
    """
    remaining = tuple(
        [1 if i in axes else m for i, m in enumerate(a.shape)]
        if keepdims
        else [m for i, m in enumerate(a.shape) if i not in axes]
    )
    return reshape(moveaxis(out, -1, 0), q.shape + remaining)


def _of_none(
    name: str, lines: Value, q: np.ndarray, a: Value, axes: tuple[int, ...], keepdims: bool
) -> Any:
    """Return the quantiles of lines without elements, or for no `q`.

    Lines without elements give nan for nanquantile and the medians.

    Raises:
        IndexError: for lines without elements in `quantile`, if there is a `q`.
    """
    if name == "quantile" and q.size and math.prod(lines.shape[:-1]):
        raise with_user_line(
            IndexError(f"{name}: {describe(a)} has no elements along the axes {axes}")
        )
    out = full((*lines.shape[:-1], q.size), np.nan, a.dtype)
    return _shaped(out, q, a, axes, keepdims)


def _numbers(q: Any) -> Any:
    """Return fractions or percents as a NumPy array if they are known, else as a tracer."""
    q = q if isinstance(q, (int, float, np.ndarray, np.generic)) else asarray(q)
    return q if isinstance(q, Tracer) else np.asarray(q)


def _parts(name: str, q: Any) -> Any:
    """Return the fractions in a dtype in which positions are computed: float64, or float32.

    Raises:
        TypeError: for complex fractions.
        ValueError: for known fractions outside of [0, 1].
    """
    q = _numbers(q)
    dtype = np.dtype(np.float32 if q.dtype == np.float32 else np.float64)
    if q.dtype.kind == "c":
        raise with_user_line(TypeError(f"{name}: q must be real, got {describe(q)}"))
    if isinstance(q, Tracer):
        return convert_element_type(q, dtype)
    q = q.astype(dtype)
    if not np.all((q >= 0) & (q <= 1)):
        raise with_user_line(
            ValueError(
                f"{name}: q must be in [0, 1] (percentiles in [0, 100]), got the fractions {q}"
            )
        )
    return q


def _like(name: str, weights: Any, a: Value, axes: tuple[int, ...], method: str) -> Any:
    """Return the weights in the shape and dtype of `a`; ValueError for weights that do not fit."""
    weights = arr(weights)
    if method != "inverted_cdf" or is_complex(weights.dtype):
        raise with_user_line(
            ValueError(
                f"{name}: weights must be real and need method='inverted_cdf', got {method!r} and "
                f"{describe(weights)}"
            )
        )
    if weights.shape not in (a.shape, tuple([a.shape[i] for i in axes])):
        raise with_user_line(
            ValueError(
                f"{name}: weights of shape {weights.shape} fit neither {describe(a)} nor its axes "
                f"{axes}"
            )
        )
    weights = convert_element_type(weights, a.dtype)
    return weights if weights.shape == a.shape else broadcast_in_dim(weights, a.shape, axes)


def _of_known(
    lines: Value, q: np.ndarray, a: Value, axes: tuple[int, ...], method: str, keepdims: bool
) -> Any:
    """Return the quantiles at known fractions, whose positions NumPy computes.

    So it is known which few elements of a sorted line are needed. The last one is needed, too: it
    is nan if any element is, as nan is sorted to the end.
    """
    last = lines.shape[-1] - 1
    position = np.asarray(_place(q.reshape(-1), lines.shape[-1], method, np.multiply))
    low = np.floor(position)
    weight = _weight(position - low, low, method, np.where)
    at = [np.clip(p, 0, last).astype(np.int64) for p in (low, low + 1)]
    needed = np.unique(np.concatenate([*at, [last]]))
    # `np.partition` puts just these elements where a sort would put them.
    ordered = by_numpy(lambda v: np.partition(v, needed, -1), lines)
    if ordered is None:
        ordered = sort_p([lines], lines.ndim - 1)[0]
    below, above = (getitem(ordered, (..., i)) for i in at)
    weights = Array(np.broadcast_to(weight.astype(lines.dtype), below.shape))
    bad = is_nan(getitem(ordered, (..., slice(last, None))))
    return _shaped(where(bad, np.nan, _mixed(below, above, weights)), q, a, axes, keepdims)


def _interpolated(lines: Value, parts: Value, count: Any, method: str) -> Any:
    """Return the quantiles at fractions or counts that are traced; lines are sorted."""
    last = count - 1.0
    position = _place(parts, count, method, _rounded_product)
    low = floor(position)
    weight = _weight(position - low, low, method, where)
    below, above = (_at_places(lines, clip(p, 0.0, last)) for p in (low, low + 1.0))
    return _mixed(below, above, convert_element_type(weight, lines.dtype))


def _mixed(below: Value, above: Value, weight: Value) -> Any:
    """Return `below * (1 - weight) + above * weight`."""
    # An infinite neighbour has no part in a result that is one of the elements.
    at_low, at_high = weight == 0, weight == 1
    mixed = where(at_high, 0.0, below) * (1.0 - weight) + where(at_low, 0.0, above) * weight
    return where(at_low, below, where(at_high, above, mixed))


def _by_weight(lines: Value, weights: Value, missing: Value, parts: Value) -> tuple[Any, Any]:
    """Return the first element at which the sum of weights reaches its part of the whole sum.

    The second result says which lines have a weight that is negative or nan. `missing` says which
    elements are nan. The fractions are `parts`.
    """
    wrong = (weights < 0) | is_nan(weights)
    weights = where(wrong | missing, 0.0, weights)
    total = cumsum(weights, -1)
    goal = parts * total[..., -1:]
    shape = (*parts.shape, lines.shape[-1])
    reached = broadcast_in_dim(total, shape, (*range(total.ndim - 1), total.ndim))
    goal = broadcast_in_dim(goal, shape, range(parts.ndim))
    # The position of the element is the number of sums before it that do not reach the goal.
    # Elements in front with weight 0 are never the result.
    position = sum_((reached < goal) | (reached == 0), -1)
    kept = sum_(~missing, -1, keepdims=True) - 1
    position = where(position > kept, kept, position)
    return _at_places(lines, where(position < 0, 0, position)), any_(wrong, -1, keepdims=True)


def _at_places(lines: Value, places: Value) -> Any:
    index = convert_element_type(stop_gradient(places), np.int64)
    return take_places(lines, index, lines.ndim - 1)


def quantile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: ArrayLike | None = None,
) -> Any:
    """Return the value below which the fraction `q` of the elements lies; nan if there is a nan.

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
        ValueError: for an unknown method, known fractions outside of [0, 1], or weights that do not
            fit.
        IndexError: if there are no elements.

    Examples:
        >>> import diffeo as dx
        >>> quantile(dx.numpy.arange(5.0), 0.3)
        Array(1.2)
    """
    if out is not None:
        raise no_out("quantile")
    return _quantile("quantile", a, q, axis, method, keepdims, False, weights)


def _of_hundred(q: Any) -> Any:
    """Return percents as fractions; NumPy divides known ones."""
    q = _numbers(q)
    return q / 100 if isinstance(q, np.ndarray) else quotient(arr(to_inexact(q)), 100.0)


def percentile(
    a: ArrayLike,
    q: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Return `quantile` with `q` in percent."""
    if out_sharding is not None:
        raise no_sharding("percentile", out_sharding)
    return quantile(
        a, _of_hundred(q), axis, out, overwrite_input, method, keepdims, weights=weights
    )


def median(
    a: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Any:
    """Return the middle of the sorted elements; nan if there is a nan.

    Of an even number of elements, that is the mean of the two in the middle.
    """
    if out is not None:
        raise no_out("median")
    return _quantile("median", a, 0.5, axis, "midpoint", keepdims, False)


def nanquantile(
    a: ArrayLike,
    q: ArrayLike,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Any:
    """Return `quantile` of all elements but nan."""
    if out is not None:
        raise no_out("nanquantile")
    return _quantile("nanquantile", a, q, axis, method, keepdims, True, weights)


def nanpercentile(
    a: ArrayLike,
    q: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: Any = None,
) -> Any:
    """Return `percentile` of all elements but nan."""
    return nanquantile(
        a, _of_hundred(q), axis, out, overwrite_input, method, keepdims, weights=weights
    )


def nanmedian(
    a: ArrayLike,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Any:
    """Return `median` of all elements but nan."""
    if out is not None:
        raise no_out("nanmedian")
    return _quantile("nanmedian", a, 0.5, axis, "midpoint", keepdims, True)
