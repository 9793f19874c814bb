"""Families: rules that follow from a fact.

`Linear`: the tangent of the result is the primitive applied to the tangents. `Bilinear`: the
product rule. `Discrete`: no derivative. `HigherOrder`: operations on programs. The family
`Elementwise` stands with its table in `elementwise.py`, `Reduction` in `reduction.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .array import Array
from .constants import zeros_like
from .core import Primitive
from .jaxpr import eval_jaxpr, sub_jaxprs
from .partial import Parts, one_equation
from .stand_ins import ZERO, LinearInput


class Discrete(Primitive):
    """A function that is constant almost everywhere, or has integer results: its tangent is
    zero.
    """

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        out = self.bind(*primals)
        return out, [ZERO] * len(out) if self.multiple_results else ZERO


class Linear(Primitive):
    """Linear jointly in the operands at the positions `linear` (all by default); the rest, indices
    say, are fixed.
    """

    linear: tuple[int, ...] | None = None

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        positions = range(len(primals)) if self.linear is None else self.linear
        if all([tangents[i] is ZERO for i in positions]):
            return self.bind(*primals), ZERO
        return self.bind(*primals), self.linear_part(primals, tangents)

    def linear_part(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """The tangent of the result; the same map takes each coefficient of a power series."""
        if len(primals) == 1 and tangents[0] is not ZERO:
            return self.bind(*tangents)
        positions = range(len(primals)) if self.linear is None else self.linear
        args = list(primals)
        for i in positions:
            args[i] = zeros_like(primals[i]) if tangents[i] is ZERO else tangents[i]
        return self.bind(*args)


class Bilinear(Primitive):
    """Linear in each of two operands: the product rule, and two transposes of which one is called
    at a time.
    """

    bilinear = True

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (x, y), (dx, dy) = primals, tangents
        out = self.bind(x, y)
        if dy is ZERO:
            return out, ZERO if dx is ZERO else self.bind(dx, y)
        right = self.bind(x, dy)
        return out, right if dx is ZERO else self.bind(dx, y) + right

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        if type(x) is LinearInput:
            return self.transpose_lhs(ct, x, y), None
        return None, self.transpose_rhs(ct, x, y)

    def transpose_lhs(self, ct: Any, x: LinearInput, y: Any) -> Any:
        """The cotangent of the first operand, of which only the type is known."""
        raise self.missing("transpose_lhs", "reverse-mode differentiation")

    def transpose_rhs(self, ct: Any, x: Any, y: LinearInput) -> Any:
        """The cotangent of the second operand, of which only the type is known."""
        raise self.missing("transpose_rhs", "reverse-mode differentiation")


class HigherOrder(Primitive):
    """An operation that contains programs (jaxprs), and takes and returns lists of arrays.

    Forward interpreters (derivatives, batching, Taylor series, anybody's own) go through
    `interpret`; reverse mode through `partial` and `transpose_with`, which is handed the
    transposition of programs.
    """

    multiple_results = True
    holds_programs = True
    #: A Python function of arrays that evaluation calls instead of compiling a program.
    fun: Any = None
    #: Nobody has traced the function yet: a program gets what `closed` makes of the primitive.
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
        return [np.asarray(o) for o in self.evaluate(eval_jaxpr, [Array(a) for a in arrays])]

    def evaluate(self, run: Callable, arrays: Sequence[Any]) -> list[Any]:
        """The results on arrays, in eager mode; `run(jaxpr, arrays)` runs a compiled program."""
        found = self.__dict__.get("_program")
        if found is None:
            avals = [a.aval for a in arrays]
            found = one_equation(self, avals, self.abstract_eval(*[a.strong for a in avals]))
            self.__dict__["_program"] = found
        return run(found, arrays)

    def interpret(self, interpreter: Any, values: Sequence[Any]) -> list[Any]:
        """Apply to the interpreter's values: the same operation over a transformed program.

        The interpreter offers `flatten(values) -> arrays, statics`, `unflatten(statics, arrays) ->
        values`, `transform_jaxpr(jaxpr, statics, avals, wanted) -> jaxpr, consts, out_statics`, and
        what stands beside them in `transforms/interpreter.py`.
        """
        raise self.missing("interpret", "forward interpretation")

    def closed(self, args: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        """A lazy primitive as one that holds a program, and its operands: first those that the
        function closed over.
        """
        raise self.missing("closed", "staging")

    def whole(self, linear: Sequence[bool]) -> bool:
        """Whether it goes to the part of what depends on these operands as it stands, instead of
        being split by `partial`: it keeps its rules then, or they decide what it does. (No
        derivative is linear so, but what varies from step to step of a scan is split off, too.)
        """
        return False

    def partial(self, linear: Sequence[bool]) -> Parts:
        """Split by which operands are linear; each part is an operation of its own, or None if it
        has no results.
        """
        raise self.missing("partial", "linearization")

    def transpose_with(
        self, transpose_jaxpr: Any, cts: Sequence[Any], args: Sequence[Any]
    ) -> Sequence[Any]:
        """Like `transpose`, handed `transpose_jaxpr(jaxpr, linear, zero_cts) -> jaxpr, consts,
        which cts are zero`.
        """
        raise self.missing("transpose_with", "reverse-mode differentiation")
