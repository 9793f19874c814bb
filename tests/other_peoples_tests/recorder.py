"""A plugin of pytest: one line of JSON for each test, and a limit of time for each."""

from __future__ import annotations

import inspect
import json
import os
import signal
import threading
from typing import Any

import pytest


class TooSlow(Exception):
    """A test took longer than the limit."""


class Recorder:
    """Writes the outcome of each test to a file as soon as it is known.

    Args:
        path: the file.
        seconds: the limit for each test.
        family: how many tests run of those that are one function with other parameters; 0 for all.
    """

    def __init__(self, path: str, seconds: float, family: int = 0):
        self.path, self.seconds, self.family = path, seconds, family

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Choose tests of each family: the first, the last, and others evenly between them."""
        if not self.family:
            return
        families: dict[Any, list[Any]] = {}
        for item in items:
            function = inspect.unwrap(item.function)
            key = getattr(item, "cls", None), getattr(function, "__code__", item.name)
            families.setdefault(key, []).append(item)
        chosen = set()
        for members in families.values():
            last, n = len(members) - 1, min(self.family, len(members))
            chosen |= {members[i * last // max(n - 1, 1)] for i in range(n)}
        items[:] = [i for i in items if i in chosen]

    def write(self, **values: Any) -> None:
        """Append one line."""
        with open(self.path, "a") as file:
            file.write(json.dumps(values) + "\n")
            file.flush()
            os.fsync(file.fileno())

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        """Say which test runs, so that one which ends the process is known."""
        self.write(started=item.nodeid)
        yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Any:
        """Run a test with a limit of time."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: Any) -> None:
            raise TooSlow(f"the test took more than {self.seconds:.0f} s")

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
        """Write the outcome of a test."""
        report = (yield).get_result()
        if report.when == "call" or report.outcome != "passed":
            if report.when == "teardown":
                return
            error = "" if call.excinfo is None else describe(call.excinfo.value)
            self.write(test=item.nodeid, outcome=report.outcome, cause=error)

    def pytest_collectreport(self, report: Any) -> None:
        """Write that a file cannot be loaded."""
        if report.failed:
            text = str(report.longrepr)
            lines = [t[2:].strip() for t in text.splitlines() if t.startswith("E ")]
            self.write(test=report.nodeid, outcome="not loaded", cause=(lines or [text])[-1])


def describe(error: BaseException) -> str:
    """Return an exception's type and the first line of its message."""
    lines = [t for t in str(error).splitlines() if t.strip()]
    return f"{type(error).__name__}: {lines[0].strip() if lines else ''}"
