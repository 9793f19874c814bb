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

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np

from ...primitives.array import as_value
from ...primitives.constants import full_like
from ...primitives.core import describe, typeof, with_user_line
from ...primitives.jaxpr import Eqn, Jaxpr, Literal, eval_jaxpr
from ...primitives.staging import stage
from ...primitives.stand_ins import ZERO
from ...primitives.support.foreign import refusal
from ...primitives.types import SCALARS, ShapedArray, float0, is_inexact
from ...primitives.words.structural import convert_element_type
from ...transforms.jvp import jvp_flat
from ...transforms.linearize import linearize_flat
from ...transforms.tangents import from_tangent, quietly, tangent_aval
from ...transforms.taylor.nested import is_nested, times, value_and_slope
from ...transforms.transpose import backward_pass, pull_back_program
from ...trees import tree
from ...trees.arguments import (
    as_values,
    check_callable,
    flat_arguments,
    name_of,
)
from ...trees.functions import Flat


def _as_tangent(t: Any, aval: ShapedArray, what: str, path: str) -> Any:
    """Return a tangent or cotangent as an array of the dtype that belongs to its primal's type.

    Return `ZERO` for the float0 array that stands for the tangent of an integer. Raise TypeError
    for other shapes and dtypes; a Python number takes the dtype.
    """
    expected = tangent_aval(aval)
    if expected.dtype == float0:
        if isinstance(t, np.ndarray) and t.dtype == float0 and t.shape == expected.shape:
            return ZERO
        raise with_user_line(
            TypeError(
                f"{what}{path}: an integer or boolean array has no derivative: its tangent is "
                f"np.zeros({expected.shape}, dx.float0), got {describe(t)}"
            )
        )
    try:
        value = as_value(t)
        fits = value.shape == expected.shape and (value.dtype == expected.dtype or value.weak_type)
    except TypeError:
        fits = False
    if not fits:
        reason = refusal(t)
        raise with_user_line(
            TypeError(
                f"{what}{path}: expected shape and dtype of {expected}, got {describe(t)}"
                + (f"; {reason}" if reason else "")
            )
        ) from None
    return convert_element_type(value, expected.dtype)


