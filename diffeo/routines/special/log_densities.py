"""Logarithms of densities and of tails, where the numbers themselves are too small to represent.

The logarithm of a density is a sum of large terms that cancel. For large parameters it is computed
by Loader's formula (Loader 2000, see densities.py), for small ones the terms are added as they are.
Derivatives are written by hand: those of the formulas would cancel.

Start with `log_gamma_density`. The last part has logarithms of the incomplete gamma and beta
functions. A formula is written over `m`, which is NumPy or the language itself (see special.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from ...primitives.core import Value
from ...primitives.support.frozen import frozen
from ...primitives.words.elementwise import exp, scale, select
from .densities import (
    beta_density,
    beta_slopes,
    deviance,
    excess_of_beta,
    gamma_slopes,
    log_ratio,
    psi,
    stirling_error,
)
from .incomplete import Betainc, Igamma, beta_tail, gamma_tail
from .special import TRACED, NamedFormula, Operations

#: Below this parameter the terms of a density are added as they are.
_FEW = 10.0


def _quotient(x: Value, y: Value) -> Any:
    """Return x / y, and 0 for 0 / 0."""
    return x / select((x == 0) & (y == 0), 1.0, y)


def _log_gamma_weight(m: Operations, a: Any, x: Any) -> Any:
    """Return log(x**a exp(-x) / gamma(a))."""
    return 0.5 * m.log(a / (2 * math.pi)) - deviance(m, a, x, x - a) - stirling_error(m, a)


def _log_beta_weight(m: Operations, a: Any, b: Any, x: Any) -> Any:
    """Return log(x**a (1 - x)**b / beta(a, b))."""
    n, more = a + b, excess_of_beta(m, a, b, x)
    away = deviance(m, a, n * x, more) + deviance(m, b, n * (1.0 - x), -more)
    stirling = stirling_error(m, n) - stirling_error(m, a) - stirling_error(m, b)
    return stirling - away + 0.5 * (m.log(a / n) + m.log(b / (2 * math.pi)))


def _at_end(m: Operations, a: Any, value: Any) -> Any:
    """Return log(x**(a - 1)) at x = 0, plus `value`."""
    return m.where(a < 1.0, math.inf, m.where(a == 1.0, value, -math.inf))


def _log_gamma_density(m: Operations, a: Any, x: Any) -> Any:
    """Return log(x**(a - 1) exp(-x) / gamma(a)) for a > 0; -inf for x < 0."""
    known = (a > 0.0) & (a < math.inf)
    inside = known & (x > 0.0) & (x < math.inf)
    a1, x1 = m.where(inside, a, 1.0), m.where(inside, x, 1.0)
    log = m.log(x1)
    few = (a1 - 1.0) * log - x1 - m.lgamma(a1)
    value = m.where(a1 < _FEW, few, _log_gamma_weight(m, a1, x1) - log)
    edge = m.where(x == 0.0, _at_end(m, a, a * 0.0), -math.inf)
    edge = m.where(known & (x == x), edge, math.nan)
    return m.where(inside, value, edge)


def _log_beta_density(m: Operations, a: Any, b: Any, x: Any) -> Any:
    """Return log(x**(a - 1) (1 - x)**(b - 1) / beta(a, b)) for a, b > 0; -inf beyond 0 ... 1."""
    known = (a > 0.0) & (a < math.inf) & (b > 0.0) & (b < math.inf)
    inside = known & (x > 0.0) & (x < 1.0)
    a1, b1, x1 = m.where(inside, a, 1.0), m.where(inside, b, 1.0), m.where(inside, x, 0.5)
    log, log1 = m.log(x1), m.log1p(-x1)
    constant = m.lgamma(a1) + m.lgamma(b1) - m.lgamma(a1 + b1)
    few = (a1 - 1.0) * log + (b1 - 1.0) * log1 - constant
    value = m.where(m.max(a1, b1) < _FEW, few, _log_beta_weight(m, a1, b1, x1) - log - log1)
    a2, b2 = m.where(known, a, 1.0), m.where(known, b, 1.0)
    edge = m.where(x == 0.0, _at_end(m, a2, m.log(b2)), -math.inf)
    edge = m.where(x == 1.0, _at_end(m, b2, m.log(a2)), edge)
    return m.where(inside, value, m.where(known & (x == x), edge, math.nan))


def _log_poisson(m: Operations, k: Any, mean: Any) -> Any:
    """Return k log(mean) - mean - log(k!), for k and mean >= 0."""
    known = (k >= 0.0) & (k < math.inf) & (mean >= 0.0)
    inside = known & (mean > 0.0) & (mean < math.inf)
    k1, mean1 = m.where(inside, k, 1.0), m.where(inside, mean, 1.0)
    few = m.where(k1 == 0.0, 0.0, k1 * m.log(mean1) - m.lgamma(k1 + 1.0)) - mean1
    large = m.max(k1, 1.0)
    away = deviance(m, large, mean1, mean1 - large) + stirling_error(m, large)
    value = m.where(k1 < _FEW, few, -away - 0.5 * m.log(2 * math.pi * large))
    edge = m.where((mean == 0.0) & (k == 0.0), k * 0.0, -math.inf)
    return m.where(inside, value, m.where(known, edge, math.nan))


def _log_binomial(m: Operations, k: Any, n: Any, p: Any) -> Any:
    """Return log(n! / (k! (n - k)!) p**k (1 - p)**(n - k)), for 0 <= k <= n and 0 <= p <= 1."""
    known = (k >= 0.0) & (k <= n) & (n < math.inf) & (p >= 0.0) & (p <= 1.0)
    inner = known & (p > 0.0) & (p < 1.0)
    inside = inner & (k > 0.0) & (k < n)
    k1, n1 = m.where(inside, k, 1.0), m.where(inside, n, 2.0)
    p1 = m.where(inner, p, 0.5)
    left, mean = n1 - k1, n1 * p1
    away = deviance(m, k1, mean, mean - k1) + deviance(m, left, n1 * (1.0 - p1), k1 - mean)
    stirling = stirling_error(m, n1) - stirling_error(m, k1) - stirling_error(m, left)
    value = stirling - away + 0.5 * m.log(n1 / (2 * math.pi * k1) / left)
    # No success, or no failure: there the logarithm may be near 0.
    value = m.where(k == 0.0, n * m.log1p(-p1), m.where(k == n, n * m.log(p1), value))
    sure = ((p == 0.0) & (k == 0.0)) | ((p == 1.0) & (k == n))
    edge = m.where(sure, p * 0.0, -math.inf)
    return m.where(inner, value, m.where(known, edge, math.nan))


def _count_slope(k: Value, mean: Value) -> Any:
    """Return log(mean) - digamma(k + 1)."""
    above = k + 1.0
    return log_ratio(TRACED, mean, above, mean - above) - psi(TRACED, 0, above)


@frozen
class LogDensity(NamedFormula):
    """The logarithm of a density, or of a probability of a number."""

    members = MappingProxyType({
        "log_gamma_density": (
            _log_gamma_density,
            lambda a, x: gamma_slopes(TRACED, 1, a, x)[0], lambda a, x: _quotient(a - 1.0, x) - 1.0,
        ),
        "log_beta_density": (
            _log_beta_density,
            lambda a, b, x: beta_slopes(TRACED, 1, 0, a, b, x)[1, 0],
            lambda a, b, x: beta_slopes(TRACED, 0, 1, a, b, x)[0, 1],
            lambda a, b, x: _quotient(a - 1.0, x) - _quotient(b - 1.0, 1.0 - x),
        ),
        "log_beta_weight": (
            _log_beta_weight,
            lambda a, b, x: beta_slopes(TRACED, 1, 0, a, b, x)[1, 0],
            lambda a, b, x: beta_slopes(TRACED, 0, 1, a, b, x)[0, 1],
            lambda a, b, x: a / x - b / (1.0 - x),
        ),
        "log_poisson": (
            _log_poisson, _count_slope, lambda k, mean: _quotient(k, mean) - 1.0,
        ),
        "log_binomial": (
            _log_binomial,
            lambda k, n, p: _count_slope(k, p) - _count_slope(n - k, 1.0 - p),
            lambda k, n, p: _count_slope(n - k, 1.0 - p) - _count_slope(n, p * 0.0 + 1.0),
            lambda k, n, p: _quotient(k, p) - _quotient(n - k, 1.0 - p),
        ),
    })  # fmt: skip


log_gamma_density = LogDensity("log_gamma_density")
log_beta_density = LogDensity("log_beta_density")
log_beta_weight = LogDensity("log_beta_weight")
log_poisson = LogDensity("log_poisson")
log_binomial = LogDensity("log_binomial")


# --------------------------------------------------------------------------------------------------
# Logarithms of tails


def _log_of_part(m: Operations, part: Any, rest: Any, tail: Callable, weight: Any) -> Any:
    """Return the logarithm of a part of 1, given what it leaves.

    Where the part is too small a number, `tail(needed)` computes it without its density, whose
    logarithm is `weight`.
    """
    least = 1e-280 if part.dtype.itemsize == 8 else 1e-30
    tiny, small = part < least, part <= 0.5
    log = m.log(m.where(tiny | ~small, 1.0, part))
    log = m.where(small, log, m.log1p(-m.where(small, 0.0, rest)))
    return m.where(tiny, weight + m.log(m.where(tiny, tail(tiny), 1.0)), log)


def _log_igamma(m: Operations, a: Any, x: Any, upper: bool) -> Any:
    """Return log(P(a, x)), or log(1 - P(a, x)) with `upper`, for a > 0."""
    inside = (a > 0.0) & (a < math.inf) & (x > 0.0) & (x < math.inf)
    a1, x1 = m.where(inside, a, 1.0), m.where(inside, x, 1.0)
    lower, above = m.of(Igamma())(a1, x1), m.of(Igamma(0, True))(a1, x1)
    part, rest = (above, lower) if upper else (lower, above)
    tail = lambda needed: gamma_tail(m, 0, a1, x1, needed)
    value = _log_of_part(m, part, rest, tail, _log_gamma_weight(m, a1, x1))
    edge = m.where((x <= 0.0) ^ upper, -math.inf, a * 0.0)
    edge = m.where((a > 0.0) & (a < math.inf) & (x == x), edge, math.nan)
    return m.where(inside, value, edge)


def _log_betainc(m: Operations, a: Any, b: Any, x: Any, upper: bool) -> Any:
    """Return log(I_x(a, b)), or log(1 - I_x(a, b)) with `upper`, for a, b > 0."""
    known = (a > 0.0) & (a < math.inf) & (b > 0.0) & (b < math.inf)
    inside = known & (x > 0.0) & (x < 1.0)
    a1, b1, x1 = m.where(inside, a, 1.0), m.where(inside, b, 1.0), m.where(inside, x, 0.5)
    lower, above = m.of(Betainc())(a1, b1, x1), upper_betainc(m, a1, b1, x1)
    part, rest = (above, lower) if upper else (lower, above)
    tail = lambda needed: beta_tail(m, 0, 0, a1, b1, x1, needed)
    value = _log_of_part(m, part, rest, tail, _log_beta_weight(m, a1, b1, x1))
    edge = m.where((x <= 0.0) ^ upper, -math.inf, m.where(known, a, 0.0) * 0.0)
    return m.where(inside, value, m.where(known & (x == x), edge, math.nan))


def upper_betainc(m: Operations, a: Any, b: Any, x: Any) -> Any:
    """Return 1 - I_x(a, b), also where it is small."""
    # I_y(b, a), with y = 1 - x rounded, would have an error that grows with the parameters.
    near = excess_of_beta(m, a, b, x) <= 0.0
    lower = m.of(Betainc())(a, b, x)
    exact = beta_tail(m, 0, 0, a, b, x, ~near) * m.exp(_log_beta_weight(m, a, b, x))
    return m.where(near, 1.0 - lower, exact)


def _slope_of_part(log_density: Value, out: Value, upper: bool) -> Any:
    """Return the derivative of a logarithm `out` of a tail by x: the hazard, or its mirror."""
    ratio = exp.bind(log_density - select(out == -math.inf, 0.0, out))
    return -ratio if upper else ratio


def _igamma_member(upper: bool) -> tuple[Callable, ...]:
    sign = -1.0 if upper else 1.0

    def by_a(a: Value, x: Value, out: Value) -> Any:
        # Igamma's derivative by a is divided by x times the density, so it is a fair number.
        inside = x > 0
        x = select(inside, x, 1.0)
        ratio = _slope_of_part(log_gamma_density.bind(a, x), out, False) * x
        slope = scale.bind(ratio, Igamma(1, False, True).bind(a, x)) * sign
        return select(inside, slope, 0.0)

    by_x = lambda a, x, out: _slope_of_part(log_gamma_density.bind(a, x), out, upper)
    return lambda m, a, x: _log_igamma(m, a, x, upper), by_a, by_x


def _betainc_member(upper: bool) -> tuple[Callable, ...]:
    sign = -1.0 if upper else 1.0

    def by_parameter(i: int, j: int) -> Any:
        def slope(a: Value, b: Value, x: Value, out: Value) -> Any:
            inside = (x > 0) & (x < 1)
            x = select(inside, x, 0.5)
            ratio = _slope_of_part(log_beta_density.bind(a, b, x), out, False) * x * (1.0 - x)
            return select(inside, scale.bind(ratio, Betainc(i, j, True).bind(a, b, x)) * sign, 0.0)

        return slope

    def by_x(a: Value, b: Value, x: Value, out: Value) -> Any:
        return _slope_of_part(log_beta_density.bind(a, b, x), out, upper)

    formula = lambda m, a, b, x: _log_betainc(m, a, b, x, upper)
    return formula, by_parameter(1, 0), by_parameter(0, 1), by_x


def _upper_betainc(m: Operations, a: Any, b: Any, x: Any) -> Any:
    """Return 1 - I_x(a, b) with its limits at the ends."""
    inside = (x > 0.0) & (x < 1.0)
    value = upper_betainc(m, a, b, m.where(inside, x, 0.5))
    return m.where(inside, value, m.where(x <= 0.0, 1.0, x * 0.0))


@frozen
class Tail(NamedFormula):
    """A part of the gamma or the beta distribution, or its logarithm."""

    members = MappingProxyType(
        {
            "betaincc": (
                _upper_betainc,
                lambda a, b, x: -Betainc(1, 0).bind(a, b, x),
                lambda a, b, x: -Betainc(0, 1).bind(a, b, x),
                lambda a, b, x: -beta_density.bind(a, b, x),
            ),
            "log_gammainc": _igamma_member(False),
            "log_gammaincc": _igamma_member(True),
            "log_betainc": _betainc_member(False),
            "log_betaincc": _betainc_member(True),
        }
    )


#: 1 - I_x(a, b), accurate also where it is small.
betaincc = Tail("betaincc")
log_gammainc, log_gammaincc = Tail("log_gammainc"), Tail("log_gammaincc")
log_betainc, log_betaincc = Tail("log_betainc"), Tail("log_betaincc")
