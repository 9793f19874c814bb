"""Differential operators against nested derivatives, exact and stochastic."""

import functools
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import diffeo as dx
from diffeo.differential.operators import DESIGNS
from tests.checks import close, raises, rng

dnp = dx.numpy
D = dx.D
KEY = dx.random.key(7)
RUNS = {"eager": lambda f: f, "jit": dx.jit}
WEIGHTS = [rng(4, 6), rng(6, 3)]


def field(lib, x):
    """A smooth function of any vector, with a result that is no scalar."""
    w = WEIGHTS[0][: x.shape[0]] if x.shape[0] <= 4 else np.ones((x.shape[0], 6)) / 3
    return lib.numpy.exp(lib.numpy.sin(x @ w) @ WEIGHTS[1] / 3) * lib.numpy.sqrt(1 + x @ x)


FUNCTIONS = {
    "network": field,
    "scalar": lambda lib, x: lib.numpy.sum(lib.numpy.tanh(x) ** 3) * lib.numpy.cos(x[0]),
    "elementwise": lambda lib, x: lib.numpy.exp(x) / (2 + lib.numpy.sin(x)),
    "solve": lambda lib, x: lib.numpy.linalg.solve(
        lib.numpy.outer(x, x) + 2 * lib.numpy.eye(x.size), lib.numpy.sin(x)
    ),
    "logsumexp": lambda lib, x: lib.nn.logsumexp(3 * x * x[::-1]),
    "scan": lambda lib, x: lib.lax.scan(
        lambda c, w: (lib.numpy.sin(c * w) + c, c.sum()), x, np.linspace(0.5, 1.5, 3)
    ),
    "cond": lambda lib, x: lib.lax.cond(
        x[0] > 0, lambda x: lib.numpy.sin(x) * x[0], lambda x: x**3 * x[-1], x
    ),
    "powers": lambda lib, x: lib.numpy.sum((1.5 + x) ** 2.5) + lib.numpy.prod(x),
    "constant": lambda lib, x: lib.numpy.ones(3),
    "linear": lambda lib, x: 2.0 * x,
}


def of(lib, name):
    return functools.partial(FUNCTIONS[name], lib)


def by_hessian(jax, f):
    trace = lambda h: jax.numpy.trace(h, axis1=-2, axis2=-1)
    return lambda x: jax.tree.map(trace, jax.hessian(f)(x))


# --------------------------------------------------------------------------------------------------
# Laplacian


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.sampled(2)
def test_laplacian(jax, name, run):
    x = rng(4)
    found = RUNS[run](dx.laplacian(of(dx, name)))(x)
    close(found, by_hessian(jax, of(jax, name))(x), rtol=1e-9, atol=1e-10)


@given(st.integers(1, 7), st.integers(1, 9))
def test_chunks_of_the_laplacian(size, chunk):
    x = rng(size)
    f = lambda x: dnp.sum(dnp.sin(x) * x) ** 2
    expected = dx.laplacian(f)(x)
    close(dx.laplacian(f, chunk=chunk)(x), expected)
    if size == 7:
        close(dx.jit(dx.laplacian(f, chunk=chunk))(x), expected)


def test_laplacian_of_trees_and_other_arguments():
    f = lambda p, scale, *, power: {"r": scale * (dnp.sum(p["x"] ** power) + p["y"] ** 3), "n": 1.0}
    point = {"x": rng(2, 3), "y": 2.0}
    found = dx.laplacian(f)(point, 5.0, power=4)
    expected = 5.0 * (12 * np.sum(point["x"] ** 2) + 12.0)
    close(found, {"r": expected, "n": 0.0})
    g = lambda a, x, y: a * x**2 * y**3
    close(dx.laplacian(g, argnums=(1, 2))(2.0, 3.0, 4.0), 2.0 * (2 * 64 + 9 * 24))
    assert dx.laplacian(f).__name__ == f.__name__


