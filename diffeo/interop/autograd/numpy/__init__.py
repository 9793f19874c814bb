"""`autograd.numpy`: NumPy, whose functions take traced values too.

A function of numbers is NumPy's own and returns NumPy's arrays. On traced values it is diffeo's.
"""

from typing import TYPE_CHECKING, Any

import numpy as _numpy

from ..machinery.namespaces import Namespace
from .made import OWN

_names = Namespace(__name__, _numpy, None, OWN)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
else:
    __getattr__, __dir__ = _names.load, _names.listed
