"""`x[index]` and `x.at[index]`: reading and writing parts of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.array import Array
from ..primitives.core import Value, state, with_user_line
from ..primitives.indexing import IndexDims, dynamic_slice, gather, in_bounds
from ..primitives.operators import broadcast_to
from ..primitives.structural import broadcast_in_dim, reshape
from ..primitives.types import is_inexact
from .common import no_such
from .creation import zeros
from .layout import NEW, Layout, Span, read_index, take_spans, with_inserted

MODES = (None, "clip", "fill", "drop", "promise_in_bounds", "wrap")
_PLAIN = frozenset((int, slice, type(None), type(Ellipsis)))


def plain_index(index: Any) -> Any:
    """An index that NumPy can take at once: NumPy arrays for host Arrays; else `NotImplemented`."""
    kind = type(index)
    if kind in _PLAIN:
        return index
    if kind is tuple:
        items = [plain_index(i) if type(i) is not tuple else NotImplemented for i in index]
        return NotImplemented if any([i is NotImplemented for i in items]) else tuple(items)
    if kind is Array:
        index = index.host
    return index if isinstance(index, np.ndarray) and index.dtype.kind in "biu" else NotImplemented


def getitem(x: Any, index: Any) -> Any:
    """`x[index]` by NumPy's rules.

    A known index out of bounds is an IndexError, when traced too; a traced one is clamped into the
    axis, after negative ones were counted from the end.
    """
    if type(x) is Array and state.trace.eager:
        host = x._np
        if host is not None:
            plain = index if type(index) in _PLAIN else plain_index(index)
            if plain is not NotImplemented:
                try:
                    return Array(host[plain], x.weak_type)
                except (IndexError, TypeError, ValueError):
                    pass  # explained below
    return read(x, read_index(x.shape, index))


def read(x: Any, layout: Layout, mode: str | None = None, fill_value: Any = None) -> Any:
    """What a layout addresses of `x`."""
    x = with_inserted(x, layout)
    fixed = {a: Span(i, 1, 1) for a, i in layout.arrays.items()
             if type(i) is int and 0 <= i < x.shape[a]}
    x = take_spans(x, {**layout.spans, **fixed})
    if len(fixed) == len(layout.arrays):
        return reshape(x, layout.result)
    if 0 in layout.batch:
        return zeros(layout.result, x.dtype)
    dtype = layout.index_dtype()
    axes = [a for a in layout.arrays if a not in fixed]
    indices = [layout.positions(a, dtype) for a in axes]
    fill = mode in ("fill", "drop")
    if layout.scalar and not fill:
        starts = [indices[axes.index(a)] if a in axes else Array(np.zeros((), dtype))
                  for a in range(x.ndim)]
        sizes = [1 if a in axes else n for a, n in enumerate(x.shape)]
        return reshape(dynamic_slice(x, starts, sizes), layout.result)
    return _gathered(x, layout, axes, indices, fill_value if fill else None, fill)


def _gathered(x: Any, layout: Layout, axes: list[int], indices: list[Any], fill_value: Any,
              fill: bool) -> Any:
    # Axes with a known integer have size 1 by now: the window takes them in as collapsed axes.
    labels = [label for label in layout.labels if label is not NEW]
    stacked = layout.stacked(axes, [broadcast_to(i, layout.batch) for i in indices])
    collapsed = tuple(sorted(layout.arrays))
    offset = tuple([d for d, label in enumerate(labels) if type(label) is int])
    sizes = [1 if a in layout.arrays else n for a, n in enumerate(x.shape)]
    out = gather(x, stacked, IndexDims(offset, collapsed, tuple(axes)), sizes)
    if fill:
        inside = in_bounds(stacked, [x.shape[a] - 1 for a in axes])
        places = [d for d in range(out.ndim) if d not in offset]
        value = default_fill(x.aval.dtype) if fill_value is None else fill_value
        value = np.asarray(value).astype(x.aval.dtype).item()
        out = e.select(broadcast_in_dim(inside, out.shape, places), out, value)
    return reshape(out, layout.result)


def default_fill(dtype: np.dtype) -> Any:
    """What mode='fill' reads out of bounds: nan, the smallest signed, the largest unsigned."""
    if is_inexact(dtype):
        return np.nan
    if dtype == np.bool_:
        return True
    return np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max


def read_with_mode(x: Any, index: Any, mode: str | None, fill_value: Any = None) -> Any:
    """`x.at[index].get(mode=..., fill_value=...)`."""
    if mode not in MODES:
        raise no_such("x.at[...].get", "mode", mode, MODES)
    if mode is None and fill_value is None:
        return getitem(x, index)
    mode = "fill" if mode is None else mode
    layout = read_index(x.shape, index, allow=True)
    if mode == "wrap":
        for a, i in layout.arrays.items():
            layout.arrays[a] = i % layout.shape[a]
    if mode in ("clip", "promise_in_bounds"):
        for a, i in layout.arrays.items():
            if not isinstance(i, Value):
                kept = np.clip(i, 0, layout.shape[a] - 1)
                layout.arrays[a] = int(kept) if type(i) is int else kept
    return read(x, layout, mode, fill_value)


def setitem(x: Any, index: Any, value: Any) -> None:
    """Refused: arrays never change."""
    raise with_user_line(TypeError(
        "arrays never change: write x = x.at[index].set(value) in place of x[index] = value "
        "(also .add, .multiply, .min, .max ...)"))


def take(a: Any, indices: Any, axis: int, mode: str | None, fill_value: Any) -> Any:
    """Parts of `a` at integer `indices` of one axis (counted from the front)."""
    index = (slice(None),) * axis + (indices,)
    return read_with_mode(a, index, mode, fill_value)
