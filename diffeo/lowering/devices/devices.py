"""The devices of this process: they exist from the moment the first one is asked for.

A *platform* is a kind of device: "cpu", "cuda", "tpu" or a plugin's name. A platform's *client* is
jaxlib's object that owns the devices. Nothing happens on import: the client of a platform is made
when one of its devices is first needed.

Which platform is the default one is decided once, by `dx.config.platforms`, or else by what is
there: an accelerator whose plugin is installed and finds its hardware, or the processor.

`devices` returns the devices of a platform, `find` the device of a name, `default_device` the
device of programs for which nothing is said.
"""

from __future__ import annotations

import gc
import os
import re
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...primitives.config import config
from ...primitives.core import with_user_line
from ...primitives.support.settings import device_name, process
from ...primitives.support.signals import Held
from .. import compat
from . import plugins


class Device:
    """A device, with everything that transfers to it and programs on it need, made once.

    Attributes:
        platform: "cpu", "cuda", "tpu" ...
        id: its number among the devices of the platform.
        device_kind: the manufacturer's name of it.
        process_index: the process that it belongs to.
        on_host: whether its memory is the host's, so that NumPy evaluates eager operations.
        memory_kinds: the kinds of memory that it can address, its own first.

    Examples:
        >>> import diffeo as dx
        >>> device = dx.devices("cpu")[0]
        >>> device, device.platform, device.id
        (cpu:0, 'cpu', 0)
    """

    __slots__ = (
        "_client",
        "_list",
        "_sharding",
        "_singleton",
        "device_kind",
        "id",
        "memory_kinds",
        "on_host",
        "platform",
        "process_index",
    )

    def __init__(self, client: Any, handle: Any, platform: str):
        self.platform = platform
        self.id: int = handle.id
        self.device_kind: str = handle.device_kind
        self.process_index: int = handle.process_index
        self.on_host = platform == "cpu"
        own_kind = handle.default_memory().kind
        other_kinds = [m.kind for m in handle.addressable_memories() if m.kind != own_kind]
        self.memory_kinds = (own_kind, *other_kinds)
        self._client = client
        self._list = compat.device_list(handle)
        self._sharding = compat.single_device_sharding(self._list)
        self._singleton = [handle]

    @property
    def sharding(self) -> SingleDeviceSharding:
        """The placement of a whole array on this device."""
        return SingleDeviceSharding(self)

    def memory_stats(self) -> dict[str, int] | None:
        """Return the use of the device's memory in bytes: "bytes_in_use", "peak_bytes_in_use",
        "bytes_limit" and others; None for a processor.
        """
        return None if self.platform == "cpu" else self._singleton[0].memory_stats()

    def __repr__(self) -> str:
        return f"{self.platform}:{self.id}"

    def __reduce__(self):
        return find, (repr(self),)


@dataclass(frozen=True)
class SingleDeviceSharding:
    """The placement of a whole array on one device.

    Attributes:
        device: where the array is.
    """

    device: Device

    @property
    def device_set(self) -> set[Device]:
        """All the devices that have a part of the array."""
        return {self.device}


class _Devices:
    """The devices that the process has made so far."""

    #: The devices of each platform that has started.
    platforms: dict[str, tuple[Device, ...]]
    #: The first device of the default platform.
    default: Device | None = None
    #: Whether this process was forked from one that had a client. Read on the hot path.
    forked = False

    def __init__(self) -> None:
        self.platforms, self.lock = {}, threading.RLock()
        #: Devices by the id of their placement (`_sharding`), which each of their buffers carries.
        self.by_sharding: dict[int, Device] = {}
        #: Devices by their names.
        self.by_name: dict[str, Device] = {}


#: The devices of this process.
state = _Devices()


#: Names that stand for any of several platforms.
ALIASES = {"gpu": ("cuda", "rocm")}


