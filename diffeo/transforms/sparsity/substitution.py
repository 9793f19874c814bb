"""Compute the nonzeros of a symmetric matrix from products with an acyclic colouring, by
substitution.

The words:

- A product is the matrix times the sum of the unit vectors of one colour. There is one
  product for each colour, in order.
- In an acyclic colouring, the edges (nonzeros) between two colours are trees. At a leaf v with its
  parent p, the product for p's colour has at v the nonzero (v, p) alone. At any other vertex it has
  that nonzero plus those of the edges to the children, which must be subtracted.
- A chain is a path of edges that goes upwards in a tree: each value is an element of a product,
  minus the value before. That is one linear recurrence.
- A level is a set of chains that are computed at once. A chain ends where a vertex has several
  children of its level, so there are at most log2 n levels (Horton's and Strahler's numbers).

Example: for the path a - b - c with the root c, (a, b) is read directly; (b, c) is an element of a
product minus (a, b). Both are one chain.

Start reading at `Substitution.apply`; `substitution` prepares the indices for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...operations.cumulative import LinearRecurrence
from ...operations.sort import take_along_axis
from ...primitives.array import Array
from ...primitives.core import Value
from ...primitives.words.elementwise import neg
from ...primitives.words.index_dims import IndexDims
from ...primitives.words.indexing import ScatterAdd
from ...primitives.words.slicing import concatenate, slice_in_dim
from .pattern import Sparsity


def taken(x: Value, places: np.ndarray) -> Any:
    """Return `x[places]` of a vector."""
    if not len(places):
        return slice_in_dim(x, 0, 0)
    return take_along_axis(x, Array(places), 0, "promise_in_bounds")


class Level(NamedTuple):
    """Chains that are computed at once, one after the other in each of these arrays.

    `places` are the positions in the products of the values before any subtraction. `follows` says
    which values have the one before subtracted, as the next of a chain. Value `subtrahends[k]`, of
    all that are known by then, is subtracted from the value `minuends[k]` of this level.
    """

    places: np.ndarray
    follows: np.ndarray
    minuends: np.ndarray
    subtrahends: np.ndarray


@dataclass(frozen=True, eq=False)
class Substitution:
    """How to compute all nonzeros.

    All values are numbered: first those of the diagonal, which are at the positions `diagonal` of
    the products; then those of the levels, in turn. `values` says which value each nonzero of the
    pattern is: a nonzero and its mirror image are the same value.
    """

    diagonal: np.ndarray
    levels: Sequence[Level]
    values: np.ndarray

    def apply(self, products: Value) -> Any:
        """Return the nonzeros; `products` are all products in one vector."""
        known = taken(products, self.diagonal)
        for level in self.levels:
            b = taken(products, level.places)
            if len(level.minuends):
                subtracted = neg.bind(taken(known, level.subtrahends))
                add = ScatterAdd(IndexDims((), (0,), (0,)))
                b = add.bind(b, Array(level.minuends[:, None]), subtracted)
            if level.follows.any():
                # The recurrence x[i] = a[i] x[i - 1] + b[i] with a[i] = -1 subtracts the value
                # before; with 0 a new chain begins.
                a = Array(np.where(level.follows, -1, 0).astype(b.dtype))
                b = LinearRecurrence(0).bind(a, b)
            known = concatenate([known, b])
        return taken(known, self.values)


class _Edge(NamedTuple):
    """An edge from a vertex up to its parent.

    `below` are the children whose edges must be subtracted. If `follows`, the edge before in the
    chain is subtracted, too.
    """

    vertex: int
    parent: int
    below: list[int]
    follows: bool


def substitution(pattern: Sparsity, colors: np.ndarray) -> Substitution:
    """Return how to find the nonzeros of a symmetric pattern with an acyclic colouring."""
    n = pattern.shape[0]
    chains = _chains(pattern, colors.tolist())
    on_diagonal = pattern.rows[pattern.rows == pattern.cols]
    # The number of each value, by row * n + column of its nonzero.
    number = {v * n + v: k for k, v in enumerate(on_diagonal.tolist())}
    levels = []
    for level in chains:
        start = len(number)
        edges = [edge for chain in level for edge in chain]
        subtractions = [(k, number[c * n + e.vertex]) for k, e in enumerate(edges) for c in e.below]
        # Known only now: what is subtracted is of lower levels.
        for k, e in enumerate(edges):
            number[e.vertex * n + e.parent] = start + k
        places = colors[[e.parent for e in edges]] * n + [e.vertex for e in edges]
        minuends, subtrahends = np.array(subtractions, np.int64).reshape(-1, 2).T
        levels.append(Level(places, np.array([e.follows for e in edges]), minuends, subtrahends))
    # Only one nonzero of a pair is an edge upwards; the other has the same value.
    keys = (i * n + j for i, j in zip(pattern.rows.tolist(), pattern.cols.tolist()))
    values = [number[k] if k in number else number[k % n * n + k // n] for k in keys]
    diagonal = colors[on_diagonal] * n + on_diagonal
    return Substitution(diagonal, levels, np.array(values, np.int64))


def _chains(pattern: Sparsity, colors: list[int]) -> list[list[list[_Edge]]]:
    """Return the chains of each level, of all trees of two colours."""
    beside: list[dict[int, list[int]]] = [{} for _ in colors]
    for i, j in zip(pattern.rows.tolist(), pattern.cols.tolist()):
        if i != j:
            beside[i].setdefault(colors[j], []).append(j)
    levels: list[list[list[_Edge]]] = []
    visited: set[tuple[int, int]] = set()
    for v, groups in enumerate(beside):
        for other in groups:
            if (v, other) not in visited:
                _climb(_tree(v, other, beside, colors, visited), levels)
    return levels


def _tree(
    root: int,
    other: int,
    beside: Sequence[dict[int, list[int]]],
    colors: Sequence[int],
    visited: set[tuple[int, int]],
) -> list[tuple[int, int]]:
    """Return (vertex, parent) for a tree of the root's colour and the colour `other`.

    Parents come before their children; the root's parent is -1. `beside[v]` has the neighbours of v
    by their colours, `visited` the pairs (vertex, other colour) of all trees so far.
    """
    order, first, second = [(root, -1)], colors[root], other
    visited.add((root, other))
    for v, _ in order:
        color, opposite = (first, second) if colors[v] == first else (second, first)
        for w in beside[v].get(opposite, ()):
            if (w, color) not in visited:
                visited.add((w, color))
                order.append((w, v))
    return order


def _climb(tree: Sequence[tuple[int, int]], levels: list[list[list[_Edge]]]) -> None:
    """Sort the edges of a tree into chains, from the leaves to the root, and add them to `levels`.

    The level of an edge is that of the highest edges below, or one more if there are several of
    them.
    """
    children: dict[int, list[int]] = {}
    level: dict[int, int] = {}
    chain: dict[int, list[_Edge]] = {}
    for v, parent in reversed(tree[1:]):
        below = children.pop(v, [])
        top = max([level[c] for c in below], default=0)
        highest = [c for c in below if level[c] == top]
        # One child is higher than the others: its chain goes on. The others' values are subtracted,
        # and are known by then, as their levels are lower.
        if len(highest) == 1:
            path = chain[highest[0]]
            below = [c for c in below if c != highest[0]]
        else:
            top += bool(below)
            path = []
            levels.extend([[] for _ in range(top + 1 - len(levels))])
            levels[top].append(path)
        path.append(_Edge(v, parent, below, len(highest) == 1))
        level[v], chain[v] = top, path
        children.setdefault(parent, []).append(v)
