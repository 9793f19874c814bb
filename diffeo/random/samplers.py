"""Independent samples of a distribution.

Each sampler turns random bits (`keys.py`) into uniform numbers in [0, 1) (`unit_numbers`) and
these, by the inverse of the distribution function, into samples. Start with `unit_numbers` and
`_between`. The operations, their order and the roundings are chosen so that the bits are jax's,
unless a docstring says otherwise.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np

from ..api.control_flow.conditionals import cond
from ..numpy.common import arr, dtype_of, static_shape
from ..operations.identity import stop_gradient
from ..primitives.array import as_value
from ..primitives.constants import full_like
from ..primitives.core import Value, with_user_line
from ..primitives.types import (
    SCALARS,
    complex64,
    default_dtype,
    float32,
    int32,
    is_complex,
    is_float,
    is_storage,
    real_dtype,
    uint32,
    uint64,
)
from ..primitives.words import elementwise as e
from ..primitives.words.promotion import broadcast_shapes, broadcast_to, to_inexact, to_value
from ..primitives.words.reduction import reduce_or
from ..primitives.words.slicing import index_in_dim
from ..primitives.words.structural import (
    bitcast_convert_type,
    convert_element_type,
    convert_exactly,
)
from ..routines.random_bits import fma
from ..typing import DTypeLike
from .keys import Key, Shape, check_key, parts, raw_bits


def float_dtype(name: str, dtype: DTypeLike | None, allow_complex: bool = False) -> np.dtype:
    """Return a floating-point dtype, by default the default one; ValueError for another kind."""
    dtype = dtype_of(dtype)
    fits = is_float(dtype) and not is_storage(dtype)
    if not fits and not (allow_complex and is_complex(dtype)):
        raise with_user_line(ValueError(f"{name}: dtype must be floating-point, got {dtype}"))
    return dtype


def check_parameters(name: str, shape: tuple[int, ...], **parameters: Any) -> None:
    """Raise a ValueError unless the parameters' shapes broadcast to `shape`."""
    for what, x in parameters.items():
        x_shape = () if type(x) in SCALARS else x.shape
        if broadcast_shapes(shape, x_shape) != shape:
            raise with_user_line(
                ValueError(f"{name}: {what} of shape {x_shape} does not broadcast to shape={shape}")
            )


