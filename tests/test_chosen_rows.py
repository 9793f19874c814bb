"""Rows of a batch that did not choose a branch, or have left a loop, take no part in it: it need
not end on what they hold, and no nan of its derivatives reaches anybody.

The law: what `vmap` makes of a function has the values and derivatives that a Python loop over the
rows has, where each row runs what it chose, and nothing else.
"""

from __future__ import annotations

import numpy as np
import pytest

import diffeo as dx

lax, dnp = dx.lax, dx.numpy

X = np.array([[0.0, 0.0], [1.0, 2.0], [-3.0, 0.5], [0.0, -1.0]])
#: Functions of a shared parameter and a row. Where another branch is chosen, each has derivatives
#: that are nan, in the row or in the parameter.
# fmt: off
HARMFUL = {
    "norm": lambda p, x: p[0] * dnp.sqrt(dnp.sum(x * x) * p[1]),
    "power": lambda p, x: dnp.sum(abs(p * x) ** (p[0] - 0.5)),
    "inverse": lambda p, x: dnp.sum(dnp.linalg.solve(dnp.outer(p * x, x) + x[0] * dnp.eye(2), p)),
    "overflow": lambda p, x: dnp.sum(p / (x * x) * dnp.exp(x / (x * x))),
    "loop": lambda p, x: lax.fori_loop(
        0, 3, lambda i, y: dnp.sqrt(y + p[1] * x[0] ** 2), 0.0 * x[0]),
    "custom": lambda p, x: dx.checkpoint(lambda x: dnp.log(dnp.prod(p) * dnp.sum(x * x)))(x),
}
# fmt: on
PLAIN = lambda p, x: dnp.sum(p * x) ** 2 * x[1]


def choose(harmful, p, x):
    return lax.cond(dnp.sum(abs(x)) > 1.5, harmful, PLAIN, p, x)


def switched(harmful, p, x):
    index = dnp.where(dnp.sum(abs(x)) > 1.5, 2, -1) + dnp.sign(x[0]).astype(int)
    return lax.switch(index, [PLAIN, harmful, lambda p, x: 2.0 * harmful(p, x)], p, x)


def in_a_scan(harmful, p, x):
    step = lambda c, s: (choose(harmful, p, x) + 0.5 * c * s, c)
    return lax.scan(step, 1.0, dnp.array([0.3, 0.6]))[0]


def in_a_loop(harmful, p, x):
    """Rows leave at different times, and where they then are, a further step would be nan."""
    going = lambda c: (c[0] < 2) & (dnp.sum(abs(c[1])) > 1.5)
    step = lambda c: (c[0] + 1, c[1] * 0.3 + 0.01 * harmful(p, c[1]))
    stop = lambda c: (c[0], c[1] * (dnp.sum(abs(c[1])) > 1.5))
    return dnp.sum(lax.while_loop(going, lambda c: stop(step(c)), (0, x))[1] * x)


def nested(harmful, p, x):
    inner = lambda y: choose(harmful, p, y)
    f = lambda x: dx.vmap(inner)(dnp.stack([x, 0.0 * x])).sum()
    return lax.cond(x[0] < 0.5, f, lambda x: dnp.sum(p) * inner(x), x)


CHOICES = (choose, switched, in_a_scan, in_a_loop, nested)
P = np.array([1.7, 0.8])


def total(f):
    return lambda p, X: dx.vmap(f, (None, 0))(p, X).sum()


def by_rows(f):
    return lambda p, X: sum([f(p, x) for x in X])


def both(f, p, X):
    """The derivatives by the parameter and the rows, in one vector."""
    return dnp.concatenate([dnp.ravel(d) for d in dx.grad(f, (0, 1))(p, X)])


def slope_of_gradient(f, p, X):
    """The derivatives of a sum of the first ones: in reverse mode twice."""
    weights = dnp.cos(dnp.arange(10.0))
    return both(lambda p, X: both(f, p, X) @ weights, p, X)


def forward(f, p, X):
    out, second = dx.jvp(lambda p, X: dx.jvp(f, (p, X), (P, dnp.cos(X)))[1], (p, X), (P, X))
    return dnp.stack([out, second])


def series(f, p, X):
    return dnp.stack(dx.derivatives(lambda t: f(p + t, X + t * dnp.cos(X)), 0.0, 3))


def slope_of_reverse(f, p, X):
    return dx.jvp(lambda p, X: both(f, p, X), (p, X), (P, dnp.cos(X)))[1]


MODES = {"reverse": both, "reverse of reverse": slope_of_gradient, "forward": forward,
         "forward of reverse": slope_of_reverse, "series": series}  # fmt: skip
#: The rest takes a minute each, most of it to compile second derivatives of loops.
CASES = [
    pytest.param(
        choice,
        harmful,
        mode,
        marks=[pytest.mark.exhaustive]
        if choice is in_a_loop and ("of" in mode or (harmful != "norm" and mode == "reverse"))
        else [],
        id=f"{choice.__name__}-{harmful}-{mode}",
    )
    for choice in CHOICES
    for harmful in HARMFUL
    for mode in MODES
]


