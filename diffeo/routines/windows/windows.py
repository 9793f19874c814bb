"""Reductions over windows that move along an array: sum, product, maximum and minimum.

Maximum and minimum are differentiated by `WindowPlace`, the place of each window's extremum in the
flat array. Start with `Window`, which says what windows see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ...operations.extrema import place_of_extremum
from ...primitives.builder import LoweringContext
from ...primitives.constants import full_like
from ...primitives.core import Primitive, Value, typeof
from ...primitives.families import Discrete, Linear
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray, float32, int32, int64, is_inexact
from ...primitives.words import elementwise as e
from ...primitives.words.index_dims import IndexDims
from ...primitives.words.indexing import Gather
from ...primitives.words.reduction import ADD, MAX, MIN, MUL, ReduceProd, extreme
from ...primitives.words.slicing import Pad, pad
from ...primitives.words.structural import Shape, iota, move_axis, reduce_sum, reshape, size_of


class Window(NamedTuple):
    """The windows that move along an array, by axis.

    A window has `sizes` elements that are `dilation` apart; neighbouring windows are `strides`
    apart. The elements of the array are themselves `base_dilation` apart, with `padding` (low,
    high) around them; negative padding cuts. Along 5 elements, windows of size 3 at strides 2 see
    elements 0 1 2 and 2 3 4.
    """

    sizes: Shape
    strides: Shape
    padding: tuple[tuple[int, int], ...]
    base_dilation: Shape
    dilation: Shape

    @property
    def spans(self) -> list[int]:
        """The extent of a window along each axis: from its first to its last element."""
        return [(n - 1) * d + 1 for n, d in zip(self.sizes, self.dilation)]

    def padded(self, shape: Shape) -> list[int]:
        """Return the shape of the dilated and padded array, in which windows move."""
        dilated = [max((n - 1) * d + 1, 0) if n else 0 for n, d in zip(shape, self.base_dilation)]
        return [n + low + high for n, (low, high) in zip(dilated, self.padding)]

    def out_shape(self, name: str, x: ShapedArray) -> Shape:
        """Return how many windows there are along each axis.

        TypeError or ValueError unless the windows fit the operand.
        """
        if any([len(field) != x.ndim for field in self]):
            raise TypeError(f"{name}: a window needs {x.ndim} entries each for {x}, got {self}")
        if min((*self.sizes, *self.strides, *self.base_dilation, *self.dilation), default=1) < 1:
            raise ValueError(f"{name}: sizes, strides and dilations must be positive, got {self}")
        if any([len(p) != 2 for p in self.padding]) or min(self.padded(x.shape), default=0) < 0:
            raise ValueError(f"{name}: the padding {self.padding} cuts more than there is of {x}")
        return self.counts(self.padded(x.shape))

    def batched(self, dim: int) -> Window:
        """Return the same windows with a new axis at `dim`, along which they have size 1."""
        values = (1, 1, (0, 0), 1, 1)
        return Window(*[(*f[:dim], v, *f[dim:]) for f, v in zip(self, values)])  # type: ignore

    def pad_with(self, value: Any) -> Pad:
        """Return the primitive that puts `value` wherever windows see no element."""
        low, high = tuple([p[0] for p in self.padding]), tuple([p[1] for p in self.padding])
        return Pad(low, high, tuple([d - 1 for d in self.base_dilation]), value)

    def counts(self, padded: Sequence[int]) -> Shape:
        """Return how many windows find room along each axis of a padded array."""
        axes = zip(padded, self.spans, self.strides)
        return tuple([max((n - span) // stride + 1, 0) for n, span, stride in axes])

    def view(self, x: np.ndarray, value: Any) -> np.ndarray:
        """Return what windows see of a NumPy array, without a copy.

        For n axes there are 2 n: the first ones number the windows, the others the elements of a
        window.
        """
        x = self.pad_with(value).impl(x)
        steps = [[s * k for s, k in zip(x.strides, by)] for by in (self.strides, self.dilation)]
        shape, strides = (*self.counts(x.shape), *self.sizes), (*steps[0], *steps[1])
        return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)

    def patches(self, x: Value, value: Any = 0) -> Any:
        """Return what windows see, along one more axis, the last; `value` where there is no
        element.
        """
        x = self.pad_with(value).bind(x)
        counts = self.counts(x.shape)
        if 0 in counts:
            return full_like(typeof(x).update((*counts, size_of(self.sizes))), value)
        # Each axis in turn becomes one that numbers the windows; the elements of a window come
        # along a new axis at the end.
        for axis, shape in enumerate(zip(counts, self.sizes)):
            along, within = iota(int64, shape), iota(int64, shape, 1)
            at = along * self.strides[axis] + within * self.dilation[axis]
            others = tuple([a for a in range(x.ndim) if a != axis])
            sizes = tuple([1 if a == axis else n for a, n in enumerate(x.shape)])
            gather = Gather(IndexDims(others, (axis,), (axis,)), sizes, "promise_in_bounds")
            x = gather.bind(x, reshape(at, (*shape, 1)))
        return reshape(x, (*counts, size_of(self.sizes)))

    def attributes(self, ctx: LoweringContext) -> dict[str, str]:
        """Return the attributes of `stablehlo.reduce_window`."""
        pads = ", ".join([f"[{low}, {high}]" for low, high in self.padding])
        n = len(self.sizes)
        return {
            "window_dimensions": ctx.i64s(self.sizes),
            "window_strides": ctx.i64s(self.strides),
            "base_dilations": ctx.i64s(self.base_dilation),
            "window_dilations": ctx.i64s(self.dilation),
            "padding": f"dense<{f'[{pads}]' if n else ''}> : tensor<{n}x2xi64>",
        }


@frozen
class WindowReduction(Primitive):
    """A reduction of the elements of each window by an associative operation.

    A subclass states the facts: the operation, as a `monoid`, and the kinds of dtypes.
    """

    window: Window
    accepts = "biuf"
    monoid: ClassVar[Any] = None

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        if e.kind_of(x.dtype) not in self.accepts:
            raise TypeError(f"{self.name}: not defined for {x}")
        return ShapedArray(self.window.out_shape(self.name, x), x.dtype)

    def impl(self, x: np.ndarray) -> np.ndarray:
        wide = x.astype(float32) if is_inexact(x.dtype) and x.dtype.itemsize < 4 else x
        row, neutral = self.monoid.row, self.monoid.neutral(wide.dtype)
        axes, view = tuple(range(x.ndim, 2 * x.ndim)), self.window.view(wide, neutral)
        out = row.impl.reduce(view, axes, dtype=wide.dtype, initial=neutral)
        return np.asarray(out).astype(x.dtype, copy=False)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        scalar, outs = ShapedArray((), x.aval.dtype), ctx.outs
        row, neutral = self.monoid
        region = ctx.region([scalar, scalar], lambda a, b: [ctx.op(row.hlo, a, b, out=scalar)])
        init = ctx.constant(neutral(scalar.dtype), scalar)
        return ctx.emit("reduce_window", [x, init], outs, self.window.attributes(ctx), region)[0]

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return type(self)(self.window.batched(dims[0])).bind(*args), dims[0]


class ReduceWindowSum(Linear, WindowReduction):
    """The sum over each window."""

    accepts, monoid = "iufc", ADD

    def decompose(self, x: Value) -> Any:
        return reduce_sum(self.window.patches(x), (x.ndim,))

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        """Sum the cotangents of the windows that see an element.

        This is a sum over windows again: of the cotangent, with `strides` between its elements, by
        windows that move by the base dilation.
        """
        w, shape = self.window, x.aval.shape
        if not (x.aval.size and ct.size):
            return (full_like(x.aval, 0),)
        spaced = [(n - 1) * s + 1 for n, s in zip(ct.shape, w.strides)]
        low = [span - 1 - p[0] for span, p in zip(w.spans, w.padding)]
        extent = [(n - 1) * d + span for n, d, span in zip(shape, w.base_dilation, w.spans)]
        high = [n - m - k for n, m, k in zip(extent, spaced, low)]
        ct = pad(ct, low, high, [s - 1 for s in w.strides])
        no_padding = ((0, 0),) * ct.ndim
        back = Window(w.sizes, w.base_dilation, no_padding, (1,) * ct.ndim, w.dilation)
        return (ReduceWindowSum(back).bind(ct),)


class ReduceWindowProd(WindowReduction):
    """The product over each window."""

    accepts, monoid = "iufc", MUL

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Apply the product rule along the last axis of all that windows see."""
        x, t = self.window.patches(primals[0], 1), self.window.patches(tangents[0])
        _, tangent = ReduceProd((x.ndim - 1,)).jvp([x], [t])
        return self.bind(*primals), tangent


