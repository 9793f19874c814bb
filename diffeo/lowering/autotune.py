"""Autotuning: compile a program in a few ways, time them on its arguments, keep the fastest.

XLA's defaults are not always best: without its fusion pass, some programs run in half of the time,
and others need twice as much.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from . import compat
from .executables import CompilationError, Executable
from .flags import NO_FUSION

#: What is tried, beside the flags that the program would have had. Others were measured and changed
#: nothing (scheduling, threads, other kernels for products of matrices).
VARIANTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "cpu": {
        "no fusion": NO_FUSION,
        "other fusion": {"xla_cpu_use_fusion_emitters": False},  # jaxlib 0.10 has it
        "wide vectors": {"xla_cpu_prefer_vector_width": 512},
    }
}
#: Changes with the table and with how it is measured: choices of another number are not loaded.
TABLE = 1

#: Runs of each variant, and seconds for all of them together; they stop at what comes first, but
#: not before everyone had his turn twice.
_ROUNDS, _BUDGET = 200, 2.0
#: A variant that is so much slower than the best is not run again, once each had some turns: the
#: least of a few runs says little on a machine that has other work.
_HOPELESS, _TURNS = 1.5, 10
#: The default is left for something that is faster by more than noise.
_MARGIN = 0.97

_DONATION = re.compile(r"(?:tf\.aliasing_output = \d+ : i32|jax\.buffer_donor = true)(?:, )?")


class Measurement(NamedTuple):
    """One way to compile a program.

    Attributes:
        variant: its name.
        compile_seconds, run_seconds: what it took; the least of several runs.
        chosen: whether it is the one that was kept.
    """

    variant: str
    compile_seconds: float
    run_seconds: float
    chosen: bool


def tune(
    make: Callable[..., Executable],
    text: str,
    flags: Mapping[str, Any],
    given: Mapping[str, Any],
    buffers: Sequence[Any],
) -> Executable:
    """The fastest of the variants, with the measurements in `tuning`.

    Args:
        make: compiles a text with `options`, for the types and the device of the program.
        text: the program.
        flags: those that it would have without tuning: the default.
        given: those of them that the user gave; they hold for every variant.
        buffers: the arguments. They are not consumed: a program that would is tried without
            donation.
    """
    kept = _without_donation(text)
    made: dict[str, Executable] = {"default": make(kept, options=flags)}
    platform = made["default"].device.platform
    chosen = {"default": flags}
    for name, variant in VARIANTS.get(platform, {}).items():
        # Where fusion must be off by default, compiling with it would take minutes.
        options = {**flags, **variant, **given}
        if options == flags or ("xla_disable_hlo_passes" in flags and variant is not NO_FUSION):
            continue
        try:
            made[name], chosen[name] = make(kept, options=options), options
        except (ValueError, CompilationError):  # this jaxlib does not have it
            continue
    runs = _measure(made, list(buffers))
    best = min(runs, key=lambda name: runs[name])
    if runs[best] > _MARGIN * runs["default"]:
        best = "default"
    winner = made[best] if kept == text else make(text, options=chosen[best])
    winner.tuning = tuple(
        [Measurement(n, made[n].compile_seconds, runs[n], n == best) for n in made]
    )
    return winner


def _measure(made: Mapping[str, Executable], buffers: list[Any]) -> dict[str, float]:
    """The least seconds of a run of each. They take turns, since a machine's speed changes."""
    compat.block_until_ready(buffers)
    for executable in made.values():  # the first run touches new memory
        compat.block_until_ready(executable.execute(buffers))
    least = dict.fromkeys(made, float("inf"))
    running = list(made)
    begin = time.perf_counter()
    for turn in range(1, _ROUNDS + 1):
        for name in running:
            start = time.perf_counter()
            compat.block_until_ready(made[name].execute(buffers))
            least[name] = min(least[name], time.perf_counter() - start)
        spent = time.perf_counter() - begin
        if turn >= _TURNS or spent > _BUDGET / 2:
            limit = _HOPELESS * min(least.values())
            running = [name for name in running if least[name] <= limit]
        if len(running) == 1 or (turn >= 2 and spent > _BUDGET):
            break
    return least


def _without_donation(text: str) -> str:
    """The program with the attributes gone that let it consume its arguments."""
    start = text.find("@main(")
    end = text.find("\n", start)
    head = _DONATION.sub("", text[start:end])
    return text[:start] + head.replace(", }", "}").replace(" {}", "") + text[end:]
