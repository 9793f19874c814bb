"""The dtypes of keys of random numbers: one for each generator, `key<fry>` for threefry2x32.

To a program a key is one element, which is moved and compared, and not computed with. On the host
it is a structured element of NumPy's that holds the key's words; to the compiler it is an element
of a carrier, a dtype of the same size. What generators do stands in `routines/generators.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class extended(np.generic):
    """The kind of dtypes that NumPy has no scalars of."""


class prng_key(extended):
    """The kind of dtypes of keys."""


class KeyType:
    """The dtype of the keys of a generator.

    NumPy takes it for its own dtype of such elements, `dtype`, which is equal to it and answers for
    whatever is not said here.

    Attributes:
        impl: the name of the generator.
        name: the name of the dtype, in programs and texts.
        words: how many words of 32 bits a key has.
        carrier: the dtype of a key in a compiled program.
    """

    kind, type = "k", prng_key

    def __init__(self, impl: str, tag: str, words: int):
        self.impl, self.name, self.words = impl, f"key<{tag}>", words
        self.dtype = np.dtype([(self.name, np.uint32, (words,))])
        self.carrier = np.dtype({1: np.uint32, 2: np.uint64, 4: np.complex128}[words])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dtype, name)

    def __eq__(self, other: object) -> bool:
        return other is self or (isinstance(other, np.dtype) and other == self.dtype)

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return _of_generator, (self.impl,)


_GENERATORS = (
    ("threefry2x32", "fry", 2), ("rbg", "rbg", 4), ("unsafe_rbg", "urbg", 4),
    ("philox2x32", "phx2", 1), ("philox4x32", "phx4", 2), ("threefry4x32", "fry4", 4),
)  # fmt: skip
#: The dtypes of keys by the names of generators.
KEY_TYPES = {impl: KeyType(impl, tag, words) for impl, tag, words in _GENERATORS}


def _of_generator(impl: str) -> KeyType:
    return KEY_TYPES[impl]


#: The same by NumPy's dtypes of their elements.
BY_ELEMENT: dict[Any, Any] = {t.dtype: t for t in KEY_TYPES.values()}


def carried(keys: np.ndarray) -> np.ndarray:
    """Return the elements of a key array as elements of the carrier, which share the memory."""
    return np.ascontiguousarray(keys).view(BY_ELEMENT[keys.dtype].carrier).reshape(keys.shape)
