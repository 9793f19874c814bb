"""Steady state: the twelve programs compiled and run, beside jax and what others have for them."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks import others
from benchmarks.case import Case, GeometricMean, Pair, Result
from benchmarks.clock import batch_timer, interleave, wait
from benchmarks.loops import by_scan, by_while
from benchmarks.workloads import WORKLOADS

BUDGET = 3.0


def run(lib, workload):
    """The call that runs the compiled program once, and waits."""
    args = workload.arguments(lib)
    compiled = lib.jit(workload.function(lib))
    return lambda: wait(lib, compiled(*args))


def beside(workload):
    """The program beside jax's."""
    build = partial(run, workload=workload)
    return Pair(f"run {workload.name}", 1.1, build, build, rtol=workload.rtol, budget=BUDGET)


def beside_others(workload):
    """The program beside other libraries', which are not expected to be as fast."""
    build = partial(run, workload=workload)
    return [
        Pair(
            f"run {workload.name} ({package})",
            None,
            build,
            partial(others.run, program=program, make=workload.make),
            rtol=workload.rtol,
            budget=BUDGET,
            needs=package,
        )
        for package, program in others.PROGRAMS.get(workload.name, {}).items()
    ]


# --------------------------------------------------------------------------------------------------

LONG = 10**5


@dataclass(frozen=True)
class WhileAgainstScan(Case):
    """Our gradient of a while loop, which keeps a few carries, beside that of a scan in `other`,
    which keeps them all.
    """

    other: str = "diffeo"

    def measure(self, ours, theirs):
        """Time both in turn."""
        lib = ours if self.other == "diffeo" else theirs
        loop = ours.jit(ours.grad(lambda p, n: by_while(ours, p, n)))
        whole = lib.jit(lib.grad(lambda p: by_scan(lib, p, LONG)))
        point = np.array([9.81, 0.1])
        mine, other = ours.numpy.asarray(point), lib.numpy.asarray(point)
        np.testing.assert_allclose(loop(mine, LONG), whole(other), rtol=1e-6)
        timers = (
            batch_timer(ours, lambda: loop(mine, LONG)),
            batch_timer(lib, lambda: whole(other)),
        )
        return Result(*interleave(timers, budget=10.0, rounds=(3, 20)))


PROGRAMS = [beside(workload) for workload in WORKLOADS]
CASES = [
    *PROGRAMS,
    GeometricMean("run: geometric mean of the twelve", 1.0, tuple(PROGRAMS)),
    *[case for workload in WORKLOADS for case in beside_others(workload)],
    WhileAgainstScan("gradient of 10^5 steps: while (our scan)", 3.0),
    WhileAgainstScan("gradient of 10^5 steps: while (jax's scan)", 3.0, "jax"),
]
