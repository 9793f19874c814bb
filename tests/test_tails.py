"""Values and first and second derivatives of functions of one number keep their relative accuracy
over the whole range of float64: in both tails, near 0, and beside singular points, by every way to
differentiate, eager and compiled, against mpmath with hundreds of digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest

import diffeo as dx
from diffeo.numpy.windows import i0
from diffeo.scipy import special

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

mp = mpmath.MPContext()
mp.dps = 620

#: Of the value and of both derivatives, where they are normal numbers.
TOLERANCE = 1e-12
NORMAL, LARGEST = 2.2250738585072014e-308, 1.7976931348623157e308


class Case(NamedTuple):
    """A function, the same by mpmath, and the numbers where it is tried."""

    ours: Callable
    exact: Callable
    points: np.ndarray
    #: Whether the function is smooth at 0.
    smooth: bool = True
    #: Of mpmath; fewer for functions that it computes slowly.
    digits: int = 620
    tolerance: float = TOLERANCE
    #: Why the tolerance is another one.
    reason: str = ""


def line(low: float = -300.0, high: float = 300.0, both: bool = True) -> np.ndarray:
    """Numbers of all magnitudes between two powers of ten, denser around 1, with odd digits."""
    powers = np.unique(
        np.clip([*range(-300, 301, 50), *range(-20, 21, 4), *np.arange(-2, 3.1, 0.25)], low, high)
    )
    x = 1.2345678901234567 * 10.0**powers
    return np.concatenate([x, -x]) if both else x


def within(low: float, high: float) -> np.ndarray:
    """Those numbers of the line that lie in an open interval."""
    x = line()
    return x[(x > low) & (x < high)]


def beside(*places: float, sides: Sequence[int] = (-1, 1)) -> np.ndarray:
    """Numbers that come near to places that are not 0."""
    steps = 2.0 ** -np.array([2.0, 5, 10, 20, 30, 40, 50, 52])
    return np.concatenate([p * (1 + side * steps) for p in places for side in sides])


@cache
def exact_derivatives(name: str) -> list[np.ndarray]:
    """Value and two derivatives, by central differences so small that their error is nothing."""
    case, found = CASES[name], []
    with mp.workdps(case.digits):
        for x in map(mp.mpf, map(float, case.points)):
            size = max(abs(x), 1) if case.smooth else abs(x)
            h = mp.mpf(10) ** -(case.digits // 6) * size
            below, at, above = (mp.mpf(mp.re(case.exact(y))) for y in (x - h, x, x + h))
            found.append((at, (above - below) / (2 * h), (above - 2 * at + below) / (h * h)))
    return [np.array([float(row[k]) for row in found]) for k in range(3)]


def level_by_level(f: Callable) -> Callable:
    """The second derivative, forward over reverse, not as a Taylor series."""

    def second(x: Any) -> Any:
        with dx.config.separate_derivatives():
            return dx.jvp(dx.grad(f), (x,), (1.0,))[1]

    return second


WAYS: dict[str, tuple[int, Callable]] = {
    "value": (0, lambda f: f),
    "grad": (1, dx.grad),
    "jvp": (1, lambda f: lambda x: dx.jvp(f, (x,), (1.0,))[1]),
    "grad of grad": (2, lambda f: dx.grad(dx.grad(f))),
    "jvp of grad, level by level": (2, level_by_level),
}


def wrong_places(found: np.ndarray, exact: np.ndarray, tolerance: float) -> np.ndarray:
    size = np.abs(exact)
    normal = (size >= NORMAL) & (size <= LARGEST)
    near = np.abs(found - exact) <= tolerance * size
    small = (size < NORMAL) & (np.abs(found) <= 2 * NORMAL)
    large = (size > LARGEST) & ~np.isnan(found) & (np.abs(found) > LARGEST / 2)
    return ~np.where(normal, near, small | large)


def check(name: str) -> list[str]:
    """What is wrong with a function, a line for each way and number."""
    case, lines = CASES[name], []
    exact = exact_derivatives(name)

    def everything(x: Any) -> list[Any]:
        return [dx.vmap(way(case.ours))(x) for _, way in WAYS.values()]

    for how, run in (("eager", everything), ("compiled", dx.jit(everything))):
        ways = [(label, k) for label, (k, _) in WAYS.items()]
        for (label, k), found in zip(ways, run(case.points), strict=True):
            found = np.asarray(found)
            for i in np.flatnonzero(wrong_places(found, exact[k], case.tolerance)):
                lines.append(
                    f"{name}, {label}, {how}, at {case.points[i]!r}: {found[i]!r}, exactly "
                    f"{exact[k][i]!r}"
                )
    return lines


def erfc(x: Any) -> Any:
    """mpmath's own raises OverflowError for large numbers."""
    return mp.erfc(x) if abs(x) < 1e4 else mp.mpf(0 if x > 0 else 2)


