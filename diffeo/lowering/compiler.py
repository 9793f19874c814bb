"""Compiled programs, kept: in this process, and on disk for the next one.

The key is the program's text without the names in it, so a function that is defined anew (a
notebook cell that is run again) finds what its former self compiled.
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

#: A program that compiles faster than this is not stored: a load takes 1 to 3 ms.
WORTH_STORING = 0.005


class Compilation(NamedTuple):
    """A compiled program, and where it came from.

    Attributes:
        executable: the program.
        origin: "memory", "disk", "compiled" or "tuned".
        seconds: how long it took to get it.
    """

    executable: Executable
    origin: str
    seconds: float


class CacheInfo(NamedTuple):
    """What a program cache has done: found, compiled or loaded, holds, and may hold."""

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
    """A program compiled now: the fastest variant, if there are buffers to try them on."""
    if tune_with is None:
        return _compilation(make(text, options=flags))
    start = time.perf_counter()
    best = tune(make, text, flags, given, tune_with)
    return Compilation(best, "tuned", time.perf_counter() - start)


class ProgramCache:
    """Executables by program; the one that was not asked for for longest goes first. Thread-safe.

    Args:
        max_size: how many it keeps.
        max_bytes: how much memory they may take, roughly; those that go for its sake are also
            forgotten by the functions that they were made for.

    Two threads that ask for the same program at once compile it once; threads that ask for
    different programs compile at the same time.
    """

    def __init__(self, max_size: int = 1024, max_bytes: int = 1 << 30):
        if max_size < 1:
            raise ValueError(f"a program cache needs room for 1 program or more, got {max_size}")
        self._max_size, self._max_bytes, self._bytes = max_size, max_bytes, 0
        #: Who is told of an executable that goes for the sake of memory.
        self.when_evicted: list[Callable[[Executable], None]] = []
        self._programs: OrderedDict[tuple, Executable] = OrderedDict()
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
        """As `executables.compile_module`, but only if the program is found neither in memory nor
        on disk.

        A failure to compile is not kept. A program that calls Python functions is not kept either:
        its text does not say which they are, and they shall live no longer than who asked for it.

        Args:
            text, in_avals, out_avals, options, device, functions: see `compile_module`.
            optimize: False compiles in about half the time what then runs up to three times
                slower.
            tune_with: buffers, one per operand, to try variants of the compilation on and keep the
                fastest; they are not consumed.
        """
        device = device or default_device()
        given = options or {}
        tuned = tune_with is not None and optimize

        def make(text: str, **kind: Any) -> Executable:
            return compile_module(text, in_avals, out_avals, device=device, **kind)

        if functions:  # not tuned: trial runs would call them
            flags = _flags(text, device, given, optimize)
            return _compilation(make(text, options=flags, functions=functions))
        digest = program_digest(text)
        key = (digest, Exact(tuple(sorted(given.items()))), optimize, tuned, device)
        with self._lock:
            if (found := self._find(key)) is not None:
                return Compilation(found, "memory", 0.0)
            gate = self._compiling.setdefault(key, threading.Lock())
        with gate:
            with self._lock:
                if (found := self._find(key)) is not None:
                    return Compilation(found, "memory", 0.0)
                self._misses += 1
            try:
                flags = _flags(text, device, given, optimize)
                place = _Place(digest, device, flags, tuned)
                made = place.load(text, in_avals, out_avals)
                if made is None:
                    made = _made(make, text, flags, given, tune_with if tuned else None)
                    place.store(text, made)
                made.executable.watched = "stablehlo.while" in text
                self._keep(key, made.executable)
            finally:
                with self._lock:
                    self._compiling.pop(key, None)
        return made

    def _keep(self, key: tuple, executable: Executable) -> None:
        evicted = []
        with self._lock:
            self._programs[key] = executable
            self._bytes += executable.size
            while len(self._programs) > self._max_size or (
                self._bytes > self._max_bytes and len(self._programs) > 1
            ):
                large = self._bytes > self._max_bytes
                gone = self._programs.popitem(last=False)[1]
                self._bytes -= gone.size
                evicted += [gone] if large else []
        for gone in evicted:
            for tell in self.when_evicted:
                tell(gone)

    def cache_info(self) -> CacheInfo:
        """Hits, misses, and how many programs the cache holds and may hold."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, len(self._programs), self._max_size)

    def clear_cache(self) -> None:
        """Forget all programs and counts. Programs that are still in use elsewhere live on."""
        with self._lock:
            self._programs.clear()
            self._bytes = 0
            self._hits = self._misses = 0
        compat.collect_garbage()

    def _find(self, key: tuple) -> Executable | None:
        found = self._programs.get(key)
        if found is not None:
            self._programs.move_to_end(key)
            self._hits += 1
        return found


def _flags(
    text: str, device: Device, given: Mapping[str, Any], optimize: bool
) -> Mapping[str, Any]:
    """All flags of a compilation; those that the user gives come last."""
    return {**(default_flags(text, device.platform) if optimize else QUICK), **given}


def _compilation(executable: Executable) -> Compilation:
    return Compilation(executable, "compiled", executable.compile_seconds)


class _Place:
    """Where a program is on disk: the cache, the key in it, and what the key stands for."""

    def __init__(self, digest: bytes, device: Device, flags: Mapping[str, Any], tuned: bool):
        self.device, self.flags = device, flags
        # Who asks XLA to write its work down wants to see it done.
        asked = any(["xla_dump" in name for name in flags])
        self.cache: DiskCache | None = None if asked else cache_folder.current()
        if self.cache is not None:
            self.description = description(device, flags, f"tuned {TABLE}" if tuned else "plain")
            self.key = hashlib.sha256(MAGIC + digest + self.description.encode()).hexdigest()

    def load(
        self, text: str, in_avals: Sequence[Any], out_avals: Sequence[Any]
    ) -> Compilation | None:
        start = time.perf_counter()
        found = self.cache and self.cache.get(self.key, self.description)
        if not found:
            return None
        prepare(text)
        try:
            made = load_module(
                found.payload,
                in_avals,
                out_avals,
                options=self.flags,
                device=self.device,
                compile_seconds=float(found.about["seconds"]),
            )
            made.tuning = tuple([Measurement(*row) for row in found.about["tuning"]])
        except (compat.XlaError, KeyError, TypeError, ValueError) as error:
            assert self.cache is not None
            self.cache.discard(self.key, f"jaxlib does not load it ({error})")
            return None
        return Compilation(made, "disk", time.perf_counter() - start)

    def store(self, text: str, made: Compilation) -> None:
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


_programs = ProgramCache()

compile_program = _programs.compile_program
cache_info = _programs.cache_info
clear_cache = _programs.clear_cache
when_evicted = _programs.when_evicted
