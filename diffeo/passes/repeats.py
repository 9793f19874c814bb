"""Repeats in a program: stretches of equations in which the same block comes again and again.

Equations are tokens: primitive, types of operands and results, whatever the operands are called.
A tandem repeat of tokens is found by its period, the distance at which everything comes again; it
is a loop if its operands move along with the blocks, too (`regular_parts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

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
        """The number of the first equation after it."""
        return self.start + self.period * self.count


# --------------------------------------------------------------------------------------------------
# Tokens


class Tokens:
    """Numbers for equations: equal where primitive, types and literals are.

    Programs inside of primitives are compared by what they do, not by identity.
    """

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}
        self.structures: dict[int, tuple[Jaxpr, int]] = {}

    def number(self, key: Any) -> int:
        """The number of a key; a new one if it has no hash, and so is like nothing else."""
        try:
            return self.numbers.setdefault(key, len(self.numbers))
        except TypeError:
            return self.numbers.setdefault(object(), len(self.numbers))

    def of(self, eqn: Eqn) -> int:
        """The number of an equation. Literals of elementwise arithmetic may differ: they can be
        looked up. What has effects is like nothing else.
        """
        primitive = eqn.primitive
        if primitive.effects or primitive.calls_python:
            return self.number(object())
        exact = not primitive.same_type
        operands = [v.aval.strong if type(v) is Var else self.literal(v, exact) for v in eqn.inputs]
        results = [v.aval.strong for v in eqn.outs]
        return self.number((self.primitive(primitive), (*operands,), (*results,)))

    def literal(self, literal: Literal, exact: bool) -> Any:
        """A literal as part of a token: with its value, or only as a number of its kind."""
        value = literal.value
        if type(value) not in SCALARS:
            return ("value", id(value))
        return (type(value), repr(value)) if exact else type(value)

    def primitive(self, primitive: Any) -> Any:
        """What two primitives share that do the same."""
        return self.parameter(primitive) if primitive.holds_programs else primitive

    def parameter(self, value: Any) -> Any:
        """The same of a parameter."""
        if isinstance(value, Jaxpr):
            return ("program", self.structure(value))
        if isinstance(value, tuple):
            return tuple([self.parameter(v) for v in value])
        fields = getattr(value, "__dataclass_fields__", None)
        if fields is None or isinstance(value, type):
            return value
        return (type(value), *[self.parameter(getattr(value, f)) for f in fields])

    def structure(self, jaxpr: Jaxpr) -> int:
        """A number that programs share that are equal but for the names of their variables."""
        found = self.structures.get(id(jaxpr))
        if found is None:
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
            found = self.structures[id(jaxpr)] = jaxpr, self.number(key)
        return found[1]


# --------------------------------------------------------------------------------------------------
# Tandem repeats


def tandem_repeats(tokens: Sequence[int]) -> list[tuple[int, int, int]]:
    """Stretches (start, end, period) in which each token is the one a period before, the shortest
    periods first; at least `REPEATS` periods each.

    The candidates are windows that come at least `REPEATS` times at equal distances.
    """
    ids = np.asarray(tokens, np.int64)
    size = len(ids) - WINDOW + 1
    if size < TOTAL:
        return []
    numbers = np.random.default_rng(0).integers(1, 2**63, int(ids.max()) + 1, np.uint64)[ids]
    windows = np.zeros(size, np.uint64)
    for k in range(WINDOW):
        windows = windows * np.uint64(0x9E3779B97F4A7C15) + numbers[k : k + size]
    order = np.argsort(windows, kind="stable")
    again = windows[order[1:]] == windows[order[:-1]]
    distance = np.zeros(size, np.int64)
    distance[order[:-1][again]] = (order[1:] - order[:-1])[again]
    seeds = np.flatnonzero(distance)
    for k in range(1, REPEATS - 1):
        later = seeds + k * distance[seeds]
        inside = later < size
        seeds, later = seeds[inside], later[inside]
        seeds = seeds[distance[later] == distance[seeds]]
    found = []
    for period in np.unique(distance[seeds]).tolist():
        starts, end = seeds[distance[seeds] == period], 0
        times = -(-BLOCK // period)
        while len(starts):
            at = int(starts[0])
            begin, end = _extended(ids, at, period, end)
            if end - begin >= REPEATS * period * times:
                found.append((begin, end, period * times))
            starts = starts[np.searchsorted(starts, max(end - period, at + 1)) :]
    return sorted(found, key=lambda run: (run[2], run[0]))


def _extended(ids: np.ndarray, at: int, period: int, least: int) -> tuple[int, int]:
    """The largest stretch around a place in which every token is the one a period later."""
    end, step = at, 64
    while True:
        here = ids[end : min(end + step, len(ids) - period)]
        wrong = np.flatnonzero(here != ids[end + period : end + period + len(here)])
        if len(wrong) or len(here) < step:
            end += int(wrong[0]) if len(wrong) else len(here)
            break
        end, step = end + step, 2 * step
    begin, step = at, 64
    while True:
        low = max(begin - step, least)
        wrong = np.flatnonzero(ids[low:begin] != ids[low + period : begin + period])
        if len(wrong) or low == least:
            begin = low + int(wrong[-1]) + 1 if len(wrong) else low
            return begin, end + period
        begin, step = low, 2 * step


# --------------------------------------------------------------------------------------------------
# Dataflow


def regular_parts(
    eqns: Sequence[Eqn], places: Places, start: int, end: int, period: int
) -> Iterator[tuple[int, int]]:
    """Parts of a tandem repeat in which operands move along with the blocks.

    A block's operand comes from as many equations before as that of the block before; or both come
    from before the part. (At the beginning of a part, where "as many equations before" is before
    it, any variable from there may be the value that a loop starts with.)
    """
    begin, outside = start, (-1, 0)
    for i in range(start, end - period):
        for u, v in zip(eqns[i].inputs, eqns[i + period].inputs):
            if type(v) is Literal:
                continue
            (before, one), (after, other) = places.get(u, outside), places.get(v, outside)
            if after < begin:
                good = before < begin
            else:
                expected = after - period
                good = i + period - after <= DELAY * period and (
                    (before, one) == (expected, other) if expected >= begin else before < begin
                )
            if not good:
                yield begin, i + period
                begin = i + 1
                break
    yield begin, end


def best_repeat(
    eqns: Sequence[Eqn], places: Places, start: int, end: int, period: int
) -> RepeatedBlock | None:
    """The repeat within a regular part that carries the fewest bytes from block to block, by where
    its blocks begin; None if it would not be worth it.
    """
    if end - start < REPEATS * period:
        return None
    reach: dict[Place, tuple[int, int]] = {}
    for i in range(end - period, end):
        for v in eqns[i].inputs:
            at, number = places.get(v, (-1, 0)) if type(v) is Var else (-1, 0)
            if at >= start:
                key = at % period, number
                reach[key] = max(reach.get(key, (0, 0)), (i - at, v.aval.nbytes))
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
    shift = min(range(period), key=lambda r: (carried[(start + r) % period], r))
    if end - start - shift < REPEATS * period:
        shift = 0
    count = (end - start - shift) // period
    block = [eqn.primitive for eqn in eqns[start : start + period] if computes(eqn)]
    fused = all([isinstance(primitive, (Elementwise, Select)) for primitive in block])
    total = count * sum([getattr(eqn.primitive, "work", 1) for eqn in eqns[start : start + period]])
    if not block or total < (TOTAL_FUSED if fused else TOTAL):
        return None
    return RepeatedBlock(start + shift, period, count)


def computes(eqn: Eqn) -> bool:
    """Whether an equation does more than to move elements."""
    return not (eqn.primitive.cheap or eqn.primitive.moves)
