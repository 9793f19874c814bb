"""diffeo.random: the bits of jax.random, the laws of the distributions, keys and errors."""

import math
import sys

import ml_dtypes
import numpy as np
import pytest
import scipy.stats

import diffeo as dx
from diffeo import random

SHAPES = [(), (3,), (101,), (2, 0, 3), (3, 5, 7), (1500,)]
SEEDS = [0, 1, 42, -1, 2**31, 2**40 + 12345, -(2**62), 2**63 - 1, -(2**63)]
KEY = random.PRNGKey(7)


def agree(ours, theirs, exact=True, atol=0.0, compiled=True):
    """Eager and compiled results against jax's, for the key of seed 7."""
    for run in (ours, dx.jit(ours))[: 1 + compiled]:
        found, expected = np.asarray(run(KEY)), np.asarray(theirs)
        assert found.shape == expected.shape
        assert found.dtype == expected.dtype
        if exact:
            np.testing.assert_array_equal(found, expected)
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-13 if atol == 0 else 0, atol=atol)


# --------------------------------------------------------------------------------------------------
# Bits, against jax


@pytest.mark.parametrize("seed", SEEDS)
def test_key_is_jaxs(jax, seed):
    np.testing.assert_array_equal(random.key_data(random.key(seed)), jax.random.PRNGKey(seed))
    np.testing.assert_array_equal(random.PRNGKey(seed), random.key_data(random.key(seed)))


@pytest.mark.parametrize(
    "seed", [np.int8(-3), np.int32(-1), np.uint32(7), np.int64(-9), np.uint64(2**63 + 5)]
)
def test_key_of_an_array(jax, seed):
    expected = jax.random.PRNGKey(jax.numpy.asarray(seed))
    np.testing.assert_array_equal(random.PRNGKey(seed), expected)
    np.testing.assert_array_equal(random.key_data(dx.jit(random.key)(seed)), expected)


@pytest.mark.parametrize(
    "shape, dtype",
    [*[(s, "uint64") for s in SHAPES], ((101,), "uint32"), ((9,), "uint16"), ((9,), "uint8")],
    ids=str,
)
def test_bits(jax, shape, dtype):
    key = jax.random.PRNGKey(7)
    agree(lambda k: random.bits(k, shape, dtype), jax.random.bits(key, shape, dtype))


@pytest.mark.parametrize("num", [2, 5, 0, (2, 3), ()], ids=str)
def test_split(jax, num):
    agree(lambda k: random.split(k, num), jax.random.split(jax.random.PRNGKey(7), num))


@pytest.mark.parametrize("data", [0, 7, 2**32 - 1, np.int64(-3), np.uint64(2**33 + 1)], ids=str)
def test_fold_in(jax, data):
    there = data if type(data) is int else jax.numpy.asarray(data)
    agree(lambda k: random.fold_in(k, data), jax.random.fold_in(jax.random.PRNGKey(7), there))


@pytest.mark.parametrize(
    "dtype, bounds",
    [
        ("float64", (0.0, 1.0)),
        ("float64", (-3.0, 2.5)),
        ("float32", (0.1, 0.3)),
        ("float32", (5, 5)),
        ("float16", (-3.0, 2.5)),
        ("bfloat16", (0.0, 1.0)),
    ],
)
def test_uniform(jax, dtype, bounds):
    dtype = np.dtype(dtype)
    expected = jax.random.uniform(jax.random.PRNGKey(7), (7, 43), dtype, *bounds)
    agree(lambda k: random.uniform(k, (7, 43), dtype, *bounds), expected)


def test_uniform_with_array_bounds(jax):
    low, high = np.linspace(-1, 0, 4)[:, None], np.float64(3)
    expected = jax.random.uniform(jax.random.PRNGKey(7), (4, 5), minval=low, maxval=high)
    # Whether the product and the sum are contracted is up to the compiler.
    agree(lambda k: random.uniform(k, (4, 5), minval=low, maxval=high), expected, False, 1e-15)


