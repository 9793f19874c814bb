"""Jaxpr: a program as data. Its grammar, evaluation, checking and printing.

jaxpr = const_vars, in_vars, eqns, outs      eqn = out_vars = primitive(inputs)      input = Var |
Literal
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING
from typing import Any

from .core import Primitive, state, typeof
from .support.sources import short_filename, source_line
from .types import SCALARS, ShapedArray, short_dtype


class Var:
    """A variable: assigned once, by an equation or as an input. Its name is given when it is
    printed.
    """

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    def __repr__(self) -> str:
        return f"Var({self.aval})"


class Literal:
    """A constant operand: a Python scalar, or in linear programs any value (a residual)."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    @property
    def aval(self) -> ShapedArray:
        """The type of the value."""
        return typeof(self.value)

    def __repr__(self) -> str:
        return f"Literal({self.value!r})"


class Eqn:
    """An equation: `outs = primitive(inputs)`, and the line of the user's program from which it
    came.
    """

    __slots__ = ("inputs", "outs", "primitive", "source")

    def __init__(
        self, primitive: Primitive, inputs: Sequence[Any], outs: Sequence[Var], source: Any = None
    ):
        self.primitive, self.inputs, self.outs, self.source = primitive, inputs, outs, source

    def __reduce__(self):
        return Eqn, (self.primitive, self.inputs, self.outs)  # code is not to be pickled

    def __repr__(self) -> str:
        return f"Eqn({self.primitive!r}, {len(self.inputs)} -> {len(self.outs)})"


class ScopedSource(tuple):
    """The source of an equation that belongs to a named part of the program."""

    scope = ""

    @staticmethod
    def within(scope: str, source: Any) -> Any:
        """A source with one more scope around it."""
        if source is None:
            return None
        scoped = ScopedSource(source)
        inner = getattr(source, "scope", "")
        scoped.scope = f"{scope}/{inner}" if inner else scope
        return scoped


class Jaxpr:
    """A program. Immutable by convention; compared by identity.

    Attributes:
        in_vars: the inputs.
        eqns: the equations in the order in which they run.
        outs: the results, each a Var or a Literal.
        const_vars, consts: further inputs with their values (arrays the traced function closed
            over).
        name: of the function that was traced.
        memo: results of transforming the program, kept as long as the program lives.
    """

    __slots__ = ("__weakref__", "const_vars", "consts", "eqns", "in_vars", "memo", "name", "outs")

    def __init__(
        self,
        in_vars: Sequence[Var],
        eqns: Sequence[Eqn],
        outs: Sequence[Any],
        const_vars: Sequence[Var] = (),
        consts: Sequence[Any] = (),
        name: str = "",
    ):
        self.in_vars, self.eqns, self.outs = tuple(in_vars), tuple(eqns), tuple(outs)
        self.const_vars, self.consts, self.name = tuple(const_vars), tuple(consts), name
        self.memo: dict = {}

    @property
    def in_avals(self) -> list[ShapedArray]:
        """The types of the inputs."""
        return [v.aval for v in self.in_vars]

    @property
    def out_avals(self) -> list[ShapedArray]:
        """The types of the results."""
        return [v.aval for v in self.outs]

    @property
    def names(self) -> frozenset:
        """The named axes that its primitives speak of."""
        found = self.memo.get("names")
        if found is None:
            found = frozenset([name for eqn in self.eqns for name in eqn.primitive.names])
            self.memo["names"] = found
        return found

    @property
    def effects(self) -> frozenset:
        """What its primitives do besides computing their results."""
        found = self.memo.get("effects")
        if found is None:
            found = frozenset([kind for eqn in self.eqns for kind in eqn.primitive.effects])
            self.memo["effects"] = found
        return found

    def closed_over(self) -> Jaxpr:
        """The same program with its constants as leading inputs instead."""
        return (
            Jaxpr(self.const_vars + self.in_vars, self.eqns, self.outs, name=self.name)
            if self.consts
            else self
        )

    def __repr__(self) -> str:
        return "\n".join(_lines(self, _Names(), ""))

    def _repr_html_(self) -> str:
        text = repr(self).replace("&", "&amp;").replace("<", "&lt;")
        return f'<pre style="line-height:1.35">{text}</pre>'

    def __call__(self, *args: Any) -> list[Any]:
        """Evaluate in the current context: `eval_jaxpr(self, args)`."""
        return eval_jaxpr(self, args)


# --------------------------------------------------------------------------------------------------
# Evaluation, dead code, checking


