"""The QR decomposition, and the Householder reflections that it is made of.

LAPACK packs a decomposition into one array: r on and above the diagonal, and below it in each
column the vector v of a reflection 1 - tau v v^H, with the factors tau beside (`Geqrf`).
`HouseholderProduct` makes q of the reflections. `Qr` is the decomposition with plain q and r; start
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...operations.sort import take_along_axis
from ...primitives.builder import LoweringContext
from ...primitives.constants import full_like
from ...primitives.core import Value
from ...primitives.stand_ins import ZERO
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray
from ...primitives.words.elementwise import imag, select
from ...primitives.words.slicing import pad, slice_in_dim
from ..special.special import TRACED
from . import kernels
from .linalg import TriangularSolve, identity_like
from .matrices import (
    LETTERS,
    Lapack,
    OfMatrices,
    adjoint,
    check_matrices,
    diagonal,
    int32,
    lower_triangle,
    matmul,
    of_columns,
    of_rows,
    places,
    spread,
    upper_triangle,
)


def columns_of(x: Value, count: int) -> Any:
    """Return the first columns of matrices."""
    return slice_in_dim(x, 0, count, axis=x.ndim - 1)


def rows_of(x: Value, count: int) -> Any:
    """Return the first rows of matrices."""
    return slice_in_dim(x, 0, count, axis=x.ndim - 2)


def with_columns(x: Value, count: int) -> Any:
    """Append columns of zeros until there are `count`."""
    return pad(x, [0] * x.ndim, [*[0] * (x.ndim - 1), count - x.shape[-1]])


def columns_at(x: Value, order: Value) -> Any:
    """Return the columns of matrices in another order."""
    if not x.size:
        return x
    return take_along_axis(x, spread(order, x.shape, of_columns(x)), x.ndim - 1)


@frozen
class Geqrf(OfMatrices):
    """The QR decomposition as LAPACK packs it -> (packed, factors tau).

    `packed` has r on and above its diagonal, and the reflections' vectors below it. With `pivoting`
    the order of the columns is a third result.
    """

    pivoting: bool = False
    multiple_results = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        check_matrices("geqrf", a, square=False)
        *lead, m, n = a.shape
        order = [ShapedArray((*lead, n), int32)] if self.pivoting else []
        return [a, ShapedArray((*lead, min(m, n)), a.dtype), *order]

    def impl(self, a: np.ndarray) -> Any:
        if not self.pivoting:
            packed, taus = np.linalg.qr(a, "raw")
            return [np.swapaxes(packed, -1, -2), taus]
        # SciPy's interface to LAPACK, loaded when the first matrix is decomposed with pivoting.
        from scipy.linalg import lapack

        avals = self.abstract_eval(ShapedArray(a.shape, a.dtype))
        outs = [np.zeros(t.shape, t.dtype) for t in avals]
        outs[2][...] = np.arange(a.shape[-1])
        for i in np.ndindex(a.shape[:-2]) if a.size else ():
            packed, order, taus, *_ = getattr(lapack, LETTERS[a.dtype] + "geqp3")(a[i])
            outs[0][i], outs[1][i], outs[2][i] = packed, taus, order - 1
        return outs

    def lower(self, ctx: LoweringContext, a: Any) -> Any:
        packed, taus, *order = outs = ctx.outs
        if not a.aval.size:
            orders = [ctx.op("iota", out=o, iota_dimension=f"{o.ndim - 1} : i64") for o in order]
            return [a, ctx.constant(0, taus), *orders]
        if not self.pivoting:
            return kernels.call(ctx, "geqrf", [a], outs)
        # LAPACK reads the order, too: 0 leaves a column free to be exchanged.
        free = ctx.constant(0, order[0])
        packed, pivots, taus = kernels.call(ctx, "geqp3", [a, free], [packed, *order, taus])
        return [packed, taus, ctx.op("subtract", pivots, 1, out=order[0])]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Compute the tangents of r, of the vectors v and of tau.

        With ones on the diagonal of v, a - r = v u for an upper triangular u, whose diagonal is
        -tau r. So the tangents of v and u are those of an LU decomposition of a - r.

        Ballard et al. 2014, Reconstructing Householder vectors from tall-skinny QR.
        """
        outs = packed, taus, *order = self.bind(*primals)
        a, da = (columns_at(x, *order) if order else x for x in (primals[0], tangents[0]))
        m, k = a.shape[-2], taus.shape[-1]
        r = upper_triangle(packed)
        _, dr = qr_moved(q_of(packed, taus), rows_of(r, k), da)
        dr = pad(dr, [0] * r.ndim, [*[0] * (r.ndim - 2), m - k, 0])
        v = with_columns(lower_triangle(columns_of(packed, k), -1), m)
        unit = TriangularSolve(diag="U")
        u = rows_of(unit.bind(v, columns_of(a - r, k)), k)
        if k == m:  # the last reflection has no vector; where its tau is 0, so is its u
            rows, columns = places(u)
            missing = spread(taus == 0, u.shape, of_rows(u))
            u = select(missing & (rows == k - 1) & (columns == k - 1), full_like(u, 1), u)
        x = TriangularSolve("R", "U").bind(u, unit.bind(v, columns_of(da - dr, k)))
        below = lower_triangle(x, -1)
        du = diagonal(matmul(rows_of(upper_triangle(x), k), u))
        square = lambda t: diagonal(rows_of(columns_of(t, k), k))
        dtaus = -(du + taus * square(dr)) / square(r)
        dv = lower_triangle(below + matmul(v, below), -1)
        dv = pad(dv, [0] * dv.ndim, [*[0] * (dv.ndim - 1), a.shape[-1] - k])
        return list(outs), [upper_triangle(dr) + dv, dtaus, *[ZERO for _ in order]]


