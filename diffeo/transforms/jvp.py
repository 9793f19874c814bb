"""JVP: forward-mode differentiation.

A value is a pair (primal, tangent): the array, and its derivative along the direction that is
followed. A tangent may be `ZERO`, a symbol without shape. The rule of a primitive is its own `jvp`.
Start reading at `JVP.process`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..primitives.constants import full_like
from ..primitives.core import Value, state, typeof, user_source
from ..primitives.stand_ins import ZERO
from ..primitives.types import ShapedArray
from ..primitives.words.elementwise import add
from ..programs.custom_call import CustomCall
from .equal_values import follow
from .interpreter import Boxed, Interpreter, closed_for_batching


class JVP(Interpreter):
    """Propagates tangents. Values without a tangent are not wrapped, so they cost nothing.

    Attributes:
        parent: the trace in whose context the rules run.
        outer: the trace of what depends on no tangent. It is the parent, but for
            linearization: there the parent is the `TangentTrace`, which records what is done to
            tangents, and `outer` is the parent's parent.
    """

    #: How many derivatives are taken: 1 here, the order of a Taylor series.
    derivatives = 1
    #: Skip this at first. By the id of a traced array: (the array, a tag that says which
    #: eigenvalues or vectors it holds), for `follow` in `equal_values.py`. None until a
    #: decomposition is met.
    followed: Any = None
    complete = True

    def __init__(self, parent: Any = None, outer: Any = None, function_name: str = ""):
        self.parent, self.function_name = parent, function_name
        self.outer = parent if outer is None else outer

    def lift(self, x: Any) -> tuple[Any, Any]:
        return x, ZERO

    def wrap(self, value: tuple[Any, Any]) -> Any:
        return value[0] if value[1] is ZERO else Boxed(self, value)

    def split(self, value: tuple[Any, Any]) -> tuple[Sequence[Any], bool]:
        return (value[:1], False) if value[1] is ZERO else (value, True)

    def build(self, static: bool, arrays: Sequence[Any]) -> tuple[Any, Any]:
        return (arrays[0], arrays[1]) if static else (arrays[0], ZERO)

    def count(self, static: bool) -> int:
        return 2 if static else 1

    def join(self, a: bool, b: bool) -> bool:
        return a or b

    def widen(self, value: tuple[Any, Any], static: bool) -> tuple[Any, Any]:
        primal, tangent = value
        return (primal, full_like(primal, 0)) if static and tangent is ZERO else value

    def decides(self, value: tuple[Any, Any]) -> Any:
        return value[0]

    def concrete(self, value: tuple[Any, Any]) -> Any:
        return value[0]

    def aval(self, value: tuple[Any, Any]) -> ShapedArray:
        return typeof(value[0])

    def describe(self) -> str:
        return f"the derivative of {self.function_name or 'a function'}"

    def trace_flat(self, fun: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        self.followed = None
        if self.parent is None:
            self.parent = self.outer = state.trace
        return super().trace_flat(fun, values)

    def custom(self, call: CustomCall, values: Sequence[tuple[Any, Any]]) -> list[Any]:
        if call.rules.differentiable:
            return self.by_rules(call.rules, values)
        by_rule = closed_for_batching(call, [v[0] for v in values], self.outer)
        if by_rule is not None:
            closed, constants = by_rule
            both = [*map(self.unwrap, constants), *values]
            # The batching rule says nothing of what the function closes over.
            if all([both[i][1] is ZERO for i in closed.rules.constants]):
                return self.by_rules(closed.rules, both)
        return super().custom(call, values)

    def by_rules(self, rules: Any, values: Sequence[tuple[Any, Any]]) -> list[Any]:
        """Apply a function by the rule that it has for derivatives."""
        # The rule gets bare tangents, which in linearization are tracers of the parent, the
        # `TangentTrace`, not values of ours. `process` would send what is done to them to `outer`,
        # past the recorder. So `outer` is the parent meanwhile. The current trace stays ourselves,
        # so that values the rule closed over, which are ours, are still differentiated.
        outer, before = self.outer, (state.trace, state.source)
        self.outer, state.trace, state.source = self.parent, self, None
        try:
            outs, tangents = rules.linearized(*zip(*values), self.primal)
        finally:
            self.outer = outer
            state.trace, state.source = before
        outs = [self.unwrap(o) for o in outs]
        tangents = [self.primal(t) for t in tangents]
        # A result has the rule's tangent, and one from what the rule closed over: their sum.
        return [
            (o, t if c is ZERO else c if t is ZERO else add.bind(t, c))
            for (o, c), t in zip(outs, tangents)
        ]

    def primal(self, x: Any) -> Any:
        """Return an array without the tangent that it has here."""
        return x.value[0] if type(x) is Boxed and x.owner is self else x

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        """Apply the primitive's `jvp` to primals and tangents, in the parent's context.

        This stands in place of `Interpreter.process` and `rule`: most of the time of a derivative
        is spent here. Pairs are taken apart here, the rule is `primitive.jvp`, and what has no
        tangent goes to `outer`. JVP defines no `rule`. For the protocol as it is meant, read
        `Batching`.
        """
        primals: list[Any] = []
        tangents: list[Any] = []
        owned = False
        for a in args:
            if type(a) is Boxed and a.owner is self:
                owned = True
                primal, tangent = a.value
                primals.append(primal)
                tangents.append(tangent)
            else:
                primals.append(a)
                tangents.append(ZERO)
        if not owned:
            return self.outer.process(primitive, args)
        before, source = state.trace, state.source
        state.trace = self.parent
        if source is None:  # all that the rule binds comes from this line
            state.source = user_source(3)  # not process, bind
        try:
            if primitive.holds_programs:
                return [
                    self.wrap(v) for v in primitive.interpret(self, list(zip(primals, tangents)))
                ]  # type: ignore
            out, tangent = primitive.jvp(primals, tangents)
        finally:
            state.trace, state.source = before, source
        if primitive.multiple_results:
            out = [o if t is ZERO else Boxed(self, (o, t)) for o, t in zip(out, tangent)]
            return follow(self, primitive, args, out) if primitive.decomposes else out
        if tangent is ZERO:
            return out
        out = Boxed(self, (out, tangent))
        return out if self.followed is None else follow(self, primitive, args, out)

    def with_derivatives(self, out: Boxed, smooth: Value) -> Any:
        """Return a result with the derivative of another one, `smooth`, of the same value."""
        return Boxed(self, (out.value[0], smooth.value[1])) if type(smooth) is Boxed else out


def jvp_flat(
    fun: Callable[..., Sequence[Any]],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    name: str = "",
) -> tuple[list[Any], list[Any]]:
    """Return the results and tangents of a function of arrays.

    Args:
        fun: a function of arrays that returns a sequence of arrays.
        primals: its arguments.
        tangents: their tangents; `ZERO` for an argument without one.
        name: the name of the user's function, for messages.

    Returns:
        The results, and their tangents: `ZERO` where there is none.
    """
    outs = JVP(function_name=name).trace_flat(fun, list(zip(primals, tangents)))
    return [o for o, _ in outs], [t for _, t in outs]
