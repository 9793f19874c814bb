"""Many programs: their eager checks singly, then all compiled as one, and a few by jax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import diffeo as dx
from tests.random_programs import oracle
from tests.random_programs.checks import EVERY, Failure, Subject, Trial, host
from tests.random_programs.drawing import draw_program
from tests.random_programs.program import Program
from tests.random_programs.rules import (
    check_laws,
    check_numpy,
    check_rows,
    check_vmap,
    rows_of,
    stacked,
)

EAGER = ("value", "vjp")
#: What is compiled, and whether of all rows at once.
COMPILED = (("value", False), ("vjp", True))
COMPILED_SECOND = (
    ("value", True),
    ("jvp", False),
    ("vjp", False),
    ("hvp", False),
    ("taylor", False),
)
BUNDLE = 20
#: Of how many bundles one is compiled, has second derivatives, or is run by jax: XLA takes a fifth
#: of a second for each function, ten times what all eager checks of a program take.
COMPILE, SECOND, JAX = 20, 30, 60
#: Of programs with loops of unknown length, whose reverse mode is compiled in eager mode too, so
#: many have one with derivatives.
HEAVY = 4


@dataclass
class Report:
    """What was found in one program."""

    program: Program
    failures: list[Failure]
    checks: int


@dataclass
class Bundle:
    """Programs of some seeds, checked together."""

    programs: Sequence[Program]
    second: bool = False
    by_jax: bool = False
    compiled: bool = True
    trials: list[list[Trial]] = field(default_factory=list)

    def run(self) -> list[Report]:
        for program in self.programs:
            first, *others = rows_of(program)
            trial = Trial(program, first)
            self.trials.append([trial, *[Trial(program, p, trial) for p in others]])
            self.eager(self.trials[-1])
        if self.compiled:
            self.jit()
        if self.by_jax and oracle.jax() is not None:
            self.jax()
        return [
            Report(p, ts[0].failures, sum([t.checks for t in ts]))
            for p, ts in zip(self.programs, self.trials)
        ]

    def eager(self, trials: list[Trial]) -> None:
        first = trials[0]
        if first.quantity("value") is None:
            return
        check_numpy(first)
        if self.rests(first):
            check_vmap(trials, ("value",))
            return
        check_laws(first, self.second)
        check_vmap(trials, ("value", "vjp", "hvp") if self.second else EAGER)

    def rests(self, trial: Trial) -> bool:
        """Whether the derivatives of a program are left out."""
        return trial.heavy and trial.program.seed % HEAVY != 0 and len(self.programs) > 1

    def jit(self) -> None:
        """All quantities of all programs, and of their rows, in one compiled program."""
        jobs = [
            (ts, name, rows)
            for ts in self.trials
            for name, rows in (*COMPILED, *(COMPILED_SECOND if self.second else ()))
            if (name == "value" or not self.rests(ts[0])) and ts[0].quantity(name)
        ]
        for ts, name, rows, found in together(jobs):
            how = "jit of vmap of" if rows else "jit of"
            if isinstance(found, Exception):
                ts[0].failures.append(Failure(f"{how} {name}", str(found), found))
            elif rows:
                check_rows(ts, name, found, how)
            else:
                ts[0].compare(f"{how} {name}", found, ts[0].quantity(name), 3.0)

    def jax(self) -> None:
        """The same by jax."""
        lib = oracle.jax()
        for ts in self.trials:
            traits = ts[0].program.traits
            if "ours" in traits or any([x.size == 0 for x in ts[0].point.values()]):
                continue
            subject = Subject(ts[0].program, lib)
            names = ["value"]
            if "value in jax" not in traits:
                names += [] if "reverse in jax" in traits else ["jvp"]
                loops = "forward in jax" in traits
                if self.rests(ts[0]):
                    names = ["value"]
                names += [] if loops else ["vjp"]
                if loops and "nested in jax" in traits:
                    continue
            for name in names:
                if (single := ts[0].quantity(name)) is None:
                    continue
                run = lib.jit(lambda p, s=subject, n=name: EVERY[n](s, p))
                try:
                    found = host(run({n: np.asarray(x) for n, x in ts[0].point.items()}))
                except Exception as error:
                    ts[0].jax_refuses = f"{name}: {type(error).__name__}: {str(error)[:200]}"
                    continue
                alike = [  # of jax an index may have 32 bits
                    a.astype(b.dtype) if a.dtype.kind == b.dtype.kind == "i" else a
                    for a, b in zip(found, single[0])
                ]
                ts[0].compare(f"{name} against jax", alike, single, 5.0)


def job_function(trials: list[Trial], name: str, rows: bool) -> Any:
    plain = trials[0].plain
    one = lambda point: tuple(EVERY[name](plain, point))
    return dx.vmap(one) if rows else one


def together(jobs: list) -> list:
    """The results of all jobs of one compiled program, and errors of those that have no program."""
    points = [stacked([t.point for t in ts]) if rows else ts[0].point for ts, _, rows in jobs]
    functions = [job_function(*job) for job in jobs]
    found: list[Any] = [None] * len(jobs)
    try:
        found = compiled(functions, points)
    except Exception:  # of one of them, say
        for k, (f, p) in enumerate(zip(functions, points)):
            try:
                dx.jit(f, optimize=False).trace(p).lower()
            except Exception as error:
                found[k] = error
        good = [k for k in range(len(jobs)) if found[k] is None]
        outs = compiled([functions[k] for k in good], [points[k] for k in good])
        for k, out in zip(good, outs):
            found[k] = out
    return [(*job, outs) for job, outs in zip(jobs, found)]


def compiled(functions: Sequence[Any], points: Sequence[Any]) -> list:
    run = dx.jit(lambda ps: [f(p) for f, p in zip(functions, ps)], optimize=False)
    return [host(outs) for outs in run(list(points))]


def check_seeds(seeds: Sequence[int]) -> list[Report]:
    """The programs of some seeds, as one bundle; which checks are made depends on the first."""
    number = seeds[0] // BUNDLE
    every = lambda period: number % period == 0
    programs = [draw_program(s) for s in seeds]
    return Bundle(programs, every(SECOND), every(JAX), every(COMPILE)).run()
