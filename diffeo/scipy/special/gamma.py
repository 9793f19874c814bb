"""The gamma function, its relatives, and the numbers that they interpolate."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from ...lax import special as lax_special
from ...numpy.common import arr, static_int
from ...primitives import elementwise as e
from ...primitives.array import Array, as_value
from ...primitives.core import with_user_line
from ...primitives.families import full_like
from ...primitives.identity import stop_gradient
from ...primitives.operators import align_inexact, binary, to_inexact, unary
from ...routines import special as s
from ...routines.incomplete import Betainc, Igamma, psi, stirling_error
from ...routines.special import TRACED, FormulaRow, Zeta, zeta_minus_one


def operands(*xs: Any) -> list[Any]:
    """Arrays of one floating-point dtype and one shape."""
    values = align_inexact(*[arr(x) for x in xs])
    return [arr(v) for v in values]


def pair(primitive: Any) -> Callable[[Any, Any], Any]:
    """A function of two arrays of one floating-point dtype, with a short way for those that are."""
    quick = binary(primitive, True)

    def function(x: Any, y: Any) -> Any:
        if type(x) is Array and type(y) is Array:
            return quick(x, y)
        return primitive.bind(*operands(x, y))

    return function


_gammaln, _digamma = unary(s.lgamma, True), unary(s.digamma, True)
_zeta, _gammainc, _gammaincc = pair(Zeta()), pair(Igamma()), pair(Igamma(0, True))


def gammaln(x: Any) -> Any:
    """The logarithm of |gamma(x)|.

    Args:
        x: real numbers.

    Returns:
        An array of the shape of x; inf at the poles 0, -1, -2, ... Its relative accuracy stays
        near its zeros 1 and 2.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> gammaln(10.0)
        Array(12.80182748)
    """
    return _gammaln(x)


def loggamma(x: Any) -> Any:
    """The logarithm of gamma(x) of real numbers; nan where gamma is negative.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> loggamma(3.0), loggamma(-0.5)
        (Array(0.69314718), Array(nan))
    """
    x = arr(to_inexact(x))
    return e.select(x < 0, math.nan, s.lgamma.bind(x))


def gammasgn(x: Any) -> Any:
    """The sign of gamma(x): 1 or -1; at 0 the sign of the zero, nan at negative whole numbers.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> gammasgn(-0.5), gammasgn(2.0)
        (Array(-1.), Array(1.))
    """
    x = stop_gradient(arr(to_inexact(x)))
    floor = e.floor.bind(e.select(e.is_finite.bind(x), x, -1.0))
    odd = e.absolute.bind(e.rem.bind(floor, 2.0)) == 1.0
    left = e.select(floor == x, math.nan, e.select(odd, -1.0, full_like(x, 1.0)))
    zero = e.sign.bind(e.atan2.bind(x, -1.0))
    right = e.select(x == 0, zero, e.select(x > 0, 1.0, full_like(x, math.nan)))
    return e.select(x < 0, left, right)


def gamma(x: Any) -> Any:
    """The gamma function, the integral of t**(x-1) exp(-t) over t > 0, and its continuation.

    Args:
        x: real numbers.

    Returns:
        An array of the shape of x; at 0 inf with the zero's sign, nan at negative whole numbers.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> gamma(5.0), gamma(0.5)
        (Array(24.), Array(1.77245385))
    """
    x = arr(to_inexact(x))
    return gammasgn(x) * e.exp.bind(s.lgamma.bind(x))


def factorial(n: Any, exact: bool = False) -> Any:
    """n! = gamma(n + 1) as a float, and 0 for n < 0.

    Raises:
        NotImplementedError: with `exact`: array elements have a fixed size.

    Examples:
        >>> factorial(4)
        Array(24.)
    """
    if exact:
        raise with_user_line(NotImplementedError("factorial: only exact=False is supported"))
    n = arr(to_inexact(n))
    inside = n >= 0
    value = gamma(e.select(inside, n, 0.0) + 1.0)
    return e.select(n < 0, 0.0, e.select(inside, value, n))


def digamma(x: Any) -> Any:
    """The derivative of gammaln.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> digamma(1.0)
        Array(-0.57721566)
    """
    return _digamma(x)


def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of digamma.

    Args:
        n: whole numbers >= 0; no variable of differentiation.
        x: real numbers, which broadcast with n.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> polygamma(1, 1.0)
        Array(1.64493407)
    """
    return lax_special.polygamma(*operands(to_inexact(n), x))


