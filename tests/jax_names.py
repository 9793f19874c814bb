"""The same function in jax for every primitive: the oracle's side of `test_against_jax.py`.

`JAX[name](p, jax)` is a function of jax arrays for a primitive `p` of that name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diffeo.primitives.elementwise import ELEMENTWISE

Oracle = Callable[[Any, Any], Callable]

#: Primitives that jax does not have, and why nothing is missed.
NOT_IN_JAX = {
    "scale": "a product in which zero dominates: jax has nan there",
    "fma": "a detail of our random numbers",
    "random_bits": "jax's own is a program; dx.random is compared with jax.random bit by bit",
    "call": "an operation on a program, not a function",
}

#: Rows whose names differ in jax.lax.
RENAMED = {
    "not": "bitwise_not",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}


def lax(name: str, *fields: str, **renamed: str) -> Oracle:
    """jax.lax's function `name`, with the primitive's fields as positional arguments after the
    operands, or as keywords (`keyword=field`).
    """

    def oracle(p: Any, jax: Any) -> Callable:
        function = getattr(jax.lax, name)
        static = [getattr(p, f) for f in fields]
        keywords = {k: getattr(p, f) for k, f in renamed.items()}
        return lambda *xs: function(*xs, *static, **keywords)

    return oracle


def along(name: str) -> Oracle:
    """jax.numpy's reduction of that name over the primitive's axes, without promotion."""

    def oracle(p: Any, jax: Any) -> Callable:
        return lambda x: getattr(jax.numpy, name)(x, axis=p.axes).astype(x.dtype)

    return oracle


def reducer(name: str) -> Oracle:
    """jax.lax's reduction over the primitive's axes."""
    return lambda p, jax: lambda x: getattr(jax.lax, name)(x, p.axes)


def gather_numbers(p: Any, jax: Any) -> Any:
    d = p.dims
    return jax.lax.GatherDimensionNumbers(
        d.offset_dims, d.collapsed, d.index_map, d.operand_batching, d.index_batching
    )


def scatter_numbers(p: Any, jax: Any) -> Any:
    d = p.dims
    return jax.lax.ScatterDimensionNumbers(
        d.offset_dims, d.collapsed, d.index_map, d.operand_batching, d.index_batching
    )


def scatter(name: str) -> Oracle:
    """A function of jax's scatter family; windows that stick out are dropped."""

    def oracle(p: Any, jax: Any) -> Callable:
        mode = jax.lax.GatherScatterMode.FILL_OR_DROP
        function = getattr(jax.lax, name)
        return lambda x, i, u: function(x, i, u, scatter_numbers(p, jax), mode=mode)

    return oracle


def _slice(p: Any, jax: Any) -> Callable:
    return lambda x: jax.lax.slice(x, p.starts, p.limits, p.strides)


def _pad(p: Any, jax: Any) -> Callable:
    config = list(zip(p.low, p.high, p.interior))
    return lambda x: jax.lax.pad(x, jax.numpy.asarray(p.value, x.dtype), config)


def _gather(p: Any, jax: Any) -> Callable:
    mode = jax.lax.GatherScatterMode.CLIP
    return lambda x, i: jax.lax.gather(x, i, gather_numbers(p, jax), p.sizes, mode=mode)


def _dot(p: Any, jax: Any) -> Callable:
    return lambda x, y: jax.lax.dot_general(
        x, y, (p.contract, p.batch_dims), "highest", p.preferred_element_type
    )


def _conv(p: Any, jax: Any) -> Callable:
    numbers = jax.lax.ConvDimensionNumbers(*p.dims)
    groups = p.feature_groups, p.batch_groups, "highest", p.preferred_element_type
    static = p.strides, p.padding, p.lhs_dilation, p.rhs_dilation, numbers, *groups
    return lambda x, y: jax.lax.conv_general_dilated(x, y, *static)


def _threefry(p: Any, jax: Any) -> Callable:
    from jax.extend.random import threefry2x32_p  # the oracle's, for those who have jax

    return threefry2x32_p.bind


JAX: dict[str, Oracle] = {
    **{name: lax(RENAMED.get(name, name)) for name in ELEMENTWISE if name not in NOT_IN_JAX},
    "round": lambda p, jax: lambda x: jax.lax.round(x, jax.lax.RoundingMethod.TO_NEAREST_EVEN),
    "xlogy": lambda p, jax: jax.scipy.special.xlogy,
    "xlog1py": lambda p, jax: jax.scipy.special.xlog1py,
    "select": lambda p, jax: lambda c, x, y: jax.lax.select(c, x, y),
    "integer_pow": lax("integer_pow", "n"),
    "full": lambda p, jax: lambda: jax.lax.full(p.shape, p.value, p.dtype),
    "iota": lambda p, jax: lambda: jax.lax.broadcasted_iota(p.dtype, p.shape, p.axis),
    "convert_element_type": lax("convert_element_type", "dtype"),
    "bitcast_convert_type": lax("bitcast_convert_type", "dtype"),
    "reshape": lax("reshape", "shape"),
    "transpose": lax("transpose", "permutation"),
    "broadcast_in_dim": lax("broadcast_in_dim", "shape", "dims"),
    "slice": _slice,
    "pad": _pad,
    "concatenate": lambda p, jax: lambda *xs: jax.lax.concatenate(xs, p.axis),
    "rev": lax("rev", "axes"),
    "reduce_sum": along("sum"),
    "reduce_max": reducer("reduce_max"),
    "reduce_min": reducer("reduce_min"),
    "reduce_prod": along("prod"),
    "reduce_and": reducer("reduce_and"),
    "reduce_or": reducer("reduce_or"),
    "arg_max": lax("argmax", "axis", "dtype"),
    "arg_min": lax("argmin", "axis", "dtype"),
    "cum_sum": lax("cumsum", "axis", "reverse"),
    "dot_general": _dot,
    "conv_general_dilated": _conv,
    "gather": _gather,
    "scatter": scatter("scatter"),
    "scatter_add": scatter("scatter_add"),
    "dynamic_slice": lambda p, jax: lambda x, *i: jax.lax.dynamic_slice(x, i, p.sizes),
    "dynamic_update_slice": lambda p, jax: (
        lambda x, u, *i: jax.lax.dynamic_update_slice(x, u, i)
    ),
    "sort": lambda p, jax: lambda *xs: jax.lax.sort(xs, dimension=p.axis, num_keys=p.num_keys),
    "threefry2x32": _threefry,
}
