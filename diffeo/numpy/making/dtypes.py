"""Questions about dtypes and shapes, and the texts of arrays."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import (
    complexfloating,
    floating,
    generic,
    inexact,
    integer,
    number,
    signedinteger,
    unsignedinteger,
)

from ...primitives.core import Value, describe, known, typeof, with_user_line
from ...primitives.support.foreign import array_dtype
from ...primitives.types import (
    SCALARS,
    ShapedArray,
    float16,
    is_float,
    scalar_aval,
)
from ...primitives.types import promote_types as join
from ..common import any_type, axes_of, dtype_of
from .creation import asarray


def result_type(*args: Any) -> np.dtype:
    """Return the dtype to which operands (arrays, numbers or dtypes) are brought together."""
    avals = []
    for a in args:
        if isinstance(a, (type, str, np.dtype)):
            dtype = dtype_of(a)
            avals.append(typeof(np.empty(0, dtype)))
        else:
            avals.append(any_type(a))
    if not avals:
        raise with_user_line(TypeError(f"result_type: needs operands, got {describe(args)}"))
    return join(*avals)[0]


def promote_types(a: Any, b: Any) -> np.dtype:
    """Return the dtype to which operands of two dtypes promote.

    Python's int, float and complex are weak: they give way to the dtype of an array.

    Raises:
        TypeError: if there is no such dtype.

    Examples:
        >>> promote_types("int64", "float32"), promote_types(float, "bfloat16")
        (dtype('float32'), dtype(bfloat16))
    """
    return join(
        *[
            scalar_aval(t)
            if isinstance(t, type) and t in SCALARS
            else ShapedArray((), array_dtype(t))
            for t in (a, b)
        ]
    )[0]


def issubdtype(arg1: Any, arg2: Any) -> builtins.bool:
    """Whether a dtype is another one, or of a kind such as `floating` or `integer`.

    bfloat16 and the float8 types are floating, int4 and uint4 are integers.

    Examples:
        >>> issubdtype("bfloat16", floating), issubdtype("int32", inexact), issubdtype(int, "int64")
        (True, False, True)
    """
    if isinstance(arg1, type) and issubclass(arg1, np.generic) and arg1 in _KINDS:
        return np.issubdtype(arg1, arg2)
    dtype = np.dtype(arg1)
    if isinstance(arg2, type) and arg2 in _KINDS:
        # NumPy does not know the kinds of the dtypes of ml_dtypes: a usual one stands for each.
        if dtype.kind == "V" or is_float(dtype):
            usual = "uint8" if dtype.name.startswith("uint") else "int8"
            dtype = np.dtype(float16 if is_float(dtype) else usual)
        return np.issubdtype(dtype, arg2)
    return dtype == np.dtype(arg2)


#: NumPy's classes that are kinds of dtypes, and no dtypes.
_KINDS = frozenset(
    (
        generic,
        number,
        integer,
        signedinteger,
        unsignedinteger,
        inexact,
        floating,
        complexfloating,
        np.flexible,
        np.character,
    )
)


def isscalar(element: Any) -> builtins.bool:
    """Whether `element` is a number, or an array without axes.

    Examples:
        >>> isscalar(2.0), isscalar(asarray(2.0)), isscalar([2.0])
        (True, True, False)
    """
    arrays = (Value, np.ndarray)
    return element.ndim == 0 if isinstance(element, arrays) else np.isscalar(element)


def iscomplexobj(x: Any) -> builtins.bool:
    """Whether the dtype of `x` is complex.

    Examples:
        >>> iscomplexobj(1j), iscomplexobj(asarray([1.0]))
        (True, False)
    """
    return typeof(asarray(x)).dtype.kind == "c"


def isrealobj(x: Any) -> builtins.bool:
    """Whether the dtype of `x` is not complex.

    Examples:
        >>> isrealobj(1j)
        False
    """
    return not iscomplexobj(x)


def shape(a: Any) -> tuple[int, ...]:
    """Return the size of each axis.

    Examples:
        >>> shape([[1, 2, 3]])
        (1, 3)
    """
    return asarray(a).shape


def ndim(a: Any) -> int:
    """Return the number of axes.

    Examples:
        >>> ndim(asarray([[1.0]]))
        2
    """
    return asarray(a).ndim


def size(a: Any, axis: int | Sequence[int] | None = None) -> int:
    """Return the number of elements, or the number along an axis or axes.

    Raises:
        ValueError: if there is no such axis.

    Examples:
        >>> size([[1, 2, 3]]), size([[1, 2, 3]], 1)
        (3, 3)
    """
    sizes, count = shape(a), 1
    for i in axes_of(axis, len(sizes), "size"):
        count *= sizes[i]
    return count


def array_repr(
    arr: Any,
    max_line_width: int | None = None,
    precision: int | None = None,
    suppress_small: builtins.bool | None = None,
) -> str:
    """Return the text that stands for an array, `Array([...])`; of a traced value, its `repr`.

    Examples:
        >>> array_repr(asarray([1.23456]), precision=2)
        'Array([1.23])'
    """
    value = known(arr)
    if value is None:
        return repr(arr)
    return np.array_repr(value, max_line_width, precision, suppress_small).replace(
        "array(", "Array(", 1
    )


def array_str(
    a: Any,
    max_line_width: int | None = None,
    precision: int | None = None,
    suppress_small: builtins.bool | None = None,
) -> str:
    """Return the numbers of an array as text; of a traced value, its `repr`.

    Examples:
        >>> array_str(asarray([1.23456]), precision=2)
        '[1.23]'
    """
    value = known(a)
    if value is None:
        return repr(a)
    return np.array_str(value, max_line_width, precision, suppress_small)
