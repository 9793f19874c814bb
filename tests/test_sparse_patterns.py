"""Patterns of derivatives: they contain every nonzero, and are exact where they say so."""

from __future__ import annotations

import numpy as np
import pytest

import diffeo as dx
from diffeo.primitives import Array
from diffeo.routines.windows.conv import ConvGeneralDilated
from diffeo.routines.windows.windows import ReduceWindowSum
from diffeo.transforms.sparsity.dependence import components
from tests.laws import close, function_of
from tests.samples import SAMPLES

dnp, lax = dx.numpy, dx.lax


def real_operands(sample):
    """The operands by which a sample is differentiated here; none of a large one."""
    by = [i for i in sample.by if np.asarray(sample.args[i]).dtype.kind == "f"]
    small = sum([np.size(sample.args[i]) for i in by]) <= 60
    return by if sample.differentiable and small else []


def real_results(fun):
    """A function whose complex results are taken apart."""

    def real(*xs):
        parts = [[dnp.real(o), dnp.imag(o)] if o.dtype.kind == "c" else [o] for o in fun(*xs)]
        return [p for pair in parts for p in pair]

    return real


def dense_of(fun, *args):
    """The dense Jacobian of a function of arrays with a list of results."""
    outs = fun(*args)
    if not outs:
        return np.zeros((0, sum([a.size for a in args])))
    blocks = dx.jacfwd(fun, tuple(range(len(args))))(*args)
    rows = [[np.asarray(b).reshape(o.size, a.size) for b, a in zip(row, args)]
            for row, o in zip(blocks, outs)]  # fmt: skip
    return np.block(rows)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if real_operands(s)], ids=repr)
def test_every_nonzero_of_a_primitive_is_in_its_pattern(sample):
    by = real_operands(sample)
    fun = real_results(function_of(sample, by))
    args = [Array(np.asarray(sample.args[i])) for i in by]
    dense = dense_of(fun, *args)
    for local in (False, True):
        pattern = dx.jacobian_sparsity(fun, *args, argnums=tuple(range(len(by))), local=local)
        assert pattern.shape == dense.shape
        assert not ((dense != 0) & ~pattern.todense()).any()


@pytest.mark.parametrize("kind", [ConvGeneralDilated, ReduceWindowSum])
def test_decompositions_that_patterns_are_made_by(kind):
    for sample in [s for s in SAMPLES if type(s.primitive) is kind]:
        expected = sample.bind(*map(Array, sample.args))[0]
        found = sample.primitive.decompose(*map(Array, sample.args))
        rough = 1e-2 if expected.dtype.itemsize < 4 else 1e-5
        close(found, expected, rough, rough)


# --------------------------------------------------------------------------------------------------
# Exact patterns

N = 8
X = np.linspace(0.3, 1.7, N)
BAND = np.eye(N) + np.diag(np.ones(N - 1), 1)
INDEX = np.array([3, 0, 0, 5])


@dx.custom_jvp
def swapped(x):
    return x


swapped.defjvp(lambda primals, tangents: (primals[0], tangents[0][::-1]))


@dx.custom_vjp
def doubled(x):
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda _, ct: (2 * ct,))


def stencil(x):
    return x[2:] - 2 * x[1:-1] * x[:-2]


def laplacian(x):
    u = x.reshape(1, 1, 2, N // 2)
    kernel = np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).reshape(1, 1, 3, 3)
    return lax.conv_general_dilated(u, kernel, (1, 1), "SAME")


def thomas(x):
    """A loop that goes over neighbours by its counter."""
    return lax.fori_loop(0, N - 1, lambda i, y: y.at[i + 1].add(x[i] * x[i + 1]), x)


def counted(x):
    """A loop that ends by its counter."""
    body = lambda c: (c[0] + 2, c[1].at[c[0]].set(x[c[0]] * x[c[0] + 1]))
    return lax.while_loop(lambda c: c[0] < N - 1, body, (0, dnp.zeros(N)))[1]