def test_laplacian_composes():
    f = lambda a, x: dnp.sum(dnp.sin(a * x)) * x[0]
    x, xs = rng(3), rng(5, 3)
    by = lambda a: dx.laplacian(functools.partial(f, a))(x)
    slope = (float(by(1.2 + 1e-5)) - float(by(1.2 - 1e-5))) / 2e-5
    close(dx.grad(by)(1.2), slope, rtol=1e-8)
    close(dx.jit(dx.grad(by))(1.2), slope, rtol=1e-8)
    rows = [float(dx.laplacian(f, argnums=1)(1.2, x)) for x in xs]
    for run in RUNS.values():
        many = dx.vmap(dx.laplacian(f, argnums=1), (None, 0))
        close(run(many)(1.2, xs), np.array(rows), rtol=1e-10)
    # Of itself, and in the order in which the two are taken.
    third = dx.laplacian(lambda x: dx.grad(functools.partial(f, 1.2))(x)[0])
    other = dx.grad(dx.laplacian(functools.partial(f, 1.2)))
    close(third(x), other(x)[0], rtol=1e-9)
    close(
        dx.taylor(dx.laplacian(functools.partial(f, 1.2)), (x,), (np.ones(3),), 2)[1],
        dx.jvp(dx.laplacian(functools.partial(f, 1.2)), (x,), (np.ones(3),))[1],
        rtol=1e-9,
    )


def test_named_axes_of_the_user_are_his():
    f = lambda x: dx.lax.psum(dnp.sum(x**2), "directions") * x[0]
    rows = dx.vmap(dx.laplacian(f), axis_name="directions")(np.array([[1.0, 2.0], [3.0, 4.0]]))
    # All rows move together along each unit vector.
    g = lambda both: dnp.stack([dnp.sum(both**2) * row[0] for row in both])
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    moved = lambda i: dx.taylor(g, (x,), (np.tile(np.eye(2)[i], (2, 1)),), 2)[2]
    close(rows, 2.0 * (moved(0) + moved(1)))


def test_laplacian_in_float32():
    x = rng(4).astype(np.float32)
    found = dx.laplacian(of(dx, "network"))(x)
    wide = dx.laplacian(of(dx, "network"))(x.astype(float))
    f = lambda x: dnp.sum(dnp.sin(x) * x)
    assert dx.laplacian(f)(x).dtype == np.float32
    close(np.asarray(found, float), np.asarray(wide), rtol=1e-4, atol=1e-3)


def test_laplacian_where_derivatives_are_singular():
    f = lambda x: dnp.sum(dnp.where(x > 0, dnp.sqrt(dnp.where(x > 0, x, 1.0)), x**2))
    close(dx.laplacian(f)(np.array([0.0, -1.0])), 4.0)
    radius = lambda x: dnp.sum(x**2) ** 2.0
    close(dx.laplacian(radius)(np.zeros(3)), 0.0)


def test_forward_laplacian(jax):
    x = rng(2, 2)
    f = lambda lib, x: lib.numpy.sin(x @ WEIGHTS[0][:2]) * x.sum()
    found = dx.forward_laplacian(functools.partial(f, dx))(x)
    close(found.value, f(jax, jax.numpy.asarray(x)))
    close(found.gradient, jax.jacfwd(functools.partial(f, jax))(x))
    h = jax.hessian(functools.partial(f, jax))(x)
    close(found.laplacian, jax.numpy.einsum("abijij->ab", h), rtol=1e-9)
    pair = dx.jit(dx.forward_laplacian(lambda x: (dnp.sum(x**3), x)))(rng(2))
    assert pair.gradient[1].shape == (2, 2)


def largest(fun, *args) -> int:
    """The size of the largest array of a program."""
    program = dx.make_jaxpr(fun)(*args)
    return max([v.aval.size for eqn in program.eqns for v in eqn.outs])


