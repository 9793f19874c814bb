"""The ways in which a function is evaluated, side by side: eager, jit, vmap, its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import diffeo as dx
from tests.checks import close, rng


def in_all_ways(f: Callable, xs: Sequence[Any], expected: Any, rtol: float = 1e-9) -> None:
    """`f(*xs)` is what is expected, evaluated, compiled, and in rows."""
    close(f(*xs), expected, rtol)
    close(dx.jit(f)(*xs), expected, rtol)
    rows = [np.stack([x, x[::-1] if np.ndim(x) else x]) for x in map(np.asarray, xs)]
    mapped = dx.jit(dx.vmap(f))(*rows)
    for i in range(2):
        row = dx.tree.map(lambda m, i=i: np.asarray(m)[i], mapped)
        close(row, f(*[r[i] for r in rows]), rtol)


def slopes(f: Callable, x: Any, rtol: float = 1e-5) -> None:
    """First and second derivatives of `f` along a direction agree with central differences, and
    reverse mode with forward mode.
    """
    x, direction = np.asarray(x, float), rng(*np.shape(x), seed=5)
    weights = dx.tree.map(lambda v: rng(*v.shape, seed=6), f(x))
    total = lambda x: sum(
        [dx.numpy.sum(w * v) for w, v in zip(dx.tree.leaves(weights), dx.tree.leaves(f(x)))]
    )
    along = lambda t: total(x + t * direction)
    first, second = float(dx.grad(along)(0.0)), float(dx.grad(dx.grad(along))(0.0))
    value, h = lambda t: float(along(t)), 1e-4
    size = 1 + abs(value(0.0))
    np.testing.assert_allclose(first, (value(h) - value(-h)) / (2 * h), rtol, 1e-6 * size)
    differences = (value(h) - 2 * value(0.0) + value(-h)) / h**2
    np.testing.assert_allclose(second, differences, 1e-4, 1e-4 * size)
    np.testing.assert_allclose(float(np.sum(dx.jit(dx.grad(total))(x) * direction)), first, 1e-9)
