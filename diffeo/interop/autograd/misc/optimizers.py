"""Optimisers of trees by their gradients: sgd, rmsprop, adam.

`grad(x, i)` returns the gradient at step `i`; `callback(x, i, gradient)` is called at each step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .flatten import flatten

Step = Callable[[Any, Any, int], tuple[Any, Any]]


def _run(
    grad: Callable, x0: Any, callback: Callable | None, num_iters: int, state: Any, step: Step
) -> Any:
    """Apply `step(state, gradient, i)`, which returns (how far to go, state), again and again."""
    x, unflatten = flatten(x0)
    state = state(len(x))
    for i in range(num_iters):
        g = flatten(grad(unflatten(x), i))[0]
        if callback:
            callback(unflatten(x), i, unflatten(g))
        moved, state = step(state, g, i)
        x = x + moved
    return unflatten(x)


def sgd(
    grad: Callable,
    x0: Any,
    callback: Callable | None = None,
    num_iters: int = 200,
    step_size: float = 0.1,
    mass: float = 0.9,
) -> Any:
    """Minimise by stochastic gradient descent with momentum.

    Args:
        grad: the gradient, a function of (x, step).
        x0: where to start, a tree of arrays.
        callback: a function of (x, step, gradient).
        num_iters: the number of steps.
        step_size: the factor of the velocity in a step.
        mass: how much of the velocity stays.

    Examples:
        >>> from diffeo.interop.autograd.misc.optimizers import sgd
        >>> print(round(float(sgd(lambda x, i: 2 * (x - 3.0), 0.0)), 3))
        3.0
    """

    def step(velocity: Any, g: Any, i: int) -> tuple:
        velocity = mass * velocity - (1.0 - mass) * g
        return step_size * velocity, velocity

    return _run(grad, x0, callback, num_iters, np.zeros, step)


def rmsprop(
    grad: Callable,
    x0: Any,
    callback: Callable | None = None,
    num_iters: int = 100,
    step_size: float = 0.1,
    gamma: float = 0.9,
    eps: float = 1e-8,
) -> Any:
    """Minimise by steps along the gradient, each number of it divided by its root mean square.

    Args:
        grad: the gradient, a function of (x, step).
        x0: where to start, a tree of arrays.
        callback: a function of (x, step, gradient).
        num_iters: the number of steps.
        step_size: the length of a step.
        gamma: how much of the mean square stays.
        eps: what is added to the root.
    """

    def step(mean: Any, g: Any, i: int) -> tuple:
        mean = mean * gamma + g**2 * (1 - gamma)
        return -step_size * g / (np.sqrt(mean) + eps), mean

    return _run(grad, x0, callback, num_iters, np.ones, step)


def adam(
    grad: Callable,
    x0: Any,
    callback: Callable | None = None,
    num_iters: int = 100,
    step_size: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> Any:
    """Minimise by Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015).

    Args:
        grad: the gradient, a function of (x, step).
        x0: where to start, a tree of arrays.
        callback: a function of (x, step, gradient).
        num_iters: the number of steps.
        step_size: the length of a step.
        b1: how much of the mean of gradients stays.
        b2: how much of the mean of their squares stays.
        eps: what is added to the root.
    """

    def step(means: Any, g: Any, i: int) -> tuple:
        first, second = (1 - b1) * g + b1 * means[0], (1 - b2) * g**2 + b2 * means[1]
        m, v = first / (1 - b1 ** (i + 1)), second / (1 - b2 ** (i + 1))
        return -step_size * m / (np.sqrt(v) + eps), (first, second)

    return _run(grad, x0, callback, num_iters, lambda n: (np.zeros(n), np.zeros(n)), step)
