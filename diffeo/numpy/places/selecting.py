"""Parts and repetitions along axes: take, repeat, roll, insert, choose.

Most functions compute positions, and read the elements at these by indexing.py. Positions that are
known are computed with NumPy; in `repeat`, `roll`, `take` and `choose` they may be traced.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...operations.sort import take_along_axis as take_places
from ...primitives.array import Array, known
from ...primitives.core import Tracer, describe, with_user_line
from ...primitives.words import slicing as s
from ...primitives.words.promotion import broadcast_shapes, broadcast_to
from ...primitives.words.structural import convert_element_type, expand_dims, reshape
from ..choosing import where
from ..common import (
    arr,
    axes_of,
    axis_of,
    concrete,
    host_of,
    integers,
    no_out,
    no_sharding,
    no_such,
    reaches_beyond,
    static_int,
)
from ..joining import stack
from ..making.creation import asarray, full
from ..reducing.cumulative import cumsum
from ..reducing.reductions import count_nonzero
from ..reducing.sets import flatnonzero
from ..reducing.sorting import searchsorted, sort
from . import indexing
from .inserting import inserted


def take(
    a: Any,
    indices: Any,
    axis: int | None = None,
    out: Any = None,
    mode: str | None = None,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    fill_value: Any = None,
) -> Any:
    """Return the parts of `a` at `indices` along an axis (of the flat array without one).

    Args:
        a: An array.
        indices: Integers, known or traced; their axes replace the one that is indexed.
        axis: The axis; None for the flat array.
        out: None, as arrays never change.
        mode: What happens out of bounds. None and 'raise': an IndexError if the indices are known,
            else they are moved to the nearest end, after negative ones were counted from the last.
            'wrap': modulo the size. 'clip': the nearest end, which for a negative index is the
            first element. 'fill': `fill_value` in place of an element; negative indices count
            from the last.
        unique_indices, indices_are_sorted: Promises, see `x.at`.
        fill_value: For 'fill': a number, by default nan, or the extreme of an integer dtype.

    Raises:
        IndexError: for a known index out of bounds, or any index into an axis of size 0.
        ValueError: for an unknown mode.

    Examples:
        >>> import diffeo as dx
        >>> take(dx.numpy.array([1.0, 2.0, 3.0]), dx.numpy.array([2, 0]))
        Array([3., 1.])
    """
    if out is not None:
        raise no_out("take")
    a = arr(a)
    if axis is None:
        a, axis = reshape(a, (a.size,)), 0
    axis = axis_of(axis, a.ndim, "take")
    indices = _integers_or_none(indices)
    mode = None if mode == "raise" else mode
    hosts = host_of(a), host_of(indices)
    if (
        hosts[0] is not None
        and hosts[1] is not None
        and mode in (None, "clip")
        and (fill_value is None and hosts[1].dtype.kind in "iu")
    ):
        try:
            parts = hosts[0].take(hosts[1], axis, mode=mode or "raise")
            return Array(np.asarray(parts), a.weak_type)
        except (IndexError, TypeError):
            pass  # explained below
    mode = indexing.mode_of("take", mode)
    if indices.dtype == np.bool_:  # as numbers, and not as a mask
        indices = integers(indices)
    if mode in ("clip", "wrap") and indices.dtype.kind in "iu":
        indices, mode = indexing.bounded(indices, a.shape[axis], mode, "take"), None
    return indexing.take(a, indices, axis, mode, fill_value, unique_indices, indices_are_sorted)


def _integers_or_none(indices: Any) -> Any:
    """Return indices as an array; an empty list becomes integers, as in NumPy."""
    result = asarray(indices)
    empty = isinstance(indices, (list, tuple)) and not result.size
    return asarray(np.zeros(result.shape, np.int64)) if empty else result


def take_along_axis(
    arr: Any,
    indices: Any,
    axis: int | None = -1,
    mode: str | None = None,
    fill_value: Any = None,
    *,
    wrap_negative_indices: bool | None = None,
) -> Any:
    """Return, for each line along `axis`, the elements at its own `indices`.

    The other axes of the two arrays broadcast. Negative indices count from the end, unless
    `wrap_negative_indices` is False: then they are out of bounds.
    """
    x, indices = asarray(arr), asarray(indices)
    mode = indexing.mode_of("take_along_axis", mode)
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    axis = axis_of(axis, x.ndim, "take_along_axis")
    if indices.ndim != x.ndim or indices.dtype.kind not in "iu":
        raise with_user_line(
            TypeError(
                f"take_along_axis: needs integer indices with the {x.ndim} axes of shape "
                f"{x.shape}, got"
                f" {describe(indices)}"
            )
        )
    n = x.shape[axis]
    wraps = wrap_negative_indices is None or bool(wrap_negative_indices)
    hosts = host_of(x), host_of(indices)
    if hosts[0] is not None and hosts[1] is not None and mode is None and wraps:
        try:
            return Array(np.take_along_axis(*hosts, axis))
        except (IndexError, ValueError):
            pass  # explained below
    value = known(indices)
    if mode is None and reaches_beyond(value, -n if wraps else 0, n):
        raise with_user_line(
            IndexError(
                f"take_along_axis: an index in [{value.min()}, {value.max()}] is out of bounds "
                "for axis"
                f" {axis} of shape {x.shape}"
            )
        )
    # The other axes broadcast to `shape`, and each array keeps its own size along `axis`.
    shapes = [[1 if i == axis else m for i, m in enumerate(v.shape)] for v in (x, indices)]
    shape = list(broadcast_shapes(*map(tuple, shapes)))
    x, indices = (
        broadcast_to(v, tuple([v.shape[axis] if i == axis else m for i, m in enumerate(shape)]))
        for v in (x, indices)
    )
    narrow = indices.dtype.itemsize < 8 and indices.dtype != np.uint32 and n < 2**31 - 1
    indices = convert_element_type(indices, np.int32 if narrow else np.int64)
    if wraps:
        indices = where(indices < 0, indices + n, indices)
    if mode is None:
        return take_places(x, indices, axis, "clip" if value is None else "promise_in_bounds")
    if mode == "wrap":
        return take_places(x, indices % n, axis, "promise_in_bounds")
    if mode != "fill" and mode != "drop":
        return take_places(x, indices, axis, mode)
    return take_places(x, indices, axis, "fill", indexing.fill_scalar(fill_value, x.dtype))


def compress(
    condition: Any,
    a: Any,
    axis: int | None = None,
    *,
    size: int | None = None,
    fill_value: Any = 0,
    out: Any = None,
) -> Any:
    """Return the parts of `a` along an axis where `condition` is true.

    Args:
        condition: A vector, whose numbers are known unless `size` is given. It may be shorter than
            the axis.
        a: An array.
        axis: The axis; None for the flat array.
        size: How many parts are returned; they are cut, or filled up with `fill_value`.
        fill_value: A number, or an array that broadcasts to the result.
        out: None, as arrays never change.

    Raises:
        ValueError: for a condition that is no vector.
        IndexError: for one that is true beyond the end of the axis.

    Examples:
        >>> import diffeo as dx
        >>> compress([True, False, True], dx.numpy.arange(3), size=3, fill_value=-1)
        Array([ 0,  2, -1])
    """
    if out is not None:
        raise no_out("compress")
    a = arr(a)
    if axis is None:
        a, axis = reshape(a, (a.size,)), 0
    axis = axis_of(axis, a.ndim, "compress")
    mask = asarray(condition).astype(bool)
    if mask.ndim != 1:
        raise with_user_line(
            ValueError(f"compress: condition must be a vector, got shape {mask.shape}")
        )
    if size is None:
        known_mask = concrete(mask, "compress", "Give `size`, or use dx.numpy.where.")
        return indexing.getitem(a, (slice(None),) * axis + (np.flatnonzero(known_mask),))
    size, n = static_int(size, "compress", "size"), a.shape[axis]
    value = known(mask)
    if value is not None and value[n:].any():
        raise with_user_line(
            IndexError(f"compress: condition is true beyond axis {axis} of shape {a.shape}")
        )
    mask = mask[:n]
    places = flatnonzero(mask, size=size, fill_value=0)
    shape = tuple([size if i == axis else m for i, m in enumerate(a.shape)])
    fill = broadcast_to(convert_element_type(asarray(fill_value), a.dtype), shape)
    if not n:
        return fill
    there = Array(np.arange(size)) < count_nonzero(mask)
    there = reshape(there, tuple([m if i == axis else 1 for i, m in enumerate(shape)]))
    return where(there, indexing.take(a, places, axis, "clip"), fill)


def extract(condition: Any, arr: Any, *, size: int | None = None, fill_value: Any = 0) -> Any:
    """Return the elements of `arr` where `condition` is true; `size` is that of `compress`."""
    condition, flat = asarray(condition).ravel(), asarray(arr).ravel()
    return compress(condition, flat, size=size, fill_value=fill_value)


def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Return, at each position, the element of `choices[a]`; all arrays broadcast.

    Args:
        a: Integers.
        choices: Arrays, or an array of them along the first axis.
        out: None, as arrays never change.
        mode: What happens to an `a` for which there is no choice: 'raise' (a traced one is moved
            to the nearest), 'clip' to the nearest, 'wrap' modulo the number of choices.

    Raises:
        TypeError: if `a` holds no integers, or `out` is given.
        ValueError: for a known `a` that is negative or too large with 'raise', without choices, or
            for an unknown mode.

    Examples:
        >>> import diffeo as dx
        >>> choose(dx.numpy.array([1, 0]), [dx.numpy.array([1, 2]), dx.numpy.array([3, 4])])
        Array([3, 2])
    """
    if out is not None:
        raise no_out("choose")
    if mode not in ("raise", "clip", "wrap"):
        raise no_such("choose", "mode", mode, ("raise", "clip", "wrap"))
    a, parts = asarray(a), [asarray(c) for c in choices]
    if a.dtype.kind not in "biu" or not parts:
        raise with_user_line(
            (ValueError if not parts else TypeError)(
                f"choose: needs integers `a` and at least one choice, got {describe(a)} and "
                f"{len(parts)} choices"
            )
        )
    number = integers(a)
    value = known(number) if mode == "raise" else None
    if reaches_beyond(value, 0, len(parts)):
        raise with_user_line(
            ValueError(
                f"choose: `a` holds numbers in [{value.min()}, {value.max()}], but the "
                f"{len(parts)} "
                "choices count from 0; mode='clip' or 'wrap' allows it"
            )
        )
    number = indexing.bounded(number, len(parts), "wrap" if mode == "wrap" else "clip", "choose")
    shape = broadcast_shapes(a.shape, *[p.shape for p in parts])
    table = stack([broadcast_to(p, shape) for p in parts])
    number = expand_dims(broadcast_to(number, shape), (0,))
    return take_places(table, number, 0, "promise_in_bounds")[0]


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Return, at each position, the choice of the first condition that holds, else `default`.

    Raises:
        TypeError: for conditions that are not boolean.
        ValueError: without conditions, or if there are not as many choices.
    """
    condlist = [asarray(c) for c in condlist]
    if not condlist:
        raise with_user_line(ValueError("select: needs at least one condition"))
    for i, condition in enumerate(condlist):
        if condition.dtype != np.bool_:
            raise with_user_line(
                TypeError(f"select: condlist[{i}] must be boolean, got {describe(condition)}")
            )
    if len(condlist) != len(choicelist):
        raise with_user_line(
            ValueError(
                f"select: {len(condlist)} conditions do not go with {len(choicelist)} choices"
            )
        )
    # From the last condition to the first, which so overrides all others.
    out = default
    for condition, choice in list(zip(condlist, choicelist))[::-1]:
        out = where(condition, choice, out)
    return out


def repeat(
    a: Any,
    repeats: Any,
    axis: int | None = None,
    *,
    total_repeat_length: int | None = None,
    out_sharding: Any = None,
) -> Any:
    """Repeat each part along an axis (of the flat array without one).

    `repeats` is a number, or an array of numbers, one for each part. If it is traced,
    `total_repeat_length` says how long the result is.
    """
    if out_sharding is not None:
        raise no_sharding("repeat", out_sharding)
    a = arr(a)
    if axis is None:
        a, axis = reshape(a, (a.size,)), 0
    axis = axis_of(axis, a.ndim, "repeat")
    n = a.shape[axis]
    counts = known(asarray(repeats))
    if counts is not None and counts.size and counts.min() < 0:
        raise with_user_line(
            ValueError(f"repeat: repeats must not be negative, the least one is {counts.min()}")
        )
    if counts is not None and total_repeat_length is None:
        if counts.size == 1:
            times = int(counts.reshape(()))
            out = broadcast_to(
                expand_dims(a, (axis + 1,)), (*a.shape[: axis + 1], times, *a.shape[axis + 1 :])
            )
            return reshape(out, (*a.shape[:axis], n * times, *a.shape[axis + 1 :]))
        if counts.shape != (n,):
            raise with_user_line(
                ValueError(
                    f"repeat: {counts.shape} repeats do not fit axis {axis} of shape {a.shape}"
                )
            )
        return indexing.getitem(a, (slice(None),) * axis + (np.repeat(np.arange(n), counts),))
    length = static_int(
        total_repeat_length if total_repeat_length is not None else repeats,
        "repeat",
        "total_repeat_length (needed as the repeats are traced)",
    )
    # Part k ends where `ends[k]` is: with the repeats 2, 0, 3 the ends are 2, 2, 5, and the
    # positions 0, 0, 2, 2, 2. Beyond the last end, the last part is repeated.
    ends = cumsum(broadcast_to(asarray(repeats), (n,)))
    positions = searchsorted(ends, Array(np.arange(length)), "right")
    return indexing.read_with_mode(a, (slice(None),) * axis + (positions,), "clip")


def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Shift the elements along axes; elements that leave at one end enter at the other."""
    a = arr(a)
    if axis is None:
        return reshape(roll(reshape(a, (a.size,)), shift, 0), a.shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    shifts = (
        list(shift) if isinstance(shift, (tuple, list)) or getattr(shift, "ndim", 0) else [shift]
    )
    shifts = shifts * len(axes) if len(shifts) == 1 else shifts
    axes = list(axes) * len(shifts) if len(axes) == 1 else axes
    if len(shifts) != len(axes):
        raise with_user_line(
            ValueError(f"roll: {len(shifts)} shifts do not go with {len(axes)} axes")
        )
    # A traced shift takes elements at computed positions, a known one joins two slices.
    for by, at in zip(shifts, axes):
        at = axis_of(at, a.ndim, "roll")
        n = a.shape[at]
        if known(asarray(by)) is None:
            a = take(a, (Array(np.arange(n)) - by) % n, at)
        elif n and (k := static_int(by, "roll", "the shift") % n):
            a = s.concatenate(
                [s.slice_in_dim(a, n - k, n, 1, at), s.slice_in_dim(a, 0, n - k, 1, at)], at
            )
    return a


def delete(
    arr: Any, obj: Any, axis: int | None = None, *, assume_unique_indices: bool = False
) -> Any:
    """Return `arr` without the parts at the positions `obj` along an axis.

    Traced positions need `assume_unique_indices`, a promise that no two are equal, unless there is
    only one: so many parts are left out.

    Raises:
        ConcretizationTypeError: for traced positions without that promise.
        IndexError: for a known position out of bounds.
    """
    x = asarray(arr)
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    axis = axis_of(axis, x.ndim, "delete")
    if not isinstance(obj, slice):
        obj = _integers_or_none(obj)
        if known(obj) is None and (assume_unique_indices or obj.size == 1):
            return _without(x, reshape(obj, (obj.size,)), axis)
        instead = "Give assume_unique_indices=True if no two are equal."
        obj = concrete(obj, "delete", instead)
    try:
        kept = np.delete(np.arange(x.shape[axis]), obj)
    except (IndexError, ValueError) as error:
        raise with_user_line(type(error)(f"delete: {error}")) from None
    return indexing.getitem(x, (slice(None),) * axis + (kept,))


def _without(x: Any, places: Any, axis: int) -> Any:
    """Return `x` without the parts at traced positions, of which no two are equal."""
    n, count = x.shape[axis], places.size
    places = integers(places)
    places = sort(where(places < 0, places + n, places))
    # The parts before the k-th position that are kept: that position, less the k before it.
    before = places - Array(np.arange(count))
    kept = Array(np.arange(max(n - count, 0)))
    kept = kept + searchsorted(before, kept, "right")
    return indexing.take(x, kept, axis, "clip")


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Return `arr` with `values` inserted before the known positions `obj` along an axis."""
    x, values = asarray(arr), asarray(values)
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    axis = axis_of(axis, x.ndim, "insert")
    if isinstance(obj, Tracer) and not obj.ndim and obj.concrete() is None:
        return inserted(x, obj, values, axis)
    positions = obj if isinstance(obj, slice) else np.asarray(_integers_or_none(obj))
    # NumPy itself says which number goes where: it inserts negative numbers, -1 for the first of
    # `values`, into the positions of `x`. The result then indexes both arrays, joined.
    numbers = -1 - np.arange(values.size).reshape(values.shape)
    try:
        board = np.insert(np.arange(x.size).reshape(x.shape), positions, numbers, axis)
    except (IndexError, ValueError) as error:
        raise with_user_line(type(error)(f"insert: {error}")) from None
    both = s.concatenate(
        [reshape(x, (x.size,)), reshape(convert_element_type(values, x.dtype), (values.size,))]
    )
    return indexing.getitem(both, np.where(board < 0, x.size - 1 - board, board))


def resize(a: Any, new_shape: Any) -> Any:
    """Return the elements in a new shape, repeated from the front as often as needed."""
    a = arr(a)
    shape = new_shape if isinstance(new_shape, (tuple, list)) else (new_shape,)
    sizes = tuple([static_int(n, "resize", "each size") for n in shape])
    if any([n < 0 for n in sizes]):
        raise with_user_line(ValueError(f"resize: sizes must not be negative, got {new_shape}"))
    if not a.size:  # zeros, as in NumPy
        return full(sizes, 0, a.dtype)
    return reshape(take(a, np.arange(int(np.prod(sizes))) % max(a.size, 1)), sizes)


def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """Return an array without the zeros at its front ('f' in `trim`) and back ('b').

    Zeros are trimmed along `axis`, one or more, all by default. The numbers must be known.

    Raises:
        ValueError: if there is no such axis.

    Examples:
        >>> import diffeo as dx
        >>> trim_zeros(dx.numpy.array([0, 0, 1, 0, 2, 0]))
        Array([1, 0, 2])
    """
    filt = asarray(filt)
    if set(trim.lower()) - set("fb"):
        raise with_user_line(ValueError(f"trim_zeros: trim may hold 'f' and 'b', got {trim!r}"))
    positions = np.nonzero(concrete(filt, "trim_zeros", "Slice the array instead."))
    index = [slice(None)] * filt.ndim
    for i in axes_of(axis, filt.ndim, "trim_zeros"):
        at = positions[i]
        low, high = (int(at.min()), int(at.max()) + 1) if at.size else (0, 0)
        front, back = "f" in trim.lower(), "b" in trim.lower()
        if at.size or front or back:
            index[i] = slice(low if front else None, high if back else None)
    return indexing.getitem(filt, tuple(index))
