"""XLA's profiler: sessions that record what happens in this process, and marks on the record."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from typing import Any

from jaxlib import _profile_data, _profiler  # type: ignore[attr-defined]

from . import compat
from .devices import devices

_data: Any = _profile_data
_xla: Any = _profiler

#: How a session collects; the attributes are XLA's.
ProfileOptions: Any = _xla.ProfileOptions
#: What was recorded: planes, of lines, of events.
ProfileData: Any = _data.ProfileData
ProfilePlane: Any = _data.ProfilePlane
ProfileLine: Any = _data.ProfileLine
ProfileEvent: Any = _data.ProfileEvent
#: A mark on the record, for the time of a `with` block: `TraceMe(name, **metadata)`.
TraceMe: Any = _xla.TraceMe
#: (process, port) -> a function that ends it.
register_subprocess: Callable[[int, int], Callable[[], None]] = _xla.register_subprocess


class Recorder:
    """The session of this process, of which there is one at a time, and the server. `recorder` is
    the one instance.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.session: Any = None
        self.folder = ""
        self.server: Any = None

    def start(self, folder: str, options: Any) -> None:
        """Begin to record; RuntimeError if something is recorded already."""
        with self.lock:
            if self.session is not None:
                raise RuntimeError(
                    "a trace is being recorded already, one at a time: call stop_trace first"
                )
            devices.devices()  # an accelerator that starts later would not be recorded
            _xla.clear_metadata()
            _xla.set_metadata("jaxlib_version", compat.version)
            self.session = _xla.ProfilerSession(ProfileOptions() if options is None else options)
            self.folder = folder

    def stop(self) -> str:
        """Write what was recorded; return the folder. RuntimeError if nothing is recorded."""
        with self.lock:
            if self.session is None:
                raise RuntimeError("no trace is being recorded: call start_trace first")
            session, self.session = self.session, None
            session.stop_and_export(self.folder)
            _xla.clear_metadata()
            return self.folder

    def serve(self, port: int, with_device: bool) -> Any:
        """Start the server; ValueError if there is one."""
        if self.server is not None:
            raise ValueError("the profiler's server runs already, one in a process")
        if with_device:
            devices.devices()
        self.server = _xla.start_server(port)
        return self.server

    def end_serving(self) -> None:
        """Stop the server; ValueError if there is none."""
        if self.server is None:
            raise ValueError("no profiler's server runs: call start_server first")
        self.server = None  # stops with its object


#: The one recorder.
recorder = Recorder()


def memory_profile(platform: str | None) -> bytes:
    """Return which arrays and programs take memory on the devices of a platform, in the format of
    pprof, compressed.
    """
    return gzip.compress(devices.devices(platform)[0]._client.heap_profile())
