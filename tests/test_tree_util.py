"""Trees by the names of jax.tree_util, and a tree as one vector."""

from __future__ import annotations

import enum
import functools
from collections import namedtuple
from dataclasses import dataclass, field

import numpy as np
import pytest

import diffeo as dx
from tests.checks import close

dnp = dx.numpy

try:
    import jax
    import jax.flatten_util

    jax.config.update("jax_enable_x64", True)
except ImportError:
    jax = None

needs_jax = pytest.mark.skipif(jax is None, reason="jax is not installed")


# --------------------------------------------------------------------------------------------------
# Trees

Point = namedtuple("Point", "x y")


class Colour(enum.StrEnum):
    RED = enum.auto()
    BLUE = enum.auto()


class Plain(enum.Enum):
    ONE, TWO = 1, 2


class Keyed:
    """A container whose children have names."""

    def __init__(self, a, b):
        self.a, self.b = a, b

    def __eq__(self, other):
        return isinstance(other, Keyed) and (self.a, self.b) == (other.a, other.b)

    def tree_flatten_with_keys(self):
        return (("a", self.a), ("b", self.b)), "static"

    @classmethod
    def tree_unflatten(cls, aux, children):
        assert aux == "static"
        return cls(*children)


@dataclass
class Layer:
    weight: object
    name: str = field(default="layer", metadata={"static": True})


@functools.cache
def both():
    """(module, class with keys, dataclass, static class), for diffeo and for jax."""
    spaces = []
    for util in [dx.tree_util] + ([jax.tree_util] if jax else []):
        keyed = util.register_pytree_with_keys_class(type("Keyed", (Keyed,), {}))
        layer = util.register_dataclass(type("Layer", (Layer,), {}))
        static = util.register_static(type("Static", (str,), {}))
        spaces.append((util, keyed, layer, static))
    return spaces


TREES = {
    "list": lambda keyed, layer, static: [1, (2, 3), None],
    "dict": lambda keyed, layer, static: {"b": 1, "a": {"c": 2}},
    "numbers": lambda keyed, layer, static: {3: 1, 1: (2,)},
    "enum": lambda keyed, layer, static: {Colour.RED: 1, Colour.BLUE: 2},
    "named": lambda keyed, layer, static: Point(1, [2, 3]),
    "keyed": lambda keyed, layer, static: [keyed(1, {"k": 2})],
    "dataclass": lambda keyed, layer, static: (layer(1, "n"), layer((2, 3))),
    "static": lambda keyed, layer, static: {"s": static("text"), "x": 1},
    "empty": lambda keyed, layer, static: (),
}


def partial_of(util):
    return util.Partial(max, 3, key=abs)


@needs_jax
@pytest.mark.parametrize("name", TREES)
def test_trees_are_taken_apart_as_jax_does(name):
    results = []
    for util, *classes in both():
        tree = TREES[name](*classes)
        leaves, structure = util.tree_flatten(tree)
        pairs = util.tree_leaves_with_path(tree)
        paths = [util.keystr(p) for p, _ in pairs]
        simple = [util.keystr(p, simple=True, separator="/") for p, _ in pairs]
        again = util.tree_unflatten(structure, [10 * x for x in leaves])
        children = [util.tree_leaves(c) for c in util.flatten_one_level(tree)[0]]
        keys = [str(k) for k, _ in util.flatten_one_level_with_keys(tree)[0]]
        if name == "named":  # jaxlib 0.10 gives every item the name of the first
            keys = [".x", ".y"]
        mapped = util.tree_map_with_path(lambda p, x, util=util: util.keystr(p) + str(x), tree)
        results.append((
            leaves, [x for _, x in pairs], paths, simple, util.tree_leaves(again), children, keys,
            util.tree_leaves(mapped), structure.num_leaves, structure.num_nodes,
            [c.num_leaves for c in util.treedef_children(structure)],
            bool(leaves) and util.treedef_is_leaf(structure),
            util.treedef_tuple((structure,)).num_nodes,
            util.tree_all(tree), util.tree_reduce(lambda a, b: a + b, tree, 0),
            util.tree_reduce_associative(lambda a, b: a + b, tree, identity=0),
            util.all_leaves(leaves), util.is_tree_node(type(tree)),
        ))  # fmt: skip
    assert results[0] == results[1]


