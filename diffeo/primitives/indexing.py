"""Parts of arrays at places that are only known at run time: gather, scatter, scatter_add, dynamic
slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .core import LinearInput, Primitive, typeof
from .elementwise import select
from .families import Linear, full_like
from .index_dims import IndexDims, clamp_indices, in_bounds, numpy_index
from .slicing import index_in_dim, stack
from .structural import (
    Shape,
    batch_at_front,
    broadcast_in_dim,
    iota,
    move_axis,
    reduce_sum,
    reshape,
)
from .types import ShapedArray


@dataclass(frozen=True, eq=False, repr=False)
class Gather(Linear):
    """Windows of `sizes` of the operand at positions given by indices; a window that sticks out is
    moved inside.
    """

    dims: IndexDims
    sizes: Shape
    linear = (0,)

    def abstract_eval(self, x: ShapedArray, indices: ShapedArray) -> ShapedArray:
        return ShapedArray(self.dims.check("gather", x, indices, self.sizes), x.dtype)

    def highest(self, shape: Shape) -> list[int]:
        """The last start along each indexed axis that keeps the window inside."""
        return [shape[a] - self.sizes[a] for a in self.dims.index_map]

    def impl(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        starts = self.dims.starts(indices, x.ndim)
        for a in self.dims.index_map:
            starts[a] = np.clip(starts[a], 0, x.shape[a] - self.sizes[a])
        window = self.dims.window_axes(x.ndim)
        shape = indices.shape[:-1] + tuple([self.sizes[a] for a in window])
        out = (
            np.broadcast_to(x[numpy_index(starts, window, self.sizes)], shape)
            if x.ndim
            else np.broadcast_to(x, shape)
        )
        return out.transpose(np.argsort(self.dims.to_front(out.ndim)))

    def lower(self, ctx: Any, x: Any, indices: Any) -> Any:
        return ctx.gather(x, indices, self.dims, self.sizes)

    def transpose(self, ct: Any, x: Any, indices: Any) -> Sequence[Any]:
        inside = clamp_indices(indices, self.highest(x.aval.shape))
        return ScatterAdd(self.dims).bind(full_like(x.aval, 0), inside, ct), None

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        operand, indices = dims[0] is not None, dims[1] is not None
        x, ix = (a if d is None else move_axis(a, d, 0) for a, d in zip(args, dims))
        new = self.dims.batched(operand, indices, len(self.sizes))
        sizes = (1 if indices else size, *self.sizes) if operand else self.sizes
        return Gather(new, sizes).bind(x, ix), 0


class ScatterFamily(Primitive):
    """Windows of an operand written at positions given by indices; a window that sticks out is
    dropped.
    """

    dims: IndexDims
    linear = (0, 2)

    def sizes(self, x: Any, updates: Any) -> Shape:
        """The window's size along each axis of the operand."""
        sizes = [1] * x.ndim
        for d, a in zip(self.dims.offset_dims, self.dims.window_axes(x.ndim)):
            sizes[a] = updates.shape[d]
        return tuple(sizes)

    def abstract_eval(
        self, x: ShapedArray, indices: ShapedArray, updates: ShapedArray
    ) -> ShapedArray:
        fits = updates.dtype == x.dtype and updates.ndim == indices.ndim - 1 + len(
            self.dims.offset_dims
        )
        expected = self.dims.check(self.name, x, indices, self.sizes(x, updates)) if fits else None
        if updates.shape != expected:
            raise TypeError(
                f"{self.name}: updates {updates} do not fit {x} at {indices} with {self.dims}"
            )
        return x

    def highest(self, x: Any, updates: Any) -> list[int]:
        """The last start along each indexed axis that keeps the window inside."""
        sizes = self.sizes(x, updates)
        return [x.shape[a] - sizes[a] for a in self.dims.index_map]

    def numpy_write(
        self, x: np.ndarray, indices: np.ndarray, updates: np.ndarray, write: Any
    ) -> np.ndarray:
        """A copy of `x` in which `write(copy, index, updates)` has put all windows that lie
        inside.
        """
        dims, sizes = self.dims, self.sizes(x, updates)
        batch = indices.shape[:-1]
        starts = [np.broadcast_to(s, batch).reshape(-1) for s in dims.starts(indices, x.ndim)]
        valid = np.ones(int(np.prod(batch)), bool)
        for a, start in enumerate(starts):
            valid &= (start >= 0) & (start <= x.shape[a] - sizes[a])
        window = dims.window_axes(x.ndim)
        updates = updates.transpose(dims.to_front(updates.ndim))
        updates = updates.reshape((valid.size, *[sizes[a] for a in window]))
        out = np.array(x)
        write(
            out,
            numpy_index([s[valid] for s in starts], window, sizes) if x.ndim else (),
            updates[valid],
        )
        return out

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        indexed = dims[1] is not None
        x, updates = batch_at_front(args[0], dims[0], size), batch_at_front(args[2], dims[2], size)
        ix = move_axis(args[1], dims[1], 0) if indexed else args[1]
        new = self.dims.batched(True, indexed, x.ndim - 1)
        return self.with_dims(new).bind(x, ix, updates), 0

    def with_dims(self, dims: IndexDims) -> Any:
        """The same primitive for other index dimensions."""
        raise NotImplementedError

    def transpose_updates(self, ct: Any, x: Any, indices: Any, updates: Any) -> Any:
        """The cotangent of the updates: what stands at their places, zero for dropped windows."""
        got = Gather(self.dims, self.sizes(x, updates)).bind(ct, indices)
        axes = [d for d in range(got.ndim) if d not in self.dims.offset_dims]
        inside = broadcast_in_dim(in_bounds(indices, self.highest(x, updates)), got.shape, axes)
        return select(inside, got, 0.0 if got.dtype.kind != "c" else 0j)


