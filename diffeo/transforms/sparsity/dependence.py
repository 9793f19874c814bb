"""Which inputs the elements of a tangent depend on: a trace that computes with index sets.

Forward mode runs over it. What it binds is of three kinds: numbers that are known are evaluated;
numbers that depend on the point are `Unknown`, a type only; tangents are `Tracked`, a type and an
index set for each element. So patterns are those of what the derivative rules compute, and a value
that does not depend on the point (a mask, indices, the counter of a loop) makes them exact.
How a primitive moves sets about stands in `dependence_rules.py`; here are programs: conditionals
whose choice is known take it, others take the union; loops are unrolled, and where that is too much
work, or their end is not known, a step is looked at once for all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...engine.evaluation import EVALUATION
from ...primitives.array import Array, as_value
from ...primitives.core import Trace, Tracer, Value, state, typeof
from ...primitives.jaxpr import Jaxpr, eval_jaxpr, infer, sub_jaxprs
from ...primitives.types import SCALARS, ShapedArray
from ...programs.call import Call, split_list
from ...programs.cond import Cond
from ...programs.replay import Replay
from ...programs.scan import Scan
from ...programs.while_loop import While
from .dependence_rules import dependence
from .index_sets import IndexSets, check_room, joined, union

#: Loops are unrolled until there have been so many operations. One on more numbers than `MANY`
#: counts as several: all in all that takes a second, or half a minute for the largest patterns.
UNROLLED, MANY = 20_000, 2**14
#: So many steps are looked at for the sets that a carry has in the end.
ROUNDS = 30


def at_least(jaxpr: Jaxpr) -> int:
    """The number of operations of a program in which loops of unknown length run once."""
    found = jaxpr.memo.get("at least")
    if found is None:
        found = 0
        for eqn in jaxpr.eqns:
            times = eqn.primitive.length if type(eqn.primitive) is Scan else 1
            found += 1 + times * sum([at_least(inner) for inner in sub_jaxprs(eqn.primitive)])
        jaxpr.memo["at least"] = found
    return found


class Unknown(Tracer):
    """An array whose numbers depend on the point at which the derivative is taken."""

    __slots__ = ("aval",)

    def __init__(self, owner: Trace, aval: ShapedArray):
        self.owner = owner
        self.aval = aval  # type: ignore[misc]

    def origin(self) -> str:
        return (
            f"a value inside {self.owner.function_name} that depends on its arguments: the "
            "sparsity pattern is asked for all arguments of these types; local=True asks for the "
            "pattern at the given numbers"
        )


class Tracked(Unknown):
    """A tangent: the inputs that each of its elements depends on."""

    __slots__ = ("sets",)

    def __init__(self, owner: Trace, aval: ShapedArray, sets: IndexSets):
        super().__init__(owner, aval)
        self.sets = sets


class Dependence(Trace):
    """Computes index sets of numbers below `total`; loops are unrolled while there are operations
    `left`.
    """

    parent = EVALUATION

    def __init__(self, total: int, function_name: str, left: int = UNROLLED):
        self.total, self.function_name, self.left = total, function_name, left

    def tracked(self, aval: ShapedArray, sets: IndexSets) -> Tracked:
        """A tangent with these sets."""
        return Tracked(self, aval, sets)

    def unknown(self, aval: ShapedArray) -> Unknown:
        """An array of unknown numbers."""
        return Unknown(self, aval)

    def seen(self, x: Any) -> Any:
        """An operand; the values of transformations around have no numbers here."""
        foreign = isinstance(x, Tracer) and x.owner is not self
        return self.unknown(x.aval) if foreign else x

    def sets(self, x: Any) -> IndexSets:
        """The sets of any value; empty if it is no tangent."""
        return x.sets if type(x) is Tracked else IndexSets.empty(typeof(x).size, self.total)

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        if primitive.holds_programs and primitive.fun is not None:
            return primitive.fun(*args)
        args = [self.seen(a) for a in args]
        self.left -= 1 + sum([len(a.sets.numbers) for a in args if type(a) is Tracked]) // MANY
        open_ = any([isinstance(a, Tracer) for a in args])
        if not (open_ or primitive.effects or primitive.calls_python):
            return EVALUATION.process(primitive, args)
        before, state.trace = state.trace, self
        try:
            outs = self.program(primitive, args) if primitive.holds_programs else None
            if outs is not None:
                return outs
            scalars = primitive.takes_scalars
            avals = [a if scalars and type(a) in SCALARS else typeof(a) for a in args]
            found = infer(primitive, avals)
            avals = list(found) if primitive.multiple_results else [found]
            outs: Any = [self.unknown(a) for a in avals]
            if any([type(a) is Tracked for a in args]):
                outs = dependence(self, primitive, args, avals)
            return outs if primitive.multiple_results else outs[0]
        finally:
            state.trace = before

    # -- Programs --

    def program(self, primitive: Any, args: list[Any]) -> list[Any] | None:
        """The results of an operation on programs; None for one that is not known here."""
        args = [a if isinstance(a, Value) else as_value(a) for a in args]
        if isinstance(primitive, Call):
            return eval_jaxpr(primitive.jaxpr, args)
        if type(primitive) is Replay:
            return eval_jaxpr(primitive.forward(), args)
        rules: dict[type, Callable] = {Cond: self.cond, Scan: self.scan, While: self.repeat}
        rule = rules.get(type(primitive))
        return None if rule is None else rule(primitive, args)

    def cond(self, cond: Cond, args: list[Any]) -> list[Any]:
        index, *operands = args
        if type(index) is Array:
            number, last = int(index.host), len(cond.branches) - 1
            return eval_jaxpr(cond.branches[number if 0 <= number <= last else last], operands)
        outs = [eval_jaxpr(branch, operands) for branch in cond.branches]
        return [self.either(column) for column in zip(*outs)]

    def either(self, values: Sequence[Any]) -> Any:
        """What may be any of several values."""
        if any([type(v) is Tracked for v in values]):
            return self.tracked(typeof(values[0]), union([self.sets(v) for v in values]))
        return self.unknown(typeof(values[0]))

    def scan(self, scan: Scan, args: list[Any]) -> list[Any]:
        consts, start, xs = scan.groups(args)
        fits = scan.length * at_least(scan.jaxpr) <= self.left
        carry, rows = start, {}
        for i in scan.order():
            if not fits or self.left < 0:
                return self.steps(scan.jaxpr, consts, start, xs, scan.length)
            outs = eval_jaxpr(scan.jaxpr, [*consts, *carry, *[self.row(x, i) for x in xs]])
            carry, rows[i] = split_list(outs, scan.carry)
        avals = scan.out_avals[scan.carry :]
        columns = [[rows[i][k] for i in range(scan.length)] for k in range(len(avals))]
        return [*carry, *map(self.stack, columns, avals)]

    def row(self, x: Any, i: int) -> Any:
        """`x[i]`."""
        if type(x) is Array:
            return Array(x.host[i], x.weak_type)
        aval = x.aval.update(x.aval.shape[1:])
        if type(x) is Tracked:
            return self.tracked(aval, x.sets.slice(i * aval.size, (i + 1) * aval.size))
        return self.unknown(aval)

    def stack(self, values: Sequence[Any], aval: ShapedArray) -> Any:
        """The values along a new first axis."""
        if all([type(v) is Array for v in values]):
            hosts = [v.host for v in values]
            return Array(np.stack(hosts) if hosts else np.empty(aval.shape, aval.dtype))
        if any([type(v) is Tracked for v in values]):
            return self.tracked(aval, joined([self.sets(v) for v in values], self.total))
        return self.unknown(aval)

    def repeat(self, loop: While, args: list[Any]) -> list[Any]:
        first, second, carry = loop.groups(args)
        while self.left > 0:
            self.left -= 1
            going = eval_jaxpr(loop.cond, [*first, *carry])[0]
            if type(going) is not Array:
                break
            if not going.host:
                return carry
            carry = eval_jaxpr(loop.body, [*second, *carry])
        return self.steps(loop.body, second, carry, [], 1)

    def steps(
        self, body: Jaxpr, consts: list[Any], carry: list[Any], xs: list[Any], length: int
    ) -> list[Any]:
        """The results of any number of steps (of `length` steps over xs), from what one step says
        of all: a carry depends on what it does after some step, the slices of a result on their
        own slices of xs.
        """
        n, m = len(consts), len(consts) + len(carry)
        fixed = [v is o for v, o in zip(body.in_vars[n:m], body.outs)]
        given = [*consts, *[v if f else None for v, f in zip(carry, fixed)], *[None] * len(xs)]
        flags = [type(v) is Tracked for v in (*consts, *carry, *xs)]
        while True:
            outs = self.one_step(body, given, flags)
            grown = [a or type(o) is Tracked for a, o in zip(flags[n:m], outs)]
            if grown == flags[n:m]:
                break
            flags[n:m] = grown
        slices = [self.sets(x) for x, flag in zip(xs, flags[m:]) if flag]
        sizes = [v.aval.size for v, flag in zip(body.in_vars[m:], flags[m:]) if flag]
        always = [s.gather(np.arange(s.count) % n, n) for s, n in zip(slices, sizes)]
        before = [self.sets(v) for v, flag in zip(consts, flags) if flag]
        start = [self.sets(v) for v, flag in zip(carry, flags[n:]) if flag]
        after = [o.sets if type(o) is Tracked else None for o, f in zip(outs, flags[n:m]) if f]
        found = closure(before, start, always, after, self.total)
        rows = iter(found)
        results = [
            self.tracked(v.aval, next(rows)) if flag else c if f else self.unknown(v.aval)
            for v, c, flag, f in zip(body.in_vars[n:m], carry, flags[n:m], fixed)
        ]
        source = joined([*before, *found, *slices], self.total)
        fast = sum([s.count for s in (*before, *found)])
        for out in outs[len(carry) :]:
            aval = out.aval.update((length, *out.aval.shape))
            if type(out) is Tracked:
                sets = each_step(source, out.sets, fast, sizes, length)
                results.append(self.tracked(aval, sets))
            else:
                results.append(self.unknown(aval))
        return results

    def one_step(self, body: Jaxpr, given: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
        """The results of a program in terms of its flagged inputs, whose elements are numbered one
        after the other; the others are known if they are `given`.
        """
        sizes = [v.aval.size if flag else 0 for v, flag in zip(body.in_vars, flags)]
        inner = Dependence(sum(sizes), self.function_name, self.left)
        ins, at = [], 0
        for var, value, flag, size in zip(body.in_vars, given, flags, sizes):
            sets = IndexSets.singles(size, at, inner.total) if flag else None
            at += size
            known = type(value) is Array
            ins.append(
                inner.tracked(var.aval, sets) if sets else value if known
                else inner.unknown(var.aval)
            )  # fmt: skip
        state.trace = inner
        try:
            outs = eval_jaxpr(body, ins)
        finally:
            state.trace, self.left = self, inner.left
        return [inner.seen(o) for o in outs]


def closure(
    before: Sequence[IndexSets],
    start: Sequence[IndexSets],
    always: Sequence[IndexSets],
    after: Sequence[IndexSets | None],
    total: int,
) -> list[IndexSets]:
    """The sets of a carry after any number of steps: at the start, and all that `after`, sets of
    numbers of what a step gets (constants `before`, carry, slices), adds to them. Where that takes
    many steps, elements of the carry that have to do with each other count as one.
    """
    local = sum([s.count for s in (*before, *start, *always)])
    steps = [IndexSets.empty(s.count, local) if a is None else a for s, a in zip(start, after)]
    owners, elements = joined(steps, local).pairs()
    carry = joined(start, total)
    for _ in range(ROUNDS):
        source = joined([*before, carry, *always], total)
        grown = union([carry, source.combine(carry.count, owners, elements)])
        if len(grown.numbers) == len(carry.numbers):
            break
        carry = grown
    else:
        elements = elements - sum([s.count for s in before])
        inside = (elements >= 0) & (elements < carry.count)
        groups = components(carry.count, owners[inside], elements[inside])
        carry = carry.gather(groups, carry.count).take(groups)
    ends = np.cumsum([0, *[s.count for s in start]])
    return [carry.slice(a, b) for a, b in pairwise(ends)]


def components(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For each vertex of a graph with edges between `a` and `b` the number of one vertex of its
    component, the same for all.
    """
    labels = np.arange(count)
    while True:
        least = np.minimum(labels[a], labels[b])
        found = labels.copy()
        np.minimum.at(found, labels[a], least)
        np.minimum.at(found, labels[b], least)
        found = found[found]
        if np.array_equal(found, labels):
            return labels
        labels = found


def each_step(
    source: IndexSets, out: IndexSets, fast: int, sizes: Sequence[int], length: int
) -> IndexSets:
    """The sets of a result of all steps. `out` are its sets for one step: numbers of elements that
    every step sees (those below `fast`) and then of slices of these sizes, of which `source` has
    those of all steps one after the other.
    """
    ends = np.cumsum([0, *sizes])
    first = [fast + a * length + np.arange(b - a) for a, b in pairwise(ends)]
    first = np.concatenate([np.arange(fast), *first])
    stride = np.concatenate([np.zeros(fast, np.int64), np.repeat(sizes, sizes)]).astype(np.int64)
    owners, numbers = out.pairs()
    check_room(len(numbers) * length)
    step = np.arange(length)[:, None]
    owners = owners + step * out.count
    elements = first[numbers] + step * stride[numbers]
    return source.combine(length * out.count, owners.reshape(-1), elements.reshape(-1))
