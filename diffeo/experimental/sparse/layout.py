"""Of data and indices: dense arrays and back, order and duplicates, batch and dense axes.

`data` has the shape [*batch, nse, *dense], `indices` the shape [*batch, nse, n_sparse]. A batch
axis may be of size 1 in either, for an axis of any size of the array.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import numpy as dnp
from ...primitives.core import Tracer, with_user_line
from .base import Shape, SparseEfficiencyError, SparseEfficiencyWarning, refuse, rows


def parts(mat: Any) -> tuple[Shape, Shape, Shape]:
    """Return the sizes of the batch axes, of the sparse ones and of the dense ones."""
    n, m = mat.n_batch, mat.n_batch + mat.n_sparse
    return mat.shape[:n], mat.shape[n:m], mat.shape[m:]


def spread(mat: Any) -> tuple[Any, Any]:
    """Return data and indices whose batch axes have the sizes of the array's."""
    batch = mat.shape[: mat.n_batch]
    data, indices = mat.data, mat.indices
    if data.shape[: mat.n_batch] != batch:
        data = dnp.broadcast_to(data, (*batch, *data.shape[mat.n_batch :]))
    if indices.shape[: mat.n_batch] != batch:
        indices = dnp.broadcast_to(indices, (*batch, *indices.shape[mat.n_batch :]))
    return data, indices


def columns(indices: Any) -> tuple[Any, ...]:
    """Return the indices along each sparse axis, [nse]."""
    return tuple([indices[:, j] for j in range(indices.shape[-1])])


def block_flags(flags: Any, like: Any) -> Any:
    """Return flags of elements, [nse], in a shape that fits their blocks."""
    return flags.reshape((*flags.shape, *[1] * (like.ndim - flags.ndim)))


def inside(indices: Any, sizes: Shape) -> Any:
    """Return which elements, [nse], are not beyond the array."""
    limits = np.array(sizes, indices.dtype).reshape(1, -1)
    return dnp.all(indices < limits, axis=-1)


def todense(mat: Any) -> Any:
    """Return the dense array: the sum of all elements that have the same indices."""
    _, sizes, dense = parts(mat)

    def one(data: Any, indices: Any) -> Any:
        if not sizes:
            return data.sum(0, dtype=data.dtype)
        zeros = dnp.zeros((*sizes, *dense), data.dtype)
        if data.dtype == np.bool_:
            return zeros.at[columns(indices)].max(data, mode="drop")
        return zeros.at[columns(indices)].add(data, mode="drop")

    return rows(one, mat.n_batch)(*spread(mat))


def stored(mat: Any, n_batch: int, n_dense: int) -> Any:
    """Return the elements of a dense array that are not zero, counted in each batch."""
    mask = mat != 0
    if n_dense:
        mask = mask.any(tuple(range(mask.ndim - n_dense, mask.ndim)))
    return mask, mask.sum(tuple(range(n_batch, mask.ndim)))


def known_count(name: str, counts: Any) -> int:
    """Return the largest of some numbers of elements, which must be known."""
    if isinstance(counts, Tracer) and not _concrete(counts):
        raise with_user_line(
            TypeError(
                f"{name}: the number of elements depends on traced values; say how many there are "
                "at most, by the argument nse"
            )
        )
    return int(np.max(np.asarray(counts), initial=0))


def _concrete(x: Any) -> bool:
    try:
        np.asarray(x)
    except Exception:  # each transformation has an error of its own for this
        return False
    return True


def fromdense(
    mat: Any, nse: int | None, n_batch: int, n_dense: int, index_dtype: Any, name: str
) -> tuple[Any, Any]:
    """Return the data and indices of a dense array."""
    mat = dnp.asarray(mat)
    n_sparse = mat.ndim - n_batch - n_dense
    if min(n_batch, n_dense, n_sparse) < 0:
        raise refuse(
            name,
            f"{n_batch} batch axes and {n_dense} dense axes do not fit an array of {mat.ndim} axes",
        )
    mask, counts = stored(mat, n_batch, n_dense)
    nse = known_count(name, counts) if nse is None else int(nse)
    sizes = mat.shape[n_batch : n_batch + n_sparse]

    def one(mask: Any, values: Any) -> tuple[Any, Any]:
        if not sizes:
            data = dnp.zeros((nse, *values.shape), values.dtype)
            data = data.at[:1].set(values) if nse else data
            return data, dnp.zeros((nse, 0), index_dtype)
        places = dnp.nonzero(mask, size=nse, fill_value=sizes)
        data = values.at[places].get(mode="fill", fill_value=0)
        return data, dnp.stack([p.astype(index_dtype) for p in places], -1)

    return rows(one, n_batch)(mask, mat)


