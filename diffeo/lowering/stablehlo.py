"""StableHLO, written as text: the builder that every `lower` rule is handed as `ctx`.

Operations are in MLIR's generic form, which every supported jaxlib parses. A program that is
called twice is one private function. Constants that the traced function closed over are leading
arguments of `main`, not text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..primitives.jaxpr import Jaxpr, Literal
from ..primitives.staging import stage
from ..primitives.types import ShapedArray, bool_, is_inexact
from .mlir_types import scalar_text, tensor_type

#: The kernel that calls Python, and the type of what makes its calls come one after the other.
_PYTHON = "xla_ffi_python_cpu_callback"
_CHAIN = ShapedArray((), np.dtype(np.uint8))
#: No array has so many axes: `custom_call` without column-major operands.
_ROW_MAJOR = 65


class Operand:
    """A value of the program that is being written: its name and type."""

    __slots__ = ("aval", "name", "type")

    def __init__(self, name: str, aval: ShapedArray):
        self.name, self.aval, self.type = name, aval, tensor_type(aval)

    def __repr__(self) -> str:
        return f"{self.name}:{self.aval}"


class Builder:
    """Writes a module. `lower` rules use its methods to emit operations; the module is `text()`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.functions: list[str] = []
        self.names: dict[int, str] = {}
        self.jaxprs: list[Jaxpr] = []
        self.count = 0
        self.outs: Sequence[ShapedArray] = ()
        self.splats: dict[Any, Operand] = {}
        #: The Python functions that the program calls, by their number.
        self.python: list[Callable] = []
        #: In a program with effects: what every operation with an effect takes and returns anew, so
        #: that they happen one after the other.
        self.chain: Operand | None = None

    # -- Emitting --

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
        result = Operand(self.fresh(), self.outs[0] if out is None else out)
        if len(operands) == 2:  # written out for speed: most operations have one or two operands
            a, b = operands
            names, types = f"{a.name}, {b.name}", f"{a.type}, {b.type}"
        elif len(operands) == 1:
            names, types = operands[0].name, operands[0].type
        else:
            names = ", ".join([v.name for v in operands])
            types = ", ".join([v.type for v in operands])
        attrs = ", ".join([f"{k} = {v}" for k, v in attributes.items()]) if attributes else ""
        if attrs:
            attrs = f" <{{{attrs}}}>"
        full = name if "." in name else "stablehlo." + name
        self.lines.append(f'{result.name} = "{full}"({names}){attrs} : ({types}) -> {result.type}')
        return result

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
        self.lines.append(
            f"{', '.join([r.name for r in results])} = "
            f'"{full}"({", ".join([v.name for v in operands])}){attrs}{region} : '
            f"({', '.join([v.type for v in operands])})"
            f" -> {types[0] if len(types) == 1 else '(' + ', '.join(types) + ')'}"
        )
        return results

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

    def i64s(self, numbers: Sequence[int]) -> str:
        """The attribute for a list of integers."""
        return f"array<i64: {', '.join(map(str, numbers))}>" if len(numbers) else "array<i64>"

    def compare(self, direction: str, x: Any, y: Any, total: bool = False) -> Operand:
        """Elementwise comparison: direction EQ, NE, LT, LE, GT or GE; `total` orders nan and
        signed zeros as well.
        """
        if type(x) is not Operand or type(y) is not Operand:
            x, y = self.operands((x, y))
        dtype = x.aval.dtype
        signed = "SIGNED" if dtype.name.startswith("int") else "UNSIGNED"
        compare_type = "FLOAT" if is_inexact(dtype) else signed
        compare_type = "TOTALORDER" if total and compare_type == "FLOAT" else compare_type
        return self.op(
            "compare",
            x,
            y,
            out=x.aval.update(dtype=bool_),
            comparison_direction=f"#stablehlo<comparison_direction {direction}>",
            compare_type=f"#stablehlo<comparison_type {compare_type}>",
        )

    # -- Operations with regions or long attributes --

    def region(self, avals: Sequence[ShapedArray], body: Callable[..., Sequence[Operand]]) -> str:
        """The text of a region: a block with these arguments whose results `body` emits."""
        outer, self.lines = self.lines, []
        splats, self.splats = self.splats, {}
        chain, self.chain = self.chain, None
        arguments = [Operand(self.fresh(), a) for a in avals]
        results = body(*arguments)
        listed = ", ".join([f"{a.name}: {a.type}" for a in arguments])
        self.lines.append(
            f'"stablehlo.return"({", ".join([r.name for r in results])}) : '
            f"({', '.join([r.type for r in results])}) -> ()"
        )
        text = f" ({{\n^bb0({listed}):\n" + "\n".join(self.lines) + "\n})"
        self.lines, self.splats, self.chain = outer, splats, chain
        return text

    def chained(self, body: Callable[..., Sequence[Operand]]) -> Callable[..., list[Operand]]:
        """The body of a region in a program with effects: it takes the chain first, and returns
        it.
        """

        def emit(chain: Operand, *arguments: Operand) -> list[Operand]:
            self.chain = chain
            results = body(*arguments)
            return [self.chain, *results]

        return emit

    def reduce(self, name: str, x: Operand, initial: Any, axes: Sequence[int]) -> Operand:
        """Combine along axes with a binary operation and its neutral element."""
        scalar = ShapedArray((), x.aval.dtype)
        init = self.constant(initial, scalar)
        region = self.region([scalar, scalar], lambda a, b: [self.op(name, a, b, out=scalar)])
        return self.emit("reduce", [x, init], self.outs, {"dimensions": self.i64s(axes)}, region)[0]

    def sort(
        self, xs: Sequence[Operand], axis: int, num_keys: int, stable: bool = True
    ) -> list[Operand]:
        """Sort all operands by the first `num_keys`; nan last, signed zeros equal."""

        def body(*pairs: Operand) -> list[Operand]:
            flag = ShapedArray((), bool_)
            less = None
            for k in reversed(range(num_keys)):
                a, b = (self._canonical(v) for v in pairs[2 * k : 2 * k + 2])
                smaller = self.compare("LT", a, b, total=True)
                if less is None:
                    less = smaller
                else:
                    equal = self.compare("EQ", a, b, total=True)
                    less = self.op("or", smaller, self.op("and", equal, less, out=flag), out=flag)
            return [less]  # type: ignore[list-item]

        scalars = [ShapedArray((), x.aval.dtype) for x in xs for _ in range(2)]
        attributes = {"dimension": f"{axis} : i64", "is_stable": str(stable).lower()}
        return self.emit("sort", xs, [x.aval for x in xs], attributes, self.region(scalars, body))

    def _canonical(self, x: Operand) -> Operand:
        """A key for the total order in which all nan are one, above everything, and -0 is 0."""
        if x.aval.dtype.kind not in "fV":
            return x
        zero, nan = self.constant(0, x.aval), self.constant(math.nan, x.aval)
        x0 = self.op("select", self.compare("EQ", x, zero), zero, x, out=x.aval)
        return self.op("select", self.compare("NE", x, x), nan, x0, out=x.aval)

    def index(self, indices: Operand) -> Operand:
        """Positions as XLA can work with them: in 8 or 16 bits its own bounds would overflow."""
        dtype = indices.aval.dtype
        wide = indices.aval.update(dtype=np.int32)
        return indices if dtype.itemsize >= 4 else self.op("convert", indices, out=wide)

    def gather(
        self, x: Operand, indices: Operand, dims: Any, sizes: Sequence[int], in_order: bool
    ) -> Operand:
        """Windows of the operand; see primitives/indexing.py."""
        indices = self.index(indices)
        numbers = (
            f"offset_dims = {list(dims.offset_dims)}, collapsed_slice_dims = "
            f"{list(dims.collapsed)}, "
            f"operand_batching_dims = {list(dims.operand_batching)}, "
            f"start_indices_batching_dims = {list(dims.index_batching)}, "
            f"start_index_map = {list(dims.index_map)}, index_vector_dim = {indices.aval.ndim - 1}"
        )
        return self.op(
            "gather",
            x,
            indices,
            dimension_numbers=f"#stablehlo.gather<{numbers}>",
            slice_sizes=self.i64s(sizes),
            indices_are_sorted=str(in_order).lower(),
        )

    def scatter(
        self,
        combine: str | None,
        x: Operand,
        indices: Operand,
        updates: Operand,
        dims: Any,
        unique: bool,
        in_order: bool,
    ) -> Operand:
        """Windows written into the operand: combined by an operation, or replaced if that is
        None.
        """
        indices = self.index(indices)
        numbers = (
            f"update_window_dims = {list(dims.offset_dims)}, inserted_window_dims = "
            f"{list(dims.collapsed)}, "
            f"input_batching_dims = {list(dims.operand_batching)}, "
            f"scatter_indices_batching_dims = {list(dims.index_batching)}, "
            f"scatter_dims_to_operand_dims = {list(dims.index_map)}, index_vector_dim = "
            f"{indices.aval.ndim - 1}"
        )
        scalar = ShapedArray((), x.aval.dtype)
        region = self.region(
            [scalar, scalar], lambda a, b: [self.op(combine, a, b, out=scalar) if combine else b]
        )
        attributes = {
            "scatter_dimension_numbers": f"#stablehlo.scatter<{numbers}>",
            "indices_are_sorted": str(in_order).lower(),
            "unique_indices": str(unique).lower(),
        }
        return self.emit("scatter", [x, indices, updates], self.outs, attributes, region)[0]

    def custom_call(
        self,
        target: str,
        operands: Sequence[Operand],
        outs: Sequence[ShapedArray],
        *,
        matrices: int,
        reuse: bool = False,
        effects: bool = False,
        **config: str,
    ) -> list[Operand]:
        """Call a kernel that is registered with XLA under the name `target`.

        Operands and results with `matrices` axes and more have their last two axes in column-major
        order. `reuse`: the first result is written over the first operand. `effects`: it is called
        also if no result is needed. `config` holds the kernel's attributes, such as
        `uplo="76 : ui8"`.
        """

        def layouts(avals: Sequence[ShapedArray]) -> str:
            return f"[{', '.join([_layout(a.ndim, a.ndim >= matrices) for a in avals])}]"

        which = [0] if len(outs) > 1 else []
        alias = f"output_tuple_indices = {which}, operand_index = 0, operand_tuple_indices = []"
        attributes = {
            "call_target_name": f'"{target}"',
            "api_version": "4 : i32",
            "backend_config": f"{{{', '.join([f'{k} = {v}' for k, v in config.items()])}}}",
            "operand_layouts": layouts([v.aval for v in operands]),
            "result_layouts": layouts(outs),
        }
        if effects:
            attributes["has_side_effect"] = "true"
        if reuse:
            attributes["output_operand_aliases"] = f"[#stablehlo.output_operand_alias<{alias}>]"
        return self.emit("custom_call", operands, outs, attributes)

    def call_python(
        self,
        function: Callable[..., Sequence[np.ndarray]],
        operands: Sequence[Operand],
        outs: Sequence[ShapedArray],
        effects: bool,
    ) -> list[Operand]:
        """Call a Python function of NumPy arrays, which returns arrays of exactly the types `outs`
        (XLA does not look at them) in C order.
        """
        call = {"index": f"{len(self.python)} : ui64", "matrices": _ROW_MAJOR, "effects": effects}
        if not effects:
            self.python.append(function)
            return self.custom_call(_PYTHON, operands, outs, **call)
        self.python.append(lambda chain, *arrays: (chain, *function(*arrays)))
        chain = self.chain or self.constant(0, _CHAIN)
        results = self.custom_call(_PYTHON, [chain, *operands], [_CHAIN, *outs], **call)
        self.chain = results[0]
        return results[1:]

    # -- Programs --

    def inline(self, fun: Callable, *operands: Any) -> Any:
        """Lower what a function of primitives does to these operands (the rule for primitives that
        decompose).
        """
        several = False

        def flat(*args: Any) -> Sequence[Any]:
            nonlocal several
            out = fun(*args)
            several = isinstance(out, (list, tuple))
            return out if several else [out]

        saved = self.outs
        outs = self.program(stage(flat, [v.aval for v in operands]), operands)
        self.outs = saved
        return outs if several else outs[0]

    def while_loop(
        self, going: Callable, step: Callable, values: Sequence[Operand]
    ) -> list[Operand]:
        """Repeat `step` on some values while `going`, one boolean, holds: functions of primitives
        on all of the values, which see nothing else.
        """
        return self.while_region(
            lambda *vs: self.inline(going, *vs), lambda *vs: self.inline(step, *vs), values
        )

    def while_region(
        self, going: Callable, step: Callable, values: Sequence[Operand]
    ) -> list[Operand]:
        """As `while_loop`, of functions that emit operations on operands."""
        test = lambda *vs: [going(*vs)]
        if self.chain is not None:
            values, step = [self.chain, *values], self.chained(step)
            test = lambda *vs: self.chained(lambda *vs: [going(*vs)])(*vs)[1:]
        avals = [v.aval for v in values]
        regions = [self.region(avals, test), self.region(avals, step)]
        return self.unchained(self.emit("while", values, avals, {}, self.joined(regions)))

    def case(
        self, index: Operand, branches: Sequence[Callable], outs: Sequence[ShapedArray]
    ) -> list[Operand]:
        """The results of one of several functions that emit operations, chosen by a number."""
        chain = self.chain
        if chain is not None:
            outs = [_CHAIN, *outs]
            branches = [lambda b=b: self.chained(b)(chain) for b in branches]
        if not outs:
            return []
        regions = self.joined([self.region([], branch) for branch in branches])
        return self.unchained(self.emit("case", [index], outs, {}, regions))

    def unchained(self, results: list[Operand]) -> list[Operand]:
        """The results of an operation that has the chain as its first, if there is one."""
        if self.chain is not None:
            self.chain, *results = results
        return results

    @staticmethod
    def joined(regions: Sequence[str]) -> str:
        """The regions of an operation that has several."""
        return f" ({', '.join([r[2:-1] for r in regions])})"

    def program(self, jaxpr: Jaxpr, operands: Sequence[Operand]) -> list[Operand]:
        """Emit the equations of a program; the results."""
        if jaxpr.consts:
            raise TypeError("only scalars may be constants of a program that is lowered in place")
        env: dict[Any, Operand] = dict(zip(jaxpr.in_vars, operands))
        for eqn in jaxpr.eqns:
            outs = eqn.outs
            self.outs = [v.aval for v in outs]
            values = [v.value if type(v) is Literal else env[v] for v in eqn.inputs]
            found = eqn.primitive.lower(self, *values)
            if eqn.primitive.multiple_results:
                env.update(zip(outs, found))
            else:
                env[outs[0]] = found
        return [
            self.constant(v.value, v.aval) if type(v) is Literal else env[v] for v in jaxpr.outs
        ]

    def call(self, jaxpr: Jaxpr, operands: Sequence[Operand]) -> list[Operand]:
        """Call a program: one private function per program, however often it is called."""
        name = self.names.get(id(jaxpr))
        if name is None:
            name = self.names[id(jaxpr)] = f"{_identifier(jaxpr.name)}_{len(self.names)}"
            self.jaxprs.append(jaxpr)  # keeps the id from being used again
            self.function(jaxpr, name, "private")
        if jaxpr.effects:
            operands = [self.chain or self.constant(0, _CHAIN), *operands]
            avals = [_CHAIN, *jaxpr.out_avals]
        else:
            avals = jaxpr.out_avals
        if not avals:
            return []
        results = [Operand(self.fresh(), a) for a in avals]
        self.lines.append(
            f"{', '.join([r.name for r in results])} = "
            f'"func.call"({", ".join([v.name for v in operands])})'
            f" <{{callee = @{name}}}> : ({', '.join([v.type for v in operands])}) "
            f"-> ({', '.join([r.type for r in results])})"
        )
        if jaxpr.effects:
            self.chain, *results = results
        return results

    def function(self, jaxpr: Jaxpr, name: str, visibility: str) -> None:
        """Write a program as a function of the module."""
        saved = self.lines, self.splats, self.outs, self.chain
        self.lines, self.splats, self.chain = [], {}, None
        inputs = operands = [Operand(f"%arg{i}", v.aval) for i, v in enumerate(jaxpr.in_vars)]
        if jaxpr.effects and visibility == "private":
            self.chain = Operand("%chain", _CHAIN)
            operands = [self.chain, *inputs]
        elif jaxpr.effects:
            self.chain = self.constant(0, _CHAIN)
        results = self.program(jaxpr, inputs)
        if jaxpr.effects and visibility == "private":
            results = [self.chain, *results]
        arguments = ", ".join([f"{v.name}: {v.type}" for v in operands])
        types = ", ".join([v.type for v in results])
        names = ", ".join([v.name for v in results])
        self.lines.append(f"func.return {names} : {types}" if results else "func.return")
        body = "\n".join(["  " + line for line in self.lines])
        self.functions.append(
            f"func.func {visibility} @{name}({arguments}) -> ({types}) {{\n{body}\n}}"
        )
        self.lines, self.splats, self.outs, self.chain = saved


def _layout(ndim: int, column_major: bool) -> str:
    """The order of the axes in memory, fastest first."""
    order = [ndim - 2, ndim - 1, *reversed(range(ndim - 2))] if column_major else range(ndim)[::-1]
    return f"dense<{list(order) if ndim else ''}> : tensor<{ndim}xindex>"


def _identifier(name: str) -> str:
    """A name for MLIR from a Python function's."""
    kept = "".join([c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name])
    return kept or "fn"


class Module(NamedTuple):
    """A program for XLA: its StableHLO text, and the Python functions that it calls by number."""

    text: str
    functions: Sequence[Callable]


def lower_module(jaxpr: Jaxpr) -> Module:
    """The StableHLO module of a program; its constants are the first arguments of `main`."""
    builder = Builder()
    builder.function(jaxpr.closed_over(), "main", "public")
    functions = "\n".join(builder.functions)
    text = f"module @{_identifier(jaxpr.name)} {{\n{functions}\n}}\n"
    return Module(text, builder.python)
