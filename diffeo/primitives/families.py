"""Families: base classes that derive a primitive's rules from a fact about it.

- `Linear`: the tangent of the result is the primitive applied to the tangents.
- `Bilinear`: the product rule.
- `Discrete`: the tangent is zero.
- `HigherOrder`: an operation that has programs among its parameters, such as a call or a loop.

A primitive that belongs to none of them defines `jvp` itself (see `Primitive` in `core.py`). Two
more families stand beside their members: `Elementwise` in `words/elementwise.py`, `Reduction` in
`words/reduction.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .array import Array, as_value
from .constants import zeros_like
from .core import Primitive, Value
from .jaxpr import eval_jaxpr, sub_jaxprs
from .partial import Parts, one_equation
from .stand_ins import ZERO, LinearInput


class Discrete(Primitive):
    """A function that is constant almost everywhere, or has integer results. Its tangent is
    zero.
    """

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        out = self.bind(*primals)
        return out, [ZERO] * len(out) if self.multiple_results else ZERO

    def taylor(self, series: Any, args: Sequence[Any]) -> Any:
        out = self.bind(*[a[0] for a in args])
        return [series.lift(o) for o in out] if self.multiple_results else series.lift(out)


class Linear(Primitive):
    """A function that is linear, jointly, in the operands at the positions `linear`.

    By default these are all operands. The others (indices, say) are fixed: they keep their value
    and have no tangent.
    """

    linear: tuple[int, ...] | None = None

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        positions = range(len(primals)) if self.linear is None else self.linear
        if all([tangents[i] is ZERO for i in positions]):
            return self.bind(*primals), ZERO
        return self.bind(*primals), self.linear_part(primals, tangents)

    def linear_part(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Return the tangent of the result: the function itself, applied to the tangents.

        (This is not the linear part of an operation that is split, as in `partial.py`.)

        Each coefficient of a power series goes through the same map, in Taylor mode.
        """
        if len(primals) == 1 and tangents[0] is not ZERO:  # the usual case, made short
            return self.bind(*tangents)
        positions = range(len(primals)) if self.linear is None else self.linear
        args = list(primals)
        for i in positions:
            args[i] = zeros_like(primals[i]) if tangents[i] is ZERO else tangents[i]
        return self.bind(*args)


class Bilinear(Primitive):
    """A function that is linear in each of its two operands, as a product is.

    `jvp` is the product rule. A program to transpose is linear in one of the two operands only, so
    each side has a transpose of its own.
    """

    bilinear = True

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (x, y), (dx, dy) = primals, tangents
        out = self.bind(x, y)
        if dy is ZERO:
            return out, ZERO if dx is ZERO else self.bind(dx, y)
        right = self.bind(x, dy)  # d(x y) = dx y + x dy
        return out, right if dx is ZERO else self.bind(dx, y) + right

    def transpose(self, ct: Value, x: Any, y: Any) -> Sequence[Any]:
        if type(x) is LinearInput:
            return self.transpose_lhs(ct, x, y), None
        return None, self.transpose_rhs(ct, x, y)

    def transpose_lhs(self, ct: Any, x: LinearInput, y: Any) -> Any:
        """Return the cotangent of the first operand, of which only the type is known."""
        raise self.missing("transpose_lhs", "reverse-mode differentiation")

    def transpose_rhs(self, ct: Any, x: Any, y: LinearInput) -> Any:
        """Return the cotangent of the second operand, of which only the type is known."""
        raise self.missing("transpose_rhs", "reverse-mode differentiation")


class HigherOrder(Primitive):
    """An operation that contains programs (jaxprs), and takes and returns lists of arrays.

    Forward interpreters (derivatives, batching, Taylor series, anybody's own) go through
    `interpret`, which binds the same operation over transformed programs.

    Reverse mode goes another way, since it needs tangents and primals apart: `partial` splits the
    operation into a known and a linear part, and `transpose_with` transposes the linear part.
    `whole` says that the operation is not to be split.

    Some operations start as a Python function without a program: see `fun`, `lazy` and `closed`.

    `Call` in `programs/call.py` is the shortest example.
    """

    multiple_results = True
    #: True also while the program is still a Python function (`lazy`).
    holds_programs = True
    #: A Python function of arrays that computes the same, or None. Evaluation calls it instead of
    #: compiling a program, linearization instead of splitting the operation.
    fun: Any = None
    #: Whether it holds a Python function that nobody has traced yet. A program that is being
    #: written records what `closed` returns instead.
    lazy = False

    @property
    def names(self) -> Any:
        """The named axes that its programs speak of."""
        return frozenset().union(*[jaxpr.names for jaxpr in sub_jaxprs(self)])

    @property
    def effects(self) -> Any:
        """What its programs do besides computing their results."""
        return frozenset().union(*[jaxpr.effects for jaxpr in sub_jaxprs(self)])

    def impl(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return [as_value(o).host for o in self.evaluate(eval_jaxpr, [Array(a) for a in arrays])]

    def evaluate(self, run: Callable, arrays: Sequence[Any]) -> list[Any]:
        """Compute the results on arrays, in eager mode.

        By default the operation is handed to `run(jaxpr, arrays)` as a program of one equation.
        Evaluation's `run` compiles the program.
        """
        program = self.__dict__.get("_program")
        if program is None:
            avals = [a.aval for a in arrays]
            program = one_equation(self, avals, self.abstract_eval(*[a.strong for a in avals]))
            self.__dict__["_program"] = program
        return run(program, arrays)

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        """Apply the operation to an interpreter's values, by the same operation over a transformed
        program.

        The interpreter offers `flatten(values) -> arrays, statics`, `unflatten(statics, arrays) ->
        values`, `transform_jaxpr(jaxpr, statics, avals, wanted) -> jaxpr, consts, out_statics`, and
        more, which `transforms/interpreter.py` describes.
        """
        raise self.missing("interpret", "forward interpretation")

    def closed(self, args: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        """Return a lazy primitive with its function traced, as (primitive, operands).

        The new primitive holds a program. Its operands are first the values that the function
        closed over, then `args`.
        """
        raise self.missing("closed", "staging")

    def whole(self, linear: Sequence[bool]) -> bool:
        """Return whether the operation goes to the linear half unchanged, instead of being split by
        `partial`.

        True where it cannot be split: a conditional whose index is linear, as the branch that is
        run is not known. (An index has no tangent, but `Scan._parts` splits the known step once
        more, by what varies from step to step, and calls that linear.) True, too, where splitting
        would lose a rule of the user's.

        Args:
            linear: for each operand, whether it is linear; at least one is.
        """
        return False

    def partial(self, linear: Sequence[bool]) -> Parts:
        """Split the operation by which of its operands are linear.

        Each part is an operation of its own. The known part is None if it has no results.
        """
        raise self.missing("partial", "linearization")

    def transpose_with(
        self, transpose_jaxpr: Callable, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        """Return the cotangents of the operands, as `transpose` does.

        The transposition of programs arrives as an argument, since it is of a higher floor (see
        docs/architecture.md):
        `transpose_jaxpr(jaxpr, linear, zero_cts) -> jaxpr, consts, zero_outs`. Its results are the
        transposed program, the values that are to be its first operands, and for each linear input
        whether its cotangent is `ZERO`, which the program then does not return.

        Args:
            transpose_jaxpr: the transposition of programs.
            cts: the cotangents of the results; one may be `ZERO`.
            args: the operands; a `LinearInput` for each linear one.
        """
        raise self.missing("transpose_with", "reverse-mode differentiation")
