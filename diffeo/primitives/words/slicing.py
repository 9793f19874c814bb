"""Parts of arrays at static places: slice, pad, concatenate, split, rev."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from ..builder import LoweringContext
from ..constants import full_like
from ..core import Value, typeof
from ..families import Linear
from ..stand_ins import ZERO, LinearInput
from ..support.frozen import frozen
from ..types import ShapedArray, check_scalar
from .structural import Shape, batch_at_front, check_axes, expand_dims, move_axis, squeeze


@frozen
class Slice(Linear):
    """`x[starts[i]:limits[i]:strides[i]]` along each axis i. Bounds are checked, strides are
    positive.
    """

    moves = True
    starts: Shape
    limits: Shape
    strides: Shape

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        if not len(self.starts) == len(self.limits) == len(self.strides) == x.ndim:
            raise TypeError(f"slice: needs {x.ndim} starts, limits and strides for {x}, got {self}")
        for n, start, limit, stride in zip(x.shape, self.starts, self.limits, self.strides):
            if not (0 <= start <= limit <= n and stride > 0):
                raise TypeError(
                    f"slice: {start}:{limit}:{stride} is not within an axis of size {n} of {x}"
                )
        sizes = zip(self.starts, self.limits, self.strides)
        return ShapedArray(
            tuple([-(-(limit - start) // stride) for start, limit, stride in sizes]), x.dtype
        )

    def impl(self, x: np.ndarray) -> np.ndarray:
        return x[tuple(map(slice, self.starts, self.limits, self.strides))]

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        return ctx.op(
            "slice",
            x,
            start_indices=ctx.i64s(self.starts),
            limit_indices=ctx.i64s(self.limits),
            strides=ctx.i64s(self.strides),
        )

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        # The cotangent is spread out by the strides, and zeros fill up both ends.
        spans = [(n - 1) * s + 1 if n else 0 for n, s in zip(ct.shape, self.strides)]
        high = tuple([n - a - span for n, a, span in zip(x.aval.shape, self.starts, spans)])
        return (pad(ct, self.starts, high, tuple([s - 1 for s in self.strides])),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        x = move_axis(args[0], dims[0], 0)
        return Slice((0, *self.starts), (size, *self.limits), (1, *self.strides)).bind(x), 0


@frozen
class Pad(Linear):
    """The operand with `low[i]` and `high[i]` elements of `value` at the ends of each axis, and
    `interior[i]` between neighbours. Negative numbers at the ends cut.
    """

    moves = True
    low: Shape
    high: Shape
    interior: Shape
    value: Any = 0

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        if not len(self.low) == len(self.high) == len(self.interior) == x.ndim:
            raise TypeError(f"pad: needs {x.ndim} paddings for {x}, got {self}")
        shape = tuple(
            [
                a + b + (n + (n - 1) * i if n else 0)
                for n, a, b, i in zip(x.shape, self.low, self.high, self.interior)
            ]
        )
        if any(n < 0 for n in shape) or any(i < 0 for i in self.interior):
            raise TypeError(
                f"pad: low {self.low}, high {self.high} and interior {self.interior} do not fit {x}"
            )
        check_scalar("pad", self.value, x.dtype)
        return ShapedArray(shape, x.dtype)

    def impl(self, x: np.ndarray) -> np.ndarray:
        spread = [n + (n - 1) * i if n else 0 for n, i in zip(x.shape, self.interior)]
        ends = [(max(a, 0), max(b, 0)) for a, b in zip(self.low, self.high)]
        # First without the cuts: `value` at the ends and between, then the operand's elements.
        full = np.empty([a + n + b for n, (a, b) in zip(spread, ends)], x.dtype)
        if any(self.interior):
            full.fill(self.value)
        for axis, (a, b) in enumerate(ends):
            lines = (slice(None),) * axis
            full[(*lines, slice(0, a))] = self.value
            full[(*lines, slice(full.shape[axis] - b, None))] = self.value
        inner = tuple(
            [
                slice(max(a, 0), max(a, 0) + n, i + 1)
                for n, a, i in zip(spread, self.low, self.interior)
            ]
        )
        full[inner] = x
        # Negative numbers cut what is then at the ends.
        return full[
            tuple(
                [
                    slice(max(-a, 0), full.shape[k] - max(-b, 0))
                    for k, (a, b) in enumerate(zip(self.low, self.high))
                ]
            )
        ]

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        value = ctx.constant(self.value, ShapedArray((), x.aval.dtype))
        return ctx.op(
            "pad",
            x,
            value,
            edge_padding_low=ctx.i64s(self.low),
            edge_padding_high=ctx.i64s(self.high),
            interior_padding=ctx.i64s(self.interior),
        )

    def linear_part(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        return Pad(self.low, self.high, self.interior).bind(*tangents)

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        zeros = (0,) * ct.ndim
        # The ends are cut off (or put back, as zeros), then every (interior + 1)-th is taken.
        ct = pad(ct, tuple([-n for n in self.low]), tuple([-n for n in self.high]), zeros)
        strides = tuple([i + 1 for i in self.interior])
        return (Slice(zeros, ct.shape, strides).bind(ct) if any(self.interior) else ct,)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        x = move_axis(args[0], dims[0], 0)
        return Pad((0, *self.low), (0, *self.high), (0, *self.interior), self.value).bind(x), 0


@frozen
class Concatenate(Linear):
    """The operands one after the other along `axis`."""

    moves = True
    axis: int

    def abstract_eval(self, *xs: ShapedArray) -> ShapedArray:
        if not xs:
            raise TypeError("concatenate: expects at least one operand, got 0")
        check_axes("concatenate", (self.axis,), xs[0].ndim)
        others = [(x.dtype, x.shape[: self.axis], x.shape[self.axis + 1 :], x.ndim) for x in xs]
        if any(r != others[0] for r in others):
            raise TypeError(
                f"concatenate: operands must agree but for axis {self.axis}, got "
                f"{', '.join(map(str, xs))}"
            )
        shape = list(xs[0].shape)
        shape[self.axis] = sum([x.shape[self.axis] for x in xs])
        return ShapedArray(tuple(shape), xs[0].dtype)

    def impl(self, *xs: np.ndarray) -> np.ndarray:
        return np.concatenate(xs, self.axis)

    def lower(self, ctx: LoweringContext, *xs: Any) -> Any:
        return ctx.op("concatenate", *xs, dimension=f"{self.axis} : i64")

    def transpose(self, ct: Value, *xs: Any) -> Sequence[Any]:
        cts, start = [], 0
        for x in xs:
            aval = x.aval if type(x) is LinearInput else typeof(x)
            limit = start + aval.shape[self.axis]
            cts.append(
                slice_in_dim(ct, start, limit, 1, self.axis) if type(x) is LinearInput else None
            )
            start = limit
        return cts

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return Concatenate(self.axis + 1).bind(
            *[batch_at_front(a, d, size) for a, d in zip(args, dims)]
        ), 0


@frozen
class Split(Linear):
    """Parts of these sizes along `axis`, which they fill."""

    moves = True
    sizes: Shape
    axis: int
    multiple_results = True

    def pieces(self) -> list[tuple[int, int]]:
        """Return where each part starts and ends."""
        ends = list(accumulate(self.sizes))
        return list(zip([0, *ends], ends))

    def abstract_eval(self, x: ShapedArray) -> list[ShapedArray]:
        check_axes("split", (self.axis,), x.ndim)
        if any(n < 0 for n in self.sizes) or sum(self.sizes) != x.shape[self.axis]:
            raise TypeError(
                f"split: the sizes {self.sizes} do not fill axis {self.axis} of {x}: their sum "
                f"must be {x.shape[self.axis]}"
            )
        before, after = x.shape[: self.axis], x.shape[self.axis + 1 :]
        return [ShapedArray((*before, n, *after), x.dtype) for n in self.sizes]

    def impl(self, x: np.ndarray) -> list[np.ndarray]:
        return np.split(x, [end for _, end in self.pieces()[:-1]], self.axis)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        return ctx.inline(
            lambda x: [slice_in_dim(x, i, j, 1, self.axis) for i, j in self.pieces()], x
        )

    def transpose(self, ct: Any, x: LinearInput) -> Sequence[Any]:
        avals = self.abstract_eval(x.aval)
        cts = [full_like(a, 0) if c is ZERO else c for c, a in zip(ct, avals)]
        return (Concatenate(self.axis).bind(*cts),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        outs = Split(self.sizes, self.axis + 1).bind(move_axis(args[0], dims[0], 0))
        return outs, [0] * len(outs)


@frozen
class Rev(Linear):
    """The elements in reverse order along `axes`."""

    moves = True
    axes: Shape

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        check_axes("rev", self.axes, x.ndim)
        return x

    def impl(self, x: np.ndarray) -> np.ndarray:
        return np.flip(x, self.axes)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        return ctx.op("reverse", x, dimensions=ctx.i64s(self.axes))

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (self.bind(ct),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        x = move_axis(args[0], dims[0], 0)
        return Rev(tuple([a + 1 for a in self.axes])).bind(x), 0


# --------------------------------------------------------------------------------------------------
# The primitives as functions


def slice_in_dim(x: Any, start: int, limit: int, stride: int = 1, axis: int = 0) -> Any:
    """Return `x[start:limit:stride]` along one axis."""
    starts, limits, strides = [0] * x.ndim, list(x.shape), [1] * x.ndim
    starts[axis], limits[axis], strides[axis] = start, limit, stride
    return Slice(tuple(starts), tuple(limits), tuple(strides)).bind(x)


def index_in_dim(x: Any, index: int, axis: int = 0) -> Any:
    """Return `x[index]` along one axis, which disappears."""
    return squeeze(slice_in_dim(x, index, index + 1, 1, axis), (axis,))


def pad(
    x: Any,
    low: Sequence[int],
    high: Sequence[int],
    interior: Sequence[int] | None = None,
    value: Any = 0,
) -> Any:
    """Pad each axis with `value`: `low` and `high` at the ends (negative cuts), `interior` between
    neighbours.
    """
    low, high = tuple(low), tuple(high)
    interior = (0,) * len(low) if interior is None else tuple(interior)
    return Pad(low, high, interior, value).bind(x) if any(low) or any(high) or any(interior) else x


def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Return the arrays one after the other along `axis`."""
    return Concatenate(axis).bind(*xs) if len(xs) != 1 else xs[0]


def split(x: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    """Return parts of these sizes along `axis`, which they fill."""
    return Split(tuple(sizes), axis).bind(x) if len(sizes) > 1 else [x]


def stack(xs: Sequence[Any], axis: int = 0) -> Any:
    """Return the arrays along a new axis."""
    axis = axis if axis >= 0 else axis + typeof(xs[0]).ndim + 1
    return concatenate([expand_dims(x, (axis,)) for x in xs], axis)


def rev(x: Any, axes: Sequence[int]) -> Any:
    """Return `x` in reverse order along `axes`."""
    return Rev(tuple(axes)).bind(x) if axes else x
