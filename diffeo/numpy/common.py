"""What the functions of this package share: checked axes, static sizes, operands as arrays."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np

from ..primitives.array import Array, as_value
from ..primitives.constants import full_like
from ..primitives.core import Tracer, describe, known, state, typeof, with_user_line
from ..primitives.support.errors import ConcretizationTypeError
from ..primitives.support.foreign import array_dtype
from ..primitives.types import SCALARS, default_dtype, float32, is_complex, is_float
from ..primitives.words import elementwise as e
from ..primitives.words.identity import stop_gradient
from ..primitives.words.promotion import broadcast_to, promote, to_value
from ..primitives.words.structural import convert_element_type, reshape


def arr(x: Any) -> Any:
    """An array or tracer from an operand; lists are refused."""
    return as_value(to_value(x))


def same_dtype(*xs: Any) -> list[Any]:
    """Operands as arrays of one dtype, by promotion."""
    values = promote(*xs)
    dtype = next((v.aval.dtype for v in values if type(v) not in SCALARS), None)
    return [
        v
        if type(v) not in SCALARS
        else as_value(v)
        if dtype is None
        else convert_element_type(as_value(v), dtype)
        for v in values
    ]


def host_of(x: Any) -> Any:
    """The NumPy array behind a host Array when evaluation is eager, else None: the short way in."""
    return x._np if type(x) is Array and state.trace.eager else None


#: The dtypes in which NumPy computes as we do.
REALS = frozenset(map(np.dtype, ("f4", "f8")))
NUMBERS = REALS | frozenset(map(np.dtype, ("?", "u1", "i4", "i8")))


def by_numpy(function: Any, *xs: Any, dtypes: Any = REALS) -> Any:
    """NumPy's function of host Arrays of one dtype in eager mode, the short way where it gives what
    ours does; else None.
    """
    if not state.trace.eager:
        return None
    hosts = []
    for x in xs:
        host = x._np if type(x) is Array else None
        if host is None or host.dtype not in dtypes or host.dtype != xs[0]._np.dtype:
            return None
        hosts.append(host)
    try:
        out = function(*hosts)
    except (TypeError, ValueError):
        return None  # the long way explains what is wrong
    weak = all([x.weak_type for x in xs])
    if type(out) is tuple:
        return tuple([Array(v, weak and v.dtype == hosts[0].dtype) for v in out])
    out = np.asarray(out)
    return Array(out, weak and out.dtype == hosts[0].dtype)


def static_int(x: Any, name: str, what: str) -> int:
    """A Python integer; a clear error for tracers and for anything that is no integer."""
    if type(x) is int:
        return x
    if isinstance(x, Tracer) and x.concrete() is None:
        raise with_user_line(
            ConcretizationTypeError(
                f"{name}: {what} must be a known integer, but this is {x.aval}, {x.origin()}: "
                "shapes "
                "are fixed while a program is traced.\n  Mark the argument static with jit's "
                "static_argnums/static_argnames, or compute it from shapes."
            )
        )
    try:
        return operator.index(x)
    except TypeError:
        raise with_user_line(
            TypeError(f"{name}: {what} must be an integer, got {describe(x)}")
        ) from None


def sequence_of(x: Any, name: str, what: str) -> tuple[Any, ...]:
    """The items of a list, a tuple or a vector; TypeError for anything else."""
    vector = getattr(x, "ndim", 0) == 1 and not isinstance(x, (str, bytes))
    if isinstance(x, (tuple, list, range)) or vector:
        return tuple(x)
    raise with_user_line(TypeError(f"{name}: {what} must be a sequence, got {describe(x)}"))


def static_ints(x: Any, name: str, what: str, least: int | None = None) -> tuple[int, ...]:
    """Integers from a list, a tuple or a vector of them; ValueError for one below `least`."""
    found = tuple([static_int(n, name, f"each of {what}") for n in sequence_of(x, name, what)])
    if least is not None and any([n < least for n in found]):
        bound = "positive" if least == 1 else "not negative" if not least else f"{least} or more"
        raise with_user_line(ValueError(f"{name}: {what} must be {bound}, got {found}"))
    return found


def static_shape(shape: Any, name: str) -> tuple[int, ...]:
    """A shape from an integer or a sequence of integers, checked."""
    if isinstance(shape, (tuple, list)) or getattr(shape, "ndim", 0) == 1:
        sizes = tuple([static_int(n, name, "each size of a shape") for n in shape])
    else:
        sizes = (static_int(shape, name, "a shape"),)
    if any([n < 0 for n in sizes]):
        raise with_user_line(ValueError(f"{name}: sizes must not be negative, got shape {sizes}"))
    return sizes


def integers(x: Any, dtype: Any = np.int64) -> Any:
    """Integers in a wide dtype; known ones are converted by NumPy, and so stay known."""
    if type(x) is Array:
        return Array(np.asarray(x).astype(dtype))
    return convert_element_type(x, dtype)


def concrete(x: Any, name: str, instead: str) -> np.ndarray:
    """The NumPy array of a value on which the result's shape depends; an error for a tracer."""
    x = arr(x)
    value = known(x)
    if value is None:
        raise with_user_line(
            ConcretizationTypeError(
                f"{name}: the result's shape depends on the values of {x.aval}, {x.origin()}, "
                "which "
                f"are not known while the program is traced.\n  {instead}"
            )
        )
    return value


