"""Tensors of torch's as diffeo's arrays, and back: on the CPU, of the dtypes that both have."""

# Type checkers know torch's names only where torch is installed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import torch

from ...primitives.array import Array
from ...primitives.core import with_user_line
from ...primitives.types import ShapedArray
from ...trees import tree

#: By the name of a dtype, torch's.
DTYPES: dict[str, torch.dtype] = {
    name: getattr(torch, name)
    for name in (
        "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
        "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
    )
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_BY_DLPACK = {*DTYPES} - {"bfloat16", "bool"}
_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def check(x: torch.Tensor, what: str) -> None:
    """Raise an error for a tensor that cannot become an array.

    Raises:
        TypeError: for a dtype that diffeo does not have, or a layout that is not dense.
        ValueError: for a tensor on another device than the CPU.
    """
    if x.device.type != "cpu":
        raise with_user_line(
            ValueError(
                f"{what}: a tensor on {x.device} cannot be exchanged, only those on the CPU can; "
                "pass x.cpu(), and move the result back"
            )
        )
    if x.layout is not torch.strided:
        raise with_user_line(
            TypeError(
                f"{what}: expected a dense tensor, got the layout {x.layout}; pass x.to_dense()"
            )
        )
    if x.dtype not in _NAMES:
        raise with_user_line(
            TypeError(
                f"{what}: {x.dtype} has no counterpart here; convert to one of {', '.join(DTYPES)}"
            )
        )


def dtype_of(x: torch.Tensor) -> np.dtype:
    """Return NumPy's dtype for a tensor's."""
    name = _NAMES[x.dtype]
    return _BFLOAT16 if name == "bfloat16" else np.dtype(name)


def aval_of(x: torch.Tensor) -> ShapedArray:
    """Return a tensor's type."""
    return ShapedArray(tuple(x.shape), dtype_of(x))


def to_array(x: torch.Tensor) -> Array:
    """Return a tensor as an array of the same memory, which nobody may write to meanwhile."""
    x = x.detach().resolve_conj().resolve_neg()
    if x.dtype is torch.bfloat16:
        return Array(x.contiguous().view(torch.int16).numpy().view(_BFLOAT16))
    return Array(x.numpy())


def to_numpy(x: torch.Tensor) -> np.ndarray:
    """Return a tensor as a NumPy array of its own memory."""
    return np.array(to_array(x).host)


def to_tensor(x: Any) -> torch.Tensor:
    """Return an array as a tensor of its own memory."""
    if isinstance(x, Array) and x._np is None and not x.at_home and x.dtype.name in _BY_DLPACK:
        return torch.from_dlpack(x)  # what a program has computed is nobody else's
    host = np.array(x)
    if host.dtype == _BFLOAT16:
        return torch.from_numpy(host.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(host)


class Traced:
    """Stands for an array or a tensor among the leaves of the arguments."""

    def __repr__(self) -> str:
        return "array"


TRACED = Traced()
#: How many signatures a function keeps.
_MOST = 512


class Signatures:
    """What a function has made for each signature: the structure of its arguments, the types of the
    arrays among their leaves, and the other leaves themselves.

    Args:
        make: from the structure and the leaves, with `TRACED` for arrays, to what is kept.
        what: what messages call the function.
    """

    def __init__(self, make: Callable[[Any, Sequence[Any]], Any], what: str):
        self.make, self.what = make, what
        self.entries: dict[Any, Any] = {}

    def __call__(self, structure: Any, leaves: Sequence[Any], arrays: Sequence[Any]) -> Any:
        """Return the entry for these arguments; `leaves` has `TRACED` in the places of `arrays`.

        Raises:
            TypeError: for a leaf that is neither an array nor hashable.
        """
        types = tuple([(tuple(a.shape), a.dtype) for a in arrays])
        key = structure, tuple(leaves), tuple(map(type, leaves)), types
        try:
            entry = self.entries.get(key)
        except TypeError as error:
            raise with_user_line(
                TypeError(
                    f"{self.what}: an argument that is no array is part of what the function is "
                    f"kept for, and must be hashable: {error}"
                )
            ) from None
        if entry is None:
            if len(self.entries) >= _MOST:
                self.entries.clear()
            entry = self.entries[key] = self.make(structure, leaves)
        return entry


def filled(structure: Any, leaves: Sequence[Any], arrays: Sequence[Any]) -> Any:
    """Return the tree of the leaves, with the arrays in the places of `TRACED`.

    Of (TRACED, 2.0, TRACED) and arrays a, b it is (a, 2.0, b).
    """
    given = iter(arrays)
    return tree.unflatten(structure, [next(given) if v is TRACED else v for v in leaves])
