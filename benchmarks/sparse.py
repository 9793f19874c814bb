"""Sparse Jacobians: of a map with three variables in a row, beside jax's dense one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import ModuleType

import numpy as np

import diffeo
from benchmarks.case import Case, Program, Result
from benchmarks.clock import summary

SMALL, LARGE = 2_000, 100_000


def banded(lib: ModuleType):
    """Each result depends on its variable and the two beside it; a new function object."""

    def residual(x):
        before = lib.numpy.concatenate([x[:1], x[:-1]])
        after = lib.numpy.concatenate([x[1:], x[-1:]])
        return lib.numpy.sin(before) * x - 2.0 * x * x + lib.numpy.exp(after) * x

    return residual


def jacobian(lib: ModuleType):
    """The Jacobian at a point: sparse, ready as a SciPy array, or where there is none, dense."""
    x = lib.numpy.linspace(0.0, 1.0, SMALL)
    if hasattr(lib, "sparse_jacobian"):
        compute = lib.sparse_jacobian(banded(lib))
    else:
        compute = lib.jit(lib.jacfwd(banded(lib)))
    return lambda: compute(x)


@dataclass(frozen=True)
class Whole(Case):
    """All that the first call for a function does: the pattern, the colouring, compilation and
    evaluation.
    """

    runs: int = 7
    hessian: bool = False

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Time the first call of new functions, whose programs are all different."""
        x, samples = np.linspace(0.0, 1.0, LARGE), []
        for k in range(self.runs):
            fun, factor = banded(diffeo), 1.0 + 1e-3 * k + 1e-9 * (time.time_ns() % 10**6)
            loss = lambda x, fun=fun, factor=factor: diffeo.numpy.sum(factor * fun(x) ** 2)
            scaled = lambda x, fun=fun, factor=factor: factor * fun(x)
            make = diffeo.sparse_hessian if self.hessian else diffeo.sparse_jacobian
            compute = make(loss if self.hessian else scaled)
            start = time.perf_counter()
            compute(x)
            samples.append(time.perf_counter() - start)
        return Result(summary(samples))


CASES = [
    Program("banded Jacobian, n = 2000 (jax: dense)", 0.05, jacobian),
    Whole("first sparse Jacobian, n = 10^5", None, limit=1.0),
    Whole("first sparse Hessian, n = 10^5", None, hessian=True, limit=1.0),
]
