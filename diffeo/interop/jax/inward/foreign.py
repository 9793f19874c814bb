"""Primitives that the table does not know: those of other libraries, and the user's own.

Such an equation becomes one primitive of ours, `JaxPrimitive`, which asks jax whenever it is asked
itself: its derivative is `jax.jvp` of the equation, its transpose `jax.linear_transpose`, its batch
`jax.vmap`, each traced and translated; it is compiled as the program of its `impl`. So rules that a
library gave to jax hold here: a linear solver's is differentiated through the equation that it
solves, not through its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import numpy as np

from ....primitives.core import Primitive, Value, with_user_line
from ....primitives.stand_ins import ZERO, LinearInput
from ....primitives.types import ShapedArray
from . import reader
from .reader import our_aval
from .traced import Equation, Traced, struct


class Rules:
    """What jax knows of an equation, translated when it is asked for."""

    def __init__(self, eqn: Any):
        self.equation = Equation(eqn)
        self.name = eqn.primitive.name
        self.source = reader.source_of(eqn)
        self.made: dict[Any, Any] = {}

    def once(self, key: Any, make: Callable) -> Any:
        """Return what was made for a key before, or make it."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    @cached_property
    def value(self) -> Traced:
        """The equation's `impl`, as a program."""
        eqn = self.equation.eqn

        def impl(*args: Any) -> list[Any]:
            out = eqn.primitive.impl(*args, **eqn.params)
            return list(out) if eqn.primitive.multiple_results else [out]

        return self.equation.traced(impl)

    def transposed(self, linear: tuple[bool, ...], there: tuple[bool, ...]) -> Traced:
        """Return (operands that are not linear, cotangents that are `there`) -> cotangents."""
        equation = self.equation

        def back(*values: Any) -> list[Any]:
            count = len(linear) - sum(linear)
            fixed, given = iter(values[:count]), iter(values[count:])
            args = [None if lin else next(fixed) for lin in linear]

            def part(*xs: Any) -> list[Any]:
                some = iter(xs)
                outs = equation(*[next(some) if lin else a for a, lin in zip(args, linear)])
                return [outs[i] for i in equation.inexact_outs]

            structs = [struct(a) for a, lin in zip(equation.avals, linear) if lin]
            every = [next(given) if flag else None for flag in there]
            cts = [
                jax.numpy.zeros(equation.out_avals[i].shape, equation.out_avals[i].dtype)
                if every[i] is None
                else every[i]
                for i in equation.inexact_outs
            ]
            return list(jax.linear_transpose(part, *structs)(cts))

        return Traced(back, f"transpose of {self.name}", None, equation.wide)

    def batched(self, size: int, dims: tuple[Any, ...]) -> tuple[Traced, list[Any]]:
        """Return the equation over a batch, and the batch axes of its results: 0 or None."""
        equation = self.equation
        keys, described = {}, []
        for i, (a, d) in enumerate(zip(equation.avals, dims)):
            shape = list(a.shape)
            if d is not None:
                shape.insert(d, size)
            described.append(jax.ShapeDtypeStruct(tuple(shape), a.dtype))
            if i in equation.keys:
                keys[i] = described[-1]
        count = len(equation.out_avals)
        axes: list[Any] = [0] * count

        def over(*xs: Any) -> list[Any]:
            mapped = jax.vmap(equation, in_axes=dims, out_axes=list(axes), axis_size=size)
            return mapped(*xs)

        for i in range(count):
            axes[i] = None
            try:  # jax refuses an axis of None for a result that has one
                with jax.enable_x64(equation.wide):
                    jax.eval_shape(over, *described)
            except ValueError:
                axes[i] = 0
        return Traced(over, self.name, keys, equation.wide), axes


class JaxPrimitive(Primitive):
    """An equation of a program of jax's whose primitive has no translation of its own."""

    multiple_results = True
    keeps_weak = False
    calls_python = True
    endless = True

    def __init__(self, rules: Rules):
        self.rules = rules

    @property
    def name(self) -> str:
        return self.rules.name

    def parameters(self) -> tuple:
        return (id(self.rules),)

    def abstract_eval(self, *avals: ShapedArray) -> list[ShapedArray]:
        expected = [our_aval(a).strong for a in self.rules.equation.avals]
        if list(avals) != expected:
            raise TypeError(f"{self.name}: expects operands {expected}, got {list(avals)}")
        return self.rules.equation.our_avals()

    def impl(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(o) for o in self.decompose(*map(reader.our_constant, arrays))]

    def decompose(self, *args: Any) -> list[Any]:
        program = self._ask(self.rules.value.program, [_strong(a) for a in args])
        if any([type(e.primitive) is JaxPrimitive and e.primitive.name == self.name
                for e in program.eqns]):  # fmt: skip
            raise with_user_line(
                NotImplementedError(
                    f"from_jax: jax's primitive '{self.name}' has no translation, and its impl "
                    "is no function that jax can trace, so that only jax can run it"
                )
            )
        return self.rules.value(*args)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        equation = self.rules.equation
        moving = tuple([i for i in equation.differentiable if tangents[i] is not ZERO])
        outs = range(len(equation.out_avals))
        if not moving:
            return self.bind(*primals), [ZERO for _ in outs]
        pushed = self.rules.once(("jvp", moving), lambda: equation.tangents(moving))
        results = self._ask(pushed, *primals, *[tangents[i] for i in moving])
        moves = dict(zip(equation.inexact_outs, results[len(outs) :]))
        return results[: len(outs)], [moves.get(i, ZERO) for i in outs]

    def transpose(self, ct: Any, *args: Any) -> Sequence[Any]:
        linear = tuple([type(a) is LinearInput for a in args])
        there = tuple([c is not ZERO for c in ct])
        back = self.rules.once(
            ("transpose", linear, there), lambda: self.rules.transposed(linear, there)
        )
        fixed = [a for a, lin in zip(args, linear) if not lin]
        cts = iter(self._ask(back, *fixed, *[c for c in ct if c is not ZERO]))
        return [next(cts) if lin else None for lin in linear]

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        axes = tuple(dims)
        over, places = self.rules.once(
            ("batch", size, axes), lambda: self.rules.batched(size, axes)
        )
        return self._ask(over, *args), places

    def _ask(self, function: Any, *args: Any) -> Any:
        """Call a function that asks jax; its refusals get the user's line."""
        try:
            return function(*args)
        except NotImplementedError as error:
            raise with_user_line(error) from error


def _strong(x: Value) -> ShapedArray:
    return x.aval.strong


def _foreign(eqn: Any, *args: Any) -> Any:
    """The rule of a primitive that is not in the table."""
    outs = JaxPrimitive(Rules(eqn)).bind(*args)
    return outs if eqn.primitive.multiple_results else outs[0]


reader.unknown = _foreign
