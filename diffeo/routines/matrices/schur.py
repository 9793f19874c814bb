"""Schur's decomposition, and the triangular equation a x + x b = c, which gives its derivative.

The equation is named after Sylvester. In a formula over `m` (NumPy or the language itself, see
special.py) it is solved one column after the other, in a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...operations.extrema import ArgMax
from ...primitives.builder import LoweringContext
from ...primitives.constants import Full, zeros_like
from ...primitives.core import Value, typeof
from ...primitives.stand_ins import ZERO, LinearInput
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray
from ...primitives.words.elementwise import absolute, complex_, imag, real, select, sqrt
from ...primitives.words.reduction import ReduceMax
from ...primitives.words.structural import ReduceSum, reduce_sum
from ..special.special import HOST, TRACED, Operations
from . import matrices as mx
from .linalg import TriangularSolve


@frozen
class TriangularSylvester(mx.Written):
    """The x with a x + x b = c for upper triangular a and b; below their diagonals nothing is read.

    `part` "lower" takes only the elements below the diagonal, of the equation and of x; the other
    elements of x are 0. "upper" takes those above the diagonal. With either one, an element whose
    pivot a[i, i] + b[j, j] is 0 up to rounding is 0 as well.
    """

    part: str = "all"

    def abstract_eval(self, a: ShapedArray, b: ShapedArray, c: ShapedArray) -> ShapedArray:
        check_sylvester("triangular_sylvester", a, b, c)
        if self.part not in ("all", "lower", "upper") or (self.part != "all" and a is not b):
            raise TypeError(
                "triangular_sylvester: part must be 'all', or 'lower' or 'upper' with square c, "
                f"got {self.part!r} and {c}"
            )
        return c

    def formula(self, m: Operations, a: Any, b: Any, c: Any) -> Any:
        """Solve one column after the other: (a + b[j, j]) x[:, j] = c[:, j] - x[:, :j] b[:j, j]."""
        if not c.size:
            return c
        rows, columns = mx.places(c, m)
        free = rows == rows
        if self.part != "all":
            pivots = sums_of_diagonals(m, a, b)
            size = m.of(ReduceMax((c.ndim - 2, c.ndim - 1)))
            least = (size(m.abs(a)) + size(m.abs(b))) * (4 * rounding(c) * c.shape[-1])
            free = (rows > columns) if self.part == "lower" else (rows < columns)
            free = free & (m.abs(pivots) > mx.spread(least, c.shape, None, m))

        def step(j: Any, x: Any, *fixed: Any) -> Sequence[Any]:
            a, b, c, free = fixed
            bj, cj, free_j = (column(m, v, j) for v in (b, c, free))
            # Columns of x from j on are still 0, so all of x may be multiplied.
            right = cj - mx.matmul(x, bj, m)
            xj = shifted_solve(m, a, mx.window(m, b, j, j, 1, 1), right, free_j)
            return j + 1, mx.replaced(m, x, xj, m.number(0, j), j), *fixed

        return over_columns(m, step, m.full(0.0, c), a, b, c, free)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        da, db, dc = tangents
        read = [t if t is ZERO else mx.upper_triangle(t) for t in (da, db)]
        return sylvester_jvp(self, primals, (*read, dc))

    def transpose(self, ct: Value, a: Value, b: Value, c: LinearInput) -> Sequence[Any]:
        other = {"lower": "upper", "upper": "lower"}.get(self.part, "all")
        return None, None, mx.flipped(TriangularSylvester(other).bind(b, a, mx.flipped(ct)))


def check_sylvester(name: str, a: ShapedArray, b: ShapedArray, c: ShapedArray) -> None:
    """Raise TypeError unless a x + x b = c is a system of equations for x."""
    for x, square in ((a, True), (b, True), (c, False)):
        mx.check_matrices(name, x, square)
    fits = a.shape[:-1] == c.shape[:-1] and b.shape == (*c.shape[:-2], c.shape[-1], c.shape[-1])
    if not fits or len({a.dtype, b.dtype, c.dtype}) > 1:
        raise TypeError(
            f"{name}: expects a [..., m, m], b [..., n, n] and c [..., m, n] of one dtype and with "
            f"the same leading axes, got {a}, {b} and {c}"
        )


def sylvester_jvp(self: Any, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Solve a dx + dx b = dc - da x - x db."""
    (a, b, _), (da, db, dc) = primals, tangents
    x = self.bind(*primals)
    for t, term in ((da, lambda: mx.matmul(da, x)), (db, lambda: mx.matmul(x, db))):
        if t is not ZERO:
            dc = -term() if dc is ZERO else dc - term()
    return x, self.bind(a, b, dc)


