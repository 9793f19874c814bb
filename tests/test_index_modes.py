"""What happens to indices out of bounds, in each of NumPy's modes; lists as indices."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp

X = np.arange(12.0).reshape(3, 4)
PLACES = np.array([-1, -9, 0, 2, 3, 9])


def all_ways(f, i):
    """Eager, compiled with known and with traced indices, and mapped over."""
    yield f(dnp.asarray(i))
    yield dx.jit(lambda: f(i))()
    yield dx.jit(f)(i)
    yield dx.vmap(f)(dnp.asarray(i)[None])[0]


@pytest.mark.parametrize("mode", ["clip", "wrap"])
@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8", "uint32"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_take(mode, dtype, axis):
    i = PLACES.astype(dtype)
    n = X.size if axis is None else X.shape[axis]
    inside = np.clip(i, 0, n - 1) if mode == "clip" else i % n
    for got in all_ways(lambda i: dnp.take(dnp.asarray(X), i, axis, mode=mode), i):
        np.testing.assert_array_equal(got, np.take(X, inside, axis))


@pytest.mark.parametrize("mode", ["clip", "wrap"])
def test_more_places_than_the_dtype_of_indices_counts(mode):
    x, i = np.arange(1000.0), np.array([-1, 100, -128], np.int8)
    for got in all_ways(lambda i: dnp.take(dnp.asarray(x), i, mode=mode), i):
        np.testing.assert_array_equal(got, np.take(x, i, mode=mode))
    for got in all_ways(lambda i: dnp.asarray(x).at[i].get(mode=mode), i):
        np.testing.assert_array_equal(got, x[i])


@pytest.mark.parametrize("mode", ["clip", "wrap"])
def test_derivative_of_take(mode):
    weights, count = np.arange(6.0), np.zeros(3)
    np.add.at(count, np.take(np.arange(3), PLACES, mode=mode), weights)
    f = lambda x, i: (dnp.take(x, i, mode=mode) * weights).sum()
    for transform in (lambda f: f, dx.jit):
        np.testing.assert_array_equal(transform(dx.grad(f))(np.ones(3), PLACES), count)
        _, tangent = transform(lambda t: dx.jvp(lambda x: f(x, PLACES), (np.ones(3),), (t,)))(
            np.arange(3.0)
        )
        assert float(tangent) == count @ np.arange(3.0)


@pytest.mark.parametrize("mode", ["clip", "wrap"])
def test_choose_put_and_multi_indices(mode):
    parts = [np.arange(6.0), -np.arange(6.0), np.ones(6)]
    for got in all_ways(lambda i: dnp.choose(i, parts, mode=mode), PLACES):
        np.testing.assert_array_equal(got, np.choose(PLACES, parts, mode=mode))
    want = X.copy()
    np.put(want, PLACES * 3, np.arange(6.0), mode=mode)
    for got in all_ways(
        lambda i: dnp.put(X, i, np.arange(6.0), mode=mode, inplace=False), PLACES * 3
    ):
        np.testing.assert_array_equal(got, want)
    for order in "CF":
        for modes in (mode, (mode, "clip")):
            want = np.ravel_multi_index((PLACES, PLACES), (3, 4), modes, order)
            ravel = partial(dnp.ravel_multi_index, dims=(3, 4), mode=modes, order=order)
            for got in all_ways(lambda i, ravel=ravel: ravel((i, i)), PLACES):
                np.testing.assert_array_equal(got, want)
        inside = np.arange(12)
        unravel = partial(dnp.unravel_index, shape=(3, 4), order=order)
        for got in all_ways(lambda i, unravel=unravel: dnp.stack(unravel(i)), inside):
            np.testing.assert_array_equal(got, np.unravel_index(inside, (3, 4), order))


def test_known_places_out_of_bounds_are_errors():
    for known in (lambda f: f(), lambda f: dx.jit(f)()):
        for f, error in [
            (lambda: dnp.take(X, [12]), IndexError),
            (lambda: dnp.take(X, [12], mode="raise"), IndexError),
            (lambda: dnp.take(np.zeros(0), [0], mode="clip"), IndexError),
            (lambda: dnp.take(np.zeros(0), [0], mode="wrap"), IndexError),
            (lambda: dnp.choose([-1], [X[0]]), ValueError),
            (lambda: dnp.put(X, [12], 1.0, inplace=False), IndexError),
            (lambda: dnp.unravel_index(12, (3, 4)), ValueError),
            (lambda: dnp.unravel_index(-1, (3, 4)), ValueError),
            (lambda: dnp.ravel_multi_index((3, 0), (3, 4)), ValueError),
        ]:
            with pytest.raises(error):
                known(f)
    # traced ones are moved inside, negative ones counted from the end
    for f, want in [
        (lambda i: dnp.take(X, i), X.ravel()[[11, 3, 0, 2, 3, 9]]),
        (lambda i: dnp.take(X, i, mode="raise"), X.ravel()[[11, 3, 0, 2, 3, 9]]),
        (lambda i: dnp.unravel_index(i, (3,))[0], [2, 0, 0, 2, 2, 2]),
    ]:
        np.testing.assert_array_equal(dx.jit(f)(PLACES), want)


LISTS = [
    (slice(None), [0]), [0, 2], ([0, 1], [1, 2]), ([[0, 1], [1, 2]],), [[0, 1], [1, 2]],
    (slice(None), [True, False, True, False]), [], (Ellipsis, [1]), ([0], None, [1]), (1, [0, 2]),
    (slice(None), (0, 2)), [True, False, True], (slice(None), [[]]),
]  # fmt: skip


@pytest.mark.parametrize("index", LISTS, ids=repr)
def test_lists_as_indices(index):
    for f in (lambda x: x[index], dx.jit(lambda x: x[index])):
        np.testing.assert_array_equal(f(dnp.asarray(X)), X[index])
    want = X.copy()
    want[index] = 7.0
    for f in (lambda x: x.at[index].set(7.0), dx.jit(lambda x: x.at[index].set(7.0))):
        np.testing.assert_array_equal(f(dnp.asarray(X)), want)
    pulled = dx.grad(lambda x: (x[index] ** 2).sum())(dnp.asarray(X))
    want = np.zeros_like(X)
    np.add.at(want, index, 2 * X[index])
    np.testing.assert_array_equal(pulled, want)


def test_lists_of_traced_integers():
    f = lambda a, b: (X_[:, [a, b]], X_[[[a, b], [0, b]]], X_.at[[a, b]].set(7.0))
    X_ = dnp.asarray(X)
    for got in (
        f(1, 2),
        dx.jit(f)(1, 2),
        [v[0] for v in dx.vmap(f)(dnp.array([1]), dnp.array([2]))],
    ):
        np.testing.assert_array_equal(got[0], X[:, [1, 2]])
        np.testing.assert_array_equal(got[1], X[[[1, 2], [0, 2]]])
        np.testing.assert_array_equal(got[2][1:], np.full((2, 4), 7.0))
    with pytest.raises(TypeError, match="integers or booleans"):
        X_[[0.5]]
