"""Functions of parts of numbers, grids, mapped functions, and elementwise names of dx.lax, against
NumPy and jax.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
import pytest

import diffeo as dx

dn = dx.numpy
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

FLOATS = np.array([0.0, -0.0, 1.0, -1.5, 12.0, 3e-5, 1e300, -7.25, math.inf, -math.inf, math.nan])


def agrees(ours: Any, theirs: Any, *args: Any) -> None:
    """Eager and compiled results are NumPy's, dtypes included."""
    expected = theirs(*map(np.asarray, args))
    for run in (ours, dx.jit(ours)):
        found = run(*map(dn.asarray, args))
        pairs = zip(found, expected) if isinstance(expected, tuple) else [(found, expected)]
        for a, b in pairs:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["frexp", "modf", "spacing"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_parts_of_floats(name: str, dtype: Any):
    x = FLOATS.astype(dtype)
    x = x[np.isfinite(x)] if name == "spacing" else x
    agrees(getattr(dn, name), getattr(np, name), x)


def test_binary_functions():
    x, y = (g.ravel() for g in np.meshgrid(FLOATS, FLOATS))
    for name in ("fmax", "fmin", "nextafter"):
        agrees(getattr(dn, name), getattr(np, name), x, y)
    agrees(dn.ldexp, np.ldexp, np.array([1.0, 3.0, -0.75, 1.0]), np.array([3, -2, 1000, -1000]))
    assert dx.grad(lambda x: dn.ldexp(x, 3))(2.0) == 8.0
    assert dx.grad(lambda x: dn.frexp(x)[0])(12.0) == 1 / 16
    with pytest.raises(TypeError, match="ldexp"):
        dn.ldexp(1.0, 2.0)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, np.uint64])
