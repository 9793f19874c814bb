"""One repeat of a program as a scan: where operands come from, the body, and what later equations
need of the blocks.

A *repeat* is a stretch of a program in which the same *block* of equations comes several times, as
a loop of Python leaves it (`repeats.py` finds them). `RerolledLoop` says for each operand of the
block where it comes from (`OperandSource`). `Needs` says which values of the blocks later equations
read, and how they get them. `ScanBuilder` writes the scan, whose body is the block once.

Equation j of block k is equation `start + k * period + j` of the program. A *place* is a pair
(equation, which of its results); within a block its first number is j.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from ..primitives.constants import Full
from ..primitives.core import Primitive
from ..primitives.jaxpr import Eqn, Jaxpr, Literal, Var, made
from ..primitives.types import ShapedArray, int32
from ..primitives.words.elementwise import add, mul
from ..primitives.words.indexing import DynamicSlice
from ..primitives.words.structural import BroadcastInDim, Iota, Reshape
from ..programs.scan import Scan
from .repeats import Place, Places, RepeatedBlock, Tokens
from .rows import Row, Rows, concatenated, take_row


class OperandSource(NamedTuple):
    """Where an operand of the block comes from.

    - "literal" (the literal), "constant" (a variable): the same in every block;
    - "own" (place within the block): computed by this block;
    - "carry" (place, variables): computed by the block as many blocks before as there are
      variables, which are the values there before the first block, the latest first;
    - "numbers" (literals, type), "rows" (variables): another one in each block.

    The block of `for k in range(12): x = tanh(x @ w[k]) + x` is a product, a tanh and a sum, with

        x @ w[k]:   carry ((2, 0), (x,)), the sum of the block before, at first x; rows of w
        tanh(...):  own (0, 0), the product
        ... + x:    own (1, 0), the tanh; and the same carry as above

    For `a, b = b, sin(a) * cos(b)` the operand of sin is carry ((2, 0), (b, a)): two blocks back.
    """

    kind: str
    what: Any


class Uses:
    """The equations that use each variable. A result counts as used by one after the last."""

    def __init__(self, jaxpr: Jaxpr):
        self.by: dict[Any, list[int]] = {}
        self.end = len(jaxpr.eqns)
        for i, eqn in enumerate(jaxpr.eqns):
            for v in eqn.inputs:
                self.by.setdefault(v, []).append(i)
        for v in jaxpr.outs:
            self.by.setdefault(v, []).append(self.end)

    def first_after(self, var: Var, end: int) -> int | None:
        """Return the first equation from number `end` on that uses a variable."""
        for i in self.by.get(var, ()):
            if i >= end:
                return i
        return None


class RerolledLoop:
    """A repeat with the sources of its operands, a list for each equation of the block."""

    def __init__(self, eqns: Sequence[Eqn], places: Places, repeat: RepeatedBlock, rows: Rows):
        self.eqns, self.places, self.rows = eqns, places, rows
        self.start, self.period, self.count = repeat
        self.end = repeat.end
        self.block = eqns[self.start : self.start + self.period]
        self.sources = [
            [self.source(j, slot) for slot in range(len(eqn.inputs))]
            for j, eqn in enumerate(self.block)
        ]

    def equation(self, k: int, j: int) -> Eqn:
        """Return equation j of block k."""
        return self.eqns[self.start + k * self.period + j]

    def outside(self, var: Var) -> bool:
        """Return whether a variable is assigned before the loop."""
        place = self.places.get(var)
        return place is not None and place[0] < self.start

    def source(self, j: int, slot: int) -> OperandSource:
        """Return where operand `slot` of equation j comes from."""
        operands = [self.equation(k, j).inputs[slot] for k in range(self.count)]
        # The last block decides: the first ones may read what was assigned before the loop.
        last = operands[-1]
        if type(last) is Literal:
            if len({(type(v.value), repr(v.value)) for v in operands}) == 1:
                return OperandSource("literal", last)
            return OperandSource("numbers", (tuple(operands), self.block[j].outs[0].aval.strong))
        place = self.places[last]
        if place[0] < self.start:
            same = all([v is last for v in operands])
            return (
                OperandSource("constant", last) if same else OperandSource("rows", tuple(operands))
            )
        # The number of the equation, counted from the start of the last block: negative if an
        # earlier block computed it. With a period of 3, -1 is equation 2 of the block before.
        within = place[0] - self.start - (self.count - 1) * self.period
        if within >= 0:
            return OperandSource("own", (within, place[1]))
        distance = -(within // self.period)
        place = within % self.period, place[1]
        return OperandSource("carry", (place, tuple(reversed(operands[:distance]))))

    @cached_property
    def latest(self) -> int:
        """The last equation before the loop that assigns an operand which it has as rows."""
        rows = [s.what for group in self.sources for s in group if s.kind == "rows"]
        return max([self.places[v][0] for vars in rows for v in vars], default=-1)

    @cached_property
    def series(self) -> dict[tuple[Var, ...], tuple[Var, int, int]]:
        """Operands that are rows of one array, by their variables: (array, first row, step).

        Only arrays assigned before the loop count. `w[0], w[1], w[2]` are `(w, 0, 1)`, and the rows
        of a derivative, `w[2], w[1], w[0]`, are `(w, 2, -1)`.
        """
        series_of = {}
        for group in self.sources:
            for s in group:
                if s.kind == "rows" and s.what not in series_of:
                    series = self.rows.series(s.what)
                    if series is not None and self.outside(series[0]):
                        series_of[s.what] = series
        return series_of

    @cached_property
    def reverse(self) -> bool:
        """Whether the last rows belong to the first block, for most of the bytes."""
        # Each array votes with its bytes: a scan has one direction for all arrays. Rows in the
        # other one are taken by number (`ScanBuilder.row_at`).
        votes = [
            vars[0].aval.nbytes * (1 if step > 0 else -1)
            for vars, (_, _, step) in self.series.items()
        ]
        return sum(votes) < 0

    def row(self, k: int) -> int:
        """Return the number of the row that belongs to block k."""
        return self.count - 1 - k if self.reverse else k

    def in_order(self, items: Sequence[Any]) -> list[Any]:
        """Return items, one for each block, in the order of the rows."""
        return list(reversed(items)) if self.reverse else list(items)


# --------------------------------------------------------------------------------------------------
# What is needed of the blocks


class Needs:
    """What equations after a loop need of its blocks: values that are kept, and equations that are
    repeated before the first of those that need them.

    Attributes:
        blocks: for each place in the block, the numbers of the blocks whose values there are kept.
        again: the equations to repeat, by the number of the equation that they come before.
    """

    def __init__(self, loop: RerolledLoop, uses: Uses):
        self.loop = loop
        self.blocks: dict[Place, list[int]] = {}
        self.again: dict[int, list[Eqn]] = {}
        # The variables of the blocks that equations after the loop use, with the first of these.
        first: dict[Any, int] = {}
        # The places of which more is used than the value of the last block: that one is the last
        # value of a carry.
        needed: set[Place] = set()
        for i in range(loop.start, loop.end):
            k, j = divmod(i - loop.start, loop.period)
            for o, var in enumerate(loop.eqns[i].outs):
                at = uses.first_after(var, loop.end)
                if at is not None:
                    first[var] = at
                    if k < loop.count - 1:
                        needed.add((j, o))
        self._spread(first, self._choose(needed))

    def _choose(self, needed: set[Place]) -> set[int]:
        """Choose the equations to repeat later: those for which fewer bytes are kept so.

        If later equations read `y = x + z`, and x and z are kept anyway, y is computed again. What
        is carried is never repeated: that would be to repeat all blocks before.
        """
        block, sources = self.loop.block, self.loop.sources
        carried = {s.what[0] for group in sources for s in group if s.kind == "carry"}
        chosen: set[int] = set()

        # An operand that is not carried may be repeated in turn, if this is cheap.
        def kept(j: int, costs: dict[Place, int]) -> int:
            """Return the bytes to keep for an equation's operands, beside what is kept anyway."""
            total = 0
            for source in set(sources[j]):
                if source.kind not in ("own", "carry"):
                    continue
                place = source.what if source.kind == "own" else source.what[0]
                if place in needed:
                    continue
                if place not in costs:
                    costs[place] = block[place[0]].outs[place[1]].aval.nbytes
                    if place not in carried and cheap(block[place[0]]):
                        costs[place] = min(costs[place], kept(place[0], costs))
                total += costs[place]
            return total

        # From the last equation to the first, so that operands of repeated equations, which are
        # needed then, may be repeated themselves.
        for j in range(self.loop.period - 1, -1, -1):
            eqn = block[j]
            if (j, 0) not in needed or (j, 0) in carried or not cheap(eqn):
                continue
            if kept(j, {}) < eqn.outs[0].aval.nbytes:
                chosen.add(j)
                needed.update([s.what for s in sources[j] if s.kind == "own"])
                needed.update([s.what[0] for s in sources[j] if s.kind == "carry"])
        return chosen

    def _spread(self, first: dict[Any, int], chosen: set[int]) -> None:
        """Fill `blocks` and `again`, given variables with the first equation that reads them."""
        loop = self.loop
        # Backward, so that an equation is met after those that read it and are repeated.
        for i in range(loop.end - 1, loop.start - 1, -1):
            eqn = loop.eqns[i]
            k, j = divmod(i - loop.start, loop.period)
            for o, var in enumerate(eqn.outs):
                at = first.get(var)
                if at is None:
                    continue
                if j not in chosen:
                    self.blocks.setdefault((j, o), []).append(k)
                    continue
                self.again.setdefault(at, []).append(eqn)
                for v in eqn.inputs:
                    if type(v) is Var and not loop.outside(v):
                        first[v] = min(at, first.get(v, at))
        for eqns in self.again.values():
            eqns.reverse()


