"""Making arrays from data, and of constants. Start with `array`, which all data pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from ...api.device_put import device_put
from ...primitives.array import Array, as_value
from ...primitives.constants import full as full_p
from ...primitives.core import Value, describe, state, typeof, with_user_line
from ...primitives.support.foreign import refusal, taken_in
from ...primitives.types import SCALARS, check_scalar, default_dtype, promote_types
from ...primitives.words.promotion import broadcast_to
from ...primitives.words.slicing import stack
from ...primitives.words.structural import (
    ConvertElementType,
    convert_element_type,
    reshape,
)
from ...typing import ArrayLike, DTypeLike
from ..common import (
    any_type,
    arr,
    dtype_of,
    no_sharding,
    no_such,
    same_dtype,
    static_shape,
)

#: The types of Python's numbers, by rising rank: a list has the type of the highest one.
_ORDER = (bool, int, float, complex)
#: The orders of elements in memory that may be asked for.
_ORDERS = ("K", None, "C", "A")


def _no_order(name: str, order: Any) -> Exception:
    """Return the error for an order of elements in memory that an Array cannot have."""
    if order == "F":
        return with_user_line(
            NotImplementedError(
                f"{name}: an Array has its elements row by row; order='F' cannot be had. Leave it "
                "out: no result depends on it"
            )
        )
    return no_such(name, "order", order, _ORDERS)


def array(
    object: Any,
    dtype: DTypeLike | None = None,
    copy: bool | None = True,
    order: str | None = "K",
    ndmin: int = 0,
    *,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Return an array from a number, a NumPy array, nested lists of both, or any array-like.

    NumPy arrays are copied, as Arrays never change. Lists may contain traced values. `device`, here
    and elsewhere, commits the array to a device, as `dx.device_put` does. `order` may be 'K', 'A'
    or 'C': elements have no other order in memory that could be asked for.

    Raises:
        TypeError: for anything that is no number or array (strings, None, objects).
        ValueError: for ragged nested lists.
        RuntimeError: if there is no such device.
        NotImplementedError: for `out_sharding`, or the order 'F'.

    Examples:
        >>> array([[1, 2], [3, 4]]), array([1, 2.5]).dtype
        (Array([[1, 2],
               [3, 4]]), dtype('float64'))
    """
    if copy is not None and not isinstance(copy, (bool, int, np.bool_)):
        raise with_user_line(
            ValueError(f"array: copy must be True, False or None, got {describe(copy)}")
        )
    if order not in _ORDERS:
        raise _no_order("array", order)
    if out_sharding is not None:
        raise no_sharding("array", out_sharding)
    out = _from(object) if dtype is None else _with_dtype(object, dtype_of(dtype))
    if copy and out is object and type(out) is Array and out._np is not None:
        out = Array(out._np.copy(), out.weak_type)
    if out.ndim < ndmin:
        out = reshape(out, (1,) * (ndmin - out.ndim) + out.shape)
    return out if device is None else device_put(out, device)


