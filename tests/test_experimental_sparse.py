"""diffeo.experimental.sparse: every operation, in every layout, is that of dense arrays; SciPy's
matrices, and jax's numbers where patterns are drawn.
"""

import numpy as np
import pytest
import scipy.sparse

import diffeo as dx
from diffeo.experimental import sparse
from diffeo.experimental.sparse import BCOO, BCSR
from tests.checks import raises, rng

dnp = dx.numpy


def some(*shape, seed=0):
    """An array most of whose elements are zero."""
    x = rng(*shape, seed=seed)
    return np.where(np.random.default_rng(seed + 7).random(shape) < 0.4, x, 0.0)


def same(found, expected, tolerance=1e-12):
    found, expected = (np.asarray(sparse.todense(x)) for x in (found, expected))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, tolerance, tolerance)


SHAPE = (3, 4, 2)
LAYOUTS = [(b, d) for b in range(4) for d in range(4 - b)]


@pytest.fixture(params=LAYOUTS, ids=lambda p: f"{p[0]} batch, {p[1]} dense")
def both(request):
    n_batch, n_dense = request.param
    x = some(*SHAPE)
    return BCOO.fromdense(x, n_batch=n_batch, n_dense=n_dense), x


def test_layouts(both):
    m, x = both
    same(m, x)
    assert m.shape == x.shape and m.ndim == 3 and m.size == 24 and m.dtype == x.dtype
    for n_batch, n_dense in LAYOUTS:
        new = m.update_layout(n_batch=n_batch, n_dense=n_dense, on_inefficient=None)
        assert (new.n_batch, new.n_dense) == (n_batch, n_dense)
        same(new, x)
    same(m.sort_indices(), x)
    same(m.sum_duplicates(), x)
    same(m.sum_duplicates(nse=m.nse + 2, remove_zeros=False), x)
    same(sparse.bcoo_extract(m, x), x)


def test_elementwise(both):
    m, x = both
    y, v = some(*SHAPE, seed=1), rng(4, 1)
    other = BCOO.fromdense(y, n_batch=m.n_batch, n_dense=m.n_dense)
    same(m * v, x * v)
    same(m * other, x * y)
    same(m * BCOO.fromdense(y[0]), x * y[0])
    same(m + other, x + y)
    same(m - other, x - y)
    same(m + BCOO.fromdense(y), x + y)
    same((m + other) ** 2, (x + y) ** 2)
    same(abs(-m) / 2, abs(x) / 2)
    same(sparse.bcoo_multiply_dense(m, 2.0), 2 * m.data)


def test_sums_and_parts(both):
    m, x = both
    for axes in [(0,), (1,), (0, 2), (0, 1, 2)]:
        same(sparse.bcoo_reduce_sum(m, axes=axes), x.sum(axes))
    same(m.sum(), x.sum())
    same(m.sum(1, keepdims=True), x.sum(1, keepdims=True))
    cut = {"start_indices": (1, 0, 1), "limit_indices": (3, 4, 2), "strides": (1, 3, 1)}
    same(sparse.bcoo_slice(m, **cut), x[1:3, 0:4:3, 1:2])
    same(sparse.bcoo_dynamic_slice(m, (1, 9, 0), (2, 3, 1)), x[1:3, 1:4, :1])
    same(sparse.bcoo_rev(m, (0, 1)), np.flip(x, (0, 1)))
    same(m[1], x[1])
    same(m[:, 2:4, None, ::-1], x[:, 2:4, None, ::-1])
    same(m[..., -1], x[..., -1])
    assert len([*m]) == len(m) == 3


def test_shapes(both):
    m, x = both
    for shape in [(12, 2), (3, 8), (2, 2, 3, 2), (24,), (3, 4, 2)]:
        same(sparse.bcoo_reshape(m, new_sizes=shape), x.reshape(shape))
    same(m.reshape(-1, 2), x.reshape(-1, 2))
    wide = sparse.bcoo_broadcast_in_dim(m, shape=(2, 3, 5, 4, 2), broadcast_dimensions=(1, 3, 4))
    same(wide, np.broadcast_to(x[None, :, None], (2, 3, 5, 4, 2)))
    y = some(*SHAPE, seed=2)
    other = BCOO.fromdense(y, n_batch=m.n_batch, n_dense=m.n_dense)
    for axis in range(3):
        same(sparse.bcoo_concatenate([m, other], dimension=axis), np.concatenate([x, y], axis))
    thin = BCOO.fromdense(x[:, :1], n_batch=m.n_batch, n_dense=m.n_dense)
    same(sparse.bcoo_squeeze(thin, dimensions=(1,)), x[:, 0])


