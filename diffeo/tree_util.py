"""Trees by the names of `jax.tree_util`: those of `diffeo.tree` with `tree_` before them."""

from collections.abc import Hashable, Iterable
from typing import Any, TypeAlias

from .lowering import pytree
from .primitives.core import describe
from .trees.tree import (
    DictKey,
    FlattenedIndexKey,
    GetAttrKey,
    Partial,
    PyTreeDef,
    SequenceKey,
    all_leaves,
    keystr,
    register_dataclass,
    register_pytree_node,
    register_pytree_node_class,
    register_pytree_with_keys,
    register_pytree_with_keys_class,
    register_static,
    treedef_children,
    treedef_is_leaf,
    treedef_tuple,
)
from .trees.tree import all as tree_all
from .trees.tree import broadcast as tree_broadcast
from .trees.tree import flatten as tree_flatten
from .trees.tree import flatten_with_path as tree_flatten_with_path
from .trees.tree import leaves as tree_leaves
from .trees.tree import leaves_with_path as tree_leaves_with_path
from .trees.tree import map as tree_map
from .trees.tree import map_with_path as tree_map_with_path
from .trees.tree import reduce as tree_reduce
from .trees.tree import reduce_associative as tree_reduce_associative
from .trees.tree import structure as tree_structure
from .trees.tree import transpose as tree_transpose
from .trees.tree import unflatten as tree_unflatten

__all__ = [
    "DictKey", "FlattenedIndexKey", "GetAttrKey", "KeyEntry", "KeyPath", "Partial", "PyTreeDef",
    "SequenceKey", "all_leaves", "default_registry", "flatten_one_level",
    "flatten_one_level_with_keys", "is_tree_node", "keystr", "register_dataclass",
    "register_pytree_node", "register_pytree_node_class", "register_pytree_with_keys",
    "register_pytree_with_keys_class", "register_static", "tree_all", "tree_broadcast",
    "tree_flatten", "tree_flatten_with_path", "tree_leaves", "tree_leaves_with_path", "tree_map",
    "tree_map_with_path", "tree_reduce", "tree_reduce_associative", "tree_structure",
    "tree_transpose", "tree_unflatten", "treedef_children", "treedef_is_leaf", "treedef_tuple",
]  # fmt: skip

#: One step of a path: a `DictKey`, `SequenceKey`, `GetAttrKey`, or a key of a class's own.
KeyEntry: TypeAlias = Any
#: A path to a leaf.
KeyPath: TypeAlias = tuple[KeyEntry, ...]

#: The registry of containers. It is diffeo's own; what is registered with jax is taken over.
default_registry: Any = pytree.registry


def flatten_one_level(tree: Any) -> tuple[Iterable[Any], Hashable]:
    """Return (children, static data) of a container; its children are not taken apart.

    Raises:
        ValueError: for a leaf.

    Examples:
        >>> from diffeo.tree_util import flatten_one_level
        >>> flatten_one_level({"a": (1, 2), "b": 3})
        ([(1, 2), 3], ('a', 'b'))
    """
    pairs, static = _level(tree)
    return [child for _, child in pairs], static


def flatten_one_level_with_keys(tree: Any) -> tuple[Iterable[tuple[KeyEntry, Any]], Hashable]:
    """Return ([(key, child), ...], static data) of a container.

    Raises:
        ValueError: for a leaf.

    Examples:
        >>> from diffeo.tree_util import flatten_one_level_with_keys
        >>> flatten_one_level_with_keys([1, (2, 3)])
        ([(SequenceKey(idx=0), 1), (SequenceKey(idx=1), (2, 3))], None)
    """
    return _level(tree)


def _level(tree: Any) -> tuple[list[tuple[Any, Any]], Any]:
    if tree is None:
        return [], None
    level = pytree.one_level(tree)
    if level is None:
        raise ValueError(f"flatten_one_level: can't tree-flatten a leaf, {describe(tree)}")
    return level


def is_tree_node(typ: type) -> bool:
    """Return whether instances of a class are containers.

    Examples:
        >>> from diffeo.tree_util import is_tree_node
        >>> is_tree_node(list), is_tree_node(int), is_tree_node(type(None))
        (True, False, True)
    """
    return bool(pytree.registry.is_node(typ)) or pytree.adopt(typ)
