"""The user's rules (functions of trees) as rules of flat arrays; what they return is checked.

The words of this file:

- a fixed argument is one in `nondiff_argnums`: it has no derivative. The forward rule gets all
  arguments in the function's order, all other rules get the fixed ones first;
- operands are the arrays that the primitive `CustomCall` is applied to: first the traced values
  among the leaves of the fixed arguments, `count` of them; then the leaves of all others;
- a hole is the position of such a traced value among the leaves of the fixed arguments.

Example: for `f(n, (x, y))` with the Python number n as a fixed argument, the operands are x and y
and `count` is 0. Were n a traced value, the operands would be n, x and y, and `count` 1.

Each method `apply_...` does three things: build the trees that the user's rule expects, call the
rule, and flatten and check what it returned. Start reading at `TreeRules.apply_jvp`. What a `Rules`
is, and which methods it has, is said in `rules.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...primitives.array import as_value
from ...primitives.constants import full_like
from ...primitives.core import Tracer, Value, describe, typeof, with_user_line
from ...primitives.stand_ins import ZERO, LinearInput
from ...primitives.support.errors import MismatchError, UnexpectedTracerError
from ...primitives.types import SCALARS, ShapedArray
from ...trees import tree
from ...trees.arguments import check_outputs, name_of
from ..tangents import from_tangent, tangent_aval
from .batch_derivatives import by_batch_rule
from .returned import derivative, flat_cotangents, flat_logs
from .rules import Rules
from .symbolic_zeros import CustomVJPPrimal, SymbolicZero


class StaticArguments:
    """A leaf of the arguments or residuals that is no array.

    Two of them are equal if their values are the same object, or equal strings, bytes, integers or
    booleans.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        if type(other) is not StaticArguments or type(self.value) is not type(other.value):
            return False
        return self.value is other.value or (
            type(self.value) in (str, bytes, int, bool) and self.value == other.value
        )

    def __hash__(self) -> int:
        if type(self.value) in (str, bytes, int, bool):
            return hash(self.value)
        return id(self.value)


def is_array(x: Any) -> bool:
    """Return whether a leaf is an array or a number."""
    return (
        isinstance(x, Value)
        or type(x) in SCALARS
        or (isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "biufcV")
    )


