"""Functions of a matrix by way of eigh and svd: values and derivatives of any order where
eigenvalues or singular values are equal, nearly equal, or 0.
"""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
import scipy.linalg

import diffeo as dx
import diffeo.scipy.linalg as sl

dnp = dx.numpy
la = dnp.linalg
slow = lambda *values: pytest.param(*values, marks=pytest.mark.slow)


def drawn(*shape: int, kind: str = "real", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return x + 1j * rng.normal(size=shape) if kind == "complex" else x


def orthonormal(m: int, n: int, kind: str, seed: int) -> np.ndarray:
    return np.linalg.qr(drawn(m, m, kind=kind, seed=seed))[0][:, :n]


def hermitian(values, kind: str) -> np.ndarray:
    v = orthonormal(len(values), len(values), kind, 1)
    x = (v * np.array(values)) @ v.conj().T
    return (x + x.conj().T) / 2


def with_singular_values(m: int, n: int, values, kind: str) -> np.ndarray:
    u, v = (orthonormal(size, len(values), kind, size + 1) for size in (m, n))
    return (u * np.array(values)) @ v.conj().T


def close(found, expected, tolerance: float = 1e-9) -> None:
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(np.asarray(found) / scale, expected / scale, rtol=0, atol=tolerance)


# --------------------------------------------------------------------------------------------------
# An oracle: Taylor coefficients along a line, from values at points with 50 digits


def coefficients(value, start, step, order: int) -> list[np.ndarray]:
    """Of `value`, a function of mpmath's matrices, along start + t step."""
    with mp.workdps(50):
        points = [mp.mpf(k) / 1000 for k in range(-4, 5)]
        to_mp = lambda x: mp.matrix([[mp.mpc(complex(z)) for z in row] for row in x])
        values = [value(to_mp(start) + t * to_mp(step)) for t in points]
        inverse = mp.matrix([[t**k for k in range(9)] for t in points]) ** -1
        sums = [sum((inverse[k, i] * v for i, v in enumerate(values)), 0 * values[0])
                for k in range(order + 1)]  # fmt: skip
        return [np.array([[complex(s[i, j]) for j in range(s.cols)] for i in range(s.rows)])
                for s in sums]  # fmt: skip


def of_eigenvalues(f):
    def value(x):
        w, v = mp.eighe(x)
        return v * mp.diag([f(e) for e in w]) * v.transpose_conj()

    return value


def of_singular_values(f, side: str):
    """By a decomposition with 50 digits; u f(s) v^H, u f(s) u^H or v f(s) v^H."""

    def value(x):
        u, s, vh = mp.svd_c(x)
        parts = {"u": u, "v": vh.transpose_conj()}
        return parts[side[0]] * mp.diag([f(e) for e in s]) * parts[side[1]].transpose_conj()

    return value


def check(function, expected, start, step, tolerance: float = 1e-9, seed: int = 9) -> None:
    """Every way to derivatives of `function`, of matrices, up to the third along a line."""
    line = lambda t: function(start + t * step)
    found = dx.taylor(line, (0.0,), (1.0,), len(expected) - 1)
    for k, (a, b) in enumerate(zip(found, expected)):
        close(a, b, tolerance * 10**k)
    weights = drawn(*expected[0].shape, kind="complex" if np.iscomplexobj(start) else "real",
                    seed=seed)  # fmt: skip
    first, second = ((c * weights).sum().real * n for c, n in zip(expected[1:3], (1, 2)))
    close(dx.jvp(line, (0.0,), (1.0,))[1], expected[1], tolerance)
    loss = lambda t: (line(t) * weights).sum().real
    close(dx.grad(loss)(0.0), first, tolerance)
    close(dx.grad(dx.grad(loss))(0.0), second, 10 * tolerance)
    whole = lambda x: (function(x) * weights).sum().real
    close((np.asarray(dx.grad(whole)(start)) * step).sum().real, first, tolerance)
    curved = np.asarray(dx.hvp(whole, (start,), (step,)))
    close((curved * step).sum().real, second, 10 * tolerance)


EQUAL = [[1.0, 1.0, 1.0], [1.0, 1.0, 2.0], [2.0, 2.0, 1.0, 1.0], [1.0, 1.0 + 1e-15, 2.0],
         [1.0, 1.0 + 1e-12, 1.0 + 3e-9, 2.0], [1.0, 1.0 + 1e-6, 2.0], [1.0, 1.0001, 2.0],
         [1.0, 1.02, 2.0], [-1.0, -1.0, 0.5]]  # fmt: skip

FUNCTIONS = {
    "exp": (dnp.exp, mp.exp), "cube": (lambda w: w**3, lambda w: w**3),
    "sqrt": (lambda w: dnp.sqrt(w + 2), lambda w: mp.sqrt(w + 2)),
    "inverse": (lambda w: 1 / (w + 3), lambda w: 1 / (w + 3)),
    "step": (lambda w: dnp.where(w > 0.7, w * w, 0.0),
             lambda w: w * w if mp.re(w) > 0.7 else 0 * w),
}  # fmt: skip

#: How users write it.
WRITTEN = {
    "scaled": lambda f, w, v: (v * f(w)) @ v.conj().T,
    "row": lambda f, w, v: (v * f(w)[None, :]) @ dnp.conj(v.mT),
    "diag": lambda f, w, v: v @ dnp.diag(f(w)) @ v.conj().T,
    "left": lambda f, w, v: v @ (f(w)[:, None] * v.conj().T),
    "einsum": lambda f, w, v: dnp.einsum("ij,j,kj->ik", v, f(w), v.conj()),
    "divided": lambda f, w, v: (v / (1 / f(w))) @ v.conj().T,
    "two halves": lambda f, w, v: (lambda r: r @ r.conj().T)(v * dnp.sqrt(f(w))),
}


@pytest.mark.parametrize("name, written, kind, values", [
    ("exp", "scaled", "real", EQUAL[0]), ("exp", "diag", "complex", EQUAL[1]),
    ("sqrt", "einsum", "real", EQUAL[2]), ("inverse", "left", "complex", EQUAL[4]),
    ("step", "row", "real", EQUAL[8]), ("exp", "divided", "real", EQUAL[3]),
    ("exp", "two halves", "complex", EQUAL[6])])  # fmt: skip
def test_functions_of_hermitian_matrices(name, written, kind, values):
    ours, theirs = FUNCTIONS[name]
    start, step = hermitian(values, kind), drawn(len(values), len(values), kind=kind, seed=3)
    start, step = (np.eye(3) if values == EQUAL[0] else start), step + step.conj().T
    function = lambda x: WRITTEN[written](ours, *la.eigh(x))
    check(function, coefficients(of_eigenvalues(theirs), start, step, 3), start, step)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.sampled(3)
def test_functions_of_hermitian_matrices_in_every_writing(name, kind):
    ours, theirs = FUNCTIONS[name]
    for values in EQUAL:
        n = len(values)
        start, step = hermitian(values, kind), drawn(n, n, kind=kind, seed=3)
        step = step + step.conj().T
        expected = coefficients(of_eigenvalues(theirs), start, step, 3)
        for how in WRITTEN:
            if (how == "two halves" and name in ("cube", "step")) or how == "divided" == name:
                continue
            if name == "step" and how == "divided":
                continue
            check(lambda x, h=how: WRITTEN[h](ours, *la.eigh(x)), expected, start, step)


def test_compiled_batched_and_inner_programs():
    """jit(grad), vmap(grad), grad(vmap), grad(jit), stacks."""
    stack = np.stack([hermitian(v, "real") for v in ([1.0, 1.0, 2.0], [3.0, 3.0, 3.0], [1, 2, 4])])
    weights = drawn(3, 3, seed=5)

    def loss(x):
        w, v = la.eigh(x)
        return (((v * dnp.exp(w)[..., None, :]) @ v.mT) * weights).sum()

    exact = lambda x: (sl.expm((x + x.mT) / 2) * weights).sum()
    expected = np.stack([np.asarray(dx.grad(exact)(x)) for x in stack])
    folded = np.tril(2 * expected) - expected * np.eye(3)  # of the triangle that is read
    for gradient in (dx.vmap(dx.grad(loss)), dx.grad(loss), dx.jit(dx.grad(loss)),
                     dx.jit(dx.vmap(dx.grad(loss))), dx.grad(dx.jit(loss)),
                     dx.grad(lambda x: dx.vmap(loss)(x).sum())):  # fmt: skip
        close(gradient(stack), folded)


def test_values_that_depend_on_parameters_and_on_their_sum():
    x, weights = hermitian([1.0, 1.0, 2.0], "real"), drawn(3, 3, seed=5)

    def loss(x, p):
        w, v = la.eigh(x, symmetrize_input=True)
        return (((v * dnp.exp(p * w / w.sum())) @ v.T) * weights).sum()

    def exact(x, p):
        x = (x + x.T) / 2
        return (sl.expm(p * x / dnp.trace(x)) * weights).sum()

    for argnums in (0, 1):
        close(dx.grad(loss, argnums)(x, 1.5), np.asarray(dx.grad(exact, argnums)(x, 1.5)))
        close(dx.jacfwd(dx.grad(loss, argnums), 1)(x, 1.5),
              np.asarray(dx.jacfwd(dx.grad(exact, argnums), 1)(x, 1.5)))  # fmt: skip


@pytest.mark.parametrize("cut", [1, 2])
def test_projections_are_right_between_levels_and_nan_within_one(cut):
    x, step = hermitian([1.0, 1.0, 2.0], "real"), drawn(3, 3, seed=2)
    step = step + step.T

    def project(x):
        v = la.eigh(x).eigenvectors[:, :cut]
        return v @ v.T

    if cut == 1:
        assert np.isnan(dx.jvp(project, (x,), (step,))[1]).any()
        assert np.isnan(dx.grad(lambda x: project(x)[0, 1])(x)).any()
        return

    def exact(m):
        v = mp.eighe(m)[1]
        return v[:, :2] * v[:, :2].transpose_conj()

    check(project, coefficients(exact, x, step, 3), x, step)


def test_what_depends_on_the_basis_is_nan():
    """Within a level nothing tells vectors apart: their own tangents, and what is different for
    equal values.
    """
    x, mixing = np.eye(3), drawn(3, 3, seed=5)
    uneven = lambda x: (lambda w, v: (v * (w * np.arange(3.0))) @ v.T)(*la.eigh(x))
    for function in (uneven, lambda x: la.eigh(x)[1]):
        assert np.isnan(dx.jvp(function, (x,), (mixing,))[1]).any()
        loss = lambda x, function=function: (function(x) * mixing).sum()
        assert np.isnan(dx.grad(loss)(x)).any()


def test_sums_of_values_have_every_derivative():
    """Traces of functions, in modes that see no vectors."""
    cube = lambda x: (la.eigvalsh(x, symmetrize_input=True) ** 3).sum()
    logs = lambda x: dnp.log(la.eigvalsh(x, symmetrize_input=True)).sum()
    fourth = lambda x: (la.svdvals(x) ** 4).sum()
    step = drawn(3, 3, seed=3)
    step = step + step.T
    line = lambda t, x: cube(x + t * step)
    slope = lambda x: dx.jvp(cube, (x,), (step,))[1]
    curvature = dx.jit(lambda x: dx.hvp(logs, (x,), (step,)))
    for x in (np.eye(3), hermitian([1.0, 1.0, 2.0], "real")):
        factors = (x, x, x), (x, x, step), (x, step, step), (step, step, step)
        exact = [(a @ b @ c).trace() * n for n, (a, b, c) in zip((1, 3, 3, 1), factors)]
        found = dx.taylor(line, (0.0, x), (1.0, 0 * x), 3)
        close(np.array([float(c) for c in found]), np.array(exact))
        curved = 3 * (x @ step + step @ x)
        close(dx.hvp(cube, (x,), (step,)), curved)
        close(dx.grad(slope)(x), curved)
        close(np.einsum("ijkl,kl->ij", np.asarray(dx.hessian(cube)(x)), step), curved)
        inverse = np.linalg.inv(x)
        close(curvature(x), -inverse @ step @ inverse)
        close(dx.hvp(fourth, (x,), (step,)), 4 * (step @ x @ x + x @ step @ x + x @ x @ step))


# --------------------------------------------------------------------------------------------------
# Singular values

OF_SINGULAR = {
    "u vh": (lambda u, s, vh: u @ vh, lambda s: s / s, "uv"),
    "u s vh": (lambda u, s, vh: (u * s) @ vh, lambda s: s, "uv"),
    "u s3 vh": (lambda u, s, vh: (u * s**3) @ vh, lambda s: s**3, "uv"),
    "diag": (lambda u, s, vh: u @ dnp.diag(dnp.tanh(s)) @ vh, mp.tanh, "uv"),
    "u u": (lambda u, s, vh: (u * dnp.sqrt(s)) @ u.conj().T, mp.sqrt, "uu"),
    "v v": (lambda u, s, vh: (vh.conj().T * s**2) @ vh, lambda s: s**2, "vv"),
    "inverse": (lambda u, s, vh: (vh.conj().T / s) @ u.conj().T, lambda s: 1 / s, "vu"),
}


@pytest.mark.parametrize("name, kind, m, n, values", [
    ("u vh", "real", 3, 3, [2.0, 2.0, 1.0]), ("u s3 vh", "complex", 4, 3, [1.5, 1.5, 1.5]),
    ("diag", "real", 3, 4, [2.0, 2.0 - 1e-9, 1.0]), ("inverse", "real", 3, 3, [2.0, 2.0, 1.0]),
    *[slow(name, kind, m, n, values) for name in OF_SINGULAR for kind in ("real", "complex")
      for m, n in ((3, 3), (4, 3), (3, 4))
      for values in ([2.0, 2.0, 1.0], [1.5, 1.5, 1.5], [2.0, 2.0 - 1e-9, 1.0])]])  # fmt: skip
@pytest.mark.sampled(2)
def test_functions_of_singular_values(name, kind, m, n, values):
    ours, theirs, side = OF_SINGULAR[name]
    start, step = with_singular_values(m, n, values, kind), drawn(m, n, kind=kind, seed=4)
    function = lambda x: ours(*la.svd(x, full_matrices=False))
    expected = coefficients(of_singular_values(theirs, side), start, step, 3)
    check(function, expected, start, step)


@pytest.mark.parametrize("values", [[2.0, 1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("m, n", [(3, 3), (4, 3), (3, 4)])
def test_products_of_all_factors_are_the_matrix_whatever_its_rank(m, n, values):
    start, step = with_singular_values(m, n, values, "real"), drawn(m, n, seed=4)
    for function in (
        lambda x: (lambda u, s, vh: (u * s) @ vh)(*la.svd(x, False)),
        lambda x: (lambda u, s, vh: u @ (s[:, None] * vh))(*la.svd(x, False)),
    ):
        check(function, [start, step, 0 * step, 0 * step], start, step)


@pytest.mark.parametrize("m, n", [(4, 3), (3, 4)])
def test_square_vectors_of_matrices_that_are_not(m, n):
    """Those that have no value are sliced away, or make an identity."""
    start, step = with_singular_values(m, n, [2.0, 2.0, 1.0], "real"), drawn(m, n, seed=4)

    def polar(x):
        u, _, vh = la.svd(x)
        return u[:, :3] @ vh[:3]

    expected = coefficients(of_singular_values(lambda s: s / s, "uv"), start, step, 3)
    check(polar, expected, start, step)
    both = lambda x: (lambda u, s, vh: (u @ u.T).sum() + (vh.T @ vh).sum())(*la.svd(x))
    for run in (dx.grad(both), dx.jit(dx.grad(both))):
        found = np.asarray(run(start))
        assert np.isnan(found).any() or np.abs(found).max() < 1e-12


def test_laplacian_of_a_function_of_a_matrix():
    x, weights = hermitian([1.0, 1.0, 2.0], "real"), drawn(3, 3, seed=5)
    both = lambda x: WRITTEN["scaled"](dnp.exp, *la.eigh(x, symmetrize_input=True))
    loss = lambda x: (both(x) * weights).sum()
    exact = lambda x: (sl.expm((x + x.T) / 2) * weights).sum()
    for run in (dx.laplacian(loss), dx.jit(dx.laplacian(loss))):
        close(np.asarray(run(x)), np.asarray(dx.laplacian(exact)(x)), 1e-8)


# --------------------------------------------------------------------------------------------------
# The polar factor


@pytest.mark.parametrize("kind, m, n, values", [
    ("real", 3, 3, [2.0, 2.0, 2.0]), ("complex", 4, 3, [2.0, 2.0, 1.0]),
    ("real", 3, 5, [2.0, 2.0 + 1e-9, 1.0]),
    *[slow(kind, m, n, values) for kind in ("real", "complex") for m, n in ((3, 3), (5, 3), (3, 5))
      for values in ([2.0, 2.0, 2.0], [2.0, 2.0, 1.0], [3.0, 2.0, 1.0])]])  # fmt: skip
def test_polar_factors(kind, m, n, values):
    start, step = with_singular_values(m, n, values, kind), drawn(m, n, kind=kind, seed=4)
    for side in ("right", "left"):
        for found, expected in zip(sl.polar(start, side), scipy.linalg.polar(start, side)):
            close(found, expected, 1e-13)
    factor = coefficients(of_singular_values(lambda s: s / s, "uv"), start, step, 3)
    check(lambda x: sl.polar(x)[0], factor, start, step)
    if m >= n:
        check(lambda x: dx.lax.linalg.qdwh(x)[0], factor, start, step)
    size = coefficients(of_singular_values(lambda s: s, "vv"), start, step, 3)
    if m >= n:
        check(lambda x: sl.polar(x)[1], size, start, step)
    else:
        size = coefficients(of_singular_values(lambda s: s, "uu"), start, step, 3)
        check(lambda x: sl.polar(x, "left")[1], size, start, step)


def test_polar_factor_of_a_singular_matrix_has_no_derivative():
    x = with_singular_values(3, 3, [2.0, 1.0, 0.0], "complex")
    found = dx.jvp(lambda x: sl.polar(x)[0], (x,), (drawn(3, 3, kind="complex", seed=2),))[1]
    assert np.isnan(found).any()


@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (2, 2), (4, 3, 2)])
def test_values_times_a_known_matrix(shape):
    """The matrix may have any shape; what is followed are values on a diagonal only."""
    x, known = drawn(4, 2), np.arange(float(np.prod(shape))).reshape(shape)
    if shape[-1] != 2:
        x = drawn(4, 3)
    f = lambda x: np.sum(np.sin(dnp.linalg.svd(x, compute_uv=False) * known))
    t = drawn(*x.shape, seed=1)
    slope = dx.jvp(f, (x,), (t,))[1]
    expected = (f(x + 1e-6 * t) - f(x - 1e-6 * t)) / 2e-6
    np.testing.assert_allclose(slope, expected, 1e-6, 1e-6)
    np.testing.assert_allclose(np.sum(dx.grad(f)(x) * t), slope, 1e-12)
    second = dx.jet(f, (x,), ([t, np.zeros_like(t)],))[1][1]
    np.testing.assert_allclose(
        second, dx.jvp(lambda x: dx.jvp(f, (x,), (t,))[1], (x,), (t,))[1], 1e-9
    )
