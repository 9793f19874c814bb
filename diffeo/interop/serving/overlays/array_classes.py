"""Tables in which libraries enter classes of theirs that stand for arrays, as jax's internals do.

diffeo asks an object itself (`__array__`, `__jax_array__`), so nothing reads what is entered.
"""

from typing import Any

import numpy as np

from ....primitives.core import typeof

__all__ = ["pytype_aval_mappings"]

#: For classes, the function that gives their objects' type.
pytype_aval_mappings: dict[type, Any] = {np.ndarray: typeof}
