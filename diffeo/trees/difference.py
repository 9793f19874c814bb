"""Where two trees differ in structure, in words: for the errors of everything that takes trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..lowering import pytree
from ..primitives.support.exact import Exact


class _AnyLeaf:
    """A stand-in for the leaves of a treedef, of which nothing is known."""


def first_difference(
    tree_a: Any,
    tree_b: Any,
    is_leaf: Callable[[Any], bool] | None = None,
    *,
    prefix: bool = False,
    names: tuple[str, str] = ("the first tree", "the second"),
) -> str | None:
    """Return the first place where two trees have different structures, or None if they have the
    same.

    Args:
        tree_a, tree_b: trees or treedefs. What the leaves are does not matter.
        is_leaf: treat a node for which it says True as a leaf.
        prefix: a leaf of `tree_a` may stand for a whole subtree of `tree_b`.
        names: how the message calls them.

    Examples:
        >>> from diffeo.trees.difference import first_difference
        >>> first_difference({"a": 1, "b": (1, 2)}, {"a": 1, "b": (1, 2, 3)})
        "at ['b']: the first tree has a tuple of 2, the second a tuple of 3"
        >>> first_difference({"a": 1}, {"b": 2})
        "at ['a']: the first tree has a leaf (int), the second has no such key, but 'b'"
    """
    pair = [_with_any_leaves(t) if isinstance(t, pytree.PyTreeDef) else t for t in (tree_a, tree_b)]
    return _difference(pair[0], pair[1], (), is_leaf, prefix, names)


def _with_any_leaves(treedef: pytree.PyTreeDef) -> Any:
    return treedef.unflatten([_AnyLeaf()] * treedef.num_leaves)


def _difference(
    a: Any,
    b: Any,
    path: tuple[Any, ...],
    is_leaf: Callable[[Any], bool] | None,
    prefix: bool,
    names: tuple[str, str],
) -> str | None:
    # One level of a tree is (pairs of key and child, static data); None for a leaf.
    level_a, level_b = (
        None if is_leaf and is_leaf(node) else pytree.one_level(node) for node in (a, b)
    )
    if level_a is None and (prefix or level_b is None):
        return None
    said_a, said_b = _describe(a, level_a), _describe(b, level_b)
    if level_a is None or level_b is None or type(a) is not type(b):
        return f"{_at(path)}: {names[0]} has {said_a}, {names[1]} {said_b}"
    pairs_a, aux_a = level_a
    pairs_b, aux_b = level_b
    if isinstance(a, dict) and set(a) != set(b):
        return _key_difference(a, b, path, names)
    if len(pairs_a) != len(pairs_b):
        return f"{_at(path)}: {names[0]} has {said_a}, {names[1]} {said_b}"
    if Exact(aux_a) != Exact(aux_b):
        return (
            f"{_at(path)}: both have a {type(a).__name__}, but {names[0]} with the static data "
            f"{aux_a!r}, {names[1]} with {aux_b!r}"
        )
    for (key, child_a), (_, child_b) in zip(pairs_a, pairs_b):
        difference = _difference(child_a, child_b, (*path, key), is_leaf, prefix, names)
        if difference:
            return difference
    return None


def _key_difference(a: dict, b: dict, path: tuple[Any, ...], names: tuple[str, str]) -> str:
    """Describe the first key that only one of two dictionaries has."""
    # `holder` is the dictionary that has a key alone, `other` the one without it.
    holder, other, (name, other_name) = a, b, names
    alone = [key for key in a if key not in b]
    if not alone:
        holder, other, (other_name, name) = b, a, names
        alone = [key for key in b if key not in a]
    child = holder[alone[0]]
    known = f", but {_keys(other)}" if other else " (its dictionary is empty)"
    return (
        f"{_at((*path, pytree.DictKey(alone[0])))}: {name} has "
        f"{_describe(child, pytree.one_level(child))}, {other_name} has no such key{known}"
    )


def _at(path: tuple[Any, ...]) -> str:
    return f"at {''.join(map(str, path))}" if path else "at the top"


def _describe(node: Any, level: tuple[list, Any] | None) -> str:
    if node is None:
        return "None"
    name = type(node).__name__
    if level is None:
        return "a leaf" if isinstance(node, _AnyLeaf) else f"a leaf ({name})"
    if isinstance(node, dict):
        return f"a {name} with the keys {_keys(node)}" if node else f"an empty {name}"
    if isinstance(node, tuple | list):
        return f"a {name} of {len(level[0])}"
    return f"a container of type {name} with {len(level[0])} children"


def _keys(mapping: dict, limit: int = 8) -> str:
    shown = ", ".join(repr(key) for key in list(mapping)[:limit])
    return shown + (", ..." if len(mapping) > limit else "")
