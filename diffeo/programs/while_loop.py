"""`While`: a program repeated as long as a condition on its carry holds.

The condition and the body are programs. Each has constants of its own, and both take the carry:
what the body returns, and the next step gets. Start reading at `While`, then `lifted`, the way of
forward transformations. Reverse mode, which cannot keep an unknown number of residuals, is in
`replay.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any

from ..primitives.builder import LoweringContext
from ..primitives.core import typeof
from ..primitives.families import HigherOrder
from ..primitives.jaxpr import Jaxpr, Var, eliminate_dead_code, eval_jaxpr, made
from ..primitives.partial import Parts, linear_results, transpose_parts
from ..primitives.staging import stage
from ..primitives.stand_ins import LinearInput
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray, bool_, int32
from ..primitives.words.structural import convert_element_type
from .call import SMALL, check_all_parts_act, check_operands, select_each, split_list, typed, work
from .checkpointing import sensible
from .cond import Cond
from .replay import Loop, replay_parts


@frozen
class While(HigherOrder):
    """Repeat a program, (constants, carry) -> carry, while another, (constants, carry) -> bool,
    says so.

    Operands are `cond_consts` constants of the condition, `body_consts` of the body, and the carry.
    `checkpoints` is the number of carries that reverse mode keeps, by default a sensible number.
    """

    cond: Jaxpr
    body: Jaxpr
    cond_consts: int
    body_consts: int
    checkpoints: int | None = None

    #: A loop of unknown length counts as large.
    work = SMALL
    endless = True

    @property
    def out_avals(self) -> list[ShapedArray]:
        """The types of the results."""
        return self.body.out_avals

    def groups(self, items: Sequence[Any]) -> list[list[Any]]:
        """Split the operands into constants of the condition, those of the body, and the carry."""
        return split_list(items, self.cond_consts, self.body_consts)

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        counts = (self.cond_consts, self.body_consts)
        kept = 4 if self.checkpoints is None else self.checkpoints
        if min(counts) < 0 or sum(counts) > len(avals) or kept < 4:
            raise ValueError(
                f"while: {counts[0]} and {counts[1]} constants and {self.checkpoints} checkpoints "
                f"(at least 4) do not fit {len(avals)} operands"
            )
        first, second, carry = self.groups(avals)
        name = f"while_loop of {self.body.name}"
        check_operands(f"{name}: the condition", self.cond.in_avals, [*first, *carry])
        check_operands(name, self.body.in_avals, [*second, *carry])
        check_operands(f"{name}: the carry", carry, self.body.out_avals)
        check_operands(f"{name}: the condition", [ShapedArray((), bool_)], self.cond.out_avals)
        return self.out_avals

    def evaluate(self, run: Callable, arrays: Sequence[Any]) -> list[Any]:
        first, second, carry = self.groups(arrays)
        for _ in range(SMALL // (work(self.cond) + work(self.body) + 1)):
            if not bool(eval_jaxpr(self.cond, [*first, *carry])[0]):
                return typed(carry, self.out_avals)
            carry = eval_jaxpr(self.body, [*second, *carry])
        return super().evaluate(run, [*first, *second, *carry])

    def lower(self, ctx: LoweringContext, *operands: Any) -> Any:
        if not self.out_avals and not self.effects:
            return []
        n, m = self.cond_consts, self.cond_consts + self.body_consts

        def going(*values: Any) -> Any:
            return ctx.program(self.cond, [*values[:n], *values[m:]])[0]

        def step(*values: Any) -> list[Any]:
            return [*values[:m], *ctx.program(self.body, values[n:])]

        return ctx.while_region(going, step, operands)[m:]

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        outs = self.lifted(interpreter, values, interpreter.decides)
        if outs is not None:
            return outs
        cond_consts, body_consts, carry = self.groups(values)
        # The condition is not the same everywhere: under vmap, rows of a batch may take different
        # numbers of steps. So the loop goes on while it holds anywhere, and what is done is masked.
        check_all_parts_act(self, interpreter)
        going = interpreter.inline(self.cond, [*cond_consts, *carry])
        running = carry if interpreter.mixes else []
        loop = self.masked(interpreter.mixes)
        operands = [*cond_consts, *body_consts, *going, *carry, *running]

        def decision(value: Any) -> Any:
            array = interpreter.decides(value)
            return interpreter.anywhere(value) if array is None else array

        outs = loop.lifted(interpreter, operands, decision)
        # Without the flag, and without the second carry, if there is one.
        return outs[1 : 1 + len(carry)]  # type: ignore[index]

    def lifted(
        self, interpreter: Any, values: Sequence[Any], decision: Callable
    ) -> list[Any] | None:
        """Apply the loop over transformed programs to an interpreter's values.

        `decision` makes an array of the value of the condition, by which the loop goes on. The
        result is None if `decision` returns None.
        """
        first, second, carry = self.groups(values)
        carry_statics = interpreter.flatten(carry)[1]
        # A step may change the static parts of the carry (give a tangent to a value that starts
        # without one, say). The carry is widened until a step leaves them as they are.
        while True:
            carry = [interpreter.widen(v, s) for v, s in zip(carry, carry_statics)]
            test = self.test(interpreter, first, carry, decision)
            if test is None:
                return None
            arrays, statics = interpreter.flatten([*second, *carry])
            avals = [typeof(a) for a in arrays]
            body, consts, after = interpreter.transform_jaxpr(
                self.body, statics, avals, carry_statics
            )
            if after == carry_statics:
                break
            carry_statics = after
        cond, cond_consts = test
        count = len(interpreter.flatten(carry)[0])
        loop = replace(
            self,
            cond=cond,
            body=body,
            cond_consts=len(cond_consts),
            body_consts=len(consts) + len(arrays) - count,
        )
        return interpreter.unflatten(carry_statics, loop.bind(*cond_consts, *consts, *arrays))

    def test(
        self, interpreter: Any, first: Sequence[Any], carry: Sequence[Any], decision: Callable
    ) -> tuple[Jaxpr, Sequence[Any]] | None:
        """Return the condition on the arrays of values, and the constants that it needs.

        Of what a value has beside the array that decides, a tangent say, nothing is needed. The
        result is None if `decision` returns None.
        """
        arrays, statics = interpreter.flatten([*first, *carry])
        avals = [typeof(a) for a in arrays]
        jaxpr, consts, out_statics = interpreter.transform_jaxpr(self.cond, statics, avals)
        undecided = False

        def decided(*args: Any) -> list[Any]:
            nonlocal undecided
            (value,) = interpreter.unflatten(out_statics, eval_jaxpr(jaxpr, args))
            array = decision(value)
            undecided = array is None
            return [] if undecided else [array]

        staged = stage(decided, jaxpr.in_avals, self.cond.name)
        if undecided:
            return None
        cond = eliminate_dead_code(staged.closed_over())
        # The leading inputs of the condition: what was closed over in `decided`, the constants of
        # the transformed condition, and the arrays of its constants. Those that it does not read
        # are dropped; the carry must stay complete.
        leading = [*staged.consts, *consts, *interpreter.flatten(first)[0]]
        needed = {v for eqn in cond.eqns for v in eqn.inputs if type(v) is Var}
        needed.update([v for v in cond.outs if type(v) is Var])
        is_needed = [v in needed for v in cond.in_vars[: len(leading)]]
        inputs = [*compress(cond.in_vars, is_needed), *cond.in_vars[len(leading) :]]
        program = made(Jaxpr(inputs, cond.eqns, cond.outs, name=cond.name))
        return program, list(compress(leading, is_needed))

    def masked(self, mixes: bool) -> While:
        """Return the loop that carries, before the carry, a flag whether it is going.

        The carry (flag, carry) steps on while the flag is true, and stays as it is from then on; a
        part of a batch that is done so waits for the others.

        With `mixes`, where `select` may mix the two, there is a second carry after the first,
        (flag, carry, running): `running` goes on by itself, and the first carry is the result.
        """
        key = ("masked", self, mixes)
        if key not in self.body.memo:
            n, m = self.cond_consts, self.cond_consts + self.body_consts
            count = len(self.out_avals)

            ins = [Var(a) for a in self.body.in_avals]
            # The program that returns the carry that it gets.
            stay = made(Jaxpr(ins, (), ins[self.body_consts :], name=self.body.name))
            step_or_stay = Cond((stay, self.body))

            def step(*args: Any) -> list[Any]:
                going, carry = args[m], list(args[m + 1 :])
                # The last carry: `running` with `mixes`, else the only one.
                operands = [*args[n:m], *carry[-count:]]
                if mixes:
                    new = eval_jaxpr(self.body, operands)
                    kept = select_each(going, new, carry[:count])
                else:
                    new = kept = step_or_stay.bind(convert_element_type(going, int32), *operands)
                after = eval_jaxpr(self.cond, [*args[:n], *(new if mixes else kept)])[0]
                return [after & going, *kept, *new] if mixes else [after, *kept]

            consts, carry = self.body.in_avals[: self.body_consts], self.body.in_avals[m - n :]
            avals = [*self.cond.in_avals[:n], *consts, ShapedArray((), bool_), *carry]
            avals = [a.strong for a in (*avals, *(carry if mixes else ()))]
            going = stage(lambda going, *_: [going], avals[m:], self.cond.name)
            body = stage(step, avals, self.body.name)
            self.body.memo[key] = While(going, body, 0, m, self.checkpoints)
        return self.body.memo[key]

    def linear_carry(self, linear: Sequence[bool]) -> list[bool]:
        """Find which parts of the carry are linear: those that start so, and those that a step
        makes so.
        """
        _, consts, carry = self.groups(linear)
        # Flags are only ever added, so this ends.
        while True:
            outs = linear_results(self.body, [*consts, *carry])
            after = [a or b for a, b in zip(carry, outs)]
            if after == carry:
                return carry
            carry = after

    def whole(self, linear: Sequence[bool]) -> bool:
        # The condition itself depends on what varies.
        flags = [*linear[: self.cond_consts], *self.linear_carry(linear)]
        return any(linear_results(self.cond, flags))

    def partial(self, linear: Sequence[bool]) -> Parts:
        key = ("partial while", self, tuple(linear))
        if key not in self.body.memo:
            consts, carry = self.groups(linear)[1], self.linear_carry(linear)
            known = [a for a, lin in zip(self.out_avals, carry) if not lin]
            loop = Loop(
                self.body,
                self.body_consts,
                len(carry),
                self.checkpoints or sensible(known),
                repeat,
                going=self.cond,
                going_consts=self.cond_consts,
            )
            self.body.memo[key] = replay_parts(loop, linear, [*consts, *carry], carry)
        return self.body.memo[key]

    def transpose_with(
        self, transpose_jaxpr: Callable, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        linear = [type(a) is LinearInput for a in args]
        return transpose_parts(self.partial(linear), transpose_jaxpr, cts, args)


def repeat(going: Callable, step: Callable, values: Sequence[Any]) -> list[Any]:
    """Bind a `While` of functions of arrays, which may close over other arrays.

    `going(*values)` says whether there is a next step, `step(*values)` returns the next values.
    """
    avals = [typeof(v).strong for v in values]
    cond = stage(lambda *xs: [going(*xs)], avals, "going")
    body = stage(step, avals, "step")
    loop = While(cond.closed_over(), body.closed_over(), len(cond.consts), len(body.consts))
    return loop.bind(*cond.consts, *body.consts, *values)
