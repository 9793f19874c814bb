"""Derivatives of high order: in our own way beside nested transformations, `jax.experimental.jet`,
and folx where it is installed.
"""

import importlib
import itertools
from dataclasses import dataclass
from functools import partial

from benchmarks import pinn
from benchmarks.case import Case, Pair, Program, Result
from benchmarks.clock import Timing, batch_timer, interleave
from benchmarks.networks import (
    bilaplacian,
    laplacian,
    nested_bilaplacian,
    nested_laplacian,
    network,
    parameters,
    points,
    scalar_network,
)

_different = itertools.count(1)


def wave(lib, factor=1.0):
    """A function of one number, as a new function object."""
    return lambda x: factor * lib.numpy.tanh(lib.numpy.sin(x) * x)


def nested(lib, fun, order):
    """The derivative of an order by as many `grad`s."""
    for _ in range(order):
        fun = lib.grad(fun)
    return fun


MANY = 1000


def staged(lib, order):
    """Nested derivatives, which we stage as one Taylor pass."""
    return lambda: lib.make_jaxpr(nested(lib, wave(lib), order))(0.7)


def from_nothing(lib, order):
    """Trace, lower, compile and run, at one point; no two programs are quite equal."""
    different = lambda: wave(lib, 1.0 + 1e-12 * next(_different))
    return lambda: lib.jit(nested(lib, different(), order))(0.7)


def at_points(lib, order, count=MANY):
    compiled = lib.jit(lib.vmap(nested(lib, wave(lib), order)))
    x = points(lib, count)
    return lambda: compiled(x)


@dataclass(frozen=True)
class Within(Case):
    """Our own time, which has a limit in seconds."""

    order: int

    def measure(self, ours, theirs):
        """Time one side."""
        return Result(*interleave((batch_timer(ours, staged(ours, self.order)),), budget=2.0))


@dataclass(frozen=True)
class Growth(Case):
    """Our own time at an order beside four times that at half of it."""

    order: int
    count: int = MANY

    def measure(self, ours, theirs):
        """Time both orders in turn."""
        orders = self.order, self.order // 2
        timers = tuple([batch_timer(ours, at_points(ours, n, self.count)) for n in orders])
        whole, half = interleave(timers, budget=2.0)
        return Result(whole, Timing(4 * half.best, 4 * half.median))


# --------------------------------------------------------------------------------------------------
# Taylor mode of a network

TERMS = 6


def jet_of_network(lib, jet):
    """The derivatives of a network along a line in its inputs, as a function of the point and the
    direction, and its arguments.
    """
    layers, x = parameters(lib, (16, 128, 128, 128, 1)), points(lib, 64, 16)
    apply = network(lib)
    zero = lib.numpy.zeros_like(x)

    def derivatives(x, direction):
        series = [direction] + [zero] * (TERMS - 1)
        return jet(lambda x: apply(x, layers), (x,), (series,))

    return derivatives, (x, 0.5 - x)


def jets(lib):
    """The function `jet` of a library."""
    if lib.__name__ == "diffeo":
        return lib.jet
    return importlib.import_module("jax.experimental.jet").jet


def stage_jet(lib):
    jet = jets(lib)

    def call():
        derivatives, args = jet_of_network(lib, jet)
        return lib.make_jaxpr(derivatives)(*args)

    return call


def run_jet(lib):
    derivatives, args = jet_of_network(lib, jets(lib))
    compiled = lib.jit(derivatives)
    return lambda: compiled(*args)


# --------------------------------------------------------------------------------------------------
# The Laplacian and its square


def folx(lib, f):
    forward = importlib.import_module("folx").forward_laplacian
    return lambda x, layers: forward(lambda x: f(x, layers))(x).laplacian


@dataclass(frozen=True)
class Field:
    """A batch of points of a space, and a network on it."""

    dimension: int
    width: int
    batch: int

    def build(self, operator, gradient, lib):
        """The operator at all points; or the gradient, by the parameters, of its mean square."""
        layers = parameters(lib, (self.dimension, *[self.width] * 4, 1))
        x = points(lib, self.batch, self.dimension)
        at_all = lib.vmap(operator(lib, scalar_network(lib)), (0, None))
        square = lambda layers: lib.numpy.mean(at_all(x, layers) ** 2)
        compiled = lib.jit(lib.grad(square) if gradient else partial(at_all, x))
        return lambda: compiled(layers)


def on_field(name, field, mine, others):
    """An operator, and the gradient of its mean square, beside each of some others, of which the
    target is said, and what stands in its way.
    """
    return [
        Pair(
            f"{'gradient of ' * gradient}{name}, d={field.dimension} ({other})",
            target,
            partial(field.build, mine, gradient),
            partial(field.build, operator, gradient),
            cause=cause,
            needs="folx" if other == "folx" else "",
        )
        for gradient in (False, True)
        for other, (operator, target, cause) in others.items()
    ]


LAPLACIANS = {
    "Hessian": (
        nested_laplacian,
        0.5,
        "d + 2 products with each matrix stand against 2 d + 2: 0.55 for d = 10, 0.50 for 100",
    ),
    "folx": (folx, 1.0, "folx pushes the same d + 2 arrays through each layer"),
}
BIHARMONICS = {
    "nested": (
        nested_bilaplacian,
        0.2,
        "(d + 2)**2 arrays go through each layer, those of mixed derivatives twice, as either "
        "Laplacian makes them",
    ),
}

CASES = [
    Pair(
        "8th derivative, from nothing",
        0.01,
        partial(from_nothing, order=8),
        partial(from_nothing, order=8),
        runs=3,
        cause="jax's own takes 1.3 s with jaxlib 0.12, 4 s with 0.10.2",
    ),
    Pair(
        "8th derivative, 1000 points",
        0.05,
        partial(at_points, order=8),
        partial(at_points, order=8),
        cause="jax's own takes 0.1 ms with jaxlib 0.12, 40 ms or more with 0.10.2",
    ),
    Within("32nd derivative, stage", None, 32, limit=0.1),
    *[Growth(f"order {n}, 1000 points (4 x order {n // 2})", 1.0, n) for n in (16, 32)],
    # Of several points, XLA fuses some thousand operations so that it computes exponentially many
    # of them again: on the processor from about order 44 on, where one call takes minutes.
    Growth("order 64, one point (4 x order 32)", 1.0, 64, 1),
    Program("jet of an MLP, order 6, stage", 1.0, stage_jet),
    Pair("jet of an MLP, order 6", 1.0, run_jet, run_jet),
    *on_field("Laplacian", Field(10, 64, 64), laplacian, LAPLACIANS),
    *on_field("Laplacian", Field(100, 256, 64), laplacian, LAPLACIANS),
    *on_field("biharmonic", Field(5, 64, 32), bilaplacian, BIHARMONICS),
    *pinn.CASES,
]
