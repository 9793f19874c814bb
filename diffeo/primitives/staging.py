"""Staging: interpreters that write down a program instead of running it.

`StagingTrace` records everything that happens while it is current. That is tracing for jit, and
`stage` is its entrance: start reading there.

`TangentTrace` records only what depends on its inputs, which are tangents. Everything else is
handed to its parent, which may compute it at once. That is what linearization needs: the primal
computation runs, and the linear program of the tangents is written down (see
`transforms/linearize.py`).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any

from .array import as_value, promoted_scalars
from .config import task_settings
from .core import (
    Primitive,
    Trace,
    Tracer,
    leaked,
    state,
    user_source,
    with_user_line,
)
from .jaxpr import Eqn, Jaxpr, Literal, Var, infer, made
from .partial import Parts
from .support.errors import UnexpectedTracerError
from .support.exact import Exact
from .support.signals import is_uncalled, uncalled
from .support.sources import show_source
from .types import SCALARS, ShapedArray


class StagingTracer(Tracer):
    """A value of a program that is being written: a variable, and the line that made it."""

    __slots__ = ("aval", "source", "variable")

    def __init__(self, trace: StagingTrace, var: Var, source: Any = None):
        self.owner, self.variable, self.source = trace, var, source
        self.aval = var.aval  # type: ignore[misc]

    def origin(self) -> str:
        where = f"made at {show_source(self.source)}" if self.source else "one of its arguments"
        return f"a value traced in {self.owner.function_name or 'a transformation'}, {where}"


def exact_key(primitive: Primitive) -> Any:
    """Return a primitive as the key of a cache.

    The class of an outsider may have an `==` of its own, by which parameters of 0.0 and -0.0 are
    equal. `Exact` tells them apart.
    """
    return primitive if type(primitive).__eq__ is Primitive.__eq__ else Exact(primitive)


@lru_cache(maxsize=4096)
def _shared_types(primitive: Primitive) -> dict:
    """Return the dictionary that all equal primitives share as their `_types`: the cache of this
    function keeps one for each.
    """
    return {}


def result_type(primitive: Primitive, operands: Sequence[Any]) -> Any:
    """Return the types of the results for given operands, by `abstract_eval`.

    The answer is remembered in the primitive's `_types`, since programs repeat the same operations
    on the same types.

    Args:
        primitive: the operation.
        operands: types, and Python scalars where the primitive takes them.

    Raises:
        TypeError, ValueError: as the rule raises it, with the user's line.
    """
    types: Any = primitive._types
    if type(types) is not dict:
        try:
            # Programs and users' functions must not be kept alive by other primitives.
            private = primitive.holds_programs or primitive.calls_python
            types = {} if private else _shared_types(exact_key(primitive))
        except TypeError:  # parameters without a hash
            types = {}
        object.__setattr__(primitive, "_types", types)
    key = tuple([float if type(a) is float else a for a in operands])
    out = types.get(key)
    if out is not None:
        return out
    try:
        out = infer(primitive, operands)
    except (TypeError, ValueError) as error:
        raise with_user_line(error) from None
    # The key has no value of a float, as every dtype of floats holds it. An integer's value is in
    # the key, since whether a dtype holds it depends on the number; such keys are not kept.
    if all([type(a) is ShapedArray or a is float for a in key]):
        types[key] = out
    return out


def check_owners(values: Sequence[Any]) -> None:
    """Check that every traced value belongs to a transformation that is still around.

    Raises:
        UnexpectedTracerError: for another one, which a program would take for a constant.
    """
    for value in values:
        if isinstance(value, Tracer):
            trace = state.trace
            while trace is not None and trace is not value.owner:
                trace = trace.parent
            if trace is None:
                raise leaked(value)


class StagingTrace(Trace):
    """Records every primitive as an equation. Values from outside become constants of the program.

    Attributes:
        eqns: the equations so far.
        constants: for the id of each value from outside: its variable, the value as an array or
            tracer, and the value as it came.
    """

    def __init__(self, parent: Trace, function_name: str = ""):
        self.parent, self.function_name = parent, function_name
        self.eqns: list[Eqn] = []
        self.constants: dict[int, tuple[Var, Any, Any]] = {}
        #: What `uncalled` returned: the functions that may come in between. None until asked for.
        self.uncalled: frozenset[CodeType] | None = None

    def input(self, aval: ShapedArray) -> StagingTracer:
        """Return a new input of the program."""
        return StagingTracer(self, Var(aval))

    def constant(self, value: Any) -> Var:
        """Return the variable of a value from outside. The same object has one variable."""
        entry = self.constants.get(id(value))
        if entry is None:
            if isinstance(value, Tracer):
                # A user's rule may run after the transformation that owned what it closed over has
                # returned. Then `Replacing` or `Inheriting` (transforms/rules/rules.py) names the
                # value that takes its place.
                substitute = self.successor(value)
                if substitute is not value:
                    return self.operand(substitute)
                if value.owner.finished:
                    raise leaked(value)
            array = as_value(value)
            # The value is kept so that its id is not used again.
            entry = self.constants[id(value)] = (Var(array.aval), array, value)
        return entry[0]

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        if primitive.holds_programs and primitive.lazy:
            # We may have been reached through inner traces that own no operand. What the function
            # closed over may be theirs, so the call starts again at the current trace.
            closed, operands = primitive.closed(args)
            check_owners(operands[: len(operands) - len(args)])
            return state.trace.process(closed, operands)
        inputs: list[Any] = []
        avals: list[Any] = []
        mine, count = False, len(self.constants)
        for a in args:
            if type(a) is StagingTracer and a.owner is self:
                mine = True
                inputs.append(a.variable)
                avals.append(a.aval)
            elif type(a) in SCALARS and primitive.takes_scalars:
                inputs.append(Literal(a))
                avals.append(float if type(a) is float else a)
            else:
                var = self.constant(a)
                inputs.append(var)
                avals.append(var.aval)
        # A primitive without an operand of ours is usually the traced function's, too (`zeros`,
        # say). But Python may have called a signal handler or a finalizer in the middle of tracing.
        # Its operations have no operand of ours, and are evaluated instead of recorded: it wants
        # numbers, not tracers.
        if not mine and self.is_interrupted():
            while len(self.constants) > count:  # the program does not need them
                self.constants.popitem()
            return outside(primitive, args)
        out = primitive._types.get(tuple(avals))
        if out is None:
            # Types come from arrays: of scalars alone, one is made an array.
            if args and all([type(v) is Literal for v in inputs]):
                return self.process(primitive, promoted_scalars(args))
            operands = [v.value if type(v) is Literal else v.aval for v in inputs]
            out = result_type(primitive, operands)
        return self.record(primitive, inputs, out)

    def is_interrupted(self) -> bool:
        """Return whether the code that runs is not the traced function, but the handler of a
        signal, a finalizer or the like, which Python has called in between.
        """
        if self.uncalled is None:
            self.uncalled = uncalled()
        return is_uncalled(2, self.uncalled, stage.__code__)

    def record(self, primitive: Primitive, inputs: list[Any], out: Any) -> Any:
        """Append an equation with results of the types `out`, and return their tracers."""
        if self.finished:
            raise with_user_line(
                UnexpectedTracerError(
                    f"a value leaked from {self.function_name or 'a transformation'}, which has "
                    f"returned: '{primitive.name}' was applied to it.\n  Return values instead of "
                    "storing them."
                )
            )
        source = state.source or user_source(4)  # not record, process, bind
        if primitive.multiple_results:
            outs = [Var(a) for a in out]
            self.eqns.append(Eqn(primitive, inputs, outs, source))
            return [StagingTracer(self, v, source) for v in outs]
        var = Var(out)
        self.eqns.append(Eqn(primitive, inputs, (var,), source))
        return StagingTracer(self, var, source)

    def operand(self, value: Any) -> Any:
        """Return what stands for a value in the program: a variable, or a constant's."""
        return (
            value.variable
            if type(value) is StagingTracer and value.owner is self
            else self.constant(value)
        )

    def finish(self, inputs: Sequence[StagingTracer], outs: Sequence[Any]) -> Jaxpr:
        """Return the program with these inputs and results. Nothing can be recorded afterwards."""
        out_vars = [self.operand(o) for o in outs]
        self.finished = True
        constants = list(self.constants.values())
        return made(
            Jaxpr(
                [t.variable for t in inputs],
                self.eqns,
                out_vars,
                [f[0] for f in constants],
                [f[1] for f in constants],
                self.function_name,
            )
        )


