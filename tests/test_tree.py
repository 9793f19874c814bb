"""Trees: laws on random trees, jax as the oracle, registered classes, messages."""

import dataclasses
import pickle
import threading
from collections import OrderedDict, defaultdict, deque, namedtuple
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffeo.lowering import pytree
from diffeo.trees import tree

try:
    import jax
except ModuleNotFoundError:
    jax = None

Point = namedtuple("Point", "x y")

leaves = st.integers() | st.floats(allow_nan=False) | st.just("leaf")
names = st.sampled_from("abcde")
trees = st.recursive(
    leaves | st.none(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.lists(children, max_size=3).map(lambda items: deque(items, maxlen=5))
        | st.tuples(children, children).map(lambda pair: Point(*pair))
        | st.dictionaries(names, children, max_size=3)
        | st.dictionaries(names, children, max_size=3).map(OrderedDict)
        | st.dictionaries(names, children, max_size=3).map(lambda items: defaultdict(list, items))
    ),
    max_leaves=12,
)


def has_deque(value):
    return any(
        isinstance(node, deque)
        for node in tree.leaves(value, is_leaf=lambda node: isinstance(node, deque))
    )


# --------------------------------------------------------------------------------------------------
# Laws


@given(trees)
def test_flatten_and_unflatten_are_inverse(value):
    found, treedef = tree.flatten(value)
    assert tree.unflatten(treedef, found) == value
    assert type(tree.unflatten(treedef, found)) is type(value)
    assert tree.leaves(value) == found and tree.structure(value) == treedef
    assert len(found) == treedef.num_leaves


@given(trees)
def test_map_keeps_the_structure(value):
    mapped = tree.map(lambda leaf: (leaf, "again"), value)
    assert (
        tree.transpose(tree.structure(value), None, mapped)[0] == value
        if tree.leaves(value)
        else mapped == value
    )
    assert tree.map(lambda a, b: a is b, value, value) == tree.map(lambda a: True, value)


@given(trees)
def test_paths_lead_to_the_leaves(value):
    pairs, treedef = tree.flatten_with_path(value)
    assert treedef == tree.structure(value) and [leaf for _, leaf in pairs] == tree.leaves(value)
    for path, leaf in pairs:
        node = value
        for key in path:
            node = (
                getattr(node, key.name)
                if isinstance(key, tree.GetAttrKey)
                else node[key.idx if isinstance(key, tree.SequenceKey) else key.key]
            )
        assert node is leaf


@given(trees)
def test_structures_are_pickled(value):
    treedef = tree.structure(value)
    assert pickle.loads(pickle.dumps(treedef)) == treedef


@settings(max_examples=300)
@given(trees, trees)
def test_first_difference_agrees_with_equality_of_structures(a, b):
    same = tree.structure(a) == tree.structure(b)
    assert (tree.first_difference(a, b) is None) == same
    assert (tree.first_difference(tree.structure(a), tree.structure(b)) is None) == same
    assert tree.first_difference(a, a) is None


@settings(max_examples=300)
@given(trees, trees)
def test_first_difference_agrees_with_map_about_prefixes(a, b):
    found = tree.first_difference(a, b, prefix=True)
    try:
        tree.map(lambda x, y: x, a, b)
    except ValueError as error:
        assert found is not None and "at " in str(error)
    else:
        assert found is None


@pytest.mark.skipif(jax is None, reason="jax is not installed")
@given(trees)
def test_as_jax(value):
    if has_deque(value):
        return  # a leaf in jax
    assert tree.leaves(value) == jax.tree.leaves(value)
    assert tree.structure(value).num_nodes == jax.tree.structure(value).num_nodes
    ours, theirs = tree.leaves_with_path(value), jax.tree_util.tree_leaves_with_path(value)
    assert [tree.keystr(p) for p, _ in ours] == [jax.tree_util.keystr(p) for p, _ in theirs]
    for options in ({"simple": True, "separator": "/"}, {"separator": "."}):
        assert [tree.keystr(p, **options) for p, _ in ours] == [
            jax.tree_util.keystr(p, **options) for p, _ in theirs
        ]


# --------------------------------------------------------------------------------------------------
# Functions


