"""Keys and their words: the two operations between typed key arrays and uint32.

Everything that generators do is done on words; keys as such are only moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.builder import LoweringContext
from ..primitives.config import task_settings
from ..primitives.core import Value
from ..primitives.families import Discrete
from ..primitives.support.frozen import frozen
from ..primitives.support.key_types import KeyType
from ..primitives.types import ShapedArray, uint32
from ..primitives.words.structural import move_axis
from .key_uses import renewed, runs_at_once, used


@frozen
class KeyWords(Discrete):
    """The words of keys, uint32, along a new last axis.

    Args:
        consumes: whether the keys are used up by what is done with the words; `dx.config`'s
            `debug_key_reuse` counts this.
    """

    consumes: bool = True
    accepts = "k"

    def bind(self, *args: Any) -> Any:
        """As any primitive's; enters the use of the keys where that is asked for."""
        watched = self.consumes and task_settings().debug_key_reuse
        if watched and type(args[0]) is Array and runs_at_once():
            used(args[0].host)
        return super().bind(*args)

    def abstract_eval(self, keys: ShapedArray) -> ShapedArray:
        if type(keys.dtype) is not KeyType:
            raise TypeError(f"key_words: expects keys, got {keys}")
        return ShapedArray((*keys.shape, keys.dtype.words), uint32)

    def impl(self, keys: np.ndarray) -> np.ndarray:
        return keys[keys.dtype.names[0]]  # type: ignore[index]

    def lower(self, ctx: LoweringContext, keys: Any) -> Any:
        return ctx.key_words(keys)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*args), dims[0]


@frozen
class WrapWords(Discrete):
    """The keys of a generator whose words, uint32, stand along the last axis."""

    dtype: Any

    def bind(self, *args: Any) -> Any:
        """As any primitive's; enters that the keys are new, where uses are entered."""
        keys = super().bind(*args)
        if task_settings().debug_key_reuse and type(keys) is Array:
            renewed(keys.host)
        return keys

    def abstract_eval(self, words: ShapedArray) -> ShapedArray:
        if type(self.dtype) is not KeyType:
            raise TypeError(f"wrap_words: expects a dtype of keys, got {self.dtype} for {words}")
        if words.dtype != uint32 or words.shape[-1:] != (self.dtype.words,):
            raise TypeError(
                f"wrap_words: expects uint32 with {self.dtype.words} words on the last axis for "
                f"{self.dtype}, got {words}"
            )
        return ShapedArray(words.shape[:-1], self.dtype)

    def impl(self, words: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(words).view(self.dtype.dtype).reshape(words.shape[:-1])

    def lower(self, ctx: LoweringContext, words: Any) -> Any:
        return ctx.keys_of(words, ctx.outs[0])

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(move_axis(args[0], dims[0], 0)), 0  # type: ignore[arg-type]


def key_words(keys: Any, consumes: bool = True) -> Any:
    """Return the words of typed keys, uint32, along a new last axis; see `KeyWords`."""
    return KeyWords(consumes).bind(keys)


def wrap_words(words: Value, dtype: KeyType) -> Any:
    """Return keys of a dtype made of words, uint32, along the last axis."""
    return WrapWords(dtype).bind(words)


def clone_keys(keys: Any) -> Any:
    """Return the same keys, as new ones."""
    return wrap_words(key_words(keys, consumes=False), keys.dtype)
