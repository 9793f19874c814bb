"""Settings, as `dx.config` shows them: those of the task, and those of the process.

A task's settings are one object in a context variable, which is replaced when a setting changes.
The process's settings stand in `support/settings.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .support import settings as process_settings
from .support.key_types import KEY_TYPES
from .support.settings import device_name, process

#: The settings that programs depend on.
PROGRAM_SETTINGS = (
    "default_bits", "fuse_derivatives", "simplify", "default_device", "default_prng_impl",
    "debug_key_reuse",
)  # fmt: skip
#: The settings that are on or off.
SWITCHES = ("fuse_derivatives", "simplify", "progress", "log_compiles", "debug_key_reuse")
#: The names of all settings that `dx.config` has.
SETTINGS = (
    "default_bits", *SWITCHES, "default_device", "default_prng_impl", "num_cpu_devices",
    "platforms", "preallocate", "memory_fraction",
)  # fmt: skip
#: The one tuple of each combination of values of `PROGRAM_SETTINGS`: caches compare it by identity.
_programs: dict[tuple, tuple] = {}


class _Settings:
    """The settings of a task. An object never changes, since tasks share it; it is replaced."""

    __slots__ = ("debug_key_reuse", "default_bits", "default_device", "default_prng_impl",
                 "fuse_derivatives", "log_compiles", "progress", "settings",
                 "simplify")  # fmt: skip

    def __init__(self, **values: Any):
        for name, value in values.items():
            object.__setattr__(self, name, value)
        now = tuple([values[name] for name in PROGRAM_SETTINGS])
        object.__setattr__(self, "settings", _programs.setdefault(now, now))

    def replaced(self, name: str, value: Any) -> _Settings:
        """Return these settings with another value of one."""
        values = {n: getattr(self, n) for n in self.__slots__ if n != "settings"}
        return _Settings(**{**values, name: value})


#: The settings of a task that has made none.
_USUAL = _Settings(
    debug_key_reuse=False,
    default_bits=64,
    default_device=None,
    default_prng_impl="threefry2x32",
    fuse_derivatives=True,
    log_compiles=False,
    progress=True,
    simplify=True,
)


def make_usual(name: str, value: Any) -> None:
    """Change a setting of all tasks that have made none, threads that start later among them."""
    changed = _USUAL.replaced(name, value)
    for slot in _USUAL.__slots__:
        object.__setattr__(_USUAL, slot, getattr(changed, slot))


#: The settings of the current task.
_task: ContextVar[_Settings] = ContextVar("diffeo settings", default=_USUAL)
#: The settings of this task, for the hot paths: `dx.config` takes four times as long to read.
task_settings = _task.get


class _OfTask:
    """A setting of the task, as an attribute of `dx.config`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, config: Any, owner: Any = None) -> Any:
        return self if config is None else getattr(task_settings(), self.name)

    def __set__(self, config: Any, value: Any) -> None:
        _task.set(task_settings().replaced(self.name, value))


