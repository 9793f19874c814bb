"""Shapes of arrays: reshape, transpose, move axes, broadcast, join, split, flip, tile.

Functions check their arguments and then use the primitives of `words/structural.py` (`t`) and
`words/slicing.py` (`s`). Host Arrays in eager evaluation take the short way through NumPy; where
NumPy raises an error, the code after explains it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.core import describe, state, with_user_line
from ..primitives.words import slicing as s
from ..primitives.words import structural as t
from ..primitives.words.promotion import broadcast_shapes as common_shape
from ..primitives.words.promotion import broadcast_to as stretch
from .common import arr, axes_of, axis_of, dtype_of, host_of, same_dtype, static_int, static_shape
from .making.creation import asarray


def reshape(a: Any, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    """Return the elements of `a`, row by row, under another shape; one size may be -1.

    Any `copy` is honoured: arrays never change, so nobody can tell one from the same memory.

    Raises:
        ValueError: if the numbers of elements differ.

    Examples:
        >>> import diffeo as dx
        >>> reshape(dx.numpy.arange(6), (2, -1))
        Array([[0, 1, 2],
               [3, 4, 5]])
    """
    host = host_of(a)
    if host is not None and order == "C":
        try:
            return Array(host.reshape(shape), a.weak_type)
        except (TypeError, ValueError):
            pass  # explained below
    a = arr(a)
    if not isinstance(shape, (tuple, list)) and getattr(shape, "ndim", 0) != 1:
        shape = (shape,)
    sizes = [static_int(n, "reshape", "each size of a shape") for n in shape]
    unknown = [i for i, n in enumerate(sizes) if n == -1]
    known = math.prod([n for n in sizes if n != -1])
    fits = len(unknown) < 2 and all([n >= -1 for n in sizes])
    if fits and unknown and known and a.size % known == 0:
        sizes[unknown[0]] = a.size // known
    if not fits or -1 in sizes or math.prod(sizes) != a.size:
        raise with_user_line(
            ValueError(
                f"reshape: an array of shape {a.shape} with {a.size} elements cannot take the "
                "shape "
                f"{tuple(shape)}"
            )
        )
    # Column by column is row by row of the transposed array.
    if order == "F":
        return transpose(t.reshape(transpose(a), tuple(sizes[::-1])))
    if order not in ("C", "A", "K"):
        raise with_user_line(ValueError(f"reshape: order must be 'C' or 'F', got {order!r}"))
    return t.reshape(a, tuple(sizes))


def ravel(a: Any, order: str = "C") -> Any:
    """Return all elements in one axis, row by row."""
    return reshape(a, (-1,) if arr(a).size else (0,), order)


def transpose(a: Any, axes: Any = None) -> Any:
    """Put axes in another order, reversed by default: axis `i` of the result is axis `axes[i]`."""
    host = host_of(a)
    if host is not None and axes is None:
        return Array(host.T, a.weak_type)
    a = arr(a)
    if axes is None:
        return t.transpose(a, range(a.ndim)[::-1])
    order = axes_of(tuple(axes), a.ndim, "transpose")
    if len(order) != a.ndim:
        raise with_user_line(
            ValueError(f"transpose: needs all {a.ndim} axes of shape {a.shape}, got {tuple(axes)}")
        )
    return t.transpose(a, order)


permute_dims = transpose


def matrix_transpose(x: Any, /) -> Any:
    """Swap the last two axes."""
    x = arr(x)
    if x.ndim < 2:
        raise with_user_line(
            ValueError(f"matrix_transpose: needs at least two axes, got shape {x.shape}")
        )
    return swapaxes(x, -1, -2)


def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Exchange two axes."""
    a = arr(a)
    i, j = axis_of(axis1, a.ndim, "swapaxes"), axis_of(axis2, a.ndim, "swapaxes")
    order = list(range(a.ndim))
    order[i], order[j] = j, i
    return t.transpose(a, order)


def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Move the axes `source` to the positions `destination`; the others keep their order.

    Axis 0 of the shape (2, 3, 4), moved to -1, gives (3, 4, 2).
    """
    a = arr(a)
    src, dst = (axes_of(x, a.ndim, "moveaxis") for x in (source, destination))
    if len(src) != len(dst):
        raise with_user_line(
            ValueError(
                f"moveaxis: as many destinations as sources are needed, got {source}, {destination}"
            )
        )
    # Inserted by rising destination, each axis lands at its final position.
    order = [i for i in range(a.ndim) if i not in src]
    for d, i in sorted(zip(dst, src)):
        order.insert(d, i)
    return t.transpose(a, order)


def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Move `axis` before the axis at `start`; `moveaxis` is easier to read."""
    a = arr(a)
    axis = axis_of(axis, a.ndim, "rollaxis")
    start = start + a.ndim if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


