"""Eigenvalues and singular values: eigh, eig, svd, and their derivatives at equal values.

Where eigenvalues are equal, eigenvectors are any basis of a space, and a perturbation m (in the
basis of eigenvectors) decides which one is the limit: the one that makes its part within the space
diagonal. No rule that is linear in m can follow it. What can be said without it is exact; all else
is nan, never a wrong number:

- the derivative of the eigenvalues is the diagonal of m, which gives the derivative of every
  function that treats equal ones alike (a trace, a determinant, a norm);
- in reverse mode, a function of the eigenvectors alone that does not depend on the choice of basis
  (a projection onto the space) does not feel m within the space: its derivative is exact; that of
  one that does depend on the choice is nan;
- functions of both, tangents of eigenvectors that m mixes, and what is derived from them (second
  derivatives) are nan, unless interpreters see what a program makes of the decomposition: products
  v g(w) v^H and sums of g(w) have derivatives of every order (see levels.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np

from ...primitives.constants import full_like
from ...primitives.stand_ins import ZERO
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray, bool_, complex_dtype, real_dtype
from ...primitives.words.elementwise import absolute, conj, imag, real, scale, select
from ...primitives.words.identity import stop_gradient
from ...primitives.words.reduction import ReduceMax
from ...primitives.words.slicing import concatenate, slice_in_dim
from ...primitives.words.structural import convert_element_type, reduce_sum
from ..special.special import TRACED
from .levels import all_apart, eigh_blocks, svd_blocks
from .linalg import conjugate, hermitian, identity_like, solve
from .matrices import (
    LETTERS,
    Lapack,
    OfStacks,
    Written,
    adjoint,
    check_matrices,
    diagonal,
    matmul,
    of_columns,
    of_rows,
    places,
    rounding,
    spread,
)


def largest(x: Any, m: Any = TRACED) -> Any:
    """The largest absolute value in each matrix, in every place."""
    lead = range(x.ndim - 2)
    found = m.of(ReduceMax((x.ndim - 2, x.ndim - 1)))(m.abs(x))
    return spread(found, x.shape, lead, m)


def differences(w: Any, like: Any) -> tuple[Any, Any]:
    """1 / (w[j] - w[i]), 0 where they are equal up to rounding; and where they are so, i != j."""
    right, left = spread(w, like.shape, of_columns(like)), spread(w, like.shape, of_rows(like))
    gap = right - left
    rows, columns = places(like)
    equal = absolute.bind(gap) <= largest(right) * rounding(like)
    inverse = select(equal, full_like(gap, 0), 1.0 / select(equal, full_like(gap, 1), gap))
    return convert_element_type(inverse, like.dtype), equal & (rows != columns)


@frozen
class WithinLevels(Written):
    """(x, equal) -> the diagonal of a perturbation x, and what its elements between `equal` values
    do to vectors: nothing where they are 0 up to rounding, else nan.

    Its transpose knows which of the two results a function has used; see the head of this page.
    `unitary` says that bases are.
    """

    unitary: bool = True
    multiple_results = True

    def abstract_eval(self, x: ShapedArray, equal: ShapedArray) -> list[ShapedArray]:
        check_matrices("within_levels", x)
        if equal.shape != x.shape or equal.dtype != bool_:
            raise TypeError(f"within_levels: expects booleans of the shape of {x}, got {equal}")
        return [ShapedArray(x.shape[:-1], x.dtype), x]

    def formula(self, m: Any, *arrays: Any) -> Any:
        x, equal = arrays
        return [diagonal(x, m), _nan_where(m, equal & ~_negligible(m, x, x), x)]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*primals), self.bind(tangents[0], primals[1])

    def transpose(self, ct: Any, x: Any, equal: Any) -> Sequence[Any]:
        by_values, by_vectors = ct
        like = x.aval
        if by_vectors is not ZERO:
            turn = by_vectors - adjoint(by_vectors) if self.unitary else by_vectors
            allowed = _negligible(TRACED, turn, by_vectors)
            found = _nan_where(TRACED, equal & ~allowed if by_values is ZERO else equal, by_vectors)
        if by_values is ZERO:
            return found, None
        rows, columns = places(equal)
        on_diagonal = spread(by_values, like.shape, of_rows(like))
        rest = full_like(like, 0) if by_vectors is ZERO else found
        return select(rows == columns, on_diagonal, rest), None


def _negligible(m: Any, x: Any, beside: Any) -> Any:
    """Which elements of `x` are 0 up to rounding."""
    return m.abs(x) <= largest(beside, m) * rounding(beside)


def _nan_where(m: Any, flags: Any, like: Any) -> Any:
    return m.where(flags, m.full(nan, like), m.full(0, like))


def real_part(x: Any) -> Any:
    """The real part; real numbers as they are."""
    return real.bind(x) if x.dtype.kind == "c" else x


def per_column(x: Any, like: Any) -> Any:
    """A number for each column, in every row, in the dtype of matrices."""
    return convert_element_type(spread(x, like.shape, of_columns(like)), like.dtype)


@frozen
class Eigh(OfStacks):
    """Hermitian matrices as v diag(w) v^H -> w, ascending, and the unitary v, if `vectors`.

    Only the triangle `uplo`, "L" or "U", is read, and the real part of the diagonal.
    """

    uplo: str = "L"
    vectors: bool = True
    multiple_results = True
    decomposes = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        check_matrices("eigh", a)
        if self.uplo not in ("L", "U"):
            raise ValueError(f"eigh: uplo must be 'L' or 'U', got {self.uplo!r}")
        w = ShapedArray(a.shape[:-1], real_dtype(a.dtype))
        return [w, a] if self.vectors else [w]

    def follow(self, outs: Sequence[Any]) -> tuple[Any, dict[int, tuple]]:
        """The values, and what other results are: (side, the axis of numbers, conjugated)."""
        return outs[0], {1: ("v", -1, False)} if self.vectors else {}

    def apart(self, w: np.ndarray, a: ShapedArray) -> bool:
        """Whether the derivatives of all functions of the results are right as they are."""
        return all_apart(w, rounding(a), False)

    def blocks(self, a: Any, known: Sequence[Any], series: Any) -> Any:
        """The smooth decomposition of `a`, whose results are known; see levels.py."""
        known = known if self.vectors else Eigh(self.uplo).bind(stop_gradient(a))
        return eigh_blocks(self.uplo, a, known, series)

    def stacked(self, *arrays: np.ndarray) -> Sequence[np.ndarray]:
        uplo: Any = self.uplo
        (a,) = arrays
        return np.linalg.eigh(a, uplo) if self.vectors else [np.linalg.eigvalsh(a, uplo)]

    def lower(self, ctx: Any, *values: Any) -> Any:
        (a,), (w, *_) = values, ctx.outs
        mode = "V" if self.vectors else "N"
        v, w = self.call(ctx, "syevd", [a], [a.aval, w], mode=mode, uplo=self.uplo)
        return [w, v] if self.vectors else [w]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """v^H da v is dw on the diagonal, and beside it v^H dv times the difference of values."""
        w, v = Eigh(self.uplo).bind(*primals)
        moved = matmul(hermitian(tangents[0], self.uplo == "L"), v)
        if not self.vectors:
            return [w], [real_part(reduce_sum(conjugate(v) * moved, (v.ndim - 2,)))]
        x = matmul(adjoint(v), moved)
        inverse, equal = differences(w, x)
        dw, mixed = WithinLevels().bind(x, equal)
        return [w, v], [real_part(dw), matmul(v, inverse * x + mixed)]


@frozen
class Eig(OfStacks):
    """Eigenvalues w of square matrices, and as columns, if asked for, `left` and `right` vectors:
    u with u^H a = w u^H and v with a v = v w.

    All are complex. Each vector has length 1 and its largest element is real.
    """

    left: bool = False
    right: bool = True
    multiple_results = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        check_matrices("eig", a)
        v = ShapedArray(a.shape, complex_dtype(real_dtype(a.dtype)))
        return [ShapedArray(a.shape[:-1], v.dtype), *[v] * (self.left + self.right)]

    def stacked(self, *arrays: np.ndarray) -> Sequence[np.ndarray]:
        found = np.linalg.eig(*arrays) if self.right else [np.linalg.eigvals(*arrays)]
        return [x.astype(np.result_type(x, np.complex64), copy=False) for x in found]

    def impl(self, *arrays: np.ndarray) -> Any:
        return Lapack.impl(self, *arrays) if self.left else super().impl(*arrays)

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        if not self.left:
            return super().one(*matrices)
        # SciPy's interface to LAPACK, loaded when the first matrix is decomposed
        from scipy.linalg import lapack

        (a,) = matrices
        geev = getattr(lapack, LETTERS[a.dtype] + "geev")
        *w, left, right, info = geev(a, True, self.right)
        if len(w) == 2:
            pairs = w[1] > 0
            left, right = (_unpacked(v, pairs) for v in (left, right))
            w = [w[0] + 1j * w[1]]
        return [*w, left, *[right] * self.right], info

    def lower(self, ctx: Any, *values: Any) -> Any:
        (a,), (w, *_) = values, ctx.outs
        v = ShapedArray(a.aval.shape, w.dtype)
        chosen = {"compute_left": "NV"[self.left], "compute_right": "NV"[self.right]}
        parts = [w] if a.aval.dtype.kind == "c" else [w.update(dtype=a.aval.dtype)] * 2
        *parts, left, right = self.call(ctx, "geev", [a], [*parts, v, v], **chosen)
        both = [x for x, flag in ((left, self.left), (right, self.right)) if flag]
        return [parts[0] if len(parts) == 1 else ctx.op("complex", *parts, out=w), *both]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """As of Hermitian matrices, with v^-1 for v^H; u are the vectors of a^H."""
        w, *both = outs = Eig(self.left, self.right or not self.left).bind(*primals)
        da = convert_element_type(tangents[0], w.dtype)
        moved = []
        for x in both:
            of_left = self.left and not moved
            dw, dx = _moved(conj.bind(w) if of_left else w, x, adjoint(da) if of_left else da)
            moved.append(dx)
        dw = conj.bind(dw) if self.left and len(moved) == 1 else dw
        count = 1 + self.left + self.right
        return outs[:count], [dw, *moved][:count]


def _unpacked(v: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Vectors of a real matrix from LAPACK's columns: of a pair, the real and imaginary parts."""
    out = v.astype(np.result_type(v, np.complex64))
    (first,) = np.nonzero(pairs)
    if v.size:
        out[:, first] = v[:, first] + 1j * v[:, first + 1]
        out[:, first + 1] = out[:, first].conj()
    return out