@pytest.mark.parametrize(("choice", "harmful", "mode"), CASES)
@pytest.mark.sampled(2)
def test_rows_have_the_derivatives_of_what_they_chose(choice, harmful, mode):
    f, derivative = (lambda p, x: choice(HARMFUL[harmful], p, x)), MODES[mode]
    with np.errstate(all="ignore"):
        expected = derivative(by_rows(f), P, X)
        assert np.all(np.isfinite(expected))
        found = derivative(total(f), P, X)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
        if mode == "reverse" and choice in (choose, nested):
            compiled = dx.jit(lambda p, X: derivative(total(f), p, X))(P, X)
            np.testing.assert_allclose(compiled, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("harmful", HARMFUL)
def test_derivatives_of_each_row_for_itself(harmful):
    """vmap around the derivative: what is kept of another branch is no number of this one."""
    f = lambda p, x: choose(HARMFUL[harmful], p, x)
    with np.errstate(all="ignore"):
        expected = np.stack([dx.hessian(f, 1)(P, x) for x in X])
        assert np.all(np.isfinite(expected))
        found = dx.vmap(dx.hessian(f, 1), (None, 0))(P, X)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
        rows = lambda p, X: sum([dx.grad(f, 1)(p, x) @ x for x in X])
        batch = lambda p, X: dnp.sum(dx.vmap(dx.grad(f, 1), (None, 0))(p, X) * X)
        expected = both(rows, P, X)
        np.testing.assert_allclose(both(batch, P, X), expected, rtol=1e-10, atol=1e-10)


# -- Loops that would not end --

COUNT = lambda n: lax.while_loop(lambda c: c[0] != 0, lambda c: (c[0] - 1, c[1] + 1), (n, 0))[1]


def chosen_loop(n):
    return lax.cond(n >= 0, COUNT, lambda n: n, n)


def switched_loop(n):
    return lax.switch(n % 3, [lambda n: -n, COUNT, lambda n: COUNT(n + 1)], abs(n) * (n % 3 > 0))


def loop_in_a_loop(n):
    """The inner loop ends as long as the outer one runs, and not where it has ended."""
    step = lambda c: (c[0] - 2, c[1] + COUNT(c[0]))
    return lax.while_loop(lambda c: c[0] > 0, step, (n, 0))[1]


def conditional_in_a_loop(n):
    step = lambda i, t: t + lax.cond(n > i, lambda: COUNT(n - i), lambda: 0)
    return lax.fori_loop(0, 3, step, 0)


def dynamic_bounds(n):
    return lax.fori_loop(0, abs(n), lambda i, t: t + chosen_loop(n - i), 0)


LOOPS = (chosen_loop, switched_loop, loop_in_a_loop, conditional_in_a_loop, dynamic_bounds)


@pytest.mark.parametrize("compiled", [lambda f: f, dx.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("fun", LOOPS)
@pytest.mark.sampled(2)
def test_rows_that_did_not_choose_a_loop_do_not_keep_it_running(fun, compiled):
    for n in ([3, -2, 4], [-1, -5], [2, 5, -7, 0]):
        n, expected = np.array(n), [int(fun(m)) for m in n]
        assert compiled(dx.vmap(fun))(n).tolist() == expected
    grid = np.array([[3, -2], [-1, -4]])
    expected = [[int(fun(m)) for m in row] for row in grid]
    assert compiled(dx.vmap(dx.vmap(fun)))(grid).tolist() == expected
    assert compiled(dx.vmap(dx.vmap(fun), 1))(grid).T.tolist() == expected
    assert compiled(dx.vmap(fun))(np.zeros(0, int)).shape == (0,)


def test_derivatives_of_loops_that_would_not_end():
    decay = lambda p, x: lax.while_loop(lambda y: y != 0.5, lambda y: y - p * 0.5, x)
    f = lambda p, x: lax.cond(x > 0, decay, lambda p, x: x * p, p, x)
    x = np.array([2.5, -1.0, 0.3 - 0.6])
    total = lambda p, x: dx.vmap(f, (None, 0))(p, x).sum()
    found = dx.grad(total, (0, 1))(1.0, x)
    np.testing.assert_allclose(found[0], -2.0 + x[1] + x[2])
    np.testing.assert_allclose(found[1], [1.0, 1.0, 1.0])
    each = dx.jit(dx.vmap(dx.grad(f, (0, 1)), (None, 0)))(1.0, x)
    np.testing.assert_allclose(each[0], [-2.0, x[1], x[2]])
    np.testing.assert_allclose(dx.jvp(lambda p: total(p, x), (1.0,), (1.0,))[1], found[0])


def test_functions_of_the_host_see_what_they_are_meant_for():
    def root(x):
        assert x >= 0
        return np.sqrt(x)

    call = lambda x: dx.pure_callback(root, dx.ShapeDtypeStruct((), "float64"), x,
                                      vmap_method="sequential")  # fmt: skip
    f = lambda x: lax.cond(x >= 0, call, lambda x: x, x)
    for run in (dx.vmap(f), dx.jit(dx.vmap(f))):
        assert run(np.array([4.0, -1.0])).tolist() == [2.0, -1.0]
        assert run(np.array([-4.0, -1.0])).tolist() == [-4.0, -1.0]


def test_collectives_take_part_of_every_row():
    f = lambda x: lax.cond(x > 0, lambda x: lax.psum(x, "i"), lambda x: x, x)
    x = np.array([1.0, -2.0, 4.0])
    assert dx.vmap(f, axis_name="i")(x).tolist() == [3.0, -2.0, 3.0]
