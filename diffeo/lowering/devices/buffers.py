"""Buffers: an array's numbers on a device, and the ways there and back.

A *buffer* is an opaque handle of jaxlib. Nobody outside of `diffeo.lowering` may look into it or
show it to a user. An *aval*, the type of a value, is anything with `.shape`, `.dtype` and
`.weak_type`.

`put` makes a buffer of a NumPy array, `to_numpy` the reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ...primitives.array import GONE
from ...primitives.core import with_user_line
from ...primitives.support.key_types import carried
from ...primitives.support.settings import process
from ...primitives.types import ShapedArray
from .. import compat
from ..executables import Executable, compile_module, explain_run_error
from ..text.mlir_types import element_type
from ..waiting import until_ready
from .devices import Device, default_device, fork_error, state


def put(array: np.ndarray, aval: Any, *, alias: bool = False, device: Device | None = None) -> Any:
    """Return a device buffer with the numbers of a NumPy array of any strides.

    Args:
        array: the data. The dtypes of ml_dtypes (bfloat16, float8, int4 ...) are welcome.
        aval: the type of the data; shape and dtype must be the array's.
        alias: the promise that the memory never changes again. Then the device may use the memory
            in place (it does where the memory is aligned to 64 bytes), and keeps it alive.
            Otherwise the numbers are copied before `put` returns.
        device: the device of the buffer; the default device if None.

    Raises:
        TypeError: if the shape or the dtype is not that of `aval`.
    """
    if array.dtype != aval.dtype or array.shape != aval.shape:
        raise TypeError(
            f"put: the aval says {aval.dtype}{list(aval.shape)}, but the array is "
            f"{array.dtype}{list(array.shape)}; convert one of them first"
        )
    if state.forked:
        raise fork_error()
    target = device or default_device()
    if aval.dtype.kind == "k":  # keys are put as what carries them
        array = carried(array)
        aval = _Aval(aval.shape, array.dtype)
    semantics = compat.SHARE if alias else compat.COPY
    return compat.device_put(
        aval, target._sharding, [array], target._singleton, True, False, semantics, True
    )


def to_numpy(buffer: Any, aval: Any) -> np.ndarray:
    """Return the numbers of a buffer as a read-only NumPy array. Wait until they are computed.

    On the CPU, the array is a view of the device's memory, and keeps that memory alive. Dtypes
    narrower than a byte are copied.

    Raises:
        RuntimeError: if the computation of the buffer failed, or the buffer was donated to a
            program or deleted.
    """
    if state.forked and not is_ready(buffer):
        raise fork_error()
    dtype = aval.dtype
    if dtype.kind == "k":
        return to_numpy(buffer, _Aval(aval.shape, dtype.carrier)).view(dtype)
    if not is_ready(buffer):
        until_ready(buffer)
    try:
        if process.placed and device_of(buffer).platform != "cpu":
            array = read_from_accelerator(buffer, aval)
        elif dtype.isbuiltin == 1:  # NumPy's own, not one of ml_dtypes
            # np.asarray(buffer) would go through whatever jax, if it is loaded, added to the class.
            return np.asarray(memoryview(buffer))
        else:
            buffer.block_until_ready()
            array = compat.read_extended(buffer, aval.shape, dtype)
            if array is None:
                array = _as_plain(buffer, aval, to_numpy)
    except (BufferError, compat.XlaError) as error:
        raise read_error(buffer, error) from None
    array.flags.writeable = False
    return array


def read_from_accelerator(buffer: Any, aval: ShapedArray) -> np.ndarray:
    """Return the numbers of a buffer that is not in host memory, as a copy."""
    buffer.block_until_ready()
    devices_ = device_of(buffer)._list
    if aval.dtype.isbuiltin == 1 or compat.BUFFERS_READ_THEMSELVES:
        return compat.read_from_accelerator(buffer, devices_)
    return _as_plain(buffer, aval, lambda plain, _: compat.read_from_accelerator(plain, devices_))


def device_of(buffer: Any) -> Device:
    """Return the device that a buffer is on."""
    return state.by_sharding[id(buffer._sharding)]


def is_ready(buffer: Any) -> bool:
    """Return whether a buffer is computed, or gone."""
    return buffer.is_deleted() or buffer.is_ready()  # jaxlib 0.10 must not be asked in this order


def block_until_ready(buffers: Sequence[Any]) -> None:
    """Wait until all buffers are computed. Raise the error of a computation that failed."""
    if state.forked:
        raise fork_error()
    for buffer in buffers:
        if not is_ready(buffer):
            until_ready(buffer)
    compat.block_until_ready(list(buffers))


def read_error(buffer: Any, error: Exception) -> Exception:
    """Return why a buffer cannot be read; the buffer protocol hides the reason in a BufferError."""
    if buffer.is_deleted():
        return with_user_line(RuntimeError(GONE))
    try:
        buffer.block_until_ready()
    except compat.XlaError as failure:
        return explain_run_error(None, failure)
    return error


class _Aval:
    """The type of the operand or result of a helper program."""

    __slots__ = ("dtype", "shape", "weak_type")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype):
        self.shape, self.dtype, self.weak_type = shape, dtype, False


#: Dtypes of which the device packs several elements into a byte: the name in MLIR, and the dtype to
#: which they are converted for reading. Other dtypes of ml_dtypes are read as integers of the same
#: bits.
_WIDER = {
    "int2": ("i2", np.int8),
    "int4": ("i4", np.int8),
    "uint2": ("ui2", np.uint8),
    "uint4": ("ui4", np.uint8),
    "float4_e2m1fn": ("f4E2M1FN", np.float32),
}


def _as_plain(buffer: Any, aval: ShapedArray, read: Callable[[Any, Any], np.ndarray]) -> np.ndarray:
    """Return the numbers of a buffer whose dtype NumPy cannot read.

    A small program on the device turns the buffer into one of a plain dtype. `read` reads that one,
    and NumPy turns the numbers back into the dtype of `aval`.
    """
    executable = plain_program(aval.shape, aval.dtype, device_of(buffer))
    [plain] = executable.execute([buffer])
    numbers = read(plain, executable.out_avals[0])
    return numbers.astype(aval.dtype) if aval.dtype.name in _WIDER else numbers.view(aval.dtype)


@lru_cache(maxsize=256)
def plain_program(shape: tuple[int, ...], dtype: np.dtype, device: Device) -> Executable:
    """Compile a program that turns an array of a dtype of ml_dtypes into one of a plain dtype."""
    name, plain = _WIDER.get(dtype.name) or (element_type(dtype), f"uint{8 * dtype.itemsize}")
    operation = "convert" if dtype.name in _WIDER else "bitcast_convert"
    sizes, plain = "".join([f"{n}x" for n in shape]), np.dtype(plain)
    source, target = f"tensor<{sizes}{name}>", f"tensor<{sizes}{element_type(plain)}>"
    text = (
        f"module {{ func.func public @main(%x: {source}) -> {target} {{\n"
        f'  %y = "stablehlo.{operation}"(%x) : ({source}) -> {target}\n'
        f"  return %y : {target}\n}} }}"
    )
    return compile_module(text, [_Aval(shape, dtype)], [_Aval(shape, plain)], device=device)