def zeta(x: Any, q: Any = None) -> Any:
    """Hurwitz's zeta function, the sum of (q + k)**-x over k >= 0, for x > 1.

    Args:
        x: real numbers.
        q: real numbers, which broadcast with x; None for 1, which is Riemann's zeta function.

    Returns:
        The sums; inf at x = 1 and nan for x < 1.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> zeta(2.0), zeta(2.0, 2.0)
        (Array(1.64493407), Array(0.64493407))
    """
    return _zeta(x, 1.0 if q is None else q)


def bernoulli(n: int) -> Any:
    """Bernoulli's numbers B(0) ... B(n), where B(1) = -1/2.

    Raises:
        ValueError: for n < 0.

    Examples:
        >>> bernoulli(4)
        Array([ 1.        , -0.5       ,  0.16666667,  0.        , -0.03333333])
    """
    n = static_int(n, "bernoulli", "n")
    if n < 0:
        raise with_user_line(ValueError(f"bernoulli: n must not be negative, got {n}"))
    numbers = [1.0, -0.5, *[0.0] * (n - 1)][: n + 1]
    factor = 2.0  # 2 k! / (2 pi)**k
    for k in range(1, n + 1):
        factor *= k / (2 * math.pi)
        if k % 2 == 0:
            numbers[k] = (1 if k % 4 else -1) * factor * (1 + zeta_minus_one(k))
    return as_value(np.array(numbers))


# --------------------------------------------------------------------------------------------------
# Beta and what it counts


def _betaln(m: Any, a: Any, b: Any) -> Any:
    """By Stirling's formula with its errors for positive numbers: nothing large cancels."""
    positive = (a > 0.0) & (b > 0.0)
    p, q = m.where(positive, a, 1.0), m.where(positive, b, 1.0)
    rest = stirling_error(m, p) + stirling_error(m, q) - stirling_error(m, p + q)
    logs = m.log(p) + m.log(q) - m.log(p + q)
    value = rest + 0.5 * (math.log(2 * math.pi) - logs) - p * m.log1p(q / p) - q * m.log1p(p / q)
    value = m.where((p == math.inf) | (q == math.inf), -math.inf, value)
    return m.where(positive, value, m.lgamma(a) + m.lgamma(b) - m.lgamma(a + b))


def _betaln_slope(a: Any, b: Any) -> Any:
    """digamma(a) - digamma(a + b)."""
    positive = (a > 0) & (b > 0)
    p, q = e.select(positive, a, 1.0), e.select(positive, b, 1.0)
    near = psi(TRACED, 0, p) - psi(TRACED, 0, p + q) - e.log1p.bind(q / p)
    return e.select(positive, near, s.digamma.bind(a) - s.digamma.bind(a + b))


betaln_p = FormulaRow("betaln", _betaln, lambda a, b: _betaln_slope(a, b),
                      lambda a, b: _betaln_slope(b, a))  # fmt: skip


def betaln(a: Any, b: Any) -> Any:
    """The logarithm of |beta(a, b)|.

    Args:
        a: real numbers.
        b: real numbers, which broadcast with a.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> betaln(1e8, 2.0)
        Array(-36.8413615)
    """
    return betaln_p.bind(*operands(a, b))


def beta(a: Any, b: Any) -> Any:
    """gamma(a) gamma(b) / gamma(a + b).

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> beta(2.0, 3.0)
        Array(0.08333333)
    """
    a, b = operands(a, b)
    return gammasgn(a) * gammasgn(b) * gammasgn(a + b) * e.exp.bind(betaln_p.bind(a, b))


