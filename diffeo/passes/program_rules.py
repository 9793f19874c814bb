"""Rules of the simplifier for operations on programs: their programs are simplified, results that
no step changes leave loops, and what nobody reads is not computed.

Rules come in two tables. Those of `PROGRAMS` are applied forward, by `Simplifier.equation`: `s` is
the simplifier at work, and operands are canonical. Those of `TRIMMED` are applied backward, by
`live_equations`.

The forward rules for loops handle lists of pairs: `consts`, `carry` and `slices` pair the variable
of an input of the body with the operand outside, `results` a result of the body with the variable
outside. So an input can move from one list to another, and the body is written anew in the end. For
a scan of `(w, c, x) -> (c + w * x, c)` over `W, C, X`, they are

    consts = [(w, W)]     carry = [(c, C)]     slices = [(x, X)]
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


def of_call(s: Any, call: Call, inputs: Sequence[Any], outs: Sequence[Var], origin: Eqn) -> Any:
    """Call the simplified program, or write a small one in place of the call."""
    # The function is still Python code: there is no program to simplify.
    if call.lazy:
        return call, inputs, outs
    body = s.simplify(call.jaxpr)
    if type(call) is not Checkpoint and len(body.eqns) <= SMALL and not body.effects:
        results = s.inline(body, inputs)
        if s.replace_all(outs, results):
            return None
    # A result of the program that is one of its inputs is the operand.
    operands = dict(zip(body.in_vars, inputs))
    for v, out in zip(outs, body.outs):
        if out in operands:
            s.replace(v, operands[out])
    if type(call) is CustomCall:  # its rules have done their work
        call = Call(body, call.compile)
    elif body is not call.jaxpr:
        call = replace(call, jaxpr=body)
    return call, inputs, outs


def of_cond(s: Any, cond: Cond, inputs: Sequence[Any], outs: Sequence[Var], origin: Eqn) -> Any:
    """Choose between simplified programs; if the choice is known, call the one that is chosen."""
    branches = tuple([s.simplify(b) for b in cond.branches])
    number = s.number(inputs[0])
    if number is not None:
        branch = branches[number if 0 <= number < len(branches) else -1]
        return of_call(s, Call(branch), inputs[1:], outs, origin)
    # A result that is the same operand in all branches is this operand.
    operands = [dict(zip(b.in_vars, inputs[1:])) for b in branches]
    for i, v in enumerate(outs):
        values = {mapping.get(b.outs[i]) for mapping, b in zip(operands, branches)}
        if len(values) == 1 and None not in values:
            s.replace(v, values.pop())
    return Cond(branches), inputs, outs


def of_scan(s: Any, scan: Scan, inputs: Sequence[Any], outs: Sequence[Var], origin: Eqn) -> Any:
    """Scan the simplified program.

    What no step changes is a constant, and what is computed from constants is computed before the
    loop. A result that is a constant, a slice, or another result, is taken from there instead of
    being stacked.
    """
    body = s.simplify(scan.jaxpr)
    n, m = scan.consts, scan.consts + scan.carry
    consts = list(zip(body.in_vars[:n], inputs[:n]))
    carry, results = _changing(
        s, list(zip(body.in_vars[n:m], inputs[n:m])), body.outs, outs, consts
    )
    slices = []
    for v, x in zip(body.in_vars[m:], inputs[m:]):
        # An array of equal slices is a constant.
        every = _every_slice(s, x) if scan.length else None
        (slices if every is None else consts).append((v, x if every is None else every))
    results += zip(body.outs[scan.carry :], outs[scan.carry :])
    if scan.length:
        body, consts, results = _improved(s, body, consts, carry, slices, results)
    outer_of, array_of, first_y = dict(consts), dict(slices), {}
    kept = results[: len(carry)]
    for out, y in results[len(carry) :]:
        # If a step returns its slice of an array, y is this array. If it returns a constant, y is
        # its broadcast. If two ys are one variable of the body, they are one.
        source = array_of.get(out)
        if source is None and out in outer_of and scan.length:
            dims = tuple(range(1, out.aval.ndim + 1))
            source = s.bind(BroadcastInDim(y.aval.shape, dims), outer_of[out])
        source = first_y.setdefault(out, y) if source is None else source
        if source is y or not s.replace(y, source):
            kept.append((out, y))
    operands = [*consts, *carry, *slices]
    body = _program(s, body, [v for v, _ in operands], [out for out, _ in kept])
    scan = replace(scan, jaxpr=body, consts=len(consts), carry=len(carry))
    return scan, [x for _, x in operands], [y for _, y in kept]


def _changing(
    s: Any, carry: list, after: Sequence[Any], outs: Sequence[Var], consts: list
) -> tuple[list, list]:
    """Split off the parts of a carry that no step changes: they are added to `consts`.

    Returns:
        The pairs of the carry that steps change, and those of its results.
    """
    kept, results = [], []
    for (v, x), out, y in zip(carry, after, outs):
        if out is v and s.replace(y, x):
            consts.append((v, x))
        else:
            kept.append((v, x))
            results.append((out, y))
    return kept, results


def _every_slice(s: Any, x: Var) -> Any:
    """Return what every slice of an array is, if they are equal; None if they may differ."""
    number = s.number(x)
    if number is not None:
        return s.bind(Full(x.aval.shape[1:], x.aval.dtype, number))
    # A broadcast along the axis of the steps has equal slices: the broadcast without this axis.
    maker = s.makers.get(x)
    if maker is None or type(maker.primitive) is not BroadcastInDim or 0 in maker.primitive.dims:
        return None
    dims = tuple([d - 1 for d in maker.primitive.dims])
    return s.bind(BroadcastInDim(maker.primitive.shape[1:], dims), maker.inputs[0])


def of_while(s: Any, loop: While, inputs: Sequence[Any], outs: Sequence[Var], origin: Eqn) -> Any:
    """Loop over simplified programs.

    What no step changes is a constant, and what is computed from constants is computed before the
    loop.
    """
    cond, body = s.simplify(loop.cond), s.simplify(loop.body)
    n, m = loop.cond_consts, loop.cond_consts + loop.body_consts
    consts = list(zip(body.in_vars[: m - n], inputs[n:m]))
    first = len(consts)
    pairs = list(zip(body.in_vars[m - n :], inputs[m:]))
    carry, results = _changing(s, pairs, body.outs, outs, consts)
    unchanged = {v for v, _ in consts[first:]}
    # For each part of the carry, by its variable in the body: the variable in the condition, and
    # the operand. Parts that no step changes are constants of the condition, too.
    tested = dict(zip(body.in_vars[m - n :], zip(cond.in_vars[n:], inputs[m:])))
    test_consts = [
        *zip(cond.in_vars[:n], inputs[:n]),
        *[tested[v] for v in tested if v in unchanged],
    ]
    body, consts, results = _improved(s, body, consts, carry, [], results, loops=False)
    ins = [*[v for v, _ in test_consts], *[tested[v][0] for v in tested if v not in unchanged]]
    cond = _program(s, cond, ins, cond.outs)
    body = _program(s, body, [v for v, _ in (*consts, *carry)], [out for out, _ in results])
    loop = replace(
        loop, cond=cond, body=body, cond_consts=len(test_consts), body_consts=len(consts)
    )
    return loop, [x for _, x in (*test_consts, *consts, *carry)], [y for _, y in results]


def _improved(
    s: Any, body: Jaxpr, consts: list, carry: list, slices: list, results: list, loops: bool = True
) -> tuple[Jaxpr, list, list]:
    """Write numbers into the body of a loop, and compute before the loop what is constant.

    Args:
        s: the simplifier.
        body: the body.
        consts, carry, slices: pairs of an input of the body and the operand outside.
        results: pairs of a result of the body and the variable outside.
        loops: whether operations on programs may be computed before the loop, too: if the body runs
            for certain.

    Returns:
        The new body, with inputs in the order of the lists, and its constants and results.
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
    # `crossing` are variables of the body that are constants now; what stands for them outside is
    # computed before the loop.
    before, crossing = hoisted(body, [v for v, _ in consts], loops)
    outs = body.outs
    if crossing:
        consts = [*consts, *zip(crossing, s.taken(before, dict(consts), crossing))]
        computed = set(crossing)
        remaining = [eqn for eqn in body.eqns if computed.isdisjoint(eqn.outs)]
        ins = [v for v, _ in (*consts, *carry, *slices)]
        body = _program(s, body, ins, outs, remaining)
    return body, consts, list(zip(outs, ys))


