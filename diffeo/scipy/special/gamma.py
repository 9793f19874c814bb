"""The gamma function, its relatives, and the numbers that they interpolate."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from ...lax import special as lax_special
from ...numpy.common import arr, holds_complex, static_int
from ...operations.identity import stop_gradient
from ...primitives.array import Array, as_value
from ...primitives.constants import full_like
from ...primitives.core import Primitive, Value, with_user_line
from ...primitives.words import elementwise as e
from ...primitives.words.operators import binary, unary
from ...primitives.words.promotion import align_inexact, to_inexact
from ...routines.special import special as s
from ...routines.special.complex_gamma import LogGamma
from ...routines.special.densities import psi, stirling_error
from ...routines.special.incomplete import Betainc, Igamma
from ...routines.special.special import TRACED, FormulaRow, Operations, Zeta, zeta_minus_one
from ...typing import ArrayLike


def operands(*xs: Any) -> list[Any]:
    """Return the arguments as arrays of one floating-point dtype and one shape."""
    values = align_inexact(*[arr(x) for x in xs])
    return [arr(v) for v in values]


def pair(primitive: Primitive) -> Callable[[Any, Any], Any]:
    """Return a primitive as a function of two array-like operands.

    They are promoted to one floating-point dtype; two arrays of diffeo take a short way.
    """
    quick = binary(primitive, True)

    def function(x: ArrayLike, y: ArrayLike) -> Any:
        if type(x) is Array and type(y) is Array:
            return quick(x, y)
        return primitive.bind(*operands(x, y))

    return function


_gammaln, _digamma = unary(s.lgamma, True), unary(s.digamma, True)
_zeta, _gammainc, _gammaincc = pair(Zeta()), pair(Igamma()), pair(Igamma(0, True))


def gammaln(x: Any) -> Any:
    """Compute the logarithm of |gamma(x)|.

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
    """Compute the logarithm of gamma(x).

    Of real numbers, it is nan where gamma is negative; of complex numbers it is the branch that is
    cut along the negative axis.

    Examples:
        >>> loggamma(3.0), loggamma(-0.5)
        (Array(0.69314718), Array(nan))
    """
    x = arr(to_inexact(x))
    if x.dtype.kind == "c":
        return LogGamma().bind(x)
    return e.select(x < 0, math.nan, s.lgamma.bind(x))


def gammasgn(x: ArrayLike) -> Any:
    """Compute the sign of gamma(x): 1 or -1.

    At 0 it is the sign of the zero, at negative whole numbers nan.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> gammasgn(-0.5), gammasgn(2.0)
        (Array(-1.), Array(1.))
    """
    return sign_of_gamma(TRACED, stop_gradient(arr(to_inexact(x))))


def sign_of_gamma(m: Any, x: Any) -> Any:
    """Return 1 or -1, as `gammasgn` does, in the arithmetic `m`."""
    floor = m.floor(m.where(m.abs(x) < math.inf, x, -1.0))
    odd = m.abs(m.rem(floor, 2.0)) == 1.0
    left = m.where(floor == x, math.nan, m.where(odd, -1.0, m.full(1.0, x)))
    # atan2(x, -1) is pi at 0 and -pi at -0: so it tells the zeros apart.
    zero = m.sign(m.atan2(x, m.full(-1.0, x)))
    right = m.where(x == 0.0, zero, m.where(x > 0.0, 1.0, m.full(math.nan, x)))
    return m.where(x < 0.0, left, right)


def gamma(x: Any) -> Any:
    """Compute the gamma function.

    It is the integral of t**(x-1) exp(-t) over t > 0, and its continuation.

    Args:
        x: real or complex numbers.

    Returns:
        An array of the shape of x; at 0 inf with the zero's sign, nan at negative whole numbers.

    Examples:
        >>> gamma(5.0), gamma(0.5)
        (Array(24.), Array(1.77245385))
    """
    x = arr(to_inexact(x))
    if x.dtype.kind == "c":
        return e.exp.bind(LogGamma().bind(x))
    return gammasgn(x) * e.exp.bind(s.lgamma.bind(x))


