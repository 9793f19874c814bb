"""softmax and its relatives: sums of exponentials that cannot overflow.

The largest element is subtracted first, as a constant of differentiation. The result does not
depend on what is subtracted, so derivatives of every order are right.

An element that does not count (`where`) is replaced by -inf, whose exponential is 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..numpy.common import arr, axes_of, keep_axes, narrow
from ..operations.identity import stop_gradient
from ..primitives.constants import full_like
from ..primitives.core import Value
from ..primitives.words import elementwise as e
from ..primitives.words.promotion import align, broadcast_to, to_inexact
from ..primitives.words.reduction import reduce_max
from ..primitives.words.structural import convert_element_type, drop_axes, reduce_sum, reshape
from ..typing import ArrayLike


def _masked(x: Value, where: Any, value: float) -> Any:
    """Return `x` with `value` in place of the elements that do not count."""
    return x if where is None else e.select(broadcast_to(arr(where), x.shape), x, value)


def _largest(x: Any, axes: tuple[int, ...]) -> Any:
    """Return the largest real part over axes, which stay with size 1, as a constant.

    It is 0 where it is not finite, so that nothing becomes inf - inf.
    """
    parts = e.real.bind(x) if x.dtype.kind == "c" else x
    top = reduce_max(stop_gradient(parts), axes)
    top = e.select(e.is_finite.bind(top), top, 0.0)
    return keep_axes(convert_element_type(top, x.dtype), x.shape, axes)


def logsumexp(
    a: Any,
    axis: Any = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: ArrayLike | None = None,
) -> Any:
    """Compute log(sum(b * exp(a))), without overflow.

    Args:
        a: an array of any shape.
        axis: the axis or axes of the sum; None for all.
        b: factors that broadcast to the shape of `a`, by default 1.
        keepdims: keep the axes of the sum with size 1.
        return_sign: return log(|sum|) and the sign of the sum (for complex numbers, its phase).
        where: booleans that broadcast to `a`: which elements count.

    Returns:
        The logarithm; -inf, with derivative 0, for a sum without elements or of elements -inf. A
        negative sum gives nan unless `return_sign`.

    Raises:
        ValueError: if an axis does not exist or shapes do not broadcast.

    Examples:
        >>> import diffeo as dx
        >>> dx.nn.logsumexp(dx.numpy.array([1000.0, 1000.0]))
        Array(1000.69314718)
        >>> dx.grad(dx.nn.logsumexp)(dx.numpy.array([-dx.numpy.inf, -dx.numpy.inf]))
        Array([0., 0.])
    """
    a = arr(to_inexact(a))
    if b is not None:
        a, b = align(a, arr(to_inexact(b)))
        # A factor of 0 removes the element, also from the search for the largest one.
        a = e.select(b != 0, a, -math.inf)
    a = _masked(a, where, -math.inf)
    axes = axes_of(axis, a.ndim, "logsumexp")
    top = _largest(a, axes)
    terms = e.exp.bind(a - broadcast_to(top, a.shape))
    total = _sum(terms if b is None else b * terms, axes)
    sign = None
    if return_sign:
        size = abs(total)
        nonzero = e.select(size == 0, 1.0, size)
        sign = total / nonzero if total.dtype.kind == "c" else e.sign.bind(total)
        total, top = size, top if top.dtype == size.dtype else e.real.bind(top)
    # The logarithm of 0 would be -inf, too, but its derivative would not be 0.
    empty = total == 0
    logarithm = e.log.bind(e.select(empty, 1, total))
    out = e.select(empty, -math.inf, logarithm + top)
    shape = out.shape if keepdims else drop_axes(out.shape, axes)
    out = reshape(out, shape)
    return out if sign is None else (out, reshape(sign, shape))


def logmeanexp(x: Any, axis: Any = None, where: Any = None, keepdims: bool = False) -> Any:
    """Compute log(mean(exp(x))), without overflow. Arguments as `logsumexp` has."""
    x = arr(to_inexact(x))
    out = logsumexp(x, axis, where=where, keepdims=keepdims)
    if where is None:
        axes = axes_of(axis, x.ndim, "logmeanexp")
        return out - math.log(np.prod([x.shape[a] for a in axes]))
    count = logsumexp(full_like(x, 0.0), axis, where=where, keepdims=keepdims)
    return out - count


def _sum(x: Value, axes: tuple[int, ...]) -> Any:
    """Return the sum over axes, which stay with size 1; narrower floats are added up in float32."""
    wide = convert_element_type(x, np.float32) if narrow(x.dtype) else x
    total = reduce_sum(wide, axes)
    return keep_axes(convert_element_type(total, x.dtype), x.shape, axes)


def softmax(x: Any, axis: Any = -1, where: ArrayLike | None = None) -> Any:
    """Compute exp(x) / sum(exp(x)) along axes.

    Args:
        x: an array.
        axis: the axis or axes of the sum; None for all.
        where: booleans that broadcast to `x`; elements that do not count give 0.

    Raises:
        ValueError: if an axis does not exist.

    Examples:
        >>> import diffeo as dx
        >>> softmax(dx.numpy.array([0.0, 0.0, 1000.0]))
        Array([0., 0., 1.])
    """
    x = _masked(arr(to_inexact(x)), where, -math.inf)
    axes = axes_of(axis, x.ndim, "softmax")
    terms = e.exp.bind(x - broadcast_to(_largest(x, axes), x.shape))
    total = _sum(terms, axes)
    return _masked(terms / total, where, 0.0)


def log_softmax(x: Any, axis: Any = -1, where: Any = None) -> Any:
    """Compute log(softmax(x)), without overflow; elements that do not count give -inf.

    Arguments as `softmax` has.

    Examples:
        >>> import diffeo as dx
        >>> log_softmax(dx.numpy.array([0.0, 1000.0]))
        Array([-1000.,     0.])
    """
    x = _masked(arr(to_inexact(x)), where, -math.inf)
    axes = axes_of(axis, x.ndim, "log_softmax")
    shifted = x - broadcast_to(_largest(x, axes), x.shape)
    total = _sum(e.exp.bind(shifted), axes)
    return _masked(shifted - e.log.bind(total), where, -math.inf)
