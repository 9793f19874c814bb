"""Order: sort, of one array or of several by the order of the first ones, and the largest elements.

Compiled programs sort unsigned integers where they can, as XLA does that fast. So a number's bits
are turned into a key: an unsigned integer with the same order (see `_to_bits`). To sort other
arrays along, the place of an element is put into the low bits of its key (see `argsort`); "place"
is the index of an element along the sorted axis.

Start with `Sort`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.builder import LoweringContext
from ..primitives.constants import full_like
from ..primitives.core import Primitive, Value, typeof
from ..primitives.stand_ins import ZERO
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray, bfloat16, float32, uint8, uint32, uint64
from ..primitives.words.elementwise import (
    STORAGE,
    eq,
    imag,
    kind_of,
    ne,
    real,
    select,
    shift_left,
    shift_right_logical,
)
from ..primitives.words.indexing import Gather, IndexDims
from ..primitives.words.reduction import reduce_or
from ..primitives.words.slicing import slice_in_dim
from ..primitives.words.structural import (
    Iota,
    batch_at_front,
    bitcast_convert_type,
    check_axes,
    convert_element_type,
    convert_exactly,
    expand_dims,
    iota,
    move_axis,
)

#: From this number of elements on, several operands are sorted by integers that hold key and place.
#: XLA sorts integers several times as fast as with a comparator, but the program is longer.
_MANY = 4096

#: Below this number of elements, floating-point numbers are sorted with a comparator, as the
#: program is shorter.
_FEW = 256


@frozen
class Sort(Primitive):
    """The sort of all operands along `axis` by the first `num_keys` operands; nan comes last.

    Earlier keys weigh more. Complex numbers are ordered by their real parts, then by their
    imaginary parts, and nan among them as NumPy orders them. Equal elements keep their order,
    unless `stable` is False.
    """

    axis: int
    num_keys: int = 1
    stable: bool = True
    multiple_results = True

    def abstract_eval(self, *xs: ShapedArray) -> list[ShapedArray]:
        if not xs or any(x.shape != xs[0].shape for x in xs) or not 0 <= self.axis < xs[0].ndim:
            raise TypeError(
                f"sort: expects operands of one shape with an axis {self.axis}, got {xs}"
            )
        if not 1 <= self.num_keys <= len(xs):
            raise TypeError(f"sort: num_keys must be in [1, {len(xs)}], got {self.num_keys}")
        if any(kind_of(x.dtype) in "sk" for x in xs[: self.num_keys]):
            raise TypeError(f"sort: the keys {xs[: self.num_keys]} have no order; {STORAGE}")
        return list(xs)

    def impl(self, *xs: np.ndarray) -> list[np.ndarray]:
        if len(xs) == 1 and xs[0].dtype.kind != "V":
            return [sort_numpy(xs[0], self.axis)]
        keys = [_numpy_key(k) for k in xs[: self.num_keys]]
        if self.num_keys == 1:
            order = np.argsort(keys[0], self.axis, kind="stable")
        else:
            order = np.lexsort(keys[::-1], self.axis)
        return [np.take_along_axis(x, order, self.axis) for x in xs]

    def lower(self, ctx: LoweringContext, *operands: Any) -> Any:
        xs: Sequence[Any] = operands
        aval = xs[0].aval
        kinds = [kind_of(x.aval.dtype) for x in xs[: self.num_keys]]
        floats = kinds == ["f"] and len(xs) == 1 and aval.size >= _FEW
        # The key of a narrow number and its place fit into 64 bits, so one sort is enough.
        worthwhile = aval.size >= _MANY if len(xs) > 1 else floats and aval.dtype.itemsize < 8
        many = worthwhile and aval.shape[self.axis] < 2**31
        if not aval.size:
            return list(xs)
        if "c" in kinds or many:
            return ctx.inline(self._by_places, *operands)
        if floats:
            return self._lower_floats(ctx, operands[0])
        return ctx.sort(xs, self.axis, self.num_keys, comparable, self.stable)

    def _lower_floats(self, ctx: LoweringContext, x: Any) -> Any:
        """Sort the bits of numbers as integers, which XLA does fast.

        Different bits get different integers, so the numbers can be restored. Where equal numbers
        have different bits (zeros of both signs, several nan), this loses their order; then the
        program sorts again, with a comparator.
        """
        distinct = lambda x: Sort(self.axis).bind(_all_distinct(x))[0]
        ordered, ties = ctx.inline(lambda x: _with_ties(distinct(x), x.aval, self.axis), x)
        again = lambda: ctx.sort([x], self.axis, 1, comparable)
        return ctx.case(ties, [lambda: [ordered], again], [x.aval])

    def _by_places(self, *xs: Any) -> list[Any]:
        """Find the order of the keys, then gather all operands in this order."""
        order = argsort(xs[: self.num_keys], self.axis)
        return [_moved(x, order, self.axis) for x in xs]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Sort the places along with the operands, then gather the tangents from these places."""
        aval = typeof(primals[0])
        if not aval.size:
            return self.bind(*primals), list(tangents)
        dtype = np.int32 if aval.shape[self.axis] < 2**31 else np.int64
        places = iota(dtype, aval.shape, self.axis)
        *outs, order = self.bind(*primals, places)
        return outs, [_follow(t, order, self.axis) for t in tangents]

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        outs = Sort(self.axis + 1, self.num_keys, self.stable).bind(
            *[batch_at_front(a, d, size) for a, d in zip(args, dims)]
        )
        return outs, [0] * len(outs)


