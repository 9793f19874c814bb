"""Decompositions of matrices, and what follows from them.

Here are QR, Hessenberg's form, eigenvalues, singular values, the polar decomposition, orthonormal
bases and pseudo-inverses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..numpy import linalg as nl
from ..numpy.choosing import where
from ..numpy.common import arr, concrete, no_such, same_dtype
from ..numpy.linalg.operands import matrices
from ..numpy.shaping import broadcast_to
from ..primitives.core import Value, with_user_line
from ..primitives.types import is_complex
from ..primitives.words.promotion import broadcast_shapes, to_inexact
from ..primitives.words.slicing import pad
from ..primitives.words.structural import convert_element_type, expand_dims
from ..routines.matrices.hessenberg import Hessenberg
from ..routines.matrices.linalg import Cholesky, TriangularSolve, hermitian
from ..routines.matrices.linalg import conjugate as _conjugate
from ..routines.matrices.matrices import adjoint, places, upper_triangle
from ..routines.matrices.polar import polar as _polar
from ..routines.matrices.qr import HouseholderProduct
from ..routines.matrices.qr import qr as _qr
from ..typing import ArrayLike

__all__ = [
    "eigh",
    "eigh_tridiagonal",
    "eigvalsh",
    "hessenberg",
    "null_space",
    "orth",
    "pinv",
    "pinvh",
    "polar",
    "qr",
    "qr_multiply",
    "svd",
    "svdvals",
]


def qr(a: Any, overwrite_a: bool = False, lwork: Any = None, mode: str = "full",
       pivoting: bool = False, check_finite: bool = True) -> tuple[Any, ...]:  # fmt: skip
    """Compute the QR decomposition a = q r.

    q has orthonormal columns, and r is upper triangular.

    Args:
        a: [..., m, n].
        mode: "full": q is [..., m, m]; "economic": q has only the first k columns and r the first
            k rows, k the smaller of m and n; "r": only r.
        pivoting: exchange columns so that the diagonal of r decreases; then the order p of columns
            is returned too, with a[:, p] = q r.
        overwrite_a, lwork, check_finite: of no influence.

    Returns:
        `(q, r)`, `(r,)`, or these with `p`, int32[..., n], at the end.

    Raises:
        ValueError: for another mode.

    Examples:
        >>> import diffeo as dx
        >>> q, r = qr(dx.numpy.array([[3.0, 1.0], [4.0, 2.0]]))
        >>> r
        Array([[-5. , -2.2],
               [ 0. ,  0.4]])
    """
    if mode not in ("full", "economic", "r"):
        raise no_such("qr", "mode", mode, ("full", "economic", "r"))
    q, r, *order = _qr(matrices("qr", a), mode != "economic", pivoting)
    return (r, *order) if mode == "r" else (q, r, *order)


def qr_multiply(a: Any, c: Any, mode: str = "right", pivoting: bool = False,
                conjugate: bool = False, overwrite_a: bool = False,
                overwrite_c: bool = False) -> tuple[Any, ...]:  # fmt: skip
    """Multiply a matrix by the factor q of `a`, and return the product and r.

    Args:
        a: [..., m, n]; q is [..., m, k], k the smaller of m and n.
        c: with `mode` "right", the default, [m] or [..., j, m]: c q is returned; with "left", [k]
            or [..., k, j]: q c is.
        pivoting: exchange columns of a, and return their order, too; see `qr`.
        conjugate: take the conjugate of q.
        overwrite_a, overwrite_c: of no influence.

    Returns:
        `(c q or q c, r)`, or `(c q or q c, r, p)`.

    Raises:
        ValueError: for shapes that do not fit, or another mode.

    Examples:
        >>> import diffeo as dx
        >>> a = dx.numpy.array([[3.0, 1.0], [4.0, 2.0]])
        >>> qr_multiply(a, dx.numpy.array([0.0, 5.0]))[0]
        Array([-4.,  3.])
    """
    if mode not in ("right", "left"):
        raise no_such("qr_multiply", "mode", mode, ("right", "left"))
    a, c = same_dtype(matrices("qr_multiply", a), arr(c))
    q, r, *order = _qr(a, False, pivoting)
    q = _conjugate(q) if conjugate else q
    size = q.shape[-1 if mode == "left" else -2]
    if not c.ndim or c.shape[-2 if mode == "left" and c.ndim > 1 else -1] != size:
        raise with_user_line(
            ValueError(
                f"qr_multiply: mode {mode!r} and a of shape {a.shape} need c with {size} "
                f"{'rows' if mode == 'left' else 'columns'}, got shape {c.shape}"
            )
        )
    return (q @ c if mode == "left" else c @ q, r, *order)


def hessenberg(a: ArrayLike, *, calc_q: bool = False, overwrite_a: bool = False,
               check_finite: bool = True) -> Any:  # fmt: skip
    """Compute Hessenberg's form h of square matrices a = q h q^H.

    It has no elements below the subdiagonal.

    Args:
        a: [..., n, n].
        calc_q: return the unitary q as well.
        overwrite_a, check_finite: of no influence.

    Returns:
        h, or `(h, q)`, both [..., n, n].

    Raises:
        ValueError: for matrices that are not square.

    Examples:
        >>> import diffeo as dx
        >>> h = hessenberg(dx.numpy.array([[1.0, 2.0, 0.0], [3.0, 4.0, 0.0], [4.0, 0.0, 5.0]]))
        >>> h[2, 0], h[1, 0]
        (Array(0.), Array(-5.))
    """
    packed, taus = Hessenberg().bind(matrices("hessenberg", a, True))
    h, n = upper_triangle(packed, -1), packed.shape[-1]
    if not calc_q:
        return h
    if n < 2:
        return h, convert_element_type(h == h, h.dtype)
    no_padding = [0] * (packed.ndim - 2)
    # The vectors stand one row below where QR has them, and the first row and column of q are those
    # of the identity.
    q = HouseholderProduct().bind(pad(packed, (*no_padding, -1, 0), (*no_padding, 0, -1)), taus)
    rows, columns = places(h)
    corner = convert_element_type(rows + columns == 0, h.dtype)
    return h, pad(q, (*no_padding, 1, 1), (*no_padding, 0, 0)) + corner


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, overwrite_a: bool = False,
        check_finite: bool = True, lapack_driver: str = "gesdd") -> Any:  # fmt: skip
    """Compute singular values: a = u diag(s) vh with orthonormal columns of u and rows of vh.

    Args:
        a: [..., m, n]; k is the smaller of m and n.
        full_matrices: u and vh are square; else they have k columns and k rows.
        compute_uv: False: return only s.
        overwrite_a, check_finite, lapack_driver: of no influence.

    Returns:
        `(u, s, vh)`, or s, [..., k], in descending order.

    Examples:
        >>> import diffeo as dx
        >>> svd(dx.numpy.array([[0.0, 2.0], [3.0, 0.0]]), compute_uv=False)
        Array([3., 2.])
    """
    out = nl.svd(a, full_matrices, compute_uv)
    return tuple(out) if compute_uv else out


def svdvals(a: ArrayLike, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Return the singular values of matrices [..., m, n], in descending order."""
    return svd(a, compute_uv=False)


