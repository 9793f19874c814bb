"""Rules of lowering that write MLIR with jaxlib's own classes, as those of jax's primitives do.

Such a rule runs in a small module of its own: `run_rule` calls it inside of a function of that
module, and what it wrote becomes a private function of the program's text.

jaxlib's classes of MLIR load with this file, which only `diffeo.interpreters.mlir` asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import func, stablehlo

from ...primitives.staging import stage
from ...primitives.types import ShapedArray
from ..compat import mlir
from .mlir_types import element_type, tensor_type
from .stablehlo import Builder, identifier
from .writer import Operand

#: The names of functions in a text.
_SYMBOLS = re.compile(r"@([A-Za-z_]\w*)")


class ModuleContext:
    """The module that a rule writes into.

    Attributes:
        platforms: the platforms that it is for, one.
        context: MLIR's context.
        module: MLIR's module.
    """

    def __init__(self, platform: str, context: Any, module: Any):
        self.platforms, self.context, self.module = (platform,), context, module


class LoweringRuleContext:
    """What a rule gets as its first argument.

    Attributes:
        module_context: the module.
        primitive: the primitive that is lowered.
        avals_in, avals_out: the types of the operands and results.
    """

    def __init__(
        self,
        module_context: ModuleContext,
        primitive: Any,
        avals_in: Sequence[ShapedArray],
        avals_out: Sequence[ShapedArray],
    ):
        self.module_context, self.primitive = module_context, primitive
        self.avals_in, self.avals_out = avals_in, avals_out

    @property
    def platforms(self) -> Sequence[str]:
        """The platforms that the module is for."""
        return self.module_context.platforms

    def replace(self, **values: Any) -> LoweringRuleContext:
        """Return the same context with other attributes."""
        names = ("module_context", "primitive", "avals_in", "avals_out")
        kept = {n: values.pop(n, getattr(self, n)) for n in names}
        if values:
            raise TypeError(f"a context of a rule has {', '.join(names)}, not {', '.join(values)}")
        return LoweringRuleContext(**kept)


def run_rule(
    builder: Builder,
    rule: Callable,
    primitive: Any,
    params: dict[str, Any],
    operands: Sequence[Operand],
    outs: Sequence[ShapedArray],
) -> list[Operand]:
    """Lower a primitive by a rule that writes MLIR. Return the results.

    Args:
        builder: what writes the program.
        rule: (context, *values, **params) -> a value, or a sequence of them, one for each result.
        primitive: the primitive, for the rule to look at.
        params: its parameters.
        operands: the operands.
        outs: the types of the results.

    Raises:
        TypeError: if the rule returns other values than the primitive has results.
    """
    context = mlir()[1]
    with context, ir.Location.unknown(context):
        module = ir.Module.create()
        rule_context = LoweringRuleContext(
            ModuleContext(builder.platform, context, module),
            primitive,
            [v.aval for v in operands],
            list(outs),
        )
        types = [ir.Type.parse(tensor_type(v.aval)) for v in operands]
        results = [ir.Type.parse(tensor_type(a)) for a in outs]
        with ir.InsertionPoint(module.body):
            main = func.FuncOp("main", ir.FunctionType.get(types, results))
        block = main.add_entry_block()
        with ir.InsertionPoint(block):
            values = _flat(rule(rule_context, *block.arguments, **params))
            if [v.type for v in values] != results:
                raise TypeError(
                    f"the rule for lowering of '{primitive}' returned values of the types "
                    f"{', '.join([str(v.type) for v in values])}; its type rule says "
                    f"{', '.join(map(str, results))}"
                )
            func.ReturnOp(values)
        module.operation.verify()
        return _called(builder, module, str(primitive), operands, outs)


def _flat(values: Any) -> list[Any]:
    """Return the values that a rule returned, one or several, or operations with one result."""
    listed = values if isinstance(values, (list, tuple)) else [values]
    return [getattr(v, "result", v) for v in listed]


def _called(
    builder: Builder,
    module: Any,
    name: str,
    operands: Sequence[Operand],
    outs: Sequence[ShapedArray],
) -> list[Operand]:
    """Put the functions of a module into a program's, and call the one named main."""
    prefix = f"{identifier(name)}_mlir{len(builder.functions)}"
    for operation in module.body.operations:
        operation.attributes["sym_visibility"] = ir.StringAttr.get("private")
        text = operation.operation.get_asm()
        builder.functions.append(_SYMBOLS.sub(lambda m: f"@{prefix}_{m[1]}", text))
    return builder.emit("func.call", operands, outs, {"callee": f"@{prefix}_main"})


def call_function(
    context: LoweringRuleContext, fun: Callable[..., Sequence[Any]], values: Sequence[Any]
) -> list[Any]:
    """Write a function of arrays into the module of a rule, and call it.

    Args:
        context: what the rule got.
        fun: a function of as many arrays as `context.avals_in`, that returns a sequence.
        values: the values of MLIR's to call it with.
    """
    module = context.module_context.module
    inner = Builder(context.platforms[0])
    jaxpr = stage(fun, context.avals_in).closed_over()
    inner.function(jaxpr, "main", "private")
    prefix = f"part{len(list(module.body.operations))}"
    text = _SYMBOLS.sub(lambda m: f"@{prefix}_{m[1]}", "\n".join(inner.functions))
    parsed = ir.Module.parse(f"module {{\n{text}\n}}")
    with ir.InsertionPoint(module.body):
        for operation in parsed.body.operations:
            operation.operation.clone()
    types = [ir.Type.parse(tensor_type(a)) for a in jaxpr.out_avals]
    call = func.CallOp(types, ir.FlatSymbolRefAttr.get(f"{prefix}_main"), list(values))
    return list(call.results)


def dtype_to_ir_type(dtype: np.dtype) -> Any:
    """Return MLIR's type for elements of a dtype."""
    return ir.Type.parse(element_type(np.dtype(dtype)))


def array_type(aval: ShapedArray) -> Any:
    """Return MLIR's type for arrays of a type."""
    return ir.Type.parse(tensor_type(aval))


def constant(x: np.ndarray, aval: ShapedArray) -> Any:
    """Return an array as a constant of the function that is being written."""
    x = np.ascontiguousarray(x)
    if x.dtype == np.bool_:  # as text: a byte holds several, and one byte stands for equal ones
        attribute = ir.Attribute.parse(f"dense<{_bits(x)}> : {tensor_type(aval)}")
        return stablehlo.ConstantOp(attribute).result
    if aval.dtype.kind == "V":  # what Python's buffers have no letter for
        x = x.view(f"u{aval.dtype.itemsize}")
    kind = dtype_to_ir_type(aval.dtype)
    buffer: Any = x
    attribute = ir.DenseElementsAttr.get(buffer, type=kind, shape=list(aval.shape))
    return stablehlo.ConstantOp(attribute).result


def _bits(x: np.ndarray) -> str:
    """Return booleans as MLIR writes them."""
    if not x.size:
        return ""
    return str(x.tolist()).lower()
