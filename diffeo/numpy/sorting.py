"""Order: sort, search, histograms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.array import Array
from ..primitives.core import describe, with_user_line
from ..primitives.operators import broadcast_to, to_inexact
from ..primitives.slicing import concatenate, rev, slice_in_dim
from ..primitives.sort import sort as sort_p
from ..primitives.sort import take_along_axis as take_places
from ..primitives.structural import broadcast_in_dim, convert_element_type, iota, reshape
from ..primitives.types import (
    complex_dtype,
    default_dtype,
    float8_e5m2,
    is_complex,
    is_float,
)
from .common import (
    arr,
    axis_of,
    concrete,
    dtype_of,
    host_of,
    no_such,
    same_dtype,
    static_int,
)
from .creation import asarray, full_like, zeros
from .indexing import getitem
from .reductions import sum as sum_
from .shaping import stack
from .ufuncs import where


def _flat(a: Any, axis: int | None, name: str) -> tuple[Any, int]:
    a = arr(a)
    if axis is None:
        return reshape(a, (a.size,)), 0
    return a, axis_of(axis, a.ndim, name)


def sort(a: Any, axis: int | None = -1, *, kind: None = None, order: None = None,
         stable: bool = True, descending: bool = False) -> Any:
    """Sorted along an axis (flat with None), smallest first; nan comes last.

    Complex numbers are ordered by their real, then their imaginary parts.

    Examples:
        >>> import diffeo as dx
        >>> sort(dx.numpy.array([3.0, 1.0, 2.0]))
        Array([1., 2., 3.])
    """
    host = host_of(a)
    if host is not None and host.ndim == 1 and axis in (0, -1) and not descending and (
            host.dtype.kind in "iuf" and host.dtype != float8_e5m2):
        return Array(np.sort(host, kind="stable"), a.weak_type)
    a, axis = _flat(a, axis, "sort")
    out = sort_p([a], axis, 1, bool(stable))[0]
    return rev(out, (axis,)) if descending else out


def argsort(a: Any, axis: int | None = -1, *, kind: None = None, order: None = None,
            stable: bool = True, descending: bool = False, dtype: Any = None) -> Any:
    """The places from which a stable sort takes the elements; equal ones keep their order.

    Examples:
        >>> import diffeo as dx
        >>> argsort(dx.numpy.array([3.0, 1.0, 3.0]), descending=True)
        Array([0, 2, 1])
    """
    a, axis = _flat(a, axis, "argsort")
    dtype = dtype_of(dtype, int)
    host = host_of(a)
    if host is not None and not descending and host.dtype.kind != "V":
        return Array(np.argsort(host, axis, kind="stable").astype(dtype, copy=False))
    # Reversed twice, equal elements keep their order.
    a = rev(a, (axis,)) if descending else a
    places = sort_p([a, iota(dtype, a.shape, axis)], axis)[1]
    return rev(a.shape[axis] - 1 - places, (axis,)) if descending else places


def sort_complex(a: Any) -> Any:
    """The sorted array (along its last axis), as complex numbers."""
    a = arr(a)
    return sort(a if is_complex(a.dtype) else convert_element_type(a, complex_dtype(
        arr(to_inexact(a)).dtype)))


def lexsort(keys: Any, axis: int = -1) -> Any:
    """The order by several keys, the last one first.

    Examples:
        >>> import diffeo as dx
        >>> lexsort((dx.numpy.array([2, 1, 0]), dx.numpy.array([5, 5, 3])))
        Array([2, 1, 0])
    """
    keys = same_shape("lexsort", [arr(k) for k in keys])
    axis = axis_of(axis, keys[0].ndim, "lexsort")
    places = iota(default_dtype(int), keys[0].shape, axis)
    return sort_p([*keys[::-1], places], axis, len(keys))[-1]


def same_shape(name: str, arrays: list[Any]) -> list[Any]:
    """The arrays; an error unless there is one, and all have one shape."""
    if not arrays or any([x.shape != arrays[0].shape for x in arrays]):
        raise with_user_line(ValueError(
            f"{name}: expects arrays of one shape, got {[x.shape for x in arrays]}"))
    return arrays


def _checked_place(name: str, a: Any, kth: Any, axis: int) -> None:
    n = a.shape[axis]
    for k in kth if isinstance(kth, (tuple, list)) else (kth,):
        k = static_int(k, name, "kth")
        if not -n <= k < n:
            raise with_user_line(ValueError(
                f"{name}: kth={k} is out of bounds for axis {axis} of shape {a.shape}"))


def partition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    """The elements before place `kth` are not larger, those after it not smaller; here, all are
    sorted.
    """
    a, axis = _flat(a, axis, "partition")
    _checked_place("partition", a, kth, axis)
    return sort(a, axis)


def argpartition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    """The places from which `partition` takes the elements."""
    a, axis = _flat(a, axis, "argpartition")
    _checked_place("argpartition", a, kth, axis)
    return argsort(a, axis)


_SEARCHES = ("scan", "scan_unrolled", "sort", "compare_all")


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None, *,
                 method: str = "scan") -> Any:
    """Where the elements of `v` belong in the sorted vector `a`, before or after equal ones.

    Args:
        a: A vector in order, or with `sorter`, any vector.
        v: What to look for; it may have any shape.
        side: 'left' for the first suitable place, 'right' for the last.
        sorter: The places that sort `a`, as argsort gives them.
        method: 'scan' or 'scan_unrolled' (halve the interval), 'sort' (both together), or
            'compare_all' (for a short `a`).

    Returns:
        Places in 0 .. len(a), of the shape of `v`; nan belongs behind all numbers.

    Raises:
        ValueError: if `a` is no vector, or for an unknown side or method.

    Examples:
        >>> import diffeo as dx
        >>> searchsorted(dx.numpy.array([1.0, 2.0, 4.0]), dx.numpy.array([2.0, 3.0]))
        Array([1, 2])
    """
    if side not in ("left", "right"):
        raise no_such("searchsorted", "side", side, ("left", "right"))
    if method not in _SEARCHES:
        raise no_such("searchsorted", "method", method, _SEARCHES)
    a, v = same_dtype(a, v)
    if a.ndim != 1:
        raise with_user_line(ValueError(
            f"searchsorted: needs a sorted vector, got shape {a.shape}"))
    a = a if sorter is None else getitem(a, sorter)
    n, dtype = a.shape[0], default_dtype(int)
    hosts = host_of(a), host_of(v)
    if hosts[0] is not None and hosts[1] is not None and a.dtype.kind != "V":
        return Array(np.asarray(np.searchsorted(*hosts, side)).astype(dtype))  # type: ignore
    if method == "sort":
        return _merged(a, v, side)
    before = e.lt.bind if side == "left" else e.le.bind
    if method == "compare_all":
        shape = (*v.shape, n)
        pairs = broadcast_to(a, shape), broadcast_in_dim(v, shape, range(v.ndim))
        place = sum_(before(*pairs), -1, dtype=dtype)
    else:
        place = _halved(a, v, before)
    if is_float(a.dtype):  # comparisons with nan are false
        last = n if side == "right" else n - sum_(a != a, dtype=place.dtype)
        place = where(v != v, last, place)
    return convert_element_type(place, dtype)


def _halved(a: Any, v: Any, before: Any) -> Any:
    """How many elements of the sorted vector are before each of `v`: halve the interval."""
    n = a.shape[0]
    place = zeros(v.shape, np.int32 if n < 2**31 else np.int64)
    steps = []
    while n > 1:
        steps.append(n // 2)
        n -= n // 2
    for step in steps + [1] * n:
        at = take_places(a, reshape(place + (step - 1), (v.size,)), 0, "promise_in_bounds")
        place = e.select(before(reshape(at, v.shape), v), place + step, place)
    return place


def _merged(a: Any, v: Any, side: str) -> Any:
    """The rank of each of `v` in both vectors sorted together, but for its rank in `v`."""
    flat = reshape(v, (v.size,))
    rank = lambda x: argsort(argsort(x))
    both = [flat, a] if side == "left" else [a, flat]
    start = 0 if side == "left" else a.shape[0]
    place = slice_in_dim(rank(concatenate(both)), start, start + v.size) - rank(flat)
    return reshape(place, v.shape)


def digitize(x: Any, bins: Any, right: bool = False, *, method: str = "scan") -> Any:
    """The number of the bin of each element; `bins` increase or decrease. See `searchsorted`."""
    bins = arr(bins)
    if bins.size == 0:
        return convert_element_type(zeros(arr(x).shape), default_dtype(int))
    side = "left" if right else "right"
    up = searchsorted(bins, x, side, method=method)
    down = bins.shape[0] - searchsorted(rev(bins, (0,)), x, side, method=method)
    return where(getitem(bins, -1) >= getitem(bins, 0), up, down)


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
    part = np.linspace(0, 1, bins + 1)
    return where(part == 1, high, low + (high - low) * Array(part.astype(a.dtype)))


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


def histogramdd(sample: Any, bins: Any = 10, range: Any = None, weights: Any = None,
                density: bool = False) -> tuple[Any, list[Any]]:
    """How many points lie in each cell of a grid.

    Args:
        sample: Points (n, d).
        bins: A number of equal bins, or for each coordinate such a number or a vector of edges.
        range: None, or for each coordinate None or the ends (low, high) of its bins.
        weights: None, or what each point counts, (n,).
        density: Divide by the sum of all counts and by the sizes of the cells.

    Returns:
        (counts with d axes, the edges along each); the last bins have their right edges in them.

    Raises:
        ValueError: for other shapes, or lists of other lengths.

    Examples:
        >>> import diffeo as dx
        >>> histogramdd(dx.numpy.array([[0.0, 0.0], [1.0, 3.0]]), 2)[0]
        Array([[1., 0.],
               [0., 1.]])
    """
    x = arr(to_inexact(arr(sample)))
    if x.ndim != 2:
        raise with_user_line(ValueError(f"histogramdd: expects points (n, d), got {describe(x)}"))
    count = x.shape[1]
    bins = [bins] * count if isinstance(bins, int) else list(bins)
    spans = [None] * count if range is None else list(range)
    if len(bins) != count or len(spans) != count:
        raise with_user_line(ValueError(
            f"histogramdd: {len(bins)} bins and {len(spans)} ranges do not go with {count} "
            "coordinates"))
    columns = [x[:, i] for i, _ in enumerate(bins)]
    edges = [histogram_bin_edges(*v) for v in zip(columns, bins, spans)]
    shape = tuple([v.shape[0] - 1 for v in edges])
    cell, inside = zeros(x.shape[:1], default_dtype(int)), x[:, 0] == x[:, 0] if count else True
    for column, edge, n in zip(columns, edges, shape):
        place = searchsorted(edge, column, "right") - 1
        place = where(column == getitem(edge, -1), n - 1, place)
        inside = inside & (place >= 0) & (place < n)
        cell = cell * n + place
    total = math.prod(shape)
    values = full_like(columns[0], 1.0) if weights is None else arr(weights)
    out = zeros(total, values.dtype).at[where(inside, cell, total)].add(values, mode="drop")
    out = reshape(out, shape)
    if density:
        out = out / sum_(out)
        for i, edge in enumerate(edges):
            size = edge[1:] - edge[:-1]
            out = out / reshape(size, (-1, *[1] * (count - 1 - i)))
    return out, edges


def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, weights: Any = None,
                density: bool = False) -> tuple[Any, Any, Any]:
    """How many points (x, y) lie in each cell of a grid -> (counts, edges along x, along y).

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
        raise with_user_line(ValueError(
            f"histogram2d: x and y must be vectors of one size, got {x.shape} and {y.shape}"))
    if not isinstance(bins, int) and len(bins) not in (1, 2):
        bins = [bins, bins]  # edges
    counts, (first, second) = histogramdd(stack([x, y], 1), bins, range, weights, density)
    return counts, first, second
