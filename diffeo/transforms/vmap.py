"""Batching: the value is (array, batch axis or None)."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from ..primitives.array import as_value
from ..primitives.core import Primitive, describe, state, typeof, with_user_line
from ..primitives.reduction import reduce_or
from ..primitives.structural import batch_at_front, move_axis
from ..primitives.types import ShapedArray, float0
from ..programs.custom_rules import CustomCall
from ..trees import tree
from ..trees.arguments import (
    Transformed,
    argument_or_keyword,
    check_callable,
    check_outputs,
    flat_arguments,
    name_of,
)
from .batched_rules import BatchedRules
from .chosen_rows import for_chosen_rows
from .custom_rules import inheriting
from .interpreter import Boxed, Interpreter


class Batching(Interpreter):
    """Carries a batch axis of one `size`, which may have a name, through a function."""

    complete = True

    def __init__(self, size: int, function_name: str = "", axis_name: Hashable = None):
        self.size, self.function_name, self.axis_name = size, function_name, axis_name
        self.named_axes = {} if axis_name is None else {axis_name: size}

    def lift(self, x: Any) -> tuple[Any, None]:
        return x, None

    def wrap(self, value: tuple[Any, int | None]) -> Any:
        return value[0] if value[1] is None else Boxed(self, value)

    def split(self, value: tuple[Any, int | None]) -> tuple[Sequence[Any], int | None]:
        return value[:1], value[1]

    def build(self, static: int | None, arrays: Sequence[Any]) -> tuple[Any, int | None]:
        return arrays[0], static

    def count(self, static: int | None) -> int:
        return 1

    def join(self, a: int | None, b: int | None) -> int | None:
        return a if a == b else 0

    def widen(self, value: tuple[Any, int | None], static: int | None) -> tuple[Any, int | None]:
        array, dim = value
        if static is None or dim == static:
            return value
        return move_axis(batch_at_front(array, dim, self.size), 0, static), static

    def decides(self, value: tuple[Any, int | None]) -> Any:
        return value[0] if value[1] is None else None

    def anywhere(self, value: tuple[Any, int | None]) -> Any:
        array, dim = value
        return array if dim is None else reduce_or(array, (dim,))

    def unstack(self, value: tuple[Any, int | None]) -> tuple[Any, int | None]:
        array, dim = value
        if dim is None:
            return value
        return (move_axis(array, 0, 1), 0) if dim == 0 else (array, dim - 1)

    def stacked(self, static: int | None) -> int | None:
        return None if static is None else static + 1

    def aval(self, value: tuple[Any, int | None]) -> ShapedArray:
        aval, dim = typeof(value[0]), value[1]
        return aval if dim is None else aval.update(aval.shape[:dim] + aval.shape[dim + 1 :])

    def key(self) -> tuple[int, Hashable]:
        return self.size, self.axis_name

    def describe(self) -> str:
        name = self.function_name or "a function"
        return f"vmap of {name}, which stands for all {self.size} rows at once"

    def custom(self, call: Any, values: Sequence[tuple[Any, int | None]]) -> list[Any]:
        args, dims = [v[0] for v in values], tuple([v[1] for v in values])
        rules = BatchedRules(call.rules, self, dims)
        if call.rules.has_batch and not call.rules.differentiable:
            outs, batched = rules.by_batch_rule(args)
            return [(o, 0 if there else None) for o, there in zip(outs, batched)]
        return [(o, 0) for o in CustomCall(None, rules=rules).bind(*args)]

    def chosen(self, program: Any, flag: Callable, values: Sequence[Any]) -> list[Any]:
        return for_chosen_rows(self, program, flag, [self.plain(v) for v in values])

    def plain(self, value: tuple[Any, Any]) -> tuple[Any, int | None]:
        """The value with its batch axis in the array, if it has one."""
        return value

    def rerun(self, fun: Callable[..., Sequence[Any]], values: Sequence[Any]) -> list[Any]:
        """Vectorise a function once more, over whatever is current now; values that it closed
        over are still known, as long as the transformation runs.
        """
        around = state.trace
        while around is not None and around is not self:
            around = around.parent
        if self.finished or around is self:
            inner = copy.copy(self)
            inner.parent, inner.finished = None, False
            return inner.trace_flat(functools.partial(inheriting, self, fun), values)
        before, self.parent = self.parent, state.trace
        try:
            return self.inline(fun, values)
        finally:
            self.parent = before

    def rule(self, primitive: Primitive, values: Sequence[Any]) -> Any:
        args, dims = [v[0] for v in values], [v[1] for v in values]
        if primitive.names and self.axis_name in primitive.names:
            return self.across(primitive, args, dims)
        out, dim = primitive.batch(self.size, args, dims)
        return list(zip(out, dim)) if primitive.multiple_results else (out, dim)

    def across(self, primitive: Any, args: Sequence[Any], dims: Sequence[Any]) -> Any:
        """A collective over this very axis."""
        expected = dict(primitive.axes)[self.axis_name]
        if expected != self.size:
            raise with_user_line(
                TypeError(
                    f"{primitive.name}: the program was traced where axis {self.axis_name!r} had "
                    f"the size {expected}; here it has {self.size}"
                )
            )
        return primitive.across(self.axis_name, args, dims)


def vmap(
    fun: Callable,
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Hashable = None,
    axis_size: int | None = None,
    spmd_axis_name: Any = None,
) -> Callable:
    """Vectorise a function: apply it to every slice of its arguments along an axis.

    Args:
        fun: a function of arrays or trees of arrays.
        in_axes: which axis of the arguments to map over: an integer, None (the argument is
            shared), or a tuple (or list) with an entry per positional argument, each of which may
            be a tree that is a prefix of the argument's. Keyword arguments are mapped over their
            axis 0.
        out_axes: where the mapped axis stands in the results: an integer, None for results that do
            not depend on it, or a tree that is a prefix of the result.
        axis_name: a name for the mapped axis, anything hashable but an integer: then `fun` may
            combine the rows by the collectives of `dx.lax`, `psum(x, axis_name)` and others.
        axis_size: the number of rows; needed only if nothing is mapped.
        spmd_axis_name: None; there are no meshes of devices.

    Returns:
        A function of the same arguments with the mapped axes added.

    Raises:
        ValueError: if the sizes of the mapped axes differ, an axis does not exist, or nothing is
            mapped; if `out_axes` is None for a result that is mapped.
        TypeError: for an axis name that is an integer or has no hash.
        NotImplementedError: for an `spmd_axis_name`.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.arange(6.0).reshape(2, 3)
        >>> dx.vmap(dx.numpy.sum)(x)
        Array([ 3., 12.])
        >>> dx.vmap(lambda a, b: a * b, in_axes=(0, None))(x, 10.0).shape
        (2, 3)
        >>> dx.vmap(lambda a: a / dx.lax.psum(a, "i"), axis_name="i")(dx.numpy.array([1.0, 3.0]))
        Array([0.25, 0.75])
    """
    check_callable(fun, "vmap")
    name = name_of(fun)
    _check_axis_name(name, axis_name, spmd_axis_name)
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)

    def mapped(*args: Any, **kwargs: Any) -> Any:
        return _call_mapped(fun, name, in_axes, out_axes, (axis_name, axis_size), args, kwargs)

    options = (in_axes, out_axes, axis_name, axis_size, spmd_axis_name)
    return Transformed(fun, mapped, vmap, fun, *options)


def _check_axis_name(name: str, axis_name: Any, spmd_axis_name: Any) -> None:
    if spmd_axis_name is not None:
        raise with_user_line(
            NotImplementedError(
                f"vmap of {name}: spmd_axis_name={spmd_axis_name!r} names an axis of a mesh of "
                "devices, and there are none; leave it None"
            )
        )
    if isinstance(axis_name, (int, list, tuple)) or not isinstance(axis_name, Hashable):
        raise with_user_line(
            TypeError(
                f"vmap of {name}: axis_name must be one hashable name and no integer, got "
                f"{describe(axis_name)}"
            )
        )


def _call_mapped(
    fun: Callable,
    name: str,
    in_axes: Any,
    out_axes: Any,
    axis: tuple[Hashable, int | None],
    args: tuple,
    kwargs: dict,
) -> Any:
    axis_name, axis_size = axis
    if isinstance(in_axes, tuple) and len(in_axes) != len(args):
        raise with_user_line(
            ValueError(
                f"vmap of {name}: in_axes has {len(in_axes)} entries, but there are "
                f"{len(args)} positional arguments; give one entry for each"
            )
        )
    leaves, structure = flat_arguments(f"vmap of {name}", args, kwargs)
    axes = _axes(f"in_axes of vmap of {name}", args, in_axes)
    axes += [0] * (len(leaves) - len(axes))  # keyword arguments
    values, dims = _check_leaves(name, (args, kwargs), leaves, axes)
    size = _batch_size(name, (args, kwargs), values, dims, axis_size)
    out_structure: Any = None

    def flat(*xs: Any) -> Sequence[Any]:
        nonlocal out_structure
        a, k = tree.unflatten(structure, xs)
        out = fun(*a, **k)
        outs, out_structure = tree.flatten(out)
        return check_outputs(outs, out, name)

    outs = Batching(size, name, axis_name).trace_flat(flat, list(zip(values, dims)))
    skeleton = tree.unflatten(out_structure, [o for o, _ in outs])
    wanted = _axes(f"out_axes of vmap of {name}", skeleton, out_axes)
    placed = [_place(name, o, d, w, size) for (o, d), w in zip(outs, wanted)]
    return tree.unflatten(out_structure, placed)


def _axes(what: str, values: Any, axes: Any) -> list[int | None]:
    """One axis for each leaf of a tree, from a prefix of it."""
    try:
        found = tree.flatten_axes(what, values, axes)
    except ValueError as error:
        raise with_user_line(error) from None
    for axis in found:
        if axis is not None and type(axis) is not int and not isinstance(axis, np.integer):
            raise with_user_line(
                TypeError(f"{what} must be trees of integers or None, got {describe(axis)}")
            )
    return found


def _check_leaves(
    name: str, full: Any, leaves: Sequence[Any], axes: Sequence[int | None]
) -> tuple[list, list]:
    values, dims = [], []
    for i, (x, axis) in enumerate(zip(leaves, axes)):
        if axis is None:
            values.append(x)
            dims.append(None)
            continue
        try:
            value = as_value(x)
        except TypeError as error:
            where = argument_or_keyword(full, i)
            raise with_user_line(TypeError(f"vmap of {name}: {where}: {error}")) from None
        if (
            not isinstance(axis, int)
            or isinstance(axis, bool)
            or not -value.ndim <= axis < value.ndim
        ):
            raise with_user_line(
                ValueError(
                    f"vmap of {name}: {argument_or_keyword(full, i)} is {describe(value)} and "
                    f"has no axis {axis!r} to map over; share it between the rows with None in "
                    "in_axes, or give it the axis"
                )
            )
        values.append(value)
        dims.append(axis % value.ndim)
    return values, dims


def _batch_size(
    name: str, full: Any, values: Sequence[Any], dims: Sequence[int | None], given: int | None
) -> int:
    sizes = [(v.shape[d], i) for i, (v, d) in enumerate(zip(values, dims)) if d is not None]
    if given is not None and not (isinstance(given, (int, np.integer)) and given >= 0):
        raise with_user_line(
            ValueError(f"vmap of {name}: axis_size must be a whole number >= 0, got {given!r}")
        )
    if not sizes and given is None:
        raise with_user_line(
            ValueError(
                f"vmap of {name}: nothing is mapped: all in_axes are None, or there are no "
                "arguments; map at least one, or "
                "say axis_size"
            )
        )
    size = given if given is not None else sizes[0][0]
    if any([n != size for n, _ in sizes]):
        listed = "\n".join(
            [
                f"    {argument_or_keyword(full, i)} = {describe(values[i])}: axis {dims[i]} has "
                f"size {n}"
                for n, i in sizes
            ]
        )
        expected = f"\n    axis_size={given}" if given is not None else ""
        raise with_user_line(
            ValueError(
                f"vmap of {name}: the mapped axes must have one size, got\n{listed}{expected}\n"
                "  Use in_axes to say which axis "
                "of an argument is mapped, or None to share it"
            )
        )
    return size


def _place(name: str, out: Any, dim: int | None, wanted: int | None, size: int) -> Any:
    if wanted is None:
        if dim is not None:
            raise with_user_line(
                ValueError(
                    f"vmap of {name}: out_axes is None for a result that depends on the mapped "
                    "axis; it must say where the "
                    "axis goes, as an integer"
                )
            )
        return out
    out = as_value(out)
    ndim = out.ndim + (dim is None)
    if not -ndim <= wanted < ndim:
        raise with_user_line(
            ValueError(f"vmap of {name}: out_axes is {wanted}, but the result has {ndim} axes")
        )
    if out.dtype == float0:  # no operation of a program: it has no bits
        shape = [n for i, n in enumerate(out.shape) if i != dim]
        return np.zeros([*shape[: wanted % ndim], size, *shape[wanted % ndim :]], float0)
    return move_axis(
        batch_at_front(out, dim, size) if dim is None else out,
        0 if dim is None else dim,
        wanted % ndim,
    )
