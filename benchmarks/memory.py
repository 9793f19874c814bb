"""What a compiled program asks for: bytes of intermediate values; of the twelve, results too."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from benchmarks.case import Case, GeometricMean, Result
from benchmarks.clock import single
from benchmarks.workloads import WORKLOADS


def analysis(compiled: Any) -> tuple[int, int]:
    """The bytes of intermediate values and of results, as the compiler tells."""
    found = compiled.memory_analysis()
    if isinstance(found, dict):
        return found["temp"], found["output"]
    return found.temp_size_in_bytes, found.output_size_in_bytes


@dataclass(frozen=True)
class Program(Case):
    """Intermediate values and results of one of the twelve programs."""

    function: Callable[[ModuleType], Callable[..., Any]]
    arguments: Callable[[ModuleType], tuple]

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Compile in both libraries."""
        return Result(*[single(float(sum(analysis(self.compile(lib))))) for lib in (ours, theirs)])

    def compile(self, lib: ModuleType) -> Any:
        return lib.jit(self.function(lib)).lower(*self.arguments(lib)).compile()


@dataclass(frozen=True)
class Blocks(Case):
    """Intermediate values of the gradient of 24 blocks, a scan; with `checkpoint` or without."""

    policy: str | None = None
    on: bool = True

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Compile in both libraries."""
        return Result(*[single(float(self.temporary(lib))) for lib in (ours, theirs)])

    def temporary(self, lib: ModuleType) -> int:
        """What the compiler says."""

        def block(x, weights):
            h = lib.numpy.tanh(lib.numpy.tanh(x @ weights[0]) @ weights[1])
            return x + h @ weights[2], None

        if self.on:
            policy = self.policy and getattr(lib.checkpoint_policies, self.policy)
            block = lib.checkpoint(block, policy=policy, prevent_cse=False)
        loss = lambda weights, x: (lib.lax.scan(block, x, weights)[0] ** 2).sum()
        shapes = (64, 256), (256, 256), (256, 64)
        weights = [lib.numpy.ones((24, *shape)) for shape in shapes]
        lowered = lib.jit(lib.grad(loss)).lower(weights, lib.numpy.ones((512, 64)))
        return analysis(lowered.compile())[0]


PROGRAMS = [Program(f"memory, {w.name}", 1.1, w.function, w.arguments, unit="B") for w in WORKLOADS]
CASES = [
    Blocks("memory, gradient of 24 blocks", 1.02, on=False, unit="B"),
    Blocks("memory, the same, checkpoint", 1.02, unit="B"),
    Blocks("memory, the same, products kept", 1.02, "dots_saveable", unit="B"),
    *PROGRAMS,
    GeometricMean("memory: geometric mean of the twelve", 1.0, tuple(PROGRAMS), unit="B"),
]