def _moved(w: Any, v: Any, da: Any) -> tuple[Any, Any]:
    """The tangents of eigenvalues and of eigenvectors, of which the largest element stays real."""
    x = solve(v, matmul(da, v))
    inverse, equal = differences(w, x)
    dw, mixed = WithinLevels(unitary=False).bind(x, equal)
    dv = matmul(v, inverse * x + mixed)
    rows = (v.ndim - 2,)
    size = select(imag.bind(v) == 0, absolute.bind(v), full_like(real.bind(v), -1.0))
    peak = ReduceMax(rows).bind(size)
    here = size == spread(peak, v.shape, of_columns(v))
    turn = reduce_sum(select(here, imag.bind(dv) / real.bind(select(here, v, 1.0)), 0.0), rows)
    count = reduce_sum(convert_element_type(here, turn.dtype), rows)
    longer = reduce_sum(real.bind(conj.bind(v) * dv), rows)
    back = TRACED.complex(longer, turn / count)
    return dw, dv - v * per_column(back, v)


@frozen
class Svd(OfStacks):
    """Matrices as u diag(s) vh -> s, descending, and, if `vectors`, u, s and vh, whose columns and
    rows are orthonormal; with `full_matrices` they are square.
    """

    full_matrices: bool = False
    vectors: bool = True
    multiple_results = True
    decomposes = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        check_matrices("svd", a, square=False)
        *lead, m, n = a.shape
        k = min(m, n)
        s = ShapedArray((*lead, k), real_dtype(a.dtype))
        rows, columns = (m, n) if self.full_matrices else (k, k)
        u, vh = a.update((*lead, m, rows)), a.update((*lead, columns, n))
        return [u, s, vh] if self.vectors else [s]

    def follow(self, outs: Sequence[Any]) -> tuple[Any, dict[int, tuple]]:
        """As of `Eigh`."""
        if not self.vectors:
            return outs[0], {}
        return outs[1], {0: ("u", -1, False), 2: ("v", -2, True)}

    def apart(self, s: np.ndarray, a: ShapedArray) -> bool:
        """As of `Eigh`."""
        return all_apart(s, rounding(a), True)

    def blocks(self, a: Any, known: Sequence[Any], series: Any) -> Any:
        """As of `Eigh`."""
        return svd_blocks(a, known if self.vectors else Svd().bind(stop_gradient(a)), series)

    def stacked(self, *arrays: np.ndarray) -> Sequence[np.ndarray]:
        (a,) = arrays
        if not self.vectors:
            return [np.linalg.svd(a, compute_uv=False)]
        return np.linalg.svd(a, self.full_matrices)

    def lower(self, ctx: Any, *values: Any) -> Any:
        (a,), outs = values, ctx.outs
        if not a.aval.size:
            zeros = [ctx.constant(0, o) for o in outs]
            ndim = a.aval.ndim
            return [ctx.inline(identity_like, z) if z.aval.ndim == ndim else z for z in zeros]
        if self.vectors:
            u, s, vh = outs
        else:
            u, s, vh = Svd(True).abstract_eval(a.aval)
        mode = "N" if not self.vectors else "A" if self.full_matrices else "S"
        _, s, u, vh = self.call(ctx, "gesdd", [a], [a.aval, s, u, vh], mode=mode)
        return [u, s, vh] if self.vectors else [s]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        u, s, vh = Svd(self.full_matrices).bind(a)
        if not self.vectors:
            moved = matmul(da, adjoint(vh))
            return [s], [real_part(reduce_sum(conjugate(u) * moved, (u.ndim - 2,)))]
        if a.shape[-2] >= a.shape[-1]:
            du, ds, dv = _singular_moved(u, s, adjoint(vh), da)
        else:
            dv, ds, du = _singular_moved(adjoint(vh), s, u, adjoint(da))
        return [u, s, vh], [du, ds, adjoint(dv)]


