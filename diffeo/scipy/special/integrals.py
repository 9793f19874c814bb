"""Exponential, sine, cosine and Fresnel integrals, the dilogarithm and Owen's T function.

Where they are smooth, they are polynomials through values of their integrals at Chebyshev's points,
which are evaluated when a function is first used.

A function here is a formula `f(m, x)`, written once for two arithmetics `m`: NumPy and primitives.
`FormulaRow` and `Formula` (`routines/special/special.py`) make primitives of formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ...numpy.common import arr
from ...numpy.ufuncs import sinc
from ...primitives.core import Value
from ...primitives.formulas.reference import special_function
from ...primitives.support.frozen import frozen
from ...primitives.words import elementwise as e
from ...primitives.words.promotion import to_inexact
from ...routines.special.incomplete import integral
from ...routines.special.special import (
    BERNOULLI,
    EULER,
    HOST,
    Formula,
    FormulaRow,
    Operations,
    chebyshev,
    evaluate,
    polynomial,
)
from ...typing import ArrayLike
from .gamma import operands

# --------------------------------------------------------------------------------------------------
# Exponential integrals


@frozen
class Expn(Formula):
    """The integral of t**-n exp(-x t) over t > 1, or a derivative by n.

    `k` is how often the function is differentiated by n: the integrand is multiplied by
    (-log(t))**k.
    """

    k: int = 0

    def impl(self, n: np.ndarray, x: np.ndarray) -> np.ndarray:
        if self.k == 0 and np.all((n >= 0) & (n == np.floor(n)) & (n < 2**31)):
            return special_function("expn")(n, x)
        return evaluate(self.formula, n, x)

    def formula(self, m: Any, n: Any, x: Any) -> Any:
        inside = (x > 0.0) & (x < math.inf) & (m.abs(n) < math.inf)
        n1, x1 = m.where(inside, n, 1.0), m.where(inside, x, 1.0)

        def tail(z: Any, n: Any, x: Any, width: Any) -> Any:
            log = m.log1p(z / width)
            value = m.exp(-n * log - x * (z / width))
            for _ in range(self.k):
                value = value * -log
            return value

        # The integral over t > 1, with t = 1 + z / width; the factor exp(-x) stands before it.
        width = 1.0 + x1 + m.abs(n1)
        value = integral(m, tail, n1, x1, width) / width * m.exp(-x1)
        # At x = 0 the integral is k! (-1)**k / (n - 1)**(k + 1), if n > 1, and else infinite.
        above = m.where(n > 1.0, n, 2.0) - 1.0
        at_zero = m.where(n > 1.0, (-1) ** self.k * math.factorial(self.k) / above ** (self.k + 1),
                          (-1) ** self.k * math.inf)  # fmt: skip
        edge = m.where(x == 0.0, at_zero, m.where(x == math.inf, n * 0.0, math.nan))
        return m.where(inside, value, edge)

    def slopes(self) -> Sequence[Callable]:
        return (
            lambda n, x: Expn(self.k + 1).bind(n, x),
            lambda n, x: -self.bind(n - 1.0, x),
        )


def expn(n: ArrayLike, x: ArrayLike) -> Any:
    """Compute the exponential integral E_n(x): that of t**-n exp(-x t) over t > 1.

    Args:
        n: real numbers.
        x: real numbers >= 0, which broadcast with n.

    Returns:
        An array; nan for x < 0. Derivatives by both arguments have every order.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> expn(2, 1.0)
        Array(0.14849551)
    """
    return Expn().bind(*operands(to_inexact(n), x))


#: The coefficients 1 / (k k!), k = 1, 2 ..., of the integral of (exp(x) - 1) / x, divided by x.
_EXPONENTIAL = [1 / (k * math.factorial(k)) for k in range(1, 22)]


def _expi(m: Operations, x: Value) -> Any:
    """Return Ei(x), in the arithmetic `m`.

    It is log|x| + EULER + the integral of (exp(t) - 1) / t over 0 ... x: a power series near 0, and
    an integral on the right. On the left it is -E_1(-x).
    """
    right, near = x > 0.0, m.abs(x) < 1.0
    size = m.where((x == 0.0) | (m.abs(x) == math.inf), 1.0, m.abs(x))

    def part(z: Value, x: Value, width: Value, right: Value) -> Any:
        # On the left, E_1(x) exp(x) is the integral of exp(-x u) / (1 + u) over u > 0. On the
        # right, t = x exp(-u) makes u > 0 of 0 < t < x; all is multiplied by exp(-x), so nothing
        # overflows.
        u = z / width
        grown = m.exp(x * m.expm1(-u)) - m.exp(-x)  # exp(-x) (exp(x exp(-u)) - 1)
        return m.where(right, grown, m.exp(-x * u) / (1.0 + u))

    width = 1.0 + size
    value = integral(m, part, size, width, right) / width
    half = m.exp(size * 0.5)  # exp(x) itself may overflow
    value = m.where(right, m.log(size) + EULER + half * value * half, -m.exp(-size) * value)
    small = m.where(near, x, 0.0)
    series = m.log(size) + EULER + small * polynomial(small, _EXPONENTIAL)
    value = m.where(near, series, value)
    value = m.where(x == math.inf, math.inf, m.where(x == -math.inf, 0.0, value))
    return m.where(x == 0.0, -math.inf, m.where(x == x, value, math.nan))


def _exponential_over(x: Value) -> Any:
    """Return exp(x) / x, also where exp(x) overflows."""
    half = e.exp.bind(x * 0.5)
    return half * (half / x)


expi_p = FormulaRow("expi", _expi, lambda x: _exponential_over(x), impl=special_function("expi"))


def expi(x: ArrayLike) -> Any:
    """Compute the exponential integral Ei(x).

    It is the integral of exp(t) / t over t < x (Cauchy's principal value).

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> expi(1.0)
        Array(1.89511782)
    """
    return expi_p.bind(arr(to_inexact(x)))


def exp1(x: Any) -> Any:
    """Compute the exponential integral E_1(x): that of exp(-t) / t over t > x, for x >= 0.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> exp1(1.0)
        Array(0.21938393)
    """
    x = arr(to_inexact(x))
    return e.select(x >= 0, -expi_p.bind(-x), math.nan)


# --------------------------------------------------------------------------------------------------
# Oscillating integrands: polynomials near 0, and auxiliary functions f and g far from it


@cache
def _sine_polynomials() -> tuple[Callable, ...]:
    """Return four Chebyshev polynomials for the sine and cosine integrals.

    They are Si(x) / x and (Ci(x) - log(x) - EULER) / x**2 in x**2 < 64; x f and x**2 g in 1 / x**2,
    with the auxiliary functions f and g (DLMF 6.2.17, 6.7.13).
    """
    nodes, weights = np.polynomial.legendre.leggauss(60)
    s = (nodes + 1) / 2

    def sine(x2: np.ndarray) -> np.ndarray:
        return np.sinc(np.multiply.outer(np.sqrt(x2), s) / math.pi) @ weights / 2

    def cosine(x2: np.ndarray) -> np.ndarray:
        return -(np.sinc(np.multiply.outer(np.sqrt(x2), s) / (2 * math.pi)) ** 2 * s) @ weights / 4

    far = [lambda w, k=k: integral(HOST, lambda z, w: z**k * np.exp(-z) / (1 + w * z * z), w)
           for k in (0, 1)]  # fmt: skip
    return (chebyshev(sine, 0.0, 64.0), chebyshev(cosine, 0.0, 64.0),
            *[chebyshev(f, 0.0, 1 / 64, 60) for f in far])  # fmt: skip


def _sine_integrals(m: Operations, x: Any) -> tuple[Any, Any]:
    """Return Si(x) and Ci(|x|): polynomials near 0; f, g, sine and cosine for |x| > 8."""
    sine, cosine, f, g = _sine_polynomials()
    size = m.abs(x)
    near = size < 8.0
    a, b = m.where(near, size, 1.0), m.where(near, 8.0, size)
    w = 1.0 / (b * b)
    f, g = f(w) / b, g(w) * w
    finite = m.where(b == math.inf, 0.0, b)
    sin, cos = m.sin(finite), m.cos(finite)
    si = m.where(near, a * sine(a * a), math.pi / 2 - f * cos - g * sin)
    ci = m.where(near, m.log(a) + EULER + a * a * cosine(a * a), f * sin - g * cos)
    is_number = x == x
    return m.where(is_number, m.where(x < 0.0, -si, si), x), m.where(is_number, ci, x)


def _at_zero(m: Operations, x: Any, ci: Any) -> Any:
    return m.where(x < 0.0, math.nan, m.where(x == 0.0, -math.inf, ci))


sine_integral = FormulaRow(
    "sine_integral", lambda m, x: _sine_integrals(m, x)[0], lambda x: sinc(x * (1 / math.pi))
)
cosine_integral = FormulaRow(
    "cosine_integral", lambda m, x: _at_zero(m, x, _sine_integrals(m, x)[1]),
    lambda x: e.cos.bind(x) / x,
)  # fmt: skip


def sici(x: ArrayLike) -> tuple[Any, Any]:
    """Compute the integrals of sin(t) / t over 0 ... x and of -cos(t) / t over t > x.

    Args:
        x: real numbers.

    Returns:
        Two arrays of the shape of x; the second is nan for x < 0.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> sici(1.0)
        (Array(0.94608307), Array(0.33740392))
    """
    x = arr(to_inexact(x))
    return sine_integral.bind(x), cosine_integral.bind(x)


#: Where Fresnel's polynomials in x give way to those in 1 / x.
_BREAK = 1.6


@cache
def _fresnel_polynomials() -> tuple[Callable, ...]:
    """Return four Chebyshev polynomials for Fresnel's integrals.

    They are S(x) / x**3 and C(x) / x in x**4; x**3 g and x f in 1 / x**4, with the auxiliary
    functions f and g (DLMF 7.5.3, 7.5.4, 7.7.10, 7.7.11).
    """
    nodes, weights = np.polynomial.legendre.leggauss(40)
    s, r = (nodes + 1) / 2, np.arange(-48, 49) / 8.0
    gauss = np.exp(-math.pi / 2 * r * r) * (math.sqrt(2) / math.pi / 16)

    def near(x4: np.ndarray, k: int) -> np.ndarray:
        angle = np.multiply.outer(np.sqrt(x4), s * s) * (math.pi / 2)
        values = np.cos(angle) if k == 0 else np.sinc(angle / math.pi) * s * s * (math.pi / 2)
        return values @ weights / 2

    def far(w: np.ndarray, k: int) -> np.ndarray:
        return (gauss * r ** (2 * k) / (1 + np.multiply.outer(w, r**4))).sum(-1)

    top = _BREAK**4
    return (*[chebyshev(lambda t, k=k: near(t, k), 0.0, top) for k in (1, 0)],
            *[chebyshev(lambda t, k=k: far(t, k), 0.0, 1 / top) for k in (1, 0)])  # fmt: skip


def _fresnel(m: Operations, x: Any, cosine: bool) -> Any:
    """Return C(x) if `cosine`, else S(x), in the arithmetic `m`."""
    sine_near, cosine_near, g, f = _fresnel_polynomials()
    size = m.abs(x)
    near = size < _BREAK
    a, b = m.where(near, size, 1.0), m.where(near, _BREAK, size)
    w = 1.0 / (b * b) / (b * b)
    f, g = f(w) / b, g(w) / b / b / b
    angle = _turn(m, b)
    sin, cos = m.where(b == math.inf, 0.0, m.sin(angle)), m.where(b == math.inf, 0.0, m.cos(angle))
    a4 = a * a * (a * a)
    if cosine:
        value = m.where(near, a * cosine_near(a4), f * sin - g * cos + 0.5)
    else:
        value = m.where(near, a * a * a * sine_near(a4), 0.5 - f * cos - g * sin)
    return m.where(x == x, m.where(x < 0.0, -value, value), x)


def _turn(m: Operations, x: Any) -> Any:
    """Return pi x**2 / 2 modulo 2 pi, without an error for large x.

    With x = 2 n + r, x**2 is 4 n r + r**2 modulo 4, and the product n r has no more digits than x.
    """
    n = m.round(m.where(m.abs(x) < math.inf, x, 0.0) * 0.5)
    r = x - 2.0 * n
    cross = n * r
    return (4.0 * (cross - m.round(cross)) + r * r) * (math.pi / 2)


fresnel_sine = FormulaRow(
    "fresnel_sine", lambda m, x: _fresnel(m, x, False), lambda x: sine_of_square.bind(x)
)
fresnel_cosine = FormulaRow(
    "fresnel_cosine", lambda m, x: _fresnel(m, x, True), lambda x: cosine_of_square.bind(x)
)
sine_of_square = FormulaRow(
    "sine_of_square", lambda m, x: m.sin(_turn(m, x)),
    lambda x: cosine_of_square.bind(x) * x * math.pi,
)  # fmt: skip
cosine_of_square = FormulaRow(
    "cosine_of_square", lambda m, x: m.cos(_turn(m, x)),
    lambda x: sine_of_square.bind(x) * x * -math.pi,
)  # fmt: skip


def fresnel(x: ArrayLike) -> tuple[Any, Any]:
    """Compute the integrals of sin(pi t**2 / 2) and of cos(pi t**2 / 2) over 0 ... x.

    Args:
        x: real numbers.

    Returns:
        Two arrays of the shape of x.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> fresnel(1.0)
        (Array(0.43825915), Array(0.7798934))
    """
    x = arr(to_inexact(x))
    return fresnel_sine.bind(x), fresnel_cosine.bind(x)


# --------------------------------------------------------------------------------------------------
# The dilogarithm, Owen's T

#: B(2k) / (2k + 1)! for k = 1, 2, ...
_DILOGARITHM = [b / (2 * k + 1) for k, b in enumerate(BERNOULLI, 1)]


def _spence(m: Operations, x: Value) -> Any:
    """Return the dilogarithm, in the arithmetic `m`.

    The argument is reflected to 1/2 ... 2. There, with u = -log(x), the function is u - u**2 / 4 +
    the sum of B(2k) / (2k + 1)! u**(2k + 1).
    """
    # Below 1/2 the value is pi**2 / 6 - log(x) log(1 - x) less that at 1 - x; beyond 2 it is
    # -log(x)**2 / 2 less that at 1 / x.
    large = x > 2.0
    inner = m.where(large, 1.0 / x, m.where(x > 0.0, x, 1.0))
    small = inner < 0.5
    u = -m.log(m.where(small, 1.0 - inner, inner))
    series = u * (u * (u * polynomial(u * u, _DILOGARITHM) - 0.25) + 1.0)
    log = m.log(inner)
    value = m.where(small, math.pi**2 / 6 + log * u - series, series)
    value = m.where(large, -0.5 * log * log - value, value)
    value = m.where(x == 0.0, math.pi**2 / 6, value)
    return m.where(x >= 0.0, value, math.nan)


def _log_quotient(x: Value) -> Any:
    """Return log(x) / (1 - x), by its series near 1."""
    z = 1.0 - x
    near = e.absolute.bind(z) < 0.1
    series = polynomial(e.select(near, z, 0.0), [-1 / (k + 1) for k in range(18)])
    z = e.select(near, 1.0, z)
    return e.select(near, series, e.log.bind(e.select(near, 1.0, x)) / z)


spence_p = FormulaRow("spence", _spence, _log_quotient, impl=special_function("spence"))


def spence(x: ArrayLike) -> Any:
    """Compute the dilogarithm: the integral of log(t) / (1 - t) over 1 ... x, for x >= 0.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> spence(0.0)
        Array(1.64493407)
    """
    return spence_p.bind(arr(to_inexact(x)))


def _owens_t(m: Operations, h: Value, a: Value) -> Any:
    """Return Owen's T function, in the arithmetic `m`.

    It is the integral of exp(-h**2 (1 + t**2) / 2) / (1 + t**2) / (2 pi) over 0 ... a, by
    Gauss-Legendre over the part of 0 ... |a| that counts. For |a| > 1 it comes from T(a h, 1 / a).
    """
    h, size = m.abs(h), m.abs(a)
    steep = size > 1.0
    # With the tails p and q of the normal distribution beyond h and a h, T(h, a) is (p + q) / 2 - p
    # q - T(a h, 1 / a).
    h1 = m.where(steep, m.where(h == 0.0, 0.0, size * h), h)
    b = m.where(steep, 1.0 / size, size)
    # Beyond t = 9 / h1, the integrand is below exp(-40).
    top = m.where(h1 * b > 9.0, 9.0 / m.where(h1 > 1.0, h1, 1.0), b)
    total = h * 0.0
    for node, weight in zip(*np.polynomial.legendre.leggauss(30)):
        t = top * (0.5 * (float(node) + 1.0))
        t2 = t * t + 1.0
        total = total + m.exp(-0.5 * h1 * h1 * t2) / t2 * float(weight)
    value = total * top * (0.25 / math.pi)
    p, q = (0.5 * m.erfc(x * math.sqrt(0.5)) for x in (h, h1))
    value = m.where(steep, 0.5 * (p + q) - p * q - value, value)
    value = m.where(h == math.inf, 0.0, value)
    return m.where((h == h) & (a == a), m.where(a < 0.0, -value, value), math.nan)


def _owens_by_h(h: Value, a: Value) -> Any:
    """Return the derivative of T(h, a) by h."""
    density = e.exp.bind(h * h * -0.5) * (-0.5 / math.sqrt(2 * math.pi))
    return density * e.erf.bind(a * h * math.sqrt(0.5))


def _owens_by_a(h: Value, a: Value) -> Any:
    """Return the derivative of T(h, a) by a."""
    t2 = a * a + 1.0
    return e.exp.bind(h * h * t2 * -0.5) / t2 * (0.5 / math.pi)


owens_t_p = FormulaRow("owens_t", _owens_t, _owens_by_h, _owens_by_a,
                       impl=special_function("owens_t"))  # fmt: skip


def owens_t(h: ArrayLike, a: ArrayLike) -> Any:
    """Compute Owen's T function.

    It is the probability that X > h and 0 < Y < a X, for independent standard normal variables.

    Args:
        h: real numbers.
        a: real numbers, which broadcast with h.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> owens_t(1.0, 0.5)
        Array(0.04306469)
    """
    return owens_t_p.bind(*operands(h, a))
