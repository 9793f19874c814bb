"""Special functions against SciPy, mpmath and jax: values in eager and compiled mode over wide
ranges, derivatives by every argument, singular points, narrow dtypes.
"""

import math
import warnings

import mpmath
import numpy as np
import pytest
import scipy.special

import diffeo as dx
from diffeo.routines.special.bessel import BesselI
from diffeo.routines.special.incomplete import Betainc, Igamma
from diffeo.routines.special.special import Polygamma, Zeta
from diffeo.scipy import special
from diffeo.scipy.special.bessel import BesselJ
from diffeo.scipy.special.normal import Erfcx

mp = mpmath.MPContext()
mp.dps = 34
rng = np.random.default_rng(0)


def number(x):
    return mp.mpc(complex(x)) if np.iscomplexobj(x) else mp.mpf(float(x))


def wide(low, high, n=24):
    """Numbers between powers of ten."""
    return 10.0 ** np.random.default_rng(n).uniform(low, high, n)


def agree(function, reference, *xs, rtol=1e-12, atol=0.0):
    """Eager and compiled, to a relative error."""
    xs = np.broadcast_arrays(*map(np.asarray, xs))
    exact = [reference(*map(number, point)) for point in zip(*xs)]
    complex_ = np.iscomplexobj(xs[0])
    expected = np.array([complex(v) if complex_ else float(mp.re(v)) for v in exact])
    for run in (function, dx.jit(function)):
        np.testing.assert_allclose(run(*map(dx.numpy.array, xs)), expected, rtol, atol)


def slopes(function, argument):
    return dx.vmap(dx.grad(function, argument))


def difference(function, argument):
    """The derivative by mpmath, by a difference so small that its error is below 1e-15."""

    def slope(*point):
        step = mp.mpf(10) ** -12 * max(1, abs(point[argument]))
        with mp.workdps(60):
            ends = []
            for sign in (1, -1):
                moved = list(point)
                moved[argument] += sign * step
                ends.append(function(*moved))
            return (ends[0] - ends[1]) / (2 * step)

    return slope


# --------------------------------------------------------------------------------------------------
# Gamma and zeta


def test_lgamma_keeps_its_relative_accuracy_at_its_zeros():
    offsets = np.concatenate([wide(-12, -1), -wide(-12, -1)])
    points = np.concatenate([wide(-300, 300), rng.uniform(0.1, 30, 30), 1 + offsets, 2 + offsets])
    agree(dx.lax.lgamma, lambda x: mp.loggamma(x), points)
    agree(special.gammaln, lambda x: mp.log(abs(mp.gamma(x))), -rng.uniform(0, 2, 20), rtol=1e-11)


def test_digamma_keeps_its_relative_accuracy_at_its_zero():
    root = 1.4616321449683622
    points = np.concatenate([wide(-10, 10), root + wide(-14, -1), root - wide(-14, -1)])
    agree(dx.lax.digamma, mp.digamma, points)
    agree(special.digamma, mp.digamma, -rng.uniform(0, 20, 20))
    np.testing.assert_array_equal(
        dx.jit(special.digamma)(np.array([0.0, -0.0])), [-math.inf, math.inf]
    )


@pytest.mark.parametrize("n", [1, 2, 5])
def test_polygamma(n):
    reference = lambda x: mp.polygamma(n, x)
    agree(Polygamma(n).bind, reference, np.concatenate([wide(-3, 4), -rng.uniform(0, 30, 10)]))
    agree(slopes(Polygamma(n).bind, 0), lambda x: mp.polygamma(n + 1, x), wide(-2, 2, 5))


def test_polygamma_of_several_orders():
    orders, x = np.array([[0.0], [1.0], [2.0], [6.0]]), wide(-2, 2, 5)
    expected = scipy.special.polygamma(orders, x)
    for run in (special.polygamma, dx.jit(special.polygamma)):
        np.testing.assert_allclose(run(orders, x), expected, 1e-12)
        np.testing.assert_allclose(run(3, x), scipy.special.polygamma(3, x), 1e-12)
    assert np.isnan(dx.jit(special.polygamma)(0.5, 1.0))
    assert float(dx.grad(dx.jit(special.polygamma))(2.0, 1.0)) == 0.0


