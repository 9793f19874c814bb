"""Ufuncs: functions of elements with the methods reduce, accumulate, reduceat, outer and at.

A method that diffeo has a function for (`add.reduce` is `sum`) calls it. Any other goes through the
elements one after the other: `_fold` and `accumulate` by a scan, `_at_by_steps` likewise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np

from ..api.control_flow.loops import scan
from ..primitives.array import Array, known
from ..primitives.core import Value, describe, with_user_line
from ..primitives.words.promotion import broadcast_to
from ..primitives.words.structural import convert_element_type, reshape
from ..typing import ArrayLike
from .choosing import where as choose
from .common import (
    NUMBERS,
    arr,
    axes_of,
    axis_of,
    by_numpy,
    dtype_of,
    keep_axes,
    no_out,
    static_int,
    to_bool,
)
from .joining import concatenate, stack
from .making.creation import asarray, full, zeros
from .mapping import vectorize
from .methods import not_honoured
from .places.at import At
from .places.indexing import getitem
from .places.selecting import take
from .reducing import cumulative, reductions
from .shaping import moveaxis
from .ufuncs import logical_and, logical_or

#: Up to how many steps are written out, where more are a loop.
_FEW = 8


class _OfUfuncs(type):
    """`isinstance(f, ufunc)` holds for functions that have the methods of one, too."""

    def __instancecheck__(cls, instance: Callable) -> bool:
        if type(instance) is FunctionType:
            return "reduceat" in instance.__dict__
        return super().__instancecheck__(instance)


class ufunc(metaclass=_OfUfuncs):
    """A function of elements that broadcasts, with methods that combine elements by it.

    `frompyfunc` makes one; `add`, `multiply`, `maximum` and others of `dx.numpy` are some.

    Args:
        func: A function of `nin` numbers that returns one, or a tuple of `nout`.
        nin: The number of arguments.
        nout: The number of results.
        name: The name, by default that of `func`.
        nargs: The number of arguments, again.
        identity: None, or what changes no number that it is combined with.
        call: The function of arrays; by default `func` for each element.
        reduce, accumulate, at, reduceat: Functions that compute what a method returns; by default
            `call` is applied step by step.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([1, 2, 3])
        >>> dx.numpy.add.reduce(x), dx.numpy.add.at(x, 0, 9, inplace=False)
        (Array(6), Array([10,  2,  3]))
    """

    def __init__(
        self,
        func: Callable,
        /,
        nin: int,
        nout: int,
        *,
        name: str | None = None,
        nargs: int | None = None,
        identity: Any = None,
        call: Callable | None = None,
        reduce: Callable | None = None,
        accumulate: Callable | None = None,
        at: Callable | None = None,
        reduceat: Callable | None = None,
    ):
        self.func, self.identity = func, identity
        self.nin = static_int(nin, "ufunc", "nin")
        self.nout = static_int(nout, "ufunc", "nout")
        self.nargs = self.nin if nargs is None else nargs
        self.__name__ = name or getattr(func, "__name__", "ufunc")
        self.__doc__ = func.__doc__
        self._call = call or vectorize(func)
        self._reduce, self._accumulate, self._at = reduce, accumulate, at
        self._reduceat = reduceat

    def __repr__(self) -> str:
        return f"<ufunc {self.__name__}>"

    def __call__(self, *args: Any, out: Any = None, where: Any = None) -> Any:
        """Apply the function to each element; the operands broadcast."""
        if out is not None or where is not None:
            raise not_honoured(self, out)
        if len(args) != self.nin:
            raise with_user_line(
                TypeError(f"{self.__name__}: takes {self.nin} operands, got {len(args)}")
            )
        return self._call(*args)

    def _binary(self, method: str, out: Any = None) -> str:
        """Return the name of a method of a function of two numbers; ValueError for another."""
        name = f"{self.__name__}.{method}"
        if out is not None:
            raise no_out(name)
        if self.nin != 2 or self.nout != 1:
            raise with_user_line(
                ValueError(
                    f"{name}: needs a function of two operands with one result, and this one has "
                    f"{self.nin} and {self.nout}"
                )
            )
        return name

    def reduce(
        self,
        a: Any,
        axis: Any = 0,
        dtype: Any = None,
        out: Any = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = None,
    ) -> Any:
        """Combine the elements along an axis, one after the other.

        Args:
            a: An array.
            axis: An axis, several, or None for all.
            dtype: The dtype of the result.
            out: None, as arrays never change.
            keepdims: Keep the axis with size 1.
            initial: What comes before the first element.
            where: Booleans: the elements that count.

        Raises:
            ValueError: for no elements, or `where`, if there is neither `initial` nor an identity.
        """
        name, a = self._binary("reduce", out), asarray(a)
        if self._reduce is not None:
            return self._reduce(a, axis, dtype, keepdims, initial, where)
        theirs = getattr(np, self.__name__, None) if dtype is None is initial is where else None
        if isinstance(theirs, np.ufunc):
            over = None if axis is None else axes_of(axis, a.ndim, name)
            quick = by_numpy(lambda v: theirs.reduce(v, over, keepdims=keepdims), a, dtypes=NUMBERS)
            if quick is not None:
                return quick
        axes = axes_of(axis, a.ndim, name)
        flags = None if where is None else _in_front(broadcast_to(to_bool(where), a.shape), axes)
        lines = _in_front(a, axes)
        if initial is None and (flags is not None or not lines.shape[0]):
            initial = self.identity
            if initial is None:
                what = "`where`" if flags is not None else f"shape {a.shape} without elements"
                raise with_user_line(
                    ValueError(f"{name}: {what} needs `initial`, as there is no identity")
                )
        result = self._fold(lines, dtype, initial, flags)
        return keep_axes(result, a.shape, axes) if keepdims else result

    def _step(self, x: Value, dtype: Any) -> tuple[Callable, Any]:
        """Return the function of (what there is, the next element), and the dtype of its result."""
        if dtype is None:
            one = zeros((1,), x.dtype)
            alone = self._call(one, one) if self._reduce is None else self.reduce(one)
            dtype = arr(alone).dtype
        dtype = dtype_of(dtype)
        return lambda c, v: convert_element_type(arr(self._call(c, v)), dtype), dtype

    def _fold(self, x: Value, dtype: Any, initial: Any, flags: Value | None) -> Any:
        """Combine the elements of axis 0 from the first to the last."""
        step, dtype = self._step(x, dtype)
        if initial is None:
            carry, x = convert_element_type(x[0], dtype), x[1:]
        else:
            carry = broadcast_to(convert_element_type(asarray(initial), dtype), x.shape[1:])
        one = step if flags is None else lambda c, v: choose(v[1], step(c, v[0]), c)
        if x.shape[0] > _FEW:
            items = x if flags is None else (x, flags)
            return scan(lambda c, v: (one(c, v), None), carry, items)[0]
        for i in range(x.shape[0]):
            carry = one(carry, x[i] if flags is None else (x[i], flags[i]))
        return carry

    def accumulate(self, a: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Return what `reduce` has after each element along an axis."""
        name, a = self._binary("accumulate", out), asarray(a)
        axis = axis_of(axis, a.ndim, name)
        if self._accumulate is not None:
            return self._accumulate(a, axis, dtype)
        x = moveaxis(a, axis, 0)
        step, dtype = self._step(x, dtype)
        if not x.shape[0]:
            return convert_element_type(a, dtype)
        first = convert_element_type(x[0], dtype)

        def both(carry: Value, item: Value) -> tuple[Any, Any]:
            carry = step(carry, item)
            return carry, carry

        rest = scan(both, first, x[1:])[1] if x.shape[0] > 1 else x[1:].astype(dtype)
        return moveaxis(concatenate([first[None], rest], 0), 0, axis)

    def reduceat(
        self, a: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
    ) -> Any:
        """Combine the elements from each of `indices` up to the next one, along an axis.

        Where the next index is not larger, the result is the element at the index alone. The last
        slice goes to the end. Known indices out of bounds are an IndexError.
        """
        name, a = self._binary("reduceat", out), asarray(a)
        axis, indices = axis_of(axis, a.ndim, name), asarray(indices)
        n, starts = a.shape[axis], known(indices)
        if indices.ndim != 1 or indices.dtype.kind not in "iu":
            raise with_user_line(
                TypeError(f"{name}: indices must be a vector of integers, got {describe(indices)}")
            )
        if starts is not None and starts.size and not (starts.min() >= 0 and starts.max() < n):
            raise with_user_line(
                IndexError(f"{name}: the indices {starts} are not all in 0 to {n - 1}")
            )
        if self._reduceat is not None:
            return self._reduceat(a, indices, axis, dtype)
        x = moveaxis(a, axis, 0)
        if starts is None or not starts.size:
            return moveaxis(self._slices(x, indices, dtype), 0, axis)
        ends = np.maximum([*starts[1:], n], starts + 1)
        parts = [self.reduce(x[i:j], 0, dtype) for i, j in zip(starts.tolist(), ends.tolist())]
        return moveaxis(stack(parts), 0, axis)

    def _slices(self, x: Value, starts: Value, dtype: Any) -> Any:
        """Combine the elements of slices of axis 0 that begin at traced positions."""
        # All slices go through all elements, and take those that are theirs.
        step, dtype = self._step(x, dtype)
        ends = concatenate([starts[1:], full((1,), x.shape[0], starts.dtype)], 0)
        over = (starts.size,) + (1,) * (x.ndim - 1)
        starts_, ends_ = reshape(starts, over), reshape(ends, over)

        def one(carry: Value, item: Any) -> tuple[Any, None]:
            j, v = item
            return choose((j > starts_) & (j < ends_), step(carry, v), carry), None

        places = Array(np.arange(x.shape[0])).astype(starts.dtype)
        return scan(one, take(x, starts, 0).astype(dtype), (places, x))[0]

    def outer(self, A: ArrayLike, B: ArrayLike, /) -> Any:
        """Combine every element of `A` with every element of `B`: the axes of both, in order."""
        self._binary("outer")
        a, b = asarray(A), asarray(B)
        return self._call(reshape(a, a.shape + (1,) * b.ndim), b)

    def at(
        self, a: ArrayLike, indices: Any, b: ArrayLike | None = None, /, *, inplace: bool = True
    ) -> Any:
        """Return `a` with the elements at `indices` combined with `b`, one after the other.

        `inplace=False` must be said: other than NumPy's, the array itself never changes.

        Raises:
            NotImplementedError: with `inplace`.
            ValueError: if `b` is missing, or there is no place for it.
        """
        name = f"{self.__name__}.at"
        if inplace:
            raise with_user_line(
                NotImplementedError(
                    f"{name}: arrays never change; say inplace=False and use the result"
                )
            )
        if (b is None) != (self.nin == 1):
            raise with_user_line(
                ValueError(f"{name}: a function of {self.nin} operands, and b is {describe(b)}")
            )
        a = asarray(a)
        if self.nin == 1:
            return At(a)[indices].apply(lambda v: self._call(v).astype(v.dtype))
        self._binary("at")
        if self._at is not None:
            return self._at(a, indices, asarray(b))
        return _at_by_steps(self._call, a, indices, asarray(b))