def places_of(x: Any, name: str, instead: str) -> tuple[Array, ...]:
    """The places of the elements of a concrete array that are not 0."""
    found = np.nonzero(concrete(x, name, instead))
    return tuple([Array(i.astype(default_dtype(int))) for i in found])


def dtype_of(dtype: Any, kind: type = float) -> np.dtype:
    """The dtype that is meant; the default one of `kind` for None, that of Python's own types."""
    if dtype is None or dtype is float or dtype is int or dtype is complex:
        return default_dtype(kind if dtype is None else dtype)
    try:
        return array_dtype(dtype)
    except TypeError as error:
        raise with_user_line(error, dtype) from None


def axis_of(axis: Any, ndim: int, name: str) -> int:
    """An axis counted from the front; ValueError if there is none such."""
    axis = static_int(axis, name, "an axis")
    if not -ndim <= axis < ndim:
        raise with_user_line(
            ValueError(
                f"{name}: axis {axis} is out of bounds for an array with {ndim} axes"
                + (f"; expected {-ndim} to {ndim - 1}" if ndim else "")
            )
        )
    return axis + ndim if axis < 0 else axis


def is_of_number(axis: Any, ndim: int) -> bool:
    """Whether an axis is the one that a number without axes has in NumPy: 0, or -1."""
    return not ndim and type(axis) is int and axis in (0, -1)


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


def real_only(name: str, x: Any) -> Any:
    """`x`; TypeError, with the user's line, if it is complex."""
    if typeof(x).dtype.kind == "c":
        raise with_user_line(TypeError(f"{name}: expects real numbers, got {describe(x)}"))
    return x


def holds_complex(x: Any) -> bool:
    """Whether an array, traced or not, or a number is complex."""
    return type(x) is complex or getattr(getattr(x, "dtype", None), "kind", "") == "c"


def reaches_beyond(value: Any, low: int, high: int) -> TypeGuard[np.ndarray]:
    """Whether known integers are not all in low .. high - 1."""
    return value is not None and value.size > 0 and not (low <= value.min() and value.max() < high)


def narrow(dtype: np.dtype) -> bool:
    """Whether sums of this dtype are made in float32: float16, bfloat16 and smaller."""
    return is_float(dtype) and dtype.itemsize < float32.itemsize


def rounded(x: Any, bound: Any) -> Any:
    """`x`, whose size is less than `bound`: clamped, which keeps XLA from computing a product and
    the sum that follows without rounding in between, so that a floor or a comparison of the sum
    would come out otherwise than NumPy's.
    """
    if is_complex(x.dtype):
        return x
    bound = stop_gradient(as_value(bound))
    bound = broadcast_to(convert_element_type(bound, x.dtype), x.shape)
    return e.minimum.bind(e.maximum.bind(x, -bound), bound)


def quotient(x: Any, n: float) -> Any:
    """`x / n`, rounded once: XLA multiplies by the reciprocal of what it knows to be constant."""
    return x / e.select(e.eq.bind(x, x), full_like(x, n), math.nan)


def safe_sqrt(x: Any) -> Any:
    """The square root with the gradient 0 at 0, for lengths and deviations."""
    zero = e.eq.bind(x, 0.0)
    return e.select(zero, 0.0, e.sqrt.bind(e.select(zero, 1.0, x)))


def no_out(name: str) -> Exception:
    """The error for NumPy's parameter `out`."""
    return with_user_line(
        TypeError(f"{name}: arrays never change, so `out` cannot be filled; use the result")
    )


def no_such(name: str, parameter: str, value: Any, expected: Sequence[Any]) -> Exception:
    """The error for a parameter with a value that does not exist."""
    return with_user_line(
        ValueError(
            f"{name}: {parameter} must be one of {', '.join(map(repr, expected))}, got {value!r}"
        )
    )
