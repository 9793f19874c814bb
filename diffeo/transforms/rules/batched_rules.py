"""The rules of a vectorised function: the rules of the function itself, vectorised.

vmap of a function that has rules must keep the rules, for derivatives that come later. So it makes
a `CustomCall` with `BatchedRules`. Each of them runs the original rule under the batching
interpreter.

All methods have the same shape. Arrays are paired with their batch axes, as (array, axis or None),
the values of the interpreter. `ZERO` tangents and static parts cannot be such values. So they are
taken out before a rule runs, and woven in again inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from ...primitives.stand_ins import ZERO, LinearInput
from ...primitives.support.lists import woven
from ...primitives.words.structural import batch_at_front, move_axis, reduce_sum
from .rules import DerivedRules, Rules


class BatchedRules(DerivedRules):
    """Rules that a batching interpreter runs.

    Operand i has its batch axis at `dims[i]`, or none if that is None. Every result has its batch
    axis at the front.
    """

    def __init__(self, inner: Rules, interpreter: Any, dims: tuple[int | None, ...]):
        super().__init__(inner)
        self.has_batch = False
        self.interpreter, self.size, self.dims = interpreter, interpreter.size, dims

    def __eq__(self, other: object) -> bool:
        return type(other) is BatchedRules and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple:
        return self.inner, self.interpreter.key(), self.dims

    def _front(self, values: Sequence[tuple[Any, int | None]]) -> list[Any]:
        """Return the arrays of some values, each with its batch axis at the front."""
        return [batch_at_front(x, dim, self.size) for x, dim in values]

    def fun(self, *arrays: Any) -> list[Any]:
        """Run the function on all rows of the batch."""
        if self.inner.has_batch:
            outs, batched = self.by_batch_rule(arrays)
            return self._front([(o, 0 if flag else None) for o, flag in zip(outs, batched)])
        return self._front(self.interpreter.rerun(self.inner.fun, list(zip(arrays, self.dims))))

    def by_batch_rule(self, arrays: Sequence[Any]) -> tuple[Any, Any]:
        """Return the results of the function's own batching rule, and which of them are batched."""
        batched = [d is not None for d in self.dims]
        args = [x if d is None else move_axis(x, d, 0) for x, d in zip(arrays, self.dims)]
        return self.inner.apply_batch(self.size, batched, args)

    def apply_jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Run the jvp rule on all rows of the batch.

        Only tangents that are not `ZERO` are arguments of the inner function `rule`: for the
        primals (x, y) and the tangents (t, ZERO) its arguments are (x, y, t).
        """
        moving = [t is not ZERO for t in tangents]
        tangent_values = [(t, d) for t, d in zip(tangents, self.dims) if t is not ZERO]
        count, nonzero = 0, []

        def rule(*args: Any) -> list[Any]:
            nonlocal count, nonzero
            moves = iter(args[len(primals) :])
            ts = woven(moving, moves, repeat(ZERO))
            outs, computed = self.inner.apply_jvp(args[: len(primals)], ts)
            # The rule tells outwards how many results there are, and which tangents they have: the
            # interpreter hands on arrays only.
            count, nonzero = len(outs), [t is not ZERO for t in computed]
            return [*outs, *[t for t in computed if t is not ZERO]]

        values = [*zip(primals, self.dims), *tangent_values]
        computed = self._front(self.interpreter.rerun(rule, values))
        tangent_iterator = iter(computed[count:])
        return computed[:count], woven(nonzero, tangent_iterator, repeat(ZERO))

    def apply_fwd(self, primals: Sequence[Any], perturbed: Sequence[bool]) -> tuple:
        """Run the forward rule on all rows of the batch.

        The residuals stay where their batch axes are; `aux` carries these axes to the backward
        rule.
        """
        count, aux = 0, None

        def rule(*args: Any) -> list[Any]:
            nonlocal count, aux
            outs, residuals, aux = self.inner.apply_fwd(args, perturbed)
            count = len(outs)
            return [*outs, *residuals]

        values = self.interpreter.rerun(rule, list(zip(primals, self.dims)))
        residuals = values[count:]
        dims = [d for _, d in residuals]
        return self._front(values[:count]), [r for r, _ in residuals], (aux, dims)

    def apply_bwd(
        self, aux: Any, residuals: Sequence[Any], cts: Sequence[Any]
    ) -> tuple[list[Any], Any]:
        """Run the backward rule on all rows; the batch axes of the residuals come with `aux`. What
        the rule logs has its batch axis at the front.
        """
        aux, dims = aux
        values = list(zip(residuals, dims))

        def rule(residuals: Sequence[Any], cts: Sequence[Any]) -> tuple[Sequence[Any], Any]:
            return self.inner.apply_bwd(aux, residuals, cts)

        return self._pulled_back(rule, values, cts)

    def _pulled_back(
        self, rule: Any, values: Sequence[Any], cts: Sequence[Any]
    ) -> tuple[list[Any], Any]:
        """Return the cotangents that `rule(values, cts)` returns for the operands, and its logs.

        Each cotangent has the batch axis where its operand has it. If the operand has none, all
        rows share the operand, and its cotangent is the sum over the batch.
        """
        present: list[bool] = []
        structure: Any = None
        ct_values = [(c, 0) for c in cts if c is not ZERO]

        def flat(*args: Any) -> list[Any]:
            nonlocal present, structure
            pulled = iter(args[len(values) :])
            cotangents, logs = rule(
                args[: len(values)], [c if c is ZERO else next(pulled) for c in cts]
            )
            # What is no array stays inside; `present` says where it belongs.
            present = [c is not ZERO and c is not None for c in cotangents]
            structure, leaves = logs or (None, ())
            return [*[c for c in cotangents if c is not ZERO and c is not None], *leaves]

        outs = iter(self.interpreter.rerun(flat, [*values, *ct_values]))
        fitted = [self._fit(next(outs), d) if t else ZERO for t, d in zip(present, self.dims)]
        return fitted, None if structure is None else (structure, self._front(list(outs)))

    def _fit(self, value: tuple[Any, int | None], wanted: int | None) -> Any:
        """Return a cotangent with the batch axis at `wanted`.

        If `wanted` is None, return the sum of the cotangents of all rows.
        """
        ct, dim = value
        if wanted is not None:
            return move_axis(batch_at_front(ct, dim, self.size), 0, wanted)
        if dim is None:  # all rows have the same cotangent
            return reduce_sum(batch_at_front(ct, dim, self.size), (0,))
        return reduce_sum(ct, (dim,))

    def apply_taylor(self, order: int, series: Sequence[Any]) -> list[list[Any]]:
        """Run the Taylor rule on all rows of the batch.

        The coefficients of all series are one flat list on the way in and out: for two series of
        order 1, [a0, a1, b0, b1].
        """
        flags = [[c is not ZERO for c in s] for s in series]
        values = [(c, d) for s, d in zip(series, self.dims) for c in s if c is not ZERO]

        def rule(*args: Any) -> list[Any]:
            iterator = iter(args)
            rows = [woven(row, iterator, repeat(ZERO)) for row in flags]
            return [c for s in self.inner.apply_taylor(order, rows) for c in s]

        coefficients = self._front(self.interpreter.rerun(rule, values))
        return [coefficients[i : i + order + 1] for i in range(0, len(coefficients), order + 1)]

    def apply_transpose(self, cts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        """Run the transposition on all rows; its linear operands are stand-ins without a value."""
        nonlinear = [(a, d) for a, d in zip(args, self.dims) if type(a) is not LinearInput]

        def rule(values: Sequence[Any], cts: Sequence[Any]) -> tuple[Sequence[Any], None]:
            iterator = iter(values)
            operands = [a if type(a) is LinearInput else next(iterator) for a in args]
            return self.inner.apply_transpose(cts, operands), None

        cotangents, _ = self._pulled_back(rule, nonlinear, cts)
        return [c if type(a) is LinearInput else None for c, a in zip(cotangents, args)]
