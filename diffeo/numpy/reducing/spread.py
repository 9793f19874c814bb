"""Variance, standard deviation, and means with weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitives.array import Array, known
from ...primitives.constants import full_like
from ...primitives.core import describe, with_user_line
from ...primitives.words.promotion import broadcast_to, to_inexact
from ...primitives.words.structural import convert_element_type, reshape, transpose
from ..common import arr, axes_of, dtype_of, narrow, no_out, safe_sqrt
from ..making.creation import asarray
from ..ufuncs import imag, maximum, real
from .reductions import _finish, _masked, _total, at_once, counted, mean, sum


def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: bool = False,
    *,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """Return the variance: the sum of the squared distances from the mean, over `n - ddof`."""
    if out is not None:
        raise no_out("var")
    if type(a) is Array and _plain(dtype, ddof, keepdims, where, mean, correction):
        quick = at_once(np.var, a, axis)
        if quick is not None:
            return quick
    a = arr(to_inexact(arr(a))) if dtype is None else convert_element_type(arr(a), dtype_of(dtype))
    axes = axes_of(axis, a.ndim, "var")
    ddof = _freedom("var", ddof, correction)
    if narrow(a.dtype):
        wide = var(a.astype(np.float32), axes, None, None, ddof, keepdims, where=where, mean=mean)
        return convert_element_type(wide, a.dtype)
    centre = _mean(a, axes, keepdims=True, where=where) if mean is None else mean
    deviation = a - centre
    if deviation.dtype.kind == "c":
        squares = real(deviation) ** 2 + imag(deviation) ** 2
    else:
        squares = deviation * deviation
    total = _finish(_total(_masked(squares, where, 0), axes), a, axes, keepdims)
    count = counted(a, axes, keepdims, where, total.dtype) - ddof
    return total / (max(count, 0) if isinstance(count, (int, float)) else maximum(count, 0))


def _freedom(name: str, ddof: Any, correction: int | None) -> Any:
    """Return the degrees of freedom that the mean takes, by either name of the parameter."""
    if isinstance(ddof, str):
        raise with_user_line(TypeError(f"{name}: ddof must be a number, got {describe(ddof)}"))
    if correction is None:
        return ddof
    if type(ddof) in (int, float) and ddof != 0:
        raise with_user_line(
            ValueError(
                f"{name}: ddof and correction are two names of one thing; got ddof={ddof} and "
                f"correction={correction}"
            )
        )
    return correction


def _plain(dtype: Any, ddof: int, keepdims: bool, *rest: Any) -> bool:
    """Whether these parameters of `var` have their defaults."""
    return dtype is None and ddof == 0 and not keepdims and rest == (None, None, None)


_mean = mean  # `var` and `std` have a parameter of that name


def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: bool = False,
    *,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """Return the standard deviation, the root of `var`. Its gradient is 0 where it is 0."""
    if out is not None:
        raise no_out("std")
    if dtype is None and isinstance(getattr(a, "dtype", None), np.dtype) and narrow(a.dtype):
        wide = std(
            convert_element_type(arr(a), np.float32),
            axis,
            None,
            None,
            ddof,
            keepdims,
            where=where,
            mean=mean,
            correction=correction,
        )
        # The root is taken in float32, too: the variance may be too large for the narrow dtype.
        return convert_element_type(wide, a.dtype)
    if type(a) is Array and _plain(dtype, ddof, keepdims, where, mean, correction):
        quick = at_once(np.std, a, axis)
        if quick is not None:
            return quick
    ddof = _freedom("std", ddof, correction)
    return safe_sqrt(var(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean))


def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, keepdims: bool = False
) -> Any:
    """Return the mean with weights; (mean, sum of the weights) if `returned`.

    The weights have the shape of `a`, or of the axes `axis` of `a`.
    """
    a = arr(a)
    if weights is None:
        out = mean(a, axis, keepdims=keepdims)
        total: Any = full_like(out, a.size / max(out.size, 1))
        return (out, total) if returned else out
    weights = asarray(weights)
    axes = axes_of(axis, a.ndim, "average")
    if weights.shape != a.shape:
        if weights.shape != tuple([a.shape[i] for i in axes]) or axis is None:
            raise with_user_line(
                ValueError(
                    f"average: weights of shape {weights.shape} fit neither shape {a.shape} "
                    "nor its "
                    f"axis {axis}"
                )
            )
        # The axes of the weights are in the order in which `axis` names them.
        weights = transpose(weights, tuple(sorted(range(len(axes)), key=axes.__getitem__)))
        weights = reshape(weights, tuple([n if i in axes else 1 for i, n in enumerate(a.shape)]))
        weights = broadcast_to(weights, a.shape)
    total = sum(weights, axis, keepdims=keepdims)
    value = known(total)
    if value is not None and not np.all(value):
        raise with_user_line(
            ZeroDivisionError("average: the weights sum to 0, so there is no mean")
        )
    out = sum(a * weights, axis, keepdims=keepdims) / total
    return (out, total) if returned else out
