"""Python's operators on arrays and tracers, with promotion and broadcasting; NumPy's protocols.

Primitives are strict, operators are kind: operands are brought to one dtype and one shape before
they meet. Eager arithmetic on host arrays takes a short way: NumPy broadcasts by itself, so two
arrays of one dtype, or an array and a Python scalar of a kind that the dtype holds, go to the
NumPy function at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from . import elementwise as e
from .array import Array, as_value
from .core import Tracer, Value, describe, state, typeof, with_user_line
from .families import full_like
from .powers import integer_pow
from .structural import BroadcastInDim, convert_element_type
from .types import (
    KIND_RANK,
    SCALARS,
    default_dtype,
    float8_e5m2,
    is_inexact,
    is_integer,
    is_storage,
    promote_types,
    scalar_aval,
)

_FITS = {"f": (float, int), "i": (int,), "u": (int,), "c": (complex, float, int), "b": (bool,)}


def to_value(x: Any) -> Any:
    """Python scalars as they are; anything array-like as an Array or tracer; lists are refused, as
    in JAX.
    """
    if type(x) in SCALARS or isinstance(x, Value):
        return x
    if isinstance(x, (list, tuple)):
        raise with_user_line(
            TypeError(
                f"expected an array or a number, got {describe(x)}; make it an array first: "
                f"dx.numpy.array({type(x).__name__})"
            )
        )
    return as_value(x)


def cast(x: Any, dtype: np.dtype, weak: bool) -> Any:
    """A value in `dtype`; for a Python scalar, the scalar of that kind, checked for overflow."""
    if type(x) not in SCALARS:
        return x if x.aval.dtype == dtype else convert_element_type(x, dtype, weak)
    kind = KIND_RANK.get(dtype.kind, 2)
    if kind == 1 and not np.iinfo(dtype).min <= x <= np.iinfo(dtype).max:
        raise with_user_line(OverflowError(f"the Python integer {x} does not fit into {dtype}"))
    return (bool, int, float, complex)[kind](x)


def promote(*xs: Any) -> list[Any]:
    """Values brought to one dtype by the lattice; Python scalars stay scalars of the kind of that
    dtype.

    Raises:
        TypeError: for operands that are no arrays or have no common dtype.
        OverflowError: for a Python integer that does not fit into the arrays' dtype.
    """
    values = [to_value(x) for x in xs]
    avals = [scalar_aval(type(v)) if type(v) in SCALARS else v.aval for v in values]
    first = avals[0]
    if all([a.dtype is first.dtype and a.weak_type == first.weak_type for a in avals]):
        return values
    dtype, weak = promote_types(*avals)
    return [cast(v, dtype, weak) for v in values]


@lru_cache(maxsize=4096)
def _common_shape(shapes: tuple[tuple[int, ...], ...]) -> tuple[int, ...] | None:
    """The shape to which shapes broadcast, or None."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return None


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape to which shapes broadcast by NumPy's rules; ValueError with the user's line if
    they do not.
    """
    shape = _common_shape(shapes)
    if shape is None:
        listed = " and ".join(map(str, shapes))
        raise with_user_line(
            ValueError(
                f"shapes {listed} do not broadcast: aligned at the right, sizes must be equal or 1"
            )
        )
    return shape


@lru_cache(maxsize=4096)
def _stretching(shape: tuple[int, ...], ndim: int) -> BroadcastInDim:
    """The primitive that stretches an array of `ndim` axes to `shape`."""
    return BroadcastInDim(shape, tuple(range(len(shape) - ndim, len(shape))))


@lru_cache(maxsize=4096)
def _stretches(x: tuple[int, ...], y: tuple[int, ...]) -> list[BroadcastInDim | None]:
    """The primitives that stretch arrays of two shapes to their common one; None if it is that."""
    shape = broadcast_shapes(x, y)
    return [None if own == shape else _stretching(shape, len(own)) for own in (x, y)]


def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """`x` stretched to `shape` by NumPy's rules."""
    own = x.shape
    if own == shape:
        return x
    if broadcast_shapes(own, shape) != shape:
        raise with_user_line(ValueError(f"an array of shape {own} does not broadcast to {shape}"))
    return _stretching(shape, len(own)).bind(x)


