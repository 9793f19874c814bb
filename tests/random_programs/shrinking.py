"""A failing program, made as small as its failure allows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from tests.random_programs.checks import Failure
from tests.random_programs.program import Block, Program, Source, Step, every_step, literal, render

Fails = Callable[[Program], "Failure | None"]


def shrunk(program: Program, fails: Fails, tries: int = 50) -> Program:
    """The smallest program found whose failure is the same, by at most `tries` trials."""
    best = program
    while tries > 0:
        for smaller in candidates(best):
            if tries <= 0:
                break
            tries -= 1
            if fails(smaller):
                best = smaller
                break
        else:
            break
    return best


def candidates(program: Program) -> Iterator[Program]:
    """Programs that are a little smaller, the much smaller ones first."""
    if len(program.results) > 1:
        for name in program.results:
            yield cleaned(program, results=(name,))
    for k in range(len(program.steps) - 1, 0, -1):
        step = program.steps[k - 1]
        for name in step.outs:
            yield cleaned(program, results=(name,))
    for step in program.steps:
        yield as_inputs(program, step)
    for number, step in enumerate(list(every_step(program.steps))):
        if step not in program.steps:
            yield from without_inner(program, number)


def cleaned(program: Program, **changes: Any) -> Program:
    """Without steps and inputs that nothing reads."""
    fields = {"results": program.results, "steps": program.steps, "inputs": program.inputs}
    fields.update(changes)
    steps = live(fields["steps"], set(fields["results"]))
    text = "\n".join(render(steps, "")) + " ".join(fields["results"])
    words = set(_words(text))
    inputs = {n: x for n, x in fields["inputs"].items() if n in words}
    inputs = inputs or dict(list(fields["inputs"].items())[:1])
    return Program(program.seed, inputs, steps, fields["results"])


def live(steps: list[Step], wanted: set[str]) -> list[Step]:
    """The steps that make something that is read later."""
    kept: list[Step] = []
    for step in reversed(steps):
        if wanted.intersection(step.outs):
            kept.append(step)
            wanted |= set(_words("\n".join(render([step], ""))))
    return kept[::-1]


def _words(text: str) -> list[str]:
    for mark in "()[]{},.:*+-/@%&|^~<>=!'\"\n":
        text = text.replace(mark, " ")
    return text.split()


def as_inputs(program: Program, step: Step) -> Program:
    """What the step makes becomes an input."""
    made = dict(zip(step.outs, step.values))
    steps = [s for s in program.steps if s is not step]
    return cleaned(program, steps=steps, inputs={**program.inputs, **made})


def without_inner(program: Program, number: int) -> Iterator[Program]:
    """The step of this number, in a block, becomes a constant, or an argument of the block."""
    other = copy.deepcopy(program)
    target = list(every_step(other.steps))[number]
    for owner in every_step(other.steps):
        for block in owner.blocks:
            if target in block.steps:
                yield from _replaced(other, block, target)


def _replaced(program: Program, block: Block, step: Step) -> Iterator[Program]:
    place = block.steps.index(step)
    before, after = block.steps[:place], block.steps[place + 1 :]
    for kind in ("nothing", "constant"):
        constants = [
            Step("literal", (n,), (), {"x": Source(literal(v))}, (v,))
            for n, v in zip(step.outs, step.values)
        ]
        block.steps = [*before, *(constants if kind == "constant" else []), *after]
        wanted = set(_words(" ".join(block.results)))
        block.steps = live(block.steps, wanted)
        if kind == "constant" and step.row == "literal":
            continue
        yield cleaned(copy.deepcopy(program))
