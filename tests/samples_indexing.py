"""Lines of the table of samples: gather, the scatters, dynamic slices, order."""

from __future__ import annotations

import numpy as np

from diffeo.operations import scatter, sort
from diffeo.primitives.words import indexing
from diffeo.primitives.words.indexing import IndexDims
from tests.sampling import bools, comp, i32, ints, real, sample

# fmt: off

SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 3.0, np.inf, -np.inf, np.nan])

# --------------------------------------------------------------------------------------------------
# Indexing

_rows = IndexDims((1,), (0,), (0,))  # x[i]: whole rows at a list of indices
_points = IndexDims((), (0, 1), (0, 1))  # x[i, j]: single elements
_window = IndexDims((1, 2), (), (0, 1))  # windows at positions
_front = IndexDims((0, 1), (), (0, 1))  # the same, the window's axes first
_column = IndexDims((0,), (1,), (1,))  # x[:, i]
_paired = IndexDims((), (1,), (1,), (0,), (0,))  # x[b, i[b]]: take_along_axis
_wide = IndexDims((), (0,), (0,))  # x[i] of a vector
_all = IndexDims((1, 2), (), ())  # the whole operand, again and again
_scalar = IndexDims((), (), ())  # of an array without axes

_at = i32([[0], [2], [2], [3]])
_off = i32([[1], [7], [-1], [3]])
_pairs = i32([[0, 1], [3, 2], [3, 2]])
_corner = i32([[0, 0], [2, 1], [3, 2], [-4, 9]])

_gather = indexing.Gather
sample(_gather(_rows, (1, 3)), real(4, 3), _at, note="rows")
sample(_gather(_rows, (1, 3)), real(4, 3), _off, note="rows out of bounds")
sample(_gather(_rows, (1, 3)), comp(4, 3), _at.astype(np.int64), note="complex")
sample(_gather(_rows, (1, 3)), ints(4, 3), _off.astype(np.int8), note="int8 indices")
sample(_gather(_rows, (1, 3)), real(4, 3), np.array([[1], [250]], np.uint8), note="uint8 indices")
sample(_gather(_rows, (1, 3)), real(4, 3), np.array([[2**63 + 1]], np.uint64), note="huge index")
sample(_gather(_wide, (1,)), real(300), np.array([[100], [-1]], np.int8), note="wide, int8")
sample(_gather(_wide, (1,)), real(300), np.array([[100], [250]], np.uint8), note="wide, uint8")
sample(_gather(_rows, (1, 3)), real(4, 3), i32(np.zeros((0, 1))), note="no rows")
sample(_gather(_rows, (1, 2)), real(4, 3), _at, note="part of rows")
sample(_gather(_points, (1, 1)), real(4, 3), _pairs, note="points")
sample(_gather(_points, (1, 1)), real(4, 3), _pairs.reshape(3, 1, 2), note="more batch axes")
sample(_gather(_points, (1, 1)), real(4, 3), i32([1, 2]), note="one point")
sample(_gather(_window, (2, 2)), real(4, 3), _corner, note="windows")
sample(_gather(_front, (2, 2)), real(4, 3), _corner, note="window first")
sample(_gather(_column, (4, 1)), real(4, 3), i32([[2], [0]]), note="columns")
sample(_gather(_paired, (1, 1)), real(4, 3), _off, note="paired")
sample(_gather(IndexDims((1, 2), (), (1, 0)), (1, 2)), real(4, 3), i32([[1, 3]]), note="swapped")
sample(_gather(_all, (4, 3)), real(4, 3), i32(np.zeros((2, 0))), note="everything")
sample(_gather(_scalar, ()), real(), i32(np.zeros((3, 0))), note="of a scalar")
sample(_gather(_rows, (1, 0)), real(4, 0), _at, note="empty rows")

_tuned = "promise_in_bounds", False, True, True
sample(_gather(_rows, (1, 3), "fill", 2.5), real(4, 3), _off, note="fill")
sample(_gather(_rows, (1, 3), "fill", 1j), comp(4, 3), _off, note="fill complex")
sample(_gather(_rows, (1, 3), "fill", -7), ints(4, 3), _off.astype(np.int8), note="fill int")
sample(_gather(_rows, (1, 3), "fill", True), bools(4, 3), _off, note="fill bool")
sample(_gather(_wide, (1,), "fill", np.nan), real(3), _off, note="fill nan", smooth=False)
sample(_gather(_front, (2, 2), "fill"), real(4, 3), _corner, note="fill windows")
sample(_gather(_paired, (1, 1), "fill", 0.5), real(4, 3), _off, note="fill paired")
sample(_gather(_wide, (1,), "fill", -1.0), real(4), np.array([[2**63 + 1], [1]], np.uint64),
       note="fill, huge index")
sample(_gather(_rows, (1, 3), *_tuned), real(4, 3), i32([[0], [2], [3]]), note="tuned")
sample(_gather(_points, (1, 1), *_tuned), real(4, 3), i32([[0, 1], [2, 0]]), note="tuned points")

