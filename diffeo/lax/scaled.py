"""Products of numbers in few bits, each block of which has a scale: `scaled_dot`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..numpy.common import arr
from ..primitives.core import describe, with_user_line
from ..primitives.types import bfloat16
from ..primitives.words.structural import broadcast_in_dim, convert_element_type, reshape
from .products import _axes_of_both, dot_general


def scaled_dot(
    lhs: Any,
    rhs: Any,
    *,
    lhs_scale: Any = None,
    rhs_scale: Any = None,
    dimension_numbers: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Compute `dot_general(lhs * lhs_scale, rhs * rhs_scale)` of operands in bfloat16.

    Args:
        lhs: an array of narrow floats.
        rhs: another one.
        lhs_scale: None, or an array with the axes of `lhs`; along a contracted axis, each of its
            numbers scales a block of two or more.
        rhs_scale: None, or an array with the axes of `rhs`.
        dimension_numbers: ((contracted of lhs, of rhs), (batch axes of lhs, of rhs)); by default
            those of a product of matrices (batch, m, k) and (batch, k, n), or (m, k) and (k, n).
        preferred_element_type: the dtype of the result, bfloat16 by default.

    Raises:
        TypeError: if shapes do not fit.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.ones((1, 4), "float8_e4m3fn")
        >>> scales = dx.numpy.array([[1.0, 2.0]], "float8_e8m0fnu")
        >>> scaled_dot(x, x.T, lhs_scale=scales, preferred_element_type="float32")
        Array([[6.]], dtype=float32)
    """
    lhs, rhs = arr(lhs), arr(rhs)
    if dimension_numbers is None:
        if lhs.ndim not in (2, 3) or rhs.ndim != lhs.ndim:
            raise with_user_line(
                TypeError(
                    "scaled_dot: without dimension_numbers, expects two or three axes of both, got "
                    f"{describe(lhs)} and {describe(rhs)}"
                )
            )
        batch = (0,) if lhs.ndim == 3 else ()
        dimension_numbers = (((lhs.ndim - 1,), (lhs.ndim - 2,)), (batch, batch))
    contract, batch = _axes_of_both("scaled_dot", dimension_numbers)
    scaled = [
        _scaled(name, x, scale, axes)
        for name, x, scale, axes in zip(
            ("lhs", "rhs"), (lhs, rhs), (lhs_scale, rhs_scale), contract
        )
    ]
    dtype = bfloat16 if preferred_element_type is None else preferred_element_type
    return dot_general(*scaled, (contract, batch), None, dtype)


def _scaled(name: str, x: Any, scale: Any, contract: Sequence[int]) -> Any:
    """Return an operand in bfloat16, times its scale."""
    wide = convert_element_type(x, bfloat16)
    if scale is None:
        return wide
    scale = arr(scale)
    sizes = [
        n // m if m and i in contract and not n % m else 1
        for i, (n, m) in enumerate(zip(x.shape, scale.shape))
    ]
    blocks = all([m * k == n for n, m, k in zip(x.shape, scale.shape, sizes)])
    if scale.ndim != x.ndim or not blocks or 1 in [sizes[i] for i in contract]:
        raise with_user_line(
            TypeError(
                f"scaled_dot: {name}_scale must have the shape of {describe(x)}, or two times or "
                f"more shorter along the axes {tuple(contract)}, got {describe(scale)}"
            )
        )
    # Each number of the scale stands for a block: (m, 1) becomes (m, k), then m * k.
    pairs = tuple([n for m, k in zip(scale.shape, sizes) for n in (m, k)])
    scale = convert_element_type(scale, bfloat16)
    scale = broadcast_in_dim(scale, pairs, range(0, 2 * x.ndim, 2))
    return wide * reshape(scale, x.shape)