RANGES = [
    (0, 10),
    (-5, 100),
    (0, 256),
    (-128, 128),
    (0, 2**31),
    (-(2**31), 2**31 - 1),
    (-(2**62), 2**62),
    (0, 2**63 - 1),
    (3, 4),
]


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint32", "uint64", "int8", "uint16"])
def test_randint(jax, dtype):
    key, bits = jax.random.PRNGKey(7), 8 * np.dtype(dtype).itemsize
    for i, (low, high) in enumerate(RANGES):
        if bits < 32 and max(-low, high) > 2**31 - 1:
            continue  # jax wraps such bounds around
        expected = jax.random.randint(key, (30,), low, high, dtype)
        agree(
            lambda k, a=low, b=high: random.randint(k, (30,), a, b, dtype),
            expected,
            compiled=i == 1,
        )
        low, high = np.full((30,), low), np.array(high)
        agree(
            lambda k, a=low, b=high: random.randint(k, (30,), a, b, dtype),
            expected,
            compiled=i == 4,
        )


def test_randint_clips_bounds_of_narrow_dtypes():
    for low, high in ((0, 2**40), (np.array(0), np.array(2**40))):
        numbers = np.asarray(random.randint(KEY, (2000,), low, high, np.uint8))
        assert numbers.min() == 0 and numbers.max() == 255


def test_randint_of_empty_array_ranges_gives_the_minimum(jax):
    low, high = np.array([1, 2, 3]), np.array([1, 0, 4])
    agree(lambda k: random.randint(k, (3,), low, high), np.array([1, 2, 3]))


@pytest.mark.parametrize("n", [0, 1, 10, 1700])
def test_permutation_of_numbers(jax, n):
    agree(lambda k: random.permutation(k, n), jax.random.permutation(jax.random.PRNGKey(7), n))


