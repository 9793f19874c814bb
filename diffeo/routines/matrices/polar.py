"""The polar decomposition, with a derivative of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...operations.identity import stop_gradient
from ...primitives.builder import LoweringContext
from ...primitives.stand_ins import ZERO
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray
from .levels import DiagonalSylvester, everywhere
from .matrices import OfMatrices, adjoint, check_matrices, matmul
from .spectral import Svd


@frozen
class PolarFactor(OfMatrices):
    """The u with orthonormal columns of a = u p, where p is positive definite.

    Operands (a, u, v): a is [..., m, n] with m >= n; u, and the right singular vectors v of a, are
    constants.

    The derivative: with p = u^H a, du is u d and a part that leaves the space of u. For d, d p + p
    d = u^H da - da^H u, which is solved in the basis v, where p is diagonal.
    """

    def abstract_eval(self, *avals: ShapedArray) -> ShapedArray:
        a, u, v = avals
        check_matrices("polar_factor", a, square=False)
        n = a.shape[-1]
        if u != a or v != a.update((*a.shape[:-2], n, n)) or a.shape[-2] < n:
            raise TypeError(
                "polar_factor: expects a [..., m, n] with m >= n, u like a and v [..., n, n], got "
                f"{a}, {u} and {v}"
            )
        return a

    def impl(self, *arrays: np.ndarray) -> np.ndarray:
        return arrays[1]

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return values[1]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (a, _, v), u, da = primals, self.bind(*primals), tangents[0]
        if da is ZERO:
            return u, ZERO
        v, back = stop_gradient(v), adjoint(u)
        inner = lambda x: matmul(adjoint(v), matmul(x, v))
        t = matmul(back, da)
        h, odd = inner(matmul(back, a)), inner(t - adjoint(t))
        d = DiagonalSylvester(1).bind(h, odd, everywhere(odd))
        out = matmul(u, matmul(matmul(v, d), adjoint(v)))
        if a.shape[-2] > a.shape[-1]:
            # What of da leaves the space of u, divided by p.
            leaving = matmul(da - matmul(u, t), v)
            leaving = DiagonalSylvester(0).bind(h, leaving, everywhere(leaving))
            out = out + matmul(leaving, adjoint(v))
        return u, out


def polar(a: Any, left: bool = False) -> tuple[Any, Any]:
    """Return u and p with a = u p, or a = p u if `left`.

    The columns of u are orthonormal, or its rows if a has more columns than rows.
    """
    if a.shape[-2] < a.shape[-1]:
        u, p = polar(adjoint(a), not left)
        return adjoint(u), p
    u, _, vh = Svd().bind(stop_gradient(a))
    u = PolarFactor().bind(a, matmul(u, vh), adjoint(vh))
    p = matmul(a, adjoint(u)) if left else matmul(adjoint(u), a)
    return u, (p + adjoint(p)) * 0.5
