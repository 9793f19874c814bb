"""`autograd.numpy`: NumPy, whose functions take traced values too.

A function of numbers is NumPy's own and returns NumPy's arrays. On traced values it is diffeo's.
"""

from typing import Any

import numpy as _numpy

from ..machinery.namespaces import Namespace
from .made import OWN

_names = Namespace(__name__, _numpy, None, OWN)


def __getattr__(name: str) -> Any:
    return _names.load(name)


def __dir__() -> list[str]:
    return _names.listed()
