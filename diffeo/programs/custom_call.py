"""Functions with rules of the user's own: `CustomCall`, and `CustomTangent`, its derivative by a
backward rule.

What the rules are, and how an interpreter uses them, is written in `transforms/rules/rules.py`.
Here they are an object that knows its functions of flat arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..primitives.array import Array, as_value
from ..primitives.builder import LoweringContext
from ..primitives.core import typeof
from ..primitives.families import HigherOrder
from ..primitives.jaxpr import Jaxpr
from ..primitives.staging import stage
from ..primitives.stand_ins import LinearInput
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray
from .call import Call, check_operands


@frozen
class CustomCall(Call):
    """Call a function that has rules of its own.

    At first it is lazy: the function is Python code, `rules.fun`, that evaluation calls and
    interpreters run through or replace by a rule. When a program is being written, the call is
    recorded with the program of the function (see `closed`).
    """

    jaxpr: Jaxpr | None  # type: ignore[assignment]
    compile: bool = False
    rules: Any = None

    keeps_weak = False
    endless = True  # nobody knows what is in the rules

    @property
    def lazy(self) -> bool:  # type: ignore[override]
        """Whether the function is still Python code."""
        return self.jaxpr is None

    @property
    def fun(self) -> Any:  # type: ignore[override]
        """The Python function; None once there is a program."""
        return self.rules.fun if self.jaxpr is None else None

    def closed(self, args: Sequence[Any]) -> tuple[CustomCall, Sequence[Any]]:
        staged = stage(self.rules.fun, [typeof(a) for a in args], self.rules.name)
        jaxpr = staged.closed_over()
        closed = CustomCall(jaxpr, rules=self.rules.closed(jaxpr, staged.consts))
        return closed, [*staged.consts, *args]

    def of(self, jaxpr: Jaxpr) -> Call:
        return Call(jaxpr, self.compile)  # the rules are those of the function itself

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        return interpreter.custom(self, values)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        return self.rules.jvp(primals, tangents)

    def whole(self, linear: Sequence[bool]) -> bool:
        return self.jaxpr is not None or self._by_rule(linear)

    def _by_rule(self, linear: Sequence[bool]) -> bool:
        """Return whether the function says how it is transposed by these operands."""
        return bool(self.rules.linear) and all(
            [i in self.rules.linear for i, lin in enumerate(linear) if lin]
        )

    def transpose_with(
        self, transpose_jaxpr: Callable, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        if self._by_rule([type(a) is LinearInput for a in args]):
            return self.rules.apply_transpose(cts, args)
        return super().transpose_with(transpose_jaxpr, cts, args)


@frozen
class CustomTangent(HigherOrder):
    """The tangent of a function with a backward rule: linear in the operands after its residuals.

    Transposition calls `rule.backward(residuals, cts)`, which returns cotangents and what the rule
    logs; anything else calls `rule.forward(residuals, tangents)`.
    """

    rule: Any
    in_avals: tuple[ShapedArray, ...]
    out_avals: tuple[ShapedArray, ...]

    keeps_weak = False
    endless = True

    @property
    def n_residuals(self) -> int:
        """The number of operands that are not tangents."""
        return self.rule.n_residuals

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        check_operands(f"custom_tangent of {self.rule}", self.in_avals, avals)
        return list(self.out_avals)

    def fun(self, *args: Any) -> Sequence[Any]:  # type: ignore[override]
        """Return the tangents of the results."""
        return self.rule.forward(args[: self.n_residuals], args[self.n_residuals :])

    def impl(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return [as_value(out).host for out in self.fun(*[Array(a) for a in arrays])]

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return ctx.inline(lambda *args: list(self.fun(*args)), *values)

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        return interpreter.inline(self.fun, values)

    def whole(self, linear: Sequence[bool]) -> bool:
        return True

    def transpose_with(
        self, transpose_jaxpr: Callable, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        return self.pulled_back(cts, args)[0]

    def pulled_back(self, cts: Sequence[Any], args: Sequence[Any]) -> tuple[Sequence[Any], Any]:
        """Return the cotangents of the operands, and what the backward rule logs."""
        cotangents, logs = self.rule.backward(args[: self.n_residuals], cts)
        tangents = args[self.n_residuals :]
        linear = [c if type(t) is LinearInput else None for c, t in zip(cotangents, tangents)]
        return [None] * self.n_residuals + linear, logs
