"""Nonzeros of a symmetric matrix from products with an acyclic colouring, by substitution.

The edges between two colours are trees. At a leaf v with its parent p, the product for p's colour
has at v the nonzero (v, p) alone; at any other vertex it has that and the nonzeros of the children,
which are subtracted. A tree is taken apart into chains that go upwards, each one linear recurrence;
all chains of a level are computed at once. A chain ends where a vertex has several children of its
level, so there are at most log2 n levels (Horton's and Strahler's numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...operations.cumulative import LinearRecurrence
from ...operations.sort import take_along_axis
from ...primitives.array import Array
from ...primitives.words.elementwise import neg
from ...primitives.words.index_dims import IndexDims
from ...primitives.words.indexing import ScatterAdd
from ...primitives.words.slicing import concatenate, slice_in_dim
from .pattern import Sparsity


def taken(x: Any, places: np.ndarray) -> Any:
    """`x[places]` of a vector."""
    if not len(places):
        return slice_in_dim(x, 0, 0)
    return take_along_axis(x, Array(places), 0, "promise_in_bounds")


class Level(NamedTuple):
    """Chains: where the products have each of their values, which of them follow the one before,
    and the values (by number) that are subtracted from some of them.
    """

    places: np.ndarray
    follows: np.ndarray
    minuends: np.ndarray
    subtrahends: np.ndarray


@dataclass(frozen=True, eq=False)
class Substitution:
    """The values of the diagonal are at `diagonal` of the products, then come those of the levels;
    `values` are the numbers of the nonzeros' values.
    """

    diagonal: np.ndarray
    levels: Sequence[Level]
    values: np.ndarray

    def apply(self, products: Any) -> Any:
        """The nonzeros, from all products in one vector."""
        found = taken(products, self.diagonal)
        for level in self.levels:
            b = taken(products, level.places)
            if len(level.minuends):
                less = neg.bind(taken(found, level.subtrahends))
                add = ScatterAdd(IndexDims((), (0,), (0,)))
                b = add.bind(b, Array(level.minuends[:, None]), less)
            if level.follows.any():
                a = Array(np.where(level.follows, -1, 0).astype(b.dtype))
                b = LinearRecurrence(0).bind(a, b)
            found = concatenate([found, b])
        return taken(found, self.values)


class _Edge(NamedTuple):
    """An edge from a vertex up to its parent, and the vertices of the edges below that are
    subtracted; `follows` is whether one more is, the one before in the chain.
    """

    vertex: int
    parent: int
    below: list[int]
    follows: bool


def substitution(pattern: Sparsity, colors: np.ndarray) -> Substitution:
    """How to find the nonzeros of a symmetric pattern with an acyclic colouring."""
    n = pattern.shape[0]
    chains = _chains(pattern, colors.tolist())
    on_diagonal = pattern.rows[pattern.rows == pattern.cols]
    number = {v * n + v: k for k, v in enumerate(on_diagonal.tolist())}
    levels = []
    for level in chains:
        start = len(number)
        edges = [edge for chain in level for edge in chain]
        pairs = [(k, number[c * n + e.vertex]) for k, e in enumerate(edges) for c in e.below]
        for k, e in enumerate(edges):
            number[e.vertex * n + e.parent] = start + k
        places = colors[[e.parent for e in edges]] * n + [e.vertex for e in edges]
        minuends, subtrahends = np.array(pairs, np.int64).reshape(-1, 2).T
        levels.append(Level(places, np.array([e.follows for e in edges]), minuends, subtrahends))
    upwards = (i * n + j for i, j in zip(pattern.rows.tolist(), pattern.cols.tolist()))
    values = [number[k] if k in number else number[k % n * n + k // n] for k in upwards]
    diagonal = colors[on_diagonal] * n + on_diagonal
    return Substitution(diagonal, levels, np.array(values, np.int64))


def _chains(pattern: Sparsity, colors: list[int]) -> list[list[list[_Edge]]]:
    """The chains of each level of all trees of two colours."""
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
    """(vertex, parent) of a tree of the root's colour and another, parents first; the root's
    parent is -1.
    """
    order, first, second = [(root, -1)], colors[root], other
    visited.add((root, other))
    for v, _ in order:
        own, opposite = (first, second) if colors[v] == first else (second, first)
        for w in beside[v].get(opposite, ()):
            if (w, own) not in visited:
                visited.add((w, own))
                order.append((w, v))
    return order


def _climb(tree: Sequence[tuple[int, int]], levels: list[list[list[_Edge]]]) -> None:
    """Sort the edges of a tree into chains, from the leaves to the root."""
    children: dict[int, list[int]] = {}
    level: dict[int, int] = {}
    chain: dict[int, list[_Edge]] = {}
    for v, parent in reversed(tree[1:]):
        below = children.pop(v, [])
        top = max([level[c] for c in below], default=0)
        highest = [c for c in below if level[c] == top]
        if len(highest) == 1:
            own = chain[highest[0]]
            below = [c for c in below if c != highest[0]]
        else:
            top += bool(below)
            own = []
            levels.extend([[] for _ in range(top + 1 - len(levels))])
            levels[top].append(own)
        own.append(_Edge(v, parent, below, len(highest) == 1))
        level[v], chain[v] = top, own
        children.setdefault(parent, []).append(v)
