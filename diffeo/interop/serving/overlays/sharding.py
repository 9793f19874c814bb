"""`jax.sharding`'s names, for annotations and `isinstance`: nothing here is an instance yet.

diffeo runs a program on one device. `PartitionSpec` is data, and can be made; so can
`SingleDeviceSharding`, which is what arrays have. The other classes say why they cannot.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from ....lowering.devices.devices import SingleDeviceSharding

__all__ = [
    "AbstractMesh", "AxisType", "Mesh", "NamedSharding", "PartitionSpec", "Sharding",
    "SingleDeviceSharding",
]  # fmt: skip


class AxisType(Enum):
    """Who decides how arrays lie along an axis of a mesh."""

    Auto = 1
    Explicit = 2
    Manual = 3


class PartitionSpec(tuple):
    """For each axis of an array, the axes of a mesh that it lies along: names, tuples, or None."""

    def __new__(cls, *partitions: Any) -> PartitionSpec:
        return super().__new__(cls, partitions)

    def __repr__(self) -> str:
        return f"PartitionSpec{tuple(self)!r}"

    def __reduce__(self) -> Any:
        return PartitionSpec, tuple(self)


class _Absent:
    """A class whose instances come with programs on several devices."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"jax.sharding.{cls.__name__}: diffeo does not spread arrays over devices"
        )


class Sharding(_Absent):
    """How an array lies on devices."""


class NamedSharding(Sharding):
    """A sharding by the axes of a mesh."""


class Mesh(_Absent):
    """Devices in a grid whose axes have names."""


class AbstractMesh(_Absent):
    """The axes of a mesh, without devices."""
