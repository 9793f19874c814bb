"""Random programs over the whole language: chains of samples, under every pair of transformations.

A step is a differentiable sample of `tests/samples.py`: the state, a vector, moves its operands a
little away from the sample's, and what moves in its results becomes the next state. So a new
primitive takes part as soon as it has a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import diffeo as dx
from diffeo.primitives.words import dot, elementwise, structural
from tests.laws import close, differences, function_of, host, value
from tests.samples import SAMPLES, Sample
from tests.transformations import (
    ALL,
    Jit,
    Jvp,
    Taylor,
    Vmap,
    check_pair,
    directions,
    weighted_sum,
)

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

#: The length of the state, and how far a state of ones moves the operands of a step.
WIDTH, REACH = 3, 0.01
WIDE = (np.dtype(np.float64), np.dtype(np.complex128))


def usable(sample: Sample) -> bool:
    """Differentiable, in wide dtypes, and with anything in it."""
    moved = [sample.args[i] for i in sample.by]
    return sample.differentiable and all([a.dtype in WIDE and a.size for a in moved])


STEPS = [s for s in SAMPLES if usable(s)]


@cache
def weights(size: int, seed: int) -> Any:
    """A random matrix from the state to `size` numbers."""
    return value(np.random.default_rng(seed).uniform(-1, 1, (size, WIDTH)))


def moved_by(state: Any, point: np.ndarray, seed: int) -> Any:
    """The operand `point`, moved by the state."""
    parts = [
        structural.reshape(
            dot.dot_general(weights(point.size, seed + k), state, ((1,), (0,))), point.shape
        )
        * REACH
        for k in range(2)
    ]
    step = elementwise.complex_.bind(*parts) if point.dtype.kind == "c" else parts[0]
    return value(point) + step


def run_step(number: int, state: Any, error: float = 0.0) -> Any:
    """One step of a program; its result is of order 1 where the sample moves like its operands.

    The moved operands are multiplied by 1 + `error`.
    """
    sample = STEPS[number]
    points = [sample.args[i] for i in sample.by]
    fun = function_of(sample, sample.by)
    moved = [moved_by(state, p, 100 * number + 2 * k) for k, p in enumerate(points)]
    outs = fun(*[x * (1.0 + error) for x in moved] if error else moved)
    total = state
    for k, (out, start) in enumerate(zip(outs, fun(*map(value, points)))):
        change = structural.reshape((out - start) * (1 / REACH), (out.size,))
        if change.dtype.kind == "c":
            change = elementwise.real.bind(change) + elementwise.imag.bind(change)
        if change.dtype in WIDE and out.size:
            mixed = dot.dot_general(change, weights(out.size, number + 7 * k), ((0,), (0,)))
            total = total + mixed * (1 / out.size)
    return elementwise.sin.bind(total)


def program_of(numbers: Sequence[int]) -> Callable[[Any], list[Any]]:
    """A function from a state to a state that runs the steps one after the other."""

    def fun(state: Any) -> list[Any]:
        for number in numbers:
            state = run_step(number, state)
        return [state]

    fun.__name__ = "_".join([STEPS[n].primitive.name for n in numbers])
    return fun


STATE = np.array([0.4, -0.7, 0.9])


def smooth(fun: Callable) -> bool:
    """Whether differences over two distances agree: no kink is near, nor a pole."""
    values = lambda x: [host(o) for o in fun(value(x))]
    vs = directions([STATE])
    near = differences(values, [STATE], vs)[0]
    far = differences(values, [STATE], [3.0 * v for v in vs])[0] / 3.0
    return bool(np.all(np.isfinite(near)) and np.allclose(near, far, 1e-6, 1e-6))


def steady(numbers: Sequence[int]) -> bool:
    """Whether roundings of operands, 1e-15 of them, move the result by less than 1e-11.

    Compiled and eager operands differ by so much. A large operand of a steep function fails.
    """
    plain = moved = value(STATE)
    for number in numbers:
        plain, moved = run_step(number, plain), run_step(number, moved, 1e-9)
    return bool(np.allclose(host(plain), host(moved), 0.0, 1e-5))


programs = st.lists(st.integers(0, len(STEPS) - 1), min_size=2, max_size=4)


@settings(max_examples=50)
@given(programs)
def test_all_transformations_agree(numbers: list):
    fun = program_of(numbers)
    assume(smooth(fun) and steady(numbers))
    for kind in (Jit, Vmap, Jvp, Taylor):
        transformed, xs = kind.apply(fun, [STATE])
        kind.check(list(transformed(*map(value, xs))), fun, xs)
    # Reverse mode against forward mode, and both orders of the second derivative.
    total = lambda x: weighted_sum(fun)(x)
    [v] = directions([STATE])
    gradient = dx.grad(total)
    forward = lambda x: dx.jvp(total, (x,), (value(v),))[1]
    along = np.sum(host(gradient(value(STATE))) * v)
    np.testing.assert_allclose(along, host(forward(value(STATE))), 1e-9, 1e-9)
    curvature = dx.jvp(gradient, (value(STATE),), (value(v),))[1]
    scale = 1e-7 * max(1.0, float(np.max(np.abs(host(curvature)))))
    close(curvature, dx.grad(forward)(value(STATE)), 1e-7, scale)


@settings(max_examples=30)
@given(programs, st.sampled_from(ALL), st.sampled_from(ALL))
def test_pairs(numbers: list, outer: Any, inner: Any):
    fun = program_of(numbers)
    assume(smooth(fun) and steady(numbers))
    check_pair(outer, inner, fun, [STATE])


def test_every_differentiable_primitive_takes_part():
    """No primitive is left out because none of its samples can be a step."""
    named = lambda samples: {s.primitive.name for s in samples}
    assert named([s for s in SAMPLES if s.differentiable]) == named(STEPS)
