"""How indices address windows of an array: what gather and scatter have in common."""

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

    The last axis of the indices holds a position; its entry `k` belongs to axis `index_map[k]` of
    the operand. The other axes of the indices are the batch axes of the result. The window's axes
    stand at `offset_dims` of the result, those of the operand's axes that are neither `collapsed`
    (of window size 1) nor in `operand_batching`, which run in step with the axes `index_batching`
    of the indices.
    """

    offset_dims: Shape
    collapsed: Shape
    index_map: Shape
    operand_batching: Shape = ()
    index_batching: Shape = ()

    def window_axes(self, ndim: int) -> list[int]:
        """The operand's axes that remain in the window."""
        return [
            d for d in range(ndim) if d not in self.collapsed and d not in self.operand_batching
        ]

    def batched(self, operand: bool, indices: bool, ndim: int) -> IndexDims:
        """The same with a new axis in front of the operand, the indices, or both; the result's is
        in front too.
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
        """Whether axes are distinct, within the operand, the batch and the result, and in order
        where StableHLO wants it.
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

    def check(self, name: str, x: Any, indices: Any, sizes: Shape) -> Shape:
        """The shape of gathered windows; TypeError if anything does not fit."""
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
        paired = [x.shape[a] for a in self.operand_batching] == [
            batch[b] for b in self.index_batching
        ]
        whole = len(sizes) == x.ndim and all(0 <= s <= n for s, n in zip(sizes, x.shape))
        ones = whole and all(
            sizes[a] == 1 for a in (*self.collapsed, *self.operand_batching) if x.shape[a]
        )
        if not (paired and ones and len(window) == len(self.offset_dims)):
            raise TypeError(f"{name}: windows of {sizes} at {indices} do not fit {x} with {self}")
        shape = [0] * (len(batch) + len(window))
        for d, w in zip(self.offset_dims, window):
            shape[d] = sizes[w]
        rest = iter(batch)
        return tuple([n if d in self.offset_dims else next(rest) for d, n in enumerate(shape)])

    def first_axis(self, batch: int) -> bool:
        """Whether positions belong to the operand's first axis alone, as in `x[i]`."""
        return (
            self.collapsed == self.index_map == (0,)
            and not self.operand_batching
            and self.offset_dims == tuple(range(batch, batch + len(self.offset_dims)))
        )

    def starts(self, indices: np.ndarray, ndim: int) -> list[Any]:
        """For NumPy: the start along each axis of the operand, of the indices' batch shape."""
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
        """The order of the result's axes that puts batch axes first, then the window's axes in the
        order `window` (numbers into `offset_dims`).
        """
        offsets = [self.offset_dims[k] for k in window]
        return (*[d for d in range(ndim) if d not in self.offset_dims], *offsets)


def numpy_index(
    dims: IndexDims, shape: Shape, sizes: Shape, starts: Sequence[Any], batch: Shape
) -> tuple[tuple, Callable, list[int]]:
    """For NumPy -> (index, view, window): `view(x)[index]` are all windows at `starts`.

    It has the axes `batch`, then those of the windows in the order `window`; the view is `x` with
    the axes last that windows run through entirely and that need no index array.
    """
    axes = dims.window_axes(len(shape))
    whole = [a for a in axes if sizes[a] == shape[a]]
    parts = [a for a in axes if a not in whole]
    others = [a for a in range(len(shape)) if a not in whole]
    index = []
    for a in others:
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
    """An upper bound for integers of a dtype, or the largest of them, which says as much."""
    return min(bound, int(np.iinfo(dtype).max))


def clamp_indices(indices: Any, highest: Sequence[int]) -> Any:
    """Indices brought into 0 .. highest[k] for entry k of their last axis."""
    if not highest:
        return indices
    one = ShapedArray((1,), indices.dtype)
    line = concatenate([full_like(one, max(0, representable(h, one.dtype))) for h in highest])
    high = broadcast_in_dim(line, indices.shape, (indices.ndim - 1,))
    return maximum.bind(minimum.bind(indices, high), 0)


def in_bounds(indices: Any, highest: Sequence[int]) -> Any:
    """Which positions (the last axis disappears) lie in 0 .. highest[k] for each entry k;
    boolean.
    """
    found = None
    for k, h in enumerate(highest):
        entry = reshape(slice_in_dim(indices, k, k + 1, 1, indices.ndim - 1), indices.shape[:-1])
        inside = (entry >= 0) & (entry <= representable(h, indices.dtype))
        found = inside if found is None else found & inside
    return (
        found
        if found is not None
        else full_like(ShapedArray(indices.shape[:-1], np.dtype(bool)), True)
    )
