"""Functions of trees as programs: what conditionals and loops make of the functions they get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..primitives.array import as_value
from ..primitives.core import typeof, with_user_line
from ..primitives.jaxpr import Jaxpr
from ..primitives.staging import stage
from ..primitives.types import ShapedArray, promote_types
from ..primitives.words.structural import convert_element_type
from . import tree
from .arguments import name_of
from .functions import Flat


class Staged:
    """A function of trees, traced for the types of its arguments' leaves.

    Attributes:
        name: of the function, for messages.
        jaxpr: the program; its leading inputs are those of `consts`.
        consts: the arrays and tracers that the function closed over.
        out_tree: the structure of the result.
        outs: the types of the result's leaves.
    """

    def __init__(self, fun: Callable, in_tree: Any, avals: Sequence[ShapedArray]):
        self.name = name_of(fun)
        flat = Flat(fun, in_tree, self.name)
        staged = stage(flat, avals, self.name)
        self.out_tree: Any = flat.out_tree
        self.jaxpr: Jaxpr = staged.closed_over()
        self.consts: Sequence[Any] = staged.consts

    @property
    def outs(self) -> list[ShapedArray]:
        """The types of the result's leaves."""
        return self.jaxpr.out_avals

    def converted(self, avals: Sequence[ShapedArray]) -> Staged:
        """The same function; the leading results have these types."""
        outs = self.jaxpr.out_avals
        if all([a.dtype == b.dtype for a, b in zip(outs, avals)]):
            return self
        program = self.jaxpr

        def flat(*leaves: Any) -> list[Any]:
            found = program(*leaves)
            for i, aval in enumerate(avals):
                found[i] = convert_element_type(found[i], aval.dtype, aval.weak_type)
            return found

        made = object.__new__(Staged)
        made.name, made.out_tree, made.consts = self.name, self.out_tree, self.consts
        made.jaxpr = stage(flat, program.in_avals, self.name)
        return made


def leaves_of(values: Any, what: str) -> tuple[list[Any], Any]:
    """The leaves of a tree as arrays or tracers, and its structure; TypeError that says where."""
    try:
        leaves, structure = tree.flatten(values)
    except RecursionError as error:
        raise with_user_line(RecursionError(f"{what}: {error}")) from None
    found = []
    for i, x in enumerate(leaves):
        try:
            found.append(as_value(x))
        except TypeError as error:
            path = tree.keystr(tree.leaves_with_path(values)[i][0])
            raise with_user_line(TypeError(f"{what}{path}: {error}")) from None
    return found, structure


def common(avals: Sequence[ShapedArray]) -> ShapedArray | None:
    """The type to which some of one shape are promoted, if all that give way are weak."""
    if len({a.shape for a in avals}) != 1:
        return None
    strong = {a.dtype for a in avals if not a.weak_type}
    if len(strong) > 1:
        return None
    dtype, weak = promote_types(*avals)
    if strong and dtype not in strong:
        return None
    return ShapedArray(avals[0].shape, dtype, weak)


def settle(carry: Sequence[Any], retrace: Callable) -> tuple[list[Any], Any]:
    """A carry whose weak leaves have the types that the function returns -> (carry, `retrace` of
    their types).
    """
    carry = list(carry)
    while True:
        avals = [typeof(c) for c in carry]
        traced = retrace(avals)
        changed = False
        for i, (before, after) in enumerate(zip(avals, traced.outs)):
            found = common([before, after]) if before.weak_type and before is not after else None
            if found is not None and found is not before:
                carry[i] = convert_element_type(carry[i], found.dtype, found.weak_type)
                changed = True
        if not changed:
            return carry, traced


def check_same(
    what: str, names: tuple[str, str], first: tuple[Any, Sequence[Any]], second: tuple[Any, Any]
) -> None:
    """TypeError that says where two results differ, given (structure, types of leaves) of each."""
    (structure, avals), (other, others) = first, second
    if structure != other:
        where = tree.first_difference(structure, other, names=names)
        raise with_user_line(TypeError(f"{what}: {where}"))
    paths = [path for path, _ in tree.leaves_with_path(tree.unflatten(structure, avals))]
    for path, a, b in zip(paths, avals, others):
        if a.strong is not b.strong:
            at = tree.keystr(path)
            raise with_user_line(
                TypeError(f"{what}: {f'at {at}: ' if at else ''}{names[0]} has {a}, {names[1]} {b}")
            )
