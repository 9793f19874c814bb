"""SciPy's functions on diffeo's arrays."""

from . import fft, linalg, signal, special

__all__ = ["fft", "linalg", "signal", "special"]
