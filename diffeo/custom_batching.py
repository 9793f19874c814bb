"""Functions that are vectorised by rules of one's own."""

from .api.custom import custom_vmap

__all__ = ["custom_vmap"]
