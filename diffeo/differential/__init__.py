"""Differential operators: Laplacian, divergence, curl, and any linear operator written in `D(i)`.

None of them builds a Hessian. They sum derivatives along directions, which collapsed Taylor mode
(`diffeo.transforms.taylor.collapsed`) computes in one pass. The package `diffeo` has all these
names, too.

`operators.py` has the functions of scalars, `fields.py` those of vector fields. Both describe what
they need as a `Family` of directions and hand it to a `Point` (`point.py`): start reading there.
`algebra.py` and `families.py` turn expressions in `D` into families.
"""

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
