"""Spectra of signals: short-time Fourier transforms, and Welch's estimates of power."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..numpy import fft
from ..numpy.choosing import where
from ..numpy.common import arr, axis_of, no_such, same_dtype, static_int
from ..numpy.joining import concatenate
from ..numpy.making.creation import asarray
from ..numpy.places.padding import pad
from ..numpy.reducing.quantiles import median
from ..numpy.reducing.reductions import mean
from ..numpy.shaping import broadcast_to, flip, moveaxis
from ..numpy.ufuncs import conj
from ..primitives.array import Array, known
from ..primitives.core import Value, with_user_line
from ..primitives.types import complex_dtype, is_complex
from ..primitives.words.promotion import broadcast_shapes, to_inexact
from ..primitives.words.slicing import slice_in_dim
from ..typing import ArrayLike
from .convolving import detrend as without_trend

__all__ = ["csd", "istft", "stft", "welch"]

_BOUNDARIES = ("even", "odd", "constant", "zeros", None)


def _window(name: str, window: Any, nperseg: int, dtype: np.dtype) -> Any:
    """Return a window of a name, or the array that is given."""
    if isinstance(window, str) and window in ("hann", "hanning"):
        turns = np.arange(nperseg) / max(nperseg, 1)
        return Array((np.sin(np.pi * turns) ** 2 if nperseg > 1 else np.ones(1)).astype(dtype))
    if isinstance(window, (str, tuple)):
        # SciPy's package of signals takes long to import, and few need its other windows.
        from scipy.signal import get_window

        return Array(np.asarray(get_window(window, nperseg)).astype(dtype))
    window = asarray(window)
    if window.ndim != 1 or window.shape[0] != nperseg:
        raise with_user_line(
            ValueError(
                f"{name}: the window must be a vector of nperseg={nperseg} numbers, got shape "
                f"{window.shape}"
            )
        )
    return window if is_complex(window.dtype) else window.astype(dtype)


def _sizes(name: str, window: Any, nperseg: Any, noverlap: Any, nfft: Any,
           length: int) -> tuple[int, int, int]:  # fmt: skip
    """Return the lengths of a segment, of an overlap, and of a transform."""
    named = isinstance(window, (str, tuple))
    if nperseg is not None:
        nperseg = static_int(nperseg, name, "nperseg")
        if nperseg < 1:
            raise with_user_line(ValueError(f"{name}: nperseg must be positive, got {nperseg}"))
    if not named:
        size = np.shape(window)[0] if np.ndim(window) == 1 else 0
        nperseg = size if nperseg is None else nperseg
        if size > length:
            raise with_user_line(
                ValueError(f"{name}: a window of {size} is longer than the signal of {length}")
            )
    else:
        nperseg = 256 if nperseg is None else nperseg
        if nperseg > length:
            warnings.warn(f"{name}: nperseg={nperseg} is more than the signal's length; {length} "
                          "is used", UserWarning, stacklevel=4)  # fmt: skip
            nperseg = length
    noverlap = nperseg // 2 if noverlap is None else static_int(noverlap, name, "noverlap")
    nfft = nperseg if nfft is None else static_int(nfft, name, "nfft")
    _check_sizes(name, nperseg, noverlap, nfft)
    return nperseg, noverlap, nfft


def _check_sizes(name: str, nperseg: int, noverlap: int, nfft: int) -> None:
    if nfft < nperseg:
        raise with_user_line(
            ValueError(f"{name}: nfft={nfft} must not be less than nperseg={nperseg}")
        )
    if noverlap >= nperseg:
        raise with_user_line(
            ValueError(f"{name}: noverlap={noverlap} must be less than nperseg={nperseg}")
        )


def _extended(x: Any, boundary: str | None, n: int) -> Any:
    """Return a signal with n more elements at both ends of the last axis."""
    if boundary is None or not n:
        return x
    widths = [(0, 0)] * (x.ndim - 1) + [(n, n)]
    if boundary == "odd":
        first, last = x[..., :1], x[..., -1:]
        before, after = flip(x[..., 1 : n + 1], -1), flip(x[..., -n - 1 : -1], -1)
        return concatenate([2 * first - before, x, 2 * last - after], -1)
    kinds = {"even": "reflect", "constant": "edge", "zeros": "constant"}
    return pad(x, widths, mode=kinds[boundary])


def _trend_remover(name: str, detrend: Any, axis: int, ndim: int) -> Callable[[Any], Any]:
    """Return a function of segments, which lie along the last axis."""
    if isinstance(detrend, str):
        return lambda x: without_trend(x, -1, detrend)
    if not detrend:
        return lambda x: x
    if not callable(detrend):
        raise no_such(name, "detrend", detrend, ("linear", "constant", False, "a function"))
    if axis == ndim - 1:
        return detrend
    # The user's function expects segments along the axis of the signal.
    return lambda x: moveaxis(detrend(moveaxis(x, -1, axis)), axis, -1)


def _segments(x: Value, nperseg: int, step: int) -> Any:
    """Return overlapping segments, [..., segments, nperseg]."""
    count = max((x.shape[-1] - nperseg) // step + 1, 0)
    places = np.arange(count)[:, None] * step + np.arange(nperseg)
    return x[..., places]


def _pair(x: Value, y: Value, axis: int) -> tuple[Any, Any]:
    """Return signals of one dtype along their last axes, of one length."""
    x, y = (arr(to_inexact(v)) for v in same_dtype(x, y))
    try:
        broadcast_shapes(*[(*v.shape[:axis], *v.shape[axis + 1 :]) for v in (x, y)])
        fits = x.ndim == y.ndim
    except (ValueError, TypeError):
        fits = False
    if not fits:
        raise with_user_line(
            ValueError(f"csd: x and y do not fit, with shapes {x.shape} and {y.shape}")
        )
    x, y = moveaxis(x, axis, -1), moveaxis(y, axis, -1)
    length = max(x.shape[-1], y.shape[-1])
    fill = lambda v: pad(v, [(0, 0)] * (v.ndim - 1) + [(0, length - v.shape[-1])])
    return fill(x), fill(y)


def _spectra(name: str, x: Any, y: Any, fs: Any, window: Any, nperseg: Any, noverlap: Any,
             nfft: Any, detrend: Any, return_onesided: bool, scaling: str, axis: int,
             boundary: str | None = None,
             padded: bool = False) -> tuple[Any, Any, Any]:  # fmt: skip
    """Return frequencies, times, and the transforms of segments, [..., frequencies, segments].

    With `y` None these are the transforms themselves if `scaling` is "stft", and else their
    squares; with another signal, the products of both.
    """
    x = arr(to_inexact(asarray(x)))
    axis = axis_of(axis, x.ndim, name)
    if boundary not in _BOUNDARIES:
        raise no_such(name, "boundary", boundary, _BOUNDARIES)
    if scaling not in ("density", "spectrum", "stft"):
        raise no_such(name, "scaling", scaling, ("density", "spectrum"))
    ndim = x.ndim
    x, y = (moveaxis(x, axis, -1), None) if y is None else _pair(x, asarray(y), axis)
    real = np.dtype(x.real.dtype)
    if not x.size or (y is not None and not y.size):
        shape = x.shape if y is None else (*broadcast_shapes(x.shape[:-1], y.shape[:-1]), 0)
        empty = moveaxis(Array(np.zeros(shape, real)), -1, axis)
        return empty, empty, empty.astype(complex_dtype(real))
    nperseg, noverlap, nfft = _sizes(name, window, nperseg, noverlap, nfft, x.shape[-1])
    window, step = _window(name, window, nperseg, real), nperseg - noverlap
    x, y = (None if v is None else _extended(v, boundary, nperseg // 2) for v in (x, y))
    if padded:
        more = (-(x.shape[-1] - nperseg) % step) % nperseg
        x = pad(x, [(0, 0)] * (x.ndim - 1) + [(0, more)])
    two_sided = not return_onesided or any(
        [v is not None and is_complex(v.dtype) for v in (x, y, window)]
    )
    if two_sided and return_onesided:
        warnings.warn(f"{name}: of complex numbers the spectrum has two sides", UserWarning,
                      stacklevel=3)  # fmt: skip
    remove = _trend_remover(name, detrend, axis, ndim)
    transform = fft.fft if two_sided else fft.rfft
    of = lambda v: transform(remove(_segments(v, nperseg, step)) * window, nfft)
    first = of(x)
    power = (abs(window) ** 2).sum() * fs if scaling == "density" else abs(window.sum()) ** 2
    if scaling == "stft":
        out = first / power**0.5
    else:
        out = (conj(first) * (first if y is None else of(y))) / power
        if not two_sided:
            # The other half of the spectrum is the same; but 0, and half of fs, stand alone.
            twice = np.full(out.shape[-1], 2.0)
            twice[0] = 1.0
            twice[-1] = 1.0 if nfft % 2 == 0 and nfft > 1 else twice[-1]
            out = out * Array(twice.astype(real))
        out = out.real if y is None else out
    times = (nperseg / 2 + Array(np.arange(out.shape[-2]) * float(step))) / fs
    times = times if boundary is None else times - (nperseg / 2) / fs
    frequencies = (fft.fftfreq if two_sided else fft.rfftfreq)(nfft, 1 / fs)
    out = moveaxis(moveaxis(out, -1, -2), -2, axis)
    return frequencies.astype(real), times.astype(real), out


def stft(x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: Any = 256, noverlap: Any = None,
         nfft: Any = None, detrend: Any = False, return_onesided: bool = True,
         boundary: str | None = "zeros", padded: bool = True,
         axis: int = -1) -> tuple[Any, Any, Any]:  # fmt: skip
    """Compute the short-time Fourier transform: that of each of many overlapping segments.

    Args:
        x: the signal.
        fs: how many samples there are in a unit of time.
        window: its name, as of `scipy.signal.get_window`, a tuple of a name and parameters, or an
            array.
        nperseg: the length of a segment.
        noverlap: how much of it belongs to the next one as well; half of it by default.
        nfft: the length of a transform; `nperseg` by default, more is filled with zeros.
        detrend: what is subtracted from each segment: its mean ("constant"), a line ("linear"), or
            nothing (False); or a function of segments.
        return_onesided: leave negative frequencies out, for real signals.
        boundary: how the signal is extended by half a segment at both ends: "zeros", "constant",
            "even", "odd" or None.
        padded: whether it is filled with zeros up to a whole number of segments.
        axis: the axis of time.

    Returns:
        `(frequencies, times, transforms)`. The axis of time gives that of frequencies, and that of
        segments is the last one.

    Raises:
        ValueError: for sizes that do not fit, or an unknown option.

    Examples:
        >>> import diffeo as dx
        >>> stft(dx.numpy.arange(8.0), nperseg=4)[2].shape
        (3, 5)
    """
    return _spectra("stft", x, None, fs, window, nperseg, noverlap, nfft, detrend,
                    return_onesided, "stft", axis, boundary, padded)  # fmt: skip


def csd(x: ArrayLike, y: ArrayLike | None, fs: Any = 1.0, window: Any = "hann", nperseg: Any = None,
        noverlap: Any = None, nfft: Any = None, detrend: Any = "constant",
        return_onesided: bool = True, scaling: str = "density", axis: int = -1,
        average: str = "mean") -> tuple[Any, Any]:  # fmt: skip
    """Estimate the cross power spectral density of two signals by Welch's method.

    Args:
        x, y: the signals; the shorter one is filled with zeros. With y None, as `welch`.
        fs, window, noverlap, nfft, detrend, return_onesided, axis: as of `stft`.
        nperseg: the length of a segment, 256 by default.
        scaling: "density" (power in a unit of frequency) or "spectrum" (power).
        average: of the segments: "mean" or "median".

    Returns:
        `(frequencies, densities)`; the densities have frequencies in place of the axis of time.

    Raises:
        ValueError: for shapes and sizes that do not fit, or an unknown option.
    """
    if average not in ("mean", "median"):
        raise no_such("csd", "average", average, ("mean", "median"))
    frequencies, _, out = _spectra("csd", x, y, fs, window, nperseg, noverlap, nfft, detrend,
                                   return_onesided, scaling, axis)  # fmt: skip
    if out.ndim < 2 or not out.size:
        return frequencies, out
    if out.shape[-1] == 1:
        return frequencies, out[..., 0]
    if average == "mean":
        return frequencies, mean(out, -1)
    # The median of an exponential variable is less than its mean.
    even = np.arange(2.0, out.shape[-1], 2)
    bias = float(1 + np.sum(1 / (even + 1) - 1 / even))
    if is_complex(out.dtype):
        return frequencies, (median(out.real, -1) + 1j * median(out.imag, -1)) / bias
    return frequencies, median(out, -1) / bias


def welch(x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: Any = None, noverlap: Any = None,
          nfft: Any = None, detrend: Any = "constant", return_onesided: bool = True,
          scaling: str = "density", axis: int = -1,
          average: str = "mean") -> tuple[Any, Any]:  # fmt: skip
    """Estimate the power spectral density of a signal by Welch's method.

    The squares of the transforms of overlapping segments are averaged. Arguments, results and
    errors are those of `csd`.

    Examples:
        >>> import diffeo as dx
        >>> frequencies, power = welch(dx.numpy.cos(dx.numpy.arange(64.0)), nperseg=16)
        >>> frequencies[dx.numpy.argmax(power)]
        Array(0.1875)
    """
    frequencies, out = csd(x, None, fs, window, nperseg, noverlap, nfft, detrend,
                           return_onesided, scaling, axis, average)  # fmt: skip
    return frequencies, out.real


def istft(Zxx: ArrayLike, fs: Any = 1.0, window: Any = "hann", nperseg: Any = None,
          noverlap: Any = None, nfft: Any = None, input_onesided: bool = True,
          boundary: bool = True, time_axis: int = -1,
          freq_axis: int = -2) -> tuple[Any, Any]:  # fmt: skip
    """Compute a signal of its short-time Fourier transform.

    Args:
        Zxx: the transforms of segments.
        fs, window, noverlap: as they were given to `stft`.
        nperseg, nfft: the same; by default, they follow from the shape.
        input_onesided: whether negative frequencies were left out.
        boundary: whether the signal was extended at both ends.
        time_axis, freq_axis: the axes of segments and of frequencies.

    Returns:
        `(times, signal)`; the signal has time in place of the axis of segments.

    Raises:
        ValueError: for sizes that do not fit, or axes that are one.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([1.0, 2.0, 3.0, 2.0, 1.0, 4.0, 1.0, 2.0])
        >>> istft(stft(x, nperseg=4)[2])[1].round(12)
        Array([1., 2., 3., 2., 1., 4., 1., 2.])
    """
    z = arr(to_inexact(asarray(Zxx)))
    if z.ndim < 2:
        raise with_user_line(ValueError(f"istft: needs two axes or more, got shape {z.shape}"))
    times, rows = axis_of(time_axis, z.ndim, "istft"), axis_of(freq_axis, z.ndim, "istft")
    if times == rows:
        raise with_user_line(ValueError(f"istft: time_axis and freq_axis are both {times}"))
    z = z.astype(complex_dtype(z.dtype))
    default = 2 * (z.shape[rows] - 1) if input_onesided else z.shape[rows]
    nperseg = default if nperseg is None else static_int(nperseg, "istft", "nperseg")
    if nperseg < 1:
        raise with_user_line(ValueError(f"istft: nperseg must be positive, got {nperseg}"))
    if nfft is None:
        nfft = default + (input_onesided and nperseg == default + 1)
    nfft = static_int(nfft, "istft", "nfft")
    noverlap = nperseg // 2 if noverlap is None else static_int(noverlap, "istft", "noverlap")
    _check_sizes("istft", nperseg, noverlap, nfft)
    z = moveaxis(z, (rows, times), (-1, -2))
    parts = (fft.irfft if input_onesided else fft.ifft)(z, nfft)[..., :nperseg]
    window = _window("istft", window, nperseg, np.dtype(parts.real.dtype))
    step = nperseg - noverlap
    x = _added(parts * (window * window.sum()), step)
    weights = _added(broadcast_to(window * window, (parts.shape[-2], nperseg)), step)
    if boundary:
        half, end = nperseg // 2, x.shape[-1] - nperseg // 2
        x, weights = x[..., half:end], weights[half:end]
    seen = abs(weights) > 1e-10
    flags = known(seen)
    if flags is not None and not flags.all():
        warnings.warn("istft: windows do not overlap enough, so the signal may be wrong",
                      UserWarning, stacklevel=2)  # fmt: skip
    x = x / where(seen, weights, 1.0)
    moments = Array(np.arange(x.shape[-1], dtype=x.real.dtype)) / fs
    return moments, moveaxis(x, -1, times - (rows < times)) if x.ndim > 1 else x


def _added(parts: Value, step: int) -> Any:
    """Add segments [..., segments, n] up, each `step` later than the one before."""
    count, n = parts.shape[-2:]
    pieces = math.ceil(n / step)
    parts = pad(parts, [(0, 0)] * (parts.ndim - 1) + [(0, pieces * step - n)])
    parts = parts.reshape((*parts.shape[:-2], count, pieces, step))
    total: Any = 0
    # Piece j of segment i belongs to the place i + j.
    for j in range(pieces):
        piece = parts[..., j, :]
        widths = [(0, 0)] * (piece.ndim - 2) + [(j, pieces - 1 - j), (0, 0)]
        total = total + pad(piece, widths)
    out = total.reshape((*total.shape[:-2], -1))
    return slice_in_dim(out, 0, step * (count - 1) + n, 1, out.ndim - 1)
