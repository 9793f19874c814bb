"""Carry the directions of a basis, as far as possible without the zeros of its Jacobian.

The derivatives of an array along all unit vectors of a point have a batch axis for each axis of the
point. Take a point x with n elements, and y = sin(x). The derivative of y along unit vector i is
zero except in element i. As a batch this is an n x n matrix, of which only the diagonal is needed.

So here the batch axis may be tied to an axis of the array, and then it is not held: the n x n
matrix is kept as its diagonal, with `Ties((0,))`. As long as a function is elementwise, its axes
stay tied. Where a tied axis is contracted or summed, it is freed: the batch axis takes its place.
Summed over its elements, each row of the n x n matrix leaves one number: the result is the
diagonal, now read as a batch. So `sum(g(x))`, or a network for each particle of many, costs what
its blocks cost. Any other operation first makes all batch axes plain ones, as vmap has them.

`collapsed.py` runs Taylor mode under this interpreter. Only coefficients from 1 on have the batch,
the point has none. So of sin(x) what arrives here, for the coefficient t of x, is `t * cos(x)`, a
`mul` (or a `scale`), and no sine. The operations that keep ties are those that are zero where t is:
see `_elementwise`.

The words: a batch axis is held if it is an axis of the array (held ones stand in front), and tied
if it is identified with one. Start reading at `Ties`, then `Directions.rule` and `_dot`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...operations.collectives import Psum
from ...primitives.core import Primitive, Value, typeof
from ...primitives.types import SCALARS, ShapedArray
from ...primitives.words.dot import DotGeneral
from ...primitives.words.elementwise import (
    Elementwise,
    add,
    div,
    eq,
    mul,
    neg,
    scale,
    select,
    select_p,
    sub,
    zero_scalar,
)
from ...primitives.words.powers import IntegerPow, square
from ...primitives.words.structural import (
    BroadcastInDim,
    ConvertElementType,
    ReduceSum,
    Reshape,
    Transpose,
    broadcast_in_dim,
    iota,
    reduce_sum,
    reshape,
    transpose,
)
from ..batching import Batching


class Ties(tuple):
    """For each batch axis, the axis of the array that it is tied to, or None if it is held.

    Axes are counted without the held ones, which stand in front. `Ties((None, 1))` says: there are
    two batch axes; the first is axis 0 of the array; the second is tied to what the program sees as
    axis 1, which is axis 2 of the array.
    """

    __slots__ = ()

    @property
    def held(self) -> int:
        """The number of batch axes that are held, in front of the array's own axes."""
        return sum([axis is None for axis in self])


class Directions(Batching):
    """A batch of all unit vectors of an array of some `shape`."""

    def __init__(self, shape: Sequence[int], function_name: str, axis_name: str):
        super().__init__(math.prod(shape), function_name, axis_name)
        self.shape = tuple(shape)

    def key(self) -> Any:
        return self.shape, self.axis_name

    def basis(self, ones: Value) -> tuple[Any, Ties]:
        """Return the unit vectors, from ones of the point's shape: all batch axes are tied."""
        return ones, Ties(range(len(self.shape)))

    def aval(self, value: tuple[Any, Any]) -> ShapedArray:
        array, dim = value
        if type(dim) is not Ties:
            return super().aval(value)
        aval = typeof(array)
        return aval.update(aval.shape[dim.held :])

    def split(self, value: tuple[Any, Any]) -> tuple[Sequence[Any], Any]:
        return super().split(self.plain(value))  # programs do not know of ties

    def widen(self, value: tuple[Any, Any], static: int | None) -> tuple[Any, Any]:
        return super().widen(self.plain(value), static)

    def unstack(self, value: tuple[Any, Any]) -> tuple[Any, Any]:
        return super().unstack(self.plain(value))

    def anywhere(self, value: tuple[Any, Any]) -> Any:
        return super().anywhere(self.plain(value))

    def plain(self, value: tuple[Any, Any]) -> tuple[Any, Any]:
        """Return the value with one batch axis in front, as vmap has it."""
        array, ties = value
        if type(ties) is not Ties:
            return value
        for i, axis in enumerate(ties):
            if axis is not None:
                array, ties = self.freed(array, ties, i)
        return reshape(array, (self.size, *array.shape[len(ties) :])), 0

    def freed(self, array: Value, ties: Ties, i: int) -> tuple[Any, Ties]:
        """Return the value with batch axis `i` held, and zeros beside the diagonal."""
        position = sum([axis is None for axis in ties[:i]])
        shape = (*array.shape[:position], self.shape[i], *array.shape[position:])
        spread = broadcast_in_dim(array, shape, [d for d in range(len(shape)) if d != position])
        # The new axis and the axis that was tied: the value is on their diagonal.
        along = position, ties.held + 1 + ties[i]
        on_diagonal = eq.bind(*[iota("int32", shape, d) for d in along])
        out = select(on_diagonal, spread, zero_scalar(array))
        return out, Ties((*ties[:i], None, *ties[i + 1 :]))

    def custom(self, call: Any, values: Sequence[Any]) -> list[Any]:
        return super().custom(call, [self.plain(v) for v in values])

    def rule(self, primitive: Primitive, values: Sequence[Any]) -> Any:
        dims = {v[1] for v in values if v[1] is not None}
        if any([type(dim) is Ties for dim in dims]):
            ties = dims.pop()
            # All batched operands must have the same ties.
            out = self.tied(primitive, values, ties) if not dims else None
            if out is not None:
                return out
            values = [self.plain(v) for v in values]
        return super().rule(primitive, values)

    def tied(self, primitive: Primitive, values: Sequence[Any], ties: Ties) -> Any:
        """Apply the rule for operands with these ties; return None if there is none."""
        for kind, rule in RULES.items():
            if isinstance(primitive, kind):
                return rule(self, primitive, values, ties)
        return None


