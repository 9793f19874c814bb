"""Which of the simplifier's rules load with the first primitive that they are for.

Most programs have no loops and no computed places; their rules would cost every start.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from ..primitives.signals import Held

#: The module of the rules for the primitives of a module.
LATE = {
    "diffeo.primitives.indexing": ".simplify_indexing",
    "diffeo.programs.checkpoint": ".simplify_programs",
    "diffeo.programs.control_flow": ".simplify_programs",
    "diffeo.programs.custom_rules": ".simplify_programs",
    "diffeo.programs.scan": ".simplify_programs",
    "diffeo.programs.while_loop": ".simplify_programs",
}


def late_rules(kind: type, table: str) -> Any:
    """What a table of such a module has for a type of primitives; None if there is nothing."""
    return _late_rules(kind, table) if kind.__module__ in LATE else None


@cache
def _late_rules(kind: type, table: str) -> Any:
    with Held():
        module = import_module(LATE[kind.__module__], __package__)
    return getattr(module, table, {}).get(kind)