def cheap(eqn: Eqn) -> bool:
    """Return whether computing an equation again costs less than keeping its result."""
    return eqn.primitive.cheap or eqn.primitive.light


# --------------------------------------------------------------------------------------------------
# The scan


class Rolled(NamedTuple):
    """What stands for a repeat.

    Attributes:
        eqns: the equations instead of it.
        again: those to repeat later, by the number of the equation that they come before.
        stacked: variables that are now rows of an array.
    """

    eqns: list[Eqn]
    again: dict[int, list[Eqn]]
    stacked: dict[Var, Row]


def rolled(
    loop: RerolledLoop, uses: Uses, tokens: Tokens, bodies: dict[int, Jaxpr], name: str
) -> Rolled:
    """Write a repeat as a scan; `bodies` are the bodies of scans so far, by their structure."""
    needs = Needs(loop, uses)
    builder = ScanBuilder(loop)
    builder.write_body()
    carried, stacked = builder.results(needs)
    jaxpr = builder.body(name, tokens, bodies)
    inputs = builder.inputs()
    primitive = Scan(jaxpr, loop.count, len(builder.consts), len(builder.carries), loop.reverse)
    outs = [*carried, *[array for array, _ in stacked]]
    source = loop.block[0].source
    eqns = [*builder.before, Eqn(primitive, inputs, outs, source)]
    # Variables that later equations read are taken as rows of what was stacked.
    for array, rows in stacked:
        for k, var in rows:
            eqns += take_row(array, loop.row(k), var, source)
    return Rolled(eqns, needs.again, builder.stacked)