def _elementwise(own: Directions, primitive: Primitive, values: Sequence[Any], ties: Ties) -> Any:
    """Apply a primitive that is zero where the batched operands are zero.

    Only then may the zeros beside the diagonal be left out. `x * y` is such a function if x is
    batched; `x + y` is one only if both are.
    """
    batched = [dim is not None for _, dim in values]
    if primitive in (mul, scale):
        zero = True
    elif primitive is div:
        zero = batched == [True, False]
    elif primitive is select_p:
        choices = zip(batched[1:], values[1:])
        zero = not batched[0] and all(
            [b or (type(x) in SCALARS and x == 0) for b, (x, _) in choices]
        )
    else:
        zero = primitive in (neg, add, sub, square) and all(batched)
    if not zero:
        return None
    like = next(x for x, dim in values if dim is not None)
    arrays = [x if dim is not None else _spread(x, like, ties) for x, dim in values]
    return primitive.bind(*arrays), ties


def _spread(x: Any, like: Value, ties: Ties) -> Any:
    """Repeat an operand without batch along the axes that are held."""
    if type(x) in SCALARS or not ties.held:
        return x
    return broadcast_in_dim(x, like.shape, range(ties.held, like.ndim))


def _power(own: Directions, primitive: Any, values: Sequence[Any], ties: Ties) -> Any:
    """Raise to a positive power, which is zero where the operand is zero."""
    return (primitive.bind(values[0][0]), ties) if primitive.n > 0 else None


def _convert(own: Directions, primitive: Primitive, values: Sequence[Any], ties: Ties) -> Any:
    """Convert to another dtype, where zeros stay zeros."""
    return primitive.bind(values[0][0]), ties


def _transpose(own: Directions, primitive: Transpose, values: Sequence[Any], ties: Ties) -> Any:
    """Permute the axes of the array, and the ties with them; the held axes stay in front."""
    order, held = primitive.permutation, ties.held
    out = transpose(values[0][0], (*range(held), *[held + p for p in order]))
    return out, Ties([axis if axis is None else order.index(axis) for axis in ties])


def _broadcast(
    own: Directions, primitive: BroadcastInDim, values: Sequence[Any], ties: Ties
) -> Any:
    """Broadcast along axes to which no batch axis is tied."""
    x, held, dims = values[0][0], ties.held, primitive.dims
    for axis in ties:  # a stretched axis is not the one that the batch is tied to
        if axis is not None and x.shape[held + axis] != primitive.shape[dims[axis]]:
            return None
    shape = (*x.shape[:held], *primitive.shape)
    out = broadcast_in_dim(x, shape, (*range(held), *[held + d for d in dims]))
    return out, Ties([axis if axis is None else dims[axis] for axis in ties])


def _reshape(own: Directions, primitive: Reshape, values: Sequence[Any], ties: Ties) -> Any:
    """Reshape, if the tied axes are still there afterwards."""
    x, held = values[0][0], ties.held
    before, after = x.shape[held:], primitive.shape
    new_ties: list[int | None] = []
    for axis in ties:
        # A tied axis is still there if some axis has its size and as many elements in front of it.
        if axis is not None:
            front = math.prod(before[:axis])
            matches = [
                i
                for i, n in enumerate(after)
                if n == before[axis] and math.prod(after[:i]) == front and (n > 1 or i == axis)
            ]
            if not matches:
                return None
            axis = matches[0]
        new_ties.append(axis)
    return reshape(x, (*x.shape[:held], *after)), Ties(new_ties)


