"""Whether a program is linear in its inputs, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.core import ZERO, Primitive, typeof
from ..primitives.families import Full
from ..primitives.jaxpr import Eqn, Jaxpr, Literal, Var, sub_jaxprs
from ..primitives.sources import show_source
from ..primitives.staging import stage
from ..primitives.types import SCALARS


def why_not_linear(jaxpr: Jaxpr, linear: Sequence[bool] | None = None) -> str | None:
    """The reason why a program is not linear in some of its inputs (all by default); None if it
    is, as far as its primitives say. What they leave open, its transposition finds.
    """
    known = {v for v, c in zip(jaxpr.const_vars, jaxpr.consts) if _is_zero(c)}
    flags = [True] * len(jaxpr.in_vars) if linear is None else linear
    moving = {v for v, flag in zip(jaxpr.in_vars, flags) if flag}
    for eqn in jaxpr.eqns:
        if any([type(v) is Var and v in moving for v in eqn.inputs]):
            reason = _why(eqn, moving, known)
            if reason is not None:
                return reason
            moving.update(eqn.outs)
        elif _makes_zero(eqn, known):
            known.update(eqn.outs)
    for v in jaxpr.outs:
        if not _has(v, moving) and not _zero(v, known):
            return "a result does not depend on them"
    return None


def _has(v: Any, found: set) -> bool:
    return type(v) is Var and v in found


def _is_zero(value: Any) -> bool:
    return (type(value) in SCALARS and value == 0) or (
        type(value) is Array and typeof(value).size < 2**20 and not np.any(value.host)
    )


def _zero(v: Any, known: set) -> bool:
    return _is_zero(v.value) if type(v) is Literal else v in known


def _positions(primitive: Primitive, count: int) -> Sequence[int] | None:
    """The operands in which a primitive is jointly linear, if it says so."""
    if not hasattr(primitive, "linear_part"):
        return None
    found = primitive.linear  # type: ignore[attr-defined]
    return range(count) if found is None else found


def _makes_zero(eqn: Eqn, known: set) -> bool:
    """Whether an equation without linear operands makes zeros."""
    if isinstance(eqn.primitive, Full):
        return eqn.primitive.value == 0
    positions = _positions(eqn.primitive, len(eqn.inputs))
    return positions is not None and all([_zero(eqn.inputs[i], known) for i in positions])


def _why(eqn: Eqn, moving: set, known: set) -> str | None:
    primitive: Any = eqn.primitive
    flags = [_has(v, moving) for v in eqn.inputs]
    where = f"the primitive '{primitive.name}' (at {show_source(eqn.source)})"
    if primitive.bilinear:
        return f"{where} multiplies two of them" if all(flags) else None
    positions = _positions(primitive, len(flags))
    if positions is not None:
        if any([flag and i not in positions for i, flag in enumerate(flags)]):
            return f"{where} is not linear in them"
        if not all([flags[i] or _zero(eqn.inputs[i], known) for i in positions]):
            return f"{where} adds something that does not depend on them"
        return None
    if primitive.compiled:
        for inner in sub_jaxprs(primitive):
            if len(inner.in_vars) == len(flags):
                return why_not_linear(inner, flags)
        return None
    depends = not primitive.multiple_results and _tangent_depends(eqn, flags)
    return f"{where} is not linear in them" if depends else None


def _tangent_depends(eqn: Eqn, flags: Sequence[bool]) -> bool:
    """Whether the derivative by these operands depends on where they are."""
    primitive, count = eqn.primitive, len(flags)
    scalars = [v.value if type(v) is Literal and type(v.value) in SCALARS else None
               for v in eqn.inputs]  # fmt: skip
    avals = [v.aval.strong for v in eqn.inputs]

    def rule(*args: Any) -> Sequence[Any]:
        primals = [a if s is None else s for a, s in zip(args, scalars)]
        moves = iter(args[count:])
        tangent = primitive.jvp(primals, [next(moves) if flag else ZERO for flag in flags])[1]
        return [] if tangent is ZERO else [tangent]

    program = stage(rule, [*avals, *[a for a, flag in zip(avals, flags) if flag]])
    moved = {v for v, flag in zip(program.in_vars, flags) if flag}
    for eqn in program.eqns:
        if any([_has(v, moved) for v in eqn.inputs]):
            moved.update(eqn.outs)
    return not program.outs or any([_has(v, moved) for v in program.outs])
