"""How a primitive that is applied to tangents moves index sets about.

Most move elements: which element of which operand becomes an element of the result is found by
running the primitive's own `impl` on the numbers of the elements. Others add up along axes. A
primitive without a rule here is written in others by its `decompose`, or else everything depends on
everything, but for leading axes that its batching rule shows to be a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...operations.rounding import ReducePrecision
from ...operations.scatter import ScatterMul
from ...primitives.array import Array
from ...primitives.core import Primitive, Tracer, typeof
from ...primitives.staging import stage
from ...primitives.types import SCALARS
from ...primitives.words.dot import DotGeneral
from ...primitives.words.elementwise import Elementwise, Mul, Select
from ...primitives.words.identity import Named, OptimizationBarrier
from ...primitives.words.indexing import (
    DynamicSlice,
    DynamicUpdateSlice,
    Gather,
    Scatter,
    ScatterAdd,
    clamp_starts,
)
from ...primitives.words.reduction import Reduction
from ...primitives.words.slicing import Concatenate, Pad, Rev, Slice, Split
from ...primitives.words.structural import (
    BroadcastInDim,
    ConvertElementType,
    ReduceSum,
    Reshape,
    Transpose,
    size_of,
)
from .index_sets import LIMIT, IndexSets, joined, union


def known(x: Any) -> Any:
    """The numbers of an operand, or None if they are not known."""
    return None if isinstance(x, Tracer) else x if type(x) in SCALARS else np.asarray(x)


def numbered(shape: Sequence[int], start: int = 0) -> np.ndarray:
    """The numbers of the elements of an array."""
    return np.arange(start, start + size_of(shape)).reshape(tuple(shape))


def dependence(trace: Any, primitive: Any, args: Sequence[Any], avals: Sequence[Any]) -> list[Any]:
    """The results of a primitive of which some operands are tangents; `avals` are their types."""
    rule = RULES.get(type(primitive))
    if rule is None and isinstance(primitive, Elementwise):
        rule = _product if isinstance(primitive, Mul) else _elementwise
    if isinstance(primitive, Reduction):
        rule = _summed
    if rule is not None:
        return [trace.tracked(a, s) for a, s in zip(avals, rule(trace, primitive, args, avals))]
    if type(primitive).decompose is not Primitive.decompose:
        outs = primitive.decompose(*args)
        return list(outs) if primitive.multiple_results else [outs]
    return [trace.tracked(a, s) for a, s in zip(avals, _everything(trace, primitive, args, avals))]


# --------------------------------------------------------------------------------------------------
# Element by element


def _elementwise(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    return [union([trace.sets(a) for a in args if type(a) not in SCALARS])]


def _product(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """What is multiplied by a known zero depends on nothing."""
    (sets,) = _elementwise(trace, primitive, args, avals)
    for a in args:
        factor = known(a)
        if factor is not None:
            nonzero = np.broadcast_to(np.asarray(factor != 0), avals[0].shape)
            sets = sets.keep(nonzero.reshape(-1))
    return [sets]


def _select(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    chosen = known(args[0])
    if chosen is None or type(args[0]) in SCALARS:
        return _elementwise(trace, primitive, args, avals)
    masks = chosen.reshape(-1), ~chosen.reshape(-1)
    pairs = zip(args[1:], masks)
    return [union([trace.sets(a).keep(m) for a, m in pairs if type(a) not in SCALARS])]


def _unchanged(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    return [trace.sets(a) for a in args]


def _first(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    return [trace.sets(args[0])]


# --------------------------------------------------------------------------------------------------
# Elements that move


def _moved(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Each element of a result is one of an operand, or nothing. Operands that are not linear must
    be known.
    """
    positions = range(len(args)) if primitive.linear is None else primitive.linear
    operands: list[Any] = [known(a) for a in args]
    at = 1
    for i in positions:
        shape = typeof(args[i]).shape
        operands[i] = numbered(shape, at)
        at += size_of(shape)
    outs = primitive.impl(*operands)
    outs = outs if primitive.multiple_results else [outs]
    source = joined([trace.sets(args[i]) for i in positions], trace.total)
    return [source.take(np.asarray(out).reshape(-1) - 1) for out in outs]


