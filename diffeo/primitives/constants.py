"""Constants: arrays that hold one value everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from .builder import LoweringContext
from .core import Primitive, typeof
from .support.foreign import array_dtype
from .support.frozen import frozen
from .types import SCALARS, ShapedArray, check_scalar


@frozen
class Full(Primitive):
    """A constant array of one value; it has no operands."""

    cheap = True
    shape: tuple[int, ...]
    dtype: np.dtype
    value: Any

    def abstract_eval(self) -> ShapedArray:
        if type(self.value) in SCALARS:
            check_scalar("full", self.value, self.dtype)
        return ShapedArray(self.shape, self.dtype)

    def impl(self) -> np.ndarray:
        return np.full(self.shape, self.value, self.dtype)

    def lower(self, ctx: LoweringContext) -> Any:
        return ctx.constant(self.value, self.abstract_eval())


def full(shape: tuple[int, ...], value: Any, dtype: Any) -> Any:
    """Return an array of `shape` and `dtype` filled with the Python scalar `value`."""
    dtype = array_dtype(dtype)
    return Full(tuple(shape), dtype, _as_bool(value) if dtype.kind == "b" else value).bind()


def full_like(x: Any, value: Any) -> Any:
    """Return an array of the shape and dtype of `x` (an array, a tracer or a type) filled with
    `value`.
    """
    aval = x if type(x) is ShapedArray else typeof(x)
    value = _as_bool(value) if aval.dtype.kind == "b" else value
    return Full(aval.shape, aval.dtype, value).bind()


def _as_bool(value: bool) -> Any:
    """Return False and True for 0 and 1, and other values as they are."""
    return bool(value) if type(value) is int and value in (0, 1) else value


def zeros_like(x: Any) -> Any:
    """Return zeros of the shape and dtype of `x`; for a Python scalar, a zero of its kind."""
    return type(x)(0) if type(x) in SCALARS else full_like(x, 0)