class TangentTrace(StagingTrace):
    """Records only what depends on its inputs, which are tangents, so that the program is linear.

    Everything else is the parent's to compute. Where its value is an operand of a recorded
    equation, it is a residual: a `Literal` in the program.
    """

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        inputs: list[Any] = []
        mine: Any = None
        for a in args:
            if type(a) is StagingTracer and a.owner is self:
                mine = a
                inputs.append(a.variable)
            else:
                inputs.append(a)
        if mine is None:
            return self.parent.process(primitive, args)
        if primitive.holds_programs:
            linear = [type(v) is Var for v in inputs]
            if not primitive.whole(linear):
                if primitive.fun is not None:  # run through it, with tangents: nothing to split
                    return primitive.fun(*args)
                return self.split(primitive, args, linear)
            if primitive.lazy:
                return self.process(*primitive.closed(args))
        inputs = [v if type(v) is Var else Literal(v) for v in inputs]
        if primitive.same_type:  # the rule that bound it knows that the operands fit
            return self.record(primitive, inputs, mine.aval)
        return self.record(primitive, inputs, self.tangent_type(primitive, inputs))

    def tangent_type(self, primitive: Primitive, inputs: Sequence[Any]) -> Any:
        """Return the types of the results. Tangents are never weakly typed."""
        scalars = SCALARS if primitive.takes_scalars else ()
        operands = [
            v.value if type(v) is Literal and type(v.value) in scalars else v.aval.strong
            for v in inputs
        ]
        out = primitive._types.get(tuple(operands))
        if out is None:
            out = result_type(primitive, operands)
        return [o.strong for o in out] if primitive.multiple_results else out.strong

    def split(self, primitive: Any, args: Sequence[Any], linear: Sequence[bool]) -> list[Any]:
        """Apply an operation on programs of which only some operands are tangents.

        Its known part is run in the parent, at once if that is evaluation. Its linear part is
        recorded as one equation.
        """
        parts: Parts = primitive.partial(linear)
        operands = [a for a, lin in zip(args, linear) if not lin]
        # What the known part binds must not be recorded here.
        before, state.trace = state.trace, self.parent
        try:
            results = [] if parts.known is None else parts.known.bind(*operands)
        finally:
            state.trace = before
        # `results` are the known results, then the residuals.
        count = len(parts.linear_outs) - sum(parts.linear_outs)
        outs = iter(results[:count])
        inputs = [self.operand(x) for x in parts.inputs(args, results[count:])]
        tangents = iter(
            self.record(parts.linear, inputs, self.tangent_type(parts.linear, inputs))
            if any(parts.linear_outs)
            else ()
        )
        # Each result is the next of the recorded ones or of the known ones.
        return [next(tangents if lin else outs) for lin in parts.linear_outs]

    def operand(self, value: Any) -> Any:
        mine = type(value) is StagingTracer and value.owner is self
        return value.variable if mine else Literal(value)


