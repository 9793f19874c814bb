"""dot_general: every contraction of two arrays. Also what all products share: precision, dtypes.

A contraction has three kinds of axes. *Contracted* axes are paired, multiplied and summed over.
*Batch* axes are paired and kept. *Free* axes are the others: each operand keeps its own. For
`einsum("bik,bjk->bij")` the contracted pair is k, the batch pair is b, and i and j are free.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..builder import LoweringContext
from ..core import Value, typeof
from ..families import Bilinear
from ..stand_ins import LinearInput
from ..support.frozen import frozen
from ..types import ShapedArray, float32, float64, kind_of, short_dtype
from .structural import (
    Shape,
    broadcast_in_dim,
    check_axes,
    convert_element_type,
    inverse_permutation,
    move_axis,
    transpose,
)


class Precision(enum.Enum):
    """How accelerators may compute products of float32 numbers; the CPU computes all of them in
    the precision of the dtype.

    HIGHEST, which holds where nothing is asked for, is the precision of the dtype itself. HIGH is
    three passes of bfloat16 on TPU and tensorfloat32 on GPU, DEFAULT whatever is fastest: one pass
    of bfloat16 on TPU, tensorfloat32 on GPU.
    """

    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2


#: The precision of both operands where nothing is asked for.
FULL = (Precision.HIGHEST, Precision.HIGHEST)
#: The letters of the dtypes whose products NumPy adds up in the dtype itself.
AT_ONCE = frozenset("fdFDbBhHiIlLqQ")


def product_dtype(name: str, x: ShapedArray, y: ShapedArray, preferred: Any) -> np.dtype:
    """Return the dtype of sums of products.

    Args:
        name: the operation, for messages.
        x: the type of the first operand.
        y: the type of the second operand.
        preferred: the dtype that is asked for, or None for that of the operands.

    Raises:
        TypeError: if the operands differ, are no numbers, or do not become the preferred dtype.
    """
    if x.dtype != y.dtype or kind_of(x.dtype) == "b":
        raise TypeError(f"{name}: expects two operands of one numeric dtype, got {x} and {y}")
    if preferred is None or preferred == x.dtype:
        return x.dtype
    before, after = (kind_of(d).replace("s", "f") for d in (x.dtype, preferred))
    fits = after in {"i": "if", "u": "uif", "f": "f", "c": "c"}[before]
    if not fits or (preferred.itemsize < x.dtype.itemsize and before != "f"):
        raise TypeError(
            f"{name}: sums of products of {short_dtype(x.dtype)} numbers cannot be "
            f"{short_dtype(preferred)}, which preferred_element_type asks for: integers become "
            "wider integers or floats, floats become floats, complex numbers wider complex numbers"
        )
    return preferred


def accumulator(dtype: np.dtype, out: np.dtype) -> np.dtype:
    """Return the dtype in which NumPy adds up products.

    It is the dtype of the result; for narrow floats it is float32.
    """
    if kind_of(out) not in "fs":
        return out
    return float64 if float64 in (dtype, out) else float32


def matched(ct: Value, y: Value) -> tuple[Any, Any]:
    """Return a cotangent and the other operand in one dtype.

    They differ where another dtype than the operands' was preferred for the product.
    """
    if ct.dtype == y.dtype:
        return ct, y
    dtype = accumulator(y.dtype, ct.dtype)
    return convert_element_type(ct, dtype), convert_element_type(y, dtype)


def precision_config(precision: tuple[Precision, Precision]) -> str:
    """Return the precision as an attribute of StableHLO."""
    return f"[{', '.join([f'#stablehlo<precision {p.name}>' for p in precision])}]"


def _up(axes: Sequence[int], dim: int) -> Shape:
    """Return axes of an operand after a batch axis was inserted at `dim`.

    Examples:
        >>> _up((0, 1, 2), 1)
        (0, 2, 3)
    """
    return tuple([a + (a >= dim) for a in axes])


def _order(axes: Shape) -> list[int]:
    """Return the positions of axes in ascending order of the axes.

    Examples:
        >>> _order((2, 0, 1))
        [1, 2, 0]
    """
    return sorted(range(len(axes)), key=axes.__getitem__)


@frozen
class DotGeneral(Bilinear):
    """Sum over paired `contract` axes, keep paired `batch_dims` axes.

    The result has the axes (batch, free axes of x, free axes of y). Its dtype is the operands' or
    the preferred one, in which the products are added up. The product of two matrices has `contract
    = ((1,), (0,))`: axis 1 of x is paired with axis 0 of y.
    """

    contract: tuple[Shape, Shape]
    batch_dims: tuple[Shape, Shape] = ((), ())
    precision: tuple[Precision, Precision] = FULL
    preferred_element_type: np.dtype | None = None

    @property
    def keeps_weak(self) -> bool:  # type: ignore[override]
        """Whether the result is weak if the operands are: unless a dtype was asked for."""
        return self.preferred_element_type is None

    def free(self, ndim: int, side: int) -> Shape:
        """Return the axes of operand `side` (0 or 1) that are neither contracted nor batch axes."""
        used = self.contract[side] + self.batch_dims[side]
        return tuple([i for i in range(ndim) if i not in used])

    def abstract_eval(self, x: ShapedArray, y: ShapedArray) -> ShapedArray:
        return _type_of(self, x, y)

    def impl(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if self.preferred_element_type is not None or x.dtype.char not in AT_ONCE:
            # NumPy has no product of these dtypes: convert, multiply, convert back.
            out = self.preferred_element_type or x.dtype
            wide = accumulator(x.dtype, out)
            plain = DotGeneral(self.contract, self.batch_dims)
            x, y = x.astype(wide, copy=False), y.astype(wide, copy=False)
            return plain.impl(x, y).astype(out, copy=False)
        nb = len(self.batch_dims[0])
        if self.contract == ((x.ndim - 1,), (nb,)) and y.ndim <= nb + 2:
            if not nb:
                return np.dot(x, y)  # a vector or a matrix on the right: NumPy's own
            if x.ndim == y.ndim == nb + 2 and self.batch_dims == (tuple(range(nb)),) * 2:
                return np.matmul(x, y)
        # Any other contraction is a stack of matrix products: the axes are brought into the order
        # (batch, free, contracted) and (batch, contracted, free), and each group is made one axis.
        free_x, free_y = self.free(x.ndim, 0), self.free(y.ndim, 1)
        k = math.prod([x.shape[a] for a in self.contract[0]])
        x = x.transpose(self.batch_dims[0] + free_x + self.contract[0])
        y = y.transpose(self.batch_dims[1] + self.contract[1] + free_y)
        batch, rows = x.shape[:nb], x.shape[nb : nb + len(free_x)]
        columns = y.shape[y.ndim - len(free_y) :]
        flat = np.matmul(
            x.reshape((*batch, math.prod(rows), k)),
            y.reshape((*batch, k, math.prod(columns))),
        )
        return flat.reshape(batch + rows + columns)

    def lower(self, ctx: LoweringContext, x: Any, y: Any) -> Any:
        if ctx.platform != "cpu" and not self._has_kernel(x.aval.dtype):
            return ctx.inline(self._by_conversion, x, y)
        parts = zip(
            ("lhs_batching", "rhs_batching", "lhs_contracting", "rhs_contracting"),
            (*self.batch_dims, *self.contract),
        )
        dims = ", ".join([f"{k}_dimensions = {list(v)}" for k, v in parts])
        return ctx.op(
            "dot_general",
            x,
            y,
            dot_dimension_numbers=f"#stablehlo.dot<{dims}>",
            precision_config=precision_config(self.precision),
        )

    def _has_kernel(self, dtype: np.dtype) -> bool:
        """Return whether accelerators have products of this dtype that are added up in the one
        asked for.

        They add up narrow floats in float32, and bytes in int32.
        """
        out = self.preferred_element_type
        if out is None or out == dtype:
            return True
        return out == float32 if kind_of(dtype) in "fs" and dtype.itemsize < 4 else (
            out.name == "int32" and dtype.itemsize == 1)  # fmt: skip

    def _by_conversion(self, x: Value, y: Value) -> Any:
        """Compute the product of converted operands, and convert the result, as `impl` does."""
        out: Any = self.preferred_element_type
        wide = accumulator(x.dtype, out)
        x, y = (convert_element_type(v, wide) for v in (x, y))
        product = DotGeneral(self.contract, self.batch_dims, self.precision)
        return convert_element_type(product.bind(x, y), out)

    def transpose_lhs(self, ct: Value, x: LinearInput, y: Value) -> Any:
        product, order = _left_transpose(self, x.aval.ndim, typeof(y).ndim)
        ct_y = product.bind(*matched(ct, y))
        if order is not None:
            ct_y = transpose(ct_y, order)
        return convert_element_type(ct_y, x.aval.dtype)

    def transpose_rhs(self, ct: Value, x: Value, y: LinearInput) -> Any:
        product, order = _right_transpose(self, typeof(x).ndim, y.aval.ndim)
        ct, x = matched(ct, x)
        x_ct = product.bind(x, ct)
        if order is not None:
            x_ct = transpose(x_ct, order)
        return convert_element_type(x_ct, y.aval.dtype)

    def batch(self, size: int, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
        x, y = args
        dx, dy = dims
        how = self.precision, self.preferred_element_type
        if dx is not None and dy is not None:
            # Both have a batch axis: one more pair of batch axes, in front.
            x, y = move_axis(x, dx, 0), move_axis(y, dy, 0)
            contract = (_up(self.contract[0], 0), _up(self.contract[1], 0))
            batch = ((0, *_up(self.batch_dims[0], 0)), (0, *_up(self.batch_dims[1], 0)))
            return DotGeneral(contract, batch, *how).bind(x, y), 0
        # One operand has the batch axis: it is one more free axis of that operand.
        side = 0 if dx is not None else 1
        dim: Any = dims[side]
        at = lambda axes, s: _up(axes, dim) if s == side else axes
        new = DotGeneral(
            (at(self.contract[0], 0), at(self.contract[1], 1)),
            (at(self.batch_dims[0], 0), at(self.batch_dims[1], 1)),
            *how,
        )
        position = new.free(args[side].ndim, side).index(dim)
        before = len(self.batch_dims[0]) + (len(self.free(typeof(x).ndim, 0)) if side == 1 else 0)
        return new.bind(x, y), before + position


@lru_cache(maxsize=4096)
def _left_transpose(dot: DotGeneral, ndim_x: int, ndim_y: int) -> tuple[DotGeneral, Shape | None]:
    """Return how to compute the cotangent of the left operand.

    For matrices, x @ y has the cotangent `ct @ y.T` of x: the free axes of y are contracted.

    Returns:
        The product of the result's cotangent with the right operand, and the permutation that puts
        its axes in the order of the left operand's; None if they are in order.
    """
    nb, free_x = len(dot.batch_dims[0]), dot.free(ndim_x, 0)
    free_y = dot.free(ndim_y, 1)
    # The cotangent has the result's axes: batch, the free ones of x, those of y.
    ndim = nb + len(free_x) + len(free_y)
    product = DotGeneral(
        (tuple(range(nb + len(free_x), ndim)), free_y),
        (tuple(range(nb)), dot.batch_dims[1]),
        dot.precision,
    )
    # The product has the axes: batch; the free ones of x; the contracted ones, which are free axes
    # of y here, so in the order of y's axes. Each is named by the axis of x that it belongs to.
    contracted = [dot.contract[0][k] for k in _order(dot.contract[1])]
    return product, _unless_sorted(inverse_permutation((*dot.batch_dims[0], *free_x, *contracted)))


@lru_cache(maxsize=4096)
def _right_transpose(dot: DotGeneral, ndim_x: int, ndim_y: int) -> tuple[DotGeneral, Shape | None]:
    """Return how to compute the cotangent of the right operand: the product of the left operand
    with the result's cotangent, and the permutation, as `_left_transpose` does.
    """
    nb, free = len(dot.batch_dims[0]), dot.free(ndim_x, 0)
    product = DotGeneral(
        (free, tuple(range(nb, nb + len(free)))),
        (dot.batch_dims[0], tuple(range(nb))),
        dot.precision,
    )
    # The product has the axes: batch; the contracted ones, in the order of x's axes; the free ones
    # of y. Each is named by the axis of y that it belongs to.
    contracted = [dot.contract[1][k] for k in _order(dot.contract[0])]
    order = (*dot.batch_dims[1], *contracted, *dot.free(ndim_y, 1))
    return product, _unless_sorted(inverse_permutation(order))


def _unless_sorted(permutation: Shape) -> Shape | None:
    """Return a permutation, or None if it changes nothing."""
    return None if list(permutation) == sorted(permutation) else permutation


@lru_cache(maxsize=4096)
def _type_of(dot: DotGeneral, x: ShapedArray, y: ShapedArray) -> ShapedArray:
    """Return the type of the result; remembered, since the same products come again and again."""
    dtype = product_dtype("dot_general", x, y, dot.preferred_element_type)
    for side, aval in enumerate((x, y)):
        used = dot.contract[side] + dot.batch_dims[side]
        check_axes(f"dot_general, operand {side}, {aval}", used, aval.ndim)
    for (i, j), what in ((dot.contract, "contract"), (dot.batch_dims, "batch over")):
        if [x.shape[a] for a in i] != [y.shape[a] for a in j]:
            raise TypeError(
                f"dot_general: cannot {what} axes {i} of {x} with axes {j} of {y}: the sizes differ"
            )
    kept = dot.batch_dims[0] + dot.free(x.ndim, 0)
    sizes = [y.shape[a] for a in dot.free(y.ndim, 1)]
    return ShapedArray((*[x.shape[a] for a in kept], *sizes), dtype)


def dot_general(
    x: Any,
    y: Any,
    contract: Any,
    batch_dims: Any = ((), ()),
    precision: tuple[Precision, Precision] = FULL,
    preferred_element_type: np.dtype | None = None,
) -> Any:
    """Contract axes `contract = (of x, of y)`, keeping paired `batch_dims`; equal dtypes."""
    pair = lambda p: (tuple([int(a) for a in p[0]]), tuple([int(a) for a in p[1]]))
    dot = DotGeneral(pair(contract), pair(batch_dims), precision, preferred_element_type)
    return dot.bind(x, y)


def outer(x: Any, y: Any) -> Any:
    """Return every product of an element of `x` and an element of `y`: axes of `x`, then axes of
    `y`.
    """
    shape = (*x.shape, *y.shape)
    left = broadcast_in_dim(x, shape, range(x.ndim))
    return left * broadcast_in_dim(y, shape, range(x.ndim, len(shape)))
