"""Distributions and statistics beside SciPy, mpmath and, where it is there, jax.

`CASES` has parameters of each distribution; the laws are tested for all functions that it has.
"""

import inspect
import math
import pickle
import warnings

import mpmath
import numpy as np
import pytest
import scipy.stats

import diffeo as dx
from diffeo.scipy import stats
from diffeo.scipy.stats.distribution import Distribution

try:
    import jax
    import jax.scipy.stats

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

dnp = dx.numpy
inf, nan = math.inf, math.nan
mp = mpmath.MPContext()
mp.dps = 40

LINE = np.array([-300.0, -40.0, -8.0, -3.0, -1.0, -0.7, -1e-3, 0.0, 1e-300, 1e-10, 0.01, 0.3, 0.5,
                 0.999, 1.0, 1.0001, 1.5, 2.0, 3.0, 6.0, 6.2831, 20.0, 45.0, nan])  # fmt: skip
COUNTS = np.array([-3.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 9.0, 10.0, 11.0, 40.0, nan])
CHANCES = np.array([-0.1, 0.0, 1e-300, 1e-12, 0.01, 0.2499, 0.3, 0.5, 0.5001, 0.75, 0.9, 0.999999,
                    1 - 1e-12, 1.0, 1.1, nan])  # fmt: skip

#: Right parameters of each distribution, and wrong ones.
CASES = {
    "norm": ([()], []), "cauchy": ([()], []), "laplace": ([()], []), "logistic": ([()], []),
    "gumbel_r": ([()], []), "gumbel_l": ([()], []), "expon": ([()], []), "uniform": ([()], []),
    "t": ([(1.0,), (3.5,), (200.0,), (1e10,), (inf,)], [(-1.0,), (nan,)]),
    "gennorm": ([(1.0,), (2.0,), (0.6,), (3.0,)], [(0.0,)]),
    "gamma": ([(0.3,), (1.0,), (2.5,), (30.0,)], [(0.0,), (-1.0,), (nan,)]),
    "chi2": ([(1.0,), (2.0,), (7.0,), (60.0,)], [(0.0,)]),
    "pareto": ([(0.5,), (3.0,)], [(0.0,)]),
    "beta": ([(0.5, 0.5), (1.0, 1.0), (2.0, 3.0), (1.0, 4.0), (50.0, 200.0)], [(-1.0, 2.0)]),
    "truncnorm": ([(-1.0, 2.0), (3.0, 5.0), (-inf, 0.5), (8.0, inf), (-0.01, 0.02),
                   (-30.5, -29.9)], [(2.0, 1.0)]),
    "vonmises": ([(0.0,), (0.5,), (30.0,)], [(-1.0,)]),
    "wrapcauchy": ([(0.1,), (0.9,)], [(1.0,), (0.0,)]),
    "bernoulli": ([(0.3,), (0.0,), (1.0,)], [(1.2,)]),
    "binom": ([(10.0, 0.3), (10.0, 0.0), (10.0, 1.0), (50.0, 0.5), (0.0, 0.2)],
              [(2.5, 0.3), (-1.0, 0.2), (3.0, 1.1)]),
    "nbinom": ([(3.0, 0.2), (2.5, 0.9), (1.0, 1.0)], [(0.0, 0.3), (2.0, 0.0)]),
    "geom": ([(0.3,), (1.0,)], [(0.0,)]),
    "betabinom": ([(10.0, 2.0, 3.0), (40.0, 0.5, 0.5), (0.0, 1.0, 1.0)], [(5.0, -1.0, 1.0)]),
    "poisson": ([(0.3,), (10.0,), (0.0,)], [(-1.0,), (nan,)]),
}  # fmt: skip
FUNCTIONS = [(d, f) for d in CASES for f in getattr(stats, d).__all__ if f != "entropy"]


def whole(name):
    return hasattr(getattr(stats, name), "pmf")


def points_of(name, function):
    return CHANCES if function in ("ppf", "isf") else COUNTS if whole(name) else LINE


def spread(x, parameters):
    return [np.broadcast_to(p, x.shape).astype(float) for p in parameters]


def scipys(name, function):
    def call(*args):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return getattr(getattr(scipy.stats, name), function)(*args)

    return call


def agree(found, expected, rtol=1e-12, lost=False):
    """Equal up to a relative error. With `lost`, SciPy may have -inf, or digits less, in a tail."""
    found, expected = np.asarray(found), np.asarray(expected)
    with np.errstate(all="ignore"):
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        same = same | (np.abs(found - expected) <= rtol * np.abs(expected))
        if lost:
            same = same | ((expected == -inf) & (found < -700))
            same = same | (np.abs(found - expected) < 4e-16)
    assert same.all(), (found[~same], expected[~same])


