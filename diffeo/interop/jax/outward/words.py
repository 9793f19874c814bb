"""The table of primitives that are functions of `jax.lax`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jax import lax, random

from ....operations import cumulative, extrema, identity, rounding, scatter, sort, transfer
from ....operations.identity import StopGradient
from ....primitives import constants
from ....primitives.constants import Full
from ....primitives.words import dot, indexing, powers, reduction, slicing, structural
from ....primitives.words import elementwise as e
from ....primitives.words.choice import Select
from ....primitives.words.dot import DotGeneral
from ....primitives.words.indexing import Gather
from ....primitives.words.powers import IntegerPow
from ....primitives.words.slicing import Slice
from ....primitives.words.structural import (
    BitcastConvertType,
    BroadcastInDim,
    ConvertElementType,
    Iota,
    Reshape,
    Transpose,
)
from ....routines import fft
from ....routines.keys import KeyWords, WrapWords
from ....routines.matrices import linalg
from ....routines.matrices.linalg import TriangularSolve
from ....routines.windows import conv, windows
from ..inward.elements import ROWS
from . import writer
from .writer import RULES, rule

#: jax.lax's names of functions that are not the names of jax's primitives.
_NAMES = {"and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "not": "bitwise_not"}


#: Functions of complex numbers that jax lacks, or has with other values at branch cuts and nan.
_REAL = frozenset(
    ("acos", "acosh", "asin", "asinh", "atan", "atanh", "ge", "gt", "le", "lt", "max", "min")
)


def _elementwise(name: str) -> Callable[..., Any] | None:
    function = getattr(lax, _NAMES.get(name, name), None)
    if function is None:
        return None
    refused = "c" if name in _REAL else "b" if name == "mul" else ""

    def write(p: Any, *xs: Any) -> Any:
        return writer.others(p, *xs) if xs[0].dtype.kind in refused else function(*xs)

    return write


#: Rows whose derivative jax does not have.
_OURS = frozenset(("nextafter",))

for _name, _row in ROWS.items():
    _function = _elementwise(_name)
    if _function is not None and _name not in _OURS:
        RULES.setdefault(_row, _function)


@rule(e.select_p)
def _select(p: Select, which: Any, x: Any, y: Any) -> Any:
    return lax.select(which, x, y)


@rule(e.power)
def _power(p: Any, x: Any, y: Any) -> Any:
    return lax.pow(x, y)


@rule(e.conj)
def _conj(p: Any, x: Any) -> Any:
    return lax.conj(x)


@rule(e.round_even)
def _round_even(p: Any, x: Any) -> Any:
    return lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)


@rule(rounding.round_away)
def _round_away(p: Any, x: Any) -> Any:
    return lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO)


@rule(powers.IntegerPow)
def _integer_pow(p: IntegerPow, x: Any) -> Any:
    return lax.integer_pow(x, p.n)


@rule(identity.copy, transfer.DevicePut)
def _same(p: Any, x: Any) -> Any:
    return x


@rule(identity.stop_gradient_p, identity.hold)
def _stop_gradient(p: StopGradient, x: Any) -> Any:
    return lax.stop_gradient(x)


@rule(identity.OptimizationBarrier)
def _barrier(p: Any, *xs: Any) -> Any:
    return list(lax.optimization_barrier(xs))


# --------------------------------------------------------------------------------------------------
# Creation, structure


@rule(constants.Full)
def _full(p: Full) -> Any:
    return lax.full(p.shape, np.asarray(p.value, p.dtype)[()], p.dtype)


@rule(structural.Iota)
def _iota(p: Iota) -> Any:
    return lax.broadcasted_iota(p.dtype, p.shape, p.axis)


@rule(structural.ConvertElementType)
def _convert(p: ConvertElementType, x: Any) -> Any:
    if x.dtype.kind == "c" and p.dtype.kind not in "cb":
        x = lax.real(x)
    return lax.convert_element_type(x, p.dtype)


@rule(structural.BitcastConvertType)
def _bitcast(p: BitcastConvertType, x: Any) -> Any:
    return lax.bitcast_convert_type(x, p.dtype)


@rule(structural.Reshape)
def _reshape(p: Reshape, x: Any) -> Any:
    return lax.reshape(x, p.shape)


@rule(structural.Transpose)
def _transpose(p: Transpose, x: Any) -> Any:
    return lax.transpose(x, p.permutation)


@rule(structural.BroadcastInDim)
def _broadcast(p: BroadcastInDim, x: Any) -> Any:
    return lax.broadcast_in_dim(x, p.shape, p.dims)


@rule(slicing.Slice)
def _slice(p: Slice, x: Any) -> Any:
    return lax.slice(x, p.starts, p.limits, p.strides)


@rule(slicing.Pad)
def _pad(p: Any, x: Any) -> Any:
    config = list(zip(p.low, p.high, p.interior))
    return lax.pad(x, np.asarray(p.value, x.dtype), config)


@rule(slicing.Concatenate)
def _concatenate(p: Any, *xs: Any) -> Any:
    return lax.concatenate(xs, p.axis)


@rule(slicing.Split)
def _split(p: Any, x: Any) -> Any:
    return list(lax.split(x, p.sizes, p.axis))


@rule(slicing.Rev)
def _rev(p: Any, x: Any) -> Any:
    return lax.rev(x, p.axes)


# --------------------------------------------------------------------------------------------------
# Places


@rule(indexing.DynamicSlice)
def _dynamic_slice(p: Any, x: Any, *starts: Any) -> Any:
    # jax counts negative starts from the end, we move them inside.
    return lax.dynamic_slice(x, _inside(starts), p.sizes)


@rule(indexing.DynamicUpdateSlice)
def _dynamic_update_slice(p: Any, x: Any, update: Any, *starts: Any) -> Any:
    return lax.dynamic_update_slice(x, update, _inside(starts))


def _inside(starts: Any) -> list[Any]:
    return [lax.max(s, np.zeros((), s.dtype)) if s.dtype.kind == "i" else s for s in starts]


_MODES = {"clip": "CLIP", "fill": "FILL_OR_DROP", "promise_in_bounds": "PROMISE_IN_BOUNDS"}


@rule(indexing.Gather)
def _gather(p: Gather, x: Any, indices: Any) -> Any:
    d = p.dims
    numbers = lax.GatherDimensionNumbers(
        d.offset_dims, d.collapsed, d.index_map, d.operand_batching, d.index_batching
    )
    return lax.gather(
        x,
        indices,
        numbers,
        p.sizes,
        unique_indices=p.unique,
        indices_are_sorted=p.in_order,
        mode=lax.GatherScatterMode[_MODES[p.mode]],
        fill_value=p.fill if p.mode == "fill" else None,
    )


_SCATTERS = {
    indexing.Scatter: lax.scatter, indexing.ScatterAdd: lax.scatter_add,
    scatter.ScatterMul: lax.scatter_mul, scatter.ScatterMin: lax.scatter_min,
    scatter.ScatterMax: lax.scatter_max,
}  # fmt: skip


@rule(*_SCATTERS)
def _scatter(p: Any, x: Any, indices: Any, updates: Any) -> Any:
    if isinstance(p, scatter.ScatterMul) and not p.unique:
        return writer.others(p, x, indices, updates)  # jax has no derivative of it
    d = p.dims
    numbers = lax.ScatterDimensionNumbers(
        d.offset_dims, d.collapsed, d.index_map, d.operand_batching, d.index_batching
    )
    return _SCATTERS[type(p)](
        x,
        indices,
        updates,
        numbers,
        indices_are_sorted=p.in_order,
        unique_indices=p.unique,
        mode=lax.GatherScatterMode.FILL_OR_DROP,
    )


# --------------------------------------------------------------------------------------------------
# Reductions, orders, windows

_REDUCTIONS: dict[Any, Callable[..., Any]] = {
    structural.ReduceSum: lax.reduce_sum, reduction.ReduceMax: lax.reduce_max,
    reduction.ReduceMin: lax.reduce_min, reduction.ReduceProd: lax.reduce_prod,
    reduction.ReduceAnd: lax.reduce_and, reduction.ReduceOr: lax.reduce_or,
    reduction.ReduceXor: lax.reduce_xor,
}  # fmt: skip


@rule(*_REDUCTIONS)
def _reduce(p: Any, x: Any) -> Any:
    return _REDUCTIONS[type(p)](x, p.axes) if p.axes else x


@rule(extrema.ArgMax)
def _argmax(p: Any, x: Any) -> Any:
    return writer.others(p, x) if x.dtype.kind == "c" else lax.argmax(x, p.axis, p.dtype)


@rule(extrema.ArgMin)
def _argmin(p: Any, x: Any) -> Any:
    return writer.others(p, x) if x.dtype.kind == "c" else lax.argmin(x, p.axis, p.dtype)


_CUMULATIVE: dict[Any, Callable[..., Any]] = {
    cumulative.CumSum: lax.cumsum, cumulative.CumProd: lax.cumprod, cumulative.CumMax: lax.cummax,
    cumulative.CumMin: lax.cummin, cumulative.CumLogsumexp: lax.cumlogsumexp,
}  # fmt: skip


@rule(*_CUMULATIVE)
def _cumulative(p: Any, x: Any) -> Any:
    return _CUMULATIVE[type(p)](x, p.axis, p.reverse)


@rule(sort.Sort)
def _sort(p: Any, *xs: Any) -> Any:
    return list(lax.sort(xs, p.axis, p.stable, p.num_keys))


@rule(windows.ReduceWindowSum)
def _window_sum(p: Any, x: Any) -> Any:
    w, zero = p.window, np.zeros((), x.dtype)
    return lax.reduce_window(x, zero, lax.add, w.sizes, w.strides, w.padding, *_dilations(w))


def _dilations(window: Any) -> tuple[Any, Any]:
    return window.base_dilation, window.dilation


@rule(rounding.ReducePrecision)
def _reduce_precision(p: Any, x: Any) -> Any:
    return lax.reduce_precision(x, p.exponent_bits, p.mantissa_bits)


# --------------------------------------------------------------------------------------------------
# Products, transforms, matrices


def _precision(p: DotGeneral) -> Any:
    return tuple([lax.Precision[q.name] for q in p.precision])


@rule(dot.DotGeneral)
def _dot_general(p: DotGeneral, x: Any, y: Any) -> Any:
    if not all([hasattr(q, "name") for q in p.precision]):
        return writer.others(p, x, y)
    numbers = (p.contract, p.batch_dims)
    preferred = p.preferred_element_type
    return lax.dot_general(x, y, numbers, _precision(p), preferred)


@rule(conv.ConvGeneralDilated)
def _conv(p: Any, x: Any, y: Any) -> Any:
    preferred = p.preferred_element_type
    if preferred is not None and preferred.itemsize < x.dtype.itemsize:
        return writer.others(p, x, y)
    return lax.conv_general_dilated(
        x,
        y,
        p.strides,
        p.padding,
        p.lhs_dilation,
        p.rhs_dilation,
        lax.ConvDimensionNumbers(*p.dims),
        p.feature_groups,
        p.batch_groups,
        _precision(p),
        preferred,
    )


@rule(fft.Fft)
def _fft(p: Any, x: Any) -> Any:
    return lax.fft(x, p.kind, p.lengths)


@rule(linalg.TriangularSolve)
def _triangular_solve(p: TriangularSolve, a: Any, b: Any) -> Any:
    return lax.linalg.triangular_solve(
        a,
        b,
        left_side=p.side == "L",
        lower=p.uplo == "L",
        transpose_a=p.form != "N",
        conjugate_a=p.form == "C",
        unit_diagonal=p.diag == "U",
    )


# --------------------------------------------------------------------------------------------------
# Keys


@rule(KeyWords)
def _key_words(p: KeyWords, keys: Any) -> Any:
    return random.key_data(keys)


@rule(WrapWords)
def _wrap_words(p: Any, words: Any) -> Any:
    return random.wrap_key_data(words, impl=p.dtype.impl)
