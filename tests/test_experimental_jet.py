"""diffeo.experimental.jet: jax's signature, its terms (derivatives), trees and lengths."""

import math

import numpy as np
import pytest

import diffeo as dx
from diffeo.experimental.jet import fact, jet, jet2, jet_fun, zero_series, zero_term
from tests.checks import close, raises, rng

FUNCTIONS = {
    "sin": lambda np, x: np.sin(x),
    "tanh of a product": lambda np, x: np.tanh(x * x),
    "quotient": lambda np, x: np.exp(x) / (1 + x * x),
    "reduction": lambda np, x: np.sum(np.cos(x) * x, axis=0),
    "maximum": lambda np, x: np.maximum(x, 0.1) ** 3,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("scaled", [True, False])
def test_terms_as_in_jax(jax, name, scaled):
    from jax.experimental.jet import jet as theirs

    x, *terms = rng(5, 3)
    found, expected = (
        push(lambda x, np=np: FUNCTIONS[name](np, x), (x,), (terms,), factorial_scaled=scaled)
        for push, np in ((jet, dx.numpy), (theirs, jax.numpy))
    )
    close(dx.tree.map(np.asarray, found), dx.tree.map(np.asarray, expected), 1e-8, 1e-8)


@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
def test_terms_are_derivatives_along_a_curve(wrap):
    """Of f(x(t)) at 0, for x(t) with these derivatives: nested derivatives by t say the same."""
    x, *terms = rng(4, 2, seed=3)
    f = lambda x: dx.numpy.sin(x).sum() * x
    curve = lambda t: x + sum(c * t**k / math.factorial(k) for k, c in enumerate(terms, 1))
    y, found = wrap(lambda x, terms: jet(f, (x,), (terms,)))(x, terms)
    expected = lambda t: f(curve(t))
    close(y, np.asarray(f(x)))
    for term in found:
        expected = dx.jacfwd(expected)
        close(term, np.asarray(expected(0.0)), 1e-9, 1e-9)
    coefficients = [c / math.factorial(k) for k, c in enumerate(terms, 1)]
    _, unscaled = jet2(f, (x,), (coefficients,))
    for k, (a, b) in enumerate(zip(found, unscaled, strict=True), 1):
        close(a, np.asarray(b) * math.factorial(k))


def test_under_transformations():
    f = lambda x: dx.numpy.exp(dx.numpy.sin(x))
    second = lambda x: jet(f, (x,), ([1.0, 0.0],))[1][1]
    x = rng(3)
    expected = np.array([dx.grad(dx.grad(f))(v) for v in x])
    close(dx.vmap(second)(x), expected)
    close(dx.jit(dx.vmap(second))(x), expected)
    close(dx.vmap(dx.grad(second))(x), np.array([dx.nth_derivative(f, 3)(v) for v in x]), 1e-8)


def test_trees_integers_and_stand_ins():
    f = lambda p, n, z: {"out": [p["a"] * n + z], "n": n}
    args = ({"a": 2.0}, 3, 1.0)
    y, terms = jet(f, args, ({"a": [1.0, 4.0]}, [5, 5], zero_series))
    close(y, {"out": [7.0], "n": 3})
    close(terms["out"], [[3.0, 12.0]])
    assert [float(t) for t in terms["n"]] == [0.0, 0.0]
    y, terms = jet(f, args, ({"a": [1.0, 0.0]}, zero_series, [zero_term, 2.0]))
    close(terms["out"], [[3.0, 2.0]])
    close(jet(lambda x: x, (2.0,), ([],)), (2.0, []))
    close(jet_fun(lambda x, y: [x * y, x], 2)([2.0, 3.0], [[1.0, 0.0], zero_series]),
          ([6.0, 2.0], [[3.0, 0.0], [1.0, 0.0]]))  # fmt: skip
    assert fact(5) == 120.0
    close(fact(2.5), math.gamma(3.5))
    close(dx.jit(fact)(4.0), 24.0)


def test_bad_input():
    with raises(ValueError, "one number of terms", "[1, 2]", line="jet("):
        jet(lambda x, y: x * y, (1.0, 2.0), ([1.0], [1.0, 2.0]))
    with raises(ValueError, "an entry for each of 2 arguments, got 1", line="jet("):
        jet(lambda x, y: x * y, (1.0, 2.0), ([1.0],))
    with raises(TypeError, "the shape and dtype of its primal", line="jet("):
        jet(lambda x: x, (np.ones(2),), ([np.ones(3)],))
    with raises(ValueError, "each argument has 2 terms, got [1]", line="jet_fun("):
        jet_fun(lambda x: [x], 2)([1.0], [[1.0]])
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        jet(lambda x: x, (1.0,), ([1.0],), other=1)