@frozen
class TopK(Primitive):
    """The `k` largest elements along `axis`, the largest first, and their places (int32).

    nan counts as larger than all numbers; of equal elements the first one comes first.
    """

    k: int
    axis: int
    multiple_results = True

    def abstract_eval(self, x: ShapedArray) -> list[ShapedArray]:
        check_axes("top_k", (self.axis,), x.ndim)
        if kind_of(x.dtype) not in "biuf":
            raise TypeError(f"top_k: expects real numbers, which have an order, got {x}")
        if not 0 <= self.k <= x.shape[self.axis]:
            raise ValueError(
                f"top_k: k={self.k} must be in [0, {x.shape[self.axis]}] for axis {self.axis} of "
                f"{x}"
            )
        shape = (*x.shape[: self.axis], self.k, *x.shape[self.axis + 1 :])
        return [ShapedArray(shape, x.dtype), ShapedArray(shape, np.dtype(np.int32))]

    def impl(self, x: np.ndarray) -> list[np.ndarray]:
        # A stable sort keeps the order of equal elements, and the result is read backwards. So sort
        # the array backwards: then the first of equal elements comes first in the result.
        before = (slice(None),) * self.axis
        back = (*before, slice(None, None, -1))
        upwards = _numpy_key(x)[back].argsort(self.axis, kind="stable")
        best = x.shape[self.axis] - 1 - upwards[back][(*before, slice(self.k))]
        values = x[best] if x.ndim == 1 else np.take_along_axis(x, best, self.axis)
        return [values, best.astype(np.int32)]

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        n, dtype, last = x.aval.shape[self.axis], x.aval.dtype, x.aval.ndim - 1
        fits = dtype.itemsize < 3 or dtype == float32  # XLA's kernel takes float32 only
        if not fits or not 0 < self.k <= n // 8 or not x.aval.size:
            return ctx.inline(self._by_places, x)
        key = ctx.inline(lambda x: move_axis(_float32_key(x), self.axis, last), x)
        shape = (*key.aval.shape[:-1], self.k)
        outs = [ShapedArray(shape, d) for d in (float32, np.dtype(np.int32))]
        best = ctx.emit("chlo.top_k", [key], outs, {"k": f"{self.k} : i64"})
        return ctx.inline(
            self._at_places,
            x,
            ctx.inline(
                lambda i: move_axis(convert_element_type(i, np.int32), last, self.axis), best[1]
            ),
        )

    def _at_places(self, x: Value, places: Value) -> list[Any]:
        return [_moved(x, places, self.axis), places]

    def _by_places(self, x: Value) -> list[Any]:
        """Sort all, and take the first `k`."""
        if not self.k or not x.size:
            return [full_like(aval, False) for aval in self.abstract_eval(x.aval)]
        order = slice_in_dim(argsort([x], self.axis, True), 0, self.k, 1, self.axis)
        return self._at_places(x, order)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        values, places = self.bind(*primals)
        t = _follow(tangents[0], places, self.axis) if values.size else ZERO
        return [values, places], [t, ZERO]

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return TopK(self.k, self.axis + 1).bind(move_axis(args[0], dims[0], 0)), [0, 0]


