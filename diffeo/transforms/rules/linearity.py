"""Whether a program is linear in its inputs, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, repeat
from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.constants import Full
from ...primitives.core import Primitive, typeof
from ...primitives.jaxpr import Eqn, Jaxpr, Literal, Var, sub_jaxprs
from ...primitives.staging import stage
from ...primitives.stand_ins import ZERO
from ...primitives.support.lists import woven
from ...primitives.support.sources import show_source
from ...primitives.types import SCALARS
from ...primitives.words.elementwise import div
from ...primitives.words.identity import Hold
from ...programs.cond import Cond
from ...programs.scan import Scan
from ...programs.while_loop import While


def why_not_linear(jaxpr: Jaxpr, linear: Sequence[bool] | None = None) -> str | None:
    """The reason why a program is not linear in some of its inputs (all by default); None if it
    is, as far as its primitives say. What they leave open, its transposition finds.
    """
    flags = [True] * len(jaxpr.in_vars) if linear is None else linear
    reason, moving, known = _walk(jaxpr, flags, [False] * len(flags))
    if reason is not None:
        return reason
    for v in jaxpr.outs:
        if not _has(v, moving) and not _zero(v, known):
            return "a result does not depend on them"
    return None


def _walk(
    jaxpr: Jaxpr, linear: Sequence[bool], zeros: Sequence[bool]
) -> tuple[str | None, set, set]:
    """Why a program is not linear in some inputs, of which others are zeros; what of its values
    depends on them, and what is zero.
    """
    known = {v for v, c in zip(jaxpr.const_vars, jaxpr.consts) if _is_zero(c)}
    known.update([v for v, flag in zip(jaxpr.in_vars, zeros) if flag])
    moving = {v for v, flag in zip(jaxpr.in_vars, linear) if flag}
    for eqn in _used(jaxpr):
        depends = any([_has(v, moving) for v in eqn.inputs])
        if eqn.primitive.holds_programs:
            reason, still = _inside(eqn, moving, known)
            known.update(still)
        else:
            reason = _why(eqn, moving, known) if depends else None
        if reason is not None:
            return reason, moving, known
        if depends:
            moving.update([v for v in _moving_results(eqn, moving) if v not in known])
        else:
            known.update(_zero_results(eqn, known))
    return None, moving, known


def _used(jaxpr: Jaxpr) -> list[Eqn]:
    """The equations that a result depends on: what others do does not matter."""
    wanted, found = {v for v in jaxpr.outs if type(v) is Var}, []
    for eqn in reversed(jaxpr.eqns):
        if not wanted.isdisjoint(eqn.outs):
            found.append(eqn)
            wanted.update([v for v in eqn.inputs if type(v) is Var])
    return found[::-1]


def _inside(eqn: Eqn, moving: set, known: set) -> tuple[str | None, list[Var]]:
    """Why an operation on programs is not linear, and the results that are zero all the same."""
    flags = [_has(v, moving) for v in eqn.inputs]
    zeros = [_zero(v, known) and not flag for v, flag in zip(eqn.inputs, flags)]
    if not any(flags) and not any(zeros):
        return None, []
    nothing: list[bool] = []
    for (inner, linear, carried), (_, empty, _) in zip(
        _programs(eqn.primitive, flags), _programs(eqn.primitive, zeros)
    ):
        reason, found = _why_repeated(inner, linear, empty, carried)
        if reason is not None:
            return reason, []
        nothing = [a and b for a, b in zip(nothing, found)] if nothing else found
    return None, [v for v, flag in zip(eqn.outs, nothing) if flag]


def _why_repeated(
    inner: Jaxpr, linear: Sequence[bool], zeros: Sequence[bool], carried: Sequence[int]
) -> tuple[str | None, list[bool]]:
    """Why a program is not linear that is given its first results again as the inputs `carried`,
    and which of its results are zero. A carry that starts as zero may come to depend on the linear
    inputs. One that starts as something else may be replaced, and must not be added to.
    """
    linear, zeros = list(linear), list(zeros)
    while True:
        reason, moving, known = _walk(inner, linear, zeros)
        if reason is not None:
            return reason, []
        pairs = list(zip(carried, inner.outs))
        grown = [(i, v) for i, v in pairs if zeros[i] and not _zero(v, known)]
        grown = grown or [(i, v) for i, v in pairs if not linear[i] and _has(v, moving)]
        if not grown:
            return None, [_zero(v, known) for v in inner.outs]
        for i, v in grown:
            zeros[i], linear[i] = False, _has(v, moving)


def _moving_results(eqn: Eqn, moving: set) -> Sequence[Var]:
    """The results that depend on linear operands, of which there is one."""
    primitive: Any = eqn.primitive
    flags = [_has(v, moving) for v in eqn.inputs]
    if not primitive.holds_programs or primitive.whole(flags):
        return eqn.outs
    return list(compress(eqn.outs, primitive.partial(flags).linear_outs))


def _programs(
    primitive: Any, flags: Sequence[bool]
) -> list[tuple[Jaxpr, Sequence[bool], Sequence[int]]]:
    """The programs of an operation that its operands go into, flags of operands as those of their
    inputs, and the inputs that are the first results of the step before.
    """
    if isinstance(primitive, Cond):
        return [(branch, flags[1:], ()) for branch in primitive.branches]
    if isinstance(primitive, Scan):
        first = primitive.consts
        return [(primitive.jaxpr, flags, range(first, first + primitive.carry))]
    if isinstance(primitive, While):
        _, consts, carry = primitive.groups(flags)
        places = range(len(consts), len(consts) + len(carry))
        return [(primitive.body, [*consts, *carry], places)]
    found = sub_jaxprs(primitive)
    return [(inner, flags, ()) for inner in found if len(inner.in_vars) == len(flags)]


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
    if primitive.linear_part is None:
        return None
    found = primitive.linear  # type: ignore[attr-defined]
    return range(count) if found is None else found


def _zero_results(eqn: Eqn, known: set) -> Sequence[Var]:
    """The results that are zero, of an equation without linear operands."""
    primitive: Any = eqn.primitive
    if isinstance(primitive, Scan) and not primitive.length:  # its carry, and empty arrays
        starts = [*primitive.groups(eqn.inputs)[1], *[None] * len(eqn.outs)]
        return [v for v, x in zip(eqn.outs, starts) if x is None or _zero(x, known)]
    return eqn.outs if _makes_zero(eqn, known) else ()


def _makes_zero(eqn: Eqn, known: set) -> bool:
    """Whether an equation without linear operands makes zeros."""
    if isinstance(eqn.primitive, Full):
        return eqn.primitive.value == 0
    if eqn.primitive is div:
        return _zero(eqn.inputs[0], known)
    if eqn.primitive.bilinear:
        return any([_zero(v, known) for v in eqn.inputs])
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
    if isinstance(primitive, Hold):
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
        tangent = primitive.jvp(primals, woven(flags, moves, repeat(ZERO)))[1]
        return [] if tangent is ZERO else [tangent]

    program = stage(rule, [*avals, *[a for a, flag in zip(avals, flags) if flag]])
    moved = {v for v, flag in zip(program.in_vars, flags) if flag}
    for eqn in program.eqns:
        if any([_has(v, moved) for v in eqn.inputs]):
            moved.update(eqn.outs)
    return not program.outs or any([_has(v, moved) for v in program.outs])
