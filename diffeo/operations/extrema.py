"""Places of extrema: the index of the largest or smallest element along an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives.builder import LoweringContext
from ..primitives.core import Value
from ..primitives.families import Discrete
from ..primitives.support.foreign import array_dtype
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray, is_inexact
from ..primitives.words.elementwise import (
    eq,
    gt,
    imag,
    kind_of,
    logical_and,
    logical_not,
    logical_or,
    lt,
    ne,
    real,
    select,
)
from ..primitives.words.reduction import extreme, reduce_max, reduce_min, reduce_or
from ..primitives.words.structural import (
    batched_axes,
    broadcast_from,
    check_axes,
    convert_element_type,
    drop_axes,
    iota,
)


@frozen
class ArgReduction(Discrete):
    """The index of an extremum along `axis`.

    It is the first one if there are several, and that of the first nan if there is one.
    """

    axis: int
    dtype: np.dtype
    keeps_weak = False

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        check_axes(self.name, (self.axis,), x.ndim)
        if kind_of(x.dtype) == "s":
            raise TypeError(f"{self.name}: float8 numbers have no order, got {x}")
        if self.dtype.kind not in "iu":
            raise TypeError(f"{self.name}: places are integers, got dtype {self.dtype} for {x}")
        if x.shape[self.axis] == 0:
            raise ValueError(f"{self.name}: axis {self.axis} of {x} is empty")
        if np.iinfo(self.dtype).max < x.shape[self.axis] - 1:
            raise TypeError(f"{self.name}: {self.dtype} does not hold the places of {x}")
        return ShapedArray(drop_axes(x.shape, (self.axis,)), self.dtype)

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        shape, largest = x.aval.shape, type(self) is ArgMax
        if x.aval.dtype.kind == "c":
            return ctx.inline(lambda z: self.of_complex(z, largest), x)
        places = ctx.inline(lambda: iota(self.dtype, shape, self.axis))
        attributes = {"dimensions": ctx.i64s([self.axis])}
        beyond = np.iinfo(self.dtype).max
        return place_of_extremum(ctx, "reduce", x, places, beyond, largest, attributes)

    def of_complex(self, z: Value, largest: bool) -> Any:
        """Return the index among complex numbers, ordered by their real, then their imaginary
        parts.
        """
        axes = (self.axis,)
        extremal = lambda x, among: broadcast_from(
            (reduce_max if largest else reduce_min)(
                select(among, x, -math.inf if largest else math.inf), axes
            ),
            z.shape,
            axes,
        )
        missing = ne.bind(z, z)
        # Where the real part is extremal, then where the imaginary part is extremal among these.
        among = logical_not.bind(missing)
        for part in (real.bind(z), imag.bind(z)):
            among = logical_and.bind(among, eq.bind(part, extremal(part, among)))
        # If there is any nan, the nans are chosen; `argmax` takes the first.
        some = broadcast_from(reduce_or(missing, axes), z.shape, axes)
        chosen = logical_or.bind(missing, logical_and.bind(among, logical_not.bind(some)))
        return argmax(convert_element_type(chosen, np.int8), self.axis, self.dtype)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        (axis,), out_dim = batched_axes((self.axis,), dims[0])
        return type(self)(axis, self.dtype).bind(args[0]), out_dim


class ArgMax(ArgReduction):
    """The index of the largest element along `axis`: the first, or that of the first nan."""

    def impl(self, x: np.ndarray) -> np.ndarray:
        return np.argmax(x, self.axis).astype(self.dtype)


class ArgMin(ArgReduction):
    """The index of the smallest element along `axis`: the first, or that of the first nan."""

    def impl(self, x: np.ndarray) -> np.ndarray:
        return np.argmin(x, self.axis).astype(self.dtype)


def place_of_extremum(
    ctx: LoweringContext,
    name: str,
    x: Any,
    places: Any,
    beyond: int,
    largest: bool,
    attributes: dict,
) -> Any:
    """Emit a reduction of values together with their indices, and return the index of the extremum.

    It is the first one of equals, and that of the first nan if there is one; `beyond` all indices
    if there is nothing. A nan wins against what follows it, so it is taken for granted that what
    comes first is `a`.

    Args:
        ctx: the builder.
        name: the StableHLO operation, such as "reduce".
        x: the values.
        places: the indices, in the shape of the values.
        beyond: the index where there is nothing.
        largest: whether the largest value is looked for, or the smallest.
        attributes: the attributes of the operation.
    """
    out = ctx.outs[0]
    value, index = ShapedArray((), x.aval.dtype), ShapedArray((), out.dtype)

    def better(a: Value, i: Value, b: Value, j: Value) -> list[Any]:
        wins = (gt if largest else lt).bind(a, b)
        if is_inexact(value.dtype):
            wins = logical_or.bind(wins, ne.bind(a, a))
        earlier = logical_and.bind(eq.bind(a, b), lt.bind(i, j))
        return [select(wins, a, b), select(logical_or.bind(wins, earlier), i, j)]

    worst = ctx.constant(extreme(value.dtype, not largest), value)
    operands = [x, places, worst, ctx.constant(beyond, index)]
    region = ctx.region([value, index] * 2, lambda *args: ctx.inline(better, *args))
    outs = [ShapedArray(out.shape, value.dtype), out]
    return ctx.emit(name, operands, outs, attributes, region)[1]


def argmax(x: Any, axis: int, dtype: Any = np.int64) -> Any:
    """Return the index of the largest element along `axis`."""
    return ArgMax(axis, array_dtype(dtype)).bind(x)


def argmin(x: Any, axis: int, dtype: Any = np.int64) -> Any:
    """Return the index of the smallest element along `axis`."""
    return ArgMin(axis, array_dtype(dtype)).bind(x)
