"""Derivatives of a function that has a batching rule, and no rule for derivatives.

The derivative of the function is that of its own operations. Under `vmap` it must be the derivative
of the batching rule, as the rule is what `vmap` computes. So where a `vmap` may come, the tangents
are one call, `CustomCall(rules=BatchTangent)`, of the primals and tangents. It is linear in the
tangents, and its transposition is another call, `BatchCotangent`. Both have batching rules, which
differentiate the function's own, and both are differentiated in this way again.

Start reading at `by_batch_rule`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

from ...primitives.constants import full_like
from ...primitives.core import typeof
from ...primitives.stand_ins import ZERO
from ...primitives.support.lists import woven
from ...primitives.types import ShapedArray, is_inexact
from ...primitives.words.structural import batch_at_front
from ...programs.custom_call import CustomCall
from ..jvp import jvp_flat
from ..linearize import linearize_flat
from ..tangents import quietly
from ..transpose import pull_back_program
from .rules import Rules


def by_batch_rule(
    rules: Rules, primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """Return the results of a function that has a batching rule, and their tangents."""
    outs = CustomCall(None, rules=rules).bind(*primals)
    inexact = [is_inexact(typeof(o).dtype) for o in outs]
    moving = [t is not ZERO for t in tangents]
    if not any(inexact) or not any(moving):
        return outs, [ZERO] * len(outs)
    tangent = BatchTangent(rules, moving, [typeof(p) for p in primals], inexact)
    moves = [t for t in tangents if t is not ZERO]
    computed = iter(CustomCall(None, rules=tangent).bind(*primals, *moves))
    return outs, woven(inexact, computed, repeat(ZERO))


class _Derived(Rules):
    """What both have in common.

    Attributes:
        inner: the rules of the function.
        moving: which operands of the function have a tangent.
        avals: the types of its operands.
        inexact: which of its results have a tangent.
    """

    has_batch = True
    by_batching = staticmethod(by_batch_rule)

    def __init__(
        self,
        inner: Rules,
        moving: Sequence[bool],
        avals: Sequence[ShapedArray],
        inexact: Sequence[bool],
    ):
        self.inner, self.moving, self.inexact = inner, tuple(moving), tuple(inexact)
        self.avals, self.name = tuple(avals), inner.name

    @property
    def differentiable(self) -> bool:
        """No rule for derivatives: they are found in this way again."""
        return False

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._key() == other._key()  # type: ignore

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple:
        return type(self), self.inner, self.moving, self.avals, self.inexact

    def split(self, operands: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Split the operands into those of the function and the others."""
        count = len(self.moving)
        return operands[:count], operands[count:]

    def batched_function(
        self, size: int, batched: Sequence[bool]
    ) -> tuple[Callable[..., Sequence[Any]], list[bool]]:
        """Return the batching rule as a function of batched operands alone, and a list that says,
        once it was called, which of the results are batched.
        """
        flags: list[bool] = []

        def by_rule(*operands: Any) -> Sequence[Any]:
            outs, out_batched = self.inner.apply_batch(size, batched, operands)
            flags[:] = out_batched
            return outs

        return by_rule, flags

    def results(self, values: Sequence[Any]) -> list[Any]:
        """Return what belongs to the inexact results."""
        return [v for v, flag in zip(values, self.inexact) if flag]


