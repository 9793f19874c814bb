"""Special functions, with the names and conventions of scipy.special."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..nn.functions import sigmoid
from ..nn.normalized import logsumexp
from ..numpy.common import arr
from ..primitives import elementwise as e
from ..primitives.operators import align, to_inexact

__all__ = ["entr", "erf", "erfinv", "expit", "logit", "logsumexp", "xlog1py", "xlogy"]

expit = sigmoid


def erf(x: Any) -> Any:
    """The error function.

    Examples:
        >>> erf(1.0)
        Array(0.84270079)
    """
    return e.erf.bind(arr(to_inexact(x)))


def erfinv(x: Any) -> Any:
    """The inverse of the error function."""
    return e.erf_inv.bind(arr(to_inexact(x)))


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


def _host_product_with(log: Callable, root: float) -> Callable[[Any, Any], Any]:
    """The same in NumPy."""

    def product(x: Any, y: Any) -> Any:
        zero = np.equal(x, 0) & np.equal(y, y)
        safe = np.where(zero, np.asarray(root + 1.0, y.dtype), y)
        return np.where(zero, np.zeros((), x.dtype), x * log(safe))

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
    "xlogy", _host_product_with(np.log, 0.0),
    lambda ctx, x, y: ctx.inline(_product_with(e.log, 0.0), x, y),
    lambda x, y: e.log.bind(y), lambda x, y: _slope(x, y, 0.0), singular=True)
_xlog1py = _OfArrays(
    "xlog1py", _host_product_with(np.log1p, -1.0),
    lambda ctx, x, y: ctx.inline(_product_with(e.log1p, -1.0), x, y),
    lambda x, y: e.log1p.bind(y), lambda x, y: _slope(x, y, 1.0), singular=True)


def xlogy(x: Any, y: Any) -> Any:
    """x * log(y), and 0 for x = 0 (but nan for y = nan). The derivative by x is log(y).

    Examples:
        >>> xlogy(0.0, 0.0)
        Array(0.)
    """
    return _xlogy.bind(*align(arr(to_inexact(x)), arr(to_inexact(y))))


def xlog1py(x: Any, y: Any) -> Any:
    """x * log(1 + y), and 0 for x = 0 (but nan for y = nan). The derivative by x is log(1 + y)."""
    return _xlog1py.bind(*align(arr(to_inexact(x)), arr(to_inexact(y))))


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
