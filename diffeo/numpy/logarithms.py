"""Logarithms to other bases than e, and of sums of exponentials."""

from __future__ import annotations

import math
from typing import Any

from ..primitives.array import as_value
from ..primitives.core import Value
from ..primitives.words import elementwise as e
from ..primitives.words import operators as o
from ..primitives.words import powers
from ..primitives.words.promotion import align, promote
from ..typing import ArrayLike
from .common import holds_complex
from .methods import not_honoured
from .ufunc_methods import with_methods
from .ufuncs import log


def log2(x: ArrayLike, /) -> Any:
    """Return the logarithm to the base 2."""
    return _over(log(x), math.log(2))


def log10(x: ArrayLike, /) -> Any:
    """Return the logarithm to the base 10."""
    return _over(log(x), math.log(10))


def _over(z: Value, number: float) -> Any:
    """Divide by a real number, part by part: a complex quotient would mix an infinite part in."""
    if z.dtype.kind != "c":
        return z / number
    return e.complex_.bind(e.real.bind(z) / number, e.imag.bind(z) / number)


_real_logaddexp = o.binary(powers.logaddexp, True)
_real_logaddexp2 = o.binary(powers.logaddexp2, True)


def logaddexp(x: ArrayLike, y: ArrayLike, /, out: Any = None, where: Any = None) -> Any:
    """Compute `log(exp(x) + exp(y))` without overflow.

    Derivatives of any order are right, also where x = y. Numbers may be complex; the imaginary
    part of the result is in [-pi, pi].
    """
    if not (holds_complex(x) or holds_complex(y)):
        return _real_logaddexp(x, y, out, where)
    if out is not None or where is not None:
        raise not_honoured(logaddexp, out)
    return _complex_logaddexp(*promote(x, y))


def logaddexp2(x: ArrayLike, y: ArrayLike, /, out: Any = None, where: Any = None) -> Any:
    """Compute `log2(2**x + 2**y)` without overflow; numbers may be complex."""
    if not (holds_complex(x) or holds_complex(y)):
        return _real_logaddexp2(x, y, out, where)
    if out is not None or where is not None:
        raise not_honoured(logaddexp2, out)
    return _complex_logaddexp(*[v * math.log(2) for v in promote(x, y)]) / math.log(2)


with_methods(logaddexp, -math.inf)
with_methods(logaddexp2, -math.inf)


def _complex_logaddexp(x: Any, y: Any) -> Any:
    """Compute `high + log1p(exp(low - high))`, where `high` has the larger real part."""
    x, y = align(as_value(x), as_value(y))
    first = e.real.bind(x) >= e.real.bind(y)
    high, low = e.select(first, x, y), e.select(first, y, x)
    none = e.real.bind(high) == -math.inf  # then `low - high` would be nan
    gap = e.select(none, 0j, low) - e.select(none, 0j, high)
    total = e.select(none, high, high + e.log1p.bind(e.exp.bind(gap)))
    angle = e.imag.bind(total)
    turns = e.round_even.bind(angle * (0.5 / math.pi))
    return e.complex_.bind(e.real.bind(total), angle - turns * (2 * math.pi))
