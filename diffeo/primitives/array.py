"""Array: an immutable value with numbers, in NumPy memory, on a device, or in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .core import Value, typeof
from .types import SCALAR_RANK, SCALARS, ShapedArray, scalar_aval

ndarray = np.ndarray
_new = object.__new__


class _Device:
    """What the machine (lowering/runtime.py) lends to arrays; installed when it is imported."""

    fetch: Callable[[Any, ShapedArray], np.ndarray]
    put: Callable[[np.ndarray, ShapedArray], Any]


device = _Device()


class Array(Value):
    """An immutable n-dimensional array.

    It behaves as a NumPy array does (operators, methods, indexing, conversion) but cannot be
    written to; use `x.at[index].set(value)`. Host data are a NumPy array; device data stand behind
    an opaque handle; either is made from the other when first needed and kept.

    Make arrays with `diffeo.numpy` (`array`, `asarray`, `zeros`, `arange` ...), not by calling
    this class.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([1.0, 2.0, 3.0])
        >>> x, x.shape, x.dtype
        (Array([1., 2., 3.]), (3,), dtype('float64'))
        >>> x.at[0].set(5.0) + 1
        Array([6., 3., 4.])
    """

    __slots__ = ("__weakref__", "_aval", "_buffer", "_np", "weak_type")

    _np: Any
    _buffer: Any
    _aval: Any
    weak_type: bool  # type: ignore[assignment]

    def __init__(self, host: Any, weak_type: bool = False):
        # NumPy gives scalars for results without axes; an Array always holds an ndarray.
        self._np = host if type(host) is ndarray else np.asarray(host)
        self._buffer = None
        self._aval = None
        self.weak_type = weak_type

    @property
    def aval(self) -> ShapedArray:  # type: ignore[override]
        aval = self._aval
        if aval is None:
            host = self._np
            aval = self._aval = ShapedArray(host.shape, host.dtype, self.weak_type)
        return aval

    # Asked for all the time, so without going through the type.
    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        host = self._np
        return self._aval.shape if host is None else host.shape

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements."""
        host = self._np
        return self._aval.dtype if host is None else host.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        host = self._np
        return self._aval.ndim if host is None else host.ndim

    @property
    def host(self) -> np.ndarray:
        """The numbers as a NumPy array that must not be written to; waits for the device."""
        host = self._np
        if host is None:
            host = self._np = device.fetch(self._buffer, self._aval)
        return host

    @property
    def buffer(self) -> Any:
        """The device buffer; the data are put there if they are not yet."""
        buffer = self._buffer
        if buffer is None:
            buffer = self._buffer = device.put(self._np, self.aval)
        return buffer

    def block_until_ready(self) -> Array:
        """Wait until the computation of the array is done; returns the array."""
        if self._np is None:
            self._buffer.block_until_ready()
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        host = self.host
        if copy or (dtype is not None and dtype != host.dtype):
            if copy is False:
                raise ValueError(
                    "a copy is needed for the conversion to another dtype, but copy=False was "
                    "asked for"
                )
            return np.array(host, dtype=dtype)
        view = host.view()
        view.flags.writeable = False
        return view

    def item(self) -> Any:
        """The Python scalar of a one-element array."""
        return self.host.item()

    def tolist(self) -> Any:
        """The array as nested Python lists of scalars."""
        return self.host.tolist()

    def tobytes(self) -> bytes:
        """The raw bytes of the elements, in C order."""
        return self.host.tobytes()

    @property
    def nbytes(self) -> int:
        """The number of bytes of the elements."""
        return self.size * self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """The number of bytes of an element."""
        return self.dtype.itemsize

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"the truth value of an array with {self.size} elements is ambiguous: use "
                ".any() or .all()"
            )
        return bool(self.host.item())

    def _scalar(self, kind: type) -> Any:
        if self.size != 1:
            raise TypeError(
                f"only an array with one element converts to {kind.__name__}, this has shape "
                f"{self.shape}"
            )
        return kind(self.host.item())

    def __int__(self) -> int:
        return self._scalar(int)

    def __float__(self) -> float:
        return self._scalar(float)

    def __complex__(self) -> complex:
        return self._scalar(complex)

    def __index__(self) -> int:
        if self.ndim or self.dtype.kind not in "iu":
            raise TypeError(f"only an integer array without axes is an index, this is {self.aval}")
        return int(self.host)

    def __repr__(self) -> str:
        text = np.array2string(self.host, prefix="Array(", separator=", ", threshold=1000)
        usual = self.dtype in (np.float64, np.int64, np.complex128, np.bool_) and self.size
        return f"Array({text})" if usual else f"Array({text}, dtype={self.dtype})"

    def __str__(self) -> str:
        return str(self.host)

    def __format__(self, spec: str) -> str:
        return (
            format(self.host.item(), spec) if spec and self.size == 1 else format(str(self), spec)
        )

    def __copy__(self) -> Array:
        return self

    def __deepcopy__(self, memo: dict) -> Array:
        return self

    def __reduce__(self):
        return Array, (np.array(self.host), self.weak_type)

    def __dlpack__(self, **kwargs: Any) -> Any:
        # An exporter of read-only memory needs the versioned protocol; the consumer gets NumPy's.
        return self.host.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.host.__dlpack_device__()


def from_buffer(buffer: Any, aval: ShapedArray) -> Array:
    """An Array around a device buffer of type `aval`."""
    array = _new(Array)
    array._np = None
    array._buffer = buffer
    array._aval = aval
    array.weak_type = aval.weak_type
    return array


def as_value(x: Any) -> Any:
    """An Array or a tracer from anything array-like: NumPy arrays are copied (they may change),
    scalars are weak.

    Raises:
        TypeError: if `x` is not an array or a number.
    """
    if isinstance(x, Value):
        return x
    kind = type(x)
    if kind in SCALARS:
        aval = scalar_aval(kind)
        try:
            return Array(np.array(x, aval.dtype), aval.weak_type)
        except OverflowError:
            raise OverflowError(f"the Python integer {x} does not fit into {aval.dtype}") from None
    aval = typeof(x)
    return Array(np.array(x, dtype=aval.dtype))


def promoted_scalars(args: Sequence[Any]) -> list[Any]:
    """Python scalars brought to the widest kind among them, the first one as an array."""
    widest = max([type(a) for a in args], key=SCALAR_RANK.__getitem__)
    return [as_value(widest(args[0])), *[widest(a) for a in args[1:]]]
