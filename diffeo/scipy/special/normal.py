"""The normal distribution: erf and its inverses, erfcx, Dawson's and Faddeeva's functions.

erfcx(x) = exp(x**2) erfc(x) neither overflows nor underflows for x > 0. Faddeeva's function w(z) =
exp(-z**2) erfc(-i z) is erfcx(-i z), and continues it to complex numbers. Many of the others are
computed from these two, by formulas `f(m, x)` for two arithmetics `m`: NumPy and primitives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ...numpy.common import arr, holds_complex
from ...primitives.core import Value
from ...primitives.formulas.reference import special_function
from ...primitives.support.frozen import frozen
from ...primitives.types import complex_dtype
from ...primitives.words import elementwise as e
from ...primitives.words.operators import unary
from ...primitives.words.promotion import to_inexact
from ...primitives.words.structural import convert_element_type
from ...routines.special import special as s
from ...routines.special.incomplete import integral
from ...routines.special.special import (
    HOST,
    Formula,
    FormulaRow,
    Operations,
    chebyshev,
    evaluate,
    polynomial,
)
from ...typing import ArrayLike

_ROOT_PI = math.sqrt(math.pi)
_erf, _erfc = unary(e.erf, True), unary(s.erfc, True)


def erf(x: ArrayLike) -> Any:
    """Compute the error function, of real or complex numbers.

    Examples:
        >>> erf(1.0)
        Array(0.84270079)
    """
    return complex_erf_p.bind(arr(x)) if holds_complex(x) else _erf(x)


def erfc(x: ArrayLike) -> Any:
    """Compute 1 - erf(x), of real or complex numbers.

    Far to the right its relative accuracy stays.

    Examples:
        >>> erfc(10.0)
        Array(2.08848758e-45)
    """
    return complex_erfc_p.bind(arr(x)) if holds_complex(x) else _erfc(x)


@cache
def _tail_polynomial(n: int) -> Callable:
    """Return a Chebyshev polynomial for the n-th repeated integral that `Erfcx` needs.

    It is the integral of u**n exp(-u**2 - 2 x u) over u > 0, times 2 / sqrt(pi) (1 + x)**(n + 1),
    as a polynomial in 1 / (1 + x / 3).
    """

    def f(t: np.ndarray) -> np.ndarray:
        x = 3 / t - 3
        scale = 1 / (1 + x)
        tail = lambda z, s, x: z**n * np.exp(-s * z * (s * z + 2 * x))
        return integral(HOST, tail, scale, x, fine=2) * (2 / _ROOT_PI)

    return chebyshev(f, 0.0, 1.0, 44 + 10 * n)


@frozen
class Erfcx(Formula):
    """exp(x**2) erfc(x) for n = 0; for other n, its n-th derivative divided by (-2)**n.

    The derivatives are integrals of their own: so they are no differences of large numbers.
    """

    n: int = 0

    def impl(self, x: np.ndarray) -> np.ndarray:
        return evaluate(self.formula, x) if self.n else special_function("erfcx")(x)

    def formula(self, m: Any, x: Any) -> Any:
        size = m.abs(x)

        def right(n: int) -> Any:
            return _tail_polynomial(n)(1.0 / (1.0 + size / 3.0)) / (1.0 + size) ** (n + 1)

        # erfcx(-x) = 2 exp(x**2) - erfcx(x), where `right` gives the second term.
        below, left = 0.0, 2.0 * m.exp(x * x) - right(0)
        # On the left, integration by parts leads from one derivative to the next.
        for k in range(self.n):
            below, left = left, (k * below + (0.0 if k else 2 / _ROOT_PI)) * 0.5 - x * left
        return m.where(x < 0.0, left, right(self.n))

    def slopes(self) -> Sequence[Callable]:
        return (lambda x: Erfcx(self.n + 1).bind(x) * -2.0,)


@cache
def _inverse_polynomials() -> tuple[Callable, Callable, Callable]:
    """Return three Chebyshev polynomials for erf's inverse y of x.

    Their variable is w = -log(1 - x**2). They are y / x up to w = 7, and y in the root of w for
    roots up to 6.2 and for larger ones.
    """

    def inverse(w: np.ndarray) -> np.ndarray:
        """Return y by Newton's method for log(erfc(y)).

        The value of the logarithm is known without a difference.
        """
        log, y = -w - np.log1p(np.sqrt(-np.expm1(-w))), np.sqrt(w)
        for _ in range(30):
            scaled = special_function("erfcx")(y)
            y = y + (np.log(scaled) - y * y - log) * scaled * (_ROOT_PI / 2)
        return y

    def near(w: np.ndarray) -> np.ndarray:
        x = np.sqrt(-np.expm1(-w))
        return np.where(w < 0.3, special_function("erfinv")(x), inverse(w)) / x

    of_root = lambda s: inverse(s * s)
    return (
        chebyshev(near, 0.0, 7.0, 23, True),
        chebyshev(of_root, 2.6, 6.2, 22, True),
        chebyshev(of_root, 6.2, 27.4, 26, True),
    )


def _inverse(m: Operations, x: Value, product: Value, tail: bool) -> Any:
    """Return the inverse of erf at x, of which `product`, 1 - x**2, is known exactly.

    With `tail`, the product may be as small as numbers get.
    """
    near, far, farther = _inverse_polynomials()
    w = -m.log(product)
    close = w < 7.0
    root = m.sqrt(m.where(close, 7.0, w))
    size = far(root)
    if tail:
        size = m.where(root < 6.2, size, farther(root))
    return m.where(close, x * near(w), m.where(x < 0.0, -size, size))


def _erfinv(m: Operations, x: Value) -> Any:
    size = m.abs(x)
    y = _inverse(m, x, (1.0 - size) * (size + 1.0), False)
    return m.where(size == 1.0, x * math.inf, y)


def _erfcinv(m: Operations, q: Value) -> Any:
    y = _inverse(m, 1.0 - q, q * (2.0 - q), True)
    return m.where(q == 0.0, math.inf, m.where(q == 2.0, -math.inf, y))


erfinv_p = FormulaRow(
    "erfinv", _erfinv, lambda x, y: e.exp.bind(e.scale.bind(y, y)) * (_ROOT_PI / 2),
    impl=special_function("erfinv"),
)  # fmt: skip
_inverse_of_erf = unary(erfinv_p, True)


def _erfcinv_slope(m: Operations, q: Any) -> Any:
    """Return the derivative of erfcinv, -sqrt(pi) / 2 exp(y**2).

    exp(y**2) is computed as erfcx(|y|) over erfc(|y|), which is the smaller one of q and 2 - q. So
    an error of y is not multiplied by y**2.
    """
    y = m.of(erfcinv_p)(q)
    finite = m.where(m.abs(y) < math.inf, m.abs(y), 0.0)
    slope = m.of(Erfcx())(finite) / m.min(q, 2.0 - q) * (-_ROOT_PI / 2)
    return m.where(m.abs(y) == math.inf, -math.inf, slope + (y - y))


erfcinv_p = FormulaRow(
    "erfcinv", _erfcinv, lambda q: erfcinv_slope_p.bind(q), impl=special_function("erfcinv"),
)  # fmt: skip
erfcinv_slope_p = FormulaRow(
    "erfcinv_slope", _erfcinv_slope, lambda q, slope: erfcinv_p.bind(q) * slope * slope * 2.0,
)  # fmt: skip


def erfcinv(y: ArrayLike) -> Any:
    """Compute the inverse of erfc, for y in [0, 2]; nan elsewhere.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> erfcinv(1e-100)
        Array(15.0655747)
    """
    return erfcinv_p.bind(arr(to_inexact(y)))


def erfinv(x: ArrayLike) -> Any:
    """Compute the inverse of erf, for x in [-1, 1]; nan elsewhere.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> erfinv(0.5)
        Array(0.47693628)
    """
    return _inverse_of_erf(x)


def erfcx(x: ArrayLike) -> Any:
    """Compute exp(x**2) erfc(x), of real or complex numbers.

    It neither overflows nor underflows for x > 0.

    Examples:
        >>> erfcx(1e3)
        Array(0.00056419)
    """
    if holds_complex(x):
        return wofz_p.bind(arr(x) * 1j)
    return Erfcx().bind(arr(to_inexact(x)))


def ndtr(x: ArrayLike) -> Any:
    """Compute the probability that a standard normal variable is below x.

    The function is continued to complex numbers.

    Examples:
        >>> ndtr(0.0), ndtr(-10.0)
        (Array(0.5), Array(7.61985302e-24))
    """
    return 0.5 * erfc(arr(to_inexact(x)) * -math.sqrt(0.5))


def ndtri(p: ArrayLike) -> Any:
    """Compute the inverse of ndtr, for p in [0, 1]; nan elsewhere.

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> ndtri(0.975)
        Array(1.95996398)
    """
    return erfcinv_p.bind(arr(to_inexact(p)) * 2.0) * -math.sqrt(2.0)


def log_ndtr(x: Any, series_order: int = 3) -> Any:
    """Compute log(ndtr(x)), accurate in both tails.

    Args:
        x: real or complex numbers.
        series_order: taken for the sake of jax's signature; every x is accurate without it.

    Examples:
        >>> log_ndtr(-100.0)
        Array(-5005.52420869)
    """
    x = arr(to_inexact(x))
    if x.dtype.kind == "c":
        return _complex_log_ndtr(x)
    left = x < -1.0
    low, high = e.select(left, x, -1.0), e.select(left, 0.0, x)
    scaled = Erfcx().bind(low * -math.sqrt(0.5))
    tail = e.log.bind(0.5 * scaled) - 0.5 * low * low
    return e.select(left, tail, e.log1p.bind(-0.5 * s.erfc.bind(high * math.sqrt(0.5))))


def _complex_log_ndtr(x: Any) -> Any:
    """Return the principal logarithm of erfc(u) / 2, u = -x / sqrt(2).

    Where that is small it comes from erfcx. On the right it is log(1 - erfc(-u) / 2), where the
    second term may be large, too.
    """
    left = e.real.bind(x) < -1.0
    u = x * -math.sqrt(0.5)
    low, high = e.select(left, u, 1.0 + 0j), e.select(left, 0j, -u)
    tail = e.log.bind(0.5 * erfcx(low)) - low * low
    large = e.real.bind(-high * high) > 100.0
    grown = e.log.bind(-0.5 * erfcx(high)) - high * high
    small = e.log1p.bind(-0.5 * erfc(e.select(large, 0j, high)))
    out = e.select(left, tail, e.select(large, grown, small))
    # The logarithms of factors are added, so the angle may have left -pi ... pi.
    angle = e.imag.bind(out)
    turns = e.round_even.bind(angle * (0.5 / math.pi))
    return e.complex_.bind(e.real.bind(out), angle - turns * (2 * math.pi))


# --------------------------------------------------------------------------------------------------
# The complex plane

#: The number of the last node of the trapezoidal rule for w(z): there are 12 to each side.
_COUNT = 11
#: The distance h = sqrt(pi / 12) of its nodes.
_STEP = math.sqrt(math.pi / (_COUNT + 1))


def _wofz(m: Operations, z: Value) -> Any:
    """Return w(z), in the arithmetic `m`.

    There are two trapezoidal rules, with nodes (k + 1/2) h and k h, each corrected for the pole
    that it passes (Al Azah and Chandler-Wilde 2021, section 1). For y < x, the one whose nodes
    are farther from x is taken. The other quadrants are mirrored to the first one.
    """
    x, y = m.real(z), m.imag(z)
    lower, mirrored = y < 0.0, (x < 0.0) ^ (y < 0.0)
    x, y = m.abs(x), m.abs(y)
    z1 = m.complex(x, y)
    fraction = x / _STEP - m.floor(x / _STEP)
    whole = (y < x) & (fraction >= 0.25) & (fraction <= 0.75)  # nodes k h, not (k + 1/2) h
    square, total = z1 * z1, None
    for k in range(_COUNT + 1):
        halves, wholes = ((k + 0.5) * _STEP) ** 2, (k * _STEP) ** 2
        zero = m.complex(m.where(whole, wholes, x * 0.0 + halves), x * 0.0)
        weight = 0.5 * math.exp(-wholes) if k == 0 else math.exp(-wholes)
        size = m.complex(m.where(whole, weight, x * 0.0 + math.exp(-halves)), x * 0.0)
        total = size / (square - zero) if total is None else total + size / (square - zero)
    w = total * z1 * complex(0.0, 2 * _STEP / math.pi)
    near = (y < x) | (y < math.pi / _STEP)
    turn = m.exp(m.complex(m.where(near, y, 0.0), -x) * complex(2 * math.pi / _STEP))
    turn = m.where(whole, -turn, turn)
    w = m.where(near, w + m.exp(-square) * 2.0 / (turn + 1.0), w)
    w = m.where((x == math.inf) | (y == math.inf), 0j, m.where(mirrored, m.conj(w), w))
    return m.where(lower, m.exp(-z * z) * 2.0 - w, w)


wofz_p = FormulaRow(
    "wofz", _wofz, lambda z, w: z * w * -2.0 + complex(0.0, 2 / _ROOT_PI),
    impl=special_function("wofz"), accepts="c",
)  # fmt: skip


def _near_zero(m: Operations, z: Value, terms: Sequence[float], far: Value) -> Any:
    """Return z times a power series in z**2 where |z| < 1, and `far` elsewhere."""
    near = m.abs(z) < 1.0
    inner = m.where(near, z, 0j)
    return m.where(near, inner * polynomial(inner * inner, terms), far)


def _complex_erfc(m: Operations, z: Value) -> Any:
    """Return erfc(z): exp(-z**2) w(i z) on the right; 2 less erfc(-z) on the left."""
    left = m.real(z) < 0.0
    right = m.where(left, -z, z)
    value = m.exp(-right * right) * m.wofz(right * 1j)
    return m.where(left, 2.0 - value, value)


def _complex_erf(m: Operations, z: Value) -> Any:
    left = m.real(z) < 0.0
    far = 1.0 - _complex_erfc(m, m.where(left, -z, z))
    terms = [(-1) ** k / math.factorial(k) / (2 * k + 1) * 2 / _ROOT_PI for k in range(20)]
    return _near_zero(m, z, terms, m.where(left, -far, far))


def _complex_dawsn(m: Operations, z: Value) -> Any:
    """Return Dawson's integral of z, i sqrt(pi) / 2 (exp(-z**2) - w(z))."""
    far = (m.exp(-z * z) - m.wofz(z)) * complex(0.0, _ROOT_PI / 2)
    terms = [(-2.0) ** k / math.prod(range(1, 2 * k + 2, 2)) for k in range(26)]
    return _near_zero(m, z, terms, far)


