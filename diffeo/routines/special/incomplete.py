"""Incomplete gamma and beta functions, with derivatives of every order by every argument.

Both functions are integrals of a density over one of its tails. The tail is scaled so that its
integrand is 1 where the tail begins, and falls from there. Substitute z = exp(t - exp(-t)): then
the trapezoidal rule in t converges like exp(-c / step) (Takahasi and Mori 1974), for tiny and for
huge parameters alike.

A derivative by a parameter is the same integral with one more factor, which is a polynomial in the
logarithmic derivatives of the density (Faa di Bruno's formula, `bell`). In the first derivative
nothing cancels.

Start with `integral`, then `Igamma.direct`. A formula is written over `m`, which is NumPy or the
language itself (see special.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ...primitives.constants import full_like
from ...primitives.core import Value
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
from .special import EULER, TRACED, Formula, Operations, evaluate, zeta_minus_one


def bell(i: int, j: int, g: Callable[[int, int], Any]) -> Any:
    """Return d^i/da^i d^j/db^j exp(h) divided by exp(h), where g(k, l) is d^k/da^k d^l/db^l h.

    The result is 1.0 if i = j = 0. For i = 2 and j = 0 it is g(2, 0) + g(1, 0)**2.
    """

    # Take one derivative as h' exp(h), and the others by Leibniz's rule: binomial coefficients
    # times derivatives of h' times those of exp(h).
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
        for count, slope, lower in terms:
            term = slope if type(lower) is float else slope * lower
            term = term if count == 1 else term * float(count)
            total = term if total is None else total + term
        return total

    return found(i, j)


def integral(
    m: Operations, integrand: Callable, *given: Any, fine: int = 1, needed: Any = None
) -> Any:
    """Return the integral of integrand(z, *given) over z > 0.

    The integrand falls on a scale of 1 or more. Steps are `fine` times finer than usual. With
    `needed`, an array of booleans, the sum runs only as long as an element that is needed has not
    converged.
    """
    like = given[0]
    wide = like.dtype.itemsize == 8
    step, small, count = (0.125, 1e-17, 4) if wide else (0.25, 1e-9, 2)

    def going(t: Any, last: Any, total: Any, *given: Any) -> Any:
        more = (last > m.abs(total) * small) | m.spread(t < 1.0, like)
        return more if needed is None else more & given[-1]

    def advance(t: Any, last: Any, total: Any, *given: Any) -> Any:
        last = last * 0.0
        # Several steps between two tests of convergence.
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


def _series(m: Operations, a: Any, x: Any) -> Any:
    """Return 1 + x / (a + 1) + x**2 / ((a + 1) (a + 2)) + ..., which is P(a, x) but for a
    factor.
    """
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


def _small_upper(m: Operations, a: Any, x: Any) -> Any:
    """Return 1 - P(a, x) for x < 1 and small a, where P is near 1.

    There P(a, x) = x**a / gamma(a + 1) (1 + a times the sum of (-x)**k / (k! (a + k)) over k >= 1).
    """
    x = m.where(x < 1.0, x, 0.5)
    total = x * 0.0
    for k in range(18, 0, -1):
        total = (total + (-1.0) ** k / math.factorial(k) / (a + float(k))) * x
    near = a < 0.01  # then a + 1 loses digits of a
    z, series = m.where(near, -a, 0.0), 0.0
    for k in range(8, 1, -1):
        series = (series + (zeta_minus_one(k) + 1.0) / k) * z
    gamma = m.where(near, (series + EULER) * z, m.lgamma(a + 1.0))
    # log P is small: its exponential, less 1, loses no digits.
    return -m.expm1(a * m.log(x) - gamma + m.log1p(a * total))


def gamma_tail(m: Operations, n: int, a: Any, x: Any, needed: Any = None) -> Any:
    """Return the n-th derivative by a of the smaller tail of gamma, over x times the density.

    The smaller tail is below x if x <= a, else above x. `needed` is as of `integral`.
    """
    below = x <= a
    width = m.abs(a - x) + 1.0 + m.sqrt(a)

    def tail(z: Any, a: Any, x: Any, below: Any, width: Any, *slopes: Any) -> Any:
        u = z / width
        # With the integration variable t of the density, v is log(t / x).
        v = m.where(below, -u, m.log1p(u))
        # The logarithm of the integrand is a v - (t - x). Its part linear in u is a difference,
        # exact; its other part is small.
        curved = m.where(below, above_falling(m, x, u), above_log(m, a, u))
        density = m.exp(-m.abs(a - x) * u - curved)
        density = m.where(below, density, density / (1.0 + u))
        return density * bell(n, 0, lambda k, _: slopes[k - 1] + v if k == 1 else slopes[k - 1])

    slopes = gamma_slopes(m, n, a, x)
    return integral(m, tail, a, x, below, width, *slopes, needed=needed) / width


def beta_tail(m: Operations, i: int, j: int, a: Any, b: Any, x: Any, needed: Any = None) -> Any:
    """Return the smaller tail of beta(a, b), over x (1 - x) times the density.

    It is differentiated i times by a and j times by b. The smaller tail is below x if
    b x <= a (1 - x), else above x. `needed` is as of `integral`.
    """
    y = 1.0 - x
    excess = excess_of_beta(m, a, b, x)
    above = excess > 0.0  # then integrate the other tail, of beta(b, a) below 1 - x
    q = m.where(above, a, b)
    s, r = m.where(above, y, x), m.where(above, x, y)
    odds = s / r
    slope = m.abs(excess) / r  # p - q odds
    width = 1.0 + odds + slope + m.sqrt(q) * m.sqrt(odds * (1.0 + odds))
    slopes = beta_slopes(m, i, j, a, b, x)

    def tail(
        z: Any,
        slope: np.ndarray,
        q: np.ndarray,
        odds: np.ndarray,
        width: np.ndarray,
        above: np.ndarray,
        *given: Any,
    ) -> Any:
        # With the integration variable t of the density, u = log(s / t) and
        # v = log((1 - t) / (1 - s)).
        u = z / width
        more = -odds * m.expm1(-u)
        v = m.log1p(more)
        # The logarithm of the integrand is q v - p u. Its part linear in u is a difference,
        # exact; its other part is small.
        curved = above_falling(m, q * odds, u) + above_log(m, q, more)
        g = dict(zip(slopes, given))
        if i:
            g[1, 0] = g[1, 0] + m.where(above, v, -u)
        if j:
            g[0, 1] = g[0, 1] + m.where(above, -u, v)
        return m.exp(-slope * u - curved - v) * bell(i, j, lambda k, n: g[k, n])

    operands = (slope, q, odds, width, above, *slopes.values())
    return integral(m, tail, *operands, needed=needed) / width / r


# --------------------------------------------------------------------------------------------------
# The functions


#: SciPy's functions: the lower part, the upper one.
_HOST = special_function("gammainc"), special_function("gammaincc")


@frozen
class Igamma(Formula):
    """The n-th derivative by a of P(a, x), for a > 0, or of 1 - P(a, x) with `upper`.

    P(a, x) is the part of gamma(a) below x, over gamma(a). With `scaled` the derivative is divided
    by x times the density; then n >= 1.
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
        values, large = _HOST[self.upper](a, x), a > 1e4
        if 1 in large.tobytes():  # there SciPy cuts its sums off when x is far from a
            values = np.asarray(values)
            values[large] = evaluate(self.formula, np.asarray(a)[large], np.asarray(x)[large])
        return values

    def formula(self, m: Operations, a: Any, x: Any) -> Any:
        """Compute the derivative; for n > 0 and small a through P at a + 1.

        For small a the slopes of the density grow like a**-n, and cancel. So use P(a, x) = P(a + 1,
        x) + x**a exp(-x) / gamma(a + 1).
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

    def direct(self, m: Operations, a: Any, x: Any) -> Any:
        """Compute the derivative by a series, or by the integral of the smaller tail.

        The smaller tail is below x if x <= a, else above x.
        """
        n = self.n
        inside = (a > 0.0) & (a < math.inf) & (x > 0.0) & (x < math.inf)
        a1, x1 = m.where(inside, a, 1.0), m.where(inside, x, 1.0)
        below = x1 <= a1
        whole, weight = 0.0 if n else 1.0, None if self.scaled else gamma_weight(m, a1, x1)
        needed = None
        if not n:
            summed = inside & ((x1 < 16.0) | (below & (a1 < 256.0)))
            lower = _series(m, a1, m.where(summed, x1, 0.0)) * weight / a1
            # The series sums P. Where most of gamma is below x, 1 - P would lose digits.
            needed = inside & ~(summed & (below | (lower < 0.99)) if self.upper else summed)
            needed = needed & ~((x1 < 1.0) & (a1 < 0.5)) if self.upper else needed
        share = gamma_tail(m, n, a1, x1, needed)
        share = share if weight is None else share * weight
        values = m.where(below != self.upper, share, whole - share)
        if needed is not None:
            values = m.where(needed, values, 1.0 - lower if self.upper else lower)
            if self.upper:
                tiny = inside & (x1 < 1.0) & (a1 < 0.5)
                values = m.where(tiny, _small_upper(m, m.where(tiny, a1, 0.25), x1), values)
        ones = (a == 0.0) | (x == math.inf) if not self.upper else (a == math.inf) | (x == 0.0)
        wrong = (a == x) & ((a == 0.0) | (a == math.inf))  # there P has no limit
        wrong = wrong | (a == 0.0) if n else wrong
        edge = m.where(ones, m.full(whole, a), 0.0)
        edge = m.where((a >= 0.0) & (x >= 0.0) & ~wrong, edge, math.nan)
        return m.where(inside, values, edge)

    def slopes(self) -> Sequence[Callable]:
        n, sign = self.n, -1.0 if self.upper else 1.0

        def by_a(a: Value, x: Value, out: Value) -> Any:
            derivative = Igamma(n + 1, self.upper, self.scaled).bind(a, x)
            return (
                derivative - out * gamma_slopes(TRACED, 1, a, x)[0] if self.scaled else derivative
            )

        def by_x(a: Value, x: Value, out: Value) -> Any:
            slopes = gamma_slopes(TRACED, n, a, x)
            factor = bell(n, 0, lambda k, _: slopes[k - 1])
            if self.scaled:
                return factor / x - out * (a / x - 1.0)
            # The density is 0 where the factor, a power of log(x), is infinite: the product is 0.
            return scale.bind(gamma_density.bind(a, x), factor * full_like(x, sign))

        return by_a, by_x


@frozen
class Betainc(Formula):
    """The derivative of I_x(a, b), of order i by a and j by b.

    I_x(a, b) is the regularized incomplete beta function: the part of beta(a, b) below x, over
    beta(a, b). With `scaled` the derivative is divided by x (1 - x) times the density; then
    i + j >= 1.
    """

    i: int = 0
    j: int = 0
    scaled: bool = False

    def abstract_eval(self, *avals: Any) -> ShapedArray:
        if self.scaled and not self.i + self.j:
            raise ValueError(f"betainc: only derivatives are scaled, got {self}")
        return super().abstract_eval(*avals)

    def impl(self, a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
        if self.i or self.j:
            return evaluate(self.formula, a, b, x)
        out, large = special_function("betainc")(a, b, x), np.maximum(a, b) > 1e4
        if 1 in large.tobytes():  # SciPy takes differences of large products
            out = np.asarray(out)
            operands = [np.asarray(v)[large] for v in (a, b, x)]
            out[large] = evaluate(self.formula, *operands)
        return out

    def formula(self, m: Operations, a: Any, b: Any, x: Any) -> Any:
        i, j = self.i, self.j
        known = (a > 0.0) & (a < math.inf) & (b > 0.0) & (b < math.inf)
        inside = known & (x > 0.0) & (x < 1.0)
        a1, b1, x1 = m.where(inside, a, 1.0), m.where(inside, b, 1.0), m.where(inside, x, 0.5)
        above = excess_of_beta(m, a1, b1, x1) > 0.0  # then the tail is that above x
        part = beta_tail(m, i, j, a1, b1, x1)
        part = part if self.scaled else part * beta_weight(m, a1, b1, x1, 1.0 - x1)
        whole = 0.0 if i + j else 1.0
        values = m.where(above, whole - part, part)
        ends = m.where(x == 1.0, whole, m.where(x == 0.0, x * 0.0, math.nan))
        return m.where(inside, values, m.where(known, ends, self.at_edges(m, a, b, x)))

    def at_edges(self, m: Operations, a: Any, b: Any, x: Any) -> Any:
        """Return the limits at a, b = 0 and inf; derivatives by a parameter are known at
        inf only.
        """
        left, right = (a == 0.0) | (b == math.inf), (b == 0.0) | (a == math.inf)
        valid = (left ^ right) & (a >= 0.0) & (b >= 0.0) & (x >= 0.0) & (x <= 1.0)
        if self.i or self.j:
            valid = valid & (a > 0.0) & (b > 0.0)
            return m.where(valid, x * 0.0, math.nan)
        whole = m.where(left, x > 0.0, x == 1.0)
        return m.where(valid, m.where(whole, 1.0, x * 0.0), math.nan)

    def slopes(self) -> Sequence[Callable]:
        i, j, scaled = self.i, self.j, self.scaled

        def by_x(a: Value, b: Value, x: Value, out: Value) -> Any:
            slopes = beta_slopes(TRACED, i, j, a, b, x)
            factor = bell(i, j, lambda k, n: slopes[k, n])
            if scaled:
                return factor / x / (1.0 - x) - out * (a / x - b / (1.0 - x))
            return scale.bind(beta_density.bind(a, b, x), factor * full_like(x, 1.0))

        def by_parameter(k: int, n: int) -> Callable:
            def slope(a: Value, b: Value, x: Value, out: Value) -> Any:
                derivative = Betainc(i + k, j + n, scaled).bind(a, b, x)
                if not scaled:
                    return derivative
                return derivative - out * beta_slopes(TRACED, k, n, a, b, x)[k, n]

            return slope

        return by_parameter(1, 0), by_parameter(0, 1), by_x
