"""Graphs of patterns, and the orders in which greedy colourings look at their vertices.

A graph is an `IndexSets` that holds the neighbours of each vertex, or the same as lists of integers
(`Graph`), for loops in Python.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ...primitives.core import with_user_line
from .index_sets import LIMIT, IndexSets

#: The orders that a user may ask for; "auto" takes the best of some.
ORDERINGS = ("auto", "natural", "largest_first", "smallest_last", "incidence_degree")

#: The neighbours of each vertex.
Graph = Sequence[Sequence[int]]


def lists(sets: IndexSets) -> list[list[int]]:
    """Return sets as lists of Python integers, which loops handle faster."""
    numbers, bounds = sets.numbers.tolist(), sets.bounds.tolist()
    return [numbers[a:b] for a, b in pairwise(bounds)]


def transposed(sets: IndexSets) -> IndexSets:
    """Return for each number the elements whose sets contain the number."""
    owners, numbers = sets.pairs()
    return IndexSets.from_pairs(numbers, owners, sets.total, sets.count)


def meeting(rows: IndexSets) -> IndexSets:
    """Return for each column the other columns that have a nonzero in the same row."""
    pairs = int(np.sum(rows.sizes**2))
    if pairs > LIMIT:
        raise with_user_line(
            ValueError(
                f"ordering: {pairs:.2g} pairs of columns share a row, more than {LIMIT}, which "
                'this order of the colouring would look at; use ordering="natural", or "auto"'
            )
        )
    columns = transposed(rows)
    owners, elements = columns.pairs()
    return without_self(rows.combine(columns.count, owners, elements))


def without_self(sets: IndexSets) -> IndexSets:
    """Return the neighbours in a graph, without vertices that are their own neighbours."""
    owners, numbers = sets.pairs()
    other = owners != numbers
    return IndexSets.from_pairs(owners[other], numbers[other], sets.count, sets.total)


def order_of(graph: IndexSets, ordering: str) -> list[int]:
    """Return the vertices of a graph in the order in which they are coloured."""
    if ordering == "natural":
        return list(range(graph.count))
    if ordering == "largest_first":
        return np.argsort(-graph.sizes, kind="stable").tolist()
    if ordering == "smallest_last":
        return _by_neighbours(lists(graph), graph.sizes.tolist())[::-1]
    return _by_neighbours(lists(graph), [0] * graph.count)


def _by_neighbours(graph: Graph, keys: list[int]) -> list[int]:
    """Return the vertices in the order of their keys, which change on the way.

    Take the vertex with the least key; take 1 off the keys of its neighbours; repeat. Keys that
    start as degrees stay the degrees in what is left of the graph. So the order is smallest last,
    read from its end. Keys that start as 0 count the neighbours that have been taken, with a minus
    sign: that is incidence degree.
    """
    heap = [(key, v) for v, key in enumerate(keys)]
    heapq.heapify(heap)
    taken = [False] * len(graph)
    order = []
    while heap:
        key, v = heapq.heappop(heap)
        # An entry of the heap is not changed when a key is: a new one is added, and the old one is
        # skipped here.
        if taken[v] or key != keys[v]:
            continue
        taken[v] = True
        order.append(v)
        for w in graph[v]:
            if not taken[w]:
                keys[w] -= 1
                heapq.heappush(heap, (keys[w], w))
    return order
