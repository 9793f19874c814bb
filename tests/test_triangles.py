"""Which triangle of a Hermitian matrix is read: that of NumPy and SciPy, whatever stands in the
other one. Derivatives are those of the function that reads it.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import scipy.linalg

import diffeo as dx
import diffeo.numpy.linalg as nl
import diffeo.scipy.linalg as sl

la = dx.lax.linalg
SIZES = [3, 6]  # plain arithmetic, and LAPACK


def drawn(*shape: int, dtype: str = "float64", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return (x + 1j * rng.normal(size=shape) if dtype[0] == "c" else x).astype(dtype)


def half_of(n: int, lower: bool, dtype: str, other: float = 5.0) -> np.ndarray:
    """A triangle of a positive definite matrix, with `other` in the other one, and, where numbers
    are complex, as the imaginary part of the diagonal.
    """
    x = drawn(n, n, dtype=dtype)
    x = x @ x.conj().T + np.eye(n, dtype=dtype)
    out = np.full_like(x, other)
    read = np.tril_indices(n) if lower else np.triu_indices(n)
    out[read] = x[read]
    return out + np.diag(np.full(n, 1j * other)) if dtype[0] == "c" else out


def right_of(a) -> np.ndarray:
    return drawn(a.shape[-1], 2, seed=1).astype(a.dtype)


def again(w, v):
    """The matrix of eigenvalues and eigenvectors, which are known up to their phases."""
    return (v * w.astype(v.dtype)) @ v.conj().mT


def product(u, s, vh):
    return (u * s.astype(u.dtype)) @ vh


#: name: (ours, NumPy's or SciPy's, whether the lower triangle is read).
READERS = {
    "np.cholesky": (nl.cholesky, np.linalg.cholesky, True),
    "np.cholesky upper": (partial(nl.cholesky, upper=True),
                          partial(np.linalg.cholesky, upper=True), False),
    "np.eigvalsh": (nl.eigvalsh, np.linalg.eigvalsh, True),
    "np.eigh": (lambda a: again(*nl.eigh(a)), lambda a: again(*np.linalg.eigh(a)), True),
    "np.eigh U": (lambda a: again(*nl.eigh(a, "U")), lambda a: again(*np.linalg.eigh(a, "U")),
                  False),
    "np.eigvalsh U": (lambda a: nl.eigvalsh(a, "U"), lambda a: np.linalg.eigvalsh(a, "U"), False),
    "np.svd": (lambda a: product(*nl.svd(a, hermitian=True)),
               lambda a: product(*np.linalg.svd(a, hermitian=True)), True),
    "np.pinv": (partial(nl.pinv, hermitian=True), partial(np.linalg.pinv, hermitian=True), True),
    "lax.cholesky": (partial(la.cholesky, symmetrize_input=False), np.linalg.cholesky, True),
    "lax.eigh": (lambda a: la.eigh(a, symmetrize_input=False)[1], np.linalg.eigvalsh, True),
    "lax.eigh U": (lambda a: la.eigh(a, lower=False, symmetrize_input=False)[1],
                   lambda a: np.linalg.eigvalsh(a, "U"), False),
    "lax.tridiagonal": (lambda a: la.tridiagonal(a)[1].sum(), lambda a: np.trace(a).real, True),
}  # fmt: skip


def _scipys(lower: bool) -> dict:
    chosen = {"lower": lower}
    found = {
        "cholesky": (partial(sl.cholesky, **chosen), partial(scipy.linalg.cholesky, **chosen)),
        "cho_factor": (lambda a: sl.cho_solve(sl.cho_factor(a, lower), right_of(a)),
                       lambda a: scipy.linalg.cho_solve(scipy.linalg.cho_factor(a, lower),
                                                        right_of(a))),
        "eigh": (lambda a: again(*sl.eigh(a, **chosen)),
                 lambda a: again(*scipy.linalg.eigh(a, **chosen))),
        "eigh type 2": (lambda a: sl.eigh(a, a, type=2, eigvals_only=True, **chosen),
                        lambda a: scipy.linalg.eigh(a, a, type=2, eigvals_only=True, **chosen)),
        "pinvh": (partial(sl.pinvh, **chosen), partial(scipy.linalg.pinvh, **chosen)),
    }  # fmt: skip
    for kind in ("sym", "her", "pos"):
        ours = lambda a, kind=kind: sl.solve(a, right_of(a), lower, assume_a=kind)
        theirs = lambda a, kind=kind: scipy.linalg.solve(a, right_of(a), lower, assume_a=kind)
        found[f"solve {kind}"] = (ours, theirs)
    found["inv"] = (partial(sl.inv, assume_a="her", **chosen),
                    lambda a: scipy.linalg.solve(a, np.eye(len(a), dtype=a.dtype), lower,
                                                 assume_a="her"))  # fmt: skip
    return {f"{name} {'L' if lower else 'U'}": (*two, lower) for name, two in found.items()}


READERS |= _scipys(True) | _scipys(False)


slow = partial(pytest.param, marks=pytest.mark.slow)


@pytest.mark.parametrize("dtype", ["float64", "complex64", slow("float32"), slow("complex128")])
@pytest.mark.parametrize("name", READERS)
@pytest.mark.sampled(2)
def test_values_are_those_of_the_triangle_that_is_read(name, dtype):
    ours, theirs, lower = READERS[name]
    tolerance = 1e-9 if np.finfo(dtype).bits == 64 else 2e-3
    for n in SIZES:
        # where only "sym" reads it, the imaginary diagonal is a part of the matrix
        given = half_of(n, lower, dtype) if "sym" not in name else half_of(n, lower, dtype, 0.5)
        expected = theirs(given)
        scale = np.abs(expected).max()
        compiled = dx.jit(ours)
        for run in (ours, compiled):
            np.testing.assert_allclose(run(given) / scale, expected / scale, atol=tolerance)
        spoilt = given.copy()
        spoilt[np.triu_indices(n, 1) if lower else np.tril_indices(n, -1)] = np.nan
        for run in (ours, compiled):
            np.testing.assert_allclose(run(spoilt) / scale, expected / scale, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", READERS)
def test_derivatives_are_those_of_the_triangle_that_is_read(name, dtype):
    """Along directions that are not Hermitian; with nan in the other triangle."""
    ours, _, lower = READERS[name]
    n, step = 5, 1e-6
    x, v = half_of(n, lower, dtype), drawn(n, n, dtype=dtype, seed=2)
    out, moved = dx.jvp(ours, (x,), (v,))
    out, moved = np.asarray(out), np.asarray(moved)
    expected = (np.asarray(ours(x + step * v)) - np.asarray(ours(x - step * v))) / (2 * step)
    scale = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(moved / scale, expected / scale, atol=1e-7)
    ct = drawn(*out.shape, dtype=out.dtype.name, seed=3)
    unread = np.triu(np.ones((n, n)), 1) if lower else np.tril(np.ones((n, n)), -1)
    for given in (x, np.where(unread != 0, np.nan, x)):
        back = np.asarray(dx.vjp(ours, given)[1](ct)[0])
        np.testing.assert_allclose((ct * moved).sum().real, (back * v).sum().real, rtol=1e-8)
        assert not np.any(back * unread)


def test_symmetrized_input_has_hermitian_gradients():
    x = half_of(4, True, "float64")
    for run in (nl.cholesky, nl.eigvalsh, la.cholesky):
        loss = lambda a, run=run: (run(a, symmetrize_input=True) ** 3).sum()
        g = np.asarray(dx.grad(loss)((x + x.T) / 2 + np.eye(4) * 9))
        np.testing.assert_allclose(g, g.T)


@pytest.mark.parametrize("kind", ["diagonal", "tridiagonal", "upper triangular", "general",
                                  "lower triangular", "banded", None, "symmetric", "hermitian",
                                  "positive definite"])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_systems_of_every_structure_agree_with_scipy(kind, dtype):
    a = half_of(5, False, dtype, 0.5)
    expected = scipy.linalg.solve(a, right_of(a), assume_a=kind)
    for run in (sl.solve, partial(dx.jit, static_argnames="assume_a")(sl.solve)):
        np.testing.assert_allclose(run(a, right_of(a), assume_a=kind), expected, rtol=1e-9)
    one = np.eye(5, dtype=dtype)
    found = sl.inv(a, assume_a=kind)
    np.testing.assert_allclose(found, scipy.linalg.solve(a, one, assume_a=kind), atol=1e-10)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "complex64"])
def test_triangular_systems_read_one_triangle(n, lower, dtype):
    a = half_of(n, lower, dtype, np.nan) if dtype == "float64" else half_of(n, lower, dtype, 0.5)
    a[np.triu_indices(n, 1) if lower else np.tril_indices(n, -1)] = np.nan
    clean = np.tril(np.nan_to_num(a)) if lower else np.triu(np.nan_to_num(a))
    for trans in (0, 1, 2):
        expected = scipy.linalg.solve_triangular(clean, right_of(a), trans, lower)
        solve = lambda a, trans=trans: sl.solve_triangular(a, right_of(a), trans, lower)
        for run in (solve, dx.jit(solve)):
            np.testing.assert_allclose(run(a), expected, rtol=2e-3 if dtype[0] == "c" else 1e-9)
    factor = lambda c: sl.cho_solve((c, lower), right_of(a))
    np.testing.assert_allclose(factor(a), factor(clean), rtol=1e-6)
    assert not np.isnan(dx.grad(lambda c: dx.numpy.abs(factor(c)).sum())(a)).any()
