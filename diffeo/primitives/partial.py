"""Partial evaluation: a program in two, by which of its inputs are linear.

The known half computes what depends on no linear input, and the residuals: what the linear half
needs of it. An input that is itself a residual is not computed but passed on, and what is cheaper
to compute again than to keep (a broadcast, a cast to more bytes) is computed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .core import Primitive
from .jaxpr import Eqn, Jaxpr, Var, eliminate_dead_code, made
from .stand_ins import ZERO, LinearInput


class Parts(NamedTuple):
    """A program, or an operation on programs, in two parts.

    `known` takes the operands that are not linear, and returns the known results and then the
    residuals that it computes; it is None if there is nothing to return. `tangent` returns the
    linear results. Its operands are listed by `sources`: the number of an operand of the whole, or
    None for the next of the computed residuals.
    """

    known: Any
    tangent: Any
    linear_outs: Sequence[bool]
    sources: Sequence[int | None]

    def inputs(self, operands: Sequence[Any], computed: Sequence[Any]) -> list[Any]:
        """The operands of `tangent` from those of the whole and the computed residuals."""
        fresh = iter(computed)
        return [next(fresh) if s is None else operands[s] for s in self.sources]


def partial_jaxpr(
    jaxpr: Jaxpr,
    linear: Sequence[bool],
    wanted: Sequence[bool] | None = None,
    effects: bool = False,
) -> Parts:
    """Split a program, which must have no constants, by which inputs are linear.

    Args:
        jaxpr: the program.
        linear: for each input, whether it is linear.
        wanted: results that shall count as linear whether they are or not.
        effects: what has effects shall count as linear whether it is or not.
    """
    key = ("partial", tuple(linear), None if wanted is None else tuple(wanted), effects)
    if key in jaxpr.memo:
        return jaxpr.memo[key]
    known_eqns, linear_eqns, linear_vars = _sorted_equations(jaxpr, linear, effects)
    is_linear = [type(v) is Var and v in linear_vars for v in jaxpr.outs]
    linear_outs = is_linear if wanted is None else [a or b for a, b in zip(is_linear, wanted)]
    tangent_outs = [v for v, flag in zip(jaxpr.outs, linear_outs) if flag]
    known_ins = [v for v, flag in zip(jaxpr.in_vars, linear) if not flag]
    needed = dict.fromkeys(
        [
            v
            for v in (*[v for eqn in linear_eqns for v in eqn.inputs], *tangent_outs)
            if type(v) is Var and v not in linear_vars
        ]
    )
    residuals, again = _compute_again(needed, known_eqns, known_ins)
    place = {v: i for i, v in enumerate(jaxpr.in_vars)}
    known = Jaxpr(
        known_ins,
        known_eqns,
        [
            *[v for v, flag in zip(jaxpr.outs, linear_outs) if not flag],
            *[v for v in residuals if v not in place],
        ],
        name=jaxpr.name,
    )
    inputs = [*residuals, *[v for v, flag in zip(jaxpr.in_vars, linear) if flag]]
    tangent = Jaxpr(inputs, [*again, *linear_eqns], tangent_outs, name=jaxpr.name)
    sources = [place.get(v) for v in inputs]
    known, tangent = [made(eliminate_dead_code(half)) for half in (known, tangent)]
    found = Parts(known, tangent, linear_outs, sources)
    jaxpr.memo[key] = found
    return found


def _sorted_equations(
    jaxpr: Jaxpr, linear: Sequence[bool], effects: bool
) -> tuple[list[Eqn], list[Eqn], set[Var]]:
    """The known equations, the linear ones, and the variables that are linear; an operation on
    programs may have a part in both.
    """
    linear_vars = {v for v, flag in zip(jaxpr.in_vars, linear) if flag}
    known_eqns: list[Eqn] = []
    linear_eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        flags = [type(v) is Var and v in linear_vars for v in eqn.inputs]
        acts = effects and eqn.primitive.effects
        if not any(flags) and not acts:
            known_eqns.append(eqn)
        elif splits(eqn.primitive, flags) and not acts:
            primitive: Any = eqn.primitive
            parts: Parts = primitive.partial(flags)
            operands = [v for v, flag in zip(eqn.inputs, flags) if not flag]
            outs = [v for v, flag in zip(eqn.outs, parts.linear_outs) if not flag]
            avals = [] if parts.known is None else parts.known.out_avals
            computed = [Var(a) for a in avals[len(outs) :]]
            if parts.known is not None:
                known_eqns.append(Eqn(parts.known, operands, [*outs, *computed], eqn.source))
            tangent_outs = [v for v, flag in zip(eqn.outs, parts.linear_outs) if flag]
            if tangent_outs:
                inputs = parts.inputs(eqn.inputs, computed)
                linear_eqns.append(Eqn(parts.tangent, inputs, tangent_outs, eqn.source))
                linear_vars.update(tangent_outs)
        else:
            linear_eqns.append(eqn)
            linear_vars.update(eqn.outs)
    return known_eqns, linear_eqns, linear_vars


def splits(primitive: Any, linear: Sequence[bool]) -> bool:
    """Whether an operation may have a known part and a linear one."""
    return not all(linear) and primitive.holds_programs and not primitive.whole(linear)


def _compute_again(
    needed: Iterable[Var], eqns: Sequence[Eqn], inputs: Sequence[Var]
) -> tuple[list[Var], list[Eqn]]:
    """The residuals to keep so that all that is needed can be had, and the equations to repeat."""
    producer = {v: eqn for eqn in eqns for v in eqn.outs if eqn.primitive.cheap}
    if not producer:
        return list(needed), []
    free = set(inputs)
    kept: dict[Var, None] = {}
    repeated: set[int] = set()
    todo = list(needed)
    while todo:
        v = todo.pop()
        eqn = producer.get(v)
        if eqn is None or v in free:
            kept[v] = None
            continue
        sources = [u for u in eqn.inputs if type(u) is Var]
        if sum([u.aval.nbytes for u in sources if u not in free]) > v.aval.nbytes:
            kept[v] = None
        elif id(eqn) not in repeated:
            repeated.add(id(eqn))
            todo += sources
    return list(kept), [eqn for eqn in eqns if id(eqn) in repeated]


def linear_results(jaxpr: Jaxpr, linear: Sequence[bool]) -> Sequence[bool]:
    """Which results of a program depend on linear inputs."""
    return partial_jaxpr(jaxpr, linear).linear_outs


def one_equation(primitive: Primitive, in_avals: Sequence[Any], out_avals: Sequence[Any]) -> Jaxpr:
    """The program that applies a primitive with several results."""
    inputs, outs = [Var(a) for a in in_avals], [Var(a) for a in out_avals]
    return Jaxpr(inputs, [Eqn(primitive, inputs, outs)], outs, name=primitive.name)


def transpose_parts(
    parts: Parts, transpose_jaxpr: Any, cts: Sequence[Any], args: Sequence[Any]
) -> list[Any]:
    """Transpose an operation whose known part must be run first."""
    operands = [a for a in args if type(a) is not LinearInput]
    known = [] if parts.known is None else parts.known.bind(*operands)
    count = len(parts.linear_outs) - sum(parts.linear_outs)
    inputs = parts.inputs(args, known[count:])
    linear_cts = [ct for ct, lin in zip(cts, parts.linear_outs) if lin]
    found = parts.tangent.transpose_with(transpose_jaxpr, linear_cts, inputs)
    outs: list[Any] = [None if type(a) is not LinearInput else ZERO for a in args]
    for s, ct in zip(parts.sources, found):
        if s is not None and ct is not None:
            outs[s] = ct
    return outs
