"""Lists that are split by flags, and woven together again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def parted(flags: Sequence[bool], items: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Split items into those whose flag is true and the others.

    Examples:
        >>> parted([True, False, True], "abc")
        (['a', 'c'], ['b'])
    """
    yes: list[Any] = []
    no: list[Any] = []
    for flag, item in zip(flags, items, strict=True):
        (yes if flag else no).append(item)
    return yes, no


def woven(flags: Iterable[Any], yes: Iterable[Any], no: Iterable[Any]) -> list[Any]:
    """Take the next item of `yes` where a flag is true, and of `no` elsewhere. This undoes
    `parted`.

    Either may be an iterator that is in use elsewhere: what is not taken stays in it for the next
    call.

    An iterator that is given keeps what was not taken, so that one may serve several calls.

    Examples:
        >>> from itertools import repeat
        >>> woven([True, False, True], "ac", "b")
        ['a', 'b', 'c']
        >>> woven([True, False, True], "ac", repeat(0))
        ['a', 0, 'c']
    """
    yes, no = iter(yes), iter(no)
    return [next(yes if flag else no) for flag in flags]
