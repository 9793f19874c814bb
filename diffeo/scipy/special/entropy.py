"""Products with logarithms, entropies, and transformations of probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...nn import normalized
from ...nn.functions import sigmoid
from ...numpy.common import arr, real_only
from ...primitives.array import Array
from ...primitives.core import Primitive, Value
from ...primitives.formulas.reference import special_function
from ...primitives.support.frozen import frozen
from ...primitives.words import elementwise as e
from ...primitives.words.operators import binary
from ...primitives.words.promotion import align, align_inexact, to_inexact
from ...routines.special.densities import deviance, log_ratio
from ...routines.special.special import (
    TRACED,
    Formula,
    FormulaRow,
    Operations,
    evaluate,
    polynomial,
)
from ...typing import ArrayLike

expit = sigmoid


def logit(x: ArrayLike) -> Any:
    """Compute log(x / (1 - x)), the inverse of `expit`.

    Examples:
        >>> logit(0.5)
        Array(0.)
    """
    x = arr(to_inexact(x))
    return e.log.bind(x / (1 - x))


def _product_with(log: e.Elementwise, root: float) -> Callable[[Any, Any], Any]:
    """Return the function x * log(y), which is 0 where x is 0, even at log's singularity `root`."""

    def product(x: Value, y: Value) -> Any:
        # Where x is 0, the logarithm is taken of a harmless number. A nan of y stays nan.
        zero = (x == 0) & (y == y)
        return e.select(zero, 0.0, x * log.bind(e.select(zero, root + 1.0, y)))

    return product


def _slope(x: Value, y: Value, shift: float) -> Any:
    """Return x / (y + shift), and 0 for 0 / 0."""
    y = y + shift
    return x / e.select((x == 0) & (y == 0), 1.0, y)


class _OfArrays(e.Elementwise):
    """An elementwise function whose rules want arrays, not Python scalars."""

    takes_scalars = False


# These are primitives of their own: a formula made of others would not have the right derivatives
# where x and the argument of the logarithm are 0.
_xlogy = _OfArrays(
    "xlogy",
    special_function("xlogy"),
    lambda ctx, x, y: ctx.inline(_product_with(e.log, 0.0), x, y),
    lambda x, y: e.log.bind(y),
    lambda x, y: _slope(x, y, 0.0),
    singular=True,
)
_xlog1py = _OfArrays(
    "xlog1py",
    special_function("xlog1py"),
    lambda ctx, x, y: ctx.inline(_product_with(e.log1p, -1.0), x, y),
    lambda x, y: e.log1p.bind(y),
    lambda x, y: _slope(x, y, 1.0),
    singular=True,
)

_pair_xlogy, _pair_xlog1py = binary(_xlogy, True), binary(_xlog1py, True)


def _of_pair(quick: Callable, primitive: Primitive, x: Any, y: Any) -> Any:
    """Apply a primitive to two operands; `quick` is the short way for two arrays of diffeo."""
    if type(x) is Array and type(y) is Array:
        return quick(x, y)
    return primitive.bind(*align(arr(to_inexact(x)), arr(to_inexact(y))))


def xlogy(x: ArrayLike, y: ArrayLike) -> Any:
    """Compute x * log(y), and 0 for x = 0 (but nan for y = nan). The derivative by x is log(y).

    Examples:
        >>> xlogy(0.0, 0.0)
        Array(0.)
    """
    return _of_pair(_pair_xlogy, _xlogy, x, y)


def xlog1py(x: ArrayLike, y: ArrayLike) -> Any:
    """Compute x * log(1 + y), and 0 for x = 0 (but nan for y = nan).

    The derivative by x is log(1 + y).
    """
    return _of_pair(_pair_xlog1py, _xlog1py, x, y)


def _entr(m: Operations, x: Value) -> Any:
    inside = x > 0.0
    value = -x * m.log(m.where(inside, x, 1.0))
    return m.where(x < 0.0, -math.inf, value)


