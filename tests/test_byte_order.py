"""Dtypes are in the byte order of this machine, wherever they come in."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import diffeo as dx

dnp, lax = dx.numpy, dx.lax
KEY = dx.random.key(0)
DTYPES = [">f8", ">f4", ">f2", ">c16", ">i8", ">u2"]


def given(dtype, count=3):
    return np.arange(1, count + 1).astype(dtype)


MADE = {
    "array": lambda d: dnp.array([1, 2], dtype=d),
    "asarray": lambda d: dnp.asarray(given(d)),
    "asarray of a scalar": lambda d: dnp.asarray(given(d)[0]),
    "zeros": lambda d: dnp.zeros(3, d),
    "ones": lambda d: dnp.ones(3, dtype=d),
    "empty": lambda d: dnp.empty(3, d),
    "full": lambda d: dnp.full(3, 2, d),
    "zeros_like": lambda d: dnp.zeros_like(np.ones(2), dtype=d),
    "ones_like": lambda d: dnp.ones_like(given(d)),
    "full_like": lambda d: dnp.full_like(given(d), 3),
    "empty_like": lambda d: dnp.empty_like(np.ones(2), dtype=d),
    "arange": lambda d: dnp.arange(3, dtype=d),
    "linspace": lambda d: dnp.linspace(0, 4, 3, dtype=d),
    "logspace": lambda d: dnp.logspace(0, 2, 3, dtype=d),
    "geomspace": lambda d: dnp.geomspace(1, 4, 3, dtype=d),
    "eye": lambda d: dnp.eye(3, dtype=d),
    "identity": lambda d: dnp.identity(3, dtype=d),
    "tri": lambda d: dnp.tri(3, dtype=d),
    "fromfunction": lambda d: dnp.fromfunction(lambda i: i, (3,), dtype=d),
    "astype": lambda d: dnp.ones(2).astype(d),
    "sum": lambda d: dnp.sum(dnp.ones(3), dtype=d),
    "prod": lambda d: dnp.prod(dnp.ones(3), dtype=d),
    "cumsum": lambda d: dnp.cumsum(dnp.ones(3), dtype=d),
    "mean": lambda d: dnp.mean(dnp.ones(3), dtype=d),
    "trace": lambda d: dnp.trace(dnp.ones((3, 3)), dtype=d),
    "concatenate": lambda d: dnp.concatenate([dnp.ones(2)], dtype=d),
    "concatenate of such": lambda d: dnp.concatenate([given(d), given(d)]),
    "lax.full": lambda d: lax.full((2,), 1, d),
    "convert_element_type": lambda d: lax.convert_element_type(1, d),
    "iota": lambda d: lax.iota(d, 3),
    "one_hot": lambda d: dx.nn.one_hot(dnp.arange(2), 3, dtype=d),
    "initializer": lambda d: dx.nn.initializers.ones(KEY, (2,), d),
    "normal": lambda d: dx.random.normal(KEY, (2,), d),
    "uniform": lambda d: dx.random.uniform(KEY, (2,), d),
    "randint": lambda d: dx.random.randint(KEY, (2,), 0, 5, d),
    "device_put": lambda d: dx.device_put(given(d)),
    "a pickle": lambda d: dnp.asarray(pickle.loads(pickle.dumps(given(d)))),
    "where": lambda d: dnp.where(dnp.array([True, False, True]), given(d), given(d)),
    "an operator": lambda d: dnp.ones(3, "int8") * given(d),
    "an operator on the right": lambda d: given(d) + dnp.ones(3, "int8"),
    "at": lambda d: dnp.ones(3, d).at[0].set(given(d)[1]),
    "scan": lambda d: lax.scan(lambda c, t: (c + t, t), given(d)[0], given(d))[1],
    "a callback": lambda d: dx.pure_callback(lambda: given(d), dx.ShapeDtypeStruct((3,), d)),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.sampled(2)
def test_what_is_made(name: str, compiled: bool):
    for dtype in DTYPES:
        native = np.dtype(dtype).newbyteorder("=")

        def make(dtype=dtype):
            return MADE[name](dtype)

        try:
            expected = MADE[name](native.str)
        except (TypeError, ValueError):
            continue  # not of this kind of dtype
        found = dx.jit(make)() if compiled else make()
        assert isinstance(found, dx.Array)
        assert found.dtype.isnative and found.dtype == expected.dtype, dtype
        assert np.asarray(found).dtype.isnative
        if name != "empty":
            np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-6)


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">c16"])
def test_arguments_and_constants(dtype: str):
    x = given(dtype)
    native = x.astype(x.dtype.newbyteorder("="))

    def f(x):
        return dnp.sin(x) * 2

    def real(x):
        return dnp.sum(dnp.abs(dnp.sin(x)))

    functions = {
        "eager": f, "jit": dx.jit(f), "vmap": dx.vmap(f), "jit of vmap": dx.jit(dx.vmap(f)),
        "grad": dx.grad(real), "jit of grad": dx.jit(dx.grad(real)),
        "jvp": lambda x: dx.jvp(f, (x,), (x,))[1], "vjp": lambda x: dx.vjp(f, x)[1](x)[0],
        "closed over": lambda _: dx.jit(lambda: f(x))(), "checkpoint": dx.checkpoint(f),
        "while": lambda x: lax.while_loop(lambda c: False, lambda c: c, x),
        "tree": lambda x: dx.jit(lambda t: f(t["a"][0]))({"a": [x]}),
        "lowered": dx.jit(f).lower(dx.ShapeDtypeStruct(x.shape, dtype)).compile(),
    }  # fmt: skip
    for name, g in functions.items():
        for _ in range(3):
            found, expected = g(x), g(native)
            assert found.dtype.isnative and found.dtype == expected.dtype, name
            np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_types():
    for dtype in DTYPES:
        native = np.dtype(dtype).newbyteorder("=")
        assert dx.ShapedArray((2,), dtype) is dx.ShapedArray((2,), native)
        assert dx.ShapeDtypeStruct((2,), dtype) == dx.ShapeDtypeStruct((2,), native)
        assert dx.typeof(np.ones(2, dtype)) is dx.typeof(np.ones(2, native))
        assert dnp.promote_types(dtype, dtype).isnative and dnp.result_type(dtype).isnative
    indices = np.array([2, 0]).astype(">i8")
    assert dnp.arange(3.0)[indices].tolist() == [2.0, 0.0]
    assert dx.jit(lambda x: x[indices])(dnp.arange(3.0)).tolist() == [2.0, 0.0]
