"""Rules for functions that have rules of their own, which are carried over: custom_jvp, custom_vjp.

The rule is jax's to apply: the equation, as a function of its operands, is differentiated by
`jax.jvp` or `jax.vjp`, and what comes out is traced and translated (see `Equation`). So a rule is
translated when it is first needed.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from ....api.custom import custom_jvp, custom_vjp
from ....transforms.rules.symbolic_zeros import SymbolicZero
from .reader import call, rule
from .traced import Equation, Traced


@rule("custom_jvp_call")
def _custom_jvp_call(eqn: Any, *args: Any) -> list[Any]:
    equation = Equation(eqn)
    fun = custom_jvp(lambda *xs: call(eqn.params["call_jaxpr"], xs))
    maps: dict[tuple[int, ...], Traced] = {}

    def jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
        moving = tuple([
            i for i in equation.differentiable if type(tangents[i]) is not SymbolicZero
        ])  # fmt: skip
        if moving not in maps:
            maps[moving] = equation.tangents(moving)
        results = maps[moving](*primals, *[tangents[i] for i in moving])
        outs = results[: len(eqn.outvars)]
        ts = dict(zip(equation.inexact_outs, results[len(outs) :]))
        return outs, [
            ts[i] if i in ts else SymbolicZero.from_primal_value(o) for i, o in enumerate(outs)
        ]

    fun.defjvp(jvp, symbolic_zeros=True)
    return list(fun(*args))


@rule("custom_vjp_call", "custom_vjp_call_jaxpr")
def _custom_vjp_call(eqn: Any, *args: Any) -> list[Any]:
    equation = Equation(eqn)
    program = eqn.params.get("call_jaxpr") or eqn.params["fun_jaxpr"]
    fun = custom_vjp(lambda *xs: call(program, xs))
    there, back = _pullback(equation)
    count = len(eqn.outvars)

    def fwd(*xs: Any) -> tuple[Any, Any]:
        results = there(*xs)
        return results[:count], (results[count:], xs)

    def bwd(kept: Any, cts: Any) -> tuple[Any, ...]:
        residuals, xs = kept
        inexact = [cts[i] for i in equation.inexact_outs]
        moves = dict(zip(equation.differentiable, back(*residuals, *inexact)))
        return tuple([moves.get(i) for i in range(len(xs))])

    fun.defvjp(fwd, bwd)
    return list(fun(*args))


def _pullback(equation: Equation) -> tuple[Traced, Traced]:
    """Return (operands -> results and residuals), and (residuals, cotangents -> cotangents)."""
    structure: Any = None
    chosen = equation.differentiable

    def there(*xs: Any) -> list[Any]:
        nonlocal structure
        args = list(xs)

        def part(*some: Any) -> list[Any]:
            for i, x in zip(chosen, some):
                args[i] = x
            return equation(*args)

        outs, pull = jax.vjp(part, *[xs[i] for i in chosen])
        residuals, structure = jax.tree_util.tree_flatten(pull)
        return [*outs, *residuals]

    def back(*values: Any) -> list[Any]:
        count = len(values) - len(equation.inexact_outs)
        pull = jax.tree_util.tree_unflatten(structure, values[:count])
        moves = dict(zip(equation.inexact_outs, values[count:]))
        cts = [
            moves[i] if i in moves else np.zeros(a.shape, jax.dtypes.float0)
            for i, a in enumerate(equation.out_avals)
        ]
        return list(pull(cts))

    return equation.traced(there), equation.traced(back, keys=False)
