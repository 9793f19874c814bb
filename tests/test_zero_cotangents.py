"""A zero cotangent stays zero through a singular derivative.

`where(inside, f(x), 0)` does not depend on x where `inside` is false, so its derivatives there are
0: not nan, though f may be infinite or not defined there. Tested for every function with such
points: first and second derivatives, forward and reverse mode, eager and compiled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import diffeo as dx

dn = dx.numpy

# NumPy warns of what the test is about.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

#: name: (function, points at which it or a derivative is infinite or not defined)
ONE_OPERAND: dict[str, tuple[Callable, tuple]] = {
    "sqrt": (dn.sqrt, (0.0, -0.0, -1.0)),
    "rsqrt": (dx.lax.rsqrt, (0.0, -1.0)),
    "cbrt": (dn.cbrt, (0.0, -0.0)),
    "log": (dn.log, (0.0, -1.0)),
    "log2": (dn.log2, (0.0, -1.0)),
    "log10": (dn.log10, (0.0, -1.0)),
    "log1p": (dn.log1p, (-1.0, -2.0)),
    "exp": (dn.exp, (1e4, math.inf)),
    "exp2": (dn.exp2, (1e4, math.inf)),
    "expm1": (dn.expm1, (1e4, math.inf)),
    "sinh": (dn.sinh, (1e4, -math.inf)),
    "cosh": (dn.cosh, (1e4, -math.inf)),
    "reciprocal": (dn.reciprocal, (0.0, -0.0)),
    "1 / x": (lambda x: 1 / x, (0.0,)),
    "1 / x**2": (lambda x: 1 / (x * x), (0.0,)),
    "lax.integer_pow": (lambda x: dx.lax.integer_pow(x, -3), (0.0,)),
    "x ** -2": (lambda x: x**-2, (0.0,)),
    "x ** 0.5": (lambda x: x**0.5, (0.0, -1.0)),
    "x ** 1.5": (lambda x: x**1.5, (0.0, -1.0)),
    "x ** -0.5": (lambda x: x**-0.5, (0.0,)),
    "x ** x": (lambda x: x**x, (0.0, -1.0)),
    "2 ** x": (lambda x: 2**x, (1e4,)),
    "0 ** x": (lambda x: 0.0**x, (0.0, -1.0, 2.0)),
    "float_power": (lambda x: dn.float_power(x, 0.3), (0.0, -1.0)),
    "arcsin": (dn.arcsin, (1.0, -1.0, 2.0)),
    "arccos": (dn.arccos, (1.0, -1.0, 2.0)),
    "arccosh": (dn.arccosh, (1.0, 0.0, -1.0)),
    "arctanh": (dn.arctanh, (1.0, -1.0, 2.0)),
    "erf_inv": (dx.lax.erf_inv, (1.0, -1.0, 2.0)),
    "abs": (dn.abs, (0.0,)),
    "sinc": (dn.sinc, (0.0,)),
    "logistic": (dx.lax.logistic, (1e4, -1e4)),
    "hypot(x, x)": (lambda x: dn.hypot(x, x), (0.0,)),
    "hypot(x, 0)": (lambda x: dn.hypot(x, 0.0), (0.0,)),
    "arctan2(x, x)": (lambda x: dn.arctan2(x, x), (0.0,)),
    "arctan2(0, x)": (lambda x: dn.arctan2(0.0, x), (0.0,)),
    "logaddexp": (lambda x: dn.logaddexp(x, -x), (math.inf, -math.inf)),
    "logaddexp2": (lambda x: dn.logaddexp2(x, x), (math.inf, -math.inf)),
    "remainder by x": (lambda x: dx.lax.rem(1.0, x), (0.0,)),
    "mod by x": (lambda x: dn.mod(1.0, x), (0.0,)),
    "xlogy": (lambda x: dx.scipy.special.xlogy(x, x), (0.0, -1.0)),
    "xlogy(2, x)": (lambda x: dx.scipy.special.xlogy(2.0, x), (0.0, -1.0)),
    "xlog1py": (lambda x: dx.scipy.special.xlog1py(2.0, x), (-1.0, -2.0)),
    "logit": (dx.scipy.special.logit, (0.0, 1.0, -1.0)),
}

#: Functions of a vector, and vectors at which they are singular.
OF_VECTORS: dict[str, tuple[Callable, list[np.ndarray]]] = {
    "std": (dn.std, [np.zeros(3), np.full(3, 2.0)]),
    "var": (dn.var, [np.zeros(3), np.full(1, 2.0)]),
    "logsumexp": (dx.scipy.special.logsumexp, [np.full(3, -math.inf), np.zeros(1)]),
    "prod": (dn.prod, [np.zeros(3), np.array([2.0, 0.0])]),
    "cumprod": (lambda x: dn.cumprod(x)[-1], [np.zeros(3)]),
    "normalised": (lambda x: (x / dn.sqrt(dn.sum(x * x)))[0], [np.zeros(3)]),
    "cosine": (lambda x: dn.dot(x, x) / dn.linalg.norm(x), [np.zeros(3)]),
    **{
        f"norm, ord {order}": (
            lambda x, order=order: dn.linalg.norm(x, order),
            [np.zeros(3), np.array([0.0, 2.0])],
        )
        for order in (None, 1, 2, 3, 0.5, -1, -2, 0, math.inf, -math.inf)
    },
}

#: Functions of complex numbers, which are singular at these.
COMPLEX: dict[str, tuple[Callable, tuple]] = {
    "abs": (dn.abs, (0j,)),
    "angle": (dn.angle, (0j,)),
    "sign": (dn.sign, (0j,)),
    "sqrt": (dn.sqrt, (0j,)),
    "rsqrt": (dx.lax.rsqrt, (0j,)),
    "log": (dn.log, (0j,)),
    "log1p": (dn.log1p, (-1 + 0j,)),
    "reciprocal": (dn.reciprocal, (0j,)),
    "z ** 0.5": (lambda z: z**0.5, (0j,)),
    "z ** -2": (lambda z: z**-2, (0j,)),
    "z ** z": (lambda z: z**z, (0j,)),
    "arcsin": (dn.arcsin, (1 + 0j, -1 + 0j)),
    "arccos": (dn.arccos, (1 + 0j, -1 + 0j)),
    "arctan": (dn.arctan, (1j, -1j)),
    "arcsinh": (dn.arcsinh, (1j, -1j)),
    "arccosh": (dn.arccosh, (1 + 0j, -1 + 0j)),
    "arctanh": (dn.arctanh, (1 + 0j, -1 + 0j)),
    "norm": (lambda z: dn.linalg.norm(z[None]), (0j,)),
}


def guarded(f: Callable, on: Any) -> Callable:
    """A function that is f nowhere near, but could be."""

    def g(x: Any) -> Any:
        out = f(x)
        return dn.where(dn.array(False), dn.real(out) + dn.imag(out), 0.0) * dn.sum(on)

    return g


def derivatives(g: Callable) -> dict[str, Callable]:
    """First and second derivatives of a scalar function of an array, by both modes."""
    one = lambda x: dn.full_like(x, 1.0)
    forward = lambda f: lambda x: dx.jvp(f, (x,), (one(x),))[1]
    gradient = dx.grad(g)
    return {
        "reverse": gradient,
        "forward": forward(g),
        "forward over reverse": forward(gradient),
        "forward over forward": forward(forward(g)),
        "reverse over reverse": dx.grad(lambda x: dn.sum(dn.real(gradient(x)))),
        "reverse over forward": dx.grad(forward(g)),
        "Taylor": lambda x: dx.taylor(g, (x,), (one(x),), 3)[3],
    }


def assert_zero(f: Callable, points: Any) -> None:
    for point in points:
        x, table = dn.array(point), derivatives(guarded(f, dn.ones(2)))
        every = lambda x, table=table: {how: d(x) for how, d in table.items()}
        for mode, run in (("eager", every), ("compiled", dx.jit(every))):
            for how, found in run(x).items():
                assert not np.any(found), f"{mode}, {how}, at {point}: {found}"


@pytest.mark.parametrize("name", ONE_OPERAND)
@pytest.mark.sampled(2)
def test_functions_of_real_numbers(name: str):
    assert_zero(*ONE_OPERAND[name])


@pytest.mark.parametrize("name", OF_VECTORS)
def test_functions_of_vectors(name: str):
    assert_zero(*OF_VECTORS[name])


@pytest.mark.parametrize("name", COMPLEX)
def test_functions_of_complex_numbers(name: str):
    assert_zero(*COMPLEX[name])


@pytest.mark.parametrize(
    ("f", "at"),
    [
        (dn.arctan2, (0.0, 0.0)),
        (dn.hypot, (0.0, 0.0)),
        (dn.power, (0.0, 0.0)),
        (dn.power, (0.0, -1.0)),
        (dn.power, (-1.0, 0.5)),
        (dn.divide, (0.0, 0.0)),
        (dn.divide, (1.0, 0.0)),
        (dn.divide, (math.inf, math.inf)),
        (dn.float_power, (0.0, 0.5)),
        (dn.logaddexp, (math.inf, math.inf)),
        (dn.logaddexp, (-math.inf, -math.inf)),
        (dx.scipy.special.xlogy, (0.0, 0.0)),
        (dx.scipy.special.xlog1py, (0.0, -1.0)),
        (dx.lax.rem, (1.0, 0.0)),
    ],
    ids=lambda v: getattr(v, "__name__", str(v)),
)
def test_functions_of_two_operands(f: Callable, at: tuple[float, float]):
    for i in range(2):
        assert_zero(lambda x: f(*[x if k == i else at[k] for k in range(2)]), [at[i]])  # noqa: B023
    assert_zero(lambda v: f(v[0], v[1]), [np.array(at)])


def test_where_of_an_array_is_zero_only_where_it_is_guarded():
    x = dn.array([-1.0, 0.0, 4.0])
    gradient = dx.grad(lambda x: dn.sum(dn.where(x > 0, dn.sqrt(x), 0.0)))
    np.testing.assert_allclose(gradient(x), [0.0, 0.0, 0.25])
    np.testing.assert_allclose(dx.jit(gradient)(x), [0.0, 0.0, 0.25])
    curvature = dx.grad(lambda x: dn.sum(gradient(x)))
    np.testing.assert_allclose(curvature(x), [0.0, 0.0, -1 / 32])


def test_a_singular_derivative_that_matters_stays_infinite():
    assert dx.grad(dn.sqrt)(0.0) == math.inf
    assert dx.grad(dn.log)(0.0) == math.inf
    assert dx.grad(dn.cbrt)(0.0) == math.inf
