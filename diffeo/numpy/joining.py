"""Arrays joined to one, and split into several: concatenate, stack, block, split and the rest."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..primitives.array import Array
from ..primitives.core import describe, state, with_user_line
from ..primitives.words import slicing as s
from ..primitives.words import structural as t
from ..typing import ArrayLike, DTypeLike
from .common import arr, axis_of, dtype_of, no_out, same_dtype, static_int
from .making.creation import asarray
from .shaping import atleast_1d, atleast_2d, atleast_3d, ravel, reshape


def _operands(arrays: Any, name: str) -> list[Any]:
    """Return the arrays to join, of one dtype: those of a list, or the parts of one array."""
    if not isinstance(arrays, (list, tuple)):
        if not getattr(arrays, "ndim", 0):
            raise with_user_line(
                TypeError(f"{name}: expected a list of arrays, got {describe(arrays)}")
            )
        arrays = list(arrays)
    if not arrays:
        raise with_user_line(ValueError(f"{name}: needs at least one array"))
    xs = [asarray(a) if isinstance(a, (list, tuple)) else a for a in arrays]
    return same_dtype(*xs)


def _hosts(arrays: Any) -> list[np.ndarray] | None:
    """Return the NumPy arrays of host Arrays of one dtype, not weak, in eager evaluation."""
    if type(arrays) not in (list, tuple) or not arrays or not state.trace.eager:
        return None
    hosts: list[Any] = [a._np if type(a) is Array and not a.weak_type else None for a in arrays]
    first = hosts[0]
    same = first is not None and all([h is not None and h.dtype is first.dtype for h in hosts])
    return hosts if same else None


def concatenate(arrays: Any, axis: int | None = 0, dtype: DTypeLike | None = None) -> Any:
    """Join arrays one after the other along `axis`; with None, their elements in one axis.

    Examples:
        >>> import diffeo as dx
        >>> concatenate([dx.numpy.zeros(2), dx.numpy.ones(1)])
        Array([0., 0., 1.])
    """
    hosts = _hosts(arrays)
    if hosts is not None and dtype is None and type(axis) is int:
        try:
            return Array(np.concatenate(hosts, axis))
        except ValueError:
            pass  # explained below
    xs = _operands(arrays, "concatenate")
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    if not xs[0].ndim:
        raise with_user_line(
            ValueError("concatenate: arrays without axes cannot be concatenated; use stack")
        )
    axis = axis_of(axis, xs[0].ndim, "concatenate")
    other_sizes = {t.drop_axes(x.shape, (axis,)) for x in xs}
    if len(other_sizes) > 1 or any([x.ndim != xs[0].ndim for x in xs]):
        raise with_user_line(
            ValueError(
                f"concatenate: shapes must agree but for axis {axis}, got "
                + ", ".join([str(x.shape) for x in xs])
            )
        )
    out = s.concatenate(xs, axis)
    return out if dtype is None else t.convert_element_type(out, dtype_of(dtype))


concat = concatenate


def stack(arrays: Any, axis: int = 0, out: ArrayLike | None = None, dtype: Any = None) -> Any:
    """Join arrays, all of one shape, along a new axis."""
    if out is not None:
        raise no_out("stack")
    hosts = _hosts(arrays)
    if hosts is not None and dtype is None and type(axis) is int:
        try:
            return Array(np.stack(hosts, axis))
        except ValueError:
            pass  # explained below
    xs = _operands(arrays, "stack")
    if len({x.shape for x in xs}) > 1:
        raise with_user_line(
            ValueError(
                "stack: all arrays must have one shape, got "
                + ", ".join([str(x.shape) for x in xs])
            )
        )
    axis = axis_of(axis, xs[0].ndim + 1, "stack")
    joined = s.concatenate([t.expand_dims(x, (axis,)) for x in xs], axis)
    return joined if dtype is None else t.convert_element_type(joined, dtype_of(dtype))


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """Return the parts of `x` along `axis`, without that axis, as a tuple."""
    x = arr(x)
    axis = axis_of(axis, x.ndim, "unstack")
    return tuple([s.index_in_dim(x, i, axis) for i in range(x.shape[axis])])


def hstack(tup: Any, dtype: DTypeLike | None = None) -> Any:
    """Join arrays side by side: along axis 1, or axis 0 for vectors."""
    xs = [atleast_1d(x) for x in _operands(tup, "hstack")]
    return concatenate(xs, 0 if xs[0].ndim == 1 else 1, dtype)


def vstack(tup: Any, dtype: DTypeLike | None = None) -> Any:
    """Join arrays as rows, one below the other."""
    return concatenate([atleast_2d(x) for x in _operands(tup, "vstack")], 0, dtype)


def dstack(tup: Any, dtype: Any = None) -> Any:
    """Join arrays along the third axis."""
    return concatenate([atleast_3d(x) for x in _operands(tup, "dstack")], 2, dtype)


def column_stack(tup: Any) -> Any:
    """Join vectors as the columns of a matrix, and matrices side by side."""
    xs = _operands(tup, "column_stack")
    return concatenate([x if x.ndim > 1 else reshape(x, (x.size, 1)) for x in xs], 1)


def append(arr: ArrayLike, values: ArrayLike, axis: int | None = None) -> Any:
    """Return `concatenate([arr, values], axis)`."""
    return concatenate([arr, values], axis)


def block(arrays: Any) -> Any:
    """Put an array together from nested lists of blocks.

    The innermost lists are joined along the last axis, the lists around along the axis before, ...
    """
    depth = _depth(arrays)
    leaves = _flat(arrays)
    ndim = max([depth, *[asarray(leaf).ndim for leaf in leaves]])
    return _block(arrays, depth, ndim)


def _depth(x: Any) -> int:
    """Return how deeply lists are nested."""
    return 1 + max([_depth(i) for i in x]) if isinstance(x, list) and x else 0


def _flat(x: Any) -> list[Any]:
    """Return the leaves of nested lists."""
    return [leaf for i in x for leaf in _flat(i)] if isinstance(x, list) else [x]


def _block(x: Any, depth: int, ndim: int) -> Any:
    """Join nested lists of blocks along axis -`depth`; each leaf gets `ndim` axes."""
    if not isinstance(x, list):
        a = asarray(x)
        return reshape(a, (1,) * (ndim - a.ndim) + a.shape)
    return concatenate([_block(i, depth - 1, ndim) for i in x], -depth)


def array_split(ary: ArrayLike, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Split along `axis` into parts of nearly equal size, or before the given indices."""
    x = arr(ary)
    axis = axis_of(axis, x.ndim, "split")
    n = x.shape[axis]
    if isinstance(indices_or_sections, (list, tuple)) or getattr(indices_or_sections, "ndim", 0):
        cuts = [static_int(i, "split", "an index") for i in indices_or_sections]
        cuts = [min(max(i + n if i < 0 else i, 0), n) for i in cuts]
    else:
        parts = static_int(indices_or_sections, "split", "the number of parts")
        if parts <= 0:
            raise with_user_line(ValueError(f"split: needs at least one part, got {parts}"))
        small, larger = divmod(n, parts)
        cuts = np.cumsum([small + (i < larger) for i in range(parts)])[:-1].tolist()
    # As in NumPy, a cut before the one in front of it gives an empty part.
    edges = [0, *cuts, n]
    if cuts == sorted(cuts):
        return s.split(x, [j - i for i, j in pairwise(edges)], axis)
    return [s.slice_in_dim(x, i, max(i, j), 1, axis) for i, j in pairwise(edges)]


