"""Reductions over windows that move along an array: sum, product, maximum, minimum, and the place
of an extremum, by which the latter two are differentiated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ...primitives.constants import full, full_like
from ...primitives.core import Primitive, typeof
from ...primitives.families import Discrete, Linear
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray, float32, int32, int64, is_inexact
from ...primitives.words import elementwise as e
from ...primitives.words.index_dims import IndexDims
from ...primitives.words.indexing import Gather, ScatterAdd
from ...primitives.words.reduction import ADD, MAX, MIN, MUL, ReduceProd, extreme, place_of_extremum
from ...primitives.words.slicing import Pad, pad
from ...primitives.words.structural import Shape, iota, move_axis, reduce_sum, reshape, size_of


class Window(NamedTuple):
    """Which elements windows see, by axis: `sizes` many that are `dilation` apart; the windows are
    `strides` apart. The elements themselves are `base_dilation` apart, with `padding` (low, high)
    around them; negative padding cuts.
    """

    sizes: Shape
    strides: Shape
    padding: tuple[tuple[int, int], ...]
    base_dilation: Shape
    dilation: Shape

    @property
    def spans(self) -> list[int]:
        """The extent of a window along each axis."""
        return [(n - 1) * d + 1 for n, d in zip(self.sizes, self.dilation)]

    def padded(self, shape: Shape) -> list[int]:
        """The shape in which windows move."""
        dilated = [max((n - 1) * d + 1, 0) if n else 0 for n, d in zip(shape, self.base_dilation)]
        return [n + low + high for n, (low, high) in zip(dilated, self.padding)]

    def out_shape(self, name: str, x: ShapedArray) -> Shape:
        """How many windows there are along each axis; TypeError unless they fit the operand."""
        if any([len(field) != x.ndim for field in self]):
            raise TypeError(f"{name}: a window needs {x.ndim} entries each for {x}, got {self}")
        if min((*self.sizes, *self.strides, *self.base_dilation, *self.dilation), default=1) < 1:
            raise ValueError(f"{name}: sizes, strides and dilations must be positive, got {self}")
        if any([len(p) != 2 for p in self.padding]) or min(self.padded(x.shape), default=0) < 0:
            raise ValueError(f"{name}: the padding {self.padding} cuts more than there is of {x}")
        return self.counts(self.padded(x.shape))

    def batched(self, dim: int) -> Window:
        """The same with a new axis at `dim`, along which windows have size 1."""
        values = (1, 1, (0, 0), 1, 1)
        return Window(*[(*f[:dim], v, *f[dim:]) for f, v in zip(self, values)])  # type: ignore

    def pad_with(self, value: Any) -> Pad:
        """The primitive that puts `value` wherever windows see no element."""
        low, high = tuple([p[0] for p in self.padding]), tuple([p[1] for p in self.padding])
        return Pad(low, high, tuple([d - 1 for d in self.base_dilation]), value)

    def counts(self, padded: Sequence[int]) -> Shape:
        """How many windows find room along each axis of a padded array."""
        places = zip(padded, self.spans, self.strides)
        return tuple([max((n - span) // stride + 1, 0) for n, span, stride in places])

    def view(self, x: np.ndarray, value: Any) -> np.ndarray:
        """What windows see of a NumPy array, in as many axes more."""
        x = self.pad_with(value).impl(x)
        apart = [[s * k for s, k in zip(x.strides, by)] for by in (self.strides, self.dilation)]
        shape, strides = (*self.counts(x.shape), *self.sizes), (*apart[0], *apart[1])
        return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)

    def patches(self, x: Any, value: Any = 0) -> Any:
        """What windows see, in one axis more, the last; `value` where there is no element."""
        x = self.pad_with(value).bind(x)
        counts = self.counts(x.shape)
        if 0 in counts:
            return full_like(typeof(x).update((*counts, size_of(self.sizes))), value)
        for axis, shape in enumerate(zip(counts, self.sizes)):
            along, within = iota(int64, shape), iota(int64, shape, 1)
            at = along * self.strides[axis] + within * self.dilation[axis]
            others = tuple([a for a in range(x.ndim) if a != axis])
            sizes = tuple([1 if a == axis else n for a, n in enumerate(x.shape)])
            gather = Gather(IndexDims(others, (axis,), (axis,)), sizes, "promise_in_bounds")
            x = gather.bind(x, reshape(at, (*shape, 1)))
        return reshape(x, (*counts, size_of(self.sizes)))

    def attributes(self, ctx: Any) -> dict[str, str]:
        """The attributes of `stablehlo.reduce_window`."""
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
    """Combine the elements of each window by an associative operation.

    A subclass states the facts: the operation, and the kinds of dtypes.
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

    def lower(self, ctx: Any, x: Any) -> Any:
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

    def decompose(self, x: Any) -> Any:
        return reduce_sum(self.window.patches(x), (x.ndim,))

    def transpose(self, ct: Any, x: Any) -> Sequence[Any]:
        """The sum of the cotangents of the windows that see an element: windows again, over the
        cotangent with the strides between its elements, moving by the base dilation.
        """
        w, shape = self.window, x.aval.shape
        if not (x.aval.size and ct.size):
            return (full_like(x.aval, 0),)
        spread = [(n - 1) * s + 1 for n, s in zip(ct.shape, w.strides)]
        low = [span - 1 - p[0] for span, p in zip(w.spans, w.padding)]
        whole = [(n - 1) * d + span for n, d, span in zip(shape, w.base_dilation, w.spans)]
        high = [n - m - k for n, m, k in zip(whole, spread, low)]
        ct = pad(ct, low, high, [s - 1 for s in w.strides])
        none = ((0, 0),) * ct.ndim
        back = Window(w.sizes, w.base_dilation, none, (1,) * ct.ndim, w.dilation)
        return (ReduceWindowSum(back).bind(ct),)


