"""Distributions on the whole line."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

from ...nn.functions import log_sigmoid, sigmoid
from ...primitives.core import Value
from ...primitives.support.frozen import frozen
from ...primitives.words import elementwise as e
from ...routines.special.densities import gamma_density
from ...routines.special.incomplete import Igamma
from ...routines.special.log_densities import log_gammaincc
from ...routines.special.special import NamedFormula, Operations
from ..special.gamma import betaln, gammaln
from ..special.normal import log_ndtr, ndtr, ndtri
from .distribution import completed, continuous, log_of, mirrored, of_negative

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def log_normal(x: Value) -> Any:
    """Return the logarithm of the standard normal density."""
    return -0.5 * x * x - _HALF_LOG_TWO_PI


norm = continuous(
    "norm", "the normal distribution, with mean `loc` and standard deviation `scale`",
    log_normal, cdf=ndtr, logcdf=log_ndtr, ppf=ndtri, symmetric=True,
)  # fmt: skip


# --------------------------------------------------------------------------------------------------
# Tails that fall like a power


def _log_one_plus_square(x: Value) -> Any:
    """Return log(1 + x**2), where x**2 may be too large a number."""
    far = e.absolute.bind(x) > 1e9
    near = e.select(far, 1.0, x)
    return e.select(far, 2.0 * e.log.bind(e.absolute.bind(e.select(far, x, 1.0))),
                    e.log1p.bind(near * near))  # fmt: skip


def _cauchy_ppf(q: Value) -> Any:
    """Return tan(pi (q - 1/2)), from the nearest of 0, 1/2 and 1."""
    middle = e.tan.bind((e.select(abs(q - 0.5) < 0.25, q, 0.5) - 0.5) * math.pi)
    low = -1.0 / e.tan.bind(e.select(q <= 0.25, q, 0.25) * math.pi)
    high = 1.0 / e.tan.bind((1.0 - e.select(q >= 0.75, q, 0.75)) * math.pi)
    return e.select(q <= 0.25, low, e.select(q >= 0.75, high, middle))


cauchy = continuous(
    "cauchy", "Cauchy's distribution, of density 1 / (pi (1 + x**2))",
    lambda x: -math.log(math.pi) - _log_one_plus_square(x),
    cdf=lambda x: e.atan2.bind(x * 0.0 + 1.0, -x) * (1 / math.pi), ppf=_cauchy_ppf, symmetric=True,
)  # fmt: skip


def _log_t(x: Value, df: Value) -> Any:
    """Return the logarithm of Student's density; of the normal one for infinitely many degrees."""
    finite = df < math.inf
    n = e.select(finite, df, 1.0)
    power = -0.5 * (n + 1.0) * _log_one_plus_square(x / e.sqrt.bind(n))
    value = power - 0.5 * e.log.bind(n) - betaln(0.5 * n, 0.5)
    return e.select(finite, value, log_normal(x))


t = continuous(
    "t", "Student's distribution with `df` degrees of freedom", _log_t,
    valid=lambda df: df > 0, usual=(1.0,),
)  # fmt: skip


# --------------------------------------------------------------------------------------------------
# Tails that fall like an exponential


def _log_laplace_cdf(x: Value) -> Any:
    """Return x - log(2) on the left, and log(1 - exp(-x) / 2) on the right."""
    left = x <= 0
    right = e.log1p.bind(-0.5 * e.exp.bind(-e.select(left, 0.0, x)))
    return e.select(left, e.select(left, x, 0.0) - math.log(2), right)


def _laplace_ppf(q: Value) -> Any:
    left = q <= 0.5
    return e.select(left, e.log.bind(2.0 * e.select(left, q, 0.5)),
                    -e.log.bind(2.0 - 2.0 * e.select(left, 0.5, q)))  # fmt: skip


laplace = continuous(
    "laplace", "Laplace's distribution, of density exp(-|x|) / 2",
    lambda x: -abs(x) - math.log(2), logcdf=_log_laplace_cdf, ppf=_laplace_ppf, symmetric=True,
)  # fmt: skip


def _logistic_ppf(q: Value) -> Any:
    """Return log(q / (1 - q)), also accurate near 1/2."""
    middle = abs(q - 0.5) < 0.25
    near = 2.0 * e.atanh.bind(2.0 * e.select(middle, q, 0.5) - 1.0)
    far = e.select(middle, 0.25, q)
    return e.select(middle, near, e.log.bind(far) - e.log1p.bind(-far))


logistic = continuous(
    "logistic", "the logistic distribution, whose `cdf` is 1 / (1 + exp(-x))",
    lambda x: log_sigmoid(x) + log_sigmoid(-x),
    cdf=sigmoid, logcdf=log_sigmoid, ppf=_logistic_ppf, symmetric=True, probability="x",
)  # fmt: skip


