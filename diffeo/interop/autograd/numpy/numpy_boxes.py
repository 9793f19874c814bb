"""`ArrayBox`, the class of traced arrays, for `isinstance` alone."""

from ..machinery.tracing import Box as ArrayBox

__all__ = ["ArrayBox"]
