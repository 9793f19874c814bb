"""What the functions on matrices share: their operands, checked."""

from __future__ import annotations

from typing import Any

from ..numpy.common import arr
from ..primitives.core import with_user_line
from ..primitives.matrices import LETTERS
from ..primitives.operators import to_inexact
from ..primitives.structural import convert_element_type
from ..primitives.types import complex_dtype


def matrices(name: str, x: Any, square: bool = True) -> Any:
    """(Square) matrices [..., m, n], of a dtype that LAPACK knows; integers are made
    floating-point.
    """
    x = arr(to_inexact(arr(x)))
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]):
        raise with_user_line(ValueError(
            f"{name}: expects {'square matrices [..., n, n]' if square else 'matrices [..., m, n]'}"
            f", got shape {x.shape}"))
    if x.dtype not in LETTERS:
        raise with_user_line(TypeError(
            f"{name}: expects numbers of {', '.join(map(str, LETTERS))}, got {x.dtype}"))
    return x


def to_complex(x: Any) -> Any:
    """The same numbers, complex."""
    return convert_element_type(x, complex_dtype(x.dtype))
