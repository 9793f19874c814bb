"""Waiting for the machine in a way that lets signals be handled.

Python runs the handler of a signal on the main thread, between two of its own steps. While the main
thread waits inside of XLA, Ctrl-C would have to wait, too, for ever if a loop does not end. So
another thread waits inside of XLA, and the main thread waits for the other thread. A signal can
interrupt that.

`interruptibly` makes a call in this way; `until_ready` waits for a buffer.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

#: Threads that have nothing to do.
_idle: list[_Waiter] = []
os.register_at_fork(after_in_child=_idle.clear)

#: Seconds for which `until_ready` looks all the time whether a buffer is computed.
PATIENCE = 0.0003


class _Job:
    """A call that another thread makes, and what came of it.

    Attributes:
        function: what is called.
        result, error: what it returned, or raised.
        done: a lock that is free once the call has ended.
    """

    __slots__ = ("done", "error", "function", "result")

    def __init__(self, function: Callable[[], Any]):
        self.function, self.result = function, None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()


class _Waiter(threading.Thread):
    """A thread that makes one call after the other."""

    def __init__(self) -> None:
        super().__init__(name="diffeo waits", daemon=True)
        self.jobs: SimpleQueue[_Job] = SimpleQueue()
        self.start()

    def run(self) -> None:
        while True:
            job = self.jobs.get()
            try:
                job.result = job.function()
            except BaseException as error:
                job.error = error
            _idle.append(self)
            job.done.release()
            del job


def interruptibly(function: Callable[[], Any]) -> Any:
    """Return the result of a function that waits inside of the machine, or raise its error.

    On the main thread, an exception of a signal's handler is raised at once. The function then goes
    on, on a thread of its own, and nobody hears of its end.
    """
    if threading.get_ident() != threading.main_thread().ident:
        return function()
    waiter = _idle.pop() if _idle else _Waiter()
    job = _Job(function)
    waiter.jobs.put(job)
    job.done.acquire()
    if job.error is not None:
        raise job.error
    return job.result


class _Loops:
    """What runs of programs with loops have shown so far."""

    #: Whether such a run goes on, on a thread of XLA's, after `execute` has returned. Only then
    #: does `until_ready` look for signals, which costs the shortest waits some microseconds.
    elsewhere = False


def note_loop(outs: Sequence[Any]) -> None:
    """Take note of the buffers that a run of a program with a loop has returned."""
    if not _Loops.elsewhere and outs and not _is_ready(outs[0]):
        _Loops.elsewhere = True


def until_ready(buffer: Any) -> None:
    """Wait until a buffer is computed, or deleted. Its errors come to whoever reads it.

    The main thread looks at the buffer now and then. No other thread waits in its place: that
    thread would go on in Python when the buffer is computed, perhaps while the process ends.
    """
    if not _Loops.elsewhere or threading.get_ident() != threading.main_thread().ident:
        return
    start = time.perf_counter()
    while not _is_ready(buffer):
        waited = time.perf_counter() - start
        time.sleep(0 if waited < PATIENCE else min(waited / 20, 0.02))


def _is_ready(buffer: Any) -> bool:
    return buffer.is_deleted() or buffer.is_ready()  # jaxlib 0.10 must not be asked in this order
