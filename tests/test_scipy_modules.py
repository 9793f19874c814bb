"""Parts of scipy beside SciPy: integration, interpolation, images, spectra, systems by iteration,
minimization, quantization.
"""

import warnings

import numpy as np
import pytest
import scipy.cluster.vq
import scipy.integrate
import scipy.interpolate
import scipy.ndimage
import scipy.optimize
import scipy.signal

import diffeo as dx
from diffeo.scipy.interpolate import RegularGridInterpolator
from diffeo.scipy.ndimage import map_coordinates
from diffeo.scipy.optimize import OptimizeResults, minimize
from tests.checks import close, rng

dnp, ds = dx.numpy, dx.scipy
LBFGS = "l-bfgs-experimental-do-not-rely-on-this"


def slope_along(f, x, seed=9, step=1e-6):
    """The derivative along a random direction: by forward and reverse mode, and by differences."""
    v = rng(*np.shape(x), seed=seed)
    forward = dx.jvp(f, (x,), (v,))[1]
    reverse = np.sum(np.asarray(dx.grad(f)(x)) * v)
    middle = (float(f(x + step * v)) - float(f(x - step * v))) / (2 * step)
    return float(forward), float(reverse), middle


def check_slopes(f, x, rtol=1e-7, atol=1e-9):
    forward, reverse, middle = slope_along(f, x)
    assert forward == pytest.approx(reverse, rel=1e-9, abs=1e-12)
    assert forward == pytest.approx(middle, rel=rtol, abs=atol)


# --------------------------------------------------------------------------------------------------
# Integration, quantization


def test_trapezoid():
    y, x = rng(3, 5), np.cumsum(np.abs(rng(5, seed=1)))
    f = ds.integrate.trapezoid
    close(f(y), scipy.integrate.trapezoid(y))
    close(f(y, x), scipy.integrate.trapezoid(y, x))
    close(f(y, dx=0.1, axis=0), scipy.integrate.trapezoid(y, dx=0.1, axis=0))
    check_slopes(lambda x: dnp.sum(f(y, x)), x)


@pytest.mark.parametrize("columns", [(), (3,)])
def test_vq(columns):
    obs, codes = rng(20, *columns), rng(4, *columns, seed=1)
    expected = scipy.cluster.vq.vq(obs, codes)
    for run in (ds.cluster.vq.vq, dx.jit(ds.cluster.vq.vq)):
        code, distance = run(obs, codes)
        np.testing.assert_array_equal(code, expected[0])
        close(distance, expected[1], 1e-12)
    check_slopes(lambda c: dnp.sum(ds.cluster.vq.vq(obs, c)[1] ** 2), codes)
    assert not np.isnan(dx.grad(lambda c: dnp.sum(ds.cluster.vq.vq(codes, c)[1]))(codes)).any()
    with pytest.raises(ValueError, match="as many columns"):
        ds.cluster.vq.vq(rng(3, 2), rng(3, 3))


# --------------------------------------------------------------------------------------------------
# Interpolation

GRID = (np.array([0.0, 1.0, 2.5, 3.0]), np.array([-1.0, 0.5, 2.0]))
VALUES = rng(4, 3)
POINTS = np.array([[0.3, 0.1], [2.9, 1.9], [0.0, -1.0], [3.0, 2.0], [1.75, 0.0], [-1.0, 0.0],
                   [1.0, 9.0], [np.nan, 0.0]])  # fmt: skip


