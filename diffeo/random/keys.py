"""Keys, how new ones are made of them, and the raw bits that they stand for.

A key is an array uint32[2]. Its two words are the key of the generator threefry2x32
(`routines/random_bits.py`), which encrypts the positions of the elements: so element i of a sample
depends on the key and i only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..numpy.common import static_shape
from ..primitives.array import Array, as_value
from ..primitives.config import config
from ..primitives.constants import full
from ..primitives.core import Value, describe, with_user_line
from ..primitives.support.foreign import array_dtype
from ..primitives.types import uint32, uint64
from ..primitives.words.elementwise import logical_or, logical_xor, shift_left, shift_right_logical
from ..primitives.words.slicing import slice_in_dim, stack
from ..primitives.words.structural import convert_element_type, reshape
from ..routines.random_bits import random_bits, threefry2x32

#: A tuple of integers, or one integer.
Shape = Any


def check_key(name: str, key: Any) -> Any:
    """Return the key as a value; TypeError unless it is one key."""
    if isinstance(key, (Value, np.ndarray)):
        if key.shape == (2,) and key.dtype == uint32:
            return key if isinstance(key, Value) else as_value(key)
        many = key.ndim > 1 and key.shape[-1] == 2 and key.dtype == uint32
        if many:
            raise with_user_line(
                TypeError(
                    f"{name} takes one key, uint32[2], got {describe(key)}, which are many; "
                    "map over "
                    "them with dx.vmap"
                )
            )
    raise with_user_line(
        TypeError(
            f"{name} needs a key, an array uint32[2] made by dx.random.key(seed) or "
            "dx.random.split, "
            f"got {describe(key)}"
        )
    )


def key(seed: Any, *, impl: str | None = None) -> Any:
    """Return a key made from an integer seed.

    Args:
        seed: an integer (any of 64 bits, negative ones too), or an integer array without axes.
        impl: None or "threefry2x32", the one generator there is.

    Returns:
        The key: for now a raw key, uint32[2], which holds the 64 bits of the seed. (jax.random.key
        wraps the same words in an opaque dtype; `key` and `PRNGKey` are the same here.)

    Raises:
        TypeError: for a seed that is not one integer.
        OverflowError: for one of more than 64 bits.
        ValueError: for another generator.

    Examples:
        >>> key(1)
        Array([0, 1], dtype=uint32)
    """
    if impl not in (None, "threefry2x32"):
        raise with_user_line(ValueError(f"key: impl must be 'threefry2x32', got {impl!r}"))
    if isinstance(seed, int):
        if not -1 << 63 <= seed < 1 << 64:
            raise with_user_line(OverflowError(f"key: the seed {seed} has more than 64 bits"))
        # Of a negative seed, Python's shift and mask give the bits of its two's complement.
        return Array(np.array([seed >> 32 & 0xFFFFFFFF, seed & 0xFFFFFFFF], uint32))
    if (
        not isinstance(seed, (Value, np.ndarray, np.integer))
        or seed.ndim
        or (seed.dtype.kind not in "iu")
    ):
        raise with_user_line(
            TypeError(
                f"key: the seed must be one integer, got {describe(seed)}"
                + ("; map over seeds with dx.vmap" if getattr(seed, "ndim", 0) else "")
            )
        )
    seed = as_value(seed)
    if seed.dtype.itemsize == 8:
        high = convert_element_type(shift_right_logical.bind(seed, 32), uint32)
    else:
        high = full((), 0, uint32)
    return stack([high, convert_element_type(seed, uint32)])


def PRNGKey(seed: Any, *, impl: str | None = None) -> Any:
    """Return `key(seed)`: a raw key, uint32[2]."""
    return key(seed, impl=impl)


def key_data(keys: Any) -> Any:
    """Return the words of keys, uint32[..., 2]. Keys are their words, so this is the identity.

    Raises:
        TypeError: for anything but keys.
    """
    if not isinstance(keys, (Value, np.ndarray)) or keys.dtype != uint32 or keys.shape[-1:] != (2,):
        raise with_user_line(TypeError(f"expected keys, uint32[..., 2], got {describe(keys)}"))
    return as_value(keys)


def wrap_key_data(key_bits_array: Any, *, impl: str | None = None) -> Any:
    """Return keys made from words, uint32[..., 2]; the inverse of `key_data`.

    Raises:
        TypeError: for words of another dtype or number.
        ValueError: for another generator than threefry2x32.
    """
    if impl not in (None, "threefry2x32"):
        raise with_user_line(
            ValueError(f"wrap_key_data: impl must be 'threefry2x32', got {impl!r}")
        )
    return key_data(key_bits_array)


def split(key: Any, num: Shape = 2) -> Any:
    """Make new keys from a key, which should not be used again.

    Args:
        key: a key.
        num: how many, an integer or a shape.

    Returns:
        The keys, uint32[*num, 2].

    Raises:
        TypeError: if `key` is not a key, or `num` is traced or no integer.

    Examples:
        >>> a, b = split(PRNGKey(0))
        >>> a
        Array([1797259609, 2579123966], dtype=uint32)
    """
    key = check_key("split", key)
    shape = static_shape(num, "split")
    return stack(random_bits(key, shape), len(shape))


def fold_in(key: Any, data: Any) -> Any:
    """Make a new key from a key and a number: the step of a loop, the index of a device.

    Args:
        key: a key.
        data: an integer in [0, 2**32), or an integer array without axes, taken modulo 2**32.

    Returns:
        The new key.

    Raises:
        TypeError: if `key` is not a key or `data` is not one integer.
        OverflowError: for a Python integer that does not fit into 32 bits.

    Examples:
        >>> fold_in(PRNGKey(0), 7).shape
        (2,)
    """
    key = check_key("fold_in", key)
    if isinstance(data, int):
        if not 0 <= data < 1 << 32:
            raise with_user_line(
                OverflowError(f"fold_in: the number must be in [0, 2**32), got {data}")
            )
        data = full((), int(data), uint32)
    elif (
        not isinstance(data, (Value, np.ndarray, np.integer))
        or data.ndim
        or (data.dtype.kind not in "iu")
    ):
        raise with_user_line(
            TypeError(
                f"fold_in: the number to fold in must be one integer, got {describe(data)}"
                + ("; map over numbers with dx.vmap" if getattr(data, "ndim", 0) else "")
            )
        )
    word = convert_element_type(as_value(data), uint32)
    k0, k1 = (reshape(slice_in_dim(key, i, i + 1), ()) for i in (0, 1))
    return stack(threefry2x32(k0, k1, full((), 0, uint32), word))


def bits(key: Any, shape: Shape = (), dtype: Any = None) -> Any:
    """Return random bits as unsigned integers.

    Args:
        key: a key.
        shape: the shape of the result.
        dtype: uint8, uint16, uint32 or uint64, by default the widest (uint32 with 32-bit defaults).

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for another dtype or a negative size.

    Examples:
        >>> bits(PRNGKey(0), (2,), np.uint32)
        Array([4070199207, 4202968722], dtype=uint32)
    """
    key = check_key("bits", key)
    dtype = array_dtype(dtype or (uint64 if config.default_bits == 64 else uint32))
    if dtype.kind != "u":
        raise with_user_line(ValueError(f"bits: dtype must be an unsigned integer's, got {dtype}"))
    return raw_bits(key, static_shape(shape, "bits"), dtype)


def raw_bits(key: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Return random bits as `bits` does, for arguments that were checked.

    The generator gives two words for each element: side by side they are 64 bits, and narrower
    integers are the lowest bits of one XOR the other.
    """
    high, low = random_bits(key, shape)
    if dtype == uint64:
        high, low = convert_element_type(high, uint64), convert_element_type(low, uint64)
        return logical_or.bind(shift_left.bind(high, 32), low)
    return convert_element_type(logical_xor.bind(high, low), dtype)