def _reduce_sum(own: Directions, primitive: ReduceSum, values: Sequence[Any], ties: Ties) -> Any:
    """Sum over axes, and free those that are tied.

    In a sum over a tied axis, each row of the batch has one summand that is not zero. So nothing is
    added up: the axis becomes a batch axis.
    """
    x, held, axes = values[0][0], ties.held, primitive.axes
    kept = [a for a in range(x.ndim - held) if a not in axes]
    freed = [axis if axis in axes else None for axis in ties]
    plain = [a for a in axes if a not in ties]
    # The axes that are not tied are summed. The tied ones are moved to the front, each to the
    # position of its batch axis.
    x = reduce_sum(x, [held + a for a in plain])
    remaining = [a for a in range(len(kept) + len(axes)) if a not in plain]
    front = iter(range(held))
    order = []
    for axis, now in zip(ties, freed):
        if axis is None:
            order.append(next(front))
        elif now is not None:
            order.append(held + remaining.index(axis))
    order += [held + remaining.index(a) for a in kept]
    out = transpose(x, order)
    new_axes = [None if axis is None or axis in axes else kept.index(axis) for axis in ties]
    return out, Ties(new_axes)


def _dot(own: Directions, primitive: DotGeneral, values: Sequence[Any], ties: Ties) -> Any:
    """Contract axes, and free those that are tied.

    As in a sum, a contracted axis that is tied has one summand in each row of the batch. So it is a
    batch axis of the product, not a contracted one. Example: x has n elements and is tied, W is n x
    m. Row i of the batch of `x @ W` is `x[i] * W[i]`.
    """
    side = 0 if values[0][1] is not None else 1
    if values[1 - side][1] is not None:
        return None
    held, contract, batch = ties.held, primitive.contract, primitive.batch_dims
    pairs = list(zip(contract[side], contract[1 - side]))
    free = primitive.free(values[side][0].ndim - held, side)
    other_free = primitive.free(typeof(values[1 - side][0]).ndim, 1 - side)
    # The batch axes (i) whose axis of the array is contracted.
    freed = [(i, axis) for i, axis in enumerate(ties) if axis in contract[side]]
    partner = dict(pairs)
    freed_axes = [[held + axis for _, axis in freed], [partner[axis] for _, axis in freed]]
    contracted = [(a, b) for a, b in pairs if a not in [axis for _, axis in freed]]
    # Both pairs are (axes of this operand, axes of the other one), until `ordered` puts the left
    # operand first.
    batches = (*freed_axes[0], *[held + a for a in batch[side]]), (*freed_axes[1], *batch[1 - side])
    sums = tuple([held + a for a, _ in contracted]), tuple([b for _, b in contracted])
    ordered = lambda own, other: (other, own) if side else (own, other)
    settings = primitive.precision, primitive.preferred_element_type
    dot = DotGeneral(ordered(*sums), ordered(*batches), *settings)
    out = dot.bind(*[x for x, _ in values])
    return _arranged(out, ties, freed, batch[side], free, len(other_free), side)


def _arranged(
    out: Value,
    ties: Ties,
    freed: Sequence[tuple[int, int]],
    batch: Sequence[int],
    free: Sequence[int],
    other_free: int,
    side: int,
) -> tuple[Any, Ties]:
    """Return the result of a product with its axes in order.

    A product has first its batch axes: the `freed` ones, then `batch`. Then come the free axes of
    the left operand and of the right one. Those of the operand `side`, which has ties, begin with
    the held axes. The order to make is: held axes as in `ties`, `batch`, left free axes, right free
    axes.
    """
    held, count = ties.held, len(freed) + len(batch)
    first_mine = count + (other_free if side else 0)
    first_other = count if side else count + held + len(free)
    # Where the axes are in the product: the held ones, and the freed ones by their batch axis.
    held_positions = iter(range(first_mine, first_mine + held))
    freed_at = {i: k for k, (i, _) in enumerate(freed)}
    order = [freed_at[i] if i in freed_at else next(held_positions) for i, axis in enumerate(ties)
             if axis is None or i in freed_at]  # fmt: skip
    batches = list(range(len(freed), count))
    free_positions = list(range(first_mine + held, first_mine + held + len(free)))
    other_positions = list(range(first_other, first_other + other_free))
    tail = [
        *batches,
        *([*other_positions, *free_positions] if side else [*free_positions, *other_positions]),
    ]
    # Which axis of the result, without the held ones, each axis of the operand becomes.
    axis_of = {a: i for i, a in enumerate(batch)}
    axis_of.update({a: len(batch) + (other_free if side else 0) + i for i, a in enumerate(free)})
    new_axes = [
        None if axis is None or i in freed_at else axis_of[axis] for i, axis in enumerate(ties)
    ]
    return transpose(out, [*order, *tail]), Ties(new_axes)


def _psum(own: Directions, primitive: Psum, values: Sequence[Any], ties: Ties) -> Any:
    """Sum over all unit vectors.

    Along a tied axis there is nothing to add up: each element has one row in which it is not zero.
    """
    if primitive.axes != ((own.axis_name, own.size),):
        return None
    return reduce_sum(values[0][0], range(ties.held)), None


RULES = {
    Psum: _psum,
    IntegerPow: _power,
    Elementwise: _elementwise,
    type(select_p): _elementwise,
    ConvertElementType: _convert,
    Transpose: _transpose,
    BroadcastInDim: _broadcast,
    Reshape: _reshape,
    ReduceSum: _reduce_sum,
    DotGeneral: _dot,
}
