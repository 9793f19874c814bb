"""Matrices of up to four rows as arithmetic on their elements: in a compiled program a call of
LAPACK for each of them would cost more than the work itself.
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
from ...primitives.words.elementwise import absolute, conj, imag, real, select, sqrt
from ...primitives.words.slicing import concatenate, index_in_dim, stack
from ...primitives.words.structural import (
    broadcast_in_dim,
    convert_element_type,
    expand_dims,
    reshape,
)

#: The most rows and columns.
LARGEST = 4


def elements(x: Any) -> list[list[Any]]:
    """The elements of matrices, each an array over the leading axes."""
    rows = [index_in_dim(x, i, x.ndim - 2) for i in range(x.shape[-2])]
    return [[index_in_dim(r, j, r.ndim - 1) for j in range(x.shape[-1])] for r in rows]


def matrices(rows: Sequence[Sequence[Any]]) -> Any:
    """Matrices from their elements."""
    flat = [expand_dims(e, (e.ndim,)) for row in rows for e in row]
    lead = flat[0].shape[:-1]
    return reshape(concatenate(flat, len(lead)), (*lead, len(rows), len(rows[0])))


def total(terms: Sequence[Any]) -> Any:
    """The sum of one term at least."""
    return reduce(add, terms)


def triangular_solve(a: Any, b: Any, side: str, uplo: str, form: str, diag: str) -> Any:
    """See `TriangularSolve`: one row (or column) of x after the other."""
    n, axis = a.shape[-1], b.ndim - (2 if side == "L" else 1)
    flip = (side == "R") != (form != "N")
    e = elements(conj.bind(a) if form == "C" and a.dtype.kind == "c" else a)
    x: dict[int, Any] = {}
    for i in range(n) if (uplo == "L") != flip else reversed(range(n)):
        rest = index_in_dim(b, i, axis)
        of = lambda j, i=i, like=rest: broadcast_in_dim(
            e[j][i] if flip else e[i][j], like.shape, range(like.ndim - 1)
        )
        for j in x:
            rest = rest - of(j) * x[j]
        x[i] = rest if diag == "U" else rest / of(i)
    return stack([x[i] for i in range(n)], axis)


def cholesky(a: Any) -> Any:
    """See `Cholesky`."""
    n, e = a.shape[-1], elements(a)
    zero = zeros_like(e[0][0])
    out = [[zero] * n for _ in range(n)]
    good: Any = None
    for j in range(n):
        for i in range(j, n):
            sums = [out[i][k] * _conj(out[j][k]) for k in range(j)]
            rest = e[i][j] - total(sums) if sums else e[i][j]
            if i == j:
                rest = real.bind(rest) if a.dtype.kind == "c" else rest
                good = rest > 0.0 if good is None else good & (rest > 0.0)
                out[j][j] = convert_element_type(sqrt.bind(rest), a.dtype)
            else:
                out[i][j] = rest / out[j][j]
    for i, j in combinations_with_replacement(range(n), 2):
        out[j][i] = select(good, out[j][i], full_like(zero, nan))
    return matrices(out)


def _conj(x: Any) -> Any:
    return conj.bind(x) if x.dtype.kind == "c" else x


def _size(x: Any) -> Any:
    """What LAPACK compares to choose a pivot."""
    return absolute.bind(x) if x.dtype.kind != "c" else (
        absolute.bind(real.bind(x)) + absolute.bind(imag.bind(x)))  # fmt: skip


def lu(a: Any) -> list[Any]:
    """See `Lu`: the pivot of a column is its largest element, the first of them."""
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
            chosen = pivot == number(i)
            swap: Callable = lambda x, y, c=chosen: (select(c, y, x), select(c, x, y))
            order[k], order[i] = swap(order[k], order[i])
            for j in range(n):
                e[k][j], e[i][j] = swap(e[k][j], e[i][j])
        divisor = select(e[k][k] == 0, full_like(e[k][k], 1), e[k][k])
        for i in range(k + 1, m):
            e[i][k] = e[i][k] / divisor
            for j in range(k + 1, n):
                e[i][j] = e[i][j] - e[i][k] * e[k][j]
    return [matrices(e), stack(pivots, a.ndim - 2), stack(order, a.ndim - 2)]


def permutation(pivots: Any, size: int) -> Any:
    """See `LuPivotsToPermutation`: exchanges without places that are known at run time only."""
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


def determinant(a: Any) -> Any:
    """The determinant, a polynomial, whose derivatives of any order are right at singular matrices:
    by rows from the last one, of all minors of the rows below.
    """
    n, e = a.shape[-1], elements(a)
    minors: dict[tuple[int, ...], Any] = {(j,): e[n - 1][j] for j in range(n)}
    for i in reversed(range(n - 1)):
        found = {}
        for columns in combinations(range(n), n - i):
            products = [e[i][c] * minors[tuple([d for d in columns if d != c])] for c in columns]
            even, odd = products[::2], products[1::2]
            found[columns] = total(even) - total(odd)
        minors = found
    return minors[tuple(range(n))]
