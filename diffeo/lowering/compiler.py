"""Executables, kept: in this process, and on disk for the next one.

The text of a program is looked up in memory, then on disk (`caches/`), and is compiled only if it
is in neither. The key is the text without the names in it, so a function that is defined anew (a
notebook cell that is run again) finds what its former self compiled.

Start at `ProgramCache.compile_program`; the module's `compile_program` is that of the one cache of
the process. *Tuning* is compiling a program in several ways and keeping the fastest: `autotune.py`.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..primitives.support.exact import Exact
from . import compat
from .autotune import TABLE, Measurement, tune
from .caches import cache_folder
from .caches.disk_cache import MAGIC, DiskCache
from .caches.program_keys import description, module_name, program_digest
from .devices.devices import Device, default_device
from .executables import Executable, compile_module, load_module, prepare
from .flags import QUICK, default_flags

#: Seconds. An executable that was compiled faster is not stored: a load takes 1 to 3 ms.
WORTH_STORING = 0.005


class Compilation(NamedTuple):
    """An executable, and where it came from.

    Attributes:
        executable: the executable.
        origin: "memory", "disk", "compiled" or "tuned".
        seconds: how long it took to get it.
    """

    executable: Executable
    origin: str
    seconds: float


class CacheInfo(NamedTuple):
    """The state of a program cache.

    Attributes:
        hits: how often an executable was found in memory.
        misses: how often one had to be compiled, or loaded from disk.
        size, max_size: how many executables the cache holds, and how many it may hold.
    """

    hits: int
    misses: int
    size: int
    max_size: int


def _made(
    make: Callable[..., Executable],
    text: str,
    flags: Mapping[str, Any],
    given: Mapping[str, Any],
    tune_with: Sequence[Any] | None,
) -> Compilation:
    """Compile a program now: the fastest variant, if there are buffers to try variants on.

    Args:
        make: compiles a text with `options`.
        text: the program.
        flags: all flags of the compilation.
        given: the user's flags among them.
        tune_with: a buffer for each operand, or None.
    """
    if tune_with is None:
        return _compilation(make(text, options=flags))
    start = time.perf_counter()
    executable = tune(make, text, flags, given, tune_with)
    return Compilation(executable, "tuned", time.perf_counter() - start)


class ProgramCache:
    """Executables by program. The one that was asked for longest ago goes first. Thread-safe.

    Args:
        max_size: how many it keeps.
        max_bytes: how much memory they may take, roughly. Executables that go for the sake of
            memory are also forgotten by the functions that they were made for.

    Two threads that ask for the same program at once compile it once; threads that ask for
    different programs compile at the same time.
    """

    def __init__(self, max_size: int = 1024, max_bytes: int = 1 << 30):
        if max_size < 1:
            raise ValueError(f"a program cache needs room for 1 program or more, got {max_size}")
        self._max_size, self._max_bytes, self._bytes = max_size, max_bytes, 0
        #: Functions that are called with each executable that goes for the sake of memory.
        self.when_evicted: list[Callable[[Executable], None]] = []
        #: The executables by their keys, the one asked for longest ago first.
        self._programs: OrderedDict[tuple, Executable] = OrderedDict()
        #: For each key that is being compiled, a lock that others who want it wait for.
        self._compiling: dict[tuple, threading.Lock] = {}
        self._lock = threading.Lock()
        self._hits = self._misses = 0

    def compile_program(
        self,
        text: str,
        in_avals: Sequence[Any],
        out_avals: Sequence[Any],
        *,
        options: Mapping[str, Any] | None = None,
        device: Device | None = None,
        functions: Sequence[Callable] = (),
        optimize: bool = True,
        tune_with: Sequence[Any] | None = None,
    ) -> Compilation:
        """Compile a module as `executables.compile_module` does, unless an executable for it is
        found in memory or on disk.

        A failure to compile is not kept. A program that calls Python functions is not kept either.
        Its text does not say which functions they are, and they shall not be kept alive by a cache.

        Args:
            text, in_avals, out_avals, options, device, functions: see `compile_module`.
            optimize: False compiles in about half the time; the executable then takes up to three
                times as long to run.
            tune_with: buffers, one per operand. Variants of the compilation are tried on them, and
                the fastest is kept. The buffers are not consumed.
        """
        device = device or default_device()
        user_flags = options or {}
        tuned = tune_with is not None and optimize

        def make(text: str, **kind: Any) -> Executable:
            return compile_module(text, in_avals, out_avals, device=device, **kind)

        if functions:  # not tuned: trial runs would call them
            flags = _flags(text, device, user_flags, optimize)
            return _compilation(make(text, options=flags, functions=functions))
        digest = program_digest(text)
        key = (digest, Exact(tuple(sorted(user_flags.items()))), optimize, tuned, device)
        with self._lock:
            if (executable := self._find(key)) is not None:
                return Compilation(executable, "memory", 0.0)
            gate = self._compiling.setdefault(key, threading.Lock())
        with gate:
            # Another thread may have compiled the program while this one waited for the gate.
            with self._lock:
                if (executable := self._find(key)) is not None:
                    return Compilation(executable, "memory", 0.0)
                self._misses += 1
            try:
                flags = _flags(text, device, user_flags, optimize)
                stored = _Place(digest, device, flags, tuned)
                compilation = stored.load(text, in_avals, out_avals)
                if compilation is None:
                    compilation = _made(make, text, flags, user_flags, tune_with if tuned else None)
                    stored.store(text, compilation)
                compilation.executable.watched = "stablehlo.while" in text
                self._keep(key, compilation.executable)
            finally:
                with self._lock:
                    self._compiling.pop(key, None)
        return compilation

    def _keep(self, key: tuple, executable: Executable) -> None:
        """Put an executable into the cache, and remove others where it is too full."""
        evicted = []
        with self._lock:
            former = self._programs.pop(key, None)
            self._programs[key] = executable
            self._bytes += executable.size - (former.size if former is not None else 0)
            while len(self._programs) > self._max_size or (
                self._bytes > self._max_bytes and len(self._programs) > 1
            ):
                large = self._bytes > self._max_bytes
                oldest = self._programs.popitem(last=False)[1]
                self._bytes -= oldest.size
                evicted += [oldest] if large else []
        # The lock is free again: other threads need not wait for the functions that are told.
        for oldest in evicted:
            for tell in self.when_evicted:
                tell(oldest)

    def cache_info(self) -> CacheInfo:
        """Return hits and misses, and how many executables the cache holds and may hold."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, len(self._programs), self._max_size)

    def clear_cache(self) -> None:
        """Forget all executables and counts. Executables that are in use elsewhere live on."""
        with self._lock:
            self._programs.clear()
            self._bytes = 0
            self._hits = self._misses = 0
        compat.collect_garbage()

    def _find(self, key: tuple) -> Executable | None:
        """Return the executable of a key, or None. The caller holds the lock."""
        executable = self._programs.get(key)
        if executable is not None:
            self._programs.move_to_end(key)
            self._hits += 1
        return executable


