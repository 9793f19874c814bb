"""The sizes of vectors and matrices: norms, rank, condition; products and diagonals of stacks.

`norm` sends vectors to `_vector` and matrices to `_matrix`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...primitives.core import Value, with_user_line
from ...primitives.words.operators import absolute, power
from ...primitives.words.promotion import to_inexact
from ...primitives.words.structural import convert_element_type, reduce_sum
from ...routines.matrices.linalg import hermitian as hermitian_of
from ...typing import ArrayLike
from ..choosing import where
from ..common import arr, axes_of, narrow, safe_sqrt
from ..contracting import diagonals, products
from ..reducing.reductions import max as _max
from ..reducing.reductions import min as _min
from ..reducing.reductions import sum as _sum
from ..shaping import expand_dims, moveaxis
from ..ufuncs import imag, real
from .decompositions import svdvals
from .operands import at_once, matrices
from .systems import inv


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Compute the length of vectors along one axis, or a norm of matrices along two.

    Where the norm is 0, the gradient is 0, never nan.

    Args:
        x: An array; without `axis`, a vector, a matrix, or (for ord=None) anything, taken flat.
        ord: For vectors any number, inf or -inf (2 by default); for matrices 'fro' (the default),
            1, -1, inf, -inf, or, of the singular values, 2 (the largest), -2 (the smallest), 'nuc'
            (the sum).
        axis: One axis, or two for matrix norms.
        keepdims: Keep the axes with size 1.

    Raises:
        ValueError: for a norm that vectors, or matrices, do not have.

    Examples:
        >>> import diffeo as dx
        >>> norm(dx.numpy.array([3.0, 4.0]))
        Array(5.)
    """
    dtype = getattr(x, "dtype", None)
    if isinstance(dtype, np.dtype) and narrow(dtype):  # squares would soon be too large
        wide = norm(convert_element_type(arr(x), np.float32), ord, axis, keepdims)
        return convert_element_type(wide, dtype)
    quick = at_once(lambda x: np.linalg.norm(x, ord, axis, keepdims), x)
    if quick is not None:
        return quick
    x = arr(to_inexact(arr(x)))
    if axis is None and (
        ord is None or (ord in ("f", "fro") and x.ndim == 2) or (ord == 2 and x.ndim == 1)
    ):
        axes = tuple(range(x.ndim))
        return safe_sqrt(_sum(_squares(x), axes, keepdims=keepdims))
    axes = axes_of(axis, x.ndim, "norm")
    if len(axes) == 1:
        return _vector(x, 2 if ord is None else ord, axes[0], keepdims)
    if len(axes) == 2:
        return _matrix(x, "fro" if ord is None else ord, axes, keepdims)
    raise with_user_line(
        ValueError(
            f"norm: one axis (vectors) or two (matrices) are needed for ord={ord!r}, got "
            f"axis={axis} "
            f"of shape {x.shape}"
        )
    )


def _squares(x: Value) -> Any:
    return real(x) ** 2 + imag(x) ** 2 if x.dtype.kind == "c" else x * x


def _vector(x: Any, ord: Any, axis: Any, keepdims: bool) -> Any:
    """Compute the norm of vectors, of an order other than None."""
    if isinstance(ord, str):
        raise with_user_line(ValueError(f"norm: ord={ord!r} is not a vector norm"))
    if ord == 2:
        return safe_sqrt(_sum(_squares(x), axis, keepdims=keepdims))
    size = absolute(x)
    if ord == math.inf:
        return _max(size, axis, keepdims=keepdims)
    if ord == -math.inf:
        return _min(size, axis, keepdims=keepdims)
    if ord == 0:
        return _sum((size != 0).astype(size.dtype), axis, keepdims=keepdims)
    if ord == 1:
        return _sum(size, axis, keepdims=keepdims)
    total = _sum(power(size, ord), axis, keepdims=keepdims)
    # The power 1 / ord has no finite derivative at 0: a constant 0 stands there.
    zero = total == 0
    return where(zero, 0.0, power(where(zero, 1.0, total), 1.0 / ord))


