"""The line that shows, during a long compilation, that it goes on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..primitives.config import config

#: Seconds before the line appears, and between its changes.
PATIENCE, INTERVAL = 2.0, 1.0

#: There is one line for the whole process. Of compilations at the same time, the first that takes
#: long has the line; the others wait for this lock.
_line = threading.Lock()


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show "diffeo: {what}: 3 s" while the block takes longer than two seconds.

    In a terminal, the line is on stderr; in a notebook, it is a display that changes. It vanishes
    at the end. Elsewhere, and with `config.progress = False`, nothing is shown. If anything goes
    wrong with the line, the block goes on undisturbed.
    """
    show = _display() if config.progress else None
    if show is None:
        yield
        return
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(what, done, show), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        # So that what the program prints next does not meet the line.
        watcher.join(timeout=INTERVAL)


def _watch(what: str, done: threading.Event, show: Callable[[str], None]) -> None:
    """Show the line, on a thread of its own, once patience has run out and until `done` is set."""
    start = time.monotonic()
    if done.wait(PATIENCE):
        return
    while not _line.acquire(blocking=False):
        if done.wait(INTERVAL):
            return
    try:
        # A closed terminal or a notebook's lost front end is no reason to complain.
        with suppress(Exception):
            try:
                while True:
                    show(f"diffeo: {what}: {time.monotonic() - start:.0f} s")
                    if done.wait(INTERVAL):
                        break
            finally:
                show("")
    finally:
        _line.release()


def _display() -> Callable[[str], None] | None:
    """Return a function that shows a text in place of the last one, or None where nobody looks."""
    with suppress(Exception):  # a stream or a shell that is not what it seems
        ipython: Any = sys.modules.get("IPython")
        if ipython is not None and hasattr(ipython.get_ipython(), "kernel"):
            return _Notebook(ipython)
        if sys.stderr.isatty():
            return _Terminal(sys.stderr)
    return None


class _Terminal:
    """A line of a terminal: each text is written over the one before."""

    def __init__(self, stream: Any):
        self.stream, self.width = stream, 0

    def __call__(self, text: str) -> None:
        self.stream.write(f"\r{text.ljust(self.width)}" if text else f"\r{' ' * self.width}\r")
        self.stream.flush()
        self.width = len(text)


class _Notebook:
    """A display below a notebook's cell: each text replaces the one before."""

    def __init__(self, ipython: Any):
        self.display, self.handle = ipython.display.display, None

    def __call__(self, text: str) -> None:
        data = {"text/plain": text}
        if self.handle is not None:
            self.handle.update(data, raw=True)
        elif text:
            self.handle = self.display(data, raw=True, display_id=True)
