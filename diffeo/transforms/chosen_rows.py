"""Run a program for some rows of a batch: a branch that they chose, or a loop that they still run.

Under vmap, rows may choose different branches of a conditional. The program of a branch is run for
all rows together, and the results of rows that did not choose the branch are dropped. But what
these other rows hold may not be meant for the program. Its loops might never end there. Its
derivatives might be infinite, and 0 times that is nan: so it is with log(x), in a row where x is 0
and the branch is not chosen. So

- where the program ends on any operands, and what all rows share has no derivative, each row's
  operands are cut off from their derivatives unless the row is chosen. No derivative gets out of
  the program or into it. The compiler finds nothing to do for that;
- else the other rows get the operands of a row that is chosen, as constants of differentiation;
- and if no row is chosen, a program that may not end, or takes long, is not run at all.

An interpreter around that `watches` what is computed counts as one for which no program ends.

`batching` is the `Batching` interpreter, and `chosen` is an array of booleans, one for each row.
Start reading at `for_chosen_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..operations.extrema import argmax
from ..operations.identity import hold
from ..primitives.array import Array
from ..primitives.constants import full
from ..primitives.core import Trace, Tracer, state, typeof
from ..primitives.jaxpr import Jaxpr, Var, sub_jaxprs
from ..primitives.types import int32, is_inexact
from ..primitives.words.elementwise import select, zero_scalar
from ..primitives.words.indexing import dynamic_slice
from ..primitives.words.reduction import reduce_or
from ..primitives.words.structural import (
    batch_at_front,
    broadcast_in_dim,
    convert_element_type,
    squeeze,
)
from ..programs.call import SMALL, work
from ..programs.cond import choose

#: A value of `Batching`: (array, batch axis or None). It is no instance of the class `core.Value`,
#: the base of arrays and tracers.
Value = tuple[Any, int | None]


def in_front(batching: Any, value: Any) -> Any:
    """Return the array of a value, with the batch axis in front."""
    array, axis = batching.plain(value)
    return batch_at_front(array, axis, batching.size)


def for_chosen_rows(
    batching: Any, program: Jaxpr, flag: Callable[[], Value], values: Sequence[Value]
) -> list[Value]:
    """Apply a program to a batch; the results of rows without the flag may be anything."""
    # Who looks at what is computed must not see what a program does where it is not meant for.
    ends = not endless(program) and not watched(state.trace)
    # A collective reads every row's operands, and an effect shows them all to the world outside.
    open_ = program.names or (program.effects and ends)
    if open_ or not program.eqns or not batching.size or not understood(state.trace):
        return batching.inline(program, values)
    chosen = in_front(batching, flag())
    needed = used(program)
    # Inputs that nothing needs must not bring derivatives with them.
    values = [v if u else (stop(v[0]), v[1]) for v, u in zip(values, needed)]
    # Inputs that all rows share, and that may have a derivative.
    shared = [u and v[1] is None and moves(v[0]) for v, u in zip(values, needed)]
    light = ends and work(program) < SMALL
    # The first way of the module's docstring. A scalar that all rows share is repeated for each
    # row, and then it can be cut off like the others.
    if light and not any([s and typeof(x).size > 1 for (x, _), s in zip(values, shared)]):
        return batching.inline(program, [cut_off(batching, chosen, v) for v in values])

    # The second way: the other rows get the operands of a row that is chosen.
    def run(chosen: Any, *arrays: Any) -> list[Any]:
        # The first row that is chosen.
        row = argmax(chosen, 0)
        operands = [
            (lend(chosen, row, a, d), d) if u and d is not None else (a, d)
            for a, (_, d), u in zip(arrays, values, needed)
        ]
        outs = batching.rerun(program, operands)
        return [in_front(batching, o) for o in outs]

    arrays = [v[0] for v in values]
    if light:
        anyone = reduce_or(chosen, (0,))
        # What all rows share has a derivative only if some row is chosen.
        gated = [gate(anyone, x) if s else x for x, s in zip(arrays, shared)]
        outs = run(chosen, *gated)
    # The third way: whether any row is chosen is known now, or found out by a conditional.
    elif type(chosen) is Array and not chosen.host.any():
        outs = nothing(program, batching.size)
    else:
        anyone = convert_element_type(reduce_or(chosen, (0,)), int32)
        skip = lambda *_: nothing(program, batching.size)
        outs = choose(anyone, [skip, run], [chosen, *arrays])
    return [(o, 0) for o in outs]


def understood(trace: Trace) -> bool:
    """Return whether this trace and all outer ones have rules for what is bound here."""
    while trace is not None:
        if not getattr(trace, "complete", True):
            return False
        trace = trace.parent
    return True


def watched(trace: Any) -> bool:
    """Return whether this trace or an outer one looks at all that is computed."""
    while trace is not None:
        if getattr(trace, "watches", False):
            return True
        trace = trace.parent
    return False


def endless(program: Jaxpr) -> bool:
    """Return whether a program might not end, or fail, on operands that it is not meant for."""
    cached = program.memo.get("endless")
    if cached is None:
        cached = any(
            [
                eqn.primitive.endless
                or (eqn.primitive.calls_python and not eqn.primitive.effects)
                or any([endless(inner) for inner in sub_jaxprs(eqn.primitive)])
                for eqn in program.eqns
            ]
        )
        program.memo["endless"] = cached
    return cached


def used(program: Jaxpr) -> list[bool]:
    """Return for each input of a program whether an equation or a result needs it."""
    flags = program.memo.get("used")
    if flags is None:
        variables = {v for eqn in program.eqns for v in eqn.inputs if type(v) is Var}
        variables.update([v for v in program.outs if type(v) is Var])
        flags = program.memo["used"] = [v in variables for v in program.in_vars]
    return flags


def moves(x: Any) -> bool:
    """Return whether something may depend on an array by its derivative."""
    return isinstance(x, Tracer) and is_inexact(typeof(x).dtype)


def stop(x: Any) -> Any:
    """Return the array as a constant of differentiation."""
    return hold.bind(x) if moves(x) else x


def gate(flag: Any, x: Any, dims: Sequence[int] = ()) -> Any:
    """Return the array, with a derivative only where the flag is true."""
    return select(broadcast_in_dim(flag, typeof(x).shape, dims), x, hold.bind(x))


def cut_off(batching: Any, chosen: Any, value: Value) -> Value:
    """Return the value with a derivative in chosen rows only."""
    x, dim = value
    if not moves(x):
        return value
    if dim is None:
        x, dim = batch_at_front(x, None, batching.size), 0
    return gate(chosen, x, (dim,)), dim


def lend(chosen: Any, row: Any, x: Any, dim: int) -> Any:
    """Return the array of all rows, in which the rows that are not chosen are replaced by one
    `row`.

    Example: with `chosen` [False, True, False] and `row` 1, the rows [a, b, c] become [b, b, b].
    """
    shape = typeof(x).shape
    zero = full((), 0, row.dtype)
    starts = [row if i == dim else zero for i in range(len(shape))]
    window = (*shape[:dim], 1, *shape[dim + 1 :])
    lent = squeeze(dynamic_slice(stop(x), starts, window), (dim,))
    others = [i for i in range(len(shape)) if i != dim]
    return select(broadcast_in_dim(chosen, shape, (dim,)), x, broadcast_in_dim(lent, shape, others))


def nothing(program: Jaxpr, size: int) -> list[Any]:
    """Return zeros in the place of the results of all rows."""
    return [full((size, *a.shape), zero_scalar(a), a.dtype) for a in program.out_avals]
