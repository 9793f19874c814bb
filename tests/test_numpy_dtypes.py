"""diffeo.numpy: dtypes, weak numbers, errors."""

from __future__ import annotations

import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp


def test_dtypes():
    f32, i32 = dnp.ones(2, "float32"), dnp.ones(2, "int32")
    assert (f32 * 2.0).dtype == (f32 + i32).dtype == np.float32
    assert (f32 * dnp.ones(2, "int64")).dtype == np.float32
    assert dnp.sin(i32).dtype == np.float64 and dnp.mean(i32).dtype == np.float64
    assert dnp.sum(i32).dtype == np.int64 and dnp.sum(f32).dtype == np.float32
    assert dnp.sum(f32 > 0).dtype == np.int64 and dnp.sum(dnp.ones(2, "uint8")).dtype == np.uint64
    assert dnp.asarray(2.0).weak_type and not dnp.array([2.0]).weak_type
    assert (dnp.asarray(2.0) * f32).dtype == np.float32 and dnp.zeros(2).dtype == np.float64
    assert dnp.array([np.float32(1), 2.0]).dtype == np.float32
    assert dnp.array([f32[0], 1]).dtype == np.float32
    assert dnp.where(True, 1, f32).dtype == dnp.stack([f32[0], 1.0]).dtype == np.float32
    assert dnp.where(f32 > 0, 1.0, 0.0).weak_type and not dnp.where(f32 > 0, f32, 0.0).weak_type
    assert dx.jit(lambda a: dnp.searchsorted(a, 0.5))(f32) == dnp.searchsorted(f32, 0.5) == 0
    assert dnp.arange(3).dtype == np.int64 and dnp.linspace(0, 1, 3).dtype == np.float64
    assert dnp.sum(dnp.ones(60000, "float16") / 1000).dtype == np.float16
    assert dnp.mean(dnp.full(70000, 2.0, "float16")) == 2
    with dx.config.defaults(32):
        assert dnp.zeros(2).dtype == dnp.array([1.0]).dtype == dnp.arange(3.0).dtype == np.float32
        assert dnp.array([1]).dtype == np.int32 and dnp.sin(dnp.array([1])).dtype == np.float32
        assert dnp.array(np.ones(2)).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: m.sin([1.0]), TypeError, "dx.numpy.array"),
        (lambda m: m.ones(3) + [1, 2, 3], TypeError, "unsupported operand"),
        (lambda m: m.array("text"), TypeError, "expected numbers"),
        (lambda m: m.array(None), TypeError, "expected numbers"),
        (lambda m: m.array([[1, 2], [3]]), ValueError, "inhomogeneous"),
        (lambda m: m.array([m.ones(2), m.ones(3)]), ValueError, "equal shapes"),
        (lambda m: m.array(["a"]), TypeError, "expected numbers"),
        (lambda m: m.array(2**70), OverflowError, "int64"),
        (lambda m: m.array([300], "uint8"), OverflowError, "300"),
        (lambda m: m.ones(3) + m.ones(4), ValueError, r"shapes \(3,\) and \(4,\) do not broadcast"),
        (lambda m: m.zeros(-1), ValueError, "negative"),
        (lambda m: m.zeros(2.5), TypeError, "integer"),
        (lambda m: m.sum(m.ones(3), axis=1), ValueError, "axis 1 is out of bounds"),
        (lambda m: m.sum(m.ones((3, 3)), axis=(0, 0)), ValueError, "twice"),
        (lambda m: m.max(m.zeros(0)), ValueError, "initial"),
        (lambda m: m.sum(m.ones(2), out=np.zeros(())), TypeError, "out"),
        (lambda m: m.mean(m.ones(2), out=np.zeros(())), TypeError, "out"),
        (lambda m: m.argmax(m.zeros(0)), ValueError, "no elements"),
        (lambda m: m.reshape(m.ones(6), (4, -1)), ValueError, "cannot take the shape"),
        (lambda m: m.ones(6).reshape(4), ValueError, "cannot take the shape"),
        (lambda m: m.squeeze(m.ones((2, 1)), 0), ValueError, "size 1"),
        (lambda m: m.concatenate([m.ones((2, 2)), m.ones(3)]), ValueError, "agree but for axis"),
        (lambda m: m.concatenate([]), ValueError, "at least one"),
        (lambda m: m.stack([m.ones(2), m.ones(3)]), ValueError, "one shape"),
        (lambda m: m.split(m.ones(5), 2), ValueError, "array_split"),
        (lambda m: m.matmul(m.ones((2, 3)), m.ones((2, 3))), ValueError, "do not fit"),
        (lambda m: m.ones((2, 3)) @ m.ones(2), ValueError, "do not fit"),
        (lambda m: m.dot(m.ones(2), m.ones(3)), ValueError, "do not fit"),
        (lambda m: m.einsum("ij,jk", m.ones((2, 3)), m.ones((2, 3))), ValueError, "einsum"),
        (lambda m: m.einsum("ij->k", m.ones((2, 3))), ValueError, "einsum"),
        (lambda m: m.einsum("ijk", m.ones((2, 3))), ValueError, "einsum"),
        (lambda m: m.transpose(m.ones((2, 3)), (0,)), ValueError, "all 2 axes"),
        (lambda m: m.broadcast_to(m.ones(3), (3, 2)), ValueError, "broadcast"),
        (lambda m: m.take(m.ones(3), m.array([3])), IndexError, "out of bounds"),
        (lambda m: m.take_along_axis(m.ones(3), m.array([3]), 0), IndexError, "out of bounds"),
        (lambda m: m.pad(m.ones(3), 1, mode="average"), ValueError, "must be one of"),
        (lambda m: m.arange(0, 1, 0), ValueError, "step"),
        (lambda m: m.linalg.norm(m.ones((2, 2)), 3), ValueError, "fro"),
        (lambda m: m.where(m.ones(2) > 0, 1.0), TypeError, "both x and y"),
    ],
)
def test_errors(call, error, words):
    for run in (call, lambda m: dx.jit(lambda: call(m))()):
        with pytest.raises(error, match=words):
            run(dnp)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, n: dnp.zeros(n),
        lambda x, n: dnp.reshape(x, (n, -1)),
        lambda x, n: dnp.arange(n),
        lambda x, n: dnp.sum(x, axis=n),
        lambda x, n: dnp.linspace(0, 1, n),
        lambda x, n: x[:n],
        lambda x, n: dnp.eye(n),
        lambda x, n: dnp.broadcast_to(x, (n, 4)),
        lambda x, n: dnp.unique(x),
        lambda x, n: dnp.nonzero(x),
        lambda x, n: dnp.where(x),
        lambda x, n: dnp.tile(x, n),
        lambda x, n: dnp.repeat(x, n),
        lambda x, n: dnp.split(x, n),
        lambda x, n: dnp.roll(x, 1, axis=n),
    ],
)
def test_traced_sizes(call):
    with pytest.raises(dx.errors.ConcretizationTypeError, match=r"test_numpy_dtypes\.py"):
        dx.jit(call)(dnp.arange(4.0), 2)


