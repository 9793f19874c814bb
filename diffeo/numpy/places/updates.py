"""`x.at[index]`: new arrays that differ from `x` at some positions.

Users call the methods of `IndexUpdate` (at.py), which call `update`. It works in NumPy, by a choice
with a mask, or by an `_UpdatePlan`. The plan turns the index into *windows*: a box of elements for
each position that the index arrays address. It writes one window as a slice, and many by a scatter
primitive.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...operations.scatter import ScatterMax, ScatterMin, ScatterMul
from ...primitives.array import Array, as_value, known
from ...primitives.constants import full, full_like
from ...primitives.core import Value, describe, state, with_user_line
from ...primitives.types import SCALARS, is_float, promote_types, scalar_aval
from ...primitives.words import elementwise as e
from ...primitives.words.indexing import (
    Gather,
    IndexDims,
    Scatter,
    ScatterAdd,
    clamp_indices,
    dynamic_update_slice,
)
from ...primitives.words.operators import power, true_divide
from ...primitives.words.promotion import broadcast_shapes, broadcast_to, promote, to_value
from ...primitives.words.structural import convert_element_type, reshape
from ..choosing import where
from ..common import no_sharding
from ..ufuncs import maximum, minimum
from .indexing import mode_of, plain_index, read
from .layout import NEW, Layout, read_index, with_inserted

#: Operation -> (the function of an old and a new value, NumPy's, the primitive for equal indices).
_OPS: dict[str, tuple[Callable, Any, Any]] = {
    "set": (lambda x, y: y, None, Scatter),
    "add": (lambda x, y: x + y, np.add, ScatterAdd),
    "subtract": (lambda x, y: x - y, np.subtract, ScatterAdd),
    "multiply": (lambda x, y: x * y, np.multiply, ScatterMul),
    "divide": (true_divide, np.divide, ScatterMul),
    "power": (power, np.power, ScatterMul),
    "min": (minimum, np.minimum, ScatterMin),
    "max": (maximum, np.maximum, ScatterMax),
}

#: How often `apply` applies a function at most if the number of equal positions is not known.
_ROUNDS = 64


def apply_at(
    array: Value, index: Any, func: Callable, mode: Any, unique: bool, in_order: bool, wraps: bool
) -> Any:
    """Compute `x.at[index].apply(func)`."""
    x = as_value(to_value(array))
    mask = _mask(x, index)
    if mask is not None:
        return where(broadcast_to(_over(mask, x), x.shape), func(x), x)
    plan = _UpdatePlan(x, index, mode, unique, in_order, wraps)
    if 0 in plan.layout.result or not x.size:
        return x
    if plan.block:
        return plan.put(func(plan.get()))
    how = tuple(plan.sizes), plan.unique, plan.in_order
    return reshape(applied(func, plan.x, plan.indices, plan.dims, *how), x.shape)


def applied(
    func: Callable,
    x: Value,
    indices: Value,
    dims: IndexDims,
    sizes: tuple[int, ...],
    unique: bool,
    in_order: bool,
) -> Any:
    """Return `x` with an elementwise `func` applied to windows, as often as they are addressed."""
    hints = unique, in_order
    read = lambda v: Gather(dims, sizes, "clip", False, *hints).bind(v, indices)
    old = read(x)
    if unique:
        return Scatter(dims, *hints).bind(x, indices, func(old))
    # Count how often each element is addressed: round k updates those addressed more than k times.
    none, once = (full(v.shape, n, np.int32) for n, v in enumerate((x, old)))
    counts = ScatterAdd(dims, *hints).bind(none, indices, once)
    known_counts = known(counts)
    rounds = int(np.prod(indices.shape[:-1])) if known_counts is None else int(known_counts.max())
    if known_counts is None and rounds > _ROUNDS:
        raise with_user_line(
            NotImplementedError(
                f"apply: any of the {rounds} traced positions may be equal; if none are, say "
                "unique_indices=True, else let the indices be known"
            )
        )
    counts = read(counts)
    for k in range(rounds):
        old = e.select(counts > k, func(old), old)
    return Scatter(dims, *hints).bind(x, indices, old)


def _over(mask: Any, x: Any) -> Any:
    """Return a mask of the first axes of `x` with axes of size 1 for the others."""
    return reshape(mask, mask.shape + (1,) * (x.ndim - mask.ndim))


def update(
    array: Value,
    index: Any,
    op: str,
    values: Any,
    unique: bool,
    in_order: bool,
    mode: Any,
    out_sharding: Any,
    wraps: bool,
) -> Any:
    """Compute `x.at[index].set(values)`, say; the method `op` is a key of `_OPS`."""
    if out_sharding is not None:
        raise no_sharding(f"x.at[...].{op}", out_sharding)
    x = as_value(to_value(array))
    values = _like(x, values, op)
    if type(x) is Array and mode is None and wraps and state.trace.eager:
        out = _in_numpy(x, index, op, values)
        if out is not None:
            return out
    combine, _, primitive = _OPS[op]
    if x.dtype == np.bool_ and primitive is ScatterAdd:
        raise with_user_line(
            TypeError(f"x.at[...].{op}: booleans have no sum; use max, min or set")
        )
    mask = _mask(x, index)
    if mask is not None:
        shape = x.shape[mask.ndim :]
        if type(values) in SCALARS or broadcast_shapes(values.shape, shape) == shape:
            return where(broadcast_to(_over(mask, x), x.shape), combine(x, values), x)
    plan = _UpdatePlan(x, index, mode, unique, in_order, wraps)
    if 0 in plan.layout.result or not x.size:
        return x
    updates = plan.fitted(values)
    # Where no element is addressed twice, read, combine and write. Otherwise the primitive
    # combines: quotients and powers as x / (product of the values), x ** (product of the values).
    if op == "set" or plan.block or (plan.unique and op in ("divide", "power")):
        return plan.put(updates if op == "set" else combine(plan.get(), updates))
    if op in ("divide", "power"):
        factors = plan.scatter(primitive, full_like(plan.x, 1), updates)
        return reshape(combine(plan.x, factors), x.shape)
    updates = -updates if op == "subtract" else updates
    return reshape(plan.scatter(primitive, plan.x, updates), x.shape)


def _like(x: Value, values: Any, op: str) -> Any:
    """Return the values in the dtype of `x`; TypeError where more than precision would be lost."""
    values = to_value(values)
    aval = scalar_aval(type(values)) if type(values) in SCALARS else values.aval
    dtype = x.aval.dtype
    both_float = is_float(aval.dtype) and is_float(dtype)
    fits = (
        promote_types(x.aval, aval)[0] == dtype
        or both_float
        or np.can_cast(aval.dtype, dtype, "same_kind")
    )
    if (op == "divide" and dtype.kind in "biu") or not fits:
        raise with_user_line(
            TypeError(
                f"x.at[...].{op}: {describe(values)} does not fit into an array of {dtype}; "
                "convert "
                "one of them with .astype(...)"
            )
        )
    if type(values) in SCALARS:
        return promote(x, values)[1]
    return convert_element_type(values, dtype)


def _mask(x: Value, index: Any) -> Any:
    """Return the index if it is one traced boolean mask, by which `where` can choose; else None."""
    if type(index) is tuple and len(index) == 1:
        index = index[0]
    if (
        not isinstance(index, Value)
        or index.dtype != np.bool_
        or not index.ndim
        or (type(index) is Array)
    ):
        return None
    if index.shape != x.shape[: index.ndim]:
        raise with_user_line(
            IndexError(f"a boolean index of shape {index.shape} does not match shape {x.shape}")
        )
    return index


def _in_numpy(x: Array, index: Any, op: str, values: Any) -> Any:
    """Compute the update of a host Array with NumPy; None where that is not possible."""
    plain = plain_index(index)
    if plain is NotImplemented or (isinstance(values, Value) and type(values) is not Array):
        return None
    if x.at_home or (type(values) is Array and values.at_home):
        return None
    host, new = x.host, values.host if type(values) is Array else values
    out = np.array(host)
    try:
        if op == "set":
            out[plain] = new
        else:
            # `ufunc.at` adds all values of equal indices, where `out[plain] += new` adds one.
            _OPS[op][1].at(out, plain, np.asarray(new, out.dtype))
    except (IndexError, ValueError, TypeError):
        return None  # explained on the long way
    return Array(out, x.weak_type)


def _unique(layout: Layout, clip: bool) -> bool:
    """Whether a layout certainly addresses no position twice. `clip` might make indices equal."""
    if layout.scalar:
        return True
    arrays = [a for a in layout.arrays.values() if type(a) is not int]
    if clip or any([isinstance(a, Value) for a in arrays]):
        return False
    sizes = [layout.shape[k] for k, a in layout.arrays.items() if type(a) is not int]
    size, count = math.prod(sizes), math.prod(layout.batch)
    if count > size:
        return False
    flat: Any = 0  # the position of each window in the flat array of the indexed axes
    for a, n in zip(arrays, sizes):
        flat = flat * n + np.where((a >= 0) & (a < n), a, 0)
    flat = np.broadcast_to(flat, layout.batch).reshape(-1)
    if size > 64 * count + 4096:  # a table of all positions would be large
        return len(np.unique(flat)) == count
    seen = np.zeros(size, bool)
    seen[flat] = True
    return int(seen.sum()) == count


class _UpdatePlan:
    """A plan of an update: which axes a window spans, and which ones indices address.

    A slice with step 1 is an axis of the window; one with another step becomes an index array.
    `labels` are the axes of the updates, `places` the labels that no window spans.
    """

    def __init__(
        self,
        x: Value,
        index: Any,
        mode: str | None,
        unique: bool,
        in_order: bool,
        wraps: bool = True,
    ):
        mode = mode_of("x.at[...]", mode)
        layout = read_index(x.shape, index, mode is not None, wraps)
        if mode == "wrap":
            layout.wrap()
        self.x, self.layout, self.in_order = with_inserted(x, layout), layout, in_order
        self.original = x.shape  # before an axis of size 1 was inserted for each `True`
        self.labels = [label for label in layout.labels if label is not NEW]
        windows = {a for a, s in layout.spans.items() if s.step == 1 or s.count == 1}
        self.places = [label for label in self.labels if label not in windows]
        self.shape = tuple([layout.size_of(label) for label in self.labels])
        # The axes of the updates that are axes of windows; the sizes of a window, 1 elsewhere.
        self.offset = tuple([d for d, label in enumerate(self.labels) if label in windows])
        self.sizes = [
            layout.spans[a].count if a in windows else 1 for a in range(len(layout.shape))
        ]
        self.strided = [label for label in self.places if type(label) is int]
        self.block = (  # one window at a known position is all that the index addresses
            layout.basic
            and not self.strided
            and all([0 <= i < layout.shape[a] for a, i in layout.arrays.items()])
        )
        # The axes of `x` for which a position is needed: all that a window does not span whole.
        self.axes = [
            a
            for a in range(len(layout.shape))
            if not (a in windows and layout.spans[a].whole(layout.shape[a]))
        ]
        self.clip = mode == "clip"
        self.unique = unique or _unique(layout, self.clip)

    @property
    def indices(self) -> Any:
        """The positions of all windows: the axes `places`, then one entry for each of `axes`."""
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
                # A slice with step 1 has one start; one with a step is an array of positions.
                at = [self.places.index(a)] if a in self.strided else []
                line = span.start + span.step * np.arange(span.count)
                index = Array(line.astype(dtype)) if at else full((), span.start, dtype)
            # `at` says on which axes of the batch this array varies: size 1 on all others.
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
        """The last position along each indexed axis at which a window is inside."""
        return [self.x.shape[a] - self.sizes[a] for a in self.axes]

    @property
    def dims(self) -> IndexDims:
        """How positions address windows, in the terms of gathers and scatters."""
        windows = {self.labels[d] for d in self.offset}
        collapsed = tuple([a for a in range(self.x.ndim) if a not in windows])
        return IndexDims(self.offset, collapsed, tuple(self.axes))

    def fitted(self, values: Any) -> Any:
        """Return the values broadcast to the shape of `x[index]`, without its new axes."""
        shape = self.layout.result
        if type(values) in SCALARS:
            values = convert_element_type(as_value(values), self.x.dtype)
        extra = values.ndim - len(shape)  # as in NumPy, more axes in front may have size 1
        if extra > 0 and set(values.shape[:extra]) == {1}:
            values = reshape(values, values.shape[extra:])
        if values.ndim > len(shape) or broadcast_shapes(values.shape, shape) != shape:
            raise with_user_line(
                ValueError(
                    f"x.at[...]: values of shape {values.shape} do not broadcast to the shape "
                    f"{shape} "
                    "that the index gives"
                )
            )
        return reshape(broadcast_to(values, shape), self.shape)

    def scatter(self, primitive: Any, x: Value, updates: Value) -> Any:
        """Combine updates into the windows of `x`, of the shape of `self.x`, by a primitive."""
        return primitive(self.dims, self.unique, self.in_order).bind(x, self.indices, updates)

    def get(self) -> Any:
        """Return the elements that the index addresses now, in the shape of the updates."""
        if self.block:
            return reshape(read(self.x, self.layout), self.shape)
        hints = "clip", False, self.unique, self.in_order
        return Gather(self.dims, tuple(self.sizes), *hints).bind(self.x, self.indices)

    def put(self, updates: Value) -> Any:
        """Return the array with updates at the positions that the index addresses."""
        if not self.block:
            return reshape(self.scatter(Scatter, self.x, updates), self.original)
        starts = [
            self.layout.arrays[a] if a in self.layout.arrays else self.layout.spans[a].start
            for a in range(self.x.ndim)
        ]
        starts = [full((), s, np.int32 if s < 2**31 else np.int64) for s in starts]
        # Without steps and index arrays, the axes of an update are in the order of the array's.
        out = dynamic_update_slice(self.x, reshape(updates, tuple(self.sizes)), starts)
        return reshape(out, self.original)
