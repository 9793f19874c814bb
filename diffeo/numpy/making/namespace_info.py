"""What the array API standard asks of a namespace: its devices, dtypes and abilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...lowering.devices.devices import Device, default_device, devices, find
from ...primitives.types import default_dtype

#: The version of the standard whose questions are answered.
__array_api_version__ = "2024.12"

#: The standard's kinds of dtypes -> the names of the dtypes.
_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = _KINDS["integral"] + _KINDS["real floating"] + _KINDS["complex floating"]


class NamespaceInfo:
    """The answers to the standard's questions. `__array_namespace_info__()` returns one."""

    def capabilities(self) -> dict[str, Any]:
        """Return what arrays can do.

        Boolean indexing and shapes that depend on data work in eager mode, not while traced.
        """
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": None}

    def default_device(self) -> Device:
        """Return the device on which programs run if nothing is said."""
        return default_device()

    def devices(self) -> list[Device]:
        """Return the devices of the default platform, and the processors."""
        return list(dict.fromkeys([*devices(), *devices("cpu")]))

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype]:
        """Return the dtypes that numbers get when nothing else decides, the same on all devices.

        Raises:
            RuntimeError: if there is no such device.
        """
        _check(device)
        return {
            "real floating": default_dtype(float),
            "complex floating": default_dtype(complex),
            "integral": default_dtype(int),
            "indexing": default_dtype(int),
        }

    def dtypes(
        self, *, device: Any = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, np.dtype]:
        """Return the standard's dtypes by their names, of one kind or of several.

        Raises:
            RuntimeError: if there is no such device.
            ValueError: for a kind that the standard does not have.
        """
        _check(device)
        kinds = ("bool", "numeric") if kind is None else (kind,) if isinstance(kind, str) else kind
        unknown = [k for k in kinds if k not in _KINDS]
        if unknown:
            raise ValueError(f"dtypes: unknown kind {unknown[0]!r}; there are {list(_KINDS)}")
        return {name: np.dtype(name) for k in kinds for name in _KINDS[k]}


def _check(device: Any) -> None:
    if device is not None:
        find(device)


def __array_namespace_info__() -> NamespaceInfo:
    """Return the devices, dtypes and abilities, as the array API standard asks for them.

    Examples:
        >>> import diffeo as dx
        >>> info = dx.numpy.__array_namespace_info__()
        >>> info.default_dtypes()["real floating"], info.dtypes(kind="bool")
        (dtype('float64'), {'bool': dtype('bool')})
    """
    return NamespaceInfo()
