"""Find out where a leaked traced value is stored, for the message about it.

A traced value leaks if it is used after its transformation has returned. Something of the user's
holds it: the collector of garbage knows what.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import CellType, FunctionType
from typing import Any


def where_stored(value: Any, inside: str) -> str:
    """Return a description of the place that keeps `value` alive, "" if none is found.

    Args:
        value: the traced value.
        inside: the folder of diffeo, whose functions are not the user's.
    """
    places = sorted(_places(value, inside))
    return places[0][1] if places else ""


def _places(value: Any, inside: str) -> Iterator[tuple[int, str]]:
    """Yield (rank, description) of the places: globals first, then attributes, dictionaries, lists,
    variables.
    """
    for holder in gc.get_referrers(value):
        if isinstance(holder, dict):
            keys = [k for k, v in holder.items() if v is value]
            module = holder.get("__name__")
            if keys and isinstance(module, str) and "__builtins__" in holder:
                yield 0, f"the global variable '{keys[0]}' of {module}"
            elif keys:
                owner = _owner(holder)
                yield (
                    (1, f"attribute '{keys[0]}' of {owner}")
                    if owner
                    else (
                        2,
                        f"a dictionary under {keys[0]!r}",
                    )
                )
        elif isinstance(holder, list) and _is_users(holder, inside):
            yield 3, f"a list of {len(holder)} item{'s' if len(holder) != 1 else ''}"
        elif isinstance(holder, CellType):
            for name in _variables(holder, inside):
                yield 4, f"the variable '{name}' of an enclosing function"
        elif hasattr(holder, "__dict__") and not type(holder).__module__.startswith("diffeo."):
            # Attributes may stand in the object itself, without a dictionary.
            for name in [k for k, v in vars(holder).items() if v is value]:
                yield 1, f"attribute '{name}' of a {type(holder).__name__}"


def _owner(namespace: dict) -> str:
    """Return a description of the object whose attributes a dictionary holds, "" if there is
    none.
    """
    for owner in gc.get_referrers(namespace):
        if getattr(owner, "__dict__", None) is namespace and not isinstance(owner, type):
            return f"a {type(owner).__name__}"
    return ""


def _is_users(container: list, inside: str) -> bool:
    """Return whether something other than diffeo's own running code holds the list."""
    for holder in gc.get_referrers(container):
        if isinstance(holder, CellType):
            if any(True for _ in _variables(holder, inside)):
                return True
        elif isinstance(holder, (dict, list, tuple, set)) or hasattr(holder, "__dict__"):
            return True
    return False


def _variables(cell: CellType, inside: str) -> Iterator[str]:
    """Yield the names under which the user's functions see a variable of an enclosing function."""
    for closure in gc.get_referrers(cell):
        if isinstance(closure, tuple):
            for function in gc.get_referrers(closure):
                if isinstance(function, FunctionType) and function.__closure__ is closure:
                    code = function.__code__
                    if not code.co_filename.startswith(inside):
                        # By identity: to compare traced values is an operation on them.
                        index = next(i for i, c in enumerate(closure) if c is cell)
                        yield code.co_freevars[index]
