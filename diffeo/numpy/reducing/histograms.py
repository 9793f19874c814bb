"""Counts of integers (bincount), and of numbers in bins (histograms).

With all operands in memory, NumPy counts. Otherwise `_bins_of` computes the number of each
element's bin, and the counts are sums at these numbers: `zeros.at[number].add(1)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...primitives.array import Array, known
from ...primitives.core import Value, describe, state, with_user_line
from ...primitives.types import default_dtype
from ...primitives.words.promotion import to_inexact
from ...primitives.words.structural import convert_element_type, iota, reshape
from ..choosing import where
from ..common import arr, concrete, host_of, no_sharding, same_dtype, static_int
from ..joining import stack
from ..making.creation import asarray, full_like, zeros
from ..making.ranges import linspace
from ..places.indexing import getitem
from .reductions import sum as sum_
from .sorting import in_order, searchsorted, sort


def bincount(
    x: Any,
    weights: Any = None,
    minlength: int = 0,
    *,
    length: int | None = None,
    out_sharding: Any = None,
) -> Any:
    """Count how often each of 0, 1, 2 ... occurs, or sum weights for each.

    Args:
        x: A vector of integers that are not negative.
        weights: None, or how much each element counts.
        minlength: How many numbers are counted at least.
        length: How many numbers are counted; larger ones are left out. A traced `x` needs it; its
            negative numbers count as 0.

    Raises:
        TypeError: for numbers that are no integers.
        ValueError: for other shapes, or known negative numbers.

    Examples:
        >>> import diffeo as dx
        >>> bincount(dx.numpy.array([0, 2, 2]))
        Array([1, 0, 2])
    """
    if out_sharding is not None:
        raise no_sharding("bincount", out_sharding)
    x, weights = asarray(x), None if weights is None else asarray(weights)
    minlength = static_int(minlength, "bincount", "minlength")
    if x.ndim != 1 or (weights is not None and weights.shape != x.shape) or minlength < 0:
        raise with_user_line(
            ValueError(
                "bincount: expects vectors of one size and a minlength of 0 or more, got "
                f"{describe(x)}"
                f", weights {None if weights is None else describe(weights)}, {minlength=}"
            )
        )
    if x.dtype.kind not in "biu" and x.size:
        raise with_user_line(TypeError(f"bincount: expects integers, got {describe(x)}"))
    value = known(x) if length is not None else concrete(x, "bincount", "Give `length`.")
    if value is not None and value.size and value.min() < 0:
        raise with_user_line(
            ValueError(f"bincount: numbers must not be negative, the least one is {value.min()}")
        )
    if length is None:
        length = max(int(value.max()) + 1 if value.size else 0, minlength)  # type: ignore
    host = host_of(x), None if weights is None else host_of(weights)
    if host[0] is not None and (weights is None or getattr(host[1], "dtype", None) == np.float64):
        counts = np.bincount(host[0].astype(np.int64, copy=False), host[1], length)[:length]
        return Array(counts if weights is not None else counts.astype(default_dtype(int)))
    ones = full_like(x, 1, default_dtype(int)) if weights is None else weights
    x = convert_element_type(x, np.int64) if x.dtype.kind in "bf" else x
    x = where(x < 0, 0, x) if value is None and x.dtype.kind == "i" else x
    return zeros(length, ones.dtype).at[x].add(ones, mode="drop")


def _span(name: str, a: Any, span: Any) -> tuple[Any, Any]:
    """Return the ends of equal bins: those of `range`, or the extrema of `a`.

    Equal ends are moved apart by 0.5 each.
    """
    if span is not None:
        low, high = span
        first, last = (known(asarray(v)) for v in (low, high))
        if first is not None and last is not None and not -np.inf < first <= last < np.inf:
            raise with_user_line(
                ValueError(f"{name}: range must be two finite numbers in order, got {(low, high)}")
            )
    else:
        low, high = (
            (full_like(a, v, shape=()) for v in (0, 1))
            if not a.size
            else (getitem(sort(a, None), i) for i in (0, -1))
        )
    same = asarray(low) == asarray(high)
    return where(same, low - 0.5, low), where(same, high + 0.5, high)


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """Return the edges of `bins` equal bins over the range of `a`.

    Args:
        a: Numbers, in any shape.
        bins: A number of bins, edges in order, or for known numbers the name of one of NumPy's
            rules ('auto', 'fd', 'sturges' ...).
        range: None for the range of `a`, or the two ends.
        weights: As of `histogram`.

    Raises:
        ValueError: for bins that are not positive or not in order, or a range that is not finite
            or not in order.
    """
    a = asarray(a)
    hosts = _hosts(a, bins, range, weights)
    if hosts is not None:
        return Array(np.asarray(_checked("histogram_bin_edges", np.histogram_bin_edges, *hosts)))
    if isinstance(bins, str):
        concrete(a, "histogram_bin_edges", "Give the number of bins.")
    bins = bins if isinstance(bins, int) else asarray(bins)
    if not isinstance(bins, int) and bins.ndim:
        value = known(bins)
        if bins.ndim > 1 or (value is not None and not in_order(value)):
            raise with_user_line(
                ValueError(f"histogram: bins must be a vector that increases, got {describe(bins)}")
            )
        return bins
    count = static_int(bins, "histogram", "the number of bins")
    if count < 1:
        raise with_user_line(ValueError(f"histogram: needs a bin or more, got {count}"))
    a = arr(to_inexact(a))
    low, high = _span("histogram", a, range)
    low, high = (convert_element_type(asarray(v), a.dtype) for v in (low, high))
    edges = linspace(low, high, count + 1)
    return where(iota(np.int64, edges.shape, 0) == 0, low, edges)  # the sum may make a 0 of it


def _hosts(a: Any, bins: Any, *rest: Any) -> list[Any] | None:
    """Return the operands as NumPy's histograms take them.

    None is returned under a transformation, and for operands that are not in memory, or of dtypes
    that NumPy does not have.
    """
    hosts = []
    for x in (a, bins, *rest):
        if isinstance(x, Value):
            x = host_of(x)
            if x is None or x.dtype.kind not in "biuf":
                return None
        elif isinstance(x, (tuple, list)) and any([isinstance(v, Value) for v in x]):
            x = [np.asarray(host_of(v)) if isinstance(v, Value) else v for v in x]
            if any([v.dtype == object for v in x if isinstance(v, np.ndarray)]):
                return None
        hosts.append(x)
    return hosts if state.trace.eager else None


def _checked(name: str, function: Callable, *args: Any) -> Any:
    """Call a function of NumPy; its errors get the name of our function and the user's line."""
    try:
        return function(*args)
    except (ValueError, TypeError) as error:
        raise with_user_line(type(error)(f"{name}: {error}")) from None


