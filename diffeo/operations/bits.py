"""Bits of integers: population_count (how many are set), clz (how many zeros lead), mulhi (the
upper half of a product).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives.words.elementwise import Elementwise


def _unsigned(x: Any) -> Any:
    """View integers as unsigned ones."""
    return x.view(np.dtype(f"u{x.dtype.itemsize}"))


def _ones(x: np.ndarray) -> np.ndarray:
    """Count the bits that are set."""
    return np.bitwise_count(_unsigned(x)).astype(x.dtype)


def _leading_zeros(x: np.ndarray) -> np.ndarray:
    """Count the zeros above the highest bit that is set.

    All bits below the highest one are set too; then the zeros of the word are counted.
    """
    word = _unsigned(x)
    shift = 1
    while shift < 8 * x.dtype.itemsize:
        word = word | (word >> word.dtype.type(shift))
        shift *= 2
    return _ones(~word).astype(x.dtype)


def _high_product(x: Any, y: Any) -> np.ndarray:
    """Return the upper half of the bits of the product.

    For integers of 64 bits it comes from the products of their halves of 32 bits.
    """
    dtype = np.result_type(x, y)
    x, y = np.asarray(x, dtype), np.asarray(y, dtype)
    bits = 8 * dtype.itemsize
    if bits < 64:
        wide = np.dtype(f"{dtype.kind}8")
        return ((x.astype(wide) * y.astype(wide)) >> wide.type(bits)).astype(dtype)
    half, low = dtype.type(32), dtype.type(0xFFFFFFFF)
    (x1, x0), (y1, y0) = ((v >> half, v & low) for v in (x, y))
    with np.errstate(over="ignore"):
        # Split x = x1 * 2**32 + x0, with x0 >= 0, and y likewise: four products of 32 bits. Add up
        # those with a factor of 2**32 in two steps, so that no sum overflows.
        middle = x1 * y0 + ((_unsigned(x0) * _unsigned(y0)) >> np.uint64(32)).astype(dtype)
        return x1 * y1 + (middle >> half) + ((x0 * y1 + (middle & low)) >> half)


population_count = Elementwise("population_count", _ones, "popcnt", accepts="iu")
clz = Elementwise("clz", _leading_zeros, "count_leading_zeros", accepts="iu")
mulhi = Elementwise("mulhi", _high_product, "chlo.mulhi", None, None, accepts="iu")
