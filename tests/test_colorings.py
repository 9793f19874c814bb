"""Colourings of random patterns: what they promise, and that nonzeros are found again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diffeo as dx
from diffeo.primitives import Array
from diffeo.transforms.sparsity.colorings import (
    color_hessian,
    color_jacobian,
    color_star,
    is_star,
    sets_of,
)
from diffeo.transforms.sparsity.orderings import ORDERINGS, meeting, order_of, without_self
from diffeo.transforms.sparsity.substitution import substitution


@st.composite
def matrices(draw, square=False):
    """Patterns of all densities, some with full rows and columns, of numbers that tell apart."""
    m = draw(st.integers(1, 12))
    n = m if square else draw(st.integers(1, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    there = random.random((m, n)) < draw(st.sampled_from([0.0, 0.1, 0.2, 0.4, 0.9]))
    for _ in range(draw(st.integers(0, 2))):
        there[random.integers(m)] = True
    for _ in range(draw(st.integers(0, 2))):
        there[:, random.integers(n)] = True
    return np.where(there, random.uniform(1, 2, (m, n)), 0)


def symmetric(matrix):
    return matrix + matrix.T


orderings = st.sampled_from(ORDERINGS)


def nonzeros(matrix):
    """The values of a matrix in the order of its pattern."""
    return matrix[matrix != 0]


def seeds(colors):
    """The directions of a colouring, one in each row."""
    count = max(0, *(colors + 1)) if len(colors) else 0
    return (np.arange(count)[:, None] == colors).astype(float)


def products_of(matrix, coloring):
    """All products that a colouring asks for, in one vector."""
    parts = []
    if coloring.columns is not None:
        parts.append(seeds(coloring.columns) @ matrix.T)
    if coloring.rows is not None:
        parts.append(seeds(coloring.rows) @ matrix)
    return np.concatenate([p.ravel() for p in parts])


@settings(max_examples=300)
@given(matrices(), st.sampled_from(["auto", "column", "row", "bidirectional"]), orderings)
def test_jacobians(matrix, method, ordering):
    pattern = dx.Sparsity.of(matrix)
    coloring = color_jacobian(pattern, method, ordering)
    assert method in ("auto", coloring.method)
    found = products_of(matrix, coloring)[coloring.places]
    np.testing.assert_array_equal(found, nonzeros(matrix))  # alone in its product: no sums
    for colors, rows in ((coloring.columns, matrix), (coloring.rows, matrix.T)):
        if coloring.method != "bidirectional" and colors is not None:
            used = (rows != 0).any(0)
            assert np.all((colors >= 0) == used)
            assert np.max((rows != 0) @ (colors[:, None] == np.arange(20)), initial=0) <= 1


@settings(max_examples=300)
@given(matrices(square=True), orderings)
def test_star(matrix, ordering):
    matrix = symmetric(matrix)
    pattern = dx.Sparsity.of(matrix)
    coloring = color_hessian(pattern, "star", ordering)
    found = products_of(matrix, coloring)[coloring.places]
    np.testing.assert_array_equal(found, nonzeros(matrix))
    # No path of 4 vertices has 2 colours.
    beside, colors = (matrix != 0) & ~np.eye(len(matrix), dtype=bool), coloring.columns
    for a, b in np.argwhere(beside):
        assert colors[a] != colors[b]
        for c in np.flatnonzero(beside[b]):
            if c != a and colors[c] == colors[a]:
                ends = [d for d in np.flatnonzero(beside[c]) if d != b]
                assert not any([colors[d] == colors[b] for d in ends])


@settings(max_examples=300)
@given(matrices(square=True), orderings)
def test_acyclic(matrix, ordering):
    matrix = symmetric(matrix)
    coloring = color_hessian(dx.Sparsity.of(matrix), "acyclic", ordering)
    colors, n = coloring.columns, len(matrix)
    edges = [(i, j) for i, j in np.argwhere(matrix != 0) if i < j]
    assert all([colors[i] != colors[j] for i, j in edges])
    for pair in itertools.combinations(range(coloring.count), 2):
        trees = list(range(n))  # each vertex points to the number of its tree

        for i, j in edges:
            if {colors[i], colors[j]} == set(pair):
                assert trees[i] != trees[j], "a cycle of two colours"
                trees = [trees[i] if t == trees[j] else t for t in trees]
    products = Array(products_of(matrix, coloring))
    np.testing.assert_allclose(coloring.substitution.apply(products), nonzeros(matrix), 1e-10)


def band(n, width):
    return (np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= width) * 1.0


def arrow(n):
    matrix = np.eye(n)
    matrix[0] = matrix[:, 0] = 1
    return matrix


def count(matrix, method="auto", ordering="auto"):
    kind = color_hessian if method in ("star", "acyclic") else color_jacobian
    return kind(dx.Sparsity.of(matrix), method, ordering).count


def test_numbers_of_colors():
    assert count(band(50, 1), "column") == count(band(50, 1), "row") == 3
    assert count(band(50, 1), "star") == 3 and count(band(50, 1), "acyclic") == 2
    assert count(band(50, 2), "star") == 5 and count(band(50, 2), "acyclic") == 3
    for ordering in ORDERINGS:
        assert count(arrow(30), "column", ordering) == 30
        assert count(arrow(30), "bidirectional", ordering) == count(arrow(30)) == 3
        assert count(arrow(30), "star", ordering) == count(arrow(30), "acyclic", ordering) == 2
    assert count(np.ones((1, 40))) == count(np.ones((40, 1))) == 1
    assert color_jacobian(dx.Sparsity.of(np.ones((1, 40))), "auto", "auto").method == "row"
    blocks = np.kron(np.eye(10), np.ones((4, 4)))
    assert count(blocks, "column") == count(blocks, "star") == 4
    assert count(np.zeros((5, 4))) == count(np.zeros((0, 4))) == count(np.zeros((4, 0))) == 0
    assert count(np.zeros((4, 4)), "star") == 1


def test_orderings():
    # A star with a path at its end: 0 is the hub.
    graph = without_self(sets_of(dx.Sparsity.of(symmetric(np.eye(6) + np.array(
        [[0, 1, 1, 1, 0, 0]] + [[0] * 6] * 2 + [[0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1], [0] * 6]
    )))))  # fmt: skip
    assert order_of(graph, "natural") == [0, 1, 2, 3, 4, 5]
    assert order_of(graph, "largest_first") == [0, 3, 4, 1, 2, 5]
    incidence = order_of(graph, "incidence_degree")
    # Everybody after the first has a neighbour before.
    dense = np.zeros((6, 6), bool)
    dense[graph.pairs()] = True
    assert all([dense[v, incidence[:k]].any() for k, v in enumerate(incidence) if k])
    last = order_of(graph, "smallest_last")
    # Each has few neighbours before it: one, in a tree.
    assert all([dense[v, last[:k]].sum() <= 1 for k, v in enumerate(last)])


def test_columns_that_meet():
    matrix = np.array([[1, 1, 0, 0], [0, 0, 0, 1], [0, 1, 1, 0]])
    found = meeting(sets_of(dx.Sparsity.of(matrix)))
    dense = np.zeros((4, 4), bool)
    dense[found.pairs()] = True
    np.testing.assert_array_equal(dense, (matrix.T @ matrix > 0) & ~np.eye(4, dtype=bool))


def test_star_by_turns_is_checked():
    graph = without_self(sets_of(dx.Sparsity.of(band(9, 1))))
    assert is_star(graph, np.arange(9) % 3) and not is_star(graph, np.arange(9) % 2)
    ring = band(10, 1)
    ring[0, -1] = ring[-1, 0] = 1  # 10 is no multiple of 3
    graph = without_self(sets_of(dx.Sparsity.of(ring)))
    assert is_star(graph, color_star(graph))


def test_substitution_is_accurate_in_long_chains():
    n = 3000
    random = np.random.default_rng(0)
    matrix = np.diag(random.normal(size=n)) + symmetric(np.diag(random.normal(size=n - 1), 1))
    coloring = color_hessian(dx.Sparsity.of(matrix), "acyclic", "auto")
    assert coloring.count == 2 and len(coloring.substitution.levels) <= np.log2(n) + 1
    found = coloring.substitution.apply(Array(products_of(matrix, coloring)))
    np.testing.assert_allclose(found, nonzeros(matrix), 0, 1e-11)


def test_substitution_in_a_full_binary_tree():
    n = 255
    matrix = np.eye(n)
    for v in range(1, n):
        matrix[v, (v - 1) // 2] = matrix[(v - 1) // 2, v] = v
    depth = np.floor(np.log2(np.arange(1, n + 1))).astype(int)
    found = substitution(dx.Sparsity.of(matrix), depth % 2)
    assert len(found.levels) == 7  # one for each depth
    products = (np.arange(2)[:, None] == depth % 2) @ matrix
    np.testing.assert_allclose(found.apply(Array(products.ravel())), nonzeros(matrix), 1e-12)


def test_full_row_of_many_columns():
    n = 6000
    rows, cols = np.concatenate([[np.arange(n), np.arange(n)], [[0] * n, np.arange(n)]], 1)
    pattern = dx.Sparsity.from_places(rows, cols, (n, n))
    assert color_jacobian(pattern, "auto", "auto").count == 2
    with pytest.raises(ValueError, match=r'share a row.* use ordering="natural"'):
        color_jacobian(pattern, "column", "largest_first")


@pytest.mark.parametrize("method", ["column", "star"])
def test_unknown_ordering(method):
    with pytest.raises(ValueError, match="ordering must be one of auto, natural"):
        count(band(4, 1), method, "best")
