"""Linear algebra that needs no decomposition: norms and products."""

from __future__ import annotations

import math
from typing import Any

from ..primitives.core import with_user_line
from ..primitives.operators import absolute, power, to_inexact
from .common import arr, axes_of, safe_sqrt
from .products import cross, diagonal, matmul, multi_dot, outer, tensordot, trace, vecdot
from .reductions import max as _max
from .reductions import min as _min
from .reductions import sum as _sum
from .shaping import matrix_transpose
from .ufuncs import imag, real, where

__all__ = ["cross", "diagonal", "matmul", "matrix_norm", "matrix_transpose", "multi_dot", "norm",
           "outer", "tensordot", "trace", "vecdot", "vector_norm"]


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The length of vectors along one axis, or the size of matrices along two.

    The gradient where the norm is 0 is 0, never nan.

    Args:
        x: An array; without `axis`, a vector, a matrix, or (for ord=None) anything, taken flat.
        ord: For vectors any number, inf or -inf (2 by default); for matrices 'fro' (the default),
            1, -1, inf or -inf.
        axis: One axis, or two for matrix norms.
        keepdims: Keep the axes with size 1.

    Examples:
        >>> import diffeo as dx
        >>> norm(dx.numpy.array([3.0, 4.0]))
        Array(5.)
    """
    x = arr(to_inexact(arr(x)))
    if axis is None and (ord is None or (ord in ("f", "fro") and x.ndim == 2)
                         or (ord == 2 and x.ndim == 1)):
        axes = tuple(range(x.ndim))
        return safe_sqrt(_sum(_squares(x), axes, keepdims=keepdims))
    axes = axes_of(axis, x.ndim, "norm")
    if len(axes) == 1:
        return _vector(x, 2 if ord is None else ord, axes[0], keepdims)
    if len(axes) == 2:
        return _matrix(x, "fro" if ord is None else ord, axes, keepdims)
    raise with_user_line(ValueError(
        f"norm: one axis (vectors) or two (matrices) are needed for ord={ord!r}, got axis={axis} "
        f"of shape {x.shape}"))


def _squares(x: Any) -> Any:
    return real(x) ** 2 + imag(x) ** 2 if x.dtype.kind == "c" else x * x


def _vector(x: Any, ord: Any, axis: Any, keepdims: bool) -> Any:
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
    zero = total == 0
    return where(zero, 0.0, power(where(zero, 1.0, total), 1.0 / ord))


def _matrix(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord in ("fro", "f"):
        return safe_sqrt(_sum(_squares(x), axes, keepdims=keepdims))
    if ord in (1, -1, math.inf, -math.inf):
        row, column = axes if abs(ord) == 1 else axes[::-1]
        sums = _sum(absolute(x), row, keepdims=True)
        out = (_max if ord > 0 else _min)(sums, column, keepdims=True)
        return out if keepdims else out.reshape(
            tuple([n for i, n in enumerate(x.shape) if i not in axes]))
    raise with_user_line(NotImplementedError(
        f"norm: the matrix norm ord={ord!r} is not available; there are 'fro', 1, -1, inf, -inf"))


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """The length of vectors along axes (all by default), of the array API standard."""
    x = arr(to_inexact(arr(x)))
    return _vector(x, ord, axes_of(axis, x.ndim, "vector_norm"), keepdims)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """The size of matrices over the last two axes."""
    return norm(x, ord, (-2, -1), keepdims)