def eigh(a: Any, b: ArrayLike | None = None, lower: bool = True, eigvals_only: bool = False,
         overwrite_a: bool = False, overwrite_b: bool = False, turbo: bool = True,
         eigvals: None = None, type: int = 1, check_finite: bool = True) -> Any:  # fmt: skip
    """Compute eigenvalues and eigenvectors of Hermitian matrices.

    a v = v diag(w), or a v = b v diag(w).

    Args:
        a: [..., n, n].
        b: Hermitian and positive definite; the identity if it is not given.
        lower: read the lower triangles, else the upper ones.
        eigvals_only: return only w.
        eigvals: must be None.
        type: with b, 1 for a v = b v w, 2 for a b v = v w, 3 for b a v = v w.
        overwrite_a, overwrite_b, turbo, check_finite: of no influence.

    Returns:
        `(w, v)`, or w, real and in ascending order.

    Raises:
        ValueError: for matrices that are not square, or of different sizes.
        NotImplementedError: for `eigvals`.

    Examples:
        >>> import diffeo as dx
        >>> eigh(dx.numpy.array([[2.0, 1.0], [1.0, 2.0]]), eigvals_only=True)
        Array([1., 3.])
    """
    if eigvals is not None:
        raise with_user_line(
            NotImplementedError(
                "eigh: all eigenvalues are computed; slice them instead of giving `eigvals`"
            )
        )
    if type not in (1, 2, 3):
        raise no_such("eigh", "type", type, (1, 2, 3))
    x = hermitian(matrices("eigh", a, True), lower)
    if b is None:
        return _ordinary(x, eigvals_only)
    x, y = same_dtype(x, hermitian(matrices("eigh", b, True), lower))
    if x.shape[-1] != y.shape[-1]:
        raise with_user_line(
            ValueError(f"eigh: a and b need equal sizes, got shapes {x.shape} and {y.shape}")
        )
    lead = broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = (broadcast_to(v, (*lead, *v.shape[-2:])) for v in (x, y))
    # With b = l l^H, the eigenvalues are those of an ordinary problem: of l^-1 a l^-H for type 1,
    # and of l^H a l for types 2 and 3.
    factor = Cholesky().bind(y)
    if type == 1:
        x = TriangularSolve("R", form="C").bind(factor, TriangularSolve().bind(factor, x))
    else:
        x = adjoint(factor) @ x @ factor
    if eigvals_only:
        return _ordinary(x, True)
    w, v = _ordinary(x, False)
    return w, factor @ v if type == 3 else TriangularSolve(form="C").bind(factor, v)


