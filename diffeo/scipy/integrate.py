"""Integrals of samples, with the names of scipy.integrate and jax.scipy.integrate."""

from __future__ import annotations

from typing import Any

from ..numpy.reducing import cumulative
from ..typing import ArrayLike

__all__ = ["trapezoid"]


def trapezoid(y: ArrayLike, x: ArrayLike | None = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integrate samples along an axis by the trapezoidal rule.

    Args:
        y: the samples.
        x: where they were taken: a vector as long as the axis, or an array that broadcasts with
            `y`; None for equal distances.
        dx: the distance, without `x`.
        axis: the axis, which the result lacks.

    Raises:
        ValueError: for an axis that does not exist, or shapes that do not fit.

    Examples:
        >>> import diffeo as dx
        >>> trapezoid(dx.numpy.array([1.0, 2.0, 3.0]), dx=0.5)
        Array(2.)
    """
    return cumulative.trapezoid(y, x, dx, axis)
