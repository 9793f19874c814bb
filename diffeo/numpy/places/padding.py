"""Elements added at the ends of axes: pad.

Each axis is padded in turn. Modes that repeat elements compute the *positions* of what they add, by
NumPy's own `pad` of 0, 1, 2 ..., and read there. The odd reflections add multiples of the two ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...primitives.core import Value, describe, with_user_line
from ...primitives.types import is_inexact
from ...primitives.words import slicing as s
from ...primitives.words.promotion import broadcast_to
from ...primitives.words.structural import convert_element_type, reshape
from ..common import axis_of, no_such, static_int
from ..joining import concatenate
from ..making.creation import asarray, full
from ..making.ranges import linspace
from ..mapping import apply_along_axis
from ..reducing.quantiles import median
from ..reducing.reductions import max as max_
from ..reducing.reductions import mean
from ..reducing.reductions import min as min_
from ..shaping import flip
from ..ufuncs import rint
from . import indexing

#: The modes that repeat elements of the array.
_BY_PLACE = ("edge", "reflect", "symmetric", "wrap")
#: The modes that add a statistic of the elements at an end.
_STATISTICS = {"maximum": max_, "minimum": min_, "mean": mean, "median": median}
#: Mode -> the keywords that it takes, with their defaults.
_KEYWORDS: dict[str, dict[str, Any]] = {
    "constant": {"constant_values": 0},
    "linear_ramp": {"end_values": 0},
    **{mode: {"stat_length": None} for mode in _STATISTICS},
    **{mode: {"reflect_type": "even"} for mode in ("reflect", "symmetric")},
    **{mode: {} for mode in ("edge", "wrap", "empty")},
}


def _pad_pairs(pad_width: Any, ndim: int, name: str) -> list[list[Any]]:
    """Return [before, after] for each axis, from one of NumPy's forms of `pad_width`."""
    if isinstance(pad_width, dict):
        pairs: list[Any] = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            pairs[axis_of(axis, ndim, name)] = width if isinstance(width, tuple) else (width,) * 2
        return [list(p) for p in pairs]
    try:
        return np.broadcast_to(np.asarray(pad_width), (ndim, 2)).tolist()
    except ValueError:
        raise with_user_line(
            ValueError(f"{name}: {pad_width!r} gives no (before, after) pair for {ndim} axes")
        ) from None


def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """Return `array` with elements added at the ends of its axes.

    Args:
        array: What to pad.
        pad_width: A number, (before, after) for all axes, or one such pair for each axis.
        mode: 'constant', 'edge', 'reflect', 'symmetric', 'wrap', 'linear_ramp' (to `end_values`),
            'maximum', 'minimum', 'mean', 'median' (of the elements at an end), 'empty' (zeros), or
            a function of (a padded line, its widths, its axis, keywords) that returns the line.
        kwargs: `constant_values` for 'constant', `end_values` for 'linear_ramp', `stat_length` for
            statistics: numbers in the form of `pad_width`. `reflect_type` for 'reflect' and
            'symmetric': 'even', or 'odd' for twice the end minus what is mirrored. What a function
            is to get.

    Raises:
        ValueError: for negative widths, an unknown mode, a keyword that the mode does not have, and
            an axis without elements where elements are needed.

    Examples:
        >>> import diffeo as dx
        >>> pad(dx.numpy.array([1, 2, 3]), (1, 2)), pad(dx.numpy.array([1, 2, 3]), 2, "reflect")
        (Array([0, 1, 2, 3, 0, 0]), Array([3, 2, 1, 2, 3, 2, 1]))
    """
    x = asarray(array)
    widths = [
        [static_int(n, "pad", "a width") for n in p] for p in _pad_pairs(pad_width, x.ndim, "pad")
    ]
    if any([n < 0 for p in widths for n in p]):
        raise with_user_line(ValueError(f"pad: widths must not be negative, got {pad_width}"))
    if callable(mode):
        return _by_function(x, widths, mode, kwargs)
    if mode not in _KEYWORDS:
        raise no_such("pad", "mode", mode, tuple(_KEYWORDS))
    unknown = sorted(set(kwargs) - set(_KEYWORDS[mode]))
    if unknown:
        raise with_user_line(
            ValueError(
                f"pad: mode={mode!r} has no keyword {', '.join(unknown)}; it has "
                f"{', '.join(_KEYWORDS[mode]) or 'none'}"
            )
        )
    option = {**_KEYWORDS[mode], **kwargs}
    if mode in ("constant", "empty"):
        return _constants(x, widths, option.get("constant_values", 0))
    for axis, (low, high) in enumerate(widths):
        if not x.shape[axis] and (low or high):
            raise with_user_line(
                ValueError(
                    f"pad: axis {axis} of shape {x.shape} has no elements to repeat; "
                    "mode='constant' needs none"
                )
            )
    if mode == "linear_ramp":
        return _ramps(x, widths, option["end_values"])
    if mode in _STATISTICS:
        return _statistics(x, widths, mode, option["stat_length"])
    return _repeated(x, widths, mode, option.get("reflect_type", "even"))


