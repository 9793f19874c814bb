"""Trees: nested containers with arrays as leaves. The names are those of `jax.tree`."""

from .trees.tree import *  # noqa: F403  (the module lists its names)
from .trees.tree import __all__ as __all__
