"""Cumulative operations, and scans of any associative function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..numpy.common import arr, axis_of
from ..operations import cumulative
from ..primitives.core import Value, describe, with_user_line
from ..primitives.support.sources import rename
from ..primitives.words import slicing, structural
from ..trees import tree
from .reducing import axis_primitive


def _cumulative(kind: Any, doc: str) -> Callable:
    """Make the public function of a cumulative primitive.

    `kind` is the class of the primitive, `doc` the beginning of the function's docstring.
    """
    name = kind(0).name.replace("cum_", "cum")

    def function(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
        return axis_primitive(name, operand, axis, lambda a: kind(a, bool(reverse)))

    rename(function, name)
    function.__doc__ = f"""{doc} along an axis, from its end if `reverse`.

    Raises:
        TypeError: for another dtype.
        ValueError: for a wrong axis.

    Examples:
        >>> import diffeo as dx
        >>> dx.lax.{name}(dx.numpy.array([1.0, 3.0, 2.0])).shape
        (3,)
    """
    return function


cumsum = _cumulative(cumulative.CumSum, "The running sum")
cumprod = _cumulative(cumulative.CumProd, "The running product")
cummax = _cumulative(cumulative.CumMax, "The running maximum")
cummin = _cumulative(cumulative.CumMin, "The running minimum")
cumlogsumexp = _cumulative(cumulative.CumLogsumexp, "The running log(sum(exp(x)))")


def associative_scan(
    fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """Compute all partial results of an associative operation.

    It takes about 2 log2(n) applications to arrays.

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
        raise with_user_line(
            ValueError(
                f"associative_scan: arrays must have one size along axis {axis}, got "
                f"{sorted(sizes)}"
            )
        )
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
    """Return all partial results, by recursion on pairs (Blelloch 1990).

    For elements a b c d e, the pairs ab and cd are combined and scanned: ab, abcd. These are the
    results at odd positions. Those at even positions are the result before, combined with one
    element: a, ab + c, abcd + e.
    """
    n = xs[0].shape[axes[0]]
    if n < 2:
        return xs

    def part(arrays: list[Any], start: int, stop: int, step: int = 1) -> list[Any]:
        return [slicing.slice_in_dim(x, start, stop, step, a) for x, a in zip(arrays, axes)]

    odd = _scanned(combine, combine(part(xs, 0, n - 1, 2), part(xs, 1, n, 2)), axes)
    preceding = part(odd, 0, (n - 1) // 2)
    even = part(xs, 0, 1)
    if n > 2:
        later = combine(preceding, part(xs, 2, n, 2))
        even = [slicing.concatenate(p, a) for p, a in zip(zip(even, later), axes)]
    return [_interleaved(p, q, a) for p, q, a in zip(even, odd, axes)]


def _interleaved(even: Value, odd: Value, axis: int) -> Any:
    """Return even[0], odd[0], even[1], odd[1] ... along an axis."""
    odd_count, even_count = odd.shape[axis], even.shape[axis]
    neighbours = slicing.stack([slicing.slice_in_dim(even, 0, odd_count, 1, axis), odd], axis + 1)
    shape = (*odd.shape[:axis], 2 * odd_count, *odd.shape[axis + 1 :])
    out = structural.reshape(neighbours, shape)
    if even_count == odd_count:
        return out
    return slicing.concatenate(
        [out, slicing.slice_in_dim(even, odd_count, even_count, 1, axis)], axis
    )
