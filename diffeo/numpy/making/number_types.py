"""The types of numbers by NumPy's names: `float32`, say, is a dtype, and makes arrays.

A type is called, `float32(1.5)`, for an array of that dtype; it stands wherever a dtype does, and
is equal to NumPy's class of the same name.
"""

from __future__ import annotations

import builtins
from typing import Any

import ml_dtypes
import numpy as np

from .creation import asarray


class NumberType(type):
    """The class of `float32` and the others.

    Attributes:
        dtype: the dtype that the type stands for.
    """

    dtype: np.dtype

    def __call__(cls, x: Any = 0) -> Any:
        """Return an array of this dtype."""
        return asarray(x, dtype=cls.dtype)

    def __eq__(cls, other: object) -> builtins.bool:
        return cls is other or builtins.bool(cls.dtype.type == other)

    def __hash__(cls) -> int:
        return hash(cls.dtype.type)

    def __instancecheck__(cls, instance: Any) -> builtins.bool:
        return isinstance(instance, cls.dtype.type)

    def __repr__(cls) -> str:
        return f"<class '{cls.__module__}.{cls.__name__}'>"


def _type(dtype: Any) -> Any:
    """Return the type for a dtype, named as that is."""
    chosen = np.dtype(dtype)
    about = (
        f"The type of numbers {chosen.name}: a dtype, and called, an array of that dtype.\n\n"
        "Examples:\n"
        "    >>> import diffeo as dx\n"
        f"    >>> dx.numpy.{chosen.name}(1).dtype == dx.numpy.{chosen.name}\n"
        "    True\n"
    )
    # By this module and name it is pickled.
    space = {"dtype": chosen, "__module__": "diffeo.numpy", "__doc__": about}
    return NumberType(chosen.name, (), space)


bool = bool_ = _type(np.bool_)
int8, int16, int32, int64 = (_type(f"int{n}") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (_type(f"uint{n}") for n in (8, 16, 32, 64))
float16, float32, float64 = (_type(f"float{n}") for n in (16, 32, 64))
complex64, complex128 = _type("complex64"), _type("complex128")
int2, uint2, int4, uint4 = (
    _type(getattr(ml_dtypes, name)) for name in ("int2", "uint2", "int4", "uint4")
)
bfloat16, float4_e2m1fn = _type(ml_dtypes.bfloat16), _type(ml_dtypes.float4_e2m1fn)
float8_e3m4, float8_e4m3, float8_e4m3b11fnuz, float8_e4m3fn = (
    _type(getattr(ml_dtypes, f"float8_{name}"))
    for name in ("e3m4", "e4m3", "e4m3b11fnuz", "e4m3fn")
)
float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu = (
    _type(getattr(ml_dtypes, f"float8_{name}"))
    for name in ("e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu")
)
single, double, csingle, cdouble = float32, float64, complex64, complex128
float_, complex_, int_, uint = float64, complex128, int64, uint64
