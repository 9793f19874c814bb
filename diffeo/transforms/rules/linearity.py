"""Find out whether a program is linear in its inputs, and if not, why.

Used where the transpose of a backward rule is needed: only a linear program has one. If
`why_not_linear` gives a reason, the transposition is not tried, and the user reads which operation
is to blame. In this file `moving` are the variables that depend on the linear inputs, and `known`
are variables that are known to be zero (not the known values of `primitives/partial.py`, which are
all that depend on no linear input). x + 0 is linear in x, x + 1 is not: so zeros must be told
apart.

Start reading at `why_not_linear` and `_walk`; `_why` judges a single equation.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, repeat
from typing import Any

import numpy as np

from ...operations.identity import Hold
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
from ...programs.cond import Cond
from ...programs.scan import Scan
from ...programs.while_loop import While


def why_not_linear(jaxpr: Jaxpr, linear: Sequence[bool] | None = None) -> str | None:
    """Return the reason why a program is not linear in some inputs (all by default).

    None if the program is linear, as far as its primitives say. What they leave open, its
    transposition finds.
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
    """Walk through a program -> (the reason why it is not linear or None, moving, known).

    `linear` flags the inputs in which the program should be linear, `zeros` other inputs that are
    zero. `moving` are the variables that depend on the linear inputs, `known` those that are zero.
    """
    known = {v for v, c in zip(jaxpr.const_vars, jaxpr.consts) if _is_zero(c)}
    known.update([v for v, flag in zip(jaxpr.in_vars, zeros) if flag])
    moving = {v for v, flag in zip(jaxpr.in_vars, linear) if flag}
    for eqn in _used(jaxpr):
        # An equation can do three things: be to blame, make results that depend on the linear
        # inputs, or make zeros.
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
    """Return the equations that a result depends on: what the others compute does not matter."""
    needed, equations = {v for v in jaxpr.outs if type(v) is Var}, []
    for eqn in reversed(jaxpr.eqns):
        if not needed.isdisjoint(eqn.outs):
            equations.append(eqn)
            needed.update([v for v in eqn.inputs if type(v) is Var])
    return equations[::-1]


def _inside(eqn: Eqn, moving: set, known: set) -> tuple[str | None, list[Var]]:
    """Look into the programs of an operation.

    Return (why the operation is not linear or None, its results that are zero all the same).
    """
    flags = [_has(v, moving) for v in eqn.inputs]
    zeros = [_zero(v, known) and not flag for v, flag in zip(eqn.inputs, flags)]
    if not any(flags) and not any(zeros):
        return None, []
    zero_results: list[bool] = []
    for (inner, linear, carried), (_, empty, _) in zip(
        _programs(eqn.primitive, flags), _programs(eqn.primitive, zeros)
    ):
        reason, inner_zeros = _why_repeated(inner, linear, empty, carried)
        if reason is not None:
            return reason, []
        # A result is zero if it is so in all branches.
        zero_results = (
            [a and b for a, b in zip(zero_results, inner_zeros)] if zero_results else inner_zeros
        )
    return None, [v for v, flag in zip(eqn.outs, zero_results) if flag]


def _why_repeated(
    inner: Jaxpr, linear: Sequence[bool], zeros: Sequence[bool], carried: Sequence[int]
) -> tuple[str | None, list[bool]]:
    """Walk through the body of a loop -> (why it is not linear or None, which results are zero).

    The first results of a step are the inputs `carried` of the next step, so the flags of these
    inputs may change: repeat until they do not. A carry that starts as zero may come to depend on
    the linear inputs. A carry that starts as something else may be replaced, and must not be added
    to.
    """
    linear, zeros = list(linear), list(zeros)
    while True:
        reason, moving, known = _walk(inner, linear, zeros)
        if reason is not None:
            return reason, []
        pairs = list(zip(carried, inner.outs))
        # A carry that is not zero after the step; failing that, one that depends on the linear
        # inputs now.
        grown = [(i, v) for i, v in pairs if zeros[i] and not _zero(v, known)]
        grown = grown or [(i, v) for i, v in pairs if not linear[i] and _has(v, moving)]
        if not grown:
            return None, [_zero(v, known) for v in inner.outs]
        for i, v in grown:
            zeros[i], linear[i] = False, _has(v, moving)


def _moving_results(eqn: Eqn, moving: set) -> Sequence[Var]:
    """Return the results that depend on linear operands, of which there is at least one."""
    primitive: Any = eqn.primitive
    flags = [_has(v, moving) for v in eqn.inputs]
    if not primitive.holds_programs or primitive.whole(flags):
        return eqn.outs
    return list(compress(eqn.outs, primitive.partial(flags).linear_outs))


