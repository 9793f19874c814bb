"""The equation a x + x b = c for square a and b, and the square root of a matrix.

The derivative of the square root is a solution of the equation. Start with `Sylvester`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...primitives.core import Value
from ...primitives.stand_ins import LinearInput
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray, complex_dtype
from ...primitives.words.reduction import ReduceOr
from ...primitives.words.structural import ConvertElementType
from . import matrices as mx
from .schur import (
    Schur,
    TriangularSylvester,
    check_sylvester,
    column,
    over_columns,
    rounding,
    shifted_solve,
    sums_of_diagonals,
    sylvester_jvp,  # fmt: skip
)


@frozen
class Sylvester(mx.Written):
    """The x with a x + x b = c; 0 where c is 0, even if a and -b have an eigenvalue in common.

    Schur's decomposition makes the equation triangular (Bartels and Stewart 1972, "Solution of the
    matrix equation AX + XB = C").
    """

    def abstract_eval(self, a: ShapedArray, b: ShapedArray, c: ShapedArray) -> ShapedArray:
        check_sylvester("sylvester", a, b, c)
        return c

    def formula(self, m: Any, a: Any, b: Any, c: Any) -> Any:
        """Solve r y + y s = u^H c v for y = u^H x v, where a = u r u^H and b = v s v^H."""
        to_complex = m.of(ConvertElementType(complex_dtype(c.dtype)))
        (r, u), (s, v) = (m.of(Schur())(to_complex(x)) for x in (a, b))
        inner = mx.matmul(mx.matmul(mx.adjoint(u, m), to_complex(c), m), v, m)
        inner = m.of(TriangularSylvester())(r, s, inner)
        x = mx.matmul(mx.matmul(u, inner, m), mx.adjoint(v, m), m)
        nonzero = mx.spread(m.of(ReduceOr((c.ndim - 2, c.ndim - 1)))(c != 0), c.shape, None, m)
        return m.where(nonzero, x if c.dtype.kind == "c" else m.real(x), 0.0)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        return sylvester_jvp(self, primals, tangents)

    def transpose(self, ct: Value, a: Value, b: Value, c: LinearInput) -> Sequence[Any]:
        return None, None, self.bind(mx.flipped(a), mx.flipped(b), ct)


@frozen
class MatrixSqrt(mx.Written):
    """The principal square root of complex square matrices.

    It is the x with x x = a whose eigenvalues are in the right half plane; of negative numbers they
    are on the positive imaginary axis. The root is found in Schur's form, column by column (Björck
    and Hammarling 1983, "A Schur method for the square root of a matrix").
    """

    def abstract_eval(self, a: ShapedArray) -> ShapedArray:
        mx.check_matrices("matrix_sqrt", a)
        if a.dtype.kind != "c":
            raise TypeError(f"matrix_sqrt: expects complex matrices, got {a}; convert first")
        return a

    def formula(self, m: Any, a: Any) -> Any:
        """Solve for one column after the other, above the diagonal.

        (x + x[j, j]) x[:, j] = t[:, j]; where this reads 0 = 0, the element is 0.
        """
        if not a.size:
            return a
        t, z = m.of(Schur())(a)
        rows, columns = mx.places(t, m)
        re, im = m.real(t), m.imag(t)
        negative = (re < 0) & (m.abs(im) <= -re * (4 * rounding(t) * t.shape[-1]))
        values = m.complex(
            re, m.where(negative, 0.0, im)
        )  # so that rounding does not choose a side
        start = m.where(rows == columns, m.sqrt(values), 0.0)
        free = (rows < columns) & (sums_of_diagonals(m, start, start) != 0)

        def step(j: Any, x: Any, *fixed: Any) -> Sequence[Any]:
            xj, tj, free_j = (column(m, v, j) for v in (x, *fixed))
            column_j = shifted_solve(m, x, mx.window(m, x, j, j, 1, 1), tj, free_j)
            return (
                j + 1,
                mx.replaced(m, x, m.where(free_j, column_j, xj), m.number(0, j), j),
                *fixed,
            )

        x = over_columns(m, step, start, t, free)
        return mx.matmul(mx.matmul(z, x, m), mx.adjoint(z, m), m)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Solve x dx + dx x = da."""
        x = self.bind(*primals)
        return x, Sylvester().bind(x, x, tangents[0])
