"""custom_root and custom_linear_solve: derivatives through what is solved, of every order."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import diffeo as dx
from tests.checks import raises

jax.config.update("jax_enable_x64", True)
# fmt: off

RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(4, 4)) + 4 * np.eye(4)
B = RNG.normal(size=4)


def by_iteration(lib):
    """Jacobi's iteration for A x = b, of as many steps as it takes."""
    def solve(a, b):
        diagonal = lib.numpy.diag(a)

        def iterate(matvec, b):
            def going(state):
                x, last, steps = state
                return (lib.numpy.max(lib.numpy.abs(x - last)) > 1e-15) & (steps < 500)

            def step(state):
                x, _, steps = state
                return x + (b - matvec(x)) / diagonal, x, steps + 1

            return lib.lax.while_loop(going, step, (b / diagonal, b * 1e9, 0))[0]

        return lib.lax.custom_linear_solve(
            lambda x: a @ x, b, iterate, transpose_solve=iterate)
    return solve


def direct(lib):
    return lambda a, b: lib.numpy.linalg.solve(a, b)


TRANSFORMED = {
    "value": lambda lib, f: f,
    "jvp": lambda lib, f: lambda a, b: lib.jvp(f, (a, b), (0.1 * a + 1.0, b)),
    "gradient": lambda lib, f: lib.grad(lambda a, b: lib.numpy.sum(f(a, b) ** 2), (0, 1)),
    "hessian": lambda lib, f: lib.hessian(lambda a, b: lib.numpy.sum(f(a, b) ** 2), 1),
    "vmap": lambda lib, f: lambda a, b: lib.vmap(f, (None, 0))(a, lib.numpy.stack([b, 2 * b])),
    "vmap of matrices": lambda lib, f: lambda a, b: lib.vmap(f, (0, None))(
        lib.numpy.stack([a, a.T]), b),
    "gradient of vmap": lambda lib, f: lib.grad(lambda a, b: lib.numpy.sum(
        lib.vmap(f, (None, 0))(a, lib.numpy.stack([b, 2 * b])) ** 3)),
}


@pytest.mark.parametrize("name", TRANSFORMED)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_linear_solve(name: str, compiled: bool):
    found = TRANSFORMED[name](dx, by_iteration(dx))
    expected = TRANSFORMED[name](jax, direct(jax))(MATRIX, B)
    found = (dx.jit(found) if compiled else found)(MATRIX, B)
    for a, b in zip(dx.tree.leaves(found), jax.tree.leaves(expected)):
        np.testing.assert_allclose(a, b, 1e-9, 1e-11)


def test_linear_solve_of_every_order():
    f = lambda t: by_iteration(dx)(MATRIX + t * np.eye(4), B)[0]
    plain = lambda t: direct(dx)(MATRIX + t * np.eye(4), B)[0]
    np.testing.assert_allclose(
        np.array(dx.derivatives(f, 0.3, 5)), np.array(dx.derivatives(plain, 0.3, 5)), rtol=1e-8)


def test_trees_symmetry_and_auxiliary_data():
    def solution(a, b):
        return dx.lax.custom_linear_solve(
            lambda x: {"u": a * x["u"], "v": 2 * x["v"]}, b,
            lambda f, b: ({"u": b["u"] / a, "v": b["v"] / 2}, {"steps": 7}),
            symmetric=True, has_aux=True)

    b = {"u": 3.0, "v": dx.numpy.ones(2)}
    x, aux = solution(2.0, b)
    assert float(x["u"]) == 1.5 and int(aux["steps"]) == 7
    gradient = dx.grad(lambda a: solution(a, b)[0]["u"])(2.0)
    assert float(gradient) == -0.75  # although the solver, too, closes over a


def newton(lib):
    def solve(f, x):
        slope = lib.jacfwd(f)
        step = lambda i, x: x - (lib.numpy.linalg.solve(slope(x), f(x)) if x.shape else
                                 f(x) / slope(x))
        return lib.lax.fori_loop(0, 30, step, x)
    return solve


def root(lib):
    def of(p):
        f = lambda x: lib.numpy.stack([x[0] ** 2 + p * x[1] - 3.0, x[0] * x[1] - p])
        return lib.lax.custom_root(
            f, lib.numpy.array([1.0, 1.0]), newton(lib),
            lambda g, y: lib.numpy.linalg.solve(lib.jacfwd(g)(y), y))
    return of


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_root_as_in_jax(compiled: bool):
    for transform in (
        lambda lib: root(lib),
        lambda lib: lib.jacfwd(root(lib)),
        lambda lib: lib.jacrev(root(lib)),
        lambda lib: lib.hessian(root(lib)),
        lambda lib: lambda p: lib.vmap(root(lib))(lib.numpy.stack([p, p + 0.1])),
        lambda lib: lambda p: lib.vmap(lib.grad(lambda p: root(lib)(p)[0]))(
            lib.numpy.stack([p, p + 0.1])),
    ):
        f, g = transform(dx), transform(jax)
        np.testing.assert_allclose((dx.jit(f) if compiled else f)(1.2), g(1.2), rtol=1e-9)


def test_root_of_every_order():
    f = lambda a: dx.lax.custom_root(
        lambda x: x * x - a, 1.0, newton(dx), lambda g, y: y / g(1.0))
    np.testing.assert_allclose(
        np.array(dx.derivatives(f, 2.0, 6)), np.array(dx.derivatives(dx.numpy.sqrt, 2.0, 6)),
        rtol=1e-10)
    assert float(dx.grad(lambda g: dx.lax.custom_root(
        lambda x: x - 2.0, g, lambda f, x: x - f(x), lambda g, y: y))(5.0)) == 0.0


def test_bad_input():
    solve = dx.lax.custom_linear_solve
    with raises(TypeError, "matvec", "expects a function"):
        solve(1.0, B, lambda f, b: b)
    with raises(TypeError, "matvec must return what b is", "f64[4]", "f64[]"):
        solve(lambda x: x[0], B, lambda f, b: b)
    with raises(TypeError, "solve must return what b is", "['u']"):
        solve(lambda x: x, {"u": B}, lambda f, b: {"v": B})
    with raises(TypeError, "transpose_solve", "symmetric=True"):
        dx.grad(lambda b: dx.numpy.sum(solve(lambda x: 2 * x, b, lambda f, b: b / 2)))(B)
    with raises(TypeError, "has_aux=True", "pair"):
        solve(lambda x: x, B, lambda f, b: b, has_aux=True)
    with raises(TypeError, "f must return what the initial guess is", "f64[2]"):
        dx.lax.custom_root(lambda x: np.ones(2), 1.0, lambda f, x: x, lambda g, y: y)