@needs_jax
def test_partial_is_a_tree_as_jaxs():
    shown = []
    for util, *_ in both():
        partial = partial_of(util)
        assert partial(-4) == -4
        leaves, structure = util.tree_flatten(partial)
        assert util.tree_unflatten(structure, leaves)(-4) == -4
        shown.append((leaves, structure.num_nodes))
    assert shown[0] == shown[1]


@needs_jax
def test_signatures_are_jaxs():
    import inspect

    for name in dir(jax.tree_util):
        theirs = getattr(jax.tree_util, name)
        if name.startswith("_") or not inspect.isfunction(theirs):
            continue
        theirs, ours = (inspect.signature(getattr(u, name)) for u in (jax.tree_util, dx.tree_util))
        names = [[p.name for p in s.parameters.values()] for s in (theirs, ours)]
        assert names[0] == names[1], name


def test_trees_by_their_older_names():
    util = dx.tree_util
    tree = {"a": (1, 2), "b": [3, 4]}
    assert util.tree_transpose(
        util.tree_structure((0, 0)), util.tree_structure([0, 0]), ([1, 2], [3, 4])
    ) == [(1, 3), (2, 4)]
    assert util.tree_broadcast({"a": 1, "b": 2}, tree) == {"a": (1, 1), "b": [2, 2]}
    assert util.tree_map(lambda x, y: x + y, tree, tree) == {"a": (2, 4), "b": [6, 8]}
    with pytest.raises(ValueError, match="leaf"):
        util.flatten_one_level(3.0)
    assert util.is_tree_node(type(None)) and not util.is_tree_node(np.ndarray)
    assert util.default_registry.flatten(tree)[0] == [1, 2, 3, 4]
    for flatten in (util.tree_flatten, util.tree_leaves_with_path):
        for keys in ((1, "a"), (Plain.ONE, Plain.TWO)):
            with pytest.raises(ValueError, match="cannot be sorted") as caught:
                flatten(dict.fromkeys(keys, 0))
            assert "not supported between instances" in str(caught.value)


# --------------------------------------------------------------------------------------------------
# A tree as one vector


@needs_jax
@pytest.mark.parametrize(
    "tree",
    [
        {"a": np.ones((2, 2)), "b": [np.arange(3.0), 2.0]},
        (np.ones(2, "float32"), np.arange(2), True),
        [np.zeros((0, 3)), np.ones(1)],
        (np.ones(2, "complex64"), 1.0),
        [],
    ],
    ids=["floats", "mixed", "none", "complex", "empty"],
)
def test_ravel_pytree_is_jaxs(tree):
    flat, unravel = dx.flatten_util.ravel_pytree(tree)
    theirs, their_unravel = jax.flatten_util.ravel_pytree(tree)
    assert flat.dtype == theirs.dtype and flat.shape == theirs.shape
    close(flat, theirs)
    ours, expected = unravel(2 * flat), their_unravel(2 * theirs)
    for a, b in zip(dx.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        close(a, b)


def test_ravel_pytree_in_transformations():
    tree = {"a": np.ones((2, 2)), "b": np.arange(3.0)}
    flat, unravel = dx.flatten_util.ravel_pytree(tree)
    energy = lambda v: dnp.sum(unravel(v)["a"] ** 2) + dnp.sum(unravel(v)["b"] ** 3)
    expected = np.concatenate([2 * np.ones(4), 3 * np.arange(3.0) ** 2])
    close(dx.grad(energy)(flat), expected)
    close(dx.jit(dx.grad(energy))(flat), expected)
    close(np.diag(dx.hessian(energy)(flat)), np.concatenate([2 * np.ones(4), 6 * np.arange(3.0)]))
    rows = dx.vmap(lambda v: unravel(v)["b"])(np.stack([flat, flat]))
    assert rows.shape == (2, 3)
    again = dx.flatten_util.ravel_pytree(tree)[1]
    assert again == unravel and hash(again) == hash(unravel)
    assert again != dx.flatten_util.ravel_pytree([np.ones(7)])[1]
    with pytest.raises(TypeError, match="7 numbers"):
        unravel(np.ones(8))
    mixed = dx.flatten_util.ravel_pytree((np.ones(1, "float32"), np.ones(1)))[1]
    with pytest.raises(TypeError, match="float64"):
        mixed(np.ones(2, "float32"))