@pytest.mark.parametrize("name, function", FUNCTIONS)
def test_numbers_are_scipys(name, function):
    ours, x = getattr(getattr(stats, name), function), points_of(name, function)
    theirs, log = scipys(name, function), function in ("logcdf", "logsf")
    right, wrong = CASES[name]
    for parameters in right:
        places = [(), (2,)] if whole(name) else [(), (1.5, 2.0)]
        for place in places:
            if name == "truncnorm" and parameters[0] == -30.5 and place:
                continue  # SciPy loses digits
            found = ours(x, *spread(x, parameters), *place)
            agree(found, theirs(x, *parameters, *place), lost=log)
        place = (0, -1.0) if not whole(name) else None
        if place:
            assert np.isnan(ours(x, *spread(x, parameters), *place)).all()
    for parameters in wrong:
        assert np.isnan(ours(x, *spread(x, parameters))).all(), parameters


#: Distributions that are made in ways of their own; the others are compiled in the exhaustive run.
COMPILED = ("norm", "poisson", "gumbel_l")


@pytest.mark.parametrize(
    "name", [n if n in COMPILED else pytest.param(n, marks=pytest.mark.exhaustive) for n in CASES]
)
def test_compiled_and_batched(name):
    module, parameters = getattr(stats, name), CASES[name][0][-1]
    chosen = [f for f in module.__all__ if f != "entropy"]

    def all_of(x, q):
        return [getattr(module, f)(q if f in ("ppf", "isf") else x, *parameters) for f in chosen]

    x = COUNTS if whole(name) else LINE[: CHANCES.size]
    q = CHANCES[: x.size]
    expected = all_of(x, q)
    for found in (dx.jit(all_of)(x, q), dx.vmap(all_of)(x, q)):
        for a, b in zip(found, expected):
            np.testing.assert_allclose(a, b, 1e-12, 1e-300)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.sampled(2)
def test_dtypes(name):
    module, parameters = getattr(stats, name), CASES[name][0][0]
    for f in module.__all__:
        if f == "entropy":
            continue
        g, x = getattr(module, f), np.float32(0.5 if f in ("ppf", "isf") else 1)
        small = g(x, *[np.float32(p) for p in parameters])
        assert small.dtype == np.float32 and g(x, *parameters).dtype == np.float32
        large = g(float(x), *parameters)
        assert large.dtype == np.float64
        np.testing.assert_allclose(small, large, 2e-5, 2e-5)
        if f not in ("ppf", "isf"):
            assert g(np.int64(1), *parameters).dtype == np.float64
            assert g(np.array(True), *parameters).dtype == np.float64


# --------------------------------------------------------------------------------------------------
# Derivatives

#: Where each distribution is differentiated, and by which of (x, shapes, loc, scale).
INSIDE = {"beta": 0.3, "uniform": 0.3, "wrapcauchy": 1.3}


def richardson(f, x):
    """The derivative by two central differences, with an error of the step's fourth power."""
    h = 1e-3 * max(abs(x), 0.05)
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def derivatives_of(name, parameters):
    a, b = parameters if name == "truncnorm" else (0, 0)
    inside = 0.5 * (max(a, -20) + min(b, 20)) + 0.003 if name == "truncnorm" else None
    first = inside or INSIDE.get(name, 3.0 if whole(name) else 1.7)
    for f in getattr(stats, name).__all__:
        if f == "entropy":
            continue
        args = [0.37 if f in ("ppf", "isf") else first, *parameters]
        args += [] if whole(name) else [0.01, 1.1]
        fixed = (0, 1) if name in ("binom", "betabinom") else (0,) if whole(name) else ()
        ends = (0.0, 1.0) if whole(name) or name == "vonmises" else ()
        free = [i for i, v in enumerate(args) if i not in fixed and math.isfinite(v)]
        yield f, args, [i for i in free if args[i] not in ends or not 0 < i <= len(parameters)]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.sampled(3)
def test_first_and_second_derivatives(name):
    for parameters in CASES[name][0][:2]:
        for f, args, by in derivatives_of(name, parameters):
            function = getattr(getattr(stats, name), f)
            if not np.isfinite(float(function(*args))):
                continue
            for i in by:
                moved = lambda g, i=i, args=args: lambda v: float(g(*args[:i], v, *args[i + 1 :]))
                slope = dx.grad(function, i)
                size = abs(float(function(*args)))
                exact = richardson(moved(function), args[i])
                assert float(slope(*args)) == pytest.approx(exact, rel=1e-6, abs=1e-7 * size + 1e-9)
                curve = dx.grad(slope, i)(*args)
                exact = richardson(moved(slope), args[i])
                size = abs(float(slope(*args)))
                assert float(curve) == pytest.approx(exact, rel=1e-5, abs=1e-6 * size + 1e-8), (
                    f,
                    i,
                )


