"""Decompositions that are smooth where eigenvalues or singular values are equal: blocks in place of
numbers.

Values that are equal, or nearly so, are a level. A = V H V^H with unitary V and a block of H for
each level is a smooth function of A, once V is turned between levels only: dV = V X with
X H - H X = V^H dA V between levels and X = 0 within them, where dH is what is left of V^H dA V. So
is A = U H V^H, where U and V are turned alike between levels, and against one another so that H
stays Hermitian. At the point itself H is diagonal, and these are the usual decompositions. What
does not depend on the choice of a basis is a smooth function of U, H and V.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan
from typing import Any

import numpy as np

from ...operations.cumulative import cumsum
from ...primitives.constants import full, full_like
from ...primitives.stand_ins import ZERO
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray, bool_
from ...primitives.words.elementwise import absolute, maximum, minimum, scale, select
from ...primitives.words.identity import stop_gradient
from ...primitives.words.reduction import ReduceMax
from ...primitives.words.slicing import pad, slice_in_dim
from ...primitives.words.structural import convert_element_type, expand_dims, reduce_sum, squeeze
from ..special.special import TRACED
from .linalg import hermitian
from .matrices import (
    Written,
    adjoint,
    check_matrices,
    diagonal,
    flipped,
    int32,
    matmul,
    of_columns,
    of_rows,
    places,
    rounding,
    spread,
)


@frozen
class DiagonalSylvester(Written):
    """(h, t, free) -> the x with x h + `sign` h x = t where `free`, and 0 elsewhere; h is diagonal
    at the point itself, derivatives are by all of it. nan where a sum of values of h is 0.

    What is free must be a union of blocks which the equation does not couple with others. With
    `sign` 0, t and x may be rectangular.
    """

    sign: int

    def abstract_eval(self, h: ShapedArray, t: ShapedArray, free: ShapedArray) -> ShapedArray:
        check_matrices("diagonal_sylvester", h)
        fits = t.shape[:-2] == h.shape[:-2] and t.shape[-1] == h.shape[-1] and t.dtype == h.dtype
        if not fits or (self.sign and t != h) or free != t.update(dtype=bool_):
            raise TypeError(
                "diagonal_sylvester: expects h [..., n, n], t [..., n, n] and booleans of its "
                f"shape, got {h}, {t} and {free}"
            )
        return t

    def formula(self, m: Any, *arrays: Any) -> Any:
        h, t, free = arrays
        if not t.size:
            return t
        values = diagonal(h, m)
        pivots = spread(values, t.shape, of_columns(t), m)
        if self.sign:
            left = spread(values, t.shape, of_rows(t), m)
            pivots = pivots + left if self.sign > 0 else pivots - left
        if self.sign >= 0:
            size = m.abs(values)
            most = m.of(ReduceMax((size.ndim - 1,)))(size) * rounding(h)
            pivots = m.where(m.abs(pivots) <= spread(most, t.shape, None, m), nan, pivots)
        return m.where(free & (t != 0), t / m.where(free, pivots, 1.0), 0.0)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        h, _, free = primals
        (dh, rest, _), x = tangents, self.bind(*primals)
        if dh is not ZERO:
            term = matmul(x, dh)
            if self.sign:
                term = term + matmul(dh, x) if self.sign > 0 else term - matmul(dh, x)
            rest = -term if rest is ZERO else rest - term
        return x, ZERO if rest is ZERO else self.bind(h, rest, free)

    def transpose(self, ct: Any, h: Any, t: Any, free: Any) -> Sequence[Any]:
        return None, self.bind(flipped(h), ct, free), None


def placed(w: Any, like: Any, m: Any = TRACED) -> Any:
    """Diagonal matrices."""
    rows, columns = places(like, m)
    return m.where(rows == columns, spread(w, like.shape, of_columns(like), m), 0.0)


@frozen
class EighLevels(Written):
    """(a, w, v, same) -> the h and v of a = v h v^H, with a block of h for each level; `same` says
    which eigenvalues are of one. Given are w and v of the usual decomposition, constants.
    """

    uplo: str = "L"
    multiple_results = True

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        a, w, v, same = avals
        check_matrices("eigh_levels", a)
        if v != a or w != a.update(a.shape[:-1]) or same != a.update(dtype=bool_):
            raise TypeError(
                "eigh_levels: expects a [..., n, n], w [..., n], v and booleans of the shape of a, "
                f"got {a}, {w}, {v} and {same}"
            )
        return [a, a]

    def formula(self, m: Any, *arrays: Any) -> Any:
        _, w, v, _ = arrays
        return [placed(w, v, m), v]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (h, v), same = self.bind(*primals), primals[-1]
        if tangents[0] is ZERO:
            return [h, v], [ZERO, ZERO]
        t = matmul(adjoint(v), matmul(hermitian(tangents[0], self.uplo == "L"), v))
        x = DiagonalSylvester(-1).bind(h, t, ~same)
        return [h, v], [select(same, t, full_like(t, 0)), matmul(v, x)]


@frozen
class SvdLevels(Written):
    """(a, u, s, v, same) -> the u, h and v of a = u h v^H, with a Hermitian block of h for each
    level; `same` says which singular values are of one. Given are u, s and v of the usual reduced
    decomposition, constants.
    """

    multiple_results = True

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        a, u, s, v, same = avals
        check_matrices("svd_levels", a, square=False)
        *lead, m, n = a.shape
        k = min(m, n)
        fits = (u.shape, s.shape, v.shape) == ((*lead, m, k), (*lead, k), (*lead, n, k))
        fits = fits and u.dtype == s.dtype == v.dtype == a.dtype
        if not fits or same != a.update((*lead, k, k), dtype=bool_):
            raise TypeError(
                "svd_levels: expects a [..., m, n], u [..., m, k], s [..., k], v [..., n, k] and "
                f"booleans [..., k, k], got {a}, {u}, {s}, {v} and {same}"
            )
        return [u, a.update((*lead, k, k)), v]

    def formula(self, m: Any, *arrays: Any) -> Any:
        _, u, s, v, same = arrays
        like = spread(s, same.shape, of_columns(same), m)
        return [u, placed(s, like, m), v]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (u, h, v), same, da = self.bind(*primals), primals[-1], tangents[0]
        if da is ZERO:
            return [u, h, v], [ZERO, ZERO, ZERO]
        right, left = matmul(da, v), matmul(adjoint(da), u)
        t = matmul(adjoint(u), right)
        even, odd = (t + adjoint(t)) * 0.5, (t - adjoint(t)) * 0.5
        alike = DiagonalSylvester(-1).bind(h, even, ~same)
        against = DiagonalSylvester(1).bind(h, odd, everywhere(odd))
        du, dv = matmul(u, alike + against), matmul(v, alike - against)
        du = du + leaving(u, h, t, right)
        dv = dv + leaving(v, adjoint(h), adjoint(t), left)
        return [u, h, v], [du, select(same, even, full_like(even, 0)), dv]


def everywhere(x: Any) -> Any:
    """True for each element."""
    return full(x.shape, True, bool_)


def leaving(u: Any, h: Any, t: Any, moved: Any) -> Any:
    """The part of the tangent of u that leaves its space: what of `moved` is not u t, over h."""
    if u.shape[-2] == u.shape[-1]:
        return full_like(u, 0)
    rest = moved - matmul(u, t)
    return DiagonalSylvester(0).bind(h, rest, everywhere(rest))


# --------------------------------------------------------------------------------------------------


def levels(w: Any, like: Any) -> tuple[Any, Any]:
    """Which of sorted values are of one level, as matrices `like`; and the mean of each one's.

    Neighbours are if they are equal up to rounding, or their distance is below the fourth root of
    rounding beside their size: then a few terms of a power series have all digits.
    """
    n, axis = w.shape[-1], w.ndim - 1
    size = absolute.bind(w)
    most = ReduceMax((axis,)).bind(size)
    first, second = (slice_in_dim(w, i, n - 1 + i, axis=axis) for i in (0, 1))
    near = minimum.bind(absolute.bind(first), absolute.bind(second))
    near = near * float(np.finfo(w.dtype).eps) ** 0.25
    bound = maximum.bind(near, spread(most * rounding(like), near.shape))
    apart = absolute.bind(second - first) > bound
    number = cumsum(pad(convert_element_type(apart, int32), (*[0] * axis, 1), [0] * w.ndim), axis)
    shape = (*w.shape, n)
    rows, columns = (spread(number, shape, dims) for dims in (
        range(w.ndim), (*range(axis), w.ndim)))  # fmt: skip
    same = rows == columns
    weight = convert_element_type(same, w.dtype)
    total = matmul(weight, expand_dims(w, (w.ndim,)))
    count = matmul(weight, full_like(expand_dims(w, (w.ndim,)), 1.0))
    return same, squeeze(total / count, (w.ndim,))


# --------------------------------------------------------------------------------------------------


class Blocks:
    """A decomposition in blocks: the vectors of each side, h, which values are of one level, and
    the means of levels. `series(f, center)` has the Taylor coefficients of numbers f(w).
    """

    def __init__(self, a: Any, parts: dict[str, Any], h: Any, same: Any, center: Any, series: Any):
        self.a, self.parts, self.h, self.same, self.center = a, parts, h, same, center
        self.lead, self.count, self.series = h.ndim - 2, h.shape[-1], series

    def product(self, x: Any, y: Any) -> Any:
        """x f y^H for two sets of vectors with factors; a value up to rounding."""
        whole = (x.start, x.stop) == (0, self.count)
        if whole and x.side != y.side and len(x.factors) + len(y.factors) == 1 and (x.own or y.own):
            return self.a if x.side == "u" else adjoint(self.a)
        inner = self.inner(x, [*x.factors, *y.factors])
        left, right = self.parts[x.side], self.parts[y.side]
        return matmul(left if inner is None else matmul(left, inner), adjoint(right))

    def total(self, values: Any) -> Any:
        """The sum of values: the trace of f(h)."""
        return reduce_sum(diagonal(self.inner(values, [values.numbers])), (self.lead,))

    def inner(self, x: Any, factors: Sequence[Callable]) -> Any:
        """f(h), by the series of f about the mean of each level; None for the identity."""
        if not factors and (x.start, x.stop) == (0, self.count):
            return None
        terms = [self.filled(c, x) for c in self.terms(factors, x)]
        out = placed(terms[-1], self.h)
        if len(terms) > 1:
            rest = self.h - placed(convert_element_type(self.center, self.h.dtype), self.h)
            for c in reversed(terms[:-1]):
                out = matmul(rest, out) + placed(c, self.h)
        rows, columns = places(self.h)
        uneven = self.differ(terms[0])
        for c in terms[1:2]:
            uneven = uneven | self.differ(c)
        uneven = uneven & self.same & (rows != columns)
        # What tells values of one level apart has no derivative.
        return out + scale.bind(self.h, select(uneven, full_like(self.h, nan), 0.0))

    def terms(self, factors: Sequence[Callable], x: Any) -> list[Any]:
        """Coefficients of the product of the factors about the means of levels."""
        if not factors:
            return [full_like(slice_in_dim(self.center, x.start, x.stop, axis=self.lead), 1.0)]

        def f(w: Any) -> Any:
            out = factors[0](w)
            for g in factors[1:]:
                out = out * g(w)
            return out

        return self.series(f, self.center)

    def filled(self, c: Any, x: Any) -> Any:
        """Numbers for some of the vectors, with 0 for the others, in the dtype of matrices."""
        none = [0] * self.lead
        c = convert_element_type(c, self.h.dtype)
        return pad(c, (*none, x.start), (*none, self.count - x.stop))

    def differ(self, c: Any) -> Any:
        """Which two of these numbers are not the same."""
        row, column = (spread(c, self.h.shape, of(self.h)) for of in (of_rows, of_columns))
        size = maximum.bind(absolute.bind(row), absolute.bind(column))
        return ~(absolute.bind(row - column) <= size * float(np.finfo(size.dtype).eps) ** 0.5)


def eigh_blocks(uplo: str, a: Any, known: Sequence[Any], series: Any) -> Blocks:
    """Of a = v diag(w) v^H, where `known` are w and v."""
    w, v = known
    w = stop_gradient(w)
    same, center = levels(w, v)
    h, v = EighLevels(uplo).bind(a, convert_element_type(w, a.dtype), v, same)
    return Blocks(a, {"v": v}, h, same, center, series)


def svd_blocks(a: Any, known: Sequence[Any], series: Any) -> Blocks:
    """Of a = u diag(s) vh, where `known` are u, s and vh."""
    u, s, vh = known
    s, axis = stop_gradient(s), s.ndim
    u, v = (slice_in_dim(x, 0, s.shape[-1], axis=axis) for x in (u, adjoint(vh)))
    same, center = levels(-s, u)  # they fall
    u, h, v = SvdLevels().bind(a, u, convert_element_type(s, a.dtype), v, same)
    return Blocks(a, {"u": u, "v": v}, h, same, -center, series)


def all_apart(w: np.ndarray, rounding: float, zero: bool) -> bool:
    """Whether all of sorted values are levels of their own; with `zero` none is 0, either."""
    if not w.size:
        return True
    size = np.abs(w)
    most = size.max(-1, keepdims=True) * rounding
    near = np.minimum(size[..., 1:], size[..., :-1]) * np.finfo(w.dtype).eps ** 0.25
    return not (np.abs(np.diff(w)) <= np.maximum(near, most)).any() and not (
        zero and (size <= most).any()
    )
