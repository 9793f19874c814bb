"""Which keys were used, and where: what `dx.config.debug_key_reuse` enters and asks.

A key is known by its dtype and its words, so it is the same key wherever it came from: another
array, an index, a pickle. Making it anew (from a seed, by `split`, by `clone`) makes it unused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives.core import state, user_source
from ..primitives.staging import StagingTrace, TangentTrace
from ..primitives.support.errors import KeyReuseError
from ..primitives.support.key_types import BY_ELEMENT
from ..primitives.support.sources import show_source

#: The source of the use of each key that was used.
_uses: dict[tuple[str, bytes], Any] = {}


def runs_at_once() -> bool:
    """Return whether an operation on arrays is computed now, rather than recorded in a program."""
    trace = state.trace
    while not trace.eager:
        if isinstance(trace, StagingTrace) and type(trace) is not TangentTrace:
            return False
        trace = trace.parent
        if trace is None:
            return False
    return True


def reused(what: str, first: Any, second: Any) -> KeyReuseError:
    """Return the error for a second use, with the lines of both."""
    return KeyReuseError(
        f"{what} is used again, so that its numbers would repeat, or be related. Split it before "
        "its first use, or say that this is meant by dx.random.clone(key).\n"
        f"  first\n  at {show_source(first)}\n  again\n  at {show_source(second)}"
    )


def used(keys: np.ndarray, source: Any = None) -> None:
    """Enter the use of keys, elements of NumPy's, on a line; by default, on the user's line now.

    Raises:
        KeyReuseError: if one of them has been used.
    """
    source = source or user_source(2)
    dtype = BY_ELEMENT[keys.dtype]
    for words in keys[dtype.name].reshape(-1, dtype.words):
        key = (dtype.name, words.tobytes())
        if key in _uses:
            raise reused(f"{dtype.name} of words {words}", _uses[key], source)
        _uses[key] = source


def renewed(keys: np.ndarray) -> None:
    """Enter that keys were made, and may be used."""
    dtype = BY_ELEMENT[keys.dtype]
    for words in keys[dtype.name].reshape(-1, dtype.words):
        _uses.pop((dtype.name, words.tobytes()), None)