def extract(mat: Any, array: Any, assume_unique: bool) -> Any:
    """Return the elements of a dense array at the indices. Of several with the same indices, all
    but the first are zero, unless the indices are said to be unique.
    """
    _, sizes, _ = parts(mat)

    def one(indices: Any, values: Any) -> Any:
        if sizes:
            found = values.at[columns(indices)].get(mode="fill", fill_value=0)
        else:
            found = dnp.broadcast_to(values, (indices.shape[0], *values.shape))
        if assume_unique:
            return found
        return dnp.where(block_flags(firsts(indices), found), found, 0)

    indices = dnp.broadcast_to(
        mat.indices, (*mat.shape[: mat.n_batch], *mat.indices.shape[mat.n_batch :])
    )
    return rows(one, mat.n_batch)(indices, array)


def order_of(indices: Any) -> Any:
    """Return the order, [nse], in which indices ascend lexicographically."""
    count, width = indices.shape
    if not width:
        return dnp.arange(count)
    return dnp.lexsort(columns(indices)[::-1])


def starts(indices: Any) -> Any:
    """Return which of sorted indices differ from those before."""
    if not indices.shape[0]:
        return dnp.zeros(0, bool)
    changes = dnp.any(indices[1:] != indices[:-1], axis=-1)
    return dnp.concatenate([dnp.ones(1, bool), changes])


def firsts(indices: Any) -> Any:
    """Return which elements are the first with their indices."""
    order = order_of(indices)
    return dnp.zeros(indices.shape[0], bool).at[order].set(starts(indices[order]))


def sort_indices(mat: Any) -> Any:
    """Return the array with its elements in the order of their indices."""

    def one(data: Any, indices: Any) -> tuple[Any, Any]:
        order = order_of(indices)
        return data[order], indices[order]

    data, indices = rows(one, mat.n_batch)(*spread(mat))
    return mat.replaced(data, indices, indices_sorted=True)


def sum_duplicates(mat: Any, nse: int | None, name: str) -> Any:
    """Return the array with sorted, unique indices; those beyond the array are left out."""
    _, sizes, _ = parts(mat)
    data, indices = spread(mat)
    if nse is None:
        nse = known_count(name, rows(lambda i: _unique(i, sizes)[1], mat.n_batch)(indices))
    count = int(nse)

    def one(data: Any, indices: Any) -> tuple[Any, Any]:
        (order, sorted_indices, group), _ = _unique(indices, sizes)
        values = data[order]
        kept = inside(sorted_indices, sizes)
        group = dnp.where(kept, group, count)
        total = dnp.zeros((count, *data.shape[1:]), data.dtype)
        total = (
            total.at[group].max(values, mode="drop")
            if data.dtype == np.bool_
            else total.at[group].add(values, mode="drop")
        )
        beyond = np.broadcast_to(np.array(sizes, indices.dtype), (count, len(sizes)))
        return total, dnp.asarray(beyond).at[group].set(sorted_indices, mode="drop")

    data, indices = rows(one, mat.n_batch)(data, indices)
    return mat.replaced(data, indices, indices_sorted=True, unique_indices=True)


def _unique(indices: Any, sizes: Shape) -> tuple[Any, Any]:
    """Return (the order, the indices in it, the number of each one's group), how many groups."""
    beyond = np.array(sizes, indices.dtype).reshape(1, -1)
    kept = inside(indices, sizes)
    moved = dnp.where(kept[:, None], indices, beyond)
    order = order_of(moved)
    ordered = moved[order]
    first = starts(ordered)
    return (order, ordered, dnp.cumsum(first) - 1), (first & kept[order]).sum()


def eliminate_zeros(mat: Any, nse: int | None, name: str) -> Any:
    """Return the array without elements that are zero, and with unique, sorted indices."""
    _, sizes, _ = parts(mat)
    beyond = np.array(sizes, mat.indices.dtype).reshape(1, -1)

    def one(data: Any, indices: Any) -> Any:
        zero = dnp.all(data == 0, axis=tuple(range(1, data.ndim)))
        return dnp.where(zero[:, None], beyond, indices)

    data, indices = spread(mat)
    return sum_duplicates(mat.replaced(data, rows(one, mat.n_batch)(data, indices)), nse, name)


# --------------------------------------------------------------------------------------------------
# Batch and dense axes


def update_layout(
    mat: Any, n_batch: int | None = None, n_dense: int | None = None, on_inefficient: Any = None
) -> Any:
    """Return the array with other numbers of batch and dense axes."""
    if on_inefficient not in ("error", "warn", None):
        raise refuse(
            "bcoo_update_layout",
            f"on_inefficient must be 'error', 'warn' or None, got {on_inefficient!r}",
        )
    return _new_layout(
        mat,
        mat.n_batch if n_batch is None else int(n_batch),
        mat.n_dense if n_dense is None else int(n_dense),
        on_inefficient,
    )


