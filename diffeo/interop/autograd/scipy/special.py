"""`autograd.scipy.special`: SciPy's functions, which take traced values too."""

from typing import Any

import scipy.special as _scipy

from ....scipy import special as _ours
from ..machinery.namespaces import Namespace

_names = Namespace(__name__, _scipy, lambda: _ours)


def __getattr__(name: str) -> Any:
    return _names.load(name)


def __dir__() -> list[str]:
    return _names.listed()
