"""Rules of derivatives for primitives of `diffeo.extend`, with the names of `jax.interpreters.ad`.

A rule stands in `primitive_jvps` or `primitive_transposes`, or is made of functions of one operand
by `defjvp` and its relatives.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..api.derivatives.autodiff import jvp, linearize
from ..extend.definitions import (
    Definition,
    UndefinedPrimal,
    Zero,
    add_tangents,
    primitive_jvps,
    primitive_transposes,
)
from ..primitives.array import as_value
from ..primitives.core import Value
from ..primitives.types import ShapedArray

__all__ = [
    "UndefinedPrimal", "Zero", "add_jaxvals", "add_tangents", "defbilinear", "defjvp", "defjvp2",
    "deflinear", "deflinear2", "get_primitive_transpose", "instantiate_zeros",
    "is_undefined_primal", "jvp", "linearize", "primitive_jvps", "primitive_transposes",
    "zeros_like_aval",
]  # fmt: skip


def is_undefined_primal(x: Any) -> bool:
    """Return whether an operand of a rule of transposition is a linear one, without a value."""
    return type(x) is UndefinedPrimal


def instantiate_zeros(tangent: Any) -> Any:
    """Return a tangent as an array, also if it is a `Zero`."""
    return tangent.instantiate() if type(tangent) is Zero else tangent


def zeros_like_aval(aval: ShapedArray) -> Any:
    """Return zeros of a type."""
    return Zero(aval).instantiate()


def add_jaxvals(x: Any, y: Any) -> Any:
    """Return the sum of two arrays of one type."""
    return add_tangents(as_value(x), as_value(y))


def get_primitive_transpose(primitive: Definition) -> Callable:
    """Return the rule of transposition of a primitive.

    Raises:
        NotImplementedError: if it has none.
    """
    rule = primitive_transposes.get(primitive)
    if rule is None:
        raise NotImplementedError(f"the primitive '{primitive}' has no rule for transposition")
    return rule


def defjvp(primitive: Definition, *jvprules: Callable | None) -> None:
    """Give the derivative of a primitive by each operand.

    Args:
        primitive: a primitive with one result.
        jvprules: for each operand, (tangent, *operands, **params) -> tangent of the result; None
            for an operand without a derivative.

    Examples:
        >>> import diffeo as dx
        >>> from diffeo.extend.core import Primitive
        >>> square_p = Primitive("square")
        >>> square_p.def_impl(lambda x: x * x) and None
        >>> defjvp(square_p, lambda t, x: 2 * x * t)
        >>> dx.jvp(square_p.bind, (3.0,), (1.0,))
        (Array(9.), Array(6.))
    """
    defjvp2(primitive, *[r and functools.partial(_without_result, r) for r in jvprules])


def _without_result(
    rule: Callable, tangent: Value, out: Value, *operands: Any, **params: Any
) -> Any:
    return rule(tangent, *operands, **params)


def defjvp2(primitive: Definition, *jvprules: Callable | None) -> None:
    """Do as `defjvp`, with rules that get the result, too: (tangent, result, *operands, **params)
    -> tangent of the result.
    """

    def rule(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        out = primitive.bind(*primals, **params)
        total: Any = Zero.from_primal_value(out)
        for each, tangent in zip(jvprules, tangents):
            if each is not None and type(tangent) is not Zero:
                total = add_tangents(total, each(tangent, out, *primals, **params))
        return out, total

    primitive_jvps[primitive] = rule


def deflinear2(primitive: Definition, transpose_rule: Callable) -> None:
    """Say that a primitive is linear, jointly in all operands.

    Args:
        primitive: the primitive.
        transpose_rule: (ct, *operands, **params) -> the operands' cotangents; an operand is an
            `UndefinedPrimal`.
    """

    def rule(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        out = primitive.bind(*primals, **params)
        if all([type(t) is Zero for t in tangents]):
            outs = out if primitive.multiple_results else [out]
            zeros = [Zero.from_primal_value(o) for o in outs]
            return out, zeros if primitive.multiple_results else zeros[0]
        return out, primitive.bind(*[instantiate_zeros(t) for t in tangents], **params)

    primitive_jvps[primitive] = rule
    primitive_transposes[primitive] = transpose_rule


def deflinear(primitive: Definition, transpose_rule: Callable) -> None:
    """Do as `deflinear2`, with a rule that gets the cotangent alone: (ct, **params) -> the
    operands' cotangents.
    """

    def rule(ct: Any, *operands: Any, **params: Any) -> Any:
        if type(ct) is Zero:
            return [Zero(x.aval) for x in operands]
        return transpose_rule(ct, **params)

    deflinear2(primitive, rule)


def defbilinear(primitive: Definition, lhs_rule: Callable, rhs_rule: Callable) -> None:
    """Say that a primitive is linear in each of its two operands.

    Args:
        primitive: the primitive.
        lhs_rule, rhs_rule: (ct, x, y, **params) -> the cotangent of that operand, which is an
            `UndefinedPrimal`.
    """
    defjvp(
        primitive,
        lambda t, x, y, **params: primitive.bind(t, y, **params),
        lambda t, x, y, **params: primitive.bind(x, t, **params),
    )

    def transpose(ct: Any, x: Any, y: Any, **params: Any) -> tuple[Any, Any]:
        if is_undefined_primal(x):
            return Zero(x.aval) if type(ct) is Zero else lhs_rule(ct, x, y, **params), None
        return None, Zero(y.aval) if type(ct) is Zero else rhs_rule(ct, x, y, **params)

    primitive_transposes[primitive] = transpose