def sort_numpy(x: np.ndarray, axis: int) -> np.ndarray:
    """Sort as NumPy's stable sort does, by its quick sort.

    Among floating-point numbers, only zeros (of both signs) and nan can be equal and differ in
    their bits. These are put back in their order. Complex numbers are sorted by the stable sort.
    """
    if x.dtype.kind == "c":
        return np.sort(x, axis, kind="stable")
    out = np.sort(x, axis)
    if x.dtype.kind == "f":
        before, after = np.moveaxis(x, axis, -1), np.moveaxis(out, axis, -1)
        for equal in (lambda v: v == 0, lambda v: v != v):
            selected = equal(before)
            if selected.any():
                after[equal(after)] = before[selected]
    return out


def _numpy_key(x: np.ndarray) -> np.ndarray:
    """Return an array that NumPy orders right: it does not know where nan of bfloat16 belongs."""
    return x.astype(np.float32) if x.dtype.kind == "V" else x


def _moved(x: Value, places: Value, axis: int) -> Any:
    """Return the elements of `x` at the places, with all their bits.

    bfloat16 is moved as integers: XLA computes with it in float32, and has one nan only.
    """
    dtype = typeof(x).dtype
    x = bitcast_convert_type(x, np.uint16) if dtype == bfloat16 else x
    out = take_along_axis(x, places, axis, "promise_in_bounds")
    return bitcast_convert_type(out, dtype) if dtype == bfloat16 else out


def _follow(t: Any, order: Value, axis: int) -> Any:
    """Return the tangent `t` in the order of its primal."""
    return t if t is ZERO else take_along_axis(t, order, axis, "promise_in_bounds")


# --------------------------------------------------------------------------------------------------
# Numbers as unsigned integers that have the same order


def _float32_key(x: Value) -> Any:
    """Return float32 numbers in the order of `x`, which has 16 bits at most or is float32.

    Zeros of both signs get one key, and so do all nan.
    """
    dtype = typeof(x).dtype
    if kind_of(dtype) != "f":
        return convert_element_type(x, float32)
    # The numbers are made of bits, as the machine may take subnormal numbers for 0.
    key = convert_element_type(_to_bits(x), uint32)
    key = shift_left.bind(key, full_like(key, 32 - 8 * dtype.itemsize)) if dtype != float32 else key
    return bitcast_convert_type(select(key >= 1 << 31, key ^ (1 << 31), ~key), float32)


def _to_bits(x: Value) -> Any:
    """Return unsigned integers of the width of `x` in the order of `x`.

    nan is last, and zeros are equal. Signed 8-bit integers -128, 0, 127 become 0, 128, 255.
    """
    dtype, kind = typeof(x).dtype, kind_of(typeof(x).dtype)
    if kind in "bu":
        return convert_element_type(x, uint8) if kind == "b" else x
    width = 8 * dtype.itemsize
    sign = 1 << (width - 1)
    bits = bitcast_convert_type(x, f"u{dtype.itemsize}")
    if kind == "i":
        return bits ^ sign
    # Compare as integers: among numbers, the machine may take subnormal ones for 0. A negative
    # number has `sign` set, and a larger size comes earlier.
    size = bits & (sign - 1)
    return select(
        size > _infinity(dtype), 2 * sign - 1, select(bits >= sign, sign - size, bits | sign)
    )


def _infinity(dtype: np.dtype) -> int:
    """Return the bits of infinity; the bits of nan are larger, but for the sign."""
    return int(np.array(np.inf, dtype).view(f"u{dtype.itemsize}"))


def comparable(x: Any) -> Any:
    """Return what a comparator compares in place of floating-point numbers.

    The integers have the order of `Sort`; the machine may take subnormal numbers for 0.
    """
    return _to_bits(x) if kind_of(typeof(x).dtype) == "f" else x


