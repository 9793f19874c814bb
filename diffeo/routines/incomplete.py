"""Incomplete gamma and beta functions, with derivatives of every order by every argument.

Both are integrals of a density over one of its tails; the tail is scaled so that its integrand is
1 where it begins, and falls from there. The trapezoidal rule in t, where z = exp(t - exp(-t)),
then converges like exp(-c / step) (Takahasi and Mori 1974), for tiny and for huge parameters. A
derivative by a parameter is the same integral, with the logarithmic derivatives of the density as
a further factor (Faa di Bruno's formula): nothing cancels in the first one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..primitives.frozen import frozen
from ..primitives.reference import special_function
from ..primitives.types import ShapedArray
from .special import (
    BERNOULLI,
    TRACED,
    Formula,
    FormulaRow,
    Polygamma,
    evaluate,
    polynomial,
)


def bell(i: int, j: int, g: Callable[[int, int], Any]) -> Any:
    """d^i/da^i d^j/db^j exp(h), over exp(h), where g(k, l) is that derivative of h; 1.0 if i = j =
    0.
    """

    @cache
    def found(i: int, j: int) -> Any:
        if i + j == 0:
            return 1.0
        if i == 0:
            terms = [(math.comb(j - 1, q), g(0, q + 1), found(0, j - 1 - q)) for q in range(j)]
        else:
            terms = [(math.comb(i - 1, p) * math.comb(j, q), g(p + 1, q), found(i - 1 - p, j - q))
                     for p in range(i) for q in range(j + 1)]  # fmt: skip
        total = None
        for count, slope, rest in terms:
            term = slope if type(rest) is float else slope * rest
            term = term if count == 1 else term * float(count)
            total = term if total is None else total + term
        return total

    return found(i, j)


def integral(
    m: Any, integrand: Callable, *given: Any, fine: int = 1, needed: Any = None
) -> Any:
    """The integral over z > 0 of integrand(z, *given), which falls on a scale of 1 or more; with
    steps that are `fine` times finer. Nothing is done unless it is `needed` anywhere.
    """
    like = given[0]
    wide = like.dtype.itemsize == 8
    step, small, count = (0.125, 1e-17, 4) if wide else (0.25, 1e-9, 2)

    def going(t: Any, last: Any, total: Any, *given: Any) -> Any:
        more = (last > m.abs(total) * small) | m.spread(t < 1.0, like)
        return more if needed is None else more & given[-1]

    def advance(t: Any, last: Any, total: Any, *given: Any) -> Any:
        last = last * 0.0
        for _ in range(count):
            slope = m.exp(-t)
            z = m.exp(t - slope)
            weight = m.spread(z * (1.0 + slope) * step, like)
            term = integrand(m.spread(z, like), *given[:operands]) * weight
            last, total, t = m.max(last, m.abs(term)), total + term, t + step / fine
        return t, last, total, *given

    zero, operands = m.full(0.0, like), len(given)
    given = given if needed is None else (*given, needed)
    return m.loop(going, advance, (m.number(-3.625, like), zero, zero, *given))[2] * (1 / fine)


def _series(m: Any, a: Any, x: Any) -> Any:
    """1 + x / (a + 1) + x**2 / ((a + 1) (a + 2)) + ...: P(a, x), but for a factor."""
    small = 1e-17 if a.dtype.itemsize == 8 else 1e-9

    def going(k: Any, term: Any, total: Any, a: Any, x: Any) -> Any:
        return term > total * small

    def advance(k: Any, term: Any, total: Any, a: Any, x: Any) -> Any:
        for _ in range(4):
            k = k + 1.0
            term = term * (x / (a + m.spread(k, a)))
            total = total + term
        return k, term, total, a, x

    one = m.full(1.0, a)
    return m.loop(going, advance, (m.number(0.0, a), one, one, a, x))[2]


# --------------------------------------------------------------------------------------------------
# Densities, without the cancellation of their factors (Loader 2000)

#: Stirling's series is used from here on.
_LARGE = 8.0
_STIRLING = [b * math.factorial(2 * j - 2) for j, b in enumerate(BERNOULLI[:9], 1)]
_DIGAMMA = [b * math.factorial(2 * j - 1) for j, b in enumerate(BERNOULLI[:9], 1)]
_ARTANH = [2.0 / (2 * k + 3) for k in range(11)]


def stirling_error(m: Any, a: Any) -> Any:
    """log(gamma(a) / (sqrt(2 pi / a) (a / e)**a))."""
    large = a >= _LARGE
    low, high = m.where(large, 1.0, a), 1.0 / m.where(large, a, _LARGE)
    direct = m.lgamma(low) - (low - 0.5) * m.log(low) + low - 0.5 * math.log(2 * math.pi)
    return m.where(large, polynomial(high * high, _STIRLING) * high, direct)


def _deviance(m: Any, a: Any, mean: Any, more: Any) -> Any:
    """a log(a / mean) + mean - a, where mean - a = more."""
    near = m.abs(more) < 0.3 * a
    mu = m.where(near, more, 0.0) / a
    v = mu / (mu + 2.0)
    series = v * (mu - v * v * polynomial(v * v, _ARTANH))
    return m.where(near, a * series, more - a * (m.log(mean) - m.log(a)))


def _gamma_weight(m: Any, a: Any, x: Any) -> Any:
    """x**a exp(-x) / gamma(a)."""
    size = m.exp(-_deviance(m, a, x, x - a) - stirling_error(m, a))
    return size * m.sqrt(a / (2 * math.pi))


def _beta_weight(m: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """x**a y**b / beta(a, b), where y = 1 - x."""
    n, more = a + b, b * x - a * y
    away = _deviance(m, a, n * x, more) + _deviance(m, b, n * y, -more)
    rest = stirling_error(m, n) - stirling_error(m, a) - stirling_error(m, b)
    return m.exp(rest - away) * m.sqrt(a / n) * m.sqrt(b / (2 * math.pi))


def _at_edge(m: Any, a: Any, value: Any) -> Any:
    """x**(a - 1) at x = 0, times a value."""
    return m.where(a < 1.0, math.inf, m.where(a == 1.0, value, 0.0))


def _gamma_density(m: Any, a: Any, x: Any) -> Any:
    """x**(a - 1) exp(-x) / gamma(a) for a > 0."""
    inside = (a > 0.0) & (a < math.inf) & (x > 0.0) & (x < math.inf)
    a1, x1 = m.where(inside, a, 1.0), m.where(inside, x, 1.0)
    edge = m.where(x == 0.0, _at_edge(m, a, m.full(1.0, a)), 0.0)
    edge = m.where((a >= 0.0) & (x >= 0.0), edge, math.nan)
    return m.where(inside, _gamma_weight(m, a1, x1) / x1, edge)


def _beta_density(m: Any, a: Any, b: Any, x: Any) -> Any:
    """x**(a - 1) (1 - x)**(b - 1) / beta(a, b) for a, b > 0."""
    known = (a > 0.0) & (a < math.inf) & (b > 0.0) & (b < math.inf)
    inside = known & (x > 0.0) & (x < 1.0)
    a1, b1, x1 = m.where(inside, a, 1.0), m.where(inside, b, 1.0), m.where(inside, x, 0.5)
    y1 = 1.0 - x1
    edge = m.where(x == 0.0, _at_edge(m, a, b), m.where(x == 1.0, _at_edge(m, b, a), math.nan))
    edge = m.where(known, edge, math.nan)
    return m.where(inside, _beta_weight(m, a1, b1, x1, y1) / x1 / y1, edge)


def psi(m: Any, k: int, a: Any) -> Any:
    """The polygamma function; for k = 0 without its logarithm, digamma(a) - log(a)."""
    if k:
        return m.of(Polygamma(k))(a)
    large = a >= _LARGE
    low, high = m.where(large, 1.0, a), 1.0 / m.where(large, a, _LARGE)
    series = high * (-0.5 - high * polynomial(high * high, _DIGAMMA))
    return m.where(large, series, m.digamma(low) - m.log(low))


def _log_ratio(m: Any, x: Any, mean: Any, less: Any) -> Any:
    """log(x / mean), where x - mean = less; also where that is small."""
    near = m.abs(less) < 0.5 * mean
    return m.where(near, m.log1p(m.where(near, less, 0.0) / mean), m.log(x / mean))


def _gamma_slopes(m: Any, n: int, a: Any, x: Any) -> list[Any]:
    """The derivatives 1 ... n by a of the logarithm of gamma's density."""
    return [-psi(m, k, a) + (0.0 if k else _log_ratio(m, x, a, x - a)) for k in range(n)]


