"""The devices of this process: they exist from the moment the first one is asked for.

Nothing happens on import: the PJRT client of a platform is made when one of its devices is first
needed. Which platform is the default one is decided once, by `dx.config.platforms`, or else by
what is there: an accelerator whose plugin is installed and finds its hardware, or the processor.
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
    """A device, and what every transfer to it and every program on it needs, made once.

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
        own = handle.default_memory().kind
        others = [m.kind for m in handle.addressable_memories() if m.kind != own]
        self.memory_kinds = (own, *others)
        self._client = client
        self._list = compat.device_list(handle)
        self._sharding = compat.single_device_sharding(self._list)
        self._singleton = [handle]

    @property
    def sharding(self) -> SingleDeviceSharding:
        """The placement of a whole array on this device."""
        return SingleDeviceSharding(self)

    def memory_stats(self) -> dict[str, int] | None:
        """The use of the device's memory in bytes: "bytes_in_use", "peak_bytes_in_use",
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
    """What the process has made so far."""

    #: The devices of each platform that has started.
    platforms: dict[str, tuple[Device, ...]]
    #: The first device of the default platform.
    default: Device | None = None
    #: In a child that was forked from a process with a client; read on the hot path.
    forked = False

    def __init__(self) -> None:
        self.platforms, self.lock = {}, threading.RLock()
        #: Devices by the identity of their placement, which each of their buffers carries.
        self.by_sharding: dict[int, Device] = {}
        #: Devices by their names.
        self.by_name: dict[str, Device] = {}


state = _Devices()


#: What stands for any of several platforms.
ALIASES = {"gpu": ("cuda", "rocm")}


def devices(backend: str | None = None) -> tuple[Device, ...]:
    """The devices of a platform; its client starts when they are first asked for.

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
    found = state.platforms.get(backend)
    return found if found is not None else _platform(backend)


def local_devices(
    process_index: int | None = None, backend: str | None = None
) -> tuple[Device, ...]:
    """The devices of a platform that belong to this process, or to the one with this index; see
    `devices`.
    """
    index = 0 if process_index is None else process_index
    return tuple([d for d in devices(backend) if d.process_index == index])


def device_count(backend: str | None = None) -> int:
    """How many devices a platform has; see `devices`."""
    return len(devices(backend))


def local_device_count(backend: str | None = None) -> int:
    """How many of a platform's devices belong to this process; see `devices`."""
    return len(local_devices(backend=backend))


def default_backend() -> str:
    """The name of the default platform: "cpu", "cuda" ...

    Examples:
        >>> import diffeo as dx
        >>> dx.default_backend() == dx.devices()[0].platform
        True
    """
    return devices()[0].platform


def default_device() -> Device:
    """Where programs run, and their data go, if nothing is said: `dx.config.default_device`, or
    the first device of the default platform.
    """
    if process.placed:
        name = config.default_device
        if name is not None:
            return find(name)
    return state.default or devices()[0]


def find(device: Any) -> Device:
    """The device of a name: "cuda:1", or of a platform, "cuda", its first one.

    Raises:
        RuntimeError: if there is no such device; it lists those that are there.
        ValueError: for text that cannot be a name.
        TypeError: for anything else.
    """
    if type(device) is Device:
        return device
    found = state.by_name.get(device) if type(device) is str else None
    if found is not None:
        return found
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
        there = devices(platform)
    except RuntimeError as error:
        raise with_user_line(error) from None
    if not number:
        return there[0]
    for candidate in there:
        if candidate.id == int(number):
            state.by_name[device] = candidate
            return candidate
    more = "; more: dx.config.num_cpu_devices, before devices are used" if platform == "cpu" else ""
    raise with_user_line(
        RuntimeError(
            f"there is no device {device!r}: the devices of the platform {platform!r} are "
            f"{', '.join(map(repr, there))}{more}"
        )
    )


