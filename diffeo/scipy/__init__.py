"""SciPy's functions on diffeo's arrays."""

from . import special

__all__ = ["special"]
