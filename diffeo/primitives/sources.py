"""Lines of programs as messages show them. A source is (code, instruction): see `user_source`."""

from __future__ import annotations

import linecache
import os
from typing import Any


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
