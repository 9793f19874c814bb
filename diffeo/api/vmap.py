"""vmap for users: a function over one more axis of its arguments.

`_call_mapped` does the work: it finds the mapped axis of each leaf of the arguments, runs the
function under `Batching`, an interpreter whose values are (array, batch axis), and moves the batch
axis of each result to where `out_axes` wants it. A batch axis of None means that the array is the
same for all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from ..engine import refs
from ..primitives.array import as_value
from ..primitives.core import Value, describe, with_user_line
from ..primitives.types import float0
from ..primitives.words.structural import batch_at_front, move_axis
from ..transforms.batching import Batching
from ..trees import tree
from ..trees.arguments import (
    Transformed,
    argument_or_keyword,
    check_callable,
    flat_arguments,
    name_of,
)
from ..trees.functions import Flat


def vmap(
    fun: Callable,
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Hashable = None,
    axis_size: int | None = None,
    spmd_axis_name: Any = None,
    sum_match: bool = False,
) -> Callable:
    """Vectorise a function: apply it to every slice of its arguments along an axis.

    Args:
        fun: a function of arrays or trees of arrays.
        in_axes: which axis of the arguments to map over: an integer, None (the argument is
            shared), or a tuple (or list) with an entry per positional argument, each of which may
            be a tree that is a prefix of the argument's. Keyword arguments are mapped over their
            axis 0.
        out_axes: where the mapped axis stands in the results: an integer, None for results that do
            not depend on the mapped axis, or a tree that is a prefix of the result.
        axis_name: a name for the mapped axis, anything hashable but an integer. With a name, `fun`
            may combine the rows by the collectives of `dx.lax`, `psum(x, axis_name)` and others.
        axis_size: the number of rows; needed only if nothing is mapped.
        spmd_axis_name: None; there are no meshes of devices.
        sum_match: False; results are not summed.

    Returns:
        A function of the same arguments with the mapped axes added.

    Raises:
        ValueError: if the sizes of the mapped axes differ, an axis does not exist, or nothing is
            mapped; if `out_axes` is None for a result that is mapped.
        TypeError: for an axis name that is an integer or has no hash.
        NotImplementedError: for an `spmd_axis_name`, or `sum_match`.

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
    if sum_match:
        message = f"vmap of {name}: sum_match must be False; sum the results with dx.numpy.sum"
        raise with_user_line(NotImplementedError(message))
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
    """Run a mapped function on its arguments; `axis` is (name, size) of the mapped axis."""
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
    if refs.among([x for x, where in zip(leaves, axes) if where is not None]):
        return _over_refs(fun, name, (leaves, structure, axes), out_axes, axis)
    values, dims = _check_leaves(name, (args, kwargs), leaves, axes)
    size = _batch_size(name, (args, kwargs), values, dims, axis_size)
    flat = Flat(lambda args, kwargs: fun(*args, **kwargs), structure, name)
    outs = Batching(size, name, axis_name).trace_flat(flat, list(zip(values, dims)))
    # `out_axes` is a prefix of the tree that the function returned.
    skeleton = tree.unflatten(flat.out_tree, [o for o, _ in outs])
    goals = _axes(f"out_axes of vmap of {name}", skeleton, out_axes)
    placed = [_place(name, o, d, goal, size) for (o, d), goal in zip(outs, goals)]
    return tree.unflatten(flat.out_tree, placed)


def _over_refs(
    fun: Callable, name: str, arguments: tuple[list, Any, list], out_axes: Any, axis: Any
) -> Any:
    """Run a function that is mapped over refs, as one of what they hold; write the results back.

    `arguments` are the leaves of `(args, kwargs)`, their structure and their axes.
    """
    leaves, structure, axes = arguments
    where = [i for i, x in enumerate(leaves) if refs.is_ref(x) and axes[i] is not None]
    others = [i for i in range(len(leaves)) if i not in where]

    def pure(values: list[Any], rest: list[Any]) -> Any:
        places = [refs.Ref(v, born=None) for v in values]
        given = dict(zip([*where, *others], [*places, *rest]))
        args, kwargs = tree.unflatten(structure, [given[i] for i in range(len(leaves))])
        return fun(*args, **kwargs), [refs.read(r) for r in places]

    ref_axes, other_axes = [axes[i] for i in where], [axes[i] for i in others]
    held = [refs.read(leaves[i]) for i in where]
    rest = [leaves[i] for i in others]
    in_axes, out = (ref_axes, other_axes), (out_axes, ref_axes)
    result, values = _call_mapped(pure, name, in_axes, out, axis, (held, rest), {})
    refs.write_all([leaves[i] for i in where], values)
    return result


def _axes(what: str, values: Any, axes: Any) -> list[int | None]:
    """Return one axis (or None) for each leaf of a tree, from a prefix of the tree.

    The prefix (None, 0) of ({"w": x, "b": y}, z) gives [None, None, 0].
    """
    try:
        flat_axes = tree.flatten_axes(what, values, axes)
    except ValueError as error:
        raise with_user_line(error) from None
    for axis in flat_axes:
        if axis is not None and type(axis) is not int and not isinstance(axis, np.integer):
            raise with_user_line(
                TypeError(f"{what} must be trees of integers or None, got {describe(axis)}")
            )
    return [None if axis is None else int(axis) for axis in flat_axes]


def _check_leaves(
    name: str, full: Any, leaves: Sequence[Any], axes: Sequence[int | None]
) -> tuple[list, list]:
    """Check that the leaves have their axes. Return (values, axes), with axes >= 0 or None.

    A leaf that is not mapped may be anything, and stays as it is. `full` is (args, kwargs), for
    messages.
    """
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
        if not -value.ndim <= axis < value.ndim:
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
    """Return the number of rows: `given`, the user's axis_size, or the size of the mapped axes.

    Raise ValueError if the sizes differ, or nothing says how many rows there are.
    """
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


def _place(name: str, out: Value, dim: int | None, wanted: int | None, size: int) -> Any:
    """Return a result with its batch axis moved from `dim` to `wanted`.

    A result without a batch axis (`dim` is None) is repeated along a new one, unless `wanted` is
    None, too.
    """
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
