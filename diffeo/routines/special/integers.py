"""gcd and lcm of each element, by Euclid's algorithm on absolute values.

Absolute values are held in unsigned integers, as the least signed integer has none in its own
dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...primitives.builder import LoweringContext
from ...primitives.core import Value
from ...primitives.words.elementwise import Elementwise, absolute, select
from ...primitives.words.structural import convert_element_type
from .special import Repeat


def _euclid(x: Value, y: Value) -> Any:
    """Return the greatest common divisor of unsigned integers; 0 for two zeros."""

    def step(x: Value, y: Value) -> tuple[Any, Any]:
        # An element that has ended keeps its values while others go on.
        going = y != 0
        return select(going, y, x), select(going, x % select(going, y, 1), 0)

    return Repeat(lambda x, y: y != 0, step).bind(x, y)[0]


def _multiple(x: Value, y: Value) -> Any:
    """Return the least common multiple of unsigned integers; 0 if one of them is 0."""
    divisor = _euclid(x, y)
    return select(divisor == 0, 0, x // select(divisor == 0, 1, divisor) * y)


def _of_sizes(formula: Callable) -> Callable:
    """Return the lowering of a formula of unsigned integers, applied to absolute values."""

    def lower(ctx: LoweringContext, *values: Any) -> Any:
        def in_primitives(*xs: Any) -> Any:
            dtype = xs[0].dtype
            wide = np.dtype(f"u{dtype.itemsize}")
            sizes = [x if dtype == wide else convert_element_type(absolute.bind(x), wide)
                     for x in xs]  # fmt: skip
            return convert_element_type(formula(*sizes), dtype)

        return ctx.inline(in_primitives, *ctx.operands(values))

    return lower


gcd = Elementwise("gcd", np.gcd, _of_sizes(_euclid), None, None, accepts="iu")
lcm = Elementwise("lcm", np.lcm, _of_sizes(_multiple), None, None, accepts="iu")
