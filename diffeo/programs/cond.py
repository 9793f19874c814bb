"""`Cond`: a choice between programs.

Whatever transforms a conditional transforms each branch by itself, and then must make the branches
alike again: they must take the same operands and return the same results. `same_inputs` does so for
constants, `_with_zeros` for results that only some branches have, and `_shared_slots` for residuals
(known values that the linear part of a branch needs; see `primitives/partial.py`).

Start reading at `Cond`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

from ..primitives.builder import LoweringContext
from ..primitives.constants import Full, full
from ..primitives.core import Value, typeof
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
        """The operations that the largest branch takes, roughly; see `work` in `call.py`."""
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

    def lower(self, ctx: LoweringContext, index: Any, *operands: Any) -> Any:
        branches = [lambda b=branch: ctx.program(b, operands) for branch in self.branches]
        return ctx.case(index, branches, self.out_avals)

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        index = interpreter.decides(values[0])
        if index is None:
            check_all_parts_act(self, interpreter)
            return self.mixed(interpreter, values)
        arrays, statics = interpreter.flatten(values[1:])
        avals = [typeof(a) for a in arrays]
        common_statics: tuple = ()
        # Each branch widens its results to what the branches before it returned. Go through the
        # branches until all of them return values of the same static parts.
        while True:
            transformed = []
            for branch in self.branches:
                transformed.append(
                    interpreter.transform_jaxpr(branch, statics, avals, common_statics)
                )
                common_statics = transformed[-1][2]
            if all([out_statics == common_statics for _, _, out_statics in transformed]):
                break
        branches, consts = same_inputs([t[0] for t in transformed], [t[1] for t in transformed])
        return interpreter.unflatten(common_statics, Cond(branches).bind(index, *consts, *arrays))

    def mixed(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        """Compute every branch, and choose among the results by the rule of `select`.

        This is for an index that does not decide alone: under vmap, rows of a batch may choose
        different branches. The last branch is the one to begin with; for each other branch,
        `select` takes its results where the index is its number.
        """
        last = len(self.branches) - 1
        flags = interpreter.inline(
            lambda index: [eq.bind(index, i) for i in range(last)], values[:1]
        )

        def none(*flags: Any) -> list[Any]:
            chosen = full((), True, bool_)
            for flag in flags:
                chosen = select(flag, full((), False, bool_), chosen)
            return [chosen]

        def either(flag: Value, *xs: Any) -> list[Any]:
            return select_each(flag, *split_list(xs, len(outs)))

        # The last branch is taken where no other is.
        otherwise = lambda: interpreter.inline(none, flags)[0]
        outs = interpreter.chosen(self.branches[last], otherwise, values[1:])
        for flag, branch in zip(flags, self.branches):
            chosen = interpreter.chosen(branch, lambda flag=flag: flag, values[1:])
            outs = interpreter.inline(either, [flag, *chosen, *outs])
        return outs

    def whole(self, linear: Sequence[bool]) -> bool:
        return linear[0]  # the choice itself depends on what varies

    def partial(self, linear: Sequence[bool]) -> Parts:
        flags = linear[1:]
        each = [linear_results(b, flags) for b in self.branches]
        # A result that is linear in one branch counts as linear in all.
        linear_outs = [any(column) for column in zip(*each)]
        parts = [partial_jaxpr(b, flags, linear_outs) for b in self.branches]
        # Each branch needs residuals of its own. Operands that some branch needs are passed to all;
        # computed residuals share slots, as only one branch is run.
        passed = sorted({s for p in parts for s in p.sources if s is not None})
        slots, slots_of = _shared_slots(parts)
        count = len(linear_outs) - sum(linear_outs)
        known = tuple(
            [_with_slots(p.known, count, slots, numbers) for p, numbers in zip(parts, slots_of)]
        )
        in_avals = self.branches[0].in_avals
        inputs = [(s, in_avals[s]) for s in passed]
        tangent = tuple(
            [_from_slots(p, inputs, slots, numbers) for p, numbers in zip(parts, slots_of)]
        )
        # Operand 0 of the whole is the index, which the branches themselves do not get.
        sources = [0, *[s + 1 for s in passed], *[None] * len(slots)]
        known_part = Cond(known)
        if not known_part.out_avals and not known_part.effects:
            known_part = None
        return Parts(known_part, Cond(tangent), linear_outs, sources)

    def transpose_with(
        self, transpose_jaxpr: Callable, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        linear = tuple([type(a) is LinearInput for a in args[1:]])
        zero_cts = tuple([ct is ZERO for ct in cts])
        transposed = [transpose_jaxpr(b, linear, zero_cts) for b in self.branches]
        avals = [a.aval.strong for a in args[1:] if type(a) is LinearInput]
        # Which cotangents are not zero in some branch. The other branches return zeros for them.
        has_ct = [not all(zeros) for zeros in zip(*[t[2] for t in transposed])]
        filled = [
            _with_zeros(jaxpr, [a for a, has in zip(avals, has_ct) if has],
                        [not z for z, has in zip(zeros, has_ct) if has])
            for jaxpr, _, zeros in transposed
        ]  # fmt: skip
        branches, consts = same_inputs(filled, [t[1] for t in transposed])
        operands = [a for a in args[1:] if type(a) is not LinearInput]
        operands += [ct for ct in cts if ct is not ZERO]
        outs = iter(Cond(branches).bind(args[0], *consts, *operands) if any(has_ct) else ())
        cotangents = iter(woven(has_ct, outs, repeat(ZERO)))
        return [None, *woven(linear, cotangents, repeat(None))]


def same_inputs(
    jaxprs: Sequence[Jaxpr], consts: Sequence[Sequence[Any]]
) -> tuple[tuple[Jaxpr, ...], list[Any]]:
    """Give programs that begin with constants of their own the same inputs: the constants of all.

    Two programs `(a, x)` and `(b, c, x)`, with constants `a` and `b, c`, become `(a, _, _, x)` and
    `(_, b, c, x)`, where `_` is an input that the program does not read.

    Args:
        jaxprs: the programs, whose leading inputs are the constants.
        consts: the values of the constants, for each program.

    Returns:
        The programs, and the values of all constants.
    """
    every = [c for values in consts for c in values]
    if not every:
        return tuple(jaxprs), every
    programs, before = [], 0
    for jaxpr, values in zip(jaxprs, consts):
        # Variables that the program does not read, with its own constants among them.
        leading = [Var(typeof(c)) for c in every]
        leading[before : before + len(values)] = jaxpr.in_vars[: len(values)]
        before += len(values)
        inputs = [*leading, *jaxpr.in_vars[len(values) :]]
        programs.append(made(Jaxpr(inputs, jaxpr.eqns, jaxpr.outs, name=jaxpr.name)))
    return tuple(programs), every


def _with_zeros(jaxpr: Jaxpr, avals: Sequence[ShapedArray], there: Sequence[bool]) -> Jaxpr:
    """Return the program with zeros among its results, where it does not have one.

    With the flags `[True, False, True]`, the results `(a, b)` become `(a, 0, b)`; `avals` are the
    three types.
    """
    eqns, outs, results = list(jaxpr.eqns), [], iter(jaxpr.outs)
    for aval, has in zip(avals, there):
        if has:
            outs.append(next(results))
        else:
            outs.append(Var(aval.strong))
            eqns.append(Eqn(Full(aval.shape, aval.dtype, zero_scalar(aval)), (), (outs[-1],)))
    return made(Jaxpr(jaxpr.in_vars, eqns, outs, name=jaxpr.name))


def _shared_slots(parts: Sequence[Parts]) -> tuple[list[ShapedArray], list[list[int]]]:
    """Share slots among the residuals that branches compute, of which only one branch is run.

    If the first branch computes residuals of the types `f64[3], f64[]`, and the second of the types
    `f64[], f64[3], i32[]`, the slots are `f64[3], f64[], i32[]`. The residuals of the first are in
    the slots 0 and 1, those of the second in the slots 1, 0 and 2.

    Returns:
        The types of the slots, and for each branch the numbers of the slots of its residuals.
    """
    slots: list[ShapedArray] = []
    slots_of = []
    for part in parts:
        # Two residuals of one branch cannot share a slot.
        free = list(range(len(slots)))
        numbers = []
        # Residuals without a source are computed. They begin at `first`, after the known results.
        first = len(part.known.outs) - sum([s is None for s in part.sources])
        for aval in part.known.out_avals[first:]:
            slot = next((i for i in free if slots[i] is aval.strong), None)
            if slot is None:
                slot = len(slots)
                slots.append(aval.strong)
            else:
                free.remove(slot)
            numbers.append(slot)
        slots_of.append(numbers)
    return slots, slots_of


def _with_slots(
    known: Jaxpr, count: int, slots: Sequence[ShapedArray], places: Sequence[int]
) -> Jaxpr:
    """Return a known part that returns its `count` results and all slots, zeros in those that it
    does not use.
    """
    residuals = dict(zip(places, known.outs[count:]))
    used = sorted(residuals)
    ordered = [*known.outs[:count], *[residuals[i] for i in used]]
    avals = [*known.out_avals[:count], *slots]
    has_value = [True] * count + [i in residuals for i in range(len(slots))]
    return _with_zeros(Jaxpr(known.in_vars, known.eqns, ordered, name=known.name), avals, has_value)


def _from_slots(
    part: Parts,
    passed: Sequence[tuple[int, ShapedArray]],
    slots: Sequence[ShapedArray],
    places: Sequence[int],
) -> Jaxpr:
    """Return a linear part that takes the operands and the slots of all branches.

    Args:
        part: the parts of one branch.
        passed: the positions and types of the operands that some branch needs.
        slots: the types of the slots.
        places: the slots of the residuals that this branch computes.
    """
    tangent: Jaxpr = part.linear
    computed = iter(places)
    # The variables of this branch, by operand and by slot; for all others, new variables that it
    # does not read.
    variables = {
        ("slot", next(computed)) if source is None else ("operand", source): var
        for var, source in zip(tangent.in_vars, part.sources)
    }
    inputs = [variables.get(("operand", s)) or Var(aval) for s, aval in passed]
    inputs += [variables.get(("slot", i)) or Var(aval) for i, aval in enumerate(slots)]
    return made(Jaxpr(inputs, tangent.eqns, tangent.outs, name=tangent.name))


def choose(index: Any, branches: Sequence[Callable], operands: Sequence[Any]) -> list[Any]:
    """Bind a `Cond` of functions of arrays, which may close over other arrays."""
    avals = [typeof(x).strong for x in operands]
    staged = [stage(b, avals, "branch") for b in branches]
    programs, consts = same_inputs([s.closed_over() for s in staged], [s.consts for s in staged])
    return Cond(programs).bind(index, *consts, *operands)
