"""Functions of each element, with NumPy's broadcasting and the promotion of `operators.py`.

Most are one primitive of `words/elementwise.py` (`e`). `o.unary` and `o.binary` (operators.py) turn
a primitive into a function that promotes and broadcasts its operands; `_named` gives it its name
and docstring. The other functions are written out below.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..primitives.array import Array, as_value
from ..primitives.constants import full_like
from ..primitives.core import typeof
from ..primitives.support.sources import rename
from ..primitives.types import SCALARS, is_float
from ..primitives.words import elementwise as e
from ..primitives.words import operators as o
from ..primitives.words import powers
from ..primitives.words.promotion import (
    align_inexact,
    to_inexact,
    to_value,
)
from ..primitives.words.structural import bitcast_convert_type, convert_element_type
from .choosing import where
from .common import (
    arr,
    by_numpy,
    holds_floats,
    is_nan,
    no_out,
    real_only,
    static_int,
    to_bool,
)
from .ufunc_methods import with_methods


def _named(function: Any, name: str, doc: str) -> Any:
    """Give a function its name, docstring and module."""
    function.__doc__ = doc
    function.__module__ = __name__
    return rename(function, name)


def _real(primitive: Any, name: str, doc: str) -> Any:
    """Return a function of floating-point (or complex) numbers; integers become floats."""
    return _named(o.unary(primitive, True), name, doc)


sin = _real(
    e.sin,
    "sin",
    """The sine of each element (radians).

    Examples:
        >>> import diffeo as dx
        >>> sin(dx.numpy.array([0.0, 0.5]))
        Array([0.        , 0.47942554])
    """,
)
cos = _real(e.cos, "cos", "The cosine of each element (radians).")
tan = _real(e.tan, "tan", "The tangent of each element (radians).")
arcsin = _real(
    e.asin, "arcsin", "The angle in [-pi/2, pi/2] whose sine is `x`; nan beyond [-1, 1]."
)
arccos = _real(e.acos, "arccos", "The angle in [0, pi] whose cosine is `x`; nan beyond [-1, 1].")
arctan = _real(e.atan, "arctan", "The angle in (-pi/2, pi/2) whose tangent is `x`.")
sinh = _real(e.sinh, "sinh", "The hyperbolic sine.")
cosh = _real(e.cosh, "cosh", "The hyperbolic cosine.")
tanh = _real(e.tanh, "tanh", "The hyperbolic tangent.")
arcsinh = _real(e.asinh, "arcsinh", "The inverse of the hyperbolic sine.")
arccosh = _real(e.acosh, "arccosh", "The inverse of the hyperbolic cosine, for `x` >= 1.")
arctanh = _real(e.atanh, "arctanh", "The inverse of the hyperbolic tangent, for `x` in (-1, 1).")
exp = _real(e.exp, "exp", "e to the power `x`.")
expm1 = _real(e.expm1, "expm1", "`exp(x) - 1`, precise near 0.")
log = _real(e.log, "log", "The natural logarithm; nan for negative real numbers.")
log1p = _real(e.log1p, "log1p", "`log(1 + x)`, precise near 0.")
sqrt = _real(e.sqrt, "sqrt", "The square root; nan for negative real numbers.")
cbrt = _real(e.cbrt, "cbrt", "The real cube root, of negative numbers too.")
arctan2 = _named(
    o.binary(e.atan2, True),
    "arctan2",
    "`arctan2(y, x)`: the angle of the point (x, y) in (-pi, pi].",
)
add = with_methods(_named(o.add, "add", "`x + y`."), 0)
subtract = with_methods(_named(o.sub, "subtract", "`x - y`."), None)
multiply = with_methods(_named(o.mul, "multiply", "`x * y`."), 1)
divide = true_divide = _named(o.true_divide, "divide", "`x / y`; integers become floats.")
floor_divide = _named(
    o.floor_divide,
    "floor_divide",
    """`x // y`: the quotient rounded down.

    What NumPy gives, to the last bit: 1.0 // 0.1 is 9, as 0.1 is a little above a tenth. Of
    integers, 0 where `y` is 0.
    """,
)
divmod = _named(o.divide_whole, "divmod", "`(x // y, x % y)`.")
remainder = mod = _named(
    o.remainder,
    "remainder",
    """`x % y`: with the sign of `y`, as in Python.

    Of integers, 0 where `y` is 0. The derivative by `y` is `-(x // y)`.
    """,
)
fmod = _named(
    o.fmod,
    "fmod",
    """The remainder with the sign of `x`, as in C.

    Of integers, 0 where `y` is 0.
    """,
)
negative = with_methods(_named(o.negative, "negative", "`-x`."), None, 1)
positive = _named(o.positive, "positive", "`x` itself; TypeError for booleans.")
equal = _named(o.equal, "equal", "Where `x == y`.")
not_equal = _named(o.not_equal, "not_equal", "Where `x != y`.")
less = _named(o.less, "less", "Where `x < y`.")
less_equal = _named(o.less_equal, "less_equal", "Where `x <= y`.")
greater = _named(o.greater, "greater", "Where `x > y`.")
greater_equal = _named(o.greater_equal, "greater_equal", "Where `x >= y`.")
bitwise_and = with_methods(
    _named(o.bitwise_and, "bitwise_and", "`x & y`, of integers or booleans."), -1
)
bitwise_or = with_methods(
    _named(o.bitwise_or, "bitwise_or", "`x | y`, of integers or booleans."), 0
)
bitwise_xor = with_methods(
    _named(o.bitwise_xor, "bitwise_xor", "`x ^ y`, of integers or booleans."), 0
)
bitwise_not = invert = bitwise_invert = _named(
    o.invert, "bitwise_not", "`~x`: each bit inverted; not, of booleans."
)
left_shift = bitwise_left_shift = _named(o.left_shift, "left_shift", "`x << y`, of integers.")
right_shift = bitwise_right_shift = o.right_shift
maximum = with_methods(
    _named(
        o.binary(e.maximum, kinds="biufc"),
        "maximum",
        """The larger of two; nan if one is.

    Where both are equal the derivative is 1/2 by each.
    """,
    ),
    None,
)
minimum = with_methods(
    _named(
        o.binary(e.minimum, kinds="biufc"),
        "minimum",
        """The smaller of two; nan if one
    is.

    Where both are equal the derivative is 1/2 by each.
    """,
    ),
    None,
)
asin, acos, atan, atan2 = arcsin, arccos, arctan, arctan2
asinh, acosh, atanh = arcsinh, arccosh, arctanh


def power(x: Any, y: Any, /) -> Any:
    """Return `x ** y`. With a static whole exponent, of any size, all derivatives are right at 0.

    Powers of integers wrap around, as NumPy's do. Where an exponent of integers is negative and
    not known while a program is traced, the result is the quotient rounded towards zero: 1 for the
    base 1, 1 or -1 for -1, and 0 for all others.

    Raises:
        ValueError: for negative exponents of integers, where they are known.
        OverflowError: for a Python integer that does not fit into the dtype of integers.

    Examples:
        >>> import diffeo as dx
        >>> power(dx.numpy.array([2, 3]), 5), power(-2.0, 3)
        (Array([ 32, 243]), Array(-8.))
    """
    return o.power(x, y)


pow = power


def float_power(x: Any, y: Any, /) -> Any:
    """Return `x ** y` in float64, or complex128."""
    return o.power(
        *[
            v * 1.0
            if type(v) in SCALARS
            else convert_element_type(arr(v), _at_least_double(arr(v).aval.dtype))
            for v in (x, y)
        ]
    )


def _at_least_double(dtype: np.dtype) -> Any:
    return np.complex128 if dtype.kind == "c" else np.float64


def absolute(x: Any, /) -> Any:
    """Return the absolute value, which is real for complex numbers."""
    return o.absolute(x)


abs = absolute


def fabs(x: Any, /) -> Any:
    """Return the absolute value of real numbers, as floats."""
    return o.absolute(real_only("fabs", to_inexact(x)))


def sign(x: Any, /) -> Any:
    """Return -1, 0 or 1; of complex numbers `x / abs(x)`; nan for nan."""
    return e.sign.bind(arr(x))


def signbit(x: Any, /) -> Any:
    """Return where the sign bit is set: negative numbers, and -0.0."""
    x = real_only("signbit", arr(x))
    if not is_float(x.aval.dtype):
        return less(x, 0)
    # As an integer of the same bits, a number with the sign bit is negative, -0.0 and nan too.
    return e.lt.bind(bitcast_convert_type(x, f"i{x.aval.dtype.itemsize}"), 0)


def copysign(x: Any, y: Any, /) -> Any:
    """Return the absolute value of `x` with the sign of `y`."""
    quick = by_numpy(np.copysign, x, y)
    if quick is not None:
        return quick
    x, y = (real_only("copysign", v) for v in align_inexact(x, y))
    size = o.absolute(as_value(x))
    return where(signbit(y), -size, size)


def square(x: Any, /) -> Any:
    """Return `x * x`; booleans become integers of 8 bits, as in NumPy."""
    x = to_value(x)
    if type(x) is not bool and typeof(x).dtype.kind == "b":
        x = convert_element_type(x, np.int8)
    return o.mul(x, x)


def reciprocal(x: Any, /) -> Any:
    """Return `1 / x`, as floats."""
    return o.true_divide(1.0, x)


exp2 = _real(powers.exp2, "exp2", "2 to the power `x`.")


hypot = _named(
    o.binary(e.hypot, True),
    "hypot",
    """`sqrt(x**2 + y**2)` without overflow; its
    gradient at (0, 0) is 0.

    Examples:
        >>> hypot(3.0, 4.0)
        Array(5.)
    """,
)


def sinc(x: Any, /) -> Any:
    """Return `sin(pi x) / (pi x)`, and 1 at 0, with all derivatives."""
    # Near 0, a series in y**2 stands for the quotient. Each branch gets a harmless operand where
    # the other one is chosen, so that no derivative is nan.
    y = arr(to_inexact(x)) * math.pi
    near = less(o.absolute(y), 1.0)
    safe, z = where(near, 1.0, y), where(near, y * y, 0.0)
    series = full_like(z, 0.0)
    for k in range(12, -1, -1):  # the series around 0: 1/25! is far below the precision
        series = series * z + (-1) ** k / math.factorial(2 * k + 1)
    return where(near, series, e.sin.bind(safe) / safe)


def heaviside(x: Any, y: Any, /) -> Any:
    """Return 0 for negative `x`, 1 for positive `x`, `y` at 0."""
    x, y = (real_only("heaviside", v) for v in align_inexact(x, y))
    return where(isnan(x), np.nan, where(o.equal(x, 0), y, where(less(x, 0), 0.0, 1.0)))


def deg2rad(x: Any, /) -> Any:
    """Convert degrees to radians."""
    return o.mul(real_only("deg2rad", to_inexact(x)), math.pi / 180)


def rad2deg(x: Any, /) -> Any:
    """Convert radians to degrees."""
    return o.mul(real_only("rad2deg", to_inexact(x)), 180 / math.pi)


radians, degrees = deg2rad, rad2deg


# ----------------------------------------------------------------------------------------------
# Rounding


def _rounding(primitive: Any, name: str, doc: str) -> Any:
    """Return a function that rounds by a primitive; integers stay, or become floats for `rint`."""
    fast = o.unary(primitive)

    def function(x: Any, /) -> Any:
        if type(x) is Array and x.dtype.kind == "f":
            return fast(x)
        x = arr(x)
        kind = x.aval.dtype.kind
        if kind == "c" and primitive is e.round_even:
            return e.complex_.bind(fast(e.real.bind(x)), fast(e.imag.bind(x)))
        if kind in "biu":
            return to_inexact(x) if primitive is e.round_even else x
        return fast(x)

    return _named(function, name, doc)


floor = _rounding(e.floor, "floor", "The largest whole number that is not above `x`.")
ceil = _rounding(e.ceil, "ceil", "The smallest whole number that is not below `x`.")
rint = _rounding(e.round_even, "rint", "The nearest whole number; halves go to the even one.")


def trunc(x: Any) -> Any:
    """Return the whole number next to `x` towards 0."""
    quick = by_numpy(np.trunc, x)
    if quick is not None:
        return quick
    x = arr(x)
    return x if x.aval.dtype.kind in "biu" else e.trunc(x)


fix = trunc


def round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """Round to a number of decimals (which may be negative); halves go to the even digit."""
    if out is not None:
        raise no_out("round")
    a, decimals = arr(a), static_int(decimals, "round", "decimals")
    if a.aval.dtype.kind == "c":
        return e.complex_.bind(round(real(a), decimals), round(imag(a), decimals))
    if a.aval.dtype.kind in "biu":
        if decimals >= 0 or a.aval.dtype.kind == "b":
            return a
        rounded = round(convert_element_type(a, np.float64), decimals)
        return convert_element_type(rounded, a.aval.dtype)
    if decimals == 0:
        return e.round_even.bind(a)
    factor = 10.0 ** builtins.abs(decimals)
    if decimals > 0:
        return e.round_even.bind(a * factor) / factor
    return e.round_even.bind(a / factor) * factor


around = round


# ----------------------------------------------------------------------------------------------
# Tests of each element, logic


def isnan(x: Any, /) -> Any:
    """Return where `x` is not a number."""
    return is_nan(arr(x))


def isinf(x: Any, /) -> Any:
    """Return where `x` is plus or minus infinity."""
    quick = by_numpy(np.isinf, x)
    if quick is not None:
        return quick
    x = arr(x)
    if not holds_floats(x):
        return full_like(typeof(x).update(dtype=np.bool_).strong, False)
    if x.aval.dtype.kind == "c":
        return isinf(real(x)) | isinf(imag(x))
    return e.eq.bind(e.absolute.bind(x), math.inf)


def isposinf(x: Any, /, out: Any = None) -> Any:
    """Return where `x` is plus infinity."""
    if out is not None:
        raise no_out("isposinf")
    return o.equal(real_only("isposinf", to_inexact(arr(x))), math.inf)


def isneginf(x: Any, /, out: Any = None) -> Any:
    """Return where `x` is minus infinity."""
    if out is not None:
        raise no_out("isneginf")
    return o.equal(real_only("isneginf", to_inexact(arr(x))), -math.inf)


def isfinite(x: Any, /) -> Any:
    """Return where `x` is neither nan nor infinite."""
    x = arr(x)
    if not holds_floats(x):
        return full_like(typeof(x).update(dtype=np.bool_).strong, True)
    if x.aval.dtype.kind == "c":
        return e.is_finite.bind(real(x)) & e.is_finite.bind(imag(x))
    return e.is_finite.bind(x)


def isreal(x: Any) -> Any:
    """Return where the imaginary part is 0."""
    return imag(x) == 0


def iscomplex(x: Any) -> Any:
    """Return where the imaginary part is not 0."""
    return imag(x) != 0


def logical_and(x: Any, y: Any, /, out: Any = None, where: Any = None) -> Any:
    """Return where both are true (not 0)."""
    return o.bitwise_and(to_bool(x), to_bool(y), out, where)


def logical_or(x: Any, y: Any, /, out: Any = None, where: Any = None) -> Any:
    """Return where at least one of the two is true (not 0)."""
    return o.bitwise_or(to_bool(x), to_bool(y), out, where)


def logical_xor(x: Any, y: Any, /, out: Any = None, where: Any = None) -> Any:
    """Return where exactly one of the two is true (not 0)."""
    return o.bitwise_xor(to_bool(x), to_bool(y), out, where)


with_methods(logical_and, True)
with_methods(logical_or, False)
with_methods(logical_xor, False)


def logical_not(x: Any, /) -> Any:
    """Return where `x` is 0."""
    return e.logical_not.bind(to_bool(x))


def isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """Return where `abs(a - b) <= atol + rtol * abs(b)`, or both are the same infinity."""
    a, b = align_inexact(a, b)
    a, b = arr(a), arr(b)
    near = less_equal(o.absolute(a - b), atol + rtol * o.absolute(b))
    out = where(isfinite(a) & isfinite(b), near, o.equal(a, b))
    return out | (isnan(a) & isnan(b)) if equal_nan else out


# ----------------------------------------------------------------------------------------------
# Complex numbers


def real(x: Any, /) -> Any:
    """Return the real part."""
    x = arr(x)
    return e.real.bind(x) if x.aval.dtype.kind == "c" else x


def imag(x: Any, /) -> Any:
    """Return the imaginary part; zeros for real numbers."""
    x = arr(x)
    return e.imag.bind(x) if x.aval.dtype.kind == "c" else full_like(x, 0)


def conj(x: Any, /) -> Any:
    """Return the complex conjugate; real numbers are their own."""
    x = arr(x)
    return e.conj.bind(x) if x.aval.dtype.kind == "c" else x


conjugate = conj


def angle(z: Any, deg: bool = False) -> Any:
    """Return the angle of complex numbers in (-pi, pi], in degrees if `deg`."""
    z = arr(to_inexact(z))
    out = arctan2(imag(z), real(z))
    return rad2deg(out) if deg else out