class Config:
    """Settings of the library. `dx.config` is the one instance.

    Attributes:
        default_bits: 64 (NumPy's: float64, int64, complex128) or 32; the dtypes that Python
            scalars and creation functions get when nothing else decides.
        fuse_derivatives: nested derivatives by a scalar, `grad(grad(f))` say, are computed in one
            Taylor pass (the default); if False, each level differentiates the one inside.
        simplify: programs are simplified before they are compiled (the default); if False, only
            dead code goes.
        default_prng_impl: the generator of keys, and of raw keys: "threefry2x32", "rbg",
            "unsafe_rbg", "philox2x32", "philox4x32" or "threefry4x32".
        debug_key_reuse: a typed key that is used twice raises a KeyReuseError.
        default_device: where programs run whose operands are not bound to a device; a device, its
            name ("cpu:1", "cuda") or None: the first device of the default platform.
        num_cpu_devices: how many devices the processor counts as, 1 by default.
        platforms: the platforms to use, the default one first, as "cuda,cpu"; None: accelerators
            that are there, then the processor.
        preallocate: whether an accelerator's memory is taken as a whole at the start; False.
        memory_fraction: the part of an accelerator's memory that may be used; None: XLA's choice.
        progress: what takes long to compile says so, in a terminal or a notebook.
        log_compiles: say on the logger "diffeo" what is traced and compiled, why, and how long it
            took.
        settings: the values of all settings that programs depend on; of equal settings, the same
            object.

    A setting holds for the task that makes it, and for tasks that this one starts afterwards
    (asyncio's, by `contextvars`); a thread starts with what is usual. Those from `num_cpu_devices`
    to `memory_fraction` hold for the process, and can be made only before a device is first used;
    the environment can make them, too: DIFFEO_NUM_CPU_DEVICES, DIFFEO_PLATFORMS, DIFFEO_PREALLOCATE
    and DIFFEO_MEMORY_FRACTION.

    Raises:
        AttributeError: where a setting is made that does not exist.
        TypeError, ValueError: where it cannot have the value.
    """

    __slots__ = ()

    default_bits = _OfTask()
    fuse_derivatives = _OfTask()
    simplify = _OfTask()
    progress = _OfTask()
    log_compiles = _OfTask()
    default_prng_impl = _OfTask()
    debug_key_reuse = _OfTask()
    num_cpu_devices = process_settings.num_cpu_devices
    platforms = process_settings.platforms
    preallocate = process_settings.preallocate
    memory_fraction = process_settings.memory_fraction

    @property
    def settings(self) -> tuple:
        """The values of all settings that programs depend on (see the class)."""
        return task_settings().settings

    def __reduce__(self) -> str:
        return "config"  # there is one

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in SETTINGS:
            raise AttributeError(
                f"dx.config has no setting {name!r}; the settings are {', '.join(SETTINGS)}"
            )
        if name in SWITCHES and type(value) is not bool:
            raise TypeError(f"dx.config.{name} is True or False, got {value!r}")
        if name == "default_bits" and value not in (32, 64):
            raise ValueError(f"default dtypes have 32 or 64 bits, got {value!r}")
        if name == "default_prng_impl" and value not in KEY_TYPES:
            raise ValueError(f"the generators are {', '.join(KEY_TYPES)}, got {value!r}")
        super().__setattr__(name, value)

    @contextmanager
    def simplification(self, on: bool) -> Iterator[None]:
        """Have programs that are lowered within a `with` block simplified, or not: see `simplify`.

        Examples:
            >>> import diffeo as dx
            >>> f = lambda x: dx.numpy.sin(x) + dx.numpy.sin(x)
            >>> with dx.config.simplification(False):
            ...     print(dx.jit(f).lower(1.0).as_text().count("sine"))
            2
            >>> print(dx.jit(f).lower(1.0).as_text().count("sine"))
            1
        """
        before, self.simplify = self.simplify, bool(on)
        try:
            yield
        finally:
            self.simplify = before

    @property
    def default_device(self) -> str | None:
        """Where programs run whose operands are not bound to a device (see the class)."""
        return task_settings().default_device

    @default_device.setter
    def default_device(self, device: Any) -> None:
        _task.set(task_settings().replaced("default_device", device_name(device)))
        process.placed = process.placed or device is not None

    @contextmanager
    def separate_derivatives(self) -> Iterator[None]:
        """Let each level of nested derivatives differentiate the one inside, within a `with`
        block: see `fuse_derivatives`. It matters while a function is called or traced.

        Examples:
            >>> import diffeo as dx
            >>> with dx.config.separate_derivatives():
            ...     print(dx.grad(dx.grad(lambda x: x ** 3))(2.0))
            12.0
        """
        before, self.fuse_derivatives = self.fuse_derivatives, False
        try:
            yield
        finally:
            self.fuse_derivatives = before

    @contextmanager
    def defaults(self, bits: int) -> Iterator[None]:
        """Use 32- or 64-bit default dtypes within a `with` block.

        Examples:
            >>> import diffeo as dx
            >>> with dx.config.defaults(32):
            ...     print(dx.numpy.zeros(2).dtype)
            float32
        """
        before, self.default_bits = self.default_bits, bits
        try:
            yield
        finally:
            self.default_bits = before


config = Config()
