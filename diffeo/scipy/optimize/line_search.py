"""The length of a step: a line search for the strong Wolfe conditions.

The conditions ask for enough decrease (`c1`), and for a slope that is small (`c2`) compared with
that at the start. The search is that of Nocedal and Wright ("Numerical Optimization", algorithms
3.5 and 3.6): steps are doubled until there is a bracket, and then the bracket shrinks. Both are one
loop with one evaluation in each turn, so that under `vmap` no row waits for another one twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...api.control_flow.loops import while_loop
from ...api.derivatives.gradients import value_and_grad
from ...numpy.choosing import where
from ...numpy.common import arr
from ...numpy.contracting.products import dot
from ...numpy.making.creation import asarray
from ...numpy.ufuncs import sign, sqrt
from ...primitives.core import Value
from ...trees import tree
from ...typing import ArrayLike


class Trial(NamedTuple):
    """A step, and the value, the slope and the gradient after it."""

    step: Any
    value: Any
    slope: Any
    gradient: Any


class Search(NamedTuple):
    """The state of a line search; at its end, `low` is the step that was found.

    While there is no bracket, `low` is the last trial, and `high` means nothing. `other` is the
    step and the value of a third point, for the cubic through three values.
    """

    done: Any
    failed: Any
    bracketed: Any
    tried: Any
    shrunk: Any
    low: Trial
    high: Trial
    other: tuple[Any, Any]


#: How often a bracket may shrink.
_MOST = 30


def line_search(
    f: Callable,
    x: Value,
    direction: Value,
    value: Value,
    gradient: Value,
    start: ArrayLike,
    maxiter: int,
    c1: float = 1e-4,
    c2: float = 0.9,
) -> Search:
    """Search along a direction for a step that fulfils the strong Wolfe conditions.

    Args:
        f: a function of a vector.
        x: where the search starts.
        direction: along which f falls.
        value, gradient: of f at x.
        start: the first step to try.
        maxiter: how often to enlarge the step.
        c1, c2: of the conditions.

    Returns:
        The state at the end; `low` has the step, and `tried + shrunk` is how often f was evaluated.
        If the search failed, or ended without a step, `low` is the best one that fulfils the first
        condition.
    """
    slope = dot(gradient, direction)
    wide = np.dtype(x.dtype).itemsize >= 8
    origin = Trial(value * 0, value, slope, gradient)
    false, count = asarray(False), asarray(0)
    state = Search(false, false, false, count, count, origin, origin, (origin.step, value))

    def going(s: Search) -> Any:
        return ~s.done & ~s.failed & (s.bracketed | (s.tried < maxiter))

    def turn(s: Search) -> Search:
        doubled = where(s.tried == 0, start, 2.0 * s.low.step)
        step = where(s.bracketed, _between(s), doubled).astype(x.dtype)
        v, g = value_and_grad(f)(x + step * direction)
        trial = Trial(step, v.astype(value.dtype), dot(g, direction), g.astype(gradient.dtype))
        first = (s.tried == 0) & ~s.bracketed
        above = (v > value + c1 * step * slope) | ((v >= s.low.value) & ~first) | (v != v)
        done = (abs(trial.slope) <= -c2 * slope) & ~above
        # The trial becomes the lower end, or the upper one if f is too large there. The other end
        # is the old lower one where f rises from the trial towards the old upper end.
        rises = where(s.bracketed, trial.slope * (s.high.step - s.low.step) >= 0, trial.slope >= 0)
        swap = rises & ~above & ~done
        low = _choose(above, s.low, trial)
        high = _choose(above, trial, _choose(swap, s.low, s.high))
        replaced = above | swap
        other = tuple([where(replaced, h, w) for h, w in zip(s.high[:2], s.low[:2])])
        bracketed = s.bracketed | above | swap
        width = abs(high.step - low.step)
        narrow = bracketed & (width <= (1e-10 if wide else 1e-5))
        shrunk = s.shrunk + where(s.bracketed, 1, 0)
        failed = (narrow | (shrunk >= _MOST)) & ~done
        tried = s.tried + where(s.bracketed, 0, 1)
        return Search(done, failed, bracketed, tried, shrunk, low, high, other)

    end = while_loop(going, turn, state)
    if wide:
        return end
    # In 32 bits, a step that is too short to be seen would stop the search for good.
    step = end.low.step
    return end._replace(low=end.low._replace(step=where(abs(step) < 1e-8, sign(step) * 1e-8, step)))


def _choose(flag: Value, first: Trial, second: Trial) -> Trial:
    return tree.map(lambda a, b: where(flag, a, b), first, second)


def _between(s: Search) -> Any:
    """Return a step inside of the bracket: a minimum of a cubic, of a parabola, or the middle."""
    a, b, (c, fc) = s.low, s.high, s.other
    width = b.step - a.step
    cubic = _cubic_minimum(a, b.step - a.step, b.value, c - a.step, fc)
    rise = b.value - a.value - a.slope * width
    parabola = -0.5 * a.slope * width * width / where(rise == 0, 1.0, rise)
    inside = lambda move, margin: (
        (move * sign(width) > margin * abs(width))
        & (move * sign(width) < (1.0 - margin) * abs(width))
    )
    move = where(inside(parabola, 0.1) & (rise != 0), parabola, 0.5 * width)
    return a.step + where((s.shrunk > 0) & inside(cubic, 0.2), cubic, move)


def _cubic_minimum(a: Trial, b: Value, fb: Value, c: Value, fc: Value) -> Any:
    """Return where the cubic through three values, with the slope at the first, is least.

    Steps count from the first one. The result is nan if there is no such cubic.
    """
    rb, rc = fb - a.value - a.slope * b, fc - a.value - a.slope * c
    below = (b * c) ** 2 * (b - c)
    below = where(below == 0, 1.0, below)
    third = (c * c * rb - b * b * rc) / below
    second = (b**3 * rc - c**3 * rb) / below
    radicand = second * second - 3.0 * third * a.slope
    usual = (radicand >= 0) & (third != 0)
    root = sqrt(arr(where(usual, radicand, 1.0)))
    return where(usual, (root - second) / (3.0 * where(usual, third, 1.0)), np.nan)
