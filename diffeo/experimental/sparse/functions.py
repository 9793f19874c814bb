"""Functions of `BCOO`, by JAX's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import numpy as dnp
from ...primitives.core import with_user_line
from . import layout, products, shaping
from .base import check_sparse, refuse
from .bcoo import BCOO


def bcoo_todense(mat: BCOO) -> Any:
    """Return the dense array of a sparse one.

    Examples:
        >>> from diffeo.experimental import sparse
        >>> sparse.bcoo_todense(sparse.eye(2))
        Array([[1., 0.],
               [0., 1.]])
    """
    check_sparse("bcoo_todense", mat, BCOO)
    return mat.todense()


def bcoo_fromdense(
    mat: Any,
    *,
    nse: int | None = None,
    n_batch: int = 0,
    n_dense: int = 0,
    index_dtype: Any = np.int32,
) -> BCOO:
    """Return the sparse array of a dense one.

    Args:
        mat: the dense array.
        nse: how many elements are stored, in each batch; by default as many as are not zero, which
            must be known then. If there are more, the last ones are lost.
        n_batch, n_dense: how many of its leading axes are batch axes, and of its trailing ones
            dense.
        index_dtype: the dtype of the indices.

    Raises:
        TypeError: without `nse` where the array is traced.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> sparse.bcoo_fromdense(np.array([[0.0, 2.0], [3.0, 0.0]])).indices
        Array([[0, 1],
               [1, 0]], dtype=int32)
    """
    return BCOO.fromdense(mat, nse=nse, index_dtype=index_dtype, n_dense=n_dense, n_batch=n_batch)


def bcoo_extract(sparr: BCOO, arr: Any, *, assume_unique: bool | None = None) -> BCOO:
    """Return the sparse array with the elements of a dense one where another has some.

    Args:
        sparr: whose indices are taken.
        arr: a dense array of its shape.
        assume_unique: the indices are unique; by default what the array promises. If not, the first
            of several elements with the same indices counts.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> sparse.bcoo_extract(sparse.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]])).data
        Array([1., 4.])
    """
    check_sparse("bcoo_extract", sparr, BCOO)
    values = dnp.asarray(arr)
    if values.shape != sparr.shape:
        raise refuse("bcoo_extract", f"an array of shape {values.shape} does not fit {sparr!r}")
    unique = sparr.unique_indices if assume_unique is None else assume_unique
    data = layout.extract(sparr, values, unique)
    return sparr.replaced(
        data, sparr.indices,
        indices_sorted=sparr.indices_sorted, unique_indices=sparr.unique_indices,
    )  # fmt: skip


def bcoo_transpose(mat: BCOO, *, permutation: Sequence[int]) -> BCOO:
    """Return the array with permuted axes: batch, sparse and dense ones among themselves.

    Examples:
        >>> from diffeo.experimental import sparse
        >>> sparse.bcoo_transpose(sparse.eye(2, 3), permutation=(1, 0)).shape
        (3, 2)
    """
    return shaping.transpose(mat, permutation)


def bcoo_sort_indices(mat: BCOO) -> BCOO:
    """Return the array with elements in the order of their indices."""
    return layout.sort_indices(mat)


def bcoo_sum_duplicates(mat: BCOO, nse: int | None = None) -> BCOO:
    """Return the array with sorted, unique indices; see `BCOO.sum_duplicates`. Zeros stay."""
    return layout.sum_duplicates(mat, nse, "bcoo_sum_duplicates")


def bcoo_update_layout(
    mat: BCOO,
    *,
    n_batch: int | None = None,
    n_dense: int | None = None,
    on_inefficient: str | None = "error",
) -> BCOO:
    """Return the array with other numbers of batch and dense axes.

    Args:
        mat: the array.
        n_batch, n_dense: the numbers; by default as they are.
        on_inefficient: what to do if sparse axes would become batch or dense ones, of which very
            many zeros are stored: "error", "warn", or None for nothing.

    Raises:
        SparseEfficiencyError: (a ValueError) for that, unless it is asked for.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> m = sparse.BCOO.fromdense(np.eye(3), n_batch=1)
        >>> m.update_layout(n_batch=0)
        BCOO(float64[3, 3], nse=3)
    """
    return layout.update_layout(mat, n_batch, n_dense, on_inefficient)


def bcoo_broadcast_in_dim(
    mat: BCOO, *, shape: Sequence[int], broadcast_dimensions: Sequence[int], sharding: Any = None
) -> BCOO:
    """Return the array repeated along new axes, and along axes of size 1.

    Args:
        mat: the array.
        shape: of the result.
        broadcast_dimensions: where the axes of the array are in the result, ascending.
        sharding: None; arrays are not spread over devices.

    Examples:
        >>> from diffeo.experimental import sparse
        >>> sparse.bcoo_broadcast_in_dim(
        ...     sparse.eye(2), shape=(3, 2, 2), broadcast_dimensions=(1, 2)
        ... )
        BCOO(float64[3, 2, 2], nse=6)
    """
    if sharding is not None:
        raise with_user_line(
            NotImplementedError("bcoo_broadcast_in_dim: sharding is not honoured; leave it out")
        )
    return shaping.broadcast_in_dim(mat, shape, broadcast_dimensions)


def bcoo_concatenate(operands: Sequence[BCOO], *, dimension: int) -> BCOO:
    """Return arrays joined along an axis.

    Examples:
        >>> from diffeo.experimental import sparse
        >>> sparse.bcoo_concatenate([sparse.eye(2), sparse.eye(2, 3)], dimension=1)
        BCOO(float64[2, 5], nse=4)
    """
    for x in operands:
        check_sparse("bcoo_concatenate", x, BCOO)
    if not operands:
        raise refuse("bcoo_concatenate", "there is nothing to be joined")
    return shaping.concatenate(operands, dimension)


def bcoo_reshape(
    mat: BCOO,
    *,
    new_sizes: Sequence[int],
    dimensions: Sequence[int] | None = None,
    sharding: Any = None,
) -> BCOO:
    """Return the array in another shape. Batch and dense axes become sparse ones where the new
    shape does not separate them.

    Examples:
        >>> from diffeo.experimental import sparse
        >>> sparse.bcoo_reshape(sparse.eye(4), new_sizes=(2, 8)).shape
        (2, 8)
    """
    if sharding is not None:
        raise with_user_line(
            NotImplementedError("bcoo_reshape: sharding is not honoured; leave it out")
        )
    return shaping.reshape(mat, new_sizes, dimensions)


def bcoo_rev(operand: BCOO, dimensions: Sequence[int]) -> BCOO:
    """Return the array in reverse order along axes."""
    return shaping.rev(operand, dimensions)


def bcoo_squeeze(arr: BCOO, *, dimensions: Sequence[int]) -> BCOO:
    """Return the array without axes, which are of size 1."""
    return shaping.squeeze(arr, dimensions)


def bcoo_slice(
    mat: BCOO,
    *,
    start_indices: Sequence[int],
    limit_indices: Sequence[int],
    strides: Sequence[int] | None = None,
) -> BCOO:
    """Return a slice along each axis; see `dx.lax.slice`.

    Examples:
        >>> from diffeo.experimental import sparse
        >>> sparse.bcoo_slice(sparse.eye(4), start_indices=(0, 1), limit_indices=(2, 4)).todense()
        Array([[0., 0., 0.],
               [1., 0., 0.]])
    """
    return shaping.slice_(mat, start_indices, limit_indices, strides)


def bcoo_dynamic_slice(mat: BCOO, start_indices: Sequence[Any], slice_sizes: Sequence[int]) -> BCOO:
    """Return a window of known sizes at starts that may be traced; see `dx.lax.dynamic_slice`."""
    return shaping.dynamic_slice(mat, start_indices, slice_sizes)


def bcoo_dot_general(
    lhs: Any,
    rhs: Any,
    *,
    dimension_numbers: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Return the contraction of two arrays, of which at least one is sparse.

    Args:
        lhs, rhs: the operands. Batch axes of the contraction are batch axes of sparse operands.
        dimension_numbers: ((contracted axes of either), (batch axes of either)).
        precision: None, "highest" or the like; products are exact in any case.
        preferred_element_type: the dtype of the result.
        out_sharding: None; arrays are not spread over devices.

    Returns:
        A dense array if an operand is dense; of two sparse ones, a BCOO.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> sparse.bcoo_dot_general(
        ...     sparse.eye(2), np.array([3.0, 4.0]), dimension_numbers=(((1,), (0,)), ((), ()))
        ... )
        Array([3., 4.])
    """
    if out_sharding is not None:
        raise with_user_line(
            NotImplementedError("bcoo_dot_general: out_sharding is not honoured; leave it out")
        )
    numbers, dtype = dimension_numbers, preferred_element_type
    if isinstance(lhs, BCOO) and isinstance(rhs, BCOO):
        return products.dot_sparse(lhs, rhs, numbers, dtype)
    if isinstance(lhs, BCOO):
        return products.dot_dense(lhs, rhs, numbers, dtype)
    check_sparse("bcoo_dot_general", rhs, BCOO)
    return products.dense_dot(lhs, rhs, numbers, dtype)


