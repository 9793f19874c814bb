"""Sparse Jacobians and Hessians: equal to dense ones, by every method, inside of everything."""

from __future__ import annotations

import sys

import jax
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo as dx

dnp, lax = dx.numpy, dx.lax
N = 9
X = np.linspace(0.3, 1.7, N)
PAIR = np.array([3, 3])
JACOBIANS = ("auto", "column", "row", "bidirectional")
HESSIANS = ("auto", "star", "acyclic")


def banded_of(lib):
    """A function with three variables in a row, in diffeo or jax."""

    def banded(x):
        inner = x[:-2] * x[1:-1] - lib.sin(x[2:])
        return lib.concatenate([x[:1] ** 2, inner, x[-1:]])

    return banded


def energy_of(lib):
    """A scalar function whose Hessian has a band, and a full row and column."""
    return lambda x: lib.sum(banded_of(lib)(x) ** 2) + lib.sum(x[1:] * x[0])


banded, energy = banded_of(dnp), energy_of(dnp)


def arrow(x):
    return dnp.concatenate([dnp.sum(x**2)[None], x[1:] * x[0]])


def dense(fun, *args):
    return np.asarray(dx.jacfwd(fun)(*map(dnp.asarray, args)))


@pytest.mark.parametrize("method", JACOBIANS)
@pytest.mark.parametrize("fun", [banded, arrow, dnp.cumsum, lambda x: x[:0], lambda x: x[PAIR]])
def test_jacobian(fun, method):
    found = dx.sparse_jacobian(fun, method=method)(X)
    assert type(found) is scipy.sparse.csr_array and found.has_sorted_indices
    np.testing.assert_allclose(found.toarray(), dense(fun, X), 1e-14)


SCALARS = {
    "banded and full": energy_of,
    "sum": lambda lib: lib.sum,
    "product": lambda lib: lib.prod,
    "cubes": lambda lib: lambda x: lib.sum(x**3),
}


@pytest.mark.parametrize("method", HESSIANS)
@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.sampled(2)
def test_hessian(name, method):
    fun = SCALARS[name](dnp)
    found = dx.sparse_hessian(fun, method=method)(X).toarray()
    np.testing.assert_allclose(found, np.asarray(dx.hessian(fun)(dnp.asarray(X))), 1e-12, 1e-12)
    with jax.enable_x64(True):
        np.testing.assert_allclose(found, jax.hessian(SCALARS[name](jax.numpy))(X), 1e-12, 1e-12)


def test_fewest_products():
    assert dx.sparse_jacobian(banded).prepare(X).colors == 3
    prepared = dx.sparse_jacobian(arrow).prepare(X)
    assert (prepared.colors, prepared.coloring.method) == (3, "bidirectional")
    assert (prepared.coloring.forward, prepared.coloring.backward) in ((2, 1), (1, 2))
    assert dx.sparse_jacobian(dnp.sum).prepare(X).coloring.method == "row"
    star, acyclic = (dx.sparse_hessian(energy, method=m).prepare(X).colors for m in HESSIANS[1:])
    assert acyclic <= star < N
    assert "products" in repr(prepared) and repr(dx.sparse_jacobian(arrow)).startswith("<sparse_j")


# --------------------------------------------------------------------------------------------------
# Random programs

WIDTH = 6
RANDOM = np.random.default_rng(0)
MATRICES = [np.where(RANDOM.random((WIDTH, WIDTH)) < p, 1.5, 0) for p in (0.1, 0.2, 0.4)]
INDICES = [RANDOM.integers(0, WIDTH, WIDTH) for _ in range(3)]

STEPS = [
    lambda x: dnp.roll(x, 1) * x,
    lambda x: dnp.sin(x),
    lambda x: dnp.tanh(x[::-1]) - x,
    lambda x: x * np.array([1.0, 0, 1, 1, 0, 1]),
    lambda x: dnp.where(x > 0.4, x, dnp.roll(x, 2)),
    lambda x: dnp.where(np.arange(WIDTH) < 2, x, 0.5 * x * x),
    lambda x: dx.nn.relu(x - 0.2),
    lambda x: lax.cond(x[0] > 0.4, dnp.sin, lambda x: x[INDICES[0]], x),
    lambda x: lax.scan(lambda c, v: (v, c * v), 0.5, x)[1],
    lambda x: lax.fori_loop(0, 3, lambda i, y: y.at[2 * i].multiply(y[2 * i + 1]), x),
    lambda x: lax.while_loop(lambda y: dnp.sum(y) > 3, lambda y: y.at[1:].multiply(0.5), x),
    lambda x: dnp.zeros(WIDTH).at[INDICES[1]].add(x),
    lambda x: dnp.sort(x),
    lambda x: dnp.reshape(x.reshape(2, 3).T, (WIDTH,)),
    lambda x: dnp.repeat(dnp.max(x.reshape(3, 2), 1), 2) * x,
    lambda x: dnp.concatenate([x[4:], dnp.cumsum(x[:4])]),
    lambda x: dnp.convolve(x, np.array([0.5, 0, 1]), "same"),
    dx.vmap(lambda v: dnp.exp(-v * v)),
    dx.jit(lambda x: x.at[0].set(x[3])),
    *[lambda x, m=m: m @ x for m in MATRICES],
    *[lambda x, i=i: x[i] * x for i in INDICES],
]