def test_products():
    x, y, v = some(3, 4), rng(4, 2), rng(4)
    m = BCOO.fromdense(x)
    same(m @ y, x @ y)
    same(m @ v, x @ v)
    same(y.T @ m.T, y.T @ x.T)
    same(v @ m.T, v @ x.T)
    same(m @ BCOO.fromdense(y), x @ y)
    same(dx.jit(lambda m, y: m @ y)(m, y), x @ y)
    xs, ys = some(2, 3, 4, seed=3), rng(2, 4, 5)
    ms = BCOO.fromdense(xs, n_batch=1)
    same(ms @ ys, xs @ ys)
    same(ms @ y, xs @ y)
    same(m @ ys, x @ ys)
    same(BCOO.fromdense(xs) @ y, xs @ y)
    same(ms @ BCOO.fromdense(ys, n_batch=1), xs @ ys)
    numbers = (((2, 1), (1, 0)), ((), ()))
    expected = np.tensordot(xs, x.reshape(4, 3), ((2, 1), (0, 1)))
    found = sparse.bcoo_dot_general(ms, x.reshape(4, 3).T, dimension_numbers=numbers)
    same(found, expected)
    sampled = sparse.bcoo_dot_general_sampled(
        x, y, np.array([[0, 1], [2, 0]]), dimension_numbers=(((1,), (0,)), ((), ()))
    )
    same(sampled, (x @ y)[[0, 2], [1, 0]])


def test_duplicates_and_what_is_beyond_the_array():
    table = np.array([[0, 1], [2, 0], [0, 1], [3, 3]])
    m = BCOO((np.array([1.0, 2.0, 3.0, 9.0]), table), shape=(3, 3))
    expected = np.array([[0, 4.0, 0], [0, 0, 0], [2.0, 0, 0]])
    for found in (m, m.T.T, m.sum_duplicates(), m.sort_indices(), m[:, :], m[::-1][::-1]):
        same(found, expected)
    same(m**2, expected**2)
    same(m * m, expected**2)
    same(m @ m, expected @ expected)
    same(m.sum(0), expected.sum(0))
    same(m.reshape(9), expected.reshape(9))
    assert m.sum_duplicates().nse == 2
    same(sparse.bcoo_extract(m, np.ones((3, 3))), expected != 0)


def test_under_transformations():
    x, v = some(2, 3, 4), rng(4)
    m = BCOO.fromdense(x, n_batch=1)
    same(dx.vmap(lambda m: m @ v)(m), x @ v)
    same(dx.jit(dx.vmap(lambda m: m.T + m.T))(m), 2 * np.swapaxes(x, 1, 2))
    same(dx.vmap(lambda x: BCOO.fromdense(x, nse=12))(x), x)
    total, _ = dx.lax.scan(lambda c, v: (c + (m[0] @ v), None), np.zeros(3), np.ones((5, 4)))
    same(total, 5 * x[0].sum(1))
    found = dx.grad(lambda d: (BCOO((d, m.indices), shape=m.shape) @ v).sum())(m.data)
    weights = np.append(v, 0.0)  # of elements beyond the array
    same(found, weights[np.asarray(m.indices)[..., 1]])


def test_derivatives_have_the_pattern():
    x, v = some(3, 4), rng(4)
    m = BCOO.fromdense(x)
    f = lambda m, v: ((m @ v) ** 2).sum()
    pattern = x != 0
    value, (by_m, by_v) = sparse.value_and_grad(f, (0, 1))(m, v)
    same(value, f(x, v))
    assert isinstance(by_m, BCOO)
    same(by_m, 2 * np.outer(x @ v, v) * pattern)
    same(by_v, 2 * x.T @ (x @ v))
    same(sparse.grad(f)({"m": m}["m"], v), by_m)
    expected = np.eye(3)[:, :, None] * v * pattern
    for jacobian in (sparse.jacfwd, sparse.jacrev):
        same(jacobian(lambda m: m @ v)(m), expected)
        found = jacobian(lambda m, v: {"a": m @ v, "b": [v]}, (0, 1))(m, v)
        same(found["a"][0], expected)
        same(found["b"][0][1], np.eye(4))
    g, aux = sparse.grad(lambda m: (f(m, v), {"n": 3}), has_aux=True)(m)
    same(g, by_m)
    assert aux == {"n": 3}


@pytest.mark.parametrize("kind", [sparse.COO, sparse.CSR, sparse.CSC])
def test_plain_matrices(kind):
    x, v = some(3, 4), rng(4)
    m = kind.fromdense(x)
    same(m, x)
    same(m.T, x.T)
    same(dx.jit(lambda m, v: m @ v)(m, v), x @ v)
    same(m @ rng(4, 2), x @ rng(4, 2))
    assert repr(m) == f"{kind.__name__}(float64[3, 4], nse={np.count_nonzero(x)})"


def test_rows_in_one_piece():
    x = some(2, 3, 4, 2)
    m = BCSR.fromdense(x, n_batch=1, n_dense=1)
    for found in (m, m.sum_duplicates(), dx.jit(lambda m: m)(m), BCSR.from_bcoo(m.to_bcoo())):
        same(found, x)
    same(dx.vmap(lambda m: m.todense())(m), x)
    x = some(3, 4)
    m = BCSR.fromdense(x, nse=9)
    same(m @ x.T, x @ x.T)
    same(sparse.bcsr_extract(m.indices, m.indptr, x)[: np.count_nonzero(x)], x[x != 0])
    same(sparse.bcsr_concatenate([m, m], dimension=0), np.concatenate([x, x]))
    wide = sparse.bcsr_broadcast_in_dim(m, shape=(2, 3, 4), broadcast_dimensions=(1, 2))
    same(wide, np.broadcast_to(x, (2, 3, 4)))


