"""Linear algebra: against NumPy and jax, at degenerate and singular matrices, and bad input."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import diffeo as dx
from diffeo.routines.matrices import determinant

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

dl, jl = dx.numpy.linalg, jnp.linalg
RNG = np.random.default_rng(7)


def drawn(*shape: int, dtype: Any = float, seed: int = 0) -> np.ndarray:
    """A well-conditioned stack of matrices; vectors for one axis."""
    rng = np.random.default_rng([seed, *shape])
    x = rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype is complex else 0)
    return x + 3 * np.eye(shape[-2], shape[-1]) if len(shape) > 1 else x


def definite(*shape: int, dtype: Any = float) -> np.ndarray:
    x = drawn(*shape, dtype=dtype)
    return x @ np.conj(np.swapaxes(x, -1, -2)) + np.eye(shape[-1])


def parts(x: Any) -> list[np.ndarray]:
    return [np.asarray(v) for v in (x if isinstance(x, (tuple, list)) else [x])]


def agree(found: Any, expected: Any, tolerance: float = 1e-10) -> None:
    for a, b in zip(parts(found), parts(expected), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, tolerance, tolerance)


SQUARE = [(1, 1), (2, 2), (3, 3), (4, 4), (6, 6), (2, 3, 3), (2, 1, 5, 5), (0, 0), (0, 2, 2)]
FUNCTIONS = {
    "inv": np.linalg.inv, "det": np.linalg.det, "slogdet": np.linalg.slogdet,
    "eigvals": lambda x: np.linalg.eigvals(x) + 0j, "svdvals": np.linalg.svdvals,
    "cond": np.linalg.cond, "matrix_rank": np.linalg.matrix_rank, "pinv": np.linalg.pinv,
    "trace": np.linalg.trace, "diagonal": np.linalg.diagonal, "qr": np.linalg.qr,
    "matrix_norm": np.linalg.matrix_norm,
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [float, complex])
def test_functions_of_square_matrices_agree_with_numpy(name, dtype):
    for shape in SQUARE:
        if name == "cond" and 0 in shape:
            continue
        x = drawn(*shape, dtype=dtype)
        expected = FUNCTIONS[name](x)
        agree(getattr(dl, name)(x), expected)
        agree(getattr(dl, name)(dx.numpy.asarray(x)), expected)
        if shape in SQUARE[2::3]:
            agree(dx.jit(getattr(dl, name))(x), expected)


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("shape", SQUARE)
def test_hermitian_matrices_agree_with_numpy(shape, dtype):
    x = definite(*shape, dtype=dtype)
    for run in (lambda f: f, dx.jit):
        agree(run(dl.cholesky)(x), np.linalg.cholesky(x))
        agree(run(lambda x: dl.cholesky(x, upper=True))(x), np.linalg.cholesky(x, upper=True))
        agree(run(dl.eigvalsh)(x), np.linalg.eigvalsh(x))
        w, v = run(dl.eigh)(x)
        agree((v * w[..., None, :]) @ dx.numpy.conj(v).mT, x)


@pytest.mark.parametrize(
    "a, b",
    [((3, 3), (3,)), ((3, 3), (3, 2)), ((5, 5), (5,)), ((2, 3, 3), (3,)), ((2, 3, 3), (2, 3, 1)),
     ((3, 3), (4, 3, 2)), ((5, 5), (2, 4, 5, 2)), ((4, 1, 5, 5), (2, 5, 3)), ((0, 0), (0,)),
     ((3, 3), (3, 0)), ((5, 5), (0, 5, 2)), ((0, 3, 3), (3, 2))],
)  # fmt: skip
@pytest.mark.sampled(2)
def test_solve_broadcasts_as_numpy(a, b):
    x, y = drawn(*a), drawn(*b)
    agree(dl.solve(x, y), np.linalg.solve(x, y))
    agree(dx.jit(dl.solve)(x, y), np.linalg.solve(x, y))
    if 0 not in a + b:
        loss = lambda m: lambda x, y: (m.linalg.solve(x, y) ** 2).sum()
        agree(dx.grad(loss(dx.numpy), (0, 1))(x, y), jax.grad(loss(jnp), (0, 1))(x, y))


def test_tensors_and_powers_agree_with_numpy():
    x = drawn(6, 6).reshape(2, 3, 3, 2)
    agree(dl.tensorinv(x), np.linalg.tensorinv(x))
    agree(dl.tensorsolve(x, drawn(2, 3)), np.linalg.tensorsolve(x, drawn(2, 3)))
    moved = np.moveaxis(x, 2, 0)
    agree(dl.tensorsolve(moved, drawn(2, 3), (0,)), np.linalg.tensorsolve(moved, drawn(2, 3), (0,)))
    a = drawn(2, 3, 3)
    for n in (-2, -1, 0, 1, 2, 5):
        agree(dl.matrix_power(a, n), np.linalg.matrix_power(a, n))
    assert dl.matrix_power(np.array([[1, 1], [0, 1]]), 3).dtype == np.int64


@pytest.mark.parametrize("shape", [(5, 2), (2, 5), (4, 4)])
def test_least_squares_agree_with_numpy(shape):
    a = drawn(*shape)
    loss = lambda m: lambda a, b: (m.linalg.lstsq(a, b)[0] ** 2).sum()
    for b in (drawn(shape[0]), drawn(shape[0], 3)):
        for x, y in zip(dl.lstsq(a, b, numpy_resid=True), np.linalg.lstsq(a, b)):
            agree(x, np.asarray(y))
        agree(dx.jit(dl.lstsq)(a, b), jl.lstsq(a, b))
        agree(dx.grad(loss(dx.numpy), (0, 1))(a, b), jax.grad(loss(jnp), (0, 1))(a, b))
    low = np.ones(shape)
    agree(dl.lstsq(low, drawn(shape[0]))[0], np.linalg.lstsq(low, drawn(shape[0]))[0])
    assert int(dl.lstsq(low, drawn(shape[0]))[2]) == 1


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_matrix_norms_and_conditions_agree_with_numpy(ord):
    x = drawn(2, 4, 3)
    agree(dl.norm(x, ord, (1, 2)), np.linalg.norm(x, ord, (1, 2)))
    agree(dl.norm(x, ord, (2, 0), True), np.linalg.norm(x, ord, (2, 0), True))
    agree(
        dl.matrix_norm(x, ord=ord, keepdims=True), np.linalg.matrix_norm(x, ord=ord, keepdims=True)
    )
    square = drawn(2, 3, 3)
    agree(dl.cond(square, ord), np.linalg.cond(square, ord))
    loss = lambda m: lambda x: m.linalg.norm(x, ord)
    agree(dx.grad(loss(dx.numpy))(x[0]), jax.grad(loss(jnp))(x[0]))


GRADIENTS = {
    "cholesky": lambda m, x: m.linalg.cholesky(x @ x.mT).sum(),
    "qr": lambda m, x: (m.linalg.qr(x)[0] ** 3).sum() + m.linalg.qr(x)[1].sum(),
    "eigh": lambda m, x: (m.linalg.eigh(x + x.mT)[1] ** 2).sum(-1)[..., 0].sum(),
    "eigvalsh": lambda m, x: (m.linalg.eigvalsh(x, symmetrize_input=True) ** 3).sum(),
    "eigvals": lambda m, x: m.abs(m.linalg.eigvals(x) ** 2).sum(),
    "svd": lambda m, x: (m.linalg.svd(x, full_matrices=False)[0] ** 4).sum(),
    "svdvals": lambda m, x: (m.linalg.svdvals(x) ** 3).sum(),
    "inv": lambda m, x: m.linalg.inv(x).sum(),
    "det": lambda m, x: m.linalg.det(x).sum(),
    "slogdet": lambda m, x: m.linalg.slogdet(x)[1].sum(),
    "pinv": lambda m, x: m.linalg.pinv(x).sum(),
}


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("shape", [(3, 3), (6, 6), (2, 5, 5)])
@pytest.mark.sampled(4)
def test_gradients_agree_with_jax(name, shape):
    x, fun = drawn(*shape), GRADIENTS[name]
    expected = jax.grad(lambda x: fun(jnp, x))(x)
    agree(dx.grad(lambda x: fun(dx.numpy, x))(x), expected, 1e-8)
    agree(dx.jit(dx.grad(lambda x: fun(dx.numpy, x)))(x), expected, 1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "cholesky", "eigvalsh", "qr"])
@pytest.mark.sampled(2)
def test_second_derivatives_agree_with_jax(name):
    x, v = drawn(5, 5), drawn(5, 5, seed=1)
    fun = GRADIENTS[name]
    slope = lambda m, x, s: fun(m, x + s * v)
    expected = jax.grad(jax.grad(lambda s: slope(jnp, x, s)))(0.3)
    agree(dx.grad(dx.grad(lambda s: slope(dx.numpy, x, s)))(0.3), expected, 1e-7)
    agree(dx.hvp(lambda x: fun(dx.numpy, x), (x,), (v,)),
          jax.jvp(jax.grad(lambda x: fun(jnp, x)), (x,), (v,))[1], 1e-7)  # fmt: skip


def test_numpys_functions_are_traced():
    calls = {
        "cholesky": (), "qr": (), "eigh": (), "eigvalsh": (), "eig": (), "eigvals": (), "svd": (),
        "svdvals": (), "inv": (), "det": (), "slogdet": (), "pinv": (), "cond": (), "norm": (),
        "matrix_rank": (), "matrix_power": (2,), "trace": (), "diagonal": (), "matrix_norm": (),
        "vector_norm": (), "matrix_transpose": (), "solve": (np.ones((3, 2)),),
        "lstsq": (np.ones((3, 2)),), "tensorsolve": (np.ones(3),), "cross": (np.ones((3, 3)),),
        "matmul": (np.ones((3, 3)),), "tensordot": (np.ones((3, 3)),),
        "vecdot": (np.ones((3, 3)),),
    }  # fmt: skip
    x = definite(3, 3)
    for name, rest in calls.items():
        theirs = getattr(np.linalg, name)
        for found, expected in zip(parts(dx.jit(lambda x, t=theirs, r=rest: t(x, *r))(x)),
                                   parts(theirs(x, *rest))):  # fmt: skip
            if expected.size:  # NumPy's residuals depend on the numbers
                agree(np.abs(found), np.abs(expected))
    both = dx.jit(lambda x: np.linalg.multi_dot([x, x, x]))(x)
    agree([both, dx.jit(lambda v: np.linalg.outer(v, v))(x[0])], [x @ x @ x, np.outer(x[0], x[0])])
    cube = drawn(6, 6).reshape(2, 3, 6)
    agree(dx.jit(np.linalg.tensorinv)(cube), np.linalg.tensorinv(cube))


# --------------------------------------------------------------------------------------------------
# Equal eigenvalues and singular values


def rotated(*values: float, seed: int = 3) -> np.ndarray:
    """A symmetric matrix with these eigenvalues."""
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values),) * 2))[0]
    x = q @ np.diag(values) @ q.T
    return (x + x.T) / 2


DEGENERATE = [
    np.eye(3),
    np.diag([1.0, 1.0, 2.0]),
    rotated(1.0, 1.0, 2.0),
    rotated(2.0, 2.0, 2.0, 5.0),
]


@pytest.mark.parametrize("x", DEGENERATE)
def test_gradients_of_functions_of_equal_eigenvalues_are_right(x):
    cube = dx.grad(lambda x: (dl.eigvalsh(x, symmetrize_input=True) ** 3).sum())
    agree(cube(x), 3 * x @ x)
    agree(dx.jit(cube)(x), 3 * x @ x)
    whole = lambda x: dl.eigh(x, symmetrize_input=True).eigenvalues
    agree(dx.grad(lambda x: dx.numpy.log(whole(x)).sum())(x), np.linalg.inv(x))
    moved = dx.jvp(lambda x: (dl.eigvalsh(x) ** 3).sum(), (x,), (np.ones(x.shape),))[1]
    agree(moved, 3 * (x @ x).sum())


@pytest.mark.parametrize("x, low", [(np.diag([1.0, 1.0, 2.0]), 2), (rotated(1.0, 1.0, 2.0), 2),
                                    (rotated(2.0, 2.0, 2.0, 5.0), 3)])  # fmt: skip
def test_gradients_of_projections_on_eigenspaces_are_right(x, low):
    weight = drawn(*x.shape, seed=4)

    def score(x):
        space = dl.eigh(x).eigenvectors[:, :low]
        return (weight * (space @ space.T)).sum()

    h = 1e-5
    expected = np.zeros(x.shape)
    for i, j in np.ndindex(*x.shape):
        step = np.zeros(x.shape)
        step[i, j] = h
        expected[i, j] = (score(x + step) - score(x - step)) / (2 * h)
    agree(dx.grad(score)(x), expected, 1e-7)
    agree(dx.jit(dx.grad(score))(x), expected, 1e-7)


@pytest.mark.parametrize("x", DEGENERATE)
def test_what_no_linear_rule_can_say_of_equal_eigenvalues_is_nan(x):
    """What depends on the choice of vectors, or tells equal values apart."""

    def vector(x):
        return (drawn(*x.shape, seed=6) * dl.eigh(x).eigenvectors).sum()

    assert np.isnan(dx.grad(vector)(x)).any()
    mixing = drawn(*x.shape, seed=5)
    tangent = dx.jvp(lambda x: dl.eigh(x).eigenvectors, (x,), (mixing,))[1]
    assert np.isnan(tangent).any()
    assert np.isnan(dx.hvp(lambda x: dl.eigvalsh(x)[0], (x,), (mixing,))).any()


def test_tangents_along_which_equal_eigenvalues_stay_apart_from_each_other_are_right():
    x, step = np.diag([1.0, 1.0, 2.0]), np.diag([1.0, 2.0, 3.0])
    w, v = dx.jvp(dl.eigh, (x,), (step,))[1]
    agree([w, v], [np.diag(step), np.zeros((3, 3))])


def test_equal_and_zero_singular_values():
    x = np.diag([2.0, 2.0, 1.0])
    agree(dx.grad(lambda x: dl.norm(x, "nuc"))(x), np.eye(3))
    agree(dx.grad(lambda x: (dl.svdvals(x) ** 2).sum())(np.zeros((3, 2))), np.zeros((3, 2)))
    low = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]])
    agree(dx.grad(lambda x: (dl.svdvals(x) ** 2).sum())(low), 2 * low)

    def polar(x):
        u, _, vh = dl.svd(x, full_matrices=False)
        return (u @ vh)[0, 1]

    expected = np.zeros((3, 3))  # d(u vh) at diag(s) is (d_ij - d_ji) / (s_i + s_j)
    expected[0, 1], expected[1, 0] = 0.25, -0.25
    agree(dx.grad(polar)(x), expected)
    agree(dx.jvp(polar, (x,), (np.array([[0, 1.0, 0], [-1, 0, 0], [0, 0, 0]]),))[1], 0.5)


# --------------------------------------------------------------------------------------------------
# Singular matrices, failures


@pytest.mark.parametrize("n", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("loss", [1, 2])
def test_gradients_of_determinants_of_singular_matrices_are_cofactors(n, loss):
    x = drawn(n, n)
    x[:, :loss] = x[:, -1:] * np.arange(1, loss + 1)
    expected = np.zeros((n, n))
    for i, j in np.ndindex(n, n):
        minor = np.delete(np.delete(x, i, 0), j, 1)
        expected[i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    agree(dx.grad(dl.det)(x), expected, 1e-9)
    agree(dx.jit(dx.grad(dl.det))(x), expected, 1e-9)
    zero = np.zeros((n, n))
    agree(dx.grad(dl.det)(zero), zero)


def test_second_derivatives_of_determinants():
    zero, v = np.zeros((2, 2)), np.array([[1.0, 2.0], [3.0, 4.0]])
    agree(dx.hvp(dl.det, (zero,), (v,)), np.array([[4.0, -3.0], [-2.0, 1.0]]))
    x = drawn(6, 6)
    x[:, 0] = x[:, 1]
    assert np.isnan(dx.hvp(dl.det, (x,), (drawn(6, 6),))).all()  # nan, never a wrong number


@pytest.mark.parametrize("n", [1, 3, 6])
def test_singular_systems_and_failures_do_not_raise(n):
    zero, b = np.zeros((n, n)), np.ones(n)
    for run in (lambda f: f, dx.jit):
        assert not np.isfinite(run(dl.solve)(zero, b)).any()
        assert not np.isfinite(run(dl.inv)(zero)).any()
        assert float(run(dl.det)(zero)) == 0
        sign, size = run(dl.slogdet)(zero)
        assert float(sign) == 0
        assert float(size) == -np.inf
        assert np.isnan(np.diagonal(run(dl.cholesky)(-np.eye(n)))).all()
        for function in (dl.eigvalsh, dl.svdvals, dl.eigvals):
            assert np.isnan(run(function)(np.full((n, n), np.nan))).all()
    agree(dl.pinv(zero), zero)


# --------------------------------------------------------------------------------------------------
# How it is compiled, batched, and refused


def text(fun: Any, *args: Any) -> str:
    return dx.jit(fun).lower(*args).as_text()


@pytest.mark.parametrize("name", ["solve", "inv", "det", "cholesky"])
def test_small_matrices_are_arithmetic(name):
    fun = (lambda x: dl.solve(x, x)) if name == "solve" else getattr(dl, name)
    loss = dx.grad(lambda x: fun(x).sum())
    for n in (1, 2, 3, 4):
        x = definite(2, n, n)
        assert "lapack" not in text(fun, x)
        assert "lapack" not in text(loss, x)
        agree(dx.jit(fun)(x), fun(x), 1e-12)
    assert "lapack" in text(fun, definite(6, 6))


def test_right_hand_sides_share_one_decomposition():
    a, b = drawn(6, 6), drawn(4, 6)
    many = dx.vmap(lambda v: dl.solve(a, v))
    agree(many(b), np.linalg.solve(a, b.T).T)
    assert "tensor<4x6x6xf64>" not in text(many, b)
    agree(dx.jacrev(lambda v: dl.solve(a, v))(b[0]), np.linalg.inv(a))
    triangular = dx.vmap(lambda v: dx.lax.linalg.triangular_solve(a, v, left_side=True, lower=True))
    assert "tensor<4x6x6xf64>" not in text(triangular, b)


def test_strict_functions_agree_with_jax():
    x, c = drawn(5, 3), drawn(5, 5)
    sides = drawn(4, 4)
    for flags in np.ndindex(2, 2, 2, 2, 2):
        names = ("left_side", "lower", "transpose_a", "conjugate_a", "unit_diagonal")
        how = dict(zip(names, map(bool, flags)))
        for a, b in ((sides, drawn(4, 4, seed=1)), (sides + 1j, drawn(4, 4, dtype=complex))):
            solve = lambda m, a=a, b=b, how=how: m.lax.linalg.triangular_solve(a + 0 * b, b, **how)
            agree(solve(dx), solve(jax))
    for m in (x, c, x.T, drawn(2, 6, 6)):
        agree(dx.lax.linalg.lu(m), jax.lax.linalg.lu(m))
    packed, taus = (np.array(v) for v in jl.qr(x, "raw"))
    packed = packed.T
    agree(dx.lax.linalg.householder_product(packed, taus),
          jax.lax.linalg.householder_product(packed, taus))  # fmt: skip
    q = np.linalg.qr(x, "complete")[0]
    agree(dx.lax.linalg.ormqr(packed, taus, c), q @ c)
    agree(dx.lax.linalg.ormqr(packed, taus, c, left=False, transpose=True), c @ q.T)
    agree(dx.lax.linalg.symmetric_product(x, c, alpha=2.0, beta=0.5), 2 * x @ x.T + 0.5 * c)
    pivots = np.array([[2, 3, 3, 3], [0, 1, 2, 3]], np.int32)
    agree(dx.lax.linalg.lu_pivots_to_permutation(pivots, 6),
          jax.lax.linalg.lu_pivots_to_permutation(pivots, 6))  # fmt: skip
    many = np.minimum(np.arange(20) + RNG.integers(0, 20, (3, 20)), 19).astype(np.int32)
    for found in (many, many[0]):
        order = jax.lax.linalg.lu_pivots_to_permutation(found, 20)
        run = lambda p: dx.lax.linalg.lu_pivots_to_permutation(p, 20)
        agree([run(found), dx.jit(run)(found)], [order, order])
    v, w = dx.lax.linalg.eigh(c, subset_by_index=(1, 3))
    agree([w, abs(np.asarray(v))], [np.linalg.eigh((c + c.T) / 2)[0][1:3],
          abs(np.linalg.eigh((c + c.T) / 2)[1][:, 1:3])])  # fmt: skip
    w, left, right = dx.lax.linalg.eig(c)
    agree([np.conj(left.T) @ c, c @ right], [w[:, None] * np.conj(left.T), right * w])
    q, r, order = dx.lax.linalg.qr(x, pivoting=True, full_matrices=False)
    agree([q @ r], [x[:, np.asarray(order)]])
    agree(dx.lax.linalg.svd(x, compute_uv=False, subset_by_index=(0, 2)), np.linalg.svdvals(x)[:2])


BAD = [
    (lambda m: m.solve(np.ones((2, 3)), np.ones(2)), ValueError, "solve: expects square"),
    (lambda m: m.solve(np.eye(3), np.ones(2)), ValueError, r"solve: expects b of shape \(3,\)"),
    (lambda m: m.cholesky(np.ones(3)), ValueError, "cholesky: expects square"),
    (lambda m: m.eigh(np.eye(2), "X"), ValueError, "UPLO"),
    (lambda m: m.qr(np.eye(2), "economic"), ValueError, "mode"),
    (lambda m: m.svd(np.eye(2, dtype=np.float16)), TypeError, "float16"),
    (lambda m: m.inv(np.ones((2, 3))), ValueError, r"got shape \(2, 3\)"),
    (lambda m: m.norm(np.eye(2), "max"), ValueError, "max"),
    (lambda m: m.outer(np.eye(2), np.eye(2)), ValueError, "two vectors"),
    (lambda m: m.cross(np.ones(2), np.ones(2)), ValueError, "3 elements"),
    (lambda m: m.lstsq(np.ones(3), np.ones(3)), ValueError, "lstsq"),
    (lambda m: m.pinv(np.eye(2), 0.1, rcond=0.1), ValueError, "rcond"),
    (lambda m: m.matrix_power(np.ones((2, 3)), 2), ValueError, "square"),
    (lambda m: m.tensorinv(np.ones((2, 3)), 1), ValueError, "tensorinv"),
    (lambda m: m.tensorsolve(np.ones((2, 3)), np.ones(2)), ValueError, "tensorsolve"),
    (lambda m: dx.lax.linalg.cholesky(np.ones((2, 3))), TypeError, "cholesky: expects square"),
    (lambda m: dx.lax.linalg.lu(np.ones((2, 2), int)), TypeError, "lu: expects"),
    (lambda m: dx.lax.linalg.triangular_solve(np.eye(2), np.ones((2, 3))), TypeError, r"\[2,3\]"),
    (lambda m: dx.lax.linalg.eigh(np.eye(2), subset_by_index=(0, 3)), ValueError, "subset"),
    (lambda m: dx.lax.linalg.householder_product(np.ones((2, 3)), np.ones(2)), TypeError, "m >= n"),
    (lambda m: dx.lax.linalg.lu_pivots_to_permutation(np.ones(2), 3), TypeError, "int32"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, words", BAD)
def test_bad_input_is_explained(call, error, words):
    for run in (call, lambda m: dx.jit(lambda: call(m))()):
        with pytest.raises(error, match=words):
            run(dl)


def test_adjugates_of_stacks_with_one_singular_matrix():
    x = np.stack([drawn(5, 5), np.ones((5, 5)), drawn(5, 5, seed=2)])
    expected = np.linalg.det(x[0]) * np.linalg.inv(x[0]).T
    found = dx.grad(lambda x: determinant.det(x).sum())(dx.numpy.asarray(x))
    agree([found[0], found[1]], [expected, np.zeros((5, 5))])
