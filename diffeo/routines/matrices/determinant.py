"""Determinants and the pseudoinverse.

A decomposition gives their values. Their derivatives have formulas of their own, which hold where a
decomposition has no derivative, as at singular matrices. Start with `Given`: a value that was
computed by a decomposition, together with its derivative by the matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan
from typing import Any

import numpy as np

from ...operations.identity import stop_gradient
from ...primitives.builder import LoweringContext
from ...primitives.constants import full, full_like
from ...primitives.core import Value
from ...primitives.stand_ins import ZERO
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray
from ...primitives.words.elementwise import (
    absolute,
    complex_,
    cos,
    imag,
    log,
    real,
    select,
    sign,
    sin,
)
from ...primitives.words.reduction import ReduceProd, reduce_and, reduce_max, reduce_prod
from ...primitives.words.structural import ConvertElementType, Iota, reduce_sum
from ..special.special import HOST, TRACED, Operations
from . import small_matrices
from .linalg import Lu, LuSolve, check_factors, identity_like, lu_of
from .matrices import (
    OfMatrices,
    adjoint,
    check_matrices,
    diagonal,
    flipped,
    int32,
    matmul,
    of_columns,
    places,
    spread,
)
from .spectral import Svd, largest, per_column, rounding


class Given(OfMatrices):
    """A value that was computed from a matrix a, with a rule for its derivative by a.

    The first operand is a; the last operand is the value, a constant of differentiation, and the
    result. The operands between are the LU decomposition of a. `derivative` says how the value
    changes with a.
    """

    def abstract_eval(self, *avals: ShapedArray) -> ShapedArray:
        a, lu, order, value = avals
        check_factors(self.name, a, lu, order)
        if value != a.update(a.shape[:-2]):
            raise TypeError(f"{self.name}: expects one number for each matrix of {a}, got {value}")
        return value

    def impl(self, *arrays: np.ndarray) -> np.ndarray:
        return arrays[-1]

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return values[-1]

    def derivative(self, out: Any, da: Any, *known: Any) -> Any:
        """Return the tangent of the result `out` for a tangent of a; `known` are the other
        operands.
        """
        raise NotImplementedError

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        out = self.bind(*primals)
        tangent = tangents[-1]
        if tangents[0] is not ZERO:
            by_matrix = self.derivative(out, tangents[0], *primals[:-1])
            tangent = by_matrix if tangent is ZERO else tangent + by_matrix
        return out, tangent


def product_trace(x: Value, y: Value) -> Any:
    """Return the trace of x y."""
    return reduce_sum(flipped(x) * y, (y.ndim - 2, y.ndim - 1))


class LogDeterminant(Given):
    """The logarithm of a determinant, from (a, lu, permutation, the logarithm)."""

    def derivative(self, out: Value, da: Value, *known: Any) -> Any:
        return product_trace(LuSolve().bind(*known, identity_like(known[0])), da)


class Determinant(Given):
    """A determinant, from (a, lu, permutation, the determinant)."""

    def derivative(self, out: Value, da: Value, *known: Any) -> Any:
        return product_trace(Adjugate().bind(*known, out), da)


@frozen
class Adjugate(OfMatrices):
    """The transposed cofactors of a, from (a, lu, permutation, determinant).

    The adjugate is the derivative of the determinant by a^T. Where no matrix is singular, it is the
    determinant times the inverse; else it comes from the singular values.
    """

    def abstract_eval(
        self, a: ShapedArray, lu: ShapedArray, order: ShapedArray, value: ShapedArray
    ) -> ShapedArray:
        check_factors("adjugate", a, lu, order)
        if value != a.update(a.shape[:-2]):
            raise TypeError(f"adjugate: expects one number for each matrix of {a}, got {value}")
        return a

    def impl(self, *arrays: np.ndarray) -> np.ndarray:
        way = from_inverse if np.all(arrays[-1] != 0) else from_singular_values
        return way(HOST, *arrays)

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        regular = lambda value: reduce_and(value != 0, range(value.ndim))
        # The program holds both ways, and chooses one when it runs.
        yes, no = (
            ctx.region([], lambda way=way: [ctx.inline(lambda *xs: way(TRACED, *xs), *values)])
            for way in (from_inverse, from_singular_values)
        )
        flag = ctx.inline(regular, values[-1])
        return ctx.emit("if", [flag], [values[0].aval], {}, f"{yes[:-1]}, {no[2:]}")[0]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Compute the tangent of the determinant times the inverse.

        It is nan where the matrix is singular up to rounding.
        """
        out, (*_, value), (da, *_) = self.bind(*primals), primals, tangents
        if da is ZERO:
            return out, ZERO
        change = spread(product_trace(out, da), out.shape) * out - matmul(matmul(out, da), out)
        bound = largest(primals[0]) * largest(out) * rounding(out)
        value = spread(value, out.shape)
        return out, change / select(absolute.bind(value) <= bound, full_like(value, nan), value)


