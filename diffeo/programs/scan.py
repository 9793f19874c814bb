"""`Scan`: a program repeated a static number of times, with a carry, over slices of arrays."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.constants import full_like
from ..primitives.core import typeof
from ..primitives.families import HigherOrder
from ..primitives.jaxpr import Jaxpr, eval_jaxpr, made
from ..primitives.partial import Parts, linear_results, partial_jaxpr, transpose_parts
from ..primitives.staging import stage
from ..primitives.stand_ins import ZERO, LinearInput
from ..primitives.support.frozen import frozen
from ..primitives.support.lists import woven
from ..primitives.types import ShapedArray, int32, int64
from .call import SMALL, Call, check_operands, split_list, typed, work
from .replay import Loop, replay_parts
from .while_loop import repeat


@frozen
class Scan(HigherOrder):
    """Repeat a program: (constants, carry, slices of xs) -> (carry, slices of ys).

    The first `consts` operands are the same in every step, the next `carry` are those that the
    first step starts with; the others are sliced along their first axis, of size `length`. With
    `reverse`, from the last slice to the first. `checkpoints`: how many carries reverse mode
    keeps; by default it keeps what it needs of every step.
    """

    jaxpr: Jaxpr
    length: int
    consts: int
    carry: int
    reverse: bool = False
    unroll: int = 1
    checkpoints: int | None = None

    @property
    def out_avals(self) -> list[ShapedArray]:
        """The types of the results."""
        outs = self.jaxpr.out_avals
        return [*outs[: self.carry], *[self.stacked(a) for a in outs[self.carry :]]]

    @property
    def work(self) -> int:
        """See `work`."""
        return self.length * work(self.jaxpr)

    def stacked(self, aval: ShapedArray) -> ShapedArray:
        """The type of all slices."""
        return aval.update((self.length, *aval.shape))

    def groups(self, items: Sequence[Any]) -> list[list[Any]]:
        """What belongs to the constants, the carry and the xs."""
        return split_list(items, self.consts, self.carry)

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        self.check()
        consts, carry, xs = self.groups(self.jaxpr.in_avals)
        expected = [*consts, *carry, *[self.stacked(a) for a in xs]]
        check_operands(f"scan of {self.jaxpr.name}", expected, avals)
        outs = self.jaxpr.out_avals[: self.carry]
        check_operands(f"scan of {self.jaxpr.name}: the carry", carry, outs)
        return self.out_avals

    def check(self) -> None:
        """ValueError unless the parameters fit the program."""
        least = {"length": 0, "consts": 0, "carry": 0, "unroll": 1, "checkpoints": 4}
        for name, low in least.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise ValueError(f"scan: {name} must be at least {low}, got {value}")
        ins, outs = len(self.jaxpr.in_vars), len(self.jaxpr.outs)
        if self.consts + self.carry > ins or self.carry > outs:
            raise ValueError(
                f"scan: {self.consts} constants and a carry of {self.carry} do not fit a program "
                f"of {ins} inputs and {outs} results"
            )

    # -- Evaluation and lowering --

    def order(self) -> Iterator[int]:
        """The numbers of the slices, in the order of the steps."""
        return iter(range(self.length)[:: -1 if self.reverse else 1])

    def evaluate(self, run: Callable, arrays: Sequence[Any]) -> list[Any]:
        if self.work > SMALL:
            return super().evaluate(run, arrays)
        consts, carry, xs = self.groups(arrays)
        avals = self.jaxpr.out_avals[self.carry :]
        ys = [np.empty((self.length, *a.shape), a.dtype) for a in avals]
        for i in self.order():
            slices = [Array(x.host[i], x.weak_type) for x in xs]
            outs = eval_jaxpr(self.jaxpr, [*consts, *carry, *slices])
            carry = outs[: self.carry]
            for y, out in zip(ys, outs[self.carry :]):
                y[i] = np.asarray(out)
        return typed([*carry, *map(Array, ys)], self.out_avals)

    def lower(self, ctx: Any, *operands: Any) -> Any:
        consts, carry, xs = self.groups(operands)
        ys = [ctx.constant(0, self.stacked(a)) for a in self.jaxpr.out_avals[self.carry :]]
        counter = ShapedArray((), int32 if self.length < 2**31 else int64)
        rounds, rest = divmod(self.length, max(1, min(self.unroll, self.length)))
        if rounds > 1:
            first = [ctx.constant(0, counter), *consts, *carry, *xs, *ys]

            def body(i: Any, *values: Any) -> list[Any]:
                consts, carry, xs, ys = split_list(values, len(consts_), self.carry, len(xs_))
                for _ in range(self.unroll):
                    carry, ys = self.lower_step(ctx, i, consts, carry, xs, ys)
                    i = ctx.op("add", i, ctx.constant(1, counter), out=counter)
                return [i, *consts, *carry, *xs, *ys]

            consts_, xs_ = consts, xs
            last = ctx.constant(self.length - rest, counter)
            values = ctx.while_region(lambda i, *_: ctx.compare("LT", i, last), body, first)
            _, _, carry, _, ys = split_list(values, 1, self.consts, self.carry, len(xs))
        else:
            rest = self.length
        for i in range(self.length - rest, self.length):
            carry, ys = self.lower_step(ctx, ctx.constant(i, counter), consts, carry, xs, ys)
        return [*carry, *ys]

    def lower_step(
        self, ctx: Any, i: Any, consts: list, carry: list, xs: list, ys: list
    ) -> tuple[list, list]:
        """Emit one step."""
        counter = i.aval
        if self.reverse:
            i = ctx.op("subtract", ctx.constant(self.length - 1, counter), i, out=counter)
        zero = ctx.constant(0, counter)
        slices = []
        for x, aval in zip(xs, self.jaxpr.in_avals[self.consts + self.carry :]):
            window = aval.update((1, *aval.shape))
            starts = [i, *[zero] * aval.ndim]
            sizes = ctx.i64s(window.shape)
            taken = ctx.op("dynamic_slice", x, *starts, out=window, slice_sizes=sizes)
            slices.append(ctx.op("reshape", taken, out=aval))
        outs = ctx.program(self.jaxpr, [*consts, *carry, *slices])
        written = []
        for y, out in zip(ys, outs[self.carry :]):
            window = ctx.op("reshape", out, out=out.aval.update((1, *out.aval.shape)))
            starts = [i, *[zero] * out.aval.ndim]
            written.append(ctx.op("dynamic_update_slice", y, window, *starts, out=y.aval))
        return outs[: self.carry], written

    # -- Transformations --

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        consts, carry, xs = self.groups(values)
        xs = [interpreter.unstack(x) for x in xs]
        wanted = interpreter.flatten(carry)[1]
        while True:
            carry = [interpreter.widen(v, s) for v, s in zip(carry, wanted)]
            outer, statics = interpreter.flatten([*consts, *carry])
            slices, slice_statics = interpreter.flatten(xs)
            avals = [typeof(a) for a in outer]
            avals += [a.update(a.shape[1:]) for a in [typeof(x) for x in slices]]
            jaxpr, closed, out_statics = interpreter.transform_jaxpr(
                self.jaxpr, (*statics, *slice_statics), avals, wanted
            )
            if out_statics[: self.carry] == wanted:
                break
            wanted = out_statics[: self.carry]
        count = sum([interpreter.count(s) for s in wanted])
        scan = replace(self, jaxpr=jaxpr, consts=len(closed) + len(outer) - count, carry=count)
        outs = scan.bind(*closed, *outer, *slices)
        stacked = [interpreter.stacked(s) for s in out_statics[self.carry :]]
        return interpreter.unflatten([*wanted, *stacked], outs)

    def linear_carry(self, linear: Sequence[bool]) -> tuple[list[bool], list[bool]]:
        """Which inputs of the program are linear, those included that steps before make so; and
        which of its results.
        """
        consts, carry, xs = self.groups(linear)
        while True:
            outs = linear_results(self.jaxpr, [*consts, *carry, *xs])
            after = [a or b for a, b in zip(carry, outs)]
            if after == carry:
                return [*consts, *carry, *xs], [*carry, *outs[self.carry :]]
            carry = after

    def partial(self, linear: Sequence[bool]) -> Parts:
        key = ("partial scan", self, tuple(linear))
        if key not in self.jaxpr.memo:
            inside, linear_outs = self.linear_carry(linear)
            self.jaxpr.memo[key] = (
                self._parts(linear, inside, linear_outs)
                if self.checkpoints is None or not self.length  # there is nothing to keep
                else replay_parts(self.loop(), linear, inside, linear_outs)
            )
        return self.jaxpr.memo[key]

    def loop(self) -> Loop:
        """The scan as reverse mode with checkpoints sees it."""
        kept = self.checkpoints or 0
        return Loop(self.jaxpr, self.consts, self.carry, kept, repeat, self.length, self.reverse)

    def _parts(
        self, linear: Sequence[bool], inside: Sequence[bool], linear_outs: Sequence[bool]
    ) -> Parts:
        """A known scan and a linear one. Residuals that depend on constants only are computed
        before the known one, operands are passed on, the others are stacked.
        """
        body = partial_jaxpr(self.jaxpr, inside, linear_outs)
        groups = self.groups(range(len(inside)))
        # The residuals of a step that are neither constants nor slices: computed, or its carry.
        is_own = [s is None or (s in groups[1] and not inside[s]) for s in body.sources]
        count = len(linear_outs) - sum(linear_outs)
        computed = iter(body.known.outs[count:])
        own = [
            next(computed) if s is None else self.jaxpr.in_vars[s]
            for s, flag in zip(body.sources, is_own)
            if flag
        ]
        outs = [*body.known.outs[:count], *own]
        step = made(Jaxpr(body.known.in_vars, body.known.eqns, outs, name=self.jaxpr.name))
        known = [[i for i in group if not inside[i]] for group in groups]
        split = partial_jaxpr(
            step,
            [i >= len(known[0]) for i in range(len(step.in_vars))],
            [i < count for i in range(len(outs))],
            effects=True,
        )
        fixed = iter([not flag for flag in split.linear_outs[count:]])
        consts, carry, xs = [], [], []  # of the linear scan: variables with their sources
        for var, s, flag in zip(body.tangent.in_vars, body.sources, is_own):
            if flag:
                (consts if next(fixed) else xs).append((var, None))
            else:
                (consts if s in groups[0] else carry if s in groups[1] else xs).append((var, s))
        inputs = [*consts, *carry, *xs]
        ins, name = [v for v, _ in inputs], self.jaxpr.name
        tangent = made(Jaxpr(ins, body.tangent.eqns, body.tangent.outs, name=name))
        first = self._known_part(linear, known, split, count)
        return Parts(
            first if first.out_avals or first.effects else None,
            replace(self, jaxpr=tangent, consts=len(consts), carry=len(carry)),
            linear_outs,
            [s for _, s in inputs],
        )

    def _known_part(
        self, linear: Sequence[bool], known: Sequence[list[int]], split: Parts, count: int
    ) -> Call:
        """What depends on constants only, and the scan of the rest -> (`count` known results, the
        residuals of the first, those of each step).
        """

        def run(*operands: Any) -> list[Any]:
            given = dict(zip([i for i, flag in enumerate(linear) if not flag], operands))
            ins = [given[i] for group in known for i in group]
            before = eval_jaxpr(split.known, ins[: len(known[0])])
            fixed = len(split.linear_outs) - sum(split.linear_outs)
            inputs = split.inputs(ins, before[fixed:])
            scan = replace(
                self,
                jaxpr=split.tangent,
                consts=len(inputs) - len(known[1]) - len(known[2]),
                carry=len(known[1]),
            )
            outs = scan.bind(*inputs) if split.tangent.outs or split.tangent.effects else []
            return [*outs[:count], *before[:fixed], *outs[count:]]

        avals = [a for a, flag in zip(self.operand_avals(), linear) if not flag]
        return Call(stage(run, avals, self.jaxpr.name), compile=False)

    def transpose_with(
        self, transpose_jaxpr: Any, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        linear = tuple([type(a) is LinearInput for a in args])
        inside, linear_outs = self.linear_carry(linear)
        if not all(linear_outs) or (self.checkpoints is not None and self.length):
            return transpose_parts(self.partial(linear), transpose_jaxpr, cts, args)
        zero_cts = tuple([ct is ZERO for ct in cts])
        key = ("transposed scan", self, linear, zero_cts)
        if key not in self.jaxpr.memo:
            self.jaxpr.memo[key] = self._transposed(transpose_jaxpr, inside, zero_cts)
        scan, closed, carried, nonzero = self.jaxpr.memo[key]
        consts, carry, xs = self.groups(args)
        ct_carry, ct_ys = split_list(cts, self.carry)
        starts = [full_like(c.aval.strong, 0) for c in consts if type(c) is LinearInput]
        starts += [
            full_like(typeof(a).strong if type(a) is not LinearInput else a.aval.strong, 0)
            if ct is ZERO
            else ct
            for a, ct, there in zip(carry, ct_carry, carried)
            if there
        ]
        outs = scan.bind(
            *closed,
            *[c for c in consts if type(c) is not LinearInput],
            *starts,
            *[x for x in xs if type(x) is not LinearInput],
            *[ct for ct in ct_ys if ct is not ZERO],
        )
        found = iter(outs)
        ct_consts = [next(found) if type(c) is LinearInput else None for c in consts]
        ct_starts = woven(carried, found, itertools.repeat(ZERO))
        ct_starts = [ct if type(a) is LinearInput else None for a, ct in zip(carry, ct_starts)]
        flags = iter(nonzero)
        ct_xs = [
            (next(found) if next(flags) else ZERO) if type(x) is LinearInput else None for x in xs
        ]
        return [*ct_consts, *ct_starts, *ct_xs]

    def _transposed(
        self, transpose_jaxpr: Any, inside: Sequence[bool], zero_cts: Sequence[bool]
    ) -> tuple[Scan, Sequence[Any], list[bool], list[bool]]:
        """The scan in the other direction: (residual constants, sums of the cotangents of the
        others and those of the carry, residual slices and cotangents of ys) -> (sums, carry,
        cotangents of xs); its constants, which carries have a cotangent, and which xs.
        """
        carried = [not zero for zero in zero_cts[: self.carry]]
        zero_ys = tuple(zero_cts[self.carry :])
        while True:
            zeros = (*[not there for there in carried], *zero_ys)
            jaxpr, closed, zero_outs = transpose_jaxpr(self.jaxpr, tuple(inside), zeros)
            given = iter(zero_outs)
            zero_ins = woven(inside, given, itertools.repeat(True))
            _, after, _ = self.groups(zero_ins)
            joined = [there or not zero for there, zero in zip(carried, after)]
            if joined == carried:
                break
            carried = joined
        consts, carry, xs = self.groups(self.jaxpr.in_avals)
        lin_consts, _, lin_xs = self.groups(inside)
        zero_consts, zero_carry, zero_xs = self.groups(zero_ins)
        fixed = [a.strong for a, lin in zip(consts, lin_consts) if not lin]
        sums = [a.strong for a, lin in zip(consts, lin_consts) if lin]
        starts = [a.strong for a, there in zip(carry, carried) if there]
        slices = [a.strong for a, lin in zip(xs, lin_xs) if not lin]
        outs = [a.strong for a in self.jaxpr.out_avals[self.carry :]]
        ct_ys = [a for a, zero in zip(outs, zero_ys) if not zero]
        closed_avals = [typeof(c).strong for c in closed]

        def step(*args: Any) -> list[Any]:
            own, residuals, totals, ct_carry, taken, ct_out = split_list(
                args, len(closed), len(fixed), len(sums), len(starts), len(slices)
            )
            found = iter(eval_jaxpr(jaxpr, [*own, *residuals, *taken, *ct_carry, *ct_out]))
            moves = [
                ZERO if zero else next(found) for zero, lin in zip(zero_consts, lin_consts) if lin
            ]
            totals = [t if m is ZERO else t + m for t, m in zip(totals, moves)]
            before = [
                (full_like(a, 0) if zero else next(found))
                for a, zero, there in zip(carry, zero_carry, carried)
                if there
            ]
            rest = [next(found) for zero, lin in zip(zero_xs, lin_xs) if lin and not zero]
            return [*totals, *before, *rest]

        body = stage(
            step, [*closed_avals, *fixed, *sums, *starts, *slices, *ct_ys], self.jaxpr.name
        )
        scan = replace(
            self,
            jaxpr=body.closed_over(),
            consts=len(body.consts) + len(closed) + len(fixed),
            carry=len(sums) + len(starts),
            reverse=not self.reverse,
        )
        nonzero = [not zero for zero, lin in zip(zero_xs, lin_xs) if lin]
        return scan, [*body.consts, *closed], carried, nonzero

    def operand_avals(self) -> list[ShapedArray]:
        """The types of the operands."""
        consts, carry, xs = self.groups(self.jaxpr.in_avals)
        return [a.strong for a in (*consts, *carry, *[self.stacked(x) for x in xs])]
