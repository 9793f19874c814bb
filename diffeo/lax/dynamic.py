"""Slices and updates at positions that are known at run time only."""

from __future__ import annotations

from typing import Any

from ..numpy.common import arr, axis_of, sequence_of, static_int, static_shape
from ..primitives.constants import full
from ..primitives.core import Value, describe, with_user_line
from ..primitives.types import default_dtype
from ..primitives.words import elementwise as e
from ..primitives.words import indexing, slicing
from ..primitives.words.operators import remainder
from ..primitives.words.promotion import promote
from ..primitives.words.slicing import concatenate
from ..primitives.words.structural import expand_dims, squeeze
from .indexing import GatherDimensionNumbers, GatherScatterMode, gather
from .strict import apply


def _starts(name: str, operand: Value, starts: Any, negative: bool) -> list[Any]:
    """Return a start for each axis, of one dtype.

    If `negative`, negative starts count from the end.
    """
    if getattr(starts, "ndim", 0) == 1:
        starts = arr(starts)
        starts = [slicing.index_in_dim(starts, i) for i in range(starts.shape[0])]
    starts = list(sequence_of(starts, name, "start_indices"))
    if len(starts) != operand.ndim:
        raise with_user_line(
            TypeError(
                f"{name}: needs a start for each axis of {describe(operand)}, got {len(starts)}"
            )
        )
    checked = []
    for start, size in zip(starts, operand.shape):
        if type(start) is int:
            start = start + size if negative and start < 0 else start
            checked.append(full((), start, default_dtype(int)))
            continue
        start = arr(start)
        if start.ndim or start.dtype.kind not in "iu":
            raise with_user_line(
                TypeError(f"{name}: starts must be integers without axes, got {describe(start)}")
            )
        if negative and start.dtype.kind == "i":
            start = e.select(start < 0, start + size, start)
        checked.append(start)
    return promote(*checked) if checked else []


def dynamic_slice(
    operand: Any, start_indices: Any, slice_sizes: Any, *, allow_negative_indices: bool = True
) -> Any:
    """Return a window of static sizes at starts that may be traced.

    A window that sticks out is moved inside.

    Args:
        operand: an array.
        start_indices: an integer for each axis, or an array of them.
        slice_sizes: the window's size along each axis.
        allow_negative_indices: negative starts count from the end.

    Raises:
        TypeError: if the starts are not integers, one for each axis, or the window is too large.

    Examples:
        >>> import diffeo as dx
        >>> dynamic_slice(dx.numpy.arange(5), [-2], (2,))
        Array([3, 4])
    """
    operand = arr(operand)
    starts = _starts("dynamic_slice", operand, start_indices, allow_negative_indices)
    primitive = indexing.DynamicSlice(static_shape(slice_sizes, "dynamic_slice"))
    return apply(primitive, operand, *starts)


def dynamic_update_slice(
    operand: Any, update: Any, start_indices: Any, *, allow_negative_indices: bool = True
) -> Any:
    """Overwrite a window of the operand, at starts as in `dynamic_slice`.

    Raises:
        TypeError: if the update has another dtype or number of axes, or is too large.
    """
    operand = arr(operand)
    starts = _starts("dynamic_update_slice", operand, start_indices, allow_negative_indices)
    return apply(indexing.DynamicUpdateSlice(), operand, update, *starts)


def _along(operand: Any, start: Any, axis: int) -> list[Any]:
    """Return the starts of a window that moves along one axis."""
    return [start if a == axis else 0 for a in range(operand.ndim)]


def dynamic_slice_in_dim(
    operand: Any,
    start_index: Any,
    slice_size: int,
    axis: int = 0,
    *,
    allow_negative_indices: bool = True,
) -> Any:
    """Return a window along one axis, as `dynamic_slice` does."""
    operand = arr(operand)
    axis, sizes = axis_of(axis, operand.ndim, "dynamic_slice_in_dim"), list(operand.shape)
    sizes[axis] = static_int(slice_size, "dynamic_slice_in_dim", "slice_size")
    return dynamic_slice(
        operand,
        _along(operand, start_index, axis),
        tuple(sizes),
        allow_negative_indices=allow_negative_indices,
    )


def dynamic_index_in_dim(
    operand: Any,
    index: Any,
    axis: int = 0,
    keepdims: bool = True,
    *,
    allow_negative_indices: bool = True,
) -> Any:
    """Return operand[index] along one axis; the index may be traced."""
    operand = arr(operand)
    axis = axis_of(axis, operand.ndim, "dynamic_index_in_dim")
    out = dynamic_slice_in_dim(
        operand, index, 1, axis, allow_negative_indices=allow_negative_indices
    )
    return out if keepdims else squeeze(out, (axis,))


def dynamic_update_slice_in_dim(
    operand: Any, update: Any, start_index: Any, axis: int, *, allow_negative_indices: bool = True
) -> Any:
    """Overwrite a window along one axis, as `dynamic_update_slice` does."""
    operand = arr(operand)
    axis = axis_of(axis, operand.ndim, "dynamic_update_slice_in_dim")
    return dynamic_update_slice(
        operand,
        update,
        _along(operand, start_index, axis),
        allow_negative_indices=allow_negative_indices,
    )


def dynamic_update_index_in_dim(
    operand: Any, update: Any, index: Any, axis: int, *, allow_negative_indices: bool = True
) -> Any:
    """Overwrite operand[index] along one axis; the update may lack the axis."""
    operand, update = arr(operand), arr(update)
    axis = axis_of(axis, operand.ndim, "dynamic_update_index_in_dim")
    if update.ndim != operand.ndim:
        update = expand_dims(update, (axis,))
    return dynamic_update_slice_in_dim(
        operand, update, index, axis, allow_negative_indices=allow_negative_indices
    )


def index_take(src: Any, idxs: Any, axes: Any) -> Any:
    """Return the parts of an array at positions along some axes.

    A new first axis counts the positions.

    Args:
        src: The array.
        idxs: For each of `axes` a vector of integers (k,), of one dtype; they wrap around.
        axes: The axes that these places are along.

    Returns:
        [k, ...] with the other axes of `src`.

    Raises:
        TypeError: for indices that are no such vectors.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([[1, 2], [3, 4]])
        >>> index_take(x, (dx.numpy.array([0, 1]), dx.numpy.array([1, -1])), (0, 1))
        Array([2, 4])
    """
    src = arr(src)
    positions = [arr(i) for i in sequence_of(idxs, "index_take", "idxs")]
    axes = sequence_of(axes, "index_take", "axes")
    axes = tuple([axis_of(a, src.ndim, "index_take") for a in axes])
    if not positions or len(positions) != len(axes) or any([i.ndim != 1 for i in positions]):
        raise with_user_line(
            TypeError(
                f"index_take: expects a vector of integers for each of the axes {axes}, got "
                f"{', '.join(map(describe, positions)) or 'none'}"
            )
        )
    wrapped = [expand_dims(remainder(i, src.shape[a]), (1,)) for i, a in zip(positions, axes)]
    sizes = [1 if a in axes else n for a, n in enumerate(src.shape)]
    kept_axes = tuple(range(1, src.ndim - len(axes) + 1))
    return gather(
        src,
        concatenate(wrapped, 1),
        GatherDimensionNumbers(kept_axes, axes, axes),
        sizes,
        mode=GatherScatterMode.PROMISE_IN_BOUNDS,
    )
