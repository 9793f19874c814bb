"""Functions with derivatives of one's own: `primitive` and its rules, and vector spaces.

A function made by `primitive` is called with NumPy's arrays, and may do anything with them. The
rules are those of autograd: `defvjp(f, lambda ans, *args: lambda g: ...)` for reverse mode,
`defjvp(f, lambda g, ans, *args: ...)` for forward mode. One of them is enough for both modes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count
from typing import Any

from .machinery.functions import rules_of
from .machinery.functions import wrapped as _wrapped
from .machinery.tracing import Box, JVPNode, VJPNode
from .machinery.values import getval
from .machinery.vspaces import VSpace, vspace
from .util import subval
from .wrap_util import wraps

__all__ = [
    "Box", "JVPNode", "VJPNode", "VSpace", "def_linear", "defjvp", "defjvp_argnum",
    "defjvp_argnums", "defvjp", "defvjp_argnum", "defvjp_argnums", "notrace_primitive",
    "primitive", "register_notrace", "vspace",
]  # fmt: skip


def primitive(f_raw: Callable) -> Callable:
    """Make a function one that derivatives do not look into.

    It is called with NumPy's arrays, also while a derivative is taken. Traced values are found in
    its positional arguments, in lists, tuples and dicts too.

    Args:
        f_raw: any function of arrays.

    Raises:
        NotImplementedError: (when it is differentiated) if there is no rule.

    Examples:
        >>> from diffeo.interop.autograd import grad
        >>> from diffeo.interop.autograd.extend import defvjp, primitive
        >>> @primitive
        ... def cube(x):
        ...     return x ** 3
        >>> defvjp(cube, lambda ans, x: lambda g: g * 3 * x ** 2)
        >>> print(grad(cube)(2.0), grad(grad(cube))(2.0))
        12.0 12.0
    """
    function: Any = _wrapped(f_raw)
    function.defgrad = partial(_defgrad, function, {})
    function.defvjp = partial(_defvjp_unstaged, function, {})
    function.defvjp_is_zero = partial(_defvjp_is_zero, function)
    return function


def _defgrad(function: Callable, known: dict, gradfun: Callable, argnum: int = 0) -> None:
    """Give a function a rule for an argument, as autograd did before `defvjp`."""
    _deprecated("defgrad")
    known[argnum] = gradfun
    defvjp(function, *known.values(), argnums=list(known))


def _defvjp_unstaged(function: Callable, known: dict, vjp: Callable, argnum: int = 0) -> None:
    """Give a function a rule `vjp(g, ans, space, space of g, *args)`, as autograd did once."""
    _deprecated("defvjp")

    def staged(ans: Any, *args: Any, **kwargs: Any) -> Callable:
        return lambda g: vjp(g, ans, vspace(args[argnum]), vspace(g), *args, **kwargs)

    known[argnum] = staged
    defvjp(function, *known.values(), argnums=list(known))


def _defvjp_is_zero(function: Callable, argnums: Sequence[int] = (0,)) -> None:
    """Say that a function has no derivative by some arguments, as autograd did once."""
    _deprecated("defvjp_is_zero")
    defvjp(function, *[None for _ in argnums], argnums=argnums)


def _deprecated(name: str) -> None:
    what = f"The {name} method is deprecated, in autograd too: use autograd.extend.defvjp"
    warnings.warn(what, stacklevel=3)


def notrace_primitive(f_raw: Callable) -> Callable:
    """Make a function one that is called with bare numbers, and has no derivative.

    Args:
        f_raw: a function of arrays.

    Examples:
        >>> from diffeo.interop.autograd import grad
        >>> from diffeo.interop.autograd.extend import notrace_primitive
        >>> grad(lambda x: x * notrace_primitive(round)(x))(1.6)
        np.float64(2.0)
    """

    @wraps(f_raw)
    def with_numbers(*args: Any, **kwargs: Any) -> Any:
        return f_raw(*map(getval, args), **kwargs)

    return with_numbers


def register_notrace(trace_type: Any, primitive_fun: Callable) -> None:
    """Say that a function has no derivative: it is called with bare numbers.

    Args:
        trace_type: `VJPNode` or `JVPNode`; it holds for both.
        primitive_fun: a function made by `primitive`, or of `autograd.numpy`.
    """
    rules_of(primitive_fun, "register_notrace").constant = True


def defvjp_argnums(fun: Callable, vjpmaker: Callable) -> None:
    """Give a function its rule for reverse mode, for all arguments at once.

    Args:
        fun: a function made by `primitive`, or of `autograd.numpy`.
        vjpmaker: `vjpmaker(argnums, ans, args, kwargs)` returns a function from the cotangent of
            the result to a sequence of those of these arguments.

    Raises:
        TypeError: if `fun` is another function.
    """
    rules_of(fun, "defvjp_argnums").vjp = vjpmaker


def defvjp_argnum(fun: Callable, vjpmaker: Callable) -> None:
    """Give a function its rule for reverse mode, for any one argument.

    Args:
        fun: a function made by `primitive`, or of `autograd.numpy`.
        vjpmaker: `vjpmaker(argnum, ans, args, kwargs)` returns a function from the cotangent of the
            result to that of the argument.

    Raises:
        TypeError: if `fun` is another function.
    """

    def each(argnums: tuple[int, ...], ans: Any, args: Any, kwargs: Any) -> Callable:
        pulls = [vjpmaker(n, ans, args, kwargs) for n in argnums]
        return lambda g: [pull(g) for pull in pulls]

    rules_of(fun, "defvjp_argnum").vjp = each


def defvjp(
    fun: Callable, *vjpmakers: Callable | None, argnums: Iterable[int] | None = None
) -> None:
    """Give a function its rule for reverse mode, argument by argument.

    Args:
        fun: a function made by `primitive`, or of `autograd.numpy`.
        *vjpmakers: for each argument `vjpmaker(ans, *args, **kwargs)`, which returns a function
            from the cotangent of the result to that of the argument; None if that is zero.
        argnums: which arguments these are; by default the first ones.

    Raises:
        TypeError: if `fun` is another function, or a maker cannot be called.
        NotImplementedError: (when differentiated) for an argument without a maker.
    """
    makers = dict(zip(count() if argnums is None else argnums, vjpmakers))
    name = _check_makers("VJP", fun, makers, ())

    def each(argnum: int, ans: Any, args: Any, kwargs: Any) -> Callable:
        if argnum not in makers:
            raise NotImplementedError(f"VJP of {name} wrt argnum {argnum} not defined")
        maker = makers[argnum]
        if maker is None:
            return lambda g: vspace(args[argnum]).zeros()
        return maker(ans, *args, **kwargs)

    defvjp_argnum(fun, each)


def defjvp_argnums(fun: Callable, jvpmaker: Callable) -> None:
    """Give a function its rule for forward mode, for all arguments at once.

    Args:
        fun: a function made by `primitive`, or of `autograd.numpy`.
        jvpmaker: `jvpmaker(argnums, tangents, ans, args, kwargs)` returns the tangent of the
            result.

    Raises:
        TypeError: if `fun` is another function.
    """
    rules_of(fun, "defjvp_argnums").jvp = jvpmaker


def defjvp_argnum(fun: Callable, jvpmaker: Callable) -> None:
    """Give a function its rule for forward mode, for any one argument.

    Args:
        fun: a function made by `primitive`, or of `autograd.numpy`.
        jvpmaker: `jvpmaker(argnum, tangent, ans, args, kwargs)` returns the tangent of the result
            as far as the argument moves it.

    Raises:
        TypeError: if `fun` is another function.
    """

    def summed(argnums: Any, tangents: Any, ans: Any, args: Any, kwargs: Any) -> Any:
        space = vspace(ans)
        total = None
        for n, t in zip(argnums, tangents):
            part = jvpmaker(n, t, ans, args, kwargs)
            total = part if total is None else space.add(total, part)
        return total

    rules_of(fun, "defjvp_argnum").jvp = summed


def defjvp(fun: Callable, *jvpfuns: Any, argnums: Iterable[int] | None = None) -> None:
    """Give a function its rule for forward mode, argument by argument.

    Args:
        fun: a function made by `primitive`, or of `autograd.numpy`.
        *jvpfuns: for each argument `jvpfun(tangent, ans, *args, **kwargs)`, which returns the
            tangent of the result; "same" if the function is linear in it; None if it is zero.
        argnums: which arguments these are; by default the first ones.

    Raises:
        TypeError: if `fun` is another function, or a rule is none of these.
        NotImplementedError: (when differentiated) for an argument without a rule.
    """
    makers = dict(zip(count() if argnums is None else argnums, jvpfuns))
    name = _check_makers("JVP", fun, makers, ("same",))

    def each(argnum: int, tangent: Any, ans: Any, args: Any, kwargs: Any) -> Any:
        if argnum not in makers:
            raise NotImplementedError(f"JVP of {name} wrt argnum {argnum} not defined")
        maker = makers[argnum]
        if maker is None:
            return vspace(ans).zeros()
        if maker == "same":
            return fun(*subval(args, argnum, tangent), **kwargs)
        return maker(tangent, ans, *args, **kwargs)

    defjvp_argnum(fun, each)


def def_linear(fun: Callable) -> None:
    """Say that a function is linear in each of its arguments.

    Args:
        fun: a function made by `primitive`, or of `autograd.numpy`.
    """
    defjvp_argnum(fun, lambda n, t, ans, args, kwargs: fun(*subval(args, n, t), **kwargs))


def _check_makers(kind: str, fun: Callable, makers: dict[int, Any], words: tuple) -> str:
    name = getattr(fun, "__name__", "a function")
    for maker in makers.values():
        if not (maker is None or callable(maker) or maker in words):
            raise TypeError(f"Bad {kind} '{maker}' for '{name}': expected a function or None")
    return name
