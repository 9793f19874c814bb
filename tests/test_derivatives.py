"""Derivatives: complex numbers, Taylor series, singular points."""

import functools

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close, rng
from tests.checks import nothing_is_left_behind as nothing_is_left_behind

dnp = dx.numpy

try:
    import jax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

needs_jax = pytest.mark.skipif(jax is None, reason="jax is not installed")


# --------------------------------------------------------------------------------------------------
# Complex numbers


COMPLEX = {
    "abs squared": lambda lib, z: lib.sum(lib.abs(z) ** 2),
    "real of product": lambda lib, z: lib.sum(lib.real(z * z * (1 + 2j))),
    "imag of exp": lambda lib, z: lib.sum(lib.imag(lib.exp(z))),
    "conj": lambda lib, z: lib.sum(lib.real(lib.conj(z) * z**3)),
    "abs": lambda lib, z: lib.sum(lib.abs(lib.sin(z))),
    "log and tanh": lambda lib, z: lib.sum(lib.real(lib.log(z) * lib.tanh(z))),
    "quotient": lambda lib, z: lib.sum(lib.real((1 + z) / (2j - z))),
    "dot": lambda lib, z: lib.real(lib.dot(z, z)),
    "angle": lambda lib, z: lib.sum(lib.angle(z)),
}


@needs_jax
@pytest.mark.parametrize("name", COMPLEX)
def test_complex_gradients_are_jaxs(name):
    z = rng(4, kind=complex)
    f = COMPLEX[name]
    expected = jax.grad(functools.partial(f, jax.numpy))(z)
    for run in (lambda g: g, dx.jit):
        close(run(dx.grad(functools.partial(f, dnp)))(z), expected)


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_gradients_are_those_of_the_parts(name):
    z = rng(4, kind=complex)
    f = functools.partial(COMPLEX[name], dnp)
    gradient = np.asarray(dx.grad(f)(z))
    by_parts = dx.grad(lambda x, y: f(x + 1j * y), argnums=(0, 1))(z.real, z.imag)
    close(gradient, np.asarray(by_parts[0]) - 1j * np.asarray(by_parts[1]))
    descended = z - 1e-3 * gradient.conj()
    assert float(f(descended)) < float(f(z))


@needs_jax
def test_holomorphic_and_mixed():
    z = 0.3 + 0.7j
    f = lambda lib: lambda z: lib.sin(z) * z**2
    close(dx.grad(f(dnp), holomorphic=True)(z), jax.grad(f(jax.numpy), holomorphic=True)(z))
    mixed = lambda lib: lambda x: lib.abs(lib.exp(1j * x) * x)
    close(dx.grad(mixed(dnp))(0.7), jax.grad(mixed(jax.numpy))(0.7))
    value, tangent = dx.jvp(f(dnp), (z,), (1j,))
    expected = jax.jvp(f(jax.numpy), (z,), (1j,))
    close((value, tangent), tuple(expected))
    _, pullback = dx.vjp(f(dnp), z)
    close(pullback(1 + 2j), tuple(jax.vjp(f(jax.numpy), z)[1](1 + 2j)))


# --------------------------------------------------------------------------------------------------
# Taylor series


def test_taylor_through_everything():
    f = lambda x: np.exp(np.sin(x)) / (1 + x**2)
    expected = [float(d) for d in dx.derivatives(f, 0.3, 5)]
    reverse = f
    for k in range(4):
        assert float(reverse(0.3)) == pytest.approx(expected[k], rel=1e-10)
        reverse = dx.grad(reverse)
    compiled = dx.jit(lambda x: dx.derivatives(f, x, 5))(0.3)
    assert [float(d) for d in compiled] == pytest.approx(expected, rel=1e-10)
    assert [float(d) for d in dx.derivatives(dx.jit(f), 0.3, 5)] == pytest.approx(
        expected, rel=1e-10
    )
    rows = dx.vmap(lambda x: dx.derivatives(f, x, 5))(np.full(2, 0.3))
    close([r[1] for r in rows], [np.array(e) for e in expected], rtol=1e-10)
    assert float(dx.grad(lambda x: dx.derivatives(f, x, 4)[4])(0.3)) == pytest.approx(expected[5])
    assert float(dx.derivatives(dx.grad(f), 0.3, 4)[4]) == pytest.approx(expected[5])
    assert float(dx.derivatives(lambda x: dx.derivatives(f, x, 2)[2], 0.3, 3)[3]) == pytest.approx(
        expected[5]
    )