def test_scipys_matrices():
    theirs = scipy.sparse.random(5, 6, 0.3, random_state=0)
    for kind in (BCOO, BCSR):
        m = kind.from_scipy_sparse(theirs)
        same(m, theirs.toarray())
        same(m @ np.arange(6.0), theirs @ np.arange(6.0))


@pytest.mark.parametrize("name", ["bcoo", "bcsr", "coo", "csr", "csc"])
def test_made_of_nothing(name):
    same(sparse.empty((2, 3), sparse_format=name), np.zeros((2, 3)))
    for k in (-4, -1, 0, 1, 3):
        same(sparse.eye(3, 4, k=k, sparse_format=name), np.eye(3, 4, k=k))


def test_random_arrays():
    m = sparse.random_bcoo(dx.random.key(1), (2, 5, 4, 3), n_batch=1, n_dense=1, nse=0.5)
    assert m.data.shape == (2, 10, 3) and m.n_batch == m.n_dense == 1
    assert m.sum_duplicates(remove_zeros=False).nse == 10  # they are unique
    in_order = sparse.random_bcoo(dx.random.key(1), (5, 4), sorted_indices=True).indices
    assert (np.diff(np.asarray(in_order) @ [4, 1]) > 0).all()
    with raises(ValueError, "between 0 and 20", line="random_bcoo("):
        sparse.random_bcoo(dx.random.key(1), (5, 4), nse=30)


@pytest.mark.exhaustive
def test_random_arrays_are_jaxs(jax):
    from jax.experimental import sparse as theirs

    options = {"nse": 3, "n_batch": 1, "dtype": np.float32, "indices_dtype": np.int32}
    found = sparse.random_bcoo(dx.random.key(1), (2, 3, 4), **options)
    expected = theirs.random_bcoo(jax.random.key(1), (2, 3, 4), **options)
    assert np.array_equal(found.indices, expected.indices)
    same(found, np.asarray(expected.todense()), 1e-6)
    assert repr(found) == repr(expected)


def test_sparsify():
    x, v = some(5, 6), np.ones(6)
    m = BCOO.fromdense(x)
    f = lambda x, v: dnp.sum(dnp.tanh(x * 2.0) @ v) - dnp.sum(x.T[1])
    same(sparse.sparsify(f)(m, v), f(x, v))
    same(dx.grad(lambda v: sparse.sparsify(f)(m, v))(v), dx.grad(lambda v: f(x, v))(v))
    g = lambda x: (x + x * x).reshape(30)[2:9]
    found = dx.jit(sparse.sparsify(g))(m)
    assert isinstance(found, BCOO)
    same(found, g(x))
    loop = lambda x, v: dx.lax.fori_loop(0, 3, lambda i, v: (x @ v)[:5].sum() * v, v)
    same(sparse.sparsify(loop)(m, v), loop(x, v))
    double = lambda x: dx.lax.cond(x.sum() > 99, lambda x: 3 * x, lambda x: 2 * x, x)
    same(sparse.sparsify(double)(m), 2 * x)
    with raises(NotImplementedError, "no rule for the primitive 'cos'", line="sparsify(dnp.cos"):
        sparse.sparsify(dnp.cos)(m)


def test_bad_input():
    m = sparse.eye(3)
    with raises(ValueError, "do not fit the shape (3, 3)", line="BCOO("):
        BCOO((np.ones(3), np.ones((2, 2), int)), shape=(3, 3))
    with raises(TypeError, "indices must be integers", line="BCOO("):
        BCOO((np.ones(2), np.ones((2, 2))), shape=(3, 3))
    with raises(
        sparse.SparseEfficiencyError, "increasing n_batch from 0 to 1", line="update_layout"
    ):
        m.update_layout(n_batch=1)
    with pytest.warns(sparse.SparseEfficiencyWarning):
        m.update_layout(n_batch=1, on_inefficient="warn")
    with raises(ValueError, "mixes batch, sparse and dense", line="transpose("):
        BCOO.fromdense(np.eye(3), n_batch=1).transpose()
    with raises(NotImplementedError, "sum with a dense array", line="m + "):
        m + np.ones((3, 3))
    with raises(TypeError, "expected a BCOO, got", line="bcoo_todense("):
        sparse.bcoo_todense(np.ones(3))
    with raises(TypeError, "argument nse", line="fromdense"):
        dx.jit(lambda x: BCOO.fromdense(x).todense())(np.eye(3))
    with pytest.raises(TypeError, match=r"todense\(\) makes a dense one"):
        np.asarray(m)
    with raises(ValueError, "not recognized", line="empty("):
        sparse.empty((2, 2), sparse_format="dok")
