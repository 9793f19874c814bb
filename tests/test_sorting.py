"""Order against NumPy and jax: sort, top_k, search, sets, quantiles; also of many elements."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

import diffeo as dx
import diffeo.numpy as dnp
from diffeo import lax

ODD = np.array([3.0, np.nan, -0.0, 0.0, np.inf, -np.inf, 3.0, -np.nan, 1.0, -1.0])


@pytest.fixture(scope="module", autouse=True)
def _wide():
    with jax.enable_x64(True):
        yield


def _both(f, *args):
    """Eager and compiled results."""
    return f(*map(dnp.asarray, args)), dx.jit(f)(*args)


def _numbers(dtype, shape, seed=0):
    """Numbers with equal ones among them, and with nan where the dtype has it."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    x = rng.integers(0 if kind in "ub" else -9, 10, shape)
    if kind in "iub":
        return x.astype(dtype)
    x = x.astype(np.float64) / 2
    x[rng.random(shape) < 0.1] = np.nan
    x[rng.random(shape) < 0.1] = -0.0
    if kind != "c":
        return x.astype(dtype)
    y = _numbers("float64", shape, seed + 1)
    z = np.empty(shape, dtype)
    z.real, z.imag = x, y
    return z


@pytest.mark.parametrize(
    "dtype",
    [
        "float64",
        "float32",
        "float16",
        "complex128",
        "int64",
        "int32",
        "int8",
        "uint64",
        "uint8",
        "bool",
    ],
)
@pytest.mark.parametrize("shape, axis", [((7,), 0), ((3, 5), 0), ((60, 80), 1), ((5000,), 0)])
@pytest.mark.sampled(2)
def test_sort_and_argsort(dtype, shape, axis):
    x = _numbers(dtype, shape)
    for out in _both(lambda x: dnp.sort(x, axis), x):
        np.testing.assert_array_equal(out, np.sort(x, axis))
    for out in _both(lambda x: dnp.argsort(x, axis), x):
        np.testing.assert_array_equal(out, np.argsort(x, axis, kind="stable"))
    down = np.flip(x.shape[axis] - 1 - np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
    for out in _both(lambda x: dnp.argsort(x, axis, descending=True), x):
        np.testing.assert_array_equal(out, down)


@pytest.mark.parametrize("shape", [(6,), (5000,), (70, 80)])
def test_sort_of_several(shape):
    first, second = _numbers("int8", shape), _numbers("float64", shape)
    axis = len(shape) - 1
    order = np.lexsort((second, first), axis)
    places = np.broadcast_to(np.arange(shape[-1]), shape)
    for outs in _both(lambda a, b, c: lax.sort([a, b, c], num_keys=2), first, second, places):
        for out, x in zip(outs, (first, second, places)):
            np.testing.assert_array_equal(out, np.take_along_axis(x, order, axis))
    for out in _both(lambda a, b: dnp.lexsort((b, a)), first, second):
        np.testing.assert_array_equal(out, order)
    key = np.argsort(second, axis, kind="stable")
    for outs in _both(lambda a, b: lax.sort_key_val(b, a), first, second):
        np.testing.assert_array_equal(outs[1], np.take_along_axis(first, key, axis))


def test_complex_order_is_that_of_numpy():
    parts = [1.0, 2.0, np.nan, -np.inf]
    z = np.array([complex(a, b) for a, b in itertools.product(parts, parts)] * 2)[::-1]
    for out in _both(dnp.sort, z):
        np.testing.assert_array_equal(out, np.sort(z))
    for out in _both(dnp.argsort, z):
        np.testing.assert_array_equal(out, np.argsort(z, kind="stable"))
    assert dnp.sort_complex(dnp.array([2, 1])).dtype == np.complex128


@pytest.mark.parametrize("n", [6, 5000])
def test_derivative_of_sorting(n):
    rng = np.random.default_rng(1)
    x, y, t, s = rng.standard_normal((4, n))
    order = np.argsort(x)
    outs, tangents = dx.jit(lambda *a: dx.jvp(lambda x, y: lax.sort([x, y]), a[:2], a[2:]))(
        x, y, t, s
    )
    np.testing.assert_array_equal(outs[1], y[order])
    np.testing.assert_array_equal(tangents[0], t[order])
    np.testing.assert_array_equal(tangents[1], s[order])
    back = dx.jit(lambda x, ct: dx.vjp(dnp.sort, x)[1](ct))(x, t)
    expected = np.empty(n)
    expected[order] = t
    np.testing.assert_array_equal(np.asarray(back).reshape(n), expected)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int32", "int16", "uint8"])
@pytest.mark.parametrize("k", [0, 1, 3, 30, 40])
def test_top_k(dtype, k):
    x = _numbers(dtype, (3, 40))
    reverse = np.argsort(x[:, ::-1], 1, kind="stable")
    order = (39 - reverse[:, ::-1])[:, :k]
    for values, places in _both(lambda x: lax.top_k(x, k), x):
        np.testing.assert_array_equal(places, order)
        np.testing.assert_array_equal(values, np.take_along_axis(x, order, 1))
        assert values.dtype == dtype and places.dtype == np.int32
    for _, places in _both(lambda x: lax.top_k(x.T, k, axis=0), x):
        np.testing.assert_array_equal(places, order.T)


def test_top_k_derivative_and_approximations():
    x = np.random.default_rng(0).standard_normal((3, 40))
    f = lambda x: (lax.top_k(x, 3)[0] ** 2).sum()
    want = np.where(x >= np.sort(x, 1)[:, -3:-2], 2 * x, 0)
    for got in _both(dx.grad(f), x):
        np.testing.assert_allclose(got, want)
    for got in _both(dx.grad(lambda x: f(x.astype(dnp.float32)).astype(float)), x):
        np.testing.assert_allclose(got, want, rtol=1e-6)
    for (low, i), (high, j) in zip(
        _both(lambda x: lax.approx_min_k(x, 2), x), _both(lambda x: lax.approx_max_k(x, 2), x)
    ):
        np.testing.assert_array_equal(low, np.sort(x, 1)[:, :2])
        np.testing.assert_array_equal(i, np.argsort(x, 1)[:, :2])
        np.testing.assert_array_equal(high, np.sort(x, 1)[:, :-3:-1])
        assert j.dtype == np.int32
    with pytest.raises(ValueError, match="k=41"):
        lax.top_k(x, 41)
    with pytest.raises(ValueError, match="recall_target"):
        lax.approx_max_k(x, 1, recall_target=0.0)
    with pytest.raises(TypeError, match="top_k: expects real"):
        lax.top_k(x + 1j, 1)
    with pytest.raises(TypeError, match="approx_max_k"):
        lax.approx_max_k(np.arange(3), 1)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("method", ["scan", "scan_unrolled", "sort", "compare_all"])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 64])
