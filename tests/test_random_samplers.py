"""All of dx.random's samplers: jax's bits, the laws of the distributions, derivatives, vmap."""

import math

import numpy as np
import pytest
import scipy.stats as stats

import diffeo as dx
from diffeo import random

IMPLS = ["threefry2x32", "rbg", "unsafe_rbg", "philox2x32", "philox4x32", "threefry4x32"]
MEAN, COV = np.array([1.0, -2.0]), np.array([[2.0, 0.5], [0.5, 1.0]])

#: (module, key) -> a sample; the module is ours or jax's.
SAMPLES = {
    "gamma": lambda R, k: R.gamma(k, np.array([0.3, 1.0, 20.0])[:, None], (3, 4)),
    "loggamma": lambda R, k: R.loggamma(k, np.array([0.003, 1.0, 20.0])[:, None], (3, 4)),
    "beta": lambda R, k: R.beta(k, np.array([0.3, 2.0]), 1.5),
    "dirichlet": lambda R, k: R.dirichlet(k, np.array([0.3, 2.0, 1.0]), (4,)),
    "chisquare": lambda R, k: R.chisquare(k, np.array([3.0, 1.0])),
    "f": lambda R, k: R.f(k, 3.0, np.array([3.0, 1.0])),
    "t": lambda R, k: R.t(k, np.array([3.0, 1.0])),
    "generalized_normal": lambda R, k: R.generalized_normal(k, 1.5, (5,)),
    "ball": lambda R, k: R.ball(k, 3, 1.5, (5,)),
    "poisson": lambda R, k: R.poisson(k, np.array([0.0, 0.5, 9.0, 11.0, 300.0, -1.0, np.nan])),
    "geometric": lambda R, k: R.geometric(k, np.array([0.1, 0.5, 0.9]), (4, 3)),
    "binomial": lambda R, k: R.binomial(
        k, np.array([3.0, 100.0, -1.0, 50.0, np.inf, 9.0]), np.array([0.3, 0.7, 0.1, 1.5, 0.5, -1])
    ),
    "multinomial": lambda R, k: R.multinomial(
        k, np.array([3.0, 100.0]), np.array([0.2, 0.3, 0.5]), shape=(2, 3)
    ),
    "pareto": lambda R, k: R.pareto(k, np.array([2.0, 3.0])),
    "rayleigh": lambda R, k: R.rayleigh(k, np.array([2.0, 3.0]), (4, 2)),
    "wald": lambda R, k: R.wald(k, np.array([2.0, 3.0]), (4, 2)),
    "triangular": lambda R, k: R.triangular(k, -1.0, 0.0, np.array([2.0, 3.0]), (4, 2)),
    "weibull_min": lambda R, k: R.weibull_min(k, np.array([2.0, 3.0]), 1.5, (4, 2)),
    "maxwell": lambda R, k: R.maxwell(k, (4, 2)),
    "double_sided_maxwell": lambda R, k: R.double_sided_maxwell(k, 1.0, np.array([1.0, 2.0])),
    "lognormal": lambda R, k: R.lognormal(k, np.array([1.0, 2.0]), (4, 2)),
    "lognormal complex": lambda R, k: R.lognormal(k, 1.0, (3,), np.complex128),
    "orthogonal": lambda R, k: R.orthogonal(k, 4, (2,)),
    "orthogonal wide": lambda R, k: R.orthogonal(k, 2, (2,), m=4),
    "orthogonal complex": lambda R, k: R.orthogonal(k, 3, (), np.complex128),
    "multivariate_normal": lambda R, k: R.multivariate_normal(k, MEAN, COV, (5,)),
    "multivariate_normal eigh": lambda R, k: R.multivariate_normal(
        k, MEAN, COV, (5,), method="eigh"
    ),
}
SMALL = {
    "gamma": lambda R, k, d: R.gamma(k, 0.7, (9,), d),
    "beta": lambda R, k, d: R.beta(k, 0.7, 2.0, (9,), d),
    "pareto": lambda R, k, d: R.pareto(k, 2.0, (9,), d),
    "t": lambda R, k, d: R.t(k, 3.0, (9,), d),
}
LONG = pytest.mark.exhaustive


