"""Discrete cosine transforms, with the names and conventions of scipy.fft.

There are types 2 and 3, which are inverses of one another but for a factor. `norm` is "backward"
(the default: the inverse divides by twice the size), "forward" or "ortho" (both are orthogonal).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..numpy.common import arr, axes_of, narrow, no_such, static_int
from ..numpy.fft import irfft, rfft
from ..numpy.ufuncs import imag, real
from ..primitives.array import Array
from ..primitives.core import Value, describe, with_user_line
from ..primitives.types import complex64, complex128, float32, is_complex
from ..primitives.words import elementwise as e
from ..primitives.words import slicing
from ..primitives.words.promotion import to_inexact
from ..primitives.words.structural import convert_element_type, move_axis, reshape
from ..typing import ArrayLike

__all__ = ["dct", "dctn", "idct", "idctn"]

_NORMS = (None, "backward", "ortho", "forward")


def _operand(name: str, x: Any, type: int, norm: str | None) -> Any:
    """Return the operand as a real array, after checks; float16 and bfloat16 become float32."""
    if type not in (2, 3):
        raise with_user_line(NotImplementedError(f"{name}: there are types 2 and 3, got {type!r}"))
    if norm not in _NORMS:
        raise no_such(name, "norm", norm, _NORMS)
    x = arr(to_inexact(x))
    if is_complex(x.dtype):
        raise with_user_line(TypeError(f"{name}: transforms real numbers, got {describe(x)}"))
    return convert_element_type(x, float32) if narrow(x.dtype) else x


def _transform(
    name: str, x: Value, type: int, n: Any, axis: int, norm: str | None, inverse: bool
) -> Any:
    """Transform one axis.

    Type 3 is the inverse of type 2, times 2 n: so only type 2 (`_second`) and its inverse
    (`_undo_second`) are computed, and multiplied by a factor that `norm` says.
    """
    n = x.shape[axis] if n is None else static_int(n, name, "the size")
    if n < 1:
        raise with_user_line(
            ValueError(f"{name}: axis {axis} of {describe(x)} needs a size of at least 1, got {n}")
        )
    last = x.ndim - 1
    x = move_axis(x, axis, last)
    x = slicing.pad(x, [0] * x.ndim, [0] * last + [n - x.shape[-1]])
    # The factors that make type 2 orthogonal: the first one is smaller.
    weights = np.full(n, math.sqrt(0.5 / n))
    weights[0] /= math.sqrt(2.0)
    weights = Array(weights.astype(x.dtype))
    divided = norm in (None, "backward") if inverse else norm == "forward"
    if (type == 2) != inverse:
        out = _second(x, n)
        out = out * weights if norm == "ortho" else out / (2 * n) if divided else out
    else:
        out = _undo_second(x / weights if norm == "ortho" else x, n)
        out = out if norm == "ortho" or divided else out * (2 * n)
    return move_axis(out, last, axis)


def _phases(x: Value, n: int, sign: int) -> Array:
    """Return exp(sign i pi k / 2n) for the elements k of half a spectrum."""
    phases = np.exp(sign * 0.5j * np.pi * np.arange(n // 2 + 1) / n)
    return Array(phases.astype(complex64 if x.dtype == float32 else complex128))


def _part(x: Value, start: int, stop: int, step: int = 1) -> Any:
    """Return a slice of the last axis."""
    return slicing.slice_in_dim(x, start, stop, step, x.ndim - 1)


def _second(x: Value, n: int) -> Any:
    """Return twice the sum over j of x[j] cos(pi k (2 j + 1) / 2n).

    It is computed by a Fourier transform of n real numbers (Makhoul, "A fast cosine transform in
    one and two dimensions", IEEE TASSP 28, 1980). The elements at even positions are followed by
    those at odd ones in reverse order: a b c d e becomes a c e d b.
    """
    last = (x.ndim - 1,)
    odd = slicing.rev(_part(x, min(1, n), n, 2), last)
    w = rfft(slicing.concatenate([_part(x, 0, n, 2), odd], *last)) * _phases(x, n, -1)
    high = slicing.rev(imag(_part(w, 1, (n + 1) // 2)), last)
    return slicing.concatenate([real(w), -high], *last) * 2


def _undo_second(y: Value, n: int) -> Any:
    """Return x from `_second(x, n)`, by the inverse of each of its steps."""
    last, half = y.ndim - 1, n // 2 + 1
    high = slicing.rev(_part(y, n - half + 1, n), (last,))
    high = slicing.pad(high, [0] * last + [1], [0] * y.ndim)
    w = e.complex_.bind(_part(y, 0, half), -high) * _phases(y, n, 1)
    v = irfft(w, n) * 0.5
    even, odd = _part(v, 0, n - n // 2), slicing.rev(_part(v, n - n // 2, n), (last,))
    odd = slicing.pad(odd, [0] * y.ndim, [0] * last + [n % 2])
    pairs = reshape(slicing.stack([even, odd], last + 1), (*y.shape[:-1], n + n % 2))
    return _part(pairs, 0, n)


def _over_axes(
    name: str, x: Any, type: int, s: Any, axes: Any, norm: str | None, inverse: bool
) -> Any:
    """Transform several axes one after the other, after checks."""
    x = _operand(name, x, type, norm)
    if axes is None and s is not None:
        axes = tuple(range(-len(s), 0))
    axes = axes_of(None if axes is None else axes, x.ndim, name)
    if s is not None and len(s) != len(axes):
        raise with_user_line(
            ValueError(f"{name}: s has {len(s)} sizes, {tuple(s)}, for {len(axes)} axes")
        )
    for axis, n in zip(axes, [None] * len(axes) if s is None else s):
        x = _transform(name, x, type, n, axis, norm, inverse)
    return x


def dct(
    x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None
) -> Any:
    """Compute the discrete cosine transform.

    Of type 2, element k is twice the sum over j of x[j] cos(pi k (2 j + 1) / 2n).

    Args:
        x: real numbers.
        type: 2 or 3.
        n: the size of the axis: the array is cut, or padded with zeros, at the end.
        axis: what is transformed.
        norm: "backward", "forward" or "ortho".

    Raises:
        TypeError: for complex numbers.
        ValueError: for an axis, size or norm that does not exist.
        NotImplementedError: for another type.

    Examples:
        >>> import diffeo as dx
        >>> dct(dx.numpy.array([1.0, 2.0, 4.0]))
        Array([14.        , -5.19615242,  1.        ])
    """
    return _over_axes("dct", x, type, None if n is None else (n,), (axis,), norm, False)


def idct(
    x: ArrayLike, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None
) -> Any:
    """Compute the inverse of `dct` of the same type and norm.

    Examples:
        >>> import diffeo as dx
        >>> idct(dct(dx.numpy.array([1.0, 2.0, 4.0])))
        Array([1., 2., 4.])
    """
    return _over_axes("idct", x, type, None if n is None else (n,), (axis,), norm, True)


def dctn(
    x: ArrayLike,
    type: int = 2,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
) -> Any:
    """Compute `dct` over several axes, all by default (with `s`, the last `len(s)`)."""
    return _over_axes("dctn", x, type, s, axes, norm, False)


def idctn(
    x: ArrayLike,
    type: int = 2,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
) -> Any:
    """Compute the inverse of `dctn`."""
    return _over_axes("idctn", x, type, s, axes, norm, True)
