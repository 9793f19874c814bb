"""Forward interpreters: the protocol that JVP, batching, Taylor series and everybody's own
transformation share.

An interpreter is a *value type* (a dual number, an array with a batch axis, an interval ...) and a
rule per primitive. Operations on programs (`Call`) are lifted once, here, for all of them: a value
is split into arrays and a static part, the program is transformed for these static parts, and its
results are put together again.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from ..primitives.core import (
    Primitive,
    Trace,
    Tracer,
    state,
    typeof,
    user_source,
    with_user_line,
)
from ..primitives.jaxpr import Jaxpr, eval_jaxpr
from ..primitives.staging import stage
from ..primitives.types import ShapedArray
from ..trees import tree


class Boxed(Tracer):
    """A tracer that carries an interpreter's value."""

    __slots__ = ("_aval", "value")

    def __init__(self, trace: Interpreter, value: Any):
        self.owner, self.value, self._aval = trace, value, None

    @property
    def aval(self) -> ShapedArray:  # type: ignore[override]
        aval = self._aval
        if aval is None:
            aval = self._aval = self.owner.aval(self.value)  # type: ignore[attr-defined]
        return aval

    def concrete(self) -> Any:
        primal = self.owner.concrete(self.value)  # type: ignore[attr-defined]
        return primal.concrete() if isinstance(primal, Tracer) else primal

    def origin(self) -> str:
        return f"a value inside {self.owner.describe()}"  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"{type(self.owner).__name__}<{self.value!r}>"


tree.never_containers(Boxed)


