"""Parts of arrays at places that are only known at run time: gather, scatter, scatter_add, dynamic
slices. The rest of scatter's family is in `operations/scatter.py`.

Read `IndexDims` in `index_dims.py` first: it says how indices address windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from ..builder import LoweringContext
from ..constants import full, full_like
from ..core import Primitive, Value, typeof
from ..families import Linear
from ..stand_ins import LinearInput
from ..support.frozen import frozen
from ..types import ShapedArray, check_scalar
from .elementwise import kind_of, select, zero_scalar
from .index_dims import IndexDims, clamp_indices, in_bounds, numpy_index
from .slicing import stack
from .structural import (
    Shape,
    batch_at_front,
    broadcast_in_dim,
    drop_axes,
    iota,
    move_axis,
    reshape,
    size_of,
)

#: What a gather does with a window that sticks out: move it inside ("clip"), read a fill value in
#: its place, or rely on the promise that there is none.
MODES = ("clip", "fill", "promise_in_bounds")


@frozen
class Gather(Linear):
    """Windows of `sizes` of the operand at positions given by indices.

    Args:
        dims: how indices address windows.
        sizes: the window's size along each axis of the operand.
        mode: what happens to a window that sticks out, see `MODES`.
        fill: the value that is read in place of such a window, with mode "fill".
        unique: a promise that windows do not overlap.
        in_order: a promise that positions are sorted.
    """

    dims: IndexDims
    sizes: Shape
    mode: str = "clip"
    fill: Any = False
    unique: bool = False
    in_order: bool = False
    linear = (0,)
    takes_places = True
    accepts = "biufcVk"

    def abstract_eval(self, x: ShapedArray, indices: ShapedArray) -> ShapedArray:
        if self.mode not in MODES:
            raise ValueError(f"gather: mode must be one of {MODES}, got {self.mode!r}")
        check_scalar("gather", self.fill, x.dtype)
        return ShapedArray(self.dims.check("gather", x, indices, self.sizes), x.dtype)

    def highest(self, shape: Shape) -> list[int]:
        """Return the last start along each indexed axis that keeps the window inside."""
        return [shape[a] - self.sizes[a] for a in self.dims.index_map]

    def impl(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
        batch, fills = indices.shape[:-1], self.mode == "fill"
        if self.dims.first_axis(len(batch)) and (
            x.size and self.sizes[1:] == x.shape[1:] and indices.dtype != np.uint64
        ):
            return self._of_first_axis(x, indices[..., 0])
        starts = self.dims.starts(indices, x.ndim)
        inside: Any = True
        for a, high in zip(self.dims.index_map, self.highest(x.shape)):
            moved = np.clip(starts[a], 0, high)
            inside = inside & (moved == starts[a]) if fills else True
            starts[a] = moved
        index, view, window = numpy_index(self.dims, x.shape, self.sizes, starts, batch)
        out = view(x)[index]
        out = np.broadcast_to(out, batch + out.shape[len(batch) :])
        if not np.all(inside):
            inside = np.reshape(inside, np.shape(inside) + (1,) * len(window))
            out = np.where(inside, out, np.asarray(self.fill, x.dtype))
        # `argsort` inverts the permutation: back to the result's order of axes.
        return out.transpose(np.argsort(self.dims.to_front(out.ndim, window)))

    def _of_first_axis(self, x: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return x[places], by `take`, which is fast."""
        out = np.asarray(x.take(places, 0, mode="clip"))
        if self.mode == "fill":
            outside = (places < 0) | (places >= len(x))
            if outside.any():
                out[outside] = self.fill
        return out

    def lower(self, ctx: LoweringContext, x: Any, indices: Any) -> Any:
        if self.mode == "fill":
            return ctx.inline(self.decompose, x, indices)
        return ctx.gather(x, indices, self.dims, self.sizes, self.in_order)

    def decompose(self, x: Value, indices: Value) -> Any:
        """Gather as if all windows were inside, and choose the fill value where one was not."""
        out = replace(self, mode="promise_in_bounds", fill=False).bind(x, indices)
        axes = [d for d in range(out.ndim) if d not in self.dims.offset_dims]
        inside = broadcast_in_dim(in_bounds(indices, self.highest(x.shape)), out.shape, axes)
        return select(inside, out, self.fill)

    def linear_part(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        return (replace(self, fill=False) if self.fill else self).bind(tangents[0], primals[1])

    def transpose(self, ct: Value, x: Any, indices: Any) -> Sequence[Any]:
        add = ScatterAdd(self.dims, self.unique, self.in_order)
        if self.mode == "clip":  # windows that were moved inside may overlap, out of order
            indices, add = clamp_indices(indices, self.highest(x.aval.shape)), ScatterAdd(self.dims)
        return add.bind(full_like(x.aval, 0), indices, ct), None

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        if not size:  # a window of one row does not fit
            avals = [
                a if d is None else a.update(drop_axes(a.shape, (d,)))
                for a, d in zip(map(typeof, args), dims)
            ]
            out = self.abstract_eval(*avals)
            return full((0, *out.shape), zero_scalar(out), out.dtype), 0
        # Windows of several rows do not overlap if each row has an operand of its own; positions of
        # several rows are sorted row by row only.
        operand, indices = dims[0] is not None, dims[1] is not None
        x, ix = (a if d is None else move_axis(a, d, 0) for a, d in zip(args, dims))
        new = replace(
            self,
            dims=self.dims.batched(operand, indices, len(self.sizes)),
            sizes=(1 if indices else size, *self.sizes) if operand else self.sizes,
            unique=self.unique and operand,
            in_order=self.in_order and not indices,
        )
        return new.bind(x, ix), 0


@frozen
class ScatterFamily(Primitive):
    """Windows of an operand combined with updates, at positions given by indices.

    A window that sticks out is dropped. A subclass states the facts: the kinds of dtypes, the
    operation's NumPy function and StableHLO name. (Without an operation, updates overwrite.)

    Args:
        dims: how indices address windows.
        unique: a promise that windows do not overlap.
        in_order: a promise that positions are sorted.
    """

    dims: IndexDims
    unique: bool = False
    in_order: bool = False
    linear = (0, 2)
    takes_places = True
    accepts = "biufc"
    ufunc: ClassVar[Any] = None
    hlo: ClassVar[str | None] = None

    def sizes(self, x: Any, updates: Any) -> Shape:
        """Return the window's size along each axis of the operand."""
        sizes = [1] * x.ndim
        for d, a in zip(self.dims.offset_dims, self.dims.window_axes(x.ndim)):
            sizes[a] = updates.shape[d]
        return tuple(sizes)

    def abstract_eval(
        self, x: ShapedArray, indices: ShapedArray, updates: ShapedArray
    ) -> ShapedArray:
        if kind_of(x.dtype) not in self.accepts:
            raise TypeError(f"{self.name}: not defined for {x.dtype}, got the operand {x}")
        fits = (
            updates.dtype == x.dtype
            and updates.ndim == indices.ndim - 1 + len(self.dims.offset_dims)
            and self.dims.well_formed(x.ndim, indices.ndim - 1)
        )
        expected = self.dims.check(self.name, x, indices, self.sizes(x, updates)) if fits else None
        if updates.shape != expected:
            raise TypeError(
                f"{self.name}: updates {updates} do not fit {x} at {indices} with {self.dims}"
            )
        return x

    def highest(self, x: Value, updates: Any) -> list[int]:
        """Return the last start along each indexed axis that keeps the window inside."""
        sizes = self.sizes(x, updates)
        return [x.shape[a] - sizes[a] for a in self.dims.index_map]

    def impl(self, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
        dims, batch, out = self.dims, indices.shape[:-1], np.array(x, order="C")
        if x.ndim == 1 and dims.first_axis(len(batch)) and indices.size:
            places = indices[..., 0]  # the short way: all windows are single elements, inside
            if places.min() >= 0 and places.max() < len(x):
                if self.ufunc is None:
                    out[places] = updates
                else:
                    self.ufunc.at(out, places, updates)
                return out
        sizes = self.sizes(x, updates)
        starts = [np.broadcast_to(s, batch).reshape(-1) for s in dims.starts(indices, x.ndim)]
        valid = np.ones(size_of(batch), bool)
        for a, start in enumerate(starts):
            valid &= (start >= 0) & (start <= x.shape[a] - sizes[a])
        inside = valid if not valid.all() else slice(None)
        starts, count = [s[inside] for s in starts], int(valid.sum())
        index, view, window = numpy_index(dims, x.shape, sizes, starts, (count,))
        updates = updates.transpose(dims.to_front(updates.ndim, window))
        updates = updates.reshape((valid.size, *updates.shape[len(batch) :]))[inside]
        if self.ufunc is None:
            view(out)[index] = updates
            return out
        # NumPy is much faster with places in a vector than with several index arrays.
        places = view(np.arange(x.size).reshape(x.shape))[index]
        self.ufunc.at(out.reshape(-1), places.reshape(-1), updates.reshape(-1))
        return out

    def lower(self, ctx: LoweringContext, x: Any, indices: Any, updates: Any) -> Any:
        if not x.aval.shape:  # XLA computes wrong numbers
            return ctx.inline(self._into_scalar, x, indices, updates)
        return ctx.scatter(self.hlo, x, indices, updates, self.dims, self.unique, self.in_order)

    def _into_scalar(self, x: Value, indices: Value, updates: Value) -> Any:
        """Scatter into an array without axes, as if it had one axis of size 1."""
        zeros = full_like(ShapedArray((*indices.shape[:-1], 1), indices.dtype), 0)
        vector = replace(self, dims=IndexDims((), (0,), (0,)))
        return reshape(vector.bind(reshape(x, (1,)), zeros, updates), ())

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        indexed = dims[1] is not None
        x, updates = batch_at_front(args[0], dims[0], size), batch_at_front(args[2], dims[2], size)
        if not size:  # in no rows there is nothing to write
            return x, 0
        ix = move_axis(args[1], dims[1], 0) if indexed else args[1]
        new = self.dims.batched(True, indexed, x.ndim - 1)
        in_order = self.in_order and not indexed
        return replace(self, dims=new, in_order=in_order).bind(x, ix, updates), 0

    def read(self, x: Value, indices: Value, updates: Any, fill: Any = False) -> Any:
        """Return what stands at the places of the updates; `fill` for dropped windows."""
        sizes = self.sizes(x, updates)
        return Gather(self.dims, sizes, "fill", fill, self.unique, self.in_order).bind(x, indices)


class ScatterAdd(ScatterFamily, Linear):
    """The operand with updates added to its windows; windows may overlap."""

    ufunc, hlo = np.add, "add"

    def transpose(self, ct: Value, x: Any, indices: Value, updates: Any) -> Sequence[Any]:
        linear = type(updates) is LinearInput
        ct_updates = self.read(ct, indices, updates.aval) if linear else None
        return ct if type(x) is LinearInput else None, None, ct_updates


class Scatter(ScatterFamily, Linear):
    """The operand with windows overwritten by updates. Where windows overlap the last one stays."""

    accepts = "biufcsk"

    def transpose(self, ct: Value, x: Any, indices: Value, updates: Any) -> Sequence[Any]:
        up = updates.aval if type(updates) is LinearInput else typeof(updates)
        zero = zero_scalar(ct)
        # Where windows do not overlap, every update stays. Where only x is linear, it does not
        # matter which one stays: x has no part in what was written.
        if type(updates) is not LinearInput or self.unique:
            ct_x = self.bind(ct, indices, full_like(up, 0)) if type(x) is LinearInput else None
            linear = type(updates) is LinearInput
            return ct_x, None, self.read(ct, indices, up) if linear else None
        untouched, stayed = self._fates(ct, indices, up)
        ct_x = select(untouched, ct, zero) if type(x) is LinearInput else None
        return ct_x, None, select(stayed, self.read(ct, indices, up), zero)

    def _fates(self, x: Value, indices: Value, updates: ShapedArray) -> tuple[Any, Any]:
        """Return which elements are not written, and which updates are not overwritten by later
        ones.

        The numbers of the updates are scattered in their place, over numbers of -1. An element that
        is still -1 was not written. An update that reads back its own number has stayed.

        Along an axis that windows fill, all elements share their fate: one stands for all.
        """
        window = self.dims.window_axes(x.ndim)
        filled = {
            d: a for d, a in zip(self.dims.offset_dims, window) if updates.shape[d] == x.shape[a]
        }
        shape = tuple([1 if d in filled else n for d, n in enumerate(updates.shape)])
        board = tuple([1 if a in filled.values() else n for a, n in enumerate(x.shape)])
        count = size_of(shape)
        number = reshape(iota(np.int32 if count < 2**31 else np.int64, (count,)), shape)
        blank = full_like(ShapedArray(board, number.dtype), -1)
        last = self.bind(blank, indices, number)
        stayed = self.read(last, indices, number, -1) == number
        return (
            broadcast_in_dim(last == -1, x.shape, range(x.ndim)),
            broadcast_in_dim(stayed, updates.shape, range(updates.ndim)),
        )


# --------------------------------------------------------------------------------------------------
# Slices at positions that are only known at run time


def check_starts(name: str, x: ShapedArray, sizes: Shape, starts: Sequence[Any]) -> None:
    """Check that there is a scalar integer start for each axis of `x`, and that the window fits.

    Raises:
        TypeError: if not.
    """
    scalars = all(s is starts[0] and s.shape == () and s.dtype.kind in "iu" for s in starts)
    if len(starts) != x.ndim or not scalars:
        raise TypeError(
            f"{name}: needs {x.ndim} scalar integers of one dtype as starts for {x}, got {starts}"
        )
    if len(sizes) != x.ndim or any(not 0 <= n <= limit for n, limit in zip(sizes, x.shape)):
        raise TypeError(f"{name}: a window of {sizes} does not fit into {x}")


def clamp_starts(starts: Sequence[Any], shape: Shape, sizes: Shape) -> list[int]:
    """Return starts moved so that the window lies inside, as XLA does."""
    return [min(max(int(s), 0), n - size) for s, n, size in zip(starts, shape, sizes)]


@frozen
class DynamicSlice(Linear):
    """A window of static `sizes` at starts given as scalar operands. It is moved inside if it would
    stick out.
    """

    sizes: Shape
    linear = (0,)
    takes_places = True
    accepts = "biufcVk"

    def abstract_eval(self, x: ShapedArray, *starts: ShapedArray) -> ShapedArray:
        check_starts("dynamic_slice", x, self.sizes, starts)
        return ShapedArray(self.sizes, x.dtype)

    def impl(self, x: np.ndarray, *starts: Any) -> np.ndarray:
        inside = clamp_starts(starts, x.shape, self.sizes)
        return x[tuple([slice(s, s + n) for s, n in zip(inside, self.sizes)])]

    def lower(self, ctx: LoweringContext, x: Any, *starts: Any) -> Any:
        starts = [ctx.index(s) for s in starts]  # type: ignore[assignment]
        return ctx.op("dynamic_slice", x, *starts, slice_sizes=ctx.i64s(self.sizes))

    def transpose(self, ct: Value, x: Any, *starts: Any) -> Sequence[Any]:
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


@frozen
class DynamicUpdateSlice(Linear):
    """The operand with a window overwritten by the update, at starts as in `DynamicSlice`."""

    linear = (0, 1)
    takes_places = True
    accepts = "biufcVk"

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

    def lower(self, ctx: LoweringContext, x: Any, update: Any, *starts: Any) -> Any:
        return ctx.op("dynamic_update_slice", x, update, *[ctx.index(s) for s in starts])

    def transpose(self, ct: Value, x: Any, update: Any, *starts: Any) -> Sequence[Any]:
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
    """Return the `IndexDims` of windows over all axes, each at one position."""
    return IndexDims(tuple(range(ndim)), (), tuple(range(ndim)))


def _stack_starts(starts: Sequence[Any], dims: Sequence[Any], size: int) -> Any:
    """Return starts, some of which are batched, as indices: one row for each of the batch."""
    return stack([batch_at_front(s, d, size) for s, d in zip(starts, dims)], 1)


# --------------------------------------------------------------------------------------------------
# The primitives as functions


def gather(
    x: Any,
    indices: Any,
    dims: IndexDims,
    sizes: Sequence[int],
    mode: str = "clip",
    fill: Any = False,
    unique: bool = False,
    in_order: bool = False,
) -> Any:
    """Return windows of `sizes` of `x` at `indices`; see `Gather`."""
    return Gather(dims, tuple(sizes), mode, fill, unique, in_order).bind(x, indices)


def dynamic_slice(x: Any, starts: Sequence[Any], sizes: Sequence[int]) -> Any:
    """Return a window of `sizes` at scalar integer `starts`, which may be traced."""
    return DynamicSlice(tuple(sizes)).bind(x, *starts)


def dynamic_update_slice(x: Any, update: Any, starts: Sequence[Any]) -> Any:
    """Return `x` with the window at `starts` overwritten by `update`."""
    return DynamicUpdateSlice().bind(x, update, *starts)
