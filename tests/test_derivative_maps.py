"""What `vjp` and `linearize` return is a tree of residuals: it goes wherever arrays go."""

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close

jnp, lax = dx.numpy, dx.lax
X, V = np.array([0.7, -0.4]), np.array([1.0, -2.0])
RULES = {
    "smooth": lambda x: jnp.sin(x) * x[0],
    "linear": lambda x: 3.0 * x,
    "constant residual": lambda x: jnp.asarray(V) * x,
    "loop": lambda x: lax.scan(lambda c, v: (jnp.sin(c) * v, None), x, x)[0],
    "conditional": lambda x: lax.cond(x[0] > 0, jnp.sin, lambda x: x * x, x),
}


@pytest.mark.parametrize("name", RULES)
def test_results_of_transformed_functions(name):
    f = RULES[name]
    ct, moved = dx.vjp(f, X)[1](V), dx.linearize(f, X)[1](V)
    value, pull = dx.jit(lambda x: dx.vjp(f, x))(X)
    close(value, f(jnp.asarray(X)))
    close(pull(V), ct)
    close(dx.jit(lambda x: dx.linearize(f, x))(X)[1](V), moved)
    close(dx.jit(lambda p, v: p(v))(pull, V), ct)
    xs = np.stack([X, 2 * X, -X])
    pulls = dx.vmap(lambda x: dx.vjp(f, x)[1])(xs)
    found = dx.vmap(lambda p: p(V))(pulls) if dx.tree.leaves(pulls) else None
    if found is not None:
        close(found[0], np.stack([dx.vjp(f, x)[1](V)[0] for x in xs]))
    leaves, structure = dx.tree.flatten(pull)
    close(dx.tree.unflatten(structure, leaves)(V), ct)
    doubled = dx.tree.unflatten(structure, [0 for _ in leaves])  # anything may stand in a tree
    assert len(dx.tree.leaves(doubled)) == len(leaves)


@pytest.mark.parametrize("name", RULES)
def test_residuals_of_backward_rules(name):
    """A forward rule may hand on the pullback itself, in every mode."""
    f = RULES[name]
    ruled = dx.custom_vjp(f)
    ruled.defvjp(lambda x: dx.vjp(f, x), lambda pull, ct: pull(ct))
    uses = {
        "plain": lambda f: f,
        "jit": dx.jit,
        "loop": lambda f: lambda x: lax.scan(lambda c, _: (f(c), c), x, None, length=2),
        "conditional": lambda f: lambda x: lax.cond(x[1] < 0, f, lambda x: x, x),
        "checkpoint": dx.checkpoint,
    }
    for use in uses.values():
        mine, other = use(ruled), use(f)
        square = lambda g: lambda x: sum([jnp.sum(t * t) for t in dx.tree.leaves(g(x))])
        expected = dx.grad(square(other))(X)
        close(dx.grad(square(mine))(X), expected)
        close(dx.jit(dx.grad(square(mine)))(X), expected)
        close(dx.jvp(mine, (X,), (V,)), dx.jvp(other, (X,), (V,)))
        rows = dx.vmap(dx.grad(square(mine)))(np.stack([X, X]))
        close(rows, np.stack([expected, expected]))
