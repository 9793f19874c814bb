"""The line that tells who waits for a compilation that it goes on."""

import os
import pty
import re
import sys
import threading
import time
import types
from contextlib import contextmanager

import pytest

import diffeo as dx
from diffeo.lowering import progress as lines
from diffeo.lowering.progress import progress


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(lines, "PATIENCE", 0.05)
    monkeypatch.setattr(lines, "INTERVAL", 0.05)


def is_line(text):
    return re.fullmatch(r"diffeo: compiling loss: \d s", text)


@contextmanager
def terminal():
    """stderr is a terminal; what it is sent until the end of the block, where "end" is written."""
    # No fixture: pytest changes sys.stderr between the set-up of a test and its call.
    master, slave = pty.openpty()
    shown, before = [], sys.stderr
    with open(slave, "w") as stream:
        sys.stderr = stream
        try:
            yield shown
            stream.write("end")
            stream.flush()
            while not "".join(shown).endswith("end"):
                shown.append(os.read(master, 10_000).decode())
        finally:
            sys.stderr = before
    os.close(master)


def test_a_line_in_a_terminal():
    with terminal() as shown, progress("compiling loss"):
        time.sleep(0.3)
    parts = "".join(shown).split("\r")
    assert len(parts) > 3 and all([is_line(text) for text in parts[1:-2]])
    # It is overwritten, and what comes next starts where it stood.
    assert parts[-2] == " " * len(parts[1]) and parts[-1] == "end"


def test_the_name_of_what_is_compiled(monkeypatch):
    monkeypatch.setattr(lines, "PATIENCE", 0.0)
    constant = time.time()

    def some_loss(x):
        return dx.numpy.sin(x) * constant

    with dx.compilation_cache.set_path(None), terminal() as shown:
        dx.jit(some_loss)(1.0)
    assert "diffeo: compiling some_loss: 0 s" in "".join(shown)


def test_no_line_for_what_is_quick_or_unwanted(monkeypatch):
    threads = threading.active_count()
    with terminal() as shown:
        with progress("compiling loss"):
            pass
        monkeypatch.setattr(dx.config, "progress", False)
        with progress("compiling loss"):
            assert threading.active_count() == threads
            time.sleep(0.15)
    assert "".join(shown) == "end"


def test_no_line_where_nobody_looks(capfd):
    with progress("compiling loss"):
        time.sleep(0.15)
    assert capfd.readouterr() == ("", "")


def test_one_line_at_a_time():
    def wait(name):
        with progress(name):
            time.sleep(0.4)

    threads = [threading.Thread(target=wait, args=(name,)) for name in ("a", "b")]
    with terminal() as shown:
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    parts = [part for part in "".join(shown).split("\r") if part.startswith("diffeo: ")]
    assert len({part[8] for part in parts}) == 1


class Handle:
    def __init__(self, shown):
        self.shown = shown

    def update(self, data, raw):
        assert raw
        self.shown.append(data["text/plain"])


@pytest.fixture
def notebook(monkeypatch):
    """IPython with a kernel, as far as it is used; what was displayed."""
    shown = []

    def display(data, raw, display_id):
        assert raw and display_id is True
        shown.append(data["text/plain"])
        return Handle(shown)

    shell = types.SimpleNamespace(kernel=object())
    ipython = types.SimpleNamespace(
        get_ipython=lambda: shell, display=types.SimpleNamespace(display=display)
    )
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    return shown, ipython


def test_a_line_in_a_notebook(notebook):
    shown, _ = notebook
    with progress("compiling loss"):
        time.sleep(0.3)
    assert shown[-1] == "" and len(shown) > 1
    assert all([is_line(text) for text in shown[:-1]])


def test_what_is_wrong_with_the_line_is_left_alone(notebook, monkeypatch):
    shown, ipython = notebook
    monkeypatch.setattr(ipython.display, "display", lambda *args, **kwargs: 1 / 0)
    with progress("compiling loss"):
        time.sleep(0.15)
    monkeypatch.setattr(ipython, "get_ipython", lambda: 1 / 0)
    with progress("compiling loss"):
        time.sleep(0.15)
    assert not shown and lines._line.acquire(blocking=False)
    lines._line.release()
    monkeypatch.delitem(sys.modules, "IPython")
    monkeypatch.setattr(sys, "stderr", None)
    with progress("compiling loss"):
        pass


def test_errors_pass_through():
    with pytest.raises(ZeroDivisionError), progress("compiling loss"):
        1 / 0
