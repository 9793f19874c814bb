"""Functions that move a value to a near one: round_away, nextafter, clamp, reduce_precision."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from ..primitives.builder import LoweringContext
from ..primitives.core import Value
from ..primitives.families import Linear
from ..primitives.formulas.reference import clamped, rounded_away
from ..primitives.stand_ins import ZERO
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray
from ..primitives.words.elementwise import Elementwise, add, kind_of, select


class Clamp(Elementwise):
    """`clamp(low, x, high)`: x moved into [low, high]; `high` if the bounds are in wrong order.

    Where x is stopped at a bound, the tangent is that of the bound. Where x equals a bound, the
    tangent is zero.
    """

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        low, x, high = primals
        conditions = (low > x) & (low < high), (x > low) & (x < high), (x > high) | (low >= high)
        terms = [select(c, t, 0.0) for c, t in zip(conditions, tangents) if t is not ZERO]
        return self.bind(*primals), functools.reduce(add.bind, terms)


round_away = Elementwise("round_away", rounded_away, "round_nearest_afz", accepts="f")
nextafter = Elementwise(
    "nextafter", np.nextafter, "chlo.next_after", lambda x, y: 1.0, None, accepts="f"
)
clamp = Clamp("clamp", clamped, "clamp", None, None, None, accepts="biuf")


@frozen
class ReducePrecision(Linear):
    """The nearest numbers that a float with fewer bits can hold; the dtype stays.

    The operation counts as linear, as in JAX: tangents are rounded as well. Numbers below the
    smallest normal number become zero.
    """

    exponent_bits: int
    mantissa_bits: int

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        if kind_of(x.dtype) != "f":
            raise TypeError(f"reduce_precision: expects floating-point numbers, got {x}")
        if self.exponent_bits < 1 or self.mantissa_bits < 0:
            raise ValueError(
                "reduce_precision: expects exponent_bits >= 1 and mantissa_bits >= 0, got "
                f"{self.exponent_bits} and {self.mantissa_bits}"
            )
        return x

    def impl(self, x: np.ndarray) -> np.ndarray:
        info = ml_dtypes.finfo(x.dtype)
        kind = np.dtype(f"u{x.dtype.itemsize}")
        # Work on the bits: one of sign, the exponent, the mantissa.
        word = np.ascontiguousarray(x).view(kind).reshape(x.shape)
        sign = word & kind.type(1 << (info.bits - 1))
        size = word ^ sign
        cut = info.nmant - self.mantissa_bits
        if cut > 0:  # round to nearest, halves to even; a carry goes into the exponent
            half = kind.type((1 << (cut - 1)) - 1) + ((size >> kind.type(cut)) & kind.type(1))
            size = (size + half) & ~kind.type((1 << cut) - 1)
        infinity = np.asarray(np.inf, x.dtype).view(kind)
        if self.exponent_bits < info.nexp:
            # Both exponents count from their middle: drop what is out of the smaller range.
            bias, middle = (1 << (self.exponent_bits - 1)) - 1, (1 << (info.nexp - 1)) - 1
            exponent = size >> kind.type(info.nmant)
            size = np.where(exponent > middle + bias, infinity, size)
            size = np.where(exponent <= middle - bias, kind.type(0), size)
        return np.where(np.isnan(x), x, (sign | size).view(x.dtype))

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        exponent, mantissa = f"{self.exponent_bits} : i32", f"{self.mantissa_bits} : i32"
        return ctx.op("reduce_precision", x, exponent_bits=exponent, mantissa_bits=mantissa)

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (self.bind(ct),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*args), dims[0]
