"""Helpers that the functions of `diffeo.numpy` share: operands as arrays, checked axes and sizes.

Words that this package uses:

- A *host Array* is an `Array` whose numbers are a NumPy array in memory (its `_np` is not None).
- A *known* value has numbers now: an Array, or a tracer that holds one. `known(x)` returns them.
  A traced value without numbers is not known, so no shape may depend on it.
- *Eager* evaluation computes at once, outside of every transformation.
- The *short way* computes eagerly with NumPy, without binding a primitive, where NumPy returns what
  the primitive would return. The *long way* binds primitives and raises the errors that explain.

Start with `arr` and `same_dtype` for operands, and `axis_of` and `static_int` for arguments.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import numpy as np

from ..operations.identity import stop_gradient
from ..primitives.array import Array, as_value, known
from ..primitives.constants import full_like
from ..primitives.core import Tracer, Value, describe, state, typeof, with_user_line
from ..primitives.support.errors import ConcretizationTypeError
from ..primitives.support.foreign import array_dtype, taken_in
from ..primitives.types import SCALARS, default_dtype, float32, is_complex, is_float
from ..primitives.words import elementwise as e
from ..primitives.words.promotion import broadcast_to, promote, to_value
from ..primitives.words.structural import convert_element_type, reshape
from ..typing import ArrayLike, DTypeLike


def arr(x: Any) -> Any:
    """Return an operand as an Array or a tracer.

    Raises:
        TypeError: for lists and tuples, and for anything else that is no array and no number.
    """
    return as_value(to_value(x))


def any_type(x: Any) -> Any:
    """Return the type of an array, also of another library's, or of a number."""
    return x.aval if isinstance(x, Value) else typeof(taken_in(x))


def same_dtype(*xs: Any) -> list[Any]:
    """Return operands as arrays or tracers of one dtype, by promotion."""
    values = promote(*xs)
    # `promote` leaves Python numbers as they are: they take the dtype of the first array.
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
    """Return the NumPy array of a host Array in eager evaluation, else None.

    Functions ask this first: with NumPy arrays they may take the short way.
    """
    return x._np if type(x) is Array and state.trace.eager else None


#: The real floating-point dtypes in which NumPy computes as diffeo does.
REALS = frozenset(map(np.dtype, ("f4", "f8")))
#: The same with booleans and some integers.
NUMBERS = REALS | frozenset(map(np.dtype, ("?", "u1", "i4", "i8")))


def by_numpy(function: Callable, *xs: Any, dtypes: frozenset[np.dtype] = REALS) -> Any:
    """Apply a function of NumPy to host Arrays of one dtype, in eager evaluation; else return None.

    None tells the caller to take the long way. The caller answers for it that `function` computes
    on `dtypes` what the long way does. A tuple of results gives a tuple of Arrays.
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
    # A result is weakly typed if all operands are and the dtype has not changed (to bool, say).
    weak = all([x.weak_type for x in xs])
    if type(out) is tuple:
        return tuple([Array(v, weak and v.dtype == hosts[0].dtype) for v in out])
    out = np.asarray(out)
    return Array(out, weak and out.dtype == hosts[0].dtype)


def static_int(x: Any, name: str, what: str) -> int:
    """Return `x` as a Python integer.

    Args:
        x: An integer of any kind, or a tracer whose number is known.
        name: The function that the user called, for messages.
        what: What the integer is for, for messages: "an axis", say.

    Raises:
        ConcretizationTypeError: for a tracer without a number.
        TypeError: for anything that is no integer.
    """
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
    """Return the items of a list, a tuple, a range or a vector; TypeError for anything else."""
    vector = getattr(x, "ndim", 0) == 1 and not isinstance(x, (str, bytes))
    if isinstance(x, (tuple, list, range)) or vector:
        return tuple(x)
    raise with_user_line(TypeError(f"{name}: {what} must be a sequence, got {describe(x)}"))


def static_ints(x: Any, name: str, what: str, least: int | None = None) -> tuple[int, ...]:
    """Return the integers of a list, a tuple or a vector; ValueError for one below `least`."""
    numbers = tuple([static_int(n, name, f"each of {what}") for n in sequence_of(x, name, what)])
    if least is not None and any([n < least for n in numbers]):
        bound = "positive" if least == 1 else "not negative" if not least else f"{least} or more"
        raise with_user_line(ValueError(f"{name}: {what} must be {bound}, got {numbers}"))
    return numbers


def static_shape(shape: Any, name: str) -> tuple[int, ...]:
    """Return the shape of an integer or a sequence of integers; ValueError for negative sizes."""
    if isinstance(shape, (tuple, list)) or getattr(shape, "ndim", 0) == 1:
        sizes = tuple([static_int(n, name, "each size of a shape") for n in shape])
    else:
        sizes = (static_int(shape, name, "a shape"),)
    if any([n < 0 for n in sizes]):
        raise with_user_line(ValueError(f"{name}: sizes must not be negative, got shape {sizes}"))
    return sizes


def integers(x: Value, dtype: DTypeLike = np.int64) -> Any:
    """Convert integers to a wide dtype."""
    # Under a trace, a bound conversion might return a tracer: NumPy's returns an Array, so that
    # indices that are known stay known.
    if type(x) is Array:
        return Array(np.asarray(x).astype(dtype))
    return convert_element_type(x, dtype)


def concrete(x: Any, name: str, instead: str) -> np.ndarray:
    """Return the NumPy array of a value on which the shape of a result depends.

    Raises:
        ConcretizationTypeError: for a tracer without numbers; `instead` says what to write.
    """
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
    """Return the positions of the elements of a known array that are not 0, an array for each axis.

    `[[0, 5], [6, 0]]` gives `[0, 1]` (the rows) and `[1, 0]` (the columns).
    """
    positions = np.nonzero(concrete(x, name, instead))
    return tuple([Array(i.astype(default_dtype(int))) for i in positions])


def dtype_of(dtype: DTypeLike | None, kind: type = float) -> np.dtype:
    """Return the dtype that an argument `dtype` names.

    None stands for the default dtype of `kind`; Python's float, int and complex for their own
    default dtypes.
    """
    if dtype is None or dtype is float or dtype is int or dtype is complex:
        return default_dtype(kind if dtype is None else dtype)
    try:
        return array_dtype(dtype)
    except TypeError as error:
        raise with_user_line(error, dtype) from None


def axis_of(axis: Any, ndim: int, name: str) -> int:
    """Return an axis counted from the front: -1 of 3 axes is 2. ValueError if it does not exist."""
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
    """Whether `axis` is 0 or -1 of an array without axes, which NumPy's reductions accept."""
    return not ndim and type(axis) is int and axis in (0, -1)