def _in_front(x: Any, axes: tuple[int, ...]) -> Any:
    """Return an array whose axis 0 goes over several axes together."""
    moved = moveaxis(x, axes, tuple(range(len(axes))))
    count = int(np.prod(moved.shape[: len(axes)]))
    return reshape(moved, (count, *moved.shape[len(axes) :]))


def _at_by_steps(call: Callable, a: Any, indices: np.ndarray, b: Value) -> Any:
    """Combine elements with `b`, the first of equal positions first."""
    places = getitem(reshape(Array(np.arange(a.size)), a.shape), indices)
    values = broadcast_to(b, places.shape)

    def one(flat: Value, item: Any) -> tuple[Any, None]:
        i, v = item
        return At(flat)[i].set(arr(call(flat[i], v)).astype(a.dtype)), None

    if not places.size:
        return a
    flat = reshape(a, (a.size,))
    return reshape(scan(one, flat, (places.ravel(), values.ravel()))[0], a.shape)


def frompyfunc(func: Callable, /, nin: int, nout: int, *, identity: Any = None) -> ufunc:
    """Make a ufunc of a function of numbers, which is traced and mapped over the elements.

    Args:
        func: A function of `nin` numbers that returns one, or a tuple of `nout`.
        nin: The number of arguments.
        nout: The number of results.
        identity: None, or what changes no number that it is combined with.

    Examples:
        >>> import diffeo as dx
        >>> longer = frompyfunc(lambda x, y: dx.numpy.sqrt(x**2 + y**2), 2, 1, identity=0)
        >>> longer.reduce(dx.numpy.array([2.0, 3.0, 6.0]))
        Array(7.)
    """
    return ufunc(func, nin, nout, identity=identity)