@pytest.mark.parametrize("n", [0, 1, 2])
def test_zeta_and_its_derivatives_by_the_exponent(n):
    s, q = 1 + wide(-3, 1.3, 12), wide(-2, 2, 12)[::-1]
    agree(Zeta(n).bind, lambda s, q: mp.zeta(s, q, n), s, q)
    if n == 0:
        agree(special.zeta, lambda s: mp.zeta(s), s)
        agree(slopes(Zeta().bind, 1), lambda s, q: -s * mp.zeta(s + 1, q), s, q)


def test_counting():
    agree(special.gamma, mp.gamma, np.concatenate([rng.uniform(-10, 170, 30), wide(-8, 0, 5)]))
    agree(special.factorial, mp.factorial, np.arange(0.0, 170, 13))
    agree(special.poch, mp.rf, wide(-5, 3), wide(-3, 1.4)[::-1])
    n, k = np.floor(wide(1, 4)), np.floor(wide(0, 1))
    agree(special.comb, mp.binomial, n, k)
    repeated = lambda n, k: special.comb(n, k, repetition=True)
    agree(repeated, lambda n, k: mp.binomial(n + k - 1, k), n, k)
    np.testing.assert_array_equal(special.comb(np.array([3, -1, 3]), np.array([4, 0, -1])), 0.0)
    agree(
        lambda a: special.multigammaln(a, 3),
        lambda a: sum(mp.loggamma(a - mp.mpf(i) / 2) for i in range(3)) + 1.5 * mp.log(mp.pi),
        2 + wide(-2, 4),
    )
    expected = [-0.5 if n == 1 else float(mp.bernoulli(n)) for n in range(21)]
    np.testing.assert_allclose(special.bernoulli(20), expected, 1e-14)
    points = np.array([-2.5, -1.5, -0.5, 0.5, 3.0, 0.0, -0.0, -2.0])
    np.testing.assert_array_equal(special.gammasgn(points), scipy.special.gammasgn(points))


def test_betaln_without_cancellation():
    a, b = wide(-6, 9), wide(-6, 9)[::-1]
    exact = lambda a, b: mp.log(mp.beta(a, b))
    agree(special.betaln, exact, a, b, atol=1e-14)
    agree(special.beta, mp.beta, wide(-3, 2), wide(-3, 1.5)[::-1])
    a, b = wide(-3, 3), wide(-3, 3)[::-1]
    agree(slopes(special.betaln, 0), lambda a, b: mp.digamma(a) - mp.digamma(a + b), a, b)


# --------------------------------------------------------------------------------------------------
# Incomplete gamma and beta


def lower(a, x):
    return mp.gammainc(a, 0, x, regularized=True)


def upper(a, x):
    return mp.gammainc(a, x, mp.inf, regularized=True)


SHAPES = wide(-3, 2.5, 16)
AROUND = SHAPES * wide(-0.7, 0.7, 16)[::-1]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_incomplete_gamma(n):
    def derivative(function):
        for _ in range(n):
            function = difference(function, 0)
        return function

    inner = AROUND < SHAPES  # where P is small, and mpmath's difference of it is exact
    a, x = SHAPES, AROUND
    bound = 1e-12 if n < 2 else 1e-11
    agree(Igamma(n).bind, derivative(lower), a[inner], x[inner], rtol=bound)
    agree(Igamma(n, True).bind, derivative(upper), a[~inner], x[~inner], rtol=bound)


def test_incomplete_gamma_in_the_tails_and_for_large_shapes():
    a = np.array([1e-3, 0.5, 3.0, 50.0, 400.0, 1e-3])
    x = np.array([1e-9, 1e-20, 1e-5, 1.0, 150.0, 0.5])
    agree(special.gammainc, lower, a, x)
    agree(special.gammaincc, upper, a, np.array([30.0, 300.0, 80.0, 200.0, 900.0, 0.5]))
    large = np.array([1e5, 1e7, 1e9])
    near = large + np.sqrt(large) * np.array([-2.0, 1.0, 3.0])
    np.testing.assert_allclose(
        dx.jit(special.gammainc)(large, near), scipy.special.gammainc(large, near), 1e-12
    )
    np.testing.assert_allclose(
        dx.jit(special.gammaincc)(1e-6, 0.1), float(upper(mp.mpf(1e-6), mp.mpf(0.1))), 1e-12
    )