@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize("axis", [0, -1])
def test_permutation_of_arrays(jax, axis, independent):
    x = np.arange(60.0).reshape(3, 5, 4)
    expected = jax.random.permutation(jax.random.PRNGKey(7), x, axis, independent)
    agree(lambda k: random.permutation(k, x, axis, independent), expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("ndim", [0, 2])
def test_choice(jax, ndim, replace, weighted):
    a = (6, np.arange(6) * 1.5, np.arange(24).reshape(4, 6))[ndim]
    p = np.array([0.1, 0.3, 0.05, 0.2, 0.25, 0.1]) if weighted else None
    axis = 1 if ndim == 2 else 0
    expected = jax.random.choice(jax.random.PRNGKey(7), a, (2, 3), replace, p, axis)
    agree(lambda k: random.choice(k, a, (2, 3), replace, p, axis), expected)


def test_bernoulli_and_rademacher(jax):
    key, p = jax.random.PRNGKey(7), np.linspace(0, 1, 5, dtype=np.float32)
    agree(lambda k: random.bernoulli(k, p, (40, 5)), jax.random.bernoulli(key, p, (40, 5)))
    agree(
        lambda k: random.bernoulli(k, 0.3, (40,), "high"),
        jax.random.bernoulli(key, 0.3, (40,), "high"),
    )
    agree(lambda k: random.rademacher(k, (40,)), jax.random.rademacher(key, (40,)))


def test_categorical(jax):
    key, logits = jax.random.PRNGKey(7), np.cos(np.arange(24.0)).reshape(4, 6)
    agree(lambda k: random.categorical(k, logits), jax.random.categorical(key, logits))
    expected = jax.random.categorical(key, logits, 0, (3, 6))
    agree(lambda k: random.categorical(k, logits, 0, (3, 6)), expected)
    expected = jax.random.categorical(key, logits, 1, (3, 4), replace=False).astype("int64")
    agree(lambda k: random.categorical(k, logits, 1, (3, 4), replace=False), expected)


# XLA and NumPy round logarithms and erf_inv differently; the uniform numbers below are the same.
@pytest.mark.parametrize(
    "name, dtype",
    [
        ("normal", "float64"),
        ("normal", "float32"),
        ("exponential", "float64"),
        ("gumbel", "float32"),
        ("laplace", "float64"),
        ("logistic", "float32"),
    ],
)
def test_continuous_samplers(jax, name, dtype):
    expected = np.asarray(getattr(jax.random, name)(jax.random.PRNGKey(7), (500,), dtype))
    sample = lambda k: getattr(random, name)(k, (500,), dtype)
    agree(sample, expected, False, 1e-13 if dtype == "float64" else 1e-5)
    np.testing.assert_array_equal(dx.jit(sample)(KEY), expected)


def test_cauchy_truncated_normal_and_complex_normal(jax):
    key = jax.random.PRNGKey(7)
    agree(lambda k: random.cauchy(k, (500,)), jax.random.cauchy(key, (500,)), False)
    expected = jax.random.truncated_normal(key, -1.0, 2.0, (500,))
    agree(lambda k: random.truncated_normal(k, -1.0, 2.0, (500,)), expected, False, 1e-13)
    for dtype in ("complex128", "complex64"):
        expected = jax.random.normal(key, (50,), dtype)
        atol = 1e-14 if dtype == "complex128" else 1e-6
        agree(lambda k, d=dtype: random.normal(k, (50,), d), expected, False, atol)


# --------------------------------------------------------------------------------------------------
# Distributions


LAWS = {
    "normal": scipy.stats.norm,
    "exponential": scipy.stats.expon,
    "gumbel": scipy.stats.gumbel_r,
    "laplace": scipy.stats.laplace,
    "logistic": scipy.stats.logistic,
    "cauchy": scipy.stats.cauchy,
    "uniform": scipy.stats.uniform,
}


@pytest.mark.parametrize("name", LAWS)
def test_distribution(name):
    sample = np.asarray(getattr(random, name)(random.key(11), (20000,)))
    assert scipy.stats.kstest(sample, LAWS[name].cdf).pvalue > 1e-3


def test_truncated_normal_distribution():
    sample = np.asarray(random.truncated_normal(random.key(1), -0.5, 3.0, (20000,)))
    assert scipy.stats.kstest(sample, scipy.stats.truncnorm(-0.5, 3.0).cdf).pvalue > 1e-3
    assert sample.min() > -0.5 and sample.max() < 3.0


@pytest.mark.parametrize("lower, upper", [(0.0, 1e-300), (-1e-3, 0.0), (5.0, 5.1)])
def test_truncated_normal_stays_inside(lower, upper):
    sample = np.asarray(random.truncated_normal(KEY, lower, upper, (100,)))
    assert (sample >= lower).all() and (sample <= upper).all()


def test_counts_are_uniform():
    for counts in (
        np.bincount(np.asarray(random.randint(KEY, (30000,), 0, 7)), minlength=7),
        np.bincount(np.asarray(random.choice(KEY, 7, (30000,))), minlength=7),
        np.bincount(np.asarray(random.categorical(KEY, np.zeros(7), shape=(30000,))), minlength=7),
    ):
        assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_weights():
    p = np.array([0.5, 0.0, 0.3, 0.2])
    counts = np.bincount(np.asarray(random.choice(KEY, 4, (30000,), p=p)), minlength=4)
    some = [0, 2, 3]
    assert counts[1] == 0 and scipy.stats.chisquare(counts[some], 30000 * p[some]).pvalue > 1e-3
    draw = lambda k: random.choice(k, 4, (3,), False, p)
    draws = np.asarray(dx.vmap(draw)(random.split(KEY, 50)))
    assert all(sorted(row) == [0, 2, 3] for row in draws.tolist())


def test_narrow_dtypes_have_moments():
    for dtype in (np.float16, ml_dtypes.bfloat16):
        sample = np.asarray(random.normal(KEY, (20000,), dtype))
        assert sample.dtype == dtype
        wide = sample.astype(np.float64)
        assert abs(wide.mean()) < 0.03 and abs(wide.std() - 1) < 0.03


def test_permutations_are_permutations_and_differ():
    rows = np.asarray(dx.vmap(lambda k: random.permutation(k, 5))(random.split(KEY, 600)))
    assert (np.sort(rows) == np.arange(5)).all() and len(np.unique(rows, axis=0)) > 110
    assert scipy.stats.chisquare(np.bincount(rows[:, 0])).pvalue > 1e-3


# --------------------------------------------------------------------------------------------------
# Transformations


@pytest.mark.parametrize(
    "sample",
    [
        lambda k: random.normal(k, (3,)),
        lambda k: random.uniform(k),
        lambda k: random.split(k),
        lambda k: random.randint(k, (2, 2), 0, 9),
        lambda k: random.permutation(k, 9),
        lambda k: random.fold_in(k, 3),
        lambda k: random.choice(k, 5, (2,), p=np.ones(5)),
        lambda k: random.categorical(k, np.zeros((2, 3))),
        lambda k: random.bits(k, (20,)),
    ],
)
def test_vmap_over_keys_is_a_loop(sample):
    keys = random.split(KEY, 4)
    expected = np.stack([np.asarray(sample(np.asarray(keys)[i])) for i in range(4)])
    np.testing.assert_array_equal(dx.vmap(sample)(keys), expected)
    nested = dx.jit(dx.vmap(dx.vmap(sample)))(random.split(KEY, (2, 2)))
    flat = np.asarray(random.split(KEY, (2, 2))).reshape(4, 2)
    expected = np.stack([np.asarray(dx.jit(sample)(k)) for k in flat])
    found = np.asarray(nested)
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def test_vmap_over_seeds_and_counts():
    keys = np.asarray(dx.vmap(random.PRNGKey)(np.arange(3)))
    np.testing.assert_array_equal(keys, [[0, 0], [0, 1], [0, 2]])
    folded = np.asarray(dx.vmap(lambda i: random.fold_in(KEY, i))(np.arange(3)))
    for i in range(3):
        np.testing.assert_array_equal(folded[i], random.fold_in(KEY, i))


def test_gradients_through_parameters():
    total = lambda x: dx.numpy.sum(x)
    z = np.asarray(random.normal(KEY, (5,)))
    loss = lambda loc, scale: total((loc + scale * random.normal(KEY, (5,))) ** 2)
    for gradient in (dx.grad(loss, (0, 1)), dx.jit(dx.grad(loss, (0, 1)))):
        by_loc, by_scale = gradient(0.3, 2.0)
        np.testing.assert_allclose(by_loc, 2 * (0.3 + 2.0 * z).sum())
        np.testing.assert_allclose(by_scale, (2 * (0.3 + 2.0 * z) * z).sum())
    u = np.asarray(random.uniform(KEY, (5,)))
    bounds = lambda a, b: total(random.uniform(KEY, (5,), minval=a, maxval=b))
    np.testing.assert_allclose(dx.grad(bounds, (0, 1))(-1.0, 2.0), [(1 - u).sum(), u.sum()])
    draw = lambda low: total(random.truncated_normal(KEY, low, 2.0, (50,)))
    step = 1e-6
    slope = (np.asarray(draw(0.1 + step)) - np.asarray(draw(0.1 - step))) / (2 * step)
    np.testing.assert_allclose(dx.grad(draw)(0.1), slope, rtol=1e-6)


def test_gradient_of_a_choice():
    pick = lambda a: dx.numpy.sum(random.choice(KEY, a, (6,)) ** 2)
    a = np.arange(1.0, 5.0)
    drawn = np.asarray(random.choice(KEY, 4, (6,)))
    expected = 2 * a * np.bincount(drawn, minlength=4)
    np.testing.assert_allclose(dx.grad(pick)(a), expected)


def test_a_draw_is_one_equation():
    program = str(dx.make_jaxpr(lambda k: random.uniform(k, (5,)))(KEY))
    assert program.count("random_bits") == 1 and "iota" not in program


def test_default_dtypes_follow_the_config():
    with dx.config.defaults(32):
        assert random.normal(KEY, (2,)).dtype == np.float32
        assert random.randint(KEY, (2,), 0, 5).dtype == np.int32
        assert random.permutation(KEY, 3).dtype == np.int32
        assert random.bits(KEY).dtype == np.uint32


def test_a_small_eager_draw_makes_few_calls():
    """Calls of functions are counted, as times depend on what else a machine does."""
    random.normal(KEY, (3,))
    calls = []
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: calls.append(event) if "call" in event else None)
    try:
        random.normal(KEY, (3,))
    finally:
        sys.setprofile(before)
    assert len(calls) < 450


