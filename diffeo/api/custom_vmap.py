"""Functions that are vectorised by a rule of the user's, or in a loop: custom_vmap,
sequential_vmap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..trees import tree
from .control_flow.loops import map as map_loop
from .custom import Custom


class custom_vmap(Custom):
    """A function that is vectorised by a rule of yours.

    Derivatives are those of the function, and under `vmap` those of the rule.

    Args:
        fun: the function, of arrays or trees.

    Raises:
        AttributeError: (when called) if no rule has been given.
        ValueError: (under vmap) if what the rule returns does not fit; it is a TypeError, too.

    Examples:
        >>> import diffeo as dx
        >>> @custom_vmap
        ... def total(x):
        ...     return dx.numpy.sum(x)
        >>> @total.def_vmap
        ... def total_vmap(axis_size, in_batched, xs):
        ...     return dx.numpy.sum(xs, axis=1), True
        >>> dx.vmap(total)(dx.numpy.ones((2, 3)))
        Array([3., 3.])
    """

    kind = "custom_vmap"

    def __init__(self, fun: Callable):
        super().__init__(fun)

    @property
    def vmap_rule(self) -> Callable | None:
        """The rule that was given last, or None."""
        return self.rules.batch

    def def_vmap(self, vmap_rule: Callable) -> Callable:
        """Give the rule: `vmap_rule(axis_size, in_batched, *args) -> (result, out_batched)`.

        Batched arrays have the batch as axis 0. `in_batched` is a list with a tree of booleans for
        each argument, `out_batched` a tree of booleans like the result.

        Returns:
            The rule, so that `def_vmap` is a decorator.
        """
        self._give(batch=vmap_rule)
        return vmap_rule

    def _missing(self) -> str | None:
        if self.rules.batch is not None:
            return None
        return f"{self.__name__} is a custom_vmap function without a rule: call def_vmap"


def sequential_vmap(f: Callable) -> custom_vmap:
    """Return the function such that `vmap` calls it for one row after the other, in a loop.

    Args:
        f: a function of arrays or trees, one that cannot be vectorised, or should not be, since it
            needs much memory.

    Returns:
        A `custom_vmap` function, whose rule is `dx.lax.map`.

    Examples:
        >>> import diffeo as dx
        >>> dx.vmap(sequential_vmap(lambda x, y: x * y), (0, None))(dx.numpy.arange(3.0), 2.0)
        Array([0., 2., 4.])
    """
    vectorised = custom_vmap(f)

    @vectorised.def_vmap
    def in_a_loop(axis_size: int, in_batched: Sequence[Any], *args: Any) -> tuple[Any, Any]:
        leaves, structure = tree.flatten(args)
        batched = tree.leaves(in_batched)

        def one(rows: Sequence[Any]) -> Any:
            """Call the function on one row of what is batched, and on all of the rest."""
            row = iter(rows)
            return vectorised(
                *tree.unflatten(structure, [next(row) if b else x for x, b in zip(leaves, batched)])
            )

        out = map_loop(one, [x for x, b in zip(leaves, batched) if b])
        return out, tree.map(lambda _: True, out)

    return vectorised
