"""Order: sort, argsort, partition, and the search in sorted vectors.

The primitive `sort` (operations/sort.py) sorts several arrays together by the first ones; every
sort is stable. `searchsorted` is the other centre of this file: sets.py, histograms.py and
`digitize` are built on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...operations.sort import comparable, sort_numpy
from ...operations.sort import sort as sort_p
from ...operations.sort import take_along_axis as take_places
from ...primitives.array import Array, known
from ...primitives.core import describe, with_user_line
from ...primitives.types import (
    complex_dtype,
    default_dtype,
    float8_e5m2,
    is_complex,
    is_integer,
    limits_of,
)
from ...primitives.words import elementwise as e
from ...primitives.words.promotion import broadcast_to, to_inexact
from ...primitives.words.slicing import concatenate, rev, slice_in_dim
from ...primitives.words.structural import broadcast_in_dim, convert_element_type, iota, reshape
from ...typing import ArrayLike
from ..choosing import where
from ..common import (
    NUMBERS,
    arr,
    axis_of,
    by_numpy,
    dtype_of,
    host_of,
    is_of_number,
    no_such,
    real_only,
    same_dtype,
    static_int,
)
from ..making.creation import asarray, zeros
from ..places.indexing import getitem
from .reductions import sum as sum_


def _flat(a: Any, axis: int | None, name: str) -> tuple[Any, int]:
    """Return the array and an axis counted from the front; without one, the flat array and 0."""
    a = arr(a)
    if axis is None or (name.startswith("arg") and is_of_number(axis, a.ndim)):
        return reshape(a, (a.size,)), 0
    return a, axis_of(axis, a.ndim, name)


_KINDS = (None, "quicksort", "mergesort", "heapsort", "stable")


def _check_kind(name: str, kind: Any, order: Any) -> None:
    """Check NumPy's parameters `kind` and `order`; here, each kind is stable."""
    if kind not in _KINDS:
        raise no_such(name, "kind", kind, _KINDS)
    if order is not None:
        raise with_user_line(
            ValueError(
                f"{name}: order names fields of structured arrays, which an Array is not; got "
                f"{order!r}"
            )
        )


def sort(
    a: Any,
    axis: int | None = -1,
    *,
    kind: str | None = None,
    order: None = None,
    stable: bool | None = True,
    descending: bool = False,
) -> Any:
    """Sort along an axis (the flat array with None), smallest first; nan comes last.

    Complex numbers are ordered by their real, then their imaginary parts. Equal elements keep their
    order, whichever of NumPy's kinds is asked for: 0.0 and -0.0 are equal, and so are all nan.

    Raises:
        ValueError: for a `kind` that NumPy does not know, an `order`, or an axis that is missing.

    Examples:
        >>> import diffeo as dx
        >>> sort(dx.numpy.array([3.0, 1.0, 2.0]))
        Array([1., 2., 3.])
    """
    if kind is not None or order is not None:
        _check_kind("sort", kind, order)
    host = host_of(a)
    if (
        host is not None
        and host.ndim == 1
        and axis in (0, -1)
        and not descending
        and (host.dtype.kind in "iuf" and host.dtype != float8_e5m2)
    ):
        return Array(sort_numpy(host, 0), a.weak_type)
    a, axis = _flat(a, axis, "sort")
    out = sort_p([a], axis)[0]
    return rev(out, (axis,)) if descending else out


def argsort(
    a: Any,
    axis: int | None = -1,
    *,
    kind: str | None = None,
    order: None = None,
    stable: bool | None = True,
    descending: bool = False,
    dtype: Any = None,
) -> Any:
    """Return the positions from which a stable sort takes the elements.

    Raises:
        ValueError: as `sort`.

    Examples:
        >>> import diffeo as dx
        >>> argsort(dx.numpy.array([3.0, 1.0, 3.0]), descending=True)
        Array([0, 2, 1])
    """
    if kind is not None or order is not None:
        _check_kind("argsort", kind, order)
    a, axis = _flat(a, axis, "argsort")
    dtype = dtype_of(dtype, int)
    host = host_of(a)
    if host is not None and not descending and host.dtype.kind != "V":
        return Array(np.argsort(host, axis, kind="stable").astype(dtype, copy=False))
    # The reversed array is sorted, and the result reversed: so equal elements keep their order.
    a = rev(a, (axis,)) if descending else a
    positions = sort_p([a, iota(dtype, a.shape, axis)], axis)[1]
    return rev(a.shape[axis] - 1 - positions, (axis,)) if descending else positions


