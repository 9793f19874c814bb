"""Training steps of networks that solve differential equations: the value and the gradient of the
mean square of the residual at 256 points, and a step of Adam.

Derivatives by the inputs are taken in each library's usual way: here by `derivatives` and
`laplacian`, with jax by `grad` of `grad` and traces of Hessians.
"""

import math
from functools import partial

from benchmarks.case import GeometricMean, Pair
from benchmarks.networks import (
    bilaplacian,
    laplacian,
    nested_bilaplacian,
    nested_laplacian,
    parameters,
    points,
    scalar_network,
)

POINTS = 256


def training_step(residual, dimension, lib):
    """The step is one compiled program; each call feeds the next, and returns the loss."""
    tree, sqrt = lib.tree, lib.numpy.sqrt
    x = points(lib, POINTS, dimension)
    at_all = lib.vmap(residual(lib, scalar_network(lib)), (0, None))
    loss = lambda layers: lib.numpy.mean(at_all(x, layers) ** 2)

    def step(layers, means, squares):
        value, gradient = lib.value_and_grad(loss)(layers)
        means = tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradient)
        squares = tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, squares, gradient)
        move = lambda p, m, s: p - 1e-5 * m / (sqrt(s) + 1e-8)
        return value, tree.map(move, layers, means, squares), means, squares

    layers = parameters(lib, (dimension, 64, 64, 64, 64, 1))
    zeros = tree.map(lib.numpy.zeros_like, layers)
    state = layers, zeros, zeros
    compiled = lib.jit(step)

    def call():
        nonlocal state
        value, *state = compiled(*state)
        return value

    for _ in range(2):  # then the comparison sees gradients and steps, too
        call()
    return call


# --------------------------------------------------------------------------------------------------
# Residuals: functions of one point and the parameters


def poisson(operator, lib, u):
    delta = operator(lib, u)
    return lambda x, layers: delta(x, layers) + lib.numpy.sum(lib.numpy.sin(math.pi * x))


def plate(operator, lib, u):
    """Kirchhoff's: the bending of a plate under a load."""
    delta = operator(lib, u)
    return lambda x, layers: delta(x, layers) - lib.numpy.prod(lib.numpy.sin(math.pi * x))


def in_time(order, lib, u):
    """u_t + u u_x, and derivatives of u by x of the orders 2 to `order`, by Taylor series."""

    def terms(point, layers):
        t, x = point
        at = lambda t, x: u(lib.numpy.stack([t, x]), layers)
        value, *slopes = lib.derivatives(lambda x: at(t, x), x, order)
        return lib.grad(at)(t, x) + value * slopes[0], slopes[1:]

    return terms


def in_time_nested(order, lib, u):
    """The same by nested gradients."""

    def terms(point, layers):
        t, x = point
        at = lambda t, x: u(lib.numpy.stack([t, x]), layers)
        slopes, derivative = [], at
        for _ in range(order):
            derivative = lib.grad(derivative, 1)
            slopes.append(derivative(t, x))
        return lib.grad(at)(t, x) + at(t, x) * slopes[0], slopes[1:]

    return terms


def korteweg_de_vries(derivatives, lib, u):
    terms = derivatives(3, lib, u)

    def residual(point, layers):
        transport, (_, third) = terms(point, layers)
        return transport + third

    return residual


def kuramoto_sivashinsky(derivatives, lib, u):
    terms = derivatives(4, lib, u)

    def residual(point, layers):
        transport, (second, _, fourth) = terms(point, layers)
        return transport + second + fourth

    return residual


# --------------------------------------------------------------------------------------------------


def step(name, dimension, equation, mine, theirs):
    """A step in both ways of taking its derivatives."""
    ways = [partial(training_step, partial(equation, way), dimension) for way in (mine, theirs)]
    return Pair(f"PINN step: {name}", 0.5, *ways)


STEPS = (
    step("Poisson, d=10", 10, poisson, laplacian, nested_laplacian),
    step("Korteweg-de Vries", 2, korteweg_de_vries, in_time, in_time_nested),
    step("Kuramoto-Sivashinsky", 2, kuramoto_sivashinsky, in_time, in_time_nested),
    step("Kirchhoff plate, d=2", 2, plate, bilaplacian, nested_bilaplacian),
)
CASES = [*STEPS, GeometricMean("PINN step: geometric mean", 0.5, STEPS)]
