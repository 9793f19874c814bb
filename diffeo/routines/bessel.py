"""Modified Bessel functions of integer order, I times exp(-|x|).

Their integrals, which the trapezoidal rule gives to the last digit, are evaluated at Chebyshev's
points when a function is first used; what is compiled are the polynomials through them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..primitives.elementwise import sign
from ..primitives.frozen import frozen
from ..primitives.reference import special_function
from .special import Formula, chebyshev

#: Where a polynomial in x gives way to one in 1 / x.
_BREAK = 8.0


def poisson(n: int, f: Callable, base: np.ndarray, count: int) -> np.ndarray:
    """The mean of f(u) * (base * sin(u)**2 / 2)**n over 0 ... pi, times sqrt(pi) / gamma(n + 1/2):
    for base = x that is J_n, if f(u) = cos(x cos(u)), and I_n, if exp(x cos(u)) (DLMF 10.9.4).
    """
    u = (np.arange(count) + 0.5) * (math.pi / count)
    weight = (np.multiply.outer(base, np.sin(u) ** 2) / 2) ** n
    return (f(u) * weight).mean(-1) * (math.sqrt(math.pi) / math.gamma(n + 0.5))


@cache
def _i_polynomials(n: int) -> tuple[Callable, Callable]:
    """I_n(x) exp(-x) / x**n on 0 ... 8, and times sqrt(x) in 1 / x beyond."""

    def falling(x: np.ndarray) -> Callable:
        return lambda u: np.exp(np.multiply.outer(x, -2 * np.sin(u / 2) ** 2))

    def near(x: np.ndarray) -> np.ndarray:
        return poisson(n, falling(x), np.ones_like(x), 64)

    def far(w: np.ndarray) -> np.ndarray:
        return poisson(n, falling(1 / w), 1 / w, 4096) / np.sqrt(w)

    return chebyshev(near, 0.0, _BREAK, 26, True), chebyshev(far, 0.0, 1 / _BREAK, 26, True)


def power(x: Any, n: int) -> Any:
    """x**n, by multiplication; 1.0 for n = 0."""
    return math.prod([x] * n, start=1.0) if n else 1.0


_HOST = special_function("i0e"), special_function("i1e")


@frozen
class BesselI(Formula):
    """The modified Bessel function I_n(x), times exp(-|x|)."""

    n: int = 0

    def impl(self, x: np.ndarray) -> np.ndarray:
        if self.n < 2:
            return _HOST[self.n](x)
        return special_function("ive")(np.full_like(x, self.n), x)

    def lower(self, ctx: Any, x: Any) -> Any:
        return ctx.op("chlo.bessel_i1e", x) if self.n == 1 else super().lower(ctx, x)

    def formula(self, m: Any, x: Any) -> Any:
        near, far = _i_polynomials(self.n)
        size = m.abs(x)
        small, large = m.where(size < _BREAK, x, 0.0), m.where(size < _BREAK, _BREAK, size)
        beyond = far(1.0 / large) / m.sqrt(large)
        beyond = beyond if self.n % 2 == 0 else m.where(x < 0.0, -beyond, beyond)
        return m.where(size < _BREAK, near(m.abs(small)) * power(small, self.n), beyond)

    def slopes(self) -> Sequence[Callable]:
        def by_x(x: Any, out: Any) -> Any:
            above = BesselI(self.n + 1).bind(x)
            mean = (BesselI(self.n - 1).bind(x) + above) * 0.5 if self.n else above
            return mean - sign.bind(x) * out

        return (by_x,)
