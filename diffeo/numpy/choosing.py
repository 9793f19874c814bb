"""Elements chosen by a condition: where."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives.array import Array, as_value
from ..primitives.core import with_user_line
from ..primitives.types import SCALARS
from ..primitives.words import elementwise as e
from ..primitives.words.promotion import (
    broadcast_shapes,
    broadcast_to,
    promote,
)
from .common import (
    host_of,
    places_of,
    to_bool,
)
from .methods import _load


def where(
    condition: Any,
    x: Any = None,
    y: Any = None,
    /,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """Return `x` where `condition`, else `y`; all broadcast. With the condition alone: `nonzero`,
    with `size` and `fill_value`.

    The gradient of the operand that was not chosen is 0.

    Raises:
        TypeError: for one of x and y without the other.
        ValueError: for `size` or `fill_value` with x and y.

    Examples:
        >>> import diffeo as dx
        >>> where(dx.numpy.arange(4) > 1, 1.0, 0.0)
        Array([0., 0., 1., 1.])
    """
    if size is not None or fill_value is not None:
        if x is not None or y is not None:
            raise with_user_line(ValueError("where: size and fill_value go without x and y"))
        # Loaded late: choosing by a condition, which everything needs, does not need to count.
        return _load("reducing.sets", "nonzero")(condition, size=size, fill_value=fill_value)
    if x is None and y is None:
        return places_of(condition, "where", "Give x and y, or use nonzero(condition, size=n).")
    if x is None or y is None:
        raise with_user_line(TypeError("where: give both x and y, or none of them"))
    c, a, b = host_of(condition), host_of(x), host_of(y)
    if (
        c is not None
        and a is not None
        and b is not None
        and (a.dtype is b.dtype and c.dtype == np.bool_)
    ):
        return Array(np.where(c, a, b), x.weak_type and y.weak_type)
    x, y = promote(x, y)
    if type(x) in SCALARS and type(y) in SCALARS:
        x = as_value(x)
    # The primitive takes Python numbers as they are: only arrays are broadcast.
    pred = to_bool(condition)
    shape = broadcast_shapes(*[v.shape for v in (pred, x, y) if type(v) not in SCALARS])
    x, y = (v if type(v) in SCALARS else broadcast_to(v, shape) for v in (x, y))
    return e.select(broadcast_to(pred, shape), x, y)
