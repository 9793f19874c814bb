"""Interpolation, differences, covariances: interp, gradient, unwrap, cov, piecewise."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..primitives.core import describe, with_user_line
from ..primitives.types import is_complex
from ..primitives.words.promotion import broadcast_to, to_inexact
from ..primitives.words.slicing import concatenate, slice_in_dim
from ..primitives.words.structural import reshape
from .choosing import where
from .common import arr, axes_of, axis_of, real_only, same_dtype
from .contracting.products import dot
from .limiting import clip
from .making.creation import asarray, zeros
from .making.grids import diag
from .places.indexing import getitem
from .reducing.cumulative import cumsum, diff
from .reducing.reductions import mean
from .reducing.sorting import searchsorted
from .shaping import atleast_2d
from .ufuncs import conj, imag, isfinite, isinf, isnan, less, real, sqrt


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """Interpolate linearly through the points (xp, fp), `xp` rising; constant beyond the ends.

    At a point of `xp`, the result is its own value, even if the neighbours are infinite.

    Raises:
        ValueError: if xp and fp are not vectors of one size, or are empty.

    Examples:
        >>> import diffeo as dx
        >>> interp(1.5, dx.numpy.array([1.0, 2.0]), dx.numpy.array([10.0, 20.0]))
        Array(15.)
    """
    x, xp = (real_only("interp", asarray(v)) for v in (x, xp))
    fp = asarray(fp)
    if is_complex(fp.dtype):
        ends = [None if v is None else asarray(v) for v in (left, right)]
        parts = [
            interp(x, xp, part(fp), *[None if v is None else part(v) for v in ends])
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
    n = xp.shape[0]
    out = broadcast_to(fp[0], x.shape) if n == 1 else _between(x, xp, fp)
    out = where(less(x, xp[0]), fp[0] if left is None else left, out)
    return where(less(xp[n - 1], x), fp[n - 1] if right is None else right, out)


def _between(x: Any, xp: Any, fp: Any) -> Any:
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


def gradient(f: Any, *varargs: Any, axis: Any = None) -> Any:
    """Compute derivatives by central differences, one-sided at the ends.

    `varargs` are the distances: one number for all axes, or for each axis a number or a vector of
    coordinates. For several axes, the result is a list.
    """
    f = arr(to_inexact(arr(f)))
    axes = axes_of(axis, f.ndim, "gradient")
    steps = list(varargs) or [1.0]
    steps = steps * len(axes) if len(steps) == 1 else steps
    if len(steps) != len(axes):
        raise with_user_line(
            ValueError(f"gradient: {len(steps)} distances do not go with {len(axes)} axes")
        )
    out = [_along(f, h, a) for h, a in zip(steps, axes)]
    return out[0] if len(out) == 1 else out


def _along(f: Any, step: Any, axis: int) -> Any:
    """Compute the derivative along one axis; `step` is a distance or a vector of coordinates."""
    n = f.shape[axis]
    if n < 2:
        raise with_user_line(ValueError(f"gradient: axis {axis} needs 2 elements, has {n}"))
    part = lambda i, j: slice_in_dim(f, i, j, 1, axis)
    step = asarray(step)
    if step.ndim == 0:
        middle = (part(2, n) - part(0, n - 2)) / (2 * step)
        h0 = h1 = step
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
    first = (part(1, 2) - part(0, 1)) / h0
    last = (part(n - 1, n) - part(n - 2, n - 1)) / h1
    return concatenate([first, middle, last], axis)


def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * math.pi) -> Any:
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
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None
) -> Any:
    """Return the covariance matrix of variables, one in each row (or column, if not `rowvar`).

    With too few observations, as many as `ddof` or fewer, the result is nan or infinite, and there
    is a warning, as in NumPy.

    Raises:
        ValueError: for more than two axes, different numbers of observations, or a `ddof` that is
            no integer.
    """
    m = asarray(m)
    parts = [m] if y is None else [m, asarray(y)]
    for part, name in zip(parts, ("m", "y")):
        if part.ndim > 2:
            raise with_user_line(
                ValueError(f"cov: {name} has more than two axes: {describe(part)}")
            )
    if ddof is not None and ddof != int(ddof):
        raise with_user_line(ValueError(f"cov: ddof must be an integer, got {ddof!r}"))
    x = atleast_2d(arr(to_inexact(m)))
    x = x if rowvar or m.ndim < 2 else x.T
    if not x.shape[0]:
        return zeros((0, 0), x.dtype)
    if y is not None:
        other = atleast_2d(arr(to_inexact(parts[1])))
        x, other = same_dtype(x, other if rowvar or other.shape[0] == 1 else other.T)
        if x.shape[1] != other.shape[1]:
            raise with_user_line(
                ValueError(f"cov: m has {x.shape[1]} observations, y {other.shape[1]}")
            )
        x = concatenate([x, other], 0)
    ddof = int(not bias) if ddof is None else int(ddof)
    count = x.shape[1] - ddof
    if count <= 0:
        warnings.warn(
            f"cov: {x.shape[1]} observations with ddof={ddof} leave no degree of freedom",
            RuntimeWarning,
            stacklevel=2,
        )
    x = x - mean(x, 1, keepdims=True)
    out = dot(x, conj(x.T)) / asarray(max(count, 0)).astype(real(x).dtype)
    return out.reshape(()) if out.size == 1 else out


def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    """Return the matrix of correlation coefficients of variables, one in each row."""
    c = cov(x, y, rowvar)
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


def ediff1d(ary: Any) -> Any:
    """Return the differences of neighbours in the flat array; TypeError for booleans."""
    ary = arr(ary)
    if ary.dtype.kind == "b":
        raise with_user_line(TypeError(f"ediff1d: expects numbers, got {describe(ary)}"))
    return diff(reshape(ary, (ary.size,)))
