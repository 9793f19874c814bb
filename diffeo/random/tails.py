"""The truncated normal distribution, however far out its bounds are.

Far out, the probability of a tail is not representable beside 1, or not at all. So samples in the
tails are computed from two functions that need no probability: the hazard h, which is the density
divided by the probability of the tail, and the logarithm of the ratio of two tails (`fall`).

Start with `truncated_normal`, which chooses between `_central` (the inverse of erf) and
`_in_tails`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from ml_dtypes import finfo

from ..numpy.common import arr, static_shape
from ..primitives.array import known
from ..primitives.core import Value, with_user_line
from ..primitives.formulas.reference import special_function
from ..primitives.types import SCALARS, float32
from ..primitives.words import elementwise as e
from ..primitives.words.promotion import broadcast_shapes, broadcast_to
from ..primitives.words.structural import convert_element_type
from ..routines.special.special import FormulaRow, Operations, chebyshev
from .keys import Shape, check_key
from .samplers import check_parameters, float_dtype, next_above, scaled, unit_numbers

#: The number of Newton's steps, each of which doubles the number of digits.
_STEPS = 5


@cache
def _polynomial() -> Callable:
    """Return the Chebyshev polynomial of (1 + x) / h(x) for x >= 1.

    Its variable is t = 1 / (1 + x / 3), so that all x >= 1 lie in a bounded interval.
    """

    def f(t: np.ndarray) -> np.ndarray:
        x = 3 / t - 3
        return math.sqrt(math.pi / 2) * special_function("erfcx")(x * math.sqrt(0.5)) * (1 + x)

    return chebyshev(f, 0.0, 0.76, 34)


def _mills(m: Operations, x: Any) -> Any:
    """Return Mills' ratio 1 / h(x) for x >= 1, nan below."""
    inside = x >= 1.0
    x = m.where(inside, x, 1.0)
    return m.where(inside, _polynomial()(1.0 / (1.0 + x / 3.0)) / (1.0 + x), math.nan)


#: h(x), the density divided by the probability of the tail, and its derivative h (h - x).
hazard = FormulaRow("normal_hazard", lambda m, x: 1.0 / _mills(m, x), lambda x, y: y * (y - x))


def _between(m: Operations, x: Any, width: Any) -> Any:
    """Return by how much the logarithm of the tail's probability falls from x to x + width.

    The probability is the density times Mills' ratio. The logarithm of the density falls by x *
    width + width**2 / 2.
    """
    ratio = m.log(_mills(m, x) / _mills(m, x + width))
    return width * x + width * width * 0.5 + ratio


#: (x, width) -> by how much the logarithm of the probability of the tail falls from x to x + width.
fall = FormulaRow(
    "normal_tail_fall",
    _between,
    lambda x, width: hazard.bind(x + width) - hazard.bind(x),
    lambda x, width: hazard.bind(x + width),
)


def _quantile(m: Operations, x: Any, drop: Any) -> Any:
    """Return the width within which the logarithm of the tail's probability falls by `drop`.

    Newton's method from above for a convex function: it does not leave the interval.
    """
    # The first width solves x * width + width**2 / 2 = drop, where Mills' ratio is left out.
    width = 2.0 * drop / (x + m.sqrt(x * x + 2.0 * drop))
    for _ in range(_STEPS):
        width = width - (_between(m, x, width) - drop) * _mills(m, x + width)
    return m.where(m.abs(width) < math.inf, width, drop / x)


#: (x, drop) -> the width within which the logarithm of the tail falls by `drop`.
quantile = FormulaRow(
    "normal_tail_quantile",
    _quantile,
    lambda x, drop, width: hazard.bind(x) / hazard.bind(x + width) - 1.0,
    lambda x, drop, width: 1.0 / hazard.bind(x + width),
)


@cache
def _far(dtype: np.dtype) -> float:
    """Return where a tail begins, for a dtype.

    Beyond it, probabilities beside 1 have lost a quarter of their bits.
    """
    return float(special_function("erfcinv")(2.0 ** (-int(finfo(dtype).nmant) / 4)) * math.sqrt(2))


def _beyond(unit: Value, low: Value, high: Value) -> Any:
    """Return samples between bounds 1 <= low < high, of uniform numbers in [0, 1)."""
    # `ratio` is the probability of the tail at `high` over that at `low`: 0 for an infinite bound.
    # A uniform number between this and 1 says how much of the tail lies beyond the sample.
    bounded = e.is_finite.bind(high)
    width = e.select(bounded, high, low + 1.0) - low
    ratio = e.select(bounded, e.exp.bind(-fall.bind(low, width)), 0.0)
    ratio, low = (broadcast_to(v, unit.shape) for v in (ratio, low))
    return low + quantile.bind(low, -e.log1p.bind(unit * (ratio - 1.0)))


