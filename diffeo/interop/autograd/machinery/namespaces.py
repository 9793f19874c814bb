"""Namespaces: NumPy's and SciPy's names, as functions that take traced values too.

A namespace makes each of its functions at the first use: the library's own for numbers, and for
traced values diffeo's, which NumPy's protocols find, or which has the same name in a module of
diffeo's.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ....numpy.plain.array_likes import with_arrays
from ....primitives.words.operators import NUMPY
from .functions import wrapped
from .values import has_traced


class Namespace:
    """The names of a module.

    Args:
        module: its `__name__`.
        source: the module or object of NumPy or SciPy whose names these are.
        ours: returns diffeo's object with the functions of traced values, which loads then; None
            where NumPy's protocols find them.
        own: functions that stand in the place of both, by name.
        wrap: its functions are to take traced values; False leaves them as they are.
    """

    def __init__(
        self,
        module: str,
        source: Any,
        ours: Callable[[], Any] | None = None,
        own: Mapping[str, Any] | None = None,
        wrap: bool = True,
    ):
        self.module, self.source, self.ours = module, source, ours
        self.own, self.wrap = dict(own or {}), wrap

    def load(self, name: str) -> Any:
        """Return the value of a name, which the module has from now on; for `__getattr__`.

        Raises:
            AttributeError: if neither the library nor the dialect has the name.
        """
        if name in self.own:
            value = self.own[name]
        elif name.startswith("__") and name != "__version__":
            raise AttributeError(f"module {self.module!r} has no attribute {name!r}")
        else:
            value = getattr(self.source, name, None)
            if value is None and not hasattr(self.source, name):
                raise AttributeError(
                    f"module {self.module!r} has no attribute {name!r}, as "
                    f"{getattr(self.source, '__name__', self.source)} has none", name=name,
                )  # fmt: skip
            if self.wrap and callable(value) and not inspect.isclass(value):
                value = self.function(name, value)
        setattr(sys.modules[self.module], name, value)
        return value

    def function(self, name: str, plain_function: Callable) -> Any:
        """Return a function of the library as one that takes traced values too."""
        if self.ours is None:
            return wrapped(plain_function, _by_protocols(plain_function))
        # What diffeo has not may still be made of functions that it has.
        return wrapped(plain_function, getattr(self.ours(), name, plain_function))

    def listed(self) -> list[str]:
        """Return the names; for `__dir__`."""
        here = vars(sys.modules[self.module])
        return sorted({*here, *self.own, *[n for n in dir(self.source) if not n.startswith("_")]})


def _by_protocols(function: Callable) -> Callable:
    """Return a function of NumPy's whose lists of traced values are arrays: its protocols do not
    look into all of them.
    """
    if isinstance(function, np.ufunc) or NUMPY[function] is None:
        return function

    def ours(*args: Any, **kwargs: Any) -> Any:
        if any([isinstance(a, (list, tuple)) and has_traced(a) for a in args]):
            return with_arrays(function, args, kwargs)
        return function(*args, **kwargs)

    return ours


def submodule(parent: str, name: str, namespace: Callable[[str], Namespace]) -> ModuleType:
    """Make a module inside a package, with a namespace for it.

    Args:
        parent: the package's `__name__`.
        name: the module's name in it.
        namespace: makes the namespace, given the module's `__name__`.
    """
    full = f"{parent}.{name}"
    module = ModuleType(full, f"The names of {name}, as functions that take traced values too.")
    names = namespace(full)
    module.__getattr__, module.__dir__ = names.load, names.listed  # type: ignore[method-assign]
    sys.modules[full] = module
    return module
