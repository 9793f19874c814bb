"""Who listens to what happens, and how it is told. Public as `diffeo.monitoring`."""

from __future__ import annotations

from collections.abc import Callable

#: The listeners of each kind of event, in the order in which they are called.
EVENTS: list[Callable[..., None]] = []
DURATIONS: list[Callable[..., None]] = []
TIME_SPANS: list[Callable[..., None]] = []
SCALARS: list[Callable[..., None]] = []

#: What a compiled function records: jax's names, so that its listeners know them.
TRACING, LOWERING, COMPILING = (
    f"/jax/core/compile/{what}_duration"
    for what in ("jaxpr_trace", "jaxpr_to_mlir_module", "backend_compile")
)


def record_event(event: str, **kwargs: str | int) -> None:
    """Tell the listeners that an event has happened.

    Args:
        event: its name, as "/my/library/event".
        kwargs: what else is to be said of it.
    """
    for listener in [*EVENTS]:
        listener(event, **kwargs)


def record_event_duration_secs(event: str, duration: float, **kwargs: str | int) -> None:
    """Tell the listeners how many seconds something took.

    Args:
        event: its name.
        duration: seconds.
        kwargs: what else is to be said of it.
    """
    for listener in [*DURATIONS]:
        listener(event, duration, **kwargs)


def record_event_time_span(
    event: str, start_time: float, end_time: float, **kwargs: str | int
) -> None:
    """Tell the listeners when something began and ended.

    Args:
        event: its name.
        start_time, end_time: seconds, as `time.time()` has them.
        kwargs: what else is to be said of it.
    """
    for listener in [*TIME_SPANS]:
        listener(event, start_time, end_time, **kwargs)


def record_scalar(event: str, value: float | int, **kwargs: str | int) -> None:
    """Tell the listeners a number.

    Args:
        event: its name.
        value: the number.
        kwargs: what else is to be said of it.
    """
    for listener in [*SCALARS]:
        listener(event, value, **kwargs)
