"""Rules of the simplifier for what moves elements and computes nothing: reshape, transpose,
broadcast, slices and their like merge, and pass a number that fills an array on.

A rule is a function of the simplifier `s`, a primitive, its operands, and the type of the result
(see `Simplifier`). It looks at the *maker* of an operand, the equation that computes it: a slice of
a slice, say, is one slice of the operand of the first. The table `RULES` is at the end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from ..primitives.core import Primitive
from ..primitives.jaxpr import Eqn, Var
from ..primitives.types import ShapedArray
from ..primitives.words.slicing import Concatenate, Pad, Rev, Slice
from ..primitives.words.structural import BroadcastInDim, ReduceSum, Reshape, Transpose
from .algebra import filled, same_number

Shape = tuple[int, ...]


def made_by(s: Any, v: Var, kind: type) -> Any:
    """Return the equation that made an operand if its primitive is of this type, or else None."""
    maker = s.makers.get(v)
    return maker if maker is not None and type(maker.primitive) is kind else None


def wide(shape: Shape) -> list[int]:
    """Return the axes that are longer than 1, or empty."""
    return [i for i, n in enumerate(shape) if n != 1]


def relabelled(old: Shape, new: Shape) -> dict[int, int] | None:
    """Return which axis is which after a reshape; None if it does more than add and drop axes of
    size 1.

    Examples:
        >>> relabelled((2, 1, 3), (1, 2, 3))
        {0: 1, 2: 2}
    """
    a, b = wide(old), wide(new)
    return dict(zip(a, b)) if [old[i] for i in a] == [new[i] for i in b] else None


def of_splat(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace what moves elements of equal numbers about by an array of this number."""
    number = s.number(inputs[0])
    return None if number is None else filled(aval, number)


