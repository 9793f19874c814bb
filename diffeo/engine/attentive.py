"""Evaluation that looks at what is computed: the settings `debug_nans`, `debug_infs` and others.

While any task has such a setting, the trace at the bottom is of this class. It takes no short ways,
and the settings are those of the task that computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.config import task_settings
from ..primitives.core import state, with_user_line
from ..primitives.jaxpr import Jaxpr, eval_jaxpr
from ..primitives.types import is_inexact
from ..programs.call import Call
from ..programs.custom_call import CustomCall
from ..trees import tree
from .evaluation import EVALUATION, Evaluation
from .stages import Compiled


class AttentiveEvaluation(Evaluation):
    """Evaluation by the long way, with a look at the results."""

    eager = False

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        settings = task_settings()
        if settings.no_execution:
            raise not_executed(primitive.name)
        if not (settings.debug_nans or settings.debug_infs):
            return super().process(primitive, args)
        with np.errstate(all="ignore"):  # an error says more than NumPy's warning
            out = super().process(primitive, args)
        # What is only moved, or written down as a constant, was computed elsewhere, or is meant.
        if args and not primitive.moves:
            outs = out if primitive.multiple_results else [out]
            what = bad_number(outs)
            if what is not None:
                program = getattr(primitive, "jaxpr", None)
                if isinstance(primitive, (Call, CustomCall)) and type(program) is Jaxpr:
                    search(program, args)  # which is run again, to find the culprit
                raise with_user_line(
                    FloatingPointError(f"invalid value ({what}) encountered in {primitive.name}")
                )
        return out

    def run_compiled(self, compiled: Compiled, arrays: Sequence[Array], commits: Any) -> Any:
        """Run a compiled function, with a look at its results.

        Raises:
            FloatingPointError: if there is nan or an infinity: of the operation that computes it,
                if it is found, or of the function.
        """
        jaxpr = compiled.lowered.traced.jaxpr
        if task_settings().no_execution:
            raise not_executed(f"jit of {jaxpr.name}")
        result = compiled.run(arrays, commits)
        what = bad_number(tree.leaves(result))
        if what is None:
            return result
        if not any([a.is_deleted() for a in arrays]):
            search(jaxpr, arrays)
        raise with_user_line(
            FloatingPointError(f"invalid value ({what}) encountered in jit of {jaxpr.name}")
        )


def not_executed(what: str) -> Exception:
    """Return the error for a computation that the task does not want."""
    return with_user_line(
        RuntimeError(f"no_execution: {what} would run, and dx.config.no_execution is on")
    )


def bad_number(arrays: Sequence[Any]) -> str | None:
    """Return "nan" or "inf" if the task wants to know of such numbers, and arrays have any."""
    settings = task_settings()
    for a in arrays:
        if type(a) is not Array or not is_inexact(a.dtype) or a.is_deleted():
            continue
        numbers = np.asarray(a)
        if numbers.dtype.kind not in "fc":
            numbers = numbers.astype(np.float32)
        if settings.debug_nans and np.isnan(numbers).any():
            return "nan"
        if settings.debug_infs and np.isinf(numbers).any():
            return "inf"
    return None


def search(jaxpr: Jaxpr, args: Sequence[Any]) -> None:
    """Run a program operation by operation, of which the one that computes nan says so.

    Raises:
        FloatingPointError: of that operation. It need not come, as the compiler computes some
            expressions otherwise.
    """
    before, state.trace = state.trace, type(state).trace
    try:
        eval_jaxpr(jaxpr, args)
    finally:
        state.trace = before


def attend(attentive: bool) -> None:
    """Let all threads look at what they compute, or no longer: the trace, which they share, becomes
    one of the other class.
    """
    EVALUATION.__class__ = AttentiveEvaluation if attentive else Evaluation
