"""Programs of 32 bits: they stay so, in every kind of call, and what widens them is named."""

from __future__ import annotations

import numpy as np
import pytest

import diffeo as dx

X = np.linspace(0.1, 0.9, 6, dtype="float32")
WIDE = {np.dtype(t) for t in ("float64", "int64", "uint64", "complex128")}


@pytest.fixture(autouse=True)
def bits():
    with dx.config.defaults(32):
        yield


VALUES = {"int": 3, "float": 1.5, "complex": 1.5 + 2j, "bool": True}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("call", ["alone", "with an array", "in a tree", "by name", "closed over"])
def test_python_numbers_in_every_call(kind: str, call: str):
    x, constant = VALUES[kind], dx.numpy.asarray(X)
    calls = {
        "alone": (lambda x: x * x, (x,), {}),
        "with an array": (lambda x, y: x * y, (x, dx.numpy.asarray(X)), {}),
        "in a tree": (lambda t: t["a"] + t["b"], ({"a": x, "b": X},), {}),
        "by name": (lambda *, x: x * 2, (), {"x": x}),
        "closed over": (lambda x: x * constant, (x,), {}),
    }
    f, args, kwargs = calls[call]
    expected = f(*args, **kwargs)
    jitted = dx.jit(f)
    for _ in range(5):
        found = jitted(*args, **kwargs)
        assert found.dtype not in WIDE
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-6)


def test_numbers_between_both_settings():
    f = dx.jit(lambda x: x * 2)
    for _ in range(3):
        for bits, dtypes in ((32, ("int32", "float32")), (64, ("int64", "float64"))):
            with dx.config.defaults(bits):
                assert (f(3).dtype, f(1.5).dtype) == dtypes and f(3) == 6 and f(1.5) == 3


def test_a_number_too_large_for_32_bits():
    f = dx.jit(lambda x: x + 1)
    for _ in range(4):
        assert f(3) == 4
        with pytest.raises(OverflowError, match="does not fit into int32"):
            f(2**40)


def loss(params, x):
    hidden = dx.nn.gelu(x[:, None] * params["w"] + params["b"])
    return dx.numpy.mean((hidden.sum(axis=1) - dx.numpy.sin(x)) ** 2)


def test_training_stays_at_32_bits():
    key = dx.random.key(0)
    params = {"w": dx.random.normal(key, (5,)), "b": dx.numpy.zeros(5)}

    @dx.jit
    def step(params, x, rate):
        value, slopes = dx.value_and_grad(loss)(params, x)
        return value, dx.tree.map(lambda p, g: p - rate * g, params, slopes)

    values = []
    for _ in range(40):
        value, params = step(params, X, 0.1)
        values.append(float(value))
    assert values[-1] < values[0]
    assert {a.dtype for a in dx.tree.leaves(params)} == {np.dtype("float32")}
    assert dx.debug.widenings(step, params, X, 0.1) == ()


PROGRAMS = {
    "grad of grad": lambda x: dx.grad(dx.grad(lambda t: dx.numpy.sin(t * x).sum()))(x[0]),
    "vmap": lambda x: dx.vmap(lambda t: dx.numpy.where(t > 0.5, t, t**3))(x),
    "hessian": lambda x: dx.hessian(lambda x: dx.numpy.prod(x))(x),
    "scan": lambda x: dx.lax.scan(lambda c, t: (c + t, c * 2), 0.0, x),
    "fori_loop": lambda x: dx.lax.fori_loop(0, 4, lambda i, c: c + i * x, x),
    "while_loop": lambda x: dx.lax.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * 2), (0, x)
    ),
    "cond": lambda x: dx.lax.cond(x[0] > 0, lambda: x, lambda: -x),
    "indexing": lambda x: x.at[1].set(0.5)[::-1][dx.numpy.argsort(x)],
    "random": lambda x: dx.random.normal(dx.random.key(1), x.shape) + x,
    "linear algebra": lambda x: dx.numpy.linalg.inv(dx.numpy.outer(x, x) + dx.numpy.eye(6)),
    "fft": lambda x: abs(dx.numpy.fft.fft(x)),
    "statistics": lambda x: (x - dx.numpy.mean(x)) / dx.numpy.std(x),
    "created": lambda x: x + dx.numpy.arange(6) + dx.numpy.linspace(0, 1, 6) + dx.numpy.ones(6),
    "jet": lambda x: dx.derivatives(lambda t: dx.numpy.exp(t * x).sum(), x[0], 3),
    "laplacian": lambda x: dx.laplacian(lambda x: (x**3).sum())(x),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_of_32_bits(name: str):
    f = PROGRAMS[name]
    eager, jitted = f(dx.numpy.asarray(X)), dx.jit(f)
    for _ in range(3):
        compiled = jitted(X)
        for a, b in zip(dx.tree.leaves(eager), dx.tree.leaves(compiled)):
            assert a.dtype == b.dtype and a.dtype not in WIDE
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=2e-4, atol=1e-5)
    assert dx.debug.widenings(f, X) == ()


# --------------------------------------------------------------------------------------------------
# What widens


def constant(x):
    return x * np.ones(6)  # 64 bits by NumPy


def conversion(x):
    y = x + 1
    return y.astype("float64") * 2  # here


def inside(x):
    def step(c, t):
        return c + t, dx.numpy.sum(t, dtype="float64")  # in a loop

    return dx.lax.scan(step, 0.0, x)


def index(x):
    return dx.numpy.asarray(x > 0.5, "int64") + 1  # of integers


def returned(x):
    return np.float64(2.0)


@pytest.mark.parametrize(
    "f, what, dtype, text",
    [
        (constant, "value from outside", "float64", "64 bits by NumPy"),
        (conversion, "convert_element_type", "float64", "here"),
        (inside, "convert_element_type", "float64", "in a loop"),
        (index, "convert_element_type", "int64", "of integers"),
        (dx.jit(conversion), "convert_element_type", "float64", "here"),
        (dx.grad(lambda x: conversion(x).sum()), "convert_element_type", "float64", "here"),
        (dx.vmap(conversion), "convert_element_type", "float64", "here"),
        (returned, "returned", "float64", ""),
    ],
)
def test_the_line_that_widens(f, what: str, dtype: str, text: str):
    [found] = dx.debug.widenings(f, X)
    assert what in found.what and found.dtype == dtype
    assert text in found.source and text in repr(found)
    if text:
        assert found.file == __file__
        with open(__file__) as file:
            assert text in file.read().split("\n")[found.line - 1]


def test_arguments_that_are_wide_are_named():
    def f(x, *, scale):
        return x * scale

    found = dx.debug.widenings(f, X.astype("float64"), scale=np.ones(6))
    assert [w.what for w in found] == ["argument 0", "keyword argument scale"]
    assert "float64[6]" in repr(found)
    assert dx.debug.widenings(f, X, scale=2.0) == ()
    assert "nothing" in repr(dx.debug.widenings(f, X, scale=2))
    struct = dx.ShapeDtypeStruct((6,), "int64")
    assert [w.dtype for w in dx.debug.widenings(f, X, scale=struct)] == ["int64"]
    with pytest.raises(TypeError, match="widenings"):
        dx.debug.widenings(3, X)