def _program(
    s: Any,
    jaxpr: Jaxpr,
    in_vars: Sequence[Var],
    outs: Sequence[Any],
    eqns: Sequence[Eqn] | None = None,
) -> Jaxpr:
    """Return another form of a simplified program, which is simplified too."""
    eqns = jaxpr.eqns if eqns is None else eqns
    if eqns is jaxpr.eqns and [*in_vars] == [*jaxpr.in_vars] and [*outs] == [*jaxpr.outs]:
        return jaxpr
    program = made(Jaxpr(in_vars, s.live_equations(eqns, outs)[0], outs, name=jaxpr.name))
    program.memo["simplified"] = True
    return program


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
    """Return the program without inputs that it does not need."""
    if all(kept):
        return jaxpr
    key = ("inputs", tuple(kept))
    program = jaxpr.memo.get(key)
    if program is None:
        ins = list(compress(jaxpr.in_vars, kept))
        program = made(Jaxpr(ins, jaxpr.eqns, jaxpr.outs, name=jaxpr.name))
        program.memo["simplified"] = True
        jaxpr.memo[key] = program
    return program


def trim_call(eqn: Eqn, wanted: list[bool], trimmed: Trimmed) -> Eqn:
    """Call the program that has the results and inputs that are needed only."""
    call: Any = eqn.primitive
    body, live = trimmed(call.jaxpr, wanted)
    used = [v in live for v in body.in_vars]
    if all(wanted) and all(used) and body is call.jaxpr:
        return eqn
    primitive = replace(call, jaxpr=with_inputs(body, used))
    outs = list(compress(eqn.outs, wanted))
    return Eqn(primitive, list(compress(eqn.inputs, used)), outs, eqn.source)


