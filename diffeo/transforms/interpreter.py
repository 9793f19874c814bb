"""Forward interpreters: the protocol that JVP, batching, Taylor series and everybody's own
transformation share.

An interpreter is a *value type* (a dual number, an array with a batch axis, an interval ...) and a
rule for primitives. The user's function sees its values as tracers, `Boxed`.

An operation on programs (`Call`, `Scan` ...) is applied to values by transforming its program. Each
value is split into arrays and a *static* part, which is hashable and says how the arrays make a
value. The program is transformed for these static parts, the operation is bound over the new
program with the arrays as operands, and its results are put together to values again.

For instance, a value of JVP is a pair (primal, tangent), where the tangent may be `ZERO`. Its
arrays are one or two, and its static part says whether there is a tangent. Take the values
[(x, dx), (y, ZERO)] and a program with one result:

- `flatten` gives the arrays [x, dx, y] and the statics (True, False);
- `transform_jaxpr` returns a program (x, dx, y) -> (out, dout), with the out_statics (True,);
- `Call` of this program is bound, with the arrays as operands;
- `unflatten` makes [(out, dout)] of its results.

Start reading at `Interpreter`, then `process`, then `transform_jaxpr`; `Call.interpret` in
`programs/call.py` shows how the parts meet.
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
from ..primitives.staging import StagingTrace, stage
from ..primitives.types import ShapedArray
from ..programs.custom_call import CustomCall
from ..trees import tree


class Boxed(Tracer):
    """A tracer that carries an interpreter's value. Its owner is the interpreter."""

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
    - `split(value) -> (arrays, static)` and `build(static, arrays) -> value`: split a value into
      arrays and a static part, which is hashable, and build it again (by default a value is a tuple
      of arrays); `count(static)`, how many arrays there are;
    - `aval(value)`: the type that the program sees (by default that of the first array);
    - `key()`: what distinguishes differently configured interpreters of one class (by default
      nothing);
    - for control flow that depends on a value: `decides(value)`, or else `anywhere(value)` and
      `mixes`;
    - for the carries of loops whose static parts change, and the results of branches whose static
      parts differ: `join(a, b)` and `widen(value, static)`;
    - for scans, if arrays may have an axis in front of the program's own: `unstack(value)` and
      `stacked(static)`;
    - `concrete(value)`: the numbers that Python's `if` and `float` look at (by default none);
    - `result(value)`: what `run` returns of a value (by default the value).

    Rules run in the context of `parent`, with ordinary arrays (or tracers of outer
    transformations), so whatever they compute can itself be differentiated, vectorised and
    compiled.

    `run(fun, *values)` applies the transformation to one call of `fun`.

    See docs/your-own-transformation.md for interval arithmetic written with it.
    """

    #: True if the rule of `select` mixes its operands where the predicate is undecided, as a hull
    #: of intervals does. A loop then has two carries. One, `running`, takes every step unmasked and
    #: decides when the loop ends; the other is the result, into which `running` is mixed at each
    #: step. With one carry, old values that are not done would be mixed into every new carry, and
    #: the loop might never end. (See `While.masked`.)
    mixes = False
    #: True promises a rule for every primitive. Only if all outer interpreters promise it may vmap
    #: bind extra operations for branches that rows did not choose (`chosen_rows.py`).
    complete = False
    #: It looks at all that is computed. So vmap computes no branch for rows that did not choose it.
    watches = False

    def lift(self, x: Any) -> Any:
        """Return the value of a constant."""
        raise NotImplementedError(f"{type(self).__name__} must define lift(x)")

    def rule(self, primitive: Primitive, values: Sequence[Any]) -> Any:
        """Return the value of `primitive` applied to values."""
        raise NotImplementedError(f"{type(self).__name__} must define rule(primitive, values)")

    def split(self, value: Any) -> tuple[Sequence[Any], Any]:
        """Split a value into arrays and a static part, which is hashable."""
        return tuple(value), len(value)

    def build(self, static: int, arrays: Sequence[Any]) -> Any:
        """Build a value from what `split` made of it."""
        return tuple(arrays)

    def count(self, static: int) -> int:
        """Return how many arrays a value with this static part has."""
        return static

    def join(self, a: str, b: str) -> Any:
        """Return the least static part that can represent values of either kind.

        The carry of a loop needs it, as it must have the same static part before and after a step;
        and the results of a conditional, which must have the same static part in all branches.
        """
        if a != b:
            raise TypeError(
                f"{type(self).__name__} does not know a common form of {a} and {b}: define join"
            )
        return a

    def widen(self, value: Any, static: str) -> Any:
        """Return the same value with another static part, one that `join` made of the value's."""
        if self.split(value)[1] != static:
            raise with_user_line(
                TypeError(
                    f"{type(self).__name__}: a value with the static part {self.split(value)[1]} "
                    f"must become one with {static} where branches or steps meet: define widen"
                )
            )
        return value

    def decides(self, value: Any) -> Any:
        """Return the array by which `cond` and `while_loop` decide, for the value of a predicate.

        None (the default) says that parts of what the value stands for may decide differently, as
        the rows of a batch do. Then a conditional computes all of its branches, and chooses by the
        rule of `select`. A loop goes on while the predicate holds `anywhere`, and parts that are
        done stay as they are, by the rule of `select` (see `mixes`).
        """
        return None

    def anywhere(self, value: Any) -> Any:
        """Return one boolean: whether a predicate's value may hold for any part of what it stands
        for.
        """
        raise with_user_line(
            NotImplementedError(
                f"{type(self).__name__}: a loop's condition depends on a value of this "
                "transformation; define decides(value) or anywhere(value)"
            )
        )

    def unstack(self, value: Any) -> Any:
        """Put the axis of a scan's steps in front of every array of a value.

        The static part of the result is that of one slice, so without this axis. For `Batching`,
        (array [B, n, k], 0) is what the program sees as [n, k], n steps. It becomes
        (array [n, B, k], 0): one slice is [B, k], with batch axis 0. (array [n, B, k], 1) becomes
        (the same array, 0).

        Define it if arrays may have an axis in front of the program's own.
        """
        return value

    def stacked(self, static: Any) -> Any:
        """Return the static part of a value whose arrays are those of all steps, stacked in front.

        It undoes what `unstack` does to a static part: for `Batching`, 0 becomes 1.
        """
        return static

    def result(self, value: Any) -> Any:
        """Return what `run` returns where the function returned this value."""
        return value

    def aval(self, value: Any) -> ShapedArray:
        """Return the type of the array that a value stands for."""
        return typeof(value[0])

    def concrete(self, value: Any) -> Any:
        """Return an array of the numbers that a value stands for, or None if they are not known.

        Python's `if` and `float` look at these numbers.
        """
        return None

    def key(self) -> Any:
        """Return what distinguishes this interpreter from others of its class. It is hashable.

        Interpreters of one class with equal keys transform a program alike, so they share the
        memory of transformed programs.
        """
        return ()

    def describe(self) -> str:
        """Return what messages call the transformation."""
        return type(self).__name__

    def missing(self, primitive: Primitive) -> Exception:
        """Return the error that `rule` raises for a primitive that it does not know."""
        return with_user_line(
            NotImplementedError(
                f"{type(self).__name__} has no rule for the primitive '{primitive.name}'; write "
                "one, or write the function with other operations"
            )
        )

    # -- The machinery --
    #
    # Four ways to run a function under an interpreter, and who calls them:
    #
    # - `run`: a user, once for each call, with a tree of results;
    # - `trace_flat`: the transformations themselves (`jvp_flat`, `linearize_flat`, vmap, `run`) and
    #   `transform_jaxpr`, while it stages. The interpreter is finished afterwards;
    # - `inline`: rules and operations on programs, while the interpreter is at work and one of its
    #   rules runs (`Cond.mixed`, `While.interpret`, `custom`);
    # - `Batching.rerun`: rules of users' functions under vmap (`rules/batched_rules.py`) and
    #   `chosen_rows.py`, where the interpreter may have returned, or another trace may be current.

    #: The named axes that this transformation binds, and their sizes.
    named_axes: Mapping[Hashable, int] = {}

    def wrap(self, value: Any) -> Any:
        """Return what the user's program sees of a value."""
        return Boxed(self, value)

    def unwrap(self, x: Any) -> Any:
        """Return the value of something that a user's program returned, or handed to a
        primitive.
        """
        return x.value if type(x) is Boxed and x.owner is self else self.lift(x)

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        """Apply the rule to the operands' values, in the parent's context.

        A primitive without a value of ours among its operands goes to the parent unchanged.
        """
        for a in args:
            if type(a) is Boxed and a.owner is self:
                break
        else:  # no operand is ours: not our business, unless the primitive names an axis of ours
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
            out = values[0]  # an optional primitive is like an identity
        finally:
            state.trace, state.source = before, source
        return [self.wrap(o) for o in out] if primitive.multiple_results else self.wrap(out)

    def trace_flat(self, fun: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        """Call a function under this interpreter, and return the values of its results.

        Args:
            fun: a function of arrays that returns a sequence of arrays.
            values: one value for each argument.
        """
        before = state.trace
        if self.parent is None:
            self.parent = before
        state.trace = self
        try:
            outs = fun(*[self.wrap(v) for v in values])
            state.trace = self.parent  # `lift` may bind primitives, which are not for ourselves
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

        # A copy, as an instance serves one call: its tracers are leaked ones afterwards.
        fresh = copy.copy(self)
        fresh.parent, fresh.function_name = None, getattr(fun, "__name__", "a function")
        outs = fresh.trace_flat(flat, values)
        return tree.unflatten(structure, [self.result(o) for o in outs])

    def inline(self, fun: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        """Run a function of arrays under this interpreter from within a rule, and return the values
        of its results.

        Rules run in the parent's context, so the interpreter is made current for the call.
        """
        before = state.trace, state.source
        state.trace, state.source = self, None  # the lines are those of `fun` itself
        try:
            outs = fun(*[self.wrap(v) for v in values])
        finally:
            state.trace, state.source = before
        return [self.unwrap(o) for o in outs]

    def custom(self, call: CustomCall, values: Sequence[Any]) -> list[Any]:
        """Apply to a function that has rules of its own, a `CustomCall`.

        By default the rules are dropped: outer transformations differentiate, or vectorise, what
        this interpreter computes.
        """
        return self.inline(call.rules.fun, values)

    def chosen(self, program: Jaxpr, flag: Callable, values: Sequence[Any]) -> list[Any]:
        """Apply a program whose results are used only for some parts of what the values stand for.

        A predicate, whose value is `flag()`, chooses these parts. For the other parts the results
        may be anything. By default all parts are computed alike.
        """
        return self.inline(program, values)

    def flatten(self, values: Sequence[Any]) -> tuple[list[Any], tuple]:
        """Return all arrays of some values in one list, and the static part of each value.

        With JVP's values `[(x, ZERO), (y, dy)]` these are `[x, y, dy]` and `(False, True)`.
        """
        arrays: list[Any] = []
        statics = []
        for value in values:
            parts, static = self.split(value)
            arrays += parts
            statics.append(static)
        return arrays, tuple(statics)

    def unflatten(self, statics: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
        """Build the values from their static parts and all their arrays. It undoes `flatten`."""
        values, at = [], 0
        for static in statics:
            n = self.count(static)
            values.append(self.build(static, arrays[at : at + n]))
            at += n
        return values

    def transform_jaxpr(
        self, jaxpr: Jaxpr, statics: tuple, avals: Sequence[ShapedArray], wanted: Sequence[Any] = ()
    ) -> tuple[Jaxpr, Sequence[Any], tuple]:
        """Transform a program for values with these static parts: stage its run under this
        interpreter.

        Args:
            jaxpr: the program.
            statics: the static part of each input's value.
            avals: the types of all arrays of the inputs, in the order of `flatten`.
            wanted: static parts that the first results shall be able to represent: those of a
                loop's carry, or of the results of a conditional's other branches. Each of these
                results is widened to what `join` makes of its own static part and this one.

        Returns:
            The transformed program, which maps arrays to arrays; the values that are to be its
            first operands; and the static parts of its results. They are remembered in
            `jaxpr.memo`.
        """
        key = (type(self), self.key(), statics, tuple(avals), tuple(wanted))
        entry = jaxpr.memo.get(key)
        if entry is not None:
            return entry
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
        entry = staged.closed_over(), staged.consts, out_statics
        # Tracers belong to this run of an outer transformation; memory would make them leak.
        if not any([isinstance(c, Tracer) for c in staged.consts]):
            jaxpr.memo[key] = entry
        return entry


def closed_for_batching(
    call: CustomCall, operands: Sequence[Any], trace: Any
) -> tuple[Any, Any] | None:
    """Return a `CustomCall` that has a batching rule, with all that it closes over as operands; and
    these values, its leading operands. Return None if there is no such rule, or no `vmap` that
    could ever apply it: neither around, nor to a program that is being written.
    """
    while trace is not None and type(trace) is not StagingTrace and not hasattr(trace, "axis_name"):
        trace = trace.parent
    if trace is None or not call.rules.has_batch:
        return None
    closed, args = call.closed(operands) if call.lazy else (call, operands)
    return closed, args[: len(args) - len(operands)]
