"""jax's answer to one step, run eagerly; nothing where jax is not installed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from tests.random_programs.program import namespace


@cache
def jax() -> Any:
    """jax with 64 bits, or None."""
    try:
        found = importlib.import_module("jax")
    except ImportError:
        return None
    for name in ("scipy.special", "scipy.linalg", "nn"):
        importlib.import_module(f"jax.{name}")
    found.config.update("jax_enable_x64", True)
    return found


def values(source: str, env: dict, outs: Sequence[str]) -> list[np.ndarray] | None:
    """The results of the step, or None if jax refuses."""
    lib = jax()
    if lib is None:
        return None
    space = namespace(lib)
    space.update({n: lib.numpy.asarray(np.asarray(v)) for n, v in env.items()})
    try:
        exec(compile(source, "<random step>", "exec"), space)
        return [np.asarray(space[n]) for n in outs]
    except Exception:
        return None


def raises(source: str, env: dict, outs: Sequence[str]) -> bool:
    """Whether jax refuses the step, too."""
    return jax() is not None and values(source, env, outs) is None
