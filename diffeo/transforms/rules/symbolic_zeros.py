"""What rules with `symbolic_zeros=True` see: tangents known to be zero, and arguments that may
move.

By default a rule gets arrays of zeros for operands without a tangent. With `symbolic_zeros=True` it
gets a `SymbolicZero` for such a tangent and a `CustomVJPPrimal` for each argument of a forward
rule, and may save work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...primitives.core import describe, typeof, with_user_line
from ...primitives.stand_ins import ZERO
from ...primitives.types import ShapedArray, Typed
from ...trees import tree as trees
from ..tangents import from_tangent, tangent_aval


class SymbolicZero(Typed):
    """A tangent or cotangent that is known to be zero, as rules with `symbolic_zeros=True` see
    it; it has the `aval`, shape and dtype of the zeros that it stands for.
    """

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    def __repr__(self) -> str:
        return f"SymbolicZero({self.aval})"

    @staticmethod
    def from_primal_value(x: Any) -> SymbolicZero:
        """Return the zero tangent of a value."""
        return SymbolicZero(tangent_aval(typeof(x)))


@dataclass(slots=True)
class CustomVJPPrimal:
    """A leaf of the arguments of a forward rule with `symbolic_zeros=True`: its value, and whether
    it is involved in differentiation.
    """

    value: Any
    perturbed: bool


def custom_vjp_primal_tree_values(tree: Any) -> Any:
    """Return the values of a tree of `CustomVJPPrimal`s.

    A forward rule with `symbolic_zeros=True` gets such a tree.

    Raises:
        TypeError: for any other leaf.

    Examples:
        >>> custom_vjp_primal_tree_values((CustomVJPPrimal(1.0, True),))
        (1.0,)
    """

    def value(leaf: Any) -> Any:
        if type(leaf) is not CustomVJPPrimal:
            raise with_user_line(TypeError(f"expected a CustomVJPPrimal, got {describe(leaf)}"))
        return leaf.value

    return trees.map(value, tree)


def zero_from_primal(val: Any, symbolic_zeros: bool = False) -> Any:
    """Return the zero tangents of a tree of values, as `SymbolicZero`s if asked for.

    Examples:
        >>> zero_from_primal((1.0, 2))
        (Array(0.), array((b'',), dtype=[('float0', 'V')]))
    """
    if symbolic_zeros:
        return trees.map(SymbolicZero.from_primal_value, val)
    return trees.map(lambda x: from_tangent(ZERO, typeof(x)), val)
