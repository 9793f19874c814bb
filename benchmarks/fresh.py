"""What a program pays at its start: `python -m benchmarks.fresh LIBRARY JOB` prints seconds.

The process is fresh, so this file imports nothing that the libraries would import themselves.
"""

import importlib
import sys
import time


def import_library(library):
    """`import LIBRARY`."""
    start = time.perf_counter()
    importlib.import_module(library)
    return time.perf_counter() - start


def first_gradient(library):
    """`import LIBRARY`, then the first compiled gradient of a small network, in float32."""
    start = time.perf_counter()
    lib = importlib.import_module(library)
    import numpy as np

    def loss(params, x, y):
        for weight, bias in params:
            x = lib.numpy.tanh(x @ weight + bias)
        return lib.numpy.mean((x - y) ** 2)

    random = np.random.default_rng(0)
    sizes = [(8, 16), (16, 16), (16, 1)]
    params = [
        (random.normal(size=(m, n)).astype(np.float32), np.zeros(n, np.float32)) for m, n in sizes
    ]
    x = random.normal(size=(32, 8)).astype(np.float32)
    y = random.normal(size=(32, 1)).astype(np.float32)
    gradient = lib.jit(lib.grad(loss))(params, x, y)
    np.asarray(gradient[0][0])
    return time.perf_counter() - start


def twenty_operations(library):
    """The first call of 20 different operations, eager, on vectors of five; the import is free."""
    lib = importlib.import_module(library)
    jnp = lib.numpy
    x = jnp.asarray([1.0, 2.0, 3.0, 4.0, 5.0])
    start = time.perf_counter()
    results = [
        x + x,
        x - x,
        x * x,
        x / x,
        -x,
        x > 2.0,
        jnp.sin(x),
        jnp.cos(x),
        jnp.exp(x),
        jnp.log(x),
        jnp.tanh(x),
        jnp.sqrt(x),
        jnp.maximum(x, 2.0),
        jnp.where(x > 3.0, x, 0.0),
        jnp.sum(x),
        jnp.max(x),
        jnp.cumsum(x),
        jnp.reshape(x, (5, 1)),
        jnp.concatenate([x, x]),
        jnp.dot(x, x),
    ]
    for result in results:
        result.block_until_ready()
    return time.perf_counter() - start


JOBS = {job.__name__: job for job in (import_library, first_gradient, twenty_operations)}

if __name__ == "__main__":
    print(JOBS[sys.argv[2]](sys.argv[1]))
