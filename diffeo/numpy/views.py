"""The bits of arrays read as numbers of other types: `x.view(dtype)`, `x.byteswap()`.

A view in NumPy's sense shares memory; as Arrays never change, nobody can tell. *Words* are unsigned
integers of the bits: two for a complex number, else one. They are cut into narrower words, or put
together to wider ones.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..primitives.core import Value, with_user_line
from ..primitives.support.foreign import float0
from ..primitives.types import real_dtype
from ..primitives.words import elementwise as e
from ..primitives.words.structural import bitcast_convert_type, convert_element_type, reshape
from ..typing import DTypeLike
from .common import arr, dtype_of
from .joining import stack
from .shaping import flip


def view(a: Value, dtype: DTypeLike | None = None, type: Any = None) -> Any:
    """Return the bits of an array as numbers of another dtype; the last axis grows or shrinks.

    Args:
        a: The array.
        dtype: The other dtype; by default that of `a`.
        type: None, as Array has no subclasses.

    Raises:
        ValueError: if the last axis does not hold whole numbers of the dtype, or there is none.
        NotImplementedError: for another `type`, and for numbers that are no whole bytes.

    Examples:
        >>> import diffeo as dx
        >>> dx.numpy.array([1.0, -2.0]).view("int64") >> 52
        Array([ 1023, -1024])
        >>> dx.numpy.array([1 + 2j]).view(float)
        Array([1., 2.])
    """
    if type is not None:
        raise with_user_line(NotImplementedError(f"view: type={type!r}: Array has no subclasses"))
    x = arr(a)
    target = x.dtype if dtype is None else dtype_of(dtype)
    if target == x.dtype:
        return x
    for each in (x.dtype, target):
        if "int4" in each.name or each == float0:
            raise with_user_line(
                NotImplementedError(f"view: numbers of {each} are no whole bytes; use astype")
            )
    count, width = _in_words(target)
    lead, size = x.shape[:-1], x.shape[-1] if x.ndim else 1
    if size * x.dtype.itemsize % target.itemsize or (not x.ndim and x.itemsize != target.itemsize):
        raise with_user_line(
            ValueError(
                f"view: the {size * x.dtype.itemsize} bytes of the last axis of {x.aval} are no "
                f"whole number of elements of {target}"
            )
        )
    new = size * x.dtype.itemsize // target.itemsize
    words = _resized(_words(x), width, (*lead, new, count))
    out = _from_words(words, target)
    return out if x.ndim else reshape(out, ())


def byteswap(a: Value) -> Any:
    """Return an array with the bytes of each element in reverse order, as the same dtype.

    Examples:
        >>> import diffeo as dx
        >>> byteswap(dx.numpy.array([1, 256], "int16"))
        Array([256,   1], dtype=int16)
    """
    x = arr(a)
    count, width = _in_words(x.dtype)
    if width == 1:
        return x
    octets = _resized(_words(x), 1, (*x.shape, count, width))
    return _from_words(_resized(flip(octets, -1), width, (*x.shape, count)), x.dtype)


def _in_words(dtype: np.dtype) -> tuple[int, int]:
    """Return how many words a number of a dtype has, and the bytes of each."""
    count = 2 if dtype.kind == "c" else 1
    return count, dtype.itemsize // count


def _words(x: Value) -> Any:
    """Return the words of an array, along a new last axis."""
    if x.dtype.kind == "c":
        x = stack([e.real.bind(x), e.imag.bind(x)], -1)
    else:
        x = reshape(x, (*x.shape, 1))
    if x.dtype.kind == "b":
        return convert_element_type(x, np.uint8)
    return bitcast_convert_type(x, f"u{x.dtype.itemsize}")


def _from_words(words: Value, dtype: np.dtype) -> Any:
    """Undo `_words`."""
    if dtype.kind == "c":
        parts = bitcast_convert_type(words, real_dtype(dtype))
        return e.complex_.bind(parts[..., 0], parts[..., 1])
    words = words[..., 0]
    if dtype.kind == "b":
        return convert_element_type(words, np.bool_)
    return bitcast_convert_type(words, dtype)


def _resized(words: Value, width: int, shape: tuple[int, ...]) -> Any:
    """Return words as words of another width, in the order in which they are in memory."""
    old = words.dtype.itemsize
    if old > width:
        dtype = np.dtype(f"u{width}")
        shifts = [8 * width * k for k in _order(old // width)]
        cut = [convert_element_type(words >> s, dtype) for s in shifts]
        return reshape(stack(cut, -1), shape)
    if old < width:
        ratio = width // old
        words = convert_element_type(reshape(words, (*shape, ratio)), np.dtype(f"u{width}"))
        total = words[..., 0] << 8 * old * _order(ratio)[0]
        for i, k in enumerate(_order(ratio)[1:], 1):
            total = total | words[..., i] << 8 * old * k
        return total
    return reshape(words, shape)


def _order(count: int) -> range:
    """Return how much each narrow word of a wide one weighs, in the order of memory."""
    return range(count) if sys.byteorder == "little" else range(count)[::-1]
