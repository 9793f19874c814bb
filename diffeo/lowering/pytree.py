"""jaxlib's trees of containers, with a registry that is diffeo's own.

A *tree* is a container of containers of leaves, such as `{"a": [x, y]}`. A *treedef* is a tree
without its leaves. The *registry* says which types are containers: None, tuple, list, dict, named
tuples, OrderedDict, defaultdict, deque, and what users register (`diffeo.tree`). For each type, it
has a rule that takes a container apart into children and *auxiliary data*, everything else that is
needed to build the container again, and a rule that builds it. A *key* names a child in messages.

The registry is private: jaxlib's default registry belongs to jax. A container that is registered
there is *adopted* when it is met: registered here, with rules that ask jax's registry.

`flatten` and `unflatten` are jaxlib's C++ functions themselves, for the dispatch path.
`flatten_adopting` is for everything else; start there.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..primitives.support.exact import Exact
from .compat import PyTreeDef, pytree

#: Keys of children: an item of a dictionary, an attribute, an item of a sequence, any other child.
DictKey = pytree.DictKey
GetAttrKey = pytree.GetAttrKey
SequenceKey = pytree.SequenceKey
FlattenedIndexKey = pytree.FlattenedIndexKey

#: Which types are containers for diffeo.
registry: Any = pytree.PyTreeRegistry()
# A treedef is pickled with its registry, and the registry as the global variable of this name.
registry.__module__ = __name__
registry.__name__ = "registry"

#: The message for a tree of containers in containers in containers.
TOO_DEEP = (
    "a tree has more levels, containers in containers, than Python's recursion limit of {} allows; "
    "is it a chain, or does it contain itself? Keep its numbers in a flat list, or in an array"
)
_TWICE = "{0} is a tree container already; register each class once"

#: jaxlib's default registry, which jax uses.
_shared: Any = pytree.default_registry()

#: `flatten(tree, is_leaf=None) -> (list of leaves, treedef)`; adopts nothing.
flatten: Callable[..., tuple[list[Any], PyTreeDef]] = registry.flatten

#: `unflatten(treedef, leaves) -> tree`
unflatten: Callable[[PyTreeDef, Iterable[Any]], Any] = pytree.PyTreeDef.unflatten

#: Types that are never containers, so that nobody need ask.
plain_leaf_types: set[type] = {bool, int, float, complex, str, bytes, object, np.ndarray} | {
    type_ for type_ in np.sctypeDict.values() if isinstance(type_, type)
}


def flatten_adopting(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[Any], PyTreeDef]:
    """Flatten as `flatten` does, but adopt containers that only jax's registry knows.

    Args:
        tree: any tree.
        is_leaf: a function of a node; where it is true, the node is a leaf.

    Returns:
        The list of leaves, and the treedef.

    Raises:
        ValueError: if a dictionary has keys that cannot be sorted.
        RecursionError: if the tree has too many levels.
    """
    while True:
        try:
            leaves, treedef = flatten(tree, is_leaf)
        except ValueError as error:
            if "Comparator raised exception" in str(error):
                raise ValueError(unsorted_keys(error)) from error.__cause__
            raise
        except SystemError as error:  # how jaxlib says it
            if not isinstance(error.__cause__ or error.__context__, RecursionError):
                raise
            raise RecursionError(TOO_DEEP.format(sys.getrecursionlimit())) from None
        if len(leaves) == 1 and type(leaves[0]) in plain_leaf_types:
            return leaves, treedef
        # A leaf that jax knows as a container is adopted, and has leaves of its own the next time.
        if not adopt_all(map(type, leaves)):
            return leaves, treedef


def unsorted_keys(error: Exception) -> str:
    """Return the message for a dictionary with keys that cannot be sorted, with Python's reason."""
    reason = f" ({error.__cause__})" if error.__cause__ else ""
    return (
        f"a dict in a tree has keys that cannot be sorted, such as 1 and 'a' together{reason}; use "
        "keys of one type that has an order, or an OrderedDict"
    )


