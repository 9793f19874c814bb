"""Layers that reduce windows: `stax` has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import lax
from .. import numpy as dnp

#: A layer: `init(rng, input_shape) -> (output_shape, params)` and `apply(params, inputs)`.
Layer = tuple[Callable[..., Any], Callable[..., Any]]


def MaxPool(
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    spec: str | None = None,
) -> Layer:
    """Make a layer that takes the maximum of windows.

    Args:
        window_shape: the sizes of a window along the spatial axes.
        strides: between windows; by default 1.
        padding: "VALID", "SAME", or a pair of numbers for each axis.
        spec: which axes are the batch (N) and the channels (C), such as "NCHW"; by default the
            first and the last.

    Examples:
        >>> import numpy as np
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.MaxPool((2,))
        >>> apply((), np.arange(4.0).reshape(1, 4, 1)).ravel()
        Array([1., 2., 3.])
    """
    return _pool(window_shape, strides, padding, spec, lax.max, -math.inf)


def SumPool(
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    spec: str | None = None,
) -> Layer:
    """Make a layer that adds up windows; the arguments are those of `MaxPool`.

    Examples:
        >>> import numpy as np
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.SumPool((2,))
        >>> apply((), np.arange(4.0).reshape(1, 4, 1)).ravel()
        Array([1., 3., 5.])
    """
    return _pool(window_shape, strides, padding, spec, lax.add, 0.0)


def AvgPool(
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    spec: str | None = None,
) -> Layer:
    """Make a layer that takes the mean of windows, of those numbers that are no padding; the
    arguments are those of `MaxPool`.

    Examples:
        >>> import numpy as np
        >>> from diffeo.example_libraries import stax
        >>> init, apply = stax.AvgPool((2,))
        >>> apply((), np.arange(4.0).reshape(1, 4, 1)).ravel()
        Array([0.5, 1.5, 2.5])
    """
    init, apply = SumPool(window_shape, strides, padding, spec)

    def mean(params: Any, inputs: Any, **kwargs: Any) -> Any:
        others = _others(spec, len(window_shape))
        ones = dnp.ones([1 if i in others else n for i, n in enumerate(inputs.shape)], inputs.dtype)
        return apply(params, inputs, **kwargs) / apply(params, ones)

    return init, mean


def _others(spec: str | None, count: int) -> tuple[int, int]:
    """Return which axes are the batch and the channels, ascending."""
    if spec is None:
        return 0, count + 1
    first, second = sorted([spec.index("N"), spec.index("C")])
    return first, second


def _pool(
    window_shape: Sequence[int],
    strides: Sequence[int] | None,
    padding: Any,
    spec: str | None,
    reducer: Callable[..., Any],
    initial: float,
) -> Layer:
    window, steps = [*window_shape], [*(strides or (1,) * len(window_shape))]
    for axis in _others(spec, len(window_shape)):
        window.insert(axis, 1)
        steps.insert(axis, 1)

    def init(rng: Any, input_shape: Any) -> Any:
        pads = lax.padtype_to_pads(input_shape, window, steps, padding)
        ones = (1,) * len(window)
        return lax.reduce_window_shape_tuple(input_shape, window, steps, pads, ones, ones), ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return lax.reduce_window(inputs, initial, reducer, window, steps, padding)

    return init, apply