def _extremum_jvp(
    self: WindowReduction, primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Any, Any]:
    """Compute the tangent: that of the first place where the extremum is taken, as in JAX."""
    (x,), (t,) = primals, tangents
    return self.bind(x), select_and_gather_add(t, x, self.window, self.monoid is MAX)


class ReduceWindowMax(WindowReduction):
    """The largest element of each window; nan if there is one.

    Of equal elements, the first one gives its tangent.
    """

    monoid, jvp = MAX, _extremum_jvp


class ReduceWindowMin(WindowReduction):
    """The smallest element of each window; nan if there is one.

    Of equal elements, the first one gives its tangent.
    """

    monoid, jvp = MIN, _extremum_jvp


@frozen
class WindowPlace(Discrete):
    """The place of each window's extremum in the flat array.

    Of equal elements it is the first one, and of nan the first one. For a window that sees no
    element it is the array's size.
    """

    window: Window
    largest: bool = True
    keeps_weak = False

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        if e.kind_of(x.dtype) in "cs":
            raise TypeError(f"{self.name}: complex and float8 numbers have no order, got {x}")
        shape = self.window.out_shape(self.name, x)
        return ShapedArray(shape, int32 if x.size < 2**31 else int64)

    def impl(self, x: np.ndarray) -> np.ndarray:
        out, wide = self.abstract_eval(ShapedArray(x.shape, x.dtype)), x
        if x.dtype.kind == "V":
            wide = x.astype(float32)
        axes = tuple(range(x.ndim, 2 * x.ndim))
        values = self.window.view(wide, extreme(wide.dtype, not self.largest))
        best = (np.max if self.largest else np.min)(values, axes, keepdims=True)
        hit = (values == best) | (values != values) & (best != best)
        places = self.window.view(np.arange(x.size, dtype=out.dtype).reshape(x.shape), x.size)
        return np.min(np.where(hit, places, x.size), axes).astype(out.dtype)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        shape, size, dtype = x.aval.shape, x.aval.size, ctx.outs[0].dtype
        places = ctx.inline(lambda: reshape(iota(dtype, (size,)), shape))
        attributes = self.window.attributes(ctx)
        return place_of_extremum(ctx, "reduce_window", x, places, size, self.largest, attributes)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        """Find places in the array of all rows, and subtract where a row begins.

        A window without elements has the size of the array of all rows; that of one row takes its
        place.
        """
        x = move_axis(args[0], dims[0], 0)
        out = WindowPlace(self.window.batched(0), self.largest).bind(x)
        row = x.size // size if size else 0
        begin = iota(out.dtype, out.shape) * row
        return e.minimum.bind(e.sub.bind(out, begin), full_like(out, row)), 0


#: Indices into a flat array.
_FLAT = IndexDims((), (0,), (0,))


def select_and_gather_add(t: Value, x: Value, window: Window, largest: bool = True) -> Any:
    """Return the elements of `t` where each window has the extremum of `x`.

    The result is 0 where a window sees no element.
    """
    places = WindowPlace(window, largest).bind(x)
    if not x.size:
        return full_like(typeof(t).update(places.shape), 0)
    flat = reshape(t, (x.size,))
    return Gather(_FLAT, (1,), "fill").bind(flat, reshape(places, (*places.shape, 1)))
