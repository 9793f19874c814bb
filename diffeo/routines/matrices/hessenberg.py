"""hessenberg and tridiagonal: square matrices reduced by reflections, a step towards eigenvalues.

The result is packed as LAPACK does it: the reduced matrix, with the vectors v of the reflections 1
- tau v v^H in place of the elements that are 0. Both derivatives are `reduction_tangents`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...primitives.builder import LoweringContext
from ...primitives.constants import zeros_like
from ...primitives.core import Value, typeof
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray, real_dtype
from ...primitives.words.elementwise import real, reciprocal, scale, select
from ...primitives.words.slicing import Slice, pad, rev
from ...primitives.words.structural import convert_element_type
from . import matrices as mx
from .kernels import lapack_name
from .linalg import TriangularSolve, conjugate, hermitian
from .qr import HouseholderProduct


@frozen
class Hessenberg(mx.Lapack):
    """The decomposition q h q^H of square matrices, where h is 0 below its first subdiagonal.

    Results: h, packed with the reflections whose product is q; the factors tau.
    """

    multiple_results = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        mx.check_matrices("hessenberg", a)
        return [a, a.update((*a.shape[:-2], max(a.shape[-1] - 1, 0)))]

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        # SciPy's interface to LAPACK, loaded when the first matrix is reduced.
        from scipy.linalg import lapack

        (a,) = matrices
        space = mx.BLOCK * (len(a) + mx.BLOCK + 1)
        *results, info = getattr(lapack, mx.LETTERS[a.dtype] + "gehrd")(a, lwork=space)
        return results, info

    def lower(self, ctx: LoweringContext, *arrays: Any) -> Any:
        n = arrays[0].aval.shape[-1]
        return self.call(ctx, "gehrd", arrays, ctx.outs, low=1, high=n)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        packed, taus = self.bind(*primals)
        dh, dv, dtaus = reduction_tangents(packed, taus, mx.upper_triangle(packed, -1), tangents[0])
        return [packed, taus], [mx.upper_triangle(dh, -1) + dv, dtaus]


@frozen
class Tridiagonal(mx.Lapack):
    """The decomposition q t q^H of Hermitian matrices, where t is real and tridiagonal.

    Results: t, packed with the reflections; its diagonal; its subdiagonal; the factors tau. One
    triangle is read, and holds the reflections: the lower one with `below`, else the upper one,
    whose reflections begin with the last column.
    """

    below: bool = True
    multiple_results = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        mx.check_matrices("tridiagonal", a)
        lead, n, dtype = a.shape[:-2], a.shape[-1], real_dtype(a.dtype)
        less = (*lead, max(n - 1, 0))
        return [a, ShapedArray((*lead, n), dtype), ShapedArray(less, dtype), a.update(less)]

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        # SciPy's interface to LAPACK, loaded when the first matrix is reduced.
        from scipy.linalg import lapack

        (a,) = matrices
        reduce = getattr(lapack, lapack_name("sytrd", a.dtype))
        *results, info = reduce(a, lower=self.below, lwork=mx.BLOCK * len(a))
        return results, info

    def lower(self, ctx: LoweringContext, *arrays: Any) -> Any:
        return self.call(ctx, "sytrd", arrays, ctx.outs, uplo="L" if self.below else "U")

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Compute the tangents; an upper triangle is the lower one of the matrix in
        reverse order.
        """
        outs = self.bind(*primals)
        last = typeof(outs[0]).ndim - 1
        turn = lambda x, *axes: x if self.below else rev(x, axes)
        packed, taus = turn(outs[0], last - 1, last), turn(outs[3], last - 1)
        da = turn(tangents[0], last - 1, last)
        rows, columns = mx.places(packed)
        dh, dv, dtaus = reduction_tangents(
            packed, taus, hermitian(select(rows <= columns + 1, packed, 0.0)), hermitian(da)
        )
        band = select(rows <= columns + 1, mx.lower_triangle(dh), 0.0)
        on, beside = (mx.diagonal(x) for x in (dh, _inner(dh)))
        dresults = [select(rows < columns, da, band + dv), on, beside, dtaus]
        if da.dtype.kind == "c":
            dresults[1:3] = [real.bind(x) for x in dresults[1:3]]
        return outs, [turn(dresults[0], last - 1, last), *[turn(x, last - 1) for x in dresults[1:]]]