def _beta_slopes(m: Any, i: int, j: int, a: Any, b: Any, x: Any) -> dict[tuple[int, int], Any]:
    """The derivatives up to i by a and j by b of the logarithm of beta's density."""
    both = [psi(m, k, a + b) for k in range(i + j)]
    found = {}
    for k in range(i + 1):
        for q in range(j + 1):
            if k + q:
                slope = both[k + q - 1]
                slope = slope if q else slope - psi(m, k - 1, a)
                found[k, q] = slope if k else slope - psi(m, q - 1, b)
    y = 1.0 - x
    less = b * x - a * y
    if i:
        found[1, 0] = found[1, 0] + _log_ratio(m, (a + b) * x, a, less)
    if j:
        found[0, 1] = found[0, 1] + _log_ratio(m, (a + b) * y, b, -less)
    return found


gamma_density = FormulaRow(
    "gamma_density", _gamma_density,
    lambda a, x, out: out * _gamma_slopes(TRACED, 1, a, x)[0],
    lambda a, x, out: out * ((a - 1.0) / x - 1.0),
)  # fmt: skip
beta_density = FormulaRow(
    "beta_density", _beta_density,
    lambda a, b, x, out: out * _beta_slopes(TRACED, 1, 0, a, b, x)[1, 0],
    lambda a, b, x, out: out * _beta_slopes(TRACED, 0, 1, a, b, x)[0, 1],
    lambda a, b, x, out: out * ((a - 1.0) / x - (b - 1.0) / (1.0 - x)),
)  # fmt: skip


