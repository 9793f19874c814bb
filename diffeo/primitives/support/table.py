"""The table of elementwise functions: its rows by name, where each was made, and what their
derivatives ask for.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import FunctionType
from typing import Any

from .signals import Held

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
    with Held():
        import_module(module)
    return ELEMENTWISE[name]


def with_results(name: str, derivatives: Sequence[Callable | None], arity: int) -> tuple:
    """For each operand (its derivative, whether it asks for the result) or None; () if no operand
    has a derivative.
    """
    found = []
    for d in derivatives:
        if d is None:
            found.append(None)
            continue
        count = _parameters(d)
        if count is not None and not arity <= count <= arity + 1:
            raise TypeError(
                f"{name}: a derivative takes the {arity} operands, and perhaps the result, but "
                f"that by operand {len(found)} takes {count} arguments"
            )
        found.append((d, count == arity + 1))
    return tuple(found) if any(found) else ()


def _parameters(function: Callable) -> int | None:
    """How many arguments must be given by position; None for any number, or nobody knows."""
    if type(function) is FunctionType and not function.__code__.co_flags & inspect.CO_VARARGS:
        return function.__code__.co_argcount - len(function.__defaults__ or ())
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # NumPy's own functions
        return None
    if any([p.kind is p.VAR_POSITIONAL for p in parameters]):
        return None
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return sum([p.kind in kinds and p.default is p.empty for p in parameters])
