"""The generators behind keys: what each of them does with the words of a key.

A generator is a table entry of four functions on words, uint32[n]: `seed` makes them of the two
halves of a number, `split` makes many of one key, `fold_in` makes one of a key and a number, and
`bits` draws. The names are jax's, and so are the bits.

- threefry2x32, threefry4x32, philox2x32, philox4x32 encrypt the positions of the elements (Salmon
  et al., SC 2011): an element depends on the key and its position only.
- rbg draws by XLA's own generator, and makes keys by threefry; unsafe_rbg makes keys by XLA's
  generator, too, which nobody has tested for independence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..primitives.constants import full
from ..primitives.core import Value
from ..primitives.families import Discrete
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray, uint32, uint64
from ..primitives.words.elementwise import logical_or, logical_xor, shift_left, shift_right_logical
from ..primitives.words.slicing import Slice, index_in_dim, stack
from ..primitives.words.structural import (
    Iota,
    batch_at_front,
    broadcast_in_dim,
    convert_element_type,
    convert_exactly,
    iota,
    move_axis,
    reshape,
)
from .random_bits import RngBitGenerator, philox_rounds, random_bits, threefry2x32

Shape = tuple[int, ...]

#: The low 32 bits.
_MASK = 0xFFFFFFFF


def _philox2x32(a: Any, b: Any, key: Any) -> list[Any]:
    """Return two words after ten rounds; all words have 32 bits, held in 64."""
    for _ in range(10):
        product = a * 0xD256D193
        a, b = (product >> 32) ^ b ^ key, product & _MASK
        key = (key + 0x9E3779B9) & _MASK
    return [a, b]


#: By how many bits the rounds of threefry4x32 rotate its second and fourth word.
_ROTATIONS = ((10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20))


def _threefry4x32(*words: Any) -> list[Any]:
    """Return the words after twenty rounds: first those of the counter, then those of the key."""
    x, keys = list(words[:4]), list(words[4:])
    keys.append(keys[0] ^ keys[1] ^ keys[2] ^ keys[3] ^ 0x1BD11BDA)
    x = [(w + k) & _MASK for w, k in zip(x, keys)]
    for i in range(20):
        # Words 0 and 2 take one of words 1 and 3 each, in turns.
        for target, source, n in zip((0, 2), (1, 3) if i % 2 == 0 else (3, 1), _ROTATIONS[i % 8]):
            x[target] = (x[target] + x[source]) & _MASK
            turned = (x[source] << n | x[source] >> 32 - n) & _MASK
            x[source] = x[target] ^ turned
        if i % 4 == 3:
            block = i // 4 + 1
            x = [(w + keys[(block + j) % 5] + (block if j == 3 else 0)) & _MASK
                 for j, w in enumerate(x)]  # fmt: skip
    return x


#: The rounds of each cipher, on words held in 64 bits: those of the counter, then the key's.
_ROUNDS: dict[str, Callable] = {
    "philox2x32": _philox2x32,
    "philox4x32": philox_rounds,
    "threefry4x32": _threefry4x32,
}


@frozen
class Cipher(Discrete):
    """The words of a counter encrypted with those of a key, for one of the counter-based ciphers.

    All operands and results are uint32 arrays of one shape: the words of the counter, then those of
    the key; and the encrypted words.
    """

    cipher: str
    multiple_results = True

    def abstract_eval(self, *xs: ShapedArray) -> list[ShapedArray]:
        count = {"philox2x32": 3, "philox4x32": 6, "threefry4x32": 8}[self.cipher]
        if len(xs) != count or any(x is not xs[0] for x in xs) or xs[0].dtype != uint32:
            raise TypeError(
                f"{self.cipher}: expects {count} words of counter and key, uint32 of one shape, "
                f"got {xs}"
            )
        return [xs[0]] * int(self.cipher[-4])

    def impl(self, *xs: np.ndarray) -> list[np.ndarray]:
        wide = [x.astype(uint64) for x in xs]
        return [np.asarray(x).astype(uint32) for x in _ROUNDS[self.cipher](*wide)]

    def decompose(self, *xs: Any) -> list[Any]:
        wide = [convert_exactly(x, uint64) for x in xs]
        return [convert_element_type(x, uint32) for x in _ROUNDS[self.cipher](*wide)]

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        outs = self.bind(*[batch_at_front(a, d, size) for a, d in zip(args, dims)])
        return outs, [0] * len(outs)


class Generator(NamedTuple):
    """What a generator does, as functions of the words of one key.

    Attributes:
        seed: (upper, lower word of a number) -> words.
        split: (words, shape) -> words, uint32[*shape, n].
        fold_in: (words, word) -> words.
        bits: (words, shape, unsigned dtype) -> random bits.
    """

    seed: Callable[[Any, Any], Any]
    split: Callable[[Any, Shape], Any]
    fold_in: Callable[[Any, Any], Any]
    bits: Callable[[Any, Shape, np.dtype], Any]


def positions(shape: Shape) -> tuple[Any, Any]:
    """Return the numbers of elements in row-major order, as upper and lower words."""
    size = math.prod(shape)
    if size <= 1 << 32:
        return full(shape, 0, uint32), reshape(iota(uint32, (size,)), shape)
    counter = reshape(Iota((size,), uint64, 0).bind(), shape)
    high = shift_right_logical.bind(counter, 32)
    return convert_element_type(high, uint32), convert_element_type(counter, uint32)


def in_words(words: Sequence[Any], dtype: np.dtype) -> Any:
    """Return random bits of a dtype made of two words: side by side, or the low bits of their XOR.

    Of more words, those at even and at odd places are first XORed.
    """
    if dtype == uint64:
        high, low = (convert_exactly(w, uint64) for w in words)
        return logical_or.bind(shift_left.bind(high, 32), low)
    return convert_element_type(logical_xor.bind(*words), dtype)


def _counted(cipher: str, keys: int) -> Generator:
    """Return a generator that encrypts positions by a cipher whose keys have `keys` words.

    The counter has room for a position twice, or once: what makes keys, and what draws, use
    different halves, so that neither repeats the other.
    """
    length = int(cipher[-4])
    op = Cipher(cipher)

    def encrypt(words: Any, counter: Sequence[Any]) -> list[Any]:
        shape = counter[0].shape
        key = [broadcast_in_dim(index_in_dim(words, i), shape, ()) for i in range(keys)]
        return op.bind(*counter, *key)

    def zeros(shape: Shape) -> list[Any]:
        return [full(shape, 0, uint32)] * (length - 2)

    def seed(high: Any, low: Any) -> Any:
        zero = full((), 0, uint32)
        # Threefry takes the number as the key, and encrypts 0; Philox encrypts it, with the key 0.
        if cipher == "threefry4x32":
            return stack(op.bind(*[zero] * 4, high, low, zero, zero))
        rest = [zero] * (length - 2 + keys)
        return stack(op.bind(high, low, *rest)[:keys])

    def split(words: Any, shape: Shape) -> Any:
        out = encrypt(words, [*zeros(shape), *positions(shape)])
        return stack(out[:keys], len(shape))

    def fold_in(words: Any, word: Any) -> Any:
        return stack(encrypt(words, [*zeros(()), full((), 0, uint32), word])[:keys])

    def bits(words: Any, shape: Shape, dtype: np.dtype) -> Any:
        out = encrypt(words, [*positions(shape), *zeros(shape)])
        if dtype == uint64 and cipher == "philox4x32":
            out = out[:2]  # jax's choice
        elif length == 4:
            out = [logical_xor.bind(out[0], out[2]), logical_xor.bind(out[1], out[3])]
        return in_words(out, dtype)

    return Generator(seed, split, fold_in, bits)


def _threefry_fold(words: Value, word: Value) -> Any:
    """Return the encryption of a word by each key, for keys uint32[..., 2]."""
    shape, axis = words.shape[:-1], words.ndim - 1
    k0, k1 = (index_in_dim(words, i, axis) for i in (0, 1))
    return stack(threefry2x32(k0, k1, full(shape, 0, uint32), broadcast_in_dim(word, shape, ())),
                 axis)  # fmt: skip


def _threefry_split(words: Value, shape: Shape) -> Any:
    return stack(random_bits(words, shape), words.ndim - 1 + len(shape))


def _threefry_bits(words: Value, shape: Shape, dtype: np.dtype) -> Any:
    return in_words(random_bits(words, shape), dtype)


def xla_bits(words: Value, shape: Shape, dtype: np.dtype) -> Any:
    """Return bits of XLA's generator; its state is the four words, as two numbers of 64 bits."""
    wide = convert_exactly(words, uint64)
    low, high = (Slice((i,), (4,), (2,)).bind(wide) for i in (0, 1))
    state = logical_or.bind(low, shift_left.bind(high, 32))
    drawn = dtype if dtype.itemsize >= 4 else uint32
    return convert_element_type(RngBitGenerator(shape, drawn, "DEFAULT").bind(state)[1], dtype)