@pytest.mark.parametrize("method", ["linear", "nearest"])
@pytest.mark.parametrize("more", [(), (2,)])
@pytest.mark.parametrize("fill", [np.nan, 7.0, None])
def test_interpolation_on_a_grid(method, more, fill):
    values = rng(4, 3, *more)
    options = {"method": method, "bounds_error": False, "fill_value": fill}
    ours = RegularGridInterpolator(GRID, values, **options)
    theirs = scipy.interpolate.RegularGridInterpolator(GRID, values, **options)
    close(ours(POINTS), theirs(POINTS), 1e-12)
    close(dx.jit(lambda f, x: f(x))(ours, POINTS), theirs(POINTS), 1e-12)
    close(ours(tuple(POINTS.T)), theirs(tuple(POINTS.T)), 1e-12)
    close(ours(POINTS.reshape(2, 4, 2)), theirs(POINTS.reshape(2, 4, 2)), 1e-12)
    turned = RegularGridInterpolator((GRID[0], GRID[1][::-1]), values[:, ::-1], **options)
    close(turned(POINTS), theirs(POINTS), 1e-12)


def test_derivatives_of_an_interpolant():
    inside = POINTS[:2]
    of_values = lambda v: dnp.sum(RegularGridInterpolator(GRID, v)(inside) ** 2)
    check_slopes(of_values, VALUES)
    check_slopes(lambda x: dnp.sum(RegularGridInterpolator(GRID, VALUES)(x) ** 2), inside)
    check_slopes(
        lambda g: dnp.sum(RegularGridInterpolator((g, GRID[1]), VALUES)(inside) ** 2), GRID[0]
    )
    crossed = dx.hessian(lambda x: RegularGridInterpolator(GRID, VALUES)(x)[0])(inside[0])
    assert float(crossed[0, 0]) == 0 and abs(float(crossed[0, 1])) > 0.01
    outside = dx.grad(lambda x: dnp.nansum(RegularGridInterpolator(GRID, VALUES)(x)))(POINTS)
    assert (np.asarray(outside)[5:7] == 0).all()


def test_bad_interpolation():
    with pytest.raises(ValueError, match="outside of the grid"):
        RegularGridInterpolator(GRID, VALUES, bounds_error=True)(POINTS)
    with pytest.raises(dx.errors.ConcretizationTypeError, match="fill_value"):
        dx.jit(RegularGridInterpolator(GRID, VALUES, bounds_error=True))(POINTS)
    for make, what in (
        (lambda: RegularGridInterpolator(GRID, VALUES, method="cubic"), "'linear', 'nearest'"),
        (lambda: RegularGridInterpolator(GRID, VALUES[:3]), r"points\[0\] must be"),
        (lambda: RegularGridInterpolator((np.array([0.0, 2, 1, 3]), GRID[1]), VALUES), "strictly"),
        (lambda: RegularGridInterpolator(GRID, VALUES, fill_value=1j), "fill_value"),
        (lambda: RegularGridInterpolator(GRID, VALUES)(np.zeros((2, 3))), "2 coordinates"),
    ):
        with pytest.raises(ValueError, match=what):
            make()


MODES = {"constant": "grid-constant", "nearest": "nearest", "wrap": "grid-wrap",
         "mirror": "mirror", "reflect": "reflect"}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("dtype", [float, np.float32, int, complex])
def test_map_coordinates(mode, order, dtype):
    image = (5 * rng(4, 5, kind=complex if dtype is complex else float)).astype(dtype)
    at = np.random.default_rng(1).uniform(-9, 12, (2, 30))
    expected = scipy.ndimage.map_coordinates(image, at, order=order, mode=MODES[mode], cval=3)
    f = lambda image, at: map_coordinates(image, at, order, mode, 3)
    for run in (f, dx.jit(f)):
        if dtype is int:  # SciPy cuts off where we round
            exact = scipy.ndimage.map_coordinates(image.astype(float), at, order=order,
                                                  mode=MODES[mode], cval=3)  # fmt: skip
            assert np.abs(np.asarray(run(image, at)) - exact).max() <= 0.5 + 1e-9
            assert run(image, at).dtype == image.dtype
        else:
            close(run(image, [*at]), expected.astype(dtype), 1e-5 if dtype is np.float32 else 1e-12)
    close(f(image[:1], at), f(np.asarray(image[:1]), at))


