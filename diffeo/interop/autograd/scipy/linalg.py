"""`autograd.scipy.linalg`: SciPy's functions, which take traced values too."""

from typing import TYPE_CHECKING, Any

import scipy.linalg as _scipy

from ....scipy import linalg as _ours
from ..machinery.namespaces import Namespace

_names = Namespace(__name__, _scipy, lambda: _ours)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
else:
    __getattr__, __dir__ = _names.load, _names.listed
