"""Jaxpr: a program as data. Its classes, evaluation, checking and printing.

    Jaxpr:  const_vars, in_vars, eqns, outs
    Eqn:    outs = primitive(inputs)
    input, or result of a program:  Var or Literal

A `Var` is assigned once, by an equation or as an input. "Program" means a `Jaxpr` everywhere in
diffeo. Start reading at `Jaxpr`, then `eval_jaxpr`, which is the whole meaning of a program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING
from typing import Any

from .core import Primitive, state, typeof
from .support.errors import JaxprTypeError
from .support.jax_names import EquationNames, ProgramNames
from .support.sources import short_filename, source_line
from .types import KEYS, SCALARS, ShapedArray, short_dtype


class Var:
    """A variable, which is assigned once, by an equation or as an input. Printing gives it a
    name.
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

    @property
    def val(self) -> Any:
        """The value, by jax's name."""
        return self.value

    def __repr__(self) -> str:
        return f"Literal({self.value!r})"


class Eqn(EquationNames):
    """An equation, `outs = primitive(inputs)`.

    Attributes:
        primitive: the operation.
        inputs: the operands, each a Var or a Literal.
        outs: the variables of the results: one, or several with `multiple_results`.
        source: the line of the user's program that it came from, as `user_source` captures it, or
            None.
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
        """Return a source with one more scope around it: `inner` becomes `scope/inner`."""
        if source is None:
            return None
        scoped = ScopedSource(source)
        inner = getattr(source, "scope", "")
        scoped.scope = f"{scope}/{inner}" if inner else scope
        return scoped


class Jaxpr(ProgramNames):
    """A program. It is immutable by convention, and compared by identity.

    Attributes:
        in_vars: the inputs.
        eqns: the equations in the order in which they run.
        outs: the results, each a Var or a Literal.
        const_vars: further inputs, whose values are known: arrays that the traced function closed
            over.
        consts: the values of `const_vars`.
        name: the name of the function that was traced.
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
        axes = self.memo.get("names")
        if axes is None:
            axes = frozenset([name for eqn in self.eqns for name in eqn.primitive.names])
            self.memo["names"] = axes
        return axes

    @property
    def effects(self) -> frozenset:
        """What its primitives do besides computing their results."""
        kinds = self.memo.get("effects")
        if kinds is None:
            kinds = frozenset([kind for eqn in self.eqns for kind in eqn.primitive.effects])
            self.memo["effects"] = kinds
        return kinds

    def closed_over(self) -> Jaxpr:
        """Return the same program with its constants as leading inputs instead.

        The result has no constants: the caller passes `consts` before the other arguments. (It is
        the opposite of JAX's `ClosedJaxpr`, which holds the constants.)
        """
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
            # What the equation binds belongs to the line that it was traced from.
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


def needed_equations(
    eqns: Sequence[Eqn], outs: Sequence[Any], effects: bool
) -> tuple[list[Eqn], set]:
    """Return the equations that some variables need, and all variables that are read for them.

    With `effects`, equations with effects are needed, too.
    """
    live = set(outs)
    live_eqns = []
    for eqn in reversed(eqns):
        if not live.isdisjoint(eqn.outs) or (effects and eqn.primitive.effects):
            live_eqns.append(eqn)
            live.update(eqn.inputs)  # also literals, of which no equation is asked
    return live_eqns[::-1], live


def eliminate_dead_code(jaxpr: Jaxpr, effects: bool = True) -> Jaxpr:
    """Return the program without the equations and constants that no result needs.

    Inputs stay. Equations with effects stay, too, unless `effects` is False.
    """
    live_eqns, live = needed_equations(jaxpr.eqns, jaxpr.outs, effects)
    pairs = [(v, c) for v, c in zip(jaxpr.const_vars, jaxpr.consts) if v in live]
    if len(live_eqns) == len(jaxpr.eqns) and len(pairs) == len(jaxpr.consts):
        return jaxpr
    const_vars, consts = [v for v, _ in pairs], [c for _, c in pairs]
    return Jaxpr(jaxpr.in_vars, live_eqns, jaxpr.outs, const_vars, consts, jaxpr.name)


