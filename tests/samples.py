"""Every primitive with example operands: the one table from which all laws are tested.

A line is `sample(primitive, *operands)`, perhaps with a note. An operand is a NumPy array, a Python
scalar (where the primitive takes them), or a generator such as `real(2, 3)`, whose numbers come
from a seed made of the sample's name. `by` are the operands by which the result is differentiated:
by default all floating-point and complex arrays of a primitive that has a derivative; `smooth` is
False where only evaluation is meant (kinks, infinities, nan). See `sampling.py`.
"""

from __future__ import annotations

import numpy as np

from diffeo.operations import cumulative, extrema, sort
from diffeo.operations.platform import PlatformIndex
from diffeo.primitives import constants
from diffeo.primitives.support.key_types import KEY_TYPES
from diffeo.primitives.support.table import ELEMENTWISE
from diffeo.primitives.words import dot, elementwise, powers, reduction, slicing, structural
from diffeo.routines import random_bits
from diffeo.routines.generators import Cipher
from diffeo.routines.keys import KeyWords, WrapWords
from diffeo.routines.special import integers
from tests.sampling import (
    SAMPLES,
    Sample,
    bools,
    call_sample,
    comp,
    ints,
    keys,
    real,
    sample,
    words,
)

__all__ = ["SAMPLES", "Sample"]
# fmt: off

#: Floating-point numbers at which functions have poles, kinks or no value.
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 3.0, np.inf, -np.inf, np.nan])
#: The least and the largest int32.
SMALL, LARGE = np.iinfo(np.int32).min, np.iinfo(np.int32).max

# --------------------------------------------------------------------------------------------------
# Elementwise: every row of the table, real, complex, integer and boolean as it accepts them

#: Where a row is to be tried, if not on -2 .. 2.
DOMAINS = {
    "sqrt": (0.2, 3.0), "rsqrt": (0.2, 3.0), "cbrt": (0.2, 3.0), "log": (0.2, 3.0),
    "log1p": (-0.8, 2.0), "asin": (-0.9, 0.9), "acos": (-0.9, 0.9), "acosh": (1.2, 3.0),
    "atanh": (-0.9, 0.9), "erf_inv": (-0.9, 0.9), "erfinv": (-0.9, 0.9), "tan": (-1.2, 1.2),
    "pow": (0.3, 2.0), "div": (0.4, 2.0), "rem": (0.4, 7.0), "atan2": (0.3, 2.0),
    "fmod": (0.4, 7.0), "mod": (0.4, 7.0), "floor_div": (0.4, 7.0), "ceil": (-2.2, 2.2),
    "over_square_sum": (0.3, 2.0),
    "gamma_density": (0.3, 3.0), "beta_density": (0.2, 0.9), "lgamma": (0.3, 4.0),
    "digamma": (0.3, 4.0), "betaln": (0.3, 3.0), "erfcinv": (0.3, 1.7), "expi": (0.3, 3.0),
    "cosine_integral": (0.3, 3.0), "spence": (0.2, 4.0),
    "normal_hazard": (1.2, 6.0), "normal_tail_fall": (1.2, 6.0), "normal_tail_quantile": (1.2, 6.0),
    "continued_gamma_density": (0.3, 3.0), "entr": (0.2, 3.0), "poch": (0.3, 3.0),
    "kl_div": (0.3, 3.0), "rel_entr": (0.3, 3.0),
    "log_of_ratio": (0.3, 3.0), "relative_excess": (0.3, 3.0), "erfcinv_slope": (0.3, 1.7),
    "xlogy": (0.2, 2.0), "xlog1py": (-0.8, 2.0), "round_away": (-2.2, 2.2),
}

