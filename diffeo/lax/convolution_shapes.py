"""The shapes of convolutions, as functions of shapes only, with jax.lax's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .convolution import (
    _placed,
    _transposed_padding,
    _wrong,
    conv_general_permutations,
    padtype_to_pads,
)


def conv_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    strides: Sequence[int],
    pads: Any,
    batch_group_count: int = 1,
) -> tuple[int, ...]:
    """Return the shape of a convolution of operands in the order of `conv`, without dilations.

    Examples:
        >>> conv_shape_tuple((8, 3, 9, 9), (2, 3, 5, 5), (2, 2), "SAME")
        (8, 2, 5, 5)
    """
    space, window = lhs_shape[2:], rhs_shape[2:]
    pads = padtype_to_pads(space, window, strides, pads) if isinstance(pads, str) else pads
    if len(pads) != len(space):
        raise _wrong("conv_shape_tuple", f"expects {len(space)} pairs of paddings, got {pads}")
    parts = zip(space, pads, window, strides)
    out = [max((n + sum(p) - k) // s + 1, 0) for n, p, k, s in parts]
    return (lhs_shape[0] // batch_group_count, rhs_shape[0], *out)


def conv_general_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
    dimension_numbers: Any,
) -> tuple[int, ...]:
    """Return the shape of a convolution with a layout, without dilations."""
    left, right, out = conv_general_permutations(dimension_numbers)
    shapes = [lhs_shape[a] for a in left], [rhs_shape[a] for a in right]
    return _placed(conv_shape_tuple(*shapes, window_strides, padding), out)


def conv_transpose_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
    dimension_numbers: Any,
) -> tuple[int, ...]:
    """Return the shape of `conv_transpose` with a layout, without a dilation of the kernel."""
    left, right, out = conv_general_permutations(dimension_numbers)
    space, window = [lhs_shape[a] for a in left[2:]], [rhs_shape[a] for a in right[2:]]
    if isinstance(padding, str):
        padding = [_transposed_padding(k, s, padding) for k, s in zip(window, window_strides)]
    sizes = [
        (n - 1) * s - k + 2 + sum(p) for n, k, s, p in zip(space, window, window_strides, padding)
    ]
    return _placed((lhs_shape[left[0]], rhs_shape[right[0]], *sizes), out)