EXACT = {
    "elementwise": lambda x: dnp.exp(x) * x,
    "stencil": stencil,
    "periodic": lambda x: dnp.roll(x, 1) * x - dnp.roll(x, -2),
    "strided": lambda x: x[::2] * x[1::2],
    "reverse": lambda x: x[::-1] ** 2,
    "gather": lambda x: x[INDEX] * x[:4],
    "scatter": lambda x: dnp.zeros(N).at[INDEX].set(x[:4]),
    "scatter_add": lambda x: x.at[INDEX].add(x[4:]),
    "reductions": lambda x: dnp.sum(x.reshape(2, -1), 1),
    "products": lambda x: dnp.prod(x.reshape(2, -1), 1),
    "outer": lambda x: x[:3, None] * x[None, 3:5],
    "banded matrix": lambda x: BAND @ x,
    "matrix from the right": lambda x: x.reshape(2, 4) @ np.triu(np.ones((4, 4))),
    "matrix of variables": lambda x: x[:4].reshape(2, 2) @ x[4:].reshape(2, 2),
    "einsum": lambda x: dnp.einsum("bi,bi->b", x.reshape(4, 2), x[::-1].reshape(4, 2)),
    "transpose": lambda x: x.reshape(2, 4).T @ np.array([1.0, 0.0]),
    "cumsum": lambda x: dnp.cumsum(x),
    "known zeros": lambda x: x * np.array([0.0, 1] * (N // 2)),
    "known choice": lambda x: dnp.where(np.arange(N) < 3, x, x[::-1]),
    "pad": lambda x: dnp.pad(x, (1, 2)),
    "concatenate": lambda x: dnp.concatenate([x[3:], x[:2] * 2]),
    "stack and split": lambda x: dnp.stack(dnp.split(x, 2), 1),
    "conv": lambda x: dnp.convolve(x, np.array([1.0, 0.0, 2.0]), "same"),
    "laplacian": laplacian,
    "windows": lambda x: lax.reduce_window(x, 0.0, lax.add, (3,), (2,), "SAME"),
    "scan": lambda x: lax.scan(lambda c, v: (0.5 * c, c * v), x[0], x)[1],
    "scan of a running sum": lambda x: lax.scan(lambda c, v: (c + v, c + v), 0.0, x)[1],
    "scan backward": lambda x: lax.scan(lambda c, v: (v, c * v), 1.0, x, reverse=True)[1],
    "fori_loop": thomas,
    "while_loop": counted,
    "known cond": lambda x: lax.cond(True, lambda x: x, lambda x: x[::-1] * x.sum(), x),
    "map": lambda x: lax.map(lambda v: v * v, x),
    "jit": dx.jit(stencil),
    "vmap": dx.vmap(lambda v: v * v),
    "vmap of a gather": lambda x: dx.vmap(lambda i: x[i] * x[i + 1])(np.arange(N - 1)),
    "checkpoint": dx.checkpoint(stencil),
    "custom_jvp": lambda x: swapped(x[:4]),
    "custom_vjp": lambda x: doubled(x[:4]) * x[4:],
    "stop_gradient": lambda x: lax.stop_gradient(x[::-1]) * x,
    "constant": lambda x: dnp.ones(3),
    "numpy": lambda x: np.diff(np.sin(x)) ** 2,
    "fft of pieces": lambda x: dnp.real(dnp.fft.fft(x.reshape(4, 2))),
    "gradient": dx.grad(lambda x: dnp.sum(stencil(x) ** 2)),
    "gradient of a loop": dx.grad(lambda x: dnp.sum(counted(x) ** 2)),
    "gradient of a scan": dx.grad(lambda x: dnp.sum(thomas(x) ** 2)),
}


def nonzeros(fun, seeds=range(3)):
    """Where dense Jacobians at some points have nonzeros."""
    points = [np.random.default_rng(s).uniform(0.2, 2.0, N) for s in seeds]
    found = [np.asarray(dx.jacfwd(fun)(dnp.asarray(x))).reshape(-1, N) for x in points]
    return np.any([f != 0 for f in found], 0)


@pytest.mark.parametrize("name", EXACT)
def test_exact(name):
    fun = EXACT[name]
    pattern = dx.jacobian_sparsity(fun, X)
    np.testing.assert_array_equal(pattern.todense(), nonzeros(fun))
    assert dx.jacobian_sparsity(fun, X, local=True) == pattern


#: What the numbers decide: the pattern holds for all numbers; locally, it is that of the course.
DECIDED = {
    "where": lambda x: dnp.where(x > 1, x, x[::-1]),
    "relu": lambda x: dx.nn.relu(x - 1),
    "max": lambda x: dnp.maximum(x, 1.0),
    "cond": lambda x: lax.cond(x[0] > 0, lambda x: x, lambda x: x[::-1], x),
    "switch": lambda x: lax.switch((x[0] > 1).astype(int), [dnp.sin, lambda x: x[::-1]], x),
    "largest": lambda x: dnp.max(x.reshape(2, -1), 1),
    "sort": dnp.sort,
    "places": lambda x: x[dnp.argsort(-x)],
    "place": lambda x: x[dnp.argmax(x)] * x[:2],
    "window": lambda x: lax.dynamic_slice(x, (dnp.argmax(x) - 3,), (3,)),
    "update": lambda x: lax.dynamic_update_slice(x[:4], x[4:6], ((x[0] > 1).astype(int),)),
    "scatter": lambda x: dnp.zeros(4).at[(2 * x[:2]).astype(int)].add(x[2:4]),
}


@pytest.mark.parametrize("name", DECIDED)
def test_decided_by_numbers(name):
    fun = DECIDED[name]
    whole, here = dx.jacobian_sparsity(fun, X), dx.jacobian_sparsity(fun, X, local=True)
    dense = np.asarray(dx.jacfwd(fun)(dnp.asarray(X))).reshape(-1, N) != 0
    np.testing.assert_array_equal(here.todense(), dense)
    assert not (nonzeros(fun, range(20)) & ~whole.todense()).any()
    assert not (here.todense() & ~whole.todense()).any()
    assert here.nnz < whole.nnz or name in ("relu", "max")


def test_unknown_places_blur_along_indexed_axes_only():
    rows = np.ones((3, 4))
    pick = lambda x: dnp.take_along_axis(x, dnp.argsort(x, 1), 1)
    expected = np.kron(np.eye(3), np.ones((4, 4)))
    np.testing.assert_array_equal(dx.jacobian_sparsity(pick, rows).todense(), expected)
    column = lambda x: lax.dynamic_slice(x, (0, dnp.argmax(x[0])), (2, 1))
    expected = np.kron(np.eye(3)[:2], np.ones((1, 4)))
    np.testing.assert_array_equal(dx.jacobian_sparsity(column, rows).todense(), expected)
    write = lambda x: dnp.zeros((3, 2)).at[:, (x[0, 0] > 0).astype(int)].add(x[:, 0])
    found = dx.jacobian_sparsity(write, rows).todense()
    np.testing.assert_array_equal(found.reshape(3, 2, 3, 4)[:, :, :, 0].any(1), np.eye(3))


def test_batches_of_matrices_stay_apart():
    matrices = np.eye(2) + np.zeros((3, 2, 2))
    expected = np.kron(np.eye(3), np.ones((4, 4)))
    for fun in (dnp.linalg.inv, lambda a: dnp.linalg.solve(a, a), lambda a: dnp.linalg.eigh(a)[1]):
        pattern = dx.jacobian_sparsity(fun, matrices).todense()
        assert not (pattern & (expected == 0)).any()
    spectrum = lambda x: dnp.abs(dnp.fft.fft(x))
    found = dx.jacobian_sparsity(spectrum, np.ones((3, 4))).todense()
    np.testing.assert_array_equal(found, expected)


def test_loops_that_are_not_unrolled():
    long = 30_000
    x = np.ones(3)
    shift = lambda x: lax.fori_loop(0, long, lambda i, y: y.at[1].set(y[0] * x[0]), x)
    expected = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]], bool)
    np.testing.assert_array_equal(dx.jacobian_sparsity(shift, x).todense(), expected)
    ys = dnp.ones((long, 3))
    pattern = dx.jacobian_sparsity(lambda x: lax.scan(lambda c, v: (c, v * v), 0.0, x)[1], ys)
    np.testing.assert_array_equal(pattern.rows, pattern.cols)
    assert pattern.nnz == ys.size
    # The running sum depends on everything that it ever saw.
    total = lambda x: lax.scan(lambda c, v: (c + v, None), 0.0, x)[0]
    assert dx.jacobian_sparsity(total, np.ones(long)).nnz == long
    newton = lambda x: lax.while_loop(lambda y: dnp.sum(y) < 9, lambda y: y * y + y[::-1], x)
    assert dx.jacobian_sparsity(newton, 2 * x).nnz == 5
    spread = lambda x: lax.while_loop(
        lambda y: dnp.sum(y) < 90, lambda y: y.at[1:].set(y[:-1] + y[1:]), x)  # fmt: skip
    np.testing.assert_array_equal(dx.jacobian_sparsity(spread, np.ones(5)).todense(), np.tri(5))


