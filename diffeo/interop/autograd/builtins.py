"""Python's containers, and `isinstance` and `type` that look behind traced values.

Lists, tuples and dicts of traced values are ordinary ones here, so `list`, `tuple` and `dict` are
Python's own.
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ...primitives.core import Tracer
from .machinery.values import plain

__all__ = ["dict", "isinstance", "list", "tuple", "type"]

dict, list, tuple = builtins.dict, builtins.list, builtins.tuple


def _behind(x: Any) -> Any:
    """Return the numbers of a traced value; where they are not known, others of its type."""
    if not builtins.isinstance(x, Tracer):
        return x
    known = x.concrete()
    return np.zeros(x.shape, x.dtype)[()] if known is None else plain(known)


def isinstance(obj: Any, class_or_tuple: Any) -> bool:
    """Return whether what a value stands for is an instance of a class.

    Args:
        obj: any object; behind a traced value is NumPy's array, or a float.
        class_or_tuple: as Python's `isinstance` takes it.

    Examples:
        >>> import numpy as np
        >>> from diffeo.interop.autograd import grad, isinstance
        >>> seen = []
        >>> print(grad(lambda x: seen.append(isinstance(x, float)) or x * x)(3.0), seen)
        6.0 [True]
    """
    return builtins.isinstance(obj, class_or_tuple) or builtins.isinstance(
        _behind(obj), class_or_tuple
    )


def type(obj: Any) -> Any:
    """Return the type of what a value stands for.

    Args:
        obj: any object; of a traced value without axes the type is NumPy's scalar.
    """
    return builtins.type(_behind(obj))
