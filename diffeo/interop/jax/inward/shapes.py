"""Rules for what moves, joins, reduces and orders elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .... import lax
from ....api.derivatives.autodiff import jvp, vjp
from ....operations import cumulative, extrema
from ....primitives.constants import full
from ....primitives.core import Value
from ....primitives.words import reduction, slicing, structural
from ....routines.windows import windows
from .reader import call, default_only, evaluate, refuse, rule, scalar_rule, to_dtype


@rule("broadcast_in_dim")
def _broadcast_in_dim(eqn: Any, x: Value) -> Any:
    dims = eqn.params["broadcast_dimensions"]
    return structural.broadcast_in_dim(x, eqn.params["shape"], dims)


@rule("reshape")
def _reshape(eqn: Any, x: Any) -> Any:
    order = eqn.params.get("dimensions")
    x = x if order is None else structural.transpose(x, order)
    return structural.reshape(x, eqn.outvars[0].aval.shape)


@rule("squeeze")
def _squeeze(eqn: Any, x: Value) -> Any:
    return structural.reshape(x, eqn.outvars[0].aval.shape)


@rule("expand_dims")
def _expand_dims(eqn: Any, x: Any) -> Any:
    return structural.reshape(x, eqn.outvars[0].aval.shape)


@rule("transpose")
def _transpose(eqn: Any, x: Any) -> Any:
    return structural.transpose(x, eqn.params["permutation"])


@rule("rev")
def _rev(eqn: Any, x: Any) -> Any:
    return slicing.rev(x, [int(d) for d in eqn.params["dimensions"]])


@rule("tile")
def _tile(eqn: Any, x: Any) -> Any:
    return lax.tile(x, eqn.params["reps"])


@rule("concatenate")
def _concatenate(eqn: Any, *xs: Any) -> Any:
    return slicing.concatenate(xs, int(eqn.params["dimension"]))


@rule("stack")
def _stack(eqn: Any, *xs: Any) -> Any:
    return slicing.stack(xs, int(eqn.params["axis"]))


@rule("split")
def _split(eqn: Any, x: Any) -> Any:
    return slicing.split(x, [int(n) for n in eqn.params["sizes"]], int(eqn.params["axis"]))


@rule("unstack")
def _unstack(eqn: Any, x: Any) -> Any:
    axis = int(eqn.params["axis"])
    return [slicing.index_in_dim(x, i, axis) for i in range(x.shape[axis])]


@rule("slice")
def _slice(eqn: Any, x: Any) -> Any:
    p = eqn.params
    strides = p["strides"] or (1,) * x.ndim
    starts, limits = tuple(map(int, p["start_indices"])), tuple(map(int, p["limit_indices"]))
    return slicing.Slice(starts, limits, tuple(map(int, strides))).bind(x)


@scalar_rule("pad")
def _pad(eqn: Any, x: Any, value: Any) -> Any:
    return lax.pad(x, value, eqn.params["padding_config"])


@rule("iota")
def _iota(eqn: Any) -> Any:
    p = eqn.params
    return structural.iota(p["dtype"], p["shape"], int(p["dimension"]))


@rule("empty", "empty2")
def _empty(eqn: Any) -> Any:
    aval = eqn.outvars[0].aval
    return full(aval.shape, 0, np.dtype(aval.dtype))


# --------------------------------------------------------------------------------------------------
# Reductions

_REDUCTIONS = {
    "reduce_sum": structural.ReduceSum, "reduce_max": reduction.ReduceMax,
    "reduce_min": reduction.ReduceMin, "reduce_prod": reduction.ReduceProd,
    "reduce_and": reduction.ReduceAnd, "reduce_or": reduction.ReduceOr,
    "reduce_xor": reduction.ReduceXor,
}  # fmt: skip


def _over_axes(primitive: Any) -> Callable[..., Any]:
    def translate(eqn: Any, x: Value) -> Any:
        axes = tuple([int(a) for a in eqn.params["axes"]])
        return primitive(axes).bind(x) if axes else x

    return translate


for _name, _primitive in _REDUCTIONS.items():
    rule(_name)(_over_axes(_primitive))


@rule("psum", "pmax", "pmin", "psum_invariant")
def _over_mapped_axes(eqn: Any, *xs: Any) -> Any:
    """A reduction over an axis that jax's vmap had named, and has made one of the array."""
    axes, name = eqn.params["axes"], eqn.primitive.name
    default_only(eqn, axis_index_groups=None)
    if not all([isinstance(a, int) for a in axes]):
        raise refuse(eqn, f"over the axes {axes}, which no vmap inside the function names")
    kind = _REDUCTIONS[{"psum": "reduce_sum", "pmax": "reduce_max"}.get(name, "reduce_min")]
    outs = [kind(tuple(axes)).bind(x) if axes else x for x in xs]
    return outs if eqn.primitive.multiple_results else outs[0]