def test_derivatives_of_map_coordinates():
    image, at = rng(4, 5), np.random.default_rng(1).uniform(-3, 6, (2, 20))
    for mode in MODES:
        check_slopes(lambda x, mode=mode: dnp.sum(map_coordinates(image, x, 1, mode) ** 2), at)
        check_slopes(lambda x, mode=mode: dnp.sum(map_coordinates(x, at, 1, mode) ** 2), image)


def test_bad_map_coordinates():
    with pytest.raises(NotImplementedError, match="order 3 needs a spline filter"):
        map_coordinates(rng(3, 3), rng(2, 2), 3)
    with pytest.raises(ValueError, match="needs 2 coordinates, got 1"):
        map_coordinates(rng(3, 3), rng(1, 2), 1)
    with pytest.raises(ValueError, match="mode must be one of"):
        map_coordinates(rng(3, 3), rng(2, 2), 1, "around")


# --------------------------------------------------------------------------------------------------
# Spectra

SIGNAL, OTHER = rng(2, 150), rng(2, 150, seed=1)
OPTIONS = [
    {"nperseg": 32},
    {"nperseg": 31, "noverlap": 7, "nfft": 50},
    {"nperseg": 40, "window": "hamming", "fs": 8.0, "detrend": "linear"},
    {"nperseg": 16, "window": ("kaiser", 4.0), "return_onesided": False},
    {"window": np.hanning(20), "nperseg": 20, "detrend": False},
    {"nperseg": 25, "detrend": lambda x: x - x[..., :1]},
    {"nperseg": 20, "axis": 0},
]


def of_axis(options):
    return (v.T if options.get("axis") == 0 else v for v in (SIGNAL, OTHER))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("average", ["mean", "median"])
@pytest.mark.parametrize("scaling", ["density", "spectrum"])
@pytest.mark.sampled(2)
def test_power(options, average, scaling):
    x, y = of_axis(options)
    options = {**options, "average": average, "scaling": scaling}
    for ours, theirs in zip(ds.signal.welch(x, **options), scipy.signal.welch(x, **options)):
        close(ours, theirs, 1e-11, 1e-14)
    for ours, theirs in zip(ds.signal.csd(x, y, **options), scipy.signal.csd(x, y, **options)):
        close(ours, theirs, 1e-11, 1e-14)
    run = dx.jit(lambda x: ds.signal.welch(x, **options)[1])
    close(run(x), scipy.signal.welch(x, **options)[1], 1e-11, 1e-14)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("boundary", ["zeros", "even", "odd", "constant", None])
def test_stft(options, boundary):
    x, _ = of_axis(options)
    options = {**options, "boundary": boundary, "padded": boundary != "odd"}
    found, expected = ds.signal.stft(x, **options), scipy.signal.stft(x, **options)
    for ours, theirs in zip(found, expected):
        close(ours, theirs, 1e-11, 1e-13)


@pytest.mark.parametrize("options", [
    {"nperseg": 32}, {"nperseg": 31, "noverlap": 20, "nfft": 50}, {"nperseg": 10, "noverlap": 0,
     "window": "boxcar"}, {"nperseg": 16, "window": "blackman", "noverlap": 12},
])  # fmt: skip
@pytest.mark.parametrize("two_sided", [False, True])
def test_istft(options, two_sided):
    x = SIGNAL + 1j * OTHER if two_sided else SIGNAL
    _, _, z = scipy.signal.stft(x, return_onesided=not two_sided, **options)
    options = {**options, "input_onesided": not two_sided}
    _, theirs = scipy.signal.istft(z, **options)
    times, ours = ds.signal.istft(z, **options)
    close(ours, theirs, 1e-11, 1e-12)
    assert times.shape == (theirs.shape[-1],)
    moved = dx.jit(lambda z: ds.signal.istft(z, time_axis=0, freq_axis=1, **options)[1])(z.T)
    close(moved, theirs.T, 1e-11, 1e-12)