def trim_cond(eqn: Eqn, wanted: list[bool], trimmed: Trimmed) -> Eqn:
    """Choose between programs with the results that are read, and inputs that some branch needs."""
    cond: Any = eqn.primitive
    trimmed_branches = [trimmed(b, wanted) for b in cond.branches]
    used = [any([v in live for v, (_, live) in zip(column, trimmed_branches)])
            for column in zip(*[b.in_vars for b in cond.branches])]  # fmt: skip
    branches = tuple([with_inputs(b, used) for b, _ in trimmed_branches])
    if all(wanted) and branches == cond.branches:
        return eqn
    inputs = [eqn.inputs[0], *compress(eqn.inputs[1:], used)]
    return Eqn(Cond(branches), inputs, list(compress(eqn.outs, wanted)), eqn.source)


def trim_scan(eqn: Eqn, wanted: list[bool], trimmed: Trimmed) -> Eqn:
    """Drop the ys that nobody reads, and carries that no step needs for what is read."""
    scan: Any = eqn.primitive
    n, m = scan.consts, scan.consts + scan.carry
    # A carry is needed if it is read after the loop, or if a step reads it for what is needed; then
    # the carry that this step returns is needed, too.
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
    """Drop carries that neither the condition nor what is read needs."""
    loop: Any = eqn.primitive
    n, m = loop.cond_consts, loop.cond_consts + loop.body_consts
    _, tested = trimmed(loop.cond, [True])
    wanted = [a or v in tested for a, v in zip(wanted, loop.cond.in_vars[n:])]
    # A step may need further parts of the carry for those that are needed.
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


#: The rules by the type of the primitive: the equation with the results that are read only.
TRIMMED: dict[type, Callable] = {
    Call: trim_call,
    Checkpoint: trim_call,
    Cond: trim_cond,
    Scan: trim_scan,
    While: trim_while,
}
