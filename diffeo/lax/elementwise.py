"""Functions of each element, one primitive each, and choices between arrays."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from ..numpy.common import arr, dtype_of, static_int
from ..operations import bits, identity, rounding
from ..operations.identity import OptimizationBarrier
from ..primitives.core import Primitive, describe, state, typeof, with_user_line
from ..primitives.support.sources import rename
from ..primitives.types import SCALARS, is_inexact
from ..primitives.words import elementwise as e
from ..primitives.words import powers
from ..primitives.words.powers import IntegerPow
from ..primitives.words.promotion import broadcast_to, to_value
from ..primitives.words.structural import convert_element_type
from ..trees import tree
from ..typing import ArrayLike
from .strict import apply, apply_joined


class AccuracyMode(enum.Enum):
    """How exactly a function is computed: as the platform computes it, or better."""

    HIGHEST = 1
    DEFAULT = 2


class Tolerance:
    """The error that a function may have.

    Attributes:
        atol: the absolute error.
        rtol: the relative error.
        ulps: the error in units of the last place.

    Raises:
        ValueError: for negative numbers, or if all are 0.

    Examples:
        >>> Tolerance(rtol=1e-6)
        Tolerance(atol=0.0, rtol=1e-06, ulps=0)
    """

    def __init__(self, atol: float = 0.0, rtol: float = 0.0, ulps: int = 0):
        self.atol, self.rtol, self.ulps = atol, rtol, ulps
        if atol < 0 or rtol < 0 or ulps < 0 or not (atol or rtol or ulps):
            raise with_user_line(
                ValueError(f"expected a tolerance above 0, and none below, got {self}")
            )

    def __repr__(self) -> str:
        return f"Tolerance(atol={self.atol}, rtol={self.rtol}, ulps={self.ulps})"


def check_accuracy(name: str, accuracy: Any) -> None:
    """Accept the accuracy that functions have.

    Raises:
        NotImplementedError: for another `AccuracyMode`, and a `Tolerance`.
        TypeError: for anything else.
    """
    if accuracy is None or accuracy is AccuracyMode.DEFAULT:
        return
    if isinstance(accuracy, (AccuracyMode, Tolerance)):
        raise with_user_line(
            NotImplementedError(
                f"{name}: accuracy={accuracy} cannot be asked for: there is one algorithm for each "
                "dtype and platform. Leave it out, or compute in float64"
            )
        )
    raise with_user_line(
        TypeError(
            f"{name}: accuracy must be None, an AccuracyMode or a Tolerance, got "
            f"{describe(accuracy)}"
        )
    )


def _unary(primitive: Primitive, doc: str) -> Callable[[Any], Any]:
    """Make the public function of a primitive of one operand."""

    def function(x: Any) -> Any:
        return apply(primitive, x)

    function.__doc__ = f"{doc}\n\n    Raises:\n        TypeError: for other dtypes.\n    "
    return function


def _approximate(primitive: Primitive, doc: str) -> Callable[..., Any]:
    """Make the public function of a primitive of one operand that may be asked for accuracy."""

    def function(x: Any, *, accuracy: Any = None) -> Any:
        if accuracy is not None:
            check_accuracy(function.__name__, accuracy)
        return apply(primitive, x)

    function.__doc__ = (
        f"{doc} `accuracy` may be `AccuracyMode.DEFAULT`.\n\n    "
        "Raises:\n        TypeError: for other dtypes.\n    "
    )
    return function


def _binary(primitive: Primitive, doc: str) -> Callable[[Any, Any], Any]:
    """Make the public function of a primitive of two operands."""

    def function(x: Any, y: Any) -> Any:
        return apply_joined(primitive, x, y)

    function.__doc__ = (
        f"{doc}\n\n    Operands of one dtype and one number of axes, where axes of size 1 are "
        "stretched; scalars\n    join.\n\n    "
        "Raises:\n        TypeError: for other operands.\n    "
    )
    return function


neg = _unary(e.neg, "-x.")
sign = _unary(e.sign, "-1, 0 or 1 (nan for nan); of complex numbers z / |z|.")
floor = _unary(e.floor, "The next integer below, of floats.")
ceil = _unary(e.ceil, "The next integer above, of floats.")
is_finite = _unary(e.is_finite, "Whether a float is neither infinite nor nan.")
abs = _unary(e.absolute, "|x|; real for complex x.")
sqrt = _approximate(e.sqrt, "The square root.")
rsqrt = _approximate(e.rsqrt, "1 / sqrt(x).")
cbrt = _approximate(e.cbrt, "The cube root of floats.")
exp = _approximate(e.exp, "The exponential.")
exp2 = _approximate(powers.exp2, "2 ** x, exact to the last digit or so for any x.")
square = _unary(powers.square, "x * x.")
expm1 = _approximate(e.expm1, "exp(x) - 1, exact near 0.")
log = _approximate(e.log, "The natural logarithm.")
log1p = _approximate(e.log1p, "log(1 + x), exact near 0.")
sin = _approximate(e.sin, "The sine.")
cos = _approximate(e.cos, "The cosine.")
tan = _approximate(e.tan, "The tangent.")
asin = _unary(e.asin, "The inverse of sin.")
acos = _unary(e.acos, "The inverse of cos.")
atan = _unary(e.atan, "The inverse of tan.")
sinh = _unary(e.sinh, "The hyperbolic sine.")
cosh = _unary(e.cosh, "The hyperbolic cosine.")
tanh = _approximate(e.tanh, "The hyperbolic tangent.")
asinh = _unary(e.asinh, "The inverse of sinh.")
acosh = _unary(e.acosh, "The inverse of cosh.")
atanh = _unary(e.atanh, "The inverse of tanh.")
logistic = _approximate(e.logistic, "1 / (1 + exp(-x)).")
erf = _unary(e.erf, "The error function of floats.")
erf_inv = _unary(e.erf_inv, "The inverse of erf.")
real = _unary(e.real, "The real part of complex x.")
imag = _unary(e.imag, "The imaginary part of complex x.")
population_count = _unary(bits.population_count, "The number of bits of integers that are set.")
clz = _unary(bits.clz, "The number of leading zero bits of integers.")
bitwise_not = _unary(e.logical_not, "The bits of integers or booleans, inverted.")

add = _binary(e.add, "x + y; of booleans, or.")
sub = _binary(e.sub, "x - y.")
div = _binary(e.div, "x / y; of integers, rounded towards zero.")
rem = _binary(e.rem, "The remainder of div, with the sign of x.")
max = _binary(e.maximum, "The larger one (nan if either is).")
min = _binary(e.minimum, "The smaller one (nan if either is).")
atan2 = _binary(e.atan2, "The angle of the point (y, x), of floats x, y in this order.")
mulhi = _binary(bits.mulhi, "The upper half of the bits of the product of integers.")
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

# The functions get the names under which they stand in this module.
for _name, _function in list(globals().items()):
    if getattr(_function, "__name__", "") == "function":
        rename(_function, _name)


def conj(x: Any) -> Any:
    """The conjugate, a complex number, also of floats.

    Raises:
        TypeError: for other dtypes.

    Examples:
        >>> conj(1.0 + 2.0j), conj(1.0)
        (Array(1.-2.j), Array(1.+0.j))
    """
    x = arr(x)
    if is_inexact(x.dtype) and x.dtype.kind != "c":
        return apply_joined(e.complex_, x, 0.0)
    return apply(e.conj, x)


def mul(x: ArrayLike, y: ArrayLike, *, out_dtype: Any = None) -> Any:
    """x * y; of booleans, and.

    Operands of one dtype and one number of axes, where axes of size 1 are stretched; scalars join.
    With `out_dtype`, both become of that dtype
    first, and their own dtypes may differ.

    Raises:
        TypeError: for other operands.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([100, 3], "int8")
        >>> mul(x, x, out_dtype="int32")
        Array([10000,     9], dtype=int32)
    """
    if out_dtype is not None:
        dtype = dtype_of(out_dtype)
        x, y = (convert_element_type(arr(v), dtype) for v in (x, y))
    return apply_joined(e.mul, x, y)


def nextafter(x1: Any, x2: Any) -> Any:
    """The float next to `x1` in the direction of `x2`.

    Operands of one dtype and one number of axes, where axes of size 1 are stretched; scalars join.

    Raises:
        TypeError: for other operands.
    """
    return apply_joined(rounding.nextafter, x1, x2)


def stage(x: Any, /) -> Any:
    """Return a value as an array; while a program is traced, as a value of the program.

    Examples:
        >>> import diffeo as dx
        >>> dx.jit(lambda: stage(2.0) + 1.0)()
        Array(3.)
    """
    x = arr(x)
    return x if state.trace.eager else identity.copy.bind(x)


def integer_pow(x: Any, y: int) -> Any:
    """Compute x ** y for a static integer y, by repeated multiplication.

    Examples:
        >>> integer_pow(3.0, -2)
        Array(0.11111111)
    """
    return apply(IntegerPow(static_int(y, "integer_pow", "the exponent")), x)


def pow(x: Any, y: Any) -> Any:
    """Compute x ** y for floats or complex numbers.

    A Python integer y may stand beside any x, and an array of integers beside floats.

    Raises:
        TypeError: for operands of different shapes or dtypes.
    """
    if type(y) is int:
        return integer_pow(x, y)
    x, y = to_value(x), to_value(y)
    arrays = type(x) not in SCALARS and type(y) not in SCALARS
    if arrays and y.dtype.kind in "iu" and is_inexact(x.dtype):
        y = convert_element_type(y, x.dtype)
    return apply_joined(e.power, x, y)


def reciprocal(x: ArrayLike) -> Any:
    """Compute 1 / x of floats or complex numbers."""
    return integer_pow(x, -1)


class RoundingMethod(enum.IntEnum):
    """Where `round` sends a number halfway between two integers."""

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


def round(x: ArrayLike, rounding_method: RoundingMethod = RoundingMethod.AWAY_FROM_ZERO) -> Any:
    """Round floats to the nearest integers.

    Examples:
        >>> import diffeo as dx
        >>> round(dx.numpy.array([0.5, 1.5, -0.5])), round(2.5, RoundingMethod.TO_NEAREST_EVEN)
        (Array([ 1.,  2., -1.]), Array(2.))
    """
    to_even = RoundingMethod(rounding_method) == RoundingMethod.TO_NEAREST_EVEN
    return apply(e.round_even if to_even else rounding.round_away, x)


def clamp(min: Any, x: Any, max: Any) -> Any:
    """Move x into [min, max]; the bounds are scalars or of the shape of x.

    The derivative is 0 where x is outside or at a bound, as in JAX.

    Examples:
        >>> import diffeo as dx
        >>> clamp(0.0, dx.numpy.array([-1.0, 0.5, 2.0]), 1.0)
        Array([0. , 0.5, 1. ])
    """
    return apply_joined(rounding.clamp, min, x, max, stretch=False)


def reduce_precision(operand: ArrayLike, exponent_bits: int, mantissa_bits: int) -> Any:
    """Round floats to what a float with so many bits can hold; the dtype stays.

    Numbers too large become infinite, those below the smallest normal one 0. Tangents are rounded
    as well, as in JAX.

    Raises:
        TypeError: for other dtypes.
        ValueError: for no exponent bits, or a negative number of mantissa bits.

    Examples:
        >>> reduce_precision(1.2345, 8, 7)  # as in bfloat16
        Array(1.234375)
    """
    exponent = static_int(exponent_bits, "reduce_precision", "exponent_bits")
    mantissa = static_int(mantissa_bits, "reduce_precision", "mantissa_bits")
    return apply(rounding.ReducePrecision(exponent, mantissa), operand)


def optimization_barrier(operand: Any, /) -> Any:
    """Return the tree of arrays, and let the compiler move no operation past it.

    What is computed before the barrier is computed before anything after it, and not merged with
    the same computation on the other side.

    Examples:
        >>> import diffeo as dx
        >>> dx.jit(lambda x: optimization_barrier(dx.lax.sin(x)) + dx.lax.sin(x))(0.0)
        Array(0.)
    """
    leaves, structure = tree.flatten(operand)
    values = [arr(leaf) for leaf in leaves]
    return tree.unflatten(structure, OptimizationBarrier().bind(*values) if values else [])


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """Return `on_true` where `pred` holds, else `on_false`: two arrays of one shape and dtype.

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
    """Choose among several arrays, element by element, the one with number `which`.

    The arrays have one shape and dtype.

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
        raise with_user_line(
            TypeError(
                "select_n: expects booleans and at most two cases, or integers and some "
                "cases, got "
                f"{describe(which)} and {len(cases)} cases"
            )
        )
    arrays = [arr(case) for case in cases]
    # From the last case to the first: case i overwrites the result where `which` is at most i.
    out = arrays.pop()
    for i, case in reversed(list(enumerate(arrays))):
        out = select(~which if is_bool else which <= i, case, out)
    return out


def stop_gradient(x: Any) -> Any:
    """Return the value itself, as a constant of differentiation; of any tree of arrays.

    Examples:
        >>> import diffeo as dx
        >>> dx.grad(lambda x: x * stop_gradient(x))(3.0)
        Array(3.)
    """

    def stop(leaf: ArrayLike) -> Any:
        if type(leaf) in SCALARS or not is_inexact(typeof(leaf).dtype):
            return leaf
        return identity.stop_gradient(arr(leaf))

    return tree.map(stop, x)
