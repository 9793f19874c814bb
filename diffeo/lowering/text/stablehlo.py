"""StableHLO, written as text: the builder that every `lower` rule is handed as `ctx`.

Operations are in MLIR's generic form, which every supported jaxlib parses. A program that is
called twice is one private function. Constants that the traced function closed over are leading
arguments of `main`, not text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...primitives.jaxpr import Jaxpr, Literal, Var
from ...primitives.staging import stage
from ...primitives.support.sources import show_source
from ...primitives.types import SCALARS, ShapedArray, bool_, is_inexact
from .foreign_calls import CHAIN, ForeignCalls
from .writer import Operand, Writer

#: No attributes.
NONE: Mapping[int, str] = {}


class Builder(Writer, ForeignCalls):
    """Writes a module. `lower` rules use its methods to emit operations; the module is `text()`.

    Attributes:
        platform: what the program will run on: "cpu", "cuda", "tpu" or a plugin's name.
    """

    def __init__(self, platform: str = "cpu") -> None:
        super().__init__()
        self.platform = platform
        self.functions: list[str] = []
        self.names: dict[int, str] = {}
        self.jaxprs: list[Jaxpr] = []
        #: The Python functions that the program calls, by their number.
        self.python: list[Callable] = []
        #: In a program with effects: what every operation with an effect takes and returns anew, so
        #: that they happen one after the other.
        self.chain: Operand | None = None

    # -- Attributes and short operations --

    def i64s(self, numbers: Sequence[int]) -> str:
        """The attribute for a list of integers."""
        return f"array<i64: {', '.join(map(str, numbers))}>" if len(numbers) else "array<i64>"

    def compare(self, direction: str, x: Any, y: Any) -> Operand:
        """Elementwise comparison: direction EQ, NE, LT, LE, GT or GE."""
        if type(x) is not Operand or type(y) is not Operand:
            x, y = self.operands((x, y))
        dtype = x.aval.dtype
        signed = "SIGNED" if dtype.name.startswith("int") else "UNSIGNED"
        compare_type = "FLOAT" if is_inexact(dtype) else signed
        return self.op(
            "compare",
            x,
            y,
            out=x.aval.update(dtype=bool_),
            comparison_direction=f"#stablehlo<comparison_direction {direction}>",
            compare_type=f"#stablehlo<comparison_type {compare_type}>",
        )

    def hidden(self, value: Any, aval: ShapedArray) -> Operand:
        """An array filled with one number, which the compiler does not see."""
        scalar = ShapedArray((), aval.dtype)
        number = self.constant(value, scalar)
        behind = self.emit("optimization_barrier", [number], [scalar], {})
        return self.op(
            "broadcast_in_dim", *behind, out=aval.strong, broadcast_dimensions=self.i64s(())
        )

    # -- Operations with regions or long attributes --

    def region(self, avals: Sequence[ShapedArray], body: Callable[..., Sequence[Operand]]) -> str:
        """The text of a region: a block with these arguments whose results `body` emits."""
        outer, self.lines = self.lines, []
        names = self.splats, self.forms, self.formulas
        self.splats, self.forms, self.formulas = {}, {}, {}
        chain, self.chain = self.chain, None
        arguments = [Operand(self.fresh(), a) for a in avals]
        results = body(*arguments)
        listed = ", ".join([f"{a.name}: {a.type}" for a in arguments])
        self.lines.append(
            f'"stablehlo.return"({", ".join([r.name for r in results])}) : '
            f"({', '.join([r.type for r in results])}) -> ()"
        )
        text = f" ({{\n^bb0({listed}):\n" + "\n".join(self.lines) + "\n})"
        self.lines, self.chain = outer, chain
        self.splats, self.forms, self.formulas = names
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
        self, xs: Sequence[Operand], axis: int, num_keys: int, key: Callable, stable: bool = True
    ) -> list[Operand]:
        """Sort all operands by the first `num_keys`: by the integers that `key`, a function of
        primitives, makes of them.
        """

        def body(*pairs: Operand) -> list[Operand]:
            flag = ShapedArray((), bool_)
            less = None
            for k in reversed(range(num_keys)):
                a, b = (self.inline(key, v) for v in pairs[2 * k : 2 * k + 2])
                smaller = self.compare("LT", a, b)
                if less is None:
                    less = smaller
                else:
                    equal = self.compare("EQ", a, b)
                    less = self.op("or", smaller, self.op("and", equal, less, out=flag), out=flag)
            return [less]  # type: ignore[list-item]

        scalars = [ShapedArray((), x.aval.dtype) for x in xs for _ in range(2)]
        attributes = {"dimension": f"{axis} : i64", "is_stable": str(stable).lower()}
        return self.emit("sort", xs, [x.aval for x in xs], attributes, self.region(scalars, body))

    def index(self, indices: Operand) -> Operand:
        """Positions as XLA can work with them: in 8 or 16 bits its own bounds would overflow."""
        dtype = indices.aval.dtype
        wide = indices.aval.update(dtype=np.int32)
        return indices if dtype.itemsize >= 4 else self.op("convert", indices, out=wide)

    def gather(
        self, x: Operand, indices: Operand, dims: Any, sizes: Sequence[int], in_order: bool
    ) -> Operand:
        """Windows of the operand; see primitives/words/indexing.py."""
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

    # -- Programs --

    def inline(self, fun: Callable, *operands: Any) -> Any:
        """Lower what a function of primitives does to these operands (the rule for primitives that
        decompose); Python scalars among them it gets as they are.
        """
        several = False
        arrays = [v for v in operands if type(v) not in SCALARS]

        def flat(*args: Any) -> Sequence[Any]:
            nonlocal several
            given = iter(args)
            out = fun(*[v if type(v) in SCALARS else next(given) for v in operands])
            several = isinstance(out, (list, tuple))
            return out if several else [out]

        saved = self.outs
        outs = self.program(stage(flat, [v.aval for v in arrays]), arrays)
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
            outs = [CHAIN, *outs]
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
        """Emit the equations of a program; the results.

        Constants of whole programs are arguments; those of a rule that is staged only now, a
        user's backward rule say, stand in the text.
        """
        env: dict[Any, Operand] = dict(zip(jaxpr.in_vars, operands))
        env.update({v: self.array(c, v.aval) for v, c in zip(jaxpr.const_vars, jaxpr.consts)})
        eqn: Any = None
        forms, formulas, lines = self.forms, self.formulas, self.lines
        try:
            for eqn in jaxpr.eqns:
                primitive, outs = eqn.primitive, eqn.outs
                values = [env[v] if type(v) is Var else v.value for v in eqn.inputs]
                twice = len(values) == 2 and values[0] is values[1]  # x * x says less than x * y
                types = [v.key if type(v) is Operand else repr(v) for v in values]
                key = (id(primitive), twice, *types)
                form = forms.get(key)
                if form is None and key in formulas:
                    env[outs[0]] = self.again(formulas[key], values)
                    continue
                if form is not None:
                    head, rest, aval, kind, made, _ = form
                    name = self.fresh()
                    names = ", ".join([v.name for v in values if type(v) is Operand])
                    lines.append(f"{name}{head}{names}{rest}")
                    env[outs[0]] = Operand(name, aval, kind, made)
                    continue
                self.outs = [v.aval for v in outs]
                before, first, splats = len(lines), self.count, len(self.splats)
                found = primitive.lower(self, *values)
                if primitive.multiple_results:
                    env.update(zip(outs, found))
                    continue
                env[outs[0]] = found
                if len(lines) == before + 1:
                    self.remember(key, primitive, values, found)
                elif len(self.splats) == splats:
                    self.remember_formula(key, primitive, values, found, before, first)
        except NotImplementedError as error:  # what the platform does not have
            if "\n  at " not in str(error):
                error.args = (f"{eqn.primitive.name}: {error}\n  at {show_source(eqn.source)}",)
            raise
        return [
            self.constant(v.value, v.aval) if type(v) is Literal else env[v] for v in jaxpr.outs
        ]

    def call(self, jaxpr: Jaxpr, operands: Sequence[Operand]) -> list[Operand]:
        """Call a program: one private function per program, however often it is called."""
        name = self.names.get(id(jaxpr))
        if name is None:
            name = self.names[id(jaxpr)] = f"{identifier(jaxpr.name)}_{len(self.names)}"
            self.jaxprs.append(jaxpr)  # keeps the id from being used again
            self.function(jaxpr, name, "private")
        if jaxpr.effects:
            operands = [self.chain or self.constant(0, CHAIN), *operands]
            avals = [CHAIN, *jaxpr.out_avals]
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

    def function(
        self, jaxpr: Jaxpr, name: str, visibility: str, attributes: Mapping[int, str] = NONE
    ) -> None:
        """Write a program as a function of the module; `attributes` are those of its inputs."""
        saved = self.lines, self.splats, self.forms, self.formulas, self.outs, self.chain
        self.lines, self.splats, self.forms, self.formulas, self.chain = [], {}, {}, {}, None
        inputs = operands = [Operand(f"%arg{i}", v.aval) for i, v in enumerate(jaxpr.in_vars)]
        if jaxpr.effects and visibility == "private":
            self.chain = Operand("%chain", CHAIN)
            operands = [self.chain, *inputs]
        elif jaxpr.effects:
            self.chain = self.constant(0, CHAIN)
        results = self.program(jaxpr, inputs)
        if jaxpr.effects and visibility == "private":
            results = [self.chain, *results]
        arguments = ", ".join(
            [f"{v.name}: {v.type}{attributes.get(i, '')}" for i, v in enumerate(operands)]
        )
        types = ", ".join([v.type for v in results])
        names = ", ".join([v.name for v in results])
        self.lines.append(f"func.return {names} : {types}" if results else "func.return")
        body = "\n  ".join(self.lines)
        self.functions.append(
            f"func.func {visibility} @{name}({arguments}) -> ({types}) {{\n  {body}\n}}"
        )
        self.lines, self.splats, self.forms, self.formulas, self.outs, self.chain = saved


def identifier(name: str) -> str:
    """A name for MLIR from a Python function's."""
    kept = "".join([c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name])
    return kept or "fn"
