"""Functions of each element: the family, and the table of names, NumPy functions, StableHLO ops and
derivatives.

A row: `name, NumPy function, StableHLO op, derivative by each operand`. The derivative is None for
an operand without one; a row without any says its `arity`. A derivative takes the operands, and the
result too if it has one parameter more. `singular=True` where a derivative may be infinite: its
product with a zero (co)tangent is then zero, so that `where(x > 0, sqrt(x), 0)` has the gradient 0
at 0, not nan. `series` is a recurrence for Taylor coefficients, where the one derived from the
derivative is much slower; it takes the arithmetic of series, the result, and the operands' series.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..builder import LoweringContext
from ..constants import full_like, zeros_like
from ..core import Primitive, Value, typeof
from ..families import Linear
from ..formulas import lowered as formulas
from ..formulas import slopes
from ..formulas.reference import (
    accurate_expm1,
    accurate_log1p,
    logical_right_shift,
    logistic_function,
    make_complex,
    other_elements,
    same_elements,
    special_function,
    truncated_quotient,
    truncated_remainder,
    zero_dominant_product,
)
from ..stand_ins import ZERO, LinearInput
from ..support.table import enter, named, with_results
from ..types import (
    KEYS,
    KINDS,
    SCALARS,
    STORAGE,
    ShapedArray,
    bool_,
    check_scalar,
    complex_dtype,
    kind_of,
    real_dtype,
)
from .choice import Select, batch_elements, select, select_p, zero_scalar  # noqa: F401


class Elementwise(Primitive):
    """A row of the table. Operands have one shape and dtype (Python scalars may stand for constant
    arrays), and the result has the shape, too.
    """

    takes_scalars = True
    __eq__ = object.__eq__  # type: ignore[assignment]  # a row is itself
    __hash__ = object.__hash__

    def __init__(
        self,
        name: str,
        impl: Callable,
        hlo: str | Callable,
        *derivatives: Callable | None,
        accepts: str = "fc",
        result: Callable | None = None,
        singular: bool = False,
        series: Callable | None = None,
        arity: int | None = None,
        light: bool | None = None,
    ):
        if light is not None:
            self.light = light
        self._name, self.hlo, self.accepts, self.series = name, hlo, accepts, series
        self.result, self.singular = result, singular
        self.impl = impl
        self.same_type = result is None
        self.arity = arity = max(len(derivatives), 1) if arity is None else arity
        if len(derivatives) not in (0, arity):
            raise TypeError(
                f"{name}: expects a derivative, or None, by each of {arity} operands, or none at "
                f"all, got {len(derivatives)}"
            )
        self.derivatives = with_results(name, derivatives, arity)
        self.module = enter(name, self)

    @property
    def name(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> Any:
        return named, (self.module, self._name)

    def abstract_eval(self, *avals: Any) -> ShapedArray:
        first, scalars = None, False
        for a in avals:
            if type(a) is not ShapedArray:
                scalars = True
            elif first is None:
                first = a
            elif a is not first:
                raise TypeError(
                    f"{self._name}: the operands need equal shapes and dtypes, got "
                    f"{', '.join(map(str, avals))}; diffeo.numpy's functions broadcast, promote"
                )
        if first is None or len(avals) != self.arity:
            raise TypeError(
                f"{self._name}: expects {self.arity} operands, of which at least one is an array, "
                f"got {len(avals)}: {', '.join(map(str, avals)) or 'none'}"
            )
        if kind_of(first.dtype) not in self.accepts:
            allowed = ", ".join([KINDS[k] for k in self.accepts])
            hint = {"s": f"; {STORAGE}", "k": f"; {KEYS}"}.get(kind_of(first.dtype), "")
            raise TypeError(f"{self._name}: expects {allowed} operands, got {first}{hint}")
        if scalars:
            for a in avals:
                if type(a) is not ShapedArray:
                    check_scalar(self._name, a, first.dtype)
        return first if self.result is None else first.update(dtype=self.result(first.dtype))

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return self.hlo(ctx, *values) if callable(self.hlo) else ctx.op(self.hlo, *values)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        out = self.bind(*primals)
        total = ZERO
        product = scale if self.singular else mul
        for entry, t in zip(self.derivatives, tangents):
            if entry is not None and t is not ZERO:
                derivative, wants_out = entry
                term = product.bind(
                    t, derivative(*primals, out) if wants_out else derivative(*primals)
                )
                total = term if total is ZERO else add.bind(total, term)
        return out, total

    def taylor(self, series: Any, args: Sequence[Any]) -> Any:
        if self.series:
            return self.series(series, self.bind(*[a[0] for a in args]), *args)
        # Without a derivative it is a constant, also for rules that ask before they compute.
        flat = not any(self.derivatives) and type(self).jvp is Elementwise.jvp
        return series.lift(self.bind(*[a[0] for a in args])) if flat else None

    batch = batch_elements  # type: ignore[assignment]


# --------------------------------------------------------------------------------------------------
# Linear and bilinear rows, whose rules are not a derivative's product


class ElementwiseLinear(Elementwise):
    """A linear row, such as neg: the tangent is the function itself."""

    linear = None
    jvp = Linear.jvp  # type: ignore[assignment]
    linear_part = Linear.linear_part


class Neg(ElementwiseLinear):
    """The negative."""

    light = True

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (neg.bind(ct),)


class Add(ElementwiseLinear):
    """A sum or difference, jointly linear in its operands. A Python scalar among them is a
    constant: the map is affine then.
    """

    light = True
    sign: Any = None
    hlo: Any

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return formulas.sum_or_difference(ctx, self.hlo, *values)

    def linear_part(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        dx, dy = tangents
        if dy is ZERO:
            return dx
        return (
            self.bind(dx, dy) if dx is not ZERO else dy if self.sign is None else self.sign.bind(dy)
        )

    def transpose(self, ct: Value, x: Any, y: LinearInput) -> Sequence[Any]:
        ct_y = ct if self.sign is None or type(y) is not LinearInput else self.sign.bind(ct)
        return (ct if type(x) is LinearInput else None), (ct_y if type(y) is LinearInput else None)


class Mul(Elementwise):
    """The product. Most derivatives are products of a tangent and a factor."""

    light = True
    bilinear = True

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return formulas.multiply(ctx, *values)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (x, y), (dx, dy) = primals, tangents
        out = self.bind(x, y)
        if dy is ZERO:
            return out, self.bind(dx, y)
        right = self.by_right(x, dy)
        return out, right if dx is ZERO else add.bind(self.bind(dx, y), right)

    def transpose(self, ct: Value, x: Any, y: Any) -> Sequence[Any]:
        return (self.bind(ct, y), None) if type(x) is LinearInput else (None, self.by_right(x, ct))

    def by_right(self, x: Any, dy: Value) -> Any:
        """Return the product in which the tangent or cotangent belongs to the right operand."""
        return self.bind(x, dy)


class Scale(Mul):
    """`t * factor`, but zero where `t` is zero, whatever the factor: the product for derivatives
    that may be infinite.

    A zero cotangent says that the result did not depend on the operand, so an infinite or undefined
    derivative there must not turn it into nan.
    """

    light = True

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        t, factor = ctx.operands(values)
        zero = ctx.constant(0, t.aval)
        return ctx.op("select", ctx.compare("EQ", t, zero), zero, ctx.op("multiply", t, factor))

    def by_right(self, x: Any, dy: Value) -> Any:
        out = self.bind(dy, x)
        return out if type(x) in SCALARS else select(x == 0, zero_scalar(dy), out)


class Div(Elementwise):
    """The quotient; of integers it is rounded towards zero."""

    light = True

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (x, y), (dx, dy) = primals, tangents
        out = self.bind(x, y)
        if type(y) in SCALARS:
            return out, self.by_scalar(dx, y)
        total = ZERO if dx is ZERO else scale.bind(dx, reciprocal(y))
        if dy is not ZERO:
            term = scale.bind(dy, -(out / y))  # not out * reciprocal(y): it is safe at 0
            total = term if total is ZERO else add.bind(total, term)
        return out, total

    def transpose(self, ct: Value, x: Any, y: Any) -> Sequence[Any]:
        scalar = type(y) in SCALARS
        return (self.by_scalar(ct, y) if scalar else scale.bind(ct, reciprocal(y))), None

    def by_scalar(self, t: Value, y: Any) -> Any:
        """Return a tangent divided by a number; a tangent of 0 stays 0 if the number is 0."""
        return div.bind(t, y) if y else scale.bind(t, div.bind(full_like(t, 1), y))

    def taylor(self, series: Any, args: Sequence[Any]) -> Any:
        return series.quotient(*args)


def reciprocal(x: Any) -> Any:
    """Return 1 / x."""
    return div.bind(1.0, x)


class Extremum(Elementwise):
    """The larger or smaller of two; complex numbers have an order, too."""

    light = True
    hlo: Any

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return formulas.extremum(self.hlo, ctx, *values)


class Sign(Elementwise):
    """-1, 0 or 1; of complex numbers z / |z|, which turns with z."""

    light = True

    def taylor(self, series: Any, args: Sequence[Any]) -> Any:
        still = typeof(args[0][0]).dtype.kind != "c"
        return series.lift(self.bind(args[0][0])) if still else None

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (z,), (t,) = primals, tangents
        out = self.bind(z)
        if typeof(z).dtype.kind != "c":
            return out, ZERO
        turn = div.bind(imag.bind(t * conj.bind(out)), _nonzero(absolute.bind(z)))
        return out, out * complex_.bind(zeros_like(turn), turn)


class Abs(Elementwise):
    """The absolute value; of complex numbers it is real."""

    light = True

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (x,), (t,) = primals, tangents
        out = self.bind(x)
        if typeof(x).dtype.kind != "c":
            return out, mul.bind(t, sign.bind(x))
        u, v = real.bind(x), imag.bind(x)
        along, across = over_hypot.bind(u, v), over_hypot.bind(v, u)
        return out, add.bind(scale.bind(real.bind(t), along), scale.bind(imag.bind(t), across))


def _nonzero(x: Value) -> Any:
    """Return `x`, and 1 where it is 0."""
    return select(x == 0, 1.0 if typeof(x).dtype.kind != "c" else 1 + 0j, x)


class RealPart(ElementwiseLinear):
    """real and imag: linear over the real numbers (JAX's convention for complex derivatives)."""

    light = True

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        zero = zeros_like(typeof(ct))
        return (complex_.bind(ct, zero) if self is real else complex_.bind(zero, neg.bind(ct)),)


class Conj(ElementwiseLinear):
    """The complex conjugate: linear over the real numbers."""

    light = True

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (conj.bind(ct),)


class MakeComplex(ElementwiseLinear):
    """A complex array from its real and imaginary part."""

    def transpose(self, ct: Value, x: Any, y: Any) -> Sequence[Any]:
        return (
            real.bind(ct) if type(x) is LinearInput else None,
            neg.bind(imag.bind(ct)) if type(y) is LinearInput else None,
        )


def _to_bool(dtype: np.dtype) -> np.dtype:
    return bool_


def _balance(x: Any, y: Any) -> Any:
    """Return the derivative of an extremum by the operand chosen if `x > y`; 1/2 at ties."""
    like = x if type(x) not in SCALARS else y
    return select(x > y, full_like(like, 1.0), select(x == y, full_like(like, 0.5), 0.0))


# --------------------------------------------------------------------------------------------------
# The table

# fmt: off
row, on_sheet, compare = Elementwise, formulas.on_sheet, formulas.comparison
neg = Neg("neg", np.negative, "negate", accepts="iufc")
add = Add("add", np.add, "add", None, None, accepts="biufcs")
sub = Add("sub", np.subtract, "subtract", None, None, accepts="iufc")
sub.sign = neg
mul = Mul("mul", np.multiply, "multiply", lambda x, y: y, lambda x, y: x, accepts="biufc")
scale = Scale("scale", zero_dominant_product, "", lambda x, y: y, lambda x, y: x)
div = Div("div", truncated_quotient, formulas.divide, None, None, accepts="iufc")
rem = row("rem", truncated_remainder, "remainder", lambda x, y: 1.0,
          lambda x, y, out: round_even.bind((out - x) / y), accepts="iuf", singular=True)
power = row("pow", np.power, formulas.power, lambda x, y: scale.bind(y, x ** (y - 1.0)),
            lambda x, y, out: _pow_by_exponent(x, out), accepts="iufc", singular=True,
            series=lambda s, out, x, y: (type(y[0]) is float and s.power(x, y[0], out)) or None)
maximum = Extremum("max", np.maximum, "maximum", lambda x, y: _balance(x, y),
                   lambda x, y: _balance(y, x), accepts="biufc")
minimum = Extremum("min", np.minimum, "minimum", lambda x, y: _balance(y, x),
                   lambda x, y: _balance(x, y), accepts="biufc")
atan2 = row("atan2", np.arctan2, "atan2", lambda x, y: over_square_sum.bind(y, x),
            lambda x, y: -over_square_sum.bind(x, y), accepts="f", singular=True)

sign = Sign("sign", np.sign, formulas.sign, accepts="iufc")
floor = row("floor", np.floor, "floor", accepts="f")
ceil = row("ceil", np.ceil, "ceil", accepts="f")
round_even = row("round", np.rint, "round_nearest_even", accepts="f")
is_finite = row("is_finite", np.isfinite, "is_finite", accepts="f", result=_to_bool, light=True)
absolute = Abs("abs", np.abs, formulas.magnitude, accepts="biufc", result=real_dtype)
sqrt = row("sqrt", np.sqrt, on_sheet("sqrt"), lambda x, y: 0.5 / y, singular=True,
           series=lambda s, y, x: s.root(x, y))
rsqrt = row("rsqrt", lambda x: 1 / np.sqrt(x), "rsqrt", lambda x, y: -0.5 * y / x, singular=True)
cbrt = row("cbrt", np.cbrt, "cbrt", lambda x, y: 1 / (3.0 * y * y), accepts="f", singular=True,
           series=lambda s, y, x: s.power(x, 1 / 3, y))
exp = row("exp", np.exp, "exponential", lambda x, y: y, singular=True)
expm1 = row("expm1", accurate_expm1, "exponential_minus_one", lambda x: exp.bind(x), singular=True)
log = row("log", np.log, "log", lambda x: reciprocal(x), singular=True,
          series=lambda s, y, x: s.logarithm(x, x[0], y))
log1p = row("log1p", accurate_log1p, "log_plus_one", lambda x: reciprocal(x + 1.0), singular=True,
            series=lambda s, y, x: s.logarithm(x, x[0] + 1.0, y))
sin = row("sin", np.sin, formulas.sin, lambda x: cos.bind(x))
cos = row("cos", np.cos, formulas.cos, lambda x: -sin.bind(x))
tan = row("tan", np.tan, "chlo.tan", lambda x, y: y * y + 1.0)
asin = row("asin", np.arcsin, on_sheet("chlo.asin", real=True),
           lambda x: rsqrt.bind(one_minus_square.bind(x)), singular=True)
acos = row("acos", np.arccos, on_sheet("chlo.acos", negative=True),
           lambda x: -rsqrt.bind(one_minus_square.bind(x)), singular=True)
atan = row("atan", np.arctan, on_sheet("chlo.atan", real=True),
           lambda x: inverse_square_plus_one.bind(x), singular=True)
sinh = row("sinh", np.sinh, formulas.sinh, lambda x: cosh.bind(x), singular=True)
cosh = row("cosh", np.cosh, formulas.cosh, lambda x: sinh.bind(x), singular=True)
tanh = row("tanh", np.tanh, "tanh", lambda x: sech_squared.bind(x),
           series=lambda s, y, x: s.tanh(x, y))
asinh = row("asinh", np.arcsinh, on_sheet("chlo.asinh", real=True),
            lambda x: inverse_root.bind(x), singular=True)
acosh = row("acosh", np.arccosh, on_sheet("chlo.acosh"),
            lambda x: scale.bind(rsqrt.bind(x + 1.0), rsqrt.bind(x - 1.0)), singular=True)
atanh = row("atanh", np.arctanh, on_sheet("chlo.atanh", real=True),
            lambda x: reciprocal(one_minus_square.bind(x)), singular=True)
logistic = row("logistic", logistic_function, "logistic",
               lambda x: sech_squared.bind(x * 0.5) * 0.25,
               series=lambda s, y, x: s.logistic(x, y))
erf = row("erf", special_function("erf"), "chlo.erf",
          lambda x: exp.bind(-(x * x)) * (2 / math.sqrt(math.pi)), accepts="f")
erf_inv = row("erf_inv", special_function("erfinv"), "chlo.erf_inv",
              lambda x, y: exp.bind(scale.bind(y, y)) * (math.sqrt(math.pi) / 2),
              accepts="f", singular=True)

# Derivatives that lose no digits, nor do their own; the length of (x, y), and a share of it.
slope = lambda name, *derivatives, **more: row(name, *slopes.FORMULAS[name], *derivatives, **more)
sech_squared = slope("sech_squared", lambda x, y: tanh.bind(x) * y * -2.0)
one_minus_square = slope("one_minus_square", lambda x: x * -2.0)
inverse_square_plus_one = slope("inverse_square_plus_one", lambda x, y: x * y * y * -2.0,
                                singular=True)
inverse_root = slope("inverse_root", lambda x, y: -(x * y * (y * y)), singular=True)
over_square_sum = slope("over_square_sum",
                        lambda x, y, p: _difference_of_squares(over_square_sum.bind(y, x), p),
                        lambda x, y, p: p * over_square_sum.bind(y, x) * -2.0, accepts="f",
                        singular=True)
hypot = slope("hypot", lambda x, y: over_hypot.bind(x, y), lambda x, y: over_hypot.bind(y, x),
              accepts="f", singular=True)
over_hypot = slope("over_hypot", lambda x, y: _turning(x, y, over_hypot.bind(y, x)),
                   lambda x, y, p: -_turning(x, y, p), accepts="f", singular=True)

truth = partial(row, light=True)
eq = truth("eq", same_elements, compare("EQ"), None, None, accepts="biufcsk", result=_to_bool)
ne = truth("ne", other_elements, compare("NE"), None, None, accepts="biufcsk", result=_to_bool)
lt = truth("lt", np.less, compare("LT"), None, None, accepts="biufc", result=_to_bool)
le = truth("le", np.less_equal, compare("LE"), None, None, accepts="biufc", result=_to_bool)
gt = truth("gt", np.greater, compare("GT"), None, None, accepts="biufc", result=_to_bool)
ge = truth("ge", np.greater_equal, compare("GE"), None, None, accepts="biufc", result=_to_bool)
logical_not = truth("not", np.invert, "not", accepts="biu")
logical_and = truth("and", np.bitwise_and, "and", None, None, accepts="biu")
logical_or = truth("or", np.bitwise_or, "or", None, None, accepts="biu")
logical_xor = truth("xor", np.bitwise_xor, "xor", None, None, accepts="biu")
shift_left = row("shift_left", np.left_shift, "shift_left", None, None, accepts="iu")
shift_right_logical = row("shift_right_logical", logical_right_shift, "shift_right_logical",
                          None, None, accepts="iu")
shift_right_arithmetic = row("shift_right_arithmetic", np.right_shift, "shift_right_arithmetic",
                             None, None, accepts="i")

real = RealPart("real", np.real, "real", accepts="c", result=real_dtype)
imag = RealPart("imag", np.imag, "imag", accepts="c", result=real_dtype)
conj = Conj("conj", np.conj, formulas.conj, accepts="c")
complex_ = MakeComplex("complex", make_complex, "complex", None, None, accepts="f",
                       result=complex_dtype)
# fmt: on


def trunc(x: Any) -> Any:
    """Round towards zero."""
    return select(x < 0, ceil.bind(x), floor.bind(x))


def _difference_of_squares(x: Value, y: Value) -> Any:
    return (x - y) * (x + y)


def _turning(x: Any, y: Any, across: Value) -> Any:
    """Return the share of y in the length of (x, y), times another share, over the length."""
    return scale.bind(over_hypot.bind(y, x), across / _nonzero(hypot.bind(x, y)))


def _pow_by_exponent(x: Any, out: Value) -> Any:
    """Return d/dy x**y = log(x) x**y, and 0 at x = 0, where it is so for y > 0."""
    if type(x) in SCALARS:
        if type(x) is complex:
            return out * (complex(np.log(x)) if x else 0.0)
        return full_like(out, math.nan) if x < 0 else out * (math.log(x) if x else 0.0)
    return scale.bind(log.bind(_nonzero(x)), out)
