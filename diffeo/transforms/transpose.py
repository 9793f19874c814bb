"""Transpose: walk a linear program backward, from cotangents of its results to cotangents of its
inputs.

The *cotangent* of a value is the derivative of the final result by it. Each equation hands the
cotangents of its results to its primitive's `transpose`, which returns those of its operands. A
variable that several equations read gets the sum.

Start reading at `pull_back`, the walk itself. `backward_pass` is for programs in which only some
inputs are linear; `transpose_jaxpr` makes the walk a program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any

from ..primitives.core import state, typeof
from ..primitives.jaxpr import Eqn, Jaxpr, Literal, Var
from ..primitives.partial import Parts, splits
from ..primitives.staging import stage
from ..primitives.stand_ins import ZERO, LinearInput
from ..primitives.support.lists import parted, woven
from ..primitives.words.elementwise import add


def _operation(primitive: Any, cts: Sequence[Any], args: Sequence[Any]) -> Sequence[Any]:
    """Transpose an operation on programs: return the cotangents of its operands."""
    return primitive.transpose_with(transpose_jaxpr, cts, args)


def backward_pass(
    jaxpr: Jaxpr,
    values: dict[Var, Any],
    cts: Sequence[Any],
    operation: Callable[..., Sequence[Any]] = _operation,
) -> list[Any]:
    """Compute the cotangents of the linear inputs of a program from those of its results.

    Equations that depend on no linear input are evaluated first, forward.

    Args:
        jaxpr: the program.
        values: the values of the inputs that are not linear; it is filled with all known values.
        cts: the cotangents of the results; one may be `ZERO`.
        operation: `operation(primitive, cts, args)` transposes an operation on programs.

    Returns:
        A cotangent for each input that was not in `values`; `ZERO` if nothing arrives there.
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
    # A result that is not linear has no use for its cotangent.
    outs = [v if v in linear else None for v in jaxpr.outs]
    return pull_back(todo, inputs, outs, cts, values, operation)


def _linear_part(eqn: Eqn, flags: Sequence[bool], values: dict[Var, Any]) -> Eqn:
    """Return an equation of which all results are linear.

    An operation on programs may have other results, too. Then it is split: its known part is
    evaluated, the values go into `values`, and the equation of its linear part is returned. (This
    has nothing to do with `Primitive.linear_part`, the tangent of a linear primitive.)
    """
    primitive: Any = eqn.primitive
    if not splits(primitive, flags):
        return eqn
    parts: Parts = primitive.partial(flags)
    if all(parts.linear_outs):
        return eqn
    state.source = eqn.source
    fixed = [v for v, lin in zip(eqn.inputs, flags) if not lin]
    operands = [values[v] if type(v) is Var else v.value for v in fixed]
    results = [] if parts.known is None else state.trace.process(parts.known, operands)
    tangents, outs = parted(parts.linear_outs, eqn.outs)
    values.update(zip(outs, results))
    computed = [Var(typeof(x)) for x in results[len(outs) :]]
    values.update(zip(computed, results[len(outs) :]))
    return Eqn(parts.linear, parts.inputs(eqn.inputs, computed), tangents, eqn.source)


def pull_back(
    eqns: Sequence[Eqn],
    inputs: Sequence[Var],
    outs: Sequence[Any],
    cts: Sequence[Any],
    values: Mapping[Var, Any] | None = None,
    operation: Callable[..., Sequence[Any]] = _operation,
) -> list[Any]:
    """Compute the cotangents of `inputs` from those of `outs`, the walk backward itself.

    Args:
        eqns: the equations, in the order of the program.
        inputs: the variables whose cotangents are asked for.
        outs: the results.
        cts: their cotangents; one may be `ZERO`.
        values: the variables that are not linear, with their values; by default all are linear.
        operation: `operation(primitive, cts, args)` transposes an operation on programs.
    """
    before = state.source
    sums: dict[Any, Any] = {}
    for v, ct in zip(outs, cts):
        if ct is not ZERO and type(v) is Var:  # one variable may be several results
            sums[v] = ct if v not in sums else add.bind(sums[v], ct)
    try:
        for eqn in reversed(eqns):
            primitive: Any = eqn.primitive
            # All readers of these results come later in the program, so their sums are complete.
            if primitive.multiple_results:
                out_cts: Any = [sums.pop(v, ZERO) for v in eqn.outs]
                if all([ct is ZERO for ct in out_cts]):
                    continue
            else:
                out_cts = sums.pop(eqn.outs[0], ZERO)
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
                operation(primitive, out_cts, args)
                if primitive.holds_programs
                else primitive.transpose(out_cts, *args)
            )
            for v, ct in zip(eqn.inputs, in_cts):
                if ct is not None and ct is not ZERO and type(v) is Var:
                    sums[v] = ct if v not in sums else add.bind(sums[v], ct)
    finally:
        state.source = before
    return [sums.get(v, ZERO) for v in inputs]


def transpose_jaxpr(
    jaxpr: Jaxpr, linear: tuple[bool, ...], zero_cts: tuple[bool, ...]
) -> tuple[Jaxpr, Sequence[Any], list[bool]]:
    """Transpose a program into one from residuals and cotangents to cotangents.

    Args:
        jaxpr: the program.
        linear: for each input, whether it is linear; the others are the residuals.
        zero_cts: for each result, whether its cotangent is `ZERO`; such a one is no operand of the
            new program.

    Returns:
        The transposed program; the values that are to be its first operands; and for each linear
        input, whether its cotangent is `ZERO`, which the new program does not return. They are
        remembered in `jaxpr.memo`.
    """
    key = ("transpose", linear, zero_cts)
    if key in jaxpr.memo:
        return jaxpr.memo[key]
    residuals = [v for v, lin in zip(jaxpr.in_vars, linear) if not lin]
    zero_outs: list[bool] = []

    def transposed(*args: Any) -> Sequence[Any]:
        nonlocal zero_outs
        nonzero_cts = iter(args[len(residuals) :])
        cts = woven(zero_cts, repeat(ZERO), nonzero_cts)
        outs = backward_pass(jaxpr, dict(zip(residuals, args)), cts)
        zero_outs = [o is ZERO for o in outs]
        return [o for o in outs if o is not ZERO]

    avals = [v.aval for v in residuals] + [
        v.aval for v, zero in zip(jaxpr.outs, zero_cts) if not zero
    ]
    staged = stage(transposed, [a.strong for a in avals], jaxpr.name)
    result = jaxpr.memo[key] = staged.closed_over(), staged.consts, zero_outs
    return result


def pull_back_program(
    program: Jaxpr, cts: Sequence[Any], operation: Callable[..., Sequence[Any]] = _operation
) -> list[Any]:
    """Compute the cotangents of the inputs of a tangent program, in which every variable is
    linear.
    """
    return pull_back(program.eqns, program.in_vars, program.outs, cts, None, operation)
