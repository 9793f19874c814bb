"""`jax.experimental`'s modules about several devices: `shard_map`, `pjit`, `mesh_utils` ..., and
about the order of elements in memory.
"""

from .refused import refused
from .sharding import _Absent

__all__ = [
    "Format", "Layout", "broadcast_one_to_all", "create_device_mesh", "create_hybrid_device_mesh",
    "host_local_array_to_global_array", "pjit", "process_allgather", "shard_map",
    "sync_global_devices", "with_sharding_constraint",
]  # fmt: skip

shard_map = refused("jax.experimental.shard_map.shard_map")
pjit = refused("jax.experimental.pjit.pjit")
with_sharding_constraint = refused("jax.lax.with_sharding_constraint")
create_device_mesh = refused("jax.experimental.mesh_utils.create_device_mesh")
create_hybrid_device_mesh = refused("jax.experimental.mesh_utils.create_hybrid_device_mesh")
broadcast_one_to_all = refused("jax.experimental.multihost_utils.broadcast_one_to_all")
process_allgather = refused("jax.experimental.multihost_utils.process_allgather")
sync_global_devices = refused("jax.experimental.multihost_utils.sync_global_devices")
host_local_array_to_global_array = refused(
    "jax.experimental.multihost_utils.host_local_array_to_global_array"
)


class Layout(_Absent):
    """The order in which the elements of an array lie."""


class Format(_Absent):
    """A layout on devices."""