def _matrix(x: Value, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Compute the norm of matrices, of an order other than None."""
    if ord in ("fro", "f"):
        return safe_sqrt(_sum(_squares(x), axes, keepdims=keepdims))
    if ord in (1, -1, math.inf, -math.inf):
        # Order 1 is the largest sum of a column, order inf the largest sum of a row.
        row, column = axes if abs(ord) == 1 else axes[::-1]
        sums = _sum(absolute(x), row, keepdims=True)
        out = (_max if ord > 0 else _min)(sums, column, keepdims=True)
        return (
            out
            if keepdims
            else out.reshape(tuple([n for i, n in enumerate(x.shape) if i not in axes]))
        )
    if ord in (2, -2, "nuc"):
        s = svdvals(moveaxis(x, axes, (-2, -1)))
        out = (_sum if ord == "nuc" else _max if ord == 2 else _min)(s, -1)
        return expand_dims(out, axes) if keepdims else out
    raise with_user_line(
        ValueError(
            "norm: the matrix norm ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got "
            f"{ord!r}"
        )
    )


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """Compute the length of vectors along axes (all by default), of the array API standard."""
    quick = at_once(lambda x: np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord), x)
    if quick is not None:
        return quick
    x = arr(to_inexact(arr(x)))
    return _vector(x, ord, axes_of(axis, x.ndim, "vector_norm"), keepdims)


def matrix_norm(x: ArrayLike, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Compute a norm of matrices over the last two axes; see `norm`."""
    return norm(x, ord, (-2, -1), keepdims)


def cond(x: ArrayLike, p: Any = None) -> Any:
    """Compute the condition number of matrices.

    It says how much a relative error may grow when a system of equations is solved. `p` is an
    order of `norm`. The default is 2: the ratio of the largest and the smallest singular value.

    Examples:
        >>> import diffeo as dx
        >>> cond(dx.numpy.diag(dx.numpy.array([4.0, 2.0])))
        Array(2.)
    """
    x = matrices("cond", x, square=p not in (None, 2, -2))
    if p in (None, 2, -2):
        s = svdvals(x)
        largest, smallest = _max(s, -1), _min(s, -1)
        return smallest / largest if p == -2 else largest / smallest
    return norm(x, p, (-2, -1)) * norm(inv(x), p, (-2, -1))


def matrix_rank(M: Any, rtol: Any = None, *, hermitian: bool = False, tol: Any = None) -> Any:
    """Count the singular values above a threshold.

    The threshold is `tol`, or `rtol` times the largest singular value; `rtol` is by default the
    precision of the dtype times the larger size. Of `hermitian` matrices only the lower triangle is
    read. An array with fewer than two axes counts as a vector.

    Examples:
        >>> import diffeo as dx
        >>> matrix_rank(dx.numpy.ones((3, 2)))
        Array(1)
    """
    M = arr(to_inexact(arr(M)))
    if M.ndim < 2:
        return (M != 0).any().astype(np.int64)
    M = matrices("matrix_rank", M, square=hermitian)
    s = svdvals(hermitian_of(M) if hermitian else M)
    if tol is None:
        if rtol is None:
            rtol = max(M.shape[-2:]) * float(np.finfo(s.dtype).eps)
        largest = _max(s, -1) if s.shape[-1] else _sum(s, -1)
        tol = largest * rtol
    counted = s > expand_dims(arr(tol), -1)
    return reduce_sum(convert_element_type(counted, np.int64), (counted.ndim - 1,))


def diagonal(x: ArrayLike, /, *, offset: int = 0) -> Any:
    """Return the diagonals of matrices, the last two axes; `offset` > 0 is above the main one."""
    return diagonals.diagonal(x, offset, -2, -1)


def trace(x: ArrayLike, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Return the sums of the diagonals of matrices, the last two axes."""
    return diagonals.trace(x, offset, -2, -1, dtype)


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Return the vector product of vectors of 3 elements along `axis`.

    Raises:
        ValueError: for vectors of another size.
    """
    x1, x2 = arr(x1), arr(x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise with_user_line(
            ValueError(
                f"cross: expects vectors of 3 elements along axis {axis}, got shapes "
                f"{x1.shape} and "
                f"{x2.shape}"
            )
        )
    return products.cross(x1, x2, axis=axis)


def outer(x1: Any, x2: Any, /) -> Any:
    """Return every product of an element of one vector and one of another: a matrix.

    Raises:
        ValueError: unless both have one axis.
    """
    x1, x2 = arr(x1), arr(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise with_user_line(
            ValueError(f"outer: expects two vectors, got shapes {x1.shape} and {x2.shape}")
        )
    return products.outer(x1, x2)
