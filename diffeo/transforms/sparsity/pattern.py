"""Say which entries of a Jacobian or a Hessian may be nonzero: the class `Sparsity`.

The entries themselves are not computed here. A pattern comes from a function (see `detection.py`)
or from the user.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...primitives.core import Tracer, describe, with_user_line
from ...primitives.support.frozen import frozen
from .index_sets import IndexSets

#: Patterns of at most so many rows and columns are shown as a picture.
SHOWN = 40


@frozen
class Sparsity:
    """The pattern of a matrix: the places of the entries that may be nonzero, row by row.

    Attributes:
        shape: the numbers of rows and columns.
        rows, cols: the places, sorted by row, then by column.

    Examples:
        >>> import numpy as np
        >>> Sparsity.of(np.tri(3))
        Sparsity(3 x 3, 6 nonzeros, density 0.67)
          x . .
          x x .
          x x x
    """

    shape: tuple[int, int]
    rows: np.ndarray
    cols: np.ndarray

    @staticmethod
    def of(matrix: Any) -> Sparsity:
        """Return the pattern of a matrix: a `Sparsity`, a SciPy sparse array, or a dense array.

        Raises:
            TypeError: for anything else.
        """
        if isinstance(matrix, Sparsity):
            return matrix
        if hasattr(matrix, "tocoo"):
            coo = matrix.tocoo()
            return Sparsity.from_places(coo.row, coo.col, coo.shape)
        if isinstance(matrix, Tracer):
            raise with_user_line(
                TypeError(f"a pattern must be known, got {matrix}, {matrix.origin()}")
            )
        dense = np.asarray(matrix)
        if dense.ndim != 2 or dense.dtype.kind not in "biufc":
            raise with_user_line(
                TypeError(
                    "a pattern is a dx.Sparsity, a SciPy sparse array or a matrix of booleans or "
                    f"numbers, got {describe(matrix)}"
                )
            )
        rows, cols = np.nonzero(dense)
        return Sparsity(dense.shape, rows, cols)

    @staticmethod
    def from_places(rows: np.ndarray, cols: np.ndarray, shape: Sequence[int]) -> Sparsity:
        """Return the pattern with these entries, which may be in any order and repeated.

        Raises:
            ValueError: for a place outside of the matrix.
        """
        m, n = (int(k) for k in shape)
        rows, cols = (np.asarray(places, np.int64) for places in (rows, cols))
        for places, size, what in ((rows, m, "row"), (cols, n, "column")):
            if len(places) and not 0 <= places.min() <= places.max() < size:
                raise with_user_line(
                    ValueError(f"a {what} of the pattern is not within a matrix of {m} x {n}")
                )
        return Sparsity((m, n), *IndexSets.from_pairs(rows, cols, m, n).pairs())

    @property
    def nnz(self) -> int:
        """The number of entries that may be nonzero."""
        return len(self.rows)

    @property
    def density(self) -> float:
        """The share of all entries that may be nonzero."""
        return self.nnz / max(1, self.shape[0] * self.shape[1])

    @property
    def T(self) -> Sparsity:
        """The pattern of the transpose."""
        return Sparsity.from_places(self.cols, self.rows, self.shape[::-1])

    def todense(self) -> np.ndarray:
        """Return the pattern as a matrix of booleans."""
        dense = np.zeros(self.shape, bool)
        dense[self.rows, self.cols] = True
        return dense

    def tocoo(self, values: Any = None) -> Any:
        """Return a `scipy.sparse.coo_array` with these values, by default True, in the order of
        `rows`.
        """
        import scipy.sparse  # heavy, and only sparse results need it

        values = np.ones(self.nnz, bool) if values is None else np.asarray(values)
        return scipy.sparse.coo_array((values, (self.rows, self.cols)), self.shape)

    def tocsr(self, values: Any = None) -> Any:
        """Return a `scipy.sparse.csr_array` with these values, by default True, in the order of
        `rows`.
        """
        import scipy.sparse  # heavy, and only sparse results need it

        values = np.ones(self.nnz, bool) if values is None else np.asarray(values)
        cols, bounds = self._compressed  # copies, since SciPy's methods may write into them
        return scipy.sparse.csr_array((values, cols.copy(), bounds.copy()), self.shape)

    @functools.cached_property
    def bounds(self) -> np.ndarray:
        """The position at which each row begins in `rows` and `cols`, and the end of the last."""
        sizes = np.bincount(self.rows, minlength=self.shape[0])
        return np.concatenate([[0], np.cumsum(sizes)])

    @functools.cached_property
    def _compressed(self) -> tuple[np.ndarray, np.ndarray]:
        """`cols` and `bounds` in the dtype that SciPy keeps them in."""
        small = max(self.nnz, *self.shape) < 2**31
        dtype = np.int32 if small else np.int64
        return self.cols.astype(dtype), self.bounds.astype(dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sparsity) and (
            self.shape == other.shape
            and np.array_equal(self.rows, other.rows)
            and np.array_equal(self.cols, other.cols)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        m, n = self.shape
        text = f"Sparsity({m} x {n}, {self.nnz} nonzeros, density {self.density:.2g})"
        if not 0 < m <= SHOWN or not 0 < n <= SHOWN:
            return text
        lines = [" ".join(["x" if entry else "." for entry in row]) for row in self.todense()]
        return "\n  ".join([text, *lines])

    def _repr_html_(self) -> str:
        return f'<pre style="line-height:1.1">{self!r}</pre>'


def symmetric(pattern: Sparsity) -> Sparsity:
    """Return the pattern of a matrix plus its transpose."""
    rows = np.concatenate([pattern.rows, pattern.cols])
    cols = np.concatenate([pattern.cols, pattern.rows])
    return Sparsity.from_places(rows, cols, pattern.shape)
