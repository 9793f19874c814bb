"""Functions of each element: the family, and the table of names, NumPy functions, StableHLO ops
and derivatives.

A row: `name, NumPy function, StableHLO op, derivative by each operand`. A derivative takes the
operands, and the result too if it has one parameter more. `singular=True` where a derivative may
be infinite: its product with a zero (co)tangent is then zero, so that `where(x > 0, sqrt(x), 0)`
has the gradient 0 at 0, not nan. `series` is a recurrence for Taylor coefficients, where the one
derived from the derivative is much slower; it takes the arithmetic of series, the result, and the
operands' series.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import formulas
from .core import ZERO, LinearInput, Primitive, typeof
from .families import Linear, full_like, zeros_like
from .reference import (
    accurate_log1p,
    logical_right_shift,
    logistic_function,
    make_complex,
    special_function,
    truncated_quotient,
    truncated_remainder,
    zero_dominant_product,
)
from .structural import batch_at_front
from .table import enter, named
from .types import (
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


class Elementwise(Primitive):
    """Operands of one shape and dtype (Python scalars may stand for constant arrays); the result
    has the shape too.
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
        result: Any = None,
        singular: bool = False,
        series: Callable | None = None,
    ):
        self._name, self.hlo, self.accepts, self.series = name, hlo, accepts, series
        self.result, self.singular = result, singular
        self.impl = impl
        self.same_type = result is None
        self.arity = max(len(derivatives), 1)
        self.derivatives = tuple(
            [(d, d.__code__.co_argcount > self.arity) for d in derivatives if d is not None]
        )
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
            hint = f"; {STORAGE}" if kind_of(first.dtype) == "s" else ""
            raise TypeError(f"{self._name}: expects {allowed} operands, got {first}{hint}")
        if scalars:
            for a in avals:
                if type(a) is not ShapedArray:
                    check_scalar(self._name, a, first.dtype)
        return first if self.result is None else first.update(dtype=self.result(first.dtype))

    def lower(self, ctx: Any, *values: Any) -> Any:
        return self.hlo(ctx, *values) if callable(self.hlo) else ctx.op(self.hlo, *values)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        out = self.bind(*primals)
        total = ZERO
        product = scale if self.singular else mul
        for (derivative, wants_out), t in zip(self.derivatives, tangents):
            if t is not ZERO:
                term = product.bind(
                    t, derivative(*primals, out) if wants_out else derivative(*primals)
                )
                total = term if total is ZERO else add.bind(total, term)
        return out, total

    def taylor(self, series: Any, args: Sequence[Any]) -> Any:
        return self.series and self.series(series, self.bind(*[a[0] for a in args]), *args)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        found = {d for a, d in zip(args, dims) if type(a) not in SCALARS}
        if len(found) == 1:
            return self.bind(*args), found.pop()
        return self.bind(*[batch_at_front(a, d, size) for a, d in zip(args, dims)]), 0


# --------------------------------------------------------------------------------------------------
# Linear and bilinear rows, whose rules are not a derivative's product


class ElementwiseLinear(Elementwise):
    """A linear row, such as neg: the tangent is the function itself."""

    linear = None
    jvp = Linear.jvp  # type: ignore[assignment]
    linear_part = Linear.linear_part


class Neg(ElementwiseLinear):
    """The negative."""

    def transpose(self, ct: Any, x: Any) -> Sequence[Any]:
        return (neg.bind(ct),)


