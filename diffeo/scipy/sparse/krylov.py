"""Rounds of GMRES: the best solution in the space of the vectors r, A r, A (A r) ...

`arnoldi` finds an orthonormal basis V of the space, and the matrix H with A V = V H. The residual
is then that of a small problem of least squares for H, which has one row more than columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...api.control_flow.loops import fori_loop, while_loop
from ...numpy.choosing import where
from ...numpy.common import safe_sqrt
from ...numpy.contracting.products import vdot
from ...numpy.making.creation import asarray, zeros
from ...numpy.making.grids import eye
from ...numpy.ufuncs import conj, real
from ...primitives.array import Array
from ...primitives.core import Value
from ...typing import ArrayLike

Map = Callable[[Any], Any]


def norm(x: ArrayLike) -> Any:
    """Return the length of a vector; its derivative is 0 where it is 0."""
    return safe_sqrt(real(vdot(x, x)))


def unit(x: Value, least: Any) -> tuple[Any, Any]:
    """Return x over its length, and the length; zeros if the length is not above `least`."""
    size = norm(x)
    seen = size > least
    return where(seen, x / where(seen, size, 1.0), 0.0).astype(x.dtype), where(seen, size, 0.0)


def arnoldi(product: Map, basis: Value, k: Value) -> tuple[Any, Any, Any]:
    """Return the next vector of the basis, the next column of H, and the size of what was left.

    `basis` is [restart + 1, n], whose first k + 1 rows are vectors.
    """
    w = product(basis[k])
    before = norm(w)
    column: Any = 0.0
    for _ in range(2):  # twice is enough for a basis that is orthogonal to rounding
        part = conj(basis) @ w
        w, column = w - part @ basis, column + part
    vector, size = unit(w, before * float(np.finfo(w.dtype).eps))
    return vector, column.at[k + 1].set(size.astype(w.dtype)), size


def one_round(product: Map, start: Value, size: Value, restart: int, least: Value) -> Any:
    """Return the update of a round; H is made triangular as it grows.

    Args:
        product: the preconditioned matrix, as a function.
        start, size: the direction and the length of the residual.
        restart: how many vectors there are.
        least: the round ends when the residual is not longer.
    """
    n, dtype = start.shape[0], start.dtype
    basis = zeros((restart + 1, n), dtype).at[0].set(start)
    # Columns that are not reached stay those of the identity, whose part of the solution is 0.
    triangle = eye(restart + 1, restart, dtype=dtype)
    turns = zeros((restart, 2), dtype)
    right = zeros((restart + 1,), dtype).at[0].set(size.astype(dtype))

    def going(carry: tuple) -> Any:
        return (carry[0] < restart) & (carry[-1] > least)

    def turn(carry: tuple) -> tuple:
        k, basis, triangle, turns, right, _ = carry
        vector, column, _ = arnoldi(product, basis, k)
        column = fori_loop(0, k, lambda i, c: _rotated(c, i, turns[i]), column)
        rotation = _rotation(column[k], column[k + 1])
        column, right = _rotated(column, k, rotation), _rotated(right, k, rotation)
        return (k + 1, basis.at[k + 1].set(vector), triangle.at[:, k].set(column),
                turns.at[k].set(rotation), right, abs(right[k + 1]))  # fmt: skip

    carry = (asarray(0), basis, triangle, turns, right, size)
    count, basis, triangle, _, right, _ = while_loop(going, turn, carry)
    right = where(Array(np.arange(restart)) < count, right[:-1], 0.0)

    def back(j: Value, y: Value) -> Any:
        i = restart - 1 - j
        pivot = triangle[i, i]
        value = (right[i] - triangle[i] @ y) / where(pivot == 0, 1.0, pivot)
        return y.at[i].set(where(pivot == 0, 0.0, value).astype(dtype))

    y = fori_loop(0, restart, back, zeros((restart,), dtype))
    return y @ basis[:-1]


def _rotation(a: Value, b: Value) -> Any:
    """Return (c, s) with c real, c conj(c) + s conj(s) = 1, that turns (a, b) to (r, 0)."""
    size = safe_sqrt(abs(a) ** 2 + abs(b) ** 2)
    size = where(size == 0, 1.0, size)
    none = abs(a) == 0
    phase = where(none, 1.0, a / where(none, 1.0, abs(a)))
    c = where(none & (abs(b) == 0), 1.0, abs(a) / size)
    return zeros((2,), a.dtype).at[0].set(c.astype(a.dtype)).at[1].set(phase * conj(b) / size)


def _rotated(x: Value, i: Value, rotation: Value) -> Any:
    """Turn the elements i and i + 1 of a vector."""
    c, s = rotation[0], rotation[1]
    a, b = x[i], x[i + 1]
    return x.at[i].set(c * a + s * b).at[i + 1].set(c * b - conj(s) * a)
