"""How elementwise functions are lowered where XLA's own operation is inexact or on the wrong sheet.

Formulas are written with the builder, `ctx`; float16 and bfloat16 are computed in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np

from .types import ShapedArray, float32, real_dtype


def in_float32(formula: Callable) -> Callable:
    """The formula, with narrow floats widened before and rounded once after it."""

    @wraps(formula)
    def lower(ctx: Any, x: Any) -> Any:
        if x.aval.dtype.itemsize >= float32.itemsize:
            return formula(ctx, x)
        wide = formula(ctx, ctx.op("convert", x, out=x.aval.update(dtype=float32)))
        return ctx.op("convert", wide, out=x.aval)

    return lower


def _same(ctx: Any, name: str, *operands: Any) -> Any:
    """An operation whose result has the type of its (last) array operand."""
    aval = next(v.aval for v in reversed(operands) if hasattr(v, "aval"))
    return ctx.op(name, *operands, out=aval)


def _parts(ctx: Any, z: Any) -> list[Any]:
    aval = z.aval.update(dtype=real_dtype(z.aval.dtype))
    return [ctx.op(name, z, out=aval) for name in ("real", "imag")]


def with_sign_of(ctx: Any, x: Any, y: Any) -> Any:
    """|x| with the sign bit of y, which counts for zeros too."""
    words: ShapedArray = x.aval.update(dtype=np.dtype(f"i{x.aval.dtype.itemsize}"))
    sign = int(np.iinfo(words.dtype).min)
    bits = [ctx.op("bitcast_convert", v, out=words) for v in (x, y)]
    kept = [_same(ctx, "and", b, mask) for b, mask in zip(bits, (~sign, sign))]
    return ctx.op("bitcast_convert", _same(ctx, "or", *kept), out=x.aval)


def on_sheet(name: str, real: bool = False, negative: bool = False) -> Callable:
    """An inverse function of complex numbers, whose imaginary part has the sign of its operand's
    (the other sign if `negative`), and the real part likewise if `real`.

    XLA takes no notice of the sign of a zero, by which the two sides of a branch cut are told
    apart (Kahan 1987, "Branch cuts for complex elementary functions").
    """

    def lower(ctx: Any, z: Any) -> Any:
        out = ctx.op(name, z)
        if z.aval.dtype.kind != "c":
            return out
        (x, y), (u, v) = _parts(ctx, z), _parts(ctx, out)
        v = with_sign_of(ctx, v, _same(ctx, "negate", y) if negative else y)
        return ctx.op("complex", with_sign_of(ctx, u, x) if real else u, v)

    return lower


@in_float32
def exp2(ctx: Any, x: Any) -> Any:
    """2**x: e**(r log 2) for the rest r of the nearest integer n, which goes into the exponent.

    e**(x log 2) would lose as many digits as x has before the point.
    """
    if x.aval.dtype.kind == "c":
        return _same(ctx, "exponential", _same(ctx, "multiply", x, math.log(2)))
    info = np.finfo(x.aval.dtype)
    words: ShapedArray = x.aval.update(dtype=np.dtype(f"i{info.dtype.itemsize}"))
    n = _same(ctx, "round_nearest_even", x)
    rest = _same(ctx, "multiply", _same(ctx, "subtract", x, n), math.log(2))
    bits = ctx.op("bitcast_convert", _same(ctx, "exponential", rest), out=words)
    shift = _same(ctx, "shift_left", ctx.op("convert", n, out=words), info.nmant)
    out = ctx.op("bitcast_convert", _same(ctx, "add", bits, shift), out=x.aval)
    low, high = ctx.compare("LT", x, float(info.minexp)), ctx.compare("LT", x, float(info.maxexp))
    out = _same(ctx, "select", low, 0.0, out)
    return _same(ctx, "select", high, out, _same(ctx, "multiply", x, math.inf))  # inf, or nan


def _hyperbolic(ctx: Any, x: Any) -> tuple[Any, Any]:
    """sinh and cosh, both exact near 0 and up to the largest number: with m = e**(|x|/2) - 1,

    sinh|x| = m (m + 2) (1 + (m + 1)**-2) / 2, cosh x = ((m + 1)**2 + (m + 1)**-2) / 2.
    """
    op = partial(_same, ctx)
    m = op("exponential_minus_one", op("multiply", op("abs", x), 0.5))
    p = op("add", m, 1.0)
    inverse = op("divide", 1.0, op("multiply", p, p))
    size = op("multiply", op("multiply", op("multiply", m, 0.5), op("add", m, 2.0)),
              op("add", inverse, 1.0))
    half = op("multiply", inverse, 0.5)
    return with_sign_of(ctx, size, x), op("add", op("multiply", op("multiply", p, 0.5), p), half)


def _oscillating(ctx: Any, growth: Any, angle: Any) -> list[Any]:
    """sinh cos, cosh sin, cosh cos and sinh sin of `growth` and `angle`.

    The sine of 0 wins against an infinite factor.
    """
    op = partial(_same, ctx)
    grown = _hyperbolic(ctx, growth)
    sine, cosine = op("sine", angle), op("cosine", angle)
    still = ctx.compare("EQ", sine, 0.0)
    one = ctx.constant(1.0, growth.aval)
    tamed = [op("select", still, with_sign_of(ctx, one, g), g) for g in grown]
    return [
        op("multiply", a, b)
        for a, b in ((grown[0], cosine), (tamed[1], sine), (grown[1], cosine), (tamed[0], sine))
    ]


@in_float32
def sinh(ctx: Any, x: Any) -> Any:
    """sinh(x + iy) = sinh x cos y + i cosh x sin y."""
    if x.aval.dtype.kind != "c":
        return _hyperbolic(ctx, x)[0]
    return ctx.op("complex", *_oscillating(ctx, *_parts(ctx, x))[:2])


@in_float32
def cosh(ctx: Any, x: Any) -> Any:
    """cosh(x + iy) = cosh x cos y + i sinh x sin y."""
    if x.aval.dtype.kind != "c":
        op = partial(_same, ctx)
        p = op("exponential", op("multiply", op("abs", x), 0.5))
        return op("add", op("multiply", op("multiply", p, 0.5), p),
                  op("divide", 0.5, op("multiply", p, p)))
    return ctx.op("complex", *_oscillating(ctx, *_parts(ctx, x))[2:])


def sin(ctx: Any, x: Any) -> Any:
    """sin(x + iy) = sin x cosh y + i cos x sinh y."""
    if x.aval.dtype.kind != "c":
        return ctx.op("sine", x)
    re, im = _parts(ctx, x)
    parts = _oscillating(ctx, im, re)
    return ctx.op("complex", parts[1], parts[0])


def cos(ctx: Any, x: Any) -> Any:
    """cos(x + iy) = cos x cosh y - i sin x sinh y."""
    if x.aval.dtype.kind != "c":
        return ctx.op("cosine", x)
    re, im = _parts(ctx, x)
    parts = _oscillating(ctx, im, re)
    return ctx.op("complex", parts[2], _same(ctx, "negate", parts[3]))


def conj(ctx: Any, z: Any) -> Any:
    """The conjugate, made of parts: StableHLO has no operation for it."""
    re, im = _parts(ctx, z)
    return ctx.op("complex", re, _same(ctx, "negate", im))
