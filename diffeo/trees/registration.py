"""Make one's own classes containers: arguments and results of every transformation.

A container is taken apart into children and *static data*: what is compared and hashed as a part of
the structure, and never traced. The registry itself is in `lowering/pytree.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from ..lowering import pytree

Class = TypeVar("Class", bound=type)


def never_containers(*classes: type) -> None:
    """Declare that no registry, not even jax's, has these classes: nobody need ask."""
    pytree.plain_leaf_types.update(classes)


def register_pytree_node(
    nodetype: type,
    flatten_func: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten_func: Callable[[Any, Any], Any],
    flatten_with_keys_func: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]] | None = None,
) -> None:
    """Make a class a container.

    Registering a class here and with jax is no conflict. If jax's registration has been used here
    before this call, this one replaces it from now on.

    Args:
        nodetype: the class; instances of subclasses stay leaves.
        flatten_func: container -> (children, static data). Static data are compared and hashed.
        unflatten_func: (static data, children) -> container. The children may be anything, so
            do not check or convert them.
        flatten_with_keys_func: container -> ((key, child) pairs, static data); gives the children
            names in messages and paths. Keys are `DictKey`, `SequenceKey`, `GetAttrKey` ...

    Raises:
        ValueError: if the class is registered already.

    Examples:
        >>> from diffeo.trees import tree
        >>> class Point:
        ...     def __init__(self, x, y): self.x, self.y = x, y
        >>> tree.register_pytree_node(
        ...     Point, lambda p: ((p.x, p.y), None), lambda _, xy: Point(*xy))
        >>> tree.leaves({"p": Point(1, 2)})
        [1, 2]
    """
    pytree.register(nodetype, flatten_func, unflatten_func, flatten_with_keys_func)


def register_pytree_node_class(cls: Class) -> Class:
    """Make a class a container by its methods; a class decorator.

    The methods are `tree_flatten(self)` -> (children, static data) and the class method
    `tree_unflatten(cls, static data, children)`.
    """
    for method in ("tree_flatten", "tree_unflatten"):
        _require_method(cls, method)
    pytree.register(cls, lambda node: node.tree_flatten(), cls.tree_unflatten)  # type: ignore
    return cls


def register_pytree_with_keys(
    nodetype: type,
    flatten_with_keys: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Any]],
    unflatten_func: Callable[[Any, Any], Any],
    flatten_func: Callable[[Any], tuple[Iterable[Any], Any]] | None = None,
) -> None:
    """Make a class a container, as `register_pytree_node` does, by a function that gives (key,
    child) pairs.

    `flatten_func`, which gives the children alone, only makes it faster.
    """

    def flatten(node: Any) -> tuple[Iterable[Any], Any]:
        pairs, static = flatten_with_keys(node)
        return [child for _, child in pairs], static

    pytree.register(nodetype, flatten_func or flatten, unflatten_func, flatten_with_keys)


def register_pytree_with_keys_class(cls: Class) -> Class:
    """Make a class a container, as `register_pytree_node_class` does, with names for the children.

    The class has a method `tree_flatten_with_keys(self)` -> ((key, child) pairs, static data) and
    the class method `tree_unflatten`. A method `tree_flatten` is used where it exists.
    """
    for method in ("tree_flatten_with_keys", "tree_unflatten"):
        _require_method(cls, method)
    has_flatten = hasattr(cls, "tree_flatten")
    register_pytree_with_keys(
        cls,
        lambda node: node.tree_flatten_with_keys(),
        cls.tree_unflatten,  # type: ignore
        (lambda node: node.tree_flatten()) if has_flatten else None,
    )
    return cls


def register_static(cls: Class) -> Class:
    """Make the instances of a class static, a container without leaves; a class decorator. They
    need == and hash.
    """
    pytree.register(cls, lambda node: ((), node), lambda node, _: node, lambda node: ((), node))
    return cls


def static(**options: Any) -> Any:
    """Declare a dataclass field that `register_dataclass` takes as static. Takes what
    `dataclasses.field` takes.
    """
    metadata = {**(options.pop("metadata", None) or {}), "static": True}
    return dataclasses.field(metadata=metadata, **options)