@frozen
class HouseholderProduct(Lapack):
    """The first columns of the product of reflections 1 - tau v v^H.

    Vector i is in column i of a. Its ones on the diagonal and zeros above are not stored.
    """

    def abstract_eval(self, a: ShapedArray, taus: ShapedArray) -> ShapedArray:
        check_matrices("householder_product", a, square=False)
        m, n = a.shape[-2:]
        fits = taus.ndim == a.ndim - 1 and taus.shape[:-1] == a.shape[:-2] and taus.dtype == a.dtype
        if m < n or not fits or taus.shape[-1] > n:
            raise TypeError(
                "householder_product: expects a [..., m, n] with m >= n and taus [..., k] with "
                f"k <= n, of one dtype and with the same leading axes, got {a} and {taus}"
            )
        return a

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        # SciPy's interface to LAPACK, loaded when the first product is computed.
        from scipy.linalg import lapack

        a, taus = matrices
        q, _, info = getattr(lapack, kernels.lapack_name("orgqr", a.dtype))(a, taus)
        return [q], info

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        a = values[0]
        if not a.aval.size:
            return a
        return kernels.call(ctx, "orgqr", values, [a.aval])[0]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Compute the tangent of 1 - v y; see `compact`."""
        (a, taus), (da, dtaus) = primals, tangents
        n, k = a.shape[-1], taus.shape[-1]
        v, y = compact(a, taus)
        y = columns_of(y, n)
        scaled = lambda x: spread(taus, x.shape, of_rows(x)) * x
        overlaps, first = upper_triangle(matmul(adjoint(v), v), 1), adjoint(rows_of(v, n))
        weights = TriangularSolve(uplo="U", diag="U")
        change: Any = 0.0
        dq = full_like(a, 0)
        if dtaus is not ZERO:
            by_taus = first - matmul(overlaps, y)
            change = spread(dtaus, by_taus.shape, of_rows(by_taus)) * by_taus
        if da is not ZERO:
            dv = lower_triangle(columns_of(da, k), -1)
            cross = matmul(adjoint(v), dv)
            doverlaps = upper_triangle(cross + adjoint(cross), 1)
            change = change + scaled(adjoint(rows_of(dv, n)) - matmul(doverlaps, y))
            dq = -matmul(dv, y)
        return self.bind(a, taus), dq - matmul(v, weights.bind(scaled(overlaps), change))


def compact(a: Value, taus: Value) -> tuple[Any, Any]:
    """Return v and y such that the product of reflections is 1 - v y.

    (1 + t n) y = t v^H, with t = diag(taus) and the strict upper triangle n of v^H v (Schreiber and
    Van Loan 1989).
    """
    v = lower_triangle(columns_of(a, taus.shape[-1]), -1)
    v = v + identity_like(v)
    scaled = lambda x: spread(taus, x.shape, of_rows(x)) * x
    overlaps = upper_triangle(matmul(adjoint(v), v), 1)
    return v, TriangularSolve(uplo="U", diag="U").bind(scaled(overlaps), scaled(adjoint(v)))


def q_of(packed: Value, taus: Value) -> Any:
    """Return the orthonormal factor, with as many columns as there are reflections."""
    return HouseholderProduct().bind(columns_of(packed, taus.shape[-1]), taus)


@frozen
class Qr(OfMatrices):
    """The decomposition q r of matrices -> q, with orthonormal columns, and upper triangular r.

    With k the lesser of rows and columns, q is [..., m, k] and r [..., k, n]; the diagonal of r is
    real. With `pivoting` the columns are put in an order in which the diagonal of r decreases; this
    order is a third result.
    """

    pivoting: bool = False
    multiple_results = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        check_matrices("qr", a, square=False)
        *lead, m, n = a.shape
        k = min(m, n)
        order = [ShapedArray((*lead, n), int32)] if self.pivoting else []
        return [a.update((*lead, m, k)), a.update((*lead, k, n)), *order]

    def impl(self, a: np.ndarray) -> Any:
        if not self.pivoting:
            return list(np.linalg.qr(a))
        packed, taus, order = Geqrf(True).impl(a)
        k = taus.shape[-1]
        q = HouseholderProduct().impl(packed[..., :k], taus)
        return [q, np.triu(packed[..., :k, :]), order]

    def decompose(self, a: Value) -> Any:
        packed, taus, *order = Geqrf(self.pivoting).bind(a)
        return [q_of(packed, taus), upper_triangle(rows_of(packed, taus.shape[-1])), *order]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        outs = q, r, *order = self.bind(*primals)
        da = columns_at(tangents[0], *order) if order else tangents[0]
        return list(outs), [*qr_moved(q, r, da), *[ZERO for _ in order]]


def qr_moved(q: Value, r: Value, da: Value) -> tuple[Any, Any]:
    """Return the tangents of q and r.

    q^H dq is skew-Hermitian, and dr is upper triangular with a real diagonal. For more columns than
    rows see Roberts and Roberts 2020, QR and LQ decomposition matrix backpropagation algorithms.
    """
    k, n = r.shape[-2:]
    # x = da r^-1, and q^H x = q^H dq + dr r^-1. The second term is upper triangular with a real
    # diagonal, so the lower triangle, and the phases of the diagonal, belong to q^H dq.
    x = TriangularSolve("R", "U").bind(columns_of(r, k), columns_of(da, k))
    part = matmul(adjoint(q), x)
    low = lower_triangle(part, -1)
    turn = low - adjoint(low)
    if r.dtype.kind == "c":
        rows, columns = places(part)
        phase = TRACED.complex(full_like(imag.bind(part), 0), imag.bind(part))
        turn = select(rows == columns, phase, turn)
    dq = matmul(q, turn - part) + x
    if n == k:
        return dq, matmul(part - turn, r)
    return dq, upper_triangle(matmul(adjoint(q), da) - matmul(turn, r))


def qr(a: Any, full_matrices: bool = True, pivoting: bool = False) -> list[Any]:
    """Return q and r, and the order of columns if `pivoting`; with `full_matrices` q is square."""
    m, n = a.shape[-2:]
    if not full_matrices or m <= n:
        return list(Qr(pivoting).bind(a))
    packed, taus, *order = Geqrf(pivoting).bind(a)
    q = HouseholderProduct().bind(with_columns(packed, m), taus)
    return [q, upper_triangle(packed), *order]