def poch(z: Any, m: Any) -> Any:
    """Pochhammer's symbol, gamma(z + m) / gamma(z).

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> poch(3.0, 2.0)
        Array(12.)
    """
    z, m = operands(z, m)
    positive = (z > 0) & (m > 0)
    a, b = e.select(positive, z, 1.0), e.select(positive, m, 1.0)
    near = s.lgamma.bind(b) - betaln_p.bind(a, b)
    size = e.select(positive, near, s.lgamma.bind(z + m) - s.lgamma.bind(z))
    value = gammasgn(z + m) * gammasgn(z) * e.exp.bind(size)
    return e.select(m == 0, 1.0, value)


def comb(N: Any, k: Any, *, repetition: bool = False) -> Any:
    """The number of ways to choose k of N things, as a float.

    Args:
        N: how many things there are.
        k: how many are chosen; broadcasts with N.
        repetition: the same thing may be chosen more than once.

    Returns:
        N! / (k! (N - k)!); 0 for negative N or k, and for k > N without repetition.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> comb(5, 2), comb(5, 2, repetition=True)
        (Array(10.), Array(15.))
    """
    n, k = operands(to_inexact(N), to_inexact(k))
    total = n + k - 1.0 if repetition else n
    inside = (k >= 0) & (n >= 0) & (k <= total)
    total, chosen = e.select(inside, total, 1.0), e.select(inside, k, 0.0)
    size = -betaln_p.bind(total - chosen + 1.0, chosen + 1.0) - e.log1p.bind(total)
    value = e.select(inside, e.exp.bind(size), 0.0)
    return e.select((k == 0) & (n >= 0), 1.0, value) if repetition else value


def multigammaln(a: Any, d: Any) -> Any:
    """The logarithm of the multivariate gamma function of dimension d.

    Args:
        a: real numbers > (d - 1) / 2.
        d: a whole number >= 1.

    Raises:
        ValueError: for d < 1.
        TypeError: for complex numbers, or if d is no integer.

    Examples:
        >>> multigammaln(3.0, 2)
        Array(1.55019499)
    """
    d = static_int(d, "multigammaln", "d")
    if d < 1:
        raise with_user_line(ValueError(f"multigammaln: d must be at least 1, got {d}"))
    a = arr(to_inexact(a))
    terms = [s.lgamma.bind(a - 0.5 * i) for i in range(d)]
    return reduce(lambda x, y: x + y, terms) + d * (d - 1) / 4 * math.log(math.pi)


def gammainc(a: Any, x: Any) -> Any:
    """The regularized lower incomplete gamma function: the integral of t**(a-1) exp(-t) over
    0 ... x, divided by gamma(a).

    Args:
        a: real numbers >= 0.
        x: real numbers >= 0, which broadcast with a.

    Returns:
        Numbers in [0, 1]; nan outside of the domain. Derivatives by both arguments have every
        order.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> gammainc(2.0, 3.0)
        Array(0.80085173)
    """
    return _gammainc(a, x)


def gammaincc(a: Any, x: Any) -> Any:
    """1 - gammainc(a, x), with its own relative accuracy. Arguments as `gammainc` has.

    Examples:
        >>> gammaincc(2.0, 50.0)
        Array(9.83662422e-21)
    """
    return _gammaincc(a, x)


def betainc(a: Any, b: Any, x: Any) -> Any:
    """The regularized incomplete beta function: the integral of t**(a-1) (1-t)**(b-1) over
    0 ... x, divided by beta(a, b).

    Args:
        a: real numbers > 0.
        b: real numbers > 0, which broadcast with a.
        x: real numbers in [0, 1], which broadcast with a and b.

    Returns:
        Numbers in [0, 1]; nan outside of the domain. Derivatives by all arguments have every
        order.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> betainc(2.0, 3.0, 0.5)
        Array(0.6875)
    """
    return Betainc().bind(*operands(a, b, x))
