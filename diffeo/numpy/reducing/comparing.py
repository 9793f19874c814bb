"""The position of the largest element (argmax, argmin), and whether whole arrays are equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...operations import extrema
from ...primitives.array import Array
from ...primitives.core import state, with_user_line
from ...primitives.types import default_dtype, kind_of
from ...primitives.words.structural import (
    convert_element_type,
    reshape,
)
from ...typing import ArrayLike
from ..common import (
    arr,
    axis_of,
    is_of_number,
    no_out,
)
from ..making.creation import asarray
from ..ufuncs import isclose, isnan
from .reductions import _finish, all


def _arg(name: str, function: Callable, a: Any, axis: Any, keepdims: bool | None) -> Any:
    """Compute argmax or argmin; `function` is that of `operations/extrema.py`."""
    if type(a) is Array and axis is None and not keepdims and state.trace.eager:
        host = a._np  # the short way: NumPy's own
        if host is not None and host.size and kind_of(host.dtype) in "iuf":
            position = host.argmax() if name == "argmax" else host.argmin()
            return Array(np.asarray(position, default_dtype(int)))
    a = arr(a)
    if a.aval.dtype.kind == "b":
        a = convert_element_type(a, np.int8)
    if is_of_number(axis, a.ndim):
        axis = None
    flat = reshape(a, (a.size,)) if axis is None else a
    position = 0 if axis is None else axis_of(axis, a.ndim, name)
    if flat.shape[position] == 0:
        raise with_user_line(
            ValueError(f"{name}: shape {a.shape} has no elements along axis {axis}")
        )
    out = function(flat, position, default_dtype(int))
    axes = tuple(range(a.ndim)) if axis is None else (position,)
    return _finish(out, a, axes, bool(keepdims))


def argmax(
    a: ArrayLike, axis: int | None = None, out: Any = None, keepdims: bool | None = None
) -> Any:
    """Return the position of the largest element along an axis, of the flat array without one.

    Of equal elements, the first one counts.

    Examples:
        >>> import diffeo as dx
        >>> argmax(dx.numpy.array([1.0, 3.0, 2.0]))
        Array(1)
    """
    if out is not None:
        raise no_out("argmax")
    return _arg("argmax", extrema.argmax, a, axis, keepdims)


def argmin(
    a: ArrayLike, axis: int | None = None, out: Any = None, keepdims: bool | None = None
) -> Any:
    """Return the position of the smallest element (the first of equal ones); see `argmax`."""
    if out is not None:
        raise no_out("argmin")
    return _arg("argmin", extrema.argmin, a, axis, keepdims)


def allclose(
    a: ArrayLike, b: ArrayLike, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether `isclose` holds everywhere."""
    return all(isclose(a, b, rtol, atol, equal_nan))


def array_equiv(a1: Any, a2: Any) -> Any:
    """Whether two arrays broadcast to one shape, and are equal in that shape."""
    a1, a2 = asarray(a1), asarray(a2)
    try:
        return all(a1 == a2)
    except ValueError:
        return Array(np.asarray(False))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether two arrays have the same shape and elements."""
    a1, a2 = asarray(a1), asarray(a2)
    if a1.shape != a2.shape:
        return Array(np.asarray(False))
    same = a1 == a2
    if equal_nan:
        same = same | (isnan(a1) & isnan(a2))
    return all(same)