@pytest.mark.parametrize("name", CASES)
def test_no_derivative_is_nan_at_or_beyond_the_ends(name):
    module = getattr(stats, name)
    for parameters in CASES[name][0]:
        for f in module.__all__:
            if f == "entropy" or f in ("ppf", "isf"):
                continue
            ends = [-inf, inf, *parameters]
            x = np.unique(np.append(points_of(name, f)[:-1], ends))
            args = [x, *spread(x, parameters)]
            function = getattr(module, f)
            finite = np.isfinite(function(*args))
            for i in range(int(whole(name)), len(args)):
                if name == "nbinom" and parameters == (1.0, 1.0) and i == 1:
                    continue  # by n at p = 1: the logarithm's slopes are infinite there
                backward = dx.grad(lambda *a, g=function: dnp.sum(g(*a)), i)(*args)
                assert not np.isnan(np.asarray(backward)[finite]).any(), (f, i, parameters)
                one = lambda v, g=function, i=i, args=args: g(*args[:i], v, *args[i + 1 :])
                _, forward = dx.jvp(one, (args[i],), (np.ones(x.shape),))
                assert not np.isnan(np.asarray(forward)[finite]).any(), (f, i, parameters)


def test_one_sided_derivatives_at_ends():
    assert float(dx.grad(stats.expon.logpdf)(0.0)) == -1.0
    assert float(dx.grad(stats.expon.cdf)(0.0)) == 1.0
    assert float(dx.grad(stats.gamma.pdf)(0.0, 2.0)) == 1.0
    assert float(dx.grad(dx.grad(stats.gamma.pdf))(0.0, 3.0)) == pytest.approx(1.0)
    assert float(dx.grad(stats.beta.pdf)(1.0, 1.0, 2.0)) == pytest.approx(-2.0)
    assert float(dx.grad(stats.beta.cdf)(1.0, 2.0, 1.0)) == pytest.approx(2.0)
    assert float(dx.grad(stats.poisson.pmf, 1)(1, 0.0)) == 1.0
    assert float(dx.grad(stats.binom.pmf, 2)(0, 5, 0.0)) == pytest.approx(-5.0)
    assert float(dx.grad(stats.binom.logpmf, 2)(0, 5, 0.0)) == -5.0
    assert float(dx.grad(dx.grad(stats.gennorm.logpdf))(0.0, 2.0)) == -2.0
    assert float(dx.grad(dx.grad(stats.logistic.logpdf))(0.0)) == -0.5
    truncated = lambda x: stats.truncnorm.cdf(x, -1.0, 2.0)
    density = scipy.stats.truncnorm.pdf(-1.0, -1.0, 2.0)
    assert float(dx.grad(truncated)(-1.0)) == pytest.approx(density, rel=1e-13)


# --------------------------------------------------------------------------------------------------
# Tails, beside mpmath


def normal_part(a, b):
    a, b = (-b, -a) if a < 0 and b <= 0 else (a, b)
    return (mp.erfc(a / mp.sqrt(2)) - mp.erfc(b / mp.sqrt(2))) / 2


def beta_part(x, a, b):
    return x**a / a / mp.beta(a, b) * mp.hyp2f1(a, 1 - b, a + 1, x)


