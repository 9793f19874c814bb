"""How elementwise functions are lowered where XLA's own operation is inexact, or on the wrong
sheet.

An inverse function of complex numbers has several branches, the *sheets*. On a cut between two of
them, the sign of a zero in the operand says which one is meant.
Formulas are written with the builder, `ctx`, which emits StableHLO; `same` emits an operation whose
result has its operand's type. float16 and bfloat16 are computed in float32 (`in_float32`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np

from ..builder import LoweringContext
from ..types import SCALARS, ShapedArray, bool_, float32, real_dtype


def in_float32(formula: Callable) -> Callable:
    """Return the formula with narrow floats widened before it, and rounded once after it."""

    @wraps(formula)
    def lower(ctx: LoweringContext, *values: Any) -> Any:
        values = tuple(ctx.operands(values))
        aval = values[0].aval
        if aval.dtype.itemsize >= float32.itemsize:
            return formula(ctx, *values)
        out = aval.update(dtype=float32)
        wide = formula(ctx, *[ctx.op("convert", x, out=out) for x in values])
        return ctx.op("convert", wide, out=aval)

    return lower


def same(ctx: LoweringContext, name: str, *operands: Any) -> Any:
    """Emit an operation whose result has the type of its (last) array operand."""
    aval = next(v.aval for v in reversed(operands) if hasattr(v, "aval"))
    return ctx.op(name, *operands, out=aval)


def parts_of(ctx: LoweringContext, z: Any) -> list[Any]:
    """Emit the real and the imaginary part of a complex array."""
    aval = z.aval.update(dtype=real_dtype(z.aval.dtype))
    return [ctx.op(name, z, out=aval) for name in ("real", "imag")]


def comparison(direction: str) -> Callable:
    """Return how a comparison is lowered.

    Complex numbers are ordered by their real, then by their imaginary parts, and a nan in either is
    in no order, as NumPy has it.
    """
    strict = direction[0] + "T"

    def lower(ctx: LoweringContext, *values: Any) -> Any:
        x, y = ctx.operands(values)
        if x.aval.dtype.kind != "c" or direction in ("EQ", "NE"):
            return ctx.compare(direction, x, y)
        (a, b), (c, d) = parts_of(ctx, x), parts_of(ctx, y)
        known = same(ctx, "and", ctx.compare("EQ", b, b), ctx.compare("EQ", d, d))
        first = same(ctx, "and", ctx.compare(strict, a, c), known)
        second = same(ctx, "and", ctx.compare("EQ", a, c), ctx.compare(direction, b, d))
        return same(ctx, "or", first, second)

    return lower


def extremum(name: str, ctx: LoweringContext, *values: Any) -> Any:
    """Emit `maximum` or `minimum`: XLA's own of real numbers, of complex ones by comparison. A nan
    wins, the first of two.
    """
    x, y = ctx.operands(values)
    if x.aval.dtype.kind != "c":
        return ctx.op(name, x, y)
    in_order = comparison("GE" if name == "maximum" else "LE")(ctx, x, y)
    return ctx.op("select", same(ctx, "or", in_order, ctx.compare("NE", x, x)), x, y)


def magnitude(ctx: LoweringContext, x: Any) -> Any:
    """Emit the absolute value; unsigned numbers and booleans are their own."""
    return x if x.aval.dtype.kind in "bu" else ctx.op("abs", x)


def with_sign_of(ctx: LoweringContext, x: Any, y: Any) -> Any:
    """Emit |x| with the sign bit of y, which counts for zeros too."""
    words: ShapedArray = x.aval.update(dtype=np.dtype(f"i{x.aval.dtype.itemsize}"))
    sign = int(np.iinfo(words.dtype).min)
    bits = [ctx.op("bitcast_convert", v, out=words) for v in (x, y)]
    kept = [same(ctx, "and", b, mask) for b, mask in zip(bits, (~sign, sign))]
    return ctx.op("bitcast_convert", same(ctx, "or", *kept), out=x.aval)


def on_sheet(name: str, real: bool = False, negative: bool = False) -> Callable:
    """Return how an inverse function of complex numbers is lowered.

    XLA takes no notice of the sign of a zero, by which the two sides of a branch cut are told apart
    (Kahan 1987, "Branch cuts for complex elementary functions"). So the signs of the result are
    set: the imaginary part has the sign of the operand's.

    Args:
        name: XLA's function.
        real: whether the real part has the sign of the operand's, too.
        negative: whether the imaginary part has the other sign than the operand's.
    """

    def lower(ctx: LoweringContext, z: Any) -> Any:
        out = ctx.op(name, z)
        if z.aval.dtype.kind != "c":
            return out
        (x, y), (u, v) = parts_of(ctx, z), parts_of(ctx, out)
        v = with_sign_of(ctx, v, same(ctx, "negate", y) if negative else y)
        return ctx.op("complex", with_sign_of(ctx, u, x) if real else u, v)

    return lower


@in_float32
def exp2(ctx: LoweringContext, x: Any) -> Any:
    """Emit 2**x: the power series at what is left of x without the nearest integer n, and n in the
    exponent.

    e**(x log 2) would lose as many digits as x has before the point. In a number whose last bit
    counts 1, n stands in the last bits; processors convert no vectors to 64-bit integers.
    """
    if x.aval.dtype.kind == "c":
        return same(ctx, "exponential", same(ctx, "multiply", x, math.log(2)))
    op, info = partial(same, ctx), np.finfo(x.aval.dtype)
    words: ShapedArray = x.aval.update(dtype=np.dtype(f"i{info.dtype.itemsize}"))
    ends = float(info.minexp), float(info.maxexp)
    x = op("select", ctx.compare("LT", x, ends[0]), ends[0] - 1, op("minimum", x, ends[1]))
    n = op("round_nearest_even", x)
    fraction = op("subtract", x, n)
    terms = 13 if info.nmant > 23 else 8
    total = op("multiply", fraction, math.log(2) ** terms / math.factorial(terms))
    for k in range(terms - 1, 0, -1):
        total = op("multiply", op("add", total, math.log(2) ** k / math.factorial(k)), fraction)
    bits = ctx.op("bitcast_convert", op("add", total, 1.0), out=words)
    last = ctx.op("bitcast_convert", op("add", n, 1.5 * 2.0**info.nmant), out=words)
    exponent = op("shift_left", last, info.nmant)
    return ctx.op("bitcast_convert", op("add", bits, exponent), out=x.aval)


# XLA's simplifier makes one operation of two where real numbers allow it, but not floats. It looks
# no further than at the operation that made an operand. So a change of sign, which costs nothing,
# hides a product, and a barrier hides a number. These marks say what made a value.
QUOTIENT, PRODUCT, SUM = "/quotient", "/product", "/sum"


def divide(ctx: LoweringContext, x: Any, y: Any) -> Any:
    """Emit x / y so that XLA does not merge it with a quotient or product before.

    It would make x / (y z) of (x / y) / z, or x z / y of x / (y / z), whose products overflow where
    the quotients do not.
    """
    known = type(x) in SCALARS or type(y) in SCALARS
    operands, turned = ctx.operands((x, y)), False
    if operands[0].aval.dtype.kind in "iu":
        return ctx.op("divide", *operands)
    for i, v in enumerate(operands):
        if v.made == QUOTIENT or (known and v.made == PRODUCT):
            operands[i], turned = same(ctx, "negate", v), not turned
    out = same(ctx, "divide", *operands)
    return same(ctx, "negate", out) if turned else out.mark(QUOTIENT)


def multiply(ctx: LoweringContext, x: Any, y: Any) -> Any:
    """Emit x * y; if y is a number, so that XLA does not make x (y z) of (x y) z."""
    number, v = _number(x, y)
    if number is None:
        return ctx.op("multiply", x, y)
    if v.made in (PRODUCT, QUOTIENT):
        return same(ctx, "negate", same(ctx, "multiply", same(ctx, "negate", v), number))
    return ctx.op("multiply", x, y).mark(PRODUCT)


def sum_or_difference(ctx: LoweringContext, name: str, x: Any, y: Any) -> Any:
    """Emit x + y or x - y; if y is a number, so that XLA does not make x + (y + z) of (x + y) + z.

    XLA makes x of x + 0.0, too, but -0.0 + 0.0 is 0.0.
    """
    number, v = _number(x, y)
    if number is None:
        return ctx.op(name, x, y)
    if (
        number == 0
        and v.aval.dtype.kind != "c"
        and (name == "add" or v is x)
        and math.copysign(1, number) == (1 if name == "add" else -1)
    ):
        return ctx.op("select", ctx.compare("EQ", v, 0.0), 0.0, v)
    operands = [x, y]
    if v.made == SUM:
        operands[v is x] = ctx.hidden(number, v.aval)
    return ctx.op(name, *operands).mark(SUM)


def _number(x: Any, y: Any) -> tuple[Any, Any]:
    """Return the number among two operands and the other one; None for the number if there is none,
    or if the other one is no float.
    """
    number, v = (y, x) if type(y) in SCALARS else (x, y)
    known = type(number) in SCALARS and v.aval.dtype.kind not in "biu"
    return (number if known else None), v


def power(ctx: LoweringContext, x: Any, y: Any) -> Any:
    """Emit x**y; of integers by squaring, as often as the largest exponent has bits.

    XLA's own reads six bits of an integer exponent. A negative exponent gives the quotient 1 /
    x**-y rounded towards zero, and 0 for x = 0.
    """
    x, y = ctx.operands((x, y))
    kind, op = x.aval.dtype.kind, partial(same, ctx)
    if kind not in "iu":
        return ctx.op("power", x, y)
    if kind == "i":
        negative, flag = ctx.compare("LT", y, 0), partial(ctx.op, out=x.aval.update(dtype=bool_))
        unit = flag("or", ctx.compare("EQ", x, 1), ctx.compare("EQ", x, -1))
        gone = flag("and", negative, flag("not", unit))
        x = op("select", gone, 0, x)
        y = op("select", negative, op("subtract", 2, op("and", y, 1)), y)
    scalar = ShapedArray((), x.aval.dtype)
    either = ctx.region([scalar, scalar], lambda a, b: [ctx.op("or", a, b, out=scalar)])
    axes = {"dimensions": ctx.i64s(range(x.aval.ndim))}
    bits = ctx.emit("reduce", [y, ctx.constant(0, scalar)], [scalar], axes, either)[0]

    def step(bits: Any, y: Any, x: Any, out: Any) -> list[Any]:
        odd = ctx.compare("EQ", op("and", y, 1), 1)
        left = ctx.op("shift_right_logical", bits, 1, out=scalar)
        return [
            left,
            op("shift_right_logical", y, 1),
            op("multiply", x, x),
            op("select", odd, op("multiply", out, x), out),
        ]

    going = lambda bits, *_: ctx.compare("NE", bits, 0)
    return ctx.while_region(going, step, [bits, y, x, ctx.constant(1, x.aval)])[3]


def logaddexp(base: float) -> Callable:
    """Return how log(base**x + base**y) to the base `base` is lowered: from the larger of the two
    on.
    """

    @in_float32
    def lower(ctx: LoweringContext, x: Any, y: Any) -> Any:
        op, log = partial(same, ctx), math.log(base)
        gap = op("subtract", x, y)
        less = op("negate", op("abs", gap))
        less = less if base == math.e else op("multiply", less, log)
        more = op("log_plus_one", op("exponential", less))
        more = more if base == math.e else op("divide", more, log)
        smooth = op("add", op("maximum", x, y), more)
        odd = ctx.compare("NE", gap, gap)  # two equal infinities, or nan
        return op("select", odd, op("add", x, y), smooth)

    return lower


def _hyperbolic(ctx: LoweringContext, x: Any) -> tuple[Any, Any]:
    """Emit sinh and cosh, both exact near 0 and up to the largest number.

    With m = e**(|x|/2) - 1, sinh|x| = m (m + 2) (1 + (m + 1)**-2) / 2, and cosh x = ((m + 1)**2 +
    (m + 1)**-2) / 2.
    """
    op = partial(same, ctx)
    m = op("exponential_minus_one", op("multiply", op("abs", x), 0.5))
    p = op("add", m, 1.0)
    inverse = op("divide", 1.0, op("multiply", p, p))
    size = op(
        "multiply",
        op("multiply", op("multiply", m, 0.5), op("add", m, 2.0)),
        op("add", inverse, 1.0),
    )
    half = op("multiply", inverse, 0.5)
    return with_sign_of(ctx, size, x), op("add", op("multiply", op("multiply", p, 0.5), p), half)


def _oscillating(ctx: LoweringContext, growth: Any, angle: Any) -> list[Any]:
    """Emit sinh cos, cosh sin, cosh cos and sinh sin of `growth` and `angle`, in this order.

    The sine of 0 wins against an infinite factor.
    """
    op = partial(same, ctx)
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
def sinh(ctx: LoweringContext, x: Any) -> Any:
    """Emit sinh(x + iy) = sinh x cos y + i cosh x sin y."""
    if x.aval.dtype.kind != "c":
        return _hyperbolic(ctx, x)[0]
    return ctx.op("complex", *_oscillating(ctx, *parts_of(ctx, x))[:2])


@in_float32
def cosh(ctx: LoweringContext, x: Any) -> Any:
    """Emit cosh(x + iy) = cosh x cos y + i sinh x sin y."""
    if x.aval.dtype.kind != "c":
        op = partial(same, ctx)
        p = op("exponential", op("multiply", op("abs", x), 0.5))
        return op(
            "add",
            op("multiply", op("multiply", p, 0.5), p),
            op("divide", 0.5, op("multiply", p, p)),
        )
    return ctx.op("complex", *_oscillating(ctx, *parts_of(ctx, x))[2:])


def sin(ctx: LoweringContext, x: Any) -> Any:
    """Emit sin(x + iy) = sin x cosh y + i cos x sinh y."""
    if x.aval.dtype.kind != "c":
        return ctx.op("sine", x)
    re, im = parts_of(ctx, x)
    parts = _oscillating(ctx, im, re)
    return ctx.op("complex", parts[1], parts[0])


def cos(ctx: LoweringContext, x: Any) -> Any:
    """Emit cos(x + iy) = cos x cosh y - i sin x sinh y."""
    if x.aval.dtype.kind != "c":
        return ctx.op("cosine", x)
    re, im = parts_of(ctx, x)
    parts = _oscillating(ctx, im, re)
    return ctx.op("complex", parts[2], same(ctx, "negate", parts[3]))


def conj(ctx: LoweringContext, z: Any) -> Any:
    """Emit the conjugate, made of parts: StableHLO has no operation for it."""
    re, im = parts_of(ctx, z)
    return ctx.op("complex", re, same(ctx, "negate", im))


def sign(ctx: LoweringContext, x: Any) -> Any:
    """Emit the sign. XLA's own does not know unsigned integers, and gives -0.0 for -0.0, as NumPy
    does for bfloat16 only.
    """
    kind = x.aval.dtype.kind
    if kind == "u":
        return ctx.op("minimum", x, 1)
    out = ctx.op("sign", x)
    return out if kind in "icV" else ctx.op("select", ctx.compare("EQ", x, 0.0), 0.0, out)
