"""Rules of the simplifier for operations on programs: their programs are simplified, results that
no step changes leave loops, and what nobody reads is not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any

from ..primitives.constants import Full
from ..primitives.jaxpr import Eqn, Jaxpr, Var, made
from ..primitives.words.structural import BroadcastInDim
from ..programs.call import Call
from ..programs.cond import Cond
from ..programs.custom_call import CustomCall
from ..programs.remat import Checkpoint
from ..programs.scan import Scan
from ..programs.while_loop import While
from .hoisting import hoisted

#: Called programs of so many equations are written in place of the call.
SMALL = 4


# --------------------------------------------------------------------------------------------------
# Forward


def of_call(s: Any, call: Any, inputs: Sequence[Any], outs: Sequence[Var], origin: Eqn) -> Any:
    """A call of the simplified program; small ones are written in place."""
    if call.lazy:
        return call, inputs, outs
    body = s.simplify(call.jaxpr)
    if type(call) is not Checkpoint and len(body.eqns) <= SMALL and not body.effects:
        found = s.inline(body, inputs)
        if s.replace_all(outs, found):
            return None
    place = dict(zip(body.in_vars, inputs))
    for v, out in zip(outs, body.outs):
        if out in place:
            s.replace(v, place[out])
    if type(call) is CustomCall:  # its rules have done their work
        call = Call(body, call.compile)
    elif body is not call.jaxpr:
        call = replace(call, jaxpr=body)
    return call, inputs, outs


def of_cond(s: Any, cond: Any, inputs: Sequence[Any], outs: Sequence[Var], origin: Eqn) -> Any:
    """A choice between simplified programs; one that is known is no choice."""
    branches = tuple([s.simplify(b) for b in cond.branches])
    number = s.number(inputs[0])
    if number is not None:
        branch = branches[number if 0 <= number < len(branches) else -1]
        return of_call(s, Call(branch), inputs[1:], outs, origin)
    places = [dict(zip(b.in_vars, inputs[1:])) for b in branches]
    for i, v in enumerate(outs):
        found = {place.get(b.outs[i]) for place, b in zip(places, branches)}
        if len(found) == 1 and None not in found:
            s.replace(v, found.pop())
    return Cond(branches), inputs, outs


def of_scan(s: Any, scan: Any, inputs: Sequence[Any], outs: Sequence[Var], origin: Eqn) -> Any:
    """A scan of the simplified program. What no step changes is a constant, what is constant is
    computed before, and ys that are so need no steps.
    """
    body = s.simplify(scan.jaxpr)
    n, m = scan.consts, scan.consts + scan.carry
    consts = list(zip(body.in_vars[:n], inputs[:n]))
    carry, results = _changing(
        s, list(zip(body.in_vars[n:m], inputs[n:m])), body.outs, outs, consts
    )
    slices = []
    for v, x in zip(body.in_vars[m:], inputs[m:]):
        same = _every_slice(s, x) if scan.length else None
        (slices if same is None else consts).append((v, x if same is None else same))
    results += zip(body.outs[scan.carry :], outs[scan.carry :])
    if scan.length:
        body, consts, results = _improved(s, body, consts, carry, slices, results)
    given, stacked, seen = dict(consts), dict(slices), {}
    kept = results[: len(carry)]
    for out, y in results[len(carry) :]:
        found = stacked.get(out)
        if found is None and out in given and scan.length:
            dims = tuple(range(1, out.aval.ndim + 1))
            found = s.bind(BroadcastInDim(y.aval.shape, dims), given[out])
        found = seen.setdefault(out, y) if found is None else found
        if found is y or not s.replace(y, found):
            kept.append((out, y))
    operands = [*consts, *carry, *slices]
    body = _program(s, body, [v for v, _ in operands], [out for out, _ in kept])
    scan = replace(scan, jaxpr=body, consts=len(consts), carry=len(carry))
    return scan, [x for _, x in operands], [y for _, y in kept]


def _changing(
    s: Any, carry: list, after: Sequence[Any], outs: Sequence[Var], consts: list
) -> tuple[list, list]:
    """The parts of a carry that steps change, and their results; the others become constants."""
    kept, results = [], []
    for (v, x), out, y in zip(carry, after, outs):
        if out is v and s.replace(y, x):
            consts.append((v, x))
        else:
            kept.append((v, x))
            results.append((out, y))
    return kept, results


def _every_slice(s: Any, x: Any) -> Any:
    """What every slice of an array is, if they are equal."""
    number = s.number(x)
    if number is not None:
        return s.bind(Full(x.aval.shape[1:], x.aval.dtype, number))
    maker = s.makers.get(x)
    if maker is None or type(maker.primitive) is not BroadcastInDim or 0 in maker.primitive.dims:
        return None
    dims = tuple([d - 1 for d in maker.primitive.dims])
    return s.bind(BroadcastInDim(maker.primitive.shape[1:], dims), maker.inputs[0])


def of_while(s: Any, loop: Any, inputs: Sequence[Any], outs: Sequence[Var], origin: Eqn) -> Any:
    """A loop over simplified programs. What no step changes is a constant; what is constant is
    computed before.
    """
    cond, body = s.simplify(loop.cond), s.simplify(loop.body)
    n, m = loop.cond_consts, loop.cond_consts + loop.body_consts
    consts = list(zip(body.in_vars[: m - n], inputs[n:m]))
    first = len(consts)
    every = list(zip(body.in_vars[m - n :], inputs[m:]))
    carry, results = _changing(s, every, body.outs, outs, consts)
    still = {v for v, _ in consts[first:]}
    tested = dict(zip(body.in_vars[m - n :], zip(cond.in_vars[n:], inputs[m:])))
    going = [*zip(cond.in_vars[:n], inputs[:n]), *[tested[v] for v in tested if v in still]]
    body, consts, results = _improved(s, body, consts, carry, [], results, loops=False)
    ins = [*[v for v, _ in going], *[tested[v][0] for v in tested if v not in still]]
    cond = _program(s, cond, ins, cond.outs)
    body = _program(s, body, [v for v, _ in (*consts, *carry)], [out for out, _ in results])
    loop = replace(loop, cond=cond, body=body, cond_consts=len(going), body_consts=len(consts))
    return loop, [x for _, x in (*going, *consts, *carry)], [y for _, y in results]


def _improved(
    s: Any, body: Jaxpr, consts: list, carry: list, slices: list, results: list, loops: bool = True
) -> tuple[Jaxpr, list, list]:
    """The body of a loop that runs, its constants and results: constants that are numbers are
    written into it, and what is constant is computed before.
    """
    ys = [y for _, y in results]
    numbers = [
        Eqn(Full(v.aval.shape, v.aval.dtype, s.number(x)), (), (v,), s.origin.source)
        for v, x in consts
        if s.number(x) is not None
    ]
    if numbers:
        consts = [(v, x) for v, x in consts if s.number(x) is None]
    ins = [v for v, _ in (*consts, *carry, *slices)]
    outs = [out for out, _ in results]
    if numbers:
        eqns = [*numbers, *body.eqns]
        body = s.simplify(made(Jaxpr(ins, eqns, outs, name=body.name)))
    else:
        body = _program(s, body, ins, outs)
    before, crossing = hoisted(body, [v for v, _ in consts], loops)
    outs = body.outs
    if crossing:
        consts = [*consts, *zip(crossing, s.taken(before, dict(consts), crossing))]
        gone = set(crossing)
        rest = [eqn for eqn in body.eqns if gone.isdisjoint(eqn.outs)]
        ins = [v for v, _ in (*consts, *carry, *slices)]
        body = _program(s, body, ins, outs, rest)
    return body, consts, list(zip(outs, ys))


def _program(
    s: Any,
    jaxpr: Jaxpr,
    in_vars: Sequence[Var],
    outs: Sequence[Any],
    eqns: Sequence[Eqn] | None = None,
) -> Jaxpr:
    """Another form of a simplified program, which is simplified too."""
    eqns = jaxpr.eqns if eqns is None else eqns
    if eqns is jaxpr.eqns and [*in_vars] == [*jaxpr.in_vars] and [*outs] == [*jaxpr.outs]:
        return jaxpr
    found = made(Jaxpr(in_vars, s.live_equations(eqns, outs)[0], outs, name=jaxpr.name))
    found.memo["simplified"] = True
    return found


#: The rules by the type of the primitive: what to take instead, None if all results are there.
PROGRAMS: dict[type, Callable] = {
    Call: of_call,
    CustomCall: of_call,
    Checkpoint: of_call,
    Cond: of_cond,
    Scan: of_scan,
    While: of_while,
}


# --------------------------------------------------------------------------------------------------
# Backward: what nobody reads. Each rule is handed `trimmed` of `live.py`.

Trimmed = Callable[[Jaxpr, Sequence[bool]], tuple[Jaxpr, set]]


def with_inputs(jaxpr: Jaxpr, kept: Sequence[bool]) -> Jaxpr:
    """The program without inputs that it does not need."""
    if all(kept):
        return jaxpr
    key = ("inputs", tuple(kept))
    found = jaxpr.memo.get(key)
    if found is None:
        ins = list(compress(jaxpr.in_vars, kept))
        found = made(Jaxpr(ins, jaxpr.eqns, jaxpr.outs, name=jaxpr.name))
        found.memo["simplified"] = True
        jaxpr.memo[key] = found
    return found


def trim_call(eqn: Eqn, wanted: list[bool], trimmed: Trimmed) -> Eqn:
    """A call of the program that has the wanted results and needed inputs only."""
    call: Any = eqn.primitive
    body, live = trimmed(call.jaxpr, wanted)
    used = [v in live for v in body.in_vars]
    if all(wanted) and all(used) and body is call.jaxpr:
        return eqn
    primitive = replace(call, jaxpr=with_inputs(body, used))
    outs = list(compress(eqn.outs, wanted))
    return Eqn(primitive, list(compress(eqn.inputs, used)), outs, eqn.source)


def trim_cond(eqn: Eqn, wanted: list[bool], trimmed: Trimmed) -> Eqn:
    """A choice between programs that have the wanted results, and inputs that some branch needs."""
    cond: Any = eqn.primitive
    found = [trimmed(b, wanted) for b in cond.branches]
    used = [any([v in live for v, (_, live) in zip(column, found)])
            for column in zip(*[b.in_vars for b in cond.branches])]  # fmt: skip
    branches = tuple([with_inputs(b, used) for b, _ in found])
    if all(wanted) and branches == cond.branches:
        return eqn
    inputs = [eqn.inputs[0], *compress(eqn.inputs[1:], used)]
    return Eqn(Cond(branches), inputs, list(compress(eqn.outs, wanted)), eqn.source)


def trim_scan(eqn: Eqn, wanted: list[bool], trimmed: Trimmed) -> Eqn:
    """A scan without the ys that nobody reads, nor carries that no step needs for what is read."""
    scan: Any = eqn.primitive
    n, m = scan.consts, scan.consts + scan.carry
    while True:
        body, live = trimmed(scan.jaxpr, wanted)
        used = [v in live for v in body.in_vars]
        read = [a or b for a, b in zip(wanted, used[n:m])]
        if read == wanted[: scan.carry]:
            break
        wanted = [*read, *wanted[scan.carry :]]
    used[n:m] = read
    if all(wanted) and all(used) and body is scan.jaxpr:
        return eqn
    primitive = replace(scan, jaxpr=with_inputs(body, used), consts=sum(used[:n]), carry=sum(read))
    outs = list(compress(eqn.outs, wanted))
    return Eqn(primitive, list(compress(eqn.inputs, used)), outs, eqn.source)


def trim_while(eqn: Eqn, wanted: list[bool], trimmed: Trimmed) -> Eqn:
    """A loop without carries that neither its condition nor what is read needs."""
    loop: Any = eqn.primitive
    n, m = loop.cond_consts, loop.cond_consts + loop.body_consts
    _, tested = trimmed(loop.cond, [True])
    wanted = [a or v in tested for a, v in zip(wanted, loop.cond.in_vars[n:])]
    while True:
        body, live = trimmed(loop.body, wanted)
        read = [a or v in live for a, v in zip(wanted, body.in_vars[m - n :])]
        if read == wanted:
            break
        wanted = read
    first = [v in tested for v in loop.cond.in_vars[:n]]
    second = [v in live for v in body.in_vars[: m - n]]
    if all(wanted) and all(first) and all(second) and body is loop.body:
        return eqn
    primitive = replace(
        loop,
        cond=with_inputs(loop.cond, [*first, *wanted]),
        body=with_inputs(body, [*second, *wanted]),
        cond_consts=sum(first),
        body_consts=sum(second),
    )
    inputs = list(compress(eqn.inputs, [*first, *second, *wanted]))
    return Eqn(primitive, inputs, list(compress(eqn.outs, wanted)), eqn.source)


TRIMMED: dict[type, Callable] = {
    Call: trim_call,
    Checkpoint: trim_call,
    Cond: trim_cond,
    Scan: trim_scan,
    While: trim_while,
}
