"""Array: an immutable value with numbers, in NumPy memory, on a device, or in both.

The language does not know the machine: see `machine.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .core import Tracer, Value, typeof, with_user_line
from .machine import machine
from .support.foreign import array_dtype, host_of, taken_in
from .types import KEYS, SCALAR_RANK, SCALARS, ShapedArray, scalar_aval

ndarray = np.ndarray
#: Makes an array without `__init__`, for those that have no host data.
_new = object.__new__


#: Why an array cannot be read any more.
GONE = (
    "the array has no data any more: its buffer was donated to a compiled function (see "
    "donate_argnums) or deleted. Use the function's result, or do not donate the array."
)


class Deleted:
    """What stands in the place of the buffer of an array whose data are gone.

    Attributes:
        reason: a sentence for the message.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str):
        self.reason = reason

    def is_deleted(self) -> bool:
        """Return True, as buffers answer."""
        return True

    def block_until_ready(self) -> None:
        """Raise a RuntimeError that says why the data are gone."""
        raise with_user_line(RuntimeError(self.reason))


class ArrayType(type):
    """The type of `Array`, by which traced values count as arrays for `isinstance`.

    So the same test serves a program that is traced and one that is not. `type(x) is Array` tells
    them apart.
    """

    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, Value)


class Array(Value, metaclass=ArrayType):
    """An immutable n-dimensional array.

    It behaves as a NumPy array does (operators, methods, indexing, conversion) but cannot be
    written to; use `x.at[index].set(value)`. Host data are a NumPy array; device data stand behind
    an opaque handle; either is made from the other when first needed and kept.

    An array is *committed* to a device by `dx.device_put`, and so are results computed from it;
    other arrays go wherever they are needed. What an accelerator has computed stays on it, too.
    Such arrays, and those committed elsewhere than to the first processor, hold no host data, so
    the short ways of eager arithmetic do not see them.

    `isinstance(x, dx.Array)` is true of traced values, too, and false of NumPy's arrays.

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

    __slots__ = ("__weakref__", "_aval", "_buffer", "_device", "_np", "_placed", "weak_type")

    #: The host data, or None.
    _np: Any
    #: A buffer on the process's first device, or None: what compiled functions take at once.
    _buffer: Any
    #: The type; None until it is asked for, if there are host data.
    _aval: Any
    #: The device that the array is committed to; the slot of others may be empty, as writing it
    #: would cost every result: see `committed_to`.
    _device: Any
    #: A buffer on another device, with the device; or empty.
    _placed: tuple[Any, Any]
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
            if not host.dtype.isnative:
                host = self._np = host.astype(array_dtype(host.dtype))
            aval = self._aval = ShapedArray(host.shape, host.dtype, self.weak_type)
        return aval

    # These three are asked for all the time, so they do not go through the type.
    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        host = self._np
        return self._aval.shape if host is None else host.shape

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements."""
        host = self._np
        if host is None:
            return self._aval.dtype
        dtype = host.dtype
        return dtype if dtype.names is None else self.aval.dtype  # of keys, and float0

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
            if type(self._buffer) is Deleted:
                raise with_user_line(RuntimeError(self._buffer.reason))
            host = machine.fetch(self)
        return host

    @property
    def buffer(self) -> Any:
        """The buffer on the first device; the data are put there if they are not yet."""
        buffer = self._buffer
        if buffer is None:
            if self._np is None:
                return machine.fetch_buffer(self)
            aval = self.aval  # first, as it turns foreign bytes
            buffer = self._buffer = machine.put(self._np, aval)
        return buffer

    # -- Devices --

    @property
    def device(self) -> Any:
        """The device on which the numbers are; that of host data is the first processor."""
        return machine.device_of(self)

    def devices(self) -> set[Any]:
        """Return the set of this one device."""
        return {machine.device_of(self)}

    @property
    def committed(self) -> bool:
        """Whether the array is bound to its device (see `dx.device_put`)."""
        return committed_to(self) is not None

    @property
    def at_home(self) -> bool:
        """Whether the array stays where it is, and is not evaluated by NumPy: on an accelerator,
        or committed to another processor than the default device.
        """
        return self._np is None and machine.at_home(self)

    def to_device(self, device: Any, *, stream: Any = None) -> Array:
        """Return the array committed to a device, as by `dx.device_put`.

        Args:
            device: a device, or its name.
            stream: None; transfers are ordered with the computations of an array by themselves.

        Raises:
            RuntimeError: if there is no such device.
            ValueError: for a name that cannot be one, or for a stream.
        """
        if stream is not None:
            raise ValueError(
                f"to_device: stream={stream!r} cannot be chosen; transfers wait for the array, and "
                "what uses the result waits for the transfer. Leave it None"
            )
        return machine.move(self, device)

    def block_until_ready(self) -> Array:
        """Wait until the computation of the array is done, and return the array.

        Raises:
            RuntimeError: if it failed, or the array was deleted.
        """
        if self._np is None:
            machine.wait(self)
        return self

    def is_ready(self) -> bool:
        """Return whether the computation of the array is done."""
        if self._np is None:
            if self.is_deleted():  # such a buffer must not be asked
                machine.wait(self)
            return handle(self).is_ready()
        return True

    def delete(self) -> None:
        """Free the memory at once; the array cannot be used any more."""
        if not self.is_deleted():
            self._aval = self.aval
            if handle(self) is None:
                self.buffer.delete()
            for buffer in (self._buffer, getattr(self, "_placed", (None, None))[1]):
                if buffer is not None:
                    buffer.delete()
            self._np, self._buffer = None, Deleted(GONE)

    def is_deleted(self) -> bool:
        """Return whether the array was deleted, or donated to a compiled function."""
        return self._np is None and bool(handle(self).is_deleted())

    def copy_to_host_async(self) -> None:
        """Begin to copy the numbers to the host, where a later `np.asarray` finds them."""
        if self._np is None:
            machine.start_fetching(self)

    def __array__(self, dtype: np.dtype | None = None, copy: Any = None) -> np.ndarray:
        host = self.host
        if host.dtype.names is not None:
            self._refuse_keys("a NumPy array")
        if copy or (dtype is not None and dtype != host.dtype):
            if copy is False:
                raise ValueError(
                    "a copy is needed for the conversion to another dtype, but copy=False was "
                    "asked for"
                )
            return np.array(host, dtype=dtype)
        return read_only(host)

    def item(self, *args: Any) -> Any:
        """Return the Python scalar of a one-element array, or of the element at an index."""
        self._refuse_keys("a Python scalar")
        return self.host.item(*args)

    def tolist(self) -> Any:
        """Return the array as nested Python lists of scalars."""
        return self.host.tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """Return the raw bytes of the elements, in C order unless another is asked for."""
        return self.host.tobytes(order)

    def on_device_size_in_bytes(self) -> int:
        """Return the number of bytes that the elements take."""
        return self.nbytes

    def unsafe_buffer_pointer(self) -> int:
        """Return the address of the elements, which must not be written to. It is valid while the
        array is.
        """
        host = self._np
        return handle(self).unsafe_buffer_pointer() if host is None else host.ctypes.data

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"the truth value of an array with {self.size} elements is ambiguous: use "
                ".any() or .all()"
            )
        return bool(self.item())

    def _refuse_keys(self, what: str) -> None:
        if self.aval.dtype.kind == "k":
            raise with_user_line(TypeError(f"{self.aval} cannot become {what}: {KEYS}"))

    def _scalar(self, kind: type) -> Any:
        if self.size != 1:
            raise TypeError(
                f"only an array with one element converts to {kind.__name__}, this has shape "
                f"{self.shape}"
            )
        return kind(self.item())

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
        if self.is_deleted():
            return f"Array(<deleted>, {self.aval})"
        if self.dtype.kind == "k":
            return f"Array({self}, dtype={self.dtype})"
        text = np.array2string(self.host, prefix="Array(", separator=", ", threshold=1000)
        usual = self.dtype in (np.float64, np.int64, np.complex128, np.bool_) and self.size
        return f"Array({text})" if usual else f"Array({text}, dtype={self.dtype})"

    def __str__(self) -> str:
        host = self.host
        if self.dtype.kind == "k":
            words = np.array2string(host[self.dtype.name], separator=" ", threshold=1000)
            return f"{self.aval} of words {words}"
        return str(host)

    def __format__(self, spec: str) -> str:
        return (
            format(self.host.item(), spec) if spec and self.size == 1 else format(str(self), spec)
        )

    def __copy__(self) -> Array:
        return self

    def __deepcopy__(self, memo: dict) -> Array:
        return self

    def __reduce__(self):
        return _restored, (np.array(self.host), self.weak_type)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        how = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        return machine.dlpack(self, **how)

    def __dlpack_device__(self) -> tuple[int, int]:
        return machine.dlpack_device(self)