def _all_distinct(x: Value) -> Any:
    """Return unsigned integers in the order of `x`, different ones for different bits.

    As `_to_bits`, but -0 is below 0, and nan are in the order of their bits.
    """
    dtype = typeof(x).dtype
    sign = 1 << (8 * dtype.itemsize - 1)
    bits = bitcast_convert_type(x, f"u{dtype.itemsize}")
    # nan with a sign have the least integers. Subtract what is below -inf: they wrap around to the
    # largest integers, after all numbers.
    return select(bits >= sign, ~bits, bits | sign) - (sign - 1 - _infinity(dtype))


def _with_ties(keys: Value, aval: ShapedArray, axis: int) -> tuple[Any, Any]:
    """Return the numbers whose keys by `_all_distinct` are the sorted `keys`, and a flag.

    The flag is an int32: 1 if equal neighbours differ in their bits, else 0.
    """
    sign = 1 << (8 * aval.dtype.itemsize - 1)
    bits = keys + (sign - 1 - _infinity(aval.dtype))
    x = bitcast_convert_type(select(bits >= sign, bits ^ sign, ~bits), aval.dtype)
    pairs = [(k[0], k[1]) for k in (_neighbours(keys, axis), _neighbours(_to_bits(x), axis))]
    differ, equal = ne.bind(*pairs[0]), eq.bind(*pairs[1])
    ties = reduce_or(differ & equal, range(len(aval.shape)))
    return x, convert_element_type(ties, np.int32)


def _neighbours(x: Value, axis: int) -> list[Any]:
    """Return the array without its last, and without its first element along an axis.

    Of 1, 2, 3 these are 1, 2 and 2, 3: pairs of neighbours.
    """
    n = x.shape[axis]
    return [slice_in_dim(x, i, i + n - 1, 1, axis) for i in (0, 1)]


def _words(x: Value) -> list[Any]:
    """Return unsigned integers of 32 bits at most that together order `x`, the weightiest first.

    A complex number has three kinds of words: which of its parts are nan, its real part, its
    imaginary part. 64 bits are two words.
    """
    if typeof(x).dtype.kind == "c":
        parts = [real.bind(x), imag.bind(x)]
        first, second = (convert_element_type(p != p, uint8) for p in parts)
        return [first * 2 + second, *_words(parts[0]), *_words(parts[1])]
    bits = _to_bits(x)
    if typeof(bits).dtype != uint64:
        return [bits]
    high = convert_element_type(shift_right_logical.bind(bits, 32), uint32)
    return [high, convert_element_type(bits, uint32)]


def argsort(keys: Sequence[Any], axis: int, descending: bool = False) -> Any:
    """Return the places (int32) from which a stable sort by several keys takes the elements.

    For each word of the keys, from the lightest one to the weightiest: take the word in the order
    so far, and sort integers of 64 bits that hold the word and, below it, the place. The places
    make each sort stable, so earlier orders survive among equal words. `descending` reverses the
    order, but not that of equal elements.
    """
    order = None
    for word in reversed([w for k in keys for w in _words(k)]):
        word = ~word if descending else word
        word = word if order is None else take_along_axis(word, order, axis, "promise_in_bounds")
        high = shift_left.bind(convert_exactly(word, uint64), 32)
        both = Sort(axis).bind(high | Iota(word.shape, uint64, axis).bind())[0]
        low = convert_element_type(convert_element_type(both, uint32), np.int32)
        order = low if order is None else take_along_axis(order, low, axis, "promise_in_bounds")
    return order


# --------------------------------------------------------------------------------------------------
# The primitives as functions


def take_along_axis(x: Any, indices: Any, axis: int, mode: str = "clip", fill: bool = False) -> Any:
    """Return `x[..., indices, ...]` along `axis`, with the other axes in step.

    The shapes are equal but for `axis`.
    """
    others = tuple([a for a in range(x.ndim) if a != axis])
    dims = IndexDims((), (axis,), (axis,), others, others)
    return Gather(dims, (1,) * x.ndim, mode, fill).bind(x, expand_dims(indices, (x.ndim,)))


def sort(operands: Sequence[Any], axis: int, num_keys: int = 1, stable: bool = True) -> list[Any]:
    """Return all operands sorted along `axis` by the first `num_keys`."""
    return Sort(axis, num_keys, stable).bind(*operands)


def top_k(x: Any, k: int, axis: int) -> list[Any]:
    """Return the `k` largest elements along `axis`, and their places."""
    return TopK(k, axis).bind(x)