_entr_p = FormulaRow(
    "entr", _entr, lambda x: e.select(x < 0, 0.0, -1.0 - e.log.bind(e.absolute.bind(x))),
    impl=special_function("entr"),
)  # fmt: skip


def entr(x: ArrayLike) -> Any:
    """Compute the term of an entropy: -x log(x), 0 at 0, and -inf for negative numbers.

    Examples:
        >>> entr(0.0), entr(-1.0)
        (Array(0.), Array(-inf))
    """
    return _entr_p.bind(real_only("entr", arr(to_inexact(x))))


def _inside(m: Operations, p: Any, q: Any, inner: Callable, edge: Any) -> Any:
    """Return `inner` of p, q > 0; `edge` for p = 0 <= q, inf elsewhere, and nan for nan."""
    inside = (p > 0.0) & (q > 0.0)
    value = inner(m.where(inside, p, 1.0), m.where(inside, q, 1.0))
    other = m.where((p == 0.0) & (q >= 0.0), edge, math.inf)
    return m.where(inside, value, m.where((p == p) & (q == q), other, math.nan))


#: log(p / q), accurate also where it is small, or where p / q overflows or underflows.
_log_of_ratio = FormulaRow(
    "log_of_ratio", lambda m, p, q: log_ratio(m, p, q, p - q),
    lambda p, q: e.reciprocal(p), lambda p, q: -e.reciprocal(q),
)  # fmt: skip


def _by_first(p: Value, q: Value) -> Any:
    """Return log(p / q), but -1 at p = 0.

    So sums of terms, some of them 0, have finite gradients.
    """
    return e.select(p == 0, -1.0, _log_of_ratio.bind(p, q))


_excess = FormulaRow(
    "relative_excess", lambda m, p, q: m.where(p == 0.0, 1.0, (q - p) / q),
    lambda p, q: -e.reciprocal(q), lambda p, q: _slope(p, q, 0.0) / q,
)  # fmt: skip
_rel_entr = FormulaRow(
    "rel_entr",
    lambda m, p, q: _inside(m, p, q, lambda a, b: a * log_ratio(m, a, b, a - b), p * 0.0),
    lambda p, q: _by_first(p, q) + 1.0, lambda p, q: -_slope(p, q, 0.0),
)  # fmt: skip
_kl_div = FormulaRow(
    "kl_div", lambda m, p, q: _inside(m, p, q, lambda a, b: deviance(m, a, b, b - a), q),
    lambda p, q: _by_first(p, q), lambda p, q: _excess.bind(p, q),
)  # fmt: skip


def rel_entr(p: ArrayLike, q: ArrayLike) -> Any:
    """Compute the term of a relative entropy: p log(p / q).

    It is 0 for p = 0 <= q, and inf elsewhere outside of p, q > 0. Its gradient at p = 0 is 0.

    Examples:
        >>> rel_entr(0.0, 1.0), rel_entr(2.0, 1.0)
        (Array(0.), Array(1.38629436))
    """
    pair = [real_only("rel_entr", arr(v)) for v in (p, q)]
    return _rel_entr.bind(*[arr(v) for v in align_inexact(*pair)])


def kl_div(p: ArrayLike, q: ArrayLike) -> Any:
    """Compute the term of a Kullback-Leibler divergence: p log(p / q) - p + q.

    It is inf where `rel_entr` is, and does not suffer from cancellation where p is near q. Its
    gradient at p = 0 is (-1, 1).

    Examples:
        >>> kl_div(0.0, 1.0), kl_div(2.0, 1.0)
        (Array(1.), Array(0.38629436))
    """
    pair = [real_only("kl_div", arr(v)) for v in (p, q)]
    return _kl_div.bind(*[arr(v) for v in align_inexact(*pair)])


