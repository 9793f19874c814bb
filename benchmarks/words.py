"""Primitive by primitive: eager against plain NumPy, compiled against jax.

A word says its function once, for both libraries, and what NumPy itself would be asked. Sizes for
the compiled cases are such that a call takes a millisecond or more. Arrays of millions of numbers
are made and dropped at every call, so the process runs with an allocator that keeps memory: where
it is given back, both libraries mostly wait for fresh pages (see `__main__.MEMORY`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks import words_table
from benchmarks.case import Case, Result
from benchmarks.clock import batch_timer, interleave, wait
from benchmarks.words_table import Word

BUDGET = 0.6


@dataclass(frozen=True)
class EagerWord(Case):
    """A function of diffeo in eager mode beside NumPy's."""

    word: Word
    size: int

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Time both, batch by batch in turn; the other side is NumPy, whatever `theirs` is."""
        arrays = self.word.operands(self.size)
        values = [ours.numpy.asarray(a) for a in arrays]
        call, plain = self.word.call, self.word.plain
        if plain is None:
            raise TypeError(f"{self.word.name} has no counterpart in NumPy")
        other: Any = call if plain == "same" else plain
        timers = (
            batch_timer(ours, lambda: call(ours, *values)),
            batch_timer(ours, lambda: other(words_table.PLAIN, *arrays)),
        )
        return Result(*interleave(timers, budget=BUDGET))


@dataclass(frozen=True)
class CompiledWord(Case):
    """A compiled function, or its gradient, in both libraries."""

    word: Word
    gradient: bool

    def measure(self, ours: ModuleType, theirs: ModuleType) -> Result:
        """Time both libraries, batch by batch in turn."""
        timers = tuple([batch_timer(lib, self.build(lib)) for lib in (ours, theirs)])
        return Result(*interleave(timers, budget=2 * BUDGET))

    def build(self, lib: ModuleType) -> Callable[[], Any]:
        """The call to time; it waits for its results, as one of many milliseconds may."""
        arrays = [lib.numpy.asarray(a) for a in self.word.operands(self.word.size)]
        fun = lambda *xs: self.word.call(lib, *xs)
        if self.gradient:
            fun = lib.grad(lambda *xs: total(lib, self.word.call(lib, *xs)), self.word.by)
        compiled = lib.jit(fun)

        return lambda: wait(lib, compiled(*arrays))


def total(lib: ModuleType, out: Any) -> Any:
    """A number that depends on every element of the results, each with a slope of its own."""
    parts = []
    for leaf in lib.tree.leaves(out):
        if leaf.dtype.kind == "c":
            leaf = lib.numpy.real(leaf * np.complex128(1 - 0.5j).astype(leaf.dtype))
        parts.append(lib.numpy.sum(leaf * leaf) if leaf.dtype.kind == "f" else 0.0)
    return sum(parts[1:], parts[0])


def cases() -> list[Case]:
    """Eager on 10 and 10^6 elements, compiled forward and gradient."""
    found: list[Case] = []
    for word in words_table.WORDS:
        cause = lambda kind, word=word: words_table.CAUSES.get((word.name, kind), "")
        eager, compiled, gradient = map(cause, ("eager", "compiled", "gradient"))
        if word.plain is not None:
            name = f"{word.name}, eager"
            found.append(EagerWord(f"{name}, 10 (NumPy)", 3.0, word, 10, cause=eager))
            found.append(EagerWord(f"{name}, 10^6 (NumPy)", 1.1, word, 10**6, cause=eager))
        found.append(CompiledWord(f"{word.name}, compiled", 1.05, word, False, cause=compiled))
        if word.by:
            found.append(CompiledWord(f"{word.name}, gradient", 1.05, word, True, cause=gradient))
    return found


CASES = cases()
