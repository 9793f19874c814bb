"""The accuracy that a function of elements is asked for."""

from __future__ import annotations

import enum
from typing import Any

from ..primitives.core import describe, with_user_line


class AccuracyMode(enum.Enum):
    """How exactly a function is computed: as the platform computes it, or better."""

    HIGHEST = 1
    DEFAULT = 2


class Tolerance:
    """The error that a function may have.

    Attributes:
        atol: the absolute error.
        rtol: the relative error.
        ulps: the error in units of the last place.

    Raises:
        ValueError: for negative numbers, or if all are 0.

    Examples:
        >>> Tolerance(rtol=1e-6)
        Tolerance(atol=0.0, rtol=1e-06, ulps=0)
    """

    def __init__(self, atol: float = 0.0, rtol: float = 0.0, ulps: int = 0):
        self.atol, self.rtol, self.ulps = atol, rtol, ulps
        if min(atol, rtol, ulps) < 0 or not (atol or rtol or ulps):
            raise with_user_line(
                ValueError(f"expected a tolerance above 0, and none below, got {self}")
            )

    def __repr__(self) -> str:
        return f"Tolerance(atol={self.atol}, rtol={self.rtol}, ulps={self.ulps})"


def check_accuracy(name: str, accuracy: Any) -> None:
    """Accept the accuracy that functions have.

    Raises:
        NotImplementedError: for another `AccuracyMode`, and a `Tolerance`.
        TypeError: for anything else.
    """
    if accuracy is None or accuracy is AccuracyMode.DEFAULT:
        return
    if isinstance(accuracy, (AccuracyMode, Tolerance)):
        raise with_user_line(
            NotImplementedError(
                f"{name}: accuracy={accuracy} cannot be asked for: there is one algorithm for each "
                "dtype and platform. Leave it out, or compute in float64"
            )
        )
    raise with_user_line(
        TypeError(
            f"{name}: accuracy must be None, an AccuracyMode or a Tolerance, got "
            f"{describe(accuracy)}"
        )
    )
