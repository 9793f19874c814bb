"""Small libraries that JAX ships as examples, by its names: optimisers, and layers of networks.

Examples:
    >>> import diffeo as dx
    >>> from diffeo.example_libraries import optimizers
    >>> init, update, params = optimizers.sgd(0.1)
    >>> params(update(0, 2.0, init(1.0)))
    0.8
"""

from .._loading import Late as _Late

_late = _Late(__name__, ".: optimizers stax")
__getattr__, __dir__ = _late.load, _late.listed
__all__ = _late.names  # pyright: ignore[reportUnsupportedDunderAll]
