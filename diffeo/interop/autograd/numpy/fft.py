"""`autograd.numpy.fft`: NumPy's functions, which take traced values too."""

from typing import TYPE_CHECKING, Any

import numpy as _numpy

from ..machinery.namespaces import Namespace

_names = Namespace(__name__, _numpy.fft)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
else:
    __getattr__, __dir__ = _names.load, _names.listed
