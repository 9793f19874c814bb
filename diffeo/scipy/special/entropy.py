"""Products with logarithms, entropies, and transformations of probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...nn import normalized
from ...nn.functions import sigmoid
from ...numpy.common import arr
from ...primitives import elementwise as e
from ...primitives.array import Array
from ...primitives.identity import stop_gradient
from ...primitives.operators import align, align_inexact, binary, to_inexact
from ...primitives.reference import special_function
from ...routines.special import polynomial

expit = sigmoid


def logit(x: Any) -> Any:
    """log(x / (1 - x)), the inverse of `expit`.

    Examples:
        >>> logit(0.5)
        Array(0.)
    """
    x = arr(to_inexact(x))
    return e.log.bind(x / (1 - x))


def _product_with(log: e.Elementwise, root: float) -> Callable[[Any, Any], Any]:
    """x * log(y), and 0 where x is 0, even at log's singularity `root`."""

    def product(x: Any, y: Any) -> Any:
        zero = (x == 0) & (y == y)
        return e.select(zero, 0.0, x * log.bind(e.select(zero, root + 1.0, y)))

    return product


def _slope(x: Any, y: Any, shift: float) -> Any:
    """x / (y + shift), and 0 for 0 / 0."""
    y = y + shift
    return x / e.select((x == 0) & (y == 0), 1.0, y)


class _OfArrays(e.Elementwise):
    """An elementwise function whose rules want arrays, not Python scalars."""

    takes_scalars = False


# Primitives, since no formula in others has their derivatives where x and log's argument are 0.
_xlogy = _OfArrays(
    "xlogy", special_function("xlogy"),
    lambda ctx, x, y: ctx.inline(_product_with(e.log, 0.0), x, y),
    lambda x, y: e.log.bind(y), lambda x, y: _slope(x, y, 0.0), singular=True)
_xlog1py = _OfArrays(
    "xlog1py", special_function("xlog1py"),
    lambda ctx, x, y: ctx.inline(_product_with(e.log1p, -1.0), x, y),
    lambda x, y: e.log1p.bind(y), lambda x, y: _slope(x, y, 1.0), singular=True)

_pair_xlogy, _pair_xlog1py = binary(_xlogy, True), binary(_xlog1py, True)


def _of_pair(quick: Callable, primitive: Any, x: Any, y: Any) -> Any:
    if type(x) is Array and type(y) is Array:
        return quick(x, y)
    return primitive.bind(*align(arr(to_inexact(x)), arr(to_inexact(y))))


def xlogy(x: Any, y: Any) -> Any:
    """x * log(y), and 0 for x = 0 (but nan for y = nan). The derivative by x is log(y).

    Examples:
        >>> xlogy(0.0, 0.0)
        Array(0.)
    """
    return _of_pair(_pair_xlogy, _xlogy, x, y)


def xlog1py(x: Any, y: Any) -> Any:
    """x * log(1 + y), and 0 for x = 0 (but nan for y = nan). The derivative by x is log(1 + y)."""
    return _of_pair(_pair_xlog1py, _xlog1py, x, y)


def entr(x: Any) -> Any:
    """The term of an entropy: -x log(x), 0 at 0, and -inf for negative numbers.

    Examples:
        >>> entr(0.0), entr(-1.0)
        (Array(0.), Array(-inf))
    """
    x = arr(to_inexact(x))
    negative = x < 0
    x = e.select(negative, 0.0, x)
    return e.select(negative, -math.inf, _xlogy.bind(-x, x))


def rel_entr(p: Any, q: Any) -> Any:
    """The term of a relative entropy: p log(p / q); 0 for p = 0 <= q, inf elsewhere outside of
    p, q > 0. Its gradient at p = 0 is 0.

    Examples:
        >>> rel_entr(0.0, 1.0), rel_entr(2.0, 1.0)
        (Array(0.), Array(1.38629436))
    """
    p, q = (arr(v) for v in align_inexact(arr(p), arr(q)))
    inside = (p > 0) & (q > 0)
    a, b = e.select(inside, p, 1.0), e.select(inside, q, 1.0)
    edge = e.select((p == 0) & (q >= 0), p * 0.0, math.inf)
    edge = e.select((p == p) & (q == q), edge, math.nan)
    return e.select(inside, a * e.log.bind(a / b), stop_gradient(edge))


def kl_div(p: Any, q: Any) -> Any:
    """The term of a Kullback-Leibler divergence: p log(p / q) - p + q, and inf where `rel_entr` is.

    Examples:
        >>> kl_div(0.0, 1.0), kl_div(2.0, 1.0)
        (Array(1.), Array(0.38629436))
    """
    p, q = (arr(v) for v in align_inexact(arr(p), arr(q)))
    return rel_entr(p, q) - p + q


def _exponential_quotient(x: Any) -> Any:
    """(exp(x) - 1) / x, by its series near 0."""
    near = e.absolute.bind(x) < 0.5
    series = polynomial(e.select(near, x, 0.0), [1 / math.factorial(k + 1) for k in range(16)])
    x = e.select(near, 1.0, x)
    return e.select(near, series, e.expm1.bind(x) / x)


def boxcox(x: Any, lmbda: Any) -> Any:
    """(x**lmbda - 1) / lmbda, and log(x) at lmbda = 0; nan for x < 0.

    Examples:
        >>> boxcox(2.0, 0.5), boxcox(2.0, 0.0)
        (Array(0.82842712), Array(0.69314718))
    """
    x, lmbda = (arr(v) for v in align_inexact(arr(x), arr(lmbda)))
    log = e.log.bind(x)
    return log * _exponential_quotient(lmbda * log)


def boxcox1p(x: Any, lmbda: Any) -> Any:
    """boxcox(1 + x, lmbda), exact for small x.

    Examples:
        >>> boxcox1p(1e-10, 0.5)
        Array(1.e-10)
    """
    x, lmbda = (arr(v) for v in align_inexact(arr(x), arr(lmbda)))
    log = e.log1p.bind(x)
    return log * _exponential_quotient(lmbda * log)


logsumexp = normalized.logsumexp


def softmax(x: Any, /, *, axis: Any = None) -> Any:
    """exp(x) / sum(exp(x)) along the axis or axes; None for all.

    Examples:
        >>> import diffeo as dx
        >>> softmax(dx.numpy.array([0.0, 0.0, 1000.0]))
        Array([0., 0., 1.])
    """
    return normalized.softmax(x, axis)


def log_softmax(x: Any, /, *, axis: Any = None) -> Any:
    """log(softmax(x)), without overflow. Arguments as `softmax` has.

    Examples:
        >>> import diffeo as dx
        >>> log_softmax(dx.numpy.array([0.0, 1000.0]))
        Array([-1000.,     0.])
    """
    return normalized.log_softmax(x, axis)
