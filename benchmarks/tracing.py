"""From a Python function to an equation list: a network of 50 layers, and the twelve programs.

Every call stages a function made anew, since both libraries remember what they have staged.
"""

from functools import partial

import numpy as np

from benchmarks.case import GeometricMean, Program
from benchmarks.workloads import WORKLOADS

LAYERS, WIDTH, BATCH = 50, 32, 8
MICROSECOND = 1e-6


def network(lib):
    """A loss of 50 layers, as a new function object."""
    jnp = lib.numpy

    def loss(params, x, y):
        for weight, bias in params:
            x = jnp.tanh(x @ weight + bias)
        return jnp.mean((x - y) ** 2)

    return loss


def gradient(lib):
    """Of the network by its parameters."""
    return lib.grad(network(lib))


def arguments(lib):
    """Parameters, inputs and targets of the network, as float32 arrays of the library."""
    random = np.random.default_rng(0)

    def array(*shape):
        return lib.numpy.asarray(random.normal(size=shape).astype(np.float32))

    params = [(array(WIDTH, WIDTH), array(WIDTH)) for _ in range(LAYERS)]
    return params, array(BATCH, WIDTH), array(BATCH, WIDTH)


def stage(lib, function, arguments):
    """The call that stages a new `function(lib)`."""
    args = arguments(lib)
    return lambda: lib.make_jaxpr(function(lib))(*args)


def equations(jaxpr):
    """The number of equations at the top of a jaxpr."""
    return len(jaxpr.eqns)


def staged(name, function, arguments, *count, **options):
    build = partial(stage, function=function, arguments=arguments)
    return Program(f"stage {name}", 0.12, build, *count, **options)


COUNTED = equations, 8 * MICROSECOND
#: Small programs of which jax has the larger part ready.
KEPT = ("bundle adjustment", "heat equation", "FFT Poisson", "logistic Hessian")
CAUSE = (
    "jax keeps what its own functions were traced to, for the traces of other functions; with its "
    "caches emptied it takes 2 to 5 times as long"
)
PROGRAMS = [
    staged(w.name, w.function, w.arguments, budget=1.0, cause=CAUSE if w.name in KEPT else "")
    for w in WORKLOADS
]
CASES = [
    staged("50-layer MLP", network, arguments, *COUNTED),
    staged("gradient of 50-layer MLP", gradient, arguments, *COUNTED),
    *PROGRAMS,
    GeometricMean("stage: geometric mean of the twelve", 0.12, tuple(PROGRAMS)),
]
