"""Shapes of arrays: reshape, transpose, move axes, broadcast, flip, tile.

Functions check their arguments and then use the primitives of `words/structural.py` (`t`) and
`words/slicing.py` (`s`). Host Arrays in eager evaluation take the short way through NumPy; where
NumPy raises an error, the code after explains it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.core import state, with_user_line
from ..primitives.words import slicing as s
from ..primitives.words import structural as t
from ..primitives.words.promotion import broadcast_shapes as common_shape
from ..primitives.words.promotion import broadcast_to as stretch
from ..typing import ArrayLike
from .common import arr, axes_of, axis_of, host_of, no_sharding, static_int, static_shape


def reshape(
    a: Any, shape: Any, order: str = "C", *, copy: bool | None = None, out_sharding: Any = None
) -> Any:
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
    if out_sharding is not None:
        raise no_sharding("reshape", out_sharding)
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


def ravel(a: ArrayLike, order: str = "C", *, out_sharding: Any = None) -> Any:
    """Return all elements in one axis, row by row."""
    if out_sharding is not None:
        raise no_sharding("ravel", out_sharding)
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
    axis = tuple(axis) if isinstance(axis, range) else axis
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


def broadcast_to(array: Any, shape: Any, *, out_sharding: Any = None) -> Any:
    """Stretch `array` to `shape` by NumPy's rules."""
    if out_sharding is not None:
        raise no_sharding("broadcast_to", out_sharding)
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
# Order along axes


def flip(m: Any, axis: Any = None) -> Any:
    """Return the elements in reverse order along axes, all by default."""
    if type(m) is Array and axis is None and m._np is not None and state.trace.eager:
        return Array(np.flip(m._np), m.weak_type)
    m = arr(m)
    return s.rev(m, axes_of(axis, m.ndim, "flip"))


def flipud(m: ArrayLike) -> Any:
    """Reverse axis 0."""
    return flip(m, 0)


def fliplr(m: ArrayLike) -> Any:
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


def tile(A: ArrayLike, reps: Any) -> Any:
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
