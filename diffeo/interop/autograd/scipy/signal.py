"""`autograd.scipy.signal`: `convolve` of any axes, with sums over others."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import numpy as dnp
from ....lax import conv_general_dilated
from ..machinery.functions import wrapped


def _axes(ndim: int, conv: Any, dot: Any) -> tuple[list[int], list[int], list[int]]:
    """Return an array's axes: those that are convolved, those summed over, and the others."""
    conv, dot = [c % ndim for c in conv], [d % ndim for d in dot]
    return conv, dot, [n for n in range(ndim) if n not in conv and n not in dot]


def _convolve(A: Any, B: Any, axes: Any = None, dot_axes: Any = None, mode: str = "full") -> Any:
    """Convolve two arrays along some axes, sum over others, and multiply the rest.

    Args:
        A: an array.
        B: an array.
        axes: (axes of `A`, axes of `B`) that are convolved; all of them by default.
        dot_axes: (axes of `A`, axes of `B`) that are summed over, as in a product of matrices.
        mode: "full", "same" (of the size of `A`) or "valid".

    Returns:
        An array whose axes are the other ones of `A`, the other ones of `B`, the convolved ones.

    Raises:
        ValueError: for another mode, or if neither is the larger one along all axes with "valid".
    """
    A, B = dnp.asarray(A), dnp.asarray(B)
    conv, dot = axes or [range(A.ndim)] * 2, dot_axes or [(), ()]
    conv_a, dot_a, rest_a = _axes(A.ndim, conv[0], dot[0])
    conv_b, dot_b, rest_b = _axes(B.ndim, conv[1], dot[1])
    sizes = [(A.shape[i], B.shape[j]) for i, j in zip(conv_a, conv_b)]
    swapped = mode == "valid" and any([a < b for a, b in sizes])
    if swapped and any([a > b for a, b in sizes]):
        raise ValueError("One array must be larger than the other along all convolved dimensions")
    shape_a = [A.shape[i] for i in rest_a]
    shape_b = [B.shape[i] for i in rest_b]
    # As (batch, features, places): what is summed over are features.
    images = A.transpose(*rest_a, *dot_a, *conv_a)
    kernels = B.transpose(*rest_b, *dot_b, *conv_b)
    features = int(np.prod([A.shape[i] for i in dot_a], dtype=int))
    images = images.reshape(-1, features, *[a for a, _ in sizes])
    kernels = kernels.reshape(-1, features, *[b for _, b in sizes])
    if swapped:
        images, kernels = kernels, images
    paddings = {
        "full": [(b - 1, b - 1) for _, b in sizes],
        "same": [(b - 1 - (b - 1) // 2, (b - 1) // 2) for _, b in sizes],
        "valid": [(0, 0)] * len(sizes),
    }
    if mode not in paddings:
        raise ValueError(f"convolve: mode is 'full', 'same' or 'valid', got {mode!r}")
    kernels = dnp.flip(kernels, tuple(range(2, kernels.ndim)))
    dtype = dnp.result_type(A, B)
    out = conv_general_dilated(
        images.astype(dtype), kernels.astype(dtype), (1,) * len(sizes), paddings[mode]
    )
    if swapped:
        out = out.swapaxes(0, 1)
    return out.reshape(*shape_a, *shape_b, *out.shape[2:])


def _of_numbers(A: Any, B: Any, axes: Any = None, dot_axes: Any = None, mode: str = "full") -> Any:
    return np.array(_convolve(A, B, axes, dot_axes, mode))


_of_numbers.__name__, _of_numbers.__doc__ = "convolve", _convolve.__doc__
convolve = wrapped(_of_numbers, _convolve)
