"""Sums, products and quotients are compiled as they are written: the same bits as in eager mode.

XLA makes one operation of two where real numbers allow it: x / y / z becomes x / (y z), which is 0
or nan where y z overflows, and (x + 1e16) - 1e16 becomes x.
"""

from __future__ import annotations

import functools

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo as dx

dnp = dx.numpy
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

SUMS = {
    "x + c": lambda x, y, c: x + c, "c + x": lambda x, y, c: c + x, "x - c": lambda x, y, c: x - c,
    "c - x": lambda x, y, c: c - x, "x + y": lambda x, y, c: x + y, "y - x": lambda x, y, c: y - x,
    "-x": lambda x, y, c: -x, "abs x": lambda x, y, c: abs(x),
}  # fmt: skip
#: Without x / c, which is x * (1 / c): see docs/simplifier.md.
PRODUCTS = {
    "x * c": lambda x, y, c: x * c, "c * x": lambda x, y, c: c * x, "x * y": lambda x, y, c: x * y,
    "x / y": lambda x, y, c: x / y, "y / x": lambda x, y, c: y / x, "c / x": lambda x, y, c: c / x,
    "-x": lambda x, y, c: -x, "abs x": lambda x, y, c: abs(x), "1 / x": lambda x, y, c: x**-1,
}  # fmt: skip
CONSTANTS = [0.0, -0.0, 0.1, 0.7, -3.0, 1e16, -1e16, 1e200, 1e-200]


def applied(steps, table, x, y, constants=CONSTANTS):
    """The numbers on the way."""
    return functools.reduce(
        lambda found, step: [*found, table[step[0]](found[-1], y, constants[step[1]])], steps, [x]
    )


def check(steps, table, dtype):
    info, rng = ml_dtypes.finfo(dtype), np.random.default_rng(0)
    size = float(min(info.maxexp, 700)) * 0.6
    scales = 2.0 ** rng.uniform(-size, size, (2, 200)) * rng.choice([-1, 1], (2, 200))
    x, y = np.concatenate([scales, rng.uniform(0.5, 2, (2, 200))], axis=1).astype(dtype)
    constants = [float(np.clip(c, -float(info.max), float(info.max))) for c in CONSTANTS]
    constants = [c if c == 0 or abs(c) > float(info.tiny) else 0.5 for c in constants]
    with np.errstate(all="ignore"):
        eager = [
            np.asarray(v) for v in applied(steps, table, dnp.asarray(x), dnp.asarray(y), constants)
        ]
    found = np.asarray(dx.jit(lambda x, y: applied(steps, table, x, y, constants)[-1])(x, y))
    below = [(v != 0) & (abs(v) < 2 * info.tiny) for v in eager]  # which are compiled as zeros
    usual = ~np.any(below, axis=0)
    a, b = (np.asarray(v[usual], np.float64) for v in (found, eager[-1]))
    np.testing.assert_array_equal(a, b)
    assert np.array_equal(np.signbit(a) | (a != a), np.signbit(b) | (b != b))


def chains(table):
    return st.lists(st.tuples(st.sampled_from([*table]), st.integers(0, 8)), min_size=2, max_size=4)


@settings(max_examples=40)
@given(steps=chains(SUMS), dtype=st.sampled_from([np.float64, np.float32]))
def test_sums_round_as_often_as_they_say(steps, dtype):
    check(steps, SUMS, np.dtype(dtype))


@settings(max_examples=40)
@given(steps=chains(PRODUCTS), dtype=st.sampled_from([np.float64, np.float32]))
def test_products_and_quotients_are_those_that_were_written(steps, dtype):
    check(steps, PRODUCTS, np.dtype(dtype))


def test_numbers_beyond_the_range_on_the_way():
    w = np.array([1e200, -1e200])
    programs = [
        (lambda w: 1e300 / w / w * 1e100, [1.0, 1.0]), (lambda w: w / (w / w), w),
        (lambda w: w / w / (w / w), [1.0, 1.0]), (lambda w: (w / 1e300) / w / w, w * 0),
        (lambda w: w * 1e-200 * 1e-200 * 1e200, [1.0, -1.0]),
        (lambda w: w * 1e200 * 1e-300, [np.inf, -np.inf]),
        (lambda w: (w / w + 1e16) - 1e16, [0.0, 0.0]),
        (lambda w: dx.vmap(lambda v: 1e300 / v / v)(w) * 1e100, [1.0, 1.0]),
    ]  # fmt: skip
    for f, expected in programs:
        np.testing.assert_allclose(dx.jit(f)(w), expected, 1e-15)
        np.testing.assert_allclose(f(dnp.asarray(w)), expected, 1e-15)
    gradient = dx.jit(dx.grad(lambda y: 1e300 / y))(1e200)
    np.testing.assert_allclose(gradient, -1e-100, 1e-15)


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float32", "float64"])
def test_signs_of_zeros(dtype):
    x = np.array([-0.0, 0.0, 1.5, -2.0, np.inf, -np.inf, np.nan], dtype)
    programs = [
        lambda x: x + 0.0, lambda x: 0.0 + x, lambda x: x - -0.0, lambda x: x + -0.0,
        lambda x: x - 0.0, lambda x: 0.0 - x, lambda x: -0.0 - x, lambda x: x + 0, lambda x: 0 - x,
        lambda x: sum([x]), lambda x: x + dnp.zeros_like(x), lambda x: x * 0.0, lambda x: x * -1.0,
        lambda x: np.sign(x), lambda x: -x + 0.0, lambda x: 0.0 - -x, lambda x: abs(x) * -1.0,
        lambda x: dnp.sqrt(x), lambda x: x / 2.0, lambda x: x**3, lambda x: x + 0.0 + 0.0,
    ]  # fmt: skip
    compiled = dx.jit(lambda x: [f(x) for f in programs])(x)
    for f, found in zip(programs, compiled, strict=True):
        a, b = (np.asarray(v, np.float64) for v in (found, f(dnp.asarray(x))))
        np.testing.assert_array_equal(a, b)
        assert np.array_equal(np.signbit(a) | (a != a), np.signbit(b) | (b != b))


UNARY = (
    "abs acosh asin atanh cbrt cosh digamma erf erf_inv erfc exp2 expm1 lgamma log log1p logistic "
    "neg reciprocal round rsqrt sign sinh sqrt square tan tanh bessel_i0e bessel_i1e"
)
BINARY = "add atan2 div max min mul nextafter pow rem sub igamma igammac"


@pytest.mark.parametrize("name", (UNARY + " " + BINARY).split())
@pytest.mark.sampled(2)
def test_operations_that_are_written_again_take_their_own_operands(name: str):
    """Lines of StableHLO are kept for operands of the same types: constants among the operands may
    be the ones that the lines read as well, and operands may be equal.
    """
    f = getattr(dx.lax, name)

    def program(x, y):
        for number in (0.0, 0.5, 1.0):
            c = dx.numpy.full(x.shape, number)
            if name in UNARY.split():
                yield from (f(c), f(x), f(c), f(y))
            else:
                yield from (f(c, x), f(y, x), f(c, c), f(x, y), f(x, c), f(x, x), f(y, c))

    x, y = np.random.default_rng(0).uniform(0.2, 0.9, (2, 3))
    run = lambda x, y: tuple(program(x, y))
    for result, expected in zip(dx.jit(run)(x, y), run(x, y), strict=True):
        np.testing.assert_allclose(result, expected, 1e-9)
