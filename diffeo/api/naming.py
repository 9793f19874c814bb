"""Names for parts of a program: named_scope, named_call.

An equation of a program has a source, the user's line that it comes from. A scope adds its name to
the sources of all equations that are written while the scope is open.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any

from ..primitives.core import describe, state, with_user_line
from ..primitives.jaxpr import ScopedSource
from ..primitives.staging import StagingTrace
from ..trees.arguments import WRAPPED, check_callable, name_of


class named_scope(ContextDecorator):
    """A context manager, and a decorator, that names a part of a program.

    Printed programs show the name at each operation, with the names of the scopes around.

    Args:
        name: the name, a string.

    Raises:
        TypeError: for a name that is no string.

    Examples:
        >>> import diffeo as dx
        >>> def f(x):
        ...     with named_scope("layer"):
        ...         return dx.numpy.sin(x)
        >>> "layer" in str(dx.make_jaxpr(f)(1.0))
        True
    """

    def __init__(self, name: str):
        if not isinstance(name, str):
            raise with_user_line(
                TypeError(f"named_scope: the name must be a string, got {describe(name)}")
            )
        self.name = name
        #: For each open block: the traces that write programs, and how many equations each had.
        self.entered: list[list[tuple[StagingTrace, int]]] = []

    def _recreate_cm(self) -> named_scope:
        return named_scope(self.name)  # one for each call of a decorated function

    def __enter__(self) -> named_scope:
        # Operations may be recorded by any trace around, as transformations hand them on.
        marks = []
        trace = state.trace
        while trace is not None:
            if isinstance(trace, StagingTrace):
                marks.append((trace, len(trace.eqns)))
            trace = trace.parent
        self.entered.append(marks)
        return self

    def __exit__(self, *error: Any) -> None:
        for trace, start in self.entered.pop():
            for eqn in trace.eqns[start:]:
                eqn.source = ScopedSource.within(self.name, eqn.source)


def named_call(fun: Callable, *, name: str | None = None) -> Callable:
    """Return a function whose calls are in a `named_scope`, so that printed programs name its
    operations.

    Args:
        fun: the function.
        name: the name; by default the function's.

    Raises:
        TypeError: for a name that is no string.

    Examples:
        >>> import diffeo as dx
        >>> f = named_call(lambda x: dx.numpy.sin(x), name="layer")
        >>> f(0.0), "layer" in str(dx.make_jaxpr(f)(1.0))
        (Array(0.), True)
    """
    check_callable(fun, "named_call")
    scope = named_scope(name_of(fun) if name is None else name)

    @functools.wraps(fun, assigned=WRAPPED)
    def named(*args: Any, **kwargs: Any) -> Any:
        with scope._recreate_cm():
            return fun(*args, **kwargs)

    return named
