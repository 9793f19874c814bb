"""The limits of dtypes: `finfo`, `iinfo`."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from ...primitives.core import with_user_line
from ...primitives.support.foreign import array_dtype
from ...primitives.types import real_dtype
from .creation import asarray


def _dtype(x: Any) -> np.dtype:
    """Return the dtype that is meant, or that of an array."""
    if isinstance(x, (str, type, np.dtype)):
        return array_dtype(x)
    return x.dtype if isinstance(getattr(x, "dtype", None), np.dtype) else asarray(x).dtype


class finfo:
    """The limits of a floating-point dtype; of a complex one, those of its parts.

    The numbers are Python's, and so give way to the dtype of an array.

    Args:
        dtype: A dtype, its name, or an array.

    Attributes:
        dtype: The dtype of real numbers.
        bits: The bits of a number.
        eps: The distance from 1.0 to the next number.
        epsneg: The distance from 1.0 to the number before.
        max: The largest finite number.
        min: The least one.
        smallest_normal, tiny: The smallest positive number of full precision.
        smallest_subnormal: The smallest positive number.
        precision: How many decimal digits are certain.
        resolution: 10 to the power of minus `precision`.
        nmant, nexp, iexp, minexp, maxexp, machep, negep: NumPy's details of the format.

    Raises:
        ValueError: for a dtype without fractions.

    Examples:
        >>> finfo("float32").eps, finfo("complex128").bits
        (1.1920928955078125e-07, 64)
    """

    _FLOATS = (
        "eps", "epsneg", "max", "min", "smallest_normal", "tiny", "smallest_subnormal",
        "resolution",
    )  # fmt: skip
    _INTEGERS = (
        "bits", "precision", "nmant", "nexp", "iexp", "minexp", "maxexp", "machep", "negep",
    )  # fmt: skip

    bits: int
    precision: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    tiny: float
    smallest_subnormal: float
    resolution: float

    def __init__(self, dtype: Any):
        self.dtype = real_dtype(_dtype(dtype))
        try:
            theirs = ml_dtypes.finfo(self.dtype)
        except ValueError:
            raise with_user_line(
                ValueError(f"finfo: expected a floating-point dtype, got {self.dtype}; see iinfo")
            ) from None
        for name in self._FLOATS:
            setattr(self, name, float(getattr(theirs, name)))
        for name in self._INTEGERS:
            setattr(self, name, int(getattr(theirs, name)))

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution}, min={self.min}, max={self.max}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """The limits of a dtype of integers.

    Args:
        int_type: A dtype, its name, or an array.

    Attributes:
        dtype: The dtype.
        bits: The bits of a number.
        max: The largest number.
        min: The least one.

    Raises:
        ValueError: for another dtype.

    Examples:
        >>> iinfo("int8").min, iinfo("uint4").max
        (-128, 15)
    """

    def __init__(self, int_type: Any):
        self.dtype = _dtype(int_type)
        try:
            theirs = ml_dtypes.iinfo(self.dtype)
        except ValueError:
            raise with_user_line(
                ValueError(f"iinfo: expected a dtype of integers, got {self.dtype}; see finfo")
            ) from None
        self.bits, self.min, self.max = int(theirs.bits), int(theirs.min), int(theirs.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
