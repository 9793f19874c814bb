"""What arrays need of the machine: methods that `lowering/devices/placement.py` fills in."""

from __future__ import annotations

from typing import Any

import numpy as np

from .types import ShapedArray


class Machine:
    """What the machine does for arrays. `lowering/devices/placement.py` says how, once it is
    imported.
    """

    def put(self, host: np.ndarray, aval: ShapedArray) -> Any:
        """Return a buffer with the numbers of host data, on the default device."""
        raise NotImplementedError

    def fetch_buffer(self, array: Any) -> Any:
        """Return a copy, on the default device, of a buffer that is on another."""
        raise NotImplementedError

    def fetch(self, array: Any) -> np.ndarray:
        """Return the numbers of an array that has no host data, as host data.

        The array keeps the host data, unless it is at home elsewhere.
        """
        raise NotImplementedError

    def device_of(self, array: Any) -> Any:
        """Return the device on which the numbers are."""
        raise NotImplementedError

    def at_home(self, array: Any) -> bool:
        """Return whether an array that has no host data is to stay where it is."""
        raise NotImplementedError

    def move(self, array: Any, device: Any) -> Any:
        """Return the array committed to a device (or its name); with None, to no device."""
        raise NotImplementedError

    def wait(self, array: Any) -> None:
        """Wait for the buffer; raise the error of its computation."""
        raise NotImplementedError

    def start_fetching(self, array: Any) -> None:
        """Begin to copy the buffer to the host."""
        raise NotImplementedError

    def dlpack(self, array: Any, **how: Any) -> Any:
        """Return the array as a capsule of DLPack's protocol."""
        raise NotImplementedError

    def dlpack_device(self, array: Any) -> tuple[int, int]:
        """Return DLPack's type of the array's device, and its number."""
        raise NotImplementedError


#: The one machine. `lowering` replaces its methods.
machine = Machine()
