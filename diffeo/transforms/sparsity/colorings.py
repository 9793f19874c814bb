"""Colour the columns (rows, variables) of a sparse matrix: those of one colour share one product.

`Coloring` says which products must be taken, and where each nonzero is then found. Columns of one
colour share no row. So the product of the Jacobian with the sum of their unit vectors shows each of
their nonzeros. A matrix with three columns in which the first and the last share no row needs two
products: colours [0, 1, 0].

The greedy algorithms and their names are those of Gebremedhin, Manne and Pothen 2005, "What color
is your Jacobian?": distance-2 colourings of rows or columns, both together, and two kinds for
symmetric matrices. In a star colouring, each nonzero stands alone in a product by itself or by its
mirror image. In an acyclic colouring, the nonzeros are found by substitution (see
`substitution.py`).

Start reading at `color_jacobian` and `color_columns`. The graphs and orders are in `orderings.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...primitives.core import with_user_line
from .index_sets import IndexSets
from .orderings import (
    ORDERINGS,
    Graph,
    lists,
    meeting,
    order_of,
    transposed,
    without_self,
)
from .pattern import Sparsity
from .substitution import Substitution, substitution

#: Above this number of nonzeros only the natural order is tried unless another is asked for.
QUICK = 20_000
#: The greatest number of colours tried for a colouring in turn: 0, 1, 2, 0, 1, 2 ...
IN_TURN = 64


@dataclass(frozen=True, eq=False)
class Coloring:
    """Which products to take for a pattern, and where its nonzeros are found.

    Attributes:
        method: "column", "row" or "bidirectional" for Jacobians, "star" or "acyclic" for Hessians.
        columns: the colour of each column, or -1; column j belongs to the direction `columns[j]`
            of forward mode. None without such products.
        rows: the same for the rows and reverse mode.
        places: where each nonzero is found: product number times its length plus element, those
            of forward mode first, counted through. Not for "acyclic".
        substitution: how nonzeros are found, for "acyclic".
    """

    method: str
    columns: np.ndarray | None
    rows: np.ndarray | None
    places: np.ndarray | None = None
    substitution: Substitution | None = None

    @property
    def forward(self) -> int:
        """The number of products of forward mode."""
        return count_colors(self.columns)

    @property
    def backward(self) -> int:
        """The number of products of reverse mode."""
        return count_colors(self.rows)

    @property
    def count(self) -> int:
        """The number of colours: of products."""
        return self.forward + self.backward


def count_colors(colors: np.ndarray | None) -> int:
    """Return how many colours there are."""
    return 0 if colors is None or not len(colors) else int(colors.max()) + 1


def check_ordering(ordering: str) -> None:
    """Check that there is such an ordering; ValueError otherwise."""
    if ordering not in ORDERINGS:
        raise with_user_line(
            ValueError(f"ordering must be one of {', '.join(ORDERINGS)}, got {ordering!r}")
        )


# --------------------------------------------------------------------------------------------------
# Jacobians


def color_jacobian(pattern: Sparsity, method: str, ordering: str) -> Coloring:
    """Return the colouring of a Jacobian by a method; with "auto", that of the fewest products."""
    check_ordering(ordering)
    ways = {"column": _by_columns, "row": _by_rows, "bidirectional": _both_ways}
    if method in ways:
        return ways[method](pattern, ordering)
    best = _by_columns(pattern, ordering)
    usual = pattern.nnz / max(1, min(pattern.shape))
    if pattern.nnz > QUICK and best.count <= 2 * usual:  # others are not much better
        return best
    if best.count > int(np.bincount(pattern.cols, minlength=1).max()):  # the fewest of any rows'
        row = _by_rows(pattern, ordering)
        best = row if row.count < best.count else best
    if best.count <= max(3, usual):
        return best
    both = _both_ways(pattern, ordering)
    return both if both.count < best.count else best


def sets_of(pattern: Sparsity) -> IndexSets:
    """Return the rows of a pattern as sets of columns."""
    return IndexSets(pattern.bounds, pattern.cols, pattern.shape[1])


def _by_columns(pattern: Sparsity, ordering: str) -> Coloring:
    colors = color_columns(sets_of(pattern), ordering)
    places = colors[pattern.cols] * pattern.shape[0] + pattern.rows
    return Coloring("column", colors, None, places)


def _by_rows(pattern: Sparsity, ordering: str) -> Coloring:
    colors = color_columns(transposed(sets_of(pattern)), ordering)
    return Coloring("row", None, colors, colors[pattern.rows] * pattern.shape[1] + pattern.cols)


def color_columns(rows: IndexSets, ordering: str = "auto") -> np.ndarray:
    """Return the colour of each column, or -1 for a column without nonzeros.

    Columns that share a row have different colours.
    """
    # All columns of the fullest row need different colours.
    least = int(rows.sizes.max(initial=0))
    used = np.bincount(rows.numbers, minlength=rows.total) > 0
    if not least:
        return np.full(rows.total, -1)
    if ordering == "auto":
        turn = np.arange(rows.total) % least
        owners, numbers = rows.pairs()
        if _counts(owners * least + turn[numbers]).max() == 1:  # no colouring has fewer
            return np.where(used, turn, -1)
    columns = lists(transposed(rows))
    colorings = []
    for name in _orders(ordering, len(rows.numbers), int(np.sum(rows.sizes**2))):
        order = range(rows.total) if name == "natural" else order_of(meeting(rows), name)
        colorings.append(_greedy(columns, rows.count, order))
        if count_colors(colorings[-1]) == least:
            break
    return np.where(used, min(colorings, key=count_colors), -1)


def _counts(keys: np.ndarray) -> np.ndarray:
    """Return for each of some numbers how often it is among them: [5, 7, 5] gives [2, 1, 2]."""
    if keys.max(initial=0) < 16 * len(keys):
        return np.bincount(keys)[keys] if len(keys) else keys
    _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return counts[places]


def _orders(ordering: str, nonzeros: int, edges: int) -> Sequence[str]:
    """Return the orders to try."""
    if ordering != "auto":
        return [ordering]
    few = nonzeros <= QUICK and edges <= 20 * QUICK
    return ["natural", "largest_first", "smallest_last"] if few else ["natural"]


def _greedy(columns: Graph, count: int, order: Any) -> np.ndarray:
    """Give each column, in this order, the least colour that none of its rows has seen.

    The set of colours that a row has seen is the bits of a Python integer.
    """
    seen = [0] * count
    colors = np.zeros(len(columns), np.int64)
    for j in order:
        taken = 0
        for i in columns[j]:
            taken |= seen[i]
        bit = ~taken & (taken + 1)  # the lowest bit that is not set: the least colour left
        for i in columns[j]:
            seen[i] |= bit
        colors[j] = bit.bit_length() - 1
    return colors


def _both_ways(pattern: Sparsity, ordering: str) -> Coloring:
    """Take some rows by reverse mode, and the nonzeros of all other rows by forward mode.

    Or the same with rows and columns exchanged. The fullest rows go first; several numbers of them
    are tried. This is a star bicolouring in which the rows of forward mode are neutral (Coleman and
    Verma 1998).
    """
    best, sides = None, (pattern, pattern.T)
    for side, way in zip(sides, ("by rows", "by columns")):
        degrees = np.bincount(side.rows, minlength=side.shape[0])
        for least in _thresholds(degrees):
            chosen = degrees >= least
            split = chosen[side.rows]
            m, n = side.shape
            thin = Sparsity((m, n), side.rows[~split], side.cols[~split])
            full = Sparsity((n, m), side.cols[split], side.rows[split])
            full = Sparsity.from_places(full.rows, full.cols, full.shape)
            columns = color_columns(sets_of(thin), ordering)
            rows = color_columns(sets_of(full), ordering)
            total = count_colors(columns) + count_colors(rows)
            if best is None or total < best[0]:
                best = total, way, columns, rows, chosen
    assert best is not None
    total, way, columns, rows, chosen = best
    if way == "by columns":
        columns, rows = rows, columns
        forward = chosen[pattern.cols]
    else:
        forward = ~chosen[pattern.rows]
    m, n = pattern.shape
    offset = count_colors(columns) * m
    places = np.where(
        forward,
        columns[pattern.cols] * m + pattern.rows,
        offset + rows[pattern.rows] * n + pattern.cols,
    )
    return Coloring("bidirectional", columns, rows, places)


def _thresholds(degrees: np.ndarray) -> list[int]:
    """Return numbers of nonzeros from which a row may count as full.

    These are at most 8: none, all, and those between which the degrees jump most.
    """
    values = np.unique(degrees[degrees > 0])
    if not len(values):
        return [1]
    jumps = values[1:] / values[:-1]
    widest = np.argsort(-jumps, kind="stable")[:6]
    if degrees.sum() > QUICK:  # each one tried takes time
        widest = widest[jumps[widest] > 2]
    return [int(values[-1]) + 1, *values[widest + 1].tolist(), 1]


# --------------------------------------------------------------------------------------------------
# Hessians


def color_hessian(pattern: Sparsity, method: str, ordering: str) -> Coloring:
    """Return the colouring of a Hessian, whose pattern must be symmetric."""
    check_ordering(ordering)
    graph = without_self(sets_of(pattern))
    if method == "acyclic":
        colors = _best_of(graph, ordering, _acyclic)
        return Coloring("acyclic", colors, None, None, substitution(pattern, colors))
    colors = color_star(graph, ordering)
    direct = colors[pattern.cols] * pattern.shape[0] + pattern.rows
    mirrored = colors[pattern.rows] * pattern.shape[0] + pattern.cols
    return Coloring("star", colors, None, np.where(_alone(pattern, colors), direct, mirrored))


def _alone(pattern: Sparsity, colors: np.ndarray) -> np.ndarray:
    """Return which nonzeros (i, j) are the only ones of row i in columns of the colour of j."""
    return _counts(pattern.rows * count_colors(colors) + colors[pattern.cols]) == 1


def is_star(graph: IndexSets, colors: np.ndarray) -> bool:
    """Return whether neighbours differ, and each edge is alone of its colour at one of its ends."""
    rows, cols = graph.pairs()
    edges = Sparsity((graph.count, graph.count), rows, cols)
    alone = _alone(edges, colors)
    mirrored = _alone(Sparsity(edges.shape, cols, rows), colors)
    return bool(np.all(colors[rows] != colors[cols]) and np.all(alone | mirrored))


def color_star(graph: IndexSets, ordering: str = "auto") -> np.ndarray:
    """Return the colours of a star colouring: no path of 4 vertices has only 2 colours."""
    if ordering == "auto":
        owners, numbers = graph.pairs()
        steps = np.unique(np.abs(owners - numbers))
        neighbours = -(-len(numbers) // max(1, graph.count))  # on average, as bands have
        for count in range(1, min(neighbours + 1, IN_TURN) + 1):
            if len(steps) <= IN_TURN and np.all(steps % count):
                colors = np.arange(graph.count) % count
                if is_star(graph, colors):
                    return colors
    return _best_of(graph, ordering, _star)


def _best_of(graph: IndexSets, ordering: str, algorithm: Callable) -> np.ndarray:
    neighbours, orders = lists(graph), _orders(ordering, len(graph.numbers), 0)
    colorings = [algorithm(neighbours, order_of(graph, name)) for name in orders]
    return min(colorings, key=count_colors)


def _star(graph: Graph, order: Sequence[int]) -> np.ndarray:
    """Give each vertex, in this order, the least colour that makes no path of 4 vertices with 2
    colours.

    A vertex may not get three sorts of colours. First, those of its neighbours. Second, the colours
    around a neighbour that has no colour yet: so no two neighbours of a vertex are alike before
    that vertex has a colour. Third, colours that would prolong a path: c(x), for a neighbour w and
    a neighbour x of w beside which there is another vertex of the colour of w.
    """
    colors, around, prolonged = ([v] * len(graph) for v in (-1, 0, 0))
    first: dict[tuple[int, int], int] = {}
    for v in order:
        taken = 0
        for w in graph[v]:
            taken |= around[w] if colors[w] < 0 else 1 << colors[w] | prolonged[w]
        bit = ~taken & (taken + 1)
        color = colors[v] = bit.bit_length() - 1
        for w in graph[v]:
            if around[w] & bit:  # then w has a colour
                prolonged[v] |= 1 << colors[w]
                prolonged[first[w, color]] |= 1 << colors[w]
            else:
                around[w] |= bit
                first[w, color] = v
    return np.array(colors, np.int64)


def _acyclic(graph: Graph, order: Sequence[int]) -> np.ndarray:
    """Give each vertex, in this order, the least colour that closes no cycle of 2 colours.

    The trees of two colours are kept as disjoint sets: (vertex, other colour) stands for the tree
    of that vertex's colour and the other colour. A colour may not be taken if two neighbours of one
    colour are in the same tree of their colour and that colour: the vertex would close a cycle.
    """
    colors = [-1] * len(graph)
    around: list[set[int]] = [set() for _ in graph]
    parents: dict[tuple[int, int], tuple[int, int]] = {}

    def root(node: tuple[int, int]) -> tuple[int, int]:
        while (above := parents.setdefault(node, node)) != node:
            parents[node] = parents[above]
            node = parents[node]
        return node

    for v in order:
        # The neighbours that have a colour already.
        beside = [w for w in graph[v] if colors[w] >= 0]
        taken = {colors[w] for w in beside}
        through: dict[tuple[int, int], int] = {}
        for w in beside:
            # Two neighbours of one colour in one tree, seen from both: v would close the cycle.
            for color in around[w] - taken:
                if through.setdefault(root((w, color)), w) != w:
                    taken.add(color)
        color = 0
        while color in taken:
            color += 1
        colors[v] = color
        for w in graph[v]:
            around[w].add(color)
        # The edges from v join the trees of v's colour and the colours of its neighbours.
        for w in beside:
            parents[root((v, colors[w]))] = root((w, color))
    return np.array(colors, np.int64)