def marked(names, mark):
    """Samplers with loops compile for a second each: the quick tests run a few."""
    loops = {"loggamma", "beta", "chisquare", "f", "t", "generalized_normal", "ball", "binomial",
             "multinomial"}  # fmt: skip
    return [pytest.param(n, marks=mark) if n in loops else n for n in names]


@pytest.mark.parametrize("name", marked(SAMPLES, LONG))
@pytest.mark.sampled(2)
def test_bits_are_jaxs(jax, name):
    """Equal, or to the last digits: NumPy's and XLA's functions are rounded otherwise."""
    sample = SAMPLES[name]
    found = np.asarray(sample(random, random.key(7)))
    expected = np.asarray(sample(jax.random, jax.random.key(7)))
    assert found.dtype == expected.dtype and found.shape == expected.shape
    if name in ("poisson", "geometric", "binomial", "multinomial", "gamma", "loggamma"):
        np.testing.assert_allclose(found, expected, rtol=1e-15)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", ["pareto", *[pytest.param(n, marks=LONG) for n in SMALL]])
def test_dtypes_are_jaxs(jax, name, dtype):
    found = np.asarray(SMALL[name](random, random.key(3), dtype))
    expected = np.asarray(SMALL[name](jax.random, jax.random.key(3), dtype))
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", marked(SAMPLES, LONG))
@pytest.mark.sampled(2)
def test_compiled_and_mapped(name):
    """jit draws what eager code draws, and each row of vmap what the loop draws."""
    sample = lambda k: SAMPLES[name](random, k)
    keys = random.split(random.key(1), 2)
    rows = [np.asarray(sample(k)) for k in keys]
    np.testing.assert_allclose(dx.jit(sample)(keys[0]), rows[0], rtol=1e-12, atol=1e-13)
    mapped = np.asarray(dx.vmap(sample)(keys))
    np.testing.assert_allclose(mapped, np.stack(rows), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "impl", ["threefry2x32", "rbg", *[pytest.param(i, marks=LONG) for i in IMPLS[2:]]]
)
def test_generators_are_jaxs(jax, impl):
    for seed in (1, -1, 2**40 + 3):
        key, there = random.key(seed, impl=impl), jax.random.key(seed, impl=impl)
        words, expected = random.key_data(key), jax.random.key_data(there)
        np.testing.assert_array_equal(words, expected)
        assert str(key.dtype) == str(there.dtype) and random.key_impl(key) == impl
    for run in (lambda f: f, dx.jit):
        split = run(lambda k: random.key_data(random.split(k, (2, 3))))(key)
        np.testing.assert_array_equal(split, jax.random.key_data(jax.random.split(there, (2, 3))))
        folded = run(lambda k: random.key_data(random.fold_in(k, 7)))(key)
        np.testing.assert_array_equal(folded, jax.random.key_data(jax.random.fold_in(there, 7)))
        for dtype in ("uint8", "uint16", "uint32", "uint64"):
            bits = run(lambda k, d=dtype: random.bits(k, (3, 5), d))(key)
            np.testing.assert_array_equal(bits, jax.random.bits(there, (3, 5), dtype))
    keys = random.split(key, 3)
    rows = np.stack([np.asarray(random.uniform(k, (4,))) for k in keys])
    np.testing.assert_array_equal(dx.vmap(lambda k: random.uniform(k, (4,)))(keys), rows)
    with_default = random.wrap_key_data(random.key_data(keys), impl=impl)
    assert bool((with_default == keys).all()) and random.key_dtype(impl) is key.dtype


def test_the_default_generator():
    usual = dx.config.default_prng_impl
    try:
        dx.config.default_prng_impl = "rbg"
        assert random.key(0).dtype is random.key_dtype("rbg") is random.key_dtype()
        raw = random.PRNGKey(0)
        assert raw.shape == (4,) and random.key_impl(raw) == "rbg"
        np.testing.assert_array_equal(random.uniform(raw), random.uniform(random.key(0)))
        assert dx.jit(random.key)(1).dtype is random.key_dtype("rbg")
    finally:
        dx.config.default_prng_impl = usual
    assert dx.jit(random.key)(1).dtype is random.key_dtype("threefry2x32")
    with pytest.raises(ValueError, match="threefry2x32"):
        dx.config.default_prng_impl = "mersenne"


