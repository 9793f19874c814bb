"""The twelve programs that are traced, lowered, compiled and run beside jax."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks import learning, science


@dataclass(frozen=True)
class Workload:
    """A program: `function(lib)` is a new function object, `make(random)` its arguments.

    The results of both libraries may differ by `rtol` of the largest.
    """

    name: str
    function: Callable[[ModuleType], Callable[..., Any]]
    make: Callable[[np.random.Generator], tuple]
    rtol: float = 1e-8

    def arguments(self, lib: ModuleType) -> tuple:
        """The arguments as arrays of the library."""
        return lib.tree.map(lib.numpy.asarray, self.make(np.random.default_rng(0)))


SINGLE = 1e-4

WORKLOADS = (
    Workload("MLP", learning.mlp, learning.mlp_arguments, SINGLE),
    Workload("CNN", learning.cnn, learning.cnn_arguments, SINGLE),
    Workload("transformer", learning.transformer, learning.transformer_arguments, SINGLE),
    Workload("LSTM", learning.lstm, learning.lstm_arguments, SINGLE),
    Workload("GMM", science.gmm, science.gmm_arguments),
    Workload("bundle adjustment", science.bundle_adjustment, science.bundle_arguments),
    Workload("n-body", science.n_body, science.n_body_arguments),
    Workload("heat equation", science.heat, science.heat_arguments),
    Workload("ODE, Runge-Kutta", science.lorenz, science.lorenz_arguments),
    Workload("FFT Poisson", science.poisson, science.poisson_arguments),
    Workload("Black-Scholes greeks", science.greeks, science.greeks_arguments),
    Workload("logistic Hessian", science.logistic, science.logistic_arguments),
)
