"""The rules of a function whose results have a report behind them.

Derivatives around are those of the user's rules. Their results are the function's with the report
of what was computed: by the function itself, by the forward rule, or by the jvp rule. What a
backward rule computes is not reported, as it runs when the report has been returned; nor are
tangents.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from ...primitives.jaxpr import eval_jaxpr
from ...primitives.stand_ins import ZERO
from ...primitives.support.lists import woven
from ..rules.rules import DerivedRules, Rules


class CheckedRules(DerivedRules):
    """Rules under which a report is made.

    Args:
        inner: the rules of the function.
        interpreter: the `Checking`.
        checked: the checked program of the function, whose slots the report has.
    """

    def __init__(self, inner: Rules, interpreter: Any, checked: Any):
        super().__init__(inner)
        self.interpreter, self.checked = interpreter, checked
        self.has_batch = self.has_taylor = False
        self.reports = 1 + sum([len(slot) for slot in checked.slots])

    def fun(self, *arrays: Any) -> Sequence[Any]:
        return eval_jaxpr(self.checked.jaxpr, [*self.checked.consts, *arrays])

    def _run(
        self, rule: Any, arrays: Sequence[Any], tangents: Sequence[Any] = ()
    ) -> tuple[list[Any], list[Any]]:
        """Return the results of a rule, and the report about it."""
        inner = self.interpreter.fresh()
        outs = inner.run_flat(rule, arrays, tangents)
        return outs, inner.report.arrays(self.checked.slots)

    def apply_jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        moving = [t is not ZERO for t in tangents]
        count, nonzero = 0, []

        def rule(*args: Any) -> list[Any]:
            nonlocal count, nonzero
            moves = iter(args[len(primals) :])
            ts = woven(moving, moves, repeat(ZERO))
            outs, computed = self.inner.apply_jvp(args[: len(primals)], ts)
            count, nonzero = len(outs), [t is not ZERO for t in computed]
            return [*outs, *[t for t in computed if t is not ZERO]]

        outs, report = self._run(rule, primals, [t for t in tangents if t is not ZERO])
        computed = woven(nonzero, iter(outs[count:]), repeat(ZERO))
        return [*outs[:count], *report], [*computed, *[ZERO] * self.reports]

    def apply_fwd(self, primals: Sequence[Any], perturbed: Sequence[bool]) -> tuple:
        count, aux = 0, None

        def rule(*args: Any) -> list[Any]:
            nonlocal count, aux
            outs, residuals, aux = self.inner.apply_fwd(args, perturbed)
            count = len(outs)
            return [*outs, *residuals]

        outs, report = self._run(rule, primals)
        return [*outs[:count], *report], outs[count:], aux

    def apply_bwd(
        self, aux: Any, residuals: Sequence[Any], cts: Sequence[Any]
    ) -> tuple[list[Any], Any]:
        return self.inner.apply_bwd(aux, residuals, cts[: len(cts) - self.reports])
