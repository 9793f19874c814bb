"""The directions of a basis, as far as possible without the zeros of its Jacobian.

A derivative along each unit vector of a point has a batch axis for each axis of the point. As long
as a function is elementwise, what belongs to unit vector i is zero but in element i: then the batch
axis is `tied` to an axis of the array and not held. Contracting or summing a tied axis frees it:
the batch axis takes its place. So `sum(g(x))`, or a network for each particle of many, costs what
its blocks cost, and what is zero is not computed. Anything else makes the axes of the batch plain
ones, as vmap has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...operations.collectives import Psum
from ...primitives.core import Primitive, typeof
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
    """For each axis of the batch the axis of the array that it is tied to, or None for one that is
    held in front of the array's axes.
    """

    __slots__ = ()

    @property
    def held(self) -> int:
        """The number of axes in front."""
        return sum([axis is None for axis in self])


class Directions(Batching):
    """A batch of all unit vectors of an array of some `shape`."""

    def __init__(self, shape: Sequence[int], function_name: str, axis_name: Any):
        super().__init__(math.prod(shape), function_name, axis_name)
        self.shape = tuple(shape)

    def key(self) -> Any:
        return self.shape, self.axis_name

    def basis(self, ones: Any) -> tuple[Any, Ties]:
        """The unit vectors, from an array of ones of the shape."""
        return ones, Ties(range(len(self.shape)))

    def aval(self, value: tuple[Any, Any]) -> ShapedArray:
        array, dim = value
        if type(dim) is not Ties:
            return super().aval(value)
        aval = typeof(array)
        return aval.update(aval.shape[dim.held :])

    def split(self, value: tuple[Any, Any]) -> tuple[Sequence[Any], Any]:
        return super().split(self.plain(value))  # programs do not know of ties

    def widen(self, value: tuple[Any, Any], static: Any) -> tuple[Any, Any]:
        return super().widen(self.plain(value), static)

    def unstack(self, value: tuple[Any, Any]) -> tuple[Any, Any]:
        return super().unstack(self.plain(value))

    def anywhere(self, value: tuple[Any, Any]) -> Any:
        return super().anywhere(self.plain(value))

    def plain(self, value: tuple[Any, Any]) -> tuple[Any, Any]:
        """The value with one batch axis in front, as vmap has it."""
        array, ties = value
        if type(ties) is not Ties:
            return value
        for i, axis in enumerate(ties):
            if axis is not None:
                array, ties = self.freed(array, ties, i)
        return reshape(array, (self.size, *array.shape[len(ties) :])), 0

    def freed(self, array: Any, ties: Ties, i: int) -> tuple[Any, Ties]:
        """The value with axis `i` of the batch held, and zeros beside its diagonal."""
        place = sum([axis is None for axis in ties[:i]])
        shape = (*array.shape[:place], self.shape[i], *array.shape[place:])
        spread = broadcast_in_dim(array, shape, [d for d in range(len(shape)) if d != place])
        along = place, ties.held + 1 + ties[i]
        on_diagonal = eq.bind(*[iota("int32", shape, d) for d in along])
        out = select(on_diagonal, spread, zero_scalar(array))
        return out, Ties((*ties[:i], None, *ties[i + 1 :]))

    def custom(self, call: Any, values: Sequence[Any]) -> list[Any]:
        return super().custom(call, [self.plain(v) for v in values])

    def rule(self, primitive: Primitive, values: Sequence[Any]) -> Any:
        found = {v[1] for v in values if v[1] is not None}
        if any([type(dim) is Ties for dim in found]):
            ties = found.pop()
            out = self.tied(primitive, values, ties) if not found else None
            if out is not None:
                return out
            values = [self.plain(v) for v in values]
        return super().rule(primitive, values)

    def tied(self, primitive: Any, values: Sequence[Any], ties: Ties) -> Any:
        """The rule where all batched operands have these ties; None if there is none."""
        for kind, rule in RULES.items():
            if isinstance(primitive, kind):
                return rule(self, primitive, values, ties)
        return None


def _elementwise(own: Directions, primitive: Any, values: Sequence[Any], ties: Ties) -> Any:
    """A function that is zero where the batched operands are."""
    batched = [dim is not None for _, dim in values]
    if primitive in (mul, scale):
        zero = True
    elif primitive is div:
        zero = batched == [True, False]
    elif primitive is select_p:
        rest = zip(batched[1:], values[1:])
        zero = not batched[0] and all([b or (type(x) in SCALARS and x == 0) for b, (x, _) in rest])
    else:
        zero = primitive in (neg, add, sub, square) and all(batched)
    if not zero:
        return None
    like = next(x for x, dim in values if dim is not None)
    arrays = [x if dim is not None else _spread(x, like, ties) for x, dim in values]
    return primitive.bind(*arrays), ties


def _spread(x: Any, like: Any, ties: Ties) -> Any:
    """An operand without batch, repeated along the axes that are held."""
    if type(x) in SCALARS or not ties.held:
        return x
    return broadcast_in_dim(x, like.shape, range(ties.held, like.ndim))


def _power(own: Directions, primitive: Any, values: Sequence[Any], ties: Ties) -> Any:
    return (primitive.bind(values[0][0]), ties) if primitive.n > 0 else None


def _convert(own: Directions, primitive: Any, values: Sequence[Any], ties: Ties) -> Any:
    return primitive.bind(values[0][0]), ties


def _transpose(own: Directions, primitive: Any, values: Sequence[Any], ties: Ties) -> Any:
    order, held = primitive.permutation, ties.held
    out = transpose(values[0][0], (*range(held), *[held + p for p in order]))
    return out, Ties([axis if axis is None else order.index(axis) for axis in ties])


def _broadcast(own: Directions, primitive: Any, values: Sequence[Any], ties: Ties) -> Any:
    x, held, dims = values[0][0], ties.held, primitive.dims
    for axis in ties:  # a stretched axis is not the one that the batch is tied to
        if axis is not None and x.shape[held + axis] != primitive.shape[dims[axis]]:
            return None
    shape = (*x.shape[:held], *primitive.shape)
    out = broadcast_in_dim(x, shape, (*range(held), *[held + d for d in dims]))
    return out, Ties([axis if axis is None else dims[axis] for axis in ties])


def _reshape(own: Directions, primitive: Any, values: Sequence[Any], ties: Ties) -> Any:
    x, held = values[0][0], ties.held
    before, after = x.shape[held:], primitive.shape
    found: list[int | None] = []
    for axis in ties:
        if axis is not None:  # it is still there if as many elements are in front of it
            front = math.prod(before[:axis])
            places = [
                i
                for i, n in enumerate(after)
                if n == before[axis] and math.prod(after[:i]) == front and (n > 1 or i == axis)
            ]
            if not places:
                return None
            axis = places[0]
        found.append(axis)
    return reshape(x, (*x.shape[:held], *after)), Ties(found)


def _reduce_sum(own: Directions, primitive: Any, values: Sequence[Any], ties: Ties) -> Any:
    x, held, axes = values[0][0], ties.held, primitive.axes
    kept = [a for a in range(x.ndim - held) if a not in axes]
    freed = [axis if axis in axes else None for axis in ties]
    plain = [a for a in axes if a not in ties]
    x = reduce_sum(x, [held + a for a in plain])
    rest = [a for a in range(len(kept) + len(axes)) if a not in plain]
    front = iter(range(held))
    order = []
    for axis, now in zip(ties, freed):
        if axis is None:
            order.append(next(front))
        elif now is not None:
            order.append(held + rest.index(axis))
    order += [held + rest.index(a) for a in kept]
    out = transpose(x, order)
    places = [None if axis is None or axis in axes else kept.index(axis) for axis in ties]
    return out, Ties(places)


def _dot(own: Directions, primitive: Any, values: Sequence[Any], ties: Ties) -> Any:
    """A contracted axis that is tied is no sum any more: the batch axis takes its place."""
    side = 0 if values[0][1] is not None else 1
    if values[1 - side][1] is not None:
        return None
    held, contract, batch = ties.held, primitive.contract, primitive.batch_dims
    pairs = list(zip(contract[side], contract[1 - side]))
    free = primitive.free(values[side][0].ndim - held, side)
    other_free = primitive.free(typeof(values[1 - side][0]).ndim, 1 - side)
    freed = [(i, axis) for i, axis in enumerate(ties) if axis in contract[side]]
    partner = dict(pairs)
    mine = [[held + axis for _, axis in freed], [partner[axis] for _, axis in freed]]
    left = [(a, b) for a, b in pairs if a not in [axis for _, axis in freed]]
    batches = (*mine[0], *[held + a for a in batch[side]]), (*mine[1], *batch[1 - side])
    sums = tuple([held + a for a, _ in left]), tuple([b for _, b in left])
    ordered = lambda own, other: (other, own) if side else (own, other)
    how = primitive.precision, primitive.preferred_element_type
    dot = DotGeneral(ordered(*sums), ordered(*batches), *how)
    out = dot.bind(*[x for x, _ in values])
    return _arranged(out, ties, freed, batch[side], free, len(other_free), side)


def _arranged(
    out: Any,
    ties: Ties,
    freed: Sequence[tuple[int, int]],
    batch: Sequence[int],
    free: Sequence[int],
    other_free: int,
    side: int,
) -> tuple[Any, Ties]:
    """The result of a product, in the order: held axes, batch axes, left ones, right ones."""
    held, count = ties.held, len(freed) + len(batch)
    first_mine = count + (other_free if side else 0)
    first_other = count if side else count + held + len(free)
    old = iter(range(first_mine, first_mine + held))
    new = {i: k for k, (i, _) in enumerate(freed)}
    order = [new[i] if i in new else next(old) for i, axis in enumerate(ties)
             if axis is None or i in new]  # fmt: skip
    batches = list(range(len(freed), count))
    own_free = list(range(first_mine + held, first_mine + held + len(free)))
    others = list(range(first_other, first_other + other_free))
    tail = [*batches, *([*others, *own_free] if side else [*own_free, *others])]
    at = {a: i for i, a in enumerate(batch)}
    at.update({a: len(batch) + (other_free if side else 0) + i for i, a in enumerate(free)})
    places = [None if axis is None or i in new else at[axis] for i, axis in enumerate(ties)]
    return transpose(out, [*order, *tail]), Ties(places)


def _psum(own: Directions, primitive: Any, values: Sequence[Any], ties: Ties) -> Any:
    """The sum over all unit vectors: nothing is to be summed along axes that are tied."""
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