def _padded(trace: Any, primitive: Pad, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    return _moved(trace, replace(primitive, value=0), args, avals)


def _summed(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    shape = args[0].aval.shape
    kept = [1 if i in primitive.axes else n for i, n in enumerate(shape)]
    groups = np.broadcast_to(numbered(kept), shape).reshape(-1)
    return [args[0].sets.gather(groups, avals[0].size)]


def _lines(shape: Sequence[int], axes: Sequence[int]) -> np.ndarray:
    """For each element of an array the number of the first one on its line (plane ...) along
    `axes`.
    """
    index = tuple([slice(0, 1) if i in axes else slice(None) for i in range(len(shape))])
    return np.broadcast_to(numbered(shape)[index], tuple(shape)).reshape(-1)


def _gather(trace: Any, primitive: Gather, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Where the indices are not known, any element along the axes that they address."""
    x, indices = args
    primitive = replace(primitive, fill=False)
    if known(indices) is not None:
        return _moved(trace, primitive, args, avals)
    lines = _lines(x.aval.shape, primitive.dims.index_map)
    blurred = trace.tracked(x.aval, x.sets.gather(lines, x.aval.size).take(lines))
    zeros = np.zeros(indices.aval.shape, np.int64)
    return _moved(trace, replace(primitive, mode="clip"), [blurred, Array(zeros)], avals)


def _scatter(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    x, indices, updates = args
    if known(indices) is not None and type(primitive) is Scatter:
        return _moved(trace, primitive, args, avals)
    if type(updates) in SCALARS or type(primitive) is ScatterMul:
        return [trace.sets(x)]
    places, shape = known(indices), typeof(x).shape
    lines = None
    if places is None:  # anywhere along the axes that the indices address
        places = np.zeros(typeof(indices).shape, np.int64)
        lines = _lines(shape, primitive.dims.index_map)
    targets = primitive.dims, primitive.sizes(typeof(x), typeof(updates))
    found = Gather(*targets, "fill").impl(numbered(shape, 1), places).reshape(-1) - 1
    there = np.flatnonzero(found >= 0)
    owners = found[there] if lines is None else lines[found[there]]
    added = trace.sets(updates).combine(size_of(shape), owners, there)
    return [union([trace.sets(x), added if lines is None else added.take(lines)])]


def _dynamic_slice(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Along the axes whose start is not known, any element."""
    x, *starts = args
    axes = [i for i, s in enumerate(starts) if known(s) is None]
    if axes:
        lines = _lines(x.aval.shape, axes)
        x = trace.tracked(x.aval, x.sets.gather(lines, x.aval.size).take(lines))
    starts = [Array(np.int64(0)) if i in axes else s for i, s in enumerate(starts)]
    return _moved(trace, primitive, [x, *starts], avals)


def _dynamic_update(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    x, update, *starts = args
    axes = [i for i, s in enumerate(starts) if known(s) is None]
    if not axes:
        return _moved(trace, primitive, args, avals)
    shape, window = typeof(x).shape, typeof(update).shape
    lines = _lines(window, axes)
    blurred = trace.sets(update).gather(lines, size_of(window))
    first = lines.reshape(window)[tuple([slice(0, 1) if i in axes else slice(None)
                                         for i in range(len(window))])]  # fmt: skip
    begin = clamp_starts([0 if i in axes else known(s) for i, s in enumerate(starts)],
                         shape, window)  # fmt: skip
    target = np.full(shape, -1)
    target[tuple([slice(None) if i in axes else slice(b, b + n)
                  for i, (b, n) in enumerate(zip(begin, window))])] = first  # fmt: skip
    return [union([trace.sets(x), blurred.take(target.reshape(-1))])]


# --------------------------------------------------------------------------------------------------
# Sums of products


def _dot(trace: Any, primitive: DotGeneral, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    sides = [s for s in (0, 1) if isinstance(args[s], Tracer) and len(trace.sets(args[s]).numbers)]
    found = [_dot_side(trace, primitive, args, side) for side in sides]
    return [union([IndexSets.empty(avals[0].size, trace.total), *found])]


def _dot_side(trace: Any, dot: DotGeneral, args: Sequence[Any], side: int) -> IndexSets:
    """The sets that one operand brings; where the other is known, only its nonzeros count."""
    shapes = [typeof(a).shape for a in args]
    free = [dot.free(len(shape), s) for s, shape in enumerate(shapes)]
    batch, rows, others, inner = (
        math.prod([shapes[s][a] for a in axes])
        for s, axes in (
            (side, dot.batch_dims[side]),
            (side, free[side]),
            (1 - side, free[1 - side]),
            (side, dot.contract[side]),
        )
    )
    order = dot.batch_dims[side] + free[side] + dot.contract[side]
    elements = numbered(shapes[side]).transpose(order).reshape(batch, rows, inner)
    # The number of each element of the result, by batch, own and other free axes.
    result = numbered((batch, rows, others) if side == 0 else (batch, others, rows))
    result = result if side == 0 else result.transpose(0, 2, 1)
    sets, factor = trace.sets(args[side]), known(args[1 - side])
    if factor is not None:
        order = dot.batch_dims[1 - side] + dot.contract[1 - side] + free[1 - side]
        b, k, j = np.nonzero(factor.transpose(order).reshape(batch, inner, others))
        if len(b) < batch * inner * others and rows * len(b) <= LIMIT:
            owners, taken = result[b, :, j], elements[b, :, k]
            return sets.combine(result.size, owners.reshape(-1), taken.reshape(-1))
    groups = np.repeat(np.arange(batch * rows), inner)
    sums = sets.combine(batch * rows, groups, elements.reshape(-1))
    place = np.empty(result.size, np.int64)
    place[result.reshape(-1)] = np.repeat(np.arange(batch * rows), others)
    return sums.take(place)


# --------------------------------------------------------------------------------------------------
# Anything else


def _everything(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Every element of a result depends on all elements of the tangents, within a batch."""
    ins = [typeof(a) for a in args]
    axes = _batch_axes(primitive, ins)
    count = size_of(ins[0].shape[:axes])
    found = []
    for arg, aval in zip(args, ins):
        sets = trace.sets(arg)
        groups = np.repeat(np.arange(count), aval.size // count if count else 0)
        found.append(sets.gather(groups, count))
    sums = union(found)
    return [sums.take(np.repeat(np.arange(count), a.size // count if count else 0)) for a in avals]


def _batch_axes(primitive: Any, ins: Sequence[Any]) -> int:
    """How many leading axes are a batch: the batching rule of the operation on slices makes of it
    the operation itself.
    """
    count, slices = 0, list(ins)
    while all([a.ndim for a in slices]) and len({a.shape[0] for a in slices}) == 1:
        whole, slices = slices, [a.update(a.shape[1:]) for a in slices]
        size = whole[0].shape[0]

        def batched(*xs: Any, size: int = size) -> list[Any]:
            outs, dims = primitive.batch(size, xs, [0] * len(xs))
            listed = primitive.multiple_results
            assert set(dims if listed else [dims]) == {0}
            return outs if listed else [outs]

        try:
            primitive.abstract_eval(*[a.strong for a in slices])
            program = stage(batched, [a.strong for a in whole])
        except (TypeError, ValueError, IndexError, NotImplementedError, AssertionError):
            break
        if len(program.eqns) != 1 or program.consts:
            break
        (eqn,) = program.eqns
        if eqn.primitive != primitive or tuple(eqn.inputs) != program.in_vars:
            break
        count += 1
    return count


Rule = Callable[[Any, Any, Sequence[Any], Any], list[IndexSets]]

RULES: dict[type, Rule] = {
    **dict.fromkeys([Reshape, ConvertElementType, ReducePrecision, Named], _first),
    **dict.fromkeys([Transpose, BroadcastInDim, Slice, Concatenate, Split, Rev], _moved),
    **dict.fromkeys([Scatter, ScatterAdd, ScatterMul], _scatter),
    OptimizationBarrier: _unchanged,
    Select: _select,
    Pad: _padded,
    ReduceSum: _summed,
    Gather: _gather,
    DynamicSlice: _dynamic_slice,
    DynamicUpdateSlice: _dynamic_update,
    DotGeneral: _dot,
}