def _constants(x: Value, widths: list[list[int]], values: Any) -> Any:
    """Pad with numbers."""
    if type(values) in (int, float, bool) and x.dtype.kind in "fiu":
        value = np.asarray(values).astype(x.dtype).item()
        return s.pad(x, [p[0] for p in widths], [p[1] for p in widths], value=value)
    values = broadcast_to(convert_element_type(asarray(values), x.dtype), (x.ndim, 2))
    for axis, pair in enumerate(widths):
        shapes = [(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in pair]
        ends = [full(shape, values[axis, k]) for k, shape in enumerate(shapes)]
        x = concatenate([ends[0], x, ends[1]], axis)
    return x


def _repeated(x: Value, widths: list[list[int]], mode: str, reflect_type: str) -> Any:
    """Pad with elements of the array."""
    if reflect_type not in ("even", "odd"):
        raise no_such("pad", "reflect_type", reflect_type, ("even", "odd"))
    for axis, (low, high) in enumerate(widths):
        if not (low or high):
            continue
        if reflect_type == "odd" and not (mode == "reflect" and x.shape[axis] == 1):
            x = _odd(x, axis, low, high, mode)
            continue
        positions: Any = np.arange(x.shape[axis])
        positions = np.pad(positions, (low, high), mode)  # type: ignore[call-overload]
        x = indexing.getitem(x, (slice(None),) * axis + (positions,))
    return x


def _odd(x: Value, axis: int, low: int, high: int, mode: str) -> Any:
    """Pad one axis so that it is odd around its ends: twice the end, minus what is mirrored."""
    # The continued function is odd around both ends, so after two mirrors it is itself, shifted by
    # twice the difference of the ends.
    n = x.shape[axis]
    period = 2 * (n - 1) if mode == "reflect" else 2 * n
    times, rest = np.divmod(np.arange(-low, n + high), period)
    mirrored = rest >= n
    places = np.where(mirrored, (period if mode == "reflect" else period - 1) - rest, rest)
    at = lambda i: indexing.getitem(x, (slice(None),) * axis + (i,))
    line = lambda v: asarray(v.reshape((-1,) + (1,) * (x.ndim - axis - 1))).astype(x.dtype)
    first, last = at(np.array([0])), at(np.array([n - 1]))
    ends = line(2 * (times + mirrored)) * last - line(2 * times) * first
    return line(np.where(mirrored, -1, 1)) * at(places) + ends


def _ramps(x: Value, widths: list[list[int]], end_values: Any) -> Any:
    """Pad with numbers at equal distances from `end_values` to the ends."""
    ends = broadcast_to(convert_element_type(asarray(end_values), x.dtype), (x.ndim, 2))
    for axis, (low, high) in enumerate(widths):
        edges = [s.slice_in_dim(x, i, i + 1, 1, axis) for i in (0, x.shape[axis] - 1)]
        shape = [m for i, m in enumerate(x.shape) if i != axis]
        ramps = [
            linspace(
                full(shape, ends[axis, k]), reshape(edge, shape), n, False, False, x.dtype, axis
            )
            for k, (edge, n) in enumerate(zip(edges, (low, high)))
        ]
        x = concatenate([ramps[0], x, flip(ramps[1], axis)], axis)
    return x


def _statistics(x: Value, widths: list[list[int]], mode: str, stat_length: Any) -> Any:
    """Pad with a statistic of the `stat_length` elements at an end, all by default."""
    lengths = [[None, None]] * x.ndim
    if stat_length is not None:
        lengths = [
            [static_int(n, "pad", "a stat_length") for n in p]
            for p in _pad_pairs(stat_length, x.ndim, "pad")
        ]
        if any([n < 1 for p in lengths for n in p]):
            raise with_user_line(
                ValueError(f"pad: stat_length must be 1 or more, got {stat_length}")
            )
    for axis, pair in enumerate(widths):
        n = x.shape[axis]
        ends = []
        for k, (width, length) in enumerate(zip(pair, lengths[axis])):
            length = n if length is None else min(length, n)
            part = s.slice_in_dim(x, 0, length, 1, axis)
            part = part if k == 0 else s.slice_in_dim(x, n - length, n, 1, axis)
            value = _STATISTICS[mode](part, axis=axis, keepdims=True)
            if is_inexact(value.dtype) and not is_inexact(x.dtype):
                value = rint(value)
            value = convert_element_type(value, x.dtype)
            shape = tuple([width if i == axis else m for i, m in enumerate(x.shape)])
            ends.append(broadcast_to(value, shape))
        x = concatenate([ends[0], x, ends[1]], axis)
    return x


def _by_function(x: Any, widths: list[list[int]], function: Callable, kwargs: Any) -> Any:
    """Pad with zeros, and let a function replace each line along each axis."""
    x = _constants(x, widths, 0)
    for axis, pair in enumerate(widths):

        def replaced(line: Value, pair: Any = tuple(pair), axis: int = axis) -> Any:
            out = function(line, pair, axis, kwargs)
            if getattr(out, "shape", None) != line.shape:
                raise with_user_line(
                    TypeError(
                        f"pad: the function must return the line, of shape {line.shape}, got "
                        f"{describe(out)}; arrays never change, so it cannot write into it"
                    )
                )
            return out

        x = apply_along_axis(replaced, axis, x)
    return x