def eval_jaxpr(jaxpr: Jaxpr, args: Sequence[Any]) -> list[Any]:
    """Run a program on arrays or tracers, primitive by primitive, under the current interpreter.

    Args:
        jaxpr: the program.
        args: one value for each of `jaxpr.in_vars`, of that type.

    Raises:
        TypeError: if the number of arguments is wrong.

    Examples:
        >>> import diffeo as dx
        >>> jaxpr = dx.make_jaxpr(lambda x: 2 * dx.numpy.sin(x))(1.0)
        >>> dx.eval_jaxpr(jaxpr, [0.5])[0]
        Array(0.95885108)
    """
    if len(args) != len(jaxpr.in_vars):
        raise TypeError(f"the program has {len(jaxpr.in_vars)} inputs, got {len(args)} values")
    env: dict[Any, Any] = dict(zip(jaxpr.const_vars, jaxpr.consts))
    env.update(zip(jaxpr.in_vars, args))
    before, trace = state.source, state.trace
    try:
        for eqn in jaxpr.eqns:
            state.source = eqn.source
            out = trace.process(
                eqn.primitive, [env[v] if type(v) is Var else v.value for v in eqn.inputs]
            )
            if eqn.primitive.multiple_results:
                env.update(zip(eqn.outs, out))
            else:
                env[eqn.outs[0]] = out
    finally:
        state.source = before
    return [env[v] if type(v) is Var else v.value for v in jaxpr.outs]


def eliminate_dead_code(jaxpr: Jaxpr, effects: bool = True) -> Jaxpr:
    """The program without equations and constants that no result needs; inputs stay, and `effects`
    if so.
    """
    live = set(jaxpr.outs)
    kept = []
    for eqn in reversed(jaxpr.eqns):
        if not live.isdisjoint(eqn.outs) or (effects and eqn.primitive.effects):
            kept.append(eqn)
            live.update(eqn.inputs)  # also literals, of which no equation is asked
    pairs = [(v, c) for v, c in zip(jaxpr.const_vars, jaxpr.consts) if v in live]
    if len(kept) == len(jaxpr.eqns) and len(pairs) == len(jaxpr.consts):
        return jaxpr
    return Jaxpr(
        jaxpr.in_vars,
        kept[::-1],
        jaxpr.outs,
        [v for v, _ in pairs],
        [c for _, c in pairs],
        jaxpr.name,
    )


def infer(primitive: Primitive, avals: Sequence[Any]) -> Any:
    """Return what `abstract_eval` says of types and Python scalars, and whether the result is weak.

    The rules themselves see strong types. With `keeps_weak` a result is weak if some array operand
    is weak, and no other one is strong; a boolean has no weakness to give or to take.
    """
    weak, strong, seen = False, False, []
    for a in avals:
        if type(a) is ShapedArray:
            if a.weak_type:
                weak, a = True, a.strong
            elif a.dtype.kind != "b":
                strong = True
        seen.append(a)
    out = apply_type_rule(primitive, seen)
    if not ((weak and not strong) if primitive.keeps_weak else primitive.weak_type):
        return out
    return [o.weak for o in out] if primitive.multiple_results else out.weak


def apply_type_rule(primitive: Primitive, avals: Sequence[Any]) -> Any:
    """`abstract_eval`; its errors name the primitive, also if the number of operands is wrong."""
    try:
        return primitive.abstract_eval(*avals)
    except (TypeError, ValueError, IndexError) as error:
        name, listed = primitive.name, ", ".join(map(str, avals)) or "none"
        if isinstance(error, IndexError):  # of a rule that takes any number of operands
            message = f"{name}: too few operands or axes, got {len(avals)}: {listed}"
            raise TypeError(message) from error
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            if name not in str(error):
                error.args = (f"{name}: {error}",)
            raise
    # Raised by the call itself, not in the rule.
    code: Any = type(primitive).abstract_eval.__code__
    raise TypeError(f"{name}: expects {code.co_argcount - 1} operands, got {len(avals)}: {listed}")


