"""The errors of tracing: what a program raises that uses a traced value where it cannot."""

from .primitives.errors import (
    ConcretizationTypeError,
    ForwardModeError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
    UnexpectedTracerError,
)

__all__ = [
    "ConcretizationTypeError",
    "ForwardModeError",
    "TracerArrayConversionError",
    "TracerBoolConversionError",
    "TracerIntegerConversionError",
    "UnexpectedTracerError",
]
