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
from ....primitives.constants import full_like
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
    pullbacks: dict[tuple[int, ...], Pullback] = {}
    count = len(eqn.outvars)

    def fwd(*xs: Any) -> tuple[Any, Any]:
        # A rule may rely on it that some arguments are not differentiated.
        moving = tuple([i for i in equation.differentiable if xs[i].perturbed])
        if moving not in pullbacks:
            pullbacks[moving] = Pullback(equation, moving)
        pullback = pullbacks[moving]
        results = pullback.forward(*[x.value for x in xs])
        return results[:count], (pullback, results[count:])

    def bwd(kept: Any, cts: Any) -> tuple[Any, ...]:
        pullback, residuals = kept
        inexact = [
            full_like(c.aval, 0) if type(c) is SymbolicZero else c
            for c in [cts[i] for i in equation.inexact_outs]
        ]
        moves = dict(zip(pullback.moving, pullback.backward(*residuals, *inexact)))
        return tuple([moves.get(i) for i in range(len(equation.avals))])

    fun.defvjp(fwd, bwd, symbolic_zeros=True)
    return list(fun(*args))


class Pullback:
    """The two halves of the derivative of an equation by the operands at `moving`.

    Attributes:
        forward: operands -> results and residuals.
        backward: residuals, cotangents of the inexact results -> cotangents of those operands.
    """

    def __init__(self, equation: Equation, moving: tuple[int, ...]):
        self.equation, self.moving = equation, moving
        self.structure: Any = None
        self.forward = equation.traced(self._forward)
        self.backward = equation.traced(self._backward, keys=False)

    def _forward(self, *xs: Any) -> list[Any]:
        args = list(xs)

        def part(*some: Any) -> list[Any]:
            for i, x in zip(self.moving, some):
                args[i] = x
            return self.equation(*args)

        outs, pull = jax.vjp(part, *[xs[i] for i in self.moving])
        residuals, self.structure = jax.tree_util.tree_flatten(pull)
        return [*outs, *residuals]

    def _backward(self, *values: Any) -> list[Any]:
        equation = self.equation
        count = len(values) - len(equation.inexact_outs)
        pull = jax.tree_util.tree_unflatten(self.structure, values[:count])
        moves = dict(zip(equation.inexact_outs, values[count:]))
        cts = [
            moves[i] if i in moves else np.zeros(a.shape, jax.dtypes.float0)
            for i, a in enumerate(equation.out_avals)
        ]
        return list(pull(cts))


@rule("diffeo")
def _own_primitive(eqn: Any, *args: Any) -> Any:
    """A primitive of ours that `to_jax` has put into a program of jax's."""
    ours = eqn.params["ours"]
    outs = ours.bind(*args)
    return list(outs) if ours.multiple_results else [outs]