def expand_dims(a: Any, axis: Any) -> Any:
    """Insert axes of size 1 so that they stand at `axis` of the result."""
    a = arr(a)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    return t.expand_dims(a, axes_of(axis, a.ndim + count, "expand_dims"))


def squeeze(a: Any, axis: Any = None) -> Any:
    """Remove axes of size 1: all of them, or the given ones."""
    a = arr(a)
    if axis is None:
        axes = tuple([i for i, n in enumerate(a.shape) if n == 1])
    else:
        axes = axes_of(axis, a.ndim, "squeeze")
    if any([a.shape[i] != 1 for i in axes]):
        raise with_user_line(
            ValueError(
                f"squeeze: only axes of size 1 can be removed, got axis {axis} of shape {a.shape}"
            )
        )
    return t.squeeze(a, axes)


def atleast_1d(*arys: Any) -> Any:
    """Return each operand with at least one axis."""
    out = [reshape(a, (1,)) if arr(a).ndim == 0 else arr(a) for a in arys]
    return out[0] if len(out) == 1 else tuple(out)


def atleast_2d(*arys: Any) -> Any:
    """Return each operand with at least two axes, new ones in front."""
    out = [a if a.ndim >= 2 else reshape(a, (1, a.size)) for a in map(arr, arys)]
    return out[0] if len(out) == 1 else tuple(out)


def atleast_3d(*arys: Any) -> Any:
    """Return each operand with three axes or more: (1, n, 1) of a vector, (m, n, 1) of a matrix."""
    out = []
    for a in map(arr, arys):
        shape = {0: (1, 1, 1), 1: (1, a.size, 1)}.get(a.ndim, a.shape + (1,) * (3 - a.ndim))
        out.append(reshape(a, shape))
    return out[0] if len(out) == 1 else tuple(out)


def broadcast_to(array: Any, shape: Any) -> Any:
    """Stretch `array` to `shape` by NumPy's rules."""
    x, shape = arr(array), static_shape(shape, "broadcast_to")
    fits = len(shape) >= x.ndim and all([m in (1, n) for m, n in zip(x.shape[::-1], shape[::-1])])
    if not fits:
        raise with_user_line(
            ValueError(f"broadcast_to: shape {x.shape} does not stretch to {shape}")
        )
    try:
        return stretch(x, shape)
    except ValueError as error:  # the result would have more bytes than an array can have
        raise with_user_line(error) from None


def broadcast_arrays(*args: Any) -> list[Any]:
    """Stretch all operands to their common shape."""
    xs = [arr(a) for a in args]
    shape = common_shape(*[x.shape for x in xs])
    return [stretch(x, shape) for x in xs]


# ----------------------------------------------------------------------------------------------
# Joining and splitting


def _operands(arrays: Any, name: str) -> list[Any]:
    """Return the arrays to join, of one dtype: those of a list, or the parts of one array."""
    if not isinstance(arrays, (list, tuple)):
        if not getattr(arrays, "ndim", 0):
            raise with_user_line(
                TypeError(f"{name}: expected a list of arrays, got {describe(arrays)}")
            )
        arrays = list(arrays)
    if not arrays:
        raise with_user_line(ValueError(f"{name}: needs at least one array"))
    xs = [asarray(a) if isinstance(a, (list, tuple)) else a for a in arrays]
    return same_dtype(*xs)


def _hosts(arrays: Any) -> list[np.ndarray] | None:
    """Return the NumPy arrays of host Arrays of one dtype, not weak, in eager evaluation."""
    if type(arrays) not in (list, tuple) or not arrays or not state.trace.eager:
        return None
    hosts: list[Any] = [a._np if type(a) is Array and not a.weak_type else None for a in arrays]
    first = hosts[0]
    same = first is not None and all([h is not None and h.dtype is first.dtype for h in hosts])
    return hosts if same else None


