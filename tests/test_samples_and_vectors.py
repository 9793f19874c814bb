"""Statistics of samples, densities of samples, and distributions of vectors beside SciPy."""

import math

import numpy as np
import pytest
import scipy.stats

import diffeo as dx
from diffeo.scipy import stats
from tests.checks import close, rng

dnp = dx.numpy
inf, nan = math.inf, math.nan


def slope_of(f, x):
    """The derivative by two central differences, with an error of the step's fourth power."""
    h = 1e-3 * max(abs(x), 0.05)
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def test_dirichlet():
    alpha = np.array([0.7, 1.0, 3.0])
    x = np.random.default_rng(0).dirichlet(np.ones(3), 5).T
    for f in ("logpdf", "pdf"):
        ours, theirs = getattr(stats.dirichlet, f), getattr(scipy.stats.dirichlet, f)
        close(ours(x, alpha), theirs(x, alpha), 1e-12)
        close(ours(x[:-1], alpha), theirs(x[:-1], alpha), 1e-12)
        close(dx.jit(ours)(x[:, 0], alpha), theirs(x[:, 0], alpha), 1e-12)
    assert stats.dirichlet.logpdf(np.array([0.5, 0.6, 0.2]), alpha) == -inf
    assert np.isnan(stats.dirichlet.logpdf(x, -alpha)).all()
    by_alpha = dx.grad(lambda a: stats.dirichlet.logpdf(x[:, 0], a))(alpha)
    at = lambda i: (
        lambda v: float(
            scipy.stats.dirichlet.logpdf(x[:, 0], np.where(np.arange(3) == i, v, alpha))
        )
    )
    close(by_alpha, np.array([slope_of(at(i), alpha[i]) for i in range(3)]), 1e-7)
    for bad in (np.ones(2), alpha[None]):
        with pytest.raises(ValueError, match="alpha"):
            stats.dirichlet.logpdf(x, bad)


def test_multinomial():
    p = np.array([0.2, 0.3, 0.5])
    x = np.array([[1, 2, 3], [6, 0, 0], [2, 2, 2], [1, 1, 1], [7, -1, 0]])
    for f in ("logpmf", "pmf"):
        ours, theirs = getattr(stats.multinomial, f), getattr(scipy.stats.multinomial, f)
        close(ours(x, 6, p), theirs(x, 6, p), 1e-12)
        close(dx.jit(ours)(x, np.array(6), p), theirs(x, 6, p), 1e-12)
    close(dx.grad(lambda p: stats.multinomial.logpmf(x[0], 6, p))(p), x[0] / p, 1e-12)
    zero = np.array([0.0, 0.5, 0.5])
    assert np.isfinite(stats.multinomial.logpmf(np.array([0, 3, 3]), 6, zero))
    assert np.isnan(stats.multinomial.logpmf(x[0], 6, p - 0.5))
    assert np.isnan(stats.multinomial.logpmf(x[0], 5.5, p))


def test_multivariate_normal():
    mean, root = rng(3), rng(3, 3, seed=1)
    cov, x = root @ root.T + np.eye(3), rng(4, 5, 3, seed=2)
    m, theirs = stats.multivariate_normal, scipy.stats.multivariate_normal
    close(m.logpdf(x, mean, cov), theirs.logpdf(x, mean, cov), 1e-12)
    close(m.pdf(x, mean, cov), theirs.pdf(x, mean, cov), 1e-12)
    close(m.logpdf(x, mean, 2.0), theirs.logpdf(x, mean, 2.0), 1e-12)
    close(m.logpdf(x[..., 0], 1.0, 2.0), scipy.stats.norm.logpdf(x[..., 0], 1.0, 2**0.5), 1e-12)
    batch = np.stack([cov, 2 * cov, 3 * cov, cov + np.eye(3)])
    expected = [theirs.logpdf(x[i], mean, batch[i]) for i in range(4)]
    close(m.logpdf(x, mean, batch[:, None]), np.stack(expected), 1e-12)
    close(dx.jit(dx.vmap(m.logpdf, (0, None, 0)))(x, mean, batch), np.stack(expected), 1e-12)
    flat = cov[:, :2] @ cov[:2]
    span = mean + rng(6, 3) @ flat
    close(m.logpdf(span, mean, flat, allow_singular=True),
          theirs.logpdf(span, mean, flat, allow_singular=True), 1e-8)  # fmt: skip
    assert (np.asarray(m.logpdf(x, mean, flat, True)) == -inf).all()
    assert np.isnan(m.logpdf(x, mean, -cov)).all()
    inverse = np.linalg.inv(cov)
    close(dx.grad(m.logpdf)(x[0, 0], mean, cov), -inverse @ (x[0, 0] - mean), 1e-11)
    close(dx.hessian(m.logpdf)(x[0, 0], mean, cov), -inverse, 1e-11)
    with pytest.raises(ValueError, match=r"cov must be \[..., 3, 3\]"):
        m.logpdf(x, mean, cov[:2, :2])


# --------------------------------------------------------------------------------------------------
# Samples

SAMPLE = np.array([[3.0, 1.0, 3.0, 2.0], [1.0, 1.0, 2.0, 2.0], [5.0, 1.0, nan, 2.0]])


