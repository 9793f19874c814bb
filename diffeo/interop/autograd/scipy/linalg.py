"""`autograd.scipy.linalg`: SciPy's functions, which take traced values too."""

from typing import Any

import scipy.linalg as _scipy

from ....scipy import linalg as _ours
from ..machinery.namespaces import Namespace

_names = Namespace(__name__, _scipy, lambda: _ours)


def __getattr__(name: str) -> Any:
    return _names.load(name)


def __dir__() -> list[str]:
    return _names.listed()
