"""Triangular systems, Cholesky's and the LU decomposition, and linear systems.

Most routines on matrices are built from `TriangularSolve`, so start there. In derivatives, a
decomposition is a constant where possible: `LuSolve` solves by given factors, and its derivative is
by the matrix itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...operations.identity import stop_gradient
from ...operations.sort import Sort, take_along_axis
from ...primitives.builder import LoweringContext
from ...primitives.constants import full, full_like
from ...primitives.core import Value, typeof
from ...primitives.families import Discrete
from ...primitives.stand_ins import ZERO, LinearInput
from ...primitives.support.frozen import frozen
from ...primitives.types import ShapedArray
from ...primitives.words.elementwise import real, select
from ...primitives.words.index_dims import IndexDims
from ...primitives.words.indexing import Gather, Scatter, dynamic_slice, dynamic_update_slice
from ...primitives.words.slicing import pad, slice_in_dim
from ...primitives.words.structural import (
    Iota,
    Reshape,
    convert_element_type,
    iota,
    move_axis,
    reshape,
    size_of,
)
from ..special.special import TRACED, Operations
from . import kernels, small_matrices
from .matrices import (
    LETTERS,
    Lapack,
    OfMatrices,
    OfStacks,
    Written,
    adjoint,
    check_matrices,
    flipped,
    int32,
    lower_triangle,
    matmul,
    places,
    upper_triangle,
)


def side_by_side(solve: Callable, b: Value, dim: int, size: int, axis: int) -> tuple[Any, Any]:
    """Apply `solve` to a batch of right-hand sides with one matrix.

    `dim` is the batch axis of b. The right-hand sides are put side by side, along axis `axis` - 1,
    and solved at once. Returns the result and its batch axis, `axis`.
    """
    b = move_axis(b, dim, axis)
    shape = b.shape
    folded = (*shape[: axis - 1], shape[axis - 1] * size, *shape[axis + 1 :])
    return reshape(solve(reshape(b, folded)), shape), axis


# --------------------------------------------------------------------------------------------------


@frozen
class TriangularSolve(Lapack):
    """The x with op(a) x = b, or with x op(a) = b (`side` "R"), for a triangular a.

    `uplo` "L" or "U" says which triangle of a is read. op(a) is a (`form` "N"), its transpose ("T")
    or its adjoint ("C"). With `diag` "U" the diagonal is taken for ones.
    """

    side: str = "L"
    uplo: str = "L"
    form: str = "N"
    diag: str = "N"

    def abstract_eval(self, a: ShapedArray, b: ShapedArray) -> ShapedArray:
        options = (self.side, self.uplo, self.form, self.diag)
        for option, allowed in zip(options, ("LR", "LU", "NTC", "NU")):
            if option not in list(allowed):
                raise ValueError(
                    f"triangular_solve: side, uplo, form and diag must be of 'LR', 'LU', 'NTC' and "
                    f"'NU', got {options}"
                )
        check_system("triangular_solve", a, b, -2 if self.side == "L" else -1)
        return b

    def one(self, *matrices: np.ndarray) -> tuple[Sequence[np.ndarray], int]:
        # SciPy's interface to BLAS, loaded when the first system is solved.
        from scipy.linalg import blas

        a, b = matrices
        trsm = getattr(blas, LETTERS[a.dtype] + "trsm")
        form = "NTC".index(self.form)
        return [trsm(1.0, a, b, self.side == "R", self.uplo == "L", form, self.diag == "U")], 0

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        a, b = values
        if not b.aval.size:
            return ctx.constant(0, b.aval)
        if a.aval.shape[-1] <= small_matrices.LARGEST:
            chosen = (self.side, self.uplo, self.form, self.diag)
            return ctx.inline(lambda a, b: small_matrices.triangular_solve(a, b, *chosen), a, b)
        chosen = {"side": self.side, "uplo": self.uplo, "trans_x": self.form, "diag": self.diag}
        return kernels.call(ctx, "trsm", [a, b], [b.aval], **chosen)[0]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Solve op(a) dx = db - op(da) x."""
        (a, b), (da, db) = primals, tangents
        x = self.bind(a, b)
        if da is not ZERO:
            # Of da, too, only the triangle that is read counts.
            cut = lower_triangle if self.uplo == "L" else upper_triangle
            first = 0 if self.diag == "N" else -1 if self.uplo == "L" else 1
            da = {"N": lambda t: t, "T": flipped, "C": adjoint}[self.form](cut(da, first))
            term = matmul(da, x) if self.side == "L" else matmul(x, da)
            db = -term if db is ZERO else db - term
        return x, self.bind(a, db)

    def transpose(self, ct: Value, a: Value, b: LinearInput) -> Sequence[Any]:
        if self.form == "C":
            a = conjugate(a)
        return None, replace(self, form="T" if self.form == "N" else "N").bind(a, ct)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        if dims[0] is not None:
            return super().batch(size, args, dims)
        (a, b), axis = args, args[1].ndim - (1 if self.side == "L" else 2)
        return side_by_side(lambda b: self.bind(a, b), b, dims[1], size, axis)