def test_taylor_of_trees():
    f = lambda t, s: {"p": t["x"] * s, "q": np.sum(t["x"])}
    x, v = rng(3), rng(3, seed=1)
    found = dx.taylor(f, ({"x": x}, 2.0), ({"x": v}, 1.0), 2)
    close(found[1], {"p": v * 2.0 + x, "q": np.sum(v)})
    close(found[2], {"p": v, "q": np.array(0.0)})
    assert len(dx.taylor(f, ({"x": x}, 2.0), ({"x": v}, 1.0), 0)) == 1


@needs_jax
def test_taylor_is_jaxs_jet_of_a_network():
    from jax.experimental import jet

    w = rng(3, 3)
    f = lambda lib: lambda x: lib.sum(lib.tanh(lib.dot(lib.tanh(lib.dot(x, w)), w)))
    x, v = rng(3, seed=1), rng(3, seed=2)
    zero = np.zeros(3)
    value, terms = jet.jet(f(jax.numpy), (x,), ((v, zero, zero, zero),))
    found = dx.taylor(f(dnp), (x,), (v,), 4)
    factorials = [1, 2, 6, 24]
    assert float(found[0]) == pytest.approx(float(value))
    assert [float(c) * n for c, n in zip(found[1:], factorials)] == pytest.approx(
        [float(t) for t in terms], rel=1e-9
    )


# --------------------------------------------------------------------------------------------------
# Safe derivatives: a zero cotangent stays zero


SAFE = {
    "sqrt": (lambda x: dnp.where(x > 0, dnp.sqrt(x), 0.0), 0.0),
    "log": (lambda x: dnp.where(x > 0, dnp.log(x), 0.0), 0.0),
    "log1p": (lambda x: dnp.where(x > -1, dnp.log1p(x), 0.0), -1.0),
    "division": (lambda x: dnp.where(x != 0, dnp.sin(x) / x, 1.0), 0.0),
    "reciprocal": (lambda x: dnp.where(x != 0, 1 / x, 0.0), 0.0),
    "power": (lambda x: dnp.where(x > 0, x**0.5, 0.0), 0.0),
    "negative power": (lambda x: dnp.where(x > 0, x**-2, 0.0), 0.0),
    "arccos": (lambda x: dnp.where(x < 1, dnp.arccos(x), 0.0), 1.0),
    "arcsin": (lambda x: dnp.where(x < 1, dnp.arcsin(x), 0.0), 1.0),
    "exp overflow": (lambda x: dnp.where(x < 100, dnp.exp(x), 0.0), 1e4),
    "cbrt": (lambda x: dnp.where(x > 0, dnp.cbrt(x), 0.0), 0.0),
    "norm": (lambda x: dnp.where(x > 0, dnp.sqrt(dnp.sum(x * dnp.ones(3) ** 2)), 0.0), 0.0),
    "arctanh": (lambda x: dnp.where(x < 1, dnp.arctanh(x), 0.0), 1.0),
    "cosh overflow": (lambda x: dnp.where(x < 100, dnp.cosh(x), 0.0), 1e4),
}


@pytest.mark.parametrize("name", SAFE)
@pytest.mark.parametrize("wrap", [lambda f: f, dx.jit], ids=["eager", "jit"])
def test_safe_derivatives(name, wrap):
    f, x = SAFE[name]
    assert wrap(dx.grad(f))(x) == 0.0
    assert wrap(lambda x: dx.jvp(f, (x,), (1.0,))[1])(x) == 0.0
    close(wrap(dx.vmap(dx.grad(f)))(np.full(2, x)), np.zeros(2))
    assert wrap(dx.grad(dx.grad(f)))(x) == 0.0


def test_a_derivative_that_is_infinite_is_so():
    assert dx.grad(dnp.sqrt)(0.0) == np.inf
    assert dx.grad(lambda x: x**0)(0.0) == 0.0
    assert dx.grad(lambda x: x**2)(0.0) == 0.0
    assert dx.grad(lambda x, y: x**y, argnums=1)(0.0, 2.0) == 0.0


def test_signed_zeros_are_not_one_constant():
    """The series of an operation is remembered per operands; 0.0 and -0.0 are equal in Python."""
    zeros = lambda x: (x * 0.0, x * -0.0)
    plus, minus = dx.taylor(zeros, (1.0,), (1.0,), 2)[1]
    assert not np.signbit(np.asarray(plus)) and np.signbit(np.asarray(minus))