def same_shape(s: Any, op: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace a reshape, broadcast, slice or window of the operand's own shape by the operand."""
    return inputs[0] if inputs[0].aval.shape == aval.shape else None


def of_reshape(s: Any, op: Reshape, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Merge a reshape of a reshape, or of a broadcast where only axes of size 1 come or go."""
    maker = made_by(s, inputs[0], Reshape)
    if maker is not None:
        return op, maker.inputs
    maker = made_by(s, inputs[0], BroadcastInDim)
    if maker is None or 1 in maker.inputs[0].aval.shape:
        return None
    axes = relabelled(maker.primitive.shape, op.shape)
    if axes is None or any([d not in axes for d in maker.primitive.dims]):
        return None
    return BroadcastInDim(op.shape, tuple([axes[d] for d in maker.primitive.dims])), maker.inputs


def of_transpose(s: Any, op: Transpose, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Merge a transpose of a transpose or of a broadcast; write one that moves axes of size 1 only
    as a reshape.
    """
    x = inputs[0]
    axes = [p for p in op.permutation if x.aval.shape[p] != 1]
    if axes == sorted(axes):
        return x if aval.shape == x.aval.shape else (Reshape(aval.shape), inputs)
    maker = made_by(s, x, Transpose)
    if maker is not None:
        inner = maker.primitive.permutation
        return Transpose(tuple([inner[p] for p in op.permutation])), maker.inputs
    maker = made_by(s, x, BroadcastInDim)
    if maker is not None:
        dims = [op.permutation.index(d) for d in maker.primitive.dims]
        if dims == sorted(dims):
            return BroadcastInDim(aval.shape, tuple(dims)), maker.inputs
    return None


def of_broadcast(s: Any, op: BroadcastInDim, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Merge a broadcast of a broadcast, or of a reshape that adds or drops axes of size 1; write
    one that only adds such axes as a reshape.
    """
    x = inputs[0]
    if x.aval.size == aval.size and aval.size:
        return Reshape(aval.shape), inputs
    maker = made_by(s, x, BroadcastInDim)
    if maker is not None:
        dims = tuple([op.dims[d] for d in maker.primitive.dims])
        return BroadcastInDim(op.shape, dims), maker.inputs
    maker = made_by(s, x, Reshape)
    if maker is None or 1 in maker.inputs[0].aval.shape:
        return None
    axes = relabelled(maker.inputs[0].aval.shape, x.aval.shape)
    if axes is None:
        return None
    dims = tuple([op.dims[axes[i]] for i in range(maker.inputs[0].aval.ndim)])
    return BroadcastInDim(op.shape, dims), maker.inputs


def sum_of_zeros(s: Any, op: ReduceSum, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Replace a sum of zeros by 0."""
    number = s.number(inputs[0])
    return filled(aval, number) if number is not None and same_number(number, 0.0) else None


def of_slice(s: Any, op: Slice, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Merge a slice of a slice, of a concatenation, of a pad, or of a broadcast."""
    maker = s.makers.get(inputs[0])
    rule = None if maker is None else SLICE_OF.get(type(maker.primitive))
    return None if rule is None else rule(s, op, maker, aval)


def _slice_of_slice(s: Any, op: Slice, maker: Any, aval: ShapedArray) -> Any:
    """Write `x[2:10:2][1:3]` as `x[4:7:2]`."""
    if not aval.size:
        return None
    inner = maker.primitive
    starts = [a + b * t for a, b, t in zip(inner.starts, op.starts, inner.strides)]
    strides = [a * b for a, b in zip(inner.strides, op.strides)]
    # The last element that is taken, and one more: limits of an equal slice may differ.
    limits = [a + (n - 1) * t + 1 for a, n, t in zip(starts, aval.shape, strides)]
    return Slice(tuple(starts), tuple(limits), tuple(strides)), maker.inputs


def _slice_of_concatenate(s: Any, op: Slice, maker: Eqn, aval: ShapedArray) -> Any:
    """Take a slice of the one piece in which it lies."""
    axis = maker.primitive.axis
    # Programs take many slices of one concatenation, so it is remembered where its pieces start.
    starts = s.starts.get(maker)
    if starts is None:
        sizes = [x.aval.shape[axis] for x in maker.inputs]
        starts = s.starts[maker] = list(accumulate(sizes[:-1], initial=0))
    i = bisect_right(starts, op.starts[axis]) - 1
    x, at = maker.inputs[i], starts[i]
    if op.limits[axis] > at + x.aval.shape[axis]:
        return None
    return _shifted(op, axis, at), (x,)


def _shifted(op: Slice, axis: int, by: int) -> Slice:
    """Return the same slice of an array that starts later."""
    move = lambda places: tuple([n - by if i == axis else n for i, n in enumerate(places)])
    return Slice(move(op.starts), move(op.limits), op.strides)


def _slice_of_pad(s: Any, op: Slice, maker: Eqn, aval: ShapedArray) -> Any:
    """Take a slice of the array that was padded, or of nothing but padding."""
    pad, x = maker.primitive, maker.inputs[0]
    if any(pad.interior) or not aval.size:
        return None
    ends = [low + n for low, n in zip(pad.low, x.aval.shape)]
    bounds = list(zip(op.starts, op.limits, pad.low, ends))
    # Along some axis, the slice is in front of the array, or behind it.
    if any([limit <= low or end <= start for start, limit, low, end in bounds]):
        return filled(aval, pad.value)
    if all([low <= start and limit <= end for start, limit, low, end in bounds]):
        starts = tuple([a - low for a, low in zip(op.starts, pad.low)])
        limits = tuple([b - low for b, low in zip(op.limits, pad.low)])
        return Slice(starts, limits, op.strides), (x,)
    return None


def _slice_of_broadcast(s: Any, op: Slice, maker: Eqn, aval: ShapedArray) -> Any:
    """Broadcast to fewer elements, where only repeated axes are cut."""
    inner, shape = maker.primitive, maker.inputs[0].aval.shape
    for n, d in zip(shape, inner.dims):
        if n != 1 and aval.shape[d] != inner.shape[d]:
            return None
    return BroadcastInDim(aval.shape, inner.dims), maker.inputs


#: The rules for a slice, by the type of the primitive that made its operand.
SLICE_OF = {
    Slice: _slice_of_slice,
    Concatenate: _slice_of_concatenate,
    Pad: _slice_of_pad,
    BroadcastInDim: _slice_of_broadcast,
}


def of_pad(s: Any, op: Pad, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Merge pads with the same number; drop a pad of nothing, or of an array of this number."""
    x = inputs[0]
    number = s.number(x)
    if not x.aval.size or (number is not None and same_number(number, op.value)):
        return filled(aval, op.value)
    if not (any(op.low) or any(op.high) or any(op.interior)):
        return x
    maker = made_by(s, x, Pad)
    if maker is None or any(op.interior) or not same_number(maker.primitive.value, op.value):
        return None
    inner = maker.primitive
    if min(*inner.low, *inner.high, *op.low, *op.high) < 0:  # what is cut away is lost
        return None
    low = tuple([a + b for a, b in zip(inner.low, op.low)])
    high = tuple([a + b for a, b in zip(inner.high, op.high)])
    return Pad(low, high, inner.interior, op.value), maker.inputs


def of_concatenate(s: Any, op: Concatenate, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Drop what is empty; write neighbouring slices of one array as one slice."""
    kept = [x for x in inputs if x.aval.shape[op.axis]]
    if not kept:
        return inputs[0]
    # Each piece is joined with the one before, if they are neighbours.
    joined = kept[:1]
    for x in kept[1:]:
        both = _neighbours(s, joined[-1], x, op.axis)
        if both is None:
            joined.append(x)
        else:
            joined[-1] = both
    if len(joined) == 1:
        return joined[0]
    numbers = [s.number(x) for x in joined]
    if numbers[0] is not None and all([same_number(n, numbers[0]) for n in numbers]):
        return filled(aval, numbers[0])
    return (op, joined) if len(joined) < len(inputs) else None


def _neighbours(s: Any, x: Var, y: Var, axis: int) -> Any:
    """Return two slices of one array that meet, as one; None if they are no such slices.

    `x[2:4]` and `x[4:7]` are `x[2:7]`.
    """
    a, b = made_by(s, x, Slice), made_by(s, y, Slice)
    if a is None or b is None or a.inputs[0] is not b.inputs[0]:
        return None
    first, second = a.primitive, b.primitive
    for i in range(len(first.starts)):
        if first.strides[i] != 1 or second.strides[i] != 1:
            return None
        if i == axis and first.limits[i] != second.starts[i]:
            return None
        pair = (first.starts[i], first.limits[i]), (second.starts[i], second.limits[i])
        if i != axis and pair[0] != pair[1]:
            return None
    return s.bind(Slice(first.starts, second.limits, first.strides), a.inputs[0])


def of_rev(s: Any, op: Rev, inputs: Sequence[Any], aval: ShapedArray) -> Any:
    """Drop a reversal of a reversal, and one along axes of size 1."""
    x = inputs[0]
    maker = made_by(s, x, Rev)
    if maker is not None and sorted(maker.primitive.axes) == sorted(op.axes):
        return maker.inputs[0]
    return x if all([x.aval.shape[a] == 1 for a in op.axes]) else None


#: The rules of each type, in the order in which they are tried.
RULES: dict[type, Any] = {
    Reshape: (same_shape, of_splat, of_reshape),
    Transpose: (of_splat, of_transpose),
    BroadcastInDim: (same_shape, of_splat, of_broadcast),
    ReduceSum: (sum_of_zeros,),
    Slice: (same_shape, of_splat, of_slice),
    Pad: (of_pad,),
    Concatenate: (of_concatenate,),
    Rev: (of_splat, of_rev),
}