# --------------------------------------------------------------------------------------------------
# What diffeo has a function for


def _sums(function: Callable) -> Callable:
    return lambda a, axis, dtype, keepdims, initial, where: function(
        a, axis, dtype, None, keepdims, initial, where
    )


def _extrema(function: Callable) -> Callable:
    def reduce(
        a: Value,
        axis: Any,
        dtype: Any,
        keepdims: bool,
        initial: ArrayLike | None,
        where: ArrayLike | None,
    ) -> Any:
        a = a if dtype is None else a.astype(dtype)
        return function(a, axis, None, keepdims, initial, where)

    return reduce


def _logic(function: Callable, combine: Callable) -> Callable:
    def reduce(
        a: Value,
        axis: Any,
        dtype: Any,
        keepdims: bool,
        initial: ArrayLike | None,
        where: ArrayLike | None,
    ) -> Any:
        result = function(a, axis, None, keepdims, where=where)
        if initial is not None:
            result = combine(result, initial)
        return result if dtype is None else result.astype(dtype)

    return reduce


def _running(function: Callable) -> Callable:
    def accumulate(a: Value, axis: int, dtype: Any) -> Any:
        a = a if dtype is None else a.astype(dtype)
        if a.dtype == np.bool_:  # the primitive is of numbers
            return function(a.astype(np.int8), axis).astype(bool)
        return function(a, axis)

    return accumulate


