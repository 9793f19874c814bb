"""Gather and the scatters: values against jax, derivatives where places repeat, hints, modes."""

from __future__ import annotations

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import diffeo as dx
import diffeo.numpy as dnp
from diffeo import lax

KINDS = ["scatter_add", "scatter_mul", "scatter_min", "scatter_max", "scatter_sub", "scatter"]
POINTS = lax.ScatterDimensionNumbers((), (0,), (0,))
ROWS = lax.ScatterDimensionNumbers((1,), (0,), (0,))


def _theirs(numbers):
    return jax.lax.ScatterDimensionNumbers(*numbers)


@pytest.fixture(scope="module", autouse=True)
def _wide():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "int32", "uint8", "bool"])
@pytest.mark.parametrize("mode", ["drop", "clip"])
def test_values_against_jax(kind, dtype, mode):
    if (dtype == "complex128" and kind in ("scatter_min", "scatter_max")) or (
        dtype == "bool" and kind in ("scatter_sub", "scatter_add", "scatter_mul")
    ):
        return
    rng = np.random.default_rng(0)
    x, u = (rng.integers(0, 5, s).astype(dtype) for s in ((5, 2), (6, 2)))
    index = np.array([[0], [3], [3], [9], [-1], [4]], np.int32)
    index = index if kind != "scatter" else np.array([[0], [3], [1], [9], [-2], [2]], np.int32)
    want = getattr(jax.lax, kind)(x, index, u, _theirs(ROWS), mode=mode)
    f = lambda x, u: getattr(lax, kind)(x, index, u, ROWS, mode=mode)
    for got in (f(x, u), dx.jit(f)(x, u)):
        np.testing.assert_allclose(got, want)
        assert got.dtype == dtype


@pytest.mark.parametrize("mode", ["clip", "fill", "promise_in_bounds", lax.GatherScatterMode.CLIP])
def test_gather_against_jax(mode):
    x = np.arange(12.0).reshape(4, 3)
    index = (
        np.array([[0, 1], [3, 2], [3, 0]])
        if mode == "promise_in_bounds"
        else np.array([[0, 1], [4, 2], [-1, 0], [2, 9]])
    )
    numbers = ((), (0, 1), (0, 1))
    theirs = mode if isinstance(mode, str) else mode.value
    for fill in (None, 2.5):
        want = jax.lax.gather(
            x, index, jax.lax.GatherDimensionNumbers(*numbers), (1, 1), mode=theirs, fill_value=fill
        )
        f = lambda x, i, fill=fill: lax.gather(
            x, i, lax.GatherDimensionNumbers(*numbers), (1, 1), mode=mode, fill_value=fill
        )
        np.testing.assert_array_equal(f(x, index), want)
        np.testing.assert_array_equal(dx.jit(f)(x, index), want)
    ct = np.array([1.0, 2.0, 3.0, 4.0])[: len(index)]
    got = dx.vjp(lambda x: f(x, index), x)[1](ct)
    grads = [got, dx.jit(lambda x, i, ct: dx.vjp(lambda x: f(x, i), x)[1](ct))(x, index, ct)]
    expected = np.zeros_like(x)
    for (i, j), c in zip(index, ct):
        if mode == lax.GatherScatterMode.CLIP or mode == "clip":
            i, j = min(max(i, 0), 3), min(max(j, 0), 2)
        if 0 <= i < 4 and 0 <= j < 3:
            expected[i, j] += c
    for g in grads:
        np.testing.assert_array_equal(np.asarray(g).reshape(4, 3), expected)