class BatchTangent(_Derived):
    """The tangents of the results: a function of the operands and of their tangents."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        first = len(self.moving)
        self.linear = frozenset(range(first, first + sum(self.moving)))

    def fun(self, *operands: Any) -> list[Any]:
        primals, tangents = self.split(operands)
        return self._tangents(self.inner.fun, primals, tangents)

    def _tangents(
        self, fun: Callable, primals: Sequence[Any], tangents: Sequence[Any]
    ) -> list[Any]:
        moves = woven(self.moving, iter(tangents), repeat(ZERO))
        outs, computed = jvp_flat(fun, primals, moves, self.name)
        return self.results(
            [full_like(typeof(o).strong, 0) if t is ZERO else t for o, t in zip(outs, computed)]
        )

    def apply_batch(
        self, size: int, batched: Sequence[bool], args: Sequence[Any]
    ) -> tuple[list[Any], list[bool]]:
        """Differentiate the function's batching rule. An operand and its tangent are batched both
        if one is.
        """
        (of_primals, of_tangents), (primals, tangents) = self.split(batched), self.split(args)
        with_tangent = woven(self.moving, iter(of_tangents), repeat(False))
        both = [a or b for a, b in zip(of_primals, with_tangent)]
        primals = [_full(x, b, f, size) for x, b, f in zip(primals, of_primals, both)]
        moved = [f for f, moves in zip(both, self.moving) if moves]
        tangents = [_full(t, b, f, size) for t, b, f in zip(tangents, of_tangents, moved)]
        by_rule, flags = self.batched_function(size, both)
        computed = self._tangents(by_rule, primals, tangents)
        return computed, self.results(flags)

    def apply_transpose(self, cts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        """Return the cotangents of the tangents; None for the other operands."""
        primals, _ = self.split(args)
        present = [ct is not ZERO for ct in cts]
        rules = BatchCotangent(self.inner, self.moving, self.avals, self.inexact, present)
        call = CustomCall(None, rules=rules)
        pulled = call.bind(*primals, *[ct for ct in cts if ct is not ZERO])
        return [*[None] * len(primals), *pulled]


class BatchCotangent(_Derived):
    """The cotangents of the operands with a tangent, as a function of the operands and of those
    cotangents of inexact results that are there (`present`).
    """

    def __init__(self, *args: Any):
        *others, present = args
        super().__init__(*others)
        self.present = tuple(present)

    def _key(self) -> tuple:
        return *super()._key(), self.present

    def fun(self, *operands: Any) -> list[Any]:
        primals, cts = self.split(operands)
        return self._pulled(self.inner.fun, primals, lambda outs: cts)

    def _pulled(self, fun: Callable, primals: Sequence[Any], cts_of: Callable) -> list[Any]:
        """Pull the cotangents `cts_of(results)` back through a function of all operands."""
        chosen = [p for p, moves in zip(primals, self.moving) if moves]

        def of_moving(*operands: Any) -> Sequence[Any]:
            return fun(*woven(self.moving, iter(operands), iter(self._fixed(primals))))

        outs, program, has_tangent = quietly(linearize_flat, of_moving, chosen, self.name)
        cts = woven(self.present, iter(cts_of(outs)), repeat(ZERO))
        cts = [ct for ct, has in zip(self._of_all(cts), has_tangent) if has]
        pulled = quietly(pull_back_program, program, cts)
        return [full_like(typeof(p).strong, 0) if c is ZERO else c for c, p in zip(pulled, chosen)]

    def _fixed(self, primals: Sequence[Any]) -> list[Any]:
        """Return the operands without a tangent."""
        return [p for p, moves in zip(primals, self.moving) if not moves]

    def _of_all(self, cts: Sequence[Any]) -> list[Any]:
        """Return a cotangent for each result, `ZERO` for those that have none."""
        return woven(self.inexact, iter(cts), repeat(ZERO))

    def apply_batch(
        self, size: int, batched: Sequence[bool], args: Sequence[Any]
    ) -> tuple[list[Any], list[bool]]:
        """Differentiate the function's batching rule, with all that moves batched: each row has a
        cotangent of its own.
        """
        (of_primals, of_cts), (primals, cts) = self.split(batched), self.split(args)
        all_batched = [b or moves for b, moves in zip(of_primals, self.moving)]
        primals = [_full(x, b, f, size) for x, b, f in zip(primals, of_primals, all_batched)]
        cts = [_full(ct, b, True, size) for ct, b in zip(cts, of_cts)]
        by_rule, flags = self.batched_function(size, all_batched)

        def rows(*operands: Any) -> list[Any]:
            outs = by_rule(*operands)
            return [_full(o, b, True, size) for o, b in zip(outs, flags)]

        pulled = self._pulled(rows, primals, lambda outs: cts)
        return pulled, [True] * len(pulled)


def _full(x: Any, batched: bool, wanted: bool, size: int) -> Any:
    """Return an array with the batch axis at the front, if it is to have one."""
    return batch_at_front(x, None, size) if wanted and not batched else x
