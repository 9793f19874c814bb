"""BCOO, the sparse array that has most operations."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import numpy as dnp
from ...primitives.core import with_user_line
from ...trees import tree
from . import layout, shaping
from .base import Shape, check_scipys_axes, refuse
from .elements import Elements


@tree.register_pytree_node_class
class BCOO(Elements):
    """A sparse array: elements and their indices, with batch axes in front and dense axes behind.

    Args:
        args: (data, indices). `data` is [*batch, nse, *dense]: the elements, or blocks of the dense
            axes. `indices` is [*batch, nse, n_sparse], integers. Elements with the same indices are
            summed; one whose indices are beyond the array does not count. A batch axis may be of
            size 1 in either, for any size of the array's.
        shape: the shape of the array.
        indices_sorted: a promise that the indices ascend lexicographically.
        unique_indices: a promise that no two of them are the same.

    It is a container of data and indices: `jit`, `scan` and derivatives take it. `vmap` maps its
    batch axes: within, the array has one less.

    Raises:
        ValueError: if the shapes do not fit.
        TypeError: for indices that are no integers.

    Examples:
        >>> import numpy as np
        >>> from diffeo.experimental.sparse import BCOO
        >>> m = BCOO((np.array([1.0, 3.0]), np.array([[0, 0], [1, 2]])), shape=(2, 3))
        >>> m.todense()
        Array([[1., 0., 0.],
               [0., 0., 3.]])
        >>> (m @ m.T).todense()
        Array([[1., 0.],
               [0., 9.]])
    """

    indices: Any

    def __init__(
        self,
        args: tuple[Any, Any],
        *,
        shape: Sequence[int],
        indices_sorted: bool = False,
        unique_indices: bool = False,
    ):
        self.data, self.indices = (dnp.asarray(a) for a in args)
        self.shape = tuple([operator.index(n) for n in shape])
        self.indices_sorted, self.unique_indices = indices_sorted, unique_indices
        self._check()

    def _check(self) -> None:
        table, data = self.indices, self.data
        if table.dtype.kind not in "iu":
            raise with_user_line(
                TypeError(f"BCOO: indices must be integers, got dtype {table.dtype}")
            )
        fits = table.ndim >= 2 and self.n_batch + self.n_sparse <= self.ndim <= data.ndim + (
            self.n_sparse - 1
        )
        n = self.n_batch if fits else 0
        batch = self.shape[:n]
        fits = fits and data.shape[n:] == (self.nse, *self.shape[n + self.n_sparse :])
        for shape in (data.shape[:n], table.shape[:n]):
            fits = fits and all([s in (1, b) for s, b in zip(shape, batch)])
        if not fits:
            raise refuse(
                "BCOO",
                f"data {data.shape} and indices {table.shape} do not fit the shape {self.shape}: "
                "expected [*batch, nse, *dense] and [*batch, nse, n_sparse]",
            )

    @property
    def nse(self) -> int:
        """The number of stored elements, in each batch."""
        return self.indices.shape[-2]

    @property
    def n_batch(self) -> int:
        """The number of batch axes."""
        return self.indices.ndim - 2

    @property
    def n_sparse(self) -> int:
        """The number of sparse axes."""
        return self.indices.shape[-1]

    @property
    def n_dense(self) -> int:
        """The number of dense axes."""
        return self.data.ndim - 1 - self.n_batch

    def replaced(
        self,
        data: Any,
        indices: Any,
        shape: Shape | None = None,
        indices_sorted: bool = False,
        unique_indices: bool = False,
    ) -> BCOO:
        """Return an array of these parts."""
        return BCOO(
            (data, indices),
            shape=self.shape if shape is None else shape,
            indices_sorted=indices_sorted,
            unique_indices=unique_indices,
        )

    def tree_flatten(self) -> tuple[Any, Any]:
        """Return data and indices, and what is known of them."""
        return (self.data, self.indices), (self.shape, self.indices_sorted, self.unique_indices)

    @classmethod
    def tree_unflatten(cls, static: Any, children: Any) -> BCOO:
        """Return the array of which `tree_flatten` made these. Under `vmap` they have a batch axis
        less, or more, and so has the shape.
        """
        made = object.__new__(cls)
        made.data, made.indices = children
        made.shape, made.indices_sorted, made.unique_indices = static
        shapes: list[Any] = [getattr(x, "shape", None) for x in children]
        if all([isinstance(s, tuple) for s in shapes]) and len(shapes[1]) >= 2:
            made.shape = with_batch(made.shape, shapes[0], len(shapes[0]) - 1 + shapes[1][-1])
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
    ) -> BCOO:
        """Return the sparse array of a dense one; see `bcoo_fromdense`."""
        data, indices = layout.fromdense(mat, nse, n_batch, n_dense, index_dtype, "BCOO.fromdense")
        shape = dnp.shape(mat)
        return cls((data, indices), shape=shape, indices_sorted=True, unique_indices=True)

    @classmethod
    def from_scipy_sparse(
        cls, mat: Any, *, index_dtype: Any = None, n_dense: int = 0, n_batch: int = 0
    ) -> BCOO:
        """Return the array of a sparse matrix of SciPy's.

        Raises:
            NotImplementedError: for batch or dense axes, which SciPy does not have.
        """
        check_scipys_axes("BCOO", n_batch, n_dense)
        coo = mat.tocoo()
        indices = np.stack([coo.row, coo.col], -1).astype(index_dtype or np.int32)
        return cls((coo.data, indices), shape=mat.shape)

    def update_layout(
        self,
        *,
        n_batch: int | None = None,
        n_dense: int | None = None,
        on_inefficient: str | None = "error",
    ) -> BCOO:
        """Return the array with other numbers of batch and dense axes; see `bcoo_update_layout`."""
        return layout.update_layout(self, n_batch, n_dense, on_inefficient)

    def sum_duplicates(self, nse: int | None = None, remove_zeros: bool = True) -> BCOO:
        """Return the array with sorted, unique indices.

        Args:
            nse: how many elements the result stores; by default as many as there are, which must be
                known then. If there are more, the last ones are lost.
            remove_zeros: leave elements out that are zero.
        """
        if remove_zeros:
            return layout.eliminate_zeros(self, nse, "BCOO.sum_duplicates")
        return layout.sum_duplicates(self, nse, "BCOO.sum_duplicates")

    def sort_indices(self) -> BCOO:
        """Return the array with elements in the order of their indices."""
        return layout.sort_indices(self)

    def todense(self) -> Any:
        """Return the dense array."""
        return layout.todense(self)

    def transpose(self, axes: Sequence[int] | None = None) -> BCOO:
        """Return the array with permuted axes, by default in reverse order."""
        return shaping.transpose(self, range(self.ndim)[::-1] if axes is None else axes)


def with_batch(shape: Shape, data: Any, ndim: int) -> Shape:
    """Return a shape with as many batch axes as the arrays have now.

    Args:
        shape: with the batch axes that there were.
        data: the shape of the elements.
        ndim: the number of axes now.
    """
    if ndim < len(shape):
        return shape[len(shape) - ndim :]
    return (*data[: ndim - len(shape)], *shape)