for _name, _row in ELEMENTWISE.items():
    _n, _accepts = _row.arity, _row.accepts
    _span = dict(zip(("low", "high"), DOMAINS.get(_name, (-2.0, 2.0))))
    if "f" in _accepts:
        for _shape in ((2, 3), (), (0, 2), (1,)):
            sample(_row, *[real(*_shape, **_span)] * _n)
        sample(_row, *[SPECIAL] * _n, note="special", smooth=False)
    if "c" in _accepts:
        sample(_row, *[comp(2, 3)] * _n, note="complex")
    if "i" in _accepts:
        _low, _high = (0, 9) if "shift" in _name or _name == "pow" else (-9, 9)
        _low = 1 if _name in ("div", "rem") else _low
        sample(_row, *[ints(3, 4)] * (_n - 1), ints(3, 4, low=_low, high=_high), note="int64")
        sample(_row, *[ints(4, dtype=np.int8)] * (_n - 1),
               ints(4, low=_low, high=_high, dtype=np.int8), note="int8")
    if "u" in _accepts:
        sample(_row, *[ints(5, low=1, dtype=np.uint32)] * _n, note="uint32")
    if "b" in _accepts:
        sample(_row, *[bools(7)] * _n, note="bool")
    if _n == 2 and "f" in _accepts and _name != "complex" and _row.takes_scalars:
        sample(_row, real(2, 3, **_span), 1.7, note="scalar right")
        sample(_row, 1.7, real(2, 3, **_span), note="scalar left")
    if _n == 2 and "c" in _accepts and _row.takes_scalars:
        sample(_row, comp(3), 0.7 - 0.4j, note="complex scalar right")
        sample(_row, 0.7 - 0.4j, comp(3), note="complex scalar left")
    if _n == 2 and "i" in _accepts and _row.takes_scalars:
        sample(_row, ints(5), 3, note="int scalar right")
        sample(_row, 3, ints(5, low=1), note="int scalar left")

_signs = np.array([7, -7, 7, -7])
for _row in (integers.gcd, integers.lcm):
    sample(_row, np.array([0, 0, 12, -8]), np.array([0, 6, 0, 12]), note="zeros")
    sample(_row, np.array([SMALL, SMALL, LARGE], np.int32), np.array([6, 0, SMALL], np.int32),
           note="limits")
sample(elementwise.div, _signs, np.array([2, 2, -2, -2]), note="towards zero")
sample(elementwise.div, _signs, np.array([0, 0, 2, 0]), note="by zero")
sample(elementwise.rem, _signs, np.array([0, 0, 2, 0]), note="by zero")
sample(elementwise.rem, _signs, np.array([2, 2, -2, -2]), note="sign of the dividend")
sample(elementwise.rem, np.array([7.5, -7.5, 7.5]), np.array([2.0, 2.0, -2.0]), note="signs")
sample(elementwise.power, np.array([-2.0, 0.0, 0.0, 2.0]), np.array([3.0, 0.0, 2.0, -1.0]),
       note="edges", smooth=False)
sample(elementwise.power, np.array([3, -2, 0, 7]), np.array([70, 65, 64, 2**62]), note="wraps")
sample(elementwise.power, np.array([0.0, 0.0]), np.array([2.0, 3.5]), note="base 0", by=(1,))
sample(elementwise.scale, np.array([0.0, 2.0, 0.0]), np.array([np.inf, 3.0, np.nan]),
       note="zero wins", smooth=False)
sample(elementwise.shift_left, np.array([1, 1, 1], np.int8), np.array([7, 8, 9], np.int8),
       note="out of the word")
sample(elementwise.shift_right_logical, np.array([-1, -1, -8], np.int8),
       np.array([1, 7, 9], np.int8), note="out of the word")
sample(elementwise.shift_right_arithmetic, np.array([-1, 100, -8], np.int8),
       np.array([1, 8, 9], np.int8), note="out of the word")
sample(elementwise.neg, np.array([0, 1, 2], np.uint32), note="wraps")
sample(elementwise.absolute, np.array([SMALL, LARGE, -1], np.int32), note="wraps")
sample(elementwise.maximum, np.array([1.0, np.nan, 2.0]), np.array([np.nan, 1.0, 3.0]),
       note="nan", smooth=False)
sample(elementwise.complex_, real(2, 3), real(2, 3), note="first only", by=(0,))
sample(elementwise.complex_, real(2, 3), real(2, 3), note="second only", by=(1,))

