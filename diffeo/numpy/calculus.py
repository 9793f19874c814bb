"""Interpolation, differences, covariances: interp, gradient, unwrap, cov, piecewise."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..primitives.array import known
from ..primitives.core import Value, describe, with_user_line
from ..primitives.types import is_complex
from ..primitives.words.promotion import broadcast_to, to_inexact
from ..primitives.words.slicing import concatenate, slice_in_dim
from ..primitives.words.structural import reshape
from ..typing import ArrayLike, DTypeLike
from .choosing import where
from .common import arr, axes_of, axis_of, no_such, real_only, same_dtype
from .contracting.products import dot
from .limiting import clip
from .making.creation import asarray, zeros
from .making.dtypes import issubdtype
from .making.grids import diag
from .places.indexing import getitem
from .reducing.cumulative import cumsum, diff
from .reducing.reductions import sum as sum_
from .reducing.sorting import argsort, searchsorted
from .reducing.spread import average
from .shaping import atleast_2d
from .ufuncs import absolute, conj, imag, isfinite, isinf, isnan, less, maximum, real, sqrt


def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Interpolate linearly through the points (xp, fp), `xp` rising; constant beyond the ends.

    At a point of `xp`, the result is its own value, even if the neighbours are infinite.

    Args:
        x: Where to interpolate.
        xp: A vector, which rises (in any order with a `period`).
        fp: The values at `xp`.
        left, right: The values beyond the ends, by default those at the ends; 'extrapolate'
            continues the first or the last piece.
        period: The period of `x` and `xp`; with it there are no ends.

    Raises:
        ValueError: if xp and fp are not vectors of one size, or are empty, or the period is 0.

    Examples:
        >>> import diffeo as dx
        >>> interp(1.5, dx.numpy.array([1.0, 2.0]), dx.numpy.array([10.0, 20.0]))
        Array(15.)
    """
    x, xp = (real_only("interp", asarray(v)) for v in (x, xp))
    fp = asarray(fp)
    if is_complex(fp.dtype):
        ends = [v if v is None or isinstance(v, str) else asarray(v) for v in (left, right)]
        of = lambda part, end: part(end) if isinstance(end, Value) else end
        parts = [
            interp(x, xp, part(fp), *[of(part, v) for v in ends], period=period)
            for part in (real, imag)
        ]
        return parts[0] + 1j * parts[1]
    x, xp, fp = (arr(to_inexact(v)) for v in same_dtype(x, xp, fp))
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise with_user_line(
            ValueError(
                "interp: xp and fp must be vectors of one size, with a point or more, got "
                f"{xp.shape} and {fp.shape}"
            )
        )
    for end, name in ((left, "left"), (right, "right")):
        if isinstance(end, str) and end != "extrapolate":
            raise with_user_line(
                ValueError(f"interp: {name} must be a number or 'extrapolate', got {end!r}")
            )
    if period is not None:
        x, xp, fp = _periodic(x, xp, fp, period)
        left = right = None
    n = xp.shape[0]
    out = broadcast_to(fp[0], x.shape) if n == 1 else _between(x, xp, fp)
    if not isinstance(left, str):
        out = where(less(x, xp[0]), fp[0] if left is None else left, out)
    if isinstance(right, str):
        return out
    return where(less(xp[n - 1], x), fp[n - 1] if right is None else right, out)


def _periodic(x: Any, xp: Value, fp: Value, period: Any) -> tuple[Any, Any, Any]:
    """Return x and the points, sorted, within one period, with one more point at each end."""
    value = known(asarray(period))
    if value is not None and (value.ndim or not value):
        raise with_user_line(
            ValueError(f"interp: period must be a number other than 0, got {describe(period)}")
        )
    period = absolute(arr(to_inexact(asarray(period))))
    x, xp = x % period, xp % period
    order = argsort(xp)
    xp, fp = getitem(xp, order), getitem(fp, order)
    last, first = slice(-1, None), slice(0, 1)
    xp = concatenate([getitem(xp, last) - period, xp, getitem(xp, first) + period], 0)
    return x, xp, concatenate([getitem(fp, last), fp, getitem(fp, first)], 0)


