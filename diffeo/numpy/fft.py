"""Discrete Fourier transforms, with the names and conventions of numpy.fft.

Float32 numbers have complex64 spectra, and 16-bit floats are taken as float32. Transforms run over
any number of axes, which must differ from one another.

The parameters that the functions share:

- `n`, or `s`: the sizes of the transformed axes. The array is cut, or padded with zeros, at the
  end. The default sizes are those of the array; -1 in `s` stands for the default, too. For inverse
  transforms to real numbers, the last size is that of the result, by default `2 * (m - 1)` for a
  spectrum of size `m`.
- `axis`, or `axes`: the axes that are transformed; by default the last axis, the last two, or all
  (with `s`, the last `len(s)`).
- `norm`: which transform is divided by the product of the sizes: with "backward" (the default) the
  inverse one, with "forward" the forward one. With "ortho", each is divided by the square root.

All transforms go through `_transform`, whose `kind` is one of FFT, IFFT, RFFT and IRFFT: forward
or inverse, of complex numbers, or (R) between real numbers and the first half of their spectrum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..api.device_put import device_put
from ..primitives.core import Value, describe, with_user_line
from ..primitives.types import complex64, complex128, float32, is_complex
from ..primitives.words import slicing
from ..primitives.words.promotion import to_inexact
from ..primitives.words.structural import convert_element_type, inverse_permutation, transpose
from ..routines.fft import ends
from ..routines.fft import fft as transform
from ..typing import ArrayLike, DTypeLike
from .common import arr, axes_of, axis_of, dtype_of, narrow, no_such, static_int
from .making.ranges import arange
from .places.selecting import roll
from .ufuncs import conj

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]

#: The values of `norm`, and which one the opposite transform has.
_NORMS = ("backward", "ortho", "forward")
_OTHER_WAY = {None: "forward", "backward": "forward", "forward": "backward"}


def _operand(name: str, kind: str, a: Any) -> Any:
    """Return the array in a dtype that can be transformed; TypeError if RFFT gets complex ones."""
    a = arr(to_inexact(a))
    if narrow(a.dtype):
        a = convert_element_type(a, float32)
    if kind != "RFFT" and not is_complex(a.dtype):
        return convert_element_type(a, complex64 if a.dtype == float32 else complex128)
    if kind == "RFFT" and is_complex(a.dtype):
        raise with_user_line(
            TypeError(
                f"{name}: transforms real numbers, got {describe(a)}; use fft for complex ones"
            )
        )
    return a


def _sizes(
    name: str, kind: str, x: Value, s: tuple[int, ...] | None, axes: Sequence[int]
) -> tuple[int, ...]:
    """Return the lengths of the transform along `axes`; ValueError for a length below 1."""
    lengths = [x.shape[axis] for axis in axes]
    if kind == "IRFFT" and axes:
        lengths[-1] = 2 * (lengths[-1] - 1)
    if s is not None:
        requested = [static_int(n, name, "each size") for n in s]
        # As in NumPy, -1 keeps the size of an axis where there may be several.
        lengths = [
            m if n == -1 and name.endswith(("2", "n")) else n for n, m in zip(requested, lengths)
        ]
    if any([n < 1 for n in lengths]):
        raise with_user_line(
            ValueError(
                f"{name}: the transformed axes need a size of at least 1, got the sizes "
                f"{lengths} for "
                f"axes {list(axes)} of {describe(x)}"
            )
        )
    return tuple(lengths)


def _transform(
    name: str,
    kind: str,
    a: Any,
    s: tuple[int, ...] | None,
    axes: tuple[int, ...] | None,
    norm: str | None,
) -> Any:
    """Transform `a` over `axes`; `name` is the function that the user called, for messages."""
    x = _operand(name, kind, a)
    if norm is not None and norm not in _NORMS:
        raise no_such(name, "norm", norm, _NORMS)
    if axes is None and s is not None:
        axes = tuple(range(-len(s), 0))
    axes = axes_of(None if axes is None else tuple(axes), x.ndim, name)
    if s is not None and len(s) != len(axes):
        raise with_user_line(
            ValueError(f"{name}: s has {len(s)} sizes, {tuple(s)}, for {len(axes)} axes")
        )
    lengths = _sizes(name, kind, x, s, axes)
    if not axes:
        return x
    # The primitive transforms the last axes: the others move in front, and all move back after.
    order = [*[i for i in range(x.ndim) if i not in axes], *axes]
    x = transpose(x, order)
    others = x.ndim - len(axes)
    before = ends(kind, lengths)[0]
    high = [0] * others + [n - m for n, m in zip(before, x.shape[others:])]
    x = transform(slicing.pad(x, (0,) * x.ndim, high), kind, lengths)
    # The primitive's inverse transforms divide by the product of the lengths: the norm "backward".
    inverse, size = kind in ("IFFT", "IRFFT"), math.prod(lengths)
    if norm == "ortho":
        x = x * (math.sqrt(size) if inverse else 1 / math.sqrt(size))
    elif norm == "forward":
        x = x * (size if inverse else 1 / size)
    return transpose(x, inverse_permutation(order))


def _one(name: str, kind: str, a: Any, n: int | None, axis: int, norm: str | None) -> Any:
    """Transform one axis."""
    return _transform(name, kind, a, None if n is None else (n,), (axis,), norm)


def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Compute the discrete Fourier transform.

    Element k is the sum over j of a[j] exp(-2 pi i j k / n).

    Raises:
        ValueError: for an axis, size or norm that does not exist.

    Examples:
        >>> import diffeo as dx
        >>> fft(dx.numpy.array([1.0, 2.0, 3.0, 4.0]))
        Array([10.+0.j, -2.+2.j, -2.+0.j, -2.-2.j])
    """
    return _one("fft", "FFT", a, n, axis, norm)


