"""Checking, the interpreter of checkify: a value is (array,), and one report goes along.

Within the jvp rule of a user's, a tangent and what depends on one is (array, True). It is not
checked: in reverse mode it is not known yet, and the report would depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ...operations.checks import Check, CheckFailure, Slot
from ...primitives.constants import full_like
from ...primitives.core import Primitive, state, typeof, user_source
from ...primitives.jaxpr import Jaxpr, eval_jaxpr
from ...primitives.staging import StagingTrace, TangentTrace, stage
from ...primitives.types import ShapedArray
from ...primitives.words.elementwise import eq
from ...programs.call import Call, split_list
from ...programs.cond import Cond, same_inputs
from ...programs.custom_call import CustomCall, CustomTangent
from ...programs.remat import Checkpoint
from ...programs.scan import Scan
from ...programs.while_loop import While
from ..interpreter import Boxed, Interpreter
from ..jvp import JVP
from .checked_rules import CheckedRules
from .report import Report, Sites
from .watching import OOBError, watch


class Checked(NamedTuple):
    """A program that returns a report behind its results.

    Attributes:
        jaxpr: the program, which begins with the inputs for `consts`.
        consts: values that it closed over.
        slots: the slots of its report, in order.
        touched: whether there is a check in it.
    """

    jaxpr: Jaxpr
    consts: Sequence[Any]
    slots: tuple[Slot, ...]
    touched: bool


class Checking(Interpreter):
    """An interpreter that looks for failures of some kinds.

    Args:
        kinds: which failures are looked for.
        sites: the numbers of checks; by default, new ones.
    """

    complete = watches = True

    def __init__(self, kinds: Collection[type[CheckFailure]], sites: Sites | None = None):
        self.kinds = frozenset(kinds)
        self.sites = Sites() if sites is None else sites
        self.report = Report(self.sites)

    def fresh(self) -> Checking:
        """Return an interpreter for a part of the same run, with a report of its own."""
        return Checking(self.kinds, self.sites)

    def lift(self, x: Any) -> tuple[Any, ...]:
        return (x,)

    def concrete(self, value: tuple[Any, ...]) -> Any:
        # A known index that is out of bounds would raise at once, and is to be reported.
        return None if OOBError in self.kinds else value[0]

    def describe(self) -> str:
        return "checkify"

    def process(self, primitive: Any, args: Sequence[Any]) -> Any:
        """Apply a primitive in the parent's context, and check what it does.

        Unlike other interpreters, this one sees all primitives, with operands of its own or not.
        """
        before, source = state.trace, state.source
        moves = any([type(a) is Boxed and a.owner is self and len(a.value) > 1 for a in args])
        if primitive.holds_programs and primitive.lazy and self.keeps_rules():
            primitive, args = primitive.closed(args)  # what it closes over may be ours
        values = [self.plain(a) for a in args]
        state.trace = self.parent
        if source is None:
            state.source = user_source()
        try:
            outs = primitive.bind(*values) if moves else self.apply(primitive, values)
        finally:
            state.trace, state.source = before, source
        made = [(o, True) if moves else (o,) for o in _list(primitive, outs)]
        return [self.wrap(v) for v in made] if primitive.multiple_results else self.wrap(made[0])

    def wrap(self, value: Any) -> Any:
        return Boxed(self, value if type(value) is tuple else (value,))

    def plain(self, x: Any) -> Any:
        """Return the array of a value of ours."""
        return self.unwrap(x)[0]

    def apply(self, primitive: Any, args: Sequence[Any]) -> Any:
        """Return the result of a primitive on arrays; the report takes in its failures."""
        if isinstance(primitive, Check):
            self.user_check(primitive, args)
            return []
        if isinstance(primitive, CustomCall):
            return self.custom_call(primitive, args)
        if isinstance(primitive, CustomTangent):
            return [v[0] for v in self.inline(primitive.fun, [(a,) for a in args])]
        for kind, rule in _ON_PROGRAMS:
            if isinstance(primitive, kind):
                return rule(self, primitive, args)
        outs = primitive.bind(*args)
        watch(self.report, self.kinds, primitive, args, _list(primitive, outs))
        return outs

    def user_check(self, check: Check, args: Sequence[Any]) -> None:
        """Take in a check, or several that were made a result before."""
        wanted = [site.kind in self.kinds for site in check.sites]
        if not any(wanted):
            return
        report = Report(self.sites)
        report.take(_renumbered(args, check, self.sites, wanted), check.slots)
        self.report.merge(report.code, report.slots)

    def custom_call(self, call: CustomCall, args: Sequence[Any]) -> list[Any]:
        """Apply a function with rules of its own; see `CheckedRules`."""
        if call.lazy:  # no derivative around could need the rules
            return [v[0] for v in self.inline(call.rules.fun, [(a,) for a in args])]
        assert call.jaxpr is not None
        checked = self.checked(call.jaxpr, [typeof(a) for a in args])
        if call.rules.linear or not checked.touched:
            # A linear function is transposed as a whole, so only its results are looked at.
            outs = call.bind(*args)
            watch(self.report, self.kinds, call, args, outs)
            return outs
        rules = CheckedRules(call.rules, self, checked)
        return self.reported(CustomCall(None, rules=rules).bind(*args), checked)

    def keeps_rules(self) -> bool:
        """Return whether a derivative around might ask for a function's own rules."""
        trace = self.parent
        while trace is not None:
            if isinstance(trace, (JVP, TangentTrace, StagingTrace)):
                return True
            trace = trace.parent
        return False

    # -- Programs --

    def run_flat(
        self, fun: Callable[..., Sequence[Any]], args: Sequence[Any], tangents: Sequence[Any] = ()
    ) -> list[Any]:
        """Call a function of arrays and tangents under this interpreter, and return the arrays."""
        values = [*[(a,) for a in args], *[(t, True) for t in tangents]]
        return [v[0] for v in self.trace_flat(fun, values)]

    def checked(self, jaxpr: Jaxpr, avals: Sequence[ShapedArray]) -> Checked:
        """Return the program with a report behind its results."""
        slots: tuple[Slot, ...] = ()
        touched = False

        def run(*args: Any) -> Sequence[Any]:
            nonlocal slots, touched
            inner = self.fresh()
            outs = inner.run_flat(lambda *xs: eval_jaxpr(jaxpr, xs), args)
            slots, touched = tuple(inner.report.slots), inner.report.touched
            return [*outs, *inner.report.arrays(slots)]

        staged = stage(run, avals, jaxpr.name)
        return Checked(staged.closed_over(), staged.consts, slots, touched)

    def reported(self, outs: Sequence[Any], checked: Checked) -> list[Any]:
        """Take in the report at the end of the results of a checked program; return the rest."""
        count = len(outs) - 1 - sum([len(slot) for slot in checked.slots])
        self.report.take(outs[count:], checked.slots)
        return list(outs[:count])


