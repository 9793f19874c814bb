"""What a loop computes from its constants alone is computed before it."""

from __future__ import annotations

from collections.abc import Sequence

from ..primitives.jaxpr import Eqn, Jaxpr, Literal, Var

#: A value may leave a loop if it takes no more than so many times the bytes of what it is made of,
ROOM = 2
#: or so many bytes.
LITTLE = 4096


def hoisted(
    body: Jaxpr, consts: Sequence[Var], loops: bool = True
) -> tuple[Sequence[Eqn], Sequence[Var]]:
    """The equations of a loop's body to run before it, and their results that the body needs.

    What is `cheap` to compute again (a broadcast) stays, and what is much larger than the constants
    that it is made of. Operations on programs go only where the body runs for certain (`loops`).
    Equations stay the same, so those that also serve what is left are in both.
    """
    known: dict = dict.fromkeys(consts, 0)
    for v in consts:
        known[v] = v.aval.nbytes
    found = []
    for eqn in body.eqns:
        primitive = eqn.primitive
        if primitive.effects or primitive.calls_python or (primitive.holds_programs and not loops):
            continue
        if primitive.recomputed:
            continue
        if all([v in known or type(v) is Literal for v in eqn.inputs]):
            size = sum([known.get(v, 0) for v in set(eqn.inputs)])
            known.update(dict.fromkeys(eqn.outs, size))
            found.append(eqn)
    if all([eqn.primitive.cheap for eqn in found]):
        return (), ()
    inside = {id(eqn) for eqn in found}
    needed = set(body.outs)
    for eqn in body.eqns:
        if id(eqn) not in inside:
            needed.update(eqn.inputs)
    crossing: list[Var] = []
    for eqn in reversed(found):
        small = all([v.aval.nbytes <= max(ROOM * known[v], LITTLE) for v in eqn.outs])
        if not needed.isdisjoint(eqn.outs):
            if small and not eqn.primitive.cheap:
                crossing += eqn.outs
            else:  # it stays, and needs its operands
                needed.update(eqn.inputs)
    crossing.reverse()
    return _made_of(found, crossing), crossing


def _made_of(eqns: Sequence[Eqn], outs: Sequence[Var]) -> list[Eqn]:
    """The equations that some variables need."""
    live, kept = set(outs), []
    for eqn in reversed(eqns):
        if not live.isdisjoint(eqn.outs):
            kept.append(eqn)
            live.update(eqn.inputs)
    return kept[::-1]
