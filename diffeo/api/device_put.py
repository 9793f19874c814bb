"""Trees of arrays on devices, and back: device_put, device_get, block_until_ready, default_device.

An array is committed to a device if the user put it there: programs on it then run there. Other
arrays go where a program runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..lowering.devices import buffers
from ..lowering.devices.devices import Device, find
from ..lowering.devices.devices import default_device as current_default
from ..lowering.devices.placement import buffer_on, committed
from ..operations.transfer import DevicePut
from ..primitives.array import Array, as_value, committed_to, handle
from ..primitives.config import config
from ..primitives.core import Tracer, describe, expected, with_user_line
from ..trees import tree


def device_put(
    x: Any,
    device: Any = None,
    *,
    src: Any = None,
    donate: bool = False,
    may_alias: bool | None = None,
) -> Any:
    """Put arrays on a device and *commit* them to it: programs with these operands run there.

    The function is differentiable: cotangents go back to the device of the argument. Inside of a
    compiled function it is the identity, since a program runs on one device.

    Args:
        x: an array, a number, or a tree of them. NumPy arrays are copied.
        device: a device, its name ("cpu:1", "cuda"), or a tree of them whose structure is that of
            `x` or a prefix of it. None: the default device, to which nothing is committed.
        src: None, or where the arguments are, which their arrays know themselves.
        donate: the arguments are not needed any more; the memory of those that were copied is
            freed.
        may_alias: whether the result may have the memory of an argument, as it may by default: no
            difference can be seen, as arrays never change. Not with `donate`.

    Returns:
        The tree, with Arrays in it. Transfers may still be under way: programs that use the arrays
        wait.

    Raises:
        RuntimeError: if there is no such device.
        TypeError: if a leaf is no array or number, or what is given as a device is none.
        ValueError: if the tree of devices is no prefix of `x`, or for `donate` with `may_alias`.

    Examples:
        >>> import diffeo as dx
        >>> y = device_put(dx.numpy.arange(3.0), "cpu")
        >>> y.device, y.committed, (y + 1).device
        (cpu:0, True, cpu:0)
    """
    if donate and may_alias:
        raise with_user_line(
            ValueError("device_put: donate gives memory back, which may_alias would still use")
        )
    if device is None or isinstance(device, (str, Device)):
        target = None if device is None else find(device)
        return tree.map(lambda leaf: _put(leaf, target, donate), x)
    leaves, structure = tree.flatten(x)
    try:
        names = tree.broadcast_prefix(device, x, is_leaf=lambda d: d is None)
    except ValueError as error:
        raise with_user_line(ValueError(f"device_put: the devices are {error}")) from None
    targets = [None if d is None else find(d) for d in names]
    return tree.unflatten(structure, [_put(leaf, d, donate) for leaf, d in zip(leaves, targets)])


def _put(x: Any, device: Device | None, donate: bool) -> Any:
    """Put one leaf on a device; None is the default device, without commitment."""
    try:
        value = as_value(x)
    except TypeError:
        raise with_user_line(
            TypeError(
                f"device_put: got {describe(x)}; {expected(x, 'expected arrays and numbers')}"
            )
        ) from None
    if isinstance(value, Tracer):
        if device is None:
            return value
        known = value.concrete()
        source = committed_to(known) if type(known) is Array else None
        return DevicePut(repr(device), None if source is None else repr(source)).bind(value)
    if device is None:
        buffer_on(value, current_default())
        return value
    return committed(value, device, donate and value is x)


def device_get(x: Any) -> Any:
    """Return arrays as NumPy arrays, which must not be written to.

    The transfers of all arrays are begun at once.

    Args:
        x: an array, or a tree of arrays and other leaves; these stay as they are, and so do keys.

    Raises:
        RuntimeError: if the computation of an array failed.
        TracerArrayConversionError: for a traced value.

    Examples:
        >>> import diffeo as dx
        >>> device_get({"a": dx.numpy.ones(2), "b": 3})
        {'a': array([1., 1.]), 'b': 3}
    """
    for leaf in tree.leaves(x):
        if type(leaf) is Array:
            leaf.copy_to_host_async()
    fetched = lambda a: isinstance(a, (Array, Tracer)) and a.dtype.kind != "k"
    return tree.map(lambda a: np.asarray(a) if fetched(a) else a, x)


def block_until_ready(x: Any) -> Any:
    """Wait until all arrays of a tree are computed; return the tree.

    Raises:
        RuntimeError: if the computation of an array failed.

    Examples:
        >>> import diffeo as dx
        >>> block_until_ready(dx.jit(dx.numpy.exp)(0.0))
        Array(1.)
    """
    waiting = [a for a in tree.leaves(x) if type(a) is Array and a._np is None]
    if len(waiting) > 1 and not any([a.is_deleted() for a in waiting]):
        buffers.block_until_ready([handle(a) for a in waiting])
    for a in waiting:
        a.block_until_ready()
    return x


@contextmanager
def default_device(new_val: Any) -> Iterator[None]:
    """Run programs on this device within a `with` block, unless their operands are committed to
    another device.

    Setting `dx.config.default_device` does the same for good.

    Args:
        new_val: a device, its name ("cuda:1"), a platform's ("cpu"), or None: the first device of
            the default platform.

    Raises:
        RuntimeError: if there is no such device.
        ValueError: for a name that cannot be one.

    Examples:
        >>> import diffeo as dx
        >>> with dx.default_device("cpu:0"):
        ...     dx.jit(dx.numpy.sin)(0.0)
        Array(0.)
    """
    before = config.default_device
    config.default_device = None if new_val is None else find(new_val)
    try:
        yield
    finally:
        config.default_device = before