def unit_numbers(key: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Return uniform numbers in [0, 1), as jax makes them.

    Random bits become the mantissa of numbers in [1, 2), from which 1 is subtracted.
    """
    mantissa = int(ml_dtypes.finfo(dtype).nmant)
    unsigned = np.dtype(f"u{dtype.itemsize}")
    # Only the highest bits of a word are used, as many as the mantissa has.
    width = 8 if mantissa < 8 else 8 * dtype.itemsize
    word = convert_element_type(raw_bits(key, shape, np.dtype(f"u{width // 8}")), unsigned)
    word = e.shift_right_logical.bind(word, width - mantissa)
    word = e.logical_or.bind(word, int(np.ones((), dtype).view(unsigned)))
    return e.sub.bind(bitcast_convert_type(word, dtype), 1.0)


@lru_cache(256)
def _range(dtype: np.dtype, low: float, high: float) -> tuple[float, float, float | None]:
    """Return Python bounds in a dtype: the lowest number, the width, and perhaps a limit.

    The limit is the largest number below `high`, if rounding could reach `high` itself, else None.
    The width is inf where the difference of finite bounds overflows.

    Raises:
        ValueError: for bounds that are not finite in the dtype.
    """
    with np.errstate(over="ignore"):
        first, end = np.array(low, dtype), np.array(high, dtype)
        width = float(end - first)
    if not (np.isfinite(first) and np.isfinite(end)):
        raise with_user_line(
            ValueError(
                f"uniform: minval and maxval must be finite in {dtype}, got {low} and {high}"
            )
        )
    least, most = float(first), float(end)
    below = float(np.nextafter(end, first))
    if least == most or math.isinf(width):
        return least, width, None if least == most else below
    # The largest sample, computed exactly: with the largest unit number, 1 less one unit of the
    # mantissa. From the middle between the last two numbers on, it would be rounded up.
    unit = 1 - Fraction(1, 1 << int(ml_dtypes.finfo(dtype).nmant))
    reaches = unit * Fraction(width) + Fraction(least) >= (Fraction(below) + Fraction(most)) / 2
    return least, width, below if reaches else None


def _between(key: Any, shape: tuple[int, ...], dtype: np.dtype, low: float, high: float) -> Any:
    """Return uniform numbers in [low, high) for bounds that are Python numbers."""
    unit = unit_numbers(key, shape, dtype)
    if low == 0 and high == 1:
        return unit
    least, width, below = _range(dtype, low, high)
    if math.isinf(width):  # half the range does not overflow, and is doubled at the end
        half = e.sub.bind(full_like(unit, high / 2), least / 2)
        samples = e.mul.bind(fma.bind(unit, half, least / 2), 2.0)
    else:
        samples = fma.bind(unit, width, least)
    if below is not None:
        samples = e.minimum.bind(samples, below)
    return e.maximum.bind(samples, least)


def scaled(unit: Value, low: Value, high: Value) -> Any:
    """Move uniform numbers in [0, 1) into [low, high), with derivatives by both bounds.

    The bounds are arrays of the numbers' dtype that broadcast to their shape.
    """
    most = float(ml_dtypes.finfo(unit.dtype).max)
    fits = e.absolute.bind(high * 0.5 - low * 0.5) <= most / 2
    part = e.select(fits, full_like(low, 1.0), 0.5)  # halves do not overflow
    parts = high * part - low * part, low * part, 1.0 / part
    width, start, back, below, low = (
        broadcast_to(v, unit.shape) for v in (*parts, -next_above(-high), low)
    )
    # Rounding may leave the interval, so the results are clipped to its first and last numbers.
    return e.maximum.bind(e.minimum.bind(fma.bind(unit, width, start) * back, below), low)


def next_above(x: Value) -> Any:
    """Return the next number in the direction of +inf.

    The distance is computed from the bits and is a constant of differentiation: the result moves
    with x.
    """
    fixed = stop_gradient(x)
    signed = np.dtype(f"i{x.dtype.itemsize}")
    # As integers, the bits of positive numbers grow with them, and those of negative ones fall.
    number = bitcast_convert_type(fixed, signed)
    moved = e.select(fixed > 0, number + 1, number - 1)
    above = bitcast_convert_type(e.select(fixed == 0, 1, moved), x.dtype)
    return x + e.select(e.is_finite.bind(fixed), above - fixed, 0.0)


def uniform(
    key: Any,
    shape: Shape = (),
    dtype: DTypeLike | None = None,
    minval: Any = 0.0,
    maxval: Any = 1.0,
) -> Any:
    """Draw uniform samples in [minval, maxval).

    Args:
        key: a key.
        shape: the shape of the result.
        dtype: a floating-point dtype, by default float64.
        minval, maxval: numbers or arrays that broadcast to `shape`; derivatives go through them.

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for another dtype, bounds of a shape that does not fit, or Python numbers with
            minval > maxval or beyond the dtype's range.

    Examples:
        >>> from diffeo.random import PRNGKey
        >>> uniform(PRNGKey(0), (3,), minval=-1)
        Array([-0.16308578, -0.56740909,  0.93064292])
    """
    key, shape = check_key("uniform", key), static_shape(shape, "uniform")
    dtype = float_dtype("uniform", dtype)
    if type(minval) in SCALARS and type(maxval) in SCALARS:
        if minval > maxval:
            raise with_user_line(
                ValueError(f"uniform: minval must not exceed maxval, got {minval} and {maxval}")
            )
        return _between(key, shape, dtype, minval, maxval)
    low, high = (arr(v) for v in (minval, maxval))
    check_parameters("uniform", shape, minval=low, maxval=high)
    low, high = (convert_element_type(v, dtype) for v in (low, high))
    low, high = (broadcast_to(v, broadcast_shapes(low.shape, high.shape)) for v in (low, high))
    return scaled(unit_numbers(key, shape, dtype), low, high)


def _integer_bound(what: str, x: Any) -> Any:
    """Return a bound of `randint` as a Python integer or an integer array.

    A TypeError is raised for anything else.
    """
    if isinstance(x, np.generic):
        x = x.item()
    if type(x) is float and x.is_integer():
        x = int(x)
    if type(x) in (int, bool):
        return int(x)
    value = to_value(x)
    if type(value) in SCALARS or value.dtype.kind not in "iub":
        raise with_user_line(TypeError(f"randint: {what} must be an integer, got {x!r}"))
    return value if value.dtype.kind in "iu" else convert_element_type(value, default_dtype(int))


def randint(
    key: Any, shape: Shape, minval: Any, maxval: Any, dtype: DTypeLike | None = None
) -> Any:
    """Draw uniform integers in [minval, maxval).

    Where the range is not a power of two there is a slight bias, below 2**-(n / 4) for n-bit
    integers (n = 32 for narrower ones). Ranges that would have a larger one in jax draw other
    numbers than jax.

    Args:
        key: a key.
        shape: the shape of the result.
        minval, maxval: integers, or integer arrays that broadcast to `shape`. Bounds beyond the
            dtype's range are moved to its ends. Where a traced or array range is empty, the
            result is minval.
        dtype: an integer dtype, by default int64.

    Raises:
        TypeError: if `key` is not a key, the shape is not static, or dtype or bounds are not
            integers.
        ValueError: for Python bounds with minval >= maxval, or arrays whose shapes do not fit.

    Examples:
        >>> from diffeo.random import PRNGKey
        >>> randint(PRNGKey(0), (5,), 0, 10)
        Array([5, 1, 5, 7, 3])
    """
    key, shape = check_key("randint", key), static_shape(shape, "randint")
    dtype = dtype_of(dtype, int)
    if dtype.kind not in "iu" or dtype.itemsize not in (1, 2, 4, 8):
        raise with_user_line(TypeError(f"randint: dtype must be an integer's, got {dtype}"))
    low, high = _integer_bound("minval", minval), _integer_bound("maxval", maxval)
    sampled = dtype if dtype.itemsize >= 4 else int32
    if type(low) is int and type(high) is int:
        if low >= high:
            raise with_user_line(
                ValueError(f"randint: minval must be less than maxval, got {low} and {high}")
            )
        low, span = _static_span(low, high, dtype)
    else:
        low, high = (as_value(v) for v in (low, high))
        check_parameters("randint", shape, minval=low, maxval=high)
        low, high = (broadcast_to(v, shape) for v in (low, high))
        low, span = _span(low, high, dtype, sampled)
    offset = convert_element_type(_below(key, shape, sampled, span), sampled)
    return convert_element_type(e.add.bind(offset, low), dtype)


def _static_span(low: int, high: int, dtype: np.dtype) -> tuple[int, int]:
    """Return the lowest number and the size of the range, for bounds that are Python integers.

    The size is taken modulo 2**n for n-bit integers (n = 32 for narrower ones): 0 stands for all.
    """
    info = np.iinfo(dtype)
    low = min(max(low, info.min), info.max)
    high = min(max(high, info.min), info.max + 1)
    count = 1 << max(info.bits, 32)
    return low, max(high - low, 1) % count


def _clip_integers(x: Value, dtype: np.dtype, above: int = 0) -> Any:
    """Clip integers to the range of another dtype, whose highest number grows by `above`.

    The result has the dtype of `x`.
    """
    old, new = np.iinfo(x.dtype), np.iinfo(dtype)
    low, high = max(old.min, new.min), min(old.max, new.max + above)
    return e.minimum.bind(e.maximum.bind(x, int(low)), int(high))


def _span(low: Value, high: Value, dtype: np.dtype, sampled: np.dtype) -> tuple[Any, Any]:
    """Return what `_static_span` does, for arrays, in the dtype in which is sampled.

    A full range has the size 0, an empty one the size 1.
    """
    unsigned = np.dtype(f"u{sampled.itemsize}")
    if dtype != sampled:
        low, high = _clip_integers(low, dtype), _clip_integers(high, dtype, 1)
        low, high = (convert_element_type(v, sampled) for v in (low, high))
    # Where `high` does not fit into the dtype, it is clipped to the last number, and the size needs
    # one more.
    beyond = high > int(min(np.iinfo(sampled).max, np.iinfo(high.dtype).max))
    low, high = (convert_element_type(_clip_integers(v, sampled), sampled) for v in (low, high))
    span = convert_element_type(high - low, unsigned)
    nonempty = e.gt.bind(high, low)
    return low, e.select(nonempty, e.select(nonempty & beyond, span + 1, span), 1)


def _below(key: Key, shape: tuple[int, ...], dtype: np.dtype, span: Any) -> Any:
    """Return unsigned integers below `span` (0 stands for all).

    They are numbers of twice as many bits, modulo the span: two words, high and low, make up the
    number high * 2**n + low. Like jax, this takes the factor 2**n modulo the word before it is
    taken modulo the span, which prefers some numbers. Where that would be noticeable, `_fair`
    computes the remainder instead.
    """
    half, unsigned = 4 * dtype.itemsize, np.dtype(f"u{dtype.itemsize}")
    high, low = (raw_bits(k, shape, unsigned) for k in parts(key))
    count, most = 1 << 2 * half, 1 << 3 * half // 2
    if type(span) is int:
        if span == 0:
            return low
        if count % span > most:
            return _fair(high, low, full_like(low, span))
        # 2**n modulo the span, as the square of 2**(n / 2), which fits into a word.
        factor: Any = ((1 << half) % span) ** 2 % count % span
        return e.rem.bind(e.add.bind(
            e.mul.bind(e.rem.bind(high, span), factor), e.rem.bind(low, span)), span)  # fmt: skip
    # The same for a span that is an array: all is computed modulo `safe`, and chosen afterwards.
    safe = e.select(span == 0, 1, span)
    modulo = lambda x: e.select(span == 0, x, e.rem.bind(x, safe))
    factor = modulo(full_like(safe, 1 << half))
    factor = modulo(e.mul.bind(factor, factor))
    usual = modulo(e.add.bind(e.mul.bind(modulo(high), factor), modulo(low)))
    unfair = e.rem.bind(e.sub.bind(full_like(safe, 0), safe), safe) > most  # 2**bits modulo span
    choose = lambda *words: e.select(unfair, _fair(*words), usual)
    return cond(reduce_or(unfair, range(unfair.ndim)), choose, lambda *_: usual, high, low, safe)


def _fair(high: Value, low: Value, span: Value) -> Any:
    """Return two words as one number, modulo the span: of 64-bit words, 24 bits of the first one.

    Two words of 32 bits are put together in one of 64. Of words of 64 bits, the first one is read
    bit by bit, where every sum is taken modulo the span.
    """
    if low.dtype.itemsize == 4:
        high, low, span = (convert_exactly(x, uint64) for x in (high, low, span))
        word = e.logical_or.bind(e.shift_left.bind(high, 32), low)
        return convert_element_type(e.rem.bind(word, span), uint32)
    # x + y modulo the span, for x and y below it, without overflow: is there room for x beside y?
    room = lambda x: e.sub.bind(span, x)
    plus = lambda x, y: e.select(e.ge.bind(x, room(y)), e.sub.bind(x, room(y)), e.add.bind(x, y))
    word = e.rem.bind(e.sub.bind(full_like(span, 0), span), span)  # 2**64 modulo the span
    total, zero = full_like(span, 0), full_like(span, 0)
    for bit in range(24):
        bit_is_set = e.logical_and.bind(e.shift_right_logical.bind(high, 63 - bit), 1)
        total = plus(plus(total, total), e.select(bit_is_set == 1, word, zero))
    return plus(total, e.rem.bind(low, span))


def normal(key: Any, shape: Shape = (), dtype: DTypeLike | None = None) -> Any:
    """Draw samples of the normal distribution with mean 0 and variance 1: sqrt(2) erf_inv(u).

    Args:
        key: a key.
        shape: the shape of the result.
        dtype: a floating-point or complex dtype, by default float64. Real and imaginary parts of
            complex samples are independent, and E|z|^2 = 1.

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: for another dtype.

    Examples:
        >>> from diffeo.random import PRNGKey
        >>> 10 + 0.1 * normal(PRNGKey(0), (3,))
        Array([ 9.97941579,  9.92152342, 10.18160867])
    """
    key, shape = check_key("normal", key), static_shape(shape, "normal")
    dtype = float_dtype("normal", dtype, allow_complex=True)
    if not is_complex(dtype):
        return _normal(key, shape, dtype)
    re, im = (_normal(k, shape, real_dtype(dtype)) for k in parts(key))
    root = math.sqrt(2) if dtype != complex64 else float(np.float32(math.sqrt(2)))
    return e.complex_.bind(e.div.bind(re, root), e.div.bind(im, root))


def _normal(key: Key, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    low = float(np.nextafter(np.array(-1, dtype), np.array(0, dtype)))
    u = _between(key, shape, dtype, low, 1.0)
    return e.mul.bind(e.erf_inv.bind(u), float(np.array(math.sqrt(2), dtype)))


def bernoulli(key: Any, p: Any = 0.5, shape: Shape = None, mode: str = "low") -> Any:
    """Draw booleans that are true with probability `p`, up to the resolution of its dtype.

    For 16 bits, the resolution is that of float32 (where jax has 2**-10 or 2**-7).

    Args:
        key: a key.
        p: probabilities, a floating-point number or array.
        shape: the shape of the result, to which `p` broadcasts, by default that of `p`.
        mode: "high" draws twice as many bits, for probabilities below the resolution of the dtype.

    Raises:
        TypeError: if `key` is not a key, the shape is not static, or `p` is not floating-point.
        ValueError: if the shapes do not fit, or for another mode.

    Examples:
        >>> from diffeo.random import PRNGKey
        >>> bernoulli(PRNGKey(0), 0.7, (4,))
        Array([ True,  True, False,  True])
    """
    key, p = check_key("bernoulli", key), arr(p)
    if mode not in ("low", "high"):
        raise with_user_line(ValueError(f"bernoulli: mode must be 'low' or 'high', got {mode!r}"))
    if not is_float(p.dtype):
        raise with_user_line(TypeError(f"bernoulli: p must be floating-point, got {p.aval}"))
    shape = p.shape if shape is None else static_shape(shape, "bernoulli")
    check_parameters("bernoulli", shape, p=p)
    p = broadcast_to(p if p.dtype.itemsize > 2 else convert_element_type(p, float32), shape)
    if mode == "low":
        return e.lt.bind(unit_numbers(key, shape, p.dtype), p)
    # The second number extends the first one by its bits, whose unit is the last of the mantissa.
    u = unit_numbers(key, (2, *shape), p.dtype)
    u1, u2 = index_in_dim(u, 0), index_in_dim(u, 1)
    return e.lt.bind(u2 * 2.0 ** -int(ml_dtypes.finfo(p.dtype).nmant), p - u1)


def inexact(x: Any) -> Any:
    """Return numbers or an array as a floating-point array."""
    return as_value(to_inexact(x))