def test_carries_that_mix_for_many_steps():
    n = 50
    swap = lambda y: y.at[:n].multiply(0.5 * dnp.roll(y[:n], 1))
    mixed = lambda x: lax.while_loop(lambda y: dnp.sum(y) < 90, swap, x)
    expected = np.eye(2 * n, dtype=bool)
    expected[:n, :n] = True
    np.testing.assert_array_equal(dx.jacobian_sparsity(mixed, np.ones(2 * n)).todense(), expected)
    edges = np.array([[0, 1], [5, 1], [3, 4], [4, 6], [2, 2]]).T
    np.testing.assert_array_equal(components(8, *edges), [0, 0, 2, 3, 3, 0, 3, 7])


def test_steps_in_time_are_exact_until_they_are_many():
    n = 100
    step = lambda y, _: (y - 0.1 * dnp.roll(y, 1) ** 2, None)
    after = lambda count: lambda x: lax.scan(step, x, None, count)[0]
    assert dx.jacobian_sparsity(after(20), np.ones(n)).nnz == 21 * n
    assert dx.jacobian_sparsity(after(10**6), np.ones(n)).nnz == n * n


def test_hessians():
    x = X
    rosenbrock = lambda x: dnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    band = np.abs(np.subtract.outer(np.arange(N), np.arange(N))) <= 1
    np.testing.assert_array_equal(dx.hessian_sparsity(rosenbrock, x).todense(), band)
    assert dx.hessian_sparsity(dnp.sum, x).nnz == 0
    np.testing.assert_array_equal(dx.hessian_sparsity(lambda x: dnp.sum(x**3), x).todense(),
                                  np.eye(N))  # fmt: skip
    loop = lambda x: lax.fori_loop(0, N - 1, lambda i, s: s + x[i] ** 2 * x[i + 1], 0.0)
    expected = band & (np.arange(N) < N - 1)[:, None] | band & (np.arange(N) < N - 1)
    np.testing.assert_array_equal(dx.hessian_sparsity(loop, x).todense(), expected)


