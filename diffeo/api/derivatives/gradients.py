"""Gradients of scalar functions: grad, value_and_grad.

`value_and_grad` linearizes the function, which gives a linear program from tangents of the
arguments to the tangent of the result. The transpose of this program, run on the cotangent 1, gives
the gradient. `grad` is `value_and_grad` without the value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...primitives.array import Array, as_value
from ...primitives.constants import full_like
from ...primitives.core import describe, state, typeof, with_user_line
from ...primitives.stand_ins import ZERO
from ...primitives.types import is_inexact
from ...transforms.linearize import linearize_flat
from ...transforms.tangents import from_tangent, quietly
from ...transforms.taylor.nested import is_nested, value_and_slope
from ...transforms.transpose import pull_back_program
from ...trees import tree
from ...trees.arguments import (
    Transformed,
    as_values,
    check_argnums,
    check_callable,
    check_differentiable,
    flat_arguments,
    name_of,
)
from ...trees.functions import Flat, of_chosen
from .autodiff import no_reduce_axes


def value_and_grad(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Any:
    """Return a function that computes the value of a scalar function together with its gradient.

    Arguments are those of `grad`.

    Returns:
        A function with the arguments of `fun` that returns (value, gradient), or ((value, aux),
        gradient).

    Examples:
        >>> import diffeo as dx
        >>> value_and_grad(lambda x: x ** 3)(2.0)
        (Array(8.), Array(12.))
    """
    check_callable(fun, "value_and_grad")
    no_reduce_axes("value_and_grad", reduce_axes)
    name = name_of(fun)

    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        numbers = check_argnums(argnums, len(args), f"grad of {name}")
        chosen = tuple([args[n] for n in numbers])
        leaves, structure = flat_arguments(f"grad of {name}", chosen, numbers=numbers)
        values = as_values(leaves, f"grad of {name}", chosen, numbers)
        check_differentiable(f"grad of {name}", values, chosen, numbers, holomorphic, allow_int)

        flat = Flat(of_chosen(fun, args, kwargs, numbers), structure, name, has_aux)
        # A derivative of a derivative by one scalar is found from one Taylor series, if the
        # function allows it.
        nested = None
        if not has_aux and is_nested(values):
            nested = quietly(value_and_slope, flat, values[0], True)
        if nested is None:
            value, cotangents, outs = quietly(_gradient, flat, values, name, holomorphic)
        else:
            outs, cotangents = nested
            value = _check_scalar(flat, outs, name, holomorphic)
        leaves = [from_tangent(c, v.aval) for c, v in zip(cotangents, values)]
        gradient = tree.unflatten(structure, leaves)
        gradient = gradient[0] if isinstance(argnums, int) else gradient
        return ((value, flat.aux(outs)), gradient) if has_aux else (value, gradient)

    options = (argnums, has_aux, holomorphic, allow_int)
    return Transformed(fun, value_and_gradient, value_and_grad, fun, *options)


def _gradient(
    flat: Flat, values: Sequence[Any], name: str, holomorphic: bool
) -> tuple[Any, list[Any], list[Any]]:
    """Return (value, cotangents of the arguments' leaves, results with auxiliary data)."""
    outs, program, has_tangent = linearize_flat(flat, values, name)
    value = _check_scalar(flat, outs, name, holomorphic)
    if not has_tangent[0]:
        return value, [ZERO] * len(values), outs
    # The first result of the program is the value's tangent; others belong to auxiliary data.
    cts: list[Any] = [ZERO] * len(program.outs)
    # The 1 is one array for all eager calls, and a constant of the program if one is written.
    cts[0] = _one(value.dtype) if state.trace.eager else full_like(value, 1)
    return value, pull_back_program(program, cts), outs


@functools.lru_cache(maxsize=64)
def _one(dtype: np.dtype) -> Array:
    return Array(np.ones((), dtype))


def _check_scalar(flat: Flat, outs: Sequence[Any], name: str, holomorphic: bool) -> Any:
    """Return the value, the only result; raise TypeError unless it is a scalar to differentiate."""
    if flat.count != 1 or not tree.treedef_is_leaf(flat.out_tree):
        shown = tree.unflatten(flat.out_tree, [typeof(o) for o in outs[: flat.count]])
        raise with_user_line(
            TypeError(
                f"grad of {name}: the function must return one scalar, got the tree {shown}; "
                "with auxiliary data, return "
                "(scalar, aux) and say has_aux=True"
            )
        )
    value = as_value(outs[0])
    if value.shape:
        raise with_user_line(
            TypeError(
                f"grad of {name}: the function must return a scalar, got {describe(value)}. "
                "Reduce it (sum, mean), use "
                "dx.jacrev or dx.jacfwd for all derivatives, or dx.vmap(dx.grad(f)) if the rows "
                "are independent"
            )
        )
    dtype = value.dtype
    if dtype.kind == "c" and not holomorphic:
        raise with_user_line(
            TypeError(
                f"grad of {name}: the function returned a complex number, {describe(value)}; "
                "take its real part or absolute "
                "value, or say holomorphic=True if the function is complex differentiable"
            )
        )
    if not is_inexact(dtype):
        raise with_user_line(
            TypeError(
                f"grad of {name}: the function returned {describe(value)}; an integer or "
                "boolean has no derivative"
            )
        )
    return value


def grad(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
) -> Callable:
    """Return a function that computes the gradient of a scalar function, by reverse mode.

    Args:
        fun: a function of arrays or trees that returns a scalar (or (scalar, aux) with `has_aux`).
        argnums: which positional arguments to differentiate by; for a tuple, the result is a tuple.
        has_aux: `fun` returns a pair; its second part is passed through.
        holomorphic: `fun` is complex differentiable, from complex to complex.
        allow_int: integer arguments are allowed; their gradient has dtype `dx.float0`.
        reduce_axes: refused unless empty.

    Returns:
        A function with the arguments of `fun` that returns the gradient (or (gradient, aux)), of
        the structure, shapes and dtypes of the chosen arguments. The gradient of a real function
        of complex numbers follows JAX's
        convention: its conjugate is the direction of steepest ascent.

    Raises:
        TypeError: (when called) for a result that is not a scalar, for integer arguments.
        ValueError: if `argnums` names arguments that are not there.

    Examples:
        >>> import diffeo as dx
        >>> grad(lambda x: dx.numpy.sum(x ** 2))(dx.numpy.array([1.0, 2.0]))
        Array([2., 4.])
    """
    check_callable(fun, "grad")
    no_reduce_axes("grad", reduce_axes)
    options = (argnums, has_aux, holomorphic, allow_int)
    both = value_and_grad(fun, *options)._run

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, derivative = both(*args, **kwargs)
        return (derivative, value[1]) if has_aux else derivative

    return Transformed(fun, gradient, grad, fun, *options)
