"""Comparisons of integers are those of the numbers, whatever their dtypes hold."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import diffeo as dx

dnp = dx.numpy
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

SIX = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
NAMES = ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]
INTEGERS = [np.dtype(f"{k}{n}") for k in "iu" for n in (1, 2, 4, 8)]
NUMBERS = [0, -1, 5, 127, 128, 255, 256, -128, -129, 300, 2**31, -(2**31) - 1, 2**63, -(2**63) - 1]
NUMBERS += [2**64 - 1, 2**64, 2**70, -(2**70)]


def edges(dtype):
    info = np.iinfo(dtype)
    return np.array([info.min, info.max, 0, 5, info.max // 2], dtype)


def truth(compare, x, y):
    """What Python's own integers say."""
    x, y = np.broadcast_arrays(np.asarray(x, object), np.asarray(y, object))
    return np.array([compare(int(a), int(b)) for a, b in zip(x.ravel(), y.ravel())]).reshape(
        x.shape
    )


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_pythons_integers_of_any_size(dtype):
    x = edges(dtype)

    def answers(x):
        found = [c(*p) for c in SIX for n in NUMBERS for p in ((x, n), (n, x))]
        return found + [getattr(dnp, name)(x, n) for name in NAMES for n in NUMBERS]

    expected = [truth(c, *p) for c in SIX for n in NUMBERS for p in ((x, n), (n, x))]
    expected += [truth(c, x, n) for c in SIX for n in NUMBERS]
    for found in (answers(dnp.asarray(x)), dx.jit(answers)(x), dx.vmap(answers)(x)):
        for a, b in zip(found, expected, strict=True):
            assert a.dtype == bool
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_traced_numbers(dtype):
    x = edges(dtype)
    plain = lambda x, n: [c(x, n) for c in SIX]
    wrapped = lambda x, n: [c(x, dnp.asarray(n)) for c in SIX]
    ways = [plain, wrapped, dx.jit(plain), dx.jit(wrapped)]
    for n in [n for n in NUMBERS if -(2**63) <= n < 2**63]:
        expected = [truth(c, x, n) for c in SIX]
        for f in ways:
            np.testing.assert_array_equal(f(dnp.asarray(x), n), expected)
        np.testing.assert_array_equal(ways[2](x, np.int64(n)), expected)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_of_two_dtypes(dtype):
    x, others = edges(dtype)[:, None], [edges(other) for other in INTEGERS]
    f = lambda x, ys: [[c(x, y) for c in SIX] for y in ys]
    expected = [[truth(c, x, y) for c in SIX] for y in others]
    np.testing.assert_array_equal(f(dnp.asarray(x), [dnp.asarray(y) for y in others]), expected)
    np.testing.assert_array_equal(dx.jit(f)(x, others), expected)


def test_functions_that_compare():
    u, i = np.array([3, 250], np.uint8), np.array([3, -250])
    calls = [
        lambda np, u, i: np.clip(u, 0, 300), lambda np, u, i: np.clip(u, -1, None),
        lambda np, u, i: np.clip(u, -5, 500), lambda np, u, i: np.clip(u, -1, 3),
        lambda np, u, i: np.clip(u, 5, 300), lambda np, u, i: u.clip(-5, 500),
        lambda np, u, i: np.clip(i, -(2**70), 2**70), lambda np, u, i: np.isin(u, 300),
        lambda np, u, i: np.isclose(u, 300), lambda np, u, i: np.searchsorted(u, 300),
        lambda np, u, i: np.searchsorted(u, -1), lambda np, u, i: np.searchsorted(u, 250),
        lambda np, u, i: np.searchsorted(u, 250, "right"), lambda np, u, i: np.any(u == 300),
        lambda np, u, i: np.array_equal(u, 300), lambda np, u, i: np.count_nonzero(u != 300),
    ]  # fmt: skip
    for call in calls:
        expected = call(np, u, i)
        for found in (
            call(dnp, dnp.asarray(u), dnp.asarray(i)),
            dx.jit(lambda u, i, call=call: call(dnp, u, i))(u, i),
        ):
            np.testing.assert_array_equal(found, expected)


def test_integers_that_become_floats_need_not_fit():
    u = np.array([3, 250], np.uint8)
    calls = [
        lambda np, u: u / 300, lambda np, u: 300 / u, lambda np, u: np.arctan2(u, 300),
        lambda np, u: np.hypot(u, 300), lambda np, u: np.copysign(u, -300),
        lambda np, u: np.logaddexp(u, 300), lambda np, u: np.heaviside(u, 300),
    ]  # fmt: skip
    wide = np.asarray(u, float)
    for call in calls:
        for found in (call(dnp, dnp.asarray(u)), dx.jit(lambda u, call=call: call(dnp, u))(u)):
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, call(np, wide), 1e-14)


@pytest.mark.parametrize("call", [
    lambda u: dnp.maximum(u, 300), lambda u: dnp.minimum(u, -1), lambda u: dnp.fmax(u, 300),
    lambda u: dnp.where(u > 3, u, 300), lambda u: dnp.clip(u, 300, None), lambda u: u + 300,
    lambda u: dnp.clip(u, None, -1), lambda u: u & 300, lambda u: u // -1, lambda u: u % 300,
])  # fmt: skip
def test_numbers_that_would_have_to_fit_are_refused(call):
    u = np.array([3, 250], np.uint8)
    for f in (lambda u: call(dnp.asarray(u)), dx.jit(call)):
        with pytest.raises(OverflowError, match=r"integer -?\d+ does not fit into uint8"):
            f(u)


def test_floats_and_booleans():
    b, x = np.array([True, False]), np.array([1.5, 2.0], np.float32)
    for v, n in ((b, 300), (b, -1), (b, 1), (x, 10**40), (x, -(2**200)), (x, 2)):
        for c in SIX:
            f = lambda v, c=c, n=n: c(v, n)
            np.testing.assert_array_equal(f(dnp.asarray(v)), c(v, n))
            np.testing.assert_array_equal(dx.jit(f)(v), c(v, n))
