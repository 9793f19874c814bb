"""Helpers of autograd's: trees as vectors, optimisers, fixed points."""

from .flatten import flatten
from .tracers import const_graph

__all__ = ["const_graph", "flatten"]