def test_dictionaries_are_sorted_and_ordered_ones_are_not():
    assert tree.leaves({"b": 1, "a": 2}) == [2, 1]
    assert tree.structure({"b": 1, "a": 2}) == tree.structure({"a": 1, "b": 2})
    assert tree.leaves(OrderedDict(b=1, a=2)) == [1, 2]
    with pytest.raises(ValueError, match="cannot be sorted"):
        tree.flatten({1: 1, "a": 2})


def test_map_over_several_trees_and_subtrees():
    assert tree.map(lambda a, b, c: (a, b, c), [1], [[2, 3]], [{"x": 4}]) == [(1, [2, 3], {"x": 4})]
    assert tree.map(lambda x: x is None, [None, 1], is_leaf=lambda x: x is None) == [True, False]


def test_reductions():
    assert tree.reduce(lambda a, b: a + b, {"a": [1, 2], "b": 3}) == 6
    assert tree.reduce(lambda a, b: a + b, [], 10) == 10
    assert tree.reduce(lambda a, b: (a, b), [1, 2, 3], None) == (((None, 1), 2), 3)
    assert tree.reduce_associative(lambda a, b: f"({a}{b})", [*"abcde"]) == "(((ab)(cd))e)"
    assert tree.reduce_associative(max, (), identity=0) == 0
    assert tree.all([True, {"a": 1}]) and not tree.all([True, 0]) and tree.all([])
    for empty in (tree.reduce, tree.reduce_associative):
        with pytest.raises(TypeError, match="without leaves"):
            empty(max, [])


def test_transpose():
    outer, inner = tree.structure([0, 0, 0]), tree.structure({"a": 0, "b": 0})
    value = [{"a": 1, "b": 2}, {"a": 3, "b": 4}, {"a": 5, "b": 6}]
    expected = {"a": [1, 3, 5], "b": [2, 4, 6]}
    assert tree.transpose(outer, inner, value) == tree.transpose(outer, None, value) == expected
    with pytest.raises(TypeError, match=r"at \[1\]: .* list"):
        tree.transpose(outer, inner, [value[0], [1, 2], value[2]])


def test_prefixes():
    full = {"a": (1, [2, 3]), "b": None, "c": 4}
    assert tree.broadcast_prefix({"a": 7, "b": 8, "c": 9}, full) == [7, 7, 7, 9]
    assert tree.broadcast({"a": 7, "b": 8, "c": 9}, full) == {"a": (7, [7, 7]), "b": None, "c": 9}
    assert tree.broadcast_prefix(5, full) == [5] * 4
    with pytest.raises(ValueError, match=r"at \['a'\]: the prefix has a tuple of 3"):
        tree.broadcast_prefix({"a": (1, 2, 3), "b": None, "c": 1}, full)


def test_axes():
    arguments = ({"w": 1.0, "b": [2.0, None]}, 3.0)
    for given_tree in (arguments, tree.structure(arguments)):
        assert tree.flatten_axes("in_axes", given_tree, 0) == [0, 0, 0]
        assert tree.flatten_axes("in_axes", given_tree, None) == [None] * 3
        assert tree.flatten_axes("in_axes", given_tree, (None, 1)) == [None, None, 1]
        assert tree.flatten_axes("in_axes", given_tree, [{"w": 0, "b": None}, 1]) == [None, 0, 1]
        with pytest.raises(ValueError, match=r"in_axes .* at \[0\]\['w'\].* no such key, but 'b'"):
            tree.flatten_axes("in_axes", given_tree, ({"b": 0}, 1))
        with pytest.raises(ValueError, match="at the top: in_axes has a tuple of 3"):
            tree.flatten_axes("in_axes", given_tree, (0, 0, 0))


def test_all_leaves_and_treedefs():
    assert tree.all_leaves([1, "a", np.ones(3)])
    assert not tree.all_leaves([1, [2]]) and not tree.all_leaves([None])
    assert tree.all_leaves([None, (1, 2)], is_leaf=lambda x: x is None or isinstance(x, tuple))
    leaf = tree.structure(0)
    assert tree.treedef_is_leaf(leaf)
    assert not any(tree.treedef_is_leaf(tree.structure(x)) for x in ((), None, [1], [[]]))
    pair = tree.treedef_tuple([leaf, tree.structure([1, 2])])
    assert pair == tree.structure((1, [2, 3])) and tree.treedef_children(pair)[0] == leaf