def _ordinary(x: Value, eigvals_only: bool) -> Any:
    """Return the eigenvalues, and eigenvectors unless `eigvals_only`, of Hermitian matrices."""
    if eigvals_only:
        return nl.eigvalsh(x, symmetrize_input=False)
    return tuple(nl.eigh(x, symmetrize_input=False))


def eigvalsh(a: Any, b: Any = None, lower: bool = True) -> Any:
    """Return the eigenvalues of Hermitian matrices, in ascending order; see `eigh`."""
    return eigh(a, b, lower, eigvals_only=True)


def eigh_tridiagonal(d: Any, e: Any, *, eigvals_only: bool = False, select: str = "a",
                     select_range: Any = None, tol: float | None = None,
                     key: Any = None) -> Any:  # fmt: skip
    """Compute eigenvalues and eigenvectors of symmetric tridiagonal matrices.

    Args:
        d: [..., n], real: the diagonal.
        e: [..., n-1], real: the diagonal beside it.
        eigvals_only: return only w.
        select: "a": all; "i": those with the numbers from `select_range[0]` to `select_range[1]`,
            both included.
        tol, key: of no influence.

    Returns:
        `(w, v)`, or w, in ascending order.

    Raises:
        ValueError: for shapes that do not fit, or another `select`.

    Examples:
        >>> import diffeo as dx
        >>> eigh_tridiagonal(dx.numpy.array([2.0, 2.0]), dx.numpy.array([1.0]), eigvals_only=True)
        Array([1., 3.])
    """
    d, e = same_dtype(arr(to_inexact(arr(d))), arr(to_inexact(arr(e))))
    if not d.ndim or not e.ndim or d.shape[-1] != e.shape[-1] + 1 or is_complex(d.dtype):
        raise with_user_line(
            ValueError(
                "eigh_tridiagonal: expects real d [..., n] and e [..., n-1], got "
                f"{d.dtype}{list(d.shape)} and {e.dtype}{list(e.shape)}"
            )
        )
    if select not in ("a", "i"):
        raise no_such("eigh_tridiagonal", "select", select, ("a", "i"))
    n = d.shape[-1]
    numbers = np.arange(n)
    diagonal_number = numbers[:, None] - numbers
    beside = pad(e, [0] * e.ndim, [*[0] * (e.ndim - 1), 1])
    main, subdiagonal = (expand_dims(x, (x.ndim - 1,)) for x in (d, beside))
    first, last = (0, n - 1) if select == "a" else select_range
    x = hermitian(where(diagonal_number == 0, main, where(diagonal_number == 1, subdiagonal, 0.0)))
    out = _ordinary(x, eigvals_only)
    cut = lambda v: v[..., first : last + 1]
    return cut(out) if eigvals_only else (cut(out[0]), cut(out[1]))


