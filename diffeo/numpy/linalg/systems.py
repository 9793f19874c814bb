"""Systems of linear equations: solve, inv, det, least squares.

The functions check and broadcast their operands. The primitives, with their derivatives, are in
routines/matrices/: linalg.py, determinant.py and spectral.py.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...primitives.core import with_user_line
from ...primitives.words.promotion import broadcast_shapes, broadcast_to, to_inexact
from ...primitives.words.structural import convert_element_type, reshape
from ...routines.matrices import determinant, linalg
from ...routines.matrices.spectral import Svd
from ...typing import ArrayLike
from ..common import arr, axis_of, same_dtype, static_int
from ..contracting.products import matmul
from ..making.grids import eye
from ..reducing.reductions import sum as _sum
from ..shaping import moveaxis
from ..ufuncs import absolute
from .operands import at_once, matrices


class SlogdetResult(NamedTuple):
    """The result of `slogdet`."""

    sign: Any
    logabsdet: Any


def solve(a: Any, b: Any) -> Any:
    """Solve a x = b for x.

    The derivative solves one more system with the same decomposition.

    Args:
        a: Square matrices (..., n, n).
        b: A vector (n,) or matrices (..., n, k); axes in front broadcast.

    Returns:
        x, in the shape of b after broadcasting; inf or nan where `a` is singular.

    Raises:
        ValueError: for shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> solve(dx.numpy.array([[2.0, 0.0], [0.0, 4.0]]), dx.numpy.array([2.0, 8.0]))
        Array([1., 2.])
    """
    quick = at_once(np.linalg.solve, a, b)
    if quick is not None:
        return quick
    a, b = same_dtype(to_inexact(arr(a)), to_inexact(arr(b)))
    a = matrices("solve", a, square=True)
    n = a.shape[-1]
    if not b.ndim or b.shape[max(b.ndim - 2, 0)] != n:
        raise with_user_line(
            ValueError(
                f"solve: expects b of shape ({n},) or (..., {n}, k) for a of shape {a.shape}, got "
                f"{b.shape}"
            )
        )
    if b.ndim == 1:
        lead = a.shape[:-2]
        x = linalg.solve(a, broadcast_to(reshape(b, (n, 1)), (*lead, n, 1)))
        return reshape(x, (*lead, n))
    # One matrix is decomposed once: all right-hand sides stand side by side.
    if a.ndim == 2 < b.ndim:
        wide = moveaxis(b, -2, 0)
        return moveaxis(
            reshape(linalg.solve(a, reshape(wide, (n, b.size // n))), wide.shape)
            if b.size
            else wide,
            0,
            -2,
        )
    lead = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return linalg.solve(broadcast_to(a, (*lead, n, n)), broadcast_to(b, (*lead, *b.shape[-2:])))


def inv(a: ArrayLike) -> Any:
    """Return the inverses of square matrices; inf or nan where matrices are singular.

    Raises:
        ValueError: if the last two axes differ.

    Examples:
        >>> import diffeo as dx
        >>> inv(dx.numpy.array([[2.0, 0.0], [0.0, 4.0]]))
        Array([[0.5 , 0.  ],
               [0.  , 0.25]])
    """
    quick = at_once(np.linalg.inv, a)
    return linalg.inverse(matrices("inv", a, square=True)) if quick is None else quick


def det(a: ArrayLike) -> Any:
    """Return the determinants of square matrices.

    The gradient, the matrix of cofactors, is right at singular matrices too. So are all further
    derivatives of matrices up to 4 by 4. Second derivatives of larger matrices are nan where the
    matrix is singular.

    Raises:
        ValueError: if the last two axes differ.

    Examples:
        >>> import diffeo as dx
        >>> det(dx.numpy.array([[1.0, 2.0], [3.0, 5.0]]))
        Array(-1.)
        >>> dx.grad(det)(dx.numpy.zeros((2, 2)))
        Array([[0., 0.],
               [0., 0.]])
    """
    quick = at_once(np.linalg.det, a)
    return determinant.det(matrices("det", a, square=True)) if quick is None else quick


def slogdet(a: ArrayLike, *, method: str | None = None) -> SlogdetResult:
    """Return the sign of the determinants, and the logarithm of their absolute values.

    The sign of a complex determinant is a complex number of absolute value 1, or 0.

    Args:
        a: Square matrices (..., n, n).
        method: A parameter of JAX's, without meaning here: 'lu' or 'qr'.

    Raises:
        ValueError: if the last two axes differ.

    Examples:
        >>> import diffeo as dx
        >>> slogdet(dx.numpy.diag(dx.numpy.array([-1.0, 1.0]))).sign
        Array(-1.)
    """
    quick = at_once(np.linalg.slogdet, a)
    if quick is not None:
        return SlogdetResult(*quick)
    return SlogdetResult(*determinant.slogdet(matrices("slogdet", a, square=True)))


def _threshold(a: Any) -> float:
    """Return the part of the largest singular value up to which one counts as 0.

    That is 10 max(m, n) times the precision of the dtype.
    """
    return 10.0 * max(a.shape[-2:]) * float(np.finfo(a.dtype).eps)


def pinv(a: Any, rtol: Any = None, hermitian: bool = False, *, rcond: Any = None) -> Any:
    """Return the Moore-Penrose pseudoinverses of matrices.

    Derivatives exist where the rank is constant.

    Args:
        a: Matrices (..., m, n).
        rtol: Singular values up to `rtol` times the largest one count as 0: a number, or one for
            each matrix; by default 10 max(m, n) times the precision of the dtype.
        hermitian: Whether matrices are Hermitian: then only the lower triangle is read.
        rcond: An older name of `rtol`.

    Raises:
        ValueError: for fewer than two axes, or rtol and rcond together.

    Examples:
        >>> import diffeo as dx
        >>> pinv(dx.numpy.array([[2.0, 0.0]]))
        Array([[0.5],
               [0. ]])
    """
    if rtol is not None and rcond is not None:
        raise with_user_line(ValueError(f"pinv: give rtol or rcond, got {rtol} and {rcond}"))
    a = matrices("pinv", a, square=hermitian)
    a = linalg.hermitian(a) if hermitian else a
    rtol = rcond if rtol is None else rtol
    if rtol is None:
        threshold = _threshold(a)
        quick = at_once(lambda x: np.linalg.pinv(x, threshold), a)
        return determinant.pinv(a, threshold) if quick is None else quick
    real = np.empty(0, a.dtype).real.dtype
    return determinant.pinv(a, broadcast_to(convert_element_type(arr(rtol), real), a.shape[:-2]))


def lstsq(a: Any, b: Any, rcond: Any = None, *, numpy_resid: bool = False) -> tuple:
    """Find the x of least length that minimizes |a x - b|.

    Args:
        a: A matrix (m, n).
        b: A vector (m,) or a matrix (m, k).
        rcond: Singular values up to `rcond` times the largest one count as 0; by default max(m, n)
            times the precision of the dtype.
        numpy_resid: Return residuals only where NumPy does: if rank = n < m. The numbers must
            then be known.

    Returns:
        x, the sums of squared residuals, the rank of `a`, its singular values.

    Raises:
        ValueError: for shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> x, *_ = lstsq(dx.numpy.array([[1.0], [1.0]]), dx.numpy.array([1.0, 3.0]))
        >>> dx.numpy.allclose(x, 2.0)
        Array(True)
    """
    a, b = same_dtype(to_inexact(arr(a)), to_inexact(arr(b)))
    if a.ndim != 2 or b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise with_user_line(
            ValueError(
                "lstsq: expects a of shape (m, n) and b of shape (m,) or (m, k), got "
                f"{a.shape} and "
                f"{b.shape}"
            )
        )
    a, (m, n) = matrices("lstsq", a), a.shape
    wide = b if b.ndim == 2 else reshape(b, (m, 1))
    threshold = max(m, n) * float(np.finfo(a.dtype).eps) if rcond is None else rcond
    (s,) = Svd(False, False).bind(a)
    kept = s > (s[0] * threshold if s.size else 0.0)
    rank = _sum(convert_element_type(kept, np.int32))
    x = matmul(determinant.pinv(a, threshold), wide)
    residuals = _sum(absolute(matmul(a, x) - wide) ** 2, 0)
    if numpy_resid and (int(rank) < n or m <= n):
        residuals = residuals[:0]
    return (x if b.ndim == 2 else x[:, 0]), residuals, rank, s


def matrix_power(a: Any, n: int) -> Any:
    """Raise square matrices to a whole power, by repeated squaring; a negative power inverts.

    Raises:
        ValueError: if the last two axes differ.
        TypeError: unless the power is a known integer.

    Examples:
        >>> import diffeo as dx
        >>> matrix_power(dx.numpy.array([[1, 1], [0, 1]]), 3)
        Array([[1, 3],
               [0, 1]])
    """
    a, n = arr(a), static_int(n, "matrix_power", "the power")
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise with_user_line(
            ValueError(f"matrix_power: expects square matrices (..., n, n), got shape {a.shape}")
        )
    if n < 0:
        a, n = inv(a), -n
    if n == 0:
        return broadcast_to(eye(a.shape[-1], dtype=a.dtype), a.shape)
    out = None
    while n:
        if n % 2:
            out = a if out is None else matmul(out, a)
        n //= 2
        a = matmul(a, a) if n else a
    return out


def tensorinv(a: Any, ind: int = 2) -> Any:
    """Return the inverse of `a` as a linear map from its later axes to its first `ind` axes.

    Raises:
        ValueError: for ind < 1, or if the two groups of axes have different sizes.
    """
    a, ind = arr(a), static_int(ind, "tensorinv", "ind")
    rows, columns = a.shape[: max(ind, 0)], a.shape[max(ind, 0) :]
    if ind < 1 or math.prod(rows) != math.prod(columns):
        raise with_user_line(
            ValueError(
                f"tensorinv: expects axes that split at ind={ind} > 0 into two groups of one "
                "size, got "
                f"shape {a.shape}"
            )
        )
    size = math.prod(rows)
    return reshape(inv(reshape(a, (size, size))), (*columns, *rows))


def tensorsolve(a: Any, b: Any, axes: tuple[int, ...] | None = None) -> Any:
    """Solve tensordot(a, x, x.ndim) = b for x; `axes` of `a` move to its end before.

    Raises:
        ValueError: if the axes of `a` after the first `b.ndim` have not as many elements as `b`.
    """
    a, b = arr(a), arr(b)
    if axes is not None:
        positions = [axis_of(i, a.ndim, "tensorsolve") for i in axes]
        a = moveaxis(a, positions, list(range(a.ndim - len(positions), a.ndim)))
    shape = a.shape[b.ndim :]
    if math.prod(shape) != b.size or a.size != b.size**2:
        raise with_user_line(
            ValueError(
                f"tensorsolve: expects {b.size} elements in the axes of a after the first "
                f"{b.ndim}, "
                f"got shapes {a.shape} and {b.shape}"
            )
        )
    return reshape(solve(reshape(a, (b.size, b.size)), reshape(b, (b.size,))), shape)