def test_random_gamma_grad():
    exact = lambda a, x: -difference(lower, 0)(a, x) / (mp.exp(-x) * x ** (a - 1) / mp.gamma(a))
    a, x = np.array([0.01, 0.3, 1.0, 7.0, 60.0]), np.array([1e-3, 0.1, 1.5, 6.0, 65.0])
    agree(dx.lax.random_gamma_grad, exact, a, x, rtol=1e-11)
    agree(slopes(dx.lax.random_gamma_grad, 0), difference(exact, 0), a[1:4], x[1:4], rtol=1e-7)
    assert np.isfinite(dx.lax.random_gamma_grad(300.0, 1e-3))  # where the density is no number


def part(a, b, x):
    """I_x(a, b), from the side of its smaller tail."""
    if x <= a / (a + b):
        return x**a * (1 - x) ** b / a / mp.beta(a, b) * mp.hyp2f1(a + b, 1, a + 1, x)
    return 1 - part(b, a, 1 - x)


BETA_A, BETA_B = wide(-2, 3, 12), wide(-2, 3, 12)[::-1]
BETA_X = BETA_A / (BETA_A + BETA_B * np.exp(rng.normal(size=12) / np.sqrt(BETA_A + BETA_B)))


@pytest.mark.parametrize("i,j", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_incomplete_beta(i, j):
    exact = part
    for argument, count in ((0, i), (1, j)):
        exact = difference(exact, argument) if count else exact
    inside = (BETA_X > 1e-200) & (BETA_X < 1 - 1e-12)
    points = (BETA_A[inside], BETA_B[inside], BETA_X[inside])
    agree(Betainc(i, j).bind, exact, *points, rtol=1e-12 if i + j < 2 else 1e-11)


def test_incomplete_functions_at_the_ends():
    inf, nan = math.inf, math.nan
    a = np.array([0.0, 0.0, 1.0, 1.0, inf, 2.0, -1.0, 2.0, nan])
    x = np.array([0.0, 1.0, 0.0, inf, 3.0, -1.0, 1.0, nan, 1.0])
    for run in (lambda f: f, dx.jit):
        np.testing.assert_array_equal(run(special.gammainc)(a, x), [nan, 1, 0, 1, 0, *[nan] * 4])
        np.testing.assert_array_equal(run(special.gammaincc)(a, x), [nan, 0, 1, 0, 1, *[nan] * 4])
        np.testing.assert_array_equal(
            run(special.betainc)(2.0, 3.0, np.array([0.0, 1.0, -0.1, 1.1])), [0, 1, nan, nan]
        )
        for argument in (0, 1):
            grad = run(dx.grad(special.gammainc, argument))
            assert float(grad(2.0, 0.0)) == 0.0
            assert float(grad(2.0, inf)) == 0.0
        assert float(run(dx.grad(special.gammainc, 1))(1.0, 0.0)) == 1.0
        assert float(run(dx.grad(special.betainc, 2))(2.0, 1.0, 1.0)) == 2.0
        assert float(run(dx.grad(special.betainc, 0))(2.0, 3.0, 1.0)) == 0.0


def test_high_orders_by_taylor_series():
    for function in (lambda a: special.gammainc(a, 1.5), lambda a: special.betainc(a, 2.0, 0.4)):
        found = dx.derivatives(function, 2.0, 6)
        nested = function
        for k in range(4):
            np.testing.assert_allclose(found[k], nested(2.0), 1e-10)
            nested = dx.grad(nested)
    exact = mp.diff(lambda a: lower(a, mp.mpf(1.5)), 2, 6)
    found = dx.derivatives(lambda a: special.gammainc(a, 1.5), 2.0, 6)
    np.testing.assert_allclose(found[6], float(exact), 1e-9)


# --------------------------------------------------------------------------------------------------
# The normal distribution


def test_normal_distribution():
    agree(special.erfc, mp.erfc, np.concatenate([rng.uniform(-6, 26, 30), wide(-9, 0, 5)]))
    agree(
        special.erfcx,
        lambda x: mp.exp(x * x) * mp.erfc(x),
        np.concatenate([wide(-5, 5), -rng.uniform(0, 20, 15)]),
    )
    agree(special.ndtr, lambda x: mp.erfc(-x / mp.sqrt(2)) / 2, rng.uniform(-37, 8, 30))
    log = lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)
    x = np.concatenate([-wide(-3, 3), rng.uniform(0, 8, 10)])
    agree(special.log_ndtr, log, x)
    slope = lambda x: mp.npdf(x) / (mp.erfc(-x / mp.sqrt(2)) / 2)
    agree(slopes(special.log_ndtr, 0), slope, x)
    agree(
        special.dawsn,
        lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x),
        np.concatenate([wide(-8, 1.2), -wide(-3, 1, 6)]),
    )


