"""Functions of jax's arrays as programs of ours: traced by jax, translated, and kept.

`Traced` is what everything else here is made of: `from_jax` itself, the derivative rules of
functions that have their own, and primitives that nobody here knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend.core as jex

from ....primitives.core import typeof
from ....primitives.jaxpr import Jaxpr, eliminate_dead_code, eval_jaxpr
from ....primitives.staging import stage
from ....primitives.types import ShapedArray, is_inexact
from .reader import call, is_key, jax_aval, our_aval, settings


class Traced:
    """A function of jax's arrays that runs on diffeo's values.

    Args:
        fun: a function of flat arrays that jax can trace; it returns a list of arrays.
        name: its name, for messages and printed programs.
        keys: jax's types of the arguments that are keys, by position.
        wide: whether jax traces it with 64 bits; by default as jax is set now.
    """

    def __init__(
        self,
        fun: Callable[..., Sequence[Any]],
        name: str,
        keys: dict[int, Any] | None = None,
        wide: bool | None = None,
    ):
        self.fun, self.name, self.keys = fun, name, keys or {}
        self.wide = bool(settings.jax_enable_x64) if wide is None else wide
        self.programs: dict[tuple[ShapedArray, ...], Jaxpr] = {}

    def program(self, avals: Sequence[ShapedArray]) -> Jaxpr:
        """Return the program for arguments of these types."""
        key = tuple(avals)
        program = self.programs.get(key)
        if program is None:
            described = [self.keys[i] if i in self.keys else jax_aval(a) for i, a in enumerate(key)]
            with jax.enable_x64(self.wide):
                closed = jax.make_jaxpr(self.fun)(*described)
                staged = stage(lambda *xs: call(closed, xs), key, self.name)
            program = self.programs[key] = eliminate_dead_code(staged)
        return program

    def __call__(self, *values: Any) -> list[Any]:
        return eval_jaxpr(self.program([typeof(v) for v in values]), values)


def struct(aval: Any) -> Any:
    """Return a type of jax's without weakness, for tracing."""
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype)


class Equation:
    """One equation of a program of jax's as a function of its operands, literals included.

    Attributes:
        eqn: the equation.
        avals: jax's types of the operands.
        differentiable: the positions of the operands that may have a tangent.
        inexact_outs: the positions of the results that have one.
    """

    def __init__(self, eqn: Any):
        self.eqn = eqn
        #: Whether jax traced the program with 64 bits, as it is to trace what the rules do.
        self.wide = bool(settings.jax_enable_x64)
        self.avals = [v.aval for v in eqn.invars]
        self.out_avals = [v.aval for v in eqn.outvars]
        self.differentiable = [i for i, a in enumerate(self.avals) if _has_tangent(a)]
        self.inexact_outs = [i for i, a in enumerate(self.out_avals) if _has_tangent(a)]
        self.keys = {i: struct(a) for i, a in enumerate(self.avals) if is_key(a)}

    def __call__(self, *args: Any) -> list[Any]:
        """Apply the equation under jax; return the list of its results."""
        eqn = self.eqn
        binding = eqn.primitive.get_bind_params(eqn.params)
        # Of jax's versions, some return the functions apart from the parameters.
        functions, params = binding if isinstance(binding, tuple) else ((), binding)
        out = eqn.primitive.bind(*functions, *args, **params)
        return list(out) if eqn.primitive.multiple_results else [out]

    def traced(self, fun: Callable[..., Sequence[Any]], keys: bool = True) -> Traced:
        """Return a function of jax's that has to do with the equation, on diffeo's values."""
        return Traced(fun, self.eqn.primitive.name, self.keys if keys else None, self.wide)

    def our_avals(self) -> list[ShapedArray]:
        """Return our types of the results."""
        return [our_aval(a).strong for a in self.out_avals]

    def tangents(self, moving: Sequence[int]) -> Traced:
        """Return (operands, tangents of those at `moving`) -> results, tangents of the inexact
        ones.
        """
        moving = list(moving)

        def pushed(*values: Any) -> list[Any]:
            args, moves = list(values[: len(self.avals)]), values[len(self.avals) :]

            def part(*chosen: Any) -> list[Any]:
                for i, x in zip(moving, chosen):
                    args[i] = x
                return self(*args)

            outs, ts = jax.jvp(part, tuple([args[i] for i in moving]), tuple(moves))
            return [*outs, *[ts[i] for i in self.inexact_outs]]

        return self.traced(pushed)


def _has_tangent(aval: Any) -> bool:
    return not is_key(aval) and is_inexact(our_aval(aval).dtype)


def is_literal(v: Any) -> bool:
    """Return whether an operand of an equation is a constant that stands in it."""
    return isinstance(v, jex.Literal)
