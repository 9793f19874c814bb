"""SciPy around diffeo: integration of its functions, and all modules of SciPy on its arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy
from scipy import fft, integrate, interpolate, linalg, ndimage, signal, sparse, spatial, stats

import diffeo as dx
import diffeo.numpy as dnp

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

MU = 2.0
oscillator = lambda t, y: dnp.array([y[1], MU * (1 - y[0] ** 2) * y[1] - y[0]])
jitted_oscillator = dx.jit(oscillator)
PLAIN = integrate.solve_ivp(
    lambda t, y: [y[1], MU * (1 - y[0] ** 2) * y[1] - y[0]],
    (0, 2),
    [2.0, 0.0],
    rtol=1e-10,
    atol=1e-12,
).y[:, -1]


def ivp(method: str, **options: Any) -> Any:
    return integrate.solve_ivp(
        jitted_oscillator,
        (0.0, 2.0),
        dnp.array([2.0, 0.0]),
        method=method,
        rtol=1e-7,
        atol=1e-9,
        **options,
    ).y[:, -1]


def odes(name: str, f: Callable = jitted_oscillator, **options: Any) -> Any:
    solver = integrate.ode(
        f, dx.jit(dx.jacfwd(oscillator, 1)) if options.pop("jac", False) else None
    )
    solver.set_integrator(name, rtol=1e-8, atol=1e-10, **options).set_initial_value(
        dnp.array([2.0, 0.0])
    )
    return solver.integrate(2.0)


INTEGRATE: dict[str, tuple[Callable[[], Any], Any]] = {
    **{f"solve_ivp {m}": (lambda m=m: ivp(m), PLAIN) for m in ("RK45", "RK23", "DOP853", "LSODA")},
    **{
        f"solve_ivp {m} jac": (lambda m=m: ivp(m, jac=dx.jit(dx.jacfwd(oscillator, 1))), PLAIN)
        for m in ("Radau", "BDF", "LSODA")
    },
    "solve_ivp events, dense": (
        lambda: integrate.solve_ivp(
            jitted_oscillator,
            (0.0, 2.0),
            [2.0, 0.0],
            events=lambda t, y: y[0] - 1.9,
            dense_output=True,
            rtol=1e-8,
            atol=1e-10,
        ).sol(2.0),
        PLAIN,
    ),
    "solve_ivp eager": (
        lambda: integrate.solve_ivp(
            lambda t, y: -dnp.asarray(y),
            (0, 1),
            dnp.ones(2),
            t_eval=dnp.linspace(0, 1, 3),
            rtol=1e-8,
        ).y[:, -1],
        np.exp([-1, -1]),
    ),
    "odeint": (
        lambda: integrate.odeint(
            jitted_oscillator,
            dnp.array([2.0, 0.0]),
            dnp.array([0.0, 2.0]),
            tfirst=True,
            Dfun=dx.jit(dx.jacfwd(oscillator, 1)),
            rtol=1e-9,
            atol=1e-10,
        )[-1],
        PLAIN,
    ),
    "ode vode": (lambda: odes("vode", method="bdf", jac=True), PLAIN),
    "ode dopri5": (lambda: odes("dopri5"), PLAIN),
    "ode lsoda": (lambda: odes("lsoda", jac=True), PLAIN),
    "quad": (lambda: integrate.quad(dnp.sin, 0, np.pi)[0], 2.0),
    "quad jit": (lambda: integrate.quad(dx.jit(dx.grad(dnp.sin)), 0, 1.0)[0], np.sin(1.0)),
    "quad to infinity": (
        lambda: integrate.quad(lambda x: dnp.exp(-(x**2)), -np.inf, np.inf)[0],
        np.pi**0.5,
    ),
    "quad_vec": (
        lambda: integrate.quad_vec(lambda x: dnp.stack([dnp.sin(x), dnp.cos(x)]), 0, 1)[0],
        [1 - np.cos(1), np.sin(1)],
    ),
    "dblquad": (
        lambda: integrate.dblquad(lambda y, x: x * dnp.exp(-y), 0, 1, 0, 1, epsabs=1e-6)[0],
        0.5 * (1 - np.exp(-1)),
    ),
    "nquad": (lambda: integrate.nquad(lambda x, y: dnp.asarray(x * y), [[0, 1], [0, 2]])[0], 1.0),
    "fixed_quad": (lambda: integrate.fixed_quad(dnp.exp, 0, 1, n=6)[0], np.e - 1),
    "tanhsinh": (
        lambda: integrate.tanhsinh(lambda x: np.array(dnp.exp(x)), 0, 1).integral,
        np.e - 1,
    ),
    "trapezoid": (lambda: integrate.trapezoid(dnp.linspace(0, 1, 5), dx=0.25), 0.5),
    "simpson": (
        lambda: integrate.simpson(dnp.linspace(0, 1, 5) ** 2, x=dnp.linspace(0, 1, 5)),
        1 / 3,
    ),
    "cumulative_trapezoid": (
        lambda: integrate.cumulative_trapezoid(dnp.ones(3), initial=0),
        [0, 1, 2],
    ),
    "romb": (lambda: integrate.romb(dnp.linspace(0, 1, 5), dx=0.25), 0.5),
    "solve_bvp": (
        lambda: integrate.solve_bvp(
            lambda x, y: dnp.stack([y[1], -dnp.asarray(y[0])]),
            lambda a, b: dnp.array([a[0], b[0] - 1.0]),
            dnp.linspace(0, 1, 5),
            dnp.zeros((2, 5)),
        ).sol(0.5)[0],
        np.sin(0.5) / np.sin(1),
    ),
}


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
    "RegularGridInterpolator": lambda v, w, m: interpolate.RegularGridInterpolator(
        (w, w), v[:, None] * v
    )([[0.3, 0.4]]),
    "csr": lambda v, w, m: sparse.csr_array(m) @ m,
    "csr @ ours": lambda v, w, m: sparse.csr_array(SPD) @ m[0],
    "ours @ csr": lambda v, w, m: m[0] @ sparse.csr_array(SPD),
    "coo": lambda v, w, m: sparse.coo_array((v[:3], ([0, 1, 2], [2, 1, 0]))).toarray(),
    "diags": lambda v, w, m: sparse.diags_array([v[:4]], offsets=[0]).toarray(),
    "spsolve": lambda v, w, m: sparse.linalg.spsolve(sparse.csc_array(m), m[0]),
    "cg": lambda v, w, m: sparse.linalg.cg(operator_of(m), m[0], rtol=1e-10)[0],
    "gmres": lambda v, w, m: sparse.linalg.gmres(operator_of(m), m[0], rtol=1e-10)[0],
    "eigsh": lambda v, w, m: sparse.linalg.eigsh(sparse.diags_array([w], offsets=[0]), k=2, v0=v)[
        0
    ],
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
    "bootstrap": lambda v, w, m: (
        stats.bootstrap((v,), np.mean, n_resamples=50, rng=0).standard_error
    ),
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
    "Rotation": lambda v, w, m: spatial.transform.Rotation.from_rotvec(np.array(v[:3])).as_matrix(),
    "kmeans": lambda v, w, m: scipy.cluster.vq.kmeans2(v[:, None], 2, rng=0)[0],
    "gammaln": lambda v, w, m: scipy.special.gammaln(w + 1),
    "logsumexp": lambda v, w, m: scipy.special.logsumexp(v),
    "expit out": lambda v, w, m: scipy.special.expit(v, out=np.zeros(12)),
    "into an ndarray": lambda v, w, m: into(np.zeros(12), v),
    "slices": lambda v, w, m: into(np.zeros((12, 2))[:, 0], v),
}


def operator_of(m: Any) -> Any:
    """A matrix by its products, which are compiled. SciPy writes into what it gets."""
    product = dx.jit(lambda v: dnp.asarray(m) @ v)
    return sparse.linalg.LinearOperator(m.shape, matvec=lambda v: np.array(product(v)), dtype=float)


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
