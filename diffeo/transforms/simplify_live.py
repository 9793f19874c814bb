"""The simplifier's way backward: what nobody reads goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..primitives.jaxpr import Eqn
from .simplify_tables import late_rules


def live_equations(eqns: Sequence[Eqn], outs: Sequence[Any]) -> tuple[list[Eqn], set]:
    """The equations that results need, those with effects, and all variables that are needed.
    Operations on programs lose the results that nobody reads, and the operands that they do not
    need then.
    """
    live = set(outs)
    kept = []
    for eqn in reversed(eqns):
        primitive: Any = eqn.primitive
        if not live.isdisjoint(eqn.outs) or primitive.effects:
            if primitive.compiled:
                trim = late_rules(type(primitive), "TRIMMED")
                if trim is not None:
                    eqn = trim(eqn, [v in live for v in eqn.outs])
            kept.append(eqn)
            live.update(eqn.inputs)
    kept.reverse()
    return kept, live