def axes_of(axis: Any, ndim: int, name: str) -> tuple[int, ...]:
    """Return axes counted from the front, in the order in which they are given; None means all.

    Raises:
        ValueError: for an axis that does not exist, or that is given twice.
    """
    if axis is None:
        return tuple(range(ndim))
    if not isinstance(axis, (tuple, list, range)):
        return (axis_of(axis, ndim, name),)
    axes = tuple([axis_of(a, ndim, name) for a in axis])
    if len(set(axes)) != len(axes):
        raise with_user_line(ValueError(f"{name}: an axis is given twice in {axis}"))
    return axes


def keep_axes(out: Value, shape: Sequence[int], axes: Sequence[int]) -> Any:
    """Put the axes that a reduction removed back with size 1: `keepdims=True`.

    `shape` is the shape before the reduction. (2, 3, 4) reduced over axis 1 gives (2, 1, 4).
    """
    return reshape(out, tuple([1 if i in axes else n for i, n in enumerate(shape)]))


def to_bool(x: Any) -> Any:
    """Return an array of booleans: `x != 0`."""
    x = arr(x)
    return x if x.aval.dtype == np.bool_ else convert_element_type(x, np.bool_)


def is_nan(x: Value) -> Any:
    """Return where an array is nan; False everywhere for integers."""
    # Only nan differs from itself.
    return e.ne.bind(x, x)


def holds_floats(x: Value) -> bool:
    """Whether an array has a floating-point or complex dtype."""
    return is_float(x.aval.dtype) or is_complex(x.aval.dtype)


def real_only(name: str, x: ArrayLike) -> Any:
    """Return `x` unchanged; TypeError, with the user's line, if it is complex."""
    if typeof(x).dtype.kind == "c":
        raise with_user_line(TypeError(f"{name}: expects real numbers, got {describe(x)}"))
    return x


def holds_complex(x: Any) -> bool:
    """Whether an array, traced or not, or a number is complex."""
    return type(x) is complex or getattr(getattr(x, "dtype", None), "kind", "") == "c"


def reaches_beyond(value: Any, low: int, high: int) -> TypeGuard[np.ndarray]:
    """Whether integers are known and one of them lies outside of low .. high - 1."""
    return value is not None and value.size > 0 and not (low <= value.min() and value.max() < high)


def narrow(dtype: np.dtype) -> bool:
    """Whether sums of this dtype are computed in float32: float16, bfloat16 and smaller floats."""
    return is_float(dtype) and dtype.itemsize < float32.itemsize


def rounded(x: Any, bound: Any) -> Any:
    """Clamp `x` to -bound .. bound, which changes nothing: its size is less than `bound`.

    The clamp stands between a product and a sum that follows. Without it, XLA may compute both
    together and round only once. A floor or a comparison of the sum would then differ from
    NumPy's. Complex numbers are returned as they are.
    """
    if is_complex(x.dtype):
        return x
    bound = stop_gradient(as_value(bound))
    bound = broadcast_to(convert_element_type(bound, x.dtype), x.shape)
    return e.minimum.bind(e.maximum.bind(x, -bound), bound)


def quotient(x: Any, n: float) -> Any:
    """Compute `x / n`, rounded once."""
    # XLA turns a division by a constant into a product with its reciprocal, which rounds twice.
    # The divisor depends on `x`, so XLA takes it for no constant. It is nan where `x` is nan.
    return x / e.select(e.eq.bind(x, x), full_like(x, n), math.nan)


def safe_sqrt(x: Value) -> Any:
    """Compute the square root with the gradient 0 at 0, for lengths and deviations."""
    # The inner choice keeps 0 out of `sqrt`, whose derivative there is infinite. The outer one
    # puts 0 back, a constant without derivative.
    zero = e.eq.bind(x, 0.0)
    return e.select(zero, 0.0, e.sqrt.bind(e.select(zero, 1.0, x)))


def no_out(name: str) -> Exception:
    """Return the error for NumPy's parameter `out`."""
    return with_user_line(
        TypeError(f"{name}: arrays never change, so `out` cannot be filled; use the result")
    )


def no_sharding(name: str, sharding: Any, parameter: str = "out_sharding") -> Exception:
    """Return the error for a parameter that says how a result is spread over devices."""
    return with_user_line(
        NotImplementedError(
            f"{name}: {parameter} must be None, got {describe(sharding)}: arrays are on one device "
            "each; dx.device_put puts them there"
        )
    )


def no_such(name: str, parameter: str, value: Any, expected: Sequence[Any]) -> Exception:
    """Return the error for a parameter whose value is none of the expected ones."""
    return with_user_line(
        ValueError(
            f"{name}: {parameter} must be one of {', '.join(map(repr, expected))}, got {value!r}"
        )
    )
