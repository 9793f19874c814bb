"""What is printed of failures: each kind once, made small, as Python that can be pasted."""

from __future__ import annotations

import platform
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import jaxlib

from tests.random_programs.checks import SECOND as SECOND_ORDER
from tests.random_programs.checks import Failure
from tests.random_programs.program import Program, every_step, literal
from tests.random_programs.running import Bundle, Report
from tests.random_programs.shrinking import shrunk

HEAD = """\
import numpy
import diffeo as dx
np, lax, nn, special, sla = dx.numpy, dx.lax, dx.nn, dx.scipy.special, dx.scipy.linalg
"""


def program_text(program: Program) -> str:
    """A program with its inputs."""
    inputs = [f"{n} = {literal(x)}" for n, x in program.inputs.items()]
    call = f"print(program({', '.join(program.inputs)}))"
    return "\n".join([f"# seed {program.seed}", HEAD, program.source(), *inputs, call, ""])


def same_failure(failure: Failure) -> Any:
    """Whether a program fails in the same way; the checks that have nothing to do with it rest."""
    has = lambda *words: any([w in failure.check for w in words])

    def fails(program: Program) -> Failure | None:
        bundle = Bundle(
            [program],
            second=has(*SECOND_ORDER, "jit of jvp", "jit of vjp", "jit of taylor", "jit of vmap"),
            by_jax=has("jax"),
            compiled=has("jit"),
        )
        try:
            report = bundle.run()[0]
        except Exception:
            return None
        return next((f for f in report.failures if f.site == failure.site), None)

    return fails


def small(program: Program, failure: Failure) -> tuple[Program, Failure]:
    """The program made small, and its failure."""
    fails = same_failure(failure)
    program = shrunk(program, fails)
    return program, fails(program) or failure


class Summary:
    """Failures by kind."""

    def __init__(self, shrink: bool):
        self.shrink = shrink
        self.culprits: dict[str, list[frozenset]] = {}
        self.programs = self.checks = 0
        self.groups: Counter[tuple] = Counter()
        self.notes: Counter[tuple] = Counter()

    def add(self, reports: Sequence[Report]) -> None:
        for report in reports:
            self.programs += 1
            self.checks += report.checks
            for note in report.program.notes:
                head = re.sub(r"\d+", "#", note.message).split("[[")[0][:60]
                key = (note.kind, head.split(": ", 2)[0], head.split(": ", 2)[-1][:30])
                self.notes[key] += 1
                if self.notes[key] == 1:
                    self.groups[f"a step {note.kind}", note.row] += 1
                    print(f"== seed {report.program.seed}: a step {note.kind}: {note.row}")
                    print(f"{note.message[:600]}\n\n{HEAD}{note.source}\n", flush=True)
            for site in dict.fromkeys([f.site for f in report.failures]):
                self.file(report.program, next(f for f in report.failures if f.site == site))

    def file(self, program: Program, failure: Failure) -> None:
        """Count a failure, and print it if it is the first of its kind: raised at a place, or a
        difference in programs with the rows of one that was made small before.
        """
        rows = lambda p: frozenset([s.row for s in every_step(p.steps)])
        known = self.culprits.setdefault(failure.site, [])
        for culprit in known:
            if culprit <= rows(program):
                self.groups[failure.site, *sorted(culprit)] += 1
                return
        if self.shrink:
            program, failure = small(program, failure)
        culprit = frozenset() if failure.error else rows(program)
        known.append(culprit)
        self.groups[failure.site, *sorted(culprit)] += 1
        print(f"== {failure.site}\n{failure.message[:700]}\n\n{program_text(program)}", flush=True)

    def counts(self) -> str:
        return (
            f"{self.programs} programs, {self.checks} checks, {len(self.groups)} kinds of failure"
        )

    def line(self, seconds: float) -> str:
        kinds = "".join([f"\n  {n:5d}  {': '.join(k)}" for k, n in self.groups.most_common()])
        return (
            f"{self.counts()} in {seconds:.0f} s; Python {platform.python_version()},"
            f" jaxlib {jaxlib.__version__}, {sys.platform}{kinds}"
        )
