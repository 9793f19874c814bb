"""Say how each primitive moves index sets from its operands to its results.

A primitive meets these rules when some of its operands are tangents, `Tracked` values of
`dependence.py`, which have an index set for each element. There are four kinds of primitives:

- elementwise ones: an element of the result has the union of the sets of the operands' elements;
- those that move elements: which element of which operand goes where is found by running the
  primitive's own `impl` on the numbers of the elements (see `_moved`);
- those that add up along axes: sums and products of matrices;
- all others: what their `decompose` binds, or else every element depends on all elements, but for
  leading axes that the batching rule shows to be a batch (see `_everything`).

A rule is a function `(trace, primitive, args, avals) -> sets`. `trace` is the `Dependence`, `args`
are the operands: arrays, Python scalars, `Unknown` or `Tracked`. `avals` are the types of the
results. A rule returns one `IndexSets` for each result. Operands that are not known, and need not
be, are taken at their worst: an index that is not known may be any.

Start reading at `dependence`, which chooses the rule; `RULES` is at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...operations.identity import Named, OptimizationBarrier
from ...operations.rounding import ReducePrecision
from ...operations.scatter import ScatterMul
from ...primitives.array import Array
from ...primitives.core import Primitive, Trace, Tracer, typeof
from ...primitives.staging import stage
from ...primitives.types import SCALARS
from ...primitives.words.dot import DotGeneral
from ...primitives.words.elementwise import Elementwise, Mul, Select
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
    """Return the numbers of an operand, or None if they are not known."""
    return None if isinstance(x, Tracer) else x if type(x) in SCALARS else np.asarray(x)


def numbered(shape: Sequence[int], start: int = 0) -> np.ndarray:
    """Return an array of this shape in which each element is its own number.

    For the shape (2, 3) that is [[0, 1, 2], [3, 4, 5]], if `start` is 0.
    """
    return np.arange(start, start + size_of(shape)).reshape(tuple(shape))


def dependence(
    trace: Any, primitive: Primitive, args: Sequence[Any], avals: Sequence[Any]
) -> list[Any]:
    """Return the results, of the types `avals`, of a primitive that has tangents as operands."""
    # Rules are looked up by the class itself. What no class has may be a whole family's.
    rule = RULES.get(type(primitive))
    if rule is None and isinstance(primitive, Elementwise):
        rule = _product if isinstance(primitive, Mul) else _elementwise
    if isinstance(primitive, Reduction):
        rule = _summed
    if rule is not None:
        return [trace.tracked(a, s) for a, s in zip(avals, rule(trace, primitive, args, avals))]
    # The primitives that `decompose` binds come back to the trace one by one.
    if type(primitive).decompose is not Primitive.decompose:
        outs = primitive.decompose(*args)
        return list(outs) if primitive.multiple_results else [outs]
    return [trace.tracked(a, s) for a, s in zip(avals, _everything(trace, primitive, args, avals))]


# --------------------------------------------------------------------------------------------------
# Element by element


def _elementwise(
    trace: Any, primitive: Primitive, args: Sequence[Any], avals: Any
) -> list[IndexSets]:
    """Join the sets of the operands, element by element."""
    return [union([trace.sets(a) for a in args if type(a) not in SCALARS])]


def _product(
    trace: Trace, primitive: Primitive, args: Sequence[Any], avals: Any
) -> list[IndexSets]:
    """Join the sets of the operands; what is multiplied by a known zero depends on nothing."""
    (sets,) = _elementwise(trace, primitive, args, avals)
    for a in args:
        factor = known(a)
        if factor is not None:
            # The known factor may be a Python scalar.
            nonzero = np.broadcast_to(np.asarray(factor != 0), avals[0].shape)
            sets = sets.keep(nonzero.reshape(-1))
    return [sets]


def _select(trace: Any, primitive: Primitive, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Take each element's set from the operand that is chosen there, if the choice is known."""
    condition = known(args[0])
    if condition is None or type(args[0]) in SCALARS:
        return _elementwise(trace, primitive, args, avals)
    # The operand for true keeps its sets where the condition is true, the other where it is false.
    masks = condition.reshape(-1), ~condition.reshape(-1)
    pairs = zip(args[1:], masks)
    return [union([trace.sets(a).keep(m) for a, m in pairs if type(a) not in SCALARS])]


def _unchanged(
    trace: Any, primitive: Primitive, args: Sequence[Any], avals: Any
) -> list[IndexSets]:
    """Return the sets of all operands: each result is one operand."""
    return [trace.sets(a) for a in args]