_half = np.array([0.5, 4.0, 3.0], "bfloat16")
for _kind in (indexing.ScatterAdd, indexing.Scatter, scatter.ScatterMul):
    sample(_kind(_rows), real(4, 3), _at, real(4, 3), note="rows with duplicates")
    sample(_kind(_rows), real(4, 3), _off, real(4, 3), note="rows out of bounds")
    sample(_kind(_rows), comp(4, 3), _at, comp(4, 3), note="complex")
    sample(_kind(_rows), ints(4, 3), _at, ints(4, 3), note="int")
    sample(_kind(_rows), real(4, 3), _at, real(4, 2), note="part of rows")
    sample(_kind(_rows), real(4, 3), i32(np.zeros((0, 1))), real(0, 3), note="no rows")
    sample(_kind(_points), real(4, 3), _pairs, real(3), note="points")
    sample(_kind(_points), real(4, 3), i32([1, 2]), real(), note="one point")
    sample(_kind(_points), real(4, 3), _pairs.reshape(3, 1, 2), real(3, 1), note="more batch axes")
    sample(_kind(_window), real(4, 3), _corner, real(4, 2, 2), note="overlapping windows")
    sample(_kind(_front), real(4, 3), _corner[1:2], real(2, 2, 1), note="window first")
    sample(_kind(_column), real(4, 3), i32([[2], [0]]), real(4, 2), note="columns")
    sample(_kind(_paired), real(4, 3), _off, real(4), note="paired")
    sample(_kind(_scalar), real(), i32(np.zeros((3, 0))), real(3), note="into a scalar")
    sample(_kind(_all), real(4, 3), i32(np.zeros((2, 0))), real(2, 4, 3), note="everything")
    sample(_kind(_rows), real(4, 3), np.array([[1], [250]], np.uint8), real(2, 3), note="uint8")
    sample(_kind(_wide), real(300), np.array([[100], [-1]], np.int8), real(2), note="wide, int8")
    sample(_kind(_wide), real(300), np.array([[9], [250]], np.uint8), real(2), note="wide, uint8")
    sample(_kind(_wide), real(4), np.array([[2**63 + 1], [1]], np.uint64), real(2), note="huge")
    sample(_kind(_rows, True, True), real(4, 3), i32([[0], [2]]), real(2, 3), note="tuned")
    sample(_kind(_rows), bools(4, 3), _at, bools(4, 3), note="bool")
    sample(_kind(_wide), _half, i32([[1], [1]]), _half[1:], note="bfloat16", by=())
sample(indexing.Scatter(_rows, True), real(4, 3), i32([[2], [0]]), real(2, 3), note="unique")
sample(scatter.ScatterMul(_wide), np.array([2.0, 0.0, 3.0]), i32([[0], [0], [1], [0], [1], [9]]),
       np.array([0.0, 3.0, 0.0, 0.0, 2.0, 5.0]), note="zeros")
for _kind in (scatter.ScatterMin, scatter.ScatterMax):
    sample(_kind(_rows), real(4, 3), _at, real(4, 3), note="rows with duplicates")
    sample(_kind(_rows), real(4, 3), _off, real(4, 3), note="rows out of bounds")
    sample(_kind(_rows), real(4, 3), i32(np.zeros((0, 1))), real(0, 3), note="no rows")
    sample(_kind(_front), real(4, 3), _corner[:3], real(2, 2, 3), note="overlapping windows")
    sample(_kind(_paired), real(4, 3), _off, real(4), note="paired")
    sample(_kind(_scalar), real(), i32(np.zeros((3, 0))), real(3), note="into a scalar")
    sample(_kind(_rows, True, True), real(4, 3), i32([[0], [2]]), real(2, 3), note="tuned")
    sample(_kind(_rows), ints(4, 3), _at, ints(4, 3), note="int")
    sample(_kind(_rows), bools(4, 3), _at, bools(4, 3), note="bool")
    sample(_kind(_wide), np.array([3, 250, 9], np.uint8), i32([[1], [0], [0]]),
           np.array([4, 255, 0], np.uint8), note="uint8")
    sample(_kind(_wide), np.array([1.0, np.nan, 2.0, np.inf, 0.5]), i32([[0], [1], [2], [3]]),
           np.array([np.nan, 1.0, -np.inf, 7.0]), note="special", smooth=False)
    sample(_kind(_wide), _half, i32([[1], [1]]), _half[1:], note="bfloat16", by=())

