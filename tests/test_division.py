"""Division that floors, and its remainders: NumPy's numbers to the last bit, in every mode."""

from __future__ import annotations

import warnings
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import diffeo as dx
from tests.checks import close

dnp = dx.numpy
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

FLOATS = [np.dtype(d) for d in ("float16", ml_dtypes.bfloat16, "float32", "float64")]
INTEGERS = [np.dtype(f"{k}{n}") for k in "iu" for n in (1, 2, 4, 8)]
FUNCTIONS = ["floor_divide", "remainder", "fmod", "divmod"]


def points(dtype):
    """Numbers of a dtype that are hard to divide, in pairs."""
    rng = np.random.default_rng(0)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        own = [v for v in (0, 1, 2, 3, 7, -1, -2, -7) if info.min <= v]
        edge = np.array([*own, info.min, info.min + 1, info.max, info.max // 2], dtype)
        some = rng.integers(info.min, info.max, (2, 200), dtype, endpoint=True)
        small = rng.integers(max(-9, info.min), 9, (2, 200)).astype(dtype)
        x, y = np.concatenate([some, [some[0], small[1]], small], axis=1)
    else:
        info = ml_dtypes.finfo(dtype)
        edge = np.array([0.0, 1.0, 0.1, 0.3, 3.0, 5.5, 1e3, np.inf, info.max, info.tiny], dtype)
        edge = np.concatenate([edge, -edge, np.array([np.nan], dtype)])
        tenths = (np.arange(-300, 300) / 10).astype(dtype)
        spread = 10.0 ** rng.uniform(-3.5, 3.5, (2, 300)) * rng.choice([-1, 1], (2, 300))
        near = np.array([k * b for b in (0.1, 0.7, 1 / 3) for k in range(100)])
        x = np.concatenate([tenths, spread[0].astype(dtype), near.astype(dtype)])
        y = np.concatenate(
            [np.full(600, 0.1, dtype), spread[1].astype(dtype), np.repeat([0.1, 0.7, 1 / 3], 100)]
        ).astype(dtype)
    pairs = np.meshgrid(edge, edge)
    return np.concatenate([pairs[0].ravel(), x]), np.concatenate([pairs[1].ravel(), y])


def same(found, expected):
    """Arrays, or tuples of them, are equal bit by bit, but for the bits of nan."""
    if not isinstance(expected, tuple):
        found, expected = (found,), (expected,)
    for a, b in zip(found, expected, strict=True):
        a = np.asarray(a)
        assert a.dtype == b.dtype and a.shape == b.shape
        if a.dtype.kind not in "iub":
            a, b = (np.asarray(v, np.float64) for v in (a, b))
            assert np.array_equal(np.signbit(a) | (a != a), np.signbit(b) | (b != b)), "signs"
        np.testing.assert_array_equal(a, b)


def all_of(functions, *pairs):
    """The results of all functions on all pairs."""
    return [getattr(functions, name)(x, y) for name in FUNCTIONS for x, y in pairs]


def all_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        same(a, b)


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
def test_numbers_are_numpys(dtype):
    x, y = points(dtype)
    expected = all_of(np, (x, y))
    all_same(all_of(dnp, (dnp.asarray(x), dnp.asarray(y))), expected)
    all_same(dx.jit(lambda x, y: all_of(dnp, (x, y)))(x, y), expected)
    all_same(dx.vmap(lambda x, y: all_of(dnp, (x, y)))(x, y), expected)


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
def test_with_python_numbers(dtype):
    x = np.unique(points(dtype)[0])
    numbers = [3, 0, 7] if dtype.kind in "iu" else [3.0, 0.0, 0.1]
    pairs = lambda x, of=lambda n: n: [p for n in numbers for p in ((x, of(n)), (of(n), x))]
    expected = all_of(np, *pairs(x, dtype.type))
    all_same(all_of(dnp, *pairs(dnp.asarray(x))), expected)
    all_same(dx.jit(lambda x: all_of(dnp, *pairs(x)))(x), expected)


def test_in_batches_and_without_simplification():
    x, y = points(np.dtype(np.float64))
    with dx.config.simplification(False):
        all_same(dx.jit(lambda x, y: all_of(dnp, (x, y)))(x, y), all_of(np, (x, y)))
    rows = dx.vmap(lambda x, y: all_of(dnp, (x, y)), in_axes=(None, 0))
    rows = dx.jit(dx.vmap(rows, in_axes=(0, None)))
    all_same(rows(x[:50], y[:50]), all_of(np, (x[:50, None], y[:50])))


def test_operators_and_protocols():
    x, y = dnp.array([1.0, -1.0, 7.0]), 0.1
    expected = np.array([1.0, -1.0, 7.0])
    for f in (
        lambda x: x // y,
        lambda x: x % y,
        lambda x: divmod(x, y),
        lambda x: y // x,
        lambda x: divmod(y, x),
        lambda x: np.floor_divide(x, y),
        lambda x: np.divmod(x, y),
        lambda x: np.mod(x, y),
        lambda x: np.fmod(x, y),
    ):
        same(f(x), f(expected))
        same(dx.jit(f)(x), f(expected))
    assert (1.0 // dnp.array(0.1)) == 9.0 and float(dx.jit(lambda x: 1.0 // x)(0.1)) == 9.0


def test_booleans_are_small_integers():
    x, y = np.array([True, True, False, False]), np.array([True, False, True, False])
    pairs = lambda x, y: ((x, y), (x, True), (x, 3))
    expected = all_of(np, *pairs(x, y))
    all_same(all_of(dnp, *pairs(dnp.asarray(x), dnp.asarray(y))), expected)
    all_same(dx.jit(lambda x, y: all_of(dnp, *pairs(x, y)))(x, y), expected)


def test_integers_by_zero_warn_in_eager_mode():
    for name in FUNCTIONS:
        with pytest.warns(RuntimeWarning, match="divide by zero"):
            getattr(dnp, name)(dnp.array([1, 2]), dnp.array([0, 1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(dx.jit(dnp.floor_divide)(np.array([1, 2]), np.array([0, 1])), np.array([0, 2]))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_parts_of_numbers(dtype):
    x = np.unique(np.concatenate(points(dtype)))
    x = np.concatenate([x, np.array([-0.0, 0.0, -1.0, 2.0, -2.5], dtype)])
    for f in (dnp.modf, dx.jit(dnp.modf), dx.vmap(dnp.modf)):
        same(f(dnp.asarray(x)), np.modf(x))
    for name in ("trunc", "floor", "ceil", "rint"):
        same(getattr(dnp, name)(dnp.asarray(x)), getattr(np, name)(x))
        if ml_dtypes.finfo(dtype).tiny not in x:
            same(dx.jit(getattr(dnp, name))(x), getattr(np, name)(x))
    close(dx.grad(lambda x: dnp.modf(x)[0] * 3 + dnp.modf(x)[1])(2.5), 3.0)


numbers = st.floats(-1e6, 1e6).map(lambda v: 0.0 if abs(v) < 1e-6 else v)


@given(x=numbers, y=numbers.filter(bool))
def test_the_law_of_division(x, y):
    q, r = (float(v) for v in divmod(dnp.asarray(x), dnp.asarray(y)))
    exact = Fraction(x) // Fraction(y)
    assert abs(r) <= abs(y) and (r == 0 or (r > 0) == (y > 0))
    assert Fraction(q) == exact or abs(exact) > 2**52
    assert abs(Fraction(q) * Fraction(y) + Fraction(r) - Fraction(x)) <= 2e-16 * max(abs(x), abs(y))
    assert np.copysign(1, r) == np.copysign(1, y)


#: Operands at which all four are smooth, small quotients and large ones, of all signs.
SMOOTH = [(7.3, 2.1), (-7.3, 2.1), (7.3, -2.1), (-7.3, -2.1), (0.5, 0.1), (1.0, 0.1), (3e5, 0.7)]


@pytest.mark.parametrize("x, y", SMOOTH)
@pytest.mark.parametrize("name, whole", [("remainder", np.floor), ("fmod", np.trunc)])
def test_derivatives_are_those_of_x_minus_a_multiple_of_y(name, whole, x, y):
    f = getattr(dnp, name)
    n = Fraction(x) / Fraction(y)
    n = float(n.__floor__() if whole is np.floor else n.__trunc__())
    for way in (dx.grad(f, (0, 1)), dx.jit(dx.grad(f, (0, 1))), dx.jacfwd(f, (0, 1))):
        close([float(v) for v in way(x, y)], [1.0, -n])
    rows = dx.vmap(dx.grad(f, (0, 1)))(dnp.array([x, x]), dnp.array([y, y]))
    close([float(v[1]) for v in rows], [1.0, -n])
    close(dx.grad(lambda y: dx.grad(f, 1)(x, y))(y), 0.0)
    close([float(v) for v in dx.derivatives(lambda t: f(x + t, y), 0.0, 2)][1:], [1.0, 0.0])
    close([float(v) for v in dx.grad(dnp.floor_divide, (0, 1))(x, y)], [0.0, 0.0])
    both = lambda x, y: divmod(x, y)[0] * 5.0 + divmod(x, y)[1]
    close(float(dx.grad(both, 1)(x, y)), -float(Fraction(x) // Fraction(y)))


def test_derivatives_where_the_divisor_is_infinite_or_the_result_is_not_used():
    close([float(v) for v in dx.grad(dnp.remainder, (0, 1))(2.0, np.inf)], [1.0, 0.0])
    for name in ("remainder", "fmod"):
        f = lambda x, y, name=name: dnp.where(y == 0, 0.0, getattr(dnp, name)(x, y))
        close([float(v) for v in dx.grad(f, (0, 1))(2.0, 0.0)], [0.0, 0.0])
        close([float(v) for v in dx.jit(dx.grad(f, (0, 1)))(2.0, 0.0)], [0.0, 0.0])