def _first(trace: Any, primitive: Primitive, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Return the sets of the first operand, whose elements keep their order."""
    return [trace.sets(args[0])]


# --------------------------------------------------------------------------------------------------
# Elements that move


def _moved(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Return the sets for a primitive that only moves elements of its linear operands.

    The elements of the linear operands are counted through from 1, and `impl` moves these numbers.
    Where a result has the number k, its element is element k - 1; where it has 0, as in the padding
    of `pad`, it is no element at all. Operands that are not linear (indices, say) must be known.

    Example: reversing [a, b, c] makes [3, 2, 1] of the numbers [1, 2, 3]. So the first result takes
    the set of element 2, which is c.
    """
    positions = range(len(args)) if primitive.linear is None else primitive.linear
    operands: list[Any] = [known(a) for a in args]
    next_number = 1
    for i in positions:
        shape = typeof(args[i]).shape
        operands[i] = numbered(shape, next_number)
        next_number += size_of(shape)
    outs = primitive.impl(*operands)
    outs = outs if primitive.multiple_results else [outs]
    source = joined([trace.sets(args[i]) for i in positions], trace.total)
    return [source.take(np.asarray(out).reshape(-1) - 1) for out in outs]


def _padded(trace: Trace, primitive: Pad, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Move elements into a padding, as if it were of zeros: a constant has no inputs."""
    return _moved(trace, replace(primitive, value=0), args, avals)


def _summed(trace: Trace, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Join the sets along the axes that are summed, or reduced in another way."""
    shape = args[0].aval.shape
    # Number the elements of the result, and repeat each number along the reduced axes: this is the
    # group of each element of the operand.
    kept = [1 if i in primitive.axes else n for i, n in enumerate(shape)]
    groups = np.broadcast_to(numbered(kept), shape).reshape(-1)
    return [args[0].sets.gather(groups, avals[0].size)]


def _lines(shape: Sequence[int], axes: Sequence[int]) -> np.ndarray:
    """Return for each element the number of the first element on its line along `axes`.

    Along two axes a line is a plane, and so on. For the shape (2, 3) and the axis 1 the result is
    0, 0, 0, 3, 3, 3.
    """
    index = tuple([slice(0, 1) if i in axes else slice(None) for i in range(len(shape))])
    return np.broadcast_to(numbered(shape)[index], tuple(shape)).reshape(-1)


def _gather(trace: Any, primitive: Gather, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Move the elements that the indices name.

    Where the indices are not known, any element along the axes that they address may be read.
    """
    x, indices = args
    primitive = replace(primitive, fill=False)
    if known(indices) is not None:
        return _moved(trace, primitive, args, avals)
    lines = _lines(x.aval.shape, primitive.dims.index_map)
    # Every element gets the union of the sets on its line. Then it does not matter which index is
    # read: take the first.
    blurred = trace.tracked(x.aval, x.sets.gather(lines, x.aval.size).take(lines))
    zeros = np.zeros(indices.aval.shape, np.int64)
    return _moved(trace, replace(primitive, mode="clip"), [blurred, Array(zeros)], avals)


def _scatter(trace: Any, primitive: Any, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Put or add updates into an array.

    Where the indices are not known, an update may go anywhere along the axes that they address, and
    the array's own elements may stay.
    """
    x, indices, updates = args
    if known(indices) is not None and type(primitive) is Scatter:
        return _moved(trace, primitive, args, avals)
    # These have nothing to add: a scalar is a constant, and the derivative rule of `ScatterMul`
    # binds the primitive with a tangent as the first operand only.
    if type(updates) in SCALARS or type(primitive) is ScatterMul:
        return [trace.sets(x)]
    positions, shape = known(indices), typeof(x).shape
    lines = None
    if positions is None:  # anywhere along the axes that the indices address
        positions = np.zeros(typeof(indices).shape, np.int64)
        lines = _lines(shape, primitive.dims.index_map)
    layout = primitive.dims, primitive.sizes(typeof(x), typeof(updates))
    # Gathering the numbers from 1 of the array's elements, by the same indices, says where each
    # update goes; 0 is out of bounds.
    targets = Gather(*layout, "fill").impl(numbered(shape, 1), positions).reshape(-1) - 1
    inside = np.flatnonzero(targets >= 0)
    owners = targets[inside] if lines is None else lines[targets[inside]]
    added = trace.sets(updates).combine(size_of(shape), owners, inside)
    return [union([trace.sets(x), added if lines is None else added.take(lines)])]


def _dynamic_slice(
    trace: Any, primitive: Primitive, args: Sequence[Any], avals: Any
) -> list[IndexSets]:
    """Move the elements of a window; along an axis of unknown start, it may contain any element."""
    x, *starts = args
    axes = [i for i, s in enumerate(starts) if known(s) is None]
    if axes:
        lines = _lines(x.aval.shape, axes)
        x = trace.tracked(x.aval, x.sets.gather(lines, x.aval.size).take(lines))
    starts = [Array(np.int64(0)) if i in axes else s for i, s in enumerate(starts)]
    return _moved(trace, primitive, [x, *starts], avals)


def _dynamic_update(
    trace: Any, primitive: Primitive, args: Sequence[Any], avals: Any
) -> list[IndexSets]:
    """Put a window into an array.

    Along an axis whose start is not known, any element of the window may arrive anywhere, and the
    array's own element may stay.
    """
    x, update, *starts = args
    axes = [i for i, s in enumerate(starts) if known(s) is None]
    if not axes:
        return _moved(trace, primitive, args, avals)
    shape, window = typeof(x).shape, typeof(update).shape
    lines = _lines(window, axes)
    # The first element of each line of the window gets the union of the line's sets; it is what may
    # arrive at every position along the axes of unknown start.
    blurred = trace.sets(update).gather(lines, size_of(window))
    first = lines.reshape(window)[tuple([slice(0, 1) if i in axes else slice(None)
                                         for i in range(len(window))])]  # fmt: skip
    begin = clamp_starts([0 if i in axes else known(s) for i, s in enumerate(starts)],
                         shape, window)  # fmt: skip
    # The element of the window that each element of the array gets; -1 where the window cannot
    # reach.
    target = np.full(shape, -1)
    target[tuple([slice(None) if i in axes else slice(b, b + n)
                  for i, (b, n) in enumerate(zip(begin, window))])] = first  # fmt: skip
    return [union([trace.sets(x), blurred.take(target.reshape(-1))])]


# --------------------------------------------------------------------------------------------------
# Sums of products


def _dot(trace: Any, primitive: DotGeneral, args: Sequence[Any], avals: Any) -> list[IndexSets]:
    """Join what the two operands of a product bring, each with the other as a constant."""
    sides = [s for s in (0, 1) if isinstance(args[s], Tracer) and len(trace.sets(args[s]).numbers)]
    operand_sets = [_dot_side(trace, primitive, args, side) for side in sides]
    return [union([IndexSets.empty(avals[0].size, trace.total), *operand_sets])]


def _dot_side(trace: Any, dot: DotGeneral, args: Sequence[Any], side: int) -> IndexSets:
    """Return the sets that one operand of a product brings; `side` is 0 for the left one.

    Where the other operand is known, only its nonzeros count: in `a @ x` with a known sparse matrix
    a, element i depends on x[k] for each nonzero a[i, k].
    """
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
    # See the operand as (batch, free axes, contracted axes) and the result as (batch, free axes of
    # this operand, free axes of the other): `rows` and `others` are the numbers of such elements.
    order = dot.batch_dims[side] + free[side] + dot.contract[side]
    elements = numbered(shapes[side]).transpose(order).reshape(batch, rows, inner)
    result_numbers = numbered((batch, rows, others) if side == 0 else (batch, others, rows))
    result_numbers = result_numbers if side == 0 else result_numbers.transpose(0, 2, 1)
    sets, factor = trace.sets(args[side]), known(args[1 - side])
    if factor is not None:
        order = dot.batch_dims[1 - side] + dot.contract[1 - side] + free[1 - side]
        b, k, j = np.nonzero(factor.transpose(order).reshape(batch, inner, others))
        if len(b) < batch * inner * others and rows * len(b) <= LIMIT:
            owners, sources = result_numbers[b, :, j], elements[b, :, k]
            return sets.combine(result_numbers.size, owners.reshape(-1), sources.reshape(-1))
    # The other operand is not known, or has no zeros worth a look: each row is summed up once, and
    # all elements of the result in this row have its set.
    groups = np.repeat(np.arange(batch * rows), inner)
    sums = sets.combine(batch * rows, groups, elements.reshape(-1))
    sum_of_element = np.empty(result_numbers.size, np.int64)
    sum_of_element[result_numbers.reshape(-1)] = np.repeat(np.arange(batch * rows), others)
    return sums.take(sum_of_element)


# --------------------------------------------------------------------------------------------------
# Anything else


def _everything(
    trace: Any, primitive: Primitive, args: Sequence[Any], avals: Any
) -> list[IndexSets]:
    """Let every element of a result depend on all elements of the tangents, within a batch."""
    ins = [typeof(a) for a in args]
    axes = _batch_axes(primitive, ins)
    count = size_of(ins[0].shape[:axes])
    operand_sets = []
    for arg, aval in zip(args, ins):
        sets = trace.sets(arg)
        groups = np.repeat(np.arange(count), aval.size // count if count else 0)
        operand_sets.append(sets.gather(groups, count))
    sums = union(operand_sets)
    return [sums.take(np.repeat(np.arange(count), a.size // count if count else 0)) for a in avals]


def _batch_axes(primitive: Primitive, ins: Sequence[Any]) -> int:
    """Return how many leading axes of the operands are a batch, of which each entry is separate.

    An axis is a batch axis if the batching rule, applied to the operation on slices, binds just the
    operation itself on the whole arrays. For an operation on stacks of matrices [..., n, n] that
    may be all axes but the last two.
    """
    count, slices = 0, list(ins)
    while all([a.ndim for a in slices]) and len({a.shape[0] for a in slices}) == 1:
        # Suppose that the first axis is a batch axis, and batch the operation on slices.
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