for _half in map(np.dtype, ("float16", "bfloat16")):
    for _name, _row in ELEMENTWISE.items():
        if "f" in _row.accepts and _name != "complex":
            _numbers = np.array([[0.5, 0.25, 0.75], [0.5, 0.375, 3.0], [4.0, -1.0, 2.0]], _half)
            sample(_row, *_numbers[:_row.arity], note=str(_half), by=())
    sample(elementwise.mul, np.array([0.5, 3.0], _half), 2.0, note=f"{_half} scalar", by=())
    sample(powers.IntegerPow(-3), np.array([0.5, 4.0], _half), note=str(_half), by=())
    sample(elementwise.select_p, np.array([True, False]), np.array([0.5, 4.0], _half), 0.0,
           note=str(_half), by=())
    sample(structural.ReduceSum((0,)), np.array([0.5, 4.0], _half), note=str(_half), by=())
    sample(cumulative.CumSum(0), np.array([0.5, 4.0], _half), note=str(_half), by=())
    sample(slicing.Pad((1,), (1,), (1,), 2.5), np.array([0.5, 4.0], _half), note=str(_half), by=())
    sample(reduction.ReduceMax((0,)), np.array([0.5, 4.0], _half), note=str(_half), by=())
    sample(reduction.ReduceProd((0,)), np.array([0.5, 4.0], _half), note=str(_half), by=())
    sample(extrema.ArgMin(0, np.dtype(np.int64)), np.array([5, 4.0], _half), note=str(_half))
    sample(extrema.ArgMax(0, np.dtype(np.int64)), np.array([5, np.nan, 6, np.nan], _half),
           note=f"{_half} nan")
    sample(reduction.ReduceMin((0,)), np.array([5, np.nan, 6], _half), note=f"{_half} nan", by=())
    sample(elementwise.maximum, np.array([5, np.nan], _half), np.array([np.nan, 1], _half),
           note=f"{_half} nan", by=())
    sample(sort.Sort(0), np.array([0.5, -4.0, np.nan, 2.0], _half), note=str(_half), by=())
    sample(dot.DotGeneral(((0,), (0,))), *[np.array([0.5, 4.0], _half)] * 2, note=str(_half), by=())

sample(elementwise.select_p, bools(2, 3), real(2, 3), real(2, 3))
sample(elementwise.select_p, np.array(True), real(), real())
sample(elementwise.select_p, bools(2, 3), real(2, 3), 1.5, note="scalar right")
sample(elementwise.select_p, bools(2, 3), 1.5, real(2, 3), note="scalar left")
sample(elementwise.select_p, bools(4), comp(4), comp(4), note="complex")
sample(elementwise.select_p, bools(4), ints(4), ints(4), note="int64")
sample(elementwise.select_p, bools(4), bools(4), bools(4), note="bool")
sample(elementwise.select_p, bools(0), real(0), real(0), note="empty")

for _power in (-3, -1, 0, 1, 2, 3, 7):
    sample(powers.IntegerPow(_power), real(2, 3, low=0.5), note=f"{_power}")
sample(powers.IntegerPow(3), np.array([0.0, -1.5]), note="at 0")
sample(powers.IntegerPow(0), np.array([0.0, -1.5]), note="0 at 0")
sample(powers.IntegerPow(1), np.array([0.0, -1.5]), note="1 at 0")
sample(powers.IntegerPow(40), real(2, 3, low=0.5), note="many factors", smooth=False)
sample(powers.IntegerPow(70), ints(3), note="wraps")
sample(powers.IntegerPow(3), comp(3), note="complex")
sample(powers.IntegerPow(-2), comp(3), note="complex negative")
sample(powers.IntegerPow(3), ints(3, dtype=np.int32), note="int32")

# --------------------------------------------------------------------------------------------------
# Creation and conversion

f64, f32, c128, i64 = (np.dtype(d) for d in (np.float64, np.float32, np.complex128, np.int64))
u8, boolean = np.dtype(np.uint8), np.dtype(bool)

for _dtype, _value in ((f64, 1.5), (f64, np.inf), (i64, -3), (boolean, True), (c128, 1 - 2j)):
    sample(constants.Full((2, 3), _dtype, _value))
sample(constants.Full((), f32, np.nan), note="nan")
sample(constants.Full((0, 2), f64, 1.0), note="empty")
sample(structural.Iota((2, 3), f64, 1))
sample(structural.Iota((4,), i64, 0))
sample(structural.Iota((3, 2), np.dtype(np.uint8), 0), note="uint8")
sample(structural.Iota((2,), c128, 0), note="complex")
sample(structural.Iota((0,), np.dtype(np.int32), 0), note="empty")
sample(PlatformIndex((("tpu", "cuda"), ("cpu",), None)))

