"""Linear functions that say how they are transposed: linear_call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..trees.arguments import check_callable, name_of
from .custom_rule import custom_rule


def linear_call(
    fun: Callable, fun_transpose: Callable, residual_args: Any, linear_args: Any
) -> Any:
    """Call a linear function together with the function that is its transposition.

    Each is the transposition of the other, so the function may be transposed often. By the
    residuals, the function itself is differentiated. To give rules to a function that is called
    in many places, use `custom_rule`.

    Args:
        fun: `fun(residuals, x)`, linear in `x`.
        fun_transpose: `fun_transpose(residuals, ct)`, linear in the cotangent `ct` of the result;
            it returns the cotangent of `x`.
        residual_args: the first argument of both, a tree of arrays.
        linear_args: the argument `x`, a tree of arrays.

    Returns:
        `fun(residual_args, linear_args)`.

    Raises:
        TypeError: if a function cannot be called, an argument is no array, or (when transposed) if
            the cotangent does not fit `linear_args`.

    Examples:
        >>> import diffeo as dx
        >>> divided = lambda r, x: x / r
        >>> f = lambda x: x + dx.custom_derivatives.linear_call(divided, divided, 3.0, x)
        >>> f(9.0), dx.linear_transpose(f, 1.0)(18.0)
        (Array(12.), (Array(24.),))
    """
    check_callable(fun, "linear_call")
    check_callable(fun_transpose, "linear_call: fun_transpose")

    def linear(residuals: Any, x: Any) -> Any:
        return fun(residuals, x)

    linear.__name__ = name_of(fun)
    call = custom_rule(linear)

    @call.transpose(argnums=1)
    def transposed(ct: Any, residuals: Any) -> tuple:
        return (linear_call(fun_transpose, fun, residuals, ct),)

    transposed.__name__ = name_of(fun_transpose)
    return call(residual_args, linear_args)
