"""From a Python function to an equation list, and on to StableHLO: a network of 50 layers.

Every call stages a function made anew, since both libraries remember what they have staged.
"""

import numpy as np

from benchmarks.case import Program

LAYERS, WIDTH, BATCH = 50, 32, 8
MICROSECOND = 1e-6


def network(lib):
    """A loss of 50 layers, as a new function object, and its arguments."""
    jnp = lib.numpy

    def loss(params, x, y):
        for weight, bias in params:
            x = jnp.tanh(x @ weight + bias)
        return jnp.mean((x - y) ** 2)

    return loss


def arguments(lib):
    """Parameters, inputs and targets of the network, as float32 arrays of the library."""
    random = np.random.default_rng(0)

    def array(*shape):
        return lib.numpy.asarray(random.normal(size=shape).astype(np.float32))

    params = [(array(WIDTH, WIDTH), array(WIDTH)) for _ in range(LAYERS)]
    return params, array(BATCH, WIDTH), array(BATCH, WIDTH)


def stage_loss(lib):
    args = arguments(lib)
    return lambda: lib.make_jaxpr(network(lib))(*args)


def stage_gradient(lib):
    args = arguments(lib)
    return lambda: lib.make_jaxpr(lib.grad(network(lib)))(*args)


def lower_loss(lib):
    args = arguments(lib)
    return lambda: lib.jit(network(lib)).lower(*args)


def lower_gradient(lib):
    args = arguments(lib)
    return lambda: lib.jit(lib.grad(network(lib))).lower(*args)


def equations(jaxpr):
    """The number of equations at the top of a jaxpr."""
    return len(jaxpr.eqns)


CASES = [
    Program("stage 50-layer MLP", 0.15, stage_loss, equations, 8 * MICROSECOND),
    Program("stage gradient of 50-layer MLP", 0.15, stage_gradient, equations, 8 * MICROSECOND),
    Program("trace and lower 50-layer MLP", 0.15, lower_loss),
    Program("trace and lower gradient of 50-layer MLP", 0.15, lower_gradient),
]