def _list(primitive: Primitive, outs: Any) -> Sequence[Any]:
    return outs if primitive.multiple_results else [outs]


def _renumbered(
    args: Sequence[Any], check: Check, sites: Sites, wanted: Sequence[bool]
) -> list[Any]:
    """Return a report whose code is that of this run; 0 for sites that are not looked for."""
    report = Report(sites)
    for number, (site, is_wanted) in enumerate(zip(check.sites, wanted), 1):
        if is_wanted:
            report.add(_equal(args[0], number), site, check.shown(site, args[1:]))
    return report.arrays(check.slots)


def _equal(code: Any, number: int) -> Any:
    return eq.bind(code, full_like(code, number))


# --------------------------------------------------------------------------------------------------
# Operations on programs


def _call(self: Checking, call: Call, args: Sequence[Any]) -> list[Any]:
    checked = self.checked(call.jaxpr, [typeof(a) for a in args])
    if not checked.touched:
        return call.bind(*args)
    new = call.of(checked.jaxpr)
    if isinstance(new, Checkpoint) and isinstance(new.prevent_cse, tuple):
        new = replace(new, prevent_cse=(*[False] * len(checked.consts), *new.prevent_cse))
    return self.reported(new.bind(*checked.consts, *args), checked)


def _cond(self: Checking, cond: Cond, args: Sequence[Any]) -> list[Any]:
    """All branches return a report with the slots of all."""
    index, operands = args[0], args[1:]
    avals = [typeof(a) for a in operands]
    parts = [self.checked(branch, avals) for branch in cond.branches]
    if not any([p.touched for p in parts]):
        return cond.bind(*args)
    slots = tuple(dict.fromkeys([slot for p in parts for slot in p.slots]))
    branches, consts = [], []
    for part in parts:
        count = len(part.consts)
        staged = stage(
            lambda *xs, part=part: _with_slots(self, part, eval_jaxpr(part.jaxpr, xs), slots),
            part.jaxpr.in_avals,
            part.jaxpr.name,
        )
        branches.append(staged.closed_over())
        consts.append([*staged.consts, *part.consts])
        assert len(branches[-1].in_vars) == len(staged.consts) + count + len(avals)
    programs, every = same_inputs(branches, consts)
    outs = Cond(programs).bind(index, *every, *operands)
    return self.reported(outs, Checked(programs[0], (), slots, True))


