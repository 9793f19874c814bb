"""A benchmark is one program for both libraries, and the ratio of their times that passes.

Public names of diffeo are jax's, so a case says its program once: `build(lib)` is given the module
`diffeo` or `jax` and returns the function without arguments that is timed. How times are taken is
in `benchmarks.clock`.
"""

from __future__ import annotations

import importlib.util
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.clock import Timing, batch_timer, interleave, summary

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Line:
    """A line of the table: both sides, in a unit, and what passes.

    `target` is the most that ours / theirs may be, `limit` the most that ours may be. Units are
    seconds "s", bytes "B", and "" for numbers, which have no ratio.
    """

    name: str
    ours: Timing | None = None
    theirs: Timing | None = None
    target: float | None = None
    limit: float | None = None
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """Our best time over theirs; nan where there is none."""
        return self._quotient("best")

    @property
    def medians(self) -> float:
        """The ratio of the medians."""
        return self._quotient("median")

    def _quotient(self, kind: str) -> float:
        if self.ours is None or self.theirs is None or not self.unit:
            return math.nan
        return getattr(self.ours, kind) / getattr(self.theirs, kind)

    @property
    def passes(self) -> bool:
        """Whether target and limit are met; a line without either passes, unless nothing came."""
        if self.ours is None:
            return False
        within = self.limit is None or self.ours.best <= self.limit
        return within and (self.target is None or self.ratio <= self.target)


@dataclass(frozen=True)
class Result:
    """Both sides of a case and further lines of it, or the error that stood in the way."""

    ours: Timing | None = None
    theirs: Timing | None = None
    lines: tuple[Line, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Case:
    """A name, and the ratio ours / theirs that passes, or None where it is for information only."""

    name: str
    target: float | None
    #: The most that ours may be.
    limit: float | None = field(default=None, kw_only=True)
    #: Why it is missed, where that is known.
    cause: str = field(default="", kw_only=True)
    unit: str = field(default="s", kw_only=True)
    #: A package without which the case is left out.
    needs: str = field(default="", kw_only=True)

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Time both libraries side by side."""
        raise NotImplementedError

    @property
    def possible(self) -> bool:
        """Whether the package that the case needs is installed."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None

    def table(self, result: Result) -> tuple[Line, ...]:
        """The lines of a result: the case's own, and the others."""
        own = Line(self.name, result.ours, result.theirs, self.target, self.limit, self.unit)
        return own, *result.lines

    def passes(self, result: Result) -> bool:
        """Whether all targets are met."""
        return all([line.passes for line in self.table(result)])


_results: dict[Case, Result] = {}


def measured(case: Case, ours: ModuleType, theirs: ModuleType) -> Result:
    """The result of a case, which is measured once; one that fails does not stop the others."""
    if case not in _results:
        try:
            _results[case] = case.measure(ours, theirs)
        except Exception as error:
            _results[case] = Result(error=f"{type(error).__name__}: {error}")
    return _results[case]


@dataclass(frozen=True)
class GeometricMean(Case):
    """Of the times of some cases; its ratio is the mean of their ratios."""

    cases: tuple[Case, ...]

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Measure the cases that have not been."""
        results = [measured(case, ours, theirs) for case in self.cases]
        failed = [c.name for c, r in zip(self.cases, results) if r.error is not None]
        if failed:
            return Result(error=f"no mean, since these failed: {', '.join(failed)}")
        sides = [r.ours for r in results], [r.theirs for r in results]
        return Result(*[geometric_mean(side) for side in sides])


def geometric_mean(timings: list[Any]) -> Timing:
    """Of the best and of the median times."""
    mean = statistics.geometric_mean
    return Timing(mean([t.best for t in timings]), mean([t.median for t in timings]))


@dataclass(frozen=True)
class Program(Case):
    """A program that runs many times in one process.

    `build(lib)` returns the call to time. Where `count` is given, `count(result of the call)` items
    came out of it, and our own time for one of them may be `per_item` seconds at most.
    """

    build: Callable[[ModuleType], Callable[[], Any]]
    count: Callable[[Any], int] | None = None
    per_item: float = math.inf
    budget: float = field(default=4.0, kw_only=True)

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Time both libraries, batch by batch in turn."""
        calls = self.build(ours), self.build(theirs)
        timers = batch_timer(ours, calls[0]), batch_timer(theirs, calls[1])
        sides = interleave(timers, budget=self.budget)
        if self.count is None:
            return Result(*sides)
        count = self.count(calls[0]())
        each = [Timing(t.best / count, t.median / count, t.spread) for t in sides]
        return Result(*sides, (Line("per equation", *each, limit=self.per_item),))


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
    budget: float = field(default=2.0, kw_only=True)

    def sides(self, ours: ModuleType, theirs: ModuleType) -> list[Callable[[int], float]]:
        """The timers of both sides, whose results have been compared."""
        sides = (ours, self.ours(ours)), (theirs, self.theirs(theirs))
        results = [[np.asarray(x) for x in lib.tree.leaves(call())] for lib, call in sides]
        for a, b in zip(*results, strict=True):
            rounding = self.rtol * float(np.max(np.abs(b)))
            np.testing.assert_allclose(a, b, rtol=0.0, atol=rounding)
        return [batch_timer(*side) for side in sides]

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Compare, then time in turn."""
        timers = self.sides(ours, theirs)
        if self.runs is None:
            return Result(*interleave(tuple(timers), budget=self.budget))
        samples = [[timer(1) for timer in timers] for _ in range(self.runs)]
        return Result(*[summary(column) for column in zip(*samples, strict=True)])


@dataclass(frozen=True)
class FreshJob(Case):
    """A job of `benchmarks.fresh`: each run is a process of its own, which reports its seconds.

    With `again`, it is the second process with the same cache folder.
    """

    job: str
    again: bool = False
    runs: int = 11

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Run the job in fresh processes, in turn."""
        names = (ours.__name__, theirs.__name__)
        for name in names:  # as after an installation, which compiles all modules to bytecode
            run_fresh(name, self.job)
        samples = [[run_fresh(name, self.job, self.again) for name in names]
                   for _ in range(self.runs)]  # fmt: skip
        mine, other = (summary(column) for column in zip(*samples, strict=True))
        return Result(mine, other)


def run_fresh(library: str, job: str, again: bool = False) -> float:
    """Seconds of one job in a fresh process whose cache folder is empty, or was filled by the same
    job before.
    """
    with tempfile.TemporaryDirectory() as cache:
        places = {"XDG_CACHE_HOME": cache, "DIFFEO_CACHE_DIR": cache, "PYTHONDONTWRITEBYTECODE": ""}
        for _ in range(1 + again):
            process = subprocess.run(
                [sys.executable, "-m", "benchmarks.fresh", library, job],
                cwd=ROOT,
                env={**os.environ, **places},
                capture_output=True,
                text=True,
            )
            if process.returncode:
                last = process.stderr.strip().splitlines()[-1]
                raise RuntimeError(f"{library}, {job}: {last}")
    return float(process.stdout)
