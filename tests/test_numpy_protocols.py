"""Plain NumPy code on diffeo's values: np.sin(tracer), A @ x, np.linalg.norm, fallbacks, errors."""

from __future__ import annotations

import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp
from diffeo.primitives.operators import NUMPY

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
    for got in (f(dnp.asarray(x)), dx.jit(f)(x), dx.vmap(f)(np.stack([x, x]))[1]):
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
            (m.sum(), A.sum()), (m.mean(0), A.mean(0)), (m.T, A.T), (m.mT, A.T),
            (m.transpose(1, 0), A.T), (m.transpose((1, 0)), A.T), (m.reshape(-1), A.ravel()),
            (m.reshape((6,)), A.ravel()), (m.reshape(3, 2), A.reshape(3, 2)),
            (m.astype(int), A.astype(int)), (m.argsort(1), A.argsort(1)),
            (m.std(axis=1), A.std(axis=1)), (m.argmin(1), A.argmin(1)), (m.dot(x), A.dot(x)),
            (m.real, A), (m.imag, 0 * A), (m.conj(), A), (m.trace(), A.trace()), (m.all(), True),
            (m.swapaxes(0, 1), A.T), (m.squeeze(), A), (m.round(1), A.round(1)),
            (m.flatten(), A.ravel()), (m.copy(), A), (m.var(), A.var()),
            (m.sort(), np.sort(A)), (m.take(np.array([1, 0])), A.take([1, 0])), (m.max(), A.max())]:
        assert isinstance(got, dx.Array) and got.shape == np.shape(want)
        np.testing.assert_allclose(got, want)
    traced = dx.jit(lambda m: [m.trace(), m.var(), m.T, m.at[0].get(), m.sum(1), m.real])(A)
    np.testing.assert_allclose(traced[1], A.var())
