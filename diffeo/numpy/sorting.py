"""Order: sort, search, sets, quantiles, counting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.array import Array
from ..primitives.core import with_user_line
from ..primitives.operators import broadcast_to, to_inexact
from ..primitives.slicing import rev
from ..primitives.sort import sort as sort_p
from ..primitives.sort import take_along_axis as take_places
from ..primitives.structural import convert_element_type, iota, reshape
from ..primitives.types import default_dtype, real_dtype
from .common import (
    arr,
    axes_of,
    axis_of,
    concrete,
    host_of,
    is_nan,
    no_such,
    places_of,
    same_dtype,
    static_int,
    to_bool,
)
from .creation import asarray, full, zeros
from .cumulative import cumsum
from .indexing import getitem
from .reductions import any as any_
from .reductions import sum as sum_
from .shaping import moveaxis
from .ufuncs import floor, where


def _flat(a: Any, axis: int | None, name: str) -> tuple[Any, int]:
    a = arr(a)
    if axis is None:
        return reshape(a, (a.size,)), 0
    return a, axis_of(axis, a.ndim, name)


def _ordered(a: Any, axis: int) -> tuple[Any, Any]:
    """The array sorted along `axis`, and where its elements were."""
    places = iota(default_dtype(int), a.shape, axis)
    if a.aval.dtype.kind == "c":
        parts = sort_p([e.real.bind(a), e.imag.bind(a), places], axis, 2)
        return e.complex_.bind(*parts[:2]), parts[2]
    out, order = sort_p([a, places], axis)
    return out, order


def sort(a: Any, axis: int | None = -1, *, kind: None = None, order: None = None,
         stable: bool = True, descending: bool = False) -> Any:
    """Sorted along an axis (flat with None), smallest first; nan comes last.

    Examples:
        >>> import diffeo as dx
        >>> sort(dx.numpy.array([3.0, 1.0, 2.0]))
        Array([1., 2., 3.])
    """
    a, axis = _flat(a, axis, "sort")
    out = _ordered(a, axis)[0] if a.aval.dtype.kind == "c" else sort_p([a], axis)[0]
    return rev(out, (axis,)) if descending else out


def argsort(a: Any, axis: int | None = -1, *, kind: None = None, order: None = None,
            stable: bool = True, descending: bool = False) -> Any:
    """The places from which a stable sort takes the elements."""
    a, axis = _flat(a, axis, "argsort")
    host = host_of(a)
    if host is not None and not descending:
        return Array(np.argsort(host, axis, kind="stable").astype(default_dtype(int)))
    if not descending:
        return _ordered(a, axis)[1]
    # Reversed twice, equal elements keep their order.
    order = _ordered(rev(a, (axis,)), axis)[1]
    return rev(a.shape[axis] - 1 - order, (axis,))


def lexsort(keys: Any, axis: int = -1) -> Any:
    """The order by several keys, the last one first."""
    keys = [arr(k) for k in keys]
    axis = axis_of(axis, keys[0].ndim, "lexsort")
    places = iota(default_dtype(int), keys[0].shape, axis)
    return sort_p([*keys[::-1], places], axis, len(keys))[-1]


def partition(a: Any, kth: int, axis: int = -1) -> Any:
    """Elements up to place `kth` are the smallest ones; here, all are sorted."""
    return sort(a, axis)


def argpartition(a: Any, kth: int, axis: int = -1) -> Any:
    """The places from which `partition` takes the elements."""
    return argsort(a, axis)


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Where the elements of `v` belong in the sorted vector `a`, before or after equal ones.

    Examples:
        >>> import diffeo as dx
        >>> searchsorted(dx.numpy.array([1.0, 2.0, 4.0]), dx.numpy.array([2.0, 3.0]))
        Array([1, 2])
    """
    if side not in ("left", "right"):
        raise no_such("searchsorted", "side", side, ("left", "right"))
    a, v = same_dtype(a, v)
    if a.ndim != 1:
        raise with_user_line(ValueError(
            f"searchsorted: needs a sorted vector, got shape {a.shape}"))
    a = a if sorter is None else getitem(a, sorter)
    low, high = (convert_element_type(zeros(v.shape), default_dtype(int)) + n
                 for n in (0, a.shape[0]))
    for _ in range(a.shape[0].bit_length()):  # halve the interval until it is empty
        middle = (low + high) // 2
        at = getitem(a, where(middle < a.shape[0], middle, a.shape[0] - 1))
        before = e.lt.bind(at, v) if side == "left" else e.logical_not.bind(e.lt.bind(v, at))
        if a.aval.dtype.kind == "f":  # nan is the last in the order
            nan_v = is_nan(v)
            before = (before & ~is_nan(at)) | (nan_v & (~is_nan(at) | (side == "right")))
        go = before & (low < high)
        low, high = where(go, middle + 1, low), where(go, high, where(low < high, middle, high))
    return low


