"""The errors of tracing (what a program raises that uses a traced value where it cannot), of memory
that runs out, and the warnings of the compilation cache.
"""

from .primitives.support.errors import (
    CacheWarning,
    ConcretizationTypeError,
    ForwardModeError,
    OutOfMemoryError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
    UnexpectedTracerError,
)

__all__ = [
    "CacheWarning",
    "ConcretizationTypeError",
    "ForwardModeError",
    "OutOfMemoryError",
    "TracerArrayConversionError",
    "TracerBoolConversionError",
    "TracerIntegerConversionError",
    "UnexpectedTracerError",
]