#: (distribution, parameters, points, the lower part, the upper part).
TAILS = [
    ("norm", (), [-1e5, -300, -40, -1.0, 3.0, 30.0], lambda x: mp.ncdf(x), lambda x: mp.ncdf(-x)),
    ("gamma", (2.5,), [1e-200, 1e-3, 2.0, 30.0, 5e3],
     lambda x, a: mp.gammainc(a, 0, x, True), lambda x, a: mp.gammainc(a, x, mp.inf, True)),
    ("gamma", (300.0,), [1e-3, 5.0, 200.0, 310.0, 900.0, 1e4],
     lambda x, a: mp.gammainc(a, 0, x, True), lambda x, a: mp.gammainc(a, x, mp.inf, True)),
    ("beta", (80.0, 3.0), [1e-9, 1e-3, 0.3, 0.95, 0.999],
     beta_part, lambda x, a, b: beta_part(1 - x, b, a)),
    ("laplace", (), [-1e4, -3.0, 2.0, 800.0], lambda x: mp.exp(-abs(x)) / 2 if x < 0 else
     1 - mp.exp(-x) / 2, lambda x: mp.exp(-abs(x)) / 2 if x > 0 else 1 - mp.exp(x) / 2),
    ("logistic", (), [-1e4, -3.0, 2.0, 800.0],
     lambda x: 1 / (1 + mp.exp(-x)), lambda x: 1 / (1 + mp.exp(x))),
    ("gumbel_r", (), [-6.0, -2.0, 0.5, 30.0, 45.0, 1e4],
     lambda x: mp.exp(-mp.exp(-x)), lambda x: -mp.expm1(-mp.exp(-x))),
    ("gennorm", (3.0,), [-100.0, -7.0, -0.3, 0.6, 2.0, 20.0],
     lambda x, b: mp.gammainc(1 / b, abs(x) ** b, mp.inf, True) / 2 if x < 0 else
     1 - mp.gammainc(1 / b, x**b, mp.inf, True) / 2,
     lambda x, b: mp.gammainc(1 / b, abs(x) ** b, mp.inf, True) / 2 if x > 0 else
     1 - mp.gammainc(1 / b, abs(x) ** b, mp.inf, True) / 2),
    ("cauchy", (), [-1e200, -1e3, -0.5, 4.0, 1e30],
     lambda x: mp.atan2(1, -x) / mp.pi, lambda x: mp.atan2(1, x) / mp.pi),
    ("truncnorm", (-1.0, 2.0), [-0.9999, 0.3, 1.99], lambda x, a, b: normal_part(a, x) /
     normal_part(a, b), lambda x, a, b: normal_part(x, b) / normal_part(a, b)),
    ("truncnorm", (30.0, 30.5), [30.0001, 30.1, 30.4999], lambda x, a, b: normal_part(a, x) /
     normal_part(a, b), lambda x, a, b: normal_part(x, b) / normal_part(a, b)),
    ("truncnorm", (5.0, inf), [5.001, 6.0, 40.0], lambda x, a, b: normal_part(a, x) /
     normal_part(a, mp.inf), lambda x, a, b: normal_part(x, mp.inf) / normal_part(a, mp.inf)),
    ("pareto", (3.0,), [1.0 + 1e-9, 2.0, 1e200],
     lambda x, b: -mp.expm1(-b * mp.log(x)), lambda x, b: x**-b),
    ("poisson", (30.0,), [0.0, 20.0, 40.0, 900.0], lambda k, m: mp.gammainc(k + 1, m, mp.inf, True),
     lambda k, m: mp.gammainc(k + 1, 0, m, True)),
]  # fmt: skip


@pytest.mark.parametrize("name, parameters, points, lower, upper", TAILS,
                         ids=[f"{t[0]} {t[1]}" for t in TAILS])  # fmt: skip
def test_tails(name, parameters, points, lower, upper):
    module, x = getattr(stats, name), np.array(points, float)
    for part, function, log in ((lower, "cdf", "logcdf"), (upper, "sf", "logsf")):
        with mp.workdps(60 if name != "beta" else 120):
            exact = [part(mp.mpf(v), *map(mp.mpf, parameters)) for v in x.tolist()]
            rest = upper if part is lower else lower
            others = [rest(mp.mpf(v), *map(mp.mpf, parameters)) for v in x.tolist()]
            logs = [mp.log(p) if p < 0.5 else mp.log1p(-q) for p, q in zip(exact, others)]
        agree(getattr(module, function)(x, *parameters), [float(v) for v in exact], 2e-12)
        agree(getattr(module, log)(x, *parameters), [float(v) for v in logs], 1e-12)


