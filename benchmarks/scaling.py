"""How cost grows with the number of equations, of nested gradients, of orders, of steps, of loops.

A line for each size, both libraries in turn as far as jax is asked; the last is how time grows:
the exponent of a power of the size, or the factor by which each level multiplies it.
"""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.case import Case, Line, Result
from benchmarks.clock import Timing, batch_timer, interleave, single, wait
from benchmarks.loops import by_scan


def exponent(sizes: list[int], times: list[float]) -> float:
    """The power of the size that fits best."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def factor(levels: list[int], times: list[float]) -> float:
    """What each level multiplies the time by, as fits best."""
    return math.exp(np.polyfit(levels, np.log(times), 1)[0])


@dataclass(frozen=True)
class Growth(Case):
    """The time of `build(lib, size)` for some sizes, for jax up to the size `most`.

    The case's own line is the largest size of both; `growth` is what may be `fitted` at most.
    """

    build: Callable[[ModuleType, int], Callable[[], Any]]
    sizes: tuple[int, ...]
    most: int
    fitted: float | None
    growth: Callable[[list[int], list[float]], float] = exponent

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Time each size, both libraries in turn."""
        sides: list[list[Timing]] = []
        for size in self.sizes:
            libs = (ours, theirs) if size <= self.most else (ours,)
            timers = tuple([batch_timer(lib, self.build(lib, size)) for lib in libs])
            sides.append(interleave(timers, budget=1.0, rounds=(3, 100)))
        lines = [Line(f"{size:,}", *found) for size, found in zip(self.sizes, sides)]
        both = [found for found in sides if len(found) == 2]
        mine = self.fit([found[0] for found in sides])
        other = self.fit([found[1] for found in both])
        fitted = "factor for each" if self.growth is factor else "exponent"
        lines.append(Line(fitted, mine, other, limit=self.fitted, unit=""))
        return Result(*both[-1], tuple(lines))

    def fit(self, timings: list[Timing]) -> Timing | None:
        """The growth of the best times."""
        if len(timings) < 2:
            return None
        return single(self.growth(list(self.sizes[: len(timings)]), [t.best for t in timings]))


# --------------------------------------------------------------------------------------------------


def chain(lib, count):
    """A loss of about `count` operations, one after the other; a new function object."""
    sin = lib.numpy.sin

    def loss(x, y):
        for _ in range(count // 2):
            x = sin(x) * y
        return x.sum()

    return loss


def vectors(lib):
    return lib.numpy.linspace(0.0, 1.0, 4), lib.numpy.linspace(0.5, 0.9, 4)


def stage(lib, count):
    args = vectors(lib)
    return lambda: lib.make_jaxpr(chain(lib, count))(*args)


def stage_gradient(lib, count):
    args = vectors(lib)
    return lambda: lib.make_jaxpr(lib.grad(chain(lib, count // 4)))(*args)


def lower(lib, count):
    args = vectors(lib)
    return lambda: lib.jit(chain(lib, count)).lower(*args)


_different = itertools.count(1)


def compile_(lib, count):
    """No two programs are quite equal, so none is found among those that were compiled before."""
    args = vectors(lib)

    def call():
        scale = 1.0 + 1e-9 * next(_different)
        fun = chain(lib, count)
        return lib.jit(lambda x, y: scale * fun(x, y)).lower(*args).compile()

    return call


def nested(lib, depth):
    """Gradients of gradients along a direction, of a function of a vector."""
    x, direction = vectors(lib)

    def deeper(fun):
        return lambda x: lib.numpy.sum(lib.grad(fun)(x) * direction)

    def call():
        fun = lambda x: lib.numpy.sum(lib.numpy.tanh(lib.numpy.sin(x) * x))
        for _ in range(depth):
            fun = deeper(fun)
        return lib.make_jaxpr(fun)(x)

    return call


def taylor(lib, order):
    """All derivatives up to an order, staged: beside `jax.experimental.jet`."""
    ours = lib.__name__ == "diffeo"
    jet = lib.jet if ours else importlib.import_module("jax.experimental.jet").jet

    def call():
        fun = lambda x: lib.numpy.tanh(lib.numpy.sin(x) * x)
        series = [1.0] + [0.0] * (order - 1)
        return lib.make_jaxpr(lambda x: jet(fun, (x,), (series,)))(0.7)

    return call


def steps(lib, count):
    """The compiled gradient of a scan of small steps."""
    compiled = lib.jit(lib.grad(lambda p: by_scan(lib, p, count, 4)))
    point = lib.numpy.asarray(np.array([9.81, 0.1]))
    return lambda: wait(lib, compiled(point))


def loops(lib, depth):
    """The gradient of loops in loops, staged."""
    x, y = vectors(lib)

    def around(body):
        return lambda x: lib.lax.scan(lambda x, _: (body(x), None), x, None, 3)[0]

    def call():
        body = lambda x: lib.numpy.sin(x) * y
        for _ in range(depth):
            body = around(body)
        return lib.make_jaxpr(lib.grad(lambda x: body(x).sum()))(x)

    return call


powers = lambda low, high: tuple([10**k for k in range(low, high + 1)])
CASES = [
    Growth("stage 10^2 to 10^5 equations", 0.12, stage, powers(2, 5), 10**4, 1.1),
    Growth("stage gradient, 10^2 to 10^5", 0.12, stage_gradient, powers(2, 5), 10**4, 1.1),
    Growth("trace and lower 10^2 to 10^5 equations", 0.1, lower, powers(2, 5), 10**4, 1.1),
    Growth("compile 10^2 to 10^3 equations", None, compile_, (100, 300, 1000), 1000, None),
    Growth("stage 1 to 6 nested gradients", None, nested, (1, 2, 3, 4, 5, 6), 6, None, factor),
    Growth("stage Taylor series, order 4 to 64 (jet)", None, taylor, (4, 8, 16, 32, 64), 16, 2.0),
    Growth("gradient of 10 to 10^6 steps", 1.1, steps, powers(1, 6), 10**6, 1.1),
    Growth("stage gradient of 1 to 5 loops", 0.12, loops, (1, 2, 3, 4, 5), 5, None, factor),
]
