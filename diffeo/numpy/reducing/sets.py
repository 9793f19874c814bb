"""Positions of elements that are not 0, distinct elements, arrays as sets.

The sizes of these results depend on values. So the values must be known, and NumPy computes the
result; or `size` says how many results there are, and everything can be traced. Then results are
cut, or filled up, to this number.

The traced ways share two helpers. `_first_true` returns the positions of the first true elements
of a mask. `_starts` marks, in a sorted vector, each element that differs from the one before: the
distinct elements.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...operations.sort import comparable
from ...operations.sort import sort as sort_p
from ...primitives.array import Array
from ...primitives.constants import full as full_p
from ...primitives.core import Value, with_user_line
from ...primitives.types import default_dtype, is_complex, is_inexact
from ...primitives.words import elementwise as e
from ...primitives.words.slicing import concatenate, slice_in_dim
from ...primitives.words.structural import convert_element_type, iota, reshape
from ..choosing import where
from ..common import (
    NUMBERS,
    arr,
    axis_of,
    by_numpy,
    concrete,
    is_nan,
    no_such,
    places_of,
    same_dtype,
    static_int,
    to_bool,
)
from ..making.creation import asarray, full, zeros
from ..places.indexing import getitem
from ..shaping import moveaxis
from .cumulative import cumsum
from .sorting import searchsorted, sort

_OUTSIDE = "Give `size`, or compute it outside of the transformation."


def nonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> tuple[Any, ...]:
    """Return the positions of the elements that are not 0: an index array for each axis.

    With `size`, which makes the function traceable, exactly so many positions are returned: they
    are cut, or filled up with `fill_value`.
    """
    a = arr(a)
    if a.ndim == 0:
        raise with_user_line(ValueError("nonzero: an array without axes has no places"))
    if size is None:
        return places_of(a, "nonzero", "Give `size`, or use dx.numpy.where.")
    size = static_int(size, "nonzero", "size")
    positions = _first_true(to_bool(reshape(a, (a.size,))), size)
    missing = positions >= a.size
    fills = fill_value if isinstance(fill_value, tuple) else (fill_value,) * a.ndim
    # The position in the flat array gives one along each axis, as the digits of a number do.
    out, stride = [], a.size
    for n, fill in zip(a.shape, fills):
        stride //= max(n, 1)
        part = (positions // max(stride, 1)) % max(n, 1)
        out.append(where(missing, 0 if fill is None else fill, part))
    return tuple(out)


def _first_true(flat: Value, size: int) -> Any:
    """Return the positions of the first `size` true elements, then the length of the vector.

    [F, T, T] and size 3 gives [1, 2, 3].
    """
    # The k-th true element is the first one at which the count of true elements reaches k.
    count = cumsum(flat)
    return searchsorted(count, convert_element_type(Array(np.arange(1, size + 1)), count.dtype))


def flatnonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Return the positions of the elements that are not 0 in the flat array."""
    a = arr(a)
    return nonzero(reshape(a, (a.size,)), size=size, fill_value=fill_value)[0]