def test_densities_of_large_parameters():
    """The logarithms of densities do not lose digits where their terms are huge, and cancel."""
    a, b = np.array([1e6, 3e8, 1e5]), np.array([4e6, 1e3, 2e5])
    x = a / (a + b) * (1 + np.array([1e-4, -1e-9, 1e-3]))
    exact = lambda x, a, b: (a - 1) * mp.log(x) + (b - 1) * mp.log1p(-x) - mp.log(mp.beta(a, b))
    expected = [float(exact(*map(mp.mpf, v))) for v in zip(x.tolist(), a.tolist(), b.tolist())]
    agree(stats.beta.logpdf(x, a, b), expected, 1e-11)
    shape, at = np.array([1e5, 1e8]), np.array([1.01e5, 1.00001e8])
    exact = lambda x, a: (a - 1) * mp.log(x) - x - mp.loggamma(a)
    expected = [float(exact(*map(mp.mpf, v))) for v in zip(at.tolist(), shape.tolist())]
    agree(stats.gamma.logpdf(at, shape), expected, 1e-12)
    agree(stats.poisson.logpmf(at, shape), [
        float(k * mp.log(m) - m - mp.loggamma(k + 1)) for k, m in zip(map(mp.mpf, at.tolist()),
                                                                      map(mp.mpf, shape.tolist()))
    ], 1e-12)  # fmt: skip
    n, k, p = mp.mpf(10) ** 8, mp.mpf(30000000), mp.mpf(0.3)
    exact = mp.log(mp.binomial(n, k)) + k * mp.log(p) + (n - k) * mp.log1p(-p)
    agree(stats.binom.logpmf(3e7, 1e8, 0.3), float(exact), 1e-12)
    exact = mp.log(mp.binomial(n, k)) + mp.log(mp.beta(k + 2, n - k + 5)) - mp.log(mp.beta(2, 5))
    agree(stats.betabinom.logpmf(3e7, 1e8, 2.0, 5.0), float(exact), 1e-12)


def test_entropy_of_poisson():
    mu = np.array([0.0, 1e-3, 0.5, 7.0, 60.0, 99.9])
    expected = [scipy.stats.poisson(m).entropy() if m else 0.0 for m in mu]
    np.testing.assert_allclose(stats.poisson.entropy(mu), expected, 1e-10)
    exact = lambda m: -mp.nsum(lambda k: _poisson(k, m) * mp.log(_poisson(k, m)), [0, 300])
    for m in (0.5, 7.0, 60.0):
        with mp.workdps(25):
            assert float(stats.poisson.entropy(m)) == pytest.approx(float(exact(m)), rel=1e-13)
    below, above = (dx.jit(stats.poisson.entropy)(m) for m in (99.9999999, 100.0000001))
    assert float(above - below) == pytest.approx(2e-7 * 0.5 / 100, rel=2e-2)
    for order in range(1, 4):
        slope = stats.poisson.entropy
        for _ in range(order - 1):
            slope = dx.grad(slope)
        for m in (3.0, 80.0, 200.0):
            exact = richardson(lambda v, f=slope: float(f(v)), m)
            assert float(dx.grad(slope)(m)) == pytest.approx(exact, rel=1e-6)
    assert np.isnan(stats.poisson.entropy(-1.0))
    assert stats.poisson.entropy(1.0, loc=np.ones(3)).shape == (3,)


def _poisson(k, m):
    return mp.exp(k * mp.log(m) - m - mp.loggamma(k + 1))


# --------------------------------------------------------------------------------------------------
# Names


def test_distributions_are_modules():
    import diffeo.scipy.stats.norm as norm
    from diffeo.scipy.stats.beta import logpdf

    assert norm is stats.norm and logpdf is stats.beta.logpdf
    assert pickle.loads(pickle.dumps(stats.norm.cdf)) is stats.norm.cdf
    assert isinstance(stats.norm, Distribution) and "normal" in stats.norm.__doc__
    assert str(inspect.signature(stats.beta.pdf)) == "(x, a, b, loc=0, scale=1)"
    assert float(stats.beta.pdf(x=0.5, b=2.0, a=1.0, scale=2.0)) == 0.75
    with pytest.raises(TypeError, match=r"beta.pdf\(x, a, b, loc=0, scale=1\): missing"):
        stats.beta.pdf(0.5, 1.0)
    with pytest.raises(TypeError, match="unexpected keyword"):
        stats.norm.pdf(0.5, mean=1.0)
    with pytest.raises(TypeError):
        stats.norm.pdf([0.5])


@pytest.mark.skipif(jax is None, reason="jax is not installed")
def test_all_that_jax_has():
    theirs = jax.scipy.stats
    for name in [n for n in dir(theirs) if not n.startswith("_")]:
        if not inspect.ismodule(getattr(theirs, name)):
            assert hasattr(stats, name)
            continue
        for f in [f for f in dir(getattr(theirs, name)) if not f.startswith("_")]:
            member = getattr(getattr(theirs, name), f)
            if not callable(member):
                continue
            ours = inspect.signature(getattr(getattr(stats, name), f)).parameters
            for ours_, p in zip(ours.values(), inspect.signature(member).parameters.values()):
                assert (ours_.name, ours_.default) == (p.name, p.default), (name, f)
            extra = list(ours)[len(inspect.signature(member).parameters) :]
            assert set(extra) <= {"loc", "scale"}, (name, f, extra)