def _updates(method: str, of_booleans: str) -> Callable:
    def at(a: Value, indices: ArrayLike, b: Value) -> Any:
        boolean = a.dtype == np.bool_
        b = b.astype(bool) if boolean else b
        return getattr(At(a)[indices], of_booleans if boolean else method)(b)

    return at


#: The methods that are functions of diffeo.
_KNOWN: dict[str, dict[str, Any]] = {
    "add": {
        "reduce": _sums(reductions.sum),
        "accumulate": cumulative.cumsum,
        "at": _updates("add", "max"),
    },
    "multiply": {
        "reduce": _sums(reductions.prod),
        "accumulate": cumulative.cumprod,
        "at": _updates("multiply", "min"),
    },
    "subtract": {"at": _updates("subtract", "subtract")},
    "maximum": {
        "reduce": _extrema(reductions.max),
        "accumulate": _running(cumulative.cummax),
        "at": _updates("max", "max"),
    },
    "minimum": {
        "reduce": _extrema(reductions.min),
        "accumulate": _running(cumulative.cummin),
        "at": _updates("min", "min"),
    },
    "logical_and": {"reduce": _logic(reductions.all, logical_and)},
    "logical_or": {"reduce": _logic(reductions.any, logical_or)},
}


@cache
def ufunc_of(function: Callable) -> ufunc:
    """Return the ufunc of a function that has the attributes of one."""
    name = function.__name__
    return ufunc(
        function,
        function.nin,
        1,
        name=name,
        identity=function.identity,
        call=function,
        **_KNOWN.get(name, {}),
    )
