"""The errors of tracing. Their messages say what to do."""

from __future__ import annotations


class JAXTypeError(TypeError):
    """A type that does not fit: the base of what tracing raises."""


class JAXIndexError(IndexError):
    """An index that does not fit."""


class TypePromotionError(ValueError, TypeError):
    """Operands have no common dtype."""


class JaxprTypeError(TypeError):
    """A program is not well-typed: `dx.check_jaxpr` says where."""


class ConcretizationTypeError(JAXTypeError):
    """A traced value was used where a concrete one is needed (as a size, an axis, a Python
    number).
    """


class TracerBoolConversionError(ConcretizationTypeError):
    """A traced value was used as a Python bool: in `if`, `while`, `and`, `or`, `not`, `assert`."""


class TracerIntegerConversionError(ConcretizationTypeError):
    """A traced value was used as a Python integer: as an index of a list, in `range(...)`."""


class TracerArrayConversionError(ConcretizationTypeError):
    """A traced value was handed to code that needs a real NumPy array."""


class NonConcreteBooleanIndexError(JAXIndexError, ConcretizationTypeError):
    """A traced boolean array was used as an index: the shape of the result depends on it."""


class UnexpectedTracerError(RuntimeError):
    """A traced value outlived the transformation that made it: it leaked."""


class MismatchError(TypeError, ValueError):
    """Values do not have the structure, shape or dtype of what they belong to: the cotangents of a
    result, say, or what a rule returns. It is caught as a TypeError and as a ValueError.
    """


class ForwardModeError(TypeError):
    """Forward mode was asked of a function that has a rule for reverse mode only, which is not
    linear.
    """


class KeyReuseError(ValueError):
    """A key of random numbers is used twice; raised only where `dx.config.debug_key_reuse` asks for
    it.
    """


class OutOfMemoryError(MemoryError, RuntimeError):
    """A compiled program, or compiling it, needs more memory than there is. The message says for
    what.
    """


class CacheWarning(RuntimeWarning):
    """The cache of compiled programs on disk, or an entry of it, cannot be used. Computations go on
    without it.
    """
