"""Programs of jax's libraries through from_jax: values, derivatives, batches equal jax's own.

Each test needs its package, and is skipped without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import diffeo as dx

jax = pytest.importorskip("jax")
jnp = jax.numpy
interop = pytest.importorskip("diffeo.interop.jax")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(autouse=True)
def wide() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def same(ours: Any, theirs: Any, tol: float = 1e-6) -> None:
    left, right = dx.tree.leaves(ours), jax.tree.leaves(theirs)
    assert len(left) == len(right)
    for p, q in zip(left, right):
        np.testing.assert_allclose(np.asarray(p), np.asarray(q), rtol=tol, atol=tol)


def squares(d: Callable, leaves: Callable, space: Any) -> Callable:
    """The sum of the squares of a derivative, whose gradient is of second order."""
    return lambda *args: sum(space.sum(leaf**2) for leaf in leaves(d(*args)))


def check(f: Callable, *args: Any, second: bool = True, batched: bool = True) -> None:
    """The value, the derivative by the first argument, eager and compiled, the second derivative,
    and rows of the first argument.
    """
    g = interop.from_jax(f)
    same(g(*args), jax.jit(f)(*args))
    expected = jax.jit(jax.grad(f))(*args)
    same(dx.grad(g)(*args), expected)
    same(dx.jit(dx.grad(g))(*args), expected)
    if second:
        ours = dx.grad(squares(dx.grad(g), dx.tree.leaves, dx.numpy))
        theirs = jax.grad(squares(jax.grad(f), jax.tree.leaves, jnp))
        same(dx.jit(ours)(*args), jax.jit(theirs)(*args))
    rows = jax.tree.map(lambda leaf: jnp.stack([leaf, 1.1 * leaf]), args[0])
    axes = (0, *[None] * (len(args) - 1))
    same(dx.vmap(g, axes)(rows, *args[1:]), jax.vmap(f, axes)(rows, *args[1:]))
    if batched:
        ours, theirs = dx.vmap(dx.grad(g), axes), jax.vmap(jax.grad(f), axes)
        same(ours(rows, *args[1:]), theirs(rows, *args[1:]))


def data() -> tuple[Any, Any]:
    return jnp.linspace(0.1, 1.0, 6).reshape(2, 3), jnp.array([0.3, 0.7])


def test_equinox():
    eqx = pytest.importorskip("equinox")
    model = eqx.nn.MLP(3, "scalar", 8, 2, key=jax.random.key(0), dtype=jnp.float64)
    params, static = eqx.partition(model, eqx.is_inexact_array)
    check(lambda p, x, y: jnp.mean((jax.vmap(eqx.combine(p, static))(x) - y) ** 2), params, *data())


def test_flax_linen():
    nn = pytest.importorskip("flax.linen")
    dense = lambda n: nn.Dense(n, param_dtype=jnp.float64)
    model = nn.Sequential([dense(8), nn.tanh, dense(1)])
    x, y = data()
    params = model.init(jax.random.key(0), x)
    check(lambda p, x, y: jnp.mean((model.apply(p, x)[:, 0] - y) ** 2), params, x, y)


def test_flax_nnx():
    nnx = pytest.importorskip("flax.nnx")
    rngs, options = nnx.Rngs(0), {"param_dtype": jnp.float64}
    linear = lambda m, n: nnx.Linear(m, n, rngs=rngs, **options)
    graph, state = nnx.split(nnx.Sequential(linear(3, 8), nnx.tanh, linear(8, 1)))
    check(lambda s, x, y: jnp.mean((nnx.merge(graph, s)(x)[:, 0] - y) ** 2), state, *data())


def test_flax_nnx_convolutions():
    nnx = pytest.importorskip("flax.nnx")
    rngs, options = nnx.Rngs(0), {"param_dtype": jnp.float64}
    model = nnx.Sequential(
        nnx.Conv(1, 4, (3, 3), rngs=rngs, **options),
        nnx.BatchNorm(4, use_running_average=True, rngs=rngs, **options),
        nnx.relu,
        lambda x: nnx.avg_pool(x, (2, 2), (2, 2)).reshape(x.shape[0], -1),
        nnx.Linear(36, 2, rngs=rngs, **options),
    )
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    images = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 6, 1)))
    loss = lambda p, x: jax.nn.log_softmax(nnx.merge(graph, p, rest)(x))[:, 0].mean()
    check(loss, params, images)


@pytest.mark.parametrize("solver", ["direct", "cg"])
def test_lineax(solver: str):
    lx = pytest.importorskip("lineax")
    a = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3)) + 4 * np.eye(3))

    def f(a: Any, b: Any) -> Any:
        if solver == "direct":
            return jnp.sum(lx.linear_solve(lx.MatrixLinearOperator(a), b).value ** 2)
        operator = lx.MatrixLinearOperator(a @ a.T, lx.positive_semidefinite_tag)
        return jnp.sum(lx.linear_solve(operator, b, lx.CG(1e-10, 1e-10)).value ** 2)

    check(f, a, jnp.arange(3.0))


def test_optimistix_root():
    optx = pytest.importorskip("optimistix")
    newton = optx.Newton(1e-12, 1e-12)
    find = lambda a: optx.root_find(lambda y, a: y**3 + y - a, newton, a, args=a).value
    check(lambda a: jnp.sum(find(a)), jnp.array([1.0, 2.0]))


def test_optimistix_minimum():
    optx = pytest.importorskip("optimistix")
    loss = lambda y, a: jnp.sum((y - a) ** 2 + 0.1 * y**4)
    bfgs = optx.BFGS(1e-10, 1e-10)
    f = lambda a: jnp.sum(optx.minimise(loss, bfgs, a, args=a).value ** 2)
    check(f, jnp.array([1.0, 2.0]))


@pytest.mark.parametrize("adjoint", ["RecursiveCheckpointAdjoint", "DirectAdjoint"])
def test_diffrax(adjoint: str):
    dfx = pytest.importorskip("diffrax")

    def f(p: Any) -> Any:
        solution = dfx.diffeqsolve(
            dfx.ODETerm(lambda t, y, a: -a * y + jnp.sin(t)),
            dfx.Tsit5(),
            0.0,
            1.0,
            0.1,
            p[:2],
            args=p[2],
            stepsize_controller=dfx.PIDController(1e-7, 1e-7),
            adjoint=getattr(dfx, adjoint)(),
            max_steps=64,
        )
        return jnp.sum(solution.ys**2)

    check(f, jnp.array([1.0, 2.0, 0.5]), second=False, batched=adjoint == "DirectAdjoint")


@pytest.mark.parametrize("kernel", ["ExpSquared", "quasisep.Matern32"])
def test_tinygp(kernel: str):
    tinygp = pytest.importorskip("tinygp")
    x = jnp.linspace(0, 1, 6)
    y = jnp.sin(3 * x)
    home, _, name = kernel.rpartition(".")
    make = getattr(getattr(tinygp.kernels, home) if home else tinygp.kernels, name)

    def loss(t: Any) -> Any:
        gp = tinygp.GaussianProcess(jnp.exp(t[0]) * make(jnp.exp(t[1])), x, diag=0.1)
        return -gp.log_probability(y)

    check(loss, jnp.array([0.1, -0.3]))


def test_numpyro():
    numpyro = pytest.importorskip("numpyro")
    dist = numpyro.distributions
    infer = pytest.importorskip("numpyro.infer.util")

    def model(y: Any) -> None:
        mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
        s = numpyro.sample("s", dist.HalfNormal(1.0))
        numpyro.sample("b", dist.Beta(2.0, 3.0))
        numpyro.sample("y", dist.StudentT(3.0, mu, s), obs=y)

    y = jnp.array([0.1, 0.5, -0.2])
    at = {"mu": jnp.array(0.2), "s": jnp.array(0.7), "b": jnp.array(0.3)}
    check(lambda q: infer.log_density(model, (y,), {}, q)[0], at)


def test_optax_on_arrays_of_diffeo():
    optax = pytest.importorskip("optax")
    params = {"w": dx.numpy.array([1.0, 2.0]), "b": dx.numpy.array(0.5)}
    loss = lambda p: dx.numpy.sum(p["w"] ** 2) + p["b"] ** 2
    optimizer = optax.adam(0.1)
    state = optimizer.init(params)
    for _ in range(3):
        updates, state = optimizer.update(dx.grad(loss)(params), state, params)
        params = optax.apply_updates(params, updates)
    again = {"w": jnp.array([1.0, 2.0]), "b": jnp.array(0.5)}
    state = optimizer.init(again)
    theirs = lambda p: jnp.sum(p["w"] ** 2) + p["b"] ** 2
    for _ in range(3):
        updates, state = optimizer.update(jax.grad(theirs)(again), state, again)
        again = optax.apply_updates(again, updates)
    same(params, again)
