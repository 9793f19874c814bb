"""Samples of cumulative operations, general reductions and windows."""

from __future__ import annotations

import numpy as np

from diffeo.operations import cumulative as c
from diffeo.primitives import stage
from diffeo.primitives.types import ShapedArray, bfloat16
from diffeo.primitives.words import elementwise as e
from diffeo.primitives.words import reduction
from diffeo.routines.windows import general_reduce as g
from diffeo.routines.windows import windows as w
from tests.sampling import bools, comp, ints, real, sample

# Lines of neighbouring blocks and of a part of one, from both ends.
for _kind in (c.CumSum, c.CumProd, c.CumMax, c.CumMin, c.CumLogsumexp):
    sample(_kind(0), real(5, 2))
    sample(_kind(1), real(2, 9), note="two levels")
    sample(_kind(0, True), real(6), note="from the end")
    sample(_kind(1, True), real(1, 3, 2), note="middle axis, from the end")
    sample(_kind(0), real(1), note="size one")
    sample(_kind(0), real(0), note="empty")
    sample(_kind(0), real(3, 0), note="of nothing")
    sample(_kind(0), np.array([1.0, -np.inf, 2.0, np.nan, 3.0]), note="special", smooth=False)
    sample(_kind(0), np.array([-np.inf, -np.inf, 1.0, np.inf]), note="inf", smooth=False)
for _kind in (c.CumSum, c.CumProd):
    sample(_kind(0), comp(6), note="complex")
    sample(_kind(0, True), ints(4, dtype=np.int8, low=60, high=90), note="wraps")
for _kind in (c.CumMax, c.CumMin):
    sample(_kind(0), ints(6), note="int")
    sample(_kind(0, True), ints(6, low=0, dtype=np.uint8), note="uint8")
    sample(_kind(0), np.array([-128, 127, 5], np.int8), note="limits of int8")
sample(c.CumProd(0), np.array([0.5, 0.0, 3.0, 0.0, -2.0]), note="zeros")
sample(c.CumLogsumexp(0), np.array([-np.inf, 0.5, -np.inf, 2.0]), note="nothing", smooth=False)
sample(c.CumLogsumexp(0), np.array([-1e3, -2e3, 700.0, 800.0]), note="far apart")

sample(c.LinearRecurrence(0), real(5, 2), real(5, 2))
sample(c.LinearRecurrence(1, True), real(2, 6), real(2, 6), note="reverse")
sample(c.LinearRecurrence(0), comp(5), comp(5), note="complex")
sample(c.LinearRecurrence(0), real(1), real(1), note="size one")
sample(c.LinearRecurrence(0), real(0), real(0), note="empty")
sample(
    c.LinearRecurrence(0),
    np.array([np.inf, 2.0, np.inf, 0.0]),
    np.array([1.0, 0.0, 0.0, 1.0]),
    note="special",
    smooth=False,
)

sample(reduction.ReduceXor((0,)), bools(2, 6))
sample(reduction.ReduceXor((0,)), bools(0, 2), note="empty")
sample(reduction.ReduceXor((1,)), ints(3, 2, dtype=np.uint8, low=0), note="uint8")
sample(reduction.ReduceXor((0, 1)), ints(2, 2), note="int64")

# --------------------------------------------------------------------------------------------------
# Windows: sizes, strides, padding, base dilation, dilation

_pair = w.Window((2,), (1,), ((0, 0),), (1,), (1,))
_wide = w.Window((3,), (2,), ((1, 2),), (1,), (2,))
_spread = w.Window((3,), (2,), ((2, 1),), (3,), (2,))
_cut = w.Window((2,), (1,), ((-1, -1),), (1,), (1,))
_plane = w.Window((2, 3), (2, 1), ((1, 0), (1, 1)), (1, 2), (1, 1))
_beyond = w.Window((2,), (2,), ((4, 3),), (1,), (1,))
_none = w.Window((4,), (1,), ((0, 0),), (1,), (1,))
_dot = w.Window((), (), (), (), ())