#: The dtypes that the buffer protocol has letters for, by NumPy's number of each. Their kinds and
#: letters do not tell: dtypes of ml_dtypes may have the same. Nor does identity, as a dtype that
#: equals one of NumPy's need not be the same object.
_LETTERED = frozenset([np.dtype(letter).num for letter in "?bhilqBHILQefdFD"])


def read_only(host: Any) -> np.ndarray:
    """Return a view of an array that nobody can make writable: it does not see whose memory it
    is.
    """
    if not host.flags.aligned:
        host = host.copy()
    if host.dtype.num in _LETTERED:
        return np.asarray(memoryview(host).toreadonly())
    size = host.dtype.itemsize
    if not size:
        return host.view()  # of float0, which has no bytes
    # What the buffer protocol has no letter for, a dtype of ml_dtypes.
    return np.asarray(memoryview(host.view(f"u{size}")).toreadonly()).view(host.dtype)


def _restored(host: np.ndarray, weak_type: bool) -> Array:
    """Return an array from a pickle, which may come from a machine of the other byte order."""
    return Array(host.astype(array_dtype(host.dtype), copy=False), weak_type)


def from_buffer(buffer: Any, aval: ShapedArray, device: Any = None) -> Array:
    """Return an Array around a device buffer of type `aval`, committed to its device if that is
    given.
    """
    array = _new(Array)
    array._np = None
    array._buffer = buffer
    array._aval = aval
    array.weak_type = aval.weak_type
    if device is not None:
        array._device = device
    return array


