"""What a jitted function remembers of a signature, and when it has to forget."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from ..lowering import pytree
from ..lowering.compiler import when_evicted
from ..lowering.executables import Executable
from ..primitives.array import Array
from .stages import Compiled, instances


class Entry(NamedTuple):
    """What a call of a known signature needs. The first three are the signature; the last of the
    types may be the static arguments.
    """

    settings: tuple
    structure: pytree.PyTreeDef
    avals: list[Any]
    #: None: `compiled` has to do it.
    run: Callable[[list[Any]], Any] | None
    handlers: list[Any]
    constants: list[Any]
    #: The arguments' leaves that the program takes; None: all of them.
    kept: tuple[int, ...] | None
    #: The types of the results; of a single one that is the function's result, also its weakness.
    out_avals: list[Any]
    #: What makes the function's result of the arrays; None: it is the one array.
    finish: Callable[[list[Array]], Any] | None
    calls: list[int]
    compiled: Compiled


def _after_fork() -> None:
    """In a forked child the runtime has no threads; only the slow path looks for that."""
    for instance in list(instances):
        instance.forget_entries()


os.register_at_fork(after_in_child=_after_fork)


def _forget(executable: Executable) -> None:
    """Let no function hold on to an executable that goes for the sake of memory."""
    for instance in list(instances):
        for key, traced in list(instance.cache.items()):
            held = [c.program.executable for c in list(traced.programs.values())]
            if any([e is executable for e in held]):
                instance.cache.pop(key, None)
                instance.forget_entries()


when_evicted.append(_forget)
