"""Special functions at the ends of their range, where a value was chosen in place of a formula, and
for the largest and smallest parameters: values, first and second derivatives, eager and compiled.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
import scipy.special

import diffeo as dx
from diffeo.scipy import special

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

INF = math.inf
mp = mpmath.MPContext()
mp.dps = 60


def both(f: Any, *xs: Any) -> list[float]:
    """Eager and compiled."""
    return [float(run(f)(*xs)) for run in (lambda f: f, dx.jit)]


def second(f: Any, i: int, j: int) -> Any:
    return dx.grad(dx.grad(f, i), j)


@pytest.mark.parametrize("name,sign", [("gammainc", 1.0), ("gammaincc", -1.0)])
def test_second_derivatives_of_incomplete_gamma_at_the_ends(name, sign):
    """By x of x**(a - 1) exp(-x) / gamma(a); by a nothing is left at the ends."""
    f = getattr(special, name)
    by_x = {0.3: -INF, 1.0: -1.0, 1.5: INF, 2.0: 1.0, 2.5: 0.0, 3.0: 0.0, 50.0: 0.0}
    for a, expected in by_x.items():
        assert both(second(f, 1, 1), a, 0.0) == [sign * expected] * 2
        assert both(second(f, 1, 1), a, INF) == [0.0] * 2
        for x in (0.0, INF):
            assert both(second(f, 0, 0), a, x) == [0.0] * 2
        mixed = -INF if a <= 1 else 0.0  # log(x) x**(a - 1)
        assert both(second(f, 0, 1), a, 0.0) == [sign * mixed] * 2
        assert both(second(f, 0, 1), a, INF) == [0.0] * 2
    third = dx.grad(second(f, 1, 1), 1)
    assert both(third, 1.0, 0.0) == [sign * 1.0] * 2
    assert both(third, 2.0, 0.0) == [sign * -2.0] * 2
    assert both(third, 3.0, 0.0) == [sign * 1.0] * 2


@pytest.mark.parametrize("a", [0.3, 1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("b", [0.5, 1.0, 2.5])
@pytest.mark.sampled(2)
def test_second_derivatives_of_incomplete_beta_at_the_ends(a, b):
    """By x at 0: that of x**(a - 1) (1 - x)**(b - 1) / beta(a, b), and mirrored at 1."""

    def at_zero(a: float, b: float) -> float:
        if a < 1 or 1 < a < 2:
            return -INF if a < 1 else INF
        if a == 1:
            return -b * (b - 1)
        return (1 + b) * b if a == 2 else 0.0

    f = special.betainc
    for value in both(second(f, 2, 2), a, b, 0.0):
        np.testing.assert_allclose(value, at_zero(a, b), 1e-14)
    for value in both(second(f, 2, 2), a, b, 1.0):
        np.testing.assert_allclose(value, -at_zero(b, a), 1e-14)
    for x in (0.0, 1.0):
        for i in (0, 1):
            for j in (0, 1, 2):
                for value in both(second(f, i, j), a, b, x):
                    assert not math.isnan(value)


def test_incomplete_beta_of_no_and_of_infinite_parameters():
    ends = [0.0, INF, 2.0]
    points = np.array([(a, b, x) for a in ends for b in ends for x in (0.0, 0.5, 1.0)]).T
    expected = scipy.special.betainc(*points)
    for run in (lambda f: f, dx.jit):
        np.testing.assert_allclose(run(special.betainc)(*points), expected, 1e-14)


@pytest.mark.exhaustive
def test_derivatives_by_a_small_parameter():
    """1 - P(a, x) is gamma(a, x) / gamma(a), continued to a <= 0."""
    points = [(1e-300, 1.0), (1e-10, 1e-300), (0.3, 0.1), (1e-3, 5.0), (0.0, 1.0), (0.0, 1e-5)]
    for a, x in points:
        exact = lambda t, x=x: mp.rgamma(t) * mp.gammainc(t, mp.mpf(x))
        with mp.workdps(90):
            expected = [float(mp.diff(exact, mp.mpf(a), k, h=mp.mpf(10) ** -20)) for k in (1, 2, 3)]
        f: Any = special.gammaincc
        for k in range(3):
            f = dx.grad(f)
            np.testing.assert_allclose(both(f, a, x), expected[k], 1e-12, err_msg=f"{k} {a} {x}")
    for a, x in [(1e-10, 1e-300), (1e-300, 1e-3), (0.3, 0.5), (0.49, 0.99)]:
        upper = float(mp.gammainc(mp.mpf(a), mp.mpf(x), regularized=True))
        np.testing.assert_allclose(both(special.gammaincc, a, x), upper, 1e-12)


@pytest.mark.parametrize("exponent", [5, 10, 14, 16, 20, 25, 50, 100, 200, 300, 307])
def test_large_parameters(exponent):
    """Near a, gamma's distribution is the normal one with the skewness 2 / sqrt(a); eager and
    compiled agree, also far out.
    """
    a = 10.0**exponent
    for z in (-20.0, -3.0, 0.0, 1.0, 6.0):
        x = a + z * math.sqrt(a)
        t = (x - a) / math.sqrt(a)
        for name, side in (("gammainc", 1.0), ("gammaincc", -1.0)):
            eager, compiled = both(getattr(special, name), a, x)
            np.testing.assert_allclose(eager, compiled, 1e-12)
            if abs(z) < 4:
                density = math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
                skewed = side * density * (1 - t * t) / (3 * math.sqrt(a))
                limit = 0.5 * math.erfc(-side * t / math.sqrt(2)) + skewed
                np.testing.assert_allclose(eager, limit, {5: 1e-3, 10: 1e-8}.get(exponent, 1e-9))
    if exponent < 150:
        for b in (a, 2 * a, a * a):
            eager, compiled = both(special.betainc, a, b, a / (a + b))
            np.testing.assert_allclose(eager, compiled, 1e-12)
    np.testing.assert_allclose(both(special.betainc, a, a, 0.5), 0.5, 1e-13)


def beta_integral(a: float, b: float, x: float) -> float:
    """The lower tail, by quadrature over 40 standard deviations."""
    a, b, x = map(mp.mpf, (a, b, x))
    width = 40 * mp.sqrt(a * b / (a + b) ** 3)
    scale = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    density = lambda t: mp.exp((a - 1) * mp.log(t) + (b - 1) * mp.log1p(-t) - scale)
    return float(mp.quad(density, [x - width * (1 - k / mp.mpf(20)) for k in range(21)]))


def test_large_parameters_of_beta_by_quadrature():
    for a, b, x in [(1e5, 2e5, 1 / 3), (1e8, 2e8, 0.3332333333333333), (1e16, 2e16, 1 / 3)]:
        found = both(special.betainc, a, b, x)
        np.testing.assert_allclose(found, beta_integral(a, b, x), 1e-12)


# --------------------------------------------------------------------------------------------------
# Values that stand in place of a formula


def test_pochhammers_symbol():
    for z in (2.5, 0.7, -1.3):
        for run in (lambda f: f, dx.jit):
            slope = run(dx.grad(special.poch, 1))(z, 0.0)
            np.testing.assert_allclose(slope, float(mp.digamma(z)), 1e-13)
            curve = run(second(special.poch, 1, 1))(z, 0.0)
            exact = mp.digamma(z) ** 2 + mp.polygamma(1, z)
            np.testing.assert_allclose(curve, float(exact), 1e-12)
            assert float(run(dx.grad(special.poch, 0))(z, 0.0)) == 0.0
    z = np.array([-3.0, -3, -3, -3, 0, -3, 0.5, 2.5, 2.0, -2.5, -2.5, 5.0])
    m = np.array([2.0, 0.5, 4, -1, 0, 0, -0.5, -2.5, -3, 1.0, 7.0, 2.0])
    for run in (lambda f: f, dx.jit):
        found = run(special.poch)(z, m)
        np.testing.assert_allclose(found, scipy.special.poch(z, m), 1e-13)


def test_beta_where_poles_cancel():
    a = np.array([-3.0, -3, -3, 2, -3.5, -2.5, -2.5, -1.5, -2])
    b = np.array([2.0, 3, 4, -3, 2, 0.5, 1.5, -0.5, -2])
    for run in (lambda f: f, dx.jit):
        for name in ("beta", "betaln"):
            expected = getattr(scipy.special, name)(a, b)
            np.testing.assert_allclose(run(getattr(special, name))(a, b), expected, 1e-12)
    exact = lambda a, b: mp.gamma(a) * mp.gamma(b) * mp.rgamma(a + b)
    for x, y, i in [(-3.0, 2.0, 0), (2.0, -3.0, 1), (-3.5, 2.0, 1), (-2.5, 0.5, 0), (0.7, -2.7, 1)]:
        moved = lambda t, x=x, y=y, i=i: exact(*((t, mp.mpf(y)) if i == 0 else (mp.mpf(x), t)))
        place = mp.mpf((x, y)[i]) + mp.mpf(10) ** -30
        for k, f in ((1, dx.grad(special.beta, i)), (2, second(special.beta, i, i))):
            expected = float(mp.diff(moved, place, k))
            np.testing.assert_allclose(both(f, x, y), expected, 1e-11)


def test_boxcox_at_the_ends():
    for x in (0.0, 1.0, INF):
        for power in (0.5, 0.0, -1.0):
            expected = scipy.special.boxcox(x, power)
            np.testing.assert_allclose(both(special.boxcox, x, power), expected, 1e-15)
    assert both(dx.grad(special.boxcox, 1), 0.0, 0.5) == [4.0, 4.0]  # of -1 / lambda


ACTIVATIONS = ["gelu", "silu", "mish", "softplus", "log_sigmoid", "soft_sign", "squareplus", "elu"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_the_largest_numbers(name, dtype):
    """As of moderate ones, with whose results they have become their asymptotes."""
    f = getattr(dx.nn, name)
    largest = float(ml_dtypes.finfo(np.dtype(dtype)).max)
    x = dx.numpy.array([largest / 4, -largest / 4], dtype)
    left = {"log_sigmoid": x[1], "soft_sign": -1.0, "elu": -1.0}.get(name, 0.0)
    right = {"log_sigmoid": 0.0, "soft_sign": 1.0}.get(name, x[0])
    slope = dx.grad(lambda x: dx.numpy.sum(f(x).astype("float32")))
    for run in (lambda f: f, dx.jit):
        found = np.asarray(run(f)(x), np.float64)
        np.testing.assert_allclose(found, [float(right), float(left)], 1e-2, 1e-4)
        slopes = np.asarray(run(slope)(x), np.float64)
        expected = [0.0, 1.0] if name == "log_sigmoid" else [1.0, 0.0]
        expected = [0.0, 0.0] if name == "soft_sign" else expected
        np.testing.assert_allclose(slopes, expected, 0, 1e-6)
    if name in ("gelu", "elu", "softplus"):
        assert abs(float(f(dx.numpy.array(-INF, dtype))) - float(left)) == 0.0


@pytest.mark.parametrize("dtype,scale", [("float16", 1e4), ("bfloat16", 1e15)])
def test_lengths_and_deviations_whose_squares_are_too_large(dtype, scale):
    x = dx.numpy.array([3.0, -4.0, 0.0], dtype) * scale
    functions = {
        5.0: [dx.numpy.linalg.norm, lambda x: dx.numpy.linalg.norm(x.reshape(1, 3))],
        np.std([3.0, -4.0, 0.0]): [dx.numpy.std, lambda x: dx.numpy.std(x, 0)],
    }
    for expected, fs in functions.items():
        for f in fs:
            for found in both(f, x):
                np.testing.assert_allclose(found / scale, expected, 1e-2)
    slope = dx.grad(lambda x: dx.numpy.linalg.norm(x).astype("float32"))(x)
    np.testing.assert_allclose(np.asarray(slope, np.float64), [0.6, -0.8, 0.0], 1e-2)
    for run in (lambda f: f, dx.jit):
        spread = np.asarray(run(dx.nn.standardize)(x), np.float64)
        np.testing.assert_allclose(spread.std(), 1.0, 1e-2)
