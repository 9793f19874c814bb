"""Making arrays from data, of constants, of ranges. Start with `array`, which all data pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from ...api.device_put import device_put
from ...primitives.array import Array, as_value
from ...primitives.constants import full as full_p
from ...primitives.core import Tracer, Value, describe, known, state, typeof, with_user_line
from ...primitives.support.foreign import refusal
from ...primitives.types import SCALARS, check_scalar, default_dtype, promote_types, real_dtype
from ...primitives.words.operators import power
from ...primitives.words.promotion import broadcast_shapes, broadcast_to, to_inexact
from ...primitives.words.slicing import stack
from ...primitives.words.structural import (
    ConvertElementType,
    convert_element_type,
    expand_dims,
    iota,
    move_axis,
    reshape,
)
from ..choosing import where
from ..common import arr, axis_of, dtype_of, quotient, rounded, same_dtype, static_int, static_shape
from ..ufuncs import absolute, exp, floor, log

#: The types of Python's numbers, by rising rank: a list has the type of the highest one.
_ORDER = (bool, int, float, complex)


def array(
    object: Any, dtype: Any = None, copy: bool = True, ndmin: int = 0, *, device: Any = None
) -> Any:
    """Return an array from a number, a NumPy array, nested lists of both, or any array-like.

    NumPy arrays are copied, as Arrays never change. Lists may contain traced values. `device`, here
    and elsewhere, commits the array to a device, as `dx.device_put` does.

    Raises:
        TypeError: for anything that is no number or array (strings, None, objects).
        ValueError: for ragged nested lists.
        RuntimeError: if there is no such device.

    Examples:
        >>> array([[1, 2], [3, 4]]), array([1, 2.5]).dtype
        (Array([[1, 2],
               [3, 4]]), dtype('float64'))
    """
    if copy is not None and not isinstance(copy, (bool, int, np.bool_)):
        raise with_user_line(
            ValueError(f"array: copy must be True, False or None, got {describe(copy)}")
        )
    out = _from(object) if dtype is None else _with_dtype(object, dtype_of(dtype))
    if copy and out is object and type(out) is Array and out._np is not None:
        out = Array(out._np.copy(), out.weak_type)
    if out.ndim < ndmin:
        out = reshape(out, (1,) * (ndmin - out.ndim) + out.shape)
    return out if device is None else device_put(out, device)


def asarray(object: Any, dtype: Any = None, *, copy: bool | None = None, device: Any = None) -> Any:
    """Return `object` as an array; an Array or a traced value is returned as it is.

    Raises:
        ValueError: with `copy=False`, if numbers have to be copied: of anything but an Array or a
            traced value, and where they get another dtype.
    """
    out = array(object, dtype, copy=bool(copy), device=device)
    if copy is False and out is not object:
        raise with_user_line(
            ValueError(
                f"asarray: copy=False cannot be had of {describe(object)}: its numbers have to be "
                "copied, as Arrays never change, or get another dtype; leave copy out"
            )
        )
    return out


def _from(object: Any) -> Any:
    """Return the array of an object in its own dtype."""
    kind = type(object)
    if kind is np.ndarray or kind in SCALARS:
        return as_value(object)
    if isinstance(object, (Value, np.ndarray, np.generic)):
        return as_value(_plain(object))
    if isinstance(object, (list, tuple)):
        return _from_list(object, None)
    if hasattr(object, "__array__") or hasattr(object, "__dlpack__"):
        return as_value(_foreign(object))
    raise with_user_line(
        TypeError(f"expected numbers, arrays or nested lists of them, got {describe(object)}"),
        object,
    )


def _plain(object: Any) -> Any:
    """Return an array of a subclass of NumPy's as a plain one, if only its class is lost."""
    if not isinstance(object, np.ndarray) or refusal(object, True):
        return object
    return np.asarray(object)


def _foreign(object: Any) -> np.ndarray:
    # `asanyarray` keeps the mask of an `__array__` that has one, so that it is refused.
    host = np.asanyarray(object) if hasattr(object, "__array__") else np.from_dlpack(object)
    return _plain(host)


def _with_dtype(object: Any, dtype: np.dtype) -> Any:
    if type(object) in SCALARS:
        try:
            return Array(
                np.asarray(object).astype(dtype) if dtype.kind == "b" else np.array(object, dtype)
            )
        except OverflowError:
            raise with_user_line(
                OverflowError(f"array: the Python integer {object} does not fit into {dtype}")
            ) from None
    if isinstance(object, (list, tuple)):
        return _from_list(object, dtype)
    return convert_element_type(_from(object), dtype)


