"""A program for some rows of a batch: the branch that they chose, the loop that they still run.

The rows are computed together, and the results of the others are dropped. But what the others hold
may not be meant for the program. Its loops might never end there; and its derivatives might be
infinite, and 0 times that is nan. So

- where the program ends on any operands, and what all rows share has no derivative, each row's
  operands are cut off from their derivatives unless it is chosen: nothing gets out of the program
  or into it. The compiler finds nothing to do for that;
- else the other rows get the operands of one that is chosen, as constants of differentiation;
- and if none is chosen, a program that may not end, or takes long, is not run at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..primitives.array import Array
from ..primitives.constants import full
from ..primitives.core import Tracer, state, typeof
from ..primitives.jaxpr import Jaxpr, Var, sub_jaxprs
from ..primitives.types import int32, is_inexact
from ..primitives.words.elementwise import select, zero_scalar
from ..primitives.words.identity import hold
from ..primitives.words.indexing import dynamic_slice
from ..primitives.words.reduction import argmax, reduce_or
from ..primitives.words.structural import (
    batch_at_front,
    broadcast_in_dim,
    convert_element_type,
    squeeze,
)
from ..programs.call import SMALL, work
from ..programs.cond import choose

#: A value of `Batching`.
Value = tuple[Any, int | None]


def in_front(batching: Any, value: Any) -> Any:
    """The array of a value, with the batch axis in front."""
    array, axis = batching.plain(value)
    return batch_at_front(array, axis, batching.size)


def for_chosen_rows(
    batching: Any, program: Jaxpr, flag: Callable[[], Value], values: Sequence[Value]
) -> list[Value]:
    """Apply a program to a batch; the results of rows without the flag are anything."""
    ends = not endless(program)
    # A collective takes part of every row's operands, and what happens outside shows them all.
    open_ = program.names or (program.effects and ends)
    if open_ or not program.eqns or not batching.size or not understood(state.trace):
        return batching.inline(program, values)
    chosen = in_front(batching, flag())
    needed = used(program)
    values = [v if u else (stop(v[0]), v[1]) for v, u in zip(values, needed)]
    shared = [u and v[1] is None and moves(v[0]) for v, u in zip(values, needed)]
    light = ends and work(program) < SMALL
    if light and not any([s and typeof(x).size > 1 for (x, _), s in zip(values, shared)]):
        return batching.inline(program, [cut_off(batching, chosen, v) for v in values])

    def run(chosen: Any, *arrays: Any) -> list[Any]:
        row = argmax(chosen, 0)
        given = [
            (lend(chosen, row, a, d), d) if u and d is not None else (a, d)
            for a, (_, d), u in zip(arrays, values, needed)
        ]
        outs = batching.rerun(program, given)
        return [in_front(batching, o) for o in outs]

    arrays = [v[0] for v in values]
    if light:
        anyone = reduce_or(chosen, (0,))
        gated = [gate(anyone, x) if s else x for x, s in zip(arrays, shared)]
        outs = run(chosen, *gated)
    elif type(chosen) is Array and not chosen.host.any():
        outs = nothing(program, batching.size)
    else:
        anyone = convert_element_type(reduce_or(chosen, (0,)), int32)
        skip = lambda *_: nothing(program, batching.size)
        outs = choose(anyone, [skip, run], [chosen, *arrays])
    return [(o, 0) for o in outs]


def understood(trace: Any) -> bool:
    """Whether all interpreters around know what is bound here."""
    while trace is not None:
        if not getattr(trace, "complete", True):
            return False
        trace = trace.parent
    return True


def endless(program: Jaxpr) -> bool:
    """Whether a program might not end, or fail, on operands that it is not meant for."""
    found = program.memo.get("endless")
    if found is None:
        found = any(
            [
                eqn.primitive.endless
                or (eqn.primitive.calls_python and not eqn.primitive.effects)
                or any([endless(inner) for inner in sub_jaxprs(eqn.primitive)])
                for eqn in program.eqns
            ]
        )
        program.memo["endless"] = found
    return found


def used(program: Jaxpr) -> list[bool]:
    """Which inputs something is made of."""
    found = program.memo.get("used")
    if found is None:
        there = {v for eqn in program.eqns for v in eqn.inputs if type(v) is Var}
        there.update([v for v in program.outs if type(v) is Var])
        found = program.memo["used"] = [v in there for v in program.in_vars]
    return found


def moves(x: Any) -> bool:
    """Whether something may depend on an array by its derivative."""
    return isinstance(x, Tracer) and is_inexact(typeof(x).dtype)


def stop(x: Any) -> Any:
    """The array as a constant of differentiation."""
    return hold.bind(x) if moves(x) else x


def gate(flag: Any, x: Any, dims: Sequence[int] = ()) -> Any:
    """The array, which has a derivative where the flag is true."""
    return select(broadcast_in_dim(flag, typeof(x).shape, dims), x, hold.bind(x))


def cut_off(batching: Any, chosen: Any, value: Value) -> Value:
    """The value with a derivative in chosen rows only."""
    x, dim = value
    if not moves(x):
        return value
    if dim is None:
        x, dim = batch_at_front(x, None, batching.size), 0
    return gate(chosen, x, (dim,)), dim


def lend(chosen: Any, row: Any, x: Any, dim: int) -> Any:
    """The array of all rows, in which those that are not chosen are replaced by one `row`."""
    shape = typeof(x).shape
    zero = full((), 0, row.dtype)
    starts = [row if i == dim else zero for i in range(len(shape))]
    window = (*shape[:dim], 1, *shape[dim + 1 :])
    lent = squeeze(dynamic_slice(stop(x), starts, window), (dim,))
    others = [i for i in range(len(shape)) if i != dim]
    return select(broadcast_in_dim(chosen, shape, (dim,)), x, broadcast_in_dim(lent, shape, others))


def nothing(program: Jaxpr, size: int) -> list[Any]:
    """Zeros in the place of the results of all rows."""
    return [full((size, *a.shape), zero_scalar(a), a.dtype) for a in program.out_avals]