def test_searchsorted(side, method, n):
    a = np.sort(_numbers("float64", (n,)))
    v = np.concatenate([_numbers("float64", (20,), 5), ODD]).reshape(5, 6)
    f = lambda a, v: dnp.searchsorted(a, v, side, method=method)
    for out in _both(f, a, v):
        np.testing.assert_array_equal(out, np.searchsorted(a, v, side))
        assert out.dtype == np.int64
    np.testing.assert_array_equal(dx.vmap(lambda v: f(a, v))(v), np.searchsorted(a, v, side))
    ints = np.sort(_numbers("int8", (n,)))
    np.testing.assert_array_equal(dx.jit(f)(ints, np.int8(3)), np.searchsorted(ints, 3, side))


def test_searchsorted_options():
    a = np.array([3.0, 1.0, 2.0])
    for out in _both(lambda a: dnp.searchsorted(a, 2.5, sorter=dnp.argsort(a)), a):
        assert out == 2
    for bins in ([1, 2, 4], [4, 2, 1]):
        for right in (False, True):
            x = np.array([0.0, 1, 2, 3, 4, 5])
            want = np.digitize(x, bins, right)
            for out in _both(
                lambda x, b, right=right: dnp.digitize(x, b, right), x, np.array(bins)
            ):
                np.testing.assert_array_equal(out, want)
    for bad in ({"side": "up"}, {"method": "guess"}):
        with pytest.raises(ValueError, match="must be one of"):
            dnp.searchsorted(a, 1.0, **bad)
    with pytest.raises(ValueError, match="needs a sorted vector"):
        dnp.searchsorted(np.zeros((2, 2)), 1.0)


