"""Functions of trees as functions of leaves: interpreters and programs know arrays only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..primitives.array import as_value
from ..primitives.core import describe, with_user_line
from . import tree
from .arguments import (
    check_outputs,
    flat_result,
)


class Flat:
    """A function of trees as a function of leaves.

    It remembers the structure of the result, and that of an auxiliary output, which comes after the
    result in the list that a call returns.

    Attributes:
        count: the number of the result's leaves.
        out_tree, aux_tree: the structures of the result and the auxiliary output, after a call.
    """

    __slots__ = ("aux_tree", "count", "fun", "has_aux", "in_tree", "name", "out_tree")

    def __init__(self, fun: Callable, in_tree: Any, name: str, has_aux: bool = False):
        self.fun, self.in_tree, self.name, self.has_aux = fun, in_tree, name, has_aux
        self.out_tree = self.aux_tree = None
        self.count = 0

    def __call__(self, *leaves: Any) -> Sequence[Any]:
        out = self.fun(*tree.unflatten(self.in_tree, leaves))
        if not self.has_aux:
            outs, self.out_tree = flat_result(out, self.name)
            self.count = len(outs)
            return check_outputs(outs, out, self.name)
        if not isinstance(out, tuple) or len(out) != 2:
            raise with_user_line(
                TypeError(
                    f"{self.name}: with has_aux=True the function must return a pair (result, "
                    f"auxiliary data), got {describe(out)}"
                )
            )
        outs, self.out_tree = tree.flatten(out[0])
        aux, self.aux_tree = tree.flatten(out[1])
        self.count = len(outs)
        return [*check_outputs(outs, out[0], self.name), *aux]

    def result(self, outs: Sequence[Any]) -> Any:
        """Return the result as a tree."""
        return tree.unflatten(self.out_tree, [as_value(o) for o in outs[: self.count]])

    def aux(self, outs: Sequence[Any]) -> Any:
        """Return the auxiliary output as a tree."""
        return tree.unflatten(self.aux_tree, outs[self.count :])


def of_chosen(fun: Callable, args: Sequence[Any], kwargs: dict, numbers: Sequence[int]) -> Callable:
    """Return `fun` as a function of some of its arguments, the others fixed.

    With `args = (a, b, c)` and `numbers = (2, 0)`, calling it with (x, y) is `fun(y, b, x)`.
    """
    if not kwargs and tuple(numbers) == tuple(range(len(args))):
        return fun

    def partial(*given: Any) -> Any:
        positional = list(args)
        for n, value in zip(numbers, given):
            positional[n] = value
        return fun(*positional, **kwargs)

    return partial
