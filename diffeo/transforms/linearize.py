"""Linearize: JVP whose tangents are the inputs of a program that is being written.

Two traces work together. JVP applies the derivative rules. Its parent is a `TangentTrace`, which
records what the rules do to tangents, with everything else as constants: the residuals. The parent
of the `TangentTrace` is the trace that was current before. What touches no tangent goes there, and
is computed at once if that is evaluation. So reverse mode needs no derivative rule beside `jvp`:
the recorded program is linear, and `transpose.py` walks it backward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..primitives.array import Array
from ..primitives.core import state, typeof
from ..primitives.jaxpr import Jaxpr
from ..primitives.staging import TangentTrace
from ..primitives.stand_ins import ZERO
from ..primitives.types import is_inexact
from .jvp import JVP


def linearize_flat(
    fun: Callable[..., Sequence[Any]], primals: Sequence[Any], name: str = ""
) -> tuple[list[Any], Jaxpr, list[bool]]:
    """Evaluate a function of arrays and write down its derivative at that point as a program.

    Args:
        fun: a function of arrays that returns a sequence of arrays.
        primals: the point: an array for each argument.
        name: the name of the user's function, for messages.

    Returns:
        The results; the tangent program, whose inputs are a tangent of each argument and whose
        results are the tangents of those results that have one; and which results have one.
    """
    outer = state.trace
    recorder = TangentTrace(outer, name)
    avals = [(p.aval if type(p) is Array else typeof(p)).strong for p in primals]
    inputs = [recorder.input(a) for a in avals]
    # An integer has no tangent, but an input all the same: inputs stand for all arguments.
    tangents = [t if is_inexact(a.dtype) else ZERO for a, t in zip(avals, inputs)]
    outs = JVP(recorder, outer, name).trace_flat(fun, list(zip(primals, tangents)))
    has_tangent = [t is not ZERO for _, t in outs]
    program = recorder.finish(inputs, [t for _, t in outs if t is not ZERO])
    return [o for o, _ in outs], program, has_tangent