def shifted_solve(m: Operations, a: Any, shift: Any, r: Any, free: Any) -> Any:
    """Return the column x with (a + shift) x = r in the rows that are `free`, and 0 in the
    others.
    """
    rows, columns = mx.places(a, m)
    one = m.where(rows == columns, m.full(1.0, a), 0.0)
    shifted = m.where(rows == columns, a + shift, a)
    matrix = m.where(mx.spread(free, a.shape, None, m), shifted, one)
    return m.of(TriangularSolve(uplo="U"))(matrix, m.where(free, r, 0.0))


def sums_of_diagonals(m: Operations, a: Any, b: Any) -> Any:
    """Return a[i, i] + b[j, j] for row i and column j."""
    a_i = mx.spread(mx.diagonal(a, m), a.shape, mx.of_rows(a), m)
    return a_i + mx.spread(mx.diagonal(b, m), a.shape, mx.of_columns(b), m)


def rounding(x: Any) -> float:
    """Return the relative error of one operation."""
    return float(np.finfo(x.dtype).eps)


def column(m: Operations, x: Any, j: Any) -> Any:
    """Return column j of matrices, as matrices of one column."""
    return mx.window(m, x, m.number(0, j), j, x.shape[-2], 1)


def over_columns(m: Operations, step: Callable, x: Any, *fixed: Any) -> Any:
    """Loop with `step(j, x, *fixed)` over the columns j of x, and return the last x."""
    first, n = m.of(Full((), mx.int32, 0))(), x.shape[-1]
    return m.loop(lambda j, *_: j < n, step, [first, x, *fixed])[1]