def adopt(type_: type) -> bool:
    """Make a container type of jax's registry one here. Return whether that changed anything.

    Call it with the type of a leaf that is not an array, and flatten again if it returns True.
    """
    with _lock:
        if not _shared.is_node(type_) or registry.is_node(type_):
            return False
        rules = _AdoptedRules()
        registry.register_node(type_, rules.flatten, rules.unflatten, rules.flatten_with_keys)
        _adopted[type_] = rules
        return True


def adopt_all(types: Iterable[type]) -> bool:
    """Adopt every type that is a container of jax's registry. Return whether there were any."""
    unknown = set(types) - plain_leaf_types
    return bool(unknown) and True in {adopt(type_) for type_ in unknown}


def register(
    type_: type,
    flatten_rule: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten_rule: Callable[[Any, Any], Any],
    flatten_with_keys_rule: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]] | None = None,
) -> None:
    """Make a type a container.

    Args:
        type_: the class; instances of its subclasses stay leaves.
        flatten_rule: container -> (children, auxiliary data). The auxiliary data must have == and
            hash.
        unflatten_rule: (auxiliary data, children) -> container.
        flatten_with_keys_rule: container -> ((key, child) pairs, auxiliary data), for messages.

    Raises:
        ValueError: if the type is a container already.
        TypeError: if `type_` is not a class.
    """
    if not isinstance(type_, type):
        raise TypeError(f"a container is registered by its class, got {type_!r}")
    keyed = None if flatten_with_keys_rule is None else _exactly(flatten_with_keys_rule)
    rules = _exactly(flatten_rule), _made_of_exact(unflatten_rule), keyed
    with _lock:
        if type_ in _adopted:
            # jaxlib does not register a type twice. The rules that are registered are methods, and
            # the object behind them passes calls on to the new rules.
            _adopted.pop(type_).replace(*rules)
            return
        try:
            registry.register_node(type_, *rules)
        except ValueError:
            raise ValueError(_TWICE.format(type_)) from None


def _exactly(flatten_rule: Callable[[Any], tuple]) -> Callable[[Any], tuple]:
    """Return a flatten rule that wraps auxiliary data in `Exact`.

    Treedefs of wrapped data are equal only if the data are the same: 1, 1.0 and True differ.
    """

    def exact_rule(node: Any) -> tuple:
        children, aux = flatten_rule(node)
        return children, aux if aux is None else Exact(aux)

    return exact_rule


def _made_of_exact(unflatten_rule: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return an unflatten rule that takes auxiliary data out of `Exact`."""

    def from_exact(aux: Exact | None, children: Any) -> Any:
        return unflatten_rule(aux.value if type(aux) is Exact else aux, children)

    return from_exact


def register_fields(type_: type, data: tuple[str, ...], meta: tuple[str, ...]) -> None:
    """Make a class a container of the attributes `data`, with the attributes `meta` as auxiliary
    data.

    The class's constructor takes both by name. Without `meta`, jaxlib flattens the class without
    calling Python functions. With `meta`, it would compare the auxiliary data by ==, so the class
    has rules in Python that wrap the data in `Exact`.
    """
    if meta or type_ in _adopted:
        register(type_, *_field_rules(type_, data, meta))
        return
    try:
        registry.register_dataclass_node(type_, list(data), list(meta))
    except ValueError:
        raise ValueError(_TWICE.format(type_)) from None


def _field_rules(type_: type, data: tuple[str, ...], meta: tuple[str, ...]) -> tuple:
    """Return the rules for a class of attributes: flatten, unflatten, flatten with keys."""

    def flatten_rule(node: Any) -> tuple:
        return [getattr(node, n) for n in data], tuple(getattr(node, n) for n in meta)

    def unflatten_rule(aux: tuple, children: Iterable[Any]) -> Any:
        return type_(**dict(zip(data, children)), **dict(zip(meta, aux)))

    def with_keys_rule(node: Any) -> tuple:
        children, aux = flatten_rule(node)
        return [(GetAttrKey(n), child) for n, child in zip(data, children)], aux

    return flatten_rule, unflatten_rule, with_keys_rule


def treedef_tuple(treedefs: list[PyTreeDef]) -> PyTreeDef:
    """Return the structure of a tuple of trees that have the given structures."""
    return pytree.treedef_tuple(registry, treedefs)


def one_level(node: Any) -> tuple[list[tuple[Any, Any]], Any] | None:
    """Return ([(key, child), ...], auxiliary data) of a container, or None for a leaf."""
    level = registry.flatten_one_level_with_keys(node)
    if level is None and adopt(type(node)):
        level = registry.flatten_one_level_with_keys(node)
    if level is None:
        return None
    pairs, aux = level
    if type(aux) is Exact:
        aux = aux.value
    names = getattr(node, "_fields", None)
    if names is not None and isinstance(node, tuple):
        # jaxlib 0.10 gives every item of a named tuple the name of the first.
        pairs = [(GetAttrKey(name), child) for name, child in zip(names, node)]
    return list(pairs), aux


class _AdoptedAux:
    """The auxiliary data of an adopted container: the treedef that jax's registry makes of it."""

    __slots__ = ("treedef",)

    def __init__(self, treedef: PyTreeDef):
        self.treedef = treedef

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _AdoptedAux) and self.treedef == other.treedef

    def __hash__(self) -> int:
        return hash(self.treedef)

    def __repr__(self) -> str:
        return str(self.treedef)


