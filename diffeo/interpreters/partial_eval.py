"""What programs use of `jax.interpreters.partial_eval`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..primitives.jaxpr import Jaxpr, eliminate_dead_code

__all__ = ["close_jaxpr", "convert_constvars_jaxpr", "dce_jaxpr"]


def close_jaxpr(jaxpr: Jaxpr) -> Jaxpr:
    """Return the program: diffeo's hold their constants themselves."""
    return jaxpr


def convert_constvars_jaxpr(jaxpr: Jaxpr) -> Jaxpr:
    """Return the same program with its constants as leading inputs."""
    return jaxpr.closed_over()


def dce_jaxpr(
    jaxpr: Jaxpr, used_outputs: Sequence[bool], instantiate: bool | Sequence[bool] = False
) -> tuple[Jaxpr, list[bool]]:
    """Return the program that computes some of the results only, and which inputs it still has.

    Args:
        jaxpr: the program.
        used_outputs: for each result, whether it is kept.
        instantiate: whether inputs that nothing reads stay; for all, or for each.

    Examples:
        >>> import diffeo as dx
        >>> program = dx.make_jaxpr(lambda x, y: (x + 1.0, y * 2.0))(1.0, 1.0)
        >>> dce_jaxpr(program, [True, False])[1]
        [True, False]
    """
    kept = [out for out, used in zip(jaxpr.outs, used_outputs) if used]
    smaller = eliminate_dead_code(
        Jaxpr(jaxpr.in_vars, jaxpr.eqns, kept, jaxpr.const_vars, jaxpr.consts, jaxpr.name)
    )
    read: set[Any] = {v for eqn in smaller.eqns for v in eqn.inputs} | set(smaller.outs)
    stay = [instantiate] * len(jaxpr.in_vars) if isinstance(instantiate, bool) else instantiate
    used = [v in read or bool(s) for v, s in zip(smaller.in_vars, stay)]
    inputs = [v for v, u in zip(smaller.in_vars, used) if u]
    parts = smaller.eqns, smaller.outs, smaller.const_vars, smaller.consts, smaller.name
    return Jaxpr(inputs, *parts), used