def device_description(device: Device | None = None) -> str:
    """A line about a device for people: `cpu:0 (x86_64 Some Processor, 8 cores, jaxlib 0.10.2)`."""
    device = device or default_device()
    about = _processor() if device.platform == "cpu" else device.device_kind
    return f"{device} ({about}, jaxlib {compat.version})"


# --------------------------------------------------------------------------------------------------
# Starting


def _platform(name: str) -> tuple[Device, ...]:
    """The devices of a platform that is named; starts it."""
    there = [*plugins.available(), "cpu"]
    allowed = [n for c in config.platforms or there for n in ALIASES.get(c, (c,))] + ["cpu"]
    candidates = [n for n in ALIASES.get(name, (name,)) if n in there and n in allowed]
    if not candidates:
        listed = ", ".join(map(repr, there))
        only = f" and dx.config.platforms is {config.platforms}" if config.platforms else ""
        raise RuntimeError(
            f"there is no platform {name!r} here: installed are {listed}{only}. "
            "An accelerator needs its PJRT plugin: for NVIDIA, pip install 'diffeo[cuda13]'"
        )
    try:
        return _start(candidates[0])
    except RuntimeError as error:
        raise RuntimeError(f"the platform {candidates[0]!r} does not start: {error}") from None


def _choose_default() -> Device:
    """Decide which platform is the default one."""
    with state.lock:
        if state.default is None:
            process.started.add("devices")
            chosen = config.platforms
            found = _platform(chosen[0]) if chosen else _first_that_works()
            state.default = found[0]
        return state.default


def _first_that_works() -> tuple[Device, ...]:
    for name in plugins.available():
        try:
            return _start(name)
        except plugins.NoDeviceError as error:
            # The plugin alone says nothing: a laptop has it, too, on which a program is written.
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
    """Make the client of a platform, once."""
    with state.lock, Held():
        found = state.platforms.get(name)
        if found is not None:
            return found
        client = _make_client(name)
        if not state.platforms:
            # jaxlib queues Python objects that it no longer needs and frees them when told to.
            gc.callbacks.append(_collect_after_gc)
            os.register_at_fork(after_in_child=_after_fork)
        found = tuple([Device(client, handle, name) for handle in client.local_devices()])
        process.started.add(name)
        process.placed = process.placed or name != "cpu"
        for device in found:
            state.by_sharding[id(device._sharding)] = device
        state.platforms[name] = found
        return found


def _make_client(name: str) -> Any:
    if name != "cpu":
        return plugins.make_client(
            name, preallocate=config.preallocate, memory_fraction=config.memory_fraction
        )
    wanted = config.num_cpu_devices
    by_flag = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    return compat.make_cpu_client(None if wanted is None and by_flag else wanted or 1)


def _collect_after_gc(
    phase: str, info: Mapping[str, int], collect: Callable[[], None] = compat.collect_garbage
) -> None:
    # `collect` is bound here because the last collections run when modules are already torn down.
    if phase == "stop":
        collect()


def _after_fork() -> None:
    state.forked, state.default = True, None
    state.by_name.clear()
    gc.callbacks.remove(_collect_after_gc)


def fork_error() -> RuntimeError:
    return RuntimeError(
        "this process was forked from one that had already used diffeo's compiler; its threads do "
        "not exist here, so a computation would wait for ever. Start the process with "
        "multiprocessing.get_context('spawn') (or 'forkserver') instead of fork."
    )


def _architecture() -> str:
    # The module platform would say it everywhere, but takes two milliseconds to import.
    return os.uname().machine if hasattr(os, "uname") else os.environ["PROCESSOR_ARCHITECTURE"]


@lru_cache(maxsize=1)
def _processor() -> str:
    model = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            named = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
            model = " " + named[1].strip() if named else ""
    except OSError:
        pass  # not Linux: the architecture alone
    return f"{_architecture()}{model}, {os.cpu_count()} cores"
