"""conv_general_dilated: sums over windows of products with a kernel, in any number of dimensions.

The first operand x, XLA's `lhs`, is moved over by the kernel y, XLA's `rhs`. Spatial axes are those
along which windows move; the other axes of x are batch and feature, and those of y are output
feature and input feature. The formulas for the transposes and for batches are those of Dumoulin and
Visin 2016, "A guide to convolution arithmetic for deep learning", with XLA's feature groups and
batch groups.

Start with `ConvGeneralDilated` and its `impl`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...operations.sort import take_along_axis
from ...primitives.array import Array
from ...primitives.builder import LoweringContext
from ...primitives.constants import full, zeros_like
from ...primitives.core import Value, typeof
from ...primitives.families import Bilinear
from ...primitives.stand_ins import LinearInput
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray, float64
from ...primitives.words.dot import (
    FULL,
    DotGeneral,
    Precision,
    accumulator,
    matched,
    precision_config,
    product_dtype,
)
from ...primitives.words.elementwise import complex_, imag, real, zero_scalar
from ...primitives.words.slicing import Pad, Slice, index_in_dim, pad, rev
from ...primitives.words.structural import (
    Shape,
    broadcast_in_dim,
    convert_element_type,
    convert_exactly,
    inverse_permutation,
    move_axis,
    reshape,
    transpose,
)

#: (low, high) for each spatial axis.
Pads = tuple[tuple[int, int], ...]


class ConvDimensionNumbers(NamedTuple):
    """Which axes are which.

    `lhs_spec` and `out_spec` are the axes of the first operand and of the result, in the order
    (batch, feature, spatial ...). `rhs_spec` are those of the kernel: (output feature, input
    feature, spatial ...).
    """

    lhs_spec: Sequence[int]
    rhs_spec: Sequence[int]
    out_spec: Sequence[int]


def dilated(sizes: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """Return the sizes when elements are `dilation` apart."""
    return [max(1 + d * (n - 1), 0) for n, d in zip(sizes, dilation)]


def _swapped(spec: Sequence[int]) -> Shape:
    return (spec[1], spec[0], *spec[2:])


def _merged(x: Value, dim: int, axis: int, groups: int = 1) -> Any:
    """Make the axis at `dim` a part of another axis, within groups of that axis.

    `axis` is the other axis, counted without the one at `dim`. Sizes 2 and 6, in 3 groups, become
    one axis of size 12: for each group, 2 parts of 2 elements.
    """
    x = move_axis(x, dim, axis)
    (size, length), before, after = x.shape[axis : axis + 2], x.shape[:axis], x.shape[axis + 2 :]
    if groups > 1:
        x = reshape(x, (*before, size, groups, length // groups, *after))
        x = move_axis(x, axis + 1, axis)
    return reshape(x, (*before, size * length, *after))


def _split(x: Value, axis: int, size: int, groups: int = 1) -> Any:
    """Undo `_merged`: the part of size `size` is a new axis in front of `axis`."""
    length, before, after = x.shape[axis] // size, x.shape[:axis], x.shape[axis + 1 :]
    if groups > 1:
        x = reshape(x, (*before, groups, size, length // groups, *after))
        x = move_axis(x, axis + 1, axis)
    return reshape(x, (*before, size, length, *after))


def _misfit(complaint: str) -> TypeError:
    """Return the error for operands or parameters that do not fit."""
    return TypeError(f"conv_general_dilated: {complaint}")


@frozen
class ConvGeneralDilated(Bilinear):
    """A convolution: sums over windows of x of products with a kernel y.

    out[n, o, i] is the sum over c, k of x[n, c, strides * i + rhs_dilation * k] * y[o, c, k]. The
    elements of x are `lhs_dilation` apart, and padded with zeros. With groups, each group of
    features (or of batch elements) of x meets one group of the output features of y only.
    """

    strides: Shape
    padding: Pads
    lhs_dilation: Shape
    rhs_dilation: Shape
    dims: ConvDimensionNumbers
    feature_groups: int = 1
    batch_groups: int = 1
    precision: tuple[Precision, Precision] = FULL
    preferred_element_type: np.dtype | None = None

    @property
    def keeps_weak(self) -> bool:  # type: ignore[override]
        return self.preferred_element_type is None

    # -- The type --

    def abstract_eval(self, x: ShapedArray, y: ShapedArray) -> ShapedArray:
        return _type_of(self, x, y)

    def check_parameters(self, x: ShapedArray, y: ShapedArray) -> None:
        """Raise TypeError unless the parameters are meant for operands of these numbers of axes."""
        if not x.ndim == y.ndim >= 2:
            raise _misfit(
                f"expects two operands with equal numbers of axes, at least 2, got {x} and {y}"
            )
        for what, spec in self.dims._asdict().items():
            if sorted(spec) != list(range(x.ndim)):
                raise _misfit(f"{what}={spec} is no permutation of the {x.ndim} axes of {x}")
        for name in ("strides", "padding", "lhs_dilation", "rhs_dilation"):
            numbers = getattr(self, name)
            if name == "padding":
                fits = all([len(pair) == 2 for pair in numbers])
            else:
                fits = min(numbers, default=1) >= 1
            if len(numbers) != x.ndim - 2 or not fits:
                what = "pairs of integers" if name == "padding" else "positive integers"
                raise _misfit(f"{name}={numbers} must be {x.ndim - 2} {what} for {x} and {y}")
        if min(self.feature_groups, self.batch_groups) < 1 or 1 not in (
            self.feature_groups,
            self.batch_groups,
        ):
            raise _misfit(
                f"feature_group_count={self.feature_groups} and batch_group_count="
                f"{self.batch_groups} must be positive, and one of them 1"
            )

    def canonical(self, x: Shape, y: Shape) -> tuple[list[int], list[int]]:
        """Return the shapes with the axes in the order of `ConvDimensionNumbers`.

        That is (batch, feature, spatial ...) for x, (output feature, input feature, spatial ...)
        for y.
        """
        return [x[a] for a in self.dims.lhs_spec], [y[a] for a in self.dims.rhs_spec]

    # -- Evaluation --

    def impl(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        out = self.abstract_eval(ShapedArray(x.shape, x.dtype), ShapedArray(y.shape, y.dtype))
        if not out.size or not x.size or not y.size:
            return np.zeros(out.shape, out.dtype)
        windows, n = self.windows(x, y.shape, out.shape), len(self.strides)
        b, rows, f, features = windows.shape[:4]
        y = y.transpose(self.dims.rhs_spec)
        kernel = y.reshape((b, f, len(y) // (b * f), features, *y.shape[2:]))
        summed = tuple(range(3, 4 + n)), (3, *range(4 + n, 4 + 2 * n))
        dot = DotGeneral(summed, ((0, 1), (0, 2)), FULL, out.dtype)
        # The windows overlap in memory, and a product copies them: take blocks of some megabytes,
        # along the first axis that has enough elements.
        parts = -(-windows.size // 2**20)
        sizes = (rows, *windows.shape[4 : 4 + n])
        axis = next((i for i, size in enumerate(sizes) if size >= parts), int(np.argmax(sizes)))
        total = np.empty((*kernel.shape[:3], *sizes), out.dtype)
        for block in np.array_split(np.arange(sizes[axis]), min(parts, sizes[axis])):
            block_slice = slice(block[0], block[-1] + 1)
            part = windows[(slice(None),) * (axis + 3 if axis else 1) + (block_slice,)]
            total[(slice(None),) * (3 + axis) + (block_slice,)] = dot.impl(kernel, part)
        total = np.moveaxis(total, 3, 0).reshape((rows, len(y), *sizes[1:]))
        return total.transpose(inverse_permutation(self.dims.out_spec))

    def windows(self, x: np.ndarray, kernel: Shape, out: Shape) -> np.ndarray:
        """Return a view of the padded operand by windows.

        Its axes are (batch group, row, feature group, feature, spatial axes of the result, spatial
        axes of the window).
        """
        x = x.transpose(self.dims.lhs_spec)
        low, high = ([0, 0, *[p[k] for p in self.padding]] for k in (0, 1))
        interior = (0, 0, *[d - 1 for d in self.lhs_dilation])
        if any(low) or any(high) or any(interior):
            x = Pad(tuple(low), tuple(high), interior).impl(x)
        f, b = self.feature_groups, self.batch_groups
        rows, features = x.shape[0] // b, x.shape[1] // f
        (row, feature, *space), spatial = x.strides, self.dims.out_spec[2:]
        return np.lib.stride_tricks.as_strided(
            x,
            (b, rows, f, features, *[out[a] for a in spatial])
            + tuple([kernel[a] for a in self.dims.rhs_spec[2:]]),
            (row * rows, row, feature * features, feature)
            + tuple([s * d for s, d in zip(space, self.strides)])
            + tuple([s * d for s, d in zip(space, self.rhs_dilation)]),
            writeable=False,
        )

    def lower(self, ctx: LoweringContext, x: Any, y: Any) -> Any:
        out, n = ctx.outs[0], len(self.strides)
        if not out.size or not x.aval.size or not y.aval.size:
            return ctx.constant(0, out)  # XLA knows no empty windows
        if self.separate(y.aval):
            return ctx.inline(self.by_place, x, y)
        if out.dtype.kind == "c":
            return ctx.inline(self.by_parts, x, y)
        if out.dtype.kind in "iu" and ctx.platform == "cuda":
            if x.aval.dtype.itemsize <= 2:
                return ctx.inline(self.by_floats, x, y)
            host = lambda *arrays: [np.ascontiguousarray(self.impl(*arrays))]
            return ctx.call_python(host, [x, y], [out], effects=False)[0]
        # XLA's labels of axes: b, f, o, i, and 0, 1 ... for spatial axes.
        labels = []
        for spec, (first, second) in zip(self.dims, ("bf", "oi", "bf")):
            names = dict(zip(spec, (first, second, *map(str, range(n)))))
            labels.append(f"[{', '.join([names[a] for a in range(n + 2)])}]")
        pads = ", ".join([f"[{low}, {high}]" for low, high in self.padding])
        return ctx.op(
            "convolution",
            x,
            y,
            window_strides=ctx.i64s(self.strides),
            padding=f"dense<{f'[{pads}]' if n else ''}> : tensor<{n}x2xi64>",
            lhs_dilation=ctx.i64s(self.lhs_dilation),
            rhs_dilation=ctx.i64s(self.rhs_dilation),
            dimension_numbers=f"#stablehlo.conv<{labels[0]}x{labels[1]}->{labels[2]}>",
            feature_group_count=f"{self.feature_groups} : i64",
            batch_group_count=f"{self.batch_groups} : i64",
            precision_config=precision_config(self.precision),
        )

    def decompose(self, x: Value, y: Value) -> Any:
        """Gather what windows see, and multiply.

        The numbers of elements, in place of elements, go through `windows` as in `impl`; 0 is
        padding, which becomes -1 and so is filled.
        """
        out, n = self.abstract_eval(typeof(x).strong, typeof(y).strong), len(self.strides)
        if not out.size or not x.size or not y.size:
            return full(out.shape, 0, out.dtype)
        number = self.windows(np.arange(1, x.size + 1).reshape(x.shape), y.shape, out.shape) - 1
        windows = take_along_axis(
            reshape(x, (x.size,)), Array(number.reshape(-1)), 0, "fill", zero_scalar(x)
        )
        windows = reshape(windows, number.shape)
        b, rows, f, features = number.shape[:4]
        kernel = transpose(y, self.dims.rhs_spec)
        outs, *sizes = kernel.shape[0], *number.shape[4 : 4 + n]
        kernel = reshape(kernel, (b, f, outs // (b * f), features, *kernel.shape[2:]))
        summed = tuple(range(3, 4 + n)), (3, *range(4 + n, 4 + 2 * n))
        dot = DotGeneral(summed, ((0, 1), (0, 2)), self.precision, self.preferred_element_type)
        total = move_axis(dot.bind(kernel, windows), 3, 0)
        return transpose(
            reshape(total, (rows, outs, *sizes)), inverse_permutation(self.dims.out_spec)
        )

    def by_parts(self, x: Value, y: Value) -> Any:
        """Convolve complex numbers by three convolutions of real ones, which are fast in XLA.

        The product of two complex numbers in three products of real ones is Gauss's. The error is
        small beside the absolute value of the result (Higham 1992).
        """
        dtype = self.preferred_element_type or x.dtype
        x, y = convert_element_type(x, dtype), convert_element_type(y, dtype)
        conv = replace(self, preferred_element_type=None).bind
        x_re, x_im, y_re, y_im = real.bind(x), imag.bind(x), real.bind(y), imag.bind(y)
        first = conv(x_re + x_im, y_re)
        second, third = conv(x_re, y_im - y_re), conv(x_im, y_re + y_im)
        return complex_.bind(first - third, first + second)

    def by_floats(self, x: Value, y: Value) -> Any:
        """Convolve integers of 8 or 16 bits in float64, which holds their sums of products exactly.

        cuDNN takes bytes only, and does not let sums overflow. (Wider integers are left to the
        host.)
        """
        dtype = self.preferred_element_type or x.dtype
        x, y = convert_exactly(x, float64), convert_exactly(y, float64)
        total = replace(self, preferred_element_type=None).bind(x, y)
        return convert_element_type(convert_exactly(total, np.dtype(np.int64)), dtype)

    def separate(self, y: ShapedArray) -> bool:
        """Return whether each of several features meets a small window of its own.

        Then each feature makes one output feature.
        """
        outs, ins, *window = [y.shape[a] for a in self.dims.rhs_spec]
        single = ins == 1 and outs == self.feature_groups > 1
        return single and math.prod(window) <= (512 if y.dtype == float64 else 64)

    def by_place(self, x: Value, y: Value) -> Any:
        """Convolve separate features: for each place in the window, multiply whole arrays.

        XLA makes one loop over the result of these products. Its own convolution is ten to a
        hundred times slower on the CPU, where in float64 a nan of one feature also enters all
        others.
        """
        dims = self.dims
        outs, _, *window = [y.shape[a] for a in dims.rhs_spec]
        dtype = self.preferred_element_type or x.dtype
        x, y = (convert_element_type(v, accumulator(v.dtype, dtype)) for v in (x, y))
        axes = inverse_permutation(dims.out_spec)  # which canonical axis each axis of the result is
        in_order = lambda front, numbers: tuple([(*front, *numbers)[i] for i in axes])
        low, high = (in_order((0, 0), [p[k] for p in self.padding]) for k in (0, 1))
        x = transpose(x, in_order(dims.lhs_spec, ()))
        x = pad(x, low, high, in_order((0, 0), [d - 1 for d in self.lhs_dilation]))
        spans, strides = dilated(window, self.rhs_dilation), in_order((1, 1), self.strides)
        ends = [x.shape[a] - k for a, k in zip(dims.out_spec[2:], spans)]
        y = reshape(transpose(y, dims.rhs_spec), (outs, math.prod(window)))
        parts = []
        for k, index in enumerate(np.ndindex(*window)):
            starts = [i * d for i, d in zip(index, self.rhs_dilation)]
            limits = in_order((0, 0), [a + n + 1 for a, n in zip(starts, ends)])
            limits = tuple([n or size for n, size in zip(limits, x.shape)])
            part = Slice(in_order((0, 0), starts), limits, strides).bind(x)
            weight = broadcast_in_dim(index_in_dim(y, k, 1), part.shape, (dims.out_spec[1],))
            parts.append(part * weight)
        return convert_element_type(sum(parts[1:], parts[0]), dtype)

    # -- Transposes: without spatial axes, sums over features [n, c] [c, o] -> [n, o] --

    def spans(self, x: Shape, y: Shape, out: Shape) -> Any:
        """Return, for each spatial axis, what the paddings of the transposes are computed from.

        These are the sizes of the dilated operand, of the dilated kernel, and of the result with
        the strides as a dilation; and the padding in front.
        """
        (_, _, *space), (_, _, *window) = self.canonical(x, y)
        sizes = [out[a] for a in self.dims.out_spec[2:]]
        dilations = self.lhs_dilation, self.rhs_dilation, self.strides
        return zip(*map(dilated, (space, window, sizes), dilations), [p[0] for p in self.padding])

    def transpose_lhs(self, ct: Value, x: LinearInput, y: Value) -> Any:
        """Return the cotangent of x: convolve the cotangent of the result with the reversed kernel.

        Strides and the dilation of x exchange their roles.
        """
        dims, groups = self.dims, self.feature_groups * self.batch_groups
        (outs, ins, *spatial), column = dims.rhs_spec, dims.lhs_spec[1]
        spans = self.spans(x.aval.shape, y.shape, ct.shape)
        if groups > 1:  # the group moves from the kernel's output features to its input features
            y = _merged(_split(y, outs, groups), outs, ins)
        ct, y = matched(ct, y)
        out = replace(
            self,
            strides=self.lhs_dilation,
            padding=tuple([(k - 1 - low, n - m + low) for n, k, m, low in spans]),
            lhs_dilation=self.strides,
            dims=ConvDimensionNumbers(dims.out_spec, _swapped(dims.rhs_spec), dims.lhs_spec),
            feature_groups=groups,
            batch_groups=1,
            preferred_element_type=None,
        ).bind(ct, rev(y, spatial))
        if self.batch_groups > 1:
            out = _merged(_split(out, column, groups), column, dims.lhs_spec[0])
        return convert_element_type(out, x.aval.dtype)

    def transpose_rhs(self, ct: Value, x: Value, y: LinearInput) -> Any:
        """Return the cotangent of y: convolve x with the cotangent of the result as a kernel.

        Strides and the dilation of the kernel exchange their roles, and so do batch and features.
        """
        if not ct.size:
            return zeros_like(y.aval)
        spans = self.spans(x.shape, y.aval.shape, ct.shape)
        ct, x = matched(ct, x)
        out = replace(
            self,
            strides=self.rhs_dilation,
            padding=tuple([(low, m - n + k - 1 - low) for n, k, m, low in spans]),
            rhs_dilation=self.strides,
            dims=ConvDimensionNumbers(*[_swapped(self.dims[i]) for i in (0, 2, 1)]),
            feature_groups=self.batch_groups,
            batch_groups=self.feature_groups,
            preferred_element_type=None,
        ).bind(x, ct)
        return convert_element_type(out, y.aval.dtype)

    # -- Batches: one more part of an axis --

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        """Make the batch axis a part of another axis.

        For x alone that is the axis of rows, for y alone the axis of output features. With both,
        each element of the batch becomes a group of its own.
        """
        (x, y), (dx, dy) = args, dims
        f, b = self.feature_groups, self.batch_groups
        (row, column), outs, (row_out, feature) = [spec[:2] for spec in self.dims]
        if not size:
            shapes = [a.shape if d is None else np.delete(a.shape, d) for a, d in zip(args, dims)]
            out = self.abstract_eval(*[ShapedArray(tuple(s), x.dtype) for s in shapes])
            return full((0, *out.shape), 0, out.dtype), 0
        if dy is None:
            return _split(self.bind(_merged(x, dx, row, b), y), row_out, size), row_out
        if dx is None:
            out = self.bind(x, _merged(y, dy, outs[0], f * b))
            return _split(out, feature, size, f * b), feature
        if b > 1:
            grouped, axis = replace(self, batch_groups=b * size), row
        else:
            grouped, axis = replace(self, feature_groups=f * size), column
        out = grouped.bind(_merged(x, dx, axis), _merged(y, dy, outs[0]))
        return _split(out, feature, size), feature


@lru_cache(maxsize=4096)
def _type_of(conv: ConvGeneralDilated, x: ShapedArray, y: ShapedArray) -> ShapedArray:
    """Return the type of the result, remembered; TypeError for operands that do not fit."""
    dtype = product_dtype("conv_general_dilated", x, y, conv.preferred_element_type)
    conv.check_parameters(x, y)
    (batch, features, *space), (outs, ins, *window) = conv.canonical(x.shape, y.shape)
    g, b = conv.feature_groups, conv.batch_groups
    if features != g * ins:
        raise _misfit(
            f"the {features} features of {x} must be feature_group_count={g} times the {ins} "
            f"input features of the kernel {y}"
        )
    if outs % (g * b):
        groups = f"feature_group_count={g}" if b == 1 else f"batch_group_count={b}"
        raise _misfit(f"{groups} does not divide the {outs} output features of the kernel {y}")
    if batch % b:
        raise _misfit(f"batch_group_count={b} does not divide the batch of {batch} of {x}")
    padded = [n + sum(p) for n, p in zip(dilated(space, conv.lhs_dilation), conv.padding)]
    if min(padded, default=0) < 0:
        raise _misfit(f"padding={conv.padding} cuts more than the spatial sizes {space} of {x}")
    spans = zip(padded, dilated(window, conv.rhs_dilation), conv.strides)
    shape = (batch // b, outs, *[max((n - k) // s + 1, 0) for n, k, s in spans])
    order = inverse_permutation(conv.dims.out_spec)
    return ShapedArray(tuple([shape[i] for i in order]), dtype)
