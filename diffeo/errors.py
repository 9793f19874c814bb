"""The errors and warnings that diffeo defines.

Most are errors of tracing: a function uses a traced value where it cannot. `OutOfMemoryError` is
raised when memory runs out, and `CacheWarning` is the warning of the compilation cache.
"""

from ._loading import Late as _Late
from .lowering.compat import XlaError
from .primitives.support.errors import (
    CacheWarning,
    ConcretizationTypeError,
    ForwardModeError,
    JAXIndexError,
    JaxprTypeError,
    JAXTypeError,
    KeyReuseError,
    MismatchError,
    NonConcreteBooleanIndexError,
    OutOfMemoryError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
    TypePromotionError,
    UnexpectedTracerError,
)

__all__ = [
    "CacheWarning",
    "ConcretizationTypeError",
    "ForwardModeError",
    "JAXIndexError",
    "JAXTypeError",
    "JaxRuntimeError",
    "JaxprTypeError",
    "NonConcreteBooleanIndexError",
    "MismatchError",
    "KeyReuseError",
    "OutOfMemoryError",
    "TracerArrayConversionError",
    "TracerBoolConversionError",
    "TracerIntegerConversionError",
    "TypePromotionError",
    "UnexpectedTracerError",
]

#: What XLA raises where a compiled program cannot be compiled or fails.
JaxRuntimeError = XlaError

__getattr__ = _Late(__name__, "").load