def test_sizes_given_for_traced_values():
    x = dnp.array([0, 3, 0, 4, 5])
    f = dx.jit(lambda x: dnp.nonzero(x, size=4, fill_value=-1))
    np.testing.assert_array_equal(f(x)[0], [1, 3, 4, -1])
    np.testing.assert_array_equal(dx.jit(lambda x: dnp.nonzero(x, size=2))(x)[0], [1, 3])
    m = dnp.array([[0, 1], [1, 0]])
    np.testing.assert_array_equal(
        dx.jit(lambda m: dnp.argwhere(m, size=3, fill_value=9))(m), [[0, 1], [1, 0], [9, 9]]
    )
    np.testing.assert_array_equal(dnp.argwhere(m), np.argwhere(np.asarray(m)))
    np.testing.assert_array_equal(dnp.where(m)[0], np.where(np.asarray(m))[0])
    count = dx.jit(lambda x: dnp.bincount(x, length=6))
    np.testing.assert_array_equal(count(x), [2, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(dnp.bincount(x, minlength=8), np.bincount(x, minlength=8))
    np.testing.assert_array_equal(
        dx.jit(lambda r: dnp.repeat(dnp.array([7, 8]), r, total_repeat_length=4))(
            dnp.array([1, 3])
        ),
        [7, 8, 8, 8],
    )
    np.testing.assert_array_equal(dx.jit(lambda x, k: dnp.roll(x, k))(x, 2), np.roll(x, 2))
    np.testing.assert_array_equal(dnp.unique(x), [0, 3, 4, 5])
    assert [len(p) for p in dnp.unique(x, return_counts=True)] == [4, 4]
    np.testing.assert_array_equal(dnp.union1d(x, np.array([9])), [0, 3, 4, 5, 9])


def test_lists_that_hold_traced_values():
    f = dx.jit(lambda a, b: dnp.array([[a, 1.0], [b, 2]]))
    np.testing.assert_array_equal(f(5.0, 6.0), [[5, 1], [6, 2]])
    np.testing.assert_array_equal(dx.grad(lambda x: dnp.array([x, x * x]).sum())(3.0), 7)
    np.testing.assert_array_equal(dnp.stack([1.0, 2.0]), [1, 2])
    np.testing.assert_array_equal(dnp.concatenate([[1.0], dnp.ones(1)]), [1, 1])


def test_every_function_is_documented():
    for name in dnp.__all__:
        value = getattr(dnp, name)
        if callable(value) and not isinstance(value, type):
            assert value.__doc__, name


@pytest.mark.parametrize("period", [4, 5, 4.0, 2.5])
def test_unwrap_of_integers(period):
    p = np.array([[0, 10, 0, 2, 4], [7, 5, 3, 1, -1]])
    for run in (dnp.unwrap, dx.jit(dnp.unwrap, static_argnames="period")):
        result, expected = run(p, period=period), np.unwrap(p, period=period)
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result, expected)