@frozen
class Schur(mx.Lapack):
    """The decomposition z t z^H of square matrices -> t, upper triangular, and the unitary z.

    For real matrices, t has a block of two rows for each pair of complex eigenvalues a +- ib, with
    a on its diagonal. For complex matrices, phases are such that the largest element of each column
    of z is positive.
    """

    multiple_results = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        mx.check_matrices("schur", a)
        return [a, a]

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        # SciPy's interface to LAPACK, loaded when the first matrix is decomposed.
        from scipy.linalg import lapack

        (a,) = matrices
        space = mx.BLOCK * (len(a) + mx.BLOCK)
        results = getattr(lapack, mx.LETTERS[a.dtype] + "gees")(lambda *_: None, a, lwork=space)
        return (results[0], results[-3]), results[-1]

    def impl(self, *arrays: np.ndarray) -> Any:
        return _with_phases(HOST, *super().impl(*arrays))

    def lower(self, ctx: LoweringContext, *arrays: Any) -> Any:
        (a,) = arrays
        values = [a.aval.update(a.aval.shape[:-1])] * (2 if a.aval.dtype.kind == "f" else 1)
        dropped = [*values, a.aval.update(a.aval.shape[:-2], mx.int32)]
        factors = self.call(ctx, "gees", [a], [a.aval] * 2, dropped, mode="V", sort="N")
        return ctx.inline(partial(_with_phases, TRACED), *factors)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Compute dz = z x and dt = inner + t x - x t, with inner = z^H da z.

        x is skew-Hermitian, and such that dt has the form of t.
        """
        t, z = self.bind(*primals)
        inner = mx.matmul(mx.matmul(mx.adjoint(z), tangents[0]), z)
        tangent = lambda x: inner + mx.matmul(t, x) - mx.matmul(x, t)
        if typeof(t).dtype.kind == "c":
            x = TriangularSylvester("lower").bind(-t, t, inner)
            x = x - mx.adjoint(x)
            # Keep the largest element of each column real: turn the column by its phase.
            off = select(_leading(TRACED, z), imag.bind(mx.matmul(z, x)) / real.bind(z), 0.0)
            turn = mx.spread(reduce_sum(off, (off.ndim - 2,)), z.shape, mx.of_columns(z))
            rows, columns = mx.places(z)
            x = x - select(rows == columns, complex_.bind(zeros_like(turn), turn), 0.0)
        else:
            # Solve for the elements below the blocks of pairs, in a basis where t is triangular.
            w, pairs, normal = pair_rotations(t)
            apart = select(pairs, 0.0, mx.lower_triangle(inner, -1))
            t_c, m_c = (mx.matmul(mx.matmul(mx.adjoint(w), complex_.bind(v, zeros_like(v))), w)
                        for v in (t, apart))  # fmt: skip
            x = TriangularSylvester("lower").bind(-t_c, t_c, m_c)
            x = real.bind(mx.matmul(mx.matmul(w, x), mx.adjoint(w)))
            x = x - mx.flipped(x)
            # Then turn within each pair, so that its diagonal stays even: a and a.
            uneven = sums_of_diagonals(TRACED, tangent(x), -tangent(x))
            turn = select(normal, 0.0, uneven / select(normal, 1.0, 2.0 * (t + mx.flipped(t))))
            x = x + turn - mx.flipped(turn)
        return [t, z], [tangent(x), mx.matmul(z, x)]


def _leading(m: Operations, z: Any) -> Any:
    """Return where in each column the first element is that is (nearly) the largest."""
    size, row = m.abs(z), z.ndim - 2
    least = mx.spread(m.of(ReduceMax((row,)))(size) * 0.9, z.shape, mx.of_columns(z), m)
    first = m.of(ArgMax(row, mx.int32))(size >= least)
    return mx.places(z, m)[0] == mx.spread(first, z.shape, mx.of_columns(z), m)


def _with_phases(m: Operations, t: Any, z: Any) -> list[Any]:
    """Return the decomposition, in the complex case with the phases that `Schur` promises."""
    if t.dtype.kind == "f" or not t.size:
        return [t, z]
    top = m.of(ReduceSum((z.ndim - 2,)))(m.where(_leading(m, z), z, 0.0))
    phase = m.sign(top)
    back = m.conj(mx.spread(phase, z.shape, mx.of_columns(z), m))
    return [mx.spread(phase, z.shape, mx.of_rows(z), m) * t * back, z * back]


def pair_rotations(t: Value) -> tuple[Any, Any, Any]:
    """Return what turns a real Schur form into a triangular matrix.

    The results: the unitary matrix that makes t triangular; where the pairs of eigenvalues have
    their elements below the diagonal; where nothing is to be turned. The last one holds everywhere
    but at pairs, and at pairs that any rotation keeps in form.
    """
    rows, columns = mx.places(t)
    under, over = select(rows == columns + 1, t, 0.0), mx.flipped(t)
    pairs = under != 0
    part = sqrt.bind(select(pairs, -under * over, 1.0))  # the imaginary part of the eigenvalues
    over = select(pairs, over, 0.0)
    size = sqrt.bind(over * over + part * part)
    cosine, sine = select(pairs, over / size - 1.0, 0.0), select(pairs, part / size, 0.0)
    last = (t.ndim - 1,), (t.ndim - 2,)
    on = mx.spread(sum([reduce_sum(cosine, axis) for axis in last]) + 1.0, t.shape, mx.of_rows(t))
    w = complex_.bind(select(rows == columns, on, 0.0), sine + mx.flipped(sine))
    even = absolute.bind(under + over) <= absolute.bind(over) * (8 * rounding(t))
    return w, pairs, even | ~pairs