def test_hints_reach_the_program():
    x, i, u = np.zeros(4), np.array([[0], [2]]), np.ones(2)
    hints = {"indices_are_sorted": True, "unique_indices": True}
    numbers = lax.GatherDimensionNumbers((), (0,), (0,))
    programs = {
        "gather": lambda x, i, u: lax.gather(x, i, numbers, (1,), **hints),
        "add": lambda x, i, u: lax.scatter_add(x, i, u, POINTS, **hints),
        "max": lambda x, i, u: lax.scatter_max(x, i, u, POINTS, **hints),
        "set": lambda x, i, u: x.at[i[:, 0]].set(u, **hints),
        "get": lambda x, i, u: x.at[i[:, 0]].get(**hints),
        "gradient": lambda x, i, u: dx.grad(
            lambda x: x.at[i[:, 0]].get(mode="promise_in_bounds", **hints).sum()
        )(x),
    }
    for name, f in programs.items():
        text = dx.jit(f).lower(x, i, u).as_text()
        assert "indices_are_sorted = true" in text, name
        assert ("unique_indices = true" in text) == (name not in ("gather", "get")), name
    text = dx.jit(lambda x: lax.sort(x, is_stable=False)).lower(np.arange(3)).as_text()
    assert "is_stable = false" in text


def _difference(f, x, v, h=1e-6):
    return (np.asarray(f(x + h * v)) - np.asarray(f(x - h * v))) / (2 * h)


@given(
    st.lists(st.integers(-1, 4), min_size=1, max_size=7),
    st.integers(0, 2**30),
    st.sampled_from(["multiply", "min", "max", "add", "set", "divide", "power"]),
)
@settings(max_examples=40, deadline=None)
def test_derivatives_with_duplicates(places, seed, op):
    """Traced indices that repeat and stick out: jvp, vjp and the second derivative, for x and u."""
    rng = np.random.default_rng(seed)
    index, n = np.array(places), 4
    point = rng.uniform(0.5, 1.5, n + len(index)) * (
        1 if op == "power" else rng.choice([-1, 1], n + len(index))
    )
    if op == "multiply":
        point[rng.random(point.size) < 0.3] = 0.0

    def f(z, index):
        return getattr(z[:n].at[index], op)(z[n:], mode="drop")

    v, w = rng.standard_normal((2, point.size))
    run = lambda z: f(dnp.asarray(z), dnp.asarray(index))
    tangent = lambda z: dx.jit(lambda z, i: dx.jvp(lambda z: f(z, i), (z,), (v,))[1])(z, index)
    np.testing.assert_allclose(tangent(point), _difference(run, point, v), rtol=1e-6, atol=1e-6)
    second = dx.jvp(lambda z: dx.jvp(lambda z: f(z, index), (z,), (v,))[1], (point,), (w,))[1]
    np.testing.assert_allclose(second, _difference(tangent, point, w), rtol=1e-6, atol=1e-6)
    ct = rng.standard_normal(n)
    back = dx.jit(lambda z, i, ct: dx.vjp(lambda z: f(z, i), z)[1](ct))(point, index, ct)
    inner = np.sum(np.asarray(back).reshape(-1) * v)
    np.testing.assert_allclose(inner, np.sum(ct * np.asarray(tangent(point))), rtol=1e-9, atol=1e-9)


def test_product_of_zeros_has_all_derivatives():
    """Three zeros at one place: only the third mixed derivative is not zero."""
    x, u = dnp.ones(2), dnp.zeros(3)
    f = lambda u: lax.scatter_mul(x, np.zeros((3, 1), int), u, POINTS)[0]
    assert f(u) == 0
    np.testing.assert_array_equal(dx.grad(f)(u), np.zeros(3))
    np.testing.assert_array_equal(dx.hessian(f)(u), np.zeros((3, 3)))
    third = np.asarray(dx.jacfwd(dx.hessian(f))(u))
    for place in np.ndindex(3, 3, 3):
        assert third[place] == (len(set(place)) == 3)
    np.testing.assert_array_equal(dx.jit(dx.grad(f))(dnp.array([0.0, 2.0, 3.0])), [6, 0, 0])


def test_ties_share():
    x, u = dnp.array([1.0, 5.0]), dnp.array([3.0, 3.0, 2.0])
    index = np.array([0, 0, 0])
    gx, gu = dx.grad(lambda x, u: x.at[index].max(u).sum(), (0, 1))(x, u)
    np.testing.assert_array_equal(gx, [0, 1])
    np.testing.assert_array_equal(gu, [0.5, 0.5, 0])
    gx, gu = dx.grad(lambda x, u: x.at[index].min(u).sum(), (0, 1))(x.at[0].set(2.0), u)
    np.testing.assert_array_equal(gx, [0.5, 1])
    np.testing.assert_array_equal(gu, [0, 0, 0.5])


