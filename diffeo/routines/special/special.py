"""Special functions of each element, gamma and its derivatives, zeta and erfc; and how they are
written.

Some formulas exist as no NumPy function and as no operation of StableHLO. Such a formula is written
once, over a parameter `m`, which is either NumPy (`HOST`) or the language itself (`TRACED`). The
functions of `m` go by the names of the table in `elementwise.py`, and `m.loop` repeats: `m.exp(x)`
is np.exp or the primitive exp. So evaluation and lowering cannot disagree.

Start with `Operations`, `HOST` and `TRACED`; then see `FormulaRow`, one function, and `Formula`, a
family of functions with static parameters. `Polygamma` is a short example.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from ...primitives.builder import LoweringContext
from ...primitives.constants import full, full_like
from ...primitives.core import Primitive, Value
from ...primitives.formulas.lowered import in_float32
from ...primitives.formulas.reference import special_function
from ...primitives.support.frozen import frozen
from ...primitives.support.table import ELEMENTWISE, with_results
from ...primitives.types import ShapedArray, float32
from ...primitives.words.elementwise import Elementwise, exp, select
from ...primitives.words.reduction import reduce_or
from ...primitives.words.structural import broadcast_in_dim, convert_element_type


class Operations:
    """The functions of elements, by their names in the table, with a choice (`where`) and
    a loop.
    """

    def __init__(self, **given: Callable):
        self.__dict__.update(given)

    def __getattr__(self, name: str) -> Any:
        if name not in ELEMENTWISE:
            raise AttributeError(name)
        function = self.__dict__[name] = self.of(ELEMENTWISE[name])
        return function


def _host_loop(going: Callable, step: Callable, values: Sequence[Any]) -> Sequence[Any]:
    """Repeat `step` on the values while `going` holds for any element."""
    while np.any(going(*values)):
        values = step(*values)
    return values


@frozen
class Repeat(Primitive):
    """A loop over arrays: apply `step` again and again, while `going` holds for any element.

    It occurs in lowering only, where nothing is differentiated.
    """

    going: Callable
    step: Callable
    multiple_results = True

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        return list(avals)

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        def anywhere(*xs: Any) -> Any:
            flag = self.going(*xs)
            return reduce_or(flag, range(flag.ndim))

        return ctx.while_loop(anywhere, lambda *xs: list(self.step(*xs)), values)


#: Formulas by NumPy. `of` makes a function of any primitive; `full` repeats a value in the shape of
#: an array; `number` is an array without axes, and `spread` gives such a number the axes of an
#: array.
HOST = Operations(
    of=lambda primitive: primitive.impl,
    where=np.where,
    loop=_host_loop,
    full=lambda value, like: np.full_like(like, value),
    number=lambda value, like: like.dtype.type(value),
    spread=lambda number, like: number,
)
#: The same in primitives, which the current trace gets.
TRACED = Operations(
    of=lambda primitive: primitive.bind,
    where=select,
    loop=lambda going, step, values: Repeat(going, step).bind(*values),
    full=lambda value, like: full_like(like, value),
    number=lambda value, like: full((), value, like.dtype),
    spread=lambda number, like: broadcast_in_dim(number, like.shape, ()),
)


def evaluate(formula: Callable, *xs: Any) -> Any:
    """Compute a formula by NumPy; narrow floats are computed in float32."""
    dtype = xs[0].dtype
    wide = [x if dtype.itemsize >= 4 else x.astype(np.float32) for x in xs]
    with np.errstate(all="ignore"):
        return np.asarray(formula(HOST, *wide)).astype(dtype, copy=False)


def lower_formula(ctx: LoweringContext, formula: Callable, *values: Any) -> Any:
    """Emit a formula as operations of the program; narrow floats are computed in float32."""
    dtype = values[0].aval.dtype

    def in_primitives(*xs: Any) -> Any:
        if dtype.itemsize >= 4:
            return formula(TRACED, *xs)
        return convert_element_type(
            formula(TRACED, *[convert_element_type(x, float32) for x in xs]), dtype
        )

    return ctx.inline(in_primitives, *values)


class FormulaRow(Elementwise):
    """A row of the elementwise table that is a formula over NumPy or primitives.

    `derivatives` are by each operand; `impl` evaluates the function, if not the formula does. The
    operands are arrays, never Python scalars.
    """

    takes_scalars = False

    def __init__(
        self,
        name: str,
        formula: Callable,
        *derivatives: Any,
        impl: Callable | None = None,
        accepts: str = "f",
    ):
        super().__init__(
            name,
            impl or (lambda *xs: evaluate(formula, *xs)),
            lambda ctx, *values: lower_formula(ctx, formula, *values),
            *derivatives,
            accepts=accepts,
            singular=True,
        )


#: The highest order of a function or derivative in a family.
MOST = 150


class Formula(Primitive):
    """A function of each element from a family, whose members differ in static parameters.

    A subclass has a formula over NumPy or primitives, and a derivative by each operand.
    """

    accepts = "f"
    same_type = True
    singular = True
    result = None
    batch = Elementwise.batch
    jvp = Elementwise.jvp

    @property
    def _name(self) -> str:
        return self.name

    @property
    def arity(self) -> int:
        """The number of operands."""
        return len(self.slopes())

    @property
    def derivatives(self) -> tuple:
        """A pair by each operand: (derivative, whether the derivative asks for the result)."""
        return with_results(self.name, self.slopes(), self.arity)

    def abstract_eval(self, *avals: Any) -> ShapedArray:
        if not all([0 <= v <= MOST for v in self.parameters() if type(v) is int]):
            raise ValueError(f"{self.name}: expects orders from 0 to {MOST}, got {self}")
        return Elementwise.abstract_eval(self, *avals)  # type: ignore[arg-type]

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return lower_formula(ctx, self.formula, *values)

    def formula(self, m: Any, *xs: Any) -> Any:
        """Compute the function of `xs` with the operations `m`."""
        raise self.missing("formula", "evaluation")

    def slopes(self) -> Sequence[Callable]:
        """Return the derivatives by each operand, as they stand in a row of the table."""
        raise self.missing("slopes", "forward-mode differentiation")


@frozen
class NamedFormula(Formula):
    """A family whose members have names: `members` says the formula and the derivatives of each.

    So a module may have several functions that go together, each of which is written as a row is.
    """

    kind: str

    #: For each name, the formula and the derivatives by each operand.
    members = MappingProxyType({})

    @property
    def name(self) -> str:
        """The name in printed programs."""
        return self.kind

    def impl(self, *xs: np.ndarray) -> np.ndarray:
        return evaluate(self.formula, *xs)

    def formula(self, m: Operations, *xs: Any) -> Any:
        return self.members[self.kind][0](m, *xs)

    def slopes(self) -> Sequence[Callable]:
        return self.members[self.kind][1:]


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Return the sum of coefficients[k] * x**k, by Horner's rule."""
    total = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