def argwhere(a: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Return the positions of the elements that are not 0, one row for each."""
    a = arr(a)
    if size is None:
        rows = np.argwhere(concrete(a, "argwhere", "Give `size`."))
        return Array(rows.astype(default_dtype(int)))
    parts = nonzero(a, size=size, fill_value=fill_value)
    return moveaxis(asarray(list(parts)), 0, 1)


# ----------------------------------------------------------------------------------------------


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    size: int | None = None,
    fill_value: Any = None,
    sorted: bool = True,
) -> Any:
    """Return the sorted distinct elements, or with `axis` the distinct parts along it.

    Args:
        ar: An array; it may be traced if `size` is given.
        return_index: Also return the position where each first occurs.
        return_inverse: Also return the position of every element in the result.
        return_counts: Also return how often each occurs.
        axis: None for elements, else the axis whose parts are compared.
        equal_nan: Whether all nan count as one element.
        size: How many results there are: cut, or filled up.
        fill_value: What fills up; by default the first result.
        sorted: The result is always sorted.

    Raises:
        ConcretizationTypeError: for a traced array without `size`.

    Examples:
        >>> import diffeo as dx
        >>> unique(dx.numpy.array([3, 1, 3]), return_counts=True)
        (Array([1, 3]), Array([1, 2]))
        >>> dx.jit(lambda x: unique(x, size=3))(dx.numpy.array([3, 1, 3]))
        Array([1, 3, 1])
    """
    ar = arr(asarray(ar))
    axis = None if axis is None else axis_of(axis, ar.ndim, "unique")
    flags = return_index, return_inverse, return_counts
    if size is None:
        distinct: Any = np.unique
        out = distinct(concrete(ar, "unique", _OUTSIDE), *flags, axis, equal_nan=equal_nan)
        return tuple([Array(o) for o in out]) if isinstance(out, tuple) else Array(out)
    size = static_int(size, "unique", "size")
    results = _sized_unique(ar, axis, equal_nan, size, fill_value)
    chosen = [results[0], *[f for f, flag in zip(results[1:], flags) if flag]]
    return tuple(chosen) if any(flags) else chosen[0]


def _sized_unique(x: Any, axis: int | None, equal_nan: bool, size: int, fill: Any) -> list[Any]:
    """Return the four results of `unique` for a `size`.

    They are the distinct parts, the positions at which each first occurs, the position of every
    part among the distinct ones, and how often each occurs.
    """
    shape = x.shape
    x = reshape(x, (x.size,)) if axis is None else moveaxis(x, axis_of(axis, x.ndim, "unique"), 0)
    n = x.shape[0]
    if not n and size and fill is None:
        raise with_user_line(ValueError("unique: of an empty array, `size` needs a fill_value"))
    if not n:
        empty = full((size, *x.shape[1:]), fill if size else 0, x.dtype)
        none = zeros(size, default_dtype(int))
        return [empty if axis is None else moveaxis(empty, 0, axis), none, none[:0], none]
    # A part is a row; the columns are the keys by which rows are sorted, the first one first. The
    # sort takes the original positions along: `order`.
    rows = reshape(x, (n, x.size // n))
    keys = [reshape(slice_in_dim(rows, j, j + 1, 1, 1), (n,)) for j in range(rows.shape[1])]
    *keys, order = sort_p([*keys, iota(default_dtype(int), (n,))], 0, max(len(keys), 1))
    starts = _starts(keys, n, equal_nan and axis is None)
    # Where each distinct part begins among the sorted ones, and where the one after it begins:
    # the difference of the two is the count.
    first = _first_true(starts, size + 1)
    valid = first[:-1] < n
    positions = getitem(order, where(valid, first[:-1], 0))
    values = getitem(x, positions)
    if fill is not None:
        values = where(reshape(valid, (size,) + (1,) * (x.ndim - 1)), values, fill)
    rank = cumsum(convert_element_type(starts, default_dtype(int))) - 1
    inverse = zeros(n, rank.dtype).at[order].set(rank, unique_indices=True)
    inverse = reshape(inverse, shape) if axis is None else inverse
    values = values if axis is None else moveaxis(values, 0, axis)
    return [convert_element_type(values, x.dtype), positions, inverse, first[1:] - first[:-1]]


def _same(x: Value, y: Value) -> Any:
    """Return where elements are equal, subnormal ones too; nan is equal to nan."""
    if not is_complex(x.dtype):
        return e.eq.bind(comparable(x), comparable(y))
    return _same(e.real.bind(x), e.real.bind(y)) & _same(e.imag.bind(x), e.imag.bind(y))


def _starts(keys: list[Any], n: int, equal_nan: bool) -> Any:
    """Return where sorted parts, each given by its keys, differ from the part before.

    The keys are vectors, one for each column of the parts: [[1, 1, 2]] gives [True, False, True].
    """
    new = full_p((n - 1,), False, np.bool_)
    for key in keys:
        both = slice_in_dim(key, 0, n - 1), slice_in_dim(key, 1, n)
        differ = ~_same(*both)
        if is_inexact(key.dtype):
            missing = is_nan(both[0]), is_nan(both[1])
            differ = differ & ~(missing[0] & missing[1]) if equal_nan else differ | missing[1]
        new = new | differ
    return concatenate([full_p((1,), True, np.bool_), new])


class UniqueAll(NamedTuple):
    """The result of `unique_all`."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """The result of `unique_counts`."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """The result of `unique_inverse`."""

    values: Any
    inverse_indices: Any


def unique_all(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueAll:
    """Return the distinct elements, where each first occurs, the position of every element among
    the distinct ones, and how often each occurs; every nan is distinct.
    """
    return UniqueAll(
        *unique(x, True, True, True, equal_nan=False, size=size, fill_value=fill_value)
    )


def unique_counts(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueCounts:
    """Return the distinct elements, and how often each occurs; every nan is distinct."""
    return UniqueCounts(
        *unique(x, return_counts=True, equal_nan=False, size=size, fill_value=fill_value)
    )


def unique_inverse(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> UniqueInverse:
    """Return the distinct elements, and every element's position among them; nan are distinct."""
    return UniqueInverse(
        *unique(x, return_inverse=True, equal_nan=False, size=size, fill_value=fill_value)
    )


def unique_values(x: Any, /, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Return the sorted distinct elements; every nan is distinct."""
    return unique(x, equal_nan=False, size=size, fill_value=fill_value)


# ----------------------------------------------------------------------------------------------
# Two arrays as sets


_METHODS = ("auto", "compare_all", "binary_search", "sort")


def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    method: str = "auto",
) -> Any:
    """Return where an element is one of `test_elements`; nan never is.

    `method` is 'compare_all', 'binary_search', 'sort' or 'auto'; the result is the same.
    """
    if method not in _METHODS:
        raise no_such("isin", "method", method, _METHODS)
    element, tests = same_dtype(asarray(element), asarray(test_elements))
    if tests.size == 0:
        return full(element.shape, bool(invert))
    if invert is False and method == "auto" and tests.ndim == 1:
        quick = by_numpy(np.isin, element, tests, dtypes=NUMBERS)
        if quick is not None:
            return quick
    ordered = sort(tests, None)
    how = method if method in ("compare_all", "sort") else "scan"
    position = searchsorted(ordered, element, method=how)
    nearest = getitem(ordered, where(position < tests.size, position, tests.size - 1))
    matches = _same(nearest, element) & ~is_nan(element)
    return ~matches if invert else matches


def _pair(name: str, ar1: Value, ar2: Any, size: int | None) -> tuple[Any, Any]:
    """Return both as vectors of one dtype; without a `size`, as NumPy arrays of any shape."""
    if size is None:
        return concrete(asarray(ar1), name, _OUTSIDE), concrete(asarray(ar2), name, _OUTSIDE)
    first, second = same_dtype(asarray(ar1), asarray(ar2))
    return reshape(first, (first.size,)), reshape(second, (second.size,))


def _members(x: Value, assume_unique: bool) -> tuple[Any, Any, Any]:
    """Return (elements, a mask that has each distinct element once, their positions in `x`)."""
    positions = iota(default_dtype(int), x.shape)
    if assume_unique or not x.size:
        return x, full_p(x.shape, True, np.bool_), positions
    ordered, order = sort_p([x, positions], 0)
    return ordered, _starts([ordered], x.size, True), order


def _chosen(x: Value, mask: Value, size: int, fill: Any) -> tuple[Any, Any]:
    """Return the first `size` elements under a mask, then `fill`; and their positions.

    With `fill` None, the first of these elements fills up, or 0. The position of an element that
    fills up is the length of the mask.
    """
    if not x.size:
        return full((size,), 0 if fill is None else fill, x.dtype), zeros(size, int)
    position = _first_true(mask, size)
    valid = position < x.size
    values = getitem(x, where(valid, position, 0))
    if fill is None and size:
        fill = where(valid[0], values[0], 0)
    return convert_element_type(where(valid, values, fill), x.dtype), position


def union1d(ar1: Any, ar2: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """Return the distinct elements of both arrays; `size` and `fill_value` as of `unique`."""
    x, y = _pair("union1d", ar1, ar2, size)
    if size is None:
        dtype = same_dtype(x, y)[0].dtype
        return Array(np.union1d(x, y).astype(dtype))
    return unique(concatenate([x, y]), size=size, fill_value=fill_value)


def setdiff1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """Return the distinct elements of the first array that are not in the second one.

    With `size`, the result is cut, or filled up with `fill_value` (0 by default).
    """
    x, y = _pair("setdiff1d", ar1, ar2, size)
    if size is None:
        return Array(np.setdiff1d(x, y, assume_unique))
    x, first, _ = _members(x, assume_unique)
    out = _chosen(x, first & ~isin(x, y), size, 0 if fill_value is None else fill_value)[0]
    return convert_element_type(out, asarray(ar1).dtype)


def setxor1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """Return the distinct elements that are in one of the two arrays only.

    With `size`, the result is cut, or filled up with `fill_value` (by default its first element).
    """
    x, y = _pair("setxor1d", ar1, ar2, size)
    if size is None:
        return Array(np.setxor1d(x, y, assume_unique))
    parts = [_members(v, assume_unique)[:2] for v in (x, y)]
    masks = [first & ~isin(v, other) for (v, first), other in zip(parts, (y, x))]
    # Sorted by (not chosen, value): the chosen elements come first, in order.
    outside, values = sort_p([~concatenate(masks), concatenate([v for v, _ in parts])], 0, 2)
    return _chosen(values, ~outside, size, fill_value)[0]


def intersect1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    return_indices: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """Return the distinct elements that are in both arrays.

    With `size`, the result is cut, or filled up with `fill_value` (by default its first element).
    With `return_indices`, the positions at which the elements first occur in either array are
    returned, too. For elements that fill up, the position is the size of the array.
    """
    x, y = _pair("intersect1d", ar1, ar2, size)
    if size is None:
        out = np.intersect1d(x, y, assume_unique, return_indices)
        return tuple([Array(o) for o in out]) if isinstance(out, tuple) else Array(out)
    v, first, order = _members(x, False)
    values, position = _chosen(v, first & isin(v, y), size, fill_value)
    if not return_indices:
        return values
    valid = position < x.size
    at_x = where(valid, getitem(order, where(valid, position, 0)), x.size) if x.size else position
    if not y.size:
        return values, at_x, zeros(size, int)
    ordered, order_y = sort_p([y, iota(default_dtype(int), y.shape)], 0)
    rank = searchsorted(ordered, values)
    at_y = getitem(order_y, where(valid, rank, 0))
    return values, at_x, where(valid, at_y, y.size)