def ifft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Compute the inverse of `fft`.

    Examples:
        >>> import diffeo as dx
        >>> ifft(dx.numpy.array([10.0, -2.0 + 2.0j, -2.0, -2.0 - 2.0j]))
        Array([1.+0.j, 2.+0.j, 3.+0.j, 4.+0.j])
    """
    return _one("ifft", "IFFT", a, n, axis, norm)


def rfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Compute the first half, `n // 2 + 1` elements, of `fft` of real numbers.

    The other elements are conjugates of these.

    Raises:
        TypeError: for complex numbers.
        ValueError: for an axis, size or norm that does not exist.

    Examples:
        >>> import diffeo as dx
        >>> rfft(dx.numpy.array([1.0, 2.0, 3.0, 4.0]))
        Array([10.+0.j, -2.+2.j, -2.+0.j])
    """
    return _one("rfft", "RFFT", a, n, axis, norm)


def irfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Compute the inverse of `rfft`: `n` real numbers; for an odd number `n` must be given.

    Examples:
        >>> import diffeo as dx
        >>> irfft(dx.numpy.array([10.0, -2.0 + 2.0j, -2.0]))
        Array([1., 2., 3., 4.])
    """
    return _one("irfft", "IRFFT", a, n, axis, norm)


def hfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Compute the real spectrum, of size `n`, of a signal of which the first half is given.

    The signal at -j is the conjugate of the signal at j.

    Examples:
        >>> import diffeo as dx
        >>> hfft(dx.numpy.array([1.0, 2.0j, 3.0]))
        Array([ 4.,  2.,  4., -6.])
    """
    return _one("hfft", "IRFFT", conj(a), n, axis, _OTHER_WAY.get(norm, norm))