_convert = structural.ConvertElementType
sample(_convert(c128), real(3), note="real to complex")
sample(_convert(f32), real(2, 3), note="narrow")
sample(_convert(f64), lambda rng: rng.random((2, 3)).astype(np.float32), note="widen", by=())
sample(_convert(f64), real(3), note="same")
sample(_convert(i64), real(5), note="truncates")
sample(_convert(f64), ints(5), note="int to float")
sample(_convert(boolean), np.array([0.0, -0.0, 0.3, np.nan]), note="to bool")
sample(_convert(boolean), np.array([0j, 1j]), note="complex to bool")
sample(_convert(f64), bools(4), note="from bool")
sample(_convert(f64), comp(3), note="complex to real")
sample(_convert(u8), ints(4, low=0), note="to uint8")
sample(_convert(np.dtype(np.int8)), np.array([127, 128, -129, 1000]), note="wraps")
sample(_convert(np.dtype(np.float16)), np.array([1.0, 1e9, 1e-9]), note="to half", by=())
sample(_convert(np.dtype("bfloat16")), real(3), note="to bfloat16", by=())
sample(structural.BitcastConvertType(i64), real(3))
sample(structural.BitcastConvertType(f32), words(2, 2), note="to float", smooth=False)
sample(structural.BitcastConvertType(np.dtype(np.int32)), words(), note="signed")

# --------------------------------------------------------------------------------------------------
# Structure

sample(structural.Reshape((3, 2)), real(2, 3))
sample(structural.Reshape((6,)), comp(2, 3), note="complex")
sample(structural.Reshape(()), real(1, 1), note="to a scalar")
sample(structural.Reshape((1, 1)), real(), note="from a scalar")
sample(structural.Reshape((0, 5)), real(3, 0), note="empty")
sample(structural.Reshape((4,)), bools(2, 2), note="bool")
sample(structural.Transpose((2, 0, 1)), real(2, 3, 4))
sample(structural.Transpose((1, 0)), ints(2, 3), note="int")
sample(structural.Transpose(()), real(), note="of a scalar")
sample(structural.BroadcastInDim((2, 3), ()), real(), note="of a scalar")
sample(structural.BroadcastInDim((2, 3, 4), (1,)), real(3))
sample(structural.BroadcastInDim((2, 3, 4), (0, 2)), real(1, 4), note="stretch")
sample(structural.BroadcastInDim((2, 3), (0, 1)), real(1, 1), note="stretch both")
sample(structural.BroadcastInDim((0, 3), (1,)), real(3), note="to nothing")
sample(structural.BroadcastInDim((1, 3), (0, 1)), real(1, 3), note="size one stays")
sample(structural.BroadcastInDim((2, 3), (1,)), comp(3), note="complex")
sample(structural.ReduceSum((0,)), real(2, 3))
sample(structural.ReduceSum((1, 2)), real(2, 3, 4))
sample(structural.ReduceSum((2, 0)), real(2, 3, 4), note="unordered axes")
sample(structural.ReduceSum((0, 1)), comp(2, 3), note="complex")
sample(structural.ReduceSum((0,)), real(0, 3), note="empty")
sample(structural.ReduceSum(()), real(2), note="over no axes")
sample(structural.ReduceSum((0,)), ints(5, dtype=np.int8, low=100, high=127), note="wraps")

