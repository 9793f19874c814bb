"""Images, with the names and conventions of scipy.ndimage and jax.scipy.ndimage."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from ..numpy.choosing import where
from ..numpy.common import arr, no_such, sequence_of
from ..numpy.limiting import clip
from ..numpy.ufuncs import abs as size_of
from ..numpy.ufuncs import floor
from ..operations.identity import stop_gradient
from ..primitives.core import Value, with_user_line
from ..primitives.types import is_complex, is_integer
from ..primitives.words.promotion import to_inexact
from ..primitives.words.structural import convert_element_type
from ..typing import ArrayLike

__all__ = ["map_coordinates"]


def _mirrored(index: Value, n: int) -> Any:
    """Reflect about the middle of the elements at the ends."""
    return index * 0 if n == 1 else size_of((index + (n - 1)) % (2 * (n - 1)) - (n - 1))


def _reflected(index: Value, n: int) -> Any:
    """Reflect about the outer edges of the elements at the ends."""
    index = index % (2 * n)
    return where(index < n, index, 2 * n - 1 - index)


#: Where an index beyond the ends goes, by mode.
_PLACES: dict[str, Callable[[Any, int], Any]] = {
    "constant": lambda index, n: clip(index, 0, n - 1),
    "nearest": lambda index, n: clip(index, 0, n - 1),
    "wrap": lambda index, n: index % n,
    "mirror": _mirrored,
    "reflect": _reflected,
}


def _away_from_zero(x: Value) -> Any:
    """Round to the nearest whole number; halves go away from 0."""
    return where(x < 0, -floor(0.5 - x), floor(x + 0.5))


def _nodes(x: Value, order: int) -> list[tuple[Any, Any]]:
    """Return the indices that take part, and their weights."""
    if order == 0:
        return [(convert_element_type(_away_from_zero(stop_gradient(x)), np.int64), None)]
    lower = floor(stop_gradient(x))
    index, fraction = convert_element_type(lower, np.int64), x - lower
    return [(index, 1.0 - fraction), (index + 1, fraction)]


def map_coordinates(
    input: ArrayLike, coordinates: Any, order: int, mode: str = "constant", cval: Any = 0.0
) -> Any:
    """Interpolate an array at coordinates, which count its elements.

    Args:
        input: an array of d axes.
        coordinates: d arrays of one shape (or that broadcast): where, along each axis.
        order: 0 for the nearest element, 1 for linear interpolation.
        mode: what stands beyond the ends: "constant" (`cval`), "nearest" (the last element),
            "wrap" (the array again), "mirror" (its reflection about the last element), "reflect"
            (about the last element's outer edge).
        cval: for "constant".

    Returns:
        An array of the shape of the coordinates and the dtype of `input`; whole numbers are
        rounded, halves away from 0. "wrap" and "constant" are what SciPy calls "grid-wrap" and
        "grid-constant".

    Raises:
        ValueError: for another number of coordinates, or an unknown mode.
        NotImplementedError: for other orders, which need a spline filter.

    Examples:
        >>> import diffeo as dx
        >>> image = dx.numpy.array([[0.0, 1.0], [2.0, 3.0]])
        >>> map_coordinates(image, [dx.numpy.array([0.5]), dx.numpy.array([1.0])], order=1)
        Array([2.])
    """
    x = arr(input)
    places = sequence_of(coordinates, "map_coordinates", "coordinates") \
        if not hasattr(coordinates, "shape") else tuple(arr(coordinates))  # fmt: skip
    if len(places) != x.ndim:
        raise with_user_line(
            ValueError(f"an input of {x.ndim} axes needs {x.ndim} coordinates, got {len(places)}")
        )
    if mode not in _PLACES:
        raise no_such("map_coordinates", "mode", mode, tuple(_PLACES))
    if order not in (0, 1):
        raise with_user_line(
            NotImplementedError(
                f"map_coordinates: order {order!r} needs a spline filter; there are 0 and 1"
            )
        )
    nodes = [_nodes(arr(to_inexact(arr(c))), order) for c in places]
    total: Any = 0
    for corner in product(*nodes):
        at, inside, weight = [], None, None
        for (index, share), n in zip(corner, x.shape):
            at.append(_PLACES[mode](index, n))
            within = (index >= 0) & (index < n)
            inside = within if inside is None else inside & within
            weight = share if weight is None else weight * share
        value = x[tuple(at)] if at else x
        if mode == "constant" and inside is not None:
            value = where(inside, value, arr(cval).astype(x.dtype))
        total = total + (value if weight is None else value * weight)
    total = arr(total)
    whole = is_integer(x.dtype) and not is_complex(total.dtype) and not is_integer(total.dtype)
    return (_away_from_zero(total) if whole else total).astype(x.dtype)