def outside(primitive: Primitive, args: Sequence[Any]) -> Any:
    """Evaluate a primitive outside of all transformations, under the base trace."""
    before = state.trace, state.source
    state.trace, state.source = type(state).trace, None
    try:
        return primitive.bind(*args)
    finally:
        state.trace, state.source = before


#: How many new objects the collector of garbage waits for while a function is traced. A program
#: is many small objects that stay, and by default it would go through all of them again and again.
_PATIENCE = 200_000


def stage(fun: Callable[..., Sequence[Any]], avals: Sequence[ShapedArray], name: str = "") -> Jaxpr:
    """Trace a function into a program.

    Args:
        fun: a function of arrays that returns a sequence of arrays.
        avals: the types of its arguments.
        name: the name of the user's function, for messages.

    Returns:
        The program. Arrays that the function closed over are its constants.
    """
    before, thresholds = (state.trace, state.source), gc.get_threshold()
    raised = 0 < thresholds[0] < _PATIENCE
    if raised:
        gc.set_threshold(_PATIENCE, *thresholds[1:])
    trace = StagingTrace(before[0], name)
    state.trace, state.source = trace, None
    try:
        inputs = [trace.input(a) for a in avals]
        program = trace.finish(inputs, fun(*inputs))
    finally:
        state.trace, state.source = before
        trace.finished = True
        if raised:
            gc.set_threshold(*thresholds)
    if task_settings().check_tracer_leaks:
        del inputs
        check_leaks(trace)
    return program


def check_leaks(trace: StagingTrace) -> None:
    """Raise UnexpectedTracerError if somebody still holds a value of a trace that has ended."""
    gc.collect()
    for value in gc.get_objects():
        if type(value) is StagingTracer and value.owner is trace:
            error = leaked(value)
            error.args = (f"Leaked: {error.args[0]}", *error.args[1:])
            raise error
