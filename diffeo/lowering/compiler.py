"""Compiled programs, kept: the same program is compiled once in a process.

The key is the program's text with the types, so a function that is defined anew (a notebook cell
that is run again) finds what its former self compiled.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from . import compat
from .runtime import Device, Executable, compile_module, default_device


class CacheInfo(NamedTuple):
    """What a program cache has done: found, compiled, holds, and may hold."""

    hits: int
    misses: int
    size: int
    max_size: int


class ProgramCache:
    """Executables by program; the one that was not used for longest goes first. Thread-safe.

    Two threads that ask for the same program at once compile it once; threads that ask for
    different programs compile at the same time.
    """

    def __init__(self, max_size: int = 1024):
        if max_size < 1:
            raise ValueError(f"a program cache needs room for 1 program or more, got {max_size}")
        self._max_size = max_size
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
    ) -> Executable:
        """As `runtime.compile_module`, but only if the program is not there already.

        Avals are compared as dictionary keys are; a failure to compile is not kept. A program that
        calls Python functions is not kept either: its text does not say which they are, and they
        shall live no longer than who asked for it.
        """
        device = device or default_device()
        if functions:
            return compile_module(
                text, in_avals, out_avals, options=options, device=device, functions=functions
            )
        chosen = tuple(sorted((options or {}).items()))
        key = (text, tuple(in_avals), tuple(out_avals), chosen, device)
        with self._lock:
            if (found := self._find(key)) is not None:
                return found
            gate = self._compiling.setdefault(key, threading.Lock())
        with gate:
            with self._lock:
                if (found := self._find(key)) is not None:
                    return found
                self._misses += 1
            try:
                made = compile_module(text, in_avals, out_avals, options=options, device=device)
                with self._lock:
                    self._programs[key] = made
                    if len(self._programs) > self._max_size:
                        self._programs.popitem(last=False)
            finally:
                with self._lock:
                    self._compiling.pop(key, None)
        return made

    def cache_info(self) -> CacheInfo:
        """Hits, misses, and how many programs the cache holds and may hold."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, len(self._programs), self._max_size)

    def clear_cache(self) -> None:
        """Forget all programs and counts. Programs that are still in use elsewhere live on."""
        with self._lock:
            self._programs.clear()
            self._hits = self._misses = 0
        compat.collect_garbage()

    def _find(self, key: tuple) -> Executable | None:
        found = self._programs.get(key)
        if found is not None:
            self._programs.move_to_end(key)
            self._hits += 1
        return found


_programs = ProgramCache()

compile_program = _programs.compile_program
cache_info = _programs.cache_info
clear_cache = _programs.clear_cache
