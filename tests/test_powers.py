"""Powers: exponents of any size, of every dtype, in every mode; derivatives of every order."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import diffeo as dx
from tests.checks import close

dnp = dx.numpy
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

INTEGERS = [np.dtype(f"{k}{n}") for k in "iu" for n in (1, 2, 4, 8)]


def bases(dtype):
    info, rng = np.iinfo(dtype), np.random.default_rng(0)
    small = np.arange(max(-4, info.min), 5)
    return np.array(
        [*small, info.min, info.max, *rng.integers(info.min, info.max, 9, dtype)], dtype
    )


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_wrap_around_as_numpys(dtype):
    info, f = np.iinfo(dtype), lambda x, y: x**y
    exponents = [*range(0, 12), 31, 32, 33, *range(62, 72), 100, 127, info.max - 1, info.max]
    x, y = (v.ravel() for v in np.meshgrid(bases(dtype), np.array(exponents, dtype)))
    expected = x**y
    for found in (
        f(dnp.asarray(x), dnp.asarray(y)),
        dx.jit(f)(x, y),
        dx.vmap(f)(x, y),
        dx.jit(dx.vmap(f))(x, y),
        dx.jit(dnp.power)(x, y),
    ):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)
    x, static = bases(dtype), (0, 1, 2, 7, 31, 33, 63, 64, 65, 70, 127, int(info.max))
    expected = [x**n for n in static]
    for found in (
        [dnp.asarray(x) ** n for n in static],
        dx.jit(lambda x: [x**n for n in static])(x),
        [dx.lax.integer_pow(dnp.asarray(x), n) for n in static],
    ):
        for a, b in zip(found, expected, strict=True):
            assert a.dtype == dtype
            np.testing.assert_array_equal(a, b)


def test_powers_of_two():
    y = np.array([0, 1, 62, 63, 64, 70, 2**40])
    for f in (lambda y: 2**y, dx.jit(lambda y: 2**y), dx.vmap(lambda y: 2**y)):
        np.testing.assert_array_equal(f(dnp.asarray(y)), 2**y)
    assert int(dnp.array(3) ** 70) == int(dx.jit(lambda x: x**70)(3)) == int(np.array(3) ** 70)
    assert float(dnp.array(3.0) ** 70) == 3.0**70 and int(dnp.array(0) ** 64) == 0
    assert dx.jit(lambda y: dnp.array([2, 3], np.int8) ** y)(np.int8(3)).dtype == np.int8
    for pair in (([True, False], [True, True]), ([True, False], [False, False])):
        x, y = map(np.array, pair)
        found = dx.jit(dnp.power)(x, y)
        assert found.dtype == dnp.power(x, y).dtype == np.int8
        np.testing.assert_array_equal(found, np.power(x, y))


def test_negative_exponents_of_integers_are_refused_where_they_are_known():
    x = dnp.array([1, 2])
    wrong = [
        lambda: x**-1, lambda: 2 ** dnp.array(-1), lambda: dnp.power(2, -1), lambda: x**-x,
        lambda: dx.jit(lambda x: x**-1)(x), lambda: dx.vmap(lambda x: x**-3)(x),
        lambda: dx.jit(lambda x: x ** np.array([1, -2]))(x),
        lambda: dx.jit(lambda x: x ** dnp.array([1, -2]))(x),
        lambda: dnp.array([True]) ** -1, lambda: dx.jit(lambda x: x**-1)(np.array([True])),
    ]  # fmt: skip
    for call in wrong:
        with pytest.raises(ValueError, match="Integers to negative integer powers are not allowed"):
            call()
    with pytest.raises(OverflowError, match="300 does not fit into uint8"):
        dnp.array([1, 2], np.uint8) ** 300
    close(x**-1.0, np.array([1.0, 0.5]))
    close(x.astype(float) ** -1, np.array([1.0, 0.5]))


@pytest.mark.parametrize("dtype", [d for d in INTEGERS if d.kind == "i"], ids=str)
def test_unknown_negative_exponents_give_the_quotient(dtype):
    info = np.iinfo(dtype)
    x, y = np.array([0, 1, -1, 2, -3, info.min], dtype), np.array([-1, -2, -7, info.min], dtype)
    found = dx.jit(lambda x, y: x[:, None] ** y)(x, y)
    for i, a in enumerate(x.tolist()):
        for j, b in enumerate(y.tolist()):
            expected = 0 if a == 0 else math.trunc(Fraction(1, a ** (-b if b > -99 else 98)))
            assert int(found[i, j]) == expected


FLOATS = [np.dtype(d) for d in ("float16", ml_dtypes.bfloat16, "float32", "float64")]


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_floats_lose_few_digits(dtype):
    rng, mpmath.mp.dps = np.random.default_rng(0), 40
    info = ml_dtypes.finfo(dtype)
    eps, largest = float(info.eps), 0.9 * math.log(float(info.max))
    exponents = [2, 3, 5, 16, 31, 32, 33, 64, 70, 100, 511, 1025, -1, -2, -7, -32, -33, -64]
    xs = []
    for n in exponents:
        span = min(largest / abs(n), 1.0)
        xs.append((np.exp(rng.uniform(-span, span, 20)) * rng.choice([-1, 1], 20)).astype(dtype))
    eager = [dnp.asarray(x) ** n for x, n in zip(xs, exponents)]
    compiled = dx.jit(lambda xs: [x**n for x, n in zip(xs, exponents)])(xs)
    floats = dx.jit(lambda xs: [x ** float(n) for x, n in zip(xs, exponents)])(xs)
    for x, n, *found in zip(xs, exponents, eager, compiled, floats):
        for out in found:
            assert out.dtype == dtype
            for a, b in zip(np.asarray(x, float).tolist(), np.asarray(out, float).tolist()):
                exact = mpmath.mpf(a) ** n
                assert abs(b - exact) <= 12 * eps * abs(exact), (a, n, b)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 32, 33, 64, 65, 1024, 1025, -1, -2, -33, -34])
def test_special_numbers(n):
    x = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -3.0, 0.75, np.inf, -np.inf, np.nan])
    expected = x**n
    for found in (
        dnp.asarray(x) ** n,
        dx.jit(lambda x: x**n)(x),
        dx.jit(lambda x: x ** float(n))(x),
        dx.jit(lambda x, y: x**y)(x, float(n)),
        dx.jit(lambda x, y: x**y)(x, n),
    ):
        np.testing.assert_allclose(found, expected, 1e-15)
        assert np.array_equal(np.signbit(found)[:-1], np.signbit(expected)[:-1])


@given(n=st.integers(-80, 80), x=st.floats(0.5, 2.0), negative=st.booleans())
def test_derivatives_are_falling_factorials(n, x, negative):
    x = -x if negative else x
    expected, factor = [], 1.0
    for k in range(5):
        expected.append(factor * x ** (n - k))
        factor *= n - k
    np.testing.assert_allclose(
        [float(d) for d in dx.derivatives(lambda x: x**n, x, 4)], expected, 1e-12
    )
    np.testing.assert_allclose(float(dx.grad(lambda x: x ** float(n))(x)), expected[1], 1e-13)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 31, 32, 33, 34, 64, 1024, 1025, 2000])
def test_derivatives_at_zero(n):
    expected = [float(math.factorial(n)) if k == n else 0.0 for k in range(4)]
    for f in (lambda x: x**n, lambda x: x ** float(n)):
        assert [float(d) for d in dx.derivatives(f, 0.0, 3)] == expected
        assert float(dx.jit(dx.grad(f))(0.0)) == expected[1]
        with dx.config.separate_derivatives():
            assert float(dx.grad(dx.grad(f))(0.0)) == expected[2]
    if n <= 64:
        y = dnp.asarray(n)  # an array of integers has no derivative, and is none of a program
        assert float(dx.jit(dx.grad(lambda x, y: x**y))(0.0, y)) == expected[1]