sample(slicing.Slice((1, 0), (3, 2), (1, 1)), real(4, 3))
sample(slicing.Slice((1, 0), (6, 3), (2, 3)), real(6, 4), note="strides")
sample(slicing.Slice((0,), (5,), (2,)), comp(5), note="complex")
sample(slicing.Slice((2,), (2,), (1,)), real(4), note="empty")
sample(slicing.Slice((), (), ()), real(), note="of a scalar")
sample(slicing.Slice((1,), (2,), (7,)), ints(3), note="long stride")
sample(slicing.Pad((1, 0), (0, 2), (0, 0)), real(2, 3))
sample(slicing.Pad((1,), (2,), (2,), 1.5), real(3), note="interior and value")
sample(slicing.Pad((-1, 1), (1, -2), (0, 0), 9.0), real(3, 4), note="negative")
sample(slicing.Pad((-1,), (-1,), (1,)), real(4), note="negative and interior")
sample(slicing.Pad((-2,), (-1,), (1,)), real(4), note="cut through the interior")
sample(slicing.Pad((-2,), (5,), (0,), 2.0), real(2), note="cut all")
sample(slicing.Pad((-3,), (5,), (0,)), real(2), note="cut more than there is")
sample(slicing.Pad((2,), (1,), (3,), 0.5), real(0), note="of nothing")
sample(slicing.Pad((1,), (1,), (0,), 1j), comp(2), note="complex")
sample(slicing.Pad((1,), (1,), (0,), True), bools(3), note="bool")
sample(slicing.Pad((1,), (-1,), (0,), -7), ints(3), note="int")
sample(slicing.Concatenate(0), real(2, 3), real(1, 3))
sample(slicing.Concatenate(1), real(2, 1), real(2, 2), real(2, 3), note="three")
sample(slicing.Concatenate(0), real(2), real(0), note="with nothing")
sample(slicing.Concatenate(0), comp(2), comp(1), note="complex")
sample(slicing.Concatenate(0), ints(2), ints(1), note="int")
sample(slicing.Split((1, 2), 0), real(3, 2))
sample(slicing.Split((2, 0, 3), 1), real(2, 5), note="three")
sample(slicing.Split((1, 1), 0), comp(2), note="complex")
sample(slicing.Split((0, 0), 1), real(2, 0), note="of nothing")
sample(slicing.Split((2, 1), 0), ints(3), note="int")
sample(slicing.Rev((0,)), real(3, 2))
sample(slicing.Rev((0, 2)), real(2, 3, 4), note="two axes")
sample(slicing.Rev((0,)), bools(3), note="bool")

# --------------------------------------------------------------------------------------------------
# Reductions

for _kind in (reduction.ReduceMax, reduction.ReduceMin, reduction.ReduceProd):
    sample(_kind((0,)), real(3, 4))
    sample(_kind((0, 2)), real(2, 3, 4))
    sample(_kind((0,)), real(1), note="size one")
    sample(_kind((0,)), real(5), note="odd")
    sample(_kind(()), real(2), note="over no axes")
    sample(_kind((1,)), real(2, 0), note="empty", smooth=_kind is reduction.ReduceProd)
    sample(_kind((0,)), ints(2, 5), note="int")
    sample(_kind((1,)), np.array([[1.0, np.nan], [np.inf, 3.0]]), note="special", smooth=False)
sample(reduction.ReduceMax((0,)), bools(4, 2), note="bool")
sample(reduction.ReduceMin((0,)), bools(4, 2), note="bool")
sample(reduction.ReduceMax((0,)), ints(0, 2, dtype=np.int8), note="empty int8")
sample(reduction.ReduceMin((0,)), ints(0, 2, dtype=np.uint32), note="empty uint32")
sample(reduction.ReduceProd((1,)), comp(2, 3), note="complex")
sample(reduction.ReduceProd((0,)), np.array([2.0, 0.0, 3.0]), note="a zero")
sample(reduction.ReduceProd((0,)), np.array([0.0, 2.0, 0.0]), note="two zeros")
for _kind in (reduction.ReduceAnd, reduction.ReduceOr):
    sample(_kind((0,)), bools(2, 6))
    sample(_kind((0,)), bools(0, 2), note="empty")
    sample(_kind((1,)), ints(3, 2, dtype=np.uint8, low=0), note="uint8")
    sample(_kind((0, 1)), ints(2, 2), note="int64")
for _kind in (extrema.ArgMax, extrema.ArgMin):
    sample(_kind(1, i64), real(3, 5))
    sample(_kind(0, np.dtype(np.int32)), real(4), note="int32")
    sample(_kind(0, i64), np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 2.0], [0.0, 2.0]]), note="ties")
    sample(_kind(0, i64), np.array([1.0, np.nan, -3.0, np.nan, 5.0]), note="nan", smooth=False)
    sample(_kind(0, i64), np.array([-np.inf, -np.inf]), note="inf", smooth=False)
    sample(_kind(0, i64), np.array([np.inf, np.inf]), note="inf", smooth=False)
    sample(_kind(0, i64), ints(6), note="int")
    sample(_kind(0, i64), bools(6), note="bool")
    sample(_kind(0, u8), ints(6, low=0, dtype=np.uint8), note="uint8")