def _exponential_quotient(m: Operations, k: int, z: Any) -> Any:
    """Return the integral of t**k exp(t z) over 0 ... 1.

    For k = 0 it is (exp(z) - 1) / z; for other k it is the k-th derivative of this. It is a power
    series near z = 0, and comes from integration by parts elsewhere.
    """
    near = m.abs(z) < 1.0 + k
    terms = 20 + 6 * k
    series = polynomial(
        m.where(near, z, 0.0), [1 / (math.factorial(j) * (j + k + 1.0)) for j in range(terms)]
    )
    far = m.where(near, 1.0, z)
    value = m.expm1(far) / far
    for j in range(1, k + 1):
        value = (m.exp(far) - float(j) * value) / far
    return m.where(near, series, m.where(far == math.inf, math.inf, value))


@frozen
class BoxCox(Formula):
    """The transformation (y**lmbda - 1) / lmbda, and log(y) at lmbda = 0, or a derivative.

    y is x, or 1 + x with `shifted`. `k` is how often the function is differentiated by lmbda.
    """

    k: int = 0
    shifted: bool = False

    def impl(self, x: np.ndarray, lmbda: np.ndarray) -> np.ndarray:
        return evaluate(self.formula, x, lmbda)

    def formula(self, m: Any, x: Any, lmbda: Any) -> Any:
        log, k = self.logarithm(m)(x), self.k
        z = m.where(lmbda == 0.0, 0.0, lmbda * log)
        # y is 0 or infinite, and y**lmbda is 0: only -1 / lmbda is left, whose k-th derivative by
        # lmbda is k! / (-lmbda)**(k + 1). Elsewhere the function is log(y) times the quotient of
        # z = lmbda log(y), and each derivative by lmbda gives another factor log(y).
        end = z == -math.inf
        z, log = m.where(end, -1.0, z), m.where(end, -1.0, log)
        value = _exponential_quotient(m, k, z)
        by, limit = m.where(end, -lmbda, 1.0), float(math.factorial(k))
        for _ in range(k + 1):
            value, limit = value * log, limit / by
        return m.where(end, limit, value)

    def logarithm(self, m: Operations) -> Callable:
        """Return the logarithm of y as a function of x: log, or log1p."""
        return m.log1p if self.shifted else m.log

    def slopes(self) -> Sequence[Callable]:
        def by_x(x: Value, lmbda: Value) -> Any:
            base = x + 1.0 if self.shifted else x
            slope = e.power.bind(base, lmbda - 1.0)
            for _ in range(self.k):
                slope = slope * self.logarithm(TRACED)(x)
            return slope

        return by_x, lambda x, lmbda: BoxCox(self.k + 1, self.shifted).bind(x, lmbda)


def boxcox(x: ArrayLike, lmbda: ArrayLike) -> Any:
    """Compute (x**lmbda - 1) / lmbda, and log(x) at lmbda = 0; nan for x < 0.

    Examples:
        >>> boxcox(2.0, 0.5), boxcox(2.0, 0.0)
        (Array(0.82842712), Array(0.69314718))
    """
    return BoxCox().bind(*[arr(v) for v in align_inexact(arr(x), arr(lmbda))])


def boxcox1p(x: Any, lmbda: ArrayLike) -> Any:
    """Compute boxcox(1 + x, lmbda), exact for small x.

    Examples:
        >>> boxcox1p(1e-10, 0.5)
        Array(1.e-10)
    """
    return BoxCox(0, True).bind(*[arr(v) for v in align_inexact(arr(x), arr(lmbda))])


logsumexp = normalized.logsumexp


def softmax(x: Any, /, *, axis: Any = None) -> Any:
    """Compute exp(x) / sum(exp(x)) along the axis or axes; None for all.

    Examples:
        >>> import diffeo as dx
        >>> softmax(dx.numpy.array([0.0, 0.0, 1000.0]))
        Array([0., 0., 1.])
    """
    return normalized.softmax(x, axis)


def log_softmax(x: Any, /, *, axis: Any = None) -> Any:
    """Compute log(softmax(x)), without overflow. Arguments as `softmax` has.

    Examples:
        >>> import diffeo as dx
        >>> log_softmax(dx.numpy.array([0.0, 1000.0]))
        Array([-1000.,     0.])
    """
    return normalized.log_softmax(x, axis)
