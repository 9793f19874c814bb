"""`autograd.scipy.special`: SciPy's functions, which take traced values too."""

from typing import TYPE_CHECKING, Any

import scipy.special as _scipy

from ....scipy import special as _ours
from ..machinery.namespaces import Namespace
from .made import SPECIAL

_names = Namespace(__name__, _scipy, lambda: _ours, SPECIAL)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
else:
    __getattr__, __dir__ = _names.load, _names.listed