@rule("argmax", "argmin")
def _arg_extremum(eqn: Any, x: Any) -> Any:
    kind = extrema.ArgMax if eqn.primitive.name == "argmax" else extrema.ArgMin
    (axis,) = eqn.params["axes"]
    return kind(int(axis), np.dtype(eqn.params["index_dtype"])).bind(x)


@rule("reduce")
def _reduce(eqn: Any, *operands: Any) -> Any:
    count = len(operands) // 2
    program = eqn.params["jaxpr"]
    combine = lambda x, y: call(program, [*x, *y])
    axes = [int(a) for a in eqn.params["dimensions"]]
    return lax.reduce(list(operands[:count]), list(operands[count:]), combine, axes)


_CUMULATIVE = {
    "cumsum": cumulative.CumSum, "cumprod": cumulative.CumProd, "cummax": cumulative.CumMax,
    "cummin": cumulative.CumMin, "cumlogsumexp": cumulative.CumLogsumexp,
}  # fmt: skip


@rule(*_CUMULATIVE)
def _cumulative(eqn: Any, x: Any) -> Any:
    kind = _CUMULATIVE[eqn.primitive.name]
    return kind(int(eqn.params["axis"]), bool(eqn.params["reverse"])).bind(x)


# --------------------------------------------------------------------------------------------------
# Windows

_WINDOWS = {
    "reduce_window_sum": windows.ReduceWindowSum, "reduce_window_max": windows.ReduceWindowMax,
    "reduce_window_min": windows.ReduceWindowMin,
}  # fmt: skip


def _window(eqn: Any, ndim: int) -> windows.Window:
    """Return the windows that an equation names."""
    p, ones = eqn.params, (1,) * ndim
    return windows.Window(
        tuple(map(int, p["window_dimensions"])),
        tuple(map(int, p["window_strides"])),
        tuple([(int(low), int(high)) for low, high in p["padding"]]),
        tuple(map(int, p.get("base_dilation") or ones)),
        tuple(map(int, p.get("window_dilation") or ones)),
    )


@rule(*_WINDOWS)
def _reduce_window_by(eqn: Any, x: Any) -> Any:
    return _WINDOWS[eqn.primitive.name](_window(eqn, x.ndim)).bind(x)


@rule("reduce_window")
def _reduce_window(eqn: Any, *operands: Any) -> Any:
    p, count = eqn.params, len(operands) // 2
    combine = lambda x, y: evaluate(
        getattr(p["jaxpr"], "jaxpr", p["jaxpr"]), p.get("consts", ()), [*x, *y]
    )
    window = _window(eqn, operands[0].ndim)
    sizes, strides, padding, base, dilation = window
    xs, inits = list(operands[:count]), list(operands[count:])
    return lax.reduce_window(xs, inits, combine, sizes, strides, padding, base, dilation)


def _extremum(eqn: Any, x: Any) -> Callable[[Any], Any]:
    """Return the window maximum or minimum of which an equation is a derivative."""
    name = "reduce_window_max" if str(eqn.params["select_prim"]) == "ge" else "reduce_window_min"
    return _WINDOWS[name](_window(eqn, x.ndim)).bind


