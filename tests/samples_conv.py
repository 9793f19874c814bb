"""Lines of the table of samples: contractions in other precisions and types, convolutions."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from diffeo.primitives.words.dot import DotGeneral, Precision
from diffeo.routines.windows.conv import ConvDimensionNumbers, ConvGeneralDilated
from tests.sampling import comp, ints, real, sample

# fmt: off

# --------------------------------------------------------------------------------------------------
# dot_general

_matrices = ((1,), (0,)), ((), ())
_low = (Precision.DEFAULT, Precision.HIGH)
_type = np.dtype


def _as(x, dtype):
    return lambda rng: x(rng).astype(dtype)


sample(DotGeneral(*_matrices, _low), real(2, 3), real(3, 2), note="precision of each operand")
sample(DotGeneral(((1,), (1,)), ((0,), (0,)), _low), real(2, 3), real(2, 3), note="low, batch")
sample(DotGeneral(((2,), (1,)), ((0,), (0,))), real(2, 1, 3), real(2, 3, 2), note="NumPy's matmul")
sample(DotGeneral(((2,), (1,)), ((0,), (0,))), real(0, 1, 3), real(0, 3, 2), note="empty batch")
for _dtype, _out in (("bfloat16", "bfloat16"), ("float16", "float16"), ("bfloat16", "float32"),
                     ("float16", "bfloat16"), ("float32", "float64"), ("float32", "bfloat16"),
                     ("float8_e4m3fn", "float32"), ("float8_e5m2", "bfloat16"),
                     ("complex64", "complex128")):
    _dot = DotGeneral(*_matrices, preferred_element_type=_type(_out))
    _x, _y = (comp(2, 5), comp(5, 3)) if _dtype == "complex64" else (real(2, 5), real(5, 3))
    sample(_dot, _as(_x, _dtype), _as(_y, _dtype), note=f"{_dtype} to {_out}", smooth=False)
for _dtype, _out in (("int8", "int32"), ("uint8", "int32"), ("uint8", "uint16"), ("int8", "int8"),
                     ("int16", "float32"), ("int64", "int64")):
    _limits = np.array([[np.iinfo(_dtype).max, np.iinfo(_dtype).min, 3]], _dtype)
    _dot = DotGeneral(*_matrices, preferred_element_type=_type(_out))
    sample(_dot, _limits, _limits.T.copy(), note=f"{_dtype} to {_out}")

# --------------------------------------------------------------------------------------------------
# Convolutions


def _conv(strides, padding, *more, lhs=None, rhs=None, dims=None, **groups):
    n = len(strides)
    numbers = ConvDimensionNumbers(*(dims or [tuple(range(n + 2))] * 3))
    ones = (1,) * n
    return ConvGeneralDilated(strides, padding, lhs or ones, rhs or ones, numbers, *more, **groups)


_nhwc = ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
_odd = ((2, 0, 1), (1, 2, 0), (1, 0, 2))

sample(_conv((1,), ((0, 0),)), real(2, 2, 5), real(3, 2, 3))
sample(_conv((2,), ((1, 2),), lhs=(2,), rhs=(3,)), real(2, 2, 4), real(3, 2, 2), note="dilated")
sample(_conv((2,), ((-1, 2),), lhs=(3,)), real(1, 2, 4), real(2, 2, 3), note="negative padding")
sample(_conv((3,), ((4, -2),), rhs=(2,)), real(1, 1, 5), real(1, 1, 2), note="more padding")
sample(_conv((1,), ((0, 1),), dims=_odd), real(3, 5, 2), real(2, 4, 3), note="odd layout")
sample(_conv((), ()), real(2, 3), real(4, 3), note="no spatial axes")
sample(_conv((1, 2), ((1, 1), (0, 2)), dims=_nhwc), real(2, 4, 4, 2), real(3, 2, 2, 3), note="NHWC")
sample(_conv((1, 1, 1), ((1, 0), (0, 0), (0, 1))), real(1, 1, 3, 2, 3), real(2, 1, 2, 2, 2),
       note="3-D")
sample(_conv((1,), ((1, 1),), 2), real(2, 4, 4), real(6, 2, 3), note="feature groups")
sample(_conv((2,), ((1, 1),), 3, lhs=(2,)), real(1, 3, 4), real(3, 1, 3), note="depthwise")
sample(_conv((1,), ((1, 0),), 1, 2, rhs=(2,)), real(4, 3, 4), real(4, 3, 2), note="batch groups")
sample(_conv((1, 1), ((1, 0), (0, 0)), 1, 3, dims=_nhwc), real(3, 2, 3, 2), real(2, 2, 2, 3),
       note="batch groups, NHWC")
sample(_conv((1,), ((1, 1),)), comp(1, 2, 4), comp(2, 2, 3), note="complex")
sample(_conv((1,), ((1, 1),), 2), comp(1, 2, 3), comp(2, 1, 2), note="complex groups")
sample(_conv((1,), ((0, 1),), precision=_low), real(1, 1, 4), real(1, 1, 2), note="low precision")
sample(_conv((1,), ((1, 1),)), ints(2, 2, 4), ints(2, 2, 3), note="int64")
sample(_conv((2,), ((0, 0),), preferred_element_type=_type("int32")),
       ints(1, 1, 4, dtype=np.int8, low=100, high=127), np.full((1, 1, 3), 127, np.int8),
       note="int8 to int32")
sample(_conv((1,), ((0, 0),)), ints(1, 1, 4, dtype=np.uint8, low=100, high=127),
       np.full((1, 1, 3), 127, np.uint8), note="uint8 wraps")
for _dtype, _out in (("bfloat16", "bfloat16"), ("float16", "float32"), ("float32", "float64"),
                     ("float32", "float16"), (ml_dtypes.float8_e4m3fn, "float32"),
                     ("complex64", "complex128")):
    _draw = comp if _dtype == "complex64" else real
    sample(_conv((1,), ((1, 1),), preferred_element_type=_type(_out)),
           _as(_draw(1, 2, 3), _dtype), _as(_draw(2, 2, 2), _dtype),
           note=f"{_type(_dtype)} to {_out}", smooth=False)
sample(_conv((1,), ((0, 0),)), real(1, 2, 2), real(3, 2, 4), note="window too large")
sample(_conv((2,), ((1, 1),)), real(1, 2, 0), real(3, 2, 2), note="of padding only")
sample(_conv((1,), ((1, 1),)), real(1, 2, 3), real(3, 2, 0), note="empty window")
sample(_conv((1,), ((0, 0),)), real(2, 0, 3), real(3, 0, 2), note="no features")
sample(_conv((1,), ((0, 0),)), real(0, 1, 3), real(2, 1, 2), note="empty batch")
sample(_conv((1,), ((0, 0),)), real(1, 1, 3), real(0, 1, 2), note="no output features")
sample(_conv((1,), ((-1, -2),)), real(1, 1, 3), real(1, 1, 1), note="all cut off")
sample(_conv((1,), ((0, 0),)), np.array([[[1.0, np.nan, 0.0, np.inf]]]), np.array([[[1.0, 2.0]]]),
       note="special", smooth=False)
