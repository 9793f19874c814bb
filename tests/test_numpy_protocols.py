"""Plain NumPy code on diffeo's values: np.sin(tracer), A @ x, np.linalg.norm, fallbacks, errors."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp
from diffeo.primitives.words.operators import NUMPY

A = np.array([[1.0, 2.0, -0.5], [0.3, -1.0, 2.0]])
x = np.array([0.4, -1.2, 2.2])

PROGRAMS = {
    "ufuncs": lambda x: np.sin(x) * np.exp(-x) + np.maximum(x, 0.5) - np.arctan2(x, 2.0),
    "products": lambda x: A @ x + np.dot(A, x) * np.matmul(A, x),
    "reflected": lambda x: np.float64(2) * x + x * np.float32(0.5) - np.ones(3) / (x + 3),
    "reductions": lambda x: np.sum(np.sin(x) * x) + np.mean(x) + x.sum() + np.std(x) + np.max(x),
    "reduce": lambda x: np.add.reduce(x) * np.multiply.reduce(x) + np.maximum.reduce(x),
    "shapes": lambda x: np.concatenate([x, x * x]).reshape(2, 3).T + np.stack([x, x], axis=1),
    "einsum": lambda x: np.einsum("ij,j->i", A, x) + np.tensordot(A, x, 1) + np.inner(A, x),
    "linalg": lambda x: np.linalg.norm(x) * np.linalg.norm(np.outer(x, x), axis=0),
    "where": lambda x: np.where(x > 0, np.sqrt(np.abs(x)), np.zeros(3)),
    "places": lambda x: np.diff(x, prepend=0.0) + x.cumsum() + np.flip(np.sort(x)) + np.roll(x, 1),
    "methods": lambda x: x.clip(-1, 1).cumsum().reshape(3, 1).repeat(2, axis=1).T.max(axis=0),
    "lists": lambda x: np.array([1.0, 2.0, 3.0]) * np.square(x) + np.hstack([x[0], x[1:]]),
    "compare": lambda x: np.logical_and(x > 0, np.less(x, 1)) + np.isfinite(x) * 2.0,
    "like": lambda x: np.zeros_like(x) + np.ones_like(x) * 2 + np.full_like(x, 3.0) + x,
    "interp": lambda x: np.interp(x, np.array([-2.0, 0.0, 3.0]), np.array([1.0, 5.0, 2.0])),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_numpy_code_runs_as_it_does_in_numpy(name):
    f = PROGRAMS[name]
    want = f(x)
    np.testing.assert_allclose(f(dnp.asarray(x)), want, rtol=1e-12)
    for got in (dx.jit(f)(x), dx.vmap(f)(np.stack([x, x]))[1]):
        assert isinstance(got, dx.Array)
        np.testing.assert_allclose(got, want, rtol=1e-12)
    loss = lambda x: np.sum(f(x) ** 2)
    step = 1e-6
    slope = [(loss(x + step * e) - loss(x - step * e)) / (2 * step) for e in np.eye(3)]
    np.testing.assert_allclose(dx.grad(loss)(x), slope, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(dx.jit(dx.grad(loss))(x), slope, rtol=1e-5, atol=1e-7)


def test_every_function_of_the_same_name_is_found():
    for theirs, ours in ((np, dnp), (np.linalg, dnp.linalg), (np.fft, dnp.fft)):
        for name in ours.__all__:
            function = getattr(theirs, name, None)
            if function is getattr(ours, name) or isinstance(function, type):
                continue  # of dtypes, not of arrays
            if callable(function):
                assert NUMPY[function].__module__.startswith("diffeo")


def test_unknown_functions():
    array = dnp.asarray(A)
    np.testing.assert_allclose(np.linalg.matrix_rank(array), 2)  # NumPy's, on a concrete array
    whole = dnp.arange(3)
    assert isinstance(np.real_if_close(whole), np.ndarray)
    for call in (lambda x: np.real_if_close(x), lambda x: np.nan_to_num([x])):
        with pytest.raises(TypeError):
            dx.jit(call)(x)
    with pytest.raises(TypeError, match=r"np\.real_if_close is not supported on a traced value"):
        dx.jit(lambda n: np.real_if_close(n))(whole)
    with pytest.raises(TypeError, match="cannot write into an array"):
        dx.jit(lambda x: np.add(np.ones(3), x, out=np.zeros(3)))(x)

    def in_place(x):
        total = np.zeros(3)
        total += x
        return total

    with pytest.raises(TypeError, match="in-place operator"):
        dx.grad(lambda x: in_place(x).sum())(x)


def test_python_protocols():
    array = dnp.asarray(x)
    assert array.__array_namespace__() is dnp
    assert len(array) == 3 and [float(v) for v in array] == x.tolist()
    assert np.asarray(array).base is not None and not np.asarray(array).flags.writeable
    np.testing.assert_array_equal(np.from_dlpack(array), x)
    np.testing.assert_array_equal(dnp.from_dlpack(x), x)
    assert dx.jit(lambda x: [v * 2 for v in x])(x)[2] == 4.4
    first, *rest = dx.jit(lambda x: tuple(x))(x)
    assert first == 0.4 and len(rest) == 2
    assert np.shape(array) == (3,) and np.ndim(array) == 1 and np.size(array) == 3


def test_methods():
    m = dnp.asarray(A)
    for got, want in [
        (m.sum(), A.sum()),
        (m.mean(0), A.mean(0)),
        (m.T, A.T),
        (m.mT, A.T),
        (m.transpose(1, 0), A.T),
        (m.transpose((1, 0)), A.T),
        (m.reshape(-1), A.ravel()),
        (m.reshape((6,)), A.ravel()),
        (m.reshape(3, 2), A.reshape(3, 2)),
        (m.astype(int), A.astype(int)),
        (m.argsort(1), A.argsort(1)),
        (m.std(axis=1), A.std(axis=1)),
        (m.argmin(1), A.argmin(1)),
        (m.dot(x), A.dot(x)),
        (m.real, A),
        (m.imag, 0 * A),
        (m.conj(), A),
        (m.trace(), A.trace()),
        (m.all(), True),
        (m.swapaxes(0, 1), A.T),
        (m.squeeze(), A),
        (m.round(1), A.round(1)),
        (m.flatten(), A.ravel()),
        (m.copy(), A),
        (m.var(), A.var()),
        (m.sort(), np.sort(A)),
        (m.take(np.array([1, 0])), A.take([1, 0])),
        (m.max(), A.max()),
    ]:
        assert isinstance(got, dx.Array) and got.shape == np.shape(want)
        np.testing.assert_allclose(got, want)
    traced = dx.jit(lambda m: [m.trace(), m.var(), m.T, m.at[0].get(), m.sum(1), m.real])(A)
    np.testing.assert_allclose(traced[1], A.var())


def test_in_place_operators_of_numpys_arrays():
    d = dnp.array([1.0, 2.0, 3.0])
    for op in (
        operator.isub,
        operator.iadd,
        operator.imul,
        operator.itruediv,
        operator.ipow,
        operator.ifloordiv,
        operator.imod,
    ):
        a = np.array([5.0, 6.0, 7.0])
        want = op(a.copy(), np.asarray(d))
        assert op(a, d) is a
        np.testing.assert_array_equal(a, want)
    square = np.eye(3)
    square @= dnp.ones((3, 3))
    np.testing.assert_array_equal(square, np.ones((3, 3)))
    bits = np.zeros(3, int)
    bits |= dnp.array([1, 2, 4])
    np.testing.assert_array_equal(bits, [1, 2, 4])
    bits[...] = dnp.array([7, 8, 9])
    bits[0] = dnp.asarray(6)
    np.testing.assert_array_equal(bits, [6, 8, 9])
    with pytest.raises(TypeError, match=r"[Cc]ast"):
        bits += d
    out = np.zeros(3)
    assert np.add(d, 1.0, out=out) is out and np.mean(dnp.ones((3, 2)), axis=1, out=out) is out
    np.add.at(out, [0, 0], dnp.array([1.0, 2.0]))
    np.testing.assert_array_equal(out, [4, 1, 1])
    with pytest.raises(TypeError, match="never changes"):
        np.add(d, d, out=d)
    for transform in (dx.jit, dx.vmap, lambda f: dx.grad(lambda v: f(v).sum())):
        for f in (
            lambda v: operator.isub(np.zeros(3), v),
            lambda v: np.exp(v, out=np.zeros(3)),
            lambda v: np.mean(v, out=np.zeros(())),
        ):
            with pytest.raises(TypeError, match="cannot write into an array"):
                transform(f)(d)


def test_traced_values_are_arrays():
    seen = []

    def f(v):
        seen.append(isinstance(v, dx.Array) and isinstance(v, dnp.ndarray))
        return v * 2.0

    for transform in (
        dx.jit,
        dx.grad,
        dx.vmap,
        lambda f: dx.jit(dx.grad(f)),
        lambda f: lambda v: dx.jvp(f, (v,), (v,)),
    ):
        transform(f)(np.ones(2) if transform is dx.vmap else 1.0)
    assert len(seen) >= 5 and all(seen)
    assert isinstance(dnp.ones(2), dx.Array)
    for other in (np.ones(2), np.float64(1), 1.0, [1.0], None):
        assert not isinstance(other, dx.Array)


def test_lists_of_traced_values():
    f = lambda a, b: (
        dnp.array([[a, b + 1], [2, a * b]]),
        dnp.asarray(((a, 1), (2, b))),
        np.stack([a, b]),
        dnp.array([dnp.stack([a, b]), [1, 2]]),
        dnp.array([a, 2.5]),
    )
    want = f(1.0, 2.0)
    for got in (dx.jit(f)(1.0, 2.0), [v[0] for v in dx.vmap(f)(dnp.ones(1), dnp.full(1, 2.0))]):
        for v, w in zip(got, want):
            np.testing.assert_array_equal(v, w)
            assert v.dtype == w.dtype
    assert float(dx.grad(lambda a: dnp.array([a, a * a, 1.0]).sum())(3.0)) == 7.0
    with pytest.raises(TypeError, match=r"dx.numpy.array\(\[a, b\]\)"):
        dx.jit(lambda a, b: np.array([a, b]))(1.0, 2.0)
