"""Arithmetic of truncated power series.

`Series` is a power series whose coefficients are computed when they are asked for. `Arithmetic` has
sums, products and quotients, and the recurrences that are written by hand because the derived ones
were measured to cost more.

A series may have a `top`, in collapsed Taylor mode (see `collapsed.py`). Then all coefficients
below are held for each of a family of directions, and coefficient `top` is held as its sum over the
directions. What is computed at the top of a result is summed at once, unless one factor is the same
for all directions: then the other factor's sum is what is multiplied. Where there is no `top`,
nothing is ever summed: read the code without it first.

Methods take coefficients (arrays, or `ZERO`) or whole series. Coefficient k of x is `x[k]`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...primitives.array import as_value
from ...primitives.constants import full_like
from ...primitives.core import Primitive, Value, state, typeof
from ...primitives.stand_ins import ZERO
from ...primitives.words.elementwise import (
    add,
    div,
    mul,
    neg,
    reciprocal,
    # `scale.bind(t, factor)` is `t * factor`, but 0 where `t` is 0, even if `factor` is infinite.
    # It is not the method `scale` below, which multiplies by a number.
    scale,
    sech_squared,
    select,
    sub,
    tanh,
    zero_scalar,
)
from ...primitives.words.powers import IntegerPow, integer_pow


class Series:
    """A power series whose coefficients are computed when asked for, in order, and kept.

    `compute(k)` returns coefficient k; it may ask for the coefficients below. A coefficient may be
    `ZERO`. Without `compute`, all coefficients after the last one are `ZERO`.

    Attributes:
        coefficients: the coefficients that have been computed so far.
        compute: the function that computes the next ones, or None.
        slope: the series of x'(t), once `Arithmetic.slope` has made it; None before.
        top: the index of the coefficient that is held as its sum over directions. None but for
            collapsed mode.
        unit: True for the series x + t of `nested.py`.
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
        #: True if the series is known to be x + t: then `nested.py` can add one order more.
        self.unit = False

    def __getitem__(self, k: int) -> Any:
        while len(self.coefficients) <= k:
            if self.compute is None:
                return ZERO
            self.coefficients.append(self.compute(len(self.coefficients)))
        return self.coefficients[k]

    @property
    def constant(self) -> bool:
        """True if all coefficients but coefficient 0 are known to be `ZERO`."""
        return self.compute is None and all([c is ZERO for c in self.coefficients[1:]])

    def __repr__(self) -> str:
        return f"Series{self.coefficients}"


def top_of(values: Iterable[Series]) -> int | None:
    """Return the index at which a result that depends on all of these is summed over directions."""
    return min([v.top for v in values if v.top is not None], default=None)


