"""Functions of square matrices: exponential, logarithm, roots, and Sylvester's equation.

Their derivatives do not go through eigenvalues and eigenvectors, so they are right, to any order,
also where eigenvalues are equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import legendre

from ..api.control_flow.conditionals import cond
from ..api.control_flow.loops import fori_loop
from ..api.derivatives.autodiff import jvp
from ..numpy.choosing import where
from ..numpy.common import no_such, same_dtype
from ..numpy.linalg.operands import matrices
from ..numpy.making.creation import array
from ..numpy.shaping import broadcast_to
from ..operations.identity import stop_gradient
from ..primitives.array import known
from ..primitives.constants import full
from ..primitives.core import Value, describe, with_user_line
from ..primitives.types import complex_dtype, is_complex
from ..primitives.words import elementwise as e
from ..primitives.words.powers import exp2
from ..primitives.words.promotion import broadcast_shapes
from ..primitives.words.reduction import reduce_max, reduce_min
from ..primitives.words.structural import convert_element_type, expand_dims, reduce_sum
from ..routines.matrices.linalg import TriangularSolve, solve
from ..routines.matrices.matrices import adjoint, diagonal, places, upper_triangle
from ..routines.matrices.schur import Schur, TriangularSylvester, pair_rotations
from ..routines.matrices.sylvester import MatrixSqrt, Sylvester
from ..typing import ArrayLike

__all__ = [
    "expm",
    "expm_frechet",
    "fractional_matrix_power",
    "funm",
    "logm",
    "rsf2csf",
    "schur",
    "solve_sylvester",
    "sqrtm",
]

#: By the size of the dtype: the largest norm at which the approximation of the exponential is exact
#: to rounding, and the coefficients of its numerator (Higham 2005, "The scaling and squaring method
#: for the matrix exponential revisited", table 2.3).
_PADE = {
    8: (
        5.371920351148152,
        (
            64764752532480000.0,
            32382376266240000.0,
            7771770303897600.0,
            1187353796428800.0,
            129060195264000.0,
            10559470521600.0,
            670442572800.0,
            33522128640.0,
            1323241920.0,
            40840800.0,
            960960.0,
            16380.0,
            182.0,
            1.0,
        ),
    ),
    4: (
        3.925724783138660,
        (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0),
    ),
}
#: The points and weights of Gauss-Legendre quadrature on [0, 1]: log(1 + y) is the integral of
#: y / (1 + t y) over these t, and so a sum of quotients.
_POINTS, _WEIGHTS = (0.5 * v + 0.5 * (k == 0) for k, v in enumerate(legendre.leggauss(10)))
#: The largest norm of x - 1 for which the sum is exact to rounding (Higham 2008, "Functions of
#: Matrices", 11.4), and how many square roots are taken at most to get there.
_NEAR, _ROOTS = 0.47, 12


def _to_complex(x: Value) -> Any:
    return convert_element_type(x, complex_dtype(x.dtype))


def _one_norm(x: Value) -> Any:
    """Return the largest sum of absolute values in a column, as a constant of differentiation."""
    sums = reduce_sum(e.absolute.bind(stop_gradient(x)), (x.ndim - 2,))
    return reduce_max(sums, (sums.ndim - 1,)) if x.size else full(x.shape[:-2], 0.0, sums.dtype)


def _ones_like(x: Value) -> Any:
    """Return identity matrices of the shape and dtype of `x`."""
    rows, columns = places(x)
    return convert_element_type(rows == columns, x.dtype)


def _for_each(flags: Value) -> Any:
    """Return one flag or number for each matrix as an array that broadcasts against matrices."""
    return expand_dims(flags, (flags.ndim, flags.ndim + 1))


def expm(A: Any, *, upper_triangular: bool = False, max_squarings: int = 16) -> Any:
    """Compute the matrix exponential, by scaling and squaring.

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
    x = matrices("expm", A, True)
    if not x.size:
        return x
    largest, coefficients = _PADE[8 if x.dtype in (np.float64, np.complex128) else 4]
    ratio = e.maximum.bind(_one_norm(x) / largest, 1.0)
    times = e.ceil.bind(e.log.bind(ratio) / math.log(2.0))
    x = x * convert_element_type(_for_each(exp2.bind(-times)), x.dtype)
    # The denominator is the numerator at -x, so both follow from its even and odd part.
    even, odd = _polynomials(coefficients, x)
    divide = TriangularSolve(uplo="U").bind if upper_triangular else solve
    out = divide(even - odd, even + odd)
    # Each matrix of a batch is squared as often as it needs; the others stay as they are.
    fits = times <= max_squarings
    times = where(fits, times, 0.0)
    square = lambda k, a: where(_for_each(times > k), a @ a, a)
    needed = known(times)
    if needed is None:
        # The numbers are traced. The loop has the fixed length `max_squarings`; `cond` skips the
        # steps that no matrix needs.
        most = reduce_max(times, range(times.ndim))
        step = lambda k, a: cond(most > k, square, lambda k, a: a, k, a)
        out = fori_loop(0, max_squarings, step, out)
    else:
        for k in range(int(np.max(needed, initial=0.0))):
            out = square(k, out)
    return where(_for_each(fits), out, math.nan)


