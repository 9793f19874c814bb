"""Partial evaluation: split a program in two, by which of its inputs are linear.

*Linear* inputs are those whose numbers are not there yet: the tangents, when a derivative is
taken. The *known* half computes everything that depends on none of them, so it can run at once.
The *linear* half computes the rest. It needs some values of the known half, which are called
*residuals*. For `(x, t) -> (sin x, t * cos x)`, where `t` is linear, the known half is
`x -> (sin x, cos x)`, the linear half is `(c, t) -> t * c`, and `cos x` is the residual.

Not every residual is computed and stored. A residual that is an operand of the program anyway is
passed on. A residual that is cheaper to compute again than to keep (a broadcast, a cast to more
bytes) is computed again in the linear half.

The linear half is also called the linear part. `Primitive.linear_part` is something else: the
tangent of the result of a linear primitive.

Start reading at `Parts`, then `partial_jaxpr`. `staging.TangentTrace.split` shows how the two
halves are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from .core import Primitive
from .jaxpr import Eqn, Jaxpr, Var, eliminate_dead_code, made
from .stand_ins import ZERO, LinearInput
from .support.lists import parted


class Parts(NamedTuple):
    """A program, or an operation on programs, in two parts.

    Attributes:
        known: takes the operands that are not linear, and returns the known results and then the
            computed residuals. `partial_jaxpr` always returns a program here; an operation that is
            split has None if there is nothing to compute.
        linear: the linear half (in `Scan._parts`, what varies from step to step). It takes the
            operands that `sources` lists, and returns the linear results.
        linear_outs: for each result of the whole, whether `linear` returns it (`known` otherwise).
        sources: for each operand of `linear`, its position among the operands of the whole, or
            None for the next one of the computed residuals.

    For `(x, t) -> (sin x, t * cos x)` with a linear `t`, `linear_outs` is `[False, True]` and
    `sources` is `[None, 1]`: first the computed residual, `cos x`, then operand 1 of the whole,
    `t`.
    """

    known: Any
    linear: Any
    linear_outs: Sequence[bool]
    sources: Sequence[int | None]

    def inputs(self, operands: Sequence[Any], computed: Sequence[Any]) -> list[Any]:
        """Return the operands of `linear`, picked from the operands of the whole and the computed
        residuals.

        Examples:
            >>> Parts(None, None, [False, True], [None, 1]).inputs(["x", "t"], ["cos x"])
            ['cos x', 't']
        """
        fresh = iter(computed)
        return [next(fresh) if s is None else operands[s] for s in self.sources]


def partial_jaxpr(
    jaxpr: Jaxpr,
    linear: Sequence[bool],
    wanted: Sequence[bool] | None = None,
    effects: bool = False,
) -> Parts:
    """Split a program by which of its inputs are linear. The program must have no constants.

    Args:
        jaxpr: the program.
        linear: for each input, whether it is linear.
        wanted: for each result, whether the linear half shall return it even if it is known.
            (Branches of a conditional are split alike in this way.) By default, none.
        effects: whether an equation with effects belongs to the linear half even if its operands
            are known.

    Returns:
        `Parts`, whose `known` and `tangent` are programs. They are remembered in `jaxpr.memo`.
    """
    key = ("partial", tuple(linear), None if wanted is None else tuple(wanted), effects)
    if key in jaxpr.memo:
        return jaxpr.memo[key]
    known_eqns, linear_eqns, linear_vars = _sorted_equations(jaxpr, linear, effects)
    is_linear = [type(v) is Var and v in linear_vars for v in jaxpr.outs]
    linear_outs = is_linear if wanted is None else [a or b for a, b in zip(is_linear, wanted)]
    tangent_outs = [v for v, flag in zip(jaxpr.outs, linear_outs) if flag]
    known_ins = [v for v, flag in zip(jaxpr.in_vars, linear) if not flag]
    # A dictionary is a set in order: programs must come out the same every time.
    needed = dict.fromkeys(
        [
            v
            for v in (*[v for eqn in linear_eqns for v in eqn.inputs], *tangent_outs)
            if type(v) is Var and v not in linear_vars
        ]
    )
    residuals, again = _compute_again(needed, known_eqns, known_ins)
    position = {v: i for i, v in enumerate(jaxpr.in_vars)}
    known = Jaxpr(
        known_ins,
        known_eqns,
        [
            *[v for v, flag in zip(jaxpr.outs, linear_outs) if not flag],
            *[v for v in residuals if v not in position],
        ],
        name=jaxpr.name,
    )
    inputs = [*residuals, *[v for v, flag in zip(jaxpr.in_vars, linear) if flag]]
    tangent = Jaxpr(inputs, [*again, *linear_eqns], tangent_outs, name=jaxpr.name)
    sources = [position.get(v) for v in inputs]
    known, tangent = [made(eliminate_dead_code(half)) for half in (known, tangent)]
    parts = Parts(known, tangent, linear_outs, sources)
    jaxpr.memo[key] = parts
    return parts


def _sorted_equations(
    jaxpr: Jaxpr, linear: Sequence[bool], effects: bool
) -> tuple[list[Eqn], list[Eqn], set[Var]]:
    """Return the equations of the known half, those of the linear half, and the linear variables.

    An operation on programs may be split: then it has an equation in each half.
    """
    linear_vars = {v for v, flag in zip(jaxpr.in_vars, linear) if flag}
    known_eqns: list[Eqn] = []
    linear_eqns: list[Eqn] = []
    for eqn in jaxpr.eqns:
        flags = [type(v) is Var and v in linear_vars for v in eqn.inputs]
        acts = effects and eqn.primitive.effects
        if not any(flags) and not acts:  # all operands are known
            known_eqns.append(eqn)
        elif splits(eqn.primitive, flags) and not acts:
            primitive: Any = eqn.primitive
            parts: Parts = primitive.partial(flags)
            operands = [v for v, flag in zip(eqn.inputs, flags) if not flag]
            tangent_outs, outs = parted(parts.linear_outs, eqn.outs)
            # What the known part returns beyond its share of the results are residuals: they need
            # new variables, by which the linear part reads them.
            avals = [] if parts.known is None else parts.known.out_avals
            computed = [Var(a) for a in avals[len(outs) :]]
            if parts.known is not None:
                known_eqns.append(Eqn(parts.known, operands, [*outs, *computed], eqn.source))
            if tangent_outs:
                inputs = parts.inputs(eqn.inputs, computed)
                linear_eqns.append(Eqn(parts.linear, inputs, tangent_outs, eqn.source))
                linear_vars.update(tangent_outs)
        else:  # the equation goes to the linear half as it is
            linear_eqns.append(eqn)
            linear_vars.update(eqn.outs)
    return known_eqns, linear_eqns, linear_vars


def splits(primitive: Any, linear: Sequence[bool]) -> bool:
    """Return whether an operation with these linear operands is to be split into a known and a
    linear part.

    Only operations on programs are. If all operands are linear, nothing of them is known; `whole`
    is their own veto.
    """
    return not all(linear) and primitive.holds_programs and not primitive.whole(linear)


def _compute_again(
    needed: Iterable[Var], eqns: Sequence[Eqn], inputs: Sequence[Var]
) -> tuple[list[Var], list[Eqn]]:
    """Choose between keeping a residual and computing it again.

    Args:
        needed: the known variables that the linear half reads.
        eqns: the equations of the known half.
        inputs: the inputs of the known half, which cost nothing to keep.

    Returns:
        The variables to keep as residuals, and the equations for the linear half to repeat, in the
        order of the program. From these all of `needed` can be computed.
    """
    # Only cheap equations may be repeated.
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
        if eqn is None or v in free:  # not cheap to compute, or there anyway
            kept[v] = None
            continue
        sources = [u for u in eqn.inputs if type(u) is Var]
        # To repeat the equation, its own operands must be kept: no gain if they are larger than
        # its result.
        if sum([u.aval.nbytes for u in sources if u not in free]) > v.aval.nbytes:
            kept[v] = None
        elif id(eqn) not in repeated:
            repeated.add(id(eqn))
            todo += sources
    return list(kept), [eqn for eqn in eqns if id(eqn) in repeated]


def linear_results(jaxpr: Jaxpr, linear: Sequence[bool]) -> Sequence[bool]:
    """Return, for each result of a program, whether it depends on linear inputs."""
    return partial_jaxpr(jaxpr, linear).linear_outs


def one_equation(primitive: Primitive, in_avals: Sequence[Any], out_avals: Sequence[Any]) -> Jaxpr:
    """Return the program that applies a primitive with several results once."""
    inputs, outs = [Var(a) for a in in_avals], [Var(a) for a in out_avals]
    return Jaxpr(inputs, [Eqn(primitive, inputs, outs)], outs, name=primitive.name)


def transpose_parts(
    parts: Parts, transpose_jaxpr: Callable, cts: Sequence[Any], args: Sequence[Any]
) -> list[Any]:
    """Transpose an operation on programs whose known part must be run first.

    Args:
        parts: the operation, split.
        transpose_jaxpr: the transposition of programs, see `HigherOrder.transpose_with`.
        cts: the cotangents of all results.
        args: the operands of the whole; a `LinearInput` for each linear one.

    Returns:
        For each operand its cotangent, or None if the operand is not linear.
    """
    operands = [a for a in args if type(a) is not LinearInput]
    known = [] if parts.known is None else parts.known.bind(*operands)
    count = len(parts.linear_outs) - sum(parts.linear_outs)
    inputs = parts.inputs(args, known[count:])
    # Cotangents of known results are dropped: no linear operand has anything to do with them.
    linear_cts = [ct for ct, lin in zip(cts, parts.linear_outs) if lin]
    input_cts = parts.linear.transpose_with(transpose_jaxpr, linear_cts, inputs)
    outs: list[Any] = [None if type(a) is not LinearInput else ZERO for a in args]
    # Residuals are not linear, so their cotangents are None; the others go where `sources` says.
    for s, ct in zip(parts.sources, input_cts):
        if s is not None and ct is not None:
            outs[s] = ct
    return outs
