"""Special functions of each element: gamma and its derivatives, zeta, erfc; and how such functions
are written.

A formula that no NumPy function and no operation of StableHLO has is written once, over an `m`
that is NumPy (`HOST`) or the language itself (`TRACED`): its functions go by the names of the
table in `elementwise.py`, and `m.loop` repeats. So evaluation and lowering cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .core import Primitive
from .elementwise import ELEMENTWISE, Elementwise, exp, select
from .families import full, full_like
from .formulas import in_float32
from .reduction import reduce_or
from .reference import special_function
from .structural import broadcast_in_dim, convert_element_type
from .types import ShapedArray, float32


class Operations:
    """Functions of elements, by the names of the table, and a choice and a loop."""

    def __init__(self, **given: Callable):
        self.__dict__.update(given)

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__[name] = self.of(ELEMENTWISE[name])
        return found


def _host_loop(going: Callable, step: Callable, values: Sequence[Any]) -> Sequence[Any]:
    while np.any(going(*values)):
        values = step(*values)
    return values


@dataclass(frozen=True, eq=False, repr=False)
class Repeat(Primitive):
    """`step` on some arrays, again and again, while `going` holds anywhere; of lowering only, where
    nothing is differentiated.
    """

    going: Callable
    step: Callable
    multiple_results = True

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        return list(avals)

    def lower(self, ctx: Any, *values: Any) -> Any:
        def anywhere(*xs: Any) -> Any:
            flag = self.going(*xs)
            return reduce_or(flag, range(flag.ndim))

        return ctx.while_loop(anywhere, lambda *xs: list(self.step(*xs)), values)


#: `of` makes any primitive a function; `number` is an array without axes, `spread` gives it axes.
HOST = Operations(
    of=lambda primitive: primitive.impl,
    where=np.where,
    loop=_host_loop,
    full=lambda value, like: np.full_like(like, value),
    number=lambda value, like: like.dtype.type(value),
    spread=lambda number, like: number,
)
TRACED = Operations(
    of=lambda primitive: primitive.bind,
    where=select,
    loop=lambda going, step, values: Repeat(going, step).bind(*values),
    full=lambda value, like: full_like(like, value),
    number=lambda value, like: full((), value, like.dtype),
    spread=lambda number, like: broadcast_in_dim(number, like.shape, ()),
)


def evaluate(formula: Callable, *xs: Any) -> Any:
    """A formula by NumPy; narrow floats are computed in float32."""
    dtype = xs[0].dtype
    wide = [x if dtype.itemsize >= 4 else x.astype(np.float32) for x in xs]
    with np.errstate(all="ignore"):
        return np.asarray(formula(HOST, *wide)).astype(dtype, copy=False)


def lower_formula(ctx: Any, formula: Callable, *values: Any) -> Any:
    """A formula in the program; narrow floats are computed in float32."""
    dtype = values[0].aval.dtype

    def in_primitives(*xs: Any) -> Any:
        if dtype.itemsize >= 4:
            return formula(TRACED, *xs)
        return convert_element_type(
            formula(TRACED, *[convert_element_type(x, float32) for x in xs]), dtype
        )

    return ctx.inline(in_primitives, *values)


class FormulaRow(Elementwise):
    """A row of the table that is a formula over NumPy or primitives; its operands are arrays."""

    takes_scalars = False

    def __init__(self, name: str, formula: Callable, *derivatives: Any, impl: Any = None):
        super().__init__(
            name,
            impl or (lambda *xs: evaluate(formula, *xs)),
            lambda ctx, *values: lower_formula(ctx, formula, *values),
            *derivatives,
            accepts="f",
            singular=True,
        )


class Special(Primitive):
    """A family of functions of each element, told apart by static parameters, with a derivative by
    each operand.
    """

    accepts = "f"
    same_type = True
    singular = True
    result = None
    abstract_eval = Elementwise.abstract_eval
    batch = Elementwise.batch
    jvp = Elementwise.jvp

    @property
    def _name(self) -> str:
        return self.name

    @property
    def derivatives(self) -> list[tuple[Callable, bool]]:
        """(derivative, whether it asks for the result) by each operand."""
        return [(d, d.__code__.co_argcount > len(self.slopes())) for d in self.slopes()]

    def slopes(self) -> Sequence[Callable]:
        """The derivatives by each operand, as in a row of the table."""
        raise self.missing("slopes", "forward-mode differentiation")


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """The sum of coefficients[k] * x**k, by Horner's rule."""
    total = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