class ScanBuilder:
    """Writes the scan of a loop: its body, and the equations before it that make its operands.

    Attributes:
        before: equations to put before the scan.
        eqns, outs: the equations of the body, and its results: the next carries, then stacked
            slices.
        values: the variables of the body for the results of the block, by place.
        consts, carries, xs: inputs of the body. Their keys are what they stand for: a variable
            outside; a place with the values before the first block; an array that is sliced.
        known: what has been written for operands that differ from block to block.
    """

    def __init__(self, loop: RerolledLoop):
        self.loop, self.source = loop, loop.block[0].source
        self.before: list[Eqn] = []
        self.eqns: list[Eqn] = []
        self.values: dict[Place, Var] = {}
        self.consts: dict[Var, Var] = {}
        self.carries: dict[tuple[Place, tuple[Var, ...]], Var] = {}
        self.xs: dict[Any, Var] = {}
        self.arrays: list[Var] = []
        self.outs: list[Any] = []
        self.known: dict[Any, Any] = {}
        self.stacked: dict[Var, Row] = {}

    def emit(self, primitive: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Var:
        """Add an equation to the body; return its result."""
        out = Var(aval)
        self.eqns.append(Eqn(primitive, inputs, (out,), self.source))
        return out

    def emit_before(self, primitive: Primitive, inputs: Sequence[Any], aval: ShapedArray) -> Var:
        """Add an equation before the loop; return its result."""
        out = Var(aval)
        self.before.append(Eqn(primitive, inputs, (out,), self.source))
        return out

    def write_body(self) -> None:
        """Write the equations of the block, on variables of the body."""
        for j, (eqn, sources) in enumerate(zip(self.loop.block, self.loop.sources)):
            inputs = [self.operand(s) for s in sources]
            outs = [Var(v.aval.strong) for v in eqn.outs]
            self.values.update({(j, o): v for o, v in enumerate(outs)})
            self.eqns.append(Eqn(eqn.primitive, inputs, outs, eqn.source))

    def operand(self, source: OperandSource) -> Any:
        """Return what stands for an operand in the body.

        A carry from n blocks back is a chain of n carries, each of which takes over the one before
        it. With n = 2 and the values a, b before the first block, the first step gets the carries
        (b, a): it reads a, computes c, and hands on (c, b).
        """
        kind, what = source
        if kind == "literal":
            return what
        if kind == "own":
            return self.values[what]
        if kind == "constant":
            return self.constant(what)
        if kind == "carry":
            # All links of the chain are inputs of the body; the operand is the last of them.
            place, before = what
            for back in range(1, len(before) + 1):
                key = place, before[:back]
                if key not in self.carries:
                    self.carries[key] = Var(before[0].aval.strong)
            return self.carries[place, before]
        if what not in self.known:
            self.known[what] = self.number(*what) if kind == "numbers" else self.slice(what)
        return self.known[what]

    def constant(self, var: Var) -> Var:
        """Return the input of the body for a variable outside, the same in each step."""
        return self.consts.setdefault(var, Var(var.aval.strong))

    def sliced(self, array: Var) -> Var:
        """Return the input of the body for the slice of an array."""
        if array not in self.xs:
            aval = array.aval.strong
            self.xs[array] = Var(aval.update(aval.shape[1:]))
        return self.xs[array]

    def number(self, literals: Sequence[Literal], aval: ShapedArray) -> Var:
        """Return the number of a step, of literals that differ from block to block."""
        one = ShapedArray((1,), aval.dtype)
        pieces = [
            self.emit_before(Full((1,), aval.dtype, literal.value), (), one)
            for literal in self.loop.in_order(literals)
        ]
        x = self.sliced(self.stack(pieces))
        return self.emit(BroadcastInDim(aval.shape, ()), [x], aval) if aval.shape else x

    def stack(self, pieces: Sequence[Var]) -> Var:
        """Concatenate arrays with a leading axis of size 1, before the loop."""
        aval = pieces[0].aval.strong
        out = Var(aval.update((len(pieces), *aval.shape[1:])))
        self.before.append(concatenated(pieces, out, self.source))
        return out

    def slice(self, vars: Sequence[Var]) -> Var:
        """Return the array of a step, of variables that differ from block to block."""
        aval = vars[0].aval.strong
        loop = self.loop
        series = loop.series.get(tuple(vars))
        # Stack the variables before the loop, unless they are rows of an array that exists already.
        if series is None:
            ordered = loop.in_order(vars)
            whole = aval.update((1, *aval.shape))
            rows = [self.emit_before(Reshape(whole.shape), [v], whole) for v in ordered]
            array = self.stack(rows)
            self.stacked.update(
                {v: Row(array, i) for i, v in enumerate(ordered) if loop.rows.of(v) is None}
            )
            return self.sliced(array)
        array, first, step = series
        size = array.aval.shape[0]
        # If the rows are the whole array, in the order of the steps, they are slices of the scan.
        if size == loop.count and first == loop.row(0):
            row = self.sliced(array)
        else:
            row = self.row_at(array, first, step)
        return row if row.aval.shape == aval.shape else self.emit(Reshape(aval.shape), [row], aval)

    def row_at(self, array: Var, first: int, step: int) -> Var:
        """Return `array[first + step * k]` in step k, without a copy of these rows."""
        scalar = ShapedArray((), int32)
        if self.loop.reverse:  # slices are counted from the last step
            first, step = first + step * (self.loop.count - 1), -step
        # The number of the step is itself a slice, of 0, 1, 2 ...; all arrays share it.
        if "count" not in self.known:
            line = ShapedArray((self.loop.count,), int32)
            counter = self.emit_before(Iota(line.shape, line.dtype, 0), (), line)
            self.known["count"] = self.sliced(counter)
            self.known["zero"] = self.emit(Full((), scalar.dtype, 0), (), scalar)
        index = self.known["count"]
        if step != 1:
            index = self.emit(mul, [index, Literal(step)], scalar)
        if first:
            index = self.emit(add, [index, Literal(first)], scalar)
        aval = array.aval.strong
        window = aval.update((1, *aval.shape[1:]))
        starts = [index, *[self.known["zero"]] * (aval.ndim - 1)]
        slice_of_one = self.emit(
            DynamicSlice(window.shape), [self.constant(array), *starts], window
        )
        row = aval.update(aval.shape[1:])
        return self.emit(Reshape(row.shape), [slice_of_one], row)

    def results(self, needs: Needs) -> tuple[list[Var], list[tuple[Var, list[tuple[int, Var]]]]]:
        """Write the results of the body; return the variables of the scan's results.

        They are one variable for each carry, and the stacked arrays, each with the rows that are
        read: pairs of the number of a block and the variable that its row is.
        """
        loop, last = self.loop, self.loop.count - 1
        # A value of which only the last block's is read is carried, from zeros, although no step
        # reads it: a carry is one value, a stacked array would be all of them.
        for (j, o), blocks in needs.blocks.items():
            if blocks == [last] and not any([key[0] == (j, o) for key in self.carries]):
                aval = loop.block[j].outs[o].aval.strong
                zero = self.emit_before(Full(aval.shape, aval.dtype, 0), (), aval)
                self.carries[(j, o), (zero,)] = Var(aval)
        carried: list[Var] = []
        done: set[Place] = set()
        # The first link of a chain takes the new value; any other takes over the link before it.
        for place, before in self.carries:
            first = len(before) == 1
            self.outs.append(self.values[place] if first else self.carries[place, before[:-1]])
            # The first link is the value of the last block in the end; nothing reads the others.
            if first and place not in done:
                done.add(place)
                carried.append(loop.equation(last, place[0]).outs[place[1]])
            else:
                carried.append(Var(self.outs[-1].aval))
        stacked = []
        for (j, o), blocks in needs.blocks.items():
            if blocks == [last]:
                continue
            value = self.values[j, o]
            self.outs.append(value)
            array = Var(value.aval.update((loop.count, *value.aval.shape)))
            rows = [(k, loop.equation(k, j).outs[o]) for k in blocks]
            # A carry assigns the variable of the last block; it is noted as a row all the same.
            if (j, o) in done and last in blocks:
                k, v = rows.pop(blocks.index(last))
                self.stacked[v] = Row(array, loop.row(k))
            stacked.append((array, rows))
        return carried, stacked

    def body(self, name: str, tokens: Tokens, bodies: dict[int, Jaxpr]) -> Jaxpr:
        """Return the program of a step, or an earlier one that does the same."""
        ins = [*self.consts.values(), *self.carries.values(), *self.xs.values()]
        jaxpr = Jaxpr(ins, self.eqns, self.outs, name=name)
        number = tokens.structure(jaxpr)
        if number not in bodies:
            bodies[number] = made(jaxpr)
        return bodies[number]

    def inputs(self) -> list[Var]:
        """Return the operands of the scan."""
        return [*self.consts, *[before[-1] for _, before in self.carries], *self.xs]
