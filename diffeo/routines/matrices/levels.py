"""Decompositions that stay smooth where eigenvalues or singular values are equal.

A level is a set of values that are equal, or nearly so. Where values are equal, their eigenvectors
are any basis of a space, and no choice of it is a smooth function of the matrix. The way out is to
ask for less: A = V H V^H with a unitary V, and H with one block for each level in place of one
number for each value. For the eigenvalues 1, 1 and 3, H has a block of 2 x 2 and a block of 1 x 1.

This V and this H are smooth functions of A, once V is turned between levels only: dV = V X, where
X H - H X = V^H dA V between levels and X = 0 within levels. dH is V^H dA V within levels, and 0
between levels.

For singular values the decomposition is A = U H V^H. Between levels, U and V turn alike; in
addition they turn against one another, so that H stays Hermitian.

At the point itself H is diagonal, and these decompositions are the usual ones: only their
derivatives are others. Whatever does not depend on the choice of a basis is a smooth function of U,
H and V.

Start with `EighLevels`; `Blocks` is what interpreters use (see transforms/equal_values.py). In this
file `same` is a matrix of booleans, true where the values of a row and of a column are of one
level. A `formula` is written over `m`, which is NumPy or the language itself (see special.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan
from typing import Any

import numpy as np

from ...operations.cumulative import cumsum
from ...operations.identity import stop_gradient
from ...primitives.constants import full, full_like
from ...primitives.core import Value
from ...primitives.stand_ins import ZERO, LinearInput
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray, bool_
from ...primitives.words.elementwise import absolute, maximum, minimum, scale, select
from ...primitives.words.reduction import ReduceMax
from ...primitives.words.slicing import pad, slice_in_dim
from ...primitives.words.structural import convert_element_type, expand_dims, reduce_sum, squeeze
from ..special.special import TRACED, Operations
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
    """The solution x of x h + `sign` h x = t, for a matrix h that is diagonal at the point itself.

    Operands (h, t, free): the equation holds where `free`, elsewhere x is 0. With `sign` 0 the
    equation is x h = t, and t and x may be rectangular. Each element of x is an element of t
    divided by a pivot: for `sign` -1 the pivot of row i and column j is h[j, j] - h[i, i].

    Values need the diagonal of h alone, but derivatives are by all elements of h. So `free` must be
    a union of blocks that the equation does not couple with others.

    With `sign` 0 or 1, an element is nan where its pivot is 0 up to rounding and t is not 0.
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

    def formula(self, m: Operations, *arrays: Any) -> Any:
        h, t, free = arrays
        if not t.size:
            return t
        numbers = diagonal(h, m)
        pivots = spread(numbers, t.shape, of_columns(t), m)
        if self.sign:
            of_row = spread(numbers, t.shape, of_rows(t), m)
            pivots = pivots + of_row if self.sign > 0 else pivots - of_row
        if self.sign >= 0:
            size = m.abs(numbers)
            bound = m.of(ReduceMax((size.ndim - 1,)))(size) * rounding(h)
            pivots = m.where(m.abs(pivots) <= spread(bound, t.shape, None, m), nan, pivots)
        # 0 / 0 must be 0 and not nan: divide by 1 where nothing is asked for.
        return m.where(free & (t != 0), t / m.where(free, pivots, 1.0), 0.0)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Solve the same equation for dx, with dt - x dh - `sign` dh x on the right."""
        h, _, free = primals
        (dh, dt, _), x = tangents, self.bind(*primals)
        if dh is not ZERO:
            term = matmul(x, dh)
            if self.sign:
                term = term + matmul(dh, x) if self.sign > 0 else term - matmul(dh, x)
            dt = -term if dt is ZERO else dt - term
        return x, ZERO if dt is ZERO else self.bind(h, dt, free)

    def transpose(self, ct: Value, h: Value, t: LinearInput, free: Value) -> Sequence[Any]:
        return None, self.bind(flipped(h), ct, free), None


def placed(w: Any, like: Any, m: Operations = TRACED) -> Any:
    """Return diagonal matrices of the shape of `like`, with `w` on the diagonal."""
    rows, columns = places(like, m)
    return m.where(rows == columns, spread(w, like.shape, of_columns(like), m), 0.0)


@frozen
class EighLevels(Written):
    """The h and v of a = v h v^H for Hermitian a, where h has a block for each level.

    Operands (a, w, v, same): w and v are the usual decomposition of a, as constants; `same` says
    which eigenvalues are of one level. `uplo` is the triangle of a that is read, "L" or "U".
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

    def formula(self, m: Operations, *arrays: Any) -> Any:
        _, w, v, _ = arrays
        return [placed(w, v, m), v]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (h, v), same = self.bind(*primals), primals[-1]
        if tangents[0] is ZERO:
            return [h, v], [ZERO, ZERO]
        t = matmul(adjoint(v), matmul(hermitian(tangents[0], self.uplo == "L"), v))
        # t is V^H dA V. Between levels it turns V, within them it changes h.
        x = DiagonalSylvester(-1).bind(h, t, ~same)
        return [h, v], [select(same, t, full_like(t, 0)), matmul(v, x)]


