"""The densities of the gamma and the beta distribution, as accurate as their arguments.

The factors of a density may be huge and cancel; here they are combined so that nothing cancels
(Loader 2000). With the densities come their logarithmic derivatives by the parameters, and their
continuation to negative parameters at the ends of the interval, of which derivatives at the ends
are made.

Start with `gamma_weight`. A formula is written over `m`, which is NumPy or the language itself (see
special.py).
"""

from __future__ import annotations

import math
from typing import Any

from ...primitives.core import Value
from ...primitives.words.elementwise import scale, select
from .special import BERNOULLI, TRACED, FormulaRow, Operations, Polygamma, polynomial

#: From this argument on Stirling's series is used.
_LARGE = 8.0
#: Coefficients of power series: of Stirling's series, of its derivative, and for `above_log` and
#: `above_falling`.
_STIRLING = [b * math.factorial(2 * j - 2) for j, b in enumerate(BERNOULLI[:9], 1)]
_DIGAMMA = [b * math.factorial(2 * j - 1) for j, b in enumerate(BERNOULLI[:9], 1)]
_ARTANH = [2.0 / (2 * k + 3) for k in range(11)]
_EXPONENTIAL = [(-1) ** k / math.factorial(k + 2) for k in range(15)]


def stirling_error(m: Operations, a: Any) -> Any:
    """Return log(gamma(a) / (sqrt(2 pi / a) (a / e)**a))."""
    large = a >= _LARGE
    low, high = m.where(large, 1.0, a), 1.0 / m.where(large, a, _LARGE)
    direct = m.lgamma(low) - (low - 0.5) * m.log(low) + low - 0.5 * math.log(2 * math.pi)
    return m.where(large, polynomial(high * high, _STIRLING) * high, direct)


def deviance(m: Operations, a: Any, mean: Any, more: Any) -> Any:
    """Return a log(a / mean) + mean - a, where `more` is mean - a."""
    near = m.abs(more) < 0.3 * a
    series = above_log(m, a, m.where(near, more, 0.0) / a)
    return m.where(near, series, more - a * (m.log(mean) - m.log(a)))


def above_log(m: Operations, a: Any, u: Any) -> Any:
    """Return a (u - log(1 + u)), which is about a u**2 / 2, without cancellation.

    Where a is large, u**2 may be too small a number; so a u comes first.
    """
    near = m.abs(u) < 0.3
    t = m.where(near, u, 0.0)
    v = t / (t + 2.0)
    series = (a * v) * (t - v * v * polynomial(v * v, _ARTANH))
    return m.where(near, series, a * (u - m.log1p(u)))


def above_falling(m: Operations, a: Any, u: Any) -> Any:
    """Return a (exp(-u) - 1 + u), which is about a u**2 / 2, without cancellation."""
    near = m.abs(u) < 0.5
    v = m.where(near, u, 0.0)
    return m.where(near, (a * v) * (v * polynomial(v, _EXPONENTIAL)), a * (m.expm1(-u) + u))


def gamma_weight(m: Operations, a: Any, x: Any) -> Any:
    """Return x**a exp(-x) / gamma(a)."""
    size = m.exp(-deviance(m, a, x, x - a) - stirling_error(m, a))
    return size * m.sqrt(a / (2 * math.pi))


def excess_of_beta(m: Operations, a: Any, b: Any, x: Any) -> Any:
    """Return b x - a (1 - x), with a small error relative to its own size, which may be small.

    The rounding errors of both products and of 1 - x are computed, and added (Dekker 1971).
    """
    wide = a.dtype.itemsize == 8
    splitter, most = (134217729.0, 1e290) if wide else (4097.0, 1e30)
    fits = m.max(a, b) < most

    def product(u: Any, v: Any) -> tuple[Any, Any]:
        """Return the rounded product and the rounding error."""
        whole, parts = u * v, []
        # Split each factor into two halves of its digits: their products are exact.
        for t in (u, v):
            large = t * splitter
            high = large - (large - t)
            parts.append((high, t - high))
        (u1, u2), (v1, v2) = parts
        return whole, u2 * v2 - (whole - u1 * v1 - u2 * v1 - u1 * v2)

    y = 1.0 - x
    bx, below = product(m.where(fits, b, 1.0), x)
    ay, above = product(m.where(fits, a, 1.0), y)
    fine = (bx - ay) + ((below - above) - a * ((1.0 - y) - x))
    return m.where(fits, fine, b * x - a * y)


