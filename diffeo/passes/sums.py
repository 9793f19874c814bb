"""Sums that reverse mode makes of parts: of padded arrays, which are the gradients of slices.

The gradient of `x[0]`, `x[1]` and so on is a sum of n arrays of n elements, almost all of them
zeros. Neighbours are concatenated before they are padded and summed. Few at a time: a concatenation
of many computed arrays takes XLA long to compile, and one of concatenations is one.

What is zero in a sum counts, for its sign: a sum in which there is 0.0 is never -0.0. So what is
made of different parts ends with a sum, in which zeros meet each of them, as before.

Words: a *part* is an array somewhere among zeros: what a pad makes of it. A *leaf* of a sum is a
summand that is a pad, not a sum itself. Start reading at `joined_sums`, then `_JoinedSums.of`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ..primitives.constants import Full
from ..primitives.core import Primitive
from ..primitives.jaxpr import Eqn, Var
from ..primitives.types import ShapedArray
from ..primitives.words.elementwise import add
from ..primitives.words.slicing import Concatenate, Pad
from .algebra import same_number

#: So many parts are concatenated, and so many concatenations summed.
GROUP = 8


class Part(NamedTuple):
    """An array somewhere among zeros: so many before it, and after it, along each axis."""

    array: Any
    low: tuple[int, ...]
    high: tuple[int, ...]


def joined_sums(eqns: Sequence[Eqn], outs: Sequence[Any]) -> list[Eqn]:
    """Return the equations with sums of disjoint padded arrays joined.

    A tree of sums is looked at once, from the sum at its root; sums that are used once, by another
    sum of such arrays, are not roots.
    """
    uses = Counter([v for eqn in eqns for v in eqn.inputs])
    uses.update(outs)
    # Equations of padded arrays and of their sums, by result.
    parts: dict[Any, Eqn] = {}
    inner: set = set()
    for eqn in eqns:
        if type(eqn.primitive) is Pad:
            if _is_part(eqn.primitive):
                parts[eqn.outs[0]] = eqn
        elif eqn.primitive is add and all([v in parts for v in eqn.inputs]):
            parts[eqn.outs[0]] = eqn
            inner.update([v for v in eqn.inputs if uses[v] == 1])
    result = []
    for eqn in eqns:
        joined = None
        if eqn.primitive is add and eqn.outs[0] in parts and eqn.outs[0] not in inner:
            joined = _JoinedSums(eqn).of(parts, inner)
        result += [eqn] if joined is None else joined
    return result


def _is_part(pad: Pad) -> bool:
    """Return whether a pad adds zeros, and does nothing else."""
    zero = same_number(pad.value, 0.0) and type(pad.value) is not bool
    return zero and not any(pad.interior) and all([n >= 0 for n in (*pad.low, *pad.high)])


class _JoinedSums:
    """The equations that take the place of a sum."""

    def __init__(self, root: Eqn):
        self.root, self.eqns = root, []

    def of(self, parts: dict[Any, Eqn], inner: set) -> list[Eqn] | None:
        """Return the equations that take the place of the sum.

        None if there is nothing to be gained, or parts overlap.

        Args:
            parts: the equations of padded arrays and of their sums, by result.
            inner: the sums that are used once, by such a sum.
        """
        leaves = self.leaves(parts, inner)
        if leaves is None:
            return None
        parts_left = self.of_places(leaves)
        if len(leaves) < 3 and len(parts_left) > 1:
            return None
        # Join along the last axis all parts that are at the same place along the others, and so on
        # for each axis, until one part is left. The four elements
        # of a 2 x 2 array become two rows, and then one array.
        for axis in reversed(range(self.root.outs[0].aval.ndim)):
            rows: dict[tuple, list[Part]] = {}
            for part in parts_left:
                where = list(zip(part.low, part.high))
                del where[axis]
                rows.setdefault(tuple(where), []).append(part)
            lines = [self.row(row, axis) for row in rows.values()]
            parts_left = [line for line in lines if line is not None]
            if len(parts_left) < len(lines):
                return None
        if len(parts_left) > 1:
            return None
        array, low, high = parts_left[0]
        if any(low) or any(high):
            self.padded(array, low, high, self.root.outs[0])
        else:  # what was made last is all of it
            last = self.eqns.pop()
            self.eqns.append(Eqn(last.primitive, last.inputs, self.root.outs, last.source))
        return self.eqns

    def leaves(self, parts: dict[Any, Eqn], inner: set) -> list[Part] | None:
        """Return the padded arrays of a sum, in the order in which they are added up one by one.

        None if they are not: `((a + b) + c) + d` is such a sum, `(a + b) + (c + d)` is not.
        """
        summands, eqn = [], self.root
        while True:
            sums = [v for v in eqn.inputs if type(parts[v].primitive) is not Pad]
            # From the last summand to the first; the list is reversed in the end.
            for v in reversed(eqn.inputs):
                if v not in sums:
                    pad: Any = parts[v].primitive
                    summands.append(Part(parts[v].inputs[0], pad.low, pad.high))
            if not sums:
                return summands[::-1]
            if len(sums) > 1 or sums[0] not in inner:
                return None
            eqn = parts[sums[0]]

    def of_places(self, leaves: list[Part]) -> list[Part]:
        """Return parts of different places: those of one place are added up."""
        by_place: dict[tuple, Part] = {}
        for part in leaves:
            earlier = by_place.get(part[1:])
            if earlier is not None:
                total = self.new(add, (earlier.array, part.array), part.array.aval)
                part = part._replace(array=total)
            by_place[part[1:]] = part
        return list(by_place.values())

    def row(self, parts: list[Part], axis: int) -> Part | None:
        """Return parts that differ along one axis only, as one part; None if they overlap."""
        parts = sorted(parts, key=lambda p: p.low[axis])
        for a, b in pairwise(parts):
            if b.low[axis] < a.low[axis] + a.array.aval.shape[axis]:
                return None
        # In turn, concatenate groups and sum groups of these, until one part is left; the last step
        # is a sum.
        while len(parts) > 1:
            count = min(GROUP, (len(parts) + 1) // 2)
            parts = [
                self.concatenated(parts[i : i + count], axis) for i in range(0, len(parts), count)
            ]
            parts = [self.summed(parts[i : i + GROUP], axis) for i in range(0, len(parts), GROUP)]
        return parts[0]

    def concatenated(self, parts: list[Part], axis: int) -> Part:
        """Return neighbours as one part, with zeros where there are gaps."""
        first, last = parts[0], parts[-1]
        if first is last:
            return first
        pieces, at = [], first.low[axis]
        shape, dtype = list(first.array.aval.shape), first.array.aval.dtype
        for part in parts:
            shape[axis] = part.low[axis] - at
            if shape[axis]:
                gap = ShapedArray(tuple(shape), dtype)
                pieces.append(self.new(Full(gap.shape, dtype, 0), (), gap))
            pieces.append(part.array)
            at = part.low[axis] + part.array.aval.shape[axis]
        shape[axis] = at - first.low[axis]
        whole = self.new(Concatenate(axis), pieces, ShapedArray(tuple(shape), dtype))
        return Part(whole, first.low, _with(first.high, axis, last.high[axis]))

    def summed(self, parts: list[Part], axis: int) -> Part:
        """Return neighbours as one part, which is a sum of padded arrays."""
        first, last = parts[0], parts[-1]
        total, none = None, (0,) * len(first.low)
        for part in parts:
            if first is last:
                return first
            low = _with(none, axis, part.low[axis] - first.low[axis])
            high = _with(none, axis, part.high[axis] - last.high[axis])
            padded = self.padded(part.array, low, high)
            total = padded if total is None else self.new(add, (total, padded), padded.aval)
        return Part(total, first.low, _with(first.high, axis, last.high[axis]))

    def padded(self, array: Var, low: tuple, high: tuple, out: Var | None = None) -> Any:
        """Return the array among zeros."""
        shape = tuple([n + a + b for n, a, b in zip(array.aval.shape, low, high)])
        aval = ShapedArray(shape, array.aval.dtype)
        return self.new(Pad(low, high, (0,) * len(low)), (array,), aval, out)

    def new(
        self, primitive: Primitive, inputs: Sequence[Any], aval: ShapedArray, out: Var | None = None
    ) -> Any:
        """Add an equation; return its result."""
        out = Var(aval) if out is None else out
        self.eqns.append(Eqn(primitive, inputs, (out,), self.root.source))
        return out


def _with(numbers: tuple, axis: int, number: int) -> tuple:
    """Return the tuple with another number at one place."""
    return (*numbers[:axis], number, *numbers[axis + 1 :])
