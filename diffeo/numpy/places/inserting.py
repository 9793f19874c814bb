"""Insertion before a position that is traced; `insert` itself is in `selecting.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.words import slicing as s
from ...primitives.words.promotion import broadcast_to
from ...primitives.words.structural import convert_element_type, reshape
from ..choosing import where
from ..shaping import moveaxis
from . import indexing


def inserted(x: Any, place: Any, values: Any, axis: int) -> Any:
    """Return `x` with values inserted before one traced position."""
    # As NumPy has it: the first axis of the values goes along the axis.
    values = reshape(values, (1,) * (x.ndim - values.ndim) + values.shape)
    values = moveaxis(values, 0, axis)
    shape = (*x.shape[:axis], values.shape[axis], *x.shape[axis + 1 :])
    values = convert_element_type(broadcast_to(values, shape), x.dtype)
    n, count = x.shape[axis], values.shape[axis]
    place = where(place < 0, place + n, place)
    index = Array(np.arange(n + count))
    inside = (index >= place) & (index < place + count)
    # The joined array has `x` first, then the values.
    source = where(index < place, index, where(inside, n + index - place, index - count))
    return indexing.take(s.concatenate([x, values], axis), source, axis, "clip")