# --------------------------------------------------------------------------------------------------
# The laws of the distributions

KEY = random.key(11)
N = 4000
LAWS = {
    "gamma": (lambda: random.gamma(KEY, 0.4, (N,)), stats.gamma(0.4).cdf),
    "gamma large": (lambda: random.gamma(KEY, 7.0, (N,)), stats.gamma(7.0).cdf),
    "approximate": (
        lambda: random.gamma(KEY, 0.4, (N,), method="approximate"),
        stats.gamma(0.4).cdf,
    ),
    "beta": (lambda: random.beta(KEY, 0.7, 2.0, (N,)), stats.beta(0.7, 2.0).cdf),
    "chisquare": (lambda: random.chisquare(KEY, 3.0, (N,)), stats.chi2(3.0).cdf),
    "f": (lambda: random.f(KEY, 3.0, 7.0, (N,)), stats.f(3.0, 7.0).cdf),
    "t": (lambda: random.t(KEY, 3.0, (N,)), stats.t(3.0).cdf),
    "generalized": (lambda: random.generalized_normal(KEY, 3.0, (N,)), stats.gennorm(3.0).cdf),
    "pareto": (lambda: random.pareto(KEY, 2.5, (N,)), stats.pareto(2.5).cdf),
    "rayleigh": (lambda: random.rayleigh(KEY, 2.0, (N,)), stats.rayleigh(scale=2.0).cdf),
    "wald": (lambda: random.wald(KEY, 1.5, (N,)), stats.invgauss(1.5).cdf),
    "triangular": (
        lambda: random.triangular(KEY, -1.0, 0.0, 3.0, (N,)),
        stats.triang(0.25, -1, 4).cdf,
    ),
    "weibull": (
        lambda: random.weibull_min(KEY, 2.0, 1.5, (N,)),
        stats.weibull_min(1.5, scale=2.0).cdf,
    ),
    "maxwell": (lambda: random.maxwell(KEY, (N,)), stats.maxwell.cdf),
    "lognormal": (lambda: random.lognormal(KEY, 0.5, (N,)), stats.lognorm(0.5).cdf),
    "ball": (lambda: (random.ball(KEY, 3, shape=(N,)) ** 2).sum(-1) ** 1.5, stats.uniform.cdf),
}
LOOPS = {"beta", "chisquare", "f", "t", "generalized", "ball", "gamma large"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=LONG) if n in LOOPS else n for n in LAWS])
def test_laws(name):
    draw, cdf = LAWS[name]
    assert stats.kstest(np.asarray(draw()), cdf).pvalue > 1e-3


def chi_square(counts, probabilities):
    """The p-value of counts of 0, 1, 2 ...; rare ones are put together."""
    expected = probabilities * len(counts)
    found = np.bincount(np.asarray(counts).astype(int), minlength=len(expected))[: len(expected)]
    often = expected > 5
    found = np.append(found[often], len(counts) - found[often].sum())
    expected = np.append(expected[often], len(counts) - expected[often].sum())
    return stats.chisquare(found, expected).pvalue


@pytest.mark.parametrize("lam", [3.5, pytest.param(40.0, marks=LONG)])
@pytest.mark.parametrize("method", ["exact", "approximate"])
def test_poisson(lam, method):
    counts = random.poisson(KEY, lam, (N,), method=method)
    assert chi_square(counts, stats.poisson(lam).pmf(np.arange(100))) > 1e-3


@LONG
@pytest.mark.parametrize("n, p", [(12, 0.3), (200, 0.3), (200, 0.8)])
def test_binomial(n, p):
    assert (
        chi_square(random.binomial(KEY, n, p, (N,)), stats.binom(n, p).pmf(np.arange(201))) > 1e-3
    )


def test_geometric():
    counts = random.geometric(KEY, 0.3, (N,))
    assert chi_square(counts, stats.geom(0.3).pmf(np.arange(60))) > 1e-3