def _between(x: Any, xp: Value, fp: Value) -> Any:
    """Interpolate between the first and the last of several points."""
    # The points at both sides of each x: (x0, y0) and (x1, y1).
    high = clip(searchsorted(xp, x, "right"), 1, xp.shape[0] - 1)
    x0, x1, y0, y1 = (getitem(v, i) for v in (xp, fp) for i in (high - 1, high))
    at_point = (x == x0) | (x == x1)
    gap = x1 - x0
    flat = gap == 0
    slope = (y1 - y0) / where(flat, 1.0, gap)
    slope = where(flat | (at_point & ~isfinite(slope)), 0.0, slope)
    # Interpolate from the left point. As in NumPy, go from the right point where the first result
    # is nan, and at the right point itself, where the first result would be rounded.
    away = (where(isinf(at) & (x == at), 0.0, x - at) for at in (x0, x1))
    sides = [slope * d + y for d, y in zip(away, (y0, y1))]
    out = where((isnan(sides[0]) & (x != x0)) | (x == x1), sides[1], sides[0])
    return where(isnan(out) & (y0 == y1) & ~isnan(x), y0, out)


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int | None = None) -> Any:
    """Compute derivatives by central differences, one-sided at the ends.

    `varargs` are the distances: one number for all axes, or for each axis a number or a vector of
    coordinates. For several axes, the result is a list. `edge_order` is the order of the error at
    the ends, 1 by default, or 2.
    """
    if edge_order not in (None, 1, 2):
        raise no_such("gradient", "edge_order", edge_order, (None, 1, 2))
    f = arr(to_inexact(arr(f)))
    axes = axes_of(axis, f.ndim, "gradient")
    steps = list(varargs) or [1.0]
    steps = steps * len(axes) if len(steps) == 1 else steps
    if len(steps) != len(axes):
        raise with_user_line(
            ValueError(f"gradient: {len(steps)} distances do not go with {len(axes)} axes")
        )
    out = [_along(f, h, a, edge_order == 2) for h, a in zip(steps, axes)]
    return out[0] if len(out) == 1 else out


def _along(f: Any, step: Any, axis: int, parabolic: bool) -> Any:
    """Compute the derivative along one axis; `step` is a distance or a vector of coordinates.

    The ends take the slope of a line, or of the parabola through the three points at an end.
    """
    n = f.shape[axis]
    if n < 2 + parabolic:
        raise with_user_line(
            ValueError(f"gradient: axis {axis} needs {2 + parabolic} elements, has {n}")
        )
    part = lambda i, j: slice_in_dim(f, i, j, 1, axis)
    step = asarray(step)
    if step.ndim == 0:
        middle = (part(2, n) - part(0, n - 2)) / (2 * step)
        h0 = h1 = g0 = g1 = step
    else:
        shape = tuple([n - 1 if i == axis else 1 for i in range(f.ndim)])
        h = reshape(diff(step), shape)
        # The distances to the left and to the right neighbour. The formula is the derivative of
        # the parabola through three points.
        a, b = (slice_in_dim(h, i, i + n - 2, 1, axis) for i in (0, 1))
        middle = (
            -b / (a * (a + b)) * part(0, n - 2)
            + (b - a) / (a * b) * part(1, n - 1)
            + a / (b * (a + b)) * part(2, n)
        )
        h0, h1 = (slice_in_dim(h, i, i + 1, 1, axis) for i in (0, n - 2))
        g0, g1 = (slice_in_dim(h, i, i + 1, 1, axis) if parabolic else h0 for i in (1, n - 3))
    first = (part(1, 2) - part(0, 1)) / h0
    last = (part(n - 1, n) - part(n - 2, n - 1)) / h1
    if parabolic:  # the slope at the middle of the end, and how it changes towards the end
        first = first + (first - (part(2, 3) - part(1, 2)) / g0) * (h0 / (h0 + g0))
        last = last + (last - (part(n - 2, n - 1) - part(n - 3, n - 2)) / g1) * (h1 / (h1 + g1))
    return concatenate([first, middle, last], axis)


