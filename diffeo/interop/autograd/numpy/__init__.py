"""`autograd.numpy`: NumPy, whose functions take traced values too.

A function of numbers is NumPy's own and returns NumPy's arrays. On traced values it is diffeo's.
"""

from typing import TYPE_CHECKING, Any

import numpy as _numpy

from ..machinery.namespaces import Namespace
from . import fft, linalg, random
from .made import OWN

#: These stand in the place of NumPy's modules of the names.
MODULES = {"fft": fft, "linalg": linalg, "random": random}
_names = Namespace(__name__, _numpy, None, OWN | MODULES)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
else:
    __getattr__, __dir__ = _names.load, _names.listed