def test_derivatives_of_spectra():
    x = SIGNAL[0]
    check_slopes(lambda x: dnp.sum(ds.signal.welch(x, nperseg=32)[1] ** 2), x)
    check_slopes(lambda x: dnp.sum(abs(ds.signal.stft(x, nperseg=32)[2])), x)
    back = lambda x: dnp.sum(ds.signal.istft(ds.signal.stft(x, nperseg=32)[2])[1][: x.size] ** 2)
    check_slopes(back, x)


def test_edges_of_spectra():
    x = SIGNAL.astype(np.float32)
    assert {v.dtype for v in ds.signal.welch(x, nperseg=8)} == {np.dtype(np.float32)}
    with pytest.warns(UserWarning, match="nperseg=256 is more"):
        ds.signal.welch(x)
    with pytest.warns(UserWarning, match="two sides"):
        ds.signal.welch(x + 1j, nperseg=8)
    assert ds.signal.welch(x[:, :0])[1].shape == (2, 0)
    for f, what in (
        (lambda: ds.signal.welch(x, nperseg=8, noverlap=8), "noverlap=8 must be less"),
        (lambda: ds.signal.welch(x, nperseg=8, nfft=4), "nfft=4 must not be less"),
        (lambda: ds.signal.welch(x, nperseg=8, scaling="all"), "scaling must be one of"),
        (lambda: ds.signal.welch(x, nperseg=8, average="max"), "average must be one of"),
        (lambda: ds.signal.stft(x, nperseg=8, boundary="wrap"), "boundary must be one of"),
        (lambda: ds.signal.stft(x, window=np.ones(4), nperseg=8), "nperseg=8 numbers"),
        (lambda: ds.signal.csd(x, x[0], nperseg=8), "do not fit"),
        (lambda: ds.signal.istft(x[0]), "two axes"),
    ):
        with pytest.raises(ValueError, match=what), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            f()


# --------------------------------------------------------------------------------------------------
# Systems by iteration


def matrix(n=6, kind=float, definite=True):
    a = rng(n, n, kind=kind)
    return a @ np.conj(a.T) + n * np.eye(n) if definite else a + 2 * n * np.eye(n)


SOLVERS = {
    "cg": ds.sparse.linalg.cg,
    "bicgstab": ds.sparse.linalg.bicgstab,
    "gmres": ds.sparse.linalg.gmres,
    "gmres in rounds": lambda *a, **k: ds.sparse.linalg.gmres(
        *a, solve_method="incremental", restart=4, **k
    ),
}
CLOSE = {"tol": 1e-13, "atol": 1e-13}


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.sampled(2)
def test_systems(name, kind):
    a = matrix(kind=kind, definite=name == "cg")
    b, solve = rng(6, seed=2, kind=kind), SOLVERS[name]
    expected = np.linalg.solve(a, b)
    near = np.diag(1 / np.diag(a))
    runs = [
        lambda a, b: solve(lambda x: a @ x, b, b, M=lambda x: near @ x, **CLOSE)[0],
        dx.jit(lambda a, b: solve(a, b, M=near, **CLOSE)[0]),
    ]
    for run in runs[kind is complex :]:
        close(run(a, b), expected, 1e-10, 1e-12)
    if kind is complex:
        return
    x, info = solve(a, b, **CLOSE)
    close(x, expected, 1e-10, 1e-12)
    assert info is None
    many = rng(3, 6, seed=4, kind=kind)
    batched = dx.vmap(lambda b: solve(a, b, **CLOSE)[0])(many)
    close(batched, np.linalg.solve(a, many.T).T, 1e-10, 1e-12)


@pytest.mark.parametrize("name", SOLVERS)
def test_systems_of_trees(name):
    a = matrix(definite=name == "cg")
    b = {"x": rng(2, 2, seed=1), "y": rng(2, seed=2)}
    flat = lambda t: dnp.concatenate([t["x"].reshape(-1), t["y"]])

    def product(t):
        v = a @ flat(t)
        return {"x": v[:4].reshape(2, 2), "y": v[4:]}

    x, _ = SOLVERS[name](product, b, **CLOSE)
    close(flat(x), np.linalg.solve(a, flat(b)), 1e-10, 1e-12)


