"""`select`, the choice between two arrays for each element; and the batching that it shares with
functions of each element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..builder import LoweringContext
from ..core import Value, typeof
from ..families import Linear
from ..stand_ins import LinearInput
from ..types import SCALARS, ShapedArray, bool_, check_scalar
from .structural import batch_at_front


def batch_elements(
    self: Any, size: int, args: Sequence[Any], dims: Sequence[Any]
) -> tuple[Any, Any]:
    """Batch a primitive whose operands, but for scalars, have the shape of its result.

    If all have their batch axis in one place, it stays there; else all are moved to the front.
    """
    axes = {d for a, d in zip(args, dims) if type(a) not in SCALARS}
    if len(axes) == 1:
        return self.bind(*args), axes.pop()
    return self.bind(*[batch_at_front(a, d, size) for a, d in zip(args, dims)]), 0


class Select(Linear):
    """`select(pred, on_true, on_false)`: a choice for each element.

    `pred` is boolean, of the shape of the others. The choice is linear in the other two.
    """

    takes_scalars = True
    arity = 3
    light = True
    linear = (1, 2)
    accepts = "biufcVk"

    def abstract_eval(self, pred: Any, x: Any, y: Any) -> ShapedArray:
        out = x if type(x) is ShapedArray else y
        same = type(out) is ShapedArray and (type(y) is not ShapedArray or y is out)
        if (
            not same
            or type(pred) is not ShapedArray
            or pred.dtype != bool_
            or pred.shape != out.shape
        ):
            raise TypeError(
                "select: expects a boolean array and two operands of its shape and of one "
                "dtype, got "
                f"{pred}, {x}, {y}"
            )
        if type(x) in SCALARS or type(y) in SCALARS:
            check_scalar("select", x if out is y else y, out.dtype)
        return out

    def impl(self, pred: np.ndarray, x: Any, y: Any) -> np.ndarray:
        return np.where(pred, x, y)

    def lower(self, ctx: LoweringContext, *values: Any) -> Any:
        return ctx.op("select", *values)

    def transpose(self, ct: Value, pred: Value, x: Any, y: Any) -> Sequence[Any]:
        zero = zero_scalar(ct)
        return (
            None,
            select(pred, ct, zero) if type(x) is LinearInput else None,
            select(pred, zero, ct) if type(y) is LinearInput else None,
        )

    batch = batch_elements  # type: ignore[assignment]


select_p = Select()


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """Return `on_true` where `pred`, else `on_false`; equal shapes and dtypes, or Python
    scalars.
    """
    if type(on_true) in SCALARS and type(on_false) in SCALARS:
        raise TypeError("select: one of the two operands must be an array")
    return select_p.bind(pred, on_true, on_false)


def zero_scalar(x: Any) -> Any:
    """Return the Python zero of the kind of `x`'s dtype; `x` is an array, a tracer or a type."""
    dtype = (x if type(x) is ShapedArray else typeof(x)).dtype
    kind = dtype.kind
    if kind in "iuk" or (kind == "V" and "int" in dtype.name):
        return 0
    return 0j if kind == "c" else False if kind == "b" else 0.0
