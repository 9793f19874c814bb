"""NumPy evaluations of elementwise functions for which NumPy's own do not do, or do not exist.

They are the `impl` of rows: eager mode on the CPU, and the reference that tests compare with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np


def truncated_quotient(x: Any, y: Any) -> Any:
    """Return x / y; of integers, rounded towards zero, with all bits set where y is zero (as XLA
    does).
    """
    dtype = np.result_type(x, y)
    if dtype.kind not in "iu":
        return np.true_divide(x, y)
    zero = np.equal(y, 0)
    by = np.where(zero, dtype.type(1), y)
    with np.errstate(over="ignore"):  # the least integer by -1 wraps
        quotient = np.floor_divide(x, by)
    # `floor_divide` has rounded down; where the quotient is negative and not whole, one is added.
    away = (np.remainder(x, by) != 0) & (np.less(x, 0) != np.less(by, 0))
    return np.where(zero, ~dtype.type(0), quotient + away.astype(dtype))


def truncated_remainder(x: Any, y: Any) -> Any:
    """Return x - y * (x / y rounded towards zero); of integers, x itself where y is zero, as in
    XLA.
    """
    dtype = np.result_type(x, y)
    if dtype.kind not in "iu":
        return np.fmod(x, y)
    zero = np.equal(y, 0)
    return np.where(zero, x, np.fmod(x, np.where(zero, dtype.type(1), y)))


def logical_right_shift(x: np.ndarray, n: Any) -> Any:
    """Return x >> n with zeros coming in from the left, for signed integers as well."""
    dtype = np.result_type(x, n)
    if dtype.kind not in "iu":
        raise TypeError(f"shift_right_logical: expects integers, got {dtype}")
    bits = np.dtype(f"u{dtype.itemsize}")
    x, n = np.asarray(x, dtype), np.asarray(n, dtype)
    return np.right_shift(x.view(bits), n.view(bits)).view(dtype)


def accurate_expm1(x: Any) -> Any:
    """Return exp(x) - 1, precise near 0; of complex infinities and zeros what the array API
    standard says.
    """
    y = np.expm1(x)
    if y.dtype.kind != "c":
        return y
    return np.where(np.isfinite(x) & np.not_equal(x, 0), y, np.exp(x) - 1)


def zero_dominant_product(t: np.ndarray, factor: Any) -> Any:
    """Return t * factor, but zero where t is zero."""
    product = np.multiply(t, factor)
    return np.where(np.equal(t, 0), np.zeros((), product.dtype), product)


def logistic_function(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)), 0 where the exponential is too large a number."""
    if x.dtype.kind != "c":
        return _expit(x)
    with np.errstate(over="ignore"):
        left = np.real(x) < 0
        power = np.exp(np.where(left, x, -x))
        return np.where(left, power, 1) / (1 + power)


def accurate_log1p(x: Any) -> Any:
    """Return log(1 + x); NumPy's own loses small complex numbers."""
    if x.dtype.kind != "c":
        return np.log1p(x)
    u, v = np.real(x), np.imag(x)
    with np.errstate(all="ignore"):
        near = np.log1p(u * (2 + u) + v * v) / 2
        size = np.where(np.hypot(u, v) < 1, near, np.log(np.hypot(1 + u, v)))
    return make_complex(size, np.arctan2(v, 1 + u))


def same_elements(x: np.ndarray, y: Any) -> Any:
    """Return where elements are equal; NumPy's function is for numbers, and keys are none."""
    try:
        return np.equal(x, y)
    except TypeError:
        return x == y


def other_elements(x: Any, y: Any) -> Any:
    """Return where elements are not equal, also of keys."""
    return np.logical_not(same_elements(x, y))


def power_of_two(x: Any) -> Any:
    """Return 2**x."""
    return np.exp(x * math.log(2)) if x.dtype.kind == "c" else np.exp2(x)


def rounded_away(x: Any) -> Any:
    """Return the nearest integers; halves go away from zero."""
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.sign(x), whole)


def clamped(low: Any, x: Any, high: Any) -> Any:
    """Return x moved into [low, high]; Python scalars take the dtype of the arrays among them."""
    dtype = _dtype_of(low, x, high)
    return np.minimum(np.maximum(np.asarray(x, dtype), low), high)


def _dtype_of(*xs: Any) -> np.dtype:
    """Return the dtype of the first array among operands; scalars have none."""
    return next(x.dtype for x in xs if hasattr(x, "dtype"))


def fused_multiply_add(x: Any, y: Any, z: Any) -> Any:
    """Return x * y + z, of float32 and float64 rounded once, as compilers contract it.

    The exact errors of the product and of the sum (Dekker 1971, Knuth) are added to the result.
    """
    dtype = np.result_type(x, y, z)
    x, y, z = (np.asarray(v, dtype) for v in (x, y, z))
    with np.errstate(over="ignore", invalid="ignore"):
        product = x * y
        result = product + z
        if dtype not in (np.float32, np.float64):
            return result
        # The product's error: each factor is split into two halves, whose products are exact.
        splitter = dtype.type(4097 if dtype == np.float32 else 134217729)
        x1, y1 = (splitter * v - (splitter * v - v) for v in (x, y))
        x2, y2 = x - x1, y - y1
        error = x2 * y2 - (product - x1 * y1 - x2 * y1 - x1 * y2)
        # The sum's error, by what is missing of each term.
        back = result - product
        error = error + ((product - (result - back)) + (z - back))
        exact = result + error
        return np.where(np.isfinite(exact), exact, result)


def saturated(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return floats as integers, rounded towards zero.

    Those beyond the dtype become its extreme integers, nan becomes 0.
    """
    x = x if x.dtype.kind == "f" and x.dtype.itemsize >= 4 else x.astype(np.float32)
    if dtype.kind == "i" and dtype.itemsize >= 4:  # where the processor tells if one is beyond
        try:
            with np.errstate(invalid="raise"):
                return x.astype(dtype)
        except FloatingPointError:
            pass
    info = ml_dtypes.iinfo(dtype)
    low, high = int(info.min), int(info.max)
    with np.errstate(invalid="ignore"):
        out = np.where(x >= float(high + 1), dtype.type(high), x.astype(dtype))
    out = np.where(x <= float(low - 1), dtype.type(low), out)
    return np.where(np.isnan(x), dtype.type(0), out)


def make_complex(x: Any, y: Any) -> Any:
    """Return x + i y, with infinities and nan in either part kept apart."""
    dtype = np.result_type(_dtype_of(x, y), np.complex64)
    x, y = np.broadcast_arrays(x, y)
    out = np.empty(x.shape, dtype)
    out.real, out.imag = x, y
    return out


def special_function(name: str) -> Callable[..., Any]:
    """Return a function of scipy.special, which computes narrow dtypes in float32."""

    function: Any = None

    def call(*xs: Any) -> Any:
        nonlocal function
        if function is None:
            # SciPy is heavy: it is loaded when such a function is first evaluated by NumPy.
            from scipy import special

            function = getattr(special, name)
        x = xs[0]
        if type(x) is np.ndarray and x.dtype.char in "fdFD":
            return function(*xs)
        x = np.asarray(x)
        if x.dtype.kind in "fc" and x.dtype.itemsize >= 4:
            return function(*xs)
        return function(*[np.asarray(x, np.float32) for x in xs]).astype(x.dtype)

    return call


_expit = special_function("expit")