# --------------------------------------------------------------------------------------------------
# The logarithm of gamma, and its derivatives


@cache
def zeta_minus_one(s: int) -> float:
    """The sum of k**-s over k >= 2, by Euler and Maclaurin from k = 20 on."""
    tail = 20.0 ** (1 - s) / (s - 1) + 20.0**-s / 2 + s * 20.0 ** (-s - 1) / 12
    tail += -s * (s + 1) * (s + 2) * 20.0 ** (-s - 3) / 720
    tail += s * (s + 1) * (s + 2) * (s + 3) * (s + 4) * 20.0 ** (-s - 5) / 30240
    return math.fsum([*[float(k) ** -s for k in range(2, 20)], tail])


EULER = 0.5772156649015328606
#: Where the series of lgamma and digamma at their zeros take over.
_NEAR = 0.02


def _lgamma_series(m: Any, x: Any) -> Any:
    """log gamma near its zeros 1 and 2, where XLA's and SciPy's have only their absolute error
    small: -EULER z + the sum of zeta(k) (-z)**k / k; at 2, with 1 less than EULER and zeta(k).
    """
    at_two = x > 1.5
    less = m.where(at_two, 1.0, x * 0.0)
    z = m.where(at_two, 2.0 - x, 1.0 - x)
    total = 0.0
    for k in range(9, 1, -1):
        total = (total + (zeta_minus_one(k) + 1.0 - less) / k) * z
    return (total + (EULER - less)) * z


#: The number nearest to the positive zero of digamma, and the Taylor coefficients there.
_ROOT = 1.4616321449683622
_AT_ROOT = (-9.241265521729427e-17, 0.9676722454476212, -0.4427631689835921, 0.258499760955651,
            -0.16394270544240652, 0.10782405069126237, -0.07219956125645471, 0.04880428816414311)  # fmt: skip


@in_float32
def _lower_lgamma(ctx: Any, x: Any) -> Any:
    def refined(x: Any, coarse: Any) -> Any:
        near = TRACED.abs(TRACED.abs(x - 1.5) - 0.5) < _NEAR
        return select(near, _lgamma_series(TRACED, x), coarse)

    return ctx.inline(refined, x, ctx.op("chlo.lgamma", x, out=x.aval))


@in_float32
def _lower_digamma(ctx: Any, x: Any) -> Any:
    def refined(x: Any, coarse: Any) -> Any:
        z = x - _ROOT
        return select(TRACED.abs(z) < _NEAR, polynomial(z, _AT_ROOT), coarse)

    return ctx.inline(refined, x, ctx.op("chlo.digamma", x, out=x.aval))


def _host_lgamma(x: Any) -> Any:
    """SciPy's, with the series where it is better."""
    out = np.asarray(special_function("gammaln")(x))
    with np.errstate(invalid="ignore"):
        near = np.abs(np.abs(x - 1.5) - 0.5) < _NEAR
    if near.any():
        out[near] = _lgamma_series(HOST, x[near].astype(np.float64))
    return out


digamma = Elementwise("digamma", special_function("digamma"), _lower_digamma,
                      lambda x: Polygamma(1).bind(x), accepts="f", singular=True)  # fmt: skip
lgamma = Elementwise("lgamma", _host_lgamma, _lower_lgamma,
                     lambda x: digamma.bind(x), accepts="f", singular=True)  # fmt: skip
