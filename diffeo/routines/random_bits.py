"""threefry2x32, the counter-based generator behind diffeo.random, and XLA's own generator of bits.

A counter-based generator encrypts a counter with a key: the same key and counter always give the
same random word, and words can be computed in any order. Threefry encrypts two words of 32 bits in
twenty rounds of additions, rotations and exclusive ors (Salmon et al., SC 2011).

Start with `_rounds`, then `RandomBits`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.builder import LoweringContext
from ..primitives.constants import full, full_like
from ..primitives.core import Value
from ..primitives.families import Discrete
from ..primitives.formulas.reference import fused_multiply_add
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray, uint32, uint64
from ..primitives.words.elementwise import (
    Elementwise,
    logical_or,
    select,
    shift_left,
    shift_right_logical,
)
from ..primitives.words.slicing import concatenate, slice_in_dim, stack
from ..primitives.words.structural import (
    Iota,
    Shape,
    batch_at_front,
    broadcast_in_dim,
    convert_element_type,
    convert_exactly,
    iota,
    move_axis,
    reshape,
)

#: By how many bits the four rounds of a block rotate, in blocks of even and of odd number.
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def _block(x0: Any, x1: Any, amounts: Sequence[Any], rotate: Callable) -> tuple[Any, Any]:
    """Return two words after four rounds, in whatever arithmetic the operands have.

    `rotate(x, n)` turns 32 bits to the left.
    """
    for n in amounts:
        x0 = x0 + x1
        x1 = x0 ^ rotate(x1, n)
    return x0, x1


def _rounds(k0: Any, k1: Any, x0: Any, x1: Any, rotate: Callable) -> tuple[Any, Any]:
    """Return two words after twenty rounds, five blocks, with keys added in between."""
    keys = (k0, k1, k0 ^ k1 ^ 0x1BD11BDA)
    x0, x1 = x0 + keys[0], x1 + keys[1]
    for block in range(5):
        x0, x1 = _block(x0, x1, ROTATIONS[block % 2], rotate)
        x0 = x0 + keys[(block + 1) % 3]
        x1 = x1 + keys[(block + 2) % 3] + (block + 1)
    return x0, x1


def _rotate(x: Value, n: Any) -> Any:
    """Rotate traced words to the left."""
    return logical_or.bind(shift_left.bind(x, n), shift_right_logical.bind(x, 32 - n))


#: The low 32 bits.
_MASK = 0xFFFFFFFF
#: Up to this many words, Python's integers are faster than NumPy's arrays.
_FEW = 8


def _rotate_integer(x: int, n: int) -> int:
    """Rotate the low 32 bits of a Python integer; bits that carry left above them are dropped."""
    x &= _MASK
    return (x << n | x >> 32 - n) & _MASK


def _few_words(operands: Sequence[tuple[int, ...]], shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return the words for each (key, key, counter, counter), as two arrays of `shape`."""
    pairs = [_rounds(*o, rotate=_rotate_integer) for o in operands]
    return [np.array([p[i] & _MASK for p in pairs], uint32).reshape(shape) for i in (0, 1)]


#: Up to this many words the rounds are compiled as a loop. XLA does not fuse the loop with what
#: uses the words; keys made from keys would otherwise repeat their rounds, and compile for seconds.
_ROLLED = 1024


def _first_state(k0: Value, k1: Value, x0: Value, x1: Value) -> list[Any]:
    """Return the loop's state: block number, words, keys in the order in which blocks add them."""
    return [full((), 0, uint32), x0 + k0, x1 + k1, k1, k0 ^ k1 ^ 0x1BD11BDA, k0]


def _next_state(i: Value, x0: Value, x1: Value, ka: Value, kb: Value, kc: Value) -> list[Any]:
    """Return the state after one block of `_rounds`, for a traced block number."""
    spread = lambda n: broadcast_in_dim(n, x0.shape, ())
    even = (i & 1) == 0
    amounts = [spread(select(even, full_like(i, a), b)) for a, b in zip(*ROTATIONS)]
    x0, x1 = _block(x0, x1, amounts, _rotate)
    i = i + 1
    return [i, x0 + ka, x1 + kb + spread(i), kb, kc, ka]


