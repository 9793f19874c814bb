"""The table of elementwise functions: all rows by name, and what a row is made with.

A *row* is one elementwise primitive (`sin`, `add` ...), an instance of `Elementwise` or of a
subclass of it. Rows are entered where they are made, in `words/elementwise.py` and elsewhere.
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
    """Put a row into the table while it is made, and return the name of the module that makes it.

    A row of an outsider may be made again under its name, as in a notebook's cell.

    Raises:
        ValueError: if two modules make a row of one name, and one of them is diffeo's.
    """
    # From `enter` to the row's `__init__` to the module that calls it.
    frame: Any = sys._getframe(2)
    while frame.f_code.co_name == "__init__":  # of a subclass
        frame = frame.f_back
    module = frame.f_globals["__name__"]
    before = ELEMENTWISE.get(name)
    if before is not None and before.module != module:
        # Outsiders may have the same name in two modules: neither knows of the other.
        strangers = [m for m in (before.module, module) if not is_own(m)]
        if len(strangers) < 2:
            whose = f", in {strangers[0]}" if strangers else ""
            raise ValueError(
                f"'{name}' is a primitive of diffeo itself: choose another name{whose}"
            )
    ELEMENTWISE[name] = row
    return module


def is_own(module: str) -> bool:
    """Return whether a module is diffeo's, whose names nobody else may give."""
    return module.startswith("diffeo.")


def named(module: str, name: str) -> Any:
    """Return a row by its module and name, and load the module for it: how rows are unpickled."""
    with Held():
        import_module(module)
    return ELEMENTWISE[name]


def with_results(name: str, derivatives: Sequence[Callable | None], arity: int) -> tuple:
    """Look which derivatives of a row ask for its result, by the number of their parameters.

    Args:
        name: the row's name, for messages.
        derivatives: for each operand, the derivative by it or None.
        arity: the number of operands.

    Returns:
        For each operand (derivative, whether it asks for the result) or None; () if no operand has
        a derivative.

    Raises:
        TypeError: for a derivative that takes another number of arguments.
    """
    pairs = []
    for d in derivatives:
        if d is None:
            pairs.append(None)
            continue
        count = _parameters(d)
        if count is not None and not arity <= count <= arity + 1:
            raise TypeError(
                f"{name}: a derivative takes the {arity} operands, and perhaps the result, but "
                f"that by operand {len(pairs)} takes {count} arguments"
            )
        pairs.append((d, count == arity + 1))
    return tuple(pairs) if any(pairs) else ()


def _parameters(function: Callable) -> int | None:
    """Return how many arguments must be given by position; None for any number, or if it is
    unknown.
    """
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