def _polynomials(coefficients: Any, x: Value) -> tuple[Any, Any]:
    """Return the even and the odd part of a polynomial of matrices, of degree 7 or 13."""
    identity, square = _ones_like(x), x @ x
    powers = [identity, square, square @ square]
    powers.append(powers[2] @ square)

    # Of degree 13, the terms from x**8 on are x**6 times a polynomial in x**2: so x**6 is the
    # highest power that is needed.
    def part(first: int) -> Any:
        low = sum([c * p for c, p in zip(coefficients[first:8:2], powers)], 0.0)
        if len(coefficients) == 8:
            return low
        high = sum([c * p for c, p in zip(coefficients[8 + first :: 2], powers[1:])], 0.0)
        return powers[3] @ high + low

    return part(0), x @ part(1)


def expm_frechet(A: Any, E: Any, *, method: str | None = None, compute_expm: bool = True) -> Any:
    """Compute the derivative of the matrix exponential at `A` in the direction `E`.

    Args:
        A, E: [..., n, n].
        method: of no influence.
        compute_expm: return `expm(A)` as well.

    Returns:
        `(expm(A), derivative)`, or only the derivative.

    Raises:
        ValueError: for matrices that are not square, or shapes that differ.

    Examples:
        >>> import diffeo as dx
        >>> expm_frechet(dx.numpy.zeros((1, 1)), dx.numpy.ones((1, 1)), compute_expm=False)
        Array([[1.]])
    """
    x, v = same_dtype(matrices("expm_frechet", A, True), matrices("expm_frechet", E, True))
    if x.shape != v.shape:
        raise with_user_line(
            ValueError(f"expm_frechet: A and E need equal shapes, got {x.shape} and {v.shape}")
        )
    out, tangent = jvp(expm, (x,), (v,))
    return (out, tangent) if compute_expm else tangent


def sqrtm(A: ArrayLike, blocksize: int = 1) -> Any:
    """Compute the principal square root of a matrix.

    It is the matrix x with x @ x = A and eigenvalues in the right half plane. It is computed in
    Schur's form (Björck and Hammarling 1983); its derivative solves x dx + dx x = dA.

    Args:
        A: [..., n, n], invertible if a derivative is wanted; numbers, not only positive ones.
        blocksize: of no influence.

    Returns:
        [..., n, n], complex.

    Raises:
        ValueError: for matrices that are not square.

    Examples:
        >>> import diffeo as dx
        >>> sqrtm(dx.numpy.array([[4.0, 0.0], [0.0, -1.0]]))
        Array([[2.+0.j, 0.+0.j],
               [0.+0.j, 0.+1.j]])
    """
    return MatrixSqrt().bind(_to_complex(matrices("sqrtm", A, True)))