def register_dataclass(
    nodetype: Any = None,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] | None = None,
    drop_fields: Sequence[str] = (),
) -> Any:
    """Make a dataclass a container of its fields. A function, and a class decorator.

    Args:
        nodetype: the class. Without it, a decorator is returned.
        data_fields: names of the fields that hold arrays or trees. If left out, all fields of the
            dataclass that are not static.
        meta_fields: names of the fields that are static: compared and hashed, never traced. If
            left out, those declared with `static()` or `field(metadata={"static": True})`.
        drop_fields: names of fields that are neither; they get their defaults back.

    Returns:
        The class.

    Raises:
        TypeError: for a class that is no dataclass, unless both lists are given.
        ValueError: for names that are no fields, twice there, or missing.

    Examples:
        >>> from dataclasses import dataclass
        >>> from diffeo.trees import tree
        >>> @tree.register_dataclass
        ... @dataclass
        ... class Layer:
        ...     weight: float
        ...     name: str = tree.static(default="layer")
        >>> tree.map(lambda x: 2 * x, Layer(1.5, "first"))
        Layer(weight=3.0, name='first')
    """
    if nodetype is None:
        return partial(
            register_dataclass,
            data_fields=data_fields,
            meta_fields=meta_fields,
            drop_fields=drop_fields,
        )
    if not isinstance(nodetype, type):
        raise TypeError(f"register_dataclass takes a class, got {nodetype!r}")
    data, meta = _choose_fields(nodetype, data_fields, meta_fields, tuple(drop_fields))
    pytree.register_fields(nodetype, data, meta)
    return nodetype


def _choose_fields(
    cls: type,
    data: Sequence[str] | None,
    meta: Sequence[str] | None,
    drop: tuple[str, ...],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the complete lists of data and static fields, checked."""
    name = cls.__qualname__
    if not dataclasses.is_dataclass(cls):
        if data is None or meta is None:
            raise TypeError(
                f"{name} is not a dataclass: put @dataclass below @register_dataclass, or name "
                "both its data_fields and its meta_fields"
            )
        return tuple(data), tuple(meta)
    fields = [field for field in dataclasses.fields(cls) if field.init and field.name not in drop]
    if meta is None:
        meta = [field.name for field in fields if field.metadata.get("static", False)]
    if data is None:
        data = [field.name for field in fields if field.name not in meta]
    chosen, expected = [*data, *meta], {field.name for field in fields}
    if len(set(chosen)) != len(chosen) or set(chosen) != expected:
        raise ValueError(
            f"register_dataclass({name}): data_fields {list(data)} and meta_fields {list(meta)} "
            f"must together name each field that __init__ takes once: {sorted(expected)}; name "
            "the others in drop_fields"
        )
    return tuple(data), tuple(meta)


def _require_method(cls: type, method: str) -> None:
    if not callable(getattr(cls, method, None)):
        raise TypeError(f"{cls.__qualname__} needs a method {method} to be a tree container")


class Partial(partial):
    """`functools.partial` that is a container: its arguments are children, its function static.

    So a function with arrays inside can be handed to a compiled function.

    Examples:
        >>> from diffeo.trees import tree
        >>> scale = tree.Partial(lambda a, x: a * x, 2.0)
        >>> scale(3.0), tree.leaves(scale)
        (6.0, [2.0])
    """

    def __new__(cls, func: Callable[..., Any], /, *args: Any, **keywords: Any) -> Partial:
        # functools would merge an inner partial's arguments with ours, but only ours are children.
        inner = _Opaque(func) if isinstance(func, partial) else func
        return super().__new__(cls, inner, *args, **keywords)


class _Opaque:
    """A callable that does not look like a `functools.partial`."""

    def __init__(self, func: Callable[..., Any]):
        self._func = func

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self._func(*args, **keywords)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Opaque) and self._func == other._func

    def __hash__(self) -> int:
        return hash(self._func)

    def __repr__(self) -> str:
        return repr(self._func)


pytree.register(
    Partial,
    lambda node: ((node.args, node.keywords), node.func),
    lambda func, children: Partial(func, *children[0], **children[1]),
    lambda node: (
        ((pytree.GetAttrKey("args"), node.args), (pytree.GetAttrKey("keywords"), node.keywords)),
        node.func,
    ),
)
