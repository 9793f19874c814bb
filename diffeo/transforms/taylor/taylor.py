"""Taylor mode: the value is a power series, and the rules are derived from the jvp rules.

A function is called on x(t) = x[0] + x[1] t + x[2] t**2 + ... and returns y(t), up to some order.
There are four ways from the operands' coefficients to those of the result:

- a recurrence written by hand, `primitive.taylor`, goes first where there is one: the derived one
  would cost more;
- a bilinear primitive acts by Cauchy's product: y[k] is the sum of a[i] * b[k - i];
- a linear primitive acts on each coefficient;
- for anything else, y(t) = f(x(t)) solves y' = jvp(f)(x, x'). So coefficient k of y is coefficient
  k - 1 of the tangent rule, evaluated in series arithmetic, divided by k.

Example of the last way: y = exp(x) solves y' = y x'. So y[1] = y[0] x[1], and 2 y[2] = y[0] 2 x[2]
+ y[1] x[1].

Series are lazy, and remembered per (primitive, operands). So rules that lead back to each other
(sin and cos) or to their own result (exp, tanh) end, and every coefficient is computed once. Each
primitive with a derivative has derivatives of every order, at a cost polynomial in the order.

Start reading at `Taylor.rule` and `Taylor.derive`; series and their arithmetic are in `series.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import repeat
from typing import Any

from ...primitives.constants import full_like
from ...primitives.core import Primitive, state, typeof
from ...primitives.stand_ins import ZERO
from ...primitives.support.lists import woven
from ...primitives.types import SCALARS, ShapedArray, is_inexact
from ...programs.custom_call import CustomCall
from ..interpreter import Boxed, Interpreter, closed_for_batching
from .series import Arithmetic, Series, top_of


class Taylor(Arithmetic, Interpreter):
    """An interpreter that carries power series up to an `order` through a function.

    `memo` holds the series of each (primitive, operands). It lives for one call of `trace_flat`,
    and is not the `memo` of a `Jaxpr`.

    `inside_rule` says that a jvp rule is running on series. Series stay lazy then, as the result of
    the rule may be what is being computed. Outside of rules, for the user's own operations, all
    coefficients are computed at once.
    """

    complete = True

    def __init__(self, order: int, function_name: str = ""):
        self.order, self.function_name = order, function_name
        self.memo: dict[Any, Any] = {}
        self.inside_rule = False

    def lift(self, x: Any) -> Series:
        return Series([x])

    def wrap(self, value: Series) -> Any:
        return value[0] if value.constant else Boxed(self, value)

    def aval(self, value: Series) -> ShapedArray:
        return typeof(value[0])

    def concrete(self, value: Series) -> Any:
        return value[0]

    def key(self) -> int:
        return self.order

    def describe(self) -> str:
        return f"the Taylor series of {self.function_name or 'a function'}"

    def split(self, value: Series) -> tuple[Sequence[Any], tuple[bool, ...]]:
        coefficients = [value[k] for k in range(self.order + 1)]
        return [c for c in coefficients if c is not ZERO], tuple(
            [c is not ZERO for c in coefficients]
        )

    def build(self, static: tuple[bool, ...], arrays: Sequence[Any]) -> Series:
        iterator = iter(arrays)
        return Series(woven(static, iterator, repeat(ZERO)))

    def count(self, static: tuple[bool, ...]) -> int:
        return sum(static)

    def join(self, a: tuple[bool, ...], b: tuple[bool, ...]) -> tuple[bool, ...]:
        return tuple([x or y for x, y in zip(a, b)])

    def widen(self, value: Series, static: tuple[bool, ...]) -> Series:
        coefficients = [value[k] for k in range(self.order + 1)]
        return Series(
            [
                full_like(coefficients[0], 0) if flag and c is ZERO else c
                for c, flag in zip(coefficients, static)
            ]
        )

    def decides(self, value: Series) -> Any:
        return value[0]

    def trace_flat(self, fun: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        self.memo, self.inside_rule = {}, False
        return super().trace_flat(fun, values)

    # -- Rules --

    def rule(self, primitive: Primitive, values: Sequence[Series]) -> Any:
        """Return the series of a primitive's result(s), from the memo if they are there."""
        # Constants are told apart by their array, as they are lifted anew at each use.
        key = (primitive, *[_identity(v) for v in values])
        cached = self.memo.get(key)
        if cached is not None:
            return cached[0]
        out = self.derive(primitive, values)
        self.memo[key] = out, values  # the operands are kept so that no id is used again
        if not self.inside_rule:
            # The user's operations are computed at once, order by order, so that recursion stays
            # shallow.
            for series in out if primitive.multiple_results else (out,):
                for k in range(self.order + 1):
                    series[k]
                series.compute = None
        return out

    def derive(self, primitive: Primitive, values: Sequence[Series]) -> Any:
        """Compute the series of a primitive's result(s)."""
        # The four ways of the module's docstring; a rule written by hand goes first.
        special = primitive.taylor(self, values)
        if special is not None:
            return special
        if primitive.bilinear:
            return self.product(primitive, *values)
        if primitive.linear_part is not None:
            return self.linear(primitive, values)
        out = primitive.bind(*[v[0] for v in values])
        outs, top = out if primitive.multiple_results else [out], top_of(values)
        slopes: list[Series] = []

        def coefficient(i: int, k: int) -> Any:
            # Only when a coefficient is asked for: by then this result is in the memo, so a rule
            # that leads back to it finds it.
            if not slopes:
                slopes.extend(self.slopes(primitive, values))
            return self.integrated(slopes[i], k, top)

        results = [
            Series([o], partial(coefficient, i) if is_inexact(typeof(o).dtype) else None, top)
            for i, o in enumerate(outs)
        ]
        return results if primitive.multiple_results else results[0]

    def linear(self, primitive: Any, values: Sequence[Series]) -> Any:
        """Apply a linear primitive to each coefficient."""
        first, top = [v[0] for v in values], top_of(values)
        # Coefficient 0 itself is a sum over directions only in a tangent (`top` is one less than
        # that of the value). Linear operands that are not summed yet must be.
        if top == 0:
            moving = range(len(values)) if primitive.linear is None else primitive.linear
            for i in moving:
                if values[i].top is not None:
                    first[i] = self.summed(values[i], 0)
        out = primitive.bind(*first)

        def coefficient(k: int) -> Any:
            parts = [self.summed(v, k) if k == top else v[k] for v in values]
            if all([p is ZERO for p in parts]):
                return ZERO
            return self.in_parent(lambda: primitive.linear_part(first, parts))

        if not primitive.multiple_results:
            return Series([out], coefficient if is_inexact(typeof(out).dtype) else None, top)
        # Coefficient k of all results is one call.
        each = cache(coefficient)

        def of_result(i: int, k: int) -> Any:
            row = each(k)
            return ZERO if row is ZERO else row[i]

        return [
            Series([o], partial(of_result, i) if is_inexact(typeof(o).dtype) else None, top)
            for i, o in enumerate(out)
        ]

    def slopes(self, primitive: Primitive, values: Sequence[Series]) -> list[Series]:
        """Return the series of the derivative of each result.

        This is the jvp rule, run on series: the operands are x(t), the tangents are x'(t).
        """
        before, inside = state.trace, self.inside_rule
        state.trace, self.inside_rule = self, True
        try:
            primals = [v[0] if v.constant else Boxed(self, v) for v in values]
            tangents = [ZERO if v.constant else Boxed(self, self.slope(v)) for v in values]
            _, out = primitive.jvp(primals, tangents)
        finally:
            state.trace, self.inside_rule = before, inside
        outs = out if primitive.multiple_results else [out]
        return [Series([ZERO]) if t is ZERO else self.unwrap(t) for t in outs]

    def custom(self, call: CustomCall, values: Sequence[Series]) -> list[Series]:
        if call.rules.has_taylor:
            return self.by_recurrence(call, values)
        if call.rules.differentiable:
            return self.rule(call, values)
        by_rule = closed_for_batching(call, [v[0] for v in values], self.parent)
        if by_rule is not None:
            closed, constants = by_rule
            both = [*map(self.unwrap, constants), *values]
            # The batching rule says nothing of what the function closes over.
            if all([both[i].constant for i in closed.rules.constants]):
                return self.rule(closed, both)
        return super().custom(call, values)

    def by_recurrence(self, call: CustomCall, values: Sequence[Series]) -> list[Series]:
        """Apply the user's own Taylor rule, which computes all coefficients up to an order at once.

        Inside of a rule, a higher coefficient may depend on results that are not known yet. So
        there the rule is called anew for each order that is asked for.
        """

        def up_to(order: int) -> list[list[Any]]:
            series = [[v[k] for k in range(order + 1)] for v in values]
            return self.in_parent(lambda: call.rules.apply_taylor(order, series))

        if not self.inside_rule:
            return [Series(s) for s in up_to(self.order)]
        return [
            Series(s, lambda k, i=i: up_to(k)[i][k] if k <= self.order else ZERO)
            for i, s in enumerate(up_to(0))
        ]


def _identity(value: Series) -> Any:
    """Return a key for an operand: what two operands have in common only if they are the same."""
    if not value.constant:
        return id(value)
    x = value[0]
    # By their text: 0.0 equals -0.0, but 1 / 0.0 does not equal 1 / -0.0.
    return (type(x), repr(x)) if type(x) in SCALARS else ("constant", id(x))
