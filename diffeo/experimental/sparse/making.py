"""Sparse arrays of known patterns, and random ones."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import numpy as dnp
from ... import random
from ...numpy.common import dtype_of
from .base import JAXSparse, refuse, rows
from .bcoo import BCOO
from .bcsr import BCSR
from .matrices import COO, CSC, CSR

_FORMATS: dict[str, Any] = {"bcoo": BCOO, "bcsr": BCSR, "coo": COO, "csr": CSR, "csc": CSC}


def todense(arr: Any) -> Any:
    """Return the dense array of a sparse one, and a dense one as it is.

    Examples:
        >>> from diffeo.experimental import sparse
        >>> sparse.todense(sparse.eye(1)), sparse.todense(2.0)
        (Array([[1.]]), 2.0)
    """
    return arr.todense() if isinstance(arr, JAXSparse) else arr


def _format(name: str, sparse_format: str) -> Any:
    if sparse_format not in _FORMATS:
        raise refuse(
            name,
            f"sparse_format={sparse_format!r} not recognized; must be one of {list(_FORMATS)}",
        )
    return _FORMATS[sparse_format]


def empty(
    shape: Sequence[int],
    dtype: Any = None,
    index_dtype: Any = "int32",
    sparse_format: str = "bcoo",
    **kwds: Any,
) -> Any:
    """Return a sparse array of zeros.

    Args:
        shape: its shape.
        dtype: of the elements, by default that of floating-point numbers.
        index_dtype: of the indices.
        sparse_format: "bcoo", "bcsr", "coo", "csr" or "csc".
        **kwds: of "bcoo" and "bcsr": `n_batch`, `n_dense` and `nse`, the number of places that are
            stored.

    Raises:
        ValueError: for another format, or if the numbers of axes do not fit.

    Examples:
        >>> from diffeo.experimental import sparse
        >>> sparse.empty((2, 3))
        BCOO(float64[2, 3], nse=0)
    """
    kind = _format("empty", sparse_format)
    sizes = tuple([operator.index(n) for n in shape])
    if kind in (COO, CSR, CSC):
        if len(sizes) != 2 or kwds:
            raise refuse("empty", f"{kind.__name__} must have ndim=2; got shape={sizes}, {kwds}")
        made = _empty(sizes, dtype, index_dtype)
        return _as(kind, made)
    made = _empty(sizes, dtype, index_dtype, **kwds)
    if kind is BCSR and made.n_sparse != 2:
        raise refuse("empty", f"BCSR must have 2 sparse dimensions, {made.n_sparse} are given")
    return _as(kind, made)


def _empty(
    shape: Any, dtype: Any, index_dtype: Any, n_batch: int = 0, n_dense: int = 0, nse: int = 0
) -> BCOO:
    n_sparse = len(shape) - n_batch - n_dense
    if min(n_sparse, n_batch, n_dense, nse) < 0:
        raise refuse("empty", f"Invalid inputs: shape={shape}, {n_batch=}, {n_dense=}, {nse=}")
    batch, sizes = shape[:n_batch], shape[n_batch : n_batch + n_sparse]
    data = dnp.zeros((*batch, nse, *shape[n_batch + n_sparse :]), dtype)
    beyond = np.broadcast_to(np.array(sizes, index_dtype), (*batch, nse, n_sparse))
    return BCOO((data, beyond), shape=shape, indices_sorted=True, unique_indices=True)


def _as(kind: Any, mat: BCOO) -> Any:
    """Return a matrix in another format; its indices are sorted."""
    if kind is BCOO:
        return mat
    if kind is COO:
        args = mat.data, mat.indices[:, 0], mat.indices[:, 1]
        return COO(args, shape=mat.shape, rows_sorted=True)
    if kind is CSC:
        return _as(CSR, mat.transpose()).transpose()
    made = BCSR.from_bcoo(mat)
    return made if kind is BCSR else CSR((made.data, made.indices, made.indptr), shape=mat.shape)


def eye(
    N: int,
    M: int | None = None,
    k: int = 0,
    dtype: Any = None,
    index_dtype: Any = "int32",
    sparse_format: str = "bcoo",
    **kwds: Any,
) -> Any:
    """Return the sparse matrix with ones on a diagonal.

    Args:
        N, M: the numbers of rows and columns; by default as many columns as rows.
        k: which diagonal: 0 is the main one, positive ones are above.
        dtype: of the elements, by default that of floating-point numbers.
        index_dtype: of the indices.
        sparse_format: "bcoo", "bcsr", "coo", "csr" or "csc".
        **kwds: of "bcoo": `n_batch` and `n_dense`.

    Examples:
        >>> from diffeo.experimental import sparse
        >>> sparse.eye(2, 3, k=1).todense()
        Array([[0., 1., 0.],
               [0., 0., 1.]])
    """
    kind = _format("eye", sparse_format)
    columns = N if M is None else M
    n, m, shift = (operator.index(x) for x in (N, columns, k))
    count = max(min(n, m - shift) if shift > 0 else min(n + shift, m), 0)
    places = np.arange(count)
    indices = np.stack([places + max(-shift, 0), places + max(shift, 0)], -1).astype(index_dtype)
    data = dnp.ones(count, dtype_of(dtype))
    made = BCOO((data, indices), shape=(n, m), indices_sorted=True, unique_indices=True)
    if kind is BCOO and kwds:
        return made.update_layout(**kwds, on_inefficient=None)
    if kwds:
        raise refuse("eye", f"{kind.__name__} has no {', '.join(kwds)}")
    return _as(kind, made)


def random_bcoo(
    key: Any,
    shape: Sequence[int],
    *,
    dtype: Any = np.float64,
    indices_dtype: Any = None,
    nse: float = 0.2,
    n_batch: int = 0,
    n_dense: int = 0,
    unique_indices: bool = True,
    sorted_indices: bool = False,
    generator: Callable[..., Any] = random.uniform,
    **kwds: Any,
) -> BCOO:
    """Draw a sparse array: its indices and its elements.

    Args:
        key: the key.
        shape: of the array.
        dtype, indices_dtype: of elements and indices.
        nse: how many elements are stored in each batch; a number below 1 is a part of all.
        n_batch, n_dense: the numbers of batch and dense axes.
        unique_indices: draw without replacement.
        sorted_indices: sort the indices.
        generator: what draws the elements: `generator(key, shape=shape, dtype=dtype, **kwds)`.
        **kwds: further arguments of it.

    Raises:
        ValueError: if numbers of axes or of elements do not fit the shape.

    Examples:
        >>> import diffeo as dx
        >>> from diffeo.experimental import sparse
        >>> sparse.random_bcoo(dx.random.key(0), (3, 4), nse=0.25)
        BCOO(float64[3, 4], nse=3)
    """
    sizes = tuple([operator.index(n) for n in shape])
    n_batch, n_dense = operator.index(n_batch), operator.index(n_dense)
    n_sparse = len(sizes) - n_batch - n_dense
    if min(n_batch, n_dense, n_sparse) < 0:
        raise refuse("random_bcoo", f"Invalid n_batch={n_batch}, n_dense={n_dense} for {sizes}")
    batch, sparse, dense = (
        sizes[:n_batch],
        sizes[n_batch : n_batch + n_sparse],
        sizes[n_batch + n_sparse :],
    )
    total = math.prod(sparse)
    if not 0 <= nse < total:
        raise refuse("random_bcoo", f"got nse={nse}, expected to be between 0 and {total}")
    count = math.ceil(nse * total) if 0 < nse < 1 else operator.index(int(nse))
    index_dtype = dtype_of(int) if indices_dtype is None else np.dtype(indices_dtype)
    if total > np.iinfo(index_dtype).max:
        raise refuse("random_bcoo", f"indices of dtype {index_dtype} cannot count {total} elements")

    def places(key: Any) -> Any:
        if not sparse:
            return dnp.zeros((count, 0), index_dtype)
        flat = random.choice(key, total, shape=(count,), replace=not unique_indices)
        columns = dnp.unravel_index(flat.astype(index_dtype), sparse)
        return dnp.stack([c.astype(index_dtype) for c in columns], -1)

    keys = random.split(key, math.prod(batch) + 1)
    data = generator(keys[0], shape=(*batch, count, *dense), dtype=dtype, **kwds)
    indices = rows(places, 1)(keys[1:]).reshape((*batch, count, n_sparse))
    made = BCOO((data, indices), shape=sizes)
    return made.sort_indices() if sorted_indices else made
