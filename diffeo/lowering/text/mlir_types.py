"""Types and numbers as MLIR writes them: "tensor<3x4xf64>" and "1.0e+00"."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from ...primitives.types import ShapedArray, bool_

#: MLIR's names of dtypes, by NumPy's.
_ELEMENTS = {
    "bool": "i1",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "uint8": "ui8",
    "uint16": "ui16",
    "uint32": "ui32",
    "uint64": "ui64",
    "float16": "f16",
    "bfloat16": "bf16",
    "float32": "f32",
    "float64": "f64",
    "complex64": "complex<f32>",
    "complex128": "complex<f64>",
    "int2": "i2",
    "uint2": "ui2",
    "int4": "i4",
    "uint4": "ui4",
    "float4_e2m1fn": "f4E2M1FN",
    "float8_e4m3fn": "f8E4M3FN",
    "float8_e5m2": "f8E5M2",
    "float8_e4m3b11fnuz": "f8E4M3B11FNUZ",
    "float8_e4m3fnuz": "f8E4M3FNUZ",
    "float8_e5m2fnuz": "f8E5M2FNUZ",
    "float8_e3m4": "f8E3M4",
    "float8_e4m3": "f8E4M3",
    "float8_e8m0fnu": "f8E8M0FNU",
}
#: For each dtype, the integers with the same bits, and how many hexadecimal digits they have.
_FLOAT_BITS = {"float16": (np.uint16, 4), "float32": (np.uint32, 8), "float64": (np.uint64, 16)}


@cache
def element_type(dtype: np.dtype) -> str:
    """Return MLIR's name of a dtype: `f64` for float64 and so on.

    Raises:
        TypeError: if StableHLO has no such type.
    """
    name = _ELEMENTS.get((dtype.carrier if dtype.kind == "k" else dtype).name)  # type: ignore
    if name is None:
        raise TypeError(f"dtype {dtype} has no StableHLO type")
    return name


@cache
def tensor_type(aval: ShapedArray) -> str:
    """Return MLIR's name of an array type, such as `tensor<3x4xf64>`."""
    return f"tensor<{''.join([f'{n}x' for n in aval.shape])}{element_type(aval.dtype)}>"


def scalar_text(value: Any, dtype: np.dtype) -> str:
    """Return a number as MLIR writes it inside `dense<...>`. Exact for every float, with infinities
    and nan.
    """
    if dtype.kind == "k":
        dtype = dtype.carrier  # type: ignore
    if dtype == bool_:
        return "true" if value else "false"
    if dtype.kind in "iu" or element_type(dtype).startswith(("i", "ui")):  # int4 is of no kind
        return str(int(value))
    if dtype.kind == "c":
        part = np.dtype(np.float32 if dtype.itemsize == 8 else np.float64)
        value = complex(value)
        return f"({scalar_text(value.real, part)}, {scalar_text(value.imag, part)})"
    number = float(dtype.type(value))
    if math.isfinite(number):
        return f"{number:.17e}"
    # Infinities and nan are written as the hexadecimal digits of their bits.
    bits, width = _FLOAT_BITS.get(dtype.name, (np.dtype(f"u{dtype.itemsize}"), dtype.itemsize * 2))
    return f"0x{int(np.array(value, dtype).view(bits)):0{width}X}"