def _leaf_kinds(object: Any) -> set[type]:
    """Return the types of the leaves of nested lists."""
    kinds = set(map(type, object))
    if list in kinds or tuple in kinds:
        for item in object:
            if isinstance(item, (list, tuple)):
                kinds |= _leaf_kinds(item)
        kinds -= {list, tuple}
    return kinds


def _from_list(object: Any, dtype: Any) -> Any:
    """Return the array of nested lists, in `dtype` or in the one to which the leaves promote."""
    kinds = _leaf_kinds(object)
    if kinds <= SCALARS:
        if dtype is None:
            dtype = default_dtype(max(kinds, key=_ORDER.index) if kinds else float)
        return Array(_numpy_array(object, dtype))
    if not any([issubclass(k, Value) for k in kinds]):
        leaves = _leaves(object)
        avals = [_type_of(leaf) for leaf in leaves]
        dtype = promote_types(*avals)[0] if dtype is None else dtype
        for leaf in leaves:
            if type(leaf) is int:
                _number(leaf, dtype, "array")  # raises if the integer does not fit
        return Array(_numpy_array(object, None).astype(dtype))
    # With Arrays or tracers inside, the items are stacked level by level.
    parts = [_from_list(o, None) if isinstance(o, (list, tuple)) else _from(o) for o in object]
    if len({p.shape for p in parts}) > 1:
        raise with_user_line(
            ValueError(
                "array: the items of a list must have equal shapes, got "
                + ", ".join([str(p.shape) for p in parts[:8]])
            )
        )
    parts = same_dtype(*parts)
    out = stack(parts)
    return convert_element_type(out, out.aval.dtype if dtype is None else dtype)


def _type_of(leaf: Any) -> Any:
    usual = isinstance(leaf, (np.ndarray, np.generic)) or type(leaf) in SCALARS
    return typeof(leaf) if usual else _from(leaf).aval


def _leaves(object: Any) -> list[Any]:
    if not isinstance(object, (list, tuple)):
        return [object]
    return [leaf for item in object for leaf in _leaves(item)]


def _numpy_array(object: Any, dtype: Any) -> np.ndarray:
    try:
        return np.array(object, dtype)
    except (ValueError, OverflowError, TypeError) as error:
        kind = OverflowError if isinstance(error, OverflowError) else ValueError
        raise with_user_line(kind(f"array: {error}")) from None


def copy(a: Any) -> Any:
    """Return a copy of an array. Arrays never change, so this is hardly ever needed."""
    return array(a)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """Convert `x` to `dtype`: to integers by truncation, complex to its real part.

    Examples:
        >>> astype(array([1.5, -2.7]), int)
        Array([ 1, -2])
    """
    dtype = dtype_of(dtype)
    if device is not None:
        return device_put(astype(x, dtype), device)
    if type(x) is Array and state.trace.eager:  # the short way between NumPy's real numbers
        host = x._np
        if host is not None and dtype.kind in "if" and host.dtype.kind == dtype.kind:
            return Array(host.astype(dtype))
    return convert_element_type(arr(x), dtype)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """Return an array from any object with `__dlpack__` (torch, cupy, jax ...), whose data are
    copied, from an accelerator's memory to the host's.

    Raises:
        TypeError: for an object without `__dlpack__`.
        ValueError: with `copy=False`.
        BufferError: if the object cannot be exported, or not to the host.
    """
    if copy is False and type(x) is not Array:
        raise with_user_line(
            ValueError(
                "from_dlpack: the data are copied, as the exporter may change them; copy=False "
                "cannot "
                "be had"
            )
        )
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise with_user_line(
            TypeError(
                f"from_dlpack: expected an array with __dlpack__ and __dlpack_device__, got "
                f"{describe(x)}; dx.numpy.asarray makes arrays of numbers and lists"
            )
        )
    if type(x) is not Array:
        on_host = x.__dlpack_device__()[0] == 1  # DLPack's number of CPU memory
        host: Any = np.from_dlpack(x) if on_host else np.from_dlpack(x, device="cpu", copy=True)
        x = Array(np.array(host))
    return x if device is None else device_put(x, device)


# ----------------------------------------------------------------------------------------------
# Constants


def _constant(
    make: Callable, shape: Any, value: Any, dtype: np.dtype, name: str, device: Any
) -> Any:
    if device is not None:
        return device_put(_constant(make, shape, value, dtype, name, None), device)
    shape = shape if type(shape) is tuple else static_shape(shape, name)
    if state.trace.eager and dtype.kind != "k":
        try:
            return Array(make(shape, dtype))
        except (TypeError, ValueError):
            pass  # the check below says what is wrong with the shape
    return full_p(static_shape(shape, name), _number(value, dtype, name), dtype)


