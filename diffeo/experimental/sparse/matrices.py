"""The plain sparse matrices COO, CSR and CSC, without batch and dense axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import numpy as dnp
from ...primitives.core import with_user_line
from ...trees import tree
from . import layout
from .base import JAXSparse, check_sparse, refuse
from .bcoo import BCOO
from .bcsr import BCSR
from .elements import matmul


class Matrix(JAXSparse):
    """What the three have in common: each is a BCOO in other words."""

    #: What `promises` says, by name.
    flags: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()

    def _fill(self, args: Sequence[Any], shape: Sequence[int]) -> None:
        for name, x in zip(self.arrays, args, strict=True):
            setattr(self, name, dnp.asarray(x))
        self.shape = tuple(shape)
        if len(self.shape) != 2 or self.data.ndim != 1:
            raise refuse(
                type(self).__name__,
                f"expected a matrix and a vector of data, got the shape {self.shape} and data of "
                f"shape {self.data.shape}",
            )

    @property
    def nse(self) -> int:
        """The number of stored elements."""
        return self.data.shape[0]

    def tree_flatten(self) -> tuple[Any, Any]:
        """Return the arrays, and what is known of them."""
        static = self.shape, *[getattr(self, f) for f in self.flags]
        return tuple([getattr(self, name) for name in self.arrays]), static

    @classmethod
    def tree_unflatten(cls, static: Any, children: Any) -> Any:
        """Return the matrix of which `tree_flatten` made these."""
        made = object.__new__(cls)
        for name, value in zip((*cls.arrays, "shape", *cls.flags), (*children, *static)):
            setattr(made, name, value)
        return made

    def to_bcoo(self) -> BCOO:
        """Return the matrix as a BCOO."""
        raise NotImplementedError

    def todense(self) -> Any:
        """Return the dense matrix."""
        return self.to_bcoo().todense()

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, JAXSparse):
            raise self.missing("product with another sparse matrix")
        return matmul(self.to_bcoo(), other)

    def _only_reversed(self, axes: Any) -> None:
        if axes is not None:
            raise with_user_line(
                NotImplementedError(f"{type(self).__name__}.transpose: leave the axes out")
            )


@tree.register_pytree_node_class
class COO(Matrix):
    """A sparse matrix by rows and columns of its elements.

    Args:
        args: (data, row, col), vectors.
        shape: of the matrix.
        rows_sorted, cols_sorted: promises that rows, or columns, ascend.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental.sparse import COO
        >>> COO((np.ones(2), np.array([0, 1]), np.array([1, 0])), shape=(2, 2)).todense()
        Array([[0., 1.],
               [1., 0.]])
    """

    row: Any
    col: Any
    arrays = ("data", "row", "col")
    flags = ("_rows_sorted", "_cols_sorted")

    def __init__(
        self,
        args: tuple[Any, Any, Any],
        *,
        shape: Sequence[int],
        rows_sorted: bool = False,
        cols_sorted: bool = False,
    ):
        self._fill(args, shape)
        self._rows_sorted, self._cols_sorted = rows_sorted, cols_sorted

    @classmethod
    def fromdense(cls, mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32) -> COO:
        """Return the sparse matrix of a dense one; see `bcoo_fromdense`."""
        data, table = layout.fromdense(mat, nse, 0, 0, index_dtype, "COO.fromdense")
        return cls((data, table[:, 0], table[:, 1]), shape=dnp.shape(mat), rows_sorted=True)

    def to_bcoo(self) -> BCOO:
        """Return the matrix as a BCOO."""
        return BCOO((self.data, dnp.stack([self.row, self.col], -1)), shape=self.shape)

    def transpose(self, axes: Any = None) -> COO:
        """Return the transpose."""
        self._only_reversed(axes)
        return COO(
            (self.data, self.col, self.row), shape=self.shape[::-1],
            rows_sorted=self._cols_sorted, cols_sorted=self._rows_sorted,
        )  # fmt: skip


class Compressed(Matrix):
    """A sparse matrix that says where its rows, or its columns, begin."""

    indices: Any
    indptr: Any
    arrays = ("data", "indices", "indptr")

    def __init__(self, args: tuple[Any, Any, Any], *, shape: Sequence[int]):
        self._fill(args, shape)


@tree.register_pytree_node_class
class CSR(Compressed):
    """A sparse matrix by rows.

    Args:
        args: (data, indices, indptr): elements, their columns, and where rows begin.
        shape: of the matrix.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental.sparse import CSR
        >>> CSR.fromdense(np.array([[0.0, 2.0], [3.0, 0.0]])) @ np.ones(2)
        Array([2., 3.])
    """

    @classmethod
    def fromdense(cls, mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32) -> CSR:
        """Return the sparse matrix of a dense one; see `bcoo_fromdense`."""
        made = BCSR.fromdense(mat, nse=nse, index_dtype=index_dtype)
        return cls((made.data, made.indices, made.indptr), shape=made.shape)

    def to_bcoo(self) -> BCOO:
        """Return the matrix as a BCOO."""
        return BCSR((self.data, self.indices, self.indptr), shape=self.shape).to_bcoo()

    def transpose(self, axes: Any = None) -> CSC:
        """Return the transpose, which has the same arrays."""
        self._only_reversed(axes)
        return CSC((self.data, self.indices, self.indptr), shape=self.shape[::-1])


@tree.register_pytree_node_class
class CSC(Compressed):
    """A sparse matrix by columns.

    Args:
        args: (data, indices, indptr): elements, their rows, and where columns begin.
        shape: of the matrix.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental.sparse import CSC
        >>> CSC.fromdense(np.array([[0.0, 2.0], [3.0, 0.0]])).T @ np.ones(2)
        Array([3., 2.])
    """

    @classmethod
    def fromdense(cls, mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32) -> CSC:
        """Return the sparse matrix of a dense one; see `bcoo_fromdense`."""
        return CSR.fromdense(dnp.asarray(mat).T, nse=nse, index_dtype=index_dtype).transpose()

    def to_bcoo(self) -> BCOO:
        """Return the matrix as a BCOO."""
        return self.transpose().to_bcoo().transpose()

    def transpose(self, axes: Any = None) -> CSR:
        """Return the transpose, which has the same arrays."""
        self._only_reversed(axes)
        return CSR((self.data, self.indices, self.indptr), shape=self.shape[::-1])


# --------------------------------------------------------------------------------------------------
# Functions


def coo_fromdense(mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32) -> COO:
    """Return the sparse matrix of a dense one; see `bcoo_fromdense`."""
    return COO.fromdense(mat, nse=nse, index_dtype=index_dtype)


def coo_todense(mat: COO) -> Any:
    """Return the dense matrix of a sparse one."""
    check_sparse("coo_todense", mat, COO)
    return mat.todense()


def coo_matvec(mat: COO, v: Any, transpose: bool = False) -> Any:
    """Return the product of a sparse matrix, or of its transpose, with a vector.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental import sparse
        >>> m = sparse.coo_fromdense(np.array([[0.0, 2.0], [0.0, 3.0]]))
        >>> sparse.coo_matvec(m, np.ones(2)), sparse.coo_matvec(m, np.ones(2), transpose=True)
        (Array([2., 3.]), Array([0., 5.]))
    """
    return _product("coo_matvec", mat, COO, v, transpose, 1)


def coo_matmat(mat: COO, B: Any, *, transpose: bool = False) -> Any:
    """Return the product of a sparse matrix, or of its transpose, with a dense matrix."""
    return _product("coo_matmat", mat, COO, B, transpose, 2)


def csr_fromdense(mat: Any, *, nse: int | None = None, index_dtype: Any = np.int32) -> CSR:
    """Return the sparse matrix of a dense one; see `bcoo_fromdense`."""
    return CSR.fromdense(mat, nse=nse, index_dtype=index_dtype)


def csr_todense(mat: CSR) -> Any:
    """Return the dense matrix of a sparse one."""
    check_sparse("csr_todense", mat, CSR)
    return mat.todense()


def csr_matvec(mat: CSR, v: Any, transpose: bool = False) -> Any:
    """Return the product of a sparse matrix, or of its transpose, with a vector."""
    return _product("csr_matvec", mat, CSR, v, transpose, 1)


def csr_matmat(mat: CSR, B: Any, *, transpose: bool = False) -> Any:
    """Return the product of a sparse matrix, or of its transpose, with a dense matrix."""
    return _product("csr_matmat", mat, CSR, B, transpose, 2)


def _product(name: str, mat: Any, kind: type, other: Any, transpose: bool, ndim: int) -> Any:
    check_sparse(name, mat, kind)
    if dnp.ndim(other) != ndim:
        raise refuse(name, f"expected an array of {ndim} axes, got shape {dnp.shape(other)}")
    return (mat.transpose() if transpose else mat) @ other
