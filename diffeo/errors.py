"""The errors and warnings that diffeo defines.

Most are errors of tracing: a function uses a traced value where it cannot. `OutOfMemoryError` is
raised when memory runs out, and `CacheWarning` is the warning of the compilation cache.
"""

from .primitives.support.errors import (
    CacheWarning,
    ConcretizationTypeError,
    ForwardModeError,
    KeyReuseError,
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
    "KeyReuseError",
    "OutOfMemoryError",
    "TracerArrayConversionError",
    "TracerBoolConversionError",
    "TracerIntegerConversionError",
    "UnexpectedTracerError",
]
