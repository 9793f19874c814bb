"""What derivatives share: the types of tangents, and eager derivatives without NumPy's warnings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives.constants import full_like
from ..primitives.stand_ins import ZERO
from ..primitives.types import ShapedArray, float0, is_complex, is_inexact


def quietly(compute: Callable, *args: Any) -> Any:
    """Call a function without NumPy's warnings about 1/0 and the like.

    Derivatives of eager programs pass through such numbers where a zero cotangent discards them.
    """
    with np.errstate(all="ignore"):
        return compute(*args)


def tangent_aval(aval: ShapedArray) -> ShapedArray:
    """Return the type of a tangent: that of its primal, not weak; `float0` for integers."""
    return aval.strong if is_inexact(aval.dtype) else ShapedArray(aval.shape, float0)


def same_kind(a: np.dtype, b: np.dtype) -> bool:
    """Return whether both dtypes are real and floating-point, or both are complex."""
    return is_inexact(a) and is_inexact(b) and is_complex(a) == is_complex(b)


def from_tangent(t: Any, aval: ShapedArray) -> Any:
    """Return what a user gets for a tangent or cotangent: zeros instead of `ZERO`."""
    aval = tangent_aval(aval)
    if aval.dtype == float0:
        return np.zeros(aval.shape, float0)
    return full_like(aval, 0) if t is ZERO else t