def _twice(high: Value, low: Value) -> Any:
    return stack([high, low, high, low])


def _rbg_split(words: Value, shape: Shape) -> Any:
    """Split both halves by threefry, and put them side by side again."""
    halves = _threefry_split(reshape(words, (2, 2)), shape)
    return reshape(move_axis(halves, 0, len(shape)), (*shape, 4))


def _rbg_fold(words: Any, word: Any) -> Any:
    return reshape(_threefry_fold(reshape(words, (2, 2)), word), (4,))


def _unsafe_split(words: Any, shape: Shape) -> Any:
    """Take every tenth block of four words that XLA's generator draws."""
    count = math.prod(shape)
    drawn = xla_bits(words, (10 * count, 4), uint32)
    return reshape(Slice((0, 0), (10 * count, 4), (10, 1)).bind(drawn), (*shape, 4))


def _unsafe_fold(words: Any, word: Any) -> Any:
    drawn = xla_bits(_twice(full((), 0, uint32), word), (10, 4), uint32)
    return logical_xor.bind(words, index_in_dim(drawn, 9))


#: The generators by their names.
GENERATORS = {
    "threefry2x32": Generator(
        lambda high, low: stack([high, low]), _threefry_split, _threefry_fold, _threefry_bits
    ),
    "rbg": Generator(_twice, _rbg_split, _rbg_fold, xla_bits),
    "unsafe_rbg": Generator(_twice, _unsafe_split, _unsafe_fold, xla_bits),
    "philox2x32": _counted("philox2x32", 1),
    "philox4x32": _counted("philox4x32", 2),
    "threefry4x32": _counted("threefry4x32", 4),
}
