"""Re-rolling: a program that repeats a block of equations, as a loop of Python leaves it, with
`scan` instead. It is compiled in the time of one block.

`repeats.py` finds the blocks. `rerolled_scan.py` writes one of them as a scan: an operand of the
block becomes a constant of the scan, a carry or a slice, by where it comes from in each of them;
and what later equations need of the blocks is stacked, or computed again where that is cheap.
`rows.py` rewrites programs before and after, so that rows of arrays are seen. Loops that read what
other loops stacked, as those of a derivative do, are found in the next pass.

Start reading at `_reroll`, then `_one_pass`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from ..primitives.jaxpr import Eqn, Jaxpr, Var, eliminate_dead_code, made
from .repeats import (
    Place,
    Places,
    RepeatedBlock,
    Tokens,
    best_repeat,
    computes,
    regular_parts,
    tandem_repeats,
)
from .rerolled_scan import RerolledLoop, Uses, rolled
from .rows import (
    Rows,
    constants_shared,
    pads_joined,
    rows_by_argument,
    rows_first,
    rows_joined,
    with_equations,
)


def reroll(jaxpr: Jaxpr) -> Jaxpr:
    """Return a program with its repeated blocks as scans; the program itself if there are none.

    Args:
        jaxpr: any program. What has effects, or calls Python, stays where it is.

    Returns:
        A program of the same inputs and results, with constants of its own. Numbers may differ in
        the last digits, as the compiler fuses other operations.

    Examples:
        >>> import diffeo as dx
        >>> def network(weights, x):
        ...     for w in weights:
        ...         x = dx.numpy.tanh(x @ w) + x
        ...     return x
        >>> jaxpr = dx.make_jaxpr(network)(dx.numpy.ones((12, 3, 3)), dx.numpy.ones((2, 3)))
        >>> len(jaxpr.eqns), len(reroll(jaxpr).eqns)
        (60, 1)
    """
    rolled_up = _reroll(jaxpr, Tokens(), {})
    return (
        rolled_up if rolled_up is jaxpr else made(eliminate_dead_code(rows_by_argument(rolled_up)))
    )


def _reroll(jaxpr: Jaxpr, tokens: Tokens, bodies: dict[int, Jaxpr]) -> Jaxpr:
    """Do the work of `reroll`, but for the last step, which needs no repetition inside of programs.

    `bodies` are the programs of scans by their structure, so that equal loops have one.
    """
    result = jaxpr.memo.get("reroll")
    if result is None:
        prepared = _inner_programs(jaxpr, tokens, bodies)
        result = constants_shared(eliminate_dead_code(prepared))
        result = rows_first(pads_joined(result))
        rows = Rows()
        changed = prepared is not jaxpr
        while (after := _one_pass(result, tokens, bodies, rows)) is not result:
            result, changed = after, True
        result = made(eliminate_dead_code(rows_joined(result))) if changed else jaxpr
        jaxpr.memo["reroll"] = result.memo["reroll"] = result
    return result


def _inner_programs(jaxpr: Jaxpr, tokens: Tokens, bodies: dict[int, Jaxpr]) -> Jaxpr:
    """Return the program with the programs of its primitives rerolled."""

    def inner(value: Any) -> Any:
        if isinstance(value, Jaxpr):
            return _reroll(value, tokens, bodies)
        if type(value) is tuple and any([isinstance(v, Jaxpr) for v in value]):
            return tuple(map(inner, value))
        return value

    eqns = list(jaxpr.eqns)
    for i, eqn in enumerate(eqns):
        primitive: Any = eqn.primitive
        if not primitive.holds_programs:
            continue
        fields = {f: getattr(primitive, f) for f in getattr(primitive, "__dataclass_fields__", ())}
        changed = {f: new for f, old in fields.items() if (new := inner(old)) is not old}
        changed = {f: new for f, new in changed.items() if new != fields[f]}
        if changed:
            eqns[i] = Eqn(replace(primitive, **changed), eqn.inputs, eqn.outs, eqn.source)
    return with_equations(jaxpr, eqns) if eqns != list(jaxpr.eqns) else jaxpr


def _one_pass(jaxpr: Jaxpr, tokens: Tokens, bodies: dict[int, Jaxpr], rows: Rows) -> Jaxpr:
    """Return the program with those of its repeats as scans that do not touch each other.

    Of repeats that overlap it takes the one with the shorter block, of those that read each other
    the first. Others are left to the next pass.
    """
    eqns = jaxpr.eqns
    candidates = tandem_repeats([tokens.of(eqn) for eqn in eqns])
    if not candidates:
        return jaxpr
    places: dict[Var, Place] = dict.fromkeys([*jaxpr.const_vars, *jaxpr.in_vars], (-1, 0))
    places.update({v: (i, k) for i, eqn in enumerate(eqns) for k, v in enumerate(eqn.outs)})
    repeats = _disjoint(eqns, places, candidates)
    if not repeats:
        return jaxpr
    rows.read(eqns)
    uses = Uses(jaxpr)
    instead: dict[int, tuple[int, list[Eqn]]] = {}
    before: dict[int, list[Eqn]] = {}
    for repeat in repeats:
        if any([repeat.start <= at < repeat.end for at in before]):
            continue  # it has changed
        loop = RerolledLoop(eqns, places, repeat, rows)
        if any([start <= loop.latest < end for start, (end, _) in instead.items()]):
            continue  # its operands will be rows
        new = rolled(loop, uses, tokens, bodies, jaxpr.name)
        after = [*new.eqns, *chain(*new.again.values())]
        if sum(map(computes, after)) >= sum(map(computes, eqns[repeat.start : repeat.end])):
            continue
        instead[repeat.start] = repeat.end, new.eqns
        rows.stacked.update(new.stacked)
        places.update({row.array: (repeat.start, 0) for row in new.stacked.values()})
        for at, repeated in new.again.items():
            before.setdefault(at, []).extend(repeated)
    return eliminate_dead_code(with_equations(jaxpr, _replaced(eqns, instead, before)))


def _disjoint(
    eqns: Sequence[Eqn], places: Places, candidates: Sequence[tuple[int, int, int]]
) -> list[RepeatedBlock]:
    """Choose repeats that do not overlap, and return them in the program's order."""
    chosen: list[RepeatedBlock] = []
    starts: list[int] = []
    for start, end, period in candidates:
        for low, high in regular_parts(eqns, places, start, end, period):
            repeat = best_repeat(eqns, places, low, high, period)
            if repeat is None:
                continue
            at = bisect_left(starts, repeat.start)
            if at and chosen[at - 1].end > repeat.start:
                continue
            if at < len(chosen) and chosen[at].start < repeat.end:
                continue
            starts.insert(at, repeat.start)
            chosen.insert(at, repeat)
    return chosen


def _replaced(
    eqns: Sequence[Eqn], instead: dict[int, tuple[int, list[Eqn]]], before: dict[int, list[Eqn]]
) -> list[Eqn]:
    """Replace stretches of equations by others, and insert further equations.

    With `instead = {2: (5, [x])}` and `before = {7: [y]}`, the equations 0, 1, 2 ... 8 become 0, 1,
    x, 5, 6, y, 7, 8.
    """
    result: list[Eqn] = []
    at = 0
    while at < len(eqns):
        result += before.get(at, ())
        end, scan = instead.get(at, (at + 1, [eqns[at]]))
        result += scan
        at = end
    return result + before.get(len(eqns), [])
