"""hessenberg and tridiagonal: square matrices reduced by reflections, a step towards eigenvalues.

The result is packed as LAPACK does it: the reduced matrix, and in place of the elements that are 0
the vectors v of the reflections 1 - tau v v^H.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...primitives.constants import zeros_like
from ...primitives.core import typeof
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
    """Square matrices as q h q^H, where h has no elements below the first subdiagonal -> h packed
    with the reflections whose product is q, and their factors tau.
    """

    multiple_results = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        mx.check_matrices("hessenberg", a)
        return [a, a.update((*a.shape[:-2], max(a.shape[-1] - 1, 0)))]

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        # SciPy's interface to LAPACK, loaded when the first matrix is reduced
        from scipy.linalg import lapack

        (a,) = matrices
        space = mx.BLOCK * (len(a) + mx.BLOCK + 1)
        *found, info = getattr(lapack, mx.LETTERS[a.dtype] + "gehrd")(a, lwork=space)
        return found, info

    def lower(self, ctx: Any, *arrays: Any) -> Any:
        n = arrays[0].aval.shape[-1]
        return self.call(ctx, "gehrd", arrays, ctx.outs, low=1, high=n)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        packed, taus = self.bind(*primals)
        dh, dv, dtaus = reduction_tangents(packed, taus, mx.upper_triangle(packed, -1), tangents[0])
        return [packed, taus], [mx.upper_triangle(dh, -1) + dv, dtaus]


@frozen
class Tridiagonal(mx.Lapack):
    """Hermitian matrices as q t q^H with tridiagonal real t -> t packed with the reflections, its
    diagonal, its subdiagonal, and the factors tau. Read is one triangle, in which they are packed:
    the lower one with `below`, else the upper one, whose reflections begin with the last column.
    """

    below: bool = True
    multiple_results = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        mx.check_matrices("tridiagonal", a)
        lead, n, dtype = a.shape[:-2], a.shape[-1], real_dtype(a.dtype)
        less = (*lead, max(n - 1, 0))
        return [a, ShapedArray((*lead, n), dtype), ShapedArray(less, dtype), a.update(less)]

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        # SciPy's interface to LAPACK, loaded when the first matrix is reduced
        from scipy.linalg import lapack

        (a,) = matrices
        reduce = getattr(lapack, lapack_name("sytrd", a.dtype))
        *found, info = reduce(a, lower=self.below, lwork=mx.BLOCK * len(a))
        return found, info

    def lower(self, ctx: Any, *arrays: Any) -> Any:
        return self.call(ctx, "sytrd", arrays, ctx.outs, uplo="L" if self.below else "U")

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """The upper triangle is the lower one of the matrix in reverse order."""
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
        moved = [select(rows < columns, da, band + dv), on, beside, dtaus]
        if da.dtype.kind == "c":
            moved[1:3] = [real.bind(x) for x in moved[1:3]]
        return outs, [turn(moved[0], last - 1, last), *[turn(x, last - 1) for x in moved[1:]]]


def _inner(x: Any) -> Any:
    """Square matrices without their first row and last column: the subdiagonal comes first."""
    lead = (0,) * (x.ndim - 2)
    return pad(x, (*lead, -1, 0), (*lead, 0, -1)) if x.shape[-1] else x


def _column(x: Any, i: int, j: int, rows: int) -> Any:
    """`rows` elements of column j from row i on."""
    lead = x.ndim - 2
    return Slice((0,) * lead + (i, j), (*x.shape[:-2], i + rows, j + 1), (1,) * x.ndim).bind(x)


def reduction_tangents(packed: Any, taus: Any, h: Any, da: Any) -> tuple[Any, Any, Any]:
    """The tangents of h = q^H a q, of the vectors v below its subdiagonal, and of the factors tau.

    dh = m + h x - x h with m = q^H da q and skew-Hermitian x = q^H dq. That dh has no elements
    below its subdiagonal, which stays real, gives column j + 1 of x from column j (the first one
    is 0). Then the vectors follow from q: as q = 1 - v t v^H, the unit lower triangular v, and
    -t v^H, are the LU factors of q - 1 (Ballard et al. 2014, "Reconstructing Householder vectors
    from tall-skinny QR"). The derivative is infinite where a reflection is not needed.
    """
    n = h.shape[-1]
    if n < 2:
        return da, zeros_like(da), zeros_like(taus)
    v = mx.lower_triangle(_inner(packed), -1)
    rows, columns = mx.places(v)
    v = v + convert_element_type(rows == columns, v.dtype)
    overlap = mx.upper_triangle(mx.matmul(mx.adjoint(v), v), 1)
    q = HouseholderProduct().bind(v, taus)
    low, none = (0,) * (h.ndim - 2), (0,) * h.ndim
    rows, columns = mx.places(h)
    q = pad(q, (*low, 1, 1), none) + convert_element_type(rows + columns == 0, v.dtype)
    moved = mx.matmul(mx.matmul(mx.adjoint(q), da), q)
    x = zeros_like(h)
    for j in range(n - 1):
        xj, hj = _column(x, 0, j, n), _column(h, 0, j, n)
        rest = _column(moved, 0, j, n) + mx.matmul(h, xj) - mx.matmul(x, hj)
        new = scale.bind(rest, mx.spread(reciprocal(_column(h, j + 1, j, 1)), rest.shape))
        row = mx.places(new)[0]
        turn = (new - conjugate(new)) * 0.25  # half of the imaginary part
        new = select(row > j + 1, new, select(row == j + 1, turn, 0.0))
        new = pad(new, (*low, 0, j + 1), (*low, 0, n - 2 - j))
        x = x + new - mx.adjoint(new)
    dq = pad(mx.matmul(q, x), (*low, -1, -1), none)
    inner = TriangularSolve("R", form="C").bind(v, TriangularSolve().bind(v, dq))
    rows, columns = mx.places(v)
    others = mx.matmul(inner, overlap)
    by_tau = mx.spread(taus, v.shape, mx.of_columns(v))
    by_tau = reciprocal(select(columns == n - 2, 1.0, by_tau))  # the last reflection has no v
    dv = -mx.matmul(v, mx.lower_triangle(scale.bind(inner, by_tau) + others, -1))
    dtaus = -mx.diagonal(inner) - mx.diagonal(others) * taus
    return moved + mx.matmul(h, x) - mx.matmul(x, h), pad(dv, (*low, 1, 0), (*low, 0, 1)), dtaus
