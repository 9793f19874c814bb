"""dx.scipy.linalg and the primitives under it, against SciPy, jax and mathematics."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo as dx
from diffeo.routines.matrices.cholesky_update import CholeskyUpdate
from diffeo.routines.matrices.hessenberg import Hessenberg, Tridiagonal
from diffeo.routines.matrices.schur import Schur
from diffeo.routines.matrices.sylvester import MatrixSqrt, Sylvester
from diffeo.routines.matrices.tridiagonal_solve import TridiagonalSolve

sl = dx.scipy.linalg
DTYPES = ("float32", "float64", "complex64", "complex128")
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def drawn(*shape: int, dtype: str = "float64", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    real, imaginary = rng.normal(size=(2, *shape))
    return (real + 1j * imaginary if dtype.startswith("c") else real).astype(dtype)


def adjoint(x: np.ndarray) -> np.ndarray:
    return np.swapaxes(np.conj(x), -1, -2)


def is_wide(dtype: str) -> bool:
    return dtype in ("float64", "complex128")


def close(found, expected, tolerance: float = 0.0) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    wide = found.dtype in (np.float64, np.complex128) or found.dtype.kind in "iu"
    tolerance = tolerance or (1e-11 if wide else 3e-4)
    np.testing.assert_allclose(found, expected, tolerance, tolerance)


# --------------------------------------------------------------------------------------------------
# The primitives, against LAPACK's definition and jax


@each_dtype
@pytest.mark.parametrize("shape", [(5, 5), (2, 3, 3), (1, 1), (0, 0)])
def test_decompositions_give_the_matrix_back(dtype: str, shape):
    a = drawn(*shape, dtype=dtype)
    for run in (lambda f: f, dx.jit):
        t, z = map(np.asarray, run(lambda x: Schur().bind(x))(dx.numpy.array(a)))
        close(z @ t @ adjoint(z), a)
        close(adjoint(z) @ z, np.broadcast_to(np.eye(shape[-1]), shape))
        assert t.dtype == z.dtype == a.dtype
        h, q = map(np.asarray, run(lambda x: sl.hessenberg(x, calc_q=True))(a))
        close(q @ h @ adjoint(q), a)
        assert not np.tril(h, -2).any()
        t = np.asarray(run(lambda x: Tridiagonal().bind(x))(dx.numpy.array(a))[1])
        assert t.dtype == np.empty(0, dtype).real.dtype


@each_dtype
def test_packed_results_are_those_of_jax(dtype: str, jax):
    lax_linalg = jax.lax.linalg
    a = drawn(2, 4, 4, dtype=dtype)
    for ours, theirs in (
        (Hessenberg(), lax_linalg.hessenberg),
        (Tridiagonal(), lambda x: lax_linalg.tridiagonal(x, lower=True)),
        (Tridiagonal(False), lambda x: lax_linalg.tridiagonal(x, lower=False)),
    ):
        for found, expected in zip(ours.bind(dx.numpy.array(a)), theirs(a)):
            close(found, expected)
    if dtype.startswith("f"):
        for found, expected in zip(Schur().bind(dx.numpy.array(a)), lax_linalg.schur(a)):
            close(found, expected)
    dl, d, du = drawn(3, 2, 4, dtype=dtype, seed=1)
    found = TridiagonalSolve().bind(*map(dx.numpy.array, (dl, d + 3, du, a[:, :, :2])))
    close(found, lax_linalg.tridiagonal_solve(dl, d + 3, du, a[:, :, :2]))
    if dtype.startswith("f"):
        r, w = np.triu(a[0]), drawn(4, dtype=dtype, seed=2)
        expected = lax_linalg.cholesky_update(r, w)
        close(CholeskyUpdate().bind(*map(dx.numpy.array, (r, w))), expected)


@each_dtype
def test_sylvester_and_square_root_solve_their_equations(dtype: str):
    a, b, c = (drawn(*s, dtype=dtype, seed=3) for s in ((2, 4, 4), (2, 3, 3), (2, 4, 3)))
    x = np.asarray(Sylvester().bind(*map(dx.numpy.array, (a, b, c))))
    assert x.dtype == a.dtype
    close(a @ x + x @ b, c)
    root = np.asarray(sl.sqrtm(a))
    close(root @ root, a.astype(root.dtype))
    assert (np.linalg.eigvals(root).real > -1e-4).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(0, 4), st.integers(0, 10**6), st.sampled_from(DTYPES))
def test_tridiagonal_systems_of_any_size(n: int, k: int, seed: int, dtype: str):
    dl, d, du = drawn(3, n, dtype=dtype, seed=seed)
    b = drawn(n, k, dtype=dtype, seed=seed + 1)
    d = d + 4
    dense = np.diag(d) + np.diag(dl[1:], -1) + np.diag(du[:-1], 1)
    x = np.asarray(TridiagonalSolve().bind(*map(dx.numpy.array, (dl, d, du, b))))
    close(dense @ x, b)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(0, 10**6), st.booleans(), st.sampled_from(DTYPES))
def test_factors_are_updated_and_downdated(n: int, seed: int, downdate: bool, dtype: str):
    r = np.triu(drawn(n, n, dtype=dtype, seed=seed)) + 4 * np.eye(n, dtype=dtype)
    w = drawn(n, dtype=dtype, seed=seed + 1) / np.sqrt(n).astype(dtype) / 3
    x = np.asarray(CholeskyUpdate(downdate).bind(*map(dx.numpy.array, (r, w))))
    moved = np.outer(w, w.conj())
    close(adjoint(x) @ x, adjoint(r) @ r + (-moved if downdate else moved))
    assert not np.tril(x, -1).any()


@pytest.mark.parametrize("primitive, shapes, words", [
    (Schur(), [(2, 3)], "schur.*square"),
    (Hessenberg(), [(3,)], "hessenberg.*square"),
    (Tridiagonal(), [(2, 3)], "tridiagonal.*square"),
    (MatrixSqrt(), [(2, 2)], "matrix_sqrt.*complex"),
    (Sylvester(), [(2, 2), (3, 3), (3, 2)], "sylvester.*m, m.*n, n"),
    (TridiagonalSolve(), [(3,), (3,), (2,), (3, 1)], "tridiagonal_solve.*diagonals"),
    (CholeskyUpdate(), [(2, 2), (3,)], "cholesky_update.*vectors"),
])  # fmt: skip
def test_bad_operands_are_named(primitive, shapes, words: str):
    with pytest.raises(TypeError, match=words):
        dx.jit(lambda *xs: primitive.bind(*xs))(*map(np.ones, shapes))


# --------------------------------------------------------------------------------------------------
# Derivatives at equal eigenvalues, of any order

STEP = 1e-2


def taylor_of(fun, order: int) -> list[np.ndarray]:
    """Coefficients by solving for values at points: an oracle that knows no derivative."""
    s = np.linspace(-1, 1, 13) * 0.25
    values = np.stack([np.asarray(fun(v)) for v in s])
    found = np.linalg.lstsq(np.vander(s, increasing=True), values.reshape(13, -1), rcond=None)[0]
    return [c.reshape(values.shape[1:]) for c in found[: order + 1]]


@pytest.mark.parametrize("name", ["expm", "logm", "sqrtm", "solve_sylvester", "schur"])
def test_every_order_at_equal_eigenvalues(name: str):
    v = drawn(3, 3, seed=4)
    base = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.5], [0.0, 0.0, 2.0]])  # defective
    if name == "schur":  # what does not depend on the choice of the basis
        base = 2.0 * np.eye(3)
        fun = lambda s: (lambda t, z: z @ t @ t @ z.mT)(*sl.schur(base + s * v + 0.0))
    elif name == "solve_sylvester":
        fun = lambda s: sl.solve_sylvester(base + s * v, base, v)
    else:
        fun = lambda s: getattr(sl, name)(base + s * v)
    found = dx.taylor(fun, (0.0,), (1.0,), 3)
    for k, (a, b) in enumerate(zip(found, taylor_of(fun, 3))):
        close(a, b, 1e-7 * 10**k)
    slope = dx.grad(lambda s: fun(s).real.sum())(0.0)
    close(slope, np.asarray(found[1]).real.sum(), 1e-10)


def test_square_roots_of_negative_numbers_are_on_one_side():
    q = np.linalg.qr(drawn(3, 3))[0]
    for run in (sl.sqrtm, dx.jit(sl.sqrtm)):
        close(run(-4.0 * np.eye(3)), 2j * np.eye(3))
        close(run(q @ np.diag([-1.0, -4.0, 9.0]) @ q.T), q @ np.diag([1j, 2j, 3.0]) @ q.T)


def test_square_root_at_one_eigenvalue_agrees_with_a_closed_form():
    """The square root at 4 times the identity moves by a quarter of the matrix."""
    direction = drawn(3, 3)
    found = dx.jvp(sl.sqrtm, (4.0 * np.eye(3),), (direction,))[1]
    close(found, direction / 4 + 0j)


# --------------------------------------------------------------------------------------------------
# Functions of matrices


@each_dtype
@pytest.mark.parametrize("size", [1e-6, 0.3, 4.0, 12.0])
def test_expm_agrees_with_scipy(dtype: str, size: float):
    a = drawn(2, 4, 4, dtype=dtype) * np.asarray(size, dtype)
    expected = np.stack([scipy.linalg.expm(x.astype("complex128")) for x in a])
    scale = np.abs(expected).max()
    for run in (sl.expm, dx.jit(sl.expm), dx.vmap(sl.expm)):
        found = np.asarray(run(a))
        assert found.dtype == a.dtype
        expected = expected if dtype[0] == "c" else expected.real
        close(found / scale, (expected / scale).astype(dtype), 1e-12 if is_wide(dtype) else 3e-4)


def test_expm_of_special_matrices():
    close(sl.expm(np.zeros((2, 2))), np.eye(2))
    assert sl.expm(np.zeros((0, 0))).shape == (0, 0)
    assert np.isnan(np.asarray(sl.expm(1e30 * np.eye(2)))).all()
    upper = np.triu(drawn(4, 4))
    close(sl.expm(upper, upper_triangular=True), scipy.linalg.expm(upper))
    a, v = drawn(2, 3, 3)
    for found, expected in zip(sl.expm_frechet(a, v), scipy.linalg.expm_frechet(a, v)):
        close(found, expected)
    with pytest.raises(ValueError, match="expm: expects square"):
        sl.expm(np.zeros((2, 3)))


def test_logarithm_and_powers_undo_exponential_and_products():
    a = drawn(4, 4, seed=5)
    close(sl.expm(sl.logm(a + 3 * np.eye(4))), a + 3 * np.eye(4) + 0j)
    close(sl.logm(sl.expm(a / 4)), a / 4 + 0j)
    close(dx.jit(sl.logm)(sl.expm(a / 4)), a / 4 + 0j)
    third = np.asarray(sl.fractional_matrix_power(a, 1 / 3))
    close(third @ third @ third, a + 0j)
    assert np.isnan(np.asarray(sl.logm(np.zeros((2, 2))))).all()


def test_funm_agrees_with_scipy():
    a = drawn(4, 4)
    close(sl.funm(a, dx.numpy.sin), scipy.linalg.funm(a, np.sin) + 0j, 1e-9)
    assert sl.funm(a, dx.numpy.exp, disp=False)[1].shape == ()


def test_real_schur_form_becomes_complex():
    a = drawn(2, 5, 5, seed=6)
    t, z = map(np.asarray, sl.rsf2csf(*sl.schur(a)))
    close(z @ t @ adjoint(z), a + 0j)
    assert not np.tril(t, -1).any()
    for x in sl.schur(a, output="complex"):
        assert x.dtype == np.complex128
    with pytest.raises(ValueError, match="output must be one of"):
        sl.schur(a, output="other")


def test_sylvester_is_nan_where_eigenvalues_meet():
    assert np.isnan(np.asarray(sl.solve_sylvester(np.eye(2), -np.eye(2), np.ones((2, 2))))).all()
    a, b, c = drawn(3, 3), drawn(2, 2), drawn(3, 2)
    close(sl.solve_sylvester(a, b, c), scipy.linalg.solve_sylvester(a, b, c))


# --------------------------------------------------------------------------------------------------
# Linear systems


@each_dtype
@pytest.mark.parametrize("lower", [False, True])
def test_systems_agree_with_scipy(dtype: str, lower: bool):
    a, b = drawn(4, 4, dtype=dtype), drawn(4, 2, dtype=dtype, seed=1)
    positive = a @ adjoint(a) + np.eye(4, dtype=dtype)
    factor = scipy.linalg.cho_factor(positive, lower)[0]
    cut = np.tril if lower else np.triu
    close(sl.cholesky(positive, lower), cut(factor))
    close(sl.cho_solve(sl.cho_factor(positive, lower), b), np.linalg.solve(positive, b))
    close(sl.solve(positive, b, lower, assume_a="pos"), np.linalg.solve(positive, b))
    close(sl.solve(a, b[:, 0]), np.linalg.solve(a, b[:, 0]))
    triangle = cut(a) + 2 * np.eye(4, dtype=dtype)
    for trans in (0, 1, 2):
        for unit in (False, True):
            expected = scipy.linalg.solve_triangular(triangle, b, trans, lower, unit)
            close(sl.solve_triangular(triangle, b, trans, lower, unit), expected)
        close(
            sl.lu_solve(sl.lu_factor(a), b, trans),
            scipy.linalg.lu_solve(scipy.linalg.lu_factor(a), b, trans),
        )
    close(sl.inv(a), np.linalg.inv(a))
    close(sl.det(a), np.linalg.det(a))


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3), (2, 3, 3), (0, 0), (1, 1)])
def test_lu_agrees_with_scipy(shape):
    a = drawn(*shape)
    for permute in (False, True):
        expected = scipy.linalg.lu(a, permute) if len(shape) == 2 else None
        found = sl.lu(a, permute)
        close(found[0] @ found[1] @ found[2] if not permute else found[0] @ found[1], a)
        for x, y in zip(found, expected or found):
            close(x, y)


@pytest.mark.parametrize("below, above", [(0, 0), (1, 1), (0, 1), (1, 0), (2, 1), (1, 3)])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_banded_systems_agree_with_scipy(below: int, above: int, n: int):
    count = below + above + 1
    ab, b = drawn(count, n) + 3 * (np.arange(count) == above)[:, None], drawn(n, 2)
    dense = sum([np.diag(ab[above + k, : n - k] if k >= 0 else ab[above + k, -k:], -k)
                 for k in range(-above, below + 1) if abs(k) < n])  # fmt: skip
    close(sl.solve_banded((below, above), ab, b), np.linalg.solve(dense, b))
    close(sl.solve_banded((below, above), ab, b[:, 0]), np.linalg.solve(dense, b[:, 0]))


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("u", [0, 1, 2])
def test_hermitian_banded_systems_agree_with_scipy(lower: bool, u: int):
    ab = drawn(u + 1, 5, dtype="complex128")
    ab[0 if lower else u] = 9.0
    b = drawn(5)
    expected = scipy.linalg.solveh_banded(ab, b, lower=lower)
    close(sl.solveh_banded(ab, b, lower=lower), expected)


def test_systems_with_leading_axes_and_gradients():
    a, b = drawn(2, 3, 3) + 3 * np.eye(3), drawn(3, 2)
    close(sl.solve(a, b), np.linalg.solve(a, b))
    slope = dx.grad(lambda a: sl.solve(a, b).sum())(a)
    h, v = 1e-6, drawn(2, 3, 3, seed=2)
    up, down = (np.linalg.solve(a + s * v, b).sum() for s in (h, -h))
    np.testing.assert_allclose((np.asarray(slope) * v).sum(), (up - down) / (2 * h), 1e-6)


# --------------------------------------------------------------------------------------------------
# Decompositions


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3), (2, 3, 2)])
@pytest.mark.parametrize("pivoting", [False, True])
def test_qr_gives_the_matrix_back(shape, pivoting: bool):
    a = drawn(*shape, dtype="complex128")
    for mode in ("full", "economic"):
        q, r, *order = map(np.asarray, sl.qr(a, mode=mode, pivoting=pivoting))
        moved = np.take_along_axis(a, order[0][..., None, :], -1) if order else a
        close(q @ r, moved)
        if len(shape) == 2:
            for x, y in zip((q, r), scipy.linalg.qr(a, mode=mode, pivoting=pivoting)):
                close(x, y)
    close(sl.qr(a, mode="r", pivoting=pivoting)[0], sl.qr(a, pivoting=pivoting)[1])
    q = np.asarray(sl.qr(a, mode="economic", pivoting=pivoting)[0])
    left, right = drawn(q.shape[-1], 2), drawn(2, q.shape[-2])
    close(sl.qr_multiply(a, left, "left", pivoting)[0], q @ left)
    close(sl.qr_multiply(a, right, "right", pivoting, conjugate=True)[0], right @ q.conj())
    close(sl.qr_multiply(a, right[0], pivoting=pivoting)[0], right[0] @ q)


@each_dtype
def test_eigenvalues_agree_with_scipy(dtype: str):
    a, b = drawn(4, 4, dtype=dtype), drawn(4, 4, dtype=dtype, seed=1)
    b = b @ adjoint(b) + 4 * np.eye(4, dtype=dtype)
    for lower in (False, True):
        close(sl.eigh(a, lower=lower, eigvals_only=True), scipy.linalg.eigvalsh(a, lower=lower))
        close(sl.eigvalsh(a, lower=lower), scipy.linalg.eigvalsh(a, lower=lower))
        for kind in (1, 2, 3):
            w, v = map(np.asarray, sl.eigh(a, b, lower, type=kind))
            close(w, scipy.linalg.eigh(a, b, lower=lower, eigvals_only=True, type=kind))
            x = np.tril(a) if lower else np.triu(a)
            x = x + adjoint(x) - np.diag(np.diag(x).real.astype(dtype))
            x = x - 1j * np.diag(np.diag(x).imag) if dtype[0] == "c" else x
            sides = {1: (x @ v, b @ v), 2: (x @ b @ v, v), 3: (b @ x @ v, v)}[kind]
            close(sides[0], sides[1] * w, 1e-10 if is_wide(dtype) else 1e-2)


def test_tridiagonal_eigenvalues_agree_with_scipy():
    d, e = drawn(5), drawn(4, seed=1)
    expected = scipy.linalg.eigh_tridiagonal(d, e)
    for found in (sl.eigh_tridiagonal(d, e), dx.jit(sl.eigh_tridiagonal)(d, e)):
        close(found[0], expected[0])
        close(np.abs(found[1]), np.abs(expected[1]))
    some = sl.eigh_tridiagonal(d, e, eigvals_only=True, select="i", select_range=(1, 3))
    close(some, expected[0][1:4])
    with pytest.raises(ValueError, match="eigh_tridiagonal: expects real"):
        sl.eigh_tridiagonal(d, d)


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3)])
def test_singular_values_and_what_follows_agree_with_scipy(shape):
    a = drawn(*shape, dtype="complex128")
    close(sl.svdvals(a), scipy.linalg.svdvals(a))
    u, s, vh = map(np.asarray, sl.svd(a, full_matrices=False))
    close((u * s) @ vh, a)
    for side in ("left", "right"):
        for found, expected in zip(sl.polar(a, side), scipy.linalg.polar(a, side)):
            close(found, expected)
    close(sl.pinv(a), scipy.linalg.pinv(a))
    single = np.outer(a[:, 0], a[0])
    assert sl.orth(single).shape == (shape[0], 1)
    null = np.asarray(sl.null_space(single))
    assert null.shape == (shape[1], shape[1] - 1)
    close(single @ null, np.zeros((shape[0], shape[1] - 1)) + 0j)
    square = a @ adjoint(a)
    close(sl.pinvh(np.triu(square), lower=False), scipy.linalg.pinvh(square), 1e-8)


# --------------------------------------------------------------------------------------------------
# Matrices with a name

NUMBERS = drawn(5), drawn(5, dtype="complex128"), drawn(4, seed=2)


@pytest.mark.parametrize("name, args", [
    ("toeplitz", NUMBERS[:1]), ("toeplitz", NUMBERS[1:2]), ("toeplitz", (NUMBERS[0], NUMBERS[2])),
    ("hankel", NUMBERS[:1]), ("hankel", (NUMBERS[0], NUMBERS[2])), ("circulant", NUMBERS[:1]),
    ("companion", NUMBERS[:1]), ("leslie", (NUMBERS[0], NUMBERS[2])), ("fiedler", NUMBERS[:1]),
    *[("fiedler_companion", (drawn(n),)) for n in (2, 3, 4, 5, 6)],
    *[("convolution_matrix", (NUMBERS[0], n, mode)) for n in (1, 3, 7)
      for mode in ("full", "same", "valid")],
    ("block_diag", (np.ones((2, 1)), np.zeros((0, 2)), NUMBERS[0])), ("block_diag", ()),
    ("khatri_rao", (drawn(2, 3), drawn(4, 3))),
    *[(name, (n,)) for name in ("hilbert", "invhilbert", "helmert") for n in (1, 2, 5)],
    ("helmert", (4, True)), *[("hadamard", (n,)) for n in (1, 2, 8)],
    *[(name, (4, kind)) for name in ("pascal", "invpascal")
      for kind in ("symmetric", "lower", "upper")],
    *[("dft", (n, scale)) for n in (1, 4) for scale in (None, "sqrtn", "n")],
])  # fmt: skip
def test_named_matrices_agree_with_scipy(name: str, args):
    close(getattr(sl, name)(*args), getattr(scipy.linalg, name)(*args))


@pytest.mark.parametrize("call, words", [
    (lambda: sl.companion(np.ones(1)), "companion: the last axis"),
    (lambda: sl.leslie(np.ones(3), np.ones(3)), "leslie: s must be one shorter"),
    (lambda: sl.hadamard(3), "hadamard: n must be a power of 2"),
    (lambda: sl.pascal(3, "other"), "pascal: kind must be one of"),
    (lambda: sl.dft(3, dtype=float), "dft: dtype must be complex"),
    (lambda: sl.convolution_matrix(np.ones(2), 0), "convolution_matrix: n must be at least 1"),
    (lambda: sl.khatri_rao(np.ones((2, 2)), np.ones((2, 3))), "khatri_rao: expects"),
    (lambda: sl.solve(np.ones((2, 2)), np.ones(3)), "solve: expects"),
    (lambda: sl.solve_banded((1, 1), np.ones((2, 3)), np.ones(3)), "solve_banded: l_and_u"),
    (lambda: sl.solve_triangular(np.eye(2), np.ones(2), trans=5), "trans must be one of"),
    (lambda: sl.expm_frechet(np.eye(2), np.eye(3)), "expm_frechet: A and E"),
    (lambda: sl.solve_sylvester(np.eye(2), np.eye(3), np.eye(2)), "solve_sylvester: expects"),
])  # fmt: skip
def test_bad_arguments_are_named(call, words: str):
    with pytest.raises(ValueError, match=words):
        call()
