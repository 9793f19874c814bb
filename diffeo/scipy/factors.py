"""Decompositions: QR, Hessenberg's form, eigenvalues, singular values, and what follows from
them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..numpy import linalg as nl
from ..numpy.common import arr, no_such, same_dtype
from ..numpy.shaping import broadcast_to
from ..numpy.ufuncs import where
from ..primitives import elementwise as e
from ..primitives.core import with_user_line
from ..primitives.hessenberg import Hessenberg
from ..primitives.linalg import Cholesky, TriangularSolve, conjugate, hermitian
from ..primitives.matrices import adjoint, flipped, places, upper_triangle
from ..primitives.operators import broadcast_shapes
from ..primitives.qr import Geqrf, HouseholderProduct, Qr, with_columns
from ..primitives.qr import qr as _qr
from ..primitives.reduction import reduce_max
from ..primitives.slicing import pad, slice_in_dim
from ..primitives.structural import convert_element_type, expand_dims
from .common import matrices

__all__ = ["eigh", "eigh_tridiagonal", "eigvalsh", "hessenberg", "null_space", "orth", "pinv",
           "pinvh", "polar", "qr", "qr_multiply", "svd", "svdvals"]


def qr(a: Any, overwrite_a: bool = False, lwork: Any = None, mode: str = "full",
       pivoting: bool = False, check_finite: bool = True) -> tuple[Any, ...]:  # fmt: skip
    """The QR decomposition a = q r, with orthonormal columns of q and upper triangular r.

    Args:
        a: [..., m, n].
        mode: "full": q is [..., m, m]; "economic": q has only the first k columns and r the first
            k rows, k the smaller of m and n; "r": only r.
        pivoting: exchange columns so that the diagonal of r decreases; then the order p of columns
            is returned too, with a[:, p] = q r.
        overwrite_a, lwork, check_finite: of no influence.

    Returns:
        `(q, r)`, `(r,)`, or these with `p`, int32[..., n], at the end.

    Raises:
        ValueError: for another mode.

    Examples:
        >>> import diffeo as dx
        >>> q, r = qr(dx.numpy.array([[3.0, 1.0], [4.0, 2.0]]))
        >>> r
        Array([[-5. , -2.2],
               [ 0. ,  0.4]])
    """
    if mode not in ("full", "economic", "r"):
        raise no_such("qr", "mode", mode, ("full", "economic", "r"))
    x = matrices("qr", a, square=False)
    q, r, *order = _qr(x, mode == "full", pivoting)
    if mode == "full":
        m, n = x.shape[-2:]
        r = pad(r, [0] * r.ndim, [*[0] * (r.ndim - 2), m - r.shape[-2], 0])
    return (r, *order) if mode == "r" else (q, r, *order)