def _aval(x: Any) -> ShapedArray:
    return x.aval if type(x) is LinearInput else typeof(x)


def _add_windows(out: np.ndarray, index: tuple, updates: np.ndarray) -> None:
    np.add.at(out, index, updates if out.ndim else updates.sum(0, dtype=out.dtype))


def _set_windows(out: np.ndarray, index: tuple, updates: np.ndarray) -> None:
    if out.ndim:
        out[index] = updates
    elif len(updates):
        out[...] = updates[-1]


@dataclass(frozen=True, eq=False, repr=False)
class ScatterAdd(ScatterFamily, Linear):
    """The operand with updates added to its windows; windows may overlap."""

    dims: IndexDims

    def impl(self, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
        return self.numpy_write(x, indices, updates, _add_windows)

    def lower(self, ctx: Any, x: Any, indices: Any, updates: Any) -> Any:
        if not x.aval.shape:  # XLA computes a wrong number
            return ctx.inline(lambda x, u: x + reduce_sum(u, range(u.ndim)), x, updates)
        return ctx.scatter("add", x, indices, updates, self.dims, False)

    def with_dims(self, dims: IndexDims) -> Any:
        return ScatterAdd(dims)

    def transpose(self, ct: Any, x: Any, indices: Any, updates: Any) -> Sequence[Any]:
        linear = type(updates) is LinearInput
        ct_updates = (
            self.transpose_updates(ct, _aval(x), indices, _aval(updates)) if linear else None
        )
        return ct if type(x) is LinearInput else None, None, ct_updates


@dataclass(frozen=True, eq=False, repr=False)
class Scatter(ScatterFamily, Linear):
    """The operand with windows overwritten by updates; where windows overlap the last one stays.

    `unique` promises that windows do not overlap.
    """

    dims: IndexDims
    unique: bool = False

    def impl(self, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
        return self.numpy_write(x, indices, updates, _set_windows)

    def lower(self, ctx: Any, x: Any, indices: Any, updates: Any) -> Any:
        if not x.aval.shape:  # XLA takes the first
            last = updates.aval.size - 1
            pick = lambda x, u: index_in_dim(reshape(u, (last + 1,)), last) if u.size else x
            return ctx.inline(pick, x, updates)
        return ctx.scatter(None, x, indices, updates, self.dims, self.unique)

    def with_dims(self, dims: IndexDims) -> Any:
        return Scatter(dims, self.unique)

    def transpose(self, ct: Any, x: Any, indices: Any, updates: Any) -> Sequence[Any]:
        x_aval, up_aval = _aval(x), _aval(updates)
        ct_x = ct_updates = None
        if type(x) is LinearInput:
            ct_x = self.bind(ct, indices, full_like(up_aval, 0))
        if type(updates) is LinearInput:
            ct_updates = self.transpose_updates(ct, x_aval, indices, up_aval)
            if not self.unique:
                ct_updates = select(
                    self._stayed(x_aval, indices, up_aval),
                    ct_updates,
                    0.0 if ct.dtype.kind != "c" else 0j,
                )
        return ct_x, None, ct_updates

    def _stayed(self, x: ShapedArray, indices: Any, updates: ShapedArray) -> Any:
        """Which updates were not overwritten by later ones: scatter their numbers and look who is
        there.
        """
        number = reshape(iota(np.int32, (updates.size,)), updates.shape)
        board = self.bind(full_like(ShapedArray(x.shape, number.dtype), -1), indices, number)
        return Gather(self.dims, self.sizes(x, updates)).bind(board, indices) == number


# --------------------------------------------------------------------------------------------------
# Slices at positions that are only known at run time


def check_starts(name: str, x: ShapedArray, sizes: Shape, starts: Sequence[Any]) -> None:
    """TypeError unless there is a scalar integer start for each axis of `x` and the window fits."""
    scalars = all(type(s) is ShapedArray and s.shape == () and s.dtype.kind in "iu" for s in starts)
    if len(starts) != x.ndim or not scalars:
        raise TypeError(f"{name}: needs {x.ndim} scalar integers as starts for {x}, got {starts}")
    if len(sizes) != x.ndim or any(not 0 <= n <= limit for n, limit in zip(sizes, x.shape)):
        raise TypeError(f"{name}: a window of {sizes} does not fit into {x}")


def clamp_starts(starts: Sequence[Any], shape: Shape, sizes: Shape) -> list[int]:
    """Starts moved so that the window lies inside, as XLA does."""
    return [min(max(int(s), 0), n - size) for s, n, size in zip(starts, shape, sizes)]


@dataclass(frozen=True, eq=False, repr=False)
class DynamicSlice(Linear):
    """A window of static `sizes` at starts given as scalar operands, moved inside if it would
    stick out.
    """

    sizes: Shape
    linear = (0,)

    def abstract_eval(self, x: ShapedArray, *starts: ShapedArray) -> ShapedArray:
        check_starts("dynamic_slice", x, self.sizes, starts)
        return ShapedArray(self.sizes, x.dtype)

    def impl(self, x: np.ndarray, *starts: Any) -> np.ndarray:
        inside = clamp_starts(starts, x.shape, self.sizes)
        return x[tuple([slice(s, s + n) for s, n in zip(inside, self.sizes)])]

    def lower(self, ctx: Any, x: Any, *starts: Any) -> Any:
        starts = [ctx.index(s) for s in starts]  # type: ignore[assignment]
        return ctx.op("dynamic_slice", x, *starts, slice_sizes=ctx.i64s(self.sizes))

    def transpose(self, ct: Any, x: Any, *starts: Any) -> Sequence[Any]:
        zeros = full_like(x.aval, 0)
        return DynamicUpdateSlice().bind(zeros, ct, *starts), *[None] * len(starts)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        x, *starts = args
        if all([d is None for d in dims[1:]]):
            zero = full_like(typeof(starts[0]) if starts else ShapedArray((), np.int32), 0)
            return DynamicSlice((size, *self.sizes)).bind(
                move_axis(x, dims[0], 0), zero, *starts
            ), 0
        indices = _stack_starts(starts, dims[1:], size)
        return Gather(_window_dims(len(self.sizes)), self.sizes).batch(
            size, (x, indices), (dims[0], 0)
        )


@dataclass(frozen=True, eq=False, repr=False)
class DynamicUpdateSlice(Linear):
    """The operand with a window overwritten by the update, at starts as in `DynamicSlice`."""

    linear = (0, 1)

    def abstract_eval(
        self, x: ShapedArray, update: ShapedArray, *starts: ShapedArray
    ) -> ShapedArray:
        if x.ndim != update.ndim or x.dtype != update.dtype:
            raise TypeError(
                f"dynamic_update_slice: the update must have the rank and dtype of {x}, got "
                f"{update}"
            )
        check_starts("dynamic_update_slice", x, update.shape, starts)
        return x

    def impl(self, x: np.ndarray, update: np.ndarray, *starts: Any) -> np.ndarray:
        out = np.array(x)
        inside = clamp_starts(starts, x.shape, update.shape)
        out[tuple([slice(s, s + n) for s, n in zip(inside, update.shape)])] = update
        return out

    def lower(self, ctx: Any, x: Any, update: Any, *starts: Any) -> Any:
        return ctx.op("dynamic_update_slice", x, update, *[ctx.index(s) for s in starts])

    def transpose(self, ct: Any, x: Any, update: Any, *starts: Any) -> Sequence[Any]:
        shape = (update.aval if type(update) is LinearInput else typeof(update)).shape
        ct_x = ct_update = None
        if type(x) is LinearInput:
            ct_x = self.bind(ct, full_like(ShapedArray(shape, ct.dtype), 0), *starts)
        if type(update) is LinearInput:
            ct_update = DynamicSlice(shape).bind(ct, *starts)
        return ct_x, ct_update, *[None] * len(starts)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        x, update = (batch_at_front(a, d, size) for a, d in zip(args[:2], dims[:2]))
        shape, sizes = x.shape[1:], update.shape[1:]
        if not shape:
            return update, 0
        starts = _stack_starts(args[2:], dims[2:], size)
        starts = clamp_indices(starts, [n - w for n, w in zip(shape, sizes)])
        return Scatter(_window_dims(len(shape)), True).batch(size, (x, starts, update), (0, 0, 0))


def _window_dims(ndim: int) -> IndexDims:
    """One window over all axes at one position."""
    return IndexDims(tuple(range(ndim)), (), tuple(range(ndim)))


def _stack_starts(starts: Sequence[Any], dims: Sequence[Any], size: int) -> Any:
    return stack([batch_at_front(s, d, size) for s, d in zip(starts, dims)], 1)


# --------------------------------------------------------------------------------------------------
# The primitives as functions


def gather(x: Any, indices: Any, dims: IndexDims, sizes: Sequence[int]) -> Any:
    """Windows of `sizes` of `x` at `indices`, moved inside if they stick out; see `Gather`."""
    return Gather(dims, tuple(sizes)).bind(x, indices)


def scatter(x: Any, indices: Any, updates: Any, dims: IndexDims, unique: bool = False) -> Any:
    """`x` with windows overwritten by `updates`; windows that stick out are dropped."""
    return Scatter(dims, unique).bind(x, indices, updates)


def scatter_add(x: Any, indices: Any, updates: Any, dims: IndexDims) -> Any:
    """`x` with `updates` added to windows; windows that stick out are dropped."""
    return ScatterAdd(dims).bind(x, indices, updates)


def dynamic_slice(x: Any, starts: Sequence[Any], sizes: Sequence[int]) -> Any:
    """A window of `sizes` at scalar integer `starts`, which may be traced."""
    return DynamicSlice(tuple(sizes)).bind(x, *starts)


def dynamic_update_slice(x: Any, update: Any, starts: Sequence[Any]) -> Any:
    """`x` with the window at `starts` overwritten by `update`."""
    return DynamicUpdateSlice().bind(x, update, *starts)