def test_trees():
    tree = {"a": np.ones(2), "b": (np.ones((1, 2)), 3.0)}
    fun = lambda t, k: [t["a"] * t["b"][1], t["b"][0] * k]
    expected = np.array([[1, 0, 0, 0, 1], [0, 1, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]], bool)
    np.testing.assert_array_equal(dx.jacobian_sparsity(fun, tree, 2).todense(), expected)
    both = dx.jacobian_sparsity(lambda x, y, *, z: x * y + z, X, X, argnums=(1, 0), z=1.0)
    assert both.shape == (N, 2 * N) and both.nnz == 2 * N
    # What is closed over is known, arguments are not.
    known = dx.jacobian_sparsity(lambda x: x[INDEX], X)
    given = dx.jacobian_sparsity(lambda x, i: x[i], X, INDEX)
    assert (known.nnz, given.nnz) == (4, 4 * N)


def test_inside_of_other_transformations():
    def inside(x):
        found.append(dx.jacobian_sparsity(stencil, x))
        found.append(dx.jacobian_sparsity(lambda y: y * x, x))
        return dnp.sum(x)

    found = []
    dx.jit(inside)(X), dx.grad(inside)(X), dx.vmap(inside)(X[None])
    assert all([p == dx.jacobian_sparsity(stencil, X) for p in found[::2]])
    assert all([p.nnz == N for p in found[1::2]])


