"""BCSR, sparse matrices by rows, with batch axes in front and dense axes behind.

Operations go by way of `BCOO`, whose indices say the row of each element.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import numpy as dnp
from ...primitives.core import with_user_line
from ...trees import tree
from . import layout
from .base import JAXSparse, check_scipys_axes, check_sparse, refuse, rows
from .bcoo import BCOO, with_batch
from .elements import matmul
from .functions import bcoo_broadcast_in_dim, bcoo_concatenate, bcoo_dot_general, bcoo_fromdense


@tree.register_pytree_node_class
class BCSR(JAXSparse):
    """A sparse matrix by rows.

    Args:
        args: (data, indices, indptr). `data` is [*batch, nse, *dense], `indices` is [*batch, nse],
            the columns, and `indptr` [*batch, rows + 1]: row i has the elements from `indptr[i]` to
            `indptr[i + 1]`; those after the last row do not count.
        shape: [*batch, rows, columns, *dense].
        indices_sorted: a promise that the columns ascend in each row.
        unique_indices: a promise that no element is there twice.

    Raises:
        ValueError: if the shapes do not fit.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental.sparse import BCSR
        >>> m = BCSR.fromdense(np.array([[0.0, 2.0], [3.0, 4.0]]))
        >>> m.indptr, m @ np.ones(2)
        (Array([0, 1, 3], dtype=int32), Array([2., 7.]))
    """

    indices: Any
    indptr: Any
    #: Rows and columns.
    n_sparse = 2

    def __init__(
        self,
        args: tuple[Any, Any, Any],
        *,
        shape: Sequence[int],
        indices_sorted: bool = False,
        unique_indices: bool = False,
    ):
        self.data, self.indices, self.indptr = (dnp.asarray(a) for a in args)
        self.shape = tuple([operator.index(n) for n in shape])
        self.indices_sorted, self.unique_indices = indices_sorted, unique_indices
        n = self.n_batch
        batch, dense = self.shape[:n], self.shape[n + 2 :]
        fits = self.ndim >= n + 2 and self.data.shape[n:] == (self.nse, *dense)
        fits = fits and self.indptr.shape[n:] == (self.shape[n] + 1,)
        for x in (self.data, self.indices, self.indptr):
            fits = fits and all([s in (1, b) for s, b in zip(x.shape[:n], batch)])
        if not fits:
            raise refuse(
                "BCSR",
                f"data {self.data.shape}, indices {self.indices.shape} and indptr "
                f"{self.indptr.shape} do not fit the shape {self.shape}",
            )

    @property
    def nse(self) -> int:
        """The number of stored elements, in each batch."""
        return self.indices.shape[-1]

    @property
    def n_batch(self) -> int:
        """The number of batch axes."""
        return self.indices.ndim - 1

    @property
    def n_dense(self) -> int:
        """The number of dense axes."""
        return self.data.ndim - self.indices.ndim

    def tree_flatten(self) -> tuple[Any, Any]:
        """Return the arrays, and what is known of them."""
        static = self.shape, self.indices_sorted, self.unique_indices
        return (self.data, self.indices, self.indptr), static

    @classmethod
    def tree_unflatten(cls, static: Any, children: Any) -> BCSR:
        """Return the array of which `tree_flatten` made these; see `BCOO.tree_unflatten`."""
        made = object.__new__(cls)
        made.data, made.indices, made.indptr = children
        made.shape, made.indices_sorted, made.unique_indices = static
        shapes: list[Any] = [getattr(x, "shape", None) for x in children]
        if all([isinstance(s, tuple) for s in shapes]) and shapes[1]:
            made.shape = with_batch(made.shape, shapes[0], len(shapes[0]) + 1)
        return made

    @classmethod
    def fromdense(
        cls,
        mat: Any,
        *,
        nse: int | None = None,
        index_dtype: Any = np.int32,
        n_dense: int = 0,
        n_batch: int = 0,
    ) -> BCSR:
        """Return the sparse matrix of a dense one; see `bcoo_fromdense`."""
        return bcsr_fromdense(
            mat, nse=nse, index_dtype=index_dtype, n_dense=n_dense, n_batch=n_batch
        )

    @classmethod
    def from_bcoo(cls, arr: BCOO) -> BCSR:
        """Return the matrix of a BCOO with two sparse axes, sorted by rows."""
        check_sparse("BCSR.from_bcoo", arr, BCOO)
        if arr.n_sparse != 2:
            raise with_user_line(
                NotImplementedError(
                    f"BCSR.from_bcoo: expected an array with two sparse axes, got {arr!r}"
                )
            )
        arr = arr if arr.indices_sorted else arr.sort_indices()
        count = arr.shape[arr.n_batch]

        def pointers(table: Any) -> Any:
            inside = layout.inside(table, arr.shape[arr.n_batch : arr.n_batch + 2])
            row = dnp.where(inside, table[:, 0], count)
            ends = dnp.zeros(count, table.dtype).at[row].add(1, mode="drop")
            first = dnp.zeros(1, table.dtype)
            return dnp.concatenate([first, dnp.cumsum(ends, dtype=table.dtype)])

        indptr = rows(pointers, arr.n_batch)(arr.indices)
        return cls(
            (arr.data, arr.indices[..., 1], indptr), shape=arr.shape,
            indices_sorted=True, unique_indices=arr.unique_indices,
        )  # fmt: skip

    def to_bcoo(self) -> BCOO:
        """Return the matrix as a BCOO."""
        count = self.shape[self.n_batch]

        def table(indices: Any, indptr: Any) -> Any:
            places = dnp.arange(indices.shape[0], dtype=indptr.dtype)
            row = dnp.searchsorted(indptr, places, side="right").astype(indices.dtype) - 1
            return dnp.stack([dnp.where(places < indptr[-1], row, count), indices], -1)

        batch, n = self.shape[: self.n_batch], self.n_batch
        wide = lambda x: dnp.broadcast_to(x, (*batch, *x.shape[n:]))
        both = rows(table, n)(wide(self.indices), wide(self.indptr))
        return BCOO(
            (self.data, both), shape=self.shape,
            indices_sorted=self.indices_sorted, unique_indices=self.unique_indices,
        )  # fmt: skip

    @classmethod
    def from_scipy_sparse(
        cls, mat: Any, *, index_dtype: Any = None, n_dense: int = 0, n_batch: int = 0
    ) -> BCSR:
        """Return the matrix of a sparse matrix of SciPy's.

        Raises:
            NotImplementedError: for batch or dense axes, which SciPy does not have.
        """
        check_scipys_axes("BCSR", n_batch, n_dense)
        csr, dtype = mat.tocsr(), index_dtype or np.int32
        args = csr.data, csr.indices.astype(dtype), csr.indptr.astype(dtype)
        return cls(args, shape=mat.shape)

    def sum_duplicates(self, nse: int | None = None, remove_zeros: bool = True) -> BCSR:
        """Return the matrix with sorted, unique indices; see `BCOO.sum_duplicates`."""
        return BCSR.from_bcoo(self.to_bcoo().sum_duplicates(nse, remove_zeros))

    def todense(self) -> Any:
        """Return the dense array."""
        return self.to_bcoo().todense()

    def __matmul__(self, other: Any) -> Any:
        return matmul(self.to_bcoo(), other.to_bcoo() if isinstance(other, BCSR) else other)

    def __rmatmul__(self, other: Any) -> Any:
        return matmul(other, self.to_bcoo())

    def __getitem__(self, item: Any) -> Any:
        out = self.to_bcoo()[item]
        return BCSR.from_bcoo(out) if out.n_sparse == 2 else out


def bcsr_fromdense(
    mat: Any,
    *,
    nse: int | None = None,
    n_batch: int = 0,
    n_dense: int = 0,
    index_dtype: Any = np.int32,
) -> BCSR:
    """Return the sparse matrix of a dense one; the arguments are those of `bcoo_fromdense`.

    Raises:
        ValueError: unless two axes are left for rows and columns.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> sparse.bcsr_fromdense(np.eye(2)).indices
        Array([0, 1], dtype=int32)
    """
    if dnp.ndim(mat) - n_batch - n_dense != 2:
        raise refuse(
            "bcsr_fromdense",
            f"an array of {dnp.ndim(mat)} axes, of which {n_batch} are batch axes and {n_dense} "
            "dense, does not leave two for rows and columns",
        )
    return BCSR.from_bcoo(
        bcoo_fromdense(mat, nse=nse, n_batch=n_batch, n_dense=n_dense, index_dtype=index_dtype)
    )


def bcsr_todense(mat: BCSR) -> Any:
    """Return the dense array of a sparse matrix."""
    check_sparse("bcsr_todense", mat, BCSR)
    return mat.todense()


def bcsr_sum_duplicates(mat: BCSR, nse: int | None = None) -> BCSR:
    """Return the matrix with sorted, unique indices; zeros stay."""
    check_sparse("bcsr_sum_duplicates", mat, BCSR)
    return mat.sum_duplicates(nse, remove_zeros=False)


def bcsr_extract(indices: Any, indptr: Any, mat: Any) -> Any:
    """Return the elements of a dense matrix at the places that indices name.

    Args:
        indices, indptr: as in `BCSR`.
        mat: a dense array [*batch, rows, columns, *dense].

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> sparse.bcsr_extract(np.array([1, 0]), np.array([0, 1, 2]), np.arange(4.0).reshape(2, 2))
        Array([1., 2.])
    """
    mat, indices = dnp.asarray(mat), dnp.asarray(indices)
    n_batch = indices.ndim - 1
    zeros = dnp.zeros((*indices.shape, *mat.shape[n_batch + 2 :]), mat.dtype)
    pattern = BCSR((zeros, indices, indptr), shape=mat.shape).to_bcoo()
    return layout.extract(pattern, mat, True)


def bcsr_dot_general(
    lhs: BCSR,
    rhs: Any,
    *,
    dimension_numbers: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Return the contraction of a sparse matrix with a dense array; see `bcoo_dot_general`."""
    check_sparse("bcsr_dot_general", lhs, BCSR)
    return bcoo_dot_general(
        lhs.to_bcoo(),
        rhs,
        dimension_numbers=dimension_numbers,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def bcsr_broadcast_in_dim(
    mat: BCSR, *, shape: Sequence[int], broadcast_dimensions: Sequence[int], sharding: Any = None
) -> BCSR:
    """Return the matrix repeated along new axes; see `bcoo_broadcast_in_dim`. New axes in front
    become batch axes.
    """
    check_sparse("bcsr_broadcast_in_dim", mat, BCSR)
    out = bcoo_broadcast_in_dim(
        mat.to_bcoo(), shape=shape, broadcast_dimensions=broadcast_dimensions, sharding=sharding
    )
    n_batch = out.ndim - out.n_dense - 2
    return BCSR.from_bcoo(layout.update_layout(out, n_batch))


def bcsr_concatenate(operands: Sequence[BCSR], *, dimension: int) -> BCSR:
    """Return matrices joined along an axis."""
    for x in operands:
        check_sparse("bcsr_concatenate", x, BCSR)
    out = bcoo_concatenate([x.to_bcoo() for x in operands], dimension=dimension)
    return BCSR.from_bcoo(out)
