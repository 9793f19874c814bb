"""The simplifier: the program that is lowered in place of the one that was traced.

One pass forward numbers values: an equation whose primitive and operands were met before has the
values of the one before, and the rules of `algebra.py`, `shapes.py` and
`program_rules.py` look at each equation with the equations of its operands at hand. One pass
backward drops what no result needs. The results are what they were, bit by bit: no rule rounds,
reorders or contracts anything.
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

#: The rules of a primitive by its type; for the elementwise table, a dictionary by the row.
RULES: dict[type, Any] = {**ALGEBRA, **SHAPES}


def simplify(jaxpr: Jaxpr) -> Jaxpr:
    """The program with less to do: of the same inputs, the same results, bit by bit.

    With `config.simplify` off, only dead code goes. What is found is kept in the program's memo.
    """
    if not config.simplify:
        return eliminate_dead_code(jaxpr)
    found = jaxpr.memo.get("simplified")
    if found is None:
        found = Simplifier().run(jaxpr)
        if found is not jaxpr:
            jaxpr.memo["simplified"] = found
        found.memo["simplified"] = True  # not itself, which would be a circle
    return jaxpr if found is True else found


def rules_of(primitive: Any) -> Any:
    """The rules of a primitive; None if there are none."""
    rules = RULES.get(type(primitive))
    if rules is None:
        return late_rules(type(primitive), "RULES")
    return rules.get(primitive) if type(rules) is dict else rules


class Simplifier:
    """A pass over one program.

    A rule is a function of the pass, a primitive, its operands, and the type of the result. It
    returns None, or the variable that the result is, or a primitive and operands to take instead.
    """

    # What rules for operations on programs use: they load late, and cannot import their user.
    simplify = staticmethod(simplify)
    live_equations = staticmethod(live_equations)

    def __init__(self) -> None:
        self.eqns: list[Eqn] = []
        #: What stands for variables that were replaced.
        self.env: dict[Any, Any] = {}
        #: The equation that made a variable.
        self.makers: dict[Any, Eqn] = {}
        #: The number that fills a variable, where it is known.
        self.splats: dict[Any, Literal] = {}
        self.values: dict[tuple, Eqn] = {}
        self.literals: dict[tuple, Literal] = {}
        #: Where the operands of a concatenation start.
        self.starts: dict[Eqn, list[int]] = {}
        self.outs: frozenset = frozenset()
        #: Whether a sum of padded arrays was met.
        self.pads = False
        #: The equation that is looked at.
        self.origin: Any = None

    def run(self, jaxpr: Jaxpr) -> Jaxpr:
        """The simplified program."""
        env, self.outs = self.env, frozenset(jaxpr.outs)
        consts: dict[int, Var] = {}
        for var, const in zip(jaxpr.const_vars, jaxpr.consts):
            first = consts.setdefault(id(const), var)
            if first is not var:
                self.replace(var, first)
        equation, known = self.equation, env.get
        for eqn in jaxpr.eqns:
            inputs = eqn.inputs
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
        self, primitive: Any, inputs: Sequence[Any], outs: Sequence[Var], origin: Eqn
    ) -> None:
        """Take an equation, or what the rules make of it; its operands are canonical."""
        rules = rules_of(primitive)
        if rules is not None:
            self.origin = origin
            found = self.rewritten(rules, primitive, inputs, outs)
            if found is None:
                return
            primitive, inputs = found
        elif primitive.takes_scalars:
            inputs = self.interned(inputs)
        if primitive.holds_programs:
            self.origin = origin
            rule = late_rules(type(primitive), "PROGRAMS")
            if rule is not None:
                found = rule(self, primitive, inputs, outs, origin)
                if found is None:
                    return
                primitive, inputs, outs = found
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
        if primitive.merges and not (primitive.effects or primitive.calls_python):
            try:
                found = self.values.setdefault((primitive, *inputs), eqn)
            except TypeError:  # parameters without a hash
                found = eqn
            if found is not eqn and self.merged(found, primitive, outs):
                return
        self.eqns.append(eqn)
        if rules is not None:
            self.makers[outs[0]] = eqn
            if type(primitive) is Full and type(primitive.value) in SCALARS:
                self.splats[outs[0]] = self.literal(Literal(primitive.value))

    def rewritten(
        self, rules: Any, primitive: Any, inputs: Sequence[Any], outs: Sequence[Var]
    ) -> tuple[Any, Sequence[Any]] | None:
        """The primitive and operands when no rule applies any more; None if the result is there."""
        aval = outs[0].aval
        while True:
            if primitive.takes_scalars:
                given, inputs = inputs, self.with_literals(inputs)
                if inputs is not given and primitive in NUMBERS:
                    rules = NUMBERS[primitive]
            for rule in rules:
                found = rule(self, primitive, inputs, aval)
                if found is not None:
                    break
            else:
                return primitive, inputs
            if type(found) is not tuple:
                return None if self.replace(outs[0], found) else (primitive, inputs)
            primitive, inputs = found
            rules = rules_of(primitive)
            if rules is None:
                return found

    def interned(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """The operands with the one literal for each number; -0.0 is another than 0.0."""
        for v in inputs:
            if type(v) is Literal:
                return [self.literal(v) if type(v) is Literal else v for v in inputs]
        return inputs

    def literal(self, v: Literal) -> Literal:
        """The one literal of a number."""
        value = v.value
        if type(value) not in SCALARS:
            return v
        key = (type(value), value if value else repr(value))
        return self.literals.setdefault(key, v)

    def with_literals(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """The operands with numbers for those that are filled by one; one stays an array."""
        splats = self.splats
        for v in inputs:
            if v in splats or type(v) is Literal:
                break
        else:
            return inputs
        found, arrays = [], 0
        for v in inputs:
            if type(v) is Literal:
                v = self.literal(v)
            elif v in splats:
                v = splats[v]
            else:
                arrays += 1
            found.append(v)
        # The first of the three operands of `select` never is a number, and of the others one.
        first = 1 if len(found) == 3 else 0
        if first or not arrays:
            found[:first] = inputs[:first]
            if all([type(v) is Literal for v in found[first:]]):
                array = next(i for i, v in enumerate(inputs) if type(v) is Var and i >= first)
                found[array] = inputs[array]
        return found

    def number(self, v: Any) -> Any:
        """The number that fills an operand, or None."""
        if type(v) is Literal:
            return v.value
        found = self.splats.get(v)
        return None if found is None else found.value

    def bind(self, primitive: Any, *inputs: Any) -> Var:
        """The result of a primitive that a rule needs besides the equation that it gives."""
        avals = [v.value if type(v) is Literal else v.aval for v in inputs]
        origin = self.origin
        outs = (Var(infer(primitive, avals)),)
        self.equation(primitive, inputs, outs, Eqn(primitive, (), (), origin.source))
        self.origin = origin
        return self.env.get(outs[0], outs[0])

    def replace(self, old: Var, new: Any) -> bool:
        """Let one variable stand for another; not where a result would change its weakness."""
        if old.aval is not new.aval and old in self.outs:
            return False
        self.env[old] = new
        return True

    def merged(self, found: Eqn, primitive: Any, outs: Sequence[Var]) -> bool:
        """Whether the results of an equation now stand for those of an equal one."""
        if not same_primitive(found.primitive, primitive):
            return False
        return self.replace_all(outs, found.outs)

    def replace_all(self, olds: Sequence[Var], news: Sequence[Any]) -> bool:
        """Let variables stand for others, all or none."""
        for old, new in zip(olds, news):
            if old.aval is not new.aval and old in self.outs:
                return False
        self.env.update(zip(olds, news))
        return True

    def inline(self, jaxpr: Jaxpr, inputs: Sequence[Any]) -> list[Any]:
        """Take the equations of a program for these operands; its results."""
        return self.taken(jaxpr.eqns, dict(zip(jaxpr.in_vars, inputs)), jaxpr.outs)

    def taken(self, eqns: Sequence[Eqn], given: Mapping, wanted: Sequence[Any]) -> list[Any]:
        """Take equations of another program, with operands for its variables; what stands for
        those that are wanted.
        """
        own, env = dict(given), self.env
        for eqn in eqns:
            outs = [Var(v.aval) for v in eqn.outs]
            self.equation(eqn.primitive, [own.get(v, v) for v in eqn.inputs], outs, eqn)
            for v, new in zip(eqn.outs, outs):
                own[v] = env.get(new, new)
        return [own.get(v, v) for v in wanted]


def each_use_its_own(eqns: Sequence[Eqn]) -> Sequence[Eqn]:
    """The equations with a reshape or broadcast for each that uses it. XLA moves them about, and
    into what uses them, only where they have one use; what is left of them is common there, too.
    """
    makers: dict[Any, Eqn] = {}
    used: set = set()
    found: list[Eqn] = []
    fresh = makers.keys().isdisjoint
    for eqn in eqns:
        if not fresh(eqn.inputs):
            vs = [v for v in {*eqn.inputs} if v in makers]
            own = {v: Var(v.aval) for v in vs if v in used}
            used.update(vs)
            for v, new in own.items():
                maker = makers[v]
                found.append(Eqn(maker.primitive, maker.inputs, (new,), maker.source))
            if own:
                inputs = [own.get(v, v) for v in eqn.inputs]
                eqn = Eqn(eqn.primitive, inputs, eqn.outs, eqn.source)
        kind = type(eqn.primitive)
        if kind is BroadcastInDim or kind is Reshape:
            makers[eqn.outs[0]] = eqn
        found.append(eqn)
    return found


def same_primitive(a: Any, b: Any) -> bool:
    """Whether equal primitives are the same; an outsider's may have an == of its own."""
    return a is b or (
        isinstance(a, Primitive)
        and type(a) is type(b)
        and exactly_equal(a.parameters(), b.parameters())
    )
