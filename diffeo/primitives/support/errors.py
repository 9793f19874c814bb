"""The errors of tracing, with messages that say what to do."""

from __future__ import annotations


class ConcretizationTypeError(TypeError):
    """A traced value was used where a concrete one is needed (as a size, an axis, a Python
    number).
    """


class TracerBoolConversionError(ConcretizationTypeError):
    """A traced value was used as a Python bool: in `if`, `while`, `and`, `or`, `not`, `assert`."""


class TracerIntegerConversionError(ConcretizationTypeError):
    """A traced value was used as a Python integer: as an index of a list, in `range(...)`."""


class TracerArrayConversionError(ConcretizationTypeError):
    """A traced value was handed to code that wants a real NumPy array."""


class UnexpectedTracerError(RuntimeError):
    """A traced value outlived the transformation that made it: it leaked."""


class ForwardModeError(TypeError):
    """A function has a rule for reverse mode only, and it is no linear one: forward mode cannot use
    it.
    """


class OutOfMemoryError(MemoryError, RuntimeError):
    """A compiled program, or compiling it, needs more memory than there is; the message says what
    for.
    """


class CacheWarning(RuntimeWarning):
    """The cache of compiled programs on disk cannot be used, or not an entry of it. Computations
    go on without.
    """