def unwrap(p: Any, discont: Any = None, axis: int = -1, period: float = 2 * math.pi) -> Any:
    """Return angles without jumps of more than half a `period` between neighbours.

    Integers with an integer period stay integers.

    Examples:
        >>> import diffeo as dx
        >>> unwrap(dx.numpy.array([0, 10, 0]), period=4)
        Array([0, 2, 0])
    """
    p = arr(p)
    p = to_inexact(p) if type(period) is float else p
    axis = axis_of(axis, p.ndim, "unwrap")
    if not p.shape[axis]:
        return to_inexact(p)
    jump = diff(p, axis=axis)
    whole = p.dtype.kind in "iu" and not period % 1
    half = period // 2 if whole else period / 2
    wrapped = (jump + half) % period - half
    if period == 2 * half:  # a jump up by exactly half a period stays a jump up
        wrapped = where((wrapped == -half) & (jump > 0), half, wrapped)
    limit = period / 2 if discont is None else max(discont, period / 2)
    size = where(jump < 0, -jump, jump)
    correction = cumsum(where(size < limit, 0, wrapped - jump), axis)
    first = slice_in_dim(p, 0, 1, 1, axis)
    others = slice_in_dim(p, 1, p.shape[axis], 1, axis)
    return concatenate([first, others + correction], axis)


def cov(
    m: ArrayLike,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    dtype: DTypeLike | None = None,
) -> Any:
    """Return the covariance matrix of variables, one in each row (or column, if not `rowvar`).

    With too few observations, as many as `ddof` or fewer, the result is nan or infinite, and there
    is a warning, as in NumPy.

    Args:
        m: Observations of a variable, or of several.
        y: None, or more variables.
        rowvar: Whether a variable is a row.
        bias: Divide by the number of observations, not by one less.
        ddof: What is subtracted from the number of observations, in place of `bias`.
        fweights: None, or how often each observation occurs: integers.
        aweights: None, or how important each observation is.
        dtype: The dtype of the computation and of the result.

    Raises:
        ValueError: for more than two axes, different numbers of observations, negative weights, or
            a `ddof` that is no integer.
        TypeError: for `fweights` that are no integers.
    """
    if ddof is not None and ddof != int(ddof):
        raise with_user_line(ValueError(f"cov: ddof must be an integer, got {ddof!r}"))
    x = _variables(m, y, rowvar)
    if dtype is not None:
        if not issubdtype(dtype, np.inexact):
            raise with_user_line(
                ValueError(f"cov: dtype must be of floating-point or complex numbers, got {dtype}")
            )
        x = x.astype(dtype)
    n = x.shape[1]
    ddof = int(not bias) if ddof is None else int(ddof)
    if not x.shape[0]:
        return zeros((0, 0), x.dtype)
    dtype = real(x).dtype
    frequency, importance = (_weights(*v, n) for v in (("f", fweights), ("a", aweights)))
    weights, count = None, n - ddof
    if fweights is not None or aweights is not None:
        weights = (frequency * importance).astype(dtype)
        total = sum_(weights)
        factor = 1 if aweights is None or not ddof else sum_(weights * importance) / total
        count = total - ddof * factor
    value = known(count)
    if value is not None and value <= 0:
        warnings.warn(
            f"cov: {n} observations with ddof={ddof} leave no degree of freedom",
            RuntimeWarning,
            stacklevel=2,
        )
    x = x - average(x, 1, weights, keepdims=True)
    other = conj(x.T) if weights is None else conj((x * weights).T)
    out = dot(x, other) / maximum(asarray(count), 0).astype(dtype)
    return out.reshape(()) if out.size == 1 else out