@pytest.mark.parametrize("n", [1, 2, 4])
def test_derivatives_of_erfcx_do_not_cancel(n):
    def exact(x):  # repeated integrals of erfc are parabolic cylinder functions
        size = mp.gamma(n + 1) / mp.sqrt(2) ** (n + 1) * mp.exp(x * x / 2)
        return 2 / mp.sqrt(mp.pi) * size * mp.pcfd(-n - 1, x * mp.sqrt(2))

    agree(Erfcx(n).bind, exact, np.concatenate([wide(-2, 2, 8), -rng.uniform(0, 3, 4), [0.0]]))


def test_inverses():
    p = np.concatenate([wide(-300, -1), rng.uniform(0, 1, 20), 1 - wide(-15, -1)])
    for run in (special.ndtri, dx.jit(special.ndtri)):
        np.testing.assert_allclose(run(p), scipy.special.ndtri(p), 1e-13)
    x = np.concatenate([rng.uniform(-1, 1, 20), 1 - wide(-15, -1), wide(-9, 0)])
    agree(special.erfinv, mp.erfinv, x)
    for run in (special.erfcinv, dx.jit(special.erfcinv)):
        np.testing.assert_allclose(run(2 * p), scipy.special.erfcinv(2 * p), 1e-13, 1e-15)
        ends = run(np.array([0.0, 2.0, -1.0]))
        np.testing.assert_array_equal(ends, [math.inf, -math.inf, np.nan])
    middle = p[24:44]
    expected = np.exp(scipy.special.ndtri(middle) ** 2 / 2) * math.sqrt(2 * math.pi)
    np.testing.assert_allclose(slopes(special.ndtri, 0)(middle), expected, 1e-12)


def test_faddeeva():
    z = wide(-2, 1.5, 20) + 1j * wide(-3, 1, 20)[::-1]
    points = np.concatenate([z, -np.conj(z), np.conj(z[:6]) / 3, -z[:6] / 3])
    agree(special.wofz, lambda z: mp.exp(-z * z) * mp.erfc(-1j * z), points)


def test_gelu_far_below_zero():
    exact = lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2
    agree(lambda x: dx.nn.gelu(x, approximate=False), exact, -wide(-2, 1.4))


# --------------------------------------------------------------------------------------------------
# Integrals, Bessel functions, hypergeometric series


def test_exponential_integrals():
    n, x = np.arange(16.0), wide(-8, 2, 16)
    agree(special.expn, mp.expint, n, x)
    agree(slopes(special.expn, 0), difference(mp.expint, 0), 0.5 + n[:6], wide(-1, 1, 6), rtol=1e-9)
    agree(special.exp1, mp.e1, wide(-8, 2.8))
    agree(special.expi, mp.ei, np.concatenate([wide(-8, -1), wide(0, 2.8), -wide(-8, 2.5)]))