class TreeRules(Rules):
    """The rules of one function of the user for arguments of one structure and type.

    Operands are the traced values among the fixed arguments, and then the leaves of the others. The
    former have no tangent, as `Custom.__call__` puts `stop_gradient` around them; they are not
    among `Rules.constants`.

    `owner` is the `Custom` object (`api/custom.py`), `owner.rules` a `CustomArguments`: the user's
    own functions. `fixed` is (positions, tree, leaves) of the fixed arguments, kept as `numbers`,
    `fixed_tree` and `fixed_leaves`; a leaf is a `StaticArguments`, or None for a traced value.
    `in_tree` is the tree of the other arguments. `out_tree` and `out_avals` are those of the
    results, once they are known.
    """

    by_batching = staticmethod(by_batch_rule)

    def __init__(self, owner: Any, fixed: tuple, in_tree: Any, avals: Sequence[ShapedArray]):
        self.owner, self.in_tree, self.avals = owner, in_tree, avals
        self.name = owner.__name__
        self.numbers, self.fixed_tree, self.fixed_leaves = fixed
        self.holes = [i for i, s in enumerate(self.fixed_leaves) if s is None]
        self.count = len(self.holes)
        self.has_jvp, self.has_vjp = owner.rules.jvp is not None, owner.rules.fwd is not None
        self.has_batch, self.has_taylor = (
            owner.rules.batch is not None,
            owner.rules.taylor is not None,
        )
        self.linear = self._linear_operands()
        self.out_tree: Any = None
        self.out_avals: list[ShapedArray] | None = None

    # -- Arguments --

    def _fixed(self, operands: Sequence[Any]) -> list[Any]:
        """Return the fixed arguments, with the first operands in their holes."""
        traced = iter(operands)
        leaves = [next(traced) if s is None else s.value for s in self.fixed_leaves]
        return list(tree.unflatten(self.fixed_tree, leaves))

    def _args(self, operands: Sequence[Any], leaves: Sequence[Any] | None = None) -> list[Any]:
        """Return all arguments in their order.

        `leaves`, if given, replace the operands' own leaves of the arguments that are not fixed.
        """
        fixed = iter(self._fixed(operands))
        others = iter(self._tree(operands[self.count :] if leaves is None else leaves))
        total = len(self.numbers) + len(tree.treedef_children(self.in_tree))
        return [next(fixed) if i in self.numbers else next(others) for i in range(total)]

    def _tree(self, leaves: Sequence[Any]) -> tuple:
        """Return the arguments that are not fixed, from their leaves."""
        return tree.unflatten(self.in_tree, leaves)

    def _linear_operands(self) -> frozenset[int]:
        """Return the operands of the arguments in which the function is linear."""
        argnums = self.owner.rules.linear
        if argnums is None:
            return frozenset()
        operands, start, position = [], self.count, 0
        for child in tree.treedef_children(self.in_tree):
            # The children of `in_tree` are the arguments without the fixed ones: skip these to know
            # the position of a child in the call.
            while position in self.numbers:
                position += 1
            if argnums == "all" or position in argnums:
                operands += range(start, start + child.num_leaves)
            start, position = start + child.num_leaves, position + 1
        return frozenset(operands)

    def _call(self, rule: Callable, *args: Any) -> Any:
        """Call the user's rule; explain the error if it uses a value that is gone."""
        try:
            return rule(*args)
        except UnexpectedTracerError as error:
            raise with_user_line(
                UnexpectedTracerError(
                    f"{name_of(rule)}, of the function {self.name} that has rules of its own, uses "
                    "a traced value that it closed over, and the transformation that owns it is "
                    "not there any more. Make it an argument of the function (in a backward rule, "
                    "a residual)"
                )
            ) from error

    # -- Results --

    def _results(self, out: Any, what: str, rule: Callable | None = None) -> list[Any]:
        """Return the leaves of a result, and remember its structure.

        Without `rule`, `out` is the result of the function itself. With it, `out` is what a rule
        says that the function's result is, and is checked against the function.
        """
        outs, structure = tree.flatten(out)
        outs = check_outputs(outs, out, name_of(rule) if rule else self.name)
        avals = [typeof(o) for o in outs]
        if rule is not None and self.out_avals is not None:
            what = f"{name_of(rule)}, {what} of {self.name}"
            self._same_structure(f"{what}, must return", self.out_tree, structure, self.name)
            for i, (aval, expected) in enumerate(zip(avals, self.out_avals)):
                self._same_type(f"{what}: the result", out, i, aval, expected, self.name)
        self.out_tree = structure
        if rule is None:
            self.out_avals = avals
        return outs

    def _same_structure(self, what: str, expected: Any, found: Any, source: str) -> None:
        """Check that a structure is as expected; MismatchError if not."""
        if expected != found:
            difference = tree.first_difference(expected, found, names=("it", "the rule's"))
            raise with_user_line(
                MismatchError(f"{what} the structure of {source}'s result: {difference}")
            )

    def _same_type(
        self, what: str, full: Any, index: int, found: ShapedArray, expected: ShapedArray, who: str
    ) -> None:
        """Check that shape and dtype of the leaf `index` are as expected; MismatchError if not."""
        if found.shape != expected.shape or found.dtype != expected.dtype:
            path = tree.keystr(tree.leaves_with_path(full)[index][0])
            raise with_user_line(
                MismatchError(
                    f"{what}{f' at {path}' if path else ''} must be {expected.strong} as that of "
                    f"{who}, got {found.strong}"
                )
            )

    def _pair(self, out: Any, rule: Callable, what: str, parts: str) -> Any:
        """Check that a rule returned a pair; TypeError if not."""
        if not isinstance(out, (tuple, list)) or len(out) != 2:
            raise with_user_line(
                TypeError(
                    f"{name_of(rule)}, {what} of {self.name}, must return a pair ({parts}), got "
                    f"{describe(out)}"
                )
            )
        return out

    # -- The function and its rules --

    def fun(self, *operands: Any) -> Sequence[Any]:
        out = self._call(self.owner.fun, *self._args(operands))
        return self._results(out, "the function")

    def apply_jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Call the jvp rule -> (results, their tangents).

        The rule gets the fixed arguments, then all primals and all tangents, each as one tuple.
        """
        rule, symbolic = self.owner.rules.jvp, self.owner.rules.jvp_symbolic
        moves = [
            self._shown(t, aval, symbolic)
            for t, aval in zip(tangents[self.count :], self.avals[self.count :])
        ]
        arguments = self._tree(primals[self.count :]), self._tree(moves)
        out = self._call(rule, *self._fixed(primals), *arguments)
        result, moved = self._pair(out, rule, "the jvp rule", "result, tangent of the result")
        outs = self._results(result, "the jvp rule", rule)
        ts, structure = tree.flatten(moved)
        what = f"{name_of(rule)}, the jvp rule of {self.name}"
        if structure != self.out_tree:
            difference = tree.first_difference(
                self.out_tree, structure, names=("the result", "the tangent")
            )
            raise with_user_line(
                TypeError(
                    f"{what}: the tangent must have the structure of the result: {difference}"
                )
            )
        paths = [tree.keystr(path) for path, _ in tree.leaves_with_path(moved)]
        out_tangents = [
            derivative(t, typeof(o), f"{what}: the tangent{f' at {p}' if p else ''}")
            for t, o, p in zip(ts, outs, paths)
        ]
        return outs, out_tangents

    def _shown(self, t: Any, aval: ShapedArray, symbolic: bool) -> Any:
        """Return what a rule sees of a tangent or cotangent."""
        if symbolic and t is ZERO:
            return SymbolicZero(tangent_aval(aval))
        return from_tangent(t, aval)

    def apply_fwd(self, primals: Sequence[Any], perturbed: Sequence[bool]) -> tuple:
        """Call the forward rule -> (results, residuals, aux).

        Leaves of the residuals that are no arrays are static and go with `aux`: for the residuals
        (x, "mode"), the arrays are [x] and `static` is [None, "mode"].
        """
        rule = self.owner.rules.fwd
        leaves = primals[self.count :]
        if self.owner.rules.vjp_symbolic:
            leaves = [CustomVJPPrimal(x, p) for x, p in zip(leaves, perturbed[self.count :])]
        out = self._call(rule, *self._args(primals, leaves))
        result, kept = self._pair(out, rule, "the forward rule", "result, residuals")
        outs = self._results(result, "the forward rule", rule)
        residuals, structure = tree.flatten(kept)
        # None marks the residuals that are arrays.
        static = [None if is_array(r) else StaticArguments(r) for r in residuals]
        arrays = [as_value(r) for r, s in zip(residuals, static) if s is None]
        aux = structure, static, self.out_tree, [typeof(o) for o in outs]
        return outs, [*primals[: self.count], *arrays], aux

    def apply_bwd(
        self, aux: Any, residuals: Sequence[Any], cts: Sequence[Any]
    ) -> tuple[list[Any], Any]:
        """Call the backward rule, with the `aux` of `apply_fwd` -> a cotangent for each operand,
        and (structure, leaves) of what it logs.
        """
        structure, static, out_tree, out_avals = aux
        rule, symbolic = self.owner.rules.bwd, self.owner.rules.vjp_symbolic
        arrays = iter(residuals[self.count :])
        kept = [next(arrays) if s is None else s.value for s in static]
        pulled = [self._shown(c, aval, symbolic) for c, aval in zip(cts, out_avals)]
        cotangents = self._call(
            rule,
            *self._fixed(residuals),
            tree.unflatten(structure, kept),
            tree.unflatten(out_tree, pulled),
        )
        what, logs = f"{name_of(rule)}, the backward rule of {self.name}", None
        if self.owner.rules.logs:
            cotangents, logs = self._pair(cotangents, rule, "the backward rule", "cotangents, logs")
            logs = flat_logs(logs, what)
        return [ZERO] * self.count + self._cotangents(cotangents, what), logs

    def _cotangents(self, found: Any, what: str) -> list[Any]:
        """Return the leaves of what a rule returned as the cotangents of the arguments."""
        avals = self.avals[self.count :]
        return flat_cotangents(found, self.in_tree, avals, self._positions(), what)

    def _positions(self) -> list[int]:
        """Return the positions of the arguments that are not fixed."""
        total = len(self.numbers) + len(tree.treedef_children(self.in_tree))
        return [i for i in range(total) if i not in self.numbers]

    def apply_batch(self, size: int, batched: Sequence[bool], args: Sequence[Any]) -> tuple:
        """Call the batching rule -> (results, which of them are batched).

        Besides the arguments, the rule gets the batch's size and which parts of each are batched.
        """
        rule = self.owner.rules.batch
        if any(batched[: self.count]):
            raise with_user_line(
                TypeError(
                    f"{name_of(rule)}, the batching rule of {self.name}: vmap maps over an "
                    "argument in nondiff_argnums, of which the rule is not told; make it an "
                    "ordinary argument"
                )
            )
        flags = list(self._tree(batched[self.count :]))
        arguments = list(self._tree(args[self.count :]))
        out = self._call(rule, *self._fixed(args), size, flags, *arguments)
        pair = self._pair(out, rule, "the batching rule", "result, which of it is batched")
        outs, structure = tree.flatten(pair[0])
        outs = check_outputs(outs, pair[0], name_of(rule))
        are_batched, flag_structure = tree.flatten(pair[1])
        what = f"{name_of(rule)}, the batching rule of {self.name}"
        if structure != flag_structure:
            difference = tree.first_difference(
                structure, flag_structure, names=("the result", "what says which of it is batched")
            )
            raise with_user_line(MismatchError(f"{what}: two structures: {difference}"))
        for i, (o, b) in enumerate(zip(outs, are_batched)):
            path = tree.keystr(tree.leaves_with_path(pair[0])[i][0])
            self._check_batched(f"{what}: the result{f' at {path}' if path else ''}", o, b, size)
        if self.out_avals is not None:
            self._same_structure(f"{what}, must return", self.out_tree, structure, self.name)
            for i, (o, b, expected) in enumerate(zip(outs, are_batched, self.out_avals)):
                full = expected.update((size, *expected.shape)) if b else expected
                self._same_type(f"{what}: the result", pair[0], i, typeof(o), full, self.name)
        self.out_tree = structure
        return outs, are_batched

    def _check_batched(self, what: str, out: Value, there: Any, size: int) -> None:
        """Check what a batching rule said of one result; TypeError if it cannot be."""
        if not isinstance(there, (bool, np.bool_)):
            raise with_user_line(
                TypeError(f"{what} is said to be batched or not by True or False, got {there!r}")
            )
        if there and (not out.ndim or out.shape[0] != size):
            raise with_user_line(
                TypeError(
                    f"{what} is said to be batched, so its axis 0 must have the size {size}, got "
                    f"{describe(out)}"
                )
            )

    def apply_taylor(self, order: int, series: Sequence[Any]) -> list[list[Any]]:
        """Call the Taylor rule, which takes for each argument the list of its coefficients.

        `series` holds a list for each operand. For operands [a0, a1] and [b0, b1] of one argument,
        the rule gets the list [tree of (a0, b0), tree of (a1, b1)].
        """
        rule = self.owner.rules.taylor
        fill = lambda c, aval: full_like(aval, 0) if c is ZERO else c
        rows = [[fill(c, a) for c in s] for s, a in zip(series, self.avals)][self.count :]
        columns = [self._tree([row[k] for row in rows]) for k in range(order + 1)]
        arguments = [list(parts) for parts in zip(*columns)]
        result = self._call(rule, *self._fixed([s[0] for s in series]), order, *arguments)
        what = f"{name_of(rule)}, the Taylor rule of {self.name}"
        if not isinstance(result, (list, tuple)) or len(result) != order + 1:
            raise with_user_line(
                TypeError(
                    f"{what} must return a list of {order + 1} coefficients, got {describe(result)}"
                )
            )
        outs = self._results(result[0], "the Taylor rule", rule)
        avals = [typeof(o) for o in outs]
        out = [[o] for o in outs]
        for k, coefficient in enumerate(result[1:], 1):
            leaves, structure = tree.flatten(coefficient)
            self._same_structure(f"{what}: coefficient {k} must have", self.out_tree, structure,
                                 "coefficient 0")  # fmt: skip
            for row, c, aval in zip(out, leaves, avals):
                row.append(derivative(c, aval, f"{what}: coefficient {k}"))
        return out

    def apply_transpose(self, cts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        """Call the transposition with the cotangent, and the arguments in which it is not linear.

        It returns a cotangent for each argument in which the function is linear.
        """
        rule, argnums = self.owner.rules.transpose, self.owner.rules.linear
        assert self.out_avals is not None
        pulled = [from_tangent(c, aval) for c, aval in zip(cts, self.out_avals)]
        ct = tree.unflatten(self.out_tree, pulled)
        # The linear operands have no values: they are stand-ins. They are not among `others`.
        leaves = [ZERO if type(a) is LinearInput else a for a in args]
        positions = self._positions()
        others = [
            x
            for x, n in zip(self._tree(leaves[self.count :]), positions)
            if argnums != "all" and n not in argnums
        ]
        cotangents = self._call(rule, *self._fixed(args), ct, *others)
        what = f"{name_of(rule)}, the transposition of {self.name}"
        linear = [n for n in positions if argnums == "all" or n in argnums]
        if len(linear) == 1 and not isinstance(cotangents, tuple):
            cotangents = (cotangents,)
        if not isinstance(cotangents, tuple) or len(cotangents) != len(linear):
            raise with_user_line(
                TypeError(
                    f"{what} must return {len(linear)} cotangents, one for each argument that it "
                    f"is linear in, got {describe(cotangents)}"
                )
            )
        by_position = dict(zip(linear, cotangents))
        full = self._cotangents(tuple([by_position.get(n) for n in positions]), what)
        return [None] * self.count + full


def traced(x: Any) -> bool:
    """Return whether a leaf of a fixed argument is an operand: it has no numbers of its own."""
    return isinstance(x, Tracer)
