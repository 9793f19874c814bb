"""Lines of users' programs, as messages and printed programs show them.

A *source* is (code object, number of the instruction): `core.user_source` captures it, which is
cheap. It is turned into file, line and text only when it is shown.
"""

from __future__ import annotations

import linecache
import os
import sys
from types import FrameType
from typing import Any

#: The folder of diffeo's own files, with a separator at its end.
HERE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")) + os.sep

#: The folders of NumPy and, beside it, SciPy: their lines are no user's either.
_NUMPY = os.path.dirname(sys.modules["numpy"].__file__ or "")
_BESIDE = os.path.dirname(_NUMPY)
_NOT_USERS = (HERE, *[os.path.join(_BESIDE, name) + os.sep for name in ("numpy", "scipy")])


class _Own(dict):
    """Whether a file is diffeo's, NumPy's or SciPy's, by its name; the answers are remembered."""

    def __missing__(self, filename: str) -> bool:
        return self.setdefault(filename, filename.startswith(_NOT_USERS))


#: Whether a file is not the user's: `_own[filename]`.
_own = _Own()


def user_frame(frame: FrameType | None) -> tuple[FrameType | None, FrameType | None]:
    """Return the innermost frame of the user's, and the frame that it called: diffeo's, or that of
    NumPy or SciPy where they stand in between.

    Either is None if there is none.
    """
    called = None
    while frame is not None and _own[frame.f_code.co_filename]:
        called, frame = frame, frame.f_back
    return frame, called


def shown_name(called: FrameType | None) -> str | None:
    """Return the name of the function that runs in a frame, or None if users do not know the name.

    They do not know methods of protocols (`__array__`), nor functions that other functions made
    without a `rename`.
    """
    if called is None:
        return None
    code = called.f_code
    if code.co_name == "method":  # an operator
        return getattr(called.f_locals.get("function"), "__name__", None)
    if code.co_name == "__call__" and not code.co_filename.startswith(HERE):
        return code.co_qualname.partition(".")[0]  # np.vectorize, a class of which users know
    if "<" in code.co_qualname or code.co_name.startswith(("__", "_array_")):
        return None
    name = code.co_name.removeprefix("_")  # of methods of arrays
    return None if name == "getitem" else name


def shown_parameter(called: FrameType | None, x: Any) -> str | None:
    """Return the name of a parameter that holds an object, of the function that runs in a frame.

    None if no parameter holds it. Operators have no parameters that users know.
    """
    if called is None or called.f_code.co_name == "method":
        return None
    code, values = called.f_code, called.f_locals
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return next((p for p in parameters if values.get(p) is x), None)


def rename(function: Any, name: str) -> Any:
    """Give a function that another function made the name by which users call it, in tracebacks
    too.
    """
    function.__name__ = function.__qualname__ = name
    function.__code__ = function.__code__.replace(co_name=name, co_qualname=name)
    return function


def source_line(source: tuple[Any, int] | None) -> tuple[str, int, str]:
    """Return (file, line, function) of a source that `user_source` captured."""
    if source is None:
        return "?", 0, "?"
    code, instruction = source
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= instruction < end and number is not None:
            line = number
    return code.co_filename, line, code.co_name


def short_filename(filename: str) -> str:
    """Return the name of a file without its folder; `cell` for a notebook's cell, whose name is a
    hash.
    """
    folder, name = os.path.split(filename)
    return "cell" if os.path.basename(folder).startswith("ipykernel_") else name


def show_source(source: tuple[Any, int] | None) -> str:
    """Return a source as messages show it: `file.py:12 in loss: return np.sum(x)`."""
    filename, line, function = source_line(source)
    text = linecache.getline(filename, line).strip()
    text = text if len(text) <= 100 else text[:97] + "..."
    return f"{short_filename(filename)}:{line} in {function}" + (f": {text}" if text else "")
