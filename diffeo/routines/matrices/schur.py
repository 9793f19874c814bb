"""Schur's decomposition, and the triangular equation a x + x b = c, which gives its derivative."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ...primitives.constants import Full, zeros_like
from ...primitives.core import typeof
from ...primitives.stand_ins import ZERO
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray
from ...primitives.words.elementwise import absolute, complex_, imag, real, select, sqrt
from ...primitives.words.reduction import ArgMax, ReduceMax
from ...primitives.words.structural import ReduceSum, reduce_sum
from ..special.special import HOST, TRACED
from . import matrices as mx
from .linalg import TriangularSolve


@frozen
class TriangularSylvester(mx.Written):
    """The x with a x + x b = c, where a and b are upper triangular; what stands below their
    diagonals is not read.

    `part` "lower": only the elements below the diagonal, of the equation and of x, whose others
    are 0; "upper": those above it. Then an element whose pivot a[i, i] + b[j, j] is 0 up to
    rounding is 0 as well.
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

    def formula(self, m: Any, a: Any, b: Any, c: Any) -> Any:
        """Column after column: (a + b[j, j]) x[:, j] = c[:, j] - x[:, :j] b[:j, j]."""
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
            bj, cj, here = (column(m, v, j) for v in (b, c, free))
            known = cj - mx.matmul(x, bj, m)
            found = shifted_solve(m, a, mx.window(m, b, j, j, 1, 1), known, here)
            return j + 1, mx.replaced(m, x, found, m.number(0, j), j), *fixed

        return over_columns(m, step, m.full(0.0, c), a, b, c, free)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        da, db, dc = tangents
        read = [t if t is ZERO else mx.upper_triangle(t) for t in (da, db)]
        return sylvester_jvp(self, primals, (*read, dc))

    def transpose(self, ct: Any, a: Any, b: Any, c: Any) -> Sequence[Any]:
        other = {"lower": "upper", "upper": "lower"}.get(self.part, "all")
        return None, None, mx.flipped(TriangularSylvester(other).bind(b, a, mx.flipped(ct)))


def check_sylvester(name: str, a: ShapedArray, b: ShapedArray, c: ShapedArray) -> None:
    """TypeError unless a x + x b = c is a system of equations for x."""
    for x, square in ((a, True), (b, True), (c, False)):
        mx.check_matrices(name, x, square)
    fits = a.shape[:-1] == c.shape[:-1] and b.shape == (*c.shape[:-2], c.shape[-1], c.shape[-1])
    if not fits or len({a.dtype, b.dtype, c.dtype}) > 1:
        raise TypeError(
            f"{name}: expects a [..., m, m], b [..., n, n] and c [..., m, n] of one dtype and with "
            f"the same leading axes, got {a}, {b} and {c}"
        )


