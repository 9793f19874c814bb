"""The current trace, replaced for a while."""

from __future__ import annotations

from typing import Any

from ..primitives.core import Trace, state


class installed:
    """Make a trace the current one within a `with` statement.

    Afterwards the trace and the source line are what they were before, whatever happens. The paths
    that every operation takes do the same by hand, which costs less.

    Args:
        trace: the trace to which `bind` hands primitives.

    Examples:
        >>> from diffeo.primitives.core import state
        >>> before = state.trace
        >>> with installed(type(state).trace) as trace:
        ...     state.trace is trace
        True
        >>> state.trace is before
        True
    """

    __slots__ = ("before", "trace")

    def __init__(self, trace: Trace):
        self.trace = trace

    def __enter__(self) -> Any:
        self.before = state.trace, state.source
        state.trace = self.trace
        return self.trace

    def __exit__(self, *_: object) -> None:
        state.trace, state.source = self.before
