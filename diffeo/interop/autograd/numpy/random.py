"""`autograd.numpy.random`: NumPy's generators, which know nothing of derivatives."""

from typing import TYPE_CHECKING, Any

import numpy as _numpy

from ..machinery.namespaces import Namespace

_names = Namespace(__name__, _numpy.random, wrap=False)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
else:
    __getattr__, __dir__ = _names.load, _names.listed