def chebyshev(
    f: Callable, low: float, high: float, count: int = 30, horner: bool = False
) -> Callable:
    """Return the polynomial that agrees with f at Chebyshev's points of an interval, as a function.

    With `horner` the polynomial is evaluated by Horner's rule. That halves the work, and loses no
    digits where Chebyshev's coefficients fall by a factor of more than 1 + sqrt(2).
    """
    # The cosine has a period of 4 * count steps: reduce k (2 i + 1) exactly, in integers.
    turns = np.outer(np.arange(count), 2 * np.arange(count) + 1) % (4 * count)
    # cosines[k, i] is the cosine of k times angle i; row 1 are Chebyshev's points themselves.
    cosines = np.cos(turns * (math.pi / (2 * count)))
    values = f((high - low) / 2 * cosines[1] + (high + low) / 2)
    series = cosines @ values * (2 / count)
    if horner:
        series[0] /= 2
        powers = [float(c) for c in np.polynomial.chebyshev.cheb2poly(series)]
        scale, shift = 2 / (high - low), (high + low) / (high - low)
        return lambda x: polynomial(x * scale - shift, powers)
    constant, *coefficients = [float(c) for c in series]

    def evaluate(x: Any) -> Any:
        """Sum the series by Clenshaw's recurrence."""
        twice = (x - (high + low) / 2) * (4 / (high - low))
        one, two = coefficients[-1], 0.0
        for c in coefficients[-2::-1]:
            one, two = twice * one + (c - two), one
        return twice * one * 0.5 + (constant * 0.5 - two)

    return evaluate


# --------------------------------------------------------------------------------------------------
# The logarithm of gamma, and its derivatives


@cache
def zeta_minus_one(s: int) -> float:
    """Return the sum of k**-s over k >= 2: zeta(s) - 1, by Euler and Maclaurin from k = 40 on."""
    n = 40.0
    tail = [n ** (1 - s) / (s - 1), n**-s / 2, s * n ** (-s - 1) / 12,
            -s * (s + 1) * (s + 2) * n ** (-s - 3) / 720,
            s * (s + 1) * (s + 2) * (s + 3) * (s + 4) * n ** (-s - 5) / 30240]  # fmt: skip
    return math.fsum([*[float(k) ** -s for k in range(2, 40)], *tail])


#: Euler's constant.
EULER = 0.5772156649015328606
#: Nearer than this to a zero of lgamma or digamma, the series about the zero is used.
_NEAR = 0.01


