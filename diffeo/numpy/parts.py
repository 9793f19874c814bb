"""The parts of numbers: neighbours, exponents and fractions of floats, bits of integers."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from ..operations import bits, identity, rounding
from ..primitives.core import describe, with_user_line
from ..primitives.types import is_complex, is_integer
from ..primitives.words import division, powers
from ..primitives.words import elementwise as e
from ..primitives.words import operators as o
from ..primitives.words.promotion import align, to_inexact
from ..primitives.words.structural import (
    bitcast_convert_type,
    convert_element_type,
    expand_dims,
    reshape,
)
from ..routines.special import integers
from ..typing import ArrayLike
from .choosing import where
from .common import NUMBERS, REALS, arr, axis_of, by_numpy, no_out, no_such, static_int
from .places.padding import pad
from .reducing.reductions import sum as sum_
from .shaping import moveaxis, ravel
from .ufuncs import isnan, maximum, minimum, trunc

_nextafter = o.binary(rounding.nextafter, True)


def nextafter(x: ArrayLike, y: ArrayLike, /) -> Any:
    """Return the floating-point number next to `x` in the direction of `y`.

    Examples:
        >>> nextafter(1.0, 2.0) - 1.0
        Array(2.22044605e-16)
    """
    return _nextafter(x, y)


def spacing(x: Any, /) -> Any:
    """Return the distance to the next number away from zero, with the sign of `x`."""
    x = arr(to_inexact(x))
    out = where(x < 0, -math.inf, where(x == x, math.inf, x))
    return e.select(x == 0, rounding.nextafter.bind(x, out), rounding.nextafter.bind(x, out) - x)


def _within(x: Any, reach: int) -> Any:
    """Return integers moved into [-reach, reach], as int32."""
    if x.dtype.itemsize < 4:  # of which `reach` may not be one
        x = convert_element_type(x, np.int32)
    low = -reach if x.dtype.kind == "i" else 0
    return convert_element_type(maximum(minimum(x, reach), low), np.int32)


def ldexp(x1: Any, x2: Any, /) -> Any:
    """Compute `x1 * 2**x2`, for integers `x2`; exact unless the result is too large or too small.

    Examples:
        >>> ldexp(0.75, 4)
        Array(12.)
    """
    x2 = arr(x2)
    if not is_integer(x2.dtype):
        raise with_user_line(TypeError(f"ldexp: expects integer exponents, got {describe(x2)}"))
    x1 = arr(to_inexact(x1))
    # In four steps: 2**x2 alone may be too large, also where the result is not. Further away than
    # `reach` all results are 0 or infinite.
    limits = ml_dtypes.finfo(x1.dtype)
    reach = int(limits.maxexp) - int(limits.minexp) + int(limits.nmant) + 2
    x2 = _within(x2, reach)
    half = x2 >> 1
    for part in (half, x2 - half):
        quarter = part >> 1
        for each in (quarter, part - quarter):
            x1 = o.mul(x1, powers.exp2.bind(convert_element_type(each, x1.dtype)))
    return x1


def frexp(x: Any, /) -> tuple[Any, Any]:
    """Return fractions in [0.5, 1) (or 0) and int32 exponents with `x == fraction * 2**exponent`.

    Compiled programs take numbers below the smallest normal number for 0. Such a number gets the
    exponent of the smallest normal one, and a smaller fraction.

    Examples:
        >>> frexp(12.0)
        (Array(0.75), Array(4, dtype=int32))
    """
    x = arr(to_inexact(x))
    if is_complex(x.dtype):
        raise with_user_line(TypeError(f"frexp: expects real numbers, got {describe(x)}"))
    quick = by_numpy(np.frexp, x)
    if quick is not None:
        return quick
    if x.dtype.kind != "f":
        x = convert_element_type(x, np.float32)
    # The bits of a float are its sign, the biased exponent, and `nmant` bits of the fraction.
    info = np.finfo(x.dtype)
    word = bitcast_convert_type(identity.stop_gradient(x), f"i{x.dtype.itemsize}")
    biased = (word >> info.nmant) & ((1 << info.bits - 1 - info.nmant) - 1)
    usual = (x != 0) & e.is_finite.bind(x)
    exponent = where(usual, convert_element_type(biased, np.int32) - (info.maxexp - 2), 0)
    return ldexp(x, -exponent), exponent


def modf(x: ArrayLike, /, out: ArrayLike | None = None) -> tuple[Any, Any]:
    """Return the parts behind and before the point, both with the sign of `x`."""
    if out is not None:
        raise no_out("modf")
    x = arr(to_inexact(x))
    return division.fraction.bind(x), trunc(x)


def fmax(x1: ArrayLike, x2: ArrayLike) -> Any:
    """Return the larger of two numbers; if one is nan, the other one."""
    quick = by_numpy(np.fmax, x1, x2)
    if quick is not None:
        return quick
    x, y = (arr(v) for v in align(x1, x2))
    return where((x >= y) | isnan(y), x, y)


def fmin(x1: ArrayLike, x2: ArrayLike) -> Any:
    """Return the smaller of two numbers; if one is nan, the other one."""
    quick = by_numpy(np.fmin, x1, x2)
    if quick is not None:
        return quick
    x, y = (arr(v) for v in align(x1, x2))
    return where((x <= y) | isnan(y), x, y)


def bitwise_count(x: Any, /) -> Any:
    """Count the bits that are set in the absolute value of integers, as uint8."""
    x = arr(x)
    if x.dtype.kind == "b":
        return convert_element_type(x, np.uint8)
    if not is_integer(x.dtype):
        raise with_user_line(TypeError(f"bitwise_count: expects integers, got {describe(x)}"))
    size = x if x.dtype.kind == "u" else e.absolute.bind(x)
    return convert_element_type(bits.population_count.bind(size), np.uint8)


def _bit_places(bitorder: str, name: str) -> np.ndarray:
    """Return the shift of each of eight bits: 7, 6 ... for 'big', 0, 1 ... for 'little'."""
    if bitorder not in ("big", "little"):
        raise no_such(name, "bitorder", bitorder, ("big", "little"))
    return np.arange(8, dtype=np.uint8)[:: -1 if bitorder == "big" else 1]


def packbits(a: Any, axis: int | None = None, bitorder: str = "big") -> Any:
    """Pack eight truth values into the bits of each uint8, along an axis.

    The last number is padded with zeros.

    Examples:
        >>> import diffeo as dx
        >>> packbits(dx.numpy.array([1, 0, 0, 0, 0, 0, 1, 1, 1]))
        Array([131, 128], dtype=uint8)
    """
    a = arr(a)
    if a.dtype.kind not in "biu":
        raise with_user_line(
            TypeError(
                f"packbits: expects booleans or integers, got {describe(a)}; convert it with "
                ".astype(bool)"
            )
        )
    shifts = _bit_places(bitorder, "packbits")
    pack: Any = np.packbits  # its stubs know literal arguments only
    quick = by_numpy(lambda a: pack(a, axis, bitorder), a, dtypes=NUMBERS - REALS)
    if quick is not None:
        return quick
    if axis is None:
        a, axis = ravel(a), 0
    a = moveaxis(convert_element_type(a != 0, np.uint8), axis_of(axis, a.ndim, "packbits"), -1)
    missing = -a.shape[-1] % 8
    a = pad(a, [(0, 0)] * (a.ndim - 1) + [(0, missing)])
    a = reshape(a, (*a.shape[:-1], a.shape[-1] // 8, 8))
    return moveaxis(sum_(a << arr(shifts), -1, dtype=np.uint8), -1, axis)


def unpackbits(
    a: Any, axis: int | None = None, count: int | None = None, bitorder: str = "big"
) -> Any:
    """Return the bits of uint8 numbers, along an axis.

    With `count`, the first `count` bits are returned, or for a negative one, all but the last
    -`count` bits.

    Examples:
        >>> import diffeo as dx
        >>> unpackbits(dx.numpy.array([131], dtype=dx.numpy.uint8))
        Array([1, 0, 0, 0, 0, 0, 1, 1], dtype=uint8)
    """
    a = arr(a)
    if a.dtype != np.uint8:
        raise with_user_line(TypeError(f"unpackbits: expects uint8, got {describe(a)}"))
    shifts = _bit_places(bitorder, "unpackbits")
    unpack: Any = np.unpackbits
    quick = by_numpy(lambda a: unpack(a, axis, count, bitorder), a, dtypes=NUMBERS)
    if quick is not None:
        return quick
    if axis is None:
        a, axis = ravel(a), 0
    a = moveaxis(a, axis_of(axis, a.ndim, "unpackbits"), -1)
    a = (expand_dims(a, (a.ndim,)) >> arr(shifts)) & 1
    a = reshape(a, (*a.shape[:-2], a.shape[-2] * 8))
    if count is not None:
        count = static_int(count, "unpackbits", "count")
        missing = max(count - a.shape[-1], 0) if count >= 0 else 0
        a = pad(a, [(0, 0)] * (a.ndim - 1) + [(0, missing)])[..., :count]
    return moveaxis(a, -1, axis)


def gcd(x1: ArrayLike, x2: ArrayLike) -> Any:
    """Return the greatest common divisor of integers; not negative, and 0 of two zeros.

    Raises:
        TypeError: for numbers that are no integers.

    Examples:
        >>> gcd(12, -18)
        Array(6)
    """
    return integers.gcd.bind(*align(x1, x2))


def lcm(x1: ArrayLike, x2: ArrayLike) -> Any:
    """Return the least common multiple of integers; not negative, and 0 if one is 0.

    Raises:
        TypeError: for numbers that are no integers.

    Examples:
        >>> lcm(4, -6)
        Array(12)
    """
    return integers.lcm.bind(*align(x1, x2))
