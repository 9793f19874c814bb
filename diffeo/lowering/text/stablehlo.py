"""The builder that every `lower` rule is handed as `ctx`: it writes StableHLO as text.

A *program* is a `Jaxpr`: equations, each a primitive applied to variables. `Builder.function`
writes a program as a function of the module that XLA compiles, and asks each primitive to `lower`
itself. Read `Builder.program` first, the loop over the equations; then `writer.py`, which writes
the lines.

Operations are in MLIR's generic form, which every supported jaxlib parses. A program that is
called twice is one private function. Constants that the traced function closed over are leading
arguments of `main`, not text.

A program with *effects* (printing, calls of Python that matter) has a *chain*: a number of one byte
that every operation with an effect takes and returns anew. XLA runs an operation after those whose
results it takes, so the chain keeps the effects in the program's order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...primitives.jaxpr import Jaxpr, Literal, Var
from ...primitives.staging import stage
from ...primitives.support.sources import show_source
from ...primitives.types import SCALARS, ShapedArray, bool_, is_inexact
from ...primitives.words.index_dims import IndexDims
from .foreign_calls import CHAIN, ForeignCalls
from .key_carriers import KeyCarriers
from .writer import Operand

#: No attributes of a function's inputs.
NONE: Mapping[int, str] = {}


class Builder(KeyCarriers, ForeignCalls):
    """A writer of one module. `lower` rules use its methods to emit operations.

    Attributes:
        platform: what the program will run on: "cpu", "cuda", "tpu" or a plugin's name.
        functions: the texts of the functions that are finished.
        names: the name of a program's private function, by the program's id.
        jaxprs: the programs of `names`, kept alive so that no other program gets their ids.
    """

    def __init__(self, platform: str = "cpu") -> None:
        super().__init__()
        self.platform = platform
        self.functions: list[str] = []
        self.names: dict[int, str] = {}
        self.jaxprs: list[Jaxpr] = []
        #: The Python functions that the program calls; it calls them by their index here.
        self.python: list[Callable] = []
        #: What the next operation with an effect takes; None in a program without effects.
        self.chain: Operand | None = None

    # -- Attributes and short operations --

    def i64s(self, numbers: Sequence[int]) -> str:
        """Return the attribute for a list of integers, such as "array<i64: 0, 2>"."""
        return f"array<i64: {', '.join(map(str, numbers))}>" if len(numbers) else "array<i64>"

    def compare(self, direction: str, x: Operand, y: Any) -> Operand:
        """Compare two operands elementwise. Return booleans.

        Args:
            direction: "EQ", "NE", "LT", "LE", "GT" or "GE".
            x, y: operands of one type; one of them may be a Python scalar.
        """
        if type(x) is not Operand or type(y) is not Operand:
            x, y = self.operands((x, y))
        dtype = x.aval.dtype
        if dtype.kind == "k":
            return self.compare_keys(direction, x, y)
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
        """Return an array filled with one number, which XLA's simplifier does not see.

        The number passes a barrier as a scalar, and is broadcast afterwards.
        """
        scalar = ShapedArray((), aval.dtype)
        number = self.constant(value, scalar)
        behind = self.emit("optimization_barrier", [number], [scalar], {})
        return self.op(
            "broadcast_in_dim", *behind, out=aval.strong, broadcast_dimensions=self.i64s(())
        )

    # -- Operations with regions or long attributes --

    def region(self, avals: Sequence[ShapedArray], body: Callable[..., Sequence[Operand]]) -> str:
        """Return the text of a region: one block of lines, for use in `emit`.

        Args:
            avals: the types of the block's arguments.
            body: a function of the arguments. It emits the operations of the block, and returns the
                results of the block.
        """
        # Outside of a region, names that are defined in it mean nothing. So constants that the body
        # writes, and forms that speak of them, are forgotten at the end.
        outer, self.lines = self.lines, []
        remembered = self.splats, self.forms, self.formulas
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
        self.splats, self.forms, self.formulas = remembered
        return text

    def chained(self, body: Callable[..., Sequence[Operand]]) -> Callable[..., list[Operand]]:
        """Return the body of a region that takes the chain as its first argument, and returns the
        chain as its first result, besides what `body` takes and returns.
        """

        def emit(chain: Operand, *arguments: Operand) -> list[Operand]:
            self.chain = chain
            results = body(*arguments)
            return [self.chain, *results]

        return emit

    def reduce(self, name: str, x: Operand, initial: Any, axes: Sequence[int]) -> Operand:
        """Combine the elements along axes.

        Args:
            name: a binary operation of StableHLO, such as "add".
            x: the operand.
            initial: the neutral element of the operation.
            axes: the axes that vanish.
        """
        scalar = ShapedArray((), x.aval.dtype)
        init = self.constant(initial, scalar)
        region = self.region([scalar, scalar], lambda a, b: [self.op(name, a, b, out=scalar)])
        return self.emit("reduce", [x, init], self.outs, {"dimensions": self.i64s(axes)}, region)[0]

    def sort(
        self, xs: Sequence[Operand], axis: int, num_keys: int, key: Callable, stable: bool = True
    ) -> list[Operand]:
        """Sort several operands together along an axis. Return them in the new order.

        Args:
            xs: operands of equal shapes.
            axis: the axis.
            num_keys: how many of the operands decide the order, the first one first.
            key: a function of primitives that turns an element into an integer; integers are
                compared.
            stable: whether equal elements stay in their order.
        """

        def body(*pairs: Operand) -> list[Operand]:
            # XLA hands over two elements of each operand in turn: a0, b0, a1, b1 ... The last key
            # comes first here: each key before it decides, unless its two elements are equal.
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
        """Return indices in a type that is wide enough: XLA computes bounds in the indices' own
        type, and 8 or 16 bits would overflow.
        """
        dtype = indices.aval.dtype
        wide = indices.aval.update(dtype=np.int32)
        return indices if dtype.itemsize >= 4 else self.op("convert", indices, out=wide)

    def gather(
        self, x: Operand, indices: Operand, dims: IndexDims, sizes: Sequence[int], in_order: bool
    ) -> Operand:
        """Read windows of the operand `x`; the parameters are those of the primitive `Gather`.

        See primitives/words/indexing.py.
        """
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
        dims: IndexDims,
        unique: bool,
        in_order: bool,
    ) -> Operand:
        """Write windows into the operand `x`; the parameters are those of the primitives of
        scatter.

        `combine` is the operation of StableHLO that combines old and new elements, such as "add";
        None replaces the old ones.
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
        """Lower a function of primitives, here and now. Return what the function returns: an
        operand, or a list of operands.

        The function is staged to a program for the operands' types, and its equations are emitted.
        This is the rule of primitives that decompose. Python scalars reach the function as they
        are.
        """
        several = False
        arrays = [v for v in operands if type(v) not in SCALARS]

        def flat(*args: Any) -> Sequence[Any]:
            # The scalars are put back between the tracers: for operands (x, 2.0, y), `fun` is
            # called with (args[0], 2.0, args[1]).
            nonlocal several
            tracers = iter(args)
            out = fun(*[v if type(v) in SCALARS else next(tracers) for v in operands])
            several = isinstance(out, (list, tuple))
            return out if several else [out]

        # The rule that called this goes on to use the types of its own equation's results.
        equation_outs = self.outs
        results = self.program(stage(flat, [v.aval for v in arrays]), arrays)
        self.outs = equation_outs
        return results if several else results[0]

    def while_loop(
        self, going: Callable, step: Callable, values: Sequence[Operand]
    ) -> list[Operand]:
        """Repeat `step` while `going` holds. Return the last values.

        Args:
            going: a function of primitives: the values -> one boolean.
            step: a function of primitives: the values -> their successors.
            values: the first values. The functions see no other operands.
        """
        return self.while_region(
            lambda *vs: self.inline(going, *vs), lambda *vs: self.inline(step, *vs), values
        )

    def while_region(
        self, going: Callable, step: Callable, values: Sequence[Operand]
    ) -> list[Operand]:
        """Do as `while_loop` does, with functions that emit operations on operands instead of
        functions of primitives.
        """
        test = lambda *vs: [going(*vs)]
        if self.chain is not None:
            # The chain is one more value of the loop. The test takes it, too, but must return
            # nothing except the boolean.
            values, step = [self.chain, *values], self.chained(step)
            test = lambda *vs: self.chained(lambda *vs: [going(*vs)])(*vs)[1:]
        avals = [v.aval for v in values]
        regions = [self.region(avals, test), self.region(avals, step)]
        return self.unchained(self.emit("while", values, avals, {}, self.joined(regions)))

    def case(
        self, index: Operand, branches: Sequence[Callable], outs: Sequence[ShapedArray]
    ) -> list[Operand]:
        """Emit one of several branches at run time. Return its results.

        Args:
            index: the number of the branch, as an operand.
            branches: functions without arguments that emit operations and return results.
            outs: the types of the results.
        """
        chain = self.chain
        if chain is not None:
            outs = [CHAIN, *outs]
            branches = [lambda b=b: self.chained(b)(chain) for b in branches]
        if not outs:
            return []
        regions = self.joined([self.region([], branch) for branch in branches])
        return self.unchained(self.emit("case", [index], outs, {}, regions))

    def unchained(self, results: list[Operand]) -> list[Operand]:
        """Take the chain off the front of an operation's results, where there is a chain, and keep
        it. Return the other results.
        """
        if self.chain is not None:
            self.chain, *results = results
        return results

    @staticmethod
    def joined(regions: Sequence[str]) -> str:
        """Return the text of several regions as that of an operation with all of them.

        For " ({a})" and " ({b})", that is " ({a}, {b})".
        """
        return f" ({', '.join([r[2:-1] for r in regions])})"

    def program(self, jaxpr: Jaxpr, operands: Sequence[Operand]) -> list[Operand]:
        """Emit the equations of a program. Return the operands that are its results.

        The constants of a whole program are arguments of `main`, and do not come here. A program
        that a rule stages only while it is lowered may have constants, such as arrays that a user's
        backward rule closes over; they are written out.

        A rule is not called again where its text is known. The key of `forms` and `formulas` says
        what the text depends on: the primitive, the types and origins of the operands
        (`Operand.key`), the Python scalars, and whether two operands are the same.
        """
        env: dict[Var, Operand] = dict(zip(jaxpr.in_vars, operands))
        env.update({v: self.array(c, v.aval) for v, c in zip(jaxpr.const_vars, jaxpr.consts)})
        eqn: Any = None
        forms, formulas, lines = self.forms, self.formulas, self.lines
        try:
            for eqn in jaxpr.eqns:
                primitive, outs = eqn.primitive, eqn.outs
                values = [env[v] if type(v) is Var else v.value for v in eqn.inputs]
                same_twice = len(values) == 2 and values[0] is values[1]  # x * x
                types = [v.key if type(v) is Operand else repr(v) for v in values]
                key = (id(primitive), same_twice, *types)
                form = forms.get(key)
                if form is None and key in formulas:  # several lines
                    env[outs[0]] = self.again(formulas[key], values)
                    continue
                if form is not None:  # one line, written here since this is the most frequent case
                    head, tail, aval, type_text, made, _ = form
                    name = self.fresh()
                    names = ", ".join([v.name for v in values if type(v) is Operand])
                    lines.append(f"{name}{head}{names}{tail}")
                    env[outs[0]] = Operand(name, aval, type_text, made)
                    continue
                self.outs = [v.aval for v in outs]
                before, first, splats = len(lines), self.count, len(self.splats)
                lowered = primitive.lower(self, *values)
                if primitive.multiple_results:
                    env.update(zip(outs, lowered))
                    continue
                env[outs[0]] = lowered
                # Lines that define a constant are not kept: `splats` has the constant from now on.
                if len(lines) == before + 1:
                    self.remember(key, primitive, values, lowered)
                elif len(self.splats) == splats:
                    self.remember_formula(key, primitive, values, lowered, before, first)
        except NotImplementedError as error:  # the platform has no such operation
            if "\n  at " not in str(error):
                error.args = (f"{eqn.primitive.name}: {error}\n  at {show_source(eqn.source)}",)
            raise
        return [
            self.constant(v.value, v.aval) if type(v) is Literal else env[v] for v in jaxpr.outs
        ]

    def call(self, jaxpr: Jaxpr, operands: Sequence[Operand]) -> list[Operand]:
        """Call a program as a function. Return the results.

        The program is one private function of the module, however often it is called.
        """
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
        """Write a program as a function of the module.

        A public function with effects starts the chain; a private one takes the chain as its first
        argument, and returns it as its first result.

        Args:
            jaxpr: the program.
            name: the function's name, without the @.
            visibility: "public" for `main`, "private" for others.
            attributes: attributes of some inputs, by the inputs' numbers.
        """
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
    """Return a name for MLIR from that of a Python function: letters, digits and underscores."""
    kept = "".join([c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name])
    return kept or "fn"
