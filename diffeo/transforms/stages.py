"""The stages of a compiled function: traced, lowered, compiled. What `jit` makes, and users may
hold.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..lowering.stablehlo import Module, lower_module
from ..primitives.array import as_value
from ..primitives.core import Tracer, Typed, describe, typeof, with_user_line
from ..primitives.jaxpr import Jaxpr, eliminate_dead_code
from ..primitives.types import ShapedArray
from ..programs.control_flow import Call
from . import tree
from .evaluation import Program


class ShapeDtypeStruct(Typed):
    """The shape and dtype of an array without its numbers: an argument of `eval_shape`,
    `jit(f).lower` and others.

    Examples:
        >>> ShapeDtypeStruct((2, 3), "float64")
        ShapeDtypeStruct((2, 3), float64)
    """

    __slots__ = ("aval",)

    def __init__(self, shape: Sequence[int], dtype: Any, weak_type: bool = False):
        self.aval = ShapedArray(tuple(shape), np.dtype(dtype), weak_type)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtypeStruct) and other.aval is self.aval

    def __hash__(self) -> int:
        return hash(self.aval)

    def __repr__(self) -> str:
        return f"ShapeDtypeStruct({self.shape}, {self.dtype})"


def aval_of(x: Any) -> ShapedArray:
    """The type of an argument: an array, a number, or a `ShapeDtypeStruct`."""
    if type(x) is ShapeDtypeStruct:
        return x.aval
    return typeof(x)


class Traced:
    """A function traced for one signature: its program and the structure of its result.

    Attributes:
        jaxpr: the program, a `Jaxpr`.
        seconds: how long tracing took.
    """

    def __init__(self, jaxpr: Jaxpr, in_tree: Any, out_tree: Any, seconds: float):
        self.jaxpr, self.in_tree, self.out_tree, self.seconds = jaxpr, in_tree, out_tree, seconds
        self._program: Compiled | None = None
        self._call: Call | None = None

    def lower(self) -> Lowered:
        """Write the program as StableHLO."""
        start = time.perf_counter()
        jaxpr = eliminate_dead_code(self.jaxpr)
        module = lower_module(jaxpr)
        return Lowered(self, jaxpr, module, time.perf_counter() - start)

    @property
    def compiled(self) -> Compiled:
        """The compiled program; made when it is first asked for."""
        if self._program is None:
            self._program = self.lower().compile()
        return self._program

    @property
    def call(self) -> Call:
        """The primitive that stands for the function inside other transformations."""
        if self._call is None:
            self._call = Call(self.jaxpr.closed_over())
        return self._call

    def __repr__(self) -> str:
        return f"<Traced {self.jaxpr.name}: {len(self.jaxpr.eqns)} equations>"


class Lowered:
    """A function written as StableHLO for one signature.

    Attributes:
        seconds: how long lowering took.
    """

    def __init__(self, traced: Traced, jaxpr: Jaxpr, module: Module, seconds: float):
        self.traced, self.jaxpr, self.seconds = traced, jaxpr, seconds
        self._module = module

    def as_text(self) -> str:
        """The StableHLO module."""
        return self._module.text

    def compile(self) -> Compiled:
        """Compile it with XLA, or find it in the cache of programs."""
        start = time.perf_counter()
        program = Program(self.jaxpr, self._module)
        return Compiled(self, program, time.perf_counter() - start)

    def __repr__(self) -> str:
        return f"<Lowered {self.jaxpr.name}: {self.as_text().count(chr(10))} lines of StableHLO>"


class Compiled:
    """A function compiled for one signature. Call it with arguments of exactly these types.

    Attributes:
        seconds: how long compiling took (next to nothing if the cache had the program).
    """

    def __init__(self, lowered: Lowered, program: Program, seconds: float):
        self.lowered, self.program, self.seconds = lowered, program, seconds
        self.out_tree = lowered.traced.out_tree
        #: What the dispatch of `Jitted` needs, in one tuple.
        self.entry = (
            *program.executable.parts,
            program.constants,
            program.out_avals,
            self.out_tree.unflatten,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, structure = tree.flatten((args, kwargs))
        expected = self.lowered.jaxpr.in_avals
        if structure != self.lowered.traced.in_tree:
            difference = tree.first_difference(self.lowered.traced.in_tree, structure)
            raise with_user_line(
                TypeError(f"compiled for arguments of another structure: {difference}")
            )
        values = [as_value(x) for x in leaves]
        for value, aval in zip(values, expected):
            if isinstance(value, Tracer) or value.aval is not aval:
                raise with_user_line(
                    TypeError(
                        f"compiled for {aval}, called with {describe(value)}; a compiled "
                        "function takes concrete arrays of "
                        "exactly the types it was lowered for: call the jit function for others"
                    )
                )
        return self.run(values)

    def run(self, arrays: list[Any]) -> Any:
        """The result for the arguments' leaves; their types are not checked."""
        return self.out_tree.unflatten(self.program.run(arrays))

    def as_text(self) -> str:
        """The program as XLA optimised it."""
        return self.program.executable.as_text()

    def cost_analysis(self) -> dict[str, float]:
        """XLA's estimate of the work: "flops", "bytes accessed" and others."""
        return self.program.executable.cost_analysis()

    def memory_analysis(self) -> dict[str, int]:
        """Bytes of argument, output, temporary and other memory."""
        return self.program.executable.memory_analysis()

    def __repr__(self) -> str:
        return f"<Compiled {self.lowered.jaxpr.name} for {self.lowered.jaxpr.in_avals}>"
