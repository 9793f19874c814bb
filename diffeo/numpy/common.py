"""What the functions of this package share: checked axes, static sizes, operands as arrays."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.array import Array, as_value
from ..primitives.core import Tracer, describe, state, with_user_line
from ..primitives.errors import ConcretizationTypeError
from ..primitives.operators import promote, to_value
from ..primitives.structural import convert_element_type, reshape
from ..primitives.types import SCALARS, default_dtype, float32, is_complex, is_float


def arr(x: Any) -> Any:
    """An array or tracer from an operand; lists are refused."""
    return as_value(to_value(x))


def same_dtype(*xs: Any) -> list[Any]:
    """Operands as arrays of one dtype, by promotion."""
    values = promote(*xs)
    dtype = next((v.aval.dtype for v in values if type(v) not in SCALARS), None)
    return [v if type(v) not in SCALARS else as_value(v) if dtype is None
            else convert_element_type(as_value(v), dtype) for v in values]


def host_of(x: Any) -> Any:
    """The NumPy array behind a host Array when evaluation is eager, else None: the short way in."""
    return x._np if type(x) is Array and state.trace.eager else None


def static_int(x: Any, name: str, what: str) -> int:
    """A Python integer; a clear error for tracers and for anything that is no integer."""
    if type(x) is int:
        return x
    if isinstance(x, Tracer) and x.concrete() is None:
        raise with_user_line(ConcretizationTypeError(
            f"{name}: {what} must be a known integer, but this is {x.aval}, {x.origin()}: shapes "
            "are fixed while a program is traced.\n  Mark the argument static with jit's "
            "static_argnums/static_argnames, or compute it from shapes."))
    try:
        return operator.index(x)
    except TypeError:
        raise with_user_line(
            TypeError(f"{name}: {what} must be an integer, got {describe(x)}")) from None


def static_shape(shape: Any, name: str) -> tuple[int, ...]:
    """A shape from an integer or a sequence of integers, checked."""
    if isinstance(shape, (tuple, list)) or getattr(shape, "ndim", 0) == 1:
        sizes = tuple([static_int(n, name, "each size of a shape") for n in shape])
    else:
        sizes = (static_int(shape, name, "a shape"),)
    if any([n < 0 for n in sizes]):
        raise with_user_line(ValueError(f"{name}: sizes must not be negative, got shape {sizes}"))
    return sizes


def known(x: Any) -> Any:
    """The NumPy array of a concrete value, None for a tracer without numbers."""
    x = x.concrete() if isinstance(x, Tracer) else x
    return None if x is None else np.asarray(x)


def concrete(x: Any, name: str, instead: str) -> np.ndarray:
    """The NumPy array of a value on which the result's shape depends; an error for a tracer."""
    x = arr(x)
    value = known(x)
    if value is None:
        raise with_user_line(ConcretizationTypeError(
            f"{name}: the result's shape depends on the values of {x.aval}, {x.origin()}, which "
            f"are not known while the program is traced.\n  {instead}"))
    return value


def places_of(x: Any, name: str, instead: str) -> tuple[Array, ...]:
    """The places of the elements of a concrete array that are not 0."""
    found = np.nonzero(concrete(x, name, instead))
    return tuple([Array(i.astype(default_dtype(int))) for i in found])


def dtype_of(dtype: Any, kind: type = float) -> np.dtype:
    """The dtype that is meant; the default one of `kind` for None, that of Python's own types."""
    if dtype is None or dtype is float or dtype is int or dtype is complex:
        return default_dtype(kind if dtype is None else dtype)
    return np.dtype(dtype)


def axis_of(axis: Any, ndim: int, name: str) -> int:
    """An axis counted from the front; ValueError if there is none such."""
    axis = static_int(axis, name, "an axis")
    if not -ndim <= axis < ndim:
        raise with_user_line(ValueError(
            f"{name}: axis {axis} is out of bounds for an array with {ndim} axes"
            + (f"; expected {-ndim} to {ndim - 1}" if ndim else "")))
    return axis + ndim if axis < 0 else axis


def axes_of(axis: Any, ndim: int, name: str) -> tuple[int, ...]:
    """Distinct axes counted from the front; None means all."""
    if axis is None:
        return tuple(range(ndim))
    if not isinstance(axis, (tuple, list)):
        return (axis_of(axis, ndim, name),)
    axes = tuple([axis_of(a, ndim, name) for a in axis])
    if len(set(axes)) != len(axes):
        raise with_user_line(ValueError(f"{name}: an axis is given twice in {axis}"))
    return axes


def keep_axes(out: Any, shape: Sequence[int], axes: Sequence[int]) -> Any:
    """A reduction's result with its axes put back with size 1."""
    return reshape(out, tuple([1 if i in axes else n for i, n in enumerate(shape)]))


def to_bool(x: Any) -> Any:
    """An array as booleans: `x != 0`."""
    x = arr(x)
    return x if x.aval.dtype == np.bool_ else convert_element_type(x, np.bool_)


def is_nan(x: Any) -> Any:
    """Where an array is nan; False everywhere for integers."""
    return e.ne.bind(x, x)


def holds_floats(x: Any) -> bool:
    """Whether an array has a floating-point or complex dtype."""
    return is_float(x.aval.dtype) or is_complex(x.aval.dtype)


def narrow(dtype: np.dtype) -> bool:
    """Whether sums of this dtype are made in float32: float16, bfloat16 and smaller."""
    return is_float(dtype) and dtype.itemsize < float32.itemsize


def safe_sqrt(x: Any) -> Any:
    """The square root with the gradient 0 at 0, for lengths and deviations."""
    zero = e.eq.bind(x, 0.0)
    return e.select(zero, 0.0, e.sqrt.bind(e.select(zero, 1.0, x)))


def no_out(name: str) -> Exception:
    """The error for NumPy's parameter `out`."""
    return with_user_line(TypeError(
        f"{name}: arrays never change, so `out` cannot be filled; use the result"))


def no_such(name: str, parameter: str, value: Any, expected: Sequence[Any]) -> Exception:
    """The error for a parameter with a value that does not exist."""
    return with_user_line(ValueError(
        f"{name}: {parameter} must be one of {', '.join(map(repr, expected))}, got {value!r}"))
