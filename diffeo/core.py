"""The language of programs by the names of `jax.core`, as far as jax documents them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from ._loading import Late as _Late
from .api.eager import ensure_compile_time_eval, eval_context
from .primitives.core import Trace, Tracer
from .primitives.jaxpr import Jaxpr, Literal, Var
from .primitives.jaxpr import eval_jaxpr as _eval_jaxpr
from .primitives.types import AbstractValue, ShapedArray

__all__ = [
    "AbstractValue", "Atom", "Jaxpr", "ParamDict", "ShapedArray", "Trace", "Tracer", "Value",
    "ensure_compile_time_eval", "eval_context", "eval_jaxpr", "max_dim", "min_dim",
]  # fmt: skip

#: An operand of an equation.
Atom: TypeAlias = Var | Literal
#: The parameters of a primitive by name.
ParamDict: TypeAlias = dict[str, Any]
#: Whatever programs compute with.
Value: TypeAlias = Any

# What jax documents and diffeo lacks says so with its reason.
__getattr__ = _Late(__name__, "").load


def eval_jaxpr(
    jaxpr: Jaxpr, consts: Sequence[Any], *args: Any, propagate_source_info: bool = True
) -> list[Any]:
    """Run a program on arrays or tracers, primitive by primitive.

    Args:
        jaxpr: the program.
        consts: what takes the place of its constants: `jaxpr.consts`, or others like them.
        args: one value for each input.
        propagate_source_info: what the equations bind belongs to the lines that they were traced
            from; the only way here, so False is refused.

    Returns:
        The list of results.

    Raises:
        TypeError: if the numbers of constants or arguments are wrong.

    Examples:
        >>> import diffeo as dx
        >>> jaxpr = dx.make_jaxpr(lambda x: 2 * dx.numpy.sin(x))(1.0)
        >>> dx.core.eval_jaxpr(jaxpr, jaxpr.consts, 0.5)
        [Array(0.95885108)]
    """
    if propagate_source_info is not True:
        raise NotImplementedError(
            "eval_jaxpr: propagate_source_info=False: equations always keep the user's lines"
        )
    if len(consts) != len(jaxpr.const_vars):
        raise TypeError(
            f"eval_jaxpr: the program has {len(jaxpr.const_vars)} constants, got {len(consts)}"
        )
    program = Jaxpr(jaxpr.in_vars, jaxpr.eqns, jaxpr.outs, jaxpr.const_vars, [*consts], jaxpr.name)
    return _eval_jaxpr(program, args)


def max_dim(d1: int, d2: int) -> int:
    """Return the larger of two sizes of axes.

    Examples:
        >>> from diffeo.core import max_dim
        >>> max_dim(2, 3)
        3
    """
    return max(d1, d2)


def min_dim(d1: int, d2: int) -> int:
    """Return the smaller of two sizes of axes.

    Examples:
        >>> from diffeo.core import min_dim
        >>> min_dim(2, 3)
        2
    """
    return min(d1, d2)
