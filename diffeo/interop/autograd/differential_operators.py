"""The operators of autograd: derivatives of functions of many arguments, by their numbers.

Each takes `argnum`, an integer, or a tuple of integers where a tuple of derivatives is wanted. The
results are NumPy's arrays and scalars.
"""

from __future__ import annotations

import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from ...api.vmap import vmap
from .extend import defvjp_argnum, primitive, vspace
from .machinery.passes import make_jvp as _make_jvp
from .machinery.passes import make_vjp as _make_vjp
from .machinery.values import plain
from .wrap_util import unary_to_nary

make_vjp = unary_to_nary(_make_vjp)
make_jvp = unary_to_nary(_make_jvp)


def _of_one_number(what: str, ans: Any) -> None:
    if vspace(ans).size != 1:
        raise TypeError(
            f"{what} only applies to real scalar-output functions. "
            "Try jacobian, elementwise_grad or holomorphic_grad."
        )


@unary_to_nary
def grad(fun: Callable, x: Any) -> Any:
    """Return the function that computes the gradient by an argument.

    Args:
        fun: a function that returns one real number.
        argnum: the number of the argument, or a tuple of them; 0 by default.

    Raises:
        TypeError: (when called) if the result is not one real number.

    Examples:
        >>> from diffeo.interop.autograd import grad
        >>> from diffeo.interop.autograd import numpy as np
        >>> grad(lambda x: np.sum(np.sin(x)))(np.zeros(2))
        array([1., 1.])
    """
    vjp, ans = _make_vjp(fun, x)
    _of_one_number("Grad", ans)
    return vjp(vspace(ans).ones())


@unary_to_nary
def elementwise_grad(fun: Callable, x: Any) -> Any:
    """Return the function that computes the sums of the Jacobian's columns: the derivative of each
    element, where the Jacobian is diagonal.

    Args:
        fun: a function that returns a real array.
        argnum: the number of the argument, or a tuple of them; 0 by default.

    Raises:
        TypeError: (when called) if the result is complex.
    """
    vjp, ans = _make_vjp(fun, x)
    if vspace(ans).iscomplex:
        raise TypeError("Elementwise_grad only applies to real-output functions.")
    return vjp(vspace(ans).ones())


@unary_to_nary
def deriv(fun: Callable, x: Any) -> Any:
    """Return the function that computes the derivative along the vector of ones, in forward mode.

    Args:
        fun: a function of an array.
        argnum: the number of the argument, or a tuple of them; 0 by default.
    """
    return _make_jvp(fun, x)(vspace(x).ones())[1]


@unary_to_nary
def jacobian(fun: Callable, x: Any) -> Any:
    """Return the function that computes the Jacobian, in reverse mode, all rows at once.

    Args:
        fun: a function of one array that returns one array.
        argnum: the number of the argument, or a tuple of them for a stack of Jacobians of
            arguments of one shape; 0 by default.

    Returns:
        The function; its result has the shape of the result of `fun`, then that of the argument.
    """
    vjp, ans = _make_vjp(fun, x)
    space = vspace(ans)
    basis = list(space.standard_basis())
    if not basis:
        return np.zeros(space.shape + np.shape(x))
    rows = plain(vmap(vjp)(np.stack(basis)) if len(basis) > 1 else vjp(basis[0]))
    return np.reshape(rows, space.shape + vspace(x).shape)


@unary_to_nary
def holomorphic_grad(fun: Callable, x: Any) -> Any:
    """Return the function that computes the derivative of a holomorphic function.

    Args:
        fun: a function of complex numbers that returns one.
        argnum: the number of the argument, or a tuple of them; 0 by default.
    """
    if not vspace(x).iscomplex:
        warnings.warn("Input to holomorphic_grad is not complex", stacklevel=2)
    return grad(lambda y: np.real(fun(y)))(x)


def grad_named(fun: Callable, argname: str) -> Callable:
    """Return the function that computes the gradient by an argument, which is given by its name.

    Args:
        fun: a function that returns one real number.
        argname: the name of one of its positional arguments.

    Raises:
        ValueError: if there is none of that name.
    """
    names = list(inspect.signature(fun).parameters)
    if argname not in names:
        raise ValueError(f"grad_named: expected one of {', '.join(names)}, got {argname!r}")
    return grad(fun, names.index(argname))


@unary_to_nary
def hessian(fun: Callable, x: Any) -> Any:
    """Return the function that computes the Hessian.

    Args:
        fun: a function of an array that returns one real number.
        argnum: the number of the argument; 0 by default.

    Examples:
        >>> from diffeo.interop.autograd import hessian
        >>> from diffeo.interop.autograd import numpy as np
        >>> hessian(lambda x: np.prod(x))(np.array([2.0, 3.0]))
        array([[0., 1.],
               [1., 0.]])
    """
    return jacobian(jacobian(fun))(x)