def test_keys_are_their_words():
    np.testing.assert_array_equal(random.key_data(KEY), [0, 7])
    keys = random.split(KEY, 3)
    wrapped = random.wrap_key_data(np.asarray(keys))
    np.testing.assert_array_equal(random.key_data(wrapped), keys)


# --------------------------------------------------------------------------------------------------
# Errors


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: random.key(1.5), TypeError, "must be one integer, got float 1.5"),
        (lambda: random.key(np.arange(3)), TypeError, "dx.vmap"),
        (lambda: random.key(2**64), OverflowError, "64 bits"),
        (lambda: random.key(0, impl="mersenne"), ValueError, "threefry2x32"),
        (lambda: random.normal(3), TypeError, "dx.random.key"),
        (lambda: random.normal(np.zeros(2)), TypeError, r"uint32\[2\]"),
        (lambda: random.normal(random.split(KEY, 3)), TypeError, "dx.vmap"),
        (lambda: random.fold_in(KEY, -1), OverflowError, "2\\*\\*32"),
        (lambda: random.fold_in(KEY, 1.0), TypeError, "one integer"),
        (lambda: random.uniform(KEY, (-1,)), ValueError, "negative"),
        (lambda: random.uniform(KEY, (2.5,)), TypeError, "integer"),
        (lambda: random.uniform(KEY, (2,), int), ValueError, "floating-point"),
        (lambda: random.uniform(KEY, (2,), minval=2, maxval=1), ValueError, "exceed"),
        (lambda: random.uniform(KEY, (2,), minval=np.zeros(3)), ValueError, "broadcast"),
        (lambda: random.uniform(KEY, (1,), minval=np.zeros(3)), ValueError, "does not broadcast"),
        (lambda: random.normal(KEY, (2,), np.int32), ValueError, "floating-point"),
        (lambda: random.bits(KEY, (2,), np.int32), ValueError, "unsigned"),
        (lambda: random.randint(KEY, (2,), 5, 5), ValueError, "less than"),
        (lambda: random.randint(KEY, (2,), 0.5, 5), TypeError, "must be an integer"),
        (lambda: random.randint(KEY, (2,), 0, 5, float), TypeError, "integer"),
        (lambda: random.randint(KEY, (2,), np.zeros(3, int), 5), ValueError, "broadcast"),
        (lambda: random.bernoulli(KEY, 1), TypeError, "floating-point"),
        (lambda: random.permutation(KEY, 2.5), TypeError, "an integer or an array"),
        (lambda: random.permutation(KEY, np.zeros((2, 2)), 2), ValueError, "axis 2"),
        (lambda: random.choice(KEY, 3, (4,), replace=False), ValueError, "4 out of 3"),
        (lambda: random.choice(KEY, 0), ValueError, "empty"),
        (lambda: random.choice(KEY, 3, p=np.ones(4)), ValueError, "p must have the shape"),
        (
            lambda: random.categorical(KEY, np.zeros(3), shape=(4,), replace=False),
            ValueError,
            "without replacement",
        ),
        (lambda: dx.jit(lambda n: random.normal(KEY, (n,)))(3), TypeError, "static"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "test_random.py" in str(caught.value)


def test_normal_reaches_the_tails_without_infinities():
    sample = np.asarray(random.normal(KEY, (100000,), np.float32))
    assert np.isfinite(sample).all() and np.abs(sample).max() > 4
    assert math.isclose(float(np.mean(sample**4)), 3, rel_tol=0.05)
