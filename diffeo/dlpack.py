"""Arrays of other libraries, and for them, by DLPack's protocol."""

from typing import Any

from .numpy.making.creation import from_dlpack as _from_dlpack
from .primitives.support.foreign import array_dtype

__all__ = ["from_dlpack", "is_supported_dtype"]

#: The names of dtypes that the protocol's type codes say, and NumPy's and XLA's exchange takes.
_NAMES = frozenset(
    ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bfloat16",
     "float16", "float32", "float64", "complex64", "complex128")
)  # fmt: skip


def from_dlpack(external_array: Any, device: Any = None, copy: bool | None = None) -> Any:
    """Return an array from any object with `__dlpack__`: torch's, cupy's, jax's.

    Args:
        external_array: the object. Its data are copied.
        device: where the array is to be; None: the default device, without commitment.
        copy: False is refused, unless the object is an array of diffeo's.

    Raises:
        TypeError: for an object without `__dlpack__`.
        ValueError: with `copy=False`.
        BufferError: if the object cannot be exported.

    Examples:
        >>> import numpy as np
        >>> import diffeo as dx
        >>> dx.dlpack.from_dlpack(np.arange(3.0))
        Array([0., 1., 2.])
    """
    return _from_dlpack(external_array, device=device, copy=copy)


def is_supported_dtype(dtype: Any) -> bool:
    """Return whether arrays of a dtype can be exchanged.

    Raises:
        TypeError: for what is no dtype, or none that arrays can have.

    Examples:
        >>> import diffeo as dx
        >>> dx.dlpack.is_supported_dtype("bfloat16"), dx.dlpack.is_supported_dtype("int4")
        (True, False)
    """
    return array_dtype(dtype).name in _NAMES
