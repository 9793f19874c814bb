"""Programs of other libraries: jax's modules served by diffeo (`as_jax`)."""

from .._loading import Late as _Late

_late = _Late(__name__, ".serving.serve: as_jax")
__getattr__, __dir__ = _late.load, _late.listed

__all__ = [*_late.names]  # pyright: ignore[reportUnsupportedDunderAll]