def _in_tails(unit: Value, low: Value, high: Value, right: Value, left: Value) -> Any:
    """Return samples where the bounds are far to the right (`right`) or to the left (`left`).

    The left tail is the mirror image of the right one. Elements where neither is true are computed
    with bounds that do no harm, and are of no use.
    """
    dtype = unit.dtype if unit.dtype.itemsize >= 4 else float32
    near, far = e.select(left, -high, low), e.select(left, -low, high)
    in_tail = right | left
    near, far = e.select(in_tail, near, 4.0), e.select(in_tail, far, 5.0)
    out = _beyond(*[convert_element_type(x, dtype) for x in (unit, near, far)])
    return convert_element_type(e.select(broadcast_to(left, unit.shape), -out, out), unit.dtype)


def _central(unit: Value, low: Value, high: Value) -> Any:
    """Return samples by the inverse of erf, with jax's bits; never an infinite one."""
    root = float(np.array(math.sqrt(2), unit.dtype))
    a, b = (e.erf.bind(e.div.bind(v, root)) for v in (low, high))
    # At -1, the inverse of erf would be infinite.
    least = float(np.nextafter(np.array(-1, unit.dtype), np.array(0, unit.dtype)))
    a, b = e.maximum.bind(a, least), e.maximum.bind(b, least)
    return e.mul.bind(e.erf_inv.bind(scaled(unit, a, b)), root)


def truncated_normal(key: Any, lower: Any, upper: Any, shape: Shape = None,
                     dtype: Any = None) -> Any:  # fmt: skip
    """Draw samples of the standard normal distribution given that they lie in (lower, upper).

    Between bounds on one side of 0, where erf has lost a quarter of its bits (beyond 3.8 in
    float64, 2.4 in float32), they come from the ratio of tails, and are not jax's, which has few
    different numbers there, or one; elsewhere they are sqrt(2) erf_inv(u), as jax's are.

    Args:
        key: a key.
        lower, upper: the bounds, numbers or arrays that broadcast to `shape`, also infinite ones.
            Where they are equal, the result is they; where lower > upper, nan. Derivatives go
            through them.
        shape: the shape of the result, by default that of the bounds.
        dtype: a floating-point dtype, by default float64.

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for another dtype, bounds of a shape that does not fit, or Python numbers with
            lower > upper.

    Examples:
        >>> from diffeo.random import PRNGKey
        >>> truncated_normal(PRNGKey(0), -2, 2, (2,))
        Array([-0.19635199, -0.74147057])
    """
    key, dtype = check_key("truncated_normal", key), float_dtype("truncated_normal", dtype)
    if type(lower) in SCALARS and type(upper) in SCALARS and lower > upper:
        raise with_user_line(
            ValueError(f"truncated_normal: lower must not exceed upper, got {lower} and {upper}")
        )
    low, high = (convert_element_type(arr(v), dtype) for v in (lower, upper))
    if shape is None:
        shape = broadcast_shapes(low.shape, high.shape)
    shape = static_shape(shape, "truncated_normal")
    check_parameters("truncated_normal", shape, lower=low, upper=high)
    unit = unit_numbers(key, shape, dtype)
    bounds = [known(arr(v)) for v in (lower, upper)]
    if any([v is None for v in bounds]):
        right, left, tails = low > _far(dtype), high < -_far(dtype), None
    else:
        # The bounds are known, also while a function is traced. So its program need not hold both
        # ways to draw samples.
        right, left = (np.asarray(v) for v in (bounds[0] > _far(dtype), bounds[1] < -_far(dtype)))
        tails = right | left
        right, left = arr(right), arr(left)
    small = broadcast_shapes(low.shape, high.shape)
    low, high, right, left = (broadcast_to(v, small) for v in (low, high, right, left))
    if tails is None or tails.any():
        out = _in_tails(unit, low, high, right, left)
        if tails is None or not tails.all():
            # Where the samples are from tails, the central ones get bounds that do no harm.
            in_tail = right | left
            inner = (e.select(in_tail, x, v) for x, v in ((-1.0, low), (1.0, high)))
            out = e.select(broadcast_to(in_tail, shape), out, _central(unit, *inner))
    else:
        out = _central(unit, low, high)
    # Rounding may reach the bounds, which are not in the interval.
    inside = (broadcast_to(v, shape) for v in (next_above(low), -next_above(-high)))
    out = e.minimum.bind(e.maximum.bind(out, next(inside)), next(inside))
    otherwise = broadcast_to(e.select(low == high, low, math.nan), shape)
    return e.select(broadcast_to(low < high, shape), out, otherwise)
