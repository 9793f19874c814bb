"""Spherical harmonics."""

from __future__ import annotations

import math
from typing import Any

from ...numpy.common import arr, concrete, same_dtype, static_int
from ...primitives.constants import full_like
from ...primitives.core import Value, describe, with_user_line
from ...primitives.words import elementwise as e
from ...primitives.words.promotion import align, broadcast_shapes, broadcast_to, to_inexact
from ...primitives.words.structural import convert_element_type


def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, diff_n: int | None = None,
               n_max: int | None = None) -> Any:  # fmt: skip
    """Compute the spherical harmonic of degree n and order m.

    It is orthonormal on the sphere, and has the sign (-1)**m.

    Args:
        n: whole numbers >= 0.
        m: whole numbers from -n to n.
        theta: the angle from the pole, in 0 ... pi.
        phi: the angle around the pole; all four broadcast.
        diff_n: must be None: dx.grad differentiates.
        n_max: the highest degree, needed where n is traced; a higher n counts as `n_max`.

    Returns:
        Complex numbers; 0 for |m| > n and nan for n < 0.

    Raises:
        TypeError: for degrees or orders that are no integers.
        ValueError: with `diff_n`.

    Examples:
        >>> sph_harm_y(1, 0, 0.0, 0.0)
        Array(0.48860251+0.j)
    """
    if diff_n is not None:
        raise with_user_line(
            ValueError(
                f"sph_harm_y: diff_n={diff_n}: take derivatives by theta and phi with dx.grad"
            )
        )
    n, m = (arr(v) for v in align(n, m))
    if n.dtype.kind not in "iu":
        raise with_user_line(
            TypeError(f"sph_harm_y: n and m must be integers, got {describe(n)} and {describe(m)}")
        )
    theta, phi = (arr(to_inexact(v)) for v in same_dtype(arr(theta), arr(phi)))
    if n_max is None:
        degrees = concrete(n, "sph_harm_y", "Give n_max, the highest degree.")
        highest = max(int(degrees.max(initial=0)), 0)
    else:
        highest = static_int(n_max, "sph_harm_y", "n_max")
    shape = broadcast_shapes(n.shape, m.shape, theta.shape, phi.shape)
    n, m, theta, phi = (broadcast_to(v, shape) for v in (n, m, theta, phi))
    degree, order = (convert_element_type(v, theta.dtype) for v in (n, m))
    degree = e.minimum.bind(degree, float(highest))
    size = _legendre(degree, e.absolute.bind(order), theta, highest)
    # The harmonic of order -m is (-1)**m times the conjugate of that of order m.
    odd = e.absolute.bind(e.rem.bind(order, 2.0)) == 1.0
    size = e.select(odd & (order < 0.0), -size, size)
    size = e.select(degree < 0.0, math.nan, size)
    angle = order * phi
    return e.complex_.bind(size * e.cos.bind(angle), size * e.sin.bind(angle))


def _legendre(n: Value, m: Value, theta: Any, highest: int) -> Any:
    """Return Legendre's associated function of cos(theta), normalized, for 0 <= m, n <= highest.

    The recurrence starts at degree m, where the function is a power of the sine, and goes upwards,
    which is stable. n and m are arrays: each element starts at its own m and stops at its own n.
    """
    x, s = e.cos.bind(theta), e.sin.bind(theta)
    sectoral = full_like(theta, math.sqrt(0.25 / math.pi))
    for k in range(1, highest + 1):
        sectoral = e.select(m >= float(k), sectoral * s * -math.sqrt(1 + 0.5 / k), sectoral)
    current, previous, squares = e.select(m <= n, sectoral, 0.0), full_like(theta, 0.0), m * m
    for k in range(1, highest + 1):
        active = (m < float(k)) & (n >= float(k))
        divisor = e.select(active, k * k - squares, 1.0)
        a = e.sqrt.bind((4.0 * k * k - 1.0) / divisor)
        # The coefficient of the function two degrees below; it is 0 at the start.
        lower_divisor = e.select(active, (k - 1.0) ** 2 - squares, 0.0)
        b = e.sqrt.bind(
            e.maximum.bind(lower_divisor, 0.0)
            * (1.0 / (4.0 * (k - 1) ** 2 - 1.0) if k > 1 else 0.0)
        )
        current, previous = (
            e.select(active, a * (x * current - b * previous), current),
            e.select(active, current, previous),
        )
    return current