def align(*xs: Any) -> list[Any]:
    """Promote and broadcast: the operands that a strict elementwise primitive wants.

    At least one of the results is an array; Python scalars among others stay scalars.
    """
    values = promote(*xs)
    avals = [v.aval for v in values if type(v) not in SCALARS]
    if not avals:
        values[0] = as_value(values[0])
        return values
    if is_storage(avals[0].dtype):
        raise with_user_line(TypeError(f"no arithmetic on {describe(values[0])}: {e.STORAGE}"))
    shapes = [a.shape for a in avals]
    if all([s == shapes[0] for s in shapes]):
        return values
    shape = broadcast_shapes(*shapes)
    return [v if type(v) in SCALARS else broadcast_to(v, shape) for v in values]


def to_inexact(x: Any) -> Any:
    """Integers and booleans as floats of the default dtype (weak ones stay weak)."""
    if type(x) in SCALARS:
        return x if type(x) in (float, complex) else float(x)
    x = to_value(x)
    return (
        x
        if is_inexact(x.aval.dtype)
        else convert_element_type(x, default_dtype(float), x.aval.weak_type)
    )


def align_inexact(*xs: Any) -> list[Any]:
    """Promote and broadcast, then integers become floats: an int64 with a float32 is a float32."""
    return [to_inexact(v) for v in align(*xs)]


def unary(primitive: Any, inexact: bool = False) -> Callable[[Any], Any]:
    """A kind function of one array from a primitive; `inexact`: integers become floats first."""
    impl, kinds = primitive.impl, "fc" if inexact else "iufc"
    kinds = "".join([k for k in kinds if k in primitive.accepts])
    bind = primitive.bind

    def function(x: Any, /) -> Any:
        if type(x) is Array and state.trace.eager:
            host = x._np
            if host is not None and host.dtype.kind in kinds and host.dtype is not float8_e5m2:
                return Array(impl(host), x.weak_type)
        elif isinstance(x, Value) and x.aval.dtype.kind in kinds:
            return state.trace.process(primitive, (x,))  # `bind`, written out for speed
        x = to_value(x)
        if inexact:
            x = to_inexact(x)
        return bind(as_value(x) if type(x) in SCALARS else x)

    function.__name__ = function.__qualname__ = primitive.name
    return function


def binary(
    primitive: Any, inexact: bool = False, kinds: str | None = None
) -> Callable[[Any, Any], Any]:
    """A kind function of two arrays from a primitive; `inexact`: integers become floats first."""
    impl, bind = primitive.impl, primitive.bind
    keeps = primitive.result is None
    fits = {k: _FITS[k] for k in (kinds or ("fc" if inexact else "iufc")) if k in primitive.accepts}

    def function(x: Any, y: Any, /) -> Any:
        kx, ky = type(x), type(y)
        try:
            if kx is Array and state.trace.eager:
                a = x._np
                if a is not None and a.dtype is not float8_e5m2:
                    if ky is Array:
                        b = y._np
                        if b is not None and a.dtype is b.dtype and a.dtype.kind in fits:
                            return Array(impl(a, b), keeps and x.weak_type and y.weak_type)
                    elif ky in SCALARS and ky in fits.get(a.dtype.kind, ()):
                        return Array(impl(a, y), keeps and x.weak_type)
            elif kx in SCALARS and ky is Array and state.trace.eager:
                b = y._np
                if (
                    b is not None
                    and kx in fits.get(b.dtype.kind, ())
                    and b.dtype is not float8_e5m2
                ):
                    return Array(impl(x, b), keeps and y.weak_type)
        except (ValueError, OverflowError):
            pass  # the long way says what is wrong, and on which line
        # Tracers of one dtype, or a tracer and a float, need no promotion either.
        if isinstance(x, Value):
            aval = x.aval
            kind = aval.dtype.kind
            if kind in fits and aval.dtype is not float8_e5m2:
                if isinstance(y, Value):
                    other = y.aval
                    if other is aval:
                        return state.trace.process(primitive, (x, y))  # `bind`, written out
                    if other.dtype is aval.dtype:
                        left, right = _stretches(aval.shape, other.shape)
                        x = x if left is None else left.bind(x)
                        return bind(x, y if right is None else right.bind(y))
                elif ky is float and kind == "f":
                    return bind(x, y)
        elif kx is float and isinstance(y, Value) and y.aval.dtype.kind == "f" and "f" in fits:
            return bind(x, y)
        return bind(*(align_inexact(x, y) if inexact else align(x, y)))

    function.__name__ = function.__qualname__ = primitive.name
    return function


