"""Repeats in a program: stretches of equations in which the same block comes again and again.

Three steps find them. Equations become *tokens*, numbers that stand for the primitive and the types
of operands and results, whatever the operands are called (`Tokens`). A *tandem repeat* of tokens,
such as `a b c a b c a b c a b c`, is found by its *period*, the distance at which everything comes
again: 3 (`tandem_repeats`). It is a loop if its operands move along with the blocks, too
(`regular_parts`); then `best_repeat` chooses where its blocks begin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..primitives.core import Primitive
from ..primitives.jaxpr import Eqn, Jaxpr, Literal, Var
from ..primitives.types import SCALARS
from ..primitives.words.elementwise import Elementwise, Select

#: A repeat has at least so many blocks, of so many equations (shorter ones are taken together).
REPEATS, BLOCK = 4, 3
#: And so many equations in all, in loops too; more if a compiler makes one operation of each block.
TOTAL, TOTAL_FUSED = 24, 200
#: How many blocks back an operand may come from.
DELAY = 3
#: Equal stretches of this length are looked for first.
WINDOW = 4

#: Where a variable is assigned: the number of the equation, and which of its results it is.
Place = tuple[int, int]
Places = Mapping[Var, Place]


class RepeatedBlock(NamedTuple):
    """The equations from `start` on: `count` blocks of `period` equations."""

    start: int
    period: int
    count: int

    @property
    def end(self) -> int:
        """The number of the first equation after the repeat."""
        return self.start + self.period * self.count


# --------------------------------------------------------------------------------------------------
# Tokens


class Tokens:
    """Numbers for equations: equal where primitive, types and literals are.

    Programs inside of primitives are compared by what they do, not by identity.

    Attributes:
        numbers: the numbers of all keys so far.
        structures: the numbers of programs, by their id; programs are kept, so that no id is used
            again.
    """

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}
        self.structures: dict[int, tuple[Jaxpr, int]] = {}

    def number(self, key: Any) -> int:
        """Return the number of a key; a new one if it has no hash, and so is like nothing else."""
        try:
            return self.numbers.setdefault(key, len(self.numbers))
        except TypeError:
            return self.numbers.setdefault(object(), len(self.numbers))

    def of(self, eqn: Eqn) -> int:
        """Return the number of an equation.

        Literals of elementwise arithmetic may differ: they can be looked up, one for each step. An
        equation with effects is like no other.
        """
        primitive = eqn.primitive
        if primitive.effects or primitive.calls_python:
            return self.number(object())
        exact = not primitive.same_type
        operands = [v.aval.strong if type(v) is Var else self.literal(v, exact) for v in eqn.inputs]
        results = [v.aval.strong for v in eqn.outs]
        return self.number((self.primitive(primitive), (*operands,), (*results,)))

    def literal(self, literal: Literal, exact: bool) -> Any:
        """Return a literal as part of a token: with its value, or only as a number of its kind."""
        value = literal.value
        if type(value) not in SCALARS:
            return ("value", id(value))
        return (type(value), repr(value)) if exact else type(value)

    def primitive(self, primitive: Primitive) -> Any:
        """Return what two primitives that do the same have in common."""
        return self.parameter(primitive) if primitive.holds_programs else primitive

    def parameter(self, value: Any) -> Any:
        """Return what two parameters of primitives that do the same have in common."""
        if isinstance(value, Jaxpr):
            return ("program", self.structure(value))
        if isinstance(value, tuple):
            return tuple([self.parameter(v) for v in value])
        fields = getattr(value, "__dataclass_fields__", None)
        if fields is None or isinstance(value, type):
            return value
        return (type(value), *[self.parameter(getattr(value, f)) for f in fields])

    def structure(self, jaxpr: Jaxpr) -> int:
        """Return the number of a program's structure.

        Programs have the same number if they are equal but for the names of their variables: `b =
        sin a` and `y = sin x`.
        """
        entry = self.structures.get(id(jaxpr))
        if entry is None:
            # Variables are numbered in the order in which they are assigned.
            names: dict[Any, int] = {}
            for v in (*jaxpr.const_vars, *jaxpr.in_vars):
                names[v] = len(names)
            rows: list[Any] = [v.aval.strong for v in names]

            def operand(v: Any) -> Any:
                return names[v] if type(v) is Var else self.literal(v, True)

            for eqn in jaxpr.eqns:
                rows.append((self.of(eqn), *map(operand, eqn.inputs)))
                names.update(zip(eqn.outs, range(len(names), len(names) + len(eqn.outs))))
            constants = [id(c) for c in jaxpr.consts]
            key = ("structure", (*constants,), (*rows,), (*map(operand, jaxpr.outs),))
            entry = self.structures[id(jaxpr)] = jaxpr, self.number(key)
        return entry[1]


# --------------------------------------------------------------------------------------------------
# Tandem repeats


def tandem_repeats(tokens: Sequence[int]) -> list[tuple[int, int, int]]:
    """Find stretches in which each token is the one a period before, at least `REPEATS` periods
    each.

    The candidates are windows of tokens that come at least `REPEATS` times at equal distances; each
    is extended in both directions.

    Returns:
        (start, end, period) of each stretch, the shortest periods first. Stretches may overlap.

    Examples:
        >>> tandem_repeats([0, 9, *[1, 2, 3] * 10, 8])
        [(2, 32, 3)]
    """
    ids = np.asarray(tokens, np.int64)
    size = len(ids) - WINDOW + 1
    if size < TOTAL:
        return []
    # A window is a number, made of random numbers of its tokens; equal windows have equal numbers
    # (others may, too: `_extended` compares the tokens themselves).
    numbers = np.random.default_rng(0).integers(1, 2**63, int(ids.max()) + 1, np.uint64)[ids]
    windows = np.zeros(size, np.uint64)
    for k in range(WINDOW):
        windows = windows * np.uint64(0x9E3779B97F4A7C15) + numbers[k : k + size]
    # Equal windows are neighbours when sorted, the earlier one first, as the sort is stable.
    # distance[i] is that from window i to the next that is equal; 0 if there is none.
    order = np.argsort(windows, kind="stable")
    again = windows[order[1:]] == windows[order[:-1]]
    distance = np.zeros(size, np.int64)
    distance[order[:-1][again]] = (order[1:] - order[:-1])[again]
    seeds = np.flatnonzero(distance)
    # Keep windows from which the next distances are all the same, so that they come `REPEATS`
    # times.
    for k in range(1, REPEATS - 1):
        later = seeds + k * distance[seeds]
        inside = later < size
        seeds, later = seeds[inside], later[inside]
        seeds = seeds[distance[later] == distance[seeds]]
    stretches = []
    for period in np.unique(distance[seeds]).tolist():
        starts, end = seeds[distance[seeds] == period], 0
        # Blocks shorter than `BLOCK` are taken together.
        times = -(-BLOCK // period)
        while len(starts):
            at = int(starts[0])
            begin, end = _extended(ids, at, period, end)
            if end - begin >= REPEATS * period * times:
                stretches.append((begin, end, period * times))
            # Windows inside of the stretch would find it again.
            starts = starts[np.searchsorted(starts, max(end - period, at + 1)) :]
    return sorted(stretches, key=lambda run: (run[2], run[0]))


def _extended(ids: np.ndarray, at: int, period: int, least: int) -> tuple[int, int]:
    """Return the largest stretch around `at` in which every token is the one a period later.

    The stretch does not begin before `least`. It ends a period after the last token that comes
    again.
    """
    # Compare steps of growing size, so that the work is in proportion to the stretch.
    end, step = at, 64
    while True:
        stretch = ids[end : min(end + step, len(ids) - period)]
        differences = np.flatnonzero(stretch != ids[end + period : end + period + len(stretch)])
        if len(differences) or len(stretch) < step:
            end += int(differences[0]) if len(differences) else len(stretch)
            break
        end, step = end + step, 2 * step
    begin, step = at, 64
    while True:
        low = max(begin - step, least)
        differences = np.flatnonzero(ids[low:begin] != ids[low + period : begin + period])
        if len(differences) or low == least:
            begin = low + int(differences[-1]) + 1 if len(differences) else low
            return begin, end + period
        begin, step = low, 2 * step


# --------------------------------------------------------------------------------------------------
# Dataflow


def regular_parts(
    eqns: Sequence[Eqn], places: Places, start: int, end: int, period: int
) -> Iterator[tuple[int, int]]:
    """Yield parts, as (start, end), of a tandem repeat in which operands move along with the
    blocks.

    A block's operand comes from as many equations before as that of the block before; or both come
    from before the part. (At the beginning of a part, where "as many equations before" is before
    it, any variable from there may be the value that a loop starts with.)

    In blocks of one equation, `b = f a; c = f b; d = f c` is regular: each operand comes from one
    equation before. If the next is `e = f a`, a part ends before it, and another may begin there.
    """
    begin, outside = start, (-1, 0)
    for i in range(start, end - period):
        for u, v in zip(eqns[i].inputs, eqns[i + period].inputs):
            if type(v) is Literal:
                continue
            (before, one), (after, other) = places.get(u, outside), places.get(v, outside)
            # `before` and `after` are the equations that assign operands of equation i and of the
            # one a period later; -1 for inputs of the program.
            if after < begin:
                good = before < begin
            else:
                expected = after - period
                good = i + period - after <= DELAY * period and (
                    (before, one) == (expected, other) if expected >= begin else before < begin
                )
            if not good:
                # The equation at i + period breaks the rule: what is before it is a part.
                yield begin, i + period
                begin = i + 1
                break
    yield begin, end


def best_repeat(
    eqns: Sequence[Eqn], places: Places, start: int, end: int, period: int
) -> RepeatedBlock | None:
    """Choose where the blocks of a regular part begin, so that few bytes are carried from block to
    block.

    `a b c a b c a b c` can be cut before each a, or, with an incomplete block at either end, before
    each b or c.

    Returns:
        The repeat; None if it is too short, or would not be worth a scan.
    """
    if end - start < REPEATS * period:
        return None
    # How far each value of a block reaches, read off the last block: the distance to the last
    # equation that reads it, and its bytes, by its place in the block.
    reach: dict[Place, tuple[int, int]] = {}
    for i in range(end - period, end):
        for v in eqns[i].inputs:
            at, number = places.get(v, (-1, 0)) if type(v) is Var else (-1, 0)
            if at >= start:
                key = at % period, number
                reach[key] = max(reach.get(key, (0, 0)), (i - at, v.aval.nbytes))
    # carried[r] is the number of bytes alive just before equation r of the block, the sum of the
    # changes up to r. Whole periods add the same for every r and are left out.
    changes = [0] * (period + 1)
    for (at, _), (distance, size) in reach.items():
        # Carried over the border before each of the next `distance` equations.
        first, last = at + 1, at + 1 + distance % period
        changes[first] += size
        if last > period:
            changes[0] += size
            changes[last - period] -= size
        else:
            changes[last] -= size
    carried, now = [], 0
    for change in changes[:period]:
        now += change
        carried.append(now)
    # The border is best where least is alive; if the part is too short to begin later, it is where
    # it was.
    shift = min(range(period), key=lambda r: (carried[(start + r) % period], r))
    if end - start - shift < REPEATS * period:
        shift = 0
    count = (end - start - shift) // period
    block = [eqn.primitive for eqn in eqns[start : start + period] if computes(eqn)]
    fused = all([isinstance(primitive, (Elementwise, Select)) for primitive in block])
    # A compiler makes one operation of elementwise arithmetic, so it pays to have much of it.
    total = count * sum([getattr(eqn.primitive, "work", 1) for eqn in eqns[start : start + period]])
    if not block or total < (TOTAL_FUSED if fused else TOTAL):
        return None
    return RepeatedBlock(start + shift, period, count)


def computes(eqn: Eqn) -> bool:
    """Return whether an equation does more than to move elements."""
    return not (eqn.primitive.cheap or eqn.primitive.moves)
