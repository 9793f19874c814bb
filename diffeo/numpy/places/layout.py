"""What an index addresses, by NumPy's rules: axes that it spans, its arrays, the result's shape.

An index is read once into a `Layout`; reading (`getitem`) and writing (`x.at[...]`) work from that.
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
from ...primitives.support.errors import ConcretizationTypeError
from ...primitives.words import elementwise as e
from ...primitives.words.promotion import broadcast_shapes, broadcast_to
from ...primitives.words.slicing import Slice, concatenate, rev
from ...primitives.words.structural import convert_element_type, expand_dims, reshape
from ..making.creation import asarray

#: The label of a result's axis that the index inserts (None).
NEW = "new"
#: An Ellipsis that stands for no axis: it still parts the index arrays at its sides, as in NumPy.
GAP = "gap"


@dataclass
class Span:
    """`count` places of an axis from `start` by `step` (which may be negative)."""

    start: int
    count: int
    step: int

    def whole(self, size: int) -> bool:
        """Whether it is the axis as it stands."""
        return self.start == 0 and self.count == size and self.step == 1


@dataclass
class Layout:
    """An index, read: what happens to each axis, and which axes the result has.

    Attributes:
        shape: The array's shape, with an axis of size 1 at each of `inserted` (for `x[True]`).
        spans: The axes that a slice addresses.
        arrays: The axes that integers (int) or integer arrays (NumPy's if known, tracers) address;
            known ones are within bounds and not negative.
        labels: For each axis of the result: NEW, the axis it spans, or ("array", k).
        batch: The shape to which the arrays broadcast.
    """

    shape: tuple[int, ...]
    inserted: tuple[int, ...]
    spans: dict[int, Span]
    arrays: dict[int, Any]
    labels: list[Any]
    batch: tuple[int, ...]

    @property
    def basic(self) -> bool:
        """Only integers and slices that are known."""
        return all([type(a) is int for a in self.arrays.values()])

    @property
    def scalar(self) -> bool:
        """Only slices and single integers, known or not."""
        return all([type(a) is int or a.ndim == 0 for a in self.arrays.values()])

    def size_of(self, label: Any) -> int:
        """The size of an axis of the result."""
        if label is NEW:
            return 1
        return self.batch[label[1]] if type(label) is tuple else self.spans[label].count

    @property
    def result(self) -> tuple[int, ...]:
        """The shape of `x[index]`."""
        return tuple([self.size_of(label) for label in self.labels])

    def wrap(self) -> None:
        """Bring all indices into their axes, modulo their sizes."""
        for a, i in self.arrays.items():
            n = self.shape[a]
            if not n:
                raise out_of_bounds("(any)", a, self.shape)
            narrow = isinstance(i, Value) and i.dtype.itemsize < 8  # perhaps too narrow for n
            self.arrays[a] = (convert_element_type(i, np.int64) if narrow else i) % n

    def index_dtype(self) -> np.dtype:
        """int32 where it can hold all positions and all traced indices, else int64."""
        wide = [
            a
            for a in self.arrays.values()
            if isinstance(a, Value) and (a.aval.dtype.itemsize == 8 or a.aval.dtype == np.uint32)
        ]
        return np.dtype(np.int64 if wide or max(self.shape, default=0) > 2**31 - 2 else np.int32)

    def positions(self, axis: int, dtype: np.dtype) -> Any:
        """The index array of `axis`; negative traced indices count from the end."""
        index = self.arrays[axis]
        if type(index) is int:
            return full((), index, dtype)
        if not isinstance(index, Value):
            return Array(np.asarray(index, dtype))
        signed = index.aval.dtype.kind == "i"
        index = convert_element_type(index, dtype)
        return e.select(e.lt.bind(index, 0), index + self.shape[axis], index) if signed else index

    def stacked(self, axes: Sequence[int], arrays: Sequence[Any]) -> Any:
        """Index arrays of `axes`, broadcast together, along a new last axis."""
        shape = broadcast_shapes(*[a.shape for a in arrays])
        return concatenate(
            [expand_dims(broadcast_to(a, shape), (len(shape),)) for a in arrays], len(shape)
        )


def _item(item: Any) -> Any:
    """One item of an index in a plain form: None, Ellipsis, slice, int, NumPy array, or tracer."""
    if item is None or item is Ellipsis or type(item) is int or isinstance(item, slice):
        return item
    if isinstance(item, (bool, np.bool_)):
        return np.asarray(item)
    if isinstance(item, (list, tuple)):
        item = asarray(item)
        if not item.size and not isinstance(item, Tracer):  # of which NumPy makes integers, too
            item = np.zeros(item.shape, np.int64)
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
            ConcretizationTypeError(
                "a boolean index must be known while the program is traced, but this is "
                f"{item.aval}, "
                f"{item.origin()}: the result's shape would depend on it.\n  Use "
                "dx.numpy.where(mask, "
                "a, b), or x.at[mask].set(scalar) to write; dx.numpy.nonzero(mask, size=n) gives n "
                "places."
            )
        )
    return item


def _expand(index: Any, ndim: int, shape: Any) -> list[Any]:
    """The items of an index, with slices in place of Ellipsis, for all axes."""
    items = [_item(i) for i in (index if type(index) is tuple else (index,))]
    used = 0
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
    rest = [slice(None)] * (ndim - used) or [GAP]
    return items[: dots[0]] + rest + items[dots[0] + 1 :] if dots else items + rest


def out_of_bounds(index: Any, axis: int, shape: Sequence[int]) -> Exception:
    """The error for an index that is not within its axis."""
    return with_user_line(
        IndexError(
            f"index {index} is out of bounds for axis {axis} of shape {tuple(shape)}, which "
            "has size "
            f"{shape[axis]}; x.at[...].get(mode='clip' or 'fill') allows it"
        )
    )


def _checked(index: Any, axis: int, shape: Sequence[int], allow: bool) -> Any:
    """A known index or index array, not negative; IndexError if it is out of bounds."""
    n = shape[axis]
    if type(index) is int:
        if not -n <= index < n and not allow:
            raise out_of_bounds(index, axis, shape)
        return index + n if index < 0 else index
    index = index.astype(np.int64)
    if index.size and not allow:
        low, high = index.min(), index.max()
        if low < -n or high >= n:
            raise out_of_bounds(int(low if low < -n else high), axis, shape)
    return np.where(index < 0, index + n, index)


def _span(item: slice, size: int) -> Span:
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


def read_index(shape: tuple[int, ...], index: Any, allow: bool = False) -> Layout:
    """The layout of `index` into an array of `shape`.

    Args:
        shape: The shape of the array that is indexed.
        index: What stands between the brackets.
        allow: Known indices may be out of bounds (a mode was given for them).

    Raises:
        IndexError: for too many indices, or a known one that is out of bounds.
        TypeError: for what is no index; ConcretizationTypeError for a traced mask or slice bound.
    """
    entries: list[Any] = []  # (axis, Span | int | array), or (None | GAP, None)
    inserted: list[int] = []
    sizes = list(shape)
    axis = 0
    for item in _expand(index, len(shape), shape):
        if item is None or item is GAP:
            entries.append((item, None))
            continue
        if isinstance(item, np.ndarray) and item.dtype == np.bool_:
            if item.ndim == 0:
                sizes.insert(axis, 1)
                inserted.append(axis)
                places: Any = (np.zeros(int(item), np.int64),)
            elif item.shape != tuple(sizes[axis : axis + item.ndim]):
                raise with_user_line(
                    IndexError(
                        f"a boolean index of shape {item.shape} does not match the axes from "
                        f"{axis} on "
                        f"of shape {tuple(sizes)}"
                    )
                )
            else:
                places = np.nonzero(item)
            entries += [(axis + k, p) for k, p in enumerate(places)]
            axis += len(places)
            continue
        if isinstance(item, slice):
            entries.append((axis, _span(item, sizes[axis])))
        elif isinstance(item, Value):
            entries.append((axis, item))
        else:
            entries.append((axis, _checked(item, axis, sizes, allow)))
        axis += 1
    return _arranged(tuple(sizes), tuple(inserted), entries, allow)


def _arranged(
    shape: tuple[int, ...], inserted: tuple[int, ...], entries: list[Any], allow: bool
) -> Layout:
    spans = {a: p for a, p in entries if isinstance(p, Span)}
    arrays = {a: p for a, p in entries if p is not None and not isinstance(p, Span)}
    empty = [a for a, i in arrays.items() if isinstance(i, Value) and shape[a] == 0]
    if empty and not allow:
        raise out_of_bounds("(traced)", empty[0], shape)
    batch = broadcast_shapes(
        *[np.shape(a) if not isinstance(a, Value) else a.shape for a in arrays.values()]
    )
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


def take_spans(x: Any, spans: dict[int, Span]) -> Any:
    """The array cut to `spans`; axes without one stay whole."""
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


def with_inserted(x: Any, layout: Layout) -> Any:
    """The array in the layout's shape."""
    return reshape(x, layout.shape)
