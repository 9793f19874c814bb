"""Quaternions (x, y, z, w) of rotations, arrays [..., 4]: conversions from and to other forms.

w is the scalar part. q and -q are the same rotation.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...numpy.choosing import where
from ...numpy.contracting.products import cross
from ...numpy.joining import concatenate, stack
from ...numpy.places.selecting import take_along_axis
from ...numpy.reducing.comparing import argmax
from ...numpy.reducing.reductions import sum as sum_of
from ...numpy.ufuncs import arctan2, cos, hypot, sin, sqrt
from ...primitives.core import Value
from ...routines.special.special import polynomial
from ...typing import ArrayLike

#: Power series in the square of an angle: sin(angle / 2) / angle, and cos(angle / 2).
_SINE = [(-1) ** k / (2.0 ** (2 * k + 1) * math.factorial(2 * k + 1)) for k in range(9)]
_COSINE = [(-1) ** k / (4.0**k * math.factorial(2 * k)) for k in range(9)]
#: And in the square of a tangent: arctan(t) / t.
_ARCTAN = [(-1) ** k / (2 * k + 1) for k in range(12)]


def square(v: ArrayLike) -> Any:
    """Return the square of the length, [..., 1]."""
    return sum_of(v * v, -1, keepdims=True)


def normalized(q: Any) -> Any:
    """Return vectors of length 1."""
    return q / sqrt(square(q))


def composed(p: Value, q: Value) -> Any:
    """Return the rotation q followed by p."""
    pv, pw, qv, qw = p[..., :3], p[..., 3:], q[..., :3], q[..., 3:]
    vector = pw * qv + qw * pv + cross(pv, qv)
    return concatenate([vector, pw * qw - sum_of(pv * qv, -1, keepdims=True)], -1)


def inverse(q: Any) -> Any:
    """Return the inverse rotation."""
    return concatenate([-q[..., :3], q[..., 3:]], -1)


def canonical(q: Any) -> Any:
    """Return q or -q: the one whose last number that is not 0, in the order w, x, y, z, is > 0."""
    x, y, z, w = (q[..., i : i + 1] for i in range(4))
    first = where(w != 0, w, where(x != 0, x, where(y != 0, y, z)))
    return where(first < 0, -q, q)


def from_rotation_vector(v: Any) -> Any:
    """Return the rotation about a vector [..., 3] by its length."""
    size2 = square(v)
    near = size2 < 0.1
    small, angle = where(near, size2, 0.0), sqrt(where(near, 1.0, size2))
    scale = where(near, polynomial(small, _SINE), sin(0.5 * angle) / angle)
    w = where(near, polynomial(small, _COSINE), cos(0.5 * angle))
    return concatenate([scale * v, w], -1)


def to_rotation_vector(q: Value) -> Any:
    """Return the rotation vector [..., 3], of a length up to pi."""
    v, w = q[..., :3], q[..., 3:]
    sign = where(w < 0, -1.0, 1.0)
    v, w = v * sign, w * sign
    size2 = square(v)
    near = size2 < 0.05 * w * w
    safe = where(near, w, 1.0)
    small = polynomial(where(near, size2, 0.0) / (safe * safe), _ARCTAN) * 2.0 / safe
    size = sqrt(where(near, 1.0, size2))
    return where(near, small, 2.0 * arctan2(size, w) / size) * v


def magnitude(q: Value) -> Any:
    """Return the angle, from 0 to pi."""
    size2 = square(q[..., :3])[..., 0]
    zero = size2 == 0
    size = where(zero, 0.0, sqrt(where(zero, 1.0, size2)))
    return 2.0 * arctan2(size, abs(q[..., 3]))


def to_matrix(q: Value) -> Any:
    """Return the matrix [..., 3, 3]."""
    x, y, z, w = (q[..., i] for i in range(4))
    rows = [
        [x * x - y * y - z * z + w * w, 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), -x * x + y * y - z * z + w * w, 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), -x * x - y * y + z * z + w * w],
    ]
    return stack([stack(row, -1) for row in rows], -2)


def from_matrix(m: Any) -> Any:
    """Return the rotation of a matrix [..., 3, 3], by the largest number of the quaternion.

    4 q q^T is linear in the matrix; its longest row, normalized, is the quaternion.
    """
    d = [m[..., i, i] for i in range(3)]
    trace = d[0] + d[1] + d[2]
    plus = lambda i, j: m[..., i, j] + m[..., j, i]
    less = lambda i, j: m[..., i, j] - m[..., j, i]
    rows = [
        [1 - trace + 2 * d[0], plus(0, 1), plus(0, 2), less(2, 1)],
        [plus(0, 1), 1 - trace + 2 * d[1], plus(1, 2), less(0, 2)],
        [plus(0, 2), plus(1, 2), 1 - trace + 2 * d[2], less(1, 0)],
        [less(2, 1), less(0, 2), less(1, 0), 1 + trace],
    ]
    all_ = stack([stack(row, -1) for row in rows], -2)
    largest = argmax(stack([*d, trace], -1), -1)
    return normalized(take_along_axis(all_, largest[..., None, None], -2)[..., 0, :])


def from_mrp(p: Any) -> Any:
    """Return the rotation of modified Rodrigues parameters, axis times tan(angle / 4)."""
    above = 1.0 + square(p)
    return concatenate([2.0 * p, 2.0 - above], -1) / above


def to_mrp(q: Any) -> Any:
    """Return modified Rodrigues parameters, of a length up to 1."""
    sign = where(q[..., 3:] < 0, -1.0, 1.0)
    return sign * q[..., :3] / (1.0 + sign * q[..., 3:])


def about_axis(axis: int, angle: Value) -> Any:
    """Return the rotation about an axis of the coordinates by angles [...]."""
    half, zero = 0.5 * angle, angle * 0
    return stack([*[sin(half) if i == axis else zero for i in range(3)], cos(half)], -1)


def to_euler(q: Value, axes: str, intrinsic: bool) -> Any:
    """Return the angles [..., 3] of rotations about three axes.

    The formulas are those of Bernardes and Viollet (2022). Where the first and the third axis are
    one line, only the sum or the difference of their angles counts: the third one is then 0.
    """
    order = ["xyz".index(c) for c in axes.lower()]
    i, j, k = order[::-1] if intrinsic else order
    symmetric = i == k
    k = 3 - i - j if symmetric else k
    sign = float((i - j) * (j - k) * (k - i) // 2)
    u, v, w, s = q[..., i], q[..., j], q[..., k] * sign, q[..., 3]
    a, b, c, d = (s, u, v, w) if symmetric else (s - v, u + w, v + s, w - u)
    # At a pole (c, d) or (a, b) is 0, and its angle means nothing.
    low, high = (c * c + d * d), (a * a + b * b)
    middle = 2.0 * arctan2(_length(c, d, low), _length(a, b, high))
    eps = 1e-7
    at_zero, at_pi = abs(middle) <= eps, abs(middle - math.pi) <= eps
    plus = arctan2(where(at_pi, 0.0, b), where(at_pi, 1.0, a))
    minus = arctan2(where(at_zero, 0.0, d), where(at_zero, 1.0, c))
    outer = 1.0 if not intrinsic else -1.0
    alone = where(at_zero, 2.0 * plus, -2.0 * outer * minus)
    first, third = plus - minus, plus + minus
    if intrinsic:
        first, third = third, first
    pole = at_zero | at_pi
    first, third = where(pole, alone, first), where(pole, 0.0, third)
    if not symmetric:
        first, third = (first * sign, third) if intrinsic else (first, third * sign)
        middle = middle - 0.5 * math.pi
    angles = stack([first, middle, third], -1)
    full = 2 * np.pi
    return where(angles < -np.pi, angles + full, where(angles > np.pi, angles - full, angles))


def _length(x: Value, y: Value, square: Value) -> Any:
    """Return the length of (x, y), without a derivative where it is 0."""
    zero = square == 0
    return where(zero, 0.0, hypot(where(zero, 1.0, x), y))