def polar(a: Any, side: str = "right", *, method: str = "qdwh", eps: float | None = None,
          max_iterations: int | None = None) -> tuple[Any, Any]:  # fmt: skip
    """Compute the polar decomposition a = u p (`side` "right") or a = p u ("left").

    u has orthonormal columns or rows, and p is positive semidefinite.

    Args:
        a: [..., m, n].
        side: where p stands.
        method: "qdwh" or "svd"; both are by singular values here. Derivatives of any order are by
            Sylvester's equation, right at equal singular values, and nan where one is 0.
        eps, max_iterations: of no influence.

    Returns:
        `(u, p)`: u [..., m, n], p [..., n, n] or [..., m, m].

    Raises:
        ValueError: for another side or method.

    Examples:
        >>> import diffeo as dx
        >>> u, p = polar(dx.numpy.array([[0.0, -2.0], [3.0, 0.0]]))
        >>> p
        Array([[3., 0.],
               [0., 2.]])
    """
    if side not in ("right", "left"):
        raise no_such("polar", "side", side, ("right", "left"))
    if method not in ("qdwh", "svd"):
        raise no_such("polar", "method", method, ("qdwh", "svd"))
    return _polar(matrices("polar", a), side == "left")


def _spaces(a: Any, name: str, rcond: Any) -> tuple[Any, Any, int]:
    """Return the singular vectors of one matrix, and its rank."""
    x = matrices(name, a)
    if x.ndim > 2:
        raise with_user_line(ValueError(f"{name}: expects one matrix, got shape {x.shape}"))
    u, s, vh = nl.svd(x)
    tolerance = float(np.finfo(s.dtype).eps) * max(x.shape) if rcond is None else rcond
    values = concrete(s, name, "Use svd, whose results have shapes that do not depend on values.")
    return u, vh, int((values > values.max(initial=0.0) * tolerance).sum())


def orth(A: ArrayLike, rcond: Any = None) -> Any:
    """Return an orthonormal basis of what a matrix maps to, as columns.

    The number of columns depends on values, so this does not work while a function is
    compiled.

    Args:
        A: [m, n].
        rcond: singular values below this part of the largest one count as 0.

    Raises:
        ConcretizationTypeError: for a traced value without numbers.

    Examples:
        >>> import diffeo as dx
        >>> orth(dx.numpy.ones((2, 2))).shape
        (2, 1)
    """
    u, _, rank = _spaces(A, "orth", rcond)
    return u[:, :rank]


def null_space(A: ArrayLike, rcond: Any = None) -> Any:
    """Return an orthonormal basis of what a matrix maps to 0, as columns; see `orth`.

    Examples:
        >>> import diffeo as dx
        >>> null_space(dx.numpy.ones((2, 2))).shape
        (2, 1)
    """
    _, vh, rank = _spaces(A, "null_space", rcond)
    return adjoint(vh[rank:])


def pinv(a: Any, rtol: Any = None) -> Any:
    """Compute the pseudo-inverse [..., n, m] of matrices [..., m, n].

    See `diffeo.numpy.linalg.pinv`.

    Examples:
        >>> import diffeo as dx
        >>> pinv(dx.numpy.array([[2.0], [0.0]]))
        Array([[0.5, 0. ]])
    """
    return nl.pinv(a, rtol)


def pinvh(a: ArrayLike, rtol: Any = None, lower: bool = True) -> Any:
    """Compute the pseudo-inverse of Hermitian matrices [..., n, n].

    One triangle of them is read.

    Examples:
        >>> import diffeo as dx
        >>> pinvh(dx.numpy.array([[2.0, 0.0], [0.0, 0.0]]))
        Array([[0.5, 0. ],
               [0. , 0. ]])
    """
    return nl.pinv(hermitian(matrices("pinvh", a, True), lower), rtol)