@pytest.mark.parametrize("name", SOLVERS)
def test_derivatives_of_solutions(name):
    a, b, solve = matrix(definite=name == "cg"), rng(6, seed=2), SOLVERS[name]
    weights = rng(6, seed=5)

    def of_scale(s):
        return dnp.dot(weights, solve(lambda x: a @ x + s * x, b, **CLOSE)[0])

    inverse = np.linalg.inv(a)
    close(dx.grad(of_scale)(0.0), -weights @ inverse @ inverse @ b, 1e-9)
    second = 2 * weights @ inverse @ inverse @ inverse @ b
    close(dx.grad(dx.grad(of_scale))(0.0), second, 1e-8)
    of_right = lambda b: solve(a, b, **CLOSE)[0]
    close(dx.linear_transpose(of_right, b)(weights)[0], inverse.T @ weights, 1e-9)
    if name == "cg":
        close(dx.jvp(of_scale, (0.0,), (1.0,))[1], -weights @ inverse @ inverse @ b, 1e-9)
        close(dx.jit(dx.grad(of_scale))(0.0), -weights @ inverse @ inverse @ b, 1e-9)
        close(dx.jacrev(of_right)(b), inverse, 1e-9, 1e-11)


def test_ends_of_iterations():
    a, b = matrix(), rng(6, seed=2)
    one_step = ds.sparse.linalg.cg(a, b, maxiter=1)[0]
    close(one_step, b * (b @ b) / (b @ a @ b), 1e-12)
    loose = ds.sparse.linalg.cg(a, b, atol=1e9)[0]
    close(loose, np.zeros(6))
    for solve in SOLVERS.values():
        close(solve(a, np.zeros(6))[0], np.zeros(6))
        close(solve(np.eye(6), b, **CLOSE)[0], b, 1e-12)
        assert solve(a.astype(np.float32), b.astype(np.float32))[0].dtype == np.float32
    big = 40
    laplacian = 2 * np.eye(big) - np.eye(big, k=1) - np.eye(big, k=-1)
    right = rng(big)
    exact = np.linalg.solve(laplacian, right)
    close(ds.sparse.linalg.cg(laplacian, right, tol=1e-12)[0], exact, 1e-8, 1e-8)
    close(ds.sparse.linalg.gmres(laplacian, right, tol=1e-10, restart=40)[0], exact, 1e-6, 1e-6)


def test_bad_systems():
    a, b = matrix(), rng(6)
    cg, gmres = ds.sparse.linalg.cg, ds.sparse.linalg.gmres
    for f, kind, what in (
        (lambda: cg(a[:3], b), ValueError, "A must be a square matrix"),
        (lambda: cg(a, b, M=a[:3]), ValueError, "M must be a square matrix"),
        (lambda: cg("a", b), TypeError, "A must be a function"),
        (lambda: cg(a, b, b[:3]), ValueError, "x0 and b must have one structure"),
        (lambda: gmres(a, b, solve_method="fast"), ValueError, "'batched', 'incremental'"),
        (lambda: gmres(a, b, restart=0), ValueError, "restart must be at least 1"),
    ):
        with pytest.raises(kind, match=what):
            f()


# --------------------------------------------------------------------------------------------------
# Minimization


def rosenbrock(x):
    return dnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def himmelblau(p):
    return (p[0] ** 2 + p[1] - 11.0) ** 2 + (p[0] + p[1] ** 2 - 7.0) ** 2


