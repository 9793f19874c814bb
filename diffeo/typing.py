"""Types for annotations of functions of arrays.

A function takes `ArrayLike`, what can be made into an array without a copy that anybody sees, and
returns `dx.Array`, which stands for traced values as well. `DTypeLike` is whatever says a dtype.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from .primitives.core import Value

__all__ = ["ArrayLike", "DTypeLike"]


@runtime_checkable
class SupportsDType(Protocol):
    """An object that says a dtype, such as `dx.numpy.float32`."""

    @property
    def dtype(self) -> np.dtype:
        """The dtype."""
        ...


#: Arrays and traced values, NumPy's arrays and scalars, and Python's numbers; no lists.
ArrayLike: TypeAlias = Value | np.ndarray | np.bool_ | np.number | bool | int | float | complex

#: A dtype, its name, a class of numbers, or an object with a dtype.
DTypeLike: TypeAlias = str | type[Any] | np.dtype | SupportsDType