def test_partition():
    x = _numbers("float64", (4, 9))
    for k in (0, 4, -1):
        for out in _both(lambda x, k=k: dnp.partition(x, k), x):
            np.testing.assert_array_equal(out[:, k], np.sort(x)[:, k])
    for name in ("partition", "argpartition"):
        with pytest.raises(ValueError, match="kth=9 is out of bounds"):
            getattr(dnp, name)(x, 9)


# ------------------------------------------------------------------------------------------------
# Sets

elements = hnp.arrays(
    np.float64,
    st.sampled_from([1, 6]),
    elements=st.sampled_from([0.0, 1.0, 2.0, 2.5, -1.0, np.nan]),
)
sizes = st.sampled_from([(2, 7.0), (8, None)])  # few, as each is compiled


@given(elements, sizes, st.booleans())
@settings(max_examples=30, deadline=None)
def test_unique_of_a_size(x, size_and_fill, equal_nan):
    size, fill = size_and_fill
    keywords = {
        "return_index": True,
        "return_inverse": True,
        "return_counts": True,
        "equal_nan": equal_nan,
    }
    want = np.unique(x, **keywords)
    for got in (
        dnp.unique(dnp.asarray(x), size=size, fill_value=fill, **keywords),
        dx.jit(lambda x: dnp.unique(x, size=size, fill_value=fill, **keywords))(x),
    ):
        n = min(size, len(want[0]))
        np.testing.assert_array_equal(got[0][:n], want[0][:n])
        np.testing.assert_array_equal(got[0][n:], want[0][0] if fill is None else fill)
        np.testing.assert_array_equal(got[1][:n], want[1][:n])
        np.testing.assert_array_equal(got[2], want[2])
        np.testing.assert_array_equal(got[3][:n], want[3][:n])
        np.testing.assert_array_equal(got[3][n:], 0)


def test_unique_along_an_axis():
    x = np.array([[1, 2, 1], [0, 3, 0], [1, 2, 1]])
    for axis in (0, 1):
        want = np.unique(x, True, True, True, axis)
        got = dx.jit(lambda x, axis=axis: dnp.unique(x, True, True, True, axis, size=2))(x)
        for a, b in zip(got, want):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(dnp.unique(dnp.asarray(x), axis=axis), want[0])
    z = np.array([1 + 1j, 1 + 0j, 1 + 1j])
    np.testing.assert_array_equal(dx.jit(lambda z: dnp.unique(z, size=2))(z), np.unique(z))
    assert [p.shape for p in dnp.unique_all(dnp.asarray(x))] == [(4,), (4,), (3, 3), (4,)]
    assert dnp.unique_counts(dnp.array([2, 2])).counts[0] == 2
    assert dnp.unique_inverse(dnp.array([5, 2])).inverse_indices[0] == 1
    with pytest.raises(ValueError, match="fill_value"):
        dnp.unique(dnp.zeros(0), size=2)
    assert list(dnp.unique(dnp.zeros(0), size=2, fill_value=3.0)) == [3, 3]
    with pytest.raises(dx.errors.ConcretizationTypeError, match="size"):
        dx.jit(dnp.unique)(x)


