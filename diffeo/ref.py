"""Mutable arrays: functions that read and write a `Ref`. The names are those of `jax.ref`."""

from .api.mutable import addupdate, empty_ref, free_ref, freeze, get, new_ref, set, swap
from .engine.refs import Ref

__all__ = [
    "Ref", "addupdate", "empty_ref", "free_ref", "freeze", "get", "new_ref", "set", "swap",
]  # fmt: skip
