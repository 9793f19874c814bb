"""Accelerators: PJRT plugins, found when asked for and loaded at first use, without jax.

PJRT is XLA's interface to devices. A *plugin* is a shared library that speaks PJRT's C interface
for one platform. A *client* is what a plugin makes for this process: it owns the platform's
devices. A plugin is loaded under a name of our own, so that jax in the same process can load it
too, before or after, as if we were not there.

`make_client` is what `devices.py` calls.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import compat
from . import cuda


class NoDeviceError(RuntimeError):
    """A plugin is installed, but the machine has no such device (or no driver for it)."""


@dataclass(frozen=True)
class Plugin:
    """A plugin that is known: where it is, and how it is loaded.

    Attributes:
        library: returns the plugin's file, or None if it is not installed. Cheap.
        missing_device: returns why there can be no such device here, or None. Called before
            loading.
        before: called before loading. It raises RuntimeError if something does not fit.
        after: called with the C interface, once the plugin is loaded.
        options: the options of the plugin's clients.
        shares_memory: whether the plugin takes part of the device's memory at once, if told to.
    """

    library: Callable[[], str | None]
    missing_device: Callable[[], str | None] = lambda: None
    before: Callable[[], None] = lambda: None
    after: Callable[[Any], None] = lambda c_api: None
    options: Mapping[str, Any] = field(default_factory=dict)
    shares_memory: bool = False


@cache
def _tpu_library() -> str | None:
    """Return libtpu's file: the one that TPU_LIBRARY_PATH names, or the wheel's."""
    if chosen := os.environ.get("TPU_LIBRARY_PATH"):
        return chosen if os.path.exists(chosen) else None
    spec = find_spec("libtpu")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "libtpu.so"
    return str(path) if path.exists() else None


def _missing_tpu() -> str | None:
    """Return why there can be no TPU here, or None.

    libtpu itself would wait for minutes for a metadata server that is not there.
    """
    for vendor in Path("/sys/bus/pci/devices").glob("*/vendor"):
        try:
            if vendor.read_text().strip() == "0x1ae0":
                return None
        except OSError:
            continue
    return "no PCI device is a TPU"


def _before_tpu() -> None:
    os.environ.setdefault("TPU_ML_PLATFORM", "diffeo")
    flag = "--xla_tpu_use_enhanced_launch_barrier"
    arguments = os.environ.get("LIBTPU_INIT_ARGS", "")
    if flag not in arguments:
        os.environ["LIBTPU_INIT_ARGS"] = f"{arguments} {flag}=true".strip()


#: The plugins by their platforms, best first.
_plugins: dict[str, Plugin] = {
    "cuda": Plugin(
        cuda.library, cuda.missing_device, cuda.before_loading, cuda.after_loading,
        {"platform_name": "cuda", "allocator": "default"}, shares_memory=True),
    "tpu": Plugin(_tpu_library, _missing_tpu, _before_tpu),
}  # fmt: skip
#: Names of platforms for which there is no plugin, or several.
_RESERVED = ("cpu", "gpu")
#: The C interfaces of the plugins that are loaded.
_loaded: dict[str, Any] = {}
_lock = threading.RLock()


def available() -> list[str]:
    """Return the platforms whose plugin is installed or registered, best first. Nothing is loaded.

    Examples:
        >>> "cpu" in available()  # it needs no plugin
        False
    """
    return [name for name, plugin in _plugins.items() if plugin.library() is not None]


def register_plugin(
    name: str, path: str | os.PathLike, options: Mapping[str, Any] | None = None
) -> None:
    """Make known a PJRT plugin, any library that exports `GetPjrtApi`. It is loaded at first use.

    Args:
        name: what its platform is called, as in `dx.devices(name)`.
        path: the library's file.
        options: what its clients are made with; the plugin says which there are.

    Raises:
        ValueError: if the name is taken, or is no name.
        FileNotFoundError: if there is no such file.

    Examples:
        >>> register_plugin("mine", "/opt/mine/pjrt_plugin.so")
        Traceback (most recent call last):
        FileNotFoundError: register_plugin('mine'): there is no file /opt/mine/pjrt_plugin.so
        >>> register_plugin("cuda", "/opt/mine/pjrt_plugin.so")
        Traceback (most recent call last):
        ValueError: register_plugin: the name 'cuda' is taken (cuda, tpu, cpu, gpu); choose another
    """
    file = os.path.abspath(os.fspath(path))
    with _lock:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(
                f"register_plugin: a platform's name is a word of letters, digits and _, got "
                f"{name!r}"
            )
        if name in _plugins or name in _RESERVED:
            taken = ", ".join([*_plugins, *_RESERVED])
            raise ValueError(
                f"register_plugin: the name {name!r} is taken ({taken}); choose another"
            )
        if not os.path.isfile(file):
            raise FileNotFoundError(f"register_plugin({name!r}): there is no file {file}")
        _plugins[name] = Plugin(lambda: file, options=dict(options or {}))


def load(platform: str) -> Any:
    """Return the C interface of a platform's plugin. The first call loads the plugin.

    Raises:
        ValueError: if no plugin has this name, or its file is no plugin.
        RuntimeError: if the plugin is not installed, or does not fit.
    """
    with _lock:
        plugin = _plugins.get(platform)
        if plugin is None:
            raise ValueError(
                f"no plugin for the platform {platform!r} is known, only for "
                f"{', '.join(_plugins)}; dx.register_plugin(name, path) adds one"
            )
        path = plugin.library()
        if path is None:
            raise RuntimeError(f"the plugin for {platform} is not installed: {_ADVICE[platform]}")
        if platform not in _loaded:
            plugin.before()
            try:
                c_api = compat.load_plugin(_own(platform), path)
            except compat.XlaError as error:
                raise ValueError(f"{path} is no PJRT plugin that can be loaded: {error}") from None
            plugin.after(c_api)
            _loaded[platform] = c_api
        return _loaded[platform]


#: How to install a plugin, for messages.
_ADVICE = {
    "cuda": "pip install 'diffeo[cuda13]', or 'diffeo[cuda12]' for older drivers",
    "tpu": "pip install libtpu",
}


def make_client(
    platform: str,
    *,
    preallocate: bool = False,
    memory_fraction: float | None = None,
    **options: Any,
) -> Any:
    """Make a PJRT client of a platform.

    Args:
        platform: one of `available()`.
        preallocate: take the device's memory at once. It is then never fragmented, but nobody
            else can have it.
        memory_fraction: the part of the device's memory that may be used; None leaves it to the
            plugin (three quarters).
        options: more options of the plugin's, as `visible_devices=[0]`.

    Raises:
        NoDeviceError: if there is no such device.
        ValueError: if no plugin has this name, its file is no plugin, or the plugin does not know
            an option.
        RuntimeError: if the plugin is not installed, does not fit, or does not work.
    """
    plugin = _plugins.get(platform)
    if plugin is not None and plugin.library() and (reason := plugin.missing_device()):
        raise NoDeviceError(f"{platform}: {reason}")
    load(platform)
    assert plugin is not None, "what is not known cannot be loaded"
    client_options = dict(plugin.options)
    if plugin.shares_memory:
        client_options["preallocate"] = preallocate
        if memory_fraction is not None:
            client_options["memory_fraction"] = float(memory_fraction)
    try:
        return compat.make_plugin_client(_own(platform), client_options | options)
    except compat.XlaError as error:
        reason = f"{platform}: the plugin's client did not start: {error}"
        if "No visible" in str(error) or "NOT_FOUND" in str(error):
            raise NoDeviceError(reason) from None
        if "Unexpected option" in str(error):
            raise ValueError(reason) from None
        raise RuntimeError(reason) from None


def _own(platform: str) -> str:
    """Return the name under which we load a plugin."""
    return f"diffeo_{platform}"
