"""Primitives that are defined as jax's documentation shows it: `diffeo.extend.core`.

The rules are given through `diffeo.interpreters`. A primitive of diffeo's own kind is shorter: see
`dx.Primitive`.
"""

from .._loading import Late as _Late

_late = _Late(__name__, ".: core linear_util")
__getattr__, __dir__ = _late.load, _late.listed

__all__ = [*_late.names]  # pyright: ignore[reportUnsupportedDunderAll]