def _variables(m: Any, y: Any, rowvar: bool) -> Any:
    """Return the variables of `m`, and of `y`, as the rows of a matrix of floats."""
    parts = [asarray(v) for v in (m, y) if v is not None]
    for part, name in zip(parts, ("m", "y")):
        if part.ndim > 2:
            raise with_user_line(
                ValueError(f"cov: {name} has more than two axes: {describe(part)}")
            )
    x = atleast_2d(arr(to_inexact(parts[0])))
    x = x if rowvar or parts[0].ndim < 2 else x.T
    if y is None or not x.shape[0]:
        return x
    other = atleast_2d(arr(to_inexact(parts[1])))
    x, other = same_dtype(x, other if rowvar or other.shape[0] == 1 else other.T)
    if x.shape[1] != other.shape[1]:
        raise with_user_line(
            ValueError(f"cov: m has {x.shape[1]} observations, y {other.shape[1]}")
        )
    return concatenate([x, other], 0)


def _weights(kind: str, weights: Any, n: int) -> Any:
    """Return the weights of `n` observations; 1 where there are none."""
    if weights is None:
        return 1
    w = real_only("cov", asarray(weights))
    if w.shape != (n,):
        raise with_user_line(
            ValueError(
                f"cov: {kind}weights must be a vector, one for each of {n} observations, got "
                f"{describe(w)}"
            )
        )
    value = known(w)
    if kind == "f" and (w.dtype.kind not in "biu" if value is None else np.any(value % 1)):
        raise with_user_line(TypeError(f"cov: fweights must be integers, got {describe(w)}"))
    if value is not None and np.any(value < 0):
        raise with_user_line(ValueError(f"cov: {kind}weights must not be negative"))
    return w


def corrcoef(
    x: ArrayLike, y: ArrayLike | None = None, rowvar: bool = True, dtype: Any = None
) -> Any:
    """Return the matrix of correlation coefficients of variables, one in each row."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    scale = sqrt(real(diag(c)))
    return c / reshape(scale, (scale.size, 1)) / scale


def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Apply, at each element, the function (or number) of the last condition that holds there.

    Raises:
        ValueError: unless there is a function for each condition, and perhaps one more, for
            elements where no condition holds (0 by default).
    """
    x = asarray(x)
    conditions = [
        asarray(c) for c in (condlist if isinstance(condlist, (list, tuple)) else [condlist])
    ]
    if len(funclist) - len(conditions) not in (0, 1) or not len(funclist):
        raise with_user_line(
            ValueError(
                f"piecewise: {len(conditions)} conditions need as many functions, or one more, got "
                f"{len(funclist)}"
            )
        )
    value = lambda f: f(x, *args, **kw) if callable(f) else f
    out: Any = value(funclist[-1]) if len(funclist) == len(conditions) + 1 else 0
    for condition, function in zip(conditions, funclist):
        out = where(condition, value(function), out)
    return asarray(out).astype(x.dtype)


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Return the differences of neighbours in the flat array.

    Args:
        ary: An array.
        to_end, to_begin: None, or numbers that follow the differences, or go before them.

    Raises:
        TypeError: for booleans, and for numbers that do not fit into the dtype of `ary`.

    Examples:
        >>> import diffeo as dx
        >>> ediff1d(dx.numpy.array([1, 2, 4]), to_begin=-9)
        Array([-9,  1,  2])
    """
    ary = arr(ary)
    if ary.dtype.kind == "b":
        raise with_user_line(TypeError(f"ediff1d: expects numbers, got {describe(ary)}"))
    parts = [diff(reshape(ary, (ary.size,)))]
    for at, name, end in ((1, "to_end", to_end), (0, "to_begin", to_begin)):
        if end is None:
            continue
        values = asarray(end)
        if not np.can_cast(values.dtype, ary.dtype, "same_kind"):
            raise with_user_line(
                TypeError(f"ediff1d: {name}, {describe(values)}, does not fit into {ary.dtype}")
            )
        parts.insert(at * len(parts), reshape(values, (values.size,)).astype(ary.dtype))
    return concatenate(parts, 0) if len(parts) > 1 else parts[0]
