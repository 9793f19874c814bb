"""Of sparse arrays: transposition, shapes, slices, concatenation. What is left out of an array gets
an index beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import numpy as dnp
from .base import Shape, refuse, rows
from .layout import (
    grid,
    paired,
    parts,
    spread,
    sum_duplicates,
    update_layout,
)


def transpose(mat: Any, permutation: Sequence[int]) -> Any:
    """Permute axes; batch, sparse and dense ones among themselves."""
    n, m = mat.n_batch, mat.n_batch + mat.n_sparse
    order = [int(p) % mat.ndim if mat.ndim else p for p in permutation]
    if sorted(order) != list(range(mat.ndim)):
        raise refuse("bcoo_transpose", f"{order} is no permutation of {mat.ndim} axes")
    batch, sparse, dense = order[:n], order[n:m], order[m:]
    kinds = (batch, range(n)), (sparse, range(n, m)), (dense, range(m, mat.ndim))
    if any([sorted(got) != list(expected) for got, expected in kinds]):
        raise refuse(
            "bcoo_transpose",
            f"the permutation {tuple(order)} mixes batch, sparse and dense axes of {mat!r}; bring "
            "it to another layout first, by update_layout",
        )
    data = mat.data.transpose([*batch, n, *[d - mat.n_sparse + 1 for d in dense]])
    indices = mat.indices.transpose([*batch, n, n + 1])
    if sparse:
        indices = indices[..., np.array([s - n for s in sparse])]
    in_order = mat.indices_sorted and sparse == sorted(sparse)
    shape = tuple([mat.shape[p] for p in order])
    return mat.replaced(
        data, indices, shape, indices_sorted=in_order, unique_indices=mat.unique_indices
    )


def broadcast_in_dim(mat: Any, shape: Sequence[int], dims: Sequence[int]) -> Any:
    """Repeat along new axes, and along axes of size 1."""
    new, places = tuple([int(n) for n in shape]), [int(d) for d in dims]
    fits = len(places) == mat.ndim and places == sorted(set(places))
    if not fits or any([n not in (1, new[d]) for n, d in zip(mat.shape, places)]):
        raise refuse(
            "bcoo_broadcast_in_dim", f"{mat!r} along {places} does not fit the shape {new}"
        )
    n, m = mat.n_batch, mat.n_batch + mat.n_sparse
    n_batch = 1 + places[n - 1] if n else 0
    first_dense = places[m] if mat.n_dense else len(new)
    data, indices = spread(mat)
    nse = mat.nse
    batch = new[:n_batch]
    old = _placed(mat.shape[:n], places[:n], n_batch)
    dense_old = _placed(
        mat.shape[m:], [d - first_dense for d in places[m:]], len(new) - first_dense
    )
    data = data.reshape((*old, nse, *dense_old))
    data = dnp.broadcast_to(data, (*batch, nse, *new[first_dense:]))
    indices = dnp.broadcast_to(
        indices.reshape((*old, nse, mat.n_sparse)), (*batch, nse, mat.n_sparse)
    )
    column = {
        places[n + j]: j for j in range(mat.n_sparse) if mat.shape[n + j] == new[places[n + j]]
    }
    repeated = [d for d in range(n_batch, first_dense) if d not in column]
    table = dnp.asarray(grid([new[d] for d in repeated], indices.dtype))
    count = table.shape[0]
    order = [
        column[d] if d in column else mat.n_sparse + repeated.index(d)
        for d in range(n_batch, first_dense)
    ]

    def one(data: Any, indices: Any) -> tuple[Any, Any]:
        width = indices.shape[-1] + table.shape[-1]
        both = paired(indices, table).reshape((nse * count, width))
        both = both[:, np.array(order, int)] if order else both[:, :0]
        return dnp.repeat(data, count, 0, total_repeat_length=nse * count), both

    data, indices = rows(one, n_batch)(data, indices)
    return mat.replaced(data, indices, new, unique_indices=mat.unique_indices)


def _placed(sizes: Shape, places: Sequence[int], ndim: int) -> Shape:
    full = [1] * ndim
    for n, d in zip(sizes, places):
        full[d] = n
    return tuple(full)


def squeeze(mat: Any, dimensions: Sequence[int]) -> Any:
    """Drop axes of size 1."""
    dims = sorted([int(d) % mat.ndim for d in dimensions])
    if any([mat.shape[d] != 1 for d in dims]) or len(set(dims)) != len(dims):
        raise refuse("bcoo_squeeze", f"axes {dims} of {mat!r} are not all of size 1")
    n, m = mat.n_batch, mat.n_batch + mat.n_sparse
    data, indices = spread(mat)
    batch = [d for d in dims if d < n]
    gone = [d - n for d in dims if n <= d < m]
    kept = [j for j in range(mat.n_sparse) if j not in gone]
    if gone:  # what is beyond the array along an axis that goes must stay beyond
        outside = dnp.any(indices[..., np.array(gone)] > 0, axis=-1)
        data = dnp.where(_behind(outside, mat), 0, data)
    data = data.squeeze((*batch, *[d - mat.n_sparse + 1 for d in dims if d >= m]))
    indices = (indices[..., np.array(kept, int)] if gone else indices).squeeze(tuple(batch))
    shape = tuple([s for d, s in enumerate(mat.shape) if d not in dims])
    return mat.replaced(
        data, indices, shape,
        indices_sorted=mat.indices_sorted, unique_indices=mat.unique_indices and not gone,
    )  # fmt: skip


def _behind(flags: Any, mat: Any) -> Any:
    """Return flags of elements, [*batch, nse], with axes for the blocks."""
    return flags.reshape((*flags.shape, *[1] * mat.n_dense))


def rev(mat: Any, dimensions: Sequence[int]) -> Any:
    """Reverse the order along axes."""
    dims = [int(d) % mat.ndim for d in dimensions]
    n, m = mat.n_batch, mat.n_batch + mat.n_sparse
    data, indices = spread(mat)
    batch = [d for d in dims if d < n]
    if batch:
        data, indices = dnp.flip(data, batch), dnp.flip(indices, batch)
    dense = [d - mat.n_sparse + 1 for d in dims if d >= m]
    data = dnp.flip(data, dense) if dense else data
    sparse = [d - n for d in dims if n <= d < m]
    for j in sparse:
        size, column = mat.shape[n + j], indices[..., j]
        indices = indices.at[..., j].set(dnp.where(column < size, size - 1 - column, column))
    return mat.replaced(
        data, indices,
        indices_sorted=mat.indices_sorted and not sparse, unique_indices=mat.unique_indices,
    )  # fmt: skip


def slice_(mat: Any, starts: Sequence[int], limits: Sequence[int], strides: Any = None) -> Any:
    """Take a slice along each axis, with positive strides."""
    steps = [1] * mat.ndim if strides is None else [int(s) for s in strides]
    first, last = [int(s) for s in starts], [int(s) for s in limits]
    fits = len(first) == len(last) == len(steps) == mat.ndim and all([s > 0 for s in steps])
    if not fits or any([not 0 <= a <= b <= n for a, b, n in zip(first, last, mat.shape)]):
        raise refuse(
            "bcoo_slice", f"starts {first}, limits {last}, strides {steps} do not fit {mat!r}"
        )
    n, m = mat.n_batch, mat.n_batch + mat.n_sparse
    cuts = [slice(a, b, s) for a, b, s in zip(first, last, steps)]
    shape = tuple([len(range(a, b, s)) for a, b, s in zip(first, last, steps)])
    data, indices = spread(mat)
    data = data[(*cuts[:n], slice(None), *cuts[m:])]
    indices = indices[tuple(cuts[:n])]
    if not mat.n_sparse or shape[n:m] == mat.shape[n:m]:
        return mat.replaced(
            data, indices, shape,
            indices_sorted=mat.indices_sorted, unique_indices=mat.unique_indices,
        )  # fmt: skip
    dtype = indices.dtype
    low, high, step = (np.array(v[n:m], dtype) for v in (first, last, steps))
    beyond = np.array(shape[n:m], dtype)
    kept = dnp.all((indices >= low) & (indices < high) & ((indices - low) % step == 0), axis=-1)
    return _kept(
        mat, data, dnp.where(kept[..., None], (indices - low) // step, beyond), kept, shape
    )


def _kept(mat: Any, data: Any, indices: Any, kept: Any, shape: Shape) -> Any:
    """Return what is left of an array, with no more places than it has elements."""
    n, m = mat.n_batch, mat.n_batch + mat.n_sparse
    data = dnp.where(_behind(kept, mat), data, 0)
    new = mat.replaced(data, indices, shape, unique_indices=mat.unique_indices)
    most = math.prod(shape[n:m])
    return sum_duplicates(new, most, "bcoo_slice") if new.nse > most else new


def dynamic_slice(mat: Any, starts: Sequence[Any], sizes: Sequence[int]) -> Any:
    """Take windows of known sizes at starts that may be traced, moved inside of the array."""
    shape = tuple([int(s) for s in sizes])
    if not len(starts) == len(shape) == mat.ndim or any(
        [not 0 <= s <= n for s, n in zip(shape, mat.shape)]
    ):
        raise refuse(
            "bcoo_dynamic_slice", f"{len(starts)} starts and sizes {shape} do not fit {mat!r}"
        )
    n, m = mat.n_batch, mat.n_batch + mat.n_sparse
    data, indices = spread(mat)
    firsts = []
    for start, size, total in zip(starts, shape, mat.shape):
        start = dnp.asarray(start)
        start = dnp.where(start < 0, start + total, start)
        firsts.append(dnp.clip(start, 0, total - size).astype(indices.dtype))
    for axis in range(n):
        places = firsts[axis] + np.arange(shape[axis])
        data, indices = dnp.take(data, places, axis), dnp.take(indices, places, axis)
    for axis in range(m, mat.ndim):
        places = firsts[axis] + np.arange(shape[axis])
        data = dnp.take(data, places, axis - mat.n_sparse + 1)
    if not mat.n_sparse:
        return mat.replaced(data, indices, shape)
    low = dnp.stack(firsts[n:m])
    moved = indices - low
    beyond = np.array(shape[n:m], indices.dtype)
    kept = dnp.all((moved >= 0) & (moved < beyond), axis=-1)
    return _kept(mat, data, dnp.where(kept[..., None], moved, beyond), kept, shape)


def reshape(mat: Any, new_sizes: Sequence[int], dimensions: Any = None) -> Any:
    """Give another shape. Batch and dense axes stay such if their sizes fit the new shape."""
    shape = tuple([int(n) for n in new_sizes])
    if shape.count(-1) == 1:
        rest = -math.prod(shape)
        shape = tuple([mat.size // max(rest, 1) if n == -1 else n for n in shape])
    if math.prod(shape) != mat.size:
        raise refuse("bcoo_reshape", f"{mat!r} has not as many elements as an array of {shape}")
    if dimensions is not None:
        mat = transpose(mat, dimensions)
    batch, sparse, dense = parts(mat)
    front = _prefix(shape, math.prod(batch)) if batch else 0
    back = _prefix(shape[::-1], math.prod(dense)) if dense else 0
    n_batch, n_dense = mat.n_batch, mat.n_dense
    if front is None or (back is not None and front + back > len(shape)):
        n_batch, front = 0, 0
    if back is None:
        n_dense, back = 0, 0
    mat = update_layout(mat, n_batch, n_dense)
    batch, sparse, dense = parts(mat)
    new_sparse = shape[front : len(shape) - back]
    if math.prod(new_sparse) != math.prod(sparse):
        mat, front, back = update_layout(mat, 0, 0), 0, 0
        batch, sparse, dense, new_sparse = (), mat.shape, (), shape
    data, indices = spread(mat)
    nse = mat.nse

    def one(indices: Any) -> Any:
        if not sparse or not new_sparse:
            return dnp.zeros((nse, len(new_sparse)), indices.dtype)
        kept = dnp.all(indices < np.array(sparse, indices.dtype), axis=-1)
        weights = np.array([math.prod(sparse[j + 1 :]) for j in range(len(sparse))], indices.dtype)
        flat = dnp.where(kept, (indices * weights).sum(-1, dtype=indices.dtype), 0)
        places = dnp.stack(dnp.unravel_index(flat, new_sparse), -1).astype(indices.dtype)
        return dnp.where(kept[:, None], places, np.array(new_sparse, indices.dtype))

    indices = rows(one, mat.n_batch)(indices)
    data = data.reshape((*shape[:front], nse, *shape[len(shape) - back :]))
    indices = indices.reshape((*shape[:front], nse, len(new_sparse)))
    return mat.replaced(
        data, indices, shape,
        indices_sorted=mat.indices_sorted, unique_indices=mat.unique_indices,
    )  # fmt: skip


def _prefix(shape: Sequence[int], size: int) -> int | None:
    """Return how many leading axes have this size together, or None if none do."""
    total = 1
    for count, n in enumerate(shape, 1):
        total *= n
        if total == size:
            return count
    return None


def concatenate(mats: Sequence[Any], dimension: int) -> Any:
    """Join arrays along an axis."""
    first = mats[0]
    axis = int(dimension) % first.ndim
    others = [[n for d, n in enumerate(mat.shape) if d != axis] for mat in mats]
    if any([o != others[0] for o in others]):
        raise refuse(
            "bcoo_concatenate",
            f"shapes must agree but for axis {axis}, got {[mat.shape for mat in mats]}",
        )
    n_batch = min([mat.n_batch for mat in mats])
    n_dense = min([mat.n_dense for mat in mats])
    n_dense = min(n_dense, first.ndim - axis - 1)
    mats = [update_layout(mat, n_batch, n_dense) for mat in mats]
    shape = list(first.shape)
    shape[axis] = sum([mat.shape[axis] for mat in mats])
    datas, tables = [], []
    most, before = max([mat.nse for mat in mats]), 0
    for mat in mats:
        data, indices = spread(mat)
        _, sizes, _ = parts(mat)
        if axis < n_batch:
            extra = most - mat.nse
            fill = np.broadcast_to(
                np.array(sizes, indices.dtype), (*indices.shape[:-2], extra, len(sizes))
            )
            zeros = dnp.zeros(
                (*data.shape[:n_batch], extra, *data.shape[n_batch + 1 :]), data.dtype
            )
            data = dnp.concatenate([data, zeros], n_batch)
            indices = dnp.concatenate([indices, dnp.asarray(fill)], n_batch)
        else:
            j = axis - n_batch
            kept = dnp.all(indices < np.array(sizes, indices.dtype), axis=-1)
            beyond = np.array(shape[n_batch : n_batch + len(sizes)], indices.dtype)
            offset = np.zeros(len(sizes), indices.dtype)
            offset[j] = before
            indices = dnp.where(kept[..., None], indices + offset, beyond)
            before += mat.shape[axis]
        datas.append(data)
        tables.append(indices)
    along = axis if axis < n_batch else n_batch
    new = dnp.concatenate(datas, along), dnp.concatenate(tables, along)
    return mats[0].replaced(
        *new, tuple(shape), unique_indices=all([m.unique_indices for m in mats])
    )
