"""Functions that are vectorised by rules of the user's."""

from .api.custom_vmap import custom_vmap, sequential_vmap

__all__ = ["custom_vmap", "sequential_vmap"]
