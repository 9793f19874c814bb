"""Trees: nested containers with arrays as leaves. The names are those of `jax.tree`."""

from .transforms.tree import *  # noqa: F403  (the module lists its names)
from .transforms.tree import __all__ as __all__