def factorial(n: Any, exact: bool = False) -> Any:
    """Compute n! = gamma(n + 1) as a float, and 0 for n < 0.

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


def digamma(x: ArrayLike) -> Any:
    """Compute the derivative of gammaln, or of loggamma for complex numbers.

    Examples:
        >>> digamma(1.0)
        Array(-0.57721566)
    """
    if holds_complex(x):
        return LogGamma(1).bind(arr(x))
    return _digamma(x)


def polygamma(n: ArrayLike, x: ArrayLike) -> Any:
    """Compute the n-th derivative of digamma.

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
    """Compute Hurwitz's zeta function, the sum of (q + k)**-x over k >= 0, for x > 1.

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
    """Compute Bernoulli's numbers B(0) ... B(n), where B(1) = -1/2.

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
    # For even k, |B(k)| = 2 k! / (2 pi)**k zeta(k), and the signs alternate.
    factor = 2.0  # 2 k! / (2 pi)**k
    for k in range(1, n + 1):
        factor *= k / (2 * math.pi)
        if k % 2 == 0:
            numbers[k] = (1 if k % 4 else -1) * factor * (1 + zeta_minus_one(k))
    return as_value(np.array(numbers))


# --------------------------------------------------------------------------------------------------
# Beta and what it counts


def _betaln(m: Operations, a: Any, b: Any) -> Any:
    """Return log(beta(a, b)), in the arithmetic `m`.

    For positive numbers, Stirling's formula is used with its errors: nothing large cancels. For
    others, it is the sum of the logarithms of gamma functions.
    """
    positive = (a > 0.0) & (b > 0.0)
    p, q = m.where(positive, a, 1.0), m.where(positive, b, 1.0)
    errors = stirling_error(m, p) + stirling_error(m, q) - stirling_error(m, p + q)
    logs = m.log(p) + m.log(q) - m.log(p + q)
    value = errors + 0.5 * (math.log(2 * math.pi) - logs) - p * m.log1p(q / p) - q * m.log1p(p / q)
    value = m.where((p == math.inf) | (q == math.inf), -math.inf, value)
    return m.where(positive, value, m.lgamma(a) + m.lgamma(b) - m.lgamma(a + b))


