"""Tables of rules for primitives of `diffeo.extend`, with the names of `jax.interpreters`."""

from .._loading import Late as _Late

_late = _Late(__name__, ".: ad batching mlir partial_eval xla")
__getattr__, __dir__ = _late.load, _late.listed

__all__ = [*_late.names]  # pyright: ignore[reportUnsupportedDunderAll]
