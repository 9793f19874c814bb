"""NumPy's protocols: what NumPy's own functions do with arrays and with traced values.

NumPy's functions on arrays of numbers are NumPy's: the arrays become ndarrays, on the host, and so
are the results. So libraries on NumPy meet nothing that they do not know. Only where a value is
traced does diffeo's function of the same name take the place of NumPy's (the table `NUMPY`).

Python's operators are another matter: `a + x` is an Array if one of both is. NumPy evaluates it as
`np.add(a, x)` where `a` is an ndarray, and does not say who asked. So the ufuncs of operators give
an Array where the left operand is NumPy's and there are no keywords. (Without `__array_ufunc__`,
as jax has it, `a -= x` would not write into `a`, but make the name mean another array.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.core import Tracer, Value, with_user_line
from ...primitives.words.operators import NUMPY

#: The ufuncs that Python's operators call, where the left operand is an ndarray.
_OF_OPERATORS = frozenset({
    np.add, np.subtract, np.multiply, np.divide, np.floor_divide, np.remainder, np.divmod,
    np.power, np.matmul, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift,
    np.right_shift, np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
})  # fmt: skip
#: The functions that write into their first argument.
_WRITING = frozenset({
    np.copyto, np.putmask, np.put, np.place, np.fill_diagonal, np.put_along_axis,
})  # fmt: skip
_LISTS = (list, tuple)
#: What `install` is handed.
_load: Any = None


# --------------------------------------------------------------------------------------------------
# On arrays: NumPy's results


def _array_ufunc_on_arrays(
    self: Value, ufunc: Any, method: str, *inputs: Any, **kwargs: Any
) -> Any:
    if kwargs:
        _check_outputs(f"np.{ufunc.__name__}", kwargs.get("out"))
        kwargs = {k: _to_numpy(v) for k, v in kwargs.items()}
    elif (
        ufunc in _OF_OPERATORS
        and method == "__call__"
        and type(inputs[1]) is Array
        and isinstance(inputs[0], (np.ndarray, np.generic))
    ):
        return NUMPY[ufunc](*inputs)
    if method == "at" and isinstance(inputs[0], Value):
        raise _unchangeable(f"np.{ufunc.__name__}.at")
    numbers = []
    for x in inputs:
        if type(x) is Array:
            host = x.host  # nobody gets to see it
            x = host if host.dtype.names is None else np.asarray(x)  # which refuses keys
        elif isinstance(x, Tracer):
            return NotImplemented  # the tracer's method comes next
        elif isinstance(x, _LISTS):
            x = _to_numpy(x)
        numbers.append(x)
    return (ufunc if method == "__call__" else getattr(ufunc, method))(*numbers, **kwargs)


def _array_function_on_arrays(
    self: Value, function: Any, types: Any, args: Any, kwargs: dict
) -> Any:
    for kind in types:
        if issubclass(kind, Tracer):
            return NotImplemented
    name = name_of_numpys(function)
    if function in _WRITING and isinstance(args[0], Value):
        if NUMPY[function] is None:
            raise _unchangeable(name)
        return NUMPY[function](*args, **kwargs)  # which says what to do instead
    _check_outputs(name, kwargs.get("out"))
    return function(*_to_numpy(args), **{k: _to_numpy(v) for k, v in kwargs.items()})


def _to_numpy(x: Any) -> Any:
    if type(x) is Array:
        return np.asarray(x)
    return type(x)([_to_numpy(i) for i in x]) if type(x) in _LISTS else x


def _check_outputs(name: str, out: Any) -> None:
    """Raise a TypeError if one of our values is to be written into."""
    outs = out if type(out) is tuple else (out,)
    if out is not None and any([isinstance(o, Value) for o in outs]):
        raise _unchangeable(name)


def _unchangeable(name: str) -> Exception:
    return with_user_line(
        TypeError(
            f"{name} cannot write into a diffeo array, which never changes: use the result, or "
            "x.at[index].set(value), .add(value) ..., which return another array"
        )
    )


# --------------------------------------------------------------------------------------------------
# On traced values: diffeo's functions


def _array_ufunc_on_tracers(
    self: Value, ufunc: Any, method: str, *inputs: Any, **kwargs: Any
) -> Any:
    if not kwargs and method == "__call__":
        ours = NUMPY[ufunc]
        if ours is not None:
            for x in inputs:
                if isinstance(x, _LISTS):
                    break
            else:
                return ours(*inputs)
    return _load("plain.ufunc_calls", "call_ufunc")(ufunc, method, inputs, kwargs)


def _array_function_on_tracers(
    self: Value, function: Any, types: Any, args: Any, kwargs: dict
) -> Any:
    if kwargs.get("out") is not None:
        raise refused_output(name_of_numpys(function), kwargs["out"])
    ours = NUMPY[function]
    if ours is None:
        raise unsupported(name_of_numpys(function))
    for x in args:
        if isinstance(x, _LISTS):
            return _load("plain.array_likes", "with_arrays")(function, args, kwargs)
    return ours(*args, **kwargs)


def name_of_numpys(function: Any) -> str:
    """Return `np.linalg.norm` for the function."""
    return f"{(function.__module__ or 'np').replace('numpy', 'np', 1)}.{function.__name__}"


def refused_output(name: str, out: Any) -> Exception:
    """Return the error for `out=` where an operand is traced."""
    outs = out if type(out) is tuple else (out,)
    if any([isinstance(o, Value) for o in outs]):
        return _unchangeable(name)
    return with_user_line(
        TypeError(
            f"{name} cannot write into an array (out=, or an in-place operator on a NumPy array) "
            "when an operand is traced: its numbers are not known yet. Assign the result instead: "
            "a = a - x, in place of a -= x; with where=, np.where(condition, result, a)"
        )
    )


def unsupported(name: str, home: str = "diffeo.numpy") -> Exception:
    """Return the error for a function that has no counterpart on traced values."""
    return with_user_line(
        TypeError(
            f"{name} is not supported on a traced value: {home} has no such function. Write it "
            "with functions that diffeo.numpy has, or compute it outside of the transformation"
        )
    )


def install(load: Callable[[str, str], Any]) -> None:
    """Give arrays and traced values the methods of NumPy's protocols. `load` returns a function of
    a module of `diffeo.numpy`, which may not be loaded yet.
    """
    global _load
    _load = load
    for kind, ufunc, function in (
        (Array, _array_ufunc_on_arrays, _array_function_on_arrays),
        (Tracer, _array_ufunc_on_tracers, _array_function_on_tracers),
    ):
        kind.__array_ufunc__ = ufunc  # type: ignore[attr-defined]
        kind.__array_function__ = function  # type: ignore[attr-defined]