class Add(ElementwiseLinear):
    """Jointly linear in its operands; a Python scalar among them is a constant, so the map is
    affine.
    """

    sign: Any = None

    def linear_part(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        dx, dy = tangents
        if dy is ZERO:
            return dx
        return (
            self.bind(dx, dy) if dx is not ZERO else dy if self.sign is None else self.sign.bind(dy)
        )

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        ct_y = ct if self.sign is None or type(y) is not LinearInput else self.sign.bind(ct)
        return (ct if type(x) is LinearInput else None), (ct_y if type(y) is LinearInput else None)


class Mul(Elementwise):
    """The product; of a tangent and a factor it is what most derivatives are made of."""

    bilinear = True

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (x, y), (dx, dy) = primals, tangents
        out = self.bind(x, y)
        if dy is ZERO:
            return out, self.bind(dx, y)
        right = self.by_right(x, dy)
        return out, right if dx is ZERO else add.bind(self.bind(dx, y), right)

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        return (self.bind(ct, y), None) if type(x) is LinearInput else (None, self.by_right(x, ct))

    def by_right(self, x: Any, dy: Any) -> Any:
        """The (co)tangent that belongs to the right operand."""
        return self.bind(x, dy)


class Scale(Mul):
    """`t * factor`, but zero where `t` is zero, whatever the factor: the product for derivatives
    that may be infinite.

    A zero cotangent says that the result did not depend on the operand, so an infinite or
    undefined derivative there must not turn it into nan.
    """

    def lower(self, ctx: Any, *values: Any) -> Any:
        t, factor = ctx.operands(values)
        zero = ctx.constant(0, t.aval)
        return ctx.op("select", ctx.compare("EQ", t, zero), zero, ctx.op("multiply", t, factor))

    def by_right(self, x: Any, dy: Any) -> Any:
        out = self.bind(dy, x)
        return out if type(x) in SCALARS else select(x == 0, zero_scalar(dy), out)


class Div(Elementwise):
    """The quotient; of integers it is rounded towards zero."""

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

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        scalar = type(y) in SCALARS
        return (self.by_scalar(ct, y) if scalar else scale.bind(ct, reciprocal(y))), None

    def by_scalar(self, t: Any, y: Any) -> Any:
        """A tangent over a number; 0 stays 0 over 0."""
        return div.bind(t, y) if y else scale.bind(t, div.bind(full_like(t, 1), y))

    def taylor(self, series: Any, args: Sequence[Any]) -> Any:
        return series.quotient(*args)


class Select(Linear):
    """`select(pred, on_true, on_false)`: a choice for each element; pred is boolean of the same
    shape.
    """

    takes_scalars = True
    linear = (1, 2)

    def abstract_eval(self, pred: Any, x: Any, y: Any) -> ShapedArray:
        out = x if type(x) is ShapedArray else y
        same = type(out) is ShapedArray and (type(y) is not ShapedArray or y is out)
        if (
            not same
            or type(pred) is not ShapedArray
            or pred.dtype != bool_
            or pred.shape != out.shape
        ):
            raise TypeError(
                "select: expects a boolean array and two operands of its shape and of one "
                "dtype, got "
                f"{pred}, {x}, {y}"
            )
        if type(x) in SCALARS or type(y) in SCALARS:
            check_scalar("select", x if out is y else y, out.dtype)
        return out

    def impl(self, pred: np.ndarray, x: Any, y: Any) -> np.ndarray:
        return np.where(pred, x, y)

    def lower(self, ctx: Any, *values: Any) -> Any:
        return ctx.op("select", *values)

    def transpose(self, ct: Any, pred: Any, x: Any, y: Any) -> Sequence[Any]:
        zero = zero_scalar(ct)
        return (
            None,
            select(pred, ct, zero) if type(x) is LinearInput else None,
            select(pred, zero, ct) if type(y) is LinearInput else None,
        )

    batch = Elementwise.batch  # type: ignore[assignment]


select_p = Select()


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """`on_true` where `pred`, else `on_false`; equal shapes and dtypes, or Python scalars."""
    if type(on_true) in SCALARS and type(on_false) in SCALARS:
        raise TypeError("select: one of the two operands must be an array")
    return select_p.bind(pred, on_true, on_false)


def zero_scalar(x: Any) -> Any:
    """The Python zero of the kind of `x`'s dtype; `x` is an array, a tracer or a type."""
    kind = (x if type(x) is ShapedArray else typeof(x)).dtype.kind
    return 0j if kind == "c" else False if kind == "b" else 0 if kind in "iu" else 0.0


def reciprocal(x: Any) -> Any:
    """1 / x."""
    return div.bind(1.0, x)


class Sign(Elementwise):
    """-1, 0 or 1; of complex numbers z / |z|, which turns with z."""

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (z,), (t,) = primals, tangents
        out = self.bind(z)
        if typeof(z).dtype.kind != "c":
            return out, ZERO
        turn = div.bind(imag.bind(t * conj.bind(out)), _nonzero(absolute.bind(z)))
        return out, out * complex_.bind(zeros_like(turn), turn)


class Abs(Elementwise):
    """The absolute value; of complex numbers it is real."""

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (x,), (t,) = primals, tangents
        out = self.bind(x)
        if typeof(x).dtype.kind != "c":
            return out, mul.bind(t, sign.bind(x))
        unit = real_imag_quotient(x, out)
        return out, real.bind(scale.bind(t, conj.bind(unit)))


def _nonzero(x: Any) -> Any:
    """`x`, and 1 where it is 0."""
    return select(x == 0, 1.0 if typeof(x).dtype.kind != "c" else 1 + 0j, x)


def real_imag_quotient(x: Any, r: Any) -> Any:
    """A complex array over a real one of the same shape."""
    return complex_.bind(div.bind(real.bind(x), r), div.bind(imag.bind(x), r))


class RealPart(ElementwiseLinear):
    """real and imag: linear over the real numbers (JAX's convention for complex derivatives)."""

    def transpose(self, ct: Any, x: Any) -> Sequence[Any]:
        zero = zeros_like(typeof(ct))
        return (complex_.bind(ct, zero) if self is real else complex_.bind(zero, neg.bind(ct)),)


class Conj(ElementwiseLinear):
    """The complex conjugate: linear over the real numbers."""

    def transpose(self, ct: Any, x: Any) -> Sequence[Any]:
        return (conj.bind(ct),)


class MakeComplex(ElementwiseLinear):
    """A complex array from its real and imaginary part."""

    def transpose(self, ct: Any, x: Any, y: Any) -> Sequence[Any]:
        return (
            real.bind(ct) if type(x) is LinearInput else None,
            neg.bind(imag.bind(ct)) if type(y) is LinearInput else None,
        )


def _compare(direction: str) -> Callable:
    return lambda ctx, x, y: ctx.compare(direction, x, y)


def _lower_sign(ctx: Any, x: Any) -> Any:  # XLA's own does not know unsigned integers
    return ctx.op("minimum", x, 1) if x.aval.dtype.kind == "u" else ctx.op("sign", x)


def _to_bool(dtype: np.dtype) -> np.dtype:
    return bool_


def _one_minus_square(x: Any) -> Any:
    """1 - x**2, exact near 1, where it is a singular denominator."""
    return (1.0 - x) * (x + 1.0)


def _balance(x: Any, y: Any) -> Any:
    """The derivative of a maximum or minimum by the operand chosen if `x > y`; 1/2 at ties."""
    like = x if type(x) not in SCALARS else y
    return select(x > y, full_like(like, 1.0), select(x == y, full_like(like, 0.5), 0.0))


# --------------------------------------------------------------------------------------------------
# The table

# fmt: off
row, on_sheet = Elementwise, formulas.on_sheet
neg = Neg("neg", np.negative, "negate", accepts="iufc")
add = Add("add", np.add, "add", lambda x, y: None, lambda x, y: None, accepts="biufcs")
sub = Add("sub", np.subtract, "subtract", lambda x, y: None, lambda x, y: None, accepts="iufc")
sub.sign = neg
mul = Mul("mul", np.multiply, "multiply", lambda x, y: y, lambda x, y: x, accepts="biufc")
scale = Scale("scale", zero_dominant_product, "", lambda x, y: y, lambda x, y: x)
div = Div("div", truncated_quotient, "divide", lambda x, y: None, lambda x, y: None, accepts="iufc")
rem = row("rem", truncated_remainder, "remainder", lambda x, y: 1.0,
          lambda x, y: -trunc(x / y), accepts="iuf", singular=True)
power = row("pow", np.power, "power", lambda x, y: scale.bind(y, x ** (y - 1.0)),
            lambda x, y, out: _pow_by_exponent(x, out), singular=True,
            series=lambda s, out, x, y: (type(y[0]) is float and s.power(x, y[0], out)) or None)
maximum = row("max", np.maximum, "maximum", lambda x, y: _balance(x, y),
              lambda x, y: _balance(y, x), accepts="biuf")
minimum = row("min", np.minimum, "minimum", lambda x, y: _balance(y, x),
              lambda x, y: _balance(x, y), accepts="biuf")
atan2 = row("atan2", np.arctan2, "atan2", lambda x, y: y / (x * x + y * y),
            lambda x, y: -x / (x * x + y * y), accepts="f", singular=True)

sign = Sign("sign", np.sign, _lower_sign, accepts="iufc")
floor = row("floor", np.floor, "floor", accepts="f")
ceil = row("ceil", np.ceil, "ceil", accepts="f")
round_even = row("round", np.rint, "round_nearest_even", accepts="f")
is_finite = row("is_finite", np.isfinite, "is_finite", accepts="f", result=_to_bool)
absolute = Abs("abs", np.abs, "abs", accepts="ifc", result=real_dtype)
sqrt = row("sqrt", np.sqrt, on_sheet("sqrt"), lambda x, y: 0.5 / y, singular=True,
           series=lambda s, y, x: s.root(x, y))
rsqrt = row("rsqrt", lambda x: 1 / np.sqrt(x), "rsqrt", lambda x, y: -0.5 * y / x, singular=True)
cbrt = row("cbrt", np.cbrt, "cbrt", lambda x, y: 1 / (3.0 * y * y), accepts="f", singular=True,
           series=lambda s, y, x: s.power(x, 1 / 3, y))
exp = row("exp", np.exp, "exponential", lambda x, y: y, singular=True)
expm1 = row("expm1", np.expm1, "exponential_minus_one", lambda x, y: y + 1.0, singular=True)
log = row("log", np.log, "log", lambda x: reciprocal(x), singular=True,
          series=lambda s, y, x: s.logarithm(x, x[0], y))
log1p = row("log1p", accurate_log1p, "log_plus_one", lambda x: reciprocal(x + 1.0), singular=True,
            series=lambda s, y, x: s.logarithm(x, x[0] + 1.0, y))
sin = row("sin", np.sin, formulas.sin, lambda x: cos.bind(x))
cos = row("cos", np.cos, formulas.cos, lambda x: -sin.bind(x))
tan = row("tan", np.tan, "chlo.tan", lambda x, y: y * y + 1.0)
asin = row("asin", np.arcsin, on_sheet("chlo.asin", real=True),
           lambda x: rsqrt.bind(_one_minus_square(x)), singular=True)
acos = row("acos", np.arccos, on_sheet("chlo.acos", negative=True),
           lambda x: -rsqrt.bind(_one_minus_square(x)), singular=True)
atan = row("atan", np.arctan, "chlo.atan", lambda x: reciprocal(x * x + 1.0), singular=True)
sinh = row("sinh", np.sinh, formulas.sinh, lambda x: cosh.bind(x), singular=True)
cosh = row("cosh", np.cosh, formulas.cosh, lambda x: sinh.bind(x), singular=True)
tanh = row("tanh", np.tanh, "tanh", lambda x, y: 1.0 - y * y)
asinh = row("asinh", np.arcsinh, on_sheet("chlo.asinh", real=True),
            lambda x: rsqrt.bind(x * x + 1.0), singular=True)
acosh = row("acosh", np.arccosh, on_sheet("chlo.acosh"),
            lambda x: scale.bind(rsqrt.bind(x + 1.0), rsqrt.bind(x - 1.0)), singular=True)
atanh = row("atanh", np.arctanh, on_sheet("chlo.atanh", real=True),
            lambda x: reciprocal(_one_minus_square(x)), singular=True)
logistic = row("logistic", logistic_function, "logistic", lambda x, y: y * (1.0 - y),
               series=lambda s, y, x: s.logistic(x, y))
erf = row("erf", special_function("erf"), "chlo.erf",
          lambda x: exp.bind(-(x * x)) * (2 / math.sqrt(math.pi)), accepts="f")
erf_inv = row("erf_inv", special_function("erfinv"), "chlo.erf_inv",
              lambda x, y: exp.bind(scale.bind(y, y)) * (math.sqrt(math.pi) / 2),
              accepts="f", singular=True)

eq = row("eq", np.equal, _compare("EQ"), None, None, accepts="biufcs", result=_to_bool)
ne = row("ne", np.not_equal, _compare("NE"), None, None, accepts="biufcs", result=_to_bool)
lt = row("lt", np.less, _compare("LT"), None, None, accepts="biuf", result=_to_bool)
le = row("le", np.less_equal, _compare("LE"), None, None, accepts="biuf", result=_to_bool)
gt = row("gt", np.greater, _compare("GT"), None, None, accepts="biuf", result=_to_bool)
ge = row("ge", np.greater_equal, _compare("GE"), None, None, accepts="biuf", result=_to_bool)
logical_not = row("not", np.invert, "not", accepts="biu")
logical_and = row("and", np.bitwise_and, "and", None, None, accepts="biu")
logical_or = row("or", np.bitwise_or, "or", None, None, accepts="biu")
logical_xor = row("xor", np.bitwise_xor, "xor", None, None, accepts="biu")
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


def _pow_by_exponent(x: Any, out: Any) -> Any:
    """d/dy x**y = log(x) x**y, and 0 at x = 0, where it is so for y > 0."""
    if type(x) in SCALARS:
        if type(x) is complex:
            return out * (complex(np.log(x)) if x else 0.0)
        return full_like(out, math.nan) if x < 0 else out * (math.log(x) if x else 0.0)
    return scale.bind(log.bind(_nonzero(x)), out)
