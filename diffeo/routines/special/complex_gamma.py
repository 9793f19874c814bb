"""The logarithm of gamma of complex numbers, and its derivatives, the polygamma functions.

Start with `LogGamma.formula`. A formula is written over `m`, which is NumPy or the language itself
(see special.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...primitives.core import Value
from ...primitives.formulas.reference import special_function
from ...primitives.support.frozen import frozen
from .special import BERNOULLI, EULER, Formula, Operations, evaluate, polynomial, zeta_minus_one

#: Stirling's series is used where the real part is larger than this, plus the order.
_FAR = 9
#: SciPy's functions for order 0 and order 1.
_HOST = special_function("loggamma"), special_function("digamma")


@frozen
class LogGamma(Formula):
    """The derivative of log gamma(z), of some `order`, for complex z.

    Order 0 is the branch that is real for positive z, with a cut along the negative axis; order 1
    is digamma.

    Numbers with a real part below 1/2 are reflected. Numbers on the right are moved to where
    Stirling's series holds. In the lower half plane, and beneath the cut, results are conjugates
    (Hare 1997).
    """

    order: int = 0
    accepts = "c"

    def impl(self, z: np.ndarray) -> np.ndarray:
        return _HOST[self.order](z) if self.order < 2 else evaluate(self.formula, z)

    def formula(self, m: Operations, z: Any) -> Any:
        x, y = m.real(z), m.imag(z)
        lower = m.atan2(y, x * 0.0 - 1.0) < 0.0  # an imaginary part of -0.0 is below the cut
        pole = (y == 0.0) & (x <= 0.0) & (m.floor(x) == x)
        x = m.where(pole, 0.5, x)
        z = m.complex(x, m.abs(y))
        left = x < 0.5
        right = self.right(m, m.where(left, 1.0 - z, z))
        values = m.where(left, self.reflected(m, z, right), right)
        values = m.where(lower, m.conj(values), values)
        return m.where(pole, complex(math.nan, math.nan), values)

    def right(self, m: Operations, z: Any) -> Any:
        """Compute the derivative where the real part is at least 1/2.

        Steps of gamma(z + 1) = z gamma(z) move z to the right, each with a term of its own.
        """
        n, total = self.order, z * 0.0
        moved = z
        for _ in range(_FAR + n):
            near = m.real(moved) < float(_FAR + n)
            step = m.where(near, moved, 1.0 + 0j)
            if n == 0:
                term = m.log(step)
            else:
                term = (-1.0) ** (n - 1) * math.factorial(n - 1) / self.power(step, n)
            total = total + m.where(near, term, 0j)
            moved = m.where(near, moved + 1.0, moved)
        values = self.stirling(m, moved) - total
        return self.near_zeros(m, z, values) if n == 0 else values

    def power(self, z: Any, n: int) -> Any:
        """Return z**n, by multiplication."""
        return math.prod([z] * (n - 1), start=z)

    def stirling(self, m: Operations, z: Any) -> Any:
        """Compute the derivative by Stirling's series, for a large real part.

        BERNOULLI[j - 1] is B(2j) / (2j)!.
        """
        n, inverse = self.order, 1.0 / z
        sums = [b * math.factorial(2 * j - 2 + n) * (-1.0) ** n for j, b in enumerate(BERNOULLI, 1)]
        tail = polynomial(inverse * inverse, sums) * inverse
        for _ in range(n):
            tail = tail * inverse
        if n == 0:
            return (z - 0.5) * m.log(z) - z + 0.5 * math.log(2 * math.pi) + tail
        if n == 1:
            return m.log(z) - 0.5 * inverse + tail
        lead = (-1.0) ** n * math.factorial(n - 2) / self.power(z, n - 1)
        return lead + (-1.0) ** n * math.factorial(n - 1) * 0.5 / self.power(z, n) + tail

    def near_zeros(self, m: Operations, z: Value, found: Value) -> Any:
        """Return `found`; near 1 and 2, where log gamma is 0, the sum of its power series."""
        two = m.abs(z - 2.0) < 0.2
        near = two | (m.abs(z - 1.0) < 0.2)
        u = m.where(near, m.where(two, z - 2.0, z - 1.0), 0j)
        total = u * 0.0
        for k in range(26, 1, -1):
            total = (total + (-1.0) ** k * (zeta_minus_one(k) + 1.0) / k) * u
        value = (total - EULER) * u
        return m.where(near, m.where(two, value + m.log1p(u), value), found)

    def reflected(self, m: Operations, z: Any, mirrored: Any) -> Any:
        """Compute the derivative from `mirrored`, the one at 1 - z, for z in the upper half plane.

        log gamma(z) = log(pi) - log(sin(pi z)) - log gamma(1 - z), where sin(pi
        z) = i/2 exp(-i pi z) (1 - exp(2 pi i z)). The derivatives of log(sin(pi z)) are those of
        the cotangent, which are polynomials in the cotangent.
        """
        n, x = self.order, m.real(z)
        # exp(2 pi i z) has period 1: take whole numbers off z, exactly.
        whole = m.round(x)
        inner = m.complex(x - whole, m.imag(z))
        grown = m.expm1(inner * complex(0.0, 2 * math.pi))
        if n == 0:
            angle = z * complex(0.0, math.pi) + complex(math.log(2 * math.pi), -math.pi / 2)
            return angle - m.log(-grown) - mirrored
        cot = complex(0.0, 1.0) * (grown + 2.0) / grown
        terms = np.polynomial.Polynomial([0.0, 1.0])
        for _ in range(n - 1):
            # The derivative of a polynomial p(cot(u)) is p'(cot(u)) (-1 - cot(u)**2).
            terms = terms.deriv() * np.polynomial.Polynomial([-1.0, 0.0, -1.0])
        slope = polynomial(cot, [float(c) for c in terms.coef]) * math.pi**n
        return (mirrored if n % 2 else -mirrored) - slope

    def slopes(self) -> Sequence[Callable]:
        return (lambda z: LogGamma(self.order + 1).bind(z),)
