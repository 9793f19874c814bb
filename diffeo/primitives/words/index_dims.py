"""How indices address windows of an array: what gather and scatter have in common.

A *window* is a block of an array, of a fixed size along each axis. The indices say where each
window starts. `x[i]` for a matrix `x` and a vector `i` gathers windows of size (1, columns), one
for each entry of `i`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..constants import full_like
from ..types import ShapedArray
from .elementwise import maximum, minimum
from .slicing import concatenate, slice_in_dim
from .structural import Shape, broadcast_in_dim, reshape


@dataclass(frozen=True)
class IndexDims:
    """How indices address windows of an operand (StableHLO's gather dimension numbers).

    The last axis of the indices holds a position: entry `k` of it belongs to axis `index_map[k]` of
    the operand. The other axes of the indices are the batch axes, which the result has, too.

    Of a window, the result has all axes but the `collapsed` ones, whose window size is 1, and the
    `operand_batching` ones. The latter run in step with the axes `index_batching` of the indices:
    each index reads its own row of the operand. The remaining axes of the window stand at
    `offset_dims` of the result.

    For `x[i]`, with a matrix `x` and `i` of shape (n, 1): `collapsed = (0,)`, as the window is one
    row; `index_map = (0,)`, as the position is along axis 0; `offset_dims = (1,)`, as the columns
    are axis 1 of the result.
    """

    offset_dims: Shape
    collapsed: Shape
    index_map: Shape
    operand_batching: Shape = ()
    index_batching: Shape = ()

    def window_axes(self, ndim: int) -> list[int]:
        """Return the operand's axes that remain in the window."""
        return [
            d for d in range(ndim) if d not in self.collapsed and d not in self.operand_batching
        ]

    def batched(self, operand: bool, indices: bool, ndim: int) -> IndexDims:
        """Return the same with a new axis in front of the operand, the indices, or both. The result
        has the new axis in front, too.
        """
        up = lambda axes: tuple([a + 1 for a in axes])
        if operand and indices:
            return IndexDims(
                up(self.offset_dims),
                up(self.collapsed),
                up(self.index_map),
                (0, *up(self.operand_batching)),
                (0, *up(self.index_batching)),
            )
        if operand:
            return IndexDims(
                (0, *up(self.offset_dims)),
                up(self.collapsed),
                up(self.index_map),
                up(self.operand_batching),
                self.index_batching,
            )
        return IndexDims(
            up(self.offset_dims),
            self.collapsed,
            self.index_map,
            self.operand_batching,
            up(self.index_batching),
        )

    def well_formed(self, ndim: int, batch: int) -> bool:
        """Return whether axes are distinct, within the operand, the batch and the result, and in
        order where StableHLO needs it.
        """
        within = (
            (self.collapsed, ndim),
            (self.operand_batching, ndim),
            ((*self.index_map, *self.operand_batching), ndim),
            (self.index_batching, batch),
            (self.offset_dims, batch + len(self.offset_dims)),
        )
        distinct = all(len({*axes} & {*range(n)}) == len(axes) for axes, n in within)
        ordered = (self.collapsed, self.operand_batching, self.offset_dims)
        return distinct and all(list(axes) == sorted(axes) for axes in ordered)

    def check(self, name: str, x: ShapedArray, indices: ShapedArray, sizes: Shape) -> Shape:
        """Return the shape of gathered windows.

        Raises:
            TypeError: if anything does not fit.
        """
        if (
            indices.dtype.kind not in "iu"
            or indices.ndim < 1
            or indices.shape[-1] != len(self.index_map)
        ):
            raise TypeError(
                f"{name}: expects integer indices whose last axis has size "
                f"{len(self.index_map)}, got {indices}"
            )
        if not self.well_formed(x.ndim, indices.ndim - 1):
            raise TypeError(
                f"{name}: axes out of range, repeated or out of order for {x} at "
                f"{indices} in {self}"
            )
        window = self.window_axes(x.ndim)
        batch = indices.shape[:-1]
        # Axes that run in step have the same size.
        paired = [x.shape[a] for a in self.operand_batching] == [
            batch[b] for b in self.index_batching
        ]
        whole = len(sizes) == x.ndim and all(0 <= s <= n for s, n in zip(sizes, x.shape))
        # Axes that leave the window have size 1 in it; of an empty axis, there is nothing to check.
        ones = whole and all(
            sizes[a] == 1 for a in (*self.collapsed, *self.operand_batching) if x.shape[a]
        )
        if not (paired and ones and len(window) == len(self.offset_dims)):
            raise TypeError(f"{name}: windows of {sizes} at {indices} do not fit {x} with {self}")
        # The window's sizes stand at `offset_dims`, those of the batch fill the other axes.
        shape = [0] * (len(batch) + len(window))
        for d, w in zip(self.offset_dims, window):
            shape[d] = sizes[w]
        outer = iter(batch)
        return tuple([n if d in self.offset_dims else next(outer) for d, n in enumerate(shape)])

    def first_axis(self, batch: int) -> bool:
        """Return whether positions belong to the operand's first axis alone, as in `x[i]`."""
        return (
            self.collapsed == self.index_map == (0,)
            and not self.operand_batching
            and self.offset_dims == tuple(range(batch, batch + len(self.offset_dims)))
        )

    def starts(self, indices: np.ndarray, ndim: int) -> list[Any]:
        """Return, for NumPy, the start of each window along each axis of the operand.

        The arrays broadcast to the batch shape of the indices.
        """
        batch = indices.shape[:-1]
        starts: list[Any] = [np.zeros((1,) * len(batch), np.int64)] * ndim
        if indices.dtype == np.uint64:  # an index beyond int64 is out of bounds anyway
            indices = np.minimum(indices, np.uint64(np.iinfo(np.int64).max))
        for k, a in enumerate(self.index_map):
            starts[a] = indices[..., k].astype(np.int64)
        for a, b in zip(self.operand_batching, self.index_batching):
            starts[a] = np.arange(batch[b]).reshape(
                [-1 if i == b else 1 for i in range(len(batch))]
            )
        return starts

    def to_front(self, ndim: int, window: Sequence[int]) -> Shape:
        """Return the order of the result's axes that puts batch axes first, then the window's axes
        in the order `window` (numbers into `offset_dims`).

        With `offset_dims = (0, 2)`, a result of four axes and the window order [1, 0], this is (1,
        3, 2, 0).
        """
        offsets = [self.offset_dims[k] for k in window]
        return (*[d for d in range(ndim) if d not in self.offset_dims], *offsets)


def numpy_index(
    dims: IndexDims, shape: Shape, sizes: Shape, starts: Sequence[Any], batch: Shape
) -> tuple[tuple, Callable, list[int]]:
    """Return (index, view, window), by which NumPy reads or writes all windows: `view(x)[index]`.

    The result has the axes `batch`, then those of the windows in the order `window`. Axes that
    windows run through entirely need no index array: the view is `x` with these axes last, where
    NumPy copies them as a block.
    """
    axes = dims.window_axes(len(shape))
    whole = [a for a in axes if sizes[a] == shape[a]]
    parts = [a for a in axes if a not in whole]
    others = [a for a in range(len(shape)) if a not in whole]
    index = []
    for a in others:
        # An index array has the batch axes, then one axis for each of `parts`, along which the
        # positions in the window are counted.
        start = starts[a].reshape(starts[a].shape + (1,) * len(parts))
        if a in parts:
            start = start + np.arange(sizes[a]).reshape([-1 if p == a else 1 for p in parts])
        index.append(start)

    def view(x: np.ndarray) -> np.ndarray:
        x = x.transpose(others + whole)
        return x if others else x[None]

    index = index or [np.zeros(batch, np.int64)]
    return tuple(index), view, [axes.index(a) for a in parts + whole]


def representable(bound: int, dtype: np.dtype) -> int:
    """Return an upper bound for integers of a dtype; the largest of them, if no integer is beyond
    it.
    """
    return min(bound, int(np.iinfo(dtype).max))


def clamp_indices(indices: Any, highest: Sequence[int]) -> Any:
    """Return indices brought into 0 .. highest[k] for entry k of their last axis."""
    if not highest:
        return indices
    one = ShapedArray((1,), indices.dtype)
    line = concatenate([full_like(one, max(0, representable(h, one.dtype))) for h in highest])
    high = broadcast_in_dim(line, indices.shape, (indices.ndim - 1,))
    return maximum.bind(minimum.bind(indices, high), 0)


def in_bounds(indices: Any, highest: Sequence[int]) -> Any:
    """Return which positions lie in 0 .. highest[k] for each entry k, as booleans.

    The last axis of the indices, which holds the positions, disappears.
    """
    result = None
    for k, h in enumerate(highest):
        entry = reshape(slice_in_dim(indices, k, k + 1, 1, indices.ndim - 1), indices.shape[:-1])
        inside = (entry >= 0) & (entry <= representable(h, indices.dtype))
        result = inside if result is None else result & inside
    return (
        result
        if result is not None
        else full_like(ShapedArray(indices.shape[:-1], np.dtype(bool)), True)
    )
