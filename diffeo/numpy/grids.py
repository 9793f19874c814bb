"""Matrices of a given form, and grids: eye, diag, tri, meshgrid, indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.array import Array
from ..primitives.core import describe, with_user_line
from ..primitives.elementwise import zero_scalar
from ..primitives.operators import broadcast_to
from ..primitives.slicing import concatenate
from ..primitives.structural import convert_element_type, iota, reshape
from ..primitives.types import default_dtype
from ..transforms.placement import device_put
from .common import (
    arr,
    axis_of,
    concrete,
    dtype_of,
    no_such,
    places_of,
    same_dtype,
    static_int,
    static_shape,
)
from .creation import arange, asarray, linspace, ones, zeros
from .products import diagonal
from .shaping import stack


def _band(rows: int, columns: int, compare: Any, k: int) -> Any:
    """Where the column minus the row compares so with `k`; boolean."""
    shape = (rows, columns)
    row, column = (iota(np.int32, shape, axis) for axis in (0, 1))
    return compare.bind(column - row, k)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None, *, device: Any = None) -> Any:
    """Ones on a diagonal (the `k`-th above the main one), zeros elsewhere; (N, M).

    Examples:
        >>> eye(2)
        Array([[1., 0.],
               [0., 1.]])
    """
    rows = static_int(N, "eye", "N")
    columns = rows if M is None else static_int(M, "eye", "M")
    band = _band(rows, columns, e.eq, static_int(k, "eye", "k"))
    band = convert_element_type(band, dtype_of(dtype))
    return band if device is None else device_put(band, device)


def identity(n: int, dtype: Any = None) -> Any:
    """The identity matrix (n, n)."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones at and below a diagonal."""
    columns = N if M is None else M
    return convert_element_type(_band(N, columns, e.le, k), dtype_of(dtype))


def _part(m: Any, compare: Any, k: int, name: str) -> Any:
    m = arr(m)
    if m.ndim < 2:
        raise with_user_line(ValueError(f"{name}: needs a matrix, got shape {m.shape}"))
    rows, columns = m.shape[-2:]
    mask = broadcast_to(_band(rows, columns, compare, static_int(k, name, "k")), m.shape)
    return e.select(mask, m, zero_scalar(m))


def tril(m: Any, k: int = 0) -> Any:
    """Matrices with zeros above a diagonal."""
    return _part(m, e.le, k, "tril")


def triu(m: Any, k: int = 0) -> Any:
    """Matrices with zeros below a diagonal."""
    return _part(m, e.ge, k, "triu")


def diag(v: Any, k: int = 0) -> Any:
    """A matrix with the vector `v` on its `k`-th diagonal; or the diagonal of a matrix.

    Examples:
        >>> diag(arange(2.0))
        Array([[0., 0.],
               [0., 1.]])
    """
    v, k = arr(v), static_int(k, "diag", "k")
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise with_user_line(ValueError(f"diag: needs a vector or a matrix, got shape {v.shape}"))
    n = v.shape[0] + abs(k)
    places = np.arange(v.shape[0])
    out = zeros((n, n), v.dtype)
    return out.at[places + max(-k, 0), places + max(k, 0)].set(v, unique_indices=True)


