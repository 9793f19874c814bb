"""The methods of arrays and tracers, and NumPy's functions on them; `install` gives them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ..primitives.core import Value
from ..primitives.operators import NUMPY
from . import (
    creation,
    cumulative,
    indexing,
    products,
    reductions,
    selecting,
    sets,
    shaping,
    sorting,
    ufuncs,
)
from .updates import At


def _flatten(self: Any, order: str = "C") -> Any:
    """All elements in one axis."""
    return shaping.ravel(self, order)


def _reshape(self: Any, *shape: Any, order: str = "C") -> Any:
    """The elements in another shape: `x.reshape(2, -1)` or `x.reshape((2, -1))`."""
    return shaping.reshape(self, shape[0] if len(shape) == 1 else shape, order)


def _transpose(self: Any, *axes: Any) -> Any:
    """Axes in another order, reversed by default: `x.transpose(1, 0)` or `x.transpose((1, 0))`."""
    order: Any = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return shaping.transpose(self, order or None)


def _clip(self: Any, min: Any = None, max: Any = None) -> Any:
    """Kept within `min` and `max`."""
    return ufuncs.clip(self, min, max)


def _astype(self: Any, dtype: Any, copy: bool = True) -> Any:
    """Converted to `dtype`."""
    return creation.astype(self, dtype)


def _copy(self: Any) -> Any:
    """A copy."""
    return creation.array(self)


def _view_of_module(self: Any, api_version: str | None = None) -> ModuleType:
    """The module with the functions of the array API standard."""
    return _namespace


_namespace: Any = None

METHODS = {
    "all": reductions.all, "any": reductions.any, "argmax": reductions.argmax,
    "argmin": reductions.argmin, "argsort": sorting.argsort, "astype": _astype, "clip": _clip,
    "conj": ufuncs.conj, "conjugate": ufuncs.conj, "copy": _copy, "cumprod": cumulative.cumprod,
    "cumsum": cumulative.cumsum, "diagonal": products.diagonal, "dot": products.dot,
    "flatten": _flatten, "max": reductions.max, "mean": reductions.mean, "min": reductions.min,
    "nonzero": sets.nonzero, "prod": reductions.prod, "ptp": reductions.ptp,
    "ravel": shaping.ravel, "repeat": selecting.repeat, "reshape": _reshape,
    "round": ufuncs.round, "searchsorted": sorting.searchsorted, "sort": sorting.sort,
    "squeeze": shaping.squeeze, "std": reductions.std, "sum": reductions.sum,
    "swapaxes": shaping.swapaxes, "take": selecting.take, "trace": products.trace,
    "transpose": _transpose, "var": reductions.var, "__getitem__": indexing.getitem,
    "__setitem__": indexing.setitem, "__array_namespace__": _view_of_module,
}


def _from_axis_0(function: Any) -> Any:
    """A reduction as the method of a ufunc, which goes along axis 0 if nothing else is said."""
    return lambda a, axis=0, *args, **kwargs: function(a, axis, *args, **kwargs)


#: The methods of ufuncs, `np.add.reduce` and so on.
OF_UFUNCS = {
    np.add.reduce: reductions.sum, np.add.accumulate: cumulative.cumsum,
    np.multiply.reduce: reductions.prod, np.multiply.accumulate: cumulative.cumprod,
    np.maximum.reduce: reductions.max, np.maximum.accumulate: cumulative.cummax,
    np.minimum.reduce: reductions.min, np.minimum.accumulate: cumulative.cummin,
    np.logical_and.reduce: reductions.all, np.logical_or.reduce: reductions.any,
}
PROPERTIES = {"T": shaping.transpose, "mT": shaping.matrix_transpose, "real": ufuncs.real,
              "imag": ufuncs.imag, "at": At}


def install(namespace: ModuleType) -> None:
    """Give values their methods, and NumPy's functions of the same names ours."""
    global _namespace
    _namespace = namespace
    for name, method in METHODS.items():
        setattr(Value, name, method)
    for name, getter in PROPERTIES.items():
        setattr(Value, name, property(getter, doc=getter.__doc__))
    NUMPY.update({theirs: _from_axis_0(ours) for theirs, ours in OF_UFUNCS.items()})
    for theirs in (np, np.linalg, np.fft):
        ours = namespace if theirs is np else getattr(namespace, theirs.__name__.split(".")[-1])
        for name in ours.__all__:
            function = getattr(theirs, name, None)
            mine = getattr(ours, name)
            if callable(function) and not isinstance(function, type) and mine is not function:
                NUMPY[function] = mine