def _reflected(m: Operations, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Return where log|beta| is reflected, and the arguments there.

    That is where a or b is a whole number n > 0 and a + b < 1. There |beta(a, b)| is |beta(1 - a -
    b, n)|, whose arguments are positive.

    Returns:
        The flags; 1 - a - b; and n. Elsewhere, both numbers are 1.
    """
    whole = lambda v: (v > 0.0) & (m.floor(v) == v) & (v < math.inf)
    hit = (a + b < 1.0) & (whole(a) | whole(b)) & (a > -math.inf) & (b > -math.inf)
    return hit, m.where(hit, 1.0 - a - b, 1.0), m.where(hit, m.max(a, b), 1.0)


def _log_beta(m: Operations, a: Any, b: Any) -> Any:
    """Return log|beta(a, b)|, also where the poles of two gamma functions cancel."""
    hit, top, n = _reflected(m, a, b)
    value = _betaln(m, m.where(hit, top, a), m.where(hit, n, b))
    pole = lambda x: (x <= 0.0) & (m.floor(x) == x)
    return m.where((pole(a) | pole(b)) & ~hit & (a + b == a + b), math.inf, value)


def _betaln_slope(a: Value, b: Value) -> Any:
    """Return digamma(a) - digamma(a + b), the derivative of log|beta(a, b)| by a."""
    hit, top, n = _reflected(TRACED, a, b)
    hit = hit & (b > 0)  # digamma(1 - a) - digamma(1 - a - b), for a whole b
    a, b = e.select(hit, top, a), e.select(hit, n, b)
    positive = (a > 0) & (b > 0)
    p, q = e.select(positive, a, 1.0), e.select(positive, b, 1.0)
    near = psi(TRACED, 0, p) - psi(TRACED, 0, p + q) - e.log1p.bind(q / p)
    slope = e.select(positive, near, s.digamma.bind(a) - s.digamma.bind(a + b))
    return e.select(hit, -slope, slope)


betaln_p = FormulaRow("betaln", _log_beta, lambda a, b: _betaln_slope(a, b),
                      lambda a, b: _betaln_slope(b, a))  # fmt: skip


def betaln(a: ArrayLike, b: ArrayLike) -> Any:
    """Compute the logarithm of |beta(a, b)|.

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


def beta(a: ArrayLike, b: ArrayLike) -> Any:
    """Compute the beta function, gamma(a) gamma(b) / gamma(a + b).

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> beta(2.0, 3.0)
        Array(0.08333333)
    """
    a, b = operands(a, b)
    hit, _, n = _reflected(TRACED, a, b)
    pole = lambda x: (x <= 0) & (e.floor.bind(x) == x)
    sign = lambda x: e.select(pole(x), 1.0, gammasgn(x))
    # beta(a, n) = (-1)**n beta(1 - a - n, n) for whole n.
    odd = e.rem.bind(stop_gradient(n), 2.0) == 1.0
    sign = e.select(hit, e.select(odd, -1.0, full_like(a, 1.0)), sign(a) * sign(b) * sign(a + b))
    value = sign * e.exp.bind(betaln_p.bind(a, b))
    # 1 / gamma(a + b) at its zeros, with its derivatives: gamma(1 - a - b) sin(pi (a + b)) / pi.
    zero = pole(a + b) & ~pole(a) & ~pole(b) & ~hit
    p, q, total = e.select(zero, a, 0.5), e.select(zero, b, 0.5), e.select(zero, a + b, 0.0)
    size = gamma(p) * gamma(q) * gamma(1.0 - total) * (1 / math.pi)
    turned = e.sin.bind((total - e.round_even.bind(total)) * math.pi)
    even = e.rem.bind(e.round_even.bind(total), 2.0) == 0.0
    return e.select(zero, size * e.select(even, turned, -turned), value)


def _poch(m: Operations, z: Any, n: Any) -> Any:
    """Return gamma(z + n) / gamma(z), in the arithmetic `m`.

    For positive numbers it comes from beta. For z = 0, -1, ... and whole n it goes through 1 - z,
    which is no pole.
    """
    pole = (z <= 0.0) & (m.floor(z) == z)
    # At a pole z and for whole n, the value is (-1)**n gamma(1 - z) / gamma(1 - z - n); it is 0
    # where z + n is no pole.
    top = m.where(pole, 1.0 - z, z + n)
    bottom = m.where(pole, 1.0 - z - n, z)
    positive = (z > 0.0) & (n > 0.0)
    a, b = m.where(positive, z, 1.0), m.where(positive, n, 1.0)
    size = m.where(positive, m.lgamma(b) - _betaln(m, a, b), m.lgamma(top) - m.lgamma(bottom))
    value = sign_of_gamma(m, top) * sign_of_gamma(m, bottom) * m.exp(size)
    odd = m.abs(m.rem(n, 2.0)) == 1.0
    at_pole = m.where(odd, -value, value)
    at_pole = m.where((m.floor(n) == n) & (bottom > 0.0), at_pole, 0.0)
    at_pole = m.where((z + n <= 0.0) | (m.floor(n) != n), at_pole, 0.0)
    value = m.where(pole, at_pole, value)
    value = m.where((top <= 0.0) & (m.floor(top) == top) & ~pole, math.inf, value)
    return m.where(n == 0.0, 1.0, value)


poch_p = FormulaRow(
    "poch", _poch,
    lambda z, n, out: out * -_betaln_slope(z, n), lambda z, n, out: out * s.digamma.bind(z + n),
)  # fmt: skip


def poch(z: ArrayLike, m: ArrayLike) -> Any:
    """Compute Pochhammer's symbol, gamma(z + m) / gamma(z).

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> poch(3.0, 2.0)
        Array(12.)
    """
    return poch_p.bind(*operands(z, m))


def comb(N: Any, k: Any, *, repetition: bool = False) -> Any:
    """Compute the number of ways to choose k of N things, as a float.

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
    # N! / (k! (N - k)!) = 1 / ((N + 1) beta(N - k + 1, k + 1)).
    size = -betaln_p.bind(total - chosen + 1.0, chosen + 1.0) - e.log1p.bind(total)
    value = e.select(inside, e.exp.bind(size), 0.0)
    return e.select((k == 0) & (n >= 0), 1.0, value) if repetition else value


def multigammaln(a: ArrayLike, d: Any) -> Any:
    """Compute the logarithm of the multivariate gamma function of dimension d.

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


def gammainc(a: ArrayLike, x: ArrayLike) -> Any:
    """Compute the regularized lower incomplete gamma function.

    It is the integral of t**(a-1) exp(-t) over 0 ... x, divided by gamma(a).

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


def gammaincc(a: ArrayLike, x: ArrayLike) -> Any:
    """Compute 1 - gammainc(a, x), with its own relative accuracy. Arguments as `gammainc` has.

    Examples:
        >>> gammaincc(2.0, 50.0)
        Array(9.83662422e-21)
    """
    return _gammaincc(a, x)


def betainc(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> Any:
    """Compute the regularized incomplete beta function.

    It is the integral of t**(a-1) (1-t)**(b-1) over 0 ... x, divided by beta(a, b).

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