def _programs(
    primitive: Primitive, flags: Sequence[bool]
) -> list[tuple[Jaxpr, Sequence[bool], Sequence[int]]]:
    """Return (program, flags, carried) for each program that the operands go into.

    `flags` belong to the operands of the operation, and in the result to the inputs of the program.
    `carried` are the inputs that are the first results of the step before.
    """
    if isinstance(primitive, Cond):
        return [(branch, flags[1:], ()) for branch in primitive.branches]
    if isinstance(primitive, Scan):
        first = primitive.consts
        return [(primitive.jaxpr, flags, range(first, first + primitive.carry))]
    if isinstance(primitive, While):
        _, consts, carry = primitive.groups(flags)
        carried = range(len(consts), len(consts) + len(carry))
        return [(primitive.body, [*consts, *carry], carried)]
    programs = sub_jaxprs(primitive)
    return [(inner, flags, ()) for inner in programs if len(inner.in_vars) == len(flags)]


def _has(v: Any, found: set) -> bool:
    """Return whether something is a variable of this set."""
    return type(v) is Var and v in found


def _is_zero(value: Any) -> bool:
    """Return whether a constant is zero; large arrays are not looked at."""
    return (type(value) in SCALARS and value == 0) or (
        type(value) is Array and typeof(value).size < 2**20 and not np.any(value.host)
    )


def _zero(v: Any, known: set) -> bool:
    """Return whether an operand is known to be zero."""
    return _is_zero(v.value) if type(v) is Literal else v in known


def _positions(primitive: Primitive, count: int) -> Sequence[int] | None:
    """Return the operands in which a primitive is jointly linear; None if it does not say."""
    if primitive.linear_part is None:
        return None
    positions = primitive.linear  # type: ignore[attr-defined]
    return range(count) if positions is None else positions


def _zero_results(eqn: Eqn, known: set) -> Sequence[Var]:
    """Return the results that are zero, of an equation without linear operands."""
    primitive: Any = eqn.primitive
    if isinstance(primitive, Scan) and not primitive.length:
        # Without a step, the results are the initial carry and arrays without elements.
        starts = [*primitive.groups(eqn.inputs)[1], *[None] * len(eqn.outs)]
        return [v for v, x in zip(eqn.outs, starts) if x is None or _zero(x, known)]
    return eqn.outs if _makes_zero(eqn, known) else ()


def _makes_zero(eqn: Eqn, known: set) -> bool:
    """Return whether an equation without linear operands makes zeros."""
    if isinstance(eqn.primitive, Full):
        return eqn.primitive.value == 0
    if eqn.primitive is div:
        return _zero(eqn.inputs[0], known)
    if eqn.primitive.bilinear:
        return any([_zero(v, known) for v in eqn.inputs])
    positions = _positions(eqn.primitive, len(eqn.inputs))
    return positions is not None and all([_zero(eqn.inputs[i], known) for i in positions])


def _why(eqn: Eqn, moving: set, known: set) -> str | None:
    """Return why an equation is not linear in its moving operands; None if it is, or may be."""
    primitive: Any = eqn.primitive
    flags = [_has(v, moving) for v in eqn.inputs]
    where = f"the primitive '{primitive.name}' (at {show_source(eqn.source)})"
    if primitive.bilinear:
        return f"{where} multiplies two of them" if all(flags) else None
    positions = _positions(primitive, len(flags))
    # Linear in these operands jointly, as a sum is: all of them must move, or be zero.
    if positions is not None:
        if any([flag and i not in positions for i, flag in enumerate(flags)]):
            return f"{where} is not linear in them"
        # For x + c, c is a constant: it may only be zero.
        if not all([flags[i] or _zero(eqn.inputs[i], known) for i in positions]):
            return f"{where} adds something that does not depend on them"
        return None
    if isinstance(primitive, Hold):
        return None
    # It says nothing of linearity: look at its derivative.
    depends = not primitive.multiple_results and _tangent_depends(eqn, flags)
    return f"{where} is not linear in them" if depends else None


def _tangent_depends(eqn: Eqn, flags: Sequence[bool]) -> bool:
    """Return whether the derivative by these operands depends on where they are.

    The derivative of a linear function does not. So stage the jvp rule, and look whether its
    tangent depends on the primals.
    """
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
    # The first inputs of the program are the primals. Follow what depends on them.
    moved = {v for v, flag in zip(program.in_vars, flags) if flag}
    for eqn in program.eqns:
        if any([_has(v, moved) for v in eqn.inputs]):
            moved.update(eqn.outs)
    return not program.outs or any([_has(v, moved) for v in program.outs])