def _check_same(what: str, structure: Any, other: Any) -> None:
    if structure != other:
        raise with_user_line(TypeError(f"{what}: {tree.first_difference(structure, other)}"))


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
    _check_same(f"{kind}: {called} must have the structure of primals", structure, other)
    values = as_values(leaves, kind, primals)
    paths = tree.leaves_with_path(tangents)
    what = f"{kind}: {called[:-1]} at "
    moves = [
        _as_tangent(t, typeof(p), what, tree.keystr(path))
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


class Derivative:
    """The derivative of a function at a point: the tangent program, and the types and structures
    of arguments and results.

    It is a tree whose leaves are the residuals. So a derivative can be a result of a compiled
    function, or a residual that a forward rule hands to a backward rule.

    Attributes:
        flat: the function of leaves, with the structures of arguments and result.
        program: the tangent program.
        has_tangent: for each leaf of the result, whether the program has its tangent.
        primals, outs: the types of the leaves of arguments and result.
        apart: (residuals, the derivative with holes in their places), once it was computed.
    """

    def __init__(
        self,
        flat: Flat,
        program: Jaxpr,
        has_tangent: Sequence[bool],
        primals: Sequence[Any],
        outs: Sequence[Any],
    ):
        self.flat, self.program, self.has_tangent = flat, program, has_tangent
        self.primals = [typeof(p) for p in primals]
        self.outs = [typeof(o) for o in outs[: flat.count]]
        self.apart: tuple[list[Any], Derivative] | None = None

    def tree_flatten(self) -> tuple[list[Any], Derivative]:
        """Return the residuals, and the derivative with holes: `mul a <f64[]>` keeps its operand
        `a`, and `Hole(0, f64[])` replaces the array.
        """
        if self.apart is None:  # the same residual is one leaf, wherever it is used
            program = self.program
            operands = [v for eqn in program.eqns for v in eqn.inputs] + list(program.outs)
            residuals = {id(v.value): v.value for v in operands if _is_residual(v)}
            holes = {
                key: Hole(k, typeof(value)) for k, (key, value) in enumerate(residuals.items())
            }
            form = copy(self)
            form.program = _with(program, lambda x: holes.get(id(x)))
            self.apart = list(residuals.values()), form
        return self.apart

    @classmethod
    def tree_unflatten(cls, form: Derivative, residuals: Sequence[Any]) -> Derivative:
        """Return the derivative whose holes are filled by these residuals."""
        whole, filled = copy(form), list(residuals)
        whole.program = _with(form.program, lambda x: filled[x.number] if type(x) is Hole else None)
        whole.apart = filled, form
        return whole


class Hole:
    """A mark for residual `number`, in a tangent program whose residuals were taken out."""

    __slots__ = ("aval", "number")

    def __init__(self, number: int, aval: ShapedArray):
        self.number, self.aval = number, aval


def _is_residual(v: Any) -> bool:
    """Check that an operand of a tangent program is a residual, or the hole of one."""
    return type(v) is Literal and type(v.value) not in SCALARS


def _with(program: Jaxpr, other: Callable[[Any], Any]) -> Jaxpr:
    """Return the tangent program with `other(residual)` in the place of each residual.

    A residual for which `other` returns None is kept.
    """

    def put(v: Any) -> Any:
        value = other(v.value) if _is_residual(v) else None
        return v if value is None else Literal(value)

    eqns = [Eqn(e.primitive, list(map(put, e.inputs)), e.outs, e.source) for e in program.eqns]
    return Jaxpr(program.in_vars, eqns, list(map(put, program.outs)), name=program.name)


@tree.register_pytree_node_class
class LinearMap(Derivative):
    """The derivative of a function at a point, as a linear function of tangents. `linearize`
    returns it.
    """

    def __call__(self, *tangents: Any) -> Any:
        leaves, structure = tree.flatten(tangents)
        _check_same(
            "linearize: tangents must have the structure of primals", self.flat.in_tree, structure
        )
        moves = [
            _as_tangent(t, p, "linearize: tangent at ", tree.keystr(path))
            for t, p, (path, _) in zip(leaves, self.primals, tree.leaves_with_path(tangents))
        ]
        moves = [
            full_like(v.aval, 0) if t is ZERO else t for t, v in zip(moves, self.program.in_vars)
        ]
        # The program has a result only for those results of the function that have a tangent.
        slopes = iter(quietly(eval_jaxpr, self.program, moves))
        outs = [next(slopes) if has else ZERO for has in self.has_tangent]
        zipped = zip(outs[: self.flat.count], self.outs)
        return tree.unflatten(self.flat.out_tree, [from_tangent(t, o) for t, o in zipped])

    def __repr__(self) -> str:
        return f"<linear map of {self.flat.name}>\n{self.program}"


def linearize(fun: Callable, *primals: Any) -> tuple[Any, Callable]:
    """Compute the value of a function at a point, and the derivative there as a linear function
    of tangents.

    The function is evaluated once. Applying the derivative repeats only the linear part.

    Returns:
        (result, map from tangents, one for each argument, to the tangent of the result).

    Examples:
        >>> import diffeo as dx
        >>> y, f_jvp = linearize(lambda x: x ** 2, 3.0)
        >>> y, f_jvp(1.0), f_jvp(10.0)
        (Array(9.), Array(6.), Array(60.))
    """
    check_callable(fun, "linearize")
    leaves, structure = flat_arguments("linearize", primals)
    values = as_values(leaves, "linearize", primals)
    flat = Flat(fun, structure, name_of(fun))
    outs, program, has_tangent = quietly(linearize_flat, flat, values, flat.name)
    return flat.result(outs), LinearMap(flat, program, has_tangent, values, outs)


@tree.register_pytree_node_class
class Pullback(Derivative):
    """The transposed derivative of a function at a point, as a function from a cotangent of the
    result to cotangents of the arguments. `vjp` returns it.
    """

    def __call__(self, cotangent: Any) -> tuple:
        leaves, structure = tree.flatten(cotangent)
        _check_same(
            "vjp: the cotangent must have the structure of the result",
            self.flat.out_tree,
            structure,
        )
        paths = [tree.keystr(path) for path, _ in tree.leaves_with_path(cotangent)]
        cts = [
            _as_tangent(c, o, "vjp: cotangent", f" at {p}" if p else "")
            for c, o, p in zip(leaves, self.outs, paths)
        ]
        # A result without a tangent does not depend on the arguments: its cotangent goes nowhere.
        cts = [c for c, has in zip(cts, self.has_tangent) if has]
        pulled = quietly(pull_back_program, self.program, cts)
        return tree.unflatten(
            self.flat.in_tree, [from_tangent(c, p) for c, p in zip(pulled, self.primals)]
        )

    def __repr__(self) -> str:
        return f"<pullback of {self.flat.name}>"


def vjp(fun: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """Compute the value of a function at a point, and the map from cotangents of the result to
    cotangents of the arguments (reverse mode).

    Returns:
        (result, pullback), and the auxiliary data if `has_aux`. The pullback takes a cotangent of
        the result's structure, shapes and dtypes, and returns a tuple with an entry for each
        argument; it may be called often.

    Raises:
        TypeError: (from the pullback) if the cotangent does not fit the result.

    Examples:
        >>> import diffeo as dx
        >>> y, pullback = vjp(lambda a, b: a * b, 2.0, 3.0)
        >>> pullback(1.0)
        (Array(3.), Array(2.))
    """
    check_callable(fun, "vjp")
    leaves, structure = flat_arguments("vjp", primals)
    values = as_values(leaves, "vjp", primals)
    flat = Flat(fun, structure, name_of(fun), has_aux)
    outs, program, has_tangent = quietly(linearize_flat, flat, values, flat.name)
    if has_aux:
        # The results of the program are the tangents of the result's leaves, then those of the
        # auxiliary data, which get no cotangents.
        program = Jaxpr(
            program.in_vars,
            program.eqns,
            program.outs[: sum(has_tangent[: flat.count])],
            name=program.name,
        )
    pullback = Pullback(flat, program, has_tangent[: flat.count], values, outs)
    result = flat.result(outs)
    return (result, pullback, flat.aux(outs)) if has_aux else (result, pullback)


def linear_transpose(fun: Callable, *primals: Any) -> Callable:
    """Transpose a function that is linear in all its arguments.

    Args:
        fun: a linear function of arrays or trees.
        *primals: arguments (or `ShapeDtypeStruct`s); only shapes and dtypes matter.

    Returns:
        A function from a cotangent of the result to a tuple of cotangents of the arguments.

    Examples:
        >>> import diffeo as dx
        >>> A = dx.numpy.array([[1.0, 2.0], [3.0, 4.0]])
        >>> linear_transpose(lambda x: A @ x, dx.numpy.zeros(2))(dx.numpy.array([1.0, 0.0]))
        (Array([1., 2.]),)
    """
    check_callable(fun, "linear_transpose")
    leaves, structure = tree.flatten(primals)
    avals = [x.aval.strong if hasattr(x, "aval") else typeof(x).strong for x in leaves]
    for aval in avals:
        if not is_inexact(aval.dtype):
            raise with_user_line(
                TypeError(
                    f"linear_transpose: linear in floating-point or complex arrays, got {aval}"
                )
            )
    flat = Flat(fun, structure, name_of(fun))
    program = stage(flat, avals, flat.name)
    outs = program.out_avals

    def transposed(cotangent: Any) -> tuple:
        cts, other = tree.flatten(cotangent)
        _check_same(
            "linear_transpose: the cotangent must have the structure of the result",
            flat.out_tree,
            other,
        )
        cts = [_as_tangent(c, o, "linear_transpose: cotangent", "") for c, o in zip(cts, outs)]
        try:
            pulled = quietly(
                backward_pass, program, dict(zip(program.const_vars, program.consts)), cts
            )
        except (NotImplementedError, TypeError) as error:
            # An operation that is not linear has no transposition, or computes with the
            # `LinearInput` that stands for its operand there. Other errors are not about this.
            if isinstance(error, TypeError) and "LinearInput" not in str(error):
                raise
            reason = f": {error}" if isinstance(error, NotImplementedError) else ""
            raise with_user_line(
                TypeError(f"linear_transpose: {flat.name} is not linear{reason}")
            ) from None
        return tree.unflatten(structure, [from_tangent(c, a) for c, a in zip(pulled, avals)])

    return transposed
