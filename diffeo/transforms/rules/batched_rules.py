"""The rules of a vectorised function: those of the function, vectorised."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from ...primitives.stand_ins import ZERO, LinearInput
from ...primitives.support.lists import woven
from ...primitives.words.structural import batch_at_front, move_axis, reduce_sum
from .rules import DerivedRules, Rules


class BatchedRules(DerivedRules):
    """Rules run by a batching interpreter; operand `i` has its batch axis at `dims[i]`, every
    result has it at the front.
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
        return [batch_at_front(x, dim, self.size) for x, dim in values]

    def fun(self, *arrays: Any) -> list[Any]:
        if self.inner.has_batch:
            outs, batched = self.by_batch_rule(arrays)
            return self._front([(o, 0 if there else None) for o, there in zip(outs, batched)])
        return self._front(self.interpreter.rerun(self.inner.fun, list(zip(arrays, self.dims))))

    def by_batch_rule(self, arrays: Sequence[Any]) -> tuple[Any, Any]:
        """The results of the function's own batching rule, and which are batched."""
        batched = [d is not None for d in self.dims]
        args = [x if d is None else move_axis(x, d, 0) for x, d in zip(arrays, self.dims)]
        return self.inner.apply_batch(self.size, batched, args)

    def apply_jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        moving = [t is not ZERO for t in tangents]
        given = [(t, d) for t, d in zip(tangents, self.dims) if t is not ZERO]
        count, there = 0, []

        def rule(*args: Any) -> list[Any]:
            nonlocal count, there
            moves = iter(args[len(primals) :])
            ts = woven(moving, moves, repeat(ZERO))
            outs, found = self.inner.apply_jvp(args[: len(primals)], ts)
            count, there = len(outs), [t is not ZERO for t in found]
            return [*outs, *[t for t in found if t is not ZERO]]

        values = [*zip(primals, self.dims), *given]
        found = self._front(self.interpreter.rerun(rule, values))
        rest = iter(found[count:])
        return found[:count], woven(there, rest, repeat(ZERO))

    def apply_fwd(self, primals: Sequence[Any], perturbed: Sequence[bool]) -> tuple:
        count, aux = 0, None

        def rule(*args: Any) -> list[Any]:
            nonlocal count, aux
            outs, residuals, aux = self.inner.apply_fwd(args, perturbed)
            count = len(outs)
            return [*outs, *residuals]

        found = self.interpreter.rerun(rule, list(zip(primals, self.dims)))
        residuals = found[count:]
        dims = [d for _, d in residuals]
        return self._front(found[:count]), [r for r, _ in residuals], (aux, dims)

    def apply_bwd(self, aux: Any, residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        aux, dims = aux
        values = list(zip(residuals, dims))

        def rule(residuals: Sequence[Any], cts: Sequence[Any]) -> Sequence[Any]:
            return self.inner.apply_bwd(aux, residuals, cts)

        return self._pulled_back(rule, values, cts)

    def _pulled_back(self, rule: Any, values: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        """The cotangents that `rule(values, cts)` returns, each with the batch axis where its
        operand has it, or summed over the batch if that has none.
        """
        there: list[bool] = []
        given = [(c, 0) for c in cts if c is not ZERO]

        def flat(*args: Any) -> list[Any]:
            nonlocal there
            pulled = iter(args[len(values) :])
            found = rule(args[: len(values)], [c if c is ZERO else next(pulled) for c in cts])
            there = [c is not ZERO and c is not None for c in found]
            return [c for c in found if c is not ZERO and c is not None]

        found = iter(self.interpreter.rerun(flat, [*values, *given]))
        return [self._fit(next(found), d) if t else ZERO for t, d in zip(there, self.dims)]

    def _fit(self, value: tuple[Any, int | None], wanted: int | None) -> Any:
        ct, dim = value
        if wanted is not None:
            return move_axis(batch_at_front(ct, dim, self.size), 0, wanted)
        if dim is None:  # every row has it
            return reduce_sum(batch_at_front(ct, dim, self.size), (0,))
        return reduce_sum(ct, (dim,))

    def apply_taylor(self, order: int, series: Sequence[Any]) -> list[list[Any]]:
        flags = [[c is not ZERO for c in s] for s in series]
        values = [(c, d) for s, d in zip(series, self.dims) for c in s if c is not ZERO]

        def rule(*args: Any) -> list[Any]:
            given = iter(args)
            rows = [woven(row, given, repeat(ZERO)) for row in flags]
            return [c for s in self.inner.apply_taylor(order, rows) for c in s]

        found = self._front(self.interpreter.rerun(rule, values))
        return [found[i : i + order + 1] for i in range(0, len(found), order + 1)]

    def apply_transpose(self, cts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        known = [(a, d) for a, d in zip(args, self.dims) if type(a) is not LinearInput]

        def rule(values: Sequence[Any], cts: Sequence[Any]) -> Sequence[Any]:
            given = iter(values)
            full = [a if type(a) is LinearInput else next(given) for a in args]
            return self.inner.apply_transpose(cts, full)

        found = self._pulled_back(rule, known, cts)
        return [c if type(a) is LinearInput else None for c, a in zip(found, args)]
