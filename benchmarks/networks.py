"""Networks of tanh whose derivatives by the inputs are asked: the fields of the high orders."""

from itertools import pairwise

import numpy as np


def parameters(lib, sizes):
    """Weights and biases of layers of these sizes, in float64, as arrays of the library."""
    random = np.random.default_rng(0)
    array = lambda *shape, scale: lib.numpy.asarray(scale * random.normal(size=shape))
    return [(array(m, n, scale=m**-0.5), array(n, scale=0.1)) for m, n in pairwise(sizes)]


def points(lib, *shape):
    """Inputs in a box around 0."""
    return lib.numpy.asarray(np.random.default_rng(1).uniform(-1.0, 1.0, shape))


def network(lib):
    """A function of inputs along the last axis, and parameters."""
    tanh = lib.numpy.tanh

    def apply(x, layers):
        for weight, bias in layers[:-1]:
            x = tanh(x @ weight + bias)
        weight, bias = layers[-1]
        return x @ weight + bias

    return apply


def scalar_network(lib):
    """The network as a scalar function of one point."""
    apply = network(lib)
    return lambda x, layers: apply(x, layers)[0]


def laplacian(lib, f):
    """Of the first argument, as it is written with diffeo."""
    return lib.laplacian(f)


def bilaplacian(lib, f):
    """The Laplacian of the Laplacian, as it is written with diffeo."""
    return lib.bilaplacian(f)


def nested_laplacian(lib, f):
    """The trace of the Hessian, as it is written with jax."""
    return lambda x, *rest: lib.numpy.trace(lib.hessian(f)(x, *rest))


def nested_bilaplacian(lib, f):
    """The Laplacian of the Laplacian, as it is written with jax."""
    return nested_laplacian(lib, nested_laplacian(lib, f))
