"""Distributions of vectors."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from ...numpy.common import arr, same_dtype
from ...numpy.joining import concatenate
from ...numpy.linalg.decompositions import eigh
from ...numpy.reducing.reductions import all as all_of
from ...numpy.reducing.reductions import max as max_of
from ...numpy.reducing.reductions import sum as sum_of
from ...numpy.shaping import broadcast_to
from ...primitives.core import with_user_line
from ...primitives.words import elementwise as e
from ...primitives.words.promotion import align, broadcast_shapes, to_inexact
from ..solving import cholesky, solve_triangular
from ..special.entropy import xlogy
from ..special.gamma import gammaln
from .distribution import Distribution


def _floats(*xs: Any) -> list[Any]:
    """Return arrays of one floating-point dtype, each of its own shape."""
    return [arr(to_inexact(v)) for v in same_dtype(*[arr(x) for x in xs])]


def _module(name: str, about: str, **functions: Callable) -> Distribution:
    """Return the module of these functions."""
    for key, function in functions.items():
        function.__name__ = function.__qualname__ = key
    return Distribution(name, about, functions)


def _density(log: Callable, *less: str) -> Callable:
    """Return the exponential of a function, as a function of its parameters but for `less`."""

    def density(*args: Any, **kwargs: Any) -> Any:
        return e.exp.bind(log(*args, **kwargs))

    signature = inspect.signature(log)
    kept = [p for p in signature.parameters.values() if p.name not in less]
    density.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    density.__doc__ = (log.__doc__ or "").replace("the logarithm of ", "", 1)
    return density


def _dirichlet_logpdf(x: Any, alpha: Any) -> Any:
    """Compute the logarithm of the density of Dirichlet's distribution.

    It is that of x1**(alpha1 - 1) x2**(alpha2 - 1) ..., over its integral.

    Args:
        x: [k, ...], positive numbers whose sum along the first axis is 1, within 1e-6; or
            [k - 1, ...], all of them but the last one.
        alpha: [k], positive numbers.

    Returns:
        An array of the shape of x without its first axis; -inf for other x, nan for other alpha.

    Raises:
        ValueError: for shapes that do not fit.
    """
    x, alpha = _floats(x, alpha)
    if alpha.ndim != 1:
        raise with_user_line(ValueError(f"alpha must be a vector, got shape {alpha.shape}"))
    k = alpha.shape[0]
    if not x.ndim or x.shape[0] not in (k, k - 1):
        raise with_user_line(
            ValueError(
                f"x must have {k} or {k - 1} rows, for alpha of {k} elements; got shape {x.shape}"
            )
        )
    if x.shape[0] != k:
        x = concatenate([x, 1.0 - sum_of(x, 0, keepdims=True)])
    right = all_of(alpha > 0)
    alpha = e.select(broadcast_to(right, alpha.shape), alpha, 1.0)
    constant = sum_of(gammaln(alpha)) - gammaln(sum_of(alpha))
    power = (alpha - 1.0).reshape((k, *[1] * (x.ndim - 1)))
    # A number 0 is at the end of the support, where its power is 1 or not 0.
    inside = all_of((x > 0) | ((x == 0) & (power >= 0)), 0) & (abs(sum_of(x, 0) - 1.0) < 1e-6)
    safe = e.select(broadcast_to(inside, x.shape), x, 1.0 / k)
    value = sum_of(xlogy(broadcast_to(power, x.shape), safe), 0) - constant
    value = e.select(inside, value, -math.inf)
    return e.select(broadcast_to(right, value.shape), value, math.nan)


def _multinomial_logpmf(x: Any, n: Any, p: Any) -> Any:
    """Compute the logarithm of the probability of counts of `n` draws.

    It is that of n! / (x1! x2! ...) p1**x1 p2**x2 ...

    Args:
        x: [..., k], the counts.
        n: [...], how many were drawn.
        p: [..., k], probabilities, whose sum should be 1. Derivatives treat them as independent.

    Returns:
        An array of the leading axes; -inf for x that are no counts of n things; nan for other n
        and p.

    Raises:
        ValueError: for shapes that do not fit.
    """
    x, n, p = _floats(x, n, p)
    x, p = align(x, p)
    lead = broadcast_shapes(x.shape[:-1], n.shape)
    x, p = (broadcast_to(v, (*lead, v.shape[-1])) for v in (x, p))
    n = broadcast_to(n, lead)
    right = all_of((p >= 0) & (p <= 1), -1) & (n >= 0) & (e.floor.bind(n) == n)
    fits = all_of((x >= 0) & (e.floor.bind(x) == x), -1) & (sum_of(x, -1) == n)
    inside = right & fits
    x = e.select(broadcast_to(inside[..., None], x.shape), x, 0.0)
    p = e.select(broadcast_to(right[..., None], p.shape), p, 1.0)
    whole = gammaln(e.select(inside, n, 0.0) + 1.0)
    value = whole + sum_of(xlogy(x, p) - gammaln(x + 1.0), -1)
    return e.select(right, e.select(fits, value, -math.inf), math.nan)


def _normal_logpdf(x: Any, mean: Any, cov: Any, allow_singular: bool | None = None) -> Any:
    """Compute the logarithm of the density of the multivariate normal distribution.

    Args:
        x: [..., n]; numbers if `mean` is a number.
        mean: [..., n], or a number.
        cov: the covariance: [..., n, n], symmetric and positive definite; or a number, for that
            times the identity.
        allow_singular: take the density on the subspace that `cov` spans, which is -inf elsewhere.

    Returns:
        An array of the leading axes. It is nan where `cov` is not positive definite, or not
        positive semidefinite with `allow_singular`.

    Raises:
        ValueError: for shapes that do not fit.
    """
    x, mean, cov = _floats(x, mean, cov)
    if not mean.ndim:
        if cov.ndim == 2 and cov.shape == (1, 1):
            cov = cov.reshape(())
        return -0.5 * (x - mean) ** 2 / cov - 0.5 * (math.log(2 * math.pi) + e.log.bind(cov))
    n, away = mean.shape[-1], x - mean
    if not cov.ndim:
        square = sum_of(away * away, -1) / cov
        return -0.5 * (square + n * (math.log(2 * math.pi) + e.log.bind(cov)))
    if cov.shape[-2:] != (n, n):
        raise with_user_line(
            ValueError(
                f"for mean of shape {mean.shape}, cov must be [..., {n}, {n}], "
                f"got shape {cov.shape}"
            )
        )
    if allow_singular:
        return _singular_logpdf(away, cov, n)
    factor = cholesky(cov, lower=True)
    lead = broadcast_shapes(away.shape[:-1], factor.shape[:-2])
    factor = broadcast_to(factor, (*lead, n, n))
    away = broadcast_to(away, (*lead, n))[..., None]
    white = solve_triangular(factor, away, lower=True)[..., 0]
    size = sum_of(e.log.bind(factor.diagonal(0, -2, -1)), -1)
    return -0.5 * (sum_of(white * white, -1) + n * math.log(2 * math.pi)) - size


def _singular_logpdf(away: Any, cov: Any, n: int) -> Any:
    """Return the logarithm of the density by the eigenvalues that are not 0, within rounding."""
    values, vectors = eigh(cov)
    least = 1e3 if cov.dtype.itemsize < 8 else 1e6
    least *= float(2.0 ** (-23 if cov.dtype.itemsize < 8 else -52))
    bound = max_of(abs(values), -1, keepdims=True) * least
    bound = broadcast_to(bound, values.shape)
    kept, wrong = values > bound, (values < -bound).any(-1)
    along = (away[..., None, :] @ vectors)[..., 0, :]
    kept = broadcast_to(kept, along.shape)
    values = e.select(kept, broadcast_to(values, along.shape), 1.0)
    square = sum_of(e.select(kept, along * along / values, 0.0), -1)
    rank = sum_of(kept, -1)
    outside = sum_of(e.select(kept, 0.0, along * along), -1) > least * 1e-3
    value = -0.5 * (square + sum_of(e.log.bind(values), -1) + rank * math.log(2 * math.pi))
    wrong = broadcast_to(wrong, value.shape)
    return e.select(wrong, math.nan, e.select(outside, -math.inf, value))


dirichlet = _module(
    "dirichlet", "Dirichlet's distribution, of vectors of positive numbers whose sum is 1",
    logpdf=_dirichlet_logpdf, pdf=_density(_dirichlet_logpdf),
)  # fmt: skip
multinomial = _module(
    "multinomial", "the multinomial distribution, of counts of draws from several kinds",
    logpmf=_multinomial_logpmf, pmf=_density(_multinomial_logpmf),
)  # fmt: skip
multivariate_normal = _module(
    "multivariate_normal", "the normal distribution of vectors",
    logpdf=_normal_logpdf, pdf=_density(_normal_logpdf, "allow_singular"),
)  # fmt: skip