def test_bits_of_integers(dtype: Any):
    info = np.iinfo(dtype)
    x = np.array([0, 1, 2, 77, info.max, info.max // 3, info.min], dtype)
    agrees(dn.bitwise_count, np.bitwise_count, x)
    with jax.enable_x64(True):
        for name in ("clz", "population_count"):
            expected = np.asarray(getattr(jax.lax, name)(x))
            for run in (getattr(dx.lax, name), dx.jit(getattr(dx.lax, name))):
                np.testing.assert_array_equal(run(dn.asarray(x)), expected)
    exact = [int(a) * int(b) >> (8 * x.itemsize) for a, b in zip(x, x[::-1])]
    for run in (dx.lax.mulhi, dx.jit(dx.lax.mulhi)):
        assert np.asarray(run(dn.asarray(x), dn.asarray(x[::-1].copy()))).tolist() == exact


@pytest.mark.parametrize("bitorder", ["big", "little"])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_bits_packed_in_bytes(axis: int | None, bitorder: Any):
    a = np.random.default_rng(0).integers(0, 256, (3, 5)).astype(np.uint8)
    agrees(lambda v: dn.packbits(v, axis, bitorder), lambda v: np.packbits(v, axis, bitorder), a)
    for count in (None, 3, 11, -2, 50):
        agrees(
            lambda v, n=count: dn.unpackbits(v, axis, n, bitorder),
            lambda v, n=count: np.unpackbits(v, axis, n, bitorder),
            a,
        )


def test_reduce_precision_is_a_trip_through_the_type():
    x = np.random.default_rng(0).normal(size=400) * 10.0 ** np.arange(-6, 4).repeat(40)
    x = np.concatenate([x, FLOATS]).astype(np.float32)
    for bits, dtype in (((8, 7), "bfloat16"), ((5, 10), "float16")):
        around = x.astype(dtype).astype(np.float32)
        tiny = np.abs(x) < (6.2e-5 if dtype == "float16" else 0)
        expected = np.where(tiny, np.copysign(0, x), around)
        compiled = dx.jit(dx.lax.reduce_precision, static_argnums=(1, 2))
        for run in (dx.lax.reduce_precision, compiled):
            np.testing.assert_array_equal(run(dn.asarray(x), *bits), expected)
    for bad in ((0, 3), (4, -1)):
        with pytest.raises(ValueError, match="reduce_precision"):
            dx.lax.reduce_precision(1.0, *bad)


def test_rounding_methods():
    x = np.array([0.5, 1.5, 2.5, -0.5, -2.5, 0.49999999999999994, 1e17])
    away = [1.0, 2.0, 3.0, -1.0, -3.0, 0.0, 1e17]
    methods = dx.lax.RoundingMethod
    for method, expected in ((methods.AWAY_FROM_ZERO, away), (methods.TO_NEAREST_EVEN, np.rint(x))):
        for run in (dx.lax.round, dx.jit(dx.lax.round, static_argnums=1)):
            np.testing.assert_array_equal(run(dn.asarray(x), method), expected)


def test_clamp_and_its_subgradients():
    x = dn.array([-2.0, -1.0, 0.3, 1.0, 2.0])
    ones = lambda f: dx.grad(lambda v: dn.sum(f(v)))
    np.testing.assert_array_equal(ones(lambda v: dx.lax.clamp(-1.0, v, 1.0))(x), [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(
        ones(lambda low: dx.lax.clamp(low, x, x * 0 + 1.5))(x * 0 - 1.0), [1, 0, 0, 0, 0]
    )
    np.testing.assert_array_equal(
        ones(lambda high: dx.lax.clamp(x * 0 - 5, x, high))(x * 0 + 1.0), [0, 0, 0, 0, 1]
    )


def test_the_derivative_of_a_complex_sign_turns_with_it():
    z, dz = dn.array(3 + 4j), dn.array(1 - 2j)
    _, found = dx.jvp(dx.lax.sign, (z,), (dz,))
    h = 1e-6
    at = lambda s: np.sign(3 + 4j + s * (1 - 2j))
    np.testing.assert_allclose(found, (at(h) - at(-h)) / (2 * h), 1e-8)


def test_an_optimization_barrier_is_in_the_program():
    f = dx.jit(lambda x: dx.lax.optimization_barrier({"a": dn.sin(x), "b": x})["a"] + dn.sin(x))
    assert "optimization_barrier" in f.lower(1.0).as_text()
    np.testing.assert_allclose(dx.grad(f)(1.0), 2 * np.cos(1.0))
    assert dx.lax.optimization_barrier(()) == ()


def test_shapes_in_lax():
    x = dn.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(dx.lax.tile(x, (2, 2)), np.tile(np.asarray(x), (2, 2)))
    assert dx.lax.broadcast_to_rank(x, 4).shape == (1, 1, 2, 3)
    np.testing.assert_array_equal(dx.lax.stack(dx.lax.unstack(x, 1), 1), x)
    assert dx.lax.empty((2,), np.float32).dtype == np.float32
    for bad in (lambda: dx.lax.tile(x, (2,)), lambda: dx.lax.broadcast_to_rank(x, 1)):
        with pytest.raises(ValueError, match=r"tile|broadcast_to_rank"):
            bad()
    with pytest.raises(TypeError, match="concatenate"):
        dx.lax.stack([x, x[0]])


def test_pow_with_an_array_of_integers():
    x, n = dn.array([2.0, -3.0]), dn.array([3, 2])
    np.testing.assert_allclose(dx.lax.pow(x, n), [8.0, 9.0])
    np.testing.assert_allclose(dx.grad(lambda v: dn.sum(dx.lax.pow(v, n)))(x), [12.0, -6.0])


def test_grids():
    np.testing.assert_array_equal(dn.mgrid[0:3], np.mgrid[0:3])
    np.testing.assert_allclose(dn.mgrid[0:2, 0:1:3j], np.mgrid[0:2, 0:1:3j])
    for a, b in zip(dn.ogrid[0:2, 1:3], np.ogrid[0:2, 1:3]):
        np.testing.assert_array_equal(a, b)
    places = dn.ix_(dn.array([1, 0]), dn.array([True, False, True]))
    for a, b in zip(places, np.ix_([1, 0], [True, False, True])):
        np.testing.assert_array_equal(a, b)


def test_vectorize():
    solve = dn.vectorize(lambda a, b: a @ b, signature="(n,k),(k)->(n)")
    a, b = np.arange(24.0).reshape(4, 1, 2, 3), np.ones((5, 3))
    expected = np.vectorize(lambda a, b: a @ b, signature="(n,k),(k)->(n)")(a, b)
    for run in (solve, dx.jit(solve)):
        np.testing.assert_allclose(run(dn.asarray(a), dn.asarray(b)), expected)
    power = dn.vectorize(lambda x, n: x**n, excluded={1})
    np.testing.assert_allclose(power(dn.array([1.0, 2.0]), 3), [1.0, 8.0])
    with pytest.raises(ValueError, match="signature"):
        dn.vectorize(abs, signature="n->n")
    with pytest.raises(ValueError, match="core dimensions"):
        solve(dn.ones((2, 3)), dn.ones(4))


def test_functions_along_and_over_axes():
    x = np.arange(24.0).reshape(2, 3, 4)
    for axis in range(-3, 3):
        for f, g in (
            (dn.sum, np.sum),
            (lambda v: v[:2] * 2, lambda v: v[:2] * 2),
            (lambda v: dn.outer(v, v), lambda v: np.outer(v, v)),
        ):
            np.testing.assert_allclose(
                dn.apply_along_axis(f, axis, dn.asarray(x)), np.apply_along_axis(g, axis, x)
            )
    np.testing.assert_allclose(
        dn.apply_over_axes(dn.sum, dn.asarray(x), (0, -1)), np.apply_over_axes(np.sum, x, (0, -1))
    )
    assert dn.array_equiv(dn.ones((2, 3)), 1.0)
    assert not dn.array_equiv(dn.ones(2), dn.ones(3))
    np.testing.assert_array_equal(dn.polysub([1.0, 2.0, 3.0], [1.0, 1.0]), [1.0, 1.0, 2.0])
