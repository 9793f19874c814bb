"""The methods of arrays and tracers, and NumPy's functions on them; `install` gives them."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from .._loading import loaded
from ..primitives.core import Value
from ..primitives.words.operators import NUMPY


def _flatten(self: Any, order: str = "C") -> Any:
    """All elements in one axis."""
    return _namespace.ravel(self, order)


def _reshape(self: Any, *shape: Any, order: str = "C") -> Any:
    """The elements in another shape: `x.reshape(2, -1)` or `x.reshape((2, -1))`."""
    return _namespace.reshape(self, shape[0] if len(shape) == 1 else shape, order)


def _transpose(self: Any, *axes: Any) -> Any:
    """Axes in another order, reversed by default: `x.transpose(1, 0)` or `x.transpose((1, 0))`."""
    order: Any = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return _namespace.transpose(self, order or None)


def _clip(self: Any, min: Any = None, max: Any = None) -> Any:
    """Kept within `min` and `max`."""
    return _namespace.clip(self, min, max)


def _astype(self: Any, dtype: Any, copy: bool = True) -> Any:
    """Converted to `dtype`."""
    return _namespace.astype(self, dtype)


def _copy(self: Any) -> Any:
    """A copy."""
    return _namespace.array(self)


def _to_device(self: Any, device: Any, /, *, stream: Any = None) -> Any:
    """On a device; see `dx.device_put`."""
    return _load(".api.device_put", "device_put")(self, device)


def _device(self: Any) -> None:
    """None, where a program decides; creation functions take it as their `device`."""


def _view_of_module(self: Any, api_version: str | None = None) -> ModuleType:
    """The module with the functions of the array API standard."""
    return _namespace


_namespace: Any = None

#: Methods that are functions of the same name; for each module, which.
FUNCTIONS = {
    "reducing.cumulative": "cumprod cumsum",
    "contracting.diagonals": "diagonal trace",
    "contracting.products": "dot",
    "reducing.comparing": "argmax argmin",
    "reducing.reductions": "all any max mean min prod ptp std sum var",
    "places.selecting": "repeat take",
    "reducing.sets": "nonzero",
    "shaping": "ravel squeeze swapaxes",
    "reducing.sorting": "argsort searchsorted sort",
    "ufuncs": "conj conjugate round",
}
METHODS = {
    "astype": _astype,
    "clip": _clip,
    "copy": _copy,
    "flatten": _flatten,
    "reshape": _reshape,
    "to_device": _to_device,
    "transpose": _transpose,
    "__array_namespace__": _view_of_module,
    "__getitem__": ("places.indexing", "getitem"),
    "__setitem__": ("places.indexing", "setitem"),
    **{name: (home, name) for home, names in FUNCTIONS.items() for name in names.split()},
}
PROPERTIES = {
    "T": ("shaping", "transpose"),
    "mT": ("shaping", "matrix_transpose"),
    "real": ("ufuncs", "real"),
    "imag": ("ufuncs", "imag"),
    "at": ("places.updates", "At"),
}
#: The methods of ufuncs, `np.add.reduce` and so on.
OF_UFUNCS = {
    np.add.reduce: ("reducing.reductions", "sum"),
    np.add.accumulate: ("reducing.cumulative", "cumsum"),
    np.multiply.reduce: ("reducing.reductions", "prod"),
    np.multiply.accumulate: ("reducing.cumulative", "cumprod"),
    np.maximum.reduce: ("reducing.reductions", "max"),
    np.maximum.accumulate: ("reducing.cumulative", "cummax"),
    np.minimum.reduce: ("reducing.reductions", "min"),
    np.minimum.accumulate: ("reducing.cumulative", "cummin"),
    np.logical_and.reduce: ("reducing.reductions", "all"),
    np.logical_or.reduce: ("reducing.reductions", "any"),
}


def _load(home: str, name: str) -> Any:
    """A function of this package, from a module that may not be loaded yet."""
    load = import_module if f"{__package__}.{home}" in sys.modules else loaded
    return getattr(load(f".{home}", __package__), name)


class LateMethod:
    """Stands in `Value` for a method whose module is loaded when it is first asked for."""

    def __init__(self, name: str, where: tuple[str, str], is_property: bool):
        self.name, self.where, self.is_property = name, where, is_property

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        method: Any = _load(*self.where)
        if self.is_property:
            method = property(method, doc=method.__doc__)
        setattr(Value, self.name, method)
        return method.__get__(instance, owner)


def _from_axis_0(function: Any) -> Any:
    """A reduction as the method of a ufunc, which goes along axis 0 if nothing else is said."""
    return lambda a, axis=0, *args, **kwargs: function(a, axis, *args, **kwargs)


def _find(function: Any) -> Any:
    """Our function for NumPy's, or None: it has the same name in the same namespace."""
    where = OF_UFUNCS.get(function)
    if where is not None:
        return _from_axis_0(_load(*where))
    name = getattr(function, "__name__", "")
    for space in ("", "linalg", "fft"):
        theirs = getattr(np, space) if space else np
        if getattr(theirs, name, None) is function and not isinstance(function, type):
            ours = getattr(_namespace, space) if space else _namespace
            mine = getattr(ours, name) if name in ours.__all__ else None
            return None if mine is function else mine
    return None


def install(namespace: ModuleType) -> None:
    """Give values their methods, and NumPy's functions of the same names ours."""
    global _namespace
    _namespace = namespace
    for name, method in METHODS.items():
        late = type(method) is tuple
        setattr(Value, name, LateMethod(name, method, False) if late else method)
    for name, where in PROPERTIES.items():
        setattr(Value, name, LateMethod(name, where, True))
    Value.device = property(_device)  # type: ignore[attr-defined]
    NUMPY.find = _find
