"""How times are taken: short batches of calls of all sides in turn, without garbage collection."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Timing:
    """One side of a measurement, in seconds (or bytes): the best and the median of the samples, and
    the distance between their quartiles as a part of the median; None of a single sample.
    """

    best: float
    median: float
    spread: float | None = None


def summary(samples: Iterable[float]) -> Timing:
    """What is kept of some samples."""
    samples = list(samples)
    middle = statistics.median(samples)
    if len(samples) < 2:
        return Timing(middle, middle)
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Timing(min(samples), middle, (high - low) / middle)


def single(value: float) -> Timing:
    """A number that needs no second sample."""
    return Timing(value, value)


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


def wait(lib: ModuleType, result: Any) -> Any:
    """Block until every array in `result` has been computed; the result."""
    for leaf in lib.tree.leaves(result):
        if hasattr(leaf, "block_until_ready"):
            leaf.block_until_ready()
    return result


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
