"""Lines of StableHLO, in MLIR's generic form, which every supported jaxlib parses.

StableHLO is the language that XLA, the compiler behind jaxlib, reads. In generic form, an operation
is one line such as

    %3 = "stablehlo.add"(%1, %2) : (tensor<2xf64>, tensor<2xf64>) -> tensor<2xf64>

with a new name for the result, the quoted operation, the names of the operands, perhaps attributes
in `<{...}>`, and the types. An operation such as `reduce` or `while` also holds a *region*: a block
of lines of its own.

`Writer` appends such lines to a list; start at `Writer.op` and `Writer.emit`. Programs apply the
same primitive to operands of the same types again and again. So the writer remembers what a
primitive wrote, and writes the same text again with other names, without a call of the lowering
rule: a *form* is one remembered line, a *formula* several. `Builder.program` in `stablehlo.py`
decides when to use them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.core import Primitive
from ...primitives.support.key_types import carried
from ...primitives.types import ShapedArray
from .mlir_types import scalar_text, tensor_type

#: The names of values in a line, such as "%3" and "%arg0".
NAMES = re.compile(r"%\w+")


class Operand:
    """A value of the program that is being written: the name of a line's result, and its type.

    Attributes:
        name: the name in the text, such as "%3".
        aval: the type.
        type: the type as MLIR writes it, such as "tensor<2xf64>".
        made: "/quotient", "/product" or "/sum" for the result of such an operation, if XLA would
            merge the operation with another of its kind ("/product" and "/sum": of a value and a
            number). Empty for all other values. See `primitives/formulas/lowered.py`.
        key: the type, followed by `made`: what a lowering rule may look at.
    """

    __slots__ = ("aval", "key", "made", "name", "type")

    def __init__(self, name: str, aval: ShapedArray, kind: str = "", made: str = ""):
        self.name, self.aval, self.made = name, aval, made
        self.type = kind or tensor_type(aval)
        self.key = self.type + made if made else self.type

    def mark(self, made: str) -> Operand:
        """Set `made`, which says how the value was computed. Return the operand itself."""
        self.made, self.key = made, self.type + made
        return self

    def __repr__(self) -> str:
        return f"{self.name}:{self.aval}"


def _repeatable(primitive: Primitive, given: Sequence[str]) -> bool:
    """Return whether text that a primitive wrote for operands of these names serves others, too.

    A primitive that holds programs, has effects or calls Python must be lowered each time.
    """
    if primitive.holds_programs or primitive.effects or primitive.calls_python:
        return False
    # With a name that occurs twice, the text does not tell which of the operands it stands for. Two
    # equal names of two are no problem: `Builder.program` keeps `x * x` apart from `x * y`.
    return len(given) <= 2 or len(set(given)) == len(given)


class Writer:
    """A list of lines of StableHLO that grows: methods append operations and constants.

    Attributes:
        lines: the lines of the function or region that is being written.
        count: how many names were given out; the next is `%<count + 1>`.
        outs: the types of the results of the equation that is being lowered.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0
        self.outs: Sequence[ShapedArray] = ()
        #: Constants that are written already, by the text of the number and the type.
        self.splats: dict[tuple[str, ShapedArray], Operand] = {}
        #: Lines to write again with other names: see `remember`. The values are the text before the
        #: operands' names, the text behind them, and the result's `aval`, `type` and `made`; at the
        #: end stands the primitive.
        self.forms: dict[Any, tuple[str, str, ShapedArray, str, str, Primitive]] = {}
        #: Several lines to write again with other names: see `remember_formula`.
        self.formulas: dict[Any, Any] = {}
        #: The last operation: its result (None if there are several), its full name, its operands,
        #: and the text behind them.
        self.last: tuple[Operand | None, str, Sequence[Operand], str] = (None, "", (), "")

    def fresh(self) -> str:
        """Return a new name, such as "%7"."""
        self.count += 1
        return f"%{self.count}"

    def op(
        self, name: str, *operands: Any, out: ShapedArray | None = None, **attributes: str
    ) -> Operand:
        """Emit an operation with one result. Return the result.

        Python scalars among the operands become constants of the type of the other operands.

        Args:
            name: the operation. Without a dot, "stablehlo." is put before it.
            operands: operands and Python scalars, at least one of them an operand.
            out: the type of the result; by default, that of the equation's first result.
            attributes: the attributes, as MLIR writes them.
        """
        for v in operands:
            if type(v) is not Operand:
                operands = tuple(self.operands(operands))
                break
        return self.emit(name, operands, [self.outs[0] if out is None else out], attributes)[0]

    def emit(
        self,
        name: str,
        operands: Sequence[Any],
        outs: Sequence[ShapedArray],
        attributes: dict[str, str],
        region: str = "",
    ) -> list[Operand]:
        """Emit an operation, perhaps with a region or several results. Return the results.

        Args:
            name: the operation. Without a dot, "stablehlo." is put before it.
            operands: the operands.
            outs: the types of the results.
            attributes: the attributes, as MLIR writes them.
            region: the text of the regions, from `Builder.region`.
        """
        results = [Operand(self.fresh(), aval) for aval in outs]
        listed = ", ".join([f"{k} = {v}" for k, v in attributes.items()])
        attrs = f" <{{{listed}}}>" if listed else ""
        types = [r.type for r in results]
        full_name = name if "." in name else "stablehlo." + name
        tail = (
            f"{attrs}{region} : ({', '.join([v.type for v in operands])})"
            f" -> {types[0] if len(types) == 1 else '(' + ', '.join(types) + ')'}"
        )
        self.lines.append(
            f"{', '.join([r.name for r in results])} = "
            f'"{full_name}"({", ".join([v.name for v in operands])}){tail}'
        )
        self.last = results[0] if len(results) == 1 else None, full_name, operands, tail
        return results

    def remember(
        self, key: Any, primitive: Primitive, values: Sequence[Any], result: Operand
    ) -> None:
        """Keep the line that lowered an equation as a form, if other names may stand in the line.

        The form serves equations that apply the same primitive to operands of the same types.
        Nothing is kept where the operands' names do not stand side by side in the line, in their
        order.

        Args:
            key: what such equations have in common; see `Builder.program`.
            primitive: the primitive of the equation.
            values: the operands of the equation, and Python scalars.
            result: the result. The line that computed it is the only one that the equation wrote.

        For `x * 2.0`, say the line is `%5 = "stablehlo.multiply"(%4, %1) : ...`, where %1 is the
        constant 2.0. The form is the text ` = "stablehlo.multiply"(` and the text `, %1) : ...`.
        For `y * 2.0`, the line is a new name, the first text, the name of y, and the second text.
        """
        last_result, name, operands, tail = self.last
        operand_names = [v.name for v in values if type(v) is Operand]
        line_names = [v.name for v in operands]
        if (
            last_result is not result
            or not operand_names
            or not _repeatable(primitive, operand_names)
            or [n for n in line_names if n in operand_names] != operand_names
            or any([n in tail for n in operand_names])  # inside of a region
        ):
            return
        start = line_names.index(operand_names[0])
        end = start + len(operand_names)
        if line_names[start:end] == operand_names:
            # The names around the operands are those of constants, as the rule wrote no other line.
            # They stay valid: a new region or function starts with no constants and no forms.
            head = f' = "{name}"({"".join([n + ", " for n in line_names[:start]])}'
            tail = f"{''.join([', ' + n for n in line_names[end:]])}){tail}"
            # The key holds the primitive's id. While the primitive lives, nothing else gets it.
            self.forms[key] = head, tail, result.aval, result.type, result.made, primitive

    def remember_formula(
        self,
        key: Any,
        primitive: Primitive,
        values: Sequence[Any],
        result: Operand,
        before: int,
        first: int,
    ) -> None:
        """Keep the lines that lowered an equation as a formula, if other names may stand in them.

        The formula is one text for `str.format`. Its fields `{0}`, `{1}` ... are the names of the
        operands, followed by the names of the results, line by line.

        Args:
            key: what equations that the formula serves have in common; see `Builder.program`.
            primitive: the primitive of the equation.
            values: the operands of the equation, and Python scalars.
            result: the result of the equation.
            before: how many lines there were before the equation.
            first: how many names there were before the equation.

        For `f(x)`, say the lines are `%8 = "stablehlo.sine"(%3) : ...` and
        `%9 = "stablehlo.negate"(%8) : ...`. The formula is `{1} = "stablehlo.sine"({0}) : ...` and
        `{2} = "stablehlo.negate"({1}) : ...`, and its result is the name number 2.
        """
        operand_names = [v.name for v in values if type(v) is Operand]
        new_lines = self.lines[before:]
        if (
            # One new name a line, so that the names of the results can be counted.
            not 1 < len(new_lines) == self.count - first <= 24
            or type(result) is not Operand
            or not _repeatable(primitive, operand_names)
            # An operand that is a constant which the lines may read as well is no place for a name.
            or any([v.name in operand_names for v in self.splats.values()])
            or any(["({" in line or "\n" in line for line in new_lines])  # a region
        ):
            return
        names = [*operand_names, *[f"%{first + 1 + i}" for i in range(len(new_lines))]]
        # Reversed: of a name that occurs twice, the first position counts.
        fields = {name: f"{{{i}}}" for i, name in reversed(list(enumerate(names)))}
        # Braces that belong to the text are doubled, as `str.format` wants them.
        text = "\n".join(new_lines).replace("{", "{{").replace("}", "}}")
        text = NAMES.sub(lambda found: fields.get(found[0], found[0]), text)
        if result.name in names[len(operand_names) :]:
            index = names.index(result.name)
            # The primitive is kept for the sake of its id, as in `remember`.
            formula = text, len(new_lines), index, result.aval, result.type, result.made, primitive
            self.formulas[key] = formula

    def again(self, form: Any, values: Sequence[Any]) -> Operand:
        """Write a formula for other operands. Return the result."""
        text, count, index, aval, kind, made, _ = form
        names = [v.name for v in values if type(v) is Operand]
        names += [f"%{self.count + 1 + i}" for i in range(count)]
        self.count += count
        self.lines += text.format(*names).split("\n")
        return Operand(names[index], aval, kind, made)

    def operands(self, values: Sequence[Any]) -> list[Operand]:
        """Return the values, with Python scalars as constants of the type of the other operands."""
        like = next(v.aval for v in reversed(values) if type(v) is Operand)
        return [v if type(v) is Operand else self.constant(v, like) for v in values]

    def constant(self, value: Any, aval: ShapedArray) -> Operand:
        """Return an array of the type `aval` filled with one number; written once in a region."""
        key = (scalar_text(value, aval.dtype), aval.strong)
        operand = self.splats.get(key)
        if operand is None:
            operand = self.splats[key] = Operand(self.fresh(), aval.strong)
            text = tensor_type(aval)
            self.lines.append(
                f'{operand.name} = "stablehlo.constant"() <{{value = dense<{key[0]}> : {text}}}> '
                f": () -> {text}"
            )
        return operand

    def array(self, value: Any, aval: ShapedArray) -> Operand:
        """Return an array of the type `aval` whose numbers are all written out."""
        host = value.host if type(value) is Array else np.asarray(value)
        if aval.dtype.kind == "k":
            host = carried(host)
        if host.ndim == 0:
            return self.constant(host[()], aval)
        text = tensor_type(aval)
        result = Operand(self.fresh(), aval.strong)
        elements = _listed(host, aval.dtype) if host.size else ""
        self.lines.append(
            f'{result.name} = "stablehlo.constant"() <{{value = dense<{elements}> : {text}}}> '
            f": () -> {text}"
        )
        return result


def _listed(x: np.ndarray, dtype: np.dtype) -> str:
    if x.ndim == 0:
        return scalar_text(x[()], dtype)
    return f"[{', '.join([_listed(row, dtype) for row in x])}]"
