"""`autograd.numpy.fft`: NumPy's functions, which take traced values too."""

from typing import Any

import numpy as _numpy

from ..machinery.namespaces import Namespace

_names = Namespace(__name__, _numpy.fft)


def __getattr__(name: str) -> Any:
    return _names.load(name)


def __dir__() -> list[str]:
    return _names.listed()