dnp, nn = dx.numpy, dx.nn
ALL, RIGHT = line(), line(both=False)
EXPONENT = within(-750, 720)
SMALL_TO_LARGE = ALL[(abs(ALL) > 1e-30) & (abs(ALL) < 1e5)]

CASES: dict[str, Case] = {
    "exp": Case(dnp.exp, mp.exp, EXPONENT),
    "exp2": Case(dnp.exp2, lambda x: mp.mpf(2) ** x, within(-1080, 1030)),
    "expm1": Case(dnp.expm1, mp.expm1, EXPONENT),
    "log": Case(dnp.log, mp.log, np.append(RIGHT, beside(1.0)), smooth=False),
    "log1p": Case(
        dnp.log1p, mp.log1p, np.concatenate([RIGHT, within(-1, 0), beside(-1.0, sides=[-1])])
    ),
    "log2": Case(dnp.log2, lambda x: mp.log(x, 2), np.append(RIGHT, beside(1.0)), smooth=False),
    "log10": Case(dnp.log10, lambda x: mp.log(x, 10), np.append(RIGHT, beside(1.0)), smooth=False),
    "sqrt": Case(dnp.sqrt, mp.sqrt, RIGHT, smooth=False),
    "rsqrt": Case(dx.lax.rsqrt, lambda x: 1 / mp.sqrt(x), RIGHT, smooth=False),
    "cbrt": Case(dnp.cbrt, lambda x: mp.sign(x) * mp.cbrt(abs(x)), ALL, smooth=False),
    "reciprocal": Case(dnp.reciprocal, lambda x: 1 / x, ALL, smooth=False),
    "square": Case(dnp.square, lambda x: x * x, ALL),
    # Beyond, the value is no normal number, with which the recurrence of its series begins.
    "power 2.5": Case(
        lambda x: x**2.5, lambda x: x ** mp.mpf(2.5), within(1e-121, 1e121), smooth=False
    ),
    "power -1.5": Case(lambda x: x**-1.5, lambda x: x ** mp.mpf(-1.5), RIGHT, smooth=False),
    "power of 1.5": Case(lambda x: 1.5**x, lambda x: mp.mpf(1.5) ** x, within(-1700, 1700)),
    "sin": Case(dnp.sin, mp.sin, within(-1e16, 1e16)),
    "cos": Case(dnp.cos, mp.cos, within(-1e16, 1e16)),
    "tan": Case(dnp.tan, mp.tan, np.append(within(-1e16, 1e16), beside(math.pi / 2))),
    "arcsin": Case(dnp.arcsin, mp.asin, np.append(within(-1, 1), beside(1.0, -1.0, sides=[-1]))),
    "arccos": Case(dnp.arccos, mp.acos, np.append(within(-1, 1), beside(1.0, -1.0, sides=[-1]))),
    "arctan": Case(dnp.arctan, mp.atan, ALL),
    "arctan2 by y": Case(lambda y: dnp.arctan2(y, 3e-5), lambda y: mp.atan2(y, mp.mpf(3e-5)), ALL),
    "arctan2 by x": Case(lambda x: dnp.arctan2(3e7, x), lambda x: mp.atan2(mp.mpf(3e7), x), ALL),
    "sinh": Case(dnp.sinh, mp.sinh, within(-720, 720)),
    "cosh": Case(dnp.cosh, mp.cosh, within(-720, 720)),
    "tanh": Case(dnp.tanh, mp.tanh, ALL),
    "arcsinh": Case(dnp.arcsinh, mp.asinh, ALL),
    "arccosh": Case(dnp.arccosh, mp.acosh, np.append(within(1, 1e308), beside(1.0, sides=[1]))),
    "arctanh": Case(dnp.arctanh, mp.atanh, np.append(within(-1, 1), beside(1.0, -1.0, sides=[-1]))),
    "hypot": Case(lambda x: dnp.hypot(x, 3e-5), lambda x: mp.sqrt(x * x + mp.mpf(3e-5) ** 2), ALL),
    "sinc": Case(dnp.sinc, mp.sincpi, within(-1e3, 1e3)),
    "logaddexp": Case(
        lambda x: dnp.logaddexp(x, 0.3),
        lambda x: mp.log(mp.exp(x) + mp.exp(mp.mpf(0.3))),
        within(-1e3, 1e3),
    ),
    "logaddexp2": Case(
        lambda x: dnp.logaddexp2(x, 0.3),
        lambda x: mp.log(2**x + mp.mpf(2) ** mp.mpf(0.3), 2),
        within(-1e3, 1e3),
    ),
    "erf": Case(special.erf, mp.erf, ALL),
    "erfc": Case(special.erfc, erfc, ALL),
    "erfinv": Case(
        special.erfinv,
        mp.erfinv,
        np.append(within(-1, 1), beside(1.0, -1.0, sides=[-1])),
        digits=400,
    ),
    "lax erf_inv": Case(
        dx.lax.erf_inv,
        mp.erfinv,
        np.append(within(-1, 1), beside(1.0, -1.0, sides=[-1])),
        digits=400,
        tolerance=2e-9,
        reason="compiled, it is XLA's polynomial; its derivative multiplies the error by 2 y**2",
    ),
    "erfcx": Case(special.erfcx, lambda x: mp.exp(x * x) * mp.erfc(x), within(-26, 1e20)),
    "ndtr": Case(special.ndtr, lambda x: erfc(-x / mp.sqrt(2)) / 2, within(-40, 1e20)),
    "log_ndtr": Case(
        special.log_ndtr, lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2), within(-1e10, 50)
    ),
    "dawsn": Case(
        special.dawsn,
        lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x),
        within(-100, 100),
        tolerance=2e-12,
        reason="SciPy's value, in eager mode: the second derivative has 60 times its error",
    ),
    "expit": Case(special.expit, lambda x: 1 / (1 + mp.exp(-x)), ALL),
    "logit": Case(
        special.logit,
        lambda x: mp.log(x / (1 - x)),
        np.append(within(0, 1), beside(1.0, sides=[-1])),
        smooth=False,
    ),
    "log_sigmoid": Case(nn.log_sigmoid, lambda x: -mp.log1p(mp.exp(-x)), ALL),
    "softplus": Case(nn.softplus, lambda x: mp.log1p(mp.exp(x)), ALL),
    "silu": Case(nn.silu, lambda x: x / (1 + mp.exp(-x)), ALL),
    "mish": Case(nn.mish, lambda x: x * mp.tanh(mp.log1p(mp.exp(x))), ALL),
    "gelu": Case(partial(nn.gelu, approximate=False), lambda x: x * erfc(-x / mp.sqrt(2)) / 2, ALL),
    "gelu by tanh": Case(
        nn.gelu,
        lambda x: x / (1 + mp.exp(-2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf(0.044715) * x**3))),
        ALL,
    ),
    "elu": Case(nn.elu, lambda x: x if x > 0 else mp.expm1(x), ALL, smooth=False),
    "celu": Case(
        lambda x: nn.celu(x, 1.5),
        lambda x: x if x > 0 else mp.expm1(x / 1.5) * 1.5,
        ALL,
        smooth=False,
    ),
    "selu": Case(
        lambda x: nn.selu(x) / 1.0507009873554805,
        lambda x: x if x > 0 else mp.expm1(x) * mp.mpf(1.6732632423543772),
        ALL,
        smooth=False,
    ),
    "soft_sign": Case(nn.soft_sign, lambda x: x / (1 + abs(x)), ALL, smooth=False),
    "squareplus": Case(nn.squareplus, lambda x: (x + mp.sqrt(x * x + 4)) / 2, ALL),
    "i0": Case(i0, lambda x: mp.besseli(0, x), within(-720, 720), digits=400),
    "i1": Case(special.i1, lambda x: mp.besseli(1, x), within(-720, 720), digits=400),
    "i0e": Case(
        special.i0e,
        lambda x: mp.besseli(0, x) * mp.exp(-abs(x)),
        ALL[abs(ALL) > 1e-60],
        digits=400,
        smooth=False,
    ),
    "i1e": Case(
        special.i1e,
        lambda x: mp.besseli(1, x) * mp.exp(-abs(x)),
        ALL[abs(ALL) > 1e-60],
        digits=400,
        smooth=False,
    ),
    "j0": Case(
        lambda x: special.bessel_jn(x, v=0)[0],
        lambda x: mp.besselj(0, x),
        within(-2, 2),
        digits=400,
    ),
    "j1": Case(
        lambda x: special.bessel_jn(x, v=1)[1],
        lambda x: mp.besselj(1, x),
        within(-1.5, 1.5),
        digits=400,
    ),
    "j3": Case(
        lambda x: special.bessel_jn(x, v=3)[3],
        lambda x: mp.besselj(3, x),
        within(-1.5, 1.5),
        digits=400,
        smooth=False,
    ),
    "gammaln": Case(
        special.gammaln,
        mp.loggamma,
        np.concatenate([RIGHT, beside(1.0, 2.0)]),
        digits=400,
        smooth=False,
    ),
    "digamma": Case(special.digamma, mp.digamma, RIGHT, smooth=False, digits=400),
    "polygamma 2": Case(
        lambda x: special.polygamma(2, x),
        lambda x: mp.polygamma(2, x),
        within(0, 1e20),
        digits=400,
        smooth=False,
    ),
    "gamma": Case(
        special.gamma,
        mp.gamma,
        np.concatenate([within(-1, 170), beside(-1.0, -2.0), np.array([-3.3, -20.7])]),
        digits=400,
        smooth=False,
    ),
    "factorial": Case(special.factorial, mp.factorial, within(0, 169), digits=400),
    "zeta": Case(
        special.zeta,
        lambda x: mp.zeta(x),
        np.append(within(1, 60), beside(1.0, sides=[1])),
        digits=300,
        smooth=False,
    ),
    "zeta by q": Case(
        lambda q: special.zeta(2.5, q),
        lambda q: mp.zeta(mp.mpf(2.5), q),
        within(0, 1e5),
        digits=60,
        smooth=False,
    ),
    "entr": Case(special.entr, lambda x: -x * mp.log(x), RIGHT, smooth=False),
    "xlogy by x": Case(lambda x: special.xlogy(x, 3.0), lambda x: x * mp.log(3), ALL),
    "xlogy by y": Case(
        lambda y: special.xlogy(3.0, y), lambda y: 3 * mp.log(y), RIGHT, smooth=False
    ),
    "xlog1py by y": Case(
        lambda y: special.xlog1py(3.0, y), lambda y: 3 * mp.log1p(y), within(-1, 1e300)
    ),
    "rel_entr by p": Case(
        lambda p: special.rel_entr(p, 0.7),
        lambda p: p * mp.log(p / mp.mpf(0.7)),
        RIGHT,
        smooth=False,
    ),
    "rel_entr by q": Case(
        lambda q: special.rel_entr(0.7, q),
        lambda q: mp.mpf(0.7) * mp.log(mp.mpf(0.7) / q),
        RIGHT,
        smooth=False,
    ),
    "kl_div by p": Case(
        lambda p: special.kl_div(p, 0.7),
        lambda p: p * mp.log(p / mp.mpf(0.7)) - p + mp.mpf(0.7),
        np.append(RIGHT, beside(0.7)),
        smooth=False,
    ),
    "kl_div by q": Case(
        lambda q: special.kl_div(0.7, q),
        lambda q: mp.mpf(0.7) * mp.log(mp.mpf(0.7) / q) - mp.mpf(0.7) + q,
        np.append(RIGHT, beside(0.7)),
        smooth=False,
    ),
    "boxcox": Case(
        lambda x: special.boxcox(x, 0.3),
        lambda x: (x ** mp.mpf(0.3) - 1) / mp.mpf(0.3),
        np.append(RIGHT, beside(1.0)),
        smooth=False,
    ),
    "boxcox by lambda": Case(
        lambda a: special.boxcox(2.0, a), lambda a: (mp.mpf(2) ** a - 1) / a, within(-1e300, 1000)
    ),
    "boxcox1p": Case(
        lambda x: special.boxcox1p(x, 0.3),
        lambda x: ((1 + x) ** mp.mpf(0.3) - 1) / mp.mpf(0.3),
        RIGHT,
    ),
    "expi": Case(special.expi, mp.ei, within(-740, 715), digits=400, smooth=False),
    "exp1": Case(special.exp1, mp.e1, within(0, 740), digits=400, smooth=False),
    "expn": Case(
        lambda x: special.expn(3, x),
        lambda x: mp.expint(3, x),
        within(1e-7, 700),
        digits=60,
        smooth=False,
    ),
    "sici sine": Case(lambda x: special.sici(x)[0], mp.si, within(-3, 3), digits=400),
    "sici cosine": Case(
        lambda x: special.sici(x)[1], mp.ci, within(0, 1), digits=400, smooth=False
    ),
    "fresnel sine": Case(lambda x: special.fresnel(x)[0], mp.fresnels, SMALL_TO_LARGE, digits=400),
    "fresnel cosine": Case(
        lambda x: special.fresnel(x)[1], mp.fresnelc, SMALL_TO_LARGE, digits=400
    ),
    "spence": Case(
        special.spence,
        lambda x: mp.re(mp.polylog(2, 1 - x)),
        np.append(within(1e-90, 1e200), beside(1.0)),
        digits=300,
        smooth=False,
    ),
    "ndtri": Case(
        special.ndtri,
        lambda p: -mp.sqrt(2) * mp.erfinv(1 - 2 * p),
        within(1e-60, 1),
        digits=400,
        smooth=False,
    ),
    "erfcinv": Case(
        special.erfcinv, lambda p: mp.erfinv(1 - p), within(1e-60, 2), digits=400, smooth=False
    ),
    "poch": Case(
        lambda m: special.poch(2.5, m),
        lambda m: mp.rf(mp.mpf(2.5), m),
        within(-2.4, 150),
        digits=400,
    ),
    "betaln": Case(
        lambda a: special.betaln(a, 0.7),
        lambda a: mp.loggamma(a) + mp.loggamma(mp.mpf(0.7)) - mp.loggamma(a + mp.mpf(0.7)),
        RIGHT,
        smooth=False,
        digits=620,
    ),
    "beta": Case(
        lambda a: special.beta(a, 0.3),
        lambda a: mp.beta(a, mp.mpf(0.3)),
        within(0, 1e20),
        digits=60,
        smooth=False,
    ),
    "multigammaln": Case(
        lambda a: special.multigammaln(a, 3),
        lambda a: sum(mp.loggamma(a - mp.mpf(i) / 2) for i in range(3)) + mp.log(mp.pi) * 3 / 2,
        within(5, 1e300),
        digits=60,
    ),
    "hyp1f1": Case(
        lambda x: special.hyp1f1(0.7, 2.5, x),
        lambda x: mp.hyp1f1(mp.mpf(0.7), mp.mpf(2.5), x),
        within(-100, 600),
        digits=60,
        tolerance=1e-10,
        reason="on the left, its derivatives are differences of those of the factors",
    ),
}


#: These take a second of mpmath or of compilation each, together most of the time.
SLOW = [
    *("erf", "erfc", "erfinv", "lax erf_inv", "ndtr", "gelu", "gelu by tanh", "mish", "dawsn"),
    *("digamma", "polygamma 2", "factorial", "zeta", "zeta by q", "fresnel sine", "beta"),
    *("fresnel cosine", "spence", "ndtri", "betaln", "i0e", "i1e", "j0", "j1", "j3", "expi"),
    *("exp1", "sici sine", "sici cosine", "expn", "hyp1f1", "multigammaln", "boxcox1p", "celu"),
    *("selu", "log2", "log10", "xlogy by x", "xlog1py by y", "logaddexp2", "i0", "gamma"),
]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in CASES]
)
@pytest.mark.sampled(4)
def test_relative_accuracy(name):
    wrong = check(name)
    assert not wrong, "\n".join(wrong[:20])
