"""Distributions on an interval, and on the circle."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np

from ...primitives.core import Value
from ...primitives.support.frozen import frozen
from ...primitives.words import elementwise as e
from ...routines.special.densities import beta_density
from ...routines.special.incomplete import Betainc
from ...routines.special.log_densities import (
    betaincc,
    log_beta_density,
    log_betainc,
    log_betaincc,
)
from ...routines.special.special import NamedFormula, Operations
from ..special.bessel import i0e
from ..special.normal import Erfcx
from .distribution import continuous, inside_or
from .on_line import log_normal

uniform = continuous(
    "uniform", "the uniform distribution on 0 ... 1", lambda x: 0.0 * x,
    low=0.0, high=1.0, inner=0.5,
    cdf=lambda x: x, sf=lambda x: 1.0 - x, ppf=lambda q: q, isf=lambda q: 1.0 - q,
)  # fmt: skip


def inner_point(x: Value) -> Any:
    """Return whether x lies between 0 and 1, and is neither."""
    return (x > 0) & (x < 1)


density_of_beta = inside_or(log_beta_density.bind, beta_density.bind, inner_point, 0.5)

beta = continuous(
    "beta", "the beta distribution, whose density is x**(a - 1) (1 - x)**(b - 1) / beta(a, b)",
    lambda x, a, b: log_beta_density.bind(a, b, x), low=0.0, high=1.0, inner=0.5,
    pdf=lambda x, a, b: density_of_beta(a, b, x),
    valid=lambda a, b: (a > 0) & (a < math.inf) & (b > 0) & (b < math.inf), usual=(1.0, 1.0),
    cdf=lambda x, a, b: Betainc().bind(a, b, x), sf=lambda x, a, b: betaincc.bind(a, b, x),
    logcdf=lambda x, a, b: log_betainc.bind(a, b, x),
    logsf=lambda x, a, b: log_betaincc.bind(a, b, x),
)  # fmt: skip


# --------------------------------------------------------------------------------------------------
# The truncated normal distribution

_NODES, _WEIGHTS = ([float(v) for v in part] for part in np.polynomial.legendre.leggauss(12))
_ROOT = math.sqrt(0.5)


def _log_mass(m: Operations, a: Any, b: Any) -> Any:
    """Return the logarithm of the probability that a normal variable lies in a ... b."""
    # Mirror the interval so that its larger end is the farther one from 0.
    turn = a + b < 0.0
    low, high = m.where(turn, -b, a), m.where(turn, -a, b)
    width = high - low
    middle = 0.5 * (low + high)
    narrow = width * (m.abs(middle) + 1.0) < 1.0
    # A narrow interval: Gauss and Legendre's rule for the density over that at its middle.
    h, c = m.where(narrow, 0.5 * width, 0.5), m.where(narrow, middle, 0.0)
    share = 0.0
    for node, weight in zip(_NODES, _WEIGHTS):
        u = h * node
        share = share + weight * m.exp(-u * (c + 0.5 * u))
    close = m.log(h * share) - 0.5 * c * c - 0.5 * math.log(2 * math.pi)
    # One around 0: the sum of two parts; or what is left by two tails.
    both = m.erf(high * _ROOT) - m.erf(low * _ROOT)
    tails = 0.5 * (m.erfc(high * _ROOT) + m.erfc(-low * _ROOT))
    large = (both > 1.0) & (low < 0.0)
    halves = m.where(large | narrow | (both <= 0.0), 1.0, both)
    around = m.where(large, m.log1p(-m.where(large, tails, 0.0)), m.log(halves) - math.log(2))
    # One in a tail: the density at its nearer end, times a difference that does not underflow.
    far = (low > 0.0) & ~narrow
    p, q = m.where(far, low, 1.0), m.where(far & (high < math.inf), high, 3.0)
    fall = m.where(high < math.inf, m.exp(-0.5 * (q - p) * (q + p)), 0.0)
    scaled = m.of(Erfcx())
    rest = scaled(p * _ROOT) - fall * scaled(q * _ROOT)
    beyond = m.log(0.5 * rest) - 0.5 * p * p
    value = m.where(narrow, close, m.where(far, beyond, around))
    return m.where(a < b, value, m.where(a == b, m.full(-math.inf, a), math.nan))


def _log_truncated(x: Value, a: Value, b: Value) -> Any:
    return log_normal(x) - log_mass.bind(a, b)


def _log_below(m: Operations, x: Any, a: Any, b: Any) -> Any:
    """Return the logarithm of the part of the mass of a ... b that is below x."""
    whole, x = _log_mass(m, a, b), m.min(m.max(x, a), b)
    below, above = _log_mass(m, a, x) - whole, _log_mass(m, x, b) - whole
    return m.where(below > -0.7, m.log1p(-m.exp(above)), below)


def _log_above(x: Value, a: Value, b: Value) -> Any:
    return log_below.bind(-x, -b, -a)


def _log_at_end(x: Value, a: Value, b: Value) -> Any:
    """Return the logarithm of the density at an end, -inf at an infinite one."""
    finite = abs(x) < math.inf
    return e.select(finite, _log_truncated(e.select(finite, x, 0.0), a, b), -math.inf)


@frozen
class TruncatedNormal(NamedFormula):
    """Probabilities of the normal distribution between two ends, and their logarithms."""

    # The derivatives by the ends are those of a quotient of two masses.
    members = MappingProxyType(
        {
            "log_normal_mass": (
                _log_mass,
                lambda a, b, out: -e.exp.bind(log_normal(a) - out),
                lambda a, b, out: e.exp.bind(log_normal(b) - out),
            ),
            "log_truncated_normal": (
                _log_below,
                lambda x, a, b, out: e.exp.bind(_log_truncated(x, a, b) - out),
                lambda x, a, b, out: (
                    -e.exp.bind(_log_at_end(a, a, b) + (_log_above(x, a, b) - out))
                ),
                lambda x, a, b: -e.exp.bind(_log_at_end(b, a, b)),
            ),
            "truncated_normal": (
                lambda m, x, a, b: m.exp(_log_below(m, x, a, b)),
                lambda x, a, b: e.exp.bind(_log_truncated(x, a, b)),
                lambda x, a, b: -e.exp.bind(_log_at_end(a, a, b)) * below.bind(-x, -b, -a),
                lambda x, a, b, out: -e.exp.bind(_log_at_end(b, a, b)) * out,
            ),
        }
    )


log_mass = TruncatedNormal("log_normal_mass")
below, log_below = TruncatedNormal("truncated_normal"), TruncatedNormal("log_truncated_normal")

truncnorm = continuous(
    "truncnorm", "the normal distribution between the standard numbers `a` and `b`",
    _log_truncated, support=lambda a, b: (a, b),
    inner=lambda a, b: e.select(a > 0, a, e.select(b < 0, b, 0.0)),
    valid=lambda a, b: a < b, usual=(-1.0, 1.0),
    cdf=below.bind, sf=lambda x, a, b: below.bind(-x, -b, -a), logcdf=log_below.bind,
    logsf=_log_above,
)  # fmt: skip


# --------------------------------------------------------------------------------------------------
# The circle


def _sine_of_half(x: Value) -> Any:
    return e.sin.bind(0.5 * x)


def _log_von_mises(x: Value, kappa: Value) -> Any:
    sine = _sine_of_half(x)
    return -2.0 * kappa * sine * sine - math.log(2 * math.pi) - e.log.bind(i0e(kappa))


def _log_wrapped(x: Value, c: Value) -> Any:
    # 1 + c**2 - 2 c cos(x), without a difference of numbers near 1.
    sine, rest = _sine_of_half(x), 1.0 - c
    size = rest * rest + 4.0 * c * sine * sine
    return e.log1p.bind(c) + e.log.bind(rest) - math.log(2 * math.pi) - e.log.bind(size)


vonmises = continuous(
    "vonmises", "von Mises' distribution of angles, of density proportional to exp(kappa cos(x))",
    _log_von_mises, valid=lambda kappa: kappa >= 0, usual=(1.0,), periodic=True,
)  # fmt: skip
wrapcauchy = continuous(
    "wrapcauchy", "Cauchy's distribution wrapped around the circle, for angles from 0 to 2 pi",
    _log_wrapped, low=0.0, high=2 * math.pi, inner=1.0,
    valid=lambda c: (c > 0) & (c < 1), usual=(0.5,),
)  # fmt: skip
