"""Of sparse arrays: contractions, products element by element, sums."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import lax
from ... import numpy as dnp
from .base import refuse, rows
from .layout import columns, parts, spread, sum_duplicates, update_layout
from .shaping import broadcast_in_dim, transpose

#: ((contracted axes of either operand), (batch axes of either operand)).
Dimensions = tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]


def _dimensions(numbers: Any, left: Any, right: Any) -> Any:
    (cl, cr), (bl, br) = numbers
    axes = [
        [int(d) % x.ndim for d in ds]
        for ds, x in ((cl, left), (cr, right), (bl, left), (br, right))
    ]
    cl, cr, bl, br = axes
    sizes = [left.shape[d] for d in (*cl, *bl)], [right.shape[d] for d in (*cr, *br)]
    if sizes[0] != sizes[1] or len(cl) != len(cr) or len(bl) != len(br):
        raise refuse(
            "bcoo_dot_general",
            f"the axes {cl}, {bl} of {left.shape} and {cr}, {br} of {right.shape} differ in size",
        )
    return axes


def _in_front(mat: Any, batch: Sequence[int], name: str) -> tuple[Any, list[int]]:
    """Return the array with these batch axes as its only ones, in front, and all others sparse;
    and where its axes have gone.
    """
    if any([d >= mat.n_batch for d in batch]):
        raise refuse(name, f"batch axes {list(batch)} of {mat!r} must be batch axes of its layout")
    rest = [d for d in range(mat.n_batch) if d not in batch]
    order = [*batch, *rest, *range(mat.n_batch, mat.ndim)]
    return update_layout(transpose(mat, order), len(batch), 0), order


def dot_dense(mat: Any, array: Any, numbers: Any, dtype: Any) -> Any:
    """Contract a sparse array with a dense one: the result is dense."""
    array = dnp.asarray(array)
    cl, cr, bl, br = _dimensions(numbers, mat, array)
    dtype = dnp.result_type(mat.dtype, array.dtype) if dtype is None else dtype
    mat, order = _in_front(mat, bl, "bcoo_dot_general")
    places = {d: i for i, d in enumerate(order)}
    contracted = [places[d] - len(bl) for d in cl]
    free = [j for j in range(mat.n_sparse) if j not in contracted]
    others = [d for d in range(array.ndim) if d not in (*cr, *br)]
    array = array.transpose([*br, *cr, *others])
    _, sizes, _ = parts(mat)

    def one(data: Any, indices: Any, array: Any) -> Any:
        cols = columns(indices)
        data, array = data.astype(dtype), array.astype(dtype)
        rest = array.shape[len(contracted) :]
        picked = (
            array.at[tuple([cols[j] for j in contracted])].get(mode="fill", fill_value=0)
            if contracted
            else dnp.broadcast_to(array, (data.shape[0], *rest))
        )
        values = data.reshape((-1, *[1] * len(rest))) * picked
        if not free:
            return values.sum(0, dtype=dtype)
        out = dnp.zeros((*[sizes[j] for j in free], *rest), dtype)
        return out.at[tuple([cols[j] for j in free])].add(values, mode="drop")

    return rows(one, len(bl))(*spread(mat), array)


def dense_dot(array: Any, mat: Any, numbers: Any, dtype: Any) -> Any:
    """Contract a dense array with a sparse one: the result is dense."""
    (cl, cr), (bl, br) = numbers
    array = dnp.asarray(array)
    out = dot_dense(mat, array, ((cr, cl), (br, bl)), dtype)
    count = len(bl)
    sparse_free = mat.ndim - len(cr) - count
    order = [
        *range(count),
        *range(count + sparse_free, out.ndim),
        *range(count, count + sparse_free),
    ]
    return out.transpose(order)


def dot_sparse(left: Any, right: Any, numbers: Any, dtype: Any) -> Any:
    """Contract two sparse arrays: the result is sparse."""
    cl, cr, bl, br = _dimensions(numbers, left, right)
    dtype = dnp.result_type(left.dtype, right.dtype) if dtype is None else dtype
    left, order_l = _in_front(left, bl, "bcoo_dot_general")
    right, order_r = _in_front(right, br, "bcoo_dot_general")
    count = len(bl)
    cl = [order_l.index(d) - count for d in cl]
    cr = [order_r.index(d) - count for d in cr]
    free_l = [j for j in range(left.n_sparse) if j not in cl]
    free_r = [j for j in range(right.n_sparse) if j not in cr]
    sizes = [*[left.shape[count + j] for j in free_l], *[right.shape[count + j] for j in free_r]]
    contracted = np.array([left.shape[count + j] for j in cl], np.int64)
    index_dtype = left.indices.dtype
    beyond = np.array(sizes, index_dtype)

    def one(data_l: Any, table_l: Any, data_r: Any, table_r: Any) -> tuple[Any, Any]:
        ours, theirs = table_l[:, np.array(cl, int)], table_r[:, np.array(cr, int)]
        fits = dnp.all(ours[:, None] == theirs[None], axis=-1)
        fits = fits & dnp.all(ours < contracted.astype(ours.dtype), axis=-1)[:, None]
        values = data_l.astype(dtype)[:, None] * data_r.astype(dtype)[None]
        shape = values.shape
        keep_l = dnp.broadcast_to(table_l[:, None, np.array(free_l, int)], (*shape, len(free_l)))
        keep_r = dnp.broadcast_to(table_r[None, :, np.array(free_r, int)], (*shape, len(free_r)))
        table = dnp.concatenate([keep_l, keep_r.astype(index_dtype)], -1)
        table = dnp.where(fits[..., None], table, beyond)
        total = shape[0] * shape[1]
        return dnp.where(fits, values, 0).reshape(total), table.reshape((total, len(sizes)))

    data, indices = rows(one, count)(*spread(left), *spread(right))
    out = left.replaced(data, indices, (*left.shape[:count], *sizes))
    most = math.prod(sizes)
    return sum_duplicates(out, min(most, out.nse), "bcoo_dot_general")


def sampled(a: Any, b: Any, indices: Any, numbers: Any) -> Any:
    """Contract dense arrays, and return the elements of the result at indices."""
    a, b, indices = dnp.asarray(a), dnp.asarray(b), dnp.asarray(indices)
    cl, cr, bl, br = _dimensions(numbers, a, b)
    is_product = a.ndim == b.ndim == 2 and len(cl) == 1 and not bl and indices.ndim == 2
    if is_product and indices.shape[-1] == 2:
        left, right = dnp.moveaxis(a, cl[0], 1), dnp.moveaxis(b, cr[0], 1)
        first = left.at[indices[:, 0]].get(mode="fill", fill_value=0)
        second = right.at[indices[:, 1]].get(mode="fill", fill_value=0)
        return (first * second).sum(-1)
    full = lax.dot_general(a, b, ((tuple(cl), tuple(cr)), (tuple(bl), tuple(br))))
    n_batch = indices.ndim - 2
    pick = lambda table, x: x.at[columns(table)].get(mode="fill", fill_value=0)
    batch = full.shape[:n_batch]
    indices = dnp.broadcast_to(indices, (*batch, *indices.shape[n_batch:]))
    return rows(pick, n_batch)(indices, full)


def multiply_dense(mat: Any, array: Any) -> Any:
    """Return the elements of a sparse array, times those of a dense one that is broadcast to it."""
    array = dnp.asarray(array)
    if not array.ndim:
        return mat.data * array
    if array.ndim > mat.ndim or any(
        [n not in (1, m) for n, m in zip(array.shape[::-1], mat.shape[::-1])]
    ):
        raise refuse("bcoo_multiply_dense", f"an array of shape {array.shape} does not fit {mat!r}")
    array = array.reshape((*[1] * (mat.ndim - array.ndim), *array.shape))
    n = mat.n_batch
    array = dnp.broadcast_to(array, (*mat.shape[:n], *array.shape[n:]))
    data, indices = spread(mat)

    def one(data: Any, indices: Any, array: Any) -> Any:
        if not mat.n_sparse:
            return data * array[None]
        sizes = array.shape[: mat.n_sparse]
        cols = [dnp.zeros_like(c) if size == 1 else c for c, size in zip(columns(indices), sizes)]
        return data * array.at[tuple(cols)].get(mode="fill", fill_value=0)

    return rows(one, n)(data, indices, array)


def multiply_sparse(left: Any, right: Any) -> Any:
    """Return the product of sparse arrays, element by element; axes of size 1 are broadcast."""
    if left.ndim != right.ndim:
        small, large = sorted([left, right], key=lambda m: m.ndim)
        extra = large.ndim - small.ndim
        wider = broadcast_in_dim(small, (*[1] * extra, *small.shape), range(extra, large.ndim))
        return multiply_sparse(large, wider)
    n_batch, n_dense = min(left.n_batch, right.n_batch), min(left.n_dense, right.n_dense)
    left, right = (update_layout(m, n_batch, n_dense) for m in (left, right))
    shape = np.broadcast_shapes(left.shape, right.shape)
    if right.shape == shape and left.shape != shape:
        left, right = right, left
    if left.shape != shape:
        left = broadcast_in_dim(left, shape, range(len(shape)))
    m = n_batch + left.n_sparse
    wide = (*shape[:n_batch], *right.shape[n_batch:m], *shape[m:])
    if right.shape != wide:
        right = broadcast_in_dim(right, wide, range(len(shape)))
    single = np.array([n == 1 for n in wide[n_batch:m]], bool)
    dtype = dnp.result_type(left.dtype, right.dtype)
    limits = np.array(shape[n_batch:m], np.int64)

    def one(data_l: Any, table_l: Any, data_r: Any, table_r: Any) -> Any:
        same = (table_l[:, None] == table_r[None]) | (single & (table_r[None] == 0))
        fits = (
            dnp.all(same, axis=-1)
            & dnp.all(table_l < limits.astype(table_l.dtype), axis=-1)[:, None]
        )
        weights = fits.astype(dtype)
        return data_l.astype(dtype) * dnp.tensordot(weights, data_r.astype(dtype), 1)

    data, indices = spread(left)
    data = rows(one, n_batch)(data, indices, *spread(right))
    return left.replaced(
        data, indices, shape,
        indices_sorted=left.indices_sorted, unique_indices=left.unique_indices,
    )  # fmt: skip


def reduce_sum(mat: Any, axes: Sequence[int]) -> Any:
    """Sum over axes: the result is sparse, with as many elements for each batch that is left."""
    gone = sorted({int(a) % mat.ndim for a in axes})
    n = mat.n_batch
    if any([a < n for a in gone]):
        # Batch axes that stay go in front; those that are summed become sparse ones.
        kept = [a for a in range(n) if a not in gone]
        mixed = [a for a in range(n) if a in gone]
        order = [*kept, *mixed, *range(n, mat.ndim)]
        mat = update_layout(transpose(mat, order), len(kept))
        gone = [order.index(a) for a in gone]
        n = len(kept)
    m = n + mat.n_sparse
    data, indices = spread(mat)
    sparse = [a - n for a in gone if n <= a < m]
    left = [j for j in range(mat.n_sparse) if j not in sparse]
    if sparse:  # what is beyond the array is no part of the sum
        limits = np.array(mat.shape[n:m], indices.dtype)
        kept_flags = dnp.all(indices < limits, axis=-1)
        flags = kept_flags.reshape((*kept_flags.shape, *[1] * mat.n_dense))
        data = dnp.where(flags, data, 0)
    data = data.sum(tuple([a - mat.n_sparse + 1 for a in gone if a >= m]), dtype=data.dtype)
    shape = tuple([s for d, s in enumerate(mat.shape) if d not in gone])
    return mat.replaced(data, indices[..., np.array(left, int)] if sparse else indices, shape)