@frozen
class SvdLevels(Written):
    """The u, h and v of a = u h v^H, where h is Hermitian and has a block for each level.

    Operands (a, u, s, v, same): u, s and v are the usual reduced decomposition of a, as constants;
    `same` says which singular values are of one level.
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

    def formula(self, m: Operations, *arrays: Any) -> Any:
        _, u, s, v, same = arrays
        like = spread(s, same.shape, of_columns(same), m)
        return [u, placed(s, like, m), v]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (u, h, v), same, da = self.bind(*primals), primals[-1], tangents[0]
        if da is ZERO:
            return [u, h, v], [ZERO, ZERO, ZERO]
        right, left = matmul(da, v), matmul(adjoint(da), u)
        t = matmul(adjoint(u), right)
        # The Hermitian part of t turns u and v alike, between levels. The other part turns them
        # against one another, everywhere: h stays Hermitian.
        even, odd = (t + adjoint(t)) * 0.5, (t - adjoint(t)) * 0.5
        alike = DiagonalSylvester(-1).bind(h, even, ~same)
        against = DiagonalSylvester(1).bind(h, odd, everywhere(odd))
        du, dv = matmul(u, alike + against), matmul(v, alike - against)
        du = du + leaving(u, h, t, right)
        dv = dv + leaving(v, adjoint(h), adjoint(t), left)
        return [u, h, v], [du, select(same, even, full_like(even, 0)), dv]


def everywhere(x: Value) -> Any:
    """Return True for each element of `x`."""
    return full(x.shape, True, bool_)


def leaving(u: Value, h: Value, t: Value, moved: Value) -> Any:
    """Return the part of the tangent of u that leaves the space of the columns of u.

    That part is the y with y h = `moved` - u t; it is 0 if u is square.
    """
    if u.shape[-2] == u.shape[-1]:
        return full_like(u, 0)
    outside = moved - matmul(u, t)
    return DiagonalSylvester(0).bind(h, outside, everywhere(outside))


# --------------------------------------------------------------------------------------------------


def levels(w: Value, like: Value) -> tuple[Any, Any]:
    """Return which of sorted values are of one level, and the mean of each value's level.

    Neighbours are of one level if they are equal up to rounding, or if their distance is below the
    fourth root of rounding beside their size: then a few terms of a power series have all digits.
    The sorted values 1, 1, 3 give [[1, 1, 0], [1, 1, 0], [0, 0, 1]], as booleans, and the
    means 1, 1, 3.

    The array w holds ascending values [..., n]; `like` holds matrices [..., n, n], by whose dtype
    and size rounding is measured.
    """
    n, axis = w.shape[-1], w.ndim - 1
    size = absolute.bind(w)
    largest = ReduceMax((axis,)).bind(size)
    first, second = (slice_in_dim(w, i, n - 1 + i, axis=axis) for i in (0, 1))
    near = minimum.bind(absolute.bind(first), absolute.bind(second))
    near = near * float(np.finfo(w.dtype).eps) ** 0.25
    bound = maximum.bind(near, spread(largest * rounding(like), near.shape))
    apart = absolute.bind(second - first) > bound
    # The number of a value's level: it grows by 1 wherever neighbours are apart.
    level = cumsum(pad(convert_element_type(apart, int32), (*[0] * axis, 1), [0] * w.ndim), axis)
    shape = (*w.shape, n)
    rows, columns = (spread(level, shape, dims) for dims in (
        range(w.ndim), (*range(axis), w.ndim)))  # fmt: skip
    same = rows == columns
    weight = convert_element_type(same, w.dtype)
    total = matmul(weight, expand_dims(w, (w.ndim,)))
    count = matmul(weight, full_like(expand_dims(w, (w.ndim,)), 1.0))
    return same, squeeze(total / count, (w.ndim,))


# --------------------------------------------------------------------------------------------------


class Blocks:
    """A decomposition in blocks.

    `a` is the matrix. `parts` are the vectors of each side, by its name: "v", or "u" and "v". `h`
    is the block matrix, `same` says which values are of one level, `center` is the mean of each
    value's level. `series(f, center)` returns the Taylor coefficients of numbers f(w) about
    `center`.

    The sets of vectors and the values that its methods take are those of
    transforms/equal_values.py: vectors `start` to `stop` of a side, times functions of w, their
    factors.
    """

    def __init__(
        self,
        a: Value,
        parts: dict[str, Any],
        h: Value,
        same: Value,
        center: Value,
        series: Callable,
    ):
        self.a, self.parts, self.h, self.same, self.center = a, parts, h, same, center
        self.lead, self.count, self.series = h.ndim - 2, h.shape[-1], series

    def product(self, x: Any, y: Any) -> Any:
        """Return x f y^H for two sets of vectors, with the factors of both; right up to
        rounding.
        """
        whole = (x.start, x.stop) == (0, self.count)
        if whole and x.side != y.side and len(x.factors) + len(y.factors) == 1 and (x.own or y.own):
            # u s v^H, all of it, is the matrix itself; with the sides exchanged, its adjoint.
            return self.a if x.side == "u" else adjoint(self.a)
        inner = self.inner(x, [*x.factors, *y.factors])
        left, right = self.parts[x.side], self.parts[y.side]
        return matmul(left if inner is None else matmul(left, inner), adjoint(right))

    def total(self, values: Any) -> Any:
        """Return the sum of values, as the trace of f(h)."""
        return reduce_sum(diagonal(self.inner(values, [values.numbers])), (self.lead,))

    def inner(self, x: Any, factors: Sequence[Callable]) -> Any:
        """Return f(h), by the series of f about the mean of each level; None for the identity."""
        if not factors and (x.start, x.stop) == (0, self.count):
            return None
        terms = [self.filled(c, x) for c in self.terms(factors, x)]
        total = placed(terms[-1], self.h)
        if len(terms) > 1:
            deviation = self.h - placed(convert_element_type(self.center, self.h.dtype), self.h)
            # Horner's rule. Each term is one function's coefficients, one for each value, on the
            # diagonal.
            for c in reversed(terms[:-1]):
                total = matmul(deviation, total) + placed(c, self.h)
        rows, columns = places(self.h)
        uneven = self.differ(terms[0])
        for c in terms[1:2]:
            uneven = uneven | self.differ(c)
        uneven = uneven & self.same & (rows != columns)
        # A function that tells values of one level apart has no derivative. Off the diagonal h is
        # 0, so a value of 0 is added here; its tangent is nan wherever dh is not 0.
        return total + scale.bind(self.h, select(uneven, full_like(self.h, nan), 0.0))

    def terms(self, factors: Sequence[Callable], x: Any) -> list[Any]:
        """Return the Taylor coefficients of the product of the factors, about the means of
        levels.
        """
        if not factors:
            return [full_like(slice_in_dim(self.center, x.start, x.stop, axis=self.lead), 1.0)]

        def f(w: Value) -> Any:
            product = factors[0](w)
            for g in factors[1:]:
                product = product * g(w)
            return product

        return self.series(f, self.center)

    def filled(self, c: Value, x: Any) -> Any:
        """Return one number for each vector, in the dtype of matrices.

        The numbers are `c` for the vectors `x.start` to `x.stop`, and 0 for the others.
        """
        lead = [0] * self.lead
        c = convert_element_type(c, self.h.dtype)
        return pad(c, (*lead, x.start), (*lead, self.count - x.stop))

    def differ(self, c: Value) -> Any:
        """Return as a matrix which two of the numbers `c` are not the same."""
        row, column = (spread(c, self.h.shape, of(self.h)) for of in (of_rows, of_columns))
        size = maximum.bind(absolute.bind(row), absolute.bind(column))
        return ~(absolute.bind(row - column) <= size * float(np.finfo(size.dtype).eps) ** 0.5)


def eigh_blocks(uplo: str, a: Value, known: Sequence[Any], series: Callable) -> Blocks:
    """Return the decomposition in blocks of a = v diag(w) v^H, where `known` are w and v."""
    w, v = known
    w = stop_gradient(w)
    same, center = levels(w, v)
    h, v = EighLevels(uplo).bind(a, convert_element_type(w, a.dtype), v, same)
    return Blocks(a, {"v": v}, h, same, center, series)


def svd_blocks(a: Value, known: Sequence[Any], series: Callable) -> Blocks:
    """Return the decomposition in blocks of a = u diag(s) vh, where `known` are u, s and vh."""
    u, s, vh = known
    s, axis = stop_gradient(s), s.ndim
    u, v = (slice_in_dim(x, 0, s.shape[-1], axis=axis) for x in (u, adjoint(vh)))
    same, center = levels(-s, u)  # levels wants ascending values, and s descends
    u, h, v = SvdLevels().bind(a, u, convert_element_type(s, a.dtype), v, same)
    return Blocks(a, {"u": u, "v": v}, h, same, -center, series)


def all_apart(w: np.ndarray, rounding: float, zero: bool) -> bool:
    """Return whether each of sorted values is a level of its own.

    With `zero`, a value that is 0 up to rounding counts as not apart, too.
    """
    if not w.size:
        return True
    size = np.abs(w)
    bound = size.max(-1, keepdims=True) * rounding
    near = np.minimum(size[..., 1:], size[..., :-1]) * np.finfo(w.dtype).eps ** 0.25
    return not (np.abs(np.diff(w)) <= np.maximum(near, bound)).any() and not (
        zero and (size <= bound).any()
    )
