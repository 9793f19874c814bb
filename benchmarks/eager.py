"""Eager work on small arrays, where all of the time is overhead."""

import numpy as np

from benchmarks.case import Program


def on_vector(program):
    """The build function of `program(lib, x)`, with `x` a float64 vector of five."""

    def build(lib):
        x = lib.numpy.asarray(np.arange(1.0, 6.0))
        return lambda: program(lib, x)

    return build


def gradient(lib):
    x = lib.numpy.asarray(np.arange(1.0, 6.0))
    gradient = lib.grad(lambda x: lib.numpy.sum(lib.numpy.sin(x) * x))
    return lambda: gradient(x)


CASES = [
    Program("eager x + x", 0.35, on_vector(lambda lib, x: x + x)),
    Program("eager sin(x)", 0.35, on_vector(lambda lib, x: lib.numpy.sin(x))),
    Program("eager x[3]", 0.35, on_vector(lambda lib, x: x[3])),
    Program("eager sum(x)", 0.35, on_vector(lambda lib, x: lib.numpy.sum(x))),
    Program("eager gradient of 3 operations", 0.08, gradient),
]