programs = st.lists(st.integers(0, len(STEPS) - 1), min_size=1, max_size=5)


def program_of(numbers):
    def fun(x):
        for n in numbers:
            x = STEPS[n](x)
        return x

    return fun


@settings(max_examples=60)
@given(programs, st.integers(0, 99))
def test_random_patterns_contain_every_nonzero(numbers, seed):
    fun = program_of(numbers)
    x = np.random.default_rng(seed).uniform(-0.5, 1.5, WIDTH)
    pattern, here = (dx.jacobian_sparsity(fun, x, local=local) for local in (False, True))
    there = dense(fun, x) != 0
    assert not (there & ~pattern.todense()).any()
    assert not (there & ~here.todense()).any()
    curved = lambda x: dnp.sum(fun(x) ** 2)
    there = np.asarray(dx.hessian(curved)(dnp.asarray(x))) != 0
    for local in (False, True):
        assert not (there & ~dx.hessian_sparsity(curved, x, local=local).todense()).any()


@settings(max_examples=25)
@given(programs, st.sampled_from(JACOBIANS), st.sampled_from(HESSIANS), st.booleans())
def test_random_programs(numbers, method, symmetric, local):
    fun = program_of(numbers)
    x = np.linspace(0.1, 1.3, WIDTH)[INDICES[2]] + 0.01 * np.arange(WIDTH)
    found = dx.sparse_jacobian(fun, method=method, local=local, check=True)(x).toarray()
    np.testing.assert_allclose(found, dense(fun, x), 1e-11, 1e-12)
    curved = lambda x: dnp.sum(fun(x) ** 2)
    found = dx.sparse_hessian(curved, method=symmetric, local=local, check=True)(x).toarray()
    np.testing.assert_allclose(found, np.asarray(dx.hessian(curved)(dnp.asarray(x))), 1e-9, 1e-9)


# --------------------------------------------------------------------------------------------------
# Arguments, other transformations


def test_trees():
    tree = {"a": X[:3], "b": (X[3:5].reshape(1, 2), np.float64(3.0))}

    def fun(t, k, *, shift):
        return [t["a"] * t["b"][1] + shift, (t["b"][0] * k, t["a"][:1] ** 2)]

    found = dx.sparse_jacobian(fun)(tree, 2.0, shift=1.0).toarray()
    a, b, c = X[:3], X[3:5], 3.0
    expected = np.zeros((6, 6))
    expected[[0, 1, 2], [0, 1, 2]], expected[:3, 5] = c, a
    expected[[3, 4], [3, 4]], expected[5, 0] = 2.0, 2 * a[0]
    np.testing.assert_allclose(found, expected, 1e-15)
    loss = lambda t: dnp.sum(t["a"] ** 2) * t["b"][1] + dnp.sum(t["b"][0]) ** 2
    found = dx.sparse_hessian(loss)(tree).toarray()
    expected = np.diag([2 * c] * 3 + [2.0, 2.0, 0.0])
    expected[:3, 5] = expected[5, :3] = 2 * a
    expected[3, 4] = expected[4, 3] = 2
    np.testing.assert_allclose(found, expected, 1e-15)
    assert len(b) == 2


def test_argnums():
    fun = lambda x, y: dnp.concatenate([x * y, y**2])
    eye = np.eye(3)
    x, y = X[:3], X[3:6]
    found = dx.sparse_jacobian(fun, 1)(x, y).toarray()
    np.testing.assert_allclose(found, np.vstack([eye * x, eye * 2 * y]))
    found = dx.sparse_jacobian(fun, (1, 0))(x, y).toarray()
    np.testing.assert_allclose(found, np.block([[eye * x, eye * y], [eye * 2 * y, 0 * eye]]))
    cross = dx.sparse_hessian(lambda x, y: dnp.sum(x * y), (0, 1))(x, y).toarray()
    np.testing.assert_allclose(cross, np.kron([[0, 1], [1, 0]], eye))


