"""Window functions, and the Bessel function `i0`, of which Kaiser's window is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.types import default_dtype
from ..primitives.words.operators import unary
from ..primitives.words.promotion import to_inexact
from ..routines.special.bessel import GrowingBesselI
from ..typing import ArrayLike
from .common import arr, static_int


def _window(name: str, function: Callable, M: int) -> Array:
    """Return NumPy's window of M points as an Array."""
    return Array(function(static_int(M, name, "M")).astype(default_dtype(float)))


def bartlett(M: int) -> Any:
    """Return the triangular window of M points, 0 at its ends.

    Examples:
        >>> bartlett(5)
        Array([0. , 0.5, 1. , 0.5, 0. ])
    """
    return _window("bartlett", np.bartlett, M)


def blackman(M: int) -> Any:
    """Return Blackman's window of M points, 0.42 - 0.5 cos t + 0.08 cos 2t.

    Examples:
        >>> blackman(3)
        Array([-1.38777878e-17,  1.00000000e+00, -1.38777878e-17])
    """
    return _window("blackman", np.blackman, M)


def hamming(M: int) -> Any:
    """Return Hamming's window of M points, 0.54 - 0.46 cos t.

    Examples:
        >>> hamming(3)
        Array([0.08, 1.  , 0.08])
    """
    return _window("hamming", np.hamming, M)


def hanning(M: int) -> Any:
    """Return von Hann's window of M points, 0.5 - 0.5 cos t.

    Examples:
        >>> hanning(3)
        Array([0., 1., 0.])
    """
    return _window("hanning", np.hanning, M)


def kaiser(M: int, beta: Any) -> Any:
    """Return Kaiser's window of M points, i0(beta sqrt(1 - t**2)) / i0(beta).

    The window is differentiable by beta.

    Examples:
        >>> kaiser(3, 0.0)
        Array([1., 1., 1.])
    """
    count = static_int(M, "kaiser", "M")
    beta = arr(to_inexact(beta))
    if count == 1:
        return Array(np.ones(1, beta.dtype))
    t = np.linspace(-1.0, 1.0, count) if count > 0 else np.zeros(0)
    height = np.sqrt(np.maximum((1 - t) * (1 + t), 0.0)).astype(beta.dtype)
    return i0(Array(height) * beta) / i0(beta)


_i0 = unary(GrowingBesselI(0), True)


def i0(x: ArrayLike) -> Any:
    """Compute the modified Bessel function I_0(x).

    Raises:
        TypeError: for complex numbers.

    Examples:
        >>> i0(2.0)
        Array(2.2795853)
    """
    return _i0(x)
