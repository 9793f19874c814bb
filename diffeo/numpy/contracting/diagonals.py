"""Diagonals of matrices, and their sums."""

from __future__ import annotations

from typing import Any

from ...primitives.core import with_user_line
from ...primitives.words.slicing import slice_in_dim
from ...primitives.words.structural import reshape
from ...typing import ArrayLike
from ..common import arr, axis_of, no_out, static_int
from ..reducing.reductions import sum as _sum
from ..shaping import moveaxis


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the diagonal of two axes, as the last axis; `offset` > 0 is above the main one."""
    a = arr(a)
    i, j = axis_of(axis1, a.ndim, "diagonal"), axis_of(axis2, a.ndim, "diagonal")
    if i == j:
        raise with_user_line(ValueError(f"diagonal: two different axes are needed, got {i} twice"))
    offset = static_int(offset, "diagonal", "offset")
    a = moveaxis(a, (i, j), (-2, -1))
    rows, columns = a.shape[-2:]
    count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    # With the rows one behind the other, the elements of a diagonal stand at equal distances:
    # one row and one column further.
    first = max(-offset, 0) * columns + max(offset, 0) if count else 0
    limit = first + (count - 1) * (columns + 1) + 1 if count else 0
    rows_in_line = reshape(a, (*a.shape[:-2], rows * columns))
    return slice_in_dim(rows_in_line, first, limit, columns + 1, -1)


def trace(
    a: ArrayLike,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dtype: Any = None,
    out: ArrayLike | None = None,
) -> Any:
    """Return the sum of a diagonal."""
    if out is not None:
        raise no_out("trace")
    return _sum(diagonal(a, offset, axis1, axis2), -1, dtype)
