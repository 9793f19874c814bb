"""The simplifier: the program that is lowered in place of the one that was traced.

One pass forward numbers values: an equation whose primitive and operands were met before has the
values of the earlier one. On the way, the rules of `algebra.py`, `shapes.py`, `place_rules.py` and
`program_rules.py` look at each equation, with the equations that made its operands at hand. One
pass backward drops what no result needs (`live.py`). The results are what they were, bit by bit: no
rule rounds, reorders or contracts anything.

Words: an operand is *canonical* if it is the variable that stands for all variables of this value.
The *maker* of a variable is the equation that assigns it. A variable is a *splat* if its array is
filled with one number, which is then known.

Start reading at `Simplifier.equation`, then `Simplifier.rewritten`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any

from ..primitives.config import config
from ..primitives.constants import Full
from ..primitives.core import Primitive
from ..primitives.jaxpr import Eqn, Jaxpr, Literal, Var, eliminate_dead_code, infer, made
from ..primitives.support.exact import exactly_equal
from ..primitives.types import SCALARS
from ..primitives.words.structural import BroadcastInDim, Reshape
from .algebra import NUMBERS
from .algebra import RULES as ALGEBRA
from .late_rules import late_rules
from .live import live_equations
from .shapes import RULES as SHAPES
from .sums import joined_sums

#: The rules of a primitive by its type. Many primitives of the elementwise table share a type,
#: which has a dictionary of rules by the primitive instead (a row of the table).
RULES: dict[type, Any] = {**ALGEBRA, **SHAPES}


def simplify(jaxpr: Jaxpr) -> Jaxpr:
    """Return the program with less to do: of the same inputs, the same results, bit by bit.

    With `config.simplify` off, only dead code goes. What is found is kept in the program's memo.
    """
    if not config.simplify:
        return eliminate_dead_code(jaxpr)
    simplified = jaxpr.memo.get("simplified")
    if simplified is None:
        simplified = Simplifier().run(jaxpr)
        if simplified is not jaxpr:
            jaxpr.memo["simplified"] = simplified
        simplified.memo["simplified"] = True  # not itself, which would be a circle
    return jaxpr if simplified is True else simplified


def rules_of(primitive: Primitive) -> Any:
    """Return the rules of a primitive; None if there are none."""
    rules = RULES.get(type(primitive))
    if rules is None:
        return late_rules(type(primitive), "RULES")
    return rules.get(primitive) if type(rules) is dict else rules


class Simplifier:
    """A pass over one program.

    A rule is a function of the pass, a primitive, its operands, and the type of the result. It
    returns None, or the variable that the result is, or a primitive and operands to take instead.

    Rules for operations on programs are handed the results and the original equation, too, and
    return the primitive, operands and results to take instead, or None if all results were
    replaced.
    """

    # What rules for operations on programs use: they load late, and cannot import their user.
    simplify = staticmethod(simplify)
    live_equations = staticmethod(live_equations)

    def __init__(self) -> None:
        self.eqns: list[Eqn] = []
        #: What stands for variables that were replaced: always a canonical operand.
        self.env: dict[Any, Any] = {}
        #: The equation that made a variable.
        self.makers: dict[Any, Eqn] = {}
        #: The number that fills a variable, where it is known.
        self.splats: dict[Any, Literal] = {}
        #: The first equation of each primitive and operands.
        self.values: dict[tuple, Eqn] = {}
        #: The one literal of each number.
        self.literals: dict[tuple, Literal] = {}
        #: Where the operands of a concatenation start.
        self.starts: dict[Eqn, list[int]] = {}
        #: The results of the program that is simplified.
        self.outs: frozenset = frozenset()
        #: Whether a sum of padded arrays was met.
        self.pads = False
        #: The equation that is looked at, whose source line new equations get.
        self.origin: Any = None

    def run(self, jaxpr: Jaxpr) -> Jaxpr:
        """Return the simplified program; the program itself if nothing changes."""
        env, self.outs = self.env, frozenset(jaxpr.outs)
        # Constants that are one object are one variable.
        consts: dict[int, Var] = {}
        for var, const in zip(jaxpr.const_vars, jaxpr.consts):
            first = consts.setdefault(id(const), var)
            if first is not var:
                self.replace(var, first)
        equation, known = self.equation, env.get
        for eqn in jaxpr.eqns:
            inputs = eqn.inputs
            # Most equations have no operand that was replaced: keep their list as it is.
            for v in inputs:
                if v in env:
                    inputs = [known(v, v) for v in inputs]
                    break
            equation(eqn.primitive, inputs, eqn.outs, eqn)
        outs = [known(v, v) for v in jaxpr.outs]
        eqns = joined_sums(self.eqns, outs) if self.pads else self.eqns
        eqns, live = live_equations(eqns, outs)
        eqns = each_use_its_own(eqns)
        pairs = [(v, c) for v, c in zip(jaxpr.const_vars, jaxpr.consts) if v in live]
        if (
            len(eqns) == len(jaxpr.eqns)
            and len(pairs) == len(jaxpr.consts)
            and all(map(is_, eqns, jaxpr.eqns))
            and all(map(is_, outs, jaxpr.outs))
        ):
            return jaxpr
        const_vars, values = [v for v, _ in pairs], [c for _, c in pairs]
        return made(Jaxpr(jaxpr.in_vars, eqns, outs, const_vars, values, jaxpr.name))

    def equation(
        self, primitive: Primitive, inputs: Sequence[Any], outs: Sequence[Var], origin: Eqn
    ) -> None:
        """Take an equation, or what the rules make of it; its operands are canonical.

        For `c = add a b` after `d = add a b`, nothing is taken, and d stands for c from now on. For
        `c = add a -0.0`, a rule returns a, which stands for c. For `c = sub a b` where `b = neg d`,
        a rule returns `add` and the operands a and d, and `c = add a d` is taken.
        """
        rules = rules_of(primitive)
        if rules is not None:
            self.origin = origin
            outcome = self.rewritten(rules, primitive, inputs, outs)
            if outcome is None:
                return
            primitive, inputs = outcome
        elif primitive.takes_scalars:
            inputs = self.interned(inputs)
        if primitive.holds_programs:
            self.origin = origin
            rule = late_rules(type(primitive), "PROGRAMS")
            if rule is not None:
                outcome = rule(self, primitive, inputs, outs, origin)
                if outcome is None:
                    return
                primitive, inputs, outs = outcome
                # Nothing has changed: keep the objects themselves, so that the equation is kept
                # below.
                if primitive == origin.primitive and [*outs] == [*origin.outs]:
                    primitive, outs = origin.primitive, origin.outs
        if (
            primitive is origin.primitive
            and outs is origin.outs
            and (inputs is origin.inputs or all(map(is_, inputs, origin.inputs)))
        ):
            eqn = origin
        else:
            eqn = Eqn(primitive, inputs, outs, origin.source)
        # An equation with an effect must happen as often as it is written.
        if primitive.merges and not (primitive.effects or primitive.calls_python):
            try:
                outcome = self.values.setdefault((primitive, *inputs), eqn)
            except TypeError:  # parameters without a hash
                outcome = eqn
            if outcome is not eqn and self.merged(outcome, primitive, outs):
                return
        self.eqns.append(eqn)
        if rules is not None:
            self.makers[outs[0]] = eqn
            if type(primitive) is Full and type(primitive.value) in SCALARS:
                self.splats[outs[0]] = self.literal(Literal(primitive.value))

    def rewritten(
        self, rules: Any, primitive: Primitive, inputs: Sequence[Any], outs: Sequence[Var]
    ) -> tuple[Any, Sequence[Any]] | None:
        """Return the primitive and operands when no rule applies any more; None if the result is
        replaced.
        """
        aval = outs[0].aval
        while True:
            if primitive.takes_scalars:
                # With a number among the operands, the rules for numbers are tried, too.
                unchanged, inputs = inputs, self.with_literals(inputs)
                if inputs is not unchanged and primitive in NUMBERS:
                    rules = NUMBERS[primitive]
            for rule in rules:
                replacement = rule(self, primitive, inputs, aval)
                if replacement is not None:
                    break
            else:
                return primitive, inputs
            if type(replacement) is not tuple:
                # A variable that may not stand for the result leaves the equation as it is.
                return None if self.replace(outs[0], replacement) else (primitive, inputs)
            primitive, inputs = replacement
            rules = rules_of(primitive)
            if rules is None:
                return replacement

    def interned(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """Return the operands with the one literal for each number; -0.0 is another than 0.0."""
        for v in inputs:
            if type(v) is Literal:
                return [self.literal(v) if type(v) is Literal else v for v in inputs]
        return inputs

    def literal(self, v: Literal) -> Literal:
        """Return the one literal of a number."""
        value = v.value
        if type(value) not in SCALARS:
            return v
        key = (type(value), value if value else repr(value))
        return self.literals.setdefault(key, v)

    def with_literals(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """Return the operands with numbers for those that are filled by one; one stays an array.

        Of `add a b`, where b is filled with 2.0, they are `a 2.0`. If a is filled with 1.0, too,
        they are `a 2.0` all the same: an operand that is an array says which shape the result has.
        """
        splats = self.splats
        for v in inputs:
            if v in splats or type(v) is Literal:
                break
        else:
            return inputs
        operands, arrays = [], 0
        for v in inputs:
            if type(v) is Literal:
                v = self.literal(v)
            elif v in splats:
                v = splats[v]
            else:
                arrays += 1
            operands.append(v)
        # The first of the three operands of `select` never is a number, and of the others one.
        first = 1 if len(operands) == 3 else 0
        if first or not arrays:
            operands[:first] = inputs[:first]
            if all([type(v) is Literal for v in operands[first:]]):
                array = next(i for i, v in enumerate(inputs) if type(v) is Var and i >= first)
                operands[array] = inputs[array]
        return operands

    def number(self, v: Any) -> Any:
        """Return the number that fills an operand; None if it is not known."""
        if type(v) is Literal:
            return v.value
        literal = self.splats.get(v)
        return None if literal is None else literal.value

    def bind(self, primitive: Primitive, *inputs: Any) -> Var:
        """Return the result of a primitive that a rule needs besides what it returns."""
        avals = [v.value if type(v) is Literal else v.aval for v in inputs]
        origin = self.origin
        outs = (Var(infer(primitive, avals)),)
        self.equation(primitive, inputs, outs, Eqn(primitive, (), (), origin.source))
        # The rules for the new equation have set another one.
        self.origin = origin
        return self.env.get(outs[0], outs[0])

    def replace(self, old: Var, new: Any) -> bool:
        """Let one variable stand for another, and return whether it may.

        It may not where a result of the program would be strongly instead of weakly typed, or the
        other way round.
        """
        if old.aval is not new.aval and old in self.outs:
            return False
        self.env[old] = new
        return True

    def merged(self, found: Eqn, primitive: Primitive, outs: Sequence[Var]) -> bool:
        """Return whether the results of an equation now stand for those of an equal one."""
        if not same_primitive(found.primitive, primitive):
            return False
        return self.replace_all(outs, found.outs)

    def replace_all(self, olds: Sequence[Var], news: Sequence[Any]) -> bool:
        """Let variables stand for others, all or none, and return whether they may."""
        for old, new in zip(olds, news):
            if old.aval is not new.aval and old in self.outs:
                return False
        self.env.update(zip(olds, news))
        return True

    def inline(self, jaxpr: Jaxpr, inputs: Sequence[Any]) -> list[Any]:
        """Take the equations of a program for these operands; return its results."""
        return self.taken(jaxpr.eqns, dict(zip(jaxpr.in_vars, inputs)), jaxpr.outs)

    def taken(self, eqns: Sequence[Eqn], given: Mapping, wanted: Sequence[Any]) -> list[Any]:
        """Take equations of another program, and return what stands for some of its variables.

        Args:
            eqns: the equations.
            given: operands for variables of that program.
            wanted: the variables to return.
        """
        values, env = dict(given), self.env
        for eqn in eqns:
            outs = [Var(v.aval) for v in eqn.outs]
            self.equation(eqn.primitive, [values.get(v, v) for v in eqn.inputs], outs, eqn)
            for v, new in zip(eqn.outs, outs):
                values[v] = env.get(new, new)
        return [values.get(v, v) for v in wanted]


def each_use_its_own(eqns: Sequence[Eqn]) -> Sequence[Eqn]:
    """Repeat each reshape or broadcast for each equation that uses it.

    XLA moves such an operation to another place, or fuses it with its user, only if it has one use.
    If copies are left after that, XLA merges them again. `b = reshape a; c = f b; d = g b` becomes
    `b = reshape a; c = f b; e = reshape a; d = g e`.
    """
    makers: dict[Any, Eqn] = {}
    used: set = set()
    result: list[Eqn] = []
    fresh = makers.keys().isdisjoint
    for eqn in eqns:
        if not fresh(eqn.inputs):
            # In the order of the operands: the text must be the same in every process.
            vs = [v for v in dict.fromkeys(eqn.inputs) if v in makers]
            # The first use keeps the variable, every further one gets a new variable.
            copies = {v: Var(v.aval) for v in vs if v in used}
            used.update(vs)
            for v, new in copies.items():
                maker = makers[v]
                result.append(Eqn(maker.primitive, maker.inputs, (new,), maker.source))
            if copies:
                inputs = [copies.get(v, v) for v in eqn.inputs]
                eqn = Eqn(eqn.primitive, inputs, eqn.outs, eqn.source)
        kind = type(eqn.primitive)
        if kind is BroadcastInDim or kind is Reshape:
            makers[eqn.outs[0]] = eqn
        result.append(eqn)
    return result


def same_primitive(a: Any, b: Any) -> bool:
    """Return whether equal primitives are the same; an outsider's may have an == of its own."""
    return a is b or (
        isinstance(a, Primitive)
        and type(a) is type(b)
        and exactly_equal(a.parameters(), b.parameters())
    )