def split(ary: ArrayLike, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Split along `axis` into equal parts, or before the given indices.

    Raises:
        ValueError: if the axis cannot be cut into so many equal parts.
    """
    x = arr(ary)
    if not isinstance(indices_or_sections, (list, tuple)) and not getattr(
        indices_or_sections, "ndim", 0
    ):
        parts = static_int(indices_or_sections, "split", "the number of parts")
        n = x.shape[axis_of(axis, x.ndim, "split")]
        if parts <= 0 or n % parts:
            raise with_user_line(
                ValueError(
                    f"split: axis {axis} of shape {x.shape} does not split into {parts} equal "
                    "parts;"
                    " array_split makes nearly equal ones"
                )
            )
    return array_split(x, indices_or_sections, axis)


def hsplit(ary: ArrayLike, indices_or_sections: Any) -> list[Any]:
    """Return `split` along axis 1, or axis 0 for a vector."""
    return split(ary, indices_or_sections, 0 if arr(ary).ndim == 1 else 1)


def vsplit(ary: ArrayLike, indices_or_sections: Any) -> list[Any]:
    """Return `split` along axis 0 of an array with two axes or more."""
    x = arr(ary)
    if x.ndim < 2:
        raise with_user_line(ValueError(f"vsplit: needs two axes or more, got shape {x.shape}"))
    return split(x, indices_or_sections, 0)


def dsplit(ary: ArrayLike, indices_or_sections: Any) -> list[Any]:
    """Return `split` along axis 2."""
    return split(ary, indices_or_sections, 2)
