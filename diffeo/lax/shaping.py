"""Functions of shapes and dtypes, constants, and static parts of arrays.

No size or axis is guessed here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..numpy import shaping as layout
from ..numpy.common import (
    arr,
    axes_of,
    axis_of,
    dtype_of,
    no_sharding,
    sequence_of,
    static_int,
    static_ints,
    static_shape,
)
from ..numpy.making import creation
from ..primitives.array import Array
from ..primitives.constants import full as constant
from ..primitives.core import describe, typeof, with_user_line
from ..primitives.types import SCALARS
from ..primitives.words import elementwise as e
from ..primitives.words import slicing, structural
from ..primitives.words.promotion import broadcast_shapes as common_shape
from ..primitives.words.promotion import broadcast_to as stretch
from ..typing import DTypeLike
from .strict import apply, join


def convert_element_type(operand: Any, new_dtype: Any) -> Any:
    """Return the nearest values in another dtype.

    Examples:
        >>> convert_element_type(2.7, np.int32)
        Array(2, dtype=int32)
    """
    return structural.convert_element_type(arr(operand), dtype_of(new_dtype))


def bitcast_convert_type(operand: Any, new_dtype: Any) -> Any:
    """Read the same bits as another dtype.

    A dtype of half the width gives an axis of size 2 at the end, and one of twice the width takes
    such an axis away: the first element has the low bits.

    Raises:
        TypeError: for booleans, complex numbers and elements of 4 bits of another width, or a last
            axis of another size.

    Examples:
        >>> bitcast_convert_type(np.float32(1.0), np.uint16)
        Array([    0, 16256], dtype=uint16)
    """
    operand, dtype = arr(operand), dtype_of(new_dtype)
    old, new = (structural.PACKED.get(d.name, 8 * d.itemsize) for d in (operand.dtype, dtype))
    if old == new or min(old, new) < 8 or {operand.dtype.kind, dtype.kind} & set("bck"):
        return apply(structural.BitcastConvertType(dtype), operand)
    words = {n: np.dtype(f"u{n // 8}") for n in (old, new)}
    count = max(old, new) // min(old, new)
    if old < new:
        if operand.shape[-1:] != (count,):
            raise with_user_line(
                TypeError(
                    f"bitcast_convert_type: {count} elements of {operand.dtype} make one of {dtype}"
                    f", so the last axis must have size {count}, got {describe(operand)}"
                )
            )
        parts = structural.BitcastConvertType(words[old]).bind(operand)
        places = structural.iota(words[new], parts.shape, parts.ndim - 1)
        wide = structural.convert_exactly(parts, words[new])
        moved = e.shift_left.bind(wide, e.mul.bind(places, old))
        joined = structural.reduce_sum(moved, (parts.ndim - 1,))
        return apply(structural.BitcastConvertType(dtype), joined)
    whole = structural.BitcastConvertType(words[old]).bind(operand)
    shape = (*operand.shape, count)
    places = structural.Iota(shape, words[old], operand.ndim).bind()
    spread = structural.broadcast_in_dim(whole, shape, tuple(range(operand.ndim)))
    moved = e.shift_right_logical.bind(spread, e.mul.bind(places, new))
    return apply(
        structural.BitcastConvertType(dtype), structural.convert_exactly(moved, words[new])
    )


def reshape(
    operand: Any,
    new_sizes: Any,
    dimensions: Sequence[int] | None = None,
    *,
    out_sharding: Any = None,
) -> Any:
    """Arrange the elements in row-major order in another shape, after a permutation of the axes.

    Raises:
        TypeError: if the number of elements differs.
    """
    if out_sharding is not None:
        raise no_sharding("reshape", out_sharding)
    operand = arr(operand)
    if dimensions is not None:
        operand = transpose(operand, dimensions)
    return apply(structural.Reshape(static_shape(new_sizes, "reshape")), operand)


def transpose(operand: Any, permutation: Sequence[int]) -> Any:
    """Permute the axes: axis i of the result is axis permutation[i]."""
    axes = static_ints(permutation, "transpose", "permutation")
    return apply(structural.Transpose(axes), operand)


def broadcast(operand: Any, sizes: Sequence[int], *, out_sharding: Any = None) -> Any:
    """Repeat along new axes in front.

    Examples:
        >>> broadcast(1.0, (2,))
        Array([1., 1.])
    """
    if out_sharding is not None:
        raise no_sharding("broadcast", out_sharding)
    operand, sizes = arr(operand), static_shape(sizes, "broadcast")
    axes = range(len(sizes), len(sizes) + operand.ndim)
    return structural.broadcast_in_dim(operand, sizes + operand.shape, axes)


def broadcast_in_dim(
    operand: Any,
    shape: Any,
    broadcast_dimensions: Sequence[int],
    *,
    out_sharding: Any = None,
) -> Any:
    """Place the axes of an array among those of a shape, and repeat along the others.

    Axis i of the operand becomes axis broadcast_dimensions[i].

    Raises:
        TypeError: if the axes do not increase, or a size is neither 1 nor that of the shape.
    """
    if out_sharding is not None:
        raise no_sharding("broadcast_in_dim", out_sharding)
    axes = static_ints(broadcast_dimensions, "broadcast_in_dim", "broadcast_dimensions")
    shape = static_shape(shape, "broadcast_in_dim")
    return apply(structural.BroadcastInDim(shape, axes), operand)


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """Return the shape to which shapes broadcast; ValueError if they do not."""
    checked = [static_ints(s, "broadcast_shapes", "a shape", 0) for s in shapes]
    return common_shape(*checked)


def squeeze(array: Any, dimensions: Sequence[int]) -> Any:
    """Remove axes of size 1; TypeError for another size."""
    array, axes = arr(array), sequence_of(dimensions, "squeeze", "dimensions")
    try:
        return structural.squeeze(array, axes_of(axes, array.ndim, "squeeze"))
    except TypeError as error:
        raise with_user_line(error) from None


def expand_dims(array: Any, dimensions: Sequence[int]) -> Any:
    """Insert axes of size 1, at these positions of the result."""
    array, axes = arr(array), sequence_of(dimensions, "expand_dims", "dimensions")
    return structural.expand_dims(array, axes_of(axes, array.ndim + len(axes), "expand_dims"))


def collapse(operand: Any, start_dimension: int, stop_dimension: int | None = None) -> Any:
    """Merge the axes start .. stop - 1 into one."""
    operand = arr(operand)
    shape = operand.shape
    axes = range(operand.ndim)[start_dimension:stop_dimension]
    if axes.start > axes.stop:
        raise with_user_line(
            ValueError(
                f"collapse: there are no axes from {start_dimension} to {stop_dimension} of "
                f"{describe(operand)}"
            )
        )
    merged = math.prod([shape[a] for a in axes])
    return structural.reshape(operand, (*shape[: axes.start], merged, *shape[axes.stop :]))


def _rows(name: str, operands: Any) -> list[Any]:
    """Return the arrays of a sequence, or those along the first axis of an array."""
    rows = operands if getattr(operands, "ndim", 0) else sequence_of(operands, name, "operands")
    values = [arr(x) for x in rows]
    if not values:
        raise with_user_line(TypeError(f"{name}: needs at least one operand, got 0"))
    return values


def concatenate(operands: Sequence[Any], dimension: int) -> Any:
    """Concatenate the operands along an axis.

    Raises:
        TypeError: unless dtypes and the other axes agree.
    """
    values = _rows("concatenate", operands)
    axis = axis_of(dimension, values[0].ndim, "concatenate")
    return apply(slicing.Concatenate(axis), *values)


def split(operand: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    """Cut into parts of these sizes, which add up to that of the axis."""
    operand = arr(operand)
    axis, sizes = axis_of(axis, operand.ndim, "split"), static_ints(sizes, "split", "sizes", 0)
    if sum(sizes) != operand.shape[axis]:
        raise with_user_line(
            ValueError(f"split: sizes {sizes} do not add up to axis {axis} of {describe(operand)}")
        )
    return slicing.split(operand, sizes, axis)


def pad(operand: Any, padding_value: Any, padding_config: Sequence[tuple[int, int, int]]) -> Any:
    """Put elements at the ends of axes (negative numbers cut) and between neighbours.

    Args:
        operand: an array.
        padding_value: a scalar of the same dtype; derivatives go through it.
        padding_config: (low, high, interior) for each axis.

    Raises:
        TypeError: if the dtype or the number of axes is another, or the padding does not fit.

    Examples:
        >>> import diffeo as dx
        >>> pad(dx.numpy.array([1.0, 2.0]), 0.0, [(1, 0, 1)])
        Array([0., 1., 0., 2.])
    """
    operand = arr(operand)
    config = [
        static_ints(triple, "pad", "each part of padding_config")
        for triple in sequence_of(padding_config, "pad", "padding_config")
    ]
    if any([len(triple) != 3 for triple in config]):
        raise with_user_line(
            TypeError(
                f"pad: padding_config needs (low, high, interior) for each axis, got {config}"
            )
        )
    low, high, interior = ([t[i] for t in config] for i in range(3))
    low, high, interior = tuple(low), tuple(high), tuple(interior)
    if type(padding_value) in SCALARS:
        padding_value = join("pad", operand, padding_value)[1]
    else:
        value = arr(padding_value)
        if value.ndim or value.dtype != operand.dtype:
            raise with_user_line(
                TypeError(
                    f"pad: padding_value must be a scalar of the dtype of {describe(operand)}, got "
                    f"{describe(value)}"
                )
            )
        padding_value = value.item() if type(value) is Array else value
    if type(padding_value) in SCALARS:
        return apply(slicing.Pad(low, high, interior, padding_value), operand)
    # The primitive pads with known numbers only. A traced one is put where the padding is.
    padded = apply(slicing.Pad(low, high, interior), operand)
    inside = constant(operand.shape, True, np.bool_)
    inside = slicing.Pad(low, high, interior, False).bind(inside)
    return e.select(inside, padded, stretch(padding_value, padded.shape))


def slice(
    operand: Any,
    start_indices: Sequence[int],
    limit_indices: Sequence[int],
    strides: Sequence[int] | None = None,
) -> Any:
    """Return operand[start:limit:stride] along each axis, within bounds.

    Raises:
        TypeError: if a bound is outside, or there are not as many as axes.
    """
    starts = static_ints(start_indices, "slice", "start_indices")
    limits = static_ints(limit_indices, "slice", "limit_indices")
    steps = (1,) * len(starts) if strides is None else static_ints(strides, "slice", "strides")
    return apply(slicing.Slice(starts, limits, steps), operand)


def slice_in_dim(
    operand: Any, start_index: int | None, limit_index: int | None, stride: int = 1, axis: int = 0
) -> Any:
    """Return operand[start:limit:stride] along one axis; negative bounds count from the end."""
    operand = arr(operand)
    axis = axis_of(axis, operand.ndim, "slice_in_dim")
    size = operand.shape[axis]
    start = 0 if start_index is None else static_int(start_index, "slice_in_dim", "start_index")
    limit = size if limit_index is None else static_int(limit_index, "slice_in_dim", "limit_index")
    starts, limits, steps = [0] * operand.ndim, list(operand.shape), [1] * operand.ndim
    starts[axis], limits[axis] = start + size * (start < 0), limit + size * (limit < 0)
    steps[axis] = static_int(stride, "slice_in_dim", "stride")
    return slice(operand, starts, limits, steps)


def index_in_dim(operand: Any, index: int, axis: int = 0, keepdims: bool = True) -> Any:
    """Return operand[index] along one axis; IndexError out of bounds."""
    operand, index = arr(operand), static_int(index, "index_in_dim", "index")
    axis = axis_of(axis, operand.ndim, "index_in_dim")
    size = operand.shape[axis]
    if not -size <= index < size:
        raise with_user_line(
            IndexError(
                f"index_in_dim: index {index} is out of bounds for axis {axis} of "
                f"{describe(operand)}"
            )
        )
    part = slicing.slice_in_dim(operand, index % size, index % size + 1, 1, axis)
    return part if keepdims else structural.squeeze(part, (axis,))


def rev(operand: Any, dimensions: Sequence[int]) -> Any:
    """Reverse the elements along axes."""
    return apply(slicing.Rev(static_ints(dimensions, "rev", "dimensions")), operand)


def iota(dtype: DTypeLike | None, size: int) -> Any:
    """Return the numbers 0, 1, 2 ... size - 1.

    Examples:
        >>> iota(np.float32, 3)
        Array([0., 1., 2.], dtype=float32)
    """
    return _iota("iota", dtype, static_shape(size, "iota"), 0)


def _iota(name: str, dtype: Any, shape: tuple[int, ...], axis: int) -> Any:
    dtype = dtype_of(dtype)
    if dtype.kind == "b":
        raise with_user_line(TypeError(f"{name}: the dtype must be one of numbers, got bool"))
    return structural.iota(dtype, shape, axis)


def broadcasted_iota(
    dtype: DTypeLike | None, shape: Any, dimension: int, *, out_sharding: Any = None
) -> Any:
    """Return the numbers 0, 1, 2 ... along one axis, repeated along the others."""
    if out_sharding is not None:
        raise no_sharding("broadcasted_iota", out_sharding)
    shape = static_shape(shape, "broadcasted_iota")
    axis = axis_of(dimension, len(shape), "broadcasted_iota")
    return _iota("broadcasted_iota", dtype, shape, axis)


def broadcast_to_rank(x: Any, rank: int) -> Any:
    """Insert axes of size 1 in front, so that there are `rank` axes."""
    x = arr(x)
    rank = static_int(rank, "broadcast_to_rank", "rank")
    if rank < x.ndim:
        raise with_user_line(
            ValueError(f"broadcast_to_rank: rank {rank} is less than that of {describe(x)}")
        )
    return broadcast(x, (1,) * (rank - x.ndim))


def tile(operand: Any, reps: Sequence[int]) -> Any:
    """Repeat the array along each axis.

    Raises:
        ValueError: if there is not one number, at least 0, for each axis.

    Examples:
        >>> import diffeo as dx
        >>> tile(dx.numpy.array([1, 2]), (2,))
        Array([1, 2, 1, 2])
    """
    operand, times = arr(operand), static_ints(reps, "tile", "reps", 0)
    if len(times) != operand.ndim:
        raise with_user_line(
            ValueError(f"tile: needs a number for each axis of {describe(operand)}, got {times}")
        )
    return layout.tile(operand, times)


def stack(operands: Sequence[Any], axis: int = 0) -> Any:
    """Stack arrays of one shape and dtype along a new axis, at this position of the result.

    Raises:
        TypeError: if shapes or dtypes differ.
    """
    values = _rows("stack", operands)
    axis = axis_of(axis, values[0].ndim + 1, "stack")
    return concatenate([structural.expand_dims(x, (axis,)) for x in values], axis)


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """Return the parts x[0], x[1] ... along an axis, as arrays without this axis."""
    x = arr(x)
    axis = axis_of(axis, x.ndim, "unstack")
    return tuple([slicing.index_in_dim(x, i, axis) for i in range(x.shape[axis])])


def empty(shape: Any, dtype: Any, *, out_sharding: Any = None) -> Any:
    """Return an array of arbitrary numbers, which are zeros here."""
    return creation.empty(shape, dtype, out_sharding=out_sharding)


def full(
    shape: Any, fill_value: Any, dtype: DTypeLike | None = None, *, sharding: Any = None
) -> Any:
    """Return an array filled with a scalar."""
    if sharding is not None:
        raise no_sharding("full", sharding, "sharding")
    return creation.full(shape, fill_value, dtype)


def full_like(
    x: Any, fill_value: Any, dtype: DTypeLike | None = None, shape: Any = None, sharding: Any = None
) -> Any:
    """Return an array like `x`, filled with a scalar."""
    if sharding is not None:
        raise no_sharding("full_like", sharding, "sharding")
    return creation.full_like(x, fill_value, dtype, shape)


def broadcast_like(arr: Any, like_arr: Any) -> Any:
    """Broadcast `arr` by NumPy's rules to the shape of `like_arr`.

    A ValueError is raised if it does not fit.

    Examples:
        >>> import diffeo as dx
        >>> broadcast_like(dx.numpy.array([1, 2]), dx.numpy.zeros((2, 2)))
        Array([[1, 2],
               [1, 2]])
    """
    x, shape = creation.asarray(arr), creation.asarray(like_arr).shape
    if common_shape(x.shape, shape) != shape:
        raise with_user_line(
            ValueError(f"broadcast_like: {describe(x)} does not broadcast to shape {shape}")
        )
    return stretch(x, shape)


def shape_as_value(shape: Any) -> Any:
    """Return a shape as a vector of integers, int32 if all sizes fit.

    Examples:
        >>> shape_as_value((2, 3))
        Array([2, 3], dtype=int32)
    """
    sizes = static_shape(shape, "shape_as_value")
    wide = max(sizes, default=0) > np.iinfo(np.int32).max
    return Array(np.array(sizes, np.int64 if wide else np.int32))


def dtype(x: Any) -> np.dtype:
    """Return the dtype of an array, a number or a type of numbers; TypeError for anything else.

    Examples:
        >>> dtype(2.0), dtype("int8")
        (dtype('float64'), dtype('int8'))
    """
    return dtype_of(x) if isinstance(x, (str, type, np.dtype)) else typeof(x).dtype
