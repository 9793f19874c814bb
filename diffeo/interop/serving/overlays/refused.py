"""Names that libraries import, and only programs on several devices call: then they say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Why these names cannot be called.
WHY = "diffeo runs a program on one device, and does not spread arrays over several"


def refused(name: str) -> Callable:
    """Return a function that raises a NotImplementedError which names it.

    Args:
        name: jax's full name.
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{name}: {WHY}")

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    function.__doc__ = f"Raise an error: {WHY}."
    return function


_TOP = """
device_put_replicated device_put_sharded get_abstract_mesh get_mesh
make_array_from_callback make_array_from_process_local_data make_array_from_single_device_arrays
make_mesh pmap reshard set_mesh shard_map smap use_abstract_mesh
"""

#: What stands in the modules of jax that are about several devices.
TOP = {name: refused(f"jax.{name}") for name in _TOP.split()}
