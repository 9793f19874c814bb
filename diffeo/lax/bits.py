"""XLA's own generator of random bits, which carries its state explicitly."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from ..numpy.common import arr, no_sharding, static_shape
from ..primitives.core import describe, with_user_line
from ..primitives.support.foreign import array_dtype
from ..primitives.types import uint32, uint64
from ..primitives.words.slicing import concatenate, slice_in_dim
from ..primitives.words.structural import convert_element_type, convert_exactly, reshape
from ..routines.random_bits import RngBitGenerator
from .strict import apply


class RandomAlgorithm(enum.IntEnum):
    """A generator of bits: the platform's own (Philox), Threefry-2x32, or Philox-4x32."""

    RNG_DEFAULT = 0
    RNG_THREE_FRY = 1
    RNG_PHILOX = 2


def rng_bit_generator(
    key: Any,
    shape: Any,
    dtype: Any = np.uint32,
    algorithm: Any = RandomAlgorithm.RNG_DEFAULT,
    *,
    out_sharding: Any = None,
) -> tuple[Any, Any]:
    """Return the next state of a generator, and random bits.

    The bits are those that XLA makes, evaluated or compiled; `dx.random` has the generators for
    ordinary use. Under `vmap` each row has the bits of its own state.

    Args:
        key: the state, a key and a counter of 64 bits each: uint64[2], or uint32[4] with the lower
            words first.
        shape: of the bits.
        dtype: uint8, uint16, uint32 or uint64.
        algorithm: a `RandomAlgorithm`.

    Returns:
        (the new state, of the type of `key`; the bits). The key stays, the counter counts.

    Raises:
        TypeError: for another state or dtype.
        ValueError: for an unknown algorithm.

    Examples:
        >>> key = np.array([7, 0], np.uint64)
        >>> key, bits = rng_bit_generator(key, (3,), algorithm=RandomAlgorithm.RNG_THREE_FRY)
        >>> key, bits.dtype
        (Array([7, 2], dtype=uint64), dtype('uint32'))
    """
    if out_sharding is not None:
        raise no_sharding("rng_bit_generator", out_sharding)
    key = arr(key)
    narrow = key.dtype == uint32 and key.shape == (4,)
    if not narrow and (key.dtype != uint64 or key.shape != (2,)):
        raise with_user_line(
            TypeError(
                "rng_bit_generator: the state must be uint64[2] or uint32[4], got "
                f"{describe(key)}; "
                "map over states with dx.vmap"
            )
        )
    if algorithm not in list(RandomAlgorithm):
        raise with_user_line(
            ValueError(f"rng_bit_generator: algorithm must be a RandomAlgorithm, got {algorithm!r}")
        )
    # The primitive takes words of 64 bits: pairs of 32 bits are joined here and split at the end.
    if narrow:
        words = convert_exactly(reshape(key, (2, 2)), uint64)
        low, high = (slice_in_dim(words, i, i + 1, 1, 1) for i in (0, 1))
        key = reshape(low | high << 32, (2,))
    name = RandomAlgorithm(algorithm).name.removeprefix("RNG_")
    primitive = RngBitGenerator(static_shape(shape, "rng_bit_generator"), array_dtype(dtype), name)
    next_state, bits = apply(primitive, key)
    if narrow:
        column = reshape(next_state, (2, 1))
        words = concatenate([column & 0xFFFFFFFF, column >> 32], 1)
        next_state = convert_element_type(reshape(words, (4,)), uint32)
    return next_state, bits
