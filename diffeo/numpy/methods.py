"""The methods of arrays and tracers, and NumPy's functions on them.

`Value` is the base of `Array` and `Tracer`. It has few methods of its own: `install`, which is
called once when `diffeo.numpy` is loaded, gives it the methods that the tables below name. A method
whose module is not loaded yet is a `LateMethod`, which loads the module at its first use.

`install` also tells NumPy's protocols where to look for diffeo's function for one of NumPy's:
`np.sin(x)` on a traced value calls `diffeo.numpy.sin(x)`. `plain/` does this search.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from .._loading import loaded
from ..primitives.core import Value, with_user_line
from ..primitives.words.operators import NUMPY
from .plain import protocols


def _flatten(self: Value, order: str = "C", *, out_sharding: Any = None) -> Any:
    """Return all elements in one axis."""
    return _namespace.ravel(self, order, out_sharding=out_sharding)


def _reshape(self: Value, *shape: Any, order: str = "C", out_sharding: str | None = None) -> Any:
    """Return the elements in another shape: `x.reshape(2, -1)` or `x.reshape((2, -1))`."""
    sizes = shape[0] if len(shape) == 1 else shape
    if out_sharding is None:
        return _namespace.reshape(self, sizes, order)
    return _namespace.reshape(self, sizes, order, out_sharding=out_sharding)


def _transpose(self: Value, *axes: Any) -> Any:
    """Put the axes in another order: `x.transpose(1, 0)` or `x.transpose((1, 0))`.

    Without an order, the axes are reversed.
    """
    order: Any = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return _namespace.transpose(self, order or None)


def _clip(self: Value, min: int | None = None, max: int | None = None) -> Any:
    """Return the elements kept within `min` and `max`."""
    return _namespace.clip(self, min, max)


def _astype(self: Value, dtype: Any, copy: bool = False, device: Any = None) -> Any:
    """Return the elements converted to `dtype`."""
    return _namespace.astype(self, dtype, device=device)


def _copy(self: Value) -> Any:
    """Return a copy."""
    return _namespace.array(self)


def _compress(
    self: Any,
    condition: Any,
    axis: int | None = None,
    *,
    out: Any = None,
    size: int | None = None,
    fill_value: Any = 0,
) -> Any:
    """Return the elements, or the parts along `axis`, where a condition is true."""
    options = {"out": out, "size": size, "fill_value": fill_value}
    return _namespace.compress(condition, self, axis, **options)


def _round(self: Value, ndigits: int | None = None) -> Any:
    """Return `round(x)` as an array, with `ndigits` digits after the point."""
    return _namespace.round(self, 0 if ndigits is None else ndigits)


def _contains(self: Value, item: Any) -> bool:
    """Return whether an element equals a number."""
    return bool(_namespace.any(self == item))


def _tolist(self: Any) -> Any:
    """Return nested Python lists of numbers; only where the numbers are known."""
    return np.asarray(self).tolist()


def _tobytes(self: Any) -> bytes:
    """Return the raw bytes of the elements; only where the numbers are known."""
    return np.asarray(self).tobytes()


def _whole(function: Callable) -> Callable:
    """Return the method by which `math.floor` and its like make a Python integer of an array."""

    def method(self: Any) -> int:
        return function(self.item())

    method.__doc__ = f"Return `math.{function.__name__}` of a number, as a Python integer."
    return method


def _to_device(self: Any, device: Any, *, stream: Any = None) -> Any:
    """Put the array on a device; see `dx.device_put`."""
    return _load(".api.device_put", "device_put")(self, device)


def _device(self: Any) -> None:
    """The device of a traced value: None, as the program decides; creation functions take it."""


def _view_of_module(self: Any, api_version: str | None = None) -> ModuleType:
    """Return the module with the functions of the array API standard."""
    return _namespace


#: The module `diffeo.numpy`, which `install` hands over: it imports this file, not the reverse.
_namespace: Any = None

#: Methods that are functions of the same name: module -> names.
FUNCTIONS = {
    "reducing.cumulative": "cumprod cumsum",
    "contracting.diagonals": "diagonal trace",
    "contracting.products": "dot",
    "reducing.comparing": "argmax argmin",
    "reducing.reductions": "all any max mean min prod ptp sum",
    "reducing.spread": "std var",
    "places.selecting": "choose repeat take",
    "reducing.sets": "nonzero",
    "shaping": "ravel squeeze swapaxes",
    "reducing.sorting": "argpartition argsort searchsorted sort",
    "ufuncs": "conj conjugate round",
}
#: Method -> the function, or (module, name of the function) where the module is loaded late.
METHODS = {
    "astype": _astype,
    "clip": _clip,
    "compress": _compress,
    "copy": _copy,
    "flatten": _flatten,
    "reshape": _reshape,
    "to_device": _to_device,
    "transpose": _transpose,
    "tolist": _tolist,
    "tobytes": _tobytes,
    "view": ("views", "view"),
    "byteswap": ("views", "byteswap"),
    "__array_namespace__": _view_of_module,
    "__round__": _round,
    "__trunc__": _whole(math.trunc),
    "__floor__": _whole(math.floor),
    "__ceil__": _whole(math.ceil),
    "__contains__": _contains,
    "__getitem__": ("places.indexing", "getitem"),
    "__setitem__": ("places.indexing", "setitem"),
    "__jax_array__": (".interop.meeting", "to_jax_array"),
    **{name: (home, name) for home, names in FUNCTIONS.items() for name in names.split()},
}
#: Property -> (module, name of the function that computes it).
PROPERTIES = {
    "T": ("shaping", "transpose"),
    "flat": ("shaping", "ravel"),
    "mT": ("shaping", "matrix_transpose"),
    "real": ("ufuncs", "real"),
    "imag": ("ufuncs", "imag"),
    "at": ("places.at", "At"),
}


def _load(home: str, name: str) -> Any:
    """Return a function of this package, from a module that may not be loaded yet."""
    load = import_module if f"{__package__}.{home}" in sys.modules else loaded
    return getattr(load(f".{home}", __package__), name)


class LateMethod:
    """A placeholder in `Value` for a method whose module is not loaded yet.

    At the first access, it loads the module and puts the method itself into `Value`.
    """

    def __init__(self, name: str, where: tuple[str, str], is_property: bool):
        self.name, self.where, self.is_property = name, where, is_property

    def __get__(self, instance: Value, owner: Any = None) -> Any:
        method: Any = _load(*self.where)
        if self.is_property:
            method = property(method, doc=method.__doc__)
        setattr(Value, self.name, method)
        return method.__get__(instance, owner)


def not_honoured(function: Any, out: Any) -> Exception:
    """Return the error for NumPy's parameters `out` and `where` of functions of elements."""
    name = function.__name__
    if out is not None:
        message = f"{name}: arrays never change, so `out` cannot be filled; use the result"
        return with_user_line(TypeError(message))
    return with_user_line(
        NotImplementedError(
            f"{name}: `where` leaves the other elements without a value; write "
            "dx.numpy.where(condition, result, other)"
        )
    )


def _find(function: Any) -> Callable | None:
    return _load("plain.finding", "find")(function, _namespace)


def install(namespace: ModuleType) -> None:
    """Give values their methods, and let NumPy's functions find diffeo's of the same names."""
    global _namespace
    _namespace = namespace
    for name, method in METHODS.items():
        late = type(method) is tuple
        setattr(Value, name, LateMethod(name, method, False) if late else method)
    for name, where in PROPERTIES.items():
        setattr(Value, name, LateMethod(name, where, True))
    Value.device = property(_device)  # type: ignore[attr-defined]
    NUMPY.find, NUMPY.not_honoured = _find, not_honoured
    protocols.install(_load)
