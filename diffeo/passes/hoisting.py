"""What a loop computes from its constants alone is computed before it."""

from __future__ import annotations

from collections.abc import Sequence

from ..primitives.jaxpr import Eqn, Jaxpr, Literal, Var, needed_equations

#: A value may leave a loop if it takes no more than so many times the bytes of what it is made of,
ROOM = 2
#: or so many bytes.
LITTLE = 4096


def hoisted(
    body: Jaxpr, consts: Sequence[Var], loops: bool = True
) -> tuple[Sequence[Eqn], Sequence[Var]]:
    """Return the equations of a loop's body to run before it, and their results that the body
    needs.

    For the body `a = sin w; b = a + 1; c = b * x`, with the constant w, they are the first two
    equations, and b.

    What is `cheap` to compute again (a broadcast) stays, and what is much larger than the constants
    that it is made of. Operations on programs go only where the body runs for certain (`loops`).
    Equations stay the same, so those that also serve what is left are in both.
    """
    # The constants and what is computed from them, with the bytes of the constants that each of
    # them is made of.
    sizes: dict = dict.fromkeys(consts, 0)
    for v in consts:
        sizes[v] = v.aval.nbytes
    constant_eqns = []
    for eqn in body.eqns:
        primitive = eqn.primitive
        if primitive.effects or primitive.calls_python or (primitive.holds_programs and not loops):
            continue
        if primitive.recomputed:
            continue
        if all([v in sizes or type(v) is Literal for v in eqn.inputs]):
            size = sum([sizes.get(v, 0) for v in set(eqn.inputs)])
            sizes.update(dict.fromkeys(eqn.outs, size))
            constant_eqns.append(eqn)
    if all([eqn.primitive.cheap for eqn in constant_eqns]):
        return (), ()
    inside = {id(eqn) for eqn in constant_eqns}
    # Walk backward over the constant equations: a result that the body needs crosses the border, or
    # is computed in the body.
    needed = set(body.outs)
    for eqn in body.eqns:
        if id(eqn) not in inside:
            needed.update(eqn.inputs)
    crossing: list[Var] = []
    for eqn in reversed(constant_eqns):
        small = all([v.aval.nbytes <= max(ROOM * sizes[v], LITTLE) for v in eqn.outs])
        if not needed.isdisjoint(eqn.outs):
            if small and not eqn.primitive.cheap:
                crossing += eqn.outs
            else:  # it stays, and needs its operands
                needed.update(eqn.inputs)
    crossing.reverse()
    return needed_equations(constant_eqns, crossing, effects=False)[0], crossing
