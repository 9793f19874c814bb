"""Directional derivatives for users: jvp, linearize, vjp and linear_transpose, on trees of arrays.

A tangent is a direction in which an argument moves, or in which a result moves with it; a cotangent
belongs to a result and is pulled back to the arguments. `ZERO` (in `primitives/stand_ins.py`)
stands for either of them inside; users get zeros.

All functions here flatten trees to leaves, call an interpreter on a function of leaves (`Flat`),
and put the leaves of the results into trees again. Reverse mode linearizes: `linearize_flat`
returns the results and the tangent program, a linear program from tangents of the arguments to
tangents of the results. Its constants are the residuals, arrays of the forward pass. `linearize`
runs this program, `vjp` runs its transpose.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...primitives.array import as_value
from ...primitives.constants import full_like
from ...primitives.core import describe, typeof, with_user_line
from ...primitives.jaxpr import Jaxpr
from ...primitives.staging import stage
from ...primitives.stand_ins import ZERO
from ...primitives.support.errors import MismatchError
from ...primitives.types import ShapedArray, is_inexact
from ...primitives.words.structural import convert_element_type
from ...transforms.jvp import jvp_flat
from ...transforms.linearize import linearize_flat
from ...transforms.tangents import from_tangent, quietly
from ...transforms.taylor.nested import is_nested, times, value_and_slope
from ...transforms.transpose import backward_pass
from ...trees import tree
from ...trees.arguments import as_values, check_callable, flat_arguments, name_of
from ...trees.functions import Flat
from .maps import LinearMap, Pullback, as_tangent, check_same


def as_tuple(x: Any, what: str) -> tuple:
    """Return a tuple or list as a tuple; raise TypeError for anything else."""
    if not isinstance(x, (tuple, list)):
        raise with_user_line(
            TypeError(f"{what} must be a tuple with one entry per argument, got {describe(x)}")
        )
    return tuple(x)


def point_and_direction(
    kind: str, primals: Any, tangents: Any, called: str = "tangents"
) -> tuple[list[Any], list[Any], Any]:
    """Return (leaves of the arguments, a tangent for each leaf, structure of the arguments).

    Raise TypeError if tangents do not fit the arguments. `kind` is the transformation and `called`
    the parameter of the tangents, a plural, for messages.
    """
    primals = as_tuple(primals, f"{kind}: primals")
    tangents = as_tuple(tangents, f"{kind}: {called}")
    leaves, structure = flat_arguments(kind, primals)
    moves, other = tree.flatten(tangents)
    check_same(f"{kind}: {called} must have the structure of primals", structure, other)
    values = as_values(leaves, kind, primals)
    paths = tree.leaves_with_path(tangents)
    what = f"{kind}: {called[:-1]} at "
    moves = [
        as_tangent(t, typeof(p), what, tree.keystr(path))
        for t, p, (path, _) in zip(moves, values, paths)
    ]
    return values, moves, structure


# --------------------------------------------------------------------------------------------------
# Forward mode, linearization, reverse mode


def jvp(
    fun: Callable, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple:
    """Compute the value of a function and its derivative along a direction (forward mode).

    Args:
        fun: a function of arrays or trees.
        primals: its arguments, a tuple.
        tangents: the direction: an entry for each argument, of its structure, shapes and dtypes
            (for integers `np.zeros(shape, dx.float0)`).
        has_aux: `fun` returns (result, auxiliary data).

    Returns:
        (result, tangent of the result), and the auxiliary data if `has_aux`.

    Raises:
        TypeError: if tangents do not fit primals.

    Examples:
        >>> import diffeo as dx
        >>> jvp(dx.numpy.sin, (0.0,), (2.0,))
        (Array(0.), Array(2.))
    """
    check_callable(fun, "jvp")
    values, moves, structure = point_and_direction("jvp", primals, tangents)
    flat = Flat(fun, structure, name_of(fun), has_aux)
    if not has_aux and is_nested(values) and moves[0] is not ZERO:
        # A derivative of a derivative by one scalar: one Taylor series serves both.
        outs, slopes = quietly(value_and_slope, flat, values[0])
        out_tangents = [s if s is ZERO else times(moves[0], s) for s in slopes]
    else:
        outs, out_tangents = quietly(jvp_flat, flat, values, moves, flat.name)
    result = flat.result(outs)
    moved = tree.unflatten(
        flat.out_tree,
        [from_tangent(t, typeof(o)) for o, t in zip(outs, out_tangents[: flat.count])],
    )
    return (result, moved, flat.aux(outs)) if has_aux else (result, moved)


def linearize(fun: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """Compute the value of a function at a point, and the derivative there as a linear function
    of tangents.

    The function is evaluated once. Applying the derivative repeats only the linear part.

    Args:
        fun: a function of arrays or trees.
        *primals: its arguments.
        has_aux: `fun` returns (result, auxiliary data).

    Returns:
        (result, map from tangents, one for each argument, to the tangent of the result), and the
        auxiliary data if `has_aux`.

    Examples:
        >>> import diffeo as dx
        >>> y, f_jvp = linearize(lambda x: x ** 2, 3.0)
        >>> y, f_jvp(1.0), f_jvp(10.0)
        (Array(9.), Array(6.), Array(60.))
    """
    check_callable(fun, "linearize")
    flat, values, outs, program, has_tangent = _linearized("linearize", fun, primals, has_aux)
    linear = LinearMap(flat, program, has_tangent, values, outs)
    return (flat.result(outs), linear, flat.aux(outs)) if has_aux else (flat.result(outs), linear)


def _linearized(kind: str, fun: Callable, primals: tuple, has_aux: bool) -> tuple:
    """Linearize a function of trees.

    Returns:
        The function of leaves, the leaves of the arguments, the results, the tangent program, and
        which leaves of the result it has tangents of.
    """
    leaves, structure = flat_arguments(kind, primals)
    values = as_values(leaves, kind, primals)
    flat = Flat(fun, structure, name_of(fun), has_aux)
    outs, program, has_tangent = quietly(linearize_flat, flat, values, flat.name)
    if has_aux:
        # The results of the program are the tangents of the result's leaves, then those of the
        # auxiliary data, which are not asked for.
        has_tangent = has_tangent[: flat.count]
        tangents = program.outs[: sum(has_tangent)]
        program = Jaxpr(program.in_vars, program.eqns, tangents, name=program.name)
    return flat, values, outs, program, has_tangent


def no_reduce_axes(kind: str, reduce_axes: Any) -> None:
    """Raise NotImplementedError for `reduce_axes`, which JAX has given up, too."""
    if reduce_axes:
        raise with_user_line(
            NotImplementedError(
                f"{kind}: reduce_axes={reduce_axes!r} is not there any more; sum the derivatives "
                "with dx.lax.psum"
            )
        )


def vjp(
    fun: Callable, *primals: Any, has_aux: bool = False, reduce_axes: Sequence[Any] = ()
) -> tuple:
    """Compute the value of a function at a point, and the map from cotangents of the result to
    cotangents of the arguments (reverse mode).

    Args:
        fun: a function of arrays or trees.
        *primals: its arguments.
        has_aux: `fun` returns (result, auxiliary data).
        reduce_axes: refused unless empty.

    Returns:
        (result, pullback), and the auxiliary data if `has_aux`. The pullback takes a cotangent of
        the result's structure, shapes and dtypes, and returns a tuple with an entry for each
        argument; it may be called often.

    Raises:
        ValueError: (from the pullback) if the cotangent does not fit the result; it is a TypeError,
            too.
        NotImplementedError: for `reduce_axes`.

    Examples:
        >>> import diffeo as dx
        >>> y, pullback = vjp(lambda a, b: a * b, 2.0, 3.0)
        >>> pullback(1.0)
        (Array(3.), Array(2.))
    """
    check_callable(fun, "vjp")
    no_reduce_axes("vjp", reduce_axes)
    flat, values, outs, program, has_tangent = _linearized("vjp", fun, primals, has_aux)
    pullback = Pullback(flat, program, has_tangent, values, outs)
    result = flat.result(outs)
    return (result, pullback, flat.aux(outs)) if has_aux else (result, pullback)


def linear_transpose(
    fun: Callable, *primals: Any, reduce_axes: Sequence[Any] = ()
) -> Callable[..., tuple]:
    """Transpose a function that is linear in all its arguments.

    Args:
        fun: a linear function of arrays or trees.
        *primals: arguments (or `ShapeDtypeStruct`s, or anything with a shape and a dtype); only
            these matter. Either all arguments and results are floating-point or complex, or all are
            integers.
        reduce_axes: refused unless empty.

    Returns:
        A function from a cotangent of the result to a tuple of cotangents of the arguments.

    Raises:
        TypeError: for other dtypes; (when called) if the cotangent does not fit the result, or the
            function is not linear.

    Examples:
        >>> import diffeo as dx
        >>> A = dx.numpy.array([[1.0, 2.0], [3.0, 4.0]])
        >>> linear_transpose(lambda x: A @ x, dx.numpy.zeros(2))(dx.numpy.array([1.0, 0.0]))
        (Array([1., 2.]),)
    """
    check_callable(fun, "linear_transpose")
    no_reduce_axes("linear_transpose", reduce_axes)
    leaves, structure = tree.flatten(primals)
    avals = [_type_of(x) for x in leaves]
    flat = Flat(fun, structure, name_of(fun))
    program = stage(flat, avals, flat.name)
    kinds = {is_inexact(a.dtype) for a in (*avals, *program.out_avals)}
    if len(kinds) > 1 or any([a.dtype.kind == "b" for a in (*avals, *program.out_avals)]):
        raise with_user_line(
            TypeError(
                f"linear_transpose of {flat.name}: arguments and results are all floating-point or "
                f"complex, or all integers, got {', '.join(map(str, avals))} -> "
                f"{', '.join(map(str, program.out_avals))}"
            )
        )
    # The constants are leaves, so that the result is a tree: a compiled function may return it.
    return tree.Partial(functools.partial(_transposed, program, structure, flat), program.consts)


def _type_of(x: Any) -> ShapedArray:
    """Return the strong type of an array, or of what has a shape and a dtype."""
    if hasattr(x, "aval"):
        return x.aval.strong
    described = hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, np.ndarray)
    return ShapedArray(tuple(x.shape), np.dtype(x.dtype)) if described else typeof(x).strong


def _transposed(
    program: Jaxpr, structure: Any, flat: Flat, consts: Sequence[Any], cotangent: Any
) -> tuple:
    """Walk backward through the program of a linear function of trees."""
    cts, other = tree.flatten(cotangent)
    check_same(
        "linear_transpose: the cotangent must have the structure of the result",
        flat.out_tree,
        other,
    )
    what = "linear_transpose: cotangent"
    cts = [_linear_cotangent(c, o, what) for c, o in zip(cts, program.out_avals)]
    try:
        pulled = quietly(backward_pass, program, dict(zip(program.const_vars, consts)), cts)
    except (NotImplementedError, TypeError) as error:
        # An operation that is not linear has no transposition, or computes with the
        # `LinearInput` that stands for its operand there. Other errors are not about this.
        if isinstance(error, TypeError) and "LinearInput" not in str(error):
            raise
        reason = f": {error}" if isinstance(error, NotImplementedError) else ""
        raise with_user_line(
            TypeError(f"linear_transpose: {flat.name} is not linear{reason}")
        ) from None
    leaves = [full_like(a, 0) if c is ZERO else c for c, a in zip(pulled, program.in_avals)]
    return tree.unflatten(structure, leaves)


def _linear_cotangent(ct: Any, aval: ShapedArray, what: str) -> Any:
    """Return the cotangent of a result; unlike those of derivatives, it may be an integer."""
    if is_inexact(aval.dtype):
        return as_tangent(ct, aval, what, "")
    value = as_value(ct)
    if value.shape != aval.shape or not (value.weak_type or value.dtype == aval.dtype):
        raise with_user_line(MismatchError(f"{what}: expected {aval.strong}, got {describe(ct)}"))
    return convert_element_type(value, aval.dtype)
