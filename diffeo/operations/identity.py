"""Identities that say something to the compiler or to diffeo: copy, stop_gradient, a name,
optimization_barrier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.builder import LoweringContext
from ..primitives.core import Primitive, Value
from ..primitives.families import Linear
from ..primitives.stand_ins import ZERO, LinearInput
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray
from ..primitives.words.elementwise import Elementwise, ElementwiseLinear


class Copy(ElementwiseLinear):
    """The same values in memory of their own."""

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (self.bind(ct),)


copy = Copy("copy", np.copy, lambda ctx, x: x, accepts="biufcsk")


class StopGradient(Elementwise):
    """The identity, with a tangent that is zero."""

    light = True

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*primals), ZERO

    def taylor(self, series: Any, args: Sequence[Any]) -> Any:
        # At once a constant: a rule that asks, as that of a callback, need not compute to see it.
        return series.lift(self.bind(args[0][0]))


stop_gradient_p = StopGradient("stop_gradient", lambda x: x, lambda ctx, x: x, accepts="biufcsk")


def stop_gradient(x: Any) -> Any:
    """Return `x`, as a constant of differentiation."""
    return stop_gradient_p.bind(x)


class Hold(StopGradient):
    """`stop_gradient`, as it stands in derived programs.

    It is `optional`: an interpreter without a rule for it takes the value as it is.
    """

    optional = True

    def transpose(self, ct: Any, x: Any) -> Sequence[Any]:
        return (ZERO,)


hold = Hold("hold", lambda x: x, lambda ctx, x: x, accepts="biufcsk")


@frozen
class Named(Linear):
    """The operand, under a name by which a policy of `checkpoint` may keep it."""

    label: str
    accepts = "biufcVk"

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        return x

    def impl(self, x: np.ndarray) -> np.ndarray:
        return x

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        return x

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (ct,)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*args), dims[0]


@frozen
class OptimizationBarrier(Primitive):
    """The operands themselves. The compiler moves no operation from one side of the barrier to the
    other.
    """

    multiple_results = True
    merges = False
    accepts = "biufcVk"

    def abstract_eval(self, *xs: ShapedArray) -> list[ShapedArray]:
        if not xs:
            raise TypeError("optimization_barrier: expects at least one operand, got 0")
        return list(xs)

    def impl(self, *xs: np.ndarray) -> list[np.ndarray]:
        return list(xs)

    def lower(self, ctx: LoweringContext, *xs: Any) -> Any:
        return ctx.emit("optimization_barrier", xs, [x.aval for x in xs], {})

    def _among_zeros(self, values: Sequence[Any]) -> list[Any]:
        """Apply the barrier to the values that are not `ZERO`."""
        nonzero = [v for v in values if v is not ZERO]
        passed = iter(self.bind(*nonzero) if nonzero else [])
        return [v if v is ZERO else next(passed) for v in values]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*primals), self._among_zeros(tangents)

    def transpose(self, ct: Any, *args: Any) -> Sequence[Any]:
        cts = [c if type(a) is LinearInput else ZERO for c, a in zip(ct, args)]
        return self._among_zeros(cts)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*args), list(dims)
