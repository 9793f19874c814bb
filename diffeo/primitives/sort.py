"""sort: one or several arrays by the order of the first ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .core import ZERO, Primitive, typeof
from .elementwise import kind_of
from .indexing import Gather, IndexDims
from .structural import batch_at_front, expand_dims, iota
from .types import ShapedArray


@dataclass(frozen=True, eq=False, repr=False)
class Sort(Primitive):
    """Sort all operands along `axis` by the first `num_keys` of them (earlier ones weigh more);
    nan comes last.
    """

    axis: int
    num_keys: int = 1
    multiple_results = True

    def abstract_eval(self, *xs: ShapedArray) -> list[ShapedArray]:
        if not xs or any(x.shape != xs[0].shape for x in xs) or not 0 <= self.axis < xs[0].ndim:
            raise TypeError(
                f"sort: expects operands of one shape with an axis {self.axis}, got {xs}"
            )
        if not 1 <= self.num_keys <= len(xs):
            raise TypeError(f"sort: num_keys must be in [1, {len(xs)}], got {self.num_keys}")
        if any(kind_of(x.dtype) == "c" for x in xs[: self.num_keys]):
            raise TypeError("sort: complex numbers have no order; sort by real or imaginary part")
        return list(xs)

    def impl(self, *xs: np.ndarray) -> list[np.ndarray]:
        if len(xs) == 1 and xs[0].dtype.kind != "V":
            return [np.sort(xs[0], self.axis, kind="stable")]
        # NumPy does not know where the nan of bfloat16 and its like belong.
        keys = [k.astype(np.float32) if k.dtype.kind == "V" else k for k in xs[: self.num_keys]]
        if self.num_keys == 1:
            order = np.argsort(keys[0], self.axis, kind="stable")
        else:
            order = np.lexsort(keys[::-1], self.axis)
        return [np.take_along_axis(x, order, self.axis) for x in xs]

    def lower(self, ctx: Any, *xs: Any) -> Any:
        return ctx.sort(xs, self.axis, self.num_keys)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """The tangents follow their primals: sort the places along, then gather."""
        aval = typeof(primals[0])
        if not aval.size:
            return self.bind(*primals), list(tangents)
        places = iota(np.int64, aval.shape, self.axis)
        *outs, order = Sort(self.axis, self.num_keys).bind(*primals, places)
        moved = [t if t is ZERO else take_along_axis(t, order, self.axis) for t in tangents]
        return outs, moved

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        outs = Sort(self.axis + 1, self.num_keys).bind(
            *[batch_at_front(a, d, size) for a, d in zip(args, dims)]
        )
        return outs, [0] * len(outs)


def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
    """`x[..., indices, ...]` along `axis`, the other axes in step (equal shapes but for `axis`)."""
    others = tuple([a for a in range(x.ndim) if a != axis])
    dims = IndexDims((), (axis,), (axis,), others, others)
    return Gather(dims, (1,) * x.ndim).bind(x, expand_dims(indices, (x.ndim,)))


def sort(operands: Sequence[Any], axis: int, num_keys: int = 1) -> list[Any]:
    """All operands sorted along `axis` by the first `num_keys`; stable."""
    return Sort(axis, num_keys).bind(*operands)
