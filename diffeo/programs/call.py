"""`Call`, a program as one operation, which is what jit binds; and what all operations on programs
use: their checks, their size, and lists that are taken apart.

The choice between programs stands in `cond.py`, the loops in `scan.py` and `while_loop.py`. `Call`
is the simplest of them, so start reading here: `interpret` for forward transformations, `partial`
and `transpose_with` for reverse mode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any

from ..primitives.array import committed_to, variant
from ..primitives.builder import LoweringContext
from ..primitives.core import Value, typeof, with_user_line
from ..primitives.families import HigherOrder
from ..primitives.jaxpr import Jaxpr, eval_jaxpr
from ..primitives.partial import Parts, partial_jaxpr
from ..primitives.stand_ins import ZERO, LinearInput
from ..primitives.support.frozen import frozen
from ..primitives.support.lists import woven
from ..primitives.types import ShapedArray
from ..primitives.words.elementwise import select
from ..primitives.words.structural import broadcast_in_dim

#: Programs of so many operations, counting each repetition, are evaluated by NumPy in eager mode;
#: larger loops are compiled.
SMALL = 2000


def work(jaxpr: Jaxpr) -> int:
    """Return the number of operations that evaluating a program takes, roughly."""
    total = jaxpr.memo.get("work")
    if total is None:
        # Operations on programs have an attribute `work`; any other primitive counts as one.
        total = sum([getattr(eqn.primitive, "work", 1) for eqn in jaxpr.eqns])
        jaxpr.memo["work"] = total
    return total


def check_operands(name: str, expected: Sequence[ShapedArray], avals: Sequence[Any]) -> None:
    """Raise a TypeError unless the operands have the types that a program expects."""
    if [a.strong for a in avals] != [a.strong for a in expected]:
        raise TypeError(f"{name}: expects {list(expected)}, got {list(avals)}")


def typed(arrays: Sequence[Any], avals: Sequence[ShapedArray]) -> list[Any]:
    """Return arrays that are as weak as a program says, whatever the weakness of its operands."""
    return [
        x if x.weak_type == a.weak_type else variant(x, a.weak_type, committed_to(x))
        for x, a in zip(arrays, avals)
    ]


def split_list(items: Sequence[Any], *counts: int) -> list[list[Any]]:
    """Split a list into pieces of these lengths, and the remaining items.

    Examples:
        >>> split_list("abcde", 1, 2)
        [['a'], ['b', 'c'], ['d', 'e']]
    """
    pieces, at = [], 0
    for n in counts:
        pieces.append(list(items[at : at + n]))
        at += n
    return [*pieces, list(items[at:])]


def select_each(flag: Value, on_true: Sequence[Any], on_false: Sequence[Any]) -> list[Any]:
    """Return one list of arrays or the other, by a scalar flag."""
    return [
        select(broadcast_in_dim(flag, a.shape, ()) if a.shape else flag, a, b)
        for a, b in zip(on_true, on_false)
    ]


def check_all_parts_act(primitive: HigherOrder, interpreter: Any) -> None:
    """Raise an error for a choice that parts of its operands take differently, if it has I/O
    effects.

    All branches are computed then, or all steps for all parts, so the effects would happen for all.
    """
    if "io" in primitive.effects:
        raise with_user_line(
            NotImplementedError(
                f"{primitive.name} with an io_callback inside: in {interpreter.describe()}, its "
                "predicate is not the same everywhere, so every branch or step is computed for "
                "all, and the callback would be called where it must not be; hand the predicate "
                "to a callback that stands outside, or choose with a value that is not mapped"
            )
        )


@frozen
class Call(HigherOrder):
    """Call a program that has no constants of its own: one function of the compiled module.

    In eager mode it is compiled if `compile` says so; else its equations are evaluated.
    """

    jaxpr: Jaxpr
    compile: bool = True

    @property
    def out_avals(self) -> list[ShapedArray]:
        """The types of the results."""
        return self.jaxpr.out_avals

    @property
    def work(self) -> int:
        """The number of operations that the call takes, roughly; see the function `work`."""
        return work(self.jaxpr)

    def of(self, jaxpr: Jaxpr) -> Call:
        """Return the same operation on another program."""
        return replace(self, jaxpr=jaxpr)

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        check_operands(f"call of {self.jaxpr.name}", self.jaxpr.in_avals, avals)
        return self.jaxpr.out_avals

    def evaluate(self, run: Callable, arrays: Sequence[Any]) -> list[Any]:
        if self.compile:
            return run(self.jaxpr, arrays)
        return typed(eval_jaxpr(self.jaxpr, arrays), self.out_avals)

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return ctx.call(self.jaxpr, values)

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        # For JVP and the values [(x, dx), (y, ZERO)]: `arrays` are [x, dx, y] and `statics` are
        # (True, False). `jaxpr` is a program (x, dx, y) -> (out, dout), with `out_statics` (True,).
        # The results of its call, [out, dout], become [(out, dout)].
        arrays, statics = interpreter.flatten(values)
        avals = [typeof(a) for a in arrays]
        jaxpr, consts, out_statics = interpreter.transform_jaxpr(self.jaxpr, statics, avals)
        outs = self.of(jaxpr).bind(*consts, *arrays)
        return interpreter.unflatten(out_statics, outs)

    def partial(self, linear: Sequence[bool]) -> Parts:
        known, tangent, linear_outs, sources = partial_jaxpr(self.jaxpr, linear)
        return Parts(
            Call(known, self.compile) if known.outs or known.effects else None,
            Call(tangent, self.compile),
            linear_outs,
            sources,
        )

    def transpose_with(
        self, transpose_jaxpr: Callable, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        linear = tuple([type(a) is LinearInput for a in args])
        zero_cts = tuple([ct is ZERO for ct in cts])
        jaxpr, consts, zero_outs = transpose_jaxpr(self.jaxpr, linear, zero_cts)
        residuals = [a for a, lin in zip(args, linear) if not lin]
        nonzero_cts = [ct for ct in cts if ct is not ZERO]
        cotangents = iter(self.of(jaxpr).bind(*consts, *residuals, *nonzero_cts))
        # ZERO where the transposed program returns nothing, None where an operand is not linear.
        linear_cts = iter(woven(zero_outs, repeat(ZERO), cotangents))
        return woven(linear, linear_cts, repeat(None))
