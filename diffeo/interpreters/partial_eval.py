"""What programs use of `jax.interpreters.partial_eval`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..primitives.core import state
from ..primitives.jaxpr import Jaxpr, eliminate_dead_code
from ..primitives.staging import StagingTracer, TangentTrace
from ..primitives.types import ShapedArray
from ..transforms.installed import installed

__all__ = [
    "PartialVal", "close_jaxpr", "convert_constvars_jaxpr", "dce_jaxpr", "trace_to_jaxpr_nounits",
]  # fmt: skip


class PartialVal(tuple):
    """A value that is known, (None, value), or of which only the type is, (type, None)."""

    @classmethod
    def known(cls, const: Any) -> PartialVal:
        """Return a known value."""
        return cls((None, const))

    @classmethod
    def unknown(cls, aval: ShapedArray) -> PartialVal:
        """Return a value of which only the type is known."""
        return cls((aval, None))

    def is_known(self) -> bool:
        """Return whether the value is known."""
        return self[0] is None


def trace_to_jaxpr_nounits(
    fun: Any, pvals: Sequence[PartialVal], instantiate: bool | Sequence[bool] = False
) -> tuple[Jaxpr, list[PartialVal], list[Any]]:
    """Compute what of a function depends on known arguments alone, and trace the rest.

    Args:
        fun: a function of leaves that returns leaves; a `WrappedFun`, or any other.
        pvals: for each argument, whether it is known.
        instantiate: False; results that are known are not made part of the program.

    Returns:
        The program of the results that are not known, for those arguments; for each result, its
        value or its type; and the values that the program takes before the arguments.

    Examples:
        >>> import diffeo as dx
        >>> known, unknown = PartialVal.known(2.0), PartialVal.unknown(dx.typeof(1.0))
        >>> program, outs, _ = trace_to_jaxpr_nounits(lambda x, y: [x * x, x * y], [known, unknown])
        >>> outs[0], outs[1].is_known()
        ((None, 4.0), False)
    """
    if instantiate is not False:
        raise NotImplementedError("trace_to_jaxpr_nounits: results that are known stay so")
    trace = TangentTrace(state.trace, getattr(fun, "__name__", ""))
    try:
        with installed(trace):
            given = [p[1] if p.is_known() else trace.input(p[0]) for p in pvals]
            outs = list(fun(*given))
        open_ = [type(o) is StagingTracer and o.owner is trace for o in outs]
        inputs = [x for x in given if type(x) is StagingTracer and x.owner is trace]
        program = trace.finish(inputs, [o for o, is_open in zip(outs, open_) if is_open])
    finally:
        trace.finished = True
    results = [
        PartialVal.unknown(o.aval) if is_open else PartialVal.known(o)
        for o, is_open in zip(outs, open_)
    ]
    return program, results, []


def close_jaxpr(jaxpr: Jaxpr) -> Jaxpr:
    """Return the program: diffeo's hold their constants themselves."""
    return jaxpr


def convert_constvars_jaxpr(jaxpr: Jaxpr) -> Jaxpr:
    """Return the same program with its constants as leading inputs."""
    return jaxpr.closed_over()


def dce_jaxpr(
    jaxpr: Jaxpr, used_outputs: Sequence[bool], instantiate: bool | Sequence[bool] = False
) -> tuple[Jaxpr, list[bool]]:
    """Return the program that computes some of the results only, and which inputs it still has.

    Args:
        jaxpr: the program.
        used_outputs: for each result, whether it is kept.
        instantiate: whether inputs that nothing reads stay; for all, or for each.

    Examples:
        >>> import diffeo as dx
        >>> program = dx.make_jaxpr(lambda x, y: (x + 1.0, y * 2.0))(1.0, 1.0)
        >>> dce_jaxpr(program, [True, False])[1]
        [True, False]
    """
    kept = [out for out, used in zip(jaxpr.outs, used_outputs) if used]
    smaller = eliminate_dead_code(
        Jaxpr(jaxpr.in_vars, jaxpr.eqns, kept, jaxpr.const_vars, jaxpr.consts, jaxpr.name)
    )
    read: set[Any] = {v for eqn in smaller.eqns for v in eqn.inputs} | set(smaller.outs)
    stay = [instantiate] * len(jaxpr.in_vars) if isinstance(instantiate, bool) else instantiate
    used = [v in read or bool(s) for v, s in zip(smaller.in_vars, stay)]
    inputs = [v for v, u in zip(smaller.in_vars, used) if u]
    parts = smaller.eqns, smaller.outs, smaller.const_vars, smaller.consts, smaller.name
    return Jaxpr(inputs, *parts), used
