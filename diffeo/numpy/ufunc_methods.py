"""The methods of ufuncs, for functions: `add.reduce`, `add.at` and the rest.

`dnp.add` stays a plain function, which is the fastest that Python calls; `with_methods` hangs the
methods and attributes of a ufunc on it. They load universal.py, which computes, when first called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..primitives.core import Value
from ..typing import ArrayLike
from .methods import _load


def with_methods(function: Callable, identity: Any, nin: int = 2) -> Any:
    """Give a function of `nin` arrays the methods of a ufunc, and return it."""

    def reduce(
        a: ArrayLike,
        axis: Any = 0,
        dtype: Any = None,
        out: Value | None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: ArrayLike | None = None,
    ) -> Any:
        """Combine the elements along an axis, one after the other; see `dx.numpy.ufunc`."""
        return _of(function).reduce(a, axis, dtype, out, keepdims, initial, where)

    def accumulate(a: ArrayLike, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Return what `reduce` has after each element; see `dx.numpy.ufunc`."""
        return _of(function).accumulate(a, axis, dtype, out)

    def reduceat(
        a: ArrayLike, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
    ) -> Any:
        """Combine the elements of slices of an axis; see `dx.numpy.ufunc`."""
        return _of(function).reduceat(a, indices, axis, dtype, out)

    def outer(A: ArrayLike, B: ArrayLike, /) -> Any:
        """Combine every element of `A` with every element of `B`; see `dx.numpy.ufunc`."""
        return _of(function).outer(A, B)

    def at(
        a: ArrayLike, indices: Any, b: ArrayLike | None = None, /, *, inplace: bool = True
    ) -> Any:
        """Combine the elements of `a` at `indices` with `b`; see `dx.numpy.ufunc`."""
        return _of(function).at(a, indices, b, inplace=inplace)

    methods = reduce, accumulate, reduceat, outer, at
    attributes = {"nin": nin, "nout": 1, "nargs": nin, "identity": identity}
    function.__dict__.update(attributes, **{method.__name__: method for method in methods})
    return function


def _of(function: Callable) -> Any:
    """Return the ufunc that stands behind a function."""
    return _load("universal", "ufunc_of")(function)