def asarray(
    a: Any,
    dtype: DTypeLike | None = None,
    order: str | None = None,
    *,
    copy: bool | None = None,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Return `a` as an array; an Array or a traced value is returned as it is.

    Raises:
        ValueError: with `copy=False`, if numbers have to be copied: of anything but an Array or a
            traced value, and where they get another dtype.
        NotImplementedError: for `out_sharding`, or the order 'F'.
    """
    if order not in _ORDERS:
        raise _no_order("asarray", order)
    if out_sharding is not None:
        raise no_sharding("asarray", out_sharding)
    out = array(a, dtype, bool(copy), device=device)
    if copy is False and out is not a:
        raise with_user_line(
            ValueError(
                f"asarray: copy=False cannot be had of {describe(a)}: its numbers have to be "
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
    taken = taken_in(object)
    if taken is not object:
        return as_value(_plain(taken))
    raise with_user_line(
        TypeError(f"expected numbers, arrays or nested lists of them, got {describe(object)}"),
        object,
    )


def _plain(object: Any) -> Any:
    """Return an array of a subclass of NumPy's as a plain one, if only its class is lost."""
    if not isinstance(object, np.ndarray) or refusal(object, True):
        return object
    return np.asarray(object)


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
    # What only DLPack can read is no item of NumPy's lists.
    if not any([issubclass(k, Value) or _needs_dlpack(k) for k in kinds]):
        leaves = _leaves(object)
        avals = [_type_of(leaf) for leaf in leaves]
        dtype = promote_types(*avals)[0] if dtype is None else dtype
        for leaf in leaves:
            if type(leaf) is int:
                _number(leaf, dtype, "array")  # raises if the integer does not fit
        return Array(_numpy_array(object, None).astype(dtype))
    # With such or Arrays or tracers inside, the items are stacked level by level.
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


def _needs_dlpack(kind: type) -> bool:
    return hasattr(kind, "__dlpack__") and not hasattr(kind, "__array__")


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


def copy(a: ArrayLike, order: str | None = None) -> Any:
    """Return a copy of an array. Arrays never change, so this is hardly ever needed."""
    return array(a, order=order)


def astype(x: Any, dtype: DTypeLike, /, *, copy: bool = False, device: Any = None) -> Any:
    """Convert `x` to `dtype`: to integers by truncation, complex to its real part. As Arrays never
    change, `copy` makes no difference.

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
    make: Callable, shape: Any, value: int, dtype: np.dtype, name: str, device: Any
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


def zeros(
    shape: Any, dtype: DTypeLike | None = None, *, device: Any = None, out_sharding: Any = None
) -> Any:
    """Return zeros of a shape (an integer or a tuple); float64 by default.

    Examples:
        >>> zeros((2, 3)).shape, zeros(2, "int32").dtype
        ((2, 3), dtype('int32'))
    """
    if out_sharding is not None:
        raise no_sharding("zeros", out_sharding)
    return _constant(np.zeros, shape, 0, dtype_of(dtype, float), "zeros", device)


def ones(
    shape: Any, dtype: DTypeLike | None = None, *, device: Any = None, out_sharding: Any = None
) -> Any:
    """Return ones of a shape (an integer or a tuple); float64 by default."""
    if out_sharding is not None:
        raise no_sharding("ones", out_sharding)
    return _constant(np.ones, shape, 1, dtype_of(dtype, float), "ones", device)


def empty(shape: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Any:
    """Return zeros: an Array cannot be filled later, so undefined numbers would gain nothing."""
    if out_sharding is not None:
        raise no_sharding("empty", out_sharding)
    return _constant(np.zeros, shape, 0, dtype_of(dtype, float), "empty", device)


def full(
    shape: Any,
    fill_value: Any,
    dtype: DTypeLike | None = None,
    *,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Return an array filled with a number, or with an array that broadcasts to the shape."""
    if out_sharding is not None:
        raise no_sharding("full", out_sharding)
    if device is not None:
        return device_put(full(shape, fill_value, dtype), device)
    shape = static_shape(shape, "full")
    if type(fill_value) in SCALARS:
        dtype = dtype_of(dtype, type(fill_value))
        return full_p(shape, _number(fill_value, dtype, "full"), dtype)
    value = asarray(fill_value, dtype)
    return broadcast_to(convert_element_type(value, value.aval.dtype), shape)


def _like(a: Any, dtype: Any, shape: Any, name: str) -> tuple[tuple[int, ...], np.dtype]:
    if isinstance(a, Value):
        aval = a.aval
    elif isinstance(a, (list, tuple)):
        aval = asarray(a).aval
    else:
        aval = a if _only_a_type(a) else any_type(a)
    shape = aval.shape if shape is None else static_shape(shape, name)
    return shape, aval.dtype if dtype is None else dtype_of(dtype, float)


def _only_a_type(a: Any) -> bool:
    """Return whether something has a shape and a dtype, and no numbers, as `ShapeDtypeStruct`."""
    has_type = hasattr(a, "shape") and isinstance(getattr(a, "dtype", None), np.dtype)
    return has_type and not hasattr(a, "__array__")


def zeros_like(
    a: Any,
    dtype: DTypeLike | None = None,
    shape: Any = None,
    *,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Return zeros of the shape and dtype of `a`, unless others are given."""
    if out_sharding is not None:
        raise no_sharding("zeros_like", out_sharding)
    shape, dtype = _like(a, dtype, shape, "zeros_like")
    return _constant(np.zeros, shape, 0, dtype, "zeros_like", device)


def ones_like(
    a: ArrayLike,
    dtype: DTypeLike | None = None,
    shape: Any = None,
    *,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Return ones of the shape and dtype of `a`, unless others are given."""
    if out_sharding is not None:
        raise no_sharding("ones_like", out_sharding)
    shape, dtype = _like(a, dtype, shape, "ones_like")
    return _constant(np.ones, shape, 1, dtype, "ones_like", device)


def empty_like(
    prototype: ArrayLike, dtype: DTypeLike | None = None, shape: Any = None, *, device: Any = None
) -> Any:
    """Return zeros of the shape and dtype of `prototype`; see `empty`."""
    return zeros_like(prototype, dtype, shape, device=device)


def full_like(
    a: Any,
    fill_value: Any,
    dtype: DTypeLike | None = None,
    shape: Any = None,
    *,
    device: Any = None,
    out_sharding: Any = None,
) -> Any:
    """Return an array of the shape and dtype of `a` (unless given), filled with `fill_value`."""
    if out_sharding is not None:
        raise no_sharding("full_like", out_sharding)
    shape, dtype = _like(a, dtype, shape, "full_like")
    return full(shape, fill_value, dtype, device=device)
