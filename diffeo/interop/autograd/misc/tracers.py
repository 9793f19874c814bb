"""Programs that are traced once and run again: `const_graph`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ....api.jit import jit
from ....trees import tree
from ..machinery.values import plain


def const_graph(fun: Callable, *args: Any, **kwargs: Any) -> Callable:
    """Return a function that is traced at the first call, for all others too.

    It is diffeo's `jit`: shapes and dtypes may change, which traces it again, but Python's `if` and
    `while` cannot ask for the numbers.

    Args:
        fun: a function of arrays.
        *args: its first arguments.
        **kwargs: its keyword arguments.

    Examples:
        >>> from diffeo.interop.autograd import grad
        >>> from diffeo.interop.autograd.misc.tracers import const_graph
        >>> print(const_graph(grad(lambda x: x ** 3))(2.0))
        12.0
    """
    compiled = jit(partial(fun, *args, **kwargs))
    return lambda *rest: tree.map(plain, compiled(*rest))
