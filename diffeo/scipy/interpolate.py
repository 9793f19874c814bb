"""Interpolation, with the names and conventions of scipy.interpolate and jax.scipy.interpolate."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from ..numpy.choosing import where
from ..numpy.common import arr, no_such
from ..numpy.joining import stack
from ..numpy.making.creation import asarray
from ..numpy.reducing.reductions import any as any_of
from ..numpy.reducing.sorting import searchsorted
from ..numpy.shaping import broadcast_arrays, flip
from ..operations.identity import stop_gradient
from ..primitives.array import known
from ..primitives.core import Value, with_user_line
from ..primitives.support.errors import ConcretizationTypeError
from ..primitives.words.promotion import to_inexact
from ..trees.registration import register_pytree_node

__all__ = ["RegularGridInterpolator"]

_METHODS = ("linear", "nearest")


def _grid(points: Any, values: Value) -> tuple[list[Any], Any]:
    """Return the axes of a grid, ascending, and the values in that order; check what is known."""
    axes = []
    for i, axis in enumerate(points):
        axis = arr(to_inexact(asarray(axis)))
        if axis.ndim != 1 or axis.shape[0] != values.shape[i] or axis.shape[0] < 2:
            raise with_user_line(
                ValueError(
                    f"points[{i}] must be a vector of two numbers or more, as many as values has "
                    f"along axis {i}; got shape {axis.shape}, for values of shape {values.shape}"
                )
            )
        numbers = known(axis)
        if numbers is not None:
            steps = np.diff(numbers)
            if (steps < 0).all():
                axis, values = flip(axis), flip(values, i)
            elif not (steps > 0).all():
                raise with_user_line(
                    ValueError(f"points[{i}] must be strictly ascending or descending")
                )
        axes.append(axis)
    return axes, values


class RegularGridInterpolator:
    """Interpolate values that are given on a rectangular grid.

    It is a tree of its arrays, so it may go through `jit`, `vmap` and `grad`; derivatives by
    values, by points of the grid and by where it is evaluated are those of the interpolant.

    Args:
        points: the coordinates of the grid along each axis, strictly ascending or descending
            (where they are traced: ascending).
        values: an array whose first axes are those of the grid.
        method: "linear" or "nearest".
        bounds_error: whether to raise a ValueError outside of the grid, where numbers are known.
        fill_value: the value outside of the grid; None to extrapolate.

    Raises:
        ValueError: for shapes that do not fit, another method, points that are not in order, or a
            `fill_value` that values cannot hold.

    Examples:
        >>> import diffeo as dx
        >>> f = RegularGridInterpolator((dx.numpy.array([0.0, 1.0]),), dx.numpy.array([2.0, 4.0]))
        >>> f(dx.numpy.array([0.25, 3.0]))
        Array([2.5, nan])
    """

    def __init__(self, points: Any, values: Any, method: str = "linear",
                 bounds_error: bool = False, fill_value: Any = math.nan):  # fmt: skip
        if method not in _METHODS:
            raise no_such("RegularGridInterpolator", "method", method, _METHODS)
        values = arr(to_inexact(asarray(values)))
        if len(points) > values.ndim:
            raise with_user_line(
                ValueError(f"there are points for {len(points)} axes, but values has {values.ndim}")
            )
        if fill_value is not None:
            fill_value = asarray(fill_value)
            if not np.can_cast(fill_value.dtype, values.dtype, "same_kind"):
                raise with_user_line(
                    ValueError(
                        f"fill_value of dtype {fill_value.dtype} does not fit to values of dtype "
                        f"{values.dtype}"
                    )
                )
        self.method, self.bounds_error, self.fill_value = method, bool(bounds_error), fill_value
        grid, self.values = _grid(points, values)
        self.grid = tuple(grid)

    def __call__(self, xi: Any, method: str | None = None) -> Any:
        """Interpolate at points.

        Args:
            xi: [..., d], for a grid of d axes; or a tuple of d arrays that broadcast.
            method: "linear" or "nearest"; by default that of the interpolator.

        Returns:
            An array of the leading axes, and of those of values that are not of the grid.

        Raises:
            ValueError: for another method or number of coordinates; with `bounds_error`, for a
                point outside.
            ConcretizationTypeError: with `bounds_error`, for points that are traced.
        """
        method = self.method if method is None else method
        if method not in _METHODS:
            raise no_such("RegularGridInterpolator", "method", method, _METHODS)
        d = len(self.grid)
        x = _coordinates(xi, d)
        lead = x.shape[:-1]
        x = x.reshape((-1, d))
        lower, fractions, outside = [], [], None
        for i, axis in enumerate(self.grid):
            at, n = x[:, i], axis.shape[0]
            index = searchsorted(stop_gradient(axis), stop_gradient(at)) - 1
            index = where(index < 0, 0, where(index > n - 2, n - 2, index))
            low, high = axis[index], axis[index + 1]
            lower.append(index)
            fractions.append((at - low) / (high - low))
            beyond = (at < axis[0]) | (at > axis[-1])
            outside = beyond if outside is None else outside | beyond
        value = (self._linear if method == "linear" else self._nearest)(lower, fractions)
        column = (-1, *[1] * (value.ndim - 1))
        if outside is not None:
            self._check(outside)
            if self.fill_value is not None and not self.bounds_error:
                value = where(outside.reshape(column), self.fill_value, value)
            value = where(any_of(x != x, -1).reshape(column), math.nan, value)
        return value.reshape((*lead, *self.values.shape[d:])).astype(self.values.dtype)

    def _check(self, outside: Value) -> None:
        """Raise an error for points outside of the grid, if that was asked for."""
        if not self.bounds_error:
            return
        flags = known(outside)
        if flags is None:
            raise with_user_line(
                ConcretizationTypeError(
                    "bounds_error=True needs known points, but these are traced; use fill_value"
                )
            )
        if flags.any():
            raise with_user_line(
                ValueError("a point is outside of the grid, and bounds_error=True")
            )

    def _linear(self, lower: list[Any], fractions: list[Any]) -> Any:
        """Return the values at the corners of each cell, weighted."""
        total, more = 0.0, (-1, *[1] * (self.values.ndim - len(lower)))
        for corner in product((0, 1), repeat=len(lower)):
            weight: Any = 1.0
            for c, fraction in zip(corner, fractions):
                weight = weight * (fraction if c else 1.0 - fraction)
            at = tuple([i + c for i, c in zip(lower, corner)])
            total = total + self.values[at] * weight.reshape(more)
        return total

    def _nearest(self, lower: list[Any], fractions: list[Any]) -> Any:
        """Return the value at the nearest point; the lower one of two that are equally near."""
        return self.values[tuple([where(f <= 0.5, i, i + 1) for i, f in zip(lower, fractions)])]


def _coordinates(xi: Any, d: int) -> Any:
    """Return points as an array [..., d] of floats."""
    if isinstance(xi, tuple) and len(xi) == 1:
        xi = xi[0]
    if isinstance(xi, tuple):
        x = stack(broadcast_arrays(*[asarray(v) for v in xi]), -1)
    else:
        x = asarray(xi)
        x = x.reshape((-1, d)) if x.ndim < 2 and x.size % d == 0 else x
    if not x.ndim or x.shape[-1] != d:
        raise with_user_line(
            ValueError(f"the points must have {d} coordinates, got an array of shape {x.shape}")
        )
    return arr(to_inexact(x))


def _flatten(f: RegularGridInterpolator) -> tuple[tuple, tuple]:
    return (f.grid, f.values, f.fill_value), (f.method, f.bounds_error)


def _unflatten(static: tuple, children: Any) -> RegularGridInterpolator:
    f = object.__new__(RegularGridInterpolator)
    f.grid, f.values, f.fill_value = children
    f.method, f.bounds_error = static
    return f


register_pytree_node(RegularGridInterpolator, _flatten, _unflatten)
