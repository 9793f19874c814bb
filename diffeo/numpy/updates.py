"""`x.at[index]`: new arrays that differ from `x` at some places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.array import Array, as_value
from ..primitives.core import Value, describe, state, with_user_line
from ..primitives.indexing import (
    IndexDims,
    clamp_indices,
    dynamic_update_slice,
    gather,
    in_bounds,
    scatter,
    scatter_add,
)
from ..primitives.operators import (
    broadcast_shapes,
    broadcast_to,
    power,
    promote,
    to_value,
    true_divide,
)
from ..primitives.sort import sort as sort_p
from ..primitives.structural import convert_element_type, iota, reshape, transpose
from ..primitives.types import SCALARS, is_float, promote_types, scalar_aval
from .common import no_such
from .indexing import MODES, getitem, plain_index, read, read_with_mode
from .layout import NEW, Layout, read_index, with_inserted
from .selecting import shifted
from .ufuncs import maximum, minimum, where

#: operation -> (the function of old and new, the NumPy function, whether it may be applied in any
#: order to all the updates of one place before the place itself is updated)
_OPS: dict[str, tuple[Callable, Any, Callable | None]] = {
    "multiply": (lambda x, y: x * y, np.multiply, lambda x, y: x * y),
    "divide": (true_divide, np.divide, lambda x, y: x * y),
    "power": (power, np.power, None),
    "min": (minimum, np.minimum, minimum),
    "max": (maximum, np.maximum, maximum),
}


class At:
    """`x.at`: index it, then say what to do there: `x.at[index].set(value)`."""

    __slots__ = ("array",)

    def __init__(self, array: Any):
        self.array = array

    def __getitem__(self, index: Any) -> IndexUpdate:
        return IndexUpdate(self.array, index)

    def __repr__(self) -> str:
        return f"At({self.array!r})"


class IndexUpdate:
    """`x.at[index]`. Every method returns a new array; `x` stays as it is.

    A known index out of bounds is an IndexError. With `mode`, and for a traced index, it is moved
    to the nearest end ('clip') or left out ('drop', 'fill'; the default when writing).

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.zeros(3)
        >>> x.at[1].set(5.0), x.at[dx.numpy.array([0, 0])].add(1.0)
        (Array([0., 5., 0.]), Array([2., 0., 0.]))
    """

    __slots__ = ("array", "index")

    def __init__(self, array: Any, index: Any):
        self.array, self.index = array, index

    def __repr__(self) -> str:
        return f"IndexUpdate({self.array!r}, {self.index!r})"

    def get(self, *, indices_are_sorted: bool = False, unique_indices: bool = False,
            mode: str | None = None, fill_value: Any = None) -> Any:
        """`x[index]`; 'clip', or 'fill' with `fill_value` (nan by default) out of bounds."""
        return read_with_mode(self.array, self.index, mode, fill_value)

    def set(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False,
            mode: str | None = None) -> Any:
        """`x` with `values` at the index; of equal indices, the last one wins."""
        return _update(self, "set", values, unique_indices, mode)

    def add(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False,
            mode: str | None = None) -> Any:
        """`x` with `values` added; all those of equal indices."""
        return _update(self, "add", values, unique_indices, mode)

    def subtract(self, values: Any, *, indices_are_sorted: bool = False,
                 unique_indices: bool = False, mode: str | None = None) -> Any:
        """`x` with `values` subtracted."""
        return _update(self, "add", -to_value(values), unique_indices, mode)

    def multiply(self, values: Any, *, indices_are_sorted: bool = False,
                 unique_indices: bool = False, mode: str | None = None) -> Any:
        """`x` with places multiplied by `values`."""
        return _update(self, "multiply", values, unique_indices, mode)

    mul = multiply

    def divide(self, values: Any, *, indices_are_sorted: bool = False,
               unique_indices: bool = False, mode: str | None = None) -> Any:
        """`x` with places divided by `values`; floating point only."""
        return _update(self, "divide", values, unique_indices, mode)

    def power(self, values: Any, *, indices_are_sorted: bool = False,
              unique_indices: bool = False, mode: str | None = None) -> Any:
        """`x` with places raised to `values`; traced indices must be unique."""
        return _update(self, "power", values, unique_indices, mode)

    def min(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False,
            mode: str | None = None) -> Any:
        """`x` with places replaced by the smaller of them and `values`."""
        return _update(self, "min", values, unique_indices, mode)

    def max(self, values: Any, *, indices_are_sorted: bool = False, unique_indices: bool = False,
            mode: str | None = None) -> Any:
        """`x` with places replaced by the larger of them and `values`."""
        return _update(self, "max", values, unique_indices, mode)

    def apply(self, func: Callable, *, indices_are_sorted: bool = False,
              unique_indices: bool = False, mode: str | None = None) -> Any:
        """`x` with `func` applied to places, once for each; traced indices must be unique."""
        mask = _mask(self.array, self.index)
        if mask is not None:
            return where(mask, func(self.array), self.array)
        layout = read_index(self.array.shape, self.index, allow=mode is not None)
        if not (unique_indices or _unique(layout)):
            raise _duplicates("apply", layout)
        plan = _Plan(self.array, layout, mode, True)
        return plan.put(func(plan.get()))


def _update(at: IndexUpdate, op: str, values: Any, unique: bool, mode: str | None) -> Any:
    """One of the methods above."""
    if mode not in MODES:
        raise no_such(f"x.at[...].{op}", "mode", mode, MODES)
    x = as_value(to_value(at.array))
    values = _like(x, values, op)
    if type(x) is Array and mode is None and state.trace.eager:
        out = _in_numpy(x, at.index, op, values)
        if out is not None:
            return out
    mask = _mask(x, at.index)
    if mask is not None:
        shape = x.shape[mask.ndim:]
        if type(values) in SCALARS or broadcast_shapes(values.shape, shape) == shape:
            pred = broadcast_to(reshape(mask, mask.shape + (1,) * len(shape)), x.shape)
            return where(pred, _combine(op, x, values), x)
    layout = read_index(x.shape, at.index, allow=mode is not None)
    plan = _Plan(x, layout, mode, unique or _unique(layout))
    if 0 in layout.result:
        return x
    updates = plan.fitted(values)
    if op == "set":
        return plan.put(updates)
    if op == "add":
        return plan.add(updates)
    if plan.unique:
        return plan.put(_combine(op, plan.get(), updates))
    join = _OPS[op][2]
    if join is None:
        raise _duplicates(op, layout)
    return plan.put_joined(updates, join, lambda old, new: _combine(op, old, new))


def _combine(op: str, x: Any, values: Any) -> Any:
    if op == "set":
        return values
    return x + values if op == "add" else _OPS[op][0](x, values)


def _like(x: Any, values: Any, op: str) -> Any:
    """The values in the dtype of `x`; refused where that would lose more than precision."""
    values = to_value(values)
    aval = scalar_aval(type(values)) if type(values) in SCALARS else values.aval
    dtype = x.aval.dtype
    both_float = is_float(aval.dtype) and is_float(dtype)
    fits = promote_types(x.aval, aval)[0] == dtype or both_float or np.can_cast(
        aval.dtype, dtype, "same_kind")
    if (op == "divide" and dtype.kind in "biu") or not fits:
        raise with_user_line(TypeError(
            f"x.at[...].{op}: {describe(values)} does not fit into an array of {dtype}; convert "
            "one of them with .astype(...)"))
    if type(values) in SCALARS:
        return promote(x, values)[1]
    return convert_element_type(values, dtype)


def _mask(x: Any, index: Any) -> Any:
    """The traced boolean mask that is the whole index, if it is one."""
    if type(index) is tuple and len(index) == 1:
        index = index[0]
    if not isinstance(index, Value) or index.dtype != np.bool_ or not index.ndim or (
            type(index) is Array):
        return None
    if index.shape != x.shape[:index.ndim]:
        raise with_user_line(IndexError(
            f"a boolean index of shape {index.shape} does not match shape {x.shape}"))
    return index


def _in_numpy(x: Array, index: Any, op: str, values: Any) -> Any:
    """The update by NumPy, of host arrays; None where that is not possible."""
    plain = plain_index(index)
    if plain is NotImplemented or (isinstance(values, Value) and type(values) is not Array):
        return None
    host, new = x.host, values.host if type(values) is Array else values
    out = np.array(host)
    try:
        if op == "set":
            out[plain] = new
        else:
            ufunc = np.add if op == "add" else _OPS[op][1]
            ufunc.at(out, plain, np.asarray(new, out.dtype))
    except (IndexError, ValueError, TypeError):
        return None  # explained on the long way
    return Array(out, x.weak_type)


def _unique(layout: Layout) -> bool:
    """Whether a layout certainly addresses no place twice."""
    arrays = [a for a in layout.arrays.values() if type(a) is not int]
    if all([a.ndim == 0 for a in arrays]):
        return True
    if any([isinstance(a, Value) for a in arrays]):
        return False
    flat = np.stack([np.broadcast_to(a, layout.batch).reshape(-1) for a in arrays], 1)
    return len(np.unique(flat, axis=0)) == len(flat)


def _duplicates(op: str, layout: Layout) -> Exception:
    return with_user_line(NotImplementedError(
        f"x.at[...].{op} needs indices of which no two are equal, and these may be (shape "
        f"{layout.batch}); if they are not, say unique_indices=True"))


class _Plan:
    """How to scatter: slices with a step become index arrays, others are windows."""

    def __init__(self, x: Any, layout: Layout, mode: str | None, unique: bool):
        self.x, self.layout, self.unique = with_inserted(x, layout), layout, unique
        self.original = x.shape
        self.labels = [label for label in layout.labels if label is not NEW]
        windows = {a for a, s in layout.spans.items() if s.step == 1 or s.count == 1}
        self.places = [label for label in self.labels if label not in windows]
        self.shape = tuple([layout.size_of(label) for label in self.labels])
        self.offset = tuple([d for d, label in enumerate(self.labels) if label in windows])
        self.sizes = [layout.spans[a].count if a in windows else 1
                      for a in range(len(layout.shape))]
        self.basic = layout.basic and not any(
            [not -1 < i < n for n, i in ((layout.shape[a], i) for a, i in layout.arrays.items())])
        self.strided = [label for label in self.places if type(label) is int]
        self.axes = [a for a in range(len(layout.shape)) if not (
            a in windows and layout.spans[a].whole(layout.shape[a]))]
        self.clip = mode == "clip"

    @property
    def indices(self) -> Any:
        """The positions of all windows: the batch axes, then one entry for each indexed axis."""
        layout, dtype = self.layout, self.layout.index_dtype()
        batch = tuple([layout.size_of(label) for label in self.places])
        arrays = []
        for a in self.axes:
            if a in layout.arrays:
                index = layout.positions(a, dtype)
                ones = (1,) * (len(layout.batch) - index.ndim)
                index = reshape(index, ones + index.shape)
                at = [self.places.index(("array", k)) for k in range(len(layout.batch))]
            else:
                span = layout.spans[a]
                at = [self.places.index(a)] if a in self.strided else []
                line = span.start + span.step * np.arange(span.count)
                index = Array((line if at else np.asarray(span.start)).astype(dtype))
            shape = [1] * len(batch)
            for k, n in zip(at, index.shape):
                shape[k] = n
            arrays.append(broadcast_to(reshape(index, tuple(shape)), batch))
        if not arrays:
            return Array(np.zeros((*batch, 0), dtype))
        stacked = layout.stacked(self.axes, arrays)
        return clamp_indices(stacked, self.highest) if self.clip else stacked

    @property
    def highest(self) -> list[int]:
        """The last position along each indexed axis."""
        return [self.x.shape[a] - self.sizes[a] for a in self.axes]

    @property
    def dims(self) -> IndexDims:
        """How the positions address windows."""
        windows = {self.labels[d] for d in self.offset}
        collapsed = tuple([a for a in range(self.x.ndim) if a not in windows])
        return IndexDims(self.offset, collapsed, tuple(self.axes))

    def fitted(self, values: Any) -> Any:
        """The values broadcast to the shape that the index gives, without its new axes."""
        shape = self.layout.result
        if type(values) in SCALARS:
            values = convert_element_type(as_value(values), self.x.dtype)
        extra = values.ndim - len(shape)
        if extra > 0 and set(values.shape[:extra]) == {1}:
            values = reshape(values, values.shape[extra:])
        if values.ndim > len(shape) or broadcast_shapes(values.shape, shape) != shape:
            raise with_user_line(ValueError(
                f"x.at[...]: values of shape {values.shape} do not broadcast to the shape {shape} "
                "that the index gives"))
        return reshape(broadcast_to(values, shape), self.shape)

    def get(self) -> Any:
        """What stands at the places now."""
        if self.basic and not self.strided:
            return reshape(read(self.x, self.layout), self.shape)
        return gather(self.x, self.indices, self.dims, self.sizes)

    def put(self, updates: Any) -> Any:
        """The array with updates at the places."""
        if self.basic and not self.strided:
            starts = [self.layout.arrays[a] if a in self.layout.arrays
                      else self.layout.spans[a].start for a in range(self.x.ndim)]
            starts = [Array(np.asarray(s, np.int32 if s < 2**31 else np.int64)) for s in starts]
            # The axes of an update without strides and arrays stand in the order of the array's.
            out = dynamic_update_slice(self.x, reshape(updates, tuple(self.sizes)), starts)
        else:
            out = scatter(self.x, self.indices, updates, self.dims, self.unique)
        return reshape(out, self.original)

    def add(self, updates: Any) -> Any:
        """The array with updates added at the places."""
        if self.x.dtype == np.bool_:
            raise with_user_line(TypeError("x.at[...].add: booleans do not add; use max or set"))
        if self.basic and not self.strided:
            return self.put(self.get() + updates)
        return reshape(scatter_add(self.x, self.indices, updates, self.dims), self.original)

    def put_joined(self, updates: Any, join: Callable, combine: Callable) -> Any:
        """The array with `combine(old, all updates of the place joined)`, for places that repeat.

        Sort the updates by place, join runs of equal places in log2(n) steps, and write with the
        last of each run; the others point out of bounds and are dropped.
        """
        places = [d for d in range(len(self.labels)) if d not in self.offset]
        order = (*places, *self.offset)
        batch = tuple([self.shape[d] for d in places])
        m = int(np.prod(batch))
        window = tuple([self.shape[d] for d in self.offset])
        flat = reshape(transpose(updates, order), (m, *window))
        index = reshape(self.indices, (m, len(self.axes)))
        inside = in_bounds(index, self.highest)
        key: Any = Array(np.zeros(m, np.int64))
        for k, h in enumerate(self.highest):
            key = key * (h + 1) + convert_element_type(getitem(index, (slice(None), k)), np.int64)
        key = where(inside, key, -1)
        key, taken = sort_p([key, iota(np.int64, (m,))], 0)
        flat, index = getitem(flat, taken), getitem(index, taken)
        shift = 1
        while shift < m:
            same = e.eq.bind(key, shifted(key, shift, -2))
            pred = broadcast_to(reshape(same, (m,) + (1,) * len(window)), flat.shape)
            flat = e.select(pred, join(flat, shifted(flat, shift, 0)), flat)
            shift *= 2
        last = e.ne.bind(key, shifted(key, -1, -2)) & (key >= 0)
        index = where(reshape(last, (m, 1)), index, -1)
        offset = tuple(range(1, 1 + len(window)))
        dims = IndexDims(offset, self.dims.collapsed, tuple(self.axes))
        old = gather(self.x, index, dims, self.sizes)
        return reshape(scatter(self.x, index, combine(old, flat), dims, True), self.original)