def _gumbel_logsf(x: Value) -> Any:
    """Return log(1 - exp(-exp(-x))), which is -x on the far right."""
    far, u = x > 40.0, _falling(x)
    small = (u < 0.7) & ~far
    near = e.log.bind(-e.expm1.bind(-e.select(small, u, 0.5)))
    left = e.log1p.bind(-e.exp.bind(-e.select(small | far, 1.0, u)))
    return e.select(far, -x, e.select(small, near, left))


def _falling(x: Value) -> Any:
    """Return exp(-x); where that is infinite, it has no derivative."""
    infinite = e.exp.bind(-x) == math.inf
    return e.select(infinite, math.inf, e.exp.bind(-e.select(infinite, 0.0, x)))


_GUMBEL: dict[str, Any] = completed({
    "logpdf": lambda x: -x - _falling(x),
    "logcdf": lambda x: -_falling(x),
    "sf": lambda x: -e.expm1.bind(-_falling(x)),
    "logsf": _gumbel_logsf,
    "ppf": lambda p: -e.log.bind(-e.log.bind(p)),
    "isf": lambda p: -e.log.bind(-e.log1p.bind(-p)),
})  # fmt: skip

_NEGATIVE_GUMBEL: dict[str, Any] = of_negative(_GUMBEL)

gumbel_r = continuous(
    "gumbel_r", "Gumbel's distribution of a maximum, whose `cdf` is exp(-exp(-x))",
    probability="p", **_GUMBEL,
)  # fmt: skip
gumbel_l = continuous(
    "gumbel_l", "Gumbel's distribution of a minimum, that of -x for x of `gumbel_r`",
    probability="p", **_NEGATIVE_GUMBEL,
)  # fmt: skip


# --------------------------------------------------------------------------------------------------
# Between them: exp(-|x|**beta)


def _log_size(x: Value) -> Any:
    """Return log|x|, and 0 for 0."""
    return e.log.bind(e.select(x == 0, 1.0, abs(x)))


def _log_gennorm(x: Value, beta: Value) -> Any:
    return e.log.bind(0.5 * beta) - gammaln(1.0 / beta) - _power.bind(x, beta)


def _gennorm_part(m: Operations, x: Any, beta: Any) -> Any:
    """Return the probability below x, by the incomplete gamma function of |x|**beta."""
    tail = 0.5 * m.of(Igamma(0, True))(1.0 / beta, m.pow(m.abs(x), beta))
    return m.where(x <= 0.0, tail, 1.0 - tail)


def _gennorm_by_beta(x: Value, beta: Value) -> Any:
    size = _power.bind(x, beta)
    none = (size == 0) | (size == math.inf)
    shape, size = 1.0 / beta, e.select(none, 1.0, size)
    slope = Igamma(1, True).bind(shape, size) * -shape * shape
    slope = slope - gamma_density.bind(shape, size) * size * _log_size(x)
    return e.select(none, 0.0, e.select(x < 0, 0.5 * slope, -0.5 * slope))


@frozen
class GeneralizedNormal(NamedFormula):
    """The power |x|**b, the same with the sign of x, and the probability below x."""

    # The derivatives of the powers at 0 are again powers, and 0 where there is none.
    members = MappingProxyType(
        {
            "power_of_size": (
                lambda m, x, b: m.pow(m.abs(x), b),
                lambda x, b: b * _signed.bind(x, b - 1.0),
                lambda x, b, out: out * _log_size(x),
            ),
            "signed_power": (
                lambda m, x, b: m.where(x == 0.0, 0.0, m.sign(x) * m.pow(m.abs(x), b)),
                lambda x, b: b * _power.bind(x, b - 1.0),
                lambda x, b, out: out * _log_size(x),
            ),
            "gennorm_cdf": (
                _gennorm_part,
                lambda x, beta: e.exp.bind(_log_gennorm(x, beta)),
                lambda x, beta: _gennorm_by_beta(x, beta),
            ),
        }
    )


_power, _signed = GeneralizedNormal("power_of_size"), GeneralizedNormal("signed_power")
_gennorm_cdf = GeneralizedNormal("gennorm_cdf")


def _log_gennorm_cdf(x: Value, beta: Value) -> Any:
    """Return the logarithm of the probability below x, also where that is too small a number."""
    far = x < -0.5
    size = _power.bind(e.select(far, x, -1.0), beta)
    tail = log_gammaincc.bind(1.0 / beta, size) - math.log(2)
    near = log_of(_gennorm_cdf.bind, mirrored(_gennorm_cdf.bind))
    return e.select(far, tail, near(e.select(far, 0.0, x), beta))


gennorm = continuous(
    "gennorm", "the generalized normal distribution, whose density falls like exp(-|x|**beta)",
    _log_gennorm, cdf=_gennorm_cdf.bind, logcdf=_log_gennorm_cdf, symmetric=True,
    valid=lambda beta: beta > 0, usual=(1.0,),
)  # fmt: skip
