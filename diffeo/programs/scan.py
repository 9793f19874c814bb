"""`Scan`: a program repeated a static number of times, with a carry, over slices of arrays.

The program is one step: (constants, carry, slices of xs) -> (carry, slices of ys). Lists of
operands, of types and of flags are kept in this order throughout the file, and `groups` takes such
a list apart.

Words: the *carry* is what a step hands to the next. *Linear* inputs are those that tangents come in
by. The *known part* of a scan computes all that does not depend on linear inputs; its *linear part*
is a scan over tangents; *residuals* are the known values that the linear part needs. See `Parts` in
`primitives/partial.py`.

Start reading at `Scan`, then `interpret`, which the forward transformations use. Reverse mode
splits a scan (`_parts`) and transposes the linear scan (`_transposed`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.builder import LoweringContext
from ..primitives.constants import full_like
from ..primitives.core import typeof
from ..primitives.families import HigherOrder
from ..primitives.jaxpr import Jaxpr, eval_jaxpr, made
from ..primitives.partial import Parts, linear_results, partial_jaxpr, transpose_parts
from ..primitives.staging import stage
from ..primitives.stand_ins import ZERO, LinearInput
from ..primitives.support.frozen import frozen
from ..primitives.support.lists import parted, woven
from ..primitives.types import ShapedArray, int32, int64
from .call import SMALL, Call, check_operands, split_list, typed, work
from .replay import Loop, replay_parts
from .while_loop import repeat


@frozen
class Scan(HigherOrder):
    """Repeat a program: (constants, carry, slices of xs) -> (carry, slices of ys).

    The first `consts` operands are the constants: the same in every step. The next `carry` operands
    are the carry that the first step starts with. The others are the xs, which are sliced along
    their first axis, of size `length`. The results are the carry after the last step, and the ys,
    in which the slices of all steps are stacked.

    With `reverse`, the steps go from the last slice to the first. `unroll` is the number of steps
    that are written in one round of the compiled loop. `checkpoints` is the number of carries that
    reverse mode keeps; by default it keeps what it needs of every step.
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
        """The number of operations that the scan takes, roughly; see `work` in `call.py`."""
        return self.length * work(self.jaxpr)

    def stacked(self, aval: ShapedArray) -> ShapedArray:
        """Return the type of all slices of this type, stacked along a new first axis."""
        return aval.update((self.length, *aval.shape))

    def groups(self, items: Sequence[Any]) -> list[list[Any]]:
        """Split a list with one item for each operand into those of the constants, the carry and
        the xs.

        With `consts=1` and `carry=2`, `[a, b, c, d, e]` becomes `[[a], [b, c], [d, e]]`.
        """
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
        """Raise a ValueError unless the parameters fit the program."""
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
        """Return the numbers of the slices, in the order of the steps."""
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
                y[i] = out.host
        return typed([*carry, *map(Array, ys)], self.out_avals)

    def lower(self, ctx: LoweringContext, *operands: Any) -> Any:
        consts, carry, xs = self.groups(operands)
        ys = [ctx.constant(0, self.stacked(a)) for a in self.jaxpr.out_avals[self.carry :]]
        counter = ShapedArray((), int32 if self.length < 2**31 else int64)
        # A round of the while loop holds `unroll` steps. The remaining steps, or all of them if
        # there is one round only, are written after the loop.
        rounds, remainder = divmod(self.length, max(1, min(self.unroll, self.length)))
        if rounds > 1:
            first = [ctx.constant(0, counter), *consts, *carry, *xs, *ys]

            def body(i: Any, *values: Any) -> list[Any]:
                consts, carry, xs, ys = split_list(
                    values, len(outer_consts), self.carry, len(outer_xs)
                )
                for _ in range(self.unroll):
                    carry, ys = self.lower_step(ctx, i, consts, carry, xs, ys)
                    i = ctx.op("add", i, ctx.constant(1, counter), out=counter)
                return [i, *consts, *carry, *xs, *ys]

            # The names inside `body` hide those outside; it needs the lengths of the lists only.
            outer_consts, outer_xs = consts, xs
            last = ctx.constant(self.length - remainder, counter)
            values = ctx.while_region(lambda i, *_: ctx.compare("LT", i, last), body, first)
            _, _, carry, _, ys = split_list(values, 1, self.consts, self.carry, len(xs))
        else:
            remainder = self.length
        for i in range(self.length - remainder, self.length):
            carry, ys = self.lower_step(ctx, ctx.constant(i, counter), consts, carry, xs, ys)
        return [*carry, *ys]

    def lower_step(
        self, ctx: LoweringContext, i: Any, consts: list, carry: list, xs: list, ys: list
    ) -> tuple[list, list]:
        """Emit one step, which reads and writes slice `i` -> (the new carry, the new ys)."""
        counter = i.aval
        if self.reverse:
            i = ctx.op("subtract", ctx.constant(self.length - 1, counter), i, out=counter)
        zero = ctx.constant(0, counter)
        # slices[k] = xs[k][i]: a window of size 1 along the first axis, without this axis.
        slices = []
        for x, aval in zip(xs, self.jaxpr.in_avals[self.consts + self.carry :]):
            window = aval.update((1, *aval.shape))
            starts = [i, *[zero] * aval.ndim]
            sizes = ctx.i64s(window.shape)
            sliced = ctx.op("dynamic_slice", x, *starts, out=window, slice_sizes=sizes)
            slices.append(ctx.op("reshape", sliced, out=aval))
        outs = ctx.program(self.jaxpr, [*consts, *carry, *slices])
        # ys[k][i] = out, and the reshape the other way round.
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
        carry_statics = interpreter.flatten(carry)[1]
        # The static parts of the carry must be the same before and after a step (a value that
        # starts without a tangent, say, may get one). So the carry is widened until they are.
        while True:
            carry = [interpreter.widen(v, s) for v, s in zip(carry, carry_statics)]
            outer, statics = interpreter.flatten([*consts, *carry])
            slices, slice_statics = interpreter.flatten(xs)
            avals = [typeof(a) for a in outer]
            avals += [a.update(a.shape[1:]) for a in [typeof(x) for x in slices]]
            jaxpr, closed, out_statics = interpreter.transform_jaxpr(
                self.jaxpr, (*statics, *slice_statics), avals, carry_statics
            )
            if out_statics[: self.carry] == carry_statics:
                break
            carry_statics = out_statics[: self.carry]
        # One value may be several arrays, so the numbers of operands are counted anew. The arrays
        # that the transformed program closed over are further constants.
        count = sum([interpreter.count(s) for s in carry_statics])
        scan = replace(self, jaxpr=jaxpr, consts=len(closed) + len(outer) - count, carry=count)
        outs = scan.bind(*closed, *outer, *slices)
        stacked = [interpreter.stacked(s) for s in out_statics[self.carry :]]
        return interpreter.unflatten([*carry_statics, *stacked], outs)

    def linear_carry(self, linear: Sequence[bool]) -> tuple[list[bool], list[bool]]:
        """Find which inputs of the program are linear, and which of its results.

        A carry that starts as a known value is linear all the same if a step makes it depend on a
        linear input. For a step `(c, x) -> (c + x,)` with linear `x`, the carry `c` is known before
        the first step only, so both inputs are linear.

        Returns:
            One flag for each input of the program, and one flag for each of its results.
        """
        consts, carry, xs = self.groups(linear)
        # A linear result makes the carry linear that the next step gets, and this may make further
        # results linear. Flags are only ever added, so this ends.
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
        """Return the scan in the form in which reverse mode with checkpoints reads it."""
        kept = self.checkpoints or 0
        return Loop(self.jaxpr, self.consts, self.carry, kept, repeat, self.length, self.reverse)

    def _parts(
        self, linear: Sequence[bool], inside: Sequence[bool], linear_outs: Sequence[bool]
    ) -> Parts:
        """Split the scan into a known scan and a linear scan.

        A residual of the step reaches the linear scan on one of three ways. If it depends on
        constants only, it is computed once, before the known scan, and is a constant of the linear
        scan. If it is an operand of the whole scan, that operand is passed on. Any other residual
        differs from step to step: the known scan returns all of them stacked, and they are xs of
        the linear scan.

        Take the step `(w, c, x) -> (c * sin(w) + c * x + c * exp(x),)` with a known constant `w`,
        known slices `x` and a linear carry `c`. Then `sin(w)` is computed once, `x` is passed on,
        and the known scan stacks the values of `exp(x)`.

        Args:
            linear: for each operand of the scan, whether it is linear.
            inside: for each input of the program, the same, as `linear_carry` says.
            linear_outs: for each result of the program, the same.
        """
        body = partial_jaxpr(self.jaxpr, inside, linear_outs)
        groups = self.groups(range(len(inside)))
        # Which inputs of the linear step only a known step can provide: what it computes (without a
        # source), and the known carry that it starts with.
        from_step = [s is None or (s in groups[1] and not inside[s]) for s in body.sources]
        count = len(linear_outs) - sum(linear_outs)
        computed = iter(body.known.outs[count:])
        step_residuals = [
            next(computed) if s is None else self.jaxpr.in_vars[s]
            for s, flag in zip(body.sources, from_step)
            if flag
        ]
        # The known step returns its known results, and then all of these residuals.
        outs = [*body.known.outs[:count], *step_residuals]
        known_step = made(Jaxpr(body.known.in_vars, body.known.eqns, outs, name=self.jaxpr.name))
        known_inputs = [[i for i in group if not inside[i]] for group in groups]
        # Split the known step once more. Here 'linear' stands for 'varies from step to step': that
        # is true of the carry and the slices, and of the results that the scan must return; and
        # effects must happen in each step.
        step_parts = partial_jaxpr(
            known_step,
            [i >= len(known_inputs[0]) for i in range(len(known_step.in_vars))],
            [i < count for i in range(len(outs))],
            effects=True,
        )
        # For each residual, whether it depends on constants only.
        fixed = iter([not flag for flag in step_parts.linear_outs[count:]])
        # The operands of the linear scan, as pairs of a variable and its source in the whole scan.
        # Residuals without a source are met in the order in which the known part returns them:
        # first those among the constants, then those among the xs.
        consts, carry, xs = [], [], []
        for var, s, flag in zip(body.linear.in_vars, body.sources, from_step):
            if flag:
                (consts if next(fixed) else xs).append((var, None))
            else:
                (consts if s in groups[0] else carry if s in groups[1] else xs).append((var, s))
        sourced = [*consts, *carry, *xs]
        tangent_ins, name = [v for v, _ in sourced], self.jaxpr.name
        tangent = made(Jaxpr(tangent_ins, body.linear.eqns, body.linear.outs, name=name))
        known_part = self._known_part(linear, known_inputs, step_parts, count)
        return Parts(
            known_part if known_part.out_avals or known_part.effects else None,
            replace(self, jaxpr=tangent, consts=len(consts), carry=len(carry)),
            linear_outs,
            [s for _, s in sourced],
        )

    def _known_part(
        self, linear: Sequence[bool], known: Sequence[list[int]], split: Parts, count: int
    ) -> Call:
        """Return the known part as a call: of what depends on constants only, and of the known
        scan.

        Its operands are those of the whole scan that are not linear. Its results are the `count`
        known results, then the residuals that depend on constants only, then the stacked ones.

        Args:
            linear: for each operand of the scan, whether it is linear.
            known: the positions of the program's inputs that are not linear, in three groups.
            split: the known step, split into what depends on constants only and the remaining step.
            count: the number of known results.
        """

        def run(*operands: Any) -> list[Any]:
            values = dict(zip([i for i, flag in enumerate(linear) if not flag], operands))
            ins = [values[i] for group in known for i in group]
            # Once: the residuals that depend on constants only, and what the scan needs of them.
            precomputed = eval_jaxpr(split.known, ins[: len(known[0])])
            fixed = len(split.linear_outs) - sum(split.linear_outs)
            # The inputs of the remaining step are its constants, then the carry and the slices,
            # which count as linear in `split`.
            inputs = split.inputs(ins, precomputed[fixed:])
            scan = replace(
                self,
                jaxpr=split.linear,
                consts=len(inputs) - len(known[1]) - len(known[2]),
                carry=len(known[1]),
            )
            outs = scan.bind(*inputs) if split.linear.outs or split.linear.effects else []
            return [*outs[:count], *precomputed[:fixed], *outs[count:]]

        avals = [a for a, flag in zip(self.operand_avals(), linear) if not flag]
        return Call(stage(run, avals, self.jaxpr.name), compile=False)

    def transpose_with(
        self, transpose_jaxpr: Callable, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        linear = tuple([type(a) is LinearInput for a in args])
        inside, linear_outs = self.linear_carry(linear)
        # If all results are linear, and no checkpoints are asked for (or there is no step), this
        # scan itself is transposed, below. Else it is split: the known part is run, and the linear
        # part is transposed.
        if not all(linear_outs) or (self.checkpoints is not None and self.length):
            return transpose_parts(self.partial(linear), transpose_jaxpr, cts, args)
        zero_cts = tuple([ct is ZERO for ct in cts])
        key = ("transposed scan", self, linear, zero_cts)
        if key not in self.jaxpr.memo:
            self.jaxpr.memo[key] = self._transposed(transpose_jaxpr, inside, zero_cts)
        scan, closed, carried, nonzero = self.jaxpr.memo[key]
        consts, carry, xs = self.groups(args)
        ct_carry, ct_ys = split_list(cts, self.carry)
        # The transposed scan starts with sums of zero for the linear constants, and with the
        # cotangents of the last carry.
        starts = [full_like(c.aval.strong, 0) for c in consts if type(c) is LinearInput]
        starts += [
            full_like(typeof(a).strong if type(a) is not LinearInput else a.aval.strong, 0)
            if ct is ZERO
            else ct
            for a, ct, has_ct in zip(carry, ct_carry, carried)
            if has_ct
        ]
        outs = scan.bind(
            *closed,
            *[c for c in consts if type(c) is not LinearInput],
            *starts,
            *[x for x in xs if type(x) is not LinearInput],
            *[ct for ct in ct_ys if ct is not ZERO],
        )
        # The results are read in order: the sums, the cotangents of the carry, those of the xs.
        results = iter(outs)
        ct_consts = [next(results) if type(c) is LinearInput else None for c in consts]
        ct_starts = woven(carried, results, itertools.repeat(ZERO))
        ct_starts = [ct if type(a) is LinearInput else None for a, ct in zip(carry, ct_starts)]
        flags = iter(nonzero)
        ct_xs = [
            (next(results) if next(flags) else ZERO) if type(x) is LinearInput else None for x in xs
        ]
        return [*ct_consts, *ct_starts, *ct_xs]

    def _transposed(
        self, transpose_jaxpr: Callable, inside: Sequence[bool], zero_cts: Sequence[bool]
    ) -> tuple[Scan, Sequence[Any], list[bool], list[bool]]:
        """Build the scan over the transposed step, which runs in the other direction.

        The transposed step takes and returns

            constants:  what the transposed program closed over, the constants that are not linear
            carry:      sums of the cotangents of linear constants, the cotangents of the carry
            xs:         the slices that are not linear, the cotangents of the slices of ys
            ys:         the cotangents of the linear slices

        For the step `(w, c, x) -> (c + w * x, c)`, with `w` and `c` linear, the transposed step is
        `(sum_w, ct_c, x, ct_y) -> (sum_w + ct_c * x, ct_c + ct_y)`. Parts of the carry, ys and xs
        whose cotangents are zero in every step have no operand or result for them.

        Returns:
            The scan, the leading constants of its own, which parts of the carry have a cotangent,
            and for each linear one of the xs whether it has a cotangent that is not zero.
        """
        carried = [not zero for zero in zero_cts[: self.carry]]
        zero_ys = tuple(zero_cts[self.carry :])
        # A carry without a cotangent after the last step may have one before it, which earlier
        # steps must take. So the flags are widened until they are the same before and after.
        while True:
            zeros = (*[not has_ct for has_ct in carried], *zero_ys)
            jaxpr, closed, zero_outs = transpose_jaxpr(self.jaxpr, tuple(inside), zeros)
            zero_flags = iter(zero_outs)
            zero_ins = woven(inside, zero_flags, itertools.repeat(True))
            _, after, _ = self.groups(zero_ins)
            widened = [has_ct or not zero for has_ct, zero in zip(carried, after)]
            if widened == carried:
                break
            carried = widened
        consts, carry, xs = self.groups(self.jaxpr.in_avals)
        lin_consts, _, lin_xs = self.groups(inside)
        zero_consts, zero_carry, zero_xs = self.groups(zero_ins)
        sums, fixed = parted(lin_consts, [a.strong for a in consts])
        starts = [a.strong for a, has_ct in zip(carry, carried) if has_ct]
        slices = [a.strong for a, lin in zip(xs, lin_xs) if not lin]
        outs = [a.strong for a in self.jaxpr.out_avals[self.carry :]]
        ct_ys = [a for a, zero in zip(outs, zero_ys) if not zero]
        closed_avals = [typeof(c).strong for c in closed]

        def step(*args: Any) -> list[Any]:
            leading, residuals, totals, ct_carry, x_slices, ct_out = split_list(
                args, len(closed), len(fixed), len(sums), len(starts), len(slices)
            )
            # The transposed program skips cotangents that are zero; the iterator has only the
            # others.
            cts = iter(eval_jaxpr(jaxpr, [*leading, *residuals, *x_slices, *ct_carry, *ct_out]))
            moves = [
                ZERO if zero else next(cts) for zero, lin in zip(zero_consts, lin_consts) if lin
            ]
            totals = [t if added is ZERO else t + added for t, added in zip(totals, moves)]
            before = [
                (full_like(a, 0) if zero else next(cts))
                for a, zero, has_ct in zip(carry, zero_carry, carried)
                if has_ct
            ]
            ct_slices = [next(cts) for zero, lin in zip(zero_xs, lin_xs) if lin and not zero]
            return [*totals, *before, *ct_slices]

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
        """Return the types of the operands."""
        consts, carry, xs = self.groups(self.jaxpr.in_avals)
        return [a.strong for a in (*consts, *carry, *[self.stacked(x) for x in xs])]
