"""Modified Bessel functions of integer order: I_n(x) times exp(-|x|), and I_n(x).

The functions are integrals, which the trapezoidal rule gives to the last digit. When a function is
first used, its integral is evaluated at Chebyshev's points; what is compiled are the polynomials
through these values. Start with `BesselI`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ...primitives.builder import LoweringContext
from ...primitives.core import Value
from ...primitives.formulas.reference import special_function
from ...primitives.support.frozen import frozen
from ...primitives.words.elementwise import sign
from .special import Formula, Operations, chebyshev, evaluate

#: Below this |x| a polynomial in x is used, beyond it a polynomial in 1 / x.
_BREAK = 8.0


def poisson(n: int, f: Callable, base: Any, count: int) -> np.ndarray:
    """Return the mean of f(u) (base sin(u)**2 / 2)**n over u in 0 ... pi, times a constant.

    The constant is sqrt(pi) / gamma(n + 1/2). For base = x the result is J_n(x) if
    f(u) = cos(x cos(u)), and I_n(x) if f(u) = exp(x cos(u)) (DLMF 10.9.4). `count` is the number of
    points of the rule.
    """
    u = (np.arange(count) + 0.5) * (math.pi / count)
    weight = (np.multiply.outer(base, np.sin(u) ** 2) / 2) ** n
    return (f(u) * weight).mean(-1) * (math.sqrt(math.pi) / math.gamma(n + 0.5))


@cache
def _i_polynomials(n: int, k: int) -> tuple[Callable, Callable]:
    """Return polynomials for the k-th derivative of I_n(x) exp(-x) / x**n, but for its sign.

    The first one, for 0 ... 8, is the derivative times (1 + x)**k, by which it keeps its size. The
    second one, for larger x, is the derivative times x**(n + k + 1/2), as a function of 1 / x.
    """

    def falling(x: np.ndarray, by: np.ndarray) -> Callable:
        def f(u: np.ndarray) -> np.ndarray:
            gap = 2 * np.sin(u / 2) ** 2  # 1 - cos(u)
            return np.exp(np.multiply.outer(-x, gap)) * np.multiply.outer(by, gap) ** k

        return f

    def near(x: np.ndarray) -> np.ndarray:
        return poisson(n, falling(x, 1 + x), np.ones_like(x), 64 + 2 * k)

    def far(w: np.ndarray) -> np.ndarray:
        return poisson(n, falling(1 / w, 1 / w), 1 / w, 4096) / np.sqrt(w)

    inner = chebyshev(near, 0.0, _BREAK, 26, True) if k == 0 else chebyshev(near, 0.0, _BREAK, 34)
    return inner, chebyshev(far, 0.0, 1 / _BREAK, 26, True)


def power(x: Any, n: int) -> Any:
    """Return x**n, by multiplication; 1.0 for n = 0."""
    return math.prod([x] * n, start=1.0) if n else 1.0


#: SciPy's functions for n = 0 and n = 1.
_HOST = special_function("i0e"), special_function("i1e")


@frozen
class BesselI(Formula):
    """The modified Bessel function I_n(x), times exp(-|x|).

    With k and `less` it is x**(n - less) times the k-th derivative of I_n(r) exp(-r) / r**n at r =
    |x|, but for the sign of the derivative. In this derivative nothing cancels; all derivatives of
    the function are sums of such members.
    """

    n: int = 0
    k: int = 0
    less: int = 0

    def impl(self, x: np.ndarray) -> np.ndarray:
        if self.k or self.less:
            return evaluate(self.formula, x)
        if self.n < 2:
            return _HOST[self.n](x)
        return special_function("ive")(np.full_like(x, self.n), x)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        first = (self.n, self.k, self.less) == (1, 0, 0)
        return ctx.op("chlo.bessel_i1e", x) if first else super().lower(ctx, x)

    def formula(self, m: Operations, x: Any) -> Any:
        near, far = _i_polynomials(self.n, self.k)
        size, exponent = m.abs(x), self.n - self.less
        small, large = m.where(size < _BREAK, x, 0.0), m.where(size < _BREAK, _BREAK, size)
        w = 1.0 / large
        beyond = far(w) * power(w, self.k + self.less) / m.sqrt(large)
        beyond = beyond if exponent % 2 == 0 else m.where(x < 0.0, -beyond, beyond)
        inner = near(m.abs(small)) * power(small, exponent) / power(m.abs(small) + 1.0, self.k)
        return m.where(size < _BREAK, inner, beyond)

    def slopes(self) -> Sequence[Callable]:
        n, k, less = self.n, self.k, self.less

        def by_x(x: Value) -> Any:
            slope = -(sign.bind(x) * BesselI(n, k + 1, less).bind(x))
            if n == less:
                return slope
            return BesselI(n, k, less + 1).bind(x) * float(n - less) + slope

        return (by_x,)


@frozen
class GrowingBesselI(Formula):
    """The modified Bessel function I_n(x)."""

    n: int = 0

    def impl(self, x: np.ndarray) -> np.ndarray:
        large = np.abs(x) > 700.0  # exp(|x|), or I_n itself, is too large a number
        if 1 in large.tobytes():
            return evaluate(self.formula, x)
        if self.n < 2:
            return special_function(("i0", "i1")[self.n])(x)
        return special_function("iv")(np.full_like(x, self.n), x)

    def formula(self, m: Operations, x: Any) -> Any:
        finite = m.where(m.abs(x) < math.inf, x, 0.0)
        half = m.exp(m.abs(finite) * 0.5)  # exp(|x|) may be too large a number
        value = half * (half * m.of(BesselI(self.n))(finite))
        return m.where(m.abs(x) < math.inf, value, x if self.n % 2 else m.abs(x))

    def slopes(self) -> Sequence[Callable]:
        def by_x(x: Value) -> Any:
            above = GrowingBesselI(self.n + 1).bind(x)
            return (GrowingBesselI(self.n - 1).bind(x) + above) * 0.5 if self.n else above

        return (by_x,)
