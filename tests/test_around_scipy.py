"""SciPy around diffeo: its optimisers, solvers and statistics with diffeo's functions and arrays.

Each line of the tables is a use as users write it; derivatives come from diffeo, jitted or not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy
from scipy import fft, integrate, interpolate, linalg, ndimage, optimize, signal, sparse, spatial, stats

import diffeo as dx
import diffeo.numpy as dnp

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::scipy.optimize.OptimizeWarning")


def rosen(x):
    return dnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def plain_rosen(x):
    """The same in plain NumPy."""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + np.square(1 - x[:-1]))


def bowl(x):
    return dnp.sum((x - 0.3) ** 2) + 0.1 * dnp.sum(dnp.sin(3 * x) ** 2)


def hessp(f: Callable) -> Callable:
    return lambda x, p: dx.hvp(f, (x,), (p,))


X0 = np.array([-1.0, 1.2, 0.8])
ONES = np.ones(3)
GRADIENT = "CG BFGS L-BFGS-B TNC SLSQP Newton-CG trust-constr".split()
HESSIAN = "Newton-CG dogleg trust-ncg trust-krylov trust-exact trust-constr".split()
PRODUCTS = "Newton-CG trust-ncg trust-krylov trust-constr".split()


def minimum(method: str, f: Callable = rosen, x0: Any = X0, **options: Any) -> Any:
    """What `minimize` finds."""
    return optimize.minimize(f, x0, method=method, **options).x


MINIMIZE: dict[str, Callable[[], Any]] = {}
for _m in "Nelder-Mead Powell COBYLA COBYQA".split():
    MINIMIZE[f"{_m} without derivatives"] = lambda m=_m: minimum(m, lambda x: rosen(x), options={"maxiter": 4000}, tol=1e-10)
for _m in GRADIENT:
    MINIMIZE[f"{_m} grad"] = lambda m=_m: minimum(m, jac=dx.grad(rosen), tol=1e-12)
    MINIMIZE[f"{_m} jit"] = lambda m=_m: minimum(m, dx.jit(rosen), jac=dx.jit(dx.grad(rosen)), tol=1e-12)
for _m in HESSIAN:
    MINIMIZE[f"{_m} hessian"] = lambda m=_m: minimum(m, jac=dx.grad(rosen), hess=dx.jit(dx.hessian(rosen)), tol=1e-9)
for _m in PRODUCTS:
    MINIMIZE[f"{_m} hessp"] = lambda m=_m: minimum(m, jac=dx.jit(dx.grad(rosen)), hessp=dx.jit(hessp(rosen)), tol=1e-9)
MINIMIZE |= {
    "value_and_grad": lambda: minimum("BFGS", dx.value_and_grad(rosen), jac=True, tol=1e-12),
    "jitted value_and_grad": lambda: minimum("L-BFGS-B", dx.jit(dx.value_and_grad(rosen)), jac=True, tol=1e-14),
    "plain NumPy": lambda: minimum("BFGS", plain_rosen, jac=dx.grad(plain_rosen), tol=1e-12),
    "plain NumPy hessian": lambda: minimum("trust-exact", plain_rosen, jac=dx.grad(plain_rosen), hess=dx.hessian(plain_rosen)),
    "x0 of ours": lambda: minimum("BFGS", rosen, dnp.asarray(X0), jac=dx.grad(rosen), tol=1e-12),
    "default method": lambda: optimize.minimize(rosen, X0, jac=dx.grad(rosen), tol=1e-12).x,
    "bounds": lambda: minimum("L-BFGS-B", jac=dx.grad(rosen), bounds=[(dnp.asarray(-2.0), 2.0)] * 3, tol=1e-14),
    "args": lambda: minimum("BFGS", lambda x, a: rosen(x) * a, jac=dx.grad(lambda x, a: rosen(x) * a), args=(dnp.asarray(2.0),), tol=1e-13),
    "callback": lambda: minimum("BFGS", jac=dx.grad(rosen), callback=lambda x: rosen(x), tol=1e-12),
    "hess_inv": lambda: minimum("BFGS", jac=dx.grad(rosen), options={"hess_inv0": dx.numpy.eye(3)}, tol=1e-12),
}  # fmt: skip


@pytest.mark.parametrize("name", MINIMIZE)
def test_minimize(name: str):
    np.testing.assert_allclose(MINIMIZE[name](), ONES, atol=2e-4 if "without" in name else 1e-5)


def circle(z):
    return dnp.array([z[0] ** 2 + z[1] ** 2 - 1.0, z[0] - z[1]])


ON_CIRCLE = np.full(2, 0.5**0.5)
T = np.linspace(0.0, 3.0, 25)
DECAY = 2.5 * np.exp(-1.3 * T) + 0.5
model = lambda t, a, b, c: a * dnp.exp(-b * t) + c
residual = lambda p: model(T, *p) - DECAY
model_jac = lambda t, a, b, c: dx.jacfwd(lambda p: model(t, *p))(dnp.array([a, b, c]))
FIT = np.array([2.5, 1.3, 0.5])
cubic = lambda x: x**3 - 2.0 * x - 5.0
CUBIC = 2.0945514815423265
quartic = lambda x: (x - 0.7) ** 4 + (x - 0.7) ** 2

SOLVE: dict[str, tuple[Callable[[], Any], Any]] = {
    **{f"root {m}": (lambda m=m: optimize.root(circle, [1.0, 0.5], method=m, jac=dx.jacfwd(circle)).x, ON_CIRCLE) for m in ("hybr", "lm")},
    **{f"root {m}": (lambda m=m: optimize.root(circle, [0.8, 0.6], method=m).x, ON_CIRCLE) for m in ("krylov", "df-sane", "broyden1", "anderson")},
    "root jit": (lambda: optimize.root(dx.jit(circle), [1.0, 0.5], jac=dx.jit(dx.jacrev(circle))).x, ON_CIRCLE),
    "fsolve": (lambda: optimize.fsolve(circle, [1.0, 0.5], fprime=dx.jacfwd(circle)), ON_CIRCLE),
    "newton_krylov": (lambda: optimize.newton_krylov(circle, [0.8, 0.6]), ON_CIRCLE),
    "fixed_point": (lambda: optimize.fixed_point(lambda x: dnp.cos(x), 0.5), 0.7390851332151607),
    "newton": (lambda: optimize.newton(cubic, 2.0, fprime=dx.grad(cubic)), CUBIC),
    "halley": (lambda: optimize.newton(cubic, 2.0, fprime=dx.grad(cubic), fprime2=dx.grad(dx.grad(cubic))), CUBIC),
    "newton of arrays": (lambda: optimize.newton(lambda x: x**2 - dnp.array([2.0, 3.0]), np.array([1.0, 2.0]), fprime=lambda x: 2 * dnp.asarray(x)), np.sqrt([2, 3])),
    **{f"root_scalar {m}": (lambda m=m: optimize.root_scalar(lambda x: cubic(dnp.asarray(x)), method=m, bracket=(2.0, 3.0)).root, CUBIC) for m in ("bisect", "brentq", "brenth", "ridder", "toms748")},
    **{f"root_scalar {m}": (lambda m=m: optimize.root_scalar(cubic, method=m, x0=2.0, fprime=dx.jit(dx.grad(cubic)), fprime2=dx.grad(dx.grad(cubic))).root, CUBIC) for m in ("newton", "halley")},
    "root_scalar secant": (lambda: optimize.root_scalar(dx.jit(cubic), method="secant", x0=2.0, x1=2.2).root, CUBIC),
    **{f"minimize_scalar {m}": (lambda m=m: optimize.minimize_scalar(dx.jit(quartic), method=m, bounds=(0, 1) if m == "bounded" else None, tol=1e-9).x, 0.7) for m in ("brent", "golden", "bounded")},
    **{f"least_squares {m}": (lambda m=m: optimize.least_squares(residual, [1.0, 1.0, 0.0], jac=dx.jacfwd(residual), method=m).x, FIT) for m in ("trf", "dogbox", "lm")},
    "least_squares jit, loss": (lambda: optimize.least_squares(dx.jit(residual), [1.0, 1.0, 0.0], jac=dx.jit(dx.jacrev(residual)), loss="soft_l1").x, FIT),
    "least_squares sparse": (lambda: optimize.least_squares(residual, [1.0, 1.0, 0.0], jac=lambda p: sparse.csr_matrix(dx.jacfwd(residual)(p))).x, FIT),
    "least_squares operator": (lambda: optimize.least_squares(residual, [1.0, 1.0, 0.0], jac=lambda p: linear_operator(p)).x, FIT),
    "leastsq": (lambda: optimize.leastsq(residual, [1.0, 1.0, 0.0], Dfun=dx.jacfwd(residual))[0], FIT),
    "curve_fit": (lambda: optimize.curve_fit(model, T, DECAY, [1.0, 1.0, 0.0], jac=model_jac)[0], FIT),
    "curve_fit of ours": (lambda: optimize.curve_fit(dx.jit(model), dnp.asarray(T), dnp.asarray(DECAY), [1.0, 1.0, 0.0])[0], FIT),
    "curve_fit bounds": (lambda: optimize.curve_fit(model, T, DECAY, [1.0, 1.0, 0.0], bounds=(0, 5), jac=model_jac, sigma=dnp.ones(25))[0], FIT),
    "check_grad": (lambda: optimize.check_grad(rosen, dx.grad(rosen), X0), 0.0),
    "approx_fprime": (lambda: optimize.approx_fprime(X0, rosen) - dx.grad(rosen)(X0), np.zeros(3)),
    "line_search": (lambda: optimize.line_search(bowl, dx.grad(bowl), np.zeros(2), np.ones(2))[0] > 0, True),
    "constraint": (lambda: optimize.minimize(bowl, [1.0, 0.0], jac=dx.grad(bowl), method="SLSQP", constraints={"type": "eq", "fun": circle, "jac": dx.jacfwd(circle)}).x, ON_CIRCLE),
    "NonlinearConstraint": (lambda: optimize.minimize(bowl, [1.0, 0.5], jac=dx.grad(bowl), hess=dx.hessian(bowl), method="trust-constr", constraints=optimize.NonlinearConstraint(circle, 0, 0, jac=dx.jacfwd(circle), hess=lambda x, v: dx.hessian(lambda z: dnp.dot(circle(z), v))(x))).x, ON_CIRCLE),
    "linprog": (lambda: optimize.linprog(dnp.array([1.0, 2.0]), A_ub=-dnp.eye(2), b_ub=-dnp.ones(2)).x, np.ones(2)),
    "milp": (lambda: optimize.milp(dnp.array([1.0, 2.0]), constraints=optimize.LinearConstraint(dnp.eye(2), 1, 4)).x, np.ones(2)),
    "lsq_linear": (lambda: optimize.lsq_linear(dnp.eye(2), dnp.array([1.0, 2.0])).x, [1, 2]),
    "nnls": (lambda: optimize.nnls(dnp.eye(2), dnp.array([1.0, 2.0]))[0], [1, 2]),
    "linear_sum_assignment": (lambda: optimize.linear_sum_assignment(dnp.array([[1.0, 5.0], [5.0, 1.0]]))[1], [0, 1]),
}  # fmt: skip


def linear_operator(p: Any) -> Any:
    """The Jacobian of the residual by products alone."""
    out, pullback = dx.vjp(residual, p)
    return sparse.linalg.LinearOperator(
        (out.size, p.size), matvec=lambda v: dx.jvp(residual, (p,), (np.ravel(v),))[1],
        rmatvec=lambda u: pullback(np.ravel(u))[0],
    )  # fmt: skip


GLOBAL: dict[str, Callable[[], Any]] = {
    "basinhopping": lambda: optimize.basinhopping(bowl, [1.0, 1.0], niter=3, rng=0, minimizer_kwargs={"jac": dx.grad(bowl)}).x,
    "differential_evolution": lambda: optimize.differential_evolution(dx.jit(bowl), [(-1, 1)] * 2, rng=0, maxiter=40, polish=True).x,
    "dual_annealing": lambda: optimize.dual_annealing(dx.jit(bowl), [(-1, 1)] * 2, rng=0, maxiter=30, minimizer_kwargs={"method": "L-BFGS-B", "jac": dx.jit(dx.grad(bowl))}).x,
    "shgo": lambda: optimize.shgo(bowl, [(-1, 1)] * 2, minimizer_kwargs={"method": "SLSQP", "jac": dx.grad(bowl)}, options={"jac": dx.grad(bowl)}).x,
    "brute": lambda: optimize.brute(dx.jit(bowl), [(-1, 1)] * 2, Ns=9),
    "direct": lambda: optimize.direct(dx.jit(bowl), [(-1, 1)] * 2, maxiter=60).x,
}  # fmt: skip


@pytest.mark.parametrize("name", SOLVE)
def test_solvers(name: str):
    got, want = SOLVE[name][0](), SOLVE[name][1]
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("name", GLOBAL)
def test_global_optimisers(name: str):
    best = optimize.minimize(bowl, [0.2, 0.2], jac=dx.grad(bowl), tol=1e-10).x
    np.testing.assert_allclose(GLOBAL[name](), best, atol=0.02)


# --------------------------------------------------------------------------------------------------
# Integration

MU = 2.0
oscillator = lambda t, y: dnp.array([y[1], MU * (1 - y[0] ** 2) * y[1] - y[0]])
jitted_oscillator = dx.jit(oscillator)
PLAIN = integrate.solve_ivp(lambda t, y: [y[1], MU * (1 - y[0] ** 2) * y[1] - y[0]], (0, 2), [2.0, 0.0], rtol=1e-10, atol=1e-12).y[:, -1]


def ivp(method: str, **options: Any) -> Any:
    return integrate.solve_ivp(jitted_oscillator, (0.0, 2.0), dnp.array([2.0, 0.0]), method=method, rtol=1e-7, atol=1e-9, **options).y[:, -1]


def odes(name: str, f: Callable = jitted_oscillator, **options: Any) -> Any:
    solver = integrate.ode(f, dx.jit(dx.jacfwd(oscillator, 1)) if options.pop("jac", False) else None)
    solver.set_integrator(name, rtol=1e-8, atol=1e-10, **options).set_initial_value(dnp.array([2.0, 0.0]))
    return solver.integrate(2.0)


INTEGRATE: dict[str, tuple[Callable[[], Any], Any]] = {
    **{f"solve_ivp {m}": (lambda m=m: ivp(m), PLAIN) for m in ("RK45", "RK23", "DOP853", "LSODA")},
    **{f"solve_ivp {m} jac": (lambda m=m: ivp(m, jac=dx.jit(dx.jacfwd(oscillator, 1))), PLAIN) for m in ("Radau", "BDF", "LSODA")},
    "solve_ivp events, dense": (lambda: integrate.solve_ivp(jitted_oscillator, (0.0, 2.0), [2.0, 0.0], events=lambda t, y: y[0] - 1.9, dense_output=True, rtol=1e-8, atol=1e-10).sol(2.0), PLAIN),
    "solve_ivp eager": (lambda: integrate.solve_ivp(lambda t, y: -dnp.asarray(y), (0, 1), dnp.ones(2), t_eval=dnp.linspace(0, 1, 3), rtol=1e-8).y[:, -1], np.exp([-1, -1])),
    "odeint": (lambda: integrate.odeint(jitted_oscillator, dnp.array([2.0, 0.0]), dnp.array([0.0, 2.0]), tfirst=True, Dfun=dx.jit(dx.jacfwd(oscillator, 1)), rtol=1e-9, atol=1e-10)[-1], PLAIN),
    "ode vode": (lambda: odes("vode", method="bdf", jac=True), PLAIN),
    "ode dopri5": (lambda: odes("dopri5"), PLAIN),
    "ode lsoda": (lambda: odes("lsoda", jac=True), PLAIN),
    "quad": (lambda: integrate.quad(dnp.sin, 0, np.pi)[0], 2.0),
    "quad jit": (lambda: integrate.quad(dx.jit(dx.grad(dnp.sin)), 0, 1.0)[0], np.sin(1.0)),
    "quad to infinity": (lambda: integrate.quad(lambda x: dnp.exp(-(x**2)), -np.inf, np.inf)[0], np.pi**0.5),
    "quad_vec": (lambda: integrate.quad_vec(lambda x: dnp.stack([dnp.sin(x), dnp.cos(x)]), 0, 1)[0], [1 - np.cos(1), np.sin(1)]),
    "dblquad": (lambda: integrate.dblquad(lambda y, x: x * dnp.exp(-y), 0, 1, 0, 1, epsabs=1e-6)[0], 0.5 * (1 - np.exp(-1))),
    "nquad": (lambda: integrate.nquad(lambda x, y: dnp.asarray(x * y), [[0, 1], [0, 2]])[0], 1.0),
    "fixed_quad": (lambda: integrate.fixed_quad(dnp.exp, 0, 1, n=6)[0], np.e - 1),
    "tanhsinh": (lambda: integrate.tanhsinh(dnp.exp, 0, 1).integral, np.e - 1),
    "trapezoid": (lambda: integrate.trapezoid(dnp.linspace(0, 1, 5), dx=0.25), 0.5),
    "simpson": (lambda: integrate.simpson(dnp.linspace(0, 1, 5) ** 2, x=dnp.linspace(0, 1, 5)), 1 / 3),
    "cumulative_trapezoid": (lambda: integrate.cumulative_trapezoid(dnp.ones(3), initial=0), [0, 1, 2]),
    "romb": (lambda: integrate.romb(dnp.linspace(0, 1, 5), dx=0.25), 0.5),
    "solve_bvp": (lambda: integrate.solve_bvp(lambda x, y: dnp.stack([y[1], -dnp.asarray(y[0])]), lambda a, b: dnp.array([a[0], b[0] - 1.0]), dnp.linspace(0, 1, 5), dnp.zeros((2, 5))).sol(0.5)[0], np.sin(0.5) / np.sin(1)),
}  # fmt: skip


@pytest.mark.parametrize("name", INTEGRATE)
def test_integration(name: str):
    np.testing.assert_allclose(INTEGRATE[name][0](), INTEGRATE[name][1], rtol=1e-3, atol=1e-5)


# --------------------------------------------------------------------------------------------------
# Arrays of ours as data: the result is that of NumPy's arrays

RNG = np.random.default_rng(0)
V, W, SPD = RNG.normal(size=12), np.linspace(0.0, 1.0, 12), np.array([[4.0, 1.0], [1.0, 3.0]])

DATA: dict[str, Callable[[Any, Any, Any], Any]] = {
    "interp1d": lambda v, w, m: interpolate.interp1d(w, v)(w * 0.9),
    "CubicSpline": lambda v, w, m: interpolate.CubicSpline(w, v)(w * 0.9, 1),
    "PchipInterpolator": lambda v, w, m: interpolate.PchipInterpolator(w, v)(0.33),
    "make_interp_spline": lambda v, w, m: interpolate.make_interp_spline(w, v, k=3)(w),
    "splrep": lambda v, w, m: interpolate.splev(w * 0.5, interpolate.splrep(w, v, s=0)),
    "UnivariateSpline": lambda v, w, m: interpolate.UnivariateSpline(w, v, s=0.1)(w),
    "RBFInterpolator": lambda v, w, m: interpolate.RBFInterpolator(w[:, None], v)(w[:, None]),
    "griddata": lambda v, w, m: interpolate.griddata(w, v, w * 0.9),
    "RegularGridInterpolator": lambda v, w, m: interpolate.RegularGridInterpolator((w, w), v[:, None] * v)([[0.3, 0.4]]),
    "csr": lambda v, w, m: sparse.csr_array(m) @ m,
    "csr @ ours": lambda v, w, m: sparse.csr_array(SPD) @ m[0],
    "ours @ csr": lambda v, w, m: m[0] @ sparse.csr_array(SPD),
    "coo": lambda v, w, m: sparse.coo_array((v[:3], ([0, 1, 2], [2, 1, 0]))).toarray(),
    "diags": lambda v, w, m: sparse.diags_array(v[:4]).toarray(),
    "spsolve": lambda v, w, m: sparse.linalg.spsolve(sparse.csc_array(m), m[0]),
    "cg": lambda v, w, m: sparse.linalg.cg(m, m[0], rtol=1e-10)[0],
    "gmres": lambda v, w, m: sparse.linalg.gmres(sparse.linalg.aslinearoperator(m), m[0], rtol=1e-10)[0],
    "eigsh": lambda v, w, m: sparse.linalg.eigsh(sparse.diags_array(w), k=2, v0=v)[0],
    "solve": lambda v, w, m: linalg.solve(m, m[0], assume_a="pos"),
    "lu_factor": lambda v, w, m: linalg.lu_solve(linalg.lu_factor(m), m[0]),
    "cho_factor": lambda v, w, m: linalg.cho_solve(linalg.cho_factor(m), m[0]),
    "eigh": lambda v, w, m: linalg.eigh(m)[0],
    "svd": lambda v, w, m: linalg.svdvals(m),
    "expm": lambda v, w, m: linalg.expm(m),
    "sqrtm": lambda v, w, m: linalg.sqrtm(m),
    "qr": lambda v, w, m: linalg.qr(m)[1],
    "toeplitz": lambda v, w, m: linalg.toeplitz(v[:3]),
    "block_diag": lambda v, w, m: linalg.block_diag(m, m),
    "det": lambda v, w, m: linalg.det(m),
    "lapack": lambda v, w, m: linalg.lapack.dpotrf(m)[0],
    "norm.fit": lambda v, w, m: stats.norm.fit(v),
    "norm.logpdf": lambda v, w, m: stats.norm.logpdf(v, loc=w, scale=1.5),
    "gamma.cdf": lambda v, w, m: stats.gamma.cdf(w, 2.0),
    "ttest": lambda v, w, m: stats.ttest_ind(v, w).pvalue,
    "ks": lambda v, w, m: stats.kstest(v, "norm").statistic,
    "linregress": lambda v, w, m: stats.linregress(w, v).slope,
    "pearsonr": lambda v, w, m: stats.pearsonr(v, w).statistic,
    "gaussian_kde": lambda v, w, m: stats.gaussian_kde(v)(w),
    "multivariate_normal": lambda v, w, m: stats.multivariate_normal(m[0], m).logpdf(m),
    "describe": lambda v, w, m: stats.describe(v).kurtosis,
    "bootstrap": lambda v, w, m: stats.bootstrap((v,), np.mean, n_resamples=50, rng=0).standard_error,
    "zscore": lambda v, w, m: stats.zscore(v),
    "convolve": lambda v, w, m: signal.convolve(v, w),
    "butter": lambda v, w, m: signal.lfilter(*signal.butter(2, 0.3), v),
    "find_peaks": lambda v, w, m: signal.find_peaks(v)[0],
    "savgol": lambda v, w, m: signal.savgol_filter(v, 5, 2),
    "welch": lambda v, w, m: signal.welch(v, nperseg=8)[1],
    "fft": lambda v, w, m: fft.fft(v),
    "dct": lambda v, w, m: fft.dct(v),
    "gaussian_filter": lambda v, w, m: ndimage.gaussian_filter(v, 1.0),
    "map_coordinates": lambda v, w, m: ndimage.map_coordinates(m, [w[:2], w[:2]], order=1),
    "KDTree": lambda v, w, m: spatial.KDTree(w[:, None]).query(v[:, None])[0],
    "cdist": lambda v, w, m: spatial.distance.cdist(v[:, None], w[:, None]),
    "ConvexHull": lambda v, w, m: spatial.ConvexHull(np.stack([v, w], 1)).volume,
    "Rotation": lambda v, w, m: spatial.transform.Rotation.from_rotvec(v[:3]).as_matrix(),
    "kmeans": lambda v, w, m: scipy.cluster.vq.kmeans2(v[:, None], 2, rng=0)[0],
    "gammaln": lambda v, w, m: scipy.special.gammaln(w + 1),
    "logsumexp": lambda v, w, m: scipy.special.logsumexp(v),
    "expit out": lambda v, w, m: scipy.special.expit(v, out=np.zeros(12)),
    "into an ndarray": lambda v, w, m: into(np.zeros(12), v),
    "slices": lambda v, w, m: into(np.zeros((12, 2))[:, 0], v),
}  # fmt: skip


def into(a: np.ndarray, v: Any) -> np.ndarray:
    """What in-place operators and assignments leave in an ndarray."""
    same = a
    a += v
    a[2:] *= v[2:]
    a[0] = v[1]
    a[1:3] = v[1:3]
    assert a is same
    return same


@pytest.mark.parametrize("name", DATA)
def test_arrays_as_data(name: str):
    f = DATA[name]
    got, want = f(dnp.asarray(V), dnp.asarray(W), dnp.asarray(SPD)), f(V, W, SPD)
    assert not isinstance(got, dx.Array) or name == "ours @ csr"
    np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=1e-9, atol=1e-12)


def test_the_corpus_is_large():
    assert sum(map(len, (MINIMIZE, SOLVE, GLOBAL, INTEGRATE, DATA))) >= 80