def _with_slots(
    self: Checking, part: Checked, outs: Sequence[Any], slots: tuple[Slot, ...]
) -> list[Any]:
    report = Report(self.sites)
    count = len(outs) - 1 - sum([len(slot) for slot in part.slots])
    report.take(outs[count:], part.slots)
    return [*outs[:count], *report.arrays(slots)]


def _scan(self: Checking, scan: Scan, args: Sequence[Any]) -> list[Any]:
    """The report of the steps before is a part of the carry."""
    checked = self.checked(scan.jaxpr, scan.jaxpr.in_avals)
    if not checked.touched:
        return scan.bind(*args)
    consts, carry, xs = scan.groups(args)
    start = Report(self.sites).arrays(checked.slots)
    n, m, k = len(checked.consts) + len(consts), len(start), len(carry)

    def step(*values: Any) -> list[Any]:
        leading, before, rest = split_list(values, n, m)
        outs = eval_jaxpr(checked.jaxpr, [*leading, *rest])
        results, after = split_list(outs, len(outs) - m)
        report = Report(self.sites)
        report.take(before, checked.slots)
        report.take(after, checked.slots)
        return [*report.arrays(checked.slots), *results]

    ins = checked.jaxpr.in_avals
    staged = stage(step, [*ins[:n], *[typeof(a) for a in start], *ins[n:]], scan.jaxpr.name)
    constants = [*staged.consts, *checked.consts, *consts]
    new = replace(scan, jaxpr=staged.closed_over(), consts=len(constants), carry=m + k)
    outs = new.bind(*constants, *start, *carry, *xs)
    return self.reported([*outs[m:], *outs[:m]], checked)


def _while(self: Checking, loop: While, args: Sequence[Any]) -> list[Any]:
    """The checks of the condition are made at the start of a step, and once more at the end."""
    cond_consts, body_consts, carry = loop.groups(args)
    test = self.checked(loop.cond, loop.cond.in_avals)
    body = self.checked(loop.body, loop.body.in_avals)
    if not (test.touched or body.touched):
        return loop.bind(*args)
    slots = tuple(dict.fromkeys([*test.slots, *body.slots]))
    start = Report(self.sites).arrays(slots)
    n, m, k = len(cond_consts), len(start), len(body_consts)
    t, b = len(test.consts), len(body.consts)

    def going(*values: Any) -> list[Any]:
        constants, _, xs = split_list(values, t + n, m)
        return eval_jaxpr(test.jaxpr, [*constants, *xs])[:1]

    def step(*values: Any) -> list[Any]:
        tested, firsts, closed, seconds, before, xs = split_list(values, t, n, b, k, m)
        report = Report(self.sites)
        report.take(before, slots)
        report.take(eval_jaxpr(test.jaxpr, [*tested, *firsts, *xs])[1:], test.slots)
        outs = eval_jaxpr(body.jaxpr, [*closed, *seconds, *xs])
        report.take(outs[len(xs) :], body.slots)
        return [*report.arrays(slots), *outs[: len(xs)]]

    report_avals, carry_avals = [typeof(a) for a in start], loop.body.in_avals[k:]
    ins = test.jaxpr.in_avals
    cond_avals = [*ins[: t + n], *report_avals, *carry_avals]
    body_avals = [*ins[: t + n], *body.jaxpr.in_avals[: b + k], *report_avals, *carry_avals]
    cond_program = stage(going, cond_avals, loop.cond.name)
    body_program = stage(step, body_avals, loop.body.name)
    leading = [*cond_program.consts, *test.consts, *cond_consts]
    constants = [
        *body_program.consts, *test.consts, *cond_consts, *body.consts, *body_consts,
    ]  # fmt: skip
    new = replace(
        loop,
        cond=cond_program.closed_over(),
        body=body_program.closed_over(),
        cond_consts=len(leading),
        body_consts=len(constants),
    )
    outs = new.bind(*leading, *constants, *start, *carry)
    self.report.take(outs[:m], slots)
    if test.touched:
        last = Call(test.jaxpr).bind(*test.consts, *cond_consts, *outs[m:])
        self.report.take(last[1:], test.slots)
    return outs[m:]


_ON_PROGRAMS: tuple[tuple[type, Callable], ...] = (
    (Call, _call),
    (Cond, _cond),
    (Scan, _scan),
    (While, _while),
)