def diagflat(v: Any, k: int = 0) -> Any:
    """A matrix with all elements of `v` on its `k`-th diagonal."""
    v = arr(v)
    return diag(reshape(v, (v.size,)), k)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Powers of the elements of the vector `x` as columns, falling unless `increasing`."""
    x = arr(x)
    count = x.shape[0] if N is None else N
    columns = [x ** k for k in range(count)]
    if not columns:
        return zeros((x.shape[0], 0), x.dtype)
    return stack(columns if increasing else columns[::-1], 1)


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> list[Any]:
    """Coordinate arrays of the grid that vectors span ('ij': axes in the order of the vectors)."""
    if indexing not in ("xy", "ij"):
        raise no_such("meshgrid", "indexing", indexing, ("xy", "ij"))
    xs = [reshape(x, (x.size,)) for x in map(arr, xi)]
    order = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        order[0], order[1] = 1, 0
    shape = [0] * len(xs)
    for x, axis in zip(xs, order):
        shape[axis] = x.size
    out = [reshape(x, tuple([x.size if i == axis else 1 for i in range(len(xs))]))
           for x, axis in zip(xs, order)]
    return out if sparse else [broadcast_to(x, tuple(shape)) for x in out]


def indices(dimensions: Any, dtype: Any = None, sparse: bool = False) -> Any:
    """The index along each axis of a shape, one array for each; stacked unless `sparse`."""
    shape = static_shape(dimensions, "indices")
    grid = meshgrid(*[arange(n, dtype=dtype_of(dtype, int)) for n in shape],
                    sparse=sparse, indexing="ij")
    return tuple(grid) if sparse else stack(grid)


def fromfunction(function: Callable, shape: Any, *, dtype: Any = float, **kwargs: Any) -> Any:
    """`function` of the index arrays of a shape."""
    return function(*indices(shape, dtype), **kwargs)


def _line(span: slice) -> Any:
    """The numbers of a slice; a complex step is their count, the last one included."""
    start, step = 0 if span.start is None else span.start, span.step
    if isinstance(step, complex):
        return linspace(start, span.stop, int(abs(step)))
    return arange(start, span.stop, 1 if step is None else step)


class _Grid:
    """`mgrid` and `ogrid`: grids by the notation of slices."""

    def __init__(self, sparse: bool):
        self.sparse = sparse

    def __getitem__(self, key: Any) -> Any:
        spans = key if isinstance(key, tuple) else (key,)
        lines = [_line(s) for s in spans]
        if not isinstance(key, tuple):
            return lines[0]
        grids = meshgrid(*same_dtype(*lines), indexing="ij", sparse=self.sparse)
        return tuple(grids) if self.sparse else stack(grids)


#: `mgrid[0:2, 0:1:3j]`: full grids stacked in front; a complex step is a number of points.
mgrid = _Grid(sparse=False)
#: `ogrid[0:2, 0:3]`: the same with axes of size 1 where a grid is constant.
ogrid = _Grid(sparse=True)


class _Joined:
    """`r_` and `c_`: slices, numbers and arrays joined along an axis."""

    def __init__(self, axis: int, ndmin: int, place: int):
        self.form = axis, ndmin, place

    def __getitem__(self, key: Any) -> Any:
        items = list(key) if isinstance(key, tuple) else [key]
        axis, ndmin, place = self.form
        if items and isinstance(items[0], str):
            try:
                numbers = [int(n) for n in items.pop(0).split(",")]
                axis, ndmin, place = [*numbers, *(axis, ndmin, place)[len(numbers):]]
            except ValueError:
                raise with_user_line(ValueError(
                    "r_ and c_: a text in front is 'axis', 'axis,ndmin' or 'axis,ndmin,place', as "
                    f"in r_['0,2', x], got {key[0]!r}")) from None
        parts = [_raised(_line(v) if isinstance(v, slice) else asarray(v), ndmin, place)
                 for v in items]
        if not parts:
            raise with_user_line(ValueError("r_ and c_ need something to join"))
        return concatenate(same_dtype(*parts), axis_of(axis, parts[0].ndim, "r_ and c_"))


def _raised(x: Any, ndmin: int, place: int) -> Any:
    """With axes of size 1 around its own, which begin at `place`; -1 for the last one possible."""
    missing = ndmin - x.ndim
    if missing <= 0:
        return x
    before = place if place >= 0 else place + 1 + missing
    before = min(max(before, 0), missing)
    return reshape(x, (1,) * before + x.shape + (1,) * (missing - before))


#: `r_[0:3, 5, x]`: joined along the first axis.
r_ = _Joined(0, 1, -1)
#: `c_[x, y]`: joined along the last axis, vectors as columns.
c_ = _Joined(-1, 2, 0)


def ix_(*args: Any) -> tuple[Any, ...]:
    """Vectors of indices (or booleans) as index arrays that span a grid.

    Raises:
        ValueError: for what is no vector.
    """
    out = []
    for i, a in enumerate(args):
        a = asarray(a)
        if a.ndim != 1:
            raise with_user_line(ValueError(f"ix_: expects vectors, got {describe(a)}"))
        if a.dtype == np.bool_:
            a = places_of(a, "ix_", "Give indices instead of booleans.")[0]
        out.append(reshape(a, tuple([a.shape[0] if k == i else 1 for k in range(len(args))])))
    return tuple(out)


def _places(found: Any) -> tuple[Array, ...]:
    return tuple([Array(np.asarray(i, default_dtype(int))) for i in found])


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, ...]:
    """The places at and below a diagonal of an (n, m) matrix."""
    return _places(np.tril_indices(n, k, m))


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, ...]:
    """The places at and above a diagonal of an (n, m) matrix."""
    return _places(np.triu_indices(n, k, m))


def diag_indices(n: int, ndim: int = 2) -> tuple[Array, ...]:
    """The places on the main diagonal of an array with `ndim` axes of size n."""
    return _places(np.diag_indices(n, ndim))


def _matrix_shape(name: str, x: Any) -> tuple[int, int]:
    shape = asarray(x).shape
    if len(shape) != 2:
        raise with_user_line(ValueError(f"{name}: needs a matrix, got shape {shape}"))
    return shape


def tril_indices_from(arr: Any, k: int = 0) -> tuple[Array, ...]:
    """The places at and below a diagonal of the matrix `arr`.

    Raises:
        ValueError: unless it is one.

    Examples:
        >>> tril_indices_from(eye(2))
        (Array([0, 1, 1]), Array([0, 0, 1]))
    """
    rows, columns = _matrix_shape("tril_indices_from", arr)
    return tril_indices(rows, k, columns)


def triu_indices_from(arr: Any, k: int = 0) -> tuple[Array, ...]:
    """The places at and above a diagonal of the matrix `arr`.

    Raises:
        ValueError: unless it is one.

    Examples:
        >>> triu_indices_from(eye(2))
        (Array([0, 0, 1]), Array([0, 1, 1]))
    """
    rows, columns = _matrix_shape("triu_indices_from", arr)
    return triu_indices(rows, k, columns)


def diag_indices_from(arr: Any) -> tuple[Array, ...]:
    """The places on the main diagonal of `arr`, whose axes, two or more, have one size.

    Raises:
        ValueError: for another shape.

    Examples:
        >>> diag_indices_from(eye(2))
        (Array([0, 1]), Array([0, 1]))
    """
    shape = asarray(arr).shape
    if len(shape) < 2 or len(set(shape)) > 1:
        raise with_user_line(ValueError(
            f"diag_indices_from: needs two axes or more of one size, got shape {shape}"))
    return diag_indices(shape[0], len(shape))


def mask_indices(n: int, mask_func: Callable, k: Any = 0, *, size: int | None = None) -> Any:
    """The places where `mask_func`, of an (n, n) matrix of ones and `k`, is not 0.

    Args:
        n: The number of rows and columns.
        mask_func: `tril` or `triu`, say.
        k: Its second argument.
        size: None, or how many places to return: cut, or filled up with 0.

    Examples:
        >>> mask_indices(2, triu)
        (Array([0, 0, 1]), Array([0, 1, 1]))
    """
    found = np.nonzero(concrete(
        mask_func(ones((n, n), default_dtype(int)), k), "mask_indices", "Compute it outside."))
    if size is not None:
        found = [np.pad(i, (0, max(size - i.size, 0)))[:size] for i in found]
    return _places(found)


def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """For places in the flat array, those in an array of `shape`."""
    place, out = arr(indices), []
    for n in static_shape(shape, "unravel_index")[::-1]:
        out.append(place % n)
        place = place // n
    return tuple(out[::-1])


def ravel_multi_index(multi_index: Any, dims: Any) -> Any:
    """For places in an array of shape `dims`, those in the flat array."""
    out: Any = 0
    for index, n in zip(multi_index, static_shape(dims, "ravel_multi_index")):
        out = out * n + arr(index)
    return out
