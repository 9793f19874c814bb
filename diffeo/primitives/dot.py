"""dot_general: every contraction of two arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .core import LinearInput, typeof
from .elementwise import kind_of
from .families import Bilinear
from .structural import Shape, broadcast_in_dim, inverse_permutation, move_axis, transpose
from .types import ShapedArray


def _up(axes: Sequence[int], dim: int) -> Shape:
    """Axes of an operand after a batch axis was inserted at `dim`."""
    return tuple([a + (a >= dim) for a in axes])


def _order(axes: Shape) -> list[int]:
    """The positions of axes in ascending order of the axes."""
    return sorted(range(len(axes)), key=axes.__getitem__)


@dataclass(frozen=True, eq=False, repr=False)
class DotGeneral(Bilinear):
    """Sum over paired `contract` axes, keep paired `batch_dims` axes.

    The result has the axes (batch, free axes of x, free axes of y). It is computed in the
    precision of its dtype.
    """

    contract: tuple[Shape, Shape]
    batch_dims: tuple[Shape, Shape] = ((), ())

    def free(self, ndim: int, side: int) -> Shape:
        """The axes of operand `side` that are neither contracted nor batch axes."""
        used = self.contract[side] + self.batch_dims[side]
        return tuple([i for i in range(ndim) if i not in used])

    def abstract_eval(self, x: ShapedArray, y: ShapedArray) -> ShapedArray:
        if x.dtype != y.dtype or kind_of(x.dtype) == "b":
            raise TypeError(
                f"dot_general: expects two operands of one numeric dtype, got {x} and {y}"
            )
        for (i, j), what in ((self.contract, "contract"), (self.batch_dims, "batch over")):
            if [x.shape[a] for a in i] != [y.shape[a] for a in j]:
                raise TypeError(
                    f"dot_general: cannot {what} axes {i} of {x} with axes {j} of {y}: the "
                    "sizes differ"
                )
        return ShapedArray(
            tuple(
                [x.shape[a] for a in self.batch_dims[0] + self.free(x.ndim, 0)]
                + [y.shape[a] for a in self.free(y.ndim, 1)]
            ),
            x.dtype,
        )

    def impl(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if x.dtype.kind == "V":  # bfloat16 and its like: NumPy's products of them are float32
            return self.impl(x.astype(np.float32), y.astype(np.float32)).astype(x.dtype)
        if self.contract == ((x.ndim - 1,), (0,)) and not self.batch_dims[0] and y.ndim <= 2:
            return np.dot(x, y)  # a vector or a matrix on the right: NumPy's own
        free_x, free_y = self.free(x.ndim, 0), self.free(y.ndim, 1)
        nb, k = len(self.batch_dims[0]), int(np.prod([x.shape[a] for a in self.contract[0]]))
        x = x.transpose(self.batch_dims[0] + free_x + self.contract[0])
        y = y.transpose(self.batch_dims[1] + self.contract[1] + free_y)
        batch, rows, columns = (
            x.shape[:nb],
            x.shape[nb : nb + len(free_x)],
            y.shape[y.ndim - len(free_y) :],
        )
        flat = np.matmul(
            x.reshape((*batch, int(np.prod(rows)), k)),
            y.reshape((*batch, k, int(np.prod(columns)))),
        )
        return flat.reshape(batch + rows + columns)

    def lower(self, ctx: Any, x: Any, y: Any) -> Any:
        return ctx.dot_general(x, y, self.contract, self.batch_dims)

    def transpose_lhs(self, ct: Any, x: LinearInput, y: Any) -> Any:
        ndim, ndim_y = x.aval.ndim, typeof(y).ndim
        nb, free = len(self.batch_dims[0]), self.free(ndim, 0)
        ct_y = DotGeneral(
            (tuple(range(nb + len(free), ct.ndim)), self.free(ndim_y, 1)),
            (tuple(range(nb)), self.batch_dims[1]),
        ).bind(ct, y)
        # The axes of the product: batch, the free ones of x, then x's contracted ones in the order
        # of y's axes.
        contracted = [self.contract[0][k] for k in _order(self.contract[1])]
        return transpose(ct_y, inverse_permutation((*self.batch_dims[0], *free, *contracted)))

    def transpose_rhs(self, ct: Any, x: Any, y: LinearInput) -> Any:
        ndim_x = typeof(x).ndim
        nb, free = len(self.batch_dims[0]), self.free(ndim_x, 0)
        x_ct = DotGeneral(
            (free, tuple(range(nb, nb + len(free)))), (self.batch_dims[0], tuple(range(nb)))
        ).bind(x, ct)
        # The axes of the product: batch, y's contracted ones in the order of x's, y's free ones.
        contracted = [self.contract[1][k] for k in _order(self.contract[0])]
        order = (*self.batch_dims[1], *contracted, *self.free(y.aval.ndim, 1))
        return transpose(x_ct, inverse_permutation(order))

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        x, y = args
        dx, dy = dims
        if dx is not None and dy is not None:
            x, y = move_axis(x, dx, 0), move_axis(y, dy, 0)
            contract = (_up(self.contract[0], 0), _up(self.contract[1], 0))
            batch = ((0, *_up(self.batch_dims[0], 0)), (0, *_up(self.batch_dims[1], 0)))
            return DotGeneral(contract, batch).bind(x, y), 0
        # One operand has the batch axis: it is one more free axis of that operand.
        side = 0 if dx is not None else 1
        dim: Any = dims[side]
        at = lambda axes, s: _up(axes, dim) if s == side else axes
        new = DotGeneral(
            (at(self.contract[0], 0), at(self.contract[1], 1)),
            (at(self.batch_dims[0], 0), at(self.batch_dims[1], 1)),
        )
        place = new.free(args[side].ndim, side).index(dim)
        before = len(self.batch_dims[0]) + (len(self.free(typeof(x).ndim, 0)) if side == 1 else 0)
        return new.bind(x, y), before + place


def dot_general(x: Any, y: Any, contract: Any, batch_dims: Any = ((), ())) -> Any:
    """Contract axes `contract = (of x, of y)`, keeping paired `batch_dims`; equal dtypes."""
    pair = lambda p: (tuple([int(a) for a in p[0]]), tuple([int(a) for a in p[1]]))
    return DotGeneral(pair(contract), pair(batch_dims)).bind(x, y)


def outer(x: Any, y: Any) -> Any:
    """Every product of an element of `x` and an element of `y`: axes of `x`, then axes of `y`."""
    shape = (*x.shape, *y.shape)
    left = broadcast_in_dim(x, shape, range(x.ndim))
    return left * broadcast_in_dim(y, shape, range(x.ndim, len(shape)))