def sort_complex(a: Any) -> Any:
    """Return the array sorted along its last axis, as complex numbers."""
    a = arr(a)
    return sort(
        a
        if is_complex(a.dtype)
        else convert_element_type(a, complex_dtype(arr(to_inexact(a)).dtype))
    )


def lexsort(keys: Any, axis: int = -1) -> Any:
    """Return the positions that sort by several keys; the last key is the most important one.

    Examples:
        >>> import diffeo as dx
        >>> lexsort((dx.numpy.array([2, 1, 0]), dx.numpy.array([5, 5, 3])))
        Array([2, 1, 0])
    """
    keys = same_shape("lexsort", [arr(k) for k in keys])
    if is_of_number(axis, keys[0].ndim):
        return zeros((), default_dtype(int))
    axis = axis_of(axis, keys[0].ndim, "lexsort")
    positions = iota(default_dtype(int), keys[0].shape, axis)
    return sort_p([*keys[::-1], positions], axis, len(keys))[-1]


def same_shape(name: str, arrays: list[Any]) -> list[Any]:
    """Return the arrays unchanged; ValueError unless there is one, and all have one shape."""
    if not arrays or any([x.shape != arrays[0].shape for x in arrays]):
        raise with_user_line(
            ValueError(f"{name}: expects arrays of one shape, got {[x.shape for x in arrays]}")
        )
    return arrays


def _checked_place(name: str, a: Any, kth: Any, axis: int) -> None:
    """Check that `kth` holds positions of the axis."""
    n = a.shape[axis]
    for k in kth if isinstance(kth, (tuple, list)) else (kth,):
        k = static_int(k, name, "kth")
        if a.size and not -n <= k < n:
            raise with_user_line(
                ValueError(f"{name}: kth={k} is out of bounds for axis {axis} of shape {a.shape}")
            )


def partition(a: ArrayLike, kth: Any, axis: int | None = -1) -> Any:
    """Order elements so that none before position `kth` is larger, and none after it smaller.

    Here, all elements are sorted.
    """
    a, axis = _flat(a, axis, "partition")
    _checked_place("partition", a, kth, axis)
    return sort(a, axis)


def argpartition(a: ArrayLike, kth: Any, axis: int | None = -1) -> Any:
    """Return the positions from which `partition` takes the elements."""
    a, axis = _flat(a, axis, "argpartition")
    _checked_place("argpartition", a, kth, axis)
    return argsort(a, axis)


_SEARCHES = ("scan", "scan_unrolled", "sort", "compare_all")