@frozen
class Threefry2x32(Discrete):
    """Two words of 32 random bits from a key of two words and a counter of two words.

    All operands and results are uint32 arrays of one shape.
    """

    multiple_results = True

    def abstract_eval(self, *xs: ShapedArray) -> list[ShapedArray]:
        if len(xs) != 4 or any(x is not xs[0] for x in xs) or xs[0].dtype != uint32:
            raise TypeError(
                "threefry2x32: expects two key words and two counters, uint32 of one shape, "
                f"got {xs}"
            )
        return [xs[0], xs[0]]

    def impl(self, *xs: np.ndarray) -> list[np.ndarray]:
        if all([x.size <= _FEW and x.shape == xs[0].shape for x in xs]):
            return _few_words(list(zip(*[x.ravel().tolist() for x in xs])), xs[0].shape)
        with np.errstate(over="ignore"):  # the sums are modulo 2**32
            rotate = lambda x, n: (x << np.uint32(n)) | (x >> np.uint32(32 - n))
            return list(_rounds(*xs, rotate=rotate))

    def lower(self, ctx: LoweringContext, *xs: Any) -> Any:
        if xs[0].aval.size > _ROLLED:
            return ctx.inline(self.decompose, *xs)
        state = ctx.inline(_first_state, *xs)
        avals = [v.aval for v in state]
        more = ctx.region(avals, lambda i, *_: [ctx.compare("LT", i, ctx.constant(5, i.aval))])
        step = ctx.region(avals, lambda *state: ctx.inline(_next_state, *state))
        return ctx.emit("while", state, avals, {}, f"{more[:-1]}, {step[2:]}")[1:3]

    def decompose(self, *xs: Any) -> Any:
        return list(_rounds(*xs, rotate=_rotate))

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*[batch_at_front(a, d, size) for a, d in zip(args, dims)]), [0, 0]


@frozen
class RandomBits(Discrete):
    """Two arrays of random words, of `shape`, from a key of two words.

    Element i is encrypted counter i, in row-major order; the counter has 64 bits. These are the
    bits of jax's `threefry_partitionable`. The operand may hold many keys along its leading axes,
    which come before `shape` in the results.
    """

    shape: tuple[int, ...]
    multiple_results = True

    def abstract_eval(self, key: ShapedArray) -> list[ShapedArray]:
        if key.dtype != uint32 or key.shape[-1:] != (2,):
            raise TypeError(
                f"random_bits: expects keys, uint32 with two words on the last axis, got {key}"
            )
        return [ShapedArray(key.shape[:-1] + self.shape, uint32)] * 2

    def impl(self, key: np.ndarray) -> list[np.ndarray]:
        batch, size = key.shape[:-1], math.prod(self.shape)
        if key.ndim == 1 and size <= _FEW:
            k0, k1 = key.tolist()
            return _few_words([(k0, k1, 0, i) for i in range(size)], self.shape)
        counter = np.arange(size, dtype=uint64).reshape(self.shape)
        high, low = (counter >> np.uint64(32)).astype(uint32), counter.astype(uint32)
        k0, k1 = (key[..., i].reshape(batch + (1,) * len(self.shape)) for i in (0, 1))
        out = Threefry2x32().impl(k0, k1, high, low)
        return [np.broadcast_to(x, batch + self.shape) for x in out]

    def decompose(self, key: Value) -> Any:
        batch, size = key.shape[:-1], math.prod(self.shape)
        shape, axes = batch + self.shape, range(len(batch))
        words = [reshape(slice_in_dim(key, i, i + 1, 1, key.ndim - 1), batch) for i in (0, 1)]
        k0, k1 = (broadcast_in_dim(w, shape, axes) for w in words)
        if size <= 1 << 32:
            high, low = full(self.shape, 0, uint32), reshape(iota(uint32, (size,)), self.shape)
        else:
            counter = reshape(Iota((size,), uint64, 0).bind(), self.shape)
            high = convert_element_type(shift_right_logical.bind(counter, 32), uint32)
            low = convert_element_type(counter, uint32)
        last = range(len(batch), len(shape))
        return threefry2x32(k0, k1, *[broadcast_in_dim(x, shape, last) for x in (high, low)])

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(move_axis(args[0], dims[0], 0)), [0, 0]  # type: ignore[arg-type]


def random_bits(key: Value, shape: Sequence[int]) -> list[Any]:
    """Return two arrays of `shape` of random words, uint32, from a key (uint32, two words)."""
    return RandomBits(tuple(shape)).bind(key)


def threefry2x32(k0: Value, k1: Value, x0: Value, x1: Value) -> list[Any]:
    """Return random words from key words and counters, all uint32 of one shape."""
    return Threefry2x32().bind(k0, k1, x0, x1)


#: Philox4x32's multipliers, and what is added to the key words after each round.
_PHILOX = ((0xD2511F53, 0x9E3779B9), (0xCD9E8D57, 0xBB67AE85))


def philox_rounds(a: Any, b: Any, c: Any, d: Any, k0: Any, k1: Any) -> list[Any]:
    """Return four words after ten rounds on the counter words a to d.

    All words have 32 bits, held in 64.
    """
    (m0, w0), (m1, w1) = _PHILOX
    for _ in range(10):
        p, q = a * m0, c * m1
        a, b, c, d = (q >> 32) ^ b ^ k0, q & _MASK, (p >> 32) ^ d ^ k1, p & _MASK
        k0, k1 = (k0 + w0) & _MASK, (k1 + w1) & _MASK
    return [a, b, c, d]


