"""Where arrays are, where programs run, and how numbers get from one device to another.

This file gives arrays what `primitives/array.py` leaves open in its class `Machine`: see the end of
the file. Three words describe where an array is:

- *Host data*: the numbers as a NumPy array (`_np`). An array has host data, a *buffer* on a device,
  or both.
- *Committed*: bound to a device, by `dx.device_put` or as a result of arrays that are. Programs of
  committed arrays run on their device. Other arrays go wherever they are needed.
- *At home*: without host data, and to stay on the device. Operations on such an array are computed
  on its device in eager mode, too. All other eager operations are evaluated by NumPy.

Start at `place_for`, which chooses the device of a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...primitives.array import (
    Array,
    committed_to,
    from_buffer,
    handle,
    machine,
    read_only,
    variant,
)
from ...primitives.core import with_user_line
from ...primitives.support.settings import process
from ...primitives.types import ShapedArray
from .. import compat
from ..waiting import until_ready
from .buffers import device_of, is_ready, put, read_error, to_numpy
from .devices import Device, default_device, devices, find, fork_error, state


def at_home(array: Array) -> bool:
    """Return whether an array without host data is to stay on its device, instead of being
    evaluated by NumPy.

    An array stays on an accelerator, and on any device that it is committed to other than the
    default processor.
    """
    if not process.placed or array.is_deleted():
        return False
    committed = committed_to(array)
    if committed is None:
        return not device_of(handle(array)).on_host
    return committed is not state.default or not committed.on_host


def buffer_on(array: Array, device: Device, keep: bool = True) -> Any:
    """Return a buffer with an array's numbers on a device: the array's own, or a copy.

    Args:
        array: any array. The device that it is committed to does not matter here.
        device: the device of the buffer.
        keep: whether the array keeps a buffer that was made of its host data, for the next time.

    Raises:
        RuntimeError: if the array was deleted or donated.
    """
    host = array._np
    for buffer in (array._buffer, getattr(array, "_placed", (None, None))[1]):
        if buffer is not None:
            if host is None and buffer.is_deleted():
                raise read_error(buffer, RuntimeError())
            if not process.placed or device_of(buffer) is device:
                return buffer
    if host is None:
        # The numbers are on another device. Devices of one client copy to each other; between two
        # platforms, the numbers go by way of the host.
        buffer = handle(array)
        if device_of(buffer)._client is device._client:
            return compat.copy_to_device(buffer, device._list, device._sharding)
        host = to_numpy(buffer, array.aval)
        keep = False
    new_buffer = put(host, array.aval, alias=True, device=device)
    if keep and device is devices()[0]:
        array._buffer = new_buffer
    elif keep:
        array._placed = (device, new_buffer)
    return new_buffer


def placed(buffer: Any, aval: ShapedArray, device: Device, commits: Device | None = None) -> Array:
    """Return an Array around a buffer on a device.

    A buffer on the first device of the process stands in `_buffer`, where the dispatch of compiled
    functions looks. Any other stands in `_placed`, where the dispatch does not look.

    Args:
        buffer: the buffer.
        aval: the type of its numbers.
        device: the device that the buffer is on.
        commits: the device that the array is committed to, or None.
    """
    if device is devices()[0]:
        return from_buffer(buffer, aval, commits)
    process.placed = True
    array = from_buffer(None, aval, commits)
    array._placed = (device, buffer)
    return array


def committed(array: Array, device: Device | None, donate: bool = False) -> Array:
    """Return the array on a device and committed to it; with None, where it is and committed to
    none.

    If the device is the first of the process and a processor, the array keeps its host data:
    programs take them from there anyway, and eager arithmetic is fastest on host data.

    Args:
        array: any array.
        device: the device, or None.
        donate: delete the array, if the result has a buffer of its own.
    """
    if device is None or (array._np is not None and device.on_host and device is devices()[0]):
        moved = variant(array, array.weak_type, device)
    elif committed_to(array) is device:
        return array
    else:
        moved = placed(buffer_on(array, device, keep=False), array.aval, device, device)
    if donate and handle(moved) is not handle(array):
        array.delete()
    return moved


class Place(NamedTuple):
    """Where a program runs, and whether its results are committed.

    Attributes:
        device: the device that runs the program.
        commits: the device that the results are committed to, or None.
    """

    device: Device
    commits: Device | None


def place_for(
    arrays: Sequence[Array],
    wanted: Any = None,
    closed_over: Sequence[Any] = (),
    name: str = "the program",
) -> Place:
    """Choose where a program runs on these arrays.

    Args:
        arrays: the program's operands. Those that are committed to a device decide.
        wanted: a device, or its name, that decides instead.
        closed_over: constants of the program. They decide if the operands do not, and are copied
            otherwise.
        name: how messages call the program.

    Raises:
        ValueError: if operands are committed to different devices.
        RuntimeError: if there is no device `wanted`.
    """
    if wanted is not None:
        device = find(wanted)
        process.placed = process.placed or device is not devices()[0]
        return Place(device, device)
    if not process.placed:  # no array was ever put elsewhere, so there is no need to look
        return Place(default_device(), None)
    home = None
    for array in arrays:
        device = committed_to(array)
        if device is not None and device is not home:
            if home is not None:
                raise _conflict(arrays, name)
            home = device
    for array in closed_over:
        if home is None and type(array) is Array:
            home = committed_to(array)
    if home is None:
        return Place(default_device(), None)
    # Results on the default processor need not be committed: they would be there anyway.
    return Place(home, None if home.on_host and home is state.default else home)


def home_of(arrays: Sequence[Array], name: str) -> Place:
    """Choose where an eager operation is computed, if at least one of its operands is at home.

    Operands that are committed decide; without any, the first operand that is at home.
    """
    if any([committed_to(a) is not None for a in arrays]):
        return place_for(arrays, name=name)
    return Place(next(device_of(handle(a)) for a in arrays if a._np is None and at_home(a)), None)


def put_on(array: Array, place: Place) -> Array:
    """Return a result that NumPy computed as an array on the device of the operands.

    A result for a processor that commits nothing stays as it is, in host memory.
    """
    if place.commits is None and place.device.on_host:
        return array
    return placed(buffer_on(array, place.device), array.aval, place.device, place.commits)


def _conflict(arrays: Sequence[Array], name: str) -> Exception:
    """Return the error for operands that are committed to different devices."""
    bound = [f"{a.aval} on {committed_to(a)}" for a in arrays if committed_to(a) is not None]
    last = next(committed_to(a) for a in reversed(arrays) if committed_to(a) is not None)
    return with_user_line(
        ValueError(
            f"{name}: operands are committed to different devices: {', '.join(bound)}. Arrays are "
            "committed by dx.device_put, or as results of such arrays; put them on one device "
            f"first: dx.device_put(x, {str(last)!r})"
        )
    )


# --------------------------------------------------------------------------------------------------
# What arrays get from the machine


def _fetch(array: Array) -> np.ndarray:
    """Return the numbers of an array. The array keeps them as host data, unless it is at home."""
    host = to_numpy(handle(array), array._aval)
    if not at_home(array):
        array._np = host
    return host


def _device_of(array: Array) -> Device:
    """Return the device of an array's numbers; that of host data is the first processor."""
    if committed_to(array) is not None:
        return committed_to(array)
    return devices("cpu")[0] if array._np is not None else device_of(handle(array))