class ReduceWindowProd(WindowReduction):
    """The product over each window."""

    accepts, monoid = "iufc", MUL

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """The product rule along the last axis of all that windows see."""
        x, t = self.window.patches(primals[0], 1), self.window.patches(tangents[0])
        _, tangent = ReduceProd((x.ndim - 1,)).jvp([x], [t])
        return self.bind(*primals), tangent


def _extremum_jvp(
    self: WindowReduction, primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Any, Any]:
    """The tangent is that of the first place where the extremum is taken, as in JAX."""
    (x,), (t,) = primals, tangents
    return self.bind(x), select_and_gather_add(t, x, self.window, self.monoid is MAX)


class ReduceWindowMax(WindowReduction):
    """The largest element of each window; nan if there is one. Its tangent is the first of
    equals'.
    """

    monoid, jvp = MAX, _extremum_jvp


class ReduceWindowMin(WindowReduction):
    """The smallest element of each window; nan if there is one. Its tangent is the first of
    equals'.
    """

    monoid, jvp = MIN, _extremum_jvp


@frozen
class WindowPlace(Discrete):
    """Where in the flat array the extremum of each window is: the first, or the first nan; the
    array's size for a window that sees no element.
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

    def lower(self, ctx: Any, x: Any) -> Any:
        shape, size, dtype = x.aval.shape, x.aval.size, ctx.outs[0].dtype
        places = ctx.inline(lambda: reshape(iota(dtype, (size,)), shape))
        attributes = self.window.attributes(ctx)
        return place_of_extremum(ctx, "reduce_window", x, places, size, self.largest, attributes)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        """The array's size is beyond every row, wherever the row begins."""
        x = move_axis(args[0], dims[0], 0)
        out = WindowPlace(self.window.batched(0), self.largest).bind(x)
        row = x.size // size if size else 0
        begin = iota(out.dtype, out.shape) * row
        return e.minimum.bind(e.sub.bind(out, begin), full_like(out, row)), 0


_FLAT = IndexDims((), (0,), (0,))


def select_and_gather_add(t: Any, x: Any, window: Window, largest: bool = True) -> Any:
    """The elements of `t` where each window finds the extremum of `x`; 0 where it sees nothing."""
    places = WindowPlace(window, largest).bind(x)
    if not x.size:
        return full_like(typeof(t).update(places.shape), 0)
    flat = reshape(t, (x.size,))
    return Gather(_FLAT, (1,), "fill").bind(flat, reshape(places, (*places.shape, 1)))


def select_and_scatter_add(source: Any, x: Any, window: Window, largest: bool = True) -> Any:
    """The elements of `source`, one for each window, added up where its extremum of `x` is."""
    places = WindowPlace(window, largest).bind(x)
    flat = full((x.size,), 0, source.dtype)
    added = ScatterAdd(_FLAT).bind(flat, reshape(places, (*places.shape, 1)), source)
    return reshape(added, x.shape)
