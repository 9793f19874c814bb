"""Keys, how new ones are made of them, and the raw bits that they stand for.

A *typed* key array holds keys as elements, of a dtype that names the generator: `key<fry>` is
threefry2x32's. A *raw* key is an array of its words, uint32[2] for threefry2x32; which generator it
is for, `dx.config.default_prng_impl` says. All functions take both. Inside of this package a key is
a `Key`: the generator, and the words. `check_key` makes it of what the user gave.

What generators do with words stands in `routines/generators.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..numpy.common import static_shape
from ..primitives import jaxpr as programs
from ..primitives.array import Array, as_value
from ..primitives.config import config, task_settings
from ..primitives.constants import full
from ..primitives.core import Value, describe, with_user_line
from ..primitives.support.foreign import array_dtype
from ..primitives.support.key_types import KEY_TYPES, KeyType
from ..primitives.types import uint32, uint64
from ..primitives.words.elementwise import shift_right_logical
from ..primitives.words.slicing import index_in_dim
from ..primitives.words.structural import convert_element_type
from ..routines.generators import GENERATORS, Generator
from ..routines.keys import clone_keys, key_words, wrap_words
from ..typing import ArrayLike, DTypeLike
from .reuse import watch

# Programs that have run are read for keys that were used twice, where the setting asks for it.
programs.after_running = watch

#: A tuple of integers, or one integer.
Shape = Any


class Key(NamedTuple):
    """One key: what a sampler draws with.

    Attributes:
        dtype: the dtype of such keys, which names the generator.
        words: the words, uint32[n].
    """

    dtype: KeyType
    words: Any

    @property
    def generator(self) -> Generator:
        """What the generator does with words."""
        return GENERATORS[self.dtype.impl]

    def of(self, words: Value) -> Key:
        """Return another key of the same generator."""
        return Key(self.dtype, words)


def key_type(spec: Any, name: str) -> KeyType:
    """Return the dtype of the keys of a generator: of its name, a dtype of keys, or None.

    Raises:
        ValueError: for a generator that does not exist.
        TypeError: for anything else.
    """
    if spec is None:
        spec = task_settings().default_prng_impl
    dtype = KEY_TYPES.get(spec) if isinstance(spec, str) else spec
    if type(dtype) is KeyType:
        return dtype
    wrong = f"{name}: impl must be one of {', '.join(map(repr, KEY_TYPES))}, got {spec!r}"
    raise with_user_line(ValueError(wrong) if isinstance(spec, str) else TypeError(wrong))


def is_typed(key: Any) -> bool:
    """Return whether a value is an array of typed keys."""
    return isinstance(key, Value) and type(key.dtype) is KeyType


def check_key(name: str, key: Any) -> Key:
    """Return a key as what samplers draw with; TypeError unless it is one key."""
    if type(key) is Key:
        return key
    if isinstance(key, Value) and type(key.dtype) is KeyType:
        if not key.ndim:
            return Key(key.dtype, key_words(key))
        many = True
    else:
        many = False
        if isinstance(key, (Value, np.ndarray)) and key.dtype == uint32:
            dtype = KEY_TYPES[task_settings().default_prng_impl]
            if key.shape == (dtype.words,):
                return Key(dtype, key if isinstance(key, Value) else as_value(key))
            many = key.ndim > 1 and key.shape[-1] == dtype.words
    if many:
        raise with_user_line(
            TypeError(
                f"{name} takes one key, got {describe(key)}, which are many; map over them with "
                "dx.vmap"
            )
        )
    raise with_user_line(
        TypeError(
            f"{name} needs a key, made by dx.random.key(seed) or dx.random.split, or its words, "
            f"uint32[{KEY_TYPES[task_settings().default_prng_impl].words}], got {describe(key)}"
        )
    )


def _returned(key: Key, words: Value, like: Any) -> Any:
    """Return words as keys: typed if `like` is, else raw."""
    return wrap_words(words, key.dtype) if is_typed(like) else words


def _seed_words(name: str, seed: Any, dtype: KeyType) -> Any:
    """Return the words of the key made of a seed."""
    seeded = GENERATORS[dtype.impl].seed
    if isinstance(seed, int):
        if not -1 << 63 <= seed < 1 << 64:
            raise with_user_line(OverflowError(f"{name}: the seed {seed} has more than 64 bits"))
        # Of a negative seed, Python's shift and mask give the bits of its two's complement.
        high, low = (np.uint32(seed >> n & 0xFFFFFFFF) for n in (32, 0))
        if dtype.impl == "threefry2x32":  # no need of operations
            return Array(np.array([high, low], uint32))
        return seeded(as_value(high), as_value(low))
    if (
        not isinstance(seed, (Value, np.ndarray, np.integer))
        or seed.ndim
        or (seed.dtype.kind not in "iu")
    ):
        raise with_user_line(
            TypeError(
                f"{name}: the seed must be one integer, got {describe(seed)}"
                + ("; map over seeds with dx.vmap" if getattr(seed, "ndim", 0) else "")
            )
        )
    seed = as_value(seed)
    if seed.dtype.itemsize == 8:
        high = convert_element_type(shift_right_logical.bind(seed, 32), uint32)
    else:
        high = full((), 0, uint32)
    return seeded(high, convert_element_type(seed, uint32))


def _one_of(name: str, impl: Any, dtype: Any) -> KeyType:
    """Return the dtype of keys that `impl` or `dtype` says; ValueError for both."""
    if impl is not None and dtype is not None:
        raise with_user_line(ValueError(f"{name}: impl and dtype say the same: give one of them"))
    return key_type(impl if dtype is None else dtype, name)


def key(seed: Any, *, impl: Any = None, dtype: DTypeLike | None = None) -> Any:
    """Return a typed key made from an integer seed.

    Args:
        seed: an integer (any of 64 bits, negative ones too), or an integer array without axes.
        impl: the generator: "threefry2x32", "rbg", "unsafe_rbg", "philox2x32", "philox4x32",
            "threefry4x32" or a dtype of keys; by default `dx.config.default_prng_impl`.
        dtype: the same as `impl`.

    Returns:
        The key, an array without axes of the generator's dtype of keys.

    Raises:
        TypeError: for a seed that is not one integer.
        OverflowError: for one of more than 64 bits.
        ValueError: for a generator that does not exist.

    Examples:
        >>> key(1)
        Array(key<fry>[] of words [0 1], dtype=key<fry>)
    """
    kind = _one_of("key", impl, dtype)
    return wrap_words(_seed_words("key", seed, kind), kind)


def PRNGKey(seed: ArrayLike, *, impl: Any = None) -> Any:
    """Return the words of `key(seed)`, a raw key: uint32[2] for threefry2x32.

    Arguments and errors are those of `key`. What takes a raw key takes it for one of the generator
    `dx.config.default_prng_impl`.

    Examples:
        >>> PRNGKey(1)
        Array([0, 1], dtype=uint32)
    """
    return _seed_words("PRNGKey", seed, key_type(impl, "PRNGKey"))


def key_dtype(impl_spec: Any = None) -> KeyType:
    """Return the dtype of the keys of a generator, by default `dx.config.default_prng_impl`.

    Raises:
        TypeError, ValueError: unless it is the name of a generator or a dtype of keys.

    Examples:
        >>> key_dtype("rbg")
        key<rbg>
    """
    return key_type(impl_spec, "key_dtype")


def _raw_type(name: str, keys: Any) -> KeyType:
    """Return the dtype of the keys that raw ones, with words along the last axis, stand for."""
    dtype = key_type(None, name)
    raw = isinstance(keys, (Value, np.ndarray)) and keys.dtype == uint32
    if not raw or keys.shape[-1:] != (dtype.words,):
        raise with_user_line(
            TypeError(
                f"{name}: expected keys, or the words of {dtype}, uint32[..., {dtype.words}], got "
                f"{describe(keys)}"
            )
        )
    return dtype


def key_impl(keys: Any) -> str:
    """Return the name of the generator that keys are for; of raw ones, the default.

    Raises:
        TypeError: for anything but keys.

    Examples:
        >>> key_impl(key(0))
        'threefry2x32'
    """
    return keys.dtype.impl if is_typed(keys) else _raw_type("key_impl", keys).impl


def key_data(keys: Any) -> Any:
    """Return the words of keys, uint32, along a new last axis; raw keys are their words.

    Raises:
        TypeError: for anything but keys.

    Examples:
        >>> key_data(key(7))
        Array([0, 7], dtype=uint32)
    """
    if is_typed(keys):
        return key_words(keys, consumes=False)
    _raw_type("key_data", keys)
    return as_value(keys)


def wrap_key_data(key_bits_array: Any, *, impl: Any = None, dtype: Any = None) -> Any:
    """Return typed keys made from words; the inverse of `key_data`.

    Args:
        key_bits_array: words, uint32, along the last axis.
        impl, dtype: the generator, as for `key`.

    Raises:
        TypeError: for words of another dtype or number.
        ValueError: for a generator that does not exist.

    Examples:
        >>> wrap_key_data(np.array([0, 7], np.uint32)) == key(7)
        Array(True)
    """
    kind, words = _one_of("wrap_key_data", impl, dtype), key_bits_array
    wrong = (
        not isinstance(words, (Value, np.ndarray))
        or words.dtype != uint32
        or words.shape[-1:] != (kind.words,)
    )
    if wrong:
        raise with_user_line(
            TypeError(
                f"wrap_key_data: expected the words of {kind}, uint32[..., {kind.words}], got "
                f"{describe(words)}"
            )
        )
    return wrap_words(as_value(words), kind)


def clone(key: Any) -> Any:
    """Return the same keys, as keys that may be used once more (see `dx.config.debug_key_reuse`).

    Raises:
        TypeError: for anything but keys.

    Examples:
        >>> import diffeo as dx
        >>> k = key(0)
        >>> with dx.debug_key_reuse(True):
        ...     x, y = dx.random.normal(k), dx.random.normal(clone(k))
        >>> x == y
        Array(True)
    """
    if is_typed(key):
        return clone_keys(key)
    _raw_type("clone", key)
    return as_value(key)


def split(key: Any, num: Shape = 2) -> Any:
    """Make new keys from a key, which should not be used again.

    Args:
        key: a key.
        num: how many, an integer or a shape.

    Returns:
        The keys, of shape `num`; raw ones of a raw key.

    Raises:
        TypeError: if `key` is not a key, or `num` is traced or no integer.

    Examples:
        >>> import diffeo as dx
        >>> a, b = split(dx.random.key(0))
        >>> a
        Array(key<fry>[] of words [1797259609 2579123966], dtype=key<fry>)
    """
    checked = check_key("split", key)
    words = checked.generator.split(checked.words, static_shape(num, "split"))
    return _returned(checked, words, key)


def parts(key: Key, num: int = 2) -> list[Key]:
    """Return new keys made from one, for the parts of a sampler."""
    words = key.generator.split(key.words, (num,))
    return [key.of(index_in_dim(words, i)) for i in range(num)]


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
        >>> import diffeo as dx
        >>> fold_in(dx.random.key(0), 7).shape
        ()
    """
    typed = is_typed(key) and not key.ndim
    # A key may be used with many numbers, so this is no use that `debug_key_reuse` counts.
    checked = Key(key.dtype, key_words(key, consumes=False)) if typed else check_key("fold_in", key)
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
    return _returned(checked, checked.generator.fold_in(checked.words, word), key)


def bits(key: Any, shape: Shape = (), dtype: DTypeLike | None = None) -> Any:
    """Return random bits as unsigned integers.

    Args:
        key: a key.
        shape: the shape of the result.
        dtype: uint8, uint16, uint32 or uint64, by default the widest (uint32 with 32-bit defaults).

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for another dtype or a negative size.

    Examples:
        >>> import diffeo as dx
        >>> bits(dx.random.key(0), (2,), np.uint32)
        Array([4070199207, 4202968722], dtype=uint32)
    """
    checked = check_key("bits", key)
    dtype = array_dtype(dtype or (uint64 if config.default_bits == 64 else uint32))
    if dtype.kind != "u":
        raise with_user_line(ValueError(f"bits: dtype must be an unsigned integer's, got {dtype}"))
    return raw_bits(checked, static_shape(shape, "bits"), dtype)


def raw_bits(key: Key, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Return random bits as `bits` does, for arguments that were checked."""
    return key.generator.bits(key.words, shape, dtype)
