"""Eager work on small arrays, where all of the time is overhead."""

from functools import partial

import numpy as np

from benchmarks import others
from benchmarks.case import Pair, Program

VECTOR = np.arange(1.0, 6.0)

#: Functions of an array, given the module with NumPy's names.
OPERATIONS = {
    "x + x": lambda jnp, x: x + x,
    "sin(x)": lambda jnp, x: jnp.sin(x),
    "x[3]": lambda jnp, x: x[3],
    "sum(x)": lambda jnp, x: jnp.sum(x),
    "x[:, None] * x": lambda jnp, x: x[:, None] * x,
    "dot(x, x)": lambda jnp, x: jnp.dot(x, x),
}


def on_vector(lib, operation):
    """The call on a float64 vector of five."""
    x, jnp = lib.numpy.asarray(VECTOR), lib.numpy
    return lambda: operation(jnp, x)


def on_numpy(lib, operation):
    """The same by NumPy, whatever `lib` is."""
    return lambda: operation(np, VECTOR)


# --------------------------------------------------------------------------------------------------
# Gradients: each a loss (given the module with NumPy's names), its arguments, and those asked for


def layer(jnp, weight, bias, x, y):
    return ((jnp.tanh(x @ weight + bias) - y) ** 2).mean()


def gaussian(jnp, mean, scale, x):
    """A loss of vectors: what a normal distribution says of some numbers."""
    z = (x - mean) / jnp.exp(scale)
    return (0.5 * z * z + scale).sum()


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape)


GRADIENTS = {
    "3 operations": (lambda jnp, x: (jnp.sin(x) * x).sum(), (VECTOR,), (0,)),
    "a layer of an MLP": (
        layer, (numbers(8, 16), numbers(16), numbers(4, 8), numbers(4, 16)), (0, 1)
    ),
    "a loss of vectors": (gaussian, (numbers(10), numbers(10), numbers(10)), (0, 1)),
}  # fmt: skip


def gradient(lib, loss, args, by):
    """The call of the eager gradient."""
    values, jnp = [lib.numpy.asarray(a) for a in args], lib.numpy
    compute = lib.grad(lambda *xs: loss(jnp, *xs), by)
    return lambda: compute(*values)


def beside(package, other):
    """The eager gradients beside another package's."""
    return [
        Pair(
            f"eager gradient of {name} ({package})",
            None,
            partial(gradient, loss=loss, args=args, by=by),
            lambda lib, loss=loss, args=args, by=by: other(loss, args, by),
            needs=package,
        )
        for name, (loss, args, by) in GRADIENTS.items()
    ]


CASES = [
    *[
        Program(f"eager {name}", 0.35, partial(on_vector, operation=operation))
        for name, operation in OPERATIONS.items()
    ],
    *[
        Program(f"eager gradient of {name}", 0.05, partial(gradient, loss=loss, args=args, by=by))
        for name, (loss, args, by) in GRADIENTS.items()
    ],
    *[
        Pair(
            f"eager {name} (NumPy)",
            None,
            partial(on_vector, operation=operation),
            partial(on_numpy, operation=operation),
        )
        for name, operation in OPERATIONS.items()
    ],
    *beside("torch", others.torch_gradient),
    *beside("autograd", others.autograd_gradient),
]