add, sub, mul = binary(e.add, kinds="biufc"), binary(e.sub), binary(e.mul, kinds="biufc")
true_divide = binary(e.div, inexact=True)
equal, not_equal = binary(e.eq, kinds="biufc"), binary(e.ne, kinds="biufc")
less, less_equal = binary(e.lt, kinds="biuf"), binary(e.le, kinds="biuf")
greater, greater_equal = binary(e.gt, kinds="biuf"), binary(e.ge, kinds="biuf")
bitwise_and = binary(e.logical_and, kinds="biu")
bitwise_or = binary(e.logical_or, kinds="biu")
bitwise_xor = binary(e.logical_xor, kinds="biu")
left_shift, right_shift_signed = (
    binary(e.shift_left, kinds="iu"),
    binary(e.shift_right_arithmetic, kinds="i"),
)
right_shift_unsigned = binary(e.shift_right_logical, kinds="u")
negative, absolute = unary(e.neg), unary(e.absolute)
invert = unary(e.logical_not)


def right_shift(x: Any, y: Any, /) -> Any:
    """`x >> y`: arithmetic for signed integers, logical for unsigned ones."""
    if isinstance(x, Value) and isinstance(y, Value) and x.dtype is y.dtype:
        signed = x.dtype.kind == "i"
    else:
        signed = promote_types(typeof(x), typeof(y))[0].kind == "i"
    return right_shift_signed(x, y) if signed else right_shift_unsigned(x, y)


def floor_divide(x: Any, y: Any, /) -> Any:
    """`x // y`: the quotient rounded down."""
    x, y = align(x, y)
    q = e.div.bind(x, y)
    if is_integer(q.dtype):
        away = (e.rem.bind(x, y) != 0) & (less(x, 0) != less(y, 0))
        return e.select(away, q - 1, q)
    return e.floor.bind(q)


def remainder(x: Any, y: Any, /) -> Any:
    """`x % y`: with the sign of `y`, as in Python."""
    x, y = align(x, y)
    r = e.rem.bind(x, y)
    return e.select((r != 0) & (less(r, 0) != less(y, 0)), r + y, r)


_float_power = binary(e.power, kinds="fc")


def power(x: Any, y: Any, /) -> Any:
    """`x ** y`. A static whole exponent is repeated multiplication: exact, and differentiable at 0
    to any order.
    """
    if type(x) is Array and type(y) is Array and x.dtype.kind == y.dtype.kind == "f":
        return _float_power(x, y)
    x = to_value(x)
    whole = (
        type(y) in (int, float) and y == int(y)
        if type(y) is int or (type(y) is float and np.isfinite(y))
        else False
    )
    if whole and abs(y) <= 1024 and type(x) not in SCALARS:
        if type(y) is float:
            x = to_inexact(x)
        if is_inexact(x.aval.dtype) or (y >= 0 and type(y) is int and x.aval.dtype.kind in "iu"):
            return integer_pow(x, int(y))
    x, y = align(x, y)
    dtype = typeof(x if type(x) not in SCALARS else y).dtype
    if is_integer(dtype):
        return _integer_power(x, y)
    if not is_inexact(dtype):
        x, y = to_inexact(x), to_inexact(y)
    return e.power.bind(x, y)


def _integer_power(x: Any, y: Any) -> Any:
    """Integers to integers: square and multiply over the 6 bits that an exponent below 64 has."""
    x, y = (as_value(v) if type(v) in SCALARS else v for v in (x, y))
    shape = broadcast_shapes(x.shape, y.shape)
    dtype = promote_types(x.aval, y.aval)[0]
    x, y = (broadcast_to(convert_element_type(v, dtype), shape) for v in (x, y))
    result = full_like(x, 1)
    for bit in range(6):
        odd = ((y >> bit) & 1) == 1
        result = e.select(odd, result * x, result)
        x = x * x
    return result


