"""Clusters, with the names and conventions of scipy.cluster and jax.scipy.cluster."""

from . import vq

__all__ = ["vq"]