def conjugate(x: Any) -> Any:
    """Return the conjugate; real numbers are returned as they are."""
    return TRACED.conj(x) if typeof(x).dtype.kind == "c" else x


def check_system(name: str, a: ShapedArray, b: ShapedArray, axis: int) -> None:
    """Raise TypeError unless a is square and has a row for each entry of b along `axis`."""
    check_matrices(name, a)
    if b.dtype != a.dtype or b.ndim != a.ndim or b.shape[:-2] != a.shape[:-2] or (
        b.shape[axis] != a.shape[-1]
    ):  # fmt: skip
        size = "[..., n, k]" if axis == -2 else "[..., k, n]"
        raise TypeError(
            f"{name}: expects a [..., n, n] and b {size} of one dtype and with the same leading "
            f"axes, got {a} and {b}"
        )


# --------------------------------------------------------------------------------------------------


@frozen
class Cholesky(OfStacks):
    """The lower triangular l with a = l l^H and a positive diagonal; nan if there is none.

    Of a, only the lower triangle and the real part of the diagonal are read.
    """

    def abstract_eval(self, a: ShapedArray) -> ShapedArray:
        check_matrices("cholesky", a)
        return a

    def stacked(self, *arrays: np.ndarray) -> Sequence[np.ndarray]:
        return [np.linalg.cholesky(*arrays)]

    def impl(self, *arrays: np.ndarray) -> np.ndarray:
        return np.tril(super().impl(*arrays))

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        (a,) = values
        if 0 < a.aval.shape[-1] <= small_matrices.LARGEST:
            return ctx.inline(small_matrices.cholesky, a)
        (factor,) = self.call(ctx, "potrf", [a], [a.aval], uplo="L")
        return ctx.inline(lower_triangle, factor)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Compute dl from l^-1 da l^-H, the sum of l^-1 dl, lower triangular, and its adjoint."""
        out = self.bind(*primals)
        x = TriangularSolve("R", form="C").bind(out, hermitian(tangents[0]))
        return out, matmul(out, half_of_lower(TriangularSolve().bind(out, x)))


def hermitian(x: Any, lower: bool = True) -> Any:
    """Return the Hermitian matrices whose lower (or upper) triangle is that of `x`."""
    rows, columns = places(x)
    half = lower_triangle(x, -1) if lower else upper_triangle(x, 1)
    on_diagonal = convert_element_type(real.bind(x), x.dtype) if x.dtype.kind == "c" else x
    return select(rows == columns, on_diagonal, half + adjoint(half))


def half_of_lower(x: Value) -> Any:
    """Return the lower triangle, with the diagonal halved.

    It is the t with t + t^H = `x`, for Hermitian `x`.
    """
    rows, columns = places(x)
    x = lower_triangle(x)
    return select(rows == columns, x * 0.5, x)


# --------------------------------------------------------------------------------------------------


@frozen
class LuPivotsToPermutation(OfMatrices, Discrete):
    """The order of `size` rows after row i was exchanged with row pivots[i], for each i in turn.

    The pivots 2, 1 of three rows give the order 2, 1, 0.
    """

    size: int

    def abstract_eval(self, pivots: ShapedArray) -> ShapedArray:
        if not pivots.ndim or pivots.dtype != int32 or pivots.shape[-1] > self.size:
            raise TypeError(
                f"lu_pivots_to_permutation: expects int32 pivots of at most {self.size} rows, got "
                f"{pivots}"
            )
        return ShapedArray((*pivots.shape[:-1], self.size), int32)

    def impl(self, pivots: np.ndarray) -> np.ndarray:
        order = np.empty((*pivots.shape[:-1], self.size), np.int32)
        order[...] = np.arange(self.size)
        every = np.arange(size_of(pivots.shape[:-1]))
        flat = order.reshape(every.size, self.size)
        swaps = pivots.reshape(every.size, pivots.shape[-1])
        for i in range(pivots.shape[-1]):
            j = swaps[:, i]
            flat[:, i], flat[every, j] = flat[every, j], flat[:, i].copy()
        return order

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        (pivots,) = values
        if pivots.aval.size and kernels.has(ctx.platform, "pivots"):
            return kernels.call(ctx, "pivots", [pivots], ctx.outs)[0]
        return ctx.inline(self.decompose, pivots)

    def decompose(self, pivots: Value) -> Any:
        shape, axis = (*pivots.shape[:-1], self.size), pivots.ndim - 1
        order = iota(int32, shape, axis)
        if not pivots.size:
            return order
        if axis and self.size <= 16:
            return small_matrices.permutation(pivots, self.size)
        others = tuple(range(axis))
        dims = IndexDims((), (axis,), (axis,), others, others)

        def step(i: Value, order: Value, pivots: Value) -> Sequence[Any]:
            at_i = [full((), 0, int32)] * axis + [i]
            window = (*shape[:-1], 1)
            j = dynamic_slice(pivots, at_i, window)
            above = dynamic_slice(order, at_i, window)
            if axis:
                below = take_along_axis(order, j, axis, "promise_in_bounds")
                order = Scatter(dims, unique=True).bind(order, reshape(j, (*window, 1)), above)
            else:
                at_j = [reshape(j, ())]
                below = dynamic_slice(order, at_j, window)
                order = dynamic_update_slice(order, above, at_j)
            return i + 1, dynamic_update_slice(order, below, at_i), pivots

        going = lambda i, *_: i < pivots.shape[-1]
        return TRACED.loop(going, step, [full((), 0, int32), order, pivots])[1]


def rows_at(x: Any, order: Any, m: Operations = TRACED) -> Any:
    """Return the rows of matrices in another order."""
    if not x.size:
        return x
    n = x.ndim
    lead = tuple(range(n - 2))
    dims = IndexDims((n - 1,), (n - 2,), (n - 2,), lead, lead)
    sizes = (*[1] * (n - 1), x.shape[-1])
    indices = m.of(Reshape((*order.shape, 1)))(order)
    return m.of(Gather(dims, sizes, "promise_in_bounds", unique=True))(x, indices)


@frozen
class Lu(OfMatrices):
    """The LU decomposition a[permutation] = l u -> (l and u in one array, pivots, permutation).

    l has ones on the diagonal, which are not stored. Row i was exchanged with row pivots[i].
    """

    multiple_results = True

    def abstract_eval(self, a: ShapedArray) -> list[ShapedArray]:
        check_matrices("lu", a, square=False)
        *lead, m, n = a.shape
        return [a, ShapedArray((*lead, min(m, n)), int32), ShapedArray((*lead, m), int32)]

    def impl(self, a: np.ndarray) -> Any:
        # SciPy's interface to LAPACK, loaded when the first matrix is decomposed.
        from scipy.linalg import lapack

        out, pivots = np.empty_like(a), np.empty((*a.shape[:-2], min(a.shape[-2:])), np.int32)
        if a.size:
            for i in np.ndindex(a.shape[:-2]):
                out[i], pivots[i], _ = getattr(lapack, LETTERS[a.dtype] + "getrf")(a[i])
        return [out, pivots, LuPivotsToPermutation(a.shape[-2]).impl(pivots)]

    def lower(self, ctx: LoweringContext, a: Any) -> Any:
        shape, outs = a.aval.shape, ctx.outs
        if a.aval.size and max(shape[-2:]) <= small_matrices.LARGEST:
            return ctx.inline(small_matrices.lu, a)
        if not a.aval.size:
            order = ctx.op("iota", out=outs[2], iota_dimension=f"{len(shape) - 2} : i64")
            return [a, ctx.constant(0, outs[1]), order]
        info = ShapedArray(shape[:-2], int32)
        out, pivots, _ = kernels.call(ctx, "getrf", [a], [*outs[:2], info])
        pivots = ctx.op("subtract", pivots, 1, out=outs[1])  # LAPACK counts from 1
        return [out, pivots, ctx.inline(LuPivotsToPermutation(shape[-2]).bind, pivots)]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Compute dl and du from x = l^-1 da[permutation] u^-1.

        x is the sum of l^-1 dl, which is strictly lower, and du u^-1, which is upper triangular.
        """
        lu, pivots, order = self.bind(*primals)
        m, n = lu.shape[-2:]
        k = min(m, n)
        lower = lower_triangle(_squared(slice_in_dim(lu, 0, k, axis=lu.ndim - 1), m), -1)
        u = upper_triangle(_squared(slice_in_dim(lu, 0, k, axis=lu.ndim - 2), n))
        if k < n:  # complete u to a square triangle, with ones on the diagonal
            rows, columns = places(u)
            u = select((rows == columns) & (rows >= k), full_like(u, 1), u)
        x = TriangularSolve(diag="U").bind(lower, rows_at(tangents[0], order))
        x = TriangularSolve("R", "U").bind(u, x)
        below = lower_triangle(x, -1)
        dlu = below + matmul(lower, below) + matmul(upper_triangle(x), u)
        return [lu, pivots, order], [dlu, ZERO, ZERO]