def _lgamma_series(m: Operations, x: Any) -> Any:
    """Return log gamma near its zeros 1 and 2, by a power series.

    There the functions of XLA and SciPy have a small absolute error only, not a small relative one.
    Near 1, with z = 1 - x, the series is EULER z + the sum of zeta(k) z**k / k over k >= 2. Near 2,
    with z = 2 - x, EULER and each zeta(k) are less by 1.
    """
    at_two = x > 1.5
    less = m.where(at_two, 1.0, x * 0.0)
    z = m.where(at_two, 2.0 - x, 1.0 - x)
    total = 0.0
    for k in range(8, 1, -1):
        total = (total + ((zeta_minus_one(k) + 1.0) / k - less * (1.0 / k))) * z
    return (total + (EULER - less)) * z


#: The float nearest to the positive zero of digamma, and digamma's Taylor coefficients at it.
_ROOT = 1.4616321449683622
_AT_ROOT = (
    -9.241265521729427e-17, 0.9676722454476212, -0.4427631689835921, 0.258499760955651,
    -0.16394270544240652, 0.10782405069126237, -0.07219956125645471, 0.04880428816414311,
)  # fmt: skip


@in_float32
def _lower_lgamma(ctx: LoweringContext, x: Any) -> Any:
    def refined(x: Value, coarse: Value) -> Any:
        near = TRACED.abs(TRACED.abs(x - 1.5) - 0.5) < _NEAR
        return select(near, _lgamma_series(TRACED, x), coarse)

    return ctx.inline(refined, x, ctx.op("chlo.lgamma", x, out=x.aval))


@in_float32
def _lower_digamma(ctx: LoweringContext, x: Any) -> Any:
    def refined(x: Value, coarse: Value) -> Any:
        z = x - _ROOT
        fine = select(TRACED.abs(z) < _NEAR, polynomial(z, _AT_ROOT), coarse)
        return select(x == 0.0, -1.0 / x, fine)

    return ctx.inline(refined, x, ctx.op("chlo.digamma", x, out=x.aval))


_SMALL = np.array(_NEAR)
_gammaln, _zeta = special_function("gammaln"), special_function("zeta")
_digamma = special_function("digamma")


def _host_lgamma(x: np.ndarray) -> Any:
    """Compute SciPy's gammaln, with the series where the series is better."""
    out = _gammaln(x)
    if 1 in (out < _SMALL).tobytes():  # the fastest way to ask for any
        out = np.asarray(out)
        out[x == -math.inf] = math.inf
        near = np.abs(np.abs(x - 1.5) - 0.5) < _NEAR
        out[near] = _lgamma_series(HOST, x[near].astype(np.float64))
    return out


def _host_digamma(x: np.ndarray) -> Any:
    """Compute SciPy's digamma; negative numbers are reflected.

    The reflection uses their distance from the nearest pole, which is exact.
    """
    out = _digamma(x)
    negative = x < 0
    if 1 in negative.tobytes():
        out = np.asarray(out)
        x = np.asarray(x)[negative]
        z = np.where(np.isfinite(x), x, 0).astype(np.float32 if x.dtype.itemsize < 4 else x.dtype)
        gap = z - np.rint(z)
        reflected = _digamma(1 - z) - math.pi / np.tan(math.pi * np.where(gap == 0, 0.5, gap))
        out[negative] = np.where(np.isfinite(x) & (gap != 0), reflected, math.nan).astype(out.dtype)
    return out


digamma = Elementwise("digamma", _host_digamma, _lower_digamma,
                      lambda x: Polygamma(1).bind(x), accepts="f", singular=True)  # fmt: skip
lgamma = Elementwise("lgamma", _host_lgamma, _lower_lgamma,
                     lambda x: digamma.bind(x), accepts="f", singular=True)  # fmt: skip
erfc = Elementwise("erfc", special_function("erfc"), in_float32(lambda ctx, x: ctx.op(
    "chlo.erfc", x, out=x.aval)), lambda x: exp.bind(-(x * x)) * (-2 / math.sqrt(math.pi)),
    accepts="f")  # fmt: skip


@frozen
class Polygamma(Formula):
    """The n-th derivative of digamma, for a static n: (-1)**(n+1) n! zeta(n+1, x)."""

    n: int

    def impl(self, x: np.ndarray) -> np.ndarray:
        return evaluate(self.formula, x)

    def formula(self, m: Operations, x: Any) -> Any:
        if self.n == 0:
            return m.digamma(x)
        factor = (-1.0) ** (self.n + 1) * math.gamma(self.n + 1.0)
        return m.of(Zeta())(m.full(self.n + 1.0, x), x) * factor

    def slopes(self) -> Sequence[Callable]:
        return (lambda x: Polygamma(self.n + 1).bind(x),)


