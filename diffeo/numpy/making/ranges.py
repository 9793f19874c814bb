"""Numbers in a row: at equal distances, in geometric progression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...api.device_put import device_put
from ...primitives.array import Array, known
from ...primitives.core import Tracer, Value, describe, state, typeof, with_user_line
from ...primitives.types import SCALARS, promote_types, real_dtype
from ...primitives.words.operators import power
from ...primitives.words.promotion import broadcast_shapes, broadcast_to, to_inexact
from ...primitives.words.structural import expand_dims, iota, move_axis, reshape
from ...typing import DTypeLike
from ..choosing import where
from ..common import arr, axis_of, dtype_of, no_sharding, quotient, rounded, same_dtype, static_int
from ..ufuncs import absolute, exp, floor, log
from .creation import asarray, astype


def arange(
    start: Any,
    stop: Any = None,
    step: Any = None,
    dtype: DTypeLike | None = None,
    *,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Return numbers from `start` (0 by default) up to, without, `stop` by `step`; all static.

    Examples:
        >>> arange(4), arange(1, 2, 0.25)
        (Array([0, 1, 2, 3]), Array([1.  , 1.25, 1.5 , 1.75]))
    """
    if out_sharding is not None:
        raise no_sharding("arange", out_sharding)
    if device is not None:
        return device_put(arange(start, stop, step, dtype), device)
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    values = [
        _static_number(v, "arange", what)
        for v, what in ((start, "start"), (stop, "stop"), (step, "step"))
    ]
    if dtype is None:
        dtype = promote_types(*[typeof(v) for v in (start, stop, step)])[0]
    dtype = dtype_of(dtype, float)
    if values[2] == 0:
        raise with_user_line(ValueError("arange: the step must not be 0"))
    whole = all([type(v) is int for v in values]) and dtype.itemsize >= 4 and dtype.kind in "if"
    if not state.trace.eager and whole:
        first, last, by = values
        line = iota(dtype, (len(range(first, last, by)),))
        line = line if by == 1 else line * by
        return line if first == 0 else line + first
    try:
        return Array(np.arange(*values, dtype=dtype))
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        kind = MemoryError if isinstance(error, MemoryError) else type(error)
        raise with_user_line(kind(f"arange: {error}")) from None


def _static_number(x: Any, name: str, what: str) -> Any:
    if isinstance(x, Value):
        numbers = x.concrete() if isinstance(x, Tracer) else x
        if numbers is None:
            return static_int(x, name, what)
        x = np.asarray(numbers)
    return x.item() if isinstance(x, (np.ndarray, np.generic)) else x


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """Return `num` numbers at equal distances from `start` to `stop`, which may be arrays.

    Examples:
        >>> linspace(0, 1, 5)
        Array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    if device is not None:
        return device_put(linspace(start, stop, num, endpoint, retstep, dtype, axis), device)
    num = static_int(num, "linspace", "num")
    if num < 0:
        raise with_user_line(ValueError(f"linspace: num must not be negative, got {num}"))
    gaps = num - 1 if endpoint else num
    if all([type(v) in SCALARS for v in (start, stop)]):
        kind = complex if complex in (type(start), type(stop)) else float
        line = np.linspace(start, stop, num, endpoint)
        line = Array(_whole_below(line, dtype_of(dtype, kind), np.floor))
        return (line, Array((stop - start) / gaps if gaps else np.nan)) if retstep else line
    start, stop = (arr(to_inexact(v)) for v in same_dtype(asarray(start), asarray(stop)))
    delta = stop - start
    count = Array(np.arange(num).astype(real_dtype(delta.aval.dtype)))
    count = reshape(count, (num,) + (1,) * delta.ndim)
    step = quotient(delta, max(gaps, 1))
    line = rounded(count * step, 2.0 * absolute(delta) + 1.0) + start
    if endpoint and num > 1:
        line = where(count == num - 1, stop, line)
    line = line if axis == 0 else move_axis(line, 0, axis_of(axis, line.ndim, "linspace"))
    line = line if dtype is None else _whole_below(line, dtype_of(dtype, float), floor)
    return (line, step) if retstep else line


def _whole_below(line: Any, dtype: np.dtype, floor: Callable) -> Any:
    """Convert to `dtype`: to integers by rounding down, as NumPy's `linspace` does."""
    if dtype.kind in "iu":
        if line.dtype.kind == "c":
            raise with_user_line(TypeError(f"linspace: complex numbers do not become {dtype}"))
        line = floor(line)
    return astype(line, dtype) if isinstance(line, Value) else line.astype(dtype)


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Any:
    """Return `base` to the powers `linspace(start, stop, num)`; `base` may be an array."""
    if type(base) not in SCALARS:
        start, stop, base = map(asarray, (start, stop, base))
        shape = broadcast_shapes(start.shape, stop.shape, base.shape)
        start, stop, base = (broadcast_to(v, shape) for v in (start, stop, base))
        base = expand_dims(base, (axis_of(axis, len(shape) + 1, "logspace"),))
    out = power(base, linspace(start, stop, num, endpoint, axis=axis))
    return out if dtype is None else astype(out, dtype)


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """Return `num` numbers in geometric progression from `start` to `stop`, of any sign.

    Raises:
        ValueError: for a known end that is 0, or a negative number of numbers.
    """
    num = static_int(num, "geomspace", "num")
    zero = [v for v in map(known, (start, stop)) if v is not None and np.any(v == 0)]
    if zero or num < 0:
        raise with_user_line(
            ValueError(
                f"geomspace: needs num >= 0 and ends that are not 0, got {num=} and the ends "
                f"{describe(start)}, {describe(stop)}"
            )
        )
    if all([type(v) in SCALARS for v in (start, stop)]):
        # NumPy's own way through logarithms of 10 decides which integer a number is next to.
        kind = dtype_of(dtype, complex if complex in (type(start), type(stop)) else float)
        return Array(np.geomspace(start, stop, num, endpoint).astype(kind))
    start, stop = (arr(to_inexact(v)) for v in same_dtype(start, stop))
    steps = linspace(start * 0.0, log(stop / start), num, endpoint, axis=axis)
    axis = axis_of(axis, steps.ndim, "geomspace")
    shape = broadcast_shapes(start.shape, stop.shape)
    start, stop = (expand_dims(broadcast_to(v, shape), (axis,)) for v in (start, stop))
    out = start * exp(steps)
    if endpoint and steps.shape[axis] > 1:
        out = where(iota(np.int64, steps.shape, axis) == steps.shape[axis] - 1, stop, out)
    return out if dtype is None else astype(out, dtype)
