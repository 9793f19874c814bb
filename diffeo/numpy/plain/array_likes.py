"""Lists where NumPy takes them for arrays, in plain NumPy code on traced values."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from inspect import Parameter, signature
from typing import Any

import numpy as np

from ...primitives.words.operators import NUMPY
from ..making.creation import array

#: The parameters of NumPy's functions that are arrays, also as lists.
_ARRAYS = frozenset({
    "A", "B", "M", "a", "a_max", "a_min", "ar1", "ar2", "arr", "array", "b", "bins", "c",
    "condition", "element", "f", "fill_value", "fp", "indices", "m", "p", "q", "test_elements",
    "u", "v", "val", "vals", "values", "w", "weights", "x", "x1", "x2", "xi", "xp", "y", "z",
})  # fmt: skip
#: The parameters that are sequences of arrays.
_SEQUENCES = frozenset(["arrays", "tup", "condlist", "choicelist", "choices", "seq", "operands"])


def array_like(x: Any) -> Any:
    """Return a list or a tuple as the array of its items, and anything else as it is."""
    return array(x) if isinstance(x, (list, tuple)) else x


def with_arrays(function: Any, args: Any, kwargs: dict) -> Any:
    """Call our function for one of NumPy's, with arrays for those lists that are to be arrays."""
    ours = NUMPY[function]
    if function is np.einsum and not isinstance(args[0], str):
        return ours(*args, **kwargs)  # whose lists are of axes
    names = _parameters(ours)
    args = [_converted(names[min(i, len(names) - 1)], x) for i, x in enumerate(args)]
    return ours(*args, **{k: _converted(k, x) for k, x in kwargs.items()})


def _converted(name: str, x: Any) -> Any:
    if name in _ARRAYS:
        return array_like(x)
    if name in _SEQUENCES and isinstance(x, (list, tuple)):
        return type(x)([array_like(item) for item in x])
    return x


@lru_cache(maxsize=1024)
def _parameters(function: Callable) -> tuple[str, ...]:
    """Return the names of parameters by position; that of `*args` comes last."""
    of_positions = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    names = []
    for name, parameter in signature(function).parameters.items():
        if parameter.kind in of_positions:
            names.append(name)
        elif parameter.kind is Parameter.VAR_POSITIONAL:
            # Each of `*arrays` is an array.
            names.append("a" if name in _SEQUENCES else name)
    return tuple(names) or ("",)