def test_nothing_happens_outside():
    def fun(x):
        dx.io_callback(seen.append, None, x[0])
        dx.debug.callback(seen.append, 3.0)
        scale = dx.pure_callback(lambda: seen.append(1) or np.ones(N), dx.typeof(X))
        return scale * x

    seen = []
    for local in (False, True):
        assert dx.jacobian_sparsity(fun, X, local=local).nnz == N
    assert not seen


def test_large_patterns_stay_sparse():
    n = 200_000
    pattern = dx.jacobian_sparsity(stencil, np.ones(n))
    assert (pattern.shape, pattern.nnz) == ((n - 2, n), 3 * (n - 2))
    with pytest.raises(ValueError, match="dense"):
        dx.jacobian_sparsity(lambda x: x - dnp.mean(x), np.ones(n))


# --------------------------------------------------------------------------------------------------
# The pattern itself, and wrong arguments


def test_pattern():
    dense = np.array([[0, 2.0, 0], [1, 0, 3]])
    pattern = dx.Sparsity.of(dense)
    assert (pattern.nnz, pattern.density, pattern.shape) == (3, 0.5, (2, 3))
    assert pattern == dx.Sparsity.of(pattern.tocsr()) == dx.Sparsity.of(pattern.tocoo())
    assert pattern == dx.Sparsity.from_places([1, 0, 1, 1], [2, 1, 0, 2], (2, 3))
    assert pattern != dx.Sparsity.of(dense.T) and dx.Sparsity.of(dense.T) == pattern.T
    np.testing.assert_array_equal(pattern.tocsr([2.0, 1, 3]).toarray(), dense)
    np.testing.assert_array_equal(pattern.todense(), dense != 0)
    assert repr(pattern) == "Sparsity(2 x 3, 3 nonzeros, density 0.5)\n  . x .\n  x . x"
    assert "x . x" in pattern._repr_html_() and "\n" not in repr(dx.Sparsity.of(np.eye(41)))
    with pytest.raises(ValueError, match="column of the pattern"):
        dx.Sparsity.from_places([0], [3], (2, 3))
    for wrong in (np.ones(3), "x", np.array(["a"])):
        with pytest.raises(TypeError, match="a pattern is"):
            dx.Sparsity.of(wrong)


def python_if(x):
    return x if x[0] > 0 else -x


def test_errors():
    cases = [
        (TypeError, "floating-point numbers, got i64", lambda: dx.jacobian_sparsity(stencil, [1])),
        (TypeError, "argument 0.* got i64", lambda: dx.jacobian_sparsity(stencil, np.arange(4))),
        (TypeError, "argument 0.* got c128",
         lambda: dx.jacobian_sparsity(stencil, np.ones(4) * 1j)),
        (TypeError, "function returned i64",
         lambda: dx.jacobian_sparsity(lambda x: dnp.argsort(x), X)),
        (TypeError, "function returned c128", lambda: dx.jacobian_sparsity(lambda x: x * 1j, X)),
        (TypeError, "must return a scalar", lambda: dx.hessian_sparsity(stencil, X)),
        (TypeError, "expects a function", lambda: dx.jacobian_sparsity(X, X)),
        (ValueError, "argnums=1", lambda: dx.jacobian_sparsity(stencil, X, argnums=1)),
        (TypeError, "local=True asks for the pattern at the given numbers",
         lambda: dx.jit(lambda x: dx.jacobian_sparsity(stencil, x, local=True).nnz)(X)),
        (dx.errors.TracerBoolConversionError, "local=True",
         lambda: dx.jacobian_sparsity(python_if, X)),
    ]  # fmt: skip
    for kind, text, call in cases:
        with pytest.raises(kind, match=text) as caught:
            call()
        assert "test_sparse_patterns.py" in str(caught.value)
    assert dx.jacobian_sparsity(python_if, X, local=True).nnz == N


def test_nothing_stays_behind_after_an_error():
    def broken(x):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        dx.jacobian_sparsity(broken, X)
    assert float(dnp.sum(dnp.asarray(X))) == pytest.approx(X.sum())
