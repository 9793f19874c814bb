"""Samplers where numbers are extreme: support, finiteness, distribution, derivatives by bounds."""

from __future__ import annotations

import math

import ml_dtypes
import mpmath
import numpy as np
import pytest
import scipy.stats

import diffeo as dx
from diffeo import random

KEY = random.key(5)
DTYPES = [np.dtype(d) for d in (ml_dtypes.bfloat16, np.float16, np.float32, np.float64)]
INF = math.inf


def kolmogorov(sample: np.ndarray, cdf, grain: float = 0.0) -> float:
    """The p-value; `grain` is the distance of the numbers that there are, which blur the sample."""
    blur = np.random.default_rng(0).uniform(-0.5, 0.5, sample.shape) * grain
    return scipy.stats.kstest(sample + blur, cdf).pvalue


# --------------------------------------------------------------------------------------------------
# The truncated normal distribution

BOUNDS = [(8.0, 9.0), (10.0, INF), (-INF, -10.0), (-9.0, -8.0), (40.0, 41.0), (1e4, INF),
          (3.0, INF), (-INF, INF), (-INF, 3.0), (-1.0, 30.0), (4.5, 4.50001),
          (-2.0, 2.0)]  # fmt: skip


def truncated(low: float, high: float):
    """The distribution function, by ratios of tails."""
    if high <= 0 or low >= 0:
        near, far = (low, high) if low >= 0 else (-high, -low)
        tail = lambda x: scipy.stats.norm.logsf(x) - scipy.stats.norm.logsf(near)
        part = lambda x: np.expm1(tail(x)) / np.expm1(tail(far))
        return part if low >= 0 else lambda x: 1 - part(-x)
    return scipy.stats.truncnorm(low, high).cdf


@pytest.mark.parametrize("low, high", BOUNDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_truncated_normals_have_their_distribution(low, high, dtype):
    draw = lambda k: random.truncated_normal(k, low, high, (20000,), dtype)
    low, high = (float(np.asarray(v, dtype)) for v in (low, high))
    near = min(abs(low), abs(high))
    grain = float(np.finfo(dtype).eps) * near
    coarse = grain > 1e-4 * min(1 / max(near, 1.0), high - low)
    for run in (draw, dx.jit(draw)):
        x = np.asarray(run(KEY)).astype(float)
        assert np.isfinite(x).all() and (x >= low).all() and (x <= high).all()
        if not coarse:
            assert scipy.stats.kstest(x, truncated(low, high)).pvalue > 1e-3
            assert len(np.unique(x)) > 5000


@pytest.mark.parametrize("low, high", BOUNDS)
@pytest.mark.parametrize("dtype", DTYPES[:2])
def test_truncated_normals_of_sixteen_bits_stay_inside(low, high, dtype):
    x = np.asarray(random.truncated_normal(KEY, low, high, (3000,), dtype)).astype(float)
    low, high = (float(np.asarray(v, dtype)) for v in (low, high))
    assert np.isfinite(x).all() and (x >= low).all() and (x <= high).all()
    if low == 3.0 and high == INF:  # what rounding is beside it, is small beside the width
        assert abs(x.mean() - 3.2831) < 0.02


def test_truncated_normals_of_array_bounds_are_those_of_numbers():
    low = np.array([-2.0, 5.0, 9.0, -INF, 3.0, 2.0])
    high = np.array([2.0, 6.0, INF, -9.0, 3.0, 1.0])
    each = dx.vmap(lambda a, b: random.truncated_normal(KEY, a, b))(low, high)
    for i in range(4):
        expected = random.truncated_normal(KEY, float(low[i]), float(high[i]))
        np.testing.assert_allclose(each[i], expected, rtol=1e-14)
    assert each[4] == 3.0 and np.isnan(each[5])
    with pytest.raises(ValueError, match="lower must not exceed upper"):
        random.truncated_normal(KEY, 2.0, 1.0)


@pytest.mark.parametrize("low, high", [b for b in BOUNDS if b[0] != 1e4] + [(1e8, INF)])
def test_derivatives_by_bounds_are_those_of_quantiles(low, high):
    """F(x) = (1 - u) F(low) + u F(high) for a fixed u, at 50 digits."""
    draw = lambda a, b: random.truncated_normal(KEY, a, b, (5,))
    x = np.asarray(draw(low, high))
    with mpmath.workdps(50):
        sign = 1 if low >= 0 else -1
        tail = lambda v: mpmath.erfc(sign * mpmath.mpf(v) / mpmath.sqrt(2)) / 2
        density = lambda v: mpmath.exp(-(mpmath.mpf(v) ** 2) / 2) if abs(v) < INF else mpmath.mpf(0)
        expected = []
        for v in map(float, x):
            u = (tail(v) - tail(low)) / (tail(high) - tail(low))
            pair = ((1 - u) * density(low) / density(v), u * density(high) / density(v))
            expected.append([float(p) for p in pair])
    for run in (dx.jacrev, dx.jacfwd):
        found = np.stack([np.asarray(v) for v in run(draw, (0, 1))(low, high)], -1)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)
    if abs(low) < INF:
        assert np.isfinite(dx.hessian(lambda a: draw(a, high).sum())(low))


