"""A benchmark is one program for both libraries, and the ratio of their times that passes.

Public names of diffeo are jax's, so a case says its program once: `build(lib)` is given the module
`diffeo` or `jax` and returns the function without arguments that is timed.
"""

import gc
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Timing:
    """One side of a measurement: the best and the median time of a call, in seconds."""

    best: float
    median: float


@dataclass(frozen=True)
class Result:
    """Both sides of a case, or the error that stood in the way.

    `per_item` is our time for one of the items that the call made, `limit` the most it may be.
    """

    ours: Timing | None = None
    theirs: Timing | None = None
    per_item: float | None = None
    limit: float | None = None
    error: str | None = None

    @property
    def ratio(self) -> float:
        """Our best time over theirs; nan after an error."""
        if self.ours is None or self.theirs is None:
            return math.nan
        return self.ours.best / self.theirs.best


@dataclass(frozen=True)
class Case:
    """A name, and the ratio ours / theirs that passes; why it is missed, where that is known."""

    name: str
    target: float
    cause: str = field(default="", kw_only=True)
    #: What is measured: seconds, or bytes.
    unit: str = field(default="s", kw_only=True)

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Time both libraries side by side."""
        raise NotImplementedError

    def passes(self, result: Result) -> bool:
        """Whether the target is met."""
        return result.ratio <= self.target


@dataclass(frozen=True)
class Program(Case):
    """A program that runs many times in one process.

    `build(lib)` returns the call to time. Where `count` is given, `count(result of the call)` items
    came out of it, and our own time for one of them may be `limit` seconds at most.
    """

    build: Callable[[ModuleType], Callable[[], Any]]
    count: Callable[[Any], int] | None = None
    limit: float = math.inf

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Time both libraries, batch by batch in turn."""
        calls = self.build(ours), self.build(theirs)
        mine, other = interleave((batch_timer(ours, calls[0]), batch_timer(theirs, calls[1])))
        if self.count is None:
            return Result(mine, other)
        return Result(mine, other, mine.best / self.count(calls[0]()), self.limit)

    def passes(self, result: Result) -> bool:
        """Whether the ratio and the limit are met."""
        return super().passes(result) and (result.per_item or 0.0) <= self.limit


@dataclass(frozen=True)
class Pair(Case):
    """The same numbers, by each library in its own way: `ours(lib)` and `theirs(lib)` return the
    calls to time. Their results are compared once; they may differ by `rtol` of the largest.

    With `runs`, each side is called so many times only: for calls that take seconds.
    """

    ours: Callable[[ModuleType], Callable[[], Any]]
    theirs: Callable[[ModuleType], Callable[[], Any]]
    rtol: float = field(default=1e-8, kw_only=True)
    runs: int | None = field(default=None, kw_only=True)

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Compare, then time in turn."""
        sides = (ours, self.ours(ours)), (theirs, self.theirs(theirs))
        results = [lib.tree.leaves(call()) for lib, call in sides]
        for a, b in zip(*results, strict=True):
            rounding = self.rtol * float(np.max(np.abs(b)))
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=0.0, atol=rounding)
        timers = tuple([batch_timer(*side) for side in sides])
        if self.runs is None:
            return Result(*interleave(timers, budget=2.0))
        samples = [[timer(1) for timer in timers] for _ in range(self.runs)]
        return Result(*[summary(column) for column in zip(*samples, strict=True)])


@dataclass(frozen=True)
class FreshJob(Case):
    """A job of `benchmarks.fresh`: each run is a process of its own, which reports its seconds."""

    job: str
    runs: int = 11

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Run the job in fresh processes, in turn."""
        names = (ours.__name__, theirs.__name__)
        for name in names:  # as after an installation, which compiles all modules to bytecode
            run_fresh(name, self.job)
        samples = [[run_fresh(name, self.job) for name in names] for _ in range(self.runs)]
        mine, other = (summary(column) for column in zip(*samples, strict=True))
        return Result(mine, other)


def run_fresh(library: str, job: str) -> float:
    """Seconds of one job in a fresh process, with an empty cache folder."""
    with tempfile.TemporaryDirectory() as cache:
        process = subprocess.run(
            [sys.executable, "-m", "benchmarks.fresh", library, job],
            cwd=ROOT,
            env={**os.environ, "XDG_CACHE_HOME": cache, "PYTHONDONTWRITEBYTECODE": ""},
            capture_output=True,
            text=True,
        )
    if process.returncode:
        raise RuntimeError(f"{library}, {job}: {process.stderr.strip().splitlines()[-1]}")
    return float(process.stdout)


def batch_timer(lib: ModuleType, call: Callable[[], Any]) -> Callable[[int], float]:
    """A function that runs `call` n times, waits for the last result, and returns the seconds."""

    def batch(n: int) -> float:
        result = None
        start = time.perf_counter()
        for _ in range(n):
            result = call()
        wait(lib, result)
        return time.perf_counter() - start

    return batch


def wait(lib: ModuleType, result: Any) -> None:
    """Block until every array in `result` has been computed."""
    for leaf in lib.tree.leaves(result):
        if hasattr(leaf, "block_until_ready"):
            leaf.block_until_ready()


def interleave(
    timers: tuple[Callable[[int], float], ...],
    batch_seconds: float = 0.005,
    budget: float = 4.0,
    rounds: tuple[int, int] = (7, 400),
) -> list[Timing]:
    """Times of one call by each timer, from short batches taken in turn, the first one changing.

    The collector of garbage waits outside of the clock: with both libraries in one process, its
    cost would be that of the two heaps together.
    """
    sizes = [batch_size(timer, batch_seconds) for timer in timers]
    samples: list[list[float]] = [[] for _ in timers]
    order = list(range(len(timers)))
    started = time.perf_counter()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        while len(samples[0]) < rounds[1]:
            if len(samples[0]) >= rounds[0] and time.perf_counter() - started > budget:
                break
            for i in order:
                gc.collect()
                samples[i].append(timers[i](sizes[i]) / sizes[i])
            order.reverse()
    finally:
        gc.enable()
        gc.unfreeze()
    return [summary(column) for column in samples]


def batch_size(timer: Callable[[int], float], seconds: float) -> int:
    """How many calls fill a batch of about `seconds`; also the warm-up."""
    timer(2)
    size = 1
    while True:
        elapsed = timer(size)
        if elapsed >= seconds:
            return size
        size = max(size + 1, min(10 * size, math.ceil(1.2 * size * seconds / max(elapsed, 1e-9))))


def summary(samples: Any) -> Timing:
    """The best and the median of some samples."""
    samples = list(samples)
    return Timing(min(samples), statistics.median(samples))