erfc = Elementwise("erfc", special_function("erfc"), in_float32(lambda ctx, x: ctx.op(
    "chlo.erfc", x, out=x.aval)), lambda x: exp.bind(-x * x) * (-2 / math.sqrt(math.pi)),
    accepts="f", singular=True)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Polygamma(Special):
    """The n-th derivative of digamma, for a static n: (-1)**(n+1) n! zeta(n+1, x)."""

    n: int

    def impl(self, x: np.ndarray) -> np.ndarray:
        return evaluate(self.formula, x)

    def lower(self, ctx: Any, x: Any) -> Any:
        return lower_formula(ctx, self.formula, x)

    def formula(self, m: Any, x: Any) -> Any:
        """The same over NumPy or primitives."""
        if self.n == 0:
            return m.digamma(x)
        factor = (-1.0) ** (self.n + 1) * math.gamma(self.n + 1.0)
        return m.of(Zeta())(m.full(self.n + 1.0, x), x) * factor

    def slopes(self) -> Sequence[Callable]:
        return (lambda x: Polygamma(self.n + 1).bind(x),)


#: Below, zeta of a negative argument that is no integer is not computed: nan.
_LEAST = -1e6
#: B(2j) / (2j)! for j = 1, 2, ..., of Bernoulli's numbers.
BERNOULLI = [(-1) ** (j + 1) * 2 * (zeta_minus_one(2 * j) + 1) / (2 * math.pi) ** (2 * j)
             for j in range(1, 13)]  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Zeta(Special):
    """Hurwitz's zeta function, the sum of (q + k)**-s over k >= 0, for s > 1; its n-th derivative
    by s.
    """

    n: int = 0

    def impl(self, s: np.ndarray, q: np.ndarray) -> np.ndarray:
        if self.n:
            return evaluate(self.formula, s, q)
        odd = (q < _LEAST) & (np.floor(q) != q)
        return np.where(odd, s.dtype.type(math.nan), special_function("zeta")(s, q))

    def lower(self, ctx: Any, s: Any, q: Any) -> Any:
        if self.n or s.aval.dtype.itemsize < 4:
            return lower_formula(ctx, self.formula if self.n else lambda m, *a: self.bind(*a), s, q)
        q, total = ctx.inline(self.from_one, s, q)
        return ctx.op("add", total, ctx.op("chlo.zeta", s, q, out=s.aval), out=s.aval)

    def from_one(self, s: Any, q: Any) -> Sequence[Any]:
        """The terms with q + k < 1 summed, as XLA's own formula is for q > 0, and that q + k."""
        odd = (q < _LEAST) & (TRACED.floor(q) != q)
        return TRACED.loop(
            lambda q, total, s: (q < 0.0) & (q > _LEAST),
            lambda q, total, s: (
                select(q < 0.0, q + 1.0, q), select(q < 0.0, total + q**-s, total), s),
            (q, select(odd, math.nan, q * 0.0), s),
        )[:2]  # fmt: skip

    def formula(self, m: Any, s: Any, q: Any) -> Any:
        """Ten terms, and Euler-Maclaurin's sum for the rest, with its Taylor coefficients in s."""
        n, count = self.n, 10
        total = sum([m.pow(q + k, -s) * (-m.log(q + k)) ** n for k in range(count)])
        w = q + float(count)
        inverse, rising, scale = 1.0 / (s - 1.0), [s, 1.0] + [0.0] * n, 1.0 / w
        rest = [(-inverse) ** k * inverse * w for k in range(n + 1)]
        rest[0] = rest[0] + 0.5
        for j, factor in enumerate(BERNOULLI):
            for c in (2.0 * j - 1.0, 2.0 * j) if j else ():
                rising = [r * (s + c) + (rising[k - 1] if k else 0.0)
                          for k, r in enumerate(rising)]  # fmt: skip
            rest = [r + rising[k] * (factor * scale) for k, r in enumerate(rest)]
            scale = scale / (w * w)
        logs = [(-m.log(w)) ** k / math.factorial(k) for k in range(n + 1)]
        tail = sum([r * logs[n - k] for k, r in enumerate(rest)]) * math.factorial(n)
        return m.where((s > 1.0) & (q > 0.0), total + m.pow(w, -s) * tail, math.nan)

    def slopes(self) -> Sequence[Callable]:
        def by_q(s: Any, q: Any) -> Any:
            found = -s * self.bind(s + 1.0, q)
            return found - Zeta(self.n - 1).bind(s + 1.0, q) * float(self.n) if self.n else found

        return lambda s, q: Zeta(self.n + 1).bind(s, q), by_q
