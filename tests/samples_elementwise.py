"""Samples of elementwise primitives with a page of their own, of branch cuts, and of types in which
arrays are only kept.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np

from diffeo.operations import bits, extrema, identity, rounding
from diffeo.primitives.support.table import ELEMENTWISE
from diffeo.primitives.words import elementwise, powers, slicing, structural
from tests.sampling import bools, comp, ints, real, sample

# fmt: off
_special = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 3.0, np.inf, -np.inf, np.nan])
_halves = np.array([0.5, -0.5, 1.5, -1.5, 2.5, 0.49999999999999994, -0.2, 4503599627370497.0])

# --------------------------------------------------------------------------------------------------
# Rounding, bounds, bits

for _row in (elementwise.round_even, rounding.round_away):
    sample(_row, _halves, note="halves", smooth=False)
sample(rounding.clamp, -0.5, real(5), 0.5, note="scalar bounds")
sample(rounding.clamp, real(4), 0.1, real(4), note="scalar between")
sample(rounding.clamp, real(3), real(3), 0.5, note="one scalar bound")
sample(rounding.clamp, 0.5, real(4), -0.5, note="bounds in wrong order")
sample(rounding.clamp, np.array([0.0, np.nan, 0.0, 0.0]), np.array([np.nan, 1.0, 1.0, 9.0]),
       np.array([1.0, 2.0, np.nan, np.inf]), note="nan", smooth=False)
sample(rounding.clamp, -3, ints(6), 4, note="int scalar bounds")
sample(rounding.nextafter, np.array([0.0, 1.0, -1.0, 1.0, np.inf, np.nan, 5e-324]),
       np.array([1.0, 2.0, 0.0, 1.0, 0.0, 1.0, 0.0]), note="edges", smooth=False)
_precision = rounding.ReducePrecision
sample(_precision(11, 52), real(2, 3), note="all of float64")
sample(_precision(11, 52), real(), note="scalar")
sample(_precision(11, 52), real(0, 2), note="empty")
sample(_precision(8, 7), real(5), note="bfloat16", smooth=False)
sample(_precision(5, 2), np.array([1.125, 1.375, 70000.0, 57344.0, 3e-5, 6.2e-5, -1e-9]),
       note="halves, too large, too small", smooth=False)
sample(_precision(1, 0), _special, note="next to nothing", smooth=False)
sample(_precision(5, 10), _special, note="special", smooth=False)
for _half in map(np.dtype, ("float16", "bfloat16", "float32")):
    sample(_precision(4, 3), np.array([0.3, 1.0625, -250.0, 1e-3, np.nan], _half),
           note=str(_half), smooth=False)

for _kind in (np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64):
    _info = np.iinfo(_kind)
    _words = np.array([_info.min, _info.max, 0, 1, 2, _info.max // 3, 77], _kind)
    _name = np.dtype(_kind).name
    sample(bits.population_count, _words, note=f"{_name} limits")
    sample(bits.clz, _words, note=f"{_name} limits")
    sample(bits.mulhi, _words, _words[::-1].copy(), note=f"{_name} limits")

# --------------------------------------------------------------------------------------------------
# Powers of 2, identities

sample(powers.exp2, np.array([-1074.0, -1023.0, -1022.0, 1023.9, 1024.0, 1e300]), note="limits",
       smooth=False)
sample(powers.exp2, real(5, low=-300.0, high=300.0), note="large", smooth=False)
sample(identity.OptimizationBarrier(), real(2, 3))
sample(identity.OptimizationBarrier(), real(2), ints(3), real(), note="several")
sample(identity.OptimizationBarrier(), comp(2), bools(0), note="complex, and nothing")

# --------------------------------------------------------------------------------------------------
# Complex numbers: both sides of the branch cuts, numbers near and far from 0

_places = [0.0, -0.0, 0.5, -0.5, 2.0, -2.0]
_cuts = np.array([complex(x, y) for x in _places for y in (0.0, -0.0)]
                 + [complex(x, y) for y in _places for x in (0.0, -0.0)])
_small = np.array([1e-20 + 1e-18j, -1e-12 + 1e-20j, 1e-9j, 1e-5 - 1e-6j])
_large = np.array([30 + 1j, -30 + 2j, 1 + 30j, 2 - 30j, 700 + 1j])
for _row in (elementwise.sqrt, elementwise.asin, elementwise.acos, elementwise.asinh,
             elementwise.acosh, elementwise.atan, elementwise.atanh, elementwise.sign):
    sample(_row, _cuts, note="branch cuts", smooth=False)
for _row in (elementwise.log, elementwise.rsqrt):
    sample(_row, _cuts[_cuts != 0], note="branch cuts", smooth=False)
for _name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "expm1", "logistic", "square"):
    _row = ELEMENTWISE[_name]
    sample(_row, np.concatenate([_cuts, _small]), note="complex near 0", smooth=False)
    sample(_row, _large, note="complex far from 0", smooth=False)
for _name in ("log1p", "asin", "asinh", "atan", "atanh"):
    sample(ELEMENTWISE[_name], _small, note="complex near 0", smooth=False)

_nan = np.nan
_unordered = np.array([complex(_nan, 1), complex(1, _nan), 1 + 1j, complex(_nan, _nan), -0.0])
for _name in ("max", "min", "lt", "le", "gt", "ge"):
    sample(ELEMENTWISE[_name], _cuts, _cuts[::-1].copy(), note="complex ties", smooth=False)
    for _shift in range(5):
        sample(ELEMENTWISE[_name], _unordered, np.roll(_unordered, _shift), smooth=False,
               note=f"complex nan {_shift}")
for _arg in (extrema.ArgMax, extrema.ArgMin):
    for _axis in (0, 1):
        sample(_arg(_axis, np.dtype(np.int64)), np.array([[1 + 2j, 1 - 1j, 1 + 2j], [1, 0, -5j]]),
               note="complex ties")
        sample(_arg(_axis, np.dtype(np.int32)), np.stack([_unordered, _unordered[::-1]]),
               note="complex nan")
    sample(_arg(0, np.dtype(np.int64)), np.array([complex(-np.inf, -np.inf)] * 2),
           note="complex infinities")

# --------------------------------------------------------------------------------------------------
# Types for storage: made, converted both ways, moved; not computed with

FLOAT8 = [np.dtype(getattr(ml_dtypes, name)) for name in (
    "float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "float8_e4m3fnuz", "float8_e5m2fnuz",
    "float8_e3m4", "float8_e4m3", "float8_e8m0fnu") if hasattr(ml_dtypes, name)]
_convert = structural.ConvertElementType
for _type in FLOAT8:
    _stored = np.array([0.5, 2.0, 4.0, 1.0], _type)
    sample(_convert(np.dtype(np.float32)), _stored, note=str(_type), by=())
    sample(slicing.Concatenate(0), _stored, _stored[:2], note=str(_type), by=())
    sample(elementwise.select_p, bools(4), _stored, _stored[::-1].copy(), note=str(_type), by=())
    sample(structural.BitcastConvertType(np.dtype(np.uint8)), _stored, note=str(_type))
