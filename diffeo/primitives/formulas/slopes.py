"""Derivatives of elementary functions where a formula in other functions would lose digits or
overflow: by NumPy, and how they are lowered.

For instance 1 - tanh(x)**2 is 0 for large x, and `sech_squared` is not. Their rows stand in the
table of `elementwise.py`, each with a derivative of its own that loses none either.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..builder import LoweringContext
from .lowered import in_float32, parts_of, same


def widened(formula: Callable) -> Callable:
    """Return the function of NumPy arrays so that it computes narrow floats in float32."""

    def call(*xs: Any) -> Any:
        dtype = next(x.dtype for x in xs if hasattr(x, "dtype"))
        wide = dtype if dtype.itemsize >= 4 else np.dtype(np.float32)
        with np.errstate(all="ignore"):
            return formula(*[np.asarray(x, wide) for x in xs]).astype(dtype, copy=False)

    return call


@widened
def sech_squared(x: np.ndarray) -> Any:
    """Return cosh(x)**-2, which is 1 - tanh(x)**2; squared at the end, so that nothing underflows
    on the way.
    """
    if x.dtype.kind != "c":
        root = 1 / np.cosh(x)
    else:
        power = np.exp(np.where(np.real(x) < 0, x, -x))
        root = 2 * power / (1 + power * power)
    return root * root


@in_float32
def lower_sech_squared(ctx: LoweringContext, x: Any) -> Any:
    """Emit `sech_squared`, by the exponential that does not overflow."""
    op = partial(same, ctx)
    if x.aval.dtype.kind == "c":
        re, _ = parts_of(ctx, x)
        falling = op("select", ctx.compare("LT", re, 0.0), x, op("negate", x))
    else:
        falling = op("negate", op("abs", x))
    power = op("exponential", falling)
    root = op("divide", op("add", power, power), op("add", op("multiply", power, power), 1.0))
    return op("multiply", root, root)


def _once(formula: Callable) -> tuple[Callable, Callable]:
    """Return a formula for NumPy and how it is lowered. A formula of operators alone serves
    both.
    """
    return widened(formula), in_float32(lambda ctx, *xs: ctx.inline(formula, *xs))


@widened
def inverse_root(x: np.ndarray) -> Any:
    """Return 1 / sqrt(x**2 + 1), also where the square overflows."""
    return 1 / (np.sqrt(x * x + 1) if x.dtype.kind == "c" else np.hypot(x, x.dtype.type(1)))


@in_float32
def lower_inverse_root(ctx: LoweringContext, x: Any) -> Any:
    """Emit `inverse_root`: 1 / |x| where the 1 is lost."""
    op = partial(same, ctx)
    square = lambda v: op("add", op("multiply", v, v), 1.0)
    if x.aval.dtype.kind == "c":
        return op("rsqrt", square(x))
    size = op("abs", x)
    far = ctx.compare("GT", size, 1e10)
    near = op("divide", 1.0, op("sqrt", square(op("select", far, 0.0, x))))
    return op("select", far, op("divide", 1.0, size), near)


@widened
def over_square_sum(x: np.ndarray, y: np.ndarray) -> Any:
    """Return x / (x**2 + y**2), the real part of 1 / (x + iy).

    It is computed from the larger one and the ratio of both, so that no square overflows.
    """
    larger = np.abs(x) >= np.abs(y)
    size, less = np.where(larger, x, y), np.where(larger, y, x)
    ratio = less / size
    result = np.where(larger, 1, ratio) / (size * (ratio * ratio + 1))
    return np.where(np.abs(size) == np.inf, 0, result)


@in_float32
def lower_over_square_sum(ctx: LoweringContext, x: Any, y: Any) -> Any:
    """Emit `over_square_sum`. XLA makes one division of two in a row, which would overflow."""
    op = partial(same, ctx)
    larger = ctx.compare("GE", op("abs", x), op("abs", y))
    size, less = op("select", larger, x, y), op("select", larger, y, x)
    ratio = op("divide", less, size)
    above = op("select", larger, ctx.constant(1.0, ratio.aval), ratio)
    whole = op("multiply", size, op("add", op("multiply", ratio, ratio), 1.0))
    result = op("divide", above, whole)
    return op("select", ctx.compare("EQ", op("abs", size), np.inf), 0.0, result)


@widened
def over_hypotenuse(x: np.ndarray, y: np.ndarray) -> Any:
    """Return x / sqrt(x**2 + y**2), and 0 where both are 0.

    If one of them is infinite, the other counts as 0.
    """
    size = np.maximum(np.abs(x), np.abs(y))
    ends = lambda v: np.where(np.abs(v) == np.inf, np.sign(v), 0)
    p, q = (np.where(size == np.inf, ends(v), v / size) for v in (x, y))
    return np.where(size == 0, size, p / np.sqrt(p * p + q * q))


@in_float32
def lower_over_hypotenuse(ctx: LoweringContext, x: Any, y: Any) -> Any:
    """Emit `over_hypotenuse`, as NumPy computes it."""
    op = partial(same, ctx)
    size = op("maximum", op("abs", x), op("abs", y))
    infinite = ctx.compare("EQ", size, np.inf)

    def part(v: Any) -> Any:
        end = op("select", ctx.compare("EQ", op("abs", v), np.inf), op("sign", v), 0.0)
        return op("select", infinite, end, op("divide", v, size))

    p, q = part(x), part(y)
    result = op("divide", p, op("sqrt", op("add", op("multiply", p, p), op("multiply", q, q))))
    return op("select", ctx.compare("EQ", size, 0.0), size, result)


@in_float32
def lower_hypotenuse(ctx: LoweringContext, x: Any, y: Any) -> Any:
    """Emit sqrt(x**2 + y**2), of parts of the larger one; infinite if one is, whatever the
    other.
    """
    op = partial(same, ctx)
    a, b = op("abs", x), op("abs", y)
    size, less = op("maximum", a, b), op("minimum", a, b)
    part = op("divide", less, op("select", ctx.compare("EQ", size, 0.0), 1.0, size))
    result = op("multiply", size, op("sqrt", op("add", op("multiply", part, part), 1.0)))
    infinite = op("or", ctx.compare("EQ", a, np.inf), ctx.compare("EQ", b, np.inf))
    return op("select", infinite, np.inf, result)


#: (the function of NumPy arrays, how it is lowered), by the names of rows.
FORMULAS: dict[str, tuple[Callable, Callable]] = {
    "sech_squared": (sech_squared, lower_sech_squared),
    # 1 - x**2, exact near 1, where it is a singular denominator.
    "one_minus_square": _once(lambda x: (1.0 - x) * (x + 1.0)),
    "inverse_square_plus_one": _once(lambda x: 1.0 / (x * x + 1.0)),
    "inverse_root": (inverse_root, lower_inverse_root),
    "over_square_sum": (over_square_sum, lower_over_square_sum),
    "hypot": (widened(np.hypot), lower_hypotenuse),
    "over_hypot": (over_hypotenuse, lower_over_hypotenuse),
}
