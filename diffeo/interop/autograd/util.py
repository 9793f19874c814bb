"""Small helpers that programs for autograd import."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any


def subvals(x: Sequence[Any], ivs: Iterable[tuple[int, Any]]) -> tuple:
    """Return a sequence as a tuple with some items replaced.

    Args:
        x: a sequence.
        ivs: pairs of an index and a value.

    Examples:
        >>> from diffeo.interop.autograd.util import subvals
        >>> subvals("abc", [(0, "x"), (2, "z")])
        ('x', 'b', 'z')
    """
    items = list(x)
    for i, v in ivs:
        items[i] = v
    return tuple(items)


def subval(x: Sequence[Any], i: int, v: Any) -> tuple:
    """Return a sequence as a tuple with one item replaced.

    Args:
        x: a sequence.
        i: an index.
        v: the new item.
    """
    return subvals(x, [(i, v)])


def func(f: Callable) -> Callable:
    """Return a function itself: by it a method of a class can be named in a rule.

    Args:
        f: a function.
    """
    return f