# --------------------------------------------------------------------------------------------------
# The functions


_HOST = special_function("gammainc"), special_function("gammaincc")


@frozen
class Igamma(Formula):
    """The n-th derivative by a of P(a, x), the part of gamma(a) below x (of 1 - P with `upper`),
    for a > 0; over x times the density with `scaled`, which is for n >= 1.
    """

    n: int = 0
    upper: bool = False
    scaled: bool = False

    def abstract_eval(self, *avals: Any) -> ShapedArray:
        if self.scaled and (self.upper or not self.n):
            raise ValueError(f"igamma: only derivatives of the lower one are scaled, got {self}")
        return super().abstract_eval(*avals)

    def impl(self, a: np.ndarray, x: np.ndarray) -> np.ndarray:
        if self.n:
            return evaluate(self.formula, a, x)
        return _HOST[self.upper](a, x)

    def formula(self, m: Any, a: Any, x: Any) -> Any:
        n = self.n
        inside = (a > 0.0) & (a < math.inf) & (x > 0.0) & (x < math.inf)
        a1, x1 = m.where(inside, a, 1.0), m.where(inside, x, 1.0)
        below = x1 <= a1
        width = m.abs(a1 - x1) + 1.0 + m.sqrt(a1)

        def tail(z: Any, a: Any, x: Any, below: Any, width: Any, *slopes: Any) -> Any:
            u = z / width
            v = m.where(below, -u, m.log1p(u))  # log(t / x), where t is the integration's
            density = m.exp(a * v - x * m.where(below, m.expm1(v), u))
            density = m.where(below, density, density / (1.0 + u))
            return density * bell(n, 0, lambda k, _: slopes[k - 1] + v if k == 1 else slopes[k - 1])

        whole, weight = 0.0 if n else 1.0, None if self.scaled else _gamma_weight(m, a1, x1)
        needed = None
        if not n:
            summed = inside & ((x1 < 16.0) | (below & (a1 < 256.0)))
            lower = _series(m, a1, m.where(summed, x1, 0.0)) * weight / a1
            # Where most is below, the difference from 1 would lose digits.
            needed = inside & ~(summed & (below | (lower < 0.99)) if self.upper else summed)
        slopes = _gamma_slopes(m, n, a1, x1)
        part = integral(m, tail, a1, x1, below, width, *slopes, needed=needed) / width
        part = part if weight is None else part * weight
        out = m.where(below != self.upper, part, whole - part)
        if needed is not None:
            out = m.where(needed, out, 1.0 - lower if self.upper else lower)
        ones = (a == 0.0) | (x == math.inf) if not self.upper else (a == math.inf) | (x == 0.0)
        wrong = (a == x) & ((a == 0.0) | (a == math.inf))  # where P has no limit
        wrong = wrong | (a == 0.0) if n else wrong
        edge = m.where(ones, m.full(whole, a), 0.0)
        edge = m.where((a >= 0.0) & (x >= 0.0) & ~wrong, edge, math.nan)
        return m.where(inside, out, edge)

    def slopes(self) -> Sequence[Callable]:
        n, sign = self.n, -1.0 if self.upper else 1.0

        def by_a(a: Any, x: Any, out: Any) -> Any:
            more = Igamma(n + 1, self.upper, self.scaled).bind(a, x)
            return more - out * _gamma_slopes(TRACED, 1, a, x)[0] if self.scaled else more

        def by_x(a: Any, x: Any, out: Any) -> Any:
            slopes = _gamma_slopes(TRACED, n, a, x)
            factor = bell(n, 0, lambda k, _: slopes[k - 1])
            if self.scaled:
                return factor / x - out * (a / x - 1.0)
            return gamma_density.bind(a, x) * (factor * sign)

        return by_a, by_x


