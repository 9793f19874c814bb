"""Order: sort, the largest and smallest elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..numpy.common import arr, axis_of, static_int
from ..primitives import slicing, structural
from ..primitives import sort as sort_page
from ..primitives.core import with_user_line
from .strict import check


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """Sort one array, or several by the first `num_keys` of them; nan comes last.

    Args:
        operand: an array, or a sequence of arrays of one shape.
        dimension: the axis.
        is_stable: sorting is always stable.
        num_keys: how many arrays are compared; earlier ones weigh more.

    Returns:
        The sorted array, or a tuple of them.

    Raises:
        TypeError: if shapes differ, or keys are complex.

    Examples:
        >>> import diffeo as dx
        >>> sort([dx.numpy.array([2, 1, 2]), dx.numpy.array([0, 1, 2])])
        (Array([1, 2, 2]), Array([1, 0, 2]))
    """
    several = isinstance(operand, (list, tuple))
    values = [arr(x) for x in operand] if several else [arr(operand)]
    if not values:
        raise with_user_line(TypeError("sort: needs at least one operand"))
    axis = axis_of(dimension, values[0].ndim, "sort")
    primitive = sort_page.Sort(axis, static_int(num_keys, "sort", "num_keys"))
    check(primitive, *values)
    out = primitive.bind(*values)
    return tuple(out) if several else out[0]


def sort_key_val(keys: Any, values: Any, dimension: int = -1, is_stable: bool = True) -> Any:
    """Sort two arrays by the first: (sorted keys, values in their order)."""
    return sort([keys, values], dimension)


def top_k(operand: Any, k: int, *, axis: int = -1) -> tuple[Any, Any]:
    """The k largest elements along an axis, the largest first, and their places (int32).

    nan counts as larger than all numbers; of equal elements the first one comes first.

    Raises:
        ValueError: if k is not in [0, size of the axis].

    Examples:
        >>> import diffeo as dx
        >>> top_k(dx.numpy.array([1.0, 3.0, 2.0]), 2)
        (Array([3., 2.]), Array([1, 2], dtype=int32))
    """
    operand, k = arr(operand), static_int(k, "top_k", "k")
    axis = axis_of(axis, operand.ndim, "top_k")
    if not 0 <= k <= operand.shape[axis]:
        raise with_user_line(ValueError(
            f"top_k: k={k} is not in [0, {operand.shape[axis]}], the size of axis {axis}"))
    # Sorted upwards, reversed before and after: so the first of equals stays the first.
    places = structural.iota(np.int32, operand.shape, axis)
    pair = sort_page.sort([slicing.rev(v, (axis,)) for v in (operand, places)], axis)
    best = [slicing.slice_in_dim(slicing.rev(v, (axis,)), 0, k, 1, axis) for v in pair]
    return best[0], best[1]