def _singular_moved(u: Any, s: Any, v: Any, da: Any) -> tuple[Any, Any, Any]:
    """Tangents of u, s, v with at least as many rows as columns in a = u diag(s) v^H.

    The Hermitian part of x = u^H da v turns u and v alike, as of eigenvectors; the other part turns
    them against one another. What leaves the space of u is divided by s.
    """
    k, axis = s.shape[-1], u.ndim - 1
    moved = matmul(da, v)
    space = slice_in_dim(u, 0, k, axis=axis)
    x = matmul(adjoint(space), moved)
    even, odd = (x + adjoint(x)) * 0.5, (x - adjoint(x)) * 0.5
    inverse, equal = differences(s, x)
    ds, mixed = WithinLevels().bind(even, equal)
    alike = inverse * even + mixed
    right, left = spread(s, x.shape, of_columns(x)), spread(s, x.shape, of_rows(x))
    none = right + left <= largest(right) * rounding(x)
    against = scale.bind(odd, convert_element_type(1.0 / select(none, nan, right + left), x.dtype))
    du, dv = matmul(space, alike + against), matmul(v, alike - against)
    if u.shape[-2] > k:
        rest = slice_in_dim(u, k, u.shape[-1], axis=axis)
        full = rest.shape[-1] > 0
        leaving = matmul(adjoint(rest), moved) if full else moved - matmul(space, x)
        out = scale.bind(leaving, per_column(1.0 / s, leaving))
        du = du + (matmul(rest, out) if full else out)
        if full:
            du = concatenate([du, -matmul(space, adjoint(out))], axis)
    return du, real_part(ds), dv
