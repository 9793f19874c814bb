"""Rules of lowering for primitives of `diffeo.extend`, with the names of `jax.interpreters.mlir`.

A rule that `lower_fun` makes of a function of arrays needs no MLIR. Other rules write StableHLO
with jaxlib's classes, `jaxlib.mlir.dialects.stablehlo`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..extend.definitions import Applied, Definition, lowerings
from ..lowering.text.mlir_rules import (
    LoweringRuleContext,
    ModuleContext,
    array_type,
    call_function,
    constant,
    dtype_to_ir_type,
    ir,
    run_rule,
)
from ..lowering.text.stablehlo import Builder
from ..primitives.array import as_value
from ..primitives.types import ShapedArray

__all__ = [
    "LoweringRuleContext", "ModuleContext", "aval_to_ir_type", "aval_to_ir_types",
    "dense_int_array", "dense_int_elements", "dtype_to_ir_type", "flatten_ir_values", "i32_attr",
    "i64_attr", "ir", "ir_constant", "lower_fun", "register_lowering",
]  # fmt: skip


class _Written:
    """A rule of the user's that writes MLIR."""

    def __init__(self, rule: Callable):
        self.rule = rule

    def lower(self, ctx: Builder, applied: Applied, values: Sequence[Any]) -> Any:
        outs = run_rule(ctx, self.rule, applied, applied.params, values, list(ctx.outs))
        return outs if applied.multiple_results else outs[0]


class _Traceable:
    """A rule made of a function of arrays, which is traced. As a function, it serves other rules:
    (context, *values, **params) -> values.
    """

    def __init__(self, fun: Callable, multiple_results: bool):
        self.fun, self.multiple_results = fun, multiple_results

    def _listed(self, params: dict) -> Callable[..., list[Any]]:
        def fun(*args: Any) -> list[Any]:
            out = self.fun(*args, **params)
            return [as_value(o) for o in (out if self.multiple_results else [out])]

        return fun

    def lower(self, ctx: Any, applied: Applied, values: Sequence[Any]) -> Any:
        outs = ctx.inline(self._listed(applied.params), *values)
        return outs if applied.multiple_results else outs[0]

    def __call__(self, ctx: LoweringRuleContext, *values: Any, **params: Any) -> list[Any]:
        return call_function(ctx, self._listed(params), flatten_ir_values(values))


def lower_fun(fun: Callable, multiple_results: bool = True) -> Callable:
    """Make a rule of lowering of a function of arrays, which is traced.

    Args:
        fun: a function of the operands, and of the parameters by keyword.
        multiple_results: whether it returns a sequence.
    """
    return _Traceable(fun, multiple_results)


def register_lowering(
    prim: Definition,
    rule: Callable,
    platform: str | None = None,
    inline: bool = True,
    cacheable: bool = True,
) -> Callable:
    """Give the rule by which a primitive is compiled, and return the rule.

    Args:
        prim: the primitive.
        rule: (context, *values, **params) -> values, which writes MLIR, or what `lower_fun` makes.
        platform: "cpu", "cuda" ...; None for all that have no rule of their own.
        inline, cacheable: not needed; the compiler decides.

    Examples:
        >>> import diffeo as dx
        >>> from diffeo.extend.core import Primitive
        >>> from jaxlib.mlir.dialects import stablehlo
        >>> half_p = Primitive("half")
        >>> half_p.def_abstract_eval(lambda x: x) and None
        >>> def lower_half(ctx, x):
        ...     two = ir_constant(2.0, aval=ctx.avals_in[0])
        ...     return [stablehlo.divide(x, two)]
        >>> register_lowering(half_p, lower_half) and None
        >>> dx.jit(half_p.bind)(3.0)
        Array(1.5)
    """
    platforms = {"gpu": ("cuda", "rocm")}.get(platform or "", (platform,))
    for each in platforms:
        lowerings[prim, each] = rule if isinstance(rule, _Traceable) else _Written(rule)
    return rule


def aval_to_ir_type(*args: Any) -> Any:
    """Return MLIR's type for a type: of one argument, or the second of two, as jax has had it."""
    return array_type(args[-1])


def aval_to_ir_types(*args: Any) -> tuple[Any, ...]:
    """Return MLIR's types for a type, one."""
    return (array_type(args[-1]),)


def ir_constant(val: Any, *, const_lowering: Any = None, aval: ShapedArray | None = None) -> Any:
    """Return a number or an array as a constant, a value of MLIR's.

    Args:
        val: an array, or a number.
        const_lowering: None.
        aval: its type, by default that of the array.
    """
    host = np.asarray(as_value(val))
    if aval is None:
        return constant(host, ShapedArray(host.shape, host.dtype))
    return constant(np.broadcast_to(host.astype(aval.dtype), aval.shape), aval)


def flatten_ir_values(values: Sequence[Any]) -> list[Any]:
    """Return values in one list, where some may be sequences."""
    nested = [v if isinstance(v, (tuple, list)) else [v] for v in values]
    return [v for part in nested for v in part]


def dense_int_elements(xs: Sequence[int]) -> Any:
    """Return integers as MLIR's attribute of a tensor."""
    return ir.DenseIntElementsAttr.get(np.asarray(xs, np.int64))  # type: ignore


def dense_int_array(xs: Sequence[int]) -> Any:
    """Return integers as MLIR's attribute of an array."""
    return ir.DenseI64ArrayAttr.get([int(x) for x in xs])


def i32_attr(i: int) -> Any:
    """Return a number as MLIR's attribute of 32 bits."""
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(32), i)


def i64_attr(i: int) -> Any:
    """Return a number as MLIR's attribute of 64 bits."""
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), i)