def test_map_with_path():
    value = {"a": [1, 2], "b": Point(3, None)}
    paths = tree.map_with_path(lambda path, x, y: (tree.keystr(path), x, y), value, value)
    assert paths["b"].x == ("['b'].x", 3, 3) and paths["a"][1] == ("['a'][1]", 2, 2)
    is_leaf = lambda node: isinstance(node, list)
    assert len(tree.leaves_with_path(value, is_leaf)) == 2
    with_path = lambda path, node: tree.keystr(path) == "['b']"
    found = tree.leaves_with_path(value, with_path, is_leaf_takes_path=True)
    assert [tree.keystr(path) for path, _ in found] == ["['a'][0]", "['a'][1]", "['b']"]


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ({"a": 1}, {"b": 2}, "at ['a']: the first tree has a leaf (int), the second has no such"
                             " key, but 'b'"),
        ({}, {"b": [2]}, "at ['b']: the second has a list of 1, the first tree has no such key (its"
                         " dictionary is empty)"),
        ([1, (2, 3)], [1, [2, 3]], "at [1]: the first tree has a tuple of 2, the second a list"),
        ([1, None], [1, 2], "at [1]: the first tree has None, the second a leaf (int)"),
        (Point(1, (2,)), Point(1, ()), "at .y: the first tree has a tuple of 1, the second a tuple"
                                       " of 0"),
        ((1,), 2, "at the top: the first tree has a tuple of 1, the second a leaf (int)"),
        (deque([1], 3), deque([1], 4), "at the top: both have a deque, but the first tree with the"
                                       " static data 3, the second with 4"),
    ],
)  # fmt: skip
def test_messages_name_the_place(a, b, message):
    assert message in (tree.first_difference(a, b) or "")
    with pytest.raises(ValueError) as caught:
        tree.map(lambda x, y: x, a, b)
    assert message in str(caught.value)


def test_the_third_tree_is_called_so():
    with pytest.raises(ValueError, match="tree 3 a leaf"):
        tree.map(lambda x, y, z: x, [1], [1], 1)


# --------------------------------------------------------------------------------------------------
# Classes


def test_register_pytree_node():
    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

    assert len(tree.leaves(Pair(1, 2))) == 1
    tree.register_pytree_node(Pair, lambda p: ((p.a, p.b), "aux"), lambda _, ab: Pair(*ab))
    assert tree.leaves([Pair(1, Pair(2, None)), 3]) == [1, 2, 3]
    assert [tree.keystr(p) for p, _ in tree.leaves_with_path(Pair(1, 2))] == [
        "[<flat index 0>]", "[<flat index 1>]"
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"Pair.* once"):
        tree.register_pytree_node(Pair, lambda p: ((), None), lambda *_: None)
    with pytest.raises(ValueError, match="dict"):
        tree.register_pytree_node(dict, lambda p: ((), None), lambda *_: None)
    with pytest.raises(TypeError, match="class"):
        tree.register_pytree_node(3, lambda p: ((), None), lambda *_: None)


def test_class_decorators():
    @tree.register_pytree_node_class
    class Scaled:
        def __init__(self, x, unit):
            self.x, self.unit = x, unit

        def tree_flatten(self):
            return (self.x,), self.unit

        @classmethod
        def tree_unflatten(cls, unit, children):
            return cls(*children, unit)

    doubled = tree.map(lambda x: 2 * x, Scaled(2.0, "m"))
    assert type(doubled) is Scaled and (doubled.x, doubled.unit) == (4.0, "m")
    found = tree.first_difference(Scaled(1, "m"), Scaled(1, "s"))
    assert "static data 'm'" in found and "'s'" in found
    with pytest.raises(TypeError, match="tree_flatten"):
        tree.register_pytree_node_class(type("Empty", (), {}))


