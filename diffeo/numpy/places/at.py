"""`x.at[index]` and its methods: what users see of `updates.py`, which does the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...typing import ArrayLike
from ..common import no_sharding
from .indexing import read_with_mode
from .updates import apply_at, update


class At:
    """The object `x.at`. Index it, then say what to do there: `x.at[index].set(value)`."""

    __slots__ = ("array",)

    def __init__(self, array: Any):
        self.array = array

    def __getitem__(self, index: Any) -> IndexUpdate:
        return IndexUpdate(self.array, index)

    def __repr__(self) -> str:
        return f"At({self.array!r})"


class IndexUpdate:
    """The object `x.at[index]`. Every method returns a new array; `x` stays as it is.

    A known index out of bounds is an IndexError without `mode`. With `mode`, and for a traced
    index, the index is moved to the nearest end ('clip') or left out ('drop', 'fill'; the default
    when writing). `unique_indices` promises that no position is addressed twice,
    `indices_are_sorted` that they are in order. Both can make the program faster, and a broken
    promise makes its result undefined. Without `wrap_negative_indices`, negative indices do not
    count from the end, but are out of bounds.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.zeros(3)
        >>> x.at[1].set(5.0), x.at[dx.numpy.array([0, 0])].add(1.0)
        (Array([0., 5., 0.]), Array([2., 0., 0.]))
    """

    __slots__ = ("array", "index")

    def __init__(self, array: Any, index: Any):
        self.array, self.index = array, index

    def __repr__(self) -> str:
        return f"IndexUpdate({self.array!r}, {self.index!r})"

    def get(
        self,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        fill_value: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return `x[index]`; 'clip', or 'fill' with `fill_value` (nan by default) out of bounds."""
        if out_sharding is not None:
            raise no_sharding("x.at[...].get", out_sharding)
        how = unique_indices, indices_are_sorted, wrap_negative_indices
        return read_with_mode(self.array, self.index, mode, fill_value, *how)

    def set(
        self,
        values: Any,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return `x` with `values` at the index; of equal indices, the last one wins."""
        how = unique_indices, indices_are_sorted, mode, out_sharding, wrap_negative_indices
        return update(self.array, self.index, "set", values, *how)

    def add(
        self,
        values: Any,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return `x` with `values` added; all values of equal indices are added."""
        how = unique_indices, indices_are_sorted, mode, out_sharding, wrap_negative_indices
        return update(self.array, self.index, "add", values, *how)

    def subtract(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return `x` with `values` subtracted; all values of equal indices are subtracted."""
        how = unique_indices, indices_are_sorted, mode, out_sharding, wrap_negative_indices
        return update(self.array, self.index, "subtract", values, *how)

    def multiply(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return `x` with elements multiplied by `values`, by all values of equal indices."""
        how = unique_indices, indices_are_sorted, mode, out_sharding, wrap_negative_indices
        return update(self.array, self.index, "multiply", values, *how)

    mul = multiply

    def divide(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return `x` (floats) with elements divided by `values`, by all values of equal indices."""
        how = unique_indices, indices_are_sorted, mode, out_sharding, wrap_negative_indices
        return update(self.array, self.index, "divide", values, *how)

    def power(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return `x` with elements raised to `values`, to the product for equal indices."""
        how = unique_indices, indices_are_sorted, mode, out_sharding, wrap_negative_indices
        return update(self.array, self.index, "power", values, *how)

    def min(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return `x` with elements replaced by the least of them and `values`."""
        how = unique_indices, indices_are_sorted, mode, out_sharding, wrap_negative_indices
        return update(self.array, self.index, "min", values, *how)

    def max(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        out_sharding: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return `x` with elements replaced by the largest of them and `values`."""
        how = unique_indices, indices_are_sorted, mode, out_sharding, wrap_negative_indices
        return update(self.array, self.index, "max", values, *how)

    def apply(
        self,
        func: Callable,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Any:
        """Return `x` with the elementwise `func` applied as often as an element is addressed.

        Raises:
            NotImplementedError: for more than 64 traced indices without `unique_indices`: it is not
                known how often an element is addressed.
        """
        how = mode, unique_indices, indices_are_sorted, wrap_negative_indices
        return apply_at(self.array, self.index, func, *how)
