"""Reductions but the sum, which is in structural.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..builder import LoweringContext
from ..core import Primitive
from ..families import Discrete
from ..stand_ins import ZERO
from ..support.frozen import frozen
from ..types import ShapedArray, bool_
from .elementwise import (
    add,
    kind_of,
    logical_and,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    mul,
)
from .slicing import pad, slice_in_dim
from .structural import (
    Shape,
    batched_axes,
    broadcast_from,
    check_axes,
    convert_element_type,
    drop_axes,
    reduce_sum,
    reshape,
    transpose,
)


def extreme(dtype: np.dtype, largest: bool) -> Any:
    """Return the largest or smallest value of a dtype, infinities included: the neutral element of
    min and max.
    """
    if dtype == bool_:
        return largest
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return info.max if largest else info.min
    return float("inf") if largest else -float("inf")


class Monoid(NamedTuple):
    """An associative operation with a neutral element.

    Attributes:
        row: the operation, a row of the elementwise table.
        neutral: dtype -> the element that changes nothing.
    """

    row: Any
    neutral: Callable[[np.dtype], Any]


ADD = Monoid(add, lambda dtype: 0)
MUL = Monoid(mul, lambda dtype: 1)
MAX = Monoid(maximum, lambda dtype: extreme(dtype, False))
MIN = Monoid(minimum, lambda dtype: extreme(dtype, True))
AND = Monoid(logical_and, lambda dtype: np.invert(np.zeros((), dtype)).item())
OR = Monoid(logical_or, lambda dtype: 0)
XOR = Monoid(logical_xor, lambda dtype: 0)


@frozen
class Reduction(Primitive):
    """Combine the elements along `axes`, which disappear, by an associative operation.

    A subclass states the facts: the operation, and the kinds of dtypes.
    """

    axes: Shape
    accepts = "biufc"
    monoid: ClassVar[Any] = None

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        check_axes(self.name, self.axes, x.ndim)
        if kind_of(x.dtype) not in self.accepts:
            raise TypeError(f"{self.name}: not defined for {x}")
        return ShapedArray(drop_axes(x.shape, self.axes), x.dtype)

    def impl(self, x: np.ndarray) -> np.ndarray:
        row, neutral = self.monoid
        return row.impl.reduce(x, self.axes, dtype=x.dtype, initial=neutral(x.dtype))

    def lower(self, ctx: LoweringContext, x: Any) -> Any:
        row, neutral = self.monoid
        return ctx.reduce(row.hlo, x, neutral(x.aval.dtype), self.axes)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        axes, out_dim = batched_axes(self.axes, dims[0])
        return type(self)(axes).bind(args[0]), out_dim


def _extremum_jvp(
    self: Reduction, primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Any, Any]:
    """Derive a maximum or minimum: the tangent is the mean of the tangents where the extremum is
    taken.
    """
    (x,), (t,) = primals, tangents
    out = self.bind(x)
    if not x.size:
        return out, ZERO
    hit = convert_element_type(x == broadcast_from(out, x.shape, self.axes), x.dtype)
    return out, reduce_sum(t * hit, self.axes) / reduce_sum(hit, self.axes)


class ReduceMax(Reduction):
    """The largest element over `axes`; nan if there is one."""

    accepts, monoid = "biuf", MAX
    jvp = _extremum_jvp


class ReduceMin(Reduction):
    """The smallest element over `axes`; nan if there is one."""

    accepts, monoid = "biuf", MIN
    jvp = _extremum_jvp


class ReduceProd(Reduction):
    """The product over `axes`."""

    accepts, monoid = "iufc", MUL

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Apply the product rule along a binary tree, so that zeros among the factors do no harm.

        Neighbours are multiplied in pairs, with d(x0 x1) = dx0 x1 + x0 dx1, until one is left.
        """
        (x,), (t,) = primals, tangents
        out = self.bind(x)
        kept = [i for i in range(x.ndim) if i not in self.axes]
        # The reduced axes become one, in front.
        order = (*self.axes, *kept)
        n = int(np.prod([x.shape[a] for a in self.axes]))
        shape = (n, *[x.shape[a] for a in kept])
        x, t = (reshape(transpose(v, order), shape) for v in (x, t))
        if n == 0:
            return out, ZERO
        while n > 1:
            if n % 2:  # one more factor, 1 with the tangent 0, makes pairs
                low, high = [(0,) * x.ndim, (1,) + (0,) * (x.ndim - 1)]
                x, t, n = pad(x, low, high, value=1), pad(t, low, high), n + 1
            x0, x1 = (slice_in_dim(x, i, n, 2) for i in (0, 1))
            t0, t1 = (slice_in_dim(t, i, n, 2) for i in (0, 1))
            x, t, n = x0 * x1, t0 * x1 + x0 * t1, n // 2
        return out, reshape(t, out.shape)


class ReduceAnd(Discrete, Reduction):
    """Whether all elements over `axes` are true (bitwise for integers)."""

    accepts, monoid = "biu", AND


class ReduceOr(Discrete, Reduction):
    """Whether any element over `axes` is true (bitwise for integers)."""

    accepts, monoid = "biu", OR


class ReduceXor(Discrete, Reduction):
    """Whether the number of true elements over `axes` is odd (bitwise for integers)."""

    accepts, monoid = "biu", XOR


def reduce_max(x: Any, axes: Sequence[int]) -> Any:
    """Return the largest element over `axes`."""
    return ReduceMax(tuple(axes)).bind(x)


def reduce_min(x: Any, axes: Sequence[int]) -> Any:
    """Return the smallest element over `axes`."""
    return ReduceMin(tuple(axes)).bind(x)


def reduce_prod(x: Any, axes: Sequence[int]) -> Any:
    """Return the product over `axes`."""
    return ReduceProd(tuple(axes)).bind(x)


def reduce_and(x: Any, axes: Sequence[int]) -> Any:
    """Return whether all elements over `axes` are true."""
    return ReduceAnd(tuple(axes)).bind(x)


def reduce_or(x: Any, axes: Sequence[int]) -> Any:
    """Return whether any element over `axes` is true."""
    return ReduceOr(tuple(axes)).bind(x)


def reduce_xor(x: Any, axes: Sequence[int]) -> Any:
    """Return whether an odd number of elements over `axes` is true."""
    return ReduceXor(tuple(axes)).bind(x)
