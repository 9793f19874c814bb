"""SciPy's functions on diffeo's arrays."""

from . import fft, linalg, special

__all__ = ["fft", "linalg", "special"]
