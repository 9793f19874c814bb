"""Distributions of positive numbers."""

from __future__ import annotations

import math

from ...primitives.words import elementwise as e
from ...routines.special.densities import gamma_density
from ...routines.special.log_densities import log_gamma_density, log_gammainc, log_gammaincc
from ..special.gamma import gammainc, gammaincc
from .distribution import continuous, inside_or

expon = continuous(
    "expon", "the exponential distribution, of density exp(-x)", lambda x: -x, low=0.0, inner=1.0,
    cdf=lambda x: -e.expm1.bind(-x), logsf=lambda x: -x,
    ppf=lambda q: -e.log1p.bind(-q), isf=lambda q: -e.log.bind(q),
)  # fmt: skip

_density = inside_or(log_gamma_density.bind, gamma_density.bind, lambda x: x > 0, 1.0)

gamma = continuous(
    "gamma", "the gamma distribution, whose density is x**(a - 1) exp(-x) / gamma(a)",
    lambda x, a: log_gamma_density.bind(a, x), low=0.0, inner=1.0,
    pdf=lambda x, a: _density(a, x),
    valid=lambda a: (a > 0) & (a < math.inf), usual=(1.0,),
    cdf=lambda x, a: gammainc(a, x), sf=lambda x, a: gammaincc(a, x),
    logcdf=lambda x, a: log_gammainc.bind(a, x), logsf=lambda x, a: log_gammaincc.bind(a, x),
)  # fmt: skip

# The sum of `df` squares is twice a gamma variable of the shape df / 2.
chi2 = continuous(
    "chi2", "the chi-squared distribution with `df` degrees of freedom",
    lambda x, df: log_gamma_density.bind(0.5 * df, 0.5 * x) - math.log(2), low=0.0, inner=1.0,
    pdf=lambda x, df: 0.5 * _density(0.5 * df, 0.5 * x),
    valid=lambda df: (df > 0) & (df < math.inf), usual=(2.0,),
    cdf=lambda x, df: gammainc(0.5 * df, 0.5 * x), sf=lambda x, df: gammaincc(0.5 * df, 0.5 * x),
    logcdf=lambda x, df: log_gammainc.bind(0.5 * df, 0.5 * x),
    logsf=lambda x, df: log_gammaincc.bind(0.5 * df, 0.5 * x),
)  # fmt: skip

pareto = continuous(
    "pareto", "Pareto's distribution, of density b / x**(b + 1) for x >= 1",
    lambda x, b: e.log.bind(b) - (b + 1.0) * e.log.bind(x), low=1.0, inner=1.0,
    valid=lambda b: b > 0, usual=(1.0,),
    cdf=lambda x, b: -e.expm1.bind(-b * e.log.bind(x)), logsf=lambda x, b: -b * e.log.bind(x),
    ppf=lambda q, b: e.exp.bind(-e.log1p.bind(-q) / b),
    isf=lambda q, b: e.exp.bind(-e.log.bind(q) / b),
)  # fmt: skip
