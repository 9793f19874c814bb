"""What sparse arrays have in common, and what may be said about their efficiency."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ... import numpy as dnp
from ...api.vmap import vmap
from ...primitives.core import Tracer, describe, with_user_line
from ...trees import tree

Shape = tuple[int, ...]


class SparseEfficiencyError(ValueError):
    """An operation that would store very many zeros."""


class SparseEfficiencyWarning(UserWarning):
    """An operation stores very many zeros."""


class CuSparseEfficiencyWarning(SparseEfficiencyWarning):
    """A kernel of cuSPARSE cannot be used. diffeo calls none, and never warns so."""


class JAXSparse:
    """The base of sparse arrays.

    Attributes:
        shape: the shape of the array.
        data: the elements that are stored.
    """

    shape: Shape
    data: Any
    #: NumPy leaves operators to us.
    __array_priority__ = 110.0
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    @property
    def nse(self) -> int:
        """The number of stored elements, in each batch."""
        raise NotImplementedError

    @property
    def dtype(self) -> Any:
        """The dtype of the elements."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements, stored or not."""
        return math.prod(self.shape)

    @property
    def T(self) -> Any:
        """The transpose."""
        return self.transpose()

    def transpose(self, axes: Sequence[int] | None = None) -> Any:
        """Return the transpose."""
        raise self.missing("transpose")

    def todense(self) -> Any:
        """Return the dense array."""
        raise NotImplementedError

    def block_until_ready(self) -> Any:
        """Wait until the arrays are computed, and return the sparse array."""
        for leaf in tree.leaves(self):
            dnp.asarray(leaf).block_until_ready()
        return self

    def missing(self, what: str) -> Exception:
        """Return the error for an operation that this kind of array does not have."""
        name = type(self).__name__
        return with_user_line(
            NotImplementedError(
                f"{name} has no {what}; use BCOO, or a dense array by {name}.todense()"
            )
        )

    def __repr__(self) -> str:
        try:
            extra = f", nse={self.nse}"
            for axes in ("n_batch", "n_dense"):
                count = getattr(self, axes, 0)
                extra += f", {axes}={count}" if count else ""
            text = f"{type(self).__name__}({self.dtype}{list(self.shape)}{extra})"
        except (AttributeError, IndexError):  # a tree whose leaves are no arrays
            return f"{type(self).__name__}(<invalid>)"
        return f"{type(self.data).__name__}[{text}]" if isinstance(self.data, Tracer) else text

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise with_user_line(
            TypeError(f"{self!r} is a sparse array, of which todense() makes a dense one")
        )


def rows(fun: Callable, count: int) -> Callable:
    """Return a function vectorised over `count` leading axes of all arguments."""
    for _ in range(count):
        fun = vmap(fun)
    return fun


def refuse(name: str, what: str) -> Exception:
    """Return a ValueError about the arguments of a function."""
    return with_user_line(ValueError(f"{name}: {what}"))


def check_sparse(name: str, x: Any, kind: type) -> None:
    """Raise a TypeError unless an argument is a sparse array of a kind."""
    if not isinstance(x, kind):
        raise with_user_line(TypeError(f"{name}: expected a {kind.__name__}, got {describe(x)}"))


def check_scipys_axes(name: str, n_batch: int, n_dense: int) -> None:
    """Raise NotImplementedError for axes that SciPy's sparse matrices do not have."""
    if n_batch or n_dense:
        raise with_user_line(
            NotImplementedError(
                f"{name}.from_scipy_sparse: SciPy's matrices have no batch and no dense axes; "
                "leave n_batch and n_dense out"
            )
        )