def matmul(x: Any, y: Any, /) -> Any:
    """`x @ y`, installed by diffeo.numpy."""
    return NUMPY[np.matmul](x, y)


# --------------------------------------------------------------------------------------------------
# Installation: operators are given to `Value`, so that arrays and tracers have them



class _Functions(dict[Any, Any]):
    """NumPy's function -> ours, or None. Each is found when it is first asked for."""

    #: Installed by diffeo.numpy.
    find: Callable[[Any], Any]

    def __missing__(self, function: Any) -> Any:
        found = self.find(function)
        if found is not None:
            self[function] = found
        return found


#: Plain NumPy code on arrays and tracers goes through it.
NUMPY = _Functions()

_OPERANDS = (Value, float, int, np.ndarray, np.generic, complex)  # the likely ones first


def _operator(function: Callable, reflected: bool = False) -> Callable:
    def method(self: Any, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return function(other, self) if reflected else function(self, other)
        return NotImplemented

    method.__name__ = function.__name__
    return method


def _install() -> None:
    table = {
        "add": add,
        "sub": sub,
        "mul": mul,
        "truediv": true_divide,
        "floordiv": floor_divide,
        "mod": remainder,
        "pow": power,
        "matmul": matmul,
        "and": bitwise_and,
        "or": bitwise_or,
        "xor": bitwise_xor,
        "lshift": left_shift,
        "rshift": right_shift,
    }
    for name, function in table.items():
        setattr(Value, f"__{name}__", _operator(function))
        setattr(Value, f"__r{name}__", _operator(function, True))
    compare = {
        "eq": equal,
        "ne": not_equal,
        "lt": less,
        "le": less_equal,
        "gt": greater,
        "ge": greater_equal,
    }
    for name, function in compare.items():
        setattr(Value, f"__{name}__", _operator(function))
    methods = {
        "divmod": lambda x, y: (floor_divide(x, y), remainder(x, y)),
        "neg": lambda x: negative(x),
        "pos": lambda x: x,
        "abs": lambda x: absolute(x),
        "invert": lambda x: invert(x),
        "array_ufunc": _array_ufunc,
        "array_function": _array_function,
    }
    for name, function in methods.items():
        setattr(Value, f"__{name}__", function)


def _array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    function = ufunc if method == "__call__" else getattr(ufunc, method)
    if kwargs.get("out") is not None and any(o is not None for o in kwargs["out"]):
        raise with_user_line(
            TypeError(
                f"np.{ufunc.__name__} cannot write into an array (out=, or an in-place operator "
                "on a NumPy array) when an "
                "operand is a diffeo value; assign the result instead"
            )
        )
    kwargs.pop("out", None)
    return _dispatch(
        function,
        f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}"),
        getattr(ufunc, method),
        inputs,
        kwargs,
    )


def _array_function(self: Any, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    name = f"{(function.__module__ or 'np').replace('numpy', 'np', 1)}.{function.__name__}"
    return _dispatch(function, name, function, args, kwargs)


def _dispatch(function: Any, name: str, original: Callable, args: Any, kwargs: Any) -> Any:
    """Our function for NumPy's; without one, NumPy's own on concrete arrays, an error on
    tracers.
    """
    ours = NUMPY[function]
    if ours is not None:
        return ours(*args, **kwargs)
    if _has_tracer(args) or _has_tracer(tuple(kwargs.values())):
        raise with_user_line(
            TypeError(
                f"{name} is not supported on a traced value: diffeo.numpy has no such function. "
                "Write it with functions that "
                "diffeo.numpy has, or compute it outside of the transformation"
            )
        )
    return original(*_to_numpy(args), **{k: _to_numpy(v) for k, v in kwargs.items()})


def _has_tracer(x: Any) -> bool:
    return isinstance(x, Tracer) or (
        isinstance(x, (list, tuple)) and any([_has_tracer(i) for i in x])
    )


def _to_numpy(x: Any) -> Any:
    if isinstance(x, Array):
        return np.asarray(x)
    return type(x)([_to_numpy(i) for i in x]) if type(x) in (list, tuple) else x


_install()
