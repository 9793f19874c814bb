"""Decompositions of matrices: Cholesky, QR, eigenvalues, singular values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...primitives.core import with_user_line
from ...primitives.words.slicing import slice_in_dim
from ...routines.matrices.linalg import Cholesky
from ...routines.matrices.linalg import hermitian as hermitian_of
from ...routines.matrices.matrices import adjoint, upper_triangle
from ...routines.matrices.qr import Geqrf, rows_of
from ...routines.matrices.qr import qr as qr_of
from ...routines.matrices.spectral import Eig, Eigh, Svd
from ...typing import ArrayLike
from ..common import no_such
from ..shaping import matrix_transpose
from .operands import at_once, matrices, symmetrized, symmetrized_host


class EigResult(NamedTuple):
    """The result of `eig`."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """The result of `eigh`."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """The result of `qr`."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """The result of `svd`."""

    U: Any
    S: Any
    Vh: Any


def cholesky(a: ArrayLike, *, upper: bool = False, symmetrize_input: bool = False) -> Any:
    """Return the lower triangular l with a = l l^H and a positive diagonal, or if `upper`, l^H.

    Where `a` is not positive definite the result is nan. Derivatives by elements of the triangle
    that is not read are 0.

    Args:
        a: Hermitian matrices (..., n, n), of which only the lower triangle is read (the upper one
            if `upper`), and the real part of the diagonal.
        upper: Return l^H.
        symmetrize_input: Read both triangles, take the mean of `a` and its adjoint (as jax does by
            default). Gradients are then Hermitian, too.

    Raises:
        ValueError: if the last two axes differ.

    Examples:
        >>> import diffeo as dx
        >>> cholesky(dx.numpy.array([[4.0, 2.0], [2.0, 2.0]]))
        Array([[2., 0.],
               [1., 1.]])
    """
    host = symmetrized_host if symmetrize_input else np.asarray
    quick = at_once(lambda x: np.linalg.cholesky(host(x), upper=upper), a)
    if quick is not None:
        return quick
    a = matrices("cholesky", a, square=True)
    a = symmetrized(a) if symmetrize_input else adjoint(a) if upper else a
    factor = Cholesky().bind(a)
    return adjoint(factor) if upper else factor


def qr(a: Any, mode: str = "reduced") -> Any:
    """Decompose matrices into `Q` with orthonormal columns and an upper triangular `R`: a = Q R.

    Derivatives exist for every shape; they are infinite or nan where the first columns of `a` are
    linearly dependent.

    Args:
        a: Matrices (..., m, n).
        mode: 'reduced': q is (..., m, k) with k the lesser of m and n; 'complete': q is square;
            'full' is another name of 'reduced'; 'r': only r; 'raw': LAPACK's reflections,
            transposed, and their factors.

    Raises:
        ValueError: for another mode, or fewer than two axes.

    Examples:
        >>> import diffeo as dx
        >>> q, r = qr(dx.numpy.array([[3.0, 1.0], [4.0, 2.0]]))
        >>> dx.numpy.allclose(q @ r, dx.numpy.array([[3.0, 1.0], [4.0, 2.0]]))
        Array(True)
    """
    a = matrices("qr", a)
    if mode == "raw":
        packed, taus = Geqrf().bind(a)
        return matrix_transpose(packed), taus
    if mode == "r":
        return upper_triangle(rows_of(Geqrf().bind(a)[0], min(a.shape[-2:])))
    if mode not in ("reduced", "full", "complete"):
        raise no_such("qr", "mode", mode, ("reduced", "complete", "r", "raw"))
    return QRResult(*qr_of(a, mode == "complete"))


def _triangle(name: str, uplo: str | None) -> str:
    """Return 'L' or 'U' for the argument UPLO; None is 'L'."""
    chosen = "L" if uplo is None else str(uplo).upper()
    if chosen not in ("L", "U"):
        raise no_such(name, "UPLO", uplo, ("L", "U"))
    return chosen


def eigh(a: Any, UPLO: str | None = None, symmetrize_input: bool = False) -> EighResult:
    """Compute the eigenvalues of Hermitian matrices, ascending, and eigenvectors as columns.

    Where eigenvalues are equal, or nearly so, the eigenvectors are a choice. Functions of the
    matrix that do not depend on this choice have derivatives of every order, when they are written
    as products: `(v * f(w)) @ v.conj().T`, `v @ diag(f(w)) @ v.conj().T`, the same by einsum, a
    projection `v[:, :k] @ v[:, :k].T` between different eigenvalues; and sums `f(w).sum()`. First
    derivatives exist of every function that treats equal eigenvalues alike. In reverse mode, they
    also exist of functions of eigenvectors alone that do not depend on the choice. Any other
    derivative is nan, not a wrong number.

    Args:
        a: Hermitian matrices (..., n, n), of which one triangle is read, and the real part of the
            diagonal; derivatives by elements of the other triangle are 0.
        UPLO: The triangle that is read: 'L' (the default) or 'U'.
        symmetrize_input: Read both triangles, take the mean of `a` and its adjoint (as jax does by
            default). Gradients are then Hermitian, too.

    Raises:
        ValueError: if the last two axes differ, or for another UPLO.

    Examples:
        >>> import diffeo as dx
        >>> eigh(dx.numpy.array([[2.0, 1.0], [1.0, 2.0]])).eigenvalues
        Array([1., 3.])
    """
    a = matrices("eigh", a, square=True)
    uplo = _triangle("eigh", UPLO)
    return EighResult(*Eigh(uplo).bind(symmetrized(a) if symmetrize_input else a))


def eigvalsh(a: Any, UPLO: str | None = "L", *, symmetrize_input: bool = False) -> Any:
    """Compute the eigenvalues of Hermitian matrices, ascending; see `eigh`."""
    uplo: Any = _triangle("eigvalsh", UPLO)
    host = symmetrized_host if symmetrize_input else np.asarray
    quick = at_once(lambda x: np.linalg.eigvalsh(host(x), uplo), a)
    if quick is not None:
        return quick
    a = matrices("eigvalsh", a, square=True)
    return Eigh(uplo, False).bind(symmetrized(a) if symmetrize_input else a)[0]


def eig(a: Any) -> EigResult:
    """Compute the eigenvalues of square matrices, and eigenvectors as columns.

    Both are complex. Each eigenvector has length 1, and its largest element is real. Both have
    derivatives where eigenvalues differ; for equal ones see `eigh`.

    Raises:
        ValueError: if the last two axes differ.

    Examples:
        >>> import diffeo as dx
        >>> eig(dx.numpy.array([[0.0, 1.0], [-1.0, 0.0]])).eigenvalues
        Array([0.+1.j, 0.-1.j])
    """
    return EigResult(*Eig().bind(matrices("eig", a, square=True)))


def eigvals(a: ArrayLike) -> Any:
    """Compute the eigenvalues of square matrices, which are complex; see `eig`."""
    return Eig(right=False).bind(matrices("eigvals", a, square=True))[0]


def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
    subset_by_index: tuple[int, int] | None = None,
) -> Any:
    """Decompose matrices into u diag(s) vh: the results `U`, `S` and `Vh`.

    The columns of u and the rows of vh are orthonormal. At equal singular values, derivatives exist
    as `eigh` says: of products `(u * f(s)) @ vh`, among them the polar factor `u @ vh`, and of
    `(u * f(s)) @ u.conj().T`. At singular values 0, the derivatives of the product of all factors
    and of norms are right; others may be nan.

    Args:
        a: Matrices (..., m, n).
        full_matrices: Whether u and vh are square; otherwise u has as many columns, and vh as many
            rows, as the lesser of m and n.
        compute_uv: False for the singular values alone.
        hermitian: Whether matrices are Hermitian: then only the lower triangle is read.
        subset_by_index: (first, end) of the singular values, in descending order, to return.

    Raises:
        ValueError: for fewer than two axes, or a subset together with full matrices.

    Examples:
        >>> import diffeo as dx
        >>> svd(dx.numpy.array([[0.0, 2.0], [1.0, 0.0]])).S
        Array([2., 1.])
    """
    a = matrices("svd", a, square=hermitian)
    a = hermitian_of(a) if hermitian else a
    if subset_by_index is not None and compute_uv and full_matrices:
        raise with_user_line(
            ValueError(
                f"svd: subset_by_index={subset_by_index} selects columns, so full_matrices must be "
                "False"
            )
        )
    factors = Svd(full_matrices and compute_uv, compute_uv).bind(a)
    if subset_by_index is not None:
        first, end = subset_by_index
        axes = [a.ndim - 1, a.ndim - 2, a.ndim - 2] if compute_uv else [a.ndim - 2]
        factors = [slice_in_dim(x, first, end, axis=i) for x, i in zip(factors, axes)]
    return SVDResult(*factors) if compute_uv else factors[0]


def svdvals(x: ArrayLike, /) -> Any:
    """Compute the singular values of matrices, descending."""
    return Svd(False, False).bind(matrices("svdvals", x))[0]
