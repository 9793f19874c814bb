"""What an index addresses, by NumPy's rules: its slices, its index arrays, the result's shape.

`read_index` reads what stands between the brackets into a `Layout`. Reading (`getitem`) and writing
(`x.at[...]`) both work from the layout. Start with the attributes of `Layout`, then `read_index`.

An example: `x[2:4, None, i, 0]` with `i` of shape (5,), for `x` of shape (6, 7, 8). Axis 0 has a
span: 2 positions from 2 by 1. Axes 1 and 2 have arrays: `i`, and the integer 0. The arrays
broadcast to the batch (5,). The labels are `[0, NEW, ("array", 0)]`: the result has the axis 0
that the slice spans, a new axis, and the axis of the batch. Its shape is (2, 1, 5).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.constants import full
from ...primitives.core import Tracer, Value, describe, typeof, with_user_line
from ...primitives.support.errors import ConcretizationTypeError, NonConcreteBooleanIndexError
from ...primitives.support.foreign import taken_in
from ...primitives.words import elementwise as e
from ...primitives.words.promotion import broadcast_shapes, broadcast_to
from ...primitives.words.slicing import Slice, concatenate, rev
from ...primitives.words.structural import convert_element_type, expand_dims, reshape
from ..making.creation import asarray

#: The label of a result's axis that the index inserts (None).
NEW = "new"
#: An Ellipsis that stands for no axis. Index arrays at its two sides do not stand together, as in
#: NumPy, so the axes of the batch go to the front of the result.
GAP = "gap"


@dataclass
class Span:
    """A slice in numbers: `count` positions of an axis from `start` by `step` (maybe negative)."""

    start: int
    count: int
    step: int

    def whole(self, size: int) -> bool:
        """Whether the span is the whole axis of `size` positions in its order."""
        return self.start == 0 and self.count == size and self.step == 1


@dataclass
class Layout:
    """An index, read: what happens to each axis, and which axes the result has.

    Attributes:
        shape: The array's shape, with an axis of size 1 at each of `inserted` (for `x[True]`).
        inserted: The axes that a single boolean (`x[True]`) adds to the array.
        spans: Axis -> its slice, for the axes that a slice addresses.
        arrays: Axis -> its integer (int) or integer array (NumPy's if known, else a tracer). Known
            ones are not negative, and within bounds unless `read_index` was told to allow others.
        labels: What each axis of the result is: NEW, the number of the axis that a slice spans, or
            ("array", k) for axis k of the batch.
        batch: The shape to which the arrays broadcast.
        wraps: Whether negative traced indices count from the end; otherwise they are out of bounds.
    """

    shape: tuple[int, ...]
    inserted: tuple[int, ...]
    spans: dict[int, Span]
    arrays: dict[int, Any]
    labels: list[Any]
    batch: tuple[int, ...]
    wraps: bool = True

    @property
    def basic(self) -> bool:
        """Whether there are only known integers and slices."""
        return all([type(a) is int for a in self.arrays.values()])

    @property
    def scalar(self) -> bool:
        """Whether there are only slices and single integers, known or not."""
        return all([type(a) is int or a.ndim == 0 for a in self.arrays.values()])

    def size_of(self, label: Any) -> int:
        """Return the size of the axis of the result that has a label."""
        if label is NEW:
            return 1
        return self.batch[label[1]] if type(label) is tuple else self.spans[label].count

    @property
    def result(self) -> tuple[int, ...]:
        """The shape of `x[index]`."""
        return tuple([self.size_of(label) for label in self.labels])

    def wrap(self) -> None:
        """Take all indices modulo the sizes of their axes."""
        for a, i in self.arrays.items():
            n = self.shape[a]
            if not n:
                raise out_of_bounds("(any)", a, self.shape)
            narrow = isinstance(i, Value) and i.dtype.itemsize < 8  # perhaps too narrow for n
            self.arrays[a] = (convert_element_type(i, np.int64) if narrow else i) % n

    def index_dtype(self) -> np.dtype:
        """Return int32 if it can hold all positions and all traced indices, else int64."""
        wide = [
            a
            for a in self.arrays.values()
            if isinstance(a, Value) and (a.aval.dtype.itemsize == 8 or a.aval.dtype == np.uint32)
        ]
        return np.dtype(np.int64 if wide or max(self.shape, default=0) > 2**31 - 2 else np.int32)

    def positions(self, axis: int, dtype: np.dtype) -> Any:
        """Return the index array of `axis` in a dtype; negative traced ones count from the end."""
        index = self.arrays[axis]
        if type(index) is int:
            return full((), index, dtype)
        if not isinstance(index, Value):
            return Array(np.asarray(index, dtype))
        signed = index.aval.dtype.kind == "i" and self.wraps
        index = convert_element_type(index, dtype)
        return e.select(e.lt.bind(index, 0), index + self.shape[axis], index) if signed else index

    def stacked(self, axes: Sequence[int], arrays: Sequence[Any]) -> Any:
        """Broadcast the index arrays of `axes` together and stack them along a new last axis."""
        shape = broadcast_shapes(*[a.shape for a in arrays])
        return concatenate(
            [expand_dims(broadcast_to(a, shape), (len(shape),)) for a in arrays], len(shape)
        )


def _item(item: Any) -> Any:
    """Return one item of an index as None, Ellipsis, a slice, an int, a NumPy array or a tracer."""
    if item is None or item is Ellipsis or type(item) is int or isinstance(item, slice):
        return item
    # `True` is a mask without axes, and no integer.
    if isinstance(item, (bool, np.bool_)):
        return np.asarray(item)
    if isinstance(item, (list, tuple)):
        item = asarray(item)
        # An empty list would hold floats: NumPy, too, takes it for integers.
        if not item.size and not isinstance(item, Tracer):
            item = np.zeros(item.shape, np.int64)
    if not isinstance(item, Value):
        item = taken_in(item)
    if isinstance(item, (Value, np.ndarray, np.generic)):
        return _array_item(item)
    try:
        return operator.index(item)
    except TypeError:
        raise with_user_line(
            TypeError(
                "an index must be made of integers, slices, None, Ellipsis, and integer or boolean "
                f"arrays, got {describe(item)}"
            )
        ) from None


def _array_item(item: Any) -> Any:
    """Check an index array. A known one becomes a NumPy array or an int; a traced one stays."""
    kind = typeof(item).dtype.kind
    if kind not in "biu":
        raise with_user_line(
            TypeError(
                f"an index array must hold integers or booleans, got {describe(item)}; convert "
                "it with "
                ".astype(int)"
            )
        )
    known = item.concrete() if isinstance(item, Tracer) else item
    if known is not None:
        known = np.asarray(known)
        return int(known) if known.ndim == 0 and kind != "b" else known
    if kind == "b":
        raise with_user_line(
            NonConcreteBooleanIndexError(
                "a boolean index must be known while the program is traced, but this is "
                f"{item.aval}, "
                f"{item.origin()}: the result's shape would depend on it.\n  Use "
                "dx.numpy.where(mask, "
                "a, b), or x.at[mask].set(scalar) to write; dx.numpy.nonzero(mask, size=n) gives n "
                "places."
            )
        )
    return item


def _expand(index: Any, ndim: int, shape: Sequence[int]) -> list[Any]:
    """Return the items of an index for all axes, with full slices in place of an Ellipsis.

    `x[..., 0]` of 3 axes gives `[:, :, 0]`. An Ellipsis that stands for no axis becomes GAP.
    """
    items = [_item(i) for i in (index if type(index) is tuple else (index,))]
    used = 0  # the number of axes that the items address; a mask addresses one for each of its own
    for i in items:
        mask = isinstance(i, np.ndarray) and i.dtype == np.bool_
        used += i.ndim if mask else i is not None and i is not Ellipsis
    if used > ndim:
        raise with_user_line(
            IndexError(
                f"too many indices: shape {shape} has {ndim} axes, the index addresses {used}"
            )
        )
    dots = [k for k, i in enumerate(items) if i is Ellipsis]
    if len(dots) > 1:
        raise with_user_line(IndexError("an index can have one Ellipsis (...) only"))
    others = [slice(None)] * (ndim - used) or [GAP]
    return items[: dots[0]] + others + items[dots[0] + 1 :] if dots else items + others


def out_of_bounds(index: Any, axis: int, shape: Sequence[int]) -> Exception:
    """Return the error for an index that is not within its axis."""
    return with_user_line(
        IndexError(
            f"index {index} is out of bounds for axis {axis} of shape {tuple(shape)}, which "
            "has size "
            f"{shape[axis]}; x.at[...].get(mode='clip' or 'fill') allows it"
        )
    )


def _checked(index: Any, axis: int, shape: Sequence[int], allow: bool, wraps: bool) -> Any:
    """Return a known index or index array counted from the front; without `wraps`, as it is.

    Raises:
        IndexError: if it is out of bounds, unless `allow`.
    """
    n = shape[axis]
    if type(index) is int:
        if not (-n if wraps else 0) <= index < n and not allow:
            raise out_of_bounds(index, axis, shape)
        return index + n if index < 0 and wraps else index
    index = index.astype(np.int64)
    if index.size and not allow:
        low, high, least = index.min(), index.max(), -n if wraps else 0
        if low < least or high >= n:
            raise out_of_bounds(int(low if low < least else high), axis, shape)
    return np.where(index < 0, index + n, index) if wraps else index


def _span(item: slice, size: int) -> Span:
    """Return what a slice addresses of an axis of `size`: `x[-2:]` of 5 is Span(3, 2, 1)."""
    parts = []
    for part in (item.start, item.stop, item.step):
        if isinstance(part, Tracer) and part.concrete() is None:
            raise with_user_line(
                ConcretizationTypeError(
                    f"a slice needs known bounds, but this is {part.aval}, {part.origin()}: the "
                    "result's shape would depend on it.\n  Use dx.lax.dynamic_slice(x, starts, "
                    "sizes),"
                    " or x[start + dx.numpy.arange(n)]."
                )
            )
        parts.append(part if part is None else operator.index(part))
    if parts[2] == 0:
        raise with_user_line(ValueError("the step of a slice must not be 0"))
    start, stop, step = slice(*parts).indices(size)
    return Span(start, len(range(start, stop, step)), step)


def read_index(
    shape: tuple[int, ...], index: Any, allow: bool = False, wraps: bool = True
) -> Layout:
    """Read `index` into the layout of what it addresses in an array of `shape`.

    Args:
        shape: The shape of the array that is indexed.
        index: What stands between the brackets.
        allow: Whether known indices may be out of bounds (a mode says what happens to them).
        wraps: Whether negative indices count from the end; otherwise they are out of bounds.

    Raises:
        IndexError: for too many indices, or a known one that is out of bounds.
        TypeError: for what is no index; ConcretizationTypeError for a traced mask or slice bound.
    """
    # The items in their order: (axis, Span | int | array), or (None | GAP, None).
    entries: list[Any] = []
    inserted: list[int] = []
    sizes = list(shape)
    axis = 0
    for item in _expand(index, len(shape), shape):
        if item is None or item is GAP:
            entries.append((item, None))
            continue
        if isinstance(item, np.ndarray) and item.dtype == np.bool_:
            # A mask stands for the positions of its true elements, an index array for each axis.
            # `x[True]` takes position 0 of an inserted axis of size 1, `x[False]` no position.
            if item.ndim == 0:
                sizes.insert(axis, 1)
                inserted.append(axis)
                positions: Any = (np.zeros(int(item), np.int64),)
            elif item.shape != tuple(sizes[axis : axis + item.ndim]):
                raise with_user_line(
                    IndexError(
                        f"a boolean index of shape {item.shape} does not match the axes from "
                        f"{axis} on "
                        f"of shape {tuple(sizes)}"
                    )
                )
            else:
                positions = np.nonzero(item)
            entries += [(axis + k, p) for k, p in enumerate(positions)]
            axis += len(positions)
            continue
        if isinstance(item, slice):
            entries.append((axis, _span(item, sizes[axis])))
        elif isinstance(item, Value):
            entries.append((axis, item))
        else:
            entries.append((axis, _checked(item, axis, sizes, allow, wraps)))
        axis += 1
    layout = _arranged(tuple(sizes), tuple(inserted), entries, allow)
    layout.wraps = wraps
    return layout


def _arranged(
    shape: tuple[int, ...], inserted: tuple[int, ...], entries: list[Any], allow: bool
) -> Layout:
    """Return the layout of the items of an index: which axes its result has, in which order."""
    spans = {a: p for a, p in entries if isinstance(p, Span)}
    arrays = {a: p for a, p in entries if p is not None and not isinstance(p, Span)}
    empty = [a for a, i in arrays.items() if isinstance(i, Value) and shape[a] == 0]
    if empty and not allow:
        raise out_of_bounds("(traced)", empty[0], shape)
    batch = broadcast_shapes(
        *[np.shape(a) if not isinstance(a, Value) else a.shape for a in arrays.values()]
    )
    # NumPy's rule: where all index arrays stand side by side, the axes of the batch take their
    # position in the result, else they come first: x[:, i, j] has shape (n, batch), x[i, :, j]
    # has (batch, n).
    block = [("array", k) for k in range(len(batch))]
    where = [k for k, (a, _) in enumerate(entries) if a in arrays]
    together = bool(where) and where[-1] - where[0] == len(where) - 1
    labels: list[Any] = [] if together else list(block)
    for k, (a, _) in enumerate(entries):
        if a is None:
            labels.append(NEW)
        elif a in spans:
            labels.append(a)
        elif together and k == where[0]:
            labels += block
    return Layout(shape, inserted, spans, arrays, labels, batch)


def take_spans(x: Value, spans: dict[int, Span]) -> Any:
    """Cut an array to `spans`; axes without one stay whole."""
    # The primitive `Slice` steps forward only: a span with a negative step is cut in ascending
    # order, and reversed afterwards.
    starts, limits, strides, reverse = [0] * x.ndim, list(x.shape), [1] * x.ndim, []
    for axis, span in spans.items():
        first, last = span.start, span.start + (span.count - 1) * span.step
        if span.count == 0:
            first, last = 0, -1
        elif span.step < 0:
            first, last = last, first
            reverse.append(axis)
        starts[axis], limits[axis] = first, last + 1
        strides[axis] = abs(span.step) if span.count > 1 else 1
    if any(starts) or tuple(limits) != x.shape or any([n != 1 for n in strides]):
        x = Slice(tuple(starts), tuple(limits), tuple(strides)).bind(x)
    return rev(x, tuple(reverse))


def with_inserted(x: Value, layout: Layout) -> Any:
    """Return the array in the layout's shape, with an axis of size 1 at each inserted axis."""
    return reshape(x, layout.shape)