def concatenate(arrays: Any, axis: int | None = 0, dtype: Any = None) -> Any:
    """Join arrays one after the other along `axis`; with None, their elements in one axis.

    Examples:
        >>> import diffeo as dx
        >>> concatenate([dx.numpy.zeros(2), dx.numpy.ones(1)])
        Array([0., 0., 1.])
    """
    hosts = _hosts(arrays)
    if hosts is not None and dtype is None and type(axis) is int:
        try:
            return Array(np.concatenate(hosts, axis))
        except ValueError:
            pass  # explained below
    xs = _operands(arrays, "concatenate")
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    if not xs[0].ndim:
        raise with_user_line(
            ValueError("concatenate: arrays without axes cannot be concatenated; use stack")
        )
    axis = axis_of(axis, xs[0].ndim, "concatenate")
    other_sizes = {t.drop_axes(x.shape, (axis,)) for x in xs}
    if len(other_sizes) > 1 or any([x.ndim != xs[0].ndim for x in xs]):
        raise with_user_line(
            ValueError(
                f"concatenate: shapes must agree but for axis {axis}, got "
                + ", ".join([str(x.shape) for x in xs])
            )
        )
    out = s.concatenate(xs, axis)
    return out if dtype is None else t.convert_element_type(out, dtype_of(dtype))


concat = concatenate


def stack(arrays: Any, axis: int = 0, dtype: Any = None) -> Any:
    """Join arrays, all of one shape, along a new axis."""
    hosts = _hosts(arrays)
    if hosts is not None and dtype is None and type(axis) is int:
        try:
            return Array(np.stack(hosts, axis))
        except ValueError:
            pass  # explained below
    xs = _operands(arrays, "stack")
    if len({x.shape for x in xs}) > 1:
        raise with_user_line(
            ValueError(
                "stack: all arrays must have one shape, got "
                + ", ".join([str(x.shape) for x in xs])
            )
        )
    axis = axis_of(axis, xs[0].ndim + 1, "stack")
    out = s.concatenate([t.expand_dims(x, (axis,)) for x in xs], axis)
    return out if dtype is None else t.convert_element_type(out, dtype_of(dtype))


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """Return the parts of `x` along `axis`, without that axis, as a tuple."""
    x = arr(x)
    axis = axis_of(axis, x.ndim, "unstack")
    return tuple([s.index_in_dim(x, i, axis) for i in range(x.shape[axis])])


def hstack(tup: Any) -> Any:
    """Join arrays side by side: along axis 1, or axis 0 for vectors."""
    xs = [atleast_1d(x) for x in _operands(tup, "hstack")]
    return concatenate(xs, 0 if xs[0].ndim == 1 else 1)


def vstack(tup: Any) -> Any:
    """Join arrays as rows, one below the other."""
    return concatenate([atleast_2d(x) for x in _operands(tup, "vstack")], 0)


def dstack(tup: Any) -> Any:
    """Join arrays along the third axis."""
    return concatenate([atleast_3d(x) for x in _operands(tup, "dstack")], 2)


def column_stack(tup: Any) -> Any:
    """Join vectors as the columns of a matrix, and matrices side by side."""
    xs = _operands(tup, "column_stack")
    return concatenate([x if x.ndim > 1 else reshape(x, (x.size, 1)) for x in xs], 1)


