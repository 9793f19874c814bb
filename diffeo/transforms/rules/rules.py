"""The rules of a function of one's own, on flat arrays: what a `CustomCall` carries.

`Rules` says what there may be, and derives from it what the interpreters ask for: the tangent rule
from a jvp rule, from a backward rule (through `CustomTangent`, which is transposed by calling it),
or from a transposition. `ClosedRules` are those of a function that has been staged;
`BatchedRules` (in `batched_rules.py`) those of a vectorised one; `TreeRules` (in
`tree_rules.py`) call the user's functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

from ...primitives.array import as_value
from ...primitives.constants import full_like, zeros_like
from ...primitives.core import Trace, Tracer, state, typeof, with_user_line
from ...primitives.jaxpr import Jaxpr, eval_jaxpr
from ...primitives.staging import StagingTrace, TangentTrace, stage
from ...primitives.stand_ins import ZERO
from ...primitives.support.errors import ForwardModeError
from ...primitives.support.lists import woven
from ...primitives.types import ShapedArray, is_inexact
from ...primitives.words.elementwise import add
from ...programs.custom_call import CustomCall, CustomTangent
from ..interpreter import Boxed
from ..jvp import JVP, jvp_flat
from ..transpose import backward_pass
from .linearity import why_not_linear


class Rules:
    """Functions of flat arrays, of which a subclass has some; tangents and cotangents may be
    `ZERO`.

    - `fun(*arrays) -> outs`, always;
    - `apply_jvp(primals, tangents) -> outs, tangents`, if `has_jvp`;
    - `apply_fwd(primals, perturbed) -> outs, residuals, aux` and
      `apply_bwd(aux, residuals, cts) -> cts`, if `has_vjp`; `aux` is anything static;
    - `apply_batch(size, batched, args) -> outs, which are batched` with the batch axes at the
      front, if `has_batch`;
    - `apply_taylor(order, series) -> series`, lists of coefficients, if `has_taylor`;
    - `apply_transpose(cts, args) -> cts`, if the function is linear in the operands `linear`.

    Of the operands `constants`, which the function once closed over, the rules for derivatives
    know nothing.
    """

    name = ""
    has_jvp = has_vjp = has_batch = has_taylor = False
    linear: frozenset[int] = frozenset()
    constants: frozenset[int] = frozenset()

    fun: Any
    apply_jvp: Any
    apply_fwd: Any
    apply_bwd: Any
    apply_batch: Any
    apply_taylor: Any
    apply_transpose: Any

    def __repr__(self) -> str:
        return self.name

    @property
    def differentiable(self) -> bool:
        """Whether there is a rule for derivatives."""
        return self.has_jvp or self.has_vjp or bool(self.linear)

    def closed(self, jaxpr: Jaxpr, consts: Sequence[Any]) -> Rules:
        """The rules once the function has been staged; `consts` are new leading operands."""
        return ClosedRules(self, jaxpr, consts)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """-> (results, their tangents), by the most direct rule that there is."""
        if self.has_jvp:
            return self._with_constants(self.apply_jvp, primals, tangents)
        return self.linearized(primals, tangents, lambda x: x)

    def linearized(
        self, primals: Sequence[Any], tangents: Sequence[Any], plain: Callable[[Any], Any]
    ) -> tuple[Any, Any]:
        """As `jvp`, for tangents that may be those of reverse mode, in which a backward rule
        takes precedence. `plain` takes off the residuals what does not come from operands.
        """
        if self.has_vjp:
            rule = partial(self._by_backward_rule, plain)
        else:
            rule = self.apply_jvp if self.has_jvp else self._by_linearity
        return self._with_constants(rule, primals, tangents)

    def _with_constants(
        self, rule: Callable, primals: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[Any, Any]:
        """The tangents by a rule, to which the motion of the constants adds what the function
        itself says.
        """
        moves = [t if i in self.constants else ZERO for i, t in enumerate(tangents)]
        fixed = [ZERO if i in self.constants else t for i, t in enumerate(tangents)]
        if all([t is ZERO for t in fixed]):
            return jvp_flat(self.fun, primals, moves, self.name)
        outs, found = rule(primals, fixed)
        if all([m is ZERO for m in moves]):
            return outs, found
        _, more = jvp_flat(self.fun, primals, moves, self.name)
        return outs, [
            t if m is ZERO else m if t is ZERO else add.bind(m, t) for m, t in zip(more, found)
        ]

    def _by_backward_rule(
        self, plain: Callable[[Any], Any], primals: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[Any, Any]:
        moving = [t is not ZERO for t in tangents]
        outs, residuals, aux = self.apply_fwd(primals, moving)
        kept = [plain(as_value(r)) for r in residuals]
        pullback = RulePullback(self, aux, len(kept), moving, primals, outs)
        if self.has_jvp:  # forward mode has a rule of its own
            kept += [as_value(p) for p in primals]
        given = [t for t in tangents if t is not ZERO]
        operands = tuple([typeof(x).strong for x in (*kept, *given)])
        pullback.residuals = len(kept)
        call = CustomTangent(pullback, operands, tuple(pullback.out_avals))
        found = iter(call.bind(*kept, *given) if pullback.out_avals else ())
        return outs, woven(pullback.inexact, found, repeat(ZERO))

    def _by_linearity(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
        """Linear in some operands: the function itself, of their tangents; and its own derivative
        by the others.
        """
        call = CustomCall(None, rules=self)
        others = [ZERO if i in self.linear else t for i, t in enumerate(tangents)]
        if any([t is not ZERO for t in others]):
            outs, found = jvp_flat(self.fun, primals, others, self.name)
        else:
            outs = call.bind(*primals)
            found = [ZERO] * len(outs)
        if all([tangents[i] is ZERO for i in self.linear]):
            return outs, found
        args = list(primals)
        for i in self.linear:
            args[i] = zeros_like(primals[i]) if tangents[i] is ZERO else tangents[i]
        found = [
            t if f is ZERO else add.bind(f, t) if is_inexact(typeof(o).dtype) else ZERO
            for o, f, t in zip(outs, found, call.bind(*args))
        ]
        return outs, found


class RulePullback:
    """The two directions of a tangent map that is given by a backward rule."""

    def __init__(
        self,
        rules: Rules,
        aux: Any,
        count: int,
        moving: Sequence[bool],
        primals: Sequence[Any],
        outs: Sequence[Any],
    ):
        self.rules, self.aux, self.count, self.moving = rules, aux, count, moving
        self.residuals = count  # and, where there is a jvp rule, the primals
        avals = [typeof(o).strong for o in outs]
        self.inexact = [is_inexact(a.dtype) for a in avals]
        self.out_avals = [a for a, there in zip(avals, self.inexact) if there]

    def __repr__(self) -> str:
        return self.rules.name

    def backward(self, residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        """The cotangents of the operands that move, given those of the results."""
        given = iter(cts)
        full = woven(self.inexact, given, repeat(ZERO))
        found = _replacing({}, self.rules.apply_bwd, self.aux, residuals[: self.count], full)
        return [c for c, there in zip(found, self.moving) if there]

    def forward(self, residuals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """The tangents of the results: by the jvp rule, or by transposing the backward rule."""
        if self.rules.has_jvp:
            given = iter(tangents)
            moves = woven(self.moving, given, repeat(ZERO))
            _, outs = self.rules.apply_jvp(residuals[self.count :], moves)
            outs = [t for t, there in zip(outs, self.inexact) if there]
        else:
            outs = self.transposed(residuals, tangents)
        zipped = zip(outs, self.out_avals)
        return [full_like(aval, 0) if t is ZERO else t for t, aval in zipped]

    def transposed(self, residuals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """What the transpose of the backward rule makes of tangents."""
        there: list[bool] = []

        def backward(*cts: Any) -> list[Any]:
            nonlocal there
            found = self.backward(residuals, cts)
            there = [c is not ZERO for c in found]
            return [c for c in found if c is not ZERO]

        program = _linear_program(backward, self.out_avals, self.rules.name)
        reason = why_not_linear(program)
        if reason is None:
            try:
                moves = [t for t, c in zip(tangents, there) if c]
                return backward_pass(program, dict(zip(program.const_vars, program.consts)), moves)
            except NotImplementedError as error:
                reason = str(error)
        raise with_user_line(
            ForwardModeError(
                f"{self.rules.name}: forward-mode differentiation needs the transpose of its "
                f"backward rule, which is not linear in the cotangents: {reason}\n  Give it a jvp "
                "rule, too (dx.custom_rule takes both), or use reverse mode (grad, vjp, jacrev)"
            )
        )


def _linear_program(fun: Callable, avals: Sequence[ShapedArray], name: str) -> Jaxpr:
    """The program of a linear function. Where no program is being written, it has only what is
    done to the inputs: all else has its numbers, by which Python may choose.
    """
    trace = before = state.trace
    while trace is not None:
        if type(trace) is StagingTrace:
            return stage(fun, avals, name)
        trace = trace.parent
    state.trace = recorder = TangentTrace(before, name)
    try:
        inputs = [recorder.input(a) for a in avals]
        return recorder.finish(inputs, fun(*inputs))
    finally:
        state.trace = before


#: A value that a function closed over when it was staged, and the operand that stands for it now,
#: by the id of the first.
Table = dict[int, tuple[Any, Any]]


class Replacing(Trace):
    """Puts operands in the place of values that a function closed over; all else is the
    parent's.
    """

    def __init__(self, parent: Any, table: Table):
        self.parent, self.table = parent, table

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        if primitive.holds_programs and primitive.lazy:  # it may close over them, too
            rules = ReplacedRules(primitive.rules, self.table)
            primitive = CustomCall(None, rules=rules)
        return self.parent.process(primitive, _replaced(args, self.table))

    def stand_in(self, value: Any) -> Any:
        found = _replaced(value, self.table)
        return super().stand_in(value) if found is value else found


def _replaced(x: Any, table: Table) -> Any:
    """Values, in lists and tuples, with operands in the place of what was closed over."""
    if isinstance(x, (list, tuple)):
        return type(x)([_replaced(item, table) for item in x])
    found = table.get(id(x))
    if found is not None:
        return found[1]
    # A backward rule runs when the function has returned: what it closed over are numbers now.
    while type(x) is Boxed and type(x.owner) is JVP and not _around(x.owner):
        x = x.value[0]
    return x


def _around(owner: Any) -> bool:
    """Whether a transformation is at work here."""
    trace = None if owner.finished else state.trace
    while trace is not None and trace is not owner:
        trace = trace.parent
    return trace is not None


class Inheriting(Trace):
    """Values of a transformation that has returned are those of its copy, the parent."""

    def __init__(self, parent: Any, former: Any):
        self.parent, self.former = parent, former

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        return self.parent.process(primitive, [self.inherited(a) for a in args])

    def stand_in(self, value: Any) -> Any:
        found = self.inherited(value)
        return super().stand_in(value) if found is value else found

    def inherited(self, x: Any) -> Any:
        """The value, as one of the copy if it was one of the former transformation."""
        former = type(x) is Boxed and x.owner is self.former
        return Boxed(self.parent, x.value) if former else x


def inheriting(former: Any, fun: Callable, *args: Any) -> list[Any]:
    """Call a function that may have closed over values of a transformation that has returned, in
    a copy of it.
    """
    before = state.trace
    state.trace = trace = Inheriting(before, former)
    try:
        return [trace.inherited(o) for o in fun(*args)]
    finally:
        state.trace = before


def _replacing(table: Table, rule: Callable, *args: Any) -> Any:
    """What a rule returns in which these values are replaced."""
    before = state.trace
    state.trace = Replacing(before, table)
    try:
        return _replaced(rule(*args), table)
    finally:
        state.trace = before


class DerivedRules(Rules):
    """Rules made of others, of which there are the same."""

    def __init__(self, inner: Rules):
        self.inner = inner
        self.name, self.linear, self.constants = inner.name, inner.linear, inner.constants
        self.has_jvp, self.has_vjp = inner.has_jvp, inner.has_vjp
        self.has_batch, self.has_taylor = inner.has_batch, inner.has_taylor


class ReplacedRules(DerivedRules):
    """Of a function that closes over values in whose place there are others now."""

    def __init__(self, inner: Rules, table: Table):
        super().__init__(inner)
        self.table = table
        for name in ("fun", "apply_jvp", "apply_fwd", "apply_bwd", "apply_batch", "apply_taylor",
                     "apply_transpose"):  # fmt: skip
            if hasattr(inner, name):
                setattr(self, name, partial(_replacing, table, getattr(inner, name)))


class ClosedRules(DerivedRules):
    """Of a function that has been staged to a program, whose first operands are what it closed
    over. The rules are still Python code, in which they are put in place of those values.
    """

    def __init__(self, inner: Rules, jaxpr: Jaxpr, consts: Sequence[Any]):
        super().__init__(inner)
        self.jaxpr, self.consts, self.count = jaxpr, consts, len(consts)
        self.linear = frozenset([i + self.count for i in inner.linear])
        shifted = [i + self.count for i in inner.constants]
        self.constants = frozenset([*range(self.count), *shifted])

    def fun(self, *arrays: Any) -> Sequence[Any]:
        return eval_jaxpr(self.jaxpr, arrays)

    def _with(self, values: Sequence[Any], rule: Callable, *args: Any) -> Any:
        """Call a rule with these values for the constants."""
        table = {id(c): (c, v) for c, v in zip(self.consts, values) if isinstance(c, Tracer)}
        return _replacing(table, rule, *args) if table else rule(*args)

    def _split(self, values: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        return values[: self.count], values[self.count :]

    def apply_jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        values, primals = self._split(primals)
        return self._with(values, self.inner.apply_jvp, primals, tangents[self.count :])

    def apply_fwd(self, primals: Sequence[Any], perturbed: Sequence[bool]) -> tuple:
        values, primals = self._split(primals)
        rest = perturbed[self.count :]
        outs, residuals, aux = self._with(values, self.inner.apply_fwd, primals, rest)
        return outs, [*values, *residuals], aux

    def apply_bwd(self, aux: Any, residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        values, residuals = self._split(residuals)
        found = self._with(values, self.inner.apply_bwd, aux, residuals, cts)
        return [*[ZERO] * self.count, *found]

    def apply_batch(self, size: int, batched: Sequence[bool], args: Sequence[Any]) -> tuple:
        values, args = self._split(args)
        rest = batched[self.count :]
        return self._with(values, self.inner.apply_batch, size, rest, args)

    def apply_taylor(self, order: int, series: Sequence[Any]) -> list[list[Any]]:
        values, rest = self._split(series)
        return self._with([v[0] for v in values], self.inner.apply_taylor, order, rest)

    def apply_transpose(self, cts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        values, args = self._split(args)
        found = self._with(values, self.inner.apply_transpose, cts, args)
        return [*[None] * self.count, *found]
