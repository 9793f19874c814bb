"""The way of a program to the machine: what of it is needed, and its text in StableHLO."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ..lowering.text.module import Module, lower_module
from ..passes.simplify import simplify
from ..primitives.jaxpr import Jaxpr, Var
from ..primitives.types import ShapedArray, float0

#: A function from a program to an equivalent one.
Pass = Callable[[Jaxpr], Jaxpr]


class Prepared(NamedTuple):
    """A program as it goes to the compiler.

    Attributes:
        jaxpr: what of it is needed: it has no dead equations, no inputs that nothing reads, and no
            results of dtype float0, which have no numbers.
        module: its text.
        kept: the numbers of the inputs that it still has; None if these are all.
        out_avals: the types of all results of the original.
        donated: the numbers of the original's inputs whose memory the results may take.
    """

    jaxpr: Jaxpr
    module: Module
    kept: tuple[int, ...] | None
    out_avals: list[ShapedArray]
    donated: tuple[int, ...]


def prepare(
    jaxpr: Jaxpr,
    platform: str = "cpu",
    *,
    keep_unused: bool = True,
    donated: Collection[int] = (),
    passes: Sequence[Pass] = (simplify,),
) -> Prepared:
    """Reduce a program to what is needed of it, and write it as StableHLO.

    Args:
        jaxpr: the program.
        platform: for which it is written.
        keep_unused: whether inputs that nothing reads stay; those of dtype float0 never do.
        donated: the numbers of the inputs whose memory the results may take.
        passes: functions from programs to equivalent programs, in the order in which they run.
    """
    out_avals = jaxpr.out_avals
    outs = [v for v in jaxpr.outs if v.aval.dtype != float0]
    live = jaxpr
    if len(outs) != len(jaxpr.outs):
        live = Jaxpr(jaxpr.in_vars, jaxpr.eqns, outs, jaxpr.const_vars, jaxpr.consts, jaxpr.name)
    for run in passes:
        live = run(live)
    kept = None
    if not keep_unused or any([v.aval.dtype == float0 for v in live.in_vars]):
        read = {v for eqn in live.eqns for v in eqn.inputs if type(v) is Var}
        read.update([v for v in live.outs if type(v) is Var])
        needed = tuple([i for i, v in enumerate(live.in_vars) if v in read])
        if len(needed) < len(live.in_vars):
            kept = needed
            inputs = [live.in_vars[i] for i in kept]
            live = Jaxpr(inputs, live.eqns, live.outs, live.const_vars, live.consts, live.name)
    numbers = range(len(live.in_vars)) if kept is None else kept
    # `donated` counts the inputs of the original, the text only those that are left.
    position_of = {number: i for i, number in enumerate(numbers)}
    donations = tuple([i for i in sorted(donated) if i in position_of])
    module = lower_module(live, platform, [position_of[i] for i in donations])
    return Prepared(live, module, kept, out_avals, donations)
