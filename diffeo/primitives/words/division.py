"""Division with whole quotients: floor_div, mod, fmod; and fraction, what is behind the point.

They compute what NumPy computes, to the last bit. Of floats the remainder is made first, which is
exact. The quotient is made of `x - remainder`, so that it is next to a whole number: x / y itself
may have been rounded up before it is rounded down (1.0 / 0.1 is 10, but 1.0 // 0.1 is 9). Integers
over 0 give 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..builder import LoweringContext
from ..constants import full_like
from ..formulas.lowered import in_float32, with_sign_of
from .elementwise import Elementwise, div, floor, rem, round_even, select, trunc


def _lowered(of_floats: Callable, of_integers: Callable) -> Callable:
    """Return how a function is lowered that is written in primitives: one formula of floats, one of
    integers.
    """
    wide = in_float32(lambda ctx, x, y: ctx.inline(of_floats, x, y))

    def lower(ctx: LoweringContext, *values: Any) -> Any:
        x, y = ctx.operands(values)
        return ctx.inline(of_integers, x, y) if x.aval.dtype.kind in "iu" else wide(ctx, x, y)

    return lower


def _beyond(rest: Any, y: Any) -> Any:
    """Return where a remainder, if any, has another sign than the divisor."""
    return (rest != 0) & ((rest < 0) != (y < 0))


def _floor_div(x: Any, y: Any) -> Any:
    remainder = rem.bind(x, y)
    # The `select` hides a y that is a constant: XLA would multiply by 1 / y instead.
    near = (x - remainder) / select(remainder == remainder, y, remainder)
    # `rem` has the sign of x. Where it shall have that of y, the quotient is one less.
    near = select(_beyond(remainder, y), near - 1.0, near)
    # `near` is a whole number but for rounding, from below or above.
    whole = floor.bind(near)
    whole = select(near - whole > 0.5, whole + 1.0, whole)
    whole = select(near == 0, x / y * 0.0, whole)  # a zero with the sign of the quotient
    return select(y == 0, x / y, whole)


def _floor_div_integers(x: Any, y: Any) -> Any:
    quotient = div.bind(x, y)
    if x.dtype.kind == "i":
        quotient = select(_beyond(x - quotient * y, y), quotient - 1, quotient)
    return select(y == 0, 0, quotient)


def _mod(x: Any, y: Any) -> Any:
    remainder = rem.bind(x, y)
    zero = select(y < 0, full_like(y, -0.0), 0.0)
    return select(remainder == 0, zero, select(_beyond(remainder, y), remainder + y, remainder))


def _mod_integers(x: Any, y: Any) -> Any:
    remainder = rem.bind(x, y)
    if x.dtype.kind == "i":
        remainder = select(_beyond(remainder, y), remainder + y, remainder)
    return select(y == 0, 0, remainder)


def _fmod_integers(x: Any, y: Any) -> Any:
    return select(y == 0, 0, rem.bind(x, y))


@in_float32
def _fraction(ctx: LoweringContext, x: Any) -> Any:
    fractional = ctx.inline(lambda x: select(abs(x) == np.inf, 0.0, x - trunc(x)), x)
    return with_sign_of(ctx, fractional, x)


floor_div = Elementwise(
    "floor_div", np.floor_divide, _lowered(_floor_div, _floor_div_integers), accepts="iuf", arity=2
)
mod = Elementwise(
    "mod",
    np.remainder,
    _lowered(_mod, _mod_integers),
    lambda x, y: 1.0,
    lambda x, y: -floor_div.bind(x, y),
    accepts="iuf",
    singular=True,
)
fmod = Elementwise(
    "fmod",
    np.fmod,
    _lowered(rem.bind, _fmod_integers),
    lambda x, y: 1.0,
    lambda x, y, out: round_even.bind((out - x) / y),
    accepts="iuf",
    singular=True,
)
fraction = Elementwise("fraction", lambda x: np.modf(x)[0], _fraction, lambda x: 1.0, accepts="f")
