"""The table of elementwise functions: its rows by name, and where each was made."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

#: Every row that a module which is loaded has made.
ELEMENTWISE: dict[str, Any] = {}


def enter(name: str, row: Any) -> str:
    """Put a row, while it is made, into the table -> the module that makes it.

    Raises:
        ValueError: if one of the two rows of a name is diffeo's, and the other is not.
    """
    frame: Any = sys._getframe(2)
    while frame.f_code.co_name == "__init__":  # of a subclass
        frame = frame.f_back
    module = frame.f_globals["__name__"]
    before = ELEMENTWISE.get(name)
    if before is not None and before.module != module:
        strangers = [m for m in (before.module, module) if not is_own(m)]
        if len(strangers) < 2:
            whose = f", in {strangers[0]}" if strangers else ""
            raise ValueError(
                f"'{name}' is a primitive of diffeo itself: choose another name{whose}"
            )
    ELEMENTWISE[name] = row
    return module


def is_own(module: str) -> bool:
    """Whether a module is diffeo's, whose names nobody else may give."""
    return module.startswith("diffeo.")


def named(module: str, name: str) -> Any:
    """The row that a module makes, which is loaded for it: how rows are unpickled."""
    import_module(module)
    return ELEMENTWISE[name]
