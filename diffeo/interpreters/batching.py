"""Rules of `vmap` for primitives of `diffeo.extend`, with the names of `jax.interpreters.batching`.

A rule stands in `primitive_batchers`: (operands, axes, **params) -> (result, its axis), where an
axis is a number, or `not_mapped`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..extend.definitions import Definition, primitive_batchers
from ..primitives.core import Value, typeof
from ..primitives.words.structural import BroadcastInDim, move_axis
from ..primitives.words.structural import reshape as _reshape

__all__ = [
    "bdim_at_front", "broadcast", "defbroadcasting", "defreducer", "defvectorized", "moveaxis",
    "not_mapped", "primitive_batchers",
]  # fmt: skip

#: The axis of an operand that is the same for all rows.
not_mapped = None


def moveaxis(x: Any, src: int | None, dst: int) -> Any:
    """Return an array with an axis at another place; an array that is not mapped as it is."""
    if src is None or src == dst:
        return x
    return move_axis(x, src, dst % typeof(x).ndim)


def broadcast(x: Any, size: int, axis: int) -> Any:
    """Return an array with a new axis, along which it repeats."""
    shape = typeof(x).shape
    axis %= len(shape) + 1
    dims = tuple([i + (i >= axis) for i in range(len(shape))])
    return BroadcastInDim((*shape[:axis], size, *shape[axis:]), dims).bind(x)


def bdim_at_front(x: Value, bdim: int | None, size: int) -> Any:
    """Return an array with its batch axis in front; it repeats if it has none."""
    return broadcast(x, size, 0) if bdim is None else moveaxis(x, bdim, 0)


def defvectorized(primitive: Definition) -> None:
    """Say that a primitive acts on each element, so that all operands have one batch axis.

    Operands that are not mapped are made to, and axes are moved to one place.
    """
    defbroadcasting(primitive)


def defbroadcasting(primitive: Definition) -> None:
    """Say that a primitive acts on each element of operands of one shape, or of scalars and those.

    Mapped operands get the batch axis in front, followed by axes of size 1 where they have fewer
    axes than others; operands that are not mapped repeat.
    """

    def rule(args: Sequence[Any], dims: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        mapped = [(typeof(x).shape, d) for x, d in zip(args, dims) if d is not None]
        if len({(shape, d) for shape, d in mapped}) == 1 and len(mapped) == len(args):
            return _with_axis(primitive.bind(*args, **params), mapped[0][1], primitive)
        size = next(shape[d] for shape, d in mapped)
        rows = [bdim_at_front(x, d, size) for x, d in zip(args, dims)]
        most = max([typeof(x).ndim for x in rows])
        rows = [_padded(x, most) for x in rows]
        return _with_axis(primitive.bind(*rows, **params), 0, primitive)

    primitive_batchers[primitive] = rule


def _padded(x: Value, ndim: int) -> Any:
    """Return an array with axes of size 1 behind the first one, so that it has `ndim` axes."""
    shape = typeof(x).shape
    missing = ndim - len(shape)
    return _reshape(x, (shape[0], *(1,) * missing, *shape[1:])) if missing else x


def _with_axis(out: Value, axis: int, primitive: Definition) -> tuple[Any, Any]:
    return out, [axis] * len(out) if primitive.multiple_results else axis


def defreducer(primitive: Definition, ident: Callable | None = None) -> None:
    """Say that a primitive with the parameter `axes` reduces along them.

    Args:
        primitive: a primitive of one operand.
        ident: not used; jax's has it for masks.
    """

    def rule(args: Sequence[Any], dims: Sequence[Any], axes: Any, **params: Any) -> tuple[Any, Any]:
        (x,), (dim,) = args, dims
        moved = tuple([a + (a >= dim) for a in axes])
        out = primitive.bind(x, axes=moved, **params)
        return _with_axis(out, dim - sum([a < dim for a in moved]), primitive)

    primitive_batchers[primitive] = rule
