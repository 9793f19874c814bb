"""Collectives: operations across named axes, which `vmap(axis_name=...)` gives a name.

A program does not see a named axis: every row runs the program on its own, and only a collective
looks at the other rows. The sizes of named axes are parameters of the primitive, looked up where it
is bound, so a program means the same wherever it is read. Where no transformation binds the axis,
evaluation and lowering raise NameError.

Transposes are those of the map between all rows. So the gradient inside of `vmap` is the gradient
of the sum of all rows' results: `vmap(grad(f))` is `grad(sum of vmap(f))`.

Start with `Collective`: vmap calls `across` for its own axis, and `batch` for an axis of another
name.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import numpy as np

from ..primitives.constants import full_like
from ..primitives.core import Primitive, Value
from ..primitives.families import Discrete, Linear
from ..primitives.support.frozen import frozen
from ..primitives.types import ShapedArray
from ..primitives.words.elementwise import kind_of, select
from ..primitives.words.index_dims import IndexDims
from ..primitives.words.indexing import gather
from ..primitives.words.reduction import ReduceMax, ReduceMin
from ..primitives.words.structural import (
    ReduceSum,
    batch_at_front,
    broadcast_in_dim,
    convert_element_type,
    drop_axes,
    iota,
    move_axis,
    reduce_sum,
)
from .named_axes import Axis, unbound


@frozen
class Collective(Primitive):
    """An operation across named `axes`; only reductions take more than one axis.

    `batch` is the rule for a batch axis of another name, `across` is the rule for the axis itself.
    """

    axes: tuple[Axis, ...]

    @property
    def names(self) -> Sequence[Hashable]:
        return [name for name, _ in self.axes]

    @property
    def size(self) -> int:
        """The size of the first named axis."""
        return self.axes[0][1]

    def missing(self, rule: str, purpose: str) -> Exception:
        """Return a NameError: a rule is missing where the axis has no name."""
        return unbound(self.name, self.axes[0][0])

    def across(self, name: Hashable, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        """Apply the operation over the batch axis that `name` is -> (out, out_dim).

        `dims` says where the batch axis of each operand is.
        """
        raise self.missing("across", "vmap")

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return self.bind(*args), dims[0]


class ReduceAcross(Collective):
    """An elementwise combination of all rows' arrays; every row gets the result."""

    reduction: ClassVar[Any]

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        if kind_of(x.dtype) not in self.accepts:
            raise TypeError(f"{self.name}: not defined for {x}")
        return x

    def repeated(self, x: Value, size: int) -> Any:
        """Return the result where all of `size` rows have the same `x`."""
        return x

    def across(self, name: Hashable, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        (x,), (dim,) = args, dims
        size = dict(self.axes)[name]
        out = self.repeated(x, size) if dim is None else self.reduction((dim,)).bind(x)
        others = tuple([axis for axis in self.axes if axis[0] != name])
        # The other named axes belong to transformations around.
        return type(self)(others).bind(out) if others else out, None


class Psum(ReduceAcross, Linear):
    """The sum over named axes; every row gets it."""

    accepts = "iufc"
    reduction = ReduceSum

    def repeated(self, x: Value, size: int) -> Any:
        return x * size

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (self.bind(ct),)


class Pmax(ReduceAcross):
    """The largest element over named axes; every row gets it."""

    accepts = "biuf"
    reduction = ReduceMax

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Compute the tangent: the mean of the tangents of the rows that have the extremum."""
        (x,), (t,) = primals, tangents
        out, total = self.bind(x), Psum(self.axes)
        hit = convert_element_type(x == out, x.dtype)
        return out, total.bind(t * hit / total.bind(hit))


class Pmin(Pmax):
    """The smallest element over named axes; every row gets it."""

    reduction = ReduceMin


@frozen
class Exchange(Collective, Linear):
    """An operation that relates a named axis and the axis `axis` of the array."""

    axis: int
    accepts = "biufcVk"

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        if not 0 <= self.axis < x.ndim or x.shape[self.axis] != self.size:
            raise TypeError(
                f"{self.name}: axis {self.axis} must have the size {self.size} of the named axis "
                f"{self.names[0]!r}, got {x}"
            )
        return x

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return type(self)(self.axes, self.axis + 1).bind(move_axis(args[0], dims[0], 0)), 0


class AllGather(Exchange):
    """The arrays of all rows, stacked along a new axis at `axis`; every row gets the stack."""

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        if not 0 <= self.axis <= x.ndim:
            raise TypeError(f"all_gather: axis must be in [0, {x.ndim}] for {x}, got {self.axis}")
        return x.update(x.shape[: self.axis] + (self.size,) + x.shape[self.axis :])

    def across(self, name: Hashable, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return move_axis(batch_at_front(args[0], dims[0], self.size), 0, self.axis), None

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (PsumScatter(self.axes, self.axis).bind(ct),)


class PsumScatter(Exchange):
    """The sum over the named axis, of which row `i` gets element `i` along `axis`."""

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        super().abstract_eval(Psum(self.axes).abstract_eval(x))
        return x.update(drop_axes(x.shape, (self.axis,)))

    def across(self, name: Hashable, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        (x,), (dim,) = args, dims
        return x * self.size if dim is None else reduce_sum(x, (dim,)), self.axis

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (AllGather(self.axes, self.axis).bind(ct),)


class AllToAll(Exchange):
    """The named axis and the one at `axis` change places: row `i` gets element `i` of every row."""

    def across(self, name: Hashable, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        x = batch_at_front(args[0], dims[0], self.size)
        return move_axis(x, 0, self.axis), self.axis + 1

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (self.bind(ct),)


@frozen
class Ppermute(Collective, Linear):
    """A permutation of rows: row `b` gets the array of row `a`, for each pair (a, b).

    Rows that get none have zeros.
    """

    pairs: tuple[tuple[int, int], ...]
    accepts = "biufcVk"

    def abstract_eval(self, x: ShapedArray) -> ShapedArray:
        for side in zip(*self.pairs):
            if len(set(side)) != len(side) or not set(side) <= set(range(self.size)):
                raise ValueError(
                    f"ppermute: sources, and destinations, must be distinct and in [0, {self.size})"
                    f", got the pairs {self.pairs}"
                )
        return x

    def across(self, name: Hashable, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        if not self.pairs:
            return full_like(args[0], 0), dims[0]
        x = batch_at_front(args[0], dims[0], self.size)
        sources = np.full((self.size, 1), -1, np.int32)
        for source, destination in self.pairs:
            sources[destination] = source
        within = tuple(range(1, x.ndim))
        out = gather(x, sources, IndexDims(within, (0,), (0,)), (1, *x.shape[1:]))
        if len(self.pairs) == self.size:
            return out, 0
        # Rows without a source have -1 there: zeros.
        return select(broadcast_in_dim(sources[:, 0] >= 0, x.shape, (0,)), out, full_like(x, 0)), 0

    def transpose(self, ct: Value, x: Any) -> Sequence[Any]:
        return (Ppermute(self.axes, tuple([(b, a) for a, b in self.pairs])).bind(ct),)


class AxisIndex(Collective, Discrete):
    """The index of the row along the named axis, int32; the operation has no operands."""

    keeps_weak = False

    def abstract_eval(self) -> ShapedArray:
        return ShapedArray((), np.dtype(np.int32))

    def across(self, name: Hashable, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        return iota(np.int32, (self.size,)), 0