@frozen
class Betainc(Formula):
    """The regularized incomplete beta function I_x(a, b), the part of beta(a, b) below x; its
    derivative of order i by a and j by b.
    """

    i: int = 0
    j: int = 0

    def impl(self, a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
        if self.i or self.j:
            return evaluate(self.formula, a, b, x)
        return special_function("betainc")(a, b, x)

    def formula(self, m: Any, a: Any, b: Any, x: Any) -> Any:
        i, j = self.i, self.j
        known = (a > 0.0) & (a < math.inf) & (b > 0.0) & (b < math.inf)
        inside = known & (x > 0.0) & (x < 1.0)
        a1, b1, x1 = m.where(inside, a, 1.0), m.where(inside, b, 1.0), m.where(inside, x, 0.5)
        y1 = 1.0 - x1
        above = b1 * x1 > a1 * y1  # then the other tail, of beta(b, a) below 1 - x
        p, q = m.where(above, b1, a1), m.where(above, a1, b1)
        s, r = m.where(above, y1, x1), m.where(above, x1, y1)
        odds = s / r
        width = 1.0 + odds + m.abs(p - q * odds) + m.sqrt(q * odds * (1.0 + odds))
        slopes = _beta_slopes(m, i, j, a1, b1, x1)

        def tail(z: Any, p: Any, q: Any, odds: Any, width: Any, above: Any, *given: Any) -> Any:
            u = z / width  # log(s / t), where t is the integration's
            v = m.log1p(-odds * m.expm1(-u))  # log((1 - t) / (1 - s))
            g = dict(zip(slopes, given))
            if i:
                g[1, 0] = g[1, 0] + m.where(above, v, -u)
            if j:
                g[0, 1] = g[0, 1] + m.where(above, -u, v)
            return m.exp((q - 1.0) * v - p * u) * bell(i, j, lambda k, n: g[k, n])

        part = integral(m, tail, p, q, odds, width, above, *slopes.values()) / width
        part = part * _beta_weight(m, p, q, s, r) / r
        whole = 0.0 if i + j else 1.0
        out = m.where(above, whole - part, part)
        edge = m.where(x == 1.0, whole, m.where(x == 0.0, x * 0.0, math.nan))
        return m.where(inside, out, m.where(known, edge, math.nan))

    def slopes(self) -> Sequence[Callable]:
        i, j = self.i, self.j

        def by_x(a: Any, b: Any, x: Any) -> Any:
            slopes = _beta_slopes(TRACED, i, j, a, b, x)
            return beta_density.bind(a, b, x) * bell(i, j, lambda k, n: slopes[k, n])

        return (
            lambda a, b, x: Betainc(i + 1, j).bind(a, b, x),
            lambda a, b, x: Betainc(i, j + 1).bind(a, b, x),
            by_x,
        )
