"""The polar decomposition, with a derivative of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...primitives.stand_ins import ZERO
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray
from ...primitives.words.identity import stop_gradient
from .levels import DiagonalSylvester, everywhere
from .matrices import OfMatrices, adjoint, check_matrices, matmul
from .spectral import Svd


@frozen
class PolarFactor(OfMatrices):
    """(a, u, v) -> the u with orthonormal columns of a = u p, p positive definite; [..., m, n] with
    m >= n. Given are u and the right singular vectors v, constants.

    With p = u^H a, and du = u d + (what leaves the space of u): d p + p d = u^H da - da^H u, in the
    basis v.
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

    def lower(self, ctx: Any, *values: Any) -> Any:
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
            rest = matmul(da - matmul(u, t), v)
            rest = DiagonalSylvester(0).bind(h, rest, everywhere(rest))
            out = out + matmul(rest, adjoint(v))
        return u, out


def polar(a: Any, left: bool = False) -> tuple[Any, Any]:
    """The u with orthonormal columns, or rows, next to a; and p with a = u p, or p u if `left`."""
    if a.shape[-2] < a.shape[-1]:
        u, p = polar(adjoint(a), not left)
        return adjoint(u), p
    u, _, vh = Svd().bind(stop_gradient(a))
    u = PolarFactor().bind(a, matmul(u, vh), adjoint(vh))
    p = matmul(a, adjoint(u)) if left else matmul(adjoint(u), a)
    return u, (p + adjoint(p)) * 0.5
