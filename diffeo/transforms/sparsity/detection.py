"""Find which entries of a Jacobian may be nonzero, from a run of its derivative with index sets.

`detect` calls the function under forward mode, over the trace of `dependence.py`: each input is a
tangent whose elements have the sets {0}, {1}, ..., and the sets of the results' tangents are the
rows of the pattern. `ChosenArguments` takes the arguments of a call apart.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...primitives.core import Tracer, describe, typeof, with_user_line
from ...primitives.stand_ins import ZERO
from ...primitives.types import is_inexact
from ...trees import tree
from ...trees.arguments import argument, as_values, check_argnums, name_of
from ...trees.functions import Flat, of_chosen
from ..installed import installed
from ..jvp import jvp_flat
from .dependence import Dependence
from .index_sets import IndexSets, joined
from .pattern import Sparsity


class ChosenArguments:
    """The arguments of a call as leaves: first those to differentiate by, then the others.

    Attributes: `numbers` are the positions of the chosen arguments, `structure` and `values` their
    tree and its leaves, `count` the number of these leaves. `rest` and `others` are the tree and
    the leaves of all other arguments. `avals` are the types of all leaves, and `key` is what calls
    with the same pattern have in common.
    """

    def __init__(self, what: str, args: Sequence[Any], kwargs: dict, argnums: Any):
        self.numbers = check_argnums(argnums, len(args), what)
        chosen = tuple([args[n] for n in self.numbers])
        remaining = tuple([None if i in self.numbers else a for i, a in enumerate(args)])
        leaves, self.structure = tree.flatten(chosen)
        self.count = len(leaves)
        remaining_leaves, self.rest = tree.flatten((remaining, kwargs))
        self.values = as_values(leaves, what, chosen, self.numbers)
        self.others = as_values(remaining_leaves, what, (remaining, kwargs))
        for i, v in enumerate(self.values):
            if not is_inexact(v.dtype) or v.dtype.kind == "c":
                name = argument(chosen, i, self.numbers)
                raise with_user_line(
                    TypeError(
                        f"{what}: {name} must be of real floating-point numbers, got "
                        f"{describe(v)}; leave arguments of other types out of argnums, and take a "
                        "complex number apart into its real and imaginary part"
                    )
                )

        self.avals = [typeof(v) for v in self.leaves]
        self.key = (self.structure, self.rest, *[a.strong for a in self.avals])

    def without_values(self) -> ChosenArguments:
        """Return the same arguments without their numbers."""
        result = copy.copy(self)
        result.values = result.others = []
        return result

    def describe(self) -> str:
        """Return the types of the arguments, for messages."""
        return ", ".join(map(str, self.avals)) or "nothing"

    @property
    def leaves(self) -> list[Any]:
        """All leaves: those to differentiate by, then the others."""
        return [*self.values, *self.others]

    @property
    def size(self) -> int:
        """The number of elements by which is differentiated: the columns of the Jacobian."""
        return sum([v.size for v in self.values])

    def flat(self, fun: Any, others: Sequence[Any], name: str) -> Flat:
        """Return the function of the chosen leaves, with the other leaves as constants."""
        other_args, kwargs = tree.unflatten(self.rest, others)
        return Flat(of_chosen(fun, other_args, kwargs, self.numbers), self.structure, name)


def check_results(what: str, outs: Sequence[Any]) -> None:
    """Check that all results are real floating-point numbers; TypeError otherwise."""
    for o in outs:
        dtype = typeof(o).dtype
        if not is_inexact(dtype) or dtype.kind == "c":
            raise with_user_line(
                TypeError(
                    f"{what}: the function returned {describe(o)}; it must return real "
                    "floating-point numbers"
                )
            )


def detect(what: str, fun: Callable, given: ChosenArguments, local: bool) -> Sparsity:
    """Return the pattern of the Jacobian of a function of trees.

    `what` is the name of the caller, for messages. With `local`, the pattern is that at the given
    numbers; without, it holds for all arguments of the same types.
    """
    total, name = given.size, name_of(fun)
    trace = Dependence(total, name)
    values = given.leaves
    if local and any([isinstance(v, Tracer) for v in values]):
        raise with_user_line(
            TypeError(
                f"{what}: local=True asks for the pattern at the given numbers, which are not "
                "known while the program is traced; call it outside, or leave local out"
            )
        )
    # Numbers that are not known decide nothing: the pattern must hold whatever they are.
    if not local:
        values = [trace.unknown(typeof(v)) for v in values]
    tangents, start = [], 0
    for v in given.values:
        # Element j of this leaf is input start + j, counted through all leaves.
        sets = IndexSets.singles(v.size, start, total)
        tangents.append(trace.tracked(typeof(v).strong, sets))
        start += v.size
    try:
        # Known numbers are computed with, and may overflow: their warnings are none of the user's.
        with installed(trace), np.errstate(all="ignore"):
            flat = given.flat(fun, values[given.count :], name)
            outs, out_tangents = jvp_flat(flat, values[: given.count], tangents, name)
            check_results(what, outs)
            rows = [
                IndexSets.empty(typeof(o).size, total) if t is ZERO else trace.sets(t)
                for o, t in zip(outs, out_tangents)
            ]
    finally:
        trace.finished = True
    sets = joined(rows, total) if rows else IndexSets.empty(0, total)
    return Sparsity((sets.count, total), *sets.pairs())
