"""Functions of one argument as functions of many, of which one or several are chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .util import subvals


def wraps(
    fun: Callable, namestr: str = "{fun}", docstr: str = "{doc}", **kwargs: Any
) -> Callable[[Callable], Callable]:
    """Return a decorator that gives a function the name and the docstring of another.

    Args:
        fun: the function that is wrapped.
        namestr: the new name; `{fun}` stands for that of `fun`.
        docstr: the new docstring; `{doc}` stands for that of `fun`.
        **kwargs: what other words in braces stand for.
    """

    def named(f: Callable) -> Callable:
        words = {"fun": get_name(fun), "doc": get_doc(fun), **kwargs}
        f.__name__, f.__doc__ = namestr.format(**words), docstr.format(**words)
        return f

    return named


def get_name(f: Any) -> str:
    """Return the name of a function, or a text that stands for one.

    Args:
        f: anything that is called.
    """
    return getattr(f, "__name__", "[unknown name]")


def get_doc(f: Any) -> str:
    """Return the docstring of a function, which may be empty.

    Args:
        f: anything that is called.
    """
    return getattr(f, "__doc__", None) or ""


def unary_to_nary(unary_operator: Callable) -> Callable:
    """Make an operator on functions of one argument one on functions of many.

    Args:
        unary_operator: `unary_operator(fun, x, *options)`.

    Returns:
        `operator(fun, argnum=0, *options)`, which returns a function of the arguments of `fun`. For
        a tuple or list of numbers, `x` is the tuple of these arguments.

    Examples:
        >>> from diffeo.interop.autograd.wrap_util import unary_to_nary
        >>> twice = unary_to_nary(lambda f, x: f(2 * x))
        >>> twice(lambda a, b: (a, b), 1)(1, 2)
        (1, 4)
    """

    @wraps(unary_operator)
    def nary_operator(fun: Callable, argnum: Any = 0, *options: Any, **named: Any) -> Callable:
        if type(argnum) not in (int, tuple, list):
            raise TypeError(
                f"{get_name(unary_operator)}: argnum is an integer, or a tuple or list of "
                f"integers, got {argnum!r}"
            )
        of_one = isinstance(argnum, int)

        def nary_f(*args: Any, **kwargs: Any) -> Any:
            def unary_f(x: Any) -> Any:
                chosen = [(argnum, x)] if of_one else zip(argnum, x)
                return fun(*subvals(args, chosen), **kwargs)

            unary_f.__name__ = get_name(fun)
            x = args[argnum] if of_one else tuple([args[n] for n in argnum])
            return unary_operator(unary_f, x, *options, **named)

        doc = f"The {get_name(unary_operator)} of {{fun}} by argument {argnum}, a function of the "
        return wraps(
            fun,
            f"{get_name(unary_operator)}_of_{{fun}}_wrt_argnum_{argnum}",
            doc + "same arguments.",
        )(nary_f)

    return nary_operator
