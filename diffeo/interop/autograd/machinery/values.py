"""Values as autograd has them: NumPy's arrays and scalars outside, traced values inside.

A tree of values is opened into arrays that diffeo differentiates, and results go back as NumPy's,
each an array of its own that may be written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....primitives.array import Array, as_value
from ....primitives.core import Tracer
from ....primitives.types import ShapedArray, is_complex, is_inexact
from ....trees import tree


def plain(x: Any) -> Any:
    """Return a diffeo array as NumPy's, a scalar if it has no axes; anything else as it is."""
    if type(x) is Array:
        host = x.host
        return host.copy() if host.ndim else host[()]
    return x


def has_traced(args: Sequence[Any]) -> bool:
    """Return whether a value is traced among arguments, or in lists and tuples among them."""
    for a in args:
        if isinstance(a, Tracer) or (isinstance(a, (list, tuple)) and has_traced(a)):
            return True
    return False


def is_box(x: Any) -> bool:
    """Return whether a value is traced."""
    return isinstance(x, Tracer)


def getval(x: Any) -> Any:
    """Return the numbers behind a traced value, as NumPy's; anything else as it is.

    Raises:
        ConcretizationTypeError: if the numbers are not known, under `jit` say.
    """
    if not isinstance(x, Tracer):
        return plain(x)
    # What a program is traced for has no numbers: `item` says so, with the user's line.
    known = x.concrete()
    return x.item() if known is None else plain(known)


def opened(x: Any) -> tuple[list[Any], Any]:
    """Return the leaves of a tree as arrays with a derivative, and its structure.

    Raises:
        TypeError: for a leaf that is no floating-point or complex number or array.
    """
    leaves, structure = tree.flatten(x)
    return [_leaf(a) for a in leaves], structure


def _leaf(x: Any) -> Any:
    """Return an argument's leaf as what a derivative is taken by. Integers in arrays become
    floating-point numbers, as autograd's derivatives by them are.
    """
    kind = type(x)
    if kind is float or kind is complex:
        return as_value(x)
    if isinstance(x, (np.inexact, np.ndarray)) or kind is Array:
        return as_value(x if is_inexact(x.dtype) else np.asarray(x).astype(float))
    if isinstance(x, Tracer):
        return x if is_inexact(x.dtype) else x.astype(float)
    raise TypeError(
        f"Can't differentiate w.r.t. type {kind}: expected floats, complex numbers, arrays, or "
        "lists, tuples and dicts of them; close over what is a constant"
    )


def fitted(x: Any, aval: ShapedArray, what: str) -> Any:
    """Return a tangent or cotangent as an array of this type; a smaller one is broadcast.

    Raises:
        ValueError: if its shape does not fit.
    """
    dtype, shape = aval.dtype, aval.shape
    if isinstance(x, Tracer):
        if x.shape == shape and x.dtype == dtype:
            return x
        x = x.real if is_complex(x.dtype) and not is_complex(dtype) else x
        _check(x.shape, shape, what)
        return np.broadcast_to(x.astype(dtype), shape)
    given = np.asarray(x)
    if given.dtype.kind == "c" and not is_complex(dtype):
        given = np.real(given)
    _check(given.shape, shape, what)
    return as_value(np.broadcast_to(given.astype(dtype, copy=False), shape))


def _check(given: tuple[int, ...], shape: tuple[int, ...], what: str) -> None:
    try:
        fits = np.broadcast_shapes(given, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{what}: expected an array of shape {shape}, got one of shape {given}")


def zeros(x: Any) -> np.ndarray | np.generic:
    """Return zeros of a value's shape and dtype, a scalar where it has no axes."""
    return np.zeros(x.shape, x.dtype)[()]
