"""Trees: nested containers with arrays as leaves. Public as `diffeo.tree`.

Containers are None (without leaves), tuple, list, dict (leaves in the order of the sorted keys),
named tuples, OrderedDict, defaultdict, deque, the classes registered here, and those that are
registered with jax. Everything else is a leaf. Many functions take `is_leaf`: a container for which
it returns True is a leaf, too.

A *structure*, or treedef, is a tree without its leaves. A tree is a *prefix* of another if leaves
of it may stand where the other has whole subtrees: `(0, 1)` is a prefix of `([1, 2], 3)`.

Examples:
    >>> from diffeo.trees import tree
    >>> tree.map(lambda x, y: x + y, {"a": 1, "b": (2, 3)}, {"a": 10, "b": (20, 30)})
    {'a': 11, 'b': (22, 33)}
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Iterable
from typing import Any

from ..lowering import pytree
from ..lowering.pytree import (
    DictKey,
    FlattenedIndexKey,
    GetAttrKey,
    PyTreeDef,
    SequenceKey,
    flatten_adopting,
)
from ..primitives.core import describe
from . import adopted  # noqa: F401  (jax's arrays)
from .difference import first_difference
from .registration import (
    Partial,
    never_containers,  # noqa: F401  (for the other floors)
    register_dataclass,
    register_pytree_node,
    register_pytree_node_class,
    register_pytree_with_keys,
    register_pytree_with_keys_class,
    register_static,
    static,
)

__all__ = [
    "flatten", "unflatten", "leaves", "structure", "map", "reduce", "reduce_associative", "all",
    "transpose", "broadcast", "broadcast_prefix", "flatten_axes", "all_leaves", "first_difference",
    "flatten_with_path", "leaves_with_path", "map_with_path", "keystr",
    "DictKey", "FlattenedIndexKey", "GetAttrKey", "SequenceKey",
    "PyTreeDef", "treedef_children", "treedef_is_leaf", "treedef_tuple",
    "register_pytree_node", "register_pytree_node_class", "register_pytree_with_keys",
    "register_pytree_with_keys_class", "register_dataclass", "register_static", "static",
    "Partial",
]  # fmt: skip

IsLeaf = Callable[[Any], bool] | None

_NOTHING: Any = object()


def flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], PyTreeDef]:
    """Return the leaves of a tree, and its structure.

    Raises:
        ValueError: if the keys of a dictionary cannot be sorted.

    Examples:
        >>> flatten({"b": [1, 2], "a": None})
        ([1, 2], PyTreeDef({'a': None, 'b': [*, *]}))
    """
    return flatten_adopting(tree, is_leaf)


def unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> Any:
    """Build the tree of a structure and its leaves.

    Raises:
        TypeError: for what is no structure, or no leaves.
        ValueError: if the number of leaves is not the structure's.
    """
    try:
        return treedef.unflatten(leaves)
    except (AttributeError, TypeError):
        if isinstance(treedef, PyTreeDef) and isinstance(leaves, Iterable):
            raise  # of a registered class
        _check_structure("unflatten: treedef", treedef)
        raise TypeError(f"tree.unflatten: leaves: expected some, got {describe(leaves)}") from None


def _check_structure(what: str, treedef: Any) -> None:
    if not isinstance(treedef, PyTreeDef):
        raise TypeError(
            f"tree.{what} must be a structure, as tree.structure gives it, got {describe(treedef)}"
        )


def _check_function(what: str, f: Any) -> None:
    if not callable(f):
        raise TypeError(f"tree.{what} must be a function, got {describe(f)}")


def leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """Return the leaves of a tree."""
    return flatten_adopting(tree, is_leaf)[0]


def structure(tree: Any, is_leaf: IsLeaf = None) -> PyTreeDef:
    """Return the structure of a tree: what it is without its leaves. Compares and hashes."""
    return flatten_adopting(tree, is_leaf)[1]


def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """Apply a function to every leaf, and to the parts of other trees that stand at its place.

    Args:
        f: takes one argument per tree.
        tree: gives the structure of the result.
        rest: trees of the same structure, or with subtrees where `tree` has leaves.
        is_leaf: says which containers in `tree` are leaves.

    Raises:
        ValueError: if a tree does not have the structure; names the first place.
    """
    if not callable(f):
        _check_function("map: f", f)
    tree_leaves, treedef = flatten_adopting(tree, is_leaf)
    if not rest:
        return treedef.unflatten([f(leaf) for leaf in tree_leaves])
    columns = [_columns(tree, treedef, other, n, is_leaf) for n, other in enumerate(rest)]
    return treedef.unflatten([f(*row) for row in zip(tree_leaves, *columns)])


def _columns(tree: Any, treedef: PyTreeDef, other: Any, number: int, is_leaf: IsLeaf) -> list[Any]:
    """Return what stands in one of the other trees of `map` at the places of the leaves.

    If `tree` is `(1, {"a": 2})` and `other` is `(10, {"a": (20, 30)})`, it is `[10, (20, 30)]`.
    """
    try:
        return treedef.flatten_up_to(other)
    except ValueError as error:
        names = ("the first tree", "the second" if number == 0 else f"tree {number + 2}")
        difference = first_difference(tree, other, is_leaf, prefix=True, names=names)
        if difference is None:  # a registered class raised it
            raise
        raise ValueError(f"tree.map: the trees have different structures: {difference}") from error


def reduce(
    function: Callable[[Any, Any], Any],
    tree: Any,
    initializer: Any = _NOTHING,
    is_leaf: IsLeaf = None,
) -> Any:
    """Return `function(... function(function(initializer, leaf 0), leaf 1) ..., leaf n)`.

    Raises:
        TypeError: for a tree without leaves if there is no initializer.
    """
    _check_function("reduce: function", function)
    tree_leaves = leaves(tree, is_leaf)
    if initializer is not _NOTHING:
        return functools.reduce(function, tree_leaves, initializer)
    if not tree_leaves:
        raise TypeError("tree.reduce: a tree without leaves needs an initializer")
    return functools.reduce(function, tree_leaves)


def reduce_associative(
    operation: Callable[[Any, Any], Any],
    tree: Any,
    *,
    identity: Any = _NOTHING,
    is_leaf: IsLeaf = None,
) -> Any:
    """Combine the leaves in a balanced order, so that a long sum loses fewer digits.

    Raises:
        TypeError: for a tree without leaves if there is no identity.
    """
    values = leaves(tree, is_leaf)
    if not values:
        if identity is _NOTHING:
            raise TypeError("tree.reduce_associative: a tree without leaves needs an identity")
        return identity
    # Combine neighbours: [a, b, c, d, e] becomes [ab, cd, e], then [abcd, e].
    while len(values) > 1:
        paired = [operation(a, b) for a, b in zip(values[::2], values[1::2])]
        values = paired + values[len(paired) * 2 :]
    return values[0]


def all(tree: Any, *, is_leaf: IsLeaf = None) -> bool:
    """Return whether all leaves are true."""
    return builtins.all(leaves(tree, is_leaf))


def transpose(
    outer_treedef: PyTreeDef, inner_treedef: PyTreeDef | None, pytree_to_transpose: Any
) -> Any:
    """Turn a tree of trees inside out: [(a, b), (c, d)] becomes ([a, c], [b, d]).

    Args:
        outer_treedef: the structure above.
        inner_treedef: the structure below; None: that of the first tree.
        pytree_to_transpose: the tree, whose structure is the two composed.

    Raises:
        TypeError: if it is not.
    """
    _check_structure("transpose: outer_treedef", outer_treedef)
    if inner_treedef is not None:
        _check_structure("transpose: inner_treedef", inner_treedef)
    flat, treedef = flatten_adopting(pytree_to_transpose)
    inner: Any = inner_treedef
    if inner is None:
        parts = outer_treedef.flatten_up_to(pytree_to_transpose)
        if not parts:
            raise TypeError("tree.transpose: an outer structure without leaves needs inner_treedef")
        inner = structure(parts[0])
    expected = outer_treedef.compose(inner)
    if treedef != expected:
        where = first_difference(expected, treedef, names=("the given structure", "the tree"))
        raise TypeError(
            "tree.transpose: the tree is not made of trees of the inner structure: "
            f"{where or f'expected {expected}, got {treedef}'}"
        )
    width = inner.num_leaves
    # The leaves of all inner trees stand one after the other: every `width`-th leaf, from i on, is
    # leaf i of an inner tree.
    columns = [outer_treedef.unflatten(flat[i::width]) for i in range(width)]
    return inner.unflatten(columns)


def broadcast_prefix(prefix_tree: Any, full_tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """Repeat each leaf of the prefix, once for each leaf of the subtree of `full_tree` at its
    place.

    Raises:
        ValueError: if the first is not a prefix of the second; names the first place.

    Examples:
        >>> broadcast_prefix((1, 2), ([10, 20, 30], 40))
        [1, 1, 1, 2]
    """
    prefix_leaves, treedef = flatten_adopting(prefix_tree, is_leaf)
    try:
        parts = treedef.flatten_up_to(full_tree)
    except ValueError as error:
        names = ("the prefix", "the full tree")
        where = first_difference(prefix_tree, full_tree, is_leaf, prefix=True, names=names)
        if where is None:
            raise
        raise ValueError(f"not a prefix of the tree: {where}") from error
    result: list[Any] = []
    for leaf, part in zip(prefix_leaves, parts):
        result.extend([leaf] * flatten_adopting(part, is_leaf)[1].num_leaves)
    return result


def broadcast(prefix_tree: Any, full_tree: Any, is_leaf: IsLeaf = None) -> Any:
    """Return the prefix, grown to the structure of `full_tree`."""
    return structure(full_tree, is_leaf).unflatten(
        broadcast_prefix(prefix_tree, full_tree, is_leaf)
    )


def flatten_axes(name: str, tree: Any, axes: Any) -> list[Any]:
    """Return one axis (or None) per leaf, from a prefix such as vmap's `in_axes`; None is a leaf in
    it.

    Args:
        name: what the user calls it, for the message: "in_axes of vmap".
        tree: the tree, or its treedef.
        axes: a prefix of it. A list is taken for a tuple at the top.

    Raises:
        ValueError: if it is no prefix; names the first place.

    Examples:
        >>> flatten_axes("in_axes", ({"w": 1.0, "b": 2.0}, 3.0), (None, 0))
        [None, None, 0]
    """
    treedef = tree if isinstance(tree, PyTreeDef) else structure(tree)
    # Arrays could be mistaken for axes by a container's own rules; plain objects are not.
    full = treedef.unflatten([object()] * treedef.num_leaves)
    if isinstance(axes, list) and isinstance(full, tuple):
        axes = tuple(axes)
    axis_leaves, axes_def = flatten_adopting(axes, _is_none)
    try:
        parts = axes_def.flatten_up_to(full)
    except ValueError as error:
        names = (name, "the values")
        where = first_difference(axes, full, _is_none, prefix=True, names=names)
        raise ValueError(
            f"{name} must be a prefix of the tree of values it is for: {where or error}. One axis "
            "may stand for a whole subtree, None for no axis"
        ) from None
    result: list[Any] = []
    for axis, part in zip(axis_leaves, parts):
        result.extend([axis] * pytree.flatten(part)[1].num_leaves)
    return result


def _is_none(x: Any) -> bool:
    return x is None


def all_leaves(iterable: Iterable[Any], is_leaf: IsLeaf = None) -> bool:
    """Return whether none of the items is a container."""
    items = list(iterable)
    item_leaves = leaves(items, is_leaf)
    return len(item_leaves) == len(items) and builtins.all(
        a is b for a, b in zip(item_leaves, items)
    )


# --------------------------------------------------------------------------------------------------
# Paths


def flatten_with_path(
    tree: Any, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> tuple[list[tuple[tuple[Any, ...], Any]], PyTreeDef]:
    """Return ([(path, leaf), ...], structure). A path is a tuple of keys (`DictKey`, `SequenceKey`,
    `GetAttrKey`, `FlattenedIndexKey`, or a class's own); see `keystr`.

    Args:
        tree: the tree.
        is_leaf: as everywhere.
        is_leaf_takes_path: call it with (path, node) instead of (node).
    """
    says_leaf = is_leaf
    if is_leaf is not None and not is_leaf_takes_path:
        says_leaf = functools.partial(_ignore_path, is_leaf)
    # A leaf may be of a class that is registered with jax only: such classes are taken over, and
    # the tree is flattened anew.
    while True:
        try:
            pairs, treedef = pytree.registry.flatten_with_path(tree, says_leaf)
        except ValueError as error:
            if "Comparator raised exception" not in str(error):
                raise
            raise ValueError(pytree.unsorted_keys(error)) from error.__cause__
        if not pytree.adopt_all(type(leaf) for _, leaf in pairs):
            return pairs, treedef


def _ignore_path(is_leaf: Callable[[Any], bool], path: tuple[Any, ...], node: Any) -> bool:
    return is_leaf(node)


def leaves_with_path(
    tree: Any, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> list[tuple[tuple[Any, ...], Any]]:
    """Return [(path, leaf), ...] of a tree."""
    return flatten_with_path(tree, is_leaf, is_leaf_takes_path)[0]


def map_with_path(
    f: Callable[..., Any],
    tree: Any,
    *rest: Any,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> Any:
    """Apply a function as `map` does, with the path of the leaf as its first argument.

    Examples:
        >>> map_with_path(lambda path, x: keystr(path), {"a": [1, 2]})
        {'a': ["['a'][0]", "['a'][1]"]}
    """
    pairs, treedef = flatten_with_path(tree, is_leaf, is_leaf_takes_path)
    simple_is_leaf = None if is_leaf_takes_path else is_leaf
    columns = [_columns(tree, treedef, other, n, simple_is_leaf) for n, other in enumerate(rest)]
    return treedef.unflatten([f(*pair, *row) for pair, *row in zip(pairs, *columns)])


def keystr(keys: Iterable[Any], *, simple: bool = False, separator: str = "") -> str:
    """Write a path as text.

    Examples:
        >>> [(path, _)] = leaves_with_path({"layers": [{"w": 1}]})
        >>> keystr(path), keystr(path, simple=True, separator="/")
        ("['layers'][0]['w']", 'layers/0/w')
    """
    return separator.join([_simple_key(key) if simple else str(key) for key in keys])


def _simple_key(key: Any) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


# --------------------------------------------------------------------------------------------------
# Structures


def treedef_is_leaf(treedef: PyTreeDef) -> bool:
    """Return whether the structure is that of a single leaf."""
    return treedef.num_nodes == 1 and treedef.num_leaves == 1


def treedef_children(treedef: PyTreeDef) -> list[PyTreeDef]:
    """Return the structures of the children of the top container."""
    return treedef.children()


def treedef_tuple(treedefs: Iterable[PyTreeDef]) -> PyTreeDef:
    """Return the structure of a tuple of trees of the given structures."""
    return pytree.treedef_tuple(list(treedefs))
