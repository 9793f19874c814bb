"""Vector quantization, with the names and conventions of scipy.cluster.vq."""

from __future__ import annotations

from typing import Any

from ...numpy.common import arr, safe_sqrt, same_dtype
from ...numpy.places.selecting import take_along_axis
from ...numpy.reducing.comparing import argmin
from ...numpy.reducing.reductions import sum as sum_of
from ...primitives.core import with_user_line
from ...primitives.words.promotion import to_inexact
from ...typing import ArrayLike

__all__ = ["vq"]


def vq(obs: ArrayLike, code_book: ArrayLike, check_finite: bool = True) -> tuple[Any, Any]:
    """Find the nearest code of each observation, by Euclidean distance.

    Args:
        obs: [m, n], an observation in each row; or [m], numbers.
        code_book: [k, n], or [k].
        check_finite: taken for the sake of SciPy's signature; the numbers are not checked.

    Returns:
        `(codes, distances)`: [m] each, the index of the nearest code (the first one of several),
        and how far it is.

    Raises:
        ValueError: for shapes that do not fit, and without codes.

    Examples:
        >>> import diffeo as dx
        >>> vq(dx.numpy.array([0.1, 1.8]), dx.numpy.array([0.0, 1.0, 2.0]))
        (Array([0, 2]), Array([0.1, 0.2]))
    """
    x, codes = (arr(to_inexact(v)) for v in same_dtype(arr(obs), arr(code_book)))
    if x.ndim != codes.ndim or x.ndim not in (1, 2) or x.shape[1:] != codes.shape[1:]:
        raise with_user_line(
            ValueError(
                "obs and code_book must be two vectors, or two matrices with as many columns; got "
                f"shapes {x.shape} and {codes.shape}"
            )
        )
    if not codes.shape[0]:
        raise with_user_line(ValueError("code_book has no codes"))
    if x.ndim == 1:
        x, codes = x[:, None], codes[:, None]
    away = abs(x[:, None] - codes)
    squares = sum_of(away * away, -1)
    nearest = argmin(squares, -1)
    return nearest, safe_sqrt(take_along_axis(squares, nearest[:, None], -1)[:, 0])
