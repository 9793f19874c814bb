"""Python's operators on arrays and tracers.

Primitives are strict, operators are kind: operands are brought to one dtype and one shape before
they meet (`promotion.py`). Eager arithmetic on host arrays takes a short way: NumPy broadcasts by
itself, so two arrays of one dtype, or an array and a Python scalar of a kind that the dtype holds,
go to the NumPy function at once.

The first part makes the functions, by `unary` and `binary`. The second installs them as methods of
`Value`. NumPy's protocols, by which NumPy's functions meet our values, are in `numpy/plain/`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..array import Array, as_value
from ..core import Primitive, Tracer, Value, describe, state, typeof, with_user_line
from ..support.foreign import taken_in
from ..support.settings import process
from ..types import SCALARS, float8_e5m2, is_inexact, is_integer, promote_types
from . import division as d
from . import elementwise as e
from .powers import WHOLE, check_exponent, integer_pow
from .promotion import (
    align,
    align_compared,
    align_inexact,
    align_numbers,
    cast,
    checked_stretches,
    stretches,
    to_inexact,
    to_value,
)

#: For the kind of a dtype, the Python scalars that go to NumPy as they are.
_FITS = {"f": (float, int), "i": (int,), "u": (int,), "c": (complex, float, int), "b": (bool,)}


def unary(primitive: Primitive, inexact: bool = False) -> Callable[..., Any]:
    """Return a kind function of one array, made from a primitive.

    Args:
        primitive: a row of the elementwise table.
        inexact: whether integers become floats first.
    """
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
    primitive: Any,
    inexact: bool = False,
    kinds: str | None = None,
    prepare: Callable[..., list[Any]] | None = None,
    impl: Callable | None = None,
) -> Callable[..., Any]:
    """Return a kind function of two arrays, made from a primitive.

    Args:
        primitive: a row of the elementwise table.
        inexact: whether integers become floats first.
        kinds: the letters of the kinds of dtypes for which the short ways are right.
        prepare: brings operands to what the primitive needs, where they are not so yet; by default
            `align`, or `align_inexact`.
        impl: the primitive's `impl` for numbers.
    """
    prepare = prepare or (align_inexact if inexact else align)
    compute: Any = impl or primitive.impl
    bind = primitive.bind
    keeps = primitive.result is None
    fits = {k: _FITS[k] for k in (kinds or ("fc" if inexact else "iufc")) if k in primitive.accepts}

    # float8_e5m2 takes no short way: NumPy's letter for it is "f", but it is not computed with
    # (see `is_storage`).
    def function(x: Any, y: Any, /, out: Any = None, where: Any = None) -> Any:
        if out is not None or where is not None:
            raise NUMPY.not_honoured(function, out)
        kx, ky = type(x), type(y)
        try:
            if kx is Array and state.trace.eager:
                a = x._np
                if a is not None and a.dtype is not float8_e5m2:
                    if ky is Array:
                        b = y._np
                        if b is not None and a.dtype is b.dtype and a.dtype.kind in fits:
                            return Array(compute(a, b), keeps and x.weak_type and y.weak_type)
                    elif ky in SCALARS and ky in fits.get(a.dtype.kind, ()):
                        return Array(compute(a, y), keeps and x.weak_type)
            elif kx in SCALARS and ky is Array and state.trace.eager:
                b: Any = y._np
                usual = b is not None and b.dtype is not float8_e5m2
                if usual and kx in fits.get(b.dtype.kind, ()):  # type: ignore[union-attr]
                    return Array(compute(x, b), keeps and y.weak_type)
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
                        stretched = checked_stretches if process.ranks else stretches
                        left, right = stretched(aval.shape, other.shape)
                        x = x if left is None else left.bind(x)
                        return bind(x, y if right is None else right.bind(y))
                elif ky is float and kind == "f":
                    return bind(x, y)
        elif kx is float and isinstance(y, Value) and "f" in fits:
            dtype = y.aval.dtype
            if dtype.kind == "f" and dtype is not float8_e5m2:
                return bind(x, y)
        return bind(*prepare(x, y))

    function.__name__ = function.__qualname__ = primitive.name
    return function


add, sub, mul = binary(e.add, kinds="biufc"), binary(e.sub), binary(e.mul, kinds="biufc")
true_divide = binary(e.div, inexact=True)
equal, not_equal = (
    binary(row, kinds="biufc", prepare=align_compared, impl=ufunc)
    for row, ufunc in ((e.eq, np.equal), (e.ne, np.not_equal))
)
less, less_equal, greater, greater_equal = (
    binary(row, kinds="biufc", prepare=align_compared) for row in (e.lt, e.le, e.gt, e.ge)
)
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


def positive(x: Any, /) -> Any:
    """Return `+x`, the numbers themselves; booleans have no sign."""
    x = x if isinstance(x, Value) else as_value(x)
    if x.dtype.kind == "b":
        raise with_user_line(
            TypeError(f"positive: expects numbers, got {describe(x)}; astype(int) makes them so")
        )
    return x


def right_shift(x: Any, y: int, /) -> Any:
    """Return `x >> y`: arithmetic for signed integers, logical for unsigned ones."""
    if isinstance(x, Value) and isinstance(y, Value) and x.dtype is y.dtype:
        signed = x.dtype.kind == "i"
    else:
        signed = promote_types(typeof(x), typeof(y))[0].kind == "i"
    return right_shift_signed(x, y) if signed else right_shift_unsigned(x, y)


floor_divide, remainder, fmod = (
    binary(row, kinds="iuf", prepare=align_numbers) for row in (d.floor_div, d.mod, d.fmod)
)


def divide_whole(x: Any, y: Any, /) -> tuple[Any, Any]:
    """Return `(x // y, x % y)`."""
    return floor_divide(x, y), remainder(x, y)


_float_power = binary(e.power, kinds="fc")


def power(x: Any, y: Any, /) -> Any:
    """Return `x ** y`. A static whole exponent is exact of integers, and differentiable at 0 to any
    order.
    """
    if type(x) is Array and type(y) is Array and x.dtype.kind == y.dtype.kind == "f":
        return _float_power(x, y)
    kind = type(y)
    x = to_value(x)
    if (kind is int or (isinstance(y, float) and y.is_integer())) and type(x) not in SCALARS:
        if kind is float:
            x = to_inexact(x)
        dtype = x.aval.dtype
        if is_inexact(dtype):
            if -WHOLE <= y <= WHOLE:
                return integer_pow(x, int(y))
        elif is_integer(dtype):
            check_exponent(y)
            return integer_pow(x, cast(y, dtype, False))
    y = to_value(y)
    if typeof(x).dtype.kind in "biu":
        if type(y) is int:
            check_exponent(y)
        elif type(y) is Array and y.dtype.kind == "i" and y.size and not state.trace.eager:
            check_exponent(np.asarray(y).min())
    return e.power.bind(*align_numbers(x, y))


def matmul(x: Any, y: Any, /) -> Any:
    """Return `x @ y`, by the function that diffeo.numpy has installed."""
    return NUMPY[np.matmul](x, y)


# --------------------------------------------------------------------------------------------------
# Installation: operators are given to `Value`, so that arrays and tracers have them


class _Functions(dict[Any, Any]):
    """The table of NumPy's functions -> ours, or None. Each is found when it is first asked for."""

    #: Installed by diffeo.numpy.
    find: Callable[[Any], Any]
    not_honoured: Callable[..., Exception]

    def __missing__(self, function: Any) -> Any:
        ours = self.find(function)
        if ours is not None:
            self[function] = ours
        return ours


