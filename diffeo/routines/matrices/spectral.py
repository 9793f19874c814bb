"""Eigenvalues and singular values: eigh, eig, svd, and their derivatives at equal values.

Where eigenvalues are equal, the eigenvectors are any basis of a space. A perturbation m (in the
basis of eigenvectors) decides which basis is the limit: the one that makes the part of m within the
space diagonal. No rule that is linear in m can follow that choice. Whatever can be said without the
choice is exact; all else is nan, never a wrong number:

- The derivative of the eigenvalues is the diagonal of m. It gives the derivative of every
  function that treats equal eigenvalues alike (a trace, a determinant, a norm).
- In reverse mode, let a function depend on the eigenvectors alone. If it does not depend on the
  choice of the basis (a projection onto the space), it does not feel m within the space, and its
  derivative is exact. If it does depend on the choice, its derivative is nan.
- Functions of both values and vectors, tangents of eigenvectors that m mixes, and what is
  derived from these (second derivatives) are nan. The exception: interpreters see what a program
  makes of the decomposition, and products v g(w) v^H and sums of g(w) have derivatives of every
  order (see levels.py).

Start with `Eigh.jvp`; `differences` and `WithinLevels` are the two parts of its formula.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan
from typing import Any

import numpy as np

from ...operations.identity import stop_gradient
from ...primitives.builder import LoweringContext
from ...primitives.constants import full_like
from ...primitives.core import Value
from ...primitives.stand_ins import ZERO
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray, bool_, complex_dtype, real_dtype
from ...primitives.words.elementwise import absolute, conj, imag, real, scale, select
from ...primitives.words.reduction import ReduceMax
from ...primitives.words.slicing import concatenate, slice_in_dim
from ...primitives.words.structural import convert_element_type, reduce_sum
from ..special.special import TRACED, Operations
from .levels import Blocks, all_apart, eigh_blocks, svd_blocks
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


def largest(x: Any, m: Operations = TRACED) -> Any:
    """Return the largest absolute value of each matrix, repeated in all of its elements."""
    lead = range(x.ndim - 2)
    maximum = m.of(ReduceMax((x.ndim - 2, x.ndim - 1)))(m.abs(x))
    return spread(maximum, x.shape, lead, m)


def differences(w: Value, like: Value) -> tuple[Any, Any]:
    """Return 1 / (w[j] - w[i]) for row i and column j, and where different values are equal.

    The first result is 0 where w[i] and w[j] are equal up to rounding. The second result is true at
    these places, but for the diagonal.
    """
    right, left = spread(w, like.shape, of_columns(like)), spread(w, like.shape, of_rows(like))
    gap = right - left
    rows, columns = places(like)
    equal = absolute.bind(gap) <= largest(right) * rounding(like)
    # Divide by 1 where values are equal: no infinity enters the derivatives.
    inverse = select(equal, full_like(gap, 0), 1.0 / select(equal, full_like(gap, 1), gap))
    return convert_element_type(inverse, like.dtype), equal & (rows != columns)


@frozen
class WithinLevels(Written):
    """What a perturbation x does within spaces of equal values.

    Operands (x, equal) -> two results. The first one is the diagonal of x: what x does to the
    values. The second one is what x does to the vectors, by its elements between `equal` values: 0
    where such an element is 0 up to rounding, else nan.

    Its transpose knows which of the two results a function has used; see the head of this file.
    `unitary` says that the vectors are an orthonormal basis.
    """

    unitary: bool = True
    multiple_results = True

    def abstract_eval(self, x: ShapedArray, equal: ShapedArray) -> list[ShapedArray]:
        check_matrices("within_levels", x)
        if equal.shape != x.shape or equal.dtype != bool_:
            raise TypeError(f"within_levels: expects booleans of the shape of {x}, got {equal}")
        return [ShapedArray(x.shape[:-1], x.dtype), x]

    def formula(self, m: Operations, *arrays: Any) -> Any:
        x, equal = arrays
        return [diagonal(x, m), _nan_where(m, equal & ~_negligible(m, x, x), x)]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*primals), self.bind(tangents[0], primals[1])

    def transpose(self, ct: Any, x: Any, equal: Value) -> Sequence[Any]:
        by_values, by_vectors = ct
        like = x.aval
        if by_vectors is not ZERO:
            # A function that does not depend on the choice of a basis does not feel a turn of the
            # vectors: its cotangent has no skew-Hermitian part within a level. For vectors that are
            # not orthonormal, there is no cotangent within a level at all.
            turn = by_vectors - adjoint(by_vectors) if self.unitary else by_vectors
            allowed = _negligible(TRACED, turn, by_vectors)
            by_turn = _nan_where(
                TRACED, equal & ~allowed if by_values is ZERO else equal, by_vectors
            )
        if by_values is ZERO:
            return by_turn, None
        rows, columns = places(equal)
        on_diagonal = spread(by_values, like.shape, of_rows(like))
        off_diagonal = full_like(like, 0) if by_vectors is ZERO else by_turn
        return select(rows == columns, on_diagonal, off_diagonal), None


def _negligible(m: Operations, x: Any, beside: Any) -> Any:
    """Return which elements of `x` are 0 up to rounding, beside the largest of `beside`."""
    return m.abs(x) <= largest(beside, m) * rounding(beside)


def _nan_where(m: Operations, flags: Any, like: Any) -> Any:
    return m.where(flags, m.full(nan, like), m.full(0, like))


def real_part(x: Value) -> Any:
    """Return the real part; real numbers are returned as they are."""
    return real.bind(x) if x.dtype.kind == "c" else x


def per_column(x: Value, like: Value) -> Any:
    """Return one number for each column, repeated in every row, in the dtype of matrices."""
    return convert_element_type(spread(x, like.shape, of_columns(like)), like.dtype)


@frozen
class Eigh(OfStacks):
    """The decomposition v diag(w) v^H of Hermitian matrices: w, ascending, and the unitary v.

    Without `vectors` w is the only result. Only the triangle `uplo`, "L" or "U", is read, and the
    real part of the diagonal.
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
        """Return the values, and for the number of each other result (side, axis, conjugated).

        `side` names the vectors, `axis` is the axis along which there is one vector for each value.
        """
        return outs[0], {1: ("v", -1, False)} if self.vectors else {}

    def apart(self, w: np.ndarray, a: ShapedArray) -> bool:
        """Return whether the derivatives of all functions of the results are right as they are."""
        return all_apart(w, rounding(a), False)

    def blocks(self, a: Value, known: Sequence[Any], series: Callable) -> Blocks:
        """Return the smooth decomposition of `a`, whose results are known; see levels.py."""
        known = known if self.vectors else Eigh(self.uplo).bind(stop_gradient(a))
        return eigh_blocks(self.uplo, a, known, series)

    def stacked(self, *arrays: np.ndarray) -> Sequence[np.ndarray]:
        uplo: Any = self.uplo
        (a,) = arrays
        return np.linalg.eigh(a, uplo) if self.vectors else [np.linalg.eigvalsh(a, uplo)]

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        (a,), (w, *_) = values, ctx.outs
        mode = "V" if self.vectors else "N"
        v, w = self.call(ctx, "syevd", [a], [a.aval, w], mode=mode, uplo=self.uplo)
        return [w, v] if self.vectors else [w]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Compute dw and dv from x = v^H da v.

        The diagonal of x is dw. Beside the diagonal, x is v^H dv times the difference of two
        values.
        """
        w, v = Eigh(self.uplo).bind(*primals)
        dav = matmul(hermitian(tangents[0], self.uplo == "L"), v)
        if not self.vectors:
            return [w], [real_part(reduce_sum(conjugate(v) * dav, (v.ndim - 2,)))]
        x = matmul(adjoint(v), dav)
        inverse, equal = differences(w, x)
        dw, mixed = WithinLevels().bind(x, equal)
        return [w, v], [real_part(dw), matmul(v, inverse * x + mixed)]


@frozen
class Eig(OfStacks):
    """The eigenvalues w of square matrices, and if asked for the `left` and `right` vectors.

    A left vector u has u^H a = w u^H, a right vector v has a v = v w; vectors are columns. All
    results are complex. Each vector has length 1, and its largest element is real.
    """

    left: bool = False
    right: bool = True
    multiple_results = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        check_matrices("eig", a)
        v = ShapedArray(a.shape, complex_dtype(real_dtype(a.dtype)))
        return [ShapedArray(a.shape[:-1], v.dtype), *[v] * (self.left + self.right)]

    def stacked(self, *arrays: np.ndarray) -> Sequence[np.ndarray]:
        outs = np.linalg.eig(*arrays) if self.right else [np.linalg.eigvals(*arrays)]
        return [x.astype(np.result_type(x, np.complex64), copy=False) for x in outs]

    def impl(self, *arrays: np.ndarray) -> Any:
        return Lapack.impl(self, *arrays) if self.left else super().impl(*arrays)

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        if not self.left:
            return super().one(*matrices)
        # SciPy's interface to LAPACK, loaded when the first matrix is decomposed.
        from scipy.linalg import lapack

        (a,) = matrices
        geev = getattr(lapack, LETTERS[a.dtype] + "geev")
        *w, left, right, info = geev(a, True, self.right)
        # Of real matrices LAPACK gives the real and imaginary parts of values separately.
        if len(w) == 2:
            pairs = w[1] > 0
            left, right = (_unpacked(v, pairs) for v in (left, right))
            w = [w[0] + 1j * w[1]]
        return [*w, left, *[right] * self.right], info

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        (a,), (w, *_) = values, ctx.outs
        v = ShapedArray(a.aval.shape, w.dtype)
        chosen = {"compute_left": "NV"[self.left], "compute_right": "NV"[self.right]}
        parts = [w] if a.aval.dtype.kind == "c" else [w.update(dtype=a.aval.dtype)] * 2
        *parts, left, right = self.call(ctx, "geev", [a], [*parts, v, v], **chosen)
        both = [x for x, flag in ((left, self.left), (right, self.right)) if flag]
        return [parts[0] if len(parts) == 1 else ctx.op("complex", *parts, out=w), *both]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Compute tangents as for Hermitian matrices, with v^-1 in place of v^H.

        The left vectors of a are the (right) vectors of a^H, with conjugated values.
        """
        w, *both = results = Eig(self.left, self.right or not self.left).bind(*primals)
        da = convert_element_type(tangents[0], w.dtype)
        dvectors = []
        for x in both:
            of_left = self.left and not dvectors
            dw, dx = _moved(conj.bind(w) if of_left else w, x, adjoint(da) if of_left else da)
            dvectors.append(dx)
        # With left vectors alone, dw is that of the values of a^H.
        dw = conj.bind(dw) if self.left and len(dvectors) == 1 else dw
        count = 1 + self.left + self.right
        return results[:count], [dw, *dvectors][:count]


