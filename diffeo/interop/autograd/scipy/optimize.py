"""`autograd.scipy.optimize`: SciPy's functions, which take traced values too."""

from typing import Any

import scipy.optimize as _scipy

from ....scipy import optimize as _ours
from ..machinery.namespaces import Namespace

_names = Namespace(__name__, _scipy, lambda: _ours)


def __getattr__(name: str) -> Any:
    return _names.load(name)


def __dir__() -> list[str]:
    return _names.listed()
