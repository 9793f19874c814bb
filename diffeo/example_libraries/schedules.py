"""Step sizes that depend on the number of the step: functions that `optimizers` has, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import numpy as dnp
from ..primitives.core import describe, with_user_line

#: The number of a step.
Step = int
#: A function of the number of a step that returns a step size.
Schedule = Callable[[Any], Any]


def constant(step_size: Any) -> Schedule:
    """Return the schedule with one step size for all steps.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> optimizers.constant(0.1)(7)
        0.1
    """
    return lambda i: step_size


def exponential_decay(step_size: Any, decay_steps: Any, decay_rate: Any) -> Schedule:
    """Return the schedule `step_size * decay_rate ** (i / decay_steps)`.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> optimizers.exponential_decay(1.0, 10, 0.5)(20)
        0.25
    """
    return lambda i: step_size * decay_rate ** (i / decay_steps)


def inverse_time_decay(
    step_size: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False
) -> Schedule:
    """Return the schedule `step_size / (1 + decay_rate * i / decay_steps)`.

    Args:
        step_size: of step 0, a scalar.
        decay_steps: the number of steps by which `decay_rate` counts once.
        decay_rate: a scalar.
        staircase: round `i / decay_steps` down, so that the step size falls at once.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> optimizers.inverse_time_decay(1.0, 10, 1.0)(10)
        0.5
    """
    if staircase:
        return lambda i: step_size / (1 + decay_rate * dnp.floor(i / decay_steps))
    return lambda i: step_size / (1 + decay_rate * i / decay_steps)


def polynomial_decay(
    step_size: Any, decay_steps: Any, final_step_size: Any, power: Any = 1.0
) -> Schedule:
    """Return the schedule that goes from one step size to another within some steps.

    Args:
        step_size: of step 0.
        decay_steps: the step from which `final_step_size` holds.
        final_step_size: the last one.
        power: of the fraction of steps that are left.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> optimizers.polynomial_decay(1.0, 10, 0.5)(5)
        Array(0.75)
    """

    def schedule(i: Any) -> Any:
        left = (1 - dnp.minimum(i, decay_steps) / decay_steps) ** power
        return left * (step_size - final_step_size) + final_step_size

    return schedule


def piecewise_constant(boundaries: Sequence[Any], values: Sequence[Any]) -> Schedule:
    """Return the schedule that is constant between boundaries.

    Args:
        boundaries: n numbers of steps, ascending. A boundary itself belongs to what is before it.
        values: n + 1 step sizes.

    Raises:
        ValueError: if there is not one value more than boundaries.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> schedule = optimizers.piecewise_constant([10, 20], [1.0, 0.5, 0.1])
        >>> [float(schedule(i)) for i in (10, 11, 99)]
        [1.0, 0.5, 0.1]
    """
    edges, sizes = dnp.array(boundaries), dnp.array(values)
    if edges.ndim != 1 or sizes.ndim != 1 or len(sizes) != len(edges) + 1:
        raise with_user_line(
            ValueError(
                "piecewise_constant: expected n boundaries and n + 1 values, got "
                f"{describe(edges)} and {describe(sizes)}"
            )
        )
    return lambda i: sizes[dnp.sum(i > edges)]


def make_schedule(scalar_or_schedule: Any) -> Schedule:
    """Return a schedule as it is, and the constant one of a number.

    Raises:
        TypeError: for an array that is no scalar.

    Examples:
        >>> from diffeo.example_libraries import optimizers
        >>> optimizers.make_schedule(0.5)(3)
        0.5
    """
    if callable(scalar_or_schedule):
        return scalar_or_schedule
    if dnp.ndim(scalar_or_schedule) != 0:
        raise with_user_line(
            TypeError(
                "make_schedule: a step size is a scalar or a function of the number of the step, "
                f"got {describe(scalar_or_schedule)}"
            )
        )
    return constant(scalar_or_schedule)
