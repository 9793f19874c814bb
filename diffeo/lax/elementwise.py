"""Functions of each element, one primitive each, and choices between arrays."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from ..numpy.common import arr, static_int
from ..primitives import elementwise as e
from ..primitives.core import describe, typeof, with_user_line
from ..primitives.operators import broadcast_to
from ..primitives.powers import IntegerPow
from ..primitives.types import SCALARS, is_inexact
from ..transforms import tree
from .strict import apply, apply_joined, join


def _unary(primitive: Any, doc: str) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        return apply(primitive, x)

    function.__doc__ = f"{doc}\n\n    Raises:\n        TypeError: for other dtypes.\n    "
    return function


def _binary(primitive: Any, doc: str) -> Callable[[Any, Any], Any]:
    def function(x: Any, y: Any) -> Any:
        return apply_joined(primitive, x, y)

    function.__doc__ = (f"{doc}\n\n    Operands of one shape and dtype; scalars join.\n\n    "
                        "Raises:\n        TypeError: for other operands.\n    ")
    return function


neg = _unary(e.neg, "-x.")
sign = _unary(e.sign, "-1, 0 or 1 (nan for nan).")
floor = _unary(e.floor, "The next integer below, of floats.")
ceil = _unary(e.ceil, "The next integer above, of floats.")
is_finite = _unary(e.is_finite, "Whether a float is neither infinite nor nan.")
abs = _unary(e.absolute, "|x|; real for complex x.")
sqrt = _unary(e.sqrt, "The square root.")
rsqrt = _unary(e.rsqrt, "1 / sqrt(x).")
cbrt = _unary(e.cbrt, "The cube root of floats.")
exp = _unary(e.exp, "The exponential.")
expm1 = _unary(e.expm1, "exp(x) - 1, exact near 0.")
log = _unary(e.log, "The natural logarithm.")
log1p = _unary(e.log1p, "log(1 + x), exact near 0.")
sin = _unary(e.sin, "The sine.")
cos = _unary(e.cos, "The cosine.")
tan = _unary(e.tan, "The tangent.")
asin = _unary(e.asin, "The inverse of sin.")
acos = _unary(e.acos, "The inverse of cos.")
atan = _unary(e.atan, "The inverse of tan.")
sinh = _unary(e.sinh, "The hyperbolic sine.")
cosh = _unary(e.cosh, "The hyperbolic cosine.")
tanh = _unary(e.tanh, "The hyperbolic tangent.")
asinh = _unary(e.asinh, "The inverse of sinh.")
acosh = _unary(e.acosh, "The inverse of cosh.")
atanh = _unary(e.atanh, "The inverse of tanh.")
logistic = _unary(e.logistic, "1 / (1 + exp(-x)).")
erf = _unary(e.erf, "The error function of floats.")
erf_inv = _unary(e.erf_inv, "The inverse of erf.")
real = _unary(e.real, "The real part of complex x.")
imag = _unary(e.imag, "The imaginary part of complex x.")
conj = _unary(e.conj, "The conjugate of complex x.")
bitwise_not = _unary(e.logical_not, "The bits of integers or booleans, inverted.")

add = _binary(e.add, "x + y; of booleans, or.")
sub = _binary(e.sub, "x - y.")
mul = _binary(e.mul, "x * y; of booleans, and.")
div = _binary(e.div, "x / y; of integers, rounded towards zero.")
rem = _binary(e.rem, "The remainder of div, with the sign of x.")
max = _binary(e.maximum, "The larger one (nan if either is).")
min = _binary(e.minimum, "The smaller one (nan if either is).")
atan2 = _binary(e.atan2, "The angle of the point (y, x), of floats x, y in this order.")
complex = _binary(e.complex_, "x + i y.")
eq = _binary(e.eq, "x == y.")
ne = _binary(e.ne, "x != y.")
lt = _binary(e.lt, "x < y.")
le = _binary(e.le, "x <= y.")
gt = _binary(e.gt, "x > y.")
ge = _binary(e.ge, "x >= y.")
bitwise_and = _binary(e.logical_and, "The and of bits or booleans.")
bitwise_or = _binary(e.logical_or, "The or of bits or booleans.")
bitwise_xor = _binary(e.logical_xor, "The exclusive or of bits or booleans.")
shift_left = _binary(e.shift_left, "The bits of x moved to the left by y.")
shift_right_logical = _binary(e.shift_right_logical, "Bits to the right, zeros from the left.")
shift_right_arithmetic = _binary(e.shift_right_arithmetic, "Bits to the right, keeping signs.")

for _name, _function in list(globals().items()):
    if getattr(_function, "__name__", "") == "function":
        _function.__name__ = _function.__qualname__ = _name


def integer_pow(x: Any, y: int) -> Any:
    """x ** y for a static integer y, by repeated multiplication.

    Examples:
        >>> integer_pow(3.0, -2)
        Array(0.11111111)
    """
    return apply(IntegerPow(static_int(y, "integer_pow", "the exponent")), x)


def pow(x: Any, y: Any) -> Any:
    """x ** y for floats or complex numbers; a Python integer y may stand beside any x.

    Raises:
        TypeError: for operands of different shapes or dtypes.
    """
    return integer_pow(x, y) if type(y) is int else apply_joined(e.power, x, y)


def square(x: Any) -> Any:
    """x * x."""
    return integer_pow(x, 2)


def reciprocal(x: Any) -> Any:
    """1 / x of floats or complex numbers."""
    return integer_pow(x, -1)


def exp2(x: Any) -> Any:
    """2 ** x of floats or complex numbers."""
    return apply_joined(e.power, 2.0, arr(x))


class RoundingMethod(enum.IntEnum):
    """Where `round` sends a number halfway between two integers."""

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


def round(x: Any, rounding_method: RoundingMethod = RoundingMethod.AWAY_FROM_ZERO) -> Any:
    """The nearest integers, of floats.

    Examples:
        >>> import diffeo as dx
        >>> round(dx.numpy.array([0.5, 1.5, -0.5])), round(2.5, RoundingMethod.TO_NEAREST_EVEN)
        (Array([ 1.,  2., -1.]), Array(2.))
    """
    even = apply(e.round_even, x)
    if rounding_method == RoundingMethod.TO_NEAREST_EVEN:
        return even
    x = arr(x)
    toward_zero = e.trunc(x)
    return e.select(e.absolute.bind(x - toward_zero) >= 0.5, toward_zero + e.sign.bind(x),
                    toward_zero)


def clamp(min: Any, x: Any, max: Any) -> Any:
    """x moved into [min, max]; the bounds are scalars or of the shape of x.

    Examples:
        >>> import diffeo as dx
        >>> clamp(0.0, dx.numpy.array([-1.0, 0.5, 2.0]), 1.0)
        Array([0. , 0.5, 1. ])
    """
    low, x, high = join("clamp", min, x, max)
    return apply_joined(e.minimum, apply_joined(e.maximum, x, low), high)


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """`on_true` where `pred` holds, else `on_false`: two arrays of one shape and dtype.

    Args:
        pred: booleans, of the arrays' shape or without axes.

    Raises:
        TypeError: if shapes or dtypes differ, or pred is not boolean.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([-1.0, 2.0])
        >>> select(x > 0, x, -x)
        Array([1., 2.])
    """
    on_true, on_false = arr(on_true), arr(on_false)
    pred = arr(pred)
    if not pred.ndim:
        pred = broadcast_to(pred, on_true.shape)
    return apply(e.select_p, pred, on_true, on_false)


def select_n(which: Any, *cases: Any) -> Any:
    """Of several arrays of one shape and dtype, element by element, the one with number `which`.

    Args:
        which: booleans (for two cases) or integers, of the cases' shape or without axes; numbers
            beyond the cases count as the nearest one.
        cases: the arrays.

    Raises:
        TypeError: if shapes or dtypes differ, or there are not two cases for booleans.

    Examples:
        >>> import diffeo as dx
        >>> select_n(dx.numpy.array([2, 0]), *[dx.numpy.array([i, i + 0.5]) for i in range(3)])
        Array([2. , 0.5])
    """
    which = arr(which)
    is_bool = which.dtype.kind == "b"
    if not cases or (is_bool and len(cases) > 2) or which.dtype.kind not in "biu":
        raise with_user_line(TypeError(
            f"select_n: expects booleans and at most two cases, or integers and some cases, got "
            f"{describe(which)} and {len(cases)} cases"))
    arrays = [arr(case) for case in cases]
    out = arrays.pop()
    for i, case in reversed(list(enumerate(arrays))):
        out = select(~which if is_bool else which <= i, case, out)
    return out


def stop_gradient(x: Any) -> Any:
    """The value itself, as a constant of differentiation; of any tree of arrays.

    Examples:
        >>> import diffeo as dx
        >>> dx.grad(lambda x: x * stop_gradient(x))(3.0)
        Array(3.)
    """
    def stop(leaf: Any) -> Any:
        if type(leaf) in SCALARS or not is_inexact(typeof(leaf).dtype):
            return leaf
        return e.stop_gradient(arr(leaf))

    return tree.map(stop, x)
