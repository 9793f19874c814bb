"""Steady state: one step of gradient descent for a network of 784-512-512-10, in float32."""

from itertools import pairwise

import numpy as np

from benchmarks.case import Program, wait

SIZES = (784, 512, 512, 10)
BATCH = 256


def training_step(lib):
    """The step is one compiled program; each call waits for it and feeds the next."""
    jnp = lib.numpy

    def loss(params, x, y):
        for weight, bias in params[:-1]:
            x = lib.nn.relu(x @ weight + bias)
        weight, bias = params[-1]
        return -jnp.mean(jnp.sum(lib.nn.log_softmax(x @ weight + bias) * y, axis=1))

    def step(params, x, y):
        value, gradient = lib.value_and_grad(loss)(params, x, y)
        return value, lib.tree.map(lambda p, g: p - 1e-3 * g, params, gradient)

    random = np.random.default_rng(0)

    def array(*shape, scale=1.0):
        return jnp.asarray((scale * random.normal(size=shape)).astype(np.float32))

    params = [(array(m, n, scale=m**-0.5), array(n, scale=0.0)) for m, n in pairwise(SIZES)]
    x = array(BATCH, SIZES[0])
    y = jnp.asarray(np.eye(SIZES[-1], dtype=np.float32)[random.integers(0, SIZES[-1], BATCH)])
    compiled = lib.jit(step)

    def call():
        nonlocal params
        value, params = compiled(params, x, y)
        wait(lib, params)
        return value

    return call


CASES = [Program("training step, 784-512-512-10, batch 256", 1.05, training_step)]
