"""Matrices of up to four rows as arithmetic on their elements.

In a compiled program, a call of LAPACK for each of them would cost more than the work itself. Here
an element of matrices is an array over the leading axes, and the loops over rows and columns run
while the program is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import combinations, combinations_with_replacement
from math import nan
from operator import add
from typing import Any

import numpy as np

from ...primitives.constants import full, full_like, zeros_like
from ...primitives.core import Value
from ...primitives.words.elementwise import absolute, conj, imag, real, select, sqrt
from ...primitives.words.slicing import concatenate, index_in_dim, stack
from ...primitives.words.structural import (
    broadcast_in_dim,
    convert_element_type,
    expand_dims,
    reshape,
)

#: Matrices of up to this many rows and columns are handled here.
LARGEST = 4


def elements(x: Value) -> list[list[Any]]:
    """Return the elements of matrices by row and column, each an array over the leading axes."""
    rows = [index_in_dim(x, i, x.ndim - 2) for i in range(x.shape[-2])]
    return [[index_in_dim(r, j, r.ndim - 1) for j in range(x.shape[-1])] for r in rows]


def matrices(rows: Sequence[Sequence[Any]]) -> Any:
    """Return matrices made of their elements."""
    flat = [expand_dims(e, (e.ndim,)) for row in rows for e in row]
    lead = flat[0].shape[:-1]
    return reshape(concatenate(flat, len(lead)), (*lead, len(rows), len(rows[0])))


def total(terms: Sequence[Any]) -> Any:
    """Return the sum of at least one term."""
    return reduce(add, terms)


def triangular_solve(a: Any, b: Any, side: str, uplo: str, form: str, diag: str) -> Any:
    """Solve as `TriangularSolve` does: one row (or column) of x after the other."""
    n, axis = a.shape[-1], b.ndim - (2 if side == "L" else 1)
    # Both x a = b and a transposed a turn the roles of rows and columns; together they turn
    # nothing.
    flip = (side == "R") != (form != "N")
    e = elements(conj.bind(a) if form == "C" and a.dtype.kind == "c" else a)
    x: dict[int, Any] = {}
    for i in range(n) if (uplo == "L") != flip else reversed(range(n)):
        row = index_in_dim(b, i, axis)
        of = lambda j, i=i, like=row: broadcast_in_dim(
            e[j][i] if flip else e[i][j], like.shape, range(like.ndim - 1)
        )
        for j in x:
            row = row - of(j) * x[j]
        x[i] = row if diag == "U" else row / of(i)
    return stack([x[i] for i in range(n)], axis)


def cholesky(a: Any) -> Any:
    """Decompose as `Cholesky` does."""
    n, e = a.shape[-1], elements(a)
    zero = zeros_like(e[0][0])
    factor = [[zero] * n for _ in range(n)]
    good: Any = None
    for j in range(n):
        for i in range(j, n):
            sums = [factor[i][k] * _conj(factor[j][k]) for k in range(j)]
            element = e[i][j] - total(sums) if sums else e[i][j]
            if i == j:
                element = real.bind(element) if a.dtype.kind == "c" else element
                good = element > 0.0 if good is None else good & (element > 0.0)
                factor[j][j] = convert_element_type(sqrt.bind(element), a.dtype)
            else:
                factor[i][j] = element / factor[j][j]
    for i, j in combinations_with_replacement(range(n), 2):
        factor[j][i] = select(good, factor[j][i], full_like(zero, nan))
    return matrices(factor)


def _conj(x: Value) -> Any:
    return conj.bind(x) if x.dtype.kind == "c" else x


def _size(x: Value) -> Any:
    """Return what LAPACK compares to choose a pivot."""
    return absolute.bind(x) if x.dtype.kind != "c" else (
        absolute.bind(real.bind(x)) + absolute.bind(imag.bind(x)))  # fmt: skip


def lu(a: Any) -> list[Any]:
    """Decompose as `Lu` does: the pivot of a column is its largest element, the first of them."""
    m, n = a.shape[-2:]
    e, number = elements(a), lambda i: full(a.shape[:-2], i, np.int32)
    order, pivots = [number(i) for i in range(m)], []
    for k in range(min(m, n)):
        pivot, largest = number(k), _size(e[k][k])
        for i in range(k + 1, m):
            larger = _size(e[i][k]) > largest
            pivot = select(larger, number(i), pivot)
            largest = select(larger, _size(e[i][k]), largest)
        pivots.append(pivot)
        for i in range(k + 1, m):
            # The pivot is known at run time only: exchange with each row that it may be.
            chosen = pivot == number(i)
            swap: Callable = lambda x, y, c=chosen: (select(c, y, x), select(c, x, y))
            order[k], order[i] = swap(order[k], order[i])
            for j in range(n):
                e[k][j], e[i][j] = swap(e[k][j], e[i][j])
        # A pivot is 0 only where all of its column is: the column stays as it is.
        divisor = select(e[k][k] == 0, full_like(e[k][k], 1), e[k][k])
        for i in range(k + 1, m):
            e[i][k] = e[i][k] / divisor
            for j in range(k + 1, n):
                e[i][j] = e[i][j] - e[i][k] * e[k][j]
    return [matrices(e), stack(pivots, a.ndim - 2), stack(order, a.ndim - 2)]


def permutation(pivots: Any, size: int) -> Any:
    """Return the order as `LuPivotsToPermutation` does.

    A pivot is compared with each row number, so no element is read or written at a place that is
    known at run time only.
    """
    axis = pivots.ndim - 1
    number = lambda i: full(pivots.shape[:-1], i, np.int32)
    order = [number(i) for i in range(size)]
    for i in range(pivots.shape[-1]):
        pivot = index_in_dim(pivots, i, axis)
        for j in [j for j in range(size) if j != i]:
            chosen = pivot == number(j)
            order[i], order[j] = (
                select(chosen, order[j], order[i]),
                select(chosen, order[i], order[j]),
            )
    return stack(order, axis)


def determinant(a: Value) -> Any:
    """Return the determinant, as a polynomial of the elements.

    So its derivatives of any order are right at singular matrices. Rows are taken from the last one
    upwards: each step computes all minors of the rows so far from those of one row less.
    """
    n, e = a.shape[-1], elements(a)
    minors: dict[tuple[int, ...], Any] = {(j,): e[n - 1][j] for j in range(n)}
    for i in reversed(range(n - 1)):
        larger = {}
        for columns in combinations(range(n), n - i):
            products = [e[i][c] * minors[tuple([d for d in columns if d != c])] for c in columns]
            even, odd = products[::2], products[1::2]
            larger[columns] = total(even) - total(odd)
        minors = larger
    return minors[tuple(range(n))]