def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """The number of the bin of each element; `bins` increase or decrease."""
    bins = arr(bins)
    if bins.size == 0:
        return convert_element_type(zeros(arr(x).shape), default_dtype(int))
    side = "left" if right else "right"
    up = searchsorted(bins, x, side)
    down = bins.shape[0] - searchsorted(rev(bins, (0,)), x, side)
    return where(getitem(bins, -1) >= getitem(bins, 0), up, down)


# ----------------------------------------------------------------------------------------------
# Results whose shape depends on values: concrete arrays, or a size


def nonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> tuple[Any, ...]:
    """The places of the elements that are not 0: an index array for each axis.

    With `size`, which makes it traceable, exactly so many: cut, or filled up with `fill_value`.
    """
    a = arr(a)
    if a.ndim == 0:
        raise with_user_line(ValueError("nonzero: an array without axes has no places"))
    if size is None:
        return places_of(a, "nonzero", "Give `size`, or use dx.numpy.where.")
    size = static_int(size, "nonzero", "size")
    flat = to_bool(reshape(a, (a.size,)))
    places = _first_true(flat, size)
    missing = places >= a.size
    fills = fill_value if isinstance(fill_value, tuple) else (fill_value,) * a.ndim
    out, stride = [], a.size
    for n, fill in zip(a.shape, fills):
        stride //= max(n, 1)
        part = (places // max(stride, 1)) % max(n, 1)
        out.append(where(missing, 0 if fill is None else fill, part))
    return tuple(out)


def _first_true(flat: Any, size: int) -> Any:
    """The places of the first `size` true elements, then the length of the vector."""
    count = cumsum(flat)
    return searchsorted(count, convert_element_type(Array(np.arange(1, size + 1)), count.dtype))


def flatnonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """The places of the elements that are not 0 in the flat array."""
    a = arr(a)
    return nonzero(reshape(a, (a.size,)), size=size, fill_value=fill_value)[0]


def argwhere(a: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """The places of the elements that are not 0, one row for each."""
    a = arr(a)
    if size is None:
        found = np.argwhere(concrete(a, "argwhere", "Give `size`."))
        return Array(found.astype(default_dtype(int)))
    parts = nonzero(a, size=size, fill_value=fill_value)
    return moveaxis(asarray(list(parts)), 0, 1)


def unique(ar: Any, return_index: bool = False, return_inverse: bool = False,
           return_counts: bool = False, axis: int | None = None, *, equal_nan: bool = True) -> Any:
    """The sorted distinct elements of a concrete array, as `numpy.unique`."""
    value = concrete(asarray(ar), "unique", "Compute it outside of the transformation.")
    out = np.unique(value, return_index, return_inverse, return_counts, axis, equal_nan=equal_nan)
    return tuple([Array(o) for o in out]) if isinstance(out, tuple) else Array(out)


def unique_values(x: Any, /) -> Any:
    """The sorted distinct elements of a concrete array."""
    return unique(x, equal_nan=False)


def _of_sets(function: Any) -> Any:
    def sets(ar1: Any, ar2: Any) -> Any:
        instead = "Compute it outside of the transformation."
        values = [concrete(asarray(x), function.__name__, instead) for x in (ar1, ar2)]
        return Array(function(*values))
    sets.__name__ = sets.__qualname__ = function.__name__
    sets.__doc__ = f"As `numpy.{function.__name__}`, of concrete arrays."
    return sets


union1d, intersect1d, setdiff1d, setxor1d = map(
    _of_sets, (np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d))


def isin(element: Any, test_elements: Any, assume_unique: bool = False,
         invert: bool = False) -> Any:
    """Where an element is one of `test_elements`."""
    element, tests = same_dtype(asarray(element), asarray(test_elements))
    if tests.size == 0:
        return full(element.shape, bool(invert))
    ordered = sort(tests, None)
    place = searchsorted(ordered, element)
    found = getitem(ordered, where(place < tests.size, place, tests.size - 1)) == element
    return ~found if invert else found


def bincount(x: Any, weights: Any = None, minlength: int = 0, *, length: int | None = None) -> Any:
    """How often each of 0, 1, 2 ... occurs; a traced `x` needs `length`."""
    x = arr(x)
    if length is None:
        value = concrete(x, "bincount", "Give `length`.")
        length = max(int(value.max()) + 1 if value.size else 0, minlength)
    ones = convert_element_type(x == x, default_dtype(int)) if weights is None else arr(weights)
    return zeros(length, ones.dtype).at[where(x < 0, 0, x)].add(ones, mode="drop")


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None) -> Any:
    """The edges of `bins` equal bins over the range of `a`."""
    if not isinstance(bins, int):
        return arr(bins)
    a = arr(to_inexact(arr(a)))
    low, high = range if range is not None else (getitem(sort(a, None), i) for i in (0, -1))
    same = asarray(low) == asarray(high)
    low, high = where(same, low - 0.5, low), where(same, high + 0.5, high)
    return low + (high - low) * Array(np.linspace(0, 1, bins + 1).astype(a.dtype))


def histogram(a: Any, bins: Any = 10, range: Any = None, weights: Any = None,
              density: bool = False) -> tuple[Any, Any]:
    """(counts, edges): how many elements lie in each bin; the last bin has its right edge in it."""
    a = reshape(arr(a), (arr(a).size,))
    edges = histogram_bin_edges(a, bins, range)
    count = edges.shape[0] - 1
    place = searchsorted(edges, a, "right") - 1
    place = where(a == getitem(edges, -1), count - 1, place)
    inside = (place >= 0) & (place < count)
    ones = convert_element_type(inside, default_dtype(int)) if weights is None else arr(weights)
    out = zeros(count, ones.dtype).at[where(inside, place, count)].add(ones, mode="drop")
    if density:
        out = out / (edges[1:] - edges[:-1]) / sum_(out)
    return out, edges


# ----------------------------------------------------------------------------------------------
# Quantiles

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(name: str, a: Any, q: Any, axis: Any, method: str, keepdims: bool,
              skip_nan: bool) -> Any:
    if method not in _METHODS:
        raise no_such(name, "method", method, _METHODS)
    a, q = arr(to_inexact(arr(a))), asarray(q)
    q = convert_element_type(q, real_dtype(a.dtype))
    axes = axes_of(axis, a.ndim, name)
    kept = [i for i in range(a.ndim) if i not in axes]
    lines = moveaxis(a, axes, tuple(range(len(kept), a.ndim)))
    n = math.prod([a.shape[i] for i in axes])
    lines = sort(reshape(lines, (*lines.shape[:len(kept)], n)), -1)
    missing = is_nan(lines)
    count = sum_(~missing, -1, keepdims=True).astype(q.dtype) if skip_nan else float(n)
    place = reshape(q, (1,) * len(kept) + (q.size,)) * (count - 1.0)
    place = broadcast_to(place, (*lines.shape[:-1], q.size))
    if skip_nan:
        place = where(place < 0, 0.0, place)
    low = floor(place)
    weight = place - low
    values = [_at_places(lines, p) for p in (low, where(weight > 0, low + 1, low))]
    out = _between(values, weight, method, low)
    if not skip_nan:
        out = where(any_(missing, -1, keepdims=True), np.nan, out)
    out = reshape(moveaxis(out, -1, 0), q.shape + lines.shape[:-1])
    if not keepdims:
        return out
    return reshape(out, q.shape + tuple([1 if i in axes else m for i, m in enumerate(a.shape)]))


def _at_places(lines: Any, places: Any) -> Any:
    index = convert_element_type(e.stop_gradient(places), np.int64)
    return take_places(lines, index, lines.ndim - 1)


def _between(values: list[Any], weight: Any, method: str, low: Any) -> Any:
    below, above = values
    if method == "linear":
        return where(weight > 0, below * (1.0 - weight) + above * weight, below)
    if method == "lower":
        return below
    if method == "higher":
        return above
    if method == "midpoint":
        return where(weight > 0, (below + above) * 0.5, below)
    odd = low - 2 * floor(low / 2) > 0
    return where((weight > 0.5) | ((weight == 0.5) & odd), above, below)


def quantile(a: Any, q: Any, axis: Any = None, *, method: str = "linear",
             keepdims: bool = False) -> Any:
    """The value below which the fraction `q` of the elements lies; nan if there is a nan.

    Args:
        a: An array.
        q: Fractions in [0, 1], traced or not; their axes come first in the result.
        axis: The axes over which to look, all by default.
        method: 'linear', 'lower', 'higher', 'midpoint' or 'nearest' between two elements.
        keepdims: Keep the axes with size 1.

    Examples:
        >>> import diffeo as dx
        >>> quantile(dx.numpy.arange(5.0), 0.3)
        Array(1.2)
    """
    return _quantile("quantile", a, q, axis, method, keepdims, False)


def percentile(a: Any, q: Any, axis: Any = None, *, method: str = "linear",
               keepdims: bool = False) -> Any:
    """`quantile` with `q` in percent."""
    return quantile(a, asarray(q) / 100, axis, method=method, keepdims=keepdims)


def median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The middle element of the sorted ones; nan if there is a nan."""
    return quantile(a, 0.5, axis, keepdims=keepdims, method="midpoint")


def nanquantile(a: Any, q: Any, axis: Any = None, *, method: str = "linear",
                keepdims: bool = False) -> Any:
    """`quantile` of all elements but nan."""
    return _quantile("nanquantile", a, q, axis, method, keepdims, True)


def nanpercentile(a: Any, q: Any, axis: Any = None, *, method: str = "linear",
                  keepdims: bool = False) -> Any:
    """`percentile` of all elements but nan."""
    return nanquantile(a, asarray(q) / 100, axis, method=method, keepdims=keepdims)


def nanmedian(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """`median` of all elements but nan."""
    return nanquantile(a, 0.5, axis, keepdims=keepdims)
