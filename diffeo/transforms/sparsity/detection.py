"""Which entries of a Jacobian may be nonzero, from a run of its derivative with index sets."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...primitives.core import Tracer, describe, state, typeof, with_user_line
from ...primitives.stand_ins import ZERO
from ...primitives.types import is_inexact
from ...trees import tree
from ...trees.arguments import argument, as_values, check_argnums, name_of
from ...trees.functions import Flat, of_chosen
from ..jvp import jvp_flat
from .dependence import Dependence
from .index_sets import IndexSets, joined
from .pattern import Sparsity


class ChosenArguments:
    """The arguments of a call as leaves: those by which is differentiated first, then the rest."""

    def __init__(self, what: str, args: Sequence[Any], kwargs: dict, argnums: Any):
        self.numbers = check_argnums(argnums, len(args), what)
        chosen = tuple([args[n] for n in self.numbers])
        rest = tuple([None if i in self.numbers else a for i, a in enumerate(args)])
        leaves, self.structure = tree.flatten(chosen)
        self.count = len(leaves)
        given, self.rest = tree.flatten((rest, kwargs))
        self.values = as_values(leaves, what, chosen, self.numbers)
        self.others = as_values(given, what, (rest, kwargs))
        for i, v in enumerate(self.values):
            if not is_inexact(v.dtype) or v.dtype.kind == "c":
                where = argument(chosen, i, self.numbers)
                raise with_user_line(
                    TypeError(
                        f"{what}: {where} must be of real floating-point numbers, got "
                        f"{describe(v)}; leave arguments of other types out of argnums, and take a "
                        "complex number apart into its real and imaginary part"
                    )
                )

        self.avals = [typeof(v) for v in self.leaves]
        self.key = (self.structure, self.rest, *[a.strong for a in self.avals])

    def without_values(self) -> ChosenArguments:
        """The same without the numbers."""
        found = copy.copy(self)
        found.values = found.others = []
        return found

    def describe(self) -> str:
        """The types, for messages."""
        return ", ".join(map(str, self.avals)) or "nothing"

    @property
    def leaves(self) -> list[Any]:
        """All leaves."""
        return [*self.values, *self.others]

    @property
    def size(self) -> int:
        """The number of elements by which is differentiated."""
        return sum([v.size for v in self.values])

    def flat(self, fun: Any, others: Sequence[Any], name: str) -> Flat:
        """The function of the chosen leaves, given the others."""
        rest, kwargs = tree.unflatten(self.rest, others)
        return Flat(of_chosen(fun, rest, kwargs, self.numbers), self.structure, name)


def check_results(what: str, outs: Sequence[Any]) -> None:
    """TypeError unless results are real numbers with derivatives."""
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
    """The pattern of the Jacobian of a function of trees."""
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
    if not local:
        values = [trace.unknown(typeof(v)) for v in values]
    tangents, at = [], 0
    for v in given.values:
        sets = IndexSets.singles(v.size, at, total)
        tangents.append(trace.tracked(typeof(v).strong, sets))
        at += v.size
    before, source = state.trace, state.source
    state.trace = trace
    try:
        flat = given.flat(fun, values[given.count :], name)
        with np.errstate(all="ignore"):
            outs, moved = jvp_flat(flat, values[: given.count], tangents, name)
        check_results(what, outs)
        found = [IndexSets.empty(typeof(o).size, total) if t is ZERO else trace.sets(t)
                 for o, t in zip(outs, moved)]  # fmt: skip
    finally:
        state.trace, state.source, trace.finished = before, source, True
    sets = joined(found, total) if found else IndexSets.empty(0, total)
    return Sparsity((sets.count, total), *sets.pairs())
