"""Special functions of each element: gamma and beta functions, erfc, zeta, Bessel functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..operations.identity import stop_gradient
from ..primitives.array import known
from ..primitives.constants import full_like
from ..primitives.core import Primitive
from ..primitives.types import SCALARS
from ..primitives.words import elementwise as e
from ..routines.special import special as s
from ..routines.special.bessel import BesselI
from ..routines.special.incomplete import Betainc, Igamma
from ..typing import ArrayLike
from .strict import apply, check, join


def _of_several(primitive: Primitive, name: str, *args: Any) -> Any:
    """Apply a primitive to arrays of one type; scalars join them."""
    return primitive.bind(*_joined(primitive, name, *args))


def _joined(primitive: Primitive, name: str, *args: Any) -> list[Any]:
    """Return operands as arrays of one type, checked; scalars become arrays like the others."""
    values = join(name, *args)
    like = next(v for v in values if type(v) not in SCALARS)
    values = [full_like(like, v) if type(v) in SCALARS else v for v in values]
    check(primitive, *values)
    return values


def erfc(x: Any) -> Any:
    """Compute 1 - erf(x) of floats; far to the right its relative accuracy stays.

    Raises:
        TypeError: for other dtypes.

    Examples:
        >>> erfc(10.0)
        Array(2.08848758e-45)
    """
    return apply(s.erfc, x)


def lgamma(x: ArrayLike) -> Any:
    """Compute the logarithm of |gamma(x)| of floats.

    Raises:
        TypeError: for other dtypes.

    Examples:
        >>> lgamma(4.0)
        Array(1.79175947)
    """
    return apply(s.lgamma, x)


def digamma(x: Any) -> Any:
    """Compute the derivative of lgamma, of floats.

    Raises:
        TypeError: for other dtypes.

    Examples:
        >>> digamma(1.0)
        Array(-0.57721566)
    """
    return apply(s.digamma, x)


def polygamma(m: Any, x: Any) -> Any:
    """Compute the m-th derivative of digamma.

    Args:
        m: the order, whole numbers >= 0, as floats of x's type; no variable of differentiation.
            If all orders are one number that is known while the function is traced, its factorial
            is exact; otherwise it is exp(lgamma(m + 1)).
        x: floats.

    Returns:
        The derivatives; nan where m is no whole number >= 0.

    Raises:
        TypeError: for operands of different shapes or dtypes, or other dtypes.

    Examples:
        >>> polygamma(1.0, 1.0)
        Array(1.64493407)
    """
    m, x = _joined(s.Zeta(), "polygamma", m, x)
    orders = known(m)
    if orders is not None and orders.size:
        order = float(orders.flat[0])
        if order >= 0 and order.is_integer() and np.all(orders == order):
            return s.Polygamma(int(order)).bind(x)
    # The order m varies. The m-th derivative is -(-1)**m m! zeta(m + 1, x), and digamma for m = 0.
    m = stop_gradient(m)
    whole, zero = (m >= 0) & (e.floor.bind(m) == m), m == 0
    order = e.select(zero, 1.0, m)
    magnitude = e.exp.bind(s.lgamma.bind(order + 1.0)) * s.Zeta().bind(order + 1.0, x)
    even = e.rem.bind(order, 2.0) == 0.0
    value = e.select(zero, s.digamma.bind(x), e.select(even, -magnitude, magnitude))
    return e.select(whole, value, math.nan)


def zeta(x: Any, q: Any) -> Any:
    """Compute Hurwitz's zeta function: the sum of (q + k)**-x over k >= 0, for x > 1.

    It is nan for x < 1. Derivatives by both arguments exist; by x for q > 0.

    Raises:
        TypeError: for operands of different shapes or dtypes, or other dtypes.

    Examples:
        >>> zeta(2.0, 1.0)
        Array(1.64493407)
    """
    return _of_several(s.Zeta(), "zeta", x, q)


def igamma(a: Any, x: Any) -> Any:
    """Compute the regularized lower incomplete gamma function P(a, x).

    It is the integral of t**(a-1) exp(-t) over 0 ... x, divided by gamma(a).

    Args:
        a: floats >= 0.
        x: floats >= 0.

    Returns:
        Numbers in [0, 1]; nan outside of the domain. Derivatives by both arguments have every
        order.

    Raises:
        TypeError: for operands of different shapes or dtypes, or other dtypes.

    Examples:
        >>> import diffeo as dx
        >>> igamma(2.0, 3.0)
        Array(0.80085173)
        >>> dx.grad(igamma)(2.0, 3.0)
        Array(-0.19742542)
    """
    return _of_several(Igamma(), "igamma", a, x)


def igammac(a: Any, x: Any) -> Any:
    """Compute 1 - igamma(a, x), with its own relative accuracy.

    Raises:
        TypeError: for operands of different shapes or dtypes, or other dtypes.

    Examples:
        >>> igammac(2.0, 50.0)
        Array(9.83662422e-21)
    """
    return _of_several(Igamma(0, True), "igammac", a, x)


def igamma_grad_a(a: Any, x: Any) -> Any:
    """Compute the derivative of igamma(a, x) by a.

    Raises:
        TypeError: for operands of different shapes or dtypes, or other dtypes.

    Examples:
        >>> igamma_grad_a(2.0, 3.0)
        Array(-0.19742542)
    """
    return _of_several(Igamma(1), "igamma_grad_a", a, x)


def random_gamma_grad(a: ArrayLike, sample: ArrayLike) -> Any:
    """Compute the derivative by a of a sample x from the gamma distribution of shape a.

    It is how x moves so that igamma(a, x) stays (Figurnov et al. 2018, implicit reparameterization
    gradients).

    Raises:
        TypeError: for operands of different shapes or dtypes, or other dtypes.

    Examples:
        >>> random_gamma_grad(2.0, 3.0)
        Array(1.32179852)
    """
    primitive = Igamma(1, scaled=True)
    a, sample = _joined(primitive, "random_gamma_grad", a, sample)
    return -(sample * primitive.bind(a, sample))


def betainc(a: Any, b: Any, x: Any) -> Any:
    """Compute the regularized incomplete beta function I_x(a, b).

    It is the integral of t**(a-1) (1-t)**(b-1) over 0 ... x, divided by beta(a, b).

    Args:
        a: floats > 0.
        b: floats > 0.
        x: floats in [0, 1].

    Returns:
        Numbers in [0, 1]; nan outside of the domain. Derivatives by all arguments have every
        order.

    Raises:
        TypeError: for operands of different shapes or dtypes, or other dtypes.

    Examples:
        >>> import diffeo as dx
        >>> betainc(2.0, 3.0, 0.5)
        Array(0.6875)
        >>> dx.grad(betainc, 2)(2.0, 3.0, 0.5)
        Array(1.5)
    """
    return _of_several(Betainc(), "betainc", a, b, x)


def bessel_i0e(x: Any) -> Any:
    """Compute exp(-|x|) times the modified Bessel function I_0(x), of floats.

    Raises:
        TypeError: for other dtypes.

    Examples:
        >>> bessel_i0e(2.0)
        Array(0.30850832)
    """
    return apply(BesselI(0), x)


def bessel_i1e(x: Any) -> Any:
    """Compute exp(-|x|) times the modified Bessel function I_1(x), of floats.

    Raises:
        TypeError: for other dtypes.

    Examples:
        >>> bessel_i1e(2.0)
        Array(0.21526929)
    """
    return apply(BesselI(1), x)
