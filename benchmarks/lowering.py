"""From a Python function to StableHLO: tracing and lowering of functions made anew."""

from functools import partial

from benchmarks.case import GeometricMean, Program
from benchmarks.tracing import arguments, gradient, network
from benchmarks.workloads import WORKLOADS


def lower(lib, function, arguments):
    """The call that lowers a new `function(lib)`."""
    args = arguments(lib)
    return lambda: lib.jit(function(lib)).lower(*args)


def lowered(name, function, arguments, **options):
    build = partial(lower, function=function, arguments=arguments)
    return Program(f"trace and lower {name}", 0.1, build, **options)


PROGRAMS = [lowered(w.name, w.function, w.arguments, budget=1.0) for w in WORKLOADS]
CASES = [
    lowered("50-layer MLP", network, arguments),
    lowered("gradient of 50-layer MLP", gradient, arguments),
    *PROGRAMS,
    GeometricMean("trace and lower: geometric mean of the twelve", 0.1, tuple(PROGRAMS)),
]