def _new_layout(mat: Any, n_batch: int, n_dense: int, on_inefficient: Any) -> Any:
    if n_batch < 0 or n_dense < 0:
        raise refuse(
            "bcoo_update_layout",
            f"n_batch and n_dense must be non-negative; got {n_batch, n_dense}",
        )
    if n_batch + n_dense > mat.ndim:
        raise refuse(
            "bcoo_update_layout",
            f"sum of n_batch={n_batch} and n_dense={n_dense} cannot be larger than "
            f"mat.ndim={mat.ndim}",
        )
    new_dense = mat.shape[mat.ndim - n_dense : mat.ndim - mat.n_dense]
    if n_dense > mat.n_dense and any([n > 1 for n in new_dense]):
        _inefficient(mat, "n_dense", mat.n_dense, n_dense, on_inefficient)
    if n_batch > mat.n_batch and any([n > 1 for n in mat.shape[mat.n_batch : n_batch]]):
        _inefficient(mat, "n_batch", mat.n_batch, n_batch, on_inefficient)
    for step, wanted in ((_fewer_dense, n_dense), (_fewer_batch, n_batch)):
        mat = step(mat, wanted)
    for step, wanted in ((_more_dense, n_dense), (_more_batch, n_batch)):
        mat = step(mat, wanted)
    return mat


def _inefficient(mat: Any, name: str, before: int, after: int, on_inefficient: Any) -> None:
    message = (
        f"bcoo_update_layout: for a matrix of shape {mat.shape}, increasing {name} from {before} "
        f"to {after} results in inefficient storage."
    )
    if on_inefficient == "error":
        advice = "To disable this error, set the on_inefficient argument to 'warn' or None."
        raise with_user_line(SparseEfficiencyError(f"{message} {advice}"))
    if on_inefficient == "warn":
        advice = "To disable this warning, set the on_inefficient argument to None."
        warnings.warn(f"{message} {advice}", SparseEfficiencyWarning, stacklevel=2)


def grid(sizes: Sequence[int], dtype: Any) -> np.ndarray:
    """Return all positions in an array, [number of them, axes], in order."""
    if not sizes:
        return np.zeros((1, 0), dtype)
    return np.stack([x.ravel() for x in np.indices(tuple(sizes))], -1).astype(dtype)


def paired(first: Any, second: Any) -> Any:
    """Return the rows of one table, each with each row of another: [n, m, columns of both]."""
    shape = (first.shape[0], second.shape[0])
    a = dnp.broadcast_to(first[:, None], (*shape, first.shape[1]))
    b = dnp.broadcast_to(second[None], (*shape, second.shape[1]))
    return dnp.concatenate([a, b], -1)


def _fewer_dense(mat: Any, n_dense: int) -> Any:
    count = mat.n_dense - n_dense
    if count <= 0:
        return mat
    _, _, dense = parts(mat)
    places = grid(dense[:count], mat.indices.dtype)

    def one(data: Any, indices: Any) -> tuple[Any, Any]:
        table = paired(indices, dnp.asarray(places))
        new = data.reshape((data.shape[0] * len(places), *dense[count:]))
        return new, table.reshape((-1, table.shape[-1]))

    return mat.replaced(*rows(one, mat.n_batch)(*spread(mat)))


def _fewer_batch(mat: Any, n_batch: int) -> Any:
    count = mat.n_batch - n_batch
    if count <= 0:
        return mat
    batch, _, _ = parts(mat)
    places = grid(batch[n_batch:], mat.indices.dtype)

    def one(data: Any, indices: Any) -> tuple[Any, Any]:
        nse, width = indices.shape[-2:]
        total = len(places) * nse
        leading = dnp.broadcast_to(places[:, None], (len(places), nse, count))
        flat = indices.reshape((len(places), nse, width))
        table = dnp.concatenate([dnp.asarray(leading), flat], -1).reshape((total, count + width))
        return data.reshape((total, *data.shape[count + 1 :])), table

    return mat.replaced(*rows(one, n_batch)(*spread(mat)))


def _more_dense(mat: Any, n_dense: int) -> Any:
    count = n_dense - mat.n_dense
    if count <= 0:
        return mat
    _, sizes, dense = parts(mat)
    block = (*sizes[len(sizes) - count :], *dense)

    def one(data: Any, indices: Any) -> tuple[Any, Any]:
        nse = indices.shape[0]
        places = (dnp.arange(nse), *columns(indices)[len(sizes) - count :])
        new = dnp.zeros((nse, *block), data.dtype).at[places].set(data, mode="drop")
        return new, indices[:, : len(sizes) - count]

    return mat.replaced(*rows(one, mat.n_batch)(*spread(mat)))


def _more_batch(mat: Any, n_batch: int) -> Any:
    count = n_batch - mat.n_batch
    if count <= 0:
        return mat
    _, sizes, dense = parts(mat)
    batch = sizes[:count]

    def one(data: Any, indices: Any) -> tuple[Any, Any]:
        nse = indices.shape[0]
        places = (*columns(indices)[:count], dnp.arange(nse))
        new = dnp.zeros((*batch, nse, *dense), data.dtype).at[places].set(data, mode="drop")
        return new, dnp.broadcast_to(indices[:, count:], (*batch, nse, len(sizes) - count))

    return mat.replaced(*rows(one, mat.n_batch)(*spread(mat)))
