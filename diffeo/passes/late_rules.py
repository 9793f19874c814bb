"""Which of the simplifier's rules load with the first primitive that they are for.

Most programs have no loops and no computed places; loading their rules would cost every start.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from ..primitives.support.signals import Held


@cache
def late_rules(kind: type, table: str) -> Any:
    """Return what the rules that load late have in a table for a class of primitives; None if
    nothing.

    Args:
        kind: the class of a primitive.
        table: the name of the table: "RULES", or of operations on programs "PROGRAMS" or "TRIMMED".
    """
    if kind.holds_programs:  # type: ignore[attr-defined]
        load = _loop_rules
    elif kind.takes_places:  # type: ignore[attr-defined]
        load = _indexing_rules
    else:
        return None
    with Held():
        return getattr(load(), table, {}).get(kind)


def _loop_rules() -> Any:
    return import_module(".program_rules", __package__)


def _indexing_rules() -> Any:
    return import_module(".place_rules", __package__)
