"""Values that are equal, but not the same: 1, 1.0 and True; 0.0 and -0.0.

Caches of programs are dictionaries, and Python's == is not enough for them. A program for the
static value 1 computes integers, a program for 1.0 computes floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def exactly_equal(a: Any, b: Any) -> bool:
    """Return whether two values, for which == is true, are the same to every program.

    Numbers are compared by type and sign, too; so are those in tuples, lists, dictionaries, sets,
    slices, ranges, and in the fields of dataclasses that have no == of their own.

    Examples:
        >>> exactly_equal((1, "a"), (1, "a")), exactly_equal((1, 0.0), (1, -0.0))
        (True, False)
        >>> exactly_equal(frozenset([1]), frozenset([True]))
        False
    """
    if a is b:
        return True
    kind = type(a)
    if kind is not type(b):
        return False
    if kind is int or kind is str or kind is bool:
        return a == b
    if kind is float or kind is complex:
        return repr(a) == repr(b)
    if isinstance(a, np.generic):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(exactly_equal, a, b)) and _others_equal(a, b)
    if isinstance(a, (frozenset, set)):
        return _all_in(dict.fromkeys(a), {x: x for x in b})
    if isinstance(a, Mapping):
        others = {x: x for x in b}
        return _all_in(a, others) and all([exactly_equal(a[x], b[others[x]]) for x in a])
    if kind is slice or kind is range:
        return exactly_equal((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    names = _compared_fields(kind)
    if names:
        return all([exactly_equal(getattr(a, name), getattr(b, name)) for name in names])
    return bool(a == b)


def _others_equal(a: Any, b: Any) -> bool:
    """Return whether what a subclass of tuple or list may hold besides its items is equal: its ==
    decides.
    """
    return type(a).__eq__ in (tuple.__eq__, list.__eq__) or bool(a == b)


def _all_in(a: Any, others: Mapping[Any, Any]) -> bool:
    """Return whether two sets are exactly equal; `others` maps each element of the second to
    itself.
    """
    return len(a) == len(others) and all([x in others and exactly_equal(x, others[x]) for x in a])


def _compared_fields(kind: type) -> Sequence[str]:
    """Return the fields that the == of a dataclass compares, if `dataclass` wrote it; none
    otherwise.
    """
    fields = getattr(kind, "__dataclass_fields__", None)
    code = getattr(kind.__eq__, "__code__", None)
    # Generated code has a name such as <string> for its file.
    if fields is None or code is None or not code.co_filename.startswith("<"):
        return ()
    return [name for name, field in fields.items() if field.compare]


class Exact:
    """A value as part of a key. It equals another one only if they are the same."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        if type(other) is not Exact:
            return False
        a, b = self.value, other.value
        return a is b or (bool(a == b) and exactly_equal(a, b))

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return repr(self.value)
