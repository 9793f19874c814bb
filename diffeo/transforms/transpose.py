"""Transpose: walk a linear program backward, from cotangents of its results to cotangents of its
inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

from ..primitives.core import state, typeof
from ..primitives.jaxpr import Eqn, Jaxpr, Literal, Var
from ..primitives.partial import Parts, splits
from ..primitives.staging import stage
from ..primitives.stand_ins import ZERO, LinearInput
from ..primitives.support.lists import woven
from ..primitives.words.elementwise import add


def backward_pass(jaxpr: Jaxpr, values: dict[Var, Any], cts: Sequence[Any]) -> list[Any]:
    """Cotangents of the inputs that are not in `values`, which holds the operands that are not
    linear.

    Equations that depend on no linear input are evaluated first. A cotangent is `ZERO` if nothing
    arrives.
    """
    before, trace = state.source, state.trace
    linear: set[Var] = {v for v in jaxpr.in_vars if v not in values}
    inputs = [v for v in jaxpr.in_vars if v in linear]
    todo = []
    try:
        for eqn in jaxpr.eqns:
            flags = [v in linear for v in eqn.inputs]
            if any(flags):
                eqn = _linear_part(eqn, flags, values)
                linear.update(eqn.outs)
                todo.append(eqn)
            else:
                state.source = eqn.source
                out = trace.process(
                    eqn.primitive, [values[v] if type(v) is Var else v.value for v in eqn.inputs]
                )
                values.update(zip(eqn.outs, out if eqn.primitive.multiple_results else [out]))
    finally:
        state.source = before
    outs = [v if v in linear else None for v in jaxpr.outs]
    return pull_back(todo, inputs, outs, cts, values)


def _linear_part(eqn: Eqn, flags: Sequence[bool], values: dict[Var, Any]) -> Eqn:
    """An equation whose results are all linear. Of an operation on programs that has others, too,
    the rest is evaluated first.
    """
    primitive: Any = eqn.primitive
    if not splits(primitive, flags):
        return eqn
    parts: Parts = primitive.partial(flags)
    if all(parts.linear_outs):
        return eqn
    state.source = eqn.source
    fixed = [v for v, lin in zip(eqn.inputs, flags) if not lin]
    given = [values[v] if type(v) is Var else v.value for v in fixed]
    found = [] if parts.known is None else state.trace.process(parts.known, given)
    outs = [v for v, lin in zip(eqn.outs, parts.linear_outs) if not lin]
    values.update(zip(outs, found))
    computed = [Var(typeof(x)) for x in found[len(outs) :]]
    values.update(zip(computed, found[len(outs) :]))
    tangents = [v for v, lin in zip(eqn.outs, parts.linear_outs) if lin]
    return Eqn(parts.tangent, parts.inputs(eqn.inputs, computed), tangents, eqn.source)


def pull_back(
    eqns: Sequence[Eqn],
    inputs: Sequence[Var],
    outs: Sequence[Any],
    cts: Sequence[Any],
    values: Mapping[Var, Any] | None = None,
) -> list[Any]:
    """Cotangents of `inputs` from those of `outs`: every variable is linear but those in
    `values`.
    """
    before = state.source
    found: dict[Any, Any] = {}
    for v, ct in zip(outs, cts):
        if ct is not ZERO and type(v) is Var:
            found[v] = ct if v not in found else add.bind(found[v], ct)
    try:
        for eqn in reversed(eqns):
            primitive: Any = eqn.primitive
            if primitive.multiple_results:
                out_cts: Any = [found.pop(v, ZERO) for v in eqn.outs]
                if all([ct is ZERO for ct in out_cts]):
                    continue
            else:
                out_cts = found.pop(eqn.outs[0], ZERO)
                if out_cts is ZERO:
                    continue
            args = []
            for v in eqn.inputs:
                if type(v) is Literal:
                    args.append(v.value)
                elif values and v in values:
                    args.append(values[v])
                else:
                    args.append(LinearInput(v.aval))
            state.source = eqn.source
            in_cts = (
                primitive.transpose_with(transpose_jaxpr, out_cts, args)
                if primitive.holds_programs
                else primitive.transpose(out_cts, *args)
            )
            for v, ct in zip(eqn.inputs, in_cts):
                if ct is not None and ct is not ZERO and type(v) is Var:
                    found[v] = ct if v not in found else add.bind(found[v], ct)
    finally:
        state.source = before
    return [found.get(v, ZERO) for v in inputs]


def transpose_jaxpr(
    jaxpr: Jaxpr, linear: tuple[bool, ...], zero_cts: tuple[bool, ...]
) -> tuple[Jaxpr, Sequence[Any], list[bool]]:
    """The program from residuals and cotangents to cotangents -> (jaxpr, consts, which cotangents
    are ZERO).
    """
    key = ("transpose", linear, zero_cts)
    if key in jaxpr.memo:
        return jaxpr.memo[key]
    residuals = [v for v, lin in zip(jaxpr.in_vars, linear) if not lin]
    zero_outs: list[bool] = []

    def transposed(*args: Any) -> Sequence[Any]:
        nonlocal zero_outs
        given = iter(args[len(residuals) :])
        cts = woven(zero_cts, repeat(ZERO), given)
        outs = backward_pass(jaxpr, dict(zip(residuals, args)), cts)
        zero_outs = [o is ZERO for o in outs]
        return [o for o in outs if o is not ZERO]

    avals = [v.aval for v in residuals] + [
        v.aval for v, zero in zip(jaxpr.outs, zero_cts) if not zero
    ]
    staged = stage(transposed, [a.strong for a in avals], jaxpr.name)
    result = jaxpr.memo[key] = staged.closed_over(), staged.consts, zero_outs
    return result


def pull_back_program(program: Jaxpr, cts: Sequence[Any]) -> list[Any]:
    """Cotangents of the inputs of a tangent program, in which every variable is linear."""
    return pull_back(program.eqns, program.in_vars, program.outs, cts)
