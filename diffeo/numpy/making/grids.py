"""Matrices of a given form, grids, and positions: eye, diag, tri, meshgrid, indices.

`mgrid`, `ogrid`, `r_` and `c_` are objects whose brackets make arrays. The functions at the end
convert positions in an array to positions in the flat array and back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...api.device_put import device_put
from ...primitives.array import Array, known
from ...primitives.core import Tracer, Value, describe, with_user_line
from ...primitives.types import ShapedArray, default_dtype, promote_types
from ...primitives.words import elementwise as e
from ...primitives.words.elementwise import zero_scalar
from ...primitives.words.promotion import broadcast_to
from ...primitives.words.slicing import concatenate
from ...primitives.words.structural import broadcast_in_dim, convert_element_type, iota, reshape
from ..choosing import where
from ..common import (
    arr,
    axis_of,
    concrete,
    dtype_of,
    integers,
    no_such,
    places_of,
    reaches_beyond,
    same_dtype,
    static_int,
    static_shape,
)
from ..contracting.diagonals import diagonal
from ..joining import stack
from ..places.indexing import bounded
from .creation import asarray, ones, zeros
from .ranges import arange, linspace


def _band(rows: int, columns: int, compare: Any, k: Any) -> Any:
    """Return the mask of a matrix where `column - row` compares with `k`; `compare` is `e.le`, say.

    `e.eq` with k = 1 is true on the first diagonal above the main one.
    """
    shape = (rows, columns)
    row, column = (iota(np.int32, shape, axis) for axis in (0, 1))
    if isinstance(k, Value):
        k = broadcast_to(convert_element_type(k, np.int32), shape)
    return compare.bind(column - row, k)


def _diagonal_of(k: Any, name: str) -> Any:
    """Return the number of a diagonal, which may be traced."""
    if isinstance(k, Tracer) and not k.ndim and k.dtype.kind in "iu":
        return k
    return static_int(k, name, "k")


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None, *, device: Any = None) -> Any:
    """Return an (N, M) matrix with ones on the `k`-th diagonal above the main one, zeros elsewhere.

    Examples:
        >>> eye(2)
        Array([[1., 0.],
               [0., 1.]])
    """
    rows = static_int(N, "eye", "N")
    columns = rows if M is None else static_int(M, "eye", "M")
    if rows < 0 or columns < 0:
        raise with_user_line(
            ValueError(f"eye: N and M must not be negative, got {rows} and {columns}")
        )
    band = _band(rows, columns, e.eq, _diagonal_of(k, "eye"))
    band = convert_element_type(band, dtype_of(dtype))
    return band if device is None else device_put(band, device)


def identity(n: int, dtype: Any = None) -> Any:
    """Return the identity matrix (n, n)."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Return a matrix with ones at and below a diagonal, zeros above."""
    columns = N if M is None else M
    return convert_element_type(_band(N, columns, e.le, _diagonal_of(k, "tri")), dtype_of(dtype))


def _part(m: Any, compare: Any, k: int, name: str) -> Any:
    """Return matrices with zeros outside of a band."""
    m = arr(m)
    if m.ndim < 2:
        raise with_user_line(ValueError(f"{name}: needs a matrix, got shape {m.shape}"))
    rows, columns = m.shape[-2:]
    mask = broadcast_to(_band(rows, columns, compare, _diagonal_of(k, name)), m.shape)
    return e.select(mask, m, zero_scalar(m))


def tril(m: Any, k: int = 0) -> Any:
    """Return matrices with zeros above a diagonal."""
    return _part(m, e.le, k, "tril")


def triu(m: Any, k: int = 0) -> Any:
    """Return matrices with zeros below a diagonal."""
    return _part(m, e.ge, k, "triu")


#: The largest size of a diagonal matrix that `diag` computes by a mask.
_SMALL = 256


