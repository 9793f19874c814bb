"""Derivatives for users: jvp, linearize, vjp, grad, Jacobians, Hessians and their products, on trees of arrays."""

from __future__ import annotations

import functools
from typing import Any, Callable, Sequence

import numpy as np

from ..primitives.array import as_value
from ..primitives.core import ZERO, Value, describe, state, typeof, with_user_line
from ..primitives.families import full_like
from ..primitives.jaxpr import Jaxpr, eval_jaxpr
from ..primitives.staging import stage
from ..primitives.structural import convert_element_type
from ..primitives.types import ShapedArray, float0, is_inexact
from . import tree
from .api_util import check_argnums, check_callable, name_of
from .jvp import jvp_flat
from .linearize import linearize_flat
from .transpose import backward_pass, pull_back_program

_WRAPPED = ("__name__", "__qualname__", "__doc__", "__module__")


class Flat:
    """A function of trees as a function of leaves; remembers the structure of the result, and an auxiliary output."""

    __slots__ = ("aux_tree", "count", "fun", "has_aux", "in_tree", "out_tree")

    def __init__(self, fun: Callable, in_tree: Any, has_aux: bool = False):
        self.fun, self.in_tree, self.has_aux = fun, in_tree, has_aux
        self.out_tree = self.aux_tree = None
        self.count = 0

    def __call__(self, *leaves: Any) -> Sequence[Any]:
        out = self.fun(*tree.unflatten(self.in_tree, leaves))
        if not self.has_aux:
            outs, self.out_tree = tree.flatten(out)
            self.count = len(outs)
            return outs
        if not isinstance(out, tuple) or len(out) != 2:
            raise with_user_line(TypeError(
                f"{name_of(self.fun)}: with has_aux=True the function must return a pair (result, auxiliary data), got "
                f"{describe(out)}"))
        outs, self.out_tree = tree.flatten(out[0])
        aux, self.aux_tree = tree.flatten(out[1])
        self.count = len(outs)
        return [*outs, *aux]

    def result(self, outs: Sequence[Any]) -> Any:
        """The result as a tree."""
        return tree.unflatten(self.out_tree, [as_value(o) for o in outs[:self.count]])

    def aux(self, outs: Sequence[Any]) -> Any:
        """The auxiliary output as a tree."""
        return tree.unflatten(self.aux_tree, outs[self.count:])


def _quietly(compute: Callable, *args: Any) -> Any:
    """Derivatives of eager programs pass through 1/0 and the like where a zero cotangent discards them."""
    if not state.trace.eager:
        return compute(*args)
    with np.errstate(all="ignore"):
        return compute(*args)


def _values(leaves: Sequence[Any], what: str, full: Any) -> list[Any]:
    values = []
    for i, x in enumerate(leaves):
        try:
            values.append(x if isinstance(x, Value) else as_value(x))
        except TypeError as error:
            path = tree.keystr(tree.leaves_with_path(full)[i][0])
            raise with_user_line(TypeError(f"{what}: argument {path}: {error}")) from None
    return values


def _tangent_aval(aval: ShapedArray) -> ShapedArray:
    return aval.strong if is_inexact(aval.dtype) else ShapedArray(aval.shape, float0)


def _as_tangent(t: Any, primal: Any, what: str, path: str) -> Any:
    """A tangent or cotangent checked against its primal's type; `ZERO` for one that holds no information."""
    expected = _tangent_aval(typeof(primal))
    if expected.dtype == float0:
        if isinstance(t, np.ndarray) and t.dtype == float0 and t.shape == expected.shape:
            return ZERO
        raise with_user_line(TypeError(
            f"{what}{path}: an integer or boolean array has no derivative: its tangent is "
            f"np.zeros({expected.shape}, dx.float0), got {describe(t)}"))
    value = as_value(t)
    if value.shape != expected.shape or not (value.dtype == expected.dtype or value.weak_type):
        raise with_user_line(TypeError(
            f"{what}{path}: expected shape and dtype of {expected}, got {describe(t)}"))
    return convert_element_type(value, expected.dtype)


def _from_tangent(t: Any, primal: Any) -> Any:
    """What a user gets for a tangent or cotangent: zeros instead of `ZERO`."""
    aval = _tangent_aval(typeof(primal))
    if aval.dtype == float0:
        return np.zeros(aval.shape, float0)
    return full_like(aval, 0) if t is ZERO else t


def _check_same(what: str, structure: Any, other: Any) -> None:
    if structure != other:
        raise with_user_line(TypeError(f"{what}: {tree.first_difference(structure, other)}"))