@given(elements, elements, sizes)
@settings(max_examples=30, deadline=None)
def test_sets_of_a_size(x, y, size_and_fill):
    size, fill = size_and_fill
    for name in ("union1d", "setdiff1d", "setxor1d", "intersect1d"):
        want = getattr(np, name)(x, y)
        f = lambda x, y, name=name: getattr(dnp, name)(x, y, size=size, fill_value=fill)
        for got in _both(f, x, y):
            n = min(size, len(want))
            np.testing.assert_array_equal(got[:n], want[:n])
            first = 0 if name == "setdiff1d" or not len(want) else want[0]
            np.testing.assert_array_equal(got[n:], first if fill is None else fill)
        np.testing.assert_array_equal(getattr(dnp, name)(dnp.asarray(x), dnp.asarray(y)), want)
    _, at_x, at_y = dx.jit(lambda x, y: dnp.intersect1d(x, y, return_indices=True, size=size))(x, y)
    want, i, j = np.intersect1d(x, y, return_indices=True)
    n = min(size, len(want))
    np.testing.assert_array_equal(at_x, [*i[:n], *[len(x)] * (size - n)])
    np.testing.assert_array_equal(at_y, [*j[:n], *[len(y)] * (size - n)])
    for method in ("auto", "compare_all", "binary_search", "sort"):
        for got in _both(lambda x, y, m=method: dnp.isin(x, y, method=m), x, y):
            np.testing.assert_array_equal(got, np.isin(x, y))


# ------------------------------------------------------------------------------------------------
# Quantiles

METHODS = [
    "linear",
    "lower",
    "higher",
    "midpoint",
    "nearest",
    "inverted_cdf",
    "hazen",
    "weibull",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "median_unbiased",
    "normal_unbiased",
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.sampled(2)
def test_quantiles(method):
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 8):
        x = rng.standard_normal((3, n))
        for q in (0.0, 0.125, 0.5, 0.6, 1.0, np.array([0.25, 0.9])):
            want = np.quantile(x, q, 1, method=method)
            for got in _both(lambda x, q: dnp.quantile(x, q, 1, method=method), x, q):
                np.testing.assert_allclose(got, want, rtol=1e-12)
            np.testing.assert_allclose(
                dnp.percentile(x, q * 100, method=method, keepdims=True),
                np.percentile(x, q * 100, method=method, keepdims=True),
            )
    x[0, :3] = np.nan
    np.testing.assert_allclose(
        dnp.nanquantile(x, 0.4, 1, method=method), np.nanquantile(x, 0.4, 1, method=method)
    )
    assert np.isnan(dnp.quantile(x, 0.4, method=method))


def test_weighted_quantiles():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 6)), rng.integers(0, 4, 6).astype(float)
    for q in (0.0, 0.3, 1.0, np.array([0.1, 0.8])):
        want = np.quantile(x, q, 1, method="inverted_cdf", weights=w)
        for got in _both(
            lambda x, q, w: dnp.quantile(x, q, 1, method="inverted_cdf", weights=w), x, q, w
        ):
            np.testing.assert_allclose(got, want)
    theirs = jnp.quantile(x, 0.4, weights=np.abs(x), method="inverted_cdf")
    np.testing.assert_allclose(
        dnp.quantile(x, 0.4, weights=np.abs(x), method="inverted_cdf"), theirs
    )
    assert np.isnan(dnp.quantile(x, 0.4, weights=x, method="inverted_cdf"))
    with pytest.raises(ValueError, match="inverted_cdf"):
        dnp.quantile(x, 0.4, weights=x)
    with pytest.raises(ValueError, match="fit neither"):
        dnp.quantile(x, 0.4, weights=w, method="inverted_cdf")


def test_medians_and_their_derivatives():
    x = np.array([[3.0, 1.0, 2.0, 7.0], [np.inf, 1.0, 2.0, -np.inf]])
    np.testing.assert_array_equal(dnp.median(x, 1), np.median(x, 1))
    np.testing.assert_array_equal(dnp.median(np.array([np.inf, np.inf, 1.0])), np.inf)
    np.testing.assert_array_equal(dx.grad(dnp.median)(x[0]), [0.5, 0, 0.5, 0])
    np.testing.assert_allclose(dx.grad(lambda q: dnp.quantile(x[0], q))(0.4), 3.0)
    assert np.isnan(dnp.median(ODD)) and dnp.nanmedian(ODD) == 0.5
    with pytest.raises(TypeError, match="complex"):
        dnp.quantile(x + 1j, 0.5)
    with pytest.raises(TypeError, match="out"):
        dnp.quantile(x, 0.5, out=x)
