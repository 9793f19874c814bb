"""Events and figures for listeners, such as one that sends them to a dashboard.

A program records events by name; each listener of that kind is called with them, in the order in
which they were registered. diffeo itself records, by the names that jax gives them, the seconds of
tracing (`/jax/core/compile/jaxpr_trace_duration`), of lowering
(`/jax/core/compile/jaxpr_to_mlir_module_duration`) and of compiling
(`/jax/core/compile/backend_compile_duration`), each with `fun_name=`.
"""

from __future__ import annotations

from collections.abc import Callable

from .engine.listeners import (
    DURATIONS,
    EVENTS,
    SCALARS,
    TIME_SPANS,
    record_event,
    record_event_duration_secs,
    record_event_time_span,
    record_scalar,
)

__all__ = [
    "clear_event_listeners", "record_event", "record_event_duration_secs",
    "record_event_time_span", "record_scalar", "register_event_duration_secs_listener",
    "register_event_listener", "register_event_time_span_listener", "register_scalar_listener",
    "unregister_event_duration_listener", "unregister_event_listener",
    "unregister_event_time_span_listener", "unregister_scalar_listener",
]  # fmt: skip


def _register(listeners: list[Callable], callback: Callable) -> None:
    if not callable(callback):
        raise TypeError(f"a listener is a function, got {callback!r}")
    listeners.append(callback)


def _unregister(listeners: list[Callable], callback: Callable) -> None:
    if callback not in listeners:
        raise ValueError(f"{callback!r} is not a listener of this kind: register it first")
    listeners.remove(callback)


def register_event_listener(callback: Callable[..., None]) -> None:
    """Have `callback(event, **kwargs)` called by every `record_event`.

    Raises:
        TypeError: if it cannot be called.

    Examples:
        >>> from diffeo import monitoring
        >>> monitoring.register_event_listener(lambda event, **kwargs: print(event, kwargs))
        >>> monitoring.record_event("/my/event", step=3)
        /my/event {'step': 3}
        >>> monitoring.clear_event_listeners()
    """
    _register(EVENTS, callback)


def register_event_duration_secs_listener(callback: Callable[..., None]) -> None:
    """Have `callback(event, seconds, **kwargs)` called by every `record_event_duration_secs`.

    Raises:
        TypeError: if it cannot be called.
    """
    _register(DURATIONS, callback)


def register_event_time_span_listener(callback: Callable[..., None]) -> None:
    """Have `callback(event, start, end, **kwargs)` called by every `record_event_time_span`.

    Raises:
        TypeError: if it cannot be called.
    """
    _register(TIME_SPANS, callback)


def register_scalar_listener(callback: Callable[..., None]) -> None:
    """Have `callback(event, value, **kwargs)` called by every `record_scalar`.

    Raises:
        TypeError: if it cannot be called.
    """
    _register(SCALARS, callback)


def unregister_event_listener(callback: Callable[..., None]) -> None:
    """Take a listener of events away.

    Raises:
        ValueError: if it is none.
    """
    _unregister(EVENTS, callback)


def unregister_event_duration_listener(callback: Callable[..., None]) -> None:
    """Take a listener of durations away.

    Raises:
        ValueError: if it is none.
    """
    _unregister(DURATIONS, callback)


def unregister_event_time_span_listener(callback: Callable[..., None]) -> None:
    """Take a listener of spans of time away.

    Raises:
        ValueError: if it is none.
    """
    _unregister(TIME_SPANS, callback)


def unregister_scalar_listener(callback: Callable[..., None]) -> None:
    """Take a listener of numbers away.

    Raises:
        ValueError: if it is none.
    """
    _unregister(SCALARS, callback)


def clear_event_listeners() -> None:
    """Take all listeners away."""
    for listeners in (EVENTS, DURATIONS, TIME_SPANS, SCALARS):
        listeners.clear()