def _wait(array: Array) -> None:
    """Wait until an array's buffer is computed. Raise the error of its computation."""
    buffer = handle(array)
    if state.forked and not is_ready(buffer):
        raise fork_error()
    if not is_ready(buffer):
        until_ready(buffer)
    try:
        buffer.block_until_ready()
    except compat.XlaError as error:
        raise read_error(buffer, error) from None


#: DLPack's numbers for platforms. DLPack is the protocol by which array libraries share memory.
_DLPACK = {"cpu": 1, "cuda": 2, "rocm": 10}


def _dlpack_device(array: Array) -> tuple[int, int]:
    device = _device_of(array)
    if device.platform not in _DLPACK:
        raise BufferError(
            f"DLPack has no number for the platform {device.platform!r}; "
            "export dx.device_put(x, 'cpu')"
        )
    return _DLPACK[device.platform], 0 if device.platform == "cpu" else device.id


def _dlpack(array: Array, **how: Any) -> Any:
    """Return the array as a capsule of DLPack's protocol, for the keywords of `__dlpack__`."""
    device = _device_of(array)
    kind, _ = _dlpack_device(array)
    target = how.get("dl_device") or (kind,)
    if kind == 1 or target[0] == 1:
        # An exporter of read-only memory needs the versioned protocol; the consumer gets NumPy's.
        if kind != 1:
            how = {k: v for k, v in how.items() if k != "stream"}
        versioned = (how.get("max_version") or (0,))[0] >= 1
        host = read_only(array.host) if versioned else array.host
        return host.__dlpack__(**how)
    buffer = buffer_on(array, device)
    if how.get("copy"):
        buffer = compat.copy_to_device(buffer, device._list, device._sharding, compat.ALWAYS_COPY)
    return compat.dlpack_capsule(
        buffer, how.get("stream"), how.get("max_version"), bool(how.get("copy"))
    )


# Now arrays know how to get to a device. Buffers may share memory with host data (`alias`),
# as the numbers of an Array never change.
machine.put = lambda host, aval: put(host, aval, alias=True, device=state.default or devices()[0])
machine.fetch_buffer = lambda array: buffer_on(array, devices()[0])
machine.fetch = _fetch
machine.at_home = at_home
machine.device_of = _device_of
machine.move = lambda array, device: committed(array, None if device is None else find(device))
machine.wait = _wait
machine.start_fetching = lambda array: compat.start_copy_to_host(handle(array))
machine.dlpack = _dlpack
machine.dlpack_device = _dlpack_device