def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Return `concatenate([arr, values], axis)`."""
    return concatenate([arr, values], axis)


def block(arrays: Any) -> Any:
    """Put an array together from nested lists of blocks.

    The innermost lists are joined along the last axis, the lists around along the axis before, ...
    """
    depth = _depth(arrays)
    leaves = _flat(arrays)
    ndim = max([depth, *[asarray(leaf).ndim for leaf in leaves]])
    return _block(arrays, depth, ndim)


def _depth(x: Any) -> int:
    """Return how deeply lists are nested."""
    return 1 + max([_depth(i) for i in x]) if isinstance(x, list) and x else 0


def _flat(x: Any) -> list[Any]:
    """Return the leaves of nested lists."""
    return [leaf for i in x for leaf in _flat(i)] if isinstance(x, list) else [x]


def _block(x: Any, depth: int, ndim: int) -> Any:
    """Join nested lists of blocks along axis -`depth`; each leaf gets `ndim` axes."""
    if not isinstance(x, list):
        a = asarray(x)
        return reshape(a, (1,) * (ndim - a.ndim) + a.shape)
    return concatenate([_block(i, depth - 1, ndim) for i in x], -depth)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Split along `axis` into parts of nearly equal size, or before the given indices."""
    x = arr(ary)
    axis = axis_of(axis, x.ndim, "split")
    n = x.shape[axis]
    if isinstance(indices_or_sections, (list, tuple)) or getattr(indices_or_sections, "ndim", 0):
        cuts = [static_int(i, "split", "an index") for i in indices_or_sections]
        cuts = [min(max(i + n if i < 0 else i, 0), n) for i in cuts]
    else:
        parts = static_int(indices_or_sections, "split", "the number of parts")
        if parts <= 0:
            raise with_user_line(ValueError(f"split: needs at least one part, got {parts}"))
        small, larger = divmod(n, parts)
        cuts = np.cumsum([small + (i < larger) for i in range(parts)])[:-1].tolist()
    # As in NumPy, a cut before the one in front of it gives an empty part.
    edges = [0, *cuts, n]
    if cuts == sorted(cuts):
        return s.split(x, [j - i for i, j in pairwise(edges)], axis)
    return [s.slice_in_dim(x, i, max(i, j), 1, axis) for i, j in pairwise(edges)]


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Split along `axis` into equal parts, or before the given indices.

    Raises:
        ValueError: if the axis cannot be cut into so many equal parts.
    """
    x = arr(ary)
    if not isinstance(indices_or_sections, (list, tuple)) and not getattr(
        indices_or_sections, "ndim", 0
    ):
        parts = static_int(indices_or_sections, "split", "the number of parts")
        n = x.shape[axis_of(axis, x.ndim, "split")]
        if parts <= 0 or n % parts:
            raise with_user_line(
                ValueError(
                    f"split: axis {axis} of shape {x.shape} does not split into {parts} equal "
                    "parts;"
                    " array_split makes nearly equal ones"
                )
            )
    return array_split(x, indices_or_sections, axis)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Return `split` along axis 1, or axis 0 for a vector."""
    return split(ary, indices_or_sections, 0 if arr(ary).ndim == 1 else 1)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Return `split` along axis 0 of an array with two axes or more."""
    x = arr(ary)
    if x.ndim < 2:
        raise with_user_line(ValueError(f"vsplit: needs two axes or more, got shape {x.shape}"))
    return split(x, indices_or_sections, 0)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Return `split` along axis 2."""
    return split(ary, indices_or_sections, 2)


# ----------------------------------------------------------------------------------------------
# Order along axes


def flip(m: Any, axis: Any = None) -> Any:
    """Return the elements in reverse order along axes, all by default."""
    if type(m) is Array and axis is None and m._np is not None and state.trace.eager:
        return Array(np.flip(m._np), m.weak_type)
    m = arr(m)
    return s.rev(m, axes_of(axis, m.ndim, "flip"))


def flipud(m: Any) -> Any:
    """Reverse axis 0."""
    return flip(m, 0)


def fliplr(m: Any) -> Any:
    """Reverse axis 1."""
    return flip(m, 1)


def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """Turn an array by 90 degrees `k` times, from the first of `axes` towards the second."""
    m = arr(m)
    i, j = axes_of(tuple(axes), m.ndim, "rot90")
    k = static_int(k, "rot90", "k") % 4
    if k == 0:
        return m
    if k == 2:
        return flip(m, (i, j))
    return swapaxes(flip(m, j), i, j) if k == 1 else flip(swapaxes(m, i, j), j)


def tile(A: Any, reps: Any) -> Any:
    """Repeat `A` along each axis, `reps` times."""
    x = arr(A)
    times = [
        static_int(r, "tile", "each of reps")
        for r in (reps if isinstance(reps, (list, tuple)) or getattr(reps, "ndim", 0) else (reps,))
    ]
    ndim = max(len(times), x.ndim)
    times = [1] * (ndim - len(times)) + times
    shape = (1,) * (ndim - x.ndim) + x.shape
    if min(times, default=0) < 0:
        raise with_user_line(ValueError(f"tile: reps must not be negative, got {reps}"))
    # An axis of size n, repeated r times, is (r, n) before both are joined to r * n.
    pairs = tuple([n for pair in zip(times, shape) for n in pair])
    out = t.broadcast_in_dim(t.reshape(x, shape), pairs, range(1, 2 * ndim, 2))
    return t.reshape(out, tuple([r * n for r, n in zip(times, shape)]))


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """Return the shape to which shapes (or sizes, of one axis) broadcast.

    Raises:
        ValueError: if the shapes do not broadcast.

    Examples:
        >>> broadcast_shapes((3, 1), 4)
        (3, 4)
    """
    return common_shape(*[static_shape(s, "broadcast_shapes") for s in shapes])