def diag(v: Any, k: int = 0) -> Any:
    """Return a matrix with the vector `v` on its `k`-th diagonal; or the diagonal of a matrix.

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
    if not k and n <= _SMALL:  # a known mask, by which derivatives tell what it is
        columns = broadcast_in_dim(v, (n, n), (1,))
        return e.select(Array(np.eye(n, dtype=bool)), columns, zero_scalar(v))
    positions = np.arange(v.shape[0])
    out = zeros((n, n), v.dtype)
    return out.at[positions + max(-k, 0), positions + max(k, 0)].set(v, unique_indices=True)


def diagflat(v: Any, k: int = 0) -> Any:
    """Return a matrix with all elements of `v` on its `k`-th diagonal."""
    v = arr(v)
    return diag(reshape(v, (v.size,)), k)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Return the powers of a vector's elements as columns; exponents fall unless `increasing`."""
    x = arr(x)
    if x.ndim != 1:
        raise with_user_line(ValueError(f"vander: x must be a vector, got {describe(x)}"))
    if x.dtype.kind in "biu":  # as NumPy does: powers leave the range of a small integer
        x = convert_element_type(x, promote_types(x.aval, ShapedArray((), default_dtype(int)))[0])
    count = x.shape[0] if N is None else static_int(N, "vander", "N")
    if count < 0:
        raise with_user_line(ValueError(f"vander: N must not be negative, got {count}"))
    columns = [x**k for k in range(count)]
    if not columns:
        return zeros((x.shape[0], 0), x.dtype)
    return stack(columns if increasing else columns[::-1], 1)


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> list[Any]:
    """Return the coordinate arrays of the grid that vectors span.

    With 'ij', the axes are in the order of the vectors; with 'xy', the first two are swapped.
    """
    if indexing not in ("xy", "ij"):
        raise no_such("meshgrid", "indexing", indexing, ("xy", "ij"))
    xs = [reshape(x, (x.size,)) for x in map(arr, xi)]
    order = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        order[0], order[1] = 1, 0
    shape = [0] * len(xs)
    for x, axis in zip(xs, order):
        shape[axis] = x.size
    out = [
        reshape(x, tuple([x.size if i == axis else 1 for i in range(len(xs))]))
        for x, axis in zip(xs, order)
    ]
    return out if sparse else [broadcast_to(x, tuple(shape)) for x in out]


def indices(dimensions: Any, dtype: Any = None, sparse: bool = False) -> Any:
    """Return the index along each axis of a shape, one array for each; stacked unless `sparse`."""
    shape = static_shape(dimensions, "indices")
    grid = meshgrid(
        *[arange(n, dtype=dtype_of(dtype, int)) for n in shape], sparse=sparse, indexing="ij"
    )
    return tuple(grid) if sparse else stack(grid)


def fromfunction(function: Callable, shape: Any, *, dtype: Any = float, **kwargs: Any) -> Any:
    """Call `function` with the index arrays of a shape."""
    return function(*indices(shape, dtype), **kwargs)


def _line(span: slice) -> Any:
    """Return the numbers of a slice; a complex step is their count, with the last one included."""
    start, step = 0 if span.start is None else span.start, span.step
    if isinstance(step, complex):
        return linspace(start, span.stop, int(abs(step)))
    return arange(start, span.stop, 1 if step is None else step)


class _Grid:
    """An object whose brackets make grids of slices: `mgrid` and `ogrid`."""

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
    """An object whose brackets join slices, numbers and arrays along an axis: `r_` and `c_`."""

    def __init__(self, axis: int, ndmin: int, place: int):
        self.form = axis, ndmin, place

    def __getitem__(self, key: Any) -> Any:
        items = list(key) if isinstance(key, tuple) else [key]
        axis, ndmin, place = self.form
        # A text in front overrides one to three of these numbers: "0,2" is axis 0, ndmin 2.
        if items and isinstance(items[0], str):
            try:
                numbers = [int(n) for n in items.pop(0).split(",")]
                axis, ndmin, place = [*numbers, *(axis, ndmin, place)[len(numbers) :]]
            except ValueError:
                raise with_user_line(
                    ValueError(
                        "r_ and c_: a text in front is 'axis', 'axis,ndmin' or "
                        "'axis,ndmin,place', as "
                        f"in r_['0,2', x], got {key[0]!r}"
                    )
                ) from None
        parts = [
            _raised(_line(v) if isinstance(v, slice) else asarray(v), ndmin, place) for v in items
        ]
        if not parts:
            raise with_user_line(ValueError("r_ and c_ need something to join"))
        return concatenate(same_dtype(*parts), axis_of(axis, parts[0].ndim, "r_ and c_"))


