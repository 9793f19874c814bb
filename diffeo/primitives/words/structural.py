"""Shapes: reshape, transpose, broadcast and its transpose reduce_sum, conversion of dtypes, iota.

Also the helpers by which batching rules move batch axes about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..builder import LoweringContext
from ..core import Value, typeof, with_user_line
from ..families import Discrete, Linear
from ..formulas.reference import saturated
from ..stand_ins import ZERO
from ..support.foreign import array_dtype
from ..support.frozen import frozen
from ..types import SCALARS, ShapedArray, is_inexact, kind_of

Shape = tuple[int, ...]


def check_axes(name: str, axes: Sequence[int], ndim: int) -> None:
    """Check that `axes` are distinct and within 0 .. ndim-1.

    Raises:
        TypeError: if not.
    """
    if len(set(axes)) != len(axes) or any(not 0 <= a < ndim for a in axes):
        raise TypeError(f"{name}: axes must be distinct and in [0, {ndim}), got {tuple(axes)}")


def inverse_permutation(permutation: Sequence[int]) -> Shape:
    """Return the permutation that undoes another.

    Examples:
        >>> inverse_permutation((2, 0, 1))
        (1, 2, 0)
    """
    out = [0] * len(permutation)
    for i, p in enumerate(permutation):
        out[p] = i
    return tuple(out)


# --------------------------------------------------------------------------------------------------


@frozen
class Reshape(Linear):
    """The same elements in row-major order under another shape."""

    moves = True
    cheap = True
    shape: Shape

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        out = ShapedArray(self.shape, x.dtype)
        if out.size != x.size:
            raise TypeError(
                f"reshape: {x} has {x.size} elements, shape {self.shape} has {out.size}"
            )
        return out

    def impl(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(self.shape)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        return ctx.op("reshape", x)

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (Reshape(x.aval.shape).bind(ct),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return Reshape((size, *self.shape)).bind(move_axis(args[0], dims[0], 0)), 0


@frozen
class Transpose(Linear):
    """Axis `i` of the result is axis `permutation[i]` of the operand."""

    moves = True
    permutation: Shape

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        if sorted(self.permutation) != list(range(x.ndim)):
            raise TypeError(
                f"transpose: {self.permutation} is not a permutation of the {x.ndim} axes of {x}"
            )
        return ShapedArray(tuple([x.shape[p] for p in self.permutation]), x.dtype)

    def impl(self, x: np.ndarray) -> np.ndarray:
        return x.transpose(self.permutation)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        return ctx.op("transpose", x, permutation=ctx.i64s(self.permutation))

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (Transpose(inverse_permutation(self.permutation)).bind(ct),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        # The batch axis goes to the front; axes behind it have moved up by one.
        up = tuple([p + (p >= dims[0]) for p in self.permutation])
        return Transpose((dims[0], *up)).bind(args[0]), 0


@frozen
class BroadcastInDim(Linear):
    """The operand with axis `i` as axis `dims[i]` of the result; along the other axes it repeats.

    Axes of size 1 stretch. A vector as the rows of a matrix has `dims = (1,)`.
    """

    moves = True
    cheap = True
    shape: Shape
    dims: Shape

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        fits = (
            len(self.dims) == x.ndim
            and list(self.dims) == sorted(set(self.dims))
            and all(
                0 <= d < len(self.shape) and n in (1, self.shape[d])
                for n, d in zip(x.shape, self.dims)
            )
        )
        if not fits:
            raise TypeError(
                f"broadcast_in_dim: cannot place the axes of {x} at {self.dims} of shape "
                f"{self.shape}"
            )
        return ShapedArray(self.shape, x.dtype)

    def impl(self, x: np.ndarray) -> np.ndarray:
        shape = [1] * len(self.shape)
        for n, d in zip(x.shape, self.dims):
            shape[d] = n
        if size_of(self.shape) > 1024:
            return np.broadcast_to(x.reshape(shape), self.shape)
        out = np.empty(self.shape, x.dtype)  # for small arrays a copy costs less than NumPy's view
        out[...] = x.reshape(shape)
        return out

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        return ctx.op("broadcast_in_dim", x, broadcast_dimensions=ctx.i64s(self.dims))

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        shape = x.aval.shape
        # Sum over what was repeated: new axes, and axes of size 1 that were stretched.
        kept = {d for n, d in zip(shape, self.dims) if n == self.shape[d]}
        ct = reduce_sum(ct, tuple([d for d in range(len(self.shape)) if d not in kept]))
        return (reshape(ct, shape),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        x = move_axis(args[0], dims[0], 0)
        return BroadcastInDim((size, *self.shape), (0, *[d + 1 for d in self.dims])).bind(x), 0


@frozen
class ReduceSum(Linear):
    """The sum over `axes`, which disappear."""

    axes: Shape

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        check_axes("reduce_sum", self.axes, x.ndim)
        if x.dtype == np.bool_:
            raise TypeError(
                f"reduce_sum: expects numbers, got {x}; convert booleans to integers first"
            )
        return ShapedArray(drop_axes(x.shape, self.axes), x.dtype)

    def impl(self, x: np.ndarray) -> np.ndarray:
        return np.add.reduce(x, self.axes, dtype=x.dtype)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        return ctx.reduce("add", x, 0, self.axes)

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (broadcast_from(ct, x.aval.shape, self.axes),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        axes, out_dim = batched_axes(self.axes, dims[0])
        return ReduceSum(axes).bind(args[0]), out_dim


@frozen
class ConvertElementType(Linear):
    """The nearest values in another dtype.

    To an integer it truncates (what is beyond becomes the extreme one, nan becomes 0), to bool it
    is `!= 0`, and a complex number becomes its real part.
    """

    cheap = True
    dtype: np.dtype
    weak_type: bool = False
    keeps_weak = False

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        return ShapedArray(x.shape, self.dtype)

    def impl(self, x: np.ndarray) -> np.ndarray:
        if x.dtype.kind == "c" and self.dtype.kind not in "cb":
            x = np.real(x)
        if "int" in self.dtype.name and is_inexact(x.dtype):
            return saturated(x, self.dtype)
        return x.astype(self.dtype)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        if self.dtype == np.bool_:
            return ctx.compare("NE", x, ctx.constant(0, x.aval))
        if x.aval.dtype.kind == "c" and self.dtype.kind != "c":
            x = ctx.op(
                "real", x, out=ShapedArray(x.aval.shape, np.empty(0, x.aval.dtype).real.dtype)
            )
        return x if x.aval.dtype == self.dtype else ctx.op("convert", x)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        return (
            super().jvp(primals, tangents)
            if is_inexact(self.dtype)
            else (self.bind(*primals), ZERO)
        )

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (convert_element_type(ct, x.aval.dtype),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*args), dims[0]


#: The bits of elements of which the device packs several into a byte.
PACKED = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4, "float4_e2m1fn": 4}


@frozen
class BitcastConvertType(Discrete):
    """The same bits read as another dtype of the same width."""

    dtype: np.dtype
    keeps_weak = False

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        either = "".join(map(kind_of, {x.dtype, self.dtype}))
        widths = {PACKED.get(d.name, 8 * d.itemsize) for d in (x.dtype, self.dtype)}
        if len(widths) > 1 or "b" in either or "c" in either:
            raise TypeError(
                f"bitcast_convert_type: expects two real types of one width, got {x} for "
                f"{self.dtype}"
            )
        return ShapedArray(x.shape, self.dtype)

    def impl(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x).view(self.dtype).reshape(x.shape)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        return ctx.op("bitcast_convert", x)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*args), dims[0]


@frozen
class Iota(Discrete):
    """0, 1, 2 ... along `axis`, constant along the others. It has no operands."""

    cheap = True
    shape: Shape
    dtype: np.dtype
    axis: int
    keeps_weak = False

    def abstract_eval(self) -> ShapedArray:
        check_axes("iota", (self.axis,), len(self.shape))
        if self.dtype == np.bool_:
            raise TypeError(f"iota: expects a dtype of numbers, got {self.dtype}")
        return ShapedArray(self.shape, self.dtype)

    def impl(self) -> np.ndarray:
        line = np.arange(self.shape[self.axis]).astype(self.dtype)
        return BroadcastInDim(self.shape, (self.axis,)).impl(line)

    def lower(self, ctx: LoweringContext) -> Any:
        return ctx.op("iota", iota_dimension=f"{self.axis} : i64")


# --------------------------------------------------------------------------------------------------
# The primitives as functions; programs ask for the same ones again and again, so they are kept

_reshape, _transpose, _broadcast_in_dim, _reduce_sum, _convert = map(
    lru_cache(maxsize=4096),
    (Reshape, Transpose, BroadcastInDim, ReduceSum, ConvertElementType),
)


def reshape(x: Any, shape: Sequence[int]) -> Any:
    """Return `x` with its elements in row-major order under `shape` (all sizes given)."""
    shape = tuple(shape)
    return x if x.shape == shape else _reshape(shape).bind(x)


def transpose(x: Any, permutation: Sequence[int]) -> Any:
    """Permute axes: axis `i` of the result is axis `permutation[i]` of `x`."""
    permutation = tuple([int(p) for p in permutation])
    return (
        x
        if permutation == tuple(range(len(permutation))) == tuple(range(x.ndim))
        else _transpose(permutation).bind(x)
    )


def broadcast_in_dim(x: Any, shape: Sequence[int], dims: Sequence[int]) -> Any:
    """Place axis `i` of `x` at axis `dims[i]` of the result of `shape`; the other axes repeat."""
    shape, dims = tuple(shape), tuple(dims)
    return (
        x
        if x.shape == shape and dims == tuple(range(len(shape)))
        else _broadcast_in_dim(shape, dims).bind(x)
    )


def reduce_sum(x: Any, axes: Sequence[int]) -> Any:
    """Return the sum of `x` over `axes`."""
    axes = tuple(axes)
    return _reduce_sum(axes).bind(x) if axes else x


def convert_element_type(x: Any, dtype: Any, weak_type: bool = False) -> Any:
    """Return `x` in another dtype; the result is strongly typed unless `weak_type`."""
    return convert_exactly(x, array_dtype(dtype), weak_type)


def convert_exactly(x: Value, dtype: np.dtype, weak_type: bool = False) -> Any:
    """Do as `convert_element_type`; of 64 bits also where users do not get so many."""
    aval = typeof(x)
    if dtype.kind == "k" and aval.dtype != dtype:
        why = "make keys by dx.random.key, or of their words by dx.random.wrap_key_data"
        raise with_user_line(TypeError(f"{aval} cannot become {dtype}: {why}"))
    return (
        x
        if aval.dtype == dtype and aval.weak_type == weak_type
        else _convert(dtype, weak_type).bind(x)
    )


def bitcast_convert_type(x: Any, dtype: Any) -> Any:
    """Return the bits of `x` read as another dtype of the same width."""
    return BitcastConvertType(array_dtype(dtype)).bind(x)


def iota(dtype: Any, shape: Sequence[int], axis: int = 0) -> Any:
    """Return 0, 1, 2 ... along `axis` of an array of `shape`."""
    return Iota(tuple(shape), array_dtype(dtype), axis).bind()


# --------------------------------------------------------------------------------------------------
# Helpers of many rules


def drop_axes(shape: Shape, axes: Sequence[int]) -> Shape:
    """Return `shape` without `axes`."""
    return tuple([n for i, n in enumerate(shape) if i not in axes])


def broadcast_from(x: Value, shape: Shape, axes: Sequence[int]) -> Any:
    """Undo the shape of a reduction: return `x` repeated over `axes` of `shape`."""
    return broadcast_in_dim(x, shape, _other_axes(len(shape), tuple(axes)))


@lru_cache(maxsize=4096)
def _other_axes(ndim: int, axes: Shape) -> Shape:
    return tuple([i for i in range(ndim) if i not in axes])


def batched_axes(axes: Sequence[int], dim: int) -> tuple[Shape, int]:
    """Return axes of an operand with a batch axis at `dim`, and where the batch axis is when they
    have disappeared.

    Examples:
        >>> batched_axes((0, 1), 1)
        ((0, 2), 0)
    """
    up = tuple([a + (a >= dim) for a in axes])
    return up, dim - sum([a < dim for a in up])


def move_axis(x: Value, source: int, destination: int) -> Any:
    """Move one axis."""
    if source == destination:
        return x
    order = [i for i in range(x.ndim) if i != source]
    order.insert(destination, source)
    return Transpose(tuple(order)).bind(x)


def batch_at_front(x: Any, dim: int | None, size: int) -> Any:
    """Return `x` with its batch axis first; an operand without one is repeated.

    Python scalars stay as they are.
    """
    if type(x) in SCALARS:
        return x
    if dim is None:
        shape = typeof(x).shape
        return broadcast_in_dim(x, (size, *shape), range(1, len(shape) + 1))
    return move_axis(x, dim, 0)


def expand_dims(x: Any, axes: Sequence[int]) -> Any:
    """Insert axes of size 1 so that they stand at `axes` of the result."""
    shape = list(x.shape)
    for a in sorted(axes):
        shape.insert(a, 1)
    return reshape(x, shape)


def squeeze(x: Any, axes: Sequence[int]) -> Any:
    """Remove `axes`, which have size 1."""
    check_axes("squeeze", axes, x.ndim)
    if any(x.shape[a] != 1 for a in axes):
        raise TypeError(f"squeeze: axes {tuple(axes)} of shape {x.shape} must have size 1")
    return reshape(x, drop_axes(x.shape, axes))


def size_of(shape: Sequence[int]) -> int:
    """Return the number of elements of a shape."""
    return math.prod(shape)