@unary_to_nary
def make_hvp(fun: Callable, x: Any) -> Any:
    """Return the function that computes, at a point, (map from a vector to the Hessian times the
    vector, gradient).

    Args:
        fun: a function that returns one real number.
        argnum: the number of the argument; 0 by default.
    """
    return _make_vjp(grad(fun), x)


def hessian_tensor_product(fun: Callable, argnum: int = 0) -> Callable:
    """Return a function of (arguments, tensor) that computes the Hessian times the tensor.

    Args:
        fun: a function that returns one real number.
        argnum: the number of the argument.
    """
    fun_grad = grad(fun, argnum)

    def along(*args: Any, **kwargs: Any) -> Any:
        *point, vector = args
        return np.tensordot(fun_grad(*point, **kwargs), vector, np.ndim(vector))

    return grad(along, argnum)


hessian_vector_product = hessian_tensor_product


def tensor_jacobian_product(fun: Callable, argnum: int = 0) -> Callable:
    """Return a function of (arguments, tensor) that computes the tensor times the Jacobian.

    Args:
        fun: a function that returns an array.
        argnum: the number of the argument.
    """

    def along(*args: Any, **kwargs: Any) -> Any:
        *point, vector = args
        return np.tensordot(vector, fun(*point, **kwargs), axes=np.ndim(vector))

    return jacobian(along, argnum)


vector_jacobian_product = tensor_jacobian_product


@unary_to_nary
def make_jvp_reversemode(fun: Callable, x: Any) -> Callable:
    """Return the function that computes, at a point, the map from a vector to the Jacobian times
    the vector, by reverse mode of reverse mode.

    Args:
        fun: a function of arrays.
        argnum: the number of the argument; 0 by default.
    """
    vjp, y = _make_vjp(fun, x)
    return _make_vjp(vjp, vspace(y).zeros())[0]


def _half_square(x: Any) -> Any:
    return np.sum(x**2, axis=-1) / 2


def make_ggnvp(f: Callable, g: Callable = _half_square, f_argnum: int = 0) -> Callable:
    """Return the function that computes, at a point, the map from a vector to the generalised
    Gauss-Newton matrix of `g` after `f` times the vector.

    Args:
        f: a function that returns an array.
        g: a convex function of that array that returns one number.
        f_argnum: the number of the argument of `f`.
    """

    @unary_to_nary
    def at_point(fun: Callable, x: Any) -> Callable:
        pull, y = _make_vjp(fun, x)
        curve, _ = _make_vjp(grad(g), y)
        push = _make_jvp(fun, x)
        return lambda v: pull(curve(push(v)[1]))

    return at_point(f, f_argnum)


@unary_to_nary
def value_and_grad(fun: Callable, x: Any) -> tuple:
    """Return the function that computes (value, gradient by an argument).

    Args:
        fun: a function that returns one real number.
        argnum: the number of the argument, or a tuple of them; 0 by default.

    Raises:
        TypeError: (when called) if the result is not one real number.
    """
    vjp, ans = _make_vjp(fun, x)
    _of_one_number("value_and_grad", ans)
    return ans, vjp(vspace(ans).ones())


@unary_to_nary
def grad_and_aux(fun: Callable, x: Any) -> tuple:
    """Return the function that computes (gradient of the first result, the second result).

    Args:
        fun: a function that returns a pair: one real number, and anything made of arrays.
        argnum: the number of the argument, or a tuple of them; 0 by default.
    """
    vjp, (ans, aux) = _make_vjp(lambda y: tuple(fun(y)), x)
    return vjp((vspace(ans).ones(), vspace(aux).zeros())), aux


def multigrad_dict(fun: Callable) -> Callable:
    """Return the function that computes the gradients by all arguments, as a dictionary of their
    names.

    Args:
        fun: a function that returns one real number.

    Examples:
        >>> from diffeo.interop.autograd import multigrad_dict
        >>> dict(multigrad_dict(lambda a, b: a * b)(2.0, 3.0))
        {'a': np.float64(3.0), 'b': np.float64(2.0)}
    """
    signature = inspect.signature(fun)

    def gradfun(*args: Any, **kwargs: Any) -> OrderedDict:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        names = list(bound.arguments)

        def of_dict(values: dict) -> Any:
            given = inspect.BoundArguments(signature, OrderedDict(values))
            return fun(*given.args, **given.kwargs)

        gradients = grad(of_dict)(dict(bound.arguments))
        return OrderedDict([(name, gradients[name]) for name in names])

    return gradfun


def checkpoint(fun: Callable) -> Callable:
    """Return the function whose intermediate values are not kept for the backward pass, but
    computed again.

    Args:
        fun: a function of its positional arguments alone.
    """
    wrapped = primitive(fun)

    def again(argnum: int, ans: Any, args: Any, kwargs: Any) -> Callable:
        return make_vjp(fun, argnum)(*args, **kwargs)[0]

    defvjp_argnum(wrapped, again)
    return wrapped
