"""Distributions of whole numbers.

At the end of a parameter's range, a probability is a beta or a gamma density of the parameter,
whose derivatives are right there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...operations.identity import stop_gradient
from ...primitives.core import Value
from ...primitives.support.frozen import frozen
from ...primitives.words import elementwise as e
from ...routines.special.densities import beta_density, gamma_density
from ...routines.special.incomplete import Betainc
from ...routines.special.log_densities import (
    betaincc,
    log_beta_weight,
    log_betainc,
    log_betaincc,
    log_binomial,
    log_gammainc,
    log_gammaincc,
    log_poisson,
)
from ...routines.special.special import Formula, Operations, evaluate, polynomial
from ...typing import ArrayLike
from ..special.entropy import xlog1py, xlogy
from ..special.gamma import gammainc, gammaincc
from .distribution import discrete, inside_or
from .on_interval import inner_point


def _probable(p: Value) -> Any:
    return (p >= 0) & (p <= 1)


def _whole(n: Value) -> Any:
    return (n >= 0) & (e.floor.bind(n) == n) & (n < math.inf)


bernoulli = discrete(
    "bernoulli", "Bernoulli's distribution: 1 with the probability `p`, else 0",
    lambda k, p: xlogy(k, p) + xlog1py(1.0 - k, -p), support=lambda p: (0.0, 1.0), inner=0.0,
    valid=_probable, usual=(0.5,),
    pmf=lambda k, p: e.select(k == 0, 1.0 - p, p),
    cdf=lambda k, p: 1.0 - p, sf=lambda k, p: p,
    ppf=lambda q, p: e.select(q <= 1.0 - p, 0.0, q * 0.0 + 1.0),
)  # fmt: skip

_binom_pmf = inside_or(
    log_binomial.bind, lambda k, n, p: beta_density.bind(k + 1.0, n - k + 1.0, p) / (n + 1.0),
    inner_point, 0.5,
)  # fmt: skip


def _above_zero(n: Value, k: Value) -> Any:
    """Return n - k; 1/2 instead of 0, which is beyond the support of a probability above k."""
    return e.maximum.bind(n - k, n * 0.0 + 0.5)


binom = discrete(
    "binom", "the binomial distribution: the successes of `n` trials of probability `p`",
    lambda k, n, p: log_binomial.bind(k, n, p), pmf=_binom_pmf,
    support=lambda n, p: (0.0, n), inner=0.0,
    valid=lambda n, p: _whole(n) & _probable(p), usual=(1.0, 0.5),
    cdf=lambda k, n, p: betaincc.bind(k + 1.0, _above_zero(n, k), p),
    sf=lambda k, n, p: Betainc().bind(k + 1.0, _above_zero(n, k), p),
    logcdf=lambda k, n, p: log_betaincc.bind(k + 1.0, _above_zero(n, k), p),
    logsf=lambda k, n, p: log_betainc.bind(k + 1.0, _above_zero(n, k), p),
)  # fmt: skip


def _log_negative_binomial(k: Value, n: Value, p: Value) -> Any:
    return log_binomial.bind(n, n + k, p) + e.log.bind(n / (n + k))


nbinom = discrete(
    "nbinom", "the negative binomial distribution: the failures before the success number `n`",
    _log_negative_binomial,
    pmf=inside_or(_log_negative_binomial,
                  lambda k, n, p: p * beta_density.bind(n, k + 1.0, p) / (n + k),
                  inner_point, 0.5),
    valid=lambda n, p: (n > 0) & (n < math.inf) & (p > 0) & (p <= 1), usual=(1.0, 0.5),
    cdf=lambda k, n, p: Betainc().bind(n, k + 1.0, p),
    sf=lambda k, n, p: betaincc.bind(n, k + 1.0, p),
    logcdf=lambda k, n, p: log_betainc.bind(n, k + 1.0, p),
    logsf=lambda k, n, p: log_betaincc.bind(n, k + 1.0, p),
)  # fmt: skip


def _failures(k: Value, p: Value) -> Any:
    """Return (1 - p)**k; near p = 1 as a power, which has derivatives there."""
    near = p > 0.5
    power = e.power.bind(1.0 - e.select(near, p, 1.0), k)
    return e.select(near, power, e.exp.bind(k * e.log1p.bind(-e.select(near, 0.5, p))))


def _up_to(k: Value, p: Value) -> Any:
    """Return 1 - (1 - p)**k."""
    near = p > 0.5
    small = -e.expm1.bind(k * e.log1p.bind(-e.select(near, 0.5, p)))
    return e.select(near, 1.0 - _failures(k, p), small)


geom = discrete(
    "geom", "the geometric distribution: the trials up to the first success",
    lambda k, p: xlog1py(k - 1.0, -p) + e.log.bind(p), low=1.0,
    pmf=lambda k, p: p * _failures(k - 1.0, p),
    valid=lambda p: (p > 0) & (p <= 1), usual=(0.5,),
    cdf=_up_to, sf=_failures, logsf=lambda k, p: k * e.log1p.bind(-p),
)  # fmt: skip


def _log_beta_binomial(k: Value, n: Value, a: Value, b: Value) -> Any:
    """Return the logarithm by binomial and beta weights at a point x of which nothing depends."""
    left, total = n - k, n + a + b
    x = stop_gradient((k + a) / total)
    return (
        log_binomial.bind(k, n, x)
        + log_beta_weight.bind(a, b, x)
        - log_beta_weight.bind(k + a, left + b, x)
    )


betabinom = discrete(
    "betabinom", "the binomial distribution whose probability is a beta variable of `a` and `b`",
    _log_beta_binomial, support=lambda n, a, b: (0.0, n), inner=0.0,
    valid=lambda n, a, b: _whole(n) & (a > 0) & (b > 0), usual=(1.0, 1.0, 1.0),
)  # fmt: skip


# --------------------------------------------------------------------------------------------------
# Poisson

#: From this mean on, the entropy's expansion is used: log(2 pi e mu) / 2 less the sum of these
#: coefficients times mu**-j, j = 1, 2, ... They are those of Evans and Boersma (1988).
_LARGE_MEAN = 100.0
_EXPANSION = (1 / 12, 1 / 24, 19 / 360, 9 / 80, 863 / 2520, 1375 / 1008, 33953 / 5040, 57281 / 1440)


@frozen
class PoissonEntropy(Formula):
    """The n-th derivative of the entropy of Poisson's distribution by its mean mu.

    With expectations E over k, the entropy is mu - mu log(mu) + E log(k!). The derivative of an
    expectation of f(k) is that of f(k + 1) - f(k), which is log(k + 1) here.
    """

    n: int = 0

    def impl(self, mu: np.ndarray) -> np.ndarray:
        return evaluate(self.formula, mu)

    def formula(self, m: Any, mu: Any) -> Any:
        large = mu >= _LARGE_MEAN
        near = self.sum(m, m.where((mu > 0.0) & ~large, mu, 1.0))
        far = self.expansion(m, m.where(large & (mu < math.inf), mu, _LARGE_MEAN))
        far = m.where(mu < math.inf, far, 0.0 if self.n else math.inf)
        at_zero = (0.0, math.inf)[self.n] if self.n < 2 else (-1.0) ** (self.n - 1) * math.inf
        value = m.where(large, far, m.where(mu == 0.0, at_zero, near))
        return m.where(mu >= 0.0, value, math.nan)

    def sum(self, m: Operations, mu: ArrayLike) -> Any:
        """Return the sum over k, up to where the probabilities are negligible."""
        n, log = self.n, m.log(mu)

        def differences(k: Any) -> Any:
            """Return the difference of order n - 1 of log(k + 1)."""
            total = 0.0
            for j in range(n):
                total = total + (-1.0) ** (n - 1 - j) * math.comb(n - 1, j) * m.log(k + (j + 1.0))
            return total

        def going(
            k: ArrayLike, factorial: ArrayLike, total: ArrayLike, mu: ArrayLike, log: ArrayLike
        ) -> Any:
            return m.spread(k, mu) < mu + 12.0 * m.sqrt(mu) + 40.0

        def advance(
            k: ArrayLike, factorial: ArrayLike, total: ArrayLike, mu: ArrayLike, log: ArrayLike
        ) -> Any:
            for _ in range(4):
                each = m.spread(k, mu)
                size = each * log - mu - m.spread(factorial, mu)
                total = total + m.exp(size) * (m.spread(differences(k), mu) if n else -size)
                k = k + 1.0
                factorial = factorial + m.log(k)
            return k, factorial, total, mu, log

        zero = m.number(0.0, mu)
        total = m.loop(going, advance, (zero, zero, mu * 0.0, mu, log))[2]
        if n == 0:
            return total
        if n == 1:
            return total - log
        return total + (-1.0) ** (n - 1) * math.factorial(n - 2) / mu ** (n - 1)

    def expansion(self, m: Operations, mu: ArrayLike) -> Any:
        """Return the n-th derivative of the expansion for large mu, term by term."""
        n, inverse = self.n, 1.0 / mu
        rising = lambda j: math.prod(range(j, j + n))
        terms = [c * rising(j) for j, c in enumerate(_EXPANSION, 1)]
        sum_ = polynomial(inverse, terms) * inverse ** (n + 1) * -((-1.0) ** n)
        if n == 0:
            return 0.5 * (m.log(mu) + math.log(2 * math.pi * math.e)) + sum_
        return 0.5 * (-1.0) ** (n - 1) * math.factorial(n - 1) * inverse**n + sum_

    def slopes(self) -> Sequence[Callable]:
        return (lambda mu: PoissonEntropy(self.n + 1).bind(mu),)


poisson = discrete(
    "poisson", "Poisson's distribution of the mean `mu`", lambda k, mu: log_poisson.bind(k, mu),
    pmf=inside_or(log_poisson.bind, lambda k, mu: gamma_density.bind(k + 1.0, mu),
                  lambda mu: mu > 0, 1.0),
    logcdf=lambda k, mu: log_gammaincc.bind(k + 1.0, mu),
    logsf=lambda k, mu: log_gammainc.bind(k + 1.0, mu),
    valid=lambda mu: (mu >= 0) & (mu < math.inf), usual=(1.0,),
    cdf=lambda k, mu: gammaincc(k + 1.0, mu), sf=lambda k, mu: gammainc(k + 1.0, mu),
    entropy=PoissonEntropy().bind,
)  # fmt: skip
