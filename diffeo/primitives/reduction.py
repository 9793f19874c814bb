"""Reductions but the sum (see structural.py), arg-reductions, and the cumulative sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .core import ZERO, Primitive
from .elementwise import kind_of
from .families import Discrete, Linear
from .slicing import pad, rev, slice_in_dim
from .structural import (
    Shape,
    batched_axes,
    broadcast_from,
    check_axes,
    convert_element_type,
    drop_axes,
    move_axis,
    reduce_sum,
    reshape,
    transpose,
)
from .types import ShapedArray, bool_


def extreme(dtype: np.dtype, largest: bool) -> Any:
    """The largest or smallest value of a dtype, infinities included: the neutral element of min
    and max.
    """
    if dtype == bool_:
        return largest
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return info.max if largest else info.min
    return float("inf") if largest else -float("inf")


@dataclass(frozen=True, eq=False, repr=False)
class Reduction(Primitive):
    """Combine the elements along `axes`, which disappear, by an associative operation.

    A subclass states the facts: the operation's NumPy function and StableHLO name, and its neutral
    element.
    """

    axes: Shape
    accepts = "biufc"
    ufunc: ClassVar[np.ufunc]
    hlo: ClassVar[str]

    def neutral(self, dtype: np.dtype) -> Any:
        """The element that changes nothing."""
        raise NotImplementedError

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        check_axes(self.name, self.axes, x.ndim)
        if kind_of(x.dtype) not in self.accepts:
            raise TypeError(f"{self.name}: not defined for {x}")
        return ShapedArray(drop_axes(x.shape, self.axes), x.dtype)

    def impl(self, x: np.ndarray) -> np.ndarray:
        return self.ufunc.reduce(x, self.axes, dtype=x.dtype, initial=self.neutral(x.dtype))

    def lower(self, ctx: Any, x: Any) -> Any:
        return ctx.reduce(self.hlo, x, self.neutral(x.aval.dtype), self.axes)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        axes, out_dim = batched_axes(self.axes, dims[0])
        return type(self)(axes).bind(args[0]), out_dim


def _extremum_jvp(
    self: Reduction, primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Any, Any]:
    """The tangent is the mean of the tangents at the places where the extremum is taken."""
    (x,), (t,) = primals, tangents
    out = self.bind(x)
    hit = convert_element_type(x == broadcast_from(out, x.shape, self.axes), x.dtype)
    share = hit / broadcast_from(reduce_sum(hit, self.axes), x.shape, self.axes)
    return out, reduce_sum(t * share, self.axes)


class ReduceMax(Reduction):
    """The largest element over `axes`; nan if there is one."""

    accepts = "biuf"
    ufunc, hlo = np.maximum, "maximum"
    jvp = _extremum_jvp

    def neutral(self, dtype: np.dtype) -> Any:
        return extreme(dtype, False)


class ReduceMin(Reduction):
    """The smallest element over `axes`; nan if there is one."""

    accepts = "biuf"
    ufunc, hlo = np.minimum, "minimum"
    jvp = _extremum_jvp

    def neutral(self, dtype: np.dtype) -> Any:
        return extreme(dtype, True)


class ReduceProd(Reduction):
    """The product over `axes`."""

    accepts = "iufc"
    ufunc, hlo = np.multiply, "multiply"

    def neutral(self, dtype: np.dtype) -> Any:
        return 1

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """The product rule along a binary tree, so that zeros among the factors do no harm."""
        (x,), (t,) = primals, tangents
        out = self.bind(x)
        kept = [i for i in range(x.ndim) if i not in self.axes]
        order = (*self.axes, *kept)
        n = int(np.prod([x.shape[a] for a in self.axes]))
        shape = (n, *[x.shape[a] for a in kept])
        x, t = (reshape(transpose(v, order), shape) for v in (x, t))
        if n == 0:
            return out, ZERO
        while n > 1:
            if n % 2:
                low, high = [(0,) * x.ndim, (1,) + (0,) * (x.ndim - 1)]
                x, t, n = pad(x, low, high, value=1), pad(t, low, high), n + 1
            x0, x1 = (slice_in_dim(x, i, n, 2) for i in (0, 1))
            t0, t1 = (slice_in_dim(t, i, n, 2) for i in (0, 1))
            x, t, n = x0 * x1, t0 * x1 + x0 * t1, n // 2
        return out, reshape(t, out.shape)


class ReduceAnd(Discrete, Reduction):
    """Whether all elements over `axes` are true (bitwise for integers)."""

    accepts = "biu"
    ufunc, hlo = np.bitwise_and, "and"

    def neutral(self, dtype: np.dtype) -> Any:
        return True if dtype == bool_ else -1 if dtype.kind == "i" else np.iinfo(dtype).max


class ReduceOr(Discrete, Reduction):
    """Whether any element over `axes` is true (bitwise for integers)."""

    accepts = "biu"
    ufunc, hlo = np.bitwise_or, "or"

    def neutral(self, dtype: np.dtype) -> Any:
        return 0


@dataclass(frozen=True, eq=False, repr=False)
class ArgReduction(Discrete):
    """The place of an extremum along `axis`, the first one if there are several; the first nan if
    there is one.
    """

    axis: int
    dtype: np.dtype
    keeps_weak = False
    direction = ""

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        check_axes(self.name, (self.axis,), x.ndim)
        if kind_of(x.dtype) in "cs":
            raise TypeError(f"{self.name}: complex and float8 numbers have no order, got {x}")
        if self.dtype.kind not in "iu":
            raise TypeError(f"{self.name}: places are integers, got dtype {self.dtype} for {x}")
        if x.shape[self.axis] == 0:
            raise ValueError(f"{self.name}: axis {self.axis} of {x} is empty")
        return ShapedArray(drop_axes(x.shape, (self.axis,)), self.dtype)

    def lower(self, ctx: Any, x: Any) -> Any:
        return ctx.arg_reduce(self.direction, x, self.axis, self.dtype)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        (axis,), out_dim = batched_axes((self.axis,), dims[0])
        return type(self)(axis, self.dtype).bind(args[0]), out_dim


class ArgMax(ArgReduction):
    """The place of the largest element along `axis`: the first, or the first nan."""

    direction = "GT"

    def impl(self, x: np.ndarray) -> np.ndarray:
        return np.argmax(x, self.axis).astype(self.dtype)


class ArgMin(ArgReduction):
    """The place of the smallest element along `axis`: the first, or the first nan."""

    direction = "LT"

    def impl(self, x: np.ndarray) -> np.ndarray:
        return np.argmin(x, self.axis).astype(self.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class CumSum(Linear):
    """The running sum along `axis`, from the end if `reverse`."""

    axis: int
    reverse: bool = False

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        check_axes("cumsum", (self.axis,), x.ndim)
        if kind_of(x.dtype) in "bs":
            raise TypeError(f"cumsum: expects numbers, got {x}")
        return x

    def impl(self, x: np.ndarray) -> np.ndarray:
        if self.reverse:
            return np.flip(np.cumsum(np.flip(x, self.axis), self.axis, dtype=x.dtype), self.axis)
        return np.cumsum(x, self.axis, dtype=x.dtype)

    def decompose(self, x: Any) -> Any:
        """Hillis and Steele 1986: log2(n) additions of the array shifted by 1, 2, 4 ..."""
        x = rev(x, (self.axis,)) if self.reverse else x
        shift = 1
        while shift < x.shape[self.axis]:
            low = tuple([shift if i == self.axis else 0 for i in range(x.ndim)])
            x = x + pad(x, low, tuple([-n for n in low]))
            shift *= 2
        return rev(x, (self.axis,)) if self.reverse else x

    def transpose(self, ct: Any, x: Any) -> Sequence[Any]:
        return (CumSum(self.axis, not self.reverse).bind(ct),)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return CumSum(self.axis + 1, self.reverse).bind(move_axis(args[0], dims[0], 0)), 0


def reduce_max(x: Any, axes: Sequence[int]) -> Any:
    """The largest element over `axes`."""
    return ReduceMax(tuple(axes)).bind(x)


def reduce_min(x: Any, axes: Sequence[int]) -> Any:
    """The smallest element over `axes`."""
    return ReduceMin(tuple(axes)).bind(x)


def reduce_prod(x: Any, axes: Sequence[int]) -> Any:
    """The product over `axes`."""
    return ReduceProd(tuple(axes)).bind(x)


def reduce_and(x: Any, axes: Sequence[int]) -> Any:
    """Whether all are true over `axes`."""
    return ReduceAnd(tuple(axes)).bind(x)


def reduce_or(x: Any, axes: Sequence[int]) -> Any:
    """Whether any is true over `axes`."""
    return ReduceOr(tuple(axes)).bind(x)


def argmax(x: Any, axis: int, dtype: Any = np.int64) -> Any:
    """The index of the largest element along `axis`."""
    return ArgMax(axis, np.dtype(dtype)).bind(x)


def argmin(x: Any, axis: int, dtype: Any = np.int64) -> Any:
    """The index of the smallest element along `axis`."""
    return ArgMin(axis, np.dtype(dtype)).bind(x)


def cumsum(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The running sum along `axis`."""
    return CumSum(axis, reverse).bind(x)
