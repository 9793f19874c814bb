"""Samples of cumulative operations, general reductions and windows."""

from __future__ import annotations

import numpy as np

from diffeo.primitives import cumulative as c
from diffeo.primitives import reduction
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
sample(c.LinearRecurrence(0), np.array([np.inf, 2.0, np.inf, 0.0]), np.array([1.0, 0.0, 0.0, 1.0]),
       note="special", smooth=False)

sample(reduction.ReduceXor((0,)), bools(2, 6))
sample(reduction.ReduceXor((0,)), bools(0, 2), note="empty")
sample(reduction.ReduceXor((1,)), ints(3, 2, dtype=np.uint8, low=0), note="uint8")
sample(reduction.ReduceXor((0, 1)), ints(2, 2), note="int64")
