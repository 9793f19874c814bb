"""Taylor mode for users: taylor, jet, derivatives and nth_derivative.

Taylor mode evaluates a function on power series in one variable t in place of numbers, up to an
order. All functions here make such series of their arguments (`Series`), call `expand`, and return
the coefficients of the results. Coefficient k is normalised: the k-th derivative divided by k!.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ...primitives.array import as_value
from ...primitives.constants import full_like
from ...primitives.core import Value, describe, with_user_line
from ...primitives.types import is_inexact
from ...primitives.words.structural import convert_element_type
from ...transforms.equal_values import SmoothTaylor
from ...transforms.tangents import quietly
from ...transforms.taylor.series import Series, filled
from ...trees import tree
from ...trees.arguments import WRAPPED, as_values, check_argnums, check_callable, name_of
from ...trees.functions import Flat, of_chosen
from .autodiff import as_tuple


def check_order(what: str, order: Any) -> None:
    """Raise ValueError unless `order` is a whole number >= 0."""
    if not isinstance(order, int) or isinstance(order, bool) or order < 0:
        raise with_user_line(
            ValueError(f"{what}: the order is a whole number >= 0, got {describe(order)}")
        )


def check_point(what: str, x: Value) -> None:
    """Raise TypeError unless the array is floating-point or complex."""
    if not is_inexact(x.dtype):
        raise with_user_line(
            TypeError(
                f"{what}: expands in floating-point or complex arguments, got {describe(x)}; "
                "pass a float (1.0 instead of 1), or close over what is no such number"
            )
        )


def as_coefficient(what: str, c: Value, x: Value) -> Any:
    """Return a coefficient in the dtype of its point `x`; raise TypeError if it does not fit."""
    if c.shape != x.shape or not (c.weak_type or c.dtype == x.dtype):
        raise with_user_line(
            TypeError(
                f"{what} must have the shape and dtype of its primal, got {describe(c)} for "
                f"{describe(x)}"
            )
        )
    return convert_element_type(c, x.dtype)


def expand(flat: Flat, values: Sequence[Series], order: int) -> list[list[Any]]:
    """Evaluate a function on series; return for each result the coefficients 0, ..., `order`."""
    outs = quietly(SmoothTaylor(order, flat.name).trace_flat, flat, values)
    return [[filled(o, k) for k in range(order + 1)] for o in outs]


def taylor(
    fun: Callable, primals: Sequence[Any], directions: Sequence[Any], order: int
) -> list[Any]:
    """Compute the Taylor coefficients of `fun(primals + t * directions)` in t, at t = 0.

    Args:
        fun: a function of arrays or trees.
        primals: its arguments, a tuple.
        directions: one for each argument, of its structure, shapes and dtypes.
        order: the highest coefficient wanted, >= 0.

    Returns:
        A list of `order + 1` trees like the result of `fun`: the value, the first derivative, half
        the second, ... (coefficient k is the k-th derivative divided by k!).

    Raises:
        ValueError: for a negative order.
        TypeError: if directions do not fit their primals, or a primal is not floating-point or
            complex.

    Examples:
        >>> import diffeo as dx
        >>> taylor(dx.numpy.exp, (0.0,), (1.0,), 4)
        [Array(1.), Array(1.), Array(0.5), Array(0.16666667), Array(0.04166667)]
    """
    check_callable(fun, "taylor")
    check_order("taylor", order)
    primals, directions = (
        as_tuple(primals, "taylor: primals"),
        as_tuple(directions, "taylor: directions"),
    )
    leaves, structure = tree.flatten(primals)
    moves, other = tree.flatten(directions)
    if other != structure:
        raise with_user_line(
            TypeError(
                "taylor: the directions must have the structure of the primals: "
                f"{tree.first_difference(structure, other)}"
            )
        )
    points = as_values(leaves, "taylor", primals)
    moves = as_values(moves, "taylor: direction", directions)
    values = []
    for x, v in zip(points, moves):
        check_point("taylor", x)
        v = as_coefficient("taylor: a direction", v, x)
        # The line x + t v; of order 0, the point alone.
        values.append(Series([x, v] if order else [x]))
    flat = Flat(fun, structure, name_of(fun))
    outs = expand(flat, values, order)
    return [tree.unflatten(flat.out_tree, [o[k] for o in outs]) for k in range(order + 1)]


def jet(
    fun: Callable, primals: Sequence[Any], series: Sequence[Any], factorial_scaled: bool = True
) -> tuple[Any, Any]:
    """Push a truncated power series through a function (jax.experimental.jet's signature).

    Args:
        fun: a function of arrays or trees.
        primals: its arguments, a tuple.
        series: for each argument the terms that follow it, a list of arrays of its shape and
            dtype; for a tree, a tree with such a list in the place of each array. All lists have
            one length.
        factorial_scaled: terms are derivatives: term k is k! times the coefficient of t**k. If
            False, terms are the coefficients themselves.

    Returns:
        (result, its terms): a tree like the result, with a list of terms in the place of each
        array.

    Raises:
        ValueError: if the numbers of terms differ.
        TypeError: if terms do not fit their primals, or a primal is not floating-point or complex.

    Examples:
        >>> import diffeo as dx
        >>> y, (first, second) = jet(dx.numpy.sin, (0.5,), ([1.0, 0.0],))
        >>> y, first, second
        (Array(0.47942554), Array(0.87758256), Array(-0.47942554))
    """
    check_callable(fun, "jet")
    primals, series = as_tuple(primals, "jet: primals"), as_tuple(series, "jet: series")
    leaves, structure = tree.flatten(primals)
    try:
        terms = structure.flatten_up_to(series)
    except ValueError as error:
        raise with_user_line(
            TypeError(
                "jet: the series must have the structure of the primals, with a list of terms in "
                f"the place of each array: {error}"
            )
        ) from None
    points = as_values(leaves, "jet", primals)
    terms = [as_tuple(t, "jet: the terms of an array") for t in terms]
    order = _number_of_terms(terms)
    values = [_moving(x, following, factorial_scaled) for x, following in zip(points, terms)]
    flat = Flat(fun, structure, name_of(fun))
    outs = expand(flat, values, order)
    if factorial_scaled:
        outs = [derivatives_of(o) for o in outs]
    result = tree.unflatten(flat.out_tree, [o[0] for o in outs])
    return result, tree.unflatten(flat.out_tree, [o[1:] for o in outs])


def _number_of_terms(terms: Sequence[tuple]) -> int:
    """Return how many terms each argument has; raise ValueError if the numbers differ."""
    orders = sorted({len(t) for t in terms})
    if len(orders) > 1:
        raise with_user_line(
            ValueError(
                f"jet: all arguments need one number of terms, got {orders}; fill up by zeros"
            )
        )
    return orders[0] if orders else 0


def _moving(x: Value, terms: tuple, factorial_scaled: bool) -> Series:
    """Return the series of a point and the user's terms; derivatives are divided by k!."""
    check_point("jet", x)
    arrays = as_values(terms, "jet: term", terms)
    coefficients = [as_coefficient("jet: a term", c, x) for c in arrays]
    if factorial_scaled:
        coefficients = [
            c / math.factorial(k) if k > 1 else c for k, c in enumerate(coefficients, 1)
        ]
    return Series([x, *coefficients])


def derivatives_of(coefficients: Sequence[Any]) -> list[Any]:
    """Return the derivatives for normalised coefficients: coefficient k times k!."""
    return [c * float(math.factorial(k)) if k > 1 else c for k, c in enumerate(coefficients)]


def _of_number(what: str, flat: Flat, x: Value, order: int) -> list[Any]:
    """Compute the derivatives 0, ..., `order` of a function at a scalar, each a tree like the
    result.
    """
    if x.shape:
        raise with_user_line(
            TypeError(
                f"{what}: expects a function of one number, got a point of shape {x.shape}; use "
                "vmap for many points, taylor for derivatives along a direction, laplacian and "
                "its like for functions of a vector"
            )
        )
    check_point(what, x)
    # The series x + t is marked: derivatives by x inside of `fun` can then continue it.
    line = Series([x, full_like(x, 1)] if order else [x])
    line.unit = order > 0
    outs = expand(flat, [line], order)
    columns = [derivatives_of(o) for o in outs]
    return [tree.unflatten(flat.out_tree, [c[k] for c in columns]) for k in range(order + 1)]


def derivatives(fun: Callable, x: Any, order: int) -> list[Any]:
    """Compute `[f(x), f'(x), ..., f^(order)(x)]` of a function of one real or complex number, in
    one Taylor pass.

    Args:
        fun: a function of a scalar that returns an array or a tree of arrays.
        x: the point, a scalar. (Use `vmap` for many points.)
        order: the highest derivative wanted, >= 0.

    Raises:
        TypeError: if `x` is not a scalar, or not floating-point or complex.
        ValueError: for a negative order.

    Examples:
        >>> import diffeo as dx
        >>> [float(d) for d in derivatives(lambda x: x ** 3, 2.0, 4)]
        [8.0, 12.0, 12.0, 6.0, 0.0]
    """
    check_callable(fun, "derivatives")
    check_order("derivatives", order)
    values, structure = tree.flatten((as_value(x),))
    return _of_number("derivatives", Flat(fun, structure, name_of(fun)), values[0], order)


def nth_derivative(fun: Callable, n: int, argnums: int = 0) -> Callable:
    """Return a function that computes the n-th derivative by one argument, a real or complex
    number.

    Args:
        fun: a function that returns an array or a tree of arrays.
        n: how often to differentiate, >= 0.
        argnums: the position of the argument, which must be a scalar when the function is called;
            the others are anything.

    Returns:
        A function with the arguments of `fun`. One Taylor pass computes it, at a cost that grows
        like the square of `n`.

    Raises:
        ValueError: for a negative `n`.
        TypeError: (when called) if the argument is not a scalar, or not floating-point or complex.

    Examples:
        >>> import diffeo as dx
        >>> f = nth_derivative(dx.numpy.sin, 5)
        >>> float(f(0.0))
        1.0
        >>> nth_derivative(lambda a, x: x ** a, 2, argnums=1)(3, 2.0)
        Array(12.)
    """
    check_callable(fun, "nth_derivative")
    check_order("nth_derivative", n)
    what = f"nth_derivative of {name_of(fun)}"
    if not isinstance(argnums, int):
        raise with_user_line(
            TypeError(f"{what}: argnums is the position of one argument, got {describe(argnums)}")
        )

    @functools.wraps(fun, assigned=WRAPPED)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        (number,) = check_argnums(argnums, len(args), what)
        (x,), structure = tree.flatten((args[number],))
        (x,) = as_values([x], what, (args[number],), [number])
        flat = Flat(of_chosen(fun, args, kwargs, [number]), structure, name_of(fun))
        return _of_number(what, flat, x, n)[n]

    return derivative