def ihfft(a: ArrayLike, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Compute the inverse of `hfft`: the first half of the signal."""
    return conj(_one("ihfft", "RFFT", a, n, axis, _OTHER_WAY.get(norm, norm)))


def fftn(a: ArrayLike, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """Compute the discrete Fourier transform over several axes, all by default.

    Raises:
        ValueError: for an axis, size or norm that does not exist, or an axis twice.

    Examples:
        >>> import diffeo as dx
        >>> fftn(dx.numpy.array([[1.0, 2.0], [3.0, 4.0]]))
        Array([[10.+0.j, -2.+0.j],
               [-4.+0.j,  0.+0.j]])
    """
    return _transform("fftn", "FFT", a, s, axes, norm)


def ifftn(a: ArrayLike, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """Compute the inverse of `fftn`."""
    return _transform("ifftn", "IFFT", a, s, axes, norm)


def rfftn(a: ArrayLike, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """Compute `fftn` of real numbers; the last of `axes` has the first half only.

    Raises:
        TypeError: for complex numbers.
        ValueError: for an axis, size or norm that does not exist, or an axis twice.
    """
    return _transform("rfftn", "RFFT", a, s, axes, norm)


def irfftn(a: ArrayLike, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """Compute the inverse of `rfftn`; for an odd size of the last of `axes`, `s` must be given."""
    return _transform("irfftn", "IRFFT", a, s, axes, norm)


def fft2(a: ArrayLike, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """Compute `fftn` over two axes."""
    return _transform("fft2", "FFT", a, s, axes, norm)


def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """Compute the inverse of `fft2`."""
    return _transform("ifft2", "IFFT", a, s, axes, norm)


def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """Compute `rfftn` over two axes."""
    return _transform("rfft2", "RFFT", a, s, axes, norm)


def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """Compute the inverse of `rfft2`."""
    return _transform("irfft2", "IRFFT", a, s, axes, norm)


# --------------------------------------------------------------------------------------------------
# Frequencies


def _frequencies(name: str, n: Any, d: Any, dtype: Any, half: bool, device: Any) -> Any:
    """Return the frequencies of `n` points at distance `d`: all, or the first half."""
    n = static_int(n, name, "the number of points")
    if n < 1:
        raise with_user_line(ValueError(f"{name}: expects at least one point, got n={n}"))
    count = n // 2 + 1 if half else n
    whole = arange(count, dtype=dtype_of(dtype), device=device)
    # 0, 1, 2 ... become 0, 1, ..., -2, -1, with the negative ones at the end.
    if not half:
        whole = roll(whole - n // 2, -(n // 2))
    out = whole / (d * n)
    return out if device is None else device_put(out, device)


def fftfreq(
    n: int, d: ArrayLike = 1.0, *, dtype: DTypeLike | None = None, device: Any = None
) -> Any:
    """Return the frequency of each element of `fft` of `n` points at distance `d`.

    Raises:
        TypeError: if `n` is traced, or no integer.
        ValueError: for less than one point.

    Examples:
        >>> fftfreq(4, 0.5)
        Array([ 0. ,  0.5, -1. , -0.5])
    """
    return _frequencies("fftfreq", n, d, dtype, False, device)


def rfftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
    """Return the frequency of each element of `rfft` of `n` points at distance `d`.

    Examples:
        >>> rfftfreq(4, 0.5)
        Array([0. , 0.5, 1. ])
    """
    return _frequencies("rfftfreq", n, d, dtype, True, device)


def _shift(name: str, x: Any, axes: Any, sign: int) -> Any:
    """Roll each of `axes` by half its size, forward for `sign` 1, backward for -1."""
    x = arr(x)
    numbers = (
        (axis_of(axes, x.ndim, name),)
        if isinstance(axes, int)
        else axes_of(None if axes is None else tuple(axes), x.ndim, name)
    )
    return roll(x, tuple([sign * (x.shape[axis] // 2) for axis in numbers]), numbers)


def fftshift(x: ArrayLike, axes: Any = None) -> Any:
    """Move frequency 0 to the middle of the axes, all by default.

    Examples:
        >>> fftshift(fftfreq(4, 0.25))
        Array([-2., -1.,  0.,  1.])
    """
    return _shift("fftshift", x, axes, 1)


def ifftshift(x: ArrayLike, axes: Any = None) -> Any:
    """Undo `fftshift`."""
    return _shift("ifftshift", x, axes, -1)