def test_vectors():
    x = np.asarray(random.multivariate_normal(KEY, MEAN, COV, (N,)))
    np.testing.assert_allclose(x.mean(0), MEAN, atol=0.1)
    np.testing.assert_allclose(np.cov(x.T), COV, atol=0.15)
    for method in ("eigh", "svd"):
        y = np.asarray(random.multivariate_normal(KEY, MEAN, COV, (N,), method=method))
        np.testing.assert_allclose(np.cov(y.T), COV, atol=0.15)
    q = np.asarray(random.orthogonal(KEY, 3, (200,)))
    np.testing.assert_allclose(
        q @ q.swapaxes(1, 2), np.broadcast_to(np.eye(3), q.shape), atol=1e-12
    )
    assert abs(q.mean(0)).max() < 0.2
    p = np.asarray(random.dirichlet(KEY, np.array([1.0, 2.0, 5.0]), (N,)))
    np.testing.assert_allclose(p.sum(-1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(p.mean(0), np.array([1.0, 2.0, 5.0]) / 8, atol=0.02)


# --------------------------------------------------------------------------------------------------
# Derivatives at a fixed probability


def by_differences(quantile, cdf, a, x):
    """The derivative of the quantile of the probability of x by the parameter, as of SciPy's."""
    p, h = cdf(a, x), 1e-4 * a
    return (quantile(a + h, p) - quantile(a - h, p)) / (2 * h)


@pytest.mark.parametrize("a", [0.3, *[pytest.param(a, marks=LONG) for a in (1.0, 6.0)]])
def test_gamma_by_concentration(a):
    key = random.key(5)
    draw = lambda a: random.gamma(key, a, (20,))
    x, slope = dx.jvp(draw, (a,), (1.0,))
    quantile, cdf = lambda a, p: stats.gamma.ppf(p, a), lambda a, x: stats.gamma.cdf(x, a)
    expected = by_differences(quantile, cdf, a, np.asarray(x))
    np.testing.assert_allclose(slope, expected, rtol=1e-5)
    total = dx.grad(lambda a: dx.numpy.sum(draw(a) ** 2))
    np.testing.assert_allclose(total(a), np.sum(2 * np.asarray(x) * expected), rtol=1e-5)
    np.testing.assert_allclose(dx.jit(total)(a), total(a), rtol=1e-12)
    y, log_slope = dx.jvp(lambda a: random.loggamma(key, a, (20,)), (a,), (1.0,))
    z = np.asarray(dx.numpy.exp(y))
    expected = by_differences(quantile, cdf, a, z)
    np.testing.assert_allclose(log_slope, expected / z, rtol=1e-4)


def test_second_order():
    """The second derivative is that of the quantile, too: differences of the first one, where the
    derivative of x by a is taken at the same probability.
    """
    key, a = random.key(5), 2.0
    x = float(random.gamma(key, a))
    p, h = stats.gamma.cdf(x, a), 1e-2
    f = lambda a: stats.gamma.ppf(p, a)
    expected = (-f(a + 2 * h) + 16 * f(a + h) - 30 * f(a) + 16 * f(a - h) - f(a - 2 * h)) / (
        12 * h * h
    )
    draw = lambda a: random.gamma(key, a)
    np.testing.assert_allclose(dx.grad(dx.grad(draw))(a), expected, rtol=1e-4)
    with dx.config.separate_derivatives():
        np.testing.assert_allclose(dx.grad(dx.grad(draw))(a), expected, rtol=1e-4)


def test_tiny_samples():
    """Where samples underflow, their logarithms have derivatives: log(x) is about log(p) / a."""
    key, a = random.key(5), 1e-3
    y, slope = dx.jvp(lambda a: random.loggamma(key, a, (9,)), (a,), (1.0,))
    tiny = np.asarray(y) < -60
    assert tiny.sum() > 3
    expected = (float(dx.scipy.special.digamma(a + 1)) - np.asarray(y)) / a
    np.testing.assert_allclose(np.asarray(slope)[tiny], expected[tiny], rtol=1e-10)


@pytest.mark.parametrize(
    "name",
    ["chisquare", *[pytest.param(n, marks=LONG) for n in ("t", "f", "beta", "dirichlet")]],
)
def test_derivatives_of_what_is_made_of_gamma(name):
    """By the chain rule, from gamma samples of the same keys."""
    key = random.key(8)
    first, second = random.split(key)
    gamma = random.gamma
    made = {
        "chisquare": (
            lambda a: random.chisquare(key, a, (5,)),
            lambda a: 2 * gamma(key, a / 2, (5,)),
        ),
        "t": (
            lambda a: random.t(key, a, (5,)),
            lambda a: random.normal(first, (5,)) * np.sqrt(a / 2 / gamma(second, a / 2, (5,))),
        ),
        "f": (
            lambda a: random.f(key, a, 4.0, (5,)),
            lambda a: (gamma(second, a / 2, (5,)) / a) / (gamma(first, 2.0, (5,)) / 4.0),
        ),
        "beta": (
            lambda a: random.beta(key, a, 2.0, (5,)),
            lambda a: 1 / (1 + gamma(second, 2.0, (5,)) / gamma(first, a, (5,))),
        ),
        "dirichlet": (
            lambda a: random.dirichlet(key, a * np.array([1.0, 2.0])),
            lambda a: (lambda g: g / dx.numpy.sum(g))(gamma(key, a * np.array([1.0, 2.0]))),
        ),
    }
    for ours, expected in zip(*[dx.jvp(f, (3.0,), (1.0,)) for f in made[name]]):
        np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_derivatives_by_other_parameters():
    key = random.key(8)
    for draw in (
        lambda s: random.pareto(key, s, (5,)),
        lambda s: random.rayleigh(key, s, (5,)),
        lambda s: random.wald(key, s, (5,)),
        lambda s: random.triangular(key, -s, 0.0, s, (5,)),
        lambda s: random.weibull_min(key, s, s, (5,)),
        lambda s: random.lognormal(key, s, (5,)),
        lambda s: random.multivariate_normal(key, MEAN, s * COV),
        lambda s: random.gamma(key, s, (5,), method="approximate"),
    ):
        slope = dx.jvp(draw, (1.5,), (1.0,))[1]
        expected = (np.asarray(draw(1.5 + 1e-6)) - np.asarray(draw(1.5 - 1e-6))) / 2e-6
        np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-7)


BAD = [
    (lambda: random.gamma(KEY, np.ones(3), (2,)), ValueError, "broadcast"),
    (lambda: random.gamma(KEY, 1.0, dtype=int), ValueError, "floating-point"),
    (lambda: random.gamma(KEY, 1j), TypeError, "real"),
    (lambda: random.gamma(KEY, 1.0, method="fast"), ValueError, "'exact' or 'approximate'"),
    (lambda: random.poisson(KEY, 1.0, dtype=float), TypeError, "integer"),
    (lambda: random.geometric(KEY, 0.5, dtype=float), ValueError, "integer"),
    (lambda: random.dirichlet(KEY, 1.0), ValueError, "axis"),
    (lambda: random.multivariate_normal(KEY, MEAN, np.eye(3)), ValueError, "covariances"),
    (lambda: random.multivariate_normal(KEY, MEAN, COV, method="qr"), ValueError, "cholesky"),
    (lambda: random.multinomial(KEY, 3, 0.5), ValueError, "axis"),
    (lambda: random.ball(KEY, 2.5), TypeError, "integer"),
    (lambda: random.gumbel(KEY, mode="low-ish"), ValueError, "highest"),
    (lambda: random.normal(random.split(KEY, 3)), TypeError, "dx.vmap"),
    (lambda: random.key(0, impl="rbg", dtype="rbg"), ValueError, "one of them"),
    (lambda: random.key(0, impl=3), TypeError, "impl must be"),
    (lambda: random.key_data(np.zeros(3)), TypeError, "words"),
    (lambda: random.wrap_key_data(np.zeros(3, np.uint32)), TypeError, "words"),
    (lambda: random.wrap_key_data(np.zeros(2, np.uint32), impl="rbg"), TypeError, "4"),
]


@pytest.mark.parametrize("call, kind, text", BAD, ids=range(len(BAD)))
def test_bad_input(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


def test_gumbel_of_all_bits(jax):
    draw = lambda R, k: R.gumbel(k, (300,), np.float32, mode="highest")
    found = dx.jit(lambda k: draw(random, k))(random.key(2))
    np.testing.assert_allclose(found, draw(jax.random, jax.random.key(2)), rtol=2e-5, atol=2e-6)
    assert math.isfinite(float(dx.numpy.max(found)))