def test_large_arrays_agree_with_numpy():
    rng = np.random.default_rng(0)
    x, u = rng.standard_normal((2, 3000))
    index = rng.integers(0, 3000, 3000)
    for name, ufunc in (("multiply", np.multiply), ("max", np.maximum), ("add", np.add)):
        want = x.copy()
        ufunc.at(want, index, u)
        got = dx.jit(lambda x, i, u, name=name: getattr(x.at[i], name)(u))(x, index, u)
        np.testing.assert_allclose(got, want)
    # The product's derivative goes through the compiled sort of many elements.
    f = lambda u: dnp.asarray(x).at[index].multiply(u).sum()
    v = rng.standard_normal(3000)
    slope = dx.jit(lambda u, v: dx.jvp(f, (u,), (v,))[1])(u, v)
    np.testing.assert_allclose(slope, _difference(f, u, v), rtol=1e-6)
    np.testing.assert_allclose(np.sum(np.asarray(dx.jit(dx.grad(f))(u)) * v), slope)


def test_apply_counts_places():
    x = dnp.arange(1.0, 5.0)
    index = np.array([2, 0, 2, 9, 2])
    want = [2, 2, 24, 4]
    double = lambda v: v * 2
    assert list(x.at[index].apply(double, mode="drop")) == want
    f = lambda x, i: x.at[i].apply(double)
    np.testing.assert_array_equal(dx.jit(f)(x, index), want)
    np.testing.assert_array_equal(dx.grad(lambda x: f(x, index[:3]).sum())(x), [2, 1, 4, 1])
    got = lax.scatter_apply(x, index[:, None], double, POINTS, update_shape=(5,))
    np.testing.assert_array_equal(got, want)
    theirs = jax.lax.scatter_apply(
        jnp.arange(1.0, 5.0), index[:, None], double, _theirs(POINTS), update_shape=(5,)
    )
    np.testing.assert_array_equal(got, theirs)
    clipped = lax.scatter_apply(x, index[:, None], double, POINTS, update_shape=(5,), mode="clip")
    np.testing.assert_array_equal(clipped, [2, 2, 24, 8])


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda: lax.gather(
                np.zeros(3),
                np.array([[0]]),
                lax.GatherDimensionNumbers((), (0,), (0,)),
                (1,),
                mode="nearest",
            ),
            "mode must be",
        ),
        (
            lambda: lax.gather(
                np.zeros(3), np.array([[0.0]]), lax.GatherDimensionNumbers((), (0,), (0,)), (1,)
            ),
            "gather: expects integer indices",
        ),
        (
            lambda: lax.scatter_min(
                np.zeros(3, complex), np.array([[0]]), np.zeros(1, complex), POINTS
            ),
            "scatter_min: not defined for complex128",
        ),
        (
            lambda: lax.scatter_mul(np.zeros(3), np.array([[0]]), np.zeros(1, int), POINTS),
            "scatter_mul: updates",
        ),
        (
            lambda: lax.scatter_mul(np.zeros(3), np.array([[0, 1]]), np.zeros(1), POINTS),
            "last axis",
        ),
        (lambda: dnp.zeros(3).at[0].set(1.0, mode="nearest"), "mode must be one of"),
    ],
)
def test_bad_operands(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


def test_empty_axes():
    x = dnp.zeros((0, 2))
    index = np.array([1, 0])
    np.testing.assert_array_equal(
        x.at[index].get(mode="fill", fill_value=7.0), np.full((2, 2), 7.0)
    )
    assert x.at[index].set(1.0, mode="drop").shape == (0, 2)
    assert dx.jit(lambda x, i: x.at[i].add(1.0, mode="drop"))(x, index).shape == (0, 2)
    with pytest.raises(IndexError, match="out of bounds"):
        x[index]
