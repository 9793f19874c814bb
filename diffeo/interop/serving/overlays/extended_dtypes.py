"""Classes of jax's internals from which libraries derive dtypes of their own. diffeo's arrays have
none of these.
"""

import numpy as np

__all__ = ["DType", "ExtendedDType", "extended"]

DType = np.dtype


class extended(np.generic):
    """The class of scalars of dtypes that are none of NumPy's."""


class ExtendedDType:
    """The base class of such dtypes."""
