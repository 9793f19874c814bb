"""Arithmetic of truncated power series: sums and products of coefficients, and the recurrences that
are written by hand, as the derived ones were measured to cost more.

A series may have a `top`: the index of a coefficient that is held as its sum over a family of
directions, not for each of them (see `collapsed.py`). What is computed at the top of a result is
summed as soon as it is no product with something that is the same for all directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...primitives.array import as_value
from ...primitives.constants import full_like
from ...primitives.core import state, typeof
from ...primitives.stand_ins import ZERO
from ...primitives.words.elementwise import (
    add,
    div,
    mul,
    neg,
    reciprocal,
    scale,
    sech_squared,
    select,
    sub,
    tanh,
    zero_scalar,
)
from ...primitives.words.powers import IntegerPow, integer_pow


class Series:
    """A power series whose coefficients are computed when asked for, in order, and kept; `ZERO` is
    one, too.
    """

    __slots__ = ("coefficients", "compute", "slope", "top", "unit")

    def __init__(
        self,
        coefficients: Sequence[Any],
        compute: Callable[[int], Any] | None = None,
        top: int | None = None,
    ):
        self.coefficients = list(coefficients)
        self.compute, self.top = compute, top
        self.slope: Series | None = None
        #: Known to be x + t.
        self.unit = False

    def __getitem__(self, k: int) -> Any:
        while len(self.coefficients) <= k:
            if self.compute is None:
                return ZERO
            self.coefficients.append(self.compute(len(self.coefficients)))
        return self.coefficients[k]

    @property
    def constant(self) -> bool:
        """True if it is known that only coefficient 0 is there."""
        return self.compute is None and all([c is ZERO for c in self.coefficients[1:]])

    def __repr__(self) -> str:
        return f"Series{self.coefficients}"


def top_of(values: Iterable[Series]) -> int | None:
    """The index at which a result that depends on all of these is summed over directions."""
    return min([v.top for v in values if v.top is not None], default=None)


class Arithmetic:
    """What rules compute with: coefficients in the context around the transformation, and series
    of them.
    """

    order: int
    parent: Any

    # -- Coefficients --

    def in_parent(self, compute: Callable[[], Any]) -> Any:
        """Run in the context outside of this transformation, wherever a coefficient happens to be
        asked for.
        """
        before, state.trace = state.trace, self.parent
        try:
            return compute()
        finally:
            state.trace = before

    def collapse(self, coefficient: Any) -> Any:
        """The sum over directions of a coefficient that is held for each."""
        return coefficient

    def summed(self, x: Series, k: int) -> Any:
        """Coefficient `k` of a series, where a result has its top."""
        return x[k] if x.top == k or x[k] is ZERO else self.collapse(x[k])

    def plus(self, a: Any, b: Any) -> Any:
        """The sum of coefficients that may be ZERO."""
        return b if a is ZERO else a if b is ZERO else self.in_parent(lambda: add.bind(a, b))

    def minus(self, a: Any, b: Any) -> Any:
        """The difference of coefficients that may be ZERO."""
        if b is ZERO:
            return a
        return self.in_parent(lambda: -b if a is ZERO else sub.bind(a, b))

    def scale(self, a: Any, n: float) -> Any:
        """A coefficient times a number."""
        return a if a is ZERO or n == 1 else self.in_parent(lambda: mul.bind(a, number(a, n)))

    def divide(self, a: Any, n: float) -> Any:
        """A coefficient divided by a number."""
        return a if a is ZERO or n == 1 else self.in_parent(lambda: div.bind(a, number(a, n)))

    def over(self, base: Any) -> Callable[[Any], Any]:
        """Division of coefficients by an array; zero over anything is zero."""
        inverse = self.in_parent(lambda: reciprocal(base))
        return lambda a: a if a is ZERO else self.in_parent(lambda: scale.bind(a, inverse))

    # -- Series --

    def convolve(
        self,
        product: Callable,
        x: Series,
        y: Series,
        k: int,
        top: int | None,
        indices: Iterable[int] | None = None,
        weight: Callable[[int], float] | None = None,
    ) -> Any:
        """The sum of `weight(i) x[i] y[k-i]` over `indices` (0 to k): a coefficient of a series
        with this `top`.
        """
        each: Any = ZERO
        whole: Any = ZERO
        for i in range(k + 1) if indices is None else indices:
            a = x[i]
            b = ZERO if a is ZERO else y[k - i]
            if b is ZERO:
                continue
            term = self.in_parent(lambda a=a, b=b: product(a, b))
            if weight is not None:
                term = self.scale(term, weight(i))
            if x.top == i or y.top == k - i:
                whole = self.plus(whole, term)
            else:
                each = self.plus(each, term)
        if k == top and each is not ZERO:
            each = self.collapse(each)
        return self.plus(each, whole)

    def product(self, primitive: Any, x: Series, y: Series) -> Series:
        """Any bilinear product, by Cauchy's rule."""
        bind = primitive.bind
        out = self.in_parent(lambda: bind(x[0], y[0]))
        top = top_of((x, y))
        if x.constant or y.constant:
            side = (lambda k: (x[k], y[0])) if y.constant else (lambda k: (x[0], y[k]))

            def one(k: int) -> Any:
                a, b = side(k)
                zero = a is ZERO or b is ZERO
                return ZERO if zero else self.in_parent(lambda: bind(a, b))

            return Series([out], one, top)
        if x is y and primitive is mul:
            return Series([out], lambda k: self.square_at(x, k, top), top)
        return Series([out], lambda k: self.convolve(bind, x, y, k, top), top)

    def square_at(self, x: Series, k: int, top: int | None, start: int = 0) -> Any:
        """The sum of x[i] x[k-i] for i from `start` to k - start, each product of two different
        coefficients computed once.
        """
        half = range(start, (k + 1) // 2)
        twice = self.scale(self.convolve(mul.bind, x, x, k, top, half), 2)
        if k % 2 or k // 2 < start:
            return twice
        return self.plus(twice, self.convolve(mul.bind, x, x, k, top, (k // 2,)))

    def quotient(self, x: Series, y: Series) -> Series:
        """x / y: q[k] = (x[k] - sum over i of y[i] q[k-i], i >= 1) / y[0]."""
        top = top_of((x, y))

        def coefficient(k: int) -> Any:
            rest = ZERO
            if not y.constant:
                rest = self.convolve(mul.bind, y, q, k, top, range(1, k + 1))
            above = self.minus(self.summed(x, k) if k == top else x[k], rest)
            return above if above is ZERO else self.in_parent(lambda: div.bind(above, y[0]))

        q = Series([self.in_parent(lambda: div.bind(x[0], y[0]))], coefficient, top)
        return q

    def slope(self, x: Series) -> Series:
        """The series of x'(t); made once for each series."""
        if x.slope is None:
            first = x[1]
            if first is ZERO:  # the first coefficient gives a series its type
                first = self.in_parent(lambda: full_like(x[0], 0))
            after = lambda k: self.scale(x[k + 1], k + 1) if k + 1 <= self.order else ZERO
            x.slope = Series([first], after, None if x.top is None else x.top - 1)
        return x.slope

    def integrated(self, slope: Series, k: int, top: int | None) -> Any:
        """Coefficient k > 0 of a series with this derivative and `top`."""
        return self.divide(self.summed(slope, k - 1) if k == top else slope[k - 1], k)

    # -- Recurrences: see Griewank and Walther 2008, "Evaluating Derivatives", table 13.2 --

    def logarithm(self, x: Series, base: Any, out: Any) -> Series:
        """y with base y' = x' - (x - x[0]) y': log(x) for the base x[0], log1p for x[0] + 1."""

        def coefficient(k: int) -> Any:
            top, rest = None if x.top is None else x.top - 1, ZERO
            if k > 1:
                rest = self.convolve(mul.bind, x, self.slope(y), k - 1, top, range(1, k))
            return over(self.minus(x[k], self.divide(rest, k)))

        over = self.over(base)
        y = Series([out], coefficient, x.top)
        return y

    def root(self, x: Series, out: Any) -> Series:
        """y = sqrt(x): 2 y[0] y[k] = x[k] - sum of y[i] y[k-i], 0 < i < k."""

        def coefficient(k: int) -> Any:
            rest = self.square_at(y, k, x.top, 1)
            return self.divide(over(self.minus(x[k], rest)), 2)

        over = self.over(out)
        y = Series([out], coefficient, x.top)
        return y

    def power(self, x: Series, p: float, out: Any) -> Series:
        """y = x**p for a number p: k x[0] y[k] = sum of (p i - (k - i)) x[i] y[k-i], i >= 1.

        Where x[0] is 0, the derivatives below p are 0; those above are infinite, or, for an
        integer p, computed by products.
        """
        if p.is_integer():
            return IntegerPow(int(p)).taylor(self, (x,))
        over, at_zero = self.over(x[0]), self.in_parent(lambda: x[0] == 0)

        def coefficient(k: int) -> Any:
            weight = lambda i: p * i - (k - i)
            found = self.convolve(scale.bind, x, y, k, x.top, range(1, k + 1), weight)
            found = self.divide(over(found), k)
            if found is ZERO:
                return ZERO
            singular = zero_scalar(found) if k < p else self.power_at_zero(x, p, k)
            return self.in_parent(lambda: select(at_zero, singular, found))

        y = Series([out], coefficient, x.top)
        return y

    def power_at_zero(self, x: Series, p: float, k: int) -> Any:
        """Coefficient k > p of x**p where x[0] is 0: infinite, unless x does not move."""
        first, lead = x[1], ZERO
        if first is not ZERO:
            number = math.prod([(p - i) / (i + 1) for i in range(k)])
            lead = self.in_parent(lambda: mul.bind(integer_pow(first, k), number))
            lead = self.collapse(lead) if k == x.top else lead
        last = self.scale(x[k], p) if k > 1 else ZERO
        if lead is ZERO:
            lead = last
        elif last is not ZERO and k != x.top:
            still = self.in_parent(lambda: first == 0)
            lead = self.in_parent(lambda: select(still, last, lead))
        return self.in_parent(lambda: scale.bind(lead, full_like(lead, math.inf)))

    def logistic(self, x: Series, out: Any) -> Series:
        """y' = (y - y**2) x'; coefficient k > 0 of the factor is (1 - 2 y[0]) y[k] - ..., where
        1 - 2 y[0] is -tanh(x / 2).
        """
        y = Series([out], lambda k: self.integrated(slope, k, x.top), x.top)
        half = self.scale(x[0], 0.5)
        first, tilt = self.in_parent(
            lambda: (sech_squared.bind(half) * 0.25, neg.bind(tanh.bind(half)))
        )

        def growth(k: int) -> Any:
            lead = y[k] if y[k] is ZERO else self.in_parent(lambda: mul.bind(y[k], tilt))
            return self.minus(lead, self.square_at(y, k, None, 1))

        slope = self.product(mul, self.slope(x), Series([first], growth, x.top))
        return y

    def tanh(self, x: Series, out: Any) -> Series:
        """y' = (1 - y**2) x', where the first factor begins with its own formula: it is small
        where y**2 is near 1.
        """
        y = Series([out], lambda k: self.integrated(slope, k, x.top), x.top)
        first = self.in_parent(lambda: sech_squared.bind(x[0]))
        growth = lambda k: self.minus(ZERO, self.square_at(y, k, None))
        slope = self.product(mul, self.slope(x), Series([first], growth, x.top))
        return y


def number(like: Any, n: float) -> Any:
    """A Python scalar of the kind of an array's dtype."""
    return complex(n) if typeof(like).dtype.kind == "c" else float(n)


def filled(series: Series, k: int) -> Any:
    """A coefficient as an array."""
    return full_like(series[0], 0) if series[k] is ZERO else as_value(series[k])