def _flags(
    text: str, device: Device, given: Mapping[str, Any], optimize: bool
) -> Mapping[str, Any]:
    """Return all flags of a compilation. The user's flags come last, and so override the others."""
    return {**(default_flags(text, device.platform) if optimize else QUICK), **given}


def _compilation(executable: Executable) -> Compilation:
    return Compilation(executable, "compiled", executable.compile_seconds)


class _Place:
    """The place of a program on disk: the cache, the key in it, and what the key stands for."""

    def __init__(self, digest: bytes, device: Device, flags: Mapping[str, Any], tuned: bool):
        self.device, self.flags = device, flags
        # A user who asks XLA to write down what it does wants it to compile, not to load.
        asked = any(["xla_dump" in name for name in flags])
        self.cache: DiskCache | None = None if asked else cache_folder.current()
        if self.cache is not None:
            self.description = description(device, flags, f"tuned {TABLE}" if tuned else "plain")
            self.key = hashlib.sha256(MAGIC + digest + self.description.encode()).hexdigest()

    def load(
        self, text: str, in_avals: Sequence[Any], out_avals: Sequence[Any]
    ) -> Compilation | None:
        """Return the executable that is stored here, or None."""
        start = time.perf_counter()
        stored = self.cache and self.cache.get(self.key, self.description)
        if not stored:
            return None
        prepare(text)
        try:
            executable = load_module(
                stored.payload,
                in_avals,
                out_avals,
                options=self.flags,
                device=self.device,
                compile_seconds=float(stored.about["seconds"]),
            )
            executable.tuning = tuple([Measurement(*row) for row in stored.about["tuning"]])
        except (compat.XlaError, KeyError, TypeError, ValueError) as error:
            assert self.cache is not None
            self.cache.discard(self.key, f"jaxlib does not load it ({error})")
            return None
        return Compilation(executable, "disk", time.perf_counter() - start)

    def store(self, text: str, made: Compilation) -> None:
        """Store an executable, unless it was compiled too fast to be worth it."""
        if self.cache is None or not self.cache.writing or made.seconds < WORTH_STORING:
            return
        try:
            payload = made.executable.serialize()
        except compat.XlaError:  # this kind of device cannot
            return
        self.cache.put(
            self.key,
            self.description,
            payload,
            name=module_name(text),
            seconds=made.executable.compile_seconds,
            tuning=[tuple(row) for row in made.executable.tuning],
        )


#: The cache of this process.
_programs = ProgramCache()

compile_program = _programs.compile_program
cache_info = _programs.cache_info
clear_cache = _programs.clear_cache
when_evicted = _programs.when_evicted
