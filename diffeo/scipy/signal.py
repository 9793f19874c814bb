"""Signals, with the names and conventions of scipy.signal and jax.scipy.signal.

`convolving.py` has convolutions, correlations and trends, `spectral.py` what is made of Fourier
transforms of windows.
"""

from .convolving import convolve, convolve2d, correlate, correlate2d, detrend, fftconvolve
from .spectral import csd, istft, stft, welch

__all__ = [
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "csd",
    "detrend",
    "fftconvolve",
    "istft",
    "stft",
    "welch",
]