def _bell(z: Value, factor: float) -> Any:
    return e.exp.bind(-(z * z)) * factor


complex_erf_p = FormulaRow(
    "complex_erf", _complex_erf, lambda z: _bell(z, 2 / _ROOT_PI),
    impl=special_function("erf"), accepts="c",
)  # fmt: skip
complex_erfc_p = FormulaRow(
    "complex_erfc", _complex_erfc, lambda z: _bell(z, -2 / _ROOT_PI),
    impl=special_function("erfc"), accepts="c",
)  # fmt: skip
complex_dawsn_p = FormulaRow(
    "complex_dawsn", _complex_dawsn, lambda z, w: z * w * -2.0 + (1.0 + 0j),
    impl=special_function("dawsn"), accepts="c",
)  # fmt: skip


@frozen
class Dawson(Formula):
    """The n-th derivative of Dawson's integral F.

    F is sqrt(pi) / 2 times the imaginary part of w(x), and is computed by the same rules. For n > 0
    and |x| > 7 the derivative of the expansion F ~ the sum of (2k - 1)!! / 2**(k + 1) / x**(2k + 1)
    is taken, whose terms have one sign.
    """

    n: int = 0

    def impl(self, x: np.ndarray) -> np.ndarray:
        return evaluate(self.formula, x) if self.n else special_function("dawsn")(x)

    def formula(self, m: Any, x: Any) -> Any:
        size = m.abs(x)
        below, value = 1.0, self.near(m, m.where(size < math.inf, size, 0.0))
        # F' = 1 - 2 x F, and by differentiation F'' = -2 F - 2 x F', and so on.
        for k in range(self.n):
            below, value = value, (1.0 if k == 0 else -2.0 * k * below) - 2.0 * size * value
        if self.n:
            far = size > 7.0
            w = 1.0 / m.where(far, size, 7.0)
            terms, odd = [], 1.0
            for k in range(35):
                terms.append(odd * math.comb(2 * k + self.n, self.n))
                odd *= k + 0.5
            expansion = polynomial(w * w, terms) * w * (0.5 * math.factorial(self.n))
            for _ in range(self.n):
                expansion = expansion * -w
            value = m.where(far, expansion, value)
        if self.n % 2 == 0:
            value = m.where(x < 0.0, -value, value)
        return m.where(size == math.inf, 0.0, value + (x - m.where(size < math.inf, x, 0.0)))

    def near(self, m: Any, x: Any) -> Any:
        """Return F for x >= 0, by the trapezoidal rules of `_wofz`."""
        fraction = x / _STEP - m.floor(x / _STEP)
        whole = (fraction >= 0.25) & (fraction <= 0.75)
        total = x * 0.0
        for k in range(_COUNT + 1):
            halves, wholes = ((k + 0.5) * _STEP) ** 2, (k * _STEP) ** 2
            weight = 0.5 if k == 0 else math.exp(-wholes)
            size = m.where(whole, weight, total * 0.0 + math.exp(-halves))
            total = total + size / (x * x - m.where(whole, wholes, total * 0.0 + halves))
        angle = fraction * math.pi
        sin, cos = m.sin(angle), m.cos(angle)
        pole = m.where(whole, -cos, sin) / m.where(whole, sin, cos)
        return x * total * (_STEP / _ROOT_PI) + m.exp(-x * x) * pole * (_ROOT_PI / 2)

    def slopes(self) -> Sequence[Callable]:
        return (lambda x: Dawson(self.n + 1).bind(x),)


def wofz(z: Any) -> Any:
    """Compute Faddeeva's function, exp(-z**2) erfc(-i z).

    Args:
        z: real or complex numbers.

    Returns:
        Complex numbers.

    Examples:
        >>> wofz(1.0)
        Array(0.36787944+0.60715771j)
    """
    z = arr(to_inexact(z))
    return wofz_p.bind(convert_element_type(z, complex_dtype(z.dtype)))


def dawsn(x: ArrayLike) -> Any:
    """Compute Dawson's integral, of real or complex numbers.

    It is exp(-x**2) times the integral of exp(t**2) over 0 ... x.

    Examples:
        >>> dawsn(1.0)
        Array(0.53807951)
    """
    if holds_complex(x):
        return complex_dawsn_p.bind(arr(x))
    return Dawson().bind(arr(to_inexact(x)))
