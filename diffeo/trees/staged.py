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
        """Return the same function, whose leading results have these types."""
        outs = self.jaxpr.out_avals
        if all([a.dtype == b.dtype for a, b in zip(outs, avals)]):
            return self
        program = self.jaxpr

        def flat(*leaves: Any) -> list[Any]:
            results = program(*leaves)
            for i, aval in enumerate(avals):
                results[i] = convert_element_type(results[i], aval.dtype, aval.weak_type)
            return results

        # A copy with another program; the function itself is not traced again.
        staged = object.__new__(Staged)
        staged.name, staged.out_tree, staged.consts = self.name, self.out_tree, self.consts
        staged.jaxpr = stage(flat, program.in_avals, self.name)
        return staged


def leaves_of(values: Any, what: str) -> tuple[list[Any], Any]:
    """Return the leaves of a tree as arrays or tracers, and its structure.

    Raises:
        TypeError: for another leaf; says where it is.
    """
    try:
        leaves, structure = tree.flatten(values)
    except RecursionError as error:
        raise with_user_line(RecursionError(f"{what}: {error}")) from None
    arrays = []
    for i, x in enumerate(leaves):
        try:
            arrays.append(as_value(x))
        except TypeError as error:
            path = tree.keystr(tree.leaves_with_path(values)[i][0])
            raise with_user_line(TypeError(f"{what}{path}: {error}")) from None
    return arrays, structure


def common(avals: Sequence[ShapedArray]) -> ShapedArray | None:
    """Return the type to which types are promoted, if they have one shape and only weak ones give
    way.

    None otherwise: of `f32[]` and weak `f64[]` it is `f32[]`, of `f32[]` and `f64[]` there is none.
    """
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
    """Give the weak leaves of a carry the types that a step returns for them.

    A loop that starts with the number 0.0 (weak) and adds arrays of f32 carries an f32. Conversion
    may change what the step returns, so the step is traced again until nothing changes.

    Args:
        carry: the leaves that the first step starts with.
        retrace: types of leaves -> a `Staged`, the step traced for them.

    Returns:
        The converted carry, and what `retrace` returned for its types.
    """
    carry = list(carry)
    while True:
        avals = [typeof(c) for c in carry]
        traced = retrace(avals)
        changed = False
        for i, (before, after) in enumerate(zip(avals, traced.outs)):
            target = common([before, after]) if before.weak_type and before is not after else None
            if target is not None and target is not before:
                carry[i] = convert_element_type(carry[i], target.dtype, target.weak_type)
                changed = True
        if not changed:
            return carry, traced


def check_same(
    what: str, names: tuple[str, str], first: tuple[Any, Sequence[Any]], second: tuple[Any, Any]
) -> None:
    """Check that two results have the same structure and types, given (structure, types) of each.

    Raises:
        TypeError: says where they differ.
    """
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
