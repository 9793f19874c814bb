"""Reductions of the segments of an array: sums over the entries with the same label, and others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .lax import indexing
from .numpy.joining import stack
from .numpy.making.creation import full
from .numpy.making.ranges import arange
from .numpy.reducing import reductions
from .primitives.array import as_value, known
from .primitives.core import Value, describe, with_user_line
from .primitives.support.errors import ConcretizationTypeError
from .primitives.types import is_integer
from .primitives.words.reduction import extreme
from .typing import ArrayLike

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]


def segment_sum(
    data: ArrayLike,
    segment_ids: ArrayLike,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: Any = None,
    out_sharding: None = None,
) -> Any:
    """Sum the entries of each segment, along the first axis.

    Args:
        data: an array.
        segment_ids: integers, the segment of each entry of the first axis of `data`; those that are
            no segment's, negative ones too, are left out.
        num_segments: how many segments there are; by default, one more than the largest of
            `segment_ids`, which must be known then.
        indices_are_sorted: a promise that they are in order.
        unique_indices: a promise that none is there twice.
        bucket_size: entries are reduced in groups of so many, and then the groups are: more exact
            for long sums of floats.
        mode: "clip" moves an entry that is no segment's to the nearest one; else it is dropped.
        out_sharding: refused unless None.

    Returns:
        An array of the dtype of `data`, with an axis of `num_segments` in place of the first.

    Raises:
        TypeError: for ids that are no vector of integers, as long as the first axis.
        ValueError: for a negative `num_segments`.
        ConcretizationTypeError: if `num_segments` is needed, as the ids are traced.

    Examples:
        >>> import diffeo as dx
        >>> dx.ops.segment_sum(dx.numpy.arange(5.0), dx.numpy.array([0, 0, 1, 1, 3]))
        Array([1., 5., 0., 4.])
    """
    options = (num_segments, indices_are_sorted, unique_indices, bucket_size, mode, out_sharding)
    return _reduced("segment_sum", data, segment_ids, *options)


def segment_prod(
    data: ArrayLike,
    segment_ids: ArrayLike,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: Any = None,
    out_sharding: None = None,
) -> Any:
    """Multiply the entries of each segment. Arguments as `segment_sum` has.

    Examples:
        >>> import diffeo as dx
        >>> dx.ops.segment_prod(dx.numpy.array([2.0, 3.0, 4.0]), dx.numpy.array([0, 0, 2]))
        Array([6., 1., 4.])
    """
    options = (num_segments, indices_are_sorted, unique_indices, bucket_size, mode, out_sharding)
    return _reduced("segment_prod", data, segment_ids, *options)


def segment_max(
    data: ArrayLike,
    segment_ids: ArrayLike,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: Any = None,
    out_sharding: None = None,
) -> Any:
    """Return the largest entry of each segment; of an empty one, the least number of the dtype, or
    minus infinity. Arguments as `segment_sum` has.

    Examples:
        >>> import diffeo as dx
        >>> dx.ops.segment_max(dx.numpy.array([2.0, 3.0, 4.0]), dx.numpy.array([0, 0, 2]))
        Array([  3., -inf,   4.])
    """
    options = (num_segments, indices_are_sorted, unique_indices, bucket_size, mode, out_sharding)
    return _reduced("segment_max", data, segment_ids, *options)


def segment_min(
    data: ArrayLike,
    segment_ids: ArrayLike,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: Any = None,
    out_sharding: None = None,
) -> Any:
    """Return the least entry of each segment; of an empty one, the largest number of the dtype, or
    infinity. Arguments as `segment_sum` has.

    Examples:
        >>> import diffeo as dx
        >>> dx.ops.segment_min(dx.numpy.array([2.0, 3.0, 4.0]), dx.numpy.array([0, 0, 2]))
        Array([ 2., inf,  4.])
    """
    options = (num_segments, indices_are_sorted, unique_indices, bucket_size, mode, out_sharding)
    return _reduced("segment_min", data, segment_ids, *options)


#: Name -> (how entries are written, how buckets are reduced, what an empty segment has).
_KINDS: dict[str, tuple[Callable, Callable, Callable[[np.dtype], Any]]] = {
    "segment_sum": (indexing.scatter_add, reductions.sum, lambda dtype: 0),
    "segment_prod": (indexing.scatter_mul, reductions.prod, lambda dtype: 1),
    "segment_max": (indexing.scatter_max, reductions.max, lambda dtype: extreme(dtype, False)),
    "segment_min": (indexing.scatter_min, reductions.min, lambda dtype: extreme(dtype, True)),
}


def _reduced(
    name: str,
    data: Any,
    segment_ids: Any,
    num_segments: int | None,
    in_order: bool,
    unique: bool,
    bucket_size: int | None,
    mode: str | None,
    out_sharding: str | None,
) -> Any:
    if out_sharding is not None:
        raise with_user_line(
            NotImplementedError(f"{name}: out_sharding={out_sharding!r}: leave it None")
        )
    data, ids = as_value(data), as_value(segment_ids)
    _check(name, data, ids)
    count = _count(name, ids, num_segments)
    write, reduce, empty = _KINDS[name]
    shape, positions, buckets = (count, *data.shape[1:]), ids[:, None], None
    if bucket_size is not None:
        buckets = -(-ids.shape[0] // bucket_size)
        rows = arange(ids.shape[0], dtype=ids.dtype) // bucket_size
        shape, positions = (buckets, *shape), stack([rows, ids], 1)
    start = full(shape, empty(data.dtype), data.dtype)
    axes = tuple(range(positions.shape[1]))
    windows = tuple(range(1, data.ndim))
    numbers = indexing.ScatterDimensionNumbers(windows, axes, axes)
    out = write(
        start,
        positions,
        data,
        numbers,
        indices_are_sorted=in_order and buckets is None,
        unique_indices=unique,
        mode=mode,
    )
    return out if buckets is None else reduce(out, axis=0).astype(data.dtype)


def _check(name: str, data: Value, ids: Value) -> None:
    if not is_integer(ids.dtype) or ids.ndim != 1 or not data.ndim or data.shape[0] != ids.shape[0]:
        raise with_user_line(
            TypeError(
                f"{name}: segment_ids must be a vector of integers, one for each entry of the "
                f"first axis of data, {describe(data)}, got {describe(ids)}"
            )
        )


def _count(name: str, ids: Value, count: int | None) -> int:
    """Return the number of segments."""
    if count is None:
        values = known(ids)
        if values is None:
            raise with_user_line(
                ConcretizationTypeError(
                    f"{name}: the segment ids are traced, so the number of segments is not known; "
                    "give it as num_segments"
                )
            )
        count = int(values.max()) + 1 if values.size else 0
    try:
        number = count.__index__()
    except AttributeError:
        raise with_user_line(
            TypeError(f"{name}: num_segments must be an integer, got {describe(count)}")
        ) from None
    if number < 0:
        raise with_user_line(ValueError(f"{name}: num_segments must not be negative, got {number}"))
    return number
