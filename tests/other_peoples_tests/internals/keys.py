"""`jax._src.random.prng` and its neighbours: the generators, as jax's tests ask about them."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from diffeo.primitives.support.key_types import KEY_TYPES, KeyType
from diffeo.routines.random_bits import threefry2x32

KeyTy = KeyType


class Generator(NamedTuple):
    """What tests ask of a generator: its name, and the shape of a key's words."""

    name: str
    key_shape: tuple[int, ...]


#: The generators by name.
prngs = {name: Generator(name, (dtype.words,)) for name, dtype in KEY_TYPES.items()}


class _OfKeys(type):
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, jax.Array) and jax.numpy.issubdtype(x.dtype, jax.dtypes.prng_key)


class PRNGKeyArray(metaclass=_OfKeys):
    """Stands for arrays of typed keys in `isinstance`."""


def threefry_2x32(keypair: Any, count: Any) -> Any:
    """Return threefry's hash of a count: its first half are the one word, its second the other.

    Args:
        keypair: two words.
        count: uint32[2 n].
    """
    first, second = keypair
    flat = jax.numpy.ravel(jax.numpy.asarray(count))
    odd = flat.size % 2
    half = (flat.size + odd) // 2
    padded = jax.numpy.concatenate([flat, jax.numpy.zeros(odd, np.uint32)])
    keys = [jax.numpy.broadcast_to(k, (half,)) for k in (first, second)]
    words = threefry2x32(*keys, padded[:half], padded[half:])
    return jax.numpy.concatenate(list(words))[: flat.size].reshape(np.shape(count))


def default_prng_impl() -> Generator:
    """Return the generator of keys for which none is named."""
    return prngs[jax.config.jax_default_prng_impl]