sample(indexing.DynamicSlice((2, 2)), real(4, 3), i32(1), i32(0))
sample(indexing.DynamicSlice((2, 2)), real(4, 3), i32(9), i32(-1), note="moved inside")
sample(indexing.DynamicSlice((2,)), comp(4), i32(1), note="complex")
sample(indexing.DynamicSlice((0,)), real(4), i32(4), note="of size zero")
sample(indexing.DynamicSlice(()), real(), note="of a scalar")
sample(indexing.DynamicSlice((2, 2)), ints(4, 3), np.array(1), np.array(1), note="int64 starts")
sample(indexing.DynamicSlice((2,)), ints(4), np.array(200, np.uint8), note="uint8 start")
sample(indexing.DynamicSlice((2,)), ints(300), np.array(250, np.uint8), note="wide, uint8 start")
sample(indexing.DynamicSlice((2,)), real(300), np.array(100, np.int8), note="wide, int8 start")
sample(indexing.DynamicSlice((2,)), ints(4), np.array(2**63 + 7, np.uint64), note="huge start")
sample(indexing.DynamicUpdateSlice(), real(4, 3), real(2, 2), i32(1), i32(0))
sample(indexing.DynamicUpdateSlice(), real(4, 3), real(2, 2), i32(9), i32(-1), note="moved inside")
sample(indexing.DynamicUpdateSlice(), comp(4), comp(2), i32(1), note="complex")
sample(indexing.DynamicUpdateSlice(), real(), real(), note="of a scalar")
sample(indexing.DynamicUpdateSlice(), real(4), real(0), i32(2), note="with nothing")
sample(indexing.DynamicUpdateSlice(), ints(4), ints(4), np.array(200, np.uint8), note="all of it")
sample(indexing.DynamicUpdateSlice(), real(300), real(2), np.array(100, np.int8), note="wide")

# --------------------------------------------------------------------------------------------------
# Order

_tied = np.array([2.0, np.nan, 2.0, -0.0, np.inf, 0.0, -np.inf, np.nan, 2.0])
_odd = np.array([1 + 2j, 1 - 2j, np.nan + 1j, 2 + np.nan * 1j, 1 + np.nan * 1j, np.nan + 0j, 0j])
sample(sort.Sort(0), real(6))
sample(sort.Sort(1), real(3, 5))
sample(sort.Sort(0), real(5, 2), real(5, 2), note="key and value")
sample(sort.Sort(0), i32([2, 1, 2, 1, 0]), real(5), note="stable")
sample(sort.Sort(0, 2), i32([2, 1, 2, 1, 0]), real(5), comp(5), note="two keys")
sample(sort.Sort(0, 2), i32([2, 1, 2]), i32([0, 1, 0]), note="two keys and no more")
sample(sort.Sort(0), bools(5), ints(5), note="bool")
sample(sort.Sort(0), ints(5, dtype=np.uint8, low=0), note="uint8")
sample(sort.Sort(0), real(0, 2), note="empty")
sample(sort.Sort(0), real(1), note="size one")
sample(sort.Sort(0), SPECIAL[2:], note="special", smooth=False)
sample(sort.Sort(0), SPECIAL, np.arange(9), note="signed zeros are equal", smooth=False)
sample(sort.Sort(0), np.array([np.nan, 1.0, -np.nan, 0.0]), np.arange(4), note="nan", smooth=False)
sample(sort.Sort(1), comp(2, 4), note="complex")
sample(sort.Sort(0), comp(3), real(3), note="complex key")
sample(sort.Sort(0, 2), i32([1, 0, 1, 0]), comp(4), real(4), note="complex second key")
sample(sort.Sort(0), np.array([1 + 1j, 1 - 1j, 0j, 1 - 1j]), i32([0, 1, 2, 3]), note="complex ties",
       smooth=False)
sample(sort.Sort(0), _odd, np.arange(7), note="complex nan", smooth=False)
sample(sort.Sort(0, 1, False), real(5), note="unstable")
sample(sort.Sort(0), i32([3, -2, -(2**31), 2**31 - 1]), note="int limits")
sample(sort.Sort(0), np.array([3, 2**64 - 1, 0, 2**63], np.uint64), note="uint64 limits")

sample(sort.TopK(2, 0), real(6))
sample(sort.TopK(3, 0), real(4, 2), note="first axis")
sample(sort.TopK(1, 1), real(2, 9), note="few of many")
sample(sort.TopK(0, 0), real(3), note="none")
sample(sort.TopK(0, 0), real(0), note="of nothing")
sample(sort.TopK(1, 0), real(1), note="size one")
sample(sort.TopK(9, 0), _tied, note="special", smooth=False)
sample(sort.TopK(1, 0), np.tile(_tied, 2).astype(np.float32), note="float32 special", smooth=False)
sample(sort.TopK(2, 0), np.array([-np.nan, *[-0.0, 0.0] * 8], np.float32), note="float32 signs",
       smooth=False)
sample(sort.TopK(2, 0), ints(20, dtype=np.int8), note="int8")
sample(sort.TopK(3, 0), np.array([7, 2**64 - 1, 7, 0, 2**63], np.uint64), note="uint64")
sample(sort.TopK(2, 0), bools(17), note="bool")
sample(sort.TopK(2, 0), np.array([0.5, np.nan, 3.0, 3.0] * 4, "bfloat16"), note="bfloat16", by=())
