"""A whole module for XLA: the text of a program as its function `main`.

`lower_module` is what `engine/pipeline.py` calls; `stablehlo.py` does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ...primitives.jaxpr import Jaxpr
from .stablehlo import Builder, identifier


class Module(NamedTuple):
    """A program as XLA takes it.

    Attributes:
        text: the program in StableHLO.
        functions: the Python functions that the program calls by number.
    """

    text: str
    functions: Sequence[Callable]


def _donations(jaxpr: Jaxpr, donated: Collection[int]) -> dict[int, str]:
    """Return the attributes of donated inputs, by the numbers of the inputs of `main`.

    A donated input gives its memory to the first result of its type that no other input has taken.
    Where there is no such result, the memory is freed when the program has run.
    """
    free = [v.aval.strong for v in jaxpr.outs]  # None for a result that has memory already
    attributes = {}
    for i in sorted(donated):
        aval = jaxpr.in_vars[i].aval.strong
        attributes[len(jaxpr.consts) + i] = " {jax.buffer_donor = true}"
        if aval in free:
            index = free.index(aval)
            attributes[len(jaxpr.consts) + i] = f" {{tf.aliasing_output = {index} : i32}}"
            free[index] = None
    return attributes


def lower_module(jaxpr: Jaxpr, platform: str = "cpu", donated: Collection[int] = ()) -> Module:
    """Lower a program to a StableHLO module. Its constants are the first arguments of `main`.

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
