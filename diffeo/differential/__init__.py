"""Differential operators without Hessians, by collapsed Taylor mode. `dx` has all these names."""

from .algebra import D, Operator
from .fields import curl, directional, divergence, weighted_laplacian
from .operators import (
    ForwardLaplacian,
    bilaplacian,
    differential_operator,
    forward_laplacian,
    laplacian,
)
from .tensors import derivative_tensor

__all__ = [
    "D",
    "ForwardLaplacian",
    "Operator",
    "bilaplacian",
    "curl",
    "derivative_tensor",
    "differential_operator",
    "directional",
    "divergence",
    "forward_laplacian",
    "laplacian",
    "weighted_laplacian",
]
