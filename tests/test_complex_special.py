"""Special functions of complex numbers against SciPy, on all sides of their cuts, and their first
and second derivatives against mpmath; eager and compiled.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special

import diffeo as dx
from diffeo.scipy import special

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

mp = mpmath.MPContext()
mp.dps = 80

#: Real numbers have both signs of a zero imaginary part, and infinitely small ones.
POINTS = np.array(
    [complex(x, y) for x in (-20.3, -2.5, -0.7, 0.4, 1.3, 2.0, 7.1)
     for y in (0.0, -0.0, 1e-9, -0.2, 0.9, -4.0)]
    + [3 - 4j, 1e-10 + 1e-12j, -0.3 + 30j, 20 + 30j, 0.5 + 25j, 1e5 + 1j]
)  # fmt: skip
MODERATE = POINTS[(abs(POINTS) < 6) & (abs(POINTS.imag) > 1e-3)]

#: name: (ours, SciPy's or NumPy's, mpmath's)
FUNCTIONS: dict[str, Any] = {
    "gamma": (special.gamma, scipy.special.gamma, mp.gamma),
    "loggamma": (special.loggamma, scipy.special.loggamma, mp.loggamma),
    "digamma": (special.digamma, scipy.special.digamma, mp.digamma),
    "erf": (special.erf, scipy.special.erf, mp.erf),
    "erfc": (special.erfc, scipy.special.erfc, mp.erfc),
    "erfcx": (special.erfcx, scipy.special.erfcx, lambda z: mp.exp(z * z) * mp.erfc(z)),
    "dawsn": (special.dawsn, scipy.special.dawsn,
              lambda z: mp.sqrt(mp.pi) / 2 * mp.exp(-z * z) * mp.erfi(z)),
    "ndtr": (special.ndtr, scipy.special.ndtr, lambda z: mp.erfc(-z / mp.sqrt(2)) / 2),
    "log_ndtr": (special.log_ndtr, None,
                 lambda z: mp.log(mp.erfc(-z / mp.sqrt(2)) / 2)),
    "wofz": (special.wofz, scipy.special.wofz, lambda z: mp.exp(-z * z) * mp.erfc(-1j * z)),
    "xlogy": (lambda z: special.xlogy(z, z), lambda z: scipy.special.xlogy(z, z),
              lambda z: z * mp.log(z)),
    "expit": (special.expit, None, lambda z: 1 / (1 + mp.exp(-z))),
    "logit": (special.logit, None, lambda z: mp.log(z / (1 - z))),
    "sinc": (dx.numpy.sinc, np.sinc, lambda z: mp.sin(mp.pi * z) / (mp.pi * z)),
    "expm1": (dx.numpy.expm1, np.expm1, mp.expm1),
    "log1p": (dx.numpy.log1p, None, mp.log1p),
    "log2": (dx.numpy.log2, np.log2, lambda z: mp.log(z) / mp.log(2)),
    "exp2": (dx.numpy.exp2, np.exp2, lambda z: mp.exp(z * mp.log(2))),
    "arctan": (dx.numpy.arctan, np.arctan, mp.atan),
    "arcsinh": (dx.numpy.arcsinh, np.arcsinh, mp.asinh),
    "arctanh": (dx.numpy.arctanh, np.arctanh, mp.atanh),
    "tanh": (dx.numpy.tanh, np.tanh, mp.tanh),
    "logaddexp": (lambda z: dx.numpy.logaddexp(z, 0.5 * z), None,
                  lambda z: mp.log(mp.exp(z) + mp.exp(z / 2))),
    "logaddexp2": (lambda z: dx.numpy.logaddexp2(z, 0.5 * z), None,
                   lambda z: mp.log(2**z + 2 ** (z / 2)) / mp.log(2)),
}  # fmt: skip


def close(found: Any, expected: np.ndarray, rtol: float) -> None:
    """As complex numbers, not part by part, where the expected ones are finite."""
    found, finite = np.asarray(found), np.isfinite(expected)
    wrong = finite & ~(np.abs(found - expected) <= rtol * np.abs(expected))
    assert not wrong.any(), [*zip(POINTS[: len(found)][wrong], found[wrong], expected[wrong])]


@pytest.mark.parametrize("name", [n for n, f in FUNCTIONS.items() if f[1] is not None])
def test_values_are_scipys(name):
    ours, theirs, _ = FUNCTIONS[name]
    expected = theirs(POINTS)
    for run in (ours, dx.jit(ours)):
        close(run(POINTS), expected, 1e-12)
    assert run(POINTS.astype(np.complex64)).dtype == np.complex64


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.sampled(2)
def test_values_and_derivatives_are_mpmaths(name):
    ours, _, exact = FUNCTIONS[name]
    h = mp.mpf(10) ** -20
    rows = []
    for z in map(complex, MODERATE):
        z = mp.mpc(z)
        below, at, above = (exact(w) for w in (z - h, z, z + h))
        rows.append(
            [complex(v) for v in (at, (above - below) / (2 * h), (above - 2 * at + below) / h**2)]
        )
    expected = np.array(rows).T
    slope = lambda f: lambda z: dx.jvp(f, (z,), (dx.numpy.ones_like(z),))[1]

    def level_by_level(z: Any) -> Any:
        with dx.config.separate_derivatives():
            return slope(slope(ours))(z)

    def everything(z: Any) -> list[Any]:
        gradient = dx.vmap(dx.grad(ours, holomorphic=True))
        return [ours(z), slope(ours)(z), gradient(z), level_by_level(z)]

    for run in (everything, dx.jit(everything)):
        for found, want in zip(run(MODERATE), expected[[0, 1, 1, 2]], strict=True):
            close(found, want, 1e-11)


def test_the_gradient_of_the_absolute_value_at_zero():
    z = np.array([0j, 3 + 4j, 1e-200 - 1e-200j, 1e200 + 0j])
    expected = np.array([0j, 0.6 - 0.8j, (1 + 1j) / np.sqrt(2), 1])
    for run in (lambda f: f, dx.jit):
        found = run(dx.grad(lambda z: dx.numpy.sum(abs(z))))(z)
        np.testing.assert_allclose(found, expected, 1e-15)
        as_pair = lambda p: abs(dx.lax.complex(p[0], p[1]))
        np.testing.assert_array_equal(run(dx.hessian(as_pair))(np.zeros(2)), np.zeros((2, 2)))
        hypot = lambda p: dx.numpy.hypot(p[0], p[1])
        np.testing.assert_array_equal(run(dx.hessian(hypot))(np.zeros(2)), np.zeros((2, 2)))
    assert [complex(c) for c in dx.taylor(abs, (0j,), (1 + 0j,), 3)] == [0j] * 4


def test_poles_of_gamma():
    poles = np.array([0j, -1 + 0j, complex(-4, -0.0)])
    for name in ("gamma", "loggamma", "digamma"):
        for run in (lambda f: f, dx.jit):
            found = np.asarray(run(getattr(special, name))(poles))
            np.testing.assert_array_equal(np.isnan(found), True)
