"""The simplifier's way backward: what nobody reads goes.

A variable is *live* if a result needs it, directly or by way of other equations.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Any

from ..primitives.core import Primitive
from ..primitives.jaxpr import Eqn, Jaxpr, made
from .late_rules import late_rules


def live_equations(eqns: Sequence[Eqn], outs: Sequence[Any]) -> tuple[list[Eqn], set]:
    """Return the equations that results need, those with effects, and all variables that are
    needed.

    Operations on programs lose the results that nobody reads, and the operands that they do not
    need then.
    """
    live = set(outs)
    kept = []
    for eqn in reversed(eqns):
        primitive: Primitive = eqn.primitive
        if not live.isdisjoint(eqn.outs) or primitive.effects:
            if primitive.holds_programs:
                trim = late_rules(type(primitive), "TRIMMED")
                if trim is not None:
                    eqn = trim(eqn, [v in live for v in eqn.outs], trimmed)
            kept.append(eqn)
            live.update(eqn.inputs)
    kept.reverse()
    return kept, live


def trimmed(jaxpr: Jaxpr, wanted: Sequence[bool]) -> tuple[Jaxpr, set]:
    """Return a program with only those results that are wanted, and the variables that it needs.

    The new program is kept in the memo of the old one: so two calls of one program that are trimmed
    alike still call one program, which is compiled to one function.
    """
    key = ("trimmed", tuple(wanted))
    entry = jaxpr.memo.get(key)
    if entry is None:
        outs = list(compress(jaxpr.outs, wanted))
        eqns, live = live_equations(jaxpr.eqns, outs)
        program = jaxpr
        if len(outs) < len(jaxpr.outs) or eqns != list(jaxpr.eqns):
            program = made(Jaxpr(jaxpr.in_vars, eqns, outs, name=jaxpr.name))
            program.memo["simplified"] = True
        entry = jaxpr.memo[key] = program, live
    return entry
