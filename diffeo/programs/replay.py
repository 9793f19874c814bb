"""Reverse mode through loops that keep some of their carries: of unknown length, or on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

from ..primitives.constants import full_like
from ..primitives.core import with_user_line
from ..primitives.families import HigherOrder
from ..primitives.jaxpr import Eqn, Jaxpr, eliminate_dead_code, eval_jaxpr, made
from ..primitives.partial import Parts, linear_results, partial_jaxpr
from ..primitives.staging import stage
from ..primitives.stand_ins import ZERO, LinearInput
from ..primitives.support.frozen import frozen
from ..primitives.support.lists import woven
from ..primitives.types import ShapedArray, int64
from .call import Call, check_operands, split_list
from .checkpointing import counts, go_back, number, read, record, write


@dataclass(frozen=True)
class Loop:
    """A loop as reverse mode sees it: (constants, carry, slices of xs) -> (carry, slices of ys),
    `length` times, or as long as `going`, which takes constants of its own and the carry.
    `repeat` makes while loops of primitives.
    """

    body: Jaxpr
    consts: int
    carry: int
    checkpoints: int
    repeat: Callable
    length: int | None = None
    reverse: bool = False
    going: Jaxpr | None = None
    going_consts: int = 0

    def groups(self, items: Sequence[Any]) -> list[list[Any]]:
        """What belongs to the constants, the carry and the xs (or ys, without constants)."""
        return split_list(items, self.consts, self.carry)

    def check(self, inputs: int) -> None:
        """ValueError unless the numbers fit the program, which has so many inputs."""
        ins, outs = self.body.in_avals, self.body.out_avals
        carry = ins[self.consts : self.consts + self.carry]
        fits = min(self.consts, self.carry, self.going_consts, self.length or 0) >= 0
        if (
            not fits
            or inputs != len(ins)
            or self.checkpoints < 4
            or [a.strong for a in carry] != [a.strong for a in outs[: self.carry]]
            or len(carry) != self.carry
            or (self.length is None and self.consts + self.carry != len(ins))
        ):
            raise ValueError(
                f"replay of {self.body.name}: {self.consts} constants, a carry of {self.carry}, a "
                f"length of {self.length} and {self.checkpoints} checkpoints (at least 4) do not "
                f"fit a program from {ins} to {outs}"
            )

    def slices(self, xs: Sequence[Any], position: Any) -> list[Any]:
        """The slices of a step."""
        return [read(x, self.place(position)) for x in xs]

    def place(self, position: Any) -> Any:
        """The number of the slices of a step."""
        return self.length - 1 - position if self.reverse else position  # type: ignore[operator]

    def stacked(self, aval: ShapedArray) -> ShapedArray:
        """The type of all slices; there are none without a length."""
        assert self.length is not None
        return aval.update((self.length, *aval.shape)).strong


def replay_parts(
    loop: Loop, linear: Sequence[bool], inside: Sequence[bool], linear_outs: Sequence[bool]
) -> Parts:
    """The parts of a loop that keeps some of its carries: one that runs it and records them, and
    `Replay`.

    Args:
        loop: the loop.
        linear: which operands are linear: constants of `going`, constants, carry and xs.
        inside: which inputs of the program are.
        linear_outs: which results of it are.
    """
    going = loop.going and _silent(loop.going)
    again = replace(loop, body=_silent(loop.body), going=going)
    body = partial_jaxpr(loop.body, inside, linear_outs)
    consts, carry, _ = loop.groups(inside)
    count = len(linear_outs) - sum(linear_outs)
    n_consts, n_carry = len(consts) - sum(consts), len(carry) - sum(carry)
    outs = body.known.outs[:count]
    known_step = made(eliminate_dead_code(Jaxpr(body.known.in_vars, body.known.eqns, outs)))
    own = loop.going_consts
    known_ys = [a for a, lin in zip(loop.body.out_avals, linear_outs) if not lin][n_carry:]

    def run(*operands: Any) -> list[Any]:
        given = dict(zip([i for i, flag in enumerate(linear) if not flag], operands))
        ins = [given[own + i] for i, flag in enumerate(inside) if not flag]
        fixed, start, slices = split_list(ins, n_consts, n_carry)

        def going(position: Any, now: Sequence[Any]) -> Any:
            if loop.going is None:
                return position < loop.length
            condition = _condition(loop.going, own, carry)
            return eval_jaxpr(condition, [*[given[i] for i in range(own)], *now])[0]

        def step(position: Any, now: list, ys: list) -> tuple[list, list]:
            outs = eval_jaxpr(known_step, [*fixed, *now, *loop.slices(slices, position)])
            at = loop.place(position) if ys else None
            return outs[:n_carry], [write(y, at, o) for y, o in zip(ys, outs[n_carry:])]

        ys = [full_like(loop.stacked(a), 0) for a in known_ys]
        end, ys, kept = record(loop.repeat, going, step, start, ys, loop.checkpoints)
        return [*end, *ys, *kept]

    given = [a for a, flag in zip(loop_avals(loop), linear) if not flag]
    known = stage(run, given, loop.body.name).closed_over()
    in_carry = range(loop.consts, loop.consts + loop.carry)
    operands = [own + i for i, flag in enumerate(inside) if flag or i not in in_carry]
    sources = [*[None] * (len(known.outs) - count), *operands]
    return Parts(Call(known), Replay(again, tuple(inside)), linear_outs, sources)


def _silent(jaxpr: Jaxpr) -> Jaxpr:
    """The program without its effects, so that it can be computed again."""
    if not jaxpr.effects:
        return jaxpr
    found = jaxpr.memo.get("silent")
    if found is None:
        eqns = []
        for eqn in jaxpr.eqns:
            primitive: Any = eqn.primitive
            if primitive.effects and primitive.holds_programs:
                primitive = replace(primitive, **_silent_fields(primitive))
            eqns.append(Eqn(primitive, eqn.inputs, eqn.outs, eqn.source))
        every = Jaxpr(jaxpr.in_vars, eqns, jaxpr.outs, name=jaxpr.name)
        found = jaxpr.memo["silent"] = eliminate_dead_code(every, effects=False)
    if found.effects:
        raise with_user_line(
            NotImplementedError(
                f"reverse mode through the loop of {jaxpr.name} computes its steps again, and must "
                "not call an io_callback again of whose result they make use; let a scan without "
                "checkpoints keep it, or call it outside of the loop"
            )
        )
    return found


def _silent_fields(primitive: Any) -> dict[str, Any]:
    """The programs among the parameters of a primitive, without their effects."""
    return {
        name: _silent(value) if isinstance(value, Jaxpr) else tuple(map(_silent, value))
        for name, value in vars(primitive).items()
        if isinstance(value, Jaxpr)
        or (isinstance(value, tuple) and value and isinstance(value[0], Jaxpr))
    }


def loop_avals(loop: Loop) -> list[ShapedArray]:
    """The types of all operands of a loop."""
    own = [] if loop.going is None else loop.going.in_avals[: loop.going_consts]
    consts, carry, xs = loop.groups(loop.body.in_avals)
    return [a.strong for a in (*own, *consts, *carry)] + [loop.stacked(x) for x in xs]


def _condition(going: Jaxpr, consts: int, linear: Sequence[bool]) -> Jaxpr:
    """A condition as a program of the carry that is not linear; it cannot depend on the rest."""
    going = eliminate_dead_code(going)
    flags = [False] * consts + list(linear)
    inputs = [v for v, flag in zip(going.in_vars, flags) if not flag]
    return made(Jaxpr(inputs, going.eqns, going.outs, name=going.name))


@frozen
class Replay(HigherOrder):
    """The linear part of a loop that was recorded: what it did to tangents.

    Operands: what `record` kept (numbers of steps and of slots in use, distance, slots of the
    carry), and the constants, linear carry, and xs of the program. It computes the known carry
    again; its transpose does so from the slots.
    """

    loop: Loop
    inside: tuple[bool, ...]

    endless = True

    @property
    def body(self) -> Parts:
        """A step in its parts."""
        return partial_jaxpr(self.loop.body, self.inside, self.linear_outs)

    @property
    def linear_outs(self) -> list[bool]:
        """Which results of a step are linear."""
        carry = self.loop.groups(self.inside)[1]
        outs = linear_results(self.loop.body, self.inside)
        return [*carry, *outs[len(carry) :]]

    @property
    def linear(self) -> list[bool]:
        """Which operands are linear."""
        consts, carry, xs = self.loop.groups(self.inside)
        return [*[False] * self.kept, *consts, *[True] * sum(carry), *xs]

    @property
    def kept(self) -> int:
        """The number of operands that `record` made."""
        carry = self.loop.groups(self.inside)[1]
        return 3 + len(carry) - sum(carry)

    @property
    def out_avals(self) -> list[ShapedArray]:
        """The types of the results."""
        n = self.loop.carry
        outs = self.loop.body.out_avals
        avals = [a.strong if i < n else self.loop.stacked(a) for i, a in enumerate(outs)]
        return [a for a, flag in zip(avals, self.linear_outs) if flag]

    def in_avals(self) -> list[ShapedArray]:
        """The types of the operands."""
        size = counts(self.loop.checkpoints)[0]
        consts, carry, xs = self.loop.groups(self.loop.body.in_avals)
        flags = self.loop.groups(self.inside)[1]
        slots = [a.update((size, *a.shape)) for a, lin in zip(carry, flags) if not lin]
        kept = [ShapedArray((), int64)] * 3 + slots
        tangents = [a for a, lin in zip(carry, flags) if lin]
        given = (*kept, *consts, *tangents)
        return [a.strong for a in given] + [self.loop.stacked(x) for x in xs]

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        self.loop.check(len(self.inside))
        check_operands(f"replay of {self.loop.body.name}", self.in_avals(), avals)
        return self.out_avals

    def parts_of(self, operands: Sequence[Any]) -> tuple[list, list, list, list]:
        """What was kept, constants, linear carry, xs."""
        carry = sum(self.loop.groups(self.inside)[1])
        kept, consts, tangents, xs = split_list(operands, self.kept, self.loop.consts, carry)
        return kept, consts, tangents, xs

    def lower(self, ctx: Any, *values: Any) -> Any:
        return ctx.program(self.forward(), values)

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        return interpreter.inline(self.forward(), values)

    def partial(self, linear: Sequence[bool]) -> Parts:
        return Call(self.forward()).partial(linear)

    def forward(self) -> Jaxpr:
        """The loop that computes the known carry again along with the linear one."""
        key = ("forward", self)
        memo = self.loop.body.memo
        if key not in memo:
            memo[key] = stage(self._forward, self.in_avals(), self.loop.body.name)
        return memo[key]

    def _forward(self, *operands: Any) -> list[Any]:
        loop, flags = self.loop, self.loop.groups(self.inside)[1]
        kept, consts, tangents, xs = self.parts_of(operands)
        slots, given = iter(kept[3:]), iter(tangents)
        carry = [next(given) if lin else read(next(slots), number(0)) for lin in flags]
        wanted = self.linear_outs[loop.carry :]
        outs = zip(loop.body.out_avals[loop.carry :], wanted)
        ys = [full_like(loop.stacked(a), 0) for a, flag in outs if flag]

        def step(position: Any, *values: Any) -> list[Any]:
            carry, ys = split_list(values, loop.carry)
            outs = eval_jaxpr(loop.body, [*consts, *carry, *loop.slices(xs, position)])
            new = [o for o, flag in zip(outs[loop.carry :], wanted) if flag]
            at = loop.place(position) if ys else None
            ys = [write(y, at, o) for y, o in zip(ys, new)]
            return [position + 1, *outs[: loop.carry], *ys]

        outs = loop.repeat(lambda position, *_: position < kept[0], step, [number(0), *carry, *ys])
        carry, ys = split_list(outs[1:], loop.carry)
        return [*[c for c, lin in zip(carry, flags) if lin], *ys]

    def transpose_with(
        self, transpose_jaxpr: Any, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        linear = self.linear
        cts = [full_like(a, 0) if ct is ZERO else ct for ct, a in zip(cts, self.out_avals)]
        key = ("backward", self)
        memo = self.loop.body.memo
        if key not in memo:
            memo[key] = self._backward_program(transpose_jaxpr)
        program: Jaxpr = memo[key]
        operands = [a for a, lin in zip(args, linear) if not lin]
        found = iter(Call(program.closed_over()).bind(*program.consts, *operands, *cts))
        outs = woven(linear, found, repeat(None))
        return [ct if type(a) is LinearInput else None for a, ct in zip(args, outs)]

    def _backward_program(self, transpose_jaxpr: Any) -> Jaxpr:
        """The program from the operands that are not linear and cotangents of the results to those
        of the linear operands.
        """
        loop = self.loop
        const_flags, carry_flags, x_flags = loop.groups(self.inside)
        consts, _, xs = loop.groups(loop.body.in_avals)
        summed = [a.strong for a, lin in zip(consts, const_flags) if lin]
        stacked = [loop.stacked(a) for a, lin in zip(xs, x_flags) if lin]
        n_fixed, n_slices = len(consts) - len(summed), len(xs) - len(stacked)
        n_carry = sum(carry_flags)
        pull_back = self._pull_back(transpose_jaxpr)

        def backward(*args: Any) -> list[Any]:
            kept, fixed, xs, cts = split_list(args, self.kept, n_fixed, n_slices)
            ct_carry, ct_ys = split_list(cts, n_carry)

            def step(position: Any, carry: list) -> list[Any]:
                ins = [*fixed, *carry, *loop.slices(xs, position)]
                return eval_jaxpr(self.body.known, ins)[: len(carry)]

            def back(position: Any, carry: list, state: list) -> list[Any]:
                ct_carry, sums, ct_xs = split_list(state, n_carry, len(summed))
                at = loop.place(position) if xs or ct_xs or ct_ys else None
                incoming = [*ct_carry, *[read(ct, at) for ct in ct_ys]]
                moved = iter(pull_back([*fixed, *carry, *[read(x, at) for x in xs]], incoming))
                sums = [_plus(s, next(moved)) for s in sums]
                found = [(c, next(moved)) for c in ct_carry]
                ct_carry = [full_like(c, 0) if ct is ZERO else ct for c, ct in found]
                rows = [(c, next(moved)) for c in ct_xs]
                ct_xs = [c if ct is ZERO else write(c, at, ct) for c, ct in rows]
                return [*ct_carry, *sums, *ct_xs]

            state = [*ct_carry, *[full_like(a, 0) for a in (*summed, *stacked)]]
            state = go_back(loop.repeat, step, back, kept, state, loop.checkpoints)
            ct_carry, sums, ct_xs = split_list(state, n_carry, len(summed))
            return [*sums, *ct_carry, *ct_xs]

        operands = [a for a, lin in zip(self.in_avals(), self.linear) if not lin]
        return stage(backward, [*operands, *self.out_avals], loop.body.name)

    def _pull_back(self, transpose_jaxpr: Any) -> Callable:
        """The transposed step: from its known inputs and the cotangents of its linear results to
        those of its linear inputs, which may be ZERO.
        """
        body = self.body
        flags = tuple([s is not None and self.inside[s] for s in body.sources])
        zero_cts = (False,) * len(body.tangent.outs)
        pulled, closed, zero_outs = transpose_jaxpr(body.tangent, flags, zero_cts)
        count = len(body.known.outs) - sum([s is None for s in body.sources])

        def pull_back(known: list, cts: list) -> list[Any]:
            computed = eval_jaxpr(body.known, known)[count:]
            given = iter(known)
            inputs = body.inputs(woven(self.inside, repeat(None), given), computed)
            residuals = [r for r, lin in zip(inputs, flags) if not lin]
            found = iter(eval_jaxpr(pulled, [*closed, *residuals, *cts]))
            return woven(zero_outs, repeat(ZERO), found)

        return pull_back


def _plus(total: Any, move: Any) -> Any:
    return total if move is ZERO else total + move
