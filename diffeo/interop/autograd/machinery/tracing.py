"""What is traced, and traces of one's own: `trace` with a class of nodes.

A `Node` is told of each operation on what depends on the start: the result, the operation, its
operands and the nodes of those.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ....primitives.core import Primitive, Tracer, typeof
from ....transforms.interpreter import Interpreter
from .values import opened, plain


class _BoxType(type):
    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, Tracer)


class Box(metaclass=_BoxType):
    """A traced value, for `isinstance` alone.

    Examples:
        >>> from diffeo.interop.autograd import grad
        >>> from diffeo.interop.autograd.tracer import Box
        >>> seen = []
        >>> print(grad(lambda x: seen.append(isinstance(x, Box)) or x * x)(3.0), seen)
        6.0 [True]
    """

    @classmethod
    def register(cls, value_type: type) -> None:
        """Refuse to box values of a class of the user's.

        Raises:
            NotImplementedError: always, with what to do.
        """
        raise NotImplementedError(
            f"Box.register({value_type.__name__}): diffeo differentiates trees of arrays. "
            "Register the class as a container of arrays: dx.tree_util.register_pytree_node"
        )


class Node:
    """Base of nodes: subclasses define what is kept of an operation, and of the start."""

    __slots__ = ()

    def __init__(
        self, value: Any, fun: Any, args: Any, kwargs: Any, parent_argnums: Any, parents: Any
    ):
        raise NotImplementedError(f"{type(self).__name__} must define __init__")

    def initialize_root(self, *args: Any, **kwargs: Any) -> None:
        """Make this the node of the start."""
        raise NotImplementedError(f"{type(self).__name__} must define initialize_root")

    @classmethod
    def new_root(cls, *args: Any, **kwargs: Any) -> Any:
        """Return a node for the start; the arguments are those of `initialize_root`.

        Args:
            *args: what `initialize_root` takes.
            **kwargs: what it takes by name.
        """
        root = cls.__new__(cls)
        root.initialize_root(*args, **kwargs)
        return root


class VJPNode(Node):
    """Names reverse mode, for `register_notrace`."""

    __slots__ = ()


class JVPNode(Node):
    """Names forward mode, for `register_notrace`."""

    __slots__ = ()


class _Operation:
    """A primitive of diffeo's as a function with a name."""

    def __init__(self, primitive: Primitive):
        self.primitive, self.__name__ = primitive, primitive.name

    def __call__(self, *args: Any) -> Any:
        out = self.primitive.bind(*args)
        return [plain(o) for o in out] if self.primitive.multiple_results else plain(out)


class _Recording(Interpreter):
    """A value is (array, node); the node is None where nothing depends on the start."""

    def __init__(self, kind: type[Node]):
        self.kind = kind

    def lift(self, x: Any) -> Any:
        return x, None

    def key(self) -> Any:
        return self.kind

    def split(self, value: Any) -> tuple[Sequence[Any], Any]:
        raise NotImplementedError("trace: control flow of diffeo cannot be traced node by node")

    def concrete(self, value: Any) -> Any:
        return value[0]

    def aval(self, value: Any) -> Any:
        return typeof(value[0])

    def wrap(self, value: Any) -> Any:
        return value[0] if value[1] is None else super().wrap(value)

    def rule(self, primitive: Primitive, values: Sequence[Any]) -> Any:
        operation = _Operation(primitive)
        args = tuple([plain(a) for a, _ in values])
        numbers = tuple([i for i, (_, node) in enumerate(values) if node is not None])
        parents = tuple([values[i][1] for i in numbers])
        out = primitive.bind(*[a for a, _ in values])
        if primitive.multiple_results:
            return [(o, self.kind(plain(o), operation, args, {}, numbers, parents)) for o in out]
        return out, self.kind(plain(out), operation, args, {}, numbers, parents)


def trace(start_node: Node, fun: Callable, x: Any) -> tuple[Any, Any]:
    """Call a function and make a node for each operation on what depends on its argument.

    Args:
        start_node: the node of the argument, made by `new_root`.
        fun: a function of one array that returns one.
        x: its argument.

    Returns:
        (result, its node); None with a warning if the result does not depend on the argument.

    Examples:
        >>> import numpy as np
        >>> from diffeo.interop.autograd.tracer import Node, trace
        >>> class Names(Node):
        ...     def __init__(self, value, fun, args, kwargs, parent_argnums, parents):
        ...         self.name = f"{fun.__name__}({', '.join([p.name for p in parents])})"
        ...     def initialize_root(self):
        ...         self.name = "x"
        >>> y, node = trace(Names.new_root(), lambda x: np.sin(x) + x, 0.0)
        >>> node.name
        'add(sin(x), x)'
    """
    values, _ = opened(x)
    recording = _Recording(type(start_node))
    results = recording.trace_flat(lambda v: [fun(v)], [(values[0], start_node)])
    out, node = results[0]
    if node is None:
        warnings.warn("Output seems independent of input.", stacklevel=2)
    return plain(out), node
