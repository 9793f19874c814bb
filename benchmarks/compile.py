"""From a Python function to a program that can be called: wall time and the time of processors.

Every call compiles a function made anew, with our memory of programs that were compiled before
emptied; no cache on disk is in use. jax has no such memory across functions, but it keeps what its
own functions were traced to, which stays.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from benchmarks import tracing
from benchmarks.case import Case, GeometricMean, Line, Result
from benchmarks.clock import summary
from benchmarks.workloads import WORKLOADS
from diffeo.lowering.compiler import clear_cache

RUNS = 7


@dataclass(frozen=True)
class Compile(Case):
    """Trace, lower and compile `function(lib)` for its arguments."""

    function: Callable[[ModuleType], Callable[..., Any]]
    arguments: Callable[[ModuleType], tuple]

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Compile in both libraries in turn, the first one changing."""
        args = {lib: self.arguments(lib) for lib in (ours, theirs)}
        samples: dict[ModuleType, list[tuple[float, float]]] = {ours: [], theirs: []}
        order = [ours, theirs]
        for lib in order:
            self.once(lib, args[lib])
        for _ in range(RUNS):
            for lib in order:
                samples[lib].append(self.once(lib, args[lib]))
            order.reverse()
        wall, cpu = (
            [summary([run[kind] for run in samples[lib]]) for lib in (ours, theirs)]
            for kind in (0, 1)
        )
        return Result(*wall, (Line("processor time", *cpu),))

    def once(self, lib: ModuleType, args: tuple) -> tuple[float, float]:
        """Wall time, and the time of all threads."""
        if lib.__name__ == "diffeo":
            clear_cache()
        function = self.function(lib)
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        lib.jit(function).lower(*args).compile()
        return time.perf_counter() - wall, time.process_time() - cpu


PROGRAMS = [Compile(f"compile {w.name}", 0.9, w.function, w.arguments) for w in WORKLOADS]
CASES = [
    Compile("compile gradient of 50-layer MLP", 0.9, tracing.gradient, tracing.arguments),
    *PROGRAMS,
    GeometricMean("compile: geometric mean of the twelve", 0.9, tuple(PROGRAMS)),
]
