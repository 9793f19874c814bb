"""Hypergeometric series, with derivatives of every order by every argument."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from ...primitives.formulas.reference import special_function
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray
from ...primitives.words import elementwise as e
from ...routines.special.special import MOST, Formula, evaluate
from ...routines.special.special import lgamma as lgamma_p
from ...typing import ArrayLike
from .gamma import gammasgn, operands

#: The largest number of terms; a series that asks for more is nan.
_MOST = 100_000


@frozen
class Hypergeometric(Formula):
    """A hypergeometric series, or one of its derivatives.

    The series is the sum of (a1)_k ... / ((b1)_k ...) x**k / k!, where (a)_k is a (a + 1) ... (a +
    k - 1). There are `upper` numbers a, some numbers b, and x. `orders` says how often the series
    is differentiated by each a and b, and `by_x` how often by x.

    Derivatives by the parameters are computed by Taylor arithmetic: each term carries its Taylor
    coefficients in the parameters, and a step from one term to the next multiplies them by a + k
    and divides them by b + k. A term is a dictionary: for two parameters, the key (1, 2) is the
    coefficient of the first power of the first and the second power of the second one.
    """

    upper: int
    orders: tuple[int, ...]
    by_x: int = 0

    def abstract_eval(self, *avals: Any) -> ShapedArray:
        if (self.upper, len(self.orders)) not in ((1, 2), (2, 3)):
            raise ValueError(f"hypergeometric: expects the numbers of 1F1 or 2F1, got {self}")
        if not all([0 <= order <= MOST for order in self.orders]):
            raise ValueError(f"hypergeometric: expects orders from 0 to {MOST}, got {self}")
        return super().abstract_eval(*avals)

    def impl(self, *xs: np.ndarray) -> np.ndarray:
        if any(self.orders) or self.by_x:
            return evaluate(self.formula, *xs)
        return special_function(f"hyp{self.upper}f{len(self.orders) - self.upper}")(*xs)

    def step(self, term: dict, given: Sequence[Any], k: ArrayLike) -> dict:
        """Return the coefficients of the next term, without the factor x / (k + 1).

        They are those of `term`, times a + k for each a, over b + k for each b.
        """
        for i, a in enumerate(given):
            coefficients: dict = {}
            for index, t in term.items():
                # With a = a0 + h, coefficient n of (a + k) t is (a0 + k) t_n + t_(n-1), and a
                # quotient q = t / (a + k) has q_n = (t_n - q_(n-1)) / (a0 + k). Keys come in
                # ascending order, so q_(n-1) is known.
                lower_index = (*index[:i], index[i] - 1, *index[i + 1 :])
                if i < self.upper:
                    coefficients[index] = t * (a + k) + (term[lower_index] if index[i] else 0.0)
                else:
                    coefficients[index] = (t - coefficients[lower_index] if index[i] else t) / (
                        a + k
                    )
            term = coefficients
        return term

    def formula(self, m: Any, *xs: Any) -> Any:
        *parameters, x = xs
        count, indices = len(parameters), list(product(*[range(o + 1) for o in self.orders]))
        small = 1e-17 if x.dtype.itemsize == 8 else 1e-9
        first = {p: m.full(0.0 if any(p) else 1.0, x) for p in indices}
        # Derivative m by x shifts the series: term k has the steps of term k + m, and x**k / k!.
        for k in range(self.by_x):
            first = self.step(first, parameters, float(k))

        def going(k: Any, last: Any, *rest: Any) -> Any:
            return (last > m.abs(rest[-1]) * small) & m.spread(k < _MOST, x)

        def advance(k: ArrayLike, last: ArrayLike, *rest: Any) -> Any:
            parameters, x, values, total = rest[:count], rest[count], rest[count + 1 : -1], rest[-1]
            term, last = dict(zip(indices, values)), last * 0.0
            # Four terms a step; `last` becomes the largest of their coefficients.
            for _ in range(4):
                term = self.step(term, parameters, m.spread(k + float(self.by_x), x))
                ratio = x / m.spread(k + 1.0, x)
                term = {p: t * ratio for p, t in term.items()}
                for t in term.values():
                    last = m.max(last, m.abs(t))
                total, k = total + term[self.orders], k + 1.0
            return k, last, *parameters, x, *term.values(), total

        start = (
            m.number(0.0, x),
            m.full(1.0, x),
            *parameters,
            x,
            *first.values(),
            first[self.orders],
        )
        _, last, *_, total = m.loop(going, advance, start)
        done = (last <= m.abs(total) * small) | (x == 0.0)
        # From Taylor coefficients to derivatives.
        scale = math.prod([math.factorial(o) for o in self.orders])
        return m.where(done, total * float(scale), math.nan)

    def slopes(self) -> Sequence[Callable]:
        orders = self.orders
        higher = [(*orders[:i], o + 1, *orders[i + 1 :]) for i, o in enumerate(orders)]
        by_parameters = [replace(self, orders=o) for o in higher]
        return [
            _binding(f, len(orders)) for f in [*by_parameters, replace(self, by_x=self.by_x + 1)]
        ]


def _binding(primitive: Hypergeometric, count: int) -> Callable:
    """Return the primitive as a function with as many named operands as it has.

    `Formula.derivatives` reads their number from the signature. `count` is the number of
    parameters.
    """
    if count == 2:
        return lambda a, b, x: primitive.bind(a, b, x)
    return lambda a, b, c, x: primitive.bind(a, b, c, x)


def hyp1f1(a: Any, b: Any, x: Any) -> Any:
    """Compute Kummer's confluent hypergeometric function: the sum of (a)_k / (b)_k x**k / k!.

    Args:
        a: real numbers.
        b: real numbers, not 0, -1, -2, ...
        x: real numbers; the three broadcast.

    Returns:
        An array; derivatives by all arguments have every order. Where the terms have both signs
        (a < 0 < x, or b < a and x < 0) and x is large, digits are lost.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> hyp1f1(1.0, 2.0, 1.0)
        Array(1.71828183)
    """
    a, b, x = operands(a, b, x)
    # Kummer's transformation: the value at x is exp(x) times the series of b - a, b at -x. With
    # x > 0, terms of opposite signs do not cancel.
    left = x < 0
    series = Hypergeometric(1, (0, 0)).bind(e.select(left, b - a, a), b, e.select(left, -x, x))
    return e.select(left, e.exp.bind(e.select(left, x, 0.0)) * series, series)


def hyp2f1(a: Any, b: Any, c: Any, x: Any) -> Any:
    """Compute Gauss' hypergeometric function, the sum of (a)_k (b)_k / (c)_k x**k / k!.

    For x < -1, where the series diverges, this is its continuation.

    Args:
        a: real numbers.
        b: real numbers.
        c: real numbers, not 0, -1, -2, ...
        x: real numbers <= 1; the four broadcast.

    Returns:
        An array; nan for x > 1, and nearer to 1 or -inf than 100 000 terms of the series reach.
        Derivatives by all arguments have every order for x < 1.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> hyp2f1(1.0, 1.0, 2.0, 0.5)
        Array(1.38629436)
    """
    a, b, c, x = operands(a, b, c, x)
    left, at_one = x < 0, x == 1
    safe = e.select(x < 1, x, 0.5)
    # Pfaff's transformation: for x < 0 the value is (1 - x)**-a times the series of a, c - b, c at
    # x / (x - 1), which lies in (0, 1).
    inside = e.select(left, safe / (safe - 1.0), safe)
    series = Hypergeometric(2, (0, 0, 0)).bind(a, e.select(left, c - b, b), c, inside)
    factor = e.power.bind(1.0 - e.select(left, safe, 0.0), -a)
    value = e.select(x < 1, e.select(left, factor * series, series), math.nan)
    # Gauss' sum at 1: gamma(c) gamma(c - a - b) / (gamma(c - a) gamma(c - b)), if c > a + b.
    excess = c - a - b
    pairs = [(c, 1), (excess, 1), (c - a, -1), (c - b, -1)]
    size = sum([lgamma_p.bind(y) * float(sign) for y, sign in pairs])
    total = math.prod([gammasgn(y) for y, _ in pairs]) * e.exp.bind(size)
    return e.select(at_one, e.select(excess > 0, total, math.inf), value)