_sum = w.ReduceWindowSum
for _kind in (_sum, w.ReduceWindowProd, w.ReduceWindowMax, w.ReduceWindowMin):
    sample(_kind(_pair), real(5))
    sample(_kind(_wide), real(7), note="padded")
    sample(_kind(_spread), real(4), note="dilated")
    sample(_kind(_cut), real(6), note="cut")
    sample(_kind(_plane), real(4, 3), note="plane")
    sample(_kind(_beyond), real(3), note="beyond", smooth=_kind in (_sum, w.ReduceWindowProd))
    sample(_kind(_none), real(3), note="too small")
    sample(_kind(_pair), real(0), note="empty")
    sample(_kind(_beyond), real(0), note="of nothing", smooth=_kind in (_sum, w.ReduceWindowProd))
    sample(_kind(_dot), real(), note="scalar")
    sample(_kind(_wide), ints(6, dtype=np.int8, low=60, high=90), note="int8")
    sample(_kind(_pair), np.array([0.5, 4.0, 2.0], bfloat16), note="bfloat16", by=())
    sample(_kind(_pair), np.array([1.0, np.nan, -np.inf, 2.0]), note="special", smooth=False)
for _kind in (_sum, w.ReduceWindowProd):
    sample(_kind(_wide), comp(5), note="complex")
sample(w.ReduceWindowProd(_pair), np.array([0.5, 0.0, 0.0, 2.0]), note="zeros")
for _largest in (True, False):
    _kind = w.WindowPlace
    sample(_kind(_pair, _largest), real(5), note=f"{_largest}")
    sample(_kind(_spread, _largest), ints(4), note=f"{_largest}, dilated")
    sample(_kind(_plane, _largest), real(4, 3), note=f"{_largest}, plane")
    sample(_kind(_beyond, _largest), real(3), note=f"{_largest}, beyond")
    sample(_kind(_beyond, _largest), real(0), note=f"{_largest}, of nothing")
    sample(_kind(_dot, _largest), real(), note=f"{_largest}, scalar")
    sample(
        _kind(_wide, _largest),
        np.array([1.0, 1.0, np.nan, 1.0, np.nan, -np.inf]),
        note=f"{_largest}, special",
        smooth=False,
    )
    sample(
        _kind(_wide, _largest),
        np.array([np.inf, np.inf, -np.inf, -np.inf]),
        note=f"{_largest}, inf",
        smooth=False,
    )

# --------------------------------------------------------------------------------------------------
# Reductions by a program


def program(fun, *dtypes):
    """The program of a function of two lists of scalars of these dtypes."""
    return stage(fun, [ShapedArray((), np.dtype(d)) for d in dtypes * 2])


def _norm(x, y):
    return [e.sqrt.bind(x * x + y * y)]


def _larger(x, i, y, j):
    first = e.ge.bind(x, y)
    return [e.select(first, x, y), e.select(first, i, j)]


def _affine(a, b, c, d):
    return [a * c, b * c + d]


_f, _i = np.array(0.5), np.array(-1)
_one, _zero = np.array(1.0), np.array(0.0)
_by_norm, _by_larger = program(_norm, "f8"), program(_larger, "f8", "i8")
_by_affine = program(_affine, "f8", "f8")
_by_product = program(lambda x, y: [x * y], "c16")
_reduce, _windows = g.Reduce, g.ReduceWindow
sample(_reduce(_by_norm, (0,)), real(5, 2), _zero, by=(0,))
sample(_reduce(_by_norm, (1,)), real(2, 4), real(low=0.5), note="initial value")
sample(_reduce(_by_norm, (0, 2)), real(2, 3, 2), _zero, note="two axes", by=(0,))
sample(_reduce(_by_norm, ()), real(2), _one, note="no axes")
sample(_reduce(_by_norm, (0,)), real(0, 2), _f, note="empty")
sample(_reduce(_by_norm, (0,)), real(2, 0), _f, note="of nothing")
sample(_reduce(_by_norm, (0,)), real(1), _zero, note="size one")
sample(
    _reduce(_by_larger, (0,)), real(5), ints(5), np.array(-np.inf), _i, note="with places", by=(0,)
)
sample(_reduce(_by_affine, (1,)), real(2, 5), real(2, 5), _one, _zero, note="in order")
sample(_reduce(_by_product, (0,)), comp(3), np.array(1.0 + 0j), note="complex")
sample(_windows(_by_norm, _wide), real(5), _zero, by=(0,))
sample(_windows(_by_norm, _plane), real(2, 3), _zero, note="plane", by=(0,))
sample(_windows(_by_affine, _pair), real(4), real(4), _one, _zero, note="in order")
sample(_windows(_by_norm, _pair), real(4), np.array(0.5), note="initial value")
sample(_windows(_by_norm, _none), real(3), _f, note="too small")
sample(
    _windows(_by_larger, _spread), real(4), ints(4), np.array(-np.inf), _i, note="dilated", by=(0,)
)