def _split(x: Value) -> tuple[Any, Any]:
    """Return the lower and the upper 32 of 64 bits."""
    return x & _MASK, x >> 32


def _halved(shape: Shape) -> tuple[Shape, int]:
    """Return a shape halved where XLA's threefry splits it, and the axis that is split.

    That is the first axis of even size, or else the longest axis: (3, 4) becomes (3, 2), and axis
    1.
    """
    shape = shape or (1,)
    even = [i for i, n in enumerate(shape) if n % 2 == 0]
    at = even[0] if even else shape.index(max(shape))
    return (*shape[:at], -(-shape[at] // 2), *shape[at + 1 :]), at


@frozen
class RngBitGenerator(Discrete):
    """XLA's generator: a new state, and random bits of `shape` and `dtype`, from a state.

    A state is a key and a counter of 64 bits each. The operand may hold many states along its
    leading axes, which come before `shape` in the results. `algorithm` is THREE_FRY or PHILOX;
    DEFAULT is PHILOX, too.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    algorithm: str
    multiple_results = True

    def abstract_eval(self, state: ShapedArray) -> list[ShapedArray]:
        if self.algorithm not in ("DEFAULT", "THREE_FRY", "PHILOX"):
            raise ValueError(f"rng_bit_generator: there is no algorithm {self.algorithm!r}")
        if state.dtype != uint64 or state.shape[-1:] != (2,) or self.dtype.kind != "u":
            raise TypeError(
                "rng_bit_generator: expects a state, uint64 with a key and a counter on the last "
                f"axis, and an unsigned dtype; got {state} and {self.dtype}"
            )
        return [state, ShapedArray(state.shape[:-1] + self.shape, self.dtype)]

    def impl(self, state: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(out) for out in self.decompose(Array(state))]

    def lower(self, ctx: LoweringContext, state: Any) -> Any:
        if state.aval.ndim > 1:
            return ctx.inline(self.decompose, state)
        algorithm = {"rng_algorithm": f"#stablehlo<rng_algorithm {self.algorithm}>"}
        return ctx.emit("rng_bit_generator", [state], ctx.outs, algorithm)

    def decompose(self, state: Value) -> list[Any]:
        batch, axis, size = state.shape[:-1], state.ndim - 1, math.prod(self.shape)
        threefry, wide = self.algorithm == "THREE_FRY", self.dtype == uint64
        # Each encryption gives two words, threefry's, or four, Philox's. XLA puts threefry's two
        # words of 32 bits side by side along one axis.
        if threefry and not wide:
            block, split_axis = _halved(self.shape)
            limit = (*self.shape, 1)[split_axis]
        else:  # all words in a row
            block, split_axis, limit = (-(-size * (1 + wide) // (2 if threefry else 4)),), 0, size
        row_shape = (*batch, math.prod(block))
        key, start = (slice_in_dim(state, i, i + 1, 1, axis) for i in (0, 1))
        next_state = concatenate([key, start + row_shape[-1]], axis)
        key, start = (broadcast_in_dim(x, row_shape, range(len(row_shape))) for x in (key, start))
        low = start + broadcast_in_dim(Iota(row_shape[-1:], uint64, 0).bind(), row_shape, (axis,))
        if threefry:
            operands = [convert_element_type(w, uint32) for w in (*_split(key), *_split(low))]
            words = [convert_exactly(w, uint64) for w in threefry2x32(*operands)]
        else:  # the counter of 128 bits starts with the key as its upper half
            high = key + convert_exactly(low < start, uint64)
            words = philox_rounds(*_split(low), *_split(high), *_split(key))
        if wide:
            words = [a | b << 32 for a, b in zip(words[::2], words[1::2])]
        out = stack([reshape(w, batch + block) for w in words], axis + split_axis + 1)
        out = reshape(
            out,
            (*batch, *block[:split_axis], block[split_axis] * len(words), *block[split_axis + 1 :]),
        )
        out = reshape(slice_in_dim(out, 0, limit, 1, axis + split_axis), batch + self.shape)
        return [next_state, convert_element_type(out, self.dtype)]

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(move_axis(args[0], dims[0], 0)), [0, 0]  # type: ignore[arg-type]


#: x * y + z, by which uniform numbers are moved into their range. The compiler contracts the two
#: operations, so the result is rounded once; evaluation does the same, and bits agree.
fma = Elementwise(
    "fma",
    fused_multiply_add,
    lambda ctx, x, y, z: ctx.op("add", ctx.op("multiply", x, y), z),
    lambda x, y, z: y,
    lambda x, y, z: x,
    lambda x, y, z: 1.0,
    accepts="f",
)
