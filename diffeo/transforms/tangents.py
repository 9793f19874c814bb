"""What derivatives share: the types of tangents, and the silence of eager derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives.constants import full_like
from ..primitives.stand_ins import ZERO
from ..primitives.types import ShapedArray, float0, is_inexact


def quietly(compute: Callable, *args: Any) -> Any:
    """Derivatives of eager programs pass through 1/0 and the like where a zero cotangent discards
    them.
    """
    with np.errstate(all="ignore"):
        return compute(*args)


def tangent_aval(aval: ShapedArray) -> ShapedArray:
    return aval.strong if is_inexact(aval.dtype) else ShapedArray(aval.shape, float0)


def from_tangent(t: Any, aval: ShapedArray) -> Any:
    """What a user gets for a tangent or cotangent: zeros instead of `ZERO`."""
    aval = tangent_aval(aval)
    if aval.dtype == float0:
        return np.zeros(aval.shape, float0)
    return full_like(aval, 0) if t is ZERO else t