def infer(primitive: Primitive, avals: Sequence[Any]) -> Any:
    """Return the types of the results by `abstract_eval`, and find out whether they are weak.

    The rules themselves see strong types. With `keeps_weak` a result is weak if some array operand
    is weak, and no other one is strong. A boolean has no weakness to give or to take.

    Args:
        primitive: the operation.
        avals: the types of the operands; Python scalars stand for themselves.
    """
    weak, strong, operands = False, False, []
    for a in avals:
        if type(a) is ShapedArray:
            if a.weak_type:
                weak, a = True, a.strong
            elif a.dtype.kind != "b":
                strong = True
        operands.append(a)
    out = apply_type_rule(primitive, operands)
    if not ((weak and not strong) if primitive.keeps_weak else primitive.weak_type):
        return out
    return [o.weak for o in out] if primitive.multiple_results else out.weak


def apply_type_rule(primitive: Primitive, avals: Sequence[Any]) -> Any:
    """Call `abstract_eval`. Its errors name the primitive, also if the number of operands is
    wrong.
    """
    keys = avals and type(avals[0]) is ShapedArray and avals[0].dtype.kind == "k"
    if keys and not (primitive.moves or primitive.holds_programs or "k" in primitive.accepts):
        raise TypeError(f"{primitive.name}: not defined for {avals[0]}: {KEYS}")
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
    """Type-check a program: variables are assigned once and before use, and types are those of the
    rules.

    Raises:
        JaxprTypeError: naming the first equation that is wrong.

    Examples:
        >>> import diffeo as dx
        >>> dx.check_jaxpr(dx.make_jaxpr(dx.numpy.sin)(1.0))
    """
    if len(jaxpr.const_vars) != len(jaxpr.consts):
        raise JaxprTypeError(
            f"{len(jaxpr.const_vars)} constant variables but {len(jaxpr.consts)} constants"
        )
    bound: set[Var] = set()

    def define(var: Var, where: str) -> None:
        if type(var) is not Var or var in bound:
            raise JaxprTypeError(f"{where}: {var} is not a new variable")
        bound.add(var)

    def known(operand: Any, where: str) -> None:
        if type(operand) is not Literal and operand not in bound:
            raise JaxprTypeError(f"{where}: {operand} is used before it is assigned")

    for var in (*jaxpr.const_vars, *jaxpr.in_vars):
        define(var, "inputs")
    for var, const in zip(jaxpr.const_vars, jaxpr.consts):
        if typeof(const).strong is not var.aval.strong:
            raise JaxprTypeError(
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
        inferred = infer(eqn.primitive, avals)
        inferred = list(inferred) if eqn.primitive.multiple_results else [inferred]
        if [a.strong for a in inferred] != [v.aval.strong for v in eqn.outs]:
            raise JaxprTypeError(
                f"{where}: the rule says {inferred}, the program {[v.aval for v in eqn.outs]}"
            )
        for var in eqn.outs:
            define(var, where)
    for out in jaxpr.outs:
        known(out, "results")


#: Called with every program that a transformation makes, if it is set. The tests set it to
#: `check_jaxpr`.
after_making: Callable[[Jaxpr], None] | None = None
#: Called with a program that has run, its operands and its results, where `dx.config` asks for
#: `debug_key_reuse`. `diffeo.random` sets it.
after_running: Callable[[Jaxpr, Sequence[Any], Sequence[Any]], None] | None = None


def made(jaxpr: Jaxpr) -> Jaxpr:
    """Return a program which has just been made, after the check that tests install
    (`after_making`).
    """
    if after_making is not None:
        after_making(jaxpr)
    return jaxpr


def sub_jaxprs(primitive: Primitive) -> Iterator[Jaxpr]:
    """Yield the programs among the parameters of a primitive, in tuples and dataclasses, too."""
    # In one level of tuples: `Cond` has a tuple of programs.
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
    """Return `file.py:12` for a source, or an empty text."""
    filename, line, _ = source_line(source)
    return f"{short_filename(filename)}:{line}" if line else ""


def _binder(var: Var, names: _Names) -> str:
    """Return a variable where it is assigned, `a:f64[3]`; a `~` marks a weak type."""
    return f"{names[var]}:{var.aval}{'~' if var.aval.weak_type else ''}"


def _operand(v: Any, names: _Names) -> str:
    """Return an operand as it is printed: a name, a number, or the type of a residual."""
    if type(v) is Var:
        return names[v]
    return repr(v.value) if type(v.value) in SCALARS else f"<{v.aval}>"


def _parameters(primitive: Primitive) -> str:
    """Return the static parameters as `[axis=0, ...]`, but for programs and defaults."""
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
    """Return the printed lines of a program; the programs in an equation stand below it,
    indented.
    """
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
