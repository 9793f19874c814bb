"""Geometry, with the names and conventions of scipy.spatial and jax.scipy.spatial."""

from . import transform

__all__ = ["transform"]