def beta_weight(m: Operations, a: Any, b: Any, x: Any, y: Any) -> Any:
    """Return x**a y**b / beta(a, b), where y = 1 - x."""
    n, more = a + b, excess_of_beta(m, a, b, x)
    away = deviance(m, a, n * x, more) + deviance(m, b, n * y, -more)
    stirling = stirling_error(m, n) - stirling_error(m, a) - stirling_error(m, b)
    return m.exp(stirling - away) * m.sqrt(a / n) * m.sqrt(b / (2 * math.pi))


def _at_edge(m: Operations, a: Any, value: Any) -> Any:
    """Return x**(a - 1) at x = 0, times `value`."""
    return m.where(a < 1.0, math.inf, m.where(a == 1.0, value, 0.0))


def _gamma_density(m: Operations, a: Any, x: Any) -> Any:
    """Return x**(a - 1) exp(-x) / gamma(a) for a > 0."""
    inside = (a > 0.0) & (a < math.inf) & (x > 0.0) & (x < math.inf)
    a1, x1 = m.where(inside, a, 1.0), m.where(inside, x, 1.0)
    edge = m.where(x == 0.0, _at_edge(m, a, m.full(1.0, a)), 0.0)
    edge = m.where((a >= 0.0) & (x >= 0.0), edge, math.nan)
    return m.where(inside, gamma_weight(m, a1, x1) / x1, edge)


def _beta_density(m: Operations, a: Any, b: Any, x: Any) -> Any:
    """Return x**(a - 1) (1 - x)**(b - 1) / beta(a, b) for a, b > 0."""
    known = (a > 0.0) & (a < math.inf) & (b > 0.0) & (b < math.inf)
    inside = known & (x > 0.0) & (x < 1.0)
    a1, b1, x1 = m.where(inside, a, 1.0), m.where(inside, b, 1.0), m.where(inside, x, 0.5)
    y1 = 1.0 - x1
    edge = m.where(x == 0.0, _at_edge(m, a, b), m.where(x == 1.0, _at_edge(m, b, a), math.nan))
    edge = m.where(known, edge, math.nan)
    return m.where(inside, beta_weight(m, a1, b1, x1, y1) / x1 / y1, edge)


def psi(m: Operations, k: int, a: Any) -> Any:
    """Return the polygamma function of order k; for k = 0 digamma(a) - log(a)."""
    if k:
        return m.of(Polygamma(k))(a)
    large = a >= _LARGE
    low, high = m.where(large, 1.0, a), 1.0 / m.where(large, a, _LARGE)
    series = high * (-0.5 - high * polynomial(high * high, _DIGAMMA))
    return m.where(large, series, m.digamma(low) - m.log(low))


def log_ratio(m: Operations, x: Any, mean: Any, less: Any) -> Any:
    """Return log(x / mean), where `less` is x - mean; also accurate where the result is small."""
    near = m.abs(less) < 0.5 * mean
    ratio = x / mean
    usual = (ratio > 1e-30) & (ratio < 1e30)  # else the quotient may be too large or small a number
    far = m.where(usual, m.log(m.where(usual, ratio, 1.0)), m.log(x) - m.log(mean))
    return m.where(near, m.log1p(m.where(near, less, 0.0) / mean), far)


def gamma_slopes(m: Operations, n: int, a: Any, x: Any) -> list[Any]:
    """Return the derivatives of order 1 ... n by a of the logarithm of the gamma density."""
    return [-psi(m, k, a) + (0.0 if k else log_ratio(m, x, a, x - a)) for k in range(n)]


def beta_slopes(
    m: Operations, i: int, j: int, a: Any, b: Any, x: Any
) -> dict[tuple[int, int], Any]:
    """Return derivatives by a and b of the logarithm of the beta density.

    The result maps (k, q) to the derivative of order k by a and q by b, for k up to i and q up to
    j, but for (0, 0).
    """
    both = [psi(m, k, a + b) for k in range(i + j)]
    slopes = {}
    for k in range(i + 1):
        for q in range(j + 1):
            if k + q:
                slope = both[k + q - 1]
                slope = slope if q else slope - psi(m, k - 1, a)
                slopes[k, q] = slope if k else slope - psi(m, q - 1, b)
    # The first derivatives have logarithms too; `psi` left those of a, b and a + b out.
    y = 1.0 - x
    less = excess_of_beta(m, a, b, x)
    if i:
        slopes[1, 0] = slopes[1, 0] + log_ratio(m, (a + b) * x, a, less)
    if j:
        slopes[0, 1] = slopes[0, 1] + log_ratio(m, (a + b) * y, b, -less)
    return slopes


