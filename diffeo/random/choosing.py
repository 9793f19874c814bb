"""Samples out of a given set: permutations, choices, categories."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..numpy.common import axis_of, static_int, static_shape
from ..operations.cumulative import cumsum
from ..operations.extrema import argmax
from ..operations.sort import sort
from ..primitives.array import as_value
from ..primitives.constants import full
from ..primitives.core import Value, describe, typeof, with_user_line
from ..primitives.types import SCALARS, default_dtype, float32, is_float, uint32
from ..primitives.words import elementwise as e
from ..primitives.words.indexing import Gather, IndexDims
from ..primitives.words.promotion import broadcast_to, to_value
from ..primitives.words.slicing import index_in_dim, slice_in_dim
from ..primitives.words.structural import (
    broadcast_in_dim,
    convert_element_type,
    expand_dims,
    iota,
    move_axis,
    reshape,
)
from ..typing import ArrayLike
from .keys import Key, Shape, check_key, parts, raw_bits
from .samplers import check_parameters, inexact, randint, uniform
from .standard import gumbel


def _population(name: str, x: Any) -> Any:
    """Return a population: a Python integer n (for 0 .. n-1), or an array with axes.

    A TypeError is raised for anything else.
    """
    if type(x) not in SCALARS and not isinstance(x, np.generic):
        x = to_value(x)
        if x.ndim:
            return x
    dtype = typeof(x).dtype
    if dtype.kind not in "iu" or isinstance(x, bool):
        raise with_user_line(
            TypeError(f"{name}: expects an integer or an array with axes, got {describe(x)}")
        )
    return static_int(x, name, "the number of elements")


def take(x: Any, indices: Any, axis: int) -> Any:
    """Return the slices of `x` along `axis` at `indices`.

    The axes of `indices` stand where the axis was. For x of shape (4, 5), axis=1 and indices of
    shape (2, 3), the result has the shape (4, 2, 3).
    """
    # The axes of the result that come from `x`: those behind `axis` move by the new axes.
    window = [d if d < axis else d + indices.ndim - 1 for d in range(x.ndim) if d != axis]
    sizes = [1 if d == axis else n for d, n in enumerate(x.shape)]
    dims = IndexDims(tuple(window), (axis,), (axis,))
    return Gather(dims, tuple(sizes)).bind(x, expand_dims(indices, (indices.ndim,)))


def _shuffle(key: Key, x: Value, axis: int) -> Any:
    """Shuffle `x` along `axis`, by sorting it by random keys of 32 bits.

    Equal keys would leave elements in their order. So the sort is repeated with new keys, more
    often for larger arrays, until ties hardly ever decide (the number of rounds is jax's).
    """
    rounds = int(np.ceil(3 * np.log(max(1, x.size)) / np.log(np.iinfo(uint32).max)))
    for _ in range(rounds):
        key, subkey = parts(key)
        _, x = sort([raw_bits(subkey, x.shape, uint32), x], axis)
    return x


def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Any:
    """Return the numbers below an integer, or the slices of an array, in random order.

    Args:
        key: a key.
        x: an integer n, for the numbers 0 .. n-1, or an array.
        axis: the axis of the array that is permuted.
        independent: permute each vector along the axis by itself, rather than whole slices.

    Raises:
        TypeError: if `key` is not a key, or `x` is a number that is not an integer.
        ValueError: if the array has no such axis.

    Examples:
        >>> from diffeo.random import PRNGKey
        >>> permutation(PRNGKey(0), 6)
        Array([0, 1, 5, 4, 3, 2])
    """
    key, x = check_key("permutation", key), _population("permutation", x)
    if type(x) is int:
        axis_of(axis, 1, "permutation")
        return _shuffle(key, iota(default_dtype(int), (max(x, 0),)), 0)
    axis = axis_of(axis, x.ndim, "permutation")
    if independent or x.ndim == 1:
        return _shuffle(key, x, axis)
    order = _shuffle(key, iota(default_dtype(int), (x.shape[axis],)), 0)
    return take(x, order, axis)


def _search(sorted_values: Value, x: Value) -> Any:
    """Return how many of the sorted values are less than each element of `x`, by binary search.

    The count is built from its highest bit down: bit k is set if the values up to there are less.
    """
    n = sorted_values.shape[0]
    count = full(x.shape, 0, default_dtype(int))
    for k in reversed(range(n.bit_length())):
        further = count + (1 << k)
        value = take(sorted_values, e.minimum.bind(further, n) - 1, 0)
        count = e.select((further <= n) & (value < x), further, count)
    return count


def choice(
    key: Any,
    a: Any,
    shape: Shape = (),
    replace: bool = True,
    p: ArrayLike | None = None,
    axis: int = 0,
    mode: str | None = None,
) -> Any:
    """Draw samples out of the numbers below an integer, or out of the slices of an array.

    Args:
        key: a key.
        a: an integer n, for the numbers 0 .. n-1, or an array.
        shape: the shape of the sample, which replaces the axis of the array.
        replace: whether an element can be drawn more than once.
        p: probabilities of the elements (they need not add up to 1), by default all equal. Without
            replacement, at least as many must be positive as are drawn.
        axis: the axis of the array along which is drawn.
        mode: as in `gumbel`, which is used with `p` and without replacement.

    Raises:
        TypeError: if `key` is not a key, the shape is not static, or `a` is no integer.
        ValueError: if there is nothing to draw from, not enough without replacement, or the shape
            of `p` does not fit.

    Examples:
        >>> from diffeo.random import PRNGKey
        >>> choice(PRNGKey(0), 5, (3,), replace=False)
        Array([0, 1, 4])
    """
    key, shape = check_key("choice", key), static_shape(shape, "choice")
    a = _population("choice", a)
    if type(a) is int:
        n, axis, full_shape, dtype = a, 0, shape, default_dtype(int)
    else:
        axis = axis_of(axis, a.ndim, "choice")
        n, dtype = a.shape[axis], a.dtype
        full_shape = a.shape[:axis] + shape + a.shape[axis + 1 :]
    draws = math.prod(shape)
    if draws == 0:
        return full(full_shape, 0, dtype)
    if n <= 0:
        raise with_user_line(ValueError("choice: there is nothing to draw from: a is empty"))
    if not replace and draws > n:
        raise with_user_line(
            ValueError(f"choice: cannot draw {draws} out of {n} without replacement")
        )
    if p is None and not replace:
        return reshape(slice_in_dim(permutation(key, a, axis), 0, draws, 1, axis), full_shape)
    chosen = randint(key, shape, 0, n) if p is None else _weighted(key, n, shape, replace, p, mode)
    return chosen if type(a) is int else take(a, chosen, axis)


def _resolved(x: Value) -> Any:
    """Return weights, those of 16 bits as float32.

    With so few different numbers, sums of probabilities would stop growing, and Gumbel noise would
    often be equal, so that the first element wins.
    """
    return x if x.dtype.itemsize > 2 else convert_element_type(x, float32)


def _weighted(key: Key, n: int, shape: tuple[int, ...], replace: bool, p: Any, mode: Any) -> Any:
    """Draw integers below n with probabilities proportional to `p`."""
    p = _resolved(inexact(p))
    if p.shape != (n,):
        raise with_user_line(
            ValueError(
                f"choice: p must have the shape {(n,)}, one probability for each, got {p.aval}"
            )
        )
    if replace:
        # The inverse of the distribution function, at uniform numbers in (0, total].
        running = cumsum(p)
        total = broadcast_to(index_in_dim(running, n - 1), shape)
        return _search(running, total * (1 - uniform(key, shape, p.dtype)))
    # The Gumbel trick: the largest of log(p) + Gumbel noise are a sample without replacement.
    # Elements of probability 0 get -inf; their logarithm is replaced before it is taken.
    possible = p > 0
    weights = e.select(possible, e.log.bind(e.select(possible, p, 1.0)), -math.inf)
    scores = gumbel(key, (n,), p.dtype, mode) + weights
    return reshape(_largest(scores, math.prod(shape)), shape)


def _largest(scores: Value, k: int) -> Any:
    """Return the positions of the k largest elements along the last axis, the largest first."""
    axis = scores.ndim - 1
    order = sort([e.neg.bind(scores), iota(default_dtype(int), scores.shape, axis)], axis)[1]
    return slice_in_dim(order, 0, k, 1, axis)


def categorical(
    key: Any,
    logits: Any,
    axis: int = -1,
    shape: Shape = None,
    replace: bool = True,
    mode: str | None = None,
) -> Any:
    """Draw categories with the probabilities softmax(logits), by the Gumbel trick.

    Logits of 16 bits are taken as float32, so draws are not jax's: those prefer the first
    categories.

    Args:
        key: a key.
        logits: logarithms of probabilities, up to a constant.
        axis: the axis of the categories.
        shape: the shape of the result; the last axes are those of `logits` without `axis`, axes
            before them are independent draws. By default one draw.
        replace: without replacement, the draws are distinct.
        mode: as in `gumbel`.

    Returns:
        Integers, int64.

    Raises:
        TypeError: if `key` is not a key or the shape is not static.
        ValueError: if the axis does not exist, the shape does not fit, or there are more draws
            without replacement than categories.

    Examples:
        >>> from diffeo.random import PRNGKey
        >>> categorical(PRNGKey(0), np.log([[0.1, 0.9], [0.5, 0.5]]))
        Array([1, 0])
    """
    key, logits = check_key("categorical", key), _resolved(inexact(logits))
    if not is_float(logits.dtype) or not logits.ndim:
        raise with_user_line(
            TypeError(f"categorical: logits must be real numbers with an axis, got {logits.aval}")
        )
    axis = axis_of(axis, logits.ndim, "categorical")
    rows = logits.shape[:axis] + logits.shape[axis + 1 :]
    shape = rows if shape is None else static_shape(shape, "categorical")
    parameter = full(rows, 0, logits.dtype)
    check_parameters("categorical", shape, logits=parameter)
    prefix = shape[: len(shape) - len(rows)]
    if replace:
        inner = list(shape[len(prefix) :])
        inner.insert(axis, logits.shape[axis])
        noise = gumbel(key, (*prefix, *inner), logits.dtype, mode)
        axes = range(len(prefix), noise.ndim)
        return argmax(
            noise + broadcast_in_dim(logits, noise.shape, axes),
            axis + len(prefix),
            default_dtype(int),
        )
    draws = math.prod(prefix)
    if draws > logits.shape[axis] or shape[len(prefix) :] != rows:
        raise with_user_line(
            ValueError(
                f"categorical: cannot draw {shape} without replacement from logits {logits.aval}: "
                f"there are {logits.shape[axis]} categories for each of {rows}"
            )
        )
    scores = as_value(logits + gumbel(key, logits.shape, logits.dtype, mode))
    order = _largest(move_axis(scores, axis, logits.ndim - 1), draws)
    return reshape(move_axis(order, order.ndim - 1, 0), shape)
