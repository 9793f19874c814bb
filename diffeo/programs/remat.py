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
    """

    recomputed = True
    compile: bool = False
    policy: Callable[..., bool] | None = None
    barrier: bool = False
    prevent_cse: bool = True

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        if self.barrier and self.prevent_cse and values:
            values = tuple(OptimizationBarrier().lower(ctx, *values))
        return ctx.program(self.jaxpr, values)

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
        tangent = made(Jaxpr(needed, recomputing.eqns, recomputing.outs, name=program.name))
        return Parts(
            Call(known, self.compile) if known.outs or known.effects else None,
            replace(self, jaxpr=tangent, barrier=True),
            parts.linear_outs,
            [inputs.get(v) for v in needed],
        )

    def keeps(self, eqn: Eqn) -> bool:
        """Return whether the results of an equation are kept.

        The policy says so; those of effects are always kept, as effects do not happen again.
        """
        if self.policy is None or eqn.primitive.effects:
            return bool(eqn.primitive.effects)
        return bool(self.policy(eqn.primitive, *[v.aval for v in eqn.inputs]))


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
