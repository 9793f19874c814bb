"""A place that is computed is the same compiled: no rounding takes another element, in the value
or in the derivative.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp

METHODS = [
    "linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf", "averaged_inverted_cdf",
    "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased",
    "normal_unbiased",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [7, pytest.param(101, marks=pytest.mark.exhaustive)])
@pytest.mark.sampled(2)
def test_quantiles_at_the_borders_of_places(method, n):
    x = np.random.default_rng(n).permutation(n) * 3.0
    k = np.arange(n + 1.0)
    q = np.concatenate([np.arange(0, 1001, 50) / 1000, k / n, np.minimum(k + 0.5, n) / n])
    want = np.quantile(x, q, method=method)
    ways = {
        "eager": lambda f: f(x, q),
        "compiled": lambda f: dx.jit(f)(x, q),
        "known q": lambda f: dx.jit(lambda x: f(x, q))(x),
        "mapped": lambda f: dx.jit(dx.vmap(f, in_axes=(None, 0)))(x, q),
    }
    quantile = lambda x, q: dnp.quantile(x, q, method=method)
    for f in (quantile, lambda x, q: dnp.nanquantile(x, q, method=method)):
        for name, way in ways.items():
            np.testing.assert_allclose(way(f), want, rtol=1e-13, atol=1e-12, err_msg=name)
    slopes = [way(dx.jacrev(quantile)) for name, way in ways.items() if name != "mapped"]
    np.testing.assert_allclose(slopes[0] @ x, want, rtol=1e-12, atol=1e-11)
    for other in slopes[1:]:
        np.testing.assert_allclose(other, slopes[0], atol=1e-12)
    want = np.percentile(x, q * 100, method=method)
    f = lambda x, p: dnp.percentile(x, p, method=method)
    for got in (f(x, q * 100), dx.jit(f)(x, q * 100), dx.jit(lambda x: f(x, q * 100))(x)):
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize(
    "low, high, bins",
    [
        (0.0, 1.0, 7),
        *[
            pytest.param(low, high, bins, marks=pytest.mark.exhaustive)
            for low, high in [(0.0, 1.0), (-3.3, 7.7), (0.1, 0.7)]
            for bins in (1, 7, 49)
        ],
    ],
)
def test_histograms_of_numbers_at_edges(low, high, bins):
    rng = np.random.default_rng(bins)
    edges = np.linspace(low, high, bins + 1)
    ends = np.nextafter(edges, [[-9e9], [9e9]]).ravel()
    a = np.concatenate([edges, ends, rng.uniform(low, high, 200)])
    w = rng.random(a.size)
    for span in (None, (low, high)):
        want, weighed = (np.histogram(a, bins, span, weights=v)[0] for v in (None, w))
        f = lambda a, w, span=span: (
            dnp.histogram(a, bins, span),
            dnp.histogram(a, bins, span, weights=w)[0],
            dx.vjp(lambda w: dnp.histogram(a, bins, span, weights=w)[0], w)[0],
            dnp.histogram(a, bins, span, density=True)[0],
        )
        for got in (f(dnp.asarray(a), dnp.asarray(w)), dx.jit(f)(a, w)):
            np.testing.assert_array_equal(got[0][0], want)
            np.testing.assert_array_equal(got[0][1], np.histogram_bin_edges(a, bins, span))
            np.testing.assert_allclose(got[1], weighed, rtol=1e-12)
            np.testing.assert_allclose(got[2], weighed, rtol=1e-12)
            np.testing.assert_allclose(got[3], np.histogram(a, bins, span, density=True)[0])


@pytest.mark.parametrize("start, stop, num", [(0.1, 0.7, 11), (-2.0, 1e3, 100), (1.0, 3.3, 7)])
def test_lines_are_those_of_numpy(start, stop, num):
    want = np.linspace(start, stop, num)
    for f in (lambda a, b: dnp.linspace(a, b, num), dx.jit(lambda a, b: dnp.linspace(a, b, num))):
        np.testing.assert_array_equal(f(np.float64(start), np.float64(stop)), want)
    assert float(dx.grad(lambda a: dnp.linspace(a, a, 3).sum())(2.0)) == 3.0
    want = np.geomspace([start + 3, 1.0], stop, num, axis=1)
    f = lambda a, b: dnp.geomspace(a, b, num, axis=1)
    for got in (f(dnp.array([start + 3, 1.0]), stop), dx.jit(f)(np.array([start + 3, 1.0]), stop)):
        np.testing.assert_allclose(got, want, rtol=1e-13)
        np.testing.assert_array_equal(got[:, -1], want[:, -1])


def test_counts():
    x, w = np.random.default_rng(0).integers(0, 50, 1000), np.linspace(0, 1, 1000)
    for dtype in ("int64", "uint8", "int8"):
        f = lambda x, w: (dnp.bincount(x, length=60), dnp.bincount(x, w, length=60))
        for got in (f(dnp.asarray(x.astype(dtype)), dnp.asarray(w)), dx.jit(f)(x.astype(dtype), w)):
            np.testing.assert_array_equal(got[0], np.bincount(x, minlength=60))
            np.testing.assert_allclose(got[1], np.bincount(x, w, 60), rtol=1e-13)
    np.testing.assert_array_equal(dnp.bincount(x), np.bincount(x))
    points = np.random.default_rng(1).random((300, 2))
    f = lambda p: dnp.histogram2d(p[:, 0], p[:, 1], [4, np.array([0.0, 0.5, 1.0])])
    want = np.histogram2d(points[:, 0], points[:, 1], [4, [0.0, 0.5, 1.0]])
    for got in (f(dnp.asarray(points)), dx.jit(f)(points)):
        for v, w in zip(got, want):
            np.testing.assert_allclose(v, w, rtol=1e-14)


POINTS = np.array([-np.inf, -2, -1, -0.5, 0, 0.25, 1, 1.5, 2, 3, np.inf, np.nan])
INF, NAN = np.inf, np.nan


@pytest.mark.parametrize("xp, fp", [
    ([0.0, 1, 2], [0, 1, 5]), ([0.0, 1, 2], [0, INF, 1]), ([0.0, 1, 2], [-INF, 2, INF]),
    ([0.0, 1, 2], [INF, INF, 0]), ([0.0, 1, 2], [NAN, 1, 2]), ([-INF, 0, 1], [3, 4, 5]),
    ([0, 1, INF], [3, 4, 4]), ([-1.0, 0, 1, 2], [2, -INF, 0, 1]), ([0.0], [7]),
    ([0.0, 1, 2], [1j, 2, 3 + 1j]),
], ids=repr)  # fmt: skip
@pytest.mark.parametrize("ends", [(None, None), (7.0, 8.0)])
def test_interpolation_beside_infinite_values(xp, fp, ends):
    fp = np.asarray(fp, complex if any([isinstance(v, complex) for v in fp]) else float)
    want = np.interp(POINTS, xp, fp, *ends)
    f = lambda x, xp, fp: dnp.interp(x, xp, fp, *ends)
    for g in (f, dx.jit(f), dx.vmap(f, in_axes=(0, None, None))):
        got = g(dnp.asarray(POINTS), dnp.array(xp), dnp.asarray(fp))
        np.testing.assert_allclose(got, want, rtol=1e-14)


def test_derivatives_of_interpolation_beside_infinite_values():
    f = lambda x: dnp.interp(x, np.array([0.0, 1, 2, 3]), np.array([0.0, 3, 4, np.inf]))
    for g in (dx.grad(f), dx.jit(dx.grad(f))):
        assert [float(g(x)) for x in (0.5, 1.0, 1.5)] == [3.0, 1.0, 1.0]
        assert np.isfinite(float(g(2.0)))
    line = lambda fp: dnp.interp(np.array([0.5, 1.0, 2.0]), np.array([0.0, 1, 2]), fp)
    np.testing.assert_array_equal(
        dx.jacrev(line)(np.array([0.0, 1, 5])), [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]
    )