class Interpreter(Trace):
    """Base class of transformations. Subclass it to write your own; control flow, jit, vmap and
    grad come free.

    A subclass says

    - `lift(x)`: the value of a constant `x` (an array, or a Python scalar);
    - `rule(primitive, values)`: the value of the result (a list of them if
      `primitive.multiple_results`);
    - `split(value) -> (arrays, static)` and `build(static, arrays) -> value`: a value taken apart
      into arrays and a hashable rest, and put together again (by default a value is a tuple of
      arrays);
    - `aval(value)`: the type that the program sees (by default that of the first array);
    - `key()`: what distinguishes differently configured interpreters of one class (by default
      nothing);
    - for control flow that depends on a value: `decides(value)`, or else `anywhere(value)` and
      `mixes`;
    - for the carries of loops whose static parts change: `join(a, b)` and `widen(value, static)`;
    - `result(value)`: what `run` returns of a value (by default the value).

    Rules run in the surrounding context, with ordinary arrays (or tracers of outer
    transformations), so whatever they compute can itself be differentiated, vectorised and
    compiled.

    `run(fun, *values)` applies the transformation to one call of `fun`.

    See docs/your-own-transformation.md for interval arithmetic written with it.
    """

    #: Whether the rule of `select` may mix its operands where a predicate does not decide, as a
    #: hull of intervals does. Then a loop goes on with the new carry alone, and mixes what is done
    #: into its result only; the old carry, mixed in, would never be done.
    mixes = False
    #: Whether there is a rule for every primitive, so that others may bind what they like.
    complete = False

    def lift(self, x: Any) -> Any:
        """The value of a constant."""
        raise NotImplementedError(f"{type(self).__name__} must define lift(x)")

    def rule(self, primitive: Primitive, values: Sequence[Any]) -> Any:
        """The value of `primitive` applied to values."""
        raise NotImplementedError(f"{type(self).__name__} must define rule(primitive, values)")

    def split(self, value: Any) -> tuple[Sequence[Any], Any]:
        """A value as arrays and a static, hashable rest."""
        return tuple(value), len(value)

    def build(self, static: Any, arrays: Sequence[Any]) -> Any:
        """A value from what `split` made of it."""
        return tuple(arrays)

    def count(self, static: Any) -> int:
        """How many arrays a value with this static part has."""
        return static

    def join(self, a: Any, b: Any) -> Any:
        """The least static part that can represent values of either; for the carries of loops."""
        if a != b:
            raise TypeError(
                f"{type(self).__name__} does not know a common form of {a} and {b}: define join"
            )
        return a

    def widen(self, value: Any, static: Any) -> Any:
        """The same value with another static part, one that `join` made of its own."""
        if self.split(value)[1] != static:
            raise with_user_line(
                TypeError(
                    f"{type(self).__name__}: a value with the static part {self.split(value)[1]} "
                    f"must become one with {static} where branches or steps meet: define widen"
                )
            )
        return value

    def decides(self, value: Any) -> Any:
        """The array by which `cond` and `while_loop` decide for a predicate's value; None (the
        default) if parts of what it stands for may decide differently, as the rows of a batch do.

        Then a conditional computes all of its branches, and chooses by the rule of `select`; a
        loop goes on while the predicate holds `anywhere`, and parts that are done stay as they
        are, by the rule of `select` (see `mixes`).
        """
        return None

    def anywhere(self, value: Any) -> Any:
        """One boolean: whether a predicate's value may hold for any part of what it stands for."""
        raise with_user_line(
            NotImplementedError(
                f"{type(self).__name__}: a loop's condition depends on a value of this "
                "transformation; define decides(value) or anywhere(value)"
            )
        )

    def unstack(self, value: Any) -> Any:
        """A value that a scan goes through, as arrays that have the axis of its steps in front and
        the static part of one step.
        """
        return value

    def stacked(self, static: Any) -> Any:
        """The static part of a value whose arrays are those of all steps, stacked in front."""
        return static

    def result(self, value: Any) -> Any:
        """What `run` returns where the function returned this value."""
        return value

    def aval(self, value: Any) -> ShapedArray:
        """The type of the array that a value stands for."""
        return typeof(value[0])

    def concrete(self, value: Any) -> Any:
        """An array of the numbers that a value stands for, if they are known, for Python's `if`
        and `float`.
        """
        return None

    def key(self) -> Any:
        """Hashable; interpreters of one class with equal keys transform a program alike."""
        return ()

    def describe(self) -> str:
        """What messages call the transformation."""
        return type(self).__name__

    def missing(self, primitive: Primitive) -> Exception:
        """The error that `rule` raises for a primitive that it does not know."""
        return with_user_line(
            NotImplementedError(
                f"{type(self).__name__} has no rule for the primitive '{primitive.name}'; write "
                "one, or write the function with other operations"
            )
        )

    # -- The machinery --

    #: The named axes that this transformation binds, and their sizes.
    named_axes: Mapping[Hashable, int] = {}

    def wrap(self, value: Any) -> Any:
        """What the user's program sees of a value."""
        return Boxed(self, value)

    def unwrap(self, x: Any) -> Any:
        """The value of what a user's program returned."""
        return x.value if type(x) is Boxed and x.owner is self else self.lift(x)

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        for a in args:
            if type(a) is Boxed and a.owner is self:
                break
        else:  # nothing here is its business, unless it owns a named axis
            if not primitive.names or self.named_axes.keys().isdisjoint(primitive.names):
                return self.parent.process(primitive, args)
        values = [self.unwrap(a) for a in args]
        before, source = state.trace, state.source
        state.trace = self.parent
        if source is None:  # all that the rule binds comes from this line
            state.source = user_source()
        try:
            out = (
                primitive.interpret(self, values)
                if primitive.holds_programs  # type: ignore[attr-defined]
                else self.rule(primitive, values)
            )
        except NotImplementedError:
            if not primitive.optional:
                raise
            out = values[0]
        finally:
            state.trace, state.source = before, source
        return [self.wrap(o) for o in out] if primitive.multiple_results else self.wrap(out)

    def trace_flat(self, fun: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        """Call a function of arrays, that returns a sequence of arrays, on values; the values of
        its results.
        """
        before = state.trace
        if self.parent is None:
            self.parent = before
        state.trace = self
        try:
            outs = fun(*[self.wrap(v) for v in values])
            state.trace = self.parent
            return [self.unwrap(o) for o in outs]
        finally:
            state.trace = before
            self.finished = True

    def run(self, fun: Callable, *values: Any) -> Any:
        """Call `fun` on values of this interpreter, one for each argument.

        Args:
            fun: a function of arrays that returns an array or a tree of arrays.
            *values: one value for each argument.

        Returns:
            The tree that `fun` returns, with `result(value)` in the place of each array.
        """
        structure: Any = None

        def flat(*args: Any) -> Sequence[Any]:
            nonlocal structure
            leaves, structure = tree.flatten(fun(*args))
            return leaves

        fresh = copy.copy(self)
        fresh.parent, fresh.function_name = None, getattr(fun, "__name__", "a function")
        outs = fresh.trace_flat(flat, values)
        return tree.unflatten(structure, [self.result(o) for o in outs])

    def inline(self, fun: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        """Run a function of arrays under this interpreter; for rules, which the context around
        it is running.
        """
        before = state.trace, state.source
        state.trace, state.source = self, None
        try:
            outs = fun(*[self.wrap(v) for v in values])
        finally:
            state.trace, state.source = before
        return [self.unwrap(o) for o in outs]

    def custom(self, call: Any, values: Sequence[Any]) -> list[Any]:
        """Apply to a function that has rules of its own, a `CustomCall`. Here they are dropped:
        what is around differentiates, or vectorises, what this interpreter computes.
        """
        return self.inline(call.rules.fun, values)

    def chosen(self, program: Any, flag: Callable, values: Sequence[Any]) -> list[Any]:
        """Apply a program where a predicate, whose value is `flag()`, chooses parts of what values
        stand for; for the other parts the results are anything. Here all are computed alike.
        """
        return self.inline(program, values)

    def flatten(self, values: Sequence[Any]) -> tuple[list[Any], tuple]:
        """All arrays of some values, and the static parts."""
        arrays: list[Any] = []
        statics = []
        for value in values:
            parts, static = self.split(value)
            arrays += parts
            statics.append(static)
        return arrays, tuple(statics)

    def unflatten(self, statics: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
        """The values from their static parts and all their arrays."""
        values, at = [], 0
        for static in statics:
            n = self.count(static)
            values.append(self.build(static, arrays[at : at + n]))
            at += n
        return values

    def transform_jaxpr(
        self, jaxpr: Jaxpr, statics: tuple, avals: Sequence[ShapedArray], wanted: Sequence[Any] = ()
    ) -> tuple[Jaxpr, Sequence[Any], tuple]:
        """The program that computes on the arrays of values with these static parts -> (jaxpr,
        consts, out_statics).

        The first results are widened to what `join` makes of their static parts and `wanted`.
        """
        key = (type(self), self.key(), statics, tuple(avals), tuple(wanted))
        found = jaxpr.memo.get(key)
        if found is not None:
            return found
        out_statics: tuple = ()

        def transformed(*args: Any) -> Sequence[Any]:
            nonlocal out_statics
            inner = copy.copy(self)
            inner.parent, inner.finished = None, False
            outs = inner.trace_flat(
                lambda *xs: eval_jaxpr(jaxpr, xs), self.unflatten(statics, args)
            )
            for i, static in enumerate(wanted):
                outs[i] = inner.widen(outs[i], inner.join(inner.split(outs[i])[1], static))
            results, out_statics = inner.flatten(outs)
            return results

        staged = stage(transformed, avals, jaxpr.name)
        found = staged.closed_over(), staged.consts, out_statics
        if not any([isinstance(c, Tracer) for c in staged.consts]):
            jaxpr.memo[key] = found
        return found
