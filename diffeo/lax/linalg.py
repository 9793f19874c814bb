"""Decompositions of matrices and triangular systems, under jax.lax.linalg's names.

Operands are matrices [..., m, n] of float32, float64, complex64 or complex128 with equal leading
axes. dx.numpy.linalg and dx.scipy.linalg have the kinder functions, which broadcast and promote.

Examples:
    >>> import diffeo as dx
    >>> dx.lax.linalg.cholesky(dx.numpy.array([[4.0, 2.0], [2.0, 2.0]]))
    Array([[2., 0.],
           [1., 1.]])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..numpy.common import arr
from ..primitives.array import Array
from ..primitives.core import Value, with_user_line
from ..primitives.words.slicing import slice_in_dim
from ..primitives.words.structural import expand_dims, squeeze
from ..routines.matrices import linalg as page
from ..routines.matrices import qr as qr_page
from ..routines.matrices.cholesky_update import CholeskyUpdate
from ..routines.matrices.hessenberg import Hessenberg, Tridiagonal
from ..routines.matrices.matrices import adjoint, check_matrices, lower_triangle, matmul
from ..routines.matrices.polar import polar
from ..routines.matrices.schur import Schur
from ..routines.matrices.spectral import Eig, Eigh, Svd
from ..routines.matrices.tridiagonal_solve import TridiagonalSolve
from ..typing import ArrayLike
from .linalg_options import EighImplementation, EigImplementation, SvdAlgorithm
from .strict import apply

__all__ = [
    "EigImplementation", "EighImplementation", "SvdAlgorithm", "cholesky", "cholesky_update",
    "eig", "eigh", "hessenberg", "householder_product", "lu", "lu_pivots_to_permutation", "ormqr",
    "qdwh", "qr", "schur", "svd", "symmetric_product", "triangular_solve", "tridiagonal",
    "tridiagonal_solve",
]  # fmt: skip


def _matrices(name: str, x: Any, square: bool = True) -> Any:
    """Return the operand as an array; TypeError unless it holds matrices, square if `square`."""
    x = arr(x)
    try:
        check_matrices(name, x.aval.strong, square)
    except TypeError as error:
        raise with_user_line(error) from None
    return x


def _symmetrized(x: Value, wanted: bool) -> Any:
    """Return the mean of matrices and their adjoints if `wanted`, else the matrices."""
    return (x + adjoint(x)) * 0.5 if wanted else x


def cholesky(x: ArrayLike, *, symmetrize_input: bool = True) -> Any:
    """Return the lower triangular l with x = l l^H; nan where x is not positive definite.

    Args:
        x: Hermitian matrices [..., n, n].
        symmetrize_input: Take the mean of x and its adjoint; otherwise the upper triangle is not
            read.

    Raises:
        TypeError: for other operands.
    """
    return apply(page.Cholesky(), _symmetrized(_matrices("cholesky", x), symmetrize_input))


def eig(
    x: Any,
    *,
    compute_left_eigenvectors: bool = True,
    compute_right_eigenvectors: bool = True,
    enable_eigvec_derivs: bool = True,
    implementation: Any = None,
    use_magma: bool | None = None,
) -> list[Any]:
    """Compute the eigenvalues of square matrices, and, if asked for, left and right eigenvectors.

    The vectors are columns: u with u^H x = w u^H and v with x v = v w, all complex. Each vector has
    length 1 and its largest element is real; derivatives of all exist where eigenvalues differ. The
    last three parameters are taken for JAX's sake.

    Raises:
        TypeError: for other operands.

    Examples:
        >>> import diffeo as dx
        >>> w, left, right = eig(dx.numpy.array([[1.0, 1.0], [0.0, 2.0]]))
        >>> w
        Array([1.+0.j, 2.+0.j])
    """
    kind = Eig(bool(compute_left_eigenvectors), bool(compute_right_eigenvectors))
    return list(apply(kind, x))


def eigh(
    x: Any,
    *,
    lower: bool = True,
    symmetrize_input: bool = True,
    sort_eigenvalues: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    implementation: Any = None,
) -> tuple[Any, Any]:
    """Compute eigenvectors, as columns, and eigenvalues of Hermitian matrices, in this order.

    See dx.numpy.linalg.eigh for derivatives at equal eigenvalues.

    Args:
        x: Hermitian matrices [..., n, n].
        lower: Which triangle is read if the input is not symmetrized.
        symmetrize_input: Take the mean of x and its adjoint.
        sort_eigenvalues: They are ascending in any case.
        subset_by_index: (first, end) of the eigenvalues that are wanted.
        implementation: Taken for JAX's sake.

    Raises:
        TypeError: for other operands.
        ValueError: for a subset that is not within 0 .. n.
    """
    x = _symmetrized(_matrices("eigh", x), symmetrize_input)
    w, v = apply(Eigh("L" if lower else "U"), x)
    bounds = _subset("eigh", subset_by_index, x.shape[-1])
    return slice_in_dim(v, *bounds, axis=v.ndim - 1), slice_in_dim(w, *bounds, axis=w.ndim - 1)


def _subset(name: str, subset: tuple[int, int] | None, n: int) -> tuple[int, int]:
    """Return the first number and the end of a subset of 0 .. n; ValueError beyond it."""
    first, end = (0, n) if subset is None else subset
    if not 0 <= first <= end <= n:
        raise with_user_line(
            ValueError(
                f"{name}: subset_by_index must be (first, end) within 0 .. {n}, got {subset}"
            )
        )
    return first, end


def householder_product(a: ArrayLike, taus: ArrayLike) -> Any:
    """Multiply reflections 1 - tau v v^H, whose vectors stand below the diagonal of `a`.

    The result is the first columns of the product, as many as `a` has.

    Raises:
        TypeError: unless a is [..., m, n] with m >= n and taus [..., k] with k <= n.
    """
    return apply(qr_page.HouseholderProduct(), a, taus)


def lu(x: Any) -> tuple[Any, Any, Any]:
    """Decompose x[permutation] = l u, and return (l and u in one matrix, pivots, permutation).

    l has ones on the diagonal, which are not stored. Row i was exchanged with row pivots[i].

    Raises:
        TypeError: for other operands.

    Examples:
        >>> import diffeo as dx
        >>> lu(dx.numpy.array([[1.0, 2.0], [2.0, 8.0]]))[0]
        Array([[ 2. ,  8. ],
               [ 0.5, -2. ]])
    """
    return tuple(apply(page.Lu(), x))


def lu_pivots_to_permutation(pivots: ArrayLike, permutation_size: int) -> Any:
    """Return the order of rows after row i was exchanged with row pivots[i], for each i in turn.

    Raises:
        TypeError: for pivots that are not int32, or more than `permutation_size`.
    """
    return apply(page.LuPivotsToPermutation(permutation_size), pivots)


def ormqr(a: Any, taus: Any, c: Any, *, left: bool = True, transpose: bool = False) -> Any:
    """Compute Q c, or c Q if not `left`; with the adjoint of Q, if `transpose`.

    Q is the square matrix of the reflections that a QR decomposition left in `a` and `taus`. Q
    itself is not formed.

    Raises:
        TypeError: for operands that do not fit.
    """
    a, taus, c = _matrices("ormqr", a, False), arr(taus), _matrices("ormqr", c, False)
    if (
        c.shape[-2 if left else -1] != a.shape[-2]
        or c.shape[:-2] != a.shape[:-2]
        or (
            taus.shape[:-1] != a.shape[:-2]
            or taus.ndim != a.ndim - 1
            or taus.shape[-1] > a.shape[-1]
            or not a.dtype == c.dtype == taus.dtype
        )
    ):
        raise with_user_line(
            TypeError(
                f"ormqr: expects a [..., m, n], taus [..., k], k <= n, and c with m "
                f"{'rows' if left else 'columns'}, of one dtype and with equal leading axes, got "
                f"{a.aval}, {taus.aval}, {c.aval}"
            )
        )
    v, y = qr_page.compact(a, taus)  # Q = 1 - v y
    v, y = (adjoint(y), adjoint(v)) if transpose else (v, y)
    return c - (matmul(v, matmul(y, c)) if left else matmul(matmul(c, v), y))


def qr(
    x: Any, *, pivoting: bool = False, full_matrices: bool = True, use_magma: bool | None = None
) -> tuple[Any, ...]:
    """Decompose matrices as q r with orthonormal columns of q and upper triangular r.

    With `pivoting`, x[:, p] = q r, where the diagonal of r decreases, and p is returned too.

    Args:
        x: Matrices [..., m, n].
        pivoting: Choose an order of columns.
        full_matrices: q is square; otherwise it has the lesser of m and n columns.
        use_magma: Taken for JAX's sake.

    Raises:
        TypeError: for other operands.
    """
    return tuple(qr_page.qr(_matrices("qr", x, False), full_matrices, pivoting))


def qdwh(
    x: Any,
    *,
    is_hermitian: bool = False,
    max_iterations: int | None = None,
    eps: float | None = None,
    dynamic_shape: tuple[int, int] | None = None,
) -> tuple:
    """Compute the polar decomposition x = u h of matrices with m >= n.

    It is made of singular values, so there are no iterations, and it always converges.

    Args:
        x: Matrices [..., m, n].
        is_hermitian, max_iterations, eps: Of no influence.
        dynamic_shape: Must be None.

    Returns:
        u [..., m, n] with orthonormal columns, h [..., n, n] positive semidefinite; 0; True.

    Raises:
        TypeError: for other operands.
        ValueError: for m < n.
        NotImplementedError: for `dynamic_shape`.

    Examples:
        >>> import diffeo as dx
        >>> qdwh(dx.numpy.array([[0.0, -2.0], [3.0, 0.0]]))[1]
        Array([[3., 0.],
               [0., 2.]])
    """
    x = _matrices("qdwh", x, False)
    if dynamic_shape is not None:
        raise with_user_line(
            NotImplementedError(
                f"qdwh: dynamic_shape={dynamic_shape} is not supported; slice the matrix"
            )
        )
    if x.shape[-2] < x.shape[-1]:
        raise with_user_line(ValueError(f"qdwh: expects matrices with m >= n, got {x.aval}"))
    return *polar(x), Array(np.asarray(0, np.int32)), Array(np.asarray(True))


def svd(
    x: Any,
    *,
    full_matrices: bool = True,
    compute_uv: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    algorithm: Any = None,
) -> Any:
    """Decompose matrices as u diag(s) vh, and return (u, s, vh), or s alone; s is descending.

    Args:
        x: Matrices [..., m, n].
        full_matrices: u and vh are square.
        compute_uv: False for s alone.
        subset_by_index: (first, end) of the singular values that are wanted.
        algorithm: Taken for JAX's sake.

    Raises:
        TypeError: for other operands.
        ValueError: for a subset that is not within 0 .. min(m, n), or with full matrices.
    """
    factors = apply(Svd(full_matrices and compute_uv, compute_uv), x)
    s = factors[1] if compute_uv else factors[0]
    if subset_by_index is None:
        return tuple(factors) if compute_uv else s
    if full_matrices and compute_uv:
        raise with_user_line(
            ValueError(
                f"svd: subset_by_index={subset_by_index} selects columns: full_matrices must "
                "be False"
            )
        )
    first, end = _subset("svd", subset_by_index, s.shape[-1])
    axes = (s.ndim, s.ndim - 1, s.ndim - 1) if compute_uv else (s.ndim - 1,)
    parts = [slice_in_dim(f, first, end, axis=i) for f, i in zip(factors, axes)]
    return tuple(parts) if compute_uv else parts[0]


def symmetric_product(
    a_matrix: Any,
    c_matrix: Any,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    symmetrize_output: bool = False,
) -> Any:
    """Compute alpha a a^T + beta c.

    With `symmetrize_output` the upper triangle is the lower one's.

    Raises:
        TypeError: unless a is [..., m, n] and c [..., m, m].
    """
    a, c = _matrices("symmetric_product", a_matrix, False), _matrices("symmetric_product", c_matrix)
    if c.shape != (*a.shape[:-1], a.shape[-2]) or a.dtype != c.dtype:
        raise with_user_line(
            TypeError(
                "symmetric_product: expects a [..., m, n] and c [..., m, m] of one dtype, got "
                f"{a.aval} and {c.aval}"
            )
        )
    out = matmul(a, page.flipped(a)) * float(alpha) + c * float(beta)
    if symmetrize_output:
        out = lower_triangle(out) + page.flipped(lower_triangle(out, -1))
    return out


def triangular_solve(
    a: Any,
    b: Any,
    *,
    left_side: bool = False,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """Solve op(a) x = b (`left_side`) or x op(a) = b for x, where a is triangular.

    Args:
        a: Matrices [..., n, n], of which one triangle is read.
        b: Matrices [..., n, k] (`left_side`) or [..., k, n]; or vectors [..., n].
        left_side: Which equation to solve.
        lower: Which triangle of a to read.
        transpose_a: op transposes a.
        conjugate_a: op conjugates a.
        unit_diagonal: Take the diagonal of a for ones.

    Raises:
        TypeError: for operands that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> a = dx.numpy.array([[2.0, 0.0], [1.0, 1.0]])
        >>> triangular_solve(a, dx.numpy.array([2.0, 3.0]), left_side=True, lower=True)
        Array([1., 2.])
    """
    a, b = arr(a), arr(b)
    axis = a.ndim - 1 if left_side else a.ndim - 2
    vector = b.ndim == a.ndim - 1
    b = expand_dims(b, (axis,)) if vector else b
    if conjugate_a and not transpose_a:
        a = page.conjugate(a)
    form = ("C" if conjugate_a else "T") if transpose_a else "N"
    kind = page.TriangularSolve(
        "L" if left_side else "R", "L" if lower else "U", form, "U" if unit_diagonal else "N"
    )
    x = apply(kind, a, b)
    return squeeze(x, (axis,)) if vector else x


def cholesky_update(r_matrix: Any, w_vector: Any) -> Any:
    """Return the upper triangular x with x^H x = r^H r + w w^H.

    Args:
        r_matrix: Upper triangular matrices r [..., n, n].
        w_vector: Vectors w [..., n] of the same dtype.

    Raises:
        TypeError: for operands that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> cholesky_update(dx.numpy.array([[3.0]]), dx.numpy.array([4.0]))
        Array([[5.]])
    """
    return apply(CholeskyUpdate(), r_matrix, w_vector)


def hessenberg(a: Any) -> tuple[Any, Any]:
    """Compute Hessenberg's form of square matrices, packed with the reflections that lead to it.

    Args:
        a: Matrices [..., n, n].

    Returns:
        [..., n, n], in which the vectors of the reflections stand below the first subdiagonal, and
        their factors [..., n-1]. dx.scipy.linalg.hessenberg takes them apart.

    Raises:
        TypeError: for operands that do not fit.
    """
    return tuple(apply(Hessenberg(), a))


def schur(x: Any, *, compute_schur_vectors: bool = True, sort_eig_vals: bool = False,
          select_callable: Any = None) -> tuple[Any, ...]:  # fmt: skip
    """Decompose x = q u q^H (Schur), and return (u, q), or (u,).

    Args:
        x: Matrices [..., n, n].
        compute_schur_vectors: Return q.
        sort_eig_vals: Must be False.
        select_callable: Of no influence.

    Returns:
        u is upper triangular; of real matrices it has a block of two rows for each pair of complex
        eigenvalues. In the complex case the first large element of each column of q is positive.

    Raises:
        TypeError: for operands that do not fit.
        NotImplementedError: for `sort_eig_vals`.

    Examples:
        >>> import diffeo as dx
        >>> schur(dx.numpy.array([[2.0, 1.0], [0.0, 3.0]]))[0]
        Array([[2., 1.],
               [0., 3.]])
    """
    if sort_eig_vals:
        raise with_user_line(NotImplementedError("schur: eigenvalues cannot be sorted"))
    return tuple(apply(Schur(), x))[: 2 if compute_schur_vectors else 1]


def tridiagonal(a: ArrayLike, *, lower: bool = True) -> tuple[Any, Any, Any, Any]:
    """Reduce Hermitian matrices to tridiagonal ones.

    The result is packed with the reflections that lead there.

    Args:
        a: Matrices [..., n, n], of which one triangle is read.
        lower: Which one.

    Returns:
        The packed matrices [..., n, n]; the diagonal [..., n] and the subdiagonal [..., n-1], real;
        and the factors of the reflections, [..., n-1].

    Raises:
        TypeError: for operands that do not fit.
    """
    return tuple(apply(Tridiagonal(lower), a))


def tridiagonal_solve(dl: Any, d: Any, du: Any, b: Any, *, perturb_singular: bool = False) -> Any:
    """Solve dl[i] x[i-1] + d[i] x[i] + du[i] x[i+1] = b[i] for x.

    Args:
        dl, d, du: Diagonals [..., n] of one dtype; dl[..., 0] and du[..., -1] are not read.
        b: [..., n, k].
        perturb_singular: Must be False.

    Returns:
        [..., n, k]; nan where the system is singular.

    Raises:
        TypeError: for operands that do not fit.
        NotImplementedError: for `perturb_singular`.

    Examples:
        >>> import diffeo as dx
        >>> one = dx.numpy.ones(2)
        >>> tridiagonal_solve(one, 2 * one, one, dx.numpy.array([[3.0], [3.0]]))
        Array([[1.],
               [1.]])
    """
    if perturb_singular:
        raise with_user_line(
            NotImplementedError(
                "tridiagonal_solve: singular systems are not perturbed; their solution is nan"
            )
        )
    return apply(TridiagonalSolve(), dl, d, du, b)
