"""Functions that keep elements within limits: clip, nan_to_num."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..primitives.array import Array, as_value
from ..primitives.types import is_inexact, is_integer, limits_of
from ..primitives.words import elementwise as e
from ..primitives.words.promotion import (
    to_value,
)
from .choosing import where
from .common import (
    arr,
    host_of,
)
from .ufuncs import imag, isnan, isneginf, isposinf, maximum, minimum, real


def clip(
    arr: Any = None,
    /,
    min: Any = None,
    max: Any = None,
    *,
    a: Any = None,
    a_min: Any = None,
    a_max: Any = None,
) -> Any:
    """Return `arr` kept within `min` and `max`, each of which may be None or an array.

    A Python integer that an integer dtype cannot hold is no bound where it cannot matter: -1 as
    `min` of uint8, say.

    Raises:
        OverflowError: for a Python integer beyond the other end, such as 300 as `min` of uint8.

    Examples:
        >>> import diffeo as dx
        >>> clip(dx.numpy.arange(5), 1, 3)
        Array([1, 1, 2, 3, 3])
    """
    x = arr if arr is not None else a
    low, high = min if min is not None else a_min, max if max is not None else a_max
    host = host_of(x)
    if host is not None and host.dtype.char in "fd" and type(low) is type(high) is float:
        return Array(np.clip(host, low, high), x.weak_type)
    if type(low) is int or type(high) is int:
        x = as_value(to_value(x))
        least, most = limits_of(x.aval.dtype) if is_integer(x.aval.dtype) else (-math.inf, math.inf)
        low = None if type(low) is int and low < least else low
        high = None if type(high) is int and high > most else high
    x = maximum(x, low) if low is not None else as_value(to_value(x))
    return x if high is None else minimum(x, high)


def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """Replace nan by 0, and infinities by the largest and smallest finite numbers."""
    x = arr(x)
    dtype = x.aval.dtype
    if not is_inexact(dtype):
        return x
    if dtype.kind == "c":
        return e.complex_.bind(
            *[nan_to_num(v, copy, nan, posinf, neginf) for v in (real(x), imag(x))]
        )
    # NumPy's finfo does not know bfloat16: its largest number stands here.
    largest = float(np.finfo(dtype).max) if dtype.kind == "f" else 3.3895313892515355e38
    x = where(isnan(x), nan, x)
    x = where(isposinf(x), largest if posinf is None else posinf, x)
    return where(isneginf(x), -largest if neginf is None else neginf, x)
