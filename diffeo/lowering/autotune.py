"""Autotuning: compile a program in a few ways, time them on its arguments, keep the fastest.

XLA's defaults are not always best. Without its fusion pass, some programs run in half of the time,
and others need twice as much. A *variant* is a way to compile: a set of XLA flags that are added to
those that the program would have had. `tune` is the whole of it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from . import compat
from .executables import CompilationError, Executable
from .flags import NO_FUSION

#: The variants for each platform, by name: flags that are added to the program's own. Other flags
#: were measured and changed nothing (scheduling, threads, other kernels for products of matrices).
VARIANTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "cpu": {
        "no fusion": NO_FUSION,
        "other fusion": {"xla_cpu_use_fusion_emitters": False},  # jaxlib 0.10 has it
        "wide vectors": {"xla_cpu_prefer_vector_width": 512},
    }
}
#: The version of the table and of how it is measured. Executables that were chosen under another
#: number are not loaded from disk.
TABLE = 1

#: The most runs of each variant, and the most seconds for all of them together. Measuring stops at
#: whichever comes first, but not before each variant was run twice.
_ROUNDS, _BUDGET = 200, 2.0
#: A variant that takes so many times as long as the best is not run again, once each has had so
#: many turns: the least of a few runs says little on a machine that has other work.
_HOPELESS, _TURNS = 1.5, 10
#: A variant replaces the default only if it takes no more than this part of the default's time: a
#: smaller gain may be noise.
_MARGIN = 0.97

#: The attributes of an operand of `main` that let the program write results over the operand.
_DONATION = re.compile(r"(?:tf\.aliasing_output = \d+ : i32|jax\.buffer_donor = true)(?:, )?")


class Measurement(NamedTuple):
    """The measurement of one variant.

    Attributes:
        variant: its name.
        compile_seconds: how long XLA took.
        run_seconds: the least time of several runs.
        chosen: whether it is the variant that was kept.
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
    """Compile a program in every variant. Return the fastest executable, with all measurements in
    `tuning`.

    Args:
        make: compiles a text with `options`, for the types and the device of the program.
        text: the program.
        flags: the flags that the program would have without tuning: the variant "default".
        given: the user's flags among them; they hold for every variant.
        buffers: the arguments. They are not consumed: a program that would consume them is tried
            without donation.
    """
    trial_text = _without_donation(text)
    made: dict[str, Executable] = {"default": make(trial_text, options=flags)}
    platform = made["default"].device.platform
    flags_of = {"default": flags}
    for name, variant in VARIANTS.get(platform, {}).items():
        # Where fusion must be off by default, compiling with it would take minutes.
        options = {**flags, **variant, **given}
        if options == flags or ("xla_disable_hlo_passes" in flags and variant is not NO_FUSION):
            continue
        try:
            made[name], flags_of[name] = make(trial_text, options=options), options
        except (ValueError, CompilationError):  # this jaxlib does not have the flag
            continue
    runs = _measure(made, list(buffers))
    best = min(runs, key=lambda name: runs[name])
    if runs[best] > _MARGIN * runs["default"]:
        best = "default"
    winner = made[best] if trial_text == text else make(text, options=flags_of[best])
    winner.tuning = tuple(
        [Measurement(n, made[n].compile_seconds, runs[n], n == best) for n in made]
    )
    return winner


def _measure(made: Mapping[str, Executable], buffers: list[Any]) -> dict[str, float]:
    """Return the least seconds of a run of each executable, by name.

    The executables take turns, since a machine's speed changes.
    """
    compat.block_until_ready(buffers)
    for executable in made.values():  # the first run touches new memory
        compat.block_until_ready(executable.execute(buffers))
    least_seconds = dict.fromkeys(made, float("inf"))
    running = list(made)
    first_start = time.perf_counter()
    for turn in range(1, _ROUNDS + 1):
        for name in running:
            start = time.perf_counter()
            compat.block_until_ready(made[name].execute(buffers))
            least_seconds[name] = min(least_seconds[name], time.perf_counter() - start)
        elapsed = time.perf_counter() - first_start
        if turn >= _TURNS or elapsed > _BUDGET / 2:
            limit = _HOPELESS * min(least_seconds.values())
            running = [name for name in running if least_seconds[name] <= limit]
        if len(running) == 1 or (turn >= 2 and elapsed > _BUDGET):
            break
    return least_seconds


def _without_donation(text: str) -> str:
    """Return the program without the attributes that let it consume its arguments."""
    start = text.find("@main(")
    end = text.find("\n", start)
    head = _DONATION.sub("", text[start:end])
    return text[:start] + head.replace(", }", "}").replace(" {}", "") + text[end:]
