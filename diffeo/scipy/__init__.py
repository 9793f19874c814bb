"""SciPy's functions on diffeo's arrays, with SciPy's module names."""

from . import fft, linalg, signal, special

__all__ = ["fft", "linalg", "signal", "special"]
