"""Polynomials, each the vector of its coefficients, the highest power first.

[1, 0, 4] is x**2 + 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...api.control_flow.loops import scan
from ...primitives.array import Array
from ...primitives.core import describe, state, with_user_line
from ...primitives.types import complex_dtype
from ...primitives.words.promotion import broadcast_to, to_inexact
from ...primitives.words.slicing import concatenate, slice_in_dim
from ...primitives.words.structural import reshape
from ...typing import ArrayLike
from .. import linalg
from ..choosing import where
from ..common import arr, concrete, same_dtype, static_int
from ..joining import stack
from ..making.creation import asarray, ones, zeros
from ..making.grids import diag, vander
from ..places.indexing import getitem
from ..places.padding import pad
from ..places.selecting import roll, trim_zeros
from ..reducing.comparing import argmin
from ..reducing.reductions import all as all_
from ..reducing.reductions import sum as sum_
from ..reducing.sorting import argsort
from ..shaping import atleast_1d
from ..ufuncs import sqrt
from .convolving import convolve
from .products import dot, outer


def polyval(p: Any, x: Any, *, unroll: int = 16) -> Any:
    """Evaluate the polynomial with coefficients `p`, highest power first, at `x`.

    In a program that is traced, more than `unroll` coefficients become a loop, which takes so many
    at once.
    """
    p, x = asarray(p), asarray(x)
    unroll = static_int(unroll, "polyval", "unroll")
    if unroll < 1:
        raise with_user_line(ValueError(f"polyval: unroll must be 1 or more, got {unroll}"))
    out: Any = x * 0
    if p.shape[0] > unroll and not state.trace.eager:
        p = p.astype(same_dtype(p, x)[0].dtype)
        out = (out + x).astype(same_dtype(out, p)[0].dtype) * 0
        return scan(lambda out, c: (out * x + c, None), out, p, unroll=unroll)[0]
    for i in range(p.shape[0]):
        out = out * x + getitem(p, i)
    return out


def polyadd(a1: Any, a2: Any) -> Any:
    """Return the sum of two polynomials."""
    a1, a2 = asarray(a1), asarray(a2)
    n = max(a1.shape[0], a2.shape[0])
    return pad(a1, (n - a1.shape[0], 0)) + pad(a2, (n - a2.shape[0], 0))


def polysub(a1: Any, a2: Any) -> Any:
    """Return the difference of two polynomials."""
    return polyadd(a1, -asarray(a2))


def polymul(a1: Any, a2: Any, *, trim_leading_zeros: bool = False) -> Any:
    """Return the product of two polynomials.

    With `trim_leading_zeros`, those of the operands are left out first, as NumPy does; the numbers
    must then be known.
    """
    a1, a2 = atleast_1d(asarray(a1)), atleast_1d(asarray(a2))
    if trim_leading_zeros and a1.size > 1 and a2.size > 1:
        a1, a2 = (w if w.size else v[-1:] for v, w in ((a, trim_zeros(a, "f")) for a in (a1, a2)))
    return convolve(a1, a2)


def _order(name: str, m: int) -> int:
    """Return how many times to differentiate or integrate: 0 or more."""
    m = static_int(m, name, "m")
    if m < 0:
        raise with_user_line(ValueError(f"{name}: m must not be negative, got {m}"))
    return m


def polyder(p: Any, m: int = 1) -> Any:
    """Return the coefficients of the `m`-th derivative of a polynomial."""
    p = asarray(p)
    for _ in range(_order("polyder", m)):
        n = p.shape[0]
        p = slice_in_dim(p, 0, n - 1) * Array(np.arange(n - 1, 0, -1))
    return p


def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """Return the coefficients of an `m`-fold integral of a polynomial.

    `k` is the constant of every integral, or a vector of `m` constants, the first integral's first;
    0 by default.

    Raises:
        ValueError: for a negative `m`, and for more or fewer constants.

    Examples:
        >>> import diffeo as dx
        >>> polyint(dx.numpy.array([2.0, 1.0]), k=5.0)
        Array([1., 1., 5.])
    """
    p, m = asarray(p), _order("polyint", m)
    constants = atleast_1d(zeros(1, p.dtype) if k is None else asarray(k))
    if constants.size == 1:
        constants = broadcast_to(reshape(constants, (1,)), (m,))
    if constants.shape != (m,):
        raise with_user_line(
            ValueError(f"polyint: expects {m} constants k, or one, got {describe(k)}")
        )
    for i in range(m):
        p = p / Array(np.arange(p.shape[0], 0, -1))
        p = concatenate(same_dtype(p, constants[i : i + 1]))
    return p


def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """Fit the polynomial of degree `deg` with the least sum of squared distances from points.

    Args:
        x: The points, a vector (m,).
        y: The values (m,), or several sets of them (m, k).
        deg: The degree.
        rcond: Singular values up to `rcond` times the largest one count as 0; by default m times
            the precision of the dtype.
        full: Return more of the solution.
        w: None, or weights (m,) of the distances.
        cov: Return the covariances too; 'unscaled' for those of weights that are 1 / deviation.

    Returns:
        The coefficients (deg + 1,) or (deg + 1, k); with `full`, (coefficients, residuals, rank,
        singular values, rcond); with `cov`, (coefficients, covariances).

    Raises:
        TypeError: for shapes that do not fit.
        ValueError: for a negative degree, or too few points for a scaled covariance.

    Examples:
        >>> import diffeo as dx
        >>> dx.numpy.allclose(polyfit(dx.numpy.arange(3.0), 2 * dx.numpy.arange(3.0) + 1, 1),
        ...                   dx.numpy.array([2.0, 1.0]))
        Array(True)
    """
    x, y = (arr(to_inexact(v)) for v in same_dtype(asarray(x), asarray(y)))
    order = static_int(deg, "polyfit", "deg") + 1
    if order < 1:
        raise with_user_line(ValueError(f"polyfit: deg must not be negative, got {deg}"))
    if x.ndim != 1 or not x.size or y.ndim not in (1, 2) or y.shape[0] != x.shape[0]:
        raise with_user_line(
            TypeError(
                "polyfit: expects x of shape (m,) with m > 0 and y of shape (m,) or (m, k), got "
                f"{describe(x)} and {describe(y)}"
            )
        )
    m = x.shape[0]
    rcond = m * float(np.finfo(x.dtype).eps) if rcond is None else rcond
    lhs, rhs = vander(x, order), y
    if w is not None:
        w = arr(to_inexact(arr(w)))
        if w.shape != (m,):
            raise with_user_line(
                TypeError(f"polyfit: expects weights w of shape {(m,)}, got {describe(w)}")
            )
        lhs, rhs = lhs * w[:, None], rhs * (w if y.ndim == 1 else w[:, None])
    # Columns of equal length make the system better conditioned; the scale is divided out after.
    scale = sqrt(sum_(lhs * lhs, 0))
    lhs = lhs / scale
    coefficients, residuals, rank, singular = linalg.lstsq(lhs, rhs, rcond)
    coefficients = coefficients / (scale if y.ndim == 1 else scale[:, None])
    if full:
        return coefficients, residuals, rank, singular, asarray(rcond)
    if not cov:
        return coefficients
    base = linalg.inv(dot(lhs.T, lhs)) / outer(scale, scale)
    base = base if y.ndim == 1 else base[:, :, None]
    if cov != "unscaled":
        if m <= order:
            raise with_user_line(
                ValueError(
                    f"polyfit: {m} points are too few to scale the covariance of {order} "
                    "coefficients;"
                    " cov='unscaled' does not scale it"
                )
            )
        factor = residuals / (m - order)
        base = base * reshape(factor, ()) if y.ndim == 1 else base * factor
    return coefficients, base


def roots(p: Any, *, strip_zeros: bool = True) -> Any:
    """Return the roots of a polynomial, as complex numbers.

    Args:
        p: The coefficients (n,), the highest power first.
        strip_zeros: Leave leading zeros out; the numbers must then be known. Otherwise there are
            n - 1 results, and the last ones are nan in place of roots that are missing.

    Raises:
        ValueError: unless p is a vector.

    Examples:
        >>> import diffeo as dx
        >>> roots(dx.numpy.array([1.0, 0.0, 4.0]))
        Array([0.+2.j, 0.-2.j])
    """
    p = atleast_1d(arr(to_inexact(arr(p))))
    if p.ndim != 1:
        raise with_user_line(ValueError(f"roots: expects a vector, got {describe(p)}"))
    if strip_zeros:
        value = concrete(p, "roots", "Give strip_zeros=False.")
        p = p[int(np.argmax(value != 0)) if value.any() else p.size :]
        return _eigenvalues(p)
    if p.size < 2:
        return _eigenvalues(p)
    # Leading zeros are moved to the end, where each one adds a root 0. Roots 0 are then sorted to
    # the end, and as many of them as there were leading zeros become nan.
    empty = all_(p == 0)
    zeros_in_front = where(empty, p.size, argmin(p == 0))
    p = where(empty, 1.0, p)
    eigenvalues = _eigenvalues(roll(p, -zeros_in_front))
    eigenvalues = eigenvalues[argsort(eigenvalues == 0)]
    missing = Array(np.arange(eigenvalues.size)) >= eigenvalues.size - zeros_in_front
    return where(missing, complex(np.nan, np.nan), eigenvalues)


def _eigenvalues(p: Any) -> Any:
    """Return the eigenvalues of the companion matrix of a polynomial: its roots."""
    if p.size < 2:
        return zeros((0,), complex_dtype(p.dtype))
    below = diag(ones(p.size - 2, p.dtype), -1)
    return linalg.eigvals(below.at[0].set(-p[1:] / p[0]))


def poly(seq_of_zeros: ArrayLike) -> Any:
    """Return the polynomial with these roots and a leading 1.

    Of a square matrix, the roots are its eigenvalues.

    Raises:
        ValueError: for other shapes.

    Examples:
        >>> import diffeo as dx
        >>> poly(dx.numpy.array([1.0, 2.0]))
        Array([ 1., -3.,  2.])
    """
    z = atleast_1d(arr(to_inexact(arr(seq_of_zeros))))
    if z.ndim == 2 and z.shape[0] == z.shape[1] and z.size:
        z = linalg.eigvals(z)
    if z.ndim != 1:
        raise with_user_line(
            ValueError(f"poly: expects a vector or a square matrix, got {describe(z)}")
        )
    out = ones(1, z.dtype) if z.size else ones((), z.dtype)
    for i in range(z.size):
        out = pad(out, (0, 1)) - pad(out * z[i], (1, 0))
    return out


def polydiv(u: Any, v: Any, *, trim_leading_zeros: bool = False) -> tuple[Any, Any]:
    """Divide two polynomials; return (quotient, remainder).

    Args:
        u: The dividend.
        v: The divisor; its first coefficient is not 0.
        trim_leading_zeros: Leave out leading coefficients of the remainder that are up to rounding
            0; the numbers must then be known.

    Raises:
        ValueError: unless both are vectors with an element.

    Examples:
        >>> import diffeo as dx
        >>> polydiv(dx.numpy.array([1.0, 3.0, 3.0]), dx.numpy.array([1.0, 1.0]))
        (Array([1., 2.]), Array([0., 0., 1.]))
    """
    u, v = (arr(to_inexact(x)) for x in same_dtype(asarray(u), asarray(v)))
    if u.ndim != 1 or v.ndim != 1 or not u.size or not v.size:
        raise with_user_line(
            ValueError(
                f"polydiv: expects two vectors of coefficients, got {describe(u)} and {describe(v)}"
            )
        )
    steps, quotient = u.size - v.size + 1, []
    for k in range(steps):
        factor = u[k] / v[0]
        quotient.append(factor)
        u = u - pad(v * factor, (k, steps - 1 - k))
    if trim_leading_zeros:
        value = concrete(u, "polydiv", "Leave trim_leading_zeros=False.")
        large = np.abs(value) > np.sqrt(np.finfo(value.dtype).eps)
        u = u[int(np.argmax(large)) if large.any() else u.size :]
    return stack(quotient) if quotient else zeros(1, u.dtype), u
