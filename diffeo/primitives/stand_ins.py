"""Stand-ins: for a tangent known to be zero, and for an operand of which a program is linear."""

from __future__ import annotations

from .types import ShapedArray


class Zero:
    """A tangent or cotangent known to be zero. There is one, `ZERO`, without shape and cost."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ZERO"


ZERO = Zero()


class LinearInput:
    """What a transpose rule gets in place of a linear operand: its type only."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    def __repr__(self) -> str:
        return f"LinearInput({self.aval})"
