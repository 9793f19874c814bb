"""The rules of a user's function, on flat lists of arrays: what a `CustomCall` carries.

A user may say how a function of theirs is differentiated, vectorised or transposed. The function
then becomes one primitive, `CustomCall`, whose parameter is a `Rules`. An interpreter asks that
object instead of looking into the function.

The words of this file:

- a constant is an operand that the function once closed over: when a lazy `CustomCall` is staged,
  the values that its function closes over become its leading operands. The user's rules know
  nothing of them;
- a residual is a value that the forward rule hands to the backward rule;
- `perturbed` and `moving` are flags that say which operands have a tangent.

`Rules` lists the rules that there may be, and derives the tangent rule (`jvp`) from any of them:
from a jvp rule; from a backward rule, through the primitive `CustomTangent`, which is transposed by
calling the backward rule; or from linearity. `ClosedRules` are the rules of a function that has
been staged to a program. `BatchedRules` (in `batched_rules.py`) are those of a vectorised function.
`TreeRules` (in `tree_rules.py`) call the user's Python functions.

Start reading at `Rules`, then `RuleTangentMap`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any

from ...primitives.array import as_value
from ...primitives.constants import full_like, zeros_like
from ...primitives.core import Primitive, Trace, Tracer, Value, state, typeof, with_user_line
from ...primitives.jaxpr import Jaxpr, eval_jaxpr
from ...primitives.staging import StagingTrace, TangentTrace, stage
from ...primitives.stand_ins import ZERO
from ...primitives.support.errors import ForwardModeError
from ...primitives.support.lists import woven
from ...primitives.types import ShapedArray, is_inexact
from ...primitives.words.elementwise import add
from ...programs.custom_call import CustomCall, CustomTangent
from ..installed import installed
from ..interpreter import Boxed
from ..jvp import JVP, jvp_flat
from ..transpose import backward_pass
from .linearity import why_not_linear


class Rules:
    """Functions of flat arrays, some of which a subclass has; tangents and cotangents may be
    `ZERO`.

    - `fun(*arrays) -> outs`, always;
    - `apply_jvp(primals, tangents) -> outs, tangents`, if `has_jvp`;
    - `apply_fwd(primals, perturbed) -> outs, residuals, aux` and
      `apply_bwd(aux, residuals, cts) -> cts, logs`, if `has_vjp`; `aux` is anything static, and
      `logs` is (structure, leaves) of what the rule logs, or None;
    - `apply_batch(size, batched, args) -> (outs, flags)`, if `has_batch`: flag i says whether
      result i is batched; its batch axis is then axis 0, as it is in the batched `args`;
    - `apply_taylor(order, series) -> series`, lists of coefficients, if `has_taylor`;
    - `apply_transpose(cts, args) -> cts`, if the function is linear in the operands `linear`;
    - `by_batching(rules, primals, tangents) -> outs, tangents`, if there is a batching rule, and no
      rule for derivatives (see `batch_derivatives.py`).

    `constants` are the positions of the operands that the function once closed over. The rules for
    derivatives do not know them: see `_with_constants`.
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
    by_batching: Any = None

    def __repr__(self) -> str:
        return self.name

    @property
    def differentiable(self) -> bool:
        """Whether there is a rule for derivatives."""
        return self.has_jvp or self.has_vjp or bool(self.linear)

    def closed(self, jaxpr: Jaxpr, consts: Sequence[Any]) -> Rules:
        """Return the rules of the function once it has been staged to `jaxpr`.

        `consts` are the values that the function closes over. They become new operands, in front of
        the others.
        """
        return ClosedRules(self, jaxpr, consts)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Return (results, their tangents), by the most direct rule that there is.

        For Taylor mode only, which derives series from it. `JVP` calls `linearized`.
        """
        if self.has_jvp:
            return self._with_constants(self.apply_jvp, primals, tangents)
        return self.linearized(primals, tangents, lambda x: x)

    def linearized(
        self, primals: Sequence[Any], tangents: Sequence[Any], plain: Callable[[Any], Any]
    ) -> tuple[Any, Any]:
        """Return (results, their tangents), where the tangents may be those of reverse mode.

        For `JVP`, both in forward mode and as the first half of reverse mode, which cannot be told
        apart here. Unlike `jvp`, this prefers a backward rule to a jvp rule: reverse mode must
        transpose what is recorded here. With a backward rule it runs the forward rule (`fwd`) and
        binds a `CustomTangent`. Forward mode then evaluates the `CustomTangent`: by the jvp rule if
        there is one, else by transposing the backward rule.

        `plain(residual)` takes a tangent off a residual. A residual can only have a tangent by what
        the rule closed over, as the operands arrive without theirs.
        """
        if not self.differentiable:
            return self.by_batching(self, primals, tangents)
        if self.has_vjp:
            rule = partial(self._by_backward_rule, plain)
        else:
            rule = self.apply_jvp if self.has_jvp else self._by_linearity
        return self._with_constants(rule, primals, tangents)

    def _with_constants(
        self, rule: Callable, primals: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[Any, Any]:
        """Apply a rule, and add what the tangents of the constants contribute.

        The rule knows only the other operands. By the constants, the function itself is
        differentiated, as if it had no rule.
        """
        constant_tangents = [t if i in self.constants else ZERO for i, t in enumerate(tangents)]
        operand_tangents = [ZERO if i in self.constants else t for i, t in enumerate(tangents)]
        if all([t is ZERO for t in operand_tangents]):
            return jvp_flat(self.fun, primals, constant_tangents, self.name)
        # The rule, for all operands but the constants ...
        outs, by_operands = rule(primals, operand_tangents)
        if all([m is ZERO for m in constant_tangents]):
            return outs, by_operands
        # ... and the function's own derivative, for the constants alone.
        _, by_constants = jvp_flat(self.fun, primals, constant_tangents, self.name)
        return outs, [
            t if m is ZERO else m if t is ZERO else add.bind(m, t)
            for m, t in zip(by_constants, by_operands)
        ]

    def _by_backward_rule(
        self, plain: Callable[[Any], Any], primals: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[Any, Any]:
        """Run the forward rule, and bind the tangent map that the backward rule defines.

        The tangent map is one equation `CustomTangent(*residuals, *tangents)`. Only operands that
        have a tangent take part, and only inexact results have one.
        """
        # Only the operands with a tangent take part. With tangents (t, ZERO) the map has one input.
        moving = [t is not ZERO for t in tangents]
        outs, residuals, aux = self.apply_fwd(primals, moving)
        # The residuals are operands of the tangent map, so they must be plain arrays.
        kept = [plain(as_value(r)) for r in residuals]
        pullback = RuleTangentMap(self, aux, len(kept), moving, primals, outs)
        if self.has_jvp:  # forward mode has a rule of its own
            kept += [as_value(p) for p in primals]
        moving_tangents = [t for t in tangents if t is not ZERO]
        operand_avals = tuple([typeof(x).strong for x in (*kept, *moving_tangents)])
        pullback.n_residuals = len(kept)
        call = CustomTangent(pullback, operand_avals, tuple(pullback.out_avals))
        out_tangents = iter(call.bind(*kept, *moving_tangents) if pullback.out_avals else ())
        return outs, woven(pullback.inexact, out_tangents, repeat(ZERO))

    def _by_linearity(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
        """Differentiate a function that is linear in some of its operands.

        By those operands, the tangent is the function itself, applied to their tangents. By the
        other operands, it is the derivative of the function's own operations.
        """
        call = CustomCall(None, rules=self)
        # First the operands in which the function is not linear, then the others.
        others = [ZERO if i in self.linear else t for i, t in enumerate(tangents)]
        if any([t is not ZERO for t in others]):
            outs, out_tangents = jvp_flat(self.fun, primals, others, self.name)
        else:
            outs = call.bind(*primals)
            out_tangents = [ZERO] * len(outs)
        if all([tangents[i] is ZERO for i in self.linear]):
            return outs, out_tangents
        # The function, at the tangents of its linear operands and the primals of the others.
        args = list(primals)
        for i in self.linear:
            args[i] = zeros_like(primals[i]) if tangents[i] is ZERO else tangents[i]
        out_tangents = [
            t if f is ZERO else add.bind(f, t) if is_inexact(typeof(o).dtype) else ZERO
            for o, f, t in zip(outs, out_tangents, call.bind(*args))
        ]
        return outs, out_tangents


class RuleTangentMap:
    """The tangent map that a backward rule defines, in both directions: what `CustomTangent` calls.

    `backward` applies the user's rule to cotangents. `forward` applies the jvp rule, or the
    transpose of the backward rule, to tangents.

    Two attributes are numbers of operands: `count` is the number of residuals of the forward rule;
    `n_residuals` also counts the primals, which are kept as well where there is a jvp rule.
    `moving` says which operands have tangents, `inexact` which results do; `out_avals` are the
    types of these results.
    """

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
        self.n_residuals = count  # and, where there is a jvp rule, the primals
        avals = [typeof(o).strong for o in outs]
        self.inexact = [is_inexact(a.dtype) for a in avals]
        self.out_avals = [a for a, flag in zip(avals, self.inexact) if flag]

    def __repr__(self) -> str:
        return self.rules.name

    def backward(self, residuals: Sequence[Any], cts: Sequence[Any]) -> tuple[list[Any], Any]:
        """Return the cotangents of the operands that move, given those of the inexact results; and
        what the rule logs.

        The rule sees a cotangent for each result, with `ZERO` for the others.
        """
        ct_iterator = iter(cts)
        all_cts = woven(self.inexact, ct_iterator, repeat(ZERO))
        # The table is empty, but values of derivatives that have ended become plain, too: see
        # `_replaced`.
        cotangents, logs = _replacing(
            {}, self.rules.apply_bwd, self.aux, residuals[: self.count], all_cts
        )
        return [c for c, moves in zip(cotangents, self.moving) if moves], logs

    def forward(self, residuals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """Return the results' tangents, by the jvp rule or by transposing the backward rule."""
        if self.rules.has_jvp:
            tangent_iterator = iter(tangents)
            moves = woven(self.moving, tangent_iterator, repeat(ZERO))
            _, outs = self.rules.apply_jvp(residuals[self.count :], moves)
            outs = [t for t, flag in zip(outs, self.inexact) if flag]
        else:
            outs = self.transposed(residuals, tangents)
        zipped = zip(outs, self.out_avals)
        return [full_like(aval, 0) if t is ZERO else t for t, aval in zipped]

    def transposed(self, residuals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """Apply the transpose of the backward rule to tangents.

        The backward rule maps cotangents to cotangents, and is linear. So its transpose maps
        tangents to tangents: write the rule down as a program, and walk through that program
        backward.
        """
        present: list[bool] = []

        def backward(*cts: Any) -> list[Any]:
            nonlocal present
            cotangents, _ = self.backward(residuals, cts)
            present = [c is not ZERO for c in cotangents]
            return [c for c in cotangents if c is not ZERO]

        # A cotangent that is ZERO whatever arrives is no result of the program: `present`
        # says which are.
        program = _linear_program(backward, self.out_avals, self.rules.name)
        reason = why_not_linear(program)
        if reason is None:
            try:
                moves = [t for t, c in zip(tangents, present) if c]
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
    """Return the program of a linear function of arrays of these types.

    If a program is being written around, everything that the function does is staged. If not, the
    program contains only the operations on the function's inputs. All other values are evaluated at
    once, so that Python code may branch on their numbers.
    """
    trace = before = state.trace
    # Is a program being written, here or further out?
    while trace is not None:
        if type(trace) is StagingTrace:
            return stage(fun, avals, name)
        trace = trace.parent
    with installed(TangentTrace(before, name)) as recorder:
        inputs = [recorder.input(a) for a in avals]
        return recorder.finish(inputs, fun(*inputs))


#: (value, operand) by the id of the value: a value that a function closed over when it was staged,
#: and the operand that stands for the value now. The value is kept so that its id stays its own.
Table = dict[int, tuple[Any, Any]]


class Replacing(Trace):
    """A trace that puts operands in the place of values that a function closed over.

    Everything else is left to the parent.
    """

    def __init__(self, parent: Trace, table: Table):
        self.parent, self.table = parent, table

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        if primitive.holds_programs and primitive.lazy:  # its rules may close over the same values
            rules = ReplacedRules(primitive.rules, self.table)
            primitive = CustomCall(None, rules=rules)
        return self.parent.process(primitive, _replaced(args, self.table))

    def successor(self, value: Value) -> Any:
        replacement = _replaced(value, self.table)
        return super().successor(value) if replacement is value else replacement


def _replaced(x: Any, table: Table) -> Any:
    """Return a value with operands in the place of what was closed over; in lists and tuples, too.

    A value of a derivative that has ended is replaced by the number that it stands for.
    """
    if isinstance(x, (list, tuple)):
        return type(x)([_replaced(item, table) for item in x])
    entry = table.get(id(x))
    if entry is not None:
        return entry[1]
    # A backward rule runs when the function has returned, and with it perhaps the derivative that
    # owned what the rule closed over. Such a value is only its primal now.
    while type(x) is Boxed and type(x.owner) is JVP and not _around(x.owner):
        x = x.value[0]
    return x


def _around(owner: Trace) -> bool:
    """Return whether a transformation is among those at work here."""
    trace = None if owner.finished else state.trace
    while trace is not None and trace is not owner:
        trace = trace.parent
    return trace is not None


class Inheriting(Trace):
    """A trace in which the values of a transformation that has returned belong to its copy.

    The copy is the parent, `former` is the transformation that has returned.
    """

    def __init__(self, parent: Trace, former: Trace):
        self.parent, self.former = parent, former

    def process(self, primitive: Primitive, args: Sequence[Any]) -> Any:
        return self.parent.process(primitive, [self.inherited(a) for a in args])

    def successor(self, value: Any) -> Any:
        inherited = self.inherited(value)
        return super().successor(value) if inherited is value else inherited

    def inherited(self, x: Any) -> Any:
        """Return the value as one of the copy if it was one of the former transformation."""
        former = type(x) is Boxed and x.owner is self.former
        return Boxed(self.parent, x.value) if former else x


def inheriting(former: Trace, fun: Callable, *args: Any) -> list[Any]:
    """Call a function in a copy of a transformation that has returned.

    The copy is the current trace. The function may have closed over values of the `former`
    transformation.
    """
    with installed(Inheriting(state.trace, former)) as trace:
        return [trace.inherited(o) for o in fun(*args)]


def _replacing(table: Table, rule: Callable, *args: Any) -> Any:
    """Call a rule with the values of a table replaced, and return its result, replaced likewise."""
    with installed(Replacing(state.trace, table)):
        return _replaced(rule(*args), table)


class DerivedRules(Rules):
    """Rules that are made of other rules, and have the same kinds of them."""

    def __init__(self, inner: Rules):
        self.inner = inner
        self.name, self.linear, self.constants = inner.name, inner.linear, inner.constants
        self.has_jvp, self.has_vjp = inner.has_jvp, inner.has_vjp
        self.has_batch, self.has_taylor = inner.has_batch, inner.has_taylor
        self.by_batching = inner.by_batching

    @property
    def differentiable(self) -> bool:
        """Whether there is a rule for derivatives."""
        return self.inner.differentiable


class ReplacedRules(DerivedRules):
    """The rules of a function that closes over values which other values replace now."""

    def __init__(self, inner: Rules, table: Table):
        super().__init__(inner)
        self.table = table
        for name in ("fun", "apply_jvp", "apply_fwd", "apply_bwd", "apply_batch", "apply_taylor",
                     "apply_transpose"):  # fmt: skip
            if hasattr(inner, name):
                setattr(self, name, partial(_replacing, table, getattr(inner, name)))


class ClosedRules(DerivedRules):
    """The rules of a function that has been staged to a program.

    The values that the function closed over are the program's first `count` operands. The rules are
    still Python code that refers to the old values; while a rule runs, the operands replace them
    (see `Replacing`).
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
        """Call a rule with these values in the place of the constants."""
        # Arrays need no replacement: they are still what they were. Tracers are gone once their
        # transformation has returned.
        table = {id(c): (c, v) for c, v in zip(self.consts, values) if isinstance(c, Tracer)}
        return _replacing(table, rule, *args) if table else rule(*args)

    def _split(self, values: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Split off what belongs to the constants."""
        return values[: self.count], values[self.count :]

    def apply_jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        values, primals = self._split(primals)
        return self._with(values, self.inner.apply_jvp, primals, tangents[self.count :])

    def apply_fwd(self, primals: Sequence[Any], perturbed: Sequence[bool]) -> tuple:
        values, primals = self._split(primals)
        perturbed_operands = perturbed[self.count :]
        outs, residuals, aux = self._with(values, self.inner.apply_fwd, primals, perturbed_operands)
        return outs, [*values, *residuals], aux

    def apply_bwd(
        self, aux: Any, residuals: Sequence[Any], cts: Sequence[Any]
    ) -> tuple[list[Any], Any]:
        values, residuals = self._split(residuals)
        cotangents, logs = self._with(values, self.inner.apply_bwd, aux, residuals, cts)
        return [*[ZERO] * self.count, *cotangents], logs

    def apply_batch(self, size: int, batched: Sequence[bool], args: Sequence[Any]) -> tuple:
        values, args = self._split(args)
        batched_operands = batched[self.count :]
        return self._with(values, self.inner.apply_batch, size, batched_operands, args)

    def apply_taylor(self, order: int, series: Sequence[Any]) -> list[list[Any]]:
        values, operand_series = self._split(series)
        return self._with([v[0] for v in values], self.inner.apply_taylor, order, operand_series)

    def apply_transpose(self, cts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        values, args = self._split(args)
        cotangents = self._with(values, self.inner.apply_transpose, cts, args)
        return [*[None] * self.count, *cotangents]
