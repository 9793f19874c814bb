"""Trees as vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .... import numpy as dnp
from ....trees import tree
from ..machinery.functions import wrapped

_joined = wrapped(np.concatenate, dnp.concatenate)


def flatten(value: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return a tree of arrays and numbers as one vector, and the function that undoes it.

    Args:
        value: an array, a number, or lists, tuples and dicts of them. Keys of dicts are sorted.

    Returns:
        (vector, unflatten); `unflatten(vector)` is a tree of the same structure.

    Examples:
        >>> from diffeo.interop.autograd.misc import flatten
        >>> vector, unflatten = flatten({"b": 1.0, "w": [2.0, 3.0]})
        >>> vector, unflatten(2 * vector)["w"]
        (array([1., 2., 3.]), [np.float64(4.0), np.float64(6.0)])
    """
    leaves, structure = tree.flatten(value)
    shapes = [np.shape(x) for x in leaves]
    vector = _joined([np.ravel(x) for x in leaves]) if leaves else np.array([])

    def unflatten(flat: Any) -> Any:
        parts, at = [], 0
        for shape in shapes:
            size = int(np.prod(shape, dtype=int))
            part = np.reshape(flat[at : at + size], shape)
            parts.append(part if shape or not isinstance(part, np.ndarray) else part[()])
            at += size
        return tree.unflatten(structure, parts)

    return vector, unflatten


def flatten_func(func: Callable, example: Any) -> tuple[Callable, Callable, Any]:
    """Return a function of trees that returns a tree as one of vectors that returns a vector.

    Args:
        func: a function of a tree, and of other arguments.
        example: a tree for its first argument.

    Returns:
        (the function of vectors, the function from vectors to trees, the example as a vector).
    """
    vector, unflatten = flatten(example)

    def of_vector(flat: Any, *args: Any) -> Any:
        return flatten(func(unflatten(flat), *args))[0]

    return of_vector, unflatten, vector