#: Below this number zeta is not computed, but is nan, if its argument q is no integer.
_LEAST = -1e6
#: Bernoulli's numbers over factorials: B(2j) / (2j)! for j = 1, 2, ...
BERNOULLI = [(-1) ** (j + 1) * 2 * (zeta_minus_one(2 * j) + 1) / (2 * math.pi) ** (2 * j)
             for j in range(1, 13)]  # fmt: skip


@frozen
class Zeta(Formula):
    """Hurwitz's zeta function and its n-th derivative by s.

    For s > 1 the function of (s, q) is the sum of (q + k)**-s over k >= 0.
    """

    n: int = 0

    def impl(self, s: np.ndarray, q: np.ndarray) -> np.ndarray:
        if self.n:
            return evaluate(self.formula, s, q)
        usual = (s > 1) & (q > 0) & (np.maximum(s, q) < math.inf)
        if np.count_nonzero(usual) == usual.size and s.dtype.char in "fd":
            return _zeta(s, q)
        inside = np.maximum(q, s.dtype.type(_LEAST))  # below, SciPy would loop for ages
        values = _zeta(s, inside)
        return evaluate(self.at_edges, s, q, values)

    def lower(self, ctx: LoweringContext, s: Any, q: Any) -> Any:
        if self.n or s.aval.dtype.itemsize < 4:
            return lower_formula(ctx, self.formula if self.n else lambda m, *a: self.bind(*a), s, q)
        positive, total = ctx.inline(self.from_zero, s, q)
        rest = ctx.op("chlo.zeta", s, positive, out=s.aval)
        both = lambda s, q, total, rest: self.at_edges(TRACED, s, q, total + rest)
        return ctx.inline(both, s, q, total, rest)

    def at_edges(self, m: Operations, s: Any, q: Any, found: Any) -> Any:
        """Return `found`, with limits where arguments are infinite, or poles."""
        pole = (q <= 0.0) & (m.floor(q) == q)
        far = q > 1e9  # then XLA's sum may be 0
        tail = 1.0 / (m.where(s == 1.0, 2.0, s) - 1.0) + 0.5 / m.where(far, q, 1.0)
        found = m.where(far, m.pow(m.where(far, q, 1.0), 1.0 - s) * tail, found)
        found = m.where(s == math.inf, m.pow(q, -s), found)
        found = m.where(q == math.inf, 0.0, found)
        found = m.where(pole | (s == 1.0), math.inf, found)
        return m.where((s >= 1.0) & ((q > _LEAST) | pole), found, math.nan)

    def from_zero(self, s: Value, q: Value) -> Sequence[Any]:
        """Return the first q + k >= 0, and the sum of the terms before.

        From q >= 0 on XLA's own formula holds.
        """
        return TRACED.loop(
            lambda q, total, s: (q < 0.0) & (q > _LEAST),
            lambda q, total, s: (
                select(q < 0.0, q + 1.0, q), select(q < 0.0, total + q**-s, total), s),
            (q, q * 0.0, s),
        )[:2]  # fmt: skip

    def formula(self, m: Operations, s: Any, q: Any) -> Any:
        """Compute ten terms, and by Euler and Maclaurin's sum the others.

        With w = q + 10, the sum over the other terms is w**-s times a function of s, whose Taylor
        coefficients up to order n are computed; w**-s itself has the coefficients `logs`.
        """
        n, count = self.n, 10
        total = sum([m.pow(q + k, -s) * (-m.log(q + k)) ** n for k in range(count)])
        w = q + float(count)
        inverse, rising, scale = 1.0 / (s - 1.0), [s, 1.0] + [0.0] * n, 1.0 / w
        series = [(-inverse) ** k * inverse * w for k in range(n + 1)]
        series[0] = series[0] + 0.5
        for j, factor in enumerate(BERNOULLI):
            for c in (2.0 * j - 1.0, 2.0 * j) if j else ():
                # rising holds the Taylor coefficients of s (s + 1) ... (s + 2j): multiply by s + c.
                rising = [r * (s + c) + (rising[k - 1] if k else 0.0)
                          for k, r in enumerate(rising)]  # fmt: skip
            series = [r + rising[k] * (factor * scale) for k, r in enumerate(series)]
            scale = scale / (w * w)
        logs = [(-m.log(w)) ** k / math.factorial(k) for k in range(n + 1)]
        tail = sum([r * logs[n - k] for k, r in enumerate(series)]) * math.factorial(n)
        return m.where((s > 1.0) & (q > 0.0), total + m.pow(w, -s) * tail, math.nan)

    def slopes(self) -> Sequence[Callable]:
        def by_q(s: Value, q: Value) -> Any:
            slope = -s * self.bind(s + 1.0, q)
            return slope - Zeta(self.n - 1).bind(s + 1.0, q) * float(self.n) if self.n else slope

        return lambda s, q: Zeta(self.n + 1).bind(s, q), by_q