class _AdoptedRules:
    """The rules of an adopted container.

    They ask jax's registry, until the user registers rules of his own here with `register`. These
    replace them.
    """

    def __init__(self):
        self._own: tuple[Any, Any, Any] | None = None

    def replace(self, flatten_rule: Any, unflatten_rule: Any, with_keys_rule: Any) -> None:
        self._own = flatten_rule, unflatten_rule, with_keys_rule

    def flatten(self, container: Any) -> tuple[Iterable[Any], Any]:
        if self._own:
            return self._own[0](container)
        # One level only: every node except the container itself counts as a leaf.
        children, treedef = _shared.flatten(container, lambda node: node is not container)
        return children, _AdoptedAux(treedef)

    def unflatten(self, aux: _AdoptedAux, children: Any) -> Any:
        # A treedef may be older than the user's rules. So its auxiliary data, not `_own`, say which
        # rule takes them.
        if isinstance(aux, _AdoptedAux):
            return aux.treedef.unflatten(children)
        assert self._own
        return self._own[1](aux, children)

    def flatten_with_keys(self, container: Any) -> tuple[Iterable[tuple[Any, Any]], Any]:
        if self._own and self._own[2]:
            return self._own[2](container)
        children, aux = self.flatten(container)
        children = list(children)
        keys = [FlattenedIndexKey(i) for i in range(len(children))]
        if not self._own:
            # jax's keys, where it has one for each child.
            pairs = list(_shared.flatten_one_level_with_keys(container)[0])
            keys = [pair[0] for pair in pairs] if len(pairs) == len(children) else keys
        return tuple(zip(keys, children)), aux


#: The rules of each adopted type, until the user registers the type.
_adopted: dict[type, _AdoptedRules] = {}
_lock = threading.Lock()


def _register_mapping(type_: type, keys: Callable, extra: Callable, make: Callable) -> None:
    """Register a type of dictionary. Its keys, in the order of `keys(mapping)`, are auxiliary data.

    Args:
        type_: the type.
        keys: mapping -> its keys in the order of the children.
        extra: mapping -> further auxiliary data.
        make: (further auxiliary data, (key, child) pairs) -> mapping.
    """

    def flatten_rule(mapping: Any) -> tuple:
        order = tuple(keys(mapping))
        return [mapping[key] for key in order], (extra(mapping), order)

    def with_keys_rule(mapping: Any) -> tuple:
        children, aux = flatten_rule(mapping)
        return [(DictKey(key), child) for key, child in zip(aux[1], children)], aux

    register(type_, flatten_rule, lambda aux, xs: make(aux[0], zip(aux[1], xs)), with_keys_rule)


# The orders are jax's: an OrderedDict keeps its own; the keys of a defaultdict are sorted, as those
# of a dict are.
_register_mapping(OrderedDict, tuple, lambda _: None, lambda _, items: OrderedDict(items))
_register_mapping(defaultdict, sorted, lambda mapping: mapping.default_factory, defaultdict)
register(
    deque,
    lambda items: (tuple(items), items.maxlen),
    lambda maxlen, items: deque(items, maxlen),
    lambda items: (tuple((SequenceKey(i), x) for i, x in enumerate(items)), items.maxlen),
)
