"""Operands of linear algebra: stacks of matrices of floating-point numbers, checked."""

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
    """`x` as (square) matrices of floating-point numbers.

    Raises:
        ValueError: if it has fewer than two axes, or the last two are to be of one size and differ.
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
    """The mean of matrices and their adjoints."""
    return (x + adjoint(x)) * 0.5


def symmetrized_host(x: np.ndarray) -> np.ndarray:
    """The same of NumPy's arrays."""
    return (x + np.conj(np.swapaxes(x, -1, -2))) * 0.5


def at_once(function: Callable, *operands: Any) -> Any:
    """NumPy's function of host Arrays of one dtype that LAPACK knows, the short way; None where
    that does not do.
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
            found = function(*hosts)
    except (np.linalg.LinAlgError, ValueError):
        return None  # the long way has nan, or explains it
    if isinstance(found, tuple):
        return tuple([Array(np.asarray(x), weak) for x in found])
    return Array(np.asarray(found), weak)