def logm(A: ArrayLike) -> Any:
    """Compute the principal logarithm of a matrix.

    It is the matrix x with expm(x) = A and eigenvalues whose imaginary part is between -pi and pi.
    Square roots bring A near 1, where a sum of quotients is exact to rounding (Higham 2008,
    "Functions of Matrices", section 11.5).

    Args:
        A: [..., n, n], invertible.

    Returns:
        [..., n, n], complex; nan where A is singular.

    Raises:
        ValueError: for matrices that are not square.

    Examples:
        >>> import diffeo as dx
        >>> logm(dx.numpy.array([[1.0, 2.0], [0.0, 1.0]])).real
        Array([[0., 2.],
               [0., 0.]])
    """
    x = _to_complex(matrices("logm", A, True))
    if not x.size:
        return x
    identity, factor = _ones_like(x), 1.0
    # log(A) = 2**k log(A**(1 / 2**k)): each matrix has its own k, and `factor` is 2**k.
    for _ in range(_ROOTS):
        far = _one_norm(x - identity) > _NEAR
        known_far = known(far)
        if known_far is not None and not known_far.any():
            break
        factor = factor * where(_for_each(far), 2.0, 1.0)
        x = where(_for_each(far), MatrixSqrt().bind(x), x)
    near, difference = _for_each(_one_norm(x - identity) <= _NEAR), x - identity
    shape = (len(_POINTS), *[1] * x.ndim)
    points, weights = (array(v.reshape(shape), x.dtype) for v in (_POINTS, _WEIGHTS))
    parts = solve(identity + points * difference, weights * difference)
    return where(near, reduce_sum(parts, (0,)) * factor, math.nan)


def fractional_matrix_power(A: Any, t: Any) -> Any:
    """Compute A to the power `t`, expm(t logm(A)).

    Args:
        A: [..., n, n], invertible.
        t: a real number.

    Returns:
        [..., n, n], complex.

    Examples:
        >>> import diffeo as dx
        >>> fractional_matrix_power(dx.numpy.array([[1.0, 2.0], [0.0, 1.0]]), 0.5).real
        Array([[1., 1.],
               [0., 1.]])
    """
    return expm(logm(A) * t)


def funm(A: ArrayLike, func: Callable[[Any], Any], disp: bool = True) -> Any:
    """Compute any function of a matrix, by Schur's form and Parlett's recurrence.

    The method is that of Golub and Van Loan 2013, "Matrix Computations", section 9.1.4. Only where
    no two eigenvalues are (nearly) equal is the result exact. For exponentials, roots and
    logarithms `expm`, `sqrtm` and `logm` do better.

    Args:
        A: [..., n, n].
        func: the function of complex numbers, for arrays of them.
        disp: False: return an estimate of the relative error, too.

    Returns:
        [..., n, n], complex; with `disp=False`, and an array without the last two axes.

    Raises:
        ValueError: for matrices that are not square.

    Examples:
        >>> import diffeo as dx
        >>> funm(dx.numpy.array([[1.0, 1.0], [0.0, 2.0]]), lambda x: x * x).real
        Array([[1., 3.],
               [0., 4.]])
    """
    if not callable(func):
        raise with_user_line(TypeError(f"funm: func must be a function, got {describe(func)}"))
    t, z = Schur().bind(_to_complex(matrices("funm", A, True)))
    rows, columns = places(t)
    images = func(diagonal(t))
    known_part = e.select(
        rows == columns, broadcast_to(expand_dims(images, (images.ndim - 1,)), t.shape), 0.0
    )
    # F = f(t) is triangular, and its diagonal is known. It commutes with t: F t = t F. The part of
    # this equation above the diagonal is a Sylvester equation for the part of F above the diagonal.
    upper = TriangularSylvester("upper").bind(-t, t, t @ known_part - known_part @ t)
    out = z @ (known_part + upper) @ adjoint(z)
    if disp:
        return out
    epsilon = float(np.finfo(t.dtype).eps)
    # The error grows with the size of t above the diagonal over the smallest gap of eigenvalues.
    values = diagonal(t)
    gaps = e.absolute.bind(expand_dims(values, (t.ndim - 2,)) - expand_dims(values, (t.ndim - 1,)))
    gaps = e.select(rows == columns, math.inf, gaps)
    no_gap = full(t.shape[:-2], 1.0, gaps.dtype)
    gap = reduce_min(gaps, (t.ndim - 2, t.ndim - 1)) if t.size else no_gap
    error = epsilon / where(gap == 0, epsilon, gap) * _one_norm(upper_triangle(t, 1))
    return out, where(error < epsilon, epsilon, where(error > 1.0, 1.0, error))


