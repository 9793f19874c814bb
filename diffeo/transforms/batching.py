"""Batching, the interpreter of vmap: the value is (array, batch axis or None).

A value stands for `size` rows at once. With the batch axis 0, (array of shape [3, 2], 0) stands for
three arrays of shape [2]; with None, all rows share the array. The rule of a primitive is its
`batch`. Start reading at `Batching.rule`; what an interpreter must define is said in
`interpreter.py`.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from ..primitives.core import Primitive, state, typeof, with_user_line
from ..primitives.jaxpr import Jaxpr
from ..primitives.types import ShapedArray
from ..primitives.words.reduction import reduce_or
from ..primitives.words.structural import batch_at_front, move_axis
from ..programs.custom_call import CustomCall
from .chosen_rows import for_chosen_rows
from .interpreter import Boxed, Interpreter
from .rules.batched_rules import BatchedRules
from .rules.rules import inheriting


class Batching(Interpreter):
    """An interpreter that carries a batch axis of one `size` through a function; it may have a
    name.
    """

    complete = True

    def __init__(self, size: int, function_name: str = "", axis_name: Hashable = None):
        self.size, self.function_name, self.axis_name = size, function_name, axis_name
        self.named_axes = {} if axis_name is None else {axis_name: size}

    def lift(self, x: Any) -> tuple[Any, None]:
        return x, None

    def wrap(self, value: tuple[Any, int | None]) -> Any:
        return value[0] if value[1] is None else Boxed(self, value)

    def split(self, value: tuple[Any, int | None]) -> tuple[Sequence[Any], int | None]:
        return value[:1], value[1]

    def build(self, static: int | None, arrays: Sequence[Any]) -> tuple[Any, int | None]:
        return arrays[0], static

    def count(self, static: int | None) -> int:
        return 1

    def join(self, a: int | None, b: int | None) -> int | None:
        return a if a == b else 0

    def widen(self, value: tuple[Any, int | None], static: int | None) -> tuple[Any, int | None]:
        array, dim = value
        if static is None or dim == static:
            return value
        return move_axis(batch_at_front(array, dim, self.size), 0, static), static

    def decides(self, value: tuple[Any, int | None]) -> Any:
        return value[0] if value[1] is None else None

    def anywhere(self, value: tuple[Any, int | None]) -> Any:
        array, dim = value
        return array if dim is None else reduce_or(array, (dim,))

    def unstack(self, value: tuple[Any, int | None]) -> tuple[Any, int | None]:
        array, dim = value
        if dim is None:
            return value
        return (move_axis(array, 0, 1), 0) if dim == 0 else (array, dim - 1)

    def stacked(self, static: int | None) -> int | None:
        return None if static is None else static + 1

    def aval(self, value: tuple[Any, int | None]) -> ShapedArray:
        aval, dim = typeof(value[0]), value[1]
        return aval if dim is None else aval.update(aval.shape[:dim] + aval.shape[dim + 1 :])

    def key(self) -> tuple[int, Hashable]:
        return self.size, self.axis_name

    def describe(self) -> str:
        name = self.function_name or "a function"
        return f"vmap of {name}, which stands for all {self.size} rows at once"

    def custom(self, call: CustomCall, values: Sequence[tuple[Any, int | None]]) -> list[Any]:
        """Apply a function that has rules of its own to all rows.

        The result is bound as a `CustomCall` again, with the rules vectorised, so that a derivative
        around finds them. Without rules for derivatives, a batching rule is applied at once.
        """
        args, dims = [v[0] for v in values], tuple([v[1] for v in values])
        rules = BatchedRules(call.rules, self, dims)
        if call.rules.has_batch and not call.rules.differentiable:
            outs, batched = rules.by_batch_rule(args)
            return [(o, 0 if flag else None) for o, flag in zip(outs, batched)]
        return [(o, 0) for o in CustomCall(None, rules=rules).bind(*args)]

    def chosen(self, program: Jaxpr, flag: Callable, values: Sequence[Any]) -> list[Any]:
        return for_chosen_rows(self, program, flag, [self.plain(v) for v in values])

    def plain(self, value: tuple[Any, Any]) -> tuple[Any, int | None]:
        """Return the value with its batch axis in the array, if it has one.

        Subclasses may keep batch axes otherwise (see `taylor/directions.py`).
        """
        return value

    def rerun(self, fun: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        """Vectorise a function once more, over whatever trace is current now.

        Rules of users' functions need this: they may run when this transformation has returned, or
        inside of another one. Values that the function closed over are still known, as long as the
        transformation runs.
        """
        around = state.trace
        while around is not None and around is not self:
            around = around.parent
        if self.finished or around is self:
            # The transformation has returned, or is at work around: a copy of it, over the current
            # trace, takes its place. What is inside the function may be a value of this one, which
            # `inheriting` gives to the copy.
            inner = copy.copy(self)
            inner.parent, inner.finished = None, False
            return inner.trace_flat(functools.partial(inheriting, self, fun), values)
        # The transformation is still running, and a rule of it is: put it over the current trace
        # for a moment.
        before, self.parent = self.parent, state.trace
        try:
            return self.inline(fun, values)
        finally:
            self.parent = before

    def rule(self, primitive: Primitive, values: Sequence[Any]) -> Any:
        args, dims = [v[0] for v in values], [v[1] for v in values]
        if primitive.names and self.axis_name in primitive.names:
            return self.across(primitive, args, dims)
        out, dim = primitive.batch(self.size, args, dims)
        return list(zip(out, dim)) if primitive.multiple_results else (out, dim)

    def across(self, primitive: Any, args: Sequence[Any], dims: Sequence[Any]) -> Any:
        """Apply a collective over this interpreter's own axis."""
        expected = dict(primitive.axes)[self.axis_name]
        if expected != self.size:
            raise with_user_line(
                TypeError(
                    f"{primitive.name}: the program was traced where axis {self.axis_name!r} had "
                    f"the size {expected}; here it has {self.size}"
                )
            )
        return primitive.across(self.axis_name, args, dims)
