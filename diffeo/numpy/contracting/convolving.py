"""Convolutions of vectors: convolve, correlate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.core import Value, with_user_line
from ...primitives.words.dot import FULL
from ...primitives.words.slicing import rev
from ...primitives.words.structural import convert_element_type, reshape
from ...routines.windows.conv import ConvDimensionNumbers, ConvGeneralDilated
from ..common import host_of, no_such, same_dtype
from ..ufuncs import conj
from .precision import precision_of, preferred_of

#: The precision and the dtype of a convolution of which nothing is asked.
PLAIN = FULL, None
#: The dtypes in which NumPy's convolution is as exact and as fast.
FAST = frozenset(map(np.dtype, ("f4", "f8", "c8", "c16")))


def correlate_padded(x: Any, y: Value, padding: Any, how: Any = PLAIN) -> Any:
    """Sum the products of `y` and each window of `x`.

    `x` is padded by a pair (before, after) for each axis. Both arrays have spatial axes only. `how`
    is the precision and the dtype that are asked for.
    """
    # The primitive expects axes for a batch and for features in front: both of size 1 here.
    ones, axes = (1,) * x.ndim, tuple(range(x.ndim + 2))
    numbers = ConvDimensionNumbers(axes, axes, axes)
    conv = ConvGeneralDilated(ones, tuple(padding), ones, ones, numbers, 1, 1, *how)
    out = conv.bind(*[reshape(v, (1, 1, *v.shape)) for v in (x, y)])
    return reshape(out, out.shape[2:])


def _fit(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether NumPy may convolve the operands: vectors with elements, of one dtype."""
    return x.dtype is y.dtype and x.dtype in FAST and x.ndim == y.ndim == 1 and x.size * y.size > 0


def convolve(
    a: Any, v: Any, mode: str = "full", *, precision: Any = None, preferred_element_type: Any = None
) -> Any:
    """Return the discrete convolution of two vectors: 'full', 'same' or 'valid'.

    Examples:
        >>> import diffeo as dx
        >>> convolve(dx.numpy.array([1.0, 2.0]), dx.numpy.array([1.0, 1.0]))
        Array([1., 3., 2.])
    """
    if mode not in ("full", "same", "valid"):
        raise no_such("convolve", "mode", mode, ("full", "same", "valid"))
    how = precision_of("convolve", precision), preferred_of(preferred_element_type)
    x, y = host_of(a), host_of(v)
    if how == PLAIN and x is not None and y is not None and _fit(x, y):
        return Array(np.convolve(x, y, mode), a.weak_type and v.weak_type)
    a, v = (reshape(x, (1,)) if not x.ndim else x for x in same_dtype(a, v))
    if a.ndim != 1 or v.ndim != 1 or not a.size or not v.size:
        raise with_user_line(
            ValueError(
                f"convolve: needs two vectors with elements, got shapes {a.shape} and {v.shape}"
            )
        )
    if a.aval.dtype.kind == "b":
        a, v = (convert_element_type(x, np.int32) for x in (a, v))
        out = convolve(a, v, mode, preferred_element_type=how[1])
        return out if how[1] is not None else convert_element_type(out, np.bool_)
    a, v = (a, v) if a.size >= v.size else (v, a)
    m = v.size
    edge = {"full": (m - 1, m - 1), "same": (m // 2, (m - 1) // 2), "valid": (0, 0)}[mode]
    return correlate_padded(a, rev(v, (0,)), (edge,), how)


def correlate(
    a: Any,
    v: Any,
    mode: str = "valid",
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Return the cross-correlation of two vectors: a convolution with `v` reversed, conjugated."""
    a, v = same_dtype(a, v)
    if v.ndim != 1:
        raise with_user_line(ValueError(f"correlate: needs two vectors, got {a.aval}, {v.aval}"))
    return convolve(
        a,
        rev(conj(v), (0,)),
        mode,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
