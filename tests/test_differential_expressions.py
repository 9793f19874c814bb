"""Expressions in D, and tensors of partial derivatives, against nested derivatives."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import diffeo as dx
from diffeo.differential.algebra import directions_of
from tests.checks import close, raises, rng

dnp = dx.numpy
D = dx.D
RUNS = {"eager": lambda f: f, "jit": dx.jit}
WEIGHTS = [rng(3, 6), rng(6, 3)]


def network(lib, x):
    return lib.numpy.exp(lib.numpy.sin(x @ WEIGHTS[0]) @ WEIGHTS[1] / 3) * lib.numpy.sqrt(1 + x @ x)


# --------------------------------------------------------------------------------------------------
# Expressions


def partial_derivative(f, indices):
    """By nested jvp, one level at a time."""
    by = lambda f, i: lambda x: dx.jvp(f, (x,), (np.eye(x.size)[i],))[1]
    return functools.reduce(by, indices, f)


@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 2), max_size=4), st.sampled_from([1.0, -2.0, 0.5])),
        min_size=1,
        max_size=4,
    )
)
def test_random_operators(terms):
    x = rng(3)
    f = lambda x: dnp.exp(dnp.sin(x[0]) * x[1] - 0.3 * x[2] ** 2 * x[0])
    operator = sum([c * math.prod([D(i) for i in indices]) for indices, c in terms])
    if not isinstance(operator, dx.Operator):  # numbers only
        operator = operator + 0 * D(0)
    expected = sum([c * float(partial_derivative(f, indices)(x)) for indices, c in terms])
    close(dx.differential_operator(f, operator)(x), np.float64(expected), rtol=1e-7, atol=1e-8)


def test_directions_are_few():
    """A power needs one direction; so does each power of the Laplacian of the plane, and so on."""
    assert len(directions_of("aaa")) == 1
    assert len(directions_of("ab")) == 2
    assert len(directions_of("aabb")) == 4
    for indices in ("aab", "abc", "aabbc"):
        points = rng(20, 3)
        by_name = dict(zip("abc", points.T))
        exact = math.prod([by_name[i] for i in indices])
        found = sum(
            [
                w * sum([c * by_name[i] for i, c in direction]) ** len(indices)
                for direction, w in directions_of(indices).items()
            ]
        )
        np.testing.assert_allclose(found / math.factorial(len(indices)), exact, rtol=1e-10)


def test_coefficients_of_operators():
    x = np.array([0.4, 1.1])
    f = lambda x: dnp.sin(x[0]) * x[1] ** 3
    s = math.sin(0.4)
    first = lambda x: x[0]
    operator = first * D(0) ** 2 + (lambda x: dnp.exp(x[1])) * D(1) - 3.0 + (lambda x: 2 * x[0])
    expected = 0.4 * -s * 1.1**3 + math.exp(1.1) * s * 3 * 1.1**2 + (0.8 - 3.0) * s * 1.1**3
    for run in RUNS.values():
        close(run(dx.differential_operator(f, operator))(x), expected, rtol=1e-10)
    # A coefficient may be traced, and differentiated by.
    viscous = lambda nu: dx.differential_operator(f, nu * D(0) ** 2 + D(1))(x)
    for run in RUNS.values():
        close(run(dx.grad(viscous))(0.1), -s * 1.1**3, rtol=1e-10)
    close(dx.differential_operator(f, D(0) * 0 + 2.0)(x), 2.0 * s * 1.1**3)
    assert dx.differential_operator(f, 0 * D(0))(x) == 0.0


def test_operators_on_several_arguments_and_grids():
    u = lambda x, t, k: dnp.sin(k * (x - 2 * t))
    wave = dx.differential_operator(u, D(1) ** 2 - 4 * D(0) ** 2, argnums=(0, 1))
    close(wave(0.3, 0.2, 1.7), 0.0, atol=1e-12)
    transport = dx.differential_operator(u, D(1) + 2 * D(0), argnums=(0, 1))
    close(dx.vmap(transport, (0, 0, None))(rng(4), rng(4), 1.7), np.zeros(4), atol=1e-12)
    grid = rng(2, 2)
    f = lambda g: g[0, 1] ** 2 * g[1, 0]
    close(dx.differential_operator(f, D(0, 1) ** 2 * D(1, 0))(grid), 2.0)


def test_lower_degrees_share_directions():
    """Of u'''' + u'' one pass is made: fewer equations than of both."""
    u = lambda x: dnp.tanh(dnp.sin(x[0]) * x[0] + x[1])
    count = lambda op: len(dx.make_jaxpr(dx.differential_operator(u, op))(np.ones(2)).eqns)
    assert count(D(0) ** 4 + D(0) ** 2) < count(D(0) ** 4) + 10


def test_laws_of_expressions():
    a, b, c = D(0), D(1), 2.0
    f = lambda x: dnp.exp(x[0] * x[1])
    apply = lambda op: float(dx.differential_operator(f, op)(np.array([0.3, 0.7])))
    pairs = [
        ((a + b) ** 2, a**2 + 2 * a * b + b**2),
        ((a - b) * (a + b), a**2 - b**2),
        (c * (a / c), a),
        (1 - a, -(a - 1)),
        (a**0, 0 * a + 1),
        (np.float64(2.0) * a, a * np.float64(2.0)),
        ((lambda x: x[0]) * (a * b), (lambda x: x[0]) * a * b),
    ]
    for left, right in pairs:
        close(apply(left), apply(right))
    assert repr((a + b) ** 2) == "D(0)**2 + 2.0 D(0) D(1) + D(1)**2"
    assert ((a + b) ** 3).order == 3
    assert repr(a - a) == "0"


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_derivative_tensors(jax, order):
    x = rng(3)
    expected = functools.partial(network, jax)
    for _ in range(order):
        expected = jax.jacfwd(expected)
    for run in RUNS.values():
        close(
            run(dx.derivative_tensor(functools.partial(network, dx), order))(x),
            expected(x),
            rtol=1e-7,
            atol=1e-8,
        )
    grid = rng(2, 2)
    f = lambda a, x: {"y": dnp.sin(a * x @ x), "z": x[0, 0] ** 3}
    nested = functools.partial(f, 0.5)
    for _ in range(order):
        nested = dx.jacfwd(nested)
    close(dx.derivative_tensor(f, order, argnums=1)(0.5, grid), nested(grid), rtol=1e-7, atol=1e-8)


# --------------------------------------------------------------------------------------------------
# Bad input


def test_bad_tensors():
    with raises(ValueError, "order", ">= 0", line="dx.derivative_tensor"):
        dx.derivative_tensor(lambda x: x, -1)
    with raises(TypeError, "one array", line="dx.derivative_tensor"):
        dx.derivative_tensor(lambda p: p["x"], 2)({"x": rng(2)})


def test_bad_expressions():
    f = lambda x: dnp.sum(x**2)
    with raises(TypeError, "expression in D", line="dx.differential_operator"):
        dx.differential_operator(f, 3.0)
    with raises(IndexError, "(5,)", "3 elements", line="dx.differential_operator"):
        dx.differential_operator(f, D(5))(rng(3))
    with raises(TypeError, "scalar", "float64[3]", line="dx.differential_operator"):
        dx.differential_operator(f, (lambda x: x) * D(0))(rng(3))
    with raises(TypeError, "product rule", line="D(0) * (lambda"):
        D(0) * (lambda x: x[0])
    with raises(TypeError, "whole numbers", line="D("):
        D(-1)
    with raises(TypeError, "whole numbers", line="D("):
        D()
    with raises(ValueError, "power of an operator", line="D(0)"):
        D(0) ** 0.5
    with raises(TypeError, "made of D(i), numbers", line="D(0)"):
        D(0) + "x"
    with raises(TypeError, "made of D(i), numbers", line="D(0)"):
        rng(3) * D(0)
    with raises(TypeError, "divided by numbers", line="D(0)"):
        D(0) / D(1)
