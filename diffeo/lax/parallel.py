"""Collectives: operations that combine the rows of a vectorised function across a named axis.

`dx.vmap(f, axis_name="i")` gives the mapped axis a name, and `f` may then say `psum(x, "i")`. A
*row* is one of the calls of `f` that vmap stands for. Several names, a tuple, mean all their axes
together, the first one slowest. Values that do not depend on the mapped axis are the same in every
row, and take part as such. Trees of arrays are mapped leaf by leaf.

A name that no transformation around binds is a NameError. There are no `axis_index_groups`, as
there are none in jax under vmap.

The primitives are in `operations/collectives.py`. Only the reductions among them take several
axes; for the others, the functions here apply a primitive for each axis, and reshape, so that
several axes act as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from ..numpy.common import arr, axis_of, static_int
from ..operations import collectives
from ..operations.named_axes import Axis, find_axes
from ..primitives.constants import full, full_like
from ..primitives.core import Value, with_user_line
from ..primitives.types import SCALARS, bool_
from ..primitives.words.elementwise import select
from ..primitives.words.indexing import dynamic_slice
from ..primitives.words.slicing import index_in_dim
from ..primitives.words.structural import (
    broadcast_in_dim,
    convert_element_type,
    move_axis,
    reshape,
    squeeze,
)
from ..trees import tree
from ..typing import ArrayLike
from .strict import apply


def _axes(name: str, axis_name: Any, groups: Any = None) -> tuple[Axis, ...]:
    """Return the named axes as pairs (name, size).

    Raises:
        NotImplementedError: for groups.
        TypeError: for names that are integers or not hashable.
        ValueError: for an axis that is named twice.
        NameError: if there is no axis of that name.
    """
    if groups is not None:
        raise with_user_line(
            NotImplementedError(
                f"{name}: axis_index_groups={groups!r} are not available; use two nested vmaps "
                "with an "
                "axis name each instead of groups of one axis"
            )
        )
    names = tuple(axis_name) if isinstance(axis_name, (tuple, list)) else (axis_name,)
    for n in names:
        if isinstance(n, int) or not isinstance(n, Hashable):
            raise with_user_line(
                TypeError(
                    f"{name}: expects the name of an axis (or a tuple of names), got {n!r}; for an "
                    "axis of the array itself use dx.numpy's functions"
                )
            )
    if len(set(names)) != len(names):
        raise with_user_line(ValueError(f"{name}: an axis is named twice in {names}"))
    return find_axes(name, names)


def _size(axes: Sequence[Axis]) -> int:
    return math.prod([size for _, size in axes])


def axis_size(axis_name: Any) -> int:
    """Return the size of a named axis, or the product of the sizes of several: a Python integer.

    Raises:
        NameError: if there is no axis of that name.

    Examples:
        >>> import diffeo as dx
        >>> dx.vmap(lambda x: x * axis_size("i"), axis_name="i")(dx.numpy.array([1.0, 2.0, 3.0]))
        Array([3., 6., 9.])
    """
    return _size(_axes("axis_size", axis_name))


def axis_index(axis_name: Any) -> Any:
    """Return the position of the row along a named axis, int32.

    Along several axes, it is the position in row-major order.

    Raises:
        NameError: if there is no axis of that name.

    Examples:
        >>> import diffeo as dx
        >>> dx.vmap(lambda x: x + axis_index("i"), axis_name="i")(dx.numpy.array([10, 10, 10]))
        Array([10, 11, 12])
    """
    index: Any = None
    for axis in _axes("axis_index", axis_name):
        position = collectives.AxisIndex((axis,)).bind()
        index = position if index is None else index * axis[1] + position
    return full((), 0, np.int32) if index is None else index


def _reduce(kind: type[collectives.Collective], x: Value, axis_name: Any, groups: Any) -> Any:
    """Apply a collective to each leaf of a tree. Without axes, it changes nothing."""
    axes = _axes(kind.__name__.lower(), axis_name, groups)
    return tree.map(lambda leaf: apply(kind(axes), leaf), x) if axes else x


def psum(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """Return the sum over all rows, which each row gets.

    A Python number is counted once per row, so `psum(1, axis_name)` is the size of the axis, as a
    Python integer. Booleans are counted in int32.

    Args:
        x: an array, or a tree of arrays.
        axis_name: the name of an axis, or a tuple of names.
        axis_index_groups: None.

    Raises:
        NameError: if there is no axis of that name.
        NotImplementedError: for `axis_index_groups`.

    Examples:
        >>> import diffeo as dx
        >>> dx.vmap(lambda x: x / psum(x, "i"), axis_name="i")(dx.numpy.array([1.0, 3.0, 4.0]))
        Array([0.125, 0.375, 0.5  ])
    """
    axes = _axes("psum", axis_name, axis_index_groups)

    def total(leaf: Any) -> Any:
        if type(leaf) in SCALARS:
            return leaf * _size(axes)
        leaf = arr(leaf)
        leaf = convert_element_type(leaf, np.int32) if leaf.dtype == bool_ else leaf
        return apply(collectives.Psum(axes), leaf) if axes else leaf

    return tree.map(total, x)


def pmean(x: ArrayLike, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """Return the mean over all rows, which each row gets; for the arguments see `psum`.

    Examples:
        >>> import diffeo as dx
        >>> dx.vmap(lambda x: x - pmean(x, "i"), axis_name="i")(dx.numpy.array([1.0, 3.0, 5.0]))
        Array([-2.,  0.,  2.])
    """
    total = psum(x, axis_name, axis_index_groups=axis_index_groups)
    size = axis_size(axis_name)
    return tree.map(lambda leaf: leaf / size, total)


def pmax(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """Return the largest element over all rows, which each row gets; for the arguments see `psum`.

    The derivative is the mean over the rows that have it.

    Examples:
        >>> import diffeo as dx
        >>> dx.vmap(lambda x: pmax(x, "i"), axis_name="i")(dx.numpy.array([1.0, 5.0, 3.0]))
        Array([5., 5., 5.])
    """
    return _reduce(collectives.Pmax, x, axis_name, axis_index_groups)


def pmin(x: Any, axis_name: Any, *, axis_index_groups: Any = None) -> Any:
    """Return the smallest element over all rows, which each row gets; arguments as of `psum`.

    Examples:
        >>> import diffeo as dx
        >>> dx.vmap(lambda x: pmin(x, "i"), axis_name="i")(dx.numpy.array([2.0, 5.0, 3.0]))
        Array([2., 2., 2.])
    """
    return _reduce(collectives.Pmin, x, axis_name, axis_index_groups)


def all_gather(
    x: ArrayLike,
    axis_name: Any,
    *,
    axis_index_groups: Any = None,
    axis: int = 0,
    tiled: bool = False,
    to: str = "varying",
) -> Any:
    """Return the arrays of all rows, which each row gets.

    Args:
        x: an array, or a tree of arrays.
        axis_name: the name of an axis, or a tuple of names.
        axis_index_groups: None.
        axis: where the arrays are stacked: a new axis of the result.
        tiled: Concatenate them along the axis that is there, instead.
        to: 'varying': the result counts as one that differs from row to row.

    Raises:
        NameError: if there is no axis of that name.
        ValueError: for an axis out of bounds.
        NotImplementedError: for `axis_index_groups`.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([1.0, 2.0])
        >>> dx.vmap(lambda x: all_gather(x, "i") * x, axis_name="i")(x)
        Array([[1., 2.],
               [2., 4.]])
    """
    if to != "varying":
        raise with_user_line(
            NotImplementedError(
                f"all_gather: to must be 'varying', got {to!r}: there are no meshes"
            )
        )
    axes = _axes("all_gather", axis_name, axis_index_groups)

    def gathered(leaf: Value) -> Any:
        out = arr(leaf)
        at = axis_of(axis, out.ndim + (not tiled), "all_gather")
        size = [_size(axes) * out.shape[at]] if tiled else [_size(axes)]
        shape = (*out.shape[:at], *size, *out.shape[at + tiled :])
        # Each axis is put in front of those that came before, so the first one varies slowest.
        for named in reversed(axes):
            out = collectives.AllGather((named,), at).bind(out)
        return reshape(out, shape)

    return tree.map(gathered, x)


def _split(name: str, x: Value, axis: int, axes: Sequence[Axis], tiled: bool) -> Any:
    """Split an axis of an array into one axis for each named axis, of its size.

    If `tiled`, what is left of the axis follows them. With named axes of the sizes 2 and 3, an axis
    of size 6 becomes (2, 3); tiled, an axis of size 24 becomes (2, 3, 4).

    Raises:
        ValueError: if the size of the axis does not fit.
    """
    size, length = _size(axes), x.shape[axis]
    if length % size if tiled else length != size:
        raise with_user_line(
            ValueError(
                f"{name}: the size of axis {axis} of {x.aval} must be "
                f"{'a multiple of ' if tiled else ''}{size}, that of "
                f"{', '.join([repr(n) for n, _ in axes])}"
            )
        )
    sizes = [n for _, n in axes] + ([length // size] if tiled else [])
    return reshape(x, (*x.shape[:axis], *sizes, *x.shape[axis + 1 :]))


def psum_scatter(
    x: ArrayLike,
    axis_name: Any,
    *,
    scatter_dimension: int = 0,
    axis_index_groups: Any = None,
    tiled: bool = False,
) -> Any:
    """Sum over all rows, and give each row its part of the sum.

    Args:
        x: an array, or a tree of arrays.
        axis_name: the name of an axis, or a tuple of names.
        scatter_dimension: the axis of which row i gets element i. It has the size of the named
            axis, and disappears.
        axis_index_groups: None.
        tiled: Row i gets the i-th of equal parts of that axis, which stays, instead.

    Raises:
        NameError: if there is no axis of that name.
        ValueError: for an axis out of bounds, or of a size that does not fit.
        NotImplementedError: for `axis_index_groups`.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([[1.0, 2.0], [3.0, 4.0]])
        >>> dx.vmap(lambda x: psum_scatter(x, "i"), axis_name="i")(x)
        Array([4., 6.])
    """
    axes = _axes("psum_scatter", axis_name, axis_index_groups)

    def scattered(leaf: Value) -> Any:
        out = arr(leaf)
        at = axis_of(scatter_dimension, out.ndim, "psum_scatter")
        out = _split("psum_scatter", out, at, axes, tiled)
        # Each primitive removes axis `at + k`. The last one goes first, so that the axes before it
        # keep their numbers.
        for k in reversed(range(len(axes))):
            out = apply(collectives.PsumScatter(axes[k : k + 1], at + k), out)
        return out if axes or tiled else squeeze(out, (at,))

    return tree.map(scattered, x)


def all_to_all(
    x: ArrayLike,
    axis_name: Any,
    split_axis: int,
    concat_axis: int,
    *,
    axis_index_groups: Any = None,
    tiled: bool = False,
) -> Any:
    """Exchange parts: each row gives one part of its array to each row, and gets one from each.

    Args:
        x: an array, or a tree of arrays.
        axis_name: the name of an axis, or a tuple of names.
        split_axis: the axis of which row i gets element i of every row. It has the size of the
            named axis, and disappears.
        concat_axis: where what came from all rows is stacked: a new axis of the result.
        axis_index_groups: None.
        tiled: Split into equal parts, and concatenate along the axis that is there, instead.

    Raises:
        NameError: if there is no axis of that name.
        ValueError: for an axis out of bounds, or of a size that does not fit.
        NotImplementedError: for `axis_index_groups`.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([[1, 2], [3, 4]])
        >>> dx.vmap(lambda x: all_to_all(x, "i", 0, 0), axis_name="i")(x)
        Array([[1, 3],
               [2, 4]])
    """
    axes = _axes("all_to_all", axis_name, axis_index_groups)

    def exchanged(leaf: Value) -> Any:
        out = arr(leaf)
        split, concat = (axis_of(a, out.ndim, "all_to_all") for a in (split_axis, concat_axis))
        shape = out.shape
        out = _split("all_to_all", out, split, axes, tiled)
        # Along axis `split + k`, position i now holds what came from row i of named axis k.
        for k in range(len(axes)):
            out = collectives.AllToAll(axes[k : k + 1], split + k).bind(out)
        remainder = (shape[split] // _size(axes),) if tiled else ()
        out = reshape(out, (*shape[:split], _size(axes), *remainder, *shape[split + 1 :]))
        # The named axes become one again, which is moved and, if tiled, merged with the next one.
        out = move_axis(out, split, concat)
        if not tiled:
            return out
        return reshape(
            out,
            (
                *out.shape[:concat],
                out.shape[concat] * out.shape[concat + 1],
                *out.shape[concat + 2 :],
            ),
        )

    return tree.map(exchanged, x)


def pswapaxes(x: Any, axis_name: Any, axis: int, *, axis_index_groups: Any = None) -> Any:
    """Exchange the named axis and an axis of the array: `all_to_all(x, axis_name, axis, axis)`."""
    return all_to_all(x, axis_name, axis, axis, axis_index_groups=axis_index_groups)


def ppermute(x: ArrayLike, axis_name: Any, perm: Any) -> Any:
    """Send the arrays of rows to other rows; rows that get none have zeros.

    Args:
        x: an array, or a tree of arrays.
        axis_name: the name of an axis, or a tuple of names.
        perm: pairs (source, destination) of places along the axis; no source and no destination
            twice.

    Raises:
        NameError: if there is no axis of that name.
        ValueError: for a place twice or out of bounds.

    Examples:
        >>> import diffeo as dx
        >>> shift = lambda x: ppermute(x, "i", [(0, 1), (1, 2)])
        >>> dx.vmap(shift, axis_name="i")(dx.numpy.array([5.0, 6.0, 7.0]))
        Array([0., 5., 6.])
    """
    axes = _axes("ppermute", axis_name)
    position = lambda n: static_int(n, "ppermute", "each place")
    pairs = tuple([(position(a), position(b)) for a, b in perm])
    if len(axes) == 1:
        return tree.map(lambda leaf: apply(collectives.Ppermute(axes, pairs), leaf), x)
    return tree.map(lambda leaf: _permute_together(arr(leaf), axes, pairs), x)


def _permute_together(x: Any, axes: tuple[Axis, ...], pairs: tuple[tuple[int, int], ...]) -> Any:
    """Permute rows over several axes: every row takes its array from those of all rows.

    `pairs` holds (source, destination) as positions in row-major order.
    """
    size, names = _size(axes), [n for n, _ in axes]
    # The primitive of one axis checks the pairs as those of a single axis of that size.
    collectives.Ppermute((("all of them", size),), pairs).abstract_eval(x.aval)
    sources = np.full(size, -1, np.int32)
    for source, destination in pairs:
        sources[destination] = source
    my_source = squeeze(dynamic_slice(arr(sources), [axis_index(names)], (1,)), (0,))
    start = [my_source] + [full((), 0, np.int32)] * x.ndim
    taken = squeeze(dynamic_slice(all_gather(x, names), start, (1, *x.shape)), (0,))
    return select(broadcast_in_dim(my_source >= 0, x.shape, ()), taken, full_like(x, 0))


def pshuffle(x: ArrayLike, axis_name: Any, perm: Any) -> Any:
    """Reorder the rows: row i gets the array of row `perm[i]`.

    Raises:
        NameError: if there is no axis of that name.
        ValueError: if `perm` is not a permutation of all places.

    Examples:
        >>> import diffeo as dx
        >>> dx.vmap(lambda x: pshuffle(x, "i", [2, 0, 1]), axis_name="i")(dx.numpy.arange(3))
        Array([2, 0, 1])
    """
    if sorted(perm) != list(range(axis_size(axis_name))):
        raise with_user_line(
            ValueError(
                "pshuffle: expects a permutation of the places 0 to "
                f"{axis_size(axis_name) - 1}, got "
                f"{perm}"
            )
        )
    return ppermute(x, axis_name, list(zip(perm, range(len(perm)))))


def pbroadcast(x: ArrayLike, axis_name: Any, source: int) -> Any:
    """Return the array of the row at position `source`, which every row gets.

    Raises:
        NameError: if there is no axis of that name.
        ValueError: for a place out of bounds.

    Examples:
        >>> import diffeo as dx
        >>> dx.vmap(lambda x: pbroadcast(x, "i", 1), axis_name="i")(dx.numpy.array([5.0, 6.0]))
        Array([6., 6.])
    """
    source = axis_of(source, axis_size(axis_name), "pbroadcast: source")
    first: Callable = lambda leaf: index_in_dim(all_gather(leaf, axis_name), source)
    return tree.map(first, x)