@rule("select_and_scatter_add")
def _select_and_scatter_add(eqn: Any, source: Any, x: Any) -> Any:
    return vjp(_extremum(eqn, x), x)[1](source)[0]


@rule("select_and_gather_add")
def _select_and_gather_add(eqn: Any, tangent: Any, x: Any) -> Any:
    return jvp(_extremum(eqn, x), (x,), (tangent,))[1]


# --------------------------------------------------------------------------------------------------
# Orders


@rule("sort")
def _sort(eqn: Any, *xs: Any) -> Any:
    p = eqn.params
    return list(lax.sort(list(xs), int(p["dimension"]), p["is_stable"], int(p["num_keys"])))


@rule("top_k")
def _top_k(eqn: Any, x: Any) -> Any:
    axis = int(eqn.params.get("axis", -1))
    values, places = lax.top_k(x, int(eqn.params["k"]), axis=axis)
    return [values, to_dtype(places, eqn.outvars[1].aval.dtype)]


@rule("approx_top_k")
def _approx_top_k(eqn: Any, x: Any) -> Any:
    p = eqn.params
    function = lax.approx_max_k if p["is_max_k"] else lax.approx_min_k
    return list(function(x, int(p["k"]), int(p["reduction_dimension"])))


# --------------------------------------------------------------------------------------------------
# Products, transforms


def _precision(precision: Any) -> Any:
    """Return how products are computed, in our words, which are jax's."""
    if precision is None:
        return None
    if hasattr(precision, "lhs_precision_type"):
        return lax.DotAlgorithm(*precision)
    if isinstance(precision, (tuple, list)):
        first, second = precision
        return lax.Precision[first.name], lax.Precision[second.name]
    mode: Any = precision
    kinds: Any = lax.DotAlgorithmPreset if "Preset" in type(mode).__name__ else lax.Precision
    return kinds[mode.name]


@rule("dot_general")
def _dot_general(eqn: Any, x: Value, y: Value) -> Any:
    p = eqn.params
    out = np.dtype(eqn.outvars[0].aval.dtype)
    if x.dtype != y.dtype:
        x, y = to_dtype(x, out), to_dtype(y, out)
    preferred = p["preferred_element_type"]
    numbers = tuple([tuple([tuple(map(int, axes)) for axes in pair])
                     for pair in p["dimension_numbers"]])  # fmt: skip
    value = lax.dot_general(x, y, numbers, _precision(p["precision"]), preferred)
    return to_dtype(value, out)


@rule("ragged_dot_general")
def _ragged_dot_general(eqn: Any, x: Any, y: Any, sizes: Any) -> Any:
    p = eqn.params
    numbers = p["ragged_dot_dimension_numbers"]
    ours = lax.RaggedDotDimensionNumbers(
        numbers.dot_dimension_numbers,
        numbers.lhs_ragged_dimensions,
        numbers.rhs_group_dimensions,
    )
    default_only(eqn, group_offset=None)
    preferred = p["preferred_element_type"]
    return lax.ragged_dot_general(x, y, sizes, ours, _precision(p["precision"]), preferred)


@rule("conv_general_dilated")
def _conv(eqn: Any, x: Any, y: Any) -> Any:
    p = eqn.params
    return lax.conv_general_dilated(
        x,
        y,
        tuple(map(int, p["window_strides"])),
        [tuple(map(int, pair)) for pair in p["padding"]],
        tuple(map(int, p["lhs_dilation"])),
        tuple(map(int, p["rhs_dilation"])),
        lax.ConvDimensionNumbers(*p["dimension_numbers"]),
        int(p["feature_group_count"]),
        int(p["batch_group_count"]),
        _precision(p["precision"]),
        p["preferred_element_type"],
    )


@rule("fft")
def _fft(eqn: Any, x: Any) -> Any:
    p = eqn.params
    return lax.fft(x, p["fft_type"].name, tuple(map(int, p["fft_lengths"])))


@rule("rng_uniform")
def _rng_uniform(eqn: Any, *_: Any) -> Any:
    raise refuse(eqn, "depends on a hidden state; use jax.random.uniform with a key")