def test_oscillating_integrals():
    x = np.concatenate([wide(-5, 3), rng.uniform(0, 12, 12)])
    agree(lambda x: special.sici(x)[0], mp.si, x)
    agree(lambda x: special.sici(x)[1], mp.ci, x, atol=1e-14)
    points = np.concatenate([wide(-5, 2), -rng.uniform(0, 4, 12)])
    agree(lambda x: special.fresnel(x)[0], mp.fresnels, points)
    agree(lambda x: special.fresnel(x)[1], mp.fresnelc, points)


def test_spence_and_owens_t():
    agree(special.spence, lambda x: mp.re(mp.polylog(2, 1 - x)), wide(-4, 4))
    third = dx.grad(dx.grad(dx.grad(special.spence)))
    np.testing.assert_allclose(third(1.0), -2 / 3, 1e-12)  # of -z + z**2/4 - z**3/9, z = x - 1
    h, a = rng.uniform(-6, 6, 30), wide(-2, 2, 30)
    for run in (special.owens_t, dx.jit(special.owens_t)):
        np.testing.assert_allclose(run(h, a), scipy.special.owens_t(h, a), 1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_bessel_functions(n):
    x = np.concatenate([wide(-3, 5), -rng.uniform(0, 30, 8), [8.0, 7.999999]])
    agree(BesselI(n).bind, lambda x: mp.besseli(n, x) * mp.exp(-abs(x)), x)
    agree(BesselJ(n).bind, lambda x: mp.besselj(n, x), wide(-3, 0.3))
    agree(BesselJ(n).bind, lambda x: mp.besselj(n, x), rng.uniform(-60, 60, 20), atol=1e-13)
    slope = lambda x: mp.besselj(n, x, 1)
    agree(slopes(BesselJ(n).bind, 0), slope, np.array([0.0, 0.5, 9.0]), atol=1e-14)


def test_bessel_faces():
    z = np.array([0.0, 0.5, 10.0, 25.0])
    found = dx.jit(lambda z: special.bessel_jn(z, v=12))(z)
    np.testing.assert_allclose(found, [scipy.special.jv(n, z) for n in range(13)], 1e-11, 1e-14)
    for name in ("i0", "i1", "i0e", "i1e"):
        expected = getattr(scipy.special, name)(z)
        np.testing.assert_allclose(getattr(special, name)(z), expected, 1e-13)
    third = dx.grad(dx.grad(dx.grad(special.i1)))
    np.testing.assert_allclose(third(0.0), 3 / 8, 1e-13)


@pytest.mark.slow
def test_hypergeometric_functions():
    a, b, c = wide(-1, 0.7, 10), wide(-1, 0.7, 10)[::-1], wide(-1, 0.5, 10)
    x = np.linspace(-8, 12, 10)
    agree(special.hyp1f1, mp.hyp1f1, a, b, x)
    for i in range(3):
        agree(slopes(special.hyp1f1, i), difference(mp.hyp1f1, i), a[::3], b[::3], x[::3])
    x = np.linspace(-5, 0.95, 10)
    agree(special.hyp2f1, mp.hyp2f1, a, b, c, x)
    for i in range(4):
        agree(slopes(special.hyp2f1, i), difference(mp.hyp2f1, i), a[::3], b[::3], c[::3], x[::3])
    np.testing.assert_allclose(
        special.hyp2f1(0.5, 0.25, 2.0, 1.0), scipy.special.hyp2f1(0.5, 0.25, 2.0, 1.0), 1e-13
    )


# --------------------------------------------------------------------------------------------------
# Entropies, and what holds for all


def test_entropies_at_the_boundary():
    p, q = np.array([0.0, 0.0, 1.0, 2.0, -1.0]), np.array([0.0, 1.0, 0.0, 3.0, 1.0])
    for name in ("rel_entr", "kl_div"):
        found = dx.jit(getattr(special, name))(p, q)
        np.testing.assert_allclose(found, getattr(scipy.special, name)(p, q), 1e-14)
        for argument in (0, 1):
            grads = slopes(getattr(special, name), argument)(p[:2], q[:2])
            assert np.all(np.isfinite(grads))
    x, power = wide(-2, 2), wide(-9, 0.4)[::-1]
    agree(special.boxcox, lambda x, p: mp.expm1(p * mp.log(x)) / p, x, power, rtol=1e-11)
    np.testing.assert_allclose(dx.grad(special.boxcox, 1)(3.0, 0.0), math.log(3) ** 2 / 2, 1e-14)


UNARY = ["gammaln", "digamma", "gamma", "erf", "erfc", "erfcx", "erfinv", "erfcinv", "ndtr",
         "ndtri", "log_ndtr", "dawsn", "exp1", "expi", "spence", "i0", "i1", "i0e", "i1e",
         "entr", "logit", "expit", "factorial"]  # fmt: skip
BINARY = ["beta", "betaln", "gammainc", "gammaincc", "poch", "zeta", "kl_div", "rel_entr", "boxcox",
          "owens_t", "xlogy", "xlog1py"]  # fmt: skip


@pytest.mark.parametrize("name", UNARY + BINARY)
@pytest.mark.sampled(2)
def test_float32_is_accurate_and_stays(name):
    x = np.linspace(0.15, 0.9, 7).astype(np.float32)
    args = (x,) if name in UNARY else (x + np.float32(1.0), x)
    if name == "zeta":
        args = (x + np.float32(1.5), x)
    expected = getattr(scipy.special, name)(*[a.astype(np.float64) for a in args])
    for run in (getattr(special, name), dx.jit(getattr(special, name))):
        found = run(*args)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


@pytest.mark.parametrize("name", UNARY + BINARY)
@pytest.mark.sampled(2)
def test_names_behave_like_jax(name, jax):
    x = np.linspace(0.15, 0.9, 5)
    args = (x,) if name in UNARY else (x + 1.5, x)
    theirs = getattr(jax.scipy.special, name, None)
    if theirs is None:
        assert name == "erfcinv"  # newer than the oldest jax
        return
    np.testing.assert_allclose(getattr(special, name)(*args), theirs(*args), 1e-9, 1e-12)
    found = dx.grad(lambda *a: getattr(special, name)(*a).sum())(*args)
    expected = jax.grad(lambda *a: theirs(*a).sum())(*args)
    if name != "zeta":  # jax has no derivative by the exponent
        np.testing.assert_allclose(found, expected, 1e-8, 1e-10)


def test_lax_is_strict():
    x = dx.numpy.ones(3)
    assert dx.lax.igamma(x, 2.0).shape == (3,)
    with pytest.raises(TypeError, match=r"igamma.*equal shapes and dtypes.*f64\[3\].*f64\[2\]"):
        dx.lax.igamma(x, dx.numpy.ones(2))
    with pytest.raises(TypeError, match=r"betainc.*f32\[3\]"):
        dx.lax.betainc(x, x, x.astype(np.float32))
    with pytest.raises(TypeError, match=r"lgamma: expects floating-point operands, got i64\[2\]"):
        dx.lax.lgamma(dx.numpy.arange(2))
    with pytest.raises(TypeError, match=r"polygamma|zeta"):
        dx.lax.polygamma(1, dx.numpy.arange(2))


def test_errors_of_the_face():
    with pytest.raises(ValueError, match="bernoulli: n must not be negative, got -1"):
        special.bernoulli(-1)
    with pytest.raises(ValueError, match="multigammaln: d must be at least 1, got 0"):
        special.multigammaln(2.0, 0)
    with pytest.raises(ValueError, match="bessel_jn: v must not be negative, got -1"):
        special.bessel_jn(2.0, v=-1)
    with pytest.raises(NotImplementedError, match="factorial"):
        special.factorial(3, exact=True)
    with pytest.raises(TypeError, match="lgamma"):
        special.gammaln(1j)


def test_nothing_is_given_for_nothing():
    """A zero cotangent stays zero where the derivative is infinite."""
    where = dx.numpy.where
    for function, point in ((special.gammaln, 0.0), (special.expi, 0.0), (special.erfcinv, 0.0),
                            (special.digamma, -1.0), (lambda x: special.betaln(x, 1.0), 0.0),
                            (lambda x: special.gammainc(0.5, x), 0.0)):  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            slope = dx.grad(lambda x, f=function: where(x > 5.0, f(x), 1.0))(point)
        assert float(slope) == 0.0
