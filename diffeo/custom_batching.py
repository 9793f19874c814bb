"""Functions that are vectorised by rules of the user's."""

from .api.custom import custom_vmap

__all__ = ["custom_vmap"]
