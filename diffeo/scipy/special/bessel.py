"""Bessel functions of integer order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ...numpy.common import arr, static_int
from ...numpy.joining import stack
from ...primitives.core import Value, with_user_line
from ...primitives.formulas.reference import special_function
from ...primitives.support.frozen import frozen
from ...primitives.words.operators import unary
from ...primitives.words.promotion import to_inexact
from ...routines.special.bessel import BesselI, GrowingBesselI, poisson, power
from ...routines.special.special import Formula, Operations, chebyshev
from ...typing import ArrayLike

_i0e, _i1e, _i1 = (unary(p, True) for p in (BesselI(0), BesselI(1), GrowingBesselI(1)))


def i0e(x: Any) -> Any:
    """Compute exp(-|x|) times the modified Bessel function I_0(x).

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> i0e(2.0)
        Array(0.30850832)
    """
    return _i0e(x)


def i1e(x: ArrayLike) -> Any:
    """Compute exp(-|x|) times the modified Bessel function I_1(x).

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> i1e(2.0)
        Array(0.21526929)
    """
    return _i1e(x)


def i1(x: ArrayLike) -> Any:
    """Compute the modified Bessel function I_1(x).

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> i1(2.0)
        Array(1.59063685)
    """
    return _i1(x)


def _limit(n: int) -> float:
    """Return the point where the way to compute J_n changes.

    Below, J_n is a polynomial; beyond, it comes from J_0 and J_1 or Hankel's expansion.
    """
    return float(max(8, n))


@cache
def _near_polynomial(n: int) -> Callable:
    """Return the Chebyshev polynomial of J_n(x) / x**n in x**2."""

    def near(x2: np.ndarray) -> np.ndarray:
        waves = lambda u: np.cos(np.multiply.outer(np.sqrt(x2), np.cos(u)))
        return poisson(n, waves, np.ones_like(x2), 64 + 2 * n)

    return chebyshev(near, 0.0, _limit(n) ** 2, 30 + max(0, n - 8))


@cache
def _far_polynomials(n: int) -> tuple[Callable, Callable]:
    """Return the polynomials of Hankel's P and x Q for n = 0, 1 in 1 / x**2.

    See DLMF 10.17.3; the values are from the integral 10.9.10 over v**2.
    """

    def hankel(w: np.ndarray) -> np.ndarray:
        v = np.arange(-28, 29) / 4.0
        weight = np.exp(-v * v) * v ** (2 * n) / (4 * math.gamma(n + 0.5))
        return ((1 + np.multiply.outer(0.5j * np.sqrt(w), v * v)) ** (n - 0.5) * weight).sum(-1)

    return (
        chebyshev(lambda w: np.real(hankel(w)), 0.0, 1 / 64),
        chebyshev(lambda w: np.imag(hankel(w)) / np.sqrt(w), 0.0, 1 / 64),
    )


@frozen
class BesselJ(Formula):
    """The Bessel function J_n(x)."""

    n: int = 0

    def impl(self, x: np.ndarray) -> np.ndarray:
        if self.n < 2:
            return special_function(("j0", "j1")[self.n])(x)
        return special_function("jv")(np.full_like(x, self.n), x)

    def formula(self, m: Operations, x: Value) -> Any:
        inner = m.abs(x) < _limit(self.n)
        small, large = m.where(inner, x, 0.0), m.where(inner, _limit(self.n), m.abs(x))
        beyond = self.far(m, large)
        beyond = beyond if self.n % 2 == 0 else m.where(x < 0.0, -beyond, beyond)
        # Each branch gets an argument of its own range, so that neither overflows nor leaves the
        # interval of its polynomial.
        near = _near_polynomial(self.n)(small * small) * power(small, self.n)
        return m.where(inner, near, beyond)

    def far(self, m: Operations, x: Value) -> Any:
        """Return J_n(x) for x > n.

        It comes from J_0 and J_1 by the recurrence upwards, which is stable there.
        """
        w = 1.0 / (x * x)
        sin, cos = m.sin(x) * math.sqrt(0.5), m.cos(x) * math.sqrt(0.5)
        orders = []
        for n in (0, 1)[: self.n + 1]:
            p, q = (f(w) for f in _far_polynomials(n))
            # cos and sin of x - (n + 1/2) pi / 2
            c, s = (cos + sin, sin - cos) if n == 0 else (sin - cos, -(cos + sin))
            orders.append((p * c - q / x * s) * m.sqrt(2 / math.pi / x))
        for n in range(1, self.n):
            orders.append(orders[n] * (2.0 * n) / x - orders[n - 1])
        return orders[self.n]

    def slopes(self) -> Sequence[Callable]:
        def by_x(x: Value) -> Any:
            above = BesselJ(self.n + 1).bind(x)
            return (BesselJ(self.n - 1).bind(x) - above) * 0.5 if self.n else -above

        return (by_x,)


def bessel_jn(z: Any, *, v: int, n_iter: int = 50) -> Any:
    """Compute the Bessel functions J_0(z) ... J_v(z).

    Args:
        z: real numbers.
        v: the highest order, >= 0.
        n_iter: taken for the sake of jax's signature; no recurrence is iterated here.

    Returns:
        An array of shape `(v + 1, *z.shape)`.

    Raises:
        ValueError: for v < 0.
        TypeError: for complex numbers.

    Examples:
        >>> bessel_jn(1.0, v=2)
        Array([0.76519769, 0.44005059, 0.11490348])
    """
    v = static_int(v, "bessel_jn", "v")
    if v < 0:
        raise with_user_line(ValueError(f"bessel_jn: v must not be negative, got {v}"))
    z = arr(to_inexact(z))
    return stack([BesselJ(n).bind(z) for n in range(v + 1)])