@pytest.mark.parametrize("method", ["BFGS", LBFGS])
@pytest.mark.parametrize(
    "f, x0, x",
    [(rosenbrock, [-1.2, 1.0], [1.0, 1.0]), (himmelblau, [1.0, 1.0], [3.0, 2.0])],
)
def test_minima(method, f, x0, x):
    options = {} if method == "BFGS" else {"ftol": 1e-18}
    r = minimize(f, np.array(x0), method=method, tol=1e-6, options=options)
    assert bool(r.success) and int(r.status) == 0 and isinstance(r, OptimizeResults)
    close(r.x, np.array(x), 1e-6, 1e-6)
    assert np.abs(r.jac).max() < 1e-6 and float(r.fun) < 1e-10
    assert int(r.nfev) == int(r.njev) >= int(r.nit) > 0
    if method == "BFGS":
        close(r.hess_inv, np.asarray(r.hess_inv).T, 1e-12)
        assert np.linalg.eigvalsh(r.hess_inv).min() > 0
    else:
        assert r.hess_inv is None


def test_a_minimization_is_a_program():
    f = lambda x, a: dnp.sum((x - a) ** 2 * dnp.array([1.0, 10.0, 100.0])) + dnp.sum(x**4)
    target = rng(4, 3)
    run = lambda a: minimize(f, np.zeros(3), (a,), method="bfgs", options={"gtol": 1e-7}).x
    found = dx.jit(dx.vmap(run))(target)
    for x, a in zip(found, target):
        expected = scipy.optimize.minimize(lambda x, a=a: float(f(x, a)), np.zeros(3), tol=1e-10).x
        close(x, expected, 1e-5, 1e-5)
        close(run(a), x, 1e-7, 1e-9)
    tangent = dx.jvp(run, (target[0],), (np.array([1.0, 0, 0]),))[1]
    step = np.array([1e-4, 0, 0])
    close(tangent, (run(target[0] + step) - run(target[0] - step)) / 2e-4, 1e-2, 1e-3)


def test_minimization_of_32_bits_and_of_complex_numbers():
    r = minimize(rosenbrock, np.zeros(3, np.float32), method="BFGS")
    assert r.x.dtype == r.fun.dtype == r.jac.dtype == np.float32
    close(r.x, np.ones(3, np.float32), 1e-2, 1e-2)
    goal = np.array([1 + 2j, -1j])
    r = minimize(lambda z: dnp.sum(abs(z - goal) ** 2), np.zeros(2, complex), method=LBFGS)
    close(r.x, goal, 1e-6, 1e-6)
    with pytest.raises(TypeError, match="takes real numbers"):
        minimize(lambda z: dnp.sum(abs(z)), goal, method="BFGS")


def test_ends_of_minimizations():
    r = minimize(rosenbrock, np.zeros(3), method="BFGS", options={"maxiter": 2})
    assert not bool(r.success) and int(r.status) == 1 and int(r.nit) == 2
    r = minimize(rosenbrock, np.ones(3), method="BFGS")
    assert bool(r.success) and int(r.nit) == 0
    r = minimize(lambda x: dnp.sum(-x), np.ones(2), method="BFGS")
    assert not bool(r.success) and int(r.status) == 5  # it falls without end
    ends = [{"maxiter": 1}, {"maxfun": 3}, {"maxgrad": 3}]
    run = lambda x: [minimize(rosenbrock, x, method=LBFGS, options=o).status for o in ends]
    assert [int(s) for s in dx.jit(run)(np.zeros(3))] == [1, 2, 3]


def test_bad_minimization():
    f, x0 = rosenbrock, np.zeros(3)
    for run, kind, what in (
        (lambda: minimize(f, x0, method="simplex"), ValueError, "method must be one of 'BFGS'"),
        (lambda: minimize(f, x0, [1], method="BFGS"), TypeError, "args must be a tuple"),
        (
            lambda: minimize(f, x0, method="BFGS", options={"xtol": 1}),
            TypeError,
            "no option 'xtol'",
        ),
        (lambda: minimize(f, np.zeros((2, 2)), method="BFGS"), ValueError, "x0 must be a vector"),
    ):
        with pytest.raises(kind, match=what):
            run()