# --------------------------------------------------------------------------------------------------
# Contractions

_dot = dot.DotGeneral
sample(_dot(((0,), (0,))), real(3), real(3), note="vectors")
sample(_dot(((1,), (0,))), real(2, 3), real(3), note="matrix vector")
sample(_dot(((1,), (0,))), real(2, 3), real(3, 4), note="matrices")
sample(_dot(((0,), (1,))), real(3, 2), real(4, 3), note="transposed")
sample(_dot(((2,), (1,)), ((0,), (0,))), real(2, 3, 4), real(2, 4, 5), note="batch")
sample(_dot(((0,), (2,)), ((2,), (1,))), real(4, 3, 2), real(5, 2, 4), note="odd batch")
sample(_dot(((1, 2), (2, 0))), real(2, 3, 4), real(4, 2, 3), note="two axes")
sample(_dot(((2, 0), (0, 1)), ((1,), (2,))), real(2, 3, 4), real(4, 2, 3), note="two axes, batch")
sample(_dot(((1,), (1,)), ((2, 0), (0, 3))), real(2, 3, 4), real(4, 3, 5, 2), note="two batch axes")
sample(_dot(((), ())), real(2), real(3), note="outer")
sample(_dot(((), ())), real(), real(), note="scalars")
sample(_dot(((), ()), ((0,), (0,))), real(3), real(3), note="batch only")
sample(_dot(((1,), (0,))), real(2, 0), real(0, 3), note="over nothing")
sample(_dot(((1,), (0,))), comp(2, 3), comp(3, 2), note="complex")
sample(_dot(((1,), (0,))), ints(2, 3), ints(3, 2), note="int")
sample(_dot(((1,), (0,))), ints(2, 3, dtype=np.uint8, low=0), ints(3, 2, dtype=np.uint8, low=0),
       note="uint8")

# --------------------------------------------------------------------------------------------------
# Random bits, programs

sample(random_bits.Threefry2x32(), *[words(4)] * 4)
sample(random_bits.Threefry2x32(), *[words()] * 4, note="scalar")
sample(random_bits.Threefry2x32(), *[words(2, 0)] * 4, note="empty")
sample(random_bits.Threefry2x32(), *[words(3, 5)] * 4, note="many")
for _shape in ((), (4,), (3, 5), (0,)):
    sample(random_bits.RandomBits(_shape), words(2), note=f"{_shape}")
    sample(random_bits.RandomBits(_shape), words(3, 2), note=f"{_shape} of three keys")
sample(random_bits.RandomBits((2,)), words(0, 2), note="no keys")
for _cipher, _count in (("philox2x32", 3), ("philox4x32", 6), ("threefry4x32", 8)):
    sample(Cipher(_cipher), *[words(3)] * _count, note=_cipher)
sample(Cipher("philox2x32"), *[words()] * 3, note="scalar")
for _type in KEY_TYPES.values():
    sample(WrapWords(_type), words(3, 2, _type.words), note=f"{_type}")
    sample(KeyWords(), keys(_type, 3, 2), note=f"{_type}")


call_sample(lambda x, y: [elementwise.sin.bind(x) * y], real(3), real(3), note="one result")
call_sample(lambda x, n: [x * 2.0, n + 1, -x], real(2), ints(2), note="several")
call_sample(lambda x: [x, x, x * x], real(2), note="the operand itself")
call_sample(lambda z: [elementwise.exp.bind(z) * z], comp(2), note="complex")
call_sample(lambda x, y: [x, elementwise.floor.bind(y)], real(2), real(2), note="a constant result")

# More lines of the table.
# More lines of the table.
from tests import (  # noqa: E402
    samples_callbacks,  # noqa: F401
    samples_collectives,  # noqa: F401
    samples_control,  # noqa: F401
    samples_conv,  # noqa: F401
    samples_custom,  # noqa: F401
    samples_elementwise,  # noqa: F401
    samples_fft,  # noqa: F401
    samples_indexing,  # noqa: F401
    samples_linalg,  # noqa: F401
    samples_linalg2,  # noqa: F401
    samples_special,  # noqa: F401
    samples_windows,  # noqa: F401
)