@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize("policy", ["propagate", "omit"])
@pytest.mark.filterwarnings("ignore")
def test_modes_ranks_and_errors(axis, policy):
    for keepdims in (False, True):
        ours = dx.jit(lambda a, k=keepdims: stats.mode(a, axis, policy, k))(SAMPLE)
        theirs = scipy.stats.mode(SAMPLE, axis, nan_policy=policy, keepdims=keepdims)
        close(tuple(ours), (np.asarray(theirs.mode), np.asarray(theirs.count)))
        ours = stats.sem(SAMPLE, axis, nan_policy=policy, keepdims=keepdims)
        close(ours, np.asarray(scipy.stats.sem(SAMPLE, axis, nan_policy=policy, keepdims=keepdims)))
    for method in ("average", "min", "max", "dense", "ordinal"):
        theirs = scipy.stats.rankdata(SAMPLE, method, axis=axis, nan_policy=policy)
        ranks = lambda a, m=method: stats.rankdata(a, m, axis=axis, nan_policy=policy)
        for run in (ranks, dx.jit(ranks)):
            close(run(SAMPLE), theirs.astype(float))


def test_bad_samples():
    for f in (stats.mode, stats.rankdata, stats.sem):
        with pytest.raises(ValueError, match="the input holds nan"):
            f(SAMPLE, nan_policy="raise")
        with pytest.raises(ValueError, match="nan_policy must be one of"):
            f(SAMPLE, nan_policy="ignore")
        with pytest.raises(dx.errors.ConcretizationTypeError, match="known numbers"):
            dx.jit(lambda a, f=f: f(a, nan_policy="raise"))(SAMPLE)
    with pytest.raises(ValueError, match="method must be one of"):
        stats.rankdata(SAMPLE, "mean")
    assert np.isnan(stats.mode(np.zeros(0)).mode) and stats.rankdata(np.zeros(0)).shape == (0,)
    check = dx.grad(lambda a: dnp.sum(stats.sem(a)))(SAMPLE[:2])
    assert np.isfinite(check).all()


@pytest.mark.parametrize("d", [1, 2])
def test_kernel_densities(d):
    data, points, weights = rng(d, 30), rng(d, 7, seed=1), np.abs(rng(30, seed=2))
    for bw_method in (None, "silverman", 0.4, lambda kde: kde.neff**-0.3):
        for w in (None, weights):
            ours = stats.gaussian_kde(data, bw_method, w)
            theirs = scipy.stats.gaussian_kde(data, bw_method, w)
            close(ours(points), theirs(points), 1e-11)
            close(ours.logpdf(points), theirs.logpdf(points), 1e-11)
            close(ours.covariance, theirs.covariance, 1e-11)
            close(ours.inv_cov, theirs.inv_cov, 1e-10)
            close(ours.neff, np.asarray(theirs.neff), 1e-12)
            mean, cov = np.zeros(d), np.eye(d)
            close(ours.integrate_gaussian(mean, cov),
                  np.asarray(theirs.integrate_gaussian(mean, cov)), 1e-11)  # fmt: skip
            other = stats.gaussian_kde(data[:, :9]), scipy.stats.gaussian_kde(data[:, :9])
            expected = theirs.integrate_kde(other[1])
            close(ours.integrate_kde(other[0]), np.asarray(expected), 1e-11)
    kde = dx.jit(lambda k: k)(ours)
    close(dx.jit(lambda k, x: k(x))(kde, points), ours(points), 1e-12)
    assert (kde.d, kde.n) == (d, 30)
    drawn = kde.resample(dx.random.PRNGKey(0), (5000,))
    assert drawn.shape == (d, 5000)
    target = np.atleast_2d(np.cov(data, aweights=weights)) + np.asarray(kde.covariance)
    close(np.atleast_2d(np.cov(drawn)), target, 0.2, 0.1)
    far = np.full((d, 1), 1e3)
    assert kde(far)[0] == 0 and -inf < float(kde.logpdf(far)[0]) < -1e3
    f = lambda data: dnp.sum(stats.gaussian_kde(data).logpdf(points))
    v = rng(d, 30, seed=5)
    step = (float(f(data + 1e-6 * v)) - float(f(data - 1e-6 * v))) / 2e-6
    assert float(np.sum(np.asarray(dx.grad(f)(data)) * v)) == pytest.approx(step, rel=1e-6)
    if d == 1:
        for low, high in ((-1.0, 0.5), (-inf, inf)):
            expected = np.asarray(theirs.integrate_box_1d(low, high))
            close(ours.integrate_box_1d(low, high), expected, 1e-11)
            close(ours.integrate_box(low, high), expected, 1e-11)


def test_bad_kernel_densities():
    kde = stats.gaussian_kde(rng(2, 9))
    for f, kind, what in (
        (lambda: stats.gaussian_kde(rng(1)), ValueError, "two numbers or more"),
        (lambda: stats.gaussian_kde(rng(9), "best"), ValueError, "bw_method must be"),
        (lambda: stats.gaussian_kde(rng(9), weights=rng(3)), ValueError, r"shape \(9,\)"),
        (lambda: stats.gaussian_kde(rng(9) + 1j), TypeError, "real numbers"),
        (lambda: kde(rng(3, 2)), ValueError, "must have 2 rows"),
        (lambda: kde.integrate_box_1d(0.0, 1.0), ValueError, "one dimension"),
        (lambda: kde.integrate_box([0.0], [1.0]), NotImplementedError, "resample"),
        (lambda: kde.set_bandwidth(0.3), NotImplementedError, "make another one"),
        (lambda: kde.integrate_kde(stats.gaussian_kde(rng(9))), ValueError, "2 and 1 dimensions"),
    ):
        with pytest.raises(kind, match=what):
            f()
