"""A tree of arrays as one vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .numpy.joining import concatenate
from .numpy.making.creation import asarray
from .numpy.shaping import ravel
from .primitives.array import as_value
from .primitives.core import describe, with_user_line
from .primitives.types import ShapedArray, promote_types
from .primitives.words.structural import convert_element_type, reshape
from .trees import tree

__all__ = ["ravel_pytree"]


def ravel_pytree(pytree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return the numbers of a tree as one vector, and the function that makes the tree of it.

    Args:
        pytree: a tree of arrays and numbers. Without leaves, the vector is empty, of float32.

    Returns:
        A vector, whose dtype the leaves promote to, and a function of a vector. The function
        restores shapes; it restores dtypes where the leaves have different ones, and then takes
        vectors of the promoted dtype only. Where they have the same, the tree has the dtype of the
        vector that it is made of. Equal trees have equal functions.

    Raises:
        TypeError: for a leaf that is no array, and where the dtypes do not promote.

    Examples:
        >>> import diffeo as dx
        >>> flat, unravel = ravel_pytree({"a": dx.numpy.ones((2, 2)), "b": 3.0})
        >>> flat
        Array([1., 1., 1., 1., 3.])
        >>> unravel(2 * flat)["b"]
        Array(6.)
    """
    leaves, structure = tree.flatten(pytree)
    if not leaves:
        return asarray(np.zeros(0, np.float32)), Unravel(structure, (), None)
    try:
        values = [as_value(x) for x in leaves]
    except TypeError as error:
        raise with_user_line(error) from None
    avals = tuple([v.aval.strong for v in values])
    dtype, _ = promote_types(*avals)
    parts = [ravel(convert_element_type(v, dtype)) for v in values]
    flat = concatenate(parts) if len(parts) > 1 else parts[0]
    same = all([a.dtype == dtype for a in avals])
    return flat, Unravel(structure, avals, None if same else dtype)


class Unravel:
    """The function that makes a tree of a vector; equal ones are of equal trees.

    Attributes:
        structure: the tree's.
        avals: the types of its leaves.
        dtype: what a vector must have; None: any, which the leaves then have.
    """

    def __init__(self, structure: Any, avals: tuple[ShapedArray, ...], dtype: np.dtype | None):
        self.structure, self.avals, self.dtype = structure, avals, dtype

    def __call__(self, flat: Any) -> Any:
        vector = as_value(flat)
        count = sum([math.prod(a.shape) for a in self.avals])
        if vector.shape != (count,):
            raise with_user_line(
                TypeError(f"unravel: expected a vector of {count} numbers, got {describe(vector)}")
            )
        if self.dtype is not None and vector.dtype != self.dtype:
            raise with_user_line(
                TypeError(f"unravel: expected dtype {self.dtype}, got {describe(vector)}")
            )
        leaves, start = [], 0
        for aval in self.avals:
            part = reshape(vector[start : start + aval.size], aval.shape)
            leaves.append(part if self.dtype is None else convert_element_type(part, aval.dtype))
            start += aval.size
        return tree.unflatten(self.structure, leaves)

    def _key(self) -> tuple:
        # Where any dtype will do, only the shapes tell trees apart.
        types = self.avals if self.dtype is not None else tuple([a.shape for a in self.avals])
        return self.structure, types, self.dtype

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unravel) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"<unravel: {self.structure}>"