def _unpacked(v: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return complex vectors from LAPACK's columns for a real matrix.

    Of a pair of conjugated vectors LAPACK gives the real part in one column, and the imaginary part
    in the next one. `pairs` marks the first column of each pair.
    """
    vectors = v.astype(np.result_type(v, np.complex64))
    (first,) = np.nonzero(pairs)
    if v.size:
        vectors[:, first] = v[:, first] + 1j * v[:, first + 1]
        vectors[:, first + 1] = vectors[:, first].conj()
    return vectors


def _moved(w: Value, v: Value, da: Value) -> tuple[Any, Any]:
    """Return the tangents of eigenvalues, and of eigenvectors whose largest element stays real."""
    x = solve(v, matmul(da, v))
    inverse, equal = differences(w, x)
    dw, mixed = WithinLevels(unitary=False).bind(x, equal)
    dv = matmul(v, inverse * x + mixed)
    # dv is right but for a factor of each column. Take off what lengthens the column, and what
    # turns its largest element (among those that are real) off the real axis.
    rows = (v.ndim - 2,)
    size = select(imag.bind(v) == 0, absolute.bind(v), full_like(real.bind(v), -1.0))
    most = ReduceMax(rows).bind(size)
    at_peak = size == spread(most, v.shape, of_columns(v))
    turn = reduce_sum(
        select(at_peak, imag.bind(dv) / real.bind(select(at_peak, v, 1.0)), 0.0), rows
    )
    count = reduce_sum(convert_element_type(at_peak, turn.dtype), rows)
    longer = reduce_sum(real.bind(conj.bind(v) * dv), rows)
    back = TRACED.complex(longer, turn / count)
    return dw, dv - v * per_column(back, v)


@frozen
class Svd(OfStacks):
    """The decomposition u diag(s) vh of matrices: u, s, descending, and vh.

    The columns of u and the rows of vh are orthonormal; with `full_matrices` u and vh are square.
    Without `vectors` s is the only result.
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
        """Return what `Eigh.follow` returns; the rows of vh are conjugated vectors."""
        if not self.vectors:
            return outs[0], {}
        return outs[1], {0: ("u", -1, False), 2: ("v", -2, True)}

    def apart(self, s: np.ndarray, a: ShapedArray) -> bool:
        """Return whether all derivatives are right, as for `Eigh`; no value may be 0 either."""
        return all_apart(s, rounding(a), True)

    def blocks(self, a: Value, known: Sequence[Any], series: Callable) -> Blocks:
        """Return the smooth decomposition of `a`, as for `Eigh`."""
        return svd_blocks(a, known if self.vectors else Svd().bind(stop_gradient(a)), series)

    def stacked(self, *arrays: np.ndarray) -> Sequence[np.ndarray]:
        (a,) = arrays
        if not self.vectors:
            return [np.linalg.svd(a, compute_uv=False)]
        return np.linalg.svd(a, self.full_matrices)

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
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
            dav = matmul(da, adjoint(vh))
            return [s], [real_part(reduce_sum(conjugate(u) * dav, (u.ndim - 2,)))]
        if a.shape[-2] >= a.shape[-1]:
            du, ds, dv = _singular_moved(u, s, adjoint(vh), da)
        else:
            dv, ds, du = _singular_moved(adjoint(vh), s, u, adjoint(da))
        return [u, s, vh], [du, ds, adjoint(dv)]


def _singular_moved(u: Value, s: Value, v: Value, da: Value) -> tuple[Any, Any, Any]:
    """Return the tangents of u, s and v of a = u diag(s) v^H with at least as many rows as columns.

    Let x = u^H da v. Its Hermitian part turns u and v alike, as for eigenvectors; its other part
    turns u and v against one another. What leaves the space of the first columns of u is divided by
    s.
    """
    k, axis = s.shape[-1], u.ndim - 1
    dav = matmul(da, v)
    space = slice_in_dim(u, 0, k, axis=axis)
    x = matmul(adjoint(space), dav)
    even, odd = (x + adjoint(x)) * 0.5, (x - adjoint(x)) * 0.5
    inverse, equal = differences(s, x)
    ds, mixed = WithinLevels().bind(even, equal)
    alike = inverse * even + mixed
    right, left = spread(s, x.shape, of_columns(x)), spread(s, x.shape, of_rows(x))
    # s[i] + s[j] is 0 up to rounding: the result is nan, unless `odd` is 0 there.
    vanishing = right + left <= largest(right) * rounding(x)
    against = scale.bind(
        odd, convert_element_type(1.0 / select(vanishing, nan, right + left), x.dtype)
    )
    du, dv = matmul(space, alike + against), matmul(v, alike - against)
    if u.shape[-2] > k:
        others = slice_in_dim(u, k, u.shape[-1], axis=axis)
        # With square u, its other columns take up what leaves the space; they turn back in
        # exchange, so that u stays unitary. Without them `leaving` needs no basis.
        square = others.shape[-1] > 0
        leaving = matmul(adjoint(others), dav) if square else dav - matmul(space, x)
        out = scale.bind(leaving, per_column(1.0 / s, leaving))
        du = du + (matmul(others, out) if square else out)
        if square:
            du = concatenate([du, -matmul(space, adjoint(out))], axis)
    return du, real_part(ds), dv
