"""Names that libraries import, and only programs on several devices call: then they say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .sharding import NamedSharding
from .sharding import PartitionSpec as P

#: Why these names cannot be called.
WHY = "diffeo runs a program on one device, and does not spread arrays over several"


def refused(name: str, why: str = WHY) -> Callable:
    """Return a function that raises a NotImplementedError which names it.

    Args:
        name: jax's full name.
        why: the reason.
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{name}: {why}")

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    function.__doc__ = f"Raise an error: {why}."
    return function


_TOP = """
device_put_replicated device_put_sharded get_abstract_mesh get_mesh
make_array_from_callback make_array_from_process_local_data make_array_from_single_device_arrays
make_mesh reshard set_mesh shard_map smap use_abstract_mesh
"""

globals().update({name: refused(f"jax.{name}") for name in _TOP.split()})


def pmap(fun: Callable, *args: Any, **kwargs: Any) -> Callable:
    """Return a function that raises an error: libraries call this while they are imported."""
    return refused("a function of jax.pmap")


__all__ = [*_TOP.split(), "NamedSharding", "P", "pmap"]  # pyright: ignore