# --------------------------------------------------------------------------------------------------
# Uniform numbers


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform_numbers_do_not_reach_the_upper_bound(dtype):
    info = ml_dtypes.finfo(dtype)
    most, eps = float(info.max), float(info.eps)
    ranges = [
        (0, 3),
        (1, 1 + eps),
        (100, 101),
        (0, float(info.tiny)),
        (-most, most),
        (0, most),
        (0.1, 0.7),
        (-3.3, -3.2),
        (-most, -most / 2),
        (0, float(info.smallest_subnormal)),
    ]
    for bounds in ranges:
        arrays = tuple(np.asarray(v, dtype) for v in bounds)
        low, high = (float(v) for v in arrays)
        for given in (bounds, arrays):
            draw = lambda k, given=given: random.uniform(k, (3000,), dtype, *given)
            x = np.asarray(draw(KEY)).astype(float)
            assert (x >= low).all() and (x < high).all(), (bounds, x.min(), x.max())
    x = np.asarray(random.uniform(KEY, (3000,), dtype, -most, most)).astype(float) / most
    assert kolmogorov(x, scipy.stats.uniform(-1, 2).cdf, 2 * eps) > 1e-3
    with pytest.raises(ValueError, match="must be finite"):
        random.uniform(KEY, (), dtype, 0.0, INF)


def test_derivatives_of_uniform_numbers_by_extreme_bounds():
    u = np.asarray(random.uniform(KEY, (9,)))
    draw = lambda a, b: random.uniform(KEY, (9,), None, a, b)
    for low, high in ((-1.5e308, 1.5e308), (1.0, 1.0 + 1e-15), (-3.0, 5.0)):
        found = dx.jacrev(draw, (0, 1))(low, high)
        np.testing.assert_allclose(found, [1 - u, u], atol=1.0 if high - low < 1e-9 else 1e-14)
        np.testing.assert_allclose(np.add(*found), 1.0)


# --------------------------------------------------------------------------------------------------
# Others

LAWS = {
    "normal": scipy.stats.norm,
    "exponential": scipy.stats.expon,
    "gumbel": scipy.stats.gumbel_r,
    "laplace": scipy.stats.laplace,
    "logistic": scipy.stats.logistic,
    "cauchy": scipy.stats.cauchy,
    "uniform": scipy.stats.uniform,
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAWS)
def test_every_sampler_is_finite_and_has_its_distribution_in_every_dtype(name, dtype):
    x = np.asarray(getattr(random, name)(KEY, (20000,), dtype)).astype(float)
    law = LAWS[name]
    low, high = law.support()
    assert np.isfinite(x).all() and (x >= low).all() and (x <= high).all()
    # so many different numbers there are
    grain = 2.0 ** -int(ml_dtypes.finfo(dtype).nmant)
    assert scipy.stats.ks_1samp(x, law.cdf).statistic < 1.5 * grain + 2 / math.sqrt(len(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_categories_are_fair_in_every_dtype(dtype):
    n = 100
    samplers = (
        lambda k: random.categorical(k, np.zeros(n, dtype), shape=(20000,)),
        lambda k: random.choice(k, n, (20000,), p=np.ones(n, dtype) / dtype.type(n)),
    )
    for draw in samplers:
        counts = np.bincount(np.asarray(draw(KEY)), minlength=n)
        assert scipy.stats.chisquare(counts).pvalue > 1e-3
    some = np.array([0.0, -INF, 1.0, -INF], dtype)
    assert set(np.asarray(random.categorical(KEY, some, shape=(500,))).tolist()) == {0, 2}
    first = [random.categorical(k, some, shape=(2,), replace=False) for k in random.split(KEY, 9)]
    assert all(set(np.asarray(d).tolist()) == {0, 2} for d in first)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rare_events_are_rare_in_every_dtype(dtype):
    for p in (0.0, 1e-3, 1e-6, 1.0):
        mean = np.asarray(random.bernoulli(KEY, dtype.type(p), (100000,))).mean()
        assert abs(mean - p) <= 5 * math.sqrt(p * (1 - p) / 1e5) + 1e-9


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64",
                                   "uint64"])  # fmt: skip
def test_integers_of_odd_ranges_are_uniform(dtype):
    info = np.iinfo(dtype)
    least, end = int(info.min), int(info.max) + 1
    ranges = [(least, end), (least, end - 1), (end // 3, end - 1), (0, 3), (end - 5, end),
              (0, 3 * (end // 8)), (least, least + 7), (0, 5 * (end // 16) + 1)]  # fmt: skip
    dynamic = dx.jit(lambda low, high: random.randint(KEY, (4000,), low, high, dtype))
    for low, high in ranges:
        drawn = [random.randint(KEY, (4000,), low, high, dtype)]
        if high < end:
            drawn.append(dynamic(np.asarray(low, dtype), np.asarray(high, dtype)))
        for x in drawn:
            x = [int(v) - low for v in np.asarray(x)]
            assert min(x) >= 0 and max(x) < high - low
            blur = np.random.default_rng(1).uniform(size=len(x))
            part = np.array([(v + b) / (high - low) for v, b in zip(x, blur)])
            assert scipy.stats.kstest(part, "uniform").pvalue > 1e-3, (low, high)