class Arithmetic:
    """Operations on coefficients, in the context around the transformation, and on series."""

    order: int
    parent: Any

    # -- Coefficients --

    def in_parent(self, compute: Callable[[], Any]) -> Any:
        """Run `compute` in the context outside of this transformation, and return its result.

        A coefficient may be asked for anywhere, also while this transformation's trace is current.
        """
        before, state.trace = state.trace, self.parent
        try:
            return compute()
        finally:
            state.trace = before

    def collapse(self, coefficient: Any) -> Any:
        """Return the sum over directions of a coefficient that is held for each direction.

        Without directions this is the coefficient itself; `Collapsed` overrides it.
        """
        return coefficient

    def summed(self, x: Series, k: int) -> Any:
        """Return coefficient `k` of a series, summed over directions if it is not yet."""
        return x[k] if x.top == k or x[k] is ZERO else self.collapse(x[k])

    def plus(self, a: Any, b: Any) -> Any:
        """Return the sum of coefficients that may be ZERO."""
        return b if a is ZERO else a if b is ZERO else self.in_parent(lambda: add.bind(a, b))

    def minus(self, a: Any, b: Any) -> Any:
        """Return the difference of coefficients that may be ZERO."""
        if b is ZERO:
            return a
        return self.in_parent(lambda: -b if a is ZERO else sub.bind(a, b))

    def multiple(self, a: Any, n: float) -> Any:
        """Return a coefficient times a Python number."""
        return a if a is ZERO or n == 1 else self.in_parent(lambda: mul.bind(a, number(a, n)))

    def divide(self, a: Any, n: float) -> Any:
        """Return a coefficient divided by a number."""
        return a if a is ZERO or n == 1 else self.in_parent(lambda: div.bind(a, number(a, n)))

    def over(self, base: Value) -> Callable[[Any], Any]:
        """Return a function that divides coefficients by an array; zero over anything is zero."""
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
        """Return the sum of `weight(i) x[i] y[k-i]` over `indices` (0 to k).

        It is a coefficient of a series with this `top`. Example: for k = 2, that is x[0] y[2] +
        x[1] y[1] + x[2] y[0].
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
                term = self.multiple(term, weight(i))
            # One factor is a sum over directions already. The other is coefficient 0, which is the
            # same for all of them: so is the product a sum.
            if x.top == i or y.top == k - i:
                whole = self.plus(whole, term)
            else:
                each = self.plus(each, term)
        if k == top and each is not ZERO:
            each = self.collapse(each)
        return self.plus(each, whole)

    def product(self, primitive: Primitive, x: Series, y: Series) -> Series:
        """Return the series of any bilinear product, by Cauchy's rule."""
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
        """Return the sum of x[i] x[k-i] for i from `start` to k - `start`.

        Each product of two different coefficients is computed once: for k = 3, that is 2 (x[0] x[3]
        + x[1] x[2]).
        """
        half = range(start, (k + 1) // 2)
        twice = self.multiple(self.convolve(mul.bind, x, x, k, top, half), 2)
        if k % 2 or k // 2 < start:
            return twice
        return self.plus(twice, self.convolve(mul.bind, x, x, k, top, (k // 2,)))

    def quotient(self, x: Series, y: Series) -> Series:
        """Return the series of x / y.

        q[k] = (x[k] - sum over i of y[i] q[k-i], i >= 1) / y[0].
        """
        top = top_of((x, y))

        def coefficient(k: int) -> Any:
            products = ZERO
            if not y.constant:
                products = self.convolve(mul.bind, y, q, k, top, range(1, k + 1))
            numerator = self.minus(self.summed(x, k) if k == top else x[k], products)
            return (
                numerator
                if numerator is ZERO
                else self.in_parent(lambda: div.bind(numerator, y[0]))
            )

        q = Series([self.in_parent(lambda: div.bind(x[0], y[0]))], coefficient, top)
        return q

    def slope(self, x: Series) -> Series:
        """Return the series of x'(t), which is made once for each series."""
        if x.slope is None:
            first = x[1]
            if first is ZERO:  # the first coefficient gives a series its type
                first = self.in_parent(lambda: full_like(x[0], 0))
            after = lambda k: self.multiple(x[k + 1], k + 1) if k + 1 <= self.order else ZERO
            x.slope = Series([first], after, None if x.top is None else x.top - 1)
        return x.slope

    def integrated(self, slope: Series, k: int, top: int | None) -> Any:
        """Return coefficient k > 0 of a series with this derivative and `top`."""
        return self.divide(self.summed(slope, k - 1) if k == top else slope[k - 1], k)

    # -- Recurrences: see Griewank and Walther 2008, "Evaluating Derivatives", table 13.2 --

    def logarithm(self, x: Series, base: Value, out: Value) -> Series:
        """Return the y with base y' = x' - (x - x[0]) y'.

        It is log(x) for the base x[0], and log1p(x) for x[0] + 1. `out` is y[0].
        """

        def coefficient(k: int) -> Any:
            top, products = None if x.top is None else x.top - 1, ZERO
            if k > 1:
                products = self.convolve(mul.bind, x, self.slope(y), k - 1, top, range(1, k))
            return over(self.minus(x[k], self.divide(products, k)))

        over = self.over(base)
        y = Series([out], coefficient, x.top)
        return y

    def root(self, x: Series, out: Value) -> Series:
        """Return y = sqrt(x): 2 y[0] y[k] = x[k] - sum of y[i] y[k-i], 0 < i < k."""

        def coefficient(k: int) -> Any:
            products = self.square_at(y, k, x.top, 1)
            return self.divide(over(self.minus(x[k], products)), 2)

        over = self.over(out)
        y = Series([out], coefficient, x.top)
        return y

    def power(self, x: Series, p: float, out: Value) -> Series:
        """Return y = x**p for a number p: k x[0] y[k] = sum of (p i - (k - i)) x[i] y[k-i], i >= 1.

        Where x[0] is 0, the derivatives below p are 0. Those above are infinite, or, for an integer
        p, computed by products.
        """
        if p.is_integer():
            return IntegerPow(int(p)).taylor(self, (x,))
        over, at_zero = self.over(x[0]), self.in_parent(lambda: x[0] == 0)

        def coefficient(k: int) -> Any:
            weight = lambda i: p * i - (k - i)
            value = self.convolve(scale.bind, x, y, k, x.top, range(1, k + 1), weight)
            value = self.divide(over(value), k)
            if value is ZERO:
                return ZERO
            singular = zero_scalar(value) if k < p else self.power_at_zero(x, p, k)
            return self.in_parent(lambda: select(at_zero, singular, value))

        y = Series([out], coefficient, x.top)
        return y

    def power_at_zero(self, x: Series, p: float, k: int) -> Any:
        """Return coefficient k > p of x**p where x[0] is 0: infinite, unless x does not move."""
        first, lead = x[1], ZERO
        if first is not ZERO:
            number = math.prod([(p - i) / (i + 1) for i in range(k)])
            lead = self.in_parent(lambda: mul.bind(integer_pow(first, k), number))
            lead = self.collapse(lead) if k == x.top else lead
        last = self.multiple(x[k], p) if k > 1 else ZERO
        if lead is ZERO:
            lead = last
        elif last is not ZERO and k != x.top:
            still = self.in_parent(lambda: first == 0)
            lead = self.in_parent(lambda: select(still, last, lead))
        return self.in_parent(lambda: scale.bind(lead, full_like(lead, math.inf)))

    def logistic(self, x: Series, out: Value) -> Series:
        """Return y = 1 / (1 + exp(-x)), which solves y' = (y - y**2) x'.

        Coefficient k > 0 of the factor y - y**2 is (1 - 2 y[0]) y[k] - ..., where 1 - 2 y[0] is
        -tanh(x / 2).
        """
        y = Series([out], lambda k: self.integrated(slope, k, x.top), x.top)
        half = self.multiple(x[0], 0.5)
        first, tilt = self.in_parent(
            lambda: (sech_squared.bind(half) * 0.25, neg.bind(tanh.bind(half)))
        )

        def growth(k: int) -> Any:
            lead = y[k] if y[k] is ZERO else self.in_parent(lambda: mul.bind(y[k], tilt))
            return self.minus(lead, self.square_at(y, k, None, 1))

        slope = self.product(mul, self.slope(x), Series([first], growth, x.top))
        return y

    def tanh(self, x: Series, out: Value) -> Series:
        """Return y = tanh(x), which solves y' = (1 - y**2) x'.

        The factor 1 - y**2 begins with a formula of its own, as it is small where y**2 is near 1.
        """
        y = Series([out], lambda k: self.integrated(slope, k, x.top), x.top)
        first = self.in_parent(lambda: sech_squared.bind(x[0]))
        growth = lambda k: self.minus(ZERO, self.square_at(y, k, None))
        slope = self.product(mul, self.slope(x), Series([first], growth, x.top))
        return y


def number(like: Any, n: float) -> Any:
    """Return a Python scalar of the kind of an array's dtype."""
    return complex(n) if typeof(like).dtype.kind == "c" else float(n)


def filled(series: Series, k: int) -> Any:
    """Return a coefficient as an array, also where it is `ZERO`."""
    return full_like(series[0], 0) if series[k] is ZERO else as_value(series[k])
