"""`Checkpoint`: a program of which reverse mode keeps little, and computes the rest again.

A program is split into a known and a linear part as any other (`primitives/partial.py`). Then the
equations that compute the residuals are added to the linear part, so that it takes the operands of
the program instead of the residuals. Start reading at `Checkpoint._parts`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..operations.identity import OptimizationBarrier
from ..primitives.builder import LoweringContext
from ..primitives.core import typeof
from ..primitives.jaxpr import Eqn, Jaxpr, Var, eliminate_dead_code, made
from ..primitives.partial import Parts, partial_jaxpr
from ..primitives.support.frozen import frozen
from .call import Call


@frozen
class Checkpoint(Call):
    """Call a program; its linear part takes the operands and computes its residuals again.

    `policy(primitive, *avals)` says which results of primitives are kept all the same. `barrier` is
    set for the linear part: then, unless `prevent_cse` is false, its operands pass through a
    barrier, so that the compiler cannot take what was computed before for what is computed again.
    `prevent_cse` may also be a tuple with a flag for each operand; then the barrier is an equation
    of the linear part.
    """

    recomputed = True
    compile: bool = False
    policy: Callable[..., bool] | None = None
    barrier: bool = False
    prevent_cse: bool | tuple[bool, ...] = True

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        if self.barrier and self.prevent_cse and values:
            values = tuple(OptimizationBarrier().lower(ctx, *values))
        return ctx.program(self.jaxpr, values)

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        if isinstance(self.prevent_cse, bool):
            return super().interpret(interpreter, values)
        arrays, statics = interpreter.flatten(values)
        avals = [typeof(a) for a in arrays]
        jaxpr, consts, out_statics = interpreter.transform_jaxpr(self.jaxpr, statics, avals)
        # One value may be several arrays, each of which has the flag of the value.
        spread = zip(self.prevent_cse, map(interpreter.count, statics))
        flags = *[False] * len(consts), *[f for f, n in spread for _ in range(n)]
        outs = replace(self, jaxpr=jaxpr, prevent_cse=flags).bind(*consts, *arrays)
        return interpreter.unflatten(out_statics, outs)

    def partial(self, linear: Sequence[bool]) -> Parts:
        key = ("partial checkpoint", self, tuple(linear))
        if key not in self.jaxpr.memo:
            self.jaxpr.memo[key] = self._parts(linear)
        return self.jaxpr.memo[key]

    def _parts(self, linear: Sequence[bool]) -> Parts:
        """Split the program into a known part, and a linear part that computes residuals again.

        For `sin(x) * t` with a linear `t`, the linear part is `(x, t) -> sin(x) * t`. If the policy
        keeps the results of `sin`, the known part is `x -> sin(x)`, and the linear part multiplies
        only.
        """
        program = without_calls(self.jaxpr)
        parts = partial_jaxpr(program, linear)
        count = len(parts.linear_outs) - sum(parts.linear_outs)
        eqns: list[Eqn] = parts.known.eqns
        kept = [v for eqn in eqns if self.keeps(eqn) for v in eqn.outs]
        inputs = dict(zip(program.in_vars, range(len(program.in_vars))))
        # The values that the linear part may start from, for nothing.
        available = dict.fromkeys([*inputs, *kept])
        # Both parts use one set of variables, so they are one program when written one after the
        # other; an equation that the linear part repeats may be in both, or be kept.
        both = {id(eqn): eqn for eqn in (*eqns, *parts.linear.eqns)}.values()
        again = [eqn for eqn in both if not all([v in available for v in eqn.outs])]
        # From all available values to the linear results: what is not needed drops out.
        recomputing = eliminate_dead_code(Jaxpr([*available], again, parts.linear.outs))
        used = {v for eqn in recomputing.eqns for v in eqn.inputs if type(v) is Var} | set(
            recomputing.outs
        )
        # The operands of the linear part: those of the program, which are passed on, and results
        # that are kept, which the known part returns.
        needed = [v for v in available if v in used]
        computed = [v for v in needed if v not in inputs]
        outs = [*parts.known.outs[:count], *computed]
        known = Jaxpr(parts.known.in_vars, eqns, outs, name=program.name)
        known = made(eliminate_dead_code(known))
        tangent = Jaxpr(needed, recomputing.eqns, recomputing.outs, name=program.name)
        whole = isinstance(self.prevent_cse, bool)
        if not whole:
            flags = [v not in inputs or self._passes(inputs[v], linear) for v in needed]
            tangent = behind_barrier(tangent, flags)
        return Parts(
            Call(known, self.compile) if known.outs or known.effects else None,
            replace(
                self,
                jaxpr=made(tangent),
                barrier=whole,
                prevent_cse=self.prevent_cse if whole else False,
            ),
            parts.linear_outs,
            [inputs.get(v) for v in needed],
        )

    def _passes(self, i: int, linear: Sequence[bool]) -> bool:
        """Return whether operand `i` passes through the barrier: no tangent does."""
        return self.prevent_cse[i] and not linear[i]  # type: ignore

    def keeps(self, eqn: Eqn) -> bool:
        """Return whether the results of an equation are kept.

        The policy says so; those of effects are always kept, as effects do not happen again.
        """
        if self.policy is None or eqn.primitive.effects:
            return bool(eqn.primitive.effects)
        return bool(self.policy(eqn.primitive, *[v.aval for v in eqn.inputs]))


def behind_barrier(program: Jaxpr, flags: Sequence[bool]) -> Jaxpr:
    """Return the program, whose inputs with a flag first pass through a barrier together."""
    passing = [v for v, flag in zip(program.in_vars, flags) if flag]
    if not passing:
        return program
    inside = {v: Var(v.aval) for v in passing}
    put = lambda v: inside.get(v, v) if type(v) is Var else v
    eqns = [Eqn(e.primitive, list(map(put, e.inputs)), e.outs, e.source) for e in program.eqns]
    barrier = Eqn(OptimizationBarrier(), passing, list(inside.values()), None)
    outs = list(map(put, program.outs))
    return Jaxpr(program.in_vars, [barrier, *eqns], outs, name=program.name)


def without_calls(jaxpr: Jaxpr) -> Jaxpr:
    """Return the program with the equations of the programs that it calls in place of the calls."""
    if not any([type(eqn.primitive) is Call for eqn in jaxpr.eqns]):
        return jaxpr
    eqns: list[Eqn] = []

    def inline(program: Jaxpr, env: dict) -> list[Any]:
        env = dict(env)
        for eqn in program.eqns:
            inputs = [env[v] if type(v) is Var else v for v in eqn.inputs]
            if type(eqn.primitive) is Call:
                inner = eqn.primitive.jaxpr
                outs = inline(inner, dict(zip(inner.in_vars, inputs)))
            else:
                outs = [Var(v.aval) for v in eqn.outs]
                eqns.append(Eqn(eqn.primitive, inputs, outs, eqn.source))
            env.update(zip(eqn.outs, outs))
        return [env[v] if type(v) is Var else v for v in program.outs]

    outs = inline(jaxpr, {v: v for v in jaxpr.in_vars})
    return made(Jaxpr(jaxpr.in_vars, eqns, outs, name=jaxpr.name))