def _tuple(x: Any, what: str) -> tuple:
    if not isinstance(x, (tuple, list)):
        raise with_user_line(TypeError(f"{what} must be a tuple with one entry per argument, got {describe(x)}"))
    return tuple(x)


# ---------------------------------------------------------------------------------------------------------------
# Forward mode, linearization, reverse mode


def jvp(fun: Callable, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> tuple:
    """The value of a function and its derivative along a direction (forward mode).

    Args:
        fun: a function of arrays or trees.
        primals: its arguments, a tuple.
        tangents: the direction: an entry for each argument, of its structure, shapes and dtypes (for integers
            `np.zeros(shape, dx.float0)`).
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
    primals, tangents = _tuple(primals, "jvp: primals"), _tuple(tangents, "jvp: tangents")
    leaves, structure = tree.flatten(primals)
    moves, other = tree.flatten(tangents)
    _check_same("jvp: tangents must have the structure of primals", structure, other)
    values = _values(leaves, "jvp", primals)
    paths = tree.leaves_with_path(tangents)
    moves = [_as_tangent(t, p, "jvp: tangent at ", tree.keystr(path)) for t, p, (path, _) in zip(moves, values, paths)]
    flat = Flat(fun, structure, has_aux)
    outs, out_tangents = _quietly(jvp_flat, flat, values, moves, name_of(fun))
    result = flat.result(outs)
    moved = tree.unflatten(flat.out_tree, [_from_tangent(t, o) for o, t in zip(outs, out_tangents[:flat.count])])
    return (result, moved, flat.aux(outs)) if has_aux else (result, moved)


class LinearMap:
    """The derivative of a function at a point, as a linear function of tangents. Made by `linearize`."""

    def __init__(self, flat: Flat, program: Jaxpr, has_tangent: Sequence[bool], primals: Sequence[Any],
                 outs: Sequence[Any]):
        self.flat, self.program, self.has_tangent = flat, program, has_tangent
        self.primals, self.outs = [typeof(p) for p in primals], [typeof(o) for o in outs[:flat.count]]

    def __call__(self, *tangents: Any) -> Any:
        leaves, structure = tree.flatten(tangents)
        _check_same("linearize: tangents must have the structure of primals", self.flat.in_tree, structure)
        moves = [_as_tangent(t, p, "linearize: tangent ", "") for t, p in zip(leaves, map(_like, self.primals))]
        moves = [full_like(v.aval, 0) if t is ZERO else t for t, v in zip(moves, self.program.in_vars)]
        found = iter(_quietly(eval_jaxpr, self.program, moves))
        outs = [next(found) if there else ZERO for there in self.has_tangent]
        zipped = zip(outs[:self.flat.count], map(_like, self.outs))
        return tree.unflatten(self.flat.out_tree, [_from_tangent(t, o) for t, o in zipped])

    def __repr__(self) -> str:
        return f"<linear map of {name_of(self.flat.fun)}>\n{self.program}"


class _like:
    """Something of a type, for functions that want a value for its type only."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval


def linearize(fun: Callable, *primals: Any) -> tuple[Any, Callable]:
    """The value of a function at a point, and its derivative there as a linear function of tangents.

    The function is evaluated once; applying the derivative repeats only the linear part.

    Returns:
        (result, map from tangents, one for each argument, to the tangent of the result).

    Examples:
        >>> import diffeo as dx
        >>> y, f_jvp = linearize(lambda x: x ** 2, 3.0)
        >>> y, f_jvp(1.0), f_jvp(10.0)
        (Array(9.), Array(6.), Array(60.))
    """
    check_callable(fun, "linearize")
    leaves, structure = tree.flatten(primals)
    values = _values(leaves, "linearize", primals)
    flat = Flat(fun, structure)
    outs, program, has_tangent = _quietly(linearize_flat, flat, values, name_of(fun))
    return flat.result(outs), LinearMap(flat, program, has_tangent, values, outs)


class Pullback:
    """The transposed derivative of a function at a point: cotangents of the result to cotangents of the arguments."""

    def __init__(self, flat: Flat, program: Jaxpr, has_tangent: Sequence[bool], primals: Sequence[Any],
                 outs: Sequence[Any]):
        self.flat, self.program, self.has_tangent = flat, program, has_tangent
        self.primals, self.outs = [typeof(p) for p in primals], [typeof(o) for o in outs[:flat.count]]

    def __call__(self, cotangent: Any) -> tuple:
        leaves, structure = tree.flatten(cotangent)
        _check_same("vjp: the cotangent must have the structure of the result", self.flat.out_tree, structure)
        paths = [tree.keystr(path) for path, _ in tree.leaves_with_path(cotangent)]
        cts = [_as_tangent(c, _like(o), "vjp: cotangent", f" at {p}" if p else "")
               for c, o, p in zip(leaves, self.outs, paths)]
        cts = [c for c, there in zip(cts, self.has_tangent) if there]
        found = _quietly(pull_back_program, self.program, cts)
        return tree.unflatten(self.flat.in_tree, [_from_tangent(c, _like(p)) for c, p in zip(found, self.primals)])

    def __repr__(self) -> str:
        return f"<pullback of {name_of(self.flat.fun)}>"


def vjp(fun: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """The value of a function at a point, and the map from cotangents of its result to those of its arguments.

    Returns:
        (result, pullback), and the auxiliary data if `has_aux`. The pullback takes a cotangent of the result's
        structure, shapes and dtypes, and returns a tuple with an entry for each argument; it may be called often.

    Raises:
        TypeError: (from the pullback) if the cotangent does not fit the result.

    Examples:
        >>> import diffeo as dx
        >>> y, pullback = vjp(lambda a, b: a * b, 2.0, 3.0)
        >>> pullback(1.0)
        (Array(3.), Array(2.))
    """
    check_callable(fun, "vjp")
    leaves, structure = tree.flatten(primals)
    values = _values(leaves, "vjp", primals)
    flat = Flat(fun, structure, has_aux)
    outs, program, has_tangent = _quietly(linearize_flat, flat, values, name_of(fun))
    if has_aux:
        program = Jaxpr(program.in_vars, program.eqns, program.outs[:sum(has_tangent[:flat.count])], name=program.name)
    pullback = Pullback(flat, program, has_tangent[:flat.count], values, outs)
    result = flat.result(outs)
    return (result, pullback, flat.aux(outs)) if has_aux else (result, pullback)


def linear_transpose(fun: Callable, *primals: Any) -> Callable:
    """The transpose of a function that is linear in all its arguments.

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
            raise with_user_line(TypeError(f"linear_transpose: linear in floating-point or complex arrays, got {aval}"))
    flat = Flat(fun, structure)
    program = stage(flat, avals, name_of(fun))
    outs = [_like(a) for a in program.out_avals]

    def transposed(cotangent: Any) -> tuple:
        cts, other = tree.flatten(cotangent)
        _check_same("linear_transpose: the cotangent must have the structure of the result", flat.out_tree, other)
        cts = [_as_tangent(c, o, "linear_transpose: cotangent", "") for c, o in zip(cts, outs)]
        try:
            found = _quietly(backward_pass, program, dict(zip(program.const_vars, program.consts)), cts)
        except NotImplementedError as error:
            raise with_user_line(TypeError(f"linear_transpose: {name_of(fun)} is not linear: {error}")) from None
        return tree.unflatten(structure, [_from_tangent(c, _like(a)) for c, a in zip(found, avals)])

    return transposed


# ---------------------------------------------------------------------------------------------------------------
# Gradients


def value_and_grad(fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False,
                   allow_int: bool = False) -> Callable:
    """A function that returns the value of a scalar function together with its gradient; arguments as in `grad`.

    Returns:
        A function with the arguments of `fun` that returns (value, gradient), or ((value, aux), gradient).

    Examples:
        >>> import diffeo as dx
        >>> value_and_grad(lambda x: x ** 3)(2.0)
        (Array(8.), Array(12.))
    """
    check_callable(fun, "grad")
    name = name_of(fun)

    @functools.wraps(fun, assigned=_WRAPPED)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        numbers = check_argnums(argnums, len(args), f"grad of {name}")
        chosen = tuple([args[n] for n in numbers])
        leaves, structure = tree.flatten(chosen)
        values = _values(leaves, f"grad of {name}", chosen)
        _check_differentiable(values, chosen, numbers, name, holomorphic, allow_int)

        def partial(*given: Any) -> Any:
            full = list(args)
            for n, value in zip(numbers, given):
                full[n] = value
            return fun(*full, **kwargs)

        flat = Flat(partial, structure, has_aux)
        value, found, outs = _quietly(_gradient, flat, values, name, holomorphic)
        gradient = tree.unflatten(structure, [_from_tangent(c, p) for c, p in zip(found, values)])
        gradient = gradient[0] if isinstance(argnums, int) else gradient
        return ((value, flat.aux(outs)), gradient) if has_aux else (value, gradient)

    return value_and_gradient


def _gradient(flat: Flat, values: Sequence[Any], name: str, holomorphic: bool) -> tuple[Any, list[Any], list[Any]]:
    outs, program, has_tangent = linearize_flat(flat, values, name)
    value = _check_scalar(flat, outs, name, holomorphic)
    if not has_tangent[0]:
        return value, [ZERO] * len(values), outs
    cts = [ZERO] * len(program.outs)
    cts[0] = full_like(value, 1)
    return value, pull_back_program(program, cts), outs


def _check_differentiable(values: Sequence[Any], chosen: Any, numbers: Sequence[int], name: str, holomorphic: bool,
                          allow_int: bool) -> None:
    for i, v in enumerate(values):
        dtype = v.dtype
        if dtype.kind == "f" and not holomorphic:
            continue
        if dtype.kind == "c" if holomorphic else is_inexact(dtype) or allow_int:
            continue
        path = tree.leaves_with_path(chosen)[i][0]
        where = f"argument {numbers[path[0].idx]}{tree.keystr(path[1:])}"
        if holomorphic:
            raise with_user_line(TypeError(
                f"grad of {name}: with holomorphic=True all inputs must be complex, {where} is {describe(v)}"))
        raise with_user_line(TypeError(
            f"grad of {name}: {where} is {describe(v)}, but derivatives are taken with respect to floating-point or "
            "complex numbers. Pass a float (1.0 instead of 1, x.astype(float)), or choose other arguments with argnums"))


def _check_scalar(flat: Flat, outs: Sequence[Any], name: str, holomorphic: bool) -> Any:
    if flat.count != 1 or not tree.treedef_is_leaf(flat.out_tree):
        shown = tree.unflatten(flat.out_tree, [typeof(o) for o in outs[:flat.count]])
        raise with_user_line(TypeError(
            f"grad of {name}: the function must return one scalar, got the tree {shown}; with auxiliary data, return "
            "(scalar, aux) and say has_aux=True"))
    value = as_value(outs[0])
    if value.shape:
        raise with_user_line(TypeError(
            f"grad of {name}: the function must return a scalar, got {describe(value)}. Reduce it (sum, mean), use "
            "dx.jacrev or dx.jacfwd for all derivatives, or dx.vmap(dx.grad(f)) if the rows are independent"))
    dtype = value.dtype
    if dtype.kind == "c" and not holomorphic:
        raise with_user_line(TypeError(
            f"grad of {name}: the function returned a complex number, {describe(value)}; take its real part or absolute "
            "value, or say holomorphic=True if the function is complex differentiable"))
    if not is_inexact(dtype):
        raise with_user_line(TypeError(
            f"grad of {name}: the function returned {describe(value)}; an integer or boolean has no derivative"))
    return value


def grad(fun: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False,
         allow_int: bool = False) -> Callable:
    """The gradient of a scalar function, by reverse mode.

    Args:
        fun: a function of arrays or trees that returns a scalar (or (scalar, aux) with `has_aux`).
        argnums: which positional arguments to differentiate by; for a tuple, the result is a tuple.
        has_aux: `fun` returns a pair; its second part is passed through.
        holomorphic: `fun` is complex differentiable, from complex to complex.
        allow_int: integer arguments are allowed; their gradient has dtype `dx.float0`.

    Returns:
        A function with the arguments of `fun` that returns the gradient (or (gradient, aux)), of the structure,
        shapes and dtypes of the chosen arguments. The gradient of a real function of complex numbers follows JAX's
        convention: its conjugate is the direction of steepest ascent.

    Raises:
        TypeError: (when called) for a result that is not a scalar, for integer arguments.
        ValueError: if `argnums` names arguments that are not there.

    Examples:
        >>> import diffeo as dx
        >>> grad(lambda x: dx.numpy.sum(x ** 2))(dx.numpy.array([1.0, 2.0]))
        Array([2., 4.])
    """
    both = value_and_grad(fun, argnums, has_aux, holomorphic, allow_int)

    @functools.wraps(fun, assigned=_WRAPPED)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def hvp(fun: Callable, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The product of the Hessian of a scalar function with a vector: forward over reverse, no Hessian is formed.

    Args:
        fun: a scalar function of arrays or trees.
        primals: its arguments, a tuple.
        tangents: the vector: an entry for each argument.

    Returns:
        A tree like the argument, for one argument; a tuple of them for several.

    Examples:
        >>> import diffeo as dx
        >>> hvp(lambda x: dx.numpy.sum(x ** 3), (dx.numpy.array([1.0, 2.0]),), (dx.numpy.array([1.0, 1.0]),))
        Array([ 6., 12.])
    """
    primals = _tuple(primals, "hvp: primals")
    argnums = tuple(range(len(primals)))
    return jvp(grad(fun, 0 if len(argnums) == 1 else argnums), primals, tangents)[1]

