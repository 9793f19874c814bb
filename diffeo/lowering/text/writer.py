"""Lines of StableHLO, in MLIR's generic form, which every supported jaxlib parses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...primitives.types import ShapedArray
from .mlir_types import scalar_text, tensor_type

#: Names of values in a line.
NAMES = re.compile(r"%\w+")


class Operand:
    """A value of the program that is being written: its name and type.

    Attributes:
        made: "/quotient", "/product" or "/sum" (with a number), of which XLA would make one with
            others; empty for what is none.
        key: the type, and how it was made.
    """

    __slots__ = ("aval", "key", "made", "name", "type")

    def __init__(self, name: str, aval: ShapedArray, kind: str = "", made: str = ""):
        self.name, self.aval, self.made = name, aval, made
        self.type = kind or tensor_type(aval)
        self.key = self.type + made if made else self.type

    def mark(self, made: str) -> Operand:
        """Note how the value was made; itself."""
        self.made, self.key = made, self.type + made
        return self

    def __repr__(self) -> str:
        return f"{self.name}:{self.aval}"


def _repeatable(primitive: Any, given: Sequence[str]) -> bool:
    """Whether what lowers a primitive once, with operands of these names, serves again."""
    if primitive.holds_programs or primitive.effects or primitive.calls_python:
        return False
    return len(given) <= 2 or len(set(given)) == len(given)  # else it is not known which is which


class Writer:
    """Writes operations and constants, line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0
        self.outs: Sequence[ShapedArray] = ()
        self.splats: dict[Any, Operand] = {}
        #: Lines to write again with other names: see `remember`.
        self.forms: dict[Any, tuple[str, str, ShapedArray, str, str, Any]] = {}
        #: The same of several lines: see `remember_formula`.
        self.formulas: dict[Any, Any] = {}
        #: What the last operation was: its only result, name, operands, and the rest of its line.
        self.last: tuple[Operand | None, str, Sequence[Operand], str] = (None, "", (), "")

    def fresh(self) -> str:
        """A new name."""
        self.count += 1
        return f"%{self.count}"

    def op(
        self, name: str, *operands: Any, out: ShapedArray | None = None, **attributes: str
    ) -> Operand:
        """Emit `stablehlo.<name>` (or the name as it is, with a dot) with one result, by default
        of the equation's type.

        Python scalars among the operands become constants of the type of the other operands.
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
        """Emit an operation with a region, or with several results, in generic form."""
        results = [Operand(self.fresh(), aval) for aval in outs]
        listed = ", ".join([f"{k} = {v}" for k, v in attributes.items()])
        attrs = f" <{{{listed}}}>" if listed else ""
        types = [r.type for r in results]
        full = name if "." in name else "stablehlo." + name
        rest = (
            f"{attrs}{region} : ({', '.join([v.type for v in operands])})"
            f" -> {types[0] if len(types) == 1 else '(' + ', '.join(types) + ')'}"
        )
        self.lines.append(
            f"{', '.join([r.name for r in results])} = "
            f'"{full}"({", ".join([v.name for v in operands])}){rest}'
        )
        self.last = results[0] if len(results) == 1 else None, full, operands, rest
        return results

    def remember(self, key: Any, primitive: Any, values: Sequence[Any], result: Any) -> None:
        """Keep the line that lowered an equation, its only one, for others that apply the primitive
        to operands of the same types: what stands before the operands' names, and behind them.
        """
        written, name, operands, rest = self.last
        given = [v.name for v in values if type(v) is Operand]
        listed = [v.name for v in operands]
        if (
            written is not result
            or not given
            or not _repeatable(primitive, given)
            or [n for n in listed if n in given] != given
            or any([n in rest for n in given])  # inside of a region
        ):
            return
        at = listed.index(given[0])
        after = at + len(given)
        if listed[at:after] == given:  # what stands around them are constants
            head = f' = "{name}"({"".join([n + ", " for n in listed[:at]])}'
            rest = f"{''.join([', ' + n for n in listed[after:]])}){rest}"
            # The primitive is kept, so that nothing else has its id.
            self.forms[key] = head, rest, result.aval, result.type, result.made, primitive

    def remember_formula(
        self, key: Any, primitive: Any, values: Sequence[Any], result: Any, before: int, first: int
    ) -> None:
        """Keep the lines from `before` on that lowered an equation, the names after `first`, as a
        form with places for names: of the operands, then of the results line by line.
        """
        given = [v.name for v in values if type(v) is Operand]
        written = self.lines[before:]
        if (
            not 1 < len(written) == self.count - first <= 24
            or type(result) is not Operand
            or not _repeatable(primitive, given)
            # An operand that is a constant which the lines may read as well is no place for a name.
            or any([v.name in given for v in self.splats.values()])
            or any(["({" in line or "\n" in line for line in written])  # a region
        ):
            return
        names = [*given, *[f"%{first + 1 + i}" for i in range(len(written))]]
        places = {name: f"{{{i}}}" for i, name in reversed(list(enumerate(names)))}
        text = "\n".join(written).replace("{", "{{").replace("}", "}}")
        text = NAMES.sub(lambda found: places.get(found[0], found[0]), text)
        if result.name in names[len(given) :]:
            place = names.index(result.name)
            # The primitive is kept, so that nothing else has its id.
            form = text, len(written), place, result.aval, result.type, result.made, primitive
            self.formulas[key] = form

    def again(self, form: Any, values: Sequence[Any]) -> Operand:
        """Write a formula for other operands."""
        text, count, place, aval, kind, made, _ = form
        names = [v.name for v in values if type(v) is Operand]
        names += [f"%{self.count + 1 + i}" for i in range(count)]
        self.count += count
        self.lines += text.format(*names).split("\n")
        return Operand(names[place], aval, kind, made)

    def operands(self, values: Sequence[Any]) -> list[Operand]:
        """Values with Python scalars replaced by constants of the others' type."""
        like = next(v.aval for v in reversed(values) if type(v) is Operand)
        return [v if type(v) is Operand else self.constant(v, like) for v in values]

    def constant(self, value: Any, aval: ShapedArray) -> Operand:
        """An array filled with one number."""
        key = (scalar_text(value, aval.dtype), aval.strong)
        found = self.splats.get(key)
        if found is None:
            found = self.splats[key] = Operand(self.fresh(), aval.strong)
            kind = tensor_type(aval)
            self.lines.append(
                f'{found.name} = "stablehlo.constant"() <{{value = dense<{key[0]}> : {kind}}}> '
                f": () -> {kind}"
            )
        return found

    def array(self, value: Any, aval: ShapedArray) -> Operand:
        """An array of any numbers, written out."""
        host = np.asarray(value)
        if host.ndim == 0:
            return self.constant(host[()], aval)
        kind = tensor_type(aval)
        result = Operand(self.fresh(), aval.strong)
        elements = _listed(host, aval.dtype) if host.size else ""
        self.lines.append(
            f'{result.name} = "stablehlo.constant"() <{{value = dense<{elements}> : {kind}}}> '
            f": () -> {kind}"
        )
        return result


def _listed(x: np.ndarray, dtype: np.dtype) -> str:
    if x.ndim == 0:
        return scalar_text(x[()], dtype)
    return f"[{', '.join([_listed(row, dtype) for row in x])}]"
