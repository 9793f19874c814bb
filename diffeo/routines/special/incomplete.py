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

from ...primitives.constants import full_like
from ...primitives.formulas.reference import special_function
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray
from ...primitives.words.elementwise import scale
from .densities import (
    above_falling,
    above_log,
    beta_density,
    beta_slopes,
    beta_weight,
    excess_of_beta,
    gamma_density,
    gamma_slopes,
    gamma_weight,
    psi,
)
from .special import EULER, TRACED, Formula, evaluate, zeta_minus_one


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


def integral(m: Any, integrand: Callable, *given: Any, fine: int = 1, needed: Any = None) -> Any:
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


def _small_upper(m: Any, a: Any, x: Any) -> Any:
    """1 - P(a, x) for x < 1 and small a, where P(a, x) = x**a / gamma(a + 1) (1 + a times the sum
    of (-x)**k / (k! (a + k))) is near 1.
    """
    x = m.where(x < 1.0, x, 0.5)
    total = x * 0.0
    for k in range(18, 0, -1):
        total = (total + (-1.0) ** k / math.factorial(k) / (a + float(k))) * x
    near = a < 0.01  # then a + 1 has not the digits of a
    z, series = m.where(near, -a, 0.0), 0.0
    for k in range(8, 1, -1):
        series = (series + (zeta_minus_one(k) + 1.0) / k) * z
    gamma = m.where(near, (series + EULER) * z, m.lgamma(a + 1.0))
    return -m.expm1(a * m.log(x) - gamma + m.log1p(a * total))


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
        out, large = _HOST[self.upper](a, x), a > 1e4
        if 1 in large.tobytes():  # SciPy's sums are cut off far from a
            out = np.asarray(out)
            out[large] = evaluate(self.formula, np.asarray(a)[large], np.asarray(x)[large])
        return out

    def formula(self, m: Any, a: Any, x: Any) -> Any:
        """For n > 0 and small a through P(a, x) = P(a + 1, x) + x**a exp(-x) / gamma(a + 1)
        for small a: the slopes of the density grow like a**-n there, and cancel.
        """
        n = self.n
        if not n or self.scaled:
            return self.direct(m, a, x)
        near = (a < 0.5) if n > 1 else (a < 0.5) & ((x < 1.0) | (a == 0.0))
        near = near & (a >= 0.0) & (x > 0.0) & (x < math.inf)
        above = m.where(near, a, 1.0) + 1.0
        x1 = m.where(near, x, 1.0)
        slopes = [m.log(x1) - m.digamma(above), *[-psi(m, k, above) for k in range(1, n)]]
        factor = bell(n, 0, lambda k, _: slopes[k - 1])
        more = m.exp((above - 1.0) * m.log(x1) - x1 - m.lgamma(above)) * factor
        return self.direct(m, m.where(near, above, a), x) + m.where(
            near, -more if self.upper else more, 0.0
        )

    def direct(self, m: Any, a: Any, x: Any) -> Any:
        """By a series or the integral of the smaller tail."""
        n = self.n
        inside = (a > 0.0) & (a < math.inf) & (x > 0.0) & (x < math.inf)
        a1, x1 = m.where(inside, a, 1.0), m.where(inside, x, 1.0)
        below = x1 <= a1
        width = m.abs(a1 - x1) + 1.0 + m.sqrt(a1)

        def tail(z: Any, a: Any, x: Any, below: Any, width: Any, *slopes: Any) -> Any:
            u = z / width
            v = m.where(below, -u, m.log1p(u))  # log(t / x), where t is the integration's
            # a v - (t - x): what is linear in u is a difference, what is left over is small.
            curved = m.where(below, above_falling(m, x, u), above_log(m, a, u))
            density = m.exp(-m.abs(a - x) * u - curved)
            density = m.where(below, density, density / (1.0 + u))
            return density * bell(n, 0, lambda k, _: slopes[k - 1] + v if k == 1 else slopes[k - 1])

        whole, weight = 0.0 if n else 1.0, None if self.scaled else gamma_weight(m, a1, x1)
        needed = None
        if not n:
            summed = inside & ((x1 < 16.0) | (below & (a1 < 256.0)))
            lower = _series(m, a1, m.where(summed, x1, 0.0)) * weight / a1
            # Where most is below, the difference from 1 would lose digits.
            needed = inside & ~(summed & (below | (lower < 0.99)) if self.upper else summed)
            needed = needed & ~((x1 < 1.0) & (a1 < 0.5)) if self.upper else needed
        slopes = gamma_slopes(m, n, a1, x1)
        part = integral(m, tail, a1, x1, below, width, *slopes, needed=needed) / width
        part = part if weight is None else part * weight
        out = m.where(below != self.upper, part, whole - part)
        if needed is not None:
            out = m.where(needed, out, 1.0 - lower if self.upper else lower)
            if self.upper:
                near = inside & (x1 < 1.0) & (a1 < 0.5)
                out = m.where(near, _small_upper(m, m.where(near, a1, 0.25), x1), out)
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
            return more - out * gamma_slopes(TRACED, 1, a, x)[0] if self.scaled else more

        def by_x(a: Any, x: Any, out: Any) -> Any:
            slopes = gamma_slopes(TRACED, n, a, x)
            factor = bell(n, 0, lambda k, _: slopes[k - 1])
            if self.scaled:
                return factor / x - out * (a / x - 1.0)
            # The density is 0 where the factor, a power of log(x), is infinite.
            return scale.bind(gamma_density.bind(a, x), factor * full_like(x, sign))

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
        out, large = special_function("betainc")(a, b, x), np.maximum(a, b) > 1e4
        if 1 in large.tobytes():  # SciPy's takes differences of large products
            out = np.asarray(out)
            given = [np.asarray(v)[large] for v in (a, b, x)]
            out[large] = evaluate(self.formula, *given)
        return out

    def formula(self, m: Any, a: Any, b: Any, x: Any) -> Any:
        i, j = self.i, self.j
        known = (a > 0.0) & (a < math.inf) & (b > 0.0) & (b < math.inf)
        inside = known & (x > 0.0) & (x < 1.0)
        a1, b1, x1 = m.where(inside, a, 1.0), m.where(inside, b, 1.0), m.where(inside, x, 0.5)
        y1 = 1.0 - x1
        excess = excess_of_beta(m, a1, b1, x1)
        above = excess > 0.0  # then the other tail, of beta(b, a) below 1 - x
        q = m.where(above, a1, b1)
        s, r = m.where(above, y1, x1), m.where(above, x1, y1)
        odds = s / r
        slope = m.abs(excess) / r  # p - q odds
        width = 1.0 + odds + slope + m.sqrt(q) * m.sqrt(odds * (1.0 + odds))
        slopes = beta_slopes(m, i, j, a1, b1, x1)

        def tail(z: Any, slope: Any, q: Any, odds: Any, width: Any, above: Any, *given: Any) -> Any:
            u = z / width  # log(s / t), where t is the integration's
            more = -odds * m.expm1(-u)
            v = m.log1p(more)  # log((1 - t) / (1 - s))
            # q v - p u: what is linear in u is a difference, what is left over is small.
            curved = above_falling(m, q * odds, u) + above_log(m, q, more)
            g = dict(zip(slopes, given))
            if i:
                g[1, 0] = g[1, 0] + m.where(above, v, -u)
            if j:
                g[0, 1] = g[0, 1] + m.where(above, -u, v)
            return m.exp(-slope * u - curved - v) * bell(i, j, lambda k, n: g[k, n])

        part = integral(m, tail, slope, q, odds, width, above, *slopes.values()) / width
        part = part * beta_weight(m, a1, b1, x1, y1) / r
        whole = 0.0 if i + j else 1.0
        out = m.where(above, whole - part, part)
        ends = m.where(x == 1.0, whole, m.where(x == 0.0, x * 0.0, math.nan))
        return m.where(inside, out, m.where(known, ends, self.at_edges(m, a, b, x)))

    def at_edges(self, m: Any, a: Any, b: Any, x: Any) -> Any:
        """The limits at a, b = 0 and inf; derivatives by a parameter are known at inf."""
        left, right = (a == 0.0) | (b == math.inf), (b == 0.0) | (a == math.inf)
        valid = (left ^ right) & (a >= 0.0) & (b >= 0.0) & (x >= 0.0) & (x <= 1.0)
        if self.i or self.j:
            valid = valid & (a > 0.0) & (b > 0.0)
            return m.where(valid, x * 0.0, math.nan)
        whole = m.where(left, x > 0.0, x == 1.0)
        return m.where(valid, m.where(whole, 1.0, x * 0.0), math.nan)

    def slopes(self) -> Sequence[Callable]:
        i, j = self.i, self.j

        def by_x(a: Any, b: Any, x: Any) -> Any:
            slopes = beta_slopes(TRACED, i, j, a, b, x)
            factor = bell(i, j, lambda k, n: slopes[k, n])
            return scale.bind(beta_density.bind(a, b, x), factor * full_like(x, 1.0))

        return (
            lambda a, b, x: Betainc(i + 1, j).bind(a, b, x),
            lambda a, b, x: Betainc(i, j + 1).bind(a, b, x),
            by_x,
        )
