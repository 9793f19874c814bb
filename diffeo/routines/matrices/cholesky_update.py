"""cholesky_update: the Cholesky factor of a matrix to which one product w w^H was added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...primitives.constants import Full
from ...primitives.stand_ins import ZERO
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray
from ...primitives.words.structural import Reshape, reshape
from . import matrices as mx
from .linalg import TriangularSolve, half_of_lower


@frozen
class CholeskyUpdate(mx.Written):
    """The upper triangular x with x^H x = r^H r + w w^H, for upper triangular r and vectors w.

    In a `downdate` it is r^H r - w w^H; nan where that is not positive definite. Elements below the
    diagonal of r are not read.
    """

    downdate: bool = False

    def abstract_eval(self, r: ShapedArray, w: ShapedArray) -> ShapedArray:
        mx.check_matrices("cholesky_update", r)
        if w.shape != r.shape[:-1] or w.dtype != r.dtype:
            raise TypeError(
                "cholesky_update: expects factors [..., n, n] and vectors [..., n] of one dtype, "
                f"got {r} and {w}"
            )
        return r

    def formula(self, m: Any, r: Any, w: Any) -> Any:
        """Rotate row k of r and w^H, for one k after the other, so that element k of w^H becomes 0.

        A downdate rotates hyperbolically (Golub and Van Loan 2013, "Matrix Computations", section
        6.5.4).
        """
        n, sign = r.shape[-1], -1.0 if self.downdate else 1.0
        if not r.size:
            return r
        conj = m.conj if r.dtype.kind == "c" else lambda x: x

        def step(k: Any, r: Any, w: Any) -> Sequence[Any]:
            first = m.number(0, k)
            row, a = mx.window(m, r, k, first, 1, n), mx.window(m, r, k, k, 1, 1)
            b = mx.window(m, w, first, k, 1, 1)
            # Nothing to rotate: else 0 / 0 might enter.
            same = mx.spread(b == 0, w.shape, None, m)
            # Divide by the larger size first: squares may be too large or too small numbers.
            size = m.max(m.abs(a), m.abs(b))
            a, b = a / size, b / size
            rho = m.sqrt(m.abs(a) * m.abs(a) + sign * m.abs(b) * m.abs(b))
            turned = (conj(a) * row + sign * conj(b) * w) / rho
            others = (rho * w - b * turned) / conj(a) if self.downdate else (a * w - b * row) / rho
            row = m.where(same, row, turned)
            return k + 1, mx.replaced(m, r, row, k, first), m.where(same, w, others)

        r = mx.upper_triangle(r, 0, m)
        w = m.of(Reshape((*w.shape[:-1], 1, n)))(conj(w))
        out = m.loop(lambda k, *_: k < n, step, [m.of(Full((), mx.int32, 0))(), r, w])[1]
        return mx.upper_triangle(out, 0, m)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Compute dx = u x, where u is upper triangular and u + u^H = x^-H d(x^H x) x^-1."""
        (r, w), (dr, dw) = primals, tangents
        x = self.bind(r, w)
        half: Any = ZERO  # half + half^H = d(x^H x)
        if dr is not ZERO:
            half = mx.matmul(mx.adjoint(mx.upper_triangle(r)), mx.upper_triangle(dr))
        if dw is not ZERO:
            line = lambda v: reshape(v, (*v.shape, 1))
            term = mx.matmul(line(w), mx.adjoint(line(dw)))
            term = -term if self.downdate else term
            half = term if half is ZERO else half + term
        both = TriangularSolve(uplo="U", form="C").bind(x, half + mx.adjoint(half))
        both = TriangularSolve("R", "U").bind(x, both)
        return x, mx.matmul(mx.adjoint(half_of_lower(both)), x)
