"""Transpose: walk a linear program backward, from cotangents of its results to cotangents of its inputs."""

from __future__ import annotations

from typing import Any, Sequence

from ..primitives.core import ZERO, LinearInput, state
from ..primitives.elementwise import add
from ..primitives.families import full_like
from ..primitives.jaxpr import Jaxpr, Var
from ..primitives.staging import stage


def backward_pass(jaxpr: Jaxpr, values: dict[Var, Any], cts: Sequence[Any]) -> list[Any]:
    """Cotangents of the inputs that are not in `values`, which holds the operands that are not linear.

    Equations that depend on no linear input are evaluated first. A cotangent is `ZERO` if nothing arrives.
    """
    before, trace = state.source, state.trace
    linear: set[Var] = {v for v in jaxpr.in_vars if v not in values}
    inputs = [v for v in jaxpr.in_vars if v in linear]
    found: dict[Any, Any] = {}
    todo = []
    try:
        for eqn in jaxpr.eqns:
            if any([v in linear for v in eqn.inputs]):
                linear.update(eqn.outs)
                todo.append(eqn)
            else:
                state.source = eqn.source
                out = trace.process(eqn.primitive, [values[v] if type(v) is Var else v.value for v in eqn.inputs])
                values.update(zip(eqn.outs, out if eqn.primitive.multiple_results else [out]))
        for v, ct in zip(jaxpr.outs, cts):
            if ct is not ZERO and v in linear:
                found[v] = ct if v not in found else add.bind(found[v], ct)
        for eqn in reversed(todo):
            outs = [found.pop(v, ZERO) for v in eqn.outs]
            if all([ct is ZERO for ct in outs]):
                continue
            state.source = eqn.source
            args = [v.value if type(v) is not Var else LinearInput(v.aval) if v in linear else values[v]
                    for v in eqn.inputs]
            primitive: Any = eqn.primitive
            if primitive.compiled:
                in_cts = primitive.transpose_with(transpose_jaxpr, outs, args)
            else:
                in_cts = primitive.transpose(outs if primitive.multiple_results else outs[0], *args)
            for v, ct in zip(eqn.inputs, in_cts):
                if ct is not None and ct is not ZERO and v in linear:
                    found[v] = ct if v not in found else add.bind(found[v], ct)
    finally:
        state.source = before
    return [found.get(v, ZERO) for v in inputs]


def transpose_jaxpr(jaxpr: Jaxpr, linear: tuple[bool, ...],
                    zero_cts: tuple[bool, ...]) -> tuple[Jaxpr, Sequence[Any], list[bool]]:
    """The program from residuals and cotangents to cotangents -> (jaxpr, consts, which cotangents are ZERO)."""
    key = ("transpose", linear, zero_cts)
    if key in jaxpr.memo:
        return jaxpr.memo[key]
    residuals = [v for v, lin in zip(jaxpr.in_vars, linear) if not lin]
    zero_outs: list[bool] = []

    def transposed(*args: Any) -> Sequence[Any]:
        nonlocal zero_outs
        given = iter(args[len(residuals):])
        cts = [ZERO if zero else next(given) for zero in zero_cts]
        outs = backward_pass(jaxpr, dict(zip(residuals, args)), cts)
        zero_outs = [o is ZERO for o in outs]
        return [o for o in outs if o is not ZERO]

    avals = [v.aval for v in residuals] + [v.aval for v, zero in zip(jaxpr.outs, zero_cts) if not zero]
    staged = stage(transposed, [a.strong for a in avals], jaxpr.name)
    result = jaxpr.memo[key] = staged.closed_over(), staged.consts, zero_outs
    return result


def instantiate_cotangent(ct: Any, aval: Any) -> Any:
    """The cotangent, or zeros of the type `aval`."""
    return full_like(aval, 0) if ct is ZERO else ct
