"""Running sums, products and extrema, scans of any function: against NumPy and jax."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import diffeo as dx
from diffeo import lax
from diffeo import numpy as dnp

rng = np.random.default_rng(0)
NAMES = ("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
OPERATIONS = (np.add, np.multiply, np.maximum, np.minimum, np.logaddexp)
UFUNCS: dict[str, Any] = dict(zip(NAMES, OPERATIONS))


def both(fun, *args):
    """The results of a function, eager and compiled."""
    return [np.asarray(f(*map(dnp.asarray, args))) for f in (fun, dx.jit(fun))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 15, 16, 17, 67])
@pytest.mark.sampled(2)
def test_values_from_both_ends(name: str, n: int):
    x = rng.normal(size=(2, n, 3))
    ufunc, function = UFUNCS[name], getattr(lax, name)
    for axis, reverse in ((1, False), (1, True), (-2, False), (2, False)):
        flip = lambda a, r=reverse, k=axis: np.flip(a, k) if r else a
        expected = flip(ufunc.accumulate(flip(x), axis))
        for found in both(lambda a, k=axis, r=reverse: function(a, k, r), x):
            np.testing.assert_allclose(found, expected, 1e-12, 1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_narrow_dtypes_are_rounded_once(name: str, dtype: str):
    x = np.asarray(dnp.asarray(rng.uniform(0.9, 1.1, 1000)).astype(dtype))
    expected = UFUNCS[name].accumulate(x.astype(np.float64))
    size = {"float16": 1e-3, "bfloat16": 8e-3, "float32": 1e-5, "float64": 1e-13}[dtype]
    for found in both(getattr(lax, name), x):
        assert found.dtype == x.dtype
        np.testing.assert_allclose(found.astype(float), expected, size, size)


def test_float32_sums_are_as_exact_as_trees_of_sums_are(jax):
    """Both libraries add in trees, of other forms: one draw favours either. A running sum is worse
    by far.
    """
    ours, theirs, running = [], [], []
    for seed in range(12):
        x = np.random.default_rng(seed).normal(size=200_000).astype(np.float32)
        exact = np.cumsum(x, dtype=np.float64)
        error = lambda sums, exact=exact: np.abs(np.asarray(sums, np.float64) - exact).max()
        ours.append(error(dx.jit(lax.cumsum)(x)))
        theirs.append(error(jax.jit(jax.lax.cumsum)(x)))
        running.append(error(np.cumsum(x)))
    assert np.mean(ours) <= 1.5 * np.mean(theirs)
    assert np.mean(ours) <= 0.1 * np.mean(running)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.sampled(2)
def test_gradients_and_second_derivatives_are_those_of_jax(jax, name: str, reverse: bool):
    x, w = rng.normal(size=(2, 9)), rng.normal(size=(2, 9))

    def hessian(lib):
        fun = lambda a: (getattr(lib.lax, name)(a, 1, reverse) ** 2 * w).sum()
        return lib.jit(lib.grad(fun))(x), lib.jit(lib.hessian(fun))(x)

    for found, expected in zip(hessian(dx), hessian(jax)):
        np.testing.assert_allclose(found, expected, 1e-9, 1e-9)


def test_zeros_among_the_factors():
    """The derivatives of all orders are those of the products written out."""
    x = np.array([2.0, 0.0, 3.0, 0.0, -1.0])
    explicit = lambda a: dnp.stack([dnp.prod(a[: i + 1]) for i in range(5)])
    for order in (dx.jacobian, lambda f: dx.jacobian(dx.jacobian(f))):
        found, expected = order(lax.cumprod)(x), order(explicit)(x)
        np.testing.assert_allclose(found, expected, 1e-13, 1e-13)


def test_ties_share_at_each_step():
    x = np.array([1.0, 1.0, 0.0, 2.0])
    expected = [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(dx.jacobian(lax.cummax)(x), expected)
    np.testing.assert_array_equal(dx.jacobian(lax.cummin)(-x), expected)


def test_infinities_in_logsumexp():
    x = np.array([-np.inf, 0.0, -np.inf, 1.0])
    jac = np.asarray(dx.jacobian(lax.cumlogsumexp)(x))
    p = 1 / (1 + np.e)
    expected = [[0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, p, 0, 1 - p]]
    np.testing.assert_allclose(jac, expected, 1e-14, 1e-14)
    assert not np.any(np.isnan(dx.hessian(lambda a: lax.cumlogsumexp(a)[1:].sum())(x)))
    far = np.array([1000.0, 2.0, np.inf, 3.0])
    for found in both(lax.cumlogsumexp, far):
        np.testing.assert_array_equal(found, [1000, 1000, np.inf, np.inf])


def test_an_infinite_factor_does_not_touch_what_is_zero():
    x = np.array([0.0, 1.0, np.inf])
    t = np.array([0.0, 0.0, 1.0])
    _, tangent = dx.jvp(lax.cumprod, (x,), (t,))
    np.testing.assert_array_equal(tangent, [0, 0, 0])


@pytest.mark.parametrize("name", NAMES)
def test_bad_input(name: str):
    function = getattr(lax, name)
    with pytest.raises(ValueError, match="axis 2 is out of bounds"):
        function(np.ones((2, 3)), 2)
    with pytest.raises(TypeError, match="numbers, got bool"):
        function(np.array([True, False]))
    if name in ("cummax", "cummin", "cumlogsumexp"):
        with pytest.raises(TypeError, match="c128"):
            function(np.ones(3, complex))


# --------------------------------------------------------------------------------------------------
# Scans of any function


def matrix_product(a, b):
    return dnp.einsum("nij,njk->nik", a, b)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 13])
@pytest.mark.parametrize("reverse", [False, True])
def test_scans_of_a_function_that_does_not_commute(n: int, reverse: bool):
    x = rng.normal(size=(n, 2, 2))
    expected = list(x[::-1] if reverse else x)
    for i in range(1, n):
        expected[i] = expected[i - 1] @ expected[i]
    expected = expected[::-1] if reverse else expected
    for found in both(lambda a: lax.associative_scan(matrix_product, a, reverse), x):
        np.testing.assert_allclose(found, np.reshape(expected, x.shape), 1e-12, 1e-12)


def test_scans_of_trees(jax):
    """A linear recurrence, by pairs: values and gradients."""
    a, b = rng.normal(size=(2, 3, 11))

    def last(lib):
        combine = lambda x, y: {"a": x["a"] * y["a"], "b": y["a"] * x["b"] + y["b"]}
        scan = lambda a, b: lib.lax.associative_scan(combine, {"a": a, "b": b}, axis=1)["b"]
        return scan(a, b), *lib.grad(lambda *x: (scan(*x) ** 2).sum(), (0, 1))(a, b)

    for found, expected in zip(last(dx), last(jax)):
        np.testing.assert_allclose(found, expected, 1e-10, 1e-10)


def test_scans_may_close_over_traced_values():
    step = lambda c: lax.associative_scan(lambda x, y: x * y * c, dnp.arange(1.0, 6.0))[-1]
    np.testing.assert_allclose(dx.grad(step)(2.0), 4 * 120 * 2.0**3)


def test_scans_of_different_sizes():
    with pytest.raises(ValueError, match="one size along axis 0"):
        lax.associative_scan(lambda x, y: x, (np.ones(3), np.ones(2)))
    nothing: Any = None
    with pytest.raises(TypeError, match="expects a function"):
        lax.associative_scan(nothing, np.ones(3))


# --------------------------------------------------------------------------------------------------
# NumPy's names


METHODS = [
    np.add.reduce, np.multiply.reduce, np.maximum.reduce, np.minimum.reduce, np.logical_and.reduce,
    np.logical_or.reduce, np.add.accumulate, np.multiply.accumulate, np.maximum.accumulate,
    np.minimum.accumulate,
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS, ids=lambda m: f"{m.__self__.__name__}-{m.__name__}")
@pytest.mark.parametrize("options", [{}, {"axis": 1}, {"axis": -1}])
def test_methods_of_ufuncs(method, options: dict):
    """Without an axis they go along the first one, on traced values as in NumPy."""
    x = rng.normal(size=(3, 4)).round()
    for found in both(lambda a: method(a, **options), x):
        np.testing.assert_allclose(found, method(x, **options))


def test_other_methods_of_ufuncs():
    x = np.arange(1.0, 4.0)
    expected = np.subtract.accumulate(x)
    np.testing.assert_allclose(np.subtract.accumulate(dnp.asarray(x)), expected)
    np.testing.assert_allclose(dx.jit(lambda a: np.subtract.accumulate(a))(x), expected)
    with pytest.raises(TypeError, match=r"np\.subtract\.at"):
        dx.jit(lambda a: np.subtract.at(a, 0, 1.0))(x)


def test_nancumprod():
    x = np.array([[1.0, np.nan, 3.0], [np.nan, 2.0, 2.0]])
    for axis in (None, 0, 1):
        for found in both(lambda a, k=axis: dnp.nancumprod(a, k), x):
            np.testing.assert_array_equal(found, np.nancumprod(x, axis))
