"""Reductions, cumulative operations, associative scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..numpy.common import arr, axis_of, static_int
from ..primitives import cumulative, reduction, slicing, structural
from ..primitives.core import describe, with_user_line
from ..transforms import tree
from . import elementwise as functions
from .strict import apply


def _reduction(primitive: Any, doc: str) -> Callable[[Any, Sequence[int]], Any]:
    def function(operand: Any, axes: Sequence[int]) -> Any:
        return apply(primitive(tuple([static_int(a, doc, "an axis") for a in axes])), operand)

    raises = "Raises:\n        TypeError: for a wrong axis or dtype."
    function.__doc__ = f"{doc} over axes.\n\n    {raises}\n    "
    return function


reduce_sum = _reduction(structural.ReduceSum, "The sum")
reduce_max = _reduction(reduction.ReduceMax, "The largest element")
reduce_min = _reduction(reduction.ReduceMin, "The smallest element")
reduce_prod = _reduction(reduction.ReduceProd, "The product")
reduce_and = _reduction(reduction.ReduceAnd, "The and of bits or booleans")
reduce_or = _reduction(reduction.ReduceOr, "The or of bits or booleans")

for _name, _function in list(globals().items()):
    if getattr(_function, "__name__", "") == "function":
        _function.__name__ = _function.__qualname__ = _name

#: The operations that `reduce` knows, by which associative reductions.
_MONOIDS = {
    functions.add: reduce_sum, functions.mul: reduce_prod, functions.max: reduce_max,
    functions.min: reduce_min, functions.bitwise_and: reduce_and, functions.bitwise_or: reduce_or,
}


def reduce(operands: Any, init_values: Any, computation: Callable[[Any, Any], Any],
           dimensions: Sequence[int]) -> Any:
    """Combine the elements over axes, and a first value, by one of this package's operations.

    Args:
        operands: an array.
        init_values: a scalar of the same dtype.
        computation: add, mul, max, min, bitwise_and or bitwise_or of this package.
        dimensions: the axes.

    Raises:
        NotImplementedError: for another computation.
        TypeError: for operands that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> reduce(dx.numpy.array([3.0, 5.0]), 4.0, functions.max, (0,))
        Array(5.)
    """
    found = _MONOIDS.get(computation)
    if found is None:
        raise with_user_line(NotImplementedError(
            "reduce knows lax.add, mul, max, min, bitwise_and and bitwise_or; for another "
            "associative function use lax.associative_scan"))
    return computation(found(operands, dimensions), init_values)


def _axis_primitive(name: str, operand: Any, axis: int, make: Callable[[int], Any]) -> Any:
    operand = arr(operand)
    return apply(make(axis_of(axis, operand.ndim, name)), operand)


def argmax(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The place of the largest element along an axis; the first one of equals, the first nan."""
    dtype = np.dtype(index_dtype)
    return _axis_primitive("argmax", operand, axis, lambda a: reduction.ArgMax(a, dtype))


def argmin(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The place of the smallest element along an axis; the first one of equals, the first nan."""
    dtype = np.dtype(index_dtype)
    return _axis_primitive("argmin", operand, axis, lambda a: reduction.ArgMin(a, dtype))


def cumsum(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The running sum along an axis, from its end if `reverse`."""
    return _axis_primitive("cumsum", operand, axis, lambda a: cumulative.CumSum(a, reverse))


def cumprod(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The running product along an axis, from its end if `reverse`."""
    return associative_scan(functions.mul, operand, reverse, axis)


def cummax(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The running maximum along an axis, from its end if `reverse`."""
    return associative_scan(functions.max, operand, reverse, axis)


def cummin(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The running minimum along an axis, from its end if `reverse`."""
    return associative_scan(functions.min, operand, reverse, axis)


def associative_scan(fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False,
                     axis: int = 0) -> Any:
    """All partial results of an associative operation, in about 2 log2(n) applications to arrays.

    Args:
        fn: an associative function of two trees like `elems`; it is applied to many pairs at
            once, along `axis`. With `reverse`, fn(a, b) gets the later element first.
        elems: a tree of arrays, of one size along `axis`.
        reverse: begin at the end.
        axis: the axis of the scan.

    Returns:
        The tree of elems[0], fn(elems[0], elems[1]), ...

    Raises:
        TypeError: if `fn` is not a function.
        ValueError: if the sizes differ.

    Examples:
        >>> import diffeo as dx
        >>> associative_scan(lambda a, b: a * b, dx.numpy.arange(1.0, 6.0))
        Array([  1.,   2.,   6.,  24., 120.])
    """
    if not callable(fn):
        raise with_user_line(TypeError(f"associative_scan expects a function, got {describe(fn)}"))
    leaves, structure = tree.flatten(elems)
    arrays = [arr(leaf) for leaf in leaves]
    axes = [axis_of(axis, x.ndim, "associative_scan") for x in arrays]
    sizes = {x.shape[a] for x, a in zip(arrays, axes)}
    if len(sizes) > 1:
        raise with_user_line(ValueError(
            f"associative_scan: arrays must have one size along axis {axis}, got {sorted(sizes)}"))
    if reverse:
        arrays = [slicing.rev(x, (a,)) for x, a in zip(arrays, axes)]

    def combine(left: list[Any], right: list[Any]) -> list[Any]:
        out = fn(tree.unflatten(structure, left), tree.unflatten(structure, right))
        return [arr(leaf) for leaf in tree.leaves(out)]

    out = _scanned(combine, arrays, axes) if arrays and sizes != {0} else arrays
    if reverse:
        out = [slicing.rev(x, (a,)) for x, a in zip(out, axes)]
    return tree.unflatten(structure, out)


def _scanned(combine: Callable, xs: list[Any], axes: list[int]) -> list[Any]:
    """Blelloch 1990: combine neighbours, scan those, and fill in the elements between."""
    n = xs[0].shape[axes[0]]
    if n < 2:
        return xs

    def part(arrays: list[Any], start: int, stop: int, step: int = 1) -> list[Any]:
        return [slicing.slice_in_dim(x, start, stop, step, a) for x, a in zip(arrays, axes)]

    odd = _scanned(combine, combine(part(xs, 0, n - 1, 2), part(xs, 1, n, 2)), axes)
    before = part(odd, 0, (n - 1) // 2)
    even = part(xs, 0, 1)
    if n > 2:
        later = combine(before, part(xs, 2, n, 2))
        even = [slicing.concatenate(p, a) for p, a in zip(zip(even, later), axes)]
    return [_interleaved(p, q, a) for p, q, a in zip(even, odd, axes)]


def _interleaved(even: Any, odd: Any, axis: int) -> Any:
    """even[0], odd[0], even[1], odd[1] ... along an axis."""
    pairs, rest = odd.shape[axis], even.shape[axis]
    paired = slicing.stack([slicing.slice_in_dim(even, 0, pairs, 1, axis), odd], axis + 1)
    shape = (*odd.shape[:axis], 2 * pairs, *odd.shape[axis + 1:])
    out = structural.reshape(paired, shape)
    if rest == pairs:
        return out
    return slicing.concatenate([out, slicing.slice_in_dim(even, pairs, rest, 1, axis)], axis)
