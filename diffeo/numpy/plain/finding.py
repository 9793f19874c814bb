"""Which function of diffeo stands for one of NumPy's, or for a ufunc of `scipy.special`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .protocols import name_of_numpys

#: Where NumPy's functions are looked for; each namespace of ours has the same place.
_SPACES = ("", "linalg", "fft")
#: Ufuncs of scipy.special whose own name is not the one by which they are called there.
_CALLED = {"psi": "digamma"}


def find(function: Any, numpy: Any) -> Callable | None:
    """Return diffeo's function for one of NumPy's or of scipy.special's, or None. `numpy` is the
    module `diffeo.numpy`.

    A function of diffeo has the same name in the same namespace: `np.linalg.inv` is
    `diffeo.numpy.linalg.inv`.
    """
    name = getattr(function, "__name__", "")
    for space in _SPACES:
        theirs = getattr(np, space) if space else np
        # The name alone does not do: `np.linalg.outer` is another function than `np.outer`.
        if getattr(theirs, name, None) is function and not isinstance(function, type):
            ours = getattr(numpy, space) if space else numpy
            mine = getattr(ours, name) if name in ours.__all__ else None
            return None if mine is function else mine
    if _is_of_scipy(function):
        name = _CALLED.get(name, name)
        for ours in (numpy.special, numpy):  # SciPy has its own cbrt, exp2 ...
            if name in ours.__all__:
                return getattr(ours, name)
    return None


def _is_of_scipy(function: Any) -> bool:
    special = sys.modules.get("scipy.special")  # who calls its functions has loaded it
    name = getattr(function, "__name__", "")
    return special is not None and getattr(special, name, None) is function


def home_of(ufunc: Any) -> tuple[str, str]:
    """Return the full name of a ufunc for messages, and the namespace that should have it here."""
    if _is_of_scipy(ufunc):
        return (
            f"scipy.special.{_CALLED.get(ufunc.__name__, ufunc.__name__)}",
            "diffeo.scipy.special",
        )
    return name_of_numpys(ufunc) if hasattr(ufunc, "__module__") else ufunc.__name__, "diffeo.numpy"