def bcoo_dot_general_sampled(A: Any, B: Any, indices: Any, *, dimension_numbers: Any) -> Any:
    """Return the elements of the contraction of two dense arrays at indices, [*batch, nse].

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> a, numbers = np.array([[1.0, 2.0], [3.0, 4.0]]), (((1,), (0,)), ((), ()))
        >>> sparse.bcoo_dot_general_sampled(a, a, np.array([[0, 1]]), dimension_numbers=numbers)
        Array([10.])
    """
    return products.sampled(A, B, indices, dimension_numbers)


def bcoo_multiply_sparse(lhs: BCOO, rhs: BCOO) -> BCOO:
    """Return the product of sparse arrays, element by element."""
    check_sparse("bcoo_multiply_sparse", lhs, BCOO)
    check_sparse("bcoo_multiply_sparse", rhs, BCOO)
    return products.multiply_sparse(lhs, rhs)


def bcoo_multiply_dense(sp_mat: BCOO, v: Any) -> Any:
    """Return the data of a sparse array times a dense one, which is broadcast to it.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> sparse.bcoo_multiply_dense(sparse.eye(2), np.array([3.0, 4.0]))
        Array([3., 4.])
    """
    check_sparse("bcoo_multiply_dense", sp_mat, BCOO)
    return products.multiply_dense(sp_mat, v)


def bcoo_reduce_sum(mat: BCOO, *, axes: Sequence[int]) -> BCOO:
    """Return the sum over axes, a sparse array whose indices may not be unique.

    Examples:
        >>> from diffeo.experimental import sparse
        >>> sparse.bcoo_reduce_sum(sparse.eye(3), axes=(0,)).todense()
        Array([1., 1., 1.])
    """
    return products.reduce_sum(mat, axes)