def _inner(x: Value) -> Any:
    """Return square matrices without their first row and last column.

    Then the subdiagonal becomes the diagonal.
    """
    lead = (0,) * (x.ndim - 2)
    return pad(x, (*lead, -1, 0), (*lead, 0, -1)) if x.shape[-1] else x


def _column(x: Value, i: int, j: int, rows: int) -> Any:
    """Return `rows` elements of column j, from row i on."""
    lead = x.ndim - 2
    return Slice((0,) * lead + (i, j), (*x.shape[:-2], i + rows, j + 1), (1,) * x.ndim).bind(x)


def reduction_tangents(packed: Value, taus: Value, h: Value, da: Value) -> tuple[Any, Any, Any]:
    """Return the tangents of h = q^H a q, of the vectors v below its subdiagonal, and of tau.

    dh = m + h x - x h with m = q^H da q and the skew-Hermitian x = q^H dq. Column 0 of x is 0. As
    dh has no elements below its subdiagonal, which stays real, column j of x gives column j + 1.

    The vectors then follow from q. As q = 1 - v t v^H, the unit lower triangular v, and -t v^H, are
    the LU factors of q - 1 (Ballard et al. 2014, "Reconstructing Householder vectors from
    tall-skinny QR"). The derivative is infinite where a reflection is not needed.
    """
    n = h.shape[-1]
    if n < 2:
        return da, zeros_like(da), zeros_like(taus)
    v = mx.lower_triangle(_inner(packed), -1)
    rows, columns = mx.places(v)
    v = v + convert_element_type(rows == columns, v.dtype)
    overlap = mx.upper_triangle(mx.matmul(mx.adjoint(v), v), 1)
    q = HouseholderProduct().bind(v, taus)
    low, zeros = (0,) * (h.ndim - 2), (0,) * h.ndim
    rows, columns = mx.places(h)
    q = pad(q, (*low, 1, 1), zeros) + convert_element_type(rows + columns == 0, v.dtype)
    m = mx.matmul(mx.matmul(mx.adjoint(q), da), q)
    x = zeros_like(h)
    for j in range(n - 1):
        xj, hj = _column(x, 0, j, n), _column(h, 0, j, n)
        residue = _column(m, 0, j, n) + mx.matmul(h, xj) - mx.matmul(x, hj)
        new = scale.bind(residue, mx.spread(reciprocal(_column(h, j + 1, j, 1)), residue.shape))
        row = mx.places(new)[0]
        turn = (new - conjugate(new)) * 0.25  # half of the imaginary part
        new = select(row > j + 1, new, select(row == j + 1, turn, 0.0))
        # Put the column at j + 1; its adjoint is row j + 1 of x.
        new = pad(new, (*low, 0, j + 1), (*low, 0, n - 2 - j))
        x = x + new - mx.adjoint(new)
    dq = pad(mx.matmul(q, x), (*low, -1, -1), zeros)
    inner = TriangularSolve("R", form="C").bind(v, TriangularSolve().bind(v, dq))
    rows, columns = mx.places(v)
    others = mx.matmul(inner, overlap)
    by_tau = mx.spread(taus, v.shape, mx.of_columns(v))
    by_tau = reciprocal(select(columns == n - 2, 1.0, by_tau))  # the last reflection has no v
    dv = -mx.matmul(v, mx.lower_triangle(scale.bind(inner, by_tau) + others, -1))
    dtaus = -mx.diagonal(inner) - mx.diagonal(others) * taus
    return m + mx.matmul(h, x) - mx.matmul(x, h), pad(dv, (*low, 1, 0), (*low, 0, 1)), dtaus
