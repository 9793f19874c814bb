"""SciPy's functions on diffeo's arrays."""

from . import fft, special

__all__ = ["fft", "special"]
