"""Linearize: JVP whose tangents are the inputs of a program that is being written.

The primal computation runs in the surrounding context; the `TangentTrace` beneath the JVP records
what is done to tangents, with everything else as constants (residuals). Nothing else is needed:
one derivative rule per primitive.
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
    """-> (results, tangent program, which results have a tangent); the program has the results
    that do.
    """
    outer = state.trace
    recorder = TangentTrace(outer, name)
    avals = [(p.aval if type(p) is Array else typeof(p)).strong for p in primals]
    inputs = [recorder.input(a) for a in avals]
    tangents = [t if is_inexact(a.dtype) else ZERO for a, t in zip(avals, inputs)]
    outs = JVP(recorder, outer, name).trace_flat(fun, list(zip(primals, tangents)))
    has_tangent = [t is not ZERO for _, t in outs]
    program = recorder.finish(inputs, [t for _, t in outs if t is not ZERO])
    return [o for o, _ in outs], program, has_tangent
