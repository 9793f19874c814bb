"""The equation a x + x b = c for square a and b, and the square root of a matrix, which it
differentiates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .matrices import (
    Written,
    adjoint,
    check_matrices,
    flipped,
    matmul,
    places,
    spread,  # fmt: skip
)
from .reduction import ReduceOr
from .schur import (
    Schur,
    TriangularSylvester,
    check_sylvester,
    column,
    over_columns,
    replaced, rounding,
    shifted_solve,
    sums_of_diagonals,
    sylvester_jvp,  # fmt: skip
    window,
)
from .structural import ConvertElementType
from .types import ShapedArray, complex_dtype


@dataclass(frozen=True, eq=False, repr=False)
class Sylvester(Written):
    """The x with a x + x b = c; 0 where c is 0, even if a and -b have an eigenvalue in common.

    Schur's decomposition makes the equation triangular (Bartels and Stewart 1972, "Solution of the
    matrix equation AX + XB = C").
    """

    def abstract_eval(self, a: ShapedArray, b: ShapedArray, c: ShapedArray) -> ShapedArray:
        check_sylvester("sylvester", a, b, c)
        return c

    def formula(self, m: Any, a: Any, b: Any, c: Any) -> Any:
        """With a = u r u^H and b = v s v^H: r (u^H x v) + (u^H x v) s = u^H c v."""
        to_complex = m.of(ConvertElementType(complex_dtype(c.dtype)))
        (r, u), (s, v) = (m.of(Schur())(to_complex(x)) for x in (a, b))
        inner = matmul(matmul(adjoint(u, m), to_complex(c), m), v, m)
        inner = m.of(TriangularSylvester())(r, s, inner)
        x = matmul(matmul(u, inner, m), adjoint(v, m), m)
        some = m.of(ReduceOr((c.ndim - 2, c.ndim - 1)))(c != 0)
        return m.where(spread(some, c.shape, None, m), x if c.dtype.kind == "c" else m.real(x), 0.0)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        return sylvester_jvp(self, primals, tangents)

    def transpose(self, ct: Any, a: Any, b: Any, c: Any) -> Sequence[Any]:
        return None, None, self.bind(flipped(a), flipped(b), ct)


@dataclass(frozen=True, eq=False, repr=False)
class MatrixSqrt(Written):
    """The principal square root of complex square matrices: x with x x = a and eigenvalues in the
    right half plane; of negative numbers they are on the positive imaginary axis.

    It is found in Schur's form, column by column (Björck and Hammarling 1983, "A Schur method for
    the square root of a matrix").
    """

    def abstract_eval(self, a: ShapedArray) -> ShapedArray:
        check_matrices("matrix_sqrt", a)
        if a.dtype.kind != "c":
            raise TypeError(f"matrix_sqrt: expects complex matrices, got {a}; convert first")
        return a

    def formula(self, m: Any, a: Any) -> Any:
        """x[:, j] above the diagonal: (x + x[j, j]) x[:, j] = t[:, j]; 0 for 0 = 0."""
        if not a.size:
            return a
        t, z = m.of(Schur())(a)
        rows, columns = places(t, m)
        re, im = m.real(t), m.imag(t)
        negative = (re < 0) & (m.abs(im) <= -re * (4 * rounding(t) * t.shape[-1]))
        values = m.complex(re, m.where(negative, 0.0, im))  # not on either side, by rounding
        start = m.where(rows == columns, m.sqrt(values), 0.0)
        free = (rows < columns) & (sums_of_diagonals(m, start, start) != 0)

        def step(j: Any, x: Any, *fixed: Any) -> Sequence[Any]:
            xj, tj, here = (column(m, v, j) for v in (x, *fixed))
            found = shifted_solve(m, x, window(m, x, j, j, 1, 1), tj, here)
            return j + 1, replaced(m, x, m.where(here, found, xj), m.number(0, j), j), *fixed

        x = over_columns(m, step, start, t, free)
        return matmul(matmul(z, x, m), adjoint(z, m), m)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """x dx + dx x = da."""
        x = self.bind(*primals)
        return x, Sylvester().bind(x, x, tangents[0])
