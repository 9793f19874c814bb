"""This process: what it runs on, its arrays, and its number among others."""

from __future__ import annotations

import gc
import os
import platform as system
import sys
from typing import Any

import numpy as np

from .api.device_put import block_until_ready
from .lowering import compat
from .lowering.devices import devices
from .primitives.array import Array
from .trees import tree


def effects_barrier() -> None:
    """Wait until all callbacks of compiled functions have happened.

    They have when a call returns, so what is left to wait for are the computations of arrays.

    Examples:
        >>> import diffeo as dx
        >>> dx.jit(lambda x: dx.debug.print("x = {}", x))(1.0)
        x = 1.0
        >>> dx.effects_barrier()
    """
    block_until_ready([a for a in live_arrays() if a._np is None])


def live_arrays(platform: str | None = None) -> list[Any]:
    """Return the arrays of this process that are alive, deleted ones left out.

    Args:
        platform: "cpu", "cuda" ...: those on its devices only.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.ones(3)
        >>> any(a is x for a in dx.live_arrays())
        True
    """
    arrays = [a for a in gc.get_objects() if type(a) is Array and not a.is_deleted()]
    if platform is None:
        return arrays
    return [a for a in arrays if a.device.platform == platform]


def copy_to_host_async(x: Any) -> Any:
    """Begin to copy all arrays of a tree to the host, and do not wait; return the tree.

    Examples:
        >>> import diffeo as dx
        >>> dx.copy_to_host_async({"a": dx.jit(dx.numpy.exp)(0.0)})
        {'a': Array(1.)}
    """
    for a in tree.leaves(x):
        if type(a) is Array:
            a.copy_to_host_async()
    return x


def print_environment_info(return_string: bool = False) -> str | None:
    """Print the versions and devices, for a report of a fault.

    Args:
        return_string: return the text instead.

    Examples:
        >>> import diffeo as dx
        >>> print(dx.print_environment_info(return_string=True))  # doctest: +ELLIPSIS
        diffeo: ...
    """
    variables = sorted([n for n in os.environ if n.startswith(("DIFFEO_", "JAX_", "XLA_"))])
    lines = [
        f"diffeo: {sys.modules[__package__ or ''].__version__}",
        f"jaxlib: {compat.version}",
        f"numpy:  {np.__version__}",
        f"python: {sys.version.splitlines()[0]}",
        f"system: {system.platform()}",
        f"device: {devices.devices()}",
        f"processes: {process_count()}",
        *[f"{n}={os.environ[n]}" for n in variables],
    ]
    text = "\n".join(lines)
    if return_string:
        return text
    print(text)
    return None


def process_count(backend: str | None = None) -> int:
    """Return how many processes compute together: one.

    Args:
        backend: the platform that is asked about; it must exist.

    Raises:
        RuntimeError: if there is no such platform.

    Examples:
        >>> import diffeo as dx
        >>> dx.process_count(), dx.process_index(), dx.process_indices()
        (1, 0, [0])
    """
    devices.devices(backend)
    return 1


def process_index(backend: str | None = None) -> int:
    """Return the number of this process among those that compute together: 0.

    Raises:
        RuntimeError: if there is no such platform.
    """
    return process_count(backend) - 1


def process_indices(backend: str | None = None) -> list[int]:
    """Return the numbers of the processes that compute together.

    Raises:
        RuntimeError: if there is no such platform.
    """
    return [*range(process_count(backend))]


def host_count(backend: str | None = None) -> int:
    """Return `process_count`, by its older name."""
    return process_count(backend)


def host_id(backend: str | None = None) -> int:
    """Return `process_index`, by its older name."""
    return process_index(backend)


def host_ids(backend: str | None = None) -> list[int]:
    """Return `process_indices`, by its older name."""
    return process_indices(backend)