def test_keys():
    @tree.register_pytree_with_keys_class
    class Named:
        def __init__(self, **items):
            self.items = items

        def tree_flatten_with_keys(self):
            return [(tree.GetAttrKey(k), v) for k, v in self.items.items()], tuple(self.items)

        @classmethod
        def tree_unflatten(cls, names, children):
            return cls(**dict(zip(names, children)))

    value = Named(w=1, b=[2])
    assert tree.leaves(value) == [1, 2]
    assert [tree.keystr(p) for p, _ in tree.leaves_with_path(value)] == [".w", ".b[0]"]
    assert tree.map(lambda x: -x, value).items == {"w": -1, "b": [-2]}
    assert "at .b:" in tree.first_difference(value, Named(w=1, b=[2, 3]))


def test_static_classes():
    @tree.register_static
    @dataclasses.dataclass(frozen=True)
    class Config:
        n: int

    assert tree.leaves([Config(3), 1]) == [1]
    assert tree.structure(Config(3)) == tree.structure(Config(3)) != tree.structure(Config(4))
    assert tree.map(lambda x: x, Config(3)) == Config(3)
    assert "Config(n=3)" in tree.first_difference(Config(3), Config(4))


@tree.register_dataclass
@dataclasses.dataclass
class Layer:
    weight: object
    bias: object = None
    name: str = tree.static(default="layer")
    calls: int = dataclasses.field(default=0, init=False)


def test_dataclasses():
    layer = Layer(1, (2, 3), "first")
    assert tree.leaves(layer) == [1, 2, 3]
    assert tree.map(lambda x: -x, layer) == Layer(-1, (-2, -3), "first")
    assert "'first'" in tree.first_difference(layer, Layer(1, (2, 3), "second"))
    assert "at .bias[1]" in tree.first_difference(layer, Layer(1, (2, None), "first"))
    assert pickle.loads(pickle.dumps(tree.structure(layer))) == tree.structure(layer)
    with pytest.raises(ValueError, match="once"):
        tree.register_dataclass(Layer)


@pytest.mark.parametrize("how", ["function", "partial", "decorator"])
def test_dataclass_fields_by_name(how):
    @dataclasses.dataclass
    class Item:
        a: int
        b: int
        c: int = 5

    options = {"data_fields": ["a"], "meta_fields": ["b"], "drop_fields": ["c"]}
    if how == "function":
        assert tree.register_dataclass(Item, **options) is Item
    elif how == "partial":
        partial(tree.register_dataclass, **options)(Item)
    else:
        tree.register_dataclass(**options)(Item)
    assert tree.map(lambda x: -x, Item(1, 2, 3)) == Item(-1, 2, 5)


def test_dataclass_errors():
    class Plain:
        a: int

    @dataclasses.dataclass
    class Item:
        a: int
        b: int

    with pytest.raises(TypeError, match="not a dataclass"):
        tree.register_dataclass(Plain)
    with pytest.raises(ValueError, match=r"data_fields \['a'\].*\['a', 'b'\]"):
        tree.register_dataclass(Item, data_fields=["a"], meta_fields=[])
    with pytest.raises(ValueError, match="once"):
        tree.register_dataclass(Item, data_fields=["a", "b"], meta_fields=["b"])
    with pytest.raises(TypeError, match="takes a class"):
        tree.register_dataclass(Item(1, 2))


def scale(a, x, offset=0):
    return a * x + offset


def test_partial():
    inner = partial(scale, 2)
    function = tree.Partial(inner, 3, offset=1)
    assert function() == 7 and tree.leaves(function) == [3, 1]
    assert tree.map(lambda x: 10 * x, function)() == 70
    assert tree.structure(function) == tree.structure(tree.Partial(inner, 0, offset=0))
    assert [tree.keystr(p) for p, _ in tree.leaves_with_path(function)] == [
        ".args[0]", ".keywords['offset']"
    ]  # fmt: skip
    assert pickle.loads(pickle.dumps(tree.Partial(scale, 2)))(4) == 8


def test_registration_in_many_threads():
    classes = [type(f"Class{i}", (), {}) for i in range(20)]
    failures = []

    def work():
        for cls in classes:
            try:
                tree.register_pytree_node(cls, lambda _: ((1,), None), lambda *_: None)
            except ValueError:
                failures.append(cls)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(failures) == 60
    assert all(tree.leaves(cls()) == [1] for cls in classes)


def test_the_shared_registry_is_left_alone():
    shared = pytree.pytree.default_registry()
    assert not shared.is_node(Layer) and not shared.is_node(tree.Partial)
    assert shared is not pytree.registry