def _bins_of(x: Any, edges: Value) -> tuple[Any, Any]:
    """Return the number of each element's bin, and whether there is such a bin.

    A bin has its left edge in it, and the last bin both edges.
    """
    count = edges.shape[0] - 1
    number = searchsorted(edges, x, "right") - 1
    number = where(x == getitem(edges, -1), count - 1, number)
    return number, (number >= 0) & (number < count)


def histogram(
    a: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool | None = None
) -> tuple[Any, Any]:
    """Count how many elements lie in each bin; return (counts, edges).

    The last bin has its right edge in it.

    Args:
        a: Numbers, in any shape.
        bins, range: As of `histogram_bin_edges`.
        weights: None, or how much each element counts, in the shape of `a`.
        density: Divide by the sum of all counts and by the sizes of the bins.

    Raises:
        ValueError: as `histogram_bin_edges`, or for weights of another shape.
    """
    a, weights = asarray(a), None if weights is None else asarray(weights)
    if weights is not None and weights.shape != a.shape:
        raise with_user_line(
            ValueError(f"histogram: weights of shape {weights.shape} do not fit shape {a.shape}")
        )
    hosts = _hosts(a, bins, range, density, weights)
    if hosts is not None:
        counts, edges = _checked("histogram", np.histogram, *hosts)
        if density:
            over = edges.dtype if weights is None else np.result_type(edges, weights.dtype)
            counts = counts.astype(over)
        elif weights is None:
            counts = counts.astype(default_dtype(int))
        return Array(counts), Array(edges)
    a = reshape(a, (a.size,))
    edges = histogram_bin_edges(a, bins, range)
    count = edges.shape[0] - 1
    number, inside = _bins_of(a, edges)
    ones = (
        convert_element_type(inside, default_dtype(int))
        if weights is None
        else reshape(weights, (a.size,))
    )
    out = zeros(count, ones.dtype).at[where(inside, number, count)].add(ones, mode="drop")
    if density:
        out = out / (edges[1:] - edges[:-1]) / sum_(out)
    return out, edges