def check_jaxpr(jaxpr: Jaxpr) -> None:
    """Type-check a program: every variable is assigned once and before use, every type is what its
    rule says.

    Raises:
        TypeError: naming the first equation that is wrong.

    Examples:
        >>> import diffeo as dx
        >>> dx.check_jaxpr(dx.make_jaxpr(dx.numpy.sin)(1.0))
    """
    if len(jaxpr.const_vars) != len(jaxpr.consts):
        raise TypeError(
            f"{len(jaxpr.const_vars)} constant variables but {len(jaxpr.consts)} constants"
        )
    bound: set[Var] = set()

    def define(var: Any, where: str) -> None:
        if type(var) is not Var or var in bound:
            raise TypeError(f"{where}: {var} is not a new variable")
        bound.add(var)

    def known(operand: Any, where: str) -> None:
        if type(operand) is not Literal and operand not in bound:
            raise TypeError(f"{where}: {operand} is used before it is assigned")

    for var in (*jaxpr.const_vars, *jaxpr.in_vars):
        define(var, "inputs")
    for var, const in zip(jaxpr.const_vars, jaxpr.consts):
        if typeof(const).strong is not var.aval.strong:
            raise TypeError(
                f"constant {typeof(const)} does not have the type of its variable, {var.aval}"
            )
    for i, eqn in enumerate(jaxpr.eqns):
        where = (
            f"equation {i} ({eqn.primitive.name}, from {_where(eqn.source) or 'an unknown line'})"
        )
        for operand in eqn.inputs:
            known(operand, where)
        for inner in sub_jaxprs(eqn.primitive):
            check_jaxpr(inner)
        scalars = eqn.primitive.takes_scalars
        avals = [
            v.value if type(v) is Literal and scalars and type(v.value) in SCALARS else v.aval
            for v in eqn.inputs
        ]
        found = infer(eqn.primitive, avals)
        found = list(found) if eqn.primitive.multiple_results else [found]
        if [a.strong for a in found] != [v.aval.strong for v in eqn.outs]:
            raise TypeError(
                f"{where}: the rule says {found}, the program {[v.aval for v in eqn.outs]}"
            )
        for var in eqn.outs:
            define(var, where)
    for out in jaxpr.outs:
        known(out, "results")


#: Called with every program that a transformation makes, if it is set; the tests have
#: `check_jaxpr` look at them all.
after_making: Callable[[Jaxpr], None] | None = None


def made(jaxpr: Jaxpr) -> Jaxpr:
    """The program itself, which has just been made."""
    if after_making is not None:
        after_making(jaxpr)
    return jaxpr


def sub_jaxprs(primitive: Any) -> Iterator[Jaxpr]:
    """The programs among the parameters of a primitive, also those inside of a dataclass."""
    for name, value in getattr(primitive, "__dict__", {}).items():
        if name[0] == "_":  # what the primitive remembers is no parameter
            continue
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Jaxpr):
                yield item
            elif hasattr(item, "__dataclass_fields__"):
                yield from sub_jaxprs(item)


# --------------------------------------------------------------------------------------------------
# Printing


class _Names(dict):
    """Names for variables, in the order in which they are met: a, b, ..., z, ba, bb ..."""

    def __missing__(self, var: Var) -> str:
        n, name = len(self), ""
        while True:
            n, letter = divmod(n, 26)
            name = chr(97 + letter) + name
            if not n:
                break
        self[var] = name
        return name


def _where(source: Any) -> str:
    filename, line, _ = source_line(source)
    return f"{short_filename(filename)}:{line}" if line else ""


def _binder(var: Var, names: _Names) -> str:
    return f"{names[var]}:{var.aval}{'~' if var.aval.weak_type else ''}"


def _operand(v: Any, names: _Names) -> str:
    if type(v) is Var:
        return names[v]
    return repr(v.value) if type(v.value) in SCALARS else f"<{v.aval}>"


def _parameters(primitive: Primitive) -> str:
    fields = getattr(primitive, "__dataclass_fields__", {})
    values = [(f, getattr(primitive, f), spec.default) for f, spec in fields.items()]
    shown = [
        (f, v)
        for f, v, default in values
        if not isinstance(v, Jaxpr) and (default is MISSING or v != default)
    ]
    text = ", ".join(
        [
            f"{f}={short_dtype(v) if hasattr(v, 'itemsize') and hasattr(v, 'kind') else v}"
            for f, v in shown
        ]
    )
    return f"[{text}]" if text else ""


def _lines(jaxpr: Jaxpr, names: _Names, indent: str) -> list[str]:
    head = ", ".join([_binder(v, names) for v in jaxpr.in_vars])
    consts = "; ".join([_binder(v, names) for v in jaxpr.const_vars])
    lines = [f"{indent}lambda {consts + ' ; ' if consts else ''}{head}:"]
    body = []
    for eqn in jaxpr.eqns:
        outs = ", ".join([_binder(v, names) for v in eqn.outs])
        operands = " ".join([_operand(v, names) for v in eqn.inputs])
        body.append(
            (
                f"{indent}  {outs + ' = ' if outs else ''}"
                f"{eqn.primitive.name}{_parameters(eqn.primitive)} "
                f"{operands}".rstrip(),
                _where(eqn.source),
                eqn,
            )
        )
    width = max([len(text) for text, _, _ in body if len(text) < 72], default=0)
    for text, where, eqn in body:
        scope = getattr(eqn.source, "scope", "")
        where = f"{where} {scope}" if scope else where
        lines.append(f"{text:{width}}  # {where}" if where else text)
        for inner in sub_jaxprs(eqn.primitive):
            lines += _lines(inner, names, indent + "    ")
    return [
        *lines,
        f"{indent}  return {', '.join([_operand(v, names) for v in jaxpr.outs]) or '()'}",
    ]