def test_types():
    found = dx.sparse_jacobian(banded)(X.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.toarray(), dense(banded, X), 1e-5)
    mixed = lambda x, y: dnp.concatenate([x.astype("float64") * y, y * 2])
    found = dx.sparse_jacobian(mixed, (0, 1))(X[:2].astype(np.float32), X[:2])
    assert found.dtype == np.float64
    scalar = dx.sparse_jacobian(lambda x: x**2)(3.0)
    assert scalar.shape == (1, 1) and scalar.toarray() == 6


@pytest.mark.parametrize("method", ["column", "row", "bidirectional"])
def test_values_inside_of_other_transformations(method):
    prepared = dx.sparse_jacobian(arrow, method=method).prepare(X)
    rows, cols = prepared.sparsity.rows, prepared.sparsity.cols
    x = dnp.asarray(X)
    expected = dense(arrow, X)[rows, cols]
    np.testing.assert_allclose(dx.jit(prepared.values)(x), expected, 1e-14)
    many = dx.vmap(prepared.values)(dnp.stack([x, 2 * x]))
    np.testing.assert_allclose(many[1], dense(arrow, 2 * X)[rows, cols], 1e-14)
    loss = lambda jacobian: lambda x: dnp.sum(jacobian(x) ** 3)
    slope = dx.grad(loss(prepared.values))(x)
    np.testing.assert_allclose(slope, dx.grad(loss(dx.jacfwd(arrow)))(x), 1e-12)
    np.testing.assert_allclose(dx.jvp(prepared.values, (x,), (x,))[1].shape, expected.shape)


@pytest.mark.parametrize("method", ["star", "acyclic"])
def test_hessian_values_inside_of_other_transformations(method):
    prepared = dx.sparse_hessian(energy, method=method).prepare(X)
    rows, cols, x = prepared.sparsity.rows, prepared.sparsity.cols, dnp.asarray(X)
    expected = np.asarray(dx.hessian(energy)(x))[rows, cols]
    np.testing.assert_allclose(dx.jit(prepared.values)(x), expected, 1e-12)
    np.testing.assert_allclose(dx.vmap(prepared.values)(x[None])[0], expected, 1e-12)
    total = lambda x: dnp.sum(prepared.values(x))
    slope = dx.grad(lambda x: dnp.sum(dx.hessian(energy)(x)))(x)
    np.testing.assert_allclose(dx.grad(total)(x), slope, 1e-10)


def test_calls_that_are_traced_return_a_triple():
    rows, cols, values = dx.jit(dx.sparse_jacobian(banded))(X)
    matrix = scipy.sparse.coo_array((values, (rows, cols)), (N, N)).toarray()
    np.testing.assert_allclose(matrix, dense(banded, X), 1e-14)
    solve = lambda x: dnp.zeros(N).at[dx.sparse_jacobian(banded)(x)[0]].add(1.0)
    np.testing.assert_array_equal(dx.jit(solve)(X), [1] + [3] * (N - 2) + [1])


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    monkeypatch.delattr(scipy, "sparse", raising=False)
    rows, cols, values = dx.sparse_jacobian(banded)(X)
    assert all([type(a) is dx.Array for a in (rows, cols, values)])
    np.testing.assert_allclose(values, dense(banded, X)[rows, cols], 1e-14)


def test_preparation_is_kept():
    calls = []

    def fun(x):
        calls.append(1)
        return banded(x)

    jacobian = dx.sparse_jacobian(fun)
    jacobian(X)
    before = len(calls)
    for scale in (1.0, 2.0, 3.0):
        np.testing.assert_allclose(jacobian(scale * X).toarray(), dense(banded, scale * X), 1e-14)
    assert len(calls) == before and jacobian.prepare(X) is jacobian.prepare(2 * X)
    jacobian(X[:5])
    assert len(calls) > before and len(jacobian.prepared) == 2
    # What a caller does to a result is no business of the next one.
    first = jacobian(X)
    first.indices[:] = 0
    first.indptr[:] = 0
    np.testing.assert_allclose(jacobian(X).toarray(), dense(banded, X), 1e-14)


def test_custom_rules_are_followed():
    @dx.custom_jvp
    def fun(x):
        return x

    fun.defjvp(lambda primals, tangents: (primals[0], 3 * tangents[0][::-1]))
    found = dx.sparse_jacobian(fun)(X).toarray()
    np.testing.assert_array_equal(found, 3 * np.eye(N)[::-1])


# --------------------------------------------------------------------------------------------------
# Patterns that are given or local, and checks