def schur(a: ArrayLike, output: str = "real") -> tuple[Any, Any]:
    """Compute Schur's decomposition a = Z T Z^H, with unitary Z and upper triangular T.

    Args:
        a: [..., n, n].
        output: "real": T of real matrices is real, with a block of two rows for each pair of
            complex eigenvalues; "complex": T is complex and triangular.

    Returns:
        `(T, Z)`, both [..., n, n].

    Raises:
        ValueError: for another output, or matrices that are not square.

    Examples:
        >>> import diffeo as dx
        >>> T, Z = schur(dx.numpy.array([[2.0, 1.0], [0.0, 3.0]]))
        >>> T
        Array([[2., 1.],
               [0., 3.]])
    """
    if output not in ("real", "complex"):
        raise no_such("schur", "output", output, ("real", "complex"))
    x = matrices("schur", a, True)
    return tuple(Schur().bind(_to_complex(x) if output == "complex" else x))


def rsf2csf(T: Any, Z: Any, check_finite: bool = True) -> tuple[Any, Any]:
    """Convert the real Schur form of `schur` to the complex one: its blocks become triangular.

    Args:
        T, Z: [..., n, n], leading axes broadcast.
        check_finite: of no influence.

    Returns:
        `(T, Z)`, complex, with the same product Z T Z^H.

    Raises:
        ValueError: for matrices that are not square, or of different sizes.

    Examples:
        >>> import diffeo as dx
        >>> T, Z = schur(dx.numpy.array([[0.0, 2.0], [-2.0, 0.0]]))
        >>> rsf2csf(T, Z)[0].imag.diagonal()
        Array([ 2., -2.])
    """
    t, z = matrices("rsf2csf", T, True), matrices("rsf2csf", Z, True)
    if t.shape[-1] != z.shape[-1]:
        raise with_user_line(
            ValueError(f"rsf2csf: T and Z need equal sizes, got shapes {t.shape} and {z.shape}")
        )
    lead = broadcast_shapes(t.shape[:-2], z.shape[:-2])
    t, z = (broadcast_to(x, (*lead, *x.shape[-2:])) for x in (t, z))
    if is_complex(t.dtype):
        return t, _to_complex(z)
    t, z = same_dtype(t, z)
    w = pair_rotations(t)[0]
    return upper_triangle(adjoint(w) @ _to_complex(t) @ w), _to_complex(z) @ w


def solve_sylvester(
    A: ArrayLike, B: ArrayLike, C: ArrayLike, *, method: str = "schur", tol: float = 1e-8
) -> Any:
    """Solve A @ x + x @ B = C for x.

    Args:
        A: [..., m, m].
        B: [..., n, n].
        C: [..., m, n]; leading axes broadcast, dtypes promoted.
        method: "schur" or "eigen", which is the same here.
        tol: the result is nan where an eigenvalue of A and one of -B are as close as this.

    Returns:
        [..., m, n].

    Raises:
        ValueError: for shapes that do not fit, or another method.

    Examples:
        >>> import diffeo as dx
        >>> a = dx.numpy.array([[1.0, 2.0], [3.0, 4.0]])
        >>> solve_sylvester(a, a, a @ a)
        Array([[0.5, 1. ],
               [1.5, 2. ]])
    """
    if method not in ("schur", "eigen"):
        raise no_such("solve_sylvester", "method", method, ("schur", "eigen"))
    a, b, c = same_dtype(*[matrices("solve_sylvester", x) for x in (A, B, C)])
    m, n = c.shape[-2:]
    if a.shape[-2:] != (m, m) or b.shape[-2:] != (n, n):
        raise with_user_line(
            ValueError(
                "solve_sylvester: expects A [..., m, m], B [..., n, n] and C [..., m, n], got "
                "shapes "
                f"{a.shape}, {b.shape} and {c.shape}"
            )
        )
    lead = broadcast_shapes(a.shape[:-2], b.shape[:-2], c.shape[:-2])
    a, b, c = (broadcast_to(x, (*lead, *x.shape[-2:])) for x in (a, b, c))
    x = Sylvester().bind(a, b, c)
    if not x.size:
        return x
    # The equation has one solution unless an eigenvalue of A and one of B add up to 0.
    values = [diagonal(Schur().bind(_to_complex(stop_gradient(v)))[0]) for v in (a, b)]
    sums = expand_dims(values[0], (c.ndim - 1,)) + expand_dims(values[1], (c.ndim - 2,))
    least = reduce_min(e.absolute.bind(sums), (c.ndim - 2, c.ndim - 1))
    return where(_for_each(least < tol), math.nan, x)
