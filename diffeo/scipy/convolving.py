"""Convolutions and correlations of arrays with any number of axes, with scipy.signal's names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..numpy import fft
from ..numpy.common import arr, axes_of, axis_of, no_such, same_dtype, static_int
from ..numpy.contracting.convolving import correlate_padded
from ..numpy.contracting.precision import precision_of
from ..numpy.contracting.products import tensordot
from ..numpy.places.padding import pad
from ..numpy.reducing.reductions import mean
from ..numpy.ufuncs import conj
from ..primitives.array import Array
from ..primitives.core import Value, with_user_line
from ..primitives.types import is_complex
from ..primitives.words.promotion import to_inexact
from ..primitives.words.slicing import concatenate, rev, slice_in_dim
from ..primitives.words.structural import broadcast_in_dim, move_axis, reshape
from ..typing import ArrayLike

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "detrend", "fftconvolve"]

MODES = ("full", "same", "valid")


def _pair(name: str, in1: Any, in2: Any, mode: str, ndim: int | None = None) -> tuple[Any, Any]:
    """Return two arrays of one inexact dtype, with elements and as many axes.

    If `ndim` is given, it is the number of axes.
    """
    if mode not in MODES:
        raise no_such(name, "mode", mode, MODES)
    x, y = (arr(to_inexact(v)) for v in same_dtype(in1, in2))
    if x.ndim != y.ndim or (ndim is not None and x.ndim != ndim) or not x.size or not y.size:
        axes = "as many axes" if ndim is None else f"{ndim} axes"
        raise with_user_line(
            ValueError(
                f"{name}: expects two arrays with elements and {axes}, got {x.aval} and {y.aval}"
            )
        )
    return x, y


def _all(x: Value) -> tuple[int, ...]:
    """Return all axes of an array."""
    return tuple(range(x.ndim))


def _inside(name: str, x: Value, y: Value, axes: Sequence[int]) -> bool:
    """Return whether `y` fits into `x` along axes; an error if neither fits into the other."""
    if all([x.shape[a] >= y.shape[a] for a in axes]):
        return True
    if all([x.shape[a] <= y.shape[a] for a in axes]):
        return False
    raise with_user_line(
        ValueError(
            f"{name}: for mode 'valid' one array must fit into the other along every axis, got "
            "shapes "
            f"{x.shape} and {y.shape}"
        )
    )


def _edges(y: Value, mode: str, late: bool) -> list[tuple[int, int]]:
    """Return how far windows of the size of `y` reach beyond both ends of each axis.

    Windows of an even size have no middle: `late` says that they reach farther at the end.
    """
    if mode == "full":
        return [(n - 1, n - 1) for n in y.shape]
    return [((n - late) // 2, (n - (not late)) // 2) for n in y.shape]


def _direct(name: str, x: Value, y: Value, mode: str, precision: Any, late: bool = False) -> Any:
    """Convolve by sums over windows of the larger array."""
    options = precision_of(name, precision), None
    if mode == "valid":
        x, y = (x, y) if _inside(name, x, y, _all(x)) else (y, x)
        return correlate_padded(x, rev(y, _all(y)), [(0, 0)] * x.ndim, options)
    if mode == "full" and x.size < y.size:
        x, y = y, x
    return correlate_padded(x, rev(y, _all(y)), _edges(y, mode, late), options)


def convolve(
    in1: Any, in2: Any, mode: str = "full", method: str = "auto", precision: Any = None
) -> Any:
    """Convolve two arrays.

    Args:
        in1, in2: arrays with as many axes.
        mode: 'full', 'same' (the middle of it, of the shape of in1), or 'valid' (where one array is
            all inside the other).
        method: 'direct' and 'auto' add products up, 'fft' is `fftconvolve`.
        precision: as of `diffeo.lax.dot_general`.

    Raises:
        ValueError: for shapes that do not fit, or an unknown mode or method.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([[1.0, 2.0], [3.0, 4.0]])
        >>> convolve(x, dx.numpy.ones((1, 2)))
        Array([[1., 3., 2.],
               [3., 7., 4.]])
    """
    if method == "fft":
        return fftconvolve(in1, in2, mode)
    if method not in ("auto", "direct"):
        raise no_such("convolve", "method", method, ("auto", "direct", "fft"))
    return _direct("convolve", *_pair("convolve", in1, in2, mode), mode, precision)


def correlate(
    in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto", precision: Any = None
) -> Any:
    """Compute the cross-correlation, the convolution with in2 reversed and conjugated.

    Arguments as `convolve` has.
    """
    x, y = _pair("correlate", in1, in2, mode)
    return convolve(x, conj(rev(y, _all(y))), mode, method, precision)


def _bounded(
    name: str,
    x: Value,
    y: Value,
    mode: str,
    boundary: str,
    fillvalue: Any,
    precision: Any,
    late: bool = False,
) -> Any:
    """Convolve matrices beyond whose ends stand numbers, other copies, or reflections.

    Arguments are as of `convolve2d`; `late` as of `_edges`.
    """
    fill = not isinstance(fillvalue, (int, float)) or fillvalue != 0
    if boundary not in ("fill", "wrap", "symm"):
        raise no_such(name, "boundary", boundary, ("fill", "wrap", "symm"))
    if (boundary == "fill" and not fill) or mode == "valid":
        return _direct(name, x, y, mode, precision, late)
    edges = _edges(y, mode, late)
    if boundary == "fill":
        x = pad(x, edges, constant_values=fillvalue)
    else:
        x = pad(x, edges, mode={"wrap": "wrap", "symm": "symmetric"}[boundary])
    options = precision_of(name, precision), None
    return correlate_padded(x, rev(y, _all(y)), [(0, 0)] * x.ndim, options)


def convolve2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
    precision: Any = None,
) -> Any:
    """Convolve two matrices; `boundary` says what stands beyond the ends of in1.

    Args:
        in1, in2, mode, precision: as of `convolve`.
        boundary: 'fill' (`fillvalue`), 'wrap' (in1 again), 'symm' (its mirror image).
        fillvalue: for 'fill'.

    Raises:
        ValueError: as `convolve`, or for an unknown boundary.
    """
    x, y = _pair("convolve2d", in1, in2, mode, 2)
    return _bounded("convolve2d", x, y, mode, boundary, fillvalue, precision)


def correlate2d(
    in1: ArrayLike,
    in2: ArrayLike,
    mode: str = "full",
    boundary: str = "fill",
    fillvalue: Any = 0,
    precision: Any = None,
) -> Any:
    """Compute the cross-correlation of two matrices.

    It is `convolve2d` with in2 reversed and conjugated.
    """
    x, y = _pair("correlate2d", in1, in2, mode, 2)
    y = conj(rev(y, (0, 1)))
    return _bounded("correlate2d", x, y, mode, boundary, fillvalue, precision, True)


def fftconvolve(in1: ArrayLike, in2: ArrayLike, mode: str = "full", axes: Any = None) -> Any:
    """Convolve by Fourier transforms, which is faster for two large arrays.

    Args:
        in1, in2, mode: as of `convolve`.
        axes: along which; the others broadcast.

    Raises:
        ValueError: as `convolve`.

    Examples:
        >>> import diffeo as dx
        >>> fftconvolve(dx.numpy.array([1.0, 2.0]), dx.numpy.array([1.0, 1.0])).round(12)
        Array([1., 3., 2.])
    """
    x, y = _pair("fftconvolve", in1, in2, mode)
    along = axes_of(axes, x.ndim, "fftconvolve")
    if mode == "valid" and not _inside("fftconvolve", x, y, along):
        x, y = y, x
    sizes = [x.shape[a] + y.shape[a] - 1 for a in along]
    forward, back = (fft.fftn, fft.ifftn) if is_complex(x.dtype) else (fft.rfftn, fft.irfftn)
    out = (
        x * y
        if not sizes
        else back(forward(x, sizes, along) * forward(y, sizes, along), sizes, along)
    )
    for a, full in zip(along, sizes):
        size = {"full": full, "same": x.shape[a], "valid": x.shape[a] - y.shape[a] + 1}[mode]
        start = (full - size) // 2
        out = slice_in_dim(out, start, start + size, 1, a)
    return out


def detrend(
    data: ArrayLike,
    axis: int = -1,
    type: str = "linear",
    bp: Any = 0,
    overwrite_data: bool | None = None,
) -> Any:
    """Subtract the mean along an axis, or the line of least squares.

    Args:
        data: numbers.
        axis: the axis.
        type: 'constant' or 'linear'.
        bp: for 'linear', places at which a new line begins.
        overwrite_data: taken and not needed.

    Raises:
        ValueError: for an unknown type, or places outside of the axis.

    Examples:
        >>> import diffeo as dx
        >>> detrend(dx.numpy.array([1.0, 2.0, 6.0]), type="constant")
        Array([-2., -1.,  3.])
    """
    x = arr(to_inexact(data))
    axis = axis_of(axis, x.ndim, "detrend")
    if type in ("constant", "c"):
        return x - mean(x, axis, keepdims=True)
    if type not in ("linear", "l"):
        raise no_such("detrend", "type", type, ("linear", "constant"))
    n = x.shape[axis]
    positions = bp if isinstance(bp, (Sequence, np.ndarray)) else [bp]
    ends = sorted({0, n, *[static_int(p, "detrend", "bp") for p in positions]})
    if ends[0] < 0 or ends[-1] > n:
        raise with_user_line(ValueError(f"detrend: bp={bp} must be within an axis of size {n}"))
    x = move_axis(x, axis, 0)
    parts = [_without_line(slice_in_dim(x, a, b)) for a, b in pairwise(ends)]
    return move_axis(concatenate(parts) if parts else x, 0, axis)


def _without_line(x: Value) -> Any:
    """Subtract the projection on constants and on lines, along the first axis."""
    n = x.shape[0]
    line = np.arange(n) - (n - 1) / 2
    basis = [np.full(n, 1 / math.sqrt(n))] + ([line / np.linalg.norm(line)] if n > 1 else [])
    for vector in basis:
        direction = Array(vector.astype(x.dtype))
        amount = reshape(tensordot(direction, x, ((0,), (0,))), (1, *x.shape[1:]))
        x = x - amount * broadcast_in_dim(direction, x.shape, (0,))
    return x