def _raised(x: Any, ndmin: int, place: int) -> Any:
    """Return an array with at least `ndmin` axes; missing ones are added with size 1.

    The axes of `x` begin at `place`, or with -1 as far behind as possible.
    """
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
    """Return vectors of indices (or booleans) as index arrays that span a grid.

    Raises:
        ValueError: for an argument that is no vector.
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
    """Return the positions at and below a diagonal of an (n, m) matrix."""
    return _places(np.tril_indices(n, k, m))


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, ...]:
    """Return the positions at and above a diagonal of an (n, m) matrix."""
    return _places(np.triu_indices(n, k, m))


def diag_indices(n: int, ndim: int = 2) -> tuple[Array, ...]:
    """Return the positions on the main diagonal of an array with `ndim` axes of size n."""
    return _places(np.diag_indices(n, ndim))


def _matrix_shape(name: str, x: Any) -> tuple[int, int]:
    shape = asarray(x).shape
    if len(shape) != 2:
        raise with_user_line(ValueError(f"{name}: needs a matrix, got shape {shape}"))
    return shape


def tril_indices_from(arr: Any, k: int = 0) -> tuple[Array, ...]:
    """Return the positions at and below a diagonal of the matrix `arr`.

    Raises:
        ValueError: unless `arr` is a matrix.

    Examples:
        >>> tril_indices_from(eye(2))
        (Array([0, 1, 1]), Array([0, 0, 1]))
    """
    rows, columns = _matrix_shape("tril_indices_from", arr)
    return tril_indices(rows, k, columns)


def triu_indices_from(arr: Any, k: int = 0) -> tuple[Array, ...]:
    """Return the positions at and above a diagonal of the matrix `arr`.

    Raises:
        ValueError: unless `arr` is a matrix.

    Examples:
        >>> triu_indices_from(eye(2))
        (Array([0, 0, 1]), Array([0, 1, 1]))
    """
    rows, columns = _matrix_shape("triu_indices_from", arr)
    return triu_indices(rows, k, columns)


def diag_indices_from(arr: Any) -> tuple[Array, ...]:
    """Return the positions on the main diagonal of `arr`, whose axes, two or more, have one size.

    Raises:
        ValueError: for another shape.

    Examples:
        >>> diag_indices_from(eye(2))
        (Array([0, 1]), Array([0, 1]))
    """
    shape = asarray(arr).shape
    if len(shape) < 2 or len(set(shape)) > 1:
        raise with_user_line(
            ValueError(f"diag_indices_from: needs two axes or more of one size, got shape {shape}")
        )
    return diag_indices(shape[0], len(shape))


def mask_indices(n: int, mask_func: Callable, k: Any = 0, *, size: int | None = None) -> Any:
    """Return the positions where `mask_func`, of an (n, n) matrix of ones and `k`, is not 0.

    Args:
        n: The number of rows and columns.
        mask_func: `tril` or `triu`, say.
        k: The second argument of `mask_func`.
        size: None, or how many positions to return: cut, or filled up with 0.

    Examples:
        >>> mask_indices(2, triu)
        (Array([0, 0, 1]), Array([0, 1, 1]))
    """
    positions = np.nonzero(
        concrete(
            mask_func(ones((n, n), default_dtype(int)), k), "mask_indices", "Compute it outside."
        )
    )
    if size is not None:
        positions = [np.pad(i, (0, max(size - i.size, 0)))[:size] for i in positions]
    return _places(positions)


def _order(order: str, name: str) -> None:
    if order not in ("C", "F"):
        raise no_such(name, "order", order, ("C", "F"))


def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Any, ...]:
    """Convert positions in the flat array to positions in an array of `shape`.

    Args:
        indices: Integers; traced ones that are out of bounds are moved to the nearest end, after
            negative ones were counted from the last.
        shape: An integer or a tuple of them.
        order: 'C', the last axis changes fastest, or 'F', the first one does.

    Raises:
        TypeError: for numbers that are no integers.
        ValueError: for a known index that is negative or too large, or an unknown order.

    Examples:
        >>> import diffeo as dx
        >>> unravel_index(dx.numpy.array([1, 5]), (2, 3))
        (Array([0, 1]), Array([1, 2]))
    """
    _order(order, "unravel_index")
    sizes = static_shape(shape, "unravel_index")
    position, total = _integers("unravel_index", "indices", indices), math.prod(sizes)
    value = known(position)
    if reaches_beyond(value, 0, total):
        raise with_user_line(
            ValueError(
                f"unravel_index: an index in [{value.min()}, {value.max()}] is out of bounds "
                "for an "
                f"array of shape {sizes} with {total} elements"
            )
        )
    if value is None:
        position = where(position < 0, position + total, position)
        position = bounded(position, total, "clip", "unravel_index")
    # The remainder by the size of the fastest axis is the index along it, and so on.
    out = []
    for n in sizes[::-1] if order == "C" else sizes:
        out.append(position % n if n else position)
        position = position // n if n else position
    return tuple(out[::-1] if order == "C" else out)


def _integers(name: str, what: str, x: Any) -> Any:
    """Return an array of integers of the default width; TypeError for other numbers."""
    x = asarray(x)
    if x.dtype.kind not in "iu" and x.size:
        raise with_user_line(TypeError(f"{name}: {what} must hold integers, got {describe(x)}"))
    return integers(x, default_dtype(int))


def ravel_multi_index(
    multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C", *, dtype: Any = None
) -> Any:
    """Convert positions in an array of shape `dims` to positions in the flat array.

    Args:
        multi_index: Integers, one array for each axis.
        dims: The shape.
        mode: What happens out of bounds, for all axes or for each one: 'raise' (traced indices are
            moved to the nearest end), 'clip' to the nearest end, 'wrap' modulo the size.
        order: 'C', the last axis changes fastest, or 'F', the first one does.
        dtype: The dtype of the result, int64 by default.

    Raises:
        TypeError: for numbers that are no integers.
        ValueError: for a known index that is negative or too large with 'raise', another number of
            axes, or an unknown mode or order.

    Examples:
        >>> import diffeo as dx
        >>> ravel_multi_index((dx.numpy.array([0, 1]), dx.numpy.array([1, 2])), (2, 3))
        Array([1, 5])
    """
    _order(order, "ravel_multi_index")
    sizes = static_shape(dims, "ravel_multi_index")
    indices = [_integers("ravel_multi_index", "multi_index", i) for i in multi_index]
    modes = (mode,) * len(sizes) if isinstance(mode, str) else tuple(mode)
    if not len(indices) == len(sizes) == len(modes):
        raise with_user_line(
            ValueError(
                f"ravel_multi_index: {len(indices)} index arrays and {len(modes)} modes do not "
                "go with "
                f"{len(sizes)} axes of the shape {sizes}"
            )
        )
    for m in modes:
        if m not in ("raise", "clip", "wrap"):
            raise no_such("ravel_multi_index", "mode", m, ("raise", "clip", "wrap"))
    out: Any = 0
    parts = list(zip(indices, sizes, modes))
    for axis, (index, n, m) in list(enumerate(parts))[:: 1 if order == "C" else -1]:
        value = known(index) if m == "raise" else None
        if reaches_beyond(value, 0, n):
            raise with_user_line(
                ValueError(
                    f"ravel_multi_index: an index in [{value.min()}, {value.max()}] is out of "
                    "bounds "
                    f"for axis {axis} of shape {sizes}; mode='clip' or 'wrap' allows it"
                )
            )
        index = bounded(index, n, "wrap" if m == "wrap" else "clip", "ravel_multi_index")
        out = out * n + index
    return out if dtype is None else convert_element_type(arr(out), dtype_of(dtype))
