"""Reading parts of arrays: `x[index]` and `x.at[index].get(...)`.

`getitem` takes the short way through NumPy where it can. Otherwise `read_index` (layout.py) says
what the index addresses, and `read` reads that: slices by the primitive Slice, index arrays by one
gather. A gather reads a window at each of a list of positions. Writing is in updates.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.core import Tracer, Value, state, with_user_line
from ...primitives.support.errors import ConcretizationTypeError
from ...primitives.types import is_inexact
from ...primitives.words import elementwise as e
from ...primitives.words.indexing import IndexDims, dynamic_slice, gather
from ...primitives.words.promotion import broadcast_to
from ...primitives.words.structural import reshape
from ...typing import ArrayLike
from ..common import integers, no_such
from ..making.creation import full, zeros
from .layout import NEW, Layout, Span, out_of_bounds, read_index, take_spans, with_inserted

#: What may happen to indices out of bounds.
MODES = (None, "clip", "fill", "drop", "promise_in_bounds", "wrap")
#: The types of index items that NumPy takes as they are.
_PLAIN = frozenset((int, slice, type(None), type(Ellipsis)))


def mode_of(name: str, mode: Any) -> str | None:
    """Return the name of a mode, which may be a member of `lax.GatherScatterMode`.

    Raises:
        ValueError: for an unknown mode.
    """
    mode = getattr(mode, "value", mode)
    if mode not in MODES:
        raise no_such(name, "mode", mode, MODES)
    return mode


def plain_index(index: Any) -> Any:
    """Return the index as NumPy takes it, with NumPy arrays in place of host Arrays.

    `NotImplemented` is returned where an item is a tracer, a list, or an array of floats, say.
    """
    kind = type(index)
    if kind in _PLAIN:
        return index
    if kind is tuple:
        items = [plain_index(i) if type(i) is not tuple else NotImplemented for i in index]
        return NotImplemented if any([i is NotImplemented for i in items]) else tuple(items)
    if kind is Array:
        index = index.host
    return index if type(index) is np.ndarray and index.dtype.kind in "biu" else NotImplemented


def getitem(x: Any, index: Any) -> Any:
    """Return `x[index]` by NumPy's rules.

    A known index out of bounds is an IndexError, also while `x` is traced. A traced index counts
    from the end if it is negative, and is then clamped into the axis.
    """
    if type(x) is Array and state.trace.eager:
        host = x._np
        if host is not None:
            plain = index if type(index) in _PLAIN else plain_index(index)
            if plain is not NotImplemented:
                try:
                    return Array(host[plain], x.weak_type)
                except (IndexError, TypeError, ValueError, OverflowError):
                    pass  # explained below
    return read(x, read_index(x.shape, index))


def read(
    x: Value,
    layout: Layout,
    mode: str = "clip",
    fill_value: Any = None,
    unique: bool = False,
    in_order: bool = False,
) -> Any:
    """Return what a layout addresses of `x`.

    Args:
        x: The array.
        layout: The index, as `read_index` returns it.
        mode: The mode of the gather: 'clip', 'fill' or 'promise_in_bounds'.
        fill_value: For 'fill', see `fill_scalar`.
        unique: A promise that no position is addressed twice.
        in_order: A promise that positions are sorted.
    """
    x = with_inserted(x, layout)
    # Known integers within bounds are slices of one position. They need no gather.
    fixed = {
        a: Span(i, 1, 1) for a, i in layout.arrays.items() if type(i) is int and 0 <= i < x.shape[a]
    }
    x = take_spans(x, {**layout.spans, **fixed})
    if len(fixed) == len(layout.arrays):
        return reshape(x, layout.result)
    if 0 in layout.batch:
        return zeros(layout.result, x.dtype)
    dtype = layout.index_dtype()
    axes = [a for a in layout.arrays if a not in fixed]
    indices = [layout.positions(a, dtype) for a in axes]
    if 0 in [x.shape[a] for a in axes]:
        if mode != "fill":
            raise out_of_bounds("(any)", next(a for a in axes if not x.shape[a]), x.shape)
        return full(layout.result, fill_scalar(fill_value, x.aval.dtype), x.aval.dtype)
    # One window at traced integers is a dynamic slice, which clamps its start into the array.
    if layout.scalar and mode != "fill":
        starts = [indices[axes.index(a)] if a in axes else zeros((), dtype) for a in range(x.ndim)]
        sizes = [1 if a in axes else n for a, n in enumerate(x.shape)]
        return reshape(dynamic_slice(x, starts, sizes), layout.result)
    if mode == "clip" and not any([isinstance(layout.arrays[a], Value) for a in axes]):
        mode = "promise_in_bounds"  # `read_index` has checked known indices
    # Axes with a known integer have size 1 by now: the window takes them in as collapsed axes.
    labels = [label for label in layout.labels if label is not NEW]
    stacked = layout.stacked(axes, [broadcast_to(i, layout.batch) for i in indices])
    collapsed = tuple(sorted(layout.arrays))
    # The axes of the result that spans are, and not the batch: axes of the window.
    offset = tuple([d for d, label in enumerate(labels) if type(label) is int])
    sizes = [1 if a in layout.arrays else n for a, n in enumerate(x.shape)]
    fill = fill_scalar(fill_value, x.aval.dtype) if mode == "fill" else False
    dims = IndexDims(offset, collapsed, tuple(axes))
    return reshape(gather(x, stacked, dims, sizes, mode, fill, unique, in_order), layout.result)


def fill_scalar(value: Any, dtype: np.dtype) -> Any:
    """Return what mode='fill' reads out of bounds, as a Python scalar for a dtype.

    Without a value, that is nan for inexact dtypes, the smallest signed or the largest unsigned
    integer, or True.

    Raises:
        ConcretizationTypeError: for a traced value without a number.
        TypeError: for keys.
    """
    if dtype.kind == "k":
        raise with_user_line(
            TypeError(f"mode='fill' of {dtype}: keys have no number to fill with; use mode='clip'")
        )
    if value is None:
        if is_inexact(dtype):
            return float("nan")
        if dtype == np.bool_:
            return True
        return int(np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max)
    if isinstance(value, Tracer) and value.concrete() is None:
        raise with_user_line(
            ConcretizationTypeError(
                f"fill_value must be a known number, but this is {value.aval}, {value.origin()}.\n"
                "  Use dx.numpy.where(inside, x[index], value)."
            )
        )
    return np.asarray(value).astype(dtype).item()


def read_with_mode(
    x: Any,
    index: Any,
    mode: str | None,
    fill_value: Any = None,
    unique: bool = False,
    in_order: bool = False,
    wraps: bool = True,
) -> Any:
    """Return `x[index]` with a mode for indices out of bounds: `x.at[index].get(mode=...)`.

    Without a mode, `fill_value` means 'fill'; 'drop' is 'fill', too. 'wrap' takes indices modulo
    the size of the axis, 'clip' takes the nearest end. Negative indices count from the end if
    `wraps`, else they are out of bounds.
    """
    mode = mode_of("x.at[...].get", mode)
    if mode is None and fill_value is None:
        if wraps and not (unique or in_order):
            return getitem(x, index)
        layout = read_index(x.shape, index, wraps=wraps)
        return read(x, layout, "clip", None, unique, in_order)
    mode = "fill" if mode in (None, "drop") else mode
    layout = read_index(x.shape, index, allow=True, wraps=wraps)
    if mode == "wrap":
        layout.wrap()
    if mode in ("clip", "promise_in_bounds"):
        # Known indices, already counted from the front, are clamped here: `read` takes a known
        # index to be within bounds.
        for a, i in layout.arrays.items():
            if not isinstance(i, Value):
                kept = np.clip(i, 0, layout.shape[a] - 1)
                layout.arrays[a] = int(kept) if type(i) is int else kept
    mode = "clip" if mode == "wrap" else mode
    return read(x, layout, mode, fill_value, unique, in_order)


def setitem(x: Value, index: Any, value: Any) -> None:
    """Raise a TypeError that says what to write instead: arrays never change."""
    raise with_user_line(
        TypeError(
            "arrays never change: write x = x.at[index].set(value) in place of x[index] = value "
            "(also .add, .multiply, .min, .max ...)"
        )
    )


def bounded(indices: Value, n: int, mode: str, name: str) -> Any:
    """Bring indices into an axis of size n by NumPy's modes 'wrap' and 'clip'.

    'wrap' takes them modulo n. 'clip' moves them to the nearest end: a negative index becomes 0,
    and does not count from the end. Of an axis of size 3, [-1, 4] becomes [2, 1] or [0, 2].

    Raises:
        IndexError: if there are indices, but the axis has size 0.
    """
    if not n and indices.size:
        raise with_user_line(
            IndexError(
                f"{name}: there is nothing to take {indices.size} elements from: the axis has "
                "size 0"
            )
        )
    wide = indices if indices.dtype.itemsize == 8 else integers(indices)
    if type(wide) is Array:
        value = np.asarray(wide)
        return Array(value % n if mode == "wrap" else np.clip(value, 0, n - 1))
    if mode == "wrap":
        return wide % n
    high = e.select(e.gt.bind(wide, n - 1), n - 1, wide)
    return high if wide.dtype.kind == "u" else e.select(e.lt.bind(high, 0), 0, high)


def take(a: Any, indices: ArrayLike, axis: int, *how: Any) -> Any:
    """Return the parts of `a` at integer `indices` of one axis, which is counted from the front.

    `how` are the further arguments of `read_with_mode`.
    """
    return read_with_mode(a, (slice(None),) * axis + (indices,), *how)