def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool | None = None
) -> tuple[Any, list[Any]]:
    """Count how many points lie in each cell of a grid.

    Args:
        sample: Points (n, d).
        bins: A number of equal bins, or for each coordinate such a number or a vector of edges.
        range: None, or for each coordinate None or the ends (low, high) of its bins.
        weights: None, or how much each point counts, (n,).
        density: Divide by the sum of all counts and by the sizes of the cells.

    Returns:
        (counts with d axes, the edges along each axis); the last bins have their right edges in
        them.

    Raises:
        ValueError: for other shapes, or lists of other lengths.

    Examples:
        >>> import diffeo as dx
        >>> histogramdd(dx.numpy.array([[0.0, 0.0], [1.0, 3.0]]), 2)[0]
        Array([[1., 0.],
               [0., 1.]])
    """
    sample = asarray(sample)
    if sample.ndim == 2:
        hosts = _hosts(sample, bins, range, density, weights)
        if hosts is not None and all(
            [isinstance(v, (int, np.ndarray, list, tuple, type(None))) for v in hosts]
        ):
            counts, edges = _checked("histogramdd", np.histogramdd, *hosts)
            dtype = arr(to_inexact(sample)).dtype
            kind = dtype if weights is None else asarray(weights).dtype
            kind = np.result_type(kind, dtype) if density else kind
            return Array(counts.astype(kind)), [Array(v.astype(dtype)) for v in edges]
    x = arr(to_inexact(reshape(sample, (-1, 1)) if sample.ndim == 1 else sample))
    if x.ndim != 2:
        raise with_user_line(ValueError(f"histogramdd: expects points (n, d), got {describe(x)}"))
    count = x.shape[1]
    bins = [bins] * count if isinstance(bins, int) else list(bins)
    spans = [None] * count if range is None else list(range)
    if len(bins) != count or len(spans) != count:
        raise with_user_line(
            ValueError(
                f"histogramdd: {len(bins)} bins and {len(spans)} ranges do not go with {count} "
                "coordinates"
            )
        )
    columns = [x[:, i] for i, _ in enumerate(bins)]
    edges = [histogram_bin_edges(*v) for v in zip(columns, bins, spans)]
    shape = tuple([v.shape[0] - 1 for v in edges])
    cell, inside = zeros(x.shape[:1], default_dtype(int)), x[:, 0] == x[:, 0] if count else True
    # The number of a point's cell in the flat array of cells, row by row.
    for column, edge, n in zip(columns, edges, shape):
        number, within = _bins_of(column, edge)
        inside = inside & within
        cell = cell * n + number
    total = math.prod(shape)
    values = full_like(columns[0], 1.0) if weights is None else arr(weights)
    # A point outside gets the number after the last cell, which `mode="drop"` leaves out.
    out = zeros(total, values.dtype).at[where(inside, cell, total)].add(values, mode="drop")
    out = reshape(out, shape)
    edges = [to_inexact(edge) for edge in edges]
    if density:
        out = out / sum_(out)
        for i, edge in enumerate(edges):
            size = edge[1:] - edge[:-1]
            out = out / reshape(size, (size.size, *[1] * (count - 1 - i)))
    return out, edges


def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    weights: Any = None,
    density: bool | None = None,
) -> tuple[Any, Any, Any]:
    """Count how many points (x, y) lie in each cell; return (counts, edges along x, along y).

    Args:
        x, y: Coordinates, two vectors of one size.
        bins: A number of equal bins, edges for both, or a pair of such.
        range, weights, density: As of `histogramdd`.

    Raises:
        ValueError: for other shapes.

    Examples:
        >>> import diffeo as dx
        >>> histogram2d(dx.numpy.array([0.0, 1.0]), dx.numpy.array([0.0, 3.0]), 2)[0]
        Array([[1., 0.],
               [0., 1.]])
    """
    x, y = same_dtype(x, y)
    if x.ndim != 1 or x.shape != y.shape:
        raise with_user_line(
            ValueError(
                f"histogram2d: x and y must be vectors of one size, got {x.shape} and {y.shape}"
            )
        )
    if not isinstance(bins, int) and len(bins) not in (1, 2):
        bins = [bins, bins]  # edges
    counts, (first, second) = histogramdd(stack([x, y], 1), bins, range, weights, density)
    return counts, first, second
