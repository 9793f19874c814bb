"""What a sample is, and how the operands of the table in `samples.py` are drawn."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from diffeo.operations import identity
from diffeo.primitives import Array, Primitive, families, stage
from diffeo.primitives.jaxpr import Var
from diffeo.primitives.types import SCALARS, ShapedArray, is_inexact
from diffeo.primitives.words import elementwise, structural
from diffeo.programs.call import Call
from diffeo.routines.keys import WrapWords
from tests import whole as whole


@dataclass(frozen=True, eq=False)
class Sample:
    """A primitive with operands."""

    name: str
    primitive: Primitive
    args: tuple[Any, ...]
    by: tuple[int, ...]
    #: False if only evaluation is meant to be tested: special values, say.
    smooth: bool = True

    def __repr__(self) -> str:
        return self.name

    @cached_property
    def arrays(self) -> tuple[int, ...]:
        """The positions of the operands that are arrays."""
        return tuple([i for i, a in enumerate(self.args) if type(a) not in SCALARS])

    @cached_property
    def differentiable(self) -> bool:
        """Whether there is a derivative to speak of."""
        return self.smooth and bool(self.by)

    def impl(self, *args: Any) -> list[np.ndarray]:
        """The results by NumPy (to whom a Python scalar beside a bfloat16 would be a float32)."""
        narrow = [a.dtype for a in args if type(a) not in SCALARS and a.dtype.kind == "V"]
        if narrow:
            args = tuple([np.asarray(a, narrow[0]) if type(a) in SCALARS else a for a in args])
        out = self.primitive.impl(*args)
        return list(map(np.asarray, out if self.primitive.multiple_results else [out]))

    def bind(self, *args: Any) -> list[Any]:
        """The results under the current interpreter."""
        out = self.primitive.bind(*args)
        return list(out) if self.primitive.multiple_results else [out]


SAMPLES: list[Sample] = []


def sample(
    primitive: Primitive,
    *operands: Any,
    note: str = "",
    by: tuple[int, ...] | None = None,
    smooth: bool = True,
) -> None:
    """Add a line to the table."""
    taken = {s.name for s in SAMPLES}
    stem = primitive.name + (f"-{note}" if note else "")
    name = next(n for k in range(1, 1000) if (n := f"{stem}-{k}" if k > 1 else stem) not in taken)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    args = tuple([a(rng) if callable(a) else a for a in operands])
    if by is None:
        floats = [type(a) not in SCALARS and is_inexact(a.dtype) for a in args]
        has = _has_derivative(primitive)
        by = tuple([i for i, flag in enumerate(floats) if flag and has])
    SAMPLES.append(Sample(name, primitive, args, by, smooth))


def _has_derivative(primitive: Primitive) -> bool:
    """False for primitives that are constant almost everywhere, by what they say of themselves."""
    if isinstance(primitive, elementwise.Elementwise):
        own = type(primitive).jvp is not elementwise.Elementwise.jvp
        constant = isinstance(primitive, identity.StopGradient)
        return not constant and bool(own or primitive.derivatives)
    if isinstance(primitive, structural.ConvertElementType):
        return is_inexact(primitive.dtype)
    return not isinstance(primitive, families.Discrete)


def call_sample(fun: Callable, *operands: Any, note: str) -> None:
    """Add a sample of `Call`: the program of a function of arrays."""
    rng = np.random.default_rng(0)
    arrays = [a(rng) if callable(a) else a for a in operands]
    jaxpr = stage(fun, [ShapedArray(a.shape, a.dtype) for a in arrays], note.replace(" ", "_"))
    constants = [np.asarray(c) for c in jaxpr.consts]  # become operands, as they do in jit
    sample(Call(jaxpr.closed_over()), *constants, *arrays, note=note)


def program_samples(fun: Callable, *operands: Any, note: str) -> None:
    """Add samples of the operations on programs that a function of arrays binds."""
    rng = np.random.default_rng(0)
    arrays = [a(rng) if callable(a) else a for a in operands]
    jaxpr = stage(fun, [ShapedArray(a.shape, a.dtype) for a in arrays], note.replace(" ", "_"))
    env: dict[Any, Any] = dict(zip(jaxpr.const_vars, jaxpr.consts))
    env.update(zip(jaxpr.in_vars, map(Array, arrays)))
    for eqn in jaxpr.eqns:
        args = [env[v] if type(v) is Var else v.value for v in eqn.inputs]
        if eqn.primitive.holds_programs:
            sample(eqn.primitive, *map(np.asarray, args), note=note)
        out = eqn.primitive.bind(*args)
        env.update(zip(eqn.outs, out if eqn.primitive.multiple_results else [out]))


# --------------------------------------------------------------------------------------------------
# Operands

Draw = Callable[[np.random.Generator], np.ndarray]


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> Draw:
    """Float64 numbers between `low` and `high`."""
    return lambda rng: rng.uniform(low, high, shape)


def comp(*shape: int) -> Draw:
    """Complex128 numbers of all four quadrants, away from the axes, where branch cuts lie."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        parts = rng.uniform(0.3, 1.5, (2, *shape)) * rng.choice([-1.0, 1.0], (2, *shape))
        return parts[0] + 1j * parts[1]

    return draw


def ints(*shape: int, low: int = -9, high: int = 9, dtype: Any = np.int64) -> Draw:
    """Integers from `low` up to and without `high`."""
    return lambda rng: rng.integers(low, high, shape).astype(dtype)


def words(*shape: int) -> Draw:
    """Any uint32."""
    return lambda rng: rng.integers(0, 2**32, shape, np.uint32)


def keys(dtype: Any, *shape: int) -> Draw:
    """Keys of any words."""
    return lambda rng: WrapWords(dtype).impl(words(*shape, dtype.words)(rng))


def bools(*shape: int) -> Draw:
    """True and False, about as often."""
    return lambda rng: rng.random(shape) < 0.5


def i32(value: Any) -> np.ndarray:
    """An int32 array of these numbers."""
    return np.array(value, np.int32)
