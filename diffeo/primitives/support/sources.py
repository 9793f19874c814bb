"""Lines of programs as messages show them. A source is (code, instruction): see `user_source`."""

from __future__ import annotations

import linecache
import os
from types import FrameType
from typing import Any

#: Where diffeo's own files are.
HERE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")) + os.sep


class _Own(dict):
    """Whether a file is diffeo's, by its name."""

    def __missing__(self, filename: str) -> bool:
        return self.setdefault(filename, filename.startswith(HERE))


_own = _Own()


def user_frame(frame: FrameType | None) -> tuple[FrameType | None, FrameType | None]:
    """The innermost frame outside of diffeo, and diffeo's frame that it called."""
    called = None
    while frame is not None and _own[frame.f_code.co_filename]:
        called, frame = frame, frame.f_back
    return frame, called


def shown_name(called: FrameType | None) -> str | None:
    """The name of the function that runs in a frame, if users know it: not those of protocols, nor
    of functions that others make without a `rename`.
    """
    if called is None:
        return None
    code = called.f_code
    if code.co_name == "method":  # an operator
        return getattr(called.f_locals.get("function"), "__name__", None)
    if "<" in code.co_qualname or code.co_name.startswith(("__", "_array_")):
        return None
    name = code.co_name.removeprefix("_")  # of methods of arrays
    return None if name == "getitem" else name


def shown_parameter(called: FrameType | None, x: Any) -> str | None:
    """The parameter of the function that runs in a frame which holds an object, if there is one;
    operators have none that users know.
    """
    if called is None or called.f_code.co_name == "method":
        return None
    code, values = called.f_code, called.f_locals
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return next((p for p in parameters if values.get(p) is x), None)


def rename(function: Any, name: str) -> Any:
    """Give a function that another one made the name by which users call it, in tracebacks too."""
    function.__name__ = function.__qualname__ = name
    function.__code__ = function.__code__.replace(co_name=name, co_qualname=name)
    return function


def source_line(source: tuple[Any, int] | None) -> tuple[str, int, str]:
    """(file, line, function) of a source that `user_source` captured."""
    if source is None:
        return "?", 0, "?"
    code, instruction = source
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= instruction < end and number is not None:
            line = number
    return code.co_filename, line, code.co_name


def short_filename(filename: str) -> str:
    """The name of a file without its folder; `cell` for a notebook's cell, whose name is a hash."""
    folder, name = os.path.split(filename)
    return "cell" if os.path.basename(folder).startswith("ipykernel_") else name


def show_source(source: tuple[Any, int] | None) -> str:
    """`file.py:12 in loss: return np.sum(x)`, as messages show it."""
    filename, line, function = source_line(source)
    text = linecache.getline(filename, line).strip()
    text = text if len(text) <= 100 else text[:97] + "..."
    return f"{short_filename(filename)}:{line} in {function}" + (f": {text}" if text else "")
