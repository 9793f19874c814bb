"""Programs and arrays of other libraries, and diffeo's in theirs; jax's modules served by diffeo.

A module here is loaded when it is imported by its name, `import diffeo.interop.jax` say, and needs
the library that it is for.
"""

from .._loading import Late as _Late

_late = _Late(__name__, ".serving.serve: as_jax  .serving.autograd: as_autograd")
__getattr__, __dir__ = _late.load, _late.listed

__all__ = [*_late.names]  # pyright: ignore[reportUnsupportedDunderAll]
