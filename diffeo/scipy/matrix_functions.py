"""Functions of square matrices: exponential, logarithm, roots, and Sylvester's equation.

Their derivatives do not go through eigenvalues and eigenvectors, so they are right, to any order,
also where eigenvalues are equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..numpy.common import known, same_dtype
from ..numpy.linalg import solve
from ..numpy.shaping import broadcast_to
from ..numpy.ufuncs import where
from ..primitives import elementwise as e
from ..primitives.core import with_user_line
from ..primitives.families import full
from ..primitives.linalg import TriangularSolve
from ..primitives.matrices import adjoint, diagonal, flipped, lower_triangle, places, upper_triangle
from ..primitives.operators import broadcast_shapes
from ..primitives.reduction import reduce_max, reduce_min
from ..primitives.schur import Schur, TriangularSylvester, pair_rotations
from ..primitives.structural import convert_element_type, expand_dims, reduce_sum
from ..primitives.sylvester import MatrixSqrt, Sylvester
from ..primitives.types import complex_dtype, is_complex
from ..transforms.jvp import jvp
from .common import matrices, to_complex

__all__ = ["expm", "expm_frechet", "fractional_matrix_power", "funm", "logm", "rsf2csf", "schur",
           "solve_sylvester", "sqrtm"]

#: By the size of the dtype: the largest norm at which the approximation of the exponential is exact
#: to rounding, and the coefficients of its numerator (Higham 2005, "The scaling and squaring method
#: for the matrix exponential revisited", table 2.3).
_PADE = {
    8: (5.371920351148152,
        (64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
         129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
         40840800.0, 960960.0, 16380.0, 182.0, 1.0)),
    4: (3.925724783138660,
        (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0)),
}
#: The points and weights with which the logarithm is approximated by quotients, and the largest
#: norm of x - 1 for which that is exact to rounding (Higham 2008, "Functions of Matrices", 11.4).
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_NEAR, _ROOTS = 0.47, 14


def _one_norm(x: Any) -> Any:
    """The largest sum of sizes in a column, as a constant of differentiation."""
    sums = reduce_sum(e.absolute.bind(e.stop_gradient(x)), (x.ndim - 2,))
    return reduce_max(sums, (sums.ndim - 1,)) if x.shape[-1] else full(x.shape[:-2], 0.0, sums.dtype)


def _ones_like(x: Any) -> Any:
    """Identity matrices."""
    rows, columns = places(x)
    return convert_element_type(rows == columns, x.dtype)


def _for_each(flags: Any) -> Any:
    """One flag or number for each matrix, as matrices."""
    return expand_dims(flags, (flags.ndim, flags.ndim + 1))


def expm(A: Any, *, upper_triangular: bool = False, max_squarings: int = 16) -> Any:
    """The matrix exponential, by scaling and squaring.

    It is a(A / 2**s)**(2**s) with a quotient a of polynomials of degree 13 (7 in float32) and s so
    large that a is exact to rounding (Al-Mohy and Higham 2009, "A new scaling and squaring
    algorithm for the matrix exponential").

    Args:
        A: [..., n, n]; integers are made floating-point.
        upper_triangular: the matrices are known to be so; faster.
        max_squarings: the largest s; the result is nan where more were needed.

    Returns:
        [..., n, n] of the dtype of A.

    Raises:
        ValueError: for matrices that are not square.

    Examples:
        >>> import diffeo as dx
        >>> expm(dx.numpy.array([[0.0, 1.0], [0.0, 0.0]]))
        Array([[1., 1.],
               [0., 1.]])
    """
    x = matrices("expm", A)
    if not x.size:
        return x
    largest, coefficients = _PADE[8 if x.dtype in (np.float64, np.complex128) else 4]
    times = e.ceil.bind(e.log.bind(_one_norm(x) / largest) / math.log(2.0))
    times = e.select(times > 0.0, times, times * 0.0)
    times = where(times == -math.inf, 0.0, times)
    x = x * convert_element_type(_for_each(e.exp2.bind(-times)), x.dtype)
    even, odd = _polynomials(coefficients, x)
    divide = TriangularSolve(uplo="U").bind if upper_triangular else solve
    out = divide(even - odd, even + odd)
    needed = known(times)
    most = max_squarings
    if needed is not None:  # squarings that are not needed cost time only while a program is traced
        most = min(most, int(np.max(needed, initial=0.0))) if np.all(np.isfinite(needed)) else 0
    for k in range(most):
        out = where(_for_each(times > k), out @ out, out)
    return where(_for_each(times <= max_squarings), out, math.nan)


def _polynomials(coefficients: Any, x: Any) -> tuple[Any, Any]:
    """The even and the odd part of a polynomial of matrices, of degree 7 or 13."""
    one, square = _ones_like(x), x @ x
    powers = [one, square, square @ square]
    powers.append(powers[2] @ square)

    def part(first: int) -> Any:
        low = sum([c * p for c, p in zip(coefficients[first:8:2], powers)], 0.0)
        if len(coefficients) == 8:
            return low
        high = sum([c * p for c, p in zip(coefficients[8 + first :: 2], powers[1:])], 0.0)
        return powers[3] @ high + low

    return part(0), x @ part(1)