def handle(x: Array) -> Any:
    """Return an array's buffer, wherever it is; None if there are only host data."""
    return x._buffer if x._buffer is not None else getattr(x, "_placed", (None, None))[1]


def committed_to(x: Array) -> Any:
    """Return the device that an array is committed to, or None."""
    return getattr(x, "_device", None)


def variant(x: Array, weak_type: bool, device: Any) -> Array:
    """Return the same numbers as an array that is weak, or committed, otherwise."""
    array = _new(Array)
    aval = x.aval
    array._np = x._np
    array._buffer = x._buffer
    array._aval = aval.weak if weak_type else aval.strong
    array._device = device
    array.weak_type = weak_type
    if hasattr(x, "_placed"):
        array._placed = x._placed
    return array


def as_value(x: Any) -> Any:
    """Return an Array or a tracer from anything array-like.

    Traced values and Arrays are returned as they are, NumPy arrays and those of other libraries
    are copied (they may change), scalars are weak.

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
            raise with_user_line(
                OverflowError(f"the Python integer {x} does not fit into {aval.dtype}")
            ) from None
    if not isinstance(x, (ndarray, np.generic)):
        host = host_of(x)
        if host is not None:  # which nobody writes to, so it is not copied
            return Array(np.asarray(host, typeof(host).dtype))
        x = taken_in(x)
        if isinstance(x, Value):
            return x
    aval = typeof(x)
    return Array(np.array(x, dtype=aval.dtype))


def promoted_scalars(args: Sequence[Any]) -> list[Any]:
    """Return Python scalars brought to the widest kind among them, the first one as an array."""
    widest = max([type(a) for a in args], key=SCALAR_RANK.__getitem__)
    return [as_value(widest(args[0])), *[widest(a) for a in args[1:]]]


def known(x: Any) -> Any:
    """Return the numbers of a value as a NumPy array; None for keys and for a traced value without
    numbers. (Not the `known` of `partial.py`: any value that depends on no linear input.)
    """
    x = x.concrete() if isinstance(x, Tracer) else x
    numberless = x is None or (isinstance(x, Value) and x.aval.dtype.kind == "k")
    return None if numberless else np.asarray(x)
