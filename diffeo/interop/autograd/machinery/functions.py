"""Functions of the dialect: NumPy's, SciPy's and the user's, each with rules that may be given."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from ....primitives.array import Array
from ....primitives.core import Tracer
from ....trees import tree
from .opaque import Call, Rules
from .values import getval, has_traced, plain


def wrapped(plain_function: Callable, ours: Callable | None = None) -> Callable:
    """Return a function that takes numbers and traced values.

    Args:
        plain_function: the function of numbers.
        ours: the same function of traced values; None if only rules say what its derivative is.
            Rules that the user gives take its place.
    """
    rules = Rules()
    opaque = ours is None

    def function(*args: Any, **kwargs: Any) -> Any:
        if opaque or rules:
            if not any([isinstance(x, Tracer) for x in tree.leaves((args, kwargs))]):
                return plain_function(*args, **kwargs)
            if rules.constant:
                args, kwargs = tree.map(getval, (args, kwargs))
                return plain_function(*args, **kwargs)
            return Call(plain_function, rules, args, kwargs)()
        if has_traced(args) or (kwargs and has_traced(tuple(kwargs.values()))):
            out = ours(*args, **kwargs)  # pyright: ignore[reportOptionalCall]
            return plain(out) if type(out) is Array else out
        return plain_function(*args, **kwargs)

    try:
        update_wrapper(function, plain_function)
    except (AttributeError, TypeError, ValueError):  # a docstring of its own kind
        function.__name__ = getattr(plain_function, "__name__", "a function")
    function.fun, function.rules = plain_function, rules  # type: ignore[attr-defined]
    return function


def rules_of(function: Any, what: str) -> Rules:
    """Return the rules of a function of the dialect.

    Raises:
        TypeError: if it is another function.
    """
    rules = getattr(function, "rules", None)
    if not isinstance(rules, Rules):
        raise TypeError(
            f"{what}: expected a function made by `primitive`, or one of the dialect's numpy or "
            f"scipy, got {function!r}"
        )
    return rules