def _number(value: Any, dtype: np.dtype, name: str) -> Any:
    """Convert a Python number, as `astype` converts, to one that a constant of `dtype` takes."""
    if "int" in dtype.name:
        if type(value) in (float, complex):
            value = int(ConvertElementType(dtype).impl(np.asarray(value)))
        limits = ml_dtypes.iinfo(dtype)
        if not limits.min <= value <= limits.max:
            raise with_user_line(
                OverflowError(f"{name}: the Python integer {value} does not fit into {dtype}")
            )
        return int(value)
    if dtype.kind == "k":
        check_scalar(name, value, dtype)
    kind: Any = {"b": bool, "c": complex, "k": int}.get(dtype.kind, float)
    return kind(value.real if type(value) is complex and kind is float else value)


def zeros(shape: Any, dtype: Any = None, *, device: Any = None) -> Any:
    """Return zeros of a shape (an integer or a tuple); float64 by default.

    Examples:
        >>> zeros((2, 3)).shape, zeros(2, "int32").dtype
        ((2, 3), dtype('int32'))
    """
    return _constant(np.zeros, shape, 0, dtype_of(dtype, float), "zeros", device)


def ones(shape: Any, dtype: Any = None, *, device: Any = None) -> Any:
    """Return ones of a shape (an integer or a tuple); float64 by default."""
    return _constant(np.ones, shape, 1, dtype_of(dtype, float), "ones", device)


def empty(shape: Any, dtype: Any = None, *, device: Any = None) -> Any:
    """Return zeros: an Array cannot be filled later, so undefined numbers would gain nothing."""
    return _constant(np.zeros, shape, 0, dtype_of(dtype, float), "empty", device)


def full(shape: Any, fill_value: Any, dtype: Any = None, *, device: Any = None) -> Any:
    """Return an array filled with a number, or with an array that broadcasts to the shape."""
    if device is not None:
        return device_put(full(shape, fill_value, dtype), device)
    shape = static_shape(shape, "full")
    if type(fill_value) in SCALARS:
        dtype = dtype_of(dtype, type(fill_value))
        return full_p(shape, _number(fill_value, dtype, "full"), dtype)
    value = asarray(fill_value, dtype)
    return broadcast_to(convert_element_type(value, value.aval.dtype), shape)


def _like(a: Any, dtype: Any, shape: Any, name: str) -> tuple[tuple[int, ...], np.dtype]:
    aval = typeof(a) if not isinstance(a, (list, tuple)) else asarray(a).aval
    shape = aval.shape if shape is None else static_shape(shape, name)
    return shape, aval.dtype if dtype is None else dtype_of(dtype, float)


def zeros_like(a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Any:
    """Return zeros of the shape and dtype of `a`, unless others are given."""
    shape, dtype = _like(a, dtype, shape, "zeros_like")
    return _constant(np.zeros, shape, 0, dtype, "zeros_like", device)


def ones_like(a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Any:
    """Return ones of the shape and dtype of `a`, unless others are given."""
    shape, dtype = _like(a, dtype, shape, "ones_like")
    return _constant(np.ones, shape, 1, dtype, "ones_like", device)


def empty_like(a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Any:
    """Return zeros of the shape and dtype of `a`; see `empty`."""
    return zeros_like(a, dtype, shape, device=device)


def full_like(
    a: Any, fill_value: Any, dtype: Any = None, shape: Any = None, *, device: Any = None
) -> Any:
    """Return an array of the shape and dtype of `a` (unless given), filled with `fill_value`."""
    shape, dtype = _like(a, dtype, shape, "full_like")
    return full(shape, fill_value, dtype, device=device)


# ----------------------------------------------------------------------------------------------
# Ranges


def arange(
    start: Any, stop: Any = None, step: Any = None, dtype: Any = None, *, device: Any = None
) -> Any:
    """Return numbers from `start` (0 by default) up to, without, `stop` by `step`; all static.

    Examples:
        >>> arange(4), arange(1, 2, 0.25)
        (Array([0, 1, 2, 3]), Array([1.  , 1.25, 1.5 , 1.75]))
    """
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
    dtype: Any = None,
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


def result_type(*args: Any) -> np.dtype:
    """Return the dtype to which operands (arrays, numbers or dtypes) are brought together."""
    avals = []
    for a in args:
        if isinstance(a, (type, str, np.dtype)):
            dtype = dtype_of(a)
            avals.append(typeof(np.empty(0, dtype)))
        else:
            avals.append(typeof(a))
    if not avals:
        raise with_user_line(TypeError(f"result_type: needs operands, got {describe(args)}"))
    return promote_types(*avals)[0]