def kinked(x):
    return dnp.where(x > 1, x, 2 * dnp.roll(x, 1))


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array, dx.Sparsity.of])
def test_given_patterns(kind):
    pattern = kind((dense(banded, X) != 0) * 1.0)
    np.testing.assert_allclose(
        dx.sparse_jacobian(banded, sparsity=pattern)(X).toarray(), dense(banded, X), 1e-14
    )


def test_local_patterns_are_probed():
    jacobian = dx.sparse_jacobian(kinked, local=True)
    assert jacobian.prepare(X).sparsity.nnz == N
    np.testing.assert_allclose(jacobian(X).toarray(), dense(kinked, X))
    np.testing.assert_allclose(jacobian(0.99 * X).toarray(), dense(kinked, 0.99 * X))
    with pytest.raises(ValueError, match=r"row 0 has nonzeros outside of the pattern.*\n.*local"):
        jacobian(X + 1)
    hessian = dx.sparse_hessian(lambda x: dnp.sum(kinked(x) ** 2 * x), local=True)
    hessian(X)
    with pytest.raises(ValueError, match="outside of the pattern"):
        hessian(X + 1)
    unchecked = dx.sparse_jacobian(kinked, local=True, check=False)
    unchecked(X), unchecked(X + 1)


def test_wrong_patterns_are_found():
    lower = np.tri(N, k=-1)
    for check in ("probe", True, None):
        with pytest.raises(ValueError, match="pattern"):
            dx.sparse_jacobian(banded, sparsity=lower, check=check)(X)
    with pytest.raises(ValueError, match=r"entry \(0, 0\) is 0.6, in the sparse result 0:"):
        dx.sparse_jacobian(banded, sparsity=lower, check=True)(X)
    with pytest.raises(ValueError, match=r"entry \(0, 0\) is 0.95, .* does not hold"):
        neighbours = lambda x: dnp.sum(x[1:] * x[:-1] ** 2)
        dx.sparse_hessian(neighbours, check=True, sparsity=np.eye(N))(X)
    for fun in (banded, arrow, kinked):
        dx.sparse_jacobian(fun, check=True)(X)
        dx.sparse_jacobian(fun, check="probe")(X.astype("float32"))


def test_errors():
    eye = np.eye(N)
    cases = [
        (TypeError, "expects a function", lambda: dx.sparse_jacobian(X)),
        (ValueError, "method must be one of auto, column",
         lambda: dx.sparse_jacobian(banded, method="star")),
        (ValueError, "method must be one of auto, star",
         lambda: dx.sparse_hessian(energy, method="row")),
        (ValueError, "ordering must be one of", lambda: dx.sparse_hessian(energy, ordering="x")),
        (ValueError, "check must be True", lambda: dx.sparse_hessian(energy, check="yes")),
        (TypeError, "a pattern is a dx.Sparsity", lambda: dx.sparse_jacobian(banded, sparsity=X)),
        (ValueError, "is 9 x 9, but there are 5 variables",
         lambda: dx.sparse_jacobian(banded, sparsity=eye)(X[:5])),
        (ValueError, "has 9 rows, but the function returns 2 elements",
         lambda: dx.sparse_jacobian(lambda x: x[:2], sparsity=eye)(X)),
        (ValueError, "expected 9 x 9", lambda: dx.sparse_hessian(energy, sparsity=eye[:3])(X)),
        (TypeError, "was prepared for f64.9., got f64.5.",
         lambda: dx.sparse_jacobian(banded).prepare(X).values(X[:5])),
        (TypeError, "floating-point numbers, got i64",
         lambda: dx.sparse_jacobian(banded)(np.arange(9))),
        (TypeError, "must be of real", lambda: dx.sparse_jacobian(banded)(X * 1j)),
        (TypeError, "must return real", lambda: dx.sparse_jacobian(lambda x: x * 1j)(X)),
        (TypeError, "must return a scalar", lambda: dx.sparse_hessian(banded)(X)),
        (TypeError, "local=True", lambda: dx.jit(dx.sparse_jacobian(banded, local=True))(X)),
    ]  # fmt: skip
    for kind, text, call in cases:
        with pytest.raises(kind, match=text) as caught:
            call()
        assert "test_sparse.py" in str(caught.value)


def test_large():
    n = 50_000
    x = np.linspace(0, 1, n)
    found = dx.sparse_jacobian(banded)(x)
    assert found.nnz == 3 * n - 4
    direction = np.random.default_rng(0).normal(size=n)
    product = dx.jvp(banded, (dnp.asarray(x),), (dnp.asarray(direction),))[1]
    np.testing.assert_allclose(found @ direction, product, 1e-11, 1e-11)
