"""Questions about dtypes, by the names of `jax.dtypes`."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from .numpy.making.dtypes import issubdtype
from .primitives.core import typeof
from .primitives.support.errors import TypePromotionError
from .primitives.support.foreign import array_dtype, float0
from .primitives.support.key_types import extended, prng_key
from .primitives.types import SCALARS, default_dtype, is_float, promote_types, scalar_aval

__all__ = [
    "TypePromotionError", "bfloat16", "canonicalize_dtype", "extended", "finfo", "float0", "iinfo",
    "issubdtype", "itemsize_bits", "prng_key", "result_type", "scalar_type_of",
]  # fmt: skip

bfloat16 = ml_dtypes.bfloat16
finfo, iinfo = ml_dtypes.finfo, ml_dtypes.iinfo


def canonicalize_dtype(dtype: Any, allow_extended_dtype: bool = False) -> np.dtype:
    """Return the dtype that arrays have who are asked for one.

    Args:
        dtype: a dtype, its name, or a class of numbers; Python's mean the default dtypes.
        allow_extended_dtype: whether dtypes of keys are allowed.

    Raises:
        TypeError: for what is no dtype, or one that arrays cannot have.

    Examples:
        >>> import diffeo as dx
        >>> dx.dtypes.canonicalize_dtype(float), dx.dtypes.canonicalize_dtype("int8")
        (dtype('float64'), dtype('int8'))
    """
    if isinstance(dtype, type) and dtype in SCALARS:
        return default_dtype(dtype)
    chosen = array_dtype(dtype)
    if chosen.kind == "k" and not allow_extended_dtype:
        raise TypeError(f"canonicalize_dtype: {chosen} is a dtype of keys, which are no numbers")
    return chosen


def itemsize_bits(dtype: Any) -> int:
    """Return how many bits an element has: 4 for int4.

    Examples:
        >>> import diffeo as dx
        >>> dx.dtypes.itemsize_bits("float32"), dx.dtypes.itemsize_bits("int4")
        (32, 4)
    """
    chosen = array_dtype(dtype)
    if chosen.kind in "iuV" and chosen.names is None and "int" in chosen.name:
        return int(ml_dtypes.iinfo(chosen).bits)
    if is_float(chosen):
        return int(ml_dtypes.finfo(chosen).bits)
    return 8 * chosen.itemsize


def result_type(*args: Any, return_weak_type_flag: bool = False) -> Any:
    """Return the dtype to which operands are brought together.

    Args:
        args: arrays, numbers, dtypes; Python's types of numbers are weak, as numbers are.
        return_weak_type_flag: return (dtype, whether it is weak).

    Raises:
        TypeError: without operands.
        TypePromotionError: if there is no such dtype.

    Examples:
        >>> import diffeo as dx
        >>> dx.dtypes.result_type("int32", 1.0)
        dtype('float64')
        >>> dx.dtypes.result_type(2, return_weak_type_flag=True)
        (dtype('int64'), True)
    """
    if not args:
        raise TypeError("result_type: needs operands")
    avals = []
    for a in args:
        if isinstance(a, type) and a in SCALARS:
            avals.append(scalar_aval(a))
        elif isinstance(a, (type, str, np.dtype)):
            avals.append(typeof(np.empty(0, array_dtype(a))))
        else:
            avals.append(typeof(a))
    dtype, weak = promote_types(*avals)
    return (dtype, weak) if return_weak_type_flag else dtype


def scalar_type_of(x: Any) -> type:
    """Return Python's type for the numbers of an array, a number or a dtype's kind.

    Raises:
        TypeError: for what has no numbers.

    Examples:
        >>> import numpy as np
        >>> import diffeo as dx
        >>> dx.dtypes.scalar_type_of(np.float32(1)), dx.dtypes.scalar_type_of(True)
        (<class 'float'>, <class 'bool'>)
    """
    dtype = typeof(x).dtype
    kinds = {"b": bool, "i": int, "u": int, "f": float, "c": complex}
    if is_float(dtype):
        return float
    if "int" in dtype.name:
        return int
    if dtype.kind not in kinds:
        raise TypeError(f"scalar_type_of: {dtype} has no numbers")
    return kinds[dtype.kind]
