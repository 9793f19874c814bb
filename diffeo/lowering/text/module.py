"""A whole module for XLA: the text of a program as its function `main`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ...primitives.jaxpr import Jaxpr
from .stablehlo import Builder, identifier


class Module(NamedTuple):
    """A program for XLA: its StableHLO text, and the Python functions that it calls by number."""

    text: str
    functions: Sequence[Callable]


def _donations(jaxpr: Jaxpr, donated: Collection[int]) -> dict[int, str]:
    """What says of the donated inputs that a result may take their memory: each in the place of the
    first result of its type; those for which there is none are freed when the program has run.
    """
    free = [v.aval.strong for v in jaxpr.outs]
    attributes = {}
    for i in sorted(donated):
        aval = jaxpr.in_vars[i].aval.strong
        attributes[len(jaxpr.consts) + i] = " {jax.buffer_donor = true}"
        if aval in free:
            place = free.index(aval)
            attributes[len(jaxpr.consts) + i] = f" {{tf.aliasing_output = {place} : i32}}"
            free[place] = None
    return attributes


def lower_module(jaxpr: Jaxpr, platform: str = "cpu", donated: Collection[int] = ()) -> Module:
    """The StableHLO module of a program; its constants are the first arguments of `main`.

    Args:
        jaxpr: the program.
        platform: what it will run on: "cpu", "cuda", "tpu" or a plugin's name.
        donated: the inputs whose memory the results may take, by number.
    """
    builder = Builder(platform)
    builder.function(jaxpr.closed_over(), "main", "public", _donations(jaxpr, donated))
    functions = "\n".join(builder.functions)
    text = f"module @{identifier(jaxpr.name)} {{\n{functions}\n}}\n"
    return Module(text, builder.python)
