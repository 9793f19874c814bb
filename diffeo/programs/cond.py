"""`Cond`: a choice between programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

from ..primitives.constants import Full, full
from ..primitives.core import typeof
from ..primitives.families import HigherOrder
from ..primitives.jaxpr import Eqn, Jaxpr, Var, eval_jaxpr, made
from ..primitives.partial import Parts, linear_results, partial_jaxpr
from ..primitives.staging import stage
from ..primitives.stand_ins import ZERO, LinearInput
from ..primitives.support.frozen import frozen
from ..primitives.support.lists import woven
from ..primitives.types import ShapedArray, bool_, int32
from ..primitives.words.elementwise import eq, select, zero_scalar
from .call import check_all_parts_act, check_operands, select_each, split_list, typed, work


@frozen
class Cond(HigherOrder):
    """One of several programs, chosen by the first operand, an int32 (out of range, the last); the
    other operands are those of each.
    """

    branches: tuple[Jaxpr, ...]

    @property
    def out_avals(self) -> list[ShapedArray]:
        """The types of the results, weak if they are in all branches."""
        return [
            column[0] if all([a.weak_type for a in column]) else column[0].strong
            for column in zip(*[b.out_avals for b in self.branches])
        ]

    @property
    def work(self) -> int:
        """See `work`."""
        return max([work(b) for b in self.branches])

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        first = self.branches[0]
        for branch in self.branches:
            check_operands("cond", [ShapedArray((), int32), *branch.in_avals], avals)
            check_operands("cond: the results of the branches", first.out_avals, branch.out_avals)
        return self.out_avals

    def evaluate(self, run: Callable, arrays: Sequence[Any]) -> list[Any]:
        index = int(arrays[0].host)
        branch = self.branches[index if 0 <= index < len(self.branches) else -1]
        return typed(eval_jaxpr(branch, arrays[1:]), self.out_avals)

    def lower(self, ctx: Any, index: Any, *operands: Any) -> Any:
        branches = [lambda b=branch: ctx.program(b, operands) for branch in self.branches]
        return ctx.case(index, branches, self.out_avals)

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        index = interpreter.decides(values[0])
        if index is None:
            check_all_parts_act(self, interpreter)
            return self.mixed(interpreter, values)
        arrays, statics = interpreter.flatten(values[1:])
        avals = [typeof(a) for a in arrays]
        wanted: tuple = ()
        while True:
            found = []
            for branch in self.branches:
                found.append(interpreter.transform_jaxpr(branch, statics, avals, wanted))
                wanted = found[-1][2]
            if all([out_statics == wanted for _, _, out_statics in found]):
                break
        branches, consts = same_inputs([f[0] for f in found], [f[1] for f in found])
        return interpreter.unflatten(wanted, Cond(branches).bind(index, *consts, *arrays))

    def mixed(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        """Every branch for the parts that choose it, by the rule of `select`."""
        last = len(self.branches) - 1
        flags = interpreter.inline(
            lambda index: [eq.bind(index, i) for i in range(last)], values[:1]
        )

        def none(*flags: Any) -> list[Any]:
            found = full((), True, bool_)
            for flag in flags:
                found = select(flag, full((), False, bool_), found)
            return [found]

        def either(flag: Any, *xs: Any) -> list[Any]:
            return select_each(flag, *split_list(xs, len(outs)))

        otherwise = lambda: interpreter.inline(none, flags)[0]
        outs = interpreter.chosen(self.branches[last], otherwise, values[1:])
        for flag, branch in zip(flags, self.branches):
            found = interpreter.chosen(branch, lambda flag=flag: flag, values[1:])
            outs = interpreter.inline(either, [flag, *found, *outs])
        return outs

    def whole(self, linear: Sequence[bool]) -> bool:
        return linear[0]  # the choice itself depends on what varies

    def partial(self, linear: Sequence[bool]) -> Parts:
        flags = linear[1:]
        each = [linear_results(b, flags) for b in self.branches]
        linear_outs = [any(column) for column in zip(*each)]
        parts = [partial_jaxpr(b, flags, linear_outs) for b in self.branches]
        passed = sorted({s for p in parts for s in p.sources if s is not None})  # of operands
        slots, places = _shared_slots(parts)
        count = len(linear_outs) - sum(linear_outs)
        known = tuple([_with_slots(p.known, count, slots, at) for p, at in zip(parts, places)])
        in_avals = self.branches[0].in_avals
        inputs = [(s, in_avals[s]) for s in passed]
        tangent = tuple([_from_slots(p, inputs, slots, at) for p, at in zip(parts, places)])
        sources = [0, *[s + 1 for s in passed], *[None] * len(slots)]
        first = Cond(known)
        if not first.out_avals and not first.effects:
            first = None
        return Parts(first, Cond(tangent), linear_outs, sources)

    def transpose_with(
        self, transpose_jaxpr: Any, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        linear = tuple([type(a) is LinearInput for a in args[1:]])
        zero_cts = tuple([ct is ZERO for ct in cts])
        found = [transpose_jaxpr(b, linear, zero_cts) for b in self.branches]
        avals = [a.aval.strong for a in args[1:] if type(a) is LinearInput]
        there = [not all(zeros) for zeros in zip(*[f[2] for f in found])]
        filled = [
            _with_zeros(jaxpr, [a for a, t in zip(avals, there) if t],
                        [not z for z, t in zip(zeros, there) if t])
            for jaxpr, _, zeros in found
        ]  # fmt: skip
        branches, consts = same_inputs(filled, [f[1] for f in found])
        operands = [a for a in args[1:] if type(a) is not LinearInput]
        operands += [ct for ct in cts if ct is not ZERO]
        outs = iter(Cond(branches).bind(args[0], *consts, *operands) if any(there) else ())
        cotangents = iter(woven(there, outs, repeat(ZERO)))
        return [None, *woven(linear, cotangents, repeat(None))]


def same_inputs(
    jaxprs: Sequence[Jaxpr], consts: Sequence[Sequence[Any]]
) -> tuple[tuple[Jaxpr, ...], list[Any]]:
    """Programs whose leading inputs are constants of their own, as programs that take those of
    all, and these constants.
    """
    every = [c for own in consts for c in own]
    if not every:
        return tuple(jaxprs), every
    found, before = [], 0
    for jaxpr, own in zip(jaxprs, consts):
        leading = [Var(typeof(c)) for c in every]
        leading[before : before + len(own)] = jaxpr.in_vars[: len(own)]
        before += len(own)
        inputs = [*leading, *jaxpr.in_vars[len(own) :]]
        found.append(made(Jaxpr(inputs, jaxpr.eqns, jaxpr.outs, name=jaxpr.name)))
    return tuple(found), every


def _with_zeros(jaxpr: Jaxpr, avals: Sequence[ShapedArray], there: Sequence[bool]) -> Jaxpr:
    """The program with zeros among its results, where it does not have one."""
    eqns, outs, given = list(jaxpr.eqns), [], iter(jaxpr.outs)
    for aval, has in zip(avals, there):
        if has:
            outs.append(next(given))
        else:
            outs.append(Var(aval.strong))
            eqns.append(Eqn(Full(aval.shape, aval.dtype, zero_scalar(aval)), (), (outs[-1],)))
    return made(Jaxpr(jaxpr.in_vars, eqns, outs, name=jaxpr.name))


def _shared_slots(parts: Sequence[Parts]) -> tuple[list[ShapedArray], list[list[int]]]:
    """Types of slots for the residuals that branches compute, one branch at a time, and the slot
    of each.
    """
    slots: list[ShapedArray] = []
    places = []
    for part in parts:
        free = list(range(len(slots)))
        mine = []
        computed = len(part.known.outs) - sum([s is None for s in part.sources])
        for aval in part.known.out_avals[computed:]:
            slot = next((i for i in free if slots[i] is aval.strong), None)
            if slot is None:
                slot = len(slots)
                slots.append(aval.strong)
            else:
                free.remove(slot)
            mine.append(slot)
        places.append(mine)
    return slots, places


def _with_slots(
    known: Jaxpr, count: int, slots: Sequence[ShapedArray], places: Sequence[int]
) -> Jaxpr:
    """A known part that returns its `count` results and all slots, zeros where it has no use."""
    residuals = dict(zip(places, known.outs[count:]))
    given = sorted(residuals)
    ordered = [*known.outs[:count], *[residuals[i] for i in given]]
    avals = [*known.out_avals[:count], *slots]
    there = [True] * count + [i in residuals for i in range(len(slots))]
    return _with_zeros(Jaxpr(known.in_vars, known.eqns, ordered, name=known.name), avals, there)


def _from_slots(
    part: Parts,
    passed: Sequence[tuple[int, ShapedArray]],
    slots: Sequence[ShapedArray],
    places: Sequence[int],
) -> Jaxpr:
    """A linear part that takes the operands and the residuals of all branches."""
    tangent: Jaxpr = part.tangent
    computed = iter(places)
    own = {
        ("slot", next(computed)) if source is None else ("operand", source): var
        for var, source in zip(tangent.in_vars, part.sources)
    }
    inputs = [own.get(("operand", s)) or Var(aval) for s, aval in passed]
    inputs += [own.get(("slot", i)) or Var(aval) for i, aval in enumerate(slots)]
    return made(Jaxpr(inputs, tangent.eqns, tangent.outs, name=tangent.name))


def choose(index: Any, branches: Sequence[Callable], operands: Sequence[Any]) -> list[Any]:
    """Bind a `Cond` of functions of arrays, which may close over others."""
    avals = [typeof(x).strong for x in operands]
    staged = [stage(b, avals, "branch") for b in branches]
    programs, consts = same_inputs([s.closed_over() for s in staged], [s.consts for s in staged])
    return Cond(programs).bind(index, *consts, *operands)