def devices(backend: str | None = None) -> tuple[Device, ...]:
    """Return the devices of a platform. Its client starts when they are first asked for.

    Args:
        backend: "cpu", "cuda", "tpu", "gpu" (CUDA or ROCm), or the name of a registered plugin;
            None: the default platform.

    Returns:
        A tuple of devices. The processor is one, unless `dx.config.num_cpu_devices` (or XLA_FLAGS,
        by `--xla_force_host_platform_device_count=n`) says otherwise.

    Raises:
        RuntimeError: if there is no such platform here, or it does not start; also in a process
            forked from one that had already started a client.

    Examples:
        >>> import diffeo as dx
        >>> dx.devices("cpu")
        (cpu:0,)
    """
    if state.forked:
        raise fork_error()
    if backend is None:
        first = state.default or _choose_default()
        return state.platforms[first.platform]
    started = state.platforms.get(backend)
    return started if started is not None else _platform(backend)


def local_devices(
    process_index: int | None = None, backend: str | None = None, host_id: int | None = None
) -> tuple[Device, ...]:
    """Return the devices of a platform that belong to this process, or to the process with this
    index (`host_id` is its old name); see `devices`.
    """
    index = process_index if process_index is not None else host_id or 0
    return tuple([d for d in devices(backend) if d.process_index == index])


def device_count(backend: str | None = None) -> int:
    """Return how many devices a platform has; see `devices`."""
    return len(devices(backend))


def local_device_count(backend: str | None = None) -> int:
    """Return how many of a platform's devices belong to this process; see `devices`."""
    return len(local_devices(backend=backend))


def default_backend() -> str:
    """Return the name of the default platform: "cpu", "cuda" ...

    Examples:
        >>> import diffeo as dx
        >>> dx.default_backend() == dx.devices()[0].platform
        True
    """
    return devices()[0].platform


def default_device() -> Device:
    """Return the device on which programs run, and to which data go, if nothing is said.

    That is `dx.config.default_device`, or the first device of the default platform.
    """
    if process.placed:
        name = config.default_device
        if name is not None:
            return find(name)
    return state.default or devices()[0]


def find(device: Any) -> Device:
    """Return the device of a name: "cuda:1", or that of a platform, "cuda", for its first device.

    Raises:
        RuntimeError: if there is no such device. The message lists the devices that are there.
        ValueError: for text that cannot be a name.
        TypeError: for anything else.
    """
    if type(device) is Device:
        return device
    known = state.by_name.get(device) if type(device) is str else None
    if known is not None:
        return known
    if not isinstance(device, str):
        raise with_user_line(
            TypeError(f"expected a device, or its name as 'cpu' or 'cuda:1', got {device!r}")
        )
    try:
        name = device_name(device)
    except ValueError as error:
        raise with_user_line(error) from None
    platform, _, number = str(name).partition(":")
    try:
        candidates = devices(platform)
    except RuntimeError as error:
        raise with_user_line(error) from None
    if not number:
        return candidates[0]
    for candidate in candidates:
        if candidate.id == int(number):
            state.by_name[device] = candidate
            return candidate
    more = "; more: dx.config.num_cpu_devices, before devices are used" if platform == "cpu" else ""
    raise with_user_line(
        RuntimeError(
            f"there is no device {device!r}: the devices of the platform {platform!r} are "
            f"{', '.join(map(repr, candidates))}{more}"
        )
    )


def device_description(device: Device | None = None) -> str:
    """Return a line about a device for people: `cpu:0 (x86_64 Some Processor, 8 cores, jaxlib
    0.10.2)`.
    """
    device = device or default_device()
    about = _processor() if device.platform == "cpu" else device.device_kind
    return f"{device} ({about}, jaxlib {compat.version})"


# --------------------------------------------------------------------------------------------------
# Starting


def _platform(name: str) -> tuple[Device, ...]:
    """Return the devices of a platform that is named. Start it, if it has not started."""
    installed = [*plugins.available(), "cpu"]
    allowed = [n for c in config.platforms or installed for n in ALIASES.get(c, (c,))] + ["cpu"]
    candidates = [n for n in ALIASES.get(name, (name,)) if n in installed and n in allowed]
    if not candidates:
        names = ", ".join(map(repr, installed))
        only = f" and dx.config.platforms is {config.platforms}" if config.platforms else ""
        raise RuntimeError(
            f"there is no platform {name!r} here: installed are {names}{only}. "
            "An accelerator needs its PJRT plugin: for NVIDIA, pip install 'diffeo[cuda13]'"
        )
    try:
        return _start(candidates[0])
    except RuntimeError as error:
        raise RuntimeError(f"the platform {candidates[0]!r} does not start: {error}") from None