def searchsorted(
    a: Any, v: Any, side: str = "left", sorter: Any = None, *, method: str = "scan"
) -> Any:
    """Return where the elements of `v` belong in the sorted vector `a`, before or after equal ones.

    Args:
        a: A vector in order, or with `sorter`, any vector.
        v: What to look for; it may have any shape.
        side: 'left' for the first suitable position, 'right' for the last.
        sorter: The positions that sort `a`, as `argsort` returns them.
        method: 'scan' or 'scan_unrolled' (halve the interval), 'sort' (both together), or
            'compare_all' (for a short `a`).

    Returns:
        Positions in 0 .. len(a), of the shape of `v`; nan belongs behind all numbers.

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
    a = arr(a)
    # A Python integer that the dtype cannot hold belongs before or behind all elements: that is
    # where the least integer of the dtype belongs on the left, the largest on the right.
    if type(v) is int and is_integer(a.dtype):
        low, high = limits_of(a.dtype)
        v, side = (low, "left") if v < low else (high, "right") if v > high else (v, side)
    a, v = same_dtype(a, v)
    if a.ndim != 1:
        raise with_user_line(
            ValueError(f"searchsorted: needs a sorted vector, got shape {a.shape}")
        )
    if sorter is not None:
        sorter = asarray(sorter)
        if sorter.shape != a.shape:
            raise with_user_line(
                ValueError(
                    f"searchsorted: sorter must have the shape of a, {a.shape}, got {sorter.shape}"
                )
            )
        a = getitem(a, sorter)
    n, dtype = a.shape[0], default_dtype(int)
    hosts = host_of(a), host_of(v)
    if hosts[0] is not None and hosts[1] is not None and a.dtype.kind != "V":
        return Array(np.asarray(np.searchsorted(*hosts, side)).astype(dtype))  # type: ignore
    if method == "sort" or a.dtype.kind == "c":  # complex nan have an order of their own
        return _merged(a, v, side)
    before = e.lt.bind if side == "left" else e.le.bind
    v = comparable(v)
    if method == "compare_all":
        shape = (*v.shape, n)
        pairs = broadcast_to(comparable(a), shape), broadcast_in_dim(v, shape, range(v.ndim))
        position = sum_(before(*pairs), -1, dtype=dtype)
    else:
        position = _halved(a, v, before)
    return convert_element_type(position, dtype)


def _halved(a: Any, v: Any, before: Callable) -> Any:
    """Count the elements of the sorted vector `a` before each of the keys `v`, by halving.

    `before` compares an element with a key: `<` for the left side, `<=` for the right one.
    """
    n = a.shape[0]
    count = zeros(v.shape, np.int32 if n < 2**31 else np.int64)
    # `count` elements are known to be before the key. Each step asks for the element `step`
    # further on; if it is before the key, so are all between. The steps depend on n alone, as the
    # program must have one shape for all keys: for n = 5 they are 2, 1, 1, 1.
    steps = []
    while n > 1:
        steps.append(n // 2)
        n -= n // 2
    for step in steps + [1] * n:
        at = take_places(a, reshape(count + (step - 1), (v.size,)), 0, "promise_in_bounds")
        count = e.select(before(reshape(comparable(at), v.shape), v), count + step, count)
    return count


def _merged(a: Any, v: Any, side: str) -> Any:
    """Count the elements of `a` before each of `v`: its rank in both together, minus that in `v`.

    `a` = [1, 2, 4] and `v` = [3]: in [1, 2, 3, 4] its rank is 2, in [3] it is 0, so the count is 2.
    """
    flat = reshape(v, (v.size,))
    rank = lambda x: argsort(argsort(x))
    # A stable sort puts equal elements in the order in which the vectors are joined.
    both = [flat, a] if side == "left" else [a, flat]
    start = 0 if side == "left" else a.shape[0]
    count = slice_in_dim(rank(concatenate(both)), start, start + v.size) - rank(flat)
    return reshape(count, v.shape)


def digitize(x: ArrayLike, bins: Any, right: bool = False, *, method: str | None = None) -> Any:
    """Return the number of the bin of each element; `bins` increase or decrease.

    `method` is that of `searchsorted`.

    Raises:
        ValueError: unless `bins` is a vector, and where it is known, in order.
    """
    method = "scan" if method is None else method
    x, bins = (real_only("digitize", asarray(v)) for v in (x, bins))
    value = known(bins)
    falls = value is not None and value.ndim == 1 and value.size > 0 and value[0] > value[-1]
    if bins.ndim != 1 or (value is not None and not in_order(value[::-1] if falls else value)):
        raise with_user_line(
            ValueError(
                f"digitize: bins must be a vector that increases or decreases, got {describe(bins)}"
            )
        )
    if bins.size == 0:
        return convert_element_type(zeros(arr(x).shape), default_dtype(int))
    if value is not None and value.dtype.kind in "iuf":
        quick = by_numpy(lambda x: np.digitize(x, value, right), x, dtypes=NUMBERS)
        if quick is not None and quick._np.dtype == default_dtype(int):
            return quick
    side = "left" if right else "right"
    rise = lambda: searchsorted(bins, x, side, method=method)
    fall = lambda: bins.shape[0] - searchsorted(rev(bins, (0,)), x, side, method=method)
    if value is not None:
        return fall() if falls else rise()
    return where(getitem(bins, -1) >= getitem(bins, 0), rise(), fall())


def in_order(x: np.ndarray) -> bool:
    """Whether no element of a vector is less than the one before."""
    return x.size < 2 or bool(np.all(x[1:] >= x[:-1]))
