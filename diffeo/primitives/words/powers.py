"""Powers: integer_pow, a static integer power; square; exp2, a power of 2; logarithms of sums of
powers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..builder import LoweringContext
from ..constants import full_like
from ..core import Primitive, Value, with_user_line
from ..formulas import lowered as formulas
from ..formulas.lowered import divide, in_float32, same
from ..formulas.reference import power_of_two
from ..stand_ins import ZERO
from ..support.frozen import frozen
from ..types import ShapedArray
from .elementwise import Elementwise, kind_of, logistic, mul, scale, select

square = Elementwise(
    "square",
    np.square,
    lambda ctx, x: ctx.op("multiply", x, x),
    lambda x: x * 2,
    accepts="iufc",
    light=True,
)
exp2 = Elementwise("exp2", power_of_two, formulas.exp2, lambda x, y: y * math.log(2), singular=True)


def _sum_of_powers(name: str, impl: Callable, base: float) -> Elementwise:
    """Return a row for the logarithm of a sum of two powers, log(base**x + base**y) to the base.

    Its derivative by x is the share of base**x in the sum. It is computed from x - y,
    so that it is smooth where the powers are equal, too.
    """

    def share(x: Value, y: Any) -> Any:
        gap = x - y
        gap = select(gap == gap, gap, 0.0)  # of two equal infinities
        return logistic.bind(gap if base == math.e else gap * math.log(base))

    return Elementwise(name, impl, formulas.logaddexp(base), share, lambda x, y: share(y, x),
                       accepts="f")  # fmt: skip


logaddexp = _sum_of_powers("logaddexp", np.logaddexp, math.e)
logaddexp2 = _sum_of_powers("logaddexp2", np.logaddexp2, 2.0)


#: The most factors of which a power of floats is computed as a product: the error is a last place
#: for every two of them.
MOST_FACTORS = 32


@frozen
class IntegerPow(Primitive):
    """`x ** n` for a static integer n; any derivative at 0 is right for n >= 0.

    It is computed by repeated multiplication, which wraps around as integers do. Of floats each
    multiplication rounds: for more than `MOST_FACTORS` factors the power of floats is taken
    instead. Floats of less than 32 bits are computed in float32.
    """

    light = True
    n: int

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        if kind_of(x.dtype) in "bs" or (kind_of(x.dtype) in "iu" and self.n < 0):
            raise TypeError(
                f"integer_pow: expects numbers, and floats for a negative power, got {x} ** "
                f"{self.n}"
            )
        return x

    def impl(self, x: np.ndarray) -> np.ndarray:
        dtype = x.dtype
        if dtype.itemsize < 4 and kind_of(dtype) == "f":
            return self.impl(np.asarray(x, np.float32)).astype(dtype)
        if abs(self.n) > MOST_FACTORS and dtype.kind == "f":
            return np.power(x, dtype.type(self.n))
        return self.power(x, np.multiply, np.ones_like, lambda p: 1 / p)

    def power(self, x: Any, multiply: Callable, one: Callable, invert: Callable) -> Any:
        """Square and multiply, with any product: NumPy's, the builder's, that of series.

        `x ** 5` is `x * (x**2)**2`: the bits of 5, from the last one on, say which squares are
        factors.
        """
        result, square, n = None, x, abs(self.n)
        while n:
            if n & 1:
                result = square if result is None else multiply(result, square)
            n >>= 1
            square = multiply(square, square) if n else square
        result = one(x) if result is None else result
        return invert(result) if self.n < 0 else result

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        return (self._lower if kind_of(x.aval.dtype) in "iu" else in_float32(self._lower))(ctx, x)

    def _lower(self, ctx: LoweringContext, x: Any) -> Any:
        if abs(self.n) > MOST_FACTORS and kind_of(x.aval.dtype) == "f":
            return same(ctx, "power", x, float(self.n))
        one = ctx.constant(1, x.aval)
        return self.power(
            x,
            lambda a, b: same(ctx, "multiply", a, b),
            lambda _: one,
            lambda p: divide(ctx, one, p),
        )

    def taylor(self, series: Any, args: Sequence[Any]) -> Any:
        one = series.lift(full_like(args[0][0], 1))
        multiply = lambda x, y: series.product(mul, x, y)
        return self.power(args[0], multiply, lambda _: one, lambda y: series.quotient(one, y))

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        (x,), (t,) = primals, tangents
        if self.n == 0:
            return self.bind(x), ZERO
        product = mul if self.n > 0 else scale
        factor = integer_pow(x, self.n - 1)
        return self.bind(x), product.bind(t, factor * float(self.n) if self.n != 1 else factor)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*args), dims[0]


#: The largest whole exponent that is taken for an integer: floats beyond are all even.
WHOLE = 2**53


def check_exponent(least: Any) -> None:
    """Check that the least exponent of integers is not negative.

    Raises:
        ValueError: if it is.
    """
    if least < 0:
        raise with_user_line(
            ValueError(
                "Integers to negative integer powers are not allowed, got the exponent "
                f"{int(least)}: make the base a float, x.astype(float) ** {int(least)}"
            )
        )


def integer_pow(x: Any, n: int) -> Any:
    """Return `x ** n` for a static Python integer n (floats for a negative one)."""
    return x if n == 1 else _power(n).bind(x)


#: The primitive for an exponent; the same object for the same exponent.
_power = lru_cache(maxsize=256)(IntegerPow)
