"""Reductions over windows that move along arrays.

Sums, products, maxima and minima have primitives of their own; any other associative function goes
through the general one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..numpy.common import sequence_of, static_int, static_ints
from ..primitives.core import describe, with_user_line
from ..primitives.types import ShapedArray
from ..routines.windows import windows
from ..routines.windows.general_reduce import ReduceWindow
from ..trees import tree
from .convolution import padtype_to_pads
from .reducing import Computation
from .strict import apply

#: The window reductions by a single elementwise primitive, by that primitive.
_SINGLE = {
    kind.monoid.row: kind
    for kind in (
        windows.ReduceWindowSum,
        windows.ReduceWindowProd,
        windows.ReduceWindowMax,
        windows.ReduceWindowMin,
    )
}


def _window(
    name: str,
    shape: Sequence[int],
    sizes: Any,
    strides: Any,
    padding: Any,
    base_dilation: Any,
    dilation: Any,
) -> windows.Window:
    """Return the window that arguments describe; None stands for ones, words for paddings."""
    ones = (1,) * len(sequence_of(sizes, name, "window_dimensions"))

    def numbers(what: str, given: Any) -> tuple[int, ...]:
        return ones if given is None else static_ints(given, name, what, 1)

    sizes, strides = numbers("window_dimensions", sizes), numbers("window_strides", strides)
    dilation = numbers("window_dilation", dilation)
    base = numbers("base_dilation", base_dilation)
    if isinstance(padding, str):
        # How far a window reaches, with the gaps between its elements.
        spans = [(n - 1) * d + 1 for n, d in zip(sizes, dilation)]
        padding = padtype_to_pads(shape, spans, strides, padding)
    try:
        pads = tuple(
            [(static_int(a, name, "padding"), static_int(b, name, "padding")) for a, b in padding]
        )
    except (TypeError, ValueError):
        raise with_user_line(
            TypeError(
                f"{name}: padding must be 'VALID', 'SAME', 'SAME_LOWER' or a pair (low, high) "
                "for each "
                f"axis, got {describe(padding)}"
            )
        ) from None
    return windows.Window(sizes, strides, pads, base, dilation)


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable[[Any, Any], Any],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """Combine the elements of each window by an associative function.

    Args:
        operand: an array, or a tree of arrays of one shape, which are reduced together.
        init_value: a scalar for each array, of its dtype, which `computation` leaves as it is
            (0 for a sum); it stands wherever a window sees no element.
        computation: as in `reduce`.
        window_dimensions: the size of windows along each axis.
        window_strides: how far apart windows are; 1 by default.
        padding: "VALID" (none), "SAME", "SAME_LOWER", or a pair (low, high) for each axis;
            negative numbers cut.
        base_dilation: how far apart the elements of the operand are; 1 by default.
        window_dilation: how far apart the elements of a window are; 1 by default.

    Returns:
        A tree like `operand`, with one element for each window.

    The derivative of a maximum or minimum is that of the first such element of the window. That of
    a computation that is none of `add`, `mul`, `max` and `min` gathers all that windows see, which
    takes so much memory.

    Raises:
        TypeError: for operands, initial values or results that do not fit one another.
        ValueError: for sizes, strides, dilations and paddings that make no sense.

    Examples:
        >>> import diffeo as dx
        >>> x = dx.numpy.array([1.0, 5.0, 2.0, 3.0])
        >>> reduce_window(x, -dx.numpy.inf, dx.lax.max, (2,))
        Array([5., 5., 3.])
        >>> reduce_window(x, 0.0, dx.lax.add, (3,), (2,), "SAME")
        Array([8., 5.])
    """
    traced = Computation("reduce_window", operand, init_value, computation)
    shape = traced.xs[0].shape if traced.xs else ()
    window = _window(
        "reduce_window",
        shape,
        window_dimensions,
        window_strides,
        padding,
        base_dilation,
        window_dilation,
    )
    primitive = _SINGLE.get(traced.single)
    special = (
        primitive is not None
        and traced.xs[0].dtype != np.bool_
        and traced.begins_neutral(primitive.monoid)
    )
    if special:
        outs = [apply(primitive(window), traced.xs[0])]  # type: ignore[misc]
    else:
        outs = apply(ReduceWindow(traced.program, window), *traced.xs, *traced.inits)
    return tree.unflatten(traced.structure, outs)


def reduce_window_shape_tuple(
    operand_shape: Sequence[int],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Any,
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> tuple[int, ...]:
    """Return the shape of the result of `reduce_window`.

    It says how many windows there are along each axis.

    Raises:
        TypeError, ValueError: as `reduce_window`.

    Examples:
        >>> reduce_window_shape_tuple((10, 10), (3, 3), (1, 2), "SAME")
        (10, 5)
    """
    window = _window(
        "reduce_window",
        operand_shape,
        window_dimensions,
        window_strides,
        padding,
        base_dilation,
        window_dilation,
    )
    return window.out_shape("reduce_window", ShapedArray(tuple(operand_shape), np.float64))