def _choose_default() -> Device:
    """Decide which platform is the default one. Return its first device."""
    with state.lock:
        if state.default is None:
            process.started.add("devices")
            allowed = config.platforms
            candidates = _platform(allowed[0]) if allowed else _first_that_works()
            state.default = candidates[0]
        return state.default


def _first_that_works() -> tuple[Device, ...]:
    """Start the best platform that starts. Return its devices."""
    for name in plugins.available():
        try:
            return _start(name)
        except plugins.NoDeviceError as error:
            # An installed plugin does not mean that there is a device: a laptop on which programs
            # are written may have the plugin, too. So this is not worth a warning.
            import logging  # five milliseconds, which most programs never need

            logging.getLogger("diffeo").debug("the platform %r is not used: %s", name, error)
        except RuntimeError as error:
            warnings.warn(
                f"diffeo: the platform {name!r} is there but does not start, so the processor is "
                f"used: {error}. To do so silently, set DIFFEO_PLATFORMS=cpu",
                RuntimeWarning,
                stacklevel=2,
            )
    return _start("cpu")


def _start(name: str) -> tuple[Device, ...]:
    """Make the client of a platform, once. Return the devices."""
    with state.lock, Held():
        devices_ = state.platforms.get(name)
        if devices_ is not None:
            return devices_
        client = _make_client(name)
        if not state.platforms:
            # jaxlib queues Python objects that it no longer needs, and frees them when told to.
            gc.callbacks.append(_collect_after_gc)
            os.register_at_fork(after_in_child=_after_fork)
        devices_ = tuple([Device(client, handle, name) for handle in client.local_devices()])
        process.started.add(name)
        process.placed = process.placed or name != "cpu"
        for device in devices_:
            state.by_sharding[id(device._sharding)] = device
        state.platforms[name] = devices_
        return devices_


def _make_client(name: str) -> Any:
    """Make the client of a platform, by the settings of `dx.config`."""
    if name != "cpu":
        return plugins.make_client(
            name, preallocate=config.preallocate, memory_fraction=config.memory_fraction
        )
    num_devices = config.num_cpu_devices
    by_flag = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    return compat.make_cpu_client(None if num_devices is None and by_flag else num_devices or 1)


def _collect_after_gc(
    phase: str, info: Mapping[str, int], collect: Callable[[], None] = compat.collect_garbage
) -> None:
    """Free what jaxlib has queued, after each run of Python's garbage collector."""
    # `collect` is bound here because the last collections run when modules are already torn down.
    if phase == "stop":
        collect()


def _after_fork() -> None:
    """Note, in a child process, that no device of the parent can be used."""
    state.forked, state.default = True, None
    state.by_name.clear()
    gc.callbacks.remove(_collect_after_gc)


def fork_error() -> RuntimeError:
    """Return the error for the use of devices in a child process that was forked."""
    return RuntimeError(
        "this process was forked from one that had already used diffeo's compiler; its threads do "
        "not exist here, so a computation would wait for ever. Start the process with "
        "multiprocessing.get_context('spawn') (or 'forkserver') instead of fork."
    )


def _architecture() -> str:
    """Return the name of the processor's architecture, such as "x86_64"."""
    # The module platform would say it everywhere, but takes two milliseconds to import.
    return os.uname().machine if hasattr(os, "uname") else os.environ["PROCESSOR_ARCHITECTURE"]


@lru_cache(maxsize=1)
def _processor() -> str:
    """Return the processor's architecture and model, and the number of cores."""
    model = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            match = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
            model = " " + match[1].strip() if match else ""
    except OSError:
        pass  # not Linux: the architecture alone
    return f"{_architecture()}{model}, {os.cpu_count()} cores"
