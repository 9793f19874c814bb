"""Bits of integers: population_count, clz, mulhi."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives.words.elementwise import Elementwise


def _unsigned(x: Any) -> Any:
    return x.view(np.dtype(f"u{x.dtype.itemsize}"))


def _ones(x: np.ndarray) -> np.ndarray:
    return np.bitwise_count(_unsigned(x)).astype(x.dtype)


def _leading_zeros(x: np.ndarray) -> np.ndarray:
    """All bits below the highest one are set too; what is left of the word is counted."""
    word = _unsigned(x)
    shift = 1
    while shift < 8 * x.dtype.itemsize:
        word = word | (word >> word.dtype.type(shift))
        shift *= 2
    return _ones(~word).astype(x.dtype)


def _high_product(x: Any, y: Any) -> np.ndarray:
    """The upper half of the bits of the product; in 64 bits, from the products of the halves."""
    dtype = np.result_type(x, y)
    x, y = np.asarray(x, dtype), np.asarray(y, dtype)
    bits = 8 * dtype.itemsize
    if bits < 64:
        wide = np.dtype(f"{dtype.kind}8")
        return ((x.astype(wide) * y.astype(wide)) >> wide.type(bits)).astype(dtype)
    half, low = dtype.type(32), dtype.type(0xFFFFFFFF)
    (x1, x0), (y1, y0) = ((v >> half, v & low) for v in (x, y))
    with np.errstate(over="ignore"):
        middle = x1 * y0 + ((_unsigned(x0) * _unsigned(y0)) >> np.uint64(32)).astype(dtype)
        return x1 * y1 + (middle >> half) + ((x0 * y1 + (middle & low)) >> half)


population_count = Elementwise("population_count", _ones, "popcnt", accepts="iu")
clz = Elementwise("clz", _leading_zeros, "count_leading_zeros", accepts="iu")
mulhi = Elementwise("mulhi", _high_product, "chlo.mulhi", None, None, accepts="iu")
