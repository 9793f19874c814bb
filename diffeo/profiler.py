"""XLA's profiler: where the time and the memory of compiled programs go.

What `trace` records can be looked at with TensorBoard's profiler or with Perfetto, what
`device_memory_profile` returns with pprof.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ._loading import Late as _Late
from .lowering.profiling import (
    ProfileData,
    ProfileEvent,
    ProfileLine,
    ProfileOptions,
    ProfilePlane,
    TraceMe,
    memory_profile,
    recorder,
)
from .lowering.profiling import register_subprocess as _register_subprocess

__all__ = [
    "ProfileData", "ProfileEvent", "ProfileLine", "ProfileOptions", "ProfilePlane",
    "StepTraceAnnotation", "TraceAnnotation", "annotate_function", "device_memory_profile",
    "register_subprocess", "save_device_memory_profile", "start_server", "start_trace",
    "stop_server", "stop_trace", "trace",
]  # fmt: skip

#: Whether the trace that is being recorded is to be written for Perfetto, too.
_for_perfetto = False

__getattr__ = _Late(__name__, "").load


def start_trace(
    log_dir: str | os.PathLike[str],
    create_perfetto_link: bool = False,
    create_perfetto_trace: bool = False,
    profiler_options: Any = None,
) -> None:
    """Begin to record what happens in this process and on its devices.

    Args:
        log_dir: the folder for the record, that of TensorBoard.
        create_perfetto_link: refused: it would need a server; take `create_perfetto_trace` and
            open the file at https://ui.perfetto.dev.
        create_perfetto_trace: write `perfetto_trace.json.gz`, too.
        profiler_options: a `ProfileOptions`, how to collect.

    Raises:
        RuntimeError: if something is being recorded already.
        NotImplementedError: for `create_perfetto_link`.
    """
    global _for_perfetto
    if create_perfetto_link:
        raise NotImplementedError(
            "start_trace: create_perfetto_link would serve the file from this process: take "
            "create_perfetto_trace=True and open the file at https://ui.perfetto.dev"
        )
    recorder.start(os.fspath(log_dir), profiler_options)
    _for_perfetto = create_perfetto_trace


def stop_trace() -> None:
    """End recording, and write the record into the folder that `start_trace` was given.

    Raises:
        RuntimeError: if nothing is being recorded.
    """
    folder = recorder.stop()
    if _for_perfetto:
        _write_for_perfetto(Path(folder))


def _write_for_perfetto(folder: Path) -> None:
    """Write the newest trace of a folder without what Perfetto does not read."""
    latest = max((folder / "plugins" / "profile").iterdir(), key=os.path.getmtime)
    [written] = latest.glob("*.trace.json.gz")
    with gzip.open(written) as file:
        events = json.load(file)
    events.pop("metadata", None)
    with gzip.open(latest / "perfetto_trace.json.gz", "wt") as file:
        json.dump(events, file)


@contextlib.contextmanager
def trace(
    log_dir: str | os.PathLike[str],
    create_perfetto_link: bool = False,
    create_perfetto_trace: bool = False,
    profiler_options: Any = None,
) -> Iterator[None]:
    """Record what happens within a `with` block. Arguments as `start_trace` has.

    Examples:
        >>> import os, tempfile
        >>> import diffeo as dx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with dx.profiler.trace(folder):
        ...         y = dx.jit(dx.numpy.sin)(1.0).block_until_ready()
        ...     os.listdir(folder)
        ['plugins']
    """
    start_trace(log_dir, create_perfetto_link, create_perfetto_trace, profiler_options)
    try:
        yield
    finally:
        stop_trace()


class TraceAnnotation(TraceMe):
    """A `with` block that has a name on the record.

    Args:
        name: the name.
        kwargs: what else the record is to say of it.

    Examples:
        >>> import diffeo as dx
        >>> with dx.profiler.TraceAnnotation("loading"):
        ...     pass
    """


class StepTraceAnnotation(TraceAnnotation):
    """A `with` block that is one step of training on the record: times are told by steps.

    Args:
        name: the name.
        kwargs: what else the record is to say; `step_num=` is the number of the step.

    Examples:
        >>> import diffeo as dx
        >>> for i in range(2):
        ...     with dx.profiler.StepTraceAnnotation("train", step_num=i):
        ...         pass
    """

    def __init__(self, name: str, **kwargs: Any):
        super().__init__(name, _r=1, **kwargs)


def annotate_function(
    func: Callable | None = None, name: str | None = None, **decorator_kwargs: Any
) -> Callable:
    """Return a function whose calls have a name on the record; also a decorator.

    Args:
        func: the function; without it, a decorator is returned.
        name: the name; by default the function's.
        decorator_kwargs: what else the record is to say of a call.

    Examples:
        >>> import diffeo as dx
        >>> @dx.profiler.annotate_function
        ... def f(x):
        ...     return 2 * x
        >>> f(3)
        6
    """
    if func is None:
        return functools.partial(annotate_function, name=name, **decorator_kwargs)
    label = name or getattr(func, "__qualname__", None) or type(func).__name__

    @functools.wraps(func)
    def annotated(*args: Any, **kwargs: Any) -> Any:
        with TraceAnnotation(label, **decorator_kwargs):
            return func(*args, **kwargs)

    return annotated


def start_server(port: int, requires_backend: bool = True) -> Any:
    """Start a server of which TensorBoard can ask for records of this process.

    Args:
        port: where it listens.
        requires_backend: start the devices first, so that they are recorded.

    Returns:
        The server, which lives until `stop_server`.

    Raises:
        ValueError: if there is one already.
    """
    return recorder.serve(port, requires_backend)


def stop_server() -> None:
    """Stop the server.

    Raises:
        ValueError: if there is none.
    """
    recorder.end_serving()


def register_subprocess(pid: int, port: int) -> Callable[[], None]:
    """Have records of this process hold those of another, too, whose server listens on a port.

    Returns:
        A function that ends it.

    Raises:
        RuntimeError: if the other does not answer, or is registered already.
    """
    return _register_subprocess(pid, port)


def device_memory_profile(backend: str | None = None) -> bytes:
    """Return which arrays and programs take memory, and where they were made.

    Args:
        backend: "cpu", "cuda" ...; None: the default platform.

    Returns:
        The bytes of a file for pprof.

    Raises:
        RuntimeError: if there is no such platform.

    Examples:
        >>> import diffeo as dx
        >>> dx.profiler.device_memory_profile()[:2]  # gzip's mark
        b'\\x1f\\x8b'
    """
    return memory_profile(backend)


def save_device_memory_profile(
    filename: str | os.PathLike[str], backend: str | None = None
) -> None:
    """Write what `device_memory_profile` returns into a file."""
    Path(filename).write_bytes(device_memory_profile(backend))