def particles(lib, x):
    """An energy of particles that see themselves only, each through a network."""
    h = lib.numpy.tanh(x @ WEIGHTS[0][:3] + 0.1)
    return lib.numpy.sum(lib.nn.softmax(lib.numpy.tanh(h @ WEIGHTS[1]) ** 2, -1) @ np.arange(3.0))


BLOCKS = {
    "elementwise": (lambda lib, x: lib.numpy.sum(lib.numpy.sin(x) * x - x**3 / (1 + x * x)), 1),
    "its own result": (lambda lib, x: lib.numpy.exp(-x * x).sum(0) ** 2, None),
    "reshaped": (lambda lib, x: (lib.numpy.cosh(x).reshape(-1, 3, 1) ** 2).mean(), 1),
    "transposed": (lambda lib, x: lib.numpy.sin(x.T[None] * 2.0).sum(), 1),
    "particles": (particles, 18),
    "particles by vmap": (
        lambda lib, x: lib.vmap(lambda row: particles(lib, row[None]))(x).sum(), 18
    ),
    "contracted from the left": (
        lambda lib, x: lib.numpy.sum(lib.numpy.sin(WEIGHTS[0][:3].T @ x.T) ** 2), 18
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.sampled(2)
def test_zeros_of_the_jacobian_are_not_computed(jax, name):
    f, bound = BLOCKS[name]
    x = rng(4, 3)
    mine = functools.partial(f, dx)
    h = jax.hessian(functools.partial(f, jax))(x)
    expected = np.einsum("...ijij->...", np.asarray(h))
    for run in RUNS.values():
        close(run(dx.laplacian(mine))(x), expected, rtol=1e-9)
    plain = dx.jit(dx.laplacian(mine, chunk=5))
    close(plain(x), expected, rtol=1e-9)
    if bound is not None:
        many = rng(200, 3)
        assert largest(dx.laplacian(mine), many) <= 200 * 3 * bound


# --------------------------------------------------------------------------------------------------
# Estimators


def mean_of(estimate, exact, count=400):
    """The mean over keys is within 5 of its own standard deviations."""
    found = np.asarray(dx.jit(dx.vmap(estimate))(dx.random.split(KEY, count)))
    error = abs(found.mean() - float(exact))
    assert error <= 5 * found.std() / math.sqrt(count) + 1e-9, (error, found.std())
    assert found.std() > 0


def test_estimators_have_no_bias():
    x = rng(5)
    f = lambda x: dnp.sum(dnp.tanh(x @ np.vander(np.linspace(-1, 1, 5)))) * x[1]
    exact = dx.laplacian(f)(x)
    for sampling in ("rademacher", "normal", "coordinates"):
        how = {"directions": 2, "sampling": sampling}
        mean_of(lambda key, how=how: dx.laplacian(f, key=key, **how)(x), exact)
    mean_of(lambda key: dx.bilaplacian(f, directions=3, key=key)(x), dx.bilaplacian(f)(x), 4000)
    g = lambda x: dnp.sin(x @ np.vander(np.linspace(-1, 1, 5)))
    mean_of(lambda key: dx.divergence(g, directions=2, key=key)(x), dx.divergence(g)(x))
    operator = (D(0) * D(1) + D(2) * D(3)) * 2.0 + D(4) ** 2 + (lambda x: x[0]) * D(0)
    exact = dx.differential_operator(f, operator)(x)
    some = lambda key: dx.differential_operator(f, operator, directions=2, key=key)(x)
    mean_of(some, exact)


def test_all_coordinates_are_exact():
    x, f = rng(5), lambda x: dnp.sum(dnp.sin(x) * x) ** 2
    found = dx.laplacian(f, directions=5, key=KEY, sampling="coordinates")(x)
    close(found, dx.laplacian(f)(x))


def test_estimators_in_chunks():
    x, f = rng(5), lambda x: dnp.sum(dnp.sin(x) * x) ** 2
    whole = dx.laplacian(f, directions=7, key=KEY)(x)
    close(dx.laplacian(f, directions=7, key=KEY, chunk=3)(x), whole)
    close(dx.jit(dx.laplacian(f, directions=7, key=KEY, chunk=2))(x), whole)


# --------------------------------------------------------------------------------------------------
# Bilaplacian


@pytest.mark.parametrize(
    "size", [1, 3, *[pytest.param(n, marks=pytest.mark.exhaustive) for n in (2, 4, 5)]]
)
def test_bilaplacian(jax, size):
    x = rng(size)
    expected = by_hessian(jax, by_hessian(jax, of(jax, "network")))(x)
    for run in RUNS.values():
        close(run(dx.bilaplacian(of(dx, "network")))(x), expected, rtol=1e-8, atol=1e-9)
    close(dx.bilaplacian(of(dx, "network"), chunk=2)(x), expected, rtol=1e-8, atol=1e-9)
    terms = [D(i) ** 2 for i in range(size)]
    operator = functools.reduce(lambda a, b: a + b, terms) ** 2
    found = dx.differential_operator(of(dx, "network"), operator)(x)
    close(found, expected, rtol=1e-7, atol=1e-8)


# --------------------------------------------------------------------------------------------------
# Fields


def test_divergence_and_curl(jax):
    f = lambda lib, x: lib.numpy.sin(x @ WEIGHTS[0][:3, :3]) * x[::-1]
    x = rng(3)
    j = np.asarray(jax.jacfwd(functools.partial(f, jax))(x))
    ours = functools.partial(f, dx)
    curl = np.array([j[2, 1] - j[1, 2], j[0, 2] - j[2, 0], j[1, 0] - j[0, 1]])
    for run in RUNS.values():
        close(run(dx.divergence(ours))(x), np.trace(j), rtol=1e-10)
        close(run(dx.divergence(ours, chunk=2))(x), np.trace(j), rtol=1e-10)
        close(run(dx.curl(ours))(x), curl, rtol=1e-10, atol=1e-12)
    grid = rng(2, 3)
    close(dx.divergence(lambda x: x**2)(grid), 2 * grid.sum())
    # div curl and curl grad are zero.
    close(dx.divergence(dx.curl(ours))(x), 0.0, atol=1e-12)
    potential = lambda x: dnp.sin(x[0] * x[1]) * x[2]
    close(dx.curl(dx.grad(potential))(x), np.zeros(3), atol=1e-12)


def test_directional():
    f = lambda p, a: a * dnp.exp(p["x"] @ p["x"]) * p["y"]
    point, v = {"x": rng(3), "y": 1.5}, {"x": rng(3), "y": -0.5}
    line = lambda t: f({"x": point["x"] + t * v["x"], "y": point["y"] + t * v["y"]}, 2.0)
    for order in range(5):
        expected = dx.nth_derivative(line, order)(0.0)
        close(dx.directional(f, v, order)(point, 2.0), expected, rtol=1e-10)


@pytest.mark.parametrize("kind", ["number", "vector", "matrix", "skewed"])
def test_weighted_laplacian(jax, kind):
    n, x = 4, rng(4)
    a = {"number": 2.5, "vector": rng(n), "matrix": (lambda m: m @ m.T)(rng(n, n)),
         "skewed": rng(n, n)}[kind]  # fmt: skip
    matrix = a * np.eye(n) if np.ndim(a) < 2 else a

    def by_flux(lib, weight, f):
        flux = lambda x: weight(x) @ lib.grad(f)(x)
        return lambda x: lib.numpy.trace(lib.jacfwd(flux)(x))

    f = lambda lib, x: lib.numpy.sin(x @ WEIGHTS[0]).sum() * x[0] ** 2
    mine, theirs = functools.partial(f, dx), functools.partial(f, jax)
    expected = by_flux(jax, lambda x: matrix, theirs)(x)
    for run in RUNS.values():
        close(run(dx.weighted_laplacian(mine, a))(x), expected, rtol=1e-9)
    close(dx.jit(lambda a, x: dx.weighted_laplacian(mine, a)(x))(a, x), expected, rtol=1e-9)
    close(dx.weighted_laplacian(mine, a, chunk=3)(x), expected, rtol=1e-9)

    def varying(lib, x):
        return lib.numpy.asarray(a) * lib.numpy.exp(lib.numpy.sin(x[0]) * x[1])

    full = lambda x: varying(jax, x) * (np.eye(n) if np.ndim(a) < 2 else 1.0)
    expected = by_flux(jax, full, theirs)(x)
    for run in RUNS.values():
        found = run(dx.weighted_laplacian(mine, functools.partial(varying, dx)))(x)
        close(found, expected, rtol=1e-9)


# --------------------------------------------------------------------------------------------------
# Bad input


def test_bad_settings():
    f = lambda x: dnp.sum(x**2)
    for make in (dx.laplacian, dx.bilaplacian, dx.divergence):
        with raises(ValueError, "directions", "exact", "-1", line="make(f"):
            make(f, directions=-1, key=KEY)
        with raises(TypeError, "key", line="make(f"):
            make(f, directions=3)
        with raises(TypeError, "key", line="make(f"):
            make(f, key=KEY)
        with raises(ValueError, "chunk", "0", line="make(f"):
            make(f, chunk=0)
        with raises(TypeError, "expects a function", line="make(3"):
            make(3)
    with raises(ValueError, "sampling", "rademacher", "'sobol'", line="dx.laplacian"):
        dx.laplacian(f, sampling="sobol")
    with raises(ValueError, "5 of 2 directions", line="dx.laplacian"):
        dx.laplacian(f, directions=5, key=KEY, sampling="coordinates")(np.ones(2))


def test_bad_points():
    f = lambda x: x * 2
    for make in (dx.laplacian, dx.bilaplacian, dx.forward_laplacian, dx.divergence):
        with raises(TypeError, "real floating-point", "i64[3]", line="make(f)"):
            make(f)(np.arange(3))
        with raises(TypeError, "real floating-point", "c128[2]", line="make(f)"):
            make(f)(rng(2, kind=complex))
    with raises(TypeError, "one array", line="dx.forward_laplacian"):
        dx.forward_laplacian(lambda p: p["a"])({"a": 1.0})
    with raises(ValueError, "argnums=1", line="dx.laplacian"):
        dx.laplacian(f, argnums=1)(1.0)


def test_bad_fields():
    with raises(TypeError, "vector field", "(3,)", line="dx.divergence"):
        dx.divergence(lambda x: dnp.sum(x))(rng(3))
    with raises(TypeError, "3 or 2 elements", "f64[4]", line="dx.curl"):
        dx.curl(lambda x: x)(rng(4))
    with raises(TypeError, "vector field", line="dx.curl"):
        dx.curl(lambda x: x[0])(rng(3))
    with raises(TypeError, "shape and dtype", "f64[2]", "f64[3]", line="dx.directional"):
        dx.directional(lambda x: x, rng(2))(rng(3))
    with raises(ValueError, "order", ">= 0", line="dx.directional"):
        dx.directional(lambda x: x, rng(2), order=-2)
    with raises(TypeError, "weight", "3 x 3", "(2, 3)", line="dx.weighted_laplacian"):
        dx.weighted_laplacian(lambda x: x, rng(2, 3))(rng(3))
    with raises(TypeError, "one vector", line="dx.weighted_laplacian"):
        dx.weighted_laplacian(lambda x: x, 1.0)(rng(3, 3))


def test_designs_are_isotropic():
    for n, rows in DESIGNS.items():
        for powers in itertools.combinations_with_replacement(range(n), 4):
            mean = np.mean([math.prod([row[i] for i in powers]) for row in rows])
            a, b, c, d = powers
            pairings = (a == b) * (c == d) + (a == c) * (b == d) + (a == d) * (b == c)
            np.testing.assert_allclose(mean, pairings / (n * (n + 2)), atol=1e-12)