def _squared(x: Value, size: int) -> Any:
    """Return matrices with zeros appended until they are square."""
    lead = [0] * (x.ndim - 2)
    return pad(x, [0] * x.ndim, [*lead, size - x.shape[-2], size - x.shape[-1]])


@frozen
class LuSolve(Written):
    """The x with a x = b, or with `form` "T" a^T x = b, by a decomposition of a.

    Operands (a, lu, permutation, b): lu and the permutation are those of a. They are not
    differentiated; the derivative is by a.
    """

    form: str = "N"

    def abstract_eval(
        self, a: ShapedArray, lu: ShapedArray, order: ShapedArray, b: ShapedArray
    ) -> ShapedArray:
        check_system("lu_solve", a, b, -2)
        check_factors("lu_solve", a, lu, order)
        return b

    def formula(self, m: Operations, *arrays: Any) -> Any:
        _, lu, order, b = arrays
        by_l = m.of(TriangularSolve(form=self.form, diag="U"))
        by_u = m.of(TriangularSolve(uplo="U", form=self.form))
        if self.form == "N":
            return by_u(lu, by_l(lu, rows_at(b, order, m)))
        # a^T x = b is u^T l^T (x in the order) = b: undo the order at the end.
        axis = order.ndim - 1
        inverse = m.of(Sort(axis))(order, m.of(Iota(order.shape, int32, axis))())[1]
        return rows_at(by_l(lu, by_u(lu, b)), inverse, m)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Solve a dx = db - da x."""
        a, lu, order, _ = primals
        x, (da, _, _, db) = self.bind(*primals), tangents
        if da is not ZERO:
            term = matmul(da if self.form == "N" else flipped(da), x)
            db = -term if db is ZERO else db - term
        return x, ZERO if db is ZERO else self.bind(a, lu, order, db)

    def transpose(
        self, ct: Value, a: Value, lu: Value, order: Value, b: LinearInput
    ) -> Sequence[Any]:
        other = LuSolve("T" if self.form == "N" else "N")
        return None, None, None, other.bind(a, lu, order, ct)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        *factors, b = args
        if any([d is not None for d in dims[:-1]]):
            return super().batch(size, args, dims)
        return side_by_side(lambda b: self.bind(*factors, b), b, dims[-1], size, b.ndim - 1)


def check_factors(name: str, a: ShapedArray, lu: ShapedArray, order: ShapedArray) -> None:
    """Raise TypeError unless lu and a permutation may be those of square matrices a."""
    check_matrices(name, a)
    if lu != a or order != ShapedArray(a.shape[:-1], int32):
        raise TypeError(
            f"{name}: expects a [..., n, n], lu like it, an int32 permutation [..., n], got {a}, "
            f"{lu} and {order}"
        )


def lu_of(a: Value) -> tuple[Any, Any, Any]:
    """Return the decomposition as a constant of differentiation: lu, pivots, permutation."""
    return tuple(Lu().bind(stop_gradient(a)))


def solve(a: Any, b: Any) -> Any:
    """Return the x with a x = b, for matrices with equal leading axes."""
    lu, _, order = lu_of(a)
    return LuSolve().bind(a, lu, order, b)


def inverse(a: Value) -> Any:
    """Return the inverse."""
    return solve(a, identity_like(a))


def identity_like(x: Value) -> Any:
    """Return matrices of the shape of `x` with ones on the diagonal, and 0 elsewhere."""
    rows, columns = places(x)
    return convert_element_type(rows == columns, x.dtype)
