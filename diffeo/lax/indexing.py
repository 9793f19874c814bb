"""Gathers and scatters: parts of arrays at positions that are known at run time.

A *window* is a box of elements of the operand, of a static size. An index is a position: the
numbers at which a window starts, along some axes of the operand. `gather` reads windows, the
functions `scatter...` write them. Which axes are which is said by `GatherDimensionNumbers` and
`ScatterDimensionNumbers`, in StableHLO's terms; the example of `gather` is the place to start.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

from ..numpy.common import arr, static_shape
from ..numpy.places.indexing import fill_scalar
from ..numpy.places.updates import applied
from ..operations.scatter import ScatterMax, ScatterMin, ScatterMul
from ..primitives.constants import full
from ..primitives.core import describe, with_user_line
from ..primitives.types import ShapedArray
from ..primitives.words import indexing
from ..primitives.words.indexing import IndexDims
from ..typing import ArrayLike
from .strict import apply, check


class GatherDimensionNumbers(NamedTuple):
    """How indices address windows of an operand (https://openxla.org/stablehlo/spec#gather).

    To read rows `x[i]` of a matrix, with indices of shape (k, 1) and windows of size (1, n):
    `offset_dims=(1,)`, since axis 1 of the result (k, n) runs through a row;
    `collapsed_slice_dims=(0,)`, since axis 0 of the window has size 1 and is dropped;
    `start_index_map=(0,)`, since the index belongs to axis 0.

    Attributes:
        offset_dims: the axes of the result that run through a window.
        collapsed_slice_dims: the operand's axes, of window size 1, that are not in the result.
        start_index_map: which axis of the operand each entry of a position belongs to; positions
            are the last axis of the indices.
        operand_batching_dims, start_indices_batching_dims: axes of the operand and the indices
            that run in step.
    """

    offset_dims: tuple[int, ...]
    collapsed_slice_dims: tuple[int, ...]
    start_index_map: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    start_indices_batching_dims: tuple[int, ...] = ()


class ScatterDimensionNumbers(NamedTuple):
    """How indices address windows of an operand that are written.

    Attributes: as those of `GatherDimensionNumbers` with the updates in place of the result.
    """

    update_window_dims: tuple[int, ...]
    inserted_window_dims: tuple[int, ...]
    scatter_dims_to_operand_dims: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    scatter_indices_batching_dims: tuple[int, ...] = ()


class GatherScatterMode(enum.Enum):
    """What happens to a window that is wholly or partly out of bounds.

    CLIP moves the window inside. FILL_OR_DROP reads a fill value, or does not write.
    PROMISE_IN_BOUNDS says that there is no such window.
    """

    CLIP = "clip"
    FILL_OR_DROP = "fill"
    PROMISE_IN_BOUNDS = "promise_in_bounds"

    @staticmethod
    def from_any(mode: Any) -> GatherScatterMode:
        """Return the mode of a name (None: FILL_OR_DROP); ValueError for an unknown one."""
        if isinstance(mode, GatherScatterMode):
            return mode
        name = "fill" if mode in (None, "drop") else mode
        try:
            return GatherScatterMode(name)
        except ValueError:
            raise with_user_line(
                ValueError(
                    "mode must be 'clip', 'fill' or 'promise_in_bounds', or a "
                    "GatherScatterMode, got "
                    f"{mode!r}"
                )
            ) from None


def _dims(numbers: Any) -> IndexDims:
    """Return dimension numbers as those of the primitives, `IndexDims`; TypeError for others."""
    kinds = (GatherDimensionNumbers, ScatterDimensionNumbers)
    if not isinstance(numbers, kinds):
        raise with_user_line(
            TypeError(
                "dimension_numbers must be a GatherDimensionNumbers or "
                f"ScatterDimensionNumbers, got {describe(numbers)}"
            )
        )
    return IndexDims(*[tuple(axes) for axes in numbers])


def gather(
    operand: Any,
    start_indices: Any,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Any,
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    mode: Any = None,
    fill_value: Any = None,
) -> Any:
    """Read windows of an operand at positions given by indices.

    Args:
        operand: an array.
        start_indices: integers; the last axis is a position.
        dimension_numbers: which axes are which.
        slice_sizes: the size of the window along each axis of the operand.
        unique_indices: a promise that windows do not overlap.
        indices_are_sorted: a promise that positions are in lexicographic order.
        mode: what happens out of bounds, by default "fill" (jax's default is a promise).
        fill_value: a number for "fill"; by default nan, for integers the lowest signed or
            the highest unsigned one.

    Raises:
        TypeError: if shapes and dimension numbers do not fit.
        ValueError: for an unknown mode.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([10.0, 11.0, 12.0])
        >>> numbers = GatherDimensionNumbers((), (0,), (0,))
        >>> gather(x, dx.numpy.array([[2], [0], [3]]), numbers, (1,))
        Array([12., 10., nan])
    """
    operand, indices = arr(operand), arr(start_indices)
    dims, sizes = _dims(dimension_numbers), static_shape(slice_sizes, "gather")
    chosen_mode = GatherScatterMode.from_any(mode)
    fills = chosen_mode is GatherScatterMode.FILL_OR_DROP
    fill = fill_scalar(fill_value, operand.dtype) if fills else False
    hints = unique_indices, indices_are_sorted
    return apply(indexing.Gather(dims, sizes, chosen_mode.value, fill, *hints), operand, indices)


def _written(
    kind: Any,
    operand: Any,
    indices: Any,
    updates: Any,
    numbers: ScatterDimensionNumbers,
    in_order: bool,
    unique: bool,
    mode: str | None,
) -> Any:
    """Write updates by a primitive of the class `kind`, after checks; arguments as of `scatter`."""
    operand, indices, updates = arr(operand), arr(indices), arr(updates)
    clip = GatherScatterMode.from_any(mode) is GatherScatterMode.CLIP
    # Windows that are moved inside may become equal, and leave their order: so the promises of the
    # user's do not hold for them.
    primitive = kind(_dims(numbers), unique and not clip, in_order and not clip)
    check(primitive, operand, indices, updates)
    if clip:
        indices = indexing.clamp_indices(indices, primitive.highest(operand, updates))
    return primitive.bind(operand, indices, updates)


def scatter(
    operand: ArrayLike,
    scatter_indices: ArrayLike,
    updates: ArrayLike,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """Overwrite windows of the operand with updates; where they overlap, the last one stays.

    Args:
        operand: an array.
        scatter_indices: integers; the last axis is a position.
        updates: the windows, of the operand's dtype.
        dimension_numbers: which axes are which.
        indices_are_sorted: a promise that positions are in lexicographic order.
        unique_indices: a promise that windows do not overlap.
        mode: what happens out of bounds, by default "drop".

    Raises:
        TypeError: if shapes, dtypes and dimension numbers do not fit.
        ValueError: for an unknown mode.

    Examples:
        >>> import diffeo as dx
        >>> numbers = ScatterDimensionNumbers((), (0,), (0,))
        >>> scatter(dx.numpy.zeros(3), dx.numpy.array([[1], [7]]), dx.numpy.ones(2), numbers)
        Array([0., 1., 0.])
    """
    return _written(
        indexing.Scatter,
        operand,
        scatter_indices,
        updates,
        dimension_numbers,
        indices_are_sorted,
        unique_indices,
        mode,
    )


def scatter_add(
    operand: ArrayLike,
    scatter_indices: ArrayLike,
    updates: ArrayLike,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """Add updates to windows of the operand. Arguments as `scatter` has.

    Examples:
        >>> import diffeo as dx
        >>> numbers = ScatterDimensionNumbers((), (0,), (0,))
        >>> scatter_add(dx.numpy.zeros(3), dx.numpy.array([[1], [1]]), dx.numpy.ones(2), numbers)
        Array([0., 2., 0.])
    """
    return _written(
        indexing.ScatterAdd,
        operand,
        scatter_indices,
        updates,
        dimension_numbers,
        indices_are_sorted,
        unique_indices,
        mode,
    )


def scatter_sub(
    operand: ArrayLike,
    scatter_indices: ArrayLike,
    updates: ArrayLike,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """Subtract updates from windows of the operand. Arguments as `scatter` has."""
    return _written(
        indexing.ScatterAdd,
        operand,
        scatter_indices,
        -arr(updates),
        dimension_numbers,
        indices_are_sorted,
        unique_indices,
        mode,
    )


def scatter_mul(
    operand: ArrayLike,
    scatter_indices: ArrayLike,
    updates: ArrayLike,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """Multiply windows of the operand by updates. Arguments as `scatter` has.

    Its derivative is right where windows overlap and where updates are zero.

    Examples:
        >>> import diffeo as dx
        >>> numbers = ScatterDimensionNumbers((), (0,), (0,))
        >>> f = lambda u: scatter_mul(dx.numpy.ones(2), dx.numpy.array([[1], [1]]), u, numbers)
        >>> dx.jacobian(f)(dx.numpy.array([0.0, 3.0]))
        Array([[0., 0.],
               [3., 0.]])
    """
    return _written(
        ScatterMul,
        operand,
        scatter_indices,
        updates,
        dimension_numbers,
        indices_are_sorted,
        unique_indices,
        mode,
    )


def scatter_min(
    operand: ArrayLike,
    scatter_indices: ArrayLike,
    updates: ArrayLike,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """Replace windows of the operand by the least of them and the updates.

    Arguments as `scatter` has. The derivative goes to those that are least, in equal shares.
    """
    return _written(
        ScatterMin,
        operand,
        scatter_indices,
        updates,
        dimension_numbers,
        indices_are_sorted,
        unique_indices,
        mode,
    )


def scatter_max(
    operand: ArrayLike,
    scatter_indices: ArrayLike,
    updates: ArrayLike,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """Replace windows of the operand by the largest of them and the updates.

    Arguments as `scatter` has. The derivative goes to those that are largest, in equal shares.
    """
    return _written(
        ScatterMax,
        operand,
        scatter_indices,
        updates,
        dimension_numbers,
        indices_are_sorted,
        unique_indices,
        mode,
    )


def scatter_apply(
    operand: Any,
    scatter_indices: Any,
    func: Callable[[Any], Any],
    dimension_numbers: ScatterDimensionNumbers,
    *,
    update_shape: Any = (),
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """Apply an elementwise function to windows of the operand, as often as they are addressed.

    Args:
        operand: an array.
        scatter_indices: integers; the last axis is a position.
        func: a function of an array, of each of its elements.
        dimension_numbers: which axes are which.
        update_shape: the shape that updates would have; it gives the sizes of the windows.
        indices_are_sorted, unique_indices, mode: as `scatter` has them.

    Raises:
        TypeError: if shapes, dtypes and dimension numbers do not fit.
        NotImplementedError: for more than 64 traced positions without `unique_indices`: it is not
            known how often a place is addressed.

    Examples:
        >>> import diffeo as dx
        >>> numbers = ScatterDimensionNumbers((), (0,), (0,))
        >>> twice = dx.numpy.array([[1], [1]])
        >>> scatter_apply(dx.numpy.arange(3.0), twice, lambda x: x + 1, numbers, update_shape=(2,))
        Array([0., 3., 2.])
    """
    operand, indices = arr(operand), arr(scatter_indices)
    clip = GatherScatterMode.from_any(mode) is GatherScatterMode.CLIP
    hints = unique_indices and not clip, indices_are_sorted and not clip
    primitive = indexing.Scatter(_dims(dimension_numbers), *hints)
    updates = ShapedArray(static_shape(update_shape, "scatter_apply"), operand.dtype)
    check(primitive, operand, indices, full(updates.shape, 0, updates.dtype))
    if clip:
        indices = indexing.clamp_indices(indices, primitive.highest(operand, updates))
    sizes = primitive.sizes(operand, updates)
    return applied(func, operand, indices, primitive.dims, sizes, *hints)
