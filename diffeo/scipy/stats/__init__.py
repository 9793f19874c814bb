"""Distributions and statistics, with the names and conventions of scipy.stats and jax.scipy.stats.

Each distribution is a module of functions: `norm.logpdf(x, loc, scale)`. They are accurate in both
tails, and can be differentiated by all their arguments that are no whole numbers.

    from diffeo.scipy.stats import norm
"""

from .descriptive import mode, rankdata, sem
from .discrete import bernoulli, betabinom, binom, geom, nbinom, poisson
from .half_line import chi2, expon, gamma, pareto
from .kernel_density import gaussian_kde
from .multivariate import dirichlet, multinomial, multivariate_normal
from .on_interval import beta, truncnorm, uniform, vonmises, wrapcauchy
from .on_line import cauchy, gennorm, gumbel_l, gumbel_r, laplace, logistic, norm, t

__all__ = [
    "bernoulli",
    "beta",
    "betabinom",
    "binom",
    "cauchy",
    "chi2",
    "dirichlet",
    "expon",
    "gamma",
    "gaussian_kde",
    "gennorm",
    "geom",
    "gumbel_l",
    "gumbel_r",
    "laplace",
    "logistic",
    "mode",
    "multinomial",
    "multivariate_normal",
    "nbinom",
    "norm",
    "pareto",
    "poisson",
    "rankdata",
    "sem",
    "t",
    "truncnorm",
    "uniform",
    "vonmises",
    "wrapcauchy",
]
