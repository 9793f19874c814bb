"""Operands of linear algebra: stacks of matrices of floating-point numbers, checked.

`at_once` is the short way of this package: NumPy's function on host Arrays, in eager evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...primitives.array import Array
from ...primitives.core import state, with_user_line
from ...primitives.words.promotion import to_inexact
from ...routines.matrices.matrices import LETTERS, adjoint
from ..common import arr


def matrices(name: str, x: Any, square: bool = False) -> Any:
    """Return `x` as matrices of floating-point numbers, which must be square if `square`.

    Raises:
        ValueError: for fewer than two axes, or if `square` and the last two sizes differ.
        TypeError: for a dtype in which LAPACK does not compute.
    """
    x = arr(to_inexact(arr(x)))
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]):
        kind = "square matrices (..., n, n)" if square else "matrices (..., m, n)"
        raise with_user_line(ValueError(f"{name}: expects {kind}, got shape {x.shape}"))
    if x.dtype not in LETTERS:
        raise with_user_line(
            TypeError(
                f"{name}: computes in {', '.join(map(str, LETTERS))}, got {x.aval}; convert it "
                "first"
            )
        )
    return x


def symmetrized(x: Any) -> Any:
    """Return the mean of matrices and their adjoints."""
    return (x + adjoint(x)) * 0.5


def symmetrized_host(x: np.ndarray) -> np.ndarray:
    """Return the mean of NumPy's matrices and their adjoints."""
    return (x + np.conj(np.swapaxes(x, -1, -2))) * 0.5


def at_once(function: Callable, *operands: Any) -> Any:
    """Apply a function of NumPy to host Arrays of one dtype that LAPACK knows, the short way.

    None is returned where the long way is needed: under a transformation, for other operands, and
    where NumPy raises an error.
    """
    if not state.trace.eager:
        return None
    hosts, weak, dtype = [], True, None
    for x in operands:
        x = x if type(x) is Array else arr(x)
        host = x._np if type(x) is Array else None
        if host is None or (dtype or host.dtype) is not host.dtype or host.dtype not in LETTERS:
            return None
        hosts.append(host)
        weak, dtype = weak and x.weak_type, host.dtype
    try:
        with np.errstate(all="ignore"):
            result = function(*hosts)
    except (np.linalg.LinAlgError, ValueError):
        return None  # the long way returns nan, or explains the error
    if isinstance(result, tuple):
        return tuple([Array(np.asarray(x), weak) for x in result])
    return Array(np.asarray(result), weak)