def from_inverse(m: Operations, a: Any, lu: Any, order: Any, value: Any) -> Any:
    """Return the adjugate of regular matrices."""
    rows, columns = places(a, m)
    unit = m.of(ConvertElementType(a.dtype))(rows == columns)
    return m.of(LuSolve())(a, lu, order, unit) * spread(value, a.shape, None, m)


def from_singular_values(m: Operations, a: Any, *_: Any) -> Any:
    """Return the adjugate of any matrices u diag(s) vh.

    It is the product of the adjugates of the factors, in reverse order. That of diag(s) has on its
    diagonal the product of the other singular values; that of u and vh is the adjoint times the
    determinant, and `turn` is the determinant of u vh.
    """
    u, s, vh = m.of(Svd())(a)
    rows, columns = places(a, m)
    grid = spread(s, a.shape, of_columns(a), m)
    # In each row all singular values, but 1 on the diagonal: their product leaves one out.
    others = m.where(rows == columns, m.full(1.0, grid), grid)
    others = m.of(ConvertElementType(a.dtype))(m.of(ReduceProd((a.ndim - 1,)))(others))
    turn = product_of_pivots(m, *m.of(Lu())(matmul(u, vh, m))[:2])
    scaled = spread(others, a.shape, of_columns(a), m) * spread(turn, a.shape, None, m)
    return matmul(adjoint(vh, m) * scaled, adjoint(u, m), m)


def signed_pivots(m: Operations, lu: Any, pivots: Any) -> Any:
    """Return the diagonal of u, negative where rows were exchanged."""
    exchanged = pivots != m.of(Iota(pivots.shape, int32, pivots.ndim - 1))()
    values = diagonal(lu, m)
    return m.where(exchanged, -values, values)


def product_of_pivots(m: Operations, lu: Any, pivots: Any) -> Any:
    """Return the determinant."""
    return m.of(ReduceProd((pivots.ndim - 1,)))(signed_pivots(m, lu, pivots))


class PseudoInverse(Given):
    """The Moore-Penrose inverse p of matrices of constant rank, from (a, p).

    Golub and Pereyra 1973, The differentiation of pseudo-inverses.
    """

    def abstract_eval(self, *avals: ShapedArray) -> ShapedArray:
        a, p = avals
        check_matrices("pseudo_inverse", a, square=False)
        if p != a.update((*a.shape[:-2], a.shape[-1], a.shape[-2])):
            raise TypeError(f"pseudo_inverse: expects p of the shape of a^H for {a}, got {p}")
        return p

    def derivative(self, out: Value, da: Value, *known: Any) -> Any:
        (a,), back, turned = known, adjoint(out), adjoint(da)
        inside = matmul(matmul(out, back), turned)
        outside = matmul(matmul(turned, back), out)
        change = inside - matmul(matmul(inside, a), out) - matmul(matmul(out, da), out)
        return change + outside - matmul(out, matmul(a, outside))


# --------------------------------------------------------------------------------------------------


def det(a: Any) -> Any:
    """Return the determinants of square matrices."""
    n = a.shape[-1]
    if n <= small_matrices.LARGEST:
        return small_matrices.determinant(a) if n else full(a.shape[:-2], 1, a.dtype)
    lu, pivots, order = lu_of(a)
    return Determinant().bind(a, lu, order, product_of_pivots(TRACED, lu, pivots))


def slogdet(a: Any) -> tuple[Any, Any]:
    """Return the sign of the determinants and the logarithm of their size.

    The sign is a number of size 1, or 0 for singular matrices.
    """
    lu, pivots, order = lu_of(a)
    parts = signed_pivots(TRACED, lu, pivots)
    axes = (parts.ndim - 1,)
    phase = reduce_prod(sign.bind(parts), axes)
    size = absolute.bind(parts)
    zero = size == 0
    size = reduce_sum(select(zero, -inf, log.bind(select(zero, 1.0, size))), axes)
    if a.dtype.kind != "c":
        return phase, LogDeterminant().bind(a, lu, order, size)
    logarithm = LogDeterminant().bind(a, lu, order, complex_.bind(size, full_like(size, 0.0)))
    angle = imag.bind(logarithm)  # its value is 0, its derivative is that of the angle
    return phase * complex_.bind(cos.bind(angle), sin.bind(angle)), real.bind(logarithm)


def pinv(a: Any, threshold: Any) -> Any:
    """Return the pseudoinverse.

    Singular values up to `threshold` times the largest one count as 0.
    """
    u, s, vh = Svd().bind(stop_gradient(a))
    if not a.size:
        return PseudoInverse().bind(a, adjoint(a))
    small = s <= spread(reduce_max(s, (s.ndim - 1,)) * threshold, s.shape)
    inverse = select(small, full_like(s, 0.0), 1.0 / select(small, full_like(s, 1.0), s))
    v = adjoint(vh)
    return PseudoInverse().bind(a, matmul(v * per_column(inverse, v), adjoint(u)))
