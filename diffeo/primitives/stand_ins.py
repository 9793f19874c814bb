"""Stand-ins: what rules get in the place of an array that is not there.

`ZERO` stands for a tangent or cotangent that is known to be zero. `LinearInput` stands for an
operand of which a program to be transposed is linear.
"""

from __future__ import annotations

from .types import ShapedArray


class Zero:
    """The class of `ZERO`, a tangent or cotangent known to be zero. It has no shape and costs
    nothing.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "ZERO"


#: The one instance: rules test `t is ZERO`.
ZERO = Zero()


class LinearInput:
    """What a transpose rule gets in place of a linear operand. It has a type and no numbers."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    def __repr__(self) -> str:
        return f"LinearInput({self.aval})"
