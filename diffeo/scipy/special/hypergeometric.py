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
from .gamma import gammasgn, operands

#: More terms are not summed; a series that asks for them is nan.
_MOST = 100_000


@frozen
class Hypergeometric(Formula):
    """The sum of (a1)_k ... / ((b1)_k ...) x**k / k! for `upper` numbers a, some b, and x; its
    derivative of the `orders` by a and b, and `by_x` by x.

    Each term carries its Taylor coefficients in the parameters; a step multiplies by a + k and
    divides by b + k.
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

    def step(self, term: dict, given: Sequence[Any], k: Any) -> dict:
        """The coefficients of a term times a + k over b + k, but for x / (k + 1)."""
        for i, a in enumerate(given):
            found: dict = {}
            for index, t in term.items():
                less = (*index[:i], index[i] - 1, *index[i + 1 :])
                if i < self.upper:
                    found[index] = t * (a + k) + (term[less] if index[i] else 0.0)
                else:
                    found[index] = (t - found[less] if index[i] else t) / (a + k)
            term = found
        return term

    def formula(self, m: Any, *xs: Any) -> Any:
        *given, x = xs
        count, places = len(given), list(product(*[range(o + 1) for o in self.orders]))
        small = 1e-17 if x.dtype.itemsize == 8 else 1e-9
        first = {p: m.full(0.0 if any(p) else 1.0, x) for p in places}
        for k in range(self.by_x):
            first = self.step(first, given, float(k))

        def going(k: Any, last: Any, *rest: Any) -> Any:
            return (last > m.abs(rest[-1]) * small) & m.spread(k < _MOST, x)

        def advance(k: Any, last: Any, *rest: Any) -> Any:
            given, x, values, total = rest[:count], rest[count], rest[count + 1 : -1], rest[-1]
            term, last = dict(zip(places, values)), last * 0.0
            for _ in range(4):
                term = self.step(term, given, m.spread(k + float(self.by_x), x))
                ratio = x / m.spread(k + 1.0, x)
                term = {p: t * ratio for p, t in term.items()}
                for t in term.values():
                    last = m.max(last, m.abs(t))
                total, k = total + term[self.orders], k + 1.0
            return k, last, *given, x, *term.values(), total

        start = (m.number(0.0, x), m.full(1.0, x), *given, x, *first.values(), first[self.orders])
        _, last, *_, total = m.loop(going, advance, start)
        done = (last <= m.abs(total) * small) | (x == 0.0)
        scale = math.prod([math.factorial(o) for o in self.orders])
        return m.where(done, total * float(scale), math.nan)

    def slopes(self) -> Sequence[Callable]:
        orders = self.orders
        more = [(*orders[:i], o + 1, *orders[i + 1 :]) for i, o in enumerate(orders)]
        found = [replace(self, orders=o) for o in more]
        return [_binding(f, len(orders)) for f in [*found, replace(self, by_x=self.by_x + 1)]]


def _binding(primitive: Hypergeometric, count: int) -> Callable:
    """The primitive as a function of so many operands as it says, for `Special.derivatives`."""
    if count == 2:
        return lambda a, b, x: primitive.bind(a, b, x)
    return lambda a, b, c, x: primitive.bind(a, b, c, x)


def hyp1f1(a: Any, b: Any, x: Any) -> Any:
    """Kummer's confluent hypergeometric function: the sum of (a)_k / (b)_k x**k / k!.

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
    left = x < 0  # Kummer's transformation: terms of one sign
    series = Hypergeometric(1, (0, 0)).bind(e.select(left, b - a, a), b, e.select(left, -x, x))
    return e.select(left, e.exp.bind(e.select(left, x, 0.0)) * series, series)


def hyp2f1(a: Any, b: Any, c: Any, x: Any) -> Any:
    """Gauss' hypergeometric function: the sum of (a)_k (b)_k / (c)_k x**k / k!, and its
    continuation to x < -1.

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
    left, one = x < 0, x == 1
    safe = e.select(x < 1, x, 0.5)
    inside = e.select(left, safe / (safe - 1.0), safe)  # Pfaff's transformation
    series = Hypergeometric(2, (0, 0, 0)).bind(a, e.select(left, c - b, b), c, inside)
    factor = e.power.bind(1.0 - e.select(left, safe, 0.0), -a)
    value = e.select(x < 1, e.select(left, factor * series, series), math.nan)
    rest = c - a - b  # Gauss' sum at 1
    pairs = [(c, 1), (rest, 1), (c - a, -1), (c - b, -1)]
    size = sum([lgamma_p.bind(y) * float(sign) for y, sign in pairs])
    total = math.prod([gammasgn(y) for y, _ in pairs]) * e.exp.bind(size)
    return e.select(one, e.select(rest > 0, total, math.inf), value)
