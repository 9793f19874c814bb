"""Operations on programs: so far `Call`, which is what jit binds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .array import Array
from .core import ZERO, LinearInput
from .families import HigherOrder
from .jaxpr import Jaxpr, eval_jaxpr
from .types import ShapedArray


@dataclass(frozen=True, eq=False, repr=False)
class Call(HigherOrder):
    """Call a program that has no constants of its own. Compiled as one function; evaluation
    compiles it, too.
    """

    jaxpr: Jaxpr

    @property
    def out_avals(self) -> list[ShapedArray]:
        """The types of the results."""
        return self.jaxpr.out_avals

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        expected = self.jaxpr.in_avals
        if [a.strong for a in avals] != [a.strong for a in expected]:
            raise TypeError(f"call of {self.jaxpr.name}: expects {expected}, got {list(avals)}")
        return self.jaxpr.out_avals

    def impl(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(out) for out in eval_jaxpr(self.jaxpr, [Array(a) for a in arrays])]

    def lower(self, ctx: Any, *values: Any) -> Any:
        return ctx.call(self.jaxpr, values)

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        arrays, statics = interpreter.flatten(values)
        jaxpr, consts, out_statics = interpreter.transform_jaxpr(self.jaxpr, statics, arrays)
        return interpreter.unflatten(out_statics, Call(jaxpr).bind(*consts, *arrays))

    def partial(
        self, linear: Sequence[bool], partial_jaxpr: Any
    ) -> tuple[Any, Any, list[bool], int]:
        known, tangent, out_linear, residuals = partial_jaxpr(self.jaxpr, linear)
        return Call(known), Call(tangent), out_linear, residuals

    def transpose_with(
        self, transpose_jaxpr: Any, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        linear = tuple([type(a) is LinearInput for a in args])
        zero_cts = tuple([ct is ZERO for ct in cts])
        jaxpr, consts, zero_outs = transpose_jaxpr(self.jaxpr, linear, zero_cts)
        residuals = [a for a, lin in zip(args, linear) if not lin]
        found = iter(Call(jaxpr).bind(*consts, *residuals, *[ct for ct in cts if ct is not ZERO]))
        outs = iter([ZERO if zero else next(found) for zero in zero_outs])
        return [next(outs) if lin else None for lin in linear]
