"""A compiled program with the constants that it closes over: what a call runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..lowering.compiler import compile_program
from ..lowering.devices.devices import Device
from ..lowering.devices.placement import buffer_on, placed
from ..primitives.array import Array, as_value, from_buffer
from ..primitives.types import float0
from .pipeline import Prepared


class Runner:
    """A program compiled for its types and a device, with the constants that it takes first.

    Attributes:
        device: where it runs; None: on the first device, where all operands are.
        prepared: the program as it went to the compiler.
        executable: what runs.
        origin: where that came from: "compiled", "memory", "disk" or "tuned".
        constants: buffers of the values that the traced function closed over.
    """

    __slots__ = ("constants", "device", "executable", "origin", "prepared")

    def __init__(
        self,
        prepared: Prepared,
        device: Device | None = None,
        options: Mapping[str, Any] | None = None,
        optimize: bool = True,
        tune_with: Sequence[Array] | None = None,
    ):
        jaxpr, module = prepared.jaxpr, prepared.module
        avals = [v.aval for v in (*jaxpr.const_vars, *jaxpr.in_vars)]
        self.prepared = prepared
        self.device = device
        self.constants = self.buffers([as_value(c) for c in jaxpr.consts])
        trial = None
        if tune_with is not None:
            trial = self.constants + self.buffers(self.used(tune_with))
        self.executable, self.origin, _ = compile_program(
            module.text,
            avals,
            jaxpr.out_avals,
            options=options,
            device=device,
            functions=module.functions,
            optimize=optimize,
            tune_with=trial,
        )

    def used(self, arrays: Sequence[Array]) -> Sequence[Array]:
        """Return those of the arguments that the program takes."""
        kept = self.prepared.kept
        return arrays if kept is None else [arrays[i] for i in kept]

    def buffers(self, arrays: Sequence[Array]) -> list[Any]:
        """Return the buffers of arrays on the program's device."""
        device = self.device
        return [a.buffer if device is None else buffer_on(a, device) for a in arrays]

    def run(self, arrays: Sequence[Array], commits: Device | None = None) -> list[Array]:
        """Run the program on arrays of the types that it was compiled for, which is not checked.

        Args:
            arrays: the arguments.
            commits: the device to which the results are committed, if they are.
        """
        buffers = self.buffers(self.used(arrays))
        donated = [arrays[i] for i in self.prepared.donated]
        for a in donated:
            a._np = None  # a view, which would keep the memory from being given away
        outs = self.executable.execute(self.constants + buffers)
        for a in donated:
            a.delete()  # XLA leaves alone what no result has the type of, or NumPy looks at
        avals, device = [v.aval for v in self.prepared.jaxpr.outs], self.device
        if device is None:
            return self.wrap([from_buffer(b, a) for b, a in zip(outs, avals)])
        return self.wrap([placed(b, a, device, commits) for b, a in zip(outs, avals)])

    @property
    def has_float0(self) -> bool:
        """Whether some results are of dtype float0, which the machine does not know."""
        return len(self.prepared.out_avals) != len(self.prepared.jaxpr.outs)

    def wrap(self, arrays: list[Any]) -> list[Any]:
        """Return all results, given those that have numbers.

        A result of dtype float0 has none, and is a NumPy array, as derivatives return it.
        """
        if not self.has_float0:
            return arrays
        computed = iter(arrays)
        return [
            np.zeros(a.shape, float0) if a.dtype == float0 else next(computed)
            for a in self.prepared.out_avals
        ]
