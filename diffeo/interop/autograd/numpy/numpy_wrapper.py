"""`wrap_namespace`: functions of a module of the user's, made primitives."""

from collections.abc import Mapping
from typing import Any

from ..extend import primitive


def wrap_namespace(old: Mapping[str, Any], new: dict[str, Any]) -> None:
    """Put the functions of a namespace, made primitives, and its numbers and types into another.

    Args:
        old: the names of a module.
        new: where they go.
    """
    for name, value in old.items():
        if callable(value) and not isinstance(value, type):
            new[name] = primitive(value)
        elif isinstance(value, (float, int, type(None), type)):
            new[name] = value