def _edge_power(m: Operations, a: Any, at_one: Any, sign: Any) -> Any:
    """Return x**(a - 1) at x = 0, times a reciprocal of gamma(a) with the sign `sign`.

    The reciprocal is 0 for a = 0, -1, ... At a = 1 the result is `at_one`.
    """
    pole = (a <= 0.0) & (m.floor(a) == a)
    below = m.where(pole, 0.0, m.where(sign < 0.0, -math.inf, m.full(math.inf, a)))
    return m.where(a == 1.0, at_one, m.where(a > 1.0, 0.0, m.where(a < 1.0, below, math.nan)))


def _gamma_sign(m: Operations, a: Any) -> Any:
    """Return the sign of gamma(a); at the poles of gamma the result means nothing."""
    odd = m.abs(m.rem(m.floor(a), 2.0)) == 1.0
    return m.where((a < 0.0) & odd, -1.0, m.full(1.0, a))


def _continued_gamma_density(m: Operations, a: Any, x: Any) -> Any:
    """Return x**(a - 1) exp(-x) / gamma(a), also for a < 0.

    Its derivative by x is the same function at a - 1, less itself.
    """
    sign, pole = _gamma_sign(m, a), (a <= 0.0) & (m.floor(a) == a)
    inside = (x > 0.0) & ~pole
    x1, a1 = m.where(inside, x, 1.0), m.where(inside, a, 1.0)
    inner = sign * m.exp((a1 - 1.0) * m.log(x1) - x1 - m.lgamma(a1))
    at_zero = _edge_power(m, a, m.full(1.0, a), sign)
    return m.where(x == 0.0, at_zero, m.where(inside, inner, m.where(x > 0.0, x * 0.0, math.nan)))


def _beta_edge(m: Operations, a: Any, b: Any, x: Any) -> Any:
    """Return the beta density at x = 0 and x = 1, continued to negative a and b; 0 elsewhere."""
    sign = _gamma_sign(m, a) * _gamma_sign(m, b) * _gamma_sign(m, a + b)
    at_zero = _edge_power(m, a, b, sign)
    return m.where(x == 0.0, at_zero, m.where(x == 1.0, _edge_power(m, b, a, sign), 0.0))


continued_gamma_density = FormulaRow(
    "continued_gamma_density",
    _continued_gamma_density,
    lambda a, x, out: scale.bind(out, TRACED.log(x) - TRACED.digamma(a)),
    lambda a, x, out: continued_gamma_density.bind(a - 1.0, x) - out,
)
# The derivatives by a and b are taken for 0: they are 0 but at a = 1 and b = 1.
beta_edge = FormulaRow(
    "beta_edge", _beta_edge, lambda a, b, x: a * 0.0, lambda a, b, x: b * 0.0,
    lambda a, b, x: _beta_edge_by_x(a, b, x),
)  # fmt: skip


def _beta_edge_by_x(a: Value, b: Value, x: Value) -> Any:
    """Return (a + b - 1) (density(a - 1, b) - density(a, b - 1)) at the ends.

    At x = 0 the first of two infinite densities is the larger one, at x = 1 the second one: the
    other one is left out.
    """
    p, q = beta_edge.bind(a - 1.0, b, x), beta_edge.bind(a, b - 1.0, x)
    infinite = lambda v: (v == math.inf) | (v == -math.inf)
    total = a + b - 1.0
    total = select(total == 0, 1.0, total)  # gamma(total) is infinite, total gamma(total) is 1
    p = select((x == 1) & infinite(q), 0.0, p)
    return scale.bind(p - select((x == 0) & infinite(p), 0.0, q), total)


def _gamma_density_by_x(a: Value, x: Value, out: Value) -> Any:
    edge = x == 0
    inner = scale.bind(out, (a - 1.0) / select(edge, 1.0, x) - 1.0)
    at_edge = continued_gamma_density.bind(a - 1.0, select(edge, x, 0.0)) - out
    return select(edge, at_edge, inner)


def _beta_density_by_x(a: Value, b: Value, x: Value, out: Value) -> Any:
    edge = (x == 0) | (x == 1)
    y = select(edge, 0.5, x)
    inner = scale.bind(out, (a - 1.0) / y - (b - 1.0) / (1.0 - y))
    return select(edge, _beta_edge_by_x(a, b, x), inner)


gamma_density = FormulaRow(
    "gamma_density", _gamma_density,
    lambda a, x, out: scale.bind(out, gamma_slopes(TRACED, 1, a, x)[0]), _gamma_density_by_x,
)  # fmt: skip
beta_density = FormulaRow(
    "beta_density", _beta_density,
    lambda a, b, x, out: scale.bind(out, beta_slopes(TRACED, 1, 0, a, b, x)[1, 0]),
    lambda a, b, x, out: scale.bind(out, beta_slopes(TRACED, 0, 1, a, b, x)[0, 1]),
    _beta_density_by_x,
)  # fmt: skip