#: Plain NumPy code on traced values goes through this table.
NUMPY = _Functions()

#: What operators take as the other operand, the likely ones first.
_OPERANDS = (Value, float, int, np.ndarray, np.generic, complex)


def _operator(function: Callable, reflected: bool = False) -> Callable:
    """Return the method of an operator; `reflected` for `__radd__` and its like."""

    def method(self: Value, other: Any) -> Any:
        if isinstance(other, _OPERANDS) or (other := _operand(self, other)) is not NotImplemented:
            return function(other, self) if reflected else function(self, other)
        return NotImplemented

    method.__name__ = function.__name__
    return method


def _operand(self: Value, other: Any) -> Any:
    """Return the array of another library as an operand; NotImplemented for what is none.

    A class that treats NumPy's functions itself (a column of pandas') also treats our arrays, and
    says what the result is. It knows nothing of traced values.
    """
    if not isinstance(self, Tracer) and hasattr(type(other), "__array_ufunc__"):
        return NotImplemented
    taken = taken_in(other)
    return NotImplemented if taken is other else taken


def _equality(function: Callable) -> Callable:
    """Return the method of `==` or `!=`.

    It refuses lists and other things that hold numbers: Python's answer for what is not compared,
    False, would pass for a comparison with the numbers.
    """

    def method(self: Value, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return function(self, other)
        taken = _operand(self, other)
        if taken is not NotImplemented:
            return function(self, taken)
        if isinstance(other, (list, tuple)):
            raise with_user_line(
                TypeError(
                    f"expected an array or a number to compare with, got {describe(other)}; make "
                    "it an array first: dx.numpy.asarray(x)"
                )
            )
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
    for name, function in {"eq": equal, "ne": not_equal}.items():
        setattr(Value, f"__{name}__", _equality(function))
    compare = {
        "lt": less,
        "le": less_equal,
        "gt": greater,
        "ge": greater_equal,
    }
    for name, function in compare.items():
        setattr(Value, f"__{name}__", _operator(function))
    methods = {
        "divmod": _operator(divide_whole),
        "rdivmod": _operator(divide_whole, True),
        "neg": lambda x: negative(x),
        "pos": positive,
        "abs": lambda x: absolute(x),
        "invert": lambda x: invert(x),
    }
    for name, function in methods.items():
        setattr(Value, f"__{name}__", function)


_install()