def sylvester_jvp(self: Any, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """a dx + dx b = dc - da x - x db."""
    (a, b, _), (da, db, rest) = primals, tangents
    x = self.bind(*primals)
    for t, term in ((da, lambda: mx.matmul(da, x)), (db, lambda: mx.matmul(x, db))):
        if t is not ZERO:
            rest = -term() if rest is ZERO else rest - term()
    return x, self.bind(a, b, rest)


def shifted_solve(m: Any, a: Any, shift: Any, r: Any, free: Any) -> Any:
    """The column x with (a + shift) x = r in the rows that are `free`, and 0 in the others."""
    rows, columns = mx.places(a, m)
    one = m.where(rows == columns, m.full(1.0, a), 0.0)
    moved = m.where(rows == columns, a + shift, a)
    matrix = m.where(mx.spread(free, a.shape, None, m), moved, one)
    return m.of(TriangularSolve(uplo="U"))(matrix, m.where(free, r, 0.0))


def sums_of_diagonals(m: Any, a: Any, b: Any) -> Any:
    """a[i, i] + b[j, j], as matrices."""
    a_i = mx.spread(mx.diagonal(a, m), a.shape, mx.of_rows(a), m)
    return a_i + mx.spread(mx.diagonal(b, m), a.shape, mx.of_columns(b), m)


def rounding(x: Any) -> float:
    """The relative error of one operation."""
    return float(np.finfo(x.dtype).eps)


def column(m: Any, x: Any, j: Any) -> Any:
    """Column j of matrices, as matrices."""
    return mx.window(m, x, m.number(0, j), j, x.shape[-2], 1)


def over_columns(m: Any, step: Any, x: Any, *fixed: Any) -> Any:
    """`step(j, x, *fixed)` for each column j of x."""
    first, n = m.of(Full((), mx.int32, 0))(), x.shape[-1]
    return m.loop(lambda j, *_: j < n, step, [first, x, *fixed])[1]


@frozen
class Schur(mx.Lapack):
    """Square matrices as z t z^H -> t, z, with unitary z and upper triangular t.

    Of real matrices t has a block of two rows for each pair of complex eigenvalues a +- ib, with
    a on its diagonal. In the complex case the phases are such that the largest element of each
    column of z is positive.
    """

    multiple_results = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        mx.check_matrices("schur", a)
        return [a, a]

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        # SciPy's interface to LAPACK, loaded when the first matrix is decomposed
        from scipy.linalg import lapack

        (a,) = matrices
        space = mx.BLOCK * (len(a) + mx.BLOCK)
        found = getattr(lapack, mx.LETTERS[a.dtype] + "gees")(lambda *_: None, a, lwork=space)
        return (found[0], found[-3]), found[-1]

    def impl(self, *arrays: np.ndarray) -> Any:
        return _with_phases(HOST, *super().impl(*arrays))

    def lower(self, ctx: Any, *arrays: Any) -> Any:
        (a,) = arrays
        values = [a.aval.update(a.aval.shape[:-1])] * (2 if a.aval.dtype.kind == "f" else 1)
        rest = [*values, a.aval.update(a.aval.shape[:-2], mx.int32)]
        found = self.call(ctx, "gees", [a], [a.aval] * 2, rest, mode="V", sort="N")
        return ctx.inline(partial(_with_phases, TRACED), *found)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """dz = z x and dt = z^H da z + t x - x t; the skew-Hermitian x is such that dt has the
        form of t.
        """
        t, z = self.bind(*primals)
        moved = mx.matmul(mx.matmul(mx.adjoint(z), tangents[0]), z)
        tangent = lambda x: moved + mx.matmul(t, x) - mx.matmul(x, t)
        if typeof(t).dtype.kind == "c":
            x = TriangularSylvester("lower").bind(-t, t, moved)
            x = x - mx.adjoint(x)
            off = select(_leading(TRACED, z), imag.bind(mx.matmul(z, x)) / real.bind(z), 0.0)
            turn = mx.spread(reduce_sum(off, (off.ndim - 2,)), z.shape, mx.of_columns(z))
            rows, columns = mx.places(z)
            x = x - select(rows == columns, complex_.bind(zeros_like(turn), turn), 0.0)
        else:
            w, pairs, normal = pair_rotations(t)
            apart = select(pairs, 0.0, mx.lower_triangle(moved, -1))
            t_c, m_c = (mx.matmul(mx.matmul(mx.adjoint(w), complex_.bind(v, zeros_like(v))), w)
                        for v in (t, apart))  # fmt: skip
            x = TriangularSylvester("lower").bind(-t_c, t_c, m_c)
            x = real.bind(mx.matmul(mx.matmul(w, x), mx.adjoint(w)))
            x = x - mx.flipped(x)
            uneven = sums_of_diagonals(TRACED, tangent(x), -tangent(x))
            turn = select(normal, 0.0, uneven / select(normal, 1.0, 2.0 * (t + mx.flipped(t))))
            x = x + turn - mx.flipped(turn)
        return [t, z], [tangent(x), mx.matmul(z, x)]


def _leading(m: Any, z: Any) -> Any:
    """Where in each column the first element stands that is (nearly) the largest."""
    size, row = m.abs(z), z.ndim - 2
    least = mx.spread(m.of(ReduceMax((row,)))(size) * 0.9, z.shape, mx.of_columns(z), m)
    first = m.of(ArgMax(row, mx.int32))(size >= least)
    return mx.places(z, m)[0] == mx.spread(first, z.shape, mx.of_columns(z), m)


def _with_phases(m: Any, t: Any, z: Any) -> list[Any]:
    """The decomposition with the phases of the complex case."""
    if t.dtype.kind == "f" or not t.size:
        return [t, z]
    top = m.of(ReduceSum((z.ndim - 2,)))(m.where(_leading(m, z), z, 0.0))
    phase = m.sign(top)
    back = m.conj(mx.spread(phase, z.shape, mx.of_columns(z), m))
    return [mx.spread(phase, z.shape, mx.of_rows(z), m) * t * back, z * back]


def pair_rotations(t: Any) -> tuple[Any, Any, Any]:
    """Of a real Schur form: the unitary matrix that makes it triangular, where its pairs of
    eigenvalues stand below the diagonal, and where there is nothing to be turned: elsewhere, and
    at pairs that any rotation keeps in form.
    """
    rows, columns = mx.places(t)
    under, over = select(rows == columns + 1, t, 0.0), mx.flipped(t)
    pairs = under != 0
    part = sqrt.bind(select(pairs, -under * over, 1.0))  # of the eigenvalues, imaginary
    over = select(pairs, over, 0.0)
    size = sqrt.bind(over * over + part * part)
    cosine, sine = select(pairs, over / size - 1.0, 0.0), select(pairs, part / size, 0.0)
    last = (t.ndim - 1,), (t.ndim - 2,)
    on = mx.spread(sum([reduce_sum(cosine, axis) for axis in last]) + 1.0, t.shape, mx.of_rows(t))
    w = complex_.bind(select(rows == columns, on, 0.0), sine + mx.flipped(sine))
    even = absolute.bind(under + over) <= absolute.bind(over) * (8 * rounding(t))
    return w, pairs, even | ~pairs
