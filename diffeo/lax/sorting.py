"""Sorting, and the largest and smallest elements."""

from __future__ import annotations

from typing import Any

from ..numpy.common import arr, axis_of, static_int
from ..operations import sort as sort_page
from ..primitives.core import describe, with_user_line
from ..primitives.types import is_float
from ..typing import ArrayLike
from .strict import apply, check


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """Sort one array, or several by the first `num_keys` of them; nan comes last.

    Complex numbers are ordered by their real, then their imaginary parts.

    Args:
        operand: an array, or a sequence of arrays of one shape.
        dimension: the axis.
        is_stable: equal elements keep their order.
        num_keys: how many arrays are compared; earlier ones weigh more.

    Returns:
        The sorted array, or a tuple of them.

    Raises:
        TypeError: if shapes differ, or a key has a dtype without an order (float8).

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
    primitive = sort_page.Sort(axis, static_int(num_keys, "sort", "num_keys"), bool(is_stable))
    check(primitive, *values)
    out = primitive.bind(*values)
    return tuple(out) if several else out[0]


def sort_key_val(
    keys: ArrayLike, values: ArrayLike, dimension: int = -1, is_stable: bool = True
) -> Any:
    """Sort two arrays by the first, and return (sorted keys, values in their order)."""
    return sort([keys, values], dimension, is_stable)


def top_k(operand: Any, k: int, *, axis: int = -1) -> tuple[Any, Any]:
    """Return the k largest elements along an axis, the largest first, and their positions (int32).

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
    if operand.shape[axis] > 2**31:
        raise with_user_line(
            ValueError(
                f"top_k: positions are of int32, and axis {axis} of {describe(operand)} is longer"
            )
        )
    best = apply(sort_page.TopK(k, axis), operand)
    return best[0], best[1]


def approx_max_k(
    operand: ArrayLike,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Any, Any]:
    """Return the k largest elements along an axis and their positions, as `top_k` does.

    The result is exact, which reaches any `recall_target`.

    Raises:
        TypeError: if the operand is not of a floating-point dtype.
        ValueError: if k is not in [0, size of the axis], or the target is not in (0, 1].

    Examples:
        >>> import diffeo as dx
        >>> approx_max_k(dx.numpy.array([1.0, 3.0, 2.0]), 1)
        (Array([3.]), Array([1], dtype=int32))
    """
    return _approximate("approx_max_k", operand, k, reduction_dimension, recall_target)


def approx_min_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Any, Any]:
    """Return the k least elements along an axis, the least first, and their positions.

    Arguments and errors as of `approx_max_k`.
    """
    negated, positions = _approximate(
        "approx_min_k", -arr(operand), k, reduction_dimension, recall_target
    )
    return -negated, positions


def _approximate(
    name: str, operand: Any, k: int, axis: int, recall_target: float
) -> tuple[Any, Any]:
    """Return what `top_k` does, after checks of the operand's dtype and the target."""
    operand = arr(operand)
    if not is_float(operand.dtype):
        raise with_user_line(
            TypeError(f"{name}: expects a floating-point operand, got {describe(operand)}")
        )
    if not 0 < recall_target <= 1:
        raise with_user_line(
            ValueError(f"{name}: recall_target must be in (0, 1], got {recall_target}")
        )
    return top_k(operand, k, axis=axis)
