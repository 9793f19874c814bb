"""Sparse systems, with the names and conventions of scipy.sparse and jax.scipy.sparse."""

from . import linalg

__all__ = ["linalg"]
