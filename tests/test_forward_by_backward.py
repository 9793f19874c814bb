"""Forward mode of functions that have a backward rule only: by the transpose of the rule."""

import ml_dtypes
import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, raises

jnp, lax = dx.numpy, dx.lax
X = np.array([0.7, -0.4, 1.3])


def step(c, x):
    return jnp.sin(c) * x, c * x


FUNCTIONS = {
    "constants of a map": lambda x: lax.map(lambda v: jnp.sin(x) * 2, x).sum(0),
    "elements of a map": lambda x: lax.map(lambda v: jnp.sin(v) * x, x).sum(0),
    "a carry": lambda x: lax.scan(step, x, x)[0],
    "a carry and a counter": lambda x: lax.scan(
        lambda c, v: ((c[0] * jnp.cos(x) * c[1], c[1] + 1.0), v * c[1]), (x, 1.0), x
    )[0][0],
    "a carry that stays": lambda x: lax.scan(
        lambda c, v: ((c[0] * v, c[1]), c[1] * x), (x, jnp.zeros(3)), x
    )[0][0],
    "nested": lambda x: lax.scan(
        lambda c, v: (lax.scan(lambda d, w: (jnp.sin(d) * v + x[0], w), c, x)[0], v), x, x
    )[0],
    "a known loop": lambda x: lax.fori_loop(0, 3, lambda i, c: jnp.sin(c) * x + i, x),
    "a loop of unknown length": lambda x: lax.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, jnp.sin(c[1]) * x), (0, x)
    )[1],
    "a conditional in a loop": lambda x: lax.scan(
        lambda c, v: (lax.cond(v > 0, lambda c: c * x, jnp.sin, c), v), x, x
    )[0],
    "a vectorised conditional": lambda x: dx.vmap(
        lambda v: lax.cond(v > 0, lambda v: v * x, lambda v: jnp.ones(3), v)
    )(x).sum(0),
    "a product that is zero": lambda x: lax.map(lambda v: jnp.zeros(3) * v + x * 2, x).sum(0),
    "a function of eigenvalues and vectors": lambda x: (
        lambda w, v: (v / (20 + w)) @ v.T @ x
    )(*jnp.linalg.eigh(jnp.outer(x, x) + jnp.diag(jnp.arange(3.0)))),
    "a quotient of the carry": lambda x: lax.scan(
        lambda c, v: (jnp.log2(c * c + 0.3), c * v), x, x
    )[1].sum(0),
    "what is not used": lambda x: lax.map(lambda v: (jnp.sin(v * x), jnp.abs(x))[0], x).sum(0),
    "memory": lambda x: dx.checkpoint(lambda x: lax.scan(step, x, x)[0])(x),
}  # fmt: skip


SLOW = {"a loop of unknown length": pytest.mark.slow}


@pytest.mark.parametrize("name", [pytest.param(n, marks=SLOW.get(n, [])) for n in FUNCTIONS])
@pytest.mark.sampled(4)
def test_loops_in_backward_rules(name):
    """A carry of cotangents starts as zero, and that is linear in them."""
    f = FUNCTIONS[name]
    ruled = dx.custom_vjp(f)
    ruled.defvjp(lambda x: (f(x), x), lambda x, ct: dx.vjp(f, x)[1](ct))
    v = np.array([1.0, -2.0, 0.5])
    expected = dx.jvp(f, (X,), (v,))
    for run in (lambda f: f, dx.jit):
        close(run(lambda x: dx.jvp(ruled, (x,), (v,)))(X), expected)
        close(run(dx.jacfwd(ruled))(X), dx.jacfwd(f)(X))
    rows = dx.vmap(lambda x: dx.jvp(ruled, (x,), (v,)))(np.stack([X, -X]))
    close(jnp.asarray(rows[1])[1], dx.jvp(f, (-X,), (v,))[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [n for n in FUNCTIONS if n not in ("nested", "a loop of unknown length")]
)
def test_second_order_of_loops_in_backward_rules(name):
    f = FUNCTIONS[name]
    ruled = dx.custom_vjp(f)
    ruled.defvjp(lambda x: (f(x), x), lambda x, ct: dx.vjp(f, x)[1](ct))
    total = lambda f: lambda x: jnp.sum(f(x) * v)
    v = np.array([1.0, -2.0, 0.5])
    expected = dx.hessian(total(f))(X)
    close(dx.hessian(total(ruled))(X), expected)
    close(dx.jit(dx.jacfwd(dx.jacfwd(total(ruled))))(X), expected)


def test_what_is_not_linear_is_refused_in_loops_too():
    rules = {
        "adds": lambda x, ct: (lax.scan(lambda c, v: (c + ct + 1.0, v), 0.0 * x, x)[0],),
        "multiplies": lambda x, ct: (lax.scan(lambda c, v: (c + ct * ct, v), 0.0 * x, x)[0],),
        "grows": lambda x, ct: (lax.scan(lambda c, v: (c * ct + ct, v), jnp.zeros(3), x)[0],),
    }
    for bwd in rules.values():
        f = dx.custom_vjp(lambda x: x)
        f.defvjp(lambda x: (x, x), bwd)
        with raises(dx.errors.ForwardModeError, "not linear in the cotangents", line="dx.jvp"):
            dx.jvp(f, (X,), (X,))


@pytest.mark.parametrize(
    "constant",
    [
        np.array([[0.1, -np.inf], [np.pi, 5e-324]]),
        np.array([1 + 2j, -0.0]),
        np.array([1.5, np.nan], np.float32),
        np.array([1.5, 6e-8], np.float16),
        np.array([1.5, -3.0], ml_dtypes.bfloat16),
        np.array([-128, 127], np.int8),
        np.array([2**63 + 1, 0], np.uint64),
        np.array([True, False, True]),
        np.zeros((0, 2)),
        np.array(2.5),
    ],
    ids=lambda x: f"{x.dtype}{x.shape}",
)
def test_backward_rules_that_hold_arrays_compile_in_forward_mode(constant):
    """The transpose of the rule is made when the program is lowered, with its constants."""

    f = dx.custom_vjp(lambda x: 2.0 * x)
    seen = lambda x: jnp.where(x == x, constant, constant)  # of the constant's dtype, not folded
    f.defvjp(
        lambda x: (f(x), x),
        lambda x, ct: (ct * jnp.real(seen(x).astype("complex128")),),
    )
    x = np.full(constant.shape, 1.25)
    expected = dx.jvp(f, (x,), (x,))
    close(expected[1], 1.25 * constant.astype(complex).real)
    close(dx.jit(lambda x: dx.jvp(f, (x,), (x,)))(x), expected)
    close(dx.jit(dx.vmap(lambda x: dx.jvp(f, (x,), (x,))))(x[None])[1][0], expected[1])
