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
    def lower(ctx: Any, *values: Any) -> Any:
        values = ctx.operands(values)
        aval = values[0].aval
        if aval.dtype.itemsize >= float32.itemsize:
            return formula(ctx, *values)
        out = aval.update(dtype=float32)
        wide = formula(ctx, *[ctx.op("convert", x, out=out) for x in values])
        return ctx.op("convert", wide, out=aval)

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
    """2**x: the power series at the rest of the nearest integer n, which goes into the exponent.

    e**(x log 2) would lose as many digits as x has before the point. In a number whose last bit
    counts 1, n stands in the last bits; processors convert no vectors to 64-bit integers.
    """
    if x.aval.dtype.kind == "c":
        return _same(ctx, "exponential", _same(ctx, "multiply", x, math.log(2)))
    op, info = partial(_same, ctx), np.finfo(x.aval.dtype)
    words: ShapedArray = x.aval.update(dtype=np.dtype(f"i{info.dtype.itemsize}"))
    ends = float(info.minexp), float(info.maxexp)
    x = op("select", ctx.compare("LT", x, ends[0]), ends[0] - 1, op("minimum", x, ends[1]))
    n = op("round_nearest_even", x)
    rest = op("subtract", x, n)
    terms = 13 if info.nmant > 23 else 8
    total = op("multiply", rest, math.log(2) ** terms / math.factorial(terms))
    for k in range(terms - 1, 0, -1):
        total = op("multiply", op("add", total, math.log(2) ** k / math.factorial(k)), rest)
    bits = ctx.op("bitcast_convert", op("add", total, 1.0), out=words)
    last = ctx.op("bitcast_convert", op("add", n, 1.5 * 2.0**info.nmant), out=words)
    exponent = op("shift_left", last, info.nmant)
    return ctx.op("bitcast_convert", op("add", bits, exponent), out=x.aval)


def logaddexp(base: float) -> Callable:
    """log(base**x + base**y) to the base `base`, from the larger of the two on."""

    @in_float32
    def lower(ctx: Any, x: Any, y: Any) -> Any:
        op, log = partial(_same, ctx), math.log(base)
        gap = op("subtract", x, y)
        less = op("negate", op("abs", gap))
        less = less if base == math.e else op("multiply", less, log)
        more = op("log_plus_one", op("exponential", less))
        more = more if base == math.e else op("divide", more, log)
        smooth = op("add", op("maximum", x, y), more)
        odd = ctx.compare("NE", gap, gap)  # two equal infinities, or nan
        return op("select", odd, op("add", x, y), smooth)

    return lower


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
